"""`IndexedSlices` gradients: where TensorFlow gives them, and what takes them."""

from __future__ import annotations

import numpy as np

import torchtf
from tests.function.programs import compare, program


def parts(gradient):
    """The components of a gradient, so that its dense shape is compared, too."""
    if hasattr(gradient, "indices"):
        return "slices", gradient.values, gradient.indices, gradient.dense_shape
    return gradient


def table(tf):
    return tf.Variable(np.arange(12.0, dtype="float32").reshape(4, 3))


@program
def where_a_variable_is_read_by_rows(tf):
    ids = tf.constant([[1, 2], [1, 0]], tf.int64)
    reads = [
        lambda v: tf.gather(v, [2, 0, 2]), lambda v: tf.gather(v, 1),
        lambda v: tf.gather(v, [1], axis=-2), lambda v: tf.gather(tf.convert_to_tensor(v), [1]),
        lambda v: tf.nn.embedding_lookup(v, ids), lambda v: v.sparse_read([1, 1]),
        lambda v: tf.gather_nd(v, [[1], [2]]), lambda v: v.gather_nd([[1], [2]]),
        lambda v: tf.gather_nd(v, [[1, 1], [2, 0]]), lambda v: tf.gather(v, [1, 0], axis=1),
        lambda v: tf.gather(v, [[1], [1], [2], [0]], batch_dims=1), lambda v: v[1:3],
        lambda v: tf.gather(v * 2.0, [1]), lambda v: tf.nn.embedding_lookup(v, ids, max_norm=2.0),
    ]  # fmt: skip
    found = []
    for read in reads:
        v = table(tf)
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(read(v) ** 2)
        found.append(parts(tape.gradient(y, v)))
    return found


@program
def sums_of_several_reads(tf):
    v = table(tf)
    with tf.GradientTape(persistent=True) as tape:
        a = tf.reduce_sum(tf.gather(v, [2, 0, 2]) ** 2)
        b = tf.reduce_sum(tf.nn.embedding_lookup(v, tf.constant([1], tf.int64)) ** 3)
        third = tf.gather(v, [3])
        targets = a + b, a + tf.reduce_sum(v * v), tf.concat([third, tf.gather(v, [1])], 0)
        dense = tf.reduce_sum(v)
    return [parts(tape.gradient(t, v)) for t in (*targets, dense)], parts(
        tape.gradient(third, v, output_gradients=2.0 * tf.ones([1, 3]))
    )


