"""Distributions over Philox streams: the numbers of TensorFlow's CPU kernels.

Each function takes a `Stream`, the number of values and a NumPy or torch type name, and returns a
flat NumPy array (for bfloat16 its values as float32). What a kernel draws for one value is fixed by
the position of the value, so all values can be computed at once.
"""

from __future__ import annotations

import numpy as np
import torch

from torchtf.core import errors
from torchtf.random._philox import Stream, first_blocks

# Blocks set aside for each value of a distribution that rejects draws
RESERVED = 256
_TRUNCATE = 2.0


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


# -- words into numbers in [0, 1)


def _unit_float32(words):
    """23 random bits as the fraction of a float between 1 and 2, less 1."""
    bits = words & np.uint32(0x7FFFFF)
    bits |= np.uint32(0x3F800000)
    values = bits.view(np.float32)
    values -= np.float32(1)
    return values


def _unit_float16(words):
    bits = (words & np.uint32(0x3FF)).astype(np.uint16) | np.uint16(0x3C00)
    return bits.view(np.float16) - np.float16(1)


def _unit_bfloat16(words):
    bits = (words & np.uint32(0x7F)) << np.uint32(16) | np.uint32(0x3F800000)
    return bits.view(np.float32) - np.float32(1)


def _unit_float64(words):
    """52 random bits of each two words."""
    high = words[..., 0::2].astype(np.uint64) & np.uint64(0xFFFFF)
    bits = high << np.uint64(32) | words[..., 1::2] | np.uint64(0x3FF0000000000000)
    return bits.view(np.float64) - 1.0


_UNIT = {
    "float16": _unit_float16,
    "bfloat16": _unit_bfloat16,
    "float32": _unit_float32,
    "float64": _unit_float64,
}


def _per_block(dtype: str) -> int:
    """How many values one block of four words gives."""
    return 2 if dtype.endswith("64") else 4


def uniform(stream: Stream, size: int, dtype: str) -> np.ndarray:
    """Uniform floats in [0, 1)."""
    words = stream.blocks(range(_ceil(size, _per_block(dtype))))
    return _UNIT[dtype](words).reshape(-1)[:size]


def full_int(stream: Stream, size: int, dtype: str) -> np.ndarray:
    """Integers from the whole range of a type."""
    words = stream.blocks(range(_ceil(size, _per_block(dtype))))
    return words.reshape(-1).view(dtype)[:size]


def uniform_int(stream: Stream, size: int, dtype: str, low: int, high: int) -> np.ndarray:
    """Integers from `low` below `high`, by remainder."""
    bits = full_int(stream, size, "u" + dtype)
    width = (high - low) % (1 << (8 * bits.itemsize))
    return (bits % bits.dtype.type(width) + np.array(low).astype(bits.dtype)).view(dtype)


# -- normal


def _double(function, values):
    """A torch function of values in double precision; torch's are vectorized, NumPy's are not."""
    return function(torch.from_numpy(values.astype(np.float64))).numpy()


def _box_muller(words, dtype: str):
    """Normal numbers from blocks of words, in the order of the kernels."""
    wide = dtype == "float64"
    unit = _unit_float64(words) if wide else _unit_float32(words)
    unit = unit.reshape(*words.shape[:-1], -1, 2)
    kind = unit.dtype.type
    radius = np.maximum(unit[..., 0], kind(1e-7))
    # in double precision, so that the rounding is that of a correctly rounded function
    radius = _double(torch.log, radius).astype(kind)
    radius = np.sqrt(kind(-2) * radius)
    angle = (2 * np.pi * unit[..., 1].astype(np.float64)).astype(kind)
    pairs = np.empty(unit.shape, kind)
    pairs[..., 0], pairs[..., 1] = _double(torch.sin, angle), _double(torch.cos, angle)
    pairs *= radius[..., None]
    return pairs.reshape(*words.shape[:-1], -1)


def normal(stream: Stream, size: int, dtype: str) -> np.ndarray:
    """Standard normal numbers."""
    words = stream.blocks(range(_ceil(size, _per_block(dtype))))
    return _narrow(_box_muller(words, dtype).reshape(-1)[:size], dtype)


def _narrow(values, dtype):
    return values.astype(np.float16) if dtype == "float16" else values


