"""`tf.nn.embedding_lookup` and its sparse forms."""

from __future__ import annotations

import torch

from torchtf import array_ops, math
from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor
from torchtf.core.op import op

_COMBINERS = ("mean", "sqrtn", "sum")


def _tables(params) -> list:
    if params is None:
        raise ValueError("params must be specified")
    if not isinstance(params, (list, tuple)):
        return [params]
    if not params:
        raise ValueError("Length of params is currently 0. Need at least one param.")
    return list(params)


def _rows(params, ids):
    """The rows of a table, or of several tables that count through."""
    tables = _tables(params)
    if len(tables) == 1:
        return array_ops.gather(tables[0], ids)
    flat = array_ops.reshape(ids, [-1])
    starts = [0]
    for table in tables:  # the sizes of tables are static
        starts.append(starts[-1] + table.shape[0])
    owner = array_ops.searchsorted(
        convert_to_tensor(starts[1:], flat.dtype), flat, side="right", out_type=dtypes.int32
    )
    owner = math.minimum(owner, len(tables) - 1)
    ids_of = array_ops.dynamic_partition(flat, owner, len(tables))
    places = array_ops.dynamic_partition(array_ops.range(array_ops.size(flat)), owner, len(tables))
    found = [
        array_ops.gather(table, part - start)
        for table, part, start in zip(tables, ids_of, starts, strict=False)
    ]
    rows = array_ops.dynamic_stitch(places, found)
    return array_ops.reshape(
        rows, array_ops.concat([array_ops.shape(ids), array_ops.shape(rows)[1:]], 0)
    )


@op("ClipByNorm")
def _clip_rows(rows: Float, ids_rank, max_norm):
    axes = list(range(ids_rank, rows.dim()))
    if not axes:
        return rows
    squares = (rows * rows).sum(axes, keepdim=True)
    safe = torch.where(squares > 0, squares, torch.ones_like(squares))
    norm = torch.where(squares > 0, torch.sqrt(safe), squares)
    return rows * max_norm / torch.clamp_min(norm, max_norm)


def embedding_lookup(params, ids, max_norm=None, name=None):
    """The rows of a table (source: `tf.nn.embedding_lookup`).

    Args:
        params: the table, or a list of tables whose rows count through.
        ids: int32 or int64, which rows; a tensor or a `RaggedTensor`.
        max_norm: the largest Euclidean norm of a row, or None; longer ones are shortened.

    Returns:
        A tensor of shape `ids.shape + params.shape[1:]`, ragged if `ids` is.

    Raises:
        ValueError: if there is no table.
        InvalidArgumentError: if an id is out of range.
    """
    if hasattr(ids, "with_flat_values"):  # a ragged tensor keeps its rows
        return ids.with_flat_values(embedding_lookup(params, ids.flat_values, max_norm, name))
    ids = convert_to_tensor(ids)
    rows = _rows(params, ids)
    return rows if max_norm is None else _clip_rows(rows, ids.shape.rank, float(max_norm), name)


def _check_combiner(combiner):
    combiner = "mean" if combiner is None else combiner
    if combiner not in _COMBINERS:
        raise ValueError(f"combiner must be one of 'mean', 'sqrtn' or 'sum', got {combiner}")
    return combiner


@op("EmbeddingLookupSparse")
def _combine(rows: Float, weights: Float2 | None, segments: Index, count, combiner):
    """The weighted sum, or mean, of the rows of each segment."""
    segments = segments.long()
    wide = rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows
    if weights is None:
        weights = torch.ones(rows.shape[0], dtype=wide.dtype, device=rows.device)
    weights = weights.to(wide.dtype).reshape(-1, *[1] * (rows.dim() - 1))

    def total(values):
        empty = torch.zeros(count, *values.shape[1:], dtype=values.dtype, device=values.device)
        return empty.index_add(0, segments, values)

    result = total(wide * weights)
    if combiner != "sum":
        divisor = total(weights) if combiner == "mean" else torch.sqrt(total(weights * weights))
        zero = divisor == 0
        result = torch.where(
            zero,
            torch.zeros_like(result),
            result / torch.where(zero, torch.ones_like(divisor), divisor),
        )
    return result.to(rows.dtype)


