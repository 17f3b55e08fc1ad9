"""Cutting parts out of images: patches on a grid, glimpses, and crops that are resized."""

from __future__ import annotations

import torch

from torchtf.core import errors
from torchtf.core.convert import to_axis, to_shape
from torchtf.core.op import op
from torchtf.image._geometry import pad_image
from torchtf.nn._windows import pad_pairs


def _middle(values, name):
    values = to_axis(values)
    if len(values) != 4 or values[0] != 1 or values[3] != 1:
        raise errors.InvalidArgumentError(
            None, None,
            f"Only support {name} across space: `{name}` must be [1, rows, cols, 1], got {values}",
        )  # fmt: skip
    return values[1:3]


@op("ExtractImagePatches")
def _extract_patches(images: T, window, strides, rates, padding):
    if images.dim() != 4:
        raise errors.InvalidArgumentError(None, None, "images must be 4-dimensional")
    pairs = pad_pairs(padding, images.shape[1:3], window, strides, rates)
    x = pad_image(images, *pairs[0], *pairs[1])
    batch, channels = x.shape[0], x.shape[3]
    grids = []
    for size, k, s, r in zip(x.shape[1:3], window, strides, rates, strict=True):
        count = (size - (k - 1) * r - 1) // s + 1
        starts = torch.arange(count, device=x.device) * s
        grids.append(starts.unsqueeze(1) + torch.arange(k, device=x.device) * r)
    rows, columns = grids
    (high, kh), (wide, kw) = rows.shape, columns.shape
    x = x.index_select(1, rows.reshape(-1)).index_select(2, columns.reshape(-1))
    x = x.reshape(batch, high, kh, wide, kw, channels).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, high, wide, kh * kw * channels)


def extract_patches(images, sizes, strides, rates, padding, name=None):
    """The patches of images on a grid (source: `tf.image.extract_patches`).

    Args:
        images: [batch, height, width, channels].
        sizes: [1, rows, columns, 1] of a patch.
        strides: [1, rows, columns, 1] between patches.
        rates: [1, rows, columns, 1] between the pixels of a patch.
        padding: "SAME" (with zeros) or "VALID".

    Returns:
        [batch, patches down, patches across, rows * columns * channels].
    """
    if padding not in ("SAME", "VALID"):
        raise errors.InvalidArgumentError(
            None, None,
            f"Value for attr 'padding' of \"{padding}\" is not in the list of allowed values: "
            '"SAME", "VALID"',
        )  # fmt: skip
    return _extract_patches(
        images, _middle(sizes, "ksizes"), _middle(strides, "strides"), _middle(rates, "rates"),
        padding, name,
    )  # fmt: skip


# -- crops


@op("CropAndResize")
def _crop_and_resize(
    image: Real, boxes: Float32, box_indices: Int32, size, method, extrapolation_value
) -> Float32:
    if image.dim() != 4:
        raise errors.InvalidArgumentError(None, None, "input image must be 4-D")
    if boxes.dim() != 2 or boxes.shape[1] != 4:
        raise errors.InvalidArgumentError(None, None, f"boxes must be 2-D{list(boxes.shape)}")
    if box_indices.dim() != 1:
        raise errors.InvalidArgumentError(None, None, "box_index must be 1-D")
    for s in size:
        if isinstance(s, int) and s <= 0:
            raise errors.InvalidArgumentError(None, None, "crop dimensions must be positive")
    x = image.float()
    positions, valid = [], []
    for axis, length in enumerate(size):
        last = image.shape[1 + axis] - 1
        start, end = boxes[:, axis : axis + 1], boxes[:, axis + 2 : axis + 3]
        if length == 1:
            place = 0.5 * (start + end) * last
        else:
            steps = torch.arange(length, dtype=torch.float32, device=x.device)
            place = start * last + steps * ((end - start) * last / (length - 1))
        valid.append((place >= 0) & (place <= last))
        positions.append(torch.where(valid[-1], place, torch.zeros_like(place)))
    which = box_indices.long()[:, None, None]

    def pick(rows, columns):
        return x[which, rows.long()[:, :, None], columns.long()[:, None, :]]

    down, across = positions
    if method == "nearest":
        crops = pick(_round_away(down), _round_away(across))
    else:
        top, left = down.floor(), across.floor()
        bottom, right = down.ceil(), across.ceil()
        y, x_share = (down - top)[:, :, None, None], (across - left)[:, None, :, None]
        upper = pick(top, left) + (pick(top, right) - pick(top, left)) * x_share
        lower = pick(bottom, left) + (pick(bottom, right) - pick(bottom, left)) * x_share
        crops = upper + (lower - upper) * y
    inside = (valid[0][:, :, None] & valid[1][:, None, :]).unsqueeze(-1)
    return torch.where(inside, crops, torch.full_like(crops, extrapolation_value))


