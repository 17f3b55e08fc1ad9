"""`tf.gradients` and `tf.hessians`: gradients of tensors of the graph under way.

A tape records while it is open; these look back. The nodes between `xs` and `ys` are run once more,
under autograd, within the trace; what of the first run is not used otherwise is removed from the
graph.
"""

from __future__ import annotations

import torch
from torch.fx.experimental import proxy_tensor

from torchtf import array_ops, math
from torchtf.core import graph, nest
from torchtf.core.convert import convert_to_tensor, raw
from torchtf.core.tape import UnconnectedGradients
from torchtf.core.tensor import wrap


def gradients(
    ys, xs, grad_ys=None, name="gradients", gate_gradients=False, aggregation_method=None,
    stop_gradients=None, unconnected_gradients=UnconnectedGradients.NONE,
):  # fmt: skip
    """The derivatives of the sum of `ys` with respect to each of `xs` (source: `tf.gradients`).

    They are those of the ops in the graph: the gradient that a `tf.custom_gradient` defines is not
    seen; a `GradientTape` sees it.

    Args:
        ys: a tensor or a list of them.
        xs: a tensor or variable, or a list of them.
        grad_ys: the incoming gradients, one for each of `ys`; ones by default.
        gate_gradients, aggregation_method: hints on the order of execution; the result is the same.
        stop_gradients: tensors that count as constants.
        unconnected_gradients: "none" or "zero", for those of `xs` that `ys` do not depend on.

    Returns:
        A list of tensors, as long as `xs`.

    Raises:
        RuntimeError: outside of a `tf.function`.
        NotImplementedError: if control flow or a host function lies between `xs` and `ys`.
    """
    trace = graph.state.trace
    if trace is None:
        raise RuntimeError(
            "tf.gradients is not supported when eager execution is enabled. Use tf.GradientTape "
            "instead."
        )
    zero = unconnected_gradients == UnconnectedGradients.ZERO
    ys = [raw(y) for y in nest.flatten(ys)]
    sources = [raw(x) for x in nest.flatten(xs)]
    stopped = {trace.node_of(raw(t)) for t in nest.flatten(stop_gradients or [])}
    nodes = [trace.node_of(x) for x in sources]
    leaves = {n: x.detach().requires_grad_() for n, x in zip(nodes, sources, strict=True)}
    again = _run_again(trace, leaves, stopped)
    targets, incoming = [], []
    for i, y in enumerate(ys):
        value = again.get(trace.node_of(y), y)
        if value.requires_grad:
            targets.append(value)
            given = None if grad_ys is None else nest.flatten(grad_ys)[i]
            incoming.append(torch.ones_like(value) if given is None else raw(given, value.dtype))
    found = [None] * len(nodes)
    if targets:
        found = torch.autograd.grad(targets, [again[n] for n in nodes], incoming, allow_unused=True)
    return [
        (wrap(torch.zeros_like(x)) if zero else None) if g is None else wrap(g.detach())
        for g, x in zip(found, sources, strict=True)
    ]


def _run_again(trace, leaves: dict, stopped: set) -> dict:
    """Runs the nodes that depend on those in `leaves`, which they get in place of their own.

    One that depends on others of them is run again itself, so that these have a gradient, too.

    Returns:
        node -> its new value.
    """
    values = dict(leaves)

    def value_of(node):
        if node in values:
            return values[node]
        known = node.meta["val"]
        if not isinstance(known, torch.Tensor):
            return known
        with trace.untraced():
            fake = known.detach()  # a stand-in that the trace ties to the node
        proxy = torch.fx.Proxy(node, trace.tracer)
        proxy_tensor.track_tensor_tree(fake, proxy, constant=None, tracer=trace.tracer)
        return fake

    for node in list(trace.tracer.graph.nodes):
        if node in stopped or node.meta.get("tf_op") == "StopGradient":
            continue
        if node.op != "call_function" or not any(n in values for n in node.all_input_nodes):
            continue
        if not isinstance(node.meta.get("val"), (torch.Tensor, tuple, list)):
            continue  # a size is the same again
        if (
            not isinstance(node.target, torch._ops.OpOverload)
            and node.target.__module__ != "_operator"
        ):
            raise NotImplementedError(
                f"tf.gradients through {node.target} is not supported; use tf.GradientTape, which "
                "records it"
            )
        args = torch.fx.map_arg(node.args, value_of)
        kwargs = torch.fx.map_arg(node.kwargs, value_of)
        value = node.target(*args, **kwargs)
        if node not in leaves or value.requires_grad:
            values[node] = value
    return values


def hessians(ys, xs, gate_gradients=False, aggregation_method=None, name="hessians"):
    """The matrices of second derivatives of the sum of `ys` (source: `tf.hessians`).

    Args:
        ys, xs: as for `gradients`.
        gate_gradients, aggregation_method: hints; the result is the same.

    Returns:
        For each of `xs` a tensor whose shape is its own twice.

    Raises:
        RuntimeError: outside of a `tf.function`.
    """
    results = []
    for x in nest.flatten(xs):
        (first,) = gradients(ys, x)
        size = math.reduce_prod(array_ops.shape(x))
        count = convert_to_tensor(x).shape.num_elements()
        if count is None:
            raise NotImplementedError(
                "tf.hessians needs the number of elements of xs; use GradientTape.jacobian of a "
                "gradient where it is open"
            )
        flat = array_ops.reshape(first, [size])
        rows = [gradients(flat[i], x, unconnected_gradients="zero")[0] for i in range(count)]
        shape = convert_to_tensor(x).shape.as_list()
        results.append(array_ops.reshape(array_ops.stack(rows), shape + shape))
    return results
