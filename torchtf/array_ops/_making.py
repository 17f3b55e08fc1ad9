"""Making tensors."""

from __future__ import annotations

import builtins

import numpy as np
import torch

from torchtf.array_ops._shaping import identity, reshape
from torchtf.array_ops._shaping import product as _product
from torchtf.array_ops._shaping import shape as shape_of
from torchtf.core import device, dtypes, errors, graph, nest
from torchtf.core.convert import (
    KERNEL_NAMES,
    OpenSizes,
    convert_to_tensor,
    raw,
    sizes_of,
    to_axis,
    to_shape,
    to_torch,
)
from torchtf.core.dispatch import dispatched
from torchtf.core.op import op
from torchtf.core.shape import TensorShape, brackets
from torchtf.core.tensor import MANY, SymbolicTensor, is_tensor_type, wrap


def constant(value, dtype=None, shape=None, name="Const"):
    """Makes a tensor of a value (source: `tf.constant`).

    Args:
        value: a Python value, nested list or array.
        dtype: the type; by default int32 for Python ints, float32 for floats.
        shape: the shape; a single value is repeated to fill it.

    Raises:
        TypeError: if the value does not fit the type or shape, or has a tensor in it that a traced
            function computes.
        ValueError: if the value has no tensor form.
    """
    if graph.state.trace is not None:
        _check_constant(value, dtype)
    if is_tensor_type(value) and dtype is not None and value.dtype != dtype:
        raise TypeError(
            f"Expected tensor {value.numpy()} with dtype {dtypes.as_dtype(dtype)!r}, "
            f"but got dtype {value.dtype!r}."
        )
    tensor = convert_to_tensor(value, dtype)
    if shape is None:
        return tensor
    target = TensorShape(shape)
    if tensor.shape == target:
        return tensor
    if tensor.shape.num_elements() == target.num_elements():
        return reshape(tensor, target)
    if tensor.shape.num_elements() == 1:
        return fill(target, reshape(tensor, []))
    text = tensor.numpy()
    raise TypeError(
        f"Eager execution of tf.constant with unsupported shape. Tensor {text} (converted from "
        f"{value}) has {tensor.shape.num_elements()} elements, but got `shape` {target} with "
        f"{target.num_elements()} elements)."
    )


def _check_constant(value, dtype) -> None:
    """Raises TypeError if there is a tensor of the graph in a value."""
    for part in nest.flatten(value):
        if type(part) is SymbolicTensor:
            if dtype is None:
                raise TypeError("Expected any non-tensor type, but got a tensor instead.")
            raise TypeError(
                f"Expected {dtypes.as_dtype(dtype).name}, but got {part!s} of type "
                "'SymbolicTensor'."
            )


def _filled(shape, value, dtype, name):
    wanted = dtypes.as_dtype(dtype)
    sizes = to_shape(shape, None)
    if type(sizes) is OpenSizes:
        return _fill(convert_to_tensor("" if wanted is dtypes.string else value, wanted), sizes)
    if any(isinstance(s, int) and s < 0 for s in sizes):
        raise errors.of_kernel("Fill", f"Dimension {min(sizes)} must be >= 0")
    if wanted is dtypes.string:
        array = np.empty(sizes, dtype=object)
        array[...] = b"" if value == 0 else str(value).encode()
        return wrap(array)
    made = wrap(torch.full(sizes, value, dtype=wanted.torch, device=device.current()))
    if graph.state.trace is not None:
        graph.state.trace.note(made, "Const", name)
    return made


@dispatched
def zeros(shape, dtype=dtypes.float32, name=None, layout=None):
    """A tensor of zeros, or of empty strings (source: `tf.zeros`).

    Args:
        shape: a list of sizes, a `TensorShape`, an integer tensor of rank 1, or a
            `DynamicRaggedShape`.
        dtype: the type of the elements.
        layout: only None; DTensor layouts are not supported.
    """
    _no_layout(layout)
    return _filled(shape, 0, dtype, name or "zeros")


