"""Strings, lookup tables and protos in SavedModels: TensorFlow computes what torchtf does."""

from __future__ import annotations

import json

import numpy as np
import pytest

import torchtf as tf
from export.__main__ import main
from tests.export import string_programs

PROGRAMS = string_programs.programs(tf)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("strings") / "1")
    signatures = {
        name: tf.function(function, input_signature=specs)
        for name, (function, specs, _) in PROGRAMS.items()
    }
    tf.saved_model.save(tf.Module(), path, signatures=signatures)
    return path


def test_tensorflow_runs_them(folder, run_python):
    code = f"""
        import json, tensorflow as tf
        from tests.export.string_programs import answers, differences, programs
        known = programs(tf)
        model = tf.saved_model.load({folder!r})
        print(json.dumps(differences(answers(tf, known), answers(tf, known, model))))
    """
    assert json.loads(run_python(code).splitlines()[-1]) == []


def test_torchtf_runs_them_again(folder):
    model = tf.saved_model.load(folder)
    want = string_programs.answers(tf, PROGRAMS)
    assert string_programs.differences(want, string_programs.answers(tf, PROGRAMS, model)) == []

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def around(text):
        return tf.strings.join([model.signatures["texts"](text=text)["lower"], "!"])

    assert around(tf.constant(["AB"])).numpy().tolist() == [b"ab!"]


class Classifier(tf.Module):
    """A vocabulary, a table and a function that uses both."""

    def __init__(self, file):
        super().__init__()
        self.lines = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                file, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
            ), -1,
        )  # fmt: skip
        pairs = tf.lookup.KeyValueTensorInitializer(["good", "bad"], tf.constant([0, 1], tf.int64))
        self.index = tf.lookup.StaticHashTable(pairs, 2)
        self.counts = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
        self.counts.insert(tf.constant(["good"]), tf.constant([7], tf.int64))
        self.weights = tf.Variable([1.0, -1.0, 0.0])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def __call__(self, text):
        words = tf.strings.split(tf.strings.lower(text))
        scores = tf.gather(self.weights, self.index.lookup(words).to_tensor(2))
        return {
            "score": tf.reduce_sum(scores, 1),
            "count": self.counts.lookup(text),
            "line": self.lines.lookup(text),
        }


USE = """
def use(tf, folder):
    model = tf.saved_model.load(folder)
    found = model(tf.constant(["good bad GOOD", "good", ""]))
    again = model.signatures["serving_default"](text=tf.constant(["bad"]))
    model.weights.assign([2.0, 0.0, 0.0])
    changed = model(tf.constant(["good"]))
    parts = found["score"], found["count"], found["line"], again["score"], changed["score"]
    return [t.numpy().tolist() for t in parts]
"""


def test_objects_with_tables(tmp_path, run_python):
    path, file = str(tmp_path / "1"), tmp_path / "vocabulary.txt"
    file.write_text("bad\ngood\n")
    tf.saved_model.save(Classifier(str(file)), path)
    file.unlink()
    assert (tmp_path / "1" / "assets" / "vocabulary.txt").read_text() == "bad\ngood\n"
    space: dict = {}
    exec(USE, space)
    code = f"import json, tensorflow as tf\n{USE}\nprint(json.dumps(use(tf, {path!r})))"
    want = [[1.0, 1.0, 0.0], [-1, 7, -1], [-1, 1, -1], [-1.0], [2.0]]
    assert space["use"](tf, path) == json.loads(run_python(code).splitlines()[-1]) == want
    loaded = tf.saved_model.load(path)
    assert loaded.index.lookup(tf.constant(["bad"])).numpy().tolist() == [1]
    loaded.counts.insert(tf.constant(["bad"]), tf.constant([9], tf.int64))
    assert loaded(tf.constant(["bad"]))["count"].numpy().tolist() == [9]
    tf.saved_model.save(loaded, str(tmp_path / "2"))
    again = tf.saved_model.load(str(tmp_path / "2"))
    assert again(tf.constant(["bad"]))["count"].numpy().tolist() == [9]


def test_keras_text_models(tmp_path, run_python):
    layers, texts = tf.keras.layers, ["the cat sat", "on the mat", "a dog and a cat"]
    vectorize = layers.TextVectorization(max_tokens=20, output_sequence_length=5)

    def plain(text):
        return tf.strings.regex_replace(tf.strings.lower(text), "<br />|[.,]", " ")

    counts = layers.TextVectorization(20, plain, output_mode="tf_idf", ngrams=2)
    for layer in (vectorize, counts):
        layer.adapt(np.array(texts))
    text = tf.keras.Input((), dtype="string", name="text")
    colour = tf.keras.Input((1,), dtype="string", name="colour")
    number = tf.keras.Input((1,), dtype="int64", name="number")
    known = layers.StringLookup(vocabulary=["red", "blue"], output_mode="one_hot")
    numbers = layers.IntegerLookup(vocabulary=[10, 20], output_mode="multi_hot")
    embedded = layers.GlobalAveragePooling1D()(layers.Embedding(20, 4)(vectorize(text)))
    joined = layers.Concatenate()([embedded, counts(text), known(colour), numbers(number)])
    probability = layers.Dense(1, activation="sigmoid")(joined)
    model = tf.keras.Model([text, colour, number], probability)
    exported = tf.keras.Sequential([tf.keras.Input((1,), dtype="string"), vectorize])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        features = {
            "text": tf.io.FixedLenFeature([], tf.string),
            "colour": tf.io.FixedLenFeature([1], tf.string, default_value=["red"]),
            "number": tf.io.FixedLenFeature([1], tf.int64),
        }
        found = tf.io.parse_example(examples, features)
        inputs = [found["text"], found["colour"], found["number"]]
        return {"probability": model(inputs, training=False)}

    tf.saved_model.save(model, str(tmp_path / "1"), signatures={"serving_default": serve})
    colours = tf.keras.Sequential([tf.keras.Input((1,), dtype="string"), known])
    colours.save(tmp_path / "colours.keras")
    arguments = [str(tmp_path / "colours.keras"), "--to", "savedmodel", "--quiet"]
    assert main([*arguments, "--output", str(tmp_path / "3")]) == 0
    exported.export(str(tmp_path / "2"), verbose=False)

    def feature(value):
        if isinstance(value, int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))

    row = {"text": "a cat on a bird", "colour": "blue", "number": 20}
    features = tf.train.Features(feature={k: feature(v) for k, v in row.items()})
    record = tf.train.Example(features=features).SerializeToString()
    inputs = [tf.constant([row["text"]]), tf.constant([["blue"]]), tf.constant([[20]], tf.int64)]
    want = [t.numpy().tolist() for t in (model(inputs), vectorize(inputs[0]), known(inputs[1]))]
    code = f"""
        import json, tensorflow as tf
        served = tf.saved_model.load("1").signatures["serving_default"]
        probability = served(tf.constant([{record!r}]))["probability"]
        tokens = tf.saved_model.load("2").serve(tf.constant([["a cat on a bird"]]))
        colours = tf.saved_model.load("3").signatures["serving_default"]
        (colour,) = colours(tf.constant([["blue"]])).values()
        print(json.dumps([t.numpy().tolist() for t in (probability, tokens, colour)]))
    """
    got = json.loads(run_python(code).splitlines()[-1])
    np.testing.assert_allclose(got[0], want[0], rtol=1e-5)
    assert got[1:] == want[1:]
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    np.testing.assert_allclose(served(tf.constant([record]))["probability"].numpy(), want[0])
