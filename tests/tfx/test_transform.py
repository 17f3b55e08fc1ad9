"""Analyzers and mappers over batches, against NumPy over the whole."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest

import torchtf as tf
from torchtf import tensorflow_transform as tft
from torchtf.tensorflow_transform._analysis import analyze
from torchtf.tensorflow_transform.tf_metadata import schema_utils

ROWS = 53
_rng = np.random.default_rng(1)
X = _rng.normal(5, 3, (ROWS, 1)).astype(np.float32)
X[3] = X[4]
PAIRS = _rng.normal(0, 2, (ROWS, 2)).astype(np.float32)
N = _rng.integers(0, 9, (ROWS, 1))
WORDS = np.array([["a"], ["b"], ["b"], ["c"], ["c"]] * 10 + [["d"], [""], ["e\n"]], object)
SPEC = {
    "x": tf.io.FixedLenFeature([1], tf.float32),
    "pairs": tf.io.FixedLenFeature([2], tf.float32),
    "n": tf.io.FixedLenFeature([1], tf.int64),
    "s": tf.io.FixedLenFeature([1], tf.string),
    "sparse": tf.io.VarLenFeature(tf.float32),
}


def columns(start=0, stop=ROWS):
    part = slice(start, stop)
    rows = np.arange(start, min(stop, ROWS), 2)  # every other row has a value
    count = min(stop, ROWS) - start
    sparse = tf.SparseTensor(
        np.stack([rows - start, 0 * rows], 1), X[rows, 0], [count, 1 if len(rows) else 0]
    )
    return {
        "x": tf.constant(X[part]), "pairs": tf.constant(PAIRS[part]), "n": tf.constant(N[part]),
        "s": tf.constant(WORDS[part].tolist()), "sparse": sparse,
    }  # fmt: skip


def transform(function, tmp_path, passes=None):
    seen = []

    def batches():
        seen.append(1)
        return (columns(i, i + 10) for i in range(0, ROWS, 10))

    made = analyze(function, SPEC, batches, str(tmp_path / "vocabularies"))
    if passes is not None:
        assert len(seen) == passes
    return made, made(columns())


def test_scaling_against_numpy(tmp_path):
    made, out = transform(
        lambda i: {
            "z": tft.scale_to_z_score(i["x"]),
            "each": tft.scale_to_z_score(i["pairs"], elementwise=True),
            "n": tft.scale_to_z_score(i["n"]),
            "unit": tft.scale_to_0_1(i["x"]),
            "range": tft.scale_by_min_max(i["n"], -1.0, 3.0),
            "sparse": tft.scale_to_z_score(i["sparse"]),
            "constant": tft.scale_to_z_score(tf.ones_like(i["x"])),
        },
        tmp_path, passes=1,
    )  # fmt: skip
    np.testing.assert_allclose(out["z"], (X - X.mean()) / X.std(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        out["each"], (PAIRS - PAIRS.mean(0)) / PAIRS.std(0), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(out["n"], (N - N.mean()) / N.std(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(out["unit"], (X - X.min()) / (X.max() - X.min()), atol=1e-6)
    np.testing.assert_allclose(out["range"], (N - N.min()) / (N.max() - N.min()) * 4 - 1, atol=1e-6)
    some = X[::2, 0]
    np.testing.assert_allclose(
        out["sparse"].values, (some - some.mean()) / some.std(), rtol=1e-4, atol=1e-5
    )
    assert not out["constant"].numpy().any()
    spec = schema_utils.schema_as_feature_spec(made.schema).feature_spec
    assert isinstance(spec["sparse"], tf.io.VarLenFeature) and spec["each"].shape == [2]


def test_analyzers_against_numpy(tmp_path):
    def function(i):
        row = tf.stack([
            tft.mean(i["x"]), tft.var(i["x"]), tft.min(i["x"]), tft.max(i["x"]), tft.sum(i["x"]),
            tf.cast(tft.size(i["x"]), tf.float32), tf.cast(tft.sum(i["n"]), tf.float32),
        ])  # fmt: skip
        return {
            "row": tf.zeros_like(i["x"]) + row,
            "boundaries": tft.quantiles(i["x"], 4) + 0 * i["x"],
        }

    _, out = transform(function, tmp_path, passes=1)
    want = [X.mean(), X.var(), X.min(), X.max(), X.sum(), X.size, N.sum()]
    np.testing.assert_allclose(out["row"][0], want, rtol=1e-4)
    values = np.sort(X[:, 0])
    np.testing.assert_array_equal(out["boundaries"][0], [values[ROWS * k // 4] for k in (1, 2, 3)])


def test_an_analyzer_of_an_analyzer_takes_two_passes(tmp_path):
    def function(i):
        scaled = tft.scale_to_z_score(i["x"])
        return {"bucket": tft.bucketize(scaled, 4), "plain": tft.bucketize(i["x"], 4)}

    made, out = transform(function, tmp_path, passes=2)
    np.testing.assert_array_equal(out["bucket"], out["plain"])
    assert max(Counter(out["bucket"].numpy().ravel().tolist()).values()) <= 14
    domain = schema_utils.schema_as_feature_spec(made.schema).domains["bucket"]
    assert (domain.min, domain.max, domain.is_categorical) == (0, 3, True)


def test_vocabularies(tmp_path):
    def function(i):
        size_known = tft.compute_and_apply_vocabulary(i["s"], vocab_filename="words")
        depth = tft.experimental.get_vocabulary_size_by_name("words")
        file = tft.vocabulary(i["s"], vocab_filename="top", top_k=1, store_frequency=True)
        return {
            "s": size_known,
            "hot": tf.reshape(tf.one_hot(size_known, tf.cast(depth, tf.int32)), [-1, depth]),
            "oov": tft.apply_vocabulary(i["s"], file, num_oov_buckets=1),
            "n": tft.compute_and_apply_vocabulary(i["n"], frequency_threshold=2, default_value=-7),
        }

    made, out = transform(function, tmp_path)
    folder = tmp_path / "vocabularies"
    # by frequency, then in reverse order; no empty strings, no line breaks
    assert (folder / "words").read_text() == "c\nb\na\nd\n"
    assert (folder / "top").read_text() == "20 c\n"
    order = {"c": 0, "b": 1, "a": 2, "d": 3}
    want = [[order.get(w, -1)] for w in WORDS[:, 0]]
    np.testing.assert_array_equal(out["s"], want)
    assert out["hot"].shape == (ROWS, 4) and out["hot"][0].numpy().tolist() == [0, 0, 1, 0]
    np.testing.assert_array_equal(out["oov"], [[int(w != "c")] for w in WORDS[:, 0]])
    counts = sorted(
        ((c, str(v)) for v, c in Counter(N[:, 0].tolist()).items() if c > 1), reverse=True
    )
    place = {v: i for i, (_, v) in enumerate(counts)}
    np.testing.assert_array_equal(out["n"], [[place.get(str(v), -7)] for v in N[:, 0]])
    domain = schema_utils.schema_as_feature_spec(made.schema).domains["s"]
    assert (domain.min, domain.max) == (-1, 3)


def test_tables_and_functions_of_the_user(tmp_path):
    def function(i):
        keys = ["a", "b"]
        initializer = tf.lookup.KeyValueTensorInitializer(
            keys=keys, values=tf.cast(tf.range(len(keys)), tf.int64), key_dtype=tf.string,
            value_dtype=tf.int64,
        )  # fmt: skip
        table = tf.lookup.StaticHashTable(initializer, default_value=-1)
        dense = tft.sparse_tensor_to_dense_with_shape(i["sparse"], [None, 1])
        return {"t": table.lookup(i["s"]), "h": tft.hash_strings(i["s"], 5), "d": dense,
                "b": tft.apply_buckets(i["x"], [[4.0, 6.0]])}  # fmt: skip

    _, out = transform(function, tmp_path, passes=0)
    np.testing.assert_array_equal(out["t"], [[{"a": 0, "b": 1}.get(w, -1)] for w in WORDS[:, 0]])
    np.testing.assert_array_equal(out["h"], tf.strings.to_hash_bucket_fast(WORDS, 5))
    np.testing.assert_array_equal(out["d"][:, 0], np.where(np.arange(ROWS) % 2, 0, X[:, 0]))
    np.testing.assert_array_equal(out["b"], np.searchsorted([4.0, 6.0], X, "right"))


@pytest.mark.parametrize(
    "function, kind, message",
    [
        (lambda i: [i["x"]], ValueError, "must return a Dict"),
        (lambda i: {}, ValueError, "empty dict"),
        (lambda i: {"x": 1}, ValueError, "must return a Dict"),
        (lambda i: {"x": tft.mean(i["x"])}, ValueError, "invalid shape"),
        (lambda i: {"x": tft.scale_to_z_score(i["s"])}, TypeError, "takes a numeric tensor"),
        (
            lambda i: {"x": tft.compute_and_apply_vocabulary(i["x"])},
            ValueError,
            "string or integer",
        ),
        (lambda i: {"x": tft.bucketize(i["x"], 2.5)}, TypeError, "num_buckets must be an int"),
        (lambda i: {"x": tft.scale_by_min_max(i["x"], 1, 0)}, ValueError, "must be less than"),
        (
            lambda i: {"x": tft.compute_and_apply_vocabulary(i["s"], key_fn=str)},
            NotImplementedError,
            "key_fn",
        ),
        (lambda i: {"x": i["missing"]}, KeyError, "missing"),
    ],
)
def test_errors(function, kind, message, tmp_path):
    with pytest.raises(kind, match=message):
        transform(function, tmp_path)


def test_analyzers_outside_and_names_that_are_not_there():
    with pytest.raises(RuntimeError, match="in a preprocessing_fn"):
        tft.mean(tf.constant([1.0]))
    with pytest.raises(NotImplementedError, match=r"tf\.strings\.ngrams"):
        tft.ngrams  # noqa: B018
    from torchtf.tensorflow_transform import beam

    with pytest.raises(NotImplementedError, match="Apache Beam"):
        beam.Context  # noqa: B018


def test_specs_and_schemas():
    schema = schema_utils.schema_from_feature_spec(SPEC)
    spec = schema_utils.schema_as_feature_spec(schema).feature_spec
    assert list(spec) == sorted(SPEC) and spec["pairs"].shape == [2]
    assert spec["s"].dtype is tf.string and isinstance(spec["sparse"], tf.io.VarLenFeature)
    with pytest.raises(ValueError, match="invalid dtype bool"):
        schema_utils.schema_from_feature_spec({"b": tf.io.FixedLenFeature([], tf.bool)})
    schema.feature[0].presence.min_fraction = 0.5
    with pytest.raises(ValueError, match="had shape but min_fraction"):
        schema_utils.schema_as_feature_spec(schema)
    assert (
        os.path.basename(tft.TFTransformOutput("/none").transform_savedmodel_dir) == "transform_fn"
    )
