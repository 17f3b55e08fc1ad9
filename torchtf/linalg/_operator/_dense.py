"""Operators that hold their matrix, and diagonal ones."""

from __future__ import annotations

from torchtf import array_ops, debugging, linalg, math
from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor
from torchtf.linalg._operator import _hints
from torchtf.linalg._operator._base import (
    LinearOperator,
    assert_no_zeros,
    assert_real,
    records_parameters,
    tensor_or_variable,
)

_MATRIX_DTYPES = (
    dtypes.float16, dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128,
)  # fmt: skip


@records_parameters
class LinearOperatorFullMatrix(LinearOperator):
    """A dense matrix (source: `tf.linalg.LinearOperatorFullMatrix`).

    Args:
        matrix: a tensor [..., m, n] of floating or complex numbers, or a variable.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        TypeError: for another type.
        ValueError: for fewer than two axes.
    """

    _tensor_fields = {"matrix": 2}

    def __init__(
        self, matrix, is_non_singular=None, is_self_adjoint=None, is_positive_definite=None,
        is_square=None, name="LinearOperatorFullMatrix",
    ):  # fmt: skip
        self._matrix = tensor_or_variable(matrix)
        if self._matrix.dtype not in _MATRIX_DTYPES:
            raise TypeError(
                f"Argument `matrix` must have dtype in {list(_MATRIX_DTYPES)}. "
                f"Received: {self._matrix.dtype}."
            )
        if self._matrix.shape.rank < 2:
            raise ValueError(
                f"Argument `matrix` must have at least 2 dimensions. Received: {self._matrix}."
            )
        super().__init__(
            self._matrix.dtype, None, is_non_singular, is_self_adjoint, is_positive_definite,
            is_square, name,
        )  # fmt: skip

    @property
    def matrix(self):
        return self._matrix

    def _shape(self):
        return self._matrix.shape

    def _shape_tensor(self):
        return array_ops.shape(self._matrix)

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        return math.matmul(self._matrix, x, adjoint_a=adjoint, adjoint_b=adjoint_arg)

    def _to_dense(self):
        return convert_to_tensor(self._matrix)


@records_parameters
class LinearOperatorLowerTriangular(LinearOperator):
    """The lower triangle of a matrix (source: `tf.linalg.LinearOperatorLowerTriangular`).

    Args:
        tril: a tensor [..., n, n], of which the lower triangle is read, or a variable.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        ValueError: for fewer than two axes.
    """

    _tensor_fields = {"tril": 2}

    def __init__(
        self, tril, is_non_singular=None, is_self_adjoint=None, is_positive_definite=None,
        is_square=None, name="LinearOperatorLowerTriangular",
    ):  # fmt: skip
        if is_square is False:
            raise ValueError("Only square lower triangular operators supported at this time.")
        self._tril = tensor_or_variable(tril)
        if self._tril.shape.rank < 2:
            raise ValueError(f"Argument tril must have at least 2 dimensions.  Found: {self._tril}")
        super().__init__(
            self._tril.dtype, None, is_non_singular, is_self_adjoint, is_positive_definite, True,
            name,
        )  # fmt: skip

    @property
    def tril(self):
        return self._tril

    def _shape(self):
        return self._tril.shape

    def _shape_tensor(self):
        return array_ops.shape(self._tril)

    def _assert_non_singular(self):
        return assert_no_zeros(
            self._diag_part(), "Singular operator:  Diagonal contained zero values."
        )

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        return math.matmul(self._to_dense(), x, adjoint_a=adjoint, adjoint_b=adjoint_arg)

    def _times(self, right):
        if isinstance(right, LinearOperatorDiag):
            return LinearOperatorLowerTriangular(
                self.to_dense() * right.diag[..., None, :],
                is_non_singular=_hints.non_singular(right, self),
                is_self_adjoint=_hints.self_adjoint_if_commuting(right, self),
                is_square=True,
            )
        return super()._times(right)

    def _determinant(self):
        return math.reduce_prod(self._diag_part(), -1)

    def _log_abs_determinant(self):
        return math.reduce_sum(math.log(math.abs(self._diag_part())), -1)

    def _solve(self, rhs, adjoint=False, adjoint_arg=False):
        rhs = linalg.adjoint(rhs) if adjoint_arg else rhs
        return linalg.triangular_solve(self._to_dense(), rhs, lower=True, adjoint=adjoint)

    def _to_dense(self):
        return linalg.band_part(self._tril, -1, 0)

    def _diag_part(self):
        return linalg.diag_part(self._tril)

    _eigvals = _diag_part


