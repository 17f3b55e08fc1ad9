"""`tf.experimental.DynamicRaggedShape`: the shape of a ragged or dense tensor, as a value."""

from __future__ import annotations

import torch

from torchtf import array_ops, debugging, math
from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor, sizes_of, to_shape
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import Tensor, wrap
from torchtf.experimental.extension_type import ExtensionType
from torchtf.experimental.row_partition import RowPartition, RowPartitionSpec
from torchtf.ragged import RaggedTensor
from torchtf.ragged._dispatch import broadcast
from torchtf.ragged._tensor import convert, size_of

_INDEX_TYPES = (dtypes.int32, dtypes.int64)


class DynamicRaggedShape(ExtensionType):
    """The shape of a ragged or dense tensor (source: `tf.experimental.DynamicRaggedShape`).

    It is what `tf.shape` gives for a ragged tensor; `tf.reshape`, `tf.zeros`, `tf.ones`, `tf.fill`,
    `tf.broadcast_to` and `tf.broadcast_dynamic_shape` take it.

    Args:
        row_partitions: the `RowPartition`s of the ragged axes, outermost first; none for a dense
            shape.
        inner_shape: the shape of the flat values, a vector of integers.
        dtype: int32 or int64; by default that of the first part that has one, else int64.
        validate: whether to check that the parts fit, which costs a look at their elements.
        static_inner_shape: what is known of `inner_shape`.

    Raises:
        TypeError: if a partition is none.
        ValueError: for another type, a matrix as `inner_shape`, or parts that are known not to fit.
        InvalidArgumentError: with `validate`, if the parts do not fit.
    """

    _inner_shape: Tensor
    _row_partitions: tuple[RowPartition, ...]
    _static_inner_shape: TensorShape

    def __init__(
        self, row_partitions, inner_shape, dtype=None, validate=False, static_inner_shape=None
    ):
        for partition in row_partitions:
            if not isinstance(partition, RowPartition):
                raise TypeError(f"row_partitions contains {partition} which is not a RowPartition")
        dtype = _common_type(dtype, row_partitions, inner_shape)
        self._row_partitions = tuple(p.with_dtype(dtype) for p in row_partitions)
        self._inner_shape = math.cast(convert_to_tensor(inner_shape, dtype_hint=dtype), dtype)
        if self._inner_shape.shape.rank not in (1, None):
            raise ValueError(f"Shape {self._inner_shape.shape} must have rank 1")
        self._static_inner_shape = _static(self._inner_shape).merge_with(static_inner_shape)
        self._check(validate)

    def _check(self, validate):
        """Raises unless each partition has as many values as there are rows below it."""
        partitions = self._row_partitions
        for i, partition in enumerate(partitions):
            if i + 1 < len(partitions):
                below = partitions[i + 1]
                static, count = below.static_nrows, below.nrows()
                between = f"between {i} and {i + 1}"
                problem = f"RowPartitions in DynamicRaggedShape do not align {between}"
            else:
                inner = self._static_inner_shape
                static, count = inner[0] if inner.rank else None, self._inner_shape[0]
                problem = "Last row partition does not match inner_shape."
            if static is not None and partition.static_nvals is not None:
                if static != partition.static_nvals:
                    raise ValueError(problem)
            elif validate:
                debugging.assert_equal(partition.nvals(), count, message=problem)

    @classmethod
    def from_lengths(cls, lengths, num_row_partitions=None, dtype=dtypes.int64):
        """Of the lengths of each axis: an int, or a tuple of one for each row above it.

        Args:
            lengths: a list of them.
            num_row_partitions: how many axes are kept as row partitions; by default up to the last
                that is ragged.
            dtype: int32 or int64.

        Raises:
            ValueError: if the lengths do not fit each other or the number of partitions.
        """
        if not isinstance(lengths, list):
            raise ValueError("lengths should be a list")
        for item in lengths:
            if not isinstance(item, int) and not (
                isinstance(item, tuple) and all(isinstance(n, int) for n in item)
            ):
                raise ValueError(
                    f"element of lengths should be int or tuple of ints: instead {item!r}"
                )
        count = num_row_partitions
        if count is None:
            count = max((i for i, n in enumerate(lengths) if isinstance(n, tuple)), default=0)
        if not isinstance(count, int):
            raise ValueError("num_row_partitions should be an int or None")
        if not lengths and count:
            raise ValueError("num_row_partitions==0 for a scalar shape")
        if lengths and count >= len(lengths):
            raise ValueError(
                "num_row_partitions should be less than `len(lengths)` if shape is not scalar."
            )
        if not lengths:
            return cls([], [], dtype)
        partitions, size = [], lengths[0]
        for item in lengths[1 : count + 1]:
            if isinstance(item, int):
                partitions.append(RowPartition.from_uniform_row_length(item, nrows=size))
                size *= item
            elif len(item) != size:
                raise ValueError("Shape not consistent.")
            else:
                partitions.append(RowPartition.from_row_lengths(list(item)))
                size = sum(item)
        return cls(partitions, [size, *lengths[count + 1 :]], dtype)

    @classmethod
    def from_row_partitions(cls, row_partitions, dtype=None):
        """Of partitions whose last one divides single values.

        Raises:
            ValueError: if there are none.
        """
        if not row_partitions:
            raise ValueError("row_partitions cannot be empty")
        return cls(row_partitions, array_ops.stack([row_partitions[-1].nvals()]), dtype)

    @classmethod
    def from_tensor(cls, t, dtype=None):
        """The shape of a tensor or ragged tensor."""
        partitions = []
        while isinstance(t, RaggedTensor):
            places = array_ops.range(size_of(t.values), dtype=t.row_splits.dtype)
            partitions.append(RowPartition(RaggedTensor._of(places, t._splits, t._uniform)))
            t = t.values
        kind = partitions[0].dtype if partitions else dtype
        return cls(partitions, array_ops.shape(t, kind), dtype)

    # -- what it is

    @property
    def row_partitions(self) -> tuple:
        """The partitions of the ragged axes, outermost first."""
        return self._row_partitions

    @property
    def num_row_partitions(self) -> int:
        return len(self._row_partitions)

    @property
    def inner_shape(self) -> Tensor:
        """The shape of the flat values."""
        return self._inner_shape

    @property
    def inner_rank(self) -> int | None:
        return self._static_inner_shape.rank

    @property
    def rank(self) -> int | None:
        inner = self.inner_rank
        return None if inner is None else self.num_row_partitions + inner

    @property
    def dtype(self) -> dtypes.DType:
        return self._inner_shape.dtype

    def is_uniform(self, axis) -> bool:
        """Whether the slices along an axis are known to be of one length.

        Raises:
            TypeError: if the axis is no int.
            IndexError: if it is out of range.
        """
        if not isinstance(axis, int):
            raise TypeError("axis must be an integer")
        if axis < 0:
            raise IndexError("Negative axis values are not supported")
        if self.rank is not None and axis >= self.rank:
            raise IndexError(f"Expected axis={axis} < rank={self.rank}")
        ragged = 0 < axis <= self.num_row_partitions
        return not ragged or self._row_partitions[axis - 1].is_uniform()

    def static_lengths(self, ragged_lengths=True) -> list:
        """What is known of the length of each axis: an int, a tuple for a ragged one, or None.

        Args:
            ragged_lengths: if False, None for all ragged axes.
        """
        inner = [...] if self.inner_rank is None else self._static_inner_shape.as_list()
        if not self._row_partitions:
            return inner
        lengths: list = [self._row_partitions[0].static_nrows]
        for partition in self._row_partitions:
            if partition.is_uniform():
                lengths.append(partition.static_uniform_row_length)
            else:
                rows = partition.row_lengths()
                known = ragged_lengths and not rows.is_symbolic_tensor
                lengths.append(tuple(rows.numpy().tolist()) if known else None)
        return lengths + (inner if self.inner_rank is None else inner[1:])

    def _to_tensor_shape(self) -> TensorShape:
        return TensorShape(None if self.rank is None else self.static_lengths(False))

    def __repr__(self):
        lengths = ", ".join("..." if n is ... else str(n) for n in self.static_lengths())
        count = self.num_row_partitions
        return f"<DynamicRaggedShape lengths=[{lengths}] num_row_partitions={count}>"

    # -- parts of it

    def __getitem__(self, index):
        """The size of an axis, or the shape of a range of axes.

        Raises:
            TypeError: if the index is neither an int nor a slice.
            IndexError: if it is out of range, or a slice has a step.
            ValueError: if an axis is ragged, unless it is in a slice from axis 0.
        """
        if isinstance(index, slice):
            if index.step not in (None, 1):
                raise IndexError("Cannot stride through a shape")
            start, stop, _ = slice(index.start, index.stop).indices(self._known_rank())
            return self._slice(start, stop)
        if not isinstance(index, int):
            raise TypeError("Argument is not an int or a slice")
        return self._dimension(index + self._known_rank() if index < 0 else index)

    def _known_rank(self) -> int:
        if self.rank is None:
            raise ValueError("Rank must be known to use __getitem__ here.")
        return self.rank

    def _dimension(self, index: int):
        count = self.num_row_partitions
        if index < 0:
            raise IndexError(f"Index must be non-negative: {index}")
        if not self.is_uniform(index):
            raise ValueError(f"Index {index} is not uniform")
        if count == 0 or index > count:
            return self._inner_shape[index - count]
        if index == 0:
            return self._row_partitions[0].nrows()
        return self._row_partitions[index - 1].uniform_row_length()

    def _slice(self, start: int, stop: int) -> DynamicRaggedShape:
        if stop <= start:
            return DynamicRaggedShape([], [])
        count = self.num_row_partitions
        if stop == self.rank:
            begin = self
        elif stop > count:
            begin = DynamicRaggedShape(self._row_partitions, self._inner_shape[: stop - count])
        elif stop > 1:
            begin = DynamicRaggedShape.from_row_partitions(self._row_partitions[: stop - 1])
        else:
            begin = DynamicRaggedShape([], [self._row_partitions[0].nrows()])
        if start == 0:
            return begin
        if not all(p.is_uniform() for p in begin.row_partitions):
            raise ValueError("All relevant dimensions must be uniform")
        return DynamicRaggedShape([], begin._with_num_row_partitions(0).inner_shape[start:])

    # -- the same shape in other forms

    def with_dtype(self, dtype) -> DynamicRaggedShape:
        """The same shape with integers of another type."""
        if dtype == self.dtype:
            return self
        return DynamicRaggedShape(self._row_partitions, self._inner_shape, dtype)

    def _with_num_row_partitions(self, count: int) -> DynamicRaggedShape:
        """The same shape with uniform axes moved into, or out of, the inner shape.

        Raises:
            ValueError: if that is not possible.
        """
        have, sizes = self.num_row_partitions, to_shape(self._inner_shape)
        if count == have:
            return self
        if not 0 <= count < self._known_rank():
            raise ValueError("num_row_partitions must be less than rank")
        partitions = list(self._row_partitions)
        if count < have:
            moved = partitions[count:]
            if not all(p.is_uniform() for p in moved):
                raise ValueError("Cannot get an inner shape over a ragged dimension")
            lengths = [to_shape(p.uniform_row_length())[0] for p in moved]
            sizes = [to_shape(moved[0].nrows())[0], *lengths, *sizes[1:]]
            return DynamicRaggedShape(partitions[:count], sizes, self.dtype)
        total = sizes[0]
        for length in sizes[1 : count - have + 1]:
            partitions.append(RowPartition.from_uniform_row_length(length, nrows=total))
            total = total * length
        return DynamicRaggedShape(partitions, [total, *sizes[count - have + 1 :]], self.dtype)

    def _num_elements(self) -> Tensor:
        return math.reduce_prod(self._inner_shape)

    def _add_row_partitions(self, flat_values):
        """The ragged tensor of this shape with these flat values; they themselves if dense."""
        for partition in reversed(self._row_partitions):
            rows = partition._ragged
            flat_values = RaggedTensor._of(flat_values, rows._splits, rows._uniform)
        return flat_values

    def _mask(self):
        """A tensor or ragged tensor of this shape; its elements take no memory."""
        one = torch.ones((), dtype=torch.bool)
        return self._add_row_partitions(wrap(one.expand(to_shape(self._inner_shape))))

    @staticmethod
    def __tf_dispatch__(op, args):
        handler = _HANDLERS.get(op.name)
        if handler is None:
            raise ValueError(f"{op.name} does not take a DynamicRaggedShape; use its inner_shape.")
        return handler(op, **dict(zip(op.signature.parameters, args, strict=True)))

    class Spec:
        """The type spec of a `DynamicRaggedShape`.

        Args:
            row_partitions: the specs of the row partitions.
            static_inner_shape: what is known of the shape of the flat values.
            dtype: int32 or int64.

        Raises:
            TypeError: if a row partition's spec is none.
            ValueError: for another type, or partitions of a scalar.
        """

        def __init__(self, row_partitions, static_inner_shape, dtype):
            partitions = tuple(row_partitions)
            if not all(isinstance(p, RowPartitionSpec) for p in partitions):
                raise TypeError("row_partitions should be an Iterable of RowPartitionSpecs")
            dtype, inner = dtypes.as_dtype(dtype), TensorShape(static_inner_shape)
            if dtype not in _INDEX_TYPES:
                raise ValueError("dtype must be tf.int32 or tf.int64")
            for spec in partitions:
                if spec.dtype != dtype:
                    raise ValueError(f"dtype of {spec!r} is {spec.dtype!r}: expected {dtype!r}")
            if partitions and inner.rank == 0:
                raise ValueError("If row_partitions are provided, must have inner_rank > 0")
            self._row_partitions = partitions
            self._static_inner_shape = inner
            self._inner_shape = TensorSpec([inner.rank], dtype)

        @property
        def dtype(self):
            return self._inner_shape.dtype

        @property
        def inner_rank(self):
            return self._static_inner_shape.rank

        @property
        def num_row_partitions(self):
            return len(self._row_partitions)

        @property
        def rank(self):
            inner = self.inner_rank
            return None if inner is None else self.num_row_partitions + inner

        def __repr__(self):
            return (
                f"DynamicRaggedShape.Spec(row_partitions={self._row_partitions!r}, "
                f"static_inner_shape={self._static_inner_shape!r}, dtype={self.dtype!r})"
            )


