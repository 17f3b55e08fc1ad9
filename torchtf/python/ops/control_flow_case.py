"""`tensorflow.python.ops.control_flow_case`: what libraries use of it besides public names."""

from __future__ import annotations

import functools

from torchtf.control_flow import first_that_holds
from torchtf.core.tensor import is_tensor_type
from torchtf.python import names_of

__getattr__ = names_of("ops.control_flow_case")


def _case_helper(
    cond_fn, pred_fn_pairs, default, exclusive, name, allow_python_preds=False, **cond_kwargs
):
    """`tf.case` by another `cond`.

    Args:
        cond_fn: called with a condition and two functions.
        pred_fn_pairs: a list of (condition, function) pairs.
        default: the function to call when no condition holds, or None.
        exclusive: whether it is an error if more than one holds.
        name: a name for the op.
        allow_python_preds: whether a condition may be a Python bool.
        **cond_kwargs: for `cond_fn`.

    Raises:
        TypeError: if a condition is no boolean, or what it chooses no function.
    """
    for pred, function in pred_fn_pairs:
        if not is_tensor_type(pred) and not (allow_python_preds and isinstance(pred, bool)):
            raise TypeError(f"pred must be a Tensor, got: {pred}")
        if not callable(function):
            raise TypeError(f"fn for pred {pred} must be callable.")
    cond = functools.partial(cond_fn, **cond_kwargs)
    return first_that_holds(cond, list(pred_fn_pairs), default, exclusive)
