"""`tf.debugging`: assertions and numeric checks.

What depends on shapes and types is checked at once, while tracing too; what depends on values is
checked when it runs, by a host op that has no result.
"""

from __future__ import annotations

import collections.abc
import types

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from torchtf import math
from torchtf.array_ops import identity, zeros
from torchtf.core import dtypes, errors, graph, nest, placement
from torchtf.core.convert import convert_to_tensor
from torchtf.core.host_op import host_op
from torchtf.core.name_scope import name_scope
from torchtf.core.tensor import SymbolicTensor, is_fake, is_tensor_type
from torchtf.framework import get_static_value
from torchtf.function.concrete import run_hooks
from torchtf.logging_ops import Assert

__all__ = [
    "Assert", "assert_all_finite", "assert_equal", "assert_greater", "assert_greater_equal",
    "assert_integer", "assert_less", "assert_less_equal", "assert_near", "assert_negative",
    "assert_non_negative", "assert_non_positive", "assert_none_equal", "assert_positive",
    "assert_proper_iterable", "assert_rank", "assert_rank_at_least", "assert_rank_in",
    "assert_same_float_dtype", "assert_scalar", "assert_shapes", "assert_type", "check_numerics",
    "disable_check_numerics", "disable_traceback_filtering", "enable_check_numerics",
    "enable_traceback_filtering", "experimental", "get_log_device_placement",
    "is_numeric_tensor", "is_traceback_filtering_enabled", "set_log_device_placement",
]  # fmt: skip


def _prefix(message) -> str:
    """A caller's message as TensorFlow puts it before its own."""
    return f"{message}.  " if message else ""


# -- comparisons of two tensors

_COMPARISONS = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_TENSOR_COMPARISONS = {
    "==": math.equal,
    "!=": math.not_equal,
    "<": math.less,
    "<=": math.less_equal,
    ">": math.greater,
    ">=": math.greater_equal,
}


@host_op("Assert", out=(), stateful=True)
def _compare(x: T, y: T, symbol, message, summarize):
    try:
        held = _COMPARISONS[symbol](x, y)
    except ValueError:
        shapes = (str(list(a.shape)).replace(" ", "") for a in (x, y))
        raise errors.InvalidArgumentError(
            None, None, "Incompatible shapes: {} vs. {}".format(*shapes)
        ) from None
    if np.all(held):
        return ()
    wrong = np.argwhere(~held)
    wide_x, wide_y = np.broadcast_to(x, held.shape), np.broadcast_to(y, held.shape)
    summarize = 3 if summarize is None else summarize
    count_x, count_y = min(x.size, summarize), min(y.size, summarize)
    lines = [message] if message else []
    lines.append(f"Condition x {symbol} y did not hold.")
    if held.ndim:
        places = tuple(wrong[:summarize].T)
        lines += [
            f"Indices of first {min(len(wrong), summarize)} different values:",
            str(wrong[:summarize]),
            "Corresponding x values:",
            str(wide_x[places]),
            "Corresponding y values:",
            str(wide_y[places]),
        ]
    lines += [
        f"First {count_x} elements of x:",
        str(x.reshape(-1)[:count_x]),
        f"First {count_y} elements of y:",
        str(y.reshape(-1)[:count_y]),
    ]
    raise errors.InvalidArgumentError(None, None, "\n".join(lines))


def _assert_in_graph(scope: str, symbol, x, y, message: list, summarize, shown=True) -> None:
    """Makes a comparison an assertion of the graph under way; the error names the tensors."""
    with name_scope(scope) as prefix:
        data = [
            *message,
            f"Condition x {symbol} {'y' if shown else '0'} did not hold element-wise:",
        ]
        for name, tensor in (("x", x), ("y", y)) if shown else (("x", x),):
            symbolic = type(tensor) is SymbolicTensor
            data += [f"{name} ({tensor.name if symbolic else f'{prefix}{name}:0'}) = ", tensor]
        known = [get_static_value(t) for t in (x, y)]
        if (
            all(v is not None for v in known)
            and not graph.state.trace.root.at_run_time
            and not np.all(_COMPARISONS[symbol](*known))
        ):
            texts = [str(get_static_value(d)) if is_tensor_type(d) else d for d in data]
            raise errors.InvalidArgumentError(None, None, "\n".join(texts))
        Assert(math.reduce_all(_TENSOR_COMPARISONS[symbol](x, y)), data, summarize)


