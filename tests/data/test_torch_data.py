"""torch's datasets and loaders as sources: the elements that torch gives, as tensors."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import torchtf as tf

X, Y = torch.arange(20.0).reshape(10, 2), torch.arange(10)
PAIRS = TensorDataset(X, Y)
from_torch = tf.data.Dataset.from_generator


class Words(IterableDataset):
    def __iter__(self):
        return iter([{"n": i, "word": "w" * i} for i in range(5)])


class Counted(torch.utils.data.Dataset):
    """Counts its calls; the element at 2 fails."""

    def __init__(self):
        self.asked: list[int] = []

    def __len__(self):
        return 5

    def __getitem__(self, i):
        self.asked.append(i)
        if i == 2:
            raise ValueError("no such picture")
        return np.float32([i]), [i, {"label": i}]


def test_a_map_style_dataset_is_shuffled_by_position_in_tensorflows_order():
    dataset = from_torch(PAIRS)
    assert len(dataset) == 10
    assert dataset.element_spec == (tf.TensorSpec([2]), tf.TensorSpec([], tf.int64))
    for a, b in zip(dataset.batch(4), DataLoader(PAIRS, 4), strict=True):
        assert torch.equal(a[0].torch(), b[0]) and torch.equal(a[1].torch(), b[1])
    theirs = tensorflow.data.Dataset.range(10).shuffle(4, seed=1).repeat(2)
    ours = dataset.map(lambda x, y: y).shuffle(4, seed=1).repeat(2)
    assert list(ours.as_numpy_iterator()) == list(theirs.as_numpy_iterator())


def test_a_map_style_dataset_is_asked_once_for_each_element():
    counted = Counted()
    dataset = from_torch(counted)
    assert counted.asked == [0]  # for its signature
    x, (n, rest) = next(iter(dataset.take(1)))
    assert counted.asked == [0, 0]
    assert (x.numpy(), n.numpy(), rest["label"].dtype) == ([0.0], 0, tf.int32)
    iterator = iter(dataset.skip(1))
    assert next(iterator)[1][0].numpy() == 1
    with pytest.raises(tf.errors.InvalidArgumentError, match="ValueError: no such picture") as e:
        next(iterator)
    assert e.value.__cause__.__traceback__ is not None
    assert [n.numpy() for _, (n, _) in iterator] == [3, 4]
    assert counted.asked[2:] == [1, 2, 3, 4]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_gives_its_batches(workers):
    loader = DataLoader(PAIRS, 4, num_workers=workers)
    dataset = from_torch(loader)
    assert dataset.element_spec == (tf.TensorSpec([None, 2]), tf.TensorSpec([None], tf.int64))
    assert len(dataset) == 3
    for _ in range(2):
        assert [y.numpy().tolist() for _, y in dataset] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_signature_leaves_the_samplers_numbers_alone():
    def order(read):
        torch.manual_seed(5)
        loader = DataLoader(PAIRS, 10, shuffle=True)
        return next(iter(read(loader)))[1].tolist()

    through = order(lambda loader: [[None, y.torch()] for _, y in from_torch(loader)])
    assert through == order(lambda loader: loader)


def test_an_iterable_dataset():
    dataset = from_torch(Words())
    assert dataset.cardinality() == tf.data.UNKNOWN_CARDINALITY
    assert [e["word"] for e in dataset.as_numpy_iterator()] == [b"w" * i for i in range(5)]
    batched = from_torch(DataLoader(Words(), 3))
    assert batched.element_spec["word"] == tf.TensorSpec([None], tf.string)
    found = [(e["n"].tolist(), e["word"].tolist()) for e in batched.as_numpy_iterator()]
    assert found == [([0, 1, 2], [b"", b"w", b"ww"]), ([3, 4], [b"www", b"wwww"])]


def test_signatures_are_checked_as_a_generators():
    theirs = tensorflow.data.Dataset.from_generator(
        lambda: ((x.numpy(), y.numpy()) for x, y in PAIRS),
        output_signature=tensorflow.TensorSpec([3]),
    )
    ours = from_torch(PAIRS, output_signature=tf.TensorSpec([3]))
    for module, dataset in ((tensorflow, theirs), (tf, ours)):
        with pytest.raises(module.errors.InvalidArgumentError):
            next(iter(dataset))
    with pytest.raises(ValueError, match="output_signature"):
        from_torch(TensorDataset(torch.zeros(0, 2)))
    with pytest.raises(TypeError, match="args"):
        from_torch(PAIRS, args=(1,))
