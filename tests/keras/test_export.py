"""`model.export` and `ExportArchive` write what TensorFlow's Keras writes: TensorFlow cannot tell."""

from __future__ import annotations

import json

import numpy as np
import pytest

import torchtf as tf

keras = tf.keras

# runs in both: `folder / name` for each artifact
WRITE = """
def dense(units, **options):
    return keras.layers.Dense(units, kernel_initializer="ones", **options)

def write(folder):
    path = lambda name: str(folder / name)
    plain = keras.Sequential([
        keras.Input((4,), name="features"), dense(3), keras.layers.Dropout(0.5),
        keras.layers.BatchNormalization()])

    a, b = keras.Input((4,), name="a"), keras.Input((2,), dtype="int32", name="b")
    joined = keras.layers.Concatenate()([a, keras.ops.cast(b, "float32")])
    keras.Model([a, b], {"u": dense(1)(joined), "v": dense(2)(joined)}).export(
        path("list"), verbose=False)
    keras.Model({"a": a, "b": b}, [dense(1)(joined), dense(2)(joined)]).export(
        path("dict"), verbose=False)

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = dense(2)

        def call(self, x, training=False):
            return self.dense(x)

    own = Own()
    own(tf.ones((2, 4)))
    own.export(path("subclass"), verbose=False)
    own.export(path("tensor_spec"), verbose=False, input_signature=[
        tf.TensorSpec((3, 4), tf.float32, name="fixed")])

    archive = keras.export.ExportArchive()
    archive.track(plain)
    archive.add_endpoint("serve", plain.call, [keras.InputSpec(shape=(None, 4), dtype="float32")])
    archive.add_endpoint(
        "train", lambda x: plain.layers[-1](plain.layers[0](x), training=True),
        [tf.TensorSpec((None, 4))])
    archive.add_endpoint(
        "double", lambda q, w: {"y": plain(q) * 2, "z": w},
        [tf.TensorSpec((None, 4)), tf.TensorSpec((None, 2), tf.int32)])
    traced = tf.function(lambda q: plain(q) + 1)
    traced(tf.ones((2, 4)))
    archive.add_endpoint("traced", traced)
    archive.add_variable_collection("kernels", [plain.weights[0]])
    archive.write_out(path("archive"), verbose=False)
"""

# what a TensorFlow program sees of the artifacts
DESCRIBE = """
def spec(s):
    return [s.name, s.dtype.name, s.shape.as_list()]

def describe(folder):
    x, n = tf.constant(np.arange(12, dtype="float32").reshape(3, 4) / 10), tf.ones((3, 2), tf.int32)
    given = {"a": x, "b": n, "q": x, "w": n}
    found = {}
    for path in sorted(folder.iterdir()):
        loaded = tf.saved_model.load(str(path))
        found[path.name] = {
            "attributes": sorted(k for k in vars(loaded) if k[0] != "_" and "ersion" not in k
                                 and k != "graph_debug_info"),
            "variables": [len(getattr(loaded, k)) for k in (
                "variables", "trainable_variables", "non_trainable_variables")],
            "signatures": {}}
        for key, function in sorted(loaded.signatures.items()):
            inputs = function.structured_input_signature[1]
            values = {k: given.get(k, x)[: s.shape[0]] for k, s in inputs.items()}
            found[path.name]["signatures"][key] = [
                {k: spec(s) for k, s in sorted(inputs.items())},
                {k: spec(s) for k, s in sorted(function.structured_outputs.items())},
                {k: np.round(v, 4).tolist() for k, v in sorted(function(**values).items())}]
        serve = getattr(loaded, "serve")
        argument = {"list": [x, n], "dict": {"a": x, "b": n}}.get(path.name, x)
        found[path.name]["serve"] = tf.nest.map_structure(
            lambda t: np.round(t, 4).tolist(), serve(argument))
        if path.name == "archive":
            found["collection"] = [v.shape.as_list() for v in loaded.kernels]
            found["moved"] = [np.round(v, 4).tolist() for v in loaded.non_trainable_variables[1:]]
    return found
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ours")
    space = {"tf": tf, "keras": keras}
    exec(WRITE, space)
    space["write"](folder)
    return folder


def test_tensorflow_sees_what_its_own_keras_writes(written, tmp_path, run_python):
    (tmp_path / "theirs").mkdir()
    code = f"""
