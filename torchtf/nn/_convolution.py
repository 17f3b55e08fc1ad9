"""`tf.nn.conv*`: convolution in one to three dimensions, depthwise, separable and transposed."""

from __future__ import annotations

import math

import torch

from torchtf.core import errors
from torchtf.core.convert import convert_to_tensor, to_shape
from torchtf.core.convolution import start_pixels
from torchtf.core.op import op
from torchtf.core.tensor import is_fake
from torchtf.nn._windows import (
    Layout,
    all_known,
    check_rank,
    is_channels_last,
    leave_empty,
    pad,
    pad_pairs,
    per_axis,
    place_windows,
    read_padding,
)

_FORWARD = {2: torch.conv2d, 3: torch.conv3d}
_TRANSPOSED = {2: torch.conv_transpose2d, 3: torch.conv_transpose3d}


def _oi_first(filters: torch.Tensor, n: int) -> torch.Tensor:
    """Filters [*window, in, out] as [out, in, *window], for n = 1 with a window axis more."""
    filters = filters.permute(n + 1, n, *range(n))
    return filters.unsqueeze(2) if n == 1 else filters


def _floating(function, x, w, *args):
    """Integer convolution: exact in double precision, which torch has kernels for."""
    if x.dtype.is_floating_point:
        return function(x, w, *args)
    return function(x.double(), w.double(), *args).to(x.dtype)


def _correlate(x, w, strides, pairs, dilations, groups):
    """Channels-second cross-correlation with any padding."""
    window = w.shape[2:]
    native = all_known(pairs) and all(a == b for a, b in pairs) and math.prod(window) > 1
    padding = [a for a, _ in pairs] if native else [0] * len(pairs)
    if not native:
        x = pad(x, pairs)
    x, strides = start_pixels(x, window, strides)
    forward = _FORWARD[len(pairs)]
    return _floating(forward, x, w, None, strides, padding, dilations, groups)


def _convolve(x, filters, n, strides, padding, dilations, channels_last):
    layout = Layout(n, channels_last)
    depth, filter_depth = x.shape[-1 if channels_last else 1], filters.shape[n]
    if filter_depth == 0 or depth % filter_depth:
        raise errors.InvalidArgumentError(
            None, None,
            "input depth must be evenly divisible by filter depth: "
            f"{depth} vs {filter_depth}",
        )  # fmt: skip
    groups = depth // filter_depth
    if filters.shape[n + 1] % groups:
        raise errors.InvalidArgumentError(
            None, None,
            f"output depth must be evenly divisible by number of groups: {filters.shape[n + 1]} vs "
            f"{groups}",
        )  # fmt: skip
    view = layout.enter(x)
    window, sizes = filters.shape[:n], view.shape[-n:]
    pairs, empty = place_windows(padding, sizes, window, strides, dilations, is_fake(x))
    result = _correlate(
        view, _oi_first(filters, n), layout.widen(strides, 1), layout.widen(pairs, (0, 0)),
        layout.widen(dilations, 1), groups,
    )  # fmt: skip
    return layout.leave(leave_empty(result, empty, -n))


@op("Conv2D")
def _convolution(input: Conv, filters: Conv, n, strides, padding, dilations, channels_last):
    batch_dims = input.dim() - n - 1
    if batch_dims < 1 or filters.dim() != n + 2:
        check_rank(filters, n + 2, "filter")
        check_rank(input, n + 2)
    if batch_dims == 1:
        return _convolve(input, filters, n, strides, padding, dilations, channels_last)
    flat = input.flatten(0, batch_dims - 1)
    result = _convolve(flat, filters, n, strides, padding, dilations, channels_last)
    return result.reshape(*input.shape[:batch_dims], *result.shape[1:])


def _call(input, filters, n, strides, padding, data_format, dilations, name):
    last = is_channels_last(data_format, n)
    return _convolution(
        input, filters, n, per_axis(strides, n, last, "strides"), read_padding(padding, n, last),
        per_axis(dilations, n, last, "dilations"), last, name,
    )  # fmt: skip


