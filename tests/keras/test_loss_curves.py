"""50 steps of training from the same weights: the loss curves of TensorFlow and of torchtf."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import results_of_both

# Both sides run this text; the first argument names the module.
PROGRAM = """
import importlib, json, sys
import numpy as np
tf = importlib.import_module(sys.argv[1])
keras, layers, O = tf.keras, tf.keras.layers, tf.keras.optimizers
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 32)


def features(*shape):
    x = RNG.normal(size=(32, *shape)).astype("float32")
    return x + 0.5 * LABELS.reshape(-1, *(1,) * len(shape))


def mlp():
    return [layers.Dense(16, "relu"), layers.Dense(16, "tanh")], features(12)


def conv():
    return [
        layers.Conv2D(8, 3, padding="same", use_bias=False), layers.BatchNormalization(),
        layers.ReLU(), layers.Conv2D(8, 3, strides=2, padding="same"),
        layers.BatchNormalization(), layers.ReLU(), layers.GlobalAveragePooling2D(),
    ], features(8, 8, 3)


def recurrent():
    return [layers.LSTM(8, return_sequences=True), layers.GRU(8)], features(6, 5)


def transformer():
    x = inputs = keras.Input((6, 8))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    y = layers.Dense(8)(layers.Dense(16, "gelu")(x))
    x = layers.LayerNormalization()(x + y)
    return [keras.Model(inputs, layers.GlobalAveragePooling1D()(x))], features(6, 8)


OPTIMIZERS = {
    "SGD": lambda: O.SGD(0.05, momentum=0.9), "Adam": lambda: O.Adam(0.005),
    "AdamW": lambda: O.AdamW(0.005), "RMSprop": lambda: O.RMSprop(0.002),
    "Adagrad": lambda: O.Adagrad(0.05), "Nadam": lambda: O.Nadam(0.005),
    "Adamax": lambda: O.Adamax(0.005), "Ftrl": lambda: O.Ftrl(0.05), "Lion": lambda: O.Lion(0.0005),
}


def reset(model):
    rng = np.random.default_rng(1)
    for v in model.weights:
        shape = tuple(v.shape)
        if "kernel" in v.path:
            v.assign(rng.normal(0.0, 1 / np.sqrt(np.prod(shape[:-1])), shape))
        elif "gamma" in v.path or "variance" in v.path:
            v.assign(np.ones(shape))
        else:
            v.assign(rng.normal(0.0, 0.1, shape))


def curve(model, gradients, optimizer):
    losses = []
    for _ in range(50):  # one graph of the gradients for all optimizers, which update eagerly
        loss, found = gradients()
        optimizer.apply_gradients(zip(found, model.trainable_variables))
        losses.append(float(loss))
    return losses


curves = {}
for make in (mlp, conv, recurrent, transformer):
    body, x = make()
    model = keras.Sequential([keras.Input(x.shape[1:]), *body, layers.Dense(4)])
    loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            loss = loss_function(LABELS, model(x, training=True))
        return loss, tape.gradient(loss, model.trainable_variables)

    for name, optimizer in OPTIMIZERS.items():
        reset(model)
        curves[f"{make.__name__} {name}"] = curve(model, gradients, optimizer())
    reset(model)
    model.compile(O.Adam(0.005), loss_function)  # and all of it in one graph
    steps = [float(model.train_on_batch(x, LABELS)) for _ in range(50)]
    curves[f"{make.__name__} train_on_batch"] = steps
print("RESULT", json.dumps(curves))
"""


@pytest.mark.slow
def test_same_loss_curves(tmp_path_factory):
    sides = results_of_both(tmp_path_factory, PROGRAM)
    expected = {name: np.array(curve) for name, curve in sides["tensorflow"].items()}
    assert len(expected) == 40
    apart = {
        name: float(np.max(np.abs(np.array(sides["torchtf"][name]) / curve - 1)))
        for name, curve in expected.items()
    }
    assert all(curve[-1] < curve[0] for curve in expected.values())  # they all learn
    assert {name: worst for name, worst in apart.items() if worst >= 1e-4} == {}
