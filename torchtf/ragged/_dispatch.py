"""What the ops do with ragged tensors: the handlers behind `RaggedTensor.__tf_dispatch__`.

* Elementwise ops run on the flat values; operands with different rows are broadcast first.
* Reductions, joins and index ops have handlers of their own, by the op's TensorFlow name.
"""

from __future__ import annotations

import torch

from torchtf import array_ops, debugging, math
from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor, to_axis, to_torch
from torchtf.core.op import op
from torchtf.core.tensor import is_fake, is_tensor_type, wrap
from torchtf.ragged import _functions as functions
from torchtf.ragged import _partition as part
from torchtf.ragged._factory import boolean_mask
from torchtf.ragged._getitem import gather
from torchtf.ragged._join import _at_rank, concat, expand_dims, stack
from torchtf.ragged._matmul import matmul
from torchtf.ragged._tensor import RaggedTensor, array_ops_axis, convert, size_of

_ELEMENTWISE = """
Abs Acos Acosh Add AddN AddV2 Angle Asin Asinh Atan Atan2 Atanh BitwiseAnd BitwiseOr BitwiseXor Cast
Ceil CheckNumerics ClipByValue Complex ComplexAbs Conj Cos Cosh Digamma Div DivNoNan Elu Equal Erf
Erfc Erfcinv Erfinv Exp Expm1 Floor FloorDiv FloorMod Gelu Greater GreaterEqual Identity Imag Invert
IsFinite IsInf IsNan LeakyRelu LeftShift Less LessEqual Lgamma Log Log1p LogSigmoid LogicalAnd
LogicalNot LogicalOr Maximum Minimum Mod Mul MulNoNan Ndtri Neg NextAfter NotEqual OnesLike Pow Real
RealDiv Reciprocal Relu Relu6 RightShift Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus
Softsign Sqrt Square SquaredDifference StopGradient Sub Tan Tanh TruncateDiv TruncateMod Xdivy
Xlog1py Xlogy ZerosLike
"""
ELEMENTWISE = frozenset(_ELEMENTWISE.split())


def call(op, args):
    """Calls an op one of whose tensor arguments is ragged.

    Raises:
        ValueError: if the op does not take ragged tensors.
    """
    handler = _HANDLERS.get(op.name)
    if handler is not None:
        return handler(op, args)
    if op.name in ELEMENTWISE or getattr(op, "elementwise", False):
        return elementwise(op, args)
    raise ValueError(
        f"{op.name} does not take a RaggedTensor; use RaggedTensor.to_tensor(), or "
        "tf.ragged.map_flat_values."
    )


# -- elementwise


class _Lifted:
    """A function of tensors in the form of an op, all of whose arguments are tensors."""

    def __init__(self, function, count):
        self.public = function
        self.parameters = [_Operand(i) for i in range(count)]


class _Operand:
    is_list = False

    def __init__(self, position):
        self.position = position


def lift(function):
    """`function`, which is elementwise on tensors, for ragged tensors."""
    return lambda *args: elementwise(_Lifted(function, len(args)), args)


def elementwise(op, args):
    """Runs an op on the flat values of its broadcast operands."""
    places = []  # (position, index in a list or None)
    for p in op.parameters:
        value = args[p.position]
        if p.is_list and isinstance(value, (list, tuple)):
            places += [(p.position, i) for i in range(len(value))]
        elif value is not None:
            places.append((p.position, None))
    operands = [args[i] if j is None else args[i][j] for i, j in places]
    hint = next(v.dtype for v in operands if isinstance(v, RaggedTensor))
    arrays = [_operand(v, hint) for v in operands]
    shaped = [a for a in arrays if isinstance(a, RaggedTensor) or a.shape.rank]
    flat, rebuild = broadcast(shaped)
    remaining = iter(flat)
    new = [list(a) if isinstance(a, (list, tuple)) else a for a in args]
    for (i, j), array in zip(places, arrays, strict=True):
        scalar = not isinstance(array, RaggedTensor) and not array.shape.rank
        value = array if scalar else next(remaining)
        if j is None:
            new[i] = value
        else:
            new[i][j] = value
    return rebuild(op.public(*new))


def _operand(value, hint):
    if isinstance(value, RaggedTensor) or is_tensor_type(value):
        return value
    return convert_to_tensor(value, dtype_hint=hint)


