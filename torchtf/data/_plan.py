"""The two forms of a pipeline: the plan of immutable nodes, and the stages that run it.

* A `Node` says what its elements are (`spec`), how many there are (`cardinality`) and how to start
  (`start`). Nodes are shared freely; what outlives one iteration (seed generators, caches) hangs on
  the node.
* A `Stage` is a node under way: `next(n)` gives a chunk of 1 to n elements, or None at the end. It
  never takes more from its inputs than these n elements need.
* A stage is *pure* if nobody can notice when, or on how many elements at a time, it works. Whoever
  reads from a pure stage may ask for a block at a time and keep the rest.
* A stage with a `count` gives access at random: `reordered(order)` is a stage of the same elements
  in another order. So `shuffle`, `skip` and `shard` move positions, not elements.
* An error ends the chunk before it: the elements before are given out first, then it is raised, and
  the next call goes on behind it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator

import torch

from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk
from torchtf.data._threads import at_most

INFINITE = -1
UNKNOWN = -2
AUTOTUNE = -1

# how much memory a chunk should take: enough to hide the cost of a call, little enough for caches
_BLOCK_BYTES = 1 << 20
_LONGEST_BLOCK = 1 << 14


def block_size(spec, budget: int = _BLOCK_BYTES) -> int:
    """How many elements of this spec make a good chunk."""
    return max(1, min(_LONGEST_BLOCK, budget // structure.element_bytes(spec)))


class Node:
    """A step of a plan.

    Attributes:
        inputs: the nodes it reads.
        spec: the structure of specs of its elements.
    """

    inputs: tuple[Node, ...] = ()
    spec: object

    def cardinality(self) -> int:
        return UNKNOWN

    def start(self, run: Run) -> Stage:
        raise NotImplementedError

    def with_inputs(self, inputs: tuple[Node, ...]) -> Node:
        """This step over other inputs of the same spec; lasting state is shared."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.inputs = inputs
        return copy

    def forget(self) -> None:
        """Drops what other inputs left in this step."""

    def label(self) -> str:
        """A short description for `explain`."""
        return type(self).__name__

    @property
    def tf_name(self) -> str:
        """The name of TensorFlow's class, which `repr` shows."""
        return f"_{type(self).__name__}Dataset"


class Unary(Node):
    """A node with one input; by default of the same spec."""

    def __init__(self, source: Node):
        self.inputs = (source,)
        self.spec = source.spec

    @property
    def source(self) -> Node:
        return self.inputs[0]

    def cardinality(self) -> int:
        return self.source.cardinality()


class Run:
    """What the stages of one iteration share.

    Attributes:
        options: the options of the dataset.
        times: for `explain`, the stages' clocks by node; None when nobody asks.
    """

    def __init__(self, options, times: dict | None = None):
        self.options = options
        self.times = times

    def start(self, node: Node) -> Stage:
        stage = node.start(self)
        if self.times is None:
            return stage
        return TimedStage(stage, self.times.setdefault(id(node), Clock()))

    def parallel(self, calls: int | None, unbounded: bool = False) -> int:
        """How many calls a stage may have under way, for its `num_parallel_calls`.

        Args:
            calls: that argument; `AUTOTUNE` lets the options and the machine decide.
            unbounded: whether the size of the options' thread pool does not matter.
        """
        if calls is None:
            return 1
        pool = self.options.threading.private_threadpool_size or None
        if calls != AUTOTUNE:
            return calls if unbounded or pool is None else min(calls, pool)
        tuning = self.options.autotune
        workers = pool or len(os.sched_getaffinity(0))
        if tuning.enabled is False:  # TensorFlow then keeps what it would have begun with
            return tuning.initial_parallelism or workers
        workers = min(workers, tuning.cpu_budget or workers)
        return max(workers, tuning.min_parallelism or 1)

    def ordered(self, deterministic: bool | None) -> bool:
        """Whether a parallel stage keeps the order, for its argument `deterministic`."""
        if deterministic is None:
            deterministic = self.options.deterministic
        return deterministic is not False

    def limited(self):
        """A context: kernels inside use no more threads than the options allow."""
        most = self.options.threading.max_intra_op_parallelism
        return at_most(most) if most else contextlib.nullcontext()


class Stage:
    """A node under way; see the module's docstring."""

    pure = True
    count: int | None = None
    where = ""  # where it works, if not in its reader's thread; for `explain`

    def next(self, n: int) -> Chunk | None:
        raise NotImplementedError

    def reordered(self, order: Order) -> Stage:
        raise NotImplementedError

    def close(self) -> None:
        """Ends threads and closes files; called once."""


class UnaryStage(Stage):
    """A stage that reads one other."""

    def __init__(self, source: Stage):
        self.source = source
        self.pure = source.pure

    def close(self) -> None:
        self.source.close()


