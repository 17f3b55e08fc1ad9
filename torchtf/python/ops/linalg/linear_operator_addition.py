"""`tensorflow.python.ops.linalg.linear_operator_addition`: sums of operators."""

from __future__ import annotations

import functools

from torchtf import linalg

_SCALED = (linalg.LinearOperatorIdentity, linalg.LinearOperatorScaledIdentity)
_DIAGONAL = (*_SCALED, linalg.LinearOperatorDiag)
_TRIANGULAR = (*_DIAGONAL, linalg.LinearOperatorLowerTriangular)


def add_operators(operators, operator_name=None, addition_tiers=None, name=None) -> list:
    """The sum of operators, as the most special kind of operator that can hold it.

    Args:
        operators: a list of `tf.linalg.LinearOperator`s of the same dtype and matrix sizes, with
            batch shapes that broadcast.
        operator_name: of the sum.
        addition_tiers: only None, which is the order scaled identity, diagonal, lower triangular,
            full matrix.
        name: a name for the op.

    Returns:
        A list of one operator.

    Raises:
        ValueError: if there are no operators, or their matrix sizes differ.
        TypeError: if one is no operator.
    """
    if addition_tiers is not None:
        raise NotImplementedError(
            "add_operators(addition_tiers=...) is not supported: leave it out"
        )
    operators = list(operators)
    if not operators:
        raise ValueError(
            f"Argument `operators` must contain at least one operator. Received: {operators}."
        )
    if not all(isinstance(o, linalg.LinearOperator) for o in operators):
        raise TypeError(
            "Argument `operators` must contain only LinearOperator instances. "
            f"Received: {operators}."
        )
    if not all(o.shape[-2:].is_compatible_with(operators[0].shape[-2:]) for o in operators):
        raise ValueError(f"The sizes of the matrices differ. Received: {operators}.")
    return [functools.reduce(functools.partial(_add, operator_name), operators)]


def _add(name, a, b):
    """The sum of two operators.

    What is known of both being definite, self-adjoint or regular is known of the sum, too, where
    it follows.
    """
    definite = (a.is_positive_definite and b.is_positive_definite) or None
    hints = {
        "is_non_singular": definite,
        "is_self_adjoint": (a.is_self_adjoint and b.is_self_adjoint) or None,
        "is_positive_definite": definite,
        "name": name or f"Add/{a.name}__{b.name}/",
    }
    if isinstance(a, _SCALED) and isinstance(b, _SCALED):
        multiplier = _multiplier(a) + _multiplier(b)
        rows = a.domain_dimension_tensor()
        return linalg.LinearOperatorScaledIdentity(rows, multiplier, **hints)
    if isinstance(a, _DIAGONAL) and isinstance(b, _DIAGONAL):
        return linalg.LinearOperatorDiag(a.diag_part() + b.diag_part(), **hints)
    dense, other = (b, a) if isinstance(a, _TRIANGULAR) else (a, b)
    total = other.add_to_tensor(dense.to_dense())
    if isinstance(a, _TRIANGULAR) and isinstance(b, _TRIANGULAR):
        return linalg.LinearOperatorLowerTriangular(total, **hints)
    return linalg.LinearOperatorFullMatrix(total, **hints)


def _multiplier(operator):
    """What an identity is multiplied by, in the shape of its batch."""
    if isinstance(operator, linalg.LinearOperatorScaledIdentity):
        return operator.multiplier
    return operator.diag_part()[..., 0]
