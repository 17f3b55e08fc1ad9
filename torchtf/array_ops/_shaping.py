"""Shapes: reading and changing them."""

from __future__ import annotations

import math

import numpy as np
import torch

from torchtf.core import dtypes, errors, graph
from torchtf.core.convert import (
    OpenSizes,
    convert_to_tensor,
    needs_numbers,
    raw,
    to_axis,
    to_axis_or_late,
    to_shape,
)
from torchtf.core.dispatch import Composite, dispatched
from torchtf.core.op import op
from torchtf.core.shape import TensorShape, brackets
from torchtf.core.shape_errors import sizes_text
from torchtf.core.tensor import SymbolicTensor, Tensor, is_fake, is_tensor_type, rank_is_open, wrap


@op("Shape", strings="value")
def _shape(input: T, out_type):
    return torch.tensor(tuple(input.shape), dtype=out_type)


@dispatched
def shape(input, out_type=None, name=None):
    """The shape of a tensor as an integer vector (source: `tf.shape`).

    Args:
        input: a tensor, `SparseTensor` or `RaggedTensor`.
        out_type: int32 (default) or int64.
    """
    wanted = dtypes.as_dtype(out_type or dtypes.int32).torch
    if not is_tensor_type(input):
        input = convert_to_tensor(input) if not hasattr(input, "__tf_dispatch__") else input
    if type(input) is SymbolicTensor and not rank_is_open(input._data):
        return _size_tensor(list(input._data.shape), wanted)
    return _shape(input, wanted, name)


def _size_tensor(sizes, dtype) -> Tensor:
    """A symbolic integer tensor that keeps the sizes it is made of."""
    if sizes and isinstance(sizes, list):
        parts = [torch.scalar_tensor(s, dtype=dtype) for s in sizes]
        result = wrap(torch.stack(parts))
        known = np.empty(len(sizes), dtype=object)
        known[:] = sizes
    elif isinstance(sizes, list):
        result, known = wrap(torch.zeros(0, dtype=dtype)), np.empty(0, dtype=object)
    else:
        result, known = wrap(torch.scalar_tensor(sizes, dtype=dtype)), np.array(sizes, dtype=object)
    if type(result) is SymbolicTensor:
        result._sizes = known
        graph.state.trace.note(result, "Shape")
    return result


@dispatched
def rank(input, name=None):
    """The number of axes as an int32 scalar (source: `tf.rank`)."""
    input = convert_to_tensor(input)
    if rank_is_open(input._data):
        return _rank(input, name)
    return _size_tensor(input._data.ndim, torch.int32)


@op("Rank", strings="value")
def _rank(input: T) -> Int32:
    return torch.tensor(input.dim(), dtype=torch.int32)


@dispatched
def size(input, out_type=None, name=None):
    """The number of elements as a scalar (source: `tf.size`)."""
    input = convert_to_tensor(input)
    data = input._data
    if rank_is_open(data):
        return _size(input, dtypes.as_dtype(out_type or dtypes.int32).torch, name)
    count = data.size if isinstance(data, np.ndarray) else data.numel()
    return _size_tensor(count, dtypes.as_dtype(out_type or dtypes.int32).torch)


@op("Size", strings="value")
def _size(input: T, dtype) -> Index:
    return torch.scalar_tensor(input.numel(), dtype=dtype)


def product(sizes):
    """The number of elements of a shape; 1 for no axes."""
    total = 1
    for s in sizes:
        total = total * s
    return total


def _known(sizes) -> bool:
    return all(isinstance(s, int) for s in sizes)


@op("Reshape")
def _reshape(tensor: T, sizes: list):
    if _known(sizes) and not is_fake(tensor):
        unknown = [i for i, s in enumerate(sizes) if s == -1]
        if len(unknown) > 1:
            raise errors.InvalidArgumentError(
                None, None,
                f"Only one input size may be -1, not both {unknown[0]} and {unknown[1]}",
            )  # fmt: skip
        wanted = 1
        for i, s in enumerate(sizes):
            if s < -1:
                raise errors.InvalidArgumentError(
                    None, None, f"Size {i} must be non-negative, not {s}"
                )
            wanted *= s if s != -1 else 1
        have = tensor.numel()
        if unknown and wanted == 0:
            raise errors.InvalidArgumentError(
                None, None,
                "reshape cannot infer the missing input size for an empty tensor unless all "
                "specified input sizes are non-zero",
            )  # fmt: skip
        if unknown and have % wanted:
            raise errors.InvalidArgumentError(
                None, None,
                f"Input to reshape is a tensor with {have} values, but the requested shape "
                f"requires a multiple of {wanted}",
            )  # fmt: skip
        if not unknown and have != wanted:
            raise errors.InvalidArgumentError(
                None, None,
                f"Input to reshape is a tensor with {have} values, but the requested shape "
                f"has {wanted}",
            )  # fmt: skip
    return torch.reshape(tensor, sizes)


