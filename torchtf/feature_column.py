"""`tf.feature_column`: descriptions of features in `tf.train.Example`s.

* A column is an immutable named tuple: its name, the features that it needs
  (`make_parse_example_spec`), and for dense ones their shape.
* The layers that turned columns into tensors (`DenseFeatures`) are gone from Keras 3; Keras'
  preprocessing layers do that.
"""

from __future__ import annotations

import collections
import collections.abc
import itertools
import math

import numpy as np

from torchtf.core import dtypes
from torchtf.core.shape import TensorShape
from torchtf.io import FixedLenFeature, VarLenFeature
from torchtf.io.gfile import GFile

__all__ = [
    "bucketized_column", "categorical_column_with_hash_bucket", "categorical_column_with_identity",
    "categorical_column_with_vocabulary_file", "categorical_column_with_vocabulary_list",
    "crossed_column", "embedding_column", "indicator_column", "make_parse_example_spec",
    "numeric_column", "sequence_categorical_column_with_hash_bucket",
    "sequence_categorical_column_with_identity",
    "sequence_categorical_column_with_vocabulary_file",
    "sequence_categorical_column_with_vocabulary_list", "sequence_numeric_column",
    "shared_embeddings", "weighted_categorical_column",
]  # fmt: skip


class _Column:
    """What all columns have; `_source` is the field with the column they are made of."""

    _source: str | None = None

    @property
    def name(self) -> str:
        """The column's name, made of those of its features."""
        return getattr(self, self._source).name if self._source else self.key

    @property
    def parents(self) -> list:
        """The columns or feature names that this one is made of."""
        return [getattr(self, self._source) if self._source else self.key]

    @property
    def parse_example_spec(self) -> dict:
        """Feature name -> what `tf.io.parse_example` is to read."""
        return getattr(self, self._source).parse_example_spec

    def get_config(self) -> dict:
        """The fields, with nested columns as {"class_name", "config"}."""
        return {k: _config(v) for k, v in zip(self._fields, self, strict=True)}


def _config(value):
    if isinstance(value, _Column):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if isinstance(value, tuple) and any(isinstance(v, _Column) for v in value):
        return tuple(_config(v) for v in value)
    return value.name if isinstance(value, dtypes.DType) else value


class _Categorical(_Column):
    """A column whose features are numbers of categories."""

    @property
    def parse_example_spec(self) -> dict:
        if self._source:
            return super().parse_example_spec
        return {self.key: VarLenFeature(self.dtype)}


def _column(name: str, fields: str, *bases):
    return (*bases, collections.namedtuple(name, fields))


# -- numbers


class NumericColumn(
    *_column("NumericColumn", "key shape default_value dtype normalizer_fn", _Column)
):
    """Made by `numeric_column`."""

    @property
    def parse_example_spec(self):
        return {self.key: FixedLenFeature(self.shape, self.dtype, self.default_value)}

    @property
    def variable_shape(self) -> TensorShape:
        return TensorShape(self.shape)


class SequenceNumericColumn(
    *_column("SequenceNumericColumn", "key shape default_value dtype normalizer_fn", _Column)
):
    """Made by `sequence_numeric_column`."""

    @property
    def parse_example_spec(self):
        return {self.key: VarLenFeature(self.dtype)}

    @property
    def variable_shape(self) -> TensorShape:
        return TensorShape(self.shape)


class BucketizedColumn(*_column("BucketizedColumn", "source_column boundaries", _Categorical)):
    """Made by `bucketized_column`."""

    _source = "source_column"

    @property
    def name(self):
        return f"{self.source_column.name}_bucketized"

    @property
    def num_buckets(self) -> int:
        return (len(self.boundaries) + 1) * self.source_column.shape[0]

    @property
    def variable_shape(self) -> TensorShape:
        return TensorShape([*self.source_column.shape, len(self.boundaries) + 1])


def _check_key(key):
    if not isinstance(key, str):
        raise ValueError(f"key must be a string. Got: type {type(key)}. Given key: {key}.")