def _comparison(symbol, scope, words):
    def check(x, y, message=None, summarize=None, name=None):
        x = convert_to_tensor(x, dtype_hint=y.dtype if is_tensor_type(y) else None)
        y = convert_to_tensor(y, dtype_hint=x.dtype)
        if SymbolicTensor not in (type(x), type(y)):
            _compare(x, y, symbol, message, summarize)
            return
        head = [message] if message else []
        _assert_in_graph(name or scope, symbol, x, y, head, summarize)

    check.__doc__ = f"""Asserts that x is {words} y, elementwise, with broadcasting.

    Args:
        x, y: tensors of one type.
        message: a line put before the error's text.
        summarize: how many elements the error shows; 3 by default.

    Raises:
        InvalidArgumentError: if it is not; in a graph, when the graph runs.
    """
    return check


assert_equal = _comparison("==", "assert_equal", "equal to")
assert_less = _comparison("<", "assert_less", "less than")
assert_less_equal = _comparison("<=", "assert_less_equal", "at most")
assert_greater = _comparison(">", "assert_greater", "greater than")
assert_greater_equal = _comparison(">=", "assert_greater_equal", "at least")
_none_equal = _comparison("!=", "assert_none_equal", "unequal to")


def assert_none_equal(x, y, summarize=None, message=None, name=None):
    """Asserts that x differs from y in every element; see `assert_equal`."""
    _none_equal(x, y, message, summarize, name)


# -- conditions on one tensor


@host_op("Assert", out=(), stateful=True)
def _all_satisfy(x: T, symbol, message):
    if np.all(_COMPARISONS[symbol](x, np.zeros((), x.dtype))):
        return ()
    head = _prefix(message)
    shape = f"(shape={x.shape} dtype={x.dtype.name})"
    raise errors.InvalidArgumentError(
        None, None,
        f"{head}\nCondition x {symbol} 0 did not hold element-wise:\nx {shape} = \n"
        f"{[str(v) for v in x.reshape(-1)[:3]]}",
    )  # fmt: skip


def _condition(symbol, scope, words):
    def check(x, message=None, summarize=None, name=None):
        x = convert_to_tensor(x)
        if type(x) is not SymbolicTensor:
            _all_satisfy(x, symbol, message)
            return
        head = [_prefix(message)]
        zero = zeros([], x.dtype)
        _assert_in_graph(name or scope, symbol, x, zero, head, summarize, shown=False)

    check.__doc__ = f"""Asserts that all elements are {words}.

    Args:
        x: a numeric tensor.
        message: a line put before the error's text.
        summarize: how many elements the error shows; 3 by default.

    Raises:
        InvalidArgumentError: if one is not; in a graph, when the graph runs.
    """
    return check


assert_positive = _condition(">", "assert_positive/assert_less", "positive")
assert_negative = _condition("<", "assert_negative/assert_less", "negative")
assert_non_negative = _condition(">=", "assert_non_negative/assert_less_equal", "zero or positive")
assert_non_positive = _condition("<=", "assert_non_positive/assert_less_equal", "zero or negative")


@host_op("Assert", out=(), stateful=True)
def _near(x: Num, y: Num, rtol, atol, message):
    if np.all(np.abs(x - y) <= atol + rtol * np.abs(y)):
        return ()
    raise errors.InvalidArgumentError(
        None, None,
        f"{message or ''}\nx and y not equal to tolerance rtol = {rtol}, atol = {atol}\n"
        f"x (shape={x.shape} dtype={x.dtype.name}) = \n{x.reshape(-1)[:3]}\n"
        f"y (shape={y.shape} dtype={y.dtype.name}) = \n{y.reshape(-1)[:3]}",
    )  # fmt: skip


