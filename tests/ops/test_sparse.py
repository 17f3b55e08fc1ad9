"""`tf.sparse` and `tf.SparseTensor` against TensorFlow."""

from __future__ import annotations

import pytest

import torchtf
from tests.oracle import cases, each, normal

ST = "tf.sparse.SparseTensor"
A = ST + "([[0, 0], [1, 2]], [1., 2.], [3, 4])"
B = ST + "([[0, 0], [2, 1]], [5., -7.], [3, 4])"
INTS = ST + "([[0, 0], [1, 2]], [1, 2], [3, 4])"
S = ST + "([[0, 1], [1, 0]], ['x', 'y'], [2, 2])"
U = ST + "([[1, 0], [0, 0]], [1, 2], [2, 2])"
INPUTS = {"v": normal(2), "dense": normal(3, 4), "d": normal(4, 2), "e": normal(3, 2)}
V = ST + "([[0, 0], [1, 2]], v, [3, 4])"


@cases(INPUTS, [
    A, S, *each(ST + "({})", ["[[0, 0]], [1.], [3]", "[[0]], [1., 2.], [3]", "[0], [1.], [3]",
                "[[0]], [[1.]], [3]", "[[0.]], [1.], [3]", "[[5]], [1.], [3]",
                "np.zeros((0, 2), np.int64), [], [2, 2]", "[[0]], [1], [3.]"]),
    *each("tf.sparse.to_dense({})", [A, A + ", default_value=-1.", S, S + ", default_value='q'", U,
          ST + "([[0, 0], [0, 0]], [1, 2], [2, 2])", ST + "([[0, 5]], [1], [2, 2])", "[1]",
          U + ", validate_indices=False", V]),
    *each("tf.sparse.from_dense({})", ["[[0, 1], [2, 0]]", "[['', 'a']]", "tf.constant(3)",
          "[[0., 0.]]", "[[True, False]]", "dense"]),
    *each("tf.sparse.to_indicator({}, 3)", [ST + "([[0, 0], [1, 0]], [1, 0], [2, 1])",
          ST + "([[0, 0], [1, 0]], [1, 5], [2, 1])"]),
    "tf.sparse.eye(2)", "tf.sparse.eye(2, 3, tf.int32)",
])  # fmt: skip
def test_making(case):
    case.check()


@cases(INPUTS, [
    f"tf.sparse.add({A}, {B})", f"tf.sparse.add({A}, tf.ones([3, 4]))",
    f"tf.sparse.add(tf.ones([3, 4]), {A})", f"tf.sparse.add({A}, {ST}([[0, 0]], [-1.], [3, 4]))",
    f"tf.sparse.add({A}, {ST}([[0, 0]], [-1.], [3, 4]), threshold=0.1)",
    f"tf.sparse.add({A}, {B}, threshold=4.)", f"tf.sparse.add({V}, dense)", f"tf.sparse.add({V}, {A})",
    f"tf.sparse.add({A}, {ST}([[0, 0]], [-1.], [3, 5]))", f"tf.sparse.add({A}, {INTS})",
    "tf.sparse.add(tf.ones([1]), tf.ones([1]))",
    *each("tf.sparse.concat({})", [f"1, [{A}, {B}]", f"0, [{A}, {B}]", f"0, [{A}]", f"5, [{A}, {B}]",
          f"-1, [{A}, {ST}([[0, 0]], [9.], [3, 2])]", f"0, [{A}, {ST}([[0, 0]], [9.], [3, 2])]",
          f"0, [{A}, {ST}([[0, 0]], [9.], [3, 2])], expand_nonconcat_dims=True"]),
    *each("tf.sparse.expand_dims(" + A + "{})", ["", ", 0", ", 1", ", 7"]),
    *each("tf.sparse.fill_empty_rows({})", [A + ", -1.", S + ", 'z'", INTS + ", 1.5"]),
    *each("tf.sparse.map_values({})", ["tf.abs, " + B, f"tf.add, {A}, 1.", f"tf.add, {A}, {A}",
          f"tf.add, {A}, {B}", "tf.abs, [1., -2.]"]),
    f"tf.sparse.maximum({A}, {B})", f"tf.sparse.minimum({A}, {B})", f"tf.sparse.maximum({A}, {INTS})",
    *each("tf.sparse.reduce_sum({})", [A, A + ", 0", A + ", 1, keepdims=True", A + ", [0, 1]", V,
          A + ", -1, output_is_sparse=True", A + ", 5", A + ", output_is_sparse=True", V + ", 1"]),
    *each("tf.sparse.reduce_max({})", [A + ", 1", ST + "([[0, 0]], [-3.], [2, 2]), 1",
          INTS + ", 0, output_is_sparse=True", A + ", keepdims=True"]),
    f"tf.sparse.reorder({U})", f"tf.sparse.reset_shape({A})", f"tf.sparse.reset_shape({A}, [4, 5])",
    f"tf.sparse.reset_shape({A}, [1, 1])", f"tf.sparse.reset_shape({A}, [3, 4, 5])",
    *each("tf.sparse.reshape(" + A + ", {})", "[4,3] [-1] [2,-1] [5,5] [5,-1]"),
    *each("tf.sparse.retain(" + A + ", {})", "[True,False] [True]"),
    *each("tf.sparse.slice(" + A + ", {})", ["[0, 1], [2, 2]", "[1, 0], [9, 9]", "[0], [1]"]),
    f"tf.sparse.softmax({ST}([[0, 0], [0, 1], [1, 2]], [1., 2., 3.], [3, 4]))",
    f"tf.sparse.softmax({INTS})", f"tf.sparse.softmax({V})",
    *each("tf.sparse.split(sp_input=" + A + ", num_split={})", ["2, axis=1", "3, axis=1",
          "9, axis=1", "2, axis=0"]),
    *each("tf.sparse.transpose(" + A + "{})", ["", ", [0, 1]", ", [0]"]),
    f"tf.sparse.transpose({ST}([[0, 1, 2]], [1], [2, 3, 4]), [1, 2, 0])",
    f"{A} * 2.", f"{A} * tf.ones([3, 4])", f"{A} / 2.", f"{A} * tf.ones([4])", f"{A} * {B}",
    f"{V} * dense", f"{V} / dense", f"-{A}", f"{A} + {B}", f"{A}.with_values([7., 8.])",
    f"{A}.with_values([7.])", f"tf.cast({A}, tf.int32)", f"tf.abs({B})", f"tf.shape({A})",
    f"tf.rank({A})", f"tf.size({A})", f"tf.convert_to_tensor({A})", f"tf.zeros_like({A})",
    f"tf.square({A})", f"tf.add({A}, {A})",
])  # fmt: skip
def test_operations(case):
    case.check()


