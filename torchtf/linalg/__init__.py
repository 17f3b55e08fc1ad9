"""`tf.linalg`: matrices and what is computed of them. All work on batches of matrices."""

from __future__ import annotations

import collections
import importlib
import math

import numpy as np
import torch

from torchtf.array_ops import expand_dims, squeeze, transpose
from torchtf.array_ops import eye as eye
from torchtf.array_ops import global_norm as global_norm
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor, raw, to_axis, to_shape
from torchtf.core.dispatch import dispatched
from torchtf.core.op import op
from torchtf.core.shape import brackets
from torchtf.core.tensor import is_fake, is_tensor_type, wrap
from torchtf.math import cast
from torchtf.math import l2_normalize as l2_normalize
from torchtf.math import matmul as matmul

# -- checks


def _matrix(x):
    if x.dim() < 2:
        raise errors.InvalidArgumentError(
            None, None, f"Input must have rank >= 2, but got {x.dim()}"
        )
    return x


def _square(x):
    _matrix(x)
    rows, columns = x.shape[-2:]
    if isinstance(rows, int) and isinstance(columns, int) and rows != columns:
        raise errors.InvalidArgumentError(
            None, None, f"Input matrix must be square, got shape {brackets(x.shape)}"
        )
    return x


def _pair(matrix, rhs):
    """Checks a matrix and right-hand sides; broadcasts their batches."""
    _matrix(matrix), _matrix(rhs)
    a, b = matrix.shape[-2], rhs.shape[-2]
    if isinstance(a, int) and isinstance(b, int) and a != b:
        raise errors.InvalidArgumentError(
            None, None,
            f"Input matrix and rhs are incompatible: "
            f"{brackets(matrix.shape)} vs. {brackets(rhs.shape)}",
        )  # fmt: skip


def _adjoint(x):
    swapped = x.transpose(-1, -2)
    return swapped.conj().resolve_conj() if x.is_complex() else swapped


# -- products


def matvec(
    a, b, transpose_a=False, adjoint_a=False, a_is_sparse=False, b_is_sparse=False, name=None
):
    """Multiplies matrices by vectors (source: `tf.linalg.matvec`).

    Args:
        a: matrices [..., m, n].
        b: vectors [..., n].
        transpose_a, adjoint_a: whether `a` is transposed, or transposed and conjugated, first.
        a_is_sparse, b_is_sparse: hints that many elements are zero; the result is the same.
    """
    b = expand_dims(convert_to_tensor(b, dtype_hint=getattr(a, "dtype", None)), -1)
    return squeeze(matmul(a, b, transpose_a=transpose_a, adjoint_a=adjoint_a, name=name), -1)


@op("Cross")
def cross(a: Real, b: Real):
    """The cross product of vectors along the last axis (source: `tf.linalg.cross`).

    Raises:
        FailedPreconditionError: if the last size is not 3.
        InvalidArgumentError: if the shapes differ.
    """
    if a.dim() == 0 or a.shape[-1] != 3:
        raise errors.FailedPreconditionError(
            None, None, "Cross-products are only defined for 3-element vectors."
        )
    if not is_fake(a) and a.shape != b.shape:
        raise errors.InvalidArgumentError(
            None,
            None,
            f"Both inputs must be of same shape: {brackets(a.shape)} vs. {brackets(b.shape)}",
        )
    return torch.linalg.cross(a, b)


def einsum(equation, *inputs, **kwargs):
    """Einstein's summation (source: `tf.einsum`).

    Args:
        equation: labels of the axes, e.g. `"ij,jk->ik"`; `...` stands for axes that broadcast.
        *inputs: tensors of one type.
        optimize: how the order of contraction is chosen, as in `opt_einsum`; the result is the
            same.
        name: a name for the op.

    Raises:
        TypeError: for an unknown keyword.
        ValueError: if the equation is malformed.
        InvalidArgumentError: if the tensors do not fit it.
    """
    name = kwargs.pop("name", None)
    kwargs.pop("optimize", None)
    if kwargs:
        raise TypeError(
            f"Invalid keyword arguments for this function: {', '.join(sorted(kwargs))}. "
            "Expected: name, optimize."
        )
    if not isinstance(equation, str):
        raise TypeError(f"Expected a string as equation, got {equation!r}")
    operands = [convert_to_tensor(x) for x in inputs]
    equation = equation.replace(" ", "")
    left = equation.split("->")[0].split(",")
    if len(left) != len(operands):
        raise ValueError(
            f'Got {len(operands)} arguments for equation "{equation}", expecting {len(left)}.'
        )
    if any(c not in ",.->" and not c.isalpha() for c in equation) or equation.count("->") > 1:
        raise ValueError(f"Invalid einsum equation {equation!r}")
    if "->" in equation:
        unknown = set(equation.split("->")[1]) - set("".join(left)) - {"."}
        if unknown:
            raise ValueError(
                f"Output subscripts contain the label {min(unknown)} not present in the input "
                "subscripts."
            )
    return _einsum(operands, equation, name)


@op("Einsum", strings=None)
def _einsum(inputs: list[Num], equation):
    with torch.backends.opt_einsum.flags(enabled=not is_fake(inputs[0])):  # it reads the sizes
        return torch.einsum(equation, *inputs)


