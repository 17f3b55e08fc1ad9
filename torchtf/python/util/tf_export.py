"""`tensorflow.python.util.tf_export`: the decorators that give TensorFlow's code public names."""

from __future__ import annotations

import functools


def tf_export(*names: str, v1=None, allow_multiple_exports: bool = True, api_name="tensorflow"):
    """A decorator that records `names` with what it decorates and changes nothing else."""

    def decorate(thing):
        if hasattr(thing, "__dict__") or isinstance(thing, type):
            thing._tf_api_names = names
        return thing

    return decorate


keras_export = functools.partial(tf_export, api_name="keras")
kwarg_only = lambda f: f  # noqa: E731
