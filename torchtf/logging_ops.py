"""`tf.print` and `tf.Assert`: ops with effects, in graphs, too."""

from __future__ import annotations

import logging
import sys

import numpy as np
import torch

from torchtf.core import arena, dtypes, errors, graph, nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.log import get_logger
from torchtf.core.name_scope import name_scope
from torchtf.core.tensor import is_tensor_type, to_numpy
from torchtf.function import staged

_LEVELS = {
    "log(info)": logging.INFO,
    "log(warning)": logging.WARNING,
    "log(error)": logging.ERROR,
}


def print(
    *inputs, output_stream=None, summarize: int = 3, sep: str = " ", end: str | None = "\n",
    name=None, **unknown,
):  # fmt: skip
    """Prints values, in a graph each time it runs (source: `tf.print`).

    Args:
        *inputs: tensors, variables, Python values and structures of them.
        output_stream: `sys.stderr` (the default), `sys.stdout`, a `tf.compat.v1.logging` level
            or "file://path" to append to.
        summarize: how many elements of each end of an axis to show; -1 for all.
        sep: what separates the inputs.
        end: what follows the last.
        name: a name for the op.

    Raises:
        ValueError: if `output_stream` is none of these, or for another keyword.
    """
    if unknown:
        raise ValueError(f"Unrecognized keyword arguments for tf.print: {unknown}")
    write = _writer(output_stream)
    parts: list = []
    tensors: list = []
    for item in inputs:
        structure = (
            nest.map_structure(lambda x: _piece(x, tensors), item)
            if nest.is_nested(item)
            else _piece(item, tensors)
        )
        parts.append(structure)
    effect = _Print(parts, write, summarize, sep, "" if end is None else end)
    _emit(effect, tensors)


class _Hole:
    """The place of a tensor among the things to print."""

    def __init__(self, index: int):
        self.index = index
        self.text = ""

    def __repr__(self):
        return self.text


class _RaggedHole:
    """The place of a ragged tensor: of its flat values and its row splits, the outermost first."""

    def __init__(self, values: _Hole, splits: list[_Hole]):
        self.values = values
        self.splits = splits

    def text(self, arrays, summarize: int) -> str:
        values, splits = arrays[self.values.index], [arrays[s.index] for s in self.splits]
        return _rows(values, splits, 0, len(splits[0]) - 1, summarize)


class _SparseHole:
    """The place of a sparse tensor: of its indices, its values and its shape."""

    def __init__(self, *parts: _Hole):
        self.parts = parts

    def text(self, arrays, summarize: int) -> str:
        shown = [format_array(arrays[p.index], summarize, True) for p in self.parts]
        return "'SparseTensor(indices={}, values={}, shape={})'".format(*shown)


def _rows(values, splits, first, end, summarize) -> str:
    """The rows of a ragged tensor from one to another, as nested lists."""

    def one(i):
        if splits:
            return _rows(values, splits[1:], splits[0][i], splits[0][i + 1], summarize)
        if getattr(values[i], "ndim", 0):
            return _rows(values[i], (), 0, len(values[i]), summarize)
        return repr(values[i].decode()) if isinstance(values[i], bytes) else _as_string(values[i])

    n = end - first
    if summarize < 0 or n <= 2 * summarize:
        parts = [one(i) for i in range(first, end)]
    else:
        shown = range(first, first + summarize), range(end - summarize, end)
        parts = [*map(one, shown[0]), "...", *map(one, shown[1])]
    return f"[{', '.join(parts)}]"