import json, sys
from pathlib import Path
import keras, numpy as np, tensorflow as tf
{WRITE}
{DESCRIBE}
write(Path("theirs"))
print(json.dumps([describe(Path("theirs")), describe(Path({str(written)!r}))]))
"""
    theirs, ours = json.loads(run_python(code).splitlines()[-1])
    assert ours == theirs

    x = np.ones((3, 4), np.float32)
    layer = keras.layers.TFSMLayer(str(tmp_path / "theirs" / "subclass"))
    np.testing.assert_allclose(layer(x)["output_0"], np.full((3, 2), 4), rtol=1e-6)
    model = keras.Sequential([keras.Input((4,)), layer])
    with pytest.raises(NotImplementedError, match="Call it eagerly"):
        model.predict(x, verbose=0)
    model.compile(run_eagerly=True)
    assert model.predict(x, verbose=0)["output_0"].shape == (3, 2)


def test_our_own_loader_sees_the_same(written):
    x = np.arange(12, dtype=np.float32).reshape(3, 4) / 10
    loaded = tf.saved_model.load(str(written / "archive"))
    assert [len(loaded.variables), len(loaded.trainable_variables)] == [7, 4]
    assert loaded.kernels[0] is loaded.variables[0]
    before = loaded.non_trainable_variables[1].numpy()
    served = loaded.serve(x)
    np.testing.assert_allclose(loaded.double(x, np.ones((3, 2), np.int32))["y"], served * 2)
    loaded.train(x)
    assert (loaded.non_trainable_variables[1].numpy() != before).any()


def test_a_layer_of_an_artifact(written):
    x = np.arange(12, dtype=np.float32).reshape(3, 4) / 10
    loaded = tf.saved_model.load(str(written / "archive"))
    folder = str(written / "archive")
    layer = keras.layers.TFSMLayer(folder, "serve", call_training_endpoint="train")
    assert len(layer.trainable_weights) == 4
    np.testing.assert_allclose(layer(x), loaded.serve(x))
    np.testing.assert_allclose(layer(x, training=True), loaded.train(x), rtol=1e-6)
    assert keras.layers.TFSMLayer(folder, "serving_default")(x)["output_0"].shape == (3, 3)
    with pytest.raises(ValueError, match="The endpoint 'nope' is neither an attribute"):
        keras.layers.TFSMLayer(folder, "nope")
    model = keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    # rows that do not lie on a line: batch normalization cancels a gradient along one
    x = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    old = layer.trainable_weights[0].numpy()
    model.fit(x, x[:, :1], verbose=0)
    assert (layer.trainable_weights[0].numpy() != old).any()


def test_exporting_a_training_step_leaves_the_model_alone(tmp_path):
    layer = keras.layers.BatchNormalization()
    layer.build((None, 4))
    before = [w.numpy() for w in layer.weights]
    train = tf.function(
        lambda x: layer(x, training=True), input_signature=[tf.TensorSpec((None, 4))]
    )
    tf.saved_model.save(tf.Module(), str(tmp_path / "m"), signatures=train)
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_errors(tmp_path):
    class Own(keras.Model):
        pass

    archive = keras.export.ExportArchive()
    with pytest.raises(ValueError, match="No endpoints have been set yet"):
        archive.write_out(tmp_path / "m")
    with pytest.raises(ValueError, match="has not yet been built"):
        archive.track(Own())
    with pytest.raises(ValueError, match="Invalid resource type"):
        archive.track(3)
    archive.track(tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1], [2]), 0))
    with pytest.raises(ValueError, match="you must provide an `input_signature`"):
        archive.add_endpoint("serve", lambda x: x)
    with pytest.raises(ValueError, match="has never been called"):
        archive.add_endpoint("serve", tf.function(lambda x: x))
    archive.add_endpoint("serve", lambda x: x, [tf.TensorSpec([None])])
    with pytest.raises(ValueError, match="already taken"):
        archive.add_endpoint("serve", lambda x: x, [tf.TensorSpec([None])])


def test_the_message_names_the_endpoints(tmp_path, capsys):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    assert model.export(tmp_path / "m") is None
    printed = capsys.readouterr().out
    assert f"Saved artifact at '{tmp_path / 'm'}'. The following endpoints are available" in printed
    assert "* Endpoint 'serve'\n  args_0 " in printed


def test_a_tflite_file(tmp_path):
    model = keras.Sequential([keras.Input((4,), name="features"), keras.layers.Dense(3)])
    x = np.float32([[1, 2, 3, 4]])
    model.export(tmp_path / "m.tflite", format="litert", verbose=False)
    run = tf.lite.Interpreter(str(tmp_path / "m.tflite")).get_signature_runner()
    np.testing.assert_allclose(run(features=x)["output_0"], model(x), rtol=1e-5)
    with pytest.raises(ValueError, match="Unknown converter attribute 'speed'"):
        model.export(tmp_path / "m.tflite", format="litert", speed=9)


def test_an_artifact_becomes_a_tflite_file_and_other_keywords_are_nothing(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.export(str(tmp_path / "m"), verbose=False, speed=9)
    content = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "m")).convert()
    assert list(tf.lite.Interpreter(model_content=content).get_signature_list()) == [
        "serving_default"
    ]


class WithFunctions(keras.Model):
    """Functions as methods, `call` among them, and as attributes, below the model, too."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2, kernel_initializer="ones")
        self.dense.double = tf.function(lambda x: self.dense(x) * 2.0)
        self.count = tf.Variable(3.0)

    @tf.function
    def call(self, x):
        return self.dense(x)

    @tf.function(input_signature=[tf.TensorSpec([None, 3])])
    def serve(self, x):
        return {"y": self(x), "count": self.count}


def test_functions_of_a_model_are_saved(tmp_path):
    import tensorflow

    model = WithFunctions()
    model(tf.ones((1, 3)))
    model.dense.double(tf.ones((2, 3)))
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.shifted = tf.function(lambda x: x + model.count)
    model.shifted.get_concrete_function(tf.TensorSpec([]))
    tf.saved_model.save(model, str(tmp_path / "model"))
    x = np.ones((2, 3), "float32")
    expected = model(x).numpy()
    for module in (tf, tensorflow):
        loaded = module.saved_model.load(str(tmp_path / "model"))
        x = module.constant(x)
        assert list(loaded.signatures) == ["serving_default"]
        signature = loaded.signatures["serving_default"]
        np.testing.assert_allclose(signature(inputs=x)["output_0"], expected, rtol=1e-6)
        np.testing.assert_allclose(loaded.serve(x)["y"], expected, rtol=1e-6)
        np.testing.assert_allclose(loaded.dense.double(x), expected * 2, rtol=1e-6)
        np.testing.assert_allclose(loaded.call(x[:1]), expected[:1], rtol=1e-6)
        loaded.count.assign(4.0)
        assert float(loaded.serve(x)["count"]) == 4.0 and float(loaded.shifted(x[0, 0])) == 5.0
        with pytest.raises(ValueError, match="Could not find matching concrete function"):
            loaded.dense.double(x[:1])
        x = x.numpy()
