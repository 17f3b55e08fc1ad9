"""`tf.__internal__`: private classes and modules that libraries reach by this name.

Source: `tf.__internal__`, of which this is what `tensorflow.python` of torchtf has, too.
"""

from __future__ import annotations

from torchtf.core.tensor import SymbolicTensor, Tensor
from torchtf.function.func_graph import FuncGraph
from torchtf.python.framework import smart_cond
from torchtf.python.framework.composite_tensor import CompositeTensor
from torchtf.python.util import nest
from torchtf.python.util import tf_decorator as decorator

EagerTensor = Tensor

__all__ = [
    "CompositeTensor", "EagerTensor", "FuncGraph", "SymbolicTensor", "decorator", "nest",
    "smart_cond",
]  # fmt: skip
