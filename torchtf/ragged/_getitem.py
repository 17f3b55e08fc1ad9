"""Indexing of ragged tensors."""

from __future__ import annotations

import torch

from torchtf import array_ops
from torchtf.core import dtypes
from torchtf.core.tensor import is_fake, is_tensor_type
from torchtf.ragged import _partition as part
from torchtf.ragged._tensor import RaggedTensor, size_of


def getitem(rt: RaggedTensor, key):
    """`rt[key]`: integers, slices, ..., None, or a boolean mask.

    Raises:
        IndexError: for a row that is not there.
        ValueError: for an integer on an inner ragged axis.
        TypeError: for an index of another kind.
    """
    if isinstance(key, RaggedTensor) or (is_tensor_type(key) and key.dtype is dtypes.bool_):
        from torchtf.ragged._factory import boolean_mask

        return boolean_mask(rt, key)
    keys = list(key) if isinstance(key, (tuple, list)) else [key]
    keys = [k if isinstance(k, RaggedTensor) else array_ops._index_item(k) for k in keys]
    return _outer(rt, _expand_ellipsis(keys, rt.shape.rank))


def _expand_ellipsis(keys, rank):
    if not any(k is Ellipsis for k in keys):
        return keys
    where = next(i for i, k in enumerate(keys) if k is Ellipsis)
    used = sum(k is not None and k is not Ellipsis for k in keys)
    return [*keys[:where], *[slice(None)] * (rank - used), *keys[where + 1 :]]


def _outer(rt, keys):
    """Applies indexes from the outermost axis on."""
    if not keys:
        return rt
    if not isinstance(rt, RaggedTensor):
        return array_ops.getitem(rt, tuple(keys))
    key, *rest = keys
    if key is None:
        inner = _outer(rt, rest)
        if isinstance(inner, RaggedTensor):
            return RaggedTensor.from_uniform_row_length(inner, size_of(inner), nrows=1)
        return array_ops.expand_dims(inner, 0)
    if not isinstance(key, slice):
        return _outer(_row(rt, key), rest)
    rows = _slice_rows(rt, key)
    return _inner(rows, rest) if rest else rows


def _row(rt, key):
    count = size_of(rt)
    if is_fake(rt._splits):
        where = torch.as_tensor(key, dtype=torch.int64).reshape(1)
        where = torch.where(where < 0, where + count, where)
        return _between_splits(rt._values, *(rt._splits.index_select(0, where + i) for i in (0, 1)))
    if isinstance(key, int) and isinstance(count, int) and not -count <= key < count:
        raise IndexError(f"Row key {key} out of bounds")
    if isinstance(key, torch.Tensor):
        key = key.item()
    if key < 0:
        key += count
    start, stop = rt._splits[key].item(), rt._splits[key + 1].item()
    return _between(rt._values, start, stop)


def _between_splits(values, start, stop):
    """The rows from `start` to `stop`, tensors of a trace: how many there are is open."""
    places = torch.arange(size_of(values), dtype=start.dtype)
    return gather(values, ((places >= start) & (places < stop)).nonzero().squeeze(1))


def _between(values, start, stop):
    """The rows from `start` to `stop` of a tensor or ragged tensor."""
    if not isinstance(values, RaggedTensor):
        return part.rows_between(values, start, stop)
    splits = values._splits[start : stop + 1]
    first, last = splits[0].item(), splits[-1].item()
    return RaggedTensor._of(
        _between(values._values, first, last), splits - splits[0], values._uniform
    )


def _slice_rows(rt, key: slice):
    if key == slice(None):
        return rt
    if is_fake(rt._splits):
        every = array_ops.range(size_of(rt))
        return gather(rt, array_ops.getitem(every, (key,))._data.long())
    start, stop, step = key.indices(size_of(rt))
    if step == 1:
        return _between(rt, start, max(start, stop))
    return gather(rt, torch.arange(size_of(rt))[list(range(start, stop, step))])


def gather(values, index: torch.Tensor):
    """The rows at `index` of a tensor or ragged tensor."""
    if not isinstance(values, RaggedTensor):
        return part.take(values, index)
    lengths = part.lengths_of(values._splits)[index]
    flat, splits = part.ranges(values._splits[:-1][index], lengths)
    return RaggedTensor._of(gather(values._values, flat), splits, values._uniform)


def _inner(rt, keys):
    """Applies indexes from axis 1 on."""
    key, *rest = keys
    if key is None:
        inner = _inner(rt, rest) if rest else rt
        return RaggedTensor.from_uniform_row_length(inner, 1, nrows=size_of(inner))
    if not isinstance(key, slice):
        if rt._uniform is None:
            raise ValueError("Cannot index into an inner ragged dimension.")
        index = key if isinstance(key, int) else key.item()
        start = index + rt._uniform if index < 0 else index
        column = gather(rt._values, rt._splits[:-1] + start)
        if not rest:
            return column
        if isinstance(column, RaggedTensor):
            return _inner(column, rest)
        return array_ops.getitem(column, (slice(None), *rest))
    rows = _slice_columns(rt, key)
    if not rest:
        return rows
    if isinstance(rows._values, RaggedTensor):
        return rows.with_values(_inner(rows._values, rest))
    return rows.with_values(array_ops.getitem(rows._values, (slice(None), *rest)))


def _slice_columns(rt, key: slice):
    """Slices each row."""
    if key == slice(None):
        return rt
    step = 1 if key.step is None else key.step
    if step == 0:
        raise ValueError("slice step cannot be zero")
    lengths = part.lengths_of(rt._splits)
    low, high = (0, lengths) if step > 0 else (-1, lengths - 1)

    def bound(value, default):
        if value is None:
            return default
        place = lengths + value if value < 0 else torch.full_like(lengths, value)
        if step > 0:
            return torch.minimum(place.clamp(min=low), high)
        return torch.minimum(place.clamp(min=low), high)

    if step > 0:
        start, stop = bound(key.start, torch.zeros_like(lengths)), bound(key.stop, lengths)
        counts = torch.div(stop - start + step - 1, step, rounding_mode="floor")
    else:
        start = bound(key.start, lengths - 1)
        stop = bound(key.stop, torch.full_like(lengths, -1))
        counts = torch.div(start - stop - step - 1, -step, rounding_mode="floor")
    flat, splits = part.ranges(rt._splits[:-1] + start, counts.clamp(min=0), step)
    uniform = None
    if rt._uniform is not None and not isinstance(rt._uniform, torch.SymInt):
        uniform = len(range(*key.indices(rt._uniform)))
    return RaggedTensor._of(gather(rt._values, flat), splits, uniform)
