"""The same training on TensorFlow's tf.keras and on ours: the same weights give the same losses."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import results_of_both

# Both sides run this text; the first argument names the module.
PROGRAM = """
import importlib, json, sys
import numpy as np
tf = importlib.import_module(sys.argv[1])
keras, layers = tf.keras, tf.keras.layers
# Eager steps spare TensorFlow's many traces; the numbers are the same. Ours are traced.
EAGER = sys.argv[1] == "tensorflow"
RNG = np.random.default_rng(0)


def weights(model):
    rng = np.random.default_rng(1)
    for v in model.weights:
        positive = "variance" in v.path
        value = rng.normal(0.0, 0.3, tuple(v.shape))
        v.assign(np.abs(value) + 0.5 if positive else value)


def train(model, x, y, optimizer, loss, steps=10):
    weights(model)
    model.compile(optimizer, loss, run_eagerly=EAGER)
    return [model.train_on_batch(x, y) for _ in range(steps)]


def mlp():
    return keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="tanh"),
                             layers.Dense(3, activation="softmax")])


def conv():
    return keras.Sequential([
        keras.Input((9, 9, 2)),
        layers.Conv2D(4, 3, strides=2, padding="same",
                      kernel_regularizer=keras.regularizers.L2(0.01)),
        layers.BatchNormalization(), layers.ReLU(),
        layers.DepthwiseConv2D(3, padding="same"), layers.BatchNormalization(momentum=0.5),
        layers.MaxPooling2D(2, padding="same"), layers.AveragePooling2D(2, padding="same"),
        layers.Conv2DTranspose(3, 3, strides=2, padding="same"), layers.GlobalAveragePooling2D(),
    ])


def recurrent(cell):
    return keras.Sequential([keras.Input((5, 4)), cell(6, return_sequences=True), cell(3),
                             layers.Dense(3, activation="softmax")])


def transformer():
    inputs = keras.Input((5, 6))
    x = layers.LayerNormalization()(inputs)
    x = inputs + layers.MultiHeadAttention(2, 3)(x, x)
    y = layers.Dense(12, activation="gelu")(layers.LayerNormalization()(x))
    x = layers.GlobalAveragePooling1D()(x + layers.Dense(6)(y))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def embedding():
    return keras.Sequential([keras.Input((5,)), layers.Embedding(9, 4),
                             layers.GlobalAveragePooling1D(), layers.Dense(3)])


results = {}
O = keras.optimizers
x, y = RNG.normal(size=(16, 6)).astype("float32"), np.arange(16) % 3
for name, optimizer in {
    "SGD": O.SGD(0.1), "momentum": O.SGD(0.05, momentum=0.9, nesterov=True),
    "Adam": O.Adam(0.01), "amsgrad": O.Adam(0.01, amsgrad=True), "AdamW": O.AdamW(0.01),
    "RMSprop": O.RMSprop(0.01, centered=True, momentum=0.1), "Adagrad": O.Adagrad(0.1),
    "Adadelta": O.Adadelta(1.0), "Adamax": O.Adamax(0.01), "Nadam": O.Nadam(0.01),
    "Ftrl": O.Ftrl(0.1, l2_regularization_strength=0.01), "Lion": O.Lion(0.001),
    "clipnorm": O.SGD(0.5, clipnorm=0.1), "global_clipnorm": O.SGD(0.5, global_clipnorm=0.1),
    "schedule": O.SGD(O.schedules.CosineDecay(0.2, 8)),
    "ema": O.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3),
    "accumulation": O.SGD(0.1, gradient_accumulation_steps=3),
}.items():
    results[name] = train(mlp(), x, y, optimizer, "sparse_categorical_crossentropy")
images = RNG.normal(size=(8, 9, 9, 2)).astype("float32")
model = conv()
# The bias before a batch norm has no gradient but noise, which Adam would blow up.
targets = RNG.normal(size=(8, 3)).astype("float32")
results["conv"] = train(model, images, targets, O.SGD(0.05, momentum=0.9), "mse")
results["conv weights"] = [float(np.abs(w).sum()) for w in model.get_weights()]
results["conv predict"] = model.predict(images[:2], verbose=0).ravel().tolist()
sequences = RNG.normal(size=(16, 5, 4)).astype("float32")
results["LSTM"] = train(recurrent(layers.LSTM), sequences, y, O.Adam(0.01),
                        "sparse_categorical_crossentropy")
results["GRU"] = train(recurrent(layers.GRU), sequences, y, O.Adam(0.01),
                       "sparse_categorical_crossentropy")
tokens = RNG.normal(size=(16, 5, 6)).astype("float32")
results["transformer"] = train(transformer(), tokens, y, O.Adam(0.01),
                               "sparse_categorical_crossentropy")
words, labels = RNG.integers(0, 9, (16, 5)), RNG.normal(size=(16, 3)).astype("float32")
for name, optimizer in {
    "SGD": O.SGD(0.5), "momentum": O.SGD(0.1, momentum=0.9), "Adam": O.Adam(0.01),
    "amsgrad": O.Adam(0.01, amsgrad=True), "AdamW": O.AdamW(0.01), "Nadam": O.Nadam(0.01),
    "RMSprop": O.RMSprop(0.01, momentum=0.1), "Adagrad": O.Adagrad(0.1),
    "clipnorm": O.SGD(0.5, clipnorm=0.1), "global_clipnorm": O.Adam(0.1, global_clipnorm=0.1),
}.items():
    results[f"embedding {name}"] = train(embedding(), words, labels, optimizer, "mse")
print("RESULT", json.dumps(results))
"""


EMBEDDING_OPTIMIZERS = [
    "SGD", "momentum", "Adam", "amsgrad", "AdamW", "Nadam", "RMSprop", "Adagrad", "clipnorm",
    "global_clipnorm",
]  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return results_of_both(tmp_path_factory, PROGRAM)


@pytest.mark.parametrize(
    "name",
    [
        "SGD", "momentum", "Adam", "amsgrad", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax",
        "Nadam", "Ftrl", "Lion", "clipnorm", "global_clipnorm", "schedule", "ema", "accumulation",
        "conv", "conv weights", "conv predict", "LSTM", "GRU", "transformer",
        *[f"embedding {name}" for name in EMBEDDING_OPTIMIZERS],
    ],
)  # fmt: skip
def test_same_losses(results, name):
    want, got = results["tensorflow"][name], results["torchtf"][name]
    np.testing.assert_allclose(got, want, rtol=2e-4, atol=1e-6)
