"""`tf.linalg` against TensorFlow."""

from __future__ import annotations

import numpy as np

from tests.oracle import case, cases, each, integers, normal

_M = normal(2, 3, 3, dtype="float64")
INPUTS = {
    "m": _M,
    "pd": _M @ _M.transpose(0, 2, 1) + 0.5 * np.eye(3),
    "pd32": (_M @ _M.transpose(0, 2, 1) + 0.5 * np.eye(3)).astype("float32"),
    "z": normal(2, 3, 3, dtype="complex128"),
    "wide": normal(2, 2, 4, dtype="float64"),
    "tall": normal(2, 4, 2, dtype="float64"),
    "rhs": normal(2, 3, 2, dtype="float64"),
    "one": normal(3, 3, dtype="float64", seed=3),
    "vec": normal(2, 3, dtype="float64"),
    "v": normal(4, dtype="float64"),
    "a": normal(2, 3),
    "b": normal(3, 4),
    "c": normal(2, 3, dtype="complex64"),
    "i": integers(-5, 5, 3, 3),
    "t": normal(2, 3, 4),
    "singular": np.zeros((2, 3, 3)),
    "lower": np.tril(_M) + 3 * np.eye(3),
    "tri": normal(2, 3, 5, dtype="float64"),
    "rhs5": normal(2, 5, 2, dtype="float64"),
    "h": normal(3, 3, dtype="float16") + 3 * np.eye(3, dtype="float16"),
}

BANDS = ["k=1", "k=-1", "k=(-1, 0)", "k=(0, 1)", "k=(-1, 1)", "k=(1, 2)", "k=(-2, -1)",
         "k=(-1, 1), align='LEFT_RIGHT'", "k=(-2, 1), align='LEFT_LEFT'",
         "k=(-2, 2), align='RIGHT_RIGHT'"]  # fmt: skip


@cases(
    INPUTS,
    [
        *each("tf.linalg.diag_part(t, {})", BANDS),
        *each("tf.linalg.diag_part(one, {})", BANDS),
        "tf.linalg.diag_part(t)",
        "tf.linalg.diag_part(t, k=(-2, 1), padding_value=9.0)",
        "tf.linalg.diag_part(t, k=7)",
        "tf.linalg.diag_part(t, k=(1, 0))",
        "tf.linalg.diag_part(v)",
        "tf.linalg.diag_part(i, k=(-1, 1), padding_value=7)",
        "tf.linalg.diag_part(t, k=0, align='X')",
        *each(
            "tf.linalg.diag(a, {})",
            [
                "k=0",
                "k=1",
                "k=-2",
                "k=1, num_rows=3",
                "k=0, num_cols=5",
                "num_rows=3, num_cols=4",
                "num_rows=2, num_cols=2",
                "k=(0, 1)",
                "k=(-1, 0)",
                "k=(-1, 0), align='LEFT_RIGHT'",
                "k=(-1, 0), padding_value=5.0",
                "k=(-1, 1)",
                "num_rows=4, num_cols=4",
            ],
        ),
        "tf.linalg.diag(v)",
        "tf.linalg.diag([1, 2, 3])",
        "tf.linalg.diag(t, k=(-1, 1))",
        "tf.linalg.diag(t, k=(-1, 1), align='LEFT_LEFT', num_cols=5)",
        "tf.linalg.set_diag(m, vec)",
        "tf.linalg.set_diag(m, vec[:, :2], k=1)",
        "tf.linalg.set_diag(m, vec[:, :2], k=0)",
        "tf.linalg.set_diag(i, [7, 8, 9])",
        "tf.linalg.set_diag(m, rhs[..., :2], k=(0, 1))",
        "tf.linalg.set_diag(m, m, k=(-1, 1))",
        "tf.linalg.set_diag(m, m, k=(-1, 1), align='LEFT_RIGHT')",
        "tf.linalg.set_diag(m, m[:, :2], k=(0, 1))",
        "tf.linalg.band_part(m, 1, 0)",
        "tf.linalg.band_part(m, -1, 0)",
        "tf.linalg.band_part(t, 0, 2)",
        "tf.linalg.band_part(m, 0, 9)",
        "tf.linalg.band_part(i, 1, 1)",
        "tf.linalg.band_part(v, 1, 1)",
        "tf.linalg.tensor_diag(v)",
        "tf.linalg.tensor_diag(a)",
        case("tf.linalg.tensor_diag_part(one)", static=("one",)),
        "tf.linalg.tensor_diag_part(tf.linalg.tensor_diag(a))",
        "tf.linalg.tensor_diag_part(b)",
        "tf.linalg.trace(m)",
        "tf.linalg.trace(t)",
        "tf.linalg.trace(i)",
        "tf.linalg.trace(v)",
        "tf.linalg.adjoint(z)",
        "tf.linalg.matrix_transpose(t)",
        "tf.linalg.matrix_transpose(v)",
        "tf.linalg.matrix_transpose(z, conjugate=True)",
        "tf.linalg.eye(3, 2)",
    ],
)
def test_diagonals(case):
    case.check()


