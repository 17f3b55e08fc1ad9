"""`tf.data.experimental.at`: single elements of a plan, by their positions.

A stage with a `count` gives them itself. What else has a known number of elements finds them by the
positions in its inputs; a plan that has to go through its elements has no access at random.
"""

from __future__ import annotations

from torchtf.core import errors
from torchtf.data import _structure as structure
from torchtf.data._batching import Batch, PaddedBatch, Unbatch, unstack_all
from torchtf.data._chunk import Chunk, chunk_of, concat
from torchtf.data._elementwise import Map, Zip
from torchtf.data._plan import INFINITE, Affine, Node, Run
from torchtf.data._prefetch import Prefetch
from torchtf.data._selection import Concatenate, Repeat, Skip, Take
from torchtf.data._storage import Cache


def element_at(dataset, position: int) -> Chunk:
    """The element at a position, as a chunk.

    Raises:
        OutOfRangeError: if there is no such element.
        FailedPreconditionError: if the dataset is endless.
        UnimplementedError: if the dataset gives no access at random.
    """
    node, run = dataset._node, Run(dataset._options)
    count = node.cardinality()
    if count == INFINITE:
        kind = errors.FailedPreconditionError
        text = (
            f"Dataset of type {_name(node)} has infinite cardinality, which does not support "
            "random access."
        )
    elif count >= 0 and not 0 <= position < count:
        kind, text = errors.OutOfRangeError, f"Index out of range [0, {count}):{position}"
    else:
        try:
            return _at(node, run, position)
        except _NoAccess as e:
            kind = errors.UnimplementedError
            text = f"Random access is not implemented for dataset {_name(e.args[0])}"
    raise kind(
        None,
        None,
        errors.kernel_message("GetElementAtIndex", text, "", f"_output_types_{_width(node)}"),
    )


class _NoAccess(Exception):
    """There is no access at random to the elements of a node, the argument."""


def _name(node: Node) -> str:
    """The name of a step in TensorFlow's kernels."""
    if isinstance(node, PaddedBatch):
        return "PaddedBatchDatasetV2Op(2)::Dataset"
    return node.tf_name.strip("_") + "Op::Dataset"


def _at(node: Node, run: Run, i: int) -> Chunk:
    stage = run.start(node)
    try:
        if stage.count is not None:
            found = stage.reordered(Affine(i, 1)).next(1)
            assert found is not None
            return found
    finally:
        stage.close()
    if type(node) is Batch:
        return _batch_at(node, run, i)
    if isinstance(node, Map):
        return chunk_of([node.function.call(_at(node.source, run, i).row(0))], _width(node))
    if isinstance(node, Zip):
        columns = [c for source in node.inputs for c in _at(source, run, i).columns]
        return Chunk(columns, 1)
    if isinstance(node, Concatenate):
        first, second = node.inputs
        before = first.cardinality()
        if before >= 0:
            return _at(first, run, i) if i < before else _at(second, run, i - before)
    elif isinstance(node, Repeat):
        return _at(node.source, run, i % node.source.cardinality())
    elif isinstance(node, Skip):
        return _at(node.source, run, i + node.size)
    elif isinstance(node, (Take, Prefetch, Cache)):
        return _at(node.source, run, i)
    elif isinstance(node, Unbatch):
        rows, element = node.cardinality(), node.source.cardinality()
        if rows > 0:
            size = rows // element
            columns = unstack_all([c[0] for c in _at(node.source, run, i // size).columns])
            return Chunk(columns, size).slice(i % size, i % size + 1)
    raise _NoAccess(node)


def _width(node: Node) -> int:
    return len(structure.flatten(node.spec))


def _batch_at(node: Batch, run: Run, i: int) -> Chunk:
    first = i * node.size
    last = min(first + node.size, node.source.cardinality())
    rows = concat([_at(node.source, run, k) for k in range(first, last)])
    return Chunk(node.stack(rows, 1), 1)
