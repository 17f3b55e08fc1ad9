"""Errors of functions in TensorFlow's words, and the names of operations in graphs."""

from __future__ import annotations

import re

from tests.function.programs import compare, program


def caught(f, *args) -> tuple:
    """The class and text of the error of a call, without the numbers of functions and of scopes
    that TensorFlow enters twice, and with the last line of the user's alone.
    """
    try:
        return ("no error", f(*args).numpy().tolist())
    except Exception as e:
        text = re.sub(r"(__inference_\w+_)\d+", r"\1N", str(e))
        text = re.sub(r"(?s)(most recent call last\):\n).*(?=  File )", r"\1", text)
        return type(e).__name__, re.sub(r"(assert_equal|node stack)_1", r"\1", text)


def of(function, tf, *shape):
    """A `tf.function`, of an open size if a shape is given."""
    signature = [tf.TensorSpec(shape, tf.float32)] if shape else None
    return tf.function(function, input_signature=signature)


@program(raises=True)
def constants_of_what_the_graph_computes(tf):
    return tf.function(lambda x: tf.constant([x, 2.0]))(tf.constant(1.0))


@program(raises=True)
def typed_constants_of_what_the_graph_computes(tf):
    return tf.function(lambda x: tf.constant(x, tf.float32, [2]))(tf.constant(1.0))


@program
def assertions(tf):
    def positive(x):
        tf.debugging.assert_less(x, tf.constant([9.0, 1.0]) + x * 0, name="small")
        return x

    def equal(x):
        tf.debugging.assert_equal(x, x * 2.0, message="must be twice")
        return x

    def explicit(x):
        tf.Assert(x[0] > 5.0, ["bad x", x])
        return x

    x = tf.constant([1.0, 2.0])
    return [caught(of(f, tf), x) for f in (positive, equal, explicit)]


@program
def kernels(tf):
    def gathered(x):
        return tf.gather(x, [5])

    def reshaped(x):
        return tf.reshape(x, [3, 5], name="wide")

    def numeric(x):
        return tf.debugging.check_numerics(x / 0.0, "bad numbers")

    def ensured(x):
        return tf.ensure_shape(x, [3])

    def divided(x):
        return tf.cast(x, tf.int32) // 0

    def inverted(x):
        return tf.linalg.inv(tf.zeros([2, 2]) * x[0])

    x = tf.constant([1.0, 2.0])
    return [caught(of(f, tf, None), x)
            for f in (gathered, reshaped, numeric, ensured, divided, inverted)]  # fmt: skip


@program
def coordinates_that_are_in_range_of_another_axis_only(tf):
    matrix, place, x = ([None, None], tf.float32), ([1, 2], tf.int32), tf.ones([3, 3])
    outside = tf.constant([[1, 4]]), tf.constant([[1, -1]])
    found = []
    for f in (
        lambda x, i: tf.gather_nd(x, i),
        lambda x, i: tf.gather_nd(x[None], i[None], batch_dims=1),
        lambda x, i: tf.scatter_nd(i, [1.0], tf.shape(x)),
        lambda x, i: tf.scatter_nd(i, [True], tf.shape(x)),
        lambda x, i: tf.tensor_scatter_nd_update(x, i, [1.0]),
        lambda x, i: tf.tensor_scatter_nd_max(x, i, [9.0]),
    ):
        g = tf.function(f, input_signature=[tf.TensorSpec(*matrix), tf.TensorSpec(*place)])
        found += [caught(g, x, i)[0] for i in outside]
        found.append(caught(g, x, tf.constant([[1, 2]])))
    return found


@program
def open_sizes_that_do_not_fit(tf):
    f = tf.function(lambda x, y: x + y, input_signature=[tf.TensorSpec([None], tf.float32)] * 2)
    g = tf.function(
        lambda x, y: x @ y, input_signature=[tf.TensorSpec([None, None], tf.float32)] * 2
    )
    found = caught(f, tf.ones([2]), tf.ones([3])), caught(g, tf.ones([2, 3]), tf.ones([2, 3]))
    words = "Incompatible shapes: [2] vs. [3]", "Matrix size-incompatible: In[0]: [2,3], In[1]:"
    return [(kind, word in text) for (kind, text), word in zip(found, words, strict=True)]


@program
def what_comes_before_open_sizes_that_do_not_fit(tf):
    signature = [tf.TensorSpec([None], tf.float32)] * 2

    @tf.function(input_signature=signature)
    def asserted(x, y):
        check = tf.debugging.assert_equal(tf.shape(x), tf.shape(y), message="sizes differ")
        with tf.control_dependencies([check]):
            return x + y

    @tf.function(input_signature=signature)
    def named(x, y):
        return tf.add(x, y, name="sum")

    @tf.function(input_signature=signature)
    def outer(x, y):
        return asserted(x, y) * named(x, y)

    x, y = tf.ones([2]), tf.ones([3])
    words = "sizes differ] [Condition x == y", "node sum", "Incompatible shapes: [2] vs. [3]"
    found = [(f(x, x), *caught(f, x, y), f(y, y)) for f in (asserted, named, asserted, named)]
    seen = [(one, kind, [w in text for w in words], other) for one, kind, text, other in found]
    return seen, caught(outer, x, y)[0], outer(x, x)


