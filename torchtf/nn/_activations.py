"""`tf.nn.relu` and the other activations."""

from __future__ import annotations

import torch
from torch.nn import functional

from torchtf import array_ops
from torchtf import math as tf_math
from torchtf.core import errors
from torchtf.core.convert import convert_to_tensor, to_axis
from torchtf.core.op import op
from torchtf.core.tensor import is_large


@op("Relu")
def relu(features: Real):
    """Returns max(features, 0) (source: `tf.nn.relu`)."""
    return torch.relu(features)


@op("Relu6")
def relu6(features: Real):
    """Returns features cut to between 0 and 6 (source: `tf.nn.relu6`)."""
    if features.dtype.is_floating_point:
        return functional.relu6(features)
    return torch.clamp(features, 0, 6)


@op("LeakyRelu")
def _leaky_relu(features: Float, alpha):
    return functional.leaky_relu(features, alpha)


def leaky_relu(features, alpha=0.2, name=None):
    """Returns features, multiplied by `alpha` where negative (source: `tf.nn.leaky_relu`).

    Integers are computed as float32.
    """
    features = convert_to_tensor(features)
    if features.dtype.is_integer:
        features = tf_math.cast(features, "float32")
    return _leaky_relu(features, float(alpha), name)


@op("Elu")
def elu(features: Float):
    """Returns exp(features) - 1 where negative, else features (source: `tf.nn.elu`)."""
    return _exponential(functional.elu, features, 1.0, 1.0)


@op("Selu")
def selu(features: Float):
    """Scaled exponential linear units (source: `tf.nn.selu`)."""
    return _exponential(torch.selu, features, _SELU_ALPHA, _SELU_SCALE)


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _exponential(kernel, x, alpha, scale):
    """Returns scale * (x if x > 0 else alpha * (exp(x) - 1)): by torch's kernel, but for many
    elements in passes that take less time than its expm1.
    """
    if x.dtype is not torch.float32 or not is_large(x):
        return kernel(x)
    negative = torch.clamp_max(x, 0).exp_().sub_(1).mul_(alpha * scale)
    return negative.add_(torch.relu(x), alpha=scale)


@op("Gelu")
def _gelu(features: Float, approximate):
    return functional.gelu(features, approximate="tanh" if approximate else "none")


def gelu(features, approximate=False, name=None):
    """Gaussian error linear units: features * Phi(features) (source: `tf.nn.gelu`).

    Args:
        features: a float tensor.
        approximate: whether Phi is approximated by a hyperbolic tangent.

    Raises:
        ValueError: for a type that is no float.
    """
    features = convert_to_tensor(features)
    if not features.dtype.is_floating:
        raise ValueError(
            "`features.dtype` must be a floating point tensor. Received: "
            f"features.dtype={features.dtype}"
        )
    return _gelu(features, approximate, name)


@op("Swish")
def _silu(features: Float):
    return functional.silu(features)


@op("Swish")
def _swish(features: Float, beta: Float):
    return features * torch.sigmoid(beta * features)


def silu(features, beta=1.0):
    """Returns features * sigmoid(beta * features) (source: `tf.nn.silu`)."""
    features = convert_to_tensor(features)
    if type(beta) in (int, float) and beta == 1:
        return _silu(features)
    return _swish(features, tf_math.cast(convert_to_tensor(beta), features.dtype))


swish = silu


@op("Softplus")
def softplus(features: Float):
    """Returns log(exp(features) + 1) (source: `tf.nn.softplus`)."""
    return functional.softplus(features, threshold=40)


@op("Softsign")
def softsign(features: Float):
    """Returns features / (abs(features) + 1) (source: `tf.nn.softsign`)."""
    return functional.softsign(features)


def log_sigmoid(x, name=None):
    """Returns log(sigmoid(x)) (source: `tf.math.log_sigmoid`)."""
    return _log_sigmoid(x, name)


@op("LogSigmoid")
def _log_sigmoid(x: Float):
    return functional.logsigmoid(x)


def crelu(features, axis=-1, name=None):
    """The positive part beside the negative one, along an axis (source: `tf.nn.crelu`)."""
    features = convert_to_tensor(features)
    return relu(array_ops.concat([features, tf_math.negative(features)], axis), name)


def _check_axis(x, axis):
    """The axis of a softmax as an int; the last by default."""
    axis = -1 if axis is None else to_axis(axis)
    if x.dim() == 0 or not -x.dim() <= axis < x.dim():
        raise errors.InvalidArgumentError(
            None, None,
            f"`dim` must be in the range [{-x.dim()}, {x.dim()}) where {x.dim()} is the number of "
            f"dimensions in the input. Received: dim={axis}",
        )  # fmt: skip
    return axis


@op("Softmax")
def _softmax(logits: Float, axis):
    return torch.softmax(logits, _check_axis(logits, axis))


def softmax(logits, axis=None, name=None):
    """Returns exp(logits) divided by its sum along an axis (source: `tf.nn.softmax`).

    Args:
        logits: a float tensor of rank 1 or more.
        axis: the axis; the last by default.

    Raises:
        InvalidArgumentError: if there is no such axis.
    """
    return _softmax(logits, axis, name)


@op("LogSoftmax")
def _log_softmax(logits: Float, axis):
    return torch.log_softmax(logits, _check_axis(logits, axis))


def log_softmax(logits, axis=None, name=None):
    """Returns the logarithm of `softmax`, computed safely (source: `tf.nn.log_softmax`)."""
    return _log_softmax(logits, axis, name)
