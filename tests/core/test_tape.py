"""GradientTape, ForwardAccumulator, custom gradients: as TensorFlow's, case by case."""

from __future__ import annotations

import gc

import torch

import torchtf
from tests.function.programs import compare, program


@program
def structures(tf):
    v, w = tf.Variable(3.0), tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = {"a": v * 2.0, "b": [w * v]}
    return tape.gradient(y, {"x": v, "y": [w, (v,)]})


@program(raises=True)
def second_use(tf):
    v = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = v * v
    tape.gradient(y, v)
    return tape.gradient(y, v)


@program
def persistent(tf):
    v = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = v * v
        z = y * v
    return tape.gradient(y, v), tape.gradient(z, v), tape.gradient(z, y), tape.gradient(z, z)


@program
def what_is_watched(tf):
    v, frozen = tf.Variable(1.0), tf.Variable(2.0, trainable=False)
    c = tf.constant(3.0)
    with tf.GradientTape() as tape:
        y = v * frozen * c
    with tf.GradientTape(watch_accessed_variables=False) as other:
        other.watch([frozen, c])
        z = v * frozen * c
    return (
        [w is v for w in tape.watched_variables()], tape.gradient(y, [v, frozen, c]),
        [w is frozen for w in other.watched_variables()], other.gradient(z, [v, frozen, c]),
    )  # fmt: skip


@program
def unconnected(tf):
    v, w = tf.Variable(1.0), tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y = v * 2.0
    return (
        tape.gradient(y, w), tape.gradient(y, w, unconnected_gradients="zero"),
        tape.gradient(y, [v, w], unconnected_gradients=tf.UnconnectedGradients.ZERO),
    )  # fmt: skip


@program(raises=True)
def unknown_kind_of_unconnected(tf):
    v = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = v * 2.0
    return tape.gradient(y, v, unconnected_gradients="some")


@program
def output_gradients(tf):
    v = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y, z = v * 2.0, v * v
    weights = [tf.constant([1.0, 10.0]), tf.constant([2.0, 3.0])]
    return tape.gradient([y, z], v, output_gradients=weights)


@program
def stop_recording_and_reset(tf):
    v = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = v * 2.0
        with tape.stop_recording():
            z = v * v
        y = y + z
    first = tape.gradient(y, v)
    with tf.GradientTape() as tape:
        y = v * 2.0
        tape.reset()
        y = y + v * 5.0
    return first, tape.gradient(y, v), len(tape.watched_variables())


@program(raises=True)
def entering_twice(tf):
    with tf.GradientTape() as tape, tape:
        pass


@program(raises=True)
def never_entered(tf):
    return tf.GradientTape().gradient(tf.constant(1.0), tf.constant(1.0))


@program(raises=True)
def watching_a_number(tf):
    with tf.GradientTape() as tape:
        tape.watch(3.0)


@program
def several_tapes_at_once(tf):
    x = tf.constant(3.0)
    with tf.GradientTape() as a, tf.GradientTape() as b:
        a.watch(x)
        y = x * x
        b.watch(y)
        z = y * y * x
    return a.gradient(z, x), b.gradient(z, y)


@program
def one_tensor_in_two_tapes_one_after_the_other(tf):
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as first:
        first.watch(x)
        a = x * x
    with tf.GradientTape() as second:
        second.watch(x)
        g = first.gradient(a, x)
        b = x * x * x + g
    return g, second.gradient(b, x)


@program
def third_order(tf):
    x = tf.constant(2.0)
    with tf.GradientTape() as a:
        a.watch(x)
        with tf.GradientTape() as b:
            b.watch(x)
            with tf.GradientTape() as c:
                c.watch(x)
                y = x**5
            dy = c.gradient(y, x)
        d2y = b.gradient(dy, x)
    return dy, d2y, a.gradient(d2y, x)


@program
def second_order_across_functions(tf):
    v = tf.Variable(2.0)

    @tf.function
    def f(x):
        return x**3 * v

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        return tape.gradient(y, x)

    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        g = gradient(x)
    return g, tape.gradient(g, [x, v])


@program
def stop_gradient(tf):
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = tf.stop_gradient(v * v) * v
    return tape.gradient(y, v)


