"""`tf.linalg.LinearOperator*` against TensorFlow: every class, every member."""

from __future__ import annotations

import numpy as np
import pytest

import torchtf
from tests.oracle import case, cases, each, normal

L = "tf.linalg.LinearOperator"
_M = normal(2, 3, 3, dtype="float64")
INPUTS = {
    "m": _M + 2 * np.eye(3),
    "pd": _M @ _M.transpose(0, 2, 1) + 0.5 * np.eye(3),
    "z": normal(2, 3, 3, dtype="complex128") + 2 * np.eye(3),
    "wide": normal(2, 2, 3, dtype="float64"),
    "v": normal(2, 3, dtype="float64") + 3,
    "w": normal(2, 3, dtype="float64", seed=1),
    "c": normal(2, 3, dtype="complex128") + 1,
    "r": normal(2, 3, 2, dtype="float64", seed=2),
    "rz": normal(2, 3, 2, dtype="complex128", seed=2),
    "u": normal(2, 3, 1, dtype="float64", seed=3),
    "s": normal(2, dtype="float64") + 2,
    "band": normal(2, 3, 3, dtype="float64") + 2 * np.eye(3)[1],
    "perm": np.array([[2, 0, 1], [1, 0, 2]], "int32"),
    "s4": normal(2, 2, 2, dtype="complex128", seed=4) + 1,
    "r4": normal(2, 4, 2, dtype="complex128", seed=5),
    "x6": normal(2, 6, 2, dtype="float64", seed=6),
    "m2": normal(2, 2, 2, dtype="float64", seed=7) + 2 * np.eye(2),
}
F64 = "dtype=tf.float64"
SQUARE = {
    "full": L + "FullMatrix(m)",
    "full pd": L + "FullMatrix(pd, is_self_adjoint=True, is_positive_definite=True)",
    "diag": L + "Diag(v)",
    "diag pd": L + "Diag(tf.abs(v) + 0.1, is_positive_definite=True)",
    "tril": L + "LowerTriangular(m)",
    "scaled": L + "ScaledIdentity(3, s)",
    "identity": L + f"Identity(3, batch_shape=[2], {F64})",
    "identity plain": L + f"Identity(3, {F64})",
    "householder": L + "Householder(w)",
    "permutation": L + f"Permutation(perm, {F64})",
    "toeplitz": L + "Toeplitz(v, w)",
    "tridiag": L + "Tridiag(band)",
    "tridiag matrix": L + "Tridiag(tf.linalg.band_part(m, 1, 1), 'matrix')",
    "tridiag sequence": L + "Tridiag([w, v, w], 'sequence')",
    "circulant": L + f"Circulant(v, input_output_{F64})",
    "adjoint": L + f"Adjoint({L}FullMatrix(m))",
    "inversion": L + f"Inversion({L}FullMatrix(m))",
    "composition": L + f"Composition([{L}FullMatrix(m), {L}Diag(v)])",
    "low rank": L + f"LowRankUpdate({L}Diag(tf.abs(v) + 1.), u)",
    "low rank pd": L + f"LowRankUpdate({L}Diag(tf.abs(v) + 1., is_positive_definite=True), u)",
    "low rank uv": L + f"LowRankUpdate({L}FullMatrix(m), u, diag_update=s[:, None], v=r[..., :1])",
}
COMPLEX = {
    "full": L + "FullMatrix(z)",
    "diag": L + "Diag(c)",
    "scaled": L + "ScaledIdentity(3, c[:, 0])",
    "circulant": L + "Circulant(c, input_output_dtype=tf.complex128)",
    "adjoint": L + f"Adjoint({L}FullMatrix(z))",
    "tridiag": L + "Tridiag(z)",
    "toeplitz": L + "Toeplitz(c, tf.math.conj(c))",
}
MEMBERS = [
    "o.to_dense()", "o.determinant()", "o.log_abs_determinant()", "o.trace()", "o.diag_part()",
    "o.cond()", "o.matmul(r)", "o.matmul(r, adjoint=True)",
    "o.matmul(tf.linalg.adjoint(r), adjoint_arg=True)", "o.matvec(w)", "o.matvec(w, adjoint=True)",
    "o.solve(r)", "o.solve(r, adjoint=True)", "o.solve(tf.linalg.adjoint(r), adjoint_arg=True)",
    "o.solvevec(w)", "o.add_to_tensor(m)", "o.shape_tensor()", "o.batch_shape_tensor()",
    "o.domain_dimension_tensor()", "o.range_dimension_tensor()", "o.tensor_rank_tensor()",
    "o.inverse().to_dense()", "o.adjoint().to_dense()", "o.H.matmul(r)", "(o @ r)",
    "(o.shape.as_list(), o.batch_shape.as_list(), int(o.domain_dimension), o.tensor_rank, "
    "o.dtype.name, o.name, sorted(o.parameters))",
    "(o.is_square, o.is_self_adjoint, o.is_positive_definite, o.is_non_singular)",
    "(type(o.inverse()).__name__, type(o.adjoint()).__name__)",
]  # fmt: skip
# the members whose gradients are compared and that run in a tf.function
CORE = ["o.to_dense()", "o.matmul(r)", "o.matmul(r, adjoint=True)", "o.solve(r)", "o.trace()",
        "o.log_abs_determinant()", "o.diag_part()", "o.shape_tensor()"]  # fmt: skip
