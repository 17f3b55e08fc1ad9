"""Joining ragged tensors: concat, stack, expand_dims."""

from __future__ import annotations

import torch

from torchtf import array_ops
from torchtf.ragged import _partition as part
from torchtf.ragged._getitem import gather
from torchtf.ragged._tensor import RaggedTensor, convert, size_of


def expand_dims(rt, axis: int):
    """Inserts an axis of size 1."""
    if not isinstance(rt, RaggedTensor):
        return array_ops.expand_dims(rt, axis)
    rank = rt.shape.rank
    axis = axis + rank + 1 if axis < 0 else axis
    if not 0 <= axis <= rank:
        raise ValueError(f"axis={axis} out of bounds: expected {-rank - 1}<=axis<{rank + 1}")
    if axis == 0:
        return RaggedTensor.from_uniform_row_length(rt, size_of(rt), nrows=1)
    if axis == 1:
        return RaggedTensor.from_uniform_row_length(rt, 1, nrows=size_of(rt))
    return rt.with_values(expand_dims(rt.values, axis - 1))


def _at_rank(value, ragged_rank: int) -> RaggedTensor:
    """`value` with uniform axes made ragged until it has `ragged_rank` of them."""
    if not isinstance(value, RaggedTensor):
        return RaggedTensor.from_tensor(value, ragged_rank=ragged_rank)
    if value.ragged_rank >= ragged_rank:
        return value
    return value.with_values(_at_rank(value.values, ragged_rank - 1))


def _aligned(values, axis, extra):
    values = [convert(v) for v in values]
    rank = values[0].shape.rank
    if any(v.shape.rank != rank for v in values):
        raise ValueError(
            f"Inputs must have the same rank, got shapes {[str(v.shape) for v in values]}"
        )
    out = rank + extra
    if not -out <= axis < out:
        raise ValueError(f"axis={axis} out of bounds: expected {-out}<=axis<{out}")
    return values, axis % out


def concat(values, axis: int):
    """Joins along an existing axis."""
    values, axis = _aligned(values, axis, 0)
    if len(values) == 1:
        return values[0]
    rank = values[0].shape.rank
    if not any(isinstance(v, RaggedTensor) for v in values) and axis == rank - 1:
        return array_ops.concat(values, axis)
    depth = max(v.ragged_rank if isinstance(v, RaggedTensor) else 1 for v in values)
    rows = [_at_rank(v, depth) for v in values]
    if axis == 0:
        return _concat_rows(rows)
    if axis == 1:
        return _concat_columns(rows)
    for other in rows[1:]:
        part.assert_same(rows[0]._splits, other._splits)
    return rows[0].with_values(concat([r.values for r in rows], axis - 1))


def _concat_rows(rows):
    if not isinstance(rows[0], RaggedTensor):
        return array_ops.concat(rows, 0)
    splits, offset = [rows[0]._splits.new_zeros(1)], 0
    for row in rows:
        splits.append(row._splits[1:] + offset)
        offset = offset + row._splits[-1]
    return RaggedTensor._of(_concat_rows([r._values for r in rows]), torch.cat(splits))


def _concat_columns(rows):
    """Row i of the result is row i of each input, one after the other."""
    count = len(rows)
    heights = [size_of(r) for r in rows]
    known = [h for h in heights if isinstance(h, int)]  # an open one is taken to fit
    height = known[0] if known else heights[0]
    for other in known:
        if other != height:
            raise part.invalid(
                "Input tensors have incompatible shapes.\nCondition x == y did not hold.\n"
                f"[{height}]\n[{other}]"
            )
    order = torch.arange(height * count).reshape(count, height).t().reshape(-1)
    mixed = gather(_concat_rows(rows), order)
    return RaggedTensor._of(mixed._values, mixed._splits[::count])


def stack(values, axis=0, name=None):
    """Joins ragged tensors along a new axis (source: `tf.ragged.stack`).

    Args:
        values: tensors or ragged tensors of one rank.
        axis: the new axis.

    Returns:
        A ragged tensor; a tensor if scalars are stacked.

    Raises:
        ValueError: if there are none, or ranks differ.
    """
    if not isinstance(values, (list, tuple)):
        values = [values]
    if not values:
        raise ValueError("rt_inputs may not be empty.")
    values, axis = _aligned(values, axis, 1)
    rank = values[0].shape.rank
    if len(values) == 1:
        return expand_dims(values[0], axis)
    if rank == 1 and axis == 0:
        lengths = torch.tensor([size_of(v) for v in values], dtype=torch.int32)
        return RaggedTensor.from_row_lengths(array_ops.concat(values, 0), lengths, validate=False)
    dense = not any(isinstance(v, RaggedTensor) for v in values)
    if dense and axis in (rank, rank - 1):
        return array_ops.stack(values, axis)
    if dense:
        values = [RaggedTensor.from_tensor(v) for v in values]
    if axis > 1:
        rows = [_at_rank(v, 1) for v in values]
        for other in rows[1:]:
            part.assert_same(rows[0]._splits, other._splits)
        return rows[0].with_values(stack([r.values for r in rows], axis - 1))
    return concat([expand_dims(v, axis) for v in values], axis)
