"""Row partitions as raw torch tensors of splits, and the gathers that every ragged op is made of.

A partition of n values into rows is its splits: rows + 1 ascending positions from 0 to n.
"""

from __future__ import annotations

import numpy as np
import torch

from torchtf.core import errors
from torchtf.core.convert import convert_to_tensor, to_shape, to_torch
from torchtf.core.op import op
from torchtf.core.tensor import is_fake, to_numpy

INDEX_TYPES = (torch.int32, torch.int64)


def index_vector(value, name: str, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A vector of int32 or int64; lists become int64.

    Raises:
        ValueError: for another rank or type.
    """
    if isinstance(value, (list, tuple, range)):
        value = convert_to_tensor(value, dtype_hint=torch.int64)
        if value.shape == [0]:
            value = torch.zeros(0, dtype=torch.int64)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "ui" and value.dtype.itemsize < 4:
        value = value.astype(np.int64)
    data = to_torch(value)
    if not isinstance(data, torch.Tensor) or data.dtype not in INDEX_TYPES:
        raise ValueError(f"{name} must have dtype int32 or int64")
    if data.dim() != 1:
        shape = tuple(data.shape)
        raise ValueError(f"Shape {shape} must have rank 1")
    return data if dtype is None else data.to(dtype)


def invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


def lengths_of(splits: torch.Tensor) -> torch.Tensor:
    return splits[1:] - splits[:-1]


def splits_of(lengths: torch.Tensor) -> torch.Tensor:
    zero = lengths.new_zeros(1)
    return torch.cat([zero, torch.cumsum(lengths, 0, dtype=lengths.dtype)])


def rowids_of(splits: torch.Tensor, nvals=None) -> torch.Tensor:
    """The row of each value. `nvals`, the number of values, keeps a traced size symbolic."""
    rows = torch.arange(splits.shape[0] - 1, dtype=splits.dtype, device=splits.device)
    return torch.repeat_interleave(rows, lengths_of(splits), output_size=nvals)


def offsets_of(splits: torch.Tensor, rowids: torch.Tensor) -> torch.Tensor:
    """The position of each value in its row."""
    every = torch.arange(rowids.shape[0], dtype=splits.dtype, device=splits.device)
    return every - splits[rowids]


def ranges(starts, counts, step=1) -> tuple[torch.Tensor, torch.Tensor]:
    """The concatenated `starts[i] + step * arange(counts[i])`, and the splits between them."""
    splits = splits_of(counts)
    rowids = rowids_of(splits)
    return starts[rowids] + offsets_of(splits, rowids) * step, splits


def number(value):
    """An integer scalar as a Python int; one that is not known while tracing as a symbolic one."""
    return to_shape(value)[0]


def counts_of(ids: torch.Tensor, count) -> torch.Tensor:
    """How often each of the numbers below `count` occurs in `ids`."""
    zeros = torch.zeros(count, dtype=torch.int64, device=ids.device)
    return zeros.index_add(0, ids.long(), torch.ones_like(ids, dtype=torch.int64))


def longest(splits: torch.Tensor):
    """The length of the longest row, as an int."""
    if splits.shape[0] == 1:
        return 0
    return int(lengths_of(splits).max().item()) if not is_fake(splits) else _symbolic_max(splits)


def _symbolic_max(splits):
    size = lengths_of(splits).max().item()
    torch._check(size >= 0)
    return size


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two partitions are known to be equal; a traced pair is taken as equal."""
    if a is b:
        return True
    if is_fake(a) or is_fake(b):
        return True
    return a.shape == b.shape and bool((a == b).all())


def assert_same(a: torch.Tensor, b: torch.Tensor) -> None:
    if not same(a, b):
        raise invalid(
            "RowPartition._merge_precomputed_encodings: partitions have incompatible row_splits\n"
            f"Condition x == y did not hold.\nx:\n{to_numpy(a)}\ny:\n{to_numpy(b)}"
        )


# -- ops on the values


@op("GatherV2")
def take(params: T, indices: Index):
    """The rows of `params` at `indices`."""
    return params.index_select(0, indices)


@op("Slice")
def rows_between(params: T, start, stop):
    """The rows from `start` up to `stop`, which are numbers or scalar tensors."""
    return torch.narrow(params, 0, start, stop - start)


@op("RaggedTensorToTensor")
def pad_rows(values: T, splits: Index, default: T, width):
    """Rows of equal width: the values of each row, then `default`; longer rows are cut."""
    rows, size = splits.shape[0] - 1, values.shape[0]
    column = torch.arange(width, dtype=splits.dtype, device=splits.device)
    index = splits[:-1, None] + column
    index = torch.where(column < lengths_of(splits)[:, None], index, size)
    filler = default.to(values.device).expand(1, *values.shape[1:])
    padded = torch.cat([values, filler]).index_select(0, index.reshape(-1))
    return padded.reshape(rows, width, *values.shape[1:])
