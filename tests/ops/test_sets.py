"""`tf.sets` against TensorFlow."""

from __future__ import annotations

import numpy as np

from tests.oracle import cases, each

INPUTS = {
    "a": np.array([[1, 2, 2], [3, 4, 5]]),
    "b": np.array([[2, 1, 9], [5, 9, 9]]),
    "u": np.array([[b"b", b"a"]], dtype=object),
    "v": np.array([[b"c", b"a"]], dtype=object),
    "deep": np.array([[[1, 2], [3, 3]], [[0, 1], [2, 2]]], "int32"),
    "x": np.ones((2, 2), "float32"),
}


@cases(
    INPUTS,
    [
        *each("tf.sets.{}(a, b)", "intersection union difference"),
        *each("tf.sets.{}(u, v)", "intersection union difference"),
        *each("tf.sets.{}(deep, deep[::-1])", "intersection union difference"),
        *each("tf.sets.{}(x, x)", "intersection union"),
        *each("tf.sets.{}(a, deep)", "intersection union"),
        "tf.sets.difference(a, b, aminusb=False)",
        "tf.sets.intersection([1], [2])",
        "tf.sets.intersection(tf.sparse.from_dense(a), tf.sparse.from_dense(b))",
        "tf.sets.size(tf.sparse.from_dense(a))",
        "tf.sets.size(a)",
        "tf.sets.size(tf.sets.union(a, b))",
    ],
)
def test_sets(case):
    case.check()
