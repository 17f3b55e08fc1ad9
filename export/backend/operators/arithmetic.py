"""Elementwise operators: they run in whatever axis order their operands lie."""

from __future__ import annotations

import functools
import math

import numpy as np
import tensorflow as tf

from ...extra_operators import SPECIAL_UNARY
from ..values import Constant, Value, as_strings, elementwise
from .registry import operator

# LiteRT has kernels for exp, log, sin, cos and atan2, for none of the functions made of them here.
UNARY = {
    "Abs": tf.abs,
    "Acos": lambda x: tf.atan2(tf.sqrt(1 - x * x), x),
    "Acosh": lambda x: tf.math.log(x + tf.sqrt(x * x - 1)),
    "Asin": lambda x: tf.atan2(x, tf.sqrt(1 - x * x)),
    "Asinh": lambda x: tf.sign(x) * tf.math.log(tf.abs(x) + tf.sqrt(x * x + 1)),
    "Atan": lambda x: tf.atan2(x, tf.ones_like(x)),
    "Atanh": lambda x: 0.5 * tf.math.log((1 + x) / (1 - x)),
    "BitwiseNot": tf.bitwise.invert,
    **{
        name: getattr(tf.math.special, f"bessel_{name.removeprefix('Bessel').lower()}")
        for name in SPECIAL_UNARY.values()
        if name.startswith("Bessel")
    },
    "Ceil": tf.math.ceil,
    "Cos": tf.cos,
    "Cosh": lambda x: 0.5 * (tf.exp(x) + tf.exp(-x)),
    "Digamma": tf.math.digamma,
    "Erfinv": tf.math.erfinv,
    "Exp": tf.exp,
    "Floor": tf.floor,
    "Identity": lambda x: x,
    "IsNaN": tf.math.is_nan,
    "Lgamma": tf.math.lgamma,
    "Log": tf.math.log,
    "Mish": lambda x: x * tf.tanh(_softplus(x)),
    "Ndtri": tf.math.ndtri,
    "Neg": tf.negative,
    "Not": tf.logical_not,
    "Reciprocal": lambda x: 1 / x,
    "Round": tf.round,
    "Sign": tf.sign,
    "Sin": tf.sin,
    "Sinh": lambda x: 0.5 * (tf.exp(x) - tf.exp(-x)),
    "Softplus": lambda x: _softplus(x),
    "Softsign": tf.nn.softsign,
    "Sqrt": tf.sqrt,
    "Tan": lambda x: tf.sin(x) / tf.cos(x),
    "Tanh": tf.tanh,
}
NONNEGATIVE = {"Relu": tf.nn.relu, "Sigmoid": tf.sigmoid}
for name, function in {**UNARY, **NONNEGATIVE}.items():
    operator(name)(
        lambda node, x, function=function, sign=name in NONNEGATIVE: x.map(
            function, nonnegative=sign
        )
    )

BINARY = {
    "And": tf.logical_and, "BitwiseAnd": tf.bitwise.bitwise_and, "BitwiseOr": tf.bitwise.bitwise_or,
    "BitwiseXor": tf.bitwise.bitwise_xor, "Equal": tf.equal, "Greater": tf.greater,
    "GreaterOrEqual": tf.greater_equal, "Igamma": tf.math.igamma, "Igammac": tf.math.igammac,
    "Less": tf.less, "LessOrEqual": tf.less_equal, "Mul": tf.multiply, "Or": tf.logical_or,
    "Sub": tf.subtract, "Xor": tf.math.logical_xor, "Zeta": tf.math.zeta,
}  # fmt: skip
for name, function in BINARY.items():
    operator(name)(lambda node, x, y, function=function: elementwise(function, x, y))


@operator("Add")
def add(node, x, y):
    # a sum of nonnegative tensors stays so, which residual networks rely on before a maximum pool
    return elementwise(tf.add, x, y, nonnegative=x.nonnegative and y.nonnegative)


