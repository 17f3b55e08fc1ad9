"""Ops that turn bytes into values and back: raw, base64, zlib, JSON, tensor protos."""

from __future__ import annotations

import base64
import gzip
import re
import zlib

import numpy as np
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from torchtf.core import dtypes, errors
from torchtf.core.host_op import each, host_op, object_array
from torchtf.tensor_proto import make_ndarray


def _invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


# -- raw bytes


def _raw_sizes(input_bytes, out_type, little_endian, fixed_length):
    kind = np.dtype(out_type.as_numpy_dtype)
    return [*input_bytes.shape, fixed_length and fixed_length // kind.itemsize]


@host_op("DecodeRaw", out="out_type", shape=_raw_sizes)
def _decode_raw(input_bytes: S, out_type, little_endian, fixed_length):
    kind = np.dtype(out_type.as_numpy_dtype)
    flat = input_bytes.reshape(-1).tolist()
    if fixed_length is not None:
        if fixed_length <= 0 or fixed_length % kind.itemsize:
            raise _invalid(
                f"fixed_length ({fixed_length}) must be a positive multiple of the size of "
                f"out_type ({kind.itemsize})"
            )
        flat = [s[:fixed_length].ljust(fixed_length, b"\0") for s in flat]
    size = len(flat[0]) if flat else 0
    for i, item in enumerate(flat):
        if len(item) != size:
            raise _invalid(
                "DecodeRaw requires input strings to all be the same size, but element "
                f"{i} has size {size} != {len(item)}"
            )
    if size % kind.itemsize:
        raise _invalid(
            f"Input to DecodeRaw has length {size} that is not a multiple of {kind.itemsize}, the "
            f"size of {out_type.name}"
        )
    array = np.frombuffer(b"".join(flat), kind)
    if not little_endian:
        array = array.byteswap()
    return array.reshape(*input_bytes.shape, size // kind.itemsize).copy()


def decode_raw(input_bytes, out_type, little_endian=True, fixed_length=None, name=None):
    """The bytes of strings as numbers (source: `tf.io.decode_raw`).

    Args:
        input_bytes: strings of one length.
        out_type: the type of the numbers.
        little_endian: the order of bytes.
        fixed_length: the length to which strings are cut or padded with zeros.

    Raises:
        InvalidArgumentError: if lengths do not fit.
    """
    out_type = dtypes.as_dtype(out_type)
    if out_type.torch is None or out_type.is_quantized:
        raise _invalid(
            f"Value for attr 'out_type' of {out_type.name} is not in the list of allowed values: "
            "numbers and bool [Op:DecodeRaw]"
        )
    return _decode_raw(input_bytes, out_type, little_endian, fixed_length, name)


# -- base64, zlib


@host_op("EncodeBase64", out="string", elementwise=True)
def encode_base64(input: S, pad=False):
    """Web-safe base64 (source: `tf.io.encode_base64`)."""
    encode = base64.urlsafe_b64encode
    return each(encode if pad else lambda s: encode(s).rstrip(b"="), input)


@host_op("DecodeBase64", out="string", elementwise=True)
def decode_base64(input: S):
    """Decodes web-safe base64, padded or not (source: `tf.io.decode_base64`).

    Raises:
        InvalidArgumentError: for malformed input.
    """

    def decode(text: bytes) -> bytes:
        stripped = text.rstrip(b"=") if len(text) % 4 == 0 else text
        if not re.fullmatch(rb"[A-Za-z0-9_-]*", stripped):
            raise _invalid("Invalid character found in base64.")
        if len(stripped) % 4 == 1:
            raise _invalid("Base64 string length cannot be 1 modulo 4.")
        return base64.urlsafe_b64decode(stripped + b"=" * (-len(stripped) % 4))

    return each(decode, input)


@host_op("DecodeCompressed", out="string", elementwise=True)
def _decode_compressed(bytes: S, compression_type):
    if compression_type == "":
        return bytes
    if compression_type == "ZSTD":
        raise NotImplementedError(
            "compression_type='ZSTD' is not supported; use GZIP or ZLIB, or decompress the strings "
            "with the zstandard package in tf.py_function."
        )
    if compression_type not in ("ZLIB", "GZIP"):
        raise _invalid("Only ZLIB, ZSTD, GZIP or NONE are supported compressions")
    inflate = gzip.decompress if compression_type == "GZIP" else zlib.decompress

    def decode(data):
        try:
            return inflate(data)
        except (zlib.error, OSError, EOFError) as e:
            raise errors.DataLossError(None, None, f"inflate() failed: {e}") from None

    return each(decode, bytes)


def decode_compressed(bytes, compression_type="", name=None):
    """Decompresses strings (source: `tf.io.decode_compressed`).

    Args:
        bytes: strings.
        compression_type: "", "ZLIB" or "GZIP".
    """
    return _decode_compressed(bytes, compression_type, name)


# -- protos


@host_op("DecodeJSONExample", out="string", elementwise=True)
def decode_json_example(json_examples: S):
    """JSON forms of `tf.train.Example` as serialized protos (source: `tf.io.decode_json_example`).

    Raises:
        InvalidArgumentError: for malformed input.
    """
    from torchtf.core.proto_types import Example

    def decode(text):
        try:
            return json_format.Parse(text, Example()).SerializeToString(deterministic=True)
        except (json_format.ParseError, UnicodeDecodeError) as e:
            raise _invalid(f"Error while parsing JSON: {e}") from None

    return each(decode, json_examples)


@host_op("SerializeTensor", out="string")
def _serialize_tensor(tensor: T):
    return object_array([tensor_bytes(tensor)], ())


def tensor_bytes(array: np.ndarray) -> bytes:
    """An array as a serialized `TensorProto`."""
    from tensorboard.compat.proto.tensor_pb2 import TensorProto

    from torchtf.core.shape import TensorShape

    dtype = dtypes.string if array.dtype == object else dtypes.as_dtype(array.dtype)
    proto = TensorProto(dtype=dtype.as_datatype_enum)
    proto.tensor_shape.CopyFrom(TensorShape(array.shape).as_proto())
    if dtype is dtypes.string:
        proto.string_val.extend(array.reshape(-1).tolist())
    else:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()
    return proto.SerializeToString()


def serialize_tensor(tensor, name=None):
    """A tensor as a serialized `TensorProto` (source: `tf.io.serialize_tensor`)."""
    return _serialize_tensor(tensor, name)


@host_op("ParseTensor", out="out_type", shape=lambda *_: None)
def _parse_tensor(serialized: S, out_type):
    if serialized.ndim:
        raise _invalid(f"Expected `serialized` to be a scalar, got shape: {list(serialized.shape)}")
    return parsed_tensor(serialized[()], out_type)


def parsed_tensor(data: bytes, dtype) -> np.ndarray:
    """The array of a serialized `TensorProto` of a given type."""
    from tensorboard.compat.proto.tensor_pb2 import TensorProto

    try:
        proto = TensorProto.FromString(data)
        array = make_ndarray(proto)
    except (DecodeError, TypeError, ValueError):
        shown = data[:80].decode("utf-8", "backslashreplace")
        raise _invalid(f"Could not parse `serialized` as TensorProto: '{shown}'") from None
    if proto.dtype != dtype.as_datatype_enum:
        found = dtypes.as_dtype(proto.dtype).name
        raise _invalid(f"Type mismatch between parsed tensor ({found}) and dtype ({dtype.name})")
    return array


def parse_tensor(serialized, out_type, name=None):
    """A tensor from a serialized `TensorProto` (source: `tf.io.parse_tensor`).

    Args:
        serialized: a scalar string.
        out_type: the type that the tensor must have.

    Raises:
        InvalidArgumentError: if it is malformed or of another type.
    """
    return _parse_tensor(serialized, dtypes.as_dtype(out_type), name)


# -- sparse tensors


@host_op("SerializeSparse", out="string")
def _serialize_sparse(indices: Index, values: T, shape: Index2):
    return object_array([tensor_bytes(a) for a in (indices, values, shape)])


def _only_strings(out_type):
    if dtypes.as_dtype(out_type) is not dtypes.string:
        raise NotImplementedError(
            "Serializing sparse tensors to tf.variant is not supported; use out_type=tf.string."
        )


def serialize_sparse(sp_input, out_type=dtypes.string, name=None):
    """A sparse tensor as three serialized tensors (source: `tf.io.serialize_sparse`)."""
    _only_strings(out_type)
    return _serialize_sparse(sp_input.indices, sp_input.values, sp_input.dense_shape, name)


@host_op("SerializeManySparse", out="string")
def _serialize_many_sparse(indices: Index, values: T, shape: Index2):
    rows = []
    for i in range(int(shape[0])):
        mine = indices[:, 0] == i
        parts = (indices[mine, 1:], values[mine], shape[1:])
        rows.append([tensor_bytes(a) for a in parts])
    return object_array([p for row in rows for p in row], (len(rows), 3))


def serialize_many_sparse(sp_input, out_type=dtypes.string, name=None):
    """Each row of a sparse tensor serialized (source: `tf.io.serialize_many_sparse`)."""
    _only_strings(out_type)
    return _serialize_many_sparse(sp_input.indices, sp_input.values, sp_input.dense_shape, name)


@host_op("DeserializeManySparse", out=("int64", "dtype", "int64"))
def _deserialize_many_sparse(serialized: S, dtype):
    if serialized.ndim != 2 or serialized.shape[1] != 3:
        raise _invalid(f"Serialized sparse must have shape [n, 3], got {list(serialized.shape)}")
    indices, values, shapes = [], [], []
    for i, row in enumerate(serialized):
        kinds = (dtypes.int64, dtype, dtypes.int64)
        place, value, shape = (parsed_tensor(p, k) for p, k in zip(row, kinds, strict=True))
        outer = np.full((len(place), 1), i, np.int64)
        indices.append(np.concatenate([outer, place], 1))
        values.append(value)
        shapes.append(shape)
    shape = np.array([len(shapes), *np.max(shapes, axis=0)], np.int64)
    return np.concatenate(indices), np.concatenate(values), shape


def deserialize_many_sparse(serialized_sparse, dtype, rank=None, name=None):
    """A sparse tensor of serialized ones, stacked (source: `tf.io.deserialize_many_sparse`).

    Args:
        serialized_sparse: strings of shape [n, 3].
        dtype: the type of the values.
        rank: the rank of each, if it should be checked.
    """
    from torchtf.sparse import SparseTensor

    parts = _deserialize_many_sparse(serialized_sparse, dtypes.as_dtype(dtype), name)
    result = SparseTensor(*parts)
    if rank is not None and result.shape.rank != rank + 1:
        raise _invalid(f"rank is {rank}, but the tensors have rank {result.shape.rank - 1}")
    return result


def decode_proto(
    bytes, message_type, field_names, output_types, descriptor_source="local://",
    message_format="binary", sanitize=False, name=None,
):  # fmt: skip
    """Not supported (source: `tf.io.decode_proto`).

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        "tf.io.decode_proto is not supported; parse the messages with the protobuf package in "
        "tf.py_function."
    )


def encode_proto(sizes, values, field_names, message_type, descriptor_source="local://", name=None):
    """Not supported (source: `tf.io.encode_proto`).

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        "tf.io.encode_proto is not supported; build the messages with the protobuf package in "
        "tf.py_function."
    )
