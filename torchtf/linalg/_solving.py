"""Inverses and systems of linear equations."""

from __future__ import annotations

import torch

from torchtf.core import errors
from torchtf.core.op import op
from torchtf.linalg._checks import _adjoint, _pair, _square


def _singular():
    return errors.InvalidArgumentError(None, None, "Input is not invertible.")


@op("MatrixInverse", half=False)
def inv(input: Matrix, adjoint=False):
    """The inverse of square matrices (source: `tf.linalg.inv`).

    Args:
        input: square matrices.
        adjoint: whether to return the adjoint of the inverse.

    Raises:
        InvalidArgumentError: if a matrix is not invertible.
    """
    try:
        result = torch.linalg.inv(_square(input))
    except torch.linalg.LinAlgError:
        raise _singular() from None
    return _adjoint(result) if adjoint else result


@op("MatrixSolve", half=False)
def solve(matrix: Matrix, rhs: Matrix, adjoint=False):
    """Solves matrix X = rhs (source: `tf.linalg.solve`).

    Args:
        matrix: square matrices [..., m, m].
        rhs: right-hand sides [..., m, k].
        adjoint: whether to solve with the adjoint matrices.

    Raises:
        InvalidArgumentError: if a matrix is not invertible or the shapes do not fit.
    """
    _square(matrix)
    _pair(matrix, rhs)
    try:
        return torch.linalg.solve(_adjoint(matrix) if adjoint else matrix, rhs)
    except torch.linalg.LinAlgError:
        raise _singular() from None


@op("MatrixTriangularSolve", half=False)
def triangular_solve(matrix: FloatComplex, rhs: FloatComplex, lower=True, adjoint=False):
    """Solves matrix X = rhs with triangular matrices (source: `tf.linalg.triangular_solve`).

    Args:
        matrix: square matrices, of which one triangle is read.
        rhs: right-hand sides [..., m, k].
        lower: which triangle.
        adjoint: whether to solve with the adjoint matrices.

    Raises:
        InvalidArgumentError: if the shapes do not fit.
    """
    _square(matrix)
    _pair(matrix, rhs)
    if adjoint:
        return torch.linalg.solve_triangular(_adjoint(matrix), rhs, upper=lower)
    return torch.linalg.solve_triangular(matrix, rhs, upper=not lower)


@op("MatrixSolveLs", half=False)
def _lstsq(matrix: Matrix, rhs: Matrix, regularizer):
    _pair(matrix, rhs)
    rows, columns = matrix.shape[-2:]
    if rows >= columns:
        gram = _adjoint(matrix) @ matrix
        one = torch.eye(columns, dtype=gram.dtype, device=gram.device)
        return torch.linalg.solve(gram + regularizer * one, _adjoint(matrix) @ rhs)
    gram = matrix @ _adjoint(matrix)
    one = torch.eye(rows, dtype=gram.dtype, device=gram.device)
    return _adjoint(matrix) @ torch.linalg.solve(gram + regularizer * one, rhs)


@op("MatrixSolveLs", half=False)
def _lstsq_orthogonal(matrix: Matrix, rhs: Matrix):
    _pair(matrix, rhs)
    return torch.linalg.pinv(matrix) @ rhs


def lstsq(matrix, rhs, l2_regularizer=0.0, fast=True, name=None):
    """Least squares: the X that minimizes |matrix X - rhs|^2 + l2_regularizer |X|^2
    (source: `tf.linalg.lstsq`).

    Args:
        matrix: matrices [..., m, n].
        rhs: right-hand sides [..., m, k].
        l2_regularizer: a number.
        fast: whether to use the normal equations; else a slower way that takes matrices of less
            than full rank and has no regularizer.
    """
    if fast:
        return _lstsq(matrix, rhs, float(l2_regularizer), name)
    return _lstsq_orthogonal(matrix, rhs, name)
