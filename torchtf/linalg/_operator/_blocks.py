"""Operators made of blocks: on the diagonal, and in the lower triangle."""

from __future__ import annotations

import functools
import operator as python_operator

from torchtf import array_ops, linalg, math
from torchtf.control_flow import group
from torchtf.core import nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import Dimension, TensorShape
from torchtf.linalg._operator import _hints
from torchtf.linalg._operator._base import (
    LinearOperator,
    broadcast_batch_shapes,
    broadcast_batch_tensors,
    implied,
    records_parameters,
    same_dtype,
    vary_batch,
)
from torchtf.linalg._operator._dense import LinearOperatorDiag, LinearOperatorFullMatrix
from torchtf.linalg._operator._identity import LinearOperatorScaledIdentity


def _sum(values):
    return functools.reduce(python_operator.add, values)


def _is_blockwise(sizes: list[Dimension], x, axis: int) -> bool:
    """Whether an argument is a list of blocks, one for each of the operator's.

    Raises:
        ValueError: if that cannot be told, or its sizes do not fit.
    """
    if not (isinstance(x, (tuple, list)) and len(x) == len(sizes)):
        return False
    if not any(nest.is_nested(item) for item in x):
        return True
    have = [convert_to_tensor(item).shape[axis] for item in x]
    want = [s.value for s in sizes]
    if all(w is None for w in want):
        if len(have) == 1:
            return False
        if any(h != have[0] for h in have):
            return True
        raise ValueError(
            "Parsing of the input structure is ambiguous. Please input a blockwise iterable of "
            "`Tensor`s or a single `Tensor`."
        )
    if all(w is None or w == h for w, h in zip(want, have, strict=True)):
        return True
    if all(h == have[0] for h in have) and have[0] >= sum(w for w in want if w is not None):
        return False
    raise ValueError("Input dimension does not match operator dimension.")


