"""`tensorflow.python.util.deprecation`: decorators that warn once of what will go.

Each warns by `tf.get_logger()` at the first call from a place, as TensorFlow does, unless
`silence()` is in force or `_PRINT_DEPRECATION_WARNINGS` is False.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import threading
from collections.abc import Callable

from torchtf.core.log import get_logger

_PRINT_DEPRECATION_WARNINGS = True
_PRINTED_WARNING: set = set()


class _Silence(threading.local):
    depth = 0


_silence = _Silence()


@contextlib.contextmanager
def silence():
    """No warnings of deprecation in this thread within the `with` block."""
    _silence.depth += 1
    try:
        yield
    finally:
        _silence.depth -= 1


def _removal(date: str | None) -> str:
    return f"after {date}" if date else "in a future version"


def _warn(key, text: str, once: bool = True) -> None:
    if not _PRINT_DEPRECATION_WARNINGS or _silence.depth:
        return
    frame = sys._getframe(2)
    place = (frame.f_code.co_filename, frame.f_lineno)
    key = (key, place)
    if once and key in _PRINTED_WARNING:
        return
    _PRINTED_WARNING.add(key)
    get_logger().warning("From %s:%s: %s", *place, text)


def _noted(function, text: str):
    """Adds a note to the docstring of a wrapper."""
    doc = inspect.getdoc(function) or ""
    function.__doc__ = f"{doc}\n\nDeprecated: {text}".strip()
    return function


def deprecated(date: str | None, instructions: str, warn_once: bool = True):
    """A decorator for functions, methods and classes that will go.

    Args:
        date: the ISO date after which it goes, or None.
        instructions: what to use instead.
        warn_once: whether a place in a program is warned once only.
    """
    _checked(date, instructions)

    def decorate(thing):
        name = getattr(thing, "__qualname__", thing.__name__)
        text = (
            f"{name} (from {thing.__module__}) is deprecated and will be removed "
            f"{_removal(date)}.\nInstructions for updating:\n{instructions}"
        )
        if inspect.isclass(thing):
            first = thing.__init__

            @functools.wraps(first)
            def init(self, *args, **kwargs):
                _warn(thing, text, warn_once)
                first(self, *args, **kwargs)

            thing.__init__ = init
            return _noted(thing, instructions)

        @functools.wraps(thing)
        def wrapper(*args, **kwargs):
            _warn(thing, text, warn_once)
            return thing(*args, **kwargs)

        return _noted(wrapper, instructions)

    return decorate


def _checked(date, instructions) -> None:
    if not instructions:
        raise ValueError("Don't deprecate things without conversion instructions! Specify the `instructions` argument.")  # fmt: skip  # noqa: E501
    parts = (date or "").split("-")
    if date is not None and not (len(parts) == 3 and all(p.isdigit() for p in parts)):
        raise ValueError(f"Date must be in format YYYY-MM-DD. Received: {date}")


def _argument_decorator(date, instructions, used: Callable, warn_once: bool):
    """A decorator that warns of the arguments that `used(bound)` names."""
    _checked(date, instructions)

    def decorate(func):
        signature = inspect.signature(func)

        @functools.wraps(func)
        def wrapper(*args, **kwargs):
            for name, told in used(signature.bind_partial(*args, **kwargs).arguments):
                _warn(
                    (func, name),
                    f"calling {func.__qualname__} (from {func.__module__}) with {told} is "
                    f"deprecated and will be removed {_removal(date)}.\n"
                    f"Instructions for updating:\n{instructions}",
                    warn_once,
                )
            return func(*args, **kwargs)

        return _noted(wrapper, instructions)

    return decorate


def deprecated_args(date, instructions, *deprecated_arg_names_or_tuples, warn_once: bool = True):
    """A decorator for functions some of whose arguments will go.

    Args:
        date: the ISO date after which they go, or None.
        instructions: what to do instead.
        *deprecated_arg_names_or_tuples: names, or (name, value for which there is no warning).
        warn_once: whether a place in a program is warned once only.
    """
    if not deprecated_arg_names_or_tuples:
        raise ValueError("Specify which argument is deprecated.")
    allowed = {
        (a if isinstance(a, str) else a[0]): (() if isinstance(a, str) else a[1:])
        for a in deprecated_arg_names_or_tuples
    }

    def used(arguments):
        for name, fine in allowed.items():
            if name in arguments and not any(arguments[name] is f for f in fine):
                yield name, name

    return _argument_decorator(date, instructions, used, warn_once)


def deprecated_arg_values(date, instructions, warn_once: bool = True, **deprecated_kwargs):
    """A decorator for functions with arguments some of whose values will go.

    Args:
        date: the ISO date after which they go, or None.
        instructions: what to do instead.
        warn_once: whether a place in a program is warned once only.
        **deprecated_kwargs: argument -> value.
    """
    if not deprecated_kwargs:
        raise ValueError("Specify which argument values are deprecated.")

    def used(arguments):
        for name, value in deprecated_kwargs.items():
            if name in arguments and arguments[name] == value:
                yield name, f"{name}={value}"

    return _argument_decorator(date, instructions, used, warn_once)


def deprecated_alias(deprecated_name: str, name: str, func_or_class, warn_once: bool = True):
    """A function or class that is `func_or_class` under an old name, and warns of it."""
    text = f"The name {deprecated_name} is deprecated. Please use {name} instead.\n"
    if inspect.isclass(func_or_class):

        class NewClass(func_or_class):
            __doc__ = func_or_class.__doc__

            def __init__(self, *args, **kwargs):
                _warn(deprecated_name, text, warn_once)
                super().__init__(*args, **kwargs)

        NewClass.__name__ = func_or_class.__name__
        return NewClass

    @functools.wraps(func_or_class)
    def wrapper(*args, **kwargs):
        _warn(deprecated_name, text, warn_once)
        return func_or_class(*args, **kwargs)

    return wrapper


def deprecated_argument_lookup(new_name: str, new_value, old_name: str, old_value):
    """The value of an argument that has two names.

    Raises:
        ValueError: if both are given.
    """
    if old_value is None:
        return new_value
    if new_value is not None:
        raise ValueError(f"Cannot specify both '{old_name}' and '{new_name}'.")
    return old_value


def deprecated_endpoints(*args):
    """A decorator that records old public names; here it changes nothing."""
    return lambda thing: thing


def rewrite_argument_docstring(old_doc: str, old_argument: str, new_argument: str) -> str:
    """A docstring with an argument's name replaced."""
    return old_doc.replace(f"`{old_argument}`", f"`{new_argument}`").replace(
        f"{old_argument}:", f"{new_argument}:"
    )
