"""Flipping, turning, cropping and padding images.

Images are [height, width, channels], alone or in a batch. Sizes may be symbolic in a trace.
"""

from __future__ import annotations

import torch

from torchtf.core import errors, graph
from torchtf.core.convert import convert_to_tensor, sizes_of, to_shape, to_torch
from torchtf.core.op import op
from torchtf.core.tensor import is_fake


def check_image(image, batch: bool = True) -> None:
    """Raises ValueError unless `image` has three (or four) dimensions, the inner ones not empty."""
    rank = len(image.shape)
    if rank < 3:
        raise ValueError(f"'image' (shape {image.shape}) must be at least three-dimensional.")
    if any(isinstance(s, int) and s == 0 for s in image._data.shape[-3:]):
        raise ValueError(f"inner 3 dims of 'image.shape' must be > 0: {image.shape}")
    if rank > (4 if batch else 3):
        raise ValueError(f"'image' (shape {image.shape}) must have either 3 or 4 dimensions.")


def as_image(image):
    """`image` as a tensor of three or four dimensions."""
    image = convert_to_tensor(image)
    check_image(image)
    return image


def scalar(value):
    """An argument as a Python number, a symbolic one, or (in a trace) a scalar tensor."""
    if isinstance(value, (int, float, torch.SymInt, torch.SymFloat)):
        return value
    sizes = sizes_of(value)
    if sizes is not None:
        return sizes.reshape(-1)[0]
    data = to_torch(value)
    return data if is_fake(data) else data.item()


# -- flipping and turning


@op("ReverseV2")
def _reverse(image: T, axes):
    return image.flip(axes)


def flip_left_right(image):
    """Mirrors images, left to right (source: `tf.image.flip_left_right`)."""
    return _reverse(as_image(image), [-2])


def flip_up_down(image):
    """Turns images upside down (source: `tf.image.flip_up_down`)."""
    return _reverse(as_image(image), [-3])


@op("Transpose")
def _transpose(image: T):
    return image.transpose(-3, -2)


def transpose(image, name=None):
    """Swaps height and width (source: `tf.image.transpose`)."""
    return _transpose(as_image(image), name)


@op("Rot90")
def _rot90(image: T, k):
    return torch.rot90(image, k, (-3, -2))


def rot90(image, k=1, name=None):
    """Turns images by k quarters, counter-clockwise (source: `tf.image.rot90`).

    Args:
        image: images.
        k: an int, or a scalar tensor; one that a trace does not know needs square images.

    Raises:
        ValueError: for another rank.
    """
    image, k = as_image(image), scalar(k)
    if isinstance(k, torch.Tensor):
        height, width = image._data.shape[-3:-1]
        if not (isinstance(height, int) and height == width):
            raise NotImplementedError(
                "tf.image.rot90 by a number that a tf.function does not know, of images that are "
                "not square; pass k as a Python int"
            )
        return _rot90_any(image, k, name)
    return _rot90(image, k % 4, name)


@op("Rot90")
def _rot90_any(image: T, k: Int):
    turned = torch.stack([torch.rot90(image, i, (-3, -2)) for i in range(4)])
    return turned.index_select(0, (k % 4).reshape(1)).squeeze(0)


# -- cropping and padding


def _require(condition, message, exception=ValueError):
    if isinstance(condition, bool) and not condition:
        raise exception(message)


def _known(*values) -> bool:
    return all(isinstance(v, int) for v in values)


@op("Slice")
def _crop(image: T, top, left, height, width):
    image = crop_axis(image, image.dim() - 3, top, height)
    return crop_axis(image, image.dim() - 2, left, width)


def crop_axis(x: torch.Tensor, axis: int, start, size) -> torch.Tensor:
    """`size` elements along an axis from `start`, which may be a tensor in a trace."""
    if isinstance(start, torch.Tensor):
        index = torch.arange(size, device=x.device) + start.reshape(1)
        return x.index_select(axis, index)
    return x.narrow(axis, start, size)


def crop_to_bounding_box(image, offset_height, offset_width, target_height, target_width):
    """Cuts a rectangle out of images (source: `tf.image.crop_to_bounding_box`).

    Args:
        image: images.
        offset_height, offset_width: its upper left corner.
        target_height, target_width: its size.

    Raises:
        ValueError: if it is empty or does not lie within the image.
    """
    image = as_image(image)
    top, left, height, width = map(
        scalar, (offset_height, offset_width, target_height, target_width)
    )
    have_height, have_width = image._data.shape[-3:-1]
    if _known(left):
        _require(left >= 0, "offset_width must be >= 0.")
    if _known(top):
        _require(top >= 0, "offset_height must be >= 0.")
    if _known(width):
        _require(width > 0, "target_width must be > 0.")
    if _known(height):
        _require(height > 0, "target_height must be > 0.")
    if _known(have_width, width, left):
        _require(have_width >= width + left, "width must be >= target + offset.")
    if _known(have_height, height, top):
        _require(have_height >= height + top, "height must be >= target + offset.")
    return _crop(image, top, left, height, width)


