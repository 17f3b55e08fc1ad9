"""The functions of `tf.compat.v1` that change variables, which are methods in TF 2.

Each gives the variable itself, eagerly as in a tf.function.
"""

from __future__ import annotations

import torchtf as tf


def assign(ref, value, validate_shape=None, use_locking=None, name=None):
    """`ref.assign(value)`.

    Args:
        ref: a variable.
        value: a tensor of its shape.
        validate_shape: nothing for variables of TF 2, whose shapes always have to fit.
        use_locking: nothing; assignments are atomic.
        name: a name for the operation.
    """
    return ref.assign(value, name=name)


def assign_add(ref, value, use_locking=None, name=None):
    """`ref.assign_add(value)`."""
    return ref.assign_add(value, name=name)


def assign_sub(ref, value, use_locking=None, name=None):
    """`ref.assign_sub(value)`."""
    return ref.assign_sub(value, name=name)


def _scatter(method: str):
    def scatter(ref, indices, updates, use_locking=False, name=None):
        updates = tf.convert_to_tensor(updates, ref.dtype)
        indices = tf.convert_to_tensor(indices)
        shape = tf.concat([tf.shape(indices), tf.shape(ref)[1:]], 0)
        slices = tf.IndexedSlices(tf.broadcast_to(updates, shape), indices)
        getattr(ref, method)(slices, name=name)
        return ref

    scatter.__name__ = method
    scatter.__doc__ = f"`ref.{method}` of rows `updates`, or of one scalar, at `indices`."
    return scatter


scatter_add, scatter_div, scatter_max = map(_scatter, ("scatter_add", "scatter_div", "scatter_max"))
scatter_min, scatter_mul, scatter_sub = map(_scatter, ("scatter_min", "scatter_mul", "scatter_sub"))
scatter_update = _scatter("scatter_update")


def _scatter_nd(method: str):
    def scatter(ref, indices, updates, use_locking=False, name=None):
        getattr(ref, method)(indices, tf.convert_to_tensor(updates, ref.dtype), name=name)
        return ref

    scatter.__name__, scatter.__doc__ = method, f"`ref.{method}`."
    return scatter


scatter_nd_add, scatter_nd_sub, scatter_nd_update = map(
    _scatter_nd, ("scatter_nd_add", "scatter_nd_sub", "scatter_nd_update")
)