def tensordot(a, b, axes, name=None):
    """Contracts axes of two tensors (source: `tf.tensordot`).

    Args:
        a, b: tensors of one type.
        axes: n, for the last n axes of `a` and the first n of `b`; or a pair of axes or of lists
            of axes.

    Raises:
        ValueError: if `axes` is malformed.
        InvalidArgumentError: if the sizes of contracted axes differ.
    """
    a = convert_to_tensor(a)
    b = convert_to_tensor(b, dtype_hint=a.dtype)
    axes = to_axis(axes)
    if isinstance(axes, int):
        if axes < 0:
            raise ValueError(f"`axes` must be at least 0. Received: {axes}.")
        if a.ndim is not None and axes > a.ndim:
            raise ValueError(
                f"`axes` must not be larger than the number of dimensions of tensor {a}. "
                f"Received {axes}, vs tensor dimensions {a.ndim}."
            )
        pair = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        if len(axes) != 2:
            raise ValueError(f"`axes` must be an integer or have length 2. Received {axes}.")
        pair = tuple([x] if isinstance(x, int) else list(x) for x in axes)
        if len(pair[0]) != len(pair[1]):
            raise ValueError(
                "Different number of contraction axes `a` and `b`, "
                f"{len(pair[0])} != {len(pair[1])}."
            )
    return _tensordot(a, b, pair, name)


@op("MatMul", strings=None)
def _tensordot(a: Num, b: Num, axes):
    for i, j in zip(*axes, strict=True):
        m, n = a.shape[i], b.shape[j]
        if isinstance(m, int) and isinstance(n, int) and m != n:
            raise errors.InvalidArgumentError(
                None, None,
                f"Matrix size-incompatible: In[0]: {brackets(a.shape)}, In[1]: {brackets(b.shape)}",
            )  # fmt: skip
    return torch.tensordot(a, b, axes)


# -- shapes of matrices


@dispatched
def matrix_transpose(a, name="matrix_transpose", conjugate=False):
    """Swaps the last two axes (source: `tf.linalg.matrix_transpose`).

    Raises:
        ValueError: for fewer than two axes.
    """
    a = convert_to_tensor(a)
    if a.ndim is not None and a.ndim < 2:
        raise ValueError(
            f"Argument `a` should be a (batch) matrix with rank >= 2. Received `a` = {a} with "
            f"shape: {a.shape}"
        )
    order = list(range(a.ndim))
    order[-2:] = order[-1], order[-2]
    return transpose(a, order, conjugate)


@dispatched
def adjoint(matrix, name=None):
    """Transposes the last two axes and conjugates (source: `tf.linalg.adjoint`)."""
    return matrix_transpose(matrix, conjugate=True)


@op("MatrixBandPart")
def _band_part(input: T, lower, upper):
    _matrix(input)
    rows, columns = input.shape[-2:]
    i = torch.arange(rows, device=input.device).unsqueeze(1)
    j = torch.arange(columns, device=input.device)
    inside = ((lower < 0) | (i - j <= lower)) & ((upper < 0) | (j - i <= upper))
    return torch.where(inside, input, torch.zeros((), dtype=input.dtype, device=input.device))


def band_part(input, num_lower, num_upper, name=None):
    """The diagonal with bands below and above, zeros elsewhere (source: `tf.linalg.band_part`).

    Args:
        input: matrices [..., m, n].
        num_lower, num_upper: how many subdiagonals and superdiagonals are kept; all if negative.

    Raises:
        InvalidArgumentError: if a number is larger than the matrix.
    """
    input = convert_to_tensor(input)
    (lower,), (upper,) = to_shape(num_lower), to_shape(num_upper)
    for value, size, what in ((lower, -2, "num_lower"), (upper, -1, "num_upper")):
        limit = input.shape[size] if input.ndim >= 2 else None
        if isinstance(value, int) and limit is not None and value > limit:
            raise errors.InvalidArgumentError(
                None, None,
                f"{what} must be negative or less or equal to number of rows ({limit}) got: "
                f"{value} [Op:MatrixBandPart]",
            )  # fmt: skip
    return _band_part(input, lower, upper, name)


def _diagonals(k) -> tuple[int, int]:
    """The lowest and highest diagonal that `k`, a number or a pair, stands for."""
    k = to_axis(k)
    if isinstance(k, int):
        return k, k
    low, high = (k[0], k[0]) if len(k) == 1 else k
    if low > high:
        raise errors.InvalidArgumentError(
            None, None,
            f"lower_diag_index must be smaller than or equal to upper_diag_index: {low} > {high}",
        )  # fmt: skip
    return low, high


def _check_align(align):
    if align not in ("RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT"):
        raise errors.InvalidArgumentError(
            None, None,
            f"Value for attr 'align' of \"{align}\" is not in the list of allowed values: "
            '"LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT"',
        )  # fmt: skip


def _diagonal_places(rows, columns, k, align, device):
    """Coordinates in a matrix of the elements of packed diagonals, and which of them exist.

    The packed form has one row for each diagonal, the highest first; shorter ones are aligned to
    the left or right of it.
    """
    low, high = k
    _check_align(align)
    upper_side, lower_side = align.split("_")
    width = torch.sym_min(rows + min(high, 0), columns - max(low, 0))
    offsets = torch.arange(high, low - 1, -1, device=device).unsqueeze(1)
    lengths = torch.minimum(rows + offsets.clamp(max=0), columns - offsets.clamp(min=0))
    to_right = torch.where(offsets >= 0, upper_side == "RIGHT", lower_side == "RIGHT")
    place = torch.arange(width, device=device) - torch.where(to_right, width - lengths, 0)
    i = place - offsets.clamp(max=0)
    j = place + offsets.clamp(min=0)
    exists = (place >= 0) & (place < lengths)
    return torch.where(exists, i, 0), torch.where(exists, j, 0), exists


@op("MatrixDiagPartV3")
def _diag_part(input: T, padding: T, k, align) -> T:
    _matrix(input)
    _check_align(align)
    rows, columns = input.shape[-2:]
    low, high = k
    for d in k:
        if (
            isinstance(rows, int)
            and isinstance(columns, int)
            and not (-rows < d < columns or d == 0)
        ):
            raise errors.InvalidArgumentError(
                None, None, f"diag_index is out of bound: {d} for a matrix {brackets(input.shape)}"
            )
    if low == high:
        return torch.diagonal(input, low, -2, -1).clone()
    i, j, exists = _diagonal_places(rows, columns, k, align, input.device)
    return torch.where(exists, input[..., i, j], padding.detach())


