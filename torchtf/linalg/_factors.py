"""Factorizations and eigenvalues."""

from __future__ import annotations

import collections
import math

import torch

from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor, raw
from torchtf.core.op import op
from torchtf.core.tensor import is_fake, wrap
from torchtf.linalg._checks import _adjoint, _matrix, _square
from torchtf.math import cast


@op("Cholesky", half=False)
def cholesky(input: Matrix):
    """The lower triangular L with L L^H = input (source: `tf.linalg.cholesky`).

    Only the lower triangle is read. A matrix that is not positive definite gives NaNs.
    """
    return _cholesky_or_nan(input)


def _cholesky_or_nan(x):
    """The Cholesky factor; NaNs in the triangle if a matrix is not positive definite."""
    factor, info = torch.linalg.cholesky_ex(_square(x))
    scale = torch.where(info == 0, 1.0, math.nan)[..., None, None].to(factor.dtype)
    return torch.tril(factor * scale)


@op("CholeskySolve", half=False)
def cholesky_solve(chol: Matrix, rhs: Matrix):
    """Solves A X = rhs, given A's Cholesky factor (source: `tf.linalg.cholesky_solve`)."""
    half = torch.linalg.solve_triangular(chol, rhs, upper=False)
    return torch.linalg.solve_triangular(_adjoint(chol), half, upper=True)


_Qr = collections.namedtuple("Qr", ["q", "r"])


@op("Qr", half=False)
def qr(input: Matrix, full_matrices=False):
    """Orthogonal Q and upper triangular R with Q R = input (source: `tf.linalg.qr`).

    Args:
        input: matrices [..., m, n].
        full_matrices: whether Q is square.

    Returns:
        A named tuple `q`, `r`.
    """
    return _Qr(*torch.linalg.qr(_matrix(input), mode="complete" if full_matrices else "reduced"))


@op("Svd", half=False)
def _svd(tensor: Matrix, full_matrices) -> tuple[U, Matrix, Matrix]:
    u, s, vh = torch.linalg.svd(_matrix(tensor), full_matrices=full_matrices)
    return s, u, _adjoint(vh)


@op("Svd", half=False)
def _singular_values(tensor: Matrix) -> U:
    return torch.linalg.svdvals(_matrix(tensor))


def svd(tensor, full_matrices=False, compute_uv=True, name=None):
    """Singular values and vectors: tensor = U diag(S) V^H (source: `tf.linalg.svd`).

    Args:
        tensor: matrices [..., m, n].
        full_matrices: whether U and V are square.
        compute_uv: whether to return U and V.

    Returns:
        A tuple S, U, V, or S alone. S is in descending order.
    """
    if not compute_uv:
        return _singular_values(tensor, name)
    return tuple(_svd(tensor, full_matrices, name))


@op("SelfAdjointEigV2", half=False)
def _eigh(tensor: Matrix) -> tuple[U, Matrix]:
    lower = torch.tril(_square(tensor))  # the gradient is that of the lower triangle
    return tuple(torch.linalg.eigh(lower + _adjoint(torch.tril(tensor, -1)), UPLO="L"))


def _with_input_type(values, tensor):
    """TensorFlow gives even real eigenvalues in the type of the matrix."""
    kind = convert_to_tensor(tensor).dtype
    return cast(values, kind)


def eigh(tensor, name=None):
    """Eigenvalues, ascending, and eigenvectors of self-adjoint matrices
    (source: `tf.linalg.eigh`).

    Only the lower triangle is read.
    """
    values, vectors = _eigh(tensor, name)
    return _with_input_type(values, tensor), vectors


def eigvalsh(tensor, name=None):
    """The eigenvalues of self-adjoint matrices, ascending (source: `tf.linalg.eigvalsh`)."""
    return _with_input_type(_eigh(tensor, name)[0], tensor)


