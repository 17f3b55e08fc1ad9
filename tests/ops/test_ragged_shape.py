"""`tf.experimental.DynamicRaggedShape`, and functions of whole ragged tensors, against TensorFlow."""

from __future__ import annotations

import torchtf
from tests.oracle import cases, each, normal

SETUP = """
D, RP = tf.experimental.DynamicRaggedShape, tf.experimental.RowPartition
L = D.from_lengths
rows = tf.ragged.constant([[1, 2], [3], [], [4, 5, 6]])
deep = tf.ragged.constant([[[1, 2], [3]], [], [[4]]])
wide = tf.RaggedTensor.from_row_lengths(tf.ones([3, 2]), [2, 0, 1])
even = tf.RaggedTensor.from_uniform_row_length(rows, 2)
"""


def told(expression: str) -> str:
    """Code that tells all of a shape."""
    return (
        f"{SETUP}s = {expression}\n(str(s), s.rank, s.num_row_partitions, s.inner_rank, s.inner_shape,"
        " [None if n is None else int(n) for n in s.static_lengths(False)], s.dtype.name)"
    )


@cases({}, [told(f"tf.shape({rt})") for rt in ("rows", "deep", "wide", "even")] + [
    told(e) for e in (
        "tf.shape(rows, tf.int64)", "tf.shape(rows).with_dtype(tf.int64)", "D.from_tensor(rows)",
        "D.from_tensor(tf.ones([2, 3]))", "L([4, (2, 1, 0, 8), 12])", "L([2, 3])", "L([])",
        "L([2, 2, 3], num_row_partitions=2)", "L([2, (3, 2), 2], 2)", "L([2, 3], dtype=tf.int32)",
        "L([2, (1,)])", "L([2, 'a'])", "L((2, 3))", "L([2, 3], 5)", "D([], [2, 3])", "D([3], [2])",
        "D([RP.from_row_lengths([5, 3, 2])], [10, 8])", "D([], np.array([2, 3], np.int32))",
        "D([RP.from_row_lengths([2, 1])], [7], validate=True)", "D([], [[2]])", "D([], [2.])",
        "D([RP.from_uniform_row_length(2, nrows=2)], [7])", "D([], [2], static_inner_shape=[3])",
        "D([RP.from_row_lengths([2, 1]), RP.from_row_lengths([1, 1])], [2], validate=True)",
        "D.from_row_partitions([RP.from_row_lengths([2, 1])])", "D.from_row_partitions([])",
        *each("tf.shape(deep)[{}]", ["0", ":1", ":2", ":-1", "1", "-1", "1:", "::2", "'a'", "3"]),
        *each("tf.shape(wide)[{}]", [":2", "1:", "2:"]), "tf.shape(even)[1:2]",
    )
], traced=False)  # fmt: skip
def test_shape(case):
    case.check()


@cases({}, [
    SETUP + code for code in (
        "(tf.shape(rows)[0], tf.shape(wide)[2], tf.shape(wide)[-1], tf.shape(even)[1])",
        "[tf.shape(deep).is_uniform(i) for i in range(3)]", "tf.shape(deep).is_uniform(3)",
        "tf.nest.flatten(tf.shape(rows), expand_composites=True)",
        "isinstance(tf.shape(rows), tf.experimental.ExtensionType)",
        *each("tf.{}", [
            "reshape(['x'] * 6, tf.shape(rows))", "reshape(['x'] * 5, tf.shape(rows))",
            "reshape(even, tf.shape(rows))", "reshape(rows, [3, 2])", "reshape(deep, [-1])",
            "zeros(tf.shape(rows))", "ones(tf.shape(wide), tf.int32)", "fill(tf.shape(deep), 'x')",
            "broadcast_to(7, tf.shape(deep))", "broadcast_to([[1], [2], [3], [4]], tf.shape(rows))",
            "broadcast_to([[[1.]], [[2.]], [[3.]]], tf.shape(wide))", "zeros(L([2, 3]))",
            "broadcast_to([[1], [2]], tf.shape(rows))", "broadcast_to([1.], L([2, 3]))",
            "broadcast_to(tf.ones([1, 1, 1]), tf.shape(rows))", "add(tf.shape(rows), 1)",
        ]),
    )
], traced=False)  # fmt: skip
def test_uses(case):
    case.check()


