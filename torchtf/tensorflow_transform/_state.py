"""The analysis under way: what a `preprocessing_fn` asks for while it is traced.

* An analyzer has a number, its place among the calls. When its value is known it gives that; else
  it leaves what it needs as *pending* and gives tensors that stand for the value, so that the rest
  of the function can be traced and tells what else it needs.
* Where a value must be known to go on (the file of a vocabulary), `Unknown` ends the trace.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import torchtf as tf
from torchtf.tensorflow_transform._combiners import Combiner


class Unknown(BaseException):
    """A trace needs a value that is not known yet."""


@dataclasses.dataclass
class Pending:
    """An analyzer whose value is not known.

    Attributes:
        number: its place.
        combiner: what computes it.
        inputs: the tensors that it is computed of.
        stand_ins: eager tensors that stand for the values.
    """

    number: int
    combiner: Combiner
    inputs: Sequence
    stand_ins: Sequence


@dataclasses.dataclass
class Vocabulary:
    """A vocabulary by its file.

    Attributes:
        path: the file.
        stores_frequency: whether a line has a number before the entry.
        size: the number of entries; None if it is not known yet.
        stand_in: an int64 scalar that stands for it then.
    """

    path: str
    stores_frequency: bool
    size: int | None = None
    stand_in: Any = None

    def known_size(self) -> int:
        """Ends the trace if it is not known."""
        if self.size is None:
            raise Unknown
        return self.size


class Analysis:
    """The values of analyzers, and those that are pending.

    Args:
        folder: where the files of vocabularies are written.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self.values: dict[int, Sequence[np.ndarray]] = {}
        self.begin()

    def begin(self) -> None:
        """Makes ready for another trace."""
        self.pending: list[Pending] = []
        self._count = 0
        self._vocabularies: dict[str, Vocabulary] = {}
        self._ranges: list[tuple[Any, int, int]] = []

    def analyze(self, combiner: Combiner, inputs: Sequence, outputs: Sequence[tuple]) -> list:
        """The tensors that an analyzer gives: values, or what stands for them.

        Args:
            combiner: what computes the values.
            inputs: the tensors that they are computed of.
            outputs: the shape and dtype of each.
        """
        number = self._count
        self._count += 1
        if number in self.values:
            pairs = zip(self.values[number], outputs, strict=True)
            return [tf.constant(value, dtype) for value, (_, dtype) in pairs]
        with tf.init_scope():
            stand_ins = [tf.zeros(shape, dtype) for shape, dtype in outputs]
        self.pending.append(Pending(number, combiner, inputs, stand_ins))
        return stand_ins

    def last_values(self) -> Sequence[np.ndarray] | None:
        """The values of the last analyzer, None if they are not known."""
        return self.values.get(self._count - 1)

    # -- vocabularies

    def new_name(self, name: str | None, default: str) -> str:
        """The file name of a vocabulary: as given, or one that is free.

        Raises:
            ValueError: for a name that is in use, or no file name.
        """
        if name is not None:
            if not name or os.path.basename(name) != name:
                raise ValueError(f"vocab_filename must be a file name, got {name!r}")
            if name in self._vocabularies:
                raise ValueError(f"The vocab_filename {name!r} is used by another vocabulary.")
            return name
        name, number = default, 0
        while name in self._vocabularies:
            number += 1
            name = f"{default}_{number}"
        return name

    def add_vocabulary(self, name: str, vocabulary: Vocabulary) -> Vocabulary:
        """Remembers a vocabulary under the name of its file."""
        self._vocabularies[name] = vocabulary
        return vocabulary

    def vocabulary(self, name: str) -> Vocabulary:
        """The vocabulary of a name.

        Raises:
            ValueError: if there is none.
        """
        if name not in self._vocabularies:
            raise ValueError(
                f"Vocabulary not found with name {name!r}; there are {sorted(self._vocabularies)}."
            )
        return self._vocabularies[name]

    def vocabulary_at(self, path: str) -> Vocabulary | None:
        """The vocabulary of a file, None if it is none of this analysis."""
        return next((v for v in self._vocabularies.values() if v.path == path), None)

    # -- what is known of results

    def set_range(self, tensor, low: int, high: int) -> None:
        """Remembers that a tensor holds categories, between two integers."""
        self._ranges.append((tensor, low, high))

    def range_of(self, tensor) -> tuple[int, int] | None:
        """The integers that a tensor is between, if that is known."""
        values = getattr(tensor, "values", tensor)
        for known, low, high in self._ranges:
            if known is tensor or known is values:
                return low, high
        return None


_current: list[Analysis] = []


@contextlib.contextmanager
def entered(analysis: Analysis) -> Iterator[None]:
    """Within it analyzers belong to this analysis."""
    _current.append(analysis)
    try:
        yield
    finally:
        _current.pop()


def current(name: str) -> Analysis:
    """The analysis under way.

    Raises:
        RuntimeError: if there is none: an analyzer was called outside of a `preprocessing_fn`.
    """
    if not _current:
        raise RuntimeError(
            f"tft.{name} analyzes a whole dataset: call it in a preprocessing_fn, which "
            "tfx.components.Transform runs."
        )
    return _current[-1]
