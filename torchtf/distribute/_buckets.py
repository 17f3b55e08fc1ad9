"""Gradients travel in buckets, each sent off while the backward pass still computes the next.

* A bucket is one message: tensors of one dtype and device, in the order in which they get ready, up
  to 25 MB (the default of PyTorch's DDP); the first one is small, so that sending begins early.
* In a traced step `overlap` moves the start of each message up to where its last gradient is
  computed, and the wait for it down to where its result is needed. Every replica runs the same
  graph, and no message overtakes another, so the replicas agree on the order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import torch
from torch.fx import Graph, Node

from torchtf.core import graph
from torchtf.core.tensor import is_fake
from torchtf.function import trace

MEGABYTE = 1 << 20


@dataclasses.dataclass(frozen=True)
class Packing:
    """How tensors are put together into messages.

    Attributes:
        most: the bytes of a bucket; a larger tensor travels alone.
        first: the bytes of the first one.
        packs: if given, the number of buckets of about equal size; 0 sends each tensor by itself.
    """

    most: int = 25 * MEGABYTE
    first: int = MEGABYTE
    packs: int | None = None

    def buckets(self, tensors: Sequence[torch.Tensor]) -> Iterator[list[int]]:
        """The positions of the tensors of each bucket, in the order in which to send them."""
        sizes = [t.numel() * t.element_size() for t in tensors]
        limit, most = self.first, self.most
        if self.packs is not None:
            limit = most = -(-sum(sizes) // self.packs) if self.packs else 0
        filling: dict = {}
        for i in in_order_of_readiness(tensors):
            key = tensors[i].dtype, tensors[i].device
            bucket, filled = filling.get(key, ([], 0))
            if bucket and filled + sizes[i] > limit:
                yield bucket
                bucket, filled, limit = [], 0, most
            filling[key] = [*bucket, i], filled + sizes[i]
        yield from (bucket for bucket, _ in filling.values())


def in_order_of_readiness(tensors: Sequence[torch.Tensor]) -> list[int]:
    """The positions of gradients in the order in which the backward pass computes them.

    In a trace that is the order of the graph. Elsewhere it is taken to be the reverse one of the
    variables, as DDP does.
    """
    positions = list(reversed(range(len(tensors))))
    under_way = graph.state.trace
    if under_way is None or not all(is_fake(t) for t in tensors):
        return positions
    nodes = {node: i for i, node in enumerate(under_way.tracer.graph.nodes)}
    return sorted(positions, key=lambda i: nodes[under_way.node_of(tensors[i])])


_c10d = torch.ops._c10d_functional
_STARTS = (_c10d.all_reduce.default, _c10d.all_reduce_.default)
_aten = torch.ops.aten
# what only brings tensors into the form of a message
_PACKING = (_aten.cat.default, _aten.view.default, _aten.reshape.default, _aten.clone.default,
            _aten._unsafe_view.default, _aten.alias.default, _aten.detach.default)  # fmt: skip


def overlap(fx_graph: Graph) -> None:
    """Starts each all-reduce of a graph as early, and waits for it as late, as its values allow."""
    starts = [n for n in fx_graph.nodes if n.target in _STARTS]
    if not starts:
        return
    order = _Order(fx_graph)
    previous = None
    for start in starts:
        order.raise_(start, previous)
        previous = start
    for start in starts:
        for wait in [u for u in start.users if u.target is _c10d.wait_tensor.default]:
            first = min(wait.users, key=order.position, default=None)
            if first is not None:
                first.prepend(wait)


class _Order:
    """The order of a graph's nodes, while some are moved up."""

    def __init__(self, fx_graph: Graph):
        nodes = list(fx_graph.nodes)
        self._positions: dict[Node, float] = {node: i for i, node in enumerate(nodes)}
        # what an op changes in place stays behind that op
        self._changed = {
            view
            for node in nodes
            if node.target not in _STARTS
            for target in trace.mutated_arguments(node)
            for view in trace.views(trace.memory_of(target))
        }

    def position(self, node: Node) -> float:
        return self._positions[node]

    def raise_(self, node: Node, behind: Node | None = None) -> None:
        """Moves a node, and the packing before it, up to where its last input is computed."""
        inputs = node.all_input_nodes
        if any(i in self._changed for i in inputs):
            return
        for i in inputs:
            if i.target in _PACKING:
                self.raise_(i)
        last = max([*inputs, *([behind] if behind else [])], key=self.position)
        if node.prev is last:
            return
        following = self._positions.get(last.next, float("inf"))
        last.append(node)
        self._positions[node] = (self._positions[last] + following) / 2


trace.graph_passes.append(overlap)
