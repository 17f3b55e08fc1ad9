"""Nodes of a traced graph that run more than one ATen op: control flow, Python calls.

* A `Call` is what such a node does. Where a tape inside the trace needs its gradient, the node is
  *recorded*: it runs under torch autograd and hands out, besides its results, a record of what it
  did; the node of its gradient takes the record. So nothing is computed twice, random numbers are
  drawn once, and a loop's history has the length that it turns out to have. A record that nothing
  uses is dropped again when the graph is finished.
* Under a tape outside of the graph, a call simply runs under that tape's autograd.
* Control flow without a record has the form of torch's own `cond` and `while_loop`, which
  `torch.export` and Inductor know; it runs here as the Python that it means.
* A `TensorList`, the storage of a `TensorArray`, travels through a graph as a stand-in of a type
  that no tensor has (`FLOW`); so do records.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import torch
from torch.utils._python_dispatch import _disable_current_modes

from torchtf.core import graph
from torchtf.core.derivative import WithGradient
from torchtf.core.tensor import is_fake, of_rank_of

FLOW = torch.float8_e5m2fnuz
_COND = torch.ops.higher_order.cond
_WHILE = torch.ops.higher_order.while_loop


class TensorList:
    """The elements of a `TensorArray` while a graph runs; None for one that was never written.

    Immutable: a write makes a new list, so that loops and branches can hand it around as a value.
    """

    __slots__ = ("items",)

    def __init__(self, items: list):
        self.items = items

    def __add__(self, other: TensorList) -> TensorList:
        """The sum of two gradients."""
        pairs = zip(self.items, other.items, strict=True)
        return TensorList([b if a is None else a if b is None else a + b for a, b in pairs])

    def detach(self) -> TensorList:
        return TensorList([None if x is None else x.detach() for x in self.items])


class Record:
    """What a recorded call did: the inputs and outputs of its piece of autograd graph."""

    __slots__ = ("inputs", "outputs")

    def __init__(self, inputs, outputs):
        self.inputs = inputs
        self.outputs = outputs


class Call:
    """What a node does when the graph runs.

    Attributes:
        op: TensorFlow's name for it.
        stateful: whether it has effects besides its results.
    """

    op = "PyCall"
    stateful = False

    def run(self, *values) -> Sequence:
        """Computes the results from real tensors."""
        raise NotImplementedError

    def outputs(self, under_way, inputs) -> list[torch.Tensor]:
        """Stand-ins for the results."""
        raise NotImplementedError

    def node_inputs(self, inputs):
        """The inputs that the node takes, of those that the results depend on."""
        return inputs

    def emit(self, under_way, inputs) -> list[torch.Tensor]:
        """Adds the node to a trace."""
        return under_way.call(
            self, self.node_inputs(inputs), self.outputs(under_way, inputs), self.op, self.stateful
        )

    def record(self, wanted: Sequence[bool], values) -> tuple[Sequence, Record]:
        """Runs under autograd; returns the results and the record.

        Args:
            wanted: which values gradients may be asked for.
            values: the inputs.
        """
        with torch.enable_grad():
            inputs = [_source(v) if w else v for w, v in zip(wanted, values, strict=True)]
            outputs = list(self.run(*inputs))
        return outputs, Record(inputs, outputs)

    def __call__(self, *values):
        if graph.state.trace is not None and (not values or any(map(_is_symbolic, values))):
            return stage(self, values)  # the graph is replayed into another one
        return self.run(*values)

    @property
    def __name__(self):
        return self.op


def _is_symbolic(value) -> bool:
    return is_fake(value) if isinstance(value, torch.Tensor) else isinstance(value, torch.SymInt)


def stage(call: Call, inputs: Sequence) -> list[torch.Tensor]:
    """Makes a call part of the trace under way; differentiable where a tape records."""
    if torch.is_grad_enabled() and any(
        isinstance(x, torch.Tensor) and x.requires_grad for x in inputs
    ):
        return list(_Recorded.apply(call, *inputs))
    return call.emit(graph.state.trace, inputs)


class _Recorded(torch.autograd.Function):
    """A recorded call, as autograd sees it while tracing."""

    @staticmethod
    def forward(ctx, call, *inputs):
        under_way = graph.state.trace
        outputs = call.outputs(under_way, inputs)
        taken = call.node_inputs(inputs)
        recorder = _Recorder(call, [isinstance(x, torch.Tensor) and x.requires_grad for x in taken])
        *results, record = under_way.call(
            recorder, taken, [*outputs, flow(under_way)], call.op, call.stateful
        )
        under_way.node_of(record).meta["is_record"] = True
        ctx.call, ctx.inputs, ctx.record_ = call, inputs, record
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(
            *[o for o in results if not (o.dtype.is_floating_point or o.dtype.is_complex)]
        )
        return tuple(results)

    @staticmethod
    def backward(ctx, *grads):
        given = [g is not None for g in grads]
        if not any(given):
            return (None,) * (1 + len(ctx.inputs))
        needed = list(ctx.needs_input_grad[1:])
        call = Gradient(ctx.call, given, needed)
        sources = [x for x, n in zip(ctx.inputs, needed, strict=True) if n]
        found = iter(stage(call, [ctx.record_, *[g for g in grads if g is not None], *sources]))
        return None, *[next(found) if n else None for n in needed]


class OwnGradient(Call):
    """Results whose gradient is given by a graph (`tf.custom_gradient`).

    Args:
        module: takes the gradients of the results, then operands; gives those of the inputs.
        results, inputs: how many of the values are the results and what they are functions of; the
            operands follow.
    """

    op = "IdentityN"

    def __init__(self, module: torch.fx.GraphModule, results: int, inputs: int):
        self._module = module
        self._results = results
        self._inputs = inputs

    @functools.cached_property
    def _pull_back(self):
        from torchtf.function.runner import compile_graph

        with real_tensors():  # the constants of the graph
            return compile_graph(self._module)

    def run(self, *values):
        results, rest = values[: self._results], values[self._results :]
        inputs, operands = rest[: self._inputs], rest[self._inputs :]
        if not torch.is_grad_enabled() or not any(x.requires_grad for x in inputs):
            return list(results)
        return list(
            WithGradient.apply(
                [r.detach() for r in results], lambda g: self._pull_back(*g, *operands), *inputs
            )
        )

    def outputs(self, under_way, inputs):
        return [
            under_way.fake_like(list(x.shape), x.dtype, x.device) for x in inputs[: self._results]
        ]


class _Recorder:
    """A node's target: runs a call and keeps a record of it; the last result is the record."""

    def __init__(self, call: Call, wanted: list[bool]):
        self.call = call
        self._wanted = wanted

    @property
    def __name__(self):
        return f"record_{self.call.op}"

    def __call__(self, *values):
        if graph.state.trace is not None and any(map(_is_symbolic, values)):
            raise NotImplementedError(
                f"a function that takes a gradient through {self.call.op} cannot be part of "
                "another one's graph yet"
            )
        outputs, record = self.call.record(self._wanted, values)
        if not torch.is_grad_enabled():
            outputs = [o.detach() if hasattr(o, "detach") else o for o in outputs]
        return (*outputs, record)


