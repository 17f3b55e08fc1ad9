"""`tf.compat.v1.strings`: functions on strings with TF 1's arguments."""

from __future__ import annotations

import re

import torchtf as tf
from torchtf.compat.v1 import _names_of
from torchtf.python.util.deprecation import deprecated_argument_lookup as _one_of

__getattr__ = _names_of("strings")


def length(input, name=None, unit="BYTE"):
    """`tf.strings.length`."""
    return tf.strings.length(input, unit, name)


def substr(input, pos, len, name=None, unit="BYTE"):
    """`tf.strings.substr`."""
    return tf.strings.substr(input, pos, len, unit, name)


def split(input=None, sep=None, maxsplit=-1, result_type="SparseTensor", source=None, name=None):
    """`tf.strings.split`, whose result is a `SparseTensor` unless `result_type` says otherwise.

    Args:
        input: strings, at most one dimension for a sparse result.
        sep: the separator, None for white space.
        maxsplit: the greatest number of splits, -1 for all.
        result_type: "SparseTensor" or "RaggedTensor".
        source: an old name of `input`.
        name: a name for the operation.

    Raises:
        ValueError: if `result_type` is neither.
    """
    source = _one_of("input", input, "source", source)
    parts = tf.strings.split(_at_least_vector(source), sep, maxsplit, name)
    return _as(result_type, parts)


def _at_least_vector(strings):
    strings = tf.convert_to_tensor(strings, tf.string)
    return tf.expand_dims(strings, 0) if strings.shape.rank == 0 else strings


def _as(result_type: str, ragged):
    if result_type == "SparseTensor":
        return ragged.to_sparse()
    if result_type == "RaggedTensor":
        return ragged
    raise ValueError("result_type must be 'RaggedTensor' or 'SparseTensor'.")


def string_split(
    source, sep=None, skip_empty=True, delimiter=None, result_type="SparseTensor", name=None
):
    """Splits strings at each character of a delimiter.

    Args:
        source: a vector of strings.
        sep: the characters at which to split, " " by default; "" splits into bytes.
        skip_empty: whether empty parts are left out.
        delimiter: an old name of `sep`.
        result_type: "SparseTensor" or "RaggedTensor".
        name: a name for the operation.

    Raises:
        ValueError: if `result_type` is neither.
    """
    delimiter = _one_of("sep", sep, "delimiter", delimiter)
    source = tf.convert_to_tensor(source, tf.string)
    characters = (b" " if delimiter is None else tf.compat.as_bytes(delimiter)).decode("latin-1")
    if not characters:
        parts = tf.strings.bytes_split(source)
    else:
        for other in characters[1:]:
            source = tf.strings.regex_replace(source, re.escape(other), re.escape(characters[0]))
        parts = tf.strings.split(source, characters[0])
    if skip_empty:
        kept = tf.not_equal(parts, "")
    else:  # an empty string has no parts
        kept = parts.with_values(tf.gather(tf.not_equal(source, ""), parts.value_rowids()))
    parts = tf.ragged.boolean_mask(parts, kept)
    return _as(result_type, parts)


def to_number(string_tensor=None, out_type=tf.float32, name=None, input=None):
    """`tf.strings.to_number`, with `string_tensor` for `input`, too."""
    return tf.strings.to_number(
        _one_of("input", input, "string_tensor", string_tensor), out_type, name
    )


def to_hash_bucket(string_tensor=None, num_buckets=None, name=None, input=None):
    """`tf.strings.to_hash_bucket`, with `string_tensor` for `input`, too."""
    strings = _one_of("input", input, "string_tensor", string_tensor)
    return tf.strings.to_hash_bucket(strings, num_buckets, name)


def reduce_join(
    inputs,
    axis=None,
    keep_dims=None,
    separator="",
    name=None,
    reduction_indices=None,
    keepdims=None,
):
    """`tf.strings.reduce_join`, with old names of `axis` and `keepdims`, too."""
    keepdims = _one_of("keepdims", keepdims, "keep_dims", keep_dims)
    axis = _one_of("axis", axis, "reduction_indices", reduction_indices)
    return tf.strings.reduce_join(inputs, axis, bool(keepdims), separator, name)