def truncated_normal(stream: Stream, size: int, dtype: str) -> np.ndarray:
    """Standard normal numbers, drawn again until they are within two standard deviations.

    The kernels draw for a group of values, as many as a block gives, from a region of its own.
    """
    group = _per_block(dtype)
    stride = group * RESERVED // 4
    groups = np.arange(_ceil(size, group), dtype=np.uint64) * np.uint64(stride)
    drawn = _box_muller(stream.blocks(groups), dtype)
    inside = np.abs(drawn) < _TRUNCATE
    short = np.flatnonzero(~inside.all(1))
    blocks = 4
    while len(short):
        index = (groups[short, None] + np.arange(blocks, dtype=np.uint64)).reshape(-1)
        more = _box_muller(stream.blocks(index), dtype).reshape(len(short), -1)
        inside = np.abs(more) < _TRUNCATE
        first = np.argsort(~inside, axis=1, kind="stable")[:, :group]
        drawn[short] = np.take_along_axis(more, first, 1)
        short = short[inside.sum(1) < group]
        blocks *= 2
    return _narrow(drawn.reshape(-1)[:size], dtype)


# -- distributions by rejection: value i has its own region of the stream


class _Draws:
    """Uniform (or normal) numbers for many values at once, each from its own region.

    A kernel uses up the numbers of a block from its end.
    """

    def __init__(self, stream, starts, transform):
        self._stream = stream
        self._next = np.array(starts, np.uint64)  # the next block of each value
        self._transform = transform
        width = transform(np.zeros((1, 4), np.uint32)).shape[-1]
        self._buffer = np.zeros((len(self._next), width))
        self._left = np.zeros(len(self._next), np.int64)

    def take(self, which, blocks=None):
        """The next number for each value in `which`; `blocks` is a shared position, if any."""
        position = self._next if blocks is None else blocks
        empty = which[self._left[which] == 0]
        if len(empty):
            self._buffer[empty] = self._transform(self._stream.blocks(position[empty]))
            position[empty] += np.uint64(1)
            self._left[empty] = self._buffer.shape[1]
        self._left[which] -= 1
        return self._buffer[which, self._left[which]]


def _starts(count: int, reserved=RESERVED):
    return np.arange(count, dtype=np.uint64) * np.uint64(reserved)


def gamma(stream: Stream, alpha: np.ndarray, samples: int) -> np.ndarray:
    """Gamma numbers, [samples, *alpha.shape], by Marsaglia and Tsang's method; in float64."""
    shape = alpha.shape
    alpha = np.repeat(alpha.reshape(-1).astype(np.float64), samples)
    result = np.empty(len(alpha))
    starts = _starts(len(alpha))
    one = np.flatnonzero(alpha == 1)
    result[one] = -np.log1p(-_unit_float64(stream.blocks(starts[one]))[:, -1])

    position = starts.copy()  # normal and uniform draws share the region
    normals = _Draws(stream, starts, lambda w: _box_muller(w, "float64"))
    uniforms = _Draws(stream, starts, _unit_float64)
    small = alpha < 1
    d = alpha + np.where(small, 2.0 / 3, -1.0 / 3)
    with np.errstate(invalid="ignore", divide="ignore"):
        c = 1.0 / 3 / np.sqrt(d)
        active = np.flatnonzero(alpha != 1)
        while len(active):
            x = normals.take(active, position)
            v = 1 + c[active] * x
            valid = ~(v <= 0)
            active_valid, x, v = active[valid], x[valid], v[valid] ** 3
            u = uniforms.take(active_valid, position)
            d_here = d[active_valid]
            accept = (u < 1 - 0.0331 * (x * x) * (x * x)) | (
                np.log(u) < 0.5 * x * x + d_here * (1 - v + np.log(v))
            )
            done = active_valid[accept]
            result[done] = d_here[accept] * v[accept]
            boosted = done[small[done]]
            if len(boosted):
                result[boosted] *= uniforms.take(boosted, position) ** (1 / alpha[boosted])
            remaining = np.ones(len(alpha), bool)
            remaining[done] = False
            active = active[remaining[active]]
    return result.reshape(-1, samples).T.reshape(samples, *shape)


