"""Ops that torchtf runs on the host (strings, protos, images, tables): TensorFlow's kernels.

The text of a call (`export.host_form`) names kernel and arguments. Most kernels have the same
parameters here as there, and need no line in this file; `_FORMS` has the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace

import tensorflow as tf

from ... import host_form
from ..values import Value, as_strings
from .registry import operator

_FORMS: dict[str, Callable] = {}


def _form(name: str):
    """Registers what builds a kernel from torchtf's arguments; it returns the results in order."""

    def register(build):
        _FORMS[name] = build
        return build

    return register


@operator("HostCall")
def host_call(node, *inputs):
    """The results of a call, one value each."""
    call = json.loads(node.get("text"))
    supply = iter(inputs)

    def slot(strings: bool):
        value = next(supply)
        return (as_strings(value) if strings else value).tensor()

    makers = {
        "slot": slot,
        "dtype": tf.as_dtype,
        "scalar": tf.as_dtype,
        "table": lambda number: node.importer.tables[number],
        "object": lambda form: SimpleNamespace(record=form[0].rpartition(".")[2], **form[1]),
    }
    arguments = {k: host_form.decode(v, makers) for k, v in call["arguments"].items()}
    build = _FORMS.get(call["op"]) or getattr(tf.raw_ops, call["op"], None)
    if build is None:
        raise node.unsupported(f"TensorFlow has no kernel {call['op']}")
    try:
        results = build(**arguments)
    except TypeError as error:
        raise node.unsupported(f"{call['op']}: {error}") from error
    if not isinstance(results, (list, tuple)):
        results = [results]
    return tuple(_value(t, *told) for t, told in zip(results, call["results"], strict=True))


def _value(tensor, dtype: str, rank: int) -> Value:
    """A result of a kernel, of the type that torchtf has it in."""
    if tensor.shape.rank is None:
        tensor = tf.ensure_shape(tensor, [None] * rank)
    return Value(tensor if tensor.dtype == dtype else tf.cast(tensor, dtype))


@_form("Const")
def _constant(value):
    return tf.constant(value, tf.string)


# -- strings


@_form("ReduceJoin")
def _reduce_join(inputs, axis, keepdims, separator):
    return tf.strings.reduce_join(inputs, axis, keepdims, separator)


@_form("StringSplitV2")
def _split(input, sep, maxsplit):
    found = tf.raw_ops.StringSplitV2(input=input, sep=sep, maxsplit=maxsplit)
    return _values_and_splits(found.indices, found.values, input)


@_form("StringBytesSplit")
def _bytes_split(input):
    found = tf.strings.bytes_split(input)
    return found.values, found.row_splits


def _values_and_splits(indices, values, rows):
    counts = tf.math.bincount(
        tf.cast(indices[:, 0], tf.int32), minlength=tf.size(rows), dtype=tf.int64
    )
    return values, tf.concat([[0], tf.cumsum(counts)], 0)


@_form("StringNGrams")
def _ngrams(data, splits, widths, separator, left_pad, right_pad, pad_width, keep_short):
    return tf.raw_ops.StringNGrams(
        data=data, data_splits=splits, separator=separator, ngram_widths=widths, left_pad=left_pad,
        right_pad=right_pad, pad_width=pad_width, preserve_short_sequences=keep_short,
    )  # fmt: skip


@_form("StringToNumber")
def _to_number(input, out_type):
    return tf.strings.to_number(input, out_type)


@_form("StringToHashBucket")
def _hash(input, num_buckets):
    return tf.raw_ops.StringToHashBucket(string_tensor=input, num_buckets=num_buckets)


@_form("StringToHashBucketStrong")
def _strong_hash(input, num_buckets, key):
    return tf.strings.to_hash_bucket_strong(input, num_buckets, list(key))


@_form("UnicodeDecodeWithOffsets")
def _unicode_decode(input, encoding, errors, replacement, replace_control):
    found = tf.raw_ops.UnicodeDecodeWithOffsets(
        input=input, input_encoding=encoding, errors=errors, replacement_char=replacement,
        replace_control_characters=replace_control,
    )  # fmt: skip
    return found.char_values, found.char_to_byte_starts, found.row_splits


@_form("UnicodeEncode")
def _unicode_encode(values, splits, encoding, errors, replacement):
    return tf.raw_ops.UnicodeEncode(
        input_values=values, input_splits=splits, output_encoding=encoding, errors=errors,
        replacement_char=replacement,
    )  # fmt: skip


@_form("StringFormat")
def _format(inputs, pieces, summarize):
    mark = "{\0}"  # in no text
    return tf.raw_ops.StringFormat(
        inputs=inputs, template=mark.join(pieces), placeholder=mark, summarize=summarize
    )


# -- lookup tables


@_form("LookupTableFindV2")
def _find(keys, default, table, value_dtype):
    default = tf.cast(default, value_dtype)
    found = tf.raw_ops.LookupTableFindV2(
        table_handle=table.resource_handle, keys=keys, default_value=default
    )
    return tf.ensure_shape(found, keys.shape + table._value_shape)


# -- bytes and protos


