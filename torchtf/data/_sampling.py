"""Datasets that choose at random: sample_from_datasets and rejection_resample."""

from __future__ import annotations

import numpy as np
import torch

from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import is_tensor_type
from torchtf.data._choosing import DirectedInterleave
from torchtf.data._chunk import Chunk
from torchtf.data._dataset import Dataset
from torchtf.data._elementwise import with_elements
from torchtf.data._plan import INFINITE, UNKNOWN, Node, Stage, Unary, UnaryStage
from torchtf.data._seeds import SeedGenerator, Words, dataset_seeds
from torchtf.data._traced import Function
from torchtf.random._distributions import categorical_by_seeds


def sample(datasets, weights, seed, stop_on_empty, rerandomize):
    if not datasets:
        raise ValueError("Invalid `datasets`. `datasets` should not be empty.")
    datasets = list(datasets)
    first = datasets[0]
    if isinstance(weights, Dataset):
        source = weights._node
    else:
        datasets, probabilities = _with_weight(datasets, weights)
        if not datasets:
            return first.take(0)
        if len(datasets) == 1:
            return datasets[0]
        source = Dataset.from_tensors(probabilities).repeat()._node
    seeds = SeedGenerator(dataset_seeds(seed), bool(rerandomize))
    node = DirectedInterleave(
        _Choices(source, len(datasets), seeds), [d._node for d in datasets], stop_on_empty
    )
    return datasets[0]._then(node, *datasets[1:])


def _with_weight(datasets, weights):
    """The datasets that may be chosen, and their probabilities."""
    if weights is None:
        return datasets, np.ones(len(datasets)) / len(datasets)
    if is_tensor_type(weights) and not weights.shape.is_compatible_with([len(datasets)]):
        raise ValueError(
            "Invalid `weights`. The shape of `weights` should be compatible with `[len(datasets)]` "
            f"but is {weights.shape}."
        )
    if len(weights) != len(datasets):
        raise ValueError(
            "Invalid `weights`. `weights` should have the same length as `datasets` but got "
            f"`len(weights)={len(weights)}` vs. `len(datasets)={len(datasets)}`."
        )
    tensor = convert_to_tensor(weights)
    if tensor.dtype not in (dtypes.float32, dtypes.float64):
        raise TypeError(
            "Invalid `weights`. `weights` type must be either `tf.float32` or `tf.float64` but is "
            f"{tensor.dtype}."
        )
    values = tensor.numpy().astype(np.float64)
    kept = [i for i, w in enumerate(values) if w != 0]
    return [datasets[i] for i in kept], values[kept]


class _Choices(Unary):
    """Random positions, by probabilities that a dataset gives.

    Each takes a pair of words of the seeds' stream as the seed of a draw of its own, as
    TensorFlow does.
    """

    def __init__(self, weights: Node, count: int, seeds: SeedGenerator):
        super().__init__(weights)
        self.spec = TensorSpec([], dtypes.int64)
        self.count, self.seeds = count, seeds

    def start(self, run):
        return _ChoicesStage(run.start(self.source), self)


class _ChoicesStage(UnaryStage):
    def __init__(self, source, node: _Choices):
        super().__init__(source)
        self._words = Words(node.seeds.next())

    def next(self, n):
        chunk = self.source.next(n)
        if chunk is None:
            return None
        seeds = self._words.take(2 * chunk.size).astype(np.uint64).reshape(-1, 2)
        logits = torch.log(chunk.columns[0].reshape(chunk.size, -1)).numpy()
        chosen = categorical_by_seeds(seeds, logits)
        return Chunk([torch.from_numpy(chosen)], chunk.size)


# -- rejection_resample


def resample(dataset, class_func, target_dist, initial_dist, seed):
    target = convert_to_tensor(target_dist).numpy().astype(np.float32)
    initial = None
    if initial_dist is not None:
        initial = convert_to_tensor(initial_dist).numpy().astype(np.float32)
    function = Function(class_func, dataset.element_spec, "Dataset.rejection_resample()")
    seeds = SeedGenerator(dataset_seeds(seed), True)
    return dataset._then(_Resample(dataset._node, function, target, initial, seeds))


class _Resample(Unary):
    """(class, element) pairs, kept with a probability that gives the classes their shares.

    The share of a class that is kept is proportional to `target / initial`; the most wanted class
    is kept whole. Unknown initial shares are estimated from the elements met so far.
    """

    def __init__(self, source, function, target, initial, seeds):
        super().__init__(source)
        self.function, self.target, self.initial, self.seeds = function, target, initial, seeds
        self.spec = (function.spec, source.spec)

    def cardinality(self):
        return INFINITE if self.source.cardinality() == INFINITE else UNKNOWN

    def start(self, run):
        source = run.start(self.source)
        return _ResampleStage(with_elements(source, self.function, self.source.spec), self)


class _ResampleStage(UnaryStage):
    def __init__(self, source: Stage, node: _Resample):
        super().__init__(source)
        self._node = node
        self._random = np.random.Generator(np.random.Philox(node.seeds.next()[0]))
        # a first guess, as if each class had been met some times already
        self._counts = np.full(len(node.target), 64 / len(node.target))

    def next(self, n):
        while (chunk := self.source.next(n)) is not None:
            classes = np.asarray(chunk.columns[0])
            keep = self._random.random(len(classes)) < self._acceptance(classes)
            index = np.flatnonzero(keep)
            if len(index):
                return chunk.take(torch.from_numpy(index))
        return None

    def _acceptance(self, classes):
        initial = self._node.initial
        if initial is None:
            self._counts += np.bincount(classes, minlength=len(self._counts))
            initial = self._counts / self._counts.sum()
        ratio = self._node.target / np.maximum(initial, np.finfo(np.float32).tiny)
        return (ratio / ratio.max())[classes]
