"""Chunks: the physical form of a run of elements, one column per component of the element.

A column is one of
* a `torch.Tensor` with a leading axis over the elements,
* a NumPy object array of `bytes` with such an axis, for `tf.string`,
* a list of one value per element, where the values have no common shape or are no tensors
  (`RaggedTensor`, `SparseTensor`, nested datasets, optionals).

The *value* of a component in one element is a torch tensor, a NumPy object array (0-dimensional for
a scalar), or the composite object itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


class Chunk:
    """`size` elements, as one column for each component of the element structure."""

    __slots__ = ("columns", "size")

    def __init__(self, columns: list, size: int):
        self.columns = columns
        self.size = size

    def slice(self, start: int, stop: int) -> Chunk:
        if start == 0 and stop >= self.size:
            return self
        stop = min(stop, self.size)
        return Chunk([c[start:stop] for c in self.columns], stop - start)

    def take(self, rows: Sequence[int] | torch.Tensor) -> Chunk:
        """The elements at the given positions."""
        index = rows if isinstance(rows, torch.Tensor) else torch.tensor(rows, dtype=torch.int64)
        return Chunk([take(c, index) for c in self.columns], len(index))

    def rows(self) -> list[tuple]:
        """The elements as tuples of component values."""
        return list(zip(*(values(c) for c in self.columns), strict=True))

    def row(self, i: int) -> tuple:
        return tuple(value(c, i) for c in self.columns)


def values(column) -> list:
    """The components of the elements, one by one."""
    if type(column) is list:
        return column
    if isinstance(column, torch.Tensor):
        return list(column.unbind(0))
    if column.ndim > 1:
        return list(column)
    return [_scalar(x) for x in column]


def value(column, i: int):
    """The component of element `i`."""
    if isinstance(column, np.ndarray) and column.ndim == 1:
        return _scalar(column[i])
    return column[i]


def _scalar(x: bytes) -> np.ndarray:
    array = np.empty((), dtype=object)
    array[()] = x
    return array


def take(column, index: torch.Tensor):
    if type(column) is list:
        return [column[i] for i in index.tolist()]
    if isinstance(column, torch.Tensor):
        return column.index_select(0, index)
    return column[index.numpy()]


def column_of(items: Sequence):
    """The column that holds these component values: dense where they have one shape."""
    first = items[0]
    if isinstance(first, torch.Tensor) and type(first) is torch.Tensor:
        shape, dtype = first.shape, first.dtype
        if all(type(x) is torch.Tensor and x.shape == shape and x.dtype is dtype for x in items):
            return first.unsqueeze(0) if len(items) == 1 else torch.stack(list(items))
    elif type(first) is np.ndarray and all(x.shape == first.shape for x in items):
        column = np.empty((len(items), *first.shape), dtype=object)
        for i, x in enumerate(items):
            column[i] = x if first.ndim else x[()]
        return column
    return list(items)


def chunk_of(rows: Sequence[tuple], width: int) -> Chunk:
    """The chunk of these elements, each a tuple of `width` component values."""
    if not width:
        return Chunk([], len(rows))
    return Chunk([column_of(c) for c in zip(*rows, strict=True)], len(rows))


class Joined:
    """Elements that come one by one, joined to a chunk.

    A large tensor is copied to its place as it comes, while caches hold it; its own memory is then
    free for the next one.

    Args:
        room: how many elements will come at most.
        width: how many components they have.
    """

    _LARGE = 1 << 16  # bytes

    def __init__(self, room: int, width: int):
        self.size = 0
        self._room = room
        self._columns: list[list | torch.Tensor] = [[] for _ in range(width)]

    def add(self, row: tuple) -> None:
        for i, x in enumerate(row):
            column = self._columns[i]
            if not self.size and self._has_places(x):
                column = self._columns[i] = x.new_empty((self._room, *x.shape))
            if type(column) is not list:
                if _alike(x, column[0]):
                    column[self.size].copy_(x)
                    continue
                column = self._columns[i] = list(column[: self.size].unbind(0))
            column.append(x)
        self.size += 1

    def _has_places(self, x) -> bool:
        return type(x) is torch.Tensor and x.nbytes >= self._LARGE and self._room > 1

    def chunk(self) -> Chunk:
        columns = [column_of(c) if type(c) is list else c[: self.size] for c in self._columns]
        return Chunk(columns, self.size)


def _alike(x, other: torch.Tensor) -> bool:
    return type(x) is torch.Tensor and x.shape == other.shape and x.dtype is other.dtype


def concat(chunks: Sequence[Chunk]) -> Chunk:
    """The elements of several chunks after one another."""
    if len(chunks) == 1:
        return chunks[0]
    size = sum(c.size for c in chunks)
    return Chunk(
        [_concat_columns(columns) for columns in zip(*(c.columns for c in chunks), strict=True)],
        size,
    )


def _concat_columns(columns):
    first = columns[0]
    if all(isinstance(c, torch.Tensor) for c in columns):
        if all(c.shape[1:] == first.shape[1:] for c in columns):
            return torch.cat(columns)
    elif all(isinstance(c, np.ndarray) for c in columns) and all(
        c.shape[1:] == first.shape[1:] for c in columns
    ):
        return np.concatenate(columns)
    return [x for c in columns for x in values(c)]


class Arena:
    """A growing store of elements in numbered rows, which may be overwritten."""

    def __init__(self):
        self._columns: list | None = None
        self._capacity = 0
        self._free: list[int] = []

    def put(self, chunk: Chunk) -> list[int]:
        """Stores a chunk; returns its rows."""
        if len(self._free) < chunk.size:
            self._grow(chunk)
        rows = self._free[-chunk.size :]
        del self._free[-chunk.size :]
        index = torch.tensor(rows, dtype=torch.int64)
        for i, column in enumerate(chunk.columns):
            self._columns[i] = _put(self._columns[i], index, column)
        return rows

    def take(self, rows: Sequence[int]) -> Chunk:
        """Removes the elements in these rows and returns them."""
        index = torch.tensor(rows, dtype=torch.int64)
        chunk = Chunk([take(c, index) for c in self._columns], len(rows))
        self._free.extend(rows)
        return chunk

    def _grow(self, chunk: Chunk):
        capacity = max(2 * self._capacity, self._capacity + chunk.size)
        if self._columns is None:
            self._columns = [_empty_like(c, capacity) for c in chunk.columns]
        else:
            self._columns = [
                _concat_columns([c, _empty_like(c, capacity - self._capacity)])
                for c in self._columns
            ]
        self._free.extend(range(self._capacity, capacity))
        self._capacity = capacity


def _empty_like(column, size):
    if type(column) is list:
        return [None] * size
    if isinstance(column, torch.Tensor):
        return column.new_empty((size, *column.shape[1:]))
    return np.empty((size, *column.shape[1:]), dtype=object)


def _put(store, index, column):
    """Writes the column into rows of the store, which becomes a list if the shapes differ."""
    dense = type(store) is type(column) is not list and store.shape[1:] == column.shape[1:]
    if dense and isinstance(store, torch.Tensor):
        return store.index_copy_(0, index, column)
    if dense:
        store[index.numpy()] = column
        return store
    store = values(store)
    for i, x in zip(index.tolist(), values(column), strict=True):
        store[i] = x
    return store
