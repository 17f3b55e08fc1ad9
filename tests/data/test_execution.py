"""How pipelines run: chunks, laziness, threads, tracing, errors, explain."""

from __future__ import annotations

import re
import threading
import time

import numpy as np
import pytest

import torchtf as tf
from torchtf.data._plan import Run

D = tf.data.Dataset


def values(dataset) -> list:
    return [x.tolist() if hasattr(x, "tolist") else x for x in dataset.as_numpy_iterator()]


def counted(n: int = 100):
    """A generator dataset and the list of what it has produced."""
    produced = []

    def generator():
        for i in range(n):
            produced.append(i)
            yield i

    return produced, D.from_generator(generator, output_signature=tf.TensorSpec([], tf.int64))


# -- functions


def test_a_function_is_traced_once_and_side_effects_happen_then():
    calls = []

    def double(x):
        calls.append(tf.executing_eagerly())
        return 2 * x

    dataset = D.range(1000).map(double)
    assert calls == [False]
    assert values(dataset) == values(dataset) == list(range(0, 2000, 2))
    assert calls == [False]


@pytest.mark.parametrize("shape", [[], [3]])
def test_chunks_and_single_elements_give_the_same(shape):
    function = lambda x: tf.where(tf.reduce_sum(x) > 50, tf.sqrt(x), x * x)  # noqa: E731
    source = D.range(100).map(lambda x: tf.fill(shape, tf.cast(x, tf.float32)))
    whole = source.map(function)
    singly = source.map(function)
    singly._node.function.go_one_by_one()
    whole_values, single_values = values(whole), values(singly)
    assert whole._node.function.vectorizes is True
    assert singly._node.function.vectorizes is False
    np.testing.assert_allclose(whole_values, single_values, rtol=1e-6)


def test_a_function_that_cannot_be_vectorized_goes_one_by_one():
    dataset = D.range(20).map(lambda x: tf.range(x))
    assert [len(x) for x in values(dataset)] == list(range(20))
    assert dataset._node.function.vectorizes is False


def test_random_draws_differ_between_elements_and_epochs():
    dataset = D.range(64).map(lambda x: tf.random.uniform([2]))
    first, second = np.array(values(dataset)), np.array(values(dataset))
    assert dataset._node.function.vectorizes is True
    assert len(np.unique(first)) == first.size
    assert not np.array_equal(first, second)


def test_a_function_may_use_and_change_variables():
    count = tf.Variable(0, dtype=tf.int64)
    dataset = D.range(5).map(lambda x: x + count.assign_add(1))
    assert values(dataset) == [1, 3, 5, 7, 9]
    assert count.numpy() == 5


def test_a_captured_variable_is_read_when_the_function_runs():
    scale = tf.Variable(1, dtype=tf.int64)
    dataset = D.range(4).map(lambda x: x * scale)
    assert values(dataset) == [0, 1, 2, 3]
    scale.assign(10)
    assert values(dataset) == [0, 10, 20, 30]


def test_strings_flow_through_traced_functions():
    dataset = D.from_tensor_slices(["Ab", "c"]).map(lambda s: (tf.strings.upper(s), s + "!"))
    assert [(a, b) for a, b in dataset.as_numpy_iterator()] == [(b"AB", b"Ab!"), (b"C", b"c!")]


def test_autograph_converts_the_function():
    def clip(x):
        if x > 3:
            return tf.constant(3, tf.int64)
        return x

    assert values(D.range(6).map(clip)) == [0, 1, 2, 3, 3, 3]


# -- laziness


def test_only_what_is_asked_for_is_produced():
    produced, dataset = counted()
    iterator = iter(dataset.map(lambda x: x + 1).batch(4))
    assert produced == []
    next(iterator)
    assert len(produced) == 4
    next(iterator)
    assert len(produced) == 8


def test_take_does_not_look_further():
    produced, dataset = counted()
    assert values(dataset.take(3)) == [0, 1, 2]
    assert len(produced) == 3


def test_the_shuffle_buffer_reads_as_far_as_tensorflows():
    produced, dataset = counted()
    iterator = iter(dataset.shuffle(10, seed=1))
    next(iterator)
    assert len(produced) == 10
    next(iterator)
    assert len(produced) == 11


