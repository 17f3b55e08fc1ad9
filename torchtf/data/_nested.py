"""Nodes whose elements come from, or go into, datasets of their own.

flat_map, interleave, window, group_by_window.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, wait

import torch

from torchtf.core import dtypes, errors
from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk, chunk_of, concat
from torchtf.data._elementwise import with_elements
from torchtf.data._parallel import Calls
from torchtf.data._plan import (
    AUTOTUNE,
    INFINITE,
    UNKNOWN,
    Buffered,
    Failed,
    Node,
    Run,
    Stage,
    Unary,
    UnaryStage,
    block_size,
    collect,
)
from torchtf.data._sources import Elements
from torchtf.data._traced import Function

# how many datasets are read at the same time at most
_MOST_THREADS = 32


def dataset_of(node: Node):
    """The dataset with this plan."""
    from torchtf.data._dataset import Dataset

    return Dataset(node)


def check_dataset_function(function: Function) -> None:
    from torchtf.data._dataset import DatasetSpec

    if not isinstance(function.spec, DatasetSpec):
        kind = type(function.spec)
        raise TypeError(f"The `map_func` argument must return a `Dataset` object. Got {kind!r}.")


class Interleave(Unary):
    """The elements of the datasets that a function gives, by turns.

    (source: `tf.data.Dataset.interleave`; with a cycle length of 1, `flat_map`)

    Args:
        cycle: how many datasets are read by turns.
        block: how many elements of each before the next has its turn.
        parallel: how many of them are read ahead at once, in threads; None for none.
        deterministic: whether a dataset that is not ready is waited for when it has its turn; None
            leaves it to the options.
        buffered: how many elements of each may be read ahead; `block` if None.
    """

    def __init__(
        self, source: Node, function: Function, cycle: int, block: int, name: str,
        parallel: int | None = None, deterministic: bool | None = None,
        buffered: int | None = None,
    ):  # fmt: skip
        super().__init__(source)
        check_dataset_function(function)
        self.function, self.cycle, self.block, self.name = function, cycle, block, name
        self.parallel, self.deterministic, self.buffered = parallel, deterministic, buffered
        self.spec = function.spec.element_spec

    def cardinality(self):
        return UNKNOWN

    def start(self, run):
        return _InterleaveStage(run, self)

    def label(self):
        if self.name == "FlatMap":
            return f"FlatMap({self.function.name})"
        return (
            f"Interleave({self.function.name}, cycle_length={self.cycle}, "
            f"block_length={self.block}"
            + ("" if self.parallel is None else f", num_parallel_calls={self.parallel}") + ")"
        )  # fmt: skip

    @property
    def tf_name(self):
        return f"_{'' if self.parallel is None else 'Parallel'}{self.name}Dataset"


class _InterleaveStage(UnaryStage):
    def __init__(self, run: Run, node: Interleave):
        super().__init__(run.start(node.source))
        self.pure = False  # what the inner datasets do is not known yet
        self._run, self._node = run, node
        self._slots: list[_InPlace | _Ahead | None] = [None] * node.cycle
        self._turn = 0
        self._given = 0  # elements of this turn
        self._ended = False
        self._failed = Failed()
        self._ordered = run.ordered(node.deterministic)
        self._threads: Calls | None = None
        if node.parallel is not None:
            # a dataset that waits for a file or a user's sleep needs a thread, not a processor
            workers = node.cycle if node.parallel == AUTOTUNE else run.parallel(node.parallel)
            self._threads = Calls(
                min(workers, node.cycle, _MOST_THREADS), "interleave", scope=run.limited
            )
            self.where = f"in {self._threads.workers} threads"

    def next(self, n):
        self._failed.check()
        pieces, _, error = collect(self._piece, n, lambda size: self._node.cycle == 1)
        if error is not None:
            if not pieces:
                raise error
            self._failed.keep(error)
        return concat(pieces) if pieces else None

    def _piece(self, n) -> Chunk | None:
        """Up to n elements of the slot whose turn it is."""
        if self._threads is not None:
            for i in range(self._node.cycle):
                self._fill((self._turn + i) % self._node.cycle)
        while not self._ended or any(s is not None for s in self._slots):
            if not self._ordered and self._threads is not None:
                self._turn_to_ready()
            stage = self._slots[self._turn]
            if stage is not None:
                try:
                    chunk = stage.next(min(n, self._node.block - self._given))
                except Exception:
                    if not stage.opened:
                        self._slots[self._turn] = None
                    elif self._threads is not None:  # TensorFlow's parallel kernel goes on
                        self._advance()
                    raise
                if chunk is not None:
                    self._given += chunk.size
                    if self._given == self._node.block:
                        self._advance()
                    return chunk
                stage.close()
                self._slots[self._turn] = None
                if self._threads is not None:  # the next one works while it waits for its turn
                    self._fill(self._turn)
                self._advance()
            elif self._ended:
                self._advance()
            else:
                self._fill(self._turn)
        return None

    def _fill(self, slot: int) -> None:
        """Opens the next dataset in a slot that has none."""
        if self._slots[slot] is not None or self._ended:
            return
        chunk = self.source.next(1)
        if chunk is None:
            self._ended = True
            return
        row = chunk.row(0)
        if self._threads is None:
            self._slots[slot] = _InPlace(self._opened(row), block_size(self._node.spec))
        else:
            block = self._node.buffered or self._node.block
            self._slots[slot] = _Ahead(
                self._threads, lambda: self._opened(row), block, block_size(self._node.spec)
            )  # fmt: skip

    def _opened(self, row) -> Stage:
        (dataset,) = self._node.function.call(row)
        return self._run.start(dataset._optimized())

    def _turn_to_ready(self):
        """Gives the turn to a slot that has elements, if the one whose turn it is has none yet."""
        waiting = []
        for i in range(self._node.cycle):
            slot = (self._turn + i) % self._node.cycle
            stage = self._slots[slot]
            if stage is None:
                continue
            if stage.ready:
                if slot != self._turn:
                    self._turn, self._given = slot, 0
                return
            waiting.append(stage.pending)
        wait(waiting, return_when=FIRST_COMPLETED)
        if waiting:
            self._turn_to_ready()

    def _advance(self):
        self._turn = (self._turn + 1) % self._node.cycle
        self._given = 0

    def close(self):
        if self._threads is not None:
            self._threads.close()
        for stage in self._slots:
            if stage is not None:
                stage.close()
        super().close()


class _InPlace(Buffered):
    """An inner stage that is read when it has its turn."""

    opened = True


class _Ahead:
    """A stage that is opened, and read one chunk ahead, in threads.

    Args:
        open_stage: makes the stage.
        block: how many elements to read ahead at most, if that can be noticed.
        largest: how many at most if not.
    """

    def __init__(self, threads: Calls, open_stage: Callable[[], Stage], block: int, largest: int):
        self._threads, self._open = threads, open_stage
        self._block, self._largest = min(block, largest), largest
        self._stage: Stage | None = None
        self._size = 1
        self._held: Chunk | None = None
        self.pending = threads.submit(self._read)

    @property
    def opened(self) -> bool:
        return self._stage is not None

    @property
    def ready(self) -> bool:
        return self._held is not None or self.pending.done()

    def _read(self) -> Chunk | None:
        if self._stage is None:
            self._stage = self._open()
        n = self._size if self._stage.pure else self._block
        self._size = min(4 * n, self._largest)
        return self._stage.next(n)

    def next(self, n: int) -> Chunk | None:
        if self._held is None:
            try:
                self._held = self.pending.result()
            except Exception:
                if self._stage is not None:
                    self.pending = self._threads.submit(self._read)
                raise
            if self._held is None:
                return None
            self.pending = self._threads.submit(self._read)
        chunk = self._held.slice(0, n)
        self._held = self._held.slice(n, self._held.size) if n < self._held.size else None
        return chunk

    def close(self) -> None:
        self.pending.cancel()
        if self._stage is not None and (self.pending.cancelled() or self.pending.done()):
            self._stage.close()


class Window(Unary):
    """Datasets of `size` elements each (source: `tf.data.Dataset.window`).

    Args:
        shift: how far each window begins behind the one before.
        stride: the distance between the elements of a window.
    """

    def __init__(self, source: Node, size: int, shift: int, stride: int, drop_remainder: bool):
        from torchtf.data._dataset import DatasetSpec

        super().__init__(source)
        self.size, self.shift, self.stride = size, shift, stride
        self.drop_remainder = drop_remainder
        self.spec = structure.map_structure(DatasetSpec, source.spec)

    def cardinality(self):
        known = self.source.cardinality()
        if known < 0:
            return known
        if self.drop_remainder:
            span = (self.size - 1) * self.stride + 1
            return 0 if known < span else (known - span) // self.shift + 1
        return -(-known // self.shift)

    def start(self, run):
        return _WindowStage(run.start(self.source), self)

    def label(self):
        return f"Window({self.size}, shift={self.shift}, stride={self.stride})"


class _WindowStage(UnaryStage):
    def __init__(self, source, node: Window):
        super().__init__(Buffered(source, block_size(node.source.spec)))
        self.pure = source.pure
        self._node = node
        # what was read, in order: chunks, and errors in the place of one element each
        self._held: list[Chunk | Exception] = []
        self._gap = 0  # elements to drop before the next window
        self._ended = False

    def next(self, n):
        node = self._node
        span = (node.size - 1) * node.stride + 1
        size = self._fill(span)
        if not size:
            return None
        if size < span and node.drop_remainder:
            self._held = []
            return None
        self._gap = max(node.shift - size, 0)
        if any(isinstance(x, Exception) for x in self._held):
            held = self._singly()
            self._held = held[node.shift :]
            rows = held[: span : node.stride]
            for row in rows:
                if isinstance(row, Exception):
                    raise row
            window = concat(rows)
        else:
            held = concat(self._held)
            places = range(0, min(size, span), node.stride)
            window = held.slice(0, len(places)) if node.stride == 1 else held.take(list(places))
            self._held = [held.slice(node.shift, size)] if node.shift < size else []
        leaves = structure.flatten(node.source.spec)
        columns = [
            [dataset_of(Elements(leaf, Chunk([column], window.size), "VariantDataset"))]
            for leaf, column in zip(leaves, window.columns, strict=True)
        ]
        return Chunk(columns, 1)

    def _singly(self) -> list:
        """What is held, an item for each element."""
        return [
            item
            for x in self._held
            for item in (
                [x] if isinstance(x, Exception) else [x.slice(i, i + 1) for i in range(x.size)]
            )
        ]

    def _fill(self, span) -> int:
        """Reads the elements of a window; returns how many there are, up to all that are held."""
        size = sum(getattr(x, "size", 1) for x in self._held)
        while not self._ended and size < span:
            read: Chunk | Exception | None
            try:
                read = self.source.next(self._gap or span - size)
            except Exception as e:
                read = e
            if read is None:
                self._ended = True
            elif self._gap:
                self._gap -= getattr(read, "size", 1)
            else:
                self._held.append(read)
                size += getattr(read, "size", 1)
        return size


class GroupByWindow(Unary):
    """Groups elements by key and reduces each full group to a dataset.

    (source: `tf.data.Dataset.group_by_window`)

    Args:
        key: gives the int64 key of an element.
        reduce: of `(key, dataset)`, gives a dataset.
        size: of the key, gives the number of elements of a full group.
    """

    def __init__(self, source: Node, key: Function, reduce: Function, size: Function):
        super().__init__(source)
        self.key, self.reduce, self.size = key, reduce, size
        self.spec = reduce.spec.element_spec

    def cardinality(self):
        return INFINITE if self.source.cardinality() == INFINITE else UNKNOWN

    def start(self, run):
        return _GroupByWindowStage(run, self)


class _GroupByWindowStage(UnaryStage):
    def __init__(self, run, node: GroupByWindow):
        super().__init__(with_elements(run.start(node.source), node.key, node.source.spec))
        self.pure = False
        self._run, self._node = run, node
        self._groups: dict[int, tuple[int, list]] = {}
        self._waiting: deque[tuple] = deque()
        self._current: Stage | None = None
        self._ended = False

    def next(self, n):
        while True:
            if self._current is not None:
                chunk = self._current.next(n)
                if chunk is not None:
                    return chunk
                self._current.close()
                self._current = None
            full = self._full_group()
            if full is None:
                return None
            self._current = self._reduced(*full)

    def _full_group(self):
        while not self._ended:
            chunk = self.source.next(1)
            if chunk is None:
                self._ended = True
                break
            key, *row = chunk.row(0)
            key = int(key)
            if key not in self._groups:
                (size,) = self._node.size.call((torch.tensor(key),))
                if int(size) <= 0:
                    raise errors.InvalidArgumentError(
                        None, None, "Window size must be greater than zero, but got "
                        f"{int(size)}.",
                    )  # fmt: skip
                self._groups[key] = (int(size), [])
            size, rows = self._groups[key]
            rows.append(tuple(row))
            if len(rows) == size:
                del self._groups[key]
                return key, rows
        for key in sorted(self._groups):
            return key, self._groups.pop(key)[1]
        return None

    def _reduced(self, key, rows) -> Stage:
        spec = self._node.source.spec
        chunk = chunk_of(rows, len(structure.flatten(spec)))
        window = dataset_of(Elements(spec, chunk, "VariantDataset"))
        try:
            (dataset,) = self._node.reduce.call((torch.tensor(key), window))
        except errors.OpError as e:
            name = type(e).__name__.removesuffix("Error")
            code = re.sub("(?<=[a-z])(?=[A-Z])", "_", name).upper()
            raise errors.InternalError(
                None, None, f"Got error code {code} and message: {{\n{e.message}\n}} \nfrom "
                "running user-defined function.",
            ) from e.__cause__  # fmt: skip
        return self._run.start(dataset._optimized())

    def close(self):
        if self._current is not None:
            self._current.close()
        super().close()


def is_int64_scalar(spec) -> bool:
    return structure.is_dense(spec) and spec.dtype is dtypes.int64 and spec.shape.rank in (0, None)
