"""`tf.strings`: operations on tensors of byte strings."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch

from torchtf.array_ops import expand_dims, reshape
from torchtf.core import dtypes, errors, hashing, regex, unicode
from torchtf.core.convert import convert_to_tensor, to_axis
from torchtf.core.host_op import choose, each, host_op, object_array
from torchtf.core.tensor import is_tensor_type, wrap
from torchtf.ragged import RaggedTensor
from torchtf.ragged import _partition as partition

__all__ = [
    "as_string", "bytes_split", "format", "join", "length", "lower", "ngrams", "reduce_join",
    "regex_full_match", "regex_replace", "split", "strip", "substr", "to_hash_bucket",
    "to_hash_bucket_fast", "to_hash_bucket_strong", "to_number", "unicode_decode",
    "unicode_decode_with_offsets", "unicode_encode", "unicode_script", "unicode_split",
    "unicode_split_with_offsets", "unicode_transcode", "unsorted_segment_join", "upper",
]  # fmt: skip

_UNITS = ("BYTE", "UTF8_CHAR")


def _invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


# -- case, length, parts


def _case(input, encoding, on_bytes, on_text):
    if encoding not in ("", "utf-8"):
        raise _invalid(f"only utf-8 or '' (no encoding) is supported, received {encoding}")
    if encoding == "":
        return each(on_bytes, input)
    return each(lambda s: on_text(s.decode("utf-8", "replace")).encode("utf-8"), input)


@host_op("StringLower", out="string", elementwise=True)
def lower(input: S, encoding=""):
    """Lower case (source: `tf.strings.lower`).

    Args:
        input: strings.
        encoding: "" changes the letters of ASCII only; "utf-8" those of Unicode.
    """
    return _case(input, encoding, bytes.lower, str.lower)


@host_op("StringUpper", out="string", elementwise=True)
def upper(input: S, encoding=""):
    """Upper case (source: `tf.strings.upper`); see `lower`."""
    return _case(input, encoding, bytes.upper, str.upper)


@host_op("StringStrip", out="string", elementwise=True)
def strip(input: S):
    """Removes whitespace at both ends (source: `tf.strings.strip`)."""
    return each(bytes.strip, input)


@host_op("StringLength", out="int32", elementwise=True)
def length(input: S, unit="BYTE"):
    """The lengths as int32 (source: `tf.strings.length`).

    Args:
        input: strings.
        unit: "BYTE", or "UTF8_CHAR" to count characters.
    """
    choose("unit", unit, _UNITS, "StringLength")
    return each(len if unit == "BYTE" else unicode.count_utf8, input, np.int32)


@host_op("Substr", out="string", elementwise=True)
def _substr(input: S, pos: Index, len: Index, unit):
    choose("unit", unit, _UNITS, "Substr")
    if pos.shape != len.shape:
        have, other = list(pos.shape), list(len.shape)
        raise _invalid(f"pos and len should have the same shape, got: {have} vs. {other}")
    try:
        input, pos, len = np.broadcast_arrays(input, pos, len)
    except ValueError:
        raise _invalid(f"Incompatible shapes: {list(input.shape)} vs. {list(pos.shape)}") from None
    take = _sub_bytes if unit == "BYTE" else _sub_characters
    triples = zip(input.ravel(), pos.ravel().tolist(), len.ravel().tolist(), strict=True)
    return object_array([take(*t, i) for i, t in enumerate(triples)], input.shape)


def _sub_bytes(text, position, count, index):
    size = len(text)
    if not -size <= position <= size:
        shown = text.decode("utf-8", "replace")
        raise _invalid(f"pos {position} out of range for string b'{shown}' at index {index}")
    start = position % size if position < 0 else position
    return text[start:] if count < 0 else text[start : start + count]


def _sub_characters(text, position, count, index):
    starts = unicode.utf8_starts(text)
    size = len(starts)
    if not -size <= position <= size:
        shown = text.decode("utf-8", "replace")
        raise _invalid(f"pos {position} out of range for string b'{shown}' at index {index}")
    starts.append(len(text))
    first = position + size if position < 0 else position
    last = size if count < 0 else min(first + count, size)
    return text[starts[first] : starts[last]]


def substr(input, pos, len, unit="BYTE", name=None):
    """Parts of strings (source: `tf.strings.substr`).

    Args:
        input: strings.
        pos: the first place of each part; negative counts from the end. Broadcast with `input`.
        len: the length of each part, of `pos`'s shape; a negative one reaches to the end.
        unit: "BYTE" or "UTF8_CHAR".

    Raises:
        InvalidArgumentError: if a place is out of range or the shapes do not fit.
    """
    return _substr(input, pos, len, unit, name)


# -- joining


def _check_separator(separator):
    if not isinstance(separator, (str, bytes)):
        raise TypeError(f"Expected string for argument 'separator' not {separator!r}.")
    return separator.encode() if isinstance(separator, str) else separator


@host_op("StringJoin", out="string", elementwise=True)
def _join(inputs: list[S], separator):
    shapes = {x.shape for x in inputs if x.ndim}
    if len(shapes) > 1:
        first, other = list(shapes)[:2]
        raise _invalid(f"Input shapes do not match: {list(first)} vs. {list(other)}")
    shape = next(iter(shapes), ())
    columns = [x.ravel() if x.ndim else np.broadcast_to(x, (int(np.prod(shape)),)) for x in inputs]
    return object_array([separator.join(row) for row in zip(*columns, strict=True)], shape)


def join(inputs, separator="", name=None):
    """Joins strings elementwise; scalars are repeated (source: `tf.strings.join`).

    Args:
        inputs: a list of string tensors of one shape.
        separator: what goes between.

    Raises:
        InvalidArgumentError: if shapes differ.
    """
    separator = _check_separator(separator)
    if isinstance(inputs, (list, tuple)) and not inputs:
        return convert_to_tensor("")
    return _join(inputs, separator, name)


@host_op("ReduceJoin", out="string")
def _reduce_join(inputs: S, axis, keepdims, separator):
    rank = inputs.ndim
    axes = [axis] if isinstance(axis, int) else axis
    if axis is None:
        axes = list(reversed(range(rank)))
    for a in axes:
        if not -rank <= a < rank:
            raise errors.OutOfRangeError(
                None, None, f"Invalid reduction dimension {a} for input with {rank} dimension(s)"
            )
    axes = [a % rank for a in axes]
    if len(set(axes)) < len(axes):
        twice = next(a for a in axes if axes.count(a) > 1)
        raise _invalid(f"Duplicate reduction dimension {twice}")
    if not axes:
        return inputs
    kept = [a for a in range(rank) if a not in axes]
    rows = inputs.transpose(kept + axes[::-1])  # the first axis listed is joined first
    shape = rows.shape[: len(kept)]
    rows = rows.reshape(int(np.prod(shape)), int(np.prod(rows.shape[len(kept) :])))
    if keepdims:
        shape = tuple(1 if a in axes else inputs.shape[a] for a in range(rank))
    return object_array([separator.join(row) for row in rows], shape)


def reduce_join(inputs, axis=None, keepdims=False, separator="", name=None):
    """Joins the strings along axes (source: `tf.strings.reduce_join`).

    Args:
        inputs: strings; a ragged tensor is joined along one of its axes.
        axis: an axis, or a list of them in the order of joining; all by default, the last first.
        keepdims: whether joined axes stay, with size 1.
        separator: what goes between.

    Raises:
        OutOfRangeError: if an axis is out of range.
    """
    if isinstance(inputs, RaggedTensor):
        return _reduce_join_ragged(inputs, to_axis(axis), keepdims, separator)
    return _reduce_join(inputs, to_axis(axis), keepdims, _check_separator(separator), name)


def _reduce_join_ragged(inputs, axis, keepdims, separator):
    rank = inputs.shape.rank
    if axis is None:
        joined = reduce_join(inputs.flat_values, separator=separator)
        return joined[(None,) * rank] if keepdims else joined
    axes = [axis] if isinstance(axis, int) else axis
    if any(not -rank <= a < rank for a in axes):
        raise ValueError(f"axis={axis} out of bounds: expected {-rank}<=axis<{rank}")
    for a in sorted((a % rank for a in axes), reverse=True):
        inputs = _reduce_join_axis(inputs, a, keepdims, separator)
    return inputs


def _reduce_join_axis(inputs, axis, keepdims, separator):
    if not isinstance(inputs, RaggedTensor):
        return reduce_join(inputs, axis, keepdims, separator)
    if axis > 1:
        return inputs.with_values(_reduce_join_axis(inputs.values, axis - 1, keepdims, separator))
    if isinstance(inputs.values, RaggedTensor):
        raise NotImplementedError(
            "tf.strings.reduce_join along an axis outside another ragged one is not supported; "
            "join the inner axis first."
        )
    ids, count = inputs.value_rowids(), inputs.nrows()
    if axis == 0:
        splits = inputs._splits
        ids = wrap(partition.offsets_of(splits, inputs._rowids()))
        count = inputs.bounding_shape(axis=1)
    joined = unsorted_segment_join(inputs.values, ids, count, separator)
    return expand_dims(joined, axis) if keepdims else joined


@host_op("UnsortedSegmentJoin", out="string")
def _unsorted_segment_join(inputs: S, segment_ids: Index, num_segments: Index2, separator):
    depth, count = segment_ids.ndim, int(num_segments)
    if inputs.shape[:depth] != segment_ids.shape:
        raise _invalid(
            f"input.shape {list(inputs.shape)} does not start with segment_ids.shape "
            f"{list(segment_ids.shape)}"
        )
    ids = segment_ids.ravel()
    if ids.size and (ids.min() < 0 or ids.max() >= count):
        raise _invalid(
            "segment_ids are not allowed to exceed num_segments or to have negative values."
        )
    rest = inputs.shape[depth:]
    columns = inputs.reshape(ids.size, int(np.prod(rest)))
    joined = [
        separator.join(column[ids == segment]) for segment in range(count) for column in columns.T
    ]
    return object_array(joined, (count, *rest))


def unsorted_segment_join(inputs, segment_ids, num_segments, separator="", name=None):
    """Joins the strings that share a segment (source: `tf.strings.unsorted_segment_join`).

    Args:
        inputs: strings.
        segment_ids: integers; their shape is a prefix of that of `inputs`.
        num_segments: the number of segments.
        separator: what goes between.

    Raises:
        InvalidArgumentError: if an id is negative or not below `num_segments`.
    """
    inputs, segment_ids = convert_to_tensor(inputs), convert_to_tensor(segment_ids)
    separator = _check_separator(separator)
    result = _unsorted_segment_join(inputs, segment_ids, num_segments, separator, name)
    if result.is_symbolic_tensor and inputs.shape.rank is not None:
        count = num_segments if isinstance(num_segments, int) else None
        result.set_shape([count, *inputs.shape[segment_ids.shape.rank :]])
    return result


# -- regular expressions


def _scalar_bytes(value: np.ndarray, what: str) -> bytes:
    if value.ndim:
        raise _invalid(f"{what} must be scalar, but received {list(value.shape)}")
    return value[()]


@host_op("RegexReplace", out="string", elementwise=True)
def regex_replace(input: S, pattern: S, rewrite: S, replace_global=True):
    r"""Replaces the matches of an RE2 pattern (source: `tf.strings.regex_replace`).

    Args:
        input: strings.
        pattern: a regular expression in RE2's syntax.
        rewrite: the replacement; `\0` to `\9` stand for groups.
        replace_global: whether all matches are replaced, or the first only.

    Raises:
        InvalidArgumentError: if the pattern is malformed.
    """
    replace = regex.replacer(
        _scalar_bytes(pattern, "Pattern"), _scalar_bytes(rewrite, "Rewrite"), replace_global
    )
    return each(replace, input)


@host_op("RegexFullMatch", out="bool", elementwise=True)
def regex_full_match(input: S, pattern: S):
    """Whether strings match an RE2 pattern as a whole (source: `tf.strings.regex_full_match`).

    Raises:
        InvalidArgumentError: if the pattern is malformed.
    """
    match = regex.compile(_scalar_bytes(pattern, "Pattern")).fullmatch
    return each(lambda s: match(s) is not None, input, bool)


# -- splitting


def _with_splits(rows: list[list], dtype=object):
    """The concatenated rows and the splits between them."""
    values = [value for row in rows for value in row]
    flat = object_array(values) if dtype is object else np.array(values, dtype)
    return flat, _splits(rows)


def _splits(rows: list) -> np.ndarray:
    return np.cumsum([0, *map(len, rows)], dtype=np.int64)


def _split_shapes(input, *_):
    """The sizes of the values and of the splits of a split vector."""
    return [None], [input.shape[0] + 1]


def _split_each(input, function):
    """Splits each string by `function(vector) -> (values..., row_splits)`, adding a ragged axis.

    Gives a tensor for a scalar, a ragged tensor otherwise; several values give a tuple.
    """
    if not isinstance(input, RaggedTensor):
        input = convert_to_tensor(input, dtype=dtypes.string)
        rank = input.shape.rank
        if rank == 0:
            *values, _ = function(input[None])
            return tuple(values) if len(values) > 1 else values[0]
        if rank > 1:
            input = RaggedTensor.from_tensor(input, ragged_rank=rank - 1)
    flat = input.flat_values if isinstance(input, RaggedTensor) else input
    if isinstance(input, RaggedTensor) and flat.shape.rank != 1:
        flat = RaggedTensor.from_tensor(flat, ragged_rank=flat.shape.rank - 1)
        return _rewrapped(input, _split_each(flat, function))
    *values, splits = function(flat)
    rows = [RaggedTensor.from_row_splits(v, splits, validate=False) for v in values]
    rows = tuple(rows) if len(rows) > 1 else rows[0]
    return _rewrapped(input, rows) if isinstance(input, RaggedTensor) else rows


def _rewrapped(input, parts):
    if isinstance(parts, tuple):
        return tuple(input.with_flat_values(part) for part in parts)
    return input.with_flat_values(parts)


@host_op("StringSplitV2", out=("string", "int64"), shape=_split_shapes)
def _split(input: S, sep: S, maxsplit):
    if sep.ndim:
        raise _invalid(f"sep must be a scalar, got shape: {list(sep.shape)}")
    separator = sep[()] or None
    if maxsplit == 0:
        return _with_splits([[s] for s in input.tolist()])
    if separator is None and maxsplit > 0:
        return _with_splits([_split_words(s, maxsplit) for s in input.tolist()])
    return _with_splits([s.split(separator, maxsplit) for s in input.tolist()])


def _split_words(text: bytes, maxsplit: int) -> list[bytes]:
    """Up to `maxsplit` words; if there are as many, also the rest, which may be empty."""
    parts = text.split(None, maxsplit)
    return [*parts, b""] if len(parts) == maxsplit else parts


def split(input, sep=None, maxsplit=-1, name=None):
    """Splits strings at a separator (source: `tf.strings.split`).

    Args:
        input: strings of rank n, or a ragged tensor of them.
        sep: the separator; whitespace by default, where empty parts are left out.
        maxsplit: the highest number of splits; -1 for no limit.

    Returns:
        A ragged tensor of rank n + 1; a vector if `input` is a scalar.
    """
    sep = "" if sep is None else sep
    return _split_each(input, lambda flat: _split(flat, sep, maxsplit, name))


@host_op("StringBytesSplit", out=("string", "int64"), shape=_split_shapes)
def _bytes_split(input: S):
    return _with_splits([[s[i : i + 1] for i in range(len(s))] for s in input.tolist()])


def bytes_split(input, name=None):
    """Splits strings into bytes (source: `tf.strings.bytes_split`).

    Returns:
        A ragged tensor with one axis more than `input`; a vector if that is a scalar.
    """
    return _split_each(input, lambda flat: _bytes_split(flat, name))


# -- n-grams


@host_op(
    "StringNGrams",
    out=("string", "int64"),
    shape=lambda data, splits, *_: ([None], [splits.shape[0]]),
)
def _ngrams(data: S, splits: Index, widths, separator, left_pad, right_pad, pad_width, keep_short):
    rows = []
    for start, end in zip(splits[:-1].tolist(), splits[1:].tolist(), strict=True):
        words = data[start:end].tolist()
        row: list[bytes] = []
        for width in widths:
            pad = min(width - 1 if pad_width < 0 else pad_width, width - 1)
            row += _windows(words, width, pad, separator, left_pad, right_pad)
        if keep_short and words and not row:
            pad = max(pad_width, 0)
            row = _windows(words, len(words) + 2 * pad, pad, separator, left_pad, right_pad)
        rows.append(row)
    return _with_splits(rows)


def _windows(words, width, pad, separator, left_pad, right_pad):
    padded = [left_pad] * pad + words + [right_pad] * pad
    return [separator.join(padded[i : i + width]) for i in range(len(padded) - width + 1)]


def ngrams(
    data,
    ngram_width,
    separator=" ",
    pad_values=None,
    padding_width=None,
    preserve_short_sequences=False,
    name=None,
):
    """Joins neighbours into n-grams (source: `tf.strings.ngrams`).

    Args:
        data: a string tensor or ragged tensor; the last axis holds the words.
        ngram_width: a width or a list of widths.
        separator: what goes between words.
        pad_values: a string, or a (left, right) pair, put around each sequence; None for none.
        padding_width: how often, at most width - 1 times, which is also the default.
        preserve_short_sequences: whether a sequence without any n-gram gives itself.

    Raises:
        ValueError: if `data` is a scalar, or a width is not positive.
        TypeError: if `pad_values` is something else.
    """
    if pad_values is None:
        left = right = b""
    elif isinstance(pad_values, (list, tuple)):
        if len(pad_values) != 2 or not all(isinstance(p, (str, bytes)) for p in pad_values):
            raise TypeError("pad_values must be a string, tuple of strings, or None.")
        left, right = map(_check_separator, pad_values)
    elif isinstance(pad_values, (str, bytes)):
        left = right = _check_separator(pad_values)
    else:
        raise TypeError("pad_values must be a string, tuple of strings, or None.")
    if padding_width is not None and padding_width < 1:
        raise ValueError("padding_width must be greater than 0.")
    if padding_width is not None and pad_values is None:
        raise ValueError("pad_values must be provided if padding_width is set.")
    widths = [ngram_width] if isinstance(ngram_width, int) else list(ngram_width)
    if any(width < 1 for width in widths):
        raise ValueError(f"All ngram_widths must be greater than 0. Got {ngram_width}")
    if pad_values is None:
        pad_width = 0
    else:
        pad_width = -1 if padding_width is None else padding_width
    dense = not isinstance(data, RaggedTensor)
    if dense:
        data = convert_to_tensor(data, dtype=dtypes.string)
        if data.shape.rank == 0:
            raise ValueError("Data must have rank>0")
        if data.shape.rank == 1:
            grams = ngrams(
                RaggedTensor.from_tensor(expand_dims(data, 0)), ngram_width, separator, pad_values,
                padding_width, preserve_short_sequences, name,
            )  # fmt: skip
            return grams.values
        data = RaggedTensor.from_tensor(data, ragged_rank=data.shape.rank - 1)
    inner = data
    while isinstance(inner.values, RaggedTensor):
        inner = inner.values
    values, splits = _ngrams(
        inner.values, inner.row_splits, widths, _check_separator(separator), left, right,
        pad_width, preserve_short_sequences, name,
    )  # fmt: skip
    grams = RaggedTensor.from_row_splits(values, splits, validate=False)
    result = _replace_inner(data, grams)
    return result.to_tensor(default_value="") if dense else result


def _replace_inner(data, grams):
    """`data` with its innermost ragged axis replaced."""
    if not isinstance(data.values, RaggedTensor):
        return grams
    return data.with_values(_replace_inner(data.values, grams))


# -- numbers


@host_op("StringToNumber", out="out_type", elementwise=True)
def _to_number(input: S, out_type):
    parse = float if out_type.is_floating else int

    def read(text: bytes):
        try:
            return _parse_number(text.strip(), parse, out_type)
        except (ValueError, OverflowError):
            shown = text.decode("utf-8", "replace")
            raise _invalid(
                f"StringToNumberOp could not correctly convert string: {shown}"
            ) from None

    with np.errstate(over="ignore"):
        return each(read, input, np.float64 if parse is float else object).astype(
            out_type.as_numpy_dtype
        )


def _parse_number(text: bytes, parse, dtype):
    if b"_" in text or not text.isascii():
        raise ValueError(text)
    if parse is int:
        if not text.lstrip(b"+-").isdigit():
            raise ValueError(text)
        value = int(text)
        if not dtype.min <= value <= dtype.max:
            raise OverflowError(text)
        return value
    if b"x" in text.lower():
        return float.fromhex(text.decode())
    return float(text)


_NUMBER_TYPES = ("float", "double", "int32", "int64", "uint32", "uint64")


def to_number(input, out_type=dtypes.float32, name=None):
    """Reads numbers (source: `tf.strings.to_number`).

    Args:
        input: strings such as "1.5" or " -3 ".
        out_type: float32, float64, int32, int64, uint32 or uint64.

    Raises:
        InvalidArgumentError: if a string is no number of that type.
    """
    out_type = dtypes.as_dtype(out_type)
    kernel_name = {"float32": "float", "float64": "double"}.get(out_type.name, out_type.name)
    if kernel_name not in _NUMBER_TYPES:
        raise _invalid(
            f"Value for attr 'out_type' of {kernel_name} is not in the list of allowed values: "
            f"{', '.join(_NUMBER_TYPES)}\n\t; NodeDef: {{{{node StringToNumber}}}} "
            "[Op:StringToNumber]"
        )
    return _to_number(input, out_type, name)


@host_op("AsString", out="string", elementwise=True)
def as_string(input: T, precision=-1, scientific=False, shortest=False, width=-1, fill=""):
    """Writes numbers as strings (source: `tf.strings.as_string`).

    Args:
        input: numbers, booleans or strings.
        precision: digits after the point; only for floats.
        scientific: whether to use an exponent; only for floats.
        shortest: whether to use the shorter of both notations; only for floats.
        width: the least width, filled with `fill` ("0", " ", "-" or "+") on the left.
        fill: see `width`.

    Raises:
        InvalidArgumentError: if a format does not fit the type.
    """
    kind = "S" if input.dtype == object else dtypes.as_dtype(input.dtype)
    return _format_numbers(input, kind, precision, scientific, shortest, width, fill)


def _format_numbers(input, kind, precision, scientific, shortest, width, fill):
    fractional = kind != "S" and (kind.is_floating or kind.is_complex)
    name = "string" if kind == "S" else kind.name
    if scientific and shortest:
        raise _invalid("Cannot select both scientific and shortest notation")
    if not fractional and (scientific or shortest):
        raise _invalid(f"scientific and shortest format not supported for datatype {name}")
    if not fractional and precision >= 0:
        raise _invalid(f"precision not supported for datatype {name}")
    if len(fill) > 1:
        raise _invalid("Fill string must be one or fewer characters")
    if fill and fill not in " +-0#":
        raise _invalid(f'Fill argument not supported: "{fill}"')
    if name == "bool":
        return each(lambda x: b"true" if x else b"false", input)
    size = fill + (str(width) if width >= 0 else "")
    if name == "string":
        return each(lambda s: (f"%{size}s".encode()) % s, input)
    if not fractional:
        pattern = f"%{size}d"
        return each(lambda x: (pattern % x).encode(), input)
    letter = "e" if scientific else "g" if shortest else "f"
    spec = (f".{precision}" if precision >= 0 else "") + letter

    def real(x: float) -> str:
        # C pads infinities with blanks and tells the sign of a NaN
        if math.isnan(x) and np.signbit(x):
            return f"%{size.lstrip('0')}s" % "-nan"
        return (f"%{size if math.isfinite(x) else size.lstrip('0')}{spec}") % x

    if kind.is_complex:
        return each(lambda x: f"({real(x.real)},{real(x.imag)})".encode(), input)
    return each(lambda x: real(x).encode(), input.astype(np.float64))


# -- hashing


def _buckets(hashes: np.ndarray, num_buckets, op: str) -> np.ndarray:
    if num_buckets < 1:
        raise _invalid(
            f"Value for attr 'num_buckets' of {num_buckets} must be at least minimum 1\n\t; "
            f"NodeDef: {{{{node {op}}}}} [Op:{op}]"
        )
    return (hashes % np.uint64(num_buckets)).astype(np.int64)


@host_op("StringToHashBucket", out="int64", elementwise=True)
def to_hash_bucket(input: S, num_buckets):
    """Hashes strings into buckets, as int64 (source: `tf.strings.to_hash_bucket`)."""
    return _buckets(hashing.hash64(input), num_buckets, "StringToHashBucket")


@host_op("StringToHashBucketFast", out="int64", elementwise=True)
def to_hash_bucket_fast(input: S, num_buckets):
    """Hashes strings into buckets by FarmHash (source: `tf.strings.to_hash_bucket_fast`)."""
    return _buckets(hashing.fingerprint64(input), num_buckets, "StringToHashBucketFast")


@host_op("StringToHashBucketStrong", out="int64", elementwise=True)
def to_hash_bucket_strong(input: S, num_buckets, key):
    """Hashes strings into buckets by SipHash (source: `tf.strings.to_hash_bucket_strong`).

    Args:
        input: strings.
        num_buckets: the number of buckets.
        key: two integers, the secret.
    """
    if len(key) != 2:
        raise _invalid("Key must have 2 elements")
    return _buckets(
        hashing.sip_hash(input, (int(key[0]), int(key[1]))), num_buckets,
        "StringToHashBucketStrong",
    )  # fmt: skip


# -- Unicode


@host_op(
    "UnicodeDecodeWithOffsets",
    out=("int32", "int64", "int64"),
    shape=lambda input, *_: ([None], [None], [input.shape[0] + 1]),
)
def _decode_with_offsets(input: S, encoding, errors, replacement, replace_control):
    decode = unicode.decoder(encoding, errors, replacement, replace_control)
    rows = [decode(s) for s in input.tolist()]
    points = [p for chars, _ in rows for p in chars]
    offsets = [o for _, starts in rows for o in starts]
    return (
        np.array(points, np.int32), np.array(offsets, np.int64), _splits([c for c, _ in rows])
    )  # fmt: skip


def _check_policy(errors_policy, replacement_char, op):
    choose("errors", errors_policy, ("strict", "replace", "ignore"), op)
    if not unicode.is_scalar(replacement_char):
        raise _invalid(f"replacement_char out of unicode codepoint range [Op:{op}]")


def unicode_decode_with_offsets(
    input,
    input_encoding,
    errors="replace",
    replacement_char=65533,
    replace_control_characters=False,
    name=None,
):
    """Decodes strings into code points and where each starts.

    Source: `tf.strings.unicode_decode_with_offsets`.

    Args:
        input: strings of rank n.
        input_encoding: e.g. "UTF-8".
        errors: what becomes of malformed input: "replace", "ignore" or "strict" (an error).
        replacement_char: what "replace" puts in its place.
        replace_control_characters: whether the characters below 32 count as malformed.

    Returns:
        Two ragged tensors of rank n + 1 (vectors for a scalar): int32 code points and int64
        offsets in bytes.
    """
    _check_policy(errors, replacement_char, "UnicodeDecodeWithOffsets")
    return _split_each(
        input,
        lambda flat: _decode_with_offsets(
            flat, input_encoding, errors, replacement_char, replace_control_characters, name
        ),
    )


def unicode_decode(
    input,
    input_encoding,
    errors="replace",
    replacement_char=65533,
    replace_control_characters=False,
    name=None,
):
    """Decodes strings into int32 code points (source: `tf.strings.unicode_decode`).

    See `unicode_decode_with_offsets`.
    """
    return unicode_decode_with_offsets(
        input, input_encoding, errors, replacement_char, replace_control_characters, name
    )[0]


def unicode_split_with_offsets(
    input, input_encoding, errors="replace", replacement_char=65533, name=None
):
    """Splits strings into characters and where each starts.

    Source: `tf.strings.unicode_split_with_offsets`. See `unicode_decode_with_offsets`.
    """
    points, offsets = unicode_decode_with_offsets(
        input, input_encoding, errors, replacement_char, False, name
    )
    flat = points.flat_values if isinstance(points, RaggedTensor) else points
    characters = unicode_encode(flat[:, None], input_encoding, errors, replacement_char)
    if isinstance(points, RaggedTensor):
        characters = points.with_flat_values(characters)
    return characters, offsets


def unicode_split(input, input_encoding, errors="replace", replacement_char=65533, name=None):
    """Splits strings into characters (source: `tf.strings.unicode_split`)."""
    return unicode_split_with_offsets(input, input_encoding, errors, replacement_char, name)[0]


_OUTPUT_ENCODINGS = ("UTF-8", "UTF-16-BE", "UTF-32-BE")


@host_op("UnicodeEncode", out="string")
def _unicode_encode(values: Int32, splits: Index, encoding, errors, replacement):
    encode = unicode.encoder(encoding, errors, replacement)
    points = values.tolist()
    bounds = zip(splits[:-1].tolist(), splits[1:].tolist(), strict=True)
    return object_array([encode(points[start:end]) for start, end in bounds])


def unicode_encode(input, output_encoding, errors="replace", replacement_char=65533, name=None):
    """Encodes code points, along the last axis, into strings (source: `tf.strings.unicode_encode`).

    Args:
        input: int32 code points of rank n >= 1, or a ragged tensor of them.
        output_encoding: "UTF-8", "UTF-16-BE" or "UTF-32-BE".
        errors: what becomes of invalid code points: "replace", "ignore" or "strict".
        replacement_char: what "replace" puts in their place.

    Raises:
        ValueError: if `input` is a scalar.
        InvalidArgumentError: for an invalid code point under "strict".
    """
    choose("output_encoding", output_encoding, _OUTPUT_ENCODINGS, "UnicodeEncode")
    _check_policy(errors, replacement_char, "UnicodeEncode")

    def encode(values, splits):
        return _unicode_encode(values, splits, output_encoding, errors, replacement_char, name)

    if isinstance(input, RaggedTensor):
        if input.flat_values.shape.rank > 1:
            flat = unicode_encode(
                input.flat_values, output_encoding, errors, replacement_char, name
            )
            return input.with_flat_values(flat)
        if input.ragged_rank > 1:
            return input.with_values(
                unicode_encode(input.values, output_encoding, errors, replacement_char, name)
            )
        return encode(input.flat_values, input.row_splits)
    points = convert_to_tensor(input)
    if points.shape.rank == 0:
        raise ValueError("input_tensor's rank must be at least 1.")
    *outer, last = points._data.shape
    count = 1
    for size in outer:
        count = count * size
    splits = wrap(torch.arange(count + 1) * last)
    return reshape(encode(reshape(points, [-1]), splits), outer)


@host_op("UnicodeTranscode", out="string", elementwise=True)
def unicode_transcode(
    input: S,
    input_encoding,
    output_encoding,
    errors="replace",
    replacement_char=65533,
    replace_control_characters=False,
):
    """Changes the encoding of strings (source: `tf.strings.unicode_transcode`).

    Args:
        input: strings.
        input_encoding: their encoding.
        output_encoding: "UTF-8", "UTF-16-BE" or "UTF-32-BE".
        errors: what becomes of malformed input: "replace", "ignore" or "strict".
        replacement_char: what "replace" puts in its place.
        replace_control_characters: whether the characters below 32 count as malformed.
    """
    choose("output_encoding", output_encoding, _OUTPUT_ENCODINGS, "UnicodeTranscode")
    _check_policy(errors, replacement_char, "UnicodeTranscode")
    decode = unicode.decoder(input_encoding, errors, replacement_char, replace_control_characters)
    encode = unicode.encoder(output_encoding, errors, replacement_char)
    return each(lambda s: encode(decode(s)[0]), input)


@host_op("UnicodeScript", out="int32", elementwise=True)
def unicode_script(input: Int32):
    """The number of the script of code points, as ICU counts (source: `tf.strings.unicode_script`).

    -1 stands for a code point that is none.
    """
    return each(unicode.script, input, np.int32)


# -- printing tensors


def format(template, inputs, placeholder="{}", summarize=3, name=None):
    """Puts the text of tensors into a template (source: `tf.strings.format`).

    Args:
        template: a string with a placeholder for each tensor.
        inputs: a tensor, or a list of tensors; a vector of NumPy's counts as the list of its items.
        placeholder: what marks the places.
        summarize: how many elements to print at each end of an axis; -1 for all.

    Raises:
        ValueError: if the number of placeholders differs, or for an array of higher rank.
        TypeError: for a number.
    """
    if is_tensor_type(inputs) or isinstance(inputs, RaggedTensor):
        inputs = [inputs]
    elif isinstance(inputs, np.ndarray):
        if inputs.ndim > 1:
            raise ValueError(f"expected a sequence, got an ndarray with rank {inputs.ndim} instead")
        inputs = [convert_to_tensor(x) for x in inputs]
    elif isinstance(inputs, (int, float, np.number)):
        raise TypeError(f"object of type '{type(inputs).__name__}' has no len()")
    elif not isinstance(inputs, (list, tuple)):
        inputs = [convert_to_tensor(inputs)]
    elif any(not (is_tensor_type(x) or isinstance(x, RaggedTensor)) for x in inputs):
        inputs = [x if isinstance(x, RaggedTensor) else convert_to_tensor(x) for x in inputs]
    pieces = template.split(placeholder)
    if len(pieces) - 1 != len(inputs):
        raise ValueError(
            f"The template expects {len(pieces) - 1} tensors, but the inputs only has "
            f"{len(inputs)}. Please ensure the number of placeholders in template matches inputs "
            "length."
        )
    tensors, texts = [], [pieces[0]]
    for value, piece in zip(inputs, pieces[1:], strict=True):
        if isinstance(value, RaggedTensor):
            texts[-1] += value._summary(summarize) + piece
        else:
            tensors.append(value)
            texts.append(piece)
    return _string_format(tensors, tuple(texts), summarize, name)


@host_op("StringFormat", out="string")
def _string_format(inputs: list[T], pieces, summarize):
    texts = [summarize_array(x, summarize) for x in inputs]
    filled = "".join(piece + text for piece, text in zip(pieces, [*texts, ""], strict=True))
    return object_array([filled.encode("utf-8", "surrogateescape")], ())


def summarize_array(array: np.ndarray, summarize: int) -> str:
    """The text of an array as TensorFlow's kernels print tensors."""
    ends = array.size if summarize < 0 else min(summarize, array.size)
    write = _element_writer(array)

    def walk(part, depth):
        if part.ndim == 0:
            return write(part[()])
        spacing = " "
        if part.ndim > 1:
            spacing = "\n" * (part.ndim - 1) + " " * (depth + 1)
        count = len(part)
        head = [walk(part[i, ...], depth + 1) for i in range(min(ends, count))]
        tail = [walk(part[i, ...], depth + 1) for i in range(max(ends, count - ends), count)]
        middle = ["..."] if count > 2 * ends else []
        text = spacing.join(head + middle + tail)
        if middle and not head:  # what the kernel prints of an axis of empty rows
            text = spacing + text
        return f"[{text}]"

    return walk(array, 0)


def _element_writer(array):
    if array.dtype == object:
        return lambda s: '"' + unicode.c_escape(s) + '"'
    dtype = dtypes.as_dtype(array.dtype)
    if dtype.is_complex:
        return lambda x: "?"
    if dtype.is_floating:
        return functools.partial(_short_float, dtype)
    return lambda x: str(int(x))


def _short_float(dtype, x) -> str:
    few, many, kind = (15, 17, np.float64) if dtype is dtypes.float64 else (6, 9, np.float32)
    text = f"%.{few}g" % float(x)
    return text if kind(text) == kind(x) or math.isnan(x) else f"%.{many}g" % float(x)