def _common_type(dtype, partitions, inner_shape) -> dtypes.DType:
    """The type asked for, or that of the first part that has one.

    Raises:
        ValueError: if it is not int32 or int64.
    """
    if dtype is None:
        given = [p.dtype for p in partitions]
        dtype = next(iter(given), getattr(inner_shape, "dtype", dtypes.int64))
    dtype = dtypes.as_dtype(dtype)
    if dtype not in _INDEX_TYPES:
        raise ValueError(f"Illegal dtype: {dtype}")
    return dtype


def _static(sizes: Tensor) -> TensorShape:
    """The `TensorShape` that a vector of sizes is known to stand for."""
    if not sizes.is_symbolic_tensor:
        return TensorShape(sizes.numpy().tolist())
    known = sizes_of(sizes)
    if known is None:
        return TensorShape(None if sizes.shape[0] is None else [None] * sizes.shape[0])
    return TensorShape([s if isinstance(s, int) else None for s in known])


# -- the functions that take such a shape


def _reshape(op, tensor, shape, name):
    tensor = convert(tensor)
    flat = tensor.flat_values if isinstance(tensor, RaggedTensor) else tensor
    return shape._add_row_partitions(op.public(flat, shape.inner_shape, name))


def _filled(op, shape, dtype, name, layout):
    return shape._add_row_partitions(op.public(shape.inner_shape, dtype, name, layout))