@program
def assertions_known_to_fail_while_tracing(tf):
    @tf.function
    def sizes(x, y):
        tf.debugging.assert_equal(tf.shape(x), tf.shape(y), message="sizes differ")
        return x + y

    return caught(sizes, tf.ones([2]), tf.ones([3]))[0]


@program
def tensors_of_another_function(tf):
    leaked = []

    @tf.function
    def leaks(x):
        leaked.extend([x, x * 2.0])
        return x

    def uses(i):
        return tf.function(lambda x: x + leaked[i])

    leaks(tf.constant(1.0))
    found = [caught(uses(i), tf.constant(1.0)) for i in range(2)]
    found.append(caught(tf.function(lambda: tf.exp(leaked[1]))))
    return [(kind in ("TypeError", "InaccessibleTensorError"), f"{t!r} is out of scope" in text)
            for (kind, text), t in zip(found, [*leaked, leaked[1]], strict=True)]  # fmt: skip


@program
def shapes_while_tracing(tf):
    def added(x):
        return x + tf.ones([2, 4])

    def multiplied(x):
        return tf.matmul(x, x)

    def reshaped(x):
        return tf.reshape(x, [4, 2])

    def stacked(x):
        return tf.stack([x, x[1:]])

    def broadcast(x):
        return tf.broadcast_to(x, [2, 4])

    def ranked(x):
        tf.debugging.assert_rank(x, 1)

    found = [caught(of(f, tf), tf.ones([2, 3]))
             for f in (added, multiplied, reshaped, stacked, broadcast, ranked)]  # fmt: skip
    # TensorFlow's constants and strided slices are operations with names of their own
    return [(kind, re.sub(r"\(x, [^)]*\)", "(x, ...)", text.partition("with input")[0]))
            for kind, text in found]  # fmt: skip


@program
def conditions_that_are_no_booleans(tf):
    def statement(x):
        if x:
            x += 1
        return x

    def loop(x):
        while x:
            x -= 1
        return x

    def both(x):
        return x and x + 1

    def chosen(x):
        return tf.cond(x, lambda: 1, lambda: 2)

    return [caught(of(f, tf), tf.constant(2))[0] for f in (statement, loop, both, chosen)]


@program
def returns_in_loops(tf):
    def first(x):
        for i in x:
            return i * 2

    def late(x):
        for i in tf.range(x[0]):
            return i + 1
        return -1

    def partly(x):
        for i in x:
            if i > 4:
                return i
        return -1

    cases = (first, [4, 5]), (late, [3, 0]), (late, [0, 0]), (partly, [4, 5])
    found = [caught(of(f, tf), tf.constant(x)) for f, x in cases]
    return [(kind, text if kind == "no error" else "at least once" in text) for kind, text in found]


@program
def names(tf):
    @tf.function
    def f(x, y):
        found = [
            x + y,
            x - y,
            x * y,
            x / y,
            x @ y,
            x > y,
            tf.add(x, y),
            tf.reduce_sum(x),
            tf.concat([x, y], 0),
            x[0],
            tf.nn.relu(x, name="act"),
            tf.add(x, y, name="act"),
        ]
        with tf.name_scope("layer"):
            found += [x + y, tf.matmul(x, y, name="product")]
            with tf.name_scope("inner") as scope:
                found.append(tf.square(x))
        with tf.name_scope("layer"):
            found.append(x * y)
        names = [t.name for t in found]
        print(scope, names, found[0].op.name, found[0].op.type, x.name, x.graph is y.graph)
        return found

    spec = tf.TensorSpec([2, 2], tf.float32)
    graph = f.get_concrete_function(spec, spec).graph
    kept = {o.name: o.type for o in graph.get_operations()}
    wanted = ["x", "y", "add", "sub", "matmul", "Add_1", "layer/product", "layer_1/mul", "Identity"]
    return (
        [kept[name] for name in wanted], graph.get_tensor_by_name("layer/product:0").shape,
        {"act", "act_1", "layer/inner/Square"} <= {n.name for n in graph.as_graph_def().node},
    )  # fmt: skip


@program
def structured_outputs(tf):
    f = tf.function(lambda x: {"a": x, "b": (x * 2, tf.shape(x))})
    concrete = f.get_concrete_function(tf.TensorSpec([None, 3], tf.float32))
    print(concrete.structured_outputs, concrete.outputs, concrete.graph.structured_outputs)
    joined = tf.function(lambda s: tf.strings.upper(s)).get_concrete_function(tf.constant("a"))
    print(joined.structured_outputs)
    return isinstance(concrete.graph, tf.Graph)


@program
def other_python_values_than_those_of_the_graph(tf):
    power = tf.function(lambda a, b: a**b)
    square = power.get_concrete_function(a=tf.TensorSpec(None, tf.float32), b=2)
    found = [square(tf.constant(10.0)), square(tf.constant(10.0), b=2)]
    try:
        square(tf.constant(10.0), b=3)
    except TypeError:
        return found


