"""Ragged tensors as inputs of layers and models.

Contract:
- `keras.Input(ragged=True)` and layers called on a `tf.RaggedTensor`: it stays one on both sides.
  As on TensorFlow, a symbolic Keras tensor of it stands for the dense one of its shape.
- A function of Keras that treats elements one by one runs on the flat values; others are the `tf`
  op that TensorFlow's Keras runs. What has no such op there fails here, too: it takes
  `RaggedTensor.to_tensor()`.
- `fit`, `evaluate` and `predict` take ragged tensors and datasets of them, and `predict` may return
  one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from keras.src import backend
from keras.src.backend.torch import core
from keras.src.backend.torch import nn as keras_nn
from keras.src.backend.torch import numpy as keras_numpy
from keras.src.backend.torch import random as keras_random
from keras.src.layers.normalization.layer_normalization import LayerNormalization
from keras.src.trainers.data_adapters import array_slicing, data_adapter_utils

import torchtf as tf
from torchtf.keras import _side
from torchtf.keras._patch import own_attribute, replaces, use_everywhere

for _module in (backend, core):
    own_attribute(_module, "SUPPORTS_RAGGED_TENSORS")
    _module.SUPPORTS_RAGGED_TENSORS = True


def is_ragged(x: Any) -> bool:
    return type(x) is tf.RaggedTensor


# ---- what every function of Keras begins with ---------------------------------------------------

_is_tensor = own_attribute(core, "is_tensor")
_cast = own_attribute(core, "cast")
_shape = own_attribute(core, "shape")
_convert_to_tensor = own_attribute(core, "convert_to_tensor")
_convert_to_numpy = own_attribute(core, "convert_to_numpy")
_is_tensorflow_tensor = own_attribute(data_adapter_utils, "is_tensorflow_tensor")


def _on_tf(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return _side.inward(_side.on_user_side(function, args, kwargs))


@replaces(core, "is_tensor")
def is_tensor(x: Any) -> bool:
    return is_ragged(x) or _is_tensor(x)


@replaces(core, "cast")
def cast(x: Any, dtype: Any) -> Any:
    if not is_ragged(x):
        return _cast(x, dtype)
    return x if x.dtype == dtype else _on_tf(tf.cast, x, dtype)


@replaces(core, "shape")
def shape(x: Any) -> Any:
    return tuple(x.shape) if is_ragged(x) else _shape(x)


@replaces(core, "convert_to_tensor")
def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    if not is_ragged(x):
        return _convert_to_tensor(x, dtype, sparse, None)  # a dense value of a ragged input
    if ragged is False:
        return _convert_to_tensor(_on_tf(x.to_tensor), dtype)
    return x if dtype is None else cast(x, backend.standardize_dtype(dtype))


@replaces(core, "convert_to_numpy")
def convert_to_numpy(x: Any) -> Any:
    return _convert_to_numpy(_on_tf(x.to_tensor) if is_ragged(x) else x)


# ---- functions ----------------------------------------------------------------------------------


def _with_ragged(
    owner: Any, name: str, on_ragged: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    original = own_attribute(owner, name)
    other = on_ragged(original)

    @functools.wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        for x in args:
            if is_ragged(x) or (isinstance(x, (list, tuple)) and any(map(is_ragged, x))):
                return other(*args, **kwargs)
        return original(*args, **kwargs)

    function.original = original  # type: ignore[attr-defined]
    setattr(owner, name, function)
    use_everywhere(function)


def _on_values(position: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function as it is, on the flat values of the argument at a position."""

    def on_ragged(original: Callable[..., Any]) -> Callable[..., Any]:
        def function(*args: Any, **kwargs: Any) -> Any:
            x = args[position]
            before, after = args[:position], args[position + 1 :]
            values = original(*before, _side.inward(x.flat_values), *after, **kwargs)
            return _on_tf(x.with_flat_values, values)

        return function

    return on_ragged


for _owner, _names in (
    (
        keras_numpy,
        "absolute abs arccos arccosh arcsin arcsinh arctan arctanh ceil clip copy cos cosh exp "
        "digitize expm1 floor isfinite isinf isnan log log10 log1p log2 logical_not negative "
        "ones_like reciprocal round sign sin sinh sqrt square tan tanh zeros_like",
    ),
    (
        keras_nn,
        "relu relu6 sigmoid softplus softsign silu log_sigmoid leaky_relu hard_sigmoid hard_silu "
        "elu selu gelu celu hard_tanh soft_shrink hard_shrink tanh_shrink one_hot",
    ),
    (keras_random, "dropout"),
):
    for _name in _names.split():
        _with_ragged(_owner, _name, _on_values(0))


