"""Operators that are known without elements: identities and zeros."""

from __future__ import annotations

import math as python_math

from torchtf import array_ops, debugging, linalg, math
from torchtf.control_flow import no_op
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import TensorShape
from torchtf.framework import get_static_value
from torchtf.linalg._operator import _hints
from torchtf.linalg._operator._base import LinearOperator, records_parameters, tensor_or_variable
from torchtf.linalg._operator._dense import LinearOperatorDiag


def _size_argument(value, name: str, rank: int):
    """A size or a shape as an int32 tensor, and its static value (None where unknown).

    Raises:
        TypeError: if it is no integer.
        ValueError: if it has another rank or is negative.
    """
    if hasattr(type(value), "_tape_read"):
        raise TypeError(f"Argument {name} cannot be reference type. Found: {type(value)}.")
    if isinstance(value, TensorShape):
        value = value.as_list()
    empty = isinstance(value, (list, tuple)) and not value
    tensor = convert_to_tensor(value, dtype=dtypes.int32 if empty else None)
    if not tensor.dtype.is_integer:
        raise TypeError(f"Argument {name} must be integer type.  Found: {tensor}")
    if tensor.shape.rank != rank:
        raise ValueError(f"Argument {name} must be a {rank}-D Tensor.  Found: {tensor}")
    known = get_static_value(tensor, partial=True)
    if known is not None and any(s is not None and s < 0 for s in known.reshape(-1)):
        raise ValueError(f"Argument {name} must be non-negative.  Found: {known}")
    if known is None:
        sizes = [None] * (tensor.shape.num_elements() or 0 if rank else 1)
    else:
        sizes = [None if s is None else int(s) for s in known.reshape(-1)]
    return tensor, sizes


class _Sized(LinearOperator):
    """An operator given by the sizes of its matrix and its batch."""

    def _set_sizes(self, num_rows, num_columns, batch_shape, assert_proper_shapes):
        self._assert_proper_shapes = assert_proper_shapes
        self._num_rows, (rows,) = _size_argument(num_rows, "num_rows", 0)
        self._num_columns, (columns,) = _size_argument(
            num_rows if num_columns is None else num_columns, "num_columns", 0
        )
        self._matrix_shape = TensorShape([rows, columns])
        self._batch_argument, self._batch_sizes = None, []
        if batch_shape is not None:
            self._batch_argument, self._batch_sizes = _size_argument(batch_shape, "batch_shape", 1)

    @property
    def num_rows(self):
        return self._num_rows

    def _shape(self):
        return TensorShape(self._batch_sizes).concatenate(self._matrix_shape)

    def _shape_tensor(self):
        matrix = array_ops.stack([self._num_rows, self._num_columns])
        if self._batch_argument is None:
            return matrix
        return array_ops.concat([self._batch_argument, matrix], 0)

    def _check_argument(self, x):
        """With `assert_proper_shapes`, compares sizes when the graph runs."""
        if self._assert_proper_shapes:
            debugging.assert_equal(
                array_ops.shape(x)[-2], self.domain_dimension_tensor(),
                message="Dimensions are not compatible.  shape[-2] of argument to be the same as "
                "this operator",
            )  # fmt: skip
        return x

    def _with_batch(self, x):
        """`x` broadcast to the batch of the operator."""
        if self._batch_argument is None:
            return x
        shape = array_ops.concat([self._batch_argument, [1, 1]], 0)
        return x + array_ops.zeros(shape, self.dtype)

    def _min_size(self):
        return math.reduce_min(self.shape_tensor()[-2:])

    def _diagonal(self, make):
        static = self.shape
        if static.is_fully_defined():
            return make(static[:-2].concatenate([min(static[-2:])]), dtype=self.dtype)
        return make(
            array_ops.concat([self.batch_shape_tensor(), [self._min_size()]], 0), dtype=self.dtype
        )

    def __getitem__(self, slices):
        batch = array_ops.ones([] if self._batch_argument is None else self._batch_argument)
        parameters = dict(self.parameters, batch_shape=array_ops.shape(batch[slices]))
        return type(self)(**parameters)