class _Blocks(LinearOperator):
    """An operator whose arguments and results may be lists of blocks."""

    _tensor_fields = {"operators": 0}
    _operators: list

    @property
    def operators(self) -> list:
        return self._operators

    @property
    def _diagonal(self) -> list:
        """The blocks on the diagonal."""
        raise NotImplementedError

    @property
    def _all(self) -> list:
        return nest.flatten(self._operators)

    def _block_range_dimensions(self):
        return [o.range_dimension for o in self._diagonal]

    def _block_domain_dimensions(self):
        return [o.domain_dimension for o in self._diagonal]

    def _shape(self):
        rows, columns = _sum(self._block_range_dimensions()), _sum(self._block_domain_dimensions())
        return broadcast_batch_shapes(self._all).concatenate(TensorShape([rows, columns]))

    def _shape_tensor(self):
        rows = _sum([o.range_dimension_tensor() for o in self._diagonal])
        columns = _sum([o.domain_dimension_tensor() for o in self._diagonal])
        return array_ops.concat([broadcast_batch_tensors(self._all), [rows, columns]], 0)

    def _blockwise(self, x, method, use_domain, adjoint, adjoint_arg):
        """Splits an argument into blocks, applies `method`, joins the results the same way."""
        axis = -1 if adjoint_arg else -2
        side = "domain" if use_domain else "range"
        sizes = getattr(self, f"_block_{side}_dimensions")()
        if _is_blockwise(sizes, x, axis):
            blocks = [self._checked(b, s, axis) for b, s in zip(x, sizes, strict=True)]
            return method(blocks, adjoint, adjoint_arg)
        x = self._checked(x, getattr(self, f"{side}_dimension"), axis)
        lengths = [s.value for s in sizes]
        if None in lengths:
            lengths = [getattr(o, f"{side}_dimension_tensor")() for o in self._diagonal]
        blocks = array_ops.split(x, lengths, axis=axis)
        return array_ops.concat(vary_batch(*method(blocks, adjoint, adjoint_arg)), -2)

    def matmul(self, x, adjoint=False, adjoint_arg=False, name="matmul"):
        """A x, as for any operator; a list of blocks gives a list of blocks."""
        if isinstance(x, LinearOperator):
            return super().matmul(x, adjoint, adjoint_arg)
        return self._blockwise(x, self._matmul_blocks, not adjoint, adjoint, adjoint_arg)

    def solve(self, rhs, adjoint=False, adjoint_arg=False, name="solve"):
        """The X with A X = rhs, as for any operator; a list of blocks gives a list of blocks."""
        if isinstance(rhs, LinearOperator):
            return super().solve(rhs, adjoint, adjoint_arg)
        self._require_solvable()
        return self._blockwise(rhs, self._solve_blocks, adjoint, adjoint, adjoint_arg)

    def _vectors(self, x, method, use_domain, adjoint):
        side = "domain" if use_domain else "range"
        sizes = getattr(self, f"_block_{side}_dimensions")()
        if _is_blockwise(sizes, x, -1):
            columns = method([convert_to_tensor(b)[..., None] for b in x], adjoint=adjoint)
            return [array_ops.squeeze(c, -1) for c in columns]
        x = self._checked(x, getattr(self, f"{side}_dimension"), -1)
        return array_ops.squeeze(method(x[..., None], adjoint=adjoint), -1)

    def matvec(self, x, adjoint=False, name="matvec"):
        """A x for vectors, or lists of the blocks of vectors."""
        return self._vectors(x, self.matmul, not adjoint, adjoint)

    def solvevec(self, rhs, adjoint=False, name="solve"):
        """The x with A x = rhs for vectors, or lists of the blocks of vectors."""
        return self._vectors(rhs, self.solve, adjoint, adjoint)

    def _determinant(self):
        return functools.reduce(python_operator.mul, [o.determinant() for o in self._diagonal])

    def _log_abs_determinant(self):
        return _sum([o.log_abs_determinant() for o in self._diagonal])

    def _require_square_blocks(self, what):
        if not all(o.is_square for o in self._diagonal):
            raise NotImplementedError(
                f"`{what}` not implemented for an operator whose blocks are not square."
            )

    def _joined(self, vectors):
        """The vectors of the blocks as one."""
        columns = vary_batch(*[v[..., None] for v in vectors])
        return array_ops.squeeze(array_ops.concat(columns, -2), -1)

    def _diag_part(self):
        self._require_square_blocks("diag_part")
        return self._joined([o.diag_part() for o in self._diagonal])

    def _trace(self):
        self._require_square_blocks("trace")
        return _sum([o.trace() for o in self._diagonal])

    def _eigvals(self):
        self._require_square_blocks("eigvals")
        return self._joined([o.eigvals() for o in self._diagonal])

    def _assert_non_singular(self):
        return group(*[o.assert_non_singular() for o in self._diagonal])

    def _rows_to_dense(self, rows):
        """A matrix of rows of blocks: (columns of zeros before, blocks); zeros fill the rest."""
        blocks = iter(vary_batch(*[b for _, row in rows for b in row]))
        width = self.domain_dimension_tensor()
        dense = []
        for before, row in rows:
            parts = [next(blocks) for _ in row]
            height = array_ops.shape(parts[0])[:-1]
            used = before + _sum([array_ops.shape(p)[-1] for p in parts])
            left, right = (
                array_ops.zeros(array_ops.concat([height, [n]], 0), self.dtype)
                for n in (before, width - used)
            )
            dense.append(array_ops.concat([left, *parts, right], -1))
        result = array_ops.concat(dense, -2)
        result.set_shape(self.shape)
        return result


