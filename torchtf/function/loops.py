"""How a loop of a graph runs: what would cost as much as the loop's own work is done in Python.

* A counter (`i` in `while i < n: ...; i += 1`) is a Python int, and so is what is computed of it in
  integers, such as `n - 1 - i`. Who else asks for one gets a tensor.
* A row read at such a number (`x[i]`, the rows of `tf.scan`) is one of the rows that `x` was split
  into once. So their gradients are stacked once, too, where that of a single row is a tensor as
  large as `x`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection

import torch

from torchtf.function import staged

_aten = torch.ops.aten

_ARITHMETIC = {
    _aten.add.Tensor: operator.add,
    _aten.sub.Tensor: operator.sub,
    _aten.rsub.Scalar: lambda a, b: b - a,
    _aten.where.self: lambda condition, a, b: a if condition else b,  # of `x[-1]`
}
_COMPARISONS = {
    getattr(getattr(_aten, name), overload): getattr(operator, name)
    for name in ("lt", "le", "gt", "ge", "eq", "ne")
    for overload in ("Scalar", "Tensor")
}
_BOTH = (_aten.logical_and.default, _aten.bitwise_and.Tensor)
# what leaves a number as it is
_SAME = (_aten._to_copy.default, _aten.alias.default, _aten.view.default)
_INTEGERS = (torch.int32, torch.int64)


class Loop:
    """A loop, ready to run.

    Args:
        test, body: its graphs.
        carried: how many of their inputs are the state; the others stay the same.
        compiler: makes functions of graphs.
    """

    def __init__(
        self,
        test: torch.fx.GraphModule,
        body: torch.fx.GraphModule,
        carried: int,
        compiler: Callable[[torch.fx.GraphModule], Callable],
    ):
        inputs, outputs = _ends(body)
        self._counters = {
            k: inputs[k].meta["val"].dtype
            for k in range(carried)
            if _is_number(inputs[k]) and _counts(outputs[k], inputs[k])
        }
        self._carried = carried
        self._test = _InPython(test, self._counters, carried, compiler)
        self._body = _InPython(body, self._counters, carried, compiler)

    def run(self, operands) -> list:
        """The last state."""
        state = list(operands[: self._carried])
        for k in self._counters:
            state[k] = int(state[k])
        rest = operands[self._carried :]
        test, body = self._test.function, self._body.function
        more, further = self._test.constants(rest), self._body.constants(rest)
        while test(*state, *more):
            state = body(*state, *further)
        if self._counters:
            state = list(state)
            for k, dtype in self._counters.items():
                state[k] = torch.tensor(state[k], dtype=dtype)
        return state


class _InPython:
    """A graph of a loop whose arithmetic of counters is Python's.

    Args:
        module: the graph.
        counters: the places in the state of what comes as a Python int.
        carried: how many inputs are the state.
        compiler: makes a function of a graph.

    Attributes:
        function: takes the state, with Python ints for counters, and the constants.
    """

    def __init__(
        self,
        module: torch.fx.GraphModule,
        counters: Collection[int],
        carried: int,
        compiler: Callable[[torch.fx.GraphModule], Callable],
    ):
        inputs, _ = _ends(module)
        limits = {k for k in range(carried, len(inputs)) if _is_number(inputs[k])}
        self._limits: list[int] = []
        self._split: list[int] = []
        if counters:
            numbers = _numbers(module, {*counters, *limits})
            # a constant that a kernel needs, too, stays a tensor
            limits = {k for k in limits if all(u in numbers for u in inputs[k].users)}
            self._limits = [k - carried for k in limits]
            copied = torch.fx.Graph()
            copied.output(copied.graph_copy(module.graph, {}))
            module = torch.fx.GraphModule(module, copied)
            numbers = _numbers(module, {*counters, *limits})
            self._split = _read_rows(copied, numbers, carried)
            _give_tensors(numbers, counters)
            for node, how in numbers.items():
                if how is not None:
                    node.target, node.kwargs = how, {}
                    node.args = node.args[:1] if how is _identity else node.args
        self.function = compiler(module)

    def constants(self, rest) -> list:
        """What the function takes after the state."""
        if not self._limits and not self._split:
            return rest
        found = list(rest)
        for k in self._limits:
            found[k] = int(found[k])
        return found + [_Rows(rest[k]) for k in self._split]


class _Rows:
    """The rows of a tensor: split once it is clear that most of them are read."""

    __slots__ = ("_count", "_reads", "_rows", "_tensor")

    def __init__(self, tensor: torch.Tensor):
        self._tensor = tensor
        self._count = tensor.shape[0]
        self._rows: tuple | None = None
        self._reads = 0

    def __getitem__(self, i: int) -> torch.Tensor:
        if self._rows is None or not 0 <= i < self._count:
            return self._single(i)
        return self._rows[i]

    def _single(self, i: int) -> torch.Tensor:
        if not 0 <= i < self._count:  # raises
            return self._tensor.index_select(0, torch.tensor([i]))
        self._reads += 1
        if 8 * self._reads >= self._count:
            self._rows = self._tensor.unbind(0)
        return self._tensor.select(0, i)


def _ends(module: torch.fx.GraphModule):
    """The inputs and outputs of a graph."""
    nodes = list(module.graph.nodes)
    return [n for n in nodes if n.op == "placeholder"], nodes[-1].args[0]


def _is_number(node: torch.fx.Node) -> bool:
    value = node.meta.get("val")
    return (
        isinstance(value, torch.Tensor)
        and value.dim() == 0
        and value.dtype in _INTEGERS
        and value.device.type == "cpu"
    )


def _counts(node, start: torch.fx.Node) -> bool:
    """Whether a node is `start` after adding numbers."""
    while node is not start:
        if not isinstance(node, torch.fx.Node) or node.op != "call_function" or node.kwargs:
            return False
        if node.target in (_aten.add.Tensor, _aten.sub.Tensor):
            if type(node.args[1]) is not int:
                return False
        elif node.target is not _aten.alias.default:
            return False
        node = node.args[0]
    return True


def _numbers(module: torch.fx.GraphModule, known: Collection[int]) -> dict:
    """The nodes that compute numbers -> how they do it in Python; None for the inputs `known`."""
    numbers: dict = {}
    for k, node in enumerate(module.graph.nodes):
        if node.op == "placeholder":
            if k in known:
                numbers[node] = None
        elif node.op == "call_function":
            how = _in_numbers(node, numbers)
            if how is not None:
                numbers[node] = how
    return numbers


def _identity(x):
    return x


def _both(a, b) -> bool:
    return bool(a) and bool(b)


def _in_numbers(node: torch.fx.Node, numbers: Collection) -> Callable | None:
    """How a node does in Python what it does; None if it takes tensors."""
    target = node.target
    taken = [a for a in node.args if isinstance(a, torch.fx.Node)]
    if target in _BOTH:  # the one that is a tensor is asked for its truth
        single = all(n.meta["val"].dim() == 0 for n in taken)
        return _both if single and any(n in numbers for n in taken) else None
    if not taken or not all(n in numbers for n in taken):
        return None
    if target in _SAME:
        value = node.meta["val"]
        return _identity if value.numel() == 1 and value.dtype in _INTEGERS else None
    how = _ARITHMETIC.get(target) or _COMPARISONS.get(target)
    plain = all(isinstance(a, torch.fx.Node) or type(a) is int for a in node.args)
    return how if plain and not node.kwargs else None


def _read_rows(copied: torch.fx.Graph, numbers: dict, carried: int) -> list[int]:
    """Makes reads of single rows of constants reads of split ones.

    Returns:
        Which of the constants come as their rows, too, in the order of the new inputs.
    """
    inputs = [n for n in copied.nodes if n.op == "placeholder"]
    split: dict[torch.fx.Node, torch.fx.Node] = {}
    for node in list(copied.nodes):
        found = _row_read(node, numbers)
        if found is None or found[0] not in inputs[carried:]:
            continue
        tensor, number, rows = found
        while numbers[number] is _identity:
            number = number.args[0]
        if tensor not in split:
            with copied.inserting_after([*inputs, *split.values()][-1]):
                split[tensor] = copied.placeholder(f"{tensor.name}_rows")
        with copied.inserting_before(node):
            read = copied.call_function(operator.getitem, (split[tensor], number))
        read.meta = dict(node.meta)
        for row in rows:
            row.replace_all_uses_with(read)
    staged.drop_unused(copied)
    return [inputs.index(t) - carried for t in split]


def _row_read(node: torch.fx.Node, numbers: dict):
    """The tensor, the number and the nodes of the row, if a node reads one."""
    if node.target is _aten.take.default:
        tensor, number = node.args
        return (tensor, number, [node]) if number in numbers and _rank(tensor) == 1 else None
    if node.target is not _aten.index_select.default:
        return None
    tensor, dim, number = node.args
    rows = list(node.users)
    single = all(r.target is _aten.squeeze.dim and r.args[1] == 0 for r in rows)
    return (tensor, number, rows) if dim == 0 and number in numbers and single else None


def _rank(node: torch.fx.Node) -> int:
    return node.meta["val"].dim()


def _give_tensors(numbers: dict, counters: Collection[int]) -> None:
    """Makes tensors of numbers for the nodes that need them."""
    for node in numbers:
        needing = [
            u for u in node.users if u not in numbers and not _takes_number(u, node, counters)
        ]
        if not needing:
            continue
        value = node.meta["val"]
        with node.graph.inserting_after(node):
            tensor = node.graph.call_function(_tensor, (node, value.dtype, list(value.shape)))
        for user in needing:
            if user.op != "output":
                user.replace_input_with(node, tensor)
                continue
            user.args = ([
                tensor if r is node and k not in counters else r for k, r in enumerate(user.args[0])
            ],)  # fmt: skip


def _takes_number(user: torch.fx.Node, node: torch.fx.Node, counters: Collection[int]) -> bool:
    """Whether a node takes a number as it is, as an index, say."""
    if user.op == "output":
        results = user.args[0]
        if not isinstance(results, (list, tuple)):  # of a test, which is asked for its truth
            return True
        return all(k in counters for k, r in enumerate(results) if r is node)
    if user.target is operator.getitem:
        return True
    call = staged.call_of(user, user.graph.owning_module)
    places = [i for i, a in enumerate(user.args) if a is node]
    return call is not None and bool(places) and all(i in call.numbers for i in places)


def _tensor(number, dtype: torch.dtype, shape: list) -> torch.Tensor:
    return torch.full(shape, number, dtype=dtype)
