"""Checks that the ops on matrices share."""

from __future__ import annotations

from torchtf.core import errors


def _matrix(x):
    if x.dim() < 2:
        raise errors.InvalidArgumentError(
            None, None, f"Input tensor 0 must have rank >= 2, got {x.dim()}"
        )
    return x


def _square(x):
    _matrix(x)
    rows, columns = x.shape[-2:]
    if isinstance(rows, int) and isinstance(columns, int) and rows != columns:
        raise errors.InvalidArgumentError(None, None, "Input matrix must be square.")
    return x


def _pair(matrix, rhs):
    """Checks a matrix and right-hand sides; broadcasts their batches."""
    _matrix(matrix), _matrix(rhs)
    a, b = matrix.shape[-2], rhs.shape[-2]
    if isinstance(a, int) and isinstance(b, int) and a != b:
        raise errors.InvalidArgumentError(
            None, None,
            "Input matrix and rhs are incompatible.",
        )  # fmt: skip


def _adjoint(x):
    swapped = x.transpose(-1, -2)
    return swapped.conj().resolve_conj() if x.is_complex() else swapped
