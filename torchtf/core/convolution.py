"""What `tf.nn` and Keras' layers share of a convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch


def start_pixels(x: torch.Tensor, window: Sequence[int], strides: Sequence[int]):
    """The input and strides of an unpadded convolution, such that its gradient is safe.

    oneDNN (in torch 2.15, with AVX-512) writes out of bounds in the gradient of the filter when the
    window is one pixel, the stride is not, the channels are few and the batch is odd. Such a window
    needs only the pixels it starts at.

    Args:
        x: an input whose channels come second.
        window: the sizes of the window.
        strides: the stride of each of its axes.
    """
    if max(strides) > 1 and math.prod(window) == 1 and x.shape[1] < 16:
        pixels: tuple = (..., *(slice(None, None, s) for s in strides))
        return x[pixels], (1,) * len(strides)
    return x, strides