@dispatched
def diag_part(input, name="diag_part", k=0, padding_value=0, align="RIGHT_LEFT"):
    """The diagonals of matrices (source: `tf.linalg.diag_part`).

    Args:
        input: matrices [..., m, n].
        k: the diagonal, positive above the main one; or a pair, the lowest and highest of a band.
        padding_value: what fills up the shorter diagonals of a band.
        align: where the diagonals above and below the main one are aligned: "RIGHT_LEFT",
            "LEFT_RIGHT", "LEFT_LEFT" or "RIGHT_RIGHT".

    Returns:
        Vectors, or for a band matrices with the highest diagonal in the first row.

    Raises:
        InvalidArgumentError: if a diagonal is outside the matrix.
    """
    input = convert_to_tensor(input)
    padding = _scalar_like(padding_value, input)
    return _diag_part(input, padding, _diagonals(k), align)


def _scalar_like(value, tensor):
    if tensor.dtype is dtypes.string and value == 0:
        value = ""
    if tensor.dtype is dtypes.bool_ and not is_tensor_type(value):
        value = bool(value)
    if is_tensor_type(value):
        return value
    return convert_to_tensor(value, dtype=tensor.dtype)


@op("MatrixDiagV3")
def _diag(diagonal: T, padding: T, k, rows, columns, align) -> T:
    low, high = k
    packed = diagonal if low != high else diagonal.unsqueeze(-2)
    if packed.shape[-2] != high - low + 1:
        raise errors.InvalidArgumentError(
            None, None,
            f"The number of diagonals provided in the input does not match the lower_diag_index "
            f"and upper_diag_index range: {packed.shape[-2]} for {low} to {high}",
        )  # fmt: skip
    width = packed.shape[-1]
    least_rows, least_columns = width - min(high, 0), width + max(low, 0)
    if rows == -1 and columns == -1:
        rows = columns = max(least_rows, least_columns)
    elif rows == -1:
        rows = least_rows
    elif columns == -1:
        columns = least_columns
    if isinstance(width, int) and (
        rows < least_rows
        or columns < least_columns
        or (rows != least_rows and columns != least_columns)
    ):
        raise errors.InvalidArgumentError(
            None, None,
            f"The number of rows or columns is not consistent with the specified d_lower, d_upper, "
            f"and diagonal: {rows} x {columns}",
        )  # fmt: skip
    i, j, exists = _diagonal_places(rows, columns, k, align, diagonal.device)
    flat = torch.where(exists, i * columns + j, rows * columns).reshape(-1)
    batch = packed.shape[:-2]
    out = padding.detach().expand(*batch, rows * columns + 1)
    values = packed.reshape(*batch, -1)
    out = out.index_copy(-1, flat, values) if not batch else torch.scatter(
        out, -1, flat.expand(values.shape), values
    )  # fmt: skip
    return out[..., :-1].reshape(*batch, rows, columns)


def diag(diagonal, name="diag", k=0, num_rows=-1, num_cols=-1, padding_value=0, align="RIGHT_LEFT"):
    """Matrices with the given diagonals (source: `tf.linalg.diag`).

    Args:
        diagonal: vectors, or for a band matrices with the highest diagonal in the first row.
        k: the diagonal, positive above the main one; or a pair, the lowest and highest of a band.
        num_rows, num_cols: the size of the matrices; the least possible by default.
        padding_value: what fills the rest.
        align: as for `diag_part`.

    Raises:
        InvalidArgumentError: if the sizes do not fit.
    """
    diagonal = convert_to_tensor(diagonal)
    (rows,), (columns,) = to_shape(num_rows), to_shape(num_cols)
    padding = _scalar_like(padding_value, diagonal)
    return _diag(diagonal, padding, _diagonals(k), rows, columns, align)


@op("MatrixSetDiagV3")
def _set_diag(input: T, diagonal: T, k, align) -> T:
    _matrix(input)
    rows, columns = input.shape[-2:]
    low, high = k
    packed = diagonal if low != high else diagonal.unsqueeze(-2)
    i, j, exists = _diagonal_places(rows, columns, k, align, input.device)
    if packed.shape[-1] != exists.shape[-1] or packed.shape[-2] != exists.shape[-2]:
        raise errors.InvalidArgumentError(
            None, None,
            f"The first dimensions of diagonal don't match the input: "
            f"{brackets(diagonal.shape)} for "
            f"{brackets(input.shape)} and k = {k}",
        )  # fmt: skip
    place = (i * columns + j).reshape(-1)
    here = torch.zeros(rows * columns + 1, dtype=torch.bool, device=input.device)
    here = here.index_fill(0, torch.where(exists.reshape(-1), place, rows * columns), True)
    source = torch.zeros(rows * columns + 1, dtype=torch.int64, device=input.device)
    source = source.index_copy(
        0, torch.where(exists.reshape(-1), place, rows * columns),
        torch.arange(place.shape[0], device=input.device),
    )  # fmt: skip
    values = packed.reshape(*packed.shape[:-2], -1).index_select(-1, source[:-1])
    values = values.reshape(*packed.shape[:-2], rows, columns)
    return torch.where(here[:-1].reshape(rows, columns), values, input)


def set_diag(input, diagonal, name="set_diag", k=0, align="RIGHT_LEFT"):
    """Matrices with other diagonals (source: `tf.linalg.set_diag`).

    Args:
        input: matrices [..., m, n].
        diagonal: what `diag_part(input, k=k, align=align)` shall be.
        k, align: as for `diag_part`.

    Raises:
        InvalidArgumentError: if the shapes do not fit.
    """
    return _set_diag(input, diagonal, _diagonals(k), align)


