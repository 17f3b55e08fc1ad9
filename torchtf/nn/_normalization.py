"""`tf.nn.moments`, `tf.nn.batch_normalization` and other normalizations."""

from __future__ import annotations

import torch

from torchtf import array_ops
from torchtf import math as tf_math
from torchtf.core import errors
from torchtf.core.convert import convert_to_tensor, to_axis
from torchtf.core.op import op
from torchtf.core.shape import brackets


def _axes(x, axes) -> list[int]:
    axes = to_axis(axes)
    axes = list(range(x.dim())) if axes is None else axes if isinstance(axes, list) else [axes]
    for a in axes:
        if not -x.dim() <= a < x.dim():
            raise errors.InvalidArgumentError(
                None, None,
                f"Invalid reduction dimension ({a} for input with {x.dim()} dimension(s)",
            )  # fmt: skip
    return axes


def _maybe_squeezed(values, axes, keepdims):
    if keepdims:
        return values
    axes = sorted({a % values[0].dim() for a in axes}, reverse=True)
    for a in axes:
        values = [v.squeeze(a) for v in values]
    return tuple(values)


@op("Moments")
def _moments(x: FloatComplex, axes, keepdims):
    y = x.float() if x.dtype is torch.float16 else x
    axes = _axes(x, axes)
    if not axes:  # each element by itself
        return x.clone(), torch.zeros_like(x)
    mean = y.mean(axes, keepdim=True)
    difference = y - mean.detach()
    variance = (difference * difference).mean(axes, keepdim=True)
    mean, variance = _maybe_squeezed((mean, variance), axes, keepdims)
    return mean.to(x.dtype), variance.to(x.dtype)


def moments(x, axes, shift=None, keepdims=False, name=None):
    """The mean and the variance along axes (source: `tf.nn.moments`).

    Args:
        x: a float tensor; float16 is computed as float32.
        axes: one axis or a list of them.
        shift: not used, as in TensorFlow.
        keepdims: whether the axes stay, with size 1.

    Returns:
        Mean and variance, the latter divided by the number of elements.
    """
    return _moments(x, axes, keepdims, name)


def weighted_moments(x, axes, frequency_weights, keepdims=False, name=None):
    """The weighted mean and variance along axes (source: `tf.nn.weighted_moments`).

    Args:
        x: a float tensor.
        axes: one axis or a list of them.
        frequency_weights: weights, broadcast with `x`.
        keepdims: whether the axes stay, with size 1.
    """
    x = convert_to_tensor(x)
    weights = tf_math.cast(convert_to_tensor(frequency_weights, dtype_hint=x.dtype), x.dtype)
    return _weighted_moments(x, weights, axes, keepdims, name)


@op("WeightedMoments")
def _weighted_moments(x: Float, weights: Float, axes, keepdims):
    dtype = x.dtype
    if dtype is torch.float16:
        x, weights = x.float(), weights.float()
    axes = _axes(x, axes)
    total = (weights + torch.zeros_like(x)).sum(axes, keepdim=True)
    zero = total == 0
    divisor = torch.where(zero, torch.ones_like(total), total)

    def average(values):
        sums = (weights * values).sum(axes, keepdim=True)
        return torch.where(zero, torch.zeros_like(sums), sums / divisor)

    mean = average(x)
    variance = average((x - mean) ** 2)
    mean, variance = _maybe_squeezed((mean, variance), axes, keepdims)
    return mean.to(dtype), variance.to(dtype)


def sufficient_statistics(x, axes, shift=None, keepdims=False, name=None):
    """What mean and variance along axes can be computed of (source: `tf.nn.sufficient_statistics`).

    Args:
        x: a numeric tensor.
        axes: a list of axes.
        shift: a value near the mean that is subtracted first, or None.
        keepdims: whether the axes stay, with size 1.

    Returns:
        The number of elements, their (shifted) sum, the sum of their squares, and the shift.
    """
    x = convert_to_tensor(x)
    axes = sorted(set(to_axis(axes)))
    sizes = array_ops.shape(x)
    counts = tf_math.cast(array_ops.stack([sizes[a] for a in axes]), x.dtype)
    count = tf_math.reduce_prod(counts)
    centered = x if shift is None else tf_math.subtract(x, shift)
    if shift is not None:
        shift = convert_to_tensor(shift, dtype_hint=x.dtype)
    sums = tf_math.reduce_sum(centered, axes, keepdims)
    squares = tf_math.reduce_sum(tf_math.square(centered), axes, keepdims)
    return count, sums, squares, shift


def normalize_moments(counts, mean_ss, variance_ss, shift, name=None):
    """Mean and variance of `sufficient_statistics` (source: `tf.nn.normalize_moments`)."""
    divisor = tf_math.divide(1.0, counts)
    shifted = tf_math.multiply(mean_ss, divisor)
    mean = shifted if shift is None else tf_math.add(shifted, shift)
    variance = tf_math.subtract(tf_math.multiply(variance_ss, divisor), tf_math.square(shifted))
    return mean, variance


