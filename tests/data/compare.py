"""Runs one pipeline on TensorFlow and on torchtf and compares everything a program can see of it.

A pipeline is a function of the `tf` module that gives a dataset. Compared are the element spec, the
cardinality, the elements in their order, and an error: its class, its text, and how many elements
come before it.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np


def modules():
    import tensorflow as tf

    import torchtf

    return tf, torchtf


@dataclasses.dataclass
class Outcome:
    """What a program sees of a pipeline."""

    spec: str | None = None
    cardinality: int | None = None
    elements: list = dataclasses.field(default_factory=list)
    errors: list[tuple[str, str]] = dataclasses.field(default_factory=list)


def observe(make, tf, limit: int = 200, errors: int = 3) -> Outcome:
    """Builds and runs a pipeline; after an error it goes on, as an iterator does."""
    seen = Outcome()
    try:
        dataset = make(tf)
        if not isinstance(dataset, tf.data.Dataset):
            seen.elements.append(plain(dataset))
            return seen
        seen.spec = spec_text(dataset.element_spec)
        seen.cardinality = int(dataset.cardinality())
        iterator = iter(dataset)
    except Exception as e:
        seen.errors.append(describe(e))
        return seen
    while len(seen.elements) < limit and len(seen.errors) < errors:
        try:
            seen.elements.append(plain(next(iterator)))
        except StopIteration:
            break
        except Exception as e:
            seen.errors.append((*describe(e), len(seen.elements)))
    return seen


def spec_text(spec) -> str:
    return repr(spec).replace("tf.", "")


def plain(x) -> Any:
    """A value as plain Python data that shows its dtype and shape."""
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return {k: plain(v) for k, v in x._asdict().items()}
    if isinstance(x, (tuple, list)):
        return tuple(plain(v) for v in x)
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if x is None:
        return None
    kind = type(x).__name__
    if kind == "RaggedTensor":
        return "ragged", x.to_list(), x.dtype.name, [plain(s) for s in x.nested_row_splits]
    if kind == "SparseTensor":
        return "sparse", plain(x.indices), plain(x.values), plain(x.dense_shape)
    if hasattr(x, "has_value"):
        return "optional", plain(x.get_value()) if bool(x.has_value()) else None
    if hasattr(x, "element_spec"):
        return "dataset", spec_text(x.element_spec), [plain(e) for e in x]
    array = np.asarray(x.numpy() if hasattr(x, "numpy") else x)
    if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        rounded = np.round(array.astype(np.float64), 5).tolist()
        return array.dtype.name, array.shape, rounded
    return str(array.dtype), array.shape, array.tolist()


_FUNCTION = re.compile(r"Error in user-defined function passed to .*?Iterator::[\w:\[\]]*: ")
_UNLIKE = re.compile(r"Shapes are: \[tensor\]: (\[.*?\]), \[batch\]: (\[.*?\])")
_PLACE = re.compile(
    r"\{\{function_node [^}]*\}\} ?|\s*\[Op:[^\]]*\].*|\s*\[\[\{\{node.*", re.DOTALL
)


def describe(error: Exception) -> tuple[str, str]:
    """The class and text of an error, without the places that TensorFlow's graphs have."""
    text = str(error).split("\nTraceback")[0]
    text = _FUNCTION.sub("", text.split("\n\t; NodeDef")[0])
    text = re.sub(r"attr '\w+'", "attr", text)  # TensorFlow names any of several
    # its threads race for which element of a batch comes first
    text = _UNLIKE.sub(lambda m: "Shapes are: " + " and ".join(sorted(m.groups())), text)
    text = _PLACE.sub("", text).replace("tf.", "").strip()
    return type(error).__name__, text


def compare(make, texts: bool = True, **kwargs) -> Outcome:
    """Asserts that both modules show the same; returns what torchtf showed."""
    tf, torchtf = modules()
    want, got = observe(make, tf, **kwargs), observe(make, torchtf, **kwargs)
    if not texts:
        want.errors = [(e[0], *e[2:]) for e in want.errors]
        got.errors = [(e[0], *e[2:]) for e in got.errors]
    for field in ("errors", "spec", "cardinality", "elements"):
        a, b = getattr(got, field), getattr(want, field)
        assert a == b, f"{field}: {a!s:.500} instead of {b!s:.500}"
    return got
