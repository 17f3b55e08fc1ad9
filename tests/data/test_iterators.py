"""Iterators, optionals, checkpoints, options and the small print of datasets."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest

import torchtf as tf
from tests.data.compare import compare, describe, modules

D = tf.data.Dataset


# -- iterators


def test_get_next_raises_at_the_end_as_tensorflow_does():
    texts = []
    for module in modules():
        iterator = iter(module.data.Dataset.range(1))
        assert iterator.get_next().numpy() == 0
        with pytest.raises(module.errors.OutOfRangeError) as raised:
            iterator.get_next()
        with pytest.raises(StopIteration):
            next(iterator)
        texts.append(str(raised.value))
    assert texts[0] == texts[1]


def test_optionals():
    for module in modules():
        iterator = iter(module.data.Dataset.range(1))
        full, empty = iterator.get_next_as_optional(), iterator.get_next_as_optional()
        assert bool(full.has_value()) and full.get_value().numpy() == 0
        assert not bool(empty.has_value())
        assert empty.element_spec == module.TensorSpec([], module.int64)
        with pytest.raises(module.errors.InvalidArgumentError, match="does not have a value"):
            empty.get_value()


def test_as_numpy_iterator_gives_read_only_arrays():
    for module in modules():
        data = module.data.Dataset.from_tensor_slices(({"a": [[1, 2]]}, ["x"]))
        (element,) = data.as_numpy_iterator()
        assert element[0]["a"].tolist() == [1, 2] and element[1] == b"x"
        assert not element[0]["a"].flags.writeable
        with pytest.raises(TypeError):
            module.data.Dataset.range(3).window(2).as_numpy_iterator()


def test_specs_of_datasets_and_iterators():
    dataset = D.range(3)
    spec = tf.data.DatasetSpec.from_value(dataset)
    assert spec == tf.data.DatasetSpec(tf.TensorSpec([], tf.int64))
    assert spec.is_compatible_with(dataset) and not spec.is_compatible_with(dataset.batch(2))
    assert tf.data.IteratorSpec.from_value(iter(dataset)).element_spec == dataset.element_spec
    reprs = [repr(m.data.DatasetSpec(m.TensorSpec([], m.int64))) for m in modules()]
    assert reprs[0] == reprs[1]


def test_length_and_representation():
    for make in (
        lambda d: d.range(3), lambda d: d.range(3).repeat(), lambda d: d.range(3).map(lambda x: x),
        lambda d: d.range(3).filter(lambda x: True), lambda d: d.from_tensor_slices([1]).shuffle(2),
        lambda d: d.range(3).batch(2).prefetch(1),
    ):  # fmt: skip
        seen = []
        for module in modules():
            dataset = make(module.data.Dataset)
            try:
                size = len(dataset)
            except TypeError as e:
                size = describe(e)
            seen.append((size, bool(dataset), repr(dataset.element_spec)))
        assert seen[0] == seen[1]
    assert repr(D.range(3)).startswith("<_RangeDataset element_spec=TensorSpec(shape=(), ")


# -- checkpoints


def chain(D):
    return (
        D.range(40).shuffle(8, seed=3).map(lambda x: x * x).filter(lambda x: x % 3 != 0).repeat(2)
        .batch(3)
    )  # fmt: skip


def numbers(iterator, n=None):
    return [np.asarray(x.numpy()).tolist() for x in itertools.islice(iterator, n)]


def pipelines(tf, folder):
    """Pipelines by name, as functions that make them anew, as another process would."""
    D = tf.data.Dataset
    files = [str(folder / name) for name in "abc"]
    for k, name in enumerate(files):
        with open(name, "w") as file:
            file.write("".join(f"{k}{i}\n" for i in range(6)))
    records = str(folder / "records")
    with tf.io.TFRecordWriter(records) as writer:
        for i in range(12):
            writer.write(b"%d" % i)
    lines, names = tf.data.TextLineDataset, D.from_tensor_slices(files)
    return {
        "chain": lambda: chain(D),
        "shuffle": lambda: D.range(20).shuffle(5, seed=3).repeat(3).shuffle(4, seed=2).batch(4),
        "same order": lambda: D.range(9).shuffle(9, 3, reshuffle_each_iteration=False).repeat(3),
        "interleave": lambda: names.interleave(lines, cycle_length=2, block_length=2),
        "parallel": lambda: names.interleave(lines, 3, num_parallel_calls=2).batch(2).prefetch(2),
        "records": lambda: tf.data.TFRecordDataset(records).shuffle(4, seed=1).batch(2),
        "window": lambda: D.range(20).window(4, 2, 1, True).flat_map(lambda w: w.batch(4)),
        "cache": lambda: D.range(7).cache().repeat(2),
        "sample": lambda: D.sample_from_datasets([D.range(9), D.range(20, 29)], seed=5),
    }


def test_a_checkpoint_resumes_at_the_same_element(tmp_path):
    found = {}
    for module in modules():
        makers = pipelines(module, tmp_path)
        for name, make in makers.items():
            iterator = iter(make())
            before = numbers(iterator, 3)
            path = module.train.Checkpoint(iterator=iterator).save(str(tmp_path / "ckpt"))
            rest = numbers(iterator)
            again = iter(make())
            module.train.Checkpoint(iterator=again).restore(path)
            assert numbers(again) == rest != [], name
            assert numbers(iter(make())) == before + rest
            found.setdefault(name, []).append((before, rest))
    for name, (theirs, ours) in found.items():
        assert theirs == ours, name


def test_a_restored_iterator_keeps_random_orders():
    dataset = D.range(30).shuffle(30)
    iterator = iter(dataset)
    numbers(iterator, 7)
    state = iterator._save()
    rest = numbers(iterator)
    assert numbers(iter(dataset)) != rest
    iterator._restore(state)
    assert numbers(iterator) == rest


def test_the_numpy_iterator_saves_and_restores():
    iterator = D.range(10).as_numpy_iterator()
    assert [next(iterator) for _ in range(3)] == [0, 1, 2]
    state = iterator.save()
    assert list(iterator) == list(range(3, 10))
    iterator.restore(state)
    assert next(iterator) == 3


# -- options


def test_options_check_types_and_merge():
    for module in modules():
        options = module.data.Options()
        assert options.deterministic is None
        options.deterministic = False
        options.threading.private_threadpool_size = 3
        with pytest.raises(TypeError, match='Property "deterministic" must be of type'):
            options.deterministic = "yes"
        with pytest.raises(AttributeError, match="Cannot set the property nothing on Options"):
            options.nothing = 1
        other = module.data.Options()
        other.experimental_optimization.noop_elimination = True
        merged = options.merge(other)
        assert merged.deterministic is False and merged.threading.private_threadpool_size == 3
        assert merged.experimental_optimization.noop_elimination is True
        assert options != merged and merged == merged.merge(module.data.Options())


def test_options_travel_with_the_dataset_and_are_read_only():
    for module in modules():
        options = module.data.Options()
        options.experimental_slack = True
        dataset = module.data.Dataset.range(3).with_options(options).map(lambda x: x)
        assert dataset.options().experimental_slack is True
        with pytest.raises(ValueError, match="Mutating"):
            dataset.options().deterministic = True


def test_options_do_not_change_elements():
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.experimental_warm_start = True
    options.autotune.ram_budget = 1000
    dataset = D.range(9).skip(0).batch(2).prefetch(tf.data.AUTOTUNE).repeat(1)
    assert numbers(dataset.with_options(options)) == numbers(dataset)


# -- copies and immutability


def test_transformations_leave_the_dataset_as_it_is():
    dataset = D.range(4)
    dataset.map(lambda x: x + 1).batch(2)
    assert [int(x) for x in dataset] == [0, 1, 2, 3]
    assert [int(x) for x in copy.copy(dataset)] == [0, 1, 2, 3]


def test_source_arrays_are_copied():
    array = np.arange(3)
    dataset = D.from_tensor_slices(array)
    array[0] = 9
    assert [int(x) for x in dataset] == [0, 1, 2]


# -- tf.data.experimental

EXPERIMENTAL = [
    "tf.data.experimental.from_list([(1, 'a'), (2, 'b')])",
    "tf.data.experimental.from_list([[1], [2, 3]])",
    "tf.data.experimental.from_list([])",
    "D.range(4).apply(tf.data.experimental.assert_cardinality(4))",
    "D.range(4).apply(tf.data.experimental.enumerate_dataset(3))",
    "D.range(4).apply(tf.data.experimental.unique())",
    "D.range(4).batch(2).apply(tf.data.experimental.unbatch())",
    "D.range(4).apply(tf.data.experimental.take_while(lambda x: x < 2))",
    "D.range(4).apply(tf.data.experimental.scan(np.int64(0), lambda s, x: (s + x, s)))",
    "D.range(5).apply(tf.data.experimental.map_and_batch(lambda x: x + 1, 2))",
    "D.range(5).map(lambda x: tf.range(x)).apply(tf.data.experimental.dense_to_ragged_batch(2))",
    "D.from_tensor_slices([[1, 2], [3, 4], [5, 6]])"
    ".apply(tf.data.experimental.dense_to_sparse_batch(2, [4]))",
    "D.range(6).apply(tf.data.experimental.group_by_window(lambda x: x % 2, lambda k, d: d, 2))",
    "D.range(9).apply(tf.data.experimental.group_by_reducer(lambda x: x % 3, "
    "tf.data.experimental.Reducer(lambda k: np.int64(0), lambda s, x: s + x, lambda s: s * 2)))",
    "D.from_tensor_slices({'a': [1, 2]}).apply(tf.data.experimental.pad_to_cardinality(4))",
    "D.range(2).apply(tf.data.experimental.pad_to_cardinality(4))",
    "tf.data.experimental.Counter(3).take(3)",
    "tf.data.experimental.at(D.range(10).shard(2, 1), 3)",
    "tf.data.experimental.get_structure(D.range(3)) and D.range(1)",
    "D.range(20).apply(tf.data.experimental.shuffle_and_repeat(5, 2, seed=4))",
]


@pytest.mark.parametrize("text", EXPERIMENTAL)
def test_experimental_is_tensorflows(text):
    code = compile(text, "<pipeline>", "eval")
    compare(lambda tf: eval(code, {"tf": tf, "D": tf.data.Dataset, "np": np}), limit=60)


def test_tables_and_record_writer(tmp_path):
    table = tf.data.experimental.index_table_from_dataset(D.from_tensor_slices(["a", "b"]))
    assert table.lookup(tf.constant(["b", "x", "a"])).numpy().tolist() == [1, -1, 0]
    path = str(tmp_path / "x.tfrecord")
    tf.data.experimental.TFRecordWriter(path).write(D.from_tensor_slices(["one", "two"]))
    assert list(tf.data.TFRecordDataset(path).as_numpy_iterator()) == [b"one", b"two"]


def test_what_is_not_supported_says_so():
    with pytest.raises(NotImplementedError, match="fingerprint"):
        D.range(1).fingerprint()


def test_resampling_reaches_the_wanted_shares():
    classes = np.random.default_rng(0).choice(2, 4000, p=[0.8, 0.2]).astype(np.int32)
    for initial in (None, [0.8, 0.2]):
        dataset = D.from_tensor_slices(classes).rejection_resample(
            lambda x: x, [0.5, 0.5], initial, seed=1
        )
        pairs = np.array([(int(c), int(x)) for c, x in dataset])
        assert (pairs[:, 0] == pairs[:, 1]).all() and len(pairs) > 1000
        assert abs(pairs[:, 0].mean() - 0.5) < 0.06