# TensorFlow's gradient of a complex tridiagonal solve lacks a conjugation
WRONG_GRADIENT = "Tridiag(z)"


ATTEMPT = """
def attempt(call):
    try:
        return call()
    except Exception as e:
        return type(e).__name__
"""


def _members(operators, adapt=lambda member: member):
    """Two cases per operator: all members eagerly; the core ones with gradients and traced.

    `adapt` puts operands in the members that fit the operators, or leaves a member out (None).
    """
    members, core = ([m for m in map(adapt, group) if m] for group in (MEMBERS, CORE))
    attempts = ", ".join(f"attempt(lambda: {m})" for m in members)
    return [
        case(code, rtol=1e-7, atol=1e-9, **options)
        for made in operators
        for code, options in (
            (f"o = {made}{ATTEMPT}[{attempts}]", {"grad": False, "traced": False}),
            (f"o = {made}\n[{', '.join(core)}]", {"grad": WRONG_GRADIENT not in made}),
        )
    ]


@cases(INPUTS, _members(SQUARE.values()))
def test_members(case):
    case.check()


def _complex(member):
    for real, other in (("r)", "rz)"), ("r,", "rz,"), ("w)", "c)"), ("w,", "c,"), ("(m)", "(z)")):
        member = member.replace(real, other)
    return None if any(text in member for text in ("_tensor()", "name", "is_")) else member


@cases(INPUTS, _members(COMPLEX.values(), _complex))
def test_complex(case):
    case.check()


KRONECKER = [
    L + f"Kronecker([{L}FullMatrix(m), {L}FullMatrix(m2)])",
    L + f"Kronecker([{L}FullMatrix(pd, is_self_adjoint=True, is_positive_definite=True), "
    f"{L}Identity(2, {F64})])",
]
BLOCKS = [
    L + f"BlockDiag([{L}FullMatrix(m), {L}Diag(v)])",
    L + f"BlockLowerTriangular([[{L}FullMatrix(m)], [{L}Diag(v), {L}FullMatrix(pd)]])",
    L + f"BlockDiag([{L}FullMatrix(m), {L}FullMatrix(tf.eye(3, dtype=tf.float64))])",
]


def _six_rows(member):
    row = "x6[..., 0]"
    for three, six in (("r)", "x6)"), ("r,", "x6,"), ("w)", row + ")"), ("w,", row + ",")):
        member = member.replace(three, six)
    return member.replace("add_to_tensor(m)", "add_to_tensor(x6[:, :, :1])")


@cases(INPUTS, _members([*KRONECKER, *BLOCKS], _six_rows))
def test_kronecker_and_blocks(case):
    case.check()


@cases(INPUTS, [
    *each("o = " + BLOCKS[0] + "\n{}", [
        "o.matmul([r, r])", "o.matvec([w, v])", "o.solve([r, r])", "o.solvevec([w, v])",
        "len(o.operators)", "o.matmul(o).to_dense()", "o.solve(o).to_dense()",
        "o.matmul([r, r[:, :2]])",
    ]),
    *each("o = " + BLOCKS[1] + "\n{}", [
        "o.matmul([r, r], adjoint=True)", "o.matvec([w, v])", "o.solve([r, r])",
        "o.solve([r, r], adjoint=True)", "o.solvevec([w, v])", "o.inverse().matmul(x6)",
        "[type(b).__name__ for row in o.inverse().operators for b in row]",
    ]),
    *each("o = " + L + "Circulant2D(s4, is_self_adjoint=False, "
          "input_output_dtype=tf.complex128)\n{}", [
        "o.to_dense()", "o.matmul(r4)", "o.solve(r4)", "o.determinant()", "o.trace()",
        "o.block_shape.as_list()", "o.block_shape_tensor()", "o.convolution_kernel()",
        "o.matmul(o).to_dense()", "o.inverse().to_dense()", "o.block_depth", "o.diag_part()",
    ]),
    L + "Circulant3D(tf.reshape(s4, [1, 2, 2, 2]), input_output_dtype=tf.complex128)"
    ".matmul(tf.reshape(r4, [1, 8, 2]))",
    L + "Circulant(tf.signal.fft(tf.cast(v, tf.complex128)))"
    ".convolution_kernel()",
    L + "Zeros(3, 2, batch_shape=[2], is_square=False, dtype=tf.float64).matmul(r[:, :2])",
    L + "Zeros(3, dtype=tf.float64).to_dense()", L + "Zeros(3).determinant()",
    L + "Zeros(3, batch_shape=[4]).trace()", L + "Zeros(3).diag_part()",
    L + "Zeros(3, dtype=tf.float64).add_to_tensor(m)", L + "Zeros(3).assert_non_singular()",
    L + "Zeros(3).solve([[1.], [2.], [3.]])",
], traced=False)  # fmt: skip
def test_more_classes(case):
    case.check()


