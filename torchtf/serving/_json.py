"""Tensors as JSON, as TensorFlow Serving's REST interface has them.

* A request has its tensors by row (`instances`: a list with a value, or an object of values, for
  each) or by column (`inputs`: a value, or an object of values).
* Binary values are objects ``{"b64": text}``; outputs of strings whose name ends in ``_bytes`` are
  written so. NaN and infinities are written ``NaN``, ``Infinity`` and ``-Infinity``.
* Strings that are not UTF-8 pass unchanged, which Python's "surrogateescape" is for.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from torchtf.core import dtypes, errors
from torchtf.serving._config import invalid

_LONGEST_SHOWN = 256
_decoder = json.JSONDecoder()
_TYPE_NAMES = {type(None): "Null", dict: "Object", list: "Array", str: "String"}


def parse(body: bytes) -> dict:
    """The object that a request holds; what follows it is ignored.

    Raises:
        tf.errors.InvalidArgumentError: if it is no JSON, or no object.
    """
    text = body.decode("utf-8", "surrogateescape").lstrip(" \t\r\n\ufeff")
    if not text:
        raise invalid("JSON Parse error: The document is empty")
    try:
        value, _ = _decoder.raw_decode(text)
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from None
    except RecursionError:
        raise invalid("JSON Parse error: The document is nested too deeply") from None
    if not isinstance(value, dict):
        raise invalid(f"JSON Value: {_shown(value)} Is not object")
    return value


def signature_name(request: dict) -> str:
    """The signature that a request names; "" if it names none."""
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_shown(request)} not formatted correctly. 'signature_name' key must be "
            "a string value."
        )
    return name


def _shown(value) -> str:
    return json.dumps(value, ensure_ascii=False)[:_LONGEST_SHOWN]


def _type_name(value) -> str:
    if isinstance(value, bool):
        return str(value)
    return _TYPE_NAMES.get(type(value), "Number")


# --- reading ---------------------------------------------------------------
Kinds = Mapping[str, tuple[dtypes.DType, object]]


def read_inputs(request: dict, kinds: Kinds) -> tuple[dict[str, np.ndarray], bool]:
    """The tensors of a Predict request, and whether they come by row.

    Args:
        request: what `parse` gave.
        kinds: the dtype (and shape, which is not looked at) of each input.

    Raises:
        tf.errors.InvalidArgumentError: for what does not follow the format, or the dtypes.
    """
    if "instances" in request and "inputs" in request:
        raise invalid(
            f"JSON Value: {_shown(request)} Not formatted correctly expecting only one of 'inputs' "
            "or 'instances' keys to exist "
        )
    if "instances" in request:
        return _read_rows(request["instances"], request, kinds), True
    if "inputs" in request:
        return _read_columns(request["inputs"], kinds), False
    raise invalid("Missing 'inputs' or 'instances' key")


def _read_rows(rows, request: dict, kinds: Kinds) -> dict[str, np.ndarray]:
    if not isinstance(rows, list):
        raise invalid(f"JSON Value: {_shown(request)} Expecting 'instances' to be an list/array")
    if not rows:
        raise invalid(f"JSON Value: {_shown(request)} No values in 'instances' array")
    named = _is_object(rows[0])
    if not named and len(kinds) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    for i, row in enumerate(rows):
        if _is_object(row) != named:
            raise invalid(
                f"Expecting object but got list at item {i} of input list"
                if named
                else f"Expecting value/list but got object at item {i} of input list"
            )
    if not named:
        (name,) = kinds
        return {name: _read_column(rows, name, kinds, "")}
    for i, row in enumerate(rows):
        unknown = next((key for key in row if key not in kinds), None)
        if unknown is not None:
            raise invalid(
                f"Failed to process element: {i} key: {unknown} of 'instances' list. Error: "
                f"INVALID_ARGUMENT: JSON object: does not have named input: {unknown}"
            )
        if row.keys() != kinds.keys():
            raise invalid(
                f"Failed to process element: {i} of 'instances' list. JSON object: {_shown(row)} "
                f"keys must be equal to: {','.join(sorted(kinds))}"
            )
    return {
        name: _read_column([row[name] for row in rows], name, kinds, f" key: {name}")
        for name in kinds
    }


def _read_column(values: list, name: str, kinds: Kinds, key: str) -> np.ndarray:
    """The tensor whose rows are `values`; an error tells the first row that is wrong."""
    dtype = kinds[name][0]
    try:
        return read_tensor(values, dtype)
    except errors.InvalidArgumentError:
        shape = None
        for i, value in enumerate(values):
            try:
                found = read_tensor(value, dtype).shape
                if shape is not None and found != shape:
                    raise invalid(f"Expecting shape {_sizes(shape)} but got: {_sizes(found)}")
            except errors.InvalidArgumentError as error:
                raise invalid(
                    f"Failed to process element: {i}{key} of 'instances' list. Error: "
                    f"INVALID_ARGUMENT: {error.message}"
                ) from None
            shape = found
        raise


def _sizes(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _read_columns(value, kinds: Kinds) -> dict[str, np.ndarray]:
    if not _is_object(value):
        if len(kinds) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        ((name, (dtype, _)),) = kinds.items()
        return {name: read_tensor(value, dtype)}
    found = {}
    for name, (dtype, _) in kinds.items():
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        found[name] = read_tensor(value[name], dtype)
    return found


def _is_base64(value) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_object(value) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def read_tensor(value, dtype: dtypes.DType) -> np.ndarray:
    """The array of a JSON value: nested lists of numbers, booleans or strings.

    Raises:
        tf.errors.InvalidArgumentError: if lists have different lengths, or an element is not of
            the type.
        tf.errors.UnimplementedError: for a type that JSON has no values of.
    """
    shape: list[int] = []
    probe = value
    while isinstance(probe, list):
        shape.append(len(probe))
        probe = probe[0] if probe else None
    level = [value]
    for depth, size in enumerate(shape):
        for item in level if set(map(type, level)) != {list} else ():
            if not isinstance(item, list):
                raise invalid(
                    f"JSON Value: {_shown(item)} found at incorrect level: {depth + 1} in the JSON "
                    f"DOM. Expected at level: {len(shape)}"
                )
        for length in set(map(len, level)) - {size}:
            raise invalid(
                f"Encountered list at unexpected size: {length} at level: {depth} expected size: "
                f"{size}"
            )
        level = list(chain.from_iterable(level))
    if list in set(map(type, level)):
        raise invalid(f"Encountered list at unexpected level: {len(shape)} expected < {len(shape)}")
    return _elements(level, dtype).reshape(shape)


def _elements(flat: list, dtype: dtypes.DType) -> np.ndarray:
    """The array of values of one type."""
    types = set(map(type, flat))
    if dtype is dtypes.string:
        if types - {str, dict}:
            raise _wrong_type(flat, dtype, (str, dict))
        array = np.empty(len(flat), object)
        array[:] = [_text(v) for v in flat]
        return array
    if dtype is dtypes.bool_:
        allowed: tuple[type, ...] = (bool,)
    elif dtype.is_integer and not dtype.is_quantized:
        allowed = (int,)
    elif dtype.is_floating:
        allowed = (float, int)
    else:
        raise errors.UnimplementedError(
            None, None,
            f"Conversion of JSON Value: {_shown(flat[0] if flat else [])} to type: {dtype.name}",
        )  # fmt: skip
    if types - set(allowed):
        raise _wrong_type(flat, dtype, allowed)
    try:
        if dtype.is_floating:
            with np.errstate(over="ignore"):
                return np.array(flat, np.float64).astype(dtype.as_numpy_dtype)
        return np.array(flat, dtype.as_numpy_dtype)
    except OverflowError:
        low, high = (dtype.min, dtype.max) if dtype.is_integer else (-np.inf, np.inf)
        bad = next((v for v in flat if not low <= v <= high), flat[0])
        raise invalid(_type_message(bad, dtype)) from None


def _wrong_type(flat: list, dtype: dtypes.DType, allowed: tuple[type, ...]) -> errors.OpError:
    bad = next(v for v in flat if type(v) not in allowed)
    return invalid(_type_message(bad, dtype))


def _type_message(value, dtype: dtypes.DType) -> str:
    return (
        f"JSON Value: {_shown(value)} Type: {_type_name(value)} is not of expected type: "
        f"{'float' if dtype is dtypes.float32 else dtype.name}"
    )


def _text(value) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if not _is_base64(value):
        raise invalid(f"JSON Value: {_shown(value)} not formatted correctly for base64 data")
    return unpack(value)


def unpack(value: dict) -> bytes:
    """The bytes of a ``{"b64": text}`` object."""
    text = value["b64"]
    try:
        # padding may be left out
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


# --- examples --------------------------------------------------------------
def read_examples(request: dict, method: str, target) -> None:
    """Fills an `Input` message from a Classify or Regress request.

    Raises:
        tf.errors.InvalidArgumentError: for what does not follow the format.
    """
    examples = target.example_list.examples
    if "context" in request:
        _read_example(request["context"], target.example_list_with_context.context)
        examples = target.example_list_with_context.examples
    rows = request.get("examples")
    if "examples" not in request:
        reason = f"When method is {method}, key 'examples' is expected and was not found"
        raise invalid(f"JSON Value: {_shown(request)} {reason}")
    if not isinstance(rows, list):
        raise invalid(
            f"JSON Value: {_shown(request)} Expecting 'examples' value to be an list/array"
        )
    if not rows:
        raise invalid(f"JSON Value: {_shown(request)} 'examples' value is an empty array")
    for row in rows:
        _read_example(row, examples.add())


def _read_example(value, example) -> None:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {_type_name(value)}")
    for name, content in value.items():
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add_to_feature(name, item, feature)


def _add_to_feature(name: str, value, feature) -> None:
    if isinstance(value, str) or _is_base64(value):
        kind, item = "bytes_list", _text(value)
    elif isinstance(value, int):
        kind, item = "int64_list", int(value)
    elif isinstance(value, float):
        kind, item = "float_list", value
    else:
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {_type_name(value)}")
    have = feature.WhichOneof("kind")
    if have not in (None, kind):
        raise invalid(
            f"Unexpected element type in feature: {name} expecting type: "
            f"{have.removesuffix('_list')}"
        )
    try:
        getattr(feature, kind).value.append(item)
    except ValueError:
        raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.") from None


# --- writing ---------------------------------------------------------------
def write_outputs(outputs: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """The reply to a Predict request.

    Raises:
        tf.errors.InvalidArgumentError: by row, for outputs that have no common first size; for
            types that JSON has no values of.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    names = sorted(outputs)
    if not by_row:
        columns = {n: _nested(_scalars(n, outputs[n]), outputs[n].shape) for n in names}
        return _reply("outputs", columns[names[0]] if len(names) == 1 else _object(columns))
    size = None
    for name in names:
        array = outputs[name]
        if not array.ndim:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if size not in (None, len(array)):
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {size}"
            )
        size = len(array)
    rows = {n: _rows(_scalars(n, outputs[n]), outputs[n].shape) for n in names}
    if len(names) == 1:
        lines = rows[names[0]]
    else:
        lines = [
            _object(dict(zip(names, line, strict=True)))
            for line in zip(*rows.values(), strict=True)
        ]
    return _reply("predictions", f"[{', '.join(lines)}]")


