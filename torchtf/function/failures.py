"""Errors of a running graph in TensorFlow's form: which operation failed, and where it was written.

* While tracing, `user_frames` keeps the user's lines with each operation, unformatted.
* When a run fails, the traceback passes through the generated function of the graph; its line tells
  the node (`runner.compile_graph` keeps the table), its locals the values that the node got.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import re
import sys
import threading
from types import FrameType

import numpy as np
import torch

from torchtf.core import errors
from torchtf.core.shape import brackets

# the file name of the code that the runner generates
GENERATED = "<torchtf graph>"
_HEAD = "Graph execution error:"
# generated file -> malt's source map, for the functions that AutoGraph converted
source_maps: dict[str, dict] = {}
_numbers = itertools.count(1)


@functools.cache
def _machinery() -> tuple[str, ...]:
    import malt

    return tuple(
        inspect.getsourcefile(m).rpartition("/")[0] + "/"
        for m in (sys.modules["torchtf"], malt, torch)
    )


@functools.cache
def _is_users(filename: str) -> bool:
    return not filename.startswith((*_machinery(), "<"))


def user_frames() -> list[tuple[str, int, str]]:
    """File, line and function of the user's calls on the stack, the innermost first."""
    found = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if _is_users(code.co_filename):
            found.append((code.co_filename, frame.f_lineno, code.co_name))
        frame = frame.f_back
    return found


def _original(filename: str, line: int, function: str) -> tuple[str, int, str]:
    """The place in the user's file of a line that AutoGraph generated."""
    for location, origin in source_maps.get(filename, {}).items():
        if location.lineno == line:
            return origin.loc.filename, origin.loc.lineno, origin.function_name or function
    return filename, line, function


def unique_function_name(name: str) -> str:
    """The name that TensorFlow's messages give the graph of a function."""
    return f"__inference_{name}_{next(_numbers)}"


def translated(error: Exception, function_name: str) -> Exception | None:
    """The error of a run as TensorFlow's; None if it is none of an operation."""
    kind = kind_of(error)
    if kind is None:
        return None
    if isinstance(error, errors.OpError) and error.message.startswith(_HEAD):
        return None  # of a function that this one called
    found = operation_and_message(error)
    if found is None:
        return None
    node, name, message = found
    place = f"\t [[{{{{node {name}}}}}]] [Op:{function_name}]"
    if "<" in function_name:  # of a lambda: TensorFlow's pattern for names of functions misses it
        lines = [f"{{{{function_node {function_name}}}}} {message}", place]
        return kind(None, None, "\n".join(lines))
    lines = [_HEAD, "", f"Detected at node {name} defined at (most recent call last):"]
    for frame in reversed(node.meta.get("tf_frames", ())):
        filename, line, function = _original(*frame)
        lines += [f'  File "{filename}", line {line}, in {function}', ""]
    lines += [message, place]
    return kind(getattr(error, "node_def", None), getattr(error, "op", None), "\n".join(lines))


def operation_and_message(error: Exception) -> tuple[torch.fx.Node, str, str] | None:
    """The node of the operation that failed in a run, its name, and what its kernel says.

    None if the error does not come from a graph.
    """
    node, values = _failed(error)
    if node is None:
        return None
    owner = node
    while "tf_name" not in owner.meta and "tf_owner" in owner.meta:
        owner = owner.meta["tf_owner"]
    message = _message(error, node, values, str(owner.meta.get("tf_op")))
    return owner, owner.meta.get("tf_name") or owner.name, message


@contextlib.contextmanager
def at_run_time():
    """Traces that begin inside are made while their function runs, and so are their errors."""
    before = _state.at_run_time
    _state.at_run_time = True
    try:
        yield
    except errors.OpError as e:
        raise type(e)(e.node_def, e.op, f"{_HEAD}\n\n{e.message}") from None
    finally:
        _state.at_run_time = before


def is_run_time() -> bool:
    """Whether `at_run_time` is in force in this thread."""
    return _state.at_run_time


