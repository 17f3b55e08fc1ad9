"""Indexing: slices, masks, gathering, scattering, choosing."""

from __future__ import annotations

import builtins
import functools

import numpy as np
import torch

from torchtf.array_ops._shaping import product
from torchtf.core import dtypes, errors, graph, tape
from torchtf.core.convert import convert_to_tensor, sizes_of, to_axis, to_shape, to_torch
from torchtf.core.dispatch import dispatched
from torchtf.core.op import op
from torchtf.core.shape import Dimension, brackets
from torchtf.core.tensor import SymbolicTensor, is_fake, is_large, is_tensor_type

_INDEX_ERROR = (
    "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar "
    "tf.int32/tf.int64 tensors are valid indices, got {!r}"
)


@op("StridedSlice", label="strided_slice/")
def _strided_slice(input: T, index):
    return _apply_index(input, index)


def _apply_index(x: torch.Tensor, index: list):
    """Indexes by ints, slices, None and Ellipsis with TensorFlow's meaning and errors."""
    if sum(i is Ellipsis for i in index) > 1:
        raise errors.InvalidArgumentError(None, None, "Multiple ellipses in slice spec not allowed")
    taken = sum(1 for i in index if i is not None and i is not Ellipsis)
    if taken > x.dim():
        raise errors.InvalidArgumentError(
            None, None,
            f"Index out of range using input dim {x.dim()}; input has only {x.dim()} dims",
        )  # fmt: skip
    out, dim, source = x, 0, 0  # the axes of the result and of `x` that come next
    for place, item in enumerate(index):
        if item is Ellipsis:
            dim += x.dim() - taken
            source += x.dim() - taken
        elif item is None:
            out = out.unsqueeze(dim)
            dim += 1
        elif isinstance(item, builtins.slice):
            if item.step == 0:
                raise errors.InvalidArgumentError(None, None, f"strides[{place}] must be non-zero")
            out = _slice(out, dim, item)
            dim, source = dim + 1, source + 1
        else:
            length = out.shape[dim]
            if isinstance(item, int) and isinstance(length, int) and not -length <= item < length:
                found = item + length if item < 0 else item
                raise errors.InvalidArgumentError(
                    None, None, f"slice index {found} of dimension {source} out of bounds."
                )
            source += 1
            if isinstance(item, torch.Tensor):
                item = torch.where(item < 0, item + length, item)
                out = out.index_select(dim, item.reshape(1)).squeeze(dim)
            else:
                out = out.select(dim, item)
    return out


def _slice(x, dim, item: builtins.slice):
    start, stop, step, size = item.start, item.stop, item.step, x.shape[dim]
    if step is not None and step < 0:
        if all(b is None or isinstance(b, int) for b in (size, start, stop)):
            chosen = list(range(size))[item]
            return x.index_select(dim, torch.tensor(chosen, dtype=torch.int64, device=x.device))
        start, stop = (None if b is None else -1 - b for b in (start, stop))  # seen from the end
        return _slice(x.flip(dim), dim, builtins.slice(start, stop, -step))
    step = 1 if step is None else step
    under_way = graph.state.trace
    if under_way is not None and under_way.hides(size, start, stop):
        return under_way.open_slice(x, dim, start, stop, step)
    return torch.ops.aten.slice.Tensor(x, dim, start, stop, step)


def _index_item(item):
    if item is None or item is Ellipsis or type(item) is int:
        return item
    if isinstance(item, builtins.slice):
        return builtins.slice(*[_bound(b) for b in (item.start, item.stop, item.step)])
    if isinstance(item, np.bool_):
        raise TypeError(_INDEX_ERROR.format(item))
    if isinstance(item, (int, np.integer, Dimension)) or _is_array_of_one_index(item):
        return int(item)
    if isinstance(item, torch.SymInt):
        return torch.scalar_tensor(item, dtype=torch.int64)
    if is_tensor_type(item) or hasattr(type(item), "_tape_read"):
        sizes = sizes_of(item)
        if sizes is not None and sizes.ndim == 0:
            return sizes[()]
        data = to_torch(item)
        if not isinstance(data, torch.Tensor) or data.ndim or data.dtype not in (
            torch.int32, torch.int64, torch.int16, torch.int8, torch.uint8,
        ):  # fmt: skip
            raise TypeError(_INDEX_ERROR.format(item))
        return data if is_fake(data) else data.item()
    raise TypeError(_INDEX_ERROR.format(item))


