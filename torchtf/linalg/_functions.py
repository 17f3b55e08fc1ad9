"""Functions of matrices: determinants, exponentials, pseudo-inverses, ranks."""

from __future__ import annotations

import collections

import numpy as np
import torch

from torchtf.core.convert import convert_to_tensor, raw
from torchtf.core.op import op
from torchtf.core.tensor import wrap
from torchtf.linalg._checks import _adjoint, _matrix, _square
from torchtf.linalg._factors import _cholesky_or_nan, _singular_values


@op("MatrixDeterminant", half=False)
def det(input: Matrix):
    """The determinant of square matrices (source: `tf.linalg.det`)."""
    return torch.linalg.det(_square(input))


_LogDet = collections.namedtuple("LogMatrixDeterminant", ["sign", "log_abs_determinant"])


@op("LogMatrixDeterminant", half=False)
def _slogdet(input: Matrix):
    sign, log = torch.linalg.slogdet(_square(input))
    return _LogDet(sign, log.to(input.dtype))


def slogdet(input, name=None):
    """Sign and logarithm of the absolute value of the determinant (source: `tf.linalg.slogdet`).

    Returns:
        A named tuple `sign`, `log_abs_determinant`.
    """
    return _slogdet(input, name)


@op("Logdet", half=False)
def logdet(matrix: Matrix):
    """The logarithm of the determinant of positive definite matrices
    (source: `tf.linalg.logdet`); NaN for others.
    """
    factor = _cholesky_or_nan(matrix)
    return 2 * torch.log(torch.diagonal(factor, 0, -2, -1).real).sum(-1).to(matrix.dtype)


@op("MatrixExponential", half=False)
def expm(input: Matrix):
    """The exponential of square matrices (source: `tf.linalg.expm`)."""
    return torch.linalg.matrix_exp(_square(input))


@op("MatrixLogarithm")
def logm(input: Complex):
    """The logarithm of square complex matrices (source: `tf.linalg.logm`)."""
    return _of_eigenvalues(torch.log, _square(input))


@op("MatrixSquareRoot", half=False)
def sqrtm(input: Matrix):
    """The principal square root of square matrices (source: `tf.linalg.sqrtm`)."""
    root = _of_eigenvalues(torch.sqrt, _square(input))
    return root if input.is_complex() else root.real.contiguous()


def _of_eigenvalues(function, x):
    """A function of diagonalizable matrices."""
    values, vectors = torch.linalg.eig(x)
    scaled = vectors * function(values).unsqueeze(-2)
    return torch.linalg.solve(vectors.mT, scaled.mT).mT


@op("Pinv", half=False)
def _pinv(a: Matrix, rcond: U):
    u, s, vh = torch.linalg.svd(_matrix(a), full_matrices=False)
    cutoff = rcond.unsqueeze(-1) * s.amax(-1, keepdim=True)
    inverse = torch.where(s > cutoff, 1 / torch.where(s > cutoff, s, 1), 0).to(a.dtype)
    return (_adjoint(vh) * inverse.unsqueeze(-2)) @ _adjoint(u)


def pinv(a, rcond=None, validate_args=False, name=None):
    """The Moore-Penrose inverse (source: `tf.linalg.pinv`).

    Args:
        a: real matrices [..., m, n].
        rcond: singular values below this times the largest count as zero; by default ten times
            the larger size times the machine precision.
        validate_args: whether to check the rank of `a` first; a wrong one raises in any case.

    Raises:
        TypeError: if the matrices are not floating.
    """
    a = convert_to_tensor(a)
    if not a.dtype.is_floating:
        raise TypeError(f"Input `a` must have `float`-like `dtype` (saw {a.dtype.name}).")
    if a.ndim < 2:
        raise ValueError(f"Input `a` must have at least 2 dimensions (saw: {a.ndim}).")
    if rcond is None:
        rcond = 10.0 * max(a.shape[-2:]) * np.finfo(a.dtype.as_numpy_dtype).eps
    return _pinv(a, convert_to_tensor(rcond, dtype=a.dtype), name)


def matrix_rank(a, tol=None, validate_args=False, name=None):
    """The number of singular values above a tolerance (source: `tf.linalg.matrix_rank`).

    Args:
        a: real matrices [..., m, n].
        tol: the tolerance; by default the larger size times the machine precision times the
            largest singular value.
        validate_args: whether to check the rank of `a` first; a wrong one raises in any case.

    Returns:
        int32 numbers of shape [...].
    """
    a = convert_to_tensor(a)
    if not a.dtype.is_floating:
        raise TypeError(f"Input `a` must have `float`-like `dtype` (saw {a.dtype.name}).")
    s = raw(_singular_values(a))
    if tol is None:
        size = max(x for x in a.shape[-2:])
        limit = np.finfo(a.dtype.as_numpy_dtype).eps * size * s.amax(-1, keepdim=True)
    else:
        limit = raw(convert_to_tensor(tol, dtype=a.dtype))
    return wrap((s > limit).sum(-1).to(torch.int32))
