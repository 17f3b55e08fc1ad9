"""Nodes that work on one element after another: map, filter, scan, take_while, zip, unique."""

from __future__ import annotations

import contextlib

from torchtf.core import dtypes, errors
from torchtf.core.log import get_logger
from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk, chunk_of
from torchtf.data._mapping import MapStage
from torchtf.data._plan import (
    INFINITE,
    UNKNOWN,
    Failed,
    Node,
    Run,
    Stage,
    Unary,
    UnaryStage,
)
from torchtf.data._traced import Function


class Map(Unary):
    """`function` of each element (source: `tf.data.Dataset.map`).

    Args:
        parallel: how many calls may be under way at once: None for one, `AUTOTUNE` for as many
            as there are processors. It matters for functions that are called element by element.
        deterministic: whether results of parallel calls keep the order; None leaves it to the
            options.
        unbounded: whether `parallel` may exceed the size of the options' thread pool.
        synchronous: whether no option may make the calls parallel.
    """

    def __init__(
        self, source: Node, function: Function, parallel: int | None = None,
        deterministic: bool | None = None, unbounded: bool = False, synchronous: bool = False,
    ):  # fmt: skip
        super().__init__(source)
        self.function = function
        self.parallel, self.deterministic, self.unbounded = parallel, deterministic, unbounded
        self.synchronous = synchronous
        self.spec = function.spec

    def start(self, run: Run) -> Stage:
        workers = run.parallel(self.parallel, self.unbounded)
        self.function.workers = workers
        ordered = run.ordered(self.deterministic)
        return MapStage(run.start(self.source), self.function, workers, ordered, run.limited)

    def label(self) -> str:
        parallel = "" if self.parallel is None else f", num_parallel_calls={self.parallel}"
        how = {True: "vectorized", False: "one by one", None: "traced"}[self.function.vectorizes]
        return f"Map({self.function.name}{parallel}) [{how}]"

    @property
    def tf_name(self):
        return "_MapDataset" if self.parallel is None else "_ParallelMapDataset"


class _Beside:
    """A function whose results are followed by the element it was called on."""

    def __init__(self, function: Function, spec):
        self._function = function
        self.spec = (function.spec, spec)

    def call(self, row):
        return (*self._function.call(row), *row)

    def call_chunk(self, chunk):
        result = self._function.call_chunk(chunk)
        return result and Chunk([*result.columns, *chunk.columns], chunk.size)

    def __getattr__(self, name):
        return getattr(self._function, name)


def with_elements(source: Stage, function: Function, spec, workers: int = 1) -> MapStage:
    """A stage whose columns are the results of a function, then those of the elements."""
    return MapStage(source, _Beside(function, spec), workers)


def check_predicate(function: Function, is_or: str) -> None:
    spec = function.spec
    if not (
        structure.is_dense(spec) and spec.dtype is dtypes.bool_ and spec.shape.rank in (0, None)
    ):
        raise ValueError(
            "Invalid `predicate`. `predicate` must return a `tf.bool` scalar tensor"
            f"{is_or}{function.spec}."
        )


class Filter(Unary):
    """The elements for which a function is true (source: `tf.data.Dataset.filter`)."""

    def __init__(self, source: Node, function: Function, parallel: int | None = None):
        super().__init__(source)
        check_predicate(function, ", but its return type is ")
        self.function = function
        self.parallel = parallel

    def cardinality(self):
        return UNKNOWN

    def start(self, run):
        workers = run.parallel(self.parallel)
        source = run.start(self.source)
        return _FilterStage(with_elements(source, self.function, self.spec, workers))

    def label(self):
        parallel = "" if self.parallel is None else f", num_parallel_calls={self.parallel}"
        return f"Filter({self.function.name}{parallel})"


class _FilterStage(UnaryStage):
    def next(self, n):
        while (chunk := self.source.next(n)) is not None:
            keep, *columns = chunk.columns
            index = keep.nonzero().squeeze(1)
            kept = Chunk(columns, chunk.size)
            if len(index) == chunk.size:
                return kept
            if len(index):
                return kept.take(index)
        return None


class TakeWhile(Unary):
    """The elements before the first for which a function is false."""

    def __init__(self, source: Node, function: Function):
        super().__init__(source)
        check_predicate(function, " but its return type is")
        self.function = function

    def cardinality(self):
        return UNKNOWN

    def start(self, run):
        return _TakeWhileStage(with_elements(run.start(self.source), self.function, self.spec))