def poisson(stream: Stream, rate: np.ndarray, samples: int) -> np.ndarray:
    """Poisson numbers, [samples, *rate.shape]: Knuth's method below 10, Hormann's above."""
    shape = rate.shape
    rate = np.repeat(rate.reshape(-1).astype(np.float64), samples)
    result = np.zeros(len(rate))
    draws = _Draws(stream, _starts(len(rate)), _unit_float64)

    active = np.flatnonzero(rate < 10)
    limit, product = np.exp(-rate), np.ones(len(rate))
    while len(active):
        product[active] *= draws.take(active)
        active = active[product[active] > limit[active]]
        result[active] += 1

    active = np.flatnonzero(~(rate < 10))
    with np.errstate(all="ignore"):
        b = 0.931 + 2.53 * np.sqrt(rate)
        a = -0.059 + 0.02483 * b
        inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
        while len(active):
            u = draws.take(active) - 0.5
            v = draws.take(active)
            r, bb, aa = rate[active], b[active], a[active]
            shifted = 0.5 - np.abs(u)
            k = np.floor((2 * aa / shifted + bb) * u + r + 0.43)
            accept = (shifted >= 0.07) & (v <= 0.9277 - 3.6224 / (bb - 2))
            reject = (k < 0) | ((shifted < 0.013) & (v > shifted))
            s = np.log(v * inverse_alpha[active] / (aa / (shifted * shifted) + bb))
            t = -r + k * np.log(r) - _double(torch.lgamma, k + 1)
            accept |= ~reject & (s <= t)
            result[active[accept]] = k[accept]
            active = active[~accept]
    return result.reshape(-1, samples).T.reshape(samples, *shape)


_STIRLING = np.array([
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509,
    0.0166446911898211, 0.0138761288230707, 0.0118967099458917, 0.0104112652619720,
    0.00925546218271273, 0.00833056343336287,
])  # fmt: skip


def _stirling_tail(k):
    """log(k!) less Stirling's approximation of it."""
    square = (k + 1) * (k + 1)
    series = (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1)
    return np.where(k <= 9, _STIRLING[np.clip(np.nan_to_num(k), 0, 9).astype(int)], series)


def binomial(stream: Stream, counts: np.ndarray, probs: np.ndarray, samples: int) -> np.ndarray:
    """Binomial numbers, [samples, *shape of counts and probs]; in float64.

    Sums of geometric numbers where the mean is below 10, Hormann's method (BTRS) elsewhere.
    """
    counts, probs = np.broadcast_arrays(counts, probs)
    shape = counts.shape
    count = np.repeat(counts.reshape(-1), samples)
    prob = np.repeat(probs.reshape(-1), samples)
    mirrored = prob > 0.5
    p = np.where(mirrored, 1 - prob, prob).astype(prob.dtype)
    large = count * p >= 10
    count, p64 = count.astype(np.float64), p.astype(np.float64)
    result = np.zeros(len(count))
    inner = (count > 0) & (prob > 0) & (prob < 1)
    index = np.arange(len(count), dtype=np.uint64)
    starts = index * np.where(large, np.uint64(RESERVED), np.uint64(42))
    draws = _Draws(stream, starts, _unit_float64)
    with np.errstate(all="ignore"):
        _binomial_by_waiting(draws, np.flatnonzero(inner & ~large), count, p64, result)
        _binomial_by_rejection(draws, np.flatnonzero(inner & large), count, p64, result)
    result = np.where(inner & mirrored, count - result, result)
    result = np.where((count > 0) & (prob >= 1), count, result)
    result = np.where(np.isnan(prob), np.nan, result)
    return result.reshape(-1, samples).T.reshape(samples, *shape)


def _binomial_by_waiting(draws, active, count, p, result):
    total = np.zeros(len(count))
    while len(active):
        total[active] += np.ceil(np.log(draws.take(active)) / np.log1p(-p[active]))
        active = active[total[active] <= count[active]]
        result[active] += 1


def _binomial_by_rejection(draws, active, count, p, result):
    while len(active):
        n, q = count[active], p[active]
        deviation = np.sqrt(n * q * (1 - q))
        b = 1.15 + 2.53 * deviation
        a = -0.0873 + 0.0248 * b + 0.01 * q
        ratio, m = q / (1 - q), np.floor((n + 1) * q)
        u = draws.take(active)
        v = draws.take(active)
        u = u - 0.5
        us = 0.5 - np.abs(u)
        k = np.floor((2 * a / us + b) * u + n * q + 0.5)
        accept = (us >= 0.07) & (v <= 0.92 - 4.2 / b)
        v = np.log(v * (2.83 + 5.1 / b) * deviation / (a / (us * us) + b))
        bound = (
            (m + 0.5) * np.log((m + 1) / (ratio * (n - m + 1)))
            + (n + 1) * np.log((n - m + 1) / (n - k + 1))
            + (k + 0.5) * np.log(ratio * (n - k + 1) / (k + 1))
            + _stirling_tail(m) + _stirling_tail(n - m)
            - _stirling_tail(k) - _stirling_tail(n - k)
        )  # fmt: skip
        accept |= (k >= 0) & (k <= n) & (v <= bound)
        result[active[accept]] = k[accept]
        active = active[~accept]


# -- choices


