"""What analyzers compute, batch by batch: `add` arrays, then ask for the `result`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from torchtf.core.files import write_atomically


class Combiner:
    """The base class."""

    def add(self, *arrays: np.ndarray) -> None:
        """Adds a batch."""
        raise NotImplementedError

    def result(self) -> Sequence[np.ndarray]:
        """The values over all batches."""
        raise NotImplementedError


class Moments(Combiner):
    """Mean and variance of what is finite, of all values or of each place of an instance.

    Batches are joined by the formula of Chan et al. (1979), in float64.
    """

    def __init__(self, elementwise: bool):
        self._axis = 0 if elementwise else None
        self._count: np.ndarray | float = 0.0
        self._mean: np.ndarray | float = 0.0
        self._squares: np.ndarray | float = 0.0  # of distances from the mean

    def add(self, *arrays: np.ndarray) -> None:
        (x,) = arrays
        x = x.astype(np.float64)
        kept = np.isfinite(x)
        count = kept.sum(self._axis)
        some = np.maximum(count, 1)
        mean = np.where(kept, x, 0).sum(self._axis) / some
        squares = np.where(kept, (np.where(kept, x, 0) - mean) ** 2, 0).sum(self._axis)
        total = self._count + count
        share = count / np.maximum(total, 1)
        distance = mean - self._mean
        self._squares = self._squares + squares + distance**2 * self._count * share
        self._mean = self._mean + distance * share
        self._count = total

    def result(self) -> Sequence[np.ndarray]:
        variance = self._squares / np.maximum(self._count, 1)
        return np.asarray(self._mean), np.asarray(variance)


class Extremes(Combiner):
    """The least and the greatest value; NaNs do not count. NaN (or 0) if there is none."""

    def __init__(self, elementwise: bool):
        self._axis = 0 if elementwise else None
        self._low: np.ndarray | None = None
        self._high: np.ndarray | None = None

    def add(self, *arrays: np.ndarray) -> None:
        (x,) = arrays
        if not x.size:
            return
        low, high = np.fmin.reduce(x, self._axis), np.fmax.reduce(x, self._axis)
        self._low = low if self._low is None else np.fmin(self._low, low)
        self._high = high if self._high is None else np.fmax(self._high, high)

    def result(self) -> Sequence[np.ndarray]:
        empty = np.float64(np.nan)
        return tuple(np.asarray(empty if v is None else v) for v in (self._low, self._high))


class Total(Combiner):
    """The sum, or the number of values."""

    def __init__(self, elementwise: bool, count: bool = False):
        self._axis = 0 if elementwise else None
        self._total: np.ndarray | int = 0
        self._counts = count

    def add(self, *arrays: np.ndarray) -> None:
        (x,) = arrays
        wide = np.float64 if x.dtype.kind == "f" else np.int64
        terms = np.ones(x.shape, np.int64) if self._counts else x.astype(wide)
        self._total = self._total + terms.sum(self._axis)

    def result(self) -> Sequence[np.ndarray]:
        return (np.asarray(self._total),)


class Quantiles(Combiner):
    """The values that divide all values into buckets of equal weight."""

    def __init__(self, buckets: int, elementwise: bool):
        self._buckets, self._elementwise = buckets, elementwise
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, *arrays: np.ndarray) -> None:
        x = arrays[0].astype(np.float32)
        weights = np.ones(x.shape) if len(arrays) == 1 else arrays[1].astype(np.float64)
        if self._elementwise:
            self._parts.append((x.reshape(len(x), -1), weights.reshape(len(x), -1)))
        else:
            self._parts.append((x.reshape(-1, 1), np.broadcast_to(weights, x.shape).reshape(-1, 1)))

    def result(self) -> Sequence[np.ndarray]:
        x = np.concatenate([p[0] for p in self._parts])
        weights = np.concatenate([p[1] for p in self._parts])
        columns = [self._of(x[:, i], weights[:, i]) for i in range(x.shape[1])]
        return (np.stack(columns).astype(np.float32),)

    def _of(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        kept = ~np.isnan(x) & ~np.isnan(weights) & (weights > 0)
        x, weights = x[kept], weights[kept]
        if not x.size:
            return np.zeros(self._buckets - 1, np.float32)
        order = np.argsort(x, kind="stable")
        reached = np.cumsum(weights[order])
        wanted = reached[-1] * np.arange(1, self._buckets) / self._buckets
        # the first value before which as much weight lies
        places = np.searchsorted(reached, wanted * (1 + 1e-12), side="right")
        return x[order][np.minimum(places, len(x) - 1)]


class Words(Combiner):
    """The distinct values with their frequencies or weights; `result` writes the file.

    Args:
        path: the file: an entry a line, the most frequent first, of equal ones the greatest.
        top_k, frequency_threshold: which are kept.
        reserved: entries that come first.
        store_frequency: whether a line has the frequency before the entry.
    """

    def __init__(
        self,
        path: str,
        top_k: int | None,
        frequency_threshold: float | None,
        reserved: Sequence[bytes],
        store_frequency: bool,
    ):
        self._path = path
        self._top_k, self._threshold = top_k, frequency_threshold
        self._reserved, self._store_frequency = reserved, store_frequency
        self._counts: Counter[bytes] = Counter()

    def add(self, *arrays: np.ndarray) -> None:
        text: Callable = bytes if arrays[0].dtype.kind == "O" else lambda v: str(v).encode()
        values = map(text, arrays[0].reshape(-1).tolist())
        if len(arrays) == 1:
            self._counts.update(values)
            return
        weights = np.broadcast_to(arrays[1], arrays[0].shape).reshape(-1).tolist()
        for value, weight in zip(values, weights, strict=True):
            self._counts[value] += weight

    def result(self) -> Sequence[np.ndarray]:
        reserved = set(self._reserved)
        entries = [
            (count, word)
            for word, count in self._counts.items()
            if word and word not in reserved and not {b"\n"[0], b"\r"[0]} & set(word)
        ]
        if self._threshold is not None:
            entries = [e for e in entries if e[0] >= self._threshold]
        entries.sort(reverse=True)
        if self._top_k is not None:
            entries = entries[: self._top_k]
        entries = [(self._counts.get(w, 0), w) for w in self._reserved] + entries
        lines = [
            (b"%s " % str(count).encode() if self._store_frequency else b"") + word + b"\n"
            for count, word in entries
        ]
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        write_atomically(self._path, b"".join(lines))
        return (np.asarray(len(lines), np.int64),)