class Gradient(Call):
    """The gradient of a recorded call: takes its record and the incoming gradients."""

    op = "Gradient"

    def __init__(self, call: Call, given: list[bool], needed: list[bool]):
        self.op = f"{call.op}Grad"
        self._given = given
        self._needed = needed

    def node_inputs(self, inputs):
        return inputs[: 1 + sum(self._given)]

    def outputs(self, under_way, inputs):
        with under_way.fake_mode, under_way.untraced():
            sources = inputs[1 + sum(self._given) :]
            return [
                of_rank_of(torch.empty_like(x, memory_format=torch.contiguous_format), x)
                for x in sources
            ]

    def run(self, record, *grads):
        return self._pull_back(record, grads, torch.is_grad_enabled())

    def record(self, wanted, values):
        record, *grads = values
        with torch.enable_grad():
            incoming = [_source(g) for g in grads]
            results = self._pull_back(record, incoming, True)
        sources = [x for x, n in zip(record.inputs, self._needed, strict=True) if n]
        # the order of `stage`'s inputs: the record, the gradients, the sources
        return results, Record([None, *incoming, *sources], results)

    def _pull_back(self, record, grads, create_graph):
        incoming, outputs, seeds = iter(grads), [], []
        for output, given in zip(record.outputs, self._given, strict=True):
            if given:
                _pair(output, next(incoming), outputs, seeds)
        sources = [x for x, n in zip(record.inputs, self._needed, strict=True) if n]
        leaves = [t for s in sources for t in _tensors(s)]
        found = iter(
            torch.autograd.grad(
                outputs, leaves, seeds, retain_graph=True, create_graph=create_graph,
                allow_unused=True,
            )
            if outputs and leaves
            else [None] * len(leaves)
        )  # fmt: skip
        return [_like(s, found) for s in sources]


