"""What `tf.linalg` functions do with operators: the handler behind `__tf_dispatch__`."""

from __future__ import annotations

from torchtf import linalg
from torchtf.linalg._operator._base import LinearOperator


def _matmul(a, b, transpose_a, transpose_b, adjoint_a, adjoint_b, a_is_sparse, b_is_sparse, *rest):
    if transpose_a or transpose_b:
        raise ValueError("Transposing not supported at this time.")
    if a_is_sparse or b_is_sparse:
        raise ValueError("Sparse methods not supported at this time.")
    if isinstance(a, LinearOperator):
        return a.matmul(b, adjoint=adjoint_a, adjoint_arg=adjoint_b)
    return linalg.adjoint(b.matmul(a, adjoint=not adjoint_b, adjoint_arg=not adjoint_a))


def _solve(matrix, rhs, adjoint=False, *rest):
    if not isinstance(matrix, LinearOperator):
        raise ValueError(
            "Passing in `matrix` as a Tensor and `rhs` as a LinearOperator is not supported."
        )
    return matrix.solve(rhs, adjoint=adjoint)


def _inv(input, adjoint=False, *rest):
    inverse = input.inverse()
    return inverse.adjoint() if adjoint else inverse


def _logdet(matrix, *rest):
    if not (matrix.is_positive_definite and matrix.is_self_adjoint):
        raise ValueError("Expected matrix to be self-adjoint positive definite.")
    return matrix.log_abs_determinant()


_HANDLERS = {
    "matmul": _matmul,
    "solve": _solve,
    "inv": _inv,
    "logdet": _logdet,
    "adjoint": lambda matrix, *rest: matrix.adjoint(),
    "cholesky": lambda input, *rest: input.cholesky(),
    "diag_part": lambda input, *rest: input.diag_part(),
    "det": lambda input, *rest: input.determinant(),
    "trace": lambda x, *rest: x.trace(),
}


def call(op, args):
    """Calls a function one of whose tensor arguments is an operator.

    Raises:
        TypeError: if the function does not take operators.
    """
    handler = _HANDLERS.get(op.public.__name__)
    if handler is None:
        raise TypeError(f"tf.linalg.{op.public.__name__} does not take a LinearOperator")
    return handler(*args)
