"""`tf.nn.max_pool` and its kin."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor, to_axis
from torchtf.core.op import op
from torchtf.core.tensor import is_fake
from torchtf.nn._windows import (
    Layout,
    all_known,
    check_rank,
    is_channels_last,
    leave_empty,
    pad,
    per_axis,
    place_windows,
    read_padding,
)

_MAX = {2: torch.nn.functional.max_pool2d, 3: torch.nn.functional.max_pool3d}
_AVERAGE = {2: torch.nn.functional.avg_pool2d, 3: torch.nn.functional.avg_pool3d}


def _lowest(dtype: torch.dtype):
    return float("-inf") if dtype.is_floating_point else torch.iinfo(dtype).min


def _implicit(pairs, strides, window):
    """The symmetric padding and rounding up that stand for `pairs`, or None.

    Where one element more is needed at the end, the last window may hang over it instead.
    """
    if not all_known(pairs):
        return None
    for (before, after), s, k in zip(pairs, strides, window, strict=True):
        if 2 * before > k or not (after == before or (after == before + 1 and s > 1)):
            return None
    return [before for before, _ in pairs], any(a != b for a, b in pairs)


class _Pool:
    """One pooling: a window in a layout."""

    def __init__(self, x, n, window, strides, padding, channels_last, dilations=None):
        check_rank(x, n + 2)
        self.layout = Layout(n, channels_last)
        self.view = self.layout.enter(x)
        self.dilations = dilations or [1] * n
        pairs, self.empty = place_windows(
            padding, self.view.shape[-n:], window, strides, self.dilations, is_fake(x)
        )
        self.window = self.layout.widen(window, 1)
        self.strides = self.layout.widen(strides, 1)
        self.pairs = self.layout.widen(pairs, (0, 0))
        self.dilations = self.layout.widen(self.dilations, 1)
        exact = bool(self.empty)  # rounding up would reach all axes
        self.implicit = None if exact else _implicit(self.pairs, self.strides, self.window)

    def maximum(self, with_indices=False):
        x, (padding, ceil) = self.view, self.implicit or ([0] * len(self.pairs), False)
        if self.implicit is None or (with_indices and ceil):
            x, padding, ceil = pad(x, self.pairs, _lowest(x.dtype)), [0] * len(self.pairs), False
        if not x.dtype.is_floating_point:
            x = x.double()  # exact for what TensorFlow pools: up to 32 bits
        result = _MAX[len(self.pairs)](
            x, self.window, self.strides, padding, self.dilations, ceil, with_indices
        )
        if with_indices:
            return result[0].to(self.view.dtype), result[1]
        return self.leave(result.to(self.view.dtype))

    def leave(self, result):
        """What was pooled in the layout of the input."""
        return self.layout.leave(leave_empty(result, self.empty, -self.layout.n))

    def average(self):
        """The mean of the elements in each window; padding does not count."""
        n = len(self.pairs)
        average = _AVERAGE[n]
        # torch's kernel for volumes refuses windows larger than the input without its padding
        fits = n == 2 or all(s >= k for s, k in zip(self.view.shape[-n:], self.window, strict=True))
        if fits and self.implicit is not None and self.dilations == [1] * n:
            padding, ceil = self.implicit
            result = average(self.view, self.window, self.strides, padding, ceil, False)
            return self.leave(result)
        # the sum over each window, divided by the number of its elements within the input
        ones = torch.ones_like(self.view[:1, :1])
        sums, counts = (
            average(pad(t, self.pairs), self.window, self.strides, 0, False, True, 1)
            for t in (self.view, ones)
        )
        return self.leave(sums / counts)


@op("MaxPool")
def _max_pool(input: Pooled, n, window, strides, padding, last):
    if input.dim() == n + 2 and input.shape[-1 if last else 1] == 0:
        return _of_one_channel(_Pool.maximum, input, n, window, strides, padding, last)
    return _Pool(input, n, window, strides, padding, last).maximum()


@op("AvgPool")
def _avg_pool(input: Float, n, window, strides, padding, last):
    if input.dim() == n + 2 and input.shape[-1 if last else 1] == 0:
        return _of_one_channel(_Pool.average, input, n, window, strides, padding, last)
    return _Pool(input, n, window, strides, padding, last).average()


def _of_one_channel(pool, x, n, window, strides, padding, last):
    """The pool of a tensor without channels, which torch's kernels refuse."""
    axis = -1 if last else 1
    one = x.sum(axis, keepdim=True, dtype=x.dtype)
    return pool(_Pool(one, n, window, strides, padding, last)).narrow(axis, 0, 0)


