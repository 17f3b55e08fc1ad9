"""Gradients of public functions: what the ops are that TensorFlow's gradients are made of."""

from __future__ import annotations

import torchtf as tf


def gradients(function, upstream, *inputs):
    """What `upstream` gives for each input of a function, or for the only one.

    Args:
        function: of the inputs.
        upstream: the gradient of its result.
        inputs: tensors, or what becomes one.
    """
    inputs = [tf.convert_to_tensor(x) for x in inputs]
    with tf.GradientTape() as tape:
        for x in inputs:
            tape.watch(x)
        y = function(*inputs)
    found = tape.gradient(y, inputs, output_gradients=tf.convert_to_tensor(upstream, y.dtype))
    return found if len(found) > 1 else found[0]


def at_zero(function, upstream, shape):
    """The gradient of a linear function, by the shape of its input."""
    upstream = tf.convert_to_tensor(upstream)
    return gradients(function, upstream, tf.zeros(shape, upstream.dtype))
