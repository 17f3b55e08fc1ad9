"""What Keras says of the arguments of a call that failed, in TensorFlow's words."""

from __future__ import annotations

from typing import Any

from keras.src.utils import traceback_utils

from torchtf.core.tensor import Tensor
from torchtf.keras import _side
from torchtf.keras._patch import own_attribute, replaces
from torchtf.ragged import RaggedTensor

_format_argument_value = own_attribute(traceback_utils, "format_argument_value")


@replaces(traceback_utils, "format_argument_value")
def format_argument_value(value: Any) -> str:
    tensor = _side.outward(value)
    if isinstance(tensor, (Tensor, RaggedTensor)):
        return f"tf.Tensor(shape={tensor.shape}, dtype={tensor.dtype.name})"
    return _format_argument_value(value)
