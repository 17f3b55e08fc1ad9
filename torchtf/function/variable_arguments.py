"""Variables as arguments: one trace serves all variables of a kind.

* The cache key has a `VariableSpec` in the place of a `tf.Variable`: dtype, shape, `trainable` and
  which of the arguments are the same variable.
* The traced function sees an `Argument`, which stands for whatever variable is passed. A variable
  that the function closes over, too, gets a trace of its own when it is passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torchtf.core import nest
from torchtf.core.specs import TypeSpec
from torchtf.core.variable import Variable


class VariableSpec(TypeSpec):
    """The kind of a variable argument (source: TensorFlow's `VariableSpec`).

    Attributes:
        shape, dtype, trainable: of the variable.
        alias_id: the same for arguments that are the same variable.
    """

    __slots__ = ("alias_id", "dtype", "shape", "trainable")

    value_type = Variable

    def __init__(self, shape, dtype, trainable=True, alias_id=None):
        self.shape = shape
        self.dtype = dtype
        self.trainable = trainable
        self.alias_id = alias_id

    def _serialize(self):
        return self.shape, self.dtype, self.trainable, self.alias_id

    def is_compatible_with(self, spec_or_value) -> bool:
        return (
            self.dtype == spec_or_value.dtype
            and self.trainable == spec_or_value.trainable
            and self.shape.is_compatible_with(spec_or_value.shape)
        )

    def __eq__(self, other):
        return type(self) is type(other) and self._serialize() == other._serialize()

    def __hash__(self):
        return hash((self.dtype, self.trainable, self.alias_id))

    def __repr__(self):
        return (
            f"VariableSpec(shape={self.shape}, dtype={self.dtype!r}, trainable={self.trainable}, "
            f"alias_id={self.alias_id})"
        )


def spec_of(variable: Variable, before: Sequence) -> VariableSpec:
    """The spec of a variable that follows `before` in a list of arguments."""
    earlier = [x for x in before if isinstance(x, Variable)]
    alias = next((i for i, x in enumerate(earlier) if x is variable), len(earlier))
    return VariableSpec(variable.shape, variable.dtype, variable.trainable, alias)


class Argument(Variable):
    """What a traced function sees of a variable that it gets as an argument.

    Args:
        variable: the variable of the call that traces; it gives the value until the trace is done.
    """

    def __init__(self, variable: Variable):
        self.__dict__.update({k: v for k, v in vars(variable).items() if k != "_value"})
        self._variable = variable

    @property
    def _value(self):
        return self._variable._value

    def _trace_set(self, value) -> None:
        self._variable._trace_set(value)


def stand_ins(values: tuple) -> tuple[tuple, list[Argument]]:
    """Arguments with an `Argument` for each variable, and these in order (aliases twice)."""
    made: dict[int, Argument] = {}
    found: list[Argument] = []

    def replace(value):
        if type(value) is not Variable:
            return value
        found.append(made.setdefault(id(value), Argument(value)))
        return found[-1]

    return tuple(mapped(replace, v) for v in values), found


def replaced(values: tuple, variables: Sequence[Variable]) -> tuple:
    """Arguments with others in the place of their variables, in order."""
    supply = iter(variables)
    return tuple(mapped(lambda x: next(supply) if type(x) is Variable else x, v) for v in values)


def specs(values: tuple) -> tuple:
    """Arguments with a `VariableSpec` for each `Argument`."""
    before: list[Any] = []

    def replace(value):
        if type(value) is not Argument:
            return value
        spec = spec_of(value, before)
        before.append(value)
        return spec

    return tuple(mapped(replace, v) for v in values)


def mapped(function, value):
    """An argument with `function` of each part that is no list, tuple or dictionary."""
    if type(value) in (list, tuple, dict):
        parts = [mapped(function, v) for _, v in nest.children(value)]
        return nest.rebuild(value, parts)
    return function(value)
