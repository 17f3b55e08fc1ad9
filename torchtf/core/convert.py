"""Conversion of values to tensors, by TensorFlow's rules.

* Python ints become int32 (int64 if they do not fit), floats float32, NumPy values keep their type.
* A list that contains tensors is stacked.
* `dtype` is a demand: a value that does not fit raises. `hint` is a wish: it is tried first.
* Small Python scalars come from a cache, since tensors are immutable.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import _disable_current_modes

from torchtf.core import arena, device, dtypes, graph
from torchtf.core.dtypes import DType, as_dtype
from torchtf.core.shape import TensorShape, brackets
from torchtf.core.tensor import SymbolicTensor, Tensor, is_fake, is_tensor_type, wrap

_PYTHON_DTYPES = {
    bool: torch.bool,
    int: torch.int32,
    float: torch.float32,
    complex: torch.complex128,
}
# Python types whose values a tensor of a given kind may take
_FLOATS = frozenset(d.torch for d in dtypes.ALL if d.is_floating)
_COMPLEX = frozenset((torch.complex64, torch.complex128))
_STRINGS = (str, bytes, np.str_, np.bytes_)

_functions: list[tuple[int, type, Any]] = []


def register_conversion(base_type, function, priority: int = 100) -> None:
    """Registers `function(value, dtype, name, as_ref)` as the conversion of a type."""
    _functions.append((priority, base_type, function))
    _functions.sort(key=lambda entry: entry[0])


def to_torch(value, dtype: torch.dtype | None = None, hint: torch.dtype | None = None):
    """The raw data of `value`: a torch tensor, or an object array for strings.

    Args:
        value: a tensor, variable, array, Python value or nested list of them.
        dtype: the torch dtype demanded, or None.
        hint: the torch dtype to prefer where the value leaves a choice.

    Raises:
        ValueError: if the value has no tensor form, or a tensor has another dtype.
        TypeError: if a Python value does not fit `dtype`.
    """
    kind = type(value)
    if kind is Tensor or kind is SymbolicTensor:
        data = value._data
    elif hasattr(kind, "_tape_read"):
        data = value._tape_read()
    elif isinstance(value, torch.Tensor):
        data = value
    else:
        return _from_python(value, dtype, hint)
    if dtype is not None and data.dtype is not dtype:
        have = getattr(value, "dtype", data.dtype)
        raise ValueError(
            f"Tensor conversion requested dtype {as_dtype(dtype).name} for Tensor with dtype "
            f"{as_dtype(have).name}: {value!r}"
        )
    return data


def _from_python(value, dtype, hint):
    kind = type(value)
    if kind in _PYTHON_DTYPES:
        return _scalar(value, kind, dtype, hint)
    if kind is list or kind is tuple:
        return _from_list(value, dtype, hint)
    if isinstance(value, np.generic):
        return from_array(np.asarray(value), dtype or _castable(value.dtype, hint))
    if isinstance(value, _STRINGS):
        if dtype is not None:
            raise _cannot_convert(value, dtype)
        return _object_scalar(value)
    if isinstance(value, np.ndarray):
        return from_array(value, dtype or _castable(value.dtype, hint))
    for _, base, function in _functions:
        if isinstance(value, base):
            result = function(value, dtype=dtype and as_dtype(dtype), name=None, as_ref=False)
            if result is not NotImplemented:
                return to_torch(result, dtype)
    if isinstance(value, (list, tuple)):
        return _from_list(value, dtype, hint)
    if isinstance(value, range):
        return _from_list(list(value), dtype, hint)
    if isinstance(value, TensorShape):
        if not value.is_fully_defined():
            raise ValueError(f"Cannot convert a partially known TensorShape {value} to a Tensor.")
        return _from_list(list(value), dtype or torch.int32, hint)
    if isinstance(value, torch.SymInt):
        return torch.scalar_tensor(value, dtype=dtype or hint or torch.int32)
    if isinstance(value, DType):
        raise ValueError(f"Attempt to convert a value ({value!r}) to a Tensor.")
    if hasattr(value, "__array__") and not isinstance(value, type):
        return from_array(np.asarray(value), dtype)
    raise _unsupported(value)


def _cannot_convert(value, dtype) -> TypeError:
    return TypeError(f"Cannot convert {value!r} to EagerTensor of dtype {KERNEL_NAMES[dtype]}")


def _unsupported(value) -> ValueError:
    return ValueError(
        f"Attempt to convert a value ({value!r}) with an unsupported type ({type(value)!r}) "
        "to a Tensor."
    )


def _castable(have: np.dtype, hint):
    """`hint` if an array of this type may be cast to it."""
    return hint if hint is not None and have.kind in "biufc" else None


def fits(kind: type, dtype: torch.dtype) -> bool:
    """Whether Python values of a type may become elements of `dtype`."""
    if kind is float:
        return dtype in _FLOATS or dtype in _COMPLEX
    if kind is complex:
        return dtype in _COMPLEX
    if kind is bool:
        return True
    return dtype is not torch.bool


_cache: dict[tuple, torch.Tensor] = {}


def _scalar(value, kind, dtype, hint):
    if dtype is None:
        if hint is not None and fits(kind, hint):
            dtype = hint
        else:
            dtype = _PYTHON_DTYPES[kind]
            if kind is int and not -(2**31) <= value < 2**31:
                if not -(2**63) <= value < 2**63:
                    raise ValueError(_OUT_OF_RANGE)
                dtype = torch.int64
    elif not fits(kind, dtype):
        raise _cannot_convert(value, dtype)
    place = device.current()
    if graph.state.trace is not None:
        return torch.scalar_tensor(value, dtype=dtype, device=place)
    key = (value, kind, dtype, place)
    found = _cache.get(key)
    if found is None or value == 0 or kind is complex:  # 0.0 and -0.0 are equal keys
        found = _make_scalar(value, dtype, place)
        if len(_cache) > 4096:
            _cache.clear()
        _cache[key] = found
    return found


def _make_scalar(value, dtype, place):
    if not dtype.is_floating_point and not dtype.is_complex and dtype is not torch.bool:
        info = torch.iinfo(dtype)
        if not info.min <= value <= info.max:  # TensorFlow wraps around, as NumPy's astype
            array: np.ndarray = np.asarray(value).astype(as_dtype(dtype).as_numpy_dtype)
            return torch.from_numpy(array.reshape(1))[0].to(place)
    return torch.tensor(value, dtype=dtype, device=place)


def _object_scalar(value):
    array = np.empty((), dtype=object)
    array[()] = value.encode() if isinstance(value, str) else bytes(value)
    return array


# the types that NumPy and torch share: arrays of them become tensors without torch's slow parser
_SHARED = {
    d.torch: d.as_numpy_dtype for d in dtypes.FROM_TORCH.values()
    if d.is_bool or (d.is_numeric and not d.is_complex and d.as_numpy_dtype.__module__ == "numpy")
}  # fmt: skip
_OWN_SHARED = {numpy_type: numpy_type for numpy_type in _SHARED.values()}


def from_array(array: np.ndarray, dtype, ours: bool = False):
    """The raw data of an array; a copy, unless nobody else holds the array's memory (`ours`)."""
    shared = _OWN_SHARED.get(array.dtype.type) if dtype is None else _SHARED.get(dtype)
    if shared is not None and array.dtype.kind in "biuf" and graph.state.trace is None:
        data = torch.from_numpy(array.astype(shared, order="C", copy=not ours))
        place = device.current()
        return data if place.type == "cpu" else data.to(place)
    if array.dtype.kind in "OSU":
        if dtype is None:
            return _bytes_array(array)
        array = array.astype(as_dtype(dtype).as_numpy_dtype)  # TensorFlow reads numbers in text
    try:
        have = as_dtype(array.dtype)
    except TypeError:
        raise ValueError(
            "Failed to convert a NumPy array to a Tensor (Unsupported numpy type: "
            f"{_NUMPY_KINDS.get(array.dtype.kind, array.dtype)})."
        ) from None
    if not array.flags.c_contiguous or not array.dtype.isnative:
        array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    if have.as_numpy_dtype.__module__ == "ml_dtypes":
        bits = np.uint16 if have.size == 2 else np.uint8
        data = torch.tensor(array.view(bits)).view(have.torch)
    else:
        data = torch.tensor(array)
    if dtype is not None and data.dtype is not dtype:
        data = data.to(dtype)
    place = device.current()
    return data if place.type == "cpu" else data.to(place)


