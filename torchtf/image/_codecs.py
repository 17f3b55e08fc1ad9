"""Decoding and encoding image files: JPEG, PNG, GIF, BMP and WebP.

* simplejpeg decodes JPEG by libjpeg-turbo, as TensorFlow does, so the pixels are the same.
* torchvision decodes PNG; Pillow does the other formats and the encoding.
"""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import torch

from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.host_op import choose, host_op, object_array
from torchtf.image._colour import convert_image_dtype

_SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG", "png"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"RIFF", "webp"),
    (b"\xff\x0a", "jxl"),
    (b"\x00\x00\x00\x0cJXL ", "jxl"),
)


def _invalid(message):
    return errors.InvalidArgumentError(None, None, message)


def _content(contents: np.ndarray) -> bytes:
    if contents.ndim:
        shape = str(list(contents.shape)).replace(" ", "")
        raise _invalid(f"`contents` must be scalar but got shape{shape}")
    return contents[()]


def _format(data: bytes) -> str:
    if not data:
        raise _invalid("Input is empty.")
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    raise _invalid("Unknown image file format. One of JPEG, JPEG XL, PNG, GIF, BMP, WebP required.")


def _open(data: bytes):
    from PIL import Image

    try:
        return Image.open(io.BytesIO(data))
    except Exception:
        raise _invalid("Invalid image data") from None


# -- one format at a time: bytes to arrays


def _by_torchvision(data: bytes, channels: int, message: str) -> np.ndarray:
    from torchvision.io import ImageReadMode, decode_image

    modes = {
        0: ImageReadMode.UNCHANGED,
        1: ImageReadMode.GRAY,
        3: ImageReadMode.RGB,
        4: ImageReadMode.RGB_ALPHA,
    }
    raw = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    try:
        return decode_image(raw, modes[channels]).permute(1, 2, 0).numpy()
    except RuntimeError:
        raise _invalid(message) from None


_BAD_JPEG = "jpeg::Uncompress failed. Invalid JPEG data or crop window."
_END_OF_JPEG = b"\xff\xd9"
_ADOBE = re.compile(rb"\xff\xee..Adobe", re.DOTALL)  # a marker segment


