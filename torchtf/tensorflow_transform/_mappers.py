"""Mappers: what a `preprocessing_fn` makes of a tensor, most of them by analyzers.

A sparse or ragged tensor stays one; its missing values stay missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torchtf as tf
from torchtf.tensorflow_transform import _analyzers
from torchtf.tensorflow_transform._analyzers import new_vocabulary, values_of
from torchtf.tensorflow_transform._state import Vocabulary, current


def _like(x) -> Callable:
    """What makes a tensor of the form of `x` of new values."""
    if isinstance(x, tf.SparseTensor):
        return lambda values: tf.SparseTensor(x.indices, values, x.dense_shape)
    if isinstance(x, tf.RaggedTensor):
        return x.with_flat_values
    return lambda values: values


def scale_to_z_score(x, elementwise: bool = False, name: str | None = None, output_dtype=None):
    """Values minus their mean, divided by their deviation (source: `tft.scale_to_z_score`).

    A column whose values are all the same becomes 0.

    Args:
        x: a numeric tensor.
        elementwise: whether each place of an instance is a column of its own.
        name: ignored.
        output_dtype: the dtype; that of `x` if it is a float, else float32.

    Raises:
        TypeError: for a tensor that is not numeric.
        RuntimeError: outside of a `preprocessing_fn`.
    """
    mean, variance = _analyzers.moments(x, not elementwise, output_dtype, "scale_to_z_score")
    distance = tf.cast(values_of(x), mean.dtype) - mean
    deviation = tf.sqrt(variance)
    safe = tf.where(tf.equal(deviation, 0), tf.ones_like(deviation), deviation)
    return _like(x)(distance / safe)


def scale_by_min_max(
    x,
    output_min: float = 0.0,
    output_max: float = 1.0,
    elementwise: bool = False,
    name: str | None = None,
):
    """Values scaled so that the least becomes `output_min` and the greatest `output_max` (source:
    `tft.scale_by_min_max`). A column whose values are all the same becomes its sigmoid, so scaled.

    Args:
        x: a numeric tensor; the result is float32.
        output_min, output_max: the range.
        elementwise: whether each place of an instance is a column of its own.
        name: ignored.

    Raises:
        ValueError: for an empty range.
        TypeError: for a tensor that is not numeric.
    """
    if output_min >= output_max:
        raise ValueError("output_min must be less than output_max")
    what = "scale_by_min_max"
    low, high = _analyzers.extremes(x, not elementwise, what)
    low, high = tf.cast(low, tf.float32), tf.cast(high, tf.float32)
    values = tf.cast(values_of(x), tf.float32)
    varies = low < high
    width = tf.where(varies, high - low, tf.ones_like(low))
    scaled = tf.where(varies, (values - low) / width, tf.sigmoid(values))
    return _like(x)(scaled * (output_max - output_min) + output_min)


def scale_to_0_1(x, elementwise: bool = False, name: str | None = None):
    """Values scaled to between 0 and 1 (source: `tft.scale_to_0_1`); see `scale_by_min_max`."""
    return scale_by_min_max(x, 0.0, 1.0, elementwise)


def apply_buckets(x, bucket_boundaries, name: str | None = None):
    """The number of the bucket of each value (source: `tft.apply_buckets`).

    Args:
        x: a numeric tensor.
        bucket_boundaries: of shape ``[1, n]``, ascending: a value that is one is in the bucket
            above it. NaN is in the last bucket.
        name: ignored.

    Returns:
        int64 from 0 to n.

    Raises:
        ValueError: for boundaries of another rank.
    """
    boundaries = tf.convert_to_tensor(bucket_boundaries)
    if boundaries.shape.rank != 2:
        raise ValueError(f"bucket_boundaries must have rank 2, got shape {boundaries.shape}.")
    made = _bucket_numbers(values_of(x), tf.reshape(boundaries, [-1]))
    _known_range(made, 0, boundaries.shape[1])
    return _like(x)(made)


def _bucket_numbers(values, boundaries):
    values = tf.cast(values, boundaries.dtype) if boundaries.dtype.is_floating else values
    found = tf.searchsorted(
        tf.cast(boundaries, values.dtype), tf.reshape(values, [-1]), side="right",
        out_type=tf.int64,
    )  # fmt: skip
    return tf.reshape(found, tf.shape(values))


def _known_range(tensor, low: int, high: int | None) -> None:
    """Remembers the range of a result, if an analysis is under way."""
    from torchtf.tensorflow_transform import _state

    if _state._current and high is not None:
        _state._current[-1].set_range(tensor, low, high)


def bucketize(
    x,
    num_buckets: int,
    epsilon: float | None = None,
    weights=None,
    elementwise: bool = False,
    name: str | None = None,
):
    """The number of the quantile of each value (source: `tft.bucketize`).

    Args:
        x: a numeric tensor.
        num_buckets: the number of buckets, which have equal weight as far as values allow.
        epsilon: ignored: how exact TensorFlow Transform must be.
        weights: the weight of each value.
        elementwise: whether each place of an instance is a column of its own.
        name: ignored.

    Returns:
        int64 from 0 to ``num_buckets - 1``.

    Raises:
        TypeError, ValueError: for a number of buckets that is none, or `elementwise` with a tensor
            that is not dense.
    """
    if elementwise and not isinstance(x, tf.Tensor):
        raise ValueError("bucketize requires `x` to be dense if `elementwise=True`")
    boundaries = _analyzers.quantiles(x, num_buckets, epsilon, weights, not elementwise)
    if not elementwise:
        return apply_buckets(x, boundaries)
    shape = x.shape.as_list()[1:]
    places = 1
    for length in shape:
        places *= length
    flat, limits = tf.reshape(x, [-1, places]), tf.reshape(boundaries, [places, -1])
    columns = [_bucket_numbers(flat[:, i], limits[i]) for i in range(places)]
    made = tf.reshape(tf.stack(columns, axis=1), [-1, *shape])
    _known_range(made, 0, num_buckets - 1)
    return made


def compute_and_apply_vocabulary(
    x,
    *,
    default_value: Any = -1,
    top_k: int | None = None,
    frequency_threshold: float | None = None,
    num_oov_buckets: int = 0,
    vocab_filename: str | None = None,
    weights=None,
    file_format: str = "text",
    store_frequency: bool = False,
    reserved_tokens: Iterable | None = None,
    name: str | None = None,
    **options,
):
    """The place of each value among the distinct values, the most frequent first (source:
    `tft.compute_and_apply_vocabulary`).

    Args:
        x: a string or integer tensor.
        default_value: what values that are not there become, if there are no buckets for them.
        num_oov_buckets: the number of buckets after the vocabulary that these are hashed to.
        top_k, frequency_threshold, vocab_filename, weights, file_format, store_frequency,
            reserved_tokens: as for `vocabulary`.
        name: ignored.

    Returns:
        int64.

    Raises:
        As `vocabulary`.
    """
    what = "compute_and_apply_vocabulary"
    made = new_vocabulary(
        x, what, f"vocab_{what}_vocabulary", top_k, frequency_threshold, vocab_filename,
        store_frequency, reserved_tokens, weights, file_format, **options,
    )  # fmt: skip
    if made.size is None:  # what comes of it is not known before it is
        numbers = tf.zeros_like(values_of(x), tf.int64) + made.stand_in
        return _like(x)(numbers)
    return _look_up(x, made, default_value, num_oov_buckets)


def apply_vocabulary(
    x,
    deferred_vocab_filename_tensor,
    *,
    default_value: Any = -1,
    num_oov_buckets: int = 0,
    lookup_fn: Callable | None = None,
    file_format: str = "text",
    name: str | None = None,
):
    """The place of each value in the file that `vocabulary` gave (source: `tft.apply_vocabulary`).

    Args:
        x: a string or integer tensor.
        deferred_vocab_filename_tensor: what `vocabulary` gave, or the path of a file.
        default_value, num_oov_buckets: as for `compute_and_apply_vocabulary`.
        lookup_fn: a function of `x` and the path that gives the result and the size of its table.
        file_format: ``text``.
        name: ignored.

    Returns:
        int64.

    Raises:
        ValueError: for `num_oov_buckets` with a `lookup_fn`.
    """
    if file_format != "text":
        raise NotImplementedError(f"tft.apply_vocabulary(file_format={file_format!r}): use 'text'")
    if lookup_fn is not None:
        if num_oov_buckets:
            raise ValueError("num_oov_buckets must be 0 if lookup_fn is given")
        result, _ = lookup_fn(x, deferred_vocab_filename_tensor)
        return result
    path = deferred_vocab_filename_tensor
    path = path if isinstance(path, str) else path.numpy().decode()
    known = current("apply_vocabulary").vocabulary_at(path)
    if known is None:
        with open(path, "rb") as f:
            known = Vocabulary(path, False, sum(1 for _ in f))
    return _look_up(x, known, default_value, num_oov_buckets)


def _look_up(x, vocabulary: Vocabulary, default_value: Any, num_oov_buckets: int):
    """Looks values up in the file of a vocabulary, as saved models do."""
    values = values_of(x)
    if values.dtype is not tf.string:
        values = tf.cast(values, tf.int64)
    index = tf.lookup.TextFileIndex
    initializer = tf.lookup.TextFileInitializer(
        vocabulary.path,
        key_dtype=values.dtype,
        key_index=1 if vocabulary.stores_frequency else index.WHOLE_LINE,
        value_dtype=tf.int64,
        value_index=index.LINE_NUMBER,
        delimiter=" ",
    )
    if num_oov_buckets > 0:
        table: Any = tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets)
    else:
        table = tf.lookup.StaticHashTable(initializer, default_value)
    found = table.lookup(values)
    low = 0 if num_oov_buckets > 0 else min(int(default_value), 0)
    high = max(vocabulary.known_size() + num_oov_buckets - 1, int(default_value), 0)
    current("apply_vocabulary").set_range(found, low, high)
    return _like(x)(found)


def hash_strings(strings, hash_buckets: int, key: Iterable[int] | None = None, name=None):
    """The bucket that each string is hashed to, int64 (source: `tft.hash_strings`).

    Args:
        strings: a string tensor.
        hash_buckets: the number of buckets.
        key: two integers for a hash that cannot be guessed.
        name: ignored.

    Raises:
        TypeError: for a tensor of another dtype, or a key of other numbers.
    """
    values = values_of(strings)
    if values.dtype is not tf.string:
        raise TypeError(f"Input to hash_strings must be strings; got {values.dtype}")
    if key is None:
        found = tf.strings.to_hash_bucket_fast(values, hash_buckets)
    else:
        found = tf.strings.to_hash_bucket_strong(values, hash_buckets, list(key))
    _known_range(found, 0, hash_buckets - 1)
    return _like(strings)(found)


def sparse_tensor_to_dense_with_shape(x, shape, default_value=0):
    """A dense tensor of a known shape, whose first size may be open (source: the function of TFT).

    Raises:
        ValueError: for what is no sparse tensor.
    """
    if not isinstance(x, tf.SparseTensor):
        raise ValueError(f"input must be a SparseTensor, got {x}")
    sizes = [x.dense_shape[i] if s is None else s for i, s in enumerate(shape)]
    sizes = tf.stack([tf.cast(s, tf.int64) for s in sizes])
    if x.dtype is tf.string and default_value == 0:
        default_value = ""
    dense = tf.sparse.to_dense(tf.SparseTensor(x.indices, x.values, sizes), default_value)
    return tf.ensure_shape(dense, list(shape))


def word_count(tokens, name: str | None = None):
    """The number of values of each row, int64 (source: `tft.word_count`).

    Raises:
        ValueError: for what is neither a sparse nor a ragged tensor.
    """
    if isinstance(tokens, tf.RaggedTensor):
        return tokens.row_lengths()
    if not isinstance(tokens, tf.SparseTensor):
        raise ValueError(f"Invalid token tensor {tokens}")
    ones = tf.ones_like(tokens.indices[:, 0])
    return tf.math.unsorted_segment_sum(ones, tokens.indices[:, 0], tokens.dense_shape[0])
