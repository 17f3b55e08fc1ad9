"""Reductions, softmax, arg-max, top-k, cumulative sums."""

from __future__ import annotations

import tensorflow as tf

from ..values import Value, as_sizes, axis_last, reduction
from .registry import operator
from .shapes import axes_of, scalar_int


def _simple(function):
    return lambda t, axes, keep: function(t, axis=axes, keepdims=keep)


def _log_sum_exp(t, axes, keep):
    return tf.reduce_logsumexp(t, axis=axes, keepdims=keep)


REDUCTIONS = {
    "ReduceMean": _simple(tf.reduce_mean),
    "ReduceSum": _simple(tf.reduce_sum),
    "ReduceMax": _simple(tf.reduce_max),
    "ReduceMin": _simple(tf.reduce_min),
    "ReduceProd": _simple(tf.reduce_prod),
    "ReduceL1": lambda t, axes, keep: tf.reduce_sum(tf.abs(t), axis=axes, keepdims=keep),
    "ReduceL2": lambda t, axes, keep: tf.sqrt(
        tf.reduce_sum(tf.square(t), axis=axes, keepdims=keep)
    ),
    "ReduceSumSquare": lambda t, axes, keep: tf.reduce_sum(tf.square(t), axis=axes, keepdims=keep),
    "ReduceLogSum": lambda t, axes, keep: tf.math.log(tf.reduce_sum(t, axis=axes, keepdims=keep)),
    "ReduceLogSumExp": _log_sum_exp,
}


@operator(*REDUCTIONS)
def reduce(node, x, axes=None):
    axes = axes_of(node, axes)
    if not axes:
        if node.get("noop_with_empty_axes", 0):
            return x
        axes = list(range(x.rank))
    function = REDUCTIONS[node.op]
    if x.dtype == tf.bool:  # any, all
        function = _simple(tf.reduce_any if node.op == "ReduceMax" else tf.reduce_all)
    return reduction(function, x, axes, bool(node.get("keepdims", 1)))


@operator("GlobalAveragePool")
def global_average_pool(node, x):
    return reduction(REDUCTIONS["ReduceMean"], x, range(2, x.rank), True)


@operator("GlobalMaxPool")
def global_max_pool(node, x):
    return reduction(REDUCTIONS["ReduceMax"], x, range(2, x.rank), True)


@operator("Softmax", "LogSoftmax")
def softmax(node, x):
    function = tf.nn.softmax if node.op == "Softmax" else tf.nn.log_softmax
    order = axis_last(x, node.get("axis", -1))
    return Value(function(x.tensor(order)), order, nonnegative=node.op == "Softmax")


@operator("ArgMax", "ArgMin")
def arg_extreme(node, x):
    if node.get("select_last_index", 0):
        raise node.unsupported("select_last_index")
    function = tf.argmax if node.op == "ArgMax" else tf.argmin
    axis = node.get("axis", 0) % x.rank

    def compute(t, axes, keep):
        if t.dtype == tf.bool:
            t = tf.cast(t, tf.int32)
        result = function(t, axis=axes[0], output_type=tf.int64)
        return tf.expand_dims(result, axes[0]) if keep else result

    return reduction(compute, x, [axis], bool(node.get("keepdims", 1)))


@operator("TopK")
def top_k(node, x, k):
    sizes = as_sizes(k)
    if sizes is None:
        raise node.unsupported("k must be one number")
    (count,) = sizes
    order = axis_last(x, node.get("axis", -1))
    tensor = x.tensor(order)
    if node.get("largest", 1):
        values, indices = tf.math.top_k(tensor, count, sorted=True)
    else:
        # the largest of the mirrored numbers; an integer type has one more below zero than above
        middle = tensor.dtype.min + tensor.dtype.max if tensor.dtype.is_integer else 0
        values, indices = tf.math.top_k(middle - tensor, count, sorted=True)
        values = middle - values
    return Value(values, order), Value(tf.cast(indices, tf.int64), order)


@operator("CumSum")
def cumsum(node, x, axis):
    position = x.position(scalar_int(axis))
    options = {"exclusive": bool(node.get("exclusive", 0)), "reverse": bool(node.get("reverse", 0))}
    return x.map(lambda t: tf.cumsum(t, position, **options))


@operator("CumProd")
def cumprod(node, x):
    position = x.position(node.get("axis"))

    def product(t):  # PyTorch multiplies integers as int64
        return tf.math.cumprod(tf.cast(t, tf.int64) if t.dtype.is_integer else t, position)

    return x.map(product)
