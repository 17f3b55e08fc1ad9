"""`tf.compat.v1.io`: parsing with TF 1's arguments."""

from __future__ import annotations

import torchtf as tf
from torchtf.compat.v1 import _names_of
from torchtf.python.util.deprecation import deprecated_argument_lookup as _one_of

__getattr__ = _names_of("io")


class TFRecordCompressionType:
    """How a file of records is compressed."""

    NONE, ZLIB, GZIP = 0, 1, 2


def tf_record_iterator(path, options=None):
    """The records of a file, as bytes.

    Args:
        path: the file.
        options: `tf.io.TFRecordOptions`, or a member of `TFRecordCompressionType`.
    """
    kind = getattr(options, "compression_type", options)
    kind = {None: "", 0: "", 1: "ZLIB", 2: "GZIP"}.get(kind, kind)
    for record in tf.data.TFRecordDataset(path, kind):
        yield record.numpy()


def decode_csv(
    records,
    record_defaults,
    field_delim=",",
    use_quote_delim=True,
    name=None,
    na_value="",
    select_cols=None,
):
    """`tf.io.decode_csv`."""
    return tf.io.decode_csv(
        records, record_defaults, field_delim, use_quote_delim, na_value, select_cols, name
    )


def decode_raw(input_bytes=None, out_type=None, little_endian=True, name=None, bytes=None):
    """`tf.io.decode_raw`, with `bytes` for `input_bytes`, too."""
    input_bytes = _one_of("input_bytes", input_bytes, "bytes", bytes)
    if out_type is None:
        raise ValueError("decode_raw_v1() missing 1 positional argument: 'out_type'")
    return tf.io.decode_raw(input_bytes, out_type, little_endian, name=name)


def parse_example(serialized, features, name=None, example_names=None):
    """`tf.io.parse_example`."""
    return tf.io.parse_example(serialized, features, example_names, name)


def parse_single_example(serialized, features, name=None, example_names=None):
    """`tf.io.parse_single_example`."""
    return tf.io.parse_single_example(serialized, features, example_names, name)


def serialize_sparse(sp_input, name=None, out_type=tf.string):
    """`tf.io.serialize_sparse`."""
    return tf.io.serialize_sparse(sp_input, out_type, name)


def serialize_many_sparse(sp_input, name=None, out_type=tf.string):
    """`tf.io.serialize_many_sparse`."""
    return tf.io.serialize_many_sparse(sp_input, out_type, name)