def _round_away(x):
    """Rounded; halves away from zero."""
    return torch.floor(x + 0.5)


def crop_and_resize(
    image, boxes, box_indices, crop_size, method="bilinear", extrapolation_value=0.0, name=None
):
    """Cuts boxes out of images and resizes them to one size (source: `tf.image.crop_and_resize`).

    Args:
        image: [batch, height, width, channels].
        boxes: [n, 4], float32, in shares of height and width; corners in any order.
        box_indices: [n], int32, the image of each box.
        crop_size: the height and width of the result.
        method: "bilinear" or "nearest".
        extrapolation_value: what lies outside the image.

    Returns:
        float32 [n, height, width, channels].

    Raises:
        InvalidArgumentError: for shapes or a method that do not fit.
    """
    if method not in ("bilinear", "nearest"):
        raise errors.InvalidArgumentError(
            None, None, f"method must be 'bilinear' or 'nearest'{method}"
        )
    return _crop_and_resize(
        image, boxes, box_indices, to_shape(crop_size), method, float(extrapolation_value), name
    )


@op("ExtractGlimpseV2")
def _extract_glimpse(input: Float32, offsets: Float32, size, centered, normalized, noise):
    if input.dim() != 4:
        message = f"input must be a 4-D tensor, not {list(input.shape)}"
        raise errors.InvalidArgumentError(None, None, message)
    if offsets.dim() != 2 or offsets.shape[1] != 2:
        raise errors.InvalidArgumentError(
            None, None, f"offsets must be a matrix with 2 columns, not {list(offsets.shape)}"
        )
    indices, inside = [], []
    for axis, length in enumerate(size):
        have = input.shape[1 + axis]
        start = offsets[:, axis]
        if normalized:
            start = start * have
            if centered:
                start = start / 2 + have / 2 - length / 2
        elif centered:
            start = start + have / 2
        place = torch.trunc(start).long()[:, None] + torch.arange(length, device=input.device)
        inside.append((place >= 0) & (place < have))
        indices.append(place.clamp(0, have - 1))
    batch = torch.arange(input.shape[0], device=input.device)[:, None, None]
    cut = input[batch, indices[0][:, :, None], indices[1][:, None, :]]
    within = (inside[0][:, :, None] & inside[1][:, None, :]).unsqueeze(-1)
    return torch.where(within, cut, _noise(input, cut, noise))


def _noise(image, cut, kind):
    if kind == "zero":
        return torch.zeros_like(cut)
    if kind == "uniform":
        low, high = (f(image, (1, 2, 3), keepdim=True) for f in (torch.amin, torch.amax))
        return low + torch.rand_like(cut) * (high - low)
    mean = image.mean((1, 2), keepdim=True)
    deviation = (image - mean).square().mean((1, 2), keepdim=True).sqrt()
    low, high = (f(image, (1, 2), keepdim=True) for f in (torch.amin, torch.amax))
    return torch.clamp(mean + torch.randn_like(cut) * deviation, low, high)


def extract_glimpse(
    input, size, offsets, centered=True, normalized=True, noise="uniform", name=None
):
    """Cuts one window out of each image; what lies outside is noise.

    Source: `tf.image.extract_glimpse`.

    Args:
        input: [batch, height, width, channels], float32.
        size: the height and width of the window.
        offsets: [batch, 2], float32, y and x of each window.
        centered: whether offsets count from the centre of the image.
        normalized: whether offsets are shares of the size: from -1 to 1 when centered (they then
            mean the centre of the window), else from 0 to 1.
        noise: "uniform", "gaussian" or "zero".

    Raises:
        InvalidArgumentError: for shapes that do not fit or an unknown kind of noise.
    """
    if noise not in ("uniform", "gaussian", "zero"):
        raise errors.InvalidArgumentError(
            None, None, f"noise must be 'uniform', 'gaussian' or 'zero', got {noise!r}"
        )
    return _extract_glimpse(input, offsets, to_shape(size), centered, normalized, noise, name)
