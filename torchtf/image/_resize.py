"""`tf.image.resize` with every method, and what builds on it.

Each method is separable: along each axis an output pixel is a weighted sum of input pixels. Pixel
centres lie at half integers.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional

from torchtf.core import bilinear, errors
from torchtf.core.convert import convert_to_tensor, to_shape
from torchtf.core.dispatch import dispatched
from torchtf.core.op import op
from torchtf.core.tensor import is_fake
from torchtf.image._geometry import as_image, pad_image, scalar


class ResizeMethod:
    """Names of the methods of `resize` (source: `tf.image.ResizeMethod`)."""

    BILINEAR = "bilinear"
    NEAREST_NEIGHBOR = "nearest"
    BICUBIC = "bicubic"
    AREA = "area"
    LANCZOS3 = "lanczos3"
    LANCZOS5 = "lanczos5"
    GAUSSIAN = "gaussian"
    MITCHELLCUBIC = "mitchellcubic"


def _range(size, device):
    return torch.arange(size, dtype=torch.float32, device=device)


# -- one axis


def _nearest(x, axis, size):
    have = x.shape[axis]
    centres = (_range(size, x.device) + 0.5) * (have / size)
    index = centres.floor().to(torch.int64).clamp_max(have - 1)
    return x.index_select(axis, index)


_TABLE = 1024  # TensorFlow looks the weights up at this many steps


def _cubic_weights(delta):
    """The weights of the four pixels around, by Keys' cubic with a = -1/2."""
    a = -0.5
    near = torch.round(delta * _TABLE) / _TABLE

    def inner(t):
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def outer(t):
        t = t + 1
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return [outer(near), inner(near), inner(1 - near), outer(1 - near)]


def _bicubic_weights(have, size, device):
    """The four pixels around each centre; what lies outside does not count."""
    centres = (_range(size, device) + 0.5) * (have / size) - 0.5
    base = centres.floor()
    pixels = _range(have, device)
    total = 0
    for offset, weight in zip(range(-1, 3), _cubic_weights(centres - base), strict=True):
        hit = pixels == (base + offset).unsqueeze(1)
        total = total + torch.where(hit, weight.unsqueeze(1), torch.zeros_like(weight[:1]))
    return total / total.sum(1, keepdim=True)


def _area_weights(have, size, device):
    """How much of each input pixel lies under each output pixel."""
    scale = have / size
    start, end = (_range(size, device) + offset for offset in (0, 1))
    start, end = (start * scale).unsqueeze(1), (end * scale).unsqueeze(1)
    pixels = _range(have, device)
    overlap = torch.minimum(pixels + 1, end) - torch.maximum(pixels, start)
    return overlap.clamp_min(0) / scale


def _lanczos(radius):
    def kernel(x):
        value = torch.where(
            x <= 1e-3,
            torch.ones_like(x),
            radius * torch.sin(math.pi * x) * torch.sin(math.pi * x / radius)
            / (math.pi**2 * x * x),
        )  # fmt: skip
        return torch.where(x > radius, torch.zeros_like(x), value)

    return kernel


def _gaussian(x):
    sigma = 0.5
    value = torch.exp(-x * x / (2 * sigma * sigma))
    return torch.where(x >= 1.5, torch.zeros_like(x), value)


def _mitchell(x):
    outer = (((-7 / 18) * x + 2) * x - 10 / 3) * x + 16 / 9
    inner = ((7 / 6) * x - 2) * x * x + 8 / 9
    value = torch.where(x >= 1, outer, inner)
    return torch.where(x >= 2, torch.zeros_like(x), value)


_KERNELS = {
    "lanczos3": _lanczos(3.0),
    "lanczos5": _lanczos(5.0),
    "gaussian": _gaussian,
    "mitchellcubic": _mitchell,
}


def _kernel_weights(kernel, have, size, antialias, device):
    """The weights of a sampling kernel, stretched when making images smaller with antialias."""
    # rounded where TensorFlow rounds: some kernels jump at their border
    step = _single(1.0 / _single(_single(size) / _single(have)))
    shrink = _single(1.0 / torch.sym_max(step, 1.0)) if antialias else 1.0
    centres = (_range(size, device) + 0.5) * step
    distance = ((_range(have, device) + 0.5 - centres.unsqueeze(1)) * shrink).abs()
    weights = kernel(distance)
    total = weights.sum(1, keepdim=True)
    tiny = 1000 * torch.finfo(torch.float32).tiny
    return torch.where(total.abs() >= tiny, weights / total, torch.zeros_like(weights))


# -- two axes


def _interpolate(x, size, mode, antialias=False):
    """Torch's own kernels, on a channels-second view."""
    view = x.permute(0, 3, 1, 2)
    if mode == "bilinear" and not antialias and is_fake(x) and not x.requires_grad:
        # where autograd looks on, a trace would take the kernel apart into a dozen slower ones
        with torch._C._AutoDispatchBelowAutograd():
            made = torch.ops.aten.upsample_bilinear2d.default(view, size, False, None, None)
        return made.permute(0, 2, 3, 1)
    return functional.interpolate(
        view, size, mode=mode, align_corners=False, antialias=antialias
    ).permute(0, 2, 3, 1)