def write_results(results: Sequence) -> bytes:
    """The reply to a Classify (lists of label and score) or Regress (numbers) request."""
    return _reply("results", _number_text(results))


def _number_text(value) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_number_text, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return _floats(np.asarray(value, np.float32).reshape(1))[0]


def _reply(key: str, text: str) -> bytes:
    return f'{{\n    "{key}": {text}\n}}\n'.encode("utf-8", "surrogateescape")


def _object(members: Mapping[str, str]) -> str:
    return "{%s}" % ", ".join(  # noqa: UP031  braces
        f"{json.dumps(name, ensure_ascii=False)}: {text}" for name, text in members.items()
    )


def _nested(scalars: list[str], shape: Sequence[int]) -> str:
    """The text of an array, of those of its elements."""
    for axis in reversed(range(len(shape))):
        count, size = math.prod(shape[:axis]), shape[axis]
        scalars = [f"[{', '.join(scalars[i * size : (i + 1) * size])}]" for i in range(count)]
    return scalars[0]


def _rows(scalars: list[str], shape: Sequence[int]) -> list[str]:
    size = math.prod(shape[1:])
    return [_nested(scalars[i * size : (i + 1) * size], shape[1:]) for i in range(shape[0])]


def _scalars(name: str, array: np.ndarray) -> list[str]:
    """The texts of the elements of an output."""
    flat = array.reshape(-1)
    if array.dtype == object:
        if name.endswith("_bytes"):
            return [f'{{"b64": "{base64.b64encode(v).decode()}"}}' for v in flat.tolist()]
        texts = (v.decode("utf-8", "surrogateescape") for v in flat.tolist())
        return [json.dumps(t, ensure_ascii=False) for t in texts]
    if array.dtype == bool:
        return ["true" if v else "false" for v in flat.tolist()]
    if array.dtype.kind in "iu":
        return list(map(str, flat.tolist()))
    dtype = dtypes.as_dtype(array.dtype)
    if not dtype.is_floating:
        raise invalid(f"Failed to write JSON value for tensor type: {dtype.name}")
    if flat.dtype.itemsize < 4:
        flat = flat.astype(np.float32)
    return _floats(flat)


_SPECIAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _floats(flat: np.ndarray) -> list[str]:
    """The shortest texts that read as the same floats."""
    texts = flat.astype("U").tolist()
    if not np.isfinite(flat).all():
        texts = [_SPECIAL.get(t, t) for t in texts]
    return texts
