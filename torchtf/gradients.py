"""`tf.gradients` and `tf.hessians`: gradients of tensors of the graph under way.

A tape records while it is open; these look back. The nodes between `xs` and `ys` are run once more,
under autograd, within the trace; what of the first run is not used otherwise is removed from the
graph.
"""

from __future__ import annotations

import operator

import torch
from torch.fx.experimental import proxy_tensor

from torchtf.core import graph, nest, tape
from torchtf.core.convert import raw
from torchtf.core.derivative import lacks_batched_form
from torchtf.core.tape import UnconnectedGradients
from torchtf.core.tensor import wrap
from torchtf.function import staged
from torchtf.function.control import like
from torchtf.function.runner import reads_rows


def gradients(
    ys, xs, grad_ys=None, name="gradients", gate_gradients=False, aggregation_method=None,
    stop_gradients=None, unconnected_gradients=UnconnectedGradients.NONE,
):  # fmt: skip
    """The derivatives of the sum of `ys` with respect to each of `xs` (source: `tf.gradients`).

    Args:
        ys: a tensor or a list of them.
        xs: a tensor or variable, or a list of them.
        grad_ys: the incoming gradients, one for each of `ys`; ones by default.
        gate_gradients, aggregation_method: hints on the order of execution; the result is the same.
        stop_gradients: tensors that count as constants.
        unconnected_gradients: "none" or "zero", for those of `xs` that `ys` do not depend on.

    Returns:
        A list as long as `xs` of tensors, `IndexedSlices` of rows that `tf.gather` read, or None.

    Raises:
        RuntimeError: outside of a `tf.function`.
    """
    zero = unconnected_gradients == UnconnectedGradients.ZERO
    targets = [raw(y) for y in nest.flatten(ys)]
    given = [None] * len(targets) if grad_ys is None else nest.flatten(grad_ys)
    again = _Again(xs, stop_gradients)
    seeds = [None if g is None else raw(g, y.dtype) for g, y in zip(given, targets, strict=True)]
    found = again.derivatives(targets, seeds)
    return [
        (wrap(torch.zeros_like(x)) if zero else None) if g is None else g
        for g, x in zip(found, again.sources, strict=True)
    ]


def hessians(ys, xs, gate_gradients=False, aggregation_method=None, name="hessians"):
    """The matrices of second derivatives of the sum of `ys` (source: `tf.hessians`).

    Args:
        ys, xs: as for `gradients`.
        gate_gradients, aggregation_method: hints; the result is the same.

    Returns:
        For each of `xs` a tensor whose shape is its own twice.

    Raises:
        RuntimeError: outside of a `tf.function`.
        ValueError: if the first derivatives do not depend on one of `xs`.
        NotImplementedError: if the size of one of `xs` is open and a loop, a condition or a Python
            function lies between it and `ys`.
    """
    targets = [raw(y) for y in nest.flatten(ys)]
    return [wrap(_Again(x, keeps_rows=False).hessian(targets)) for x in nest.flatten(xs)]


