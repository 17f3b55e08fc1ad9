"""torch's datasets and loaders as sources.

* A map-style `torch.utils.data.Dataset` has a number of elements and gives access at random, so
  `shuffle` asks it for its elements in another order and holds none of them.
* An `IterableDataset` or a `DataLoader` is read from its beginning in each iteration. The workers,
  the sampler and the batches of a loader are its own.

Lists are tuples here, as torch's `default_collate` makes lists of them; a list of plain numbers or
strings is one tensor.
"""

from __future__ import annotations

import numbers

from torch.utils.data import DataLoader, Dataset, IterableDataset

from torchtf.core import nest
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec
from torchtf.data import _structure as structure
from torchtf.data._chunk import chunk_of
from torchtf.data._plan import UNKNOWN, Affine, Failed, Node, Order, Rows, Run, Stage, index_of
from torchtf.data._sources import Generator, Yielded, as_op_error


def torch_source(data: Dataset | DataLoader, spec=None) -> Node:
    """The node of the elements of torch's data.

    Args:
        data: a map-style or iterable dataset, or a loader, whose elements are its batches.
        spec: the structure of specs of an element; read off a first one if None. The first axis
            of what a loader gives is open then.

    Raises:
        ValueError: if there is no first element to read it off.
    """
    if spec is None:
        spec = _spec_of_first(data)
    if isinstance(data, DataLoader):
        return _Loaded(data, spec)
    if isinstance(data, IterableDataset):
        return Generator(lambda: iter(data), spec)
    return _Samples(data, spec)


def _spec_of_first(data):
    """The spec of an element; a loader's own sampler and workers are left alone."""
    loader = data if isinstance(data, DataLoader) else None
    dataset = data if loader is None else loader.dataset
    try:
        first = next(iter(dataset)) if isinstance(dataset, IterableDataset) else dataset[0]
    except (StopIteration, IndexError):
        raise ValueError(
            f"There is no element to read the signature of {data!r} off: give `output_signature`."
        ) from None
    batches = loader is not None and loader.batch_sampler is not None
    if loader is not None:
        first = loader.collate_fn([first] if batches else first)
    spec = structure.spec_of_structure(structure.normalize(_listed_as_tuples(first)))
    return structure.map_structure(_with_open_rows, spec) if batches else spec


def _listed_as_tuples(element):
    if isinstance(element, list):
        if all(isinstance(x, (str, bytes, numbers.Number)) for x in element):
            return element
        return tuple(map(_listed_as_tuples, element))
    found = nest.children(element)
    if found is None:
        return element
    return nest.rebuild(element, [_listed_as_tuples(child) for _, child in found])


def _with_open_rows(spec):
    if not structure.is_dense(spec) or not spec.shape.rank:
        return spec
    return TensorSpec(TensorShape([None]).concatenate(spec.shape[1:]), spec.dtype)


class _Loaded(Generator):
    """The batches of a loader."""

    def __init__(self, loader: DataLoader, spec):
        super().__init__(lambda: iter(loader), spec)
        self.loader = loader

    def cardinality(self) -> int:
        if isinstance(self.loader.dataset, IterableDataset):
            return UNKNOWN  # the length that such a dataset gives is an estimate
        try:
            return len(self.loader)
        except TypeError:  # a sampler without one
            return UNKNOWN

    def label(self) -> str:
        return "DataLoader"


class _Samples(Node):
    """The elements of a map-style dataset."""

    def __init__(self, dataset: Dataset, spec):
        self.dataset = dataset
        self.spec = spec

    def cardinality(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def start(self, run: Run) -> Stage:
        return _SampleRows(self)

    def label(self) -> str:
        return f"{type(self.dataset).__name__}({len(self.dataset)} elements)"  # type: ignore

    tf_name = "_FlatMapDataset"  # that of a generator


class _SampleRows(Rows):
    pure = False

    def __init__(self, node: _Samples):
        super().__init__(Affine(0, node.cardinality()))
        self._dataset = node.dataset
        self._form = Yielded(node.spec)
        self._failed = Failed()

    def over(self, order: Order) -> Rows:
        copy = super().over(order)
        copy._failed = Failed()
        return copy

    def next(self, n):
        self._failed.check()
        n = min(n, self.count - self._position)
        if n <= 0:
            return None
        rows = []
        for i in index_of(self._order.read(self._position, n)).tolist():
            self._position += 1
            try:
                rows.append(self._form.row(self._dataset[i]))
            except Exception as e:
                if not rows:
                    raise as_op_error(e) from e
                self._failed.keep(as_op_error(e))
                break
        return chunk_of(rows, self._form.width)


__all__ = ["torch_source"]
