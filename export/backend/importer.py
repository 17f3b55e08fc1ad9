"""Builds the TensorFlow computation of an ONNX graph, node by node."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper

from ..extra_operators import DOMAIN
from .operators import OPERATORS, SIZE_RULES, Node, UnsupportedOperator
from .values import Constant, Sizes, Value, as_strings, is_known
from .weights import Weights

_FOLD_LIMIT = 1 << 16  # bytes a folded constant may have beyond those of its operands
_NEVER_FOLDED = {"If", "Loop", "Scan", "HostCall", "RandomNormalLike", "RandomUniformLike"}
# the inputs that have one type: strings among them make strings of the others
_ALIKE = {
    "Concat": slice(None),
    "Equal": slice(None),
    "Pad": slice(0, 3, 2),
    "ScatterElements": slice(0, 3, 2),
    "ScatterND": slice(0, 3, 2),
    "SequenceConstruct": slice(None),
    "Where": slice(1, 3),
}


class ConversionError(Exception):
    """A node that failed, with its name in the ONNX graph and the reason."""

    def __init__(self, op: str, name: str, reason: str):
        super().__init__(f"{op} ({name}): {reason}")
        self.op, self.name, self.reason = op, name, reason


class Importer:
    """An ONNX model, ready to be called inside a `tf.function`.

    `importer(tensors)` takes the graph inputs in order and returns its outputs in logical axis
    order. `live` are variables that keep changing, by the names of their initializers: they are
    read at each call, and nothing that depends on them is computed ahead. `tables` are the lookup
    tables by the numbers that the graph has for them.

    Strings, which torch has as integers, are strings from the inputs on; what moves tensors moves
    them, too.
    """

    def __init__(
        self,
        path: str,
        weights: Weights,
        live: dict[str, tf.Variable] | None = None,
        tables: dict[int, Any] | None = None,
    ):
        self.tables = tables or {}
        self.model = onnx.load(path)
        self.weights = weights
        self.live = live or {}
        self.initializers = {
            t.name: Constant(numpy_helper.to_array(t), weights.tensor, t.name)
            for t in self.model.graph.initializer
        }

    @staticmethod
    def dtype(code: int) -> tf.DType:
        return tf.as_dtype(onnx.helper.tensor_dtype_to_np_dtype(code))

    def __call__(self, tensors: list) -> list:
        graph = self.model.graph
        scope: dict[str, Any] = dict(self.initializers)
        scope.update((name, Value(v.read_value())) for name, v in self.live.items())
        for info, tensor in zip(graph.input, tensors, strict=True):
            scope[info.name] = Value(tensor, nonnegative=tensor.dtype.is_unsigned)
        self._scopes = [scope]
        self._run(graph, scope)
        results = []
        for info in graph.output:
            value, code = scope[info.name], info.type.tensor_type.elem_type
            tensor = value.tensor()
            same = tensor.dtype in (tf.string, self.dtype(code))
            results.append(tensor if same else tf.cast(tensor, self.dtype(code)))
        return results

    def subgraph(self, graph, bindings: dict[str, Value]) -> list[Value]:
        """Runs the body of a control flow node, which sees the names around it."""
        scope = {**self._scopes[-1], **bindings}
        scope.update(
            (t.name, Constant(numpy_helper.to_array(t), self.weights.tensor))
            for t in graph.initializer
        )
        self._scopes.append(scope)
        try:
            self._run(graph, scope)
            return [scope[info.name] for info in graph.output]
        finally:
            self._scopes.pop()

    def _run(self, graph, scope: dict[str, Any]) -> None:
        needed = {info.name for info in graph.output}
        live = []
        for proto in reversed(graph.node):
            if any(name in needed for name in proto.output):
                live.append((proto, [name if name in needed else "" for name in proto.output]))
                needed.update(_inputs(proto))
        for proto, outputs in reversed(live):
            while outputs and not outputs[-1]:
                outputs.pop()  # what nobody reads is not built
            node = Node(
                proto.op_type,
                proto.name or proto.op_type,
                {a.name: _attribute(a) for a in proto.attribute},
                outputs,
                self,
            )
            values = [scope[name] if name else None for name in proto.input]
            with tf.name_scope(_scope_name(node.name)):
                try:
                    results = self._build(node, values, proto.domain)
                except (UnsupportedOperator, ConversionError):
                    raise
                except Exception as error:
                    raise ConversionError(
                        node.op, node.name, f"{type(error).__name__}: {error}"
                    ) from error
            for name, value in zip(outputs, results, strict=False):
                if name:
                    scope[name] = self._settled(value)

    def _settled(self, value):
        """Sizes that are all known are a constant like any other."""
        if not isinstance(value, Sizes) or not all(is_known(e) for e in value.elements):
            return value
        array = np.array(value.elements, value.dtype.as_numpy_dtype)
        return Constant(array.reshape(()) if value.is_scalar else array, self.weights.tensor)

    def _build(self, node: Node, values: list, domain: str) -> tuple:
        if node.op == "Constant":
            return (Constant(_constant(node), self.weights.tensor),)
        build = OPERATORS.get(node.op) if domain in ("", "ai.onnx", DOMAIN) else None
        if build is None:
            raise UnsupportedOperator(node.op, node.name)
        values = _of_one_type(node, values)
        given = [v for v in values if v is not None]
        if (
            node.op in SIZE_RULES
            and isinstance(given[0], (Sizes, Constant))
            and any(isinstance(v, Sizes) for v in given)
        ):
            result = SIZE_RULES[node.op](node, *values)
            if result is not None:
                return (result,)
        if given and all(isinstance(v, Constant) for v in given) and node.op not in _NEVER_FOLDED:
            folded = self._fold(build, node, values)
            if folded is not None:
                return folded
        result = build(node, *values)
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)

    def _fold(self, build, node: Node, values: list) -> tuple | None:
        """Evaluates a node of constants, unless the result would bloat the model."""
        if node.op in ("Transpose", "Reshape", "Cast", "Identity"):
            result = values[0] if node.op == "Identity" else build(node, *values)
            if isinstance(result, Constant):
                return (result,)  # still known as the parameter that it is
        with tf.init_scope():
            result = build(node, *values)
            results = result if isinstance(result, (tuple, list)) else (result,)
            if any(r is None or isinstance(r, list) for r in results):
                return None
            constants = []
            for r in results:
                r = self._settled(r)
                if not isinstance(r, Constant):
                    r = Constant(r.tensor().numpy(), self.weights.tensor)
                constants.append(r)
        size_in = sum(v.array.nbytes for v in values if v is not None)
        if sum(c.array.nbytes for c in constants) > size_in + _FOLD_LIMIT:
            return None
        return tuple(constants)


def _of_one_type(node: Node, values: list) -> list:
    """The inputs of a node, with strings for those that stand for empty ones."""
    places = range(len(values))[_ALIKE.get(node.op, slice(0))]
    alike = [i for i in places if isinstance(values[i], Value)]
    if not any(values[i].dtype == tf.string for i in alike):
        return values
    return [as_strings(v) if i in alike else v for i, v in enumerate(values)]


def _inputs(node) -> set[str]:
    """The names a node reads, those of its bodies included."""
    names = set(node.input)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            for inner in attribute.g.node:
                names |= _inputs(inner)
            names.update(info.name for info in attribute.g.output)
    return names


def _attribute(attribute):
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, (list, tuple)) or type(value).__name__.startswith("Repeated"):
        return [v.decode() if isinstance(v, bytes) else v for v in value]
    return value


def _constant(node: Node) -> np.ndarray:
    for name, dtype in (
        ("value", None), ("value_float", np.float32), ("value_int", np.int64),
        ("value_floats", np.float32), ("value_ints", np.int64),
    ):  # fmt: skip
        value = node.get(name)
        if value is not None:
            return np.asarray(value, dtype)
    raise node.unsupported("no numeric value")


def _scope_name(name: str) -> str:
    """A name that TensorFlow takes for a scope."""
    cleaned = re.sub(r"[^A-Za-z0-9_.\\/>-]", "_", name).strip("/")
    return cleaned if re.match(r"[A-Za-z0-9.]", cleaned) else f"n{cleaned}"