@cases(
    INPUTS,
    [
        "tf.matmul(a, b)",
        "tf.matmul(m, rhs)",
        "tf.matmul(m, one)",
        "tf.matmul(a, a)",
        "tf.matmul(a, a, transpose_b=True)",
        "tf.matmul(a, a, transpose_a=True)",
        case("tf.matmul(i, i)", static=("i",)),
        "tf.matmul(c, c, adjoint_b=True)",
        "tf.matmul(a, b, transpose_a=True, adjoint_a=True)",
        "tf.matmul(v, v)",
        "tf.matmul(a, i)",
        "tf.matmul(m, m, adjoint_a=True)",
        "a @ b",
        case("h @ h", static=("h",)),
        case(
            "tf.matmul(tf.cast(i, tf.int8), tf.cast(i, tf.int8), output_type=tf.int32)",
            static=("i",),
        ),
        "tf.linalg.matvec(m, vec)",
        "tf.linalg.matvec(m, vec, transpose_a=True)",
        "tf.linalg.matvec(z, tf.cast(vec, tf.complex128), adjoint_a=True)",
        "tf.linalg.matvec(one, vec)",
        "tf.linalg.cross(vec, vec[::-1])",
        "tf.linalg.cross(v, v)",
        "tf.linalg.cross([1, 2, 3], [4, 5, 6])",
        "tf.linalg.cross(vec, vec[:1])",
        "tf.einsum('ij,jk->ik', a, b)",
        "tf.einsum('bij,bjk->bik', m, rhs)",
        "tf.einsum('...ij->...ji', m)",
        "tf.einsum('ij->', a)",
        *each("tf.einsum('{}', tf.reshape(tf.range(9), [3, 3]))", "ii ii->i ij-> ij->i ij->ji"),
        case("tf.einsum('ii->i', one)", static=("one",)),
        "tf.einsum('bii->b', m)",
        "tf.einsum('ij,ij', a, a)",
        "tf.einsum('ij,jk', a, b)",
        "tf.einsum('ij,kl->ik', a, b)",
        "tf.einsum('ij,jk->ik', a)",
        "tf.einsum('ij,jk->ik', a, a)",
        "tf.einsum('i j -> j i', a)",
        "tf.einsum('ij,jk,kl->il', a, b, tf.transpose(b))",
        "tf.einsum('ij->ik', a)",
        *each("tf.einsum('ij->ji', tf.constant([[1]], tf.{}))", "int8 uint8 int16 uint32 half"),
        "tf.einsum('ij->i', tf.constant([[True]]))",
        case("tf.einsum('ij,jk->ik', i, i)", static=("i",)),
        "tf.einsum('i1,jk->ik', a, b)",
        "tf.einsum('ij->ji', a, optimize='optimal')",
        "tf.einsum('ij->ji', a, foo=1)",
        "tf.tensordot(a, b, 1)",
        "tf.tensordot(t, t, [[0, 1], [0, 1]])",
        "tf.tensordot(t, b, [[2], [1]])",
        "tf.tensordot(a, b, 0)",
        "tf.tensordot(a, b, [1, 0])",
        "tf.tensordot(a, b, -1)",
        "tf.tensordot(a, b, 3)",
        "tf.tensordot(a, a, 1)",
        "tf.tensordot(a, b, [[0, 1], [0]])",
        case("tf.tensordot(i, i, 1)", static=("i",)),
    ],
)
def test_products(case):
    case.check()


