"""What a function keeps apart, how its signatures print, and how its arguments are called."""

from __future__ import annotations

import collections
import dataclasses

import pytest

from tests.function.programs import compare, program

Pair = collections.namedtuple("Pair", "a b")


@dataclasses.dataclass
class Scaled:
    x: object
    factor: int

    def __tf_flatten__(self):
        return (self.factor,), (self.x,)

    @classmethod
    def __tf_unflatten__(cls, metadata, components):
        return cls(*components, *metadata)


@dataclasses.dataclass
class Plain:
    x: int


@program
def ranks_relax_at_once(tf):
    @tf.function(reduce_retracing=True)
    def f(x):
        print(x.shape, x.dtype)
        return x + 1

    shapes = [[1], [2], [3], [2, 2], [2, 3], [4, 3], []]
    values = [f(tf.zeros(s)) for s in shapes] + [f(tf.zeros(s, tf.int32)) for s in ([1], [1, 2])]
    print(f.pretty_printed_concrete_signatures())
    return values, f.experimental_get_tracing_count()


@program
def parts_of_arguments_relax(tf):
    @tf.function(reduce_retracing=True)
    def f(x, y):
        print(x, y)
        return x

    for a in (1, 2, 3):
        f(a, tf.zeros([a]))
    f([tf.zeros([1]), tf.zeros([2])], 1)
    f([tf.zeros([2]), tf.zeros([2])], 1)
    f([tf.zeros([3]), tf.zeros([5])], 2)
    f((tf.zeros([1]),), "a")
    f((tf.zeros([2]),), "a")
    return f.experimental_get_tracing_count()


@program
def arguments_that_are_changed(tf):
    def append(x):
        x.append(tf.constant(1))
        return x[0]

    def insert(x, n):
        x["b"]["c"] = n
        return x["a"]

    def replace(x):
        x[0] = x[0] + 1
        return x[0]

    def copied(x):
        x = list(x)
        x[0] = x[0] + 1
        return x.pop()

    one = tf.constant(1)
    found = []
    for f, args in (
        (append, ([one],)), (insert, ({"a": one, "b": {}}, 3)), (replace, ([one],)),
        (copied, ([one, one],)),
    ):  # fmt: skip
        try:
            found.append(tf.function(f)(*args))
        except ValueError as e:
            found.append(str(e))
    return found


@program
def variadic_methods(tf):
    class Adder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([])] * 2)
        def add(self, *parts):
            return parts[0] + parts[1]

        @tf.function(input_signature=[tf.TensorSpec([])] * 3)
        def more(self, x, *parts):
            return x + parts[0] * parts[1]

    adder = Adder()
    return (
        adder.add(1.0, 2.0),
        adder.more(1.0, 2.0, 3.0),
        adder.add.get_concrete_function()(1.0, 4.0),
    )


@program
def variables_beside_ragged_tensors(tf):
    @tf.function(reduce_retracing=True)
    def f(a, b):
        return a.flat_values + b

    return f(tf.ragged.constant([[1.0], [2.0]]), tf.Variable(1.0))


@program
def types_of_ragged_arguments(tf):
    c = tf.function(lambda x: x).get_concrete_function(tf.RaggedTensorSpec([None, None], tf.int32))
    pair = tf.function(lambda x: x).get_concrete_function((tf.constant(1), tf.constant(2)))
    texts = [c.pretty_printed_signature()]
    for f, value in ((c, tf.ragged.constant([[1.0]])), (pair, tf.constant(1))):
        try:
            f(value)
        except TypeError as e:
            texts.append(str(e).partition("Received")[0])
    return texts


@program
def names_of_parts(tf):
    spec = tf.TensorSpec([], tf.int32)

    @tf.function
    def f(x, y, *z, k=None, **more):
        print([t.name for t in tf.nest.flatten([x, y, z, more])])
        return x

    made = f.get_concrete_function(
        [spec, (spec, {"q": spec})], {"r": spec, "s": Pair(spec, spec)}, spec, spec, k=spec,
        m=[spec, spec],
    )  # fmt: skip
    print(made.structured_input_signature)
    print([t.name for t in made.inputs])
    print(made.function_type)
    print(made.name[:14], type(made.name))
    return made.output_shapes


@program
def shapes_of_nothing(tf):
    f = tf.function(lambda x: {"a": x, "b": [x, None]})
    return str(f.get_concrete_function(tf.constant(1)).output_shapes)


