"""Operators made of one other: its adjoint, its inverse."""

from __future__ import annotations

from torchtf import array_ops, linalg, math
from torchtf.linalg._operator import _hints
from torchtf.linalg._operator._base import LinearOperator, records_parameters


class _Derived(LinearOperator):
    _tensor_fields = {"operator": 0}

    def _set_operator(self, operator, what, suffix, name, **hints):
        self._operator = operator
        super().__init__(
            operator.dtype, name=name or f"{operator.name}_{suffix}",
            **_hints.shared(operator, hints, what),
        )  # fmt: skip

    @property
    def operator(self) -> LinearOperator:
        return self._operator

    def _assert_non_singular(self):
        return self.operator.assert_non_singular()

    def _assert_positive_definite(self):
        return self.operator.assert_positive_definite()

    def _assert_self_adjoint(self):
        return self.operator.assert_self_adjoint()

    def _cond(self):
        return self.operator.cond()


@records_parameters
class LinearOperatorAdjoint(_Derived):
    """The adjoint of an operator (source: `tf.linalg.LinearOperatorAdjoint`).

    Args:
        operator: the operator.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        ValueError: if a hint contradicts that of the operator.
    """

    def __init__(
        self, operator, is_non_singular=None, is_self_adjoint=None, is_positive_definite=None,
        is_square=None, name=None,
    ):  # fmt: skip
        self._set_operator(
            operator, "adjoint", "adjoint", name, is_square=is_square,
            is_non_singular=is_non_singular, is_self_adjoint=is_self_adjoint,
            is_positive_definite=is_positive_definite,
        )  # fmt: skip

    def _adjoint(self):
        return self.operator

    def _shape(self):
        shape = self.operator.shape
        return shape[:-2].concatenate([shape[-1], shape[-2]])

    def _shape_tensor(self):
        shape = self.operator.shape_tensor()
        return array_ops.concat([shape[:-2], [shape[-1], shape[-2]]], 0)

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        return self.operator.matmul(x, adjoint=not adjoint, adjoint_arg=adjoint_arg)

    def _matvec(self, x, adjoint=False):
        return self.operator.matvec(x, adjoint=not adjoint)

    def _solve(self, rhs, adjoint=False, adjoint_arg=False):
        return self.operator.solve(rhs, adjoint=not adjoint, adjoint_arg=adjoint_arg)

    def _solvevec(self, rhs, adjoint=False):
        return self.operator.solvevec(rhs, adjoint=not adjoint)

    def _conjugated(self, value):
        return value if self.is_self_adjoint else math.conj(value)

    def _determinant(self):
        return self._conjugated(self.operator.determinant())

    def _log_abs_determinant(self):
        return self.operator.log_abs_determinant()

    def _trace(self):
        return self._conjugated(self.operator.trace())

    def _to_dense(self):
        dense = self.operator.to_dense()
        return dense if self.is_self_adjoint else linalg.adjoint(dense)

    def _eigvals(self):
        return self._conjugated(self.operator.eigvals())


@records_parameters
class LinearOperatorInversion(_Derived):
    """The inverse of an operator (source: `tf.linalg.LinearOperatorInversion`).

    Args:
        operator: the operator.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        ValueError: if the operator is singular or not square by its hints or the given ones, or if
            a hint contradicts that of the operator.
    """

    def __init__(
        self, operator, is_non_singular=None, is_self_adjoint=None, is_positive_definite=None,
        is_square=None, name=None,
    ):  # fmt: skip
        for key, hint in (("is_non_singular", is_non_singular), ("is_square", is_square)):
            if getattr(operator, key) is False or hint is False:
                raise ValueError(
                    f"Argument `{key}` or argument `operator` must have supplied hint `{key}` "
                    f"equal to `True` or `None`. Found `operator.{key}`: "
                    f"{getattr(operator, key)}, `{key}`: {hint}."
                )
        self._set_operator(
            operator, "inverse", "inv", name, is_square=is_square,
            is_non_singular=is_non_singular, is_self_adjoint=is_self_adjoint,
            is_positive_definite=is_positive_definite,
        )  # fmt: skip

    def _inverse(self):
        return self.operator

    def _solved(self, right):
        return self.operator.matmul(right)

    def _shape(self):
        return self.operator.shape

    def _shape_tensor(self):
        return self.operator.shape_tensor()

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        return self.operator.solve(x, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def _solve(self, rhs, adjoint=False, adjoint_arg=False):
        return self.operator.matmul(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def _determinant(self):
        return 1.0 / self.operator.determinant()

    def _log_abs_determinant(self):
        return -1.0 * self.operator.log_abs_determinant()

    def _eigvals(self):
        return 1.0 / self.operator.eigvals()