@cases(
    INPUTS,
    [
        "tf.linalg.cholesky(pd)",
        "tf.linalg.cholesky(tall)",
        "tf.linalg.cholesky(v)",
        "tf.linalg.cholesky_solve(tf.linalg.cholesky(pd), rhs)",
        "tf.linalg.cholesky(i)",
        "tf.linalg.cholesky(pd32)",
        "tf.abs(tf.linalg.qr(m)[1])",
        "q, r = tf.linalg.qr(tall); q @ r",
        "q, r = tf.linalg.qr(wide); q @ r",
        case("[x.shape for x in tf.linalg.qr(tall, full_matrices=True)]", traced=False),
        "tf.linalg.svd(m, compute_uv=False)",
        "tf.linalg.svd(tall)[0]",
        "s, u, v = tf.linalg.svd(wide); u @ tf.linalg.diag(s) @ tf.linalg.adjoint(v)",
        "s, u, v = tf.linalg.svd(tall, full_matrices=True); u @ tf.linalg.adjoint(u)",
        case(
            "s, u, v = tf.linalg.svd(z); u @ tf.linalg.diag(tf.cast(s, u.dtype)) @ tf.linalg.adjoint(v)",
            grad=False,
        ),
        "tf.linalg.eigvalsh(pd)",
        "tf.linalg.eigh(pd)[0]",
        "tf.linalg.eigvalsh(m)",
        "e, v = tf.linalg.eigh(pd); v @ tf.linalg.diag(e) @ tf.linalg.adjoint(v)",
        case("tf.linalg.eigvalsh(z + tf.linalg.adjoint(z))", grad=False),
        case("tf.sort(tf.abs(tf.linalg.eigvals(m)))", grad=False),
        case(
            "e, v = tf.linalg.eig(m); tf.math.real(v @ tf.linalg.diag(e) @ tf.linalg.inv(v))",
            grad=False,
        ),
        case("tf.linalg.lu(m)", grad=False),
        case("tf.linalg.lu(m, tf.int64)", grad=False),
        case("tf.linalg.lu_reconstruct(*tf.linalg.lu(m))", grad=False),
        "tf.linalg.lu(tall)",
        case("tf.linalg.lu_solve(*tf.linalg.lu(m), rhs)", grad=False),
        case("tf.linalg.lu_matrix_inverse(*tf.linalg.lu(m))", grad=False),
        "tf.linalg.inv(m)",
        "tf.linalg.inv(m, adjoint=True)",
        "tf.linalg.inv(singular)",
        "tf.linalg.inv(tall)",
        "tf.linalg.inv(z)",
        "tf.linalg.solve(m, rhs)",
        "tf.linalg.solve(m, rhs, adjoint=True)",
        "tf.linalg.solve(singular, rhs)",
        "tf.linalg.solve(m, tall)",
        "tf.linalg.solve(m, vec)",
        "tf.linalg.triangular_solve(lower, rhs)",
        "tf.linalg.triangular_solve(lower, rhs, lower=False)",
        "tf.linalg.triangular_solve(lower, rhs, adjoint=True)",
        "tf.linalg.triangular_solve(m, tall)",
        "tf.linalg.lstsq(tall, tall)",
        "tf.linalg.lstsq(wide, tf.ones_like(wide)[..., :1])",
        "tf.linalg.lstsq(tall, tall, l2_regularizer=0.5)",
        case("tf.linalg.lstsq(tall, tall[..., :1], fast=False)", grad=False),
        "tf.linalg.tridiagonal_solve(tri, rhs5)",
        "tf.linalg.tridiagonal_solve(tri, rhs5[..., 0])",
        "tf.linalg.tridiagonal_matmul(tri, rhs5)",
        "tf.linalg.tridiagonal_solve(tri, rhs5, 'foo')",
        "tf.linalg.tridiagonal_solve(m, rhs, diagonals_format='matrix')",
        "tf.linalg.tridiagonal_solve([tri[:, 0, 1:], tri[:, 1], tri[:, 2, 1:]], rhs5, diagonals_format='sequence')",
        "tf.linalg.tridiagonal_matmul(m, rhs, diagonals_format='matrix')",
        "tf.linalg.banded_triangular_solve(m[:, :2] + 2.0, rhs)",
        "tf.linalg.banded_triangular_solve(m[:, :2] + 2.0, rhs, lower=False)",
        "tf.linalg.banded_triangular_solve(m[:, :2] + 2.0, rhs, adjoint=True)",
        case("tf.linalg.eigh_tridiagonal(v, v[1:])", grad=False, rtol=1e-6),
        case(
            "tf.linalg.eigh_tridiagonal(v, v[1:], select='i', select_range=(1, 2))",
            grad=False,
            rtol=1e-6,
            traced=False,
        ),
    ],
)
def test_factors_and_solving(case):
    case.check()