@cases({}, [told(f"tf.broadcast_dynamic_shape({x}, {y})") for x, y in (
    ("L([4, (2, 1, 0, 8)])", "[4, 1]"), ("[1]", "L([4, (2, 1, 0, 8)])"),
    ("L([2, (2, 1), 3])", "L([3])"), ("L([2, (2, 1), 3])", "L([2, 1, 1])"),
    ("L([2, (2, 1), (1, 2, 3)])", "L([1, 1, 1])"), ("L([2, 3])", "L([3])"), ("L([])", "L([2, (1, 2)])"),
    ("L([2, (2, 1)])", "L([2, (2, 1)])"), ("L([2, (2, 1)])", "L([2, (2, 2)])"),
    ("L([2, 3])", "L([4, 3])"), ("L([2, (1, 2)], dtype=tf.int32)", "L([2, (1, 2)])"),
)], traced=False)  # fmt: skip
def test_broadcast(case):
    case.check()


FUNCTIONS = """
rows = tf.ragged.constant([[1, 2], [3], [], [4, 5, 6]])
spec = tf.RaggedTensorSpec([None, None], tf.int32)
"""


@cases({}, [
    FUNCTIONS + f"f = tf.function({f})\nf({x})" for f, x in (
        ("lambda r: tf.reshape(tf.range(tf.size(r)), tf.shape(r))", "rows"),
        ("lambda s, x: tf.reshape(x, s)", "tf.shape(rows), tf.range(6)"),
        ("lambda s, x: tf.reshape(x, s)", "tf.constant([2, 3]), tf.range(6)"),
        ("lambda r: tf.zeros(tf.shape(r)), input_signature=[spec]", "rows"),
        ("lambda r: tf.shape(r)[0], input_signature=[spec]", "rows"),
        ("lambda r: tf.broadcast_to([[1], [2], [3], [4]], tf.shape(r))", "rows"),
    )
], traced=False)  # fmt: skip
def test_in_functions(case):
    case.check()


MATRICES = {"x": normal(3, 2), "b": normal(2, 2, 3), "c": normal(3, 1), "d": normal(2, 4, 2)}
M = """
a = tf.RaggedTensor.from_row_lengths(x, [2, 1])
e = tf.ragged.constant([[[1., 2., 3.], [3., 4., 5.]], [[5.]]])
g = tf.ragged.constant([[[1., 2.], [1., 2.], [1., 2.]], [[2., 2., 2.]]])
"""


@cases(MATRICES, each(M + "{}", [
    "tf.matmul(a, b)", "tf.matmul(a, tf.RaggedTensor.from_row_lengths([[1.], [2.], [3.], [4.]], [2, 2]))",
    "tf.matmul(a, a, transpose_b=True)", "tf.matmul(a, a, adjoint_a=True)",
    "tf.matmul(d, a, transpose_b=True)", "tf.matmul(e, g)", "tf.matmul(g, g, transpose_a=True)",
    "tf.matmul(tf.ragged.constant([[1., 2.], [3., 4.]]), x[:2])",
    "tf.matmul(tf.ragged.constant([[1., 2.], [3.]]), x[:2])", "tf.matmul(a, x[:2])",
    "tf.matmul(a, d)", "tf.matmul(a, tf.cast(b, tf.int32))",
    "tf.matmul(tf.ragged.constant([[[1., 2.], [3.]], [[1.]]]), g)",
    "tf.matmul(a, b, transpose_a=True, adjoint_a=True)",
    "tf.matmul(tf.RaggedTensor.from_row_lengths(b, [1, 1]), "
    "tf.RaggedTensor.from_row_lengths(tf.transpose(b, [0, 2, 1]), [1, 1]))",
    "tf.function(lambda p, q: tf.matmul(p, q))(g, e)",
]), traced=False)  # fmt: skip
def test_matmul(case):
    case.check()


