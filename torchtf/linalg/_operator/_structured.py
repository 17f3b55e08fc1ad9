"""Operators given by a few vectors: permutations, reflections, Toeplitz and tridiagonal ones."""

from __future__ import annotations

import functools

import numpy as np

from torchtf import array_ops, debugging, linalg, math, signal
from torchtf.control_flow import group, no_op
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.framework import get_static_value
from torchtf.linalg._operator._base import (
    LinearOperator,
    assert_real,
    records_parameters,
    tensor_or_variable,
    vary_batch,
)
from torchtf.linalg._operator._circulant import LinearOperatorCirculant, to_complex


class _OfVectors(LinearOperator):
    """An operator [..., n, n] made of a vector [..., n], `_vector`."""

    @property
    def _vector(self):
        raise NotImplementedError

    def _shape(self):
        shape = self._vector.shape
        return shape.concatenate(shape[-1:])

    def _shape_tensor(self):
        shape = array_ops.shape(self._vector)
        return array_ops.concat([shape, shape[-1:]], 0)


@records_parameters
class LinearOperatorPermutation(_OfVectors):
    """A permutation of the elements of vectors (source: `tf.linalg.LinearOperatorPermutation`).

    Args:
        perm: integers [..., n]: element i of the result is element perm[i].
        dtype: the type of the elements.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        TypeError: if `perm` is not of integers.
        ValueError: if it is no permutation, or a hint is wrong.
    """

    _tensor_fields = {"perm": 1}

    def __init__(
        self, perm, dtype=dtypes.float32, is_non_singular=None, is_self_adjoint=None,
        is_positive_definite=None, is_square=None, name="LinearOperatorPermutation",
    ):  # fmt: skip
        self._perm = perm = tensor_or_variable(perm)
        if perm.shape.rank < 1:
            raise ValueError(f"Argument `perm` must have at least 1 dimension. Received: {perm}.")
        if not perm.dtype.is_integer:
            raise TypeError(f"Argument `perm` must be integer dtype. Received: {perm}.")
        known = get_static_value(perm)
        if known is not None and np.any(np.sort(known, -1) != np.arange(known.shape[-1])):
            raise ValueError(
                "Argument `perm` must be a vector of unique integers from "
                f"0 to {known.shape[-1] - 1}."
            )
        for hint, key, word in (
            (is_non_singular, "is_non_singular", "non-singular"),
            (is_square, "is_square", "square"),
        ):
            if hint is False:
                raise ValueError(
                    f"A Permutation operator is always {word}. Expected argument `{key}` to be "
                    f"True. Received: {hint}."
                )
        super().__init__(
            dtype, None, is_non_singular, is_self_adjoint, is_positive_definite, True, name
        )

    @property
    def perm(self):
        return self._perm

    _vector = perm

    def _assert_non_singular(self):
        return no_op()

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        perm = convert_to_tensor(self.perm)
        if adjoint and not self.is_self_adjoint:
            perm = array_ops.argsort(perm)
        x = linalg.adjoint(x) if adjoint_arg else x
        batch = array_ops.broadcast_dynamic_shape(array_ops.shape(x)[:-1], array_ops.shape(perm))
        x = array_ops.broadcast_to(x, array_ops.concat([batch, array_ops.shape(x)[-1:]], 0))
        perm = array_ops.broadcast_to(perm, batch)
        return array_ops.gather(x, perm, axis=-2, batch_dims=perm.shape.rank - 1)

    def _solve(self, rhs, adjoint=False, adjoint_arg=False):
        return self._matmul(rhs, adjoint=not adjoint, adjoint_arg=adjoint_arg)

    def _log_abs_determinant(self):
        return array_ops.zeros(self._batch(), self.dtype)

    def _cond(self):
        return array_ops.ones(self._batch(), self.dtype)

    def _places(self):
        perm = convert_to_tensor(self.perm)
        return array_ops.range(array_ops.shape(perm)[-1], dtype=perm.dtype), perm

    def _to_dense(self):
        places, perm = self._places()
        return math.cast(math.equal(places, perm[..., None]), self.dtype)

    def _diag_part(self):
        return math.cast(math.equal(*self._places()), self.dtype)


