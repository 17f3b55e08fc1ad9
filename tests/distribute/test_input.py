"""What each of two workers reads under every `AutoShardPolicy`, beside TensorFlow's."""

from __future__ import annotations

import types

import pytest
import tensorflow
from tensorflow.python.data.experimental.ops.distribute import (
    _LegacyRebatchDataset,
    batch_sizes_for_worker,
    compute_batch_size,
)
from tensorflow.python.distribute.input_ops import auto_shard_dataset

import torchtf
from torchtf.distribute._input import distribute_dataset

WORKERS = 2


class Worker:
    """The group of one of several workers, as it looks when the others stop where it does."""

    def __init__(self, rank: int):
        self.rank = rank
        self.size = WORKERS

    def all_reduce(self, tensor, op="sum"):
        return tensor


def read(dataset) -> list:
    return [b.numpy().tolist() for b in dataset]


def ours(dataset, rank: int) -> list:
    strategy = types.SimpleNamespace(
        group=Worker(rank), one_program=False, _distributed=lambda v: v, _local_replicas=1
    )
    return read(distribute_dataset(dataset, strategy))


def theirs(dataset, rank: int) -> list:
    """As `MultiWorkerMirroredStrategy.experimental_distribute_dataset` does it."""
    batch_size = int(compute_batch_size(dataset))
    if batch_size < 0:  # a step after `batch` may have changed it
        dataset = _LegacyRebatchDataset(dataset, WORKERS)
    else:
        dataset = dataset.rebatch(batch_sizes_for_worker(batch_size, WORKERS, 1, rank))
    return read(auto_shard_dataset(dataset.prefetch(1), WORKERS, rank, WORKERS))


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[str]:
    """Three files of a few lines each."""
    folder = tmp_path_factory.mktemp("lines")
    names = [folder / f"{name}.txt" for name in "abc"]
    for name, lines in zip(names, (5, 2, 4), strict=True):
        name.write_text("".join(f"{name.stem}{i}\n" for i in range(lines)))
    return list(map(str, names))


SOURCES = {
    "range": lambda tf, files: tf.data.Dataset.range(10).batch(4),
    "odd batches": lambda tf, files: tf.data.Dataset.range(11).batch(5),
    "whole batches": lambda tf, files: tf.data.Dataset.range(10).batch(4, drop_remainder=True),
    "slices": lambda tf, files: tf.data.Dataset.from_tensor_slices(list("abcdefg")).batch(4),
    "later steps": lambda tf, files: (
        tf.data.Dataset.range(6).repeat(2).batch(4).map(lambda x: x + 1).prefetch(1)
    ),
    "lines": lambda tf, files: tf.data.TextLineDataset(files).batch(4),
    "lines of files": lambda tf, files: (
        tf.data.Dataset.from_tensor_slices(files)
        .interleave(tf.data.TextLineDataset, cycle_length=2)
        .batch(4)
    ),
    "lines of a list": lambda tf, files: (
        tf.data.Dataset.list_files(files, shuffle=False).flat_map(tf.data.TextLineDataset).batch(4)
    ),
    "repeated batches": lambda tf, files: tf.data.Dataset.range(5).batch(4).repeat(2),
    "shuffled files": lambda tf, files: (
        tf.data.Dataset.from_tensor_slices(files)
        .shuffle(1)
        .interleave(lambda name: tf.data.TextLineDataset(name).take(3), cycle_length=1)
        .batch(4)
    ),
    "small batches": lambda tf, files: tf.data.Dataset.range(3).batch(1),
    "mapped batches": lambda tf, files: (
        tf.data.Dataset.range(5).batch(4).repeat(2).map(lambda x: x + 1)
    ),
    "one file": lambda tf, files: tf.data.TextLineDataset(files[0]).batch(4),
    "hint": lambda tf, files: (
        tf.data.Dataset.range(12)
        .shard(tf.data.experimental.SHARD_HINT, tf.data.experimental.SHARD_HINT)
        .batch(2)
    ),
}


@pytest.mark.parametrize("policy", ["OFF", "AUTO", "DATA", "FILE", "HINT"])
@pytest.mark.parametrize(
    ("source", "rank"),
    # of too few files all workers complain here, the first one alone there
    [(s, r) for s in SOURCES for r in range(WORKERS) if (s, r) != ("one file", 1)],
)
def test_workers_read_what_tensorflows_read(source, policy, rank, files):
    found = []
    for tf, share in ((tensorflow, theirs), (torchtf, ours)):
        dataset = SOURCES[source](tf, files)
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = getattr(
            tf.data.experimental.AutoShardPolicy, policy
        )
        try:
            found.append(share(dataset.with_options(options), rank))
        except Exception as e:
            found.append(type(e).__name__)
    assert found[1] == found[0]