def _is_array_of_one_index(item) -> bool:
    signed = isinstance(item, np.ndarray) and item.ndim == 0 and item.dtype.kind == "i"
    return signed and item.dtype.itemsize > 1


def _bound(bound):
    if bound is None or isinstance(bound, (int, torch.SymInt)):
        return bound
    item = _index_item(bound)
    return item.item() if isinstance(item, torch.Tensor) else item


def getitem(tensor, key):
    """`tensor[key]`: ints, slices, ..., tf.newaxis, scalar tensors, or one boolean mask.

    Raises:
        TypeError: for an index of another kind.
        InvalidArgumentError: if an index is out of range.
    """
    if type(key) is bool or (is_tensor_type(key) and key.dtype is dtypes.bool_):
        return boolean_mask(tensor, key)
    if isinstance(key, np.ndarray) and key.dtype == bool:
        return boolean_mask(tensor, key)
    items = key if type(key) is tuple else list(key) if isinstance(key, list) else (key,)
    index = [_index_item(i) for i in items]
    result = _strided_slice(tensor, index)
    sizes = sizes_of(tensor)
    if sizes is not None and type(result) is SymbolicTensor and all(map(_is_static, index)):
        result._sizes = np.asarray(sizes[tuple(index)], dtype=object)
    return result


def _is_static(item) -> bool:
    """Whether an index is known while tracing."""
    if hasattr(item, "step"):  # a slice; the name stands for the op here
        return all(_is_static(x) for x in (item.start, item.stop, item.step))
    return not isinstance(item, (torch.Tensor, torch.SymInt))


def variable_getitem(variable, key):
    """`variable[key]`; an integer or slice index also offers `assign`."""
    return getitem(variable.value(), key)


@op("BooleanMask", strings="data")
def _boolean_mask(tensor: T, mask: RealBool, axis):
    if mask.dim() == 0:
        raise ValueError("mask cannot be scalar.")
    end = axis + mask.dim()
    flat = tensor.flatten(axis, end - 1)
    return flat.index_select(axis, mask.reshape(-1).nonzero().squeeze(1))


@dispatched
def boolean_mask(tensor, mask, axis=None, name="boolean_mask"):
    """The elements of `tensor` where `mask` is True (source: `tf.boolean_mask`).

    Args:
        tensor: a tensor of rank n.
        mask: a tensor of rank k <= n of booleans, or of numbers that are not 0 for True; its shape
            must match k axes of `tensor`.
        axis: the first of those axes; 0 by default.

    Raises:
        ValueError: if the shapes do not match or the mask is a scalar.
    """
    tensor, mask = convert_to_tensor(tensor), convert_to_tensor(mask)
    axis = 0 if axis is None else to_axis(axis)
    if mask.shape.rank == 0:
        raise ValueError("mask cannot be scalar.")
    if axis < 0:
        axis += tensor.shape.rank
    tensor.shape[axis : axis + mask.shape.rank].assert_is_compatible_with(mask.shape)
    return _boolean_mask(tensor, mask, axis, name)


# -- slices


def slice(input_, begin, size, name=None):
    """The block of `size` elements along each axis from `begin` (source: `tf.slice`).

    Args:
        input_: a tensor of rank n.
        begin: n indices.
        size: n sizes; -1 for all that is left.

    Raises:
        InvalidArgumentError: if the block does not lie in the tensor.
    """
    if isinstance(begin, int) or isinstance(size, int):
        rank = convert_to_tensor(input_).shape.rank
        raise errors.InvalidArgumentError(
            None, None,
            f"Expected begin and size arguments to be 1-D tensors of size {rank}, but got shapes "
            f"{brackets(np.shape(begin))} and {brackets(np.shape(size))} instead. [Op:Slice]",
        )  # fmt: skip
    return _block(input_, to_shape(begin, cast=False), to_shape(size, None), name)


def _is_told(size) -> bool:
    """Whether a size is known before a graph runs."""
    return isinstance(size, int) or not graph.state.trace.depends_on_data(size)


