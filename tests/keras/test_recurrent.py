"""LSTM and GRU on native kernels give the numbers of Keras' loop over the steps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import torchtf as tf
from torchtf.keras import _recurrent

keras = tf.keras
layers = keras.layers
LAYERS = {"LSTM": layers.LSTM, "GRU": layers.GRU}
X = np.random.default_rng(0).standard_normal((5, 7, 4)).astype("float32")
MASKS = {
    "none": None,
    "right": np.arange(7) < np.array([3, 7, 1, 5, 0])[:, None],
    "any": np.random.default_rng(1).random((5, 7)) > 0.4,
}


@pytest.fixture
def native_calls(monkeypatch):
    """Counts the layers that a native kernel computed."""
    calls = []
    inner_loop = _recurrent._inner_loop

    def counting(*args):
        found = inner_loop(*args)
        calls.append(found is not None)
        return found

    monkeypatch.setattr(_recurrent, "_inner_loop", counting)
    return calls


def outputs_and_gradients(layer, mask, function=lambda f: f, x=X):
    """The outputs of a layer, and the gradients of a sum of them for input and weights."""

    @function
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = tf.nest.flatten(layer(x, mask=mask, training=True))
            loss = sum(tf.reduce_sum(y**2 + y) for y in outputs)
        return outputs, tape.gradient(loss, [x, *layer.trainable_variables])

    return [t.numpy() for t in tf.nest.flatten(run(tf.constant(x)))]


def close(got, want):
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def both(layer, mask, function=lambda f: f):
    """Runs the layer natively, and as Keras' own loop."""
    layer.build((None, *X.shape[1:]))
    layer.use_cudnn = False
    want = outputs_and_gradients(layer, mask)
    layer.use_cudnn = "auto"
    return outputs_and_gradients(layer, mask, function), want


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_native_kernels(name, traced, native_calls):
    function = tf.function if traced else (lambda f: f)
    for key, sequences, backwards, zero in itertools.product(MASKS, *[[False, True]] * 3):
        if zero and (key == "none" or traced):
            continue
        if traced and backwards is not sequences:
            continue
        layer = LAYERS[name](
            6,
            return_sequences=sequences,
            return_state=True,
            go_backwards=backwards,
            zero_output_for_mask=zero,
            bias_initializer="random_normal",
        )
        mask = None if MASKS[key] is None else tf.constant(MASKS[key])
        native_calls.clear()
        close(*both(layer, mask, function))
        assert native_calls == [True]


@pytest.mark.parametrize("name", LAYERS)
def test_inference_in_a_graph_is_one_node(name, native_calls):
    layer = LAYERS[name](6, return_sequences=True, return_state=True)
    eager = [t.numpy() for t in layer(tf.constant(X))]
    traced = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec((None, None, 4))])
    close([t.numpy() for t in traced(tf.constant(X))], eager)
    close(
        [t.numpy() for t in traced(tf.constant(X[:1, :3]))], [t.numpy() for t in layer(X[:1, :3])]
    )
    graph = traced.get_concrete_function().graph_module.graph
    assert sum(name.lower() in str(n.target) for n in graph.nodes if n.op == "call_function") == 1
    assert all(native_calls)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    "options",
    [
        {"recurrent_dropout": 0.5},
        {"activation": "relu"},
        {"recurrent_activation": "hard_sigmoid"},
        {"unroll": True},
        {"use_cudnn": False},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_no_kernel_computes_runs_keras_loop(name, options, native_calls):
    layer = LAYERS[name](3, **options)
    assert layer(tf.constant(X), training=True).shape == (5, 3)
    assert native_calls == []


def test_gru_with_the_reset_before_the_product(native_calls):
    layer = layers.GRU(3, reset_after=False)
    assert layer(tf.constant(X)).shape == (5, 3)
    assert native_calls == []


@pytest.mark.parametrize("name", LAYERS)
def test_variants(name, native_calls):
    for layer in (
        LAYERS[name](3, use_bias=False),
        LAYERS[name](3, return_sequences=True, dtype="float64"),
    ):
        for function in (lambda f: f, tf.function):
            close(*both(layer, None, function))
    assert native_calls[0]


@pytest.mark.parametrize("name", LAYERS)
def test_dropout_keeps_its_inputs_for_all_steps(name, native_calls):
    layer = LAYERS[name](6, dropout=0.5, return_sequences=True)
    ones = tf.ones((2, 3, 400))
    y = layer(ones, training=True)
    assert native_calls == [True]
    kept = layer.cell.get_dropout_mask(ones[:, 0])
    assert 0.3 < np.mean(np.asarray(kept) > 0) < 0.7
    assert not np.allclose(y, layer(ones, training=False))


@pytest.mark.parametrize("name", LAYERS)
def test_second_gradients(name):
    layer = LAYERS[name](3)
    x = tf.constant(X)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(layer(x) ** 2)
        first = tf.reduce_sum(inner.gradient(y, x) ** 2)
    assert np.abs(outer.gradient(first, x).numpy()).max() > 0


@pytest.mark.parametrize("name", LAYERS)
def test_state_goes_from_batch_to_batch(name):
    layer = LAYERS[name](3, stateful=True, return_sequences=True)
    layer.build((5, None, 4))
    whole = layer(tf.constant(X)).numpy()
    layer.reset_state()
    step = tf.function(lambda x: layer(x))
    parts = [step(tf.constant(X[:, :3])).numpy(), step(tf.constant(X[:, 3:])).numpy()]
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_compiled_gradients(name):
    layer = LAYERS[name](3, return_sequences=True)
    close(*both(layer, None, tf.function(jit_compile=True)))