@dispatched
def ones(shape, dtype=dtypes.float32, name=None, layout=None):
    """A tensor of ones (source: `tf.ones`); see `zeros`.

    Raises:
        TypeError: for strings.
    """
    _no_layout(layout)
    if dtypes.as_dtype(dtype) is dtypes.string:
        raise TypeError("Cannot convert 1 to EagerTensor of dtype string")
    return _filled(shape, 1, dtype, name or "ones")


def _no_layout(layout):
    if layout is not None:
        raise NotImplementedError(
            "layout: DTensor layouts are not supported; use torch.distributed.tensor on `x.torch()`"
        )


@op("Fill", fold=None)
def _fill(value: T, sizes):
    return value.expand(sizes).clone()


@dispatched
def fill(dims, value, name=None, layout=None):
    """A tensor of shape `dims` filled with a scalar (source: `tf.fill`).

    Raises:
        InvalidArgumentError: if `value` is no scalar or a size is negative.
    """
    _no_layout(layout)
    value = convert_to_tensor(value)
    if value.shape.rank not in (0, None):
        problem = f"value must represent a scalar, got shape {brackets(value.shape)}"
        raise errors.of_kernel("Fill", problem, None)
    sizes = to_shape(dims)
    for s in sizes if type(sizes) is list else ():
        if isinstance(s, int) and s < 0:
            raise errors.of_kernel("Fill", f"Dimension {s} must be >= 0", None)
    return _fill(value, sizes, name)


@op("ZerosLike")
def _zeros_like(x: T):
    return torch.zeros_like(x)


@op("OnesLike", strings=None)
def _ones_like(x: T):
    return torch.ones_like(x)


@dispatched
def zeros_like(input, dtype=None, name=None, layout=None):
    """Zeros of the shape, and by default the type, of `input` (source: `tf.zeros_like`)."""
    _no_layout(layout)
    input = convert_to_tensor(input)
    if dtype is not None and input.dtype != dtype:
        return zeros(shape_of(input), dtype)
    return _zeros_like(input, name)


@dispatched
def ones_like(input, dtype=None, name=None, layout=None):
    """Ones of the shape, and by default the type, of `input` (source: `tf.ones_like`)."""
    _no_layout(layout)
    input = convert_to_tensor(input)
    if dtype is not None and input.dtype != dtype:
        return ones(shape_of(input), dtype)
    return _ones_like(input, name)


def eye(num_rows, num_columns=None, batch_shape=None, dtype=dtypes.float32, name=None):
    """An identity matrix, or a batch of them (source: `tf.eye`).

    Args:
        num_rows: the number of rows.
        num_columns: the number of columns; `num_rows` by default.
        batch_shape: sizes of leading axes.
        dtype: the type of the elements.

    Raises:
        InvalidArgumentError: for a negative size.
    """
    rows = to_shape([num_rows])[0]
    columns = rows if num_columns is None else to_shape([num_columns])[0]
    for size in (rows, columns):
        if isinstance(size, int) and size < 0:
            raise errors.of_kernel("Fill", f"Dimension {size} must be >= 0", name or "")
    matrix = torch.eye(rows, columns, dtype=torch.int8, device=device.current())
    matrix = matrix.to(dtypes.as_dtype(dtype).torch)
    if batch_shape is not None:
        matrix = matrix.expand(*to_shape(batch_shape), rows, columns).clone()
    return wrap(matrix)


