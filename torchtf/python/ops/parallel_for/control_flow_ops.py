"""`tensorflow.python.ops.parallel_for.control_flow_ops`: `pfor`, a loop that runs at once."""

from __future__ import annotations

import torchtf as tf
from torchtf.python import names_of

__getattr__ = names_of("ops.parallel_for.control_flow_ops")


def pfor(loop_fn, iters, fallback_to_while_loop: bool = True, parallel_iterations=None, warn=False):
    """The results of `loop_fn(i)` for `i` below `iters`, stacked: `tf.vectorized_map` over them.

    Args:
        loop_fn: takes an int32 scalar; returns a structure of tensors.
        iters: the number of iterations.
        fallback_to_while_loop: as in `tf.vectorized_map`.
        parallel_iterations: not supported; all iterations run at once.
        warn: as in `tf.vectorized_map`.

    Raises:
        NotImplementedError: if `parallel_iterations` is given.
    """
    if parallel_iterations is not None:
        raise NotImplementedError(
            "pfor with parallel_iterations is not supported: leave it out, or use tf.map_fn"
        )
    return tf.vectorized_map(loop_fn, tf.range(iters), fallback_to_while_loop, warn)


def for_loop(loop_fn, loop_fn_dtypes, iters, parallel_iterations=None):
    """The results of `loop_fn(i)` for `i` below `iters`, one after the other, stacked.

    Args:
        loop_fn: takes an int32 scalar; returns a structure of tensors.
        loop_fn_dtypes: the dtypes of its results.
        iters: the number of iterations.
        parallel_iterations: as in `tf.map_fn`.
    """
    return tf.map_fn(
        loop_fn,
        tf.range(iters),
        parallel_iterations=parallel_iterations,
        fn_output_signature=loop_fn_dtypes,
    )
