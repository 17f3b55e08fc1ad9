"""`tf.types`: the types of TensorFlow's public interfaces, for annotations and `isinstance`."""

from __future__ import annotations

import types as _types
import typing as _typing

import numpy as _np

from torchtf.core.tensor import Tensor as _Tensor
from torchtf.core.trace_type import TraceType as _TraceType
from torchtf.distribute._values import PerReplica as _PerReplica
from torchtf.function.concrete import ConcreteFunction as _ConcreteFunction
from torchtf.function.function_type import FunctionType as _FunctionType
from torchtf.function.polymorphic import Function as _Function


@_typing.runtime_checkable
class _SupportsTracingProtocol(_typing.Protocol):
    """An object that says when `tf.function` traces again for it
    (source: `tf.types.experimental.SupportsTracingProtocol`).
    """

    def __tf_tracing_type__(self, context):
        """The `TraceType` of the object."""


experimental = _types.SimpleNamespace(
    Callable=_Function | _ConcreteFunction,
    AtomicFunction=_ConcreteFunction,
    ConcreteFunction=_ConcreteFunction,
    FunctionType=_FunctionType,
    GenericFunction=_Function,
    PolymorphicFunction=_Function,
    SupportsTracingProtocol=_SupportsTracingProtocol,
    TensorLike=_typing.Union[  # noqa: UP007
        _Tensor, int, float, bool, str, bytes, complex, tuple, list, _np.ndarray, _np.generic
    ],
    TraceType=_TraceType,
    distributed=_types.SimpleNamespace(PerReplica=_PerReplica),
)