@op("Slice")
def _block(input: T, begin: list, size: list):
    if len(begin) != input.dim() or len(size) != input.dim():
        raise errors.InvalidArgumentError(
            None, None,
            f"Expected begin and size arguments to be 1-D tensors of size {input.dim()}, but got "
            f"shapes [{len(begin)}] and [{len(size)}] instead.",
        )  # fmt: skip
    for d, (start, count) in enumerate(zip(begin, size, strict=True)):
        length = input.shape[d]
        if isinstance(count, int) and count == -1:
            if isinstance(start, int) and start == 0:
                continue
            count = length - start
        if all(isinstance(v, int) for v in (start, count, length)):
            if not 0 <= start <= length:
                raise errors.InvalidArgumentError(
                    None, None, f"Expected begin[{d}] in [0, {length}], but got {start}"
                )
            if not 0 <= count <= length - start:
                raise errors.InvalidArgumentError(
                    None, None, f"Expected size[{d}] in [0, {length - start}], but got {count}"
                )
        if isinstance(start, int) and _is_told(length) and 0 <= count <= length - start:
            input = input.narrow(d, start, count)
        else:  # unlike a slice, this takes no guess at where it begins or whether there is so much
            input = input.index_select(d, start + torch.arange(count, device=input.device))
    return input


def strided_slice(
    input_,
    begin,
    end,
    strides=None,
    begin_mask=0,
    end_mask=0,
    ellipsis_mask=0,
    new_axis_mask=0,
    shrink_axis_mask=0,
    var=None,
    name=None,
):
    """`input_[begin:end:strides]` with one entry for each axis (source: `tf.strided_slice`).

    Args:
        input_: a tensor.
        begin, end, strides: vectors of integers of one length.
        begin_mask, end_mask: bit i means that begin[i] or end[i] is left open.
        ellipsis_mask: bit i stands for `...`.
        new_axis_mask: bit i stands for `tf.newaxis`.
        shrink_axis_mask: bit i stands for the integer index begin[i].
        var: not supported; assign to `variable[...]` with its `assign` method.
    """
    if var is not None:
        raise NotImplementedError(
            "strided_slice(var=) is not supported; use var[...].assign(value)"
        )
    begin, end = to_shape(begin), to_shape(end)
    strides = [1] * len(begin) if strides is None else to_shape(strides)
    if not len(begin) == len(end) == len(strides):
        raise errors.InvalidArgumentError(
            None, None,
            "Expected begin, end, and strides to be 1D equal size tensors, but got shapes "
            f"[{len(begin)}], [{len(end)}], and [{len(strides)}] instead. [Op:StridedSlice]",
        )  # fmt: skip
    index = []
    for i, (b, e, s) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << i
        if ellipsis_mask & bit:
            index.append(Ellipsis)
        elif new_axis_mask & bit:
            index.append(None)
        elif shrink_axis_mask & bit:
            index.append(b)
        else:
            start, stop = None if begin_mask & bit else b, None if end_mask & bit else e
            index.append(builtins.slice(start, stop, s))
    return getitem(convert_to_tensor(input_), tuple(index))


# -- gathering


def looked_up(indices, length, look_up):
    """What `look_up` finds; if an index is out of range, says which is the first."""
    try:
        return look_up()
    except (IndexError, RuntimeError):
        if is_fake(indices):
            raise
        wrong = (indices < 0) | (indices >= length)
        if not bool(wrong.any()):
            raise
        place = wrong.nonzero()[0].tolist()
        value = indices[tuple(place)].item()
        raise errors.InvalidArgumentError(
            None, None,
            f"indices{str(place).replace(' ', '') if place else ''} = {value} is not in "
            f"[0, {length})",
        ) from None  # fmt: skip


def _int_index(indices):
    """Indices in a type that torch takes."""
    return indices if indices.dtype in (torch.int32, torch.int64) else indices.to(torch.int64)