def conv1d(input, filters, stride, padding, data_format="NWC", dilations=None, name=None):
    """One-dimensional cross-correlation (source: `tf.nn.conv1d`).

    Args:
        input: [..., width, in_channels], or with the channels first for "NCW".
        filters: [window, in_channels, out_channels]; fewer input channels make groups.
        stride: an int, or a list of 1 or 3.
        padding: "SAME", "VALID" or explicit pairs for all axes.
        data_format: "NWC" or "NCW".
        dilations: an int, or a list of 1 or 3.

    Raises:
        InvalidArgumentError: if shapes or types do not fit.
        ValueError: for a malformed argument.
    """
    return _call(input, filters, 1, stride, padding, data_format, dilations, name)


def conv2d(input, filters, strides, padding, data_format="NHWC", dilations=None, name=None):
    """Two-dimensional cross-correlation (source: `tf.nn.conv2d`).

    Args:
        input: [..., height, width, in_channels], or with the channels first for "NCHW".
        filters: [height, width, in_channels, out_channels]; fewer input channels make groups.
        strides: an int, or a list of 1, 2 or 4.
        padding: "SAME", "VALID" or explicit pairs for all axes.
        data_format: "NHWC" or "NCHW".
        dilations: an int, or a list of 1, 2 or 4.

    Raises:
        InvalidArgumentError: if shapes or types do not fit.
        ValueError: for a malformed argument.
    """
    return _call(input, filters, 2, strides, padding, data_format, dilations, name)


def conv3d(input, filters, strides, padding, data_format="NDHWC", dilations=None, name=None):
    """Three-dimensional cross-correlation (source: `tf.nn.conv3d`); see `conv2d`."""
    return _call(input, filters, 3, strides, padding, data_format, dilations, name)


def convolution(
    input, filters, strides=None, padding="VALID", data_format=None, dilations=None, name=None
):
    """Cross-correlation in as many dimensions as the filters have (source: `tf.nn.convolution`).

    Raises:
        ValueError: unless the filters have one to three spatial axes.
    """
    filters = convert_to_tensor(filters)
    n = filters.shape.rank - 2
    if n not in (1, 2, 3):
        raise ValueError(f"`num_spatial_dims` must be 1, 2, or 3. Received: num_spatial_dims={n}.")
    return _call(input, filters, n, strides, padding, data_format, dilations, name)


def atrous_conv2d(value, filters, rate, padding, name=None):
    """Convolution with dilated filters (source: `tf.nn.atrous_conv2d`)."""
    return conv2d(value, filters, 1, padding, dilations=rate, name=name)


# -- depthwise


def _depthwise(x, filters, strides, padding, dilations, last):
    layout = Layout(2, last)
    view = layout.enter(x)
    channels = view.shape[1]
    if filters.shape[2] != channels:
        raise errors.InvalidArgumentError(
            None, None,
            f"input and filter must have the same depth: {channels} vs {filters.shape[2]}",
        )  # fmt: skip
    height, width, _, multiplier = filters.shape
    w = filters.permute(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)
    pairs, empty = place_windows(
        padding, view.shape[-2:], (height, width), strides, dilations, is_fake(x)
    )
    result = _correlate(view, w, strides, pairs, dilations, channels)
    return layout.leave(leave_empty(result, empty, -2))


@op("DepthwiseConv2dNative")
def _depthwise_conv2d(input: Float, filter: Float, strides, padding, dilations, last):
    check_rank(input, 4)
    check_rank(filter, 4, "filter")
    return _depthwise(input, filter, strides, padding, dilations, last)


def depthwise_conv2d(input, filter, strides, padding, data_format=None, dilations=None, name=None):
    """Convolution of each channel with filters of its own (source: `tf.nn.depthwise_conv2d`).

    Args:
        input: [batch, height, width, channels].
        filter: [height, width, channels, multiplier].
        strides: four ints.
        padding: "SAME", "VALID" or explicit pairs.
        data_format: "NHWC" or "NCHW".
        dilations: two ints.

    Returns:
        A tensor with channels * multiplier channels.
    """
    last = is_channels_last(data_format, 2)
    return _depthwise_conv2d(
        input, filter, per_axis(strides, 2, last, "strides"), read_padding(padding, 2, last),
        per_axis(dilations, 2, last, "dilations"), last, name,
    )  # fmt: skip