def categorical(stream: Stream, logits: np.ndarray, samples: int) -> np.ndarray:
    """Class numbers, [batch, samples], by inverting the cumulated probabilities of each row."""
    cumulated = _cumulated(logits)
    points = uniform(stream, len(logits) * samples, "float64").reshape(len(logits), samples)
    points = points * cumulated[:, -1:]
    rows = [np.searchsorted(c, p, "right") for c, p in zip(cumulated, points, strict=True)]
    return np.stack(rows) if rows else np.zeros((0, samples), np.int64)


def categorical_by_seeds(seeds: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """A class number for each row of logits, drawn with a pair of seeds of its own.

    Args:
        seeds: uint64 [n, 2].
        logits: [n, classes].
    """
    cumulated = _cumulated(logits)
    points = _unit_float64(first_blocks(seeds))[:, :1] * cumulated[:, -1:]
    return np.sum(cumulated <= points, 1, dtype=np.int64)


def _cumulated(logits: np.ndarray) -> np.ndarray:
    """The cumulated probabilities of each row, without a common factor."""
    logits = logits.astype(np.float64)
    finite = np.isfinite(logits)
    top = np.max(np.where(finite, logits, -np.inf), 1, keepdims=True, initial=-np.inf)
    return np.cumsum(np.where(finite, np.exp(np.where(finite, logits - top, 0)), 0), 1)


def permutation(stream: Stream, size: int) -> np.ndarray:
    """A permutation by Fisher and Yates' method, from the front."""
    order = list(range(size))
    if size > 1:
        words = stream.blocks(range(_ceil(size - 1, 4))).reshape(-1)[: size - 1]
        targets = np.arange(size - 1) + words % np.arange(size, 1, -1, dtype=np.uint32)
        for i, j in enumerate(targets.tolist()):
            order[i], order[j] = order[j], order[i]
    return np.array(order)


# -- normal numbers between any bounds

_ENOUGH_INSIDE = 1.3  # deviations within the bounds, from where drawing normal numbers pays


def parameterized_truncated_normal(stream, shape, means, stddevs, minvals, maxvals) -> np.ndarray:
    """Normal numbers between bounds, `shape`, which ends with that of the parameters.

    The distributions take turns in one stream; each goes on at the block after the last one used.
    """
    parameters = np.broadcast_arrays(means, stddevs, minvals, maxvals)
    columns = [p.reshape(-1) for p in parameters]
    samples = int(np.prod(shape)) // columns[0].size
    kind = means.dtype.type
    result, position = np.empty((samples, columns[0].size), kind), 0
    for i, (mean, stddev, low, high) in enumerate(zip(*columns, strict=True)):
        if not (stddev > 0 and low < high and (np.isfinite(low) or np.isfinite(high))):
            raise errors.InvalidArgumentError(None, None, "Invalid parameters")
        if low == -np.inf or high < mean:
            low, high, stddev = high, low, -stddev
        accepted, propose = [], _proposals(kind, (low - mean) / stddev, (high - mean) / stddev)
        missing = samples
        while missing:
            values, accept, position = propose(stream, position)
            accepted.append(values[accept][:missing])
            missing -= len(accepted[-1])
        drawn = np.concatenate(accepted)
        result[:, i] = drawn * stddev + mean
    return result.reshape(shape)


def _proposals(kind, low, high):
    """A function that gives proposed numbers, which of them to accept, and the next block."""
    name = np.dtype(kind).name
    root = np.sqrt(low * low + kind(4))
    cutoff = kind(2) * np.exp(kind(0.5) + (low * (low - root)) / kind(4)) / (low + root)

    def from_normal(stream, block):
        values = _narrow(_box_muller(stream.blocks(range(block, block + 1)), name), name)[0]
        return values, (values >= low) & (values <= high), block + 1

    def from_uniform(stream, block):
        first, second = _UNIT[name](stream.blocks(range(block, block + 2)))
        values = first * (high - low) + low
        offset = kind(0) if low < 0 else low * low
        return values, second <= np.exp((offset - values * values) / kind(2)), block + 2

    def from_exponential(stream, block):
        rate = (low + root) / kind(2)
        drawn = _UNIT[name](stream.blocks(range(block, block + 1)))[0]
        values = -np.log(drawn[0::2]) / rate + low
        x = rate - values if low < rate else low - rate
        return values, (drawn[1::2] <= np.exp(-x * x / kind(2))) & (values < high), block + 1

    if (low < -_ENOUGH_INSIDE and high >= 0) or (high > _ENOUGH_INSIDE and low <= 0):
        return from_normal
    return from_uniform if high - low < cutoff else from_exponential
