"""`tf.RaggedTensor`: rows of different lengths over one tensor of values.

* A ragged tensor is `values` (a tensor, or another ragged tensor) and the row splits of its
outermost
  ragged axis. `_splits` holds them as a raw torch tensor.
* `_uniform` is the common row length where it is known to be one.
* Its ops are gathers on the values, so gradients and strings work as on tensors.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch

from torchtf import array_ops
from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor, register_conversion, to_torch
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec, TypeSpec
from torchtf.core.tensor import Tensor, is_fake, is_tensor_type, to_numpy, wrap
from torchtf.ragged import _partition as part
from torchtf.ragged._partition import index_vector, invalid


def convert(value, dtype=None):
    """A tensor or ragged tensor of a value; nested lists may be ragged only if they are tensors."""
    return value if isinstance(value, RaggedTensor) else convert_to_tensor(value, dtype)


class RaggedTensor:
    """A tensor with axes whose slices differ in length (source: `tf.RaggedTensor`).

    Made by the class methods `from_...`, `tf.ragged.constant` and ops, never by the constructor.
    """

    __slots__ = ("__weakref__", "_splits", "_uniform", "_values")

    def __init__(self, values, row_partition, internal=False, uniform=None):
        if not internal:
            raise ValueError(
                "RaggedTensor constructor is private; please use one of the factory methods "
                "instead (e.g., RaggedTensor.from_row_lengths())"
            )
        self._values = values
        self._splits = row_partition
        self._uniform = uniform

    # -- making one

    @classmethod
    def _of(cls, values, splits: torch.Tensor, uniform: int | None = None) -> RaggedTensor:
        """Of checked parts; nested partitions get one type."""
        if isinstance(values, RaggedTensor) and values._splits.dtype is not splits.dtype:
            values, splits = values._with_splits_type(torch.int64), splits.to(torch.int64)
        return cls(values, splits, True, uniform)

    @classmethod
    def from_row_splits(cls, values, row_splits, name=None, validate=True) -> RaggedTensor:
        """Rows `values[row_splits[i]:row_splits[i + 1]]`.

        Args:
            values: a tensor of rank 1 or more, or a ragged tensor.
            row_splits: ascending integers from 0 to the number of values.
            name: a name for the op.
            validate: whether the splits are checked.

        Raises:
            InvalidArgumentError: if the splits do not fit.
            ValueError: if they are no vector of integers, or empty.
        """
        values = _values(values)
        splits = index_vector(row_splits, "row_splits")
        if splits.shape[0] == 0:
            raise ValueError("row_splits tensor may not be empty.")
        if validate and not is_fake(splits):
            _check_splits(splits, "from_row_splits")
            _check_count(values, splits)
        return cls._of(values, splits)

    @classmethod
    def from_row_lengths(cls, values, row_lengths, name=None, validate=True) -> RaggedTensor:
        """Rows of the given lengths. See `from_row_splits`."""
        values, lengths = _values(values), index_vector(row_lengths, "row_lengths")
        if validate and not is_fake(lengths) and (lengths < 0).any():
            raise _not_ascending("from_row_lengths", lengths)
        splits = part.splits_of(lengths)
        if validate:
            _check_count(values, splits)
        return cls._of(values, splits)

    @classmethod
    def from_value_rowids(
        cls, values, value_rowids, nrows=None, name=None, validate=True
    ) -> RaggedTensor:
        """Rows told by the row of each value; empty rows may follow up to `nrows`."""
        values, rowids = _values(values), index_vector(value_rowids, "value_rowids")
        if nrows is None:
            count = 0 if rowids.shape[0] == 0 else rowids[-1].item() + 1
        else:
            count = _number(nrows)
            if count < 0:
                raise ValueError(f"Expected nrows >= 0; got {count}")
        if validate and not is_fake(rowids) and rowids.shape[0]:
            steps = rowids[1:] - rowids[:-1]
            if (steps < 0).any() or rowids[0] < 0:
                raise _not_ascending("from_value_rowids", steps)
            if rowids[-1] >= count:
                raise ValueError(
                    f"Expected nrows >= value_rowids[-1] + 1; got nrows={count}, "
                    f"value_rowids[-1]={int(rowids[-1])}"
                )
            if rowids.shape[0] != _size(values):
                raise ValueError(
                    f"Shapes ({_size(values)},) and ({rowids.shape[0]},) are incompatible"
                )
        counts = torch.zeros(count, dtype=rowids.dtype, device=rowids.device)
        counts = counts.index_add(0, rowids, torch.ones_like(rowids))
        return cls._of(values, part.splits_of(counts))

    @classmethod
    def from_row_starts(cls, values, row_starts, name=None, validate=True) -> RaggedTensor:
        """Rows that start at the given positions, the first at 0."""
        values, starts = _values(values), index_vector(row_starts, "row_starts")
        end = torch.full((1,), _size(values), dtype=starts.dtype, device=starts.device)
        splits = torch.cat([starts, end])
        if validate and not is_fake(splits):
            _check_splits(splits, "from_row_starts")
        return cls._of(values, splits)

    @classmethod
    def from_row_limits(cls, values, row_limits, name=None, validate=True) -> RaggedTensor:
        """Rows that end before the given positions, the last at the number of values."""
        values, limits = _values(values), index_vector(row_limits, "row_limits")
        splits = torch.cat([limits.new_zeros(1), limits])
        if validate and not is_fake(splits):
            _check_splits(splits, "from_row_limits")
            _check_count(values, splits)
        return cls._of(values, splits)

    @classmethod
    def from_uniform_row_length(
        cls, values, uniform_row_length, nrows=None, validate=True, name=None
    ) -> RaggedTensor:
        """Rows of one length; `nrows` is needed if that is 0.

        Raises:
            ValueError: if the number of values is no multiple of the length.
        """
        values = _values(values)
        length = _number(uniform_row_length)
        size = _size(values)
        if nrows is None:
            count = size // length if length else 0
        else:
            count = _number(nrows)
        if validate and isinstance(size, int) and count * length != size:
            raise ValueError(
                f"uniform_row_length={length} times nrows={count} must equal nvals={size}"
            )
        splits = torch.arange(count + 1, dtype=torch.int64) * length
        if isinstance(values, RaggedTensor):
            splits = splits.to(values._splits.dtype)
        return cls._of(values, splits, length)

    @classmethod
    def from_nested_row_splits(
        cls, flat_values, nested_row_splits, name=None, validate=True
    ) -> RaggedTensor:
        """Of the splits of each axis, outermost first."""
        if isinstance(nested_row_splits, Tensor):
            raise TypeError(
                "Argument `nested_row_splits` must be a list of Tensors. "
                f"Received {nested_row_splits}."
            )
        result = flat_values
        for splits in reversed(nested_row_splits):
            result = cls.from_row_splits(result, splits, validate=validate)
        return result

    @classmethod
    def from_nested_row_lengths(
        cls, flat_values, nested_row_lengths, name=None, validate=True
    ) -> RaggedTensor:
        """Of the row lengths of each axis, outermost first."""
        result = flat_values
        for lengths in reversed(nested_row_lengths):
            result = cls.from_row_lengths(result, lengths, validate=validate)
        return result

    @classmethod
    def from_nested_value_rowids(
        cls, flat_values, nested_value_rowids, nested_nrows=None, name=None, validate=True
    ) -> RaggedTensor:
        """Of the row ids of each axis, outermost first."""
        counts = [None] * len(nested_value_rowids) if nested_nrows is None else nested_nrows
        if len(counts) != len(nested_value_rowids):
            raise ValueError(
                "Argument `nested_nrows` must have the same length as argument "
                f"`nested_value_rowids`. len(nested_nrows) = {len(counts)} vs. "
                f"len(nested_values_rowids) = {len(nested_value_rowids)}."
            )
        result = flat_values
        for rowids, count in zip(reversed(nested_value_rowids), reversed(counts), strict=True):
            result = cls.from_value_rowids(result, rowids, count, validate=validate)
        return result

    @classmethod
    def from_tensor(
        cls, tensor, lengths=None, padding=None, ragged_rank=1, name=None,
        row_splits_dtype=dtypes.int64,
    ) -> RaggedTensor:  # fmt: skip
        """Of a tensor whose rows may be padded.

        Args:
            tensor: a tensor of rank 2 or more.
            lengths: the row lengths; a list of them for several ragged axes.
            padding: the value that is cut off at the ends of rows; not with `lengths`.
            ragged_rank: the number of ragged axes.
            name: a name for the op.
            row_splits_dtype: int32 or int64.

        Raises:
            ValueError: if the rank, `ragged_rank` or lengths do not fit.
        """
        from torchtf.ragged._from_tensor import from_tensor

        return from_tensor(tensor, lengths, padding, ragged_rank, row_splits_dtype)

    @classmethod
    def from_sparse(cls, st_input, name=None, row_splits_dtype=dtypes.int64) -> RaggedTensor:
        """Of a sparse matrix whose rows have no gaps.

        Raises:
            TypeError: if the argument is no sparse tensor.
            ValueError: if its rank is not 2.
            InvalidArgumentError: if a row has a gap.
        """
        from torchtf.ragged._from_tensor import from_sparse

        return from_sparse(st_input, row_splits_dtype)

    # -- what it is

    @property
    def dtype(self) -> dtypes.DType:
        return self._values.dtype

    @property
    def shape(self) -> TensorShape:
        rows = self._splits.shape[0]
        nrows = rows - 1 if isinstance(rows, int) else None
        uniform = self._uniform if isinstance(self._uniform, int) else None
        return TensorShape([nrows, uniform]).concatenate(self._values.shape[1:])

    def get_shape(self) -> TensorShape:
        return self.shape

    @property
    def ragged_rank(self) -> int:
        inner = self._values
        return inner.ragged_rank + 1 if isinstance(inner, RaggedTensor) else 1

    @property
    def values(self):
        return self._values

    @property
    def flat_values(self) -> Tensor:
        inner = self._values
        while isinstance(inner, RaggedTensor):
            inner = inner._values
        return inner

    @property
    def row_splits(self) -> Tensor:
        return wrap(self._splits)

    @property
    def uniform_row_length(self):
        if self._uniform is None:
            return None
        return wrap(torch.scalar_tensor(self._uniform, dtype=self._splits.dtype))

    @property
    def _partitions(self) -> list[torch.Tensor]:
        """The raw splits of each ragged axis, outermost first."""
        inner = self._values
        rest = inner._partitions if isinstance(inner, RaggedTensor) else []
        return [self._splits, *rest]

    @property
    def nested_row_splits(self) -> tuple:
        return tuple(map(wrap, self._partitions))

    def value_rowids(self, name=None) -> Tensor:
        """The row of each value."""
        return wrap(self._rowids())

    def _rowids(self) -> torch.Tensor:
        return part.rowids_of(self._splits, _size(self._values))

    def nested_value_rowids(self, name=None) -> tuple:
        inner = self._values
        rest = inner.nested_value_rowids() if isinstance(inner, RaggedTensor) else ()
        return (self.value_rowids(), *rest)

    def nrows(self, out_type=None, name=None) -> Tensor:
        """The number of rows."""
        dtype = self._splits.dtype if out_type is None else dtypes.as_dtype(out_type).torch
        return convert_to_tensor(self._splits.shape[0] - 1, dtype=dtype)

    def row_starts(self, name=None) -> Tensor:
        return wrap(self._splits[:-1])

    def row_limits(self, name=None) -> Tensor:
        return wrap(self._splits[1:])

    def row_lengths(self, axis=1, name=None):
        """The lengths of the slices along an axis.

        Raises:
            ValueError: if the axis is 0 or out of range.
        """
        if axis == 0:
            return self.nrows()
        axis = array_ops_axis(axis, self.shape.rank)
        if axis == 0:
            return self.nrows()
        if axis == 1:
            return wrap(part.lengths_of(self._splits))
        if isinstance(self._values, RaggedTensor):
            return self.with_values(self._values.row_lengths(axis - 1))
        size = self._values._data.shape[axis - 1]
        filled = torch.full((_size(self._values),), size, dtype=self._splits.dtype)
        return self.with_values(wrap(filled))

    def nested_row_lengths(self, name=None) -> tuple:
        return tuple(wrap(part.lengths_of(s)) for s in self._partitions)

    def bounding_shape(self, axis=None, name=None, out_type=None) -> Tensor:
        """The shape of the smallest box that holds all slices."""
        dtype = self._splits.dtype if out_type is None else dtypes.as_dtype(out_type).torch
        sizes = [self._splits.shape[0] - 1]
        sizes += [part.longest(s) for s in self._partitions]
        sizes += list(self.flat_values._data.shape[1:])
        if axis is None:
            return convert_to_tensor(sizes, dtype=dtype)
        if isinstance(axis, int):
            return convert_to_tensor(sizes[axis], dtype=dtype)
        return convert_to_tensor([sizes[a] for a in axis], dtype=dtype)

    # -- variations

    def with_values(self, new_values) -> RaggedTensor:
        """The same rows over other values.

        Raises:
            ValueError: if their number differs.
        """
        new_values = _values(new_values)
        have, want = _size(new_values), _size(self._values)
        if isinstance(have, int) and isinstance(want, int) and have != want:
            raise ValueError(f"Shapes ({want},) and ({have},) are incompatible")
        return RaggedTensor._of(new_values, self._splits, self._uniform)

    def with_flat_values(self, new_values):
        """The same rows, on all ragged axes, over other values."""
        if isinstance(self._values, RaggedTensor):
            return self.with_values(self._values.with_flat_values(new_values))
        return self.with_values(new_values)

    def with_row_splits_dtype(self, dtype) -> RaggedTensor:
        """The same tensor with int32 or int64 splits."""
        dtype = dtypes.as_dtype(dtype)
        if dtype not in (dtypes.int32, dtypes.int64):
            raise ValueError(
                f"Argument `row_splits` dtype must be int32 or int64. Received {dtype}."
            )
        return self._with_splits_type(dtype.torch)

    def _with_splits_type(self, dtype: torch.dtype) -> RaggedTensor:
        values = self._values
        if isinstance(values, RaggedTensor):
            values = values._with_splits_type(dtype)
        return RaggedTensor(values, self._splits.to(dtype), True, self._uniform)

    def merge_dims(self, outer_axis, inner_axis):
        """Joins neighbouring axes into one.

        Returns:
            A ragged tensor, or a tensor when no ragged axis is left.

        Raises:
            ValueError: if the axes are out of range or in the wrong order.
        """
        outer = array_ops_axis(outer_axis, self.shape.rank, "outer_axis")
        inner = array_ops_axis(inner_axis, self.shape.rank, "inner_axis")
        if outer > inner:
            raise ValueError(
                f"Expected outer_axis ({outer_axis}) to be less than or equal to inner_axis "
                f"({inner_axis})."
            )
        return merge_dims(self, outer, inner)

    def to_tensor(self, default_value=None, name=None, shape=None) -> Tensor:
        """A tensor padded to the longest rows.

        Args:
            default_value: what fills up rows; 0 or "" by default.
            name: a name for the op.
            shape: the result's sizes, None where they follow from the rows; longer rows are cut.

        Raises:
            InvalidArgumentError: if `default_value` does not fit.
        """
        dtype = self.dtype
        if default_value is None:
            default_value = b"" if dtype is dtypes.string else array_ops.zeros([], dtype)
        default = convert_to_tensor(default_value, dtype=dtype)
        flat_rank = self.flat_values.shape.rank
        if default.shape.rank and default.shape.rank >= flat_rank:
            raise invalid(
                f"default_value.shape={list(default.shape)} and rt_input.flat_values.shape="
                f"{list(self.flat_values.shape)} are incompatible: default_value.rank = "
                f"{default.shape.rank}  must be less than rt_input.flat_values.rank = {flat_rank} "
                "[Op:RaggedTensorToTensor] name: "
            )
        sizes = [None] * self.shape.rank if shape is None else _sizes(shape, self.shape.rank)
        return _to_tensor(self, default, sizes)

    def to_sparse(self, name=None):
        """A sparse tensor of the values and their places."""
        from torchtf.sparse import SparseTensor

        values = self.flat_values
        ids = torch.arange(_size(values), dtype=torch.int64)
        columns = []
        for splits in reversed(self._partitions):
            splits = splits.to(torch.int64)
            rowids = part.rowids_of(splits)
            columns.insert(0, part.offsets_of(splits, rowids)[ids])
            ids = rowids[ids]
        columns.insert(0, ids)
        inner = values._data.shape[1:]
        if inner:
            grid = torch.cartesian_prod(*[torch.arange(n) for n in inner]).reshape(-1, len(inner))
            count = grid.shape[0]
            columns = [c.repeat_interleave(count) for c in columns]
            repeated = grid.repeat(_size(values), 1)
            columns += list(repeated.unbind(1))
            values = array_ops.reshape(values, [-1])
        shape = self.bounding_shape(out_type=dtypes.int64)
        return SparseTensor(wrap(torch.stack(columns, 1)), values, shape)

    def to_list(self) -> list:
        """Nested Python lists.

        Raises:
            ValueError: while tracing.
        """
        if self._symbolic():
            raise ValueError("RaggedTensor.to_list() is only supported in eager mode.")
        inner = self._values
        rows = (
            inner.to_list() if isinstance(inner, RaggedTensor) else to_numpy(inner._data).tolist()
        )
        bounds = self._splits.tolist()
        return [rows[a:b] for a, b in itertools.pairwise(bounds)]

    def numpy(self) -> np.ndarray:
        """An array: of objects where row lengths differ.

        Raises:
            ValueError: while tracing.
        """
        if self._symbolic():
            raise ValueError("RaggedTensor.numpy() is only supported in eager mode.")
        values = self._values.numpy()
        rows = np.split(values, self._splits.numpy()[1:-1])
        if len(self._splits) == 1:
            return np.array([], dtype=values.dtype)
        if all(len(row) == len(rows[0]) for row in rows):
            return np.array(rows)
        out = np.empty(len(rows), dtype=object)
        out[:] = rows
        return out

    def consumers(self):
        raise NotImplementedError(
            "RaggedTensor.consumers belongs to TF 1 graphs; there is no list of consumers."
        )

    def _symbolic(self) -> bool:
        return is_fake(self._splits) or is_fake(self.flat_values._data)

    # -- as a composite tensor

    @property
    def _type_spec(self) -> RaggedTensorSpec:
        return RaggedTensorSpec.from_value(self)

    @staticmethod
    def __tf_dispatch__(op, args):
        from torchtf.ragged._dispatch import call

        return call(op, args)

    def __getitem__(self, key):
        from torchtf.ragged._getitem import getitem

        return getitem(self, key)

    def __iter__(self):
        if self._symbolic():
            raise TypeError(
                "Iterating over a symbolic `tf.RaggedTensor` is not allowed; use tf.map_fn."
            )
        return (self[i] for i in range(self._splits.shape[0] - 1))

    def __bool__(self):
        raise TypeError("RaggedTensor may not be used as a boolean.")

    def __hash__(self):
        raise TypeError("RaggedTensor is unhashable.")

    def __repr__(self):
        if self._symbolic():
            return f"tf.RaggedTensor(values={self._values}, row_splits={self.row_splits})"
        with np.printoptions(formatter={"all": _text}):
            return f"<tf.RaggedTensor {_text(self.numpy())}>"

    def _summary(self, summarize: int) -> str:
        """The rows as text, with the middle ones left out beyond `summarize` at each end."""

        def write(value):
            if isinstance(value, list):
                items = value
                if 0 <= 2 * summarize < len(value):
                    items = [*value[:summarize], ..., *value[len(value) - summarize :]]
                return f"[{', '.join(map(write, items))}]"
            if value is ...:
                return "..."
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

        return write(self.to_list())


def _text(value) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value, separator=", ") if value.size else repr(value.tolist())
    return str(value)


def _number(value):
    """A size as a Python or symbolic integer."""
    return value if isinstance(value, (int, torch.SymInt)) else to_torch(value).item()


def _values(values):
    if isinstance(values, RaggedTensor):
        return values
    values = convert_to_tensor(values)
    if values.shape.rank == 0:
        raise invalid("slice index 0 of dimension 0 out of bounds. [Op:StridedSlice] name: ")
    return values


def _size(values):
    """The number of rows of a tensor or ragged tensor."""
    if isinstance(values, RaggedTensor):
        return values._splits.shape[0] - 1
    return values._data.shape[0]


size_of = _size


def _check_splits(splits, maker) -> None:
    if splits[0] != 0:
        raise invalid(
            f"Arguments to {maker} do not form a valid RaggedTensor:zero\nCondition x == y did not "
            f"hold.\nFirst 1 elements of x:\n[{int(splits[0])}]\nFirst 1 elements of y:\n[0]"
        )
    steps = part.lengths_of(splits)
    if (steps < 0).any():
        raise invalid(
            f"Arguments to {maker} do not form a valid RaggedTensor:monotonic.  \nCondition x >= 0 "
            f"did not hold element-wise:\nx = {steps.tolist()}"
        )


def _not_ascending(maker, steps):
    return invalid(
        f"Arguments to {maker} do not form a valid RowPartition.  \nCondition x >= 0 did not hold "
        f"element-wise:\nx = {steps.tolist()}"
    )


def _check_count(values, splits) -> None:
    size = _size(values)
    if is_fake(splits) or not isinstance(size, int):
        return
    if splits[-1] != size:
        raise invalid(
            "Arguments to _from_row_partition do not form a valid RaggedTensor\nCondition x == y "
            f"did not hold.\nFirst 1 elements of x:\n[{int(splits[-1])}]\nFirst 1 elements of y:\n"
            f"[{size}]"
        )


def array_ops_axis(axis, rank, name="axis") -> int:
    """A non-negative axis.

    Raises:
        ValueError: if it is out of range.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"{name}={axis} out of bounds: expected {-rank}<={name}<{rank}")
    return axis % rank