@records_parameters
class LinearOperatorIdentity(_Sized):
    """The identity (source: `tf.linalg.LinearOperatorIdentity`).

    Args:
        num_rows: the number of rows and columns.
        batch_shape: the shape of the batch; none by default.
        dtype: the type of the elements; float32 by default.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square: True, or an error.
        assert_proper_shapes: whether to compare sizes when the graph runs, too.
        name: a name.

    Raises:
        TypeError: if a size is no integer.
        ValueError: if it is negative, or a hint is wrong.
    """

    def __init__(
        self, num_rows, batch_shape=None, dtype=None, is_non_singular=True, is_self_adjoint=True,
        is_positive_definite=True, is_square=True, assert_proper_shapes=False,
        name="LinearOperatorIdentity",
    ):  # fmt: skip
        for hint, word in (
            (is_self_adjoint, "self adjoint"), (is_non_singular, "non-singular"),
            (is_positive_definite, "positive-definite"), (is_square, "square"),
        ):  # fmt: skip
            if not hint:
                raise ValueError(f"An identity operator is always {word}.")
        super().__init__(
            dtype or dtypes.float32, None, is_non_singular, is_self_adjoint, is_positive_definite,
            is_square, name,
        )  # fmt: skip
        self._set_sizes(num_rows, None, batch_shape, assert_proper_shapes)

    def _adjoint(self):
        return self

    _inverse = _adjoint

    def _cholesky(self):
        return LinearOperatorIdentity(self._num_rows, self._batch_argument, self.dtype)

    def _times(self, right):
        return right

    _solved = _times

    def _assert_non_singular(self):
        return no_op()

    _assert_positive_definite = _assert_self_adjoint = _assert_non_singular

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        x = linalg.adjoint(x) if adjoint_arg else x
        return self._with_batch(self._check_argument(x))

    def _solve(self, rhs, adjoint=False, adjoint_arg=False):
        return self._matmul(rhs, adjoint_arg=adjoint_arg)

    def _determinant(self):
        return array_ops.ones(self._batch(), self.dtype)

    _cond = _determinant

    def _log_abs_determinant(self):
        return array_ops.zeros(self._batch(), self.dtype)

    def _trace(self):
        return math.cast(self._min_size(), self.dtype) * self._determinant()

    def _diag_part(self):
        return self._diagonal(array_ops.ones)

    _eigvals = _diag_part

    def add_to_tensor(self, mat, name="add_to_tensor"):
        """I + mat for a tensor [..., n, n]."""
        mat = convert_to_tensor(mat)
        return linalg.set_diag(mat, 1 + linalg.diag_part(mat))


@records_parameters
class LinearOperatorScaledIdentity(_Sized):
    """A multiple of the identity (source: `tf.linalg.LinearOperatorScaledIdentity`).

    Args:
        num_rows: the number of rows and columns.
        multiplier: a tensor, whose shape is that of the batch, or a variable.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.
        assert_proper_shapes: whether to compare sizes when the graph runs, too.

    Raises:
        TypeError: if `num_rows` is no integer.
        ValueError: if it is negative, or a hint is wrong.
    """

    _tensor_fields = {"multiplier": 0}

    def __init__(
        self, num_rows, multiplier, is_non_singular=None, is_self_adjoint=None,
        is_positive_definite=None, is_square=True, assert_proper_shapes=False,
        name="LinearOperatorScaledIdentity",
    ):  # fmt: skip
        self._multiplier = tensor_or_variable(multiplier)
        if not self._multiplier.dtype.is_complex:
            if is_self_adjoint is False:
                raise ValueError("A real diagonal operator is always self adjoint.")
            is_self_adjoint = True
        if not is_square:
            raise ValueError("A ScaledIdentity operator is always square.")
        super().__init__(
            self._multiplier.dtype, None, is_non_singular, is_self_adjoint, is_positive_definite,
            is_square, name,
        )  # fmt: skip
        self._set_sizes(num_rows, None, None, assert_proper_shapes)

    @property
    def multiplier(self):
        return self._multiplier

    def _shape(self):
        return self._multiplier.shape.concatenate(self._matrix_shape)

    def _shape_tensor(self):
        matrix = array_ops.stack([self._num_rows, self._num_rows])
        return array_ops.concat([array_ops.shape(self._multiplier), matrix], 0)

    def __getitem__(self, slices):
        return LinearOperator.__getitem__(self, slices)

    def _of(self, multiplier, hints):
        return LinearOperatorScaledIdentity(self._num_rows, multiplier, **hints)

    def _combined(self, right, function):
        hints = _hints.of_commuting_product(self, right)
        if isinstance(right, LinearOperatorScaledIdentity):
            return self._of(function(self.multiplier, right.multiplier), hints)
        if isinstance(right, LinearOperatorDiag):
            return LinearOperatorDiag(function(self.multiplier[..., None], right.diag), **hints)
        return None

    def _times(self, right):
        return self._combined(right, lambda m, x: m * x) or super()._times(right)

    def _solved(self, right):
        return self._combined(right, lambda m, x: x / m) or super()._solved(right)

    def _adjoint(self):
        return self._of(math.conj(self.multiplier), _hints.of(self))

    def _inverse(self):
        return self._of(1.0 / self.multiplier, dict(_hints.of(self), is_self_adjoint=True))

    def _cholesky(self):
        return self._of(
            math.sqrt(self.multiplier),
            {"is_non_singular": True, "is_self_adjoint": True, "is_positive_definite": True},
        )

    def _assert_non_singular(self):
        return debugging.assert_positive(
            math.abs(self.multiplier), message="LinearOperator was singular"
        )

    def _assert_positive_definite(self):
        return debugging.assert_positive(
            math.real(self.multiplier), message="LinearOperator was not positive definite."
        )

    def _assert_self_adjoint(self):
        imaginary = math.imag(self.multiplier)
        return debugging.assert_equal(
            array_ops.zeros_like(imaginary), imaginary,
            message="LinearOperator was not self-adjoint",
        )  # fmt: skip

    def _factor(self, adjoint):
        factor = math.conj(self.multiplier) if adjoint else convert_to_tensor(self.multiplier)
        return factor[..., None, None]

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        x = linalg.adjoint(x) if adjoint_arg else x
        return self._check_argument(x) * self._factor(adjoint)

    def _solve(self, rhs, adjoint=False, adjoint_arg=False):
        rhs = linalg.adjoint(rhs) if adjoint_arg else rhs
        return self._check_argument(rhs) / self._factor(adjoint)

    def _determinant(self):
        return self.multiplier ** math.cast(self._num_rows, self.dtype)

    def _log_abs_determinant(self):
        return math.cast(self._num_rows, self.dtype.real_dtype) * math.log(
            math.abs(self.multiplier)
        )

    def _trace(self):
        return self.multiplier * math.cast(self._num_rows, self.dtype)

    def _diag_part(self):
        return self._diagonal(array_ops.ones) * self.multiplier[..., None]

    _eigvals = _diag_part

    def add_to_tensor(self, mat, name="add_to_tensor"):
        """A + mat for a tensor [..., n, n]."""
        mat = convert_to_tensor(mat)
        return linalg.set_diag(mat, self.multiplier[..., None] + linalg.diag_part(mat))

    def _cond(self):
        nan, one = (convert_to_tensor(v, dtype=self.dtype) for v in (python_math.nan, 1.0))
        return array_ops.where(math.equal(self.multiplier, 0.0), nan, one)


