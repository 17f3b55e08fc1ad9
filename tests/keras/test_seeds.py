"""Seeded programs give TensorFlow's numbers: weights, dropout, augmentation, the order of `fit`."""

from __future__ import annotations

import numpy as np
import pytest

import torchtf as tf
from tests.conftest import results_of_both

PROGRAM = """
import importlib, json, sys
import numpy as np
tf = importlib.import_module(sys.argv[1])
k = tf.keras
k.utils.set_random_seed(7)
r = np.random.RandomState(0)
x, y = r.rand(96, 12).astype("float32"), r.randint(0, 3, 96)
found = {}

def model():
    m = k.Sequential([
        k.Input((12,)), k.layers.Dense(16, activation="relu"), k.layers.Dropout(0.3),
        k.layers.BatchNormalization(), k.layers.GaussianNoise(0.1), k.layers.Dense(3),
    ])
    m.compile("adam", k.losses.SparseCategoricalCrossentropy(from_logits=True))
    return m

def fit(name, m, *data, **options):
    found[name] = m.fit(*data, epochs=3, verbose=0, batch_size=options.pop("batch_size", 32),
                        **options).history["loss"]

fit("in order", model(), x, y, shuffle=False)
m = model()
fit("shuffled", m, x, y)
fit("shuffled again", m, x, y, validation_split=0.25)
fit("shuffled in batches", model(), x, y, shuffle="batch")
rows = tf.data.Dataset.from_tensor_slices((x, y))
fit("dataset", model(), rows.shuffle(96, seed=3).batch(16), batch_size=None)
fit("dataset without a seed of its own", model(), rows.shuffle(96).batch(16), batch_size=None)

image = r.rand(4, 6, 6, 3).astype("float32")
flip = k.layers.RandomFlip("horizontal", seed=3)
found["augmented"] = flip(image, training=True).numpy().tolist()
found["mapped"] = [
    a.numpy().tolist()
    for a in tf.data.Dataset.from_tensor_slices(image).map(lambda a: flip(a, training=True))
]
steps = x.reshape(96, 4, 3)[:2]
for layer in (
    k.layers.LSTM(3, dropout=0.4, recurrent_dropout=0.2, seed=5),
    k.layers.SpatialDropout1D(0.5, seed=1), k.layers.AlphaDropout(0.3, seed=2),
    k.layers.GaussianDropout(0.3), k.layers.RandomRotation(0.2, seed=2**40 + 1),
):
    inputs = image if "rotation" in layer.name else steps
    found[layer.name] = layer(inputs, training=True).numpy().tolist()
for initializer in (
    k.initializers.Orthogonal(seed=2), k.initializers.TruncatedNormal(seed=9),
    k.initializers.HeUniform(), k.initializers.RandomUniform(-0.3, 0.1, seed=1),
):
    found[type(initializer).__name__] = initializer((4, 3)).numpy().tolist()

@tf.function
def drawn(generator):
    return [
        k.random.gamma((3,), 2.0, seed=generator), k.random.beta((3,), 1.0, 2.0, seed=generator),
        k.random.binomial((3,), 10.0, 0.4, seed=generator),
        tf.cast(k.random.categorical(tf.zeros([1, 4]), 5, seed=generator), tf.float32),
        tf.cast(k.random.randint((3,), 0, 9, seed=generator), tf.float32),
        tf.cast(k.random.shuffle(tf.range(6), seed=generator), tf.float32),
        k.random.normal((3,), 1.0, 2.0, seed=generator), k.random.uniform((3,)),
    ]

generator = k.random.SeedGenerator(-5)
found["drawn"] = [
    np.concatenate([v.numpy().ravel() for v in drawn(generator)]).tolist() for _ in range(2)
]
found["state"] = [generator.state.dtype, *generator.state.numpy().tolist()]
print("RESULT " + json.dumps(found))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return results_of_both(tmp_path_factory, PROGRAM)


def same(results, *names):
    want, have = results["tensorflow"], results["torchtf"]
    assert want.keys() == have.keys()
    for name in names or want:
        if name == "state":
            assert have[name] == want[name]
            continue
        for a, b in zip(want[name], have[name], strict=True):
            np.testing.assert_allclose(b, a, rtol=2e-4, atol=1e-6, err_msg=name)


def test_training_with_dropout_and_noise(results):
    same(results, "in order")


def test_the_order_of_arrays_and_datasets(results):
    same(results, "shuffled", "shuffled again", "shuffled in batches")
    same(results, "dataset", "dataset without a seed of its own")


def test_layers_initializers_and_draws(results):
    same(results)


def test_large_masks_of_dropout_come_from_torch():
    x = tf.ones([300, 300])
    tf.keras.utils.set_random_seed(1)
    unasked = [tf.keras.layers.Dropout(0.5)(x, training=True).numpy() for _ in range(2)]
    assert 0.45 < (unasked[0] == 0).mean() < 0.55
    assert not np.array_equal(*unasked)
    tf.keras.utils.set_random_seed(1)
    again = tf.keras.layers.Dropout(0.5)(x, training=True).numpy()
    np.testing.assert_array_equal(again, unasked[0])


@pytest.mark.parametrize("rate", [0.1, 0.5, 1e-3, 0.999])
def test_large_masks_of_dropout_drop_at_the_rate(rate):
    tf.keras.utils.set_random_seed(2)
    dropped = tf.keras.layers.Dropout(rate)(tf.ones([1001, 333]), training=True).numpy()
    assert set(np.unique(dropped)) == {0, np.float32(1 / (1 - rate))}
    number = dropped.size
    assert abs((dropped == 0).mean() - rate) < 4 * (rate * (1 - rate) / number) ** 0.5
    # neither along a row nor from row to row does one element tell the next
    zeros = (dropped == 0) - rate
    for a, b in ((zeros[:, 1:], zeros[:, :-1]), (zeros[1:], zeros[:-1])):
        assert abs((a * b).mean()) < 5 * rate * (1 - rate) / number**0.5


def test_large_masks_of_dropout_in_graphs_and_datasets():
    layer = tf.keras.layers.Dropout(0.5)
    x = tf.ones([4, 300, 300])
    function = tf.function(lambda x: layer(x, training=True))
    assert not np.array_equal(function(x), function(x))
    rows = [
        r.numpy()
        for r in tf.data.Dataset.from_tensor_slices(x).map(lambda r: layer(r, training=True))
    ]
    assert all(0.45 < (r == 0).mean() < 0.55 for r in rows) and not np.array_equal(*rows[:2])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    np.testing.assert_array_equal(tape.gradient(y, x), y)
