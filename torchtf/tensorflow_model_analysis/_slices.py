"""Slices of examples: those that have a value of a feature."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from torchtf.tensorflow_model_analysis._models import Batch
from torchtf.tensorflow_model_analysis.proto.config_pb2 import SlicingSpec
from torchtf.tensorflow_model_analysis.proto.metrics_for_slice_pb2 import SliceKey

Key = tuple[tuple[str, Any], ...]  # the features, sorted, with their values


def slices_of(batch: Batch, number: int, specs: Sequence[SlicingSpec]) -> set[Key]:
    """The slices that an example is in; all examples are in ``()``."""
    found: set[Key] = set()
    for spec in specs:
        found.update(_matching(batch, number, spec))
    return found


def _matching(batch: Batch, number: int, spec: SlicingSpec) -> Iterator[Key]:
    parts = []
    for name in spec.feature_keys:
        parts.append([(name, v) for v in _values(batch, number, name)])
    for name, wanted in spec.feature_values.items():
        parts.append([(name, v) for v in _values(batch, number, name) if _same(v, wanted)])
    for chosen in itertools.product(*parts):
        yield tuple(sorted(chosen))


def _values(batch: Batch, number: int, name: str) -> list:
    values = batch.features.get(name, [[]] * (number + 1))[number]
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values]


def _same(value: Any, text: str) -> bool:
    """Whether a value is the one that a configuration names as text."""
    if isinstance(value, str):
        return value == text
    try:
        return float(value) == float(text)
    except ValueError:
        return False


def matches(key: Key, spec: SlicingSpec) -> bool:
    """Whether a slice is one of a specification."""
    names = {*spec.feature_keys, *spec.feature_values}
    if {name for name, _ in key} != names:
        return False
    values = dict(key)
    return all(_same(values[name], wanted) for name, wanted in spec.feature_values.items())


def to_proto(key: Key) -> SliceKey:
    """The message of a slice."""
    made = SliceKey()
    for name, value in key:
        single = made.single_slice_keys.add(column=name)
        if isinstance(value, str):
            single.bytes_value = value.encode()
        elif isinstance(value, float):
            single.float_value = value
        else:
            single.int64_value = int(value)
    return made


def from_proto(message: SliceKey) -> Key:
    """The slice of a message."""
    found = []
    for single in message.single_slice_keys:
        kind = single.WhichOneof("kind")
        value = getattr(single, kind)
        found.append((single.column, value.decode() if kind == "bytes_value" else value))
    return tuple(found)
