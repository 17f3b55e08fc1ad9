"""Products of operators: one after the other, and Kronecker's."""

from __future__ import annotations

import functools
import operator as python_operator

from torchtf import array_ops, linalg, math
from torchtf.control_flow import group
from torchtf.core import errors
from torchtf.core.shape import TensorShape
from torchtf.linalg._operator import _hints
from torchtf.linalg._operator._base import (
    LinearOperator,
    broadcast_batch_shapes,
    broadcast_batch_tensors,
    implied,
    records_parameters,
    same_dtype,
)
from torchtf.linalg._operator._dense import LinearOperatorLowerTriangular


def _product(values):
    return functools.reduce(python_operator.mul, values)


def _swapped(x):
    """`x` with its third and second last axes swapped."""
    order = list(range(x.shape.rank))
    order[-3], order[-2] = order[-2], order[-3]
    return array_ops.transpose(x, order)


def _is_adjoint_pair(x, y) -> bool:
    if x is y and x.is_self_adjoint is not None:
        return x.is_self_adjoint
    return x.H is y or y.H is x


def _is_product_with_adjoint(operators) -> bool:
    """Whether a product has the form A A^H by the identity of its operators."""
    count = len(operators)
    return count % 2 == 0 and all(
        _is_adjoint_pair(operators[i], operators[count - 1 - i]) for i in range(count // 2)
    )


@records_parameters
class LinearOperatorComposition(LinearOperator):
    """The product of operators (source: `tf.linalg.LinearOperatorComposition`).

    Args:
        operators: a list of operators of one type, the leftmost first.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        TypeError: if their types differ.
        ValueError: if there are none, or a hint is wrong.
    """

    _tensor_fields = {"operators": 0}

    def __init__(
        self, operators, is_non_singular=None, is_self_adjoint=None, is_positive_definite=None,
        is_square=None, name=None,
    ):  # fmt: skip
        self._operators = operators = list(operators)
        dtype = same_dtype(operators)
        hints = implied(
            operators,
            {
                "is_non_singular": is_non_singular, "is_self_adjoint": is_self_adjoint,
                "is_positive_definite": is_positive_definite, "is_square": is_square,
            },
            {"is_non_singular": "The composition of non-singular operators is always "
                                "non-singular."},
        )  # fmt: skip
        aah = _is_product_with_adjoint(operators)
        found = "The composition was determined to "
        rules = (
            (
                "is_self_adjoint", aah or (len(operators) == 1 and operators[0].is_self_adjoint),
                found + "be self-adjoint but user provided incorrect `False` hint.",
            ),
            (
                "is_square", aah,
                found + "have the form A @ A.H, hence it must be square. The user provided an "
                "incorrect `False` hint.",
            ),
            (
                "is_positive_definite", aah and hints["is_non_singular"],
                found + "be non-singular and have the form A @ A.H, hence it must be "
                "positive-definite. The user provided an incorrect `False` hint.",
            ),
        )  # fmt: skip
        for key, holds, message in rules:
            if holds:
                if hints[key] is False:
                    raise ValueError(message)
                hints[key] = True
        super().__init__(dtype, name=name or "_o_".join(o.name for o in operators), **hints)

    @property
    def operators(self) -> list:
        return self._operators

    def _shape(self):
        for left, right in zip(self.operators, self.operators[1:], strict=False):
            left.domain_dimension.assert_is_compatible_with(right.range_dimension)
        matrix = [self.operators[0].range_dimension, self.operators[-1].domain_dimension]
        return broadcast_batch_shapes(self.operators).concatenate(TensorShape(matrix))

    def _shape_tensor(self):
        first, last = self.operators[0], self.operators[-1]
        matrix = array_ops.stack([first.range_dimension_tensor(), last.domain_dimension_tensor()])
        return array_ops.concat([broadcast_batch_tensors(self.operators), matrix], 0)

    def _cholesky(self):
        left = self.operators[0]
        if not (
            len(self.operators) == 2
            and _is_product_with_adjoint(self.operators)
            and isinstance(left, LinearOperatorLowerTriangular)
        ):
            return super()._cholesky()
        if left.is_positive_definite:
            return left
        sign = math.sign(left.diag_part())[..., None, :]
        return LinearOperatorLowerTriangular(
            left.tril / sign, is_non_singular=left.is_non_singular,
            is_self_adjoint=left.is_self_adjoint, is_square=True,
        )  # fmt: skip

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        for o in self.operators if adjoint else reversed(self.operators):
            x = o.matmul(x, adjoint=adjoint, adjoint_arg=adjoint_arg)
            adjoint_arg = False
        return x

    def _solve(self, rhs, adjoint=False, adjoint_arg=False):
        for o in reversed(self.operators) if adjoint else self.operators:
            rhs = o.solve(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)
            adjoint_arg = False
        return rhs

    def _determinant(self):
        return _product([o.determinant() for o in self.operators])

    def _log_abs_determinant(self):
        return functools.reduce(
            python_operator.add, [o.log_abs_determinant() for o in self.operators]
        )

    def _assert_non_singular(self):
        if all(o.is_square for o in self.operators):
            return group(*[o.assert_non_singular() for o in self.operators])
        return super()._assert_non_singular()


@records_parameters
class LinearOperatorKronecker(LinearOperator):
    """Kronecker's product of operators (source: `tf.linalg.LinearOperatorKronecker`).

    Args:
        operators: a list of operators of one type.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        TypeError: if their types differ.
        ValueError: if there are none, or a hint is wrong.
    """

    _tensor_fields = {"operators": 0}

    def __init__(
        self, operators, is_non_singular=None, is_self_adjoint=None, is_positive_definite=None,
        is_square=None, name=None,
    ):  # fmt: skip
        self._operators = operators = list(operators)
        dtype = same_dtype(operators)
        hints = implied(
            operators,
            {
                "is_non_singular": is_non_singular, "is_self_adjoint": is_self_adjoint,
                "is_positive_definite": is_positive_definite,
            },
            {
                key: f"The Kronecker product of {word} operators is always {word}. Expected "
                f"argument `{key}` to be True. Received: False."
                for key, word in (
                    ("is_non_singular", "non-singular"), ("is_self_adjoint", "self-adjoint"),
                    ("is_positive_definite", "positive-definite"),
                )
            },
        )  # fmt: skip
        super().__init__(
            dtype, is_square=is_square, name=name or "_x_".join(o.name for o in operators), **hints
        )

    @property
    def operators(self) -> list:
        return self._operators

    def _shape(self):
        rows = _product([o.range_dimension for o in self.operators])
        columns = _product([o.domain_dimension for o in self.operators])
        return broadcast_batch_shapes(self.operators).concatenate(TensorShape([rows, columns]))

    def _shape_tensor(self):
        rows = _product([o.range_dimension_tensor() for o in self.operators])
        columns = _product([o.domain_dimension_tensor() for o in self.operators])
        return array_ops.concat([broadcast_batch_tensors(self.operators), [rows, columns]], 0)

    def _adjoint(self):
        return LinearOperatorKronecker(
            [o.adjoint() for o in self.operators], **dict(_hints.of(self), is_square=True)
        )

    def _cholesky(self):
        return LinearOperatorKronecker(
            [o.cholesky() for o in self.operators], is_non_singular=True, is_square=True
        )

    def _inverse(self):
        return LinearOperatorKronecker([o.inverse() for o in self.operators], **_hints.of(self))

    def _apply(self, x, method, adjoint, adjoint_arg):
        """Applies each factor along an axis of its own, the last one first."""
        x = linalg.adjoint(x) if adjoint_arg else x
        columns = array_ops.shape(x)[-1:]
        sized = "range" if adjoint ^ (method == "solve") else "domain"
        for o in reversed(self.operators):
            size = getattr(o, f"{sized}_dimension_tensor")()
            shape = array_ops.shape(x)  # [..., what is on the left * size, what is on the right]
            batch, right = shape[:-2], shape[-1:]
            x = _swapped(array_ops.reshape(x, array_ops.concat([batch, [-1, size], right], 0)))
            x = array_ops.reshape(x, array_ops.concat([batch, [size, -1]], 0))
            x = getattr(o, method)(x, adjoint=adjoint)
            shape = array_ops.shape(x)
            x = _swapped(array_ops.reshape(x, array_ops.concat([shape[:-1], [-1], right], 0)))
            x = array_ops.reshape(x, array_ops.concat([shape[:-2], [-1], shape[-2:-1] * right], 0))
        return array_ops.reshape(x, array_ops.concat([array_ops.shape(x)[:-2], [-1], columns], 0))

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        return self._apply(x, "matmul", adjoint, adjoint_arg)

    def _solve(self, rhs, adjoint=False, adjoint_arg=False):
        return self._apply(rhs, "solve", adjoint, adjoint_arg)

    def _powers(self):
        """How often each factor's determinant counts."""
        total = self.domain_dimension_tensor()
        return [math.cast(total / o.domain_dimension_tensor(), self.dtype) for o in self.operators]

    def _determinant(self):
        powers = zip(self.operators, self._powers(), strict=True)
        return _product([o.determinant() ** p for o, p in powers])

    def _log_abs_determinant(self):
        powers = zip(self.operators, self._powers(), strict=True)
        return functools.reduce(
            python_operator.add, [o.log_abs_determinant() * p for o, p in powers]
        )

    def _trace(self):
        return _product([o.trace() for o in self.operators])

    def _outer(self, parts):
        """The products of the elements of vectors, as vectors."""

        def pair(x, y):
            both = x[..., None] * y[..., None, :]
            return array_ops.reshape(both, array_ops.concat([array_ops.shape(both)[:-2], [-1]], 0))

        return functools.reduce(pair, parts)

    def _diag_part(self):
        return self._outer([o.diag_part() for o in self.operators])

    def _eigvals(self):
        return self._outer([o.eigvals() for o in self.operators])

    def _to_dense(self):
        def pair(x, y):
            both = x[..., :, None, :, None] * y[..., None, :, None, :]
            s = array_ops.shape(both)
            return array_ops.reshape(
                both, array_ops.concat([s[:-4], [s[-4] * s[-3], s[-2] * s[-1]]], 0)
            )

        return functools.reduce(pair, [o.to_dense() for o in self.operators])

    def _require_square_factors(self):
        if not all(o.is_square for o in self.operators):
            raise errors.InvalidArgumentError(
                None, None,
                "All Kronecker factors must be square for the product to be invertible. Expected "
                "hint `is_square` to be True for every operator in argument `operators`.",
            )  # fmt: skip

    def _assert_non_singular(self):
        self._require_square_factors()
        return group(*[o.assert_non_singular() for o in self.operators])

    def _assert_self_adjoint(self):
        self._require_square_factors()
        return group(*[o.assert_self_adjoint() for o in self.operators])
