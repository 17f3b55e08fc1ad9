"""`tf.compat.v1.train`: schedules of learning rates.

Eagerly a schedule is a function without arguments that reads the step when it is called; in a
tf.function it is the learning rate itself.
"""

from __future__ import annotations

import math as _math

import torchtf as tf
from torchtf.compat.v1 import _names_of

__getattr__ = _names_of("train")


_global_step: list = []  # the variable, once there is one


def get_global_step(graph=None):
    """The global step, an int64 variable; None before it is made."""
    return _global_step[0] if _global_step else None


def create_global_step(graph=None):
    """Makes the global step.

    Raises:
        ValueError: if there is one.
    """
    if _global_step:
        raise ValueError('"global_step" already exists.')
    return get_or_create_global_step()


def get_or_create_global_step(graph=None):
    """The global step, an int64 variable that begins with 0."""
    if not _global_step:
        with tf.init_scope():
            zero = tf.constant(0, tf.int64)
            _global_step.append(tf.Variable(zero, trainable=False, name="global_step"))
    return _global_step[0]


def global_step(sess, global_step_tensor) -> int:
    """The value of the global step; there is no session to ask.

    Args:
        sess: None.
        global_step_tensor: the variable or tensor.
    """
    return int(tf.convert_to_tensor(global_step_tensor).numpy())


def assert_global_step(global_step_tensor) -> None:
    """Checks that a global step is an integer scalar.

    Raises:
        TypeError: if it is not.
    """
    dtype, shape = global_step_tensor.dtype, global_step_tensor.shape
    if not dtype.is_integer:
        raise TypeError(f'Existing "global_step" does not have integer type: {dtype}')
    if shape.rank:
        raise TypeError(f'Existing "global_step" is not scalar: {shape}')


def _now(decayed):
    """The schedule eagerly, its value in a graph."""
    return decayed if tf.executing_eagerly() else decayed()


def exponential_decay(
    learning_rate, global_step, decay_steps, decay_rate, staircase=False, name=None
):
    """learning_rate * decay_rate ** (global_step / decay_steps).

    Args:
        learning_rate: the first rate.
        global_step: a scalar, tensor or variable.
        decay_steps, decay_rate: scalars.
        staircase: whether the exponent is a whole number.
        name: a name for the operation.
    """

    def decayed():
        rate = tf.convert_to_tensor(learning_rate, name="learning_rate")
        done = tf.cast(global_step, rate.dtype) / tf.cast(decay_steps, rate.dtype)
        done = tf.floor(done) if staircase else done
        return tf.multiply(rate, tf.pow(tf.cast(decay_rate, rate.dtype), done), name)

    return _now(decayed)


def natural_exp_decay(
    learning_rate, global_step, decay_steps, decay_rate, staircase=False, name=None
):
    """learning_rate * exp(-decay_rate * global_step / decay_steps); see `exponential_decay`."""
    rate = tf.exp(tf.negative(decay_rate))
    return exponential_decay(learning_rate, global_step, decay_steps, rate, staircase, name)


def inverse_time_decay(
    learning_rate, global_step, decay_steps, decay_rate, staircase=False, name=None
):
    """learning_rate / (1 + decay_rate * global_step / decay_steps); see `exponential_decay`."""

    def decayed():
        rate = tf.convert_to_tensor(learning_rate, name="learning_rate")
        done = tf.cast(global_step, rate.dtype) / tf.cast(decay_steps, rate.dtype)
        done = tf.floor(done) if staircase else done
        return tf.divide(rate, 1 + tf.cast(decay_rate, rate.dtype) * done, name)

    return _now(decayed)


def polynomial_decay(
    learning_rate,
    global_step,
    decay_steps,
    end_learning_rate=0.0001,
    power=1.0,
    cycle=False,
    name=None,
):
    """From the first rate to the last by a power of what is left of the steps.

    Args:
        learning_rate, end_learning_rate: the first and the last rate.
        global_step, decay_steps: scalars.
        power: the exponent.
        cycle: whether the number of steps is doubled, tripled... when they have passed.
        name: a name for the operation.
    """

    def decayed():
        rate = tf.convert_to_tensor(learning_rate, name="learning_rate")
        end, steps = tf.cast(end_learning_rate, rate.dtype), tf.cast(decay_steps, rate.dtype)
        step = tf.cast(global_step, rate.dtype)
        if cycle:
            times = tf.where(tf.equal(step, 0), tf.ones_like(step), tf.math.ceil(step / steps))
            steps = steps * times
        else:
            step = tf.minimum(step, steps)
        left = tf.pow(1 - step / steps, tf.cast(power, rate.dtype))
        return tf.add((rate - end) * left, end, name)

    return _now(decayed)