@records_parameters
class LinearOperatorHouseholder(_OfVectors):
    """The reflection I - 2 v v^H / |v|^2 (source: `tf.linalg.LinearOperatorHouseholder`).

    Args:
        reflection_axis: a tensor v [..., n] or a variable.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        ValueError: for a scalar, or if a hint is wrong.
    """

    _tensor_fields = {"reflection_axis": 1}

    def __init__(
        self, reflection_axis, is_non_singular=None, is_self_adjoint=None,
        is_positive_definite=None, is_square=None, name="LinearOperatorHouseholder",
    ):  # fmt: skip
        self._reflection_axis = axis = tensor_or_variable(reflection_axis)
        if axis.shape.rank < 1:
            raise ValueError(
                f"Argument reflection_axis must have at least 1 dimension.  Found: {axis}"
            )
        if is_self_adjoint is False:
            raise ValueError("A Householder operator is always self adjoint.")
        if is_positive_definite is True:
            raise ValueError("A Householder operator is always non-positive definite.")
        if is_square is False:
            raise ValueError("A Householder operator is always square.")
        super().__init__(axis.dtype, None, is_non_singular, True, False, True, name)

    @property
    def reflection_axis(self):
        return self._reflection_axis

    _vector = reflection_axis

    def _normalized(self):
        return linalg.l2_normalize(convert_to_tensor(self.reflection_axis), axis=-1)

    def _assert_non_singular(self):
        return no_op()

    _assert_self_adjoint = _assert_non_singular

    def _assert_positive_definite(self):
        raise errors.InvalidArgumentError(
            None, None, "Householder operators are always non-positive definite."
        )

    def _adjoint(self):
        return self

    _inverse = _adjoint

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        x = linalg.adjoint(x) if adjoint_arg else x
        column = self._normalized()[..., None]
        return x - 2 * column * math.matmul(column, x, adjoint_a=True)

    _solve = _matmul

    def _trace(self):
        size = math.cast(self.domain_dimension_tensor() - 2, self.dtype)
        return size * self._cond()

    def _determinant(self):
        return -self._cond()

    def _log_abs_determinant(self):
        return array_ops.zeros(self._batch(), self.dtype)

    def _cond(self):
        return array_ops.ones(self._batch(), self.dtype)

    def _to_dense(self):
        column = self._normalized()[..., None]
        outer = -2 * math.matmul(column, column, adjoint_b=True)
        return linalg.set_diag(outer, 1.0 + linalg.diag_part(outer))

    def _diag_part(self):
        vector = self._normalized()
        return 1.0 - 2 * vector * math.conj(vector)

    def _eigvals(self):
        shape = array_ops.shape(self.reflection_axis)
        ones = array_ops.ones(shape, self.dtype)
        return array_ops.concat([-ones[..., :1], ones[..., 1:]], -1)


@records_parameters
class LinearOperatorToeplitz(LinearOperator):
    """A matrix with equal elements along each diagonal
    (source: `tf.linalg.LinearOperatorToeplitz`).

    Args:
        col: the first column [..., n], a tensor or variable.
        row: the first row [..., n]; its first element is not used.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        ValueError: for scalars, different sizes, or a wrong hint.
    """

    _tensor_fields = {"col": 1, "row": 1}

    def __init__(
        self, col, row, is_non_singular=None, is_self_adjoint=None, is_positive_definite=None,
        is_square=None, name="LinearOperatorToeplitz",
    ):  # fmt: skip
        self._row, self._col = tensor_or_variable(row), tensor_or_variable(col)
        for label, vector in (("row", self._row), ("col", self._col)):
            if vector.shape.rank < 1:
                raise ValueError(
                    f"Argument {label} must have at least 1 dimension.  Found: {vector}"
                )
        n, m = self._row.shape[-1], self._col.shape[-1]
        if None not in (n, m) and n != m:
            raise ValueError("Expected square matrix, got row and col with mismatched dimensions.")
        if is_square is False:
            raise ValueError("Only square Toeplitz operators currently supported.")
        super().__init__(
            self._row.dtype, None, is_non_singular, is_self_adjoint, is_positive_definite, True,
            name,
        )  # fmt: skip

    @property
    def col(self):
        return self._col

    @property
    def row(self):
        return self._row

    def _shape(self):
        shape = array_ops.broadcast_static_shape(self.row.shape, self.col.shape)
        return shape.concatenate(shape[-1:])

    def _shape_tensor(self):
        shape = array_ops.broadcast_dynamic_shape(
            array_ops.shape(self.row), array_ops.shape(self.col)
        )
        return array_ops.concat([shape, shape[-1:]], 0)

    def _assert_self_adjoint(self):
        return debugging.assert_equal(
            self.row, self.col,
            message="row and col are not the same, and so this operator is not self-adjoint.",
        )  # fmt: skip

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        x = linalg.adjoint(x) if adjoint_arg else x
        # the matrix is a corner of a circulant one of twice its size
        col, row = convert_to_tensor(self.col), convert_to_tensor(self.row)
        column = array_ops.concat(
            [col, array_ops.zeros_like(col[..., :1]), array_ops.reverse(row[..., 1:], [-1])], -1
        )
        around = LinearOperatorCirculant(signal.fft(to_complex(column)), self.dtype)
        padded = array_ops.concat([x, array_ops.zeros_like(x)], -2)
        return around.matmul(padded, adjoint=adjoint)[..., : self.domain_dimension_tensor(), :]

    def _trace(self):
        return math.cast(self.domain_dimension_tensor(), self.dtype) * self.col[..., 0]

    def _diag_part(self):
        return self.col[..., :1] * array_ops.ones([self.domain_dimension_tensor()], self.dtype)

    def _to_dense(self):
        row, col = convert_to_tensor(self.row), convert_to_tensor(self.col)
        n = array_ops.shape(row)[-1]
        batch = self.shape_tensor()[:-1]
        row, col = array_ops.broadcast_to(row, batch), array_ops.broadcast_to(col, batch)
        diagonals = array_ops.concat([array_ops.reverse(col, [-1]), row[..., 1:]], -1)
        places = array_ops.range(n)
        return array_ops.gather(diagonals, places - places[:, None] + n - 1, axis=-1)


