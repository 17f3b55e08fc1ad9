"""`tf.experimental.RowPartition` against TensorFlow."""

from __future__ import annotations

from tests.oracle import cases, each

R = "tf.experimental.RowPartition."
MAKERS = [
    "from_row_lengths([2, 0, 3])", "from_row_splits([0, 2, 2])", "from_value_rowids([0, 0, 2], 4)",
    "from_row_starts([0, 2], nvals=5)", "from_row_limits([2, 5])",
    "from_uniform_row_length(3, nvals=6)", "from_uniform_row_length(2, nrows=3)",
    "from_row_splits([0, 2, 3], dtype=tf.int32)",
]  # fmt: skip


@cases({}, [
    f"p = {R}{make}\n(str(p), p.row_splits(), p.row_lengths(), p.row_starts(), p.row_limits(), "
    "p.value_rowids(), p.offsets_in_rows(), p.nrows(), p.nvals(), p.uniform_row_length(), "
    "p.is_uniform(), p.static_nrows, p.static_uniform_row_length, p.dtype.name, "
    "str(p.with_dtype(tf.int32)))"
    for make in MAKERS
], traced=False)  # fmt: skip
def test_encodings(case):
    case.check()


@cases({}, each(R + "{}", [
    "from_row_splits([0, 2, 1])", "from_row_splits([1, 2])", "from_row_splits([])",
    "from_row_lengths([-1])", "from_value_rowids([1, 0])", "from_uniform_row_length(2)",
    "from_row_splits([0, 2]) == tf.experimental.RowPartition.from_row_splits([0, 2])",
    "from_row_lengths([2, 2])._type_spec",
]) + [
    "tf.experimental.RowPartition(3)",
    f"tf.nest.flatten({R}from_row_lengths([1, 2]), expand_composites=True)",
    f"tf.function(lambda p: p.row_lengths())({R}from_row_lengths([1, 2]))",
], traced=False)  # fmt: skip
def test_errors_and_structure(case):
    case.check()