def separable_conv2d(
    input, depthwise_filter, pointwise_filter, strides, padding, data_format=None, dilations=None,
    name=None,
):  # fmt: skip
    """Depthwise convolution followed by a 1 x 1 convolution (source: `tf.nn.separable_conv2d`).

    Args:
        input: [batch, height, width, channels].
        depthwise_filter: [height, width, channels, multiplier].
        pointwise_filter: [1, 1, channels * multiplier, out_channels].
        strides, padding, data_format, dilations: of the depthwise convolution.

    Raises:
        ValueError: if `pointwise_filter` has another window.
    """
    pointwise_filter = convert_to_tensor(pointwise_filter)
    pointwise_filter.shape.with_rank(4)
    if any(d not in (1, None) for d in pointwise_filter.shape[:2]):
        raise ValueError(f"Dimensions {pointwise_filter.shape[0]} and 1 are not compatible")
    middle = depthwise_conv2d(input, depthwise_filter, strides, padding, data_format, dilations)
    return conv2d(middle, pointwise_filter, 1, "VALID", data_format or "NHWC", name=name)


def _vector_jacobian(function, like, upstream):
    """The gradient of a linear function at `like`, for an incoming gradient."""
    with torch.enable_grad():
        x = torch.zeros_like(like).requires_grad_()
        y = function(x)
        (grad,) = torch.autograd.grad(y, x, upstream, create_graph=True)
    return grad


@op("DepthwiseConv2dNativeBackpropInput")
def _depthwise_input_gradient(filter: Float, grad: Float, sizes, strides, padding, dilations, last):
    return _vector_jacobian(
        lambda x: _depthwise(x, filter, strides, padding, dilations, last),
        grad.new_empty(sizes), grad,
    )  # fmt: skip


@op("DepthwiseConv2dNativeBackpropFilter")
def _depthwise_filter_gradient(input: Float, grad: Float, sizes, strides, padding, dilations, last):
    return _vector_jacobian(
        lambda w: _depthwise(input, w, strides, padding, dilations, last),
        grad.new_empty(sizes), grad,
    )  # fmt: skip


def depthwise_conv2d_backprop_input(
    input_sizes, filter, out_backprop, strides, padding, data_format="NHWC",
    dilations=(1, 1, 1, 1), name=None,
):  # fmt: skip
    """The gradient of `depthwise_conv2d` with respect to its input, of shape `input_sizes`.

    Source: `tf.nn.depthwise_conv2d_backprop_input`.
    """
    last = is_channels_last(data_format, 2)
    return _depthwise_input_gradient(
        filter, out_backprop, to_shape(input_sizes), per_axis(strides, 2, last, "strides"),
        read_padding(padding, 2, last), per_axis(dilations, 2, last, "dilations"), last, name,
    )  # fmt: skip


def depthwise_conv2d_backprop_filter(
    input, filter_sizes, out_backprop, strides, padding, data_format="NHWC",
    dilations=(1, 1, 1, 1), name=None,
):  # fmt: skip
    """The gradient of `depthwise_conv2d` with respect to its filter, of shape `filter_sizes`.

    Source: `tf.nn.depthwise_conv2d_backprop_filter`.
    """
    last = is_channels_last(data_format, 2)
    return _depthwise_filter_gradient(
        input, out_backprop, to_shape(filter_sizes), per_axis(strides, 2, last, "strides"),
        read_padding(padding, 2, last), per_axis(dilations, 2, last, "dilations"), last, name,
    )  # fmt: skip


# -- transposed


@op("Conv2DBackpropInput")
def _transpose(input: Conv, filters: Conv, n, sizes, strides, padding, dilations, last):
    check_rank(input, n + 2)
    check_rank(filters, n + 2, "filter")
    layout = Layout(n, last)
    view = layout.enter(input)
    if len(sizes) == n + 2:
        channels = sizes[-1 if last else 1]
        if isinstance(channels, int) and channels != filters.shape[n]:
            raise errors.InvalidArgumentError(
                None, None,
                f"input depth must be evenly divisible by filter depth: {channels} vs "
                f"{filters.shape[n]}",
            )  # fmt: skip
        sizes = sizes[1:-1] if last else sizes[2:]
    if view.shape[1] != filters.shape[n + 1]:
        raise errors.InvalidArgumentError(
            None, None, "filter and out_backprop must have the same out_depth"
        )
    window = filters.shape[:n]
    pairs = pad_pairs(padding, sizes, window, strides, dilations)
    before, extra = [], []
    for size, have, k, s, d, (lead, trail) in zip(
        sizes, view.shape[-n:], window, strides, dilations, pairs, strict=True
    ):
        reach = (k - 1) * d + 1
        if isinstance(size, int) and isinstance(have, int):
            computed = (size + lead + trail - reach) // s + 1
            if computed != have:
                raise errors.InvalidArgumentError(
                    None, None,
                    f"Conv{n}DBackpropInput: Size of out_backprop doesn't match computed: actual = "
                    f"{have}, computed = {computed}",
                )  # fmt: skip
        before.append(lead)
        extra.append(torch.sym_max(size - ((have - 1) * s + reach - 2 * lead), 0))
    result = _floating(
        _TRANSPOSED[max(n, 2)], view, _oi_first(filters, n), None, layout.widen(strides, 1),
        layout.widen(before, 0), layout.widen(extra, 0), 1, layout.widen(dilations, 1),
    )  # fmt: skip
    for axis, size in enumerate(layout.widen(sizes, 1)):
        result = result.narrow(2 + axis, 0, size)
    return layout.leave(result)


