"""Keras' preprocessing layers as they are on TensorFlow.

Contract:
- Lookups, hashes and vectorizations are `tf` ops on tensors, eager or in a trace. Given strings or
  asked for them, they take and return string tensors.
- What Keras makes only on TensorFlow (`ragged=True`, `sparse=True`) they make here, too.
- `Normalization` gives `mean` and `variance` as `torchtf.Tensor`s to the user, as torch's to Keras.
  They do not follow later assignments to the layer's variables; `adapt` and loading set them.
"""

from __future__ import annotations

import types
from typing import Any

import torch
from keras.src import backend
from keras.src.layers.preprocessing import (
    hashed_crossing,
    integer_lookup,
    string_lookup,
    text_vectorization,
)
from keras.src.layers.preprocessing.index_lookup import IndexLookup
from keras.src.layers.preprocessing.integer_lookup import IntegerLookup
from keras.src.layers.preprocessing.normalization import Normalization
from keras.src.layers.preprocessing.string_lookup import StringLookup
from keras.src.layers.preprocessing.text_vectorization import TextVectorization

from torchtf.keras import _side
from torchtf.keras._patch import moved, own_attribute, replaces

_finalize_state = own_attribute(Normalization, "finalize_state")


@replaces(Normalization, "finalize_state")
def finalize_state(self: Any) -> None:
    _finalize_state(self)
    # Reshaped and cast to its own dtype, a variable in torch is a view of the variable.
    for name in ("_mean", "_variance"):
        value = vars(self).get(name)  # not there before the layer is built
        if isinstance(value, torch.Tensor):
            setattr(self, name, value.detach().clone())


def _constant(name: str) -> property:
    """An attribute that crosses to the side that asks for it."""

    def get(self: Any) -> Any:
        value = getattr(self, name)
        return value if _side.state.inside else _side.outward(value)

    def set_(self: Any, value: Any) -> None:
        setattr(self, name, _side.inward(value))

    return property(get, set_)


Normalization.mean = _constant("_mean")
Normalization.variance = _constant("_variance")


@replaces(StringLookup, "call")
@replaces(IntegerLookup, "call")
def _lookup(self: Any, inputs: Any) -> Any:
    return _side.inward(IndexLookup.call(self, inputs))


_vectorize = own_attribute(TextVectorization, "call")


@replaces(TextVectorization, "call")
def _vectorization(self: Any, inputs: Any) -> Any:
    return _side.inward(_side.on_user_side(_vectorize, (self, inputs)))


class _TensorFlowBackend(types.ModuleType):
    """`keras.backend` as these layers see it: on `tf`, they may be asked for ragged and sparse."""

    def __getattr__(self, name: str) -> Any:
        return getattr(backend, name)

    @staticmethod
    def backend() -> str:
        return "tensorflow"


for _module in (hashed_crossing, integer_lookup, string_lookup, text_vectorization):
    if own_attribute(_module, "backend") is not backend:
        raise moved(_module, "backend", "is no longer Keras' backend")
    _module.backend = _TensorFlowBackend("keras.src.backend")