def test_shuffle_moves_positions_where_the_source_allows():
    def stage(dataset):
        return Run(dataset._options).start(dataset._optimized())

    indexed = stage(D.range(10).map(lambda x: x + 1).skip(2).shard(2, 1).shuffle(5, seed=1))
    streamed = stage(D.range(10).filter(lambda x: x > 2).shuffle(5, seed=1))
    assert indexed.count == 4 and streamed.count is None


# -- errors


def test_an_error_comes_after_the_elements_before_it_and_iteration_goes_on():
    iterator = iter(D.from_tensor_slices([2, 1, 0, 4]).map(lambda x: 8 // x))
    assert [next(iterator).numpy(), next(iterator).numpy()] == [4, 8]
    with pytest.raises(tf.errors.InvalidArgumentError, match="zero"):
        next(iterator)
    assert next(iterator).numpy() == 2
    with pytest.raises(StopIteration):
        next(iterator)


def test_an_error_in_a_generator_keeps_its_cause():
    def generator():
        yield 1
        raise KeyError("gone")

    iterator = iter(D.from_generator(generator, output_signature=tf.TensorSpec([], tf.int32)))
    assert next(iterator).numpy() == 1
    with pytest.raises(tf.errors.UnknownError, match="KeyError: 'gone'") as raised:
        next(iterator)
    assert isinstance(raised.value.__cause__, KeyError)


def test_ignore_errors_drops_what_fails():
    dataset = D.from_tensor_slices([2, 0, 1]).map(lambda x: 8 // x).ignore_errors()
    assert values(dataset) == [4, 8]


# -- threads


def prefetch_threads():
    return [t for t in threading.enumerate() if t.name.startswith("torchtf-data")]


def wait_until(condition, seconds: float = 60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_prefetch_works_ahead_by_its_size():
    produced, dataset = counted()
    iterator = iter(dataset.prefetch(5))
    assert next(iterator).numpy() == 0
    wait_until(lambda: len(produced) >= 6)
    time.sleep(0.05)
    assert len(produced) <= 7  # the buffer, the one taken, and one under way


def test_prefetch_hands_on_errors_in_their_place():
    dataset = D.from_tensor_slices([2, 0, 1]).map(lambda x: 8 // x).prefetch(2)
    iterator = iter(dataset)
    assert next(iterator).numpy() == 4
    with pytest.raises(tf.errors.InvalidArgumentError):
        next(iterator)
    assert next(iterator).numpy() == 8


def test_threads_end_with_the_iteration_and_when_it_is_given_up():
    dataset = D.range(10**6).batch(10).prefetch(2)
    for _ in dataset.take(3):
        pass
    iterator = iter(dataset)
    next(iterator)
    del iterator
    wait_until(lambda: not prefetch_threads())


def test_parallel_calls_overlap_and_keep_the_order():
    two = threading.Barrier(2)

    def in_pairs(x):
        two.wait(60)  # raises unless another call comes
        return x

    dataset = D.range(8).map(
        lambda x: tf.py_function(in_pairs, [x], tf.int64), num_parallel_calls=4
    )
    assert values(dataset) == list(range(8))
    wait_until(lambda: not prefetch_threads())


# -- explain, raw iteration


def test_explain_shows_both_plans_and_times():
    text = D.range(1000).map(lambda x: x + 1).take(-1).batch(10).explain()
    written, run = text.split("Plan as run")
    assert "Take(-1)" in written and "Take(-1)" not in run
    assert "Map(<lambda>) [vectorized]" in run and "100 elements" in text


def test_raw_iteration_gives_torch_tensors():
    import torch

    dataset = D.from_tensor_slices(({"a": [1.0, 2.0]}, [1, 2])).batch(1)
    rows = list(dataset._iterate_raw())
    assert len(rows) == 2 and type(rows[0][0]["a"]) is torch.Tensor
    assert rows[1][0]["a"].tolist() == [2.0]


def test_chains_on_chunks_write_over_values_only_when_nothing_needs_them_any_more():
    def chain(x):
        scaled = tf.cast(x, tf.float32) / 255.0
        sums = scaled * 2.0 + tf.reduce_mean(scaled)
        flat = tf.reshape(sums, [-1]) - 1.0
        return tf.clip_by_value(flat, 0.0, 1.0), scaled, sums - scaled

    images = np.random.default_rng(0).integers(0, 255, (50, 4, 4, 3), dtype=np.uint8)
    dataset = D.from_tensor_slices(images).map(chain)
    for image, results in zip(images, dataset, strict=True):
        for got, want in zip(results, chain(tf.constant(image)), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    assert dataset._node.function.vectorizes is True
    assert (dataset._node.source.chunk.columns[0].numpy() == images).all()


def test_batches_of_chunks_that_are_no_multiples():
    function = lambda x: tf.zeros([40_000]) + tf.cast(x, tf.float32)  # noqa: E731
    sizes = [b.shape[0] for b in D.range(500).map(function).batch(7)]
    assert sizes == [7] * 71 + [3]
    rows = [b[:, 0].numpy() for b in D.range(500).map(function).batch(7)]
    assert np.concatenate(rows).tolist() == list(range(500))


def test_a_choice_for_each_row_copies_only_what_is_chosen():
    rng = np.random.default_rng(0)
    images = rng.random((60, 4, 5, 3), dtype=np.float32)

    def steps(x):
        flipped = tf.where(x[0, 0, 0] > 0.5, tf.reverse(x, [1]), x)
        kept = x * 2.0
        other = tf.where(x[0, 0, 0] > 0.5, kept + 1.0, kept)  # `kept` is needed behind it
        both = tf.where(x[1, 0, 0] > 0.5, tf.reverse(kept, [0]), kept)
        return flipped, other, both, kept, tf.clip_by_value(kept + 0.0, 0.5, 1.0)

    whole = D.from_tensor_slices(images).map(steps)
    singly = D.from_tensor_slices(images).map(steps)
    singly._node.function.go_one_by_one()
    for a, b in zip(whole.batch(60), singly.batch(60), strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
    assert whole._node.function.vectorizes is True
    np.testing.assert_array_equal(next(iter(whole.batch(60)))[3], images * 2)

    flips = D.from_tensor_slices(images).map(tf.image.random_flip_left_right)
    found = values(flips.batch(60))[0]
    mirrored = [np.array_equal(x, y[:, ::-1]) for x, y in zip(found, images, strict=True)]
    same = [np.array_equal(x, y) for x, y in zip(found, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 10 < sum(mirrored) < 50


def test_batches_behind_a_filter_come_many_at_a_time():
    dataset = D.range(10_000).filter(lambda x: x % 3 == 0).batch(32)
    stage = Run(dataset.options()).start(dataset._optimized())
    sizes = []
    while (chunk := stage.next(min(4 ** len(sizes), 64))) is not None:
        sizes.append(chunk.size)
    assert sum(sizes) == 105
    assert len(sizes) < 20
    assert values(dataset.unbatch()) == list(range(0, 10_000, 3))


@pytest.mark.parametrize(
    "name", ["map", "parallel", "flat_map", "filter", "chain", "host", "batched"]
)
def test_errors_of_functions_name_the_transformation_and_its_place(name):
    def pipeline(tf, bad):
        D = tf.data.Dataset.range(4)
        return {
            "map": lambda: D.map(bad),
            "parallel": lambda: D.map(bad, num_parallel_calls=2).prefetch(1),
            "flat_map": lambda: D.flat_map(lambda x: tf.data.Dataset.from_tensors(bad(x))),
            "filter": lambda: D.filter(lambda x: bad(x) > 0),
            "chain": lambda: D.map(bad).repeat(2).shuffle(3),
            "host": lambda: D.map(lambda x: tf.io.read_file("/no/such/file")),
            "batched": lambda: D.map(bad).batch(2),
        }[name]()

    def message(tf):
        with pytest.raises(tf.errors.OpError) as caught:
            list(pipeline(tf, lambda x: 6 // (x - 2)))
        return type(caught.value).__name__, re.sub(r"Dataset(V\d)?:\d+", "", str(caught.value))

    import tensorflow

    assert message(tf) == message(tensorflow)
