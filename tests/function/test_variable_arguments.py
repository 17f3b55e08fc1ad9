"""Variables as arguments of functions, against TensorFlow: values and numbers of traces."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow

import torchtf

PROGRAMS = {
    "one kind": """
        f(a, 1.0); f(b, 1.0); f(a, 1.0)
        log(a, b)
    """,
    "shape, dtype and trainable": """
        f(a, 1.0); f(tf.Variable([1.0, 2.0]), tf.constant([1.0, 2.0]))
        f(tf.Variable(1.0, trainable=False), 1.0); f(tf.Variable(1.0, dtype=tf.float64), 1.0)
    """,
    "aliases": """
        g(a, b); g(b, a); g(a, a); g(b, b)
        log(a, b)
    """,
    "nested": """
        n([a, {"x": b}]); n([b, {"x": a}]); n([a, {"x": a}])
        log(a, b)
    """,
    "gradients": """
        for v in (a, b):
            with tf.GradientTape() as tape:
                y = h(v, tf.constant(3.0))
            log(tape.gradient(y, v))
    """,
    "an object with a function": """
        class Counter(tf.Module):
            @tf.function
            def add(self, v):
                traces.append(1)
                v.assign_add(1.0)
        counter = Counter()
        counter.add(a); counter.add(b)
        log(a, b)
    """,
    "concrete": """
        concrete = f.get_concrete_function(a, tf.constant(1.0))
        log(concrete(b, tf.constant(4.0)), b, concrete.structured_input_signature)
        log(len(concrete.variables), len(concrete.captured_inputs))
    """,
    "strings": """
        s = tf.Variable("x")
        @tf.function
        def twice(v):
            traces.append(1)
            return v + v
        log(twice(s), twice(tf.Variable("y")))
    """,
    "open sizes": """
        @tf.function(reduce_retracing=True)
        def scaled(v, x):
            traces.append(1)
            return v * tf.reduce_max(x)
        for v in (a, b):
            for n in (1, 2, 3):
                log(scaled(v, tf.ones([n])))
    """,
}
HEAD = """
a, b = tf.Variable(1.0), tf.Variable(2.0)

@tf.function
def f(v, x):
    traces.append(1)
    v.assign_add(tf.cast(x, v.dtype))
    return v * 2

@tf.function
def g(u, v):
    traces.append(1)
    u.assign_add(1.0)
    return u + v

@tf.function
def n(structure):
    traces.append(1)
    structure[0].assign(structure[1]["x"] + 1.0)

@tf.function
def h(v, x):
    traces.append(1)
    return v * v * x
"""


def _run(tf, text):
    lines, traces = [], []

    def log(*values):
        lines.append([repr(v.numpy()) if hasattr(v, "numpy") else str(v) for v in values])

    indent = len(text) - len(text.lstrip("\n "))
    body = "\n".join(line[8:] for line in text.splitlines()) if indent else text
    exec(HEAD + body, {"tf": tf, "log": log, "traces": traces, "np": np})
    return lines, len(traces)


@pytest.mark.parametrize("name", PROGRAMS)
def test_traces_and_values_are_tensorflows(name):
    assert _run(torchtf, PROGRAMS[name]) == _run(tensorflow, PROGRAMS[name])


def test_a_variable_under_two_names():
    a, b = torchtf.Variable(1.0), torchtf.Variable(2.0)

    @torchtf.function
    def add(v):
        v.assign_add(1.0)
        a.assign_add(10.0)
        return v + a

    assert [add(b).numpy(), add(a).numpy(), add(b).numpy()] == [3 + 11, 22 + 22, 4 + 32]
    assert (a.numpy(), b.numpy()) == (32.0, 4.0)