@cases(
    INPUTS,
    [
        "tf.linalg.det(m)",
        case("tf.linalg.det(z)", grad=False),
        "tf.linalg.det(tall)",
        "tf.linalg.slogdet(m)",
        "tf.linalg.logdet(pd)",
        "tf.linalg.logdet(-pd)",
        "tf.linalg.expm(m)",
        "tf.linalg.expm(singular)",
        "tf.linalg.expm(v)",
        case("tf.linalg.logm(z)", grad=False),
        case("tf.linalg.sqrtm(pd)", grad=False),
        "tf.linalg.logm(pd)",
        case("tf.linalg.sqrtm(z)", grad=False),
        case("tf.linalg.pinv(tall)", grad=False),
        case("tf.linalg.pinv(m)", grad=False),
        "tf.linalg.pinv(i)",
        "tf.linalg.matrix_rank(m)",
        "tf.linalg.matrix_rank(singular)",
        "tf.linalg.matrix_rank(tall, tol=1.5)",
        *each(
            "tf.norm(t, {})",
            [
                "'euclidean'",
                "1",
                "2",
                "np.inf",
                "3",
                "2.5",
                "1, axis=1",
                "2, axis=-1",
                "np.inf, axis=0, keepdims=True",
                "'fro'",
                "-1",
                "axis=[0, 1]",
                "'fro', axis=(1, 2)",
                "1, axis=(1, 2)",
                "np.inf, axis=(1, 2), keepdims=True",
                "axis=[0, 1, 2]",
                "3, axis=(1, 2)",
                "axis=5",
            ],
        ),
        "tf.norm(m, 2, axis=(1, 2))",
        "tf.norm(c)",
        "tf.norm(i)",
        "tf.norm(singular)",
        "tf.norm(c, 1)",
        "tf.linalg.normalize(t)",
        "tf.linalg.normalize(t, axis=1)",
        "tf.linalg.normalize(t, 1, axis=-1)",
        "tf.linalg.l2_normalize(t, 1)",
        "tf.linalg.global_norm([t, a])",
        "tf.linalg.global_norm([t, None])",
        "tf.linalg.global_norm(t)",
        case("tf.linalg.inv(h)", static=("h",)),
    ],
)
def test_functions_and_norms(case):
    case.check()


def test_conjugate_gradient():
    import tensorflow

    import torchtf

    matrix = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 5.0]])
    rhs = np.array([1.0, 2.0, 3.0])

    class Operator:
        def __init__(self, tf):
            self.tf, self.shape, self.dtype = tf, tf.TensorShape([3, 3]), tf.float64
            self.is_self_adjoint = self.is_positive_definite = True

        def matvec(self, x):
            return self.tf.linalg.matvec(self.tf.constant(matrix), x)

    have = torchtf.linalg.experimental.conjugate_gradient(Operator(torchtf), torchtf.constant(rhs))
    operator = tensorflow.linalg.LinearOperatorFullMatrix(
        matrix, is_self_adjoint=True, is_positive_definite=True
    )
    want = tensorflow.linalg.experimental.conjugate_gradient(operator, tensorflow.constant(rhs))
    assert int(have.i) == int(want.i)
    np.testing.assert_allclose(have.x.numpy(), want.x.numpy(), rtol=1e-10)