class _Again:
    """The nodes that depend on sources, run once more under autograd.

    The sources are leaves there. One that depends on others of them is run again itself, so that
    these have a gradient, too.

    Args:
        xs: the sources.
        stop_gradients: tensors that are not run again.
        keeps_rows: whether rows that `tf.gather` reads from a source are leaves of their own.
    """

    def __init__(self, xs, stop_gradients=None, keeps_rows: bool = True):
        self._keeps_rows = keeps_rows
        self._trace = graph.state.trace
        if self._trace is None:
            raise RuntimeError(
                "tf.gradients is not supported when eager execution is enabled. Use "
                "tf.GradientTape instead."
            )
        node_of = self._trace.node_of
        self.sources = [raw(x) for x in nest.flatten(xs)]
        self._nodes = [node_of(x) for x in self.sources]
        self._leaves = {
            n: x.detach().requires_grad_() for n, x in zip(self._nodes, self.sources, strict=True)
        }
        self._rows: dict[torch.fx.Node, list[tape._Handle]] = {}  # what was read of a leaf
        self._values: dict[torch.fx.Node, object] = dict(self._leaves)
        self._recorded: dict[int, object] = {}  # record of a call -> its place in autograd's graph
        stopped = {node_of(raw(t)) for t in nest.flatten(stop_gradients or [])}
        for node in list(self._trace.tracer.graph.nodes):
            if node.op != "call_function" or node in stopped:
                continue
            if node.meta.get("tf_op") == "StopGradient":
                continue
            if any(n in self._values for n in node.all_input_nodes):
                value = self._run(node)
                if value is not None and (node not in self._leaves or value.requires_grad):
                    self._values[node] = value

    def derivatives(self, ys, seeds) -> list:
        """The gradient of the sum of `ys` for each source: a tensor, `IndexedSlices` or None."""
        targets, incoming = self._targets(ys, seeds)
        handles = [
            [tape._Handle(self._values[n], self._values[n]), *self._rows.get(n, ())]
            for n in self._nodes
        ]
        flat = [h.tensor for group in handles for h in group]
        found = [None] * len(flat)
        if targets:
            found = torch.autograd.grad(targets, flat, incoming, allow_unused=True)
        totals = [tape._total(*group) for group in tape._grouped(handles, found)]
        return [wrap(g.detach()) if isinstance(g, torch.Tensor) else g for g in totals]

    def hessian(self, ys) -> torch.Tensor:
        """The second derivatives of the sum of `ys` for the one source."""
        ((source,), (node,)) = self.sources, self._nodes
        leaf = self._values[node]
        targets, incoming = self._targets(ys, [None] * len(ys))
        first = None
        if targets:
            (first,) = torch.autograd.grad(
                targets, leaf, incoming, create_graph=True, allow_unused=True
            )
        count = source.numel()
        shape = (*source.shape, *source.shape)
        if first is None or not first.requires_grad:
            raise ValueError("None values not supported.")  # TensorFlow's words for no connection
        seeds = torch.eye(count, dtype=source.dtype, device=source.device)
        seeds = seeds.reshape(count, *source.shape)

        def rows(seeds, batched):
            (found,) = torch.autograd.grad(
                first, leaf, seeds, retain_graph=True, allow_unused=True, is_grads_batched=batched
            )
            return torch.zeros_like(source) if found is None else found

        try:
            return rows(seeds, True).detach().reshape(shape)
        except RuntimeError as e:
            if not lacks_batched_form(e):
                raise
        if not isinstance(count, int):
            raise NotImplementedError(
                "tf.hessians through control flow needs the number of elements of xs; use "
                "GradientTape.jacobian of a gradient where it is open"
            )
        return torch.stack([rows(seed, False) for seed in seeds]).detach().reshape(shape)

    def _targets(self, ys, seeds) -> tuple[list, list]:
        """Those of `ys` that depend on a source, and their incoming gradients."""
        pairs = []
        for y, seed in zip(ys, seeds, strict=True):
            value = self._values.get(self._trace.node_of(y), y)
            if value.requires_grad:
                pairs.append((value, torch.ones_like(value) if seed is None else seed))
        return [v for v, _ in pairs], [s for _, s in pairs]

    def _run(self, node):
        """The new value of a node; None where it is the old one."""
        if not isinstance(node.meta.get("val"), (torch.Tensor, tuple, list, type(None))):
            return None  # a size is the same again
        call = staged.call_of(node, self._trace.tracer.root)
        if call is not None:
            return self._run_call(node, call)
        if (
            not isinstance(node.target, torch._ops.OpOverload)
            and node.target is not operator.getitem
        ):
            return None  # what makes strings
        args = torch.fx.map_arg(node.args, self._value_of)
        kwargs = torch.fx.map_arg(node.kwargs, self._value_of)
        if (
            self._keeps_rows
            and node.target is torch.ops.aten.index_select.default
            and node.args[:2] in ((n, 0) for n in self._leaves)
            and reads_rows(node)
        ):
            return self._read_rows(node, args[0], args[2])
        return node.target(*args, **kwargs)

    def _read_rows(self, node, leaf, indices):
        """Rows of a leaf, as a leaf of their own."""
        rows = leaf.detach().index_select(0, indices).requires_grad_()
        self._rows.setdefault(node.args[0], []).append(tape._Handle(rows, leaf, indices))
        return rows

    def _run_call(self, node, call):
        parts, old_record = staged.parts(node)
        inputs = [self._value_of(n) for n in staged.inputs(node)]
        shown = [n.meta["val"] for n in parts]
        if isinstance(call, staged.Gradient):
            before = self._recorded.get(id(inputs[0]))
            # the results have the shapes of what they are the gradients of
            inputs += shown if before is None else call.sources(before.inputs)
        elif node.target in staged.CONTROL_FLOW:
            call = call.with_outputs(lambda: [like(self._trace, x) for x in shown])
        results = staged.stage(call, inputs)
        record = None if old_record is None else self._value_of(old_record)
        for result in results:
            made = result.grad_fn
            if hasattr(made, "record_"):
                self._recorded[id(made.record_)] = made
                record = made.record_
        return (*results, record)

    def _value_of(self, node):
        """What a node that is run again gets for another one."""
        if not isinstance(node, torch.fx.Node):
            return node
        if node in self._values:
            return self._values[node]
        known = node.meta["val"]
        if not isinstance(known, torch.Tensor):
            return known
        with self._trace.untraced():
            fake = known.detach()  # a stand-in that the trace ties to the node
        proxy = torch.fx.Proxy(node, self._trace.tracer)
        proxy_tensor.track_tensor_tree(fake, proxy, constant=None, tracer=self._trace.tracer)
        return fake
