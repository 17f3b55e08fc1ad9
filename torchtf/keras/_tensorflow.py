"""What Keras' code means by `tensorflow` is torchtf.

About thirty modules of Keras use TensorFlow through one lazy module object. Pointed at torchtf,
they run on our `tf.strings`, `tf.lookup`, `tf.data` and `tf.summary`. What they take from Keras'
TensorFlow backend is the torch backend's, on `torchtf.Tensor`. TensorFlow itself is never imported.
"""

from __future__ import annotations

import importlib
import types
from typing import Any

from keras.src import backend
from keras.src.backend import torch as torch_backend
from keras.src.backend.common import global_state
from keras.src.backend.common.variables import Variable
from keras.src.utils import backend_utils, module_utils, tf_utils

from torchtf.core.tensor import is_tensor_type
from torchtf.keras import _side
from torchtf.keras._patch import moved, own_attribute, replaces


def _point(name: str, target: str) -> None:
    """Makes the lazy module `name` load `target`, given as module or module:attribute."""
    lazy = own_attribute(module_utils, name)
    if not isinstance(lazy, module_utils.LazyModule):
        raise moved(module_utils, name, "is no longer a LazyModule")

    def initialize() -> None:
        module_name, _, attribute = target.partition(":")
        module = importlib.import_module(module_name)
        lazy.module = getattr(module, attribute) if attribute else module

    lazy.name, lazy.initialize = target, initialize
    lazy.module = lazy._available = None


_point("tensorflow", "torchtf")
_point("gfile", "torchtf.io:gfile")


class _OnTensors(types.ModuleType):
    """A module of Keras' torch backend, whose functions take and return `torchtf.Tensor`."""

    def __init__(self, name: str, module: types.ModuleType) -> None:
        super().__init__(name, module.__doc__)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if isinstance(found, types.ModuleType):
            return _OnTensors(f"{self.__name__}.{name}", found)

        def function(*args: Any, **kwargs: Any) -> Any:
            return _side.outward(_side.on_keras_side(found, args, kwargs))

        return function

    def cast(self, x: Any, dtype: Any) -> Any:
        """As on TensorFlow, also of a ragged or sparse tensor."""
        from torchtf import cast

        return cast(x, dtype)


backend.tensorflow = _OnTensors("keras.src.backend.tensorflow", torch_backend)


@replaces(backend_utils, "in_tf_graph")
def in_tf_graph() -> bool:
    # Our traces are no foreign graph: Keras' layers compute in them as they do eagerly.
    return global_state.get_global_attribute("in_tf_graph_scope", False)


@replaces(backend_utils, "convert_tf_tensor")
def convert_tf_tensor(outputs: Any, dtype: Any = None) -> Any:
    return _side.inward(outputs)


@replaces(tf_utils, "ensure_tensor")
def ensure_tensor(inputs: Any, dtype: Any = None) -> Any:
    """A value of either side as a `torchtf.Tensor`; a ragged or sparse tensor stays one."""
    from torchtf import RaggedTensor, SparseTensor, cast, convert_to_tensor

    inputs = _side.outward(inputs.value if isinstance(inputs, Variable) else inputs)
    if not is_tensor_type(inputs) and not isinstance(inputs, (RaggedTensor, SparseTensor)):
        inputs = convert_to_tensor(inputs, dtype)
    return inputs if dtype is None or inputs.dtype == dtype else cast(inputs, dtype)
