"""An ExportedProgram of a graph that was traced already.

`torch.export` would trace it once more, which is the dearest step of an export, and find the same:
a graph of torchtf is one of ATen operators with symbols for its open sizes. Where it is not
(control flow, operators of torchtf's own, or such as change an argument; variables that change in
place, sizes that the trace took for granted) `program_of` leaves the work to `torch.export`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import sympy
import torch
from torch.export import ExportedProgram, exported_program, graph_signature
from torch.fx.experimental.symbolic_shapes import SymTypes
from torch.utils import _pytree as pytree
from torch.utils._sympy.numbers import int_oo
from torch.utils._sympy.value_ranges import ValueRanges

from .signature import Signature

_aten = torch.ops.aten
_HALF = (torch.float16, torch.bfloat16)
_OWNER = "module"  # what `trace._Flat` calls the module


def program_of(signature: Signature, examples: Sequence[torch.Tensor]) -> ExportedProgram | None:
    """The program of a signature whose module is a graph of torchtf; None where there is none."""
    from torchtf.function.concrete import GraphWithState

    module = signature.module
    if not isinstance(module, GraphWithState) or module.changed:
        return None
    nodes = list(module.body.graph.nodes)
    inputs = [node for node in nodes if node.op == "placeholder"][: len(signature.inputs)]
    if not all(map(_is_plain, nodes)) or not _fits(signature, inputs):
        return None
    return _Builder(module, signature).program(examples)


def _is_plain(node: torch.fx.Node) -> bool:
    """Whether `torch.export` would have the node as it is."""
    if node.op == "output":
        return True
    values = pytree.tree_leaves(node.meta.get("val", _HALF))
    if any(isinstance(v, torch.Tensor) and v.dtype in _HALF for v in values):
        return False  # which is widened after a trace
    if node.op == "placeholder":
        return all(isinstance(v, torch.Tensor) for v in values)
    if node.op != "call_function" or not all(
        isinstance(v, (torch.Tensor, int, *SymTypes)) for v in values
    ):
        return False
    if isinstance(node.target, torch._ops.OpOverload):
        return node.target.namespace == "aten" and not node.target._schema.is_mutable
    return getattr(operator, getattr(node.target, "__name__", ""), None) is node.target


def _fits(signature: Signature, inputs: Sequence[torch.fx.Node]) -> bool:
    """Whether the inputs have the sizes of the signature, and the trace assumed nothing of them."""
    symbols: list = []
    for info, node in zip(signature.inputs, inputs, strict=True):
        value = node.meta["val"]
        environment = value.fake_mode.shape_env
        if environment.replacements or not all(map(_is_certain, environment.guards)):
            return False
        if info.shape is None or len(info.shape) != value.dim():
            return False
        for want, have in zip(info.shape, value.shape, strict=True):
            if isinstance(have, int) != (want is not None) or want not in (None, have):
                return False
            if want is None:
                symbols.append(have.node.expr)
    return all(s.is_Symbol for s in symbols) and len(set(symbols)) == len(symbols)


def _is_certain(guard: Any) -> bool:
    """Whether an assumption holds for any sizes, as they are not negative."""
    sizes = {s: sympy.Dummy(integer=True, nonnegative=True) for s in guard.expr.free_symbols}
    return guard.expr.xreplace(sizes) == sympy.true


class _Builder:
    """Makes the program of a graph with state: its state comes first, as parameters do."""

    def __init__(self, module: Any, signature: Signature):
        self._module = module
        self._graph = torch.fx.Graph()
        given = [node for node in module.body.graph.nodes if node.op == "placeholder"]
        count = len(signature.inputs)
        self._copies: dict[torch.fx.Node, torch.fx.Node] = {}
        self._state = [
            self._placeholder(node, f"b_{_OWNER}_{name}")
            for node, name in zip(given[count:], module.state_names, strict=True)
        ]
        self._inputs = [
            self._placeholder(node, f"inputs_{i}") for i, node in enumerate(given[:count])
        ]

    def _placeholder(self, node: torch.fx.Node, name: str) -> torch.fx.Node:
        made = self._graph.placeholder(name)
        made.meta["val"] = node.meta["val"]
        self._copies[node] = made
        return made

    def _body(self) -> list[torch.fx.Node]:
        """Copies the body; returns the results, each a tensor of its own."""
        for node in self._module.body.graph.nodes:
            if node.op == "call_function":
                made = self._graph.node_copy(node, self._copies.__getitem__)
                if made.target is _aten.view.default:
                    # of what kernels give; PyTorch's passes run it by strides that they predict
                    made.target = _aten.reshape.default
                made.meta = {"val": node.meta["val"]}
                if "stack_trace" in node.meta:
                    made.meta["stack_trace"] = node.meta["stack_trace"]
                self._copies[node] = made
        output = next(reversed(self._module.body.graph.nodes))
        results, seen = [], {*self._inputs, *self._state}
        for place in self._module.kept:
            result = self._copies[output.args[0][place]]
            if result in seen:
                result = self._clone(result)
            seen.add(result)
            results.append(result)
        return results

    def _clone(self, node: torch.fx.Node) -> torch.fx.Node:
        made = self._graph.call_function(_aten.clone.default, (node,))
        made.meta["val"] = node.meta["val"]
        return made

    def program(self, examples: Sequence[torch.Tensor]) -> ExportedProgram:
        results = self._body()
        self._graph.output(tuple(results))
        symbols = {
            size.node.expr
            for node in self._inputs
            for size in node.meta["val"].shape
            if isinstance(size, torch.SymInt)
        }
        kinds = graph_signature.InputKind
        state = {f"{_OWNER}.{n}": getattr(self._module, n) for n in self._module.state_names}
        arguments = [graph_signature.TensorArgument(n.name) for n in (*self._state, *self._inputs)]
        specs = [
            graph_signature.InputSpec(kinds.BUFFER, argument, target, True)
            for argument, target in zip(arguments, state, strict=False)
        ] + [
            graph_signature.InputSpec(kinds.USER_INPUT, argument, None)
            for argument in arguments[len(state) :]
        ]
        returned = [
            graph_signature.OutputSpec(
                graph_signature.OutputKind.USER_OUTPUT,
                graph_signature.TensorArgument(node.name),
                None,
            )
            for node in results
        ]
        _, taken = pytree.tree_flatten((tuple(examples), {}))
        _, given = pytree.tree_flatten(tuple(results))
        call = exported_program.ModuleCallSignature([], [], taken, given)
        root = torch.nn.Module()
        return ExportedProgram(
            root=torch.fx.GraphModule(root, self._graph),
            graph=self._graph,
            graph_signature=graph_signature.ExportGraphSignature(specs, returned),
            state_dict=state,
            range_constraints={s: ValueRanges(0, int_oo) for s in symbols},
            module_call_graph=[exported_program.ModuleCallEntry("", call)],
            example_inputs=(tuple(examples), {}),
            constants={},
        )