@op("GatherV2")
def _gather(params: T, indices: Ids, axis, batch_dims) -> T:
    rank = params.dim()
    if not -rank <= axis < max(rank, 1):
        needed = axis + 1 if axis >= 0 else -axis
        raise errors.InvalidArgumentError(
            None, None, f"Shape must be at least rank {needed} but is rank {rank}"
        )
    if rank == 0:
        raise errors.InvalidArgumentError(None, None, "params must be at least 1 dimensional")
    select = tape.select_rows if axis == 0 else torch.index_select
    axis %= rank
    if batch_dims < 0:
        batch_dims += indices.dim()
    if not 0 <= batch_dims <= min(indices.dim(), axis):
        raise errors.InvalidArgumentError(
            None, None,
            f"batch_dims ({batch_dims}) must be between 0 and ndims(indices) ({indices.dim()}) "
            f"and at most axis ({axis})",
        )  # fmt: skip
    length = params.shape[axis]
    if params.is_cuda:  # as TensorFlow on a GPU: zeros for what is out of range
        outside = (indices < 0) | (indices >= length)
        indices = torch.where(outside, 0, indices)
    else:
        outside = None
    index = _int_index(indices)
    before, after = params.shape[:axis], params.shape[axis + 1 :]
    if batch_dims == 0:
        found = looked_up(indices, length, lambda: select(params, axis, index.reshape(-1)))
    else:
        batch = params.shape[:batch_dims]
        if not is_fake(params) and tuple(batch) != tuple(index.shape[:batch_dims]):
            raise errors.InvalidArgumentError(
                None, None,
                f"params.shape[:batch_dims]: {list(batch)} should be equal to "
                f"indices.shape[:batch_dims]: {list(index.shape[:batch_dims])}",
            )  # fmt: skip
        inner = index.reshape(*batch, *(1,) * (axis - batch_dims), -1, *(1,) * len(after))
        inner = inner.expand(*before, inner.shape[axis], *after)
        found = looked_up(
            indices, length, lambda: torch.gather(params, axis, inner.to(torch.int64))
        )
    found = found.reshape([*before, *index.shape[batch_dims:], *after])
    if outside is not None:
        mask = outside.reshape(
            *outside.shape[:batch_dims], *(1,) * (axis - batch_dims),
            *outside.shape[batch_dims:], *(1,) * len(after),
        )  # fmt: skip
        found = torch.where(mask, torch.zeros((), dtype=found.dtype, device=found.device), found)
    return found


@dispatched
def gather(params, indices, validate_indices=None, axis=None, batch_dims=0, name=None):
    """The slices of `params` along an axis that `indices` name (source: `tf.gather`).

    Args:
        params: a tensor or variable.
        indices: a tensor of integers.
        validate_indices: without meaning, as in TensorFlow; indices are always checked on a CPU.
        axis: the axis; `batch_dims` by default.
        batch_dims: how many leading axes of both are matched one to one.

    Returns:
        A tensor of shape params.shape[:axis] + indices.shape[batch_dims:] + params.shape[axis+1:].

    Raises:
        InvalidArgumentError: if an index is out of range.
    """
    batch_dims = to_axis(batch_dims, cast=False)
    axis = batch_dims if axis is None else to_axis(axis, cast=False)
    return _gather(params, indices, axis, batch_dims, name)


_NOWHERE = 2**62  # an index out of range whatever is added


def _flat_index(indices, sizes, shape, kind=""):
    """Coordinates along the last axis as indices into the flattened leading axes of a shape.

    In a graph, those that are out of range get an index that is, so that the op on the flattened
    axes fails: one too large along one axis could be another element's.
    """
    if not is_fake(indices) and all(isinstance(s, int) for s in sizes) and sizes:
        limits = torch.tensor(sizes, device=indices.device)
        wrong = ((indices < 0) | (indices >= limits)).any(-1)
        if bool(wrong.any()):
            place = wrong.nonzero()[0].tolist()
            raise errors.InvalidArgumentError(
                None, None,
                f"indices{brackets(place)} = {indices[tuple(place)].tolist()} does not index into "
                f"{kind}shape {brackets(shape)}" + (", node name: GatherNd" if kind else ""),
            )  # fmt: skip
    flat = torch.zeros(indices.shape[:-1], dtype=torch.int64, device=indices.device)
    for k, size in enumerate(sizes):
        flat = flat * size + indices[..., k]
    if is_fake(indices) and len(sizes) > 1:
        wrong = [(indices[..., k] < 0) | (indices[..., k] >= s) for k, s in enumerate(sizes)]
        flat = torch.where(functools.reduce(torch.logical_or, wrong), _NOWHERE, flat)
    return flat


