"""Parts of matrices: transposes, bands, diagonals."""

from __future__ import annotations

import torch

from torchtf.array_ops import transpose
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor, to_axis, to_shape
from torchtf.core.dispatch import dispatched
from torchtf.core.op import op
from torchtf.core.shape import brackets
from torchtf.core.tensor import is_tensor_type
from torchtf.linalg._checks import _matrix


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
    if isinstance(lower, int) and isinstance(upper, int):
        if lower < 0:
            return torch.tril(input, upper) if upper >= 0 else input.view_as(input)
        out = torch.triu(input, -lower)
        return out.tril_(upper) if upper >= 0 else out
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