def reshape(tensor, shape, name=None):
    """Gives a tensor another shape (source: `tf.reshape`).

    Args:
        tensor: a tensor; of a ragged one the flat values are used.
        shape: the new sizes, of which one may be -1, or a `DynamicRaggedShape`.

    Raises:
        InvalidArgumentError: if the number of elements differs.
    """
    if type(shape) is not list and hasattr(type(shape), "__tf_dispatch__"):
        return shape.__tf_dispatch__(_RESHAPE, (tensor, shape, name))
    sizes = to_shape(shape, "Tshape")
    if graph.state.trace is not None and _open_ways(tensor, sizes):
        open_sizes = OpenSizes(_size_tensor(sizes, torch.int64)._data)
        return _in_shape(_reshape(tensor, open_sizes, name), sizes, tensor)
    return _in_shape(_reshape(tensor, sizes, name), sizes, tensor)


_RESHAPE = Composite(reshape)


def _open_ways(tensor, sizes) -> bool:
    """Whether only a run can tell how the elements fit into the sizes.

    So it is where a known number of elements is to be divided into several open sizes, and where
    the open sizes of a trace, each of which stands for any number, happen not to fit.
    """
    if type(sizes) is OpenSizes:
        return False
    tensor = convert_to_tensor(tensor)
    if tensor.shape.is_fully_defined():
        return sum(not isinstance(s, int) for s in sizes) > 1
    if type(tensor) is not SymbolicTensor or rank_is_open(tensor._data):
        return False
    have, wanted = (
        math.prod(s if isinstance(s, int) else s.node.hint or math.nan for s in shape)
        for shape in (tensor._data.shape, [s for s in sizes if not _is_minus_one(s)])
    )
    known = math.prod(s for s in tensor._data.shape if isinstance(s, int))
    if math.isnan(have) or math.isnan(wanted) or wanted < 1 or known < 1:
        return False
    if all(isinstance(s, int) and s >= 0 for s in sizes) and wanted % known:
        return False  # fits no open size
    return have % wanted != 0 if any(map(_is_minus_one, sizes)) else have != wanted


def _is_minus_one(size) -> bool:
    return isinstance(size, int) and size == -1


def _in_shape(result, sizes, source):
    """A result of unknown rank, or made of a tensor of one: its shape is what was asked for."""
    if type(sizes) is list and any(
        type(x) is SymbolicTensor and rank_is_open(x._data) for x in (result, source)
    ):
        result.set_shape([s if isinstance(s, int) and s >= 0 else None for s in sizes])
    return result


@op("ExpandDims")
def _expand_dims(input: T, axis):
    if not -input.dim() - 1 <= axis <= input.dim():
        raise errors.InvalidArgumentError(
            None, None,
            f"Tried to expand dim index {axis} for tensor with {input.dim()} dimensions.",
        )  # fmt: skip
    return torch.unsqueeze(input, axis)


def expand_dims(input, axis, name=None):
    """Inserts an axis of size 1 (source: `tf.expand_dims`).

    Raises:
        InvalidArgumentError: if `axis` is out of range.
    """
    if axis is None:
        convert_to_tensor(axis)  # raises
    return _expand_dims(input, to_axis(axis, cast=not isinstance(input, (list, tuple))), name)


def _shows_in_a_run(size: torch.SymInt) -> bool:
    """Whether a size that an export sees depends on values, so that only a run can tell it."""
    from torch.fx.experimental.symbolic_shapes import has_free_unbacked_symbols

    return has_free_unbacked_symbols(size)


@op("Squeeze")
def squeeze(input: T, axis=None):
    """Removes axes of size 1 (source: `tf.squeeze`).

    Args:
        input: a tensor.
        axis: the axes to remove; all those of size 1 by default.

    Raises:
        InvalidArgumentError: if such an axis has another size.
    """
    axis = to_axis(axis)
    if axis is None or axis == []:
        return torch.squeeze(input)
    dims = axis if isinstance(axis, list) else [axis]
    for d in dims:
        if not -input.dim() <= d < input.dim():
            raise errors.InvalidArgumentError(
                None, None,
                f"Tried to squeeze dim index {d} for tensor with {input.dim()} dimensions.",
            )  # fmt: skip
        size = input.shape[d]
        if type(size) is torch.SymInt and _shows_in_a_run(size):
            torch._check(size == 1)
        elif size != 1:
            raise errors.InvalidArgumentError(
                None, None,
                f"Can not squeeze dim[{d % input.dim()}], expected a dimension of 1, got "
                f"{size}",
            )  # fmt: skip
    return torch.squeeze(input, tuple(dims))