@program
def integers_and_strings(tf):
    i, s = tf.constant(2), tf.constant("a")
    v = tf.Variable(1.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([i, s])
        y, z = i * i, tf.cast(v * 3.0, tf.int32)
    return tape.gradient(y, i), tape.gradient(s, v), tape.gradient(z, v)


@program
def complex_numbers(tf):
    x = tf.constant([1.0 + 2.0j, 3.0 - 1.0j])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x * (2.0 - 1.0j)
        a, r = tf.abs(x), tf.math.real(x) * tf.math.imag(x)
        e = tf.math.conj(x) * tf.exp(x)
    return [tape.gradient(t, x) for t in (y, a, r, e)]


@program
def variables_as_targets_and_sources(tf):
    v, w = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = v * w
        w.assign(y * 10.0)
        z = w * v
    x = tf.constant(1.0)
    with tf.GradientTape() as other:
        other.watch(x)
    return tape.gradient(y, [v, w]), tape.gradient(z, [v, w]), other.gradient(x, x)


@program
def jacobians(tf):
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    v = tf.Variable([1.0, -1.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.sin(x) * v
        s = tf.reduce_sum(y)
        b = tf.concat([x * x, y], 1)
    return (
        tape.jacobian(y, x), tape.jacobian(y, [x, v]), tape.jacobian(s, v),
        tape.jacobian(y, x, experimental_use_pfor=False),
        tape.jacobian(y, x, parallel_iterations=2, experimental_use_pfor=False),
        tape.jacobian(y, tf.Variable(1.0)), tape.batch_jacobian(b, x),
        tape.batch_jacobian(b, x, experimental_use_pfor=False),
    )  # fmt: skip


@program
def jacobian_in_a_function(tf):
    @tf.function
    def f(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.tanh(x) * tf.reduce_sum(x)
        return tape.jacobian(y, x)

    return f(tf.constant([0.5, 1.0, 2.0]))


@program
def hessian(tf):
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(x**3) * x[0]
        g = inner.gradient(y, x)
    return outer.jacobian(g, x)


@program(raises=True)
def batch_jacobian_of_other_batches(tf):
    x = tf.ones([1, 2])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.concat([x, x], 0)
    return tape.batch_jacobian(y, x)


@program
def custom_gradients(tf):
    v = tf.Variable(3.0)

    @tf.custom_gradient
    def scaled(x):
        def grad(upstream, variables=None):
            return upstream * 10.0 * x, [upstream * 100.0 for _ in variables]

        return x * v, grad

    @tf.custom_gradient
    def square(x):
        return x * x, lambda upstream: upstream * 2.0 * x

    @tf.custom_gradient
    def two(x, y):
        return (x * y, x + y), lambda a, b: (a * 7.0, b * 9.0)

    x = tf.constant(2.0)
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            a, b, (c, d) = scaled(x), square(square(x)), two(x, v)
        first = tape.gradient(b, x)
    return (
        a, tape.gradient(a, [x, v]), first, outer.gradient(first, x), tape.gradient(c, [x, v]),
        tape.gradient(d, [x, v]), tf.function(lambda z: square(z))(x),
    )  # fmt: skip


@program(raises=True)
def custom_gradient_without_variables_argument(tf):
    v = tf.Variable(3.0)
    f = tf.custom_gradient(lambda x: (x * v, lambda upstream: upstream))
    x = tf.constant(1.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        f(x)


@program
def pass_through_and_recompute(tf):
    v = tf.Variable(0.5)
    x = tf.constant([1.4, 2.6])
    rounded = tf.grad_pass_through(tf.round)
    recomputed = tf.recompute_grad(lambda z: tf.sin(z) * v)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, z = rounded(x) * 3.0, recomputed(x)
    return y, tape.gradient(y, x), z, tape.gradient(z, [x, v])


@program
def forward_accumulators(tf):
    x, v = tf.constant([1.0, 2.0]), tf.Variable([3.0, 4.0])
    with tf.autodiff.ForwardAccumulator([x, v], [tf.constant([1.0, 0.0]), tf.ones([2])]) as acc:
        y = tf.reduce_sum(x * x * v)
        z = tf.constant(1.0)
    with tf.autodiff.ForwardAccumulator(v, tf.constant([1.0, 0.0])) as product:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(v**3)
        g = tape.gradient(loss, v)
    with tf.autodiff.ForwardAccumulator(x, tf.ones([2])) as outer:
        with tf.autodiff.ForwardAccumulator(x, tf.ones([2])) as inner:
            cube = x**3
        first = inner.jvp(cube)
    return (
        acc.jvp(y), acc.jvp(z), acc.jvp(z, unconnected_gradients="zero"), product.jvp(g),
        first, outer.jvp(first),
    )  # fmt: skip


@program
def products_of_nested_accumulators_after_their_contexts(tf):
    x, v = tf.constant(1.1), tf.Variable(2.0)

    def second():
        outer = tf.autodiff.ForwardAccumulator(x, tf.constant(1.0))
        inner = tf.autodiff.ForwardAccumulator(x, tf.constant(1.0))
        with outer, inner:
            y = x ** tf.constant(3.5)
        first = inner.jvp(y)
        return first, outer.jvp(first), outer.jvp(y)

    with tf.GradientTape() as tape, tf.autodiff.ForwardAccumulator(v, tf.constant(1.0)) as acc:
        y = v**3
    product = acc.jvp(y)
    return second(), tf.function(second)(), product, tape.gradient(product, v)


@program(raises=True)
def tangent_of_another_dtype(tf):
    return tf.autodiff.ForwardAccumulator(tf.Variable([1.0, 2.0]), tf.constant([1, 2]))


def test_tangents_of_keras_variables():
    """TensorFlow refuses variables of Keras 3; their values' products are its own."""
    tf = torchtf
    layer = tf.keras.layers.Dense(1)
    layer.build((None, 2))
    layer.kernel.assign([[1.0], [2.0]])
    x, target = tf.constant([[2.0, 3.0], [1.0, 4.0]]), tf.constant([[1.0], [-1.0]])
    tangent = tf.constant([[1.0], [0.0]])
    with tf.autodiff.ForwardAccumulator(layer.kernel, tangent) as acc:
        loss = tf.reduce_sum((layer(x) - target) ** 2.0)
    kernel = tf.Variable([[1.0], [2.0]])
    with tf.autodiff.ForwardAccumulator(kernel, tangent) as plain:
        same = tf.reduce_sum((x @ kernel - target) ** 2.0)
    assert acc.jvp(loss).numpy() == plain.jvp(same).numpy() == 48.0


@program
def custom_gradient_under_a_tape_outside_of_the_graph(tf):
    @tf.custom_gradient
    def log1pexp(x):
        e = tf.exp(x)
        return tf.math.log(1.0 + e), lambda upstream: upstream * (1.0 - 1.0 / (1.0 + e))

    x = tf.constant(100.0)
    softplus = tf.function(lambda x: log1pexp(x))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = softplus(x)
    return tape.gradient(y, x)


@program
def watching_what_a_function_closes_over(tf):
    x = tf.constant([1.0, 2.0])

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(x**3)
        return tape.gradient(y, x)

    first = gradient()
    with tf.GradientTape() as outer:
        outer.watch(x)
        g = gradient()
    return first, gradient(), x, x * 2.0, outer.gradient(g, x)


@program
def python_functions(tf):
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.py_function(lambda a: a**2 * 3.0, [x], tf.float32)
        z = tf.numpy_function(lambda a: a * 2.0, [x], tf.float32)
    return tape.gradient(y, x), tape.gradient(z, x)


@program
def errors(tf):
    v = tf.Variable(1.0)

    def used():
        with tf.GradientTape() as tape:
            y = v * v
        return tape, y

    def outside():
        with used()[0].stop_recording():
            pass

    def twice():
        tape, y = used()
        tape.gradient(y, v)
        tape.jacobian(y, v)

    cases = [
        outside, twice, lambda: tf.GradientTape().reset(), lambda: used()[0].gradient(None, v),
        lambda: tf.GradientTape().stop_recording().__enter__(), lambda: used()[0].watch("a"),
    ]  # fmt: skip
    found = []
    for case in cases:
        try:
            case()
            found.append("none")
        except Exception as e:
            found.append(type(e).__name__)
    return found


@program
def jacobians_of_scalars(tf):
    x, other = tf.constant(2.0), tf.Variable(2.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, z = tf.stack([x, x**2, x**3]), tf.sin(x)
    return (
        tape.jacobian(y, x), tape.jacobian(z, x), tape.jacobian(z, {"a": x, "b": [x]}),
        tape.jacobian(y, other), tape.jacobian(y, other, unconnected_gradients="zero"),
    )  # fmt: skip


test_programs = compare(globals())


def test_a_loop_does_not_grow():
    """Thousands of steps that carry a loss and a state hold no more tensors than a few."""
    tf = torchtf
    v, state, total = tf.Variable([1.0, 2.0]), tf.constant([0.0, 0.0]), tf.constant(0.0)

    def steps(count, state, total):
        for _ in range(count):
            with tf.GradientTape() as tape:
                state = tf.tanh(state * 0.5 + v)
                loss = tf.reduce_sum((tf.gather(state, [0]) - tf.gather(v, [1])) ** 2)
            v.assign_sub(0.01 * tf.convert_to_tensor(tape.gradient(loss, v)))
            total += loss
        return state, total

    def tensors():
        gc.collect()
        return sum(issubclass(type(x), torch.Tensor) for x in gc.get_objects())

    state, total = steps(10, state, total)
    before = tensors()
    state, total = steps(3000, state, total)
    assert tensors() <= before + 5
    assert not total.torch().requires_grad and total.torch().grad_fn is None


def test_custom_gradients_in_loops_and_branches_of_a_graph():
    """The incoming gradient of each step is clipped to 0.5, whatever the tape encloses."""
    tf = torchtf
    v, x = tf.Variable(3.0), tf.constant(2.0)

    @tf.custom_gradient
    def clipped(x):
        return tf.identity(x), lambda upstream: tf.clip_by_norm(upstream, 0.5)

    @tf.function
    def looped(x):
        y = x
        for _ in tf.range(3):
            y = clipped(y * v)
        return y

    @tf.function
    def branch(x, c):
        return tf.cond(c, lambda: clipped(x) * 3.0, lambda: x)

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = looped(x)
        a, b = branch(x, tf.constant(True)), branch(x, tf.constant(False))
    assert float(y) == 54.0
    assert float(tape.gradient(y, x)) == 0.5 * 3.0
    assert float(tape.gradient(y, v)) == 0.5 * 18.0 + 0.5 * 6.0 + 0.5 * 2.0
    assert float(tape.gradient(a, x)) == 0.5 and float(tape.gradient(b, x)) == 1.0
