"""`tf.xla`: compilation, which Inductor does here."""

from __future__ import annotations

import contextlib as _contextlib
import types as _types

from torchtf.function import function as _function


def _compile(computation, inputs=None):
    """Compiles a function and calls it (source: `tf.xla.experimental.compile`).

    Args:
        computation: the function.
        inputs: a list of its arguments.

    Returns:
        A list of the tensors it returns, one tensor, or None.
    """
    result = _function(computation, jit_compile=True)(*(inputs or []))
    return list(result) if isinstance(result, (tuple, list)) else result


@_contextlib.contextmanager
def _jit_scope(compile_ops=True, separate_compiled_gradients=False):
    """Not supported: raises NotImplementedError; use `tf.function(jit_compile=True)`."""
    raise NotImplementedError(
        "tf.xla.experimental.jit_scope marks ops of a TF 1 graph; use tf.function(jit_compile=True)"
    )
    yield


experimental = _types.SimpleNamespace(compile=_compile, jit_scope=_jit_scope)
