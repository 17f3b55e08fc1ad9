"""`tensorflow.python.framework.ops`: tensors, graphs and scopes under their older names."""

from __future__ import annotations

import contextlib

import torchtf as tf
from torchtf.compat.v1._collections import GraphKeys  # noqa: F401
from torchtf.core import nest
from torchtf.core.tensor import Tensor
from torchtf.python import names_of

__getattr__ = names_of("framework.ops")

EagerTensor = Tensor
name_scope = tf.compat.v1.name_scope
register_tensor_conversion_function = tf.register_tensor_conversion_function


def convert_to_tensor(value, dtype=None, name=None, as_ref=False, preferred_dtype=None, **hint):
    """`tf.convert_to_tensor`; `preferred_dtype` is its `dtype_hint`, `as_ref` must be False."""
    if as_ref:
        raise NotImplementedError("convert_to_tensor with as_ref=True: there are no references")
    preferred_dtype = hint.pop("dtype_hint", preferred_dtype)
    if hint:
        raise TypeError(f"convert_to_tensor got unexpected arguments: {sorted(hint)}")
    return tf.convert_to_tensor(value, dtype, preferred_dtype, name)


def convert_to_tensor_or_composite(value, dtype=None, name=None):
    """A composite tensor as it is, anything else as a tensor.

    Raises:
        RuntimeError: if a composite tensor has another dtype than `dtype`.
    """
    if not nest.is_composite(value):
        return tf.convert_to_tensor(value, dtype, name=name)
    have = getattr(value, "dtype", None)
    if dtype is not None and have is not None and tf.as_dtype(dtype) != have:
        raise RuntimeError(
            f"Tensor conversion dtype mismatch. Requested dtype is {tf.as_dtype(dtype).name}, "
            f"Tensor has dtype {have.name}: {value!r}"
        )
    return value


convert_to_tensor_or_indexed_slices = convert_to_tensor_or_composite


def convert_n_to_tensor(values, dtype=None, name=None, preferred_dtype=None) -> list:
    """`convert_to_tensor` of each of several values."""
    return [convert_to_tensor(v, dtype, name, preferred_dtype=preferred_dtype) for v in values]


def is_dense_tensor_like(t) -> bool:
    """Whether `t` is a tensor or a variable."""
    return isinstance(t, Tensor | tf.Variable)


def get_default_graph():
    """The graph that is being traced, as `tf.compat.v1.get_default_graph`."""
    return tf.compat.v1.get_default_graph()


def executing_eagerly_outside_functions() -> bool:
    """Always True: there is no other mode outside functions."""
    return True


class NullContextmanager(contextlib.nullcontext):
    """A context that does nothing, whatever it is given."""

    def __init__(self, *args, **kwargs):
        super().__init__()
