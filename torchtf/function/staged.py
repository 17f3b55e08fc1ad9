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

import copy
import functools
import operator
from collections.abc import Sequence

import torch
from torch._C._functorch import is_batchedtensor
from torch.utils._python_dispatch import _disable_current_modes

from torchtf.core import graph
from torchtf.core.derivative import NoBatchedForm, WithGradient
from torchtf.core.tensor import is_fake, of_rank_of
from torchtf.function.connected import connected, curved_in, linked, reached_in_branches

FLOW = torch.float8_e5m2fnuz
_COND = torch.ops.higher_order.cond
_WHILE = torch.ops.higher_order.while_loop
CONTROL_FLOW = (_COND, _WHILE)


class TensorList:
    """The elements of a `TensorArray` while a graph runs; None for one that was never written.

    Immutable: a write makes a new list, so that loops and branches can hand it around as a value.
    The new list takes the storage over, so a loop writes n elements in n steps; the old one knows
    what has changed, and copies for who asks for it again (H. Baker's shallow binding).
    """

    __slots__ = ("_change", "_items")

    def __init__(self, items: list):
        self._items: list | None = items
        self._change: tuple[TensorList, int, object] | None = None

    @property
    def items(self) -> list:
        """The elements; not to be changed."""
        if self._items is None:
            changes, newer = [], self
            while newer._items is None:
                newer, *change = newer._change
                changes.append(change)
            items = newer._items.copy()
            for i, before in reversed(changes):
                items[i] = before
            self._items, self._change = items, None
        return self._items

    def with_item(self, i: int, value) -> TensorList:
        """The list with another element at an index that it has."""
        items = self.items
        made = TensorList(items)
        self._items, self._change = None, (made, i, items[i])
        items[i] = value
        return made

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
        numbers: the places of the inputs that may be Python ints when it runs.
    """

    op = "PyCall"
    stateful = False
    numbers: tuple[int, ...] = ()

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
        if graph.state.trace is not None and _is_replayed(values):
            return stage(self, values)  # the graph becomes part of another one
        return self.run(*values)

    @property
    def __name__(self):
        return self.op


def _is_symbolic(value) -> bool:
    return is_fake(value) if isinstance(value, torch.Tensor) else isinstance(value, torch.SymInt)


def _is_replayed(values) -> bool:
    """Whether a call gets stand-ins, or no tensors at all."""
    real = any(isinstance(v, (torch.Tensor, TensorList)) for v in values)
    return not real or any(map(_is_symbolic, values))


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
        if any(g is not None and is_batchedtensor(g) for g in grads):
            raise NoBatchedForm(f"the gradient of {ctx.call.op}, a node of a graph")
        needed = list(ctx.needs_input_grad[1:])
        call = Gradient(ctx.call, given, needed)
        incoming = [g for g in grads if g is not None]
        found = iter(stage(call, [ctx.record_, *incoming, *call.sources(ctx.inputs)]))
        return None, *[next(found) if n else None for n in needed]


class OwnGradient(Call):
    """Results whose gradient is given by a graph (`tf.custom_gradient`).

    Args:
        gradient: takes the gradients of the results, then operands; gives those of the inputs. Or
            the error that tracing it raised.
        results, inputs: how many of the values are the results and what they are functions of; the
            operands follow.
    """

    op = "IdentityN"

    def __init__(self, gradient: torch.fx.GraphModule | Exception, results: int, inputs: int):
        self._gradient = gradient
        self._results = results
        self._inputs = inputs

    @functools.cached_property
    def _pull_back(self):
        from torchtf.function.runner import compile_graph

        with real_tensors():  # the constants of the graph
            return compile_graph(self._gradient)

    def run(self, *values):
        results, rest = values[: self._results], values[self._results :]
        inputs, operands = rest[: self._inputs], rest[self._inputs :]
        if not torch.is_grad_enabled() or not any(x.requires_grad for x in inputs):
            return list(results)
        if isinstance(self._gradient, Exception):
            raise self._gradient
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

    def sources(self, inputs) -> list:
        """Those of the inputs of the call that it is the gradient for."""
        return [x for x, n in zip(inputs, self._needed, strict=True) if n]

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
        sources = self.sources(record.inputs)
        # the order of `stage`'s inputs: the record, the gradients, the sources
        return results, Record([None, *incoming, *sources], results)

    def _pull_back(self, record, grads, create_graph):
        incoming, outputs, seeds = iter(grads), [], []
        for output, given in zip(record.outputs, self._given, strict=True):
            if given:
                _pair(output, next(incoming), outputs, seeds)
        sources = self.sources(record.inputs)
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
        self._ready: dict[bool, object] = {}  # whether autograd records -> what runs then

    def outputs(self, under_way, inputs):
        return self._make_outputs()

    def with_outputs(self, make_outputs) -> _ControlFlow:
        """The same call, for another trace."""
        made = copy.copy(self)
        made._make_outputs = make_outputs
        return made

    def _replays(self) -> list:
        """The sub graphs as functions of stand-ins."""
        from torchtf.function.runner import compile_graph

        return [compile_graph(m, replay=True) for m in self._modules]


def _compiler(recorded: bool):
    """What makes functions of sub graphs for runs that autograd records, or not."""
    from torchtf.function.runner import compile_graph, compile_unrecorded

    return compile_graph if recorded else compile_unrecorded


class Cond(_ControlFlow):
    """Runs one of two sub graphs on the same operands; which one, a boolean tensor tells."""

    op = "If"

    used: set[int] | None = None  # the results that are needed; all by default

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
        recorded = torch.is_grad_enabled()
        if recorded not in self._ready:
            self._ready[recorded] = [_compiler(recorded)(m) for m in self._used_parts()]
        true, false = self._ready[recorded]
        if not recorded:
            return true(*operands) if pred else false(*operands)
        given = linked(operands, self._curved, 0 if pred else 1)
        results = true(*given) if pred else false(*given)
        return connected(results, operands, self._reach)

    @functools.cached_property
    def _reach(self) -> list[set[int]]:
        return reached_in_branches(self._modules)

    @functools.cached_property
    def _curved(self) -> list[set[int]]:
        return [curved_in(m) for m in self._modules]

    def _used_parts(self) -> list[torch.fx.GraphModule]:
        """The branches without what computes results that nobody uses."""
        if self.used is None:
            return self._modules
        return [_without_results(m, self.used) for m in self._modules]

    def __call__(self, pred, *operands):
        if graph.state.trace is not None and _is_symbolic(pred):
            from torchtf.function.control import stage_cond

            true, false = self._replays()
            return stage_cond(pred, lambda: true(*operands), lambda: false(*operands))
        return self.run(pred, *operands)


class While(_ControlFlow):
    """Runs a sub graph on a state again and again while another one says so."""

    op = "While"

    def __init__(self, test_module, body_module, carried: int, make_outputs=None):
        super().__init__((test_module, body_module), make_outputs)
        self._carried = carried

    def emit(self, under_way, inputs):
        modules = [
            under_way.add_module(m, stem)
            for m, stem in zip(self._modules, ("loop_test", "loop_body"), strict=True)
        ]
        n = self._carried
        args = (*modules, tuple(inputs[:n]), tuple(inputs[n:]))
        return under_way.call(_WHILE, args, self.outputs(under_way, inputs), self.op)

    def run(self, *operands):
        recorded = torch.is_grad_enabled()
        if recorded not in self._ready:
            from torchtf.function.loops import Loop

            self._ready[recorded] = Loop(*self._modules, self._carried, _compiler(recorded))
        state = self._ready[recorded].run(operands)
        if not recorded:
            return state
        return connected(state, operands, [set(range(len(operands)))] * len(state))

    def __call__(self, *operands):
        if graph.state.trace is not None and any(map(_is_symbolic, operands)):
            from torchtf.function.control import stage_while

            test, body = self._replays()
            rest = operands[self._carried :]
            return stage_while(
                lambda *state: test(*state, *rest),
                lambda *state: body(*state, *rest),
                list(operands[: self._carried]),
            )
        return self.run(*operands)


def operands(node: torch.fx.Node) -> list[torch.fx.Node]:
    """What a control flow node hands to its sub graphs, in order."""
    if node.target is _COND:
        return list(node.args[3])
    if node.target is _WHILE:
        return [*node.args[2], *node.args[3]]
    return list(node.args[1:] if isinstance(_call_of(node), Cond) else node.args)


def _call_of(node: torch.fx.Node):
    return node.target.call if isinstance(node.target, _Recorder) else node.target


def call_of(node: torch.fx.Node, module: torch.nn.Module) -> Call | None:
    """The call that a node does, recorded or not; None if it does another thing."""
    found = control_flow_of(node, module) or _call_of(node)
    return found if isinstance(found, Call) else None


def inputs(node: torch.fx.Node) -> list:
    """What the call of a node takes."""
    if node.target in CONTROL_FLOW:
        return [*(node.args[:1] if node.target is _COND else ()), *operands(node)]
    return list(node.args)


def parts(node: torch.fx.Node) -> tuple[list[torch.fx.Node], torch.fx.Node | None]:
    """The nodes of the results of a node, in order, and that of its record."""
    found = sorted((u for u in node.users if u.target is operator.getitem), key=lambda u: u.args[1])
    record = found.pop() if found and found[-1].meta.get("is_record") else None
    return found, record


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


def _without_results(module: torch.fx.GraphModule, used: set[int]) -> torch.fx.GraphModule:
    """A copy of a sub graph that gives None for all results but these."""
    copied = torch.fx.Graph()
    results = copied.graph_copy(module.graph, {})
    copied.output([r if i in used else None for i, r in enumerate(results)])
    made = torch.fx.GraphModule(module, copied)
    drop_unused(copied)
    return made


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
