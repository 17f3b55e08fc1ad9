"""Colour: types of pixels, colour spaces, brightness, contrast, hue and saturation."""

from __future__ import annotations

import torch

from torchtf import array_ops
from torchtf import math as tf_math
from torchtf.core import dtypes, errors, graph
from torchtf.core.convert import convert_to_tensor
from torchtf.core.op import op
from torchtf.core.tensor import is_tensor_type
from torchtf.image._geometry import check_image


def convert_image_dtype(image, dtype, saturate=False, name=None):
    """Converts images, scaling pixels to the type's range (source: `tf.image.convert_image_dtype`).

    Floats lie in [0, 1], integers between 0 and the largest number of their type.

    Args:
        image: images.
        dtype: an integer or float type.
        saturate: whether pixels beyond the range are cut to it; else they wrap around.

    Raises:
        AttributeError: for types that are neither.
    """
    image, dtype = convert_to_tensor(image), dtypes.as_dtype(dtype)
    if not (dtype.is_floating or dtype.is_integer):
        raise AttributeError("dtype must be either floating point or integer")
    if not (image.dtype.is_floating or image.dtype.is_integer):
        raise AttributeError("image dtype must be either floating point or integer")
    cast = tf_math.saturate_cast if saturate else tf_math.cast
    have = image.dtype
    if have is dtype:
        return array_ops.identity(image)
    if have.is_floating and dtype.is_floating:
        return tf_math.cast(image, dtype, name)
    if have.is_integer and dtype.is_floating:
        return tf_math.multiply(tf_math.cast(image, dtype), 1.0 / have.max, name)
    if have.is_floating:
        scaled = tf_math.multiply(image, dtype.max + 0.5)  # rounds rather than truncates
        if saturate and have is dtypes.float16:  # which has no numbers as large as integers
            finite = tf_math.maximum(tf_math.minimum(scaled, have.max), have.min)
            scaled = tf_math.cast(finite, dtypes.float32)
        return cast(scaled, dtype, name)
    if have.max > dtype.max:
        return cast(tf_math.floordiv(image, (have.max + 1) // (dtype.max + 1)), dtype, name)
    return tf_math.multiply(cast(image, dtype), (dtype.max + 1) // (have.max + 1), name)


def _in_floats(function, image, saturate):
    """Applies a function to images as floats and converts the result back."""
    image = convert_to_tensor(image)
    dtype = image.dtype
    floats = image
    if dtype not in (dtypes.float16, dtypes.float32):
        floats = convert_image_dtype(image, dtypes.float32)
    return convert_image_dtype(function(floats), dtype, saturate)


# -- brightness, contrast, gamma


def adjust_brightness(image, delta):
    """Adds `delta` to the pixels, as floats in [0, 1] (source: `tf.image.adjust_brightness`)."""

    def add(x):
        return tf_math.add(x, tf_math.cast(convert_to_tensor(delta), x.dtype))

    return _in_floats(add, image, True)


@op("AdjustContrastv2")
def _adjust_contrast(images: Float, factor: Float2):
    if images.dim() < 3:
        raise errors.InvalidArgumentError(
            None, None, f"input must be at least 3-D, got shape{list(images.shape)}"
        )
    x = images.float()
    mean = x.mean((-3, -2), keepdim=True)
    # a whole row of means: arithmetic over a row of few channels takes 10 times as long
    mean = mean.expand(*mean.shape[:-2], x.shape[-2], x.shape[-1]).contiguous()
    return ((x - mean) * factor + mean).to(images.dtype)


def adjust_contrast(images, contrast_factor):
    """Multiplies the distance of pixels from their channel's mean.

    Source: `tf.image.adjust_contrast`.

    Args:
        images: [..., height, width, channels].
        contrast_factor: a number or scalar tensor.
    """
    factor = convert_to_tensor(contrast_factor, dtype_hint=dtypes.float32)
    return _in_floats(lambda x: _adjust_contrast(x, factor), images, True)


def adjust_gamma(image, gamma=1, gain=1):
    """Returns gain * image ** gamma, for floats in [0, 1] (source: `tf.image.adjust_gamma`).

    Raises:
        ValueError: for a negative gamma.
    """
    if not is_tensor_type(gamma) and gamma < 0:
        raise ValueError("Gamma should be a non-negative real number.")

    def correct(x):
        return tf_math.multiply(tf_math.pow(x, gamma), gain)

    return _in_floats(correct, image, True)


@op("PerImageStandardization")
def _standardize(image: Float):
    pixels = image.shape[-1] * image.shape[-2] * image.shape[-3]
    axes = (-3, -2, -1)
    mean = image.mean(axes, keepdim=True)
    centered = image - mean
    deviation = torch.sqrt((centered * centered).mean(axes, keepdim=True))
    return centered / torch.clamp_min(deviation, pixels**-0.5)


def per_image_standardization(image):
    """Scales each image to mean 0 and variance 1 (source: `tf.image.per_image_standardization`).

    The standard deviation is at least 1 / sqrt(number of pixels).

    Returns:
        float32 images.
    """
    image = convert_to_tensor(image)
    check_image(image)
    return _standardize(tf_math.cast(image, dtypes.float32))


# -- hue and saturation
#
# A colour: its value (the largest channel), its chroma (the distance to the smallest) and its hue,
# an angle of six units. Each channel falls from the value to value - chroma over one unit of hue,
# and stays there for two.


def _hue(rgb, value, chroma):
    r, g, b = rgb.unbind(-1)
    safe = torch.where(chroma == 0, torch.ones_like(chroma), chroma)
    hue = torch.where(
        r == value, (g - b) / safe, torch.where(g == value, (b - r) / safe + 2, (r - g) / safe + 4)
    )
    return torch.where(chroma == 0, torch.zeros_like(hue), torch.where(hue < 0, hue + 6, hue))


def _parts(rgb):
    value, low = rgb.amax(-1), rgb.amin(-1)
    return value, value - low


def _compose(hue, value, chroma):
    away = (3 - (hue - 3).abs(), (hue - 2).abs(), (hue - 4).abs())
    low = value - chroma
    return torch.stack([low + chroma * (2 - a).clamp(0, 1) for a in away], -1)


def _check_rgb(images, exception=errors.InvalidArgumentError):
    if images.dim() < 1 or images.shape[-1] != 3:
        raise exception(
            None, None, f"input must have 3 channels but instead has {images.shape[-1]} channels"
        )


@op("AdjustHue")
def _adjust_hue(images: Float, delta: Float2):
    _check_rgb(images)
    x = images.float()
    value, chroma = _parts(x)
    hue = torch.remainder(_hue(x, value, chroma) + delta * 6, 6)
    return _compose(hue, value, chroma).to(images.dtype)


def adjust_hue(image, delta, name=None):
    """Turns the hue of RGB images (source: `tf.image.adjust_hue`).

    Args:
        image: [..., 3].
        delta: how far, in full circles; between -1 and 1.

    Raises:
        ValueError: if `delta` is out of range.
    """
    delta = convert_to_tensor(delta, dtype_hint=dtypes.float32)
    if graph.state.trace is None and not -1 <= float(delta) <= 1:
        raise ValueError("delta must be in the interval [-1, 1]")
    delta = tf_math.cast(delta, dtypes.float32)
    return _in_floats(lambda x: _adjust_hue(x, delta, name), image, False)


@op("AdjustSaturation")
def _adjust_saturation(images: Float, factor: Float2):
    _check_rgb(images)
    x = images.float()
    value, chroma = _parts(x)
    safe = torch.where(value > 0, value, torch.ones_like(value))
    saturation = torch.where(value > 0, chroma / safe, torch.zeros_like(value))
    scaled = (saturation * factor).clamp(0, 1) * value
    return _compose(_hue(x, value, chroma), value, scaled).to(images.dtype)


def adjust_saturation(image, saturation_factor, name=None):
    """Multiplies the saturation of RGB images (source: `tf.image.adjust_saturation`)."""
    factor = convert_to_tensor(saturation_factor, dtype_hint=dtypes.float32)
    factor = tf_math.cast(factor, dtypes.float32)
    return _in_floats(lambda x: _adjust_saturation(x, factor, name), image, False)


# -- colour spaces


@op("RGBToHSV")
def rgb_to_hsv(images: Float):
    """Converts RGB to hue, saturation and value, all in [0, 1] (source: `tf.image.rgb_to_hsv`)."""
    _check_rgb(images, errors.FailedPreconditionError)
    value, chroma = _parts(images)
    safe = torch.where(value > 0, value, torch.ones_like(value))
    saturation = torch.where(value > 0, chroma / safe, torch.zeros_like(value))
    return torch.stack([_hue(images, value, chroma) / 6, saturation, value], -1)


@op("HSVToRGB")
def hsv_to_rgb(images: Float):
    """Converts hue, saturation and value to RGB (source: `tf.image.hsv_to_rgb`)."""
    _check_rgb(images, errors.FailedPreconditionError)
    hue, saturation, value = images.unbind(-1)
    return _compose(hue * 6, value, saturation * value)


_TO_YIQ = (
    (0.299, 0.59590059, 0.2115),
    (0.587, -0.27455667, -0.52273617),
    (0.114, -0.32134392, 0.31119955),
)
_FROM_YIQ = (
    (1.0, 1.0, 1.0),
    (0.95598634, -0.27201283, -1.10674021),
    (0.6208248, -0.64720424, 1.70423049),
)
_TO_YUV = (
    (0.299, -0.14714119, 0.61497538),
    (0.587, -0.28886916, -0.51496512),
    (0.114, 0.43601035, -0.10001026),
)
_FROM_YUV = (
    (1.0, 1.0, 1.0),
    (0.0, -0.394642334, 2.03206185),
    (1.13988303, -0.58062185, 0.0),
)


@op("Tensordot")
def _times(images: Float, matrix):
    if images.shape[-1] != 3:
        raise errors.InvalidArgumentError(
            None, None, f"Matrix size-incompatible: In[0]: {list(images.shape)}, In[1]: [3,3]"
        )
    return images @ torch.tensor(matrix, dtype=images.dtype, device=images.device)


def rgb_to_yiq(images):
    """Converts RGB to YIQ (source: `tf.image.rgb_to_yiq`)."""
    return _times(images, _TO_YIQ)


def yiq_to_rgb(images):
    """Converts YIQ to RGB (source: `tf.image.yiq_to_rgb`)."""
    return _times(images, _FROM_YIQ)


def rgb_to_yuv(images):
    """Converts RGB to YUV (source: `tf.image.rgb_to_yuv`)."""
    return _times(images, _TO_YUV)


def yuv_to_rgb(images):
    """Converts YUV to RGB (source: `tf.image.yuv_to_rgb`)."""
    return _times(images, _FROM_YUV)


@op("RGBToGrayscale")
def _gray(images: Float):
    weights = torch.tensor((0.2989, 0.5870, 0.1140), dtype=images.dtype, device=images.device)
    if images.shape[-1] != 3:
        raise errors.InvalidArgumentError(
            None, None, f"Matrix size-incompatible: In[0]: {list(images.shape)}, In[1]: [3,1]"
        )
    return (images @ weights).unsqueeze(-1)


def rgb_to_grayscale(images, name=None):
    """Converts RGB to one channel of brightness (source: `tf.image.rgb_to_grayscale`)."""
    images = convert_to_tensor(images)
    gray = _gray(convert_image_dtype(images, dtypes.float32))
    return convert_image_dtype(gray, images.dtype, name=name)


@op("Tile")
def _repeat_channel(images: T):
    return images.expand(*images.shape[:-1], 3).clone()


def grayscale_to_rgb(images, name=None):
    """Repeats one channel three times (source: `tf.image.grayscale_to_rgb`).

    Raises:
        ValueError: unless the last size is 1.
    """
    images = convert_to_tensor(images)
    if images.shape.rank < 2:
        shape = images.shape
        raise ValueError(f"A grayscale image (shape {shape}) must be at least two-dimensional.")
    if images.shape[-1] != 1:
        raise ValueError("Last dimension of a grayscale image should be size 1.")
    return _repeat_channel(images, name)