def _bytes_array(array: np.ndarray) -> np.ndarray:
    out = np.empty(array.shape, dtype=object)
    for index, item in enumerate(array.flat):
        if isinstance(item, str):
            item = item.encode()
        elif not isinstance(item, bytes):
            raise ValueError(
                "Failed to convert a NumPy array to a Tensor (Unsupported object type "
                f"{type(item).__name__})."
            )
        out.flat[index] = bytes(item)
    return out


def _leaf_types(value, found: set) -> set:
    """The types of the atoms of nested lists; of an array, that of its elements."""
    kinds = set(map(type, value))
    if np.ndarray in kinds:
        kinds.remove(np.ndarray)
        found |= {item.dtype.type for item in value if type(item) is np.ndarray}
    nested = {k for k in kinds if issubclass(k, (list, tuple))}
    found |= kinds - nested
    if nested:
        for item in value:
            if type(item) in nested:
                _leaf_types(item, found)
    return found


_MIXED = "Can't convert Python sequence with mixed types to Tensor."
_OUT_OF_RANGE = "Can't convert Python sequence with out-of-range integer to Tensor."
_RAGGED = "Can't convert non-rectangular Python sequence to Tensor."
_NUMPY_KINDS = {"M": "NPY_DATETIME", "m": "NPY_TIMEDELTA", "V": "NPY_VOID"}
# the families of types of atoms, and which may follow a first one
_FAMILIES = {
    bool: (bool, np.bool_),
    int: (int, np.integer),
    float: (float, np.floating),
    complex: (complex, np.complexfloating),
    str: _STRINGS,
}
_FOLLOW: dict[Any, set] = {
    bool: {bool},
    int: {bool, int, float},
    float: {bool, int, float},
    complex: {bool, int, float, complex},
    str: {str},
}


