"""Keras' datasets of folders of images.

Contract:
- `image_dataset_from_directory(crop_to_aspect_ratio=True)` crops with ops of torchtf.
"""

from __future__ import annotations

from typing import Any

from keras.src.utils import image_dataset_utils

import torchtf
from torchtf.keras._patch import own_attribute, replaces

_load_image = own_attribute(image_dataset_utils, "_load_image_tf")


@replaces(image_dataset_utils, "_load_image_tf")
def load_image(
    path: Any,
    image_size: Any,
    num_channels: int,
    interpolation: str,
    data_format: str,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
) -> Any:
    """Keras' own crops with its TensorFlow backend, which would load TensorFlow."""
    if not crop_to_aspect_ratio or pad_to_aspect_ratio:
        return _load_image(
            path, image_size, num_channels, interpolation, data_format,
            crop_to_aspect_ratio, pad_to_aspect_ratio,
        )  # fmt: skip
    contents = torchtf.io.read_file(path)
    image = torchtf.image.decode_image(contents, channels=num_channels, expand_animations=False)
    image = torchtf.image.resize(_cropped(image, image_size), image_size, method=interpolation)
    image.set_shape((*image_size, num_channels))
    return torchtf.transpose(image, (2, 0, 1)) if data_format == "channels_first" else image


def _cropped(image: Any, size: Any) -> Any:
    """The largest part in the middle of an image whose sides are as those of `size`."""
    sides = torchtf.unstack(torchtf.shape(image)[:2])
    wanted = []
    for side, other, target, other_target in (
        (sides[0], sides[1], size[0], size[1]),
        (sides[1], sides[0], size[1], size[0]),
    ):
        scaled = torchtf.cast(other * target, "float32") / other_target
        wanted.append(torchtf.clip_by_value(torchtf.cast(scaled, "int32"), 1, side))
    height, width = wanted
    top, left = ((side - part) // 2 for side, part in zip(sides, wanted, strict=True))
    return image[top : top + height, left : left + width]
