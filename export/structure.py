"""Structures of tensors as JSON: lists, tuples, dicts, plain values, and a mark for each tensor.

Tensors count in the order of TensorFlow's `nest`: positions first to last, dict keys sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def encode(value: Any, is_leaf: Callable[[Any], bool]) -> Any:
    """The JSON form of a structure.

    Raises:
        NotImplementedError: for an object that has none.
    """
    if is_leaf(value):
        return {"tensor": None}
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"value": value}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [encode(v, is_leaf) for v in value]}
    if isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
        return {"dict": [[k, encode(value[k], is_leaf)] for k in sorted(value)]}
    raise NotImplementedError(
        f"a function whose arguments or results hold a {type(value).__name__} cannot be saved: use "
        "tensors, numbers, strings, lists, tuples and dicts with strings as keys"
    )


def decode(form: Any, leaves: Iterator) -> Any:
    """The structure of a JSON form, with the next of `leaves` for each tensor."""
    ((kind, content),) = form.items()
    if kind == "tensor":
        return next(leaves)
    if kind == "value":
        return content
    if kind == "dict":
        return {k: decode(v, leaves) for k, v in content}
    parts = [decode(v, leaves) for v in content]
    return parts if kind == "list" else tuple(parts)