def range(start, limit=None, delta=1, dtype=None, name="range"):
    """The numbers from `start` below `limit` in steps of `delta` (source: `tf.range`).

    Args:
        start: the first number, or the limit if it is the only one given.
        limit: the end, not included.
        delta: the step.
        dtype: the type; by default the widest of the three.

    Raises:
        InvalidArgumentError: if the step is zero, or the limit lies on the wrong side.
    """
    if limit is None:
        start, limit = 0, start
    parts = [start, limit, delta]
    if dtype is None:
        order = [dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64]
        kinds = []
        for p in parts:
            kind = convert_to_tensor(p).dtype
            if kind not in order:
                kind = kind if kind in (dtypes.float16, dtypes.bfloat16) else dtypes.int32
            kinds.append(kind)
        low = [k for k in kinds if k not in order]
        wanted = low[0] if low else max(kinds, key=order.index)
    else:
        wanted = dtypes.as_dtype(dtype)
    if any(type(p) is SymbolicTensor and p.dtype.is_floating for p in parts):
        return _open_range(parts, wanted)
    values = [_number(p) for p in parts]
    if not _shown(values):
        return _open_range(parts, wanted)
    if all(isinstance(v, (int, float)) for v in values):
        try:
            check_range(*values)
        except errors.InvalidArgumentError:
            if _in_branch_at_run_time():  # fails if it is taken
                return _open_range(parts, wanted)
            raise
    made = wrap(_arange(values, wanted.torch))
    if type(made) is SymbolicTensor:
        made._first = start
    if type(made) is SymbolicTensor and wanted.is_integer and all(type(v) is int for v in values):
        known = np.arange(*values)
        if len(known) <= _FEW:  # may be sizes or axes
            made._sizes = known.astype(object)
    return made


def check_range(first, last, step) -> None:
    """Raises TensorFlow's errors for a range that does not lead from its start to its limit."""
    if step == 0:
        raise errors.of_kernel("Range", "Requires delta != 0: 0")
    if (step > 0 and first > last) or (step < 0 and first < last):
        sign, relation = (">", "<=") if step > 0 else ("<", ">=")
        raise errors.of_kernel(
            "Range", f"Requires start {relation} limit when delta {sign} 0: {first}/{last}"
        )


def _in_branch_at_run_time() -> bool:
    """Whether a branch or a loop is traced for a call that gives it its sizes."""
    trace = graph.state.trace
    return trace is not None and trace.parent is not None and trace.root.at_run_time


def _shown(values) -> bool:
    """Whether the examples that a trace has of symbolic bounds make a range with elements."""
    if not any(isinstance(v, torch.SymInt) for v in values):
        return True
    first, last, step = (v.node.hint if isinstance(v, torch.SymInt) else v for v in values)
    return (last - first) * step > 0


def _open_range(parts, dtype: dtypes.DType):
    """A range whose length shows when the graph runs."""
    bounds = [raw(convert_to_tensor(p)) for p in parts]
    made = wrap(graph.state.trace.open_range(bounds, dtype.torch))
    made._first = parts[0]
    return made


def _arange(values, dtype):
    """torch.arange; by NumPy for many integers, which it counts up several at once."""
    place, kind = device.current(), _COUNTED_BY_NUMPY.get(dtype)
    if kind is not None and place.type == "cpu" and all(type(v) is int for v in values):
        first, last, step = values
        if (last - first) // step >= MANY and graph.state.trace is None:
            return torch.from_numpy(np.arange(first, last, step, kind))
    return count_up(values, dtype, place)


def count_up(bounds, dtype: torch.dtype, place) -> torch.Tensor:
    """torch.arange; how many floats there are, the type tells: torch counts in float64."""
    kind = _COUNTED_IN.get(dtype)
    if kind is not None and all(isinstance(b, (int, float)) for b in bounds):
        first, last, step = map(kind, bounds)
        count = np.ceil(np.abs((last - first) / step))
        if np.isfinite(count):
            bounds = (float(first), float(first) + float(step) * (float(count) - 0.5), float(step))
        if count == 0:
            return torch.empty(0, dtype=dtype, device=place)
    return torch.arange(*bounds, dtype=dtype, device=place)


_FEW = 64  # elements of a range that a trace knows one by one
_COUNTED_IN = {torch.float32: np.float32}
_COUNTED_BY_NUMPY = {torch.int32: np.int32, torch.int64: np.int64}


def _number(value):
    """A scalar argument as a Python or symbolic number."""
    if isinstance(value, (int, float, torch.SymInt)):
        return value
    sizes = sizes_of(value)
    if sizes is not None:
        return sizes[()]
    data = to_torch(value)
    if isinstance(data, np.ndarray):
        raise TypeError(f"tf.range takes numbers, got {value!r}")
    if data.numel() != 1:
        raise errors.InvalidArgumentError(
            None, None, f"start, limit and delta must be scalars, got shape {list(data.shape)}"
        )
    return data.item()