@operator("Div")
def div(node, x, y):
    if x.dtype.is_integer:  # ONNX truncates, as C does
        return elementwise(lambda a, b: tf.cast(tf.truncatediv(a, b), x.dtype), x, y)
    return elementwise(tf.divide, x, y)


def _softplus(x):
    return tf.maximum(x, 0) + tf.math.log(1 + tf.exp(-tf.abs(x)))


@operator("Mod")
def mod(node, x, y):
    if not node.get("fmod", 0):
        return elementwise(tf.math.floormod, x, y)
    # the sign of the dividend instead of the divisor's
    return elementwise(lambda a, b: tf.sign(a) * tf.math.floormod(tf.abs(a), tf.abs(b)), x, y)


@operator("Pow")
def power(node, x, y):
    if isinstance(y, Constant) and y.array.size == 1:
        exponent = float(y.array.reshape(()))
        if exponent == 2:
            return x.map(tf.square)
        if exponent == 0.5 and x.dtype.is_floating:
            return x.map(tf.sqrt)
        if exponent == -0.5 and x.dtype.is_floating:
            return x.map(tf.math.rsqrt)
    if x.dtype.is_integer and y.dtype.is_floating:
        return elementwise(lambda a, b: tf.cast(tf.pow(tf.cast(a, y.dtype), b), x.dtype), x, y)
    return elementwise(lambda a, b: tf.pow(a, tf.cast(b, x.dtype)), x, y)


@operator("BitShift")
def bit_shift(node, x, y):
    left = node.get("direction") == "LEFT"
    return elementwise(tf.bitwise.left_shift if left else tf.bitwise.right_shift, x, y)


@operator("Max", "Min", "Sum", "Mean")
def variadic(node, *values):
    function = {"Max": tf.maximum, "Min": tf.minimum}.get(node.op, tf.add)
    total = functools.reduce(lambda a, b: elementwise(function, a, b), values)
    if node.op == "Mean":
        return total.map(lambda x: x / len(values))
    total.nonnegative = node.op == "Max" and any(
        isinstance(v, Constant) and bool(np.all(v.array >= 0)) for v in values
    )
    return total


@operator("IsInf")
def is_inf(node, x):
    both = node.get("detect_positive", 1), node.get("detect_negative", 1)
    if both == (1, 1):
        return x.map(tf.math.is_inf)
    infinity = math.inf if both[0] else -math.inf
    return x.map(lambda t: tf.equal(t, tf.cast(infinity, t.dtype)))


@operator("Clip")
def clip(node, x, low=None, high=None):
    low = low.tensor() if low is not None and not _constant(low) else _bound(low, node.get("min"))
    high = (
        high.tensor() if high is not None and not _constant(high) else _bound(high, node.get("max"))
    )
    sign = isinstance(low, (int, float)) and low >= 0
    if (low, high) == (0, 6) if sign else False:
        return x.map(tf.nn.relu6, nonnegative=True)
    if sign and low == 0 and high is None:
        return x.map(tf.nn.relu, nonnegative=True)
    if low is not None:
        x = x.map(lambda t: tf.maximum(t, tf.cast(low, t.dtype)))
    if high is not None:
        x = x.map(lambda t: tf.minimum(t, tf.cast(high, t.dtype)))
    return Value(x.tensor(x.order), x.order, nonnegative=sign)


def _constant(value) -> bool:
    return isinstance(value, Constant)


def _bound(value, attribute):
    if value is None:
        return attribute
    bound = value.numpy().reshape(()).item()
    return None if math.isinf(bound) else bound


@operator("Cast")
def cast(node, x):
    return _cast(x, node.importer.dtype(node.get("to")))


@operator("CastLike")
def cast_like(node, x, like):
    return _cast(x, like.dtype)


