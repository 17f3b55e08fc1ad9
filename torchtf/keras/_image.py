"""Keras' image transformations on ATen's sampling kernel.

Contract:
- `affine_transform` gives the values of Keras' own (and of TensorFlow's kernel), for a batch at
  once, and leaves its arguments as they are.
- "wrap", which the kernel does not have, stays Keras' own.
- The kernel of `gaussian_blur` has a size that a trace knows, and TensorFlow's padding.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as tnn
from keras.src import backend
from keras.src.backend.torch import image as keras_image
from keras.src.backend.torch.core import convert_to_tensor

from torchtf.keras._patch import own_attribute, replaces

# Keras' fill mode -> the kernel's padding, and whether it reflects about the centres of the pixels
# at the edge ("mirror") or about their outer edge
_PADDING = {
    "constant": ("zeros", False),
    "nearest": ("border", False),
    "reflect": ("reflection", False),
    "mirror": ("reflection", True),
}

_affine_transform = own_attribute(keras_image, "affine_transform")


@replaces(keras_image, "affine_transform")
def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: Any = 0,
    data_format: str | None = None,
) -> torch.Tensor:
    images, transform = convert_to_tensor(images), convert_to_tensor(transform)
    native = (
        interpolation in ("bilinear", "nearest")
        and fill_mode in _PADDING
        and images.ndim in (3, 4)
        and transform.ndim in (1, 2)
        and isinstance(fill_value, (int, float))
    )
    if not native:
        return _affine_transform(
            images, transform.clone(), interpolation, fill_mode, fill_value, data_format
        )
    channels_last = backend.standardize_data_format(data_format) == "channels_last"
    x = images if images.ndim == 4 else images.unsqueeze(0)
    x = x.movedim(-1, 1) if channels_last else x
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    padding, centred = _PADDING[fill_mode]
    grid = _grid(transform.reshape(-1, 8).to(wide.dtype), *x.shape[2:], centred)
    if grid.shape[0] != x.shape[0]:
        grid = grid.expand(x.shape[0], -1, -1, -1)
    shifted = wide - fill_value if fill_mode == "constant" and fill_value else wide
    y = tnn.grid_sample(shifted, grid, interpolation, padding, align_corners=centred)
    if shifted is not wide:
        y = y + fill_value
    if not x.is_floating_point():
        y = torch.round(y)
    y = y.to(x.dtype)
    y = y.movedim(1, -1) if channels_last else y
    return y if images.ndim == 4 else y.squeeze(0)


def _grid(transform: torch.Tensor, height: Any, width: Any, centred: bool) -> torch.Tensor:
    """Where each output pixel is read from, in the kernel's coordinates (-1 to 1)."""
    a0, a1, a2, b0, b1, b2 = (t.reshape(-1, 1, 1) for t in transform.unbind(1)[:6])
    options = {"dtype": transform.dtype, "device": transform.device}
    y = torch.arange(height, **options).reshape(1, -1, 1)
    x = torch.arange(width, **options).reshape(1, 1, -1)

    def scaled(position: torch.Tensor, size: Any) -> torch.Tensor:
        if centred:
            return position * (2 / max(size - 1, 1)) - 1
        return (position * 2 + 1) / size - 1

    return torch.stack(
        [scaled(a0 * x + a1 * y + a2, width), scaled(b0 * x + b1 * y + b2, height)], dim=-1
    )


@replaces(keras_image, "gaussian_blur")
def gaussian_blur(
    images: Any, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: str | None = None
) -> torch.Tensor:
    images = convert_to_tensor(images)
    if images.ndim not in (3, 4):
        raise ValueError(
            "Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images). "
            f"Received input with shape: images.shape={tuple(images.shape)}"
        )
    channels_last = data_format != "channels_first"
    x = images if images.ndim == 4 else images.unsqueeze(0)
    x = x.movedim(-1, 1) if channels_last else x
    sigma = convert_to_tensor(sigma, backend.standardize_dtype(x.dtype))

    def bell(size: int, width: torch.Tensor) -> torch.Tensor:
        offsets = torch.arange(size, dtype=x.dtype, device=x.device) - (size - 1) / 2
        weights = torch.exp(-0.5 * (offsets / width) ** 2)
        return weights / weights.sum()

    across, down = (int(size) for size in kernel_size)
    kernel = torch.outer(bell(down, sigma[1]), bell(across, sigma[0]))
    kernel = kernel.reshape(1, 1, across, down).expand(x.shape[1], -1, -1, -1)
    y = tnn.conv2d(x, kernel, padding="same", groups=x.shape[1])
    y = y.movedim(1, -1) if channels_last else y
    return y if images.ndim == 4 else y.squeeze(0)