def assert_near(x, y, rtol=None, atol=None, message=None, summarize=None, name=None):
    """Asserts that |x - y| <= atol + rtol * |y|, elementwise.

    Args:
        x, y: float or complex tensors of one type.
        rtol, atol: the tolerances; 10 times the type's epsilon by default.
        message: a line put before the error's text.
        summarize: how many elements the error shows.

    Raises:
        InvalidArgumentError: if they differ by more.
    """
    x = convert_to_tensor(x, dtype_hint=y.dtype if is_tensor_type(y) else None)
    y = convert_to_tensor(y, dtype_hint=x.dtype)
    epsilon = (
        10 * float(np.finfo(x.dtype.real_dtype.as_numpy_dtype).eps)
        if (x.dtype.is_floating or x.dtype.is_complex)
        else 0.0
    )
    rtol = epsilon if rtol is None else float(rtol)
    atol = epsilon if atol is None else float(atol)
    _near(x, y, rtol, atol, message)


@host_op("CheckNumerics", out=(), stateful=True)
def _check_finite(tensor: Float, message):
    values = tensor.astype(np.float64) if tensor.dtype.kind == "V" else tensor
    kinds = []
    if np.isinf(values).any():
        kinds.append("Inf")
    if np.isnan(values).any():
        kinds.append("NaN")
    if kinds:
        raise errors.InvalidArgumentError(
            None, None, f"{message} : Tensor had {' and '.join(kinds)} values"
        )
    return ()


def check_numerics(tensor, message, name=None):
    """The tensor itself, if all its elements are finite (source: `tf.debugging.check_numerics`).

    Raises:
        InvalidArgumentError: with `message`, if one is NaN or infinite.
    """
    tensor = convert_to_tensor(tensor)
    _check_finite(tensor, message)
    return identity(tensor)


def assert_all_finite(x, message, name=None):
    """Like `check_numerics`."""
    return check_numerics(x, message, name)


# -- types and shapes


def assert_type(tensor, tf_type, message=None, name=None):
    """Asserts the element type.

    Raises:
        TypeError: if it is another.
    """
    if not nest.is_composite(tensor):  # ragged and sparse tensors have a type as well
        tensor = convert_to_tensor(tensor)
    if tensor.dtype != tf_type:
        raise TypeError(
            f"{_prefix(message)}tensor must be of type {dtypes.as_dtype(tf_type)!r}; "
            f"got {tensor.dtype!r}"
        )


def assert_integer(x, message=None, name=None):
    """Asserts that the elements are integers.

    Raises:
        TypeError: if they are not.
    """
    x = convert_to_tensor(x)
    if not x.dtype.is_integer:
        raise TypeError(
            f'{_prefix(message)}Expected "x" to be integer type.  Found: tensor of dtype {x.dtype}'
        )


def is_numeric_tensor(tensor) -> bool:
    """Whether it is a tensor of numbers."""
    return is_tensor_type(tensor) and tensor.dtype.is_numeric


def _rank_error(tensor, condition, message):
    head = _prefix(message)
    name = tensor.name if type(tensor) is SymbolicTensor else ""
    return ValueError(
        f"{head}Tensor {name} must have rank {condition}.  Received rank {tensor.shape.rank}, "
        f"shape {tensor.shape}"
    )


def assert_rank(x, rank, message=None, name=None):
    """Asserts the number of axes.

    Raises:
        ValueError: if it is another.
    """
    x = convert_to_tensor(x)
    if x.shape.rank is None or type(rank) is SymbolicTensor:
        return _assert_rank_later(
            x, rank, "equal", "must have rank", message, name or "assert_rank"
        )
    if x.shape.rank != int(rank):
        raise _rank_error(x, int(rank), message)
    return None


def assert_rank_at_least(x, rank, message=None, name=None):
    """Asserts that there are at least `rank` axes.

    Raises:
        ValueError: if there are fewer.
    """
    x = convert_to_tensor(x)
    if x.shape.rank is None or type(rank) is SymbolicTensor:
        return _assert_rank_later(
            x,
            rank,
            "greater_equal",
            "must have rank at least",
            message,
            name or "assert_rank_at_least",
        )
    if x.shape.rank < int(rank):
        raise _rank_error(x, f"at least {int(rank)}", message)
    return None


def assert_rank_in(x, ranks, message=None, name=None):
    """Asserts that the number of axes is one of `ranks`.

    Raises:
        ValueError: if it is not.
    """
    x = convert_to_tensor(x)
    ranks = tuple(ranks)
    if x.shape.rank is None or any(type(r) is SymbolicTensor for r in ranks):
        return _assert_rank_later(
            x, ranks, "in", "must have rank in", message, name or "assert_rank_in"
        )
    ranks = tuple(int(r) for r in ranks)
    if x.shape.rank not in ranks:
        raise _rank_error(x, f"in {ranks}", message)
    return None


