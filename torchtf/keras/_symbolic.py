"""`tf` ops on symbolic Keras tensors: each becomes an operation of the functional model.

Contract:
- An op of `tf` that meets a `KerasTensor` gives `KerasTensor`s, and the model built from them calls
  the op on the values. `tf` runs on the user's side, so it sees `torchtf.Tensor`.
- Such a model saves and loads, as long as the op's other arguments are numbers, strings, dtypes,
  shapes, arrays or tensors.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import torch
from keras.src.backend.common.keras_tensor import KerasTensor
from keras.src.ops.operation import Operation
from keras.src.utils.naming import auto_name

from torchtf.core.dtypes import DType, as_dtype
from torchtf.core.shape import TensorShape
from torchtf.core.tensor import wrap
from torchtf.keras._side import inward, on_user_side

_INPUT = "__input__"


def _template(value: Any, inputs: list[Any]) -> Any:
    """The arguments with the symbolic tensors taken out: `inputs` collects them."""
    if isinstance(value, KerasTensor):
        inputs.append(value)
        return {_INPUT: len(inputs) - 1}
    if isinstance(value, (list, tuple)) and not isinstance(value, TensorShape):
        return [_template(v, inputs) for v in value]
    if isinstance(value, TensorShape):
        return value.as_list()
    if isinstance(value, (DType, torch.dtype)):
        kind = "__dtype__" if isinstance(value, DType) else "__torch_dtype__"
        return {kind: as_dtype(value).name}
    if isinstance(value, (torch.Tensor, np.ndarray)):
        array = np.asarray(value)
        return {"__array__": array.tolist(), "dtype": array.dtype.name}
    return value.item() if isinstance(value, np.generic) else value


def _fill(template: Any, inputs: tuple) -> Any:
    if isinstance(template, list):
        return [_fill(t, inputs) for t in template]
    if isinstance(template, dict):
        if _INPUT in template:
            return inputs[template[_INPUT]]
        if "__dtype__" in template:
            return as_dtype(template["__dtype__"])
        if "__torch_dtype__" in template:
            return as_dtype(template["__torch_dtype__"]).torch
        if "__array__" in template:
            array = np.array(template["__array__"], dtype=template["dtype"])
            return wrap(torch.from_numpy(array))
    return template


def _path(function: Callable[..., Any]) -> str:
    return f"{function.__module__}:{function.__name__}"


def _function(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    if module.split(".")[0] != "torchtf":
        raise ValueError(f"{path} is no op of torchtf")
    return getattr(importlib.import_module(module), name)


@keras.saving.register_keras_serializable(package="torchtf")
class TFOp(Operation):
    """A call of a `tf` op in a functional model.

    Args:
        function: where the op is, as "module:name".
        arguments: its arguments, with stand-ins for the inputs.
        name: the operation's name.
    """

    def __init__(self, function: str, arguments: list[Any], name: str | None = None) -> None:
        super().__init__(name=name)
        self.function, self.arguments = function, arguments
        self._callable = _function(function)

    def call(self, *inputs: Any) -> Any:
        def run(*tensors: Any) -> Any:
            return self._callable(*_fill(self.arguments, tensors))

        return inward(on_user_side(run, inputs))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "function": self.function, "arguments": self.arguments}


def symbolic_call(function: Callable[..., Any], args: tuple) -> Any:
    """Adds a call of a `tf` op on symbolic Keras tensors to their graph.

    Args:
        function: the public function of the op.
        args: its arguments by position, some of them symbolic.

    Returns:
        A `KerasTensor`, or the structure of them that the op returns.
    """
    inputs: list[Any] = []
    template = _template(list(args), inputs)
    name = auto_name(f"tf_{function.__name__}")
    return TFOp(_path(function), template, name=name)(*inputs)


def _dispatch(op: Any, args: tuple) -> Any:
    return symbolic_call(op.public, args)


KerasTensor.__tf_dispatch__ = staticmethod(_dispatch)


def register_symbolic_tensor_type(cls: type) -> None:
    """Does nothing: a layer's results in functional models of Keras 3 are tensors of any class.

    Source: `tf_keras.__internal__.utils.register_symbolic_tensor_type` of Keras 2.
    """
