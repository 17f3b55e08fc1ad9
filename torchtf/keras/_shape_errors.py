"""Shapes that do not fit, in TensorFlow's words.

Contract:
- What Keras computes with torch raises torch's RuntimeError for such shapes. The `tf` op that
  TensorFlow would run there is then called on the same values, and what it raises is the error: an
  InvalidArgumentError eagerly, a ValueError in a trace.
- An error that the op does not share stays as it is.
- What Keras says about an input of a model shows it as the user's tensor.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from keras.src.backend.common.variables import Variable as KerasVariable
from keras.src.backend.torch import numpy as keras_numpy
from keras.src.losses.losses import LossFunctionWrapper
from keras.src.models.functional import Functional

import torchtf as tf
from torchtf.keras import _side
from torchtf.keras._patch import own_attribute, replaces


def _fails_as(function: Callable[..., Any], op: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except RuntimeError as error:
            problem = error
        _side.on_user_side(op, args, kwargs)
        raise problem

    return checked


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
    "concatenate": tf.concat,
    "reshape": tf.reshape,
}.items():
    setattr(keras_numpy, _name, _fails_as(own_attribute(keras_numpy, _name), _op))

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
