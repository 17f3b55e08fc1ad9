"""What convolution and pooling share: data formats, window sizes, strides and padding.

Inside, all windows are two- or three-dimensional, the channels come second (as a view of
channels-last memory, so that nothing is copied), and padding is a list of pairs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from torchtf.core import errors
from torchtf.core.convert import to_axis
from torchtf.core.shape import brackets

_LAST = {1: "NWC", 2: "NHWC", 3: "NDHWC"}
_FIRST = {1: "NCW", 2: "NCHW", 3: "NCDHW"}


def is_channels_last(data_format, n: int) -> bool:
    """Whether a format of n spatial axes has its channels last; None means that it has.

    Raises:
        ValueError: for an unknown format of one axis.
        InvalidArgumentError: for an unknown format of more.
    """
    if data_format is None or data_format == _LAST[n]:
        return True
    if data_format == _FIRST[n]:
        return False
    message = (
        f"`data_format` must be '{_LAST[n]}' or '{_FIRST[n]}'. Received: data_format={data_format}"
    )
    raise ValueError(message) if n == 1 else errors.InvalidArgumentError(None, None, message)


def per_axis(value, n: int, channels_last: bool, name: str) -> list[int]:
    """A stride, dilation or window size as one int for each of the n spatial axes.

    Args:
        value: None (ones), an int, or 1, n or n + 2 ints; with n + 2 those of the batch and channel
            axes must be 1.
        n: the number of spatial axes.
        channels_last: where the channels are.
        name: how to call it in messages.

    Raises:
        ValueError: for another number of ints.
        InvalidArgumentError: if one is not positive, or that of the batch or channels is not 1.
    """
    value = to_axis(value)
    sizes = [1] if value is None else [value] if isinstance(value, int) else list(value)
    if len(sizes) == 1:
        sizes *= n
    if len(sizes) == n + 2:
        outer = (sizes[0], sizes[-1] if channels_last else sizes[1])
        if outer != (1, 1):
            raise errors.UnimplementedError(
                None, None,
                "Current implementation does not yet support "
                f"{name} in the batch and depth dimensions.",
            )  # fmt: skip
        sizes = sizes[1:-1] if channels_last else sizes[2:]
    if len(sizes) != n:
        raise ValueError(
            f"`{name}` should be of length 1, {n} or {n + 2}. Received: {name}={value}"
        )
    if any(s < 1 for s in sizes):
        raise errors.InvalidArgumentError(
            None, None, f"`{name}` must be positive. Received: {name}={value}"
        )
    return sizes


def read_padding(padding, n: int, channels_last: bool):
    """A padding argument as "SAME", "VALID" or n explicit pairs.

    Raises:
        ValueError: if explicit padding is malformed.
        InvalidArgumentError: for an unknown name.
    """
    if isinstance(padding, str):
        if padding in ("SAME", "VALID"):
            return padding
        if padding == "EXPLICIT":
            raise ValueError(
                "'EXPLICIT' is not a valid value for `padding`. To use explicit padding, "
                "`padding` must be a list."
            )
        raise errors.InvalidArgumentError(
            None, None,
            f"Value for attr 'padding' of \"{padding}\" is not in the list of allowed values: "
            '"SAME", "VALID", "EXPLICIT"',
        )  # fmt: skip
    pairs = [to_axis(p) for p in padding]
    if any(not isinstance(p, (list, tuple)) or len(p) != 2 for p in pairs):
        raise ValueError(
            "When `padding` is a list, each element of `padding` must be a list or tuple of size "
            f"2. Received: padding={padding}"
        )
    if len(pairs) != n + 2:
        raise ValueError(
            f"When `padding` is a list, it must be of size {n + 2}. Received: padding={padding} of "
            f"size {len(pairs)}"
        )
    outer = (pairs[0], pairs[-1] if channels_last else pairs[1])
    if any(tuple(p) != (0, 0) for p in outer):
        raise errors.InvalidArgumentError(
            None, None,
            "Nonzero explicit padding in the batch or depth dimensions is not supported",
        )  # fmt: skip
    return [tuple(p) for p in (pairs[1:-1] if channels_last else pairs[2:])]


def pad_pairs(padding, sizes, window, strides, dilations):
    """The padding before and after each spatial axis.

    TensorFlow's "SAME" makes ceil(size / stride) windows; the odd element goes to the end.
    """
    if padding == "VALID":
        return [(0, 0)] * len(window)
    if padding != "SAME":
        return padding
    pairs = []
    for size, k, s, d in zip(sizes, window, strides, dilations, strict=True):
        reach = (k - 1) * d + 1
        if s == 1:
            total = reach - 1
        else:
            total = torch.sym_max(((size + s - 1) // s - 1) * s + reach - size, 0)
        before = total // 2
        pairs.append((before, total - before))
    return pairs


def all_known(pairs) -> bool:
    return all(isinstance(p, int) for pair in pairs for p in pair)


def pad(x: torch.Tensor, pairs, value=0) -> torch.Tensor:
    """Pads the last axes of a channels-second tensor."""
    if all_known(pairs) and not any(p for pair in pairs for p in pair):
        return x
    if all_known([x.shape, *pairs]):
        flat = [p for pair in reversed(pairs) for p in pair]
        return torch.nn.functional.pad(x, flat, value=value)
    # torch's padding would fix symbolic sizes to those seen while tracing
    for axis, amounts in enumerate(pairs, x.dim() - len(pairs)):
        shape = list(x.shape)
        parts = [x]
        for amount, place in zip(amounts, (0, 2), strict=True):
            if isinstance(amount, int) and amount == 0:
                continue
            shape[axis] = amount
            parts.insert(place, torch.full(shape, value, dtype=x.dtype, device=x.device))
        x = torch.cat(parts, axis) if len(parts) > 1 else x
    return x


class Layout(NamedTuple):
    """How a TensorFlow tensor lies, and the way to a channels-second view and back."""

    n: int  # spatial axes
    channels_last: bool

    def enter(self, x: torch.Tensor) -> torch.Tensor:
        """The view with channels second and at least two spatial axes; no copy."""
        if self.channels_last:
            x = x.movedim(-1, 1)
        return x.unsqueeze(2) if self.n == 1 else x

    def leave(self, x: torch.Tensor) -> torch.Tensor:
        """Back to the TensorFlow layout."""
        if self.n == 1:
            x = x.squeeze(2)
        return x.movedim(1, -1) if self.channels_last else x

    def widen(self, values, filler):
        """Values for the spatial axes, with one for the axis that `enter` adds."""
        return [filler, *values] if self.n == 1 else list(values)


def check_rank(x, rank: int, what: str = "input") -> None:
    if x.dim() != rank:
        raise errors.InvalidArgumentError(
            None, None, f"convolution {what} must be {rank}-dimensional: {brackets(x.shape)}"
        )


def place_windows(padding, sizes, window, strides, dilations, strict):
    """The padding of each axis, and the axes that hold no window, for `leave_empty`.

    TensorFlow's kernels give an empty result where no window fits, unless the number of windows is
    below zero even when rounded toward zero; its inference of shapes refuses both. Here such an
    axis is padded to hold one window, of which the result is then dropped. Not if the size is open
    while tracing: an axis without elements is then an error of the kernel's when the graph runs.

    Args:
        padding: what `read_padding` returns.
        sizes, window, strides, dilations: one number for each spatial axis.
        strict: whether shapes are inferred, as while tracing.

    Raises:
        InvalidArgumentError: if a window does not fit, as above, as far as the sizes are known.
    """
    pairs = pad_pairs(padding, sizes, window, strides, dilations)
    empty: list[int] = []
    for axis, (size, k, s, d, (before, after)) in enumerate(
        zip(sizes, window, strides, dilations, pairs, strict=True)
    ):
        reach = (k - 1) * d + 1
        if not all(isinstance(v, int) for v in (size, before, after, reach)):
            continue
        missing = reach - (size + before + after)
        if missing <= 0:
            continue
        if missing >= 2 * s or (strict and padding != "SAME"):
            raise errors.InvalidArgumentError(
                None, None,
                f"Computed output size would be negative: {math.trunc((s - missing) / s)} "
                f"[input_size: {size}, effective_filter_size: {reach}, stride: {s}]",
            )  # fmt: skip
        pairs = [*pairs[:axis], (before, after + missing), *pairs[axis + 1 :]]
        empty.append(axis)
    return pairs, empty


def leave_empty(result: torch.Tensor, empty, first: int) -> torch.Tensor:
    """The result without what is along the axes, counted from `first`, that hold no window."""
    for axis in empty:
        result = result.narrow(first + axis, 0, 0)
    return result
