"""`tf.quantization`: quantizing, and training as if quantized.

torch has no element types that mean "quantized": the result of `quantize` has the integer type that
stores it (qint8 is int8, quint8 uint8 and so on), and `dequantize` takes such tensors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor, to_axis
from torchtf.core.op import op
from torchtf.core.tensor import Tensor, is_large


def _invalid(message):
    return errors.InvalidArgumentError(None, None, message)


# -- fake quantization: floats that lie on a grid


def _nudged(low, high, bits, narrow):
    """The range moved so that zero lies on the grid, and the distance of its points."""
    first, last = (1 if narrow else 0), 2**bits - 1
    scale = (high - low) / (last - first)
    start = first - low / scale
    zero = torch.where(
        start < first, torch.full_like(start, first),
        torch.where(start > last, torch.full_like(start, last), torch.floor(start + 0.5)),
    )  # fmt: skip
    return (first - zero) * scale, (last - zero) * scale, scale


_CHUNK = 65536  # elements that stay in the processor's cache


def _on_grid(inputs, start, end, scale, per_scale):
    """Many elements rounded to the grid, part by part: seven passes over what is in the cache."""
    start, end, scale, per_scale = (v.numpy() for v in (start, end, scale, per_scale))
    result = torch.empty(inputs.shape)
    values, places = inputs.contiguous().view(-1).numpy(), result.view(-1).numpy()
    for first in range(0, values.size, _CHUNK):
        part = places[first : first + _CHUNK]
        np.clip(values[first : first + _CHUNK], start, end, out=part)
        part -= start
        part *= per_scale
        part += 0.5
        np.floor(part, out=part)
        part *= scale
        part += start
    return result


class _FakeQuantize(torch.autograd.Function):
    """Rounding to the grid; the gradient passes where the input lies within the range.

    What lies outside adds its gradient to that of the nearer end.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(inputs, low, high, bits, narrow):
        start, end, scale = _nudged(low, high, bits, narrow)
        empty = (low == 0) & (high == 0)  # whose start is NaN: 0 over 0
        start, per_scale = torch.where(empty, 0, start), torch.where(empty, 0, 1 / scale)
        if low.dim() == 0 and is_large(inputs, low, high):
            return _on_grid(inputs, start, end, scale, per_scale)
        grid = torch.minimum(torch.maximum(inputs, start), end).sub_(start)
        return grid.mul_(per_scale).add_(0.5).floor_().mul_(scale).add_(start)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, low, high, ctx.bits, ctx.narrow = inputs
        ctx.save_for_backward(x, low, high)

    @staticmethod
    def backward(ctx, grad):
        return *_fake_gradient(grad, *ctx.saved_tensors, ctx.bits, ctx.narrow), None, None


def _fake_gradient(grad, x, low, high, bits, narrow):
    start, end, _ = _nudged(low, high, bits, narrow)
    empty = (low == 0) & (high == 0)
    below, above = (x < start) & ~empty, (x > end) & ~empty
    zero = torch.zeros_like(grad)
    return (
        torch.where(below | above, zero, grad),
        torch.where(below, grad, zero).sum_to_size(low.shape),
        torch.where(above, grad, zero).sum_to_size(high.shape),
    )


def _check_bits(bits):
    if not 2 <= bits <= 16:
        raise _invalid(f"num_bits must be between 2 and 16, inclusive, got {bits}")


def _check_channels(inputs, low, high):
    for bound, name in ((low, "min"), (high, "max")):
        sizes = (*bound.shape[:1], inputs.shape[-1])
        differ = all(isinstance(s, int) for s in sizes) and sizes[0] != sizes[-1]
        if bound.dim() != 1 or differ:
            raise _invalid(
                f"{name} has incorrect size, expected {inputs.shape[-1]} was {list(bound.shape)}"
            )


def _check_scalars(low, high):
    for bound, name in ((low, "min"), (high, "max")):
        if bound.dim():
            raise _invalid(f"`{name}` must be rank 0 but is rank {bound.dim()}")