@program
def named_tuples(tf):
    @tf.function
    def f(p):
        print(p)
        return Pair(p.b, p.a)

    print(f(Pair(tf.constant(1), 2)), f(Pair(tf.constant(3), 2)))
    print(f.pretty_printed_concrete_signatures())
    return f.experimental_get_tracing_count()


@program
def dataclasses_that_flatten(tf):
    @tf.function
    def f(d):
        return Scaled(d.x * d.factor, d.factor)

    made = [f(Scaled(tf.constant(x), k)) for x, k in ((1, 2), (1, 3), (5, 3))]
    return [d.x for d in made], [d.factor for d in made], f.experimental_get_tracing_count()


@program(raises=True)
def unhashable_objects(tf):
    return tf.function(lambda d: d.x)(Plain(1))


@program
def initial_values_from_arguments(tf):
    class Module(tf.Module):
        def __init__(self):
            self.v = None

        @tf.function
        def __call__(self, x):
            if self.v is None:
                self.v = tf.Variable(tf.ones([2]) * x)
            return self.v.assign_add([1.0, 1.0])

    module = Module()
    return module(tf.constant(3.0)), module(tf.constant(4.0)), module.v.numpy()


@program
def initial_values_under_a_signature(tf):
    made = []

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def f(x):
        if not made:
            made.append(tf.Variable(tf.reduce_sum(x)))
        return made[0].assign_add(x[0])

    return f([1.0, 2.0]), f([1.0]), made[0].numpy()


@program
def signatures_of_datasets(tf):
    spec, data = tf.TensorSpec((), tf.int64), tf.data.Dataset.range(4)

    @tf.function(input_signature=[tf.data.IteratorSpec(spec), tf.TensorSpec((), tf.int64)])
    def two(iterator, x):
        return next(iterator) + next(iterator) * x

    @tf.function(input_signature=[tf.data.DatasetSpec(spec)])
    def total(dataset):
        found = tf.constant(0, tf.int64)
        for x in dataset:
            found += x
        return found

    @tf.function(input_signature=[tf.OptionalSpec(spec)])
    def value(optional):
        return optional.get_value() + 1

    iterator = iter(data)
    made = [tf.experimental.Optional.from_value(tf.constant(n, tf.int64)) for n in (3, 4)]
    print([two(iterator, 10), two(iterator, 100), two(iter(data), 1)])
    print(total(data), total(data.take(2)), [value(o) for o in made])
    for call in (lambda: total(iterator), lambda: two(data, 1)):
        try:
            call()
        except TypeError:
            print("TypeError")
    return total(data.map(lambda x: x))


@program
def attributes_of_functions(tf):
    def of(**attributes):
        f = tf.function(lambda x, y: (x * y, x), **attributes)
        one = tf.constant(1.0)
        made = f.get_concrete_function(one, one).function_def
        kinds = sorted(
            (k, v.WhichOneof("value")) for k, v in made.attr.items()
        )  # a map has no order
        arguments = [(a.name, a.type) for a in made.signature.input_arg]
        results = [(a.name, a.type, made.ret[a.name]) for a in made.signature.output_arg]
        return kinds, made.attr["_implements"].s, arguments, results

    found = [
        of(experimental_implements="google.matmul_low_rank"),
        of(experimental_implements='name: "embedded" attr { key: "a" value { i: 1 } }'),
        of(experimental_attributes={"runtime_constant_optimization": True}),
    ]
    try:
        of(experimental_attributes={"mine": True})
    except ValueError as e:
        return found, str(e)


test_programs = compare(globals())


def test_a_warning_names_the_method(caplog):
    import torchtf as tf

    class Doubler:
        @tf.function
        def doubled(self, x):
            return x * 2

    doubler = Doubler()
    for i in range(6):
        doubler.doubled(i)
    assert "<function" in caplog.text and "Doubler.doubled at 0x" in caplog.text


def test_the_spec_of_an_iterator_is_refused_where_a_graph_needs_the_iterator():
    import torchtf as tf

    f = tf.function(lambda pair: next(pair[0]) + pair[1])
    number = tf.TensorSpec([], tf.int64)
    with pytest.raises(NotImplementedError, match="give it to get_concrete_function"):
        f.get_concrete_function((tf.data.IteratorSpec(number), number))
    iterator = iter(tf.data.Dataset.range(5))
    concrete = f.get_concrete_function((iterator, number))
    assert concrete((iterator, tf.constant(3, tf.int64))).numpy() == 3
