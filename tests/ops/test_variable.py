"""`tf.Variable` and `tf.IndexedSlices` against TensorFlow."""

from __future__ import annotations

import numpy as np

from tests.oracle import case, cases, each, integers, normal

INPUTS = {
    "x": normal(4, 3),
    "rows": normal(2, 3, seed=1),
    "k": integers(1, 9, 4, 3),
    "u": np.array([4, 5, 6], "uint16"),
}
SLICES = "tf.IndexedSlices(rows, tf.constant([2, 0]))"
REPEATED = "tf.IndexedSlices(rows, tf.constant([1, 1]))"


@cases(
    INPUTS,
    [
        *[
            f"v = tf.Variable(x); v.scatter_{f}({s}); v"
            for s in (SLICES, REPEATED)
            for f in ("add", "sub", "mul", "max", "min", "update")
        ],
        f"v = tf.Variable(x); v.scatter_div({SLICES}); v",
        "v = tf.Variable(k); v.scatter_add(tf.IndexedSlices([[1, 2, 3]], [0])); v",
        "v = tf.Variable(x); v.scatter_add(tf.IndexedSlices(rows, [0, 9])); v",
        "v = tf.Variable(x); v.scatter_add(rows)",
        "v = tf.Variable(x); v.scatter_update(tf.IndexedSlices(2.0, [1])); v",
        *each("v = tf.Variable(x); v.scatter_nd_{}([[1], [3]], rows); v", "add sub update max min"),
        "v = tf.Variable(x); v.scatter_nd_update([[1, 2]], [5.0]); v",
        "v = tf.Variable(x); v.batch_scatter_update(tf.IndexedSlices(rows[:, :2], [[0, 1], [2, 0]]))",
        "v = tf.Variable(x[:2]); v.batch_scatter_update(tf.IndexedSlices(rows[:, :2], [[0, 1], [2, 0]])); v",
        "v = tf.Variable(x); v.sparse_read([1, 1])",
        "v = tf.Variable(x); v.gather_nd([[1, 2]])",
        "v = tf.Variable(x); tf.gather(v, [3, 0])",
        "v = tf.Variable(x); v[1:3]",
        "v = tf.Variable(x); v[..., 0]",
        *[
            f"v = tf.Variable(x); v[{key}].assign({value}); v"
            for key, value in [
                ("0", "[1.0, 2.0, 3.0]"),
                ("1:3", "rows"),
                ("1:3, 0", "9.0"),
                ("..., 1", "[1.0, 2.0, 3.0, 4.0]"),
                ("::2", "tf.zeros([2, 3])"),
                ("0, 0", "5.0"),
                ("0", "[1.0, 2.0]"),
            ]
        ],
        "v = tf.Variable(x); v.assign_add(x); v",
        "v = tf.Variable(x); v.assign(x[:2])",
        "v = tf.Variable(x); v.assign(k)",
        "v = tf.Variable(u); v.assign_add(u); v",
        "v = tf.Variable(x); v.assign_add(x[:2])",
        "v = tf.Variable(x); v.assign_sub([x])",
        "v = tf.Variable(x); len(v)",
        "v = tf.Variable(u); v.assign_sub(u + u); v",
        "v = tf.Variable(x); v.assign_sub(x).assign_add(2.0 * x)",
        "v = tf.Variable(3); [v.count_up_to(5), v.count_up_to(5), v]",
        "v = tf.Variable(5); v.count_up_to(5)",
        "v = tf.Variable([]); v",
        "v = tf.Variable(None)",
        "v = tf.Variable(x, shape=[None, 3]); v.shape",
        "v = tf.Variable(x, shape=[None, 3]); v.assign(rows); v",
        "v = tf.Variable(x, dtype=tf.int32)",
        "v = tf.Variable([1, 2], dtype=tf.float32); v",
        "v = tf.Variable(lambda: tf.ones([2])); v",
        "v = tf.Variable(x); v + x",
        "v = tf.Variable(x); 2.0 * v",
        "v = tf.Variable(x); v @ rows[:, :, None][0]",
        "v = tf.Variable(k); v // 2",
        "v = tf.Variable(x); -v",
        "v = tf.Variable(x); v == x",
        "v = tf.Variable(x); tf.reduce_sum(v ** 2)",
        "v = tf.Variable(['a', 'b']); v",
        "v = tf.Variable(['a', 'b']); v.assign(['c', 'd']); v[0]",
        "v = tf.Variable(x); v.read_value()",
        "v = tf.Variable(x, name='w'); v.name",
        "v = tf.Variable(True); v.assign(False); v",
        "v = tf.Variable(x); len(v.value())",
        case(
            "tf.convert_to_tensor(tf.IndexedSlices(rows, tf.constant([1, 1]), tf.constant([4, 3])))",
            static=("rows",),
        ),
        "tf.convert_to_tensor(tf.IndexedSlices(rows, tf.constant([1, 1])))",
        case(
            "tf.IndexedSlices(rows, tf.constant([1, 0]), tf.constant([4, 3])).shape", traced=False
        ),
        "tf.IndexedSlices(rows, tf.constant([1, 0])).dtype",
        "-tf.IndexedSlices(rows, tf.constant([1, 0]))",
    ],
    grad=False,
)
def test_variable(case):
    case.check()


