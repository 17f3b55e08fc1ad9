"""The counter-based generators behind TensorFlow's random numbers.

* Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"). A stream is a key
  of 64 bits and a counter of 128; block i of the stream is four 32-bit words.
* NumPy computes it: its 64-bit products are several times as fast on a CPU as torch's. Blocks are
  made in runs short enough to stay in the cache. A few blocks are made faster by Python's integers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_MASK = 0xFFFFFFFF
_MASK64 = 0xFFFFFFFFFFFFFFFF
_RUN = 8192  # blocks computed at a time
_FEW = 12  # blocks that take longer in NumPy than one by one
_ROUNDS = 10
_SHIFT, _LOW = np.uint64(32), np.uint64(_MASK)
_FACTOR_0, _FACTOR_1 = 0xD2511F53, 0xCD9E8D57
_FACTORS = np.array([_FACTOR_0, _FACTOR_1], np.uint64)[:, None]
_FACTORS_BY_ROUND = (_FACTORS, _FACTORS[::-1])
_WEYL_0, _WEYL_1 = 0x9E3779B9, 0xBB67AE85
_WEYL = np.array([_WEYL_0, _WEYL_1], np.uint64)


class Stream(NamedTuple):
    """A Philox stream: a 64-bit key, and the low and high half of its first counter."""

    key: int
    low: int = 0
    high: int = 0

    def skip(self, blocks: int) -> Stream:
        """The stream that begins `blocks` blocks later."""
        counter = (self.low & _MASK64) + ((self.high & _MASK64) << 64) + blocks
        return Stream(self.key, counter & _MASK64, (counter >> 64) & _MASK64)

    def block(self, index: int) -> tuple[int, int, int, int]:
        """One block: the rounds of `_mix` in Python's integers."""
        low = (self.low & _MASK64) + index
        high = (self.high & _MASK64) + (low >> 64)
        a, b, c, d = low & _MASK, low >> 32 & _MASK, high & _MASK, high >> 32 & _MASK
        k, m = self.key & _MASK, self.key >> 32 & _MASK
        for _ in range(_ROUNDS):
            p, q = a * _FACTOR_0, c * _FACTOR_1
            a, b, c, d = q >> 32 ^ b ^ k, q & _MASK, p >> 32 ^ d ^ m, p & _MASK
            k, m = (k + _WEYL_0) & _MASK, (m + _WEYL_1) & _MASK
        return a, b, c, d

    def blocks(self, index) -> np.ndarray:
        """The blocks with the given numbers, a `range` or an integer array, as uint32 [n, 4]."""
        count = len(index)
        if count <= _FEW:
            return np.array([self.block(int(i)) for i in index], np.uint32).reshape(count, 4)
        words = np.empty((count, 4), np.uint32)
        keys = _round_keys(np.array([self.key & _MASK64], np.uint64))
        for start in range(0, count, _RUN):
            part = index[start : start + _RUN]
            if isinstance(part, range):
                part = np.arange(part.start, part.stop, part.step, dtype=np.uint64)
            part = part.astype(np.uint64, copy=False)
            low = part + np.uint64(self.low & _MASK64)
            high = (low < part) + np.uint64(self.high & _MASK64)
            _mix(low, high, keys, words[start : start + _RUN])
        return words


def _round_keys(keys: np.ndarray) -> np.ndarray:
    """The keys of the rounds, [rounds, 2, n], for n keys of 64 bits.

    The lanes change places from round to round, so do the keys.
    """
    first, second = keys & _LOW, keys >> _SHIFT
    rounds = np.empty((_ROUNDS, 2, len(keys)), np.uint64)
    for i in range(_ROUNDS):
        rounds[i] = (second, first) if i % 2 == 0 else (first, second)
        first, second = (first + _WEYL[0]) & _LOW, (second + _WEYL[1]) & _LOW
    return rounds


def _mix(low: np.ndarray, high: np.ndarray, keys: np.ndarray, words: np.ndarray) -> None:
    """Writes the blocks of n counters into `words`, [n, 4], under one key or n of them."""
    # words 0 and 2 of the counters, which are multiplied, and 3 and 1, which are mixed in
    x = np.stack([low & _LOW, high & _LOW])
    z = np.stack([high >> _SHIFT, low >> _SHIFT])
    product = np.empty_like(x)
    for i in range(_ROUNDS):
        np.multiply(x, _FACTORS_BY_ROUND[i % 2], out=product)
        np.right_shift(product, _SHIFT, out=x)
        x ^= z
        x ^= keys[i]
        x &= _LOW
        z, product = product[::-1], z
    words[:, 0], words[:, 2] = x
    words[:, 3], words[:, 1] = z


# the fixed key under which a pair of seeds is mixed
_SCRAMBLE_KEY = 0x02461E293EC8F720


def from_seeds(first: int, second: int) -> Stream:
    """The stream of a stateless op's `seed=[first, second]`: both mix into key and counter."""
    mixed = Stream(_SCRAMBLE_KEY, first, second).block(0)
    return Stream(mixed[0] | mixed[1] << 32, 0, mixed[2] | mixed[3] << 32)


def first_blocks(seeds: np.ndarray) -> np.ndarray:
    """The first block, [n, 4], of the stream of each of n pairs of seeds, uint64 [n, 2]."""
    words = np.empty((len(seeds), 4), np.uint32)
    _mix(seeds[:, 0], seeds[:, 1], _round_keys(np.array([_SCRAMBLE_KEY], np.uint64)), words)
    mixed = words.astype(np.uint64)
    keys, high = mixed[:, 0] | mixed[:, 1] << _SHIFT, mixed[:, 2] | mixed[:, 3] << _SHIFT
    _mix(np.zeros_like(high), high, _round_keys(keys), words)
    return words


def from_op_seeds(first: int, second: int) -> Stream:
    """The stream of a stateful op with global seed `first` and op seed `second`."""
    return Stream(first & _MASK64, 0, second & _MASK64)
