"""tf.function: signatures, caches, concrete functions, variables, nested functions."""

from __future__ import annotations

import functools
import gc
import logging
import weakref

import numpy as np

import torchtf as tf
from tests.function.programs import compare, program


@program
def axes_that_the_graph_computes(tf):
    x = tf.reshape(tf.range(6.0), [2, 1, 3])

    @tf.function
    def reduced(x, axis):
        return (
            tf.reduce_sum(x, axis), tf.reduce_mean(x, axis, keepdims=True), tf.reduce_max(x, axis),
            tf.reduce_any(x > 1, axis), tf.reduce_logsumexp(x, axis),
        )  # fmt: skip

    @tf.function
    def moved(x, axis):
        return tf.argmax(x, axis), tf.cumsum(x, axis), tf.reverse(x, [axis])

    @tf.function(input_signature=[tf.TensorSpec([None, 2, 3]), tf.TensorSpec([None], tf.int32)])
    def gradient(x, axes):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(x * x, axes)
        return y, tape.gradient(y, x)

    @tf.function(input_signature=[tf.TensorSpec([None, 2, 3])])
    def norm(x):
        return tf.sqrt(tf.reduce_sum(tf.square(x), axis=tf.range(1, tf.rank(x))))

    @tf.function
    def column(x, n):
        return tf.strided_slice(x, [0, n], [2, n + 1], [1, 1], shrink_axis_mask=2)

    batch = tf.reshape(tf.range(12.0), [2, 2, 3])
    results = [reduced(x, tf.constant(a)) for a in (1, -1, [0, 2], [1])]
    results += [moved(x, tf.constant(a)) for a in (0, 2)]
    results += [gradient(batch, tf.constant(a, tf.int32)) for a in ([0], [1, 2], [])]
    results += [norm(batch), norm.get_concrete_function().output_shapes.as_list()]
    results += [column(tf.reshape(x, [2, 3]), tf.constant(n)) for n in (0, 2)]
    try:
        reduced(x, tf.constant(7))
    except tf.errors.InvalidArgumentError:
        print("out of range")
    return results


@program
def one_trace_for_each_signature(tf):
    @tf.function
    def f(a, b=2, *rest, scale=1, **more):
        print("tracing")
        return (a + b + sum(rest)) * scale + sum(more.values())

    x = tf.constant(1)
    results = [
        f(x), f(x, 2), f(a=x), f(x, b=2), f(x, 3), f(tf.constant(5)), f(tf.constant([1, 2])),
        f(x, 1, 2, 3), f(x, scale=2), f(x, z=4), f(x, tf.constant(2)),
    ]  # fmt: skip
    return results, f.experimental_get_tracing_count()


@program
def values_of_tensors_from_outside(tf):
    small, large = tf.constant(7), tf.constant([1.5, 2.5])

    @tf.function
    def scaled(x):
        packed = tf.convert_to_tensor([small, 2], dtype=tf.float32)  # casts what it packs
        return x * float(small.numpy()) + large.numpy(), packed

    return scaled(tf.constant(2.0))


@program
def structures_as_arguments_and_results(tf):
    @tf.function
    def f(d, pair):
        return {"sum": d["a"] + d["b"][0], "pair": pair, "none": None, "n": [1, 2.5, "s"]}

    a = f({"a": tf.constant(1), "b": [tf.constant(2)]}, (tf.constant(3.0), 4))
    b = f({"b": [tf.constant(5)], "a": tf.constant(1)}, (tf.constant(6.0), 4))
    return a, b, f.experimental_get_tracing_count()


@program
def python_values_and_dtypes_trace_anew(tf):
    @tf.function
    def f(x):
        return tf.convert_to_tensor(x) + tf.cast(1, tf.convert_to_tensor(x).dtype)

    values = [1, 2, 1, 2.5, np.float32(2), np.float32(3), np.ones(2), np.zeros(2)]
    return [f(v) for v in values], f.experimental_get_tracing_count()