PAIRS = [
    SQUARE[k].replace("(v)", "(v[0])").replace("abs(v)", "abs(v[0])").replace("3, s", "3, s[0]")
    for k in ("full", "diag", "diag pd", "tril", "scaled", "identity", "circulant",
                        "inversion", "householder")
]  # fmt: skip


COMPOSED = (
    "(type(c).__name__, c.name, c.is_non_singular, c.is_self_adjoint, c.is_positive_definite, "
    "c.is_square, c.to_dense())"
)


@cases(INPUTS, [
    f"a, others = {a}, [{', '.join(PAIRS)}]\n"
    f"[{COMPOSED} for b in others for c in (a.matmul(b), a.solve(b))]"
    for a in PAIRS
], traced=False, grad=False, rtol=1e-7, atol=1e-9)  # fmt: skip
def test_composition_rules(case):
    case.check()


@cases(INPUTS, [
    *each("o = " + SQUARE["full pd"] + "\n{}", [
        "o.cholesky().to_dense()", "type(o.cholesky()).__name__", "o.eigvals()",
        "tf.linalg.cholesky(o).to_dense()", "tf.linalg.logdet(o)", "tf.linalg.det(o)",
        "tf.linalg.trace(o)", "tf.linalg.inv(o).to_dense()", "tf.linalg.adjoint(o).to_dense()",
        "tf.linalg.solve(o, r)", "tf.matmul(o, r)", "tf.matmul(r, o, adjoint_a=True)",
        "tf.linalg.matmul(o, o).to_dense()", "tf.linalg.diag_part(o)", "tf.matmul(o, r, True)",
        "o.assert_positive_definite()", "o.assert_self_adjoint()", "o.assert_non_singular()",
        "o[0].to_dense()", "o[..., :1].to_dense()", "o[tf.newaxis].shape.as_list()",
        "tf.nest.map_structure(lambda x: x * 2, o, expand_composites=True).to_dense()",
    ]),
    L + "Diag(v)[1].to_dense()", L + "ScaledIdentity(3, s)[:1].to_dense()",
    L + "Identity(3, batch_shape=[2])[0].shape.as_list()",
    L + f"Composition([{L}FullMatrix(m), {L}Diag(v[0])])[1].to_dense()",
    f"o = {L}LowerTriangular(m)\n{L}Composition([o, o.H], is_non_singular=True)"
    ".cholesky().to_dense()",
    f"o = {L}LowerTriangular(m)\n{L}Composition([o, o.H]).is_self_adjoint",
    L + "Diag(v - 3).assert_positive_definite()", L + "Diag([1., 0.]).assert_non_singular()",
    L + "Diag(c).assert_self_adjoint()", L + "FullMatrix(m).assert_self_adjoint()",
    L + "FullMatrix(m).assert_positive_definite()", L + "FullMatrix(m).eigvals()",
    L + "FullMatrix(tf.zeros([3, 3])).assert_non_singular()",
    L + "FullMatrix(m).cholesky()", L + "Householder(w).assert_positive_definite()",
    L + "Circulant(c).assert_hermitian_spectrum()", L + "Householder(w).eigvals()",
    L + "Toeplitz(v, v).assert_self_adjoint()", L + "Toeplitz(v, w).assert_self_adjoint()",
    L + "Tridiag(band).assert_self_adjoint()",
], grad=False, traced=False)  # fmt: skip
def test_functions_and_checks(case):
    case.check()


