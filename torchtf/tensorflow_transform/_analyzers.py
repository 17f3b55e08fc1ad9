"""Analyzers: values of a whole dataset, for a `preprocessing_fn`.

Each takes a tensor of a batch, dense, sparse or ragged, of which missing values do not count, and
gives a tensor that is the same for all batches.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import torchtf as tf
from torchtf.tensorflow_transform import _combiners
from torchtf.tensorflow_transform._state import Vocabulary, current


def values_of(x):
    """The values of a tensor that there are, as a dense tensor."""
    if isinstance(x, tf.SparseTensor):
        return x.values
    if isinstance(x, tf.RaggedTensor):
        return x.flat_values
    return tf.convert_to_tensor(x)


def _numeric(x, name: str):
    values = values_of(x)
    if not (values.dtype.is_floating or values.dtype.is_integer):
        raise TypeError(f"tft.{name} takes a numeric tensor, got one of dtype {values.dtype.name}.")
    return values


def _instance_shape(x, elementwise: bool, name: str) -> list[int]:
    """The shape of a result: that of an instance, or none."""
    if not elementwise:
        return []
    if not isinstance(x, tf.Tensor):
        raise NotImplementedError(
            f"tft.{name}(reduce_instance_dims=False) takes a dense tensor; make it one with "
            "tft.sparse_tensor_to_dense_with_shape"
        )
    shape = x.shape[1:]
    if not shape.is_fully_defined():
        raise ValueError(f"The shape of an instance must be known for tft.{name}, got {x.shape}.")
    return shape.as_list()


def moments(x, reduce_instance_dims: bool, output_dtype, name: str):
    """The mean and the variance."""
    values = _numeric(x, name)
    dtype = output_dtype or (values.dtype if values.dtype.is_floating else tf.float32)
    shape = _instance_shape(x, not reduce_instance_dims, name)
    combiner = _combiners.Moments(not reduce_instance_dims)
    return current(name).analyze(combiner, [values], [(shape, dtype)] * 2)


def mean(x, reduce_instance_dims: bool = True, name: str | None = None, output_dtype=None):
    """The mean of the finite values (source: `tft.mean`).

    Args:
        x: a numeric tensor.
        reduce_instance_dims: whether all values of an instance count as one column; else the result
            has the shape of an instance.
        name: ignored: values have no names here.
        output_dtype: the dtype; that of `x` if it is a float, else float32.

    Raises:
        TypeError: for a tensor that is not numeric.
        RuntimeError: outside of a `preprocessing_fn`.
    """
    return moments(x, reduce_instance_dims, output_dtype, "mean")[0]


def var(x, reduce_instance_dims: bool = True, name: str | None = None, output_dtype=None):
    """The variance of the finite values, divided by their number (source: `tft.var`).

    The arguments and errors are those of `mean`.
    """
    return moments(x, reduce_instance_dims, output_dtype, "var")[1]


def extremes(x, reduce_instance_dims: bool, name: str):
    """The least and the greatest value."""
    values = _numeric(x, name)
    shape = _instance_shape(x, not reduce_instance_dims, name)
    combiner = _combiners.Extremes(not reduce_instance_dims)
    return current(name).analyze(combiner, [values], [(shape, values.dtype)] * 2)


def min(x, reduce_instance_dims: bool = True, name: str | None = None):
    """The least value, NaNs left out (source: `tft.min`); the dtype is that of `x`.

    The arguments and errors are those of `mean`.
    """
    return extremes(x, reduce_instance_dims, "min")[0]


def max(x, reduce_instance_dims: bool = True, name: str | None = None):
    """The greatest value, NaNs left out (source: `tft.max`); the dtype is that of `x`.

    The arguments and errors are those of `mean`.
    """
    return extremes(x, reduce_instance_dims, "max")[1]


def sum(x, reduce_instance_dims: bool = True, name: str | None = None):
    """The sum (source: `tft.sum`): int64 or uint64 of integers, float32 of small floats, else the
    dtype of `x`. The arguments and errors are those of `mean`.
    """
    values = _numeric(x, "sum")
    dtype = values.dtype
    if dtype.is_integer:
        dtype = tf.int64
    elif dtype.size < 4:
        dtype = tf.float32
    shape = _instance_shape(x, not reduce_instance_dims, "sum")
    combiner = _combiners.Total(not reduce_instance_dims)
    return current("sum").analyze(combiner, [values], [(shape, dtype)])[0]


def size(x, reduce_instance_dims: bool = True, name: str | None = None):
    """The number of values, int64 (source: `tft.size`). The arguments are those of `mean`."""
    shape = _instance_shape(x, not reduce_instance_dims, "size")
    combiner = _combiners.Total(not reduce_instance_dims, count=True)
    return current("size").analyze(combiner, [values_of(x)], [(shape, tf.int64)])[0]


def quantiles(
    x,
    num_buckets: int,
    epsilon: float | None = None,
    weights=None,
    reduce_instance_dims: bool = True,
    name: str | None = None,
):
    """The boundaries of buckets of equal weight (source: `tft.quantiles`); they are exact.

    Args:
        x: a numeric tensor.
        num_buckets: the number of buckets.
        epsilon: ignored: how exact TensorFlow Transform must be.
        weights: the weight of each value.
        reduce_instance_dims: whether all values of an instance count as one column.
        name: ignored.

    Returns:
        float32 of shape ``[1, num_buckets - 1]``, or ``[*instance, num_buckets - 1]``.

    Raises:
        TypeError, ValueError: for a number of buckets that is none.
    """
    if not isinstance(num_buckets, int):
        raise TypeError(f"num_buckets must be an int, got {type(num_buckets)}")
    if num_buckets < 1:
        raise ValueError(f"Invalid num_buckets {num_buckets}")
    values = _numeric(x, "quantiles")
    shape = _instance_shape(x, not reduce_instance_dims, "quantiles")
    places = 1
    for length in shape:
        places *= length
    combiner = _combiners.Quantiles(num_buckets, not reduce_instance_dims)
    inputs = [values] if weights is None else [values, values_of(weights)]
    outputs = [([places, num_buckets - 1], tf.float32)]
    (found,) = current("quantiles").analyze(combiner, inputs, outputs)
    return found if reduce_instance_dims else tf.reshape(found, [*shape, num_buckets - 1])


_UNSUPPORTED = {
    "labels": "rank the words by a table of your own, and keep it with tf.lookup",
    "use_adjusted_mutual_info": "it needs labels",
    "min_diff_from_avg": "it needs labels",
    "coverage_top_k": "use a larger top_k",
    "coverage_frequency_threshold": "use a smaller frequency_threshold",
    "key_fn": "use a larger top_k",
    "fingerprint_shuffle": "the order is that of frequencies",
}


def new_vocabulary(
    x,
    what: str,
    default_name: str,
    top_k=None,
    frequency_threshold=None,
    vocab_filename=None,
    store_frequency=False,
    reserved_tokens: Iterable | None = None,
    weights=None,
    file_format: str = "text",
    **others,
) -> Vocabulary:
    """The vocabulary of the values; see `vocabulary`."""
    for option, value in others.items():
        if option not in _UNSUPPORTED:
            raise TypeError(f"{what}() got an unexpected keyword argument {option!r}")
        if value not in (None, False, 0.0):
            raise NotImplementedError(
                f"tft.{what}({option}=...) is not supported: {_UNSUPPORTED[option]}"
            )
    if file_format != "text":
        raise NotImplementedError(f"tft.{what}(file_format={file_format!r}): use 'text'")
    if top_k is not None and int(top_k) <= 0:
        raise ValueError(f"top_k must be positive, but got: {top_k!r}")
    if frequency_threshold is not None and frequency_threshold < 0:
        raise ValueError(
            f"frequency_threshold must be non-negative, but got: {frequency_threshold!r}"
        )
    values = values_of(x)
    if values.dtype is not tf.string and not values.dtype.is_integer:
        raise ValueError(
            f"expected tf.string or integer but got {values.dtype.name} for the values of "
            f"tft.{what}"
        )
    analysis = current(what)
    name = analysis.new_name(vocab_filename, default_name)
    reserved = [t.encode() if isinstance(t, str) else bytes(t) for t in reserved_tokens or ()]
    path = os.path.join(analysis.folder, name)
    combiner = _combiners.Words(
        path, None if top_k is None else int(top_k), frequency_threshold, reserved, store_frequency
    )
    inputs = [values] if weights is None else [values, values_of(weights)]
    (found,) = analysis.analyze(combiner, inputs, [([], tf.int64)])
    known = analysis.last_values()
    made = Vocabulary(path, store_frequency, None if known is None else int(known[0]), found)
    return analysis.add_vocabulary(name, made)


def vocabulary(
    x,
    *,
    top_k: int | None = None,
    frequency_threshold: float | None = None,
    vocab_filename: str | None = None,
    store_frequency: bool = False,
    reserved_tokens: Iterable | None = None,
    weights=None,
    file_format: str = "text",
    name: str | None = None,
    **options,
):
    """Writes the distinct values to a file, the most frequent first (source: `tft.vocabulary`).

    Values of equal frequency are in reverse order. Empty strings, and those with line breaks, are
    left out.

    Args:
        x: a string or integer tensor.
        top_k: how many entries are kept.
        frequency_threshold: how often an entry must be there.
        vocab_filename: the name of the file among the assets of the transform function.
        store_frequency: whether each line has the frequency before the entry.
        reserved_tokens: entries that come first.
        weights: a weight of each value, added up in the place of its frequency.
        file_format: ``text``.
        name: ignored.

    Returns:
        The path of the file, a string scalar, for `apply_vocabulary` or a `tf.lookup` initializer.

    Raises:
        ValueError: for other values, or numbers that mean nothing.
        NotImplementedError: for mutual information, coverage, and files of records.
    """
    made = new_vocabulary(
        x, "vocabulary", "vocab_vocabulary", top_k, frequency_threshold, vocab_filename,
        store_frequency, reserved_tokens, weights, file_format, **options,
    )  # fmt: skip
    made.known_size()
    return tf.constant(made.path)
