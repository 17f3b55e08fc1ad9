"""Ops write into operands that nothing needs any more, and never into others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import torchtf as tf
from torchtf.function import reuse

X = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")


def planned(function, *specs):
    """The names of the ops that reuse an operand, after checking the results of a run."""
    concrete = tf.function(function).get_concrete_function(*specs)
    inputs = [tf.constant(X[tuple(slice(n) for n in s.shape)]) for s in specs]
    given = [x.numpy().copy() for x in inputs]
    want = tf.nest.flatten(function(*inputs))
    for _ in range(2):
        for got, eager in zip(tf.nest.flatten(concrete(*inputs)), want, strict=True):
            np.testing.assert_allclose(got.numpy(), eager.numpy(), rtol=1e-6)
    for x, before in zip(inputs, given, strict=True):
        np.testing.assert_array_equal(x.numpy(), before)
    return [n.target.__name__.split(".")[0] for n in reuse.plan(concrete.graph_module.graph)]


SPEC = tf.TensorSpec((3, 4))
OPEN = tf.TensorSpec((None, 4))


@pytest.mark.parametrize("spec", [SPEC, OPEN], ids=["fixed", "open"])
def test_a_chain_runs_in_one_piece_of_memory(spec):
    assert planned(lambda x: tf.nn.relu(tf.exp(x) * 2.0 - 3.0), spec) == ["mul", "sub", "relu"]


def test_either_operand_of_a_sum():
    assert planned(lambda x: x + tf.exp(x), SPEC) == ["add"]
    assert planned(lambda x: x - tf.exp(x), SPEC) == []


def test_inputs_variables_and_constants_stay():
    variable = tf.Variable(X)
    constant = tf.constant(X)
    assert planned(lambda x: tf.nn.relu(x), SPEC) == []
    assert planned(lambda x: tf.nn.relu(variable) + tf.nn.relu(constant) * x, SPEC) == [
        "mul",
        "add",
    ]
    np.testing.assert_array_equal(variable.numpy(), X)
    np.testing.assert_array_equal(constant.numpy(), X)


def test_what_is_used_later_stays():
    def twice(x):
        y = tf.exp(x)
        return tf.nn.relu(y), y

    def view_used_later(x):
        y = tf.exp(x)
        rows = y[0]
        return tf.nn.relu(y - 2.0) + rows

    def square(x):
        y = tf.exp(x)
        return y * y

    assert planned(twice, SPEC) == []
    assert planned(view_used_later, SPEC) == ["relu", "add"]
    assert planned(square, SPEC) == []


def test_parts_and_broadcasts_are_no_memory_to_reuse():
    assert planned(lambda x: tf.nn.relu(tf.exp(x)[:2] - 1.0), SPEC) == ["relu"]
    assert planned(lambda x: tf.nn.relu(tf.broadcast_to(tf.exp(x[:1]), (3, 4))), SPEC) == []
    assert planned(lambda x: [tf.nn.relu(y) for y in tf.split(tf.exp(x), 2, 1)], SPEC) == []
    assert planned(lambda x: tf.exp(x[:1]) + x, SPEC) == []


def test_other_dtypes():
    assert planned(lambda x: tf.cast(tf.exp(x), tf.float64) / 2.0, SPEC) == ["div"]
    assert planned(lambda x: tf.cast(tf.cast(x, tf.int32) + 1, tf.float32), SPEC) == ["add"]


def test_under_an_outer_tape_nothing_is_overwritten():
    function = tf.function(lambda x: tf.sigmoid(tf.exp(tf.tanh(x * 2.0) * 3.0)))
    x = tf.constant(X)
    function(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    got = tape.gradient(y, x)
    t = torch.tensor(X, requires_grad=True)
    torch.sigmoid(torch.exp(torch.tanh(t * 2.0) * 3.0)).sum().backward()
    np.testing.assert_allclose(got.numpy(), t.grad.numpy(), rtol=1e-5)


def test_gradients_inside_the_graph():
    kernel = tf.Variable(X.T @ X)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.sigmoid(tf.nn.relu(tf.matmul(x, kernel) - 1.0) * 2.0))
        return tape.gradient(y, kernel)

    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.sigmoid(tf.nn.relu(tf.matmul(X, kernel) - 1.0) * 2.0))
    want = tape.gradient(y, kernel)
    np.testing.assert_allclose(step(tf.constant(X)).numpy(), want.numpy(), rtol=1e-5)
    assert reuse.plan(step.get_concrete_function(SPEC).graph_module.graph)