def _as_sparse(value, what):
    """A sparse tensor; ragged ones are converted."""
    from torchtf.sparse import SparseTensor

    if hasattr(value, "to_sparse"):
        value = value.to_sparse()
    if not isinstance(value, SparseTensor):
        raise TypeError(f"{what} must be SparseTensor, got {type(value)}")
    return value


def embedding_lookup_sparse(
    params, sp_ids, sp_weights, combiner=None, max_norm=None, name=None, allow_fast_lookup=False
):
    """Combines the rows that each row of a sparse tensor names.

    Source: `tf.nn.embedding_lookup_sparse`.

    Args:
        params: as for `embedding_lookup`.
        sp_ids: a `SparseTensor` [n, m] of ids (or a `RaggedTensor`); rows must not be empty.
        sp_weights: a `SparseTensor` with the weight of each id, or None for ones.
        combiner: "sum", "mean" (default) or "sqrtn", the sum divided by the root of the squared
            weights' sum.
        max_norm: as for `embedding_lookup`.
        allow_fast_lookup: a hint of TensorFlow's; the result is the same.

    Returns:
        A tensor of shape [n, *params.shape[1:]].

    Raises:
        ValueError: for another combiner.
        TypeError: for ids or weights that are not sparse.
    """
    combiner = _check_combiner(combiner)
    sp_ids = _as_sparse(sp_ids, "sp_ids")
    weights = None
    if sp_weights is not None:
        sp_weights = _as_sparse(sp_weights, "sp_weights")
        sp_ids.values.shape.assert_is_compatible_with(sp_weights.values.shape)
        weights = sp_weights.values
    segments = sp_ids.indices._data[:, 0]
    count = int(segments[-1]) + 1 if len(segments) else 0
    rows = embedding_lookup(params, sp_ids.values, max_norm)
    return _combine(rows, weights, segments, count, combiner, name)


@op("SelectV2")
def _fill_rows(rows: Float, empty: Bool, filler: Float | None):
    mask = empty.reshape(-1, *[1] * (rows.dim() - 1))
    return torch.where(mask, torch.zeros_like(rows) if filler is None else filler, rows)


def safe_embedding_lookup_sparse(
    embedding_weights, sparse_ids, sparse_weights=None, combiner="mean", default_id=None,
    max_norm=None, name=None, allow_fast_lookup=False,
):  # fmt: skip
    """`embedding_lookup_sparse` that takes empty rows and invalid ids.

    Source: `tf.nn.safe_embedding_lookup_sparse`. Negative ids are dropped and, unless the combiner
    is "sum", ids whose weight is not positive.

    Args:
        embedding_weights: the table or tables.
        sparse_ids: a `SparseTensor` [d0, ..., dn] of ids; rows run along the last axis.
        sparse_weights: a `SparseTensor` with the weight of each id, or None.
        combiner: as for `embedding_lookup_sparse`.
        default_id: the id that stands for an empty row; None gives zeros.
        max_norm, allow_fast_lookup: as for `embedding_lookup_sparse`.

    Returns:
        A tensor of shape [d0, ..., dn-1, *params.shape[1:]].
    """
    if embedding_weights is None or (
        isinstance(embedding_weights, (list, tuple)) and not embedding_weights
    ):
        raise ValueError(f"Missing embedding_weights {embedding_weights}.")
    combiner = _check_combiner(combiner)
    sparse_ids = _as_sparse(sparse_ids, "sparse_ids")
    indices, ids = sparse_ids.indices._data, sparse_ids.values._data
    outer = sparse_ids.dense_shape._data.tolist()[:-1]
    weights = None if sparse_weights is None else sparse_weights.values._data
    count = 1
    segments = torch.zeros_like(ids, dtype=torch.int64)
    for axis, size in enumerate(outer):
        segments = segments * size + indices[:, axis]
        count *= size
    keep = ids >= 0
    if weights is not None:
        keep = keep & (weights > 0) if combiner != "sum" else keep
        weights = weights[keep]
    ids, segments = ids[keep], segments[keep]
    empty = torch.ones(count, dtype=torch.bool, device=ids.device).index_fill(0, segments, False)
    rows = embedding_lookup(embedding_weights, ids, max_norm)
    combined = _combine(rows, weights, segments, count, combiner)
    filler = None
    if default_id is not None:
        filler = embedding_lookup(embedding_weights, [default_id], max_norm)
    filled = _fill_rows(combined, empty, filler)
    return array_ops.reshape(filled, [*outer, *filled._data.shape[1:]], name)