def _jpeg(data, channels, ratio=1, fancy=True, dct_method="", truncated=False):
    """The pixels of a JPEG file; the arguments are those of `decode_jpeg`."""
    import simplejpeg

    if channels == 4:
        raise _invalid("channels must be 0, 1, or 3 for JPEG, got 4")
    if truncated and not data.rstrip(b"\0").endswith(_END_OF_JPEG):
        data += _END_OF_JPEG  # with an end of image the decoder fills up
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:  # not valid, or sampled in a way that simplejpeg does not take
        if ratio > 1:
            raise _invalid(_BAD_JPEG) from None
        return _by_torchvision(data, channels, _BAD_JPEG)
    if colours == "CMYK" and channels == 1:
        raise _invalid(_BAD_JPEG)
    gray = channels == 1 or (colours == "Gray" and channels == 0)
    options = {
        "colorspace": "GRAY" if gray else "CMYK" if colours == "CMYK" else "RGB",
        "fastdct": dct_method != "INTEGER_ACCURATE", "fastupsample": not fancy,
    }  # fmt: skip
    if ratio > 1:
        options |= {
            "min_height": -(-height // ratio), "min_width": -(-width // ratio),
            "min_factor": ratio,
        }  # fmt: skip
    try:
        pixels = simplejpeg.decode_jpeg(data, **options)
    except ValueError as e:
        # what the library only warns of is no error
        if not str(e).startswith("Corrupt JPEG data") or _END_OF_JPEG not in data:
            raise _invalid(_BAD_JPEG) from None
        pixels = simplejpeg.decode_jpeg(data, **options, strict=False)
    return _rgb_of_cmyk(pixels, data) if pixels.shape[-1] == 4 else pixels


def _rgb_of_cmyk(pixels, data):
    """Colours of ink, which Adobe's programs store inverted."""
    light = pixels.astype(np.int32)
    if _ADOBE.search(data) is None:
        light = 255 - light
    return (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)


def _png(data, channels, dtype):
    # PNG's own gray: TensorFlow truncates, and keeps 16 bits apart
    gray = channels == 1
    pixels = _by_torchvision(data, 0 if gray else channels, "Invalid PNG data.")
    if gray:
        pixels = _png_gray(pixels)
    return _as_bits(pixels, dtype)


def _png_gray(pixels):
    if pixels.shape[-1] < 3:
        return pixels[..., :1]
    weighted = pixels[..., :3].astype(np.int64) @ np.array([9798, 19235, 3735])
    return (weighted >> 15).astype(pixels.dtype)[..., None]


def _as_bits(pixels, dtype):
    """Pixels as uint8 or uint16."""
    if pixels.dtype == dtype:
        return pixels
    if dtype == np.uint8:
        return (pixels >> 8).astype(np.uint8)
    return pixels.astype(np.uint16) * np.uint16(257)


def _with_channels(pixels, channels):
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    have = pixels.shape[-1]
    if channels in (0, have):
        return pixels
    if channels == 1:
        return _png_gray(pixels)
    if have == 1:
        pixels = np.repeat(pixels, 3, -1)
    if channels == 4 and pixels.shape[-1] == 3:
        opaque = np.full((*pixels.shape[:-1], 1), 255, np.uint8)
        return np.concatenate([pixels, opaque], -1)
    return pixels[..., :channels]


def _bmp(data, channels):
    if channels not in (0, 3, 4):
        raise _invalid(f"`channels` must be 0, 3 or 4 for BMP, but got {channels}")
    return _with_channels(np.asarray(_open(data)), channels)


def _frames(data) -> np.ndarray:
    from PIL import ImageSequence

    try:
        return np.stack([np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(_open(data))])
    except (OSError, EOFError):
        raise _invalid("Invalid image data") from None


def _single_frame(data, op):
    frames = _frames(data)
    if len(frames) > 1:
        raise _invalid(
            f"Got {len(frames)} frames, but animated gifs can only be decoded by "
            "tf.io.decode_gif or tf.io.decode_image"
        )
    return frames[0]


def _no_jxl():
    raise NotImplementedError("JPEG XL: neither Pillow nor torchvision decodes it; convert to PNG")


def _still(data, channels, dtype, op, **of_jpeg):
    """A single image of any format."""
    kind = _format(data)
    if kind == "jpeg":
        return _as_bits(_jpeg(data, channels, **of_jpeg), dtype)
    if kind == "png":
        return _png(data, channels, dtype)
    if kind == "bmp":
        raise _invalid(
            f"Trying to decode BMP format using a wrong op. Use `decode_bmp` or `decode_image` "
            f"instead. Op used: {op}"
        )
    if kind == "jxl":
        _no_jxl()
    pixels = _single_frame(data, op) if kind == "gif" else _webp(data)
    return _as_bits(_with_channels(pixels, channels), dtype)


def _webp(data):
    return np.asarray(_open(data).convert("RGB"))


def _check_channels(channels):
    if channels not in (0, 1, 3, 4):
        raise _invalid(f"`channels` must be 0, 1, 3 or 4 but got {channels}")


# -- decoding ops


def _open_sizes(contents, channels=0, *rest):
    """What is known of the result's shape before the file is read."""
    return [None, None, channels or None]


def _check_jpeg_options(acceptable_fraction, dct_method):
    if acceptable_fraction != 1:
        raise NotImplementedError(
            f"acceptable_fraction={acceptable_fraction}: a file is read whole or not at all; leave "
            "it 1"
        )
    choose("dct_method", dct_method, ("", "INTEGER_FAST", "INTEGER_ACCURATE"), "DecodeJpeg")


@host_op("DecodeJpeg", out="uint8", shape=_open_sizes)
def decode_jpeg(
    contents: S, channels=0, ratio=1, fancy_upscaling=True, try_recover_truncated=False,
    acceptable_fraction=1, dct_method="",
):  # fmt: skip
    """Decodes a JPEG file (source: `tf.io.decode_jpeg`).

    Args:
        contents: a string scalar, the file; PNG, WebP and GIF with one frame are taken, too.
        channels: 0 for those of the file, 1, 3 or 4.
        ratio: 1, 2, 4 or 8, by which to divide the size.
        fancy_upscaling: whether colours that were stored at a lower resolution are smoothed.
        try_recover_truncated: whether what is missing of a short file is left gray.
        acceptable_fraction: only 1.
        dct_method: "INTEGER_ACCURATE", "INTEGER_FAST", or "", which is the latter.

    Returns:
        uint8 [height, width, channels].

    Raises:
        InvalidArgumentError: if the file is not valid.
    """
    _check_channels(channels)
    _check_jpeg_options(acceptable_fraction, dct_method)
    if ratio not in (1, 2, 4, 8):
        raise _invalid(f"ratio must be 1, 2, 4, or 8, got {ratio}")
    return _still(
        _content(contents), channels, np.uint8, "DecodeJpeg", ratio=ratio, fancy=fancy_upscaling,
        dct_method=dct_method, truncated=try_recover_truncated,
    )  # fmt: skip


@host_op(
    "DecodeAndCropJpeg", out="uint8",
    shape=lambda contents, window, channels=0, *rest: [None, None, channels or None],
)  # fmt: skip
def decode_and_crop_jpeg(
    contents: S, crop_window: Int32, channels=0, ratio=1, fancy_upscaling=True,
    try_recover_truncated=False, acceptable_fraction=1, dct_method="",
):  # fmt: skip
    """Decodes a part of a JPEG file (source: `tf.io.decode_and_crop_jpeg`).

    Args:
        contents: a string scalar, the file.
        crop_window: [top, left, height, width].
        channels, ratio, fancy_upscaling, try_recover_truncated, acceptable_fraction, dct_method: as
            for `decode_jpeg`.

    Raises:
        InvalidArgumentError: if the file is not valid or the window does not lie within it.
    """
    pixels = decode_jpeg.op.body(
        contents, channels, ratio, fancy_upscaling, try_recover_truncated, acceptable_fraction,
        dct_method,
    )  # fmt: skip
    if crop_window.shape != (4,):
        raise _invalid("crop_window must have four elements")
    top, left, height, width = crop_window.tolist()
    inside = top >= 0 and left >= 0 and height > 0 and width > 0
    if not inside or top + height > pixels.shape[0] or left + width > pixels.shape[1]:
        raise _invalid(_BAD_JPEG)
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


@host_op("DecodePng", out="dtype", shape=_open_sizes)
def _decode_png(contents: S, channels, dtype):
    _check_channels(channels)
    if dtype not in ("uint8", "uint16"):
        raise _invalid(
            f"Value for attr 'dtype' of {dtype} is not in the list of allowed values: uint8, uint16"
        )
    return _still(_content(contents), channels, np.dtype(dtype).type, "DecodePng")


def decode_png(contents, channels=0, dtype=dtypes.uint8, name=None):
    """Decodes a PNG file (source: `tf.io.decode_png`).

    Args:
        contents: a string scalar, the file; JPEG, WebP and GIF with one frame are taken, too.
        channels: 0 for those of the file, 1, 3 or 4.
        dtype: uint8 or uint16.

    Returns:
        [height, width, channels].

    Raises:
        InvalidArgumentError: if the file is not valid.
    """
    return _decode_png(contents, channels, dtypes.as_dtype(dtype).name, name)


@host_op("DecodeBmp", out="uint8", shape=_open_sizes)
def decode_bmp(contents: S, channels=0):
    """Decodes a BMP file to uint8 [height, width, channels] (source: `tf.io.decode_bmp`).

    Raises:
        InvalidArgumentError: if the file is not valid or has other channels than asked for.
    """
    data = _content(contents)
    kind = _format(data)
    if kind != "bmp":
        raise _invalid(
            f"Trying to decode {kind.upper()} format using DecodeBmp op. Use `decode_{kind}` or "
            "`decode_image` instead."
        )
    return _bmp(data, channels)


@host_op("DecodeGif", out="uint8", shape=lambda contents: [None, None, None, 3])
def decode_gif(contents: S):
    """Decodes a GIF file to uint8 [frames, height, width, 3] (source: `tf.io.decode_gif`).

    Other formats give one frame.
    """
    data = _content(contents)
    if _format(data) == "gif":
        return _frames(data)
    return _still(data, 3, np.uint8, "DecodeGif")[None]


@host_op("DecodeWebP", out="uint8", shape=lambda contents, *rest: [None, None, None, None])
def _decode_webp(contents: S, channels):
    data = _content(contents)
    if _format(data) != "webp":
        raise _invalid("Trying to decode another format using DecodeWebP op.")
    return _with_channels(_webp(data), channels)[None]


def decode_webp(contents, channels=0, dtype=dtypes.uint8, name=None):
    """Decodes a WebP file to uint8 [1, height, width, channels] (source: `tf.io.decode_webp`)."""
    if dtypes.as_dtype(dtype) is not dtypes.uint8:
        raise NotImplementedError(f"decode_webp with dtype={dtype}; decode to uint8 and cast")
    return _decode_webp(contents, channels, name)


def decode_jxl(contents, channels=0, dtype=dtypes.uint8, name=None):
    """JPEG XL is not supported (source: `tf.io.decode_jxl`)."""
    _no_jxl()


def _image_sizes(contents, channels, animated, dtype):
    return [None, None, channels or None]


@host_op("DecodeImage", out="dtype", shape=_image_sizes)
def _decode_image(contents: S, channels, animated, dtype):
    _check_channels(channels)
    data = _content(contents)
    kind = _format(data)
    kind_of_pixels = np.dtype(dtype).type
    if kind in ("gif", "webp"):
        pixels = _with_channels(_frames(data), channels)
        return _as_bits(pixels if animated else pixels[0], kind_of_pixels)
    if kind == "bmp":
        return _as_bits(_bmp(data, channels), kind_of_pixels)
    return _still(data, channels, kind_of_pixels, "DecodeImage")


def decode_image(contents, channels=None, dtype=dtypes.uint8, name=None, expand_animations=True):
    """Decodes an image file of any format (source: `tf.io.decode_image`).

    Args:
        contents: a string scalar, the file: JPEG, PNG, GIF, BMP or WebP.
        channels: None for those of the file, 1, 3 or 4.
        dtype: the type of the pixels, see `convert_image_dtype`.
        expand_animations: whether GIF and WebP files give [frames, height, width, channels]; if
            not, the first frame.

    Raises:
        InvalidArgumentError: if the file is not valid.
    """
    dtype = dtypes.as_dtype(dtype)
    read = dtype if dtype in (dtypes.uint8, dtypes.uint16) else dtypes.uint16
    if dtype is dtypes.float32:
        read = dtypes.uint8
    image = _decode_image(contents, channels or 0, expand_animations, read.name, name)
    return convert_image_dtype(image, dtype)


# -- questions to a file


@host_op("IsJpeg", out="bool", elementwise=True)
def _starts_like_jpeg(contents: S):
    starts = [item[:3] == b"\xff\xd8\xff" for item in contents.reshape(-1)]
    return np.array(starts, bool).reshape(contents.shape)


def is_jpeg(contents, name=None):
    """Whether a file starts as JPEG files do (source: `tf.io.is_jpeg`)."""
    return _starts_like_jpeg(contents, name)


@host_op("ExtractJpegShape", out="dtype", shape=lambda *args: [3])
def _jpeg_shape(contents: S, dtype):
    data = _content(contents)
    if not data.startswith(b"\xff\xd8\xff"):
        raise _invalid(f"Invalid JPEG data, size {len(data)}")
    image = _open(data)
    return np.array([image.height, image.width, len(image.getbands())], dtype)


def extract_jpeg_shape(contents, output_type=dtypes.int32, name=None):
    """The shape of a JPEG image, without decoding it (source: `tf.io.extract_jpeg_shape`).

    Returns:
        [height, width, channels] as int32 or int64.
    """
    return _jpeg_shape(contents, dtypes.as_dtype(output_type).name, name)


# -- encoding


def _jpeg_bytes(
    pixels, quality, progressive=False, optimize=False, chroma_downsampling=True, **extra
):
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    subsampling = "4:2:0" if chroma_downsampling else "4:4:4"
    image.save(
        buffer, "JPEG", quality=quality, progressive=progressive, optimize=optimize,
        subsampling=subsampling, **extra,
    )  # fmt: skip
    return buffer.getvalue()


def _text(array):
    return object_array([array], ())


@host_op("EncodeJpeg", out="string", shape=lambda *args: [])
def encode_jpeg(
    image: UInt8, format="", quality=95, progressive=False, optimize_size=False,
    chroma_downsampling=True, density_unit="in", x_density=300, y_density=300, xmp_metadata="",
):  # fmt: skip
    """Encodes an image as JPEG (source: `tf.io.encode_jpeg`).

    Args:
        image: uint8 [height, width, channels] with 1 or 3 channels.
        format: "", "grayscale" or "rgb".
        quality: between 0 and 100.
        progressive: whether the file shows a rough image first.
        optimize_size: whether to spend time on a smaller file.
        chroma_downsampling: whether colours are stored at half the resolution.
        density_unit: "in" or "cm".
        x_density, y_density: pixels per unit.
        xmp_metadata: XMP metadata to store.

    Returns:
        A string scalar.

    Raises:
        InvalidArgumentError: for an image or option that does not fit.
    """
    if image.ndim != 3:
        raise _invalid(f"image must be 3-dimensional {list(image.shape)}")
    choose("format", format, ("", "grayscale", "rgb"), "EncodeJpeg")
    choose("density_unit", density_unit, ("in", "cm"), "EncodeJpeg")
    if not 0 <= quality <= 100:
        raise _invalid(f"quality must be in [0,100], got {quality}")
    channels = image.shape[-1]
    wanted = {"": (1, 3), "grayscale": (1,), "rgb": (3,)}[format]
    if channels not in wanted:
        sizes = str(list(image.shape)).replace(" ", "")
        names = " or ".join(str(w) for w in wanted)
        raise _invalid(f"image must have {names} channels, got {sizes}")
    extra = {"xmp": xmp_metadata.encode()} if xmp_metadata else {}
    data = bytearray(
        _jpeg_bytes(
            image,
            quality,
            progressive,
            optimize_size,
            chroma_downsampling,
            dpi=(x_density, y_density),
            **extra,
        )
    )
    if density_unit == "cm":
        data[13] = 2  # the unit in the JFIF header, where Pillow writes inches
    return _text(bytes(data))


@host_op("AdjustJpegQuality", out="uint8", elementwise=True)
def _reencode(image: UInt8, quality: Int32, dct_method):
    data = _jpeg_bytes(image, int(quality))
    return _jpeg(data, image.shape[-1], dct_method=dct_method)


def adjust_jpeg_quality(image, jpeg_quality, dct_method="", name=None):
    """Adds the noise of JPEG encoding (source: `tf.image.adjust_jpeg_quality`).

    Args:
        image: [height, width, channels] with 1 or 3 channels.
        jpeg_quality: between 0 and 100, a number or scalar tensor.
        dct_method: as for `decode_jpeg`.
    """
    _check_jpeg_options(1, dct_method)
    image = convert_to_tensor(image)
    pixels = convert_image_dtype(image, dtypes.uint8, saturate=True)
    quality = convert_to_tensor(jpeg_quality, dtype_hint=dtypes.int32)
    again = _reencode(pixels, quality, dct_method, name)
    return convert_image_dtype(again, image.dtype, saturate=True)


def _png_bytes(pixels, compression) -> bytes:
    """A PNG file; each row as differences from the pixel to the left, which compresses well."""
    height, width, channels = pixels.shape
    big_endian = pixels.astype(pixels.dtype.newbyteorder(">"))
    row_bytes = np.ascontiguousarray(big_endian).view(np.uint8).reshape(height, -1)
    step = channels * pixels.dtype.itemsize
    rows = row_bytes.copy()
    rows[:, step:] -= row_bytes[:, :-step]
    body = np.concatenate([np.ones((height, 1), np.uint8), rows], 1).tobytes()
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.dtype.itemsize, colour_type, 0, 0, 0)

    def chunk(kind, data):
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(body, compression)),
            chunk(b"IEND", b""),
        )
    )


@host_op("EncodePng", out="string", shape=lambda image, *rest: list(image.shape[:-3]))
def _encode_png(image: UIntPixel, compression):
    if image.ndim < 3:
        raise _invalid(f"images must be at least rank 3{list(image.shape)}")
    if not -1 <= compression <= 9:
        raise _invalid(f"compression should be between -1 and 9, got {compression}")
    if image.shape[-1] not in (1, 2, 3, 4):
        raise _invalid(f"image must have 1, 2, 3, or 4 channels, got {list(image.shape)}")
    flat = image.reshape(-1, *image.shape[-3:])
    return object_array([_png_bytes(i, compression) for i in flat], image.shape[:-3])


def encode_png(image, compression=-1, name=None):
    """Encodes images as PNG (source: `tf.io.encode_png`).

    Args:
        image: uint8 or uint16 [..., height, width, channels] with 1 to 4 channels.
        compression: between 0 (none) and 9, or -1 for a default.

    Returns:
        Strings of shape [...].

    Raises:
        InvalidArgumentError: for an image of another type or rank.
    """
    return _encode_png(convert_to_tensor(image), compression, name)