@op("Eig")
def _eig(tensor: Matrix2) -> tuple[Complex, Complex]:
    return tuple(torch.linalg.eig(_square(tensor)))


def eig(tensor, name=None):
    """Complex eigenvalues and eigenvectors of square matrices (source: `tf.linalg.eig`)."""
    return tuple(_eig(tensor, name))


def eigvals(tensor, name=None):
    """The complex eigenvalues of square matrices (source: `tf.linalg.eigvals`)."""
    return _eig(tensor, name)[0]


_Lu = collections.namedtuple("Lu", ["lu", "p"])


@op("Lu", half=False)
def _lu(input: Matrix, to) -> tuple[Matrix, Index]:
    packed, pivots = torch.linalg.lu_factor(_square(input))
    order, _, _ = torch.lu_unpack(packed, pivots, unpack_data=False)
    return _Lu(packed, order.abs().argmax(-2).to(to))


def lu(input, output_idx_type=dtypes.int32, name=None):
    """The factors of P^-1 L U = input, L and U packed in one matrix (source: `tf.linalg.lu`).

    Args:
        input: square matrices.
        output_idx_type: the type of the permutation.

    Returns:
        A named tuple `lu`, `p`: row i of L U is row p[i] of the input.

    Raises:
        InvalidArgumentError: if a matrix is not square.
    """
    return _lu(input, dtypes.as_dtype(output_idx_type).torch, name)


def _check_permutation(lower_upper, perm, validate_args):
    """Raises if the factors are no valid output of `lu`."""
    if validate_args:
        _square(raw(lower_upper))
        p = raw(perm)
        if not is_fake(p) and not bool(
            (p.sort(-1).values == torch.arange(p.shape[-1], dtype=p.dtype)).all()
        ):
            raise errors.InvalidArgumentError(None, None, "`perm` is not a permutation")


@op("LuReconstruct")
def _lu_reconstruct(lower_upper: Matrix, perm: Index) -> Matrix:
    lower = torch.tril(lower_upper, -1) + torch.eye(
        lower_upper.shape[-1], dtype=lower_upper.dtype, device=lower_upper.device
    )
    product = lower @ torch.triu(lower_upper)
    inverse = torch.argsort(perm, -1).unsqueeze(-1).expand(product.shape)
    return torch.gather(product, -2, inverse)


def lu_reconstruct(lower_upper, perm, validate_args=False, name=None):
    """The matrices that `lu` factored (source: `tf.linalg.lu_reconstruct`)."""
    _check_permutation(lower_upper, perm, validate_args)
    return _lu_reconstruct(lower_upper, perm, name)


@op("LuSolve")
def _lu_solve(lower_upper: Matrix, perm: Index, rhs: Matrix) -> Matrix:
    index = perm.to(torch.int64).unsqueeze(-1)
    batch = torch.broadcast_shapes(index.shape[:-2], rhs.shape[:-2])
    rhs = rhs.expand(*batch, *rhs.shape[-2:])
    ordered = torch.gather(rhs, -2, index.expand(rhs.shape))
    half = torch.linalg.solve_triangular(lower_upper, ordered, upper=False, unitriangular=True)
    return torch.linalg.solve_triangular(lower_upper, half, upper=True)


def lu_solve(lower_upper, perm, rhs, validate_args=False, name=None):
    """Solves A X = rhs, given what `lu(A)` returned (source: `tf.linalg.lu_solve`)."""
    _check_permutation(lower_upper, perm, validate_args)
    return _lu_solve(lower_upper, perm, rhs, name)


def lu_matrix_inverse(lower_upper, perm, validate_args=False, name=None):
    """The inverse of the matrices that `lu` factored (source: `tf.linalg.lu_matrix_inverse`)."""
    lower_upper = convert_to_tensor(lower_upper)
    one = torch.eye(lower_upper._data.shape[-1], dtype=lower_upper._data.dtype)
    return lu_solve(lower_upper, perm, wrap(one), validate_args, name)
