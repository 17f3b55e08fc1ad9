"""`tf.sparse.*`: operations on sparse tensors, as index arithmetic and scatters in torch."""

from __future__ import annotations

import itertools
import math as _math

import numpy as np
import torch

from torchtf import array_ops
from torchtf.core import dtypes, errors, hashing
from torchtf.core.convert import convert_to_tensor, to_axis, to_shape, to_torch
from torchtf.core.host_op import host_op, object_array
from torchtf.core.op import op
from torchtf.core.tensor import is_fake, is_tensor_type, wrap
from torchtf.ragged._partition import counts_of, number, take
from torchtf.sparse._tensor import SparseTensor


def _invalid(message: str, op_name: str) -> errors.InvalidArgumentError:
    return errors.of_kernel(op_name, message)


def _sparse(value) -> SparseTensor:
    if isinstance(value, SparseTensor):
        return value
    if all(hasattr(value, n) for n in ("indices", "values", "dense_shape")):
        return SparseTensor.from_value(value)
    raise TypeError("Input must be a SparseTensor.")


def _sizes(sp) -> list[int]:
    """The sizes, as far as they are known; while tracing, the others are symbolic."""
    static = sp.shape
    if static.is_fully_defined():
        return list(static)
    found = to_torch(sp.dense_shape).tolist()
    known = static if static.rank is not None else [None] * len(found)
    return [f if k is None else k for f, k in zip(found, known, strict=True)]


def _size_vector(sizes: list) -> torch.Tensor:
    """Sizes, which may be symbolic, as an int64 vector."""
    return to_torch(convert_to_tensor(sizes, dtype=dtypes.int64))


def _make(indices: torch.Tensor, values, shape) -> SparseTensor:
    values = wrap(values) if isinstance(values, torch.Tensor) else values
    if isinstance(shape, list):
        shape = convert_to_tensor(shape, dtype=dtypes.int64)
    return SparseTensor(wrap(indices), values, shape)