def _check_shape(shape, key) -> tuple:
    shape = tuple(shape) if isinstance(shape, collections.abc.Iterable) else (shape,)
    for size in shape:
        if not isinstance(size, (int, np.integer)):
            raise TypeError(f"shape dimensions must be integer. shape: {shape}, key: {key}")
        if size < 1:
            raise ValueError(f"shape dimensions must be greater than 0. shape: {shape}, key: {key}")
    return shape


def _check_numeric(dtype, normalizer_fn, key):
    dtype = dtypes.as_dtype(dtype)
    if not (dtype.is_integer or dtype.is_floating):
        raise ValueError(f"dtype must be convertible to float. dtype: {dtype}, key: {key}")
    if normalizer_fn is not None and not callable(normalizer_fn):
        raise TypeError(f"normalizer_fn must be a callable. Given: {normalizer_fn}")
    return dtype


def _default_of_shape(value, shape, dtype, key):
    """A default value as nested tuples of the column's shape, or None."""
    if value is None:
        return None
    unfit = TypeError(
        f"default_value must be compatible with dtype. default_value: {value}, dtype: {dtype}, "
        f"key: {key}"
    )
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or (array.dtype.kind == "f" and dtype.is_integer):
        raise unfit
    cast = float if dtype.is_floating else int
    if array.ndim == 0:
        array = np.full(shape, cast(value))
    elif array.shape != shape:
        raise ValueError(
            "The shape of default_value must be equal to given shape. default_value: "
            f"{value}, shape: {shape}, key: {key}"
        )

    def nested(x):
        return tuple(map(nested, x)) if isinstance(x, list) else cast(x)

    return nested(array.tolist())


def numeric_column(key, shape=(1,), default_value=None, dtype=dtypes.float32, normalizer_fn=None):
    """A feature of numbers (source: `tf.feature_column.numeric_column`).

    Args:
        key: the feature's name.
        shape: the shape of its values.
        default_value: what stands for a missing feature: a number, or values of the shape.
        dtype: the type of the values.
        normalizer_fn: a function of the tensor, applied after parsing.

    Raises:
        TypeError, ValueError: if an argument does not fit.
    """
    _check_key(key)
    shape = _check_shape(shape, key)
    dtype = _check_numeric(dtype, normalizer_fn, key)
    default = _default_of_shape(default_value, shape, dtype, key)
    return NumericColumn(key, shape, default, dtype, normalizer_fn)


def sequence_numeric_column(
    key, shape=(1,), default_value=0.0, dtype=dtypes.float32, normalizer_fn=None
):
    """A feature of sequences of numbers (source: `tf.feature_column.sequence_numeric_column`).

    Args:
        key, shape, dtype, normalizer_fn: as for `numeric_column`.
        default_value: what sequences are padded with.
    """
    _check_key(key)
    shape = _check_shape(shape, key)
    dtype = _check_numeric(dtype, normalizer_fn, key)
    return SequenceNumericColumn(key, shape, default_value, dtype, normalizer_fn)


def bucketized_column(source_column, boundaries):
    """The number of the interval that a number is in
    (source: `tf.feature_column.bucketized_column`).

    Args:
        source_column: a `numeric_column` of rank 1.
        boundaries: a sorted list of numbers; interval i begins at boundary i - 1.

    Raises:
        ValueError: if an argument does not fit.
    """
    if not isinstance(source_column, (NumericColumn, SequenceNumericColumn)):
        raise ValueError(
            "source_column must be a column generated with numeric_column(). "
            f"Given: {source_column}"
        )
    if len(source_column.shape) > 1:
        raise ValueError(f"source_column must be one-dimensional column. Given: {source_column}")
    if not (isinstance(boundaries, (list, tuple)) and boundaries):
        raise ValueError("boundaries must be a sorted list.")
    if any(a >= b for a, b in itertools.pairwise(boundaries)):
        raise ValueError("boundaries must be a sorted list.")
    return BucketizedColumn(source_column, tuple(boundaries))


# -- categories


class HashedCategoricalColumn(
    *_column("HashedCategoricalColumn", "key hash_bucket_size dtype", _Categorical)
):
    """Made by `categorical_column_with_hash_bucket`."""

    num_buckets = property(lambda self: self.hash_bucket_size)


