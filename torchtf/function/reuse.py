"""Ops of a graph that may write their result into an operand which nothing needs any more.

TensorFlow's executor does the same under the name of buffer forwarding. It saves the memory of the
result and the time to touch it, which for elementwise ops on large tensors is most of their time.

* An operand qualifies if an op of the graph made its memory, and this is the last node that sees
  any view of that memory.
* Results keep the shape, strides and dtype that they were traced with.
* Not for runs under a tape outside of the graph: autograd may have saved the operand.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch

from torchtf.function import staged

_aten = torch.ops.aten

# functional op -> in-place form, and whether the operands may be swapped
_IN_PLACE: dict = {
    _aten.add.Tensor: (torch.Tensor.add_, True),
    _aten.mul.Tensor: (torch.Tensor.mul_, True),
    _aten.sub.Tensor: (torch.Tensor.sub_, False),
    _aten.div.Tensor: (torch.Tensor.div_, False),
    **{
        getattr(_aten, name).default: (getattr(torch.Tensor, f"{name}_"), False)
        for name in ("relu", "sigmoid", "tanh", "exp", "neg", "sqrt", "rsqrt", "reciprocal")
    },
    _aten.threshold_backward.default: (
        lambda grad, x, threshold: _aten.threshold_backward.grad_input(
            grad, x, threshold, grad_input=grad
        ),
        False,
    ),
}

# Views that show all elements of their memory; `_unsafe_view` does not say that it is one.
_WHOLE = {
    _aten.permute.default, _aten.transpose.int, _aten.t.default, _aten.view.default,
    _aten.alias.default, _aten.detach.default, _aten.unsqueeze.default, _aten._unsafe_view.default,
    _aten.squeeze.dim, _aten.squeeze.dims,
}  # fmt: skip


class _Memory:
    """The memory that some nodes share.

    Attributes:
        own: whether an op of this graph made it, and nothing outside of the graph knows it.
        last: the last node that sees it.
    """

    __slots__ = ("last", "own")

    def __init__(self, own: bool):
        self.own = own
        self.last: torch.fx.Node | None = None


def plan(
    graph: torch.fx.Graph, shortcuts: Mapping[torch.fx.Node, Any] | None = None
) -> dict[torch.fx.Node, tuple[Callable, int]]:
    """The nodes that may reuse an operand: the in-place function, and the position of the operand.

    Args:
        graph: a traced graph, free of dead code.
        shortcuts: what `shortcuts.plan` found in it: constants outlive a run, and who reads a
            name reads the memory of what it stands for.
    """
    shortcuts = shortcuts or {}
    # the rank of its result depends on open sizes, so what looks alike in the trace may differ
    if any(n.target is _aten.squeeze.default for n in graph.nodes):
        return {}
    memory: dict[torch.fx.Node, _Memory] = {}
    parts: dict[tuple, _Memory] = {}
    for node in graph.nodes:
        for used in node.all_input_nodes:
            memory[used].last = node
        known = shortcuts.get(node)
        if isinstance(known, torch.fx.Node):
            memory[node] = memory[known]
        elif known is not None:
            memory[node] = _Memory(own=False)
        else:
            memory[node] = _memory_of(node, memory, parts)
    found = {}
    for node in graph.nodes:
        if node.target not in _IN_PLACE or node.kwargs:
            continue
        function, swaps = _IN_PLACE[node.target]
        for i in (0, 1) if swaps else (0,):
            operand = node.args[i]
            if not isinstance(operand, torch.fx.Node) or not _is_whole(operand):
                continue
            seen = memory[operand]
            others = [memory[a] for a in node.all_input_nodes if a is not operand]
            if (
                seen.own
                and seen.last is node
                and seen not in others
                and node.args.count(operand) == 1
                and _looks_alike(operand, node)
            ):
                found[node] = function, i
                break
    return found


def _memory_of(node: torch.fx.Node, memory: dict, parts: dict) -> _Memory:
    if node.target is operator.getitem and _makes_memory(node.args[0]):
        return parts.setdefault(node.args, _Memory(own=True))
    if _makes_memory(node):
        return _Memory(own=True)
    schema = getattr(node.target, "_schema", None)
    if node.target is operator.getitem or (schema is not None and _is_view(node)):
        source = node.args[0] if node.args else None
        return memory[source] if isinstance(source, torch.fx.Node) else _Memory(own=False)
    # Python and outputs: somebody may keep what comes in, and hand it out again.
    for used in node.all_input_nodes:
        memory[used].own = False
    return _Memory(own=False)


def _is_view(node: torch.fx.Node) -> bool:
    returns = node.target._schema.returns  # type: ignore[union-attr]
    return node.target in _WHOLE or any(r.alias_info is not None for r in returns)


def _makes_memory(node) -> bool:
    """Whether a node is an op whose results are new tensors."""
    return (
        isinstance(node, torch.fx.Node)
        and isinstance(node.target, torch._ops.OpOverload)
        and node.target is not _aten.lift_fresh_copy.default
        and not _is_view(node)
    )


def _is_whole(node) -> bool:
    """Whether a node shows all of its memory, each element once."""
    while isinstance(node, torch.fx.Node) and node.target in _WHOLE:
        node = node.args[0]
    if isinstance(node, torch.fx.Node) and node.target is operator.getitem:
        node = node.args[0]
    return _makes_memory(node)


def _looks_alike(operand: torch.fx.Node, node: torch.fx.Node) -> bool:
    """Whether two nodes agree in shape, strides, dtype and device, whatever the open sizes are."""
    a, b = operand.meta.get("val"), node.meta.get("val")
    return (
        isinstance(a, torch.Tensor)
        and isinstance(b, torch.Tensor)
        and a.dtype is not staged.FLOW  # no tensor
        and (a.dtype, a.device) == (b.dtype, b.device)
        # as text: to compare symbolic sizes would be to assume something of them
        and str((a.shape, a.stride())) == str((b.shape, b.stride()))
    )