def _bounds(low, high, like):
    if not low < high:
        raise _invalid(f"min has to be smaller than max, was: {low} >= {high}")
    return (torch.tensor(v, dtype=torch.float32, device=like.device) for v in (low, high))


@op("FakeQuantWithMinMaxArgs")
def fake_quant_with_min_max_args(inputs: Float32, min=-6, max=6, num_bits=8, narrow_range=False):
    """Rounds to a grid between numbers (source: `tf.quantization.fake_quant_with_min_max_args`).

    Args:
        inputs: a float32 tensor.
        min, max: the range, moved so that 0 lies on the grid.
        num_bits: between 2 and 16; the grid has 2 ** num_bits points.
        narrow_range: whether it has one fewer.

    Raises:
        InvalidArgumentError: for an empty range or another number of bits.
    """
    _check_bits(num_bits)
    return _FakeQuantize.apply(inputs, *_bounds(min, max, inputs), num_bits, narrow_range)


@op("FakeQuantWithMinMaxArgsGradient")
def fake_quant_with_min_max_args_gradient(
    gradients: Float32, inputs: Float32, min=-6, max=6, num_bits=8, narrow_range=False
):
    """The gradient of `fake_quant_with_min_max_args` with respect to its inputs.

    Source: `tf.quantization.fake_quant_with_min_max_args_gradient`.
    """
    _check_bits(num_bits)
    low, high = _bounds(min, max, inputs)
    return _fake_gradient(gradients, inputs, low, high, num_bits, narrow_range)[0]


@op("FakeQuantWithMinMaxVars")
def fake_quant_with_min_max_vars(
    inputs: Float32, min: Float32, max: Float32, num_bits=8, narrow_range=False
):
    """`fake_quant_with_min_max_args` with a range that is trained.

    Source: `tf.quantization.fake_quant_with_min_max_vars`. `min` and `max` are scalars.
    """
    _check_bits(num_bits)
    _check_scalars(min, max)
    return _FakeQuantize.apply(inputs, min, max, num_bits, narrow_range)


@op("FakeQuantWithMinMaxVarsGradient")
def fake_quant_with_min_max_vars_gradient(
    gradients: Float32, inputs: Float32, min: Float32, max: Float32, num_bits=8, narrow_range=False
):
    """The gradients of `fake_quant_with_min_max_vars` with respect to inputs, min and max.

    Source: `tf.quantization.fake_quant_with_min_max_vars_gradient`.
    """
    _check_bits(num_bits)
    _check_scalars(min, max)
    return FakeQuantGradients(*_fake_gradient(gradients, inputs, min, max, num_bits, narrow_range))


@op("FakeQuantWithMinMaxVarsPerChannel")
def fake_quant_with_min_max_vars_per_channel(
    inputs: Float32, min: Float32, max: Float32, num_bits=8, narrow_range=False
):
    """`fake_quant_with_min_max_vars` with a range for each channel, the last axis.

    Source: `tf.quantization.fake_quant_with_min_max_vars_per_channel`.
    """
    _check_bits(num_bits)
    _check_channels(inputs, min, max)
    return _FakeQuantize.apply(inputs, min, max, num_bits, narrow_range)


@op("FakeQuantWithMinMaxVarsPerChannelGradient")
def fake_quant_with_min_max_vars_per_channel_gradient(
    gradients: Float32, inputs: Float32, min: Float32, max: Float32, num_bits=8, narrow_range=False
):
    """The gradients of `fake_quant_with_min_max_vars_per_channel`.

    Source: `tf.quantization.fake_quant_with_min_max_vars_per_channel_gradient`.
    """
    _check_bits(num_bits)
    _check_channels(inputs, min, max)
    return FakeQuantGradients(*_fake_gradient(gradients, inputs, min, max, num_bits, narrow_range))