class VocabularyListCategoricalColumn(
    *_column(
        "VocabularyListCategoricalColumn",
        "key vocabulary_list dtype default_value num_oov_buckets",
        _Categorical,
    )
):
    """Made by `categorical_column_with_vocabulary_list`."""

    num_buckets = property(lambda self: len(self.vocabulary_list) + self.num_oov_buckets)


class VocabularyFileCategoricalColumn(
    *_column(
        "VocabularyFileCategoricalColumn",
        "key vocabulary_file vocabulary_size num_oov_buckets dtype default_value file_format",
        _Categorical,
    )
):
    """Made by `categorical_column_with_vocabulary_file`."""

    num_buckets = property(lambda self: self.vocabulary_size + self.num_oov_buckets)


class IdentityCategoricalColumn(
    *_column("IdentityCategoricalColumn", "key number_buckets default_value", _Categorical)
):
    """Made by `categorical_column_with_identity`."""

    dtype = dtypes.int64
    num_buckets = property(lambda self: self.number_buckets)


class CrossedColumn(*_column("CrossedColumn", "keys hash_bucket_size hash_key", _Categorical)):
    """Made by `crossed_column`."""

    num_buckets = property(lambda self: self.hash_bucket_size)

    @property
    def name(self):
        names = []
        for key in self.keys:
            parts = key.keys if isinstance(key, CrossedColumn) else (key,)
            names += [k if isinstance(k, str) else k.name for k in parts]
        return "_X_".join(sorted(names))

    @property
    def parents(self):
        return list(self.keys)

    @property
    def parse_example_spec(self):
        spec = {}
        for key in self.keys:
            spec |= (
                {key: VarLenFeature(dtypes.string)}
                if isinstance(key, str)
                else key.parse_example_spec
            )
        return spec


class WeightedCategoricalColumn(
    *_column(
        "WeightedCategoricalColumn", "categorical_column weight_feature_key dtype", _Categorical
    )
):
    """Made by `weighted_categorical_column`."""

    _source = "categorical_column"
    num_buckets = property(lambda self: self.categorical_column.num_buckets)

    @property
    def name(self):
        return f"{self.categorical_column.name}_weighted_by_{self.weight_feature_key}"

    @property
    def parents(self):
        return [self.categorical_column, self.weight_feature_key]

    @property
    def parse_example_spec(self):
        spec = dict(self.categorical_column.parse_example_spec)
        if self.weight_feature_key in spec:
            raise ValueError(
                f"Parse config {spec[self.weight_feature_key]} already exists for "
                f"{self.weight_feature_key}."
            )
        return spec | {self.weight_feature_key: VarLenFeature(self.dtype)}


class SequenceCategoricalColumn(
    *_column("SequenceCategoricalColumn", "categorical_column", _Categorical)
):
    """Made by the `sequence_categorical_column_*` functions."""

    _source = "categorical_column"
    num_buckets = property(lambda self: self.categorical_column.num_buckets)


def _check_categories(dtype, key):
    dtype = dtypes.as_dtype(dtype)
    if dtype is not dtypes.string and not dtype.is_integer:
        raise ValueError(f"column_name: {key} dtype must be string or integer. dtype: {dtype}.")
    return dtype


def categorical_column_with_hash_bucket(key, hash_bucket_size, dtype=dtypes.string):
    """Categories by the hash of a feature
    (source: `tf.feature_column.categorical_column_with_hash_bucket`).

    Args:
        key: the feature's name.
        hash_bucket_size: the number of categories.
        dtype: string or an integer type.

    Raises:
        ValueError: if an argument does not fit.
    """
    if hash_bucket_size is None:
        raise ValueError(f"hash_bucket_size must be set. key: {key}")
    if hash_bucket_size < 1:
        raise ValueError(
            f"hash_bucket_size must be at least 1. hash_bucket_size: {hash_bucket_size}, key: {key}"
        )
    _check_key(key)
    return HashedCategoricalColumn(key, hash_bucket_size, _check_categories(dtype, key))