@functools.cache
def _family(kind: type) -> type | None:
    return next((f for f, members in _FAMILIES.items() if issubclass(kind, members)), None)


def _from_list(value, dtype, hint):
    kinds: set[type] = _leaf_types(value, set())
    families = {_family(k) for k in kinds}
    if None in families and any(
        issubclass(k, torch.Tensor)
        or k in (Tensor, SymbolicTensor)
        or hasattr(k, "_tape_read")
        or k is torch.SymInt
        for k in kinds
    ):
        return _stack(value, dtype, hint)
    if not kinds:
        shape = np.array(value, dtype=object).shape
        return torch.empty(shape, dtype=dtype or hint or torch.float32, device=device.current())
    first = next(_atoms(value))
    kind: type = first.dtype.type if type(first) is np.ndarray else type(first)
    if None in families:
        return _from_aliens(value, first, _family(kind) is None, dtype, hint)
    family = _family(kind)
    if not families <= _FOLLOW[family] and not (
        family is bool and dtype is not None and str not in families
    ):
        raise ValueError(_MIXED)
    if family is str:
        return _string_list(value, dtype)
    target = dtype
    if target is None and hint is not None and all(fits(f, hint) for f in families):
        target = hint
    if target is not None and not all(fits(f, target) for f in families):
        raise _cannot_convert(value, target)
    array = _rectangular(value)
    if array.dtype.kind == "O" and not (target is not None and target.is_floating_point):
        raise ValueError(_OUT_OF_RANGE)
    if target is None:  # the first atom decides; integers are int32 if they fit
        if family is float and kind is not float:
            target = as_dtype(kind).torch
        else:
            target = _PYTHON_DTYPES[float if family is int and float in families else family]
        if target is torch.int32 and array.size:
            if array.dtype == np.uint64 and array.max() >= 2**63:
                raise ValueError(_OUT_OF_RANGE)
            if array.min() < -(2**31) or array.max() >= 2**31:
                target = torch.int64
    return from_array(array.astype(float) if array.dtype.kind == "O" else array, target)


def _depth(value) -> int:
    """How deep the first atom of nested lists lies."""
    depth = 0
    while isinstance(value, (list, tuple)):
        depth, value = depth + 1, value[0] if value else None
    return depth + (value.ndim if isinstance(value, np.ndarray) else 0)


def _is_deeper(value, depth) -> bool:
    """Whether some list lies at a depth or below."""
    return isinstance(value, (list, tuple)) and (
        depth == 0 or any(_is_deeper(item, depth - 1) for item in value)
    )


def _uneven(value) -> ValueError:
    return ValueError(_MIXED if _is_deeper(value, _depth(value)) else _RAGGED)


def _rectangular(value) -> np.ndarray:
    try:
        return np.array(value)
    except ValueError:
        raise _uneven(value) from None


