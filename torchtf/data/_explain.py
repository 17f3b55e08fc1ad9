"""`Dataset.explain`: what a pipeline does, and where its time goes."""

from __future__ import annotations

import time

from torchtf.data._iterator import Chunks
from torchtf.data._optimize import optimize
from torchtf.data._plan import INFINITE, UNKNOWN, Clock, Node


def explain(dataset, seconds: float) -> str:
    """The text of `Dataset.explain`."""
    node = optimize(dataset._node, dataset._options)
    clocks: dict[int, Clock] = {}
    chunks = Chunks(dataset._measured(node, clocks))
    elements, began = 0, time.perf_counter()
    ended = False
    while time.perf_counter() - began < seconds:
        chunk = chunks.next()
        if chunk is None:
            ended = True
            break
        elements += chunk.size
    spent = time.perf_counter() - began
    chunks.close()
    lines = [*_titles(dataset._options), "Plan as written", *_tree(dataset._node, _plain)]
    lines += ["", "Plan as run", *_tree(node, lambda n: _timed(n, clocks, spent))]
    rate = elements / spent if spent else 0.0
    until = "the end" if ended else f"{seconds:g} s were over"
    lines += ["", f"{elements:,} elements in {spent:.3f} s ({rate:,.0f} per second), until {until}"]
    return "\n".join(lines)


def _titles(options) -> list[str]:
    """The names that the options give to the dataset."""
    names = [options.dataset_name, *(options.framework_type or [])]
    return [f"Dataset {', '.join(n for n in names if n)}"] if any(names) else []


def _tree(node: Node, describe, depth: int = 0) -> list[str]:
    lines = [f"{'  ' * (depth + 1)}{describe(node)}"]
    for source in node.inputs:
        lines += _tree(source, describe, depth + 1)
    return lines


def _plain(node: Node) -> str:
    count = node.cardinality()
    size = {INFINITE: "endless", UNKNOWN: "unknown size"}.get(count, f"{count:,} elements")
    return f"{node.label()}: {size}"


def _timed(node: Node, clocks: dict[int, Clock], total: float) -> str:
    clock = clocks.get(id(node))
    if clock is None or not clock.chunks:
        return f"{node.label()}: moves positions only"
    share = 100 * clock.seconds / total if total else 0.0
    per_chunk = clock.elements / clock.chunks
    where = f", {clock.where}" if clock.where else ""
    return (
        f"{node.label()}: {clock.seconds:.3f} s ({share:.0f} %), {clock.elements:,} elements in "
        f"chunks of {per_chunk:,.0f}{where}"
    )
