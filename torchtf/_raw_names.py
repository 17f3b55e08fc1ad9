"""Ops of TensorFlow's runtime that stand at the top level of `tf` under their own names."""

from __future__ import annotations

import collections

import torch

from torchtf import signal
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.op import op
from torchtf.nn import convolution
from torchtf.random._index_shuffle import places

_Filled = collections.namedtuple(
    "RaggedFillEmptyRows",
    ["output_value_rowids", "output_values", "empty_row_indicator", "reverse_index_map"],
)
_FilledGrad = collections.namedtuple("RaggedFillEmptyRowsGrad", ["d_values", "d_default_value"])


@op("RaggedFillEmptyRows")
def _fill_empty_rows(
    value_rowids: Index, values: T, nrows: Index, default_value: T
) -> tuple[Index2, T, Bool, Index2]:
    count = int(nrows)
    if value_rowids.numel() and not 0 <= int(value_rowids.max()) < count:
        raise errors.InvalidArgumentError(
            None, None, f"value_rowids must be in [0, {count}), got {int(value_rowids.max())}"
        )
    empty = torch.ones(count, dtype=torch.bool)
    empty[value_rowids.long()] = False
    rows = torch.cat([value_rowids, empty.nonzero().squeeze(1).to(value_rowids.dtype)])
    order = torch.argsort(rows, stable=True)
    fill = default_value.reshape(1).expand(int(empty.sum()))
    place = torch.argsort(order)[: value_rowids.shape[0]]
    return rows[order], torch.cat([values, fill])[order], empty, place


def ragged_fill_empty_rows(value_rowids, values, nrows, default_value, name=None):
    """Gives each empty row one default value (source: `tf.ragged_fill_empty_rows`).

    Args:
        value_rowids: int64, the row of each value.
        values: the values.
        nrows: an int64 scalar, the number of rows.
        default_value: a scalar.

    Returns:
        A named tuple: the rows and values with the defaults, which rows were empty, and where each
        of the given values is now.
    """
    rowids = convert_to_tensor(value_rowids, dtype=dtypes.int64)
    nrows = convert_to_tensor(nrows, dtype=dtypes.int64)
    return _Filled(*_fill_empty_rows(rowids, values, nrows, default_value, name))


@op("RaggedFillEmptyRowsGrad")
def _fill_empty_rows_grad(reverse_index_map: Index, grad_values: Num) -> tuple[Num, Num]:
    kept = grad_values[reverse_index_map.long()]
    rest = torch.ones_like(grad_values).index_fill(0, reverse_index_map.long(), 0)
    return kept, (grad_values * rest).sum()


def ragged_fill_empty_rows_grad(reverse_index_map, grad_values, name=None):
    """The gradients of `ragged_fill_empty_rows` (source: `tf.ragged_fill_empty_rows_grad`)."""
    index = convert_to_tensor(reverse_index_map, dtype=dtypes.int64)
    return _FilledGrad(*_fill_empty_rows_grad(index, grad_values, name))


def random_index_shuffle(index, seed, max_index, rounds=4, name=None):
    """`tf.random.experimental.index_shuffle` with three keys (source: `tf.random_index_shuffle`).

    Args:
        index: a scalar or vector of integers.
        seed: three integers, or a matrix of them, one row for each index.
        max_index: the largest index.

    Raises:
        NotImplementedError: for another number of rounds than 4.
    """
    if rounds != 4:
        raise NotImplementedError("tf.random_index_shuffle has 4 rounds, no other number")
    return places(index, seed, max_index)


# -- convolution


def conv(
    input, filter, strides, padding, explicit_paddings=(), data_format="CHANNELS_LAST",
    dilations=(), batch_dims=1, groups=1, name=None,
):  # fmt: skip
    """Convolution in two or three dimensions (source: `tf.conv`).

    Args:
        input: [..., spatial axes, channels]; the channels come before the spatial axes for
            "CHANNELS_FIRST".
        filter: [spatial axes, in_channels, out_channels].
        strides: one number for each axis of `input`.
        padding: "SAME", "VALID" or "EXPLICIT".
        explicit_paddings: pairs for all axes, flat, for "EXPLICIT".
        data_format: "CHANNELS_LAST" or "CHANNELS_FIRST".
        dilations: one number for each axis; ones by default.
        batch_dims: the number of batch axes.
        groups: accepted only as 1; fewer input channels in `filter` make groups.

    Raises:
        InvalidArgumentError, ValueError: if the arguments do not fit.
    """
    if groups != 1:
        raise NotImplementedError("tf.conv(groups=...): give the filter fewer input channels")
    filter = convert_to_tensor(filter)
    spatial = filter.shape.rank - 2
    last = data_format == "CHANNELS_LAST"
    names = {1: "W", 2: "HW", 3: "DHW"}[spatial]
    layout = f"N{names}C" if last else f"NC{names}"
    pairs = [list(explicit_paddings[i : i + 2]) for i in range(0, len(explicit_paddings), 2)]
    begin = batch_dims if last else batch_dims + 1
    return convolution(
        input, filter, list(strides)[begin : begin + spatial],
        pairs if padding == "EXPLICIT" else padding, layout,
        list(dilations)[begin : begin + spatial] or None, name,
    )  # fmt: skip