class Failed:
    """An error to raise after the elements before it have been given out."""

    def __init__(self):
        self._error: Exception | None = None

    def keep(self, error: Exception) -> None:
        self._error = error

    def check(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def collect(
    read: Callable[[int], Chunk | None], n: int, suffices: Callable[[int], bool] | None = None
) -> tuple[list[Chunk], int, Exception | None]:
    """Up to n elements: fewer at the end, or before an error, which comes third.

    Args:
        read: gives up to so many elements, or None at the end, as `Stage.next` does.
        n: how many elements are wanted.
        suffices: tells whether so many are enough; else all n are read.
    """
    chunks: list[Chunk] = []
    size = 0
    while size < n:
        try:
            chunk = read(n - size)
        except Exception as e:
            return chunks, size, e
        if chunk is None:
            break
        chunks.append(chunk)
        size += chunk.size
        if suffices is not None and suffices(size):
            break
    return chunks, size, None


def drain(stage: Stage, block: int) -> Iterator[Chunk]:
    """The remaining chunks of a stage."""
    while (chunk := stage.next(block)) is not None:
        yield chunk


class Buffered(UnaryStage):
    """Reads a pure stage in blocks, for a reader that takes few elements at a time."""

    def __init__(self, source: Stage, block: int):
        super().__init__(source)
        self._block = block if source.pure else 1
        self._size = 1
        self._held: Chunk | None = None
        self._at = 0

    def next(self, n: int) -> Chunk | None:
        if self._held is None or self._at >= self._held.size:
            # blocks grow, so that a reader who soon stops does not pay for a whole one
            self._held = self.source.next(max(n, self._size))
            self._size = min(self._block, 4 * self._size)
            self._at = 0
            if self._held is None:
                return None
        at = self._at
        self._at = min(at + n, self._held.size)
        return self._held.slice(at, self._at)


# -- access at random


class Order:
    """A sequence of positions; `read` may be called again for the same part."""

    count: int

    def read(self, start: int, n: int) -> torch.Tensor | slice:
        """Positions `start` up to `start + n` of this order, as int64 or as a slice."""
        raise NotImplementedError


class Affine(Order):
    """Every `step`-th position from `first` on."""

    def __init__(self, first: int, count: int, step: int = 1):
        self.first, self.count, self.step = first, count, step

    def read(self, start, n):
        n = min(n, self.count - start)
        first = self.first + start * self.step
        return slice(first, first + n * self.step, self.step)


class Composed(Order):
    """The positions that `inner` gives for the positions of `outer`."""

    def __init__(self, inner: Order, outer: Order):
        self.inner, self.outer, self.count = inner, outer, outer.count

    def read(self, start, n):
        positions = self.outer.read(start, n)
        if isinstance(self.inner, Affine):
            inner = self.inner
            if isinstance(positions, slice):
                return slice(
                    inner.first + positions.start * inner.step,
                    inner.first + positions.stop * inner.step,
                    positions.step * inner.step,
                )
            return positions * inner.step + inner.first
        return index_of(self.inner.read(0, self.inner.count))[positions]


def index_of(positions: torch.Tensor | slice) -> torch.Tensor:
    if isinstance(positions, slice):
        return torch.arange(positions.start, positions.stop, positions.step)
    return positions


class Rows(Stage):
    """Reads elements that lie at hand, in an order.

    Subclasses give `at(positions)`: the chunk at these positions (a slice or an index tensor).
    """

    def __init__(self, order: Order):
        self._order = order
        self.count = order.count
        self._position = 0

    def at(self, positions) -> Chunk:
        raise NotImplementedError

    def over(self, order: Order) -> Rows:
        """This stage, with another order."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        Rows.__init__(copy, order)
        return copy

    def next(self, n: int) -> Chunk | None:
        n = min(n, self.count - self._position)
        if n <= 0:
            return None
        positions = self._order.read(self._position, n)
        self._position += n
        return self.at(positions)

    def reordered(self, order: Order) -> Stage:
        return self.over(Composed(self._order, order))


# -- measuring


class Clock:
    """The time and work of one node over an iteration, its inputs excluded."""

    def __init__(self):
        self.seconds = 0.0
        self.chunks = 0
        self.elements = 0
        self.where = ""  # in which threads or processes it works, if not in its reader's


class _Timers(threading.local):
    def __init__(self):
        self.stack: list[float] = []


_timers = _Timers()


class TimedStage(UnaryStage):
    """Charges a stage's time to its clock."""

    def __init__(self, source: Stage, clock: Clock):
        super().__init__(source)
        self.count = source.count
        self._clock = clock

    def next(self, n: int) -> Chunk | None:
        inner = _timers.stack
        inner.append(0.0)
        began = time.perf_counter()
        try:
            chunk = self.source.next(n)
        finally:
            spent = time.perf_counter() - began
            self._clock.seconds += spent - inner.pop()
            if inner:
                inner[-1] += spent
        self._clock.where = self.source.where
        if chunk is not None:
            self._clock.chunks += 1
            self._clock.elements += chunk.size
        return chunk

    def reordered(self, order: Order) -> Stage:
        return TimedStage(self.source.reordered(order), self._clock)
