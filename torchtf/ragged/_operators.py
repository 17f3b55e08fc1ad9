"""Binds Python's operators on ragged tensors to the ops."""

from __future__ import annotations

from torchtf import math
from torchtf.core.convert import convert_to_tensor
from torchtf.core.errors import InvalidArgumentError
from torchtf.ragged._dispatch import lift
from torchtf.ragged._tensor import RaggedTensor


def _reflected(op):
    def method(self, other):
        if not isinstance(other, RaggedTensor):
            other = convert_to_tensor(other, dtype_hint=self.dtype)
        return op(other, self)

    return method


def _comparison(op, of_unlike: bool):
    """`==` or `!=`, which are `of_unlike` where the shapes or types of the two differ too much."""

    def method(self, other):
        if other is None:
            return of_unlike
        try:
            return op(self, other)
        except (InvalidArgumentError, ValueError):
            return of_unlike

    return method


_BINARY = {
    "add": lift(math.operator_add),
    "sub": math.subtract,
    "mul": math.multiply,
    "truediv": lift(math.truediv),
    "floordiv": lift(math.floordiv),
    "mod": lift(math.floormod),
    "pow": lift(math.pow),
    "and": math.logical_and,
    "or": math.logical_or,
    "xor": lift(math.logical_xor),
}
_METHODS = {
    "__neg__": math.negative,
    "__abs__": math.abs,
    "__invert__": math.logical_not,
    "__lt__": math.less,
    "__le__": math.less_equal,
    "__gt__": math.greater,
    "__ge__": math.greater_equal,
    "__eq__": _comparison(math.equal, False),
    "__ne__": _comparison(math.not_equal, True),
}
for _name, _op in _BINARY.items():
    _METHODS[f"__{_name}__"] = _op
    _METHODS[f"__r{_name}__"] = _reflected(_op)

for _name, _method in _METHODS.items():
    setattr(RaggedTensor, _name, _method)