def _through(input, filter, out_backprop, strides, padding, explicit_paddings, data_format,
             dilations, of_input):  # fmt: skip
    """The gradient of a convolution with respect to its input or its filter."""
    from torchtf.core.tape import GradientTape
    from torchtf.nn import conv2d

    source = input if of_input else filter
    pairs = [list(explicit_paddings[i : i + 2]) for i in range(0, len(explicit_paddings), 2)]
    with GradientTape() as tape:
        tape.watch(source)
        result = conv2d(
            input, filter, list(strides), pairs if padding == "EXPLICIT" else padding,
            data_format, list(dilations),
        )  # fmt: skip
    return tape.gradient(result, source, output_gradients=convert_to_tensor(out_backprop))


def conv2d_backprop_filter_v2(
    input, filter, out_backprop, strides, padding, use_cudnn_on_gpu=True, explicit_paddings=(),
    data_format="NHWC", dilations=(1, 1, 1, 1), name=None,
):  # fmt: skip
    """The gradient of `tf.nn.conv2d` with respect to its filters
    (source: `tf.conv2d_backprop_filter_v2`).

    Args:
        input: the input of the convolution.
        filter: a tensor of the shape of the filters.
        out_backprop: the gradient of the output.
        strides, padding, explicit_paddings, data_format, dilations: those of the convolution.
        use_cudnn_on_gpu: a hint; the result is the same.
    """
    input, filter = convert_to_tensor(input), convert_to_tensor(filter)
    return _through(
        input, filter, out_backprop, strides, padding, explicit_paddings, data_format, dilations,
        False,
    )  # fmt: skip


def conv2d_backprop_input_v2(
    input, filter, out_backprop, strides, padding, use_cudnn_on_gpu=True, explicit_paddings=(),
    data_format="NHWC", dilations=(1, 1, 1, 1), name=None,
):  # fmt: skip
    """The gradient of `tf.nn.conv2d` with respect to its input
    (source: `tf.conv2d_backprop_input_v2`).

    Args:
        input: a tensor of the shape of the input.
        filter: the filters of the convolution.
        out_backprop, strides, padding, use_cudnn_on_gpu, explicit_paddings, data_format,
            dilations: as for `conv2d_backprop_filter_v2`.
    """
    input, filter = convert_to_tensor(input), convert_to_tensor(filter)
    return _through(
        input, filter, out_backprop, strides, padding, explicit_paddings, data_format, dilations,
        True,
    )  # fmt: skip


# -- Fourier transforms along given axes


def fftnd(input, fft_length, axes, name=None):
    """`tf.signal.fftnd` (source: `tf.fftnd`)."""
    return signal.fftnd(input, fft_length, axes, name=name)


def ifftnd(input, fft_length, axes, name=None):
    """`tf.signal.ifftnd` (source: `tf.ifftnd`)."""
    return signal.ifftnd(input, fft_length, axes, name=name)


def rfftnd(input, fft_length, axes, Tcomplex=dtypes.complex64, name=None):
    """`tf.signal.rfftnd` with a type of the result, which must be that of the input's precision
    (source: `tf.rfftnd`).

    Raises:
        ValueError: if `Tcomplex` is another type.
    """
    return _of_type(signal.rfftnd(input, fft_length, axes, name=name), Tcomplex)


def irfftnd(input, fft_length, axes, Treal=dtypes.float32, name=None):
    """`tf.signal.irfftnd` with a type of the result, which must be that of the input's precision
    (source: `tf.irfftnd`).

    Raises:
        ValueError: if `Treal` is another type.
    """
    return _of_type(signal.irfftnd(input, fft_length, axes, name=name), Treal)


def _of_type(result, wanted):
    if result.dtype is not dtypes.as_dtype(wanted):
        raise ValueError(f"the transform gives {result.dtype.name}, not {wanted}")
    return result