def piecewise_constant(x, boundaries, values, name=None):
    """One value up to each boundary, and one behind the last.

    Args:
        x: a scalar, tensor or variable, integer or float.
        boundaries: ascending numbers.
        values: one more than the boundaries.
        name: a name for the operation.

    Raises:
        ValueError: if the numbers of boundaries and values do not fit.
    """
    boundaries, values = tf.nest.flatten(boundaries), tf.nest.flatten(values)
    if len(boundaries) != len(values) - 1:
        raise ValueError("The length of boundaries should be 1 less than the length of values")

    def decayed():
        at = tf.convert_to_tensor(x)
        rates = tf.stack([tf.convert_to_tensor(value) for value in values])
        if not boundaries:
            return tf.identity(rates[0], name)
        limits = tf.stack([tf.cast(boundary, at.dtype) for boundary in boundaries])
        passed = tf.reduce_sum(tf.cast(at > limits, tf.int32))
        return tf.gather(rates, passed, name=name)

    return _now(decayed)


piecewise_constant_decay = piecewise_constant


def cosine_decay(learning_rate, global_step, decay_steps, alpha=0.0, name=None):
    """From the first rate to `alpha` of it along half a wave of the cosine."""

    def decayed():
        rate = tf.convert_to_tensor(learning_rate, name="learning_rate")
        steps = tf.cast(decay_steps, rate.dtype)
        done = tf.minimum(tf.cast(global_step, rate.dtype), steps) / steps
        wave = 0.5 * (1.0 + tf.cos(tf.constant(_math.pi, rate.dtype) * done))
        return tf.multiply(rate, (1 - alpha) * wave + alpha, name)

    return _now(decayed)


def cosine_decay_restarts(
    learning_rate, global_step, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0, name=None
):
    """`cosine_decay` that begins again, each time `t_mul` times as long and `m_mul` as high."""

    def decayed():
        rate = tf.convert_to_tensor(learning_rate, name="learning_rate")
        dtype = rate.dtype
        longer, higher = tf.cast(t_mul, dtype), tf.cast(m_mul, dtype)
        done = tf.cast(global_step, dtype) / tf.cast(first_decay_steps, dtype)
        # the sum of a geometric series, for lengths that are all equal an arithmetic one
        ratio = tf.where(longer == 1.0, tf.constant(2.0, dtype), longer)
        growing = tf.floor(tf.math.log(1.0 - done * (1.0 - ratio)) / tf.math.log(ratio))
        begun = (1.0 - ratio**growing) / (1.0 - ratio)
        equal = longer == 1.0
        restarts = tf.where(equal, tf.floor(done), growing)
        within = tf.where(equal, done - tf.floor(done), (done - begun) / ratio**growing)
        wave = 0.5 * higher**restarts * (1.0 + tf.cos(tf.constant(_math.pi, dtype) * within))
        return tf.multiply(rate, (1 - alpha) * wave + alpha, name)

    return _now(decayed)


def linear_cosine_decay(
    learning_rate, global_step, decay_steps, num_periods=0.5, alpha=0.0, beta=0.001, name=None
):
    """A line that falls to 0, plus `alpha`, times waves of the cosine, plus `beta`."""

    def decayed():
        rate = tf.convert_to_tensor(learning_rate, name="learning_rate")
        steps = tf.cast(decay_steps, rate.dtype)
        step = tf.minimum(tf.cast(global_step, rate.dtype), steps)
        line = (steps - step) / steps
        angle = tf.constant(_math.pi * num_periods * 2.0, rate.dtype) * (step / steps)
        wave = 0.5 * (1.0 + tf.cos(angle))
        return tf.multiply(rate, (alpha + line) * wave + beta, name)

    return _now(decayed)