@program
def input_signature(tf):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="rows")])
    def f(x):
        return tf.reduce_sum(x, 0), tf.shape(x), x.shape[0]

    concrete = f.get_concrete_function()
    return (
        [f(tf.ones([n, 2])) for n in (1, 3)], f([[1.0, 2.0]]), f.experimental_get_tracing_count(),
        concrete(tf.ones([2, 2])), concrete(rows=tf.ones([2, 2])),
        [s.name for s in concrete.structured_input_signature[0]],
        concrete.output_shapes[0].as_list(), concrete.output_dtypes[0].name,
    )  # fmt: skip


@program(raises=True)
def input_signature_refuses(tf):
    f = tf.function(lambda x: x, input_signature=[tf.TensorSpec([2], tf.float32)])
    return f(tf.ones([3]))


@program(raises=True)
def input_signature_refuses_a_dtype(tf):
    f = tf.function(lambda x: x, input_signature=[tf.TensorSpec([2], tf.float32)])
    return f(tf.constant([1, 2]))


@program
def input_signature_of_variadic_functions(tf):
    def some(*args, **kwargs):
        return args[0] * len(args), len(kwargs)

    def more(x, *args, k=3, **kwargs):
        return sum(args, x * k)

    spec, x = tf.TensorSpec([None, 2], tf.float32), tf.ones([1, 2])
    found = []
    for f in (some, more):
        for specs in ([spec], [spec, spec], [tf.TensorSpec([None, 2], name="rows")]):
            f_of = tf.function(f, input_signature=specs)
            args, kwargs = f_of.get_concrete_function().structured_input_signature
            found += [f_of(*[x] * len(specs)), [s.name for s in args], kwargs]
    return found


@program(raises=True)
def input_signature_misses_an_argument(tf):
    f = tf.function(lambda x, y: x, input_signature=[tf.TensorSpec([2], tf.float32)])
    return f(tf.ones([2]), 1)


@program(raises=True)
def missing_argument(tf):
    return tf.function(lambda x: x)()


@program(raises=True)
def unknown_argument(tf):
    return tf.function(lambda x: x)(1, y=2)


@program
def reduce_retracing(tf):
    @tf.function(reduce_retracing=True)
    def f(x):
        return tf.reduce_sum(x)

    values = [f(tf.ones([n])) for n in range(1, 6)]
    return values, f.experimental_get_tracing_count()


@program
def concrete_functions(tf):
    @tf.function
    def f(x, y=2):
        return x * y

    a = f.get_concrete_function(tf.TensorSpec([None], tf.float32), 3)
    b = f.get_concrete_function(tf.TensorSpec([None], tf.float32), 3)
    print(a.pretty_printed_signature())
    print(f.pretty_printed_concrete_signatures())
    return a is b, a(tf.constant([1.0, 2.0])), a(x=tf.constant([1.0])), len(a.inputs)


@program(raises=True)
def concrete_function_refuses_a_dtype(tf):
    concrete = tf.function(lambda x: x).get_concrete_function(tf.TensorSpec([], tf.float32))
    return concrete(tf.constant(1))


@program(raises=True)
def concrete_function_misses_an_argument(tf):
    return tf.function(lambda x: x).get_concrete_function(tf.TensorSpec([], tf.float32))()


@program
def nested_functions_trace_once(tf):
    @tf.function
    def inner(x):
        print("inner")
        return x * 2

    @tf.function
    def outer(x):
        print("outer")
        return inner(x) + inner(x + 1) + inner(tf.stack([x, x]))[0]

    return (
        outer(tf.constant(1)), outer(tf.constant(2)), inner.experimental_get_tracing_count(),
        inner(tf.constant(9)),
    )  # fmt: skip


@program
def recursive_function(tf):
    @tf.function
    def factorial(n):
        return 1 if n <= 1 else n * factorial(n - 1)

    return factorial(5), factorial.experimental_get_tracing_count()