def _divides(x, size) -> bool:
    return all(
        isinstance(have, int) and isinstance(want, int) and have % want == 0
        for have, want in zip(x.shape[1:3], size, strict=True)
    )


def resize_batch(x: torch.Tensor, size, method: str, antialias: bool) -> torch.Tensor:
    """Resizes a batch of images to float32."""
    if method == "bilinear" and not antialias:
        made = bilinear.resized(x, size)
        if made is not None:
            return made
    x = x.to(torch.float32)
    if method == "bilinear" or (method == "bicubic" and antialias):
        return _interpolate(x, size, method, antialias)
    if method == "area" and _divides(x, size):
        return functional.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)

    def weights(have, length):
        if method == "area":
            return _area_weights(have, length, x.device)
        if method == "bicubic":
            return _bicubic_weights(have, length, x.device)
        return _kernel_weights(_KERNELS[method], have, length, antialias, x.device)

    down, across = (weights(h, s) for h, s in zip(x.shape[1:3], size, strict=True))
    planes = x.permute(0, 3, 1, 2)
    return (down @ planes @ across.T).permute(0, 2, 3, 1)


_METHODS = {v for k, v in vars(ResizeMethod).items() if k.isupper()}


def _check_method(method):
    if method not in _METHODS:
        raise ValueError(f"Resize method is not implemented: {method}")


@op("Resize")
def _resize(images: Real, size, method, antialias) -> Float32:
    batch = images if images.dim() == 4 else images.unsqueeze(0)
    for s in (*batch.shape[1:3], *size):
        if isinstance(s, int) and s <= 0:
            raise errors.InvalidArgumentError(None, None, "output dimensions must be positive")
    result = resize_batch(batch, size, method, antialias)
    return result if images.dim() == 4 else result.squeeze(0)


@dispatched
def resize(
    images, size, method="bilinear", preserve_aspect_ratio=False, antialias=False, name=None
):
    """Resizes images (source: `tf.image.resize`).

    Args:
        images: [height, width, channels] or a batch of such.
        size: the new height and width.
        method: a name of `ResizeMethod`.
        preserve_aspect_ratio: whether to keep the aspect ratio: the result then fits into `size`.
        antialias: whether to smooth before making images smaller.

    Returns:
        float32 images; with the nearest method images of the type given.

    Raises:
        ValueError: if the rank, `size` or `method` is not as described.
    """
    images = convert_to_tensor(images)
    if images.shape.rank not in (3, 4):
        raise ValueError("'images' must have either 3 or 4 dimensions.")
    try:
        size = to_shape(size)
    except (TypeError, ValueError, errors.InvalidArgumentError):
        raise ValueError("'size' must be a 1-D int32 Tensor") from None
    if len(size) != 2:
        raise ValueError("'size' must be a 1-D Tensor of 2 elements: new_height, new_width")
    _check_method(method)
    if preserve_aspect_ratio:
        have = images._data.shape[-3:-1]
        scale = torch.sym_min(*(_single(s) / _single(h) for s, h in zip(size, have, strict=True)))
        size = [_round(scale * h) for h in have]
    if method == "nearest":
        return _resize_nearest(images, size, name)
    return _resize(images, size, method, antialias, name)


def _single(number):
    """A number rounded to single precision, as TensorFlow computes sizes."""
    return float(np.float32(number)) if isinstance(number, (int, float)) else number


def _round(number):
    if isinstance(number, float):
        return round(_single(number))
    return torch.sym_int(number + 0.5)


@op("ResizeNearestNeighbor")
def _resize_nearest(images: Real, size):
    axis = images.dim() - 3
    for i, length in enumerate(size):
        images = _nearest(images, axis + i, length)
    return images


def resize_with_pad(image, target_height, target_width, method="bilinear", antialias=False):
    """Resizes images without distortion, with zeros around (source: `tf.image.resize_with_pad`).

    Args:
        image: images.
        target_height, target_width: the size of the result.
        method, antialias: as for `resize`.

    Raises:
        ValueError: unless the target is positive.
    """
    image = as_image(image)
    target = [scalar(target_height), scalar(target_width)]
    for size, what in zip(reversed(target), ("width", "height"), strict=True):
        if isinstance(size, int) and size <= 0:
            raise ValueError(f"target_{what} must be > 0.")
    have = image._data.shape[-3:-1]
    if all(isinstance(v, int) for v in (*have, *target)):
        sizes, wanted = np.float32(have), np.float32(target)
        exact = sizes / np.max(sizes / wanted)
        inner = np.floor(exact).astype(int).tolist()
        before = np.maximum(np.floor((wanted - exact) / 2), 0).astype(int).tolist()
    else:
        ratio = torch.sym_max(have[1] / target[1], have[0] / target[0])
        inner = [torch.sym_int(h / ratio) for h in have]
        before = [torch.sym_int((t - h / ratio) / 2) for t, h in zip(target, have, strict=True)]
    resized = resize(image, inner, method, antialias=antialias)
    after = [t - b - i for t, b, i in zip(target, before, inner, strict=True)]
    return _padded(resized, before[0], after[0], before[1], after[1])


@op("PadV2")
def _padded(image: T, top, bottom, left, right):
    return pad_image(image, top, bottom, left, right)
