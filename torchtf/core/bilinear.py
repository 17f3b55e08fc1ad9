"""Bilinear resizing by a kernel of our own (`bilinear.c`), with TensorFlow's values bit for bit.

ATen's kernel takes two to four times as long for images of few channels. The kernel is for plain
tensors in main memory that nothing records; for all else, and where no compiler is, ATen's does it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence

import torch
from torch._C import _functorch

from torchtf.core import native
from torchtf.core.tensor import is_recorded

_aten = torch.ops.aten

_TYPES = (torch.uint8, torch.float32)
_MOST_CHANNELS = 16  # with more, ATen's kernel is the faster one
_ELEMENTS_PER_THREAD = 400_000  # of the result: about 0.2 ms, against which a new thread is little


@functools.cache
def _kernel() -> Callable | None:
    """The C function, compiled at the first call; None if there is none."""
    library = native.library("bilinear")
    if library is None:
        return None
    size = ctypes.c_int64
    function = library.resize_bilinear
    function.argtypes = [ctypes.c_void_p, *[size] * 7, ctypes.c_void_p, *[size] * 3]
    function.restype = ctypes.c_int
    return function


def resized(images: torch.Tensor, size: Sequence[int]) -> torch.Tensor | None:
    """The images at another size, as float32; None if they are not for this kernel.

    Args:
        images: [batch, height, width, channels] of real numbers, with no empty image.
        size: the new height and width, positive.
    """
    if type(images) is not torch.Tensor or images.device.type != "cpu" or is_recorded(images):
        return None
    batch, height, width, channels = images.shape
    kernel = _kernel() if channels <= _MOST_CHANNELS else None
    if kernel is None:
        return None
    if images.dtype not in _TYPES:
        images = images.to(torch.float32)
    if images.stride(3) != 1 or images.stride(2) != channels:
        images = images.contiguous()
    made = torch.empty((batch, *size, channels), dtype=torch.float32, device="cpu")
    threads = min(torch.get_num_threads(), made.numel() // _ELEMENTS_PER_THREAD)
    failed = kernel(
        images.data_ptr(), images.dtype is torch.uint8, images.stride(0), images.stride(1),
        batch, height, width, channels, made.data_ptr(), *size, threads,
    )  # fmt: skip
    return None if failed else made


def upsample(images: torch.Tensor, size, align_corners, *scales) -> torch.Tensor:
    """`aten.upsample_bilinear2d` to float32 of images whose channels come second.

    Args:
        images: float32, or uint8, which ATen's op would not take for floats.
        size, align_corners, scales: as for the op.
    """
    if _functorch.is_batchedtensor(images):  # of a function that runs on many elements at once
        level = _functorch.maybe_get_level(images)
        rows = _functorch.get_unwrapped(images).movedim(_functorch.maybe_get_bdim(images), 0)
        made = upsample(rows.flatten(0, 1), size, align_corners, *scales)
        return _functorch._add_batch_dim(made.unflatten(0, rows.shape[:2]), 0, level)
    if not align_corners and all(s is None for s in scales):
        pixels = images.permute(0, 2, 3, 1)
        made = resized(pixels, size) if pixels.stride(3) == 1 else None
        if made is not None:
            return made.permute(0, 3, 1, 2)
    images = images.to(torch.float32)
    return _aten.upsample_bilinear2d.default(images, size, align_corners, *scales)