@program
def inner_function_closes_over_a_symbol(tf):
    @tf.function
    def outer(x):
        y = x * 2

        @tf.function
        def inner(z):
            return y + z

        return inner(x) + inner(y)

    return outer(tf.constant(3))


@program
def inner_function_changes_a_variable(tf):
    v = tf.Variable(1.0)

    @tf.function
    def double():
        v.assign(v * 2.0)
        return v.read_value()

    @tf.function
    def outer():
        a = double()
        v.assign_add(1.0)
        return a, double(), v.read_value()

    return outer(), v.value()


@program
def gradient_through_nested_functions(tf):
    v = tf.Variable(2.0)

    @tf.function
    def cube(x):
        return x**3 * v

    @tf.function
    def outer(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = cube(x)
        return y, tape.gradient(y, [x, v])

    return outer(tf.constant(2.0))


@program
def variables_are_read_and_assigned_in_order(tf):
    v, w = tf.Variable(1.0), tf.Variable([1.0, 2.0])

    @tf.function
    def f(x):
        a = v + 0.0
        v.assign(x)
        b = v * 2.0
        v.assign_add(1.0)
        w.assign(w * v)
        return a, b, v.read_value(), w[0]

    return f(tf.constant(5.0)), f(tf.constant(7.0)), v.value(), w.value()


@program
def variables_as_arguments(tf):
    v, w = tf.Variable(1.0), tf.Variable(2.0)

    @tf.function
    def f(a, b):
        a.assign_add(b)
        return a * b

    return f(v, w), f(w, v), f(v, w), v.value(), w.value()


@program
def variable_created_once(tf):
    class Layer:
        w = None

        @tf.function
        def __call__(self, x):
            if self.w is None:
                self.w = tf.Variable(tf.ones([x.shape[-1]]) * 3.0)
            return x * self.w

    layer = Layer()
    return layer(tf.ones([2])), layer(tf.ones([2]) * 2.0), layer.w.value()


@program(raises=True)
def variable_created_each_time(tf):
    return tf.function(lambda x: tf.Variable(1.0) * x)(tf.constant(1.0))


@program
def returned_value_is_a_snapshot(tf):
    v = tf.Variable(1)

    @tf.function
    def f():
        v.assign_add(1)
        return v.value(), v + 0

    a = f()
    f()
    return a, v.value()


@program
def random_numbers_are_drawn_anew(tf):
    @tf.function
    def f():
        return tf.random.uniform([3])

    a, b = f().numpy(), f().numpy()
    return bool((a == b).all()), a.shape


@program
def captured_tensors(tf):
    x = tf.constant([1.0, 2.0])

    @tf.function
    def f(y):
        return x * y

    with tf.GradientTape() as tape:
        tape.watch(x)
        z = f(tf.constant(3.0))
    return z, tape.gradient(z, x), len(f.get_concrete_function(tf.constant(1.0)).captured_inputs)


@program(raises=True)
def leaked_symbol(tf):
    kept = []

    @tf.function
    def f(x):
        kept.append(x * 2)
        return x

    f(tf.constant(1))
    return kept[0] + 1


@program(raises=True)
def returns_an_object(tf):
    return tf.function(lambda: object())()


@program(raises=True)
def numpy_in_a_graph(tf):
    return tf.function(lambda x: x.numpy())(tf.constant(1))


@program
def eager_mode(tf):
    tf.config.run_functions_eagerly(True)
    try:
        return tf.function(lambda x: int(x) + 1)(tf.constant(1)), tf.config.functions_run_eagerly()
    finally:
        tf.config.run_functions_eagerly(False)


@program
def init_scope(tf):
    kept = []

    @tf.function
    def f(x):
        with tf.init_scope():
            kept.append((tf.executing_eagerly(), tf.constant(2) + 1))
        return x, tf.constant(tf.executing_eagerly())

    return f(tf.constant(1)), kept


@program
def partial_functions(tf):
    f = tf.function(functools.partial(lambda x, y, z: x + y * z, z=3))
    return f(tf.constant(1), 2), f(tf.constant(1), y=4)


@program
def string_arguments_and_results(tf):
    names = tf.Variable(["x", "y"])

    @tf.function
    def f(s):
        names.assign(tf.strings.join([names, s]))
        return tf.concat([names, s, ["c"]], 0), s == "b", tf.reshape(s, [1, -1])

    return f(tf.constant(["a", "b"])), names.value(), f(tf.constant(["p", "q"]))


@program
def py_function(tf):
    calls = []

    def log(x, y):
        calls.append((tf.executing_eagerly(), float(x)))
        return x * y, y + 1.0

    @tf.function
    def f(x, y):
        with tf.GradientTape() as tape:
            tape.watch(x)
            a, b = tf.py_function(log, [x, y], [tf.float32, tf.float32])
            z = a * 3.0 + b
        return z, tape.gradient(z, x)

    return f(tf.constant(2.0), tf.constant(5.0)), f(tf.constant(4.0), tf.constant(5.0)), calls


@program
def numpy_function(tf):
    @tf.function
    def f(x, s):
        y = tf.numpy_function(lambda a: np.sort(a)[::-1].copy(), [x], tf.float32)
        y.set_shape(x.shape)
        return y * 2.0, tf.numpy_function(lambda b: b + b"!", [s], tf.string)

    return f(tf.constant([1.0, 3.0, 2.0]), tf.constant("hey"))


@program(raises=True)
def py_function_fails(tf):
    return tf.function(lambda x: tf.py_function(lambda v: 1 // 0, [x], tf.int32))(tf.constant(1))


@program(raises=True)
def numpy_function_returns_another_dtype(tf):
    return tf.function(lambda x: tf.numpy_function(lambda v: v, [x], tf.float32))(tf.constant(1))


@program
def unknown_rank_in_a_signature(tf):
    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32), tf.TensorSpec(None, tf.string)])
    def f(x, s):
        print(x.shape, s.shape, x.shape.rank)
        return x * 2.0, tf.rank(x), tf.shape(x), tf.reduce_sum(x), tf.strings.upper(s)

    results = [f(tf.ones(shape), tf.constant(["a"] * n)) for shape, n in (([2, 3], 1), ([], 2))]
    shapes = [s.shape for s in f.get_concrete_function().structured_outputs]
    return results, f.experimental_get_tracing_count(), [s.rank for s in shapes]