@op("Diag")
def tensor_diag(diagonal: Wide):
    """A tensor of twice the rank, zero off its diagonal (source: `tf.linalg.tensor_diag`)."""
    return torch.diag(diagonal.reshape(-1)).reshape(*diagonal.shape, *diagonal.shape)


@op("DiagPart")
def tensor_diag_part(input: Wide):
    """The diagonal of a tensor whose shape is one shape twice
    (source: `tf.linalg.tensor_diag_part`).

    Raises:
        InvalidArgumentError: if the shape is not of that kind.
    """
    half = input.dim() // 2
    if input.dim() % 2 or not input.dim() or tuple(input.shape[:half]) != tuple(input.shape[half:]):
        raise errors.InvalidArgumentError(
            None, None, f"Invalid shape {brackets(input.shape)}: the halves must be equal"
        )
    axes = range(half)
    return torch.einsum(input, [*axes, *axes], [*axes])


@op("Sum")
def trace(x: Num):
    """The sum of the main diagonal (source: `tf.linalg.trace`)."""
    return torch.diagonal(_matrix(x), 0, -2, -1).sum(-1, dtype=x.dtype)


# -- factors


@op("Cholesky", half=False)
def cholesky(input: Matrix):
    """The lower triangular L with L L^H = input (source: `tf.linalg.cholesky`).

    Only the lower triangle is read. A matrix that is not positive definite gives NaNs.
    """
    return _cholesky_or_nan(input)


def _cholesky_or_nan(x):
    """The Cholesky factor; NaNs in the triangle if a matrix is not positive definite."""
    factor, info = torch.linalg.cholesky_ex(_square(x))
    scale = torch.where(info == 0, 1.0, math.nan)[..., None, None].to(factor.dtype)
    return torch.tril(factor * scale)


@op("CholeskySolve", half=False)
def cholesky_solve(chol: Matrix, rhs: Matrix):
    """Solves A X = rhs, given A's Cholesky factor (source: `tf.linalg.cholesky_solve`)."""
    half = torch.linalg.solve_triangular(chol, rhs, upper=False)
    return torch.linalg.solve_triangular(_adjoint(chol), half, upper=True)


_Qr = collections.namedtuple("Qr", ["q", "r"])


@op("Qr", half=False)
def qr(input: Matrix, full_matrices=False):
    """Orthogonal Q and upper triangular R with Q R = input (source: `tf.linalg.qr`).

    Args:
        input: matrices [..., m, n].
        full_matrices: whether Q is square.

    Returns:
        A named tuple `q`, `r`.
    """
    return _Qr(*torch.linalg.qr(_matrix(input), mode="complete" if full_matrices else "reduced"))


@op("Svd", half=False)
def _svd(tensor: Matrix, full_matrices) -> tuple[U, Matrix, Matrix]:
    u, s, vh = torch.linalg.svd(_matrix(tensor), full_matrices=full_matrices)
    return s, u, _adjoint(vh)


@op("Svd", half=False)
def _singular_values(tensor: Matrix) -> U:
    return torch.linalg.svdvals(_matrix(tensor))


def svd(tensor, full_matrices=False, compute_uv=True, name=None):
    """Singular values and vectors: tensor = U diag(S) V^H (source: `tf.linalg.svd`).

    Args:
        tensor: matrices [..., m, n].
        full_matrices: whether U and V are square.
        compute_uv: whether to return U and V.

    Returns:
        A tuple S, U, V, or S alone. S is in descending order.
    """
    if not compute_uv:
        return _singular_values(tensor, name)
    return tuple(_svd(tensor, full_matrices, name))


@op("SelfAdjointEigV2", half=False)
def _eigh(tensor: Matrix) -> tuple[U, Matrix]:
    lower = torch.tril(_square(tensor))  # the gradient is that of the lower triangle
    return tuple(torch.linalg.eigh(lower + _adjoint(torch.tril(tensor, -1)), UPLO="L"))


def _with_input_type(values, tensor):
    """TensorFlow gives even real eigenvalues in the type of the matrix."""
    kind = convert_to_tensor(tensor).dtype
    return cast(values, kind)


def eigh(tensor, name=None):
    """Eigenvalues, ascending, and eigenvectors of self-adjoint matrices
    (source: `tf.linalg.eigh`).

    Only the lower triangle is read.
    """
    values, vectors = _eigh(tensor, name)
    return _with_input_type(values, tensor), vectors


def eigvalsh(tensor, name=None):
    """The eigenvalues of self-adjoint matrices, ascending (source: `tf.linalg.eigvalsh`)."""
    return _with_input_type(_eigh(tensor, name)[0], tensor)


@op("Eig")
def _eig(tensor: Matrix2) -> tuple[Complex, Complex]:
    return tuple(torch.linalg.eig(_square(tensor)))


def eig(tensor, name=None):
    """Complex eigenvalues and eigenvectors of square matrices (source: `tf.linalg.eig`)."""
    return tuple(_eig(tensor, name))


def eigvals(tensor, name=None):
    """The complex eigenvalues of square matrices (source: `tf.linalg.eigvals`)."""
    return _eig(tensor, name)[0]


_Lu = collections.namedtuple("Lu", ["lu", "p"])


@op("Lu", half=False)
def _lu(input: Matrix, to) -> tuple[Matrix, Index]:
    packed, pivots = torch.linalg.lu_factor(_square(input))
    order, _, _ = torch.lu_unpack(packed, pivots, unpack_data=False)
    return _Lu(packed, order.abs().argmax(-2).to(to))


