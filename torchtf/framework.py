"""Small top-level functions about tensors and the program."""

from __future__ import annotations

import time

import numpy as np

from torchtf.core import dtypes, graph
from torchtf.core.convert import convert_to_tensor, register_conversion, sizes_of
from torchtf.core.tensor import Tensor, is_tensor_type


def is_tensor(x) -> bool:
    """Whether x is a tensor, variable, or ragged or sparse tensor (source: `tf.is_tensor`)."""
    return is_tensor_type(x) or hasattr(type(x), "_tape_read") or hasattr(x, "_type_spec")


def is_symbolic_tensor(tensor) -> bool:
    """Whether a tensor has no values yet, as in a traced function
    (source: `tf.is_symbolic_tensor`).
    """
    return bool(getattr(tensor, "is_symbolic_tensor", False))


def inside_function() -> bool:
    """Whether a function is being traced (source: `tf.inside_function`)."""
    return graph.state.trace is not None


def get_static_value(tensor, partial=False):
    """The value of a tensor as an array, if it is known (source: `tf.get_static_value`).

    Args:
        tensor: a tensor; while a function is traced, sizes are the values that may be known.
            What is no tensor is its own value.
        partial: whether unknown elements may be None.

    Returns:
        An array, or None.
    """
    if type(tensor) is Tensor:
        return tensor.numpy()
    if not is_tensor(tensor):
        return tensor
    sizes = sizes_of(tensor)
    if sizes is None:
        return None
    known = np.array([s if isinstance(s, int) else None for s in sizes.flat], dtype=object)
    known = known.reshape(sizes.shape)
    if any(s is None for s in known.flat):
        return known if partial else None
    return known.astype(tensor.dtype.as_numpy_dtype)


def register_tensor_conversion_function(base_type, conversion_func, priority=100) -> None:
    """Registers how values of a type become tensors
    (source: `tf.register_tensor_conversion_function`).

    Args:
        base_type: a type, or a tuple of types.
        conversion_func: called with `value, dtype, name, as_ref`; may return NotImplemented.
        priority: those with a lower number are tried first.

    Raises:
        TypeError: if the arguments are of the wrong kind, or the type is a plain Python number.
    """
    types = base_type if isinstance(base_type, tuple) else (base_type,)
    if not all(isinstance(t, type) for t in types):
        raise TypeError(
            f"Argument `base_type` must be a type or a tuple of types. Obtained: {base_type}"
        )
    if any(issubclass(t, (int, float, np.generic, np.ndarray)) for t in types):
        raise TypeError(
            "Cannot register conversions for Python numeric types and NumPy scalars and arrays."
        )
    if not callable(conversion_func):
        raise TypeError(f"Argument `conversion_func` must be callable. Received {conversion_func}.")
    for t in types:
        register_conversion(t, conversion_func, priority)


def timestamp(name=None) -> Tensor:
    """Seconds since 1970 as a float64 scalar (source: `tf.timestamp`).

    Raises:
        NotImplementedError: in a traced function, where it would be a constant.
    """
    if graph.state.trace is not None:
        raise NotImplementedError(
            "tf.timestamp in a traced function is not supported; call it in tf.py_function"
        )
    return convert_to_tensor(time.time(), dtype=dtypes.float64)


class AggregationMethod:
    """How TF 1 added gradients up (source: `tf.AggregationMethod`)."""

    ADD_N = 0
    DEFAULT = ADD_N
    EXPERIMENTAL_TREE = 1
    EXPERIMENTAL_ACCUMULATE_N = 2