def _sizes(shape, rank) -> list:
    if isinstance(shape, TensorShape) or not is_tensor_type(shape):
        shape = TensorShape(shape)
        if shape.rank is None:
            return [None] * rank
        sizes = shape.as_list()
    else:
        sizes = [None if s == -1 else s for s in to_torch(shape).tolist()]
    if len(sizes) != rank:
        raise invalid(f"shape {sizes} must have rank {rank} [Op:RaggedTensorToTensor]")
    return sizes


def _to_tensor(rt, default, sizes):
    values, inner_sizes = rt._values, sizes[1:]
    if isinstance(values, RaggedTensor):
        values = _to_tensor(values, default, [None, *inner_sizes[1:]])
    else:
        for axis, size in enumerate(inner_sizes[1:], 1):
            have = values._data.shape[axis]
            if size is not None and have != size:
                raise invalid(
                    f"shape {sizes} is incompatible with the inner sizes "
                    f"{list(values.shape)[1:]} [Op:RaggedTensorToTensor]"
                )
    if inner_sizes[0] is not None:
        width = inner_sizes[0]
    else:
        width = part.longest(rt._splits) if rt._uniform is None else rt._uniform
    inner = list(values._data.shape[1:])
    filler = array_ops.broadcast_to(default, inner) if inner else default
    splits = rt._splits
    if sizes[0] is not None:
        more = splits[-1:].expand(sizes[0])  # rows without values
        splits = torch.cat([splits, more])[: sizes[0] + 1]
    return part.pad_rows(values, splits, filler, width)