class _TakeWhileStage(UnaryStage):
    def __init__(self, source):
        super().__init__(source)
        self._ended = False

    def next(self, n):
        chunk = None if self._ended else self.source.next(n)
        if chunk is None:
            return None
        keep, *columns = chunk.columns
        false = (~keep).nonzero().squeeze(1)
        kept = Chunk(columns, chunk.size)
        if not len(false):
            return kept
        self._ended = True
        return kept.slice(0, int(false[0])) if false[0] else None


class Scan(Unary):
    """Elements computed with a state (source: `tf.data.Dataset.scan`).

    Args:
        state: the components of the first state.
        function: of `(state, element)`, gives `(new state, output)`.
        width: how many components the state has.
    """

    def __init__(self, source: Node, state: tuple, function: Function):
        super().__init__(source)
        self.state = state
        self.function = function
        self.spec = function.spec[1]

    def start(self, run):
        return _ScanStage(run.start(self.source), self)

    def label(self):
        return f"Scan({self.function.name})"


class _ScanStage(UnaryStage):
    def __init__(self, source, node):
        super().__init__(source)
        self.pure = source.pure and node.function.pure
        self._node = node
        self._state = node.state
        self._failed = Failed()
        self._rest: Chunk | None = None

    def next(self, n):
        self._failed.check()
        chunk, self._rest = self._rest, None
        if chunk is None:
            chunk = self.source.next(n)
        if chunk is None:
            return None
        rows, width = [], len(self._state)
        for i, row in enumerate(chunk.rows()):
            try:
                result = self._node.function.call((*self._state, *row))
            except Exception as e:
                self._rest = chunk.slice(i + 1, chunk.size) if i + 1 < chunk.size else None
                if not rows:
                    raise
                self._failed.keep(e)
                break
            self._state = result[:width]
            rows.append(result[width:])
        return chunk_of(rows, len(structure.flatten(self._node.spec)))


class Zip(Node):
    """Elements of several datasets side by side (source: `tf.data.Dataset.zip`)."""

    def __init__(self, inputs: tuple[Node, ...], nesting):
        self.inputs = inputs
        self.spec = structure.pack(nesting, [node.spec for node in inputs])

    def cardinality(self):
        known = [node.cardinality() for node in self.inputs]
        finite = [c for c in known if c >= 0]
        if UNKNOWN in known:
            return UNKNOWN
        return min(finite) if finite else INFINITE

    def start(self, run):
        return _ZipStage([run.start(node) for node in self.inputs])


class _ZipStage(Stage):
    def __init__(self, sources: list[Stage]):
        self._sources = sources
        self.pure = all(s.pure for s in sources)
        counts = [s.count for s in sources]
        self.count = None if None in counts else min(counts)
        # elements that a source gave beyond what the others could
        self._held: list[Chunk | None] = [None] * len(sources)

    def reordered(self, order):
        return _ZipStage([s.reordered(order) for s in self._sources])

    def next(self, n):
        if self.count is not None and not self.pure:
            n = min(n, self.count)
        for i, source in enumerate(self._sources):
            if self._held[i] is None:
                try:
                    self._held[i] = source.next(n)
                except Exception:
                    self._drop_beside(i)
                    raise
            if self._held[i] is None:
                return None
            n = min(n, self._held[i].size)
        columns = []
        for i, chunk in enumerate(self._held):
            columns += chunk.slice(0, n).columns
            self._held[i] = chunk.slice(n, chunk.size) if n < chunk.size else None
        return Chunk(columns, n)

    def _drop_beside(self, failed: int) -> None:
        """Leaves out what the other sources give beside an element that failed."""
        for i, source in enumerate(self._sources):
            if i == failed:
                continue
            chunk = self._held[i]
            if chunk is None:
                with contextlib.suppress(Exception):  # the first error is the one that is raised
                    chunk = source.next(1)
            self._held[i] = chunk.slice(1, chunk.size) if chunk and chunk.size > 1 else None

    def close(self):
        for source in self._sources:
            source.close()


class Unique(Unary):
    """The elements without repetitions (source: `tf.data.Dataset.unique`)."""

    def __init__(self, source: Node):
        super().__init__(source)
        leaves = structure.flatten(source.spec)
        for leaf in leaves:
            if leaf.dtype not in (dtypes.int32, dtypes.int64, dtypes.string):
                raise TypeError(
                    f"`tf.data.Dataset.unique` does not support type {leaf.dtype} -- only "
                    "`tf.int32`, `tf.int64`, and `tf.string` are supported."
                )
        if len(leaves) != 1:
            raise errors.of_kernel(
                "UniqueDataset", "UniqueDataset only supports inputs with a single component."
            )

    def cardinality(self):
        return UNKNOWN

    def start(self, run):
        return _UniqueStage(run.start(self.source))


