"""Nodes that stack elements and take stacks apart: batch, padded_batch, unbatch, rebatch."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from torchtf import array_ops
from torchtf.core import errors
from torchtf.core.shape import TensorShape, brackets
from torchtf.core.specs import TensorSpec
from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk, column_of, concat, values
from torchtf.data._elementwise import Map
from torchtf.data._parallel import Calls
from torchtf.data._plan import INFINITE, UNKNOWN, Buffered, Failed, Node, Unary, UnaryStage, collect


class Batch(Unary):
    """`size` elements stacked into one (source: `tf.data.Dataset.batch`).

    Args:
        parallel: how many batches may be stacked at once, in threads; None for one.
        deterministic: whether they keep their order; None leaves it to the options.
    """

    def __init__(
        self, source: Node, size: int, drop_remainder: bool, parallel: int | None = None,
        deterministic: bool | None = None,
    ):  # fmt: skip
        super().__init__(source)
        self.size, self.drop_remainder = size, drop_remainder
        self.parallel, self.deterministic = parallel, deterministic
        self.spec = self._batched_spec()

    def _batched_spec(self):
        known = self.size if self.drop_remainder else None
        return structure.map_structure(lambda s: structure.batched(s, known), self.source.spec)

    def cardinality(self):
        known = self.source.cardinality()
        if known < 0:
            return known
        return known // self.size if self.drop_remainder else -(-known // self.size)

    def start(self, run):
        workers = 1 if self._slices() else run.parallel(self.parallel)
        if workers == 1:
            return _BatchStage(run.start(self.source), self)
        calls = Calls(workers, "batch", run.ordered(self.deterministic), run.limited)
        return _BatchStage(run.start(self.source), self, calls)

    def _slices(self) -> bool:
        """Whether batches are slices of the chunks that come, so that nothing is left to do."""
        leaves = structure.flatten(self.source.spec)
        return all(structure.is_dense(s) and s.shape.is_fully_defined() for s in leaves)

    @property
    def tf_name(self):
        return f"_{'' if self.parallel is None else 'Parallel'}{type(self).__name__}Dataset"

    def stack(self, chunk: Chunk, count: int) -> list:
        """`count` batches as columns: each batch one element of the column.

        Raises:
            InvalidArgumentError: if the shapes within one batch differ.
        """
        leaves = structure.flatten(self.source.spec)
        return [
            self.stack_component(column, count, leaf, i)
            for i, (column, leaf) in enumerate(zip(chunk.columns, leaves, strict=True))
        ]

    def stack_component(self, column, count: int, leaf, index: int):
        """A column of elements as a column of `count` batches."""
        if not isinstance(column, list):
            return column.reshape(count, len(column) // count, *column.shape[1:])
        if isinstance(leaf, structure.NoneTensorSpec):
            return [None] * count
        parts = _parts(column, count)
        if structure.is_dense(leaf):
            return column_of([self._stack_dense(part, index) for part in parts])
        return [stack_composites(part, leaf) for part in parts]

    def _stack_dense(self, items, index):
        stacked = column_of(items)
        if not isinstance(stacked, list):
            return stacked
        first = tuple(items[0].shape)
        number = next(i for i, x in enumerate(items) if tuple(x.shape) != first)
        text = self._mismatch(index, first, number, items[number].shape)
        raise errors.InvalidArgumentError(None, None, text)

    def _mismatch(self, index: int, first, number: int, other) -> str:
        """What is wrong when element `number` of a batch has another shape than the first."""
        if isinstance(self.source, Map):  # TensorFlow fuses the two, and says it in other words
            return (
                "Cannot add tensor to the batch: number of elements does not match. Shapes are: "
                f"[tensor]: {brackets(other)}, [batch]: {brackets(first)}"
            )
        return (
            f"Cannot batch tensors with different shapes in component {index}. First element had "
            f"shape {brackets(first)} and element {number} had shape {brackets(other)}."
        )

    def label(self):
        drop = ", drop" if self.drop_remainder else ""
        parallel = "" if self.parallel is None else f", num_parallel_calls={self.parallel}"
        return f"{type(self).__name__}({self.size}{drop}{parallel})"


_ANY = 2**62


class _BatchStage(UnaryStage):
    def __init__(self, source, node: Batch, calls: Calls | None = None):
        super().__init__(source)
        self._node = node
        self._calls = calls
        self.where = "" if calls is None else f"in {calls.workers} threads"
        self._failed = Failed()
        self._held: Chunk | None = None  # complete batches behind one that failed, a remainder
        self._most = _ANY  # how many batches the source has elements for at once
        self._largest = 0  # the size of its largest chunk
        self._varies = False  # whether its chunks are cut where its elements are, as a filter's

    def next(self, n):
        if self._calls is None:
            return self._next(n)
        while self._calls.room:
            try:
                elements, error = self._gathered()
            except StopIteration:
                break
            if elements:
                self._calls.add(self._stacked, elements)
            if error is not None:
                self._calls.add_error(error)
        return self._calls.result() if self._calls else None

    def _gathered(self) -> tuple[list[Chunk], Exception | None]:
        """The elements of the next batch, or the error in their place."""
        size = self._node.size
        chunks, count, error = collect(self.source.next, size)
        if error is None and (not count or (count < size and self._node.drop_remainder)):
            raise StopIteration
        return ([] if error is not None else chunks), error

    def _stacked(self, chunks) -> Chunk:
        return Chunk(self._node.stack(concat(chunks), 1), 1)

    def close(self):
        if self._calls is not None:
            self._calls.close()
        super().close()

    def _next(self, n):
        self._failed.check()
        size = self._node.size
        whole, error = self._gathered_for(n)
        if whole is None:
            if error is not None:
                raise error
            return None
        full = whole.size // size
        if not full:
            if error is not None:
                raise error
            return None if self._node.drop_remainder else self._stack(whole, 1)
        rest = whole.slice(full * size, whole.size) if whole.size > full * size else None
        if error is not None:
            self._failed.keep(error)  # what the failed batch had of elements is lost
        else:
            self._held = rest
        return self._stack(whole.slice(0, full * size), full)

    def _gathered_for(self, n) -> tuple[Chunk | None, Exception | None]:
        """The elements of up to n batches: what is held, else as many as come in one chunk."""
        size = self._node.size
        whole, self._held = self._held, None
        chunks, count = ([], 0) if whole is None else ([whole], whole.size)
        wanted = min(n, self._most) * size if count < size else count
        error = None
        while count < wanted:
            asked = wanted - count
            try:
                chunk = self.source.next(asked)
            except Exception as e:
                error = e
                break
            if chunk is None:
                break
            chunks.append(chunk)
            count += chunk.size
            if chunk.size < asked <= self._largest:
                self._varies, self._most = True, _ANY
            self._largest = max(self._largest, chunk.size)
            if size <= chunk.size and count < wanted:
                # joining chunks would copy them: whole batches of this one, and next time as many
                if not self._varies:
                    self._most = count // size
                break
        return (concat(chunks) if chunks else None), error

    def _stack(self, chunk, count):
        try:
            return Chunk(self._node.stack(chunk, count), count)
        except errors.InvalidArgumentError:
            if count == 1:
                raise
        # find the batch that fails; keep those behind it
        size = chunk.size // count
        done = []
        for i in range(count):
            try:
                done.append(Chunk(self._node.stack(chunk.slice(i * size, (i + 1) * size), 1), 1))
            except errors.InvalidArgumentError as e:
                rest = [chunk.slice((i + 1) * size, chunk.size)] if i + 1 < count else []
                rest += [self._held] if self._held is not None else []
                self._held = concat(rest) if rest else None
                if not done:
                    raise
                self._failed.keep(e)
                break
        return concat(done)


def _parts(column, count: int) -> list:
    """The values of a column in `count` lists of equal length."""
    items = values(column)
    size = len(items) // count
    return [items[i * size : (i + 1) * size] for i in range(count)]


def stack_composites(items, spec):
    """Composite components (ragged, sparse, datasets) stacked along a new first axis."""
    import torchtf as tf

    kind = type(spec).__name__
    if kind == "RaggedTensorSpec":
        if spec.ragged_rank == 0:
            return ragged_of_rows(items, spec._batch(None))
        return tf.ragged.stack(items)
    if kind == "SparseTensorSpec":
        return tf.sparse.concat(0, [tf.sparse.expand_dims(x, 0) for x in items], True)
    if hasattr(spec, "_stack"):  # an extension type: of components that are stacked
        return spec._stack(items, _stack_parts)
    raise errors.InvalidArgumentError(
        None, None, f"Elements of type {type(items[0]).__name__} cannot be batched."
    )


def _stack_parts(items, spec):
    """Components, as the user sees them, stacked along a new first axis."""
    if not structure.is_dense(spec):
        return stack_composites(items, spec)
    return array_ops.stack(items)


def ragged_of_rows(items, spec):
    """The ragged tensor of the given spec whose rows are `items`, dense tensors of one rank."""
    rows = [structure.cooked(x) for x in items]
    splits = []
    for depth in range(spec.ragged_rank):
        if depth:
            rows = [part for row in rows for part in row]
        lengths = [row.shape[0] for row in rows]
        splits.append(torch.tensor(np.cumsum([0, *lengths]), dtype=spec.row_splits_dtype.torch))
    parts = [row._data for row in rows if row.shape[0]] or [row._data for row in rows[:1]]
    if not parts:
        sizes = [0, *[size or 0 for size in spec.shape[spec.ragged_rank + 1 :]]]
        strings = spec.dtype.torch is None
        parts = [np.empty(sizes, object) if strings else torch.empty(sizes, dtype=spec.dtype.torch)]
    flat = np.concatenate(parts) if isinstance(parts[0], np.ndarray) else torch.cat(parts)
    return spec._from_components([structure.cooked(x) for x in (flat, *splits)])


# -- padding


class PaddedBatch(Batch):
    """Batches whose elements are padded to one shape (source: `tf.data.Dataset.padded_batch`).

    Args:
        shapes: for each component its padded `TensorShape`; None pads to the largest of a batch.
        fills: for each component the value to pad with.
    """

    def __init__(self, source, size, shapes: Sequence[TensorShape], fills: Sequence, drop: bool):
        self.shapes, self.fills = shapes, fills
        super().__init__(source, size, drop)

    def _batched_spec(self):
        known = self.size if self.drop_remainder else None
        leaves = structure.flatten(self.source.spec)
        return structure.pack(self.source.spec, [
            TensorSpec(TensorShape([known]).concatenate(shape), leaf.dtype)
            for leaf, shape in zip(leaves, self.shapes, strict=True)
        ])  # fmt: skip

    def stack_component(self, column, count, leaf, index):
        shape, fill = self.shapes[index], self.fills[index]
        return column_of([_pad(part, shape, fill, index) for part in _parts(column, count)])


def _pad(items, shape: TensorShape, fill, index: int):
    rank = shape.rank
    if any(x.ndim != rank for x in items):
        other = next(x for x in items if x.ndim != rank)
        raise errors.InvalidArgumentError(
            None, None,
            "All elements in a batch must have the same rank as the padded shape for component"
            f"{index}: expected rank {rank} but got element with rank {other.ndim}",
        )  # fmt: skip
    target = []
    for axis, want in enumerate(shape):
        largest = max(x.shape[axis] for x in items)
        if want is not None and largest > want:
            raise errors.DataLossError(
                None, None, "Attempted to pad to a smaller size than the input element."
            )
        target.append(largest if want is None else want)
    if all(tuple(x.shape) == tuple(target) for x in items):
        return column_of(items)
    first = items[0]
    if isinstance(first, torch.Tensor):
        out = torch.full((len(items), *target), fill, dtype=first.dtype)
    else:
        out = np.empty((len(items), *target), dtype=object)
        out.fill(fill)
    for i, x in enumerate(items):
        out[(i, *(slice(0, s) for s in x.shape))] = x
    return out


# -- the way back


class Unbatch(Unary):
    """The rows of the elements (source: `tf.data.Dataset.unbatch`)."""

    def __init__(self, source: Node):
        super().__init__(source)
        self.spec = structure.map_structure(structure.unbatched, source.spec)
        shapes = [s.shape for s in structure.flatten(source.spec) if structure.is_dense(s)]
        sizes = [s[0] for s in shapes if s.rank and s[0] is not None]
        other = next((s for s in sizes if s != sizes[0]), None)
        if other is not None:
            raise ValueError(
                "`unbatch()` is only supported for datasets of elements whose components have a "
                f"matching leading dimension. Encountered both {sizes[0]} and {other}."
            )

    def cardinality(self):
        known = self.source.cardinality()
        if known <= 0:
            return known
        for leaf in structure.flatten(self.source.spec):
            shape = getattr(leaf, "shape", None)
            if shape is not None and shape.rank and shape[0] is not None:
                return known * shape[0]
        return UNKNOWN

    def start(self, run):
        return Buffered(_UnbatchStage(run.start(self.source)), 0)


class _UnbatchStage(UnaryStage):
    """Gives out the rows of whole elements, however many they have."""

    def next(self, n):
        while (chunk := self.source.next(1)) is not None:
            columns = unstack_all([c[0] for c in chunk.columns])
            sizes = {len(c) for c in columns}
            if len(sizes) > 1:
                raise errors.InvalidArgumentError(
                    None, None,
                    "Input element must have the same batch size in each component. Component 0 "
                    f"had size {len(columns[0])} but component 1 had size "
                    f"{next(len(c) for c in columns if len(c) != len(columns[0]))}.",
                )  # fmt: skip
            if columns and len(columns[0]):
                return Chunk(columns, len(columns[0]))
        return None


def unstack_all(items) -> list:
    """The rows of each component; those of None are as many as of the others."""
    columns = [None if item is None else unstack(item) for item in items]
    count = next((len(c) for c in columns if c is not None), 0)
    return [[None] * count if c is None else c for c in columns]


def unstack(item):
    """The rows of one component as a column."""
    if isinstance(item, np.ndarray) or type(item) is torch.Tensor:
        return item
    if type(item).__name__ == "SparseTensor":
        import torchtf as tf

        count = int(item.dense_shape[0])
        rest = item.dense_shape[1:]
        rows = tf.sparse.split(sp_input=item, num_split=count, axis=0) if count else []
        return [tf.sparse.reshape(row, rest) for row in rows]
    spec = getattr(item, "_type_spec", None)
    if hasattr(spec, "_unstack"):
        return spec._unstack(
            item, lambda part, _: list(map(structure.cooked, unstack(structure.raw(part))))
        )
    return [structure.raw(row) for row in item]


class Rebatch(Unary):
    """Batches of other sizes, from batches (source: `tf.data.Dataset.rebatch`).

    Args:
        sizes: the sizes of the new batches, in turn.
    """

    def __init__(self, source: Node, sizes: Sequence[int], drop_remainder: bool):
        super().__init__(source)
        self.sizes, self.drop_remainder = tuple(sizes), drop_remainder
        self.rows = Unbatch(source)
        known = self._known_size()
        self.spec = structure.map_structure(lambda s: structure.batched(s, known), self.rows.spec)

    def _known_size(self):
        if len(set(self.sizes)) > 1:
            return None
        if self.drop_remainder:
            return self.sizes[0]
        known = {
            leaf.shape[0]
            for leaf in structure.flatten(self.source.spec)
            if hasattr(leaf, "shape") and leaf.shape.rank and leaf.shape[0] is not None
        }
        if len(known) == 1 and next(iter(known)) % self.sizes[0] == 0:
            return self.sizes[0]
        return None

    def cardinality(self):
        return INFINITE if self.source.cardinality() == INFINITE else UNKNOWN

    def stack(self, chunk: Chunk, count: int) -> list:
        return Batch(self.rows, chunk.size, False).stack(chunk, count)

    def start(self, run):
        rows = self.rows.with_inputs(self.inputs)
        return _RebatchStage(rows.start(run), self)


class _RebatchStage(UnaryStage):
    def __init__(self, source, node: Rebatch):
        super().__init__(source)
        self._sizes = itertools.cycle(node.sizes)
        self._node = node

    def next(self, n):
        size = next(self._sizes)
        if not size:
            leaves = structure.flatten(self._node.spec)
            return Chunk([column_of([structure.empty(s)]) for s in leaves], 1)
        chunks, count, error = collect(self.source.next, size)
        if error is not None:
            raise error
        if not count or (count < size and self._node.drop_remainder):
            return None
        whole = concat(chunks)
        return Chunk(self._node.stack(whole, 1), 1)
