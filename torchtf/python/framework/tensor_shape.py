"""`tensorflow.python.framework.tensor_shape`: what libraries use of it besides public names."""

from __future__ import annotations

from torchtf.core.shape import Dimension, TensorShape
from torchtf.python import names_of

__getattr__ = names_of("framework.tensor_shape")


def as_shape(shape) -> TensorShape:
    """A `tf.TensorShape` of whatever describes one."""
    return shape if isinstance(shape, TensorShape) else TensorShape(shape)


def as_dimension(value) -> Dimension:
    """A `tf.compat.v1.Dimension` of a size or None."""
    return value if isinstance(value, Dimension) else Dimension(value)


def scalar() -> TensorShape:
    """The shape of a scalar."""
    return TensorShape([])


def unknown_shape(rank=None) -> TensorShape:
    """A shape of which at most the rank is known."""
    return TensorShape(None if rank is None else [None] * rank)


def vector(length) -> TensorShape:
    """The shape of a vector; its length may be None."""
    return TensorShape([length])


def matrix(rows, cols) -> TensorShape:
    """The shape of a matrix; either size may be None."""
    return TensorShape([rows, cols])