def lu(input, output_idx_type=dtypes.int32, name=None):
    """The factors of P^-1 L U = input, L and U packed in one matrix (source: `tf.linalg.lu`).

    Args:
        input: square matrices.
        output_idx_type: the type of the permutation.

    Returns:
        A named tuple `lu`, `p`: row i of L U is row p[i] of the input.

    Raises:
        InvalidArgumentError: if a matrix is not square.
    """
    return _lu(input, dtypes.as_dtype(output_idx_type).torch, name)


def _check_permutation(lower_upper, perm, validate_args):
    """Raises if the factors are no valid output of `lu`."""
    if validate_args:
        _square(raw(lower_upper))
        p = raw(perm)
        if not is_fake(p) and not bool(
            (p.sort(-1).values == torch.arange(p.shape[-1], dtype=p.dtype)).all()
        ):
            raise errors.InvalidArgumentError(None, None, "`perm` is not a permutation")


@op("LuReconstruct")
def _lu_reconstruct(lower_upper: Matrix, perm: Index) -> Matrix:
    lower = torch.tril(lower_upper, -1) + torch.eye(
        lower_upper.shape[-1], dtype=lower_upper.dtype, device=lower_upper.device
    )
    product = lower @ torch.triu(lower_upper)
    inverse = torch.argsort(perm, -1).unsqueeze(-1).expand(product.shape)
    return torch.gather(product, -2, inverse)


def lu_reconstruct(lower_upper, perm, validate_args=False, name=None):
    """The matrices that `lu` factored (source: `tf.linalg.lu_reconstruct`)."""
    _check_permutation(lower_upper, perm, validate_args)
    return _lu_reconstruct(lower_upper, perm, name)


@op("LuSolve")
def _lu_solve(lower_upper: Matrix, perm: Index, rhs: Matrix) -> Matrix:
    index = perm.to(torch.int64).unsqueeze(-1)
    batch = torch.broadcast_shapes(index.shape[:-2], rhs.shape[:-2])
    rhs = rhs.expand(*batch, *rhs.shape[-2:])
    ordered = torch.gather(rhs, -2, index.expand(rhs.shape))
    half = torch.linalg.solve_triangular(lower_upper, ordered, upper=False, unitriangular=True)
    return torch.linalg.solve_triangular(lower_upper, half, upper=True)


def lu_solve(lower_upper, perm, rhs, validate_args=False, name=None):
    """Solves A X = rhs, given what `lu(A)` returned (source: `tf.linalg.lu_solve`)."""
    _check_permutation(lower_upper, perm, validate_args)
    return _lu_solve(lower_upper, perm, rhs, name)


def lu_matrix_inverse(lower_upper, perm, validate_args=False, name=None):
    """The inverse of the matrices that `lu` factored (source: `tf.linalg.lu_matrix_inverse`)."""
    lower_upper = convert_to_tensor(lower_upper)
    one = torch.eye(lower_upper._data.shape[-1], dtype=lower_upper._data.dtype)
    return lu_solve(lower_upper, perm, wrap(one), validate_args, name)


# -- solving


def _singular(error):
    return errors.InvalidArgumentError(None, None, "Input matrix is not invertible.")


@op("MatrixInverse", half=False)
def inv(input: Matrix, adjoint=False):
    """The inverse of square matrices (source: `tf.linalg.inv`).

    Args:
        input: square matrices.
        adjoint: whether to return the adjoint of the inverse.

    Raises:
        InvalidArgumentError: if a matrix is not invertible.
    """
    try:
        result = torch.linalg.inv(_square(input))
    except torch.linalg.LinAlgError as e:
        raise _singular(e) from None
    return _adjoint(result) if adjoint else result


@op("MatrixSolve", half=False)
def solve(matrix: Matrix, rhs: Matrix, adjoint=False):
    """Solves matrix X = rhs (source: `tf.linalg.solve`).

    Args:
        matrix: square matrices [..., m, m].
        rhs: right-hand sides [..., m, k].
        adjoint: whether to solve with the adjoint matrices.

    Raises:
        InvalidArgumentError: if a matrix is not invertible or the shapes do not fit.
    """
    _square(matrix)
    _pair(matrix, rhs)
    try:
        return torch.linalg.solve(_adjoint(matrix) if adjoint else matrix, rhs)
    except torch.linalg.LinAlgError as e:
        raise _singular(e) from None


@op("MatrixTriangularSolve", half=False)
def triangular_solve(matrix: FloatComplex, rhs: FloatComplex, lower=True, adjoint=False):
    """Solves matrix X = rhs with triangular matrices (source: `tf.linalg.triangular_solve`).

    Args:
        matrix: square matrices, of which one triangle is read.
        rhs: right-hand sides [..., m, k].
        lower: which triangle.
        adjoint: whether to solve with the adjoint matrices.

    Raises:
        InvalidArgumentError: if the shapes do not fit.
    """
    _square(matrix)
    _pair(matrix, rhs)
    if adjoint:
        return torch.linalg.solve_triangular(_adjoint(matrix), rhs, upper=lower)
    return torch.linalg.solve_triangular(matrix, rhs, upper=not lower)


@op("MatrixSolveLs", half=False)
def _lstsq(matrix: Matrix, rhs: Matrix, regularizer):
    _pair(matrix, rhs)
    rows, columns = matrix.shape[-2:]
    if rows >= columns:
        gram = _adjoint(matrix) @ matrix
        one = torch.eye(columns, dtype=gram.dtype, device=gram.device)
        return torch.linalg.solve(gram + regularizer * one, _adjoint(matrix) @ rhs)
    gram = matrix @ _adjoint(matrix)
    one = torch.eye(rows, dtype=gram.dtype, device=gram.device)
    return _adjoint(matrix) @ torch.linalg.solve(gram + regularizer * one, rhs)


@op("MatrixSolveLs", half=False)
def _lstsq_orthogonal(matrix: Matrix, rhs: Matrix):
    _pair(matrix, rhs)
    return torch.linalg.pinv(matrix) @ rhs