@program
def of_a_watched_tensor(tf):
    x = tf.constant([1.0, 2.0, 3.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        rows = tf.gather(x, [2, 0, 2])
        y = tf.reduce_sum(rows**2)
    return [parts(tape.gradient(*pair)) for pair in ((y, x), (y, rows), (rows, x))]


@program
def several_tables(tf):
    a, b = table(tf), tf.Variable([[7.0, 8.0, 9.0], [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.nn.embedding_lookup([a, b], [[0, 4], [5, 4]]) ** 2)
    return y, [parts(g) for g in tape.gradient(y, [a, b])]


@program
def second_derivatives(tf):
    v = tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.gather(v, [2, 0, 2]) ** 3)
        g = tape.gradient(y, v)
        s = tf.reduce_sum(tf.convert_to_tensor(g) * tf.constant([1.0, 2.0, 3.0]))
    with tf.autodiff.ForwardAccumulator(v, tf.constant([1.0, 2.0, 3.0])) as acc:
        z = tf.gather(v, [2, 0, 2]) ** 3
    with tf.GradientTape(persistent=True) as tape:
        w = tf.gather(v, [2, 0, 2]) ** 3
        u = w * v
    return (
        parts(g), parts(outer.gradient(s, v)), acc.jvp(z), tape.jacobian(w, v),
        tape.jacobian(u, v), tape.jacobian(w, v, experimental_use_pfor=False),
    )  # fmt: skip


@program
def in_and_across_functions(tf):
    v, x, ids = tf.Variable([1.0, 2.0, 3.0]), tf.constant([4.0, 5.0, 6.0]), tf.constant([2, 2, 0])

    @tf.function
    def inside(i):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.gather(v, i) ** 3)
        g = tape.gradient(y, v)
        print(type(g).__name__)
        return g

    @tf.function
    def forward(x, i):
        return tf.reduce_sum(tf.gather(v, i) ** 3) * tf.reduce_sum(tf.gather(x, i) ** 2)

    @tf.function
    def around(x, i):
        with tf.GradientTape() as tape:
            y = forward(x, i)
        return tape.gradient(y, v)

    @tf.function
    def doubled(g):
        return tf.IndexedSlices(g.values * 2.0, g.indices, g.dense_shape)

    with tf.GradientTape() as tape:
        tape.watch(x)
        y = forward(x, ids)
    g = inside(ids)
    return (
        parts(g), [parts(g) for g in tape.gradient(y, [v, x])], parts(around(x, ids)),
        parts(doubled(g)), parts(doubled(doubled(g))), doubled.experimental_get_tracing_count(),
    )  # fmt: skip


@program
def what_takes_them(tf):
    v, w = table(tf), tf.Variable([2.0, 3.0, 1.0])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.gather(v, [2, 0, 2]) ** 3 * w)
    g, h = tape.gradient(y, [v, w])
    clipped, norm = tf.clip_by_global_norm([g, h], 1.0)
    print(g)
    print(g.shape, g.dtype)
    results = [
        clipped[0], clipped[1], norm, tf.linalg.global_norm([g, h]), tf.clip_by_norm(g, 1.0),
        tf.clip_by_value(g, -1.0, 1.0), tf.math.scalar_mul(2.0, g), tf.cast(g, tf.float64),
        tf.add_n([g, g]), -g,
        tf.reduce_sum(g), tf.multiply(g, 2.0), tf.square(g), tf.convert_to_tensor(g),
    ]  # fmt: skip
    v.scatter_sub(tf.IndexedSlices(0.1 * g.values, g.indices))
    first = v.numpy()
    v.assign_sub(g)
    return [parts(r) for r in results], first, v


@program(raises=True)
def arithmetic_is_refused(tf):
    v = table(tf)
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.gather(v, [0]))
    return tape.gradient(y, v) * 2.0


@program
def values_read_before_a_sparse_update_stay(tf):
    v = tf.Variable(tf.reshape(tf.range(40.0), [20, 2]))
    kept = []
    for k in range(4):
        snapshot, row = v.value(), v[3]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.embedding_lookup(v, [[k, 1], [3, 3]]) ** 2)
        g = tape.gradient(loss, v)
        v.scatter_sub(tf.IndexedSlices(0.1 * g.values, g.indices))
        v.scatter_update(tf.IndexedSlices([[1.0, 2.0]], [k]))
        v.assign_add(tf.ones_like(v))
        kept += [snapshot, row, loss]
    return kept, v


@program
def only_what_the_tape_saw_itself(tf):
    v, x = tf.Variable([1.0, 2.0, 3.0]), tf.constant([1.0, 2.0, 3.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        rows, square, exp = tf.gather(v, [1, 1]), x * x, tf.exp(v)
        with tf.GradientTape(persistent=True) as inner:
            inner.watch(x)
            y = tf.reduce_sum(rows * 3.0) * v + square + x
            z = exp * 2.0
    return (
        inner.gradient(y, [v, rows, x]), inner.gradient(z, v), inner.jacobian(y, v),
        inner.gradient(exp, v), [parts(g) for g in outer.gradient(y, [v, x])],
    )  # fmt: skip


test_programs = compare(globals())


def test_an_update_of_rows_is_in_place():
    """A large table is neither copied nor given a dense gradient."""
    tf = torchtf
    v = tf.Variable(tf.zeros([100, 8]))
    memory = v.torch().data_ptr()
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((tf.nn.embedding_lookup(v, [1, 2, 2]) - 1.0) ** 2)
        g = tape.gradient(loss, v)
        assert g.values.shape == (3, 8)
        v.scatter_sub(tf.IndexedSlices(0.1 * g.values, g.indices))
    assert v.torch().data_ptr() == memory
    held = v.value()
    v.scatter_add(g)
    assert v.torch().data_ptr() != memory and held.torch().data_ptr() == memory