def _assert_rank_later(x, rank, how: str, text: str, message, name: str):
    """The check of a rank that only the run of the graph tells, or against a tensor."""
    import torchtf as tf

    with name_scope(name):
        found = tf.rank(x)
        if how == "in":
            wanted = [convert_to_tensor(r, dtype=dtypes.int32) for r in rank]
            fits = tf.reduce_any(tf.equal(found, tf.stack(wanted)))
        else:
            wanted = [rank]
            fits = getattr(tf.math, how)(found, rank)
        data = [_prefix(message), f"Tensor {x.name} {text}", *wanted]
        return Assert(fits, [*data, "Received shape: ", tf.shape(x)])


def assert_scalar(tensor, message=None, name=None):
    """The tensor itself, if it has no axes.

    Raises:
        ValueError: if it has some.
    """
    tensor = convert_to_tensor(tensor)
    if tensor.shape.rank != 0:
        raise ValueError(f"{_prefix(message)}Expected scalar shape, saw shape: {tensor.shape}.")
    return tensor


def _describe(tensor) -> str:
    if type(tensor) is SymbolicTensor:
        return tensor.name
    return f"shape={tensor.shape} dtype={tensor.dtype.name}"


def assert_shapes(shapes, data=None, summarize=None, message=None, name=None):
    """Asserts shapes given with names for sizes that must agree.

    Args:
        shapes: pairs of a tensor and its shape, or a dict of them. A size is a number, a name (the
            same name means the same size), or None or `"."` for any. `...` or `"*"` at one end
            stands for any number of axes.
        data: not shown: errors show the shapes.
        summarize: likewise.
        message: a text put before the error's.

    Raises:
        ValueError: if a shape does not fit.
    """
    head = _prefix(message)
    pairs = shapes.items() if isinstance(shapes, dict) else shapes
    sizes: dict[str, tuple[int, str]] = {}
    for value, wanted in pairs:
        tensor = convert_to_tensor(value)
        wanted = list(wanted) if isinstance(wanted, (list, tuple, str)) else [wanted]
        have = tensor.shape.as_list()
        if wanted and wanted[0] in (Ellipsis, "*"):
            wanted = wanted[1:]
            if len(have) < len(wanted):
                raise _rank_error(tensor, f"at least {len(wanted)}", message)
            have = have[len(have) - len(wanted) :]
        elif wanted and wanted[-1] in (Ellipsis, "*"):
            wanted = wanted[:-1]
            if len(have) < len(wanted):
                raise _rank_error(tensor, f"at least {len(wanted)}", message)
            have = have[: len(wanted)]
        elif len(have) != len(wanted):
            raise _rank_error(tensor, len(wanted), message)
        for i, (got, size) in enumerate(zip(have, wanted, strict=True)):
            if size is None or size == "." or got is None:
                continue
            if isinstance(size, str) and not size.isdigit():
                origin = f"by tensor {_describe(tensor)} dimension {i}"
                expected, where = sizes.setdefault(size, (got, origin))
            else:
                expected, where = int(size), "explicitly"
            if got != expected:
                raise ValueError(
                    f"{head}Specified {where}.  Tensor {_describe(tensor)} dimension {i} must have "
                    f"size {expected}.  Received size {got}, shape {tensor.shape}"
                )


def assert_same_float_dtype(tensors=None, dtype=None):
    """The float type that all the tensors share; float32 if none is given.

    Raises:
        ValueError: if they differ, or the type is no float.
    """
    expected = None if dtype is None else dtypes.as_dtype(dtype)
    first = None
    for tensor in tensors or ():
        if expected is None:
            expected, first = tensor.dtype, tensor
        elif tensor.dtype is not expected:
            other = f" as {first}" if first is not None else ""
            raise ValueError(
                f"{tensor}, type={tensor.dtype}, must be of the same type ({expected}){other}."
            )
    expected = expected or dtypes.float32
    if not expected.is_floating:
        raise ValueError(f"Expected floating point type, got {expected}.")
    return expected