def _check_oov(key, default_value, num_oov_buckets):
    if num_oov_buckets and default_value != -1:
        raise ValueError(f"Can't specify both num_oov_buckets and default_value in {key}.")
    if num_oov_buckets < 0:
        raise ValueError(f"Invalid num_oov_buckets {num_oov_buckets} in {key}.")


def categorical_column_with_vocabulary_list(
    key, vocabulary_list, dtype=None, default_value=-1, num_oov_buckets=0
):
    """Categories by the place in a list
    (source: `tf.feature_column.categorical_column_with_vocabulary_list`).

    Args:
        key: the feature's name.
        vocabulary_list: the values, without duplicates.
        dtype: string or an integer type; that of the list by default.
        default_value: the category of values that are not listed; -1 ignores them.
        num_oov_buckets: a number of categories for them, chosen by hash, instead.

    Raises:
        ValueError: if an argument does not fit.
    """
    if vocabulary_list is None or len(vocabulary_list) < 1:
        raise ValueError(f"vocabulary_list {vocabulary_list} must be non-empty, column_name: {key}")
    if len(set(vocabulary_list)) != len(vocabulary_list):
        raise ValueError(f"Duplicate keys in vocabulary_list {vocabulary_list}, column_name: {key}")
    found = dtypes.as_dtype(np.array(vocabulary_list).dtype)
    _check_oov(key, default_value, num_oov_buckets)
    dtype = _check_categories(found if dtype is None else dtype, key)
    if dtype.is_integer != found.is_integer:
        raise ValueError(
            f"dtype {dtype} and vocabulary dtype {found} do not match, column_name: {key}"
        )
    _check_key(key)
    return VocabularyListCategoricalColumn(
        key, tuple(vocabulary_list), dtype, default_value, num_oov_buckets
    )


def categorical_column_with_vocabulary_file(
    key, vocabulary_file, vocabulary_size=None, dtype=dtypes.string, default_value=None,
    num_oov_buckets=0, file_format=None,
):  # fmt: skip
    """Categories by the line of a file
    (source: `tf.feature_column.categorical_column_with_vocabulary_file`).

    Args:
        key: the feature's name.
        vocabulary_file: the path of a text file, one value a line.
        vocabulary_size: how many lines count; all by default.
        dtype: string or an integer type.
        default_value, num_oov_buckets: as for `categorical_column_with_vocabulary_list`.
        file_format: "text" or None.

    Raises:
        ValueError: if an argument does not fit.
    """
    if not vocabulary_file:
        raise ValueError(f"Missing vocabulary_file in {key}.")
    if file_format not in (None, "text"):
        raise NotImplementedError(
            f"vocabulary files of format {file_format!r} are not supported; write a text file"
        )
    if vocabulary_size is None:
        with GFile(vocabulary_file, "rb") as f:
            vocabulary_size = sum(1 for _ in f)
    elif vocabulary_size < 1:
        raise ValueError(f"Invalid vocabulary_size in {key}.")
    _check_oov(key, -1 if default_value is None else default_value, num_oov_buckets)
    _check_key(key)
    return VocabularyFileCategoricalColumn(
        key, vocabulary_file, vocabulary_size, num_oov_buckets, _check_categories(dtype, key),
        -1 if default_value is None else default_value, file_format,
    )  # fmt: skip


def categorical_column_with_identity(key, num_buckets, default_value=None):
    """A feature of category numbers
    (source: `tf.feature_column.categorical_column_with_identity`).

    Args:
        key: the feature's name.
        num_buckets: the number of categories.
        default_value: the category of numbers out of range; None makes them an error.

    Raises:
        ValueError: if an argument does not fit.
    """
    if num_buckets < 1:
        raise ValueError(f"num_buckets {num_buckets} < 1, column_name {key}")
    if default_value is not None and not 0 <= default_value < num_buckets:
        raise ValueError(
            f"default_value {default_value} not in range [0, {num_buckets}), column_name {key}"
        )
    _check_key(key)
    return IdentityCategoricalColumn(key, num_buckets, default_value)