def _call_transposed(
    input, filters, n, output_shape, strides, padding, data_format, dilations, name
):
    last = is_channels_last(data_format, n)
    if isinstance(padding, str) and padding not in ("SAME", "VALID"):
        raise errors.InvalidArgumentError(
            None, None, f"Value for attr 'padding' of \"{padding}\" is not in the list of allowed "
            'values: "SAME", "VALID"',
        )  # fmt: skip
    sizes = to_shape(output_shape)
    if len(sizes) not in (n, n + 2):
        raise ValueError(
            f"`output_shape` must have {n + 2} elements. Received: output_shape={output_shape}"
        )
    return _transpose(
        input, filters, n, sizes, per_axis(strides, n, last, "strides"),
        read_padding(padding, n, last), per_axis(dilations, n, last, "dilations"), last, name,
    )  # fmt: skip


def conv1d_transpose(
    input, filters, output_shape, strides, padding="SAME", data_format="NWC", dilations=None,
    name=None,
):  # fmt: skip
    """The transpose of `conv1d` (source: `tf.nn.conv1d_transpose`); see `conv2d_transpose`."""
    return _call_transposed(
        input, filters, 1, output_shape, strides, padding, data_format, dilations, name
    )


def conv2d_transpose(
    input, filters, output_shape, strides, padding="SAME", data_format="NHWC", dilations=None,
    name=None,
):  # fmt: skip
    """The transpose of `conv2d`, often called deconvolution (source: `tf.nn.conv2d_transpose`).

    Args:
        input: [batch, height, width, in_channels].
        filters: [height, width, out_channels, in_channels].
        output_shape: the shape of the result. The convolution of a tensor of that shape must have
            the shape of `input`, which several shapes may satisfy.
        strides, padding, data_format, dilations: of that convolution.

    Raises:
        InvalidArgumentError: if `output_shape` does not fit.
    """
    return _call_transposed(
        input, filters, 2, output_shape, strides, padding, data_format, dilations, name
    )


def conv3d_transpose(
    input, filters, output_shape, strides, padding="SAME", data_format="NDHWC", dilations=None,
    name=None,
):  # fmt: skip
    """The transpose of `conv3d` (source: `tf.nn.conv3d_transpose`); see `conv2d_transpose`."""
    return _call_transposed(
        input, filters, 3, output_shape, strides, padding, data_format, dilations, name
    )


def conv_transpose(
    input, filters, output_shape, strides, padding="SAME", data_format=None, dilations=None,
    name=None,
):  # fmt: skip
    """The transpose of `convolution` (source: `tf.nn.conv_transpose`); see `conv2d_transpose`.

    Raises:
        ValueError: unless `output_shape` has 3 to 5 elements.
    """
    n = len(to_shape(output_shape)) - 2
    if n not in (1, 2, 3):
        raise ValueError(
            f"`output_shape` must have 3 to 5 elements. Received: output_shape={output_shape}"
        )
    return _call_transposed(
        input, filters, n, output_shape, strides, padding, data_format, dilations, name
    )


def atrous_conv2d_transpose(value, filters, output_shape, rate, padding, name=None):
    """The transpose of `atrous_conv2d` (source: `tf.nn.atrous_conv2d_transpose`)."""
    return conv2d_transpose(value, filters, output_shape, 1, padding, dilations=rate, name=name)