@op("GatherNd")
def _gather_nd(params: T, indices: Ids, batch_dims) -> T:
    if indices.dim() == 0 or batch_dims >= indices.dim() or batch_dims > params.dim():
        raise errors.InvalidArgumentError(
            None, None, "indices must be at least a vector and have batch_dims axes before that"
        )
    depth = indices.shape[-1]
    if depth > params.dim() - batch_dims:
        raise errors.InvalidArgumentError(
            None, None,
            f"index innermost dimension length must be <= params rank; saw: {depth} vs. "
            f"{params.dim() - batch_dims}",
        )  # fmt: skip
    batch, sizes = params.shape[:batch_dims], params.shape[batch_dims : batch_dims + depth]
    rest = params.shape[batch_dims + depth :]
    flat = _flat_index(indices, list(sizes), params.shape, "param ")
    count = product(sizes)
    for d, size in enumerate(batch):  # which of the batch each index belongs to
        row = torch.arange(size, device=indices.device)
        stride = product(batch[d + 1 :]) * count
        flat = flat + stride * row.reshape(*(1,) * d, -1, *(1,) * (flat.dim() - d - 1))
    if depth == 1 and not batch:  # whole rows of `params` itself: their gradient is sparse
        found = tape.select_rows(params, 0, _int_index(indices).reshape(-1))
    else:
        rows = params.reshape(product(batch) * count, *rest)
        found = rows.index_select(0, flat.reshape(-1))
    return found.reshape(*indices.shape[:-1], *rest)


def gather_nd(params, indices, batch_dims=0, name=None, bad_indices_policy=""):
    """The slices of `params` at coordinates (source: `tf.gather_nd`).

    Args:
        params: a tensor or variable.
        indices: integers of shape [..., k]: coordinates along k axes of `params`.
        batch_dims: how many leading axes of both are matched one to one.
        bad_indices_policy: "" or "DEFAULT" or "ERROR": raise for an index out of range.

    Returns:
        A tensor of shape indices.shape[:-1] + params.shape[batch_dims + k:].

    Raises:
        InvalidArgumentError: if an index is out of range.
    """
    _only_errors(bad_indices_policy)
    return _gather_nd(params, indices, to_axis(batch_dims), name)


def _only_errors(policy):
    if policy not in ("", "DEFAULT", "ERROR"):
        raise NotImplementedError(
            f"bad_indices_policy={policy!r} is not supported; filter the indices first"
        )


# -- scattering


def _scatter_parts(indices, updates, sizes):
    """Flat indices and the updates as rows, for an array of these sizes."""
    if indices.dim() == 0:
        raise errors.InvalidArgumentError(None, None, "indices must be at least a vector")
    depth = indices.shape[-1]
    if depth > len(sizes):
        raise errors.InvalidArgumentError(
            None, None,
            f"The innermost dimension of indices ({depth}) is more than the rank of the output "
            f"({len(sizes)})",
        )  # fmt: skip
    rest = list(sizes[depth:])
    expected = [*indices.shape[:-1], *rest]
    if updates.dim() != len(expected) or (not is_fake(updates) and list(updates.shape) != expected):
        raise errors.InvalidArgumentError(
            None, None,
            f"Dimensions [0,{indices.dim() - 1}) of indices[shape={brackets(indices.shape)}] must "
            f"match dimensions [0,{indices.dim() - 1}) of updates[shape={brackets(updates.shape)}]",
        )  # fmt: skip
    count = product(sizes[:depth])
    flat = _flat_index(indices, list(sizes[:depth]), sizes).reshape(-1)
    return flat, updates.reshape(-1, *rest), count


def _scatter(tensor, indices, updates, put):
    flat, rows, count = _scatter_parts(indices, updates, tensor.shape)
    target = tensor.reshape(count, *rows.shape[1:])
    return put(target, flat, rows).reshape(tensor.shape)


@op("ScatterNd")
def _scatter_nd(indices: Ids, updates: T, sizes) -> T:
    zeros = torch.zeros(sizes, dtype=updates.dtype, device=updates.device)
    if updates.dtype is torch.bool:
        return _scatter(zeros, indices, updates, lambda t, i, u: t.index_put((i,), u))
    return _scatter(zeros, indices, updates, lambda t, i, u: t.index_add(0, i, u))


def scatter_nd(indices, updates, shape, bad_indices_policy="", name=None):
    """Zeros with updates added at coordinates (source: `tf.scatter_nd`).

    Args:
        indices: integers of shape [..., k]: coordinates along the first k axes of the result.
        updates: a tensor of shape indices.shape[:-1] + shape[k:].
        shape: the shape of the result.
        bad_indices_policy: as for `gather_nd`.

    Raises:
        InvalidArgumentError: if an index is out of range or the shapes do not fit.
    """
    _only_errors(bad_indices_policy)
    return _scatter_nd(indices, updates, to_shape(shape), name)


@op("TensorScatterUpdate")
def tensor_scatter_nd_update(tensor: T, indices: Ids, updates: T):
    """The tensor with other elements at coordinates (source: `tf.tensor_scatter_nd_update`);
    see `scatter_nd`.
    """
    return _scatter(tensor, indices, updates, lambda t, i, u: t.index_copy(0, i, u))


