"""Ragged tensors in Keras: values, kinds and error classes are those of Keras on TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import results_of_both

# Both sides run this text; the first argument names the module.
PROGRAM = """
import importlib, json, sys
import numpy as np
tf = importlib.import_module(sys.argv[1])
keras, L, ops = tf.keras, tf.keras.layers, tf.keras.ops
ids = tf.ragged.constant([[1, 2, 3], [4]])
rows = tf.ragged.constant([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]], ragged_rank=1)
words = tf.ragged.constant([["a", "b", "c"], ["b"]])
targets = np.ones((2, 1), "float32")


def embedding():
    return L.Embedding(10, 4, embeddings_initializer="ones")


def pooled():
    inputs = keras.Input((None,), dtype="int64", ragged=True)
    x = L.GlobalAveragePooling1D()(embedding()(inputs))
    model = keras.Model(inputs, L.Dense(1, kernel_initializer="ones")(x))
    model.compile("sgd", "mse")
    return model


def functional():
    model = pooled()
    kinds = [model.input.ragged, list(model.output.shape)]
    twin = keras.models.model_from_json(model.to_json())
    twin.set_weights(model.get_weights())
    return [*kinds, twin.input.ragged, model(ids), twin(ids), model.predict(ids, verbose=0)]


def trained():
    model = pooled()
    logs = model.fit(ids, targets, verbose=0, epochs=2).history["loss"]
    batches = tf.data.Dataset.from_tensor_slices((ids, targets)).batch(1)
    logs += model.fit(batches, verbose=0, epochs=2).history["loss"]
    logs += [model.evaluate(ids, targets, verbose=0), model.evaluate(batches, verbose=0)]
    logs += [model.train_on_batch(ids, targets), model.test_on_batch(ids, targets)]
    return [logs, model.predict(batches, verbose=0)]


def predicted():
    inputs = keras.Input((None,), dtype="int64", ragged=True)
    model = keras.Model(inputs, embedding()(inputs))
    whole, parts = model.predict(ids, verbose=0), model.predict(ids, batch_size=1, verbose=0)
    return [whole, parts, model.predict_on_batch(ids)]


class Mean(L.Layer):
    def call(self, x):
        return tf.reduce_mean(x, axis=1)


def subclassed():
    model = keras.Sequential([embedding(), Mean(), L.Dense(1, kernel_initializer="ones")])
    model.compile("adam", "mse")
    x = tf.ragged.constant([[1, 2], [3], [4, 5, 6], [7]])
    batches = tf.data.Dataset.from_tensor_slices((x, np.arange(4.0)[:, None])).batch(2)
    return [model.fit(batches, epochs=2, verbose=0).history["loss"], model(x)]


def texts():
    model = keras.Sequential([
        keras.Input((), dtype="string"),
        L.TextVectorization(ragged=True, vocabulary=["a", "b", "c"]),
        embedding(),
        L.GlobalAveragePooling1D(),
    ])
    return model(tf.constant(["a b c", "b"]))


def gradient():
    table = embedding()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(Mean()(table(ids)) ** 2)
    return tf.convert_to_tensor(tape.gradient(loss, table.trainable_variables)[0])


calls = {
    "embedding": lambda: embedding()(ids),
    "pooling": lambda: L.GlobalAveragePooling1D()(rows),
    "maximum": lambda: L.GlobalMaxPooling1D()(rows),
    "activation": lambda: [L.Activation(n)(rows) for n in ("relu", "gelu", "softmax", "tanh")],
    "dropout": lambda: L.Dropout(0.5)(rows),
    "rescaling": lambda: L.Rescaling(2.0, 1.0)(rows),
    "normalization": lambda: L.Normalization(mean=1.0, variance=2.0)(rows),
    "batch norm": lambda: [
        layer(rows, training=training)
        for layer in [L.BatchNormalization(momentum=0.5)] for training in (True, False)
    ],
    "layer norm": lambda: [L.LayerNormalization()(rows), L.LayerNormalization(rms_scaling=True)(rows)],
    "flatten": lambda: L.Flatten()(rows[:1]),
    "discretization": lambda: L.Discretization([1.0, 3.0])(rows),
    "encoding": lambda: L.CategoryEncoding(5)(ids),
    "lookup": lambda: L.StringLookup(vocabulary=["a", "b"])(words),
    "hashing": lambda: L.Hashing(5)(words),
    "lambda": lambda: L.Lambda(lambda x: x * 2)(ids),
    "merge": lambda: [
        L.Add()([rows, rows]), L.Multiply()([rows, rows]), L.Concatenate()([rows, rows]),
        L.Concatenate(axis=1)([rows, rows]),
    ],
    "custom": lambda: Mean()(rows),
    "functional": functional,
    "trained": trained,
    "predicted": predicted,
    "subclassed": subclassed,
    "texts": texts,
    "gradient": gradient,
    "ops": lambda: [
        ops.mean(rows, axis=1), ops.sum(ids), ops.multiply(rows, 2.0), ops.exp(rows),
        ops.cast(ids, "float32"), ops.take(np.arange(10), ids), ops.one_hot(ids, 5),
        ops.convert_to_tensor(rows, ragged=False), ops.convert_to_numpy(rows),
    ],
    "quotients": lambda: [
        tf.divide(rows, 2.0), tf.divide(6.0, rows), tf.divide(rows, tf.constant([[[2.0]]])),
        tf.truediv(ids, 2), tf.math.divide_no_nan(rows, rows - 1.0),
    ],
    "known": lambda: [ops.is_tensor(rows), list(ops.shape(rows)[1:])],
    "lstm": lambda: L.LSTM(2)(rows),
    "dense": lambda: L.Dense(2)(rows),
    "convolution": lambda: L.Conv1D(2, 1)(rows),
    "product": lambda: ops.matmul(rows, np.ones((2, 3), "float32")),
}


def plain(x):
    if isinstance(x, tf.RaggedTensor):
        return ["ragged", x.dtype.name, x.to_list()]
    if isinstance(x, list):
        return [plain(i) for i in x]
    return np.asarray(x).tolist() if hasattr(x, "__array__") else x


results = {}
for name, call in calls.items():
    try:
        results[name] = plain(call())
    except Exception as e:
        results[name] = ["error", type(e).__name__]
print("RESULT", json.dumps(results))
"""
ERRORS = ["lstm", "dense", "convolution", "product"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return results_of_both(tmp_path_factory, PROGRAM)


def assert_close(found, expected):
    if isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected)
        for x, y in zip(found, expected, strict=True):
            assert_close(x, y)
    elif isinstance(expected, float):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)
    else:
        assert found == expected


@pytest.mark.parametrize(
    "name",
    [
        "embedding", "pooling", "maximum", "activation", "dropout", "rescaling", "normalization",
        "batch norm", "layer norm", "flatten", "discretization", "encoding", "lookup", "hashing", "lambda", "merge", "custom",
        "functional", "trained", "predicted", "subclassed", "texts", "gradient", "ops", "known", "quotients",
    ],
)  # fmt: skip
def test_ragged_tensors_go_through_keras(results, name):
    expected = results["tensorflow"][name]
    assert expected[:1] != ["error"]
    assert_close(results["torchtf"][name], expected)


@pytest.mark.parametrize("name", ERRORS)
def test_what_takes_no_ragged_tensor_on_tensorflow(results, name):
    assert results["torchtf"][name] == results["tensorflow"][name] == ["error", "ValueError"]
