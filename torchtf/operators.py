"""Binds Python's operators on tensors and variables to the ops.

Kept apart from `core.tensor`, because the ops live in public modules, which core never imports.
"""

from __future__ import annotations

import functools
import types

from torchtf import _variable_ops, array_ops, math
from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor
from torchtf.core.errors import InvalidArgumentError
from torchtf.core.tensor import Tensor
from torchtf.core.variable import Variable


def _reflected(op):
    def method(self, other):
        dtype = self.dtype
        if other.__class__ is str or dtype is dtypes.string:
            return op(convert_to_tensor(other), self)
        return op(convert_to_tensor(other, dtype=dtype), self)

    return method


def _eq(self, other):
    return False if other is None else _compared(math.equal, self, other, False)


def _ne(self, other):
    return True if other is None else _compared(math.not_equal, self, other, True)


def _compared(op, tensor, other, of_unlike: bool):
    """`op` of the two; `of_unlike` if their shapes differ too much for that."""
    other = _like(tensor, other)
    try:
        return op(tensor, other)
    except (InvalidArgumentError, ValueError):
        if hasattr(other, "ragged_rank"):  # a ragged tensor's own answer
            return of_unlike
        if _may_broadcast(tensor, other):
            raise
        return convert_to_tensor(of_unlike)


def _may_broadcast(x, y) -> bool:
    """False if shapes alone keep two values of one type from being compared: they differ then."""
    y = convert_to_tensor(y, dtype_hint=x.dtype)
    sizes = zip(reversed(x.shape.as_list()), reversed(y.shape.as_list()), strict=False)
    return x.dtype is not y.dtype or all(a == b or 1 in (a, b) or None in (a, b) for a, b in sizes)


def _like(tensor, other):
    """Python values must fit the tensor's type in a comparison."""
    if type(other) in (float, complex, str, bytes, bool, list):
        return convert_to_tensor(other, dtype=tensor.dtype)
    return other


def _pow(self, other, modulo=None):
    if modulo is not None:
        raise TypeError("pow() with a modulus is not defined for tensors")
    return math.pow(self, other, "pow")


def _named(function, name: str):
    """`function` whose operations in a graph are called `name`, as TensorFlow does."""
    made = types.FunctionType(
        function.__code__, function.__globals__, function.__name__,
        (*function.__defaults__[:-1], name), function.__closure__,
    )  # fmt: skip
    return functools.update_wrapper(made, function)


_BINARY = {
    "add": math.operator_add,
    "sub": _named(math.subtract, "sub"),
    "mul": _named(math.multiply, "mul"),
    "truediv": math.truediv,
    "floordiv": math.floordiv,
    "mod": _named(math.floormod, "mod"),
    "matmul": math.matmul_operator,
    "and": math.operator_and,
    "or": math.operator_or,
    "xor": math.operator_xor,
}
_METHODS = {
    "__neg__": math.negative,
    "__abs__": math.abs,
    "__invert__": math.operator_invert,
    "__lt__": math.less,
    "__le__": math.less_equal,
    "__gt__": math.greater,
    "__ge__": math.greater_equal,
    "__eq__": _eq,
    "__ne__": _ne,
    "__pow__": _pow,
    "__rpow__": _reflected(_named(math.pow, "pow")),
    "__getitem__": array_ops.getitem,
}
for _name, _op in _BINARY.items():
    _METHODS[f"__{_name}__"] = _op
    _METHODS[f"__r{_name}__"] = _reflected(_op)

for _cls in (Tensor, Variable):
    for _name, _method in _METHODS.items():
        setattr(_cls, _name, _method)
for _name, _method in _variable_ops.METHODS.items():
    setattr(Variable, _name, _method)