def lstsq(matrix, rhs, l2_regularizer=0.0, fast=True, name=None):
    """Least squares: the X that minimizes |matrix X - rhs|^2 + l2_regularizer |X|^2
    (source: `tf.linalg.lstsq`).

    Args:
        matrix: matrices [..., m, n].
        rhs: right-hand sides [..., m, k].
        l2_regularizer: a number.
        fast: whether to use the normal equations; else a slower way that takes matrices of less
            than full rank and has no regularizer.
    """
    if fast:
        return _lstsq(matrix, rhs, float(l2_regularizer), name)
    return _lstsq_orthogonal(matrix, rhs, name)


_FORMATS = ("compact", "matrix", "sequence")


def _diagonal_parts(diagonals, form) -> list:
    """What holds the diagonals: one tensor, or three."""
    if form not in _FORMATS:
        raise ValueError(
            f"Expected diagonals_format to be one of {', '.join(_FORMATS)}, got {form}"
        )
    return list(diagonals) if form == "sequence" else [diagonals]


def _three_diagonals(parts, form):
    """The superdiagonal, diagonal and subdiagonal of tridiagonal matrices [..., n, n]."""
    if form == "compact":
        (d,) = parts
        return d[..., 0, :-1], d[..., 1, :], d[..., 2, 1:]
    if form == "matrix":
        return tuple(torch.diagonal(parts[0], k, -2, -1) for k in (1, 0, -1))
    upper, main, lower = parts
    n = main.shape[-1]
    upper = upper[..., :-1] if upper.shape[-1] == n else upper
    return upper, main, lower[..., 1:] if lower.shape[-1] == n else lower


@op("TridiagonalMatMul")
def _tridiagonal_matmul(diagonals: list[Matrix2], rhs: Matrix2, form):
    upper, main, lower = _three_diagonals(diagonals, form)
    zero = torch.zeros_like(rhs[..., :1, :])
    above = torch.cat([rhs[..., 1:, :] * upper.unsqueeze(-1), zero], -2)
    below = torch.cat([zero, rhs[..., :-1, :] * lower.unsqueeze(-1)], -2)
    return above + rhs * main.unsqueeze(-1) + below


def tridiagonal_matmul(diagonals, rhs, diagonals_format="compact", name=None):
    """Multiplies tridiagonal matrices by matrices (source: `tf.linalg.tridiagonal_matmul`).

    Args:
        diagonals: the superdiagonal, diagonal and subdiagonal: "compact", a tensor [..., 3, n];
            "sequence", a list of three; "matrix", a tensor [..., n, n].
        rhs: matrices [..., n, k].
        diagonals_format: which of these it is.

    Raises:
        ValueError: if the format is unknown.
    """
    parts = _diagonal_parts(diagonals, diagonals_format)
    return _tridiagonal_matmul(parts, rhs, diagonals_format, name)


@op("TridiagonalSolve")
def _tridiagonal_solve(diagonals: list[Matrix2], rhs: Matrix2, form, transpose, conjugate):
    upper, main, lower = _three_diagonals(diagonals, form)
    vector = rhs.dim() == main.dim()
    if vector:
        rhs = rhs.unsqueeze(-1)
    elif transpose:
        rhs = rhs.transpose(-1, -2)
    rhs = rhs.conj() if conjugate else rhs
    dense = torch.diag_embed(main) + torch.diag_embed(upper, 1) + torch.diag_embed(lower, -1)
    try:
        result = torch.linalg.solve(dense, rhs)
    except torch.linalg.LinAlgError as e:
        raise _singular(e) from None
    return result.squeeze(-1) if vector else result


def tridiagonal_solve(
    diagonals,
    rhs,
    diagonals_format="compact",
    transpose_rhs=False,
    conjugate_rhs=False,
    name=None,
    partial_pivoting=True,
    perturb_singular=False,
):
    """Solves with tridiagonal matrices (source: `tf.linalg.tridiagonal_solve`).

    Args:
        diagonals, diagonals_format: as for `tridiagonal_matmul`.
        rhs: right-hand sides [..., n] or [..., n, k].
        transpose_rhs, conjugate_rhs: what is done to `rhs` first.
        partial_pivoting: whether to exchange rows for precision; it is always done.
        perturb_singular: not supported.

    Raises:
        InvalidArgumentError: if a matrix is not invertible.
        ValueError: if the format is unknown.
    """
    if perturb_singular:
        raise NotImplementedError(
            "tridiagonal_solve(perturb_singular=True) is not supported; add a small diagonal first"
        )
    parts = _diagonal_parts(diagonals, diagonals_format)
    return _tridiagonal_solve(parts, rhs, diagonals_format, transpose_rhs, conjugate_rhs, name)


@op("BandedTriangularSolve", half=False)
def _banded_triangular_solve(bands: Matrix, rhs: Matrix, lower, adjoint):
    count, n = bands.shape[-2:]
    dense = torch.zeros((*bands.shape[:-2], n, n), dtype=bands.dtype, device=bands.device)
    for k in range(count):
        if lower:  # row k holds the k-th subdiagonal, padded at the left
            dense = dense + torch.diag_embed(bands[..., k, k:], -k)
        else:  # the highest superdiagonal comes first, padded at the right
            above = count - 1 - k
            dense = dense + torch.diag_embed(bands[..., k, : n - above], above)
    if adjoint:
        return torch.linalg.solve_triangular(_adjoint(dense), rhs, upper=lower)
    return torch.linalg.solve_triangular(dense, rhs, upper=not lower)


