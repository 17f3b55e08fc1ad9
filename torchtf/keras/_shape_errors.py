"""Shapes that do not fit, in TensorFlow's words.

Contract:
- What Keras computes with torch raises torch's errors for such shapes and axes. The `tf` op (or
  check of Keras') that TensorFlow would run there is then called on the same values, and what it
  raises is the error: an InvalidArgumentError eagerly, a ValueError in a trace.
- An error that the op does not share stays as it is.
- Where torch finds a result for what TensorFlow refuses, the op is asked, too.
- What Keras says about an input of a model shows it as the user's tensor.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from keras.src.backend.common.backend_utils import canonicalize_axis
from keras.src.backend.common.variables import Variable as KerasVariable
from keras.src.backend.torch import core
from keras.src.backend.torch import math as keras_math
from keras.src.backend.torch import nn as keras_nn
from keras.src.backend.torch import numpy as keras_numpy
from keras.src.backend.torch.core import convert_to_tensor
from keras.src.losses.losses import LossFunctionWrapper
from keras.src.models.functional import Functional
from keras.src.ops.operation_utils import broadcast_shapes

import torchtf as tf
from torchtf.keras import _side
from torchtf.keras._patch import own_attribute, replaces, use_everywhere


def _fails_as(function: Callable[..., Any], op: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (RuntimeError, IndexError, ValueError) as error:
            problem = error
        _side.on_user_side(op, args, kwargs)
        raise problem

    return checked


def _reduces(op: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis=None, keepdims=False, **_: op(x, axis, keepdims)


def _each(axis: Any) -> Any:
    return axis if isinstance(axis, (list, tuple)) else () if axis is None else (axis,)


def _check_axes(x: Any, axis: Any = None) -> None:
    for i in _each(axis):
        canonicalize_axis(i, len(x.shape))


def _transpose(x: Any, axes: Any = None) -> Any:
    _check_axes(x, axes)
    return tf.transpose(x, axes)


def _along_axis(x: Any, indices: Any, axis: Any = None) -> None:
    shape, wanted = list(x.shape), list(indices.shape)
    shape[axis or 0] = wanted[axis or 0]
    broadcast_shapes(shape, wanted)


for _name, _op in {
    "add": tf.add,
    "subtract": tf.subtract,
    "multiply": tf.multiply,
    "true_divide": tf.divide,
    "divide": tf.divide,
    "maximum": tf.maximum,
    "minimum": tf.minimum,
    "power": tf.pow,
    "matmul": tf.matmul,
    "dot": lambda x1, x2: tf.tensordot(x1, x2, [[-1], [-2 if x2.shape.rank > 1 else 0]]),
    "einsum": tf.einsum,
    "tensordot": tf.tensordot,
    "concatenate": tf.concat,
    "stack": tf.stack,
    "split": tf.split,
    "reshape": tf.reshape,
    "broadcast_to": tf.broadcast_to,
    "repeat": tf.repeat,
    "transpose": _transpose,
    "flip": _check_axes,
    "take_along_axis": _along_axis,
    "where": tf.where,
    "sum": _reduces(tf.reduce_sum),
    "mean": _reduces(tf.reduce_mean),
    "prod": _reduces(tf.reduce_prod),
    "max": _reduces(tf.reduce_max),
    "min": _reduces(tf.reduce_min),
    "all": _reduces(tf.reduce_all),
    "any": _reduces(tf.reduce_any),
    "var": _reduces(tf.math.reduce_variance),
    "std": _reduces(tf.math.reduce_std),
    "argmax": lambda x, axis=None, keepdims=False: tf.argmax(x, axis),
    "argmin": lambda x, axis=None, keepdims=False: tf.argmin(x, axis),
    "cumsum": lambda x, axis=None, dtype=None: tf.cumsum(x, axis or 0),
}.items():
    setattr(keras_numpy, _name, _fails_as(own_attribute(keras_numpy, _name), _op))

for _name, _op in {
    "softmax": tf.nn.softmax,
    "log_softmax": tf.nn.log_softmax,
    "moments": lambda x, axes, keepdims=False, **_: tf.nn.moments(x, axes, keepdims=keepdims),
}.items():
    setattr(keras_nn, _name, _fails_as(own_attribute(keras_nn, _name), _op))

keras_math.top_k = _fails_as(own_attribute(keras_math, "top_k"), tf.math.top_k)

_squeeze = own_attribute(keras_numpy, "squeeze")
_pad = own_attribute(keras_numpy, "pad")
_slice = own_attribute(core, "slice")


@replaces(keras_numpy, "squeeze")
def squeeze(x: Any, axis: Any = None) -> Any:
    x = convert_to_tensor(x)
    for i in _each(axis):
        if isinstance(x.shape[i], int) and x.shape[i] != 1:
            raise ValueError(f"Cannot squeeze axis={i}, because the dimension is not 1.")
    return _squeeze(x, axis)


@replaces(keras_numpy, "pad")
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    x = convert_to_tensor(x)
    if isinstance(pad_width, (list, tuple)) and len(pad_width) != x.ndim:
        _side.on_user_side(tf.pad, (x, pad_width, mode), {})
    return _pad(x, pad_width, mode, constant_values)


@replaces(core, "slice")
def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    sliced = _slice(inputs, start_indices, shape)
    if isinstance(shape, (list, tuple)) and any(
        type(n) is int and type(m) is int and n >= 0 and n != m
        for n, m in zip(shape, sliced.shape, strict=False)
    ):
        _side.on_user_side(tf.slice, (inputs, start_indices, shape), {})
    return sliced


use_everywhere(slice)

LossFunctionWrapper.call = _fails_as(
    own_attribute(LossFunctionWrapper, "call"),
    # most losses begin with the difference
    lambda self, y_true, y_pred: tf.subtract(y_true, y_pred),
)

for _name, _op in {"assign_add": tf.add, "assign_sub": tf.subtract}.items():
    setattr(KerasVariable, _name, _fails_as(own_attribute(KerasVariable, _name), _op))

_adjust_input_rank = own_attribute(Functional, "_adjust_input_rank")


@replaces(Functional, "_adjust_input_rank")
def adjust_input_rank(self: Any, flat_inputs: Any) -> Any:
    try:
        return _adjust_input_rank(self, flat_inputs)
    except ValueError:
        return _adjust_input_rank(self, _side.outward(flat_inputs))  # raises it again
