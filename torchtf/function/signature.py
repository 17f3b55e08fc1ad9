"""What a traced function keeps apart: cache keys, and structures of tensors with holes.

* A tensor contributes its dtype and shape, a `tf.Variable` its spec, a Python value itself, another
  object its identity. Lists, tuples and dicts contribute their form.
* A key is built in the same pass that collects the tensors (and variables).
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from torchtf.core import dtypes, nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec, TypeSpec
from torchtf.core.tensor import SymbolicTensor, Tensor
from torchtf.core.trace_type import Key
from torchtf.core.variable import Variable
from torchtf.function import variable_arguments

_PLAIN = frozenset((int, float, bool, str, bytes, complex, type(None)))


class _ById:
    """Keys an object by identity without keeping it alive."""

    __slots__ = ("_id", "_ref")

    def __init__(self, value):
        self._id = id(value)
        try:
            self._ref = weakref.ref(value)
        except TypeError:
            self._ref = lambda value=value: value  # no weak references: keep it

    def __hash__(self):
        return self._id

    def __eq__(self, other):
        return (
            type(other) is _ById
            and self._id == other._id
            and self._ref() is other._ref()
            and self._ref() is not None
        )


def encode(value, leaves: list) -> Any:
    """The cache key of an argument; appends its tensors and variables to `leaves`."""
    kind = type(value)
    if kind is Tensor:
        leaves.append(value)
        data = value._data
        return data.dtype, data.shape
    if kind in _PLAIN:
        return "literal", value  # equal numbers share a trace, whatever their types
    if kind is tuple or kind is list:
        return kind, tuple([encode(v, leaves) for v in value])
    if kind is dict:
        return dict, tuple([(k, encode(value[k], leaves)) for k in _keys(value)])
    if kind is SymbolicTensor:
        leaves.append(value)
        shape = tuple(None if isinstance(s, torch.SymInt) else s for s in value._data.shape)
        if value.dtype is dtypes.string:
            return np.dtype(object), shape
        return value._data.dtype, shape
    if kind is Variable:
        spec = variable_arguments.spec_of(value, leaves)
        leaves.append(value)
        return Variable, spec
    if hasattr(kind, "_tape_read"):
        return _ById(value)
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        return encode(convert_to_tensor(value), leaves)
    if isinstance(value, (TypeSpec, TensorShape, dtypes.DType)):
        return kind, value
    if hasattr(kind, "__tf_tracing_type__"):
        return Key(value.__tf_tracing_type__(None))
    children = nest.children(value, expand_composites=True)
    if children is not None:
        spec = getattr(value, "_type_spec", None)
        if nest.is_composite_spec(spec):  # it says which shapes matter
            tensors = [v for _, v in children if is_leaf(v)]
            leaves.extend(tensors)
            others = [encode(v, leaves) for _, v in children if not is_leaf(v)]
            return kind, spec, tuple(others)
        parts = tuple([(k, encode(v, leaves)) for k, v in children])
        return kind, nest.metadata(value) or spec, parts
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"Could not generate a generic TraceType for {value!r}.Please verify that it is "
            "immutable/hashable. Otherwise, consider implementing the Tracing Protocol for it."
        ) from None
    return (kind, value) if kind.__hash__ is not object.__hash__ else _ById(value)


def _keys(mapping):
    try:
        return sorted(mapping)
    except TypeError:
        return list(mapping)


def is_leaf(value) -> bool:
    """Whether a value of an argument becomes a tensor of the graph."""
    return (
        type(value) in (Tensor, SymbolicTensor)
        or isinstance(value, (TensorSpec, np.ndarray, np.generic))
        or (isinstance(value, torch.Tensor) and not hasattr(type(value), "_tape_read"))
    )


def map_leaves(function, value, path: str = ""):
    """Replaces the tensors (and specs) in an argument by `function(tensor, path)`.

    `path` names the place: the parameter's name, then the keys and positions below it. A value made
    of several tensors counts as its spec: what becomes of that are the components.
    """
    if is_leaf(value):
        return function(value, path)
    if hasattr(type(value), "__tf_tracing_type__"):
        return value.__tf_tracing_type__(None).placeholder_value(None)
    spec = value if isinstance(value, TypeSpec) else getattr(value, "_type_spec", None)
    if nest.is_composite_spec(spec):
        value = spec
    children = nest.children(value, expand_composites=True)
    if children is None or isinstance(value, TensorShape):
        return value
    keys = value._fields if nest.is_namedtuple(value) else [k for k, _ in children]
    mapped = [
        map_leaves(function, v, f"{path}_{k}") for k, (_, v) in zip(keys, children, strict=True)
    ]
    return nest.rebuild(value, mapped)


def map_arguments(function, sig: inspect.Signature, args: Sequence) -> tuple:
    """`map_leaves` on canonical arguments: `function(tensor, path, parameter)`.

    Each of the arguments that ``*args`` and ``**kwargs`` stand for counts as a parameter.
    """

    def mapped(value, name):
        return map_leaves(lambda leaf, path: function(leaf, path, name), value, name)

    made: list = []
    for p, value in zip(sig.parameters.values(), args, strict=False):
        if p.kind is p.VAR_POSITIONAL:
            made.append(tuple([mapped(v, f"{p.name}_{i}") for i, v in enumerate(value)]))
        elif p.kind is p.VAR_KEYWORD:
            found = {k: mapped(value[k], k) for k in _keys(value)}
            made.append({k: found[k] for k in value})
        else:
            made.append(mapped(value, p.name))
    return tuple(made)


def has_composites(value) -> bool:
    """Whether an argument holds a value that is made of several tensors, or the spec of one."""
    if is_leaf(value):
        return False
    spec = value if isinstance(value, TypeSpec) else getattr(value, "_type_spec", None)
    if hasattr(type(value), "__tf_tracing_type__") or nest.is_composite_spec(spec):
        return True
    return any(has_composites(v) for _, v in nest.children(value) or ())


def spec_of(value, path: str | None) -> TensorSpec:
    """The spec of a tensor argument, named after its place."""
    if isinstance(value, TensorSpec):
        return value if value.name else TensorSpec(value.shape, value.dtype, path)
    tensor = convert_to_tensor(value)
    return TensorSpec(tensor.shape, tensor.dtype, path)


def call_form(name: str, names: Iterable) -> str:
    """A function with the names of its flat arguments, as errors show it."""
    return f"{name}({', '.join(map(str, names))})"


def flat_misfit(
    called: str, names: Sequence, args: Sequence, kwargs: Mapping, allowed: int
) -> str | None:
    """Why arguments are not the flat ones of a graph, one for each name; None if they are.

    Args:
        called: the `call_form` of the function.
        names: those of the graph's inputs.
        args, kwargs: the arguments.
        allowed: how many may be given by position.
    """
    if len(args) > allowed:
        return f"{called} takes {allowed} positional arguments, got {len(args)}."
    given = names[: len(args)]
    missing = [n for n in names if n not in given and n not in kwargs]
    if missing:
        return f"{called} missing required arguments: {', '.join(map(str, missing))}."
    unknown = [n for n in kwargs if n not in names or n in given]
    if unknown:
        return f"{called} got unexpected keyword arguments: {', '.join(unknown)}."
    return None
