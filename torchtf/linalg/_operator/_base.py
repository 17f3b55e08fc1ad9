"""The base of all linear operators."""

from __future__ import annotations

import functools
import inspect

import numpy as np

from torchtf import array_ops, debugging, linalg, math
from torchtf.control_flow import no_op
from torchtf.core import dtypes, nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import Dimension
from torchtf.core.specs import TensorSpec, TypeSpec
from torchtf.core.tensor import is_tensor_type
from torchtf.linalg._operator import _hints
from torchtf.linalg._operator._slicing import batch_slice
from torchtf.module import Module


class LinearOperator(Module):
    """A matrix, or a batch of matrices, that acts on vectors (source: `tf.linalg.LinearOperator`).

    A subclass implements `_shape`, `_shape_tensor` and `_matmul`; the rest has dense defaults.

    Args:
        dtype: the type of the matrix' elements.
        graph_parents: accepted only as None (it is from TF 1).
        is_non_singular, is_self_adjoint, is_positive_definite, is_square: what is known of the
            matrix; None for unknown.
        name: a name, the class' by default.
        parameters: the arguments of the subclass' constructor.

    Raises:
        ValueError: if hints contradict each other.
    """

    # the arguments of the constructor that are tensors, operators or lists of them, and how many of
    # their last axes belong to the matrix
    _tensor_fields: dict = {}

    def __init__(
        self,
        dtype,
        graph_parents=None,
        is_non_singular=None,
        is_self_adjoint=None,
        is_positive_definite=None,
        is_square=None,
        name=None,
        parameters=None,
    ):
        if graph_parents is not None:
            raise NotImplementedError("graph_parents belongs to TF 1 graphs; leave it out")
        if is_positive_definite:
            if is_non_singular is False:
                raise ValueError("A positive definite matrix is always non-singular.")
            is_non_singular = True
        for hint, word in ((is_non_singular, "non-singular"), (is_self_adjoint, "self-adjoint")):
            if hint:
                if is_square is False:
                    raise ValueError(f"A {word} matrix is always square.")
                is_square = True
        self._dtype = dtypes.as_dtype(dtype) if dtype else dtype
        self._square_hint = is_square
        self._is_non_singular = is_non_singular
        self._is_self_adjoint = is_self_adjoint
        self._is_positive_definite = is_positive_definite
        if parameters is not None or not hasattr(self, "_parameters"):
            self._parameters = parameters
        self._name = name or type(self).__name__

    # -- what it is

    @property
    def parameters(self) -> dict:
        """The arguments that made this operator."""
        return dict(self._parameters)

    @property
    def dtype(self):
        return self._dtype

    @property
    def name(self) -> str:
        return self._name

    @property
    def graph_parents(self) -> list:
        """Empty: operators have no graph (it is from TF 1)."""
        return []

    @property
    def is_non_singular(self):
        return self._is_non_singular

    @property
    def is_self_adjoint(self):
        return self._is_self_adjoint

    @property
    def is_positive_definite(self):
        return self._is_positive_definite

    @property
    def is_square(self):
        """Whether the matrix is square, by its hints or its shape; None for unknown.

        Raises:
            ValueError: if the hint says no and the shape yes.
        """
        by_shape = self.domain_dimension == self.range_dimension
        if self._square_hint is False and by_shape:
            raise ValueError("User set is_square hint to False, but the operator was square.")
        return by_shape if self._square_hint is None else self._square_hint

    def _shape(self):
        raise NotImplementedError("_shape is not implemented.")

    def _shape_tensor(self):
        raise NotImplementedError("_shape_tensor is not implemented.")

    @property
    def shape(self):
        """The static shape [..., m, n]."""
        return self._shape()

    def shape_tensor(self, name="shape_tensor"):
        """The shape as an int32 vector."""
        if self.shape.is_fully_defined():
            return convert_to_tensor(self.shape.as_list(), dtype=dtypes.int32)
        return self._shape_tensor()

    @property
    def batch_shape(self):
        return self.shape[:-2]

    def batch_shape_tensor(self, name="batch_shape_tensor"):
        """The batch shape as an int32 vector."""
        return self._sizes(slice(None, -2), self.batch_shape)

    def _sizes(self, where, static):
        """Part of the shape as a tensor, of the static one if that is known."""
        if isinstance(static, Dimension):
            if static.value is not None:
                return convert_to_tensor(static.value)
        elif static.is_fully_defined():
            return convert_to_tensor(static.as_list(), dtype=dtypes.int32)
        return self.shape_tensor()[where]

    def _batch(self):
        """The batch shape: static if it is known, else as a tensor."""
        static = self.batch_shape
        return static if static.is_fully_defined() else self.batch_shape_tensor()

    @property
    def tensor_rank(self):
        """The number of axes, those of the batch and of the matrix."""
        return self.shape.rank

    def tensor_rank_tensor(self, name="tensor_rank_tensor"):
        return convert_to_tensor(self.shape.rank)

    @property
    def domain_dimension(self) -> Dimension:
        """n, the number of columns."""
        return self.shape.dims[-1] if self.shape.rank else Dimension(None)

    def domain_dimension_tensor(self, name="domain_dimension_tensor"):
        return self._sizes(-1, self.domain_dimension)

    @property
    def range_dimension(self) -> Dimension:
        """m, the number of rows."""
        return self.shape.dims[-2] if self.shape.rank else Dimension(None)

    def range_dimension_tensor(self, name="range_dimension_tensor"):
        return self._sizes(-2, self.range_dimension)

    # -- checks

    def assert_non_singular(self, name="assert_non_singular"):
        """Checks that the condition number is not that of a singular matrix.

        Raises:
            InvalidArgumentError: if it is.
        """
        return self._assert_non_singular()

    def _assert_non_singular(self):
        if self._can_use_cholesky():
            return self.assert_positive_definite()
        values = linalg.svd(self.to_dense(), compute_uv=False)
        condition = math.reduce_max(values, -1) / math.reduce_min(values, -1)
        size = math.cast(math.reduce_max(self.shape_tensor()[-2:]), self.dtype)
        epsilon = math.maximum(100.0, size) * np.finfo(self.dtype.as_numpy_dtype).eps
        return debugging.assert_less(
            condition, 1.0 / epsilon, message="Singular matrix up to precision epsilon."
        )

    def assert_positive_definite(self, name="assert_positive_definite"):
        """Checks that x^H A x has a positive real part for all x but 0.

        Raises:
            InvalidArgumentError: if it has not.
            NotImplementedError: if the operator is not known to be self-adjoint.
        """
        return self._assert_positive_definite()

    def _assert_positive_definite(self):
        if not self.is_self_adjoint:
            raise NotImplementedError("assert_positive_definite is not implemented.")
        return debugging.assert_positive(
            linalg.diag_part(linalg.cholesky(self.to_dense())),
            message="Matrix was not positive definite.",
        )

    def assert_self_adjoint(self, name="assert_self_adjoint"):
        """Checks that A == A^H.

        Raises:
            InvalidArgumentError: if not.
        """
        return self._assert_self_adjoint()

    def _assert_self_adjoint(self):
        dense = self.to_dense()
        return debugging.assert_equal(
            dense, linalg.adjoint(dense), message="Matrix was not equal to its adjoint."
        )

    def _checked(self, x, size: Dimension, axis: int):
        """An argument as a tensor of this operator's type and size."""
        x = convert_to_tensor(x)
        if x.dtype is not self.dtype:
            raise TypeError(
                f"Expected argument to have dtype {self.dtype}.  Found: {x.dtype} in tensor {x}"
            )
        size.assert_is_compatible_with(x.shape[axis])
        return x

    def _check_operator(self, left, right, argument: str):
        if (right.range_dimension == left.domain_dimension) is False:
            raise ValueError(
                f"Operators are incompatible. Expected `{argument}` to have dimension "
                f"{left.domain_dimension} but got {right.range_dimension}."
            )

    # -- products

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        raise NotImplementedError("_matmul is not implemented.")

    def matmul(self, x, adjoint=False, adjoint_arg=False, name="matmul"):
        """A x, or A^H x.

        Args:
            x: a tensor [..., n, k] of this operator's type, or an operator.
            adjoint: whether to multiply with A^H.
            adjoint_arg: whether to multiply with x^H.

        Returns:
            A tensor [..., m, k]; an operator if `x` is one.

        Raises:
            TypeError: if `x` has another type.
            ValueError: if the sizes do not fit.
        """
        if isinstance(x, LinearOperator):
            left = self.adjoint() if adjoint else self
            right = x.adjoint() if adjoint_arg else x
            self._check_operator(left, right, "x")
            return left._times(right)
        size = self.range_dimension if adjoint else self.domain_dimension
        x = self._checked(x, size, -1 if adjoint_arg else -2)
        return self._matmul(x, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def _times(self, right: LinearOperator) -> LinearOperator:
        """The product with another operator."""
        from torchtf.linalg._operator import _identity, _products

        if type(right) is _identity.LinearOperatorIdentity:
            return self
        if isinstance(right, _identity.LinearOperatorZeros):
            if not right.is_square or not self.is_square:
                raise ValueError(
                    "Matmul with non-square `LinearOperator`s or non-square `LinearOperatorZeros` "
                    "not supported at this time."
                )
            return right
        return _products.LinearOperatorComposition([self, right], **_hints.of_product(self, right))

    def __matmul__(self, other):
        return self.matmul(other)

    def matvec(self, x, adjoint=False, name="matvec"):
        """A x for vectors [..., n]; arguments and errors as for `matmul`."""
        x = self._checked(x, self.range_dimension if adjoint else self.domain_dimension, -1)
        return self._matvec(x, adjoint=adjoint)

    def _matvec(self, x, adjoint=False):
        return array_ops.squeeze(self.matmul(array_ops.expand_dims(x, -1), adjoint=adjoint), -1)

    # -- determinants

    def _require_square(self):
        if self.is_square is False:
            raise NotImplementedError(
                "Determinant not implemented for an operator that is expected to not be square."
            )

    def determinant(self, name="det"):
        """The determinants of the batch.

        Raises:
            NotImplementedError: if the operator is not square.
        """
        self._require_square()
        return self._determinant()

    def _determinant(self):
        if self._can_use_cholesky():
            return math.exp(self.log_abs_determinant())
        return linalg.det(self.to_dense())

    def log_abs_determinant(self, name="log_abs_det"):
        """The logarithms of the determinants' absolute values; errors as for `determinant`."""
        self._require_square()
        return self._log_abs_determinant()

    def _log_abs_determinant(self):
        if self._can_use_cholesky():
            diag = linalg.diag_part(linalg.cholesky(self.to_dense()))
            return 2 * math.reduce_sum(math.log(diag), -1)
        return linalg.slogdet(self.to_dense())[1]

    # -- solving

    def _dense_solve(self, rhs, adjoint=False, adjoint_arg=False):
        if self.is_square is False:
            raise NotImplementedError("Solve is not yet implemented for non-square operators.")
        rhs = linalg.adjoint(rhs) if adjoint_arg else rhs
        if self._can_use_cholesky():
            return linalg.cholesky_solve(linalg.cholesky(self.to_dense()), rhs)
        return solve_broadcast(self.to_dense(), rhs, adjoint)

    _solve = _dense_solve

    def _require_solvable(self):
        for hint, word in (
            (self.is_non_singular, "be singular"),
            (self.is_square, "not be square"),
        ):
            if hint is False:
                raise NotImplementedError(
                    f"Exact solve not implemented for an operator that is expected to {word}."
                )

    def solve(self, rhs, adjoint=False, adjoint_arg=False, name="solve"):
        """The X with A X = rhs.

        Args:
            rhs: a tensor [..., m, k] of this operator's type, or an operator.
            adjoint: whether to solve with A^H.
            adjoint_arg: whether to solve for rhs^H.

        Returns:
            A tensor [..., n, k]; an operator if `rhs` is one.

        Raises:
            NotImplementedError: if the operator is singular or not square by its hints.
            TypeError: if `rhs` has another type.
            ValueError: if the sizes do not fit.
        """
        self._require_solvable()
        if isinstance(rhs, LinearOperator):
            left = self.adjoint() if adjoint else self
            right = rhs.adjoint() if adjoint_arg else rhs
            self._check_operator(left, right, "rhs")
            return left._solved(right)
        size = self.domain_dimension if adjoint else self.range_dimension
        rhs = self._checked(rhs, size, -1 if adjoint_arg else -2)
        return self._solve(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def _solved(self, right: LinearOperator) -> LinearOperator:
        """The operator A^-1 `right`."""
        from torchtf.linalg._operator import _derived, _identity, _products

        if type(right) is _identity.LinearOperatorIdentity:
            return self.inverse()
        return _products.LinearOperatorComposition(
            [_derived.LinearOperatorInversion(self), right], **_hints.of_product(self, right)
        )

    def solvevec(self, rhs, adjoint=False, name="solve"):
        """The x with A x = rhs for vectors [..., m]; errors as for `solve`."""
        rhs = self._checked(rhs, self.domain_dimension if adjoint else self.range_dimension, -1)
        return self._solvevec(rhs, adjoint=adjoint)

    def _solvevec(self, rhs, adjoint=False):
        return array_ops.squeeze(self.solve(array_ops.expand_dims(rhs, -1), adjoint=adjoint), -1)

    # -- other operators

    def adjoint(self, name="adjoint") -> LinearOperator:
        """The operator A^H; this one if it is self-adjoint."""
        return self if self.is_self_adjoint is True else self._adjoint()

    @property
    def H(self) -> LinearOperator:
        """The adjoint operator."""
        return self.adjoint()

    def _adjoint(self):
        from torchtf.linalg._operator._derived import LinearOperatorAdjoint

        return LinearOperatorAdjoint(self, **_hints.of(self))

    def inverse(self, name="inverse") -> LinearOperator:
        """The operator A^-1.

        Raises:
            ValueError: if the operator is singular or not square by its hints.
        """
        for hint, word in ((self.is_square, "non square"), (self.is_non_singular, "singular")):
            if hint is False:
                raise ValueError(
                    f"Cannot take the Inverse: This operator represents a {word} matrix."
                )
        return self._inverse()

    def _inverse(self):
        from torchtf.linalg._operator._derived import LinearOperatorInversion

        return LinearOperatorInversion(self, **_hints.of(self))

    def cholesky(self, name="cholesky") -> LinearOperator:
        """The lower triangular operator L with L L^H = A.

        Raises:
            ValueError: unless the hints say that A is self-adjoint and positive definite.
        """
        if not self._can_use_cholesky():
            raise ValueError(
                "Cannot take the Cholesky decomposition: Not a positive definite self adjoint "
                "matrix."
            )
        return self._cholesky()

    def _cholesky(self):
        from torchtf.linalg._operator._dense import LinearOperatorLowerTriangular

        return LinearOperatorLowerTriangular(
            linalg.cholesky(self.to_dense()),
            is_non_singular=True, is_self_adjoint=False, is_square=True,
        )  # fmt: skip

    def _can_use_cholesky(self):
        return self.is_self_adjoint and self.is_positive_definite

    # -- values

    def to_dense(self, name="to_dense"):
        """The matrices as a tensor [..., m, n]."""
        return self._to_dense()

    def _to_dense(self):
        size = self.domain_dimension.value
        size = self.domain_dimension_tensor() if size is None else size
        return self.matmul(array_ops.eye(size, batch_shape=self._batch(), dtype=self.dtype))

    def diag_part(self, name="diag_part"):
        """The diagonals [..., min(m, n)]."""
        return self._diag_part()

    def _diag_part(self):
        return linalg.diag_part(self.to_dense())

    def trace(self, name="trace"):
        """The sums of the diagonals."""
        return self._trace()

    def _trace(self):
        return math.reduce_sum(self.diag_part(), -1)

    def add_to_tensor(self, x, name="add_to_tensor"):
        """A + x for a tensor [..., m, n] of this operator's type."""
        x = self._checked(x, Dimension(None), -1)
        return self._add_to_tensor(x)

    def _add_to_tensor(self, x):
        return self.to_dense() + x

    def eigvals(self, name="eigvals"):
        """The eigenvalues of a self-adjoint operator.

        Raises:
            NotImplementedError: unless the hints say that it is self-adjoint.
        """
        if not self.is_self_adjoint:
            raise NotImplementedError("Only self-adjoint matrices are supported.")
        return self._eigvals()

    def _eigvals(self):
        return linalg.eigvalsh(self.to_dense())

    def cond(self, name="cond"):
        """The condition numbers: the ratios of the largest and least singular values."""
        return self._cond()

    def _cond(self):
        if self.is_self_adjoint:
            values = math.abs(self._eigvals())
        else:
            values = linalg.svd(self.to_dense(), compute_uv=False)
        return math.reduce_max(values, -1) / math.reduce_min(values, -1)

    # -- as a composite

    def __getitem__(self, slices):
        return batch_slice(self, slices)

    @property
    def _type_spec(self):
        return LinearOperatorSpec(self)

    @staticmethod
    def __tf_dispatch__(op, args):
        from torchtf.linalg._operator._dispatch import call

        return call(op, args)


class LinearOperatorSpec(TypeSpec):
    """The type of an operator: its class, its arguments and the specs of its tensors."""

    __slots__ = ("_fields", "_kind", "_other")

    def __init__(self, operator: LinearOperator):
        self._kind = type(operator)
        parameters = operator.parameters
        tensors = {k: getattr(operator, k) for k in operator._tensor_fields}
        tensors = {k: v for k, v in tensors.items() if v is not None}
        self._fields = {k: nest.map_structure(_spec_of, v) for k, v in tensors.items()}
        self._other = {k: _plain(v) for k, v in parameters.items() if k not in tensors}

    @property
    def value_type(self):
        return self._kind

    @property
    def _component_specs(self):
        return self._fields

    def _to_components(self, operator):
        return {k: getattr(operator, k) for k in self._fields}

    def _from_components(self, components):
        return self._kind(**self._other, **components)

    def _serialize(self):
        return self._kind, self._fields, self._other

    def most_specific_compatible_type(self, other):
        if not self == other:
            raise ValueError(f"No TypeSpec is compatible with both {self!r} and {other!r}")
        return self

    def _key(self):
        """What makes two specs equal, variables by identity."""
        fields = [
            id(v) if hasattr(type(v), "_tape_read") else v for v in nest.flatten(self._fields)
        ]
        return self._kind, tuple(self._fields), tuple(fields), repr(self._other)

    def __eq__(self, other):
        return type(other) is type(self) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        return f"{self._kind.__name__}Spec({self._fields}, {self._other})"


def _spec_of(value):
    if hasattr(type(value), "_tape_read"):
        return value  # a variable is the same one in every operator of the type
    spec = getattr(value, "_type_spec", None)
    return TensorSpec(value.shape, value.dtype) if spec is None else spec


def _plain(value):
    """An argument that is no component, as a Python value where it is a known tensor."""
    if is_tensor_type(value) and not value.is_symbolic_tensor:
        value = value.numpy()
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def records_parameters(cls):
    """A class decorator: `parameters` are the arguments that the constructor was called with."""
    init = cls.__init__
    signature = inspect.signature(init)

    @functools.wraps(init)
    def wrapped(self, *args, **kwargs):
        if type(self) is cls:
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            self._parameters = dict(list(bound.arguments.items())[1:])
        init(self, *args, **kwargs)

    cls.__init__ = wrapped
    return cls


# -- helpers of the subclasses


def tensor_or_variable(value):
    """A variable stays one, so that it is read when it is used."""
    if value is None or hasattr(type(value), "_tape_read"):
        return value
    return convert_to_tensor(value)


def vary_batch(*tensors):
    """Matrices with their batches broadcast to one shape."""
    shape = array_ops.shape(tensors[0])[:-2]
    for x in tensors[1:]:
        shape = array_ops.broadcast_dynamic_shape(shape, array_ops.shape(x)[:-2])
    return [
        array_ops.broadcast_to(x, array_ops.concat([shape, array_ops.shape(x)[-2:]], 0))
        for x in tensors
    ]


def solve_broadcast(matrix, rhs, adjoint=False):
    """`tf.linalg.solve` with batches that broadcast."""
    matrix = convert_to_tensor(matrix)
    if matrix.shape[:-2] != rhs.shape[:-2]:
        matrix, rhs = vary_batch(matrix, rhs)
    return linalg.solve(matrix, rhs, adjoint=adjoint)


def broadcast_batch_shapes(operators):
    """The static batch shape that operators broadcast to."""
    shapes = [o.batch_shape for o in operators]
    return functools.reduce(array_ops.broadcast_static_shape, shapes)


def broadcast_batch_tensors(operators):
    """The batch shape that operators broadcast to, as a tensor."""
    shapes = [o.batch_shape_tensor() for o in operators]
    return functools.reduce(array_ops.broadcast_dynamic_shape, shapes)


def same_dtype(operators):
    """The one type of all operators.

    Raises:
        ValueError: if there is no operator.
        TypeError: if types differ.
    """
    if not operators:
        raise ValueError(f"Expected a non-empty list of operators. Found: {operators}")
    dtype = operators[0].dtype
    if any(o.dtype is not dtype for o in operators):
        found = "   ".join(str((o.name, o.dtype)) for o in operators)
        raise TypeError(f"Expected all operators to have the same dtype.  Found {found}")
    return dtype


def implied(operators, hints: dict, messages: dict) -> dict:
    """Hints that hold if they hold for all operators.

    Args:
        operators: the parts.
        hints: the user's hints.
        messages: hint -> what is wrong if all parts have it and the user says no.

    Raises:
        ValueError: with that message.
    """
    result = dict(hints)
    for key, message in messages.items():
        if all(getattr(o, key) for o in operators):
            if hints[key] is False:
                raise ValueError(message)
            result[key] = True
    return result


def assert_no_zeros(x, message):
    zero = convert_to_tensor(0, dtype=x.dtype.real_dtype)
    return debugging.assert_less(zero, math.abs(x), message=message)


def assert_real(x, message):
    if not x.dtype.is_complex:
        return no_op()
    imaginary = math.imag(x)
    return debugging.assert_equal(array_ops.zeros_like(imaginary), imaginary, message=message)