@records_parameters
class LinearOperatorDiag(LinearOperator):
    """A diagonal matrix (source: `tf.linalg.LinearOperatorDiag`).

    Args:
        diag: a tensor [..., n] or a variable.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        ValueError: for a scalar, or if a hint is wrong of every such matrix.
    """

    _tensor_fields = {"diag": 1}

    def __init__(
        self, diag, is_non_singular=None, is_self_adjoint=None, is_positive_definite=None,
        is_square=None, name="LinearOperatorDiag",
    ):  # fmt: skip
        self._diag = tensor_or_variable(diag)
        if self._diag.shape.rank < 1:
            raise ValueError(f"Argument diag must have at least 1 dimension.  Found: {self._diag}")
        if not self._diag.dtype.is_complex:
            if is_self_adjoint is False:
                raise ValueError("A real diagonal operator is always self adjoint.")
            is_self_adjoint = True
        if is_square is False:
            raise ValueError("Only square diagonal operators currently supported.")
        super().__init__(
            self._diag.dtype, None, is_non_singular, is_self_adjoint, is_positive_definite, True,
            name,
        )  # fmt: skip

    @property
    def diag(self):
        return self._diag

    def _shape(self):
        shape = self._diag.shape
        return shape.concatenate(shape[-1:])

    def _shape_tensor(self):
        shape = array_ops.shape(self._diag)
        return array_ops.concat([shape, shape[-1:]], 0)

    def _assert_non_singular(self):
        return assert_no_zeros(self._diag, "Singular operator:  Diagonal contained zero values.")

    def _assert_positive_definite(self):
        if self.dtype.is_complex:
            message = "Diagonal operator had diagonal entries with non-positive real part"
        else:
            message = "Real diagonal operator had non-positive diagonal entries"
        return debugging.assert_positive(
            math.real(self._diag), message=f"{message}, thus was not positive definite."
        )

    def _assert_self_adjoint(self):
        return assert_real(
            self._diag,
            "This diagonal operator contained non-zero imaginary values.   Thus it was not "
            "self-adjoint.",
        )

    def _of(self, diag, hints):
        return LinearOperatorDiag(diag, **hints)

    def _combined(self, right, function):
        """The operator that `function` makes of the diagonals, if `right` has an easy form."""
        from torchtf.linalg._operator._identity import LinearOperatorScaledIdentity

        hints = _hints.of_commuting_product(self, right)
        if isinstance(right, LinearOperatorDiag):
            return self._of(function(self.diag, right.diag), hints)
        if isinstance(right, LinearOperatorScaledIdentity):
            return self._of(function(self.diag, right.multiplier[..., None]), hints)
        if isinstance(right, LinearOperatorLowerTriangular):
            hints["is_positive_definite"] = None
            tril = function(self.diag[..., None], right.to_dense())
            return LinearOperatorLowerTriangular(tril, **hints)
        return None

    def _times(self, right):
        return self._combined(right, lambda d, x: d * x) or super()._times(right)

    def _solved(self, right):
        return self._combined(right, lambda d, x: x / d) or super()._solved(right)

    def _adjoint(self):
        return self._of(math.conj(self.diag), _hints.of(self))

    def _inverse(self):
        return self._of(1.0 / self.diag, _hints.of(self))

    def _cholesky(self):
        return self._of(
            math.sqrt(self.diag),
            {"is_non_singular": True, "is_self_adjoint": True, "is_positive_definite": True},
        )

    def _side(self, adjoint):
        return math.conj(self._diag) if adjoint else convert_to_tensor(self._diag)

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        x = linalg.adjoint(x) if adjoint_arg else x
        return self._side(adjoint)[..., None] * x

    def _matvec(self, x, adjoint=False):
        return self._side(adjoint) * x

    def _determinant(self):
        return math.reduce_prod(self._diag, -1)

    def _log_abs_determinant(self):
        return math.cast(math.reduce_sum(math.log(math.abs(self._diag)), -1), self.dtype)

    def _solve(self, rhs, adjoint=False, adjoint_arg=False):
        rhs = linalg.adjoint(rhs) if adjoint_arg else rhs
        return rhs * (1.0 / self._side(adjoint))[..., None]

    def _to_dense(self):
        return linalg.diag(self._diag)

    def _diag_part(self):
        return convert_to_tensor(self._diag)

    _eigvals = _diag_part

    def _add_to_tensor(self, x):
        return linalg.set_diag(x, self._diag + linalg.diag_part(x))

    def _cond(self):
        size = math.abs(self._diag)
        return math.reduce_max(size, -1) / math.reduce_min(size, -1)