@program
def more_shapes_while_tracing(tf):
    x, y = tf.zeros([2, 3]), tf.zeros([2, 4])

    def joined(a, b):
        return tf.concat([a, b], 0)

    def far(a, b):
        return tf.concat([a, b], 3)

    def ranks(a, b):
        return tf.concat([a, b[0]], 0)

    def squeezed(a, b):
        return tf.squeeze(a, 0)

    def expanded(a, b):
        return tf.expand_dims(a, 5)

    def transposed(a, b):
        return tf.transpose(a, [0, 4])

    def summed(a, b):
        return tf.reduce_sum(a, 4)

    def largest(a, b):
        return tf.argmax(a, 4)

    def inferred(a, b):
        return tf.reshape(a, [4, -1])

    functions = (joined, far, ranks, squeezed, expanded, transposed, summed, largest, inferred)
    return [caught(of(f, tf), x, y) for f in functions]


@program
def ranks_that_only_the_run_tells(tf):
    @tf.function(input_signature=[tf.TensorSpec(None), tf.TensorSpec([], tf.int32)])
    def checked(x, rank):
        tf.debugging.assert_rank_at_least(x, rank, message="too flat")
        tf.debugging.assert_rank_in(x, [1, 2])
        return x

    args = (([1.0], 1), ([1.0], 2), ([[[1.0]]], 3))
    return [caught(checked, tf.constant(x), tf.constant(r)) for x, r in args]


@program
def names_inside_branches(tf):
    found = []

    @tf.function
    def f(x):
        y = tf.cond(x > 0, lambda: found.append((x * 2).name) or x, lambda: x, name="mine")
        with tf.name_scope("outer"):
            if y > 0:
                found.append(tf.add(y, 1, name="inside").name)
            i = tf.constant(0)
            while i < 3:
                i = i + 1
                found.append(i.name)
        return y + "!" if y.dtype == tf.string else y

    f(tf.constant(1))
    joined = tf.function(lambda s: found.append((s + "!").name) or s)
    joined(tf.constant("a"))
    return found


@program
def python_functions(tf):
    def wrong(x):
        raise ValueError("inside")

    def other(x):
        raise tf.errors.NotFoundError(None, None, "inside")

    def told(call, *args):
        kind, text = caught(call, *args)
        lines = str(text).partition("Traceback")[0].splitlines()
        lines = [re.sub(r"^[\w.]+\.(?=\w+Error)", "", x) for x in lines if x and x[0] != " "]
        return kind, re.sub(r"pyfunc_\d+", "pyfunc", "\n".join(lines))

    calls = [
        (lambda x: (x, x), [tf.float32]), (lambda x: x, [tf.float32, tf.float32]),
        (lambda x: x, tf.int32), (lambda x: None, tf.float32), (wrong, tf.float32),
        (other, tf.float32), (lambda x: "abc", tf.string), (lambda x: 1, tf.float32),
    ]  # fmt: skip
    x, results = tf.constant(3.0), []
    for op in (tf.py_function, tf.numpy_function):
        for call, types in calls:

            def traced(x, op=op, call=call, types=types):
                return op(call, [x], types)

            def first(x, traced=traced):
                result = traced(x)
                return result[0] if isinstance(result, list) else result

            results += [told(first, x), told(tf.function(first, autograph=False), x)]
    ragged = tf.ragged.constant([[1.0], [2.0, 3.0]])
    twice = tf.py_function(lambda r: r * 2.0, [ragged], tf.RaggedTensorSpec([2, None]))
    results.append(twice.to_list())
    tf.numpy_function(lambda x: results.append(type(x).__name__) or x, [1], tf.int32)
    return results


@program
def arguments_beside_a_signature(tf):
    one, number = tf.TensorSpec([]), tf.constant(1.0)

    def made(signature, *args):
        return caught(lambda: tf.function(lambda x, y=3: x, input_signature=signature)(*args))

    return [
        made([one], number, 3), made([one], number, 4), made([1], number),
        made([{"a": one, "b": one}], {"a": 1.0}), made([(one, one)], [1.0, 2.0]),
    ]  # fmt: skip


@program
def types_of_functions(tf):
    class Thing:
        pass

    thing = Thing()
    f = tf.function(lambda o, x, y=None: x)
    concrete = f.get_concrete_function(thing, [tf.TensorSpec([2], name="a"), tf.TensorSpec([])])
    print(re.sub(r"0x\w+", "0x", str(concrete.function_type)))


@program
def control_flow_arguments(tf):
    x = tf.constant(2)

    def growing(n):
        y = tf.zeros([1])
        while n > 0:
            y = tf.concat([y, y], 0)
            n -= 1
        return y

    def over(branches, index=x):
        return caught(lambda: tf.switch_case(index, branches))

    return [
        over([lambda: x], tf.constant(1.0)), over([]), over({"a": lambda: x}),
        caught(lambda: tf.print(1, foo=2)), caught(lambda: tf.print(1, output_stream=3)),
        re.sub("File .*line", "", caught(tf.function(growing), tf.constant(3))[1]),
    ]  # fmt: skip


test_programs = compare(globals())