ROWS = """
r = tf.ragged.constant([[1., 2.], [3.], [], [4., 5., 6.]])
deep = tf.ragged.constant([[[1., 2.], [3.]], [], [[4.]]])
wide = tf.RaggedTensor.from_row_lengths(tf.reshape(tf.range(12.), [6, 2]), [2, 0, 1, 3])
ids = tf.ragged.constant([[0, 1], [1], [], [0, 0, 2]])
"""


@cases({}, each(ROWS + "{}", [
    *each("tf.split({})", [
        "r, 2", "r, [1, 1, 2]", "r, [1, 2]", "r, 2, 1", "r, 2, 2", "wide, 2, 2", "wide, [1, 1], -1",
        "deep, 3",
    ]),
    *each("tf.math.unsorted_segment_{}(r, [0, 1, 0, 2], 3)", "sum prod max min mean sqrt_n"),
    "tf.math.unsorted_segment_sum(r, ids, 3)", "tf.math.unsorted_segment_mean(r, ids, 3)",
    "tf.math.unsorted_segment_sum(tf.ones([4]), ids, 3)",
    "tf.math.unsorted_segment_sum(deep, [0, 1, 0], 2)",
    *each("tf.cumsum({})", [
        "r", "r, 1", "r, 1, exclusive=True, reverse=True", "deep, -1", "wide", "wide, 2",
    ]),
    *each("tf.math.reduce_{}", [
        "variance(r)", "variance(r, 0)", "std(r, 1)", "variance(deep, 1)", "std(deep, -1, keepdims=True)",
        "variance(r, [0, 1])", "variance(wide, 1)", "mean(deep, 1)", "logsumexp(r, 1)",
        "logsumexp(r)", "logsumexp(r, 1, keepdims=True)",
    ]),
    *each("tf.dynamic_partition({}, 3)", ["r, [0, 1, 0, 1]", "deep, [2, 0, 2]", "r, ids"]),
    "tf.add_n([r, r, r])", "tf.bitcast(r, tf.int32)", "tf.clip_by_value(r, 2, 4)",
    "tf.where(wide > 2)", "tf.gather(wide, [0], axis=2)",
    "tf.image.resize(tf.ragged.stack([tf.ones([2, 3, 1]), tf.ones([4, 2, 1])]), [2, 2])",
]), traced=False, grad=False)  # fmt: skip
def test_functions(case):
    case.check()


class Assertions(torchtf.test.TestCase):
    """What `tf.test.TestCase` says of ragged tensors."""

    def test_rows(self):
        rows = torchtf.ragged.constant([[1.0, 2.0], [], [3.0]])
        self.assertAllEqual(rows, [[1, 2], [], [3]])
        self.assertAllClose([[1, 2], [], [3.0000001]], rows)
        for other in ([[1, 2], [3], []], [[1, 2], [], [4]], [[1, 2], []]):
            with self.assertRaises(AssertionError):
                self.assertAllEqual(rows, other)
            with self.assertRaises(AssertionError):
                self.assertAllClose(rows, other)


def test_reserved_keys_in_a_function(run_python):
    """`DenseHashTable` refuses its reserved keys when a graph runs."""
    printed = run_python("""
        import torchtf as tf
        table = tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, -1, 0, -1)
        for use in (table.lookup, table.erase, lambda keys: table.insert(keys, keys)):
            try:
                tf.function(use)(tf.constant([0], tf.int64))
            except tf.errors.InvalidArgumentError as e:
                print("empty_key" in e.message)
    """)
    assert printed.split() == ["True"] * 3
