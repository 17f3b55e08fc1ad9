"""Frames of signals and the short-time Fourier transform."""

from __future__ import annotations

import torch

from torchtf import math as tf_math
from torchtf.core.convert import convert_to_tensor, to_shape
from torchtf.core.op import op
from torchtf.core.tensor import is_fake
from torchtf.signal._fft import irfft, rfft
from torchtf.signal._windows import hann_window


def _int(value):
    return to_shape([value])[0]


@op("Frame")
def _frame(signal: T, pad_value: T, length, step, pad_end, axis):
    x = signal.movedim(axis, -1)
    have = x.shape[-1]
    if pad_end:
        count = -(-have // step)
        missing = torch.sym_max(length + step * (count - 1) - have, 0)
        filler = pad_value.expand(*x.shape[:-1], missing)
        x = torch.cat([x, filler], -1)
    else:
        count = torch.sym_max(1 + (have - length) // step, 0)
    if is_fake(x) or x.shape[-1] < length or length < 1:
        starts = torch.arange(count, device=x.device).unsqueeze(1) * step
        index = starts + torch.arange(length, device=x.device)
        frames = x[..., index]
    else:
        frames = x.unfold(-1, length, step).contiguous()
    first = axis % signal.dim()
    return frames.movedim((-2, -1), (first, first + 1))


def frame(signal, frame_length, frame_step, pad_end=False, pad_value=0, axis=-1, name=None):
    """Cuts an axis into frames that may overlap (source: `tf.signal.frame`).

    Args:
        signal: a tensor.
        frame_length: the length of a frame.
        frame_step: the distance from frame to frame.
        pad_end: whether frames go on to the end, padded with `pad_value`.
        pad_value: a scalar.
        axis: the axis to cut.

    Returns:
        A tensor with [frames, frame_length] in place of the axis.
    """
    signal = convert_to_tensor(signal)
    signal.shape.with_rank_at_least(1)
    pad_value = convert_to_tensor(pad_value, signal.dtype)
    length, step, axis = map(_int, (frame_length, frame_step, axis))
    return _frame(signal, pad_value, length, step, pad_end, axis, name)


@op("OverlapAndAdd")
def _overlap_and_add(signal: Num, step):
    count, length = signal.shape[-2:]
    starts = torch.arange(count, device=signal.device).unsqueeze(1) * step
    index = (starts + torch.arange(length, device=signal.device)).reshape(-1)
    total = torch.zeros(
        *signal.shape[:-2], (count - 1) * step + length, dtype=signal.dtype, device=signal.device
    )
    return total.index_add(-1, index, signal.flatten(-2))


def overlap_and_add(signal, frame_step, name=None):
    """Adds up frames that overlap; the inverse of `frame` (source: `tf.signal.overlap_and_add`).

    Args:
        signal: [..., frames, frame_length].
        frame_step: the distance from frame to frame.

    Returns:
        [..., (frames - 1) * frame_step + frame_length].

    Raises:
        ValueError: if the rank is below 2 or the step no integer scalar.
    """
    signal = convert_to_tensor(signal)
    signal.shape.with_rank_at_least(2)
    if not convert_to_tensor(frame_step).dtype.is_integer:
        raise ValueError(f"frame_step must be an integer. Got {frame_step}")
    return _overlap_and_add(signal, _int(frame_step), name)


def _enclosing_power_of_two(value: int) -> int:
    return 1 << max(value - 1, 0).bit_length()


def stft(
    signals, frame_length, frame_step, fft_length=None, window_fn=hann_window, pad_end=False,
    name=None,
):  # fmt: skip
    """The short-time Fourier transform (source: `tf.signal.stft`).

    Args:
        signals: float [..., samples].
        frame_length, frame_step, pad_end: as for `frame`.
        fft_length: the length of each transform; by default the power of two that encloses
            `frame_length`.
        window_fn: a function of a length and a `dtype` that returns a window, or None.

    Returns:
        Complex [..., frames, fft_length // 2 + 1].
    """
    signals = convert_to_tensor(signals)
    signals.shape.with_rank_at_least(1)
    length = _int(frame_length)
    size = _enclosing_power_of_two(length) if fft_length is None else _int(fft_length)
    frames = frame(signals, length, frame_step, pad_end)
    if window_fn is not None:
        frames = tf_math.multiply(frames, window_fn(length, dtype=frames.dtype))
    return rfft(frames, [size])


@op("Pad")
def _fitted(frames: Double, length):
    """Frames cut or padded with zeros to a length."""
    return torch.nn.functional.pad(frames, (0, length - frames.shape[-1]))


def inverse_stft(
    stfts, frame_length, frame_step, fft_length=None, window_fn=hann_window, name=None
):
    """Puts a signal together again from its `stft` (source: `tf.signal.inverse_stft`).

    Args:
        stfts: complex [..., frames, fft_length // 2 + 1].
        frame_length, frame_step, fft_length: as for `stft`.
        window_fn: for an exact inverse, `inverse_stft_window_fn(frame_step, forward_window)`.

    Returns:
        Float [..., samples].
    """
    stfts = convert_to_tensor(stfts)
    stfts.shape.with_rank_at_least(2)
    length = _int(frame_length)
    size = _enclosing_power_of_two(length) if fft_length is None else _int(fft_length)
    frames = _fitted(irfft(stfts, [size]), length)
    if window_fn is not None:
        frames = tf_math.multiply(frames, window_fn(length, dtype=frames.dtype))
    return overlap_and_add(frames, frame_step, name)


@op("InverseStftWindow")
def _inverse_window(forward: Double, step):
    """The window divided by the sum of squares of all windows that overlap each position."""
    length = forward.shape[0]
    overlaps = -(-length // step)
    squares = torch.nn.functional.pad(forward * forward, (0, overlaps * step - length))
    total = squares.reshape(overlaps, step).sum(0).repeat(overlaps)
    return forward / total[:length]


def inverse_stft_window_fn(frame_step, forward_window_fn=hann_window, name=None):
    """A window for `inverse_stft` that undoes a forward window.

    Source: `tf.signal.inverse_stft_window_fn`.

    Returns:
        A function of `frame_length` and `dtype`.
    """
    step = _int(frame_step)

    def inverse_window(frame_length, dtype):
        return _inverse_window(forward_window_fn(frame_length, dtype=dtype), step)

    return inverse_window
