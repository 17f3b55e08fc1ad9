"""`tf.experimental.RowPartition`: how values are divided into rows, without the values."""

from __future__ import annotations

from torchtf import array_ops
from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec, TypeSpec
from torchtf.math import cast, reduce_sum
from torchtf.ragged import RaggedTensor


class RowPartition:
    """A partition of a sequence of values into rows (source: `tf.experimental.RowPartition`).

    It is made by the `from_*` functions, which check their arguments as those of `RaggedTensor` do.
    """

    def __init__(self, ragged: RaggedTensor):
        if not isinstance(ragged, RaggedTensor):
            raise ValueError(
                "RowPartition constructor is private; please use one of the factory methods "
                "instead (e.g., RowPartition.from_row_lengths())"
            )
        self._ragged = ragged  # the rows of the numbers from 0

    # -- making one

    @classmethod
    def _of(cls, make, encoding, count, dtype, **kwargs):
        if dtype is not None:
            encoding = cast(convert_to_tensor(encoding), dtype)
        return cls(make(array_ops.range(count), encoding, **kwargs))

    @classmethod
    def from_row_splits(cls, row_splits, validate=True, dtype=None, dtype_hint=dtypes.int64):
        """Rows from row_splits[i] up to row_splits[i + 1].

        Raises:
            ValueError: for an empty or malformed vector.
            InvalidArgumentError: if the splits do not ascend from 0.
        """
        splits = convert_to_tensor(row_splits, dtype=dtype, dtype_hint=dtype_hint)
        if splits.shape.rank == 1 and splits.shape[0] == 0:
            raise ValueError("row_splits tensor may not be empty.")
        return cls._of(RaggedTensor.from_row_splits, splits, splits[-1], dtype, validate=validate)

    @classmethod
    def from_row_lengths(cls, row_lengths, validate=True, dtype=None, dtype_hint=dtypes.int64):
        """Rows of the given lengths; errors as for `from_row_splits`."""
        lengths = convert_to_tensor(row_lengths, dtype=dtype, dtype_hint=dtype_hint)
        count = reduce_sum(lengths)
        return cls._of(RaggedTensor.from_row_lengths, lengths, count, dtype, validate=validate)

    @classmethod
    def from_row_starts(cls, row_starts, nvals, validate=True, dtype=None, dtype_hint=dtypes.int64):
        """Rows that begin at the given places, of `nvals` values in all."""
        starts = convert_to_tensor(row_starts, dtype=dtype, dtype_hint=dtype_hint)
        return cls._of(RaggedTensor.from_row_starts, starts, nvals, dtype, validate=validate)

    @classmethod
    def from_row_limits(cls, row_limits, validate=True, dtype=None, dtype_hint=dtypes.int64):
        """Rows that end at the given places."""
        limits = convert_to_tensor(row_limits, dtype=dtype, dtype_hint=dtype_hint)
        count = limits[-1] if limits.shape[0] else 0
        return cls._of(RaggedTensor.from_row_limits, limits, count, dtype, validate=validate)

    @classmethod
    def from_value_rowids(
        cls, value_rowids, nrows=None, validate=True, dtype=None, dtype_hint=dtypes.int64
    ):
        """Rows by the row of each value, in ascending order; `nrows` may add empty ones."""
        rowids = convert_to_tensor(value_rowids, dtype=dtype, dtype_hint=dtype_hint)
        return cls._of(
            RaggedTensor.from_value_rowids, rowids, array_ops.shape(rowids)[0], dtype,
            nrows=nrows, validate=validate,
        )  # fmt: skip

    @classmethod
    def from_uniform_row_length(
        cls, uniform_row_length, nvals=None, nrows=None, validate=True, dtype=None,
        dtype_hint=dtypes.int64,
    ):  # fmt: skip
        """Rows of one length, of `nvals` values or `nrows` rows in all.

        Raises:
            ValueError: if neither is given, or they do not fit.
        """
        if nvals is None and nrows is None:
            raise ValueError("At least one of nrows and nvals must be specified")
        length = convert_to_tensor(uniform_row_length, dtype=dtype, dtype_hint=dtype_hint)
        nvals = length * convert_to_tensor(nrows, dtype=length.dtype) if nvals is None else nvals
        return cls(
            RaggedTensor.from_uniform_row_length(
                array_ops.range(nvals), length, nrows, validate=validate
            )
        )

    # -- what it is

    @property
    def dtype(self) -> dtypes.DType:
        return self._ragged.row_splits.dtype

    def row_splits(self):
        """Where the rows begin, and where the last ends."""
        return self._ragged.row_splits

    def row_lengths(self):
        return self._ragged.row_lengths()

    def row_starts(self):
        return self._ragged.row_starts()

    def row_limits(self):
        return self._ragged.row_limits()

    def value_rowids(self):
        """The row of each value."""
        return self._ragged.value_rowids()

    def offsets_in_rows(self):
        """The place of each value in its row."""
        starts = array_ops.gather(self.row_starts(), self.value_rowids())
        return array_ops.range(self.nvals(), dtype=self.dtype) - starts

    def nrows(self):
        return self._ragged.nrows()

    def nvals(self):
        return self.row_splits()[-1]

    def uniform_row_length(self):
        """The length that all rows are known to have, or None."""
        return self._ragged.uniform_row_length

    def is_uniform(self) -> bool:
        """Whether the rows are known to be of one length by how they were made."""
        return self._ragged.uniform_row_length is not None

    @property
    def static_nrows(self) -> int | None:
        return self._ragged.shape[0]

    @property
    def static_uniform_row_length(self) -> int | None:
        return self._ragged.shape[1]

    @property
    def static_nvals(self) -> int | None:
        """The number of values, if it follows from the rows."""
        rows, length = self.static_nrows, self.static_uniform_row_length
        return None if rows is None or length is None else rows * length

    def with_dtype(self, dtype) -> RowPartition:
        """The same rows with integers of another type."""
        return RowPartition(self._ragged.with_row_splits_dtype(dtype))

    @property
    def _type_spec(self) -> RowPartitionSpec:
        return RowPartitionSpec(
            self.static_nrows, self.static_nvals, self.static_uniform_row_length, self.dtype
        )

    def __repr__(self):
        if self.is_uniform():
            return (
                f"tf.RowPartition(nrows={self.nrows()._numpy()}, "
                f"uniform_row_length={self.uniform_row_length()._numpy()})"
            )
        return f"tf.RowPartition(row_splits={self.row_splits()._numpy()})"


