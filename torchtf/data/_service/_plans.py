"""A dataset as bytes, and its plan as a worker runs it: over splits, or over its shard.

* A plan is pickled with the Python functions in it (cloudpickle), each of which the worker traces
  anew. What they close over, variables too, goes along as it is now, and so does the text of their
  files, which AutoGraph reads.
* A *unit* of a plan is a source whose elements can be shared out: positions in memory, files, or,
  where nothing smaller can be told apart, all at once. A dispatcher deals with numbers of splits
  alone; what they stand for is known here.
"""

from __future__ import annotations

import io
import linecache
import marshal
import types

import cloudpickle

from torchtf.core import dtypes, errors, graph
from torchtf.data import _structure as structure
from torchtf.data._dataset import Dataset
from torchtf.data._elementwise import Map, Zip
from torchtf.data._files import FileSource
from torchtf.data._in_graph import Open
from torchtf.data._plan import INFINITE, Affine, Node, Run, Stage, block_size
from torchtf.data._shards import with_elements_of, with_files_of, with_hints_of
from torchtf.data._sources import Counting, Elements, RandomWords

# policies, by the numbers of `tf.data.experimental.service.ShardingPolicy`
OFF, DYNAMIC, FILE, DATA, FILE_OR_DATA, HINT = range(6)

# how many numbers in memory a worker gets at once at most; other things one by one
_LONGEST_SPLIT = 4096


def dump(dataset: Dataset) -> bytes:
    """A dataset for `load`.

    Raises:
        NotImplementedError: if it, or what it gives, cannot travel.
    """
    if graph.state.trace is not None:
        raise NotImplementedError(
            "A dataset cannot be registered with the tf.data service inside a tf.function: "
            "register it outside, and read it by from_dataset_id."
        )
    for spec in structure.flatten(dataset.element_spec):
        fine = structure.is_dense(spec) or isinstance(spec, structure.NoneTensorSpec)
        if not fine and not hasattr(spec, "_component_specs"):
            raise NotImplementedError(
                f"Elements of type {spec!r} cannot come from the tf.data service: map them to "
                "tensors first."
            )
    try:
        file = io.BytesIO()
        _Pickler(file).dump((dataset._node, dataset._options))
        return file.getvalue()
    except Exception as error:
        raise NotImplementedError(
            "The dataset cannot be sent to the tf.data service, since something that its functions "
            f"close over cannot be pickled: {type(error).__name__}: {error}"
        ) from error


class _Pickler(cloudpickle.Pickler):
    """Keeps with code where its text is, and the text."""

    def __init__(self, file):
        super().__init__(file)
        self._texts: dict[str, str] = {}

    def reducer_override(self, obj):
        if not isinstance(obj, types.CodeType):
            return super().reducer_override(obj)
        name = obj.co_filename
        if name not in self._texts:
            self._texts[name] = "".join(linecache.getlines(name))
        return _code, (marshal.dumps(obj), name, self._texts[name])


def _code(data: bytes, name: str, text: str) -> types.CodeType:
    if text and "".join(linecache.getlines(name)) != text:
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    return marshal.loads(data)


def load(plan: bytes) -> Dataset:
    return Dataset(*cloudpickle.loads(plan))


def sharded(dataset: Dataset, policy: int, rank: int, size: int) -> Dataset:
    """What worker `rank` of `size` reads by a static policy.

    Raises:
        NotFoundError: for FILE, if it reads no files.
        InvalidArgumentError: for FILE, if there are fewer files than workers.
    """
    if policy == HINT:
        return with_hints_of(dataset, rank, size)
    if policy == DATA:
        return with_elements_of(dataset, rank, size)
    try:
        by_files = with_files_of(dataset, rank, size)
    except errors.InvalidArgumentError:
        if policy == FILE:
            raise
        by_files = None
    if by_files is not None:
        return by_files
    if policy == FILE:
        raise errors.NotFoundError(None, None, "Found an unshardable source dataset")
    return with_elements_of(dataset, rank, size)