def broadcast(values: list):
    """The flat values of broadcast operands, and a function that gives a result its rows.

    Raises:
        InvalidArgumentError: if the shapes do not fit.
    """
    first = values[0]
    if all(_same_rows(first, v) for v in values[1:]) and isinstance(first, RaggedTensor):
        return [v.flat_values for v in values], first.with_flat_values
    rank = max(v.shape.rank for v in values)
    depth = 1
    aligned = []
    for value in values:
        for _ in range(rank - value.shape.rank):
            value = expand_dims(value, 0)
        aligned.append(value)
        if isinstance(value, RaggedTensor):
            depth = max(depth, value.ragged_rank)
    aligned = [_at_rank(v, depth) for v in aligned]
    rows = _common_size([size_of(v) for v in aligned])
    broadcasts = [isinstance(size_of(v), int) and size_of(v) == 1 for v in aligned]
    indexes = [
        torch.zeros(rows, dtype=torch.int64) if one else torch.arange(rows) for one in broadcasts
    ]
    partitions = []
    for _ in range(depth):
        lengths = [part.lengths_of(v._splits)[i] for v, i in zip(aligned, indexes, strict=True)]
        single = [_is_single(v) for v in aligned]
        target = next((n for n, one in zip(lengths, single, strict=True) if not one), lengths[0])
        uniform = next((v._uniform for v, one in zip(aligned, single, strict=True) if not one), 1)
        _assert_same_lengths(
            [n for n, one in zip(lengths, single, strict=True) if not one and not is_fake(n)],
            [v for v, one in zip(aligned, single, strict=True) if not one],
        )
        splits = part.splits_of(target)
        rowids = part.rowids_of(splits)
        offsets = part.offsets_of(splits, rowids)
        indexes = [
            v._splits[:-1][i][rowids] + (0 if one else offsets)
            for v, i, one in zip(aligned, indexes, single, strict=True)
        ]
        partitions.append((splits, uniform))
        aligned = [v._values for v in aligned]

    def rebuild(result):
        for splits, uniform in reversed(partitions):
            result = RaggedTensor._of(result, splits, uniform)
        return result

    return [part.take(v, i) for v, i in zip(aligned, indexes, strict=True)], rebuild


def _assert_same_lengths(lengths, operands) -> None:
    """Raises unless the rows are of one length; of the row splits, those of a dense operand are
    TensorFlow's `x`.
    """
    for length in lengths[1:]:
        if not torch.equal(length.long(), lengths[0].long()):
            x, y = (wrap(part.splits_of(n.long())) for n in (lengths[0], length))
            if operands[0]._uniform is None and any(v._uniform is not None for v in operands):
                x, y = y, x
            debugging.assert_equal(x, y)


def _same_rows(a, b) -> bool:
    if not isinstance(a, RaggedTensor) or not isinstance(b, RaggedTensor):
        return False
    mine, other = a._partitions, b._partitions
    return len(mine) == len(other) and all(map(part.same, mine, other))


def _common_size(sizes):
    known = [s for s in sizes if isinstance(s, int)]  # an open size is taken to fit
    rows = next((s for s in known if s != 1), next((s for s in sizes if s not in known), 1))
    if any(s not in (1, rows) for s in known):
        debugging.assert_equal(False, True)  # what TensorFlow compares there
    return rows


def _is_single(rt) -> bool:
    """Whether every row is known to have one value."""
    if rt._uniform is not None:
        return rt._uniform == 1
    return False


# -- reductions

_FOLDS = {
    "Sum": "sum", "Prod": "prod", "Max": "amax", "Min": "amin", "All": "amin", "Any": "amax",
}  # fmt: skip


@op("UnsortedSegmentReduce", strings=None)
def _segment_reduce(values: T, ids: Index, count, how):
    """Reduces the rows that share an id; empty segments get the neutral element."""
    shape = (count, *values.shape[1:])
    data = values.to(torch.uint8) if values.dtype is torch.bool else values
    index = ids.long().reshape(-1, *[1] * (data.dim() - 1)).expand_as(data)
    if how == "sum":
        return torch.zeros(shape, dtype=data.dtype).index_add(0, ids, data)
    if how == "prod":
        start = torch.ones(shape, dtype=data.dtype)
    else:
        start = torch.full(shape, _extreme(values.dtype, how), dtype=data.dtype)
    return start.scatter_reduce(0, index, data, how).to(values.dtype)


def _extreme(dtype: torch.dtype, how: str):
    if dtype is torch.bool:
        return int(how == "amin")
    info = torch.finfo(dtype) if dtype.is_floating_point else torch.iinfo(dtype)
    return info.min if how == "amax" else info.max


