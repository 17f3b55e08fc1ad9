"""Control flow in a trace: branches and loop bodies are traced into sub graphs of one node.

* A branch or body is a trace inside the trace. What it met of the trace around it, variables
  included, becomes an operand of the node.
* A variable that a branch or body assigns to becomes one more result of the node, written in the
  trace around it.
* All of this is about flat lists of raw stand-ins; structures are the business of the callers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from torchtf.core import arena, dtypes, graph
from torchtf.core.tensor import rank_is_open
from torchtf.function import staged
from torchtf.function.trace import Traced, order_placeholders, trace

ANY_RANK = "any rank"  # of a loop variable whose rank may change


class ShapeChange(ValueError):
    """The shape of a loop variable differs after an iteration.

    Attributes:
        index: which variable.
        before, after: its shapes, None for an open size.
    """

    def __init__(self, index: int, before, after):
        super().__init__(f"loop variable {index} has shape {before}, then {after}")
        self.index, self.before, self.after = index, before, after


class _Sub:
    """A traced branch, test or body with the keys of what it takes from outside."""

    def __init__(self, traced: Traced, arguments: int):
        self.traced = traced
        self.module = traced.graph_module
        self.written = {id(o): o for o in traced.written}
        self.arguments = [n for n in self.module.graph.nodes if n.op == "placeholder"][:arguments]
        rest = [n for n in self.module.graph.nodes if n.op == "placeholder"][arguments:]
        self.nodes: dict = {}
        self.operands: dict = {}  # key -> a variable, a stand-in or a size of the outer trace
        captures = traced.captures
        for node, capture in zip(rest, captures, strict=False):
            self._add(("variable", id(capture.owner)), capture.owner, node)
        for node, value in zip(rest[len(captures) :], traced.outer_inputs, strict=True):
            is_size = isinstance(value, torch.SymInt)
            self._add(("size", value.node.expr) if is_size else id(value), value, node)

    def _add(self, key, value, node):
        self.operands[key] = value
        self.nodes[key] = node

    def conform(self, keys: Sequence, written: dict, carried: int = 0) -> torch.fx.GraphModule:
        """Makes the sub graph take the operands of `keys` and return the variables written.

        Args:
            keys: all operands, in order.
            written: the variables that follow the results.
            carried: how many of the keys, the first ones, come right after the arguments.
        """
        fx_graph = self.module.graph
        for key in keys:
            if key not in self.nodes:
                with fx_graph.inserting_before(next(iter(fx_graph.nodes))):
                    self.nodes[key] = fx_graph.placeholder(f"unused_{len(self.nodes)}")
        order_placeholders(fx_graph, [*self.arguments, *[self.nodes[k] for k in keys]])
        output = next(iter(reversed(fx_graph.nodes)))
        count = len(self.traced.results)
        values = dict(zip(self.written, output.args[0][count:], strict=True))
        output.args = (
            (
                *output.args[0][:count],
                *[values.get(i, self.nodes.get(("variable", i))) for i in written],
            ),
        )
        self.module.recompile()
        return self.module


def _operand(value):
    """An operand as the node takes it."""
    if hasattr(value, "_tape_read"):
        return value._tape_read()
    return value


def _sizes(result: torch.Tensor, under_way) -> list | None:
    """Static sizes of a sub graph's result: ints, sizes known outside, or None.

    None for a result of unknown rank.
    """
    if rank_is_open(result):
        return None
    return [
        s if isinstance(s, int) or under_way.knows_size(s.node.expr) else None for s in result.shape
    ]


def _same(a, b) -> bool:
    if isinstance(a, int) or isinstance(b, int):
        return type(a) is type(b) and a == b
    return a is not None and b is not None and a.node.expr == b.node.expr


def stand_in(under_way, sizes, like: torch.Tensor) -> torch.Tensor:
    """A stand-in of these sizes (None: open; all None: of any rank), of the type of another one."""
    dtype = dtypes.string if arena.is_handles(like) else like.dtype
    return under_way.fake_like(sizes, dtype, like.device, like.dim())


def like(under_way, value: torch.Tensor) -> torch.Tensor:
    """A stand-in of the type and shape of another one."""
    return stand_in(under_way, None if rank_is_open(value) else list(value.shape), value)


def stage_cond(
    pred: torch.Tensor, true_function: Callable, false_function: Callable
) -> list[torch.Tensor]:
    """Puts both branches into the trace under way.

    Args:
        pred: a boolean scalar stand-in.
        true_function, false_function: take nothing, return flat lists of raw results which agree in
            number and dtype.

    Returns:
        The stand-ins of the results. Where the two ranks differ the result's is unknown.
    """
    under_way = graph.state.trace
    subs = [
        _Sub(trace(f, [], name=n), 0)
        for f, n in ((true_function, "true_graph"), (false_function, "false_graph"))
    ]
    return join_branches(under_way, pred, subs)


def trace_branch(function: Callable, name: str) -> _Sub:
    """Traces a branch that takes nothing and returns a flat list of raw results."""
    return _Sub(trace(function, [], name=name), 0)


def join_branches(under_way, pred, subs: Sequence[_Sub]) -> list[torch.Tensor]:
    """Makes one node of two traced branches; see `stage_cond`."""
    true, false = subs
    written = true.written | false.written
    operands = true.operands | false.operands
    for i, owner in written.items():
        operands.setdefault(("variable", i), owner)
    keys = list(operands)
    modules = [s.conform(keys, written) for s in subs]
    shapes = []
    pairs = [*zip(true.traced.results, false.traced.results, strict=True)]
    pairs += [(under_way.read(o),) * 2 for o in written.values()]
    for a, b in pairs:
        one, other = _sizes(a, under_way), _sizes(b, under_way)
        if one is None or other is None or len(one) != len(other):
            shapes.append((None, a))
            continue
        sizes = zip(one, other, strict=True)
        shapes.append(([x if _same(x, y) else None for x, y in sizes], a))

    def outputs():
        return [stand_in(under_way, sizes, like) for sizes, like in shapes]

    call = staged.Cond(*modules, outputs)
    results = staged.stage(call, [pred, *[_operand(v) for v in operands.values()]])
    count = len(true.traced.results)
    for owner, value in zip(written.values(), results[count:], strict=True):
        under_way.write(owner, value)
    return results[:count]


def stage_gradient(
    results: Sequence[torch.Tensor], inputs: Sequence[torch.Tensor], pull_back: Callable
) -> list[torch.Tensor]:
    """Gives results a gradient of their own, for a tape outside of the graph.

    Args:
        results: raw stand-ins, computed in the trace under way.
        inputs: the stand-ins that they are functions of.
        pull_back: takes the gradients of the results, returns that of each input, or None.

    Returns:
        Stand-ins that equal `results`.
    """
    under_way = graph.state.trace
    seeds = [like(under_way, r) for r in results]
    operands: list = []
    try:
        sub = _Sub(trace(lambda *grads: pull_back(grads), seeds, name="gradient"), len(seeds))
        gradient = sub.conform(list(sub.operands), {})
        operands = [_operand(v) for v in sub.operands.values()]
    except Exception as error:  # matters only where a gradient is asked for
        gradient = error
    call = staged.OwnGradient(gradient, len(results), len(inputs))
    return staged.stage(call, [*results, *inputs, *operands])


def stage_while(
    test: Callable,
    body: Callable,
    initial: Sequence[torch.Tensor],
    open_sizes: Sequence[Sequence[bool] | str | None] | None = None,
) -> list[torch.Tensor]:
    """Puts a loop into the trace under way.

    Args:
        test: takes the state, returns a boolean scalar.
        body: takes the state, returns the next one, flat and raw.
        initial: the state to begin with.
        open_sizes: for each part of the state, which of its sizes may change from iteration to
            iteration; None where none does, `ANY_RANK` where the rank may.

    Returns:
        The stand-ins of the last state.

    Raises:
        ShapeChange: if a size changes that is not open.
    """
    under_way = graph.state.trace
    opened = [
        ANY_RANK if o == ANY_RANK or rank_is_open(x) else list(o or [False] * x.dim())
        for x, o in zip(initial, open_sizes or [None] * len(initial), strict=True)
    ]

    def stand_ins():
        return [stand_in(under_way, _opened(x, o), x) for x, o in zip(initial, opened, strict=True)]

    while True:
        arguments = stand_ins()
        body_sub = _Sub(trace(body, arguments, name="loop_body"), len(arguments))
        if not _open_changed_sizes(arguments, body_sub.traced.results, opened):
            break
    test_sub = _Sub(
        trace(lambda *state: [test(*state)], arguments, name="loop_test"), len(arguments)
    )
    if test_sub.written:
        raise NotImplementedError("The test of a loop assigns to a variable; do so in its body.")
    written = body_sub.written
    operands = {("variable", i): o for i, o in written.items()}
    operands |= test_sub.operands | body_sub.operands
    keys = list(operands)
    modules = [test_sub.conform(keys, {}), body_sub.conform(keys, written)]
    output = next(iter(reversed(modules[0].graph.nodes)))
    output.args = (output.args[0][0],)  # torch's `while_loop` wants the condition itself
    modules[0].recompile()

    def outputs():
        return stand_ins() + [like(under_way, v) for v in values]

    values = [under_way.read(o) for o in written.values()]
    call = staged.While(*modules, len(initial) + len(written), outputs)
    results = staged.stage(call, [*initial, *[_operand(v) for v in operands.values()]])
    count = len(initial)
    for owner, value in zip(written.values(), results[count:], strict=True):
        under_way.write(owner, value)
    return results[:count]


def _open_changed_sizes(arguments, results, opened) -> bool:
    """Opens symbolic sizes that an iteration changes; True if the body must be traced again."""
    again = False
    for i, (before, after) in enumerate(zip(arguments, results, strict=True)):
        if before.dtype is staged.FLOW or opened[i] == ANY_RANK:
            continue
        if before.dim() != after.dim() or rank_is_open(after):
            raise ShapeChange(i, _static(before), _static(after))
        for axis, (a, b) in enumerate(zip(before.shape, after.shape, strict=True)):
            if opened[i][axis] or _same(a, b):
                continue
            if isinstance(a, int):
                raise ShapeChange(i, _static(before), _static(after))
            opened[i][axis] = again = True
    return again


def _opened(part: torch.Tensor, flags) -> list | None:
    """The sizes of a part of the state, None for those that may change."""
    if flags == ANY_RANK:
        return None
    return [None if o else s for s, o in zip(part.shape, flags, strict=True)]


def _static(fake: torch.Tensor) -> tuple | None:
    if rank_is_open(fake):
        return None
    return tuple(s if isinstance(s, int) else None for s in fake.shape)