@records_parameters
class LinearOperatorZeros(_Sized):
    """A matrix of zeros (source: `tf.linalg.LinearOperatorZeros`).

    Args:
        num_rows: the number of rows.
        num_columns: the number of columns; `num_rows` by default.
        batch_shape: the shape of the batch; none by default.
        dtype: the type of the elements; float32 by default.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.
        assert_proper_shapes: whether to compare sizes when the graph runs, too.

    Raises:
        TypeError: if a size is no integer.
        ValueError: if it is negative, or a hint is wrong.
    """

    def __init__(
        self, num_rows, num_columns=None, batch_shape=None, dtype=None, is_non_singular=False,
        is_self_adjoint=True, is_positive_definite=False, is_square=True,
        assert_proper_shapes=False, name="LinearOperatorZeros",
    ):  # fmt: skip
        if not is_self_adjoint and is_square:
            raise ValueError("A zero operator is always self adjoint.")
        if is_non_singular:
            raise ValueError("A zero operator is always singular.")
        if is_positive_definite:
            raise ValueError("A zero operator is always not positive-definite.")
        super().__init__(
            dtype or dtypes.float32, None, is_non_singular, is_self_adjoint, is_positive_definite,
            is_square, name,
        )  # fmt: skip
        self._set_sizes(num_rows, num_columns, batch_shape, assert_proper_shapes)
        rows, columns = self._matrix_shape
        if is_square and None not in (rows, columns) and rows != columns:
            raise ValueError(
                f"LinearOperatorZeros initialized as is_square=True, but got "
                f"num_rows({rows}) != num_columns({columns})"
            )

    def _assert_non_singular(self):
        raise errors.InvalidArgumentError(None, None, "Zero operators are always non-invertible.")

    def _assert_positive_definite(self):
        raise errors.InvalidArgumentError(
            None, None, "Zero operators are always non-positive definite."
        )

    def _assert_self_adjoint(self):
        return no_op()

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        x = linalg.adjoint(x) if adjoint_arg else x
        shape = array_ops.shape(self._check_argument(x))
        rows = self._num_columns if adjoint else self._num_rows
        shape = array_ops.concat([shape[:-2], [rows], shape[-1:]], 0)
        return self._with_batch(array_ops.zeros(shape, self.dtype))

    def _times(self, right):
        if not self.is_square or not right.is_square:
            raise ValueError(
                "Matmul with non-square `LinearOperator`s or non-square `LinearOperatorZeros` not "
                "supported at this time."
            )
        return self

    def _determinant(self):
        return array_ops.zeros(self._batch(), self.dtype)

    _trace = _determinant

    def _diag_part(self):
        return self._diagonal(array_ops.zeros)

    _eigvals = _diag_part

    def add_to_tensor(self, mat, name="add_to_tensor"):
        """0 + mat for a tensor [..., m, n]."""
        return self._with_batch(convert_to_tensor(mat))