class FakeQuantGradients(NamedTuple):
    """Gradients with respect to the inputs and the two ends of the range."""

    backprops_wrt_input: Tensor
    backprop_wrt_min: Tensor
    backprop_wrt_max: Tensor


# -- quantize and dequantize in one


class _Straight(torch.autograd.Function):
    """A value with a gradient that passes where a mask is True."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, value, mask):
        return value.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[2])

    @staticmethod
    def backward(ctx, grad):
        (mask,) = ctx.saved_tensors
        return torch.where(mask, grad, torch.zeros_like(grad)), None, None


def _along(bound, axis, like):
    """A vector of bounds as a tensor that broadcasts along an axis."""
    if axis is None:
        return bound
    shape = [1] * like.dim()
    shape[axis] = -1
    return bound.reshape(shape)


@op("QuantizeAndDequantizeV4")
def _quantize_and_dequantize(
    input: Float, low: Float, high: Float, signed, bits, given, round_mode, narrow, axis, straight
):
    if bits < 1 or bits >= 64:
        raise _invalid(f"num_bits is out of range: {bits} with signed_input {signed}")
    if axis is not None and not -1 <= axis < input.dim():
        raise _invalid(f"Shape must be at least rank {axis + 1} but is rank {input.dim()}")
    if axis == -1:
        axis = None
    start, end = _along(low, axis, input), _along(high, axis, input)
    within = (
        torch.ones_like(input, dtype=torch.bool)
        if straight
        else ((input >= start) & (input <= end))
    )
    if not given:
        others = [d for d in range(input.dim()) if d != axis]
        low, high = (input.amin(others), input.amax(others)) if others else (input, input)
    low, high = _along(low, axis, input), _along(high, axis, input)
    if signed:
        first, last = -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    else:
        first, last = 0, 2**bits - 1
    # the scale that keeps the end that reaches further
    by_low = torch.where(first * low > 0, first / low, torch.full_like(low, float("inf")))
    by_high = torch.where(last * high > 0, last / high, torch.full_like(high, float("inf")))
    scale = torch.minimum(by_low, by_high)
    scale = torch.where(torch.isinf(scale), torch.ones_like(scale), scale)
    low_end, high_end = first / scale, last / scale
    clamped = torch.minimum(torch.maximum(input, low_end), high_end)
    scaled = clamped * scale
    rounded = torch.round(scaled) if round_mode == "HALF_TO_EVEN" else torch.floor(scaled + 0.5)
    return _Straight.apply(input, (rounded / scale).detach(), within)


def _checked_quantize_and_dequantize(
    input, low, high, signed, bits, given, round_mode, narrow, axis, straight, name
):
    if round_mode not in ("HALF_TO_EVEN", "HALF_UP"):
        raise _invalid(
            f"Value for attr 'round_mode' of \"{round_mode}\" is not in the list of allowed "
            'values: "HALF_TO_EVEN", "HALF_UP"'
        )
    input = convert_to_tensor(input)
    low, high = (convert_to_tensor(v, dtype_hint=input.dtype) for v in (low, high))
    return _quantize_and_dequantize(
        input, low, high, signed, bits, given, round_mode, narrow, to_axis(axis), straight, name
    )


def quantize_and_dequantize_v2(
    input, input_min, input_max, signed_input=True, num_bits=8, range_given=False,
    round_mode="HALF_TO_EVEN", name=None, narrow_range=False, axis=None,
):  # fmt: skip
    """Rounds to the values that a quantized tensor could take.

    Source: `tf.quantization.quantize_and_dequantize_v2`. The gradient passes where the input lies
    between `input_min` and `input_max`.

    Args:
        input: a float tensor.
        input_min, input_max: the range, scalars or vectors along `axis`.
        signed_input: whether the integers are signed.
        num_bits: their width.
        range_given: whether the range is that of the arguments; if not, that of `input`.
        round_mode: "HALF_TO_EVEN" or "HALF_UP".
        narrow_range: whether the lowest integer is left out.
        axis: the axis of a range for each slice, or None.

    Raises:
        InvalidArgumentError: for arguments out of range.
    """
    return _checked_quantize_and_dequantize(
        input, input_min, input_max, signed_input, num_bits, range_given, round_mode, narrow_range,
        axis, False, name,
    )  # fmt: skip


def quantize_and_dequantize(
    input, input_min, input_max, signed_input=True, num_bits=8, range_given=False,
    round_mode="HALF_TO_EVEN", name=None, narrow_range=False, axis=None,
):  # fmt: skip
    """`quantize_and_dequantize_v2` whose gradient passes everywhere.

    Source: `tf.quantization.quantize_and_dequantize`.
    """
    return _checked_quantize_and_dequantize(
        input, input_min, input_max, signed_input, num_bits, range_given, round_mode, narrow_range,
        axis, True, name,
    )  # fmt: skip


# -- quantized tensors


class QuantizeV2(NamedTuple):
    """What `quantize` returns."""

    output: Tensor
    output_min: Tensor
    output_max: Tensor


_STORED = {torch.int8, torch.uint8, torch.int16, torch.uint16, torch.int32}


def _limits(dtype):
    info = torch.iinfo(dtype)
    return info.min, info.max


def _rounded(x, round_mode):
    if round_mode == "HALF_TO_EVEN":
        return torch.round(x)
    return torch.trunc(x + torch.copysign(torch.full_like(x, 0.5), x))


@op("QuantizeV2")
def _quantize(
    input: Float32, low: Float32, high: Float32, dtype, mode, round_mode, narrow, axis, least
) -> tuple[U, Float32, Float32]:
    first, last = _limits(dtype)
    low = torch.minimum(low, torch.zeros_like(low))
    magnitude = torch.maximum(low.abs(), high.abs())
    high = torch.maximum(high, low + torch.maximum(magnitude, torch.ones_like(low)) * least)
    high = torch.maximum(high, torch.zeros_like(high))
    if mode == "SCALED":
        start = first + narrow
        by_low = torch.where(
            start * low > 0, start / low, torch.full_like(low, torch.finfo(torch.float32).max)
        )
        by_high = torch.where(
            last * high > 0, last / high, torch.full_like(high, torch.finfo(torch.float32).max)
        )
        scale = torch.minimum(by_low, by_high)
        low, high = start / scale, last / scale
        spread = _along(scale, axis, input)
        clamped = torch.minimum(
            torch.maximum(input, _along(low, axis, input)), _along(high, axis, input)
        )
        return _stored(_rounded(clamped * spread, round_mode), dtype), low, high
    wide_low, wide_high = (_along(v, axis, input).double() for v in (low, high))
    clamped = torch.minimum(torch.maximum(input.double(), wide_low), wide_high)
    levels = last - first
    if mode == "MIN_COMBINED":
        scaled = (clamped - wide_low) * (levels / (wide_high - wide_low))
        if dtype.is_signed:
            scaled = scaled - (levels + 1) / 2
        return _stored(_rounded(scaled.float(), "HALF_AWAY").double(), dtype), low, high
    scale = levels / (wide_high - wide_low)
    scaled = torch.round(clamped * scale) - torch.round(wide_low * scale) + first
    return _stored(scaled.clamp(first, last), dtype), low, high


def _stored(values, dtype):
    first, last = _limits(dtype)
    return values.double().clamp(first, last).to(torch.int64).to(dtype)


def quantize(
    input, min_range, max_range, T, mode="MIN_COMBINED", round_mode="HALF_AWAY_FROM_ZERO",
    name=None, narrow_range=False, axis=None, ensure_minimum_range=0.01,
):  # fmt: skip
    """Quantizes floats (source: `tf.quantization.quantize`).

    Args:
        input: a float32 tensor.
        min_range, max_range: the range, scalars or vectors along `axis`.
        T: qint8, quint8, qint16 or quint16.
        mode: "MIN_COMBINED" or "SCALED".
        round_mode: "HALF_AWAY_FROM_ZERO" or, with mode="SCALED", "HALF_TO_EVEN".
        narrow_range: with mode="SCALED", whether the lowest integer is left out.
        axis: the axis of a range for each slice, or None.
        ensure_minimum_range: the least width of the range, relative to its ends.

    Returns:
        A named tuple `output`, `output_min`, `output_max`; `output` has the integer type that
        stores T.

    Raises:
        NotImplementedError: for mode="MIN_FIRST" or 32-bit integers.
    """
    dtype = dtypes.as_dtype(T)
    if dtype.torch not in _STORED - {torch.int32}:
        raise NotImplementedError(f"quantize to {dtype.name}; use qint8, quint8, qint16 or quint16")
    _check_mode(mode)
    if mode == "MIN_COMBINED" and round_mode != "HALF_AWAY_FROM_ZERO":
        raise _invalid(
            f"Round mode '{round_mode}' only supported for mode 'SCALED', but mode is '{mode}'."
        )
    low, high = convert_to_tensor(min_range), convert_to_tensor(max_range)
    return QuantizeV2(
        *_quantize(
            input,
            low,
            high,
            dtype.torch,
            mode,
            round_mode,
            int(narrow_range),
            None if axis in (None, -1) else to_axis(axis),
            ensure_minimum_range,
            name,
        )
    )


def _check_mode(mode):
    if mode == "MIN_FIRST":
        raise NotImplementedError('mode="MIN_FIRST"; use "MIN_COMBINED" or "SCALED"')
    if mode not in ("MIN_COMBINED", "SCALED"):
        raise _invalid(
            f"Value for attr 'mode' of \"{mode}\" is not in the list of allowed values: "
            '"MIN_COMBINED", "MIN_FIRST", "SCALED"'
        )


@op("Dequantize")
def _dequantize(input: T, low: Float32, high: Float32, mode, narrow, axis, dtype) -> Float32:
    if input.dtype not in _STORED:
        raise _invalid("input must hold 8-, 16- or 32-bit integers")
    first, last = _limits(input.dtype)
    low, high = _along(low, axis, input), _along(high, axis, input)
    values = input.to(torch.float64 if input.dtype is torch.int32 else torch.float32)
    if mode == "SCALED":
        scale = high / last
        if input.dtype.is_signed:
            scale = torch.maximum(low / (first + narrow), scale)
        return (values * scale).to(dtype)
    offset = (last - first + 1) / 2 if input.dtype.is_signed else 0.0
    return ((values + offset) * ((high - low) / (last - first)) + low).to(dtype)


def dequantize(
    input, min_range, max_range, mode="MIN_COMBINED", name=None, axis=None, narrow_range=False,
    dtype=dtypes.float32,
):  # fmt: skip
    """Turns quantized values into floats (source: `tf.quantization.dequantize`).

    Args:
        input: a tensor of integers, see `quantize`.
        min_range, max_range: the range, scalars or vectors along `axis`.
        mode, narrow_range, axis: as for `quantize`.
        dtype: float32 or bfloat16.

    Raises:
        NotImplementedError: for mode="MIN_FIRST".
    """
    _check_mode(mode)
    dtype = dtypes.as_dtype(dtype)
    if dtype not in (dtypes.float32, dtypes.bfloat16):
        raise _invalid(f"Output type must be bfloat16 or float32, is {dtype.name}")
    axis = None if axis in (None, -1) else to_axis(axis)
    return _dequantize(
        input, min_range, max_range, mode, int(narrow_range), axis, dtype.torch, name
    )


def quantized_concat(concat_dim, values, input_mins, input_maxes, name=None):
    """Not supported (source: `tf.quantization.quantized_concat`)."""
    raise NotImplementedError(
        "tf.quantization.quantized_concat: dequantize, use tf.concat and quantize again"
    )
