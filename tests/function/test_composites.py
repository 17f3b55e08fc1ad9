"""Ragged, sparse and other composite values as arguments and results of `tf.function`."""

from __future__ import annotations

import numpy as np

from tests.function.programs import compare, program


@program
def one_trace_serves_all_row_lengths(tf):
    @tf.function
    def make_palindrome(x, axis):
        print("tracing", x.shape)
        return tf.concat([x, tf.reverse(x, [axis])], axis)

    @tf.function(input_signature=[tf.RaggedTensorSpec(shape=[None, None], dtype=tf.int32)])
    def max_and_min(rt):
        print("tracing with a signature", rt.shape)
        return (tf.math.reduce_max(rt, axis=-1), tf.math.reduce_min(rt, axis=-1))

    @tf.function
    def increment(x):
        print("tracing an increment", x.shape)
        return x + 1

    out = [make_palindrome(tf.constant([[1, 2], [3, 4], [5, 6]]), axis=1)]
    for rows in ([[1, 2], [3], [4, 5, 6]], [[7, 8, 9, 10], [8, 9], []]):
        rt = tf.ragged.constant(rows)
        out += [make_palindrome(rt, axis=1), increment(rt)]
    out += max_and_min(tf.ragged.constant([[1], [2, 3]]))
    out += max_and_min(tf.ragged.constant([[9, 4, 5]]))
    cf = increment.get_concrete_function(tf.ragged.constant([[1, 2], [3], [4, 5, 6]]))
    return [*out, cf(tf.ragged.constant([[10], [20, 30, 40], []]))]


@program
def a_signature_checks_composites(tf):
    @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)])
    def f(rt):
        return rt * 2

    found = []
    for value in (tf.ragged.constant([[1.0]]), tf.constant([1]), 3):
        try:
            f(value)
            found.append("none")
        except Exception as e:
            found.append(type(e).__name__)
    return found


@program
def sparse_arguments(tf):
    @tf.function
    def f(st, x):
        print("tracing", st.shape)
        return tf.sparse.sparse_dense_matmul(st, x), tf.sparse.reduce_sum(st)

    out = []
    for values in ([1.0], [1.0, 2.0]):
        st = tf.SparseTensor([[0, i] for i in range(len(values))], values, [3, 2])
        out += f(st, tf.ones([2, 2]))
    return out


@program
def nested_composites_in_structures(tf):
    @tf.function
    def f(d):
        rt = d["ragged"]
        return {"twice": rt * 2, "rows": rt.nrows(), "pair": (rt, d["x"] + 1)}

    return f({"ragged": tf.ragged.constant([[4], []]), "x": tf.constant(1)})


@program
def specs_flatten_as_their_values_do(tf):
    found = []
    for value in (tf.ragged.constant([[1, 2], [3]]), tf.sparse.from_dense([[0, 1]])):
        spec = tf.type_spec_from_value(value)
        found.append([
            (s.shape.as_list(), s.dtype.name)
            for s in tf.nest.flatten(spec, expand_composites=True)
        ])  # fmt: skip
    return found


@program
def operators_as_arguments(tf):
    @tf.function
    def f(operator, x):
        print("tracing", type(operator).__name__)
        return operator.matvec(x), operator.inverse().to_dense()

    out = []
    for values in ([1.0, 2.0], [3.0, 4.0]):
        out += f(tf.linalg.LinearOperatorDiag(values), tf.constant([1.0, 1.0]))
        full = tf.linalg.LinearOperatorFullMatrix(np.diag(values).astype("float32"))
        out += f(full, tf.constant([1.0, 1.0]))
    return out