@records_parameters
class LinearOperatorBlockDiag(_Blocks):
    """Blocks on the diagonal, zeros elsewhere (source: `tf.linalg.LinearOperatorBlockDiag`).

    Args:
        operators: a list of operators of one type.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        TypeError: if their types differ.
        ValueError: if there are none, or a hint is wrong.
    """

    def __init__(
        self, operators, is_non_singular=None, is_self_adjoint=None, is_positive_definite=None,
        is_square=True, name=None,
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
                key: f"The direct sum of {word} operators is always {word}."
                for key, word in (
                    ("is_non_singular", "non-singular"), ("is_self_adjoint", "self-adjoint"),
                    ("is_positive_definite", "positive definite"),
                )
            },
        )  # fmt: skip
        super().__init__(
            dtype, is_square=is_square, name=name or "_ds_".join(o.name for o in operators), **hints
        )

    @property
    def _diagonal(self):
        return self._operators

    def _adjoint(self):
        return LinearOperatorBlockDiag(
            [o.adjoint() for o in self.operators], **dict(_hints.of(self), is_square=True)
        )

    def _inverse(self):
        return LinearOperatorBlockDiag([o.inverse() for o in self.operators], **_hints.of(self))

    def _cholesky(self):
        return LinearOperatorBlockDiag(
            [o.cholesky() for o in self.operators], is_non_singular=True, is_square=True
        )

    def _check_operator(self, left, right, argument):
        super()._check_operator(left, right, argument)
        if not isinstance(right, LinearOperatorBlockDiag):
            return
        if len(left.operators) != len(right.operators):
            what = "multiply two" if argument == "x" else "solve"
            raise ValueError(
                f"Can not efficiently {what} `LinearOperatorBlockDiag` when number of blocks "
                "differ."
            )
        for a, b in zip(left.operators, right.operators, strict=True):
            if (b.range_dimension == a.domain_dimension) is False:
                raise ValueError(
                    f"Blocks are incompatible. Expected `x` to have dimension "
                    f"{a.domain_dimension} but got {b.range_dimension}."
                )

    def _pairwise(self, right, method):
        pairs = zip(self.operators, right.operators, strict=True)
        return LinearOperatorBlockDiag(
            [getattr(a, method)(b) for a, b in pairs],
            is_non_singular=_hints.non_singular(self, right), is_square=True,
        )  # fmt: skip

    def _times(self, right):
        if isinstance(right, LinearOperatorBlockDiag):
            return self._pairwise(right, "matmul")
        return super()._times(right)

    def _solved(self, right):
        if isinstance(right, LinearOperatorBlockDiag):
            return self._pairwise(right, "solve")
        return super()._solved(right)

    def _matmul_blocks(self, blocks, adjoint, adjoint_arg):
        pairs = zip(self.operators, blocks, strict=True)
        return [o.matmul(b, adjoint=adjoint, adjoint_arg=adjoint_arg) for o, b in pairs]

    def _solve_blocks(self, blocks, adjoint, adjoint_arg):
        pairs = zip(self.operators, blocks, strict=True)
        return [o.solve(b, adjoint=adjoint, adjoint_arg=adjoint_arg) for o, b in pairs]

    def _to_dense(self):
        rows, before = [], 0
        for o in self.operators:
            rows.append((before, [o.to_dense()]))
            before = before + o.domain_dimension_tensor()
        return self._rows_to_dense(rows)

    def _assert_self_adjoint(self):
        return group(*[o.assert_self_adjoint() for o in self.operators])

    def _assert_positive_definite(self):
        return group(*[o.assert_positive_definite() for o in self.operators])