def crossed_column(keys, hash_bucket_size, hash_key=None):
    """Categories by the hash of several features together
    (source: `tf.feature_column.crossed_column`).

    Args:
        keys: a list of feature names and categorical columns, two at least.
        hash_bucket_size: the number of categories.
        hash_key: the key of the hash.

    Raises:
        ValueError: if an argument does not fit.
    """
    if not hash_bucket_size or hash_bucket_size < 1:
        raise ValueError(f"hash_bucket_size must be > 1. hash_bucket_size: {hash_bucket_size}")
    if not keys or len(keys) < 2:
        raise ValueError(f"keys must be a list with length > 1. Given: {keys}")
    for key in keys:
        if not isinstance(key, (str, _Categorical)):
            raise ValueError(
                "Unsupported key type. All keys must be either string, or categorical column "
                f"except HashedCategoricalColumn. Given: {key}"
            )
        if isinstance(key, HashedCategoricalColumn):
            raise ValueError(
                "categorical_column_with_hash_bucket is not supported for crossing. Hashing "
                "before crossing will increase probability of collision. Instead, use the feature "
                f"name as a string. Given: {key}"
            )
    return CrossedColumn(tuple(keys), hash_bucket_size, hash_key)


def weighted_categorical_column(categorical_column, weight_feature_key, dtype=dtypes.float32):
    """Categories with weights from another feature
    (source: `tf.feature_column.weighted_categorical_column`).

    Args:
        categorical_column: the column of the categories.
        weight_feature_key: the name of the feature with the weights.
        dtype: the type of the weights.

    Raises:
        ValueError: if `dtype` is no number.
    """
    dtype = dtypes.as_dtype(dtype)
    if not (dtype.is_integer or dtype.is_floating):
        raise ValueError(f"dtype {dtype} is not convertible to float.")
    return WeightedCategoricalColumn(categorical_column, weight_feature_key, dtype)


def sequence_categorical_column_with_identity(key, num_buckets, default_value=None):
    """As `categorical_column_with_identity`, of sequences
    (source: `tf.feature_column.sequence_categorical_column_with_identity`).
    """
    return SequenceCategoricalColumn(
        categorical_column_with_identity(key, num_buckets, default_value)
    )


def sequence_categorical_column_with_hash_bucket(key, hash_bucket_size, dtype=dtypes.string):
    """As `categorical_column_with_hash_bucket`, of sequences
    (source: `tf.feature_column.sequence_categorical_column_with_hash_bucket`).
    """
    return SequenceCategoricalColumn(
        categorical_column_with_hash_bucket(key, hash_bucket_size, dtype)
    )


def sequence_categorical_column_with_vocabulary_list(
    key, vocabulary_list, dtype=None, default_value=-1, num_oov_buckets=0
):
    """As `categorical_column_with_vocabulary_list`, of sequences
    (source: `tf.feature_column.sequence_categorical_column_with_vocabulary_list`).
    """
    return SequenceCategoricalColumn(
        categorical_column_with_vocabulary_list(
            key, vocabulary_list, dtype, default_value, num_oov_buckets
        )
    )


def sequence_categorical_column_with_vocabulary_file(
    key, vocabulary_file, vocabulary_size=None, num_oov_buckets=0, default_value=None,
    dtype=dtypes.string,
):  # fmt: skip
    """As `categorical_column_with_vocabulary_file`, of sequences
    (source: `tf.feature_column.sequence_categorical_column_with_vocabulary_file`).
    """
    return SequenceCategoricalColumn(
        categorical_column_with_vocabulary_file(
            key, vocabulary_file, vocabulary_size, dtype, default_value, num_oov_buckets
        )
    )


# -- dense columns of categories


class EmbeddingColumn(
    *_column(
        "EmbeddingColumn",
        "categorical_column dimension combiner initializer ckpt_to_load_from tensor_name_in_ckpt "
        "max_norm trainable use_safe_embedding_lookup",
        _Column,
    )
):
    """Made by `embedding_column`."""

    _source = "categorical_column"

    @property
    def name(self):
        return f"{self.categorical_column.name}_embedding"

    @property
    def variable_shape(self) -> TensorShape:
        return TensorShape([self.dimension])