def _segments(values, ids, count, how):
    """`_segment_reduce` for ragged values: column by column."""
    if not isinstance(values, RaggedTensor):
        return _segment_reduce(values, ids, count, how)
    lengths = part.lengths_of(values._splits)
    longest = torch.zeros(count, dtype=lengths.dtype).scatter_reduce(0, ids.long(), lengths, "amax")
    splits = part.splits_of(longest)
    rowids = values._rowids()
    inner = splits[ids[rowids]] + part.offsets_of(values._splits, rowids)
    total = part.number(splits[-1])
    return RaggedTensor._of(_segments(values._values, inner, total, how), splits)


def _reduce(op, args):
    rt, axis, keepdims = args
    axes = to_axis(axis)
    if op.name == "Mean":
        return _mean(op, rt, axes, keepdims)
    return _reduce_axes(op, rt, axes, keepdims)


def _reduce_axes(op, rt, axes, keepdims):
    rank = rt.shape.rank
    if axes is None:
        result = op.public(rt.flat_values, None, False)
        return array_ops.reshape(result, [1] * rank) if keepdims else result
    axes = sorted({array_ops_axis(a, rank) for a in ([axes] if isinstance(axes, int) else axes)})
    result = rt
    for axis in reversed(axes):
        result = _reduce_axis(op, result, axis, keepdims)
    return result


def _reduce_axis(op, value, axis, keepdims):
    if not isinstance(value, RaggedTensor):
        return op.public(value, axis, keepdims)
    if axis > 1:
        return value.with_values(_reduce_axis(op, value.values, axis - 1, keepdims))
    rowids = value._rowids()
    if axis == 1:
        ids, count = rowids, size_of(value)
    else:
        ids, count = part.offsets_of(value._splits, rowids), part.longest(value._splits)
    result = _segments(value.values, ids, count, _FOLDS[op.name])
    return expand_dims(result, axis) if keepdims else result


def _mean(op, rt, axes, keepdims):
    total = _reduce_axes(math.reduce_sum.op, rt, axes, keepdims)
    ones = rt.with_flat_values(array_ops.ones_like(rt.flat_values))
    return total / _reduce_axes(math.reduce_sum.op, ones, axes, keepdims)


# -- joins, indexes


def _arguments(op, args) -> dict:
    return dict(zip(op.signature.parameters, args, strict=True))


def _concat(op, args):
    return concat(list(args[0]), to_axis(args[1]))


def _stack(op, args):
    return stack(list(args[0]), to_axis(args[1]))


def _expand_dims(op, args):
    return expand_dims(args[0], to_axis(args[1]))


def _boolean_mask(op, args):
    return boolean_mask(args[0], args[1])


def gather_ragged(params, indices, axis=0, batch_dims=0):
    """`tf.gather` where `params` or `indices` are ragged."""
    params = convert(params)
    if batch_dims:
        axis = batch_dims if axis in (None, 0) else axis
        return _batch_gather(params, indices, axis, batch_dims)
    if isinstance(indices, RaggedTensor):
        return indices.with_values(gather_ragged(params, indices.values, axis))
    indices = convert_to_tensor(indices)
    axis = array_ops_axis(axis or 0, params.shape.rank)
    if axis > 0:
        if not isinstance(params, RaggedTensor):
            return array_ops.gather(params, indices, axis=axis)
        if axis == 1:
            raise ValueError("tf.gather on a ragged axis needs batch_dims")
        return params.with_values(gather_ragged(params.values, indices, axis - 1))
    flat = array_ops.reshape(indices, [-1])._data
    count = size_of(params)
    if not is_fake(flat) and flat.numel() and (flat.min() < 0 or flat.max() >= count):
        bad = int(flat[(flat < 0) | (flat >= count)][0])
        raise part.invalid(f"indices = {bad} is not in [0, {count}) [Op:RaggedGather]")
    result = gather(params, flat)
    for size in reversed(indices._data.shape[1:]):
        result = RaggedTensor.from_uniform_row_length(result, size)
    if indices.shape.rank == 0:
        return result[0]
    return result