def _from_aliens(value, first, first_is_alien, dtype, hint):
    """A list with atoms that are neither numbers nor text; NumPy may know what they are."""
    array = _rectangular(value)
    if array.dtype.kind == "O":
        raise _unsupported(first) if first_is_alien else ValueError(_MIXED)
    return from_array(array, dtype or _castable(array.dtype, hint))


def _atoms(value):
    for item in value:
        if isinstance(item, (list, tuple)):
            yield from _atoms(item)
        else:
            yield item


def _string_list(value, dtype):
    if dtype is not None:
        raise _cannot_convert(value, dtype)
    array = np.array(value, dtype=object)
    if array.ndim != _depth(value) or any(isinstance(x, (list, tuple)) for x in array.flat):
        raise _uneven(value)
    return _bytes_array(array)


def _stack(value, dtype, hint):
    """Packs a list some of whose atoms are tensors; all take the type of the first tensor.

    If that is not the type asked for, all are cast.
    """
    first = None
    for item in _atoms(value):
        if is_tensor_type(item) or isinstance(item, torch.Tensor):
            first = item._data.dtype if is_tensor_type(item) else item.dtype
            break
        if hasattr(type(item), "_tape_read"):
            first = item._tape_read().dtype
            break
        if isinstance(item, (np.ndarray, np.generic)):
            first = as_dtype(item.dtype).torch
            break
    target = dtype or first
    casts = dtype is not None and first is not None and first is not dtype
    if target is not None and _holds_strings(value):
        return graph.state.trace.stack_strings(value)
    if isinstance(target, np.dtype):  # strings
        parts = [to_torch(item) for item in value]
        out = np.empty((len(parts), *parts[0].shape), dtype=object)
        for i, part in enumerate(parts):
            out[i] = part
        return out
    parts = [to_torch(item, None, target) for item in value]
    if casts:
        parts = [part.to(target) for part in parts]
    for item, part in zip(value, parts, strict=True):
        if target is not None and part.dtype is not target:
            if type(item) in _PYTHON_DTYPES:
                raise _cannot_convert(item, target)
            expected, found = KERNEL_NAMES.get(target), KERNEL_NAMES.get(part.dtype)
            raise _pack_error(
                "cannot compute Pack as input #1(zero-based) was expected to be a "
                f"{expected} tensor but is a {found} tensor"
            )
    if graph.state.trace is None:
        for i, part in enumerate(parts):
            if part.shape != parts[0].shape:
                raise _pack_error(
                    "Shapes of all inputs must match: values[0].shape = "
                    f"{brackets(parts[0].shape)} != values[{i}].shape = {brackets(part.shape)}"
                )
    return torch.stack(parts)


def _holds_strings(value) -> bool:
    """Whether a list has symbolic strings in it."""
    return graph.state.trace is not None and any(
        getattr(item, "dtype", None) is dtypes.string for item in _atoms(value)
    )


def _pack_error(message):
    from torchtf.core import errors

    return errors.InvalidArgumentError(None, None, f"{message} [Op:Pack]")


# the names of types in the messages of TensorFlow's runtime
KERNEL_NAMES: dict[Any, str] = {t: d.name for t, d in dtypes.FROM_TORCH.items()} | {
    torch.float32: "float",
    torch.float64: "double",
    torch.float16: "half",
}


def kernel_name(dtype: dtypes.DType) -> str:
    """What TensorFlow's runtime calls a type."""
    return KERNEL_NAMES.get(dtype.torch, dtype.name)


def sizes_of(value):
    """The elements of `value` as an object array of Python and symbolic ints, if known."""
    if isinstance(value, (np.ndarray, np.integer)) and value.dtype.kind in "iu":
        return np.asarray(value).astype(object)
    kind = type(value)  # a bare stand-in may have them from where it was wrapped
    return getattr(value, "_sizes", None) if kind is SymbolicTensor or kind is FakeTensor else None