def _call(pool, input, n, ksize, strides, padding, data_format, name):
    last = is_channels_last(data_format, n)
    return pool(
        input, n, per_axis(ksize, n, last, "ksize"), per_axis(strides, n, last, "strides"),
        read_padding(padding, n, last), last, name,
    )  # fmt: skip


def _spatial_axes(input, data_format) -> int:
    if data_format is not None:
        return len(data_format) - 2
    return input.shape.rank - 2


def max_pool(input, ksize, strides, padding, data_format=None, name=None):
    """The largest element in each window (source: `tf.nn.max_pool`).

    Args:
        input: [batch, *spatial, channels] with one to three spatial axes.
        ksize: the window, an int or a list of 1, n or n + 2 for n spatial axes.
        strides: as `ksize`.
        padding: "SAME", "VALID" or explicit pairs for all axes.
        data_format: "NWC", "NCW", "NHWC", "NCHW", "NDHWC" or "NCDHW"; channels last by default.

    Raises:
        ValueError: for another rank or format.
    """
    input = convert_to_tensor(input)
    n = _spatial_axes(input, data_format)
    if n not in (1, 2, 3):
        raise ValueError(
            f"`input.shape.rank` must be 3, 4, or 5. Received: input.shape={input.shape}"
        )
    return _call(_max_pool, input, n, ksize, strides, padding, data_format, name)


def max_pool1d(input, ksize, strides, padding, data_format="NWC", name=None):
    """The largest element in each window of a sequence (source: `tf.nn.max_pool1d`)."""
    return _call(_max_pool, input, 1, ksize, strides, padding, data_format, name)


def max_pool2d(input, ksize, strides, padding, data_format="NHWC", name=None):
    """The largest element in each window of an image (source: `tf.nn.max_pool2d`)."""
    return _call(_max_pool, input, 2, ksize, strides, padding, data_format, name)


def max_pool3d(input, ksize, strides, padding, data_format="NDHWC", name=None):
    """The largest element in each window of a volume (source: `tf.nn.max_pool3d`)."""
    return _call(_max_pool, input, 3, ksize, strides, padding, data_format, name)


def avg_pool(input, ksize, strides, padding, data_format=None, name=None):
    """The mean of each window (source: `tf.nn.avg_pool`); padding does not count.

    Arguments and errors are those of `max_pool`.
    """
    input = convert_to_tensor(input)
    n = _spatial_axes(input, data_format)
    if n not in (1, 2, 3):
        raise ValueError(
            f"`input.shape.rank` must be 3, 4, or 5. Received: input.shape={input.shape}"
        )
    return _call(_avg_pool, input, n, ksize, strides, padding, data_format, name)


def avg_pool1d(input, ksize, strides, padding, data_format="NWC", name=None):
    """The mean of each window of a sequence (source: `tf.nn.avg_pool1d`)."""
    return _call(_avg_pool, input, 1, ksize, strides, padding, data_format, name)


def avg_pool2d(input, ksize, strides, padding, data_format="NHWC", name=None):
    """The mean of each window of an image (source: `tf.nn.avg_pool2d`)."""
    return _call(_avg_pool, input, 2, ksize, strides, padding, data_format, name)


def avg_pool3d(input, ksize, strides, padding, data_format="NDHWC", name=None):
    """The mean of each window of a volume (source: `tf.nn.avg_pool3d`)."""
    return _call(_avg_pool, input, 3, ksize, strides, padding, data_format, name)


class MaxPoolWithArgmax(NamedTuple):
    """What `max_pool_with_argmax` returns."""

    output: torch.Tensor
    argmax: torch.Tensor


