"""The short way through a layer's call does what Keras' own `__call__` does."""

from __future__ import annotations

import numpy as np
import pytest

import torchtf as tf

keras = tf.keras
layers = keras.layers


class Listens(layers.Layer):
    """Notes what its call is given, adds a loss, and takes a mask."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = Inner()
        self.given = []

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x, training=None, mask=None, scale=2.0):
        self.given.append((training, mask is None, scale))
        self.add_loss(tf.reduce_sum(x))
        return self.inner(x) * scale


class Inner(layers.Layer):
    def __init__(self):
        super().__init__()
        self.supports_masking = True
        self.given = []

    def build(self, shape):
        self.built = True

    def call(self, x, training=True):
        self.given.append(training)
        return x + 1.0


class Masks(layers.Layer):
    def call(self, x):
        return x * 1.0

    def compute_mask(self, x, previous=None):
        return tf.not_equal(x[..., 0], 0.0)


class Joins(layers.Layer):
    def call(self, x, y):
        return {"sum": x["a"] + y, "a": x["a"]}


class Fails(layers.Layer):
    def call(self, x, training=None):
        raise ValueError("no such luck")


def results(way):
    """What `way(layer, *args, **kwargs)` finds, call by call."""
    x = tf.constant(np.arange(12, dtype="float32").reshape(2, 2, 3))
    found = []
    layer = Listens()
    layer.build((2, 2, 3))
    for kwargs in ({}, {"training": True}, {"training": None}, {"mask": None}, {"scale": 3.0}):
        y = way(layer, x, **kwargs)
        found += [y.numpy().tolist(), [float(loss) for loss in layer.losses]]
    found += [layer.given, layer.inner.given]
    add = layers.Add()
    found += [way(add, [x, x]).numpy().tolist(), way(add, [x, x]).numpy().tolist()]
    masks = Masks()
    masked = [way(masks, x) for _ in range(2)]
    found += [y._keras_mask.numpy().tolist() for y in masked]
    after = Listens()
    after.supports_masking = True
    found += [way(after, masked[0])._keras_mask.numpy().tolist() for _ in range(2)]
    found.append(after.given)
    dense = layers.Dense(2, kernel_initializer="ones", activity_regularizer="l2")
    found += [[way(dense, v).numpy().tolist(), float(dense.losses[0])] for v in (x, x, x + 1)]
    fails = Fails(name="fails")
    for _ in range(2):
        with pytest.raises(ValueError, match="no such luck") as failure:
            way(fails, x)
        found.append(str(failure.value))
    dense = layers.Dense(2)
    way(dense, x)
    with pytest.raises(ValueError, match="incompatible") as failure:
        way(dense, x[..., :2])
    return [*found, str(failure.value).replace(dense.name, "")]


def test_the_short_way_is_keras_own(monkeypatch):
    from torchtf.keras import _calls

    taken = []
    is_plain = _calls._is_plain

    def noting(layer, args, kwargs):
        taken.append(is_plain(layer, args, kwargs))
        return taken[-1]

    def call(layer, *args, **kwargs):
        return layer(*args, **kwargs)

    monkeypatch.setattr(_calls, "_is_plain", noting)
    short = results(call)
    assert sum(taken) > len(taken) / 3 and not all(taken)
    monkeypatch.setattr(_calls, "_is_plain", lambda *args: False)
    assert short == results(call)


def test_nodes_with_constants_and_structures_run():
    a, b = keras.Input((2,)), keras.Input((2,))
    total = layers.Add()([a, b])
    both = Joins()({"a": total}, y=b)
    model = keras.Model([a, b], [tf.concat([both["sum"], both["a"]], axis=1), total])
    x, y = np.ones((1, 2), "float32"), np.full((1, 2), 2.0, "float32")
    found = model([tf.constant(x), tf.constant(y)])
    assert [v.numpy().tolist() for v in found] == [[[5.0, 5.0, 3.0, 3.0]], [[3.0, 3.0]]]
