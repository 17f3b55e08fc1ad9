"""Rewrites of a traced graph before it goes to ONNX.

PyTorch's exporter would do the same by tracing the graph once more through its decompositions,
which costs more (an in-place activation seven times its price) and gives worse graphs.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any, cast

import torch

_aten = torch.ops.aten
_RECURRENT: tuple[Any, ...] = (_aten.lstm.input, _aten.gru.input)


def lower(program: torch.export.ExportedProgram) -> None:
    """Applies all rewrites to the program, in place."""
    graph = program.graph
    for node in list(graph.nodes):
        if node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload):
            _make_functional(node, node.target)
            _average_to_mean(node)
            _any_sort(node)
            _size_as_tensor(node)
            _indices_as_given(node)
            if node.target is _aten._linalg_check_errors.default:
                graph.erase_node(node)  # TensorFlow's kernels fail by themselves
    graph.eliminate_dead_code()
    graph.lint()
    program.graph_module.recompile()


def _make_functional(node: torch.fx.Node, target: torch._ops.OpOverload) -> None:
    """``y = f_(x)`` as ``y = f(x)``, where nothing else looks at the memory of ``x``."""
    name = target._schema.name.removeprefix("aten::")
    if (
        not name.endswith("_")
        or name.endswith("__")
        or not target._schema.name.startswith("aten::")
    ):
        return
    packet = getattr(_aten, name[:-1], None)
    functional = getattr(packet, target._overloadname, None) if packet else None
    source = node.args[0] if node.args else None
    if functional is None or not isinstance(source, torch.fx.Node) or not _owns_memory(source):
        return
    if any(_may_alias(user) for user in source.users if user is not node):
        return
    value, result = source.meta.get("val"), node.meta.get("val")
    if value is None or result is None or value.dtype != result.dtype:
        return
    node.target = functional
    position = {n: i for i, n in enumerate(node.graph.nodes)}
    for user in list(source.users):
        if user is not node and position[user] > position[node]:
            user.replace_input_with(source, node)  # it would have seen the changed memory


def _owns_memory(node: torch.fx.Node) -> bool:
    """Whether a node makes a tensor of its own: no input, no view, no other in-place result."""
    return node.op == "call_function" and not _may_alias(node)


def _may_alias(node: torch.fx.Node) -> bool:
    if node.op == "output":
        return False
    if not isinstance(node.target, torch._ops.OpOverload):
        return True
    return any(r.alias_info is not None for r in node.target._schema.returns)


def _average_to_mean(node: torch.fx.Node) -> None:
    """Global average pooling as a mean: its decomposition gathers elements by memory format."""
    ranks: dict[Any, int] = {
        _aten.adaptive_avg_pool1d.default: 1,
        _aten.adaptive_avg_pool2d.default: 2,
        _aten.adaptive_avg_pool3d.default: 3,
    }
    rank = ranks.get(node.target)
    if rank is not None and list(cast(Any, node.args[1])) == [1] * rank:
        node.target, node.args = _aten.mean.dim, (node.args[0], list(range(-rank, 0)), True)


def _any_sort(node: torch.fx.Node) -> None:
    """A stable sort as a sort: ONNX has one, by `TopK`, which is stable."""
    if node.target is _aten.sort.stable:
        options = {k: v for k, v in node.kwargs.items() if k != "stable"}
        node.target, node.kwargs = _aten.sort.default, options


def _size_as_tensor(node: torch.fx.Node) -> None:
    """The rest of a division by a size as one by a tensor: ONNX takes a number for the former."""
    if node.target is not _aten.remainder.Scalar or not isinstance(node.args[1], torch.fx.Node):
        return
    value, size = node.meta["val"], node.args[1]
    with node.graph.inserting_before(node):
        divisor = node.graph.call_function(
            _aten.scalar_tensor.default, (size,), {"dtype": value.dtype}
        )
    with value.fake_mode:
        divisor.meta["val"] = torch.empty((), dtype=value.dtype)
    node.target, node.args = _aten.remainder.Tensor, (node.args[0], divisor)


def _indices_as_given(node: torch.fx.Node) -> None:
    """Rows picked by int32 indices that were widened for torch's sake, without that."""
    place = {_aten.index_select.default: 2, _aten.embedding.default: 1}.get(cast(Any, node.target))
    narrow = None if place is None else _narrow(cast(torch.fx.Node, node.args[place]))
    if place is not None and narrow is not None:
        node.update_arg(place, narrow)


def _narrow(node: torch.fx.Node) -> torch.fx.Node | None:
    """The int32 indices that an int64 node holds; None if they may be others."""
    value = node.meta["val"]
    if node.op != "call_function" or value.dtype != torch.int64:
        return None
    if node.target in (_aten._to_copy.default, _aten.to.dtype):
        source = cast(torch.fx.Node, node.args[0])
        return source if source.meta["val"].dtype == torch.int32 else None
    if node.target in (_aten.view.default, _aten.reshape.default):
        found = _narrow(cast(torch.fx.Node, node.args[0]))
        return found and _with_arguments(node, (found, node.args[1]))
    if node.target is _aten.where.self:  # negative ones count from the end
        test, below, given = cast(Any, node.args)
        if (test.target, test.args[1:]) != (_aten.lt.Scalar, (0,)) or test.args[0] is not given:
            return None
        size = below.args[1] if below.target is _aten.add.Tensor else None
        if not isinstance(size, int) or not 0 <= size < 2**31 or below.args[0] is not given:
            return None
        found = _narrow(given)  # where the sum is taken it is below the size
        if found is None:
            return None
        negative, moved = _with_arguments(test, (found, 0)), _with_arguments(below, (found, size))
        return _with_arguments(node, (negative, moved, found))
    return None