def _flat(indices: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """Indices as numbers in row-major order."""
    flat = torch.zeros(indices.shape[0], dtype=torch.int64, device=indices.device)
    for axis, size in enumerate(sizes):
        flat = flat * size + indices[:, axis]
    return flat


def _unflat(flat: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    columns = []
    for size in reversed(sizes):
        columns.append(flat % size)
        flat = torch.div(flat, size, rounding_mode="floor")
    if not columns:
        return flat.new_zeros((flat.shape[0], 0))
    return torch.stack(columns[::-1], 1)


def _text(sizes) -> str:
    return str(list(sizes)).replace(" ", "")


def _check_axis(axis: int, rank: int, message: str, op_name: str) -> int:
    if not -rank <= axis < rank:
        raise _invalid(message, op_name)
    return axis % rank


# -- to and from dense


def from_dense(tensor, name=None) -> SparseTensor:
    """The elements that are not 0 or "" (source: `tf.sparse.from_dense`).

    Raises:
        InvalidArgumentError: for a scalar.
    """
    from torchtf import math

    tensor = convert_to_tensor(tensor)
    if tensor.shape.rank == 0:
        raise _invalid("WhereOp : Unhandled input dimensions: 0", "Where")
    present = math.not_equal(tensor, array_ops.zeros_like(tensor))._data
    indices = present.nonzero()
    values = take(array_ops.reshape(tensor, [-1]), wrap(_flat(indices, list(present.shape))))
    return _make(indices, values, array_ops.shape(tensor, out_type=dtypes.int64))


@op("SparseToDense")
def _scatter(flat: Index, values: T, default: T, size):
    base = default.expand(size).clone()
    return base.index_put((flat,), values)


def _check_order(sp, op_name="SparseToDense"):
    """Raises unless indices are in bounds, in order and not repeated."""
    indices, sizes = to_torch(sp.indices), _sizes(sp)
    if is_fake(indices) or not indices.shape[0]:
        return
    shape = _size_vector(sizes)
    outside = ((indices < 0) | (indices >= shape)).any(1)
    if outside.any():
        i = int(outside.nonzero()[0])
        raise _invalid(
            f"indices[{i}] = {_text(indices[i].tolist())} is out of bounds: need 0 <= index < "
            f"{_text(sizes)}", op_name,
        )  # fmt: skip
    flat = _flat(indices, sizes)
    bad = (flat[1:] <= flat[:-1]).nonzero()
    if bad.numel():
        i = int(bad[0]) + 1
        where = f"indices[{i}] = {_text(indices[i].tolist())}"
        if flat[i] == flat[i - 1]:
            raise _invalid(f"{where} is repeated", op_name)
        raise _invalid(
            f"{where} is out of order. Many sparse ops require sorted indices.\n    Use "
            "`tf.sparse.reorder` to create a correctly ordered copy.\n\n", op_name,
        )  # fmt: skip


def to_dense(sp_input, default_value=None, validate_indices=True, name=None):
    """A dense tensor (source: `tf.sparse.to_dense`).

    Args:
        sp_input: a sparse tensor.
        default_value: what goes elsewhere; 0 or "" by default.
        validate_indices: whether the order of the indices is checked.

    Raises:
        InvalidArgumentError: if an index is out of bounds, out of order or repeated.
        TypeError: if `sp_input` is no sparse tensor.
    """
    sp = _sparse(sp_input)
    if validate_indices:
        _check_order(sp)
    if default_value is None:
        default_value = array_ops.zeros([], sp.dtype)
    default = convert_to_tensor(default_value, dtype=sp.dtype)
    sizes = [s if isinstance(s, int) else None for s in sp.shape]
    if None in sizes:  # what is known while tracing stays known
        sizes = [n if s is None else s for s, n in zip(sizes, _sizes(sp), strict=True)]
    flat = wrap(_flat(to_torch(sp.indices), sizes))
    dense = _scatter(flat, sp.values, default, _math.prod(sizes))
    return array_ops.reshape(dense, sizes)


def to_indicator(sp_input, vocab_size, name=None):
    """Booleans that tell which ids each row holds (source: `tf.sparse.to_indicator`)."""
    sp = _sparse(sp_input)
    *outer, _ = _sizes(sp)
    sizes = [*outer, number(vocab_size)]
    ids = to_torch(sp.values).to(torch.int64)
    if not is_fake(ids) and ids.numel() and (ids.min() < 0 or ids.max() >= sizes[-1]):
        raise _invalid(
            f"Indices are not valid (out of bounds).  Shape: {_text(sizes)}", "SparseToDense"
        )
    indices = torch.cat([to_torch(sp.indices)[:, :-1], ids[:, None]], 1)
    result = torch.zeros(_math.prod(sizes), dtype=torch.bool)
    result[_flat(indices, sizes)] = True
    return wrap(result.reshape(sizes))


def eye(num_rows, num_columns=None, dtype=dtypes.float32, name=None) -> SparseTensor:
    """A sparse identity matrix (source: `tf.sparse.eye`)."""
    rows = number(num_rows)
    columns = rows if num_columns is None else number(num_columns)
    diagonal = torch.arange(min(rows, columns))
    ones = torch.ones(diagonal.shape[0], dtype=dtypes.as_dtype(dtype).torch)
    return _make(torch.stack([diagonal, diagonal], 1), ones, [rows, columns])


# -- places


def reorder(sp_input, name=None) -> SparseTensor:
    """Indices in row-major order (source: `tf.sparse.reorder`)."""
    sp = _sparse(sp_input)
    indices = to_torch(sp.indices)
    order = torch.argsort(_flat(indices, _sizes(sp)), stable=True)
    return _make(indices[order], take(sp.values, wrap(order)), sp.dense_shape)


def retain(sp_input, to_retain) -> SparseTensor:
    """Only the elements where `to_retain` is True (source: `tf.sparse.retain`)."""
    sp = _sparse(sp_input)
    keep = to_torch(to_retain)
    have, want = keep.shape[0], sp.values.shape[0]
    if want is not None and have != want:
        raise ValueError(f"Dimensions {want} and {have} are not compatible")
    where = keep.nonzero().squeeze(1)
    return _make(to_torch(sp.indices)[where], take(sp.values, wrap(where)), sp.dense_shape)


def reset_shape(sp_input, new_shape=None) -> SparseTensor:
    """The same elements in another box; the smallest by default (source: `tf.sparse.reset_shape`).

    Raises:
        ValueError: if the new shape is smaller or has another rank.
    """
    sp = _sparse(sp_input)
    sizes = _sizes(sp)
    if new_shape is None:
        indices = to_torch(sp.indices)
        new = (indices.amax(0) + 1).tolist() if indices.shape[0] else [0] * len(sizes)
    else:
        new = to_torch(new_shape).tolist()
        if len(new) != len(sizes):
            raise ValueError(f"Dimensions {len(new)} and {len(sizes)} are not compatible")
        if any(n < s for n, s in zip(new, sizes, strict=True)):
            raise ValueError(
                "Requested new_shape should have dimension sizes >= sp_input.shape.  Found "
                f"new_shape ({sizes}), sp_input.shape ({new})."
            )
    return _make(to_torch(sp.indices), sp.values, new)


def reshape(sp_input, shape, name=None) -> SparseTensor:
    """Other sizes for the same elements; one may be -1 (source: `tf.sparse.reshape`).

    Raises:
        InvalidArgumentError: if the number of elements differs.
    """
    sp = _sparse(sp_input)
    sizes, new = _sizes(sp), to_shape(shape)
    total = _math.prod(sizes)
    known = _math.prod(s for s in new if not (isinstance(s, int) and s == -1))
    open_size = not isinstance(total, int) or not isinstance(known, int)
    described = f"input_shape={_text(sizes)} output_shape="
    if any(isinstance(s, int) and s == -1 for s in new):
        if not open_size and known and total % known:
            text = _text([total // known // 2 or 1 if s == -1 else s for s in new])
            raise _invalid(
                f"Input to reshape is a SparseTensor with {total} dense values, but the requested "
                f"shape requires a multiple of {known}. {described}{text}", "SparseReshape",
            )  # fmt: skip
        new = [total // known if isinstance(s, int) and s == -1 else s for s in new]
    elif not open_size and known != total:
        raise _invalid(
            f"Input to reshape is a tensor with {total} dense values, but the requested shape has "
            f"{known}. {described}{_text(new)}", "SparseReshape",
        )  # fmt: skip
    indices = _unflat(_flat(to_torch(sp.indices), sizes), new)
    return _make(indices, sp.values, new)


def expand_dims(sp_input, axis=None, name=None) -> SparseTensor:
    """Inserts an axis of size 1; the last by default (source: `tf.sparse.expand_dims`)."""
    sp = _sparse(sp_input)
    sizes = _sizes(sp)
    rank = len(sizes)
    axis = -1 if axis is None else to_axis(axis)
    if not -rank - 1 <= axis <= rank:
        raise _invalid(f"Expected size[1] in [0, {rank}], but got {axis}", "Slice")
    axis = axis % (rank + 1)
    indices = to_torch(sp.indices)
    zeros = indices.new_zeros((indices.shape[0], 1))
    indices = torch.cat([indices[:, :axis], zeros, indices[:, axis:]], 1)
    return _make(indices, sp.values, [*sizes[:axis], 1, *sizes[axis:]])


def transpose(sp_input, perm=None, name=None) -> SparseTensor:
    """Permutes the axes, reversed by default (source: `tf.sparse.transpose`)."""
    sp = _sparse(sp_input)
    sizes = _sizes(sp)
    perm = list(reversed(range(len(sizes)))) if perm is None else to_axis(perm)
    if len(perm) != len(sizes):
        raise ValueError(f"Dimensions {len(perm)} and {len(sizes)} are not compatible")
    return reorder(_make(to_torch(sp.indices)[:, perm], sp.values, [sizes[p] for p in perm]))


def slice(sp_input, start, size, name=None) -> SparseTensor:
    """The elements in a box, moved to its origin (source: `tf.sparse.slice`)."""
    sp = _sparse(sp_input)
    sizes, begin, extent = _sizes(sp), to_torch(start), to_torch(size)
    for vector, what in ((begin, "start"), (extent, "size")):
        if vector.shape[0] != len(sizes):
            raise _invalid(
                f"Expected {what} to be a vector of length {len(sizes)} but got length "
                f"{vector.shape[0]}", "SparseSlice",
            )  # fmt: skip
    begin, extent, shape = begin.long(), extent.long(), _size_vector(sizes)
    extent = torch.minimum(extent, (shape - begin).clamp(min=0))
    indices = to_torch(sp.indices)
    inside = ((indices >= begin) & (indices < begin + extent)).all(1).nonzero().squeeze(1)
    return _make(indices[inside] - begin, take(sp.values, wrap(inside)), extent.tolist())


def split(sp_input=None, num_split=None, axis=None, name=None) -> list[SparseTensor]:
    """Splits along an axis; the first parts are longer by one (source: `tf.sparse.split`)."""
    if num_split is None or axis is None or sp_input is None:
        raise ValueError("tf.sparse.split needs sp_input, num_split and axis")
    sp = _sparse(sp_input)
    sizes = _sizes(sp)
    axis = to_axis(axis)
    axis = _check_axis(
        axis, len(sizes),
        f"Input axis should be in range [-{len(sizes)}, {len(sizes)}), got {axis}",
        "SparseSplit",
    )  # fmt: skip
    length = sizes[axis]
    if not 1 <= num_split <= length:
        raise _invalid(
            "Input num_split should be between 1 and the splitting dimension size "
            f"({length}), got {num_split}", "SparseSplit",
        )  # fmt: skip
    parts, begin = [], 0
    for i in range(num_split):
        extent = (length + num_split - 1 - i) // num_split
        start = [begin if a == axis else 0 for a in range(len(sizes))]
        size = [extent if a == axis else s for a, s in enumerate(sizes)]
        parts.append(slice(sp, start, size))
        begin += extent
    return parts


def concat(axis, sp_inputs, expand_nonconcat_dims=False, name=None) -> SparseTensor:
    """Joins along an axis (source: `tf.sparse.concat`).

    Args:
        axis: the axis.
        sp_inputs: sparse tensors of one rank.
        expand_nonconcat_dims: whether other sizes may differ; the largest is taken.

    Raises:
        InvalidArgumentError: if sizes differ or the axis is out of range.
    """
    inputs = [
        _sparse(x) for x in ([sp_inputs] if isinstance(sp_inputs, SparseTensor) else sp_inputs)
    ]
    if len(inputs) == 1:
        return inputs[0]
    shapes = [_sizes(x) for x in inputs]
    rank = len(shapes[0])
    axis = to_axis(axis)
    axis = _check_axis(
        axis, rank, f"Concat dimension must be in range [-{rank}, {rank}), got {axis}",
        "SparseConcat",
    )  # fmt: skip
    if expand_nonconcat_dims:
        largest = [max(s[a] for s in shapes) for a in range(rank)]
        shapes = [[s[a] if a == axis else largest[a] for a in range(rank)] for s in shapes]
    for position, shape in enumerate(shapes[1:], 1):
        for a in range(rank):
            if a != axis and shape[a] != shapes[0][a]:
                raise _invalid(
                    f"Input shapes must match: expected {shapes[0][a]} for dimension {a} but got "
                    f"{shape[a]} at position {position}", "SparseConcat",
                )  # fmt: skip
    moved, offset = [], 0
    for x, shape in zip(inputs, shapes, strict=True):
        indices = to_torch(x.indices).clone()
        indices[:, axis] += offset
        offset += shape[axis]
        moved.append(indices)
    total = [offset if a == axis else s for a, s in enumerate(shapes[0])]
    values = array_ops.concat([x.values for x in inputs], 0)
    return reorder(_make(torch.cat(moved), values, total))


def fill_empty_rows(sp_input, default_value, name=None):
    """Gives each row without elements one at column 0 (source: `tf.sparse.fill_empty_rows`).

    Returns:
        The sparse tensor, and booleans that tell which rows were empty.
    """
    sp = _sparse(sp_input)
    default = convert_to_tensor(default_value, dtype=sp.dtype)
    sizes, indices = _sizes(sp), to_torch(sp.indices)
    present = torch.zeros(sizes[0], dtype=torch.bool)
    present[indices[:, 0]] = True
    empty = (~present).nonzero().squeeze(1)
    added = torch.zeros((empty.shape[0], len(sizes)), dtype=torch.int64)
    added[:, 0] = empty
    every = torch.cat([indices, added])
    values = array_ops.concat(
        [sp.values, array_ops.broadcast_to(array_ops.reshape(default, [1]), [empty.shape[0]])], 0
    )
    order = torch.argsort(every[:, 0], stable=True)
    filled = _make(every[order], take(values, wrap(order)), sp.dense_shape)
    return filled, wrap(~present)


def mask(a, mask_indices, name=None):
    """The slices whose index is not in `mask_indices` (source: `tf.sparse.mask`).

    Args:
        a: `tf.IndexedSlices`.
        mask_indices: the indices to leave out.
    """
    kept = (~torch.isin(to_torch(a.indices), to_torch(mask_indices))).nonzero().squeeze(1)
    return type(a)(
        take(convert_to_tensor(a.values), wrap(kept)), wrap(to_torch(a.indices)[kept]),
        a.dense_shape,
    )  # fmt: skip


# -- values


def map_values(op, *args, **kwargs) -> SparseTensor:
    """Applies `op` to the values of sparse tensors (source: `tf.sparse.map_values`).

    Raises:
        ValueError: if there is no sparse tensor.
        InvalidArgumentError: if their indices differ.
    """
    found = [a for a in [*args, *kwargs.values()] if isinstance(a, SparseTensor)]
    if not found:
        raise ValueError("No SparseTensor in argument list of map_values")
    first = found[0]
    for other in found[1:]:
        mine, theirs = to_torch(first.indices), to_torch(other.indices)
        if not is_fake(mine) and not torch.equal(mine, theirs):
            raise errors.InvalidArgumentError(None, None, "Mismatched indices!")

    def strip(value):
        return value.values if isinstance(value, SparseTensor) else value

    result = op(*map(strip, args), **{k: strip(v) for k, v in kwargs.items()})
    return first.with_values(result)


def _same_type(a, b, op_name):
    if a.dtype is not b.dtype:
        from torchtf.core.convert import KERNEL_NAMES

        expected, found = (KERNEL_NAMES[x.dtype.torch] for x in (a, b))
        raise _invalid(
            f"cannot compute {op_name} as input #4(zero-based) was expected to be a {expected} "
            f"tensor but is a {found} tensor", op_name,
        )  # fmt: skip


def _union(a: SparseTensor, b: SparseTensor, op_name: str):
    """The values of both at the union of their places, and which places both have."""
    _same_type(a, b, op_name)
    sizes, other = _sizes(a), _sizes(b)
    for axis, (x, y) in enumerate(zip(sizes, other, strict=len(sizes) == len(other))):
        if x != y:
            raise _invalid(
                f"Operands' shapes do not match: got {x} and {y} for dimension {axis}", op_name
            )
    places = torch.cat([_flat(to_torch(x.indices), sizes) for x in (a, b)])
    union, inverse = torch.unique(places, return_inverse=True)
    count = a.values._data.shape[0]

    def spread(values, where):
        data = to_torch(values)
        return torch.zeros(union.shape[0], dtype=data.dtype).index_add(0, where, data)

    left, right = spread(a.values, inverse[:count]), spread(b.values, inverse[count:])
    shared = torch.bincount(inverse, minlength=union.shape[0]) > 1
    return _unflat(union, sizes), left, right, shared


def add(a, b, threshold=0):
    """A + b, where at least one is sparse (source: `tf.sparse.add`).

    Args:
        a, b: sparse tensors, or a sparse and a dense one.
        threshold: sums of two elements below it in magnitude are left out.

    Returns:
        A sparse tensor of two sparse ones, else a dense tensor.
    """
    sparse = [isinstance(x, SparseTensor) for x in (a, b)]
    if not any(sparse):
        raise TypeError("At least one input should be SparseTensor; do you mean to use tf.add()?")
    if all(sparse):
        indices, left, right, shared = _union(a, b, "SparseAdd")
        total = left + right
        keep = (~shared | (total.abs() >= to_torch(threshold))).nonzero().squeeze(1)
        return _make(indices[keep], total[keep], a.dense_shape)
    sp, dense = (a, b) if sparse[0] else (b, a)
    dense = convert_to_tensor(dense, dtype=sp.dtype)
    if not dense.shape.is_compatible_with(sp.shape):
        raise _invalid(
            f"Dimensions {sp.shape} and {dense.shape} do not match", "SparseTensorDenseAdd"
        )
    data = to_torch(dense)
    flat = _flat(to_torch(sp.indices), list(data.shape))
    return wrap(data.reshape(-1).index_add(0, flat, to_torch(sp.values)).reshape(data.shape))


def maximum(sp_a, sp_b, name=None) -> SparseTensor:
    """The larger elements; missing ones count as 0 (source: `tf.sparse.maximum`)."""
    indices, left, right, _ = _union(_sparse(sp_a), _sparse(sp_b), "SparseSparseMaximum")
    return _make(indices, torch.maximum(left, right), sp_a.dense_shape)


def minimum(sp_a, sp_b, name=None) -> SparseTensor:
    """The smaller elements; missing ones count as 0 (source: `tf.sparse.minimum`)."""
    indices, left, right, _ = _union(_sparse(sp_a), _sparse(sp_b), "SparseSparseMinimum")
    return _make(indices, torch.minimum(left, right), sp_a.dense_shape)


def _dense_at(sp, dense):
    """The elements of a broadcast dense tensor at the places of a sparse one."""
    dense = convert_to_tensor(dense, dtype=sp.dtype)
    data, indices = to_torch(dense), to_torch(sp.indices)
    if not is_fake(data) and sp.shape.is_fully_defined():
        data.broadcast_to(_sizes(sp))  # raises if it does not fit
    columns = indices[:, indices.shape[1] - data.dim() :]
    return data[tuple(
        columns[:, k] if size != 1 else torch.zeros_like(columns[:, k])
        for k, size in enumerate(data.shape)
    )]  # fmt: skip


def times_dense(sp, dense) -> SparseTensor:
    """Sparse times a dense tensor that broadcasts to its shape: `sp * dense`."""
    return sp.with_values(wrap(to_torch(sp.values) * _dense_at(sp, dense)))


def over_dense(sp, dense) -> SparseTensor:
    """Sparse divided by a dense tensor that broadcasts to its shape: `sp / dense`."""
    values = to_torch(sp.values)
    if not values.is_floating_point():
        values = values.to(torch.float64)
        return sp.with_values(wrap(values / _dense_at(sp, dense).to(torch.float64)))
    return sp.with_values(wrap(values / _dense_at(sp, dense)))


def softmax(sp_input, name=None) -> SparseTensor:
    """Softmax over the elements present in each row (source: `tf.sparse.softmax`)."""
    sp = _sparse(sp_input)
    values = to_torch(sp.values)
    if values.dtype not in (torch.float16, torch.float32, torch.float64):
        raise _invalid(
            f"Value for attr 'T' of {sp.dtype.name} is not in the list of allowed values: half, "
            "float, double", "SparseSoftmax",
        )  # fmt: skip
    rows, ids = torch.unique(
        _flat(to_torch(sp.indices)[:, :-1], _sizes(sp)[:-1]), return_inverse=True
    )
    count = rows.shape[0]
    peak = values.new_full((count,), -torch.inf).scatter_reduce(0, ids, values.detach(), "amax")
    powers = torch.exp(values - peak[ids])
    total = values.new_zeros(count).index_add(0, ids, powers)
    return sp.with_values(wrap(powers / total[ids]))


# -- reductions


def _reduce(sp_input, axis, keepdims, output_is_sparse, how, op_name):
    sp = _sparse(sp_input)
    sizes, values = _sizes(sp), to_torch(sp.values)
    rank = len(sizes)
    axes = range(rank) if axis is None else to_axis(axis)
    axes = [axes] if isinstance(axes, int) else list(axes)
    reduced = {
        _check_axis(
            a, rank, f"Invalid reduction dimension {a}, for input with {rank} dimensions.", op_name
        )
        for a in axes
    }
    kept = [a for a in range(rank) if a not in reduced]
    shape = [sizes[a] for a in kept]
    places, ids = torch.unique(_flat(to_torch(sp.indices)[:, kept], shape), return_inverse=True)
    if how == "sum":
        totals = values.new_zeros(places.shape[0]).index_add(0, ids, values)
    else:
        info = torch.finfo if values.is_floating_point() else torch.iinfo
        start = values.new_full((places.shape[0],), info(values.dtype).min)
        totals = start.scatter_reduce(0, ids, values, how)
    final = [1 if a in reduced else s for a, s in enumerate(sizes)] if keepdims else shape
    if output_is_sparse:
        return _make(_unflat(places, final), totals, final)
    dense = values.new_zeros(_math.prod(shape)).index_put((places,), totals)
    return wrap(dense.reshape(final))


def reduce_sum(sp_input, axis=None, keepdims=None, output_is_sparse=False, name=None):
    """Sums along axes, all by default (source: `tf.sparse.reduce_sum`)."""
    return _reduce(sp_input, axis, keepdims, output_is_sparse, "sum", "SparseReduceSum")


def reduce_max(sp_input, axis=None, keepdims=None, output_is_sparse=False, name=None):
    """The largest of the elements present, along axes (source: `tf.sparse.reduce_max`).

    Slices without elements give 0.
    """
    return _reduce(sp_input, axis, keepdims, output_is_sparse, "amax", "SparseReduceMax")


# -- products


@op("SparseTensorDenseMatMul", strings=None)
def _matmul(indices: Index, values: Num, b: Num, rows):
    picked = b[indices[:, 1]] * values[:, None]
    return b.new_zeros((rows, b.shape[1])).index_add(0, indices[:, 0], picked)


def sparse_dense_matmul(sp_a, b, adjoint_a=False, adjoint_b=False, name=None):
    """The product of a sparse and a dense matrix (source: `tf.sparse.sparse_dense_matmul`).

    Args:
        sp_a: a sparse matrix; or a dense one if `b` is sparse.
        b: the other matrix.
        adjoint_a, adjoint_b: whether a matrix is transposed and conjugated first.

    Raises:
        InvalidArgumentError: if the sizes do not fit.
    """
    if isinstance(b, SparseTensor):
        other = convert_to_tensor(sp_a)
        flipped = sparse_dense_matmul(b, other, not adjoint_b, not adjoint_a)
        result = array_ops.transpose(flipped)
        return wrap(to_torch(result).conj().resolve_conj()) if result.dtype.is_complex else result
    sp = _sparse(sp_a)
    b = convert_to_tensor(b)
    if b.shape.rank != 2:
        raise _invalid("Tensor 'b' is not a matrix", "SparseTensorDenseMatMul")
    _same_matmul_type(sp, b)
    rows, columns = _sizes(sp)
    indices, values = to_torch(sp.indices), sp.values
    if adjoint_a:
        rows, columns, indices = columns, rows, indices.flip(1)
        values = wrap(to_torch(values).conj().resolve_conj())
    if adjoint_b:
        b = array_ops.transpose(b, conjugate=True)
    if isinstance(columns, int) and b.shape[0] not in (None, columns):
        raise _invalid(
            "Cannot multiply A and B because inner dimension does not match: "
            f"{columns} vs. {b.shape[0]}.  Did you forget a transpose?  Dimensions of A: "
            f"[{rows}, {columns}).  Dimensions of B: {_text(b.shape)}", "SparseTensorDenseMatMul",
        )  # fmt: skip
    return _matmul(wrap(indices), values, b, rows, name)


def _same_matmul_type(sp, b):
    if sp.dtype is not b.dtype:
        from torchtf.core.convert import KERNEL_NAMES

        expected, found = (KERNEL_NAMES[x.dtype.torch] for x in (sp, b))
        raise _invalid(
            "cannot compute SparseTensorDenseMatMul as input #3(zero-based) was expected to be a "
            f"{expected} tensor but is a {found} tensor", "SparseTensorDenseMatMul",
        )  # fmt: skip


def sampled_addmm(
    indices, values, dense_shape, mat1, mat2, beta=1.0, alpha=1.0, output_type=dtypes.float32
):
    """`alpha * (mat1 @ mat2)` at some places, plus `beta * values`.

    Source: `tf.sparse.sampled_addmm`.

    Returns:
        (indices, values, dense_shape) of a sparse tensor.
    """
    dtype = dtypes.as_dtype(output_type).torch
    where = to_torch(indices).long()
    left, right = to_torch(mat1).to(dtype), to_torch(mat2).to(dtype)
    batch = [  # the places along each batch axis: those of the indices' own
        torch.arange(size).reshape(-1, *[1] * (where.dim() - 2 - axis))
        for axis, size in enumerate(where.shape[:-2])
    ]
    rows = left[(*batch, where[..., 0])]
    columns = right.transpose(-1, -2)[(*batch, where[..., 1])]
    products = (rows * columns).sum(-1)
    result = wrap(alpha * products + beta * to_torch(values).to(dtype))
    return convert_to_tensor(indices), result, convert_to_tensor(dense_shape)


# -- segments


def _segments(data, indices, segment_ids, num_segments, op_name, divide):
    data, where, ids = to_torch(convert_to_tensor(data)), to_torch(indices), to_torch(segment_ids)
    if where.numel() and not is_fake(where):
        bad = ((where < 0) | (where >= data.shape[0])).nonzero()
        if bad.numel():
            i = int(bad[0])
            raise _invalid(
                f"Bad: indices[{i}] == {int(where[i])} out of range [0, {data.shape[0]})", op_name
            )
        if not is_fake(ids) and (ids[1:] < ids[:-1]).any():
            raise _invalid("segment ids are not increasing", op_name)
    if num_segments is None:
        count = number(ids[-1]) + 1 if ids.shape[0] else 0
    else:
        count = number(num_segments)
        if not is_fake(ids) and ids.numel() and int(ids.max()) >= count:
            raise _invalid("segment ids must be < num_segments", op_name)
    picked = data.index_select(0, where.long())
    total = data.new_zeros((count, *data.shape[1:])).index_add(0, ids.long(), picked)
    if divide is not None:
        counts = counts_of(ids, count).clamp(min=1).to(data.dtype)
        total = total / divide(counts).reshape(-1, *[1] * (data.dim() - 1))
    return wrap(total)


def segment_sum(
    data, indices, segment_ids, num_segments=None, name=None, sparse_gradient=False
):  # fmt: skip
    """Sums the rows `data[indices]` that share a segment (source: `tf.sparse.segment_sum`).

    Args:
        data: a tensor.
        indices: the rows to take.
        segment_ids: ascending ids, one for each index.
        num_segments: the number of segments; the last id + 1 by default.
        sparse_gradient: only False; gradients are dense.

    Raises:
        InvalidArgumentError: if an index is out of range or ids do not ascend.
    """
    _no_sparse_gradient(sparse_gradient)
    return _segments(data, indices, segment_ids, num_segments, "SparseSegmentSum", None)


def segment_mean(
    data, indices, segment_ids, num_segments=None, name=None, sparse_gradient=False
):  # fmt: skip
    """Like `segment_sum`, divided by the number of rows (source: `tf.sparse.segment_mean`)."""
    _no_sparse_gradient(sparse_gradient)
    return _segments(data, indices, segment_ids, num_segments, "SparseSegmentMean", lambda n: n)


def segment_sqrt_n(
    data, indices, segment_ids, num_segments=None, name=None, sparse_gradient=False
):  # fmt: skip
    """Like `segment_sum`, divided by its square root (source: `tf.sparse.segment_sqrt_n`)."""
    _no_sparse_gradient(sparse_gradient)
    return _segments(data, indices, segment_ids, num_segments, "SparseSegmentSqrtN", torch.sqrt)


def _no_sparse_gradient(flag):
    if flag:
        raise NotImplementedError(
            "sparse_gradient=True is not supported: gradients of data are dense; leave it out."
        )


# -- counting


def bincount(
    values, weights=None, axis=0, minlength=None, maxlength=None, binary_output=False, name=None
) -> SparseTensor:
    """Counts how often each integer occurs (source: `tf.sparse.bincount`).

    Args:
        values: non-negative integers: a tensor, ragged or sparse tensor.
        weights: what each occurrence counts; of the form of `values`.
        axis: 0 counts all values, -1 each row apart.
        minlength: the least size of the counted axis.
        maxlength: values from here on are left out.
        binary_output: whether to tell only that a value occurs.

    Raises:
        InvalidArgumentError: for a negative value.
        ValueError: for another axis, or `weights` with `binary_output`.
    """
    from torchtf.ragged import RaggedTensor

    if axis not in (0, -1):
        raise ValueError(
            f"Unsupported value for argument axis={axis}. Only 0 and -1 are currently supported."
        )
    if binary_output and weights is not None:
        raise ValueError("Arguments `binary_output` and `weights` are mutually exclusive.")
    sizes: list[int] = []
    if isinstance(values, SparseTensor):
        rows, sizes = to_torch(values.indices)[:, 0], _sizes(values)
        numbers = to_torch(values.values)
        amounts = None if weights is None else to_torch(weights.values)
    elif isinstance(values, RaggedTensor):
        rows, sizes = to_torch(values.value_rowids()), [values._splits.shape[0] - 1, 0]
        numbers = to_torch(values.values)
        amounts = None if weights is None else to_torch(weights.values)
    else:
        numbers = to_torch(convert_to_tensor(values))
        sizes = list(numbers.shape)
        grid = torch.arange(sizes[0] if sizes else 1)
        rows = grid.repeat_interleave(sizes[1]) if len(sizes) > 1 else grid
        numbers = numbers.reshape(-1)
        amounts = None if weights is None else to_torch(convert_to_tensor(weights)).reshape(-1)
    kind, numbers = numbers.dtype, numbers.long()
    if not is_fake(numbers) and numbers.numel() and numbers.min() < 0:
        raise _invalid("Input values must all be non-negative", "DenseCountSparseOutput")
    by_row = axis == -1 and len(sizes) > 1
    if maxlength is not None:
        keep = numbers < maxlength
        numbers, rows = numbers[keep], rows[keep]
        amounts = None if amounts is None else amounts[keep]
    width = number(numbers.max()) + 1 if numbers.numel() else 0
    width = torch.sym_max(width, minlength or 0)
    shape = [sizes[0], width] if by_row else [width]
    columns = [rows.long(), numbers] if by_row else [numbers]
    places, ids = torch.unique(_flat(torch.stack(columns, 1), shape), return_inverse=True)
    if amounts is None:
        amounts = torch.ones(numbers.shape[0], dtype=kind)
    counts = amounts.new_zeros(places.shape[0]).index_add(0, ids, amounts)
    if binary_output:
        counts = torch.ones_like(counts)
    return _make(_unflat(places, shape), counts, shape)


# -- crosses


@host_op("SparseCross", out="string")
def _cross_strings(columns: list[T], picks, separator):
    texts = [
        c if c.dtype == object else np.array([str(x).encode() for x in c.tolist()], dtype=object)
        for c in columns
    ]
    return object_array(
        [separator.join(t[i] for t, i in zip(texts, pick, strict=True)) for pick in picks]
    )


@host_op("SparseCrossHashed", out="int64")
def _cross_hashes(columns: list[T], picks, num_buckets, key):
    return _hashes(columns, picks, num_buckets, key)


@host_op(
    "SparseCrossHashed",
    out="int64",
    shape=lambda columns, *_: [columns[0].shape[0], _math.prod(c.shape[1] for c in columns)],
)
def _cross_matrices(columns: list[T], num_buckets, key):
    if len({c.shape[0] for c in columns}) > 1:
        raise _invalid("inputs must all have the same number of rows", "SparseCross")
    picks = [
        pick
        for row in range(columns[0].shape[0])
        for pick in itertools.product(*[range(row * c.shape[1], (row + 1) * c.shape[1])
                                        for c in columns])
    ]  # fmt: skip
    flat = [c.reshape(-1) for c in columns]
    return _hashes(flat, picks, num_buckets, key).reshape(columns[0].shape[0], -1)


def _hashes(columns, picks, num_buckets, key) -> np.ndarray:
    features = [
        hashing.fingerprint64(c) if c.dtype == object else c.astype(np.uint64) for c in columns
    ]
    result = np.full(len(picks), np.uint64(key))
    for i, feature in enumerate(features):
        column = feature[[pick[i] for pick in picks]] if picks else feature[:0]
        result = hashing.fingerprint_cat(result, column)
    return (result % np.uint64(num_buckets or 2**63 - 1)).astype(np.int64)


def _cross(inputs, compute):
    """Places of the cross of rows; `compute(columns, picks)` gives the values."""
    if not isinstance(inputs, (list, tuple)):
        raise TypeError("Inputs must be a list")
    matrices = []
    for value in inputs:
        if not isinstance(value, SparseTensor):
            if not is_tensor_type(value):
                raise TypeError("All inputs must be Tensor or SparseTensor.")
            value = _every_place(value)
        matrices.append(value)
    if any(is_fake(to_torch(m.indices)) for m in matrices):
        raise NotImplementedError(
            "tf.sparse.cross in a tf.function is not supported; use tf.ragged.cross"
        )
    height = _sizes(matrices[0])[0]
    if any(_sizes(m)[0] != height for m in matrices):
        raise _invalid("inputs must all have the same number of rows", "SparseCross")
    cells = []
    for matrix in matrices:
        rows: list[list[int]] = [[] for _ in range(height)]
        for position, row in enumerate(to_torch(matrix.indices)[:, 0].tolist()):
            rows[row].append(position)
        cells.append(rows)
    picks, indices = [], []
    for row in range(height):
        combined = list(itertools.product(*[c[row] for c in cells]))
        picks += combined
        indices += [[row, i] for i in range(len(combined))]
    width = max((i + 1 for _, i in indices), default=0)
    places = torch.tensor(indices, dtype=torch.int64).reshape(-1, 2)
    return _make(places, compute([m.values for m in matrices], picks), [height, width])


def _every_place(tensor):
    data = tensor._data  # an array of strings, or a torch tensor
    sizes = list(data.shape)
    grid = torch.cartesian_prod(*[torch.arange(s) for s in sizes]).reshape(-1, len(sizes))
    return _make(grid, array_ops.reshape(tensor, [-1]), sizes)


def cross(inputs, name=None, separator=None) -> SparseTensor:
    """The feature cross of rows, as strings (source: `tf.sparse.cross`).

    Args:
        inputs: sparse matrices or tensors with equally many rows.
        separator: what joins the features; "_X_" by default.
    """
    separator = ("_X_" if separator is None else separator).encode()
    return _cross(inputs, lambda columns, picks: _cross_strings(columns, picks, separator, name))


def cross_hashed(inputs, num_buckets=0, hash_key=None, name=None) -> SparseTensor:
    """The feature cross of rows, hashed to int64 (source: `tf.sparse.cross_hashed`).

    Args:
        inputs: sparse matrices or tensors with equally many rows.
        num_buckets: hashes are taken modulo this; 0 for all of int64.
        hash_key: the first value that hashes are combined with.
    """
    if isinstance(inputs, (list, tuple)) and not all(
        isinstance(x, SparseTensor) or is_tensor_type(x) for x in inputs
    ):
        raise TypeError("All inputs must be SparseTensors")
    key = 0xDECAFCAFFE if hash_key is None else hash_key
    if isinstance(inputs, (list, tuple)) and not any(isinstance(x, SparseTensor) for x in inputs):
        return _every_place(_cross_matrices(list(inputs), num_buckets, key, name))
    return _cross(
        inputs, lambda columns, picks: _cross_hashes(columns, picks, num_buckets, key, name)
    )
