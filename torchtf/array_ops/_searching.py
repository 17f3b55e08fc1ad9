"""Sorting, searching, partitioning, clipping."""

from __future__ import annotations

import collections

import numpy as np
import torch

from torchtf.array_ops._indexing import where
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor, raw, sizes_of, to_axis, to_shape
from torchtf.core.derivative import without_gradient
from torchtf.core.dispatch import dispatched
from torchtf.core.indexed_slices import IndexedSlices
from torchtf.core.op import op
from torchtf.core.tensor import is_fake, wrap
from torchtf.math import divide, greater, is_finite, maximum, minimum, multiply, reduce_sum, sqrt

# -- sorting


def _direction(direction) -> bool:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(
            "Argument `direction` should be one of 'ASCENDING' or 'DESCENDING'. "
            f"Received: direction={direction}"
        )
    return direction == "DESCENDING"


def _sort_axis(values, axis):
    axis = to_axis(axis)
    if values.ndim and not -values.ndim <= axis < values.ndim:
        raise errors.InvalidArgumentError(
            None, None, f"axis {axis} is out of range for rank {values.ndim} [Op:Sort]"
        )
    return axis


@op("Sort", ordered=True)
def _sort(values: Real, axis, descending):
    return torch.sort(values, dim=axis, descending=descending, stable=True).values


@op("Argsort", ordered=True)
def _argsort(values: Real, axis, descending) -> Index:
    return torch.sort(values, dim=axis, descending=descending, stable=True).indices.to(torch.int32)


def sort(values, axis=-1, direction="ASCENDING", name=None):
    """Sorts along an axis (source: `tf.sort`).

    Args:
        values: a tensor of real numbers.
        axis: the axis.
        direction: "ASCENDING" or "DESCENDING".

    Raises:
        ValueError: if the direction is unknown.
    """
    descending, values = _direction(direction), convert_to_tensor(values)
    return _sort(values, _sort_axis(values, axis), descending, name)


def argsort(values, axis=-1, direction="ASCENDING", stable=False, name=None):
    """The int32 indices that sort along an axis (source: `tf.argsort`).

    Args:
        values: a tensor of real numbers.
        axis: the axis.
        direction: "ASCENDING" or "DESCENDING".
        stable: whether equal elements must keep their order; they always do.
    """
    descending, values = _direction(direction), convert_to_tensor(values)
    return _argsort(values, _sort_axis(values, axis), descending, name)


@op("UpperBound", ordered=True, coerce=False)
def _bound(sequence: Real, values: Real, right, to) -> Index:
    return torch.searchsorted(sequence.contiguous(), values.contiguous(), right=right).to(to)


def searchsorted(sorted_sequence, values, side="left", out_type=dtypes.int32, name=None):
    """Where values belong in sorted sequences (source: `tf.searchsorted`).

    Args:
        sorted_sequence: sequences along the last axis.
        values: values for each of the sequences along the last axis.
        side: "left", before equal elements, or "right", after them.
        out_type: int32 or int64.

    Raises:
        ValueError: if `side` is unknown.
        InvalidArgumentError: if the leading axes differ.
    """
    if side not in ("left", "right"):
        raise ValueError(f"Argument `side` must be either 'right' or 'left'. Received: {side}")
    to = dtypes.as_dtype(out_type).torch
    return _bound(sorted_sequence, values, side == "right", to, name)


# -- what occurs

Unique = collections.namedtuple("Unique", ["y", "idx"])
UniqueWithCounts = collections.namedtuple("UniqueWithCounts", ["y", "idx", "count"])


def _in_order_of_occurrence(x):
    """The different elements, where each element is among them, and how often each occurs."""
    if x.dim() != 1:
        raise errors.InvalidArgumentError(None, None, "unique expects a 1D vector.")
    found, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True)
    places = torch.arange(x.shape[0], device=x.device)
    first = torch.zeros_like(counts).scatter_reduce(0, inverse, places, "amin", include_self=False)
    order = torch.argsort(first)
    rank = torch.empty_like(order).scatter(0, order, torch.arange(order.shape[0], device=x.device))
    return found[order], rank[inverse], counts[order]


_of_unique = without_gradient("Unique")
_of_unique_with_counts = without_gradient("UniqueWithCounts")


@op("Unique")
def _unique(x: T, to) -> tuple[T, Index]:
    found, index, _ = _in_order_of_occurrence(x)
    return Unique(_of_unique(found), index.to(to))


