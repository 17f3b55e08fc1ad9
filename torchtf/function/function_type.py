"""`FunctionType`: the signature of a concrete function, as Python's `inspect` describes one."""

from __future__ import annotations

import inspect
import weakref
from typing import Any

from torchtf.core import nest
from torchtf.core.specs import TensorSpec, TypeSpec
from torchtf.function.variable_arguments import VariableSpec


class _Constraint:
    """What an argument must be, printed in TensorFlow's notation of types."""

    def __init__(self, text: str):
        self._text = text

    def __repr__(self):
        return self._text


def pretty(value) -> str:
    """A part of a signature in TensorFlow's notation of types."""
    if isinstance(value, (TypeSpec, VariableSpec)):
        return repr(value)
    if isinstance(value, dict):
        return f"Dict[{', '.join(f'[{k!r}, {pretty(v)}]' for k, v in value.items())}]"
    if nest.is_namedtuple(value):
        parts = zip(value._fields, value, strict=True)
        return f"{type(value).__name__}[{', '.join(f'[{k!r}, {pretty(v)}]' for k, v in parts)}]"
    if isinstance(value, (list, tuple)):
        kind = "List" if isinstance(value, list) else "Tuple"
        return f"{kind}[{', '.join(map(pretty, value))}]"
    try:
        return f"Weakref[{weakref.ref(value)!r}])"  # the bracket too many is TensorFlow's
    except TypeError:
        return f"Literal[{value!r}]"


def _constraint(value) -> Any:
    return value if isinstance(value, TensorSpec) else _Constraint(pretty(value))


def nameless(value):
    """A spec without its name; all else as it is."""
    return TensorSpec(value.shape, value.dtype) if isinstance(value, TensorSpec) else value


class Parameter(inspect.Parameter):
    """A parameter and the type its arguments must have."""

    @property
    def type_constraint(self):
        return self.annotation

    @property
    def optional(self) -> bool:
        return self.default is not self.empty

    def __repr__(self):
        return (
            f"Parameter(name={self.name}, kind={self.kind.name}, optional={self.optional}, "
            f"type_constraint={self.annotation!r})"
        )


class FunctionType(inspect.Signature):
    """The type of a function of tensors (source: `tf.types.experimental.FunctionType`).

    Args:
        variadic: whether some of the positional parameters stand for ``*args``.

    Attributes:
        output: the structure of specs that it returns.
        flat_inputs, flat_outputs: the `TensorSpec`s of its arguments and results, one by one.
        captures: what the graph takes besides its arguments: ids and specs.
    """

    def __init__(
        self, positional: dict, keyword_only: dict, output, captures: dict, variadic: bool = False
    ):
        given = Parameter.POSITIONAL_ONLY if variadic else Parameter.POSITIONAL_OR_KEYWORD
        kinds = (given, Parameter.KEYWORD_ONLY)
        super().__init__(
            [
                Parameter(name, kind, annotation=_constraint(value))
                for kind, named in zip(kinds, (positional, keyword_only), strict=True)
                for name, value in named.items()
            ],
            return_annotation=_Constraint("None") if output is None else _constraint(output),
        )
        self.output = output
        self.captures = captures
        self.flat_inputs = _specs([*positional.values(), *keyword_only.values()])
        self.flat_outputs = _specs(output)

    def __repr__(self):
        inputs = [
            f"  {name} ({p.kind.name}): {p.annotation!r}" for name, p in self.parameters.items()
        ]
        captured = [f"  {key}: {spec!r}" for key, spec in self.captures.items()]
        return "\n".join([
            "Input Parameters:", *(inputs or ["  None"]),
            "Output Type:", f"  {self.return_annotation!r}",
            "Captures:", *(captured or ["  None"]),
        ])  # fmt: skip


def _specs(structure) -> list[TensorSpec]:
    leaves = nest.flatten(structure, expand_composites=True)
    return [leaf for leaf in leaves if isinstance(leaf, TensorSpec)]
