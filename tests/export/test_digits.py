"""Quantized artifacts of a trained model, on data it has not seen: scikit-learn's digits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

import torchtf as tf

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained():
    """A trained classifier, the images it was trained on, and unseen ones with their classes."""
    digits = load_digits()
    images = (digits.images[..., None] / 16).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(images))
    images, classes = images[order], digits.target[order]
    keras, layers = tf.keras, tf.keras.layers
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.Conv2D(64, 3, padding="same", use_bias=False),
        layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(), layers.Flatten(),
        layers.Dense(256, activation="relu"), layers.Dense(10),
    ])  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss)
    model.fit(images[:1200], classes[:1200], batch_size=64, epochs=8, verbose=0)
    return model, images[:1200], images[1200:], classes[1200:]


def convert(model, images, **settings) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    for name, value in settings.items():
        setattr(converter, name, value)
    if "inference_input_type" in settings:
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ([x[None]] for x in images[:200])
    return converter.convert()


def classify(content: bytes, images: np.ndarray) -> np.ndarray:
    interpreter = tf.lite.Interpreter(model_content=content)
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], images.shape)
    interpreter.allocate_tensors()
    if given["dtype"] is not np.float32:
        scale, zero = given["quantization"]
        limits = np.iinfo(given["dtype"])
        images = np.clip(np.round(images / scale) + zero, limits.min, limits.max)
    interpreter.set_tensor(given["index"], images.astype(given["dtype"]))
    interpreter.invoke()
    return interpreter.get_tensor(answer["index"]).argmax(-1)


def test_quantized_models_agree_with_their_source_on_unseen_digits(trained):
    model, seen, unseen, classes = trained
    source = model.predict(unseen, verbose=0).argmax(-1)
    accuracy = np.mean(source == classes)
    assert accuracy > 0.97
    default = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    plain, small = convert(model, seen), convert(model, seen, **default)
    whole = convert(
        model, seen, **default, inference_input_type=tf.uint8, inference_output_type=tf.uint8
    )
    assert np.mean(classify(plain, unseen) == source) == 1
    assert np.mean(classify(small, unseen) == source) >= 0.99
    quantized = classify(whole, unseen)
    assert np.mean(quantized == source) >= 0.98
    assert np.mean(quantized == classes) > accuracy - 0.01
    assert len(small) <= 0.27 * len(plain)