def _source(value):
    """An input of a recorded call, from which gradients are taken."""
    if isinstance(value, TensorList):
        return TensorList([None if x is None else _source(x) for x in value.items])
    if not isinstance(value, torch.Tensor) or not (value.is_floating_point() or value.is_complex()):
        return value
    return value.view_as(value) if value.requires_grad else value.detach().requires_grad_()


def _tensors(value) -> list[torch.Tensor]:
    items = value.items if isinstance(value, TensorList) else [value]
    return [x for x in items if isinstance(x, torch.Tensor) and x.requires_grad]


def _pair(output, grad, outputs, seeds):
    """Collects the tensors of an output that have a history, with their incoming gradients."""
    if isinstance(output, TensorList):
        for item, part in zip(output.items, grad.items, strict=True):
            if item is not None and part is not None:
                _pair(item, part, outputs, seeds)
    elif output.requires_grad:
        outputs.append(output)
        seeds.append(grad)


def _like(source, found):
    """The gradient for a source, in its form and, like its stand-in, contiguous."""
    if isinstance(source, TensorList):
        return TensorList(
            [next(found) if isinstance(x, torch.Tensor) and x.requires_grad else None
             for x in source.items]
        )  # fmt: skip
    grad = next(found)
    if grad is None:
        return torch.zeros_like(source, memory_format=torch.contiguous_format)
    return grad.contiguous()


def flow(under_way) -> torch.Tensor:
    """A stand-in for a `TensorList` or a `Record`."""
    return under_way.fake_like((), FLOW, torch.device("cpu"))


# -- control flow


class _ControlFlow(Call):
    """A call that runs sub graphs."""

    def __init__(self, modules, make_outputs):
        self._modules = modules
        self._make_outputs = make_outputs
        self._functions: list | None = None

    def outputs(self, under_way, inputs):
        return self._make_outputs()

    def _compiled(self, replay: bool = False) -> list:
        """The sub graphs as Python functions."""
        from torchtf.function.runner import compile_graph

        if replay:
            return [compile_graph(m, replay) for m in self._modules]
        if self._functions is None:
            self._functions = [compile_graph(m) for m in self._modules]
        return self._functions


class Cond(_ControlFlow):
    """Runs one of two sub graphs on the same operands; which one, a boolean tensor tells."""

    op = "If"

    def __init__(self, true_module, false_module, make_outputs=None):
        super().__init__((true_module, false_module), make_outputs)

    def emit(self, under_way, inputs):
        modules = [
            under_way.add_module(m, stem)
            for m, stem in zip(self._modules, ("true_graph", "false_graph"), strict=True)
        ]
        args = (inputs[0], *modules, tuple(inputs[1:]))
        return under_way.call(_COND, args, self.outputs(under_way, inputs), self.op)

    def run(self, pred, *operands):
        true, false = self._functions or self._compiled()
        return true(*operands) if pred else false(*operands)

    def __call__(self, pred, *operands):
        if graph.state.trace is not None and _is_symbolic(pred):
            from torchtf.function.control import stage_cond

            true, false = self._compiled(replay=True)
            return stage_cond(pred, lambda: true(*operands), lambda: false(*operands))
        return self.run(pred, *operands)


