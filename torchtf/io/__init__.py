"""`tf.io`: files, records, and decoding of bytes."""

from __future__ import annotations

from torchtf.io import gfile
from torchtf.io._codecs import (
    decode_base64,
    decode_compressed,
    decode_json_example,
    decode_proto,
    decode_raw,
    deserialize_many_sparse,
    encode_base64,
    encode_proto,
    parse_tensor,
    serialize_many_sparse,
    serialize_sparse,
    serialize_tensor,
)  # fmt: skip
from torchtf.io._csv import decode_csv
from torchtf.io._features import (
    FixedLenFeature,
    FixedLenSequenceFeature,
    RaggedFeature,
    SparseFeature,
    VarLenFeature,
)  # fmt: skip
from torchtf.io._files import (
    match_filenames_once,
    matching_files,
    read_file,
    write_file,
    write_graph,
)  # fmt: skip
from torchtf.io._parse import (
    parse_example,
    parse_sequence_example,
    parse_single_example,
    parse_single_sequence_example,
)  # fmt: skip
from torchtf.io._records import TFRecordOptions, TFRecordWriter

# defined with the images, under both names
_IMAGE_NAMES = {
    "decode_and_crop_jpeg", "decode_bmp", "decode_gif", "decode_image", "decode_jpeg", "decode_jxl",
    "decode_png", "decode_webp", "encode_jpeg", "encode_png", "extract_jpeg_shape", "is_jpeg",
}  # fmt: skip

__all__ = [
    "FixedLenFeature", "FixedLenSequenceFeature", "RaggedFeature", "SparseFeature",
    "TFRecordOptions", "TFRecordWriter", "VarLenFeature", "decode_base64", "decode_compressed",
    "decode_csv", "decode_json_example", "decode_proto", "decode_raw", "deserialize_many_sparse",
    "encode_base64", "encode_proto", "gfile", "match_filenames_once", "matching_files",
    "parse_example", "parse_sequence_example", "parse_single_example",
    "parse_single_sequence_example", "parse_tensor", "read_file", "serialize_many_sparse",
    "serialize_sparse", "serialize_tensor", "write_file", "write_graph",
]  # fmt: skip


def __getattr__(name: str):
    if name in _IMAGE_NAMES:
        from torchtf import image

        return getattr(image, name)
    raise AttributeError(f"module 'torchtf.io' has no attribute {name!r}")


def __dir__():
    return sorted({*__all__, *_IMAGE_NAMES})