def guarantee_const(input, name=None):
    """The same tensor, promised to stay constant (source: `tf.guarantee_const`)."""
    return identity(input, name)


@op("LinSpace")
def _linspace(start: Float, stop: Float, num, axis):
    start, stop = torch.broadcast_tensors(start, stop)
    axis = axis + start.dim() + 1 if axis < 0 else axis
    start, stop = start.unsqueeze(axis), stop.unsqueeze(axis)
    if num < 2:
        return start.narrow(axis, 0, num).clone()
    steps = torch.arange(1, num - 1, dtype=start.dtype, device=start.device)
    steps = steps.reshape(-1, *(1,) * (start.dim() - axis - 1))
    return torch.cat([start, start + (stop - start) / (num - 1) * steps, stop], axis)


def linspace(start, stop, num, name=None, axis=0):
    """`num` evenly spaced numbers from start to stop, both included (source: `tf.linspace`).

    Args:
        start, stop: tensors of one type that broadcast; integers count as float64.
        num: how many numbers.
        axis: the axis of the result along which they lie.

    Raises:
        InvalidArgumentError: if `num` is negative.
    """
    start = convert_to_tensor(start)
    stop = convert_to_tensor(stop, dtype=start.dtype)
    if start.dtype.is_integer:
        start, stop = (wrap(raw(t).to(torch.float64)) for t in (start, stop))
    (num,) = to_shape(num)
    if isinstance(num, int) and num < 0:
        raise errors.of_kernel("Range", f"Requires start <= limit when delta > 0: 1/{num}")
    return _linspace(start, stop, num, axis, name)


@op("OneHot")
def _one_hot(indices: U, on_value: T, off_value: T, depth, axis) -> T:
    axis = indices.dim() if axis == -1 else axis
    index, on, off = indices.to(torch.int64).unsqueeze(axis), on_value.detach(), off_value.detach()
    shape = list(index.shape)
    shape[axis] = depth
    if isinstance(depth, int) and depth == 0:  # there is no place to write to
        return off.expand(shape)
    inside = (index >= 0) & (index < depth)
    # what is no class writes the value that is there already
    place, value = torch.where(inside, index, 0), torch.where(inside, on, off)
    return off.expand(shape).scatter(axis, place, value)


@dispatched
def one_hot(indices, depth, on_value=None, off_value=None, axis=None, dtype=None, name=None):
    """Vectors that are `on_value` at an index and `off_value` elsewhere (source: `tf.one_hot`).

    Args:
        indices: a tensor of integers; those out of range give no `on_value`.
        depth: the length of the vectors.
        on_value, off_value: scalars, 1 and 0 by default.
        axis: the new axis; the last one by default.
        dtype: the type of the result; that of the values, or float32, by default.

    Raises:
        TypeError: if the types of `on_value`, `off_value` and `dtype` differ.
    """
    given = [convert_to_tensor(v) for v in (on_value, off_value) if v is not None]
    if dtype is None:
        wanted = given[0].dtype if given else dtypes.float32
    else:
        wanted = dtypes.as_dtype(dtype)
        if on_value is not None:
            on_value = convert_to_tensor(on_value, dtype_hint=wanted)
        if off_value is not None:
            off_value = convert_to_tensor(off_value, dtype_hint=wanted)
    for label, value in (("on_value", on_value), ("off_value", off_value)):
        kind = None if value is None else convert_to_tensor(value).dtype
        if kind is not None and kind is not wanted:
            raise TypeError(f"dtype {kind} of {label} does not match dtype parameter {wanted}")
    on = convert_to_tensor(1 if on_value is None else on_value, dtype=wanted)
    off = convert_to_tensor(0 if off_value is None else off_value, dtype=wanted)
    if isinstance(depth, (list, tuple)) or getattr(depth, "ndim", 0):
        found = brackets(convert_to_tensor(depth).shape)
        raise errors.of_kernel("OneHot", f"depth must be a scalar, but got: {found}", None)
    (depth,) = to_shape(depth, None)
    label = None if isinstance(indices, (list, tuple)) else ""
    indices = convert_to_tensor(indices)
    if indices._data.dtype not in (torch.uint8, torch.int8, torch.int32, torch.int64):
        raise errors.InvalidArgumentError(
            None, None,
            f"Value for attr 'TI' of {KERNEL_NAMES[indices._data.dtype]} is not in the list of "
            "allowed values: uint8, int8, int32, int64 [Op:OneHot]",
        )  # fmt: skip
    axis = -1 if axis is None else to_axis(axis)
    if indices.ndim is not None and not -1 <= axis <= indices.ndim:
        bound = indices.ndim + 1
        raise errors.of_kernel(
            "OneHot",
            f"Expected axis to be -1 or between [0, {bound}).  But received: {axis}",
            label,
        )
    if isinstance(depth, int) and depth < 0:
        raise errors.of_kernel("OneHot", f"depth must be non-negative, got: {depth}", label)
    return _one_hot(indices, on, off, depth, axis, name)


