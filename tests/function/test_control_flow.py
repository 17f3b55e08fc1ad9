"""tf.cond, tf.while_loop, tf.map_fn and their kin; TensorArray; tf.print and tf.Assert."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest
import torch

import torchtf
from tests.function.programs import compare, program


def eager_and_traced(tf, body):
    """What a function gives when it runs eagerly, and in a graph."""
    return body(), tf.function(body, autograph=False)()


@program
def cond(tf):
    x = tf.constant(3.0)
    return eager_and_traced(
        tf, lambda: [tf.cond(x > t, lambda: (x * 2.0, {"a": x}), lambda: (x, {"a": -x}))
                     for t in (1.0, 5.0)]
    )  # fmt: skip


@program
def cond_without_results(tf):
    v = tf.Variable(1)
    result = tf.function(
        lambda x: tf.cond(x > 0, lambda: v.assign_add(5).value(), lambda: v.value())
    )
    return result(tf.constant(1)), result(tf.constant(-1)), v.value()


@program
def case(tf):
    x = tf.constant(3)

    def body():
        return [
            tf.case([(x < a, lambda: 1), (x < b, lambda: 2)], default=lambda: 3)
            for a, b in ((5, 9), (1, 9), (1, 2))
        ]

    return eager_and_traced(tf, body)


@program(raises=True)
def case_exclusive_is_violated(tf):
    x = tf.constant(3)
    f = tf.function(
        lambda: tf.case([(x < 5, lambda: 1), (x < 9, lambda: 2)], lambda: 3, exclusive=True)
    )
    return f()


@program
def switch_case(tf):
    def body():
        return [
            tf.switch_case(tf.constant(i), [lambda: 10, lambda: 20, lambda: 30])
            for i in (-1, 0, 1, 2, 3)
        ] + [
            tf.switch_case(tf.constant(i), {1: lambda: 1.0, 0: lambda: 2.0}, default=lambda: 3.0)
            for i in (0, 1, 5)
        ]

    return eager_and_traced(tf, body)


@program
def while_loop(tf):
    def body():
        return tf.while_loop(
            lambda i, s: i < 5, lambda i, s: (i + 1, {"a": s["a"] + tf.cast(i, tf.float32)}),
            (tf.constant(0), {"a": tf.constant([1.0, 2.0])}),
        )  # fmt: skip

    return eager_and_traced(tf, body)


@program
def while_loop_limits(tf):
    def body():
        return (
            tf.while_loop(lambda i: i < 50, lambda i: [i + 1], [tf.constant(0)],
                          maximum_iterations=3),
            tf.while_loop(lambda i: i < 2, lambda i: [i + 1], [tf.constant(0)],
                          maximum_iterations=9),
            tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, tf.concat([x, x], 0)),
                          (tf.constant(0), tf.ones([1])),
                          shape_invariants=(tf.TensorShape([]), tf.TensorShape([None]))),
        )  # fmt: skip

    return eager_and_traced(tf, body)


@program
def loops_that_go_down_or_never_run(tf):
    def body():
        return (
            tf.while_loop(lambda i, x: i > 0, lambda i, x: (i - 2, x + i), (7, 0)),
            tf.while_loop(lambda i, x: i < 0, lambda i, x: (i + 1, x + i), (7, 0)),
            tf.while_loop(lambda i, x: i != 6, lambda i, x: (i + 3, x * 2), (0, 1)),
        )

    return eager_and_traced(tf, body)


@program(raises=True)
def while_shape_changes(tf):
    f = tf.function(
        lambda x: tf.while_loop(
            lambda x: tf.reduce_sum(x) < 5.0, lambda x: tf.concat([x, x], 0), [x]
        )
    )
    return f(tf.ones([1]))


@program
def map_fn(tf):
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])

    def body():
        return (
            tf.map_fn(lambda r: tf.reduce_sum(r), x),
            tf.map_fn(lambda r: (r * 2.0, tf.cast(r[0], tf.int32)), x,
                      fn_output_signature=(tf.float32, tf.int32)),
            tf.map_fn(lambda t: t[0] + t[1], (x, x * 10.0), fn_output_signature=tf.float32),
        )  # fmt: skip

    return eager_and_traced(tf, body)


@program
def folds_and_scans(tf):
    x = tf.constant([1.0, 2.0, 4.0])

    def body():
        return (
            tf.foldl(lambda a, b: a - b, x), tf.foldr(lambda a, b: a - b, x),
            tf.foldl(lambda a, b: a * 2.0 + b, x, initializer=5.0),
            tf.scan(lambda a, b: a + b, x), tf.scan(lambda a, b: a + b, x, reverse=True),
            tf.scan(lambda a, b: (a[0] + b, a[1] * b), x, initializer=(0.0, 1.0)),
        )  # fmt: skip

    return eager_and_traced(tf, body)


@program
def vectorized_map(tf):
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    w = tf.Variable([[1.0, 0.5], [0.0, 2.0]])

    def body():
        return (
            tf.vectorized_map(lambda r: tf.linalg.matvec(w, r) * tf.reduce_sum(r), x),
            tf.vectorized_map(lambda t: {"s": t[0] + t[1]}, (x, x)),
        )

    return eager_and_traced(tf, body)


@program
def gradients_of_maps(tf):
    x = tf.constant([1.0, 2.0, 3.0])

    @tf.function
    def f(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.map_fn(lambda e: e * e, x)) + tf.foldl(lambda a, b: a * b, x)
            z = tf.reduce_sum(tf.scan(lambda a, b: a * b, x))
        return tape.gradient([y, z], x)

    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.function(lambda x: tf.scan(lambda a, b: a * b + 1.0, x))(x)
    return f(x), tape.gradient(y, x)


@program
def tensor_arrays(tf):
    def body():
        ta = tf.TensorArray(tf.float32, size=3, clear_after_read=False)
        ta = ta.write(0, [1.0, 2.0]).write(2, [5.0, 6.0]).write(1, [3.0, 4.0])
        other = tf.TensorArray(tf.int32, size=4, element_shape=[]).scatter([3, 0], [7, 8])
        rows = tf.TensorArray(tf.float32, size=2).unstack(tf.constant([[1.0], [2.0]]))
        parts = tf.TensorArray(tf.float32, size=2, infer_shape=False, clear_after_read=False)
        parts = parts.split(tf.constant([1.0, 2.0, 3.0]), [1, 2])
        return (
            ta.stack(), ta.read(1), ta.gather([2, 0]), ta.concat(), ta.size(), other.stack(),
            rows.read(1), parts.read(1), parts.concat(),
        )  # fmt: skip

    return eager_and_traced(tf, body)


@program(raises=True)
def tensor_array_write_behind_the_end(tf):
    return tf.TensorArray(tf.float32, size=2).write(2, 1.0)


@program(raises=True)
def tensor_array_write_behind_the_end_in_a_graph(tf):
    return tf.function(lambda: tf.TensorArray(tf.float32, size=2).write(2, 1.0).stack())()


@program(raises=True)
def tensor_array_read_twice(tf):
    ta = tf.TensorArray(tf.float32, size=1).write(0, 1.0)
    ta.read(0)
    return ta.read(0)


@program(raises=True)
def tensor_array_of_another_shape(tf):
    return tf.TensorArray(tf.float32, size=2).write(0, [1.0]).write(1, [1.0, 2.0])


@program
def prints(tf):
    import os
    import tempfile

    # TensorFlow's op prints from C++, so the text goes through a file
    path = os.path.join(tempfile.mkdtemp(), "out.txt")
    to_file = f"file://{path}"
    tf.print("a", tf.constant([1.5, 2.0]), {"b": tf.constant(3)}, [tf.constant("s")], 7,
             output_stream=to_file)  # fmt: skip
    tf.print(tf.range(20), tf.reshape(tf.range(100), [10, 10]), output_stream=to_file)
    tf.print(tf.range(20), summarize=-1, output_stream=to_file, sep=";", end="$\n")
    tf.print(tf.constant([0.1, 1e-7, 1e10, float("nan"), float("inf")]), tf.constant(True),
             tf.constant(["x", "y"]), tf.constant(1 / 3), tf.zeros([0]),
             tf.constant([[True, False]]), output_stream=to_file)  # fmt: skip

    @tf.function
    def f(x):
        tf.print("in a graph:", x, x.shape, output_stream=to_file)
        return x

    f(tf.constant([1, 2]))
    f(tf.constant([3, 4]))
    with open(path) as file:
        return file.read()


@program(raises=True)
def print_refuses_a_stream(tf):
    tf.print("x", output_stream="nowhere")


@program(raises=True)
def assert_fails(tf):
    tf.Assert(tf.constant(1) > 2, [tf.constant([1, 2, 3, 4, 5])])


@program
def order_and_groups(tf):
    v = tf.Variable(1)

    @tf.function
    def f():
        with tf.control_dependencies([v.assign_add(1)]):
            y = v.read_value()
        tf.group(v.assign_add(10), v.assign_add(100))
        return y, tf.tuple([y, v.read_value()])[1]

    return f()


@program
def second_derivatives_of_maps_and_folds(tf):
    x, v = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), tf.Variable(2.0)
    row = tf.constant([1.0, 2.0, 3.0])

    def maps():
        return tf.reduce_sum(tf.map_fn(lambda r: r**3 * v, x)), x

    def vectorized():
        y = tf.vectorized_map(lambda r: tf.reduce_sum(tf.tanh(r * v * 0.1)), x)
        return tf.reduce_sum(y * y), x

    def scans():
        a = tf.scan(lambda s, r: s * r * v, row)
        b = tf.scan(lambda s, r: s + r * s, row, initializer=1.0, reverse=True)
        return tf.reduce_sum(a * a) + tf.reduce_sum(b), row

    def folds():
        y = tf.foldl(lambda a, r: a * r * v, x)
        return tf.reduce_sum(y + tf.foldr(lambda a, r: a + r**3, x, initializer=tf.zeros(2))), x

    def loops():
        _, y = tf.while_loop(
            lambda i, y: i < 4, lambda i, y: (i + 1, y * row * v * 0.3 + tf.sin(y)), (0, row),
            parallel_iterations=1, swap_memory=True, maximum_iterations=3,
        )  # fmt: skip
        return tf.reduce_sum(y), row

    def derivatives(function):
        def run():
            with tf.GradientTape() as outer:
                outer.watch([x, row])
                with tf.GradientTape() as tape:
                    tape.watch([x, row])
                    y, source = function()
                g = tape.gradient(y, [source, v])
                s = tf.reduce_sum(g[0] * source)
            return y, g, outer.gradient(s, [source, v])

        return run

    runs = [derivatives(f) for f in (maps, vectorized, scans, folds, loops)]
    return [(run(), tf.function(run, autograph=False)()) for run in runs]


@program
def unknown_length_with_gradients(tf):
    @tf.function(input_signature=[tf.TensorSpec([None, 2])])
    def f(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = [
                tf.map_fn(lambda r: r * r, x), tf.scan(lambda s, r: s + r, x),
                tf.foldl(lambda s, r: s * r, x),
                tf.vectorized_map(lambda r: tf.reduce_sum(r**3), x),
            ]  # fmt: skip
            y = tf.add_n([tf.reduce_sum(a) for a in found])
        return found, tape.gradient(y, x)

    x = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    return f(x[:2]), f(x)


@program
def back_prop_of_a_map_outside_of_a_graph(tf):
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.map_fn(lambda r: r * r, x, back_prop=False)
    return tape.gradient(y, x)


@program
def branches_of_different_rank(tf):
    @tf.function
    def f(x):
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.expand_dims(x, 0), lambda: x)
        print(y.shape, tf.reduce_sum(y).shape, tf.shape(y).shape, tf.reshape(y, [2, 1]).shape)
        z = tf.concat([y, tf.zeros_like(y)], -1)
        print((y + 1.0).shape, z.shape, y[..., 0].shape, tf.ensure_shape(y, [None, 2]).shape)
        more = [tf.nn.softmax(y), tf.stack([y, y]), tf.where(y > 0, y, -y), tf.fill(tf.shape(y), 3)]
        return (
            y * 2.0,
            z,
            tf.rank(y),
            tf.size(y),
            tf.matmul(tf.reshape(y, [1, 2]), [[1.0], [2.0]]),
            more,
        )

    @tf.function
    def g(i, x):
        a = tf.switch_case(i, [lambda: x, lambda: x[0], lambda: x[None]])
        b = tf.case([(i < 1, lambda: x), (i < 2, lambda: x[0])], default=lambda: x[None])
        return a, b

    @tf.function
    def h(x):
        if tf.reduce_sum(x) > 0:
            return x
        return tf.constant(0.0)

    x = tf.constant([1.0, 2.0])
    return f(x), f(-x), [g(tf.constant(i), x) for i in range(3)], h(x), h(-x)


@program
def gradients_through_branches_of_different_rank(tf):
    @tf.function
    def f(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.cond(tf.reduce_sum(x) > 0, lambda: x * x, lambda: tf.reduce_sum(x * 3.0))
            z = tf.reduce_sum(tf.sin(y) * 2.0)
        return z, tape.gradient(z, x)

    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        z, _ = f(x)
    return f(x), f(-x), tape.gradient(z, x)


@program
def a_loop_variable_of_any_rank(tf):
    @tf.function
    def f(x, n):
        anything = tf.TensorShape(None)
        _, y = tf.while_loop(
            lambda i, y: i < n,
            lambda i, y: (i + 1, tf.expand_dims(y, 0)),
            [0, x],
            shape_invariants=[tf.TensorShape([]), anything],
        )
        for _ in tf.range(n):
            tf.autograph.experimental.set_loop_options(shape_invariants=[(x, anything)])
            x = tf.stack([x, x * 2.0])
        print(x.shape, y.shape)
        return x, y, tf.reduce_max(x)

    x = tf.constant([1.0, 2.0])
    return f(x, tf.constant(2)), f(x, tf.constant(0))


@program(raises=True)
def a_loop_variable_that_changes_its_rank(tf):
    @tf.function
    def f(x):
        return tf.while_loop(lambda x: tf.rank(x) < 3, lambda x: tf.expand_dims(x, 0), [x])

    return f(tf.constant([1.0, 2.0]))


@program
def a_python_function_of_unknown_rank(tf):
    @tf.function
    def f(x):
        y = tf.py_function(lambda a: np.ones([2, 3], np.float32) * a.numpy(), [x], tf.float32)
        print(y.shape, (y + tf.ones([2, 3])).shape)
        z = y + tf.ones([2, 3])
        y.set_shape([2, 3])
        print(y.shape)
        return z, tf.reduce_sum(y, axis=1), tf.matmul(z, tf.ones([3, 1]))

    return f(tf.constant(2.0))


@program
def an_open_batch_beside_a_constant(tf):
    @tf.function
    def f(x):
        return x + tf.constant([[1.0], [2.0], [3.0]])

    g = f.get_concrete_function(tf.TensorSpec([None, 2]))
    return g(tf.ones([3, 2])), g(tf.ones([1, 2])), g.structured_outputs.shape


@program
def counters_in_other_uses(tf):
    """What a loop may do with its counter besides counting; reads of rows, in order or not."""
    table = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])

    @tf.function
    def f(x, n):
        total, seen = tf.zeros([2]), tf.TensorArray(tf.int32, size=0, dynamic_size=True)
        i = tf.constant(0)
        while i < n and tf.reduce_sum(total) < 60.0:
            if i % 2 == 0:
                total += table[i] * tf.cast(i, tf.float32)
            total += x[n - 1 - i] * x[i]
            seen = seen.write(i, i * i)
            i += 1
        return total, seen.stack(), i, tf.range(i)

    @tf.function
    def carried(n):
        i, j, k = 0, tf.constant(10, tf.int64), tf.constant(0)
        while i < n:
            i, j, k = i + 1, j - 3, k + i
        return i, j, k

    @tf.function
    def gradients(x, n):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, _, _, _ = f(x, n)
        return tape.gradient(y, x)

    x = tf.constant([[1.0, -1.0], [2.0, 0.5], [3.0, 1.0], [0.5, 2.0]])
    results = [f(x, tf.constant(n)) for n in (0, 1, 4)]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x, tf.constant(4))[0]
    return results, carried(tf.constant(0)), carried(tf.constant(5)), tape.gradient(y, x), [
        gradients(x, tf.constant(n)) for n in (2, 4)
    ]  # fmt: skip


@program
def old_versions_of_an_array(tf):
    @tf.function
    def f(n):
        first = tf.TensorArray(tf.int32, size=3, clear_after_read=False)
        for i in tf.range(3):
            first = first.write(i, i)
        second, third = first.write(0, 10), first.write(1, 20)
        if n > 1:
            second = second.write(2, 30)
        return first.stack(), second.stack(), third.stack(), second.write(0, 7).stack()

    return f(tf.constant(1)), f(tf.constant(2))


@program(raises=True)
def a_row_behind_the_end(tf):
    @tf.function
    def f(x):
        total = 0.0
        for i in tf.range(4):
            total += tf.gather(x, i)[0]
        return total

    return f(tf.constant([[1.0], [2.0]]))


@program
def effects_in_branches_and_loops(tf):
    path = tempfile.mkstemp()[1]
    to_file = f"file://{path}"

    @tf.function
    def f(x):
        for i in tf.range(3):
            if x > i:
                tf.debugging.assert_less(i, 2, message="too far")
                tf.print(i, output_stream=to_file)
            for _ in tf.range(1):
                tf.print("in the loop", output_stream=to_file)

    f(tf.constant(1))
    with open(path) as file:
        text = file.read()
    assert text.count("in the loop") == 3
    try:
        f(tf.constant(5))
    except tf.errors.InvalidArgumentError:
        return text.splitlines()


def outcomes(tf, *calls) -> list:
    """What calls give eagerly and in a graph; of an error its class."""

    def one(call):
        try:
            return call()
        except Exception as e:
            return type(e).__name__

    return [(one(c), one(tf.function(c, autograph=False))) for c in calls]


@program
def bad_arguments_of_conditions(tf):
    t = tf.constant(True)

    def one():
        return tf.constant(1.0)

    def no_result():
        return None

    @tf.function
    def on(x, first, second):
        return tf.cond(x, first, second)

    staged = []
    for arguments in (
        (tf.constant(1), no_result, no_result), (tf.constant(1.0), one, one),
        (t, no_result, one), (t, one, lambda: tf.constant(1)), (t, lambda: 3.0, one),
    ):  # fmt: skip
        try:
            staged.append(on(*arguments))
        except Exception as e:
            staged.append((type(e).__name__, str(e).partition(" [Op")[0].count("passed float ")))
    return staged, outcomes(
        tf, lambda: tf.cond(t, one), lambda: tf.cond(t, None, one), lambda: tf.cond(None, one, one),
        lambda: tf.case([]), lambda: tf.case([], default=one), lambda: tf.case(3),
        lambda: tf.case([(t, one, 1)]), lambda: tf.case([[t, one]]), lambda: tf.case([(True, one)]),
        lambda: tf.case([(t, one)], default=3), lambda: tf.case(((t, one),)),
        lambda: tf.case([(t, one), (t, one)], exclusive=True),
        lambda: tf.case([(t, one), (t, one)], one, exclusive=True),
        lambda: tf.case([(t, lambda: [one()])], default=lambda: [one()]),
        lambda: tf.case([(t, lambda: [one()])], default=lambda: [one()], strict=True),
    )  # fmt: skip


@program(raises=True)
def cases_in_a_dict(tf):
    return tf.case({tf.constant(True).ref(): lambda: 1})


@program
def operations_that_order(tf):
    def one():
        return tf.constant(1.0)

    def described(operation):
        if operation is not None:
            print(operation.name, operation.type, operation.outputs)

    def within(inputs):
        def call():
            with tf.control_dependencies(inputs):
                return one()

        return call

    @tf.function
    def ordered(x):
        for operation in (tf.no_op(), tf.no_op("hello"), tf.group(x), tf.group(),
                          tf.group([x], x, name="both"), tf.group(tf.group(x), x)):  # fmt: skip
            described(operation)
        with tf.control_dependencies([tf.group(x), tf.no_op()]):
            y = x + 1.0
        return y, tf.cond(x > 0.0, lambda: tf.group(x), lambda: tf.no_op())

    described(tf.group(one()))
    return ordered(one()), outcomes(
        tf, lambda: tf.no_op(), lambda: tf.group(one()), lambda: (one(), tf.group(one())),
        lambda: tf.group(3), lambda: tf.group(one(), other=3), within(3), within(None),
        within([3]), within([one()]), lambda: tf.tuple([]), lambda: tf.tuple([None]),
        lambda: tf.tuple([one(), None]),
    )  # fmt: skip


@program
def maps_over_rows(tf):
    """Row functions whose rows run at once in a graph, and ones whose effects tell."""
    x = tf.reshape(tf.range(12.0), [4, 3])
    w = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    count = tf.Variable(0)

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.map_fn(lambda r: tf.linalg.matvec(w, r * r, transpose_a=True), x)
        return tape.gradient(y, [x, w])

    def counted(r):
        count.assign_add(1)
        return r

    def checked(r):
        tf.debugging.assert_less(r, 100.0)
        return r

    def of_all(x):
        i32, text = tf.int32, tf.string
        return [
            gradients(x),
            tf.map_fn(lambda r: (r + 1, r[0]), x, fn_output_signature=(tf.float32, tf.float32)),
            tf.map_fn(lambda r: r + x[0] * tf.cast(tf.shape(x)[0], tf.float32), x),
            tf.map_fn(lambda r: tf.map_fn(lambda e: e * e, r), x),
            tf.map_fn(lambda r: tf.cond(r[0] > 4, lambda: r * 2, lambda: r), x),
            tf.map_fn(lambda r: tf.cast(r[0], i32) * [1, 2], x, fn_output_signature=i32),
            tf.map_fn(tf.strings.as_string, tf.cast(x, i32), fn_output_signature=text),
            tf.map_fn(lambda i: tf.reduce_sum(x[:i]), tf.range(4), fn_output_signature=tf.float32),
            tf.map_fn(lambda p: p["a"] + p["b"], {"a": x, "b": x}, fn_output_signature=tf.float32),
            tf.map_fn(counted, x), tf.map_fn(checked, x),
        ]  # fmt: skip

    open_sizes = tf.function(
        lambda x: tf.map_fn(lambda r: tf.reduce_sum(r) * 2.0, x),
        input_signature=[tf.TensorSpec([None, None])],
    )
    return (
        of_all(x), tf.function(of_all, autograph=False)(x), count.value(),
        [open_sizes(part) for part in (x, x[:0], x[:, :1])],
    )  # fmt: skip


@program
def misfits_of_maps_and_folds(tf):
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    none = tf.zeros([0, 2])
    calls = [
        lambda: tf.map_fn(lambda r: (r, r), x),
        lambda: tf.map_fn(lambda r: r, (x, x), fn_output_signature=tf.float32),
        lambda: tf.map_fn(lambda r: {"a": r}, x, fn_output_signature={"b": tf.float32}),
        lambda: tf.map_fn(lambda r: r, (x, x[:1])),
        lambda: tf.map_fn(lambda r: r, []),
        lambda: tf.map_fn(lambda r: r[0], x, fn_output_signature=tf.TensorSpec([2])),
        lambda: tf.map_fn(lambda r: r, none),
        lambda: tf.scan(lambda a, r: (a, r), x),
        lambda: tf.scan(lambda a, r: a[0], x),
        lambda: tf.scan(lambda a, r: (a[0] + 1,), x, initializer=(0.0, 1.0)),
        lambda: tf.scan(lambda a, r: a, none, initializer=1.0),
        lambda: tf.foldl(lambda a, r: (a, r), x),
        lambda: tf.foldl(lambda a, r: a, none, initializer=1.0),
    ]
    eager_only = [
        lambda: tf.map_fn(lambda r: tf.cast(r, tf.int32), x),
        lambda: tf.scan(lambda a, r: tf.cast(a, tf.int32), x),
        lambda: tf.scan(lambda a, r: a, none), lambda: tf.foldl(lambda a, r: a, none),
        lambda: tf.foldr(3, x), lambda: tf.scan(3, x),
    ]  # fmt: skip
    found = []
    for call in eager_only:
        try:
            found.append(call())
        except Exception as e:
            found.append(type(e).__name__)
    return outcomes(tf, *calls), found


@program
def loop_variables_of_another_type_or_shape(tf):
    def loop(body, *invariants):
        return tf.function(
            lambda x: tf.while_loop(
                lambda x: x < 10, body, [x], shape_invariants=list(invariants) or None
            ),
            autograph=False,
        )

    x = tf.constant(1.0)
    return outcomes(
        tf,
        lambda: loop(lambda x: tf.cast(x, tf.float16))(x),
        lambda: loop(lambda x: x + 1, "hi")(x),
        lambda: loop(lambda x: x + 1, tf.RaggedTensorSpec([None]))(x),
        lambda: loop(lambda x: x + 1, tf.TensorSpec([], tf.int32))(x),
        lambda: loop(lambda x: x + 1, tf.TensorSpec([]))(x),
    )


@program
def jacobians_of_loops(tf):
    x = tf.constant([[3.0, 1.0], [1.0, 2.0]])

    @tf.function(autograph=False)
    def of_fold(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.foldl(lambda a, b: a * b, x)
        return tape.jacobian(y, x)

    @tf.function(autograph=False)
    def of_branches(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.map_fn(lambda r: tf.cond(r[0] > 1, lambda: r * r, lambda: r), x)
        return tape.batch_jacobian(y, x)

    return of_fold(x), of_branches(x)


@program
def ranges_of_floats(tf):
    f = tf.function(lambda x: (tf.range(x), tf.range(1.0, x), tf.range(x, 10.0, 2.5)))
    return [f(tf.constant(x)) for x in (4.0, 2.5)]


@program
def prints_of_sparse_tensors(tf):
    sparse = tf.SparseTensor([[0, 1], [1, 0]], [1, 2], [2, 2])

    def shown(sparse):
        with tempfile.NamedTemporaryFile() as file:
            where = f"file://{file.name}"
            tf.print(sparse, output_stream=where)
            tf.print("a", {"b": [sparse, 1]}, output_stream=where)
            return file.read()

    return shown(sparse).decode().splitlines()


@program
def maps_and_folds_over_an_open_number_of_rows(tf):
    @tf.function(input_signature=[tf.TensorSpec([None, 2])])
    def f(x):
        return (
            tf.map_fn(lambda row: row * tf.reduce_sum(row), x), tf.foldl(lambda a, b: a * b, x),
            tf.foldr(lambda a, b: a - b, x, tf.zeros(2)), tf.scan(lambda a, b: a * 0.5 + b, x),
        )  # fmt: skip

    concrete = f.get_concrete_function()  # traced before any number of rows was seen
    return [concrete(tf.reshape(tf.range(2.0 * n), [n, 2])) for n in (3, 1)]


@program
def a_range_fails_only_in_the_branch_that_is_taken(tf):
    @tf.function(input_signature=[tf.TensorSpec([None])])
    def f(x):
        n = tf.shape(x)[0]
        return tf.range(5, n, -1) if n < 5 else tf.range(n, 5, -1)

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def g(x):
        n = tf.shape(x)[0]
        return tf.range(5, n) if n < 5 else tf.range(n, 3)

    out = [f(tf.zeros([n])) for n in (7, 5, 3, 0)]
    try:
        g(tf.zeros([7]))
    except tf.errors.InvalidArgumentError as e:
        return out, "Requires start <= limit when delta > 0: 7/3" in str(e)


@program
def a_static_shape_that_does_not_fit_is_refused(tf):
    def message(shape, other):
        @tf.function(autograph=False)
        def f(x):
            x.set_shape(other)

        try:
            f.get_concrete_function(tf.TensorSpec(shape))
        except ValueError as e:
            return str(e)

    pairs = [([2], [3]), ([None, 3], [2, 4]), ([2, None, 4], [3, 1, 5]), ([2], [2, 2]), ([], [1])]
    return [message(a, b) for a, b in pairs]


test_programs = compare(globals())


@torchtf.function
def collatz(n):
    steps = 0
    while n != 1:
        if n % 2 == 0:
            n = n // 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps


def test_control_flow_has_the_form_of_torchs_operators():
    concrete = collatz.get_concrete_function(torchtf.TensorSpec([], torchtf.int32))
    targets = {n.target for n in concrete.graph_module.graph.nodes}
    assert torch.ops.higher_order.while_loop in targets
    body = concrete.graph_module.loop_body_0
    assert torch.ops.higher_order.cond in {n.target for n in body.graph.nodes}


def test_control_flow_exports_with_torch_export():
    @torchtf.function(input_signature=[torchtf.TensorSpec([3], torchtf.float32)])
    def f(x):
        if torchtf.reduce_sum(x) > 0.0:
            y = x * 2.0
        else:
            y = x - 1.0
        while torchtf.reduce_sum(y) < 100.0:
            y = y * y + 1.0
        return y

    module, examples = f.get_concrete_function().as_module()
    exported = torch.export.export(module, tuple(examples))
    for values in ([1.0, 2.0, 3.0], [-1.0, -2.0, 0.5]):
        want = f(torchtf.constant(values)).numpy()
        (have,) = exported.module()(torch.tensor(values))
        np.testing.assert_allclose(have.numpy(), want, rtol=1e-6)


@pytest.mark.parametrize("iterations", [0, 1, 7])
def test_a_recorded_loop_keeps_random_numbers(iterations):
    """The gradient uses the numbers that the forward pass drew."""

    @torchtf.function
    def f(x, n):
        noise = torchtf.ones([])
        with torchtf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for _ in torchtf.range(n):
                u = torchtf.random.uniform([])
                y, noise = y * u, noise * u
        return tape.gradient(y, x), noise

    gradient, noise = f(torchtf.constant(2.0), torchtf.constant(iterations))
    np.testing.assert_allclose(gradient.numpy(), noise.numpy(), rtol=1e-6)
