"""`tf.compat.v1.image`: functions on images with TF 1's arguments."""

from __future__ import annotations

import torchtf as tf
from torchtf.compat.v1 import _names_of
from torchtf.python.util.deprecation import deprecated_argument_lookup as _one_of

_table = _names_of("image")


def extract_image_patches(
    images, ksizes=None, strides=None, rates=None, padding=None, name=None, sizes=None
):
    """`tf.image.extract_patches`, with `ksizes` for `sizes`, too."""
    sizes = _one_of("sizes", sizes, "ksizes", ksizes)
    return tf.image.extract_patches(images, sizes, strides, rates, padding, name)


def crop_and_resize(
    image,
    boxes,
    box_ind=None,
    crop_size=None,
    method="bilinear",
    extrapolation_value=0,
    name=None,
    box_indices=None,
):
    """`tf.image.crop_and_resize`, with `box_ind` for `box_indices`, too."""
    box_indices = _one_of("box_indices", box_indices, "box_ind", box_ind)
    return tf.image.crop_and_resize(
        image, boxes, box_indices, crop_size, method, extrapolation_value, name
    )


def __getattr__(name: str):
    if name == "extract_patches":
        return tf.image.extract_patches
    return _table(name)
