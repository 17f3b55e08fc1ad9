"""Habits of Keras 2, and tf ops in functional models."""

from __future__ import annotations

import numpy as np
import pytest

import torchtf as tf

keras = tf.keras
layers = tf.keras.layers
X = np.random.default_rng(0).normal(size=(12, 6)).astype("float32")


def fit(model, y=X, **options):
    return model.fit(X, y, batch_size=6, verbose=0, **options).history


# -- Keras 2


class OldStep(keras.Model):
    """A train step in the style of TensorFlow 2.15's guides."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables, strict=True))
        self.compiled_metrics.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


def test_compiled_loss_and_metrics():
    inputs = keras.Input((6,))
    outputs = layers.Dense(6, kernel_regularizer="l2")(inputs)
    model = OldStep(inputs, outputs)
    model.compile("sgd", "mse", metrics=["mae"])
    history = fit(model, epochs=2)
    assert set(history) == {"loss", "mae"} and history["loss"][1] < history["loss"][0]
    assert [m.name for m in model.compiled_metrics.metrics] == ["mae"]
    assert [m.name for m in model.compiled_loss.metrics] == ["loss"]


def test_add_loss_of_a_callable_and_with_inputs():
    class Layer(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight("w", shape=[6], initializer="ones")
            self.add_loss(lambda: tf.reduce_sum(self.w))

        def call(self, x):
            self.add_loss(tf.reduce_sum(x), inputs=x)
            return x * self.w

    layer = Layer()
    layer(tf.ones([2, 6]))
    assert sorted(float(v) for v in layer.losses) == [6.0, 12.0]
    layer.w.assign(layer.w * 2)
    assert sorted(float(v) for v in layer.losses) == [12.0, 12.0]


def test_add_metric_in_a_layer():
    class Layer(layers.Layer):
        def call(self, x):
            self.add_metric(tf.reduce_mean(x), name="mean", aggregation="mean")
            return x

    model = keras.Sequential([keras.Input((6,)), Layer(), layers.Dense(6)])
    model.compile("sgd", "mse")
    assert fit(model)["mean"][0] == pytest.approx(float(X.mean()), abs=1e-6)
    with pytest.raises(ValueError, match="provide a name"):
        model.layers[0].add_metric(tf.constant(1.0))


def test_losses_and_metrics_of_a_functional_model():
    inputs = keras.Input((6,))
    hidden = layers.Dense(3, use_bias=False)(inputs)
    model = keras.Model(inputs, layers.Dense(6, kernel_initializer="zeros")(hidden))
    model.add_loss(tf.reduce_mean(tf.square(hidden)))
    model.add_metric(tf.reduce_max(hidden), name="largest")
    model.compile("sgd", "mse")
    logs = model.evaluate(X, X, batch_size=12, verbose=0, return_dict=True)
    values = X @ model.get_weights()[0]
    assert logs["loss"] == pytest.approx((X**2).mean() + (values**2).mean(), rel=1e-5)
    assert logs["largest"] == pytest.approx(values.max(), rel=1e-5)


def test_shapes_of_layers_and_reset_states():
    dense = layers.Dense(3)
    model = keras.Sequential([keras.Input((4, 6)), layers.LSTM(5), dense])
    assert dense.input_shape == (None, 5) and dense.output_shape == (None, 3)
    metric = keras.metrics.Mean()
    metric.update_state([1.0, 3.0])
    metric.reset_states()
    assert float(metric.result()) == 0.0
    stateful = layers.LSTM(2, stateful=True)
    stateful(tf.ones([1, 3, 4]))
    assert float(tf.reduce_sum(tf.abs(stateful.states[0]))) > 0
    stateful.reset_states()
    assert float(tf.reduce_sum(tf.abs(stateful.states[0]))) == 0
    model.reset_states()


def test_old_names():
    assert keras.layers.experimental.preprocessing.Rescaling is layers.Rescaling
    assert keras.optimizers.legacy.Adam is keras.optimizers.Adam
    assert keras.losses.mean_squared_error([[1.0]], [[3.0]]).numpy().tolist() == [4.0]
    loss = keras.losses.MeanSquaredError(reduction=keras.losses.Reduction.AUTO)
    assert float(loss([[0.0], [0.0]], [[1.0], [3.0]])) == 5.0
    assert keras.backend.int_shape(keras.Input((3,))) == (None, 3)
    optimizer = keras.optimizers.SGD(0.5)
    keras.backend.set_value(optimizer.lr, 0.25)
    assert keras.backend.get_value(optimizer.learning_rate) == 0.25
    with pytest.raises(NotImplementedError, match="partitioner"):
        layers.Dense(1).add_weight("w", shape=(1,), partitioner=lambda: None)


@pytest.mark.parametrize("save_format", ["h5", "keras", "tf"])
def test_save_formats_load_again(tmp_path, save_format):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
    model.compile("adam", "mse")
    fit(model, X[:, :2])
    path = tmp_path / ("model.keras" if save_format == "keras" else "model")
    model.save(path, save_format=save_format)
    loaded = keras.models.load_model(path)
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)
    fit(loaded, X[:, :2])
    assert path.is_dir() == (save_format == "tf")
    with pytest.raises(ValueError, match="Unknown `save_format`"):
        model.save(path, save_format="onnx")


def test_submodules_are_importable():
    from torchtf.keras.applications.resnet_v2 import preprocess_input
    from torchtf.keras.layers import Dense

    from torchtf.keras import layers as found

    assert Dense is found.Dense is layers.Dense
    assert preprocess_input(tf.fill([1, 1, 1, 3], 127.5)).numpy().tolist() == [[[[0.0, 0.0, 0.0]]]]


# -- tf ops on symbolic tensors


@pytest.mark.parametrize(
    ("build", "reference"),
    [
        (lambda x: tf.reduce_sum(x, axis=-1, keepdims=True), lambda x: x.sum(-1, keepdims=True)),
        (lambda x: tf.constant(3.0) - x * 2.0, lambda x: 3 - x * 2),
        (
            lambda x: tf.concat([x, tf.exp(x)], axis=-1),
            lambda x: np.concatenate([x, np.exp(x)], -1),
        ),
        (lambda x: tf.reshape(x, [-1, 2, 3]), lambda x: x.reshape(-1, 2, 3)),
        (lambda x: tf.cast(x > 0.0, tf.float32), lambda x: (x > 0).astype("float32")),
        (lambda x: tf.split(x, 2, axis=-1)[1], lambda x: x[:, 3:]),
        (lambda x: tf.where(x > 0.5, x, 0.0), lambda x: np.where(x > 0.5, x, 0)),
        (lambda x: x[:, 1:3] + np.float32(1), lambda x: x[:, 1:3] + 1),
    ],
    ids=["reduce", "operators", "concat", "reshape", "cast", "split", "where", "slice"],
)
def test_tf_ops_build_models_that_save_and_load(tmp_path, build, reference):
    inputs = keras.Input((6,))
    outputs = build(inputs)
    model = keras.Model(inputs, outputs)
    want = reference(X)
    assert tuple(outputs.shape[1:]) == want.shape[1:]
    np.testing.assert_allclose(model(X).numpy(), want, rtol=1e-6)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), want, rtol=1e-6)


def test_models_with_tf_ops_train():
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(6)(tf.tanh(layers.Dense(4)(inputs))))
    model.compile(keras.optimizers.Adam(0.05), "mse")
    losses = fit(model, epochs=5)["loss"]
    assert losses[-1] < losses[0]


def test_an_empty_lookup_layer_adapts():
    lookup = keras.layers.StringLookup(max_tokens=5)
    lookup.adapt(np.array(["b", "a", "b"]))
    assert lookup.get_vocabulary() == ["[UNK]", "b", "a"]
    assert lookup(tf.constant(["a", "z"])).numpy().tolist() == [2, 0]


def test_export_serves_a_subclassed_model(tmp_path):
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x, training=False):
            return tf.nn.relu(self.dense(x)) + (1.0 if training else 0.0)

    model, x = Model(), tf.ones((2, 4))
    want = model(x)
    model.export(tmp_path / "served", input_signature=[tf.TensorSpec((None, 4))], verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "served"))
    np.testing.assert_allclose(loaded.serve(x), want, rtol=1e-5)
    assert sorted(loaded.signatures) == ["serve", "serving_default"]
