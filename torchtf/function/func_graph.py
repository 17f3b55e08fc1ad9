"""A traced graph in TensorFlow's terms: operations, tensors, a `GraphDef`."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Collection, Mapping, Sequence

import torch

from torchtf.core import arena, dtypes
from torchtf.core.name_scope import Names, qualified
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import SymbolicTensor
from torchtf.function import staged
from torchtf.function.trace import Capture, operation_and_index

# ATen calls that Keras layers make directly -> TensorFlow's name of the op
_ATEN_OPS = {
    "convolution": "Conv2D",
    "mm": "MatMul",
    "addmm": "MatMul",
    "bmm": "BatchMatMulV2",
    "relu": "Relu",
    "native_batch_norm": "FusedBatchNormV3",
    "view": "Reshape",
    "permute": "Transpose",
    "t": "Transpose",
    "add": "AddV2",
    "mul": "Mul",
    "sub": "Sub",
    "div": "RealDiv",
    "mean": "Mean",
    "sum": "Sum",
    "alias": "Identity",
    "clone": "Identity",
    "lift_fresh_copy": "Const",
    "_softmax": "Softmax",
    "_log_softmax": "LogSoftmax",
    "detach": "Identity",
    "_to_copy": "Cast",
    "scalar_tensor": "Const",
    "full": "Fill",
    "zeros": "ZerosLike",
    "zeros_like": "ZerosLike",
    "ones_like": "OnesLike",
    "threshold_backward": "ReluGrad",
    "convolution_backward": "Conv2DBackpropFilter",
    "native_batch_norm_backward": "FusedBatchNormGradV3",
    "expand": "BroadcastTo",
    "unsqueeze": "ExpandDims",
    "squeeze": "Squeeze",
    "select": "StridedSlice",
    "slice": "StridedSlice",
    "rand": "RandomUniform",
    "randn": "RandomStandardNormal",
    "max_pool2d_with_indices": "MaxPool",
    "cat": "ConcatV2",
    "stack": "Pack",
    "eq": "Equal",
    "ne": "NotEqual",
    "lt": "Less",
    "le": "LessEqual",
    "gt": "Greater",
    "ge": "GreaterEqual",
    "cond": "If",
    "while_loop": "While",
}


class Operation:
    """A node of a graph (source: `tf.Operation`)."""

    def __init__(self, node: torch.fx.Node, names: _Names):
        self._node = node
        self._names = names

    @property
    def name(self) -> str:
        return self._names[self._node]

    @property
    def type(self) -> str:
        return op_type(self._node)

    @property
    def graph(self) -> FuncGraph:
        """The graph that it is part of."""
        assert self._names.graph is not None
        return self._names.graph

    def consumers(self, tensor: SymbolicTensor) -> list[Operation]:
        """The operations that take a result of this one."""
        _, _, index = tensor.name.rpartition(":")
        users = _outputs(self._node)[int(index)].users
        return [
            Operation(operation_and_index(u)[0], self._names)
            for u in users
            if u.op != "output" and not _is_part(u)
        ]

    @property
    def inputs(self) -> tuple:
        return tuple(_tensor(n, self._names) for n in _inputs(self._node))

    @property
    def outputs(self) -> list:
        return [_tensor(n, self._names) for n in _outputs(self._node)]

    def get_attr(self, name: str):
        """An attribute of the node's `NodeDef`: its dtype `T`, its shapes.

        Raises:
            ValueError: if it has none of this name.
        """
        attributes = self._node_def(True).attr
        if name not in attributes:
            raise ValueError(f"Operation '{self.name}' has no attr named '{name}'.")
        value = attributes[name]
        kind = value.WhichOneof("value")
        return dtypes.as_dtype(value.type) if kind == "type" else getattr(value, kind)

    @property
    def node_def(self):
        return self._node_def(False)

    def _node_def(self, add_shapes: bool):
        return _node_def(self._node, self._names, add_shapes)

    def __repr__(self):
        return f"<tf.Operation '{self.name}' type={self.type}>"


class _Result(Operation):
    """The `Identity` that TensorFlow puts behind each result of a function.

    The graph has no node for it: what it passes on is the result itself.
    """

    def __init__(self, node: torch.fx.Node, names: _Names, spec: TensorSpec):
        super().__init__(node, names)
        self._name = names.unique("Identity")
        self._spec = spec

    name = property(lambda self: self._name)
    type = property(lambda self: "Identity")
    inputs = property(lambda self: (_tensor(self._node, self._names),))

    @property
    def outputs(self) -> list:
        (tensor,) = self.inputs
        tensor._name, tensor._operation = f"{self._name}:0", self
        tensor._shape_hint, tensor._dtype = self._spec.shape, self._spec.dtype
        return [tensor]

    def _node_def(self, add_shapes: bool):
        from tensorboard.compat.proto.node_def_pb2 import NodeDef

        made = NodeDef(name=self._name, op=self.type)
        made.input.append(self._names.reference(self._node))
        _add_type(made, "T", self._node.meta.get("val"), add_shapes)
        return made


def op_type(node: torch.fx.Node) -> str:
    """TensorFlow's type of the op that a node does, or the name of the ATen op."""
    if node.op == "placeholder":
        return "Placeholder"
    if node.op == "get_attr":
        return "Const"
    if staged.sub_modules(node):
        kind = node.meta["tf_op"]
        return kind if staged.has_effect(node) else f"Stateless{kind}"
    if "tf_op" in node.meta:
        return node.meta["tf_op"]
    target = node.target
    packet = getattr(target, "_overloadpacket", None)
    if packet is not None:
        name = packet._qualified_op_name.split("::")[-1]
        return _ATEN_OPS.get(name, name)
    name = getattr(target, "op", None) or getattr(target, "__name__", str(target))
    return _ATEN_OPS.get(name, name)


