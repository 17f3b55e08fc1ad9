"""AutoGraph: Python control flow on tensors becomes part of the graph.

* The source transformer is `diastatic-malt`, TensorFlow's own as a library. It turns statements
  into calls of operators (`ag__.if_stmt`, ...); those of this package stage the ones that meet
  symbolic tensors and do the rest as Python does.
* `convert` is cheap: nothing is transformed before the function is called in a trace, and functions
  are transformed once for each code object. The transformer is imported then, too.
* Code of libraries is not converted: torchtf, Keras, torch, NumPy, the standard library.
* An error in converted code names the user's own source lines.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Callable

from torchtf.core import graph

# libraries whose code runs as it is
LIBRARIES = frozenset((
    "torchtf", "keras", "torch", "torchvision", "numpy", "scipy", "pandas", "matplotlib", "PIL",
    "malt", "tensorboard", "google", "absl", "h5py", "wrapt", "tqdm", "pytest", "_pytest",
    "pluggy", "mock", "sklearn", "tensorflow", "tensorflow_probability", "tf_keras",
))  # fmt: skip
# set while the code of a function decorated with `do_not_convert` runs
disabled: contextvars.ContextVar[bool] = contextvars.ContextVar("autograph_disabled", default=False)


def convert(function: Callable, features: tuple = ()) -> Callable:
    """The function with its control flow converted; it behaves as before outside a trace.

    Args:
        function: the function.
        features: optional ones of the transformer (see `feature_set`).
    """
    if is_artifact(function) or not _may_convert(function):
        return function

    @functools.wraps(function, updated=())
    def converted(*args, **kwargs):
        if graph.state.trace is None or disabled.get():
            return function(*args, **kwargs)
        from torchtf.function import autograph_transform

        return autograph_transform.call_converted(function, args, kwargs, features)

    converted.autograph_info__ = None
    return converted


def _may_convert(function) -> bool:
    module = getattr(inspect.unwrap(function), "__module__", None) or ""
    return module.partition(".")[0] not in LIBRARIES


def is_artifact(function) -> bool:
    """True for a function that is not to be converted (again)."""
    return hasattr(function, "autograph_info__")


def do_not_convert(func=None):
    """Marks a function as not to be converted (source: `tf.autograph.experimental`)."""
    if func is None:
        return do_not_convert

    @functools.wraps(func, updated=())
    def unconverted(*args, **kwargs):
        token = disabled.set(True)
        try:
            return func(*args, **kwargs)
        finally:
            disabled.reset(token)

    unconverted.autograph_info__ = None
    return unconverted


def feature_set(given) -> tuple:
    """What `tf.autograph.experimental.Feature`s mean to the transformer.

    Args:
        given: None, one of them, or a sequence.

    Raises:
        TypeError: if it is something else.
    """
    if given is None:
        return ()
    from malt.core.converter import Feature

    wanted = {given} if isinstance(given, Feature) else set(given)
    if Feature.ALL in wanted:
        wanted = set(Feature) - {Feature.ALL}
    # program order is execution order here, and operations are named by the scopes they are in
    return tuple(wanted - {Feature.AUTO_CONTROL_DEPS, Feature.NAME_SCOPES})
