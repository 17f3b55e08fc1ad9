"""A call of a host op as text: how an op that ONNX lacks travels with a graph.

The text is JSON: ``op`` (TensorFlow's name of the kernel), ``body`` (where torchtf has it),
``arguments`` by parameter, and ``results``, dtype and rank of each. Lists, numbers and strings are
themselves in it; all else is an object of one key, which names the kind:

* ``bytes``, ``strings`` (an array of them), ``array``, ``tuple``: read here;
* ``slot`` (the next input of the node; whether it holds strings), ``table`` (a number), ``dtype``,
  ``object`` (name and fields of a record): each side makes its own of these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def encode(value: Any, special: Callable[[Any], dict | None]) -> Any:
    """The form of an argument.

    Args:
        value: the argument.
        special: gives the form of a kind that is not read here, else None.

    Raises:
        NotImplementedError: for a value that has none.
    """

    def one(value):
        found = special(value)
        if found is not None:
            return {kind: _mapped(one, content) for kind, content in found.items()}
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, bytes):
            return {"bytes": value.decode("latin-1")}
        if isinstance(value, np.ndarray):
            items = value.reshape(-1).tolist()
            if value.dtype == object:
                return {"strings": [[b.decode("latin-1") for b in items], list(value.shape)]}
            return {"array": [items, value.dtype.name, list(value.shape)]}
        if isinstance(value, list):
            return list(map(one, value))
        if isinstance(value, tuple):
            return {"tuple": list(map(one, value))}
        raise NotImplementedError(f"an argument of the type {type(value).__name__} in a graph")

    return one(value)


def decode(form: Any, make: dict[str, Callable[[Any], Any]]) -> Any:
    """The argument of a form; `make` has what reads the kinds that are not read here."""

    def one(form):
        if isinstance(form, list):
            return list(map(one, form))
        if not isinstance(form, dict):
            return form
        ((kind, content),) = form.items()
        if kind == "bytes":
            return content.encode("latin-1")
        if kind == "strings":
            items, shape = content
            array = np.empty(len(items), object)
            array[:] = [text.encode("latin-1") for text in items]
            return array.reshape(shape)
        if kind == "array":
            items, dtype, shape = content
            return np.array(items, dtype).reshape(shape)
        if kind == "tuple":
            return tuple(map(one, content))
        return make[kind](_mapped(one, content))

    return one(form)


def _mapped(function: Callable, content: Any) -> Any:
    """The content of a kind; only that of a record, a name and fields, holds more arguments."""
    if isinstance(content, list) and len(content) == 2 and isinstance(content[1], dict):
        name, fields = content
        return [name, {key: function(value) for key, value in fields.items()}]
    return content
