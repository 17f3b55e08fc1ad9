"""Lets a traced graph run under `torch.vmap` although it calls Python code on the host.

A host call (string ops, parsing, decoding) reads values, which a batched tensor does not show. In
the vectorized graph each such call gets the rows of its batched inputs: all of them at once if it
works element by element anyway, else one after another. The rest of the graph stays vectorized.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch._C import _functorch

from torchtf.data._processes import Offload
from torchtf.function.staged import Call
from torchtf.script_ops import PythonCall


def vectorized(module: torch.fx.GraphModule, columns: int) -> torch.fx.GraphModule:
    """A copy of the graph whose host calls accept batched tensors, and which saves memory.

    Args:
        columns: how many of the inputs have rows.
    """
    return _with_calls(module, _Rows, lambda graph: _reuse_memory(graph, columns))


_aten = torch.ops.aten
# elementwise ops that may write their result over their first argument
_IN_PLACE = {
    _aten.add.Tensor: _aten.add_.Tensor, _aten.sub.Tensor: _aten.sub_.Tensor,
    _aten.mul.Tensor: _aten.mul_.Tensor, _aten.div.Tensor: _aten.div_.Tensor,
    _aten.clamp_min.default: _aten.clamp_min_.default, _aten.neg.default: _aten.neg_.default,
    _aten.clamp_max.default: _aten.clamp_max_.default,
}  # fmt: skip
# further ops whose result is new memory
_NEW = {
    _aten._to_copy.default, _aten.where.self, _aten.flip.default, _aten.mean.dim,
    _aten.sum.dim_IntList, _aten.lt.Scalar, _aten.gt.Scalar, *_IN_PLACE,
}  # fmt: skip


def _reuse_memory(graph: torch.fx.Graph, columns: int) -> None:
    """Lets elementwise ops write over a value that is new, has rows, and is not needed any more.

    New memory for each step of a chain of ops on images costs more than the arithmetic. A
    choice between two values that is made for each row copies only the rows that are chosen.

    Args:
        columns: how many of the inputs have rows.
    """
    order = {node: i for i, node in enumerate(graph.nodes)}
    with_rows = set([n for n in graph.nodes if n.op == "placeholder"][:columns])
    fresh = set()
    for node in graph.nodes:
        if any(n in with_rows for n in node.all_input_nodes) or _is_random(node):
            with_rows.add(node)
        if node.target is _aten.clamp.default:
            _with_one_bound(node)
        if node.target in _NEW:
            fresh.add(node)
        if _chooses_rows(node, with_rows):
            _, chosen, rest = node.args
            flips = None
            if chosen.target is _aten.flip.default and chosen.args[0] is rest:
                flips, dims = chosen.args[1], chosen.meta["val"].dim()
                flips = [d - dims if d >= 0 else d for d in flips]
                node.args = node.args[0], rest, rest
                if not chosen.users:
                    graph.erase_node(chosen)
            node.target = _ChosenRows(flips, rest in fresh and _is_last(rest, node, order))
        if not node.args or node.args[0] not in fresh or not _is_last(node.args[0], node, order):
            continue
        first = node.args[0]
        if node.target is _aten.view.default:
            fresh.add(node)
        elif (
            node.target in _IN_PLACE
            and first not in node.args[1:]
            and first in with_rows
            and _alike(first.meta.get("val"), node.meta.get("val"))
        ):
            node.target = _IN_PLACE[node.target]


def _with_one_bound(node: torch.fx.Node) -> None:
    """Calls the op of the one bound that a clamp has: in place, `vmap` knows only these."""
    x, low, high = (*node.args, None, None)[:3]
    if low is None and isinstance(high, (int, float)):
        node.target, node.args = _aten.clamp_max.default, (x, high)
    elif high is None and isinstance(low, (int, float)):
        node.target, node.args = _aten.clamp_min.default, (x, low)


def _is_random(node: torch.fx.Node) -> bool:
    """Whether a node draws numbers, which it does for each row."""
    return torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())


def _is_last(value: torch.fx.Node, node: torch.fx.Node, order: dict) -> bool:
    """Whether nothing needs an argument of a node, or a view of it, behind the node."""
    users = [u for u in value.users if u is not node]
    return all(order[u] < order[node] and u.target in _NEW for u in users)


def _chooses_rows(node: torch.fx.Node, with_rows: set) -> bool:
    """Whether a node takes each row, as a whole, from one value or the other."""
    if node.target is not _aten.where.self or not all(n in with_rows for n in node.args):
        return False
    condition, a, b = (n.meta.get("val") for n in node.args)
    return isinstance(condition, torch.Tensor) and condition.dim() == 0 and _alike(a, b)


class _ChosenRows:
    """`torch.where` with one condition for each row.

    Args:
        flips: the axes along which the chosen rows are reversed, if that is how they differ.
        in_place: whether the second value may be written over.
    """

    __name__ = "chosen_rows"

    def __init__(self, flips: list[int] | None, in_place: bool):
        self._flips = flips
        self._in_place = in_place

    def __call__(self, condition, chosen, rest):
        level = _functorch.maybe_get_level(condition)
        condition, chosen, rest = (_to_front(x)[0] for x in (condition, chosen, rest))
        index = condition.nonzero().squeeze(1)
        rows = chosen.index_select(0, index)
        if self._flips is not None:
            rows = rows.flip(self._flips)
        result = rest if self._in_place else rest.clone()
        return _functorch._add_batch_dim(result.index_copy_(0, index, rows), 0, level)


def _alike(a, b) -> bool:
    return (
        isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)
        and a.dtype is b.dtype and a.shape == b.shape
    )  # fmt: skip


def offloaded(module: torch.fx.GraphModule, workers: Callable[[], int]):
    """A copy of the graph whose calls of Python functions without side effects may use processes.

    Args:
        workers: tells how many processes may be used at present.

    Returns:
        The graph, and the functions that may run elsewhere.
    """
    found = []

    def replace(call):
        if not (isinstance(call, PythonCall) and not call.stateful):
            return call
        found.append(Offload(call.function, workers))
        return _Offloaded(call, found[-1])

    return _with_calls(module, replace), found


def _with_calls(
    module: torch.fx.GraphModule, replace: Callable, change: Callable | None = None
) -> torch.fx.GraphModule:
    """A copy of the graph with other calls in place of its own."""
    if change is None and not any(isinstance(n.target, Call) for n in module.graph.nodes):
        return module
    graph = copy.deepcopy(module.graph)
    for node in graph.nodes:
        if isinstance(node.target, Call):
            node.target = replace(node.target)
    if change is not None:
        change(graph)
    return torch.fx.GraphModule(module, graph)


class _Offloaded(Call):
    """A call of a Python function that runs here or in worker processes."""

    def __init__(self, call: PythonCall, offload: Offload):
        self.op = call.op
        self._call, self._offload = call, offload

    def run(self, *values):
        return self.rows([values])[0]

    def rows(self, rows: list[tuple]) -> list:
        """The results for several rows of inputs."""
        return self._call.run_rows(rows, self._offload)


def _parses_rows(arguments, inputs) -> bool:
    """Parsing takes a vector of records; sparse and ragged results would not come as rows."""
    plan = arguments[2]
    return not (plan.sparse or plan.ragged) and len(inputs) == 1


# ops that take a vector where they take a scalar: name -> whether this call may be given one
_TAKE_ROWS = {"ParseExampleV2": _parses_rows}


class _Rows:
    """A host call on batched tensors."""

    def __init__(self, call: Callable):
        self._call = call
        self.__name__ = getattr(call, "__name__", "call")

    def __call__(self, *args):
        batched = [
            a for a in args if isinstance(a, torch.Tensor) and _functorch.is_batchedtensor(a)
        ]
        if not batched:
            return self._call(*args)
        level = _functorch.maybe_get_level(batched[0])
        inputs = [_to_front(a) for a in args]
        if self._at_once(inputs):
            columns = self._whole(inputs)
        else:
            columns = [torch.stack(c) for c in zip(*self._results(inputs), strict=True)]
        return tuple(_functorch._add_batch_dim(c, 0, level) for c in columns)

    def _at_once(self, inputs) -> bool:
        """Whether the call takes all rows as one array and gives the rows of its results."""
        host = getattr(self._call, "host", None)
        if host is None:
            return False
        if host.elementwise:
            return len({value.ndim for value, has_rows in inputs if has_rows}) == 1 and all(
                has_rows or value.ndim == 0 for value, has_rows in inputs
            )
        takes_rows = _TAKE_ROWS.get(host.name)
        return takes_rows is not None and takes_rows(self._call.template, inputs)

    def _whole(self, inputs):
        if self._call.host.elementwise:
            return self._call(*[value for value, _ in inputs])
        ((value, _),) = inputs  # a vector of records, or one for each row
        columns = self._call(value.reshape(-1))
        return [c.reshape(*value.shape, *c.shape[1:]) for c in columns]

    def _results(self, inputs):
        (size,) = {value.shape[0] for value, has_rows in inputs if has_rows}
        rows = (tuple(v[i] if has_rows else v for v, has_rows in inputs) for i in range(size))
        if isinstance(self._call, _Offloaded):
            return self._call.rows(list(rows))
        return [self._call(*row) for row in rows]


def _to_front(value):
    """(value with its rows along the first axis, True), or (value, False) if it has no rows."""
    if not isinstance(value, torch.Tensor) or not _functorch.is_batchedtensor(value):
        return value, False
    inner = _functorch.get_unwrapped(value)
    return inner.movedim(_functorch.maybe_get_bdim(value), 0), True