def convert_to_tensor(value, dtype=None, dtype_hint=None, name=None) -> Tensor:
    """Converts a value to a `Tensor` (source: `tf.convert_to_tensor`).

    Args:
        value: a tensor (returned as it is), variable, array, Python value or nested list.
        dtype: the type demanded; None keeps the value's own.
        dtype_hint: the type to prefer where the value leaves a choice.
        name: a name for the op; the eager result has none.

    Raises:
        ValueError: if the value has no tensor form or a tensor has another dtype.
        TypeError: if a Python value does not fit `dtype`.
    """
    kind = type(value)
    wanted = None if dtype is None else as_dtype(dtype)
    if kind is Tensor or kind is SymbolicTensor:
        if wanted is not None and value.dtype is not wanted:
            raise ValueError(
                f"Tensor conversion requested dtype {wanted.name} for Tensor with dtype "
                f"{value.dtype.name}: {value!r}"
            )
        return value
    hint = None if dtype_hint is None else as_dtype(dtype_hint).torch
    if wanted is dtypes.string:
        data = to_torch(value)
        if isinstance(value, (list, tuple)) and 0 in data.shape:  # nothing tells its type
            data = np.empty(tuple(data.shape), dtype=object)
        if not isinstance(data, np.ndarray) and not arena.is_handles(data):
            raise TypeError(f"Cannot convert {value!r} to EagerTensor of dtype string")
        return wrap(data)
    data = to_torch(value, None if wanted is None else wanted.torch, hint)
    sizes = None
    if graph.state.trace is not None:
        sizes = _known_sizes(value)
    if hasattr(kind, "_copy_on_read"):  # what escapes must not change with the variable
        data = value._copy_on_read(data)
    result = wrap(data)
    if sizes is not None and type(result) is SymbolicTensor:
        result._sizes = sizes
    return result


def _known_sizes(value):
    """The elements of an int, of a list of ints and size tensors or of a small array, if known."""
    if type(value) is int or isinstance(value, torch.SymInt):
        return np.array(value, dtype=object)
    if isinstance(value, np.ndarray):
        return value.astype(object) if value.dtype.kind in "iu" and value.size <= 64 else None
    if not isinstance(value, (list, tuple)):
        return None
    if value and all(isinstance(item, (list, tuple)) for item in value):
        rows = [_known_sizes(item) for item in value]
        if any(row is None for row in rows) or len({row.shape for row in rows}) > 1:
            return None
        return np.stack(rows)
    items = []
    for item in value:
        if type(item) is int or isinstance(item, torch.SymInt):
            items.append(item)
        elif type(item) is SymbolicTensor and item._sizes is not None and item._sizes.ndim == 0:
            items.append(item._sizes[()])
        elif type(item) is Tensor and not is_fake(item._data) and item._data.ndim == 0:
            items.append(item._data.item())
        else:
            return None
    out = np.empty(len(items), dtype=object)
    out[:] = items
    return out


def refuse_index_type(dtype, attribute: str = "Tidx"):
    """Raises what an op raises whose sizes, axes or indices are no integers."""
    name = "string" if isinstance(dtype, np.dtype) else KERNEL_NAMES[dtype]
    message = f"Value for attr '{attribute}' of {name} is not in the list of allowed values: "
    if graph.state.trace is not None:
        raise TypeError(f"{message}int32, int64")
    from torchtf.core import errors

    raise errors.InvalidArgumentError(None, None, f"{message}int32, int64")


def _is_no_integer(data) -> bool:
    if not isinstance(data, torch.Tensor):
        return True  # strings
    return data.is_floating_point() or data.dtype is torch.bool


def _as_ints(value, cast: bool):
    """A NumPy array or scalar as integers, which it becomes as an argument of an integer type; None
    for anything else, or if nothing is to be cast.
    """
    if not cast or not isinstance(value, (np.ndarray, np.generic)):
        return None
    return np.asarray(value).astype(np.int64)


def to_shape(shape, attribute: str | None = "Tidx", cast: bool = True) -> Any:
    """A shape argument as a list of ints and symbolic ints (-1 stays -1).

    A symbolic vector of unknown length comes as `OpenSizes`.

    Args:
        shape: a list (whose items may be scalar tensors), `TensorShape`, int, array or tensor.
        attribute: the name, in messages, of the op's attribute that is the type of the sizes; None
            if the function makes an int32 tensor of them, which is a TypeError where that fails.
        cast: whether NumPy arrays of floats, booleans or text are cast.

    Raises:
        ValueError: if a size is unknown.
        InvalidArgumentError: if a size is no integer (TypeError in a trace).
    """
    if isinstance(shape, TensorShape):
        if not shape.is_fully_defined():
            raise ValueError(f"Cannot convert a partially known TensorShape {shape} to a Tensor.")
        return list(shape)
    if isinstance(shape, (list, tuple)):
        if attribute is None and any(isinstance(s, (float, str)) for s in shape):
            raise _cannot_convert(shape, torch.int32)
        try:
            return [_one_size(s, attribute) for s in shape]
        except Exception:
            if len({isinstance(s, str) for s in shape}) > 1:
                text = "Can't convert Python sequence with mixed types to Tensor."
                raise ValueError(text) from None
            raise
    if isinstance(shape, (int, torch.SymInt)):
        return [shape]
    sizes = sizes_of(shape)
    if sizes is not None:
        return list(sizes.reshape(-1))
    ints = _as_ints(shape, cast)
    if ints is not None:
        return ints.reshape(-1).tolist()
    data = to_torch(shape)
    if _is_no_integer(data):
        if attribute is None:
            raise _cannot_convert(shape, torch.int32)
        refuse_index_type(data.dtype, attribute)
    if is_fake(data):
        count = data.numel()
        if not isinstance(count, int):
            return OpenSizes(data)
        return [data.reshape(-1)[i].item() for i in range(count)]
    return listed(data, flat=True)