def _is_part(node: torch.fx.Node) -> bool:
    """Whether a node only picks one of the results of another, or is a sub graph."""
    if node.op == "get_attr":
        value = getattr(node.graph.owning_module, node.target, None)
        return isinstance(value, torch.fx.GraphModule)
    return node.target is operator.getitem and isinstance(node.args[1], int)


def _operations(fx_graph: torch.fx.Graph) -> list[torch.fx.Node]:
    return [n for n in fx_graph.nodes if n.op != "output" and not _is_part(n)]


def _inputs(node: torch.fx.Node) -> list[torch.fx.Node]:
    return [n for n in node.all_input_nodes if n.op != "get_attr" or not _is_part(n)]


def _outputs(node: torch.fx.Node) -> list[torch.fx.Node]:
    if not node.meta.get("has_results", True):
        return []
    parts = [u for u in node.users if _is_part(u)]
    return sorted(parts, key=lambda u: u.args[1]) or [node]


class _Names:
    """Readable names for the nodes of a graph, unique, as TensorFlow gives them."""

    def __init__(self, fx_graph: torch.fx.Graph, graph: FuncGraph | None = None):
        self.graph = graph
        self._names: dict[torch.fx.Node, str] = {}
        self.unique = Names().take
        nodes = _operations(fx_graph)
        for node in nodes:
            if "tf_name" in node.meta:
                self._names[node] = self.unique(node.meta["tf_name"])
        for node in nodes:
            if node not in self._names:
                wanted = node.name if node.op == "placeholder" else op_type(node)
                self._names[node] = self.unique(wanted)

    def __getitem__(self, node: torch.fx.Node) -> str:
        return self._names[node]

    def reference(self, node: torch.fx.Node) -> str:
        """How a `NodeDef` refers to a value."""
        if _is_part(node):
            name, index = self._names[node.args[0]], node.args[1]
            return f"{name}:{index}" if index else name
        return self._names[node]


def _node_def(node, names, add_shapes):
    from tensorboard.compat.proto.node_def_pb2 import NodeDef

    made = NodeDef(name=names[node], op=op_type(node))
    made.input.extend(names.reference(n) for n in _inputs(node))
    value = node.meta.get("val")
    for i in range(len(staged.sub_modules(node))):
        which = ("then_branch", "else_branch") if made.op.endswith("If") else ("cond", "body")
        made.attr[which[i]].func.name = f"{names[node]}_{which[i]}"
    holds = node.op in ("placeholder", "get_attr")
    _add_type(made, "dtype" if holds else "T", value, add_shapes, node.op == "placeholder")
    return made


