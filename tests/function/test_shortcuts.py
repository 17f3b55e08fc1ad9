"""Graphs leave out other names of values and what is constant; the results stay what they are."""

from __future__ import annotations

import numpy as np
import torch

import torchtf as tf
from torchtf.function import shortcuts

X = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")


def left_out(function, *inputs):
    """The names of the ops left out, after checking the results of two runs."""
    inputs = [tf.constant(x) for x in inputs]
    want = tf.nest.flatten(function(*inputs))
    traced = tf.function(function)
    for _ in range(2):
        for got, eager in zip(tf.nest.flatten(traced(*inputs)), want, strict=True):
            np.testing.assert_allclose(got.numpy(), eager.numpy(), rtol=1e-6)
    module = traced.get_concrete_function(*inputs).graph_module
    return {n.target.__name__.split(".")[0] for n in shortcuts.plan(module)}


def test_names_and_constants_in_gradients():
    kernel = tf.Variable(X.T)

    def gradient(x):
        with tf.GradientTape() as tape:
            y = tf.reduce_mean(tf.nn.relu(x @ kernel))
        return tape.gradient(y, kernel) * 2.0

    assert {"alias", "ones_like", "expand", "div"} <= left_out(gradient, X)
    assert left_out(lambda x: tf.transpose(x) + 1.0, X) == set()


def test_what_leaves_the_graph_is_new_in_each_run():
    @tf.function
    def results(x):
        return tf.zeros([2]) + 1.0, tf.identity(x), tf.ones([3, 1]) * x

    x = tf.constant(X)
    first, same, product = results(x)
    first.torch().add_(5.0)
    product.torch().add_(5.0)
    same._data.hidden = True
    again = results(x)
    np.testing.assert_array_equal(again[0].numpy(), [1.0, 1.0])
    np.testing.assert_array_equal(again[2].numpy(), X)
    assert not hasattr(again[1]._data, "hidden") and not hasattr(x._data, "hidden")


def test_constants_are_not_overwritten():
    v = tf.Variable(tf.zeros([4]))

    @tf.function
    def step(x):
        y = tf.nn.relu(tf.exp(tf.ones([4]) * 2.0) - 1.0) * x[0]
        v.assign(tf.zeros([4]) + 1.0)
        v.assign_add(y)
        return y, v.read_value()

    want = np.float32(np.exp(2.0) - 1.0) * X[0]
    for _ in range(3):
        y, total = step(tf.constant(X))
        np.testing.assert_allclose(y.numpy(), want, rtol=1e-6)
        np.testing.assert_allclose(total.numpy(), 1.0 + want, rtol=1e-6)
        v.assign_add([1.0, 1.0, 1.0, 1.0])


def test_random_numbers_of_which_only_the_shape_counts_move_the_stream_on():
    @tf.function
    def step():
        ignored = tf.ones_like(tf.random.uniform([3]))
        return tf.random.uniform([2]) * ignored[0]

    torch.manual_seed(0)
    tf.random.set_seed(1)
    a = step().numpy()
    assert not np.array_equal(a, step().numpy())


def test_under_a_tape_outside_gradients_stay_cut():
    @tf.function
    def function(x):
        return tf.stop_gradient(x) * x

    x = tf.constant(X)
    function(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), X)
