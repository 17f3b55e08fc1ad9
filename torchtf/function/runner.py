"""Runs traced graphs: each FX graph becomes one generated Python function over ATen.

* Calls go straight to the operator (or torch's own binding of it, which parses arguments faster);
  nothing is looked up while running.
* A value is dropped after its last use, so that memory peaks where eager PyTorch's would.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

import torch

from torchtf.core import bilinear, tape
from torchtf.core.malloc import keep_freed_memory
from torchtf.function import reuse, shortcuts, staged
from torchtf.function.failures import GENERATED

_aten = torch.ops.aten

# Overloads whose torch binding takes the same arguments and is cheaper to call. Only ops whose
# Python signature is the schema's are listed.
_BINDINGS: dict = {}
for _name in (
    "add", "sub", "mul", "div", "pow", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge",
    "neg", "abs", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "tanh", "sigmoid", "relu", "mm",
    "bmm", "addmm", "matmul", "where", "cat", "stack", "permute", "transpose", "t", "unsqueeze",
    "squeeze", "logical_and", "logical_or", "logical_not", "bitwise_and", "bitwise_or",
    "bitwise_xor", "clamp", "square", "floor", "ceil", "amax", "amin", "floor_divide",
    "remainder", "reciprocal", "sign", "erf",
):  # fmt: skip
    _packet, _binding = getattr(_aten, _name, None), getattr(torch, _name, None)
    if _packet is None or _binding is None:
        continue
    for _overload in _packet.overloads():
        if _overload in ("default", "Tensor", "Scalar", "Tensor_Tensor", "Tensor_Scalar", "self",
                         "int", "dim"):  # fmt: skip
            _BINDINGS[getattr(_packet, _overload)] = _binding


def bind(overload: torch._ops.OpOverload, function: Callable) -> None:
    """Graphs call `function` for an op of our own: it takes the same and does without dispatch."""
    _BINDINGS[overload] = function


def callable_of(node: torch.fx.Node) -> Callable:
    """What running a `call_function` node calls."""
    target = node.target
    value = node.meta.get("val")
    if isinstance(value, torch.Tensor) and value.dtype is staged.FLOW and target in _ON_FLOWS:
        return _ON_FLOWS[target]
    if node.meta.get("tf_op") == "StopGradient" and target in (
        _aten.alias.default, _aten.detach.default,
    ):  # fmt: skip
        return torch.Tensor.detach
    if target is _aten.lift_fresh_copy.default:
        # a constant is shared by all runs, so one that an op changes in place is copied
        return torch.clone if _is_changed(node) else _identity
    if target is _aten.view.default and not _is_changed(node):
        return torch.reshape  # kernels may lay out results in another way than while tracing
    if target is _aten.upsample_bilinear2d.default and value.dtype is torch.float32:
        return bilinear.upsample
    if target is _aten.index_select.default and reads_rows(node):
        return tape.select_rows
    if target in _BINDINGS:
        return _BINDINGS[target]
    if isinstance(target, torch._ops.OpOverload):
        return target._op
    return target


def reads_rows(node: torch.fx.Node) -> bool:
    """Whether an `index_select` is one of `tf.gather`, as far as its node tells."""
    owner = node.meta.get("tf_owner", node)
    return owner.meta.get("tf_op", "GatherV2") in ("GatherV2", "ResourceGather")


def _is_changed(node: torch.fx.Node) -> bool:
    """Whether an op changes the value of `node`, or of a view of it, in place."""
    from torchtf.function.trace import mutated_arguments, views

    return any(view in mutated_arguments(user) for view in views(node) for user in view.users)


def _identity(x):
    return x


# what autograd's bookkeeping means for a `TensorList`, which no ATen op takes
_ON_FLOWS = {
    _aten.alias.default: _identity,
    _aten.detach.default: _identity,
    _aten.clone.default: _identity,
    _aten.add.Tensor: operator.add,
}


# Overloads that cost half as much with a number as a tensor: torch would make one at each call.
_WITH_NUMBER = {
    getattr(getattr(_aten, name), overload)
    for names, overload in (("add sub mul div", "Tensor"), ("lt le gt ge eq ne", "Scalar"))
    for name in names.split()
}


class _Writer:
    """Generates the source of the function that runs a graph."""

    def __init__(self, module: torch.fx.GraphModule, replay: bool, in_place: dict, shortcuts: dict):
        self.module = module
        self.replay = replay
        self.in_place = in_place
        self.shortcuts = shortcuts
        self.scope: dict = {"_getitem": operator.getitem}
        self.lines: list[str] = []
        self.scope["_nodes"] = self.nodes = {}  # line of the source -> the node it computes
        # values without a local of their own, for who looks at the locals of a run that failed
        self.scope["_known"] = {
            n.name: v.name if isinstance(v, torch.fx.Node) else v for n, v in shortcuts.items()
        }

    def bind(self, value, stem: str) -> str:
        name = f"_{stem}{len(self.scope)}"
        self.scope[name] = value
        return name

    def constant(self, value: torch.Tensor) -> str:
        name = f"_k{id(value)}"
        self.scope[name] = value
        return name

    def text(self, value) -> str:
        """The source text of an argument."""
        if isinstance(value, torch.fx.Node):
            value = self.shortcuts.get(value, value)
            return value.name if isinstance(value, torch.fx.Node) else self.constant(value)
        if isinstance(value, (list, tuple)):
            items = ", ".join(self.text(v) for v in value)
            if isinstance(value, list):
                return f"[{items}]"
            return f"({items},)" if value else "()"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k!r}: {self.text(v)}" for k, v in value.items()) + "}"
        if isinstance(value, slice):
            bounds = (value.start, value.stop, value.step)
            return f"slice({', '.join(map(self.text, bounds))})"
        if value is None or value is Ellipsis or type(value) in (bool, int, str):
            return repr(value)
        return self.bind(value, "c")

    def write(self) -> Callable:
        nodes = list(self.module.graph.nodes)
        inputs = [n.name for n in nodes if n.op == "placeholder"]
        self.values = set(inputs)
        self.last_use: dict[torch.fx.Node, torch.fx.Node] = {}
        for node in reversed(nodes):
            if node in self.shortcuts or self._is_idle(node):
                continue
            for used in node.all_input_nodes:
                value = self.shortcuts.get(used, used)
                if isinstance(value, torch.fx.Node):
                    self.last_use.setdefault(value, node)
        dying: dict[torch.fx.Node, list[str]] = {}
        for used, user in self.last_use.items():
            dying.setdefault(user, []).append(used.name)
        for node in nodes:
            if node.op == "get_attr":
                owner = self.module
                for part in node.target.split("."):
                    owner = getattr(owner, part)
                if not isinstance(owner, torch.fx.GraphModule):
                    self.scope[node.name] = owner
            elif node.op == "call_function":
                if node not in self.shortcuts and not self._is_idle(node):
                    self._call(node, dying)
            elif node.op == "output":
                found = node.args[0]
                found = found if isinstance(found, torch.fx.Node) else list(found)
                self.lines.append(f"    return {self.text(found)}")
            elif node.op != "placeholder":
                raise NotImplementedError(f"cannot run a graph node of kind {node.op!r}")
        source = f"def _run({', '.join(inputs)}):\n" + "\n".join(self.lines)
        exec(compile(source, GENERATED, "exec"), self.scope)
        return self.scope["_run"]

    def _is_idle(self, node) -> bool:
        """Whether a node was of use only to nodes that shortcuts leave out."""
        unused = node.users and node not in self.last_use and node.op == "call_function"
        return bool(self.shortcuts and unused and not staged.has_effect(node))

    def _arguments(self, node) -> tuple:
        args = self._with_cheap_number(node)
        if node in self.in_place:
            position = self.in_place[node][1]
            return (args[position], *args[:position], *args[position + 1 :])
        return args

    def _with_cheap_number(self, node) -> tuple:
        if self.replay or node.kwargs or len(node.args) != 2 or node.target not in _WITH_NUMBER:
            return node.args
        first, number = node.args
        value = first.meta.get("val") if isinstance(first, torch.fx.Node) else None
        if not isinstance(value, torch.Tensor) or value.device.type != "cpu":
            return node.args
        exact = value.dtype in (torch.float32, torch.float64) and type(number) in (int, float)
        if exact or (value.dtype in (torch.int32, torch.int64) and type(number) is int):
            return first, torch.tensor(number, dtype=value.dtype)
        return node.args

    def _call(self, node, dying):
        args = ", ".join(
            [self.text(a) for a in self._arguments(node)]
            + [f"{k}={self.text(v)}" for k, v in node.kwargs.items()]
        )
        flow = staged.control_flow_of(node, self.module)
        if flow is not None:
            if isinstance(flow, staged.Cond):
                flow.used = {u.args[1] for u in node.users if u.users}
            args = ", ".join(map(self.text, staged.inputs(node)))
            value = f"{self.bind(flow, 'f')}({args})"
        elif node.target is operator.getitem:
            value = f"{self.text(node.args[0])}[{self.text(node.args[1])}]"
        else:
            function = self.in_place[node][0] if node in self.in_place else callable_of(node)
            value = f"{self.bind(function, 'f')}({args})"
        self.nodes[len(self.lines) + 2] = node
        self.lines.append(f"    {node.name} = {value}")
        self.values.add(node.name)
        dead = [n for n in dying.get(node, ()) if n in self.values]
        if node not in self.last_use:
            dead.append(node.name)
        if dead:
            self.lines.append(f"    {' = '.join(dead)} = None")


def compile_graph(
    module: torch.fx.GraphModule,
    replay: bool = False,
    in_place: dict | None = None,
    known: dict | None = None,
) -> Callable:
    """The Python function that runs `module`: takes its inputs, returns the list of its outputs.

    Args:
        module: a traced graph.
        replay: whether the function is to run on stand-ins, to make the graph part of another.
        in_place: what `reuse.plan` found, for runs that autograd does not record.
        known: what `shortcuts.plan` found, for the same.
    """
    keep_freed_memory()  # each run needs the sizes that the last one freed
    return _Writer(module, replay, in_place or {}, known or {}).write()


def compile_unrecorded(module: torch.fx.GraphModule) -> Callable:
    """`compile_graph` for runs that autograd does not record."""
    known = shortcuts.plan(module)
    return compile_graph(module, in_place=reuse.plan(module.graph, known), known=known)


def run_nodes(root: torch.nn.Module, node: torch.fx.Node, input_value: Callable):
    """Computes one node of a graph under construction, with what it depends on."""
    values: dict[torch.fx.Node, object] = {}

    def compute(current):
        if current in values:
            return values[current]
        if current.op == "placeholder":
            result = input_value(current)
        elif current.op == "get_attr":
            result = getattr(root, current.target)
        else:
            args = torch.fx.node.map_arg(current.args, compute)
            kwargs = torch.fx.node.map_arg(current.kwargs, compute)
            result = callable_of(current)(*args, **kwargs)
        values[current] = result
        return result

    return compute(node)
