"""Objects that a checkpoint can hold: which they are, their children, and their values.

An object is trackable if it is
* a variable (it follows the owner protocol of `core.graph`),
* an object with `_serialize_to_tensors()` -> {name: tensor} and `_restore_from_tensors(dict)`, or
with
  `serialize()` and `deserialize(text)` (`tf.train.experimental.PythonState`),
* an object with `_trackable_children()` -> {name: object},
* an `AutoTrackable`, such as a `tf.Module`, or a part of Keras; its attributes are its children,
* a list, tuple or dict that holds trackable objects.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import numpy as np
import torch

from torchtf.core import graph
from torchtf.core.tensor import to_numpy
from torchtf.module import AutoTrackable

OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
VARIABLE_VALUE = "VARIABLE_VALUE"
PYTHON_STATE = "py_state"

# what nn.Module keeps beside the attributes that were set
_TORCH_PRIVATE = frozenset({"_modules", "_parameters", "_buffers"})


def is_variable(value) -> bool:
    return hasattr(type(value), "_trace_get")


def _is_python_state(value) -> bool:
    kind = type(value)
    return (
        hasattr(kind, "deserialize")
        and hasattr(kind, "serialize")
        and hasattr(kind, "_checkpoint_state")
    )


def has_attributes(value) -> bool:
    """Whether the attributes of an object are its children."""
    if isinstance(value, AutoTrackable):
        return True
    keras = sys.modules.get("keras.src.saving.keras_saveable")
    return keras is not None and isinstance(value, keras.KerasSaveable)


def _is_metric(value) -> bool:
    keras = sys.modules.get("keras.src.metrics.metric")
    return keras is not None and isinstance(value, keras.Metric)


def _is_container(value) -> bool:
    return isinstance(value, (list, tuple, dict)) and not isinstance(value, torch.Size)


def is_trackable(value) -> bool:
    """Whether a checkpoint can hold an object."""
    if value is None or isinstance(value, (str, bytes, int, float, bool, type)):
        return False
    if _is_container(value):
        items = value.values() if isinstance(value, dict) else value
        return any(is_trackable(v) for v in items)
    kind = type(value)
    return (
        is_variable(value)
        or hasattr(kind, "_serialize_to_tensors")
        or hasattr(kind, "_trackable_children")
        or _is_python_state(value)
        or has_attributes(value)
    )


def children(value) -> dict[str, object]:
    """The trackable children of an object by name, in the order they were set."""
    if is_variable(value):
        return {}
    if hasattr(type(value), "_trackable_children"):
        found = value._trackable_children()
    elif isinstance(value, dict):
        found = {str(k): v for k, v in value.items()}
    elif isinstance(value, (list, tuple)):
        found = {str(i): v for i, v in enumerate(value)}
    elif has_attributes(value):
        found = {k: v for k, v in vars(value).items() if k not in _TORCH_PRIVATE}
        modules = vars(value).get("_modules") or {}
        found |= {k: v for k, v in modules.items() if k not in _TORCH_PRIVATE}
        # Keras 3 saves no metrics with the model that holds them.
        found = {k: v for k, v in found.items() if not _is_metric(v)}
    else:
        found = {}
    return {k: v for k, v in found.items() if is_trackable(v)}


_NUMBERED = re.compile(r"(layer|layer_with_weights)-(\d+)")
_LISTS = frozenset({"variables", "trainable_variables", "non_trainable_variables", "weights"})


def alias(value, name: str):
    """The child of a Keras object that other files than ours call `name`, or None.

    Keras 2 numbers a model's layers and calls a kernel what is `_kernel` in Keras 3; exported
    models have lists of their variables.
    """
    if not has_attributes(value) or isinstance(value, AutoTrackable):
        return None
    if numbered := _NUMBERED.fullmatch(name):
        layers = getattr(value, "layers", ())
        if numbered[1] == "layer_with_weights":
            layers = [layer for layer in layers if layer.weights]
        return dict(enumerate(layers)).get(int(numbered[2]))
    found = getattr(value, name if name in _LISTS else f"_{name}", None)
    return found if is_trackable(found) else None


def values(value) -> dict[str, np.ndarray]:
    """What an object itself stores, as arrays by attribute name."""
    if is_variable(value):
        stored = getattr(value, "_checkpoint_value", value._trace_get)
        array = _array(stored())
        if _counts_steps(value) and array.dtype == np.int32:
            array = array.astype(np.int64)
        return {VARIABLE_VALUE: array}
    if hasattr(type(value), "_serialize_to_tensors"):
        return {k: _array(v) for k, v in value._serialize_to_tensors().items()}
    if _is_python_state(value):
        text = value.serialize()
        return {PYTHON_STATE: _array(text.encode() if isinstance(text, str) else text)}
    return {}


def _counts_steps(variable) -> bool:
    """Whether it is a Keras optimizer's counter: int32 on torch, int64 in TensorFlow's files."""
    return type(variable).__module__.startswith("keras.") and variable.name == "iteration"


def _array(value) -> np.ndarray:
    data = getattr(value, "_data", value)
    if isinstance(data, torch.Tensor):
        return to_numpy(data)
    if isinstance(data, (bytes, str)):
        out = np.empty((), dtype=object)
        out[()] = data.encode() if isinstance(data, str) else data
        return out
    return np.asarray(data)


def restore(value, found: dict[str, np.ndarray]) -> None:
    """Gives an object its stored values back.

    Raises:
        ValueError: if a variable has another shape.
    """
    if is_variable(value):
        _restore_variable(value, found[VARIABLE_VALUE])
    elif hasattr(type(value), "_restore_from_tensors"):
        from torchtf.core.host_op import from_numpy

        value._restore_from_tensors(
            {k: from_numpy(v if isinstance(v, bytes) else np.asarray(v)) for k, v in found.items()}
        )
    elif _is_python_state(value):
        value.deserialize(found[PYTHON_STATE])


def _restore_variable(variable, array) -> None:
    from torchtf.core.convert import to_torch

    array = _array(array) if isinstance(array, bytes) else np.asarray(array)
    shape = tuple(variable.shape)
    have = tuple(array.shape)
    if len(shape) != len(have) or any(s not in (None, h) for s, h in zip(shape, have, strict=True)):
        raise ValueError(
            f"Received incompatible tensor with shape {have} when attempting to restore variable "
            f"with shape {shape} and name {variable.name}."
        )
    if array.dtype == object:
        variable._trace_set(array)
        return
    stored = variable._trace_get()
    with _outside_traces():
        data = to_torch(array)
        if stored is None:  # a variable of Keras that gets its value after its shapes are known
            variable._initializer = lambda shape, dtype=None: data
            return
        variable._trace_set(data.to(device=stored.device, dtype=stored.dtype))


class _outside_traces:
    """A context in which tensors are real although a function is being traced."""

    def __enter__(self):
        self._modes = None
        if graph.state.trace is not None:
            from torch.utils._python_dispatch import _disable_current_modes

            self._modes = _disable_current_modes()
            self._modes.__enter__()

    def __exit__(self, *exc):
        if self._modes is not None:
            self._modes.__exit__(*exc)


class Node:
    """An object of the graph under a root: its place, children and path."""

    __slots__ = ("children", "number", "path", "value")

    def __init__(self, value, number, path):
        self.value, self.number, self.path = value, number, path
        self.children: list[tuple[str, int]] = []


def object_graph(root, root_children: dict[str, object]) -> list[Node]:
    """The objects that can be reached from a root, breadth first; each has its shortest path."""
    nodes = [Node(root, 0, ())]
    numbers = {id(root): 0}
    for node in nodes:
        below = root_children if node.number == 0 else children(node.value)
        for name, child in below.items():
            number = numbers.get(id(child))
            if number is None:
                number = numbers[id(child)] = len(nodes)
                nodes.append(Node(child, number, (*node.path, name)))
            node.children.append((name, number))
    return nodes


def _escaped(name: str) -> str:
    return name.replace(".", "..").replace("/", ".S")


def checkpoint_key(path: tuple[str, ...], attribute: str) -> str:
    """The name of a value in a checkpoint."""
    return "/".join([*map(_escaped, path), ".ATTRIBUTES", _escaped(attribute)])


def full_name(value) -> str:
    name = getattr(value, "_shared_name", None) or getattr(value, "path", None)
    return name if isinstance(name, str) else ""


def pretty_path(path: tuple[str, ...]) -> str:
    """A path as messages show it."""
    return "".join(f"[{p}]" if p.isdigit() else f".{p}" for p in path) or "root"


def proto_paths(proto) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The nodes of a stored object graph, breadth first, with their paths."""
    seen, queue = {0}, [(0, ())]
    for number, path in queue:
        yield number, path
        for child in proto.nodes[number].children:
            if child.node_id not in seen:
                seen.add(child.node_id)
                queue.append((child.node_id, (*path, child.local_name)))