@op("UniqueWithCounts")
def _unique_with_counts(x: T, to) -> tuple[T, Index, Index]:
    found, index, counts = _in_order_of_occurrence(x)
    return UniqueWithCounts(_of_unique_with_counts(found), index.to(to), counts.to(to))


def unique(x, out_idx=dtypes.int32, name=None):
    """The different elements of a vector, in the order in which they occur (source: `tf.unique`).

    Returns:
        A named tuple `y`, the elements, and `idx`, where each element of x is in y.

    Raises:
        InvalidArgumentError: if x is no vector.
    """
    return _unique(x, dtypes.as_dtype(out_idx).torch, name)


def unique_with_counts(x, out_idx=dtypes.int32, name=None):
    """The different elements of a vector and how often they occur
    (source: `tf.unique_with_counts`); see `unique`.
    """
    return _unique_with_counts(x, dtypes.as_dtype(out_idx).torch, name)


@op("HistogramFixedWidth")
def _histogram_bins(values: Counts, bounds: Counts, count, to) -> Index:
    if not is_fake(bounds) and not bool(bounds[0] < bounds[1]):
        raise errors.InvalidArgumentError(
            None, None, f"value_range should satisfy value_range[0] < value_range[1], {bounds}"
        )
    low, high = bounds.double().unbind(0)
    places = torch.floor((values.double() - low) / (high - low) * count)
    return places.clamp(0, count - 1).to(to)


def histogram_fixed_width_bins(values, value_range, nbins=100, dtype=dtypes.int32, name=None):
    """The bin that each value falls into (source: `tf.histogram_fixed_width_bins`).

    Args:
        values: a tensor of numbers.
        value_range: the ends of the first and last bin; what lies outside falls into these.
        nbins: the number of bins of equal width.
        dtype: int32 or int64.

    Raises:
        InvalidArgumentError: if the range is empty or `nbins` not positive.
    """
    (count,) = to_shape(nbins)
    if isinstance(count, int) and count <= 0:
        raise errors.InvalidArgumentError(
            None, None, f"nbins should be a positive number, but got {count}"
        )
    return _histogram_bins(values, value_range, count, dtypes.as_dtype(dtype).torch, name)


def histogram_fixed_width(values, value_range, nbins=100, dtype=dtypes.int32, name=None):
    """How many values fall into each bin (source: `tf.histogram_fixed_width`);
    see `histogram_fixed_width_bins`.
    """
    bins = raw(histogram_fixed_width_bins(values, value_range, nbins, dtypes.int64)).reshape(-1)
    to = dtypes.as_dtype(dtype).torch
    (count,) = to_shape(nbins)
    out = torch.zeros(count, dtype=to, device=bins.device)
    return wrap(out.index_add(0, bins, torch.ones_like(bins, dtype=to)))


# -- partitions


@op("DynamicPartition")
def _dynamic_partition(data: T, partitions: Int32, count) -> list[T]:
    ids = partitions.reshape(-1)
    if not is_fake(ids):
        if tuple(data.shape[: partitions.dim()]) != tuple(partitions.shape):
            raise errors.InvalidArgumentError(
                None, None,
                f"data.shape must start with partitions.shape, got data.shape = {list(data.shape)},"
                f" partitions.shape = {list(partitions.shape)}",
            )  # fmt: skip
        if ids.numel() and bool(((ids < 0) | (ids >= count)).any()):
            raise errors.InvalidArgumentError(None, None, f"partitions must be in [0, {count})")
    rows = data.reshape(-1, *data.shape[partitions.dim() :])
    return [rows.index_select(0, (ids == i).nonzero().squeeze(1)) for i in range(count)]


def dynamic_partition(data, partitions, num_partitions, name=None):
    """Splits data into as many tensors as there are partitions (source: `tf.dynamic_partition`).

    Args:
        data: a tensor.
        partitions: int32 numbers below `num_partitions`; its shape is the beginning of data's.
        num_partitions: the number of partitions.

    Returns:
        A list of tensors, each with the rows of one partition in order.
    """
    return _dynamic_partition(data, partitions, num_partitions, name)


@op("DynamicStitch")
def _dynamic_stitch(indices: list[Index], data: list[T], count) -> T:
    flat = torch.cat([i.reshape(-1) for i in indices]).to(torch.int64)
    rows = [
        d.flatten(0, i.dim() - 1) if i.dim() else d.unsqueeze(0)
        for i, d in zip(indices, data, strict=True)
    ]
    if count is None:
        if is_fake(flat):
            count = 0 if flat.numel() == 0 else (flat.max() + 1).item()
        else:
            count = int(flat.max()) + 1 if flat.numel() else 0
    rows = torch.cat(rows)
    out = torch.zeros((count, *rows.shape[1:]), dtype=rows.dtype, device=rows.device)
    return out.index_copy(0, flat, rows)


