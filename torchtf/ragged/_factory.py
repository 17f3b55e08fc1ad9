"""`tf.ragged.*`: functions that make ragged tensors."""

from __future__ import annotations

import builtins
import itertools

import numpy as np
import torch

from torchtf import array_ops
from torchtf.core import dtypes, hashing
from torchtf.core.convert import convert_to_tensor, to_torch
from torchtf.core.host_op import host_op, object_array
from torchtf.core.tensor import is_fake, wrap
from torchtf.ragged import _partition as part
from torchtf.ragged._getitem import gather
from torchtf.ragged._join import stack
from torchtf.ragged._partition import index_vector, invalid
from torchtf.ragged._tensor import RaggedTensor, convert, size_of

# -- from Python values


def constant(
    pylist, dtype=None, ragged_rank=None, inner_shape=None, name=None,
    row_splits_dtype=dtypes.int64,
):  # fmt: skip
    """A ragged tensor of nested lists (source: `tf.ragged.constant`).

    Args:
        pylist: nested lists, tuples or arrays.
        dtype: the type of the values; by default as `tf.constant` chooses.
        ragged_rank: the number of ragged axes; by default all but the innermost.
        inner_shape: the sizes of the inner axes, which are not ragged.
        name: a name for the op.
        row_splits_dtype: int32 or int64.

    Returns:
        A `RaggedTensor`, or a tensor if no axis is ragged.

    Raises:
        ValueError: if scalars are nested at different depths, or the lists do not fit the axes.
    """
    if isinstance(pylist, RaggedTensor):
        raise TypeError("pylist may not be a RaggedTensor or RaggedTensorValue.")
    pylist = _plain(pylist)
    if not isinstance(pylist, (list, tuple)):
        if ragged_rank:
            raise ValueError(
                f"Invalid pylist={pylist!r}: incompatible with ragged_rank={ragged_rank}"
            )
        if inner_shape:
            raise ValueError(
                f"Invalid pylist={pylist!r}: incompatible with dim(inner_shape)={len(inner_shape)}"
            )
        return convert_to_tensor(pylist, dtype)
    depths: set[int] = set()
    depth = _depths(pylist, 1, depths)
    if len(depths) > 1:
        raise ValueError("all scalar values must have the same nesting depth")
    if depths and next(iter(depths)) < depth:
        raise ValueError(
            f"Invalid pylist={pylist}: empty list nesting is greater than scalar value nesting"
        )
    if inner_shape is not None:
        inner_shape = tuple(inner_shape)
        if ragged_rank is None:
            ragged_rank = max(0, depth - 1 - len(inner_shape))
        elif depths and depth != 1 + ragged_rank + len(inner_shape):
            raise ValueError(
                f"Invalid pylist={pylist}: incompatible with ragged_rank={ragged_rank} and "
                f"dim(inner_shape)={len(inner_shape)}"
            )
    elif ragged_rank is None:
        ragged_rank, inner_shape = max(0, depth - 1), ()
    if depths and depth <= ragged_rank:
        raise ValueError(
            f"Invalid pylist={pylist}, max depth smaller than ragged_rank={ragged_rank}"
        )
    splits_type = dtypes.as_dtype(row_splits_dtype).torch
    rows, partitions = pylist, []
    for _ in builtins.range(ragged_rank):
        lengths = torch.tensor([len(row) for row in rows], dtype=splits_type)
        partitions.append(part.splits_of(lengths))
        rows = [item for row in rows for item in row]
    values = _inner_values(rows, inner_shape, depth - ragged_rank, dtype)
    for splits in reversed(partitions):
        values = RaggedTensor._of(values, splits)
    return values


def _inner_values(rows, inner_shape, depth, dtype):
    if not rows and dtype is None:
        dtype = dtypes.float32
    values = convert_to_tensor(rows, dtype)
    if inner_shape is None:
        if not rows and depth > 1:
            values = array_ops.reshape(values, [0] + [0] * (depth - 1))
        return values
    sizes = (-1 if rows else 0, *inner_shape)
    if rows and values.shape[1:] != list(inner_shape):
        raise ValueError(f"inner_shape={inner_shape} does not fit the values")
    return array_ops.reshape(values, sizes)