@_form("DecodeRaw")
def _decode_raw(input_bytes, out_type, little_endian, fixed_length):
    return tf.io.decode_raw(input_bytes, out_type, little_endian, fixed_length)


@_form("DecodeCSV")
def _decode_csv(records, defaults, output_types, delimiter, quoting, na_value, columns):
    return tf.io.decode_csv(
        records, defaults, delimiter, use_quote_delim=quoting, na_value=na_value,
        select_cols=columns,
    )  # fmt: skip


@_form("SerializeSparse")
def _serialize_sparse(indices, values, shape):
    return tf.io.serialize_sparse(tf.SparseTensor(indices, values, tf.cast(shape, tf.int64)))


@_form("SerializeManySparse")
def _serialize_many_sparse(indices, values, shape):
    return tf.io.serialize_many_sparse(tf.SparseTensor(indices, values, tf.cast(shape, tf.int64)))


@_form("DeserializeManySparse")
def _deserialize_many_sparse(serialized, dtype):
    return list(tf.raw_ops.DeserializeManySparse(serialized_sparse=serialized, dtype=dtype))


_KINDS = {1: tf.string, 2: tf.float32, 3: tf.int64}  # as protos number them


def _features(plan, sequence: bool = False) -> dict:
    """The features of a plan of `torchtf.io`, by the number of their columns."""
    found: dict[str, object] = {}
    for column in plan.sparse:
        found[column.key] = tf.io.VarLenFeature(_KINDS[column.kind])
    for column in plan.dense:
        kind, default = _KINDS[column.kind], column.default
        if column.variable:
            missing = column.allow_missing or not sequence
            found[column.key] = tf.io.FixedLenSequenceFeature(
                column.shape, kind, missing, None if default is None else default[()]
            )
        else:
            default = None if default is None else default.tolist()
            found[column.key] = tf.io.FixedLenFeature(column.shape, kind, default)
    for column in plan.ragged:
        partitions = [
            getattr(tf.io.RaggedFeature, p.record)(
                *(v for k, v in vars(p).items() if k != "record")
            )
            for p in column.partitions
        ]
        found[column.name] = tf.io.RaggedFeature(
            _KINDS[column.kind], column.key, partitions, column.splits
        )
    return found


def _flat(plan, parsed: dict, lengths: dict | None = None) -> list:
    """The tensors of what was parsed in the order of torchtf's op."""
    flat: list = []
    for column in plan.sparse:
        sparse = parsed[column.key]
        flat += [sparse.indices, sparse.values, sparse.dense_shape]
    for column in plan.dense:
        flat.append(parsed[column.key])
        if lengths is not None:
            flat.append(lengths[column.key])
    for column in plan.ragged:
        value = parsed[column.name]
        if isinstance(value, tf.RaggedTensor):
            flat += [tf.reshape(value.flat_values, [-1]), *value.nested_row_splits]
        else:
            flat.append(tf.reshape(value, [-1]))
    return flat


@_form("ParseExampleV2")
def _parse_example(serialized, names, plan, output_types):
    return _flat(plan, tf.io.parse_example(serialized, _features(plan)))


@_form("ParseSequenceExampleV2")
def _parse_sequence_example(serialized, names, context, lists, output_types):
    parse = (
        tf.io.parse_single_sequence_example
        if serialized.shape.rank == 0
        else tf.io.parse_sequence_example
    )
    found = parse(serialized, _features(context) or None, _features(lists, True) or None)
    steps = found[1]
    if serialized.shape.rank == 0:  # one example: its lengths are sizes
        lengths = {c.key: tf.shape(steps[c.key], tf.int64)[0] for c in lists.dense}
    else:
        lengths = found[2]
    return [*_flat(context, found[0]), *_flat(lists, steps, lengths)]


# -- images


@_form("DecodePng")
def _decode_png(contents, channels, dtype):
    return tf.raw_ops.DecodePng(contents=contents, channels=channels, dtype=tf.as_dtype(dtype))


@_form("DecodeImage")
def _decode_image(contents, channels, animated, dtype):
    return tf.raw_ops.DecodeImage(
        contents=contents, channels=channels, dtype=tf.as_dtype(dtype), expand_animations=animated
    )


@_form("DecodeWebP")
def _decode_webp(contents, channels):
    return tf.raw_ops.DecodeWebP(contents=contents, channels=channels)


@_form("IsJpeg")
def _is_jpeg(contents):
    return tf.equal(tf.strings.substr(contents, 0, 3), b"\xff\xd8\xff")


@_form("ExtractJpegShape")
def _jpeg_shape(contents, dtype):
    return tf.io.extract_jpeg_shape(contents, tf.as_dtype(dtype))


@_form("EncodePng")
def _encode_png(image, compression):
    return tf.io.encode_png(image, compression)


@_form("NonMaxSuppressionV3")
def _non_max_suppression(boxes, scores, size, iou_threshold, score_threshold):
    thresholds = (tf.cast(t, scores.dtype) for t in (iou_threshold, score_threshold))
    return tf.image.non_max_suppression(boxes, scores, size, *thresholds)
