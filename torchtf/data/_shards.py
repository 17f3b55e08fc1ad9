"""The share of a dataset that one of several workers reads, as a rewritten plan."""

from __future__ import annotations

from torchtf.core import errors
from torchtf.data._dataset import Dataset
from torchtf.data._files import FileSource
from torchtf.data._plan import Node
from torchtf.data._selection import SHARD_HINT, Shard, Shuffle


def with_files_of(dataset: Dataset, rank: int, size: int) -> Dataset | None:
    """The dataset over worker `rank`'s share of its files; None if it reads none.

    The files are those of a reader, or what goes into a step whose function reads files.

    Raises:
        InvalidArgumentError: if there are fewer files than the `size` workers.
    """
    found = False

    def check(count: int) -> None:
        nonlocal found
        found = True
        if 0 <= count < size:
            raise errors.InvalidArgumentError(
                None, None,
                f"Could not apply FILE based sharding: the dataset only has {count} file(s), which "
                f"is not enough for the required {size} shards/workers. Use another "
                "tf.data.experimental.AutoShardPolicy, or more files.",
            )  # fmt: skip

    def shared(node):
        if isinstance(node, Shuffle):  # each worker shuffles its own
            return node.with_inputs((shared(node.source),))
        check(node.cardinality())
        return Shard(node, size, rank)

    def rewritten(node):
        if isinstance(node, FileSource):
            check(len(node.names))
            return node.with_names(node.names[rank::size])
        if getattr(getattr(node, "function", None), "reads_files", False):
            return node.with_inputs(tuple(map(shared, node.inputs)))
        return node.with_inputs(tuple(map(rewritten, node.inputs)))

    node = rewritten(dataset._node)
    return Dataset(node, dataset.options()) if found else None


def with_elements_of(dataset: Dataset, rank: int, size: int) -> Dataset:
    """Each `size`-th element, from number `rank` on."""
    return dataset._then(Shard(dataset._node, size, rank))


def with_hints_of(dataset: Dataset, rank: int, size: int) -> Dataset:
    """The dataset with the numbers of a worker in its `shard(SHARD_HINT, SHARD_HINT)`."""

    def rewritten(node: Node) -> Node:
        inputs = tuple(map(rewritten, node.inputs))
        if isinstance(node, Shard) and node.number == SHARD_HINT:
            return Shard(inputs[0], size, rank)
        return node.with_inputs(inputs)

    return Dataset(rewritten(dataset._node), dataset.options())