@op("PadV2")
def _pad(image: T, top, bottom, left, right):
    return pad_image(image, top, bottom, left, right)


def pad_image(x, top, bottom, left, right):
    """Pads height and width with zeros; works for symbolic sizes, too."""
    for axis, before, after in ((x.dim() - 3, top, bottom), (x.dim() - 2, left, right)):
        parts, shape = [x], list(x.shape)
        for amount, place in ((before, 0), (after, 2)):
            if isinstance(amount, int) and amount == 0:
                continue
            shape[axis] = amount
            parts.insert(place, torch.zeros(shape, dtype=x.dtype, device=x.device))
        x = torch.cat(parts, axis) if len(parts) > 1 else x
    return x


def pad_to_bounding_box(image, offset_height, offset_width, target_height, target_width):
    """Places images within larger ones of zeros (source: `tf.image.pad_to_bounding_box`).

    Args:
        image: images.
        offset_height, offset_width: rows and columns of zeros above and to the left.
        target_height, target_width: the size of the result.

    Raises:
        ValueError: if the image does not fit there.
    """
    image = as_image(image)
    top, left, height, width = map(
        scalar, (offset_height, offset_width, target_height, target_width)
    )
    have_height, have_width = image._data.shape[-3:-1]
    bottom, right = height - top - have_height, width - left - have_width
    if _known(top):
        _require(top >= 0, "offset_height must be >= 0")
    if _known(left):
        _require(left >= 0, "offset_width must be >= 0")
    if _known(right):
        _require(right >= 0, "width must be <= target - offset")
    if _known(bottom):
        _require(bottom >= 0, "height must be <= target - offset")
    return _pad(image, top, bottom, left, right)


def resize_with_crop_or_pad(image, target_height, target_width):
    """Cuts or pads images around their centre (source: `tf.image.resize_with_crop_or_pad`).

    Raises:
        ValueError: unless the target is positive.
    """
    image = as_image(image)
    height, width = scalar(target_height), scalar(target_width)
    if _known(width):
        _require(width > 0, "target_width must be > 0.")
    if _known(height):
        _require(height > 0, "target_height must be > 0.")
    have_height, have_width = image._data.shape[-3:-1]
    return _crop_or_pad(image, have_height, have_width, height, width)


@op("ResizeWithCropOrPad")
def _crop_or_pad(image: T, have_height, have_width, height, width):
    for axis, have, want in ((-3, have_height, height), (-2, have_width, width)):
        difference = want - have
        keep = torch.sym_min(have, want)
        axis += image.dim()
        image = image.narrow(axis, torch.sym_max(-difference // 2, 0), keep)
        before = torch.sym_max(difference // 2, 0)
        after = want - keep - before
        sides = (before, after, 0, 0) if axis == image.dim() - 3 else (0, 0, before, after)
        image = pad_image(image, *sides)
    return image


def central_crop(image, central_fraction):
    """Keeps the central part of images (source: `tf.image.central_crop`).

    Args:
        image: images.
        central_fraction: the share of height and width to keep, in (0, 1].

    Raises:
        ValueError: if the fraction is out of range.
    """
    image, fraction = convert_to_tensor(image), scalar(central_fraction)
    if isinstance(fraction, torch.Tensor):
        raise NotImplementedError(
            "tf.image.central_crop by a fraction that a tf.function does not know; pass a float"
        )
    if fraction <= 0 or fraction > 1:
        raise ValueError("central_fraction must be within (0, 1]")
    if fraction == 1:
        return image
    check_image(image)
    starts, sizes = [], []
    for size in image._data.shape[-3:-1]:
        start = torch.sym_int((torch.sym_float(size) - torch.sym_float(size) * fraction) / 2)
        starts.append(start)
        sizes.append(size - start * 2)
    return _crop(image, *starts, *sizes)


# -- random crops


def crop_at(value, offsets, size):
    """The part of `value` of a given size at offsets that are numbers or traced scalars."""
    return _random_crop(value, offsets, size)


@op("Slice")
def _random_crop(value: T, offsets, size):
    for axis, (offset, length) in enumerate(zip(offsets, size, strict=True)):
        have = value.shape[axis]
        if not (isinstance(have, int) and have == length):
            value = crop_axis(value, axis, offset, length)
    return value


def crop_size(value, size) -> list[int]:
    """The size of a random crop.

    Raises:
        ValueError: if it has another length than the shape of `value`.
        InvalidArgumentError: if `value` is smaller.
    """
    size = to_shape(size)
    shape = list(value._data.shape)
    if len(size) != len(shape):
        raise ValueError(f"size must have {len(shape)} elements, got {size}")
    for have, want in zip(shape, size, strict=True):
        if _known(have, want) and have < want:
            message = f"Need value.shape >= size, got {shape} {size}"
            if graph.state.trace is not None:
                raise ValueError(message)
            raise errors.InvalidArgumentError(None, None, message)
    return size