# -- splits


def _units(node: Node, visit, alone: bool = True) -> Node:
    """The plan with its units, in a fixed order, replaced by what `visit` gives for them.

    `visit` also gets whether a unit is alone: others beside it in a `zip` are read in step.
    """
    if isinstance(node, FileSource) or (_by_position(node) and not isinstance(node, Map)):
        return visit(node, alone)
    if node.inputs:
        alone = alone and not isinstance(node, Zip)
        return node.with_inputs(tuple(_units(source, visit, alone) for source in node.inputs))
    if isinstance(node, (RandomWords, Open)):  # each worker draws its own
        return node
    return visit(node, alone)


def _by_position(node: Node) -> bool:
    """Whether the elements can be had by position: those of several components side by side too."""
    if isinstance(node, Map):
        return node.function.pure and _by_position(node.source)
    if isinstance(node, Zip):
        return all(map(_by_position, node.inputs))
    return isinstance(node, (Elements, Counting))


def splits_of(dataset: Dataset) -> list[tuple[int, int]]:
    """For each unit of a dataset, how many splits it has and how many may be given out at once."""
    found: list[tuple[int, int]] = []

    def visit(node, alone):
        if isinstance(node, FileSource):
            found.append((len(node.names), 1))
        elif _by_position(node):
            known = node.cardinality()
            names = any(s.dtype is dtypes.string for s in structure.flatten(node.spec))
            longest = 1 if names or not alone else min(_LONGEST_SPLIT, block_size(node.spec))
            found.append((2**62 if known == INFINITE else known, longest))
        else:
            found.append((1, 1))
        return node

    _units(dataset._node, visit)
    return found


class Splits:
    """Where a task gets its splits from."""

    def next(self, unit: int, repetition: int) -> tuple[int, int] | None:
        """The next range of splits of a unit, None when its repetition is over."""
        raise NotImplementedError


def over_splits(dataset: Dataset, splits: Splits) -> Dataset:
    """The dataset whose units read the splits that a task gets."""
    count = 0

    def visit(node, alone):
        nonlocal count
        count += 1
        return _Share(node, count - 1, splits)

    return Dataset(_units(dataset._node, visit), dataset._options)


class _Share(Node):
    """A task's share of a unit. Each start is a new repetition."""

    def __init__(self, unit: Node, number: int, splits: Splits):
        self.unit, self.number, self.splits = unit, number, splits
        self.spec = unit.spec
        self._repetitions = 0

    def start(self, run):
        self._repetitions += 1
        return _ShareStage(self, run, self._repetitions - 1)

    def label(self):
        return f"Share({self.unit.label()})"


class _ShareStage(Stage):
    def __init__(self, node: _Share, run: Run, repetition: int):
        self._node, self._run, self._repetition = node, run, repetition
        self._whole = run.start(node.unit) if _by_position(node.unit) else None
        self._part: Stage | None = None
        self._ended = False
        self.pure = self._whole is not None or isinstance(node.unit, FileSource)

    def next(self, n):
        while not self._ended:
            if self._part is None:
                split = self._node.splits.next(self._node.number, self._repetition)
                if split is None:
                    self._ended = True
                    return None
                self._part = self._opened(*split)
            chunk = self._part.next(n)
            if chunk is not None:
                return chunk
            self._close_part()
        return None

    def _opened(self, start: int, stop: int) -> Stage:
        if self._whole is not None:
            return self._whole.reordered(Affine(start, stop - start))
        unit = self._node.unit
        if isinstance(unit, FileSource):
            unit = unit.with_names(unit.names[start:stop])
        return self._run.start(unit)

    def _close_part(self):
        if self._whole is None and self._part is not None:
            self._part.close()
        self._part = None

    def close(self):
        self._close_part()
        if self._whole is not None:
            self._whole.close()