def _plain(value):
    """Arrays in nested lists as lists; integers of NumPy as Python's."""
    if isinstance(value, np.ndarray):
        return _plain(list(value)) if value.ndim else _plain(value[()])
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def _depths(value, depth, scalars: set[int]) -> int:
    """The depth of the nesting; adds that of each scalar to `scalars`."""
    deepest = depth
    for item in value:
        if isinstance(item, (list, tuple)):
            deepest = max(deepest, _depths(item, depth + 1, scalars))
        else:
            scalars.add(depth)
    return deepest


def range(
    starts, limits=None, deltas=1, dtype=None, name=None, row_splits_dtype=dtypes.int64
) -> RaggedTensor:
    """Rows that count from starts to limits (source: `tf.ragged.range`).

    Args:
        starts: a vector or scalar; the limits, with starts 0, if `limits` is None.
        limits: where rows end, exclusively.
        deltas: the steps.
        dtype: the type of the values.
        name: a name for the op.
        row_splits_dtype: int32 or int64.

    Raises:
        InvalidArgumentError: for a step of 0, or vectors of different lengths.
    """
    if limits is None:
        starts, limits = 0, starts
    given = [starts, limits, deltas]
    if dtype is None:
        dtype = _common_type(given)
    parts = [to_torch(x, None, dtypes.as_dtype(dtype).torch) for x in given]
    parts = [p.to(dtypes.as_dtype(dtype).torch) for p in parts]
    sizes = [p.shape[0] for p in parts if p.dim()]
    if len({s for s in sizes if isinstance(s, int)}) > 1:
        raise invalid("starts, limits, and deltas must have the same shape [Op:RaggedRange] name: ")
    count = sizes[0] if sizes else 1
    start, limit, delta = (p.expand(count) for p in parts)
    if not is_fake(delta) and (delta == 0).any():
        raise invalid("Requires delta != 0 [Op:RaggedRange] name: ")
    distance = limit - start
    if start.dtype.is_floating_point:
        counts = torch.ceil(distance / delta)
    else:
        up = torch.where(delta > 0, distance + delta - 1, distance + delta + 1)
        counts = torch.div(up, delta, rounding_mode="trunc")
    going = torch.where(delta > 0, distance > 0, distance < 0)
    counts = torch.where(going, counts, 0).to(dtypes.as_dtype(row_splits_dtype).torch)
    splits = part.splits_of(counts)
    rowids = part.rowids_of(splits)
    offsets = part.offsets_of(splits, rowids).to(start.dtype)
    return RaggedTensor._of(wrap(start[rowids] + offsets * delta[rowids]), splits)


_ORDER = (dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64)


def _common_type(values):
    types = {convert_to_tensor(v).dtype for v in values}
    return max(types, key=lambda d: _ORDER.index(d) if d in _ORDER else -1)


# -- partitions


def row_splits_to_segment_ids(splits, name=None, out_type=None):
    """The row of each value (source: `tf.ragged.row_splits_to_segment_ids`)."""
    splits = index_vector(splits, "splits")
    if splits.shape[0] == 0:
        raise ValueError("Invalid row_splits: []")
    rowids = part.rowids_of(splits)
    return wrap(rowids if out_type is None else rowids.to(dtypes.as_dtype(out_type).torch))


def segment_ids_to_row_splits(segment_ids, num_segments=None, out_type=None, name=None):
    """The splits of sorted row ids (source: `tf.ragged.segment_ids_to_row_splits`).

    Args:
        segment_ids: ascending integers.
        num_segments: the number of rows; the last id + 1 by default.
        out_type: int32 or int64; int64 by default, int32 for int32 ids.
    """
    listed = isinstance(segment_ids, (list, tuple))
    ids = index_vector(segment_ids, "segment_ids")
    if num_segments is None:
        count = part.number(ids.max()) + 1 if ids.shape[0] else 0
    else:
        count = part.number(num_segments)
    if out_type is None:
        dtype = torch.int64 if listed else ids.dtype
    else:
        dtype = dtypes.as_dtype(out_type).torch
    if not is_fake(ids) and ids.numel():
        count = max(count, int(ids.max()) + 1)
    return wrap(part.splits_of(part.counts_of(ids, count).to(dtype)))


