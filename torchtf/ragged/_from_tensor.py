"""`RaggedTensor.from_tensor` and `from_sparse`."""

from __future__ import annotations

import torch

from torchtf import array_ops
from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor, to_torch
from torchtf.core.tensor import is_fake
from torchtf.ragged import _partition as part
from torchtf.ragged._partition import index_vector, invalid
from torchtf.ragged._tensor import RaggedTensor


def from_tensor(tensor, lengths, padding, ragged_rank, row_splits_dtype):
    """See `RaggedTensor.from_tensor`."""
    splits_type = dtypes.as_dtype(row_splits_dtype).torch
    if lengths is not None and padding is not None:
        raise ValueError("Specify argument `lengths` or `padding`, but not both.")
    if not isinstance(ragged_rank, int):
        raise TypeError(f"Argument `ragged_rank` must be an int. Received {ragged_rank}.")
    if ragged_rank <= 0:
        raise ValueError(f"Argument `ragged_rank` must be greater than 0. Received {ragged_rank}.")
    tensor = convert_to_tensor(tensor)
    rank = tensor.shape.rank
    if rank == 1:
        raise ValueError(
            "The rank of a RaggedTensor must be greater than 1, i.e., a list of scalars won't have "
            f"ragged dimensions. Received argument `tensor` with rank {rank}."
        )
    if ragged_rank >= rank:
        raise ValueError(
            f"The rank of `tensor` must be greater than `ragged_rank`; got {rank} and {ragged_rank}"
        )
    if isinstance(lengths, (list, tuple)) and lengths and not isinstance(lengths[0], (int, float)):
        return _with_nested_lengths(tensor, lengths, ragged_rank, splits_type)
    if ragged_rank > 1:
        if lengths is not None:
            raise ValueError(
                "If `ragged_rank` is greater than 1, `lengths` must be a list of `ragged_rank` "
                "vectors."
            )
        sizes = tensor._data.shape
        flat = array_ops.reshape(tensor, [-1, *sizes[ragged_rank:]])
        result = from_tensor(flat, None, padding, 1, row_splits_dtype)
        for axis in range(ragged_rank - 1, 0, -1):
            result = _uniform(result, sizes[axis], _product(sizes[:axis]), splits_type)
        return result
    rows, columns = tensor._data.shape[:2]
    values = array_ops.reshape(tensor, [-1, *tensor._data.shape[2:]])
    if padding is not None:
        lengths = _lengths_without(tensor, padding).to(splits_type)
    if lengths is None:
        return _uniform(values, columns, rows, splits_type)
    lengths = index_vector(lengths, "lengths", splits_type)
    if isinstance(rows, int) and isinstance(lengths.shape[0], int) and lengths.shape[0] != rows:
        raise ValueError(f"Shapes ({rows},) and ({lengths.shape[0]},) are incompatible")
    lengths = lengths.clamp(max=columns)
    starts = torch.arange(rows, dtype=splits_type) * columns
    flat, splits = part.ranges(starts, lengths)
    return RaggedTensor._of(part.take(values, flat), splits)


def _product(sizes):
    product = 1
    for size in sizes:
        product = product * size
    return product


def _uniform(values, length, rows, splits_type):
    splits = torch.arange(rows + 1, dtype=splits_type) * length
    return RaggedTensor._of(values, splits, length)


def _with_nested_lengths(tensor, lengths, ragged_rank, splits_type):
    """Cuts each axis to the lengths given, outermost first."""
    if ragged_rank not in (1, len(lengths)):
        raise ValueError(
            "If `lengths` is a tuple of row_lengths, argument `ragged_rank` must be "
            f"len(lengths): {len(lengths)}. Received {ragged_rank}."
        )
    vectors = [index_vector(v, "lengths", splits_type) for v in lengths]
    result = tensor
    rows = tensor
    partitions = []
    for vector in vectors:
        rows = from_tensor(rows, vector, None, 1, dtypes.as_dtype(splits_type))
        partitions.append(rows._splits)
        rows = rows._values
    result = rows
    for splits in reversed(partitions):
        result = RaggedTensor._of(result, splits)
    return result


def _lengths_without(tensor, padding):
    """The length of each row up to its last element that is no padding."""
    from torchtf import math

    padding = convert_to_tensor(padding, dtype=tensor.dtype)
    if padding.shape != tensor.shape[2:]:
        raise ValueError(f"Shapes {tensor.shape[2:]} and {padding.shape} are incompatible")
    real = math.not_equal(tensor, padding)._data
    if real.dim() > 2:
        real = real.flatten(2).any(2)
    place = torch.arange(1, real.shape[1] + 1)
    return torch.where(real, place, 0).amax(1) if real.shape[1] else real.sum(1)


def from_sparse(st_input, row_splits_dtype):
    """See `RaggedTensor.from_sparse`."""
    if type(st_input).__name__ not in ("SparseTensor", "SparseTensorValue"):
        raise TypeError(
            "Argument `st_input` must be of type SparseTensor, but is of type "
            f"{type(st_input).__name__}."
        )
    splits_type = dtypes.as_dtype(row_splits_dtype).torch
    indices = to_torch(st_input.indices)
    if indices.shape[1] != 2:
        raise ValueError(f"rank(st_input) must be 2. Received {indices.shape[1]}.")
    rows, columns = indices.unbind(1)
    counts = torch.zeros(part.number(to_torch(st_input.dense_shape)[0]), dtype=torch.int64)
    splits = part.splits_of(counts.index_add(0, rows, torch.ones_like(rows)))
    if not is_fake(rows):
        ordered = bool((rows[1:] >= rows[:-1]).all())
        if not ordered or not torch.equal(columns, part.offsets_of(splits, rows)):
            raise invalid("SparseTensor is not right-ragged")
    return RaggedTensor._of(convert_to_tensor(st_input.values), splits.to(splits_type))