class IndicatorColumn(*_column("IndicatorColumn", "categorical_column", _Column)):
    """Made by `indicator_column`."""

    _source = "categorical_column"

    @property
    def name(self):
        return f"{self.categorical_column.name}_indicator"

    @property
    def variable_shape(self) -> TensorShape:
        return TensorShape([1, self.categorical_column.num_buckets])


def embedding_column(
    categorical_column, dimension, combiner="mean", initializer=None, ckpt_to_load_from=None,
    tensor_name_in_ckpt=None, max_norm=None, trainable=True, use_safe_embedding_lookup=True,
):  # fmt: skip
    """Vectors that are learned for categories (source: `tf.feature_column.embedding_column`).

    Args:
        categorical_column: the column of the categories.
        dimension: the size of the vectors.
        combiner: how the vectors of one example are combined: "mean", "sqrtn" or "sum".
        initializer: of the vectors; normal with deviation 1 / sqrt(dimension) by default.
        ckpt_to_load_from, tensor_name_in_ckpt: a checkpoint and a name there, both or none.
        max_norm: the largest norm of a vector; longer ones are clipped.
        trainable: whether they are learned.
        use_safe_embedding_lookup: whether examples without categories give zeros.

    Raises:
        ValueError: if an argument does not fit.
    """
    if dimension is None or dimension < 1:
        raise ValueError(f"Invalid dimension {dimension}.")
    if (ckpt_to_load_from is None) != (tensor_name_in_ckpt is None):
        raise ValueError(
            "Must specify both `ckpt_to_load_from` and `tensor_name_in_ckpt` or none of them."
        )
    if initializer is not None and not callable(initializer):
        raise ValueError(
            f"initializer must be callable if specified. Embedding of column_name: "
            f"{categorical_column.name}"
        )
    if initializer is None:
        from torchtf.keras import initializers

        initializer = initializers.TruncatedNormal(stddev=1 / math.sqrt(dimension))
    return EmbeddingColumn(
        categorical_column, dimension, combiner, initializer, ckpt_to_load_from,
        tensor_name_in_ckpt, max_norm, trainable, use_safe_embedding_lookup,
    )  # fmt: skip


def indicator_column(categorical_column):
    """How often each category occurs in an example
    (source: `tf.feature_column.indicator_column`).

    Raises:
        ValueError: unless `categorical_column` is one.
    """
    if not isinstance(categorical_column, _Categorical):
        raise ValueError(
            "Unsupported input type. Input must be a CategoricalColumn. "
            f"Given: {categorical_column}"
        )
    return IndicatorColumn(categorical_column)


def shared_embeddings(
    categorical_columns, dimension, combiner="mean", initializer=None,
    shared_embedding_collection_name=None, ckpt_to_load_from=None, tensor_name_in_ckpt=None,
    max_norm=None, trainable=True, use_safe_embedding_lookup=True,
):  # fmt: skip
    """Needs TF 1 graphs, in TensorFlow as here (source: `tf.feature_column.shared_embeddings`).

    Raises:
        RuntimeError: always; use one `tf.keras.layers.Embedding` for several inputs.
    """
    raise RuntimeError(
        "shared_embedding_columns are not supported when eager execution is enabled."
    )


def make_parse_example_spec(feature_columns) -> dict:
    """The features that columns need, as `tf.io.parse_example` takes them
    (source: `tf.feature_column.make_parse_example_spec`).

    Raises:
        ValueError: if columns need one feature in different forms.
    """
    result: dict = {}
    for column in feature_columns:
        if not isinstance(column, _Column):
            raise ValueError(
                f"All feature_columns must be FeatureColumn instances. Given: {column}"
            )
        for key, value in column.parse_example_spec.items():
            if key in result and result[key] != value:
                raise ValueError(
                    f"feature_columns contain different parse_spec for key {key}. Given {value} "
                    f"and {result[key]}"
                )
            result[key] = value
    return result