def dynamic_stitch(indices, data, name=None):
    """Puts the rows of several tensors into one, at indices (source: `tf.dynamic_stitch`).

    Args:
        indices: a list of int32 tensors; of rows with the same index the last one counts.
        data: a list of tensors, whose shapes begin with those of the indices.
    """
    indices = [convert_to_tensor(i) for i in indices]
    known = [sizes_of(i) for i in indices]
    count = None
    if all(k is not None for k in known):
        count = max((max(k.reshape(-1), default=-1) for k in known), default=-1) + 1
    return _dynamic_stitch(indices, list(data), count, name)


# -- clipping


@dispatched
def clip_by_value(t, clip_value_min, clip_value_max, name=None):
    """Values between a minimum and a maximum (source: `tf.clip_by_value`).

    Args:
        t: a tensor, or `IndexedSlices` whose values are clipped.
        clip_value_min, clip_value_max: numbers or tensors that broadcast to the shape of `t`.

    Raises:
        ValueError: if the bounds do not broadcast to that shape.
    """
    if isinstance(t, IndexedSlices):
        return t._with_values(clip_by_value(t.values, clip_value_min, clip_value_max, name))
    values = convert_to_tensor(t)
    clipped = maximum(minimum(values, clip_value_max), clip_value_min, name)
    if not clipped.shape.is_compatible_with(values.shape):
        raise ValueError(f"Shapes {values.shape} and {clipped.shape} are incompatible")
    return clipped


def clip_by_norm(t, clip_norm, axes=None, name=None):
    """Scales down what has a larger norm (source: `tf.clip_by_norm`).

    Args:
        t: a tensor, or `IndexedSlices` whose values are scaled.
        clip_norm: the greatest norm allowed.
        axes: the axes along which the norm is taken; all by default.
    """
    if isinstance(t, IndexedSlices):
        return t._with_values(clip_by_norm(t.values, clip_norm, axes, name))
    values = convert_to_tensor(t)
    total = reduce_sum(multiply(values, values), axes, True)
    positive = greater(total, 0)
    norm = where(positive, sqrt(where(positive, total, 1)), total)
    return divide(multiply(values, clip_norm), maximum(norm, clip_norm), name)


@op("L2Loss")
def _half_square(t: Float):
    return torch.sum(t * t) / 2


def global_norm(t_list, name=None):
    """The norm of all elements of several tensors together (source: `tf.linalg.global_norm`).

    Args:
        t_list: a list of tensors; None is skipped.

    Raises:
        TypeError: if it is no list.
    """
    if not isinstance(t_list, collections.abc.Sequence) or isinstance(t_list, str):
        raise TypeError(f"`t_list` should be a sequence of tensors. Received {type(t_list)}.")
    halves = [_half_square(getattr(t, "values", t)) for t in t_list if t is not None]
    if not halves:
        return convert_to_tensor(0.0)
    total = halves[0]
    for half in halves[1:]:
        total = total + half
    return sqrt(multiply(total, convert_to_tensor(2.0, dtype=total.dtype)), name)


def clip_by_global_norm(t_list, clip_norm, use_norm=None, name=None):
    """Scales several tensors down together (source: `tf.clip_by_global_norm`).

    Args:
        t_list: a list of tensors; None stays None.
        clip_norm: the greatest norm of all of them together.
        use_norm: that norm, if it is known already.

    Returns:
        A pair of the list of scaled tensors and the norm before. If it is not finite, the results
        are NaN.

    Raises:
        TypeError: if it is no list.
    """
    if not isinstance(t_list, collections.abc.Sequence) or isinstance(t_list, str):
        raise TypeError(f"`t_list` should be a sequence of tensors. Received {type(t_list)}.")
    norm = global_norm(t_list) if use_norm is None else convert_to_tensor(use_norm)
    one = convert_to_tensor(1.0, dtype=norm.dtype)
    limit = convert_to_tensor(clip_norm, dtype=norm.dtype)
    scale = multiply(limit, minimum(divide(one, norm), divide(one, limit)))
    scale = where(is_finite(norm), scale, convert_to_tensor(np.nan, dtype=norm.dtype))
    return [None if t is None else _scaled(t, scale) for t in t_list], norm


def _scaled(t, scale):
    if isinstance(t, IndexedSlices):
        return t._with_values(multiply(t.values, scale))
    return multiply(convert_to_tensor(t), scale)
