"""Corners of `tf.data` that TensorFlow's own tests look at, on TensorFlow and on torchtf."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.compare import compare, describe, modules, plain


def _stops(tf, dtype):
    """A function whose Python code ends like an iterator."""

    def stop(_):
        raise StopIteration

    return lambda x: tf.ensure_shape(tf.numpy_function(stop, [x], dtype), [])


def _numerics(tf, values):
    return tf.data.Dataset.from_tensor_slices(values).map(
        lambda x: tf.debugging.check_numerics(1 / x, "not finite")
    )


def _datasets(tf, n=2):
    return [tf.data.Dataset.range(i + 2) for i in range(n)]


def _empty_round(tf, shuffled):
    sizes = iter([1, 0, 2, 10])

    def generate():
        yield from range(next(sizes))

    made = tf.data.Dataset.from_generator(generate, output_signature=tf.TensorSpec([], tf.int64))
    return (made.shuffle(10, seed=1) if shuffled else made).repeat().take(3)


def _sparse_value(tf, n=10):
    return tf.compat.v1.SparseTensorValue([[i, i] for i in range(n)], list(range(n)), [n, n])


def _growing(tf):
    return tf.data.Dataset.range(1, 4).map(
        lambda i: tf.SparseTensor((i - 1)[None, None], tf.ones([1]), i[None])
    )


def _seedless(tf):
    """A global seed that is taken back: the order is that of no seed."""
    tf.random.set_seed(3)
    tf.random.set_seed(None)
    return tf.data.Dataset.range(4).shuffle(1)


def _scan_of_shapes(tf):
    return (
        tf.data.Dataset.from_tensors(0)
        .repeat(4)
        .scan(
            ([0], 1),
            lambda s, x: ((tf.concat([s[0], s[0]], 0), tf.expand_dims(s[1], 0)), (s, x)),
        )
    )


PIPELINES = {
    "sparse_batch: rank": lambda tf, D: D.from_tensors([[1]]).sparse_batch(4, [12]),
    "sparse_batch: size": lambda tf, D: D.from_tensors(np.arange(13)).sparse_batch(4, [12]),
    "batch of sparse tensors of several shapes": lambda tf, D: _growing(tf).batch(2),
    "SparseTensorValue": lambda tf, D: D.from_tensors(_sparse_value(tf)),
    "slices of a SparseTensorValue": lambda tf, D: D.from_tensor_slices(_sparse_value(tf)),
    "unbatch of dense, sparse, ragged": lambda tf, D: (
        D.from_tensors(
            (list(range(10)), _sparse_value(tf), tf.ragged.constant([[[i]] for i in range(10)]))
        ).unbatch().batch(5).unbatch()
    ),
    "a function that gives a SparseTensorValue": lambda tf, D: D.range(3).map(
        lambda i: tf.compat.v1.SparseTensorValue([[0]], i * [1], [1])
    ),
    "padded_batch: a sparse component": lambda tf, D: (
        D.from_tensors(_sparse_value(tf)).padded_batch(2)
    ),
    "padded_batch: shape of rank 2": lambda tf, D: D.from_tensors([1, 2]).padded_batch(
        5, padded_shapes=[[1, 1], [1, 1]]
    ),
    "padded_batch: shape of floats": lambda tf, D: D.from_tensors([1, 2]).padded_batch(
        5, padded_shapes=tf.constant([1.5, 2.0])
    ),
    "padded_batch: list of floats": lambda tf, D: D.from_tensors([1]).padded_batch(5, [4.5]),
    "padded_batch: int32": lambda tf, D: D.from_tensors([1]).padded_batch(5, tf.constant([4])),
    "rebatch beside None": lambda tf, D: (
        D.range(4).map(lambda x: (x, None)).batch(4, drop_remainder=True).rebatch([2, 2])
    ),
    "reduce: number of components": lambda tf, D: D.range(5).reduce(0, lambda _, __: ()),
    "scan: shapes of the state": lambda tf, D: _scan_of_shapes(tf),
    "an empty round": lambda tf, D: _empty_round(tf, False),
    "an empty round, shuffled": lambda tf, D: _empty_round(tf, True),
    "set_seed(None)": lambda tf, D: _seedless(tf),
    "names of rank 2": lambda tf, D: tf.data.TextLineDataset(D.from_tensors([["a"], ["b"]])),
    "numbers as names": lambda tf, D: tf.data.TFRecordDataset(D.from_tensors(1)),
    "pairs as names": lambda tf, D: tf.data.TFRecordDataset(D.from_tensors(("a", "b"))),
    "numbers as names, fixed": lambda tf, D: tf.data.FixedLengthRecordDataset(D.range(2), 1),
    "datasets: unbatch": lambda tf, D: (
        D.from_tensors(_datasets(tf)).unbatch().flat_map(lambda x: x)
    ),
    "datasets: slices": lambda tf, D: D.from_tensor_slices(_datasets(tf)).flat_map(lambda x: x),
    "datasets: slices of rows": lambda tf, D: (
        D.from_tensor_slices([_datasets(tf), _datasets(tf)]).unbatch().flat_map(lambda x: x)
    ),
    "datasets: batch": lambda tf, D: (
        D.range(4).map(lambda x: D.range(x)).batch(3).unbatch().flat_map(lambda x: x)
    ),
    "datasets: spec of a batch": lambda tf, D: repr(
        D.range(4).map(lambda x: D.range(x)).batch(3).element_spec
    ).replace("tf.", ""),
    "datasets: spec of a list": lambda tf, D: repr(
        D.from_tensors(_datasets(tf)).element_spec
    ).replace("tf.", ""),
    "window: an error between": lambda tf, D: (
        _numerics(tf, [1.0, 0.0, 2.0, 0.0, 4.0])
        .window(2, shift=2, stride=2, drop_remainder=True).flat_map(lambda x: x.batch(2))
    ),
    "window: an error within": lambda tf, D: (
        _numerics(tf, [1.0, 0.0, 2.0, 0.0, 4.0]).window(2).flat_map(lambda x: x.batch(2))
    ),
    "window: overlapping errors": lambda tf, D: (
        _numerics(tf, [1.0, 2.0, 0.0, 4.0, 5.0, 8.0]).window(2, 1).flat_map(lambda x: x.batch(2))
    ),
    "zip: errors": lambda tf, D: D.zip(D.range(4), _numerics(tf, [1.0, 0.0, 4.0, 8.0])),
    "zip: errors first": lambda tf, D: D.zip(_numerics(tf, [1.0, 0.0, 4.0]), D.range(4)),
    "zip: errors in two": lambda tf, D: D.zip(
        D.range(4), _numerics(tf, [1.0, 0.0, 4.0, 8.0]), _numerics(tf, [0.0, 0.0, 4.0, 8.0])
    ),
    "zip: ignore_errors": lambda tf, D: (
        D.zip(_numerics(tf, [1.0, 0.0, 4.0]), D.range(4)).ignore_errors()
    ),
    "sample: weights of zero": lambda tf, D: D.sample_from_datasets(
        [D.range(3), D.range(4)], weights=[0.0, 0.0]
    ),
    "sample: repeated": lambda tf, D: D.sample_from_datasets(
        [D.from_tensors(i).repeat() for i in range(3)], [0.2, 0.3, 0.5], seed=7
    ).take(150),
    "sample: to the end": lambda tf, D: D.sample_from_datasets(
        [D.range(10 * i, 10 * i + 3 * i + 2) for i in range(4)], seed=5
    ),
    "sample: stop": lambda tf, D: D.sample_from_datasets(
        [D.range(100), D.range(200, 203)], seed=5, stop_on_empty_dataset=True
    ),
    "sample: weights that change": lambda tf, D: D.sample_from_datasets(
        [D.range(20), D.range(100, 120)], D.from_tensor_slices([[1.0, 0], [0, 1.0]] * 9), seed=5
    ),
    "choose: errors": lambda tf, D: D.choose_from_datasets(
        [_numerics(tf, [1.0, 0.0, 4.0, 8.0]), D.range(4).map(lambda x: tf.cast(x, tf.float32))],
        D.range(2).repeat(3),
    ),
    "choose: out of range": lambda tf, D: D.choose_from_datasets(
        [D.range(9), D.range(20, 29)], D.from_tensor_slices(np.int64([0, 1, 2, 0]))
    ),
    "choose: generators": lambda tf, D: D.choose_from_datasets(
        [D.from_generator(lambda: iter([1, 2]), tf.int64), D.range(20, 29)], D.range(2).repeat(4),
        stop_on_empty_dataset=False,
    ),
    "group_by_window: for ever": lambda tf, D: (
        D.range(3).repeat().group_by_window(lambda x: x, lambda k, d: d.batch(2), 2).take(4)
    ),
    "options: lists are joined": lambda tf, D: (
        D.range(5).with_options(_framework(tf, "a")).with_options(_framework(tf, "b"))
        .options().framework_type
    ),
}  # fmt: skip


def _framework(tf, name):
    options = tf.data.Options()
    options.framework_type = [name]
    return options


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines(name):
    compare(lambda tf: PIPELINES[name](tf, tf.data.Dataset))


STOPS = {
    "map": lambda tf, D: D.range(3).map(_stops(tf, tf.int64)),
    "parallel map": lambda tf, D: D.range(3).map(_stops(tf, tf.int64), num_parallel_calls=2),
    "scan": lambda tf, D: D.range(3).scan(0, lambda s, x: (s, _stops(tf, tf.int64)(x))),
    "filter": lambda tf, D: D.range(3).filter(_stops(tf, tf.bool)),
    "take_while": lambda tf, D: D.range(3).take_while(_stops(tf, tf.bool)),
    "flat_map": lambda tf, D: D.range(3).flat_map(lambda x: D.range(_stops(tf, tf.int64)(x))),
    "interleave": lambda tf, D: D.range(3).interleave(lambda x: D.range(_stops(tf, tf.int64)(x))),
    "group_by_window": lambda tf, D: D.range(3).group_by_window(
        _stops(tf, tf.int64), lambda k, d: d.batch(2), 2
    ),
    "reduce": lambda tf, D: D.range(3).reduce(
        np.int64(0), lambda s, x: _stops(tf, tf.int64)(x)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STOPS)
def test_a_function_that_ends_does_not_end_the_iteration(name):
    compare(lambda tf: STOPS[name](tf, tf.data.Dataset), texts=False)


def test_an_element_too_long_for_its_bucket():
    def make(tf):
        return tf.data.Dataset.from_tensors([1] * 5).bucket_by_sequence_length(
            lambda x: tf.shape(x)[0], [2, 4], [2, 2, 2], pad_to_bucket_boundary=True
        )

    seen = compare(make, texts=False, errors=1)
    assert seen.errors[0][0] == "InternalError"


ACCESS = """
D.range(3).repeat(2)
D.range(3).repeat()
D.range(5).batch(2)
D.range(5).batch(2, drop_remainder=True)
D.range(5).batch(2).map(lambda x: x + 1)
D.range(3).concatenate(D.range(10, 12))
D.range(3).skip(-1)
D.range(4).repeat(2).skip(1)
D.range(4).repeat(2).take(5)
D.range(3).map(lambda x: x * 2, num_parallel_calls=2)
D.zip(D.range(3), D.range(5).repeat(2))
D.range(3).prefetch(1)
D.range(3).cache()
D.from_tensor_slices([[1, 2], [3, 4]]).unbatch()
D.range(6).batch(2, drop_remainder=True).unbatch()
D.range(5).filter(lambda x: x > 1)
D.range(3).flat_map(lambda x: D.range(2))
""".strip().splitlines()


@pytest.mark.parametrize("text", ACCESS)
def test_access_at_random(text):
    def found(tf):
        dataset = eval(text, {"tf": tf, "D": tf.data.Dataset})
        seen = []
        for position in (-1, 0, 3, 1, 50):
            try:
                seen.append(plain(tf.data.experimental.at(dataset, position)))
            except Exception as e:
                seen.append(describe(e))
        return seen

    want, got = map(found, modules())
    assert got == want


def test_specs_of_datasets():
    def found(tf):
        spec, T = tf.data.DatasetSpec, tf.TensorSpec
        some = [
            spec(T([], tf.int32)), spec(T([], tf.int32), [5]), spec(T([], tf.int32), [6]),
            spec(T([], tf.int32), [None]), spec(T([None], tf.int32)), spec(T([1], tf.int32)),
            spec(spec(T([1], tf.int32))), spec(spec(T([None], tf.int32))),
        ]  # fmt: skip
        return [
            (a == b, a.is_compatible_with(b), a.is_subtype_of(b), repr(a)) for a in some
            for b in some
        ]  # fmt: skip

    want, got = map(found, modules())
    assert [x[:3] for x in got] == [x[:3] for x in want]


def test_a_dataclass_whose_method_needs_an_instance():
    import dataclasses

    @dataclasses.dataclass
    class Pair:
        label: str
        first: object
        second: object

        def __tf_flatten__(self):
            return (self.label,), (self.first, self.second)

        def __tf_unflatten__(self, metadata, components):
            return Pair(*metadata, *components)

    def make(tf):
        pair = Pair("p", tf.data.Dataset.range(3), tf.data.Dataset.range(3, 6))
        return [
            (x.label, int(x.first), int(x.second)) for x in tf.data.Dataset.zip(pair)
        ]  # fmt: skip

    want, got = map(make, modules())
    assert got == want


def test_evaluate_gives_the_parts_of_sparse_tensors():
    def found(tf):
        class Case(tf.test.TestCase):
            def runTest(self):
                pass

        case = Case()
        tf.debugging.enable_traceback_filtering()  # which that of TensorFlow turns off for good
        value = case.evaluate({"a": tf.sparse.from_dense([[0, 1], [2, 0]])})["a"]
        return type(value).__name__, [plain(part) for part in value]

    want, got = map(found, modules())
    assert got == want


def test_rounds_that_are_read_ahead_draw_no_seeds_of_other_iterators():
    def make(tf):
        dataset = tf.data.Dataset.range(3).shuffle(3, seed=4).repeat()
        first = plain(list(dataset.take(2)))
        return first, plain(list(dataset.take(9)))

    want, got = map(make, modules())
    assert got == want
