"""`tf.random.experimental.index_shuffle`: a permutation evaluated at single positions.

A small Feistel cipher (Simon, with four rounds) permutes the numbers of an even count of bits;
results beyond the largest index are encrypted again ("cycle walking").
"""

from __future__ import annotations

import math

import numpy as np

from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.host_op import host_op
from torchtf.core.tensor import Tensor

_FIRST_KEY = 498247692
_ROUNDS = 4
_CONSTANT, _SEQUENCE = 0xFFFFFFFC, 0x7369F885192C0EF5


def _round_keys(seeds, width):
    mask = (1 << width) - 1
    keys = [s & mask for s in seeds]
    sequence = _SEQUENCE & mask
    for i in range(3, _ROUNDS):
        last = keys[i - 1]
        rotated = (last >> 3 | last << (width - 3)) ^ (last >> 4 | last << (width - 4))
        keys.append(((_CONSTANT & mask) ^ (sequence & 1) ^ keys[i - 3] ^ rotated) & mask)
        sequence >>= 1
    return keys


def _encrypt(value, keys, width):
    mask = (1 << width) - 1

    def rotated(x, by):
        return (x << by | x >> (width - by)) & mask

    def mix(x):
        return (rotated(x, 1) & rotated(x, 8)) ^ rotated(x, 2)

    left, right = value >> width & mask, value & mask
    for first, second in zip(keys[::2], keys[1::2], strict=True):
        left ^= mix(right) ^ first
        right ^= mix(left) ^ second
    return left << width | right


def _shuffled(index: int, seeds, largest: int) -> int:
    if largest == 0:
        return 0
    bits = math.ceil(math.log2(largest))
    width = min(max(bits + bits % 2, 16), 64) // 2
    keys = _round_keys(seeds, width)
    while True:
        index = _encrypt(index, keys, width)
        if index <= largest:
            return index


def index_shuffle(index, seed, max_index) -> Tensor:
    """The place of `index` in a pseudorandom permutation of 0 to `max_index`, inclusive.

    Source: `tf.random.experimental.index_shuffle`.

    Args:
        index: a scalar or vector of integers (int32, uint32, int64, uint64).
        seed: two integers, or a matrix of them, one row for each index.
        max_index: the largest index, a scalar or vector.

    Raises:
        InvalidArgumentError: if an index is larger than `max_index`.
    """
    return places(index, seed, max_index, (_FIRST_KEY,))


def places(index, seed, max_index, first_keys=()) -> Tensor:
    """`index_shuffle` with all three keys in `seed`, or some of them in `first_keys`."""
    index, seed = convert_to_tensor(index), convert_to_tensor(seed)
    largest = convert_to_tensor(max_index, dtype=index.dtype)
    if index.dtype not in (dtypes.int32, dtypes.uint32, dtypes.int64, dtypes.uint64):
        raise errors.InvalidArgumentError(
            None, None, f"Value for attr 'dtype' of {index.dtype.name} is not in the list of "
            "allowed values: int32, uint32, int64, uint64 [Op:RandomIndexShuffle]",
        )  # fmt: skip
    count = 3 - len(first_keys)
    if seed.shape.rank not in (1, 2) or seed.shape[-1] != count:
        raise errors.InvalidArgumentError(
            None, None, f"seed must have shape [{count}] or [n, {count}], got {seed.shape}"
        )
    return _places(index, seed, largest, first_keys)


def _result_sizes(index, seed, largest, first_keys):
    """One result for each index or row of seeds; a scalar if all are single."""
    rows = index.shape or seed.shape[:-1]
    return tuple(rows) or ((1,) if largest.shape else ())


@host_op("RandomIndexShuffle", out="index", shape=_result_sizes)
def _places(index: T, seed: U, largest: T, first_keys):
    shape = _result_sizes(index, seed, largest, first_keys)
    rows = math.prod(shape)
    seeds = np.broadcast_to(seed.astype(np.int64), (rows, seed.shape[-1]))
    results = []
    for i, t, s in zip(
        np.broadcast_to(index, rows).tolist(), np.broadcast_to(largest, rows).tolist(),
        seeds.tolist(), strict=True,
    ):  # fmt: skip
        if i > t:
            raise errors.InvalidArgumentError(
                None, None,
                f"`index` must be <= `max_index` but got {i} > {t} [Op:RandomIndexShuffle]",
            )  # fmt: skip
        results.append(_shuffled(i, (*first_keys, *(x & 0xFFFFFFFF for x in s)), t))
    return np.array(results, dtype=index.dtype).reshape(shape)