@program
def type_of_a_function(tf):
    power = tf.function(lambda x, n, *, by=2: by * x**n)
    squared = power.get_concrete_function(tf.TensorSpec([None]), n=2)
    print(squared.pretty_printed_signature(verbose=False))
    kind = squared.function_type
    print(kind, repr(kind), kind.output, kind.flat_inputs, kind.flat_outputs)
    print(dict(kind.parameters), [p.type_constraint for p in kind.parameters.values()])
    return (
        tf.function(lambda x: x * x)
        .get_concrete_function(tf.constant(1.0))
        .inference_fn(tf.constant(3.0))
    )


@program
def calls_of_a_concrete_function(tf):
    class Scale:
        by = 2.0

    def scaled(scale, x):
        return scale.by * x

    scale, x = Scale(), tf.constant(3.0)
    concrete = tf.function(scaled).get_concrete_function(scale, x)
    power = tf.function(lambda x, n: x**n).get_concrete_function(x, 2)
    found = [concrete(x), concrete(x=x), concrete(scale, x), power(x, 2), power(x, n=2), power(x)]
    more = tf.function(lambda x, *rest: x + rest[0]).get_concrete_function(x, x)
    found.append(more(x, x))
    for call in (
        lambda: power(x, 3), lambda: power(x, n=3), lambda: power(x, x, x), lambda: power(),
        lambda: power(y=x), lambda: power(1.0, 2.0),
    ):  # fmt: skip
        try:
            found.append(call())
        except TypeError as e:
            found.append(str(e))
    return found


