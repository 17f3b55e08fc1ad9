"""What a SavedModel tells of objects and functions, in JSON, and what is made of it again.

A structure holds lists, tuples, dicts, plain values, and a mark for each tensor. Tensors count in
the order of TensorFlow's `nest`: positions first to last, dict keys sorted. A value made of several
tensors (ragged, sparse, an extension type) is told by its type spec, as ``(name, content)``: the
name of the spec's class and its arguments, or that of an extension type and a dict of its fields.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


def encode(
    value: Any,
    is_leaf: Callable[[Any], bool],
    composite: Callable[[Any], tuple | None] = lambda value: None,
) -> Any:
    """The JSON form of a structure.

    Args:
        value: the structure.
        is_leaf: whether a part of it stands for one tensor.
        composite: for a part that stands for several tensors ``(name, content, how many)``; content
            with fields is a dict, and counts its tensors by itself.

    Raises:
        NotImplementedError: for an object that has none.
    """
    if is_leaf(value):
        return {"tensor": None}
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"value": value}
    found = composite(value)
    if found is not None:
        name, content, count = found
        if isinstance(content, dict):
            fields = [[k, encode(v, is_leaf, composite)] for k, v in content.items()]
            return {"extension": [name, fields]}
        return {"composite": [name, content, count]}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [encode(v, is_leaf, composite) for v in value]}
    if isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
        return {"dict": [[k, encode(value[k], is_leaf, composite)] for k in sorted(value)]}
    raise NotImplementedError(
        f"a function whose arguments or results hold a {type(value).__name__} cannot be saved: use "
        "tensors, values with a type spec, numbers, strings, lists, tuples and dicts with strings "
        "as keys"
    )


def decode(form: Any, leaves: Iterator, composite: Callable | None = None) -> Any:
    """The structure of a JSON form, with the next of `leaves` for each tensor.

    `composite` makes a type spec of its name and content.
    """
    ((kind, content),) = form.items()
    if kind == "composite" and composite is not None:
        name, arguments, count = content
        for _ in range(count):
            next(leaves)
        return composite(name, arguments)
    if kind == "extension" and composite is not None:
        name, fields = content
        return composite(name, {k: decode(v, leaves, composite) for k, v in fields})
    if kind == "tensor":
        return next(leaves)
    if kind == "value":
        return content
    if kind == "dict":
        return {k: decode(v, leaves, composite) for k, v in content}
    parts = [decode(v, leaves, composite) for v in content]
    return parts if kind == "list" else tuple(parts)


def signature(parameters: Sequence[dict]) -> inspect.Signature:
    """The signature of a function whose parameters are described as `objects.Parameter`s are."""
    empty = inspect.Parameter.empty
    return inspect.Signature(
        [
            inspect.Parameter(
                p["name"],
                inspect._ParameterKind(p["kind"]),
                default=empty if p["default"] is None else decode(p["default"], iter(())),
            )
            for p in parameters
        ]
    )


def root(nodes: Sequence[dict], module: Callable, leaf: Callable) -> Any:
    """The first of the objects that are described by `objects.Objects.to_json`.

    Args:
        nodes: the descriptions, at least one.
        module: makes an object without attributes of its description.
        leaf: makes a variable, asset, table or function of its description.
    """
    made: dict[int, Any] = {}

    def one(number: int) -> Any:
        if number in made:
            return made[number]
        node = nodes[number]
        kind = node["kind"]
        if kind == "module":
            made[number] = module(node)  # before its children, which may refer to it
        children = {name: one(child) for name, child in node["children"].items()}
        if kind == "module":
            for name, child in children.items():
                setattr(made[number], name, child)
        elif kind in ("variable", "asset", "table", "function"):
            made[number] = leaf(node)
        else:
            made[number] = (
                children
                if kind == "dict"
                else (list if kind == "list" else tuple)(children.values())
            )
        return made[number]

    return one(0)