@op("Transpose")
def _transpose(a: T, perm: list):
    needs_numbers(perm)
    if perm is None:
        return a.permute(tuple(reversed(range(a.dim()))))
    if len(perm) != a.dim():
        raise errors.InvalidArgumentError(
            None, None,
            f"transpose expects a vector of size {a.dim()}. But input(1) is a vector of size "
            f"{len(perm)}",
        )  # fmt: skip
    for p in perm:
        if not -a.dim() <= p < a.dim():
            raise errors.InvalidArgumentError(None, None, f"{p} is out of range [0 .. {a.dim()})")
    missing = set(range(a.dim())) - {p % a.dim() for p in perm}
    if missing:
        named = ",".join(map(str, perm))
        raise errors.InvalidArgumentError(
            None, None, f"{min(missing)} is missing from {{{named}}}."
        )
    return a.permute(tuple(perm))


def transpose(a, perm=None, conjugate=False, name="transpose"):
    """Permutes the axes (source: `tf.transpose`).

    Args:
        a: a tensor.
        perm: the new order of the axes; reversed by default.
        conjugate: whether complex elements are conjugated.

    Raises:
        InvalidArgumentError: if `perm` names an axis that is not there.
    """
    perm = to_axis_or_late(perm)
    result = _transpose(a, [perm] if isinstance(perm, int) else perm)
    if conjugate and result.dtype.is_complex:
        result = wrap(raw(result).conj().resolve_conj())
    return result


@op("BroadcastTo")
def _broadcast_to(input: T, sizes):
    return torch.broadcast_to(input, sizes)


@dispatched
def broadcast_to(input, shape, name=None):
    """Repeats a tensor along axes until it has the shape (source: `tf.broadcast_to`).

    Raises:
        InvalidArgumentError: if the shapes do not fit.
    """
    sizes = to_shape(shape)
    try:
        return _in_shape(_broadcast_to(input, sizes, name), sizes, input)
    except errors.InvalidArgumentError:
        have = convert_to_tensor(input).shape
        if any(s < 0 for s in sizes):
            problem = f"Dimension {min(sizes)} must be >= 0"
        elif have.rank > len(sizes):
            problem = (
                f"Rank of input ({have.rank}) must be no greater than rank of output shape "
                f"({len(sizes)})."
            )
        else:
            problem = f"Incompatible shapes: {brackets(have)} vs. {brackets(sizes)}"
        raise errors.of_kernel("BroadcastTo", problem, None) from None


@op("Identity")
def _identity(input: T):
    return input.view_as(input)


def identity(input, name=None):
    """A tensor with the same contents (source: `tf.identity`)."""
    return _identity(input, name)


@op("StopGradient")
def stop_gradient(input: T):
    """The same tensor, through which no gradient flows (source: `tf.stop_gradient`)."""
    return input.detach()


def shape_n(input, out_type=dtypes.int32, name=None):
    """The shapes of several tensors as integer vectors (source: `tf.shape_n`)."""
    return [shape(x, out_type) for x in input]


def identity_n(input, name=None):
    """Tensors with the same contents as those of a list (source: `tf.identity_n`)."""
    return [identity(x) for x in input]


def ensure_shape(x, shape, name=None):
    """The same tensor, of which the shape is now known (source: `tf.ensure_shape`).

    Args:
        x: a tensor.
        shape: a shape, sizes may be None.

    Raises:
        InvalidArgumentError: if the shapes are not compatible.
        ValueError: the same while a function is traced.
    """
    x, expected = convert_to_tensor(x), TensorShape(shape)
    if not x.shape.is_compatible_with(expected):
        if type(x) is SymbolicTensor:
            raise ValueError(
                f"Dimensions of {x.shape} and {expected} are not compatible for 'EnsureShape'"
            )
        raise errors.of_kernel(
            "EnsureShape",
            f"Shape of tensor input {sizes_text(x.shape)} is not compatible with expected shape "
            f"{sizes_text(expected)}.",
        )
    result = identity(x, name)
    if type(result) is SymbolicTensor and expected.rank is not None:
        result._name = x.name  # which the error of the check tells
        result.set_shape(expected)
        graph.state.trace.note(result, "EnsureShape", name)
    return result


