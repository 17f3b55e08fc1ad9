"""`tensorflow.python.util.tf_inspect`: Python's `inspect`, which sees through decorators."""

import inspect as _inspect
from inspect import *  # noqa: F403
from inspect import FullArgSpec

ArgSpec = FullArgSpec
stack = _inspect.stack


def getfullargspec(obj) -> FullArgSpec:
    """The arguments of the function that a decorated one stands for."""
    return _inspect.getfullargspec(_inspect.unwrap(obj) if callable(obj) else obj)


getargspec = getfullargspec