@cases(
    INPUTS,
    [
        *each("x {} x", "+ - * / // % ** < <= > >= == !="),
        *each("k {} k", "+ - * / // % ** < <= > >= == != & | ^"),
        *each("x {} 2", "+ - * / // % ** < <= > >= == !="),
        *each("2 {} k", "+ - * / // % ** < <= > >= == != & | ^"),
        *each("k {} 2.5", "+ - * / // % **"),
        *each("2.5 {} k", "+ - * / // % **"),
        *each("[1, 2, 3] {} k", "+ - * / // %"),
        *each("np.ones(3) {} x", "+ - * /"),
        "[[1.0, 2.0, 3.0, 4.0]] @ x",
        "np.ones([2, 4], 'float32') @ x",
        "x @ [[1.0], [2.0], [3.0]]",
        "-x",
        "abs(k)",
        "~k",
        "+x",
        "~(k > 3)",
        "(k > 3) & (k < 7)",
        "(k > 3) | False",
        "divmod(k, 2)",
        "k == None",
        "k != None",
        "x == 'a'",
        "k == 1.5",
        "x + None",
        "x + 'a'",
        "'a' + tf.constant('b')",
        "tf.constant('a') + 'b'",
        "float(x[0, 0])",
        "int(k[0, 0])",
        "len(x)",
        "[r for r in x]",
        "bool(k[0, 0] > 0)",
        "bool(x)",
        "x < 'a'",
        "pow(x, 2)",
        "pow(2.0, x)",
        "k << 1",
        "x.shape",
        "x.ndim",
        "x.dtype",
        "x.get_shape()",
        "hash(x)",
        "k[0, 0].__index__()",
        "1 + True * k",
    ],
    traced=False,
)
def test_operators(case):
    case.check()


def test_writes_in_a_traced_function():
    import tensorflow

    import torchtf

    def results(tf):
        v = tf.Variable(np.zeros((4, 3), "float32"))

        @tf.function
        def step(rows):
            v.scatter_add(tf.IndexedSlices(rows, tf.constant([1, 3])))
            v[0].assign(rows[0])
            v.scatter_nd_update([[2, 2]], [7.0])
            v.assign_sub(tf.ones_like(v))
            return v[1:, 0], v.sparse_read([0, 3])

        out = [t.numpy() for _ in range(2) for t in step(tf.constant(INPUTS["rows"]))]
        return [*out, v.numpy()]

    for want, have in zip(results(tensorflow), results(torchtf), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-6)
