"""Keras' recurrent layers, masks included, from the traced function to both artifacts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import export
import torchtf as tf
from torchtf.saved_model import keras_function, signature_of

L = tf.keras.layers


def sequences():
    """All outputs, a backward layer, and one that runs both ways."""
    x = tf.keras.Input((6, 3))
    y = L.GRU(4, return_sequences=True)(L.LSTM(4, return_sequences=True)(x))
    both = L.Bidirectional(L.LSTM(3))(y)
    return tf.keras.Model(x, L.Concatenate()([both, L.GRU(4, go_backwards=True)(y)]))


def classifier():
    """Text whose padding is masked out, with the states of a layer."""
    tokens = tf.keras.Input((6,), dtype="int32")
    x = L.Embedding(9, 4, mask_zero=True)(tokens)
    x, *states = L.LSTM(4, return_sequences=True, return_state=True)(x)
    return tf.keras.Model(tokens, [L.Bidirectional(L.GRU(3))(x), *states])


def free_classifier():
    """Text of any length."""
    tokens = tf.keras.Input((None,), dtype="int32")
    x = L.LSTM(4, return_sequences=True)(L.Embedding(9, 4, mask_zero=True)(tokens))
    return tf.keras.Model(tokens, L.GRU(3)(x))


def built(build, batch_size=None):
    """The signature of a model with random weights, biases included, and the model."""
    tf.keras.utils.set_random_seed(0)
    model = build()
    for w in model.weights:
        w.assign(tf.random.normal(w.shape, stddev=0.4))
    return signature_of("serving_default", keras_function(model, batch_size)), model


def tokens(steps):
    """Five rows: no token, padding behind, before and in between, and none."""
    rows = np.random.default_rng(0).integers(1, 9, (5, steps)).astype(np.int32)
    rows[0], rows[1, 3:], rows[2, :2], rows[3, 1::2] = 0, 0, 0, 0
    return rows


def same(got, want):
    for g, w in zip(got, want if isinstance(want, list) else [want], strict=True):
        np.testing.assert_allclose(torch.as_tensor(g).numpy(), w.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("build", [sequences, classifier])
def test_layers(build, tmp_path, quiet):
    signature, model = built(build)
    export.export_saved_model(signature, tmp_path / "m", options=quiet)
    export.convert_saved_model(tmp_path / "m", tmp_path / "m.tflite", options=quiet)
    noise = np.random.default_rng(0).normal(size=(5, 6, 3)).astype(np.float32)
    x = noise if build is sequences else tokens(6)
    want = model(tf.constant(x))
    saved = export.load(tmp_path / "m")["serving_default"](torch.from_numpy(x))
    same(saved.values(), want)
    run = tf.lite.Interpreter(model_path=str(tmp_path / "m.tflite")).get_signature_runner()
    got = run(**{signature.inputs[0].name: x})
    same([got[name] for name in signature.outputs], want)


def test_free_length(tmp_path, quiet):
    signature, model = built(free_classifier)
    export.export_saved_model(signature, tmp_path / "m", options=quiet)
    loaded = export.load(tmp_path / "m")["serving_default"]
    for steps in (4, 9):
        x = tokens(steps)
        same(loaded(torch.from_numpy(x)).values(), model(tf.constant(x)))
    export.convert_saved_model(tmp_path / "m", tmp_path / "m.tflite", options=quiet)
    run = tf.lite.Interpreter(model_path=str(tmp_path / "m.tflite")).get_signature_runner()
    for steps in (4, 9):
        x = tokens(steps)
        got = run(**{signature.inputs[0].name: x})
        same([got[name] for name in signature.outputs], model(tf.constant(x)))


@pytest.mark.parametrize("batch_size", [None, 1])
@pytest.mark.parametrize("layer", [L.LSTM, L.GRU])
def test_few_operators(layer, batch_size):
    x = tf.keras.Input((20, 4), batch_size=batch_size)
    model = tf.keras.Model(x, layer(8)(layer(8, return_sequences=True)(x)))
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    interpreter = tf.lite.Interpreter(model_content=content)
    operators = [o["op_name"] for o in interpreter._get_ops_details()]
    fused = layer is L.LSTM and batch_size
    assert operators.count("UNIDIRECTIONAL_SEQUENCE_LSTM" if fused else "WHILE") == 2
    assert len(operators) < (10 if batch_size else 25)