@program
def the_tracing_protocol(tf):
    """The guide's fruits: a type decides which calls share a trace."""

    class FruitTraceType(tf.types.experimental.TraceType):
        def __init__(self, fruit):
            self.fruit = fruit

        def is_subtype_of(self, other):
            return type(other) is FruitTraceType and self.fruit.flavor == other.fruit.flavor

        def most_specific_common_supertype(self, others):
            return self if all(self == other for other in others) else None

        def placeholder_value(self, placeholder_context=None):
            return self.fruit

        def __eq__(self, other):
            return type(other) is FruitTraceType and self.fruit == other.fruit

        def __hash__(self):
            return hash(type(self.fruit))

    class Fruit:
        def __init__(self, flavor):
            self.flavor = flavor

        def __tf_tracing_type__(self, context):
            return FruitTraceType(self)

    @tf.function
    def mix(a, b):
        print("tracing", a.flavor, b.flavor)
        return tf.constant(a.flavor) + tf.constant(b.flavor)

    return [
        mix(Fruit(1), Fruit(2)), mix(Fruit(1), Fruit(2)), mix(Fruit(2), Fruit(2)),
        isinstance(Fruit(1), tf.types.experimental.SupportsTracingProtocol),
    ]  # fmt: skip


@program
def map_fn_over_ragged_rows_and_files(tf):
    def mapped(fn, spec):
        return tf.function(lambda x: tf.map_fn(fn, x, fn_output_signature=spec))

    rows, lengths = tf.ragged.constant([[1, 2, 3], [], [4, 5]]), tf.constant([1, 3, 0])
    vector = tf.RaggedTensorSpec([None], tf.int32)
    files = tf.stack([tf.io.encode_png(tf.fill([2, 3, 1], tf.cast(i, tf.uint8))) for i in (3, 7)])
    sizes = tf.TensorSpec([None, None, 1], tf.uint8)
    open_files = tf.function(
        lambda x: tf.map_fn(tf.io.decode_png, x, fn_output_signature=sizes),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    return (
        mapped(tf.reduce_sum, tf.int32)(rows), mapped(lambda x: x * 2, vector)(rows),
        mapped(tf.range, vector)(lengths), open_files(files),
        mapped(lambda b: tf.io.decode_png(b, channels=1), tf.uint8)(files),
    )  # fmt: skip


@program
def loops_with_specs_as_invariants_change_composites(tf):
    def doubled(value, spec, by):
        @tf.function
        def f(value):
            start = [tf.constant(0), {"a": value, "b": tf.constant(1)}]
            return tf.while_loop(
                lambda i, d: i < 2,
                lambda i, d: (i + 1, {"a": by(0, [d["a"], d["a"]]), "b": d["b"] + 1}),
                start,
                shape_invariants=[tf.TensorShape([]), {"a": spec, "b": tf.TensorShape([])}],
            )[1]["a"]

        try:
            return f(value)
        except (TypeError, ValueError) as e:
            return type(e).__name__ + ("Shapes (4, 2) and (2, 2)" in str(e)) * " of shapes"

    sparse = tf.sparse.from_dense([[1, 0], [0, 2]])
    specs = [tf.SparseTensorSpec(shape, tf.int32) for shape in
             ([None, None], [None, 2], None, [2, 2], [None, 3])]  # fmt: skip
    specs += [tf.SparseTensorSpec([None, None], tf.float32), tf.TensorSpec([None, None], tf.int32)]
    found = [doubled(sparse, s, tf.sparse.concat) for s in specs]
    out = [x if isinstance(x, str) else tf.sparse.to_dense(x) for x in found]
    ragged = tf.ragged.constant([[1, 2], [3]])
    for spec in (tf.RaggedTensorSpec([None, None], tf.int32), tf.TensorShape([None, None])):
        out.append(doubled(ragged, spec, lambda axis, parts: tf.concat(parts, axis)))
    return out


@program
def structures_of_composites_that_differ_are_described(tf):
    def message(one, other, expand):
        try:
            tf.nest.assert_same_structure(one, other, expand_composites=expand)
        except (TypeError, ValueError) as e:
            return f"{type(e).__name__}: {e}"

    out = []
    for x in (tf.sparse.from_dense([[1, 0], [0, 2]]), tf.ragged.constant([[1], [2, 3]])):
        for expand in (False, True):
            out.append(message([x, {"b": x}], [x, x, x], expand))
            out.append(message([x, {"b": x}], [x, (x,)], expand))
            out.append(message([x, x], [x], expand))
    return out


test_programs = compare(globals())
