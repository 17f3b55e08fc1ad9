"""Sparse tensors as inputs of layers and models.

Contract:
- `keras.Input(sparse=True)` and layers called on a `tf.SparseTensor`: a user's `call` gets it as it
  is, a layer or function of Keras computes with the dense tensor of the same values. Values are
  TensorFlow's; the results of Keras' own layers are dense.
- What Keras makes sparse on TensorFlow (`sparse=True` of `CategoryEncoding`, `keras.ops.one_hot`)
  is sparse here.
- `fit`, `evaluate` and `predict` take sparse tensors and datasets of them. Rows of an array of
  samples become dense batch by batch.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from keras.src import backend
from keras.src.backend.torch import core
from keras.src.backend.torch import nn as keras_nn
from keras.src.backend.torch import numpy as keras_numpy
from keras.src.trainers.data_adapters import array_slicing, data_adapter_utils
from keras.src.utils import numerical_utils

import torchtf as tf
from torchtf.keras import _side
from torchtf.keras._patch import own_attribute, replaces, use_everywhere

_is_tensor = own_attribute(core, "is_tensor")
_cast = own_attribute(core, "cast")
_convert_to_tensor = own_attribute(core, "convert_to_tensor")
_convert_to_numpy = own_attribute(core, "convert_to_numpy")
_is_tensorflow_tensor = own_attribute(data_adapter_utils, "is_tensorflow_tensor")

for _module in (backend, core):
    own_attribute(_module, "SUPPORTS_SPARSE_TENSORS")
    _module.SUPPORTS_SPARSE_TENSORS = True


def _is_sparse(x: Any) -> bool:
    return type(x) is tf.SparseTensor


def _dense(x: Any) -> Any:
    return _side.inward(_side.on_user_side(tf.sparse.to_dense, (x,)))


@replaces(core, "is_tensor")
def is_tensor(x: Any) -> bool:
    return _is_tensor(x) or _is_sparse(x)


@replaces(core, "cast")
def cast(x: Any, dtype: Any) -> Any:
    if not _is_sparse(x):
        return _cast(x, dtype)
    return x if x.dtype == dtype else _side.on_user_side(tf.cast, (x, dtype))


@replaces(core, "convert_to_tensor")
def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    if not _is_sparse(x):
        return _convert_to_tensor(x, dtype, None, ragged)  # a dense value of a sparse input
    if sparse:
        return x if dtype is None else cast(x, dtype)
    return _convert_to_tensor(_dense(x), dtype)


@replaces(core, "convert_to_numpy")
def convert_to_numpy(x: Any) -> Any:
    return _convert_to_numpy(_dense(x) if _is_sparse(x) else x)


@replaces(data_adapter_utils, "is_tensorflow_tensor")
def is_tensorflow_tensor(value: Any) -> bool:
    return _is_sparse(value) or _is_tensorflow_tensor(value)


@replaces(data_adapter_utils, "is_tensorflow_sparse")
def is_tensorflow_sparse(value: Any) -> bool:
    return _is_sparse(value)


@classmethod  # type: ignore[misc]
def _convert_to_torch_compatible(cls: Any, x: Any) -> Any:
    return _dense(x)


own_attribute(array_slicing.TensorflowSparseSliceable, "convert_to_torch_compatible")
array_slicing.TensorflowSparseSliceable.convert_to_torch_compatible = _convert_to_torch_compatible


def or_sparse(function: Any) -> Any:
    """`function`, which makes a dense tensor, with a result as sparse as its argument asks for."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def made(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        sparse = given.pop("sparse", False)
        dense = function(**given)
        return _side.on_user_side(tf.sparse.from_dense, (dense,)) if sparse else dense

    return made


for _owner, _name in (
    (keras_nn, "multi_hot"),
    (keras_numpy, "bincount"),
    (numerical_utils, "encode_categorical_inputs"),
):
    _made = replaces(_owner, _name)(or_sparse(own_attribute(_owner, _name)))
    use_everywhere(_made)

for _function in (
    is_tensor,
    cast,
    convert_to_tensor,
    convert_to_numpy,
    is_tensorflow_tensor,
    is_tensorflow_sparse,
):
    use_everywhere(_function)
