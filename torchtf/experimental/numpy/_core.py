"""What all NumPy functions share: conversion and promotion by NumPy's rules, and calls of torch.

* Python floats are float64 and ints int64 here, unless a typed array beside them decides.
* The type of a result is `numpy.result_type` of the arguments'.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

import numpy as np
import torch

from torchtf.core import dtypes, errors, graph, nest
from torchtf.core.convert import convert_to_tensor, to_axis, to_torch
from torchtf.core.tensor import Tensor, is_tensor_type, wrap

prefer_float32 = False


def _default(dtype: np.dtype) -> np.dtype:
    if prefer_float32:
        return {np.dtype("float64"): np.dtype("float32"), np.dtype("int64"): np.dtype("int32")}.get(
            dtype, dtype
        )
    return dtype


def is_typed(x) -> bool:
    """Whether a value has an element type of its own."""
    return (
        is_tensor_type(x)
        or isinstance(x, (np.ndarray, np.generic, torch.Tensor))
        or hasattr(type(x), "_tape_read")
    )


def numpy_dtype(x) -> np.dtype:
    """The NumPy dtype of a value."""
    if is_tensor_type(x) or hasattr(type(x), "_tape_read"):
        return np.dtype(x.dtype.as_numpy_dtype)
    if isinstance(x, torch.Tensor):
        return np.dtype(dtypes.as_dtype(x.dtype).as_numpy_dtype)
    if isinstance(x, (list, tuple)):
        kinds = [numpy_dtype(i) for i in x]
        return np.result_type(*kinds) if kinds else _default(np.dtype("float64"))
    found = np.asarray(x).dtype
    return found if is_typed(x) else _default(found)


def result_type(*arrays_and_dtypes) -> np.dtype:
    """NumPy's type for a result of these arrays, Python values and dtypes."""
    parts: list = []
    for x in arrays_and_dtypes:
        if isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic):
            parts.append(x)
        elif isinstance(x, (type, str, np.dtype, dtypes.DType)):
            parts.append(np.dtype(dtypes.as_dtype(x).as_numpy_dtype))
        else:
            parts.append(numpy_dtype(x))
    if all(isinstance(p, (bool, int, float, complex)) for p in parts):
        return _default(np.result_type(*[np.asarray(p).dtype for p in parts]))
    return np.result_type(*parts)


def tensor(x, dtype=None) -> Tensor:
    """A value as a tensor of a NumPy dtype, its own by NumPy's rules if none is given."""
    wanted = (
        np.dtype(dtypes.as_dtype(dtype).as_numpy_dtype) if dtype is not None else (numpy_dtype(x))
    )
    target = dtypes.as_dtype(wanted)
    if is_tensor_type(x):
        found = x
    elif is_typed(x):
        found = convert_to_tensor(x)
    elif isinstance(x, (list, tuple)) and any(is_typed(i) for i in nest.flatten(list(x))):
        parts = [tensor(i, wanted) for i in x]
        return run(lambda *rows: torch.stack(rows), *parts)
    else:
        return convert_to_tensor(np.asarray(x, dtype=wanted))
    return found if found.dtype is target else run(lambda t: t.to(target.torch), found)


def promoted(*xs, to_float: bool = False) -> list[Tensor]:
    """Values as tensors of one type; integers become floats if `to_float`."""
    dtype = result_type(*xs)
    if to_float and dtype.kind in "biu":
        dtype = _default(np.dtype("float64"))
    return [tensor(x, dtype) for x in xs]


def run(function: Callable, *tensors: Tensor):
    """Calls a function of torch tensors; works eagerly, under tapes and while tracing.

    Raises:
        InvalidArgumentError: if the shapes do not fit; ValueError while tracing.
    """
    under_way = graph.state.trace
    raw = [
        under_way.capture(t) if under_way is not None and type(t) is Tensor else to_torch(t)
        for t in tensors
    ]
    try:
        result = function(*raw)
    except RuntimeError as e:
        if under_way is not None:
            raise ValueError(str(e)) from None
        raise errors.InvalidArgumentError(None, None, str(e)) from None
    if isinstance(result, (list, tuple)):
        return [wrap(r) for r in result]
    return wrap(result)


# parameters that are axes or other whole numbers
_NUMBERS = frozenset((
    "M", "N", "axis", "axis1", "axis2", "axisa", "axisb", "axisc", "destination", "k", "n", "num",
    "offset", "shift", "source",
))  # fmt: skip


def with_numbers(function: Callable) -> Callable:
    """A function whose axes and other numbers may be tensors, which torch must not get as such.

    It takes them for its own tensors, by their `__class__`, and crashes.
    """
    names = list(inspect.signature(function).parameters)
    places = [(i, name) for i, name in enumerate(names) if name in _NUMBERS]
    if not places:
        return function

    @functools.wraps(function)
    def call(*args, **kwargs):
        for i, name in places:
            if i < len(args) and is_tensor_type(args[i]):
                args = (*args[:i], to_axis(args[i]), *args[i + 1 :])
            elif is_tensor_type(kwargs.get(name)):
                kwargs[name] = to_axis(kwargs[name])
        return function(*args, **kwargs)

    return call