class _UniqueStage(UnaryStage):
    def __init__(self, source):
        super().__init__(source)
        self._seen: set = set()

    def next(self, n):
        while (chunk := self.source.next(n)) is not None:
            column = chunk.columns[0]
            keys = column.tolist() if not isinstance(column, list) else [
                (tuple(x.shape), repr(x.tolist())) for x in column
            ]  # fmt: skip
            if keys and isinstance(keys[0], list):
                keys = [repr(k) for k in keys]
            fresh = []
            for i, key in enumerate(keys):
                if key not in self._seen:
                    self._seen.add(key)
                    fresh.append(i)
            if fresh:
                return chunk if len(fresh) == chunk.size else chunk.take(fresh)
        return None


class IgnoreErrors(Unary):
    """Drops the elements that fail (source: `tf.data.Dataset.ignore_errors`)."""

    def __init__(self, source: Node, log_warning: bool):
        super().__init__(source)
        self.log_warning = log_warning

    def cardinality(self):
        return 0 if self.source.cardinality() == 0 else UNKNOWN

    def start(self, run):
        return _IgnoreErrorsStage(run.start(self.source), self.log_warning)


class _IgnoreErrorsStage(UnaryStage):
    def __init__(self, source, log_warning):
        super().__init__(source)
        self._log = log_warning

    def next(self, n):
        while True:
            try:
                return self.source.next(n)
            except Exception as e:
                if self._log:
                    get_logger().warning("Error raised with error message %s", e)


class AssertCardinality(Unary):
    """Checks how many elements there are while they pass."""

    def __init__(self, source: Node, expected: int):
        super().__init__(source)
        self.expected = expected

    def cardinality(self):
        return self.expected

    def start(self, run):
        return _AssertCardinalityStage(run.start(self.source), self.expected)


class _AssertCardinalityStage(UnaryStage):
    def __init__(self, source, expected):
        super().__init__(source)
        self._expected = expected
        self._seen = 0

    def next(self, n):
        left = self._expected - self._seen
        chunk = self.source.next(n if self._expected < 0 else max(1, min(n, left)))
        if chunk is None:
            if self._expected >= 0 and left:
                self._refuse(f"{self._seen} element{'' if self._seen == 1 else 's'}")
            if self._expected == INFINITE:
                self._refuse(f"{self._seen} element{'' if self._seen == 1 else 's'}")
            return None
        if self._expected >= 0 and left <= 0:
            self._refuse(f"at least {self._seen + 1} element{'' if self._seen == 0 else 's'}")
        self._seen += chunk.size
        return chunk

    def _refuse(self, contained):
        count = self._expected
        wanted = (
            "an infinite number of elements"
            if count == INFINITE
            else (f"{count} element{'' if count == 1 else 's'}")
        )
        raise errors.FailedPreconditionError(
            None, None, f"Input dataset was expected to contain {wanted} but contained only "
            f"{contained}." if not contained.startswith("at least") else
            f"Input dataset was expected to contain {wanted} but contained {contained}.",
        )  # fmt: skip


class GroupByReducer(Unary):
    """One element for each group of elements with one key, in the order of the keys."""

    def __init__(self, source, key: Function, init: Function, reduce: Function, finalize: Function):
        super().__init__(source)
        self.key, self.init, self.reduce, self.finalize = key, init, reduce, finalize
        self.spec = finalize.spec

    def cardinality(self):
        return UNKNOWN

    def start(self, run):
        return _GroupByReducerStage(
            with_elements(run.start(self.source), self.key, self.spec), self
        )


class _GroupByReducerStage(UnaryStage):
    def __init__(self, source, node: GroupByReducer):
        super().__init__(source)
        self._node = node
        self._results: list[tuple] | None = None  # in reverse

    def next(self, n):
        if self._results is None:
            self._results = self._reduce()
        taken = self._results[-n:]
        del self._results[-n:]
        if not taken:
            return None
        return chunk_of(taken[::-1], len(structure.flatten(self._node.spec)))

    def _reduce(self):
        node = self._node
        states: dict[int, tuple] = {}
        while (chunk := self.source.next(1)) is not None:
            key, *row = chunk.row(0)
            number = int(key)
            state = states.get(number)
            if state is None:
                state = node.init.call((key,))
            states[number] = node.reduce.call((*state, *row))
        return [node.finalize.call(states[k]) for k in sorted(states, reverse=True)]