@records_parameters
class LinearOperatorTridiag(LinearOperator):
    """A tridiagonal matrix (source: `tf.linalg.LinearOperatorTridiag`).

    Args:
        diagonals: the superdiagonal, diagonal and subdiagonal, in the format below.
        diagonals_format: "compact", a tensor [..., 3, n]; "sequence", a list of three tensors
            [..., n]; "matrix", a tensor [..., n, n].
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        ValueError: for another format.
    """

    _tensor_fields = {"diagonals": lambda self: 1 if self.diagonals_format == "sequence" else 2}

    def __init__(
        self, diagonals, diagonals_format="compact", is_non_singular=None, is_self_adjoint=None,
        is_positive_definite=None, is_square=None, name="LinearOperatorTridiag",
    ):  # fmt: skip
        if diagonals_format not in ("compact", "matrix", "sequence"):
            raise ValueError(
                "Argument `diagonals_format` must be one of compact, matrix, or sequence. "
                f"Received : {diagonals_format}."
            )
        if diagonals_format == "sequence":
            self._diagonals = [tensor_or_variable(d) for d in diagonals]
            dtype = self._diagonals[0].dtype
        else:
            self._diagonals = tensor_or_variable(diagonals)
            dtype = self._diagonals.dtype
        self._diagonals_format = diagonals_format
        super().__init__(
            dtype, None, is_non_singular, is_self_adjoint, is_positive_definite, is_square, name
        )

    @property
    def diagonals(self):
        return self._diagonals

    @property
    def diagonals_format(self) -> str:
        return self._diagonals_format

    def _shape(self):
        d = self._diagonals
        if self._diagonals_format == "matrix":
            return d.shape
        if self._diagonals_format == "compact":
            shape = d.shape[:-2].concatenate(d.shape[-1:])
        else:
            shape = d[0].shape[:-1]
            for part in d[1:]:
                shape = array_ops.broadcast_static_shape(shape, part.shape[:-1])
            shape = shape.concatenate(d[1].shape[-1:])
        return shape.concatenate(shape[-1:])

    def _shape_tensor(self):
        if self._diagonals_format == "matrix":
            return array_ops.shape(self._diagonals)
        shape = array_ops.shape(self._compact()[..., 0, :])
        return array_ops.concat([shape, shape[-1:]], 0)

    def _compact(self):
        """The diagonals as one tensor [..., 3, n]."""
        d = self._diagonals
        if self._diagonals_format == "compact":
            return convert_to_tensor(d)
        if self._diagonals_format == "matrix":
            return linalg.diag_part(d, k=(-1, 1), align="LEFT_RIGHT")
        shape = functools.reduce(
            array_ops.broadcast_dynamic_shape, [array_ops.shape(part) for part in d]
        )
        return array_ops.stack([array_ops.broadcast_to(part, shape) for part in d], -2)

    def _side(self, adjoint):
        """The diagonals of the matrix or its adjoint."""
        compact = self._compact()
        if not adjoint:
            return compact
        above, main, below = array_ops.unstack(math.conj(compact), 3, -2)
        return array_ops.stack(
            [array_ops.roll(below, -1, -1), main, array_ops.roll(above, 1, -1)], -2
        )

    def _assert_self_adjoint(self):
        if self._diagonals_format == "matrix":
            return super()._assert_self_adjoint()
        above, main, below = array_ops.unstack(self._compact(), 3, -2)
        return group(
            assert_real(
                main, "This tridiagonal operator contained non-zero imaginary values on the "
                "diagonal.",
            ),
            debugging.assert_equal(
                math.conj(array_ops.roll(below, -1, -1)[..., :-1]), above[..., :-1],
                message="This tridiagonal operator has non-conjugate subdiagonal and "
                "superdiagonal.",
            ),
        )  # fmt: skip

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        x = linalg.adjoint(x) if adjoint_arg else x
        return linalg.tridiagonal_matmul(self._side(adjoint), x)

    def _solve(self, rhs, adjoint=False, adjoint_arg=False):
        rhs = linalg.adjoint(rhs) if adjoint_arg else rhs
        return linalg.tridiagonal_solve(*vary_batch(self._side(adjoint), rhs))

    def _diag_part(self):
        if self._diagonals_format == "sequence":
            return array_ops.broadcast_to(self._diagonals[1], self.shape_tensor()[:-1])
        return self._compact()[..., 1, :]

    def _to_dense(self):
        if self._diagonals_format == "matrix":
            return convert_to_tensor(self._diagonals)
        return linalg.diag(self._compact(), k=(-1, 1), align="LEFT_RIGHT")