@records_parameters
class LinearOperatorBlockLowerTriangular(_Blocks):
    """Blocks in the lower triangle (source: `tf.linalg.LinearOperatorBlockLowerTriangular`).

    Args:
        operators: a list of rows; row i lists its i + 1 blocks, operators of one type.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        TypeError: if their types differ.
        ValueError: if the blocks do not fit, or a hint is wrong.
    """

    def __init__(
        self, operators, is_non_singular=None, is_self_adjoint=None, is_positive_definite=None,
        is_square=None, name="LinearOperatorBlockLowerTriangular",
    ):  # fmt: skip
        self._operators = operators = [list(row) for row in operators]
        if not operators:
            raise ValueError(
                f"Argument `operators` must be a list of >=1 operators. Received: {operators}."
            )
        dtype = same_dtype(self._all)
        diagonal = self._diagonal
        if all(o.is_non_singular for o in diagonal):
            if is_non_singular is False:
                raise ValueError(
                    "A blockwise lower-triangular operator with non-singular operators on the "
                    "main diagonal is always non-singular. Expected argument `is_non_singular` to "
                    "be True. Received: False."
                )
            is_non_singular = True
        elif any(o.is_non_singular is False for o in diagonal):
            if is_non_singular:
                raise ValueError(
                    "A blockwise lower-triangular operator with a singular operator on the main "
                    "diagonal is always singular. Expected argument `is_non_singular` to be "
                    "False. Received: True."
                )
            is_non_singular = False
        else:
            is_non_singular = None
        self._check_blocks()
        if is_square is False:
            raise ValueError(
                "`LinearOperatorBlockLowerTriangular` must be square. Expected argument "
                "`is_square` to be True. Received: False."
            )
        for i, o in enumerate(diagonal):
            if o.is_square is False:
                raise ValueError(
                    "Matrices on the diagonal (the final elements of each row-partition in the "
                    "`operators` list) must be square. Expected argument "
                    f"`operators[{i}][-1].is_square` to be True. Received: {o.is_square}."
                )
        super().__init__(
            dtype, None, is_non_singular, is_self_adjoint, is_positive_definite, True, name
        )

    def _check_blocks(self):
        rows = self._operators
        for i, row in enumerate(rows):
            if len(row) != i + 1:
                raise ValueError(
                    f"Argument `operators[{i}]` must contain `{i + 1}` blocks. Received: "
                    f"{len(row)} blocks."
                )
            for j in range(i):
                for side, other, place in (
                    ("domain", rows[i - 1][j], (i - 1, j)), ("range", row[j + 1], (i, j + 1)),
                ):  # fmt: skip
                    have, want = (getattr(o, f"{side}_dimension") for o in (row[j], other))
                    if not have.is_compatible_with(want):
                        raise ValueError(
                            f"Argument `operators[{i}][{j}].{side}_dimension` ({have}) must be the "
                            f"same as `operators[{place[0]}][{place[1]}].{side}_dimension` "
                            f"({want})."
                        )

    @property
    def _diagonal(self):
        return [row[-1] for row in self._operators]

    def _inverse(self):
        rows, bottom = self.operators[:-1], self.operators[-1]
        corner = bottom[-1].inverse()
        if not rows:
            return LinearOperatorBlockLowerTriangular([[corner]], **_hints.of(self))
        above = LinearOperatorBlockLowerTriangular(rows).inverse().operators
        last = []
        for i in range(len(rows)):
            parts = [bottom[j].matmul(above[j][i]) for j in range(i, len(rows))]
            block = corner.matmul(_added(parts))
            minus = math.cast(-1, block.dtype)
            size = corner.domain_dimension_tensor()
            last.append(LinearOperatorScaledIdentity(size, minus).matmul(block))
        return LinearOperatorBlockLowerTriangular(
            [*above, [*last, corner]], **dict(_hints.of(self), is_square=True)
        )

    def _matmul_blocks(self, blocks, adjoint, adjoint_arg):
        count = len(self.operators)
        terms = [
            [(self.operators[j][i], blocks[j]) for j in range(i, count)]
            if adjoint
            else [(self.operators[i][j], blocks[j]) for j in range(i + 1)]
            for i in range(count)
        ]
        return [
            _sum([o.matmul(b, adjoint=adjoint, adjoint_arg=adjoint_arg) for o, b in row])
            for row in terms
        ]

    def _solve_blocks(self, blocks, adjoint, adjoint_arg):
        if adjoint_arg:
            blocks = [linalg.adjoint(b) for b in blocks]
        count = len(blocks)
        solved = [None] * count
        for i in reversed(range(count)) if adjoint else range(count):
            rest = blocks[i]
            for j in range(i + 1, count) if adjoint else range(i):
                o = self.operators[j][i] if adjoint else self.operators[i][j]
                rest = rest - o.matmul(solved[j], adjoint=adjoint)
            solved[i] = self._diagonal[i].solve(rest, adjoint=adjoint)
        return solved

    def _determinant(self):
        if all(o.is_positive_definite for o in self._diagonal):
            return math.exp(self._log_abs_determinant())
        return super()._determinant()

    def _to_dense(self):
        return self._rows_to_dense([(0, [o.to_dense() for o in row]) for row in self.operators])


def _added(operators):
    """The sum of operators: diagonal if all are, else a full matrix."""
    if len(operators) == 1:
        return operators[0]
    if all(isinstance(o, LinearOperatorDiag) for o in operators):
        return LinearOperatorDiag(_sum([o.diag for o in operators]))
    return LinearOperatorFullMatrix(_sum([o.to_dense() for o in operators]))
