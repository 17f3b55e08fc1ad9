"""ONNX operators in TensorFlow, one module for each family; importing this package registers
them.
"""

from . import (  # noqa: F401
    arithmetic,
    control,
    convolution,
    fourier,
    host_calls,
    indexing,
    linear,
    normalization,
    random,
    recurrent,
    reductions,
    resize,
    shapes,
)
from .registry import OPERATORS, SIZE_RULES, Node, UnsupportedOperator

__all__ = ["OPERATORS", "SIZE_RULES", "Node", "UnsupportedOperator"]
