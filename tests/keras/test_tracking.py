"""`tf.Variable` and `tf.Module` attributes of layers: weights, training, saving."""

from __future__ import annotations

import io
import zipfile

import h5py
import numpy as np
import pytest
import torch

import torchtf as tf

keras = tf.keras
X = np.ones((4, 3), "float32")


class Block(tf.Module):
    def __init__(self):
        super().__init__()
        self.scale = tf.Variable(4.0, name="scale")
        self.dense = None

    def __call__(self, x):
        if self.dense is None:
            self.dense = keras.layers.Dense(2)
        return self.dense(x) * self.scale


@keras.saving.register_keras_serializable("tests")
class Mixed(keras.layers.Layer):
    """State of every kind: TensorFlow's, Keras', nested, created late."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = tf.Variable(tf.ones((3, 2)), name="w")
        self.steps = tf.Variable(0, trainable=False, name="steps")
        self.parts = [tf.Variable(2.0, name="first"), {"a": tf.Variable(3.0, name="second")}]
        self.late = None

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(2,), initializer="ones")

    def call(self, x):
        if self.late is None:
            self.late = tf.Variable(5.0, name="late")
        self.steps.assign_add(1)
        y = tf.matmul(x, self.w) * self.parts[0] + self.parts[1]["a"] * self.late
        return y * self.kernel


def model():
    return keras.Sequential([keras.Input((3,)), Mixed(name="mixed"), keras.layers.Dense(1)])


def names(variables):
    return [v.name.removesuffix(":0") for v in variables]


def test_weights_are_listed():
    layer = Mixed()
    layer(X)
    assert names(layer.weights) == ["kernel", "w", "first", "second", "late", "steps"]
    assert names(layer.trainable_weights) == ["kernel", "w", "first", "second", "late"]
    assert names(layer.non_trainable_variables) == ["steps"]
    assert layer.count_params() == 2 + 6 + 1 + 1 + 1 + 1
    assert layer.w is layer.trainable_variables[1]


def test_modules_and_what_they_hold():
    class Holder(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.block = Block()
            self.block.owner = self  # a circle, which tf.Module allows

        def call(self, x):
            return self.block(x)

    layer = Holder()
    assert names(layer.weights) == ["scale"]
    layer(X)
    assert sorted(names(layer.weights)) == ["bias", "kernel", "scale"]
    layer.trainable = False
    assert layer.trainable_weights == [] and len(layer.non_trainable_weights) == 3


def test_frozen_layers_below():
    m = model()
    assert len(m.trainable_variables) == 7
    m.layers[0].trainable = False
    assert names(m.trainable_variables) == ["kernel", "bias"]
    assert len(m.non_trainable_variables) == 6
    assert m.layers[0].w.trainable


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "ftrl"])
@pytest.mark.parametrize("eager", [False, True])
def test_they_train_with_the_layers(optimizer, eager):
    m = model()
    m.compile(keras.optimizers.get({"class_name": optimizer, "config": {"use_ema": True}}), "mse",
              run_eagerly=eager)  # fmt: skip
    layer = m.layers[0]
    before = [v.numpy() for v in layer.trainable_weights]
    m.fit(X, np.zeros((4, 1)), batch_size=2, epochs=2, verbose=0)
    assert all((v.numpy() != b).all() for v, b in zip(layer.trainable_weights, before, strict=True))
    assert layer.steps.numpy() == 4


def test_gradients_of_a_tape():
    layer = Mixed()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(X))
    found = tape.gradient(loss, layer.trainable_variables)
    assert [g.shape for g in found] == [v.shape for v in layer.trainable_variables]


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.weights.h5", "folder", "checkpoint"])
def test_saving(tmp_path, name):
    path = str(tmp_path / name)
    m = model()
    m.compile("sgd", "mse")
    m.fit(X, np.zeros((4, 1)), verbose=0)
    if "weights" in name or name == "checkpoint":
        m.save_weights(path)
        loaded = model()
        loaded.load_weights(path)
    else:
        m.save(path)
        loaded = keras.models.load_model(path)
    for a, b in zip(m.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_wrong_number_of_variables(tmp_path):
    m = model()
    m.save_weights(str(tmp_path / "m.weights.h5"))
    m.layers[0].another = tf.Variable(1.0)
    with pytest.raises(ValueError, match="expected 7 variables, but received 6"):
        m.load_weights(str(tmp_path / "m.weights.h5"))


def test_weights_set_and_summarized(capsys):
    m = model()
    m.set_weights([w * 2 for w in m.get_weights()])
    assert m.layers[0].w.numpy().tolist() == [[2.0, 2.0]] * 3
    m.summary()
    assert "Trainable params: 14" in capsys.readouterr().out


def test_a_metric_resets_them():
    class Count(keras.metrics.Metric):
        def __init__(self):
            super().__init__(name="count")
            self.n = tf.Variable(0.0, trainable=False)

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.n.assign_add(tf.cast(tf.shape(y_true)[0], tf.float32))

        def result(self):
            return self.n

    m = model()
    m.compile("sgd", "mse", metrics=[Count()])
    history = m.fit(X, np.zeros((4, 1)), batch_size=2, epochs=2, verbose=0)
    assert history.history["count"] == [4.0, 4.0]


def test_weights_made_while_keras_asks_for_shapes_are_read_by_a_traced_call():
    class Traced(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        @tf.function(input_signature=[tf.TensorSpec([None, 3])])
        def call(self, x):
            return self.dense(x)

    m = Traced()
    m(tf.constant(X))
    assert {v.name for v in m.call.get_concrete_function().variables} == {"kernel", "bias"}
    m.dense.kernel.assign(tf.zeros([3, 2]))
    np.testing.assert_array_equal(m(tf.constant(X)), np.zeros((4, 2)))
    m.compile(keras.optimizers.SGD(0.2), "mse")
    m.fit(X, np.ones((4, 2)), epochs=30, verbose=0)
    np.testing.assert_allclose(m(tf.constant(X)), np.ones((4, 2)), atol=0.02)


def test_private_layers_in_a_keras_file(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Hidden(keras.layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self._dense = keras.layers.Dense(2)

        def build(self, shape):
            self._dense.build(shape)

        def call(self, x):
            return self._dense(x)

    text = keras.layers.TextVectorization(max_tokens=9, output_sequence_length=4)
    text.adapt(np.array(["the cat", "a dog"]))
    words = keras.Sequential([keras.Input((1,), dtype="string"), text])
    numbers = keras.Sequential([keras.Input((3,)), Hidden()])
    for model, x in ((words, tf.constant([["a cat"]])), (numbers, tf.ones([1, 3]))):
        model.save(tmp_path / "m.keras")
        again = keras.models.load_model(tmp_path / "m.keras")
        np.testing.assert_array_equal(again(x).numpy(), model(x).numpy())
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
        assert "vars" in weights["layers/hidden/_dense"]


def test_state_dict_has_them():
    class Holder(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.block = Block()
            self.named = tf.Variable(["text"], trainable=False)  # which PyTorch cannot hold

        def call(self, x):
            return self.block(x)

    def made():
        model = keras.Sequential([keras.Input((3,)), Mixed(), Holder()])
        model(X)
        return model

    first, second = made(), made()
    first.layers[0].w.assign_add(tf.ones((3, 2)))
    first.layers[1].block.scale.assign(7.0)
    assert sorted(first.state_dict()) == [
        "0.kernel", "0.late", "0.parts_0", "0.parts_1_a", "0.steps", "0.w",
        "1.bias", "1.block_scale", "1.kernel",
    ]  # fmt: skip
    assert [n for n, _ in first.named_parameters()] == ["0.kernel", "1.kernel", "1.bias"]
    before = second.layers[0].w.read_value()
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(second.layers[0].w.numpy(), np.full((3, 2), 2.0))
    np.testing.assert_array_equal(before, np.ones((3, 2)))
    assert float(second.layers[1].block.scale) == 7.0
    second.to(torch.float64)
    assert second.layers[0].w.dtype == tf.float64
    tensors = {"0.w": torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)}
    x = torch.ones(4, 3, dtype=torch.float64)
    torch.func.functional_call(second, tensors, (x,)).sum().backward()
    assert tensors["0.w"].grad.abs().sum() > 0


def test_a_variable_is_a_weight_while_an_attribute_holds_it():
    layer = keras.layers.Layer()
    layer.v, layer.kept = tf.Variable(1.0, name="v"), tf.Variable(2.0, name="kept")
    layer.parts, layer.block = [layer.kept], Block()
    kept = layer.kept
    layer.v = tf.Variable(3.0, name="new")
    layer.kept = None
    assert {v.name for v in layer.weights} == {"new:0", "kept:0", "scale:0"}
    assert layer.parts[0] is kept
    del layer.v
    layer.block = None
    assert [v.name for v in layer.trainable_variables] == ["kept:0"]