def _with_arguments(node: torch.fx.Node, arguments: tuple) -> torch.fx.Node:
    """A copy of a node on int32 tensors."""
    value = node.meta["val"]
    with node.graph.inserting_before(node):
        made = node.graph.call_function(cast(Any, node.target), arguments, dict(node.kwargs))
    made.meta = dict(node.meta)
    if value.dtype == torch.int64:
        with value.fake_mode:
            made.meta["val"] = value.to(torch.int32)
    return made


@contextlib.contextmanager
def recurrent_nodes() -> Iterator[None]:
    """Within it the shapes of recurrent layers are found without running their steps.

    PyTorch runs a loop over the time for that, which is slow and fixes a free length.
    """

    def outputs(x, hx, params, biases, layers, dropout, train, bidirectional, batch_first):
        states = [torch.empty_like(s) for s in (hx if isinstance(hx, (list, tuple)) else [hx])]
        directions = 2 if bidirectional else 1
        return (x.new_empty(*x.shape[:2], directions * states[0].shape[-1]), *states)

    # where the tracer looks, and where the fake tensors do
    tables: list[tuple[dict, Any]] = []
    for op in _RECURRENT:
        tables += [(op.py_kernels, key) for key in op.py_kernels]
        tables.append((torch._decomp.decomposition_table, op))
    before = [table[key] for table, key in tables]
    try:
        for table, key in tables:
            table[key] = outputs
        for op in _RECURRENT:
            op._dispatch_cache.clear()
        yield
    finally:
        for (table, key), function in zip(tables, before, strict=True):
            table[key] = function
        for op in _RECURRENT:
            op._dispatch_cache.clear()


@contextlib.contextmanager
def prepared_exporter() -> Iterator[None]:
    """Within it `torch.onnx.export` keeps its tables of operators, takes nothing apart where there
    is nothing to take apart, and knows one version of its own functions.

    It fills the tables anew for each model, which takes seconds; traces each program once more
    through its decompositions; and gives the domain of nested branches and loop bodies one version
    in the model and another in the functions, on which its own inliner then fails.
    """
    from torch.onnx._internal.exporter import (
        _constants,
        _decomp,
        _fx_passes,
        _ir_passes,
        _registration,
    )

    registry: Any = _registration.ONNXRegistry
    add_imports = _ir_passes.add_opset_imports
    fill = registry.__dict__["from_torchlib"]
    take_apart = _fx_passes.decompose_with_registry

    def kept(cls, opset_version=_constants.TORCHLIB_OPSET):
        if opset_version not in _registries:
            _registries[opset_version] = fill.__func__(cls, opset_version)
        return _registries[opset_version]

    def add_opset_imports(model):
        add_imports(model)
        domain = _constants.LOCAL_FUNCTION_DOMAIN
        for holder in (model, *model.functions.values()):
            if domain in holder.opset_imports:
                holder.opset_imports[domain] = 1

    def decompose_with_registry(program, registry):
        key = id(registry)
        if key not in _decompositions:
            known = set(_decomp.get_onnx_implemented_overloads(registry))
            _decompositions[key] = _decomp.create_onnx_friendly_decomposition_table(known)
        return _decomposed(program, _decompositions[key])

    registry.from_torchlib = classmethod(kept)
    _fx_passes.decompose_with_registry = decompose_with_registry
    _ir_passes.add_opset_imports = add_opset_imports
    try:
        yield
    finally:
        registry.from_torchlib = fill
        _fx_passes.decompose_with_registry = take_apart
        _ir_passes.add_opset_imports = add_imports


_registries: dict[int, Any] = {}
_decompositions: dict[int, Any] = {}  # by the identity of a registry, which is kept


def _decomposed(program: torch.export.ExportedProgram, table) -> torch.export.ExportedProgram:
    """A program of operators that the table does not take apart.

    One that is made of such operators already, as our own traces are, is copied: that spares a
    trace, the dearest step of an export.
    """
    calls = [n.target for n in program.graph.nodes if n.op == "call_function"]
    if any(_is_composite(target, table) for target in calls):
        return program.run_decompositions(table)
    made = copy.copy(program)
    graph = copy.deepcopy(program.graph)
    graph.eliminate_dead_code()
    made._graph_module = torch.fx.GraphModule(program.graph_module, graph)
    return made


def _is_composite(target, table) -> bool:
    if isinstance(target, torch._ops.HigherOrderOperator):
        return True  # its graphs may have such operators
    if not isinstance(target, torch._ops.OpOverload):
        return False
    if target.namespace == "aten" and target._opname.startswith("sym_"):
        return False
    if target is _aten.reshape.default or target in _RECURRENT:
        return False  # ONNX knows no other
    return target in table or target._schema.is_mutable or target._can_decompose()