def stack_dynamic_partitions(data, partitions, num_partitions, name=None) -> RaggedTensor:
    """Sorts the slices of `data` into rows by partition number.

    Source: `tf.ragged.stack_dynamic_partitions`.

    Args:
        data: a tensor or ragged tensor.
        partitions: an integer for each slice; its shape is a prefix of that of `data`.
        num_partitions: the number of rows.

    Raises:
        InvalidArgumentError: if a number is out of range.
    """
    data, partitions = convert(data), convert(partitions)
    while partitions.shape.rank > 1:
        if isinstance(partitions, RaggedTensor):
            part.assert_same(data._splits, partitions._splits)
            data, partitions = data.values, partitions.values
        else:
            data = merge_first(data, partitions.shape.rank)
            partitions = array_ops.reshape(partitions, [-1])
    if partitions.shape.rank == 0:
        data = array_ops.expand_dims(data, 0)
        partitions = array_ops.reshape(partitions, [1])
    given = to_torch(partitions)
    numbers = given.to(torch.int64)
    count = part.number(num_partitions)
    if numbers.numel() and not is_fake(numbers):
        if int(numbers.max()) >= count:
            raise invalid(
                "partitions must be less than num_partitions\nCondition x < y did not hold."
            )
        if int(numbers.min()) < 0:
            raise invalid("partitions must be non-negative")
    order = torch.argsort(numbers, stable=True)
    splits = part.splits_of(part.counts_of(numbers, count).to(given.dtype))
    return RaggedTensor._of(gather(data, order), splits)


def merge_first(value, axes: int):
    """Joins the first `axes` axes."""
    from torchtf.ragged._tensor import merge_dims

    return merge_dims(value, 0, axes - 1)


# -- masks and maps


def boolean_mask(data, mask, name=None):
    """The values where the mask is True, rows kept (source: `tf.ragged.boolean_mask`).

    Args:
        data: a tensor or ragged tensor.
        mask: booleans; a tensor or ragged tensor whose shape is a prefix of that of `data`.

    Raises:
        ValueError: if the mask is a scalar or its shape does not fit.
    """
    data = convert(data)
    mask = convert(mask, None if isinstance(mask, RaggedTensor) else dtypes.bool_)
    if mask.shape.rank == 0:
        raise ValueError("mask cannot be scalar.")
    if not isinstance(mask, RaggedTensor):
        if mask.shape.rank == 1:
            have, want = size_of(data), mask._data.shape[0]
            if isinstance(have, int) and isinstance(want, int) and have != want:
                raise ValueError(f"Shapes ({have},) and ({want},) are incompatible")
            return gather(data, mask._data.nonzero().squeeze(1))
        mask = RaggedTensor.from_tensor(mask, ragged_rank=mask.shape.rank - 1)
    if not isinstance(data, RaggedTensor):
        data = RaggedTensor.from_tensor(data, ragged_rank=mask.ragged_rank)
    part.assert_same(data._splits, mask._splits)
    kept = boolean_mask(data.values, mask.values)
    if isinstance(mask.values, RaggedTensor):
        return RaggedTensor._of(kept, data._splits)
    counted = torch.cat([data._splits.new_zeros(1), mask.values._data.cumsum(0)])
    return RaggedTensor._of(kept, counted.to(data._splits.dtype)[mask._splits])