def _gather_nd(op, args):
    """`tf.gather_nd` of a ragged tensor: coordinates become places in its values."""
    params, indices, batch_dims = args
    if batch_dims or not isinstance(params, RaggedTensor) or isinstance(indices, RaggedTensor):
        raise NotImplementedError(
            "tf.gather_nd with ragged indices, or with batch_dims for ragged tensors, is not "
            "supported; use tf.gather with batch_dims=1."
        )
    indices = convert_to_tensor(indices, dtype_hint=dtypes.int64)
    outer, depth = indices._data.shape[:-1], indices.shape[-1]
    flat = math.cast(array_ops.reshape(indices, [-1, depth]), dtypes.int64)
    place, found = flat[:, 0], None
    for d in range(1, depth):
        if not isinstance(params, RaggedTensor):  # the rest of the coordinates, in a dense tensor
            rest = array_ops.concat([array_ops.expand_dims(place, 1), flat[:, d:]], 1)
            found = array_ops.gather_nd(params, rest)
            break
        within, length = (
            flat[:, d],
            array_ops.gather(math.cast(params.row_lengths(), dtypes.int64), place),
        )
        if not is_fake(within._data) and bool(
            ((within._data < 0) | (within._data >= length._data)).any()
        ):
            raise part.invalid("indices lie outside of the rows [Op:RaggedGatherNd]")
        place = array_ops.gather(math.cast(params.row_starts(), dtypes.int64), place) + within
        params = params.values
    if found is None:
        found = gather_ragged(params, place) if isinstance(params, RaggedTensor) else (
            array_ops.gather(params, place)
        )  # fmt: skip
    if not isinstance(found, RaggedTensor):
        return array_ops.reshape(found, [*outer, *found._data.shape[1:]])
    for size in reversed(outer[1:]):
        found = RaggedTensor.from_uniform_row_length(found, size)
    return found if outer else found[0]


def _batch_gather(params, indices, axis, batch_dims):
    if batch_dims > 1 or axis > 1:
        raise NotImplementedError(
            "tf.gather of ragged tensors with batch_dims > 1 or axis > 1 is not supported; merge "
            "the batch axes with RaggedTensor.merge_dims first."
        )
    params, indices = _at_rank(params, 1), _at_rank(indices, 1)
    rowids = indices._rowids()
    starts = params._splits[:-1][rowids]
    inner = indices.values
    while isinstance(inner, RaggedTensor) or inner.shape.rank > 1:
        raise NotImplementedError(
            "tf.gather with batch_dims=1 and indices of rank above 2 is not supported for ragged "
            "tensors; merge the axes of the indices first."
        )
    flat = to_torch(inner)
    lengths = part.lengths_of(params._splits)[rowids]
    if not is_fake(flat) and ((flat < 0) | (flat >= lengths)).any():
        raise part.invalid("indices are out of the range of their rows [Op:RaggedGather]")
    result = indices.with_values(gather(params.values, starts + flat))
    return result


def _gather(op, args):
    named = _arguments(op, args)
    axis = to_axis(named.get("axis"))
    if isinstance(axis, list):
        axis = axis[0]
    return gather_ragged(
        named["params"], named["indices"], axis or 0, to_axis(named.get("batch_dims")) or 0
    )


def _squeeze(op, args):
    rt, axes = args[0], to_axis(args[1])
    if axes is None or axes == []:
        raise ValueError("Ragged.squeeze must have an axis argument.")
    for axis in sorted((array_ops_axis(a, rt.shape.rank) for a in
                        ([axes] if isinstance(axes, int) else axes)), reverse=True):  # fmt: skip
        rt = _squeeze_axis(rt, axis)
    return rt


def _squeeze_axis(value, axis):
    if not isinstance(value, RaggedTensor):
        return array_ops.squeeze(value, axis)
    if axis > 1:
        return value.with_values(_squeeze_axis(value.values, axis - 1))
    if axis == 0:
        if size_of(value) != 1:
            raise part.invalid(
                f"Can not squeeze dim[0], expected a dimension of 1, got {size_of(value)}"
            )
        return value[0]
    if not is_fake(value._splits) and not (part.lengths_of(value._splits) == 1).all():
        raise part.invalid("the given axis (axis = 1) is not squeezable!")
    return value.values


def _reverse(op, args):
    named = _arguments(op, args)
    rt, axes = named["tensor"], to_axis(named["axis"])
    for axis in [axes] if isinstance(axes, int) else axes:
        axis = array_ops_axis(axis, rt.shape.rank)
        rt = rt[(slice(None),) * axis + (slice(None, None, -1),)]
    return rt


def _as(function):
    """The handler of an op for which there is a function with its arguments."""
    return lambda op, args: function(*args)


def _unsorted_segments(how):
    def handler(op, args):
        data, ids = functions._values_of_each(convert(args[0]), args[1])
        if not isinstance(data, RaggedTensor):
            return op.public(data, ids, *args[2:])
        return _segments(data, to_torch(ids), part.number(args[2]), how)

    return handler


