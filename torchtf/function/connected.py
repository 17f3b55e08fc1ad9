"""Gradients of what a run left out: zeros, not None.

A branch that was not taken and a loop that ran no turn connect results with inputs all the same: in
TensorFlow the graph tells what a gradient is of. Autograd knows only what ran, so a result that it
has no history of gets one, whose gradients are zeros.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


class _Zeros(torch.autograd.Function):
    """A result as a function of `sources` whose gradients are zero."""

    @staticmethod
    def forward(ctx, result, *sources):
        ctx.kinds = [(s.shape, s.dtype, s.device) for s in sources]
        return result.view_as(result)

    @staticmethod
    def backward(ctx, grad):
        return None, *[torch.zeros(s, dtype=d, device=p) for s, d, p in ctx.kinds]


def connected(results: Sequence, operands: Sequence, reach: Sequence[set[int]]) -> list:
    """The results, each with a history if the graph has one.

    Args:
        results: what ran, under autograd.
        operands: the inputs.
        reach: for each result, the inputs that it depends on in the graph.
    """
    made = list(results)
    for i, (result, inputs) in enumerate(zip(results, reach, strict=True)):
        if _is_differentiable(result) and not result.requires_grad:
            given = [operands[k] for k in sorted(inputs)]
            sources = [x for x in given if _is_differentiable(x) and x.requires_grad]
            if sources:
                made[i] = _Zeros.apply(result, *sources)
    return made


def _is_differentiable(value) -> bool:
    return isinstance(value, torch.Tensor) and (value.is_floating_point() or value.is_complex())


def reached(module: torch.fx.GraphModule) -> list[set[int]]:
    """For each result of a graph, the places of the inputs that gradients flow to from it."""
    found: dict[torch.fx.Node, set[int]] = {}
    count = 0
    for node in module.graph.nodes:
        if node.op == "placeholder":
            found[node] = {count}
            count += 1
        elif node.op == "output":
            return [found.get(r, set()) for r in node.args[0]]
        elif _passes(node):
            found[node] = set().union(*[found.get(n, ()) for n in node.all_input_nodes])
    return []


def _passes(node: torch.fx.Node) -> bool:
    """Whether gradients flow through a node."""
    if node.meta.get("tf_op") == "StopGradient":
        return False
    value = node.meta.get("val")
    return not isinstance(value, torch.Tensor) or _is_differentiable(value)


def reached_in_branches(modules: Sequence[torch.fx.GraphModule]) -> list[set[int]]:
    """`reached` for the results of whichever branch runs."""
    return [set().union(*sets) for sets in zip(*map(reached, modules), strict=True)]