def assert_proper_iterable(values):
    """Asserts that `values` is an iterable of values, not a tensor, array or string.

    Raises:
        TypeError: if it is none.
    """
    if (
        isinstance(values, (np.ndarray, str, bytes))
        or is_tensor_type(values)
        or hasattr(values, "_type_spec")
    ):
        raise TypeError(
            f'Expected argument "values" to be a "proper" iterable.  Found: {type(values)}'
        )
    if not isinstance(values, collections.abc.Iterable):
        raise TypeError(f'Expected argument "values" to be iterable.  Found: {type(values)}')


# -- switches


def enable_check_numerics(stack_height_limit=30, path_length_limit=50):
    """Makes every op whose float result holds a NaN or infinity raise.

    Args:
        stack_height_limit, path_length_limit: limits of the printed stack trace in TensorFlow; the
            error here carries Python's own traceback, so only the defaults are supported.

    Raises:
        NotImplementedError: for other limits.
    """
    if (stack_height_limit, path_length_limit) != (30, 50):
        raise NotImplementedError(
            "enable_check_numerics(stack_height_limit=, path_length_limit=): the error carries "
            "Python's own traceback; leave the limits out."
        )
    global _check_mode
    if _check_mode is None:
        _check_mode = _NumericsMode()
        _check_mode.__enter__()


def disable_check_numerics():
    """Takes `enable_check_numerics` back."""
    global _check_mode
    if _check_mode is not None:
        _check_mode.__exit__(None, None, None)
        _check_mode = None


_check_mode = None


class _NumericsMode(TorchDispatchMode):
    """Looks at the results of every ATen op, whoever calls it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for i, data in enumerate(result if isinstance(result, (tuple, list)) else (result,)):
            if not isinstance(data, torch.Tensor) or is_fake(data) or not data.is_floating_point():
                continue
            if data.numel() and func not in _MAY_BE_UNINITIALIZED and not data.isfinite().all():
                kinds = (("Inf", data.isinf()), ("NaN", data.isnan()))
                found = [name for name, bad in kinds if bad.any()]
                raise errors.InvalidArgumentError(
                    None, None,
                    f"\n\n!!! Detected Infinity or NaN in output {i} of eagerly-executing op "
                    f"\"{func}\" !!!\n  dtype: {dtypes.as_dtype(data.dtype)}\n  shape: "
                    f"{tuple(data.shape)}\n  found: {' and '.join(found)}",
                )  # fmt: skip
        return result


_MAY_BE_UNINITIALIZED = {
    torch.ops.aten.empty.memory_format,
    torch.ops.aten.empty_like.default,
    torch.ops.aten.empty_strided.default,
    torch.ops.aten.new_empty.default,
}


_traceback_filtering = True


def enable_traceback_filtering():
    """Keeps Keras' own frames out of tracebacks (the default)."""
    _set_traceback_filtering(True)


def disable_traceback_filtering():
    """Shows Keras' own frames in tracebacks."""
    _set_traceback_filtering(False)


def _set_traceback_filtering(enabled: bool):
    global _traceback_filtering
    _traceback_filtering = enabled
    from torchtf import keras

    config = keras.config
    (config.enable_traceback_filtering if enabled else config.disable_traceback_filtering)()


def is_traceback_filtering_enabled() -> bool:
    """Whether Keras' own frames are kept out of tracebacks."""
    return _traceback_filtering


def get_log_device_placement() -> bool:
    """Whether the device of each op is logged."""
    return placement.enabled


def set_log_device_placement(enabled: bool) -> None:
    """Has each eager op write its name and device to stderr.

    A call of a `tf.function` is one op of the function's unique name. What is no op here has no
    line: making constants and random numbers, reading and assigning variables, and the gradients
    that a tape takes (source: `tf.debugging.set_log_device_placement`).
    """
    placement.set_enabled(bool(enabled))
    if _log_function in run_hooks:
        run_hooks.remove(_log_function)
    if enabled:
        run_hooks.append(_log_function)


def _log_function(concrete) -> None:
    placement.log(concrete.name.decode())


def _no_dump(*args, **kwargs):
    raise NotImplementedError(
        "tf.debugging.experimental dumps TensorFlow's graphs for tfdbg; use tf.summary.trace_on, "
        "or torch's profiler."
    )


experimental = types.SimpleNamespace(
    enable_dump_debug_info=_no_dump, disable_dump_debug_info=_no_dump
)