def _add_type(made, key: str, value, add_shapes: bool, is_input: bool = False) -> None:
    """Adds the element type, and the shape if it is asked for, of what a node makes."""
    if not isinstance(value, torch.Tensor):
        return
    strings = arena.is_handles(value)
    dtype = dtypes.string if strings else dtypes.FROM_TORCH.get(value.dtype, dtypes.variant)
    made.attr[key].type = dtype.as_datatype_enum
    if add_shapes or is_input:
        shape = made.attr["shape" if is_input else "_output_shapes"]
        target = shape.shape if is_input else shape.list.shape.add()
        for size in value.shape:
            target.dim.add(size=size if isinstance(size, int) else -1)


def _tensor(node: torch.fx.Node, names: _Names) -> SymbolicTensor:
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        value = torch.empty((), device="meta")
    dtype = dtypes.string if arena.is_handles(value) else None
    owner, index = operation_and_index(node)
    made = SymbolicTensor(value, dtype, f"{names[owner]}:{index}")
    made._operation = Operation(owner, names)
    return made


class Graph:
    """A graph of operations (source: `tf.Graph`).

    Graphs are those of functions: of `f.get_concrete_function(...).graph`, and of a tensor inside
    a function.

    Raises:
        NotImplementedError: if it is called, to build a graph without a function.
    """

    def __new__(cls, *args, **kwargs):
        if cls is Graph:
            raise NotImplementedError(
                "tf.Graph() is not supported: it builds a graph op by op, for a session of "
                "TensorFlow 1. Put the ops into a tf.function; "
                "f.get_concrete_function(...).graph is its tf.Graph."
            )
        return super().__new__(cls)


class FuncGraph(Graph):
    """The graph of a function, finished or under way (source: TensorFlow's `FuncGraph`).

    Args:
        name: the function's name.
        fx_graph: the nodes.
        captures: what the graph takes besides the function's arguments; may grow.
        specs: those of the results of a finished graph.
        structure: puts a flat list of results into the structure that the function returns.
        names: those taken so far in a graph under way.
    """

    building_function = True

    def __init__(
        self, name: str, fx_graph: torch.fx.Graph, captures: Collection[Capture],
        specs: Sequence[TensorSpec] = (), structure: Callable[[list], object] = list,
        names: Names | None = None,
    ):  # fmt: skip
        self.name = name
        self._taken = Names() if names is None else names
        self._fx_graph = fx_graph
        self._captures = captures
        self._specs = specs
        self._structure = structure
        self._named: tuple = (None, None, [])  # the last node when names were given, these, results

    @property
    def inputs(self) -> list[SymbolicTensor]:
        placeholders = (n for n in self._fx_graph.nodes if n.op == "placeholder")
        return [_tensor(n, self._names) for n in placeholders]

    def _name(self) -> tuple:
        """Names all operations, again if the graph has grown."""
        last = next(iter(reversed(self._fx_graph.nodes)), None)
        if last is None or self._named[0] is not last:
            names, results = _Names(self._fx_graph, self), []
            if last is not None and last.op == "output":
                returned = zip(last.args[0], self._specs, strict=False)
                results = [_Result(n, names, s) for n, s in returned]
            self._named = last, names, results
        return self._named

    @property
    def _names(self) -> _Names:
        return self._name()[1]

    @property
    def _results(self) -> list[_Result]:
        return self._name()[2]

    @property
    def outputs(self) -> list[SymbolicTensor]:
        return [result.outputs[0] for result in self._results]

    @property
    def structured_outputs(self):
        """The structure that the function returns, of tensors of the graph."""
        return self._structure(self.outputs)

    @property
    def variables(self) -> tuple:
        from torchtf.core import graph

        owners = (c.owner for c in self._captures if c.is_variable)
        return tuple(v for v in owners if not graph.is_private(v))

    @property
    def trainable_variables(self) -> tuple:
        return tuple(v for v in self.variables if v.trainable)

    @property
    def captures(self) -> list:
        """The pairs of what the graph takes from outside and the tensors that stand for it."""
        return [(c.owner, _tensor(c.node, self._names)) for c in self._captures]

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """`name` below the current name scope, with a number if an operation has that name.

        Args:
            name: what is wanted.
            mark_as_used: whether it is taken from now on.
        """
        wanted = qualified(name)
        return self._taken.take(wanted) if mark_as_used else self._taken.free(wanted)

    def operation_of(self, node: torch.fx.Node) -> Operation:
        """The operation that a node is, or is a result of."""
        return Operation(operation_and_index(node)[0], self._names)

    def get_operations(self) -> list[Operation]:
        own = [Operation(n, self._names) for n in _operations(self._fx_graph)]
        return [*own, *self._results]

    def get_operation_by_name(self, name: str) -> Operation:
        for operation in self.get_operations():
            if operation.name == name:
                return operation
        raise KeyError(f"The name '{name}' refers to an Operation not in the graph.")

    def get_tensor_by_name(self, name: str) -> SymbolicTensor:
        operation, _, index = name.partition(":")
        return self.get_operation_by_name(operation).outputs[int(index or 0)]

    def as_graph_def(self, from_version=None, add_shapes: bool = False):
        """The graph as a `GraphDef` proto, which TensorBoard draws.

        Sub graphs of conditions and loops are functions of its library.

        Args:
            from_version: only None; graphs have no versions here.
            add_shapes: whether each node gets an `_output_shapes` attribute.
        """
        if from_version is not None:
            raise NotImplementedError("as_graph_def(from_version=...) is not supported")
        from tensorboard.compat.proto.graph_pb2 import GraphDef

        graph_def = GraphDef()
        graph_def.versions.producer = 2000
        for operation in self.get_operations():
            graph_def.node.append(operation._node_def(add_shapes))
        for node in _operations(self._fx_graph):
            _add_functions(graph_def.library, node, self._names[node])
        return graph_def

    def as_function_def(self, name: str, attributes: Mapping[str, object]):
        """The graph as a `FunctionDef` proto with these attributes."""
        from tensorboard.compat.proto.function_pb2 import FunctionDef

        made = FunctionDef()
        made.signature.name = name
        for operation in self.get_operations():
            node = operation._node_def(False)
            if operation.type == "Placeholder":
                made.signature.input_arg.add(name=operation.name, type=node.attr["dtype"].type)
            else:
                made.node_def.append(node)
        for result in self._results:
            output = result.name.lower()
            made.signature.output_arg.add(name=output, type=result._spec.dtype.as_datatype_enum)
            made.ret[output] = f"{result.name}:output:0"
        made.attr["_construction_context"].s = b"kEagerRuntime"
        for key, value in attributes.items():
            _set_attribute(made.attr[key], value)
        return made


