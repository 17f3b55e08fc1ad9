"""The control flow of `tf.compat.v1`.

Each is the function of `tf` of the same name, which has the arguments and errors; results that are
lists of one come without the list.
"""

from __future__ import annotations

import torchtf as tf


def cond(pred, true_fn=None, false_fn=None, strict=False, name=None, fn1=None, fn2=None):
    """`tf.cond`, with `fn1` and `fn2` for the branches, too.

    Args:
        pred: a scalar, boolean.
        true_fn, false_fn: functions without arguments.
        strict: whether an eager result that is a list of one stays a list.
        name: a name for the operation.
        fn1, fn2: old names of `true_fn` and `false_fn`.

    Raises:
        TypeError: if a branch is missing, or has two names.
    """
    if fn1 is not None:
        if true_fn is not None:
            raise TypeError("cond(): 'true_fn' and 'fn1' may not be set simultaneously.")
        true_fn = fn1
    elif true_fn is None:
        raise TypeError("cond(): 'true_fn' argument required")
    if fn2 is not None:
        if false_fn is not None:
            raise TypeError("cond(): 'false_fn' and 'fn2' may not be set simultaneously.")
        false_fn = fn2
    elif false_fn is None:
        raise TypeError("cond(): 'false_fn' argument required")
    result = tf.cond(pred, true_fn, false_fn, name)
    eager = tf.executing_eagerly()
    return _single(result) if eager and not strict else result


def _single(result):
    """What a list or tuple of one holds, anything else as it is."""
    if isinstance(result, (list, tuple)) and type(result) in (list, tuple) and len(result) == 1:
        return result[0]
    return result


def case(pred_fn_pairs, default=None, exclusive=False, strict=False, name="case"):
    """`tf.case`."""
    return tf.case(pred_fn_pairs, default, exclusive, strict, name)


def while_loop(
    cond,
    body,
    loop_vars,
    shape_invariants=None,
    parallel_iterations=10,
    back_prop=True,
    swap_memory=False,
    name=None,
    maximum_iterations=None,
    return_same_structure=False,
):
    """`tf.while_loop`; one loop variable comes back without its list.

    Args:
        cond, body, loop_vars, shape_invariants, maximum_iterations: as for `tf.while_loop`.
        parallel_iterations, back_prop, swap_memory, name: as for `tf.while_loop`.
        return_same_structure: whether one loop variable comes back in a list, too.
    """
    if len(loop_vars) != 1 or return_same_structure:
        unpack = False
    elif not tf.executing_eagerly():
        unpack = True
    else:
        unpack = False
        inner = body

        def body(*variables):
            nonlocal unpack
            after = inner(*variables)
            unpack = not isinstance(after, (list, tuple))
            return after

    result = tf.while_loop(
        cond, body, loop_vars, shape_invariants, parallel_iterations, back_prop, swap_memory,
        maximum_iterations, name,
    )  # fmt: skip
    return result[0] if unpack else result


def map_fn(
    fn,
    elems,
    dtype=None,
    parallel_iterations=None,
    back_prop=True,
    swap_memory=False,
    infer_shape=True,
    name=None,
    fn_output_signature=None,
):
    """`tf.map_fn`."""
    return tf.map_fn(
        fn, elems, dtype, parallel_iterations, back_prop, swap_memory, infer_shape, name,
        fn_output_signature,
    )  # fmt: skip


def scan(
    fn,
    elems,
    initializer=None,
    parallel_iterations=10,
    back_prop=True,
    swap_memory=False,
    infer_shape=True,
    reverse=False,
    name=None,
):
    """`tf.scan`."""
    return tf.scan(
        fn, elems, initializer, parallel_iterations, back_prop, swap_memory, infer_shape, reverse,
        name,
    )  # fmt: skip


def foldl(
    fn,
    elems,
    initializer=None,
    parallel_iterations=10,
    back_prop=True,
    swap_memory=False,
    name=None,
):
    """`tf.foldl`."""
    return tf.foldl(fn, elems, initializer, parallel_iterations, back_prop, swap_memory, name)


def foldr(
    fn,
    elems,
    initializer=None,
    parallel_iterations=10,
    back_prop=True,
    swap_memory=False,
    name=None,
):
    """`tf.foldr`."""
    return tf.foldr(fn, elems, initializer, parallel_iterations, back_prop, swap_memory, name)