@op("TensorScatterAdd")
def _scatter_add(tensor: T, indices: Ids, updates: T):
    return _scatter(tensor, indices, updates, lambda t, i, u: t.index_add(0, i, u))


@op("TensorScatterSub")
def _scatter_sub(tensor: T, indices: Ids, updates: T):
    return _scatter(tensor, indices, updates, lambda t, i, u: t.index_add(0, i, u, alpha=-1))


def _reducer(how):
    def reduce(tensor, index, rows):
        places = index.reshape(-1, *(1,) * (rows.dim() - 1)).expand(rows.shape)
        return tensor.scatter_reduce(0, places, rows, how)

    return reduce


@op("TensorScatterMax")
def _scatter_max(tensor: T, indices: Ids, updates: T):
    return _scatter(tensor, indices, updates, _reducer("amax"))


@op("TensorScatterMin")
def _scatter_min(tensor: T, indices: Ids, updates: T):
    return _scatter(tensor, indices, updates, _reducer("amin"))


def tensor_scatter_nd_add(tensor, indices, updates, bad_indices_policy="", name=None):
    """The tensor with updates added at coordinates (source: `tf.tensor_scatter_nd_add`);
    see `scatter_nd`.
    """
    _only_errors(bad_indices_policy)
    return _scatter_add(tensor, indices, updates, name)


def tensor_scatter_nd_sub(tensor, indices, updates, bad_indices_policy="", name=None):
    """The tensor with updates subtracted at coordinates (source: `tf.tensor_scatter_nd_sub`);
    see `scatter_nd`.
    """
    _only_errors(bad_indices_policy)
    return _scatter_sub(tensor, indices, updates, name)


def tensor_scatter_nd_max(tensor, indices, updates, bad_indices_policy="", name=None):
    """The larger of tensor and updates at coordinates (source: `tf.tensor_scatter_nd_max`);
    see `scatter_nd`.
    """
    _only_errors(bad_indices_policy)
    return _scatter_max(tensor, indices, updates, name)


def tensor_scatter_nd_min(tensor, indices, updates, bad_indices_policy="", name=None):
    """The smaller of tensor and updates at coordinates (source: `tf.tensor_scatter_nd_min`);
    see `scatter_nd`.
    """
    _only_errors(bad_indices_policy)
    return _scatter_min(tensor, indices, updates, name)


# -- choosing


_BITS = {torch.float32: torch.int32, torch.int32: torch.int32,
         torch.float16: torch.int16, torch.bfloat16: torch.int16}  # fmt: skip


def _choose(condition, x, y):
    """torch.where; many elements by way of their bits, as torch's kernel branches at each."""
    bits = _BITS.get(x.dtype)
    alike = condition.shape in (x.shape, y.shape)
    if bits is None or not alike or not is_large(condition, x, y):
        return torch.where(condition, x, y)
    a, b = x.view(bits), y.view(bits)
    return torch.bitwise_xor(a, b).mul_(condition).bitwise_xor_(b).view(x.dtype)


@op("SelectV2")
def _select(condition: Bool, x: T, y: T) -> T:
    try:
        return _choose(condition, x, y)
    except RuntimeError as e:
        if "size of tensor" not in str(e) or is_fake(condition):
            raise
        shapes = [brackets(t.shape) for t in (condition, x, y)]
        raise errors.InvalidArgumentError(
            None, None,
            "condition {}, then {}, and else {} must be broadcastable".format(*shapes),
        ) from None  # fmt: skip


@op("Where", strings=None)
def _nonzero(condition: T) -> Index:
    if condition.dim() == 0:
        raise errors.InvalidArgumentError(None, None, "WhereOp : Unhandled input dimensions: 0")
    return condition.nonzero()


@dispatched
def where(condition, x=None, y=None, name=None):
    """Chooses x where the condition holds, else y, with broadcasting (source: `tf.where`).

    Args:
        condition: booleans; without x and y also numbers.
        x, y: tensors of one type, or both None.

    Returns:
        A tensor like x and y; without them the coordinates of what is true or not zero, int64 of
        shape [n, rank].

    Raises:
        ValueError: if only one of x and y is given.
    """
    if (x is None) != (y is None):
        raise ValueError("x and y must both be non-None or both be None.")
    if x is None:
        return _nonzero(condition, name)
    return _select(condition, x, y, name)
