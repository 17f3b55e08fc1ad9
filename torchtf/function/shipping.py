"""A traced graph in the form that `torch.export` and ONNX take, to run in other places.

* A draw from a state or seed that the program holds stays one; an op that counts its own calls
  draws from the runtime that will run it.
* A `TensorList` (the storage of a `TensorArray`) becomes one tensor with the elements as its rows.
* A branch or loop body shares no memory: what it takes and returns are tensors of their own.
* A host op is one operator with the call as text (`shipped_call`); strings stay handles.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch

from torchtf import tensor_array
from torchtf.function import shipped_call, staged

_aten = torch.ops.aten
_FREE_DRAWS = {"uniform": _aten.rand.default, "normal": _aten.randn.default}


def shippable(module: torch.fx.GraphModule, private: Collection[int] = ()) -> torch.fx.GraphModule:
    """A copy of a graph that runs anywhere; see the head of this file.

    Args:
        module: the graph.
        private: the positions of inputs that tell where an op is in its stream.

    Raises:
        NotImplementedError: for an operation on a `TensorArray` whose size or whose elements' shape
            is only known while the graph runs.
    """
    return _Copy(module, (), private).module


class _Copy:
    """A graph and the graphs in it, rewritten.

    Args:
        module: the graph.
        elements: for each of its inputs what a row of it holds if it is a list, else None.
        private: as for `shippable`.
    """

    def __init__(
        self,
        module: torch.fx.GraphModule,
        elements: Sequence[torch.Tensor | None],
        private: Collection[int] = (),
    ):
        self.graph = torch.fx.Graph()
        copies: dict[torch.fx.Node, torch.fx.Node] = {}
        self.graph.output(self.graph.graph_copy(module.graph, copies))
        self.module = torch.fx.GraphModule(module, self.graph)  # leaves unused attributes behind
        self._elements: dict[torch.fx.Node, torch.Tensor] = {}
        inputs = [n for n in self.graph.nodes if n.op == "placeholder"]
        for node, element in zip(inputs, elements, strict=False):
            self._note(node, element)
        self._places = {inputs[i] for i in private}  # and what is computed of them
        for node in list(self.graph.nodes):
            self._rewrite(node)
        if elements:
            self._own_results(inputs)
        self.graph.eliminate_dead_code()
        self.module.recompile()

    @property
    def output(self) -> Any:
        return next(iter(reversed(self.graph.nodes)))

    def _rewrite(self, node: torch.fx.Node) -> None:
        text = shipped_call.shipped(node.target)
        if text is not None:
            node.args = (list(node.args), text)
            node.target = torch.ops.torchtf.host_call.default
        elif str(node.target) == "torchtf.philox.default":
            state, _, kind, shape, dtype = node.args
            if state in self._places and kind in _FREE_DRAWS:
                node.target, node.args, node.kwargs = _FREE_DRAWS[kind], (shape,), {"dtype": dtype}
        elif not self._places.isdisjoint(node.all_input_nodes):
            self._places.add(node)
        elif node.target in (staged._COND, staged._WHILE):
            self._control_flow(node)
        elif node.target is _aten.take.default:
            self._pick(node)
        elif isinstance(node.target, tuple(_LOWERED)):
            kind = next(k for k in type(node.target).__mro__ if k in _LOWERED)
            with self.graph.inserting_before(node):
                value, element = _LOWERED[kind](self, node)
            for part in list(node.users):  # a call gives a list of one result
                self._note(value, element)
                part.replace_all_uses_with(value)
                self.graph.erase_node(part)

    def _pick(self, node: torch.fx.Node) -> None:
        """An element of a vector as a row of it: `take` wants to know how many there are."""
        source, index = node.args
        if index.meta["val"].dim() == 0 and source.meta["val"].dim() == 1:
            with self.graph.inserting_before(node):
                row = self.call(_aten.index_select.default, source, 0, self.row(index))
            node.target, node.args = _aten.squeeze.dim, (row, 0)

    def _control_flow(self, node: torch.fx.Node) -> None:
        """Rewrites branches or body; a list among the operands is a tensor from here on."""
        for operand in dict.fromkeys(staged.operands(node)):
            if isinstance(operand, torch.fx.Node) and _is_view(operand):
                node.replace_input_with(operand, self._copied(operand, before=node))
        operands = staged.operands(node)
        elements = [self._elements.get(o) for o in operands]
        copies = []
        for place in node.args[1:3] if node.target is staged._COND else node.args[:2]:
            copy = _Copy(getattr(self.module, place.target), elements or (None,))
            setattr(self.module, place.target, copy.module)
            copies.append(copy)
        for part in node.users:
            kept = [copy.element_of_result(part.args[1]) for copy in copies]
            self._note(part, next((k for k in kept if k is not None), None))

    def _note(self, node: torch.fx.Node, element: torch.Tensor | None) -> None:
        if element is not None:
            self._elements[node] = element

    def element_of_result(self, index: int) -> torch.Tensor | None:
        """What a row of a result holds, if that is a list."""
        results = self.output.args[0]
        return self._elements.get(results[index]) if isinstance(results, (list, tuple)) else None

    def _own_results(self, inputs: list[torch.fx.Node]) -> None:
        """Copies results that are inputs, views of them, or each other."""
        output = self.output
        single = not isinstance(output.args[0], (list, tuple))  # the test of a loop
        results, seen = [], set(inputs)
        for result in [output.args[0]] if single else output.args[0]:
            if isinstance(result, torch.fx.Node) and (result in seen or _is_view(result)):
                result = self._copied(result, before=output)
            seen.add(result)
            results.append(result)
        output.args = (results[0] if single else tuple(results),)

    def _copied(self, node: torch.fx.Node, before: torch.fx.Node) -> torch.fx.Node:
        with self.graph.inserting_before(before):
            copied = self.call(_aten.clone.default, node)
        copied.meta = dict(node.meta)
        self._note(copied, self._elements.get(node))
        return copied

    # -- lists

    def call(self, target, *args, **kwargs) -> torch.fx.Node:
        return self.graph.call_function(target, args, kwargs)

    def row(self, index: torch.fx.Node) -> torch.fx.Node:
        """A scalar index as a vector of one."""
        return self.call(_aten.view.default, index, [1])

    def element_of(self, flow: torch.fx.Node) -> torch.Tensor:
        """What an element of a list is like: what is written to it, or read from it."""
        if flow not in self._elements:
            found = next(_elements(flow, self.module), None)
            if found is None or any(not isinstance(s, int) for s in found.shape):
                raise NotImplementedError(
                    "a TensorArray can be exported where the shape of its elements is known while "
                    "tracing, and it is not here"
                )
            self._elements[flow] = found
        return self._elements[flow]


def _is_view(node: torch.fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and any(r.alias_info is not None for r in schema.returns)


def _elements(flow: torch.fx.Node, module) -> Iterator[torch.Tensor]:
    """Stand-ins for elements of a list, from the nodes that it goes to."""
    for user in flow.users:
        if user.target is operator.getitem:
            yield from _elements(user, module)
        elif isinstance(user.target, tensor_array._Scatter):
            yield user.args[2].meta["val"][0]
        elif isinstance(user.target, tensor_array._Set):
            if isinstance(user.args[2], torch.fx.Node) and "val" in user.args[2].meta:
                yield user.args[2].meta["val"]
            yield from _elements(user, module)
        elif isinstance(user.target, tensor_array._Get):
            value = next(iter(user.users)).meta["val"]
            yield value[0] if user.target.prefix else value
        elif user.target in (staged._COND, staged._WHILE):
            position = staged.operands(user).index(flow)
            for sub in staged.sub_modules(user):
                inputs = [n for n in sub.graph.nodes if n.op == "placeholder"]
                yield from _elements(inputs[position], sub)
            if user.target is staged._WHILE:
                for part in user.users:
                    if part.args[1] == position:
                        yield from _elements(part, module)


# -- each operation on a list as one on a tensor: (copy, node) -> (value, element or None)


_PASSES_ON = {
    _aten.scalar_tensor.default,
    _aten._to_copy.default,
    _aten.clone.default,
    _aten.squeeze.default,
}


def _size(copy: _Copy, size):
    """The number of elements as a size: an int, or the symbolic one that a size tensor holds."""
    while isinstance(size, torch.fx.Node) and size.target is not _aten.sym_size.int:
        if size.target in _PASSES_ON:
            size = size.args[0]
        elif size.target is _aten.select.int and size.args[0].target is _aten.stack.default:
            size = size.args[0].args[0][size.args[2]]
        else:
            raise NotImplementedError(
                "a TensorArray can be exported where its size is a number or a size of a tensor; "
                "it is computed here"
            )
    return size


def _new(copy, node):
    (flow,) = node.users
    element = copy.element_of(flow)
    shape = [_size(copy, node.args[0]), *element.shape]
    return copy.call(_aten.zeros.default, shape, dtype=element.dtype), element


def _from_items(copy, node):
    (flow,) = node.users
    element, values = copy.element_of(flow), iter(node.args)
    rows = [
        next(values)
        if p
        else copy.call(_aten.zeros.default, list(element.shape), dtype=element.dtype)
        for p in node.target._present
    ]
    return copy.call(_aten.stack.default, rows), element


def _set(copy, node):
    flow, index, value = node.args
    if node.target._dynamic:
        raise NotImplementedError(
            "a TensorArray that grows cannot be exported: give it its size, and dynamic_size=False"
        )
    element = copy.element_of(flow)
    count = copy.call(_aten.sym_size.int, flow, 0)
    numbers = copy.call(_aten.arange.default, count, dtype=torch.int32)
    here = copy.call(
        _aten.eq.Tensor if isinstance(index, torch.fx.Node) else _aten.eq.Scalar, numbers, index
    )
    here = copy.call(_aten.view.default, here, [-1, *[1] * element.dim()])
    if isinstance(value, torch.fx.Node):  # a loop's state keeps its strides
        value = copy.call(_aten.contiguous.default, value)
    return copy.call(_aten.where.self, here, value, flow), element


def _get(copy, node):
    flow, index = node.args
    if not isinstance(index, torch.fx.Node):
        return copy.call(_aten.select.int, flow, 0, index), None
    row = copy.call(_aten.index_select.default, flow, 0, copy.row(index))
    return copy.call(_aten.squeeze.dim, row, 0), None


def _gather(copy, node):
    return copy.call(_aten.index_select.default, node.args[0], 0, node.args[1]), None


def _concat(copy, node):
    return copy.call(_aten.flatten.using_ints, node.args[0], 0, 1), None


def _length(copy, node):
    count = copy.call(_aten.sym_size.int, node.args[0], 0)
    return copy.call(_aten.scalar_tensor.default, count, dtype=torch.int32), None


def _refused(copy, node):
    raise NotImplementedError(f"TensorArray's {node.target.op} cannot be exported")


_LOWERED = {
    tensor_array._New: _new,
    tensor_array._FromItems: _from_items,
    tensor_array._Set: _set,
    tensor_array._Scatter: _refused,
    tensor_array._Split: _refused,
    tensor_array._Unstack: lambda copy, node: (node.args[0], node.args[0].meta["val"][0]),
    tensor_array._Size: _length,
    tensor_array._Get: _get,
    tensor_array._Stack: lambda copy, node: (node.args[0], None),
    tensor_array._Gather: _gather,
    tensor_array._Concat: _concat,
}