class _NoGraph(FuncGraph):
    """The graph outside functions, in which nothing is ever built."""

    building_function = False


@functools.cache
def outside() -> FuncGraph:
    """The graph outside functions: it stays empty, as ops run at once there."""
    return _NoGraph("", torch.fx.Graph(), ())


def _set_attribute(target, value) -> None:
    """Fills an `AttrValue` proto; a text may be that of a `NameAttrList`, too.

    Raises:
        ValueError: if the value is of no type that it can hold.
    """
    from google.protobuf import text_format

    if isinstance(value, bool):
        target.b = value
    elif isinstance(value, int):
        target.i = value
    elif isinstance(value, float):
        target.f = value
    elif isinstance(value, (str, bytes)):
        try:
            text_format.Parse(value, target.func)
        except text_format.ParseError:
            target.s = value.encode() if isinstance(value, str) else value
    else:
        raise ValueError(f"Attribute must be bool, int, float or string. Got {type(value)}.")


def _add_functions(library, node, prefix):
    """Adds the sub graphs of a node, and theirs, to a function library."""
    control = op_type(node)
    which = ("then_branch", "else_branch") if control.endswith("If") else ("cond", "body")
    for module, part in zip(staged.sub_modules(node), which, strict=False):
        function = library.function.add()
        function.signature.name = f"{prefix}_{part}"
        names = _Names(module.graph)
        for inner in _operations(module.graph):
            if inner.op == "placeholder":
                made = _node_def(inner, names, False)
                function.signature.input_arg.add(name=names[inner], type=made.attr["dtype"].type)
                continue
            function.node_def.append(_node_def(inner, names, False))
            _add_functions(library, inner, f"{prefix}_{part}_{names[inner]}")
        output = next(iter(reversed(module.graph.nodes)))
        results = output.args[0]
        for i, value in enumerate(results if isinstance(results, (list, tuple)) else [results]):
            function.signature.output_arg.add(name=f"output_{i}")
            if isinstance(value, torch.fx.Node):
                function.ret[f"output_{i}"] = names.reference(value)
