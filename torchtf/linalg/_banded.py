"""Tridiagonal and banded matrices."""

from __future__ import annotations

import torch

from torchtf.core.convert import convert_to_tensor, raw, to_shape
from torchtf.core.op import op
from torchtf.core.tensor import wrap
from torchtf.linalg._checks import _adjoint
from torchtf.linalg._factors import _eigh
from torchtf.linalg._solving import _singular

_FORMATS = ("compact", "matrix", "sequence")


def _diagonal_parts(diagonals, form) -> list:
    """What holds the diagonals: one tensor, or three."""
    if form not in _FORMATS:
        raise ValueError(
            f"Expected diagonals_format to be one of {', '.join(_FORMATS)}, got {form}"
        )
    return list(diagonals) if form == "sequence" else [diagonals]


def _three_diagonals(parts, form):
    """The superdiagonal, diagonal and subdiagonal of tridiagonal matrices [..., n, n]."""
    if form == "compact":
        (d,) = parts
        return d[..., 0, :-1], d[..., 1, :], d[..., 2, 1:]
    if form == "matrix":
        return tuple(torch.diagonal(parts[0], k, -2, -1) for k in (1, 0, -1))
    upper, main, lower = parts
    n = main.shape[-1]
    upper = upper[..., :-1] if upper.shape[-1] == n else upper
    return upper, main, lower[..., 1:] if lower.shape[-1] == n else lower


@op("TridiagonalMatMul")
def _tridiagonal_matmul(diagonals: list[Matrix2], rhs: Matrix2, form):
    upper, main, lower = _three_diagonals(diagonals, form)
    zero = torch.zeros_like(rhs[..., :1, :])
    above = torch.cat([rhs[..., 1:, :] * upper.unsqueeze(-1), zero], -2)
    below = torch.cat([zero, rhs[..., :-1, :] * lower.unsqueeze(-1)], -2)
    return above + rhs * main.unsqueeze(-1) + below


def tridiagonal_matmul(diagonals, rhs, diagonals_format="compact", name=None):
    """Multiplies tridiagonal matrices by matrices (source: `tf.linalg.tridiagonal_matmul`).

    Args:
        diagonals: the superdiagonal, diagonal and subdiagonal: "compact", a tensor [..., 3, n];
            "sequence", a list of three; "matrix", a tensor [..., n, n].
        rhs: matrices [..., n, k].
        diagonals_format: which of these it is.

    Raises:
        ValueError: if the format is unknown.
    """
    parts = _diagonal_parts(diagonals, diagonals_format)
    return _tridiagonal_matmul(parts, rhs, diagonals_format, name)


@op("TridiagonalSolve")
def _tridiagonal_solve(diagonals: list[Matrix2], rhs: Matrix2, form, transpose, conjugate):
    upper, main, lower = _three_diagonals(diagonals, form)
    vector = rhs.dim() == main.dim()
    if vector:
        rhs = rhs.unsqueeze(-1)
    elif transpose:
        rhs = rhs.transpose(-1, -2)
    rhs = rhs.conj() if conjugate else rhs
    dense = torch.diag_embed(main) + torch.diag_embed(upper, 1) + torch.diag_embed(lower, -1)
    try:
        result = torch.linalg.solve(dense, rhs)
    except torch.linalg.LinAlgError as e:
        raise _singular(e) from None
    return result.squeeze(-1) if vector else result


def tridiagonal_solve(
    diagonals,
    rhs,
    diagonals_format="compact",
    transpose_rhs=False,
    conjugate_rhs=False,
    name=None,
    partial_pivoting=True,
    perturb_singular=False,
):
    """Solves with tridiagonal matrices (source: `tf.linalg.tridiagonal_solve`).

    Args:
        diagonals, diagonals_format: as for `tridiagonal_matmul`.
        rhs: right-hand sides [..., n] or [..., n, k].
        transpose_rhs, conjugate_rhs: what is done to `rhs` first.
        partial_pivoting: whether to exchange rows for precision; it is always done.
        perturb_singular: not supported.

    Raises:
        InvalidArgumentError: if a matrix is not invertible.
        ValueError: if the format is unknown.
    """
    if perturb_singular:
        raise NotImplementedError(
            "tridiagonal_solve(perturb_singular=True) is not supported; add a small diagonal first"
        )
    parts = _diagonal_parts(diagonals, diagonals_format)
    return _tridiagonal_solve(parts, rhs, diagonals_format, transpose_rhs, conjugate_rhs, name)


@op("BandedTriangularSolve", half=False)
def _banded_triangular_solve(bands: Matrix, rhs: Matrix, lower, adjoint):
    count, n = bands.shape[-2:]
    dense = torch.zeros((*bands.shape[:-2], n, n), dtype=bands.dtype, device=bands.device)
    for k in range(count):
        if lower:  # row k holds the k-th subdiagonal, padded at the left
            dense = dense + torch.diag_embed(bands[..., k, k:], -k)
        else:  # the highest superdiagonal comes first, padded at the right
            above = count - 1 - k
            dense = dense + torch.diag_embed(bands[..., k, : n - above], above)
    if adjoint:
        return torch.linalg.solve_triangular(_adjoint(dense), rhs, upper=lower)
    return torch.linalg.solve_triangular(dense, rhs, upper=not lower)


def banded_triangular_solve(bands, rhs, lower=True, adjoint=False, name=None):
    """Solves with triangular matrices given by their diagonals
    (source: `tf.linalg.banded_triangular_solve`).

    Args:
        bands: the diagonals [..., k, n]: of lower triangles the main one first, of upper ones last.
        rhs: right-hand sides [..., n, m].
        lower: whether the matrices are lower triangular.
        adjoint: whether to solve with the adjoint matrices.
    """
    return _banded_triangular_solve(bands, rhs, lower, adjoint, name)


def eigh_tridiagonal(
    alpha, beta, eigvals_only=True, select="a", select_range=None, tol=None, name=None
):
    """Eigenvalues of self-adjoint tridiagonal matrices (source: `tf.linalg.eigh_tridiagonal`).

    Args:
        alpha: the diagonals [n].
        beta: the superdiagonals [n - 1].
        eigvals_only: whether to leave out the eigenvectors.
        select: "a" all; "v" those in the half-open interval `select_range`; "i" those with the
            indices from select_range[0] to select_range[1].
        select_range: see `select`.
        tol: the precision asked for; the result is as exact as the type allows.

    Returns:
        The eigenvalues, ascending, and eigenvectors if asked for.
    """
    alpha = convert_to_tensor(alpha)
    beta = convert_to_tensor(beta, dtype=alpha.dtype)
    a, b = raw(alpha), raw(beta)
    dense = torch.diag_embed(a) + torch.diag_embed(b.conj(), -1)
    values, vectors = _eigh(wrap(dense))
    values, vectors = raw(values), raw(vectors)
    if select == "i":
        low, high = to_shape(select_range)
        if low > high:
            raise ValueError("Got empty index range in select_range.")
        values, vectors = values[low : high + 1], vectors[:, low : high + 1]
    elif select == "v":
        low, high = (float(convert_to_tensor(v)) for v in select_range)
        if low >= high:
            raise ValueError("Got empty interval in select_range.")
        chosen = ((values > low) & (values <= high)).nonzero().squeeze(1)
        values, vectors = values[chosen], vectors[:, chosen]
    elif select != "a":
        raise ValueError("`select must have a value in {'a', 'i', 'v'}.")
    return wrap(values) if eigvals_only else (wrap(values), wrap(vectors))
