"""`tensorflow.python.util.tf_decorator`: decorators in Python's own form, with `__wrapped__`."""

from __future__ import annotations

import functools
import inspect


def make_decorator(target, decorator_func, decorator_name=None, *ignored, **kwargs):
    """Makes `decorator_func` look like `target`, which stays reachable as `__wrapped__`."""
    return functools.wraps(target)(decorator_func)


tf_decorator = make_decorator


def unwrap(maybe_tf_decorator):
    """The decorators around a function, outermost first, and the function."""
    decorators = []
    target = maybe_tf_decorator
    while hasattr(target, "__wrapped__"):
        decorators.append(target)
        target = target.__wrapped__
    return decorators, inspect.unwrap(maybe_tf_decorator)
