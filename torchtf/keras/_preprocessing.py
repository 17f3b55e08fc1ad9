"""Keras' preprocessing layers as they are on TensorFlow.

Contract:
- `TextVectorization` hands a function for `standardize` a string tensor.
- `Normalization` gives `mean` and `variance` as `torchtf.Tensor`s to the user, as torch's to Keras.
  They do not follow later assignments to the layer's variables; `adapt` and loading set them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from keras.src.layers.preprocessing.normalization import Normalization
from keras.src.layers.preprocessing.text_vectorization import TextVectorization

from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor
from torchtf.keras import _side
from torchtf.keras._patch import own_attribute, replaces

_finalize_state = own_attribute(Normalization, "finalize_state")


@replaces(Normalization, "finalize_state")
def finalize_state(self: Any) -> None:
    _finalize_state(self)
    # Reshaped and cast to its own dtype, a variable in torch is a view of the variable.
    for name in ("_mean", "_variance"):
        value = getattr(self, name)
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


@replaces(TextVectorization, "_apply_standardize_with_np_arrays")
def _standardize(self: Any, inputs: Any) -> Any:
    if isinstance(inputs, (np.ndarray, list, tuple)):
        inputs = convert_to_tensor(inputs, dtypes.string)
    return _side.on_user_side(self._standardize, (inputs,))