def batch_normalization(x, mean, variance, offset, scale, variance_epsilon, name=None):
    """Returns (x - mean) / sqrt(variance + epsilon) * scale + offset.

    Source: `tf.nn.batch_normalization`.

    Args:
        x: a float tensor.
        mean, variance: broadcast with `x`.
        offset, scale: broadcast with `x`, or None.
        variance_epsilon: a small number that keeps the root away from zero.
    """
    x = convert_to_tensor(x)
    hint = x.dtype
    mean, variance = (convert_to_tensor(v, dtype_hint=hint) for v in (mean, variance))
    offset, scale = (
        v if v is None else convert_to_tensor(v, dtype_hint=hint) for v in (offset, scale)
    )
    return _batch_normalization(x, mean, variance, offset, scale, float(variance_epsilon), name)


@op("BatchNorm")
def _batch_normalization(
    x: Float, mean: Float2, variance: Float2, offset: Float2 | None, scale: Float2 | None, epsilon
):
    inverse = torch.rsqrt(variance + epsilon)
    if scale is not None:
        inverse = inverse * scale
    shift = -mean * inverse if offset is None else offset - mean * inverse
    return x * inverse.to(x.dtype) + shift.to(x.dtype)


def batch_norm_with_global_normalization(
    input, mean, variance, beta, gamma, variance_epsilon, scale_after_normalization, name=None
):
    """`batch_normalization` with statistics over all but the last axis.

    Source: `tf.nn.batch_norm_with_global_normalization`.
    """
    scale = gamma if scale_after_normalization else None
    return batch_normalization(input, mean, variance, beta, scale, variance_epsilon, name)


@op("LRN")
def _lrn(input: Float, radius, bias, alpha, beta):
    if input.dim() != 4:
        raise errors.InvalidArgumentError(None, None, "in must be 4-dimensional")
    channels = input.shape[-1]
    squares = (input * input).reshape(-1, 1, channels)
    window = 2 * radius + 1
    sums = torch.nn.functional.avg_pool1d(squares, window, 1, radius).reshape(input.shape) * window
    return input * _negative_power(bias + alpha * sums, beta)


def _negative_power(x, exponent):
    """The power -exponent of x; the usual ones are roots, which are several times as fast."""
    if exponent == 0.5:
        return torch.rsqrt(x)
    if exponent == 0.75:
        root = torch.rsqrt(x)
        return root * torch.sqrt(root)
    return 1 / x if exponent == 1 else x**-exponent


def local_response_normalization(input, depth_radius=5, bias=1, alpha=1, beta=0.5, name=None):
    """Divides by the size of the neighbouring channels.

    Returns input / (bias + alpha * sum of squares within depth_radius) ** beta.
    Source: `tf.nn.local_response_normalization`.

    Args:
        input: [batch, height, width, channels], float16, bfloat16 or float32.
    """
    return _lrn(input, int(depth_radius), float(bias), float(alpha), float(beta), name)


lrn = local_response_normalization


@op("BiasAdd")
def _bias_add(value: Num, bias: Num, last):
    if bias.dim() != 1:
        raise errors.InvalidArgumentError(None, None, f"Biases must be 1D: {list(bias.shape)}")
    if value.dim() < 2:
        raise errors.InvalidArgumentError(
            None, None, f"Input tensor must be at least 2D: {brackets(value.shape)}"
        )
    channels, biases = value.shape[-1 if last else 1], bias.shape[0]
    if isinstance(channels, int) and isinstance(biases, int) and channels != biases:
        raise errors.InvalidArgumentError(
            None, None,
            "Must provide as many biases as the last dimension of the input tensor: "
            f"{brackets(bias.shape)} vs. {brackets(value.shape)}",
        )  # fmt: skip
    if not last:
        bias = bias.reshape(-1, *[1] * (value.dim() - 2))
    return value + bias


def bias_add(value, bias, data_format=None, name=None):
    """Adds a vector to the channels (source: `tf.nn.bias_add`).

    Args:
        value: a numeric tensor of rank 2 or more.
        bias: a vector of its type.
        data_format: "N...C" (default) or "NC...".

    Raises:
        ValueError: for another format.
        InvalidArgumentError: if the sizes do not fit.
    """
    if data_format is None or data_format == "N...C" or data_format in ("NHWC", "NDHWC", "NWC"):
        last = True
    elif data_format.startswith("NC"):
        last = False
    else:
        raise ValueError(
            "`data_format` must be of the form `N...C` or `NC...`. Received: "
            f"data_format={data_format}"
        )
    value = convert_to_tensor(value)
    return _bias_add(value, convert_to_tensor(bias, dtype_hint=value.dtype), last, name)