def broadcast_static_shape(shape_x, shape_y):
    """The shape that two `TensorShape`s broadcast to (source: `tf.broadcast_static_shape`).

    Raises:
        ValueError: if they do not broadcast.
    """
    x, y = TensorShape(shape_x), TensorShape(shape_y)
    if x.rank is None or y.rank is None:
        return TensorShape(None)
    rank = max(x.rank, y.rank)
    sizes = []
    for a, b in zip([1] * (rank - x.rank) + list(x), [1] * (rank - y.rank) + list(y), strict=True):
        if a == 1 or a == b:
            sizes.append(b)
        elif b == 1:
            sizes.append(a)
        elif a is None or b is None:
            known = a if b is None else b
            sizes.append(known if known is not None and known > 1 else None)
        else:
            raise ValueError(
                f"Incompatible shapes for broadcasting. Two shapes are compatible if for each "
                f"dimension pair they are either equal or one of them is 1. Received: {x} and {y}."
            )
    return TensorShape(sizes)


@dispatched
def broadcast_dynamic_shape(shape_x, shape_y):
    """The shape that two shapes, given as vectors, broadcast to
    (source: `tf.broadcast_dynamic_shape`).

    Raises:
        InvalidArgumentError: if they do not broadcast.
    """
    kind = convert_to_tensor(shape_x)._data.dtype
    x, y = to_shape(shape_x), to_shape(shape_y)
    rank = max(len(x), len(y))
    sizes = []
    for a, b in zip([1] * (rank - len(x)) + x, [1] * (rank - len(y)) + y, strict=True):
        if isinstance(a, int) and isinstance(b, int) and a != b and 1 not in (a, b):
            raise errors.InvalidArgumentError(
                None, None,
                f"Incompatible shapes: {x} vs. {y} [Op:BroadcastArgs]".replace(", ", ","),
            )  # fmt: skip
        sizes.append(b if isinstance(a, int) and a == 1 else a)
    return _size_tensor(sizes, kind)


@op("Bitcast")
def _bitcast(input: T, to) -> U:
    have, want = input.element_size(), to.itemsize
    if have == want:
        return input.detach().contiguous().view(to)
    if have > want:
        return input.detach().contiguous().unsqueeze(-1).view(to)
    if input.dim() == 0 or input.shape[-1] * have != want:
        raise errors.InvalidArgumentError(
            None, None,
            f"Cannot bitcast from {dtypes.as_dtype(input.dtype).name} to "
            f"{dtypes.as_dtype(to).name}: last dimension must have size {want // have}",
        )  # fmt: skip
    return input.detach().contiguous().view(to).squeeze(-1)


@dispatched
def bitcast(input, type, name=None):
    """The same bits read as another type (source: `tf.bitcast`).

    Between types of different width the last axis is added, or must make up for it.

    Raises:
        InvalidArgumentError: if the last axis has the wrong size.
    """
    input = convert_to_tensor(input)
    wanted = dtypes.as_dtype(type)
    for kind in (input.dtype, wanted):
        if kind.torch is None or kind is dtypes.bool_:
            raise errors.InvalidArgumentError(
                None, None, f"Cannot bitcast {kind.name} [Op:Bitcast]"
            )
    return _bitcast(input, wanted.torch, name)


@op("UnravelIndex")
def _unravel_index(indices: Index, dims) -> Index:
    rest, parts = indices, []
    for d in reversed(dims):
        parts.append(torch.remainder(rest, d))
        rest = torch.div(rest, d, rounding_mode="floor")
    return torch.stack(parts[::-1])


def unravel_index(indices, dims, name=None):
    """Coordinates of flat indices into an array (source: `tf.unravel_index`).

    Args:
        indices: an integer scalar or vector.
        dims: the shape of the array.

    Returns:
        A tensor with one row for each axis.

    Raises:
        InvalidArgumentError: if an index is out of range.
    """
    dims = to_shape(dims)
    data = raw(indices)
    if not is_fake(data) and _known(dims):
        total = product(dims)
        if data.numel() and (int(data.max()) >= total or int(data.min()) < 0):
            raise errors.InvalidArgumentError(
                None, None, "index is out of bound as with dims [Op:UnravelIndex]"
            )
    return _unravel_index(indices, dims, name)
