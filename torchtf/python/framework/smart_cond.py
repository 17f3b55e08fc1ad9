"""`tensorflow.python.framework.smart_cond`: `tf.cond` where the predicate is not known."""

from __future__ import annotations

import torchtf as tf


def smart_constant_value(pred):
    """The predicate as a bool if it is known, else None.

    Raises:
        TypeError: if it is neither a bool, 0 or 1, nor a tensor.
    """
    if isinstance(pred, tf.Tensor | tf.Variable):
        return tf.get_static_value(pred)
    if pred in (0, 1):
        return bool(pred)
    raise TypeError(f"Argument `pred` must be a Tensor, or a Python bool, or 1 or 0. Received: pred={pred} of type {type(pred).__name__}")  # fmt: skip  # noqa: E501


def smart_cond(pred, true_fn=None, false_fn=None, name=None):
    """`true_fn()` or `false_fn()`; both are traced only where `pred` is not known yet.

    Raises:
        TypeError: if a branch is not callable.
    """
    for argument, branch in (("true_fn", true_fn), ("false_fn", false_fn)):
        if not callable(branch):
            raise TypeError(f"Argument `{argument}` must be callable. Received {branch}")
    value = smart_constant_value(pred)
    if value is None:
        return tf.cond(pred, true_fn, false_fn, name=name)
    return true_fn() if value else false_fn()