@cases(INPUTS, each(L + "{}", [
    "Diag(3.)", "Diag(v, is_self_adjoint=False)", "Diag(v, is_square=False)", "FullMatrix(v[0])",
    "FullMatrix([[1, 2], [3, 4]])", "FullMatrix(wide, is_square=True).determinant()",
    "FullMatrix(wide).determinant()", "FullMatrix(wide).solve(r)", "FullMatrix(wide).inverse()",
    "FullMatrix(m, is_positive_definite=True, is_non_singular=False)",
    "FullMatrix(m, is_non_singular=True, is_square=False)",
    "FullMatrix(m, is_self_adjoint=True, is_square=False)", "FullMatrix(m, is_square=False).is_square",
    "FullMatrix(m, is_non_singular=False).solve(r)", "FullMatrix(m, is_non_singular=False).inverse()",
    "FullMatrix(m).matmul(wide)", "FullMatrix(m).matmul(tf.cast(r, tf.float32))",
    "FullMatrix(m).matvec(v[:, :2])", "Identity(-1)", "Identity(2.5)", "Identity([2])",
    "Identity(2, is_self_adjoint=False)", "Identity(2, batch_shape=3)", "Zeros(2, 3)",
    "Zeros(2, is_non_singular=True)", "ScaledIdentity(2, 1., is_square=False)",
    "Permutation([0, 0])", "Permutation([0., 1.])", "Permutation([1, 0], is_square=False)",
    "Householder(w, is_positive_definite=True)", "Toeplitz(v, v[:, :2])", "Tridiag(band, 'x')",
    "Circulant(v, is_self_adjoint=False)", "Circulant(3.)", "Composition([])", "BlockDiag([])",
    "Kronecker([])", "BlockLowerTriangular([])",
    f"Composition([{L}Diag(v), {L}Diag([1., 2., 3.])])",
    f"Composition([{L}FullMatrix(m, is_non_singular=True)], is_non_singular=False)",
    f"BlockLowerTriangular([[{L}Diag(v)], [{L}Diag(v)]])",
    f"Adjoint({L}Diag(v), is_self_adjoint=False)",
    f"Inversion({L}Diag(v, is_non_singular=False))",
    f"LowRankUpdate({L}Diag(v), u, is_diag_update_positive=False)",
    f"LowRankUpdate({L}Diag(v), u[:, :2])", f"FullMatrix(m).matmul({L}FullMatrix(wide))",
    f"Diag(v).solve({L}Diag([1., 2.]))",
]), grad=False, traced=False)  # fmt: skip
def test_errors(case):
    case.check()


def test_operators_pass_through_functions():
    """As arguments, results and closures; a variable is read when it is used."""
    tf = torchtf
    calls = []

    @tf.function
    def apply(operator, x):
        calls.append(1)
        return operator.matvec(x), operator.inverse()

    for values in ([1.0, 2.0], [3.0, 4.0]):
        result, inverse = apply(tf.linalg.LinearOperatorDiag(values), tf.constant([1.0, 1.0]))
        np.testing.assert_allclose(result, values)
        assert isinstance(inverse, tf.linalg.LinearOperatorDiag)
        np.testing.assert_allclose(inverse.diag, 1 / np.array(values))
    assert len(calls) == 1
    weights = tf.Variable([1.0, 2.0])
    operator = tf.linalg.LinearOperatorDiag(weights)
    assert [v.ref() for v in operator.trainable_variables] == [weights.ref()]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(operator.matvec([3.0, 4.0]))
    np.testing.assert_allclose(tape.gradient(loss, weights), [3.0, 4.0])
    weights.assign([5.0, 6.0])
    np.testing.assert_allclose(operator.determinant(), 30.0)


def test_a_subclass_inherits_the_defaults():
    """What the base makes of `_shape`, `_shape_tensor` and `_matmul`."""
    tf = torchtf

    class Twice(tf.linalg.LinearOperator):
        def __init__(self):
            super().__init__(tf.float32, is_self_adjoint=True, is_positive_definite=True)

        def _shape(self):
            return tf.TensorShape([2, 2])

        def _shape_tensor(self):
            return tf.constant([2, 2])

        def _matmul(self, x, adjoint=False, adjoint_arg=False):
            return 2.0 * (tf.linalg.adjoint(x) if adjoint_arg else x)

    operator = Twice()
    np.testing.assert_allclose(operator.to_dense(), 2 * np.eye(2))
    np.testing.assert_allclose(operator.determinant(), 4.0, rtol=1e-6)
    np.testing.assert_allclose(operator.solvevec([2.0, 4.0]), [1.0, 2.0])
    np.testing.assert_allclose(operator.cholesky().to_dense(), np.sqrt(2) * np.eye(2), rtol=1e-6)
    np.testing.assert_allclose(operator.eigvals(), [2.0, 2.0])
    assert operator.name == "Twice"
    with pytest.raises(TypeError, match="dtype"):
        operator.matvec(np.zeros(2))
