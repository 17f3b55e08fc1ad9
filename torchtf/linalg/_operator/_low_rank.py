"""An operator and an update of low rank."""

from __future__ import annotations

from torchtf import array_ops, linalg, math
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import Dimension
from torchtf.linalg._operator._base import (
    LinearOperator,
    records_parameters,
    solve_broadcast,
    tensor_or_variable,
)
from torchtf.linalg._operator._dense import LinearOperatorDiag
from torchtf.linalg._operator._identity import LinearOperatorIdentity


@records_parameters
class LinearOperatorLowRankUpdate(LinearOperator):
    """L + U D V^H (source: `tf.linalg.LinearOperatorLowRankUpdate`).

    Solving and determinants use the matrix inversion lemma: they cost a few products with L^-1.

    Args:
        base_operator: the operator L [..., m, n].
        u: a tensor [..., m, r] or a variable.
        diag_update: the diagonal [..., r] of D; ones by default.
        v: a tensor [..., n, r]; `u` by default.
        is_diag_update_positive: whether `diag_update` is known to be positive.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        ValueError: if shapes do not fit or a hint is wrong.
    """

    _tensor_fields = {"base_operator": 0, "u": 2, "diag_update": 1, "v": 2}

    def __init__(
        self, base_operator, u, diag_update=None, v=None, is_diag_update_positive=None,
        is_non_singular=None, is_self_adjoint=None, is_positive_definite=None, is_square=None,
        name="LinearOperatorLowRankUpdate",
    ):  # fmt: skip
        dtype = base_operator.dtype
        if diag_update is None:
            if is_diag_update_positive is False:
                raise ValueError(
                    "Default diagonal is the identity, which is positive.  However, user set "
                    "'is_diag_update_positive' to False."
                )
            is_diag_update_positive = True
        self._use_cholesky = (
            base_operator.is_positive_definite
            and base_operator.is_self_adjoint
            and is_diag_update_positive
            and v is None
        )
        if base_operator.is_self_adjoint and v is None and not dtype.is_complex:
            if is_self_adjoint is False:
                raise ValueError(
                    "A = L + UDU^H, with L self-adjoint and D real diagonal.  Since UDU^H is "
                    "self-adjoint, this must be a self-adjoint operator."
                )
            is_self_adjoint = True
        if self._use_cholesky:
            if False in (is_positive_definite, is_self_adjoint, is_non_singular):
                raise ValueError("Arguments imply this is self-adjoint positive-definite operator.")
            is_positive_definite = is_self_adjoint = True
        self._u = tensor_or_variable(u)
        self._v = self._u if v is None else tensor_or_variable(v)
        self._diag_update = tensor_or_variable(diag_update)
        self._base_operator = base_operator
        self._is_diag_update_positive = is_diag_update_positive
        super().__init__(
            dtype, None, is_non_singular, is_self_adjoint, is_positive_definite, is_square, name
        )
        if diag_update is None:
            rank = self._u.shape[-1]
            rank = array_ops.shape(self._u)[-1] if rank is None else rank
            self._diag_operator = LinearOperatorIdentity(rank, dtype=dtype)
        else:
            self._diag_operator = LinearOperatorDiag(
                self._diag_update, is_positive_definite=is_diag_update_positive
            )
        self._check_shapes()

    def _check_shapes(self):
        factors = array_ops.broadcast_static_shape(self.u.shape, self.v.shape)
        batch = array_ops.broadcast_static_shape(self.base_operator.batch_shape, factors[:-2])
        self.base_operator.domain_dimension.assert_is_compatible_with(factors[-2])
        if self._diag_update is not None:
            Dimension(factors[-1]).assert_is_compatible_with(self._diag_update.shape[-1])
            array_ops.broadcast_static_shape(batch, self._diag_update.shape[:-1])

    @property
    def u(self):
        return self._u

    @property
    def v(self):
        return self._v

    @property
    def is_diag_update_positive(self):
        return self._is_diag_update_positive

    @property
    def diag_update(self):
        return self._diag_update

    @property
    def diag_operator(self) -> LinearOperator:
        """D."""
        return self._diag_operator

    @property
    def base_operator(self) -> LinearOperator:
        """L."""
        return self._base_operator

    def _assert_self_adjoint(self):
        if self.u is self.v and self.diag_update is None:
            return self.base_operator.assert_self_adjoint()
        return super()._assert_self_adjoint()

    def _shape(self):
        batch = self.base_operator.batch_shape
        for other in (
            self.diag_operator.batch_shape, self.u.shape[:-2], self.v.shape[:-2]
        ):  # fmt: skip
            batch = array_ops.broadcast_static_shape(batch, other)
        return batch.concatenate(self.base_operator.shape[-2:])

    def _shape_tensor(self):
        batch = self.base_operator.batch_shape_tensor()
        for other in (
            self.diag_operator.batch_shape_tensor(),
            array_ops.shape(self.u)[:-2],
            array_ops.shape(self.v)[:-2],
        ):
            batch = array_ops.broadcast_dynamic_shape(batch, other)
        return array_ops.concat([batch, self.base_operator.shape_tensor()[-2:]], 0)

    def _factors(self, adjoint=False):
        u = convert_to_tensor(self.u)
        v = u if self.v is self.u else convert_to_tensor(self.v)
        return (v, u) if adjoint else (u, v)

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        u, v = self._factors(adjoint)
        leading = self.base_operator.matmul(x, adjoint=adjoint, adjoint_arg=adjoint_arg)
        inner = math.matmul(v, x, adjoint_a=True, adjoint_b=adjoint_arg)
        return leading + math.matmul(u, self.diag_operator.matmul(inner, adjoint=adjoint))

    def _capacitance(self, u, v):
        """D^-1 + V^H L^-1 U."""
        inner = math.matmul(v, self.base_operator.solve(u), adjoint_a=True)
        return self._diag_operator.inverse().add_to_tensor(inner)

    def _solve(self, rhs, adjoint=False, adjoint_arg=False):
        if self.base_operator.is_non_singular is False:
            raise ValueError(
                "Solve not implemented unless this is a perturbation of a non-singular "
                "LinearOperator."
            )
        base = self.base_operator
        capacitance = self._capacitance(*self._factors())
        u, v = self._factors(adjoint)
        first = base.solve(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)
        inner = math.matmul(v, first, adjoint_a=True)
        if self._use_cholesky:
            inner = linalg.cholesky_solve(linalg.cholesky(capacitance), inner)
        else:
            inner = solve_broadcast(capacitance, inner, adjoint)
        return first - base.solve(math.matmul(u, inner), adjoint=adjoint)

    def _determinant(self):
        if self.is_positive_definite:
            return math.exp(self.log_abs_determinant())
        return (
            linalg.det(self._capacitance(*self._factors()))
            * self.diag_operator.determinant()
            * self.base_operator.determinant()
        )

    def _log_abs_determinant(self):
        capacitance = self._capacitance(*self._factors())
        if self._use_cholesky:
            diag = linalg.diag_part(linalg.cholesky(capacitance))
            inner = 2 * math.reduce_sum(math.log(diag), -1)
        else:
            inner = math.cast(math.log(math.abs(linalg.det(capacitance))), self.dtype)
        return (
            inner
            + self.diag_operator.log_abs_determinant()
            + self.base_operator.log_abs_determinant()
        )

    def _diag_part(self):
        u, v = self._factors()
        product = u * math.conj(v)
        if self.diag_update is not None:
            product = product * array_ops.expand_dims(self.diag_update, -2)
        return math.reduce_sum(product, -1) + self.base_operator.diag_part()