class RowPartitionSpec(TypeSpec):
    """The type of a `RowPartition`: what is known of its sizes, and its type of integers."""

    __slots__ = ("_dtype", "_length", "_nrows", "_nvals")

    value_type = RowPartition

    def __init__(self, nrows=None, nvals=None, uniform_row_length=None, dtype=dtypes.int64):
        sizes = TensorShape([nrows, nvals, uniform_row_length])
        self._nrows, self._nvals, self._length = sizes
        self._dtype = dtypes.as_dtype(dtype)

    @property
    def nrows(self) -> int | None:
        return self._nrows

    @property
    def nvals(self) -> int | None:
        return self._nvals

    @property
    def uniform_row_length(self) -> int | None:
        return self._length

    @property
    def dtype(self) -> dtypes.DType:
        return self._dtype

    @property
    def _component_specs(self):
        return [TensorSpec([None if self._nrows is None else self._nrows + 1], self._dtype)]

    def _to_components(self, value):
        return [value.row_splits()]

    def _from_components(self, components):
        return RowPartition.from_row_splits(components[0], validate=False)

    def _serialize(self):
        return self._nrows, self._nvals, self._length, self._dtype

    def __eq__(self, other):
        return type(other) is RowPartitionSpec and self._serialize() == other._serialize()

    def __hash__(self):
        return hash(self._serialize())

    def __repr__(self):
        return (
            f"RowPartitionSpec(nrows={self._nrows}, nvals={self._nvals}, "
            f"uniform_row_length={self._length}, dtype={self._dtype!r})"
        )