def banded_triangular_solve(bands, rhs, lower=True, adjoint=False, name=None):
    """Solves with triangular matrices given by their diagonals
    (source: `tf.linalg.banded_triangular_solve`).

    Args:
        bands: the diagonals [..., k, n]: of lower triangles the main one first, of upper ones last.
        rhs: right-hand sides [..., n, m].
        lower: whether the matrices are lower triangular.
        adjoint: whether to solve with the adjoint matrices.
    """
    return _banded_triangular_solve(bands, rhs, lower, adjoint, name)


def eigh_tridiagonal(
    alpha, beta, eigvals_only=True, select="a", select_range=None, tol=None, name=None
):
    """Eigenvalues of self-adjoint tridiagonal matrices (source: `tf.linalg.eigh_tridiagonal`).

    Args:
        alpha: the diagonals [n].
        beta: the superdiagonals [n - 1].
        eigvals_only: whether to leave out the eigenvectors.
        select: "a" all; "v" those in the half-open interval `select_range`; "i" those with the
            indices from select_range[0] to select_range[1].
        select_range: see `select`.
        tol: the precision asked for; the result is as exact as the type allows.

    Returns:
        The eigenvalues, ascending, and eigenvectors if asked for.
    """
    alpha = convert_to_tensor(alpha)
    beta = convert_to_tensor(beta, dtype=alpha.dtype)
    a, b = raw(alpha), raw(beta)
    dense = torch.diag_embed(a) + torch.diag_embed(b.conj(), -1)
    values, vectors = _eigh(wrap(dense))
    values, vectors = raw(values), raw(vectors)
    if select == "i":
        low, high = to_shape(select_range)
        if low > high:
            raise ValueError("Got empty index range in select_range.")
        values, vectors = values[low : high + 1], vectors[:, low : high + 1]
    elif select == "v":
        low, high = (float(convert_to_tensor(v)) for v in select_range)
        if low >= high:
            raise ValueError("Got empty interval in select_range.")
        chosen = ((values > low) & (values <= high)).nonzero().squeeze(1)
        values, vectors = values[chosen], vectors[:, chosen]
    elif select != "a":
        raise ValueError("`select must have a value in {'a', 'i', 'v'}.")
    return wrap(values) if eigvals_only else (wrap(values), wrap(vectors))


# -- functions of matrices


@op("MatrixDeterminant", half=False)
def det(input: Matrix):
    """The determinant of square matrices (source: `tf.linalg.det`)."""
    return torch.linalg.det(_square(input))


_LogDet = collections.namedtuple("LogMatrixDeterminant", ["sign", "log_abs_determinant"])


@op("LogMatrixDeterminant", half=False)
def _slogdet(input: Matrix):
    sign, log = torch.linalg.slogdet(_square(input))
    return _LogDet(sign, log.to(input.dtype))


def slogdet(input, name=None):
    """Sign and logarithm of the absolute value of the determinant (source: `tf.linalg.slogdet`).

    Returns:
        A named tuple `sign`, `log_abs_determinant`.
    """
    return _slogdet(input, name)


@op("Logdet", half=False)
def logdet(matrix: Matrix):
    """The logarithm of the determinant of positive definite matrices
    (source: `tf.linalg.logdet`); NaN for others.
    """
    factor = _cholesky_or_nan(matrix)
    return 2 * torch.log(torch.diagonal(factor, 0, -2, -1).real).sum(-1).to(matrix.dtype)


@op("MatrixExponential", half=False)
def expm(input: Matrix):
    """The exponential of square matrices (source: `tf.linalg.expm`)."""
    return torch.linalg.matrix_exp(_square(input))


@op("MatrixLogarithm")
def logm(input: Complex):
    """The logarithm of square complex matrices (source: `tf.linalg.logm`)."""
    return _of_eigenvalues(torch.log, _square(input))


@op("MatrixSquareRoot", half=False)
def sqrtm(input: Matrix):
    """The principal square root of square matrices (source: `tf.linalg.sqrtm`)."""
    root = _of_eigenvalues(torch.sqrt, _square(input))
    return root if input.is_complex() else root.real.contiguous()


def _of_eigenvalues(function, x):
    """A function of diagonalizable matrices."""
    values, vectors = torch.linalg.eig(x)
    scaled = vectors * function(values).unsqueeze(-2)
    return torch.linalg.solve(vectors.mT, scaled.mT).mT


@op("Pinv", half=False)
def _pinv(a: Matrix, rcond: U):
    u, s, vh = torch.linalg.svd(_matrix(a), full_matrices=False)
    cutoff = rcond.unsqueeze(-1) * s.amax(-1, keepdim=True)
    inverse = torch.where(s > cutoff, 1 / torch.where(s > cutoff, s, 1), 0).to(a.dtype)
    return (_adjoint(vh) * inverse.unsqueeze(-2)) @ _adjoint(u)


def pinv(a, rcond=None, validate_args=False, name=None):
    """The Moore-Penrose inverse (source: `tf.linalg.pinv`).

    Args:
        a: real matrices [..., m, n].
        rcond: singular values below this times the largest count as zero; by default ten times
            the larger size times the machine precision.
        validate_args: whether to check the rank of `a` first; a wrong one raises in any case.

    Raises:
        TypeError: if the matrices are not floating.
    """
    a = convert_to_tensor(a)
    if not a.dtype.is_floating:
        raise TypeError(f"Input `a` must have `float`-like `dtype` (saw {a.dtype.name}).")
    if a.ndim < 2:
        raise ValueError(f"Input `a` must have at least 2 dimensions (saw: {a.ndim}).")
    if rcond is None:
        rcond = 10.0 * max(a.shape[-2:]) * np.finfo(a.dtype.as_numpy_dtype).eps
    return _pinv(a, convert_to_tensor(rcond, dtype=a.dtype), name)


