"""The random words and seeds behind `shuffle`, `random` and the sampling of datasets.

The words come from TensorFlow's generator (Philox), one 32-bit word at a time, so a seed gives the
order that it gives in TensorFlow.
"""

from __future__ import annotations

import random

import numpy as np

from torchtf.core import errors
from torchtf.random._philox import from_op_seeds
from torchtf.random._seeds import get_seed

_LARGEST_RUN = 1 << 14


class Words:
    """A stream of 32-bit random words for a pair of seeds, computed in runs.

    Args:
        seeds: two 64-bit integers.
        position: how many words to leave out.
    """

    def __init__(self, seeds: tuple[int, int], position: int = 0):
        self._stream = from_op_seeds(*seeds)
        self._position = position
        self._run = 64
        self._left = iter(())

    def take(self, n: int) -> np.ndarray:
        """The next `n` words of the stream; not to be mixed with single words."""
        first, offset = divmod(self._position, 4)
        words = self._stream.blocks(range(first, first + (offset + n + 3) // 4))
        self._position += n
        return words.reshape(-1)[offset : offset + n]

    def __call__(self) -> int:
        for word in self._left:
            return word
        self._left = iter(self.take(self._run).tolist())
        self._run = min(4 * self._run, _LARGEST_RUN)
        return next(self._left)


class SeedGenerator:
    """The seeds of successive iterations over a shuffled or random dataset.

    With `reshuffle` each iteration gets new seeds, from the stream of the dataset's own; without it
    each gets the dataset's. `drawn` is the position in that stream.
    """

    def __init__(self, seeds: tuple[int, int], reshuffle: bool):
        if seeds == (0, 0):  # TensorFlow's way to say: take any
            source = random.SystemRandom()
            seeds = source.getrandbits(63), source.getrandbits(63)
        self.seeds = seeds
        self.reshuffle = reshuffle
        self.drawn = 0

    def next(self) -> tuple[int, int]:
        if not self.reshuffle:
            return self.seeds
        first, second = Words(self.seeds, self.drawn).take(2).tolist()
        self.drawn += 2
        return first, second


def dataset_seeds(seed) -> tuple[int, int]:
    """The pair of seeds that TensorFlow derives from a dataset's seed and the global one.

    (0, 0) stands for any seeds.

    Raises:
        InvalidArgumentError: if `seed` is no integer.
    """
    if seed is not None:
        try:
            seed = int(seed)
        except (TypeError, ValueError):
            raise errors.InvalidArgumentError(
                None, None, f"`seed` must be an integer or a scalar integer tensor, got {seed!r}"
            ) from None
    pair = get_seed(seed)
    return (0, 0) if pair[0] is None else pair


def seeds_of(node) -> list:
    """The seed generators of a plan, in a fixed order, each once."""
    found: dict[int, object] = {}

    def visit(n):
        for i in n.inputs:
            visit(i)
        seeds = getattr(n, "seeds", None)
        if seeds is not None:
            found.setdefault(id(seeds), seeds)

    visit(node)
    return list(found.values())