def _cast(x: Value, dtype: tf.DType) -> Value:
    if tf.string in (x.dtype, dtype):
        return as_strings(x)  # a graph has them as integers
    if x.dtype == dtype:
        return x
    if isinstance(x, Constant):
        return Constant(x.array.astype(dtype.as_numpy_dtype), x.lift, None, x.order)
    return x.map(lambda t: tf.cast(t, dtype), nonnegative=x.nonnegative or x.dtype.is_unsigned)


@operator("Elu")
def elu(node, x):
    return x.map(lambda t: _elu(t, node.get("alpha", 1.0)))


def _elu(t, alpha: float):
    if alpha == 1:
        return tf.nn.elu(t)
    return tf.where(t > 0, t, alpha * (tf.exp(tf.minimum(t, 0)) - 1))


@operator("Celu")
def celu(node, x):
    alpha = node.get("alpha", 1.0)
    return x.map(
        lambda t: tf.maximum(t, 0) + tf.minimum(alpha * (tf.exp(tf.minimum(t, 0) / alpha) - 1), 0)
    )


@operator("Selu")
def selu(node, x):
    alpha = node.get("alpha", 1.6732632423543772)
    gamma = node.get("gamma", 1.0507009873554805)
    return x.map(lambda t: gamma * _elu(t, alpha))


@operator("LeakyRelu")
def leaky_relu(node, x):
    return x.map(lambda t: tf.nn.leaky_relu(t, node.get("alpha", 0.01)))


@operator("ThresholdedRelu")
def thresholded_relu(node, x):
    return x.map(lambda t: tf.where(t > node.get("alpha", 1.0), t, 0), nonnegative=True)


@operator("PRelu")
def prelu(node, x, slope):
    # the form that LiteRT fuses into its PRELU kernel
    return elementwise(lambda t, s: tf.nn.relu(t) + -s * tf.nn.relu(-t), x, slope)


@operator("Gelu")
def gelu(node, x):
    approximate = node.get("approximate", "none") == "tanh"
    return x.map(lambda t: tf.nn.gelu(t, approximate=approximate))


@operator("Erf")
def erf(node, x):
    return x.map(_erf if x.dtype == tf.float32 else tf.math.erf)


def _erf(t):
    """The rational approximation that Eigen computes too (float32 accuracy): LiteRT has no erf
    kernel.
    """
    t = tf.clip_by_value(t, -4.0, 4.0)
    square = tf.square(t)

    def polynomial(*coefficients):
        total = coefficients[0]
        for c in coefficients[1:]:
            total = total * square + c
        return total

    numerator = polynomial(
        -2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
        -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02,
    )  # fmt: skip
    denominator = polynomial(
        -1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03,
        -7.37332916720468e-03, -1.42647390514189e-02,
    )  # fmt: skip
    return t * numerator / denominator


@operator("HardSigmoid")
def hard_sigmoid(node, x):
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return x.map(lambda t: tf.nn.relu6(t + 3) * (1 / 6), nonnegative=True)
    return x.map(lambda t: tf.clip_by_value(alpha * t + beta, 0, 1), nonnegative=True)


@operator("HardSwish")
def hard_swish(node, x):
    return x.map(lambda t: t * tf.nn.relu6(t + 3) * (1 / 6))


@operator("Swish")
def swish(node, x):
    alpha = node.get("alpha", 1.0)
    return x.map(lambda t: t * tf.sigmoid(t if alpha == 1 else alpha * t))


@operator("Shrink")
def shrink(node, x):
    bias, limit = node.get("bias", 0.0), node.get("lambd", 0.5)
    return x.map(lambda t: tf.where(t < -limit, t + bias, tf.where(t > limit, t - bias, 0)))


@operator("Dropout")
def dropout(node, x, *_):
    if len(node.outputs) > 1:
        return x, x.map(lambda t: tf.ones_like(t, tf.bool))
    return x


@operator("Where")
def where(node, condition, x, y):
    return elementwise(tf.where, condition, x, y)
