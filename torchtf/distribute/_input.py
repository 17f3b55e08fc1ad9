"""Datasets shared out among the replicas."""

from __future__ import annotations

import itertools

import torch

from torchtf.core import errors, graph, nest
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import Tensor, wrap
from torchtf.data import _in_graph
from torchtf.data._batching import Batch
from torchtf.data._dataset import Dataset
from torchtf.data._elementwise import AssertCardinality
from torchtf.data._options import AutoShardPolicy
from torchtf.data._prefetch import Prefetch
from torchtf.data._selection import Repeat, Shard, Shuffle, Skip, Take
from torchtf.data._shards import with_files_of, with_hints_of
from torchtf.data._storage import Cache
from torchtf.data._structure import empty
from torchtf.distribute._values import PerReplicaSpec


class InputReplicationMode:
    """How input is replicated; see `InputOptions`."""

    PER_WORKER = "PER_WORKER"
    PER_REPLICA = "PER_REPLICA"


class InputOptions:
    """Options of `experimental_distribute_dataset` (source: `tf.distribute.InputOptions`)."""

    def __init__(
        self,
        experimental_fetch_to_device=None,
        experimental_replication_mode=InputReplicationMode.PER_WORKER,
        experimental_place_dataset_on_device=False,
        experimental_per_replica_buffer_size=1,
    ):
        self.experimental_fetch_to_device = experimental_fetch_to_device
        self.experimental_replication_mode = experimental_replication_mode
        self.experimental_place_dataset_on_device = experimental_place_dataset_on_device
        self.experimental_per_replica_buffer_size = experimental_per_replica_buffer_size


class DistributedIterator:
    """Iterates a `DistributedDataset`."""

    def __init__(self, dataset: DistributedDataset):
        self._dataset = dataset
        self._iterator = iter(dataset.local)
        self._ahead: list = []

    def __iter__(self):
        return self

    def _in_graph(self):
        return _in_graph.GraphIterator(self.element_spec, self)

    def _as_argument(self, place):
        """What a traced function sees of an iterator that it gets as an argument."""
        return _in_graph.GraphIterator(self.element_spec, place)

    def _has_next(self) -> bool:
        if not self._ahead:
            self._ahead.extend(itertools.islice(self._iterator, 1))
        return bool(self._ahead)

    def __next__(self):
        if graph.state.trace is not None:
            return self._in_graph().get_next()
        element = self._ahead.pop() if self._ahead else next(self._iterator)
        return nest.map_structure(self._dataset.distributed, element)

    def get_next(self):
        """The next element.

        Raises:
            OutOfRangeError: at the end.
        """
        try:
            return next(self)
        except StopIteration:
            raise errors.OutOfRangeError(None, None, "End of sequence") from None

    def get_next_as_optional(self):
        """The next element as an `Optional`, which is empty at the end."""
        if graph.state.trace is not None:
            return self._in_graph().get_next_as_optional()
        from torchtf.data._optional import Optional

        try:
            return Optional(next(self), self.element_spec)
        except StopIteration:
            return Optional.empty(self.element_spec)

    @property
    def element_spec(self):
        return self._dataset.element_spec


class DistributedDataset:
    """A dataset of which each process reads its own replica's part.

    Attributes:
        local: the dataset of this process.
    """

    def __init__(self, local, strategy):
        self.local = local
        self.distributed = strategy._distributed
        self._replicas = strategy._local_replicas

    @property
    def element_spec(self):
        spec = self.local.element_spec
        if self._replicas == 1:
            return spec
        return nest.map_structure(lambda s: PerReplicaSpec(s, self._replicas), spec)

    @property
    def cardinality(self):
        """The number of elements: an int64 tensor, -1 if infinite, -2 if unknown."""
        return wrap(torch.scalar_tensor(int(self.local.cardinality()), dtype=torch.int64))

    def reduce(self, initial_state, reduce_func):
        """Folds the elements; see `tf.data.Dataset.reduce`."""
        state = initial_state
        for element in self:
            state = reduce_func(state, element)
        return state

    def __iter__(self):
        if graph.state.trace is not None:
            return _in_graph.iterate(self)
        return DistributedIterator(self)


def distribute_dataset(dataset, strategy, options=None) -> DistributedDataset:
    """Shares each global batch out: replica i of n gets the i-th n-th of its rows.

    The workers of a `MultiWorkerMirroredStrategy` share out by the dataset's `AutoShardPolicy`:
    the rows of each batch (DATA), the files it reads (FILE, and AUTO if it reads files), what a
    `shard(SHARD_HINT, SHARD_HINT)` leaves (HINT), or nothing (OFF: each worker computes all). By
    OFF and HINT a worker's elements come in pieces of a replica's size.

    Raises:
        TypeError: unless it is a `tf.data.Dataset`.
        NotFoundError: for FILE, if it reads no files.
        InvalidArgumentError: for FILE and AUTO, if it reads fewer files than there are workers.
    """
    if not hasattr(dataset, "element_spec"):
        raise TypeError(f"A tf.data.Dataset is needed, got {dataset!r}")
    return DistributedDataset(local_part(dataset, strategy), strategy)


def policy_of(dataset: Dataset) -> AutoShardPolicy:
    return dataset.options().experimental_distribute.auto_shard_policy


