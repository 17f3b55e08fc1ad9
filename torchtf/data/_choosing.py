"""`choose_from_datasets`: elements of several datasets, in the order that another one tells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from torchtf.core import errors
from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk, concat
from torchtf.data._plan import INFINITE, UNKNOWN, Buffered, Node, Stage, UnaryStage, block_size


class DirectedInterleave(Node):
    """Elements of several datasets in the order that a dataset of numbers tells.

    (source: `tf.data.Dataset.choose_from_datasets`)
    """

    def __init__(self, selector: Node, choices: Sequence[Node], stop_on_empty: bool):
        self.inputs = (selector, *choices)
        self.stop_on_empty = stop_on_empty
        spec = choices[0].spec
        for i, node in enumerate(choices[1:]):
            try:
                spec = structure.common_spec(spec, node.spec)
            except (TypeError, ValueError) as e:
                raise TypeError(
                    "Invalid `datasets`. `datasets` must have compatible element specs.\n Dataset "
                    f"0 element_spec={choices[0].spec}.\nDataset {i + 1} element_spec={node.spec}."
                ) from e
        self.spec = spec

    def cardinality(self):
        endless = any(node.cardinality() == INFINITE for node in self.inputs[1:])
        return INFINITE if endless else UNKNOWN

    def start(self, run):
        return _DirectedInterleaveStage(run, self)


class _DirectedInterleaveStage(Stage):
    """Follows a block of numbers at a time where nobody can notice, and one by one elsewhere."""

    def __init__(self, run, node: DirectedInterleave):
        selector, *choices = node.inputs
        selector = run.start(selector)
        stages = [run.start(c) for c in choices]
        self.pure = selector.pure and all(s.pure for s in stages)
        self._selector = Buffered(selector, 1024)
        self._stop = node.stop_on_empty
        self._block = block_size(node.spec) if self.pure else 1
        self._choices = [_Ahead(s, self._block) for s in stages]
        self._chosen = np.zeros(0, np.int64)
        self._ended = False

    def next(self, n):
        while not self._ended:
            if not len(self._chosen):
                if all(c.closed and not c.size for c in self._choices):
                    break
                numbers = self._selector.next(min(n, self._block))
                if numbers is None:
                    break
                self._chosen = np.asarray(numbers.columns[0]).reshape(-1)
            found = self._follow(self._chosen[:n])
            if found is not None:
                return found
        self._ended = True
        return None

    def _follow(self, numbers: np.ndarray) -> Chunk | None:
        """The elements for the first of these numbers, as far as they go; None for none.

        Raises:
            Exception: that of the first number, which then counts as used.
        """
        stops = len(numbers)  # the place of the first number that ends the chunk
        kept = np.ones(len(numbers), bool)
        for i in np.unique(numbers).tolist():
            places = np.flatnonzero(numbers == i)
            if not 0 <= i < len(self._choices):
                stops = min(stops, places[0])
                continue
            choice = self._choices[i]
            there = choice.ahead(len(places))
            if there < len(places):
                if choice.error is not None or self._stop:
                    stops = min(stops, places[there])
                else:
                    kept[places[there:]] = False
        if stops == 0:
            self._chosen = self._chosen[1:]
            self._fail(int(numbers[0]))
            return None
        self._chosen = self._chosen[stops:]
        numbers = numbers[:stops][kept[:stops]]
        if not len(numbers):
            return None
        by_choice = np.argsort(numbers, kind="stable")
        wanted, counts = np.unique(numbers, return_counts=True)
        pieces = [
            self._choices[i].take(count)
            for i, count in zip(wanted.tolist(), counts.tolist(), strict=True)
        ]
        chunk = concat(pieces)
        return chunk if len(pieces) == 1 else chunk.take(torch.from_numpy(np.argsort(by_choice)))

    def _fail(self, number: int) -> None:
        """Ends the iteration, or raises, for a number whose element is not there."""
        if not 0 <= number < len(self._choices):
            raise errors.InvalidArgumentError(
                None, None, f"Selector index out of range: {number} >= {len(self._choices)}"
            )
        error = self._choices[number].error
        if error is None:
            self._ended = True
            return
        self._choices[number].error = None
        raise error

    def close(self):
        self._selector.close()
        for choice in self._choices:
            if not choice.closed:
                choice.close()


class _Ahead(UnaryStage):
    """Elements of an input that lie at hand, and what came behind them.

    Attributes:
        size: how many elements lie at hand.
        error: what the input raised behind those elements.
        closed: whether the input has ended; elements may still be at hand.
    """

    def __init__(self, source: Stage, block: int):
        super().__init__(Buffered(source, block))
        self._held: list[Chunk] = []
        self.size = 0
        self.error: Exception | None = None
        self.closed = False

    def ahead(self, n: int) -> int:
        """Reads until n elements are at hand; returns how many of the n are."""
        while self.size < n and not self.closed and self.error is None:
            try:
                chunk = self.source.next(n - self.size)
            except Exception as e:
                self.error = e
                break
            if chunk is None:
                self.close()
            else:
                self._held.append(chunk)
                self.size += chunk.size
        return min(n, self.size)

    def take(self, n: int) -> Chunk:
        """The next n of the elements at hand."""
        held = concat(self._held)
        self.size -= n
        self._held = [held.slice(n, held.size)] if self.size else []
        return held.slice(0, n)

    def close(self) -> None:
        self.closed = True
        super().close()