def _take(original: Callable[..., Any]) -> Callable[..., Any]:
    of_indices = _on_values(1)(original)

    def take(x: Any, indices: Any, axis: Any = None) -> Any:
        if is_ragged(x):
            return _on_tf(tf.gather, x, indices, axis=axis or 0)
        return of_indices(x, indices, axis or 0)

    return take


_with_ragged(keras_numpy, "take", _take)


def _refuse(original: Callable[..., Any]) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        raise ValueError(
            f"{original.__name__} does not take a RaggedTensor; use RaggedTensor.to_tensor()."
        )

    return function


_with_ragged(keras_nn, "conv", _refuse)


def _softmax(x: Any, axis: int = -1) -> Any:
    return tf.nn.softmax(x, axis)


def _multi_hot(
    x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    """Of the values of each row."""
    each = x.with_flat_values(tf.one_hot(x.flat_values, num_classes, True, False, axis))
    hot = tf.cast(tf.reduce_any(each, axis=1), dtype or backend.floatx())
    return tf.sparse.from_dense(hot) if sparse else hot


def _as_op(op: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return lambda original: functools.partial(_on_tf, op)


_with_ragged(keras_nn, "softmax", _as_op(_softmax))
_with_ragged(keras_nn, "multi_hot", _as_op(_multi_hot))

for _name, _op in {
    "add": tf.add,
    "subtract": tf.subtract,
    "multiply": tf.multiply,
    "true_divide": tf.divide,
    "divide": tf.divide,
    "floor_divide": tf.math.floordiv,
    "mod": tf.math.floormod,
    "maximum": tf.maximum,
    "minimum": tf.minimum,
    "power": tf.pow,
    "equal": tf.equal,
    "not_equal": tf.not_equal,
    "greater": tf.greater,
    "greater_equal": tf.greater_equal,
    "less": tf.less,
    "less_equal": tf.less_equal,
    "logical_and": tf.logical_and,
    "logical_or": tf.logical_or,
    "sum": tf.reduce_sum,
    "mean": tf.reduce_mean,
    "max": lambda x, axis=None, keepdims=False, initial=None: tf.reduce_max(x, axis, keepdims),
    "min": lambda x, axis=None, keepdims=False, initial=None: tf.reduce_min(x, axis, keepdims),
    "any": tf.reduce_any,
    "all": tf.reduce_all,
    "concatenate": tf.concat,
    "stack": tf.stack,
    "expand_dims": tf.expand_dims,
    "squeeze": tf.squeeze,
    "where": tf.where,
    "matmul": tf.matmul,
    "reshape": lambda x, newshape: tf.reshape(x.flat_values, newshape),
}.items():
    _with_ragged(keras_numpy, _name, _as_op(_op))

_layer_norm_call = own_attribute(LayerNormalization, "call")


@replaces(LayerNormalization, "call")
def layer_norm_call(self: Any, inputs: Any) -> Any:
    if not is_ragged(inputs) or self.axis not in (-1, [-1], (-1,)):
        return _layer_norm_call(self, inputs)
    values = _layer_norm_call(self, _side.inward(inputs.flat_values))
    return _on_tf(inputs.with_flat_values, values)


# ---- batches ------------------------------------------------------------------------------------


@replaces(data_adapter_utils, "is_tensorflow_tensor")
def is_tensorflow_tensor(value: Any) -> bool:
    return is_ragged(value) or _is_tensorflow_tensor(value)


@replaces(data_adapter_utils, "is_tensorflow_ragged")
def is_tensorflow_ragged(value: Any) -> bool:
    return is_ragged(value)


@classmethod  # type: ignore[misc]
def _convert_to_torch_compatible(cls: Any, x: Any) -> Any:
    return x


own_attribute(array_slicing.TensorflowRaggedSliceable, "convert_to_torch_compatible")
array_slicing.TensorflowRaggedSliceable.convert_to_torch_compatible = _convert_to_torch_compatible


def together(parts: tuple[Any, ...]) -> Any:
    """Batches of a ragged tensor as one of all their rows."""
    return _on_tf(tf.concat, list(parts), axis=0)


for _function in (
    is_tensor,
    cast,
    shape,
    convert_to_tensor,
    convert_to_numpy,
    is_tensorflow_tensor,
    is_tensorflow_ragged,
):
    use_everywhere(_function)
