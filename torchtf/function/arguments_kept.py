"""A traced function must leave the lists and dicts among its arguments as they are.

A change would happen in its trace alone, and not in the calls that follow.
"""

from __future__ import annotations

import inspect


def copied(value):
    """A value with its own copies of the lists and dicts in it."""
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(copied, value)) if type(value) in (list, tuple) else value
    return value


def _is_unchanged(before, now) -> bool:
    if isinstance(before, dict):
        return before.keys() == now.keys() and all(
            _is_unchanged(v, now[k]) for k, v in before.items()
        )
    if type(before) in (list, tuple):
        return len(before) == len(now) and all(map(_is_unchanged, before, now))
    return before is now


def check(before: tuple, args: tuple, function, sig: inspect.Signature) -> None:
    """Compares the arguments with their copies from before the call.

    Raises:
        ValueError: if one was changed.
    """
    changed = [
        name
        for name, a, b in zip(sig.parameters, before, args, strict=True)
        if not _is_unchanged(a, b)
    ]
    if changed:
        name = getattr(function, "__qualname__", getattr(function, "__name__", function))
        raise ValueError(
            f"{name}{inspect.signature(function)} should not modify its Python input arguments. "
            "Modifying a copy is allowed. The following parameter(s) were modified: "
            + ", ".join(changed)
        )