class OpenSizes:
    """In place of a list of sizes: a symbolic vector of unknown length, which ops take as it is."""

    def __init__(self, data: torch.Tensor):
        self.data = data

    def __iter__(self):
        raise NotImplementedError(
            "this needs a shape of a known length; give the shape tensor a static size "
            "(set_shape, tf.ensure_shape)"
        )


def listed(data: torch.Tensor, flat: bool = False):
    """The elements of an eager tensor as Python numbers; a trace does not notice."""
    if graph.state.trace is None:
        return (data.reshape(-1) if flat else data).tolist()
    with _disable_current_modes():
        return (data.reshape(-1) if flat else data).tolist()


def _one_size(size, attribute):
    if isinstance(size, (int, torch.SymInt)):
        return size
    if size is None:
        raise ValueError("Cannot convert a partially known TensorShape to a Tensor.")
    sizes = sizes_of(size)
    if sizes is not None:
        return sizes.reshape(-1)[0]
    if hasattr(size, "__index__") and not isinstance(size, SymbolicTensor):
        return size.__index__()
    data = to_torch(size)
    if _is_no_integer(data):
        refuse_index_type(data.dtype, attribute or "Tidx")
    return data.item()


def to_axis(axis, cast: bool = True):
    """An axis argument as an int, a list of ints or None; tensors and arrays are read.

    Args:
        axis: the argument.
        cast: as for `to_shape`.

    Raises:
        InvalidArgumentError: if it is no integer (TypeError in a trace).
        TypeError: if it is a Python number that cannot be cast, either.
    """
    if axis is None or type(axis) is int:
        return axis
    if type(axis) is str:
        refuse_index_type(np.dtype(object))
    if type(axis) is float:
        if cast:
            error: Any = _cannot_convert(axis, torch.int32)
            error.refused_type = torch.float32  # so says an op that has no tensor beside it
            raise error
        refuse_index_type(torch.float32)
    if isinstance(axis, (list, tuple)):
        return [to_axis(a, False) for a in axis]
    sizes = sizes_of(axis)
    if sizes is not None:
        return sizes.tolist()
    ints = _as_ints(axis, cast)
    if ints is not None:
        return ints.tolist()
    value = to_torch(axis)
    if _is_no_integer(value):
        refuse_index_type(value.dtype)
    return value.tolist() if is_fake(value) else listed(value)


def to_axis_or_late(axis, cast: bool = True):
    """`to_axis`, but one that the graph computes as a tensor.

    The body of the op calls `needs_numbers`, so that it runs late.
    """
    parts = axis if isinstance(axis, (list, tuple)) else (axis,)
    if not any(type(a) is SymbolicTensor and a.dtype.is_integer for a in parts):
        return to_axis(axis, cast)
    found = [a if type(a) is int else sizes_of(a) for a in parts]
    open_ = any(f is None or any(isinstance(s, torch.SymInt) for s in np.ravel(f)) for f in found)
    return convert_to_tensor(axis) if open_ else to_axis(axis, cast)


def needs_numbers(axis) -> None:
    """Raises TypeError for an axis that is still to be computed.

    Torch must not get it: its parser goes by `__class__` and would read the object as its own.
    """
    if type(axis) is SymbolicTensor:
        raise TypeError("The graph computes the axis, and no axis fits the arguments.")


def raw(value, hint=None):
    """The data of `value` for torch code outside of an op.

    An eager tensor that a traced function closes over becomes an input of its graph.
    """
    trace = graph.state.trace
    if trace is not None and type(value) is Tensor:
        return trace.capture(value)
    return to_torch(value, None, hint)