def local_part(dataset, strategy):
    """What the replica of this process computes of a dataset of global batches."""
    group = strategy.group
    together = group is None or strategy.one_program
    if isinstance(dataset, Dataset) and policy_of(dataset) is AutoShardPolicy.HINT:
        dataset = with_hints_of(dataset, *((0, 1) if together else (group.rank, group.size)))
    if group is None:
        return dataset
    if strategy.one_program or not isinstance(dataset, Dataset):
        return Shares(dataset, group)
    policy = policy_of(dataset)
    by_files = None
    if policy in (AutoShardPolicy.FILE, AutoShardPolicy.AUTO):
        by_files = with_files_of(dataset, group.rank, group.size)
        if by_files is None and policy is AutoShardPolicy.FILE:
            raise errors.NotFoundError(None, None, "Found an unshardable source dataset")
    if by_files is not None:
        return Together(in_pieces(by_files, group), group)
    if policy in (AutoShardPolicy.OFF, AutoShardPolicy.HINT):
        return Together(in_pieces(dataset, group), group)
    return Shares(dataset, group)


def share_of(data, rank: int, size: int):
    """The rows of a batch that replica `rank` of `size` gets.

    As TensorFlow rebatches: all shares but the last ones have ceil(rows / size) rows.
    """
    rows = data.shape[0]
    per = -(-rows // size)
    return data[min(rank * per, rows) : min((rank + 1) * per, rows)]


class Shares:
    """The part of each batch of a dataset that belongs to one replica.

    Raises:
        ValueError: if the elements are no batches.
    """

    def __init__(self, dataset, group):
        self._dataset = dataset
        self._group = group

        def narrowed(spec):
            shape = spec.shape.as_list() if spec.shape.rank is not None else None
            if not shape and shape is not None:
                raise ValueError(
                    "The elements of a dataset to distribute must be batches: call Dataset.batch "
                    f"first. Got elements {dataset.element_spec}."
                )
            return TensorSpec([None, *shape[1:]] if shape else None, spec.dtype)

        self.element_spec = nest.map_structure(narrowed, dataset.element_spec)

    def cardinality(self):
        return self._dataset.cardinality()

    def __iter__(self):
        rank, size = self._group.rank, self._group.size
        for batch in self._dataset:
            yield nest.map_structure(lambda t: Tensor(share_of(t._data, rank, size)), batch)


class Pieces:
    """Each batch of a dataset, whole, in as many pieces as there are replicas."""

    def __init__(self, dataset, group):
        self._dataset = dataset
        self._size = group.size
        self.element_spec = Shares(dataset, group).element_spec

    def cardinality(self):
        count = int(self._dataset.cardinality())
        return count if count < 0 else count * self._size

    def __iter__(self):
        for batch in self._dataset:
            for i in range(self._size):
                yield nest.map_structure(
                    lambda t, i=i: Tensor(share_of(t._data, i, self._size)), batch
                )


# steps that leave batches as they are
_TRANSPARENT = (Prefetch, Repeat, Take, Skip, Shard, Shuffle, Cache, AssertCardinality)


def in_pieces(dataset, group):
    """A dataset of global batches in pieces of the sizes of the replicas' shares.

    Where the sizes differ, each worker begins with its own. Where the size of the batches cannot be
    told from the plan, they are divided as they come.
    """
    node = dataset._node
    while isinstance(node, _TRANSPARENT):
        node = node.source
    if not isinstance(node, Batch):
        return Pieces(dataset, group)
    rank, count = group.rank, group.size
    shares = [node.size // count + (i < node.size % count) for i in range(count)]
    return dataset.rebatch(shares[rank:] + shares[:rank])


class Together:
    """A worker's dataset, continued with empty batches until the other workers are done, too.

    Otherwise who has more would wait for ever for those who have stopped.
    """

    def __init__(self, dataset, group):
        self._dataset = dataset
        self._group = group
        self.element_spec = dataset.element_spec

    def cardinality(self):
        return -2

    def __iter__(self):
        elements = iter(self._dataset)
        while True:
            element = next(elements, None)
            more = torch.tensor(int(element is not None), dtype=torch.int32)
            if not self._group.all_reduce(more, "max"):
                return
            if element is None:
                element = nest.map_structure(lambda s: Tensor(empty(s)), self.element_spec)
            yield element


class Turns:
    """The elements that fall to one replica when the replicas take turns.

    When the elements run out in the middle of a round, who is left gets empty batches.
    """

    def __init__(self, dataset, group):
        self._dataset = dataset
        self._group = group

        def opened(spec):
            shape = spec.shape.as_list() if spec.shape.rank else None
            return TensorSpec([None, *shape[1:]], spec.dtype) if shape else spec

        self.element_spec = nest.map_structure(opened, dataset.element_spec)

    def cardinality(self):
        count = int(self._dataset.cardinality())
        return count if count < 0 else -(-count // self._group.size)

    def __iter__(self):
        elements = iter(self._dataset)
        while turn := list(itertools.islice(elements, self._group.size)):
            if self._group.rank < len(turn):
                yield turn[self._group.rank]
            else:
                yield nest.map_structure(lambda t: Tensor(t._data[:0]), turn[0])
