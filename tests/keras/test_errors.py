"""Errors on their way through Keras' layers: class and text are TensorFlow's."""

from __future__ import annotations

import pytest

from tests.conftest import results_of_both

# Both sides run this text; the first argument names the module.
PROGRAM = """
import importlib, json, sys
import numpy as np
tf = importlib.import_module(sys.argv[1])
keras, layers = tf.keras, tf.keras.layers


class Gathers(layers.Layer):
    def call(self, x):
        return tf.gather(x, 9)


class Raises(layers.Layer):
    def call(self, x):
        raise tf.errors.AbortedError(None, None, "in the layer")


class Adds(layers.Layer):
    def call(self, x):
        return x + tf.zeros([5])


class Outer(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = Gathers()

    def call(self, x):
        return self.inner(x)


two = tf.constant([1.0, 2.0])
of_four = keras.Sequential([keras.Input((4,), name="four"), layers.Dense(2)])

calls = {
    "input": lambda: of_four(tf.ones([2, 5, 4])),
    "array": lambda: of_four(np.ones([2, 5, 4], "float32")),
    "op": lambda: Gathers()(two),
    "nested": lambda: Outer()(two),
    "own": lambda: Raises()(two),
    "function": lambda: tf.function(lambda x: Raises()(x))(two),
    "shapes": lambda: Adds()(tf.zeros([2, 3])),
    "vocabulary": lambda: layers.TextVectorization()(tf.constant(["a b"])),
    "take": lambda: keras.ops.take(tf.constant([[1.0], [2.0]]), tf.constant([[0], [4]]), axis=0),
    "take columns": lambda: keras.ops.take(tf.constant([[1.0, 2.0]]), tf.constant([-3]), axis=1),
    "encoding": lambda: layers.CategoryEncoding(3)(tf.constant([[1, 5], [0, 2]])),
    "lookup": lambda: layers.StringLookup()(tf.constant(["a"])),
    "assign_add": lambda: keras.Variable([1.0, 2.0]).assign_add([1.0, 2.0, 3.0]),
    "assign_sub": lambda: keras.Variable([1.0, 2.0]).assign_sub([1.0, 2.0, 3.0]),
    "loss": lambda: keras.losses.MeanSquaredError()(tf.ones([2, 3]), tf.ones([2, 4])),
    "add": lambda: keras.ops.add(two, tf.ones([3])),
    "matmul": lambda: keras.ops.matmul(tf.ones([2, 3]), tf.ones([2, 3])),
    "concatenate": lambda: keras.ops.concatenate([tf.ones([2, 3]), two]),
    "reshape": lambda: keras.ops.reshape(tf.ones([2, 3]), (4,)),
}
a, b, ops = tf.ones([2, 3]), tf.ones([4, 5]), keras.ops
words = {
    "stack": lambda: ops.stack([a, b]),
    "where": lambda: ops.where(a > 0, b, a),
    "broadcast_to": lambda: ops.broadcast_to(a, (3, 3)),
    "transpose": lambda: ops.transpose(a, (0, 1, 2)),
    "flip": lambda: ops.flip(a, axis=4),
    "sum": lambda: ops.sum(a, axis=4),
    "mean": lambda: ops.mean(a, axis=-3),
    "max": lambda: ops.max(a, axis=4),
    "squeeze": lambda: ops.squeeze(a, 0),
    "slice": lambda: ops.slice(a, (0, 0), (5, 5)),
    "repeat": lambda: ops.repeat(a, 2, axis=4),
    "top_k": lambda: ops.top_k(a, 9),
    "take_along_axis": lambda: ops.take_along_axis(a, tf.zeros([3, 3], tf.int32), axis=1),
}
kinds = {  # whose texts name other kernels
    "dot": lambda: ops.dot(a, b),
    "einsum": lambda: ops.einsum("ij,jk->ik", a, b),
    "tensordot": lambda: ops.tensordot(a, b, 1),
    "pad": lambda: ops.pad(a, ((1, 1),)),
    "split": lambda: ops.split(a, 2, axis=1),
    "softmax": lambda: ops.softmax(a, axis=3),
    "argmax": lambda: ops.argmax(a, axis=3),
    "moments": lambda: ops.moments(a, axes=[3]),
}


def answer(call):
    try:
        return str(call())
    except tf.errors.OpError as e:
        return [type(e).__name__, repr(e), str(e), e.message == str(e)]
    except ValueError as e:
        return [type(e).__name__, str(e)]


results = {name: answer(call) for name, call in calls.items()}
results["words of ops"] = {name: answer(call) for name, call in words.items()}
results["kinds of ops"] = {name: answer(call)[0] for name, call in kinds.items()}
try:
    keras.Sequential([keras.Input((3,)), Adds()])
except Exception as e:  # the words of shape inference are TensorFlow's own
    results["symbolic"] = [type(e).__name__, "Could not automatically infer" in str(e)]
try:
    layers.Embedding(3, 2)(tf.constant([[0, 5]]))
except Exception as e:  # TensorFlow's names no call here
    results["embedding"] = [type(e).__name__, "indices[0,1] = 5 is not in [0, 3)" in str(e)]
try:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(tf.ones([4, 3]), tf.ones([4, 5]), verbose=0)
except Exception as e:  # the node has another name
    results["targets"] = [type(e).__name__, str(e).split(" for ")[0]]
print("RESULT", json.dumps(results))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return results_of_both(tmp_path_factory, PROGRAM)


@pytest.mark.parametrize(
    "name",
    [
        "op", "nested", "own", "function", "shapes", "take", "take columns", "encoding",
        "embedding", "vocabulary", "lookup", "symbolic", "assign_add", "assign_sub", "loss", "add",
        "matmul", "concatenate", "reshape", "targets", "input", "array",
    ],
)  # fmt: skip
def test_errors_keep_their_text(results, name):
    assert results["torchtf"][name] == results["tensorflow"][name]


def test_shapes_and_axes_that_functions_of_keras_refuse(results):
    expected, found = results["tensorflow"], results["torchtf"]
    assert found["words of ops"] == expected["words of ops"]
    assert found["kinds of ops"] == expected["kinds of ops"]