class _State(threading.local):
    at_run_time = False


_state = _State()


def kind_of(error: Exception) -> type[errors.OpError] | None:
    """The class of TensorFlow's error for what a kernel raised; None if it was no kernel."""
    if isinstance(error, errors.OpError):
        return type(error)
    if isinstance(error, torch.OutOfMemoryError):
        return errors.ResourceExhaustedError
    plain = (RuntimeError, IndexError, torch.linalg.LinAlgError)
    return errors.InvalidArgumentError if type(error) in plain else None


def _failed(error: Exception):
    """The node that failed and the locals of the generated function then."""
    found = None, {}
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == GENERATED:
            node = step.tb_frame.f_globals["_nodes"].get(step.tb_lineno)
            if node is not None:
                values, known = step.tb_frame.f_locals, step.tb_frame.f_globals["_known"]
                shown = {a: values.get(b) if type(b) is str else b for a, b in known.items()}
                found = node, {**values, **shown}
        step = step.tb_next
    return found


def _message(error: Exception, node: torch.fx.Node, values: dict, op: str) -> str:
    """What TensorFlow's kernel says of the failure of a node, which is one of those of `op`."""
    if isinstance(error, errors.OpError):
        return kernel_text(error.message)
    text = str(error)
    given = [values.get(a.name) for a in node.all_input_nodes]
    tensors = [t for t in given if isinstance(t, torch.Tensor)]
    if isinstance(error, torch.linalg.LinAlgError) and "singular" in text:
        return "Input is not invertible."
    if _takes_coordinates(op) and re.search(r"index.* out of (range|bounds)", text):
        return "indices has coordinates that do not index into the shape"
    if "index out of range" in text and len(tensors) == 2:
        dim = node.args[1] if isinstance(node.args[1], int) else 0
        first = node.args[0] is node.all_input_nodes[0]
        table, index = tensors if first else tensors[::-1]
        given = node.all_input_nodes[1 if first else 0]
        if given.target is torch.ops.aten.view.default and given.args[0].meta["val"].dim() == 0:
            index = index.reshape(())  # the index of `tf.gather(x, 5)`
        return _bad_index(index, table.shape[dim])
    if re.match(r"Target -?\d+ is out of bounds", text) and len(tensors) >= 2:
        labels = " ".join(str(v) for v in tensors[1].reshape(-1)[:10].tolist())
        return (
            f"Received a label value of {text.split()[1]} which is outside the valid range of "
            f"[0, {tensors[0].shape[1]}).  Label values: {labels}"
        )
    if "size of tensor" in text and len(tensors) == 2:
        return "Incompatible shapes: {} vs. {}".format(*[brackets(t.shape) for t in tensors])
    beyond = re.match(r"select\(\): index (-?\d+) out of range .*\[(.*)\] at dimension (\d+)", text)
    if beyond:
        index, sizes, axis = int(beyond[1]), beyond[2].split(", "), int(beyond[3])
        index += int(sizes[axis]) if index < 0 else 0
        return f"slice index {index} of dimension {axis} out of bounds."
    if text == "ZeroDivisionError":
        return "Integer division by zero"
    return text


def _takes_coordinates(op: str) -> bool:
    """Whether an operation's indices are coordinates, which its nodes have as flat indices."""
    return op in ("GatherNd", "ScatterNd") or op.startswith("TensorScatter")


def kernel_text(message: str) -> str:
    """What a kernel says, without the op that TensorFlow's message of an eager call names."""
    text = re.sub(r"^\{\{function_node [^}]*\}\} ", "", message)
    return re.sub(r" \[Op:\w+\]( name: \S*)?$", "", text)


def _bad_index(index: torch.Tensor, size: int) -> str:
    array = index.cpu().numpy()
    place = tuple(np.argwhere((array < 0) | (array >= size))[0])
    where = brackets(place) if place else ""
    return f"indices{where} = {array[place]} is not in [0, {size})"
