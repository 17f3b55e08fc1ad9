"""`tf.keras.backend`: what its functions need of TensorFlow that `tf` itself does not offer.

Contract:
- Keras' functions of Keras 2's backend call ops by their names in `tf.compat.v1`. They find here
  the ops of `tf` that do the same; `tf.compat.v1` itself stays as small as it is.
- `set_value` sets variables of Keras, as it did in Keras 2, beside those of `tf`.
"""

from __future__ import annotations

import types
from typing import Any

import numpy as np
from keras.src import backend
from keras.src.legacy import backend as legacy_backend

import torchtf as tf
from torchtf.core.tensor import Tensor
from torchtf.keras._patch import own_attribute, replaces, use_everywhere


class _Renamed(types.ModuleType):
    """A module of TensorFlow in which some names are others, and the rest is torchtf's."""

    def __init__(self, name: str, module: Any, **renamed: Any) -> None:
        super().__init__(name)
        self._module = module
        vars(self).update(renamed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _convolution(input: Any, filter: Any, dilation_rate: Any, **kwargs: Any) -> Any:
    return tf.nn.convolution(input, filter, dilations=dilation_rate, **kwargs)


def _ctc_loss(inputs: Any, labels: Any, sequence_length: Any) -> Any:
    return tf.nn.ctc_loss(labels, inputs, None, sequence_length, blank_index=-1)


def _in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    return tf.math.in_top_k(targets, predictions, k)


def _gradients(ys: Any, xs: Any, colocate_gradients_with_ops: bool) -> Any:
    return tf.gradients(ys, xs)


def _map_fn(fn: Any, elems: Any, name: str | None, dtype: Any) -> Any:
    return tf.map_fn(fn, elems, fn_output_signature=dtype, name=name)


def _drawn(draw: Any) -> Any:
    def initializer(first: float, second: float, dtype: Any, seed: int | None) -> Any:
        return lambda shape: draw(shape, first, second, dtype, seed)

    return initializer


_v1 = _Renamed(
    "tensorflow.compat.v1",
    tf,
    assign=lambda ref, value: ref.assign(value),
    assign_add=lambda ref, value: ref.assign_add(value),
    assign_sub=lambda ref, value: ref.assign_sub(value),
    gradients=_gradients,
    map_fn=_map_fn,
    math=_Renamed("tensorflow.compat.v1.math", None, in_top_k=_in_top_k),
    nn=_Renamed("tensorflow.compat.v1.nn", tf.nn, convolution=_convolution, ctc_loss=_ctc_loss),
    random_normal_initializer=_drawn(tf.random.normal),
    random_uniform_initializer=_drawn(tf.random.uniform),
    sparse_concat=lambda axis, sp_inputs: tf.sparse.concat(axis, sp_inputs),
)
_internal = types.SimpleNamespace(
    EagerTensor=Tensor, tf2=types.SimpleNamespace(enabled=lambda: True)
)

own_attribute(legacy_backend, "tf")
legacy_backend.tf = _Renamed(
    "tensorflow", tf, __internal__=_internal, compat=types.SimpleNamespace(v1=_v1)
)


@replaces(legacy_backend, "set_value")
def set_value(x: Any, value: Any) -> None:
    x.assign(np.asarray(value, backend.standardize_dtype(x.dtype)))


use_everywhere(set_value)