def merge_dims(value, outer: int, inner: int):
    """Joins the axes from `outer` to `inner` of a tensor or ragged tensor."""
    if outer == inner:
        return value
    if not isinstance(value, RaggedTensor):
        shape = value._data.shape
        sizes = [*shape[:outer], -1, *shape[inner + 1 :]]
        return array_ops.reshape(value, sizes)
    if outer > 0:
        if outer == 1 and not isinstance(value._values, RaggedTensor):
            inner_values, count = value._values, 1
            for size in inner_values._data.shape[1:inner]:
                count *= size
            merged = merge_dims(inner_values, 0, inner - 1)
            return RaggedTensor._of(merged, value._splits * count)
        if outer == 1:
            inner_rt = value._values
            splits = inner_rt._splits[value._splits]
            rest = RaggedTensor._of(inner_rt._values, splits)
            return merge_dims(rest, 1, inner - 1)
        return value.with_values(merge_dims(value._values, outer - 1, inner - 1))
    return merge_dims(value._values, 0, inner - 1)


class RaggedTensorSpec(TypeSpec):
    """The type of a ragged tensor (source: `tf.RaggedTensorSpec`).

    Args:
        shape: a partial shape; None sizes for ragged axes. Not needed if `ragged_rank` is given.
        dtype: the type of the values.
        ragged_rank: the number of ragged axes; the rank of `shape` less one by default.
        row_splits_dtype: int32 or int64.
        flat_values_spec: the spec of the flat values, if they are no plain tensor.
    """

    __slots__ = ("_dtype", "_flat_values_spec", "_ragged_rank", "_row_splits_dtype", "_shape")

    def __init__(
        self, shape=None, dtype=dtypes.float32, ragged_rank=None, row_splits_dtype=dtypes.int64,
        flat_values_spec=None,
    ):  # fmt: skip
        self._shape = TensorShape(shape)
        self._row_splits_dtype = dtypes.as_dtype(row_splits_dtype)
        if flat_values_spec is not None:
            if dtype is None:
                dtype = flat_values_spec.dtype
            elif dtype != flat_values_spec.dtype:
                raise ValueError("dtype must be the same as flat_values_spec.dtype")
        elif dtype is None:
            raise ValueError("At least one of dtype or flat_values_spec must be provided")
        self._dtype = dtypes.as_dtype(dtype)
        self._flat_values_spec = flat_values_spec
        rank = self._shape.rank
        if ragged_rank is None:
            if rank is None:
                raise ValueError("Must specify ragged_rank or a shape with a known rank.")
            ragged_rank = rank - 1
        if not isinstance(ragged_rank, int):
            raise TypeError(f"Argument `ragged_rank` must be an int. Received {ragged_rank}.")
        if rank is not None and ragged_rank >= rank:
            raise ValueError(
                f"Argument `ragged_rank` ({ragged_rank}) must be less than rank ({rank})."
            )
        self._ragged_rank = ragged_rank

    @classmethod
    def from_value(cls, value) -> RaggedTensorSpec:
        if isinstance(value, RaggedTensor):
            return cls(
                value.shape, value.dtype, value.ragged_rank,
                dtypes.as_dtype(value._splits.dtype),
            )  # fmt: skip
        return cls(value.shape, value.dtype, 0)

    @property
    def dtype(self) -> dtypes.DType:
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        return self._shape

    @property
    def ragged_rank(self) -> int:
        return self._ragged_rank

    @property
    def row_splits_dtype(self) -> dtypes.DType:
        return self._row_splits_dtype

    @property
    def flat_values_spec(self):
        return self._flat_values_spec

    @property
    def value_type(self):
        return RaggedTensor if self._ragged_rank > 0 else Tensor

    @property
    def _component_specs(self) -> list:
        if self._ragged_rank == 0:
            return [TensorSpec(self._shape, self._dtype)]
        inner = self._shape[self._ragged_rank + 1 :]
        flat = self._flat_values_spec or TensorSpec(
            TensorShape([None]).concatenate(inner), self._dtype
        )
        first = self._shape[0] if self._shape.rank is not None else None
        outer = TensorSpec([None if first is None else first + 1], self._row_splits_dtype)
        others = [TensorSpec([None], self._row_splits_dtype)] * (self._ragged_rank - 1)
        return [flat, outer, *others]

    def _to_components(self, value) -> list:
        if isinstance(value, RaggedTensor):
            return [value.flat_values, *value.nested_row_splits]
        return [value]

    def _from_components(self, components):
        result = components[0]
        if self._ragged_rank == 0:
            return result
        sizes = self._shape.as_list() if self._shape.rank is not None else []
        for axis in range(self._ragged_rank, 0, -1):
            splits = to_torch(components[axis])
            uniform = sizes[axis] if axis < len(sizes) else None
            result = RaggedTensor._of(convert(result), splits, uniform)
        return result

    def _serialize(self) -> tuple:
        fields = (self._shape, self._dtype, self._ragged_rank, self._row_splits_dtype)
        return fields if self._flat_values_spec is None else (*fields, self._flat_values_spec)

    def _batch(self, batch_size) -> RaggedTensorSpec:
        shape = TensorShape([batch_size]).concatenate(self._shape)
        return RaggedTensorSpec(shape, self._dtype, self._ragged_rank + 1, self._row_splits_dtype)

    def _unbatch(self):
        if self._ragged_rank == 0:
            return TensorSpec(self._shape[1:], self._dtype)
        return RaggedTensorSpec(
            self._shape[1:], self._dtype, self._ragged_rank - 1, self._row_splits_dtype
        )

    def is_compatible_with(self, spec_or_value) -> bool:
        other = spec_or_value
        if not isinstance(other, TypeSpec):
            if self._ragged_rank == 0 and is_tensor_type(other):
                return self._dtype is other.dtype and self._shape.is_compatible_with(other.shape)
            if not isinstance(other, RaggedTensor):
                return False
            other = other._type_spec
        return (
            isinstance(other, RaggedTensorSpec)
            and self._dtype is other._dtype
            and self._ragged_rank == other._ragged_rank
            and self._row_splits_dtype is other._row_splits_dtype
            and self._shape.is_compatible_with(other._shape)
        )

    def is_subtype_of(self, other) -> bool:
        return self.is_compatible_with(other) and self._shape.is_subtype_of(other._shape)

    def most_specific_compatible_type(self, other) -> RaggedTensorSpec:
        if (
            not isinstance(other, RaggedTensorSpec)
            or self._serialize()[1:] != other._serialize()[1:]
        ):
            raise ValueError(f"Types are not compatible: {self!r} vs {other!r}")
        shape = self._shape.most_specific_compatible_shape(other._shape)
        return RaggedTensorSpec(
            shape, self._dtype, self._ragged_rank, self._row_splits_dtype, self._flat_values_spec
        )

    def __eq__(self, other):
        return type(other) is type(self) and self._serialize() == other._serialize()

    def __hash__(self):
        return hash(self._serialize())

    def __repr__(self):
        fields = ", ".join(map(repr, self._serialize()))
        return f"RaggedTensorSpec({fields})"

    def __reduce__(self):
        return RaggedTensorSpec, (
            self._shape, self._dtype, self._ragged_rank, self._row_splits_dtype,
            self._flat_values_spec,
        )  # fmt: skip


def _refuse_conversion(value, dtype=None, name=None, as_ref=False):
    raise ValueError(
        "Failed to convert a RaggedTensor to a Tensor: rows may differ in length. Use "
        "RaggedTensor.to_tensor()."
    )


register_conversion(RaggedTensor, _refuse_conversion)
