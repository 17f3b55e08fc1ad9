"""Errors of users' functions as TensorFlow words them: with the transformation and its place."""

from __future__ import annotations

import itertools
import weakref

from torchtf.data._batching import Batch
from torchtf.data._elementwise import Filter, Map, Zip
from torchtf.data._nested import Interleave
from torchtf.data._plan import INFINITE, Node
from torchtf.data._selection import Repeat

_PREFETCHED = ("Prefetch", "ParallelMapV2", "ParallelInterleaveV4")

_numbers = itertools.count(1)
_numbered: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def described(error, root: Node) -> str:
    """The message of an error that a function of a plan raised, with TensorFlow's words before.

    Args:
        error: has the function as its attribute `user_function`; others are left as they are.
        root: the last step of the plan.
    """
    function = getattr(error, "user_function", None)
    path = function and _path(root, function)
    if not path:
        return error.message
    step = path[-1]
    above = path[-2] if len(path) > 1 else None
    if not isinstance(step, (Map, Filter, Interleave)) or (
        isinstance(step, Map) and isinstance(above, Batch)  # TensorFlow makes one step of them
    ):
        return error.message
    labels = [_label(n) for n in path]
    if labels[0] not in _PREFETCHED:
        labels.insert(0, "Prefetch")
    number = _numbered.setdefault(function, next(_numbers))
    return (
        f"Error in user-defined function passed to {_op(step)}:{number} transformation with "
        f"iterator: {'::'.join(['Iterator', 'Root', *labels])}: {error.message}"
    )


def _path(node: Node, function) -> list[Node] | None:
    """The steps from `node` down to that of the function."""
    if getattr(node, "function", None) is function:
        return [node]
    for source in node.inputs:
        found = _path(source, function)
        if found is not None:
            return [node, *found]
    return None


def _op(step: Node) -> str:
    if isinstance(step, Map):
        return "MapDataset" if step.parallel is None else "ParallelMapDatasetV2"
    if isinstance(step, Interleave):
        return f"{step.name}Dataset" if step.parallel is None else "ParallelInterleaveDatasetV4"
    return "FilterDataset"


def _label(node: Node) -> str:
    """The name of a step in the path of its iterator."""
    if isinstance(node, Map):
        return "ParallelMapV2" if node.function.pure or node.parallel is not None else "Map"
    if isinstance(node, Interleave):
        return node.name if node.parallel is None else "ParallelInterleaveV4"
    if isinstance(node, Repeat):
        return "ForeverRepeat[0]" if node.times == INFINITE else "FiniteRepeat[0]"
    if isinstance(node, Zip):
        return "Zip[0]"
    return type(node).__name__