def _flat(op, args):
    """For functions of all elements, whatever their rows."""
    return op.public(args[0].flat_values, *args[1:])


def _select(op, args):
    condition, x, y = args[:3]
    if x is None and y is None:
        return _where(op, args)
    return lift(op.public)(condition, x, y)


def _tile(op, args):
    named = _arguments(op, args)
    return tile(named["input"], [int(m) for m in to_axis(named["multiples"])])


def tile(value, multiples: list[int]):
    """Repeats a ragged tensor along its axes."""
    if not isinstance(value, RaggedTensor):
        for axis, count in enumerate(multiples):
            value = array_ops.concat([value] * count, axis) if count != 1 else value
        return value
    inner = [1, *multiples[2:]]
    if any(m != 1 for m in inner):
        value = value.with_values(tile(value.values, inner))
    for axis, count in enumerate(multiples[:2]):
        if count != 1:
            value = concat([value] * count, axis)
    return value


def _where(op, args):
    condition = args[0]
    flat = condition.flat_values._data.reshape(-1).nonzero()[:, 0]
    return part.take(condition.to_sparse().indices, wrap(flat))


def _softmax(op, args):
    named = _arguments(op, args)
    logits, axis = named["logits"], named["axis"]
    axis = -1 if axis is None else to_axis(axis)
    shifted = logits - math.reduce_max(logits, axis, keepdims=True)
    powers = math.exp(shifted)
    total = math.reduce_sum(powers, axis, keepdims=True)
    return powers / total


def _bincount(op, args):
    named = _arguments(op, args)
    if named["axis"] == -1:  # row by row
        from torchtf import sparse

        dtype = named.pop("dtype") if named["weights"] is None else named["weights"].dtype
        keys = ("weights", "axis", "minlength", "maxlength", "binary_output")
        counts = sparse.bincount(named["arr"], **{k: named[k] for k in keys})
        return math.cast(sparse.to_dense(counts), dtype)
    for key in ("arr", "weights"):
        value = named[key]
        named[key] = value.flat_values if isinstance(value, RaggedTensor) else value
    return op.public(**named)


def _rank_of(op, args):
    return convert_to_tensor(args[0].shape.rank, dtype=dtypes.int32)


def _shape(op, args):
    from torchtf.experimental.dynamic_ragged_shape import DynamicRaggedShape

    named = _arguments(op, args)
    return DynamicRaggedShape.from_tensor(named["input"], named["out_type"] or dtypes.int32)


def _on_flat_values(op, args):
    """For functions of one tensor that keep its outermost size."""
    return args[0].with_flat_values(op.public(args[0].flat_values, *args[1:]))


_HANDLERS = {
    **dict.fromkeys([*_FOLDS, "Mean"], _reduce),
    "ConcatV2": _concat,
    "Pack": _stack,
    "ExpandDims": _expand_dims,
    "BooleanMask": _boolean_mask,
    "GatherNd": _gather_nd,
    "GatherV2": _gather,
    "Squeeze": _squeeze,
    "ReverseV2": _reverse,
    "Reshape": _flat,
    "Tile": _tile,
    "Cumsum": lambda op, args: functions.cumulative(op, *args),
    "DynamicPartition": _as(functions.dynamic_partition),
    "LogSumExp": _as(functions.logsumexp),
    "UnsortedSegmentMax": _unsorted_segments("amax"),
    "UnsortedSegmentMin": _unsorted_segments("amin"),
    "UnsortedSegmentProd": _unsorted_segments("prod"),
    "UnsortedSegmentSum": _unsorted_segments("sum"),
    "Softmax": _softmax,
    # composite functions, by their names
    "bincount": _bincount,
    "bitcast": _on_flat_values,
    "boolean_mask": _boolean_mask,
    "clip_by_value": _on_flat_values,
    "concat": _concat,
    "dropout": _on_flat_values,
    "gather": _gather,
    "matmul": _as(matmul),
    "one_hot": _on_flat_values,
    "ones_like": _on_flat_values,
    "rank": _rank_of,
    "reduce_variance": _as(functions.variance),
    "resize": lambda op, args: functions.resize(op, *args),
    "reverse": _reverse,
    "shape": _shape,
    "size": _flat,
    "split": _as(functions.split),
    "stack": _stack,
    "tile": _tile,
    "unsorted_segment_mean": _as(functions.segment_mean),
    "unsorted_segment_sqrt_n": _as(functions.segment_sqrt_n),
    "where": _select,
    "zeros_like": _on_flat_values,
}
