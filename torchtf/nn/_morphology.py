"""`tf.nn.dilation2d` and `erosion2d`: grayscale morphology."""

from __future__ import annotations

import torch

from torchtf import math as tf_math
from torchtf.core import errors
from torchtf.core.convert import convert_to_tensor, to_axis
from torchtf.core.op import op
from torchtf.nn._windows import check_rank, leave_empty, pad, place_windows, read_padding


def _middle(values, name):
    values = to_axis(values)
    if len(values) != 4 or values[0] != 1 or values[3] != 1:
        raise errors.InvalidArgumentError(
            None, None, f"{name} must be [1, rows, cols, 1], got {values}"
        )
    return values[1:3]


@op("Dilation2D")
def _dilation(input: Real, filter: Real, strides, rates, padding):
    check_rank(input, 4)
    check_rank(filter, 3, "filter")
    if input.shape[3] != filter.shape[2]:
        raise errors.InvalidArgumentError(
            None, None,
            f"input and filter must have the same depth: {input.shape[3]} vs {filter.shape[2]}",
        )  # fmt: skip
    window = filter.shape[:2]
    pairs, empty = place_windows(padding, input.shape[1:3], window, strides, rates, strict=False)
    dtype = input.dtype
    if not dtype.is_floating_point:  # with room for what lies outside and is never chosen
        input, filter = input.long(), filter.long()
    lowest = float("-inf") if dtype.is_floating_point else -(2**62)
    x = pad(input.movedim(-1, 1), pairs, lowest).movedim(1, -1)
    result = None
    for dy in range(window[0]):
        for dx in range(window[1]):
            part = x
            for axis, offset, k, s, r in (
                (1, dy, window[0], strides[0], rates[0]), (2, dx, window[1], strides[1], rates[1]),
            ):  # fmt: skip
                count = (x.shape[axis] - (k - 1) * r - 1) // s + 1
                steps = slice(offset * r, offset * r + (count - 1) * s + 1, s)
                part = part[(slice(None),) * axis + (steps,)]
            moved = part + filter[dy, dx]
            if result is None:
                result = moved
            elif moved.requires_grad:  # at a tie the first position keeps the gradient
                result = torch.where(moved > result, moved, result)
            else:
                result = torch.maximum(result, moved)
    return leave_empty(result.to(dtype), empty, 1)


def _check_format(data_format):
    if data_format != "NHWC":
        raise ValueError(
            "`data_format` values other  than 'NHWC' are not supported. Received: "
            f"data_format={data_format}"
        )


def dilation2d(input, filters, strides, padding, data_format, dilations, name=None):
    """The maximum of input + filter over each window (source: `tf.nn.dilation2d`).

    Args:
        input: [batch, height, width, depth], a real type.
        filters: [height, width, depth].
        strides, dilations: [1, rows, columns, 1].
        padding: "SAME" or "VALID".
        data_format: "NHWC".

    Raises:
        ValueError: for another format.
        InvalidArgumentError: for shapes that do not fit.
    """
    _check_format(data_format)
    return _dilation(
        input, filters, _middle(strides, "strides"), _middle(dilations, "rates"),
        read_padding(padding, 2, True), name,
    )  # fmt: skip


@op("ReverseV2")
def _mirrored(filters: Real):
    return filters.flip(0, 1)


def erosion2d(value, filters, strides, padding, data_format, dilations, name=None):
    """The minimum of value - filter over each window (source: `tf.nn.erosion2d`).

    Arguments and errors are those of `dilation2d`.
    """
    _check_format(data_format)
    negative = tf_math.negative(convert_to_tensor(value))
    dilated = dilation2d(negative, _mirrored(filters), strides, padding, data_format, dilations)
    return tf_math.negative(dilated, name)
