"""`tf.ragged` and `tf.RaggedTensor` against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

import torchtf
from tests.oracle import cases, each, normal

INPUTS = {
    "v": np.arange(1, 7, dtype="int32"),
    "f": normal(6),
    "m": normal(6, 2),
    "x": normal(4, 3),
    "cube": normal(2, 3, 2),
    "splits": np.array([0, 2, 2, 5, 6], "int64"),
    "lengths": np.array([2, 0, 3, 1], "int64"),
    "ids": np.array([0, 0, 2, 2, 2, 3], "int64"),
}
A = "tf.ragged.constant([[1, 2], [3], []])"
B = "tf.ragged.constant([[[1, 2], [3]], [], [[4, 5, 6]]])"
C = "tf.RaggedTensor.from_row_splits([[1, 2], [3, 4], [5, 6]], [0, 2, 3])"
F = "tf.ragged.constant([[1.5, 2.0], [-3.0], []])"
R = "tf.RaggedTensor."


@cases(INPUTS, [
    R + "from_row_splits(v, splits)", R + "from_row_lengths(v, lengths)",
    R + "from_value_rowids(v, ids)", R + "from_row_starts(v, splits[:-1])",
    R + "from_row_limits(v, splits[1:])", R + "from_uniform_row_length(v, 3)",
    R + "from_row_splits(m, splits)", R + "from_row_splits(f, splits).values * 2.0",
    R + "from_nested_row_splits(v, [[0, 1, 4], splits])",
    R + "from_tensor(x)", R + "from_tensor(cube, ragged_rank=2)",
    R + "from_tensor(x, lengths=[1, 3, 0, 2])",
])  # fmt: skip
def test_making(case):
    case.check()


@cases({}, [
    *each("tf.RaggedTensor.{}", [
        "from_row_splits([1, 2], [0, 1])", "from_row_splits([1, 2], [1, 2])",
        "from_row_splits([1, 2], [0, 2, 1])", "from_row_splits([1, 2], [[0, 2]])",
        "from_row_splits([1, 2], [0., 2])", "from_row_splits(5, [0, 1])",
        "from_row_splits([1, 2], [])", "from_row_lengths([1, 2], [1, 2])",
        "from_row_lengths([1, 2], [-1, 3])", "from_value_rowids([1, 2, 3], [0, 0, 2], nrows=5)",
        "from_value_rowids([1, 2, 3], [0, 0, 2], nrows=1)", "from_value_rowids([1, 2, 3], [0, 2, 1])",
        "from_uniform_row_length([1, 2, 3], 2)", "from_uniform_row_length([], 0, nrows=3)",
        "from_uniform_row_length([], 0)", "from_nested_row_lengths([1, 2, 3], [[1, 1], [2, 1]])",
        "from_nested_value_rowids([1, 2, 3], [[0, 1], [0, 0, 1]])",
        "from_tensor([[1, 2, 0], [3, 0, 0]], padding=0)",
        "from_tensor([[1, 2, 0], [3, 0, 0]], lengths=[1, 2])", "from_tensor([1, 2])",
        "from_tensor([[1, 2], [3, 4]], ragged_rank=0)", "from_tensor([[1]], lengths=[1], padding=0)",
        "from_tensor([[[1, 0], [0, 0]]], padding=0, ragged_rank=2)",
        "from_tensor([[[1, 0], [0, 0]]], padding=[0, 0])", "from_tensor([[[1, 2], [3, 4]]])",
        "from_tensor([[['a']]], ragged_rank=2)", "from_tensor([[1, 2]], row_splits_dtype=tf.int32)",
        "from_sparse(tf.sparse.from_dense([[1, 2, 0], [3, 0, 0]]))",
        "from_sparse(tf.sparse.from_dense([[1, 0, 2]]))", "from_sparse([1])",
    ]),
])  # fmt: skip
def test_making_from_constants(case):
    case.check()


_OPERATORS = ("+", "-", "*", "/", "//", "%", "**")


@cases({}, [f"{x} {o} {A}" for o in _OPERATORS for x in ("2", "2.5")])
def test_numbers_before_ragged_tensors(case):
    case.check()


@cases({}, each("tf.ragged.constant({})", [
    "[[1], [2.5]]", "[]", "[[]]", "[[], []], dtype=tf.int32", "[[[]], []]", "5", "[1, 2]",
    "[[1, [2]]]", "[[[1, 2], [3, 4]], [[5, 6]]]", "[[[1, 2], [3, 4]], [[5, 6]]], ragged_rank=1",
    "[[[1, 2], [3, 4]], [[5, 6]]], inner_shape=(2,)", "[['a'], ['b', 'c']]",
    "[[1]], row_splits_dtype=tf.int32", "[['a', 1]]", "[[1, 2], [3]], ragged_rank=3",
    "[[1, 2], [3]], ragged_rank=0", "np.array([[1, 2], [3, 4]])", "[np.array([1, 2]), [3]]",
    "[[1, 2], [3]], dtype=tf.string", "[[[1, 2], [3]], [[5, 6]]], inner_shape=(2,)",
    "[[True], []]", "[[1.0], [2]], dtype=tf.float64",
]))  # fmt: skip
def test_constant(case):
    case.check()


KEYS = [
    "0", "-1", "3", "1:", "::2", "::-1", ":, 0", ":, 0:1", "0, 1", "0, 5", ":, -1:", "tf.newaxis",
    ":, None", "...", "..., 0", "..., None", "tf.constant(1)", "'a'", "0, ::-1", ":, ::-1",
    ":, 1::2", ":, :-1", "2:0", "5:", "1.5", "[0, 1]", ":, -9:1", ":, 7:",
]  # fmt: skip


@cases({}, [
    *each(A + "[{}]", KEYS), *each(B + "[{}]", [*KEYS[:-2], "0, 0, 1", ":, :, 0", ":, :, 0:1",
          "..., 0:1", "0, :, 0", "1:3, ::2", "0, 1:, 0:1"]),
    *each(C + "[{}]", [":, :, 0", ":, 0:1", "0, 1, 0", "..., 1", ":, :, ::-1", "1", ":, None"]),
    "tf.RaggedTensor.from_tensor([[1, 2], [3, 4]])[:, 1]",
])  # fmt: skip
def test_indexing(case):
    case.check()


@cases(INPUTS, [
    *each(A + ".{}", ["to_tensor()", "to_tensor(-1)", "to_tensor(shape=[None, 4])",
          "to_tensor(shape=[2, 1])", "to_tensor(shape=[5, None])", "to_tensor(default_value=[1, 2])",
          "to_tensor(default_value=1.5)", "to_sparse()", "to_list()", "bounding_shape()",
          "bounding_shape(axis=1)", "bounding_shape(axis=[0, 1])", "nrows()", "row_lengths()",
          "row_starts()", "row_limits()", "value_rowids()", "nrows(out_type=tf.int32)",
          "with_values([7, 8, 9])", "with_values([7, 8])", "with_flat_values([7., 8, 9])",
          "with_row_splits_dtype(tf.int32)", "with_row_splits_dtype(tf.float32)",
          "merge_dims(1, 1)", "merge_dims(1, 0)", "merge_dims(0, 1)", "merge_dims(0, 5)",
          "nested_row_lengths()", "nested_value_rowids()", "ragged_rank", "uniform_row_length"]),
    *each(B + ".{}", ["to_tensor()", "to_tensor(9)", "to_sparse()", "to_list()", "bounding_shape()",
          "row_lengths(2)", "row_lengths(5)", "merge_dims(0, 1)", "merge_dims(1, 2)",
          "merge_dims(0, 2)", "merge_dims(-2, -1)", "with_values([1, 2, 3])", "ragged_rank",
          "nested_row_lengths()", "nested_row_splits", "flat_values"]),
    *each(C + ".{}", ["to_tensor()", "to_tensor(default_value=[7, 8])", "to_sparse()", "to_list()",
          "bounding_shape()", "merge_dims(0, 1)", "merge_dims(1, 2)", "row_lengths(2)"]),
    "tf.RaggedTensor.from_row_splits(f, splits).to_tensor(0.5)",
    "tf.RaggedTensor.from_row_splits(m, splits).to_tensor()",
], eager=(f"{A}.ragged_rank", f"{B}.ragged_rank"))  # fmt: skip
def test_methods(case):
    case.check()


@cases(INPUTS, [
    *each("tf.ragged.range({})", ["[1, 2, 3]", "[0, 5, 8], [3, 3, 12]", "[0, 5, 8], [3, 3, 12], 2",
          "0, 5, 0", "[0., 1.], [3, 3]", "3", "[1, 2], [3]", "[1], row_splits_dtype=tf.int32",
          "[5], [0], [-2]", "[0], [5, 6]"]),
    "tf.ragged.row_splits_to_segment_ids([0, 2, 2, 5])",
    *each("tf.ragged.segment_ids_to_row_splits({})", ["[0, 0, 2, 2]", "[0, 0, 2], num_segments=5",
          "tf.constant([0, 0, 2, 2], tf.int64)", "tf.constant([0, 0, 2, 2])"]),
    *each("tf.ragged.stack({})", [f"[{A}, [[9]]]", "[[1, 2], [3]]", f"[{A}, {A}], axis=1", "[1, 2]",
          f"[{A}, {A}], axis=2", "[]", "[[[1, 2]], [[3, 4]]]", f"[{A}]", f"[{A}, {A}], axis=5"]),
    *each("tf.ragged.boolean_mask({})", [
        "[[1, 2, 3], [4, 5, 6]], [[True, False, True], [False, False, True]]",
        A + ", [True, False, True]", A + ", tf.ragged.constant([[True, False], [True], []], tf.bool)",
        "[1, 2], [True, False]", A + ", [True]", "[1, 2], True", B + ", [True, False, True]"]),
    *each("tf.ragged.stack_dynamic_partitions({})", ["['a', 'b', 'c'], [0, 2, 0], 3",
          "[[1, 2], [3, 4]], [1, 0], 2", A + ", [0, 1, 0], 2", "[1, 2], [0, 3], 2"]),
    *each("tf.ragged.map_flat_values({})", [f"tf.math.add, {A}, 10", f"tf.reshape, {A}, [1, -1]",
          f"tf.add, {A}, tf.RaggedTensor.from_row_splits([1, 2, 3], [0, 1, 2, 3])",
          "tf.ones_like, [1, 2]", f"tf.add, {A}, {A}"]),
    *each("tf.ragged.cross({})", [
        "[tf.ragged.constant([['a'], ['b', 'c']]), tf.ragged.constant([['d'], ['e']])]",
        "[tf.ragged.constant([['a'], ['b', 'c']]), [[1], [2]]]",
        "[tf.sparse.from_dense([['a'], ['b']]), tf.ragged.constant([['d'], ['e']])]"]),
    *each("tf.ragged.cross_hashed([tf.ragged.constant([['a'], ['b', 'c']]), {}", [
        "tf.ragged.constant([['d'], ['e']])], num_buckets=100)",
        "tf.ragged.constant([[1], [2]])])", "[[5], [6]]], hash_key=7)"]),
])  # fmt: skip
def test_functions(case):
    case.check()


# comparisons of what cannot be compared: False or True
UNLIKE = [
    f"{x} {how} {y}"
    for how in ("==", "!=")
    for x, y in (
        *[(A, y) for y in ("'a'", "1.5", "[[1, 2]]", "tf.ragged.constant([[1], [2, 3]])")],
        (A, "tf.zeros([3, 2], tf.int32)"),
        ("tf.zeros([3, 2], tf.int32)", A),
    )
]


@cases(INPUTS, [
    *each(F + " {} 2.0", "+ - * / // % ** < <= > >= == !="), *each("2.0 {} " + F, "+ - * /"),
    *each(A + " {} " + A, "+ - * / // < == !="), *each("{}" + A, "- ~"),
    f"abs(-{A})", f"{F} + [[1.0], [2.0], [3.0]]", f"{A} + [[1, 2], [3, 4], [5, 6]]",
    f"{B} + [1]", f"{B} * tf.constant([[[1], [2]], [[3], [4]], [[5], [6]]])", f"{C} + [10, 20]",
    f"{A} + tf.ragged.constant([[1], [3], []])", f"{A} + 1.5", f"{A} == None",
    *UNLIKE,
    "tf.ragged.constant([['a'], ['b', 'c']]) + 'x'",
    "tf.ragged.constant([[True], [False]]) & tf.ragged.constant([[True], [True]])",
    *each("tf.{}(" + F + ")", "abs exp square sign zeros_like ones_like identity"),
    *each("tf.math.{}(" + F + ")", "sin log1p floor"), f"tf.maximum({F}, 0.0)",
    f"tf.cast({A}, tf.float32)", "tf.RaggedTensor.from_row_splits(f, splits) * f[:4, None]",
    "tf.RaggedTensor.from_row_splits(f, splits) ** 2.0",
    "tf.reduce_sum(tf.exp(tf.RaggedTensor.from_row_splits(f, splits)), axis=1)",
], eager=(f"{A} == None", *UNLIKE))  # fmt: skip
def test_elementwise(case):
    case.check()


@cases(INPUTS, [
    *each("tf.reduce_{}(" + F + ")", "sum mean max min prod"),
    *each("tf.reduce_{}(" + F + ", axis=0)", "sum mean max min prod"),
    *each("tf.reduce_{}(" + F + ", axis=1)", "sum mean max min prod"),
    *each("tf.reduce_sum(" + B + ", axis={})", ["0", "1", "2", "-1", "[1, 2]", "[0, 2]", "5"]),
    *each("tf.reduce_sum(" + B + ", axis={}, keepdims=True)", "1 2"),
    f"tf.reduce_mean({A}, axis=1)", f"tf.reduce_any({A} > 1, axis=1)",
    f"tf.reduce_all({A} > 1, axis=1)", f"tf.reduce_max({C}, axis=2)",
    *each("tf.concat([" + A + ", " + A + "], axis={})", "0 1 -1 5"),
    f"tf.concat([{A}, [[7, 8], [9, 9], [1, 1]]], axis=1)", f"tf.concat([{B}, {B}], axis=2)",
    f"tf.stack([{A}, {A}])", f"tf.stack([{A}, {A}], axis=1)",
    *each("tf.expand_dims(" + A + ", {})", "0 1 2 -1 7"),
    f"tf.squeeze(tf.expand_dims({A}, 1), 1)", f"tf.squeeze({A}, 0)",
    f"tf.size({A})", f"tf.rank({B})",
    f"tf.gather({A}, [2, 0, 1])", f"tf.gather({A}, [[0], [1]])", f"tf.gather({A}, [9])",
    f"tf.gather_nd({A}, [[0, 1], [1, 0]])", f"tf.gather_nd({A}, [[[1]], [[0]]])",
    f"tf.gather_nd({B}, [[0, 1, 0], [2, 0, 2]])", f"tf.gather_nd({B}, [[2, 0], [0, 1]])",
    f"tf.gather_nd({C}, [[1, 0, 1]])", f"tf.gather_nd({A}, [0, 1])", f"tf.gather_nd({A}, [[0, 5]])",
    f"{A} * 2.5", f"{F} * 2", f"tf.add({A}, 1.5)",
    f"tf.gather([10, 20, 30], {A} - 1)", f"tf.gather({A}, 0)",
    f"tf.reverse({A}, [0])", f"tf.reverse({A}, [1])", f"tf.tile({A}, [2, 1])",
    f"tf.tile({A}, [1, 2])", f"tf.where({A} > 1)", f"tf.where({A} > 1, {A}, -{A})",
    f"tf.where({A} > 1, {A}, 0)", f"tf.where([True, False, True], {A}, -{A})",
    f"tf.one_hot({A}, 4)", f"tf.strings.as_string({A})",
])  # fmt: skip
def test_axes(case):
    case.check()


TEXTS = [
    A, B, C, "tf.ragged.constant([['a'], ['b', 'c']])", "tf.ragged.constant([[1.5]])",
    "tf.RaggedTensor.from_tensor([[1, 2], [3, 4]])", "tf.ragged.constant([[]])",
    "tf.ragged.constant([[1] * 300])",
]  # fmt: skip


@pytest.mark.parametrize("code", TEXTS)
def test_printed_forms(code):
    import tensorflow

    want, have = (eval(code, {"tf": tf}) for tf in (tensorflow, torchtf))
    assert repr(have) == repr(want)
    assert str(have) == str(want)
    assert str(have.shape) == str(want.shape)
    assert repr(have._type_spec) == repr(want._type_spec)


def test_refuses_what_tensorflow_refuses():
    ragged = torchtf.ragged.constant([[1], [2, 3]])
    for function in (bool, hash, len, torchtf.convert_to_tensor):
        with pytest.raises((TypeError, ValueError)):
            function(ragged)
    with pytest.raises(ValueError, match="private"):
        torchtf.RaggedTensor([1], [0, 1])


def test_is_a_composite():
    ragged = torchtf.ragged.constant([[[1], [2, 3]], []])
    parts = torchtf.nest.flatten(ragged, expand_composites=True)
    assert [p.numpy().tolist() for p in parts] == [[1, 2, 3], [0, 2, 2], [0, 1, 3]]
    doubled = torchtf.nest.map_structure(lambda x: x * 1, ragged, expand_composites=True)
    assert doubled.to_list() == [[[1], [2, 3]], []]
    spec = torchtf.RaggedTensorSpec([2, None, None], torchtf.int32, ragged_rank=2)
    assert spec.is_compatible_with(ragged) and spec == ragged._type_spec
    assert not torchtf.RaggedTensorSpec([2, None], torchtf.int32).is_compatible_with(ragged)


def test_gradients_flow_through_rows():
    values = torchtf.Variable([1.0, 2.0, 3.0])
    with torchtf.GradientTape() as tape:
        rows = torchtf.RaggedTensor.from_row_lengths(values, [2, 0, 1])
        loss = torchtf.reduce_sum(rows.to_tensor() ** 2.0)
    assert tape.gradient(loss, values).numpy().tolist() == [2.0, 4.0, 6.0]


@cases({}, each("r = tf.ragged.constant([[1.0, 2.0], [], [3.0]])\n{}", [
    "tf.nn.softmax(r)", "tf.nn.log_softmax(r)", "tf.nn.dropout(r, 0.0)",
    "tf.math.bincount(tf.cast(r, tf.int32))",
    "with tf.GradientTape() as tape:\n    tape.watch(r)\n    y = tf.reduce_sum(r * r)\n"
    "tape.gradient(y, r)",
]), traced=False)  # fmt: skip
def test_functions_and_gradients(case):
    case.check()