def matrix_rank(a, tol=None, validate_args=False, name=None):
    """The number of singular values above a tolerance (source: `tf.linalg.matrix_rank`).

    Args:
        a: real matrices [..., m, n].
        tol: the tolerance; by default the larger size times the machine precision times the
            largest singular value.
        validate_args: whether to check the rank of `a` first; a wrong one raises in any case.

    Returns:
        int32 numbers of shape [...].
    """
    a = convert_to_tensor(a)
    if not a.dtype.is_floating:
        raise TypeError(f"Input `a` must have `float`-like `dtype` (saw {a.dtype.name}).")
    s = raw(_singular_values(a))
    if tol is None:
        size = max(x for x in a.shape[-2:])
        limit = np.finfo(a.dtype.as_numpy_dtype).eps * size * s.amax(-1, keepdim=True)
    else:
        limit = raw(convert_to_tensor(tol, dtype=a.dtype))
    return wrap((s > limit).sum(-1).to(torch.int32))


# -- norms


def norm(tensor, ord="euclidean", axis=None, keepdims=None, name=None):
    """The norm of vectors or matrices (source: `tf.norm`).

    Args:
        tensor: a tensor of real or complex numbers.
        ord: "euclidean" (of all elements), "fro", 1, 2, np.inf, or for vectors any positive number.
        axis: None for all elements; an axis for vectors; a pair of axes for matrices.
        keepdims: whether the axes stay, with size 1.

    Raises:
        ValueError: if `axis` or `ord` is not supported.
    """
    if isinstance(axis, (list, tuple)) or (is_tensor_type(axis) and axis.ndim):
        axis = [to_axis(a) for a in to_axis(axis)]
        if len(axis) != 2:
            raise ValueError(
                "'axis' must be None, an integer, or a tuple of 2 unique integers, "
                f"got {tuple(axis)}"
            )
        if ord not in ("euclidean", "fro", 1, 2, np.inf):
            raise ValueError(
                f"'ord' must be a supported matrix norm in ['euclidean', 'fro', 1, 2, inf], got "
                f"{ord}"
            )
        return _matrix_norm(tensor, ord, tuple(axis), bool(keepdims), name)
    if not (ord == "euclidean" or (not isinstance(ord, str) and ord > 0)):
        raise ValueError(
            f"'ord' must be a supported vector norm in ['euclidean', 1, 2, inf] or a positive "
            f"number, got {ord}"
        )
    return _vector_norm(tensor, ord, to_axis(axis), bool(keepdims), name)


def _root_of_squares(x, dims, keepdims):
    squares = (x * x.conj()).real.to(x.dtype) if x.is_complex() else x * x
    return torch.sqrt(squares.sum(dims, keepdim=keepdims))


@op("Norm")
def _vector_norm(tensor: FloatComplex, ord, axis, keepdims):
    dims = tuple(range(tensor.dim())) if axis is None else (axis,)
    if ord in ("euclidean", 2):
        return _root_of_squares(tensor, dims, keepdims)
    size = tensor.abs()
    if ord == 1:
        result = size.sum(dims, keepdim=keepdims)
    elif ord == np.inf:
        result = size.amax(dims, keepdim=keepdims)
    else:
        result = (size**ord).sum(dims, keepdim=keepdims) ** (1.0 / ord)
    return result


@op("Norm", half=False)
def _matrix_norm(tensor: FloatComplex, ord, axes, keepdims):
    if ord in ("euclidean", "fro"):
        return _root_of_squares(tensor, axes, keepdims)
    rows, columns = (a % tensor.dim() for a in axes)
    if ord == 2:
        moved = tensor.movedim((rows, columns), (-2, -1))
        result = torch.linalg.svdvals(moved).amax(-1)
        if keepdims:
            for a in sorted((rows, columns)):
                result = result.unsqueeze(a)
        return result
    first, second = (rows, columns) if ord == 1 else (columns, rows)
    result = tensor.abs().sum(first, keepdim=True).amax(second, keepdim=True)
    return result if keepdims else result.squeeze((rows, columns))


def normalize(tensor, ord="euclidean", axis=None, name=None):
    """Divides by the norm (source: `tf.linalg.normalize`).

    Args:
        tensor, ord, axis: as for `norm`.

    Returns:
        A pair of the result and the norm, whose axes are kept.
    """
    size = norm(tensor, ord, axis, keepdims=True)
    size = cast(size, convert_to_tensor(tensor).dtype)
    return convert_to_tensor(tensor) / size, size


# the classes of operators, by the module that has them
_OPERATORS = {
    "LinearOperator": "_base",
    "LinearOperatorAdjoint": "_derived",
    "LinearOperatorBlockDiag": "_blocks",
    "LinearOperatorBlockLowerTriangular": "_blocks",
    "LinearOperatorCirculant": "_circulant",
    "LinearOperatorCirculant2D": "_circulant",
    "LinearOperatorCirculant3D": "_circulant",
    "LinearOperatorComposition": "_products",
    "LinearOperatorDiag": "_dense",
    "LinearOperatorFullMatrix": "_dense",
    "LinearOperatorHouseholder": "_structured",
    "LinearOperatorIdentity": "_identity",
    "LinearOperatorInversion": "_derived",
    "LinearOperatorKronecker": "_products",
    "LinearOperatorLowRankUpdate": "_low_rank",
    "LinearOperatorLowerTriangular": "_dense",
    "LinearOperatorPermutation": "_structured",
    "LinearOperatorScaledIdentity": "_identity",
    "LinearOperatorToeplitz": "_structured",
    "LinearOperatorTridiag": "_structured",
    "LinearOperatorZeros": "_identity",
}


def __getattr__(name: str):
    if name == "experimental":
        from torchtf import _linalg_experimental

        return _linalg_experimental
    module = _OPERATORS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"torchtf.linalg._operator.{module}"), name)
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), *_OPERATORS, "experimental"})
