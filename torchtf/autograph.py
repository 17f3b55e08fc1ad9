"""`tf.autograph`: conversion of Python control flow, made visible."""

from __future__ import annotations

import types
from collections.abc import Callable

from torchtf.function.autograph import do_not_convert, feature_set

__all__ = ["experimental", "set_verbosity", "to_code", "to_graph", "trace"]


def to_graph(entity: Callable, recursive: bool = True, experimental_optional_features=None):
    """The function with its control flow converted (source: `tf.autograph.to_graph`).

    Args:
        entity: a Python function or method; for a `tf.function`, give its `python_function`.
        recursive: whether functions that it calls are converted, too.
        experimental_optional_features: features of `tf.autograph.experimental.Feature`.

    Raises:
        ConversionError: if it has no source code.
    """
    from torchtf.function import autograph_transform

    features = feature_set(experimental_optional_features)
    return autograph_transform.to_graph(entity, recursive, features)


def to_code(entity: Callable, recursive: bool = True, experimental_optional_features=None) -> str:
    """The source of the converted function (source: `tf.autograph.to_code`); see `to_graph`."""
    from torchtf.function import autograph_transform

    features = feature_set(experimental_optional_features)
    return autograph_transform.to_code(entity, recursive, features)


def set_verbosity(level: int, alsologtostdout: bool = False) -> None:
    """How much the conversion logs, 0 to 10 (source: `tf.autograph.set_verbosity`)."""
    import importlib.util  # noqa: F401  (malt uses it without importing it)

    from malt.utils import ag_logging

    ag_logging.set_verbosity(level, alsologtostdout)


def trace(*args) -> None:
    """Prints its arguments while tracing (source: `tf.autograph.trace`)."""
    print(*args)


class _Experimental(types.ModuleType):
    """`tf.autograph.experimental`.

    The transformer looks for its own `set_loop_options` in a module, so that is what this is.
    """

    do_not_convert = staticmethod(do_not_convert)

    @property
    def set_loop_options(self):
        """Options of the loop in whose body it is called: limits, shape invariants."""
        import importlib.util  # noqa: F401  (malt uses it without importing it)

        from malt.lang.directives import set_loop_options

        return set_loop_options

    @property
    def Feature(self):
        """Optional features of the transformer."""
        import importlib.util  # noqa: F401

        from malt.core.converter import Feature

        return Feature


experimental = _Experimental("torchtf.autograph.experimental")