@op("SequenceMask")
def _sequence_mask(lengths: U, size, to) -> Bool:
    places = torch.arange(size, dtype=lengths.dtype, device=lengths.device)
    return (places < lengths.unsqueeze(-1)).to(to)


def sequence_mask(lengths, maxlen=None, dtype=dtypes.bool_, name=None):
    """Masks whose first elements, `lengths` many, are True (source: `tf.sequence_mask`).

    Args:
        lengths: a tensor of integers.
        maxlen: the length of the masks; the greatest of `lengths` by default.
        dtype: the type of the result.

    Raises:
        ValueError: if `maxlen` is no scalar.
    """
    lengths = convert_to_tensor(lengths)
    if maxlen is None:
        data, known = raw(lengths), sizes_of(lengths)
        if known is not None:
            size = max(known.reshape(-1), default=0)
        else:
            size = 0 if data.numel() == 0 else data.max().item()
        size = size if isinstance(size, torch.SymInt) else max(int(size), 0)
    else:
        maxlen = convert_to_tensor(maxlen)
        if maxlen.shape.rank not in (0, None):
            raise ValueError(
                "Argument `maxlen` must be scalar for sequence_mask, "
                f"received `maxlen` = {maxlen} with shape '{maxlen.shape}' instead"
            )
        (size,) = to_shape(maxlen)
    return _sequence_mask(lengths, size, dtypes.as_dtype(dtype).torch, name)


def meshgrid(*args, **kwargs):
    """Coordinates of a grid spanned by vectors (source: `tf.meshgrid`).

    Args:
        *args: vectors.
        indexing: "xy" (default), where the first two axes are swapped, or "ij".
        name: a name for the op.

    Returns:
        A list of as many tensors, each of the shape of the grid.

    Raises:
        TypeError: for an unknown keyword.
        ValueError: if `indexing` is unknown.
    """
    indexing = kwargs.pop("indexing", "xy")
    kwargs.pop("name", None)
    if kwargs:
        key = next(iter(kwargs))
        raise TypeError(f"'{key}' is an invalid keyword argument for this function")
    if indexing not in ("xy", "ij"):
        raise ValueError(
            f"Argument `indexing` parameter must be either 'xy' or 'ij', got '{indexing}'"
        )
    return list(_meshgrid(list(args), indexing)) if args else []


@op("Meshgrid")
def _one_grid(x: T, sizes, axis):
    shape = [1] * len(sizes)
    shape[axis] = -1
    return x.reshape(shape).expand(sizes).clone()


def _meshgrid(args, indexing):
    vectors = [convert_to_tensor(a) for a in args]
    sizes = [_product(v._data.shape) for v in vectors]
    axes = list(builtins.range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        axes[:2] = [1, 0]
        sizes[:2] = [sizes[1], sizes[0]]
    return [_one_grid(v, sizes, axis) for v, axis in zip(vectors, axes, strict=True)]
