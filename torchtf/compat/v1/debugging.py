"""`tf.compat.v1.debugging`: assertions with data to show and with the message behind it."""

from __future__ import annotations

import torchtf as tf
from torchtf.compat.v1 import _names_of
from torchtf.python.util.deprecation import deprecated_argument_lookup as _one_of

__getattr__ = _names_of("debugging")

_DOC = """`tf.debugging.{}`.

    Args:
        {}: tensors.
        data: tensors whose values are the error's text, None for a text of TensorFlow's.
        summarize: how many elements of each are shown, 3 by default.
        message: text before them.
        name: a name for the operation.

    Raises:
        tf.errors.InvalidArgumentError: if it does not hold.
    """


def _shown(value, summarize: int) -> str:
    array = value.numpy() if isinstance(value, (tf.Tensor, tf.Variable)) else None
    if array is None:
        return str(value)
    elements = array.reshape(-1)
    if summarize < 0 or elements.size <= summarize:
        return "[" + ", ".join(map(repr, elements.tolist())) + "]"
    return "[" + ", ".join(map(repr, elements[:summarize].tolist())) + ", ...]"


def _assert_with(data, holds, summarize, message, name):
    """An assertion whose error shows the data."""
    data = [*([] if message is None else [message]), *data]
    if not tf.executing_eagerly():
        return tf.debugging.Assert(holds, data, summarize, name)
    if holds:
        return None
    count = 3 if summarize is None else summarize
    text = "\n".join(_shown(d, count) for d in data)
    raise tf.errors.InvalidArgumentError(None, None, text)


def _binary(name: str, holds):
    check = getattr(tf.debugging, name)

    def compare(x, y, data=None, summarize=None, message=None, name=None):
        if data is None:
            return check(x, y, message=message, summarize=summarize, name=name)
        return _assert_with(data, tf.reduce_all(holds(x, y)), summarize, message, name)

    compare.__name__ = name
    compare.__doc__ = _DOC.format(name, "x, y")
    return compare


assert_equal = _binary("assert_equal", tf.equal)
assert_greater = _binary("assert_greater", tf.greater)
assert_greater_equal = _binary("assert_greater_equal", tf.greater_equal)
assert_less = _binary("assert_less", tf.less)
assert_less_equal = _binary("assert_less_equal", tf.less_equal)
assert_none_equal = _binary("assert_none_equal", tf.not_equal)


def _unary(name: str, holds):
    check = getattr(tf.debugging, name)

    def compare(x, data=None, summarize=None, message=None, name=None):
        if data is None:
            return check(x, message=message, summarize=summarize, name=name)
        return _assert_with(data, tf.reduce_all(holds(x, 0)), summarize, message, name)

    compare.__name__ = name
    compare.__doc__ = _DOC.format(name, "x")
    return compare


assert_negative = _unary("assert_negative", tf.less)
assert_non_negative = _unary("assert_non_negative", tf.greater_equal)
assert_non_positive = _unary("assert_non_positive", tf.less_equal)
assert_positive = _unary("assert_positive", tf.greater)


def assert_near(x, y, rtol=None, atol=None, data=None, summarize=None, message=None, name=None):
    """`tf.debugging.assert_near`; the error shows `data` where given."""
    if data is None:
        return tf.debugging.assert_near(x, y, rtol, atol, message, summarize, name)
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    eps = 10 * tf.experimental.numpy.finfo(x.dtype.as_numpy_dtype).eps
    rtol, atol = (eps if tolerance is None else tolerance for tolerance in (rtol, atol))
    near = tf.abs(x - y) < tf.cast(atol, x.dtype) + tf.cast(rtol, x.dtype) * tf.abs(y)
    return _assert_with(data, tf.reduce_all(near), summarize, message, name)


def _no_data(data, function: str) -> None:
    if data is not None:
        raise NotImplementedError(
            f"tf.compat.v1.{function} with data is not supported: put the values into message"
        )


def assert_rank(x, rank, data=None, summarize=None, message=None, name=None):
    """`tf.debugging.assert_rank`."""
    _no_data(data, "assert_rank")
    return tf.debugging.assert_rank(x, rank, message, name)


def assert_rank_at_least(x, rank, data=None, summarize=None, message=None, name=None):
    """`tf.debugging.assert_rank_at_least`."""
    _no_data(data, "assert_rank_at_least")
    return tf.debugging.assert_rank_at_least(x, rank, message, name)


def assert_rank_in(x, ranks, data=None, summarize=None, message=None, name=None):
    """`tf.debugging.assert_rank_in`."""
    _no_data(data, "assert_rank_in")
    return tf.debugging.assert_rank_in(x, ranks, message, name)


def assert_shapes(shapes, data=None, summarize=None, message=None, name=None):
    """`tf.debugging.assert_shapes`."""
    return tf.debugging.assert_shapes(shapes, data, summarize, message, name)


def assert_integer(x, message=None, name=None):
    """`tf.debugging.assert_integer`."""
    return tf.debugging.assert_integer(x, message, name)


def assert_scalar(tensor, name=None, message=None):
    """`tf.debugging.assert_scalar`."""
    return tf.debugging.assert_scalar(tensor, message, name)


def assert_type(tensor, tf_type, message=None, name=None):
    """`tf.debugging.assert_type`."""
    return tf.debugging.assert_type(tensor, tf_type, message, name)


def assert_all_finite(t=None, msg=None, name=None, x=None, message=None):
    """`tf.debugging.assert_all_finite`, with `t` and `msg` for `x` and `message`, too."""
    x = _one_of("x", x, "t", t)
    message = _one_of("message", message, "msg", msg)
    return tf.debugging.assert_all_finite(x, message, name)