def map_flat_values(op, *args, **kwargs):
    """Applies `op` to the flat values of ragged tensors (source: `tf.ragged.map_flat_values`).

    Args:
        op: takes the flat values where ragged tensors are given; keeps the outermost size.
        *args: arguments for `op`; the ragged ones must have the same rows.
        **kwargs: keyword arguments for `op`.

    Raises:
        InvalidArgumentError: if rows differ.
        ValueError: if `op` changes the number of values.
    """
    ragged: list[RaggedTensor] = []

    def strip(value):
        if isinstance(value, RaggedTensor):
            ragged.append(value)
            return value.flat_values
        if isinstance(value, (list, tuple)):
            return type(value)(map(strip, value))
        return value

    flat_args = [strip(a) for a in args]
    flat_kwargs = {k: strip(v) for k, v in kwargs.items()}
    if not ragged:
        return op(*args, **kwargs)
    first = ragged[0]
    for other in ragged[1:]:
        for a, b in zip(first._partitions, other._partitions, strict=False):
            part.assert_same(a, b)
    result = convert(op(*flat_args, **flat_kwargs))
    want = size_of(first.flat_values)
    if isinstance(want, int) and (result.shape.rank == 0 or result.shape[0] not in (None, want)):
        raise ValueError(
            "tf.ragged.map_flat_values requires that the output of `op` have the same "
            f"outer-dimension size as flat_values of any ragged inputs. (output shape: "
            f"{result.shape}; expected outer dimension size: {want})"
        )
    return first.with_flat_values(result)


# -- crosses

_DEFAULT_KEY = 0xDECAFCAFFE


def _cross_sizes(columns, splits, *rest):
    return [None], [next((s.shape[0] for s in splits if isinstance(s.shape[0], int)), None)]


@host_op("RaggedCross", out=("kind", "int64"), shape=_cross_sizes)
def _cross(columns: list[T], splits: list[Index], kind, num_buckets, key):
    hashed = kind is dtypes.int64
    rows = len(splits[0]) - 1
    if any(len(s) - 1 != rows for s in splits):
        raise invalid("inputs must all have the same outer dimension size")
    if hashed:
        features = [
            hashing.fingerprint64(c) if c.dtype == object else c.astype(np.uint64) for c in columns
        ]
    else:
        features = [
            c if c.dtype == object else np.array([str(x).encode() for x in c], dtype=object)
            for c in columns
        ]
    out, lengths = [], []
    for row in builtins.range(rows):
        cells = [f[s[row] : s[row + 1]] for f, s in zip(features, splits, strict=True)]
        combined = list(itertools.product(*cells))
        lengths.append(len(combined))
        out += combined
    ends = np.cumsum([0, *lengths], dtype=np.int64)
    if not hashed:
        return object_array([b"_X_".join(c) for c in out]), ends
    result = np.full(len(out), np.uint64(key))
    for i in builtins.range(len(features)):
        column = np.array([c[i] for c in out], dtype=np.uint64)
        result = hashing.fingerprint_cat(result, column)
    return (result % np.uint64(num_buckets or 2**63 - 1)).astype(np.int64), ends


def _crossed(inputs, hashed, num_buckets, key, name):
    from torchtf.sparse import SparseTensor

    if not isinstance(inputs, (list, tuple)):
        raise TypeError("Inputs must be a list")
    rows = []
    for value in inputs:
        if isinstance(value, SparseTensor):
            value = RaggedTensor.from_sparse(value)
        elif not isinstance(value, RaggedTensor):
            value = RaggedTensor.from_tensor(value)
        rows.append(value)
    kind = dtypes.int64 if hashed else dtypes.string
    values, splits = _cross(
        [r.flat_values for r in rows], [r.row_splits for r in rows], kind, num_buckets, key, name
    )
    return RaggedTensor.from_row_splits(values, splits, validate=False)


def cross(inputs, name=None) -> RaggedTensor:
    """The feature cross of rows, as strings (source: `tf.ragged.cross`).

    Args:
        inputs: ragged, sparse or plain matrices with equally many rows.
    """
    return _crossed(inputs, False, 0, 0, name)


def cross_hashed(inputs, num_buckets=0, hash_key=None, name=None) -> RaggedTensor:
    """The feature cross of rows, hashed to int64 (source: `tf.ragged.cross_hashed`).

    Args:
        inputs: ragged, sparse or plain matrices with equally many rows.
        num_buckets: hashes are taken modulo this; 0 for all of int64.
        hash_key: the first value that hashes are combined with.
    """
    key = _DEFAULT_KEY if hash_key is None else hash_key
    return _crossed(inputs, True, num_buckets, key, name)


__all__ = [
    "boolean_mask", "constant", "cross", "cross_hashed", "map_flat_values",
    "range", "row_splits_to_segment_ids", "segment_ids_to_row_splits", "stack",
    "stack_dynamic_partitions",
]  # fmt: skip
