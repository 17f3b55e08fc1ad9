"""Lets ragged and sparse tensors take over composite functions, as they take over ops.

An op asks its tensor arguments for `__tf_dispatch__` by itself (see `core.op`); a plain function
that calls ops asks through the decorator `dispatched`. The handler gets an object with the
function's name and signature, and the arguments in the order of the signature.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable


class Composite:
    """A function in the form that handlers know of ops: `name`, `public`, `signature`."""

    __slots__ = ("name", "parameters", "public", "signature")

    def __init__(self, function: Callable):
        self.name = function.__name__
        self.public = function
        self.signature = inspect.signature(function)
        self.parameters: list = []


def handler_of(value):
    """What takes over a function that gets `value`, or a list of it, as a tensor; or None."""
    kind = type(value)
    if kind is list or kind is tuple:
        return next(filter(None, map(handler_of, value)), None)
    return getattr(kind, "__tf_dispatch__", None)


def dispatched(function: Callable) -> Callable:
    """Hands calls over whose first or second argument is, or lists, a ragged or sparse tensor."""
    composite = Composite(function)

    @functools.wraps(function)
    def call(*args, **kwargs):
        for value in (*args[:2], *kwargs.values()):
            handler = handler_of(value)
            if handler is not None:
                bound = composite.signature.bind(*args, **kwargs)
                bound.apply_defaults()
                return handler(composite, tuple(bound.arguments.values()))
        return function(*args, **kwargs)

    return call