def _fill(op, dims, value, name, layout):
    return dims._add_row_partitions(op.public(dims.inner_shape, value, name, layout))


def _broadcast_to(op, input, shape, name):
    value = convert(input)
    if isinstance(value, RaggedTensor):
        if shape.num_row_partitions and value.row_splits.dtype != shape.dtype:
            raise ValueError("Cannot coerce row_splits.dtype")
    elif not shape.num_row_partitions or value.shape.rank == 0:
        return shape._add_row_partitions(op.public(value, shape.inner_shape, name))
    if value.shape.rank > shape._known_rank():
        raise ValueError("Cannot broadcast to a shape with smaller rank")
    (flat, mask), _ = broadcast([value, shape._mask()])
    flat = op.public(flat, array_ops.shape(mask))
    return shape._add_row_partitions(array_ops.reshape(flat, shape.inner_shape, name))


def _broadcast_dynamic_shape(op, shape_x, shape_y):
    x, y = (
        s if isinstance(s, DynamicRaggedShape) else DynamicRaggedShape([], s)
        for s in (shape_x, shape_y)
    )
    partitioned = [s for s in (x, y) if s.num_row_partitions]
    if len(partitioned) == 2 and x.dtype != y.dtype:
        raise ValueError("Dtypes don't match")
    dtype = partitioned[0].dtype if partitioned else dtypes.int64
    if x.dtype != y.dtype:
        x, y = x.with_dtype(dtype), y.with_dtype(dtype)
    if not partitioned:
        return DynamicRaggedShape([], op.public(x.inner_shape, y.inner_shape))
    if 0 in (x.rank, y.rank):
        return y if x.rank == 0 else x
    (a, b), rebuild = broadcast([x._mask(), y._mask()])
    rank = max(x.rank, y.rank)
    count = max(s.num_row_partitions + rank - s.rank for s in partitioned)
    found = DynamicRaggedShape.from_tensor(rebuild(math.logical_and(a, b)), x.dtype)
    return found._with_num_row_partitions(count)


_HANDLERS = {
    "broadcast_dynamic_shape": _broadcast_dynamic_shape,
    "broadcast_to": _broadcast_to,
    "fill": _fill,
    "ones": _filled,
    "reshape": _reshape,
    "zeros": _filled,
}