class While(_ControlFlow):
    """Runs a sub graph on a state again and again while another one says so."""

    op = "While"

    def __init__(self, test_module, body_module, carried: int, make_outputs=None):
        super().__init__((test_module, body_module), make_outputs)
        self._carried = carried
        self._counter: Counter | None = None

    def emit(self, under_way, inputs):
        modules = [
            under_way.add_module(m, stem)
            for m, stem in zip(self._modules, ("loop_test", "loop_body"), strict=True)
        ]
        n = self._carried
        args = (*modules, tuple(inputs[:n]), tuple(inputs[n:]))
        return under_way.call(_WHILE, args, self.outputs(under_way, inputs), self.op)

    def run(self, *operands):
        test, body = self._functions or self._compiled_loop()
        state, rest = operands[: self._carried], operands[self._carried :]
        if self._counter is not None:
            return self._counter.run(body, state, rest)
        while test(*state, *rest):
            state = body(*state, *rest)
        return state

    def _compiled_loop(self):
        self._counter, body = Counter.of(self._modules, self._carried)
        if body is not self._modules[1]:
            from torchtf.function.runner import compile_graph

            self._functions = [compile_graph(self._modules[0]), compile_graph(body)]
        return self._compiled()

    def __call__(self, *operands):
        if graph.state.trace is not None and any(map(_is_symbolic, operands)):
            from torchtf.function.control import stage_while

            test, body = self._compiled(replay=True)
            rest = operands[self._carried :]
            return stage_while(
                lambda *state: test(*state, *rest),
                lambda *state: body(*state, *rest),
                list(operands[: self._carried]),
            )
        return self.run(*operands)


_COMPARISONS = {
    getattr(getattr(torch.ops.aten, name), overload): getattr(operator, name)
    for name in ("lt", "le", "gt", "ge", "ne")
    for overload in ("Scalar", "Tensor")
}


class Counter:
    """The counter of a loop, kept as a Python int: `i` in `while i < n: ...; i += 1`.

    The test of a short loop would cost as much as its body.
    """

    def __init__(self, index: int, step: int, compare, limit, limit_index, unused: bool):
        self._index = index
        self._step = step
        self._compare = compare
        self._limit = limit
        self._limit_index = limit_index
        self._unused = unused

    @classmethod
    def of(cls, modules, carried: int) -> tuple[Counter | None, torch.fx.GraphModule]:
        """The counter of a loop, if it has one, and the body to run.

        A counter that only counts is left out of the body.
        """
        test, body = modules
        inputs, comparison = _ends(test)
        found = getattr(comparison, "target", None)
        if found not in _COMPARISONS or any(
            n.op == "call_function" and n is not comparison for n in test.graph.nodes
        ):
            return None, body
        counted, limit = comparison.args
        if counted not in inputs[:carried] or not _is_counter(counted):
            return None, body
        index, limit_index = inputs.index(counted), None
        if isinstance(limit, torch.fx.Node):
            if limit not in inputs[carried:] or not _is_counter(limit):
                return None, body
            limit_index, limit = inputs.index(limit) - carried, None
        elif type(limit) is not int:
            return None, body
        inputs, outputs = _ends(body)
        counter, advanced = inputs[index], outputs[index]
        if (
            getattr(advanced, "target", None) is not torch.ops.aten.add.Tensor
            or advanced.args[0] is not counter
            or type(advanced.args[1]) is not int
        ):
            return None, body
        unused = set(counter.users) == {advanced} and len(advanced.users) == 1
        step = advanced.args[1]
        if unused:
            body = _without_output(body, index)
        return cls(index, step, _COMPARISONS[found], limit, limit_index, unused), body

    def run(self, body, state, rest):
        compare, step = self._compare, self._step
        first = i = int(state[self._index])
        limit = self._limit if self._limit_index is None else int(rest[self._limit_index])
        dtype = state[self._index].dtype
        if rest:
            while compare(i, limit):
                state = body(*state, *rest)
                i += step
        else:
            while compare(i, limit):
                state = body(*state)
                i += step
        if self._unused and i != first:
            state = list(state)
            state[self._index] = torch.tensor(i, dtype=dtype)
        return state


def _ends(module: torch.fx.GraphModule):
    """The inputs and outputs of a graph."""
    nodes = list(module.graph.nodes)
    return [n for n in nodes if n.op == "placeholder"], nodes[-1].args[0]


def _is_counter(node) -> bool:
    value = node.meta.get("val")
    return (
        isinstance(value, torch.Tensor)
        and value.dim() == 0
        and value.dtype in (torch.int32, torch.int64)
        and value.device.type == "cpu"
    )


def _without_output(module, index) -> torch.fx.GraphModule:
    """A copy of a loop's body that hands one part of the state on as it is."""
    values: dict = {}
    copied = torch.fx.Graph()
    outputs = copied.graph_copy(module.graph, values)
    inputs = [n for n in copied.nodes if n.op == "placeholder"]
    outputs = list(outputs)
    outputs[index] = inputs[index]
    copied.output(outputs)
    made = torch.fx.GraphModule(module, copied)
    drop_unused(copied)
    return made


