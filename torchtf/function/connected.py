"""Gradients of what a run left out: zeros, not None.

A branch that was not taken and a loop that ran no turn connect results with inputs all the same: in
TensorFlow the graph tells what a gradient is of. Autograd knows only what ran, so a result that it
has no history of gets one, whose gradients are zeros.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence

import torch


class _Zeros(torch.autograd.Function):
    """A result as a function of `sources` whose gradients are zero, and theirs."""

    @staticmethod
    def forward(ctx, result, *sources):
        ctx.save_for_backward(*sources)
        return result.view_as(result)

    @staticmethod
    def backward(ctx, grad):
        sources = ctx.saved_tensors
        zeros = [torch.zeros_like(s, memory_format=torch.contiguous_format) for s in sources]
        if torch.is_grad_enabled():  # a function of the incoming gradient and of the sources
            zeros = [_Zeros.apply(z, grad, *sources) for z in zeros]
        return grad if ctx.needs_input_grad[0] else None, *zeros


class _LinkedGradient(torch.autograd.Function):
    """An operand whose gradient is a function of `sources`, if it is not one already."""

    @staticmethod
    def forward(ctx, operand, *sources):
        ctx.save_for_backward(*sources)
        return operand.view_as(operand)

    @staticmethod
    def backward(ctx, grad):
        sources = ctx.saved_tensors
        if torch.is_grad_enabled():
            grad = _Zeros.apply(grad, *sources)
        return grad, *[None] * len(sources)


def linked(operands: Sequence, curved: Sequence[set[int]], taken: int) -> list:
    """The operands of branches as the one that runs takes them.

    The gradient of an operand in the graph is a function of all that it is of in one of the
    branches; autograd knows only that which runs.

    Args:
        operands: the inputs.
        curved: for each branch, what `curved_in` gives.
        taken: which branch runs.
    """
    others = set().union(*curved) - curved[taken]
    sources = [operands[k] for k in sorted(set().union(*curved))]
    sources = [x for x in sources if _is_recorded(x)]
    if not others or not sources:
        return list(operands)
    return [
        _LinkedGradient.apply(x, *sources) if k in others and _is_recorded(x) else x
        for k, x in enumerate(operands)
    ]


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
            sources = [x for x in given if _is_recorded(x)]
            if sources:
                made[i] = _Zeros.apply(result, *sources)
    return made


def _is_recorded(value) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad


def _is_differentiable(value) -> bool:
    return isinstance(value, torch.Tensor) and (value.is_floating_point() or value.is_complex())


def _sources(module: torch.fx.GraphModule) -> dict[torch.fx.Node, set[int]]:
    """For each value of a graph, the places of the inputs that gradients flow to from it."""
    found: dict[torch.fx.Node, set[int]] = {}
    places = itertools.count()
    for node in module.graph.nodes:
        if node.op == "placeholder":
            found[node] = {next(places)}
        elif node.op != "output" and _passes(node):
            found[node] = set().union(*[found.get(n, ()) for n in node.all_input_nodes])
    return found


def reached(module: torch.fx.GraphModule) -> list[set[int]]:
    """For each result of a graph, the places of the inputs that gradients flow to from it."""
    found = _sources(module)
    return [found.get(r, set()) for r in module.graph.output_node().args[0]]


_aten = torch.ops.aten
# overloads of an op count as one; those that are not here count as curved
_LINEAR = frozenset(
    (
        _aten.add, _aten.sub, _aten.rsub, _aten.neg, _aten.sum, _aten.mean, _aten.view,
        _aten._unsafe_view, _aten.reshape, _aten.expand, _aten.permute, _aten.transpose, _aten.t,
        _aten.squeeze, _aten.unsqueeze, _aten.clone, _aten.detach, _aten.alias, _aten.cat,
        _aten.stack, _aten.slice, _aten.select, _aten.split, _aten.split_with_sizes,
        _aten.unbind, _aten.index_select, _aten.flip, _aten.roll, _aten._to_copy, _aten.lift_fresh,
        _aten.contiguous, _aten.full_like, _aten.zeros_like, _aten.ones_like, _aten.cumsum,
    )
)  # fmt: skip
_PRODUCTS = frozenset((_aten.mul, _aten.mm, _aten.bmm, _aten.matmul, _aten.mv, _aten.dot))


def curved_in(module: torch.fx.GraphModule) -> set[int]:
    """The places of the inputs that a graph has second derivatives with respect to.

    An input counts that an op which is not linear takes, or which is a factor of another one.
    """
    found = _sources(module)
    curved: set[int] = set()
    for node, sources in found.items():
        if node.op != "placeholder":
            given = [n for n in node.all_input_nodes if found.get(n)]
            kind = getattr(node.target, "overloadpacket", node.target)
            squared = kind in _PRODUCTS and node.args[0] is node.args[1]
            factors = kind in _PRODUCTS and (len(given) > 1 or squared)
            quotient = kind is _aten.div and not (
                isinstance(node.args[1], torch.fx.Node) and found.get(node.args[1])
            )
            plain = kind in _LINEAR or kind is operator.getitem or quotient
            if factors or not (plain or kind in _PRODUCTS):
                curved |= sources
    return curved


def _passes(node: torch.fx.Node) -> bool:
    """Whether gradients flow through a node."""
    if node.meta.get("tf_op") == "StopGradient":
        return False
    value = node.meta.get("val")
    return not isinstance(value, torch.Tensor) or _is_differentiable(value)


def reached_in_branches(modules: Sequence[torch.fx.GraphModule]) -> list[set[int]]:
    """`reached` for the results of whichever branch runs."""
    return [set().union(*sets) for sets in zip(*map(reached, modules), strict=True)]