def _as_string(value) -> str:
    """A number as `tf.strings.as_string` writes it."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    return f"{float(value):f}" if isinstance(value, np.floating) else str(value)


class _Text:
    """A Python value as it prints."""

    def __init__(self, text: str):
        self.text = text

    def __repr__(self):
        return self.text


def _piece(value, tensors):
    if (
        hasattr(type(value), "_type_spec")
        or is_tensor_type(value)
        or hasattr(type(value), "_tape_read")
    ):
        if hasattr(type(value), "nested_row_splits"):
            splits = [_piece(s, tensors) for s in value.nested_row_splits]
            return _RaggedHole(_piece(value.flat_values, tensors), splits)
        if hasattr(type(value), "with_values"):
            return _SparseHole(
                *[_piece(x, tensors) for x in (value.indices, value.values, value.dense_shape)]
            )
        if hasattr(value, "_type_spec") and not is_tensor_type(value):
            return _Text(str(value))
        tensors.append(convert_to_tensor(value))
        return _Hole(len(tensors) - 1)
    if isinstance(value, (torch.Tensor, np.ndarray)):
        tensors.append(convert_to_tensor(value))
        return _Hole(len(tensors) - 1)
    return value


class _Effect(staged.Call):
    """A call without results that stays in the graph."""

    stateful = True

    def outputs(self, under_way, inputs):
        return []


class _Print(_Effect):
    op = "PrintV2"

    def __init__(self, parts, write, summarize, sep, end):
        self._parts = parts
        self._write = write
        self._summarize = summarize
        self._sep = sep
        self._end = end
        self.strings: list[bool] = []

    def run(self, *values):
        arrays = _decoded(values, self.strings)

        several = len(self._parts) > 1  # then strings of tensors are in quotes

        def text(x, nested):
            if isinstance(x, (_RaggedHole, _SparseHole)):
                return _Text(x.text(arrays, self._summarize))
            if isinstance(x, _Hole):
                quoted = nested or several
                return _Text(format_array(arrays[x.index], self._summarize, quoted))
            return x if nested or isinstance(x, str) else repr(x)

        pieces = []
        for part in self._parts:
            if nest.is_nested(part):
                pieces.append(str(nest.map_structure(lambda x: text(x, True), _in_order(part))))
            else:
                pieces.append(str(text(part, False)))
        self._write(self._sep.join(pieces), self._end)
        return []


def _in_order(part):
    """A structure with the keys of its dicts in order."""
    if type(part) is dict:
        return {k: _in_order(part[k]) for k in sorted(part)}
    if type(part) in (list, tuple):
        return type(part)(map(_in_order, part))
    return part


def _decoded(values, strings) -> list[np.ndarray]:
    return [
        arena.decode(v) if s and isinstance(v, torch.Tensor) else to_numpy(v)
        for v, s in zip(values, strings, strict=True)
    ]


def _emit(effect, tensors):
    """Runs an effect now, or when the graph does."""
    effect.strings = [t.dtype is dtypes.string for t in tensors]
    if graph.state.trace is None:
        effect.run(*[t._data for t in tensors])
    else:
        from torchtf.control_flow import raw

        effect.emit(graph.state.trace, [raw(t) for t in tensors])


def format_array(array: np.ndarray, summarize: int, quoted: bool = False) -> str:
    """The elements as `tf.print` shows them; `quoted`: also a single string."""
    if array.ndim == 0:
        return _element(array[()], quoted)
    return _format(array, summarize, 0)


def _element(value, quoted: bool) -> str:
    if isinstance(value, bytes):
        text = value.decode("utf-8", "backslashreplace")
        return f'"{text}"' if quoted else text
    if isinstance(value, (bool, np.bool_)):
        return "1" if value else "0"
    if isinstance(value, (complex, np.complexfloating)):
        return "?"  # as TensorFlow
    if isinstance(value, (float, np.floating)) or value.dtype.kind not in "iu":
        return _number(value)
    return str(int(value))


def _number(value) -> str:
    """A float with as many digits as TensorFlow prints: few if they tell it, else all."""
    kind = np.float64 if type(value) in (float, np.float64) else np.float32
    few, all_digits = (15, 17) if kind is np.float64 else (6, 9)
    value = float(value)
    if np.isnan(value):
        return "-nan" if np.signbit(value) else "nan"
    if np.isinf(value):
        return "inf" if value > 0 else "-inf"
    text = f"{value:.{few}g}"
    return text if kind(float(text)) == kind(value) else f"{value:.{all_digits}g}"


def _format(array, summarize, depth) -> str:
    n = len(array)
    show_all = summarize < 0 or n <= 2 * summarize
    rows = range(n) if show_all else [*range(summarize), None, *range(n - summarize, n)]
    if array.ndim == 1:
        items = ["..." if i is None else _element(array[i], True) for i in rows]
        return "[" + " ".join(items) + "]"
    indent = " " * (depth + 1)
    items = ["..." if i is None else _format(array[i], summarize, depth + 1) for i in rows]
    return "[" + ("\n" * (array.ndim - 1) + indent).join(items) + "]"


def _writer(stream):
    """A function (text, end) that writes to an output stream."""
    if stream is None or stream is sys.stderr or stream == "stderr":
        return lambda text, end: _flush(sys.stderr, text + end)
    if stream is sys.stdout or stream == "stdout":
        return lambda text, end: _flush(sys.stdout, text + end)
    if isinstance(stream, str) and stream.startswith("file://"):
        path = stream.removeprefix("file://")

        def append(text, end):
            with open(path, "a", encoding="utf-8") as file:
                file.write(text + end)

        return append
    level = _LEVELS.get(stream) if isinstance(stream, str) else getattr(stream, "_level", None)
    if level is not None:
        logger = get_logger()
        return lambda text, end: logger.log(level, text)
    raise ValueError(
        f"Unsupported output stream, logging level, or file.{stream}. Supported streams are "
        "sys.stdout, sys.stderr, tf.logging.info, tf.logging.warning, tf.logging.error. File needs "
        "to be in the form of 'file://<filepath>'."
    )


def _flush(stream, text):
    stream.write(text)
    stream.flush()


def Assert(condition, data, summarize: int | None = None, name=None):
    """Raises if a condition does not hold, in a graph when it runs (source: `tf.Assert`).

    Args:
        condition: a boolean scalar.
        data: a list of tensors to show.
        summarize: how many elements of each to show, 3 by default; -1 for all.
        name: a name for the op.

    Raises:
        InvalidArgumentError: if the condition is false.
    """
    shown = 3 if summarize is None else summarize
    if graph.state.trace is None:
        if not condition:
            text = "\n".join(_summary(convert_to_tensor(d)._numpy(), shown) for d in data)
            raise errors.InvalidArgumentError(
                None, None,
                f"Expected '{condition}' to be true. Summarized data: {text}",
            )  # fmt: skip
        return
    if isinstance(condition, (bool, np.bool_)) and condition:
        return
    tensors = [convert_to_tensor(d) for d in data]
    # TensorFlow guards an assertion that shows what may lie on another device
    guarded = any(t.dtype not in (dtypes.string, dtypes.int32) for t in tensors)
    with name_scope(f"{name or 'Assert'}{'/AssertGuard' if guarded else ''}"):
        _emit(_Assert(shown), [convert_to_tensor(condition), *tensors])


def _summary(array, count) -> str:
    flat = array.reshape(-1)
    texts = [str(x) for x in (flat if count < 0 else flat[:count])]
    return ", ".join(texts) + (", ..." if 0 <= count < flat.size else "")


class _Assert(_Effect):
    op = "Assert"

    def __init__(self, summarize: int):
        self._summarize = summarize
        self.strings: list[bool] = []

    def run(self, condition, *values):
        if not bool(condition):
            arrays = _decoded(values, self.strings[1:])
            text = " ".join(f"[{_brief(a, self._summarize)}]" for a in arrays)
            raise errors.InvalidArgumentError(None, None, f"assertion failed: {text}")
        return []


# characters that C writes with a backslash
_ESCAPES = str.maketrans({c: f"\\{s}" for c, s in zip("\n\r\t\"'\\", "nrt\"'\\", strict=True)})


def _brief(array, count) -> str:
    """The first elements of an array, nested as it is."""
    flat = [
        _element(x, False).translate(_ESCAPES) if isinstance(x, bytes) else _element(x, False)
        for x in array.reshape(-1)
    ]
    shown = flat if count < 0 else flat[:count]
    return " ".join(shown) + ("..." if len(shown) < len(flat) else "")