@op("MaxPoolWithArgmax")
def _max_pool_with_argmax(
    input: Pooled, window, strides, padding, dtype, batched
) -> tuple[Pooled, Index]:
    if not is_fake(input) and input.numel() == 0:
        raise errors.InvalidArgumentError(None, None, "tensor_in must not be empty (2)")
    pool = _Pool(input, 2, window, strides, padding, True)
    values, where = pool.maximum(with_indices=True)
    batch, height, width, channels = input.shape
    if pool.implicit is None or pool.implicit[1]:  # positions in the padded image
        (top, _), (left, right) = pool.pairs
        padded = width + left + right
        where = (where // padded - top) * width + where % padded - left
    where = where * channels + torch.arange(channels, device=input.device)[:, None, None]
    if batched:
        size = height * width * channels
        where = where + torch.arange(batch, device=input.device)[:, None, None, None] * size
    return MaxPoolWithArgmax(pool.leave(values), pool.leave(where).to(dtype))


def max_pool_with_argmax(
    input, ksize, strides, padding, data_format="NHWC", output_dtype=dtypes.int64,
    include_batch_in_index=False, name=None,
):  # fmt: skip
    """The largest element in each window, and where it is (source: `tf.nn.max_pool_with_argmax`).

    Args:
        input: [batch, height, width, channels].
        ksize, strides: ints or lists of 1, 2 or 4.
        padding: "SAME" or "VALID".
        data_format: "NHWC".
        output_dtype: int32 or int64, of the positions.
        include_batch_in_index: whether positions count from the start of the batch rather than of
            the image.

    Returns:
        A named tuple `output`, `argmax`: the values, and their positions in the flattened input.

    Raises:
        ValueError: for another data format.
    """
    if data_format != "NHWC":
        raise ValueError(
            "`data_format` values other than 'NHWC' are not supported. Received: "
            f"data_format={data_format}"
        )
    return _max_pool_with_argmax(
        input, per_axis(ksize, 2, True, "ksize"), per_axis(strides, 2, True, "strides"),
        read_padding(padding, 2, True), dtypes.as_dtype(output_dtype).torch,
        include_batch_in_index, name,
    )  # fmt: skip


@op("Pool")
def _pool(input: Float, average, window, strides, padding, dilations, last):
    pool = _Pool(input, len(window), window, strides, padding, last, dilations)
    return pool.average() if average else pool.maximum()


@op("AvgPool")
def _dilated_avg_pool(input: Float, window, dilations, last):
    """Means over windows with gaps, by a depthwise convolution with a constant filter."""
    layout = Layout(len(window), last)
    view = layout.enter(input)
    channels = view.shape[1]
    window, dilations = layout.widen(window, 1), layout.widen(dilations, 1)
    share = 1 / math.prod(window)
    filters = torch.full((channels, 1, *window), share, dtype=input.dtype, device=input.device)
    convolve = torch.conv2d if len(window) == 2 else torch.conv3d
    return layout.leave(convolve(view, filters, None, 1, 0, dilations, channels))


def pool(
    input, window_shape, pooling_type, strides=None, padding="VALID", data_format=None,
    dilations=None, name=None,
):  # fmt: skip
    """Pooling in as many dimensions as the window has (source: `tf.nn.pool`).

    Args:
        input: [batch, *spatial, channels].
        window_shape: one to three ints.
        pooling_type: "AVG" or "MAX".
        strides: as many ints.
        padding: "SAME" or "VALID".
        data_format: as for `max_pool`.
        dilations: as many ints; not together with strides.

    Raises:
        ValueError: for arguments that do not go together.
    """
    window = [to_axis(w) for w in window_shape]
    n = len(window)
    if n not in (1, 2, 3):
        raise ValueError(
            f"`len(window_shape)` must be 1, 2, or 3. Received: window_shape={window_shape} of "
            f"length {n}"
        )
    if pooling_type not in ("AVG", "MAX"):
        raise ValueError(f"`pooling_type` must be 'AVG' or 'MAX'. Received: {pooling_type}")
    input = convert_to_tensor(input)
    input.shape.with_rank(n + 2)
    last = is_channels_last(data_format, n)
    strides = [1] * n if strides is None else list(to_axis(strides))
    dilations = [1] * n if dilations is None else list(to_axis(dilations))
    for values, what in ((strides, "strides"), (dilations, "dilation_rate")):
        if len(values) != n:
            raise ValueError(f"`len({what})` should be {n}. Received: {what}={values}")
        if any(v < 1 for v in values):
            raise ValueError(f"all values of `{what}` must be positive. Received: {what}={values}")
    dilated = any(d > 1 for d in dilations)
    if dilated and any(s > 1 for s in strides):
        raise ValueError(
            "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
            f"strides={strides} and dilation_rate={dilations}"
        )
    if dilated and padding == "SAME":
        raise ValueError(
            "pooling with 'SAME' padding is not implemented for `dilation_rate` > 1. Received: "
            f"padding={padding} and dilation_rate={dilations}"
        )
    if any(s > w for s, w in zip(strides, window, strict=True)):
        raise ValueError(
            "`strides` > `window_shape` not supported due to inconsistency between CPU and GPU "
            f"implementations. Received: strides={strides} and window_shape={window_shape}"
        )
    padding = read_padding(padding, n, last)
    if dilated and pooling_type == "AVG":
        return _dilated_avg_pool(input, window, dilations, last, name)
    return _pool(input, pooling_type == "AVG", window, strides, padding, dilations, last, name)