@program
def python_functions_as_decorators(tf):
    @tf.py_function(Tout=[tf.float32, tf.int32])
    def tensors(x, y):
        return x * 2, y

    @tf.numpy_function(Tout=tf.float32)
    def arrays(x):
        return x * 3

    traced = tf.function(lambda x: (tensors(x, 1), arrays(x)))
    return tensors.__name__, tensors(1.0, 2), arrays(tf.constant(1.0)), traced(tf.constant(2.0))


@program(raises=True)
def a_leaked_tensor(tf):
    kept = []
    tf.function(lambda x: kept.append(x + 1))(tf.constant(1))
    return tf.function(lambda x: x + kept[0])(tf.constant(1))


@program
def joined_along_an_axis_that_the_graph_computes(tf):
    x = tf.reshape(tf.range(24.0), [2, 3, 4])
    found = []
    for f in (
        lambda x, a: tf.concat([x, x], a),
        lambda x, a: tf.concat([x, -x], tf.cast(tf.cast(a, tf.float32), tf.int32)),
        lambda x, a: tf.split(x, 2, a),
        lambda x, a: tf.split(x, [1, -1], a),
        lambda x, a: tf.transpose(x, [a, 2 - a, 1]),
        lambda x, a: tf.transpose(x, tf.roll(tf.range(3), a, 0)),
        lambda x, a: tf.concat([x, x], tf.size(tf.shape(x)) - 1),
        lambda x, a: tf.gradients(tf.concat([x, x * x], a) ** 2, x)[0],
    ):
        traced = tf.function(f, autograph=False)
        found.append([traced(x, tf.constant(a)) for a in (0, 2)])
    spec = tf.TensorSpec([None, None])
    joined = tf.function(
        lambda x, y, a: tf.concat([x, y], a), [spec, spec, tf.TensorSpec([], tf.int32)]
    )
    ones = tf.ones([2, 2])
    return found, joined(ones, tf.ones([2, 3]), 1), joined(ones, tf.ones([5, 2]), 0)


@program(raises=True)
def joined_along_an_axis_that_is_not_there(tf):
    return tf.function(lambda x, a: tf.concat([x, x], a))(tf.ones([2, 2]), tf.constant(5))


test_programs = compare(globals())


def test_an_object_with_a_function_is_freed():
    class Model:
        @tf.function
        def __call__(self, x):
            return x + 1

    model = Model()
    model(tf.constant(1))
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def test_the_retracing_warning_comes_after_five_traces(caplog):
    @tf.function
    def f(n):
        return tf.constant(n)

    with caplog.at_level(logging.WARNING, "torchtf"):
        for n in range(4):
            f(n)
        assert "retracing" not in caplog.text
        f(4)
    assert "5 out of the last 5 calls" in caplog.text


def test_graph_defs_have_a_function_library():
    @tf.function
    def f(n):
        total = 0
        for i in tf.range(n):
            if i % 2 == 0:
                total += i
        return total

    graph = f.get_concrete_function(tf.TensorSpec([], tf.int32)).graph
    graph_def = graph.as_graph_def(add_shapes=True)
    by_op = {n.op: n for n in graph_def.node}
    library = {g.signature.name: g for g in graph_def.library.function}
    body = library[by_op["StatelessWhile"].attr["body"].func.name]
    assert {"FloorMod", "StatelessIf"} <= {n.op for n in body.node_def}
    defined = {n.name for n in graph_def.node}
    assert all(i.partition(":")[0] in defined for n in graph_def.node for i in n.input)
    assert graph.get_operation_by_name("n").type == "Placeholder"


def test_a_loop_that_sums_losses_does_not_grow():
    import tracemalloc

    v = tf.Variable(tf.ones([100]))
    total = tf.constant(0.0)
    sizes = []
    tracemalloc.start()
    for i in range(3000):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(v * v)
        v.assign_sub(0.001 * tape.gradient(loss, v))
        total += loss
        if i in (999, 2999):
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] < sizes[0] + 20_000
