"""`tf.matmul` of ragged tensors: batches of matrices that differ in size."""

from __future__ import annotations

import torch

from torchtf import debugging, math
from torchtf.core.tensor import wrap
from torchtf.ragged import _partition as part
from torchtf.ragged._join import _at_rank
from torchtf.ragged._tensor import RaggedTensor, convert


def matmul(
    a, b, transpose_a=False, transpose_b=False, adjoint_a=False, adjoint_b=False,
    a_is_sparse=False, b_is_sparse=False, output_type=None, grad_a=False, grad_b=False, name=None,
):  # fmt: skip
    """`tf.matmul` where `a` or `b` is ragged.

    Returns:
        A tensor for single matrices, else a ragged tensor.

    Raises:
        ValueError: if types or ranks differ.
        InvalidArgumentError: if the rows of a matrix differ in length, or sizes do not fit.
    """
    for transpose, adjoint, which in ((transpose_a, adjoint_a, "a"), (transpose_b, adjoint_b, "b")):
        if transpose and adjoint:
            raise ValueError(f"Only one of transpose_{which} and adjoint_{which} can be True.")
    a, b = convert(a), convert(b)
    if a.dtype != b.dtype:
        raise ValueError("`a` and `b` must have the same dtype.")
    rank = a.shape.rank
    if rank != b.shape.rank or rank < 2:
        raise ValueError("`a` and `b` must have the same rank.")

    def product(x, y):
        return math.matmul(
            x, y, transpose_a, transpose_b, adjoint_a, adjoint_b, output_type=output_type
        )

    if not isinstance(a, RaggedTensor) and not isinstance(b, RaggedTensor):
        return product(a, b)
    if rank == 2:
        return product(_matrix(a), _matrix(b))
    if rank > 3:  # the outer batch axes are those of both
        a, b = _at_rank(a, 1), _at_rank(b, 1)
        debugging.assert_equal(
            a.row_splits, b.row_splits,
            "Batch dimensions of `a` and `b` do not have the same size.",
        )  # fmt: skip
        return a.with_values(matmul(
            a.values, b.values, transpose_a, transpose_b, adjoint_a, adjoint_b,
            output_type=output_type,
        ))  # fmt: skip
    return _batch(a, b, transpose_a or adjoint_a, transpose_b or adjoint_b, product)


_UNEVEN = "The matrices in `a` and `b` may not be ragged in their innermost dimension."


def _matrix(x):
    """A matrix with even rows as a tensor."""
    if not isinstance(x, RaggedTensor):
        return x
    _sizes(RaggedTensor.from_uniform_row_length(x, x.nrows(), nrows=1))  # checks the rows
    return x.to_tensor()


def _batch(a, b, flip_a, flip_b, product):
    """Products of the matrices padded with zeros, from which the results are cut."""
    rows, inner = _sizes(a)[:: -1 if flip_a else 1]
    other, columns = _sizes(b)[:: -1 if flip_b else 1]
    debugging.assert_equal(wrap(inner), wrap(other), "Matrices have incompatible sizes.")
    result = product(*(x.to_tensor() if isinstance(x, RaggedTensor) else x for x in (a, b)))
    lengths = [wrap(rows)]
    if isinstance(b, RaggedTensor) and (b.ragged_rank == 2 or flip_b):
        lengths.append(wrap(torch.repeat_interleave(columns, rows)))
    splits = (a if isinstance(a, RaggedTensor) else b).row_splits
    return RaggedTensor.from_tensor(result, lengths=lengths, row_splits_dtype=splits.dtype)


def _sizes(x):
    """How many rows and columns each matrix of a batch has, as two vectors."""
    if not isinstance(x, RaggedTensor):
        batch, height, width = x._data.shape
        return torch.full((batch,), height), torch.full((batch,), width)
    heights = part.lengths_of(x._splits).long()
    rows = x.values
    if not isinstance(rows, RaggedTensor):
        return heights, torch.full_like(heights, rows._data.shape[1])
    lengths, matrix = part.lengths_of(rows._splits).long(), x._rowids().long()
    widths = torch.zeros_like(heights).scatter_reduce(0, matrix, lengths, "amax")
    debugging.assert_equal(wrap(lengths), wrap(widths[matrix]), _UNEVEN)
    return heights, widths