def operands(node: torch.fx.Node) -> list[torch.fx.Node]:
    """What a control flow node hands to its sub graphs, in order."""
    if node.target is _COND:
        return list(node.args[3])
    if node.target is _WHILE:
        return [*node.args[2], *node.args[3]]
    return list(node.args[1:] if isinstance(_call_of(node), Cond) else node.args)


def _call_of(node: torch.fx.Node):
    return node.target.call if isinstance(node.target, _Recorder) else node.target


def sub_modules(node: torch.fx.Node) -> Sequence[torch.fx.GraphModule]:
    """The sub graphs of a control flow node."""
    if node.target is _COND:
        names = node.args[1:3]
    elif node.target is _WHILE:
        names = node.args[:2]
    else:
        return getattr(_call_of(node), "_modules", ())
    return [getattr(node.graph.owning_module, n.target) for n in names]


def control_flow_of(node: torch.fx.Node, module: torch.nn.Module) -> Call | None:
    """The call that a node in the form of torch's control flow stands for."""
    if node.target is _COND:
        _, true, false, _ = node.args
        return Cond(getattr(module, true.target), getattr(module, false.target))
    if node.target is _WHILE:
        test, body, carried, _ = node.args
        return While(getattr(module, test.target), getattr(module, body.target), len(carried))
    return None


def has_effect(node: torch.fx.Node) -> bool:
    """Whether a node must stay even if nothing uses its value."""
    if node.meta.get("stateful") or node.is_impure():
        return True
    return any(
        has_effect(inner)
        for module in sub_modules(node)
        for inner in module.graph.nodes
        if inner.op == "call_function"
    )


def drop_unused(fx_graph: torch.fx.Graph) -> None:
    """Erases the nodes that nothing uses and that have no effect.

    (`Graph.eliminate_dead_code` would go on to the sub graphs and ask there for torch's own
    effects only.)
    """
    for node in reversed(list(fx_graph.nodes)):
        if not node.users and not has_effect(node):
            fx_graph.erase_node(node)


def has_records(module: torch.fx.GraphModule) -> bool:
    """Whether a graph, or a sub graph, has recorded calls."""
    return any(
        isinstance(n.target, _Recorder) or any(has_records(m) for m in sub_modules(n))
        for n in module.graph.nodes
    )


def has_own_gradients(module: torch.fx.GraphModule) -> bool:
    """Whether a graph, or a sub graph, has gradients that the user gave."""
    return any(
        isinstance(n.target, OwnGradient) or any(has_own_gradients(m) for m in sub_modules(n))
        for n in module.graph.nodes
    )


def forget_unused_records(fx_graph: torch.fx.Graph) -> None:
    """Turns recorded calls whose gradient was never asked for into plain ones."""
    for node in reversed(list(fx_graph.nodes)):
        recorder = node.target
        if not isinstance(recorder, _Recorder):
            continue
        parts = list(node.users)
        count = max((p.args[1] for p in parts if p.target is operator.getitem), default=-1)
        record = [p for p in parts if p.args[1] == count and p.meta.get("is_record")]
        if any(p.users for p in record):
            continue
        for part in record:
            fx_graph.erase_node(part)
        call = recorder.call
        if isinstance(call, (Cond, While)):
            _plain_control_flow(fx_graph, node, call)
        else:
            node.target = call


def _plain_control_flow(fx_graph, node, call):
    owner = fx_graph.owning_module
    stems = ("true_graph", "false_graph") if isinstance(call, Cond) else ("loop_test", "loop_body")
    modules = []
    with fx_graph.inserting_before(node):
        for module, stem in zip(call._modules, stems, strict=True):
            i = 0
            while hasattr(owner, f"{stem}_{i}"):
                i += 1
            owner.register_module(f"{stem}_{i}", module)
            modules.append(fx_graph.get_attr(f"{stem}_{i}"))
    if isinstance(call, Cond):
        node.target = _COND
        node.args = (node.args[0], *modules, tuple(node.args[1:]))
    else:
        node.target = _WHILE
        n = call._carried
        node.args = (*modules, tuple(node.args[:n]), tuple(node.args[n:]))


def real_tensors():
    """A context in which tensors are made for real, although a trace is under way."""
    return _disable_current_modes()