# rows of several shapes
EYES = (
    "tf.map_fn(tf.sparse.eye, tf.constant([2, 3]), "
    "fn_output_signature=tf.SparseTensorSpec(None, tf.float32))"
)


@cases(INPUTS, [
    *each("tf.sparse.sparse_dense_matmul({})", [A + ", d", A + ", e, adjoint_a=True", V + ", d",
          A + ", tf.ones([2, 4]), adjoint_b=True", "tf.ones([2, 3]), " + A, A + ", tf.ones([3, 2])",
          A + ", tf.ones([4, 2], tf.float64)", A + ", tf.ones([4])"]),
    *each("tf.sparse.segment_{}", ["sum(dense, [0, 2], [0, 0])", "sum(dense, [0, 5], [0, 0])",
          "mean(dense, [0, 2, 1], [0, 0, 2], num_segments=4)", "sum(dense, [0, 1], [1, 0])",
          "sqrt_n(dense, [0, 2], [0, 2])", "mean(dense, [1, 1], [0, 0])"]),
    *each("tf.sparse.bincount({})", ["[[1, 2, 2], [0, 0, 5]]", "[1, 2, 2], axis=0",
          "[1, 2, 2], axis=-1", ST + "([[0, 0], [1, 0], [1, 1]], [1, 2, 2], [2, 2]), axis=-1",
          *each("[[1, 2, 2], [0, 0, 5]], axis=-1{}", ["", ", minlength=8", ", maxlength=3",
                ", binary_output=True", ", weights=[[.1, .2, .3], [1., 2., 3.]]"]),
          "tf.ragged.constant([[1, 2, 2], [0]]), axis=-1", "[-1]", "tf.constant([1, 2], tf.int64)",
          "tf.constant([1, 2], tf.int64), binary_output=True", "[1, 2], axis=2"]),
    "tf.sparse.cross([tf.sparse.from_dense([['a', 'b'], ['c', 'd']]),"
    " tf.sparse.from_dense([['e'], ['f']])])",
    "tf.sparse.cross([[['a'], ['b']]])",
    "tf.sparse.sampled_addmm(tf.constant([[0, 0], [1, 1]]), tf.constant([1., 2.]),"
    " tf.constant([2, 2]), tf.ones([2, 3]), tf.ones([3, 2]))",
    "tf.sparse.sampled_addmm(tf.constant([[[0, 1], [1, 0]], [[0, 0], [1, 0]]]),"
    " tf.constant([[3., 5.], [2., 7.]]), tf.constant([2, 2]), tf.random.stateless_normal([2, 2, 3],"
    " [1, 2]), tf.random.stateless_normal([2, 3, 2], [3, 4]), alpha=0.75, beta=0.25)",
    EYES,
    *each("tf.io.{}", [f"serialize_sparse({INTS})", f"serialize_many_sparse({INTS})",
          f"deserialize_many_sparse(tf.io.serialize_many_sparse({INTS}), tf.int32)",
          f"deserialize_many_sparse(tf.stack([tf.io.serialize_sparse({INTS})] * 2), tf.int32)"]),
], eager=(
    EYES,
    "tf.sparse.cross([tf.sparse.from_dense([['a', 'b'], ['c', 'd']]),"
    " tf.sparse.from_dense([['e'], ['f']])])",
    f"tf.io.deserialize_many_sparse(tf.io.serialize_many_sparse({INTS}), tf.int32)",
    f"tf.io.deserialize_many_sparse(tf.stack([tf.io.serialize_sparse({INTS})] * 2), tf.int32)",
))  # fmt: skip
def test_products_and_counts(case):
    case.check()


@pytest.mark.parametrize("code", [A, INTS, S, "tf.SparseTensorSpec([None, 2], tf.int32)"])
def test_printed_forms(code):
    import tensorflow

    want, have = (eval(code, {"tf": tf}) for tf in (tensorflow, torchtf))
    assert str(have) == str(want) and repr(have) == repr(want)
    assert str(have.shape) == str(want.shape)


def test_is_a_composite():
    sparse = torchtf.sparse.from_dense([[0, 1], [2, 0]])
    assert len(torchtf.nest.flatten(sparse)) == 1
    parts = torchtf.nest.flatten(sparse, expand_composites=True)
    assert [p.numpy().tolist() for p in parts] == [[[0, 1], [1, 0]], [1, 2], [2, 2]]
    again = torchtf.nest.map_structure(lambda x: x, sparse, expand_composites=True)
    assert str(again) == str(sparse)
    assert torchtf.SparseTensorSpec([None, 2], torchtf.int32).is_compatible_with(sparse)
    assert not torchtf.SparseTensorSpec([None, 3], torchtf.int32).is_compatible_with(sparse)
