"""Reductions over segments, counting, and the largest elements."""

from __future__ import annotations

import collections

import torch

from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor, raw, to_shape
from torchtf.core.dispatch import dispatched
from torchtf.core.op import op
from torchtf.core.shape import brackets
from torchtf.core.tensor import is_fake, is_large, wrap
from torchtf.math._arithmetic import cast, multiply, truediv
from torchtf.math._elementary import sqrt

# -- segments


def _rows(data, ids):
    """Index of each row's segment, in the shape of `data`."""
    shape = (-1,) + (1,) * (data.dim() - 1)
    return ids.reshape(shape).expand(data.shape)


def _combine(how, data, ids, count, of_nothing):
    """Reduces the rows of `data` (along axis 0) that share an id; `count` rows come out."""
    ids = ids.to(torch.int64)
    out = torch.full((count, *data.shape[1:]), of_nothing, dtype=data.dtype, device=data.device)
    if how == "sum":
        return out.index_add(0, ids, data)
    reduced = out.scatter_reduce(0, _rows(data, ids), data, how, include_self=False)
    return reduced


def _sorted_segments(how, data, ids, of_nothing=0):
    if ids.dim() != 1:
        raise errors.InvalidArgumentError(None, None, "segment_ids should be a vector.")
    if not is_fake(ids):
        if len(ids) != data.shape[0]:
            raise errors.InvalidArgumentError(
                None, None,
                "segment_ids should be the same size as dimension 0 of input.",
            )  # fmt: skip
        if bool((ids < 0).any()):
            raise errors.InvalidArgumentError(None, None, "segment ids must be >= 0")
        if bool((ids[1:] < ids[:-1]).any()):
            raise errors.InvalidArgumentError(None, None, "segment ids are not increasing")
        count = int(ids[-1]) + 1 if len(ids) else 0
    else:
        count = 0 if ids.shape[0] == 0 else (ids[-1] + 1).item()
    if how == "mean":
        total = _combine("sum", data, ids, count, 0)
        number = _combine("sum", torch.ones_like(ids, dtype=data.dtype), ids, count, 0)
        number = number.clamp(min=1) if not number.is_complex() else torch.where(
            number == 0, 1, number
        )  # fmt: skip
        number = number.reshape(-1, *(1,) * (data.dim() - 1))
        if data.is_floating_point() or data.is_complex():
            return total / number
        return torch.div(total, number, rounding_mode="trunc")
    return _combine(how, data, ids, count, of_nothing)


@op("SegmentSum")
def segment_sum(data: Num, segment_ids: Index):
    """Adds up the rows of each segment (source: `tf.math.segment_sum`).

    Args:
        data: a tensor of rank 1 or more.
        segment_ids: for each row its segment; sorted, from 0.

    Returns:
        A tensor with one row for each segment up to the last; 0 for those without rows.

    Raises:
        InvalidArgumentError: if the ids are not sorted, or not one for each row.
    """
    return _sorted_segments("sum", data, segment_ids)


@op("SegmentMean")
def segment_mean(data: Num, segment_ids: Index):
    """The mean of the rows of each segment (source: `tf.math.segment_mean`); see `segment_sum`."""
    return _sorted_segments("mean", data, segment_ids)


@op("SegmentProd")
def segment_prod(data: Num, segment_ids: Index):
    """Multiplies the rows of each segment (source: `tf.math.segment_prod`); see `segment_sum`."""
    return _sorted_segments("prod", data, segment_ids, 1)


@op("SegmentMax", ordered=True)
def segment_max(data: Real, segment_ids: Index):
    """The largest of the rows of each segment (source: `tf.math.segment_max`);
    see `segment_sum`.
    """
    return _sorted_segments("amax", data, segment_ids)


@op("SegmentMin", ordered=True)
def segment_min(data: Real, segment_ids: Index):
    """The smallest of the rows of each segment (source: `tf.math.segment_min`);
    see `segment_sum`.
    """
    return _sorted_segments("amin", data, segment_ids)


def _unsorted_segments(how, data, ids, count, of_nothing):
    (count,) = to_shape(count)
    inner = data.shape[ids.dim() :]
    if not is_fake(ids):
        if tuple(data.shape[: ids.dim()]) != tuple(ids.shape):
            raise errors.InvalidArgumentError(
                None, None,
                f"data.shape = {list(data.shape)} does not start with segment_ids.shape = "
                f"{list(ids.shape)}",
            )  # fmt: skip
        if count < 0:
            raise errors.InvalidArgumentError(
                None, None, f"Input num_segments == {count} must not be negative."
            )
        if ids.numel() and int(ids.max()) >= count:
            place = (ids >= count).nonzero()[0].tolist()
            raise errors.InvalidArgumentError(
                None, None,
                f"segment_ids{brackets(place) if place else ''} = {int(ids[tuple(place)])} is out "
                f"of range [0, {count})",
            )  # fmt: skip
    flat_ids = ids.reshape(-1).to(torch.int64)
    rows = data.reshape(flat_ids.shape[0], *inner)
    # rows of negative segments go to one more segment, which is dropped
    flat_ids = torch.where(flat_ids < 0, count, flat_ids)
    return _combine(how, rows, flat_ids, count + 1, of_nothing).narrow(0, 0, count)


@op("UnsortedSegmentSum")
def unsorted_segment_sum(data: Num, segment_ids: Ids, num_segments):
    """Adds up the elements of each segment (source: `tf.math.unsorted_segment_sum`).

    Args:
        data: a tensor.
        segment_ids: a tensor whose shape is the beginning of that of `data`; a row with a negative
            id is left out.
        num_segments: the number of segments.

    Raises:
        InvalidArgumentError: if an id is too large or the shapes do not fit.
    """
    return _unsorted_segments("sum", data, segment_ids, num_segments, 0)


@op("UnsortedSegmentProd")
def unsorted_segment_prod(data: Num, segment_ids: Ids, num_segments):
    """Multiplies the elements of each segment (source: `tf.math.unsorted_segment_prod`);
    1 for a segment without elements.
    """
    return _unsorted_segments("prod", data, segment_ids, num_segments, 1)


def _finite_limits(dtype):
    return torch.finfo(dtype) if dtype.is_floating_point else torch.iinfo(dtype)


@op("UnsortedSegmentMax", ordered=True)
def unsorted_segment_max(data: Real, segment_ids: Ids, num_segments):
    """The largest element of each segment (source: `tf.math.unsorted_segment_max`);
    the lowest number for a segment without elements.
    """
    least = _finite_limits(data.dtype).min
    return _unsorted_segments("amax", data, segment_ids, num_segments, least)


@op("UnsortedSegmentMin", ordered=True)
def unsorted_segment_min(data: Real, segment_ids: Ids, num_segments):
    """The smallest element of each segment (source: `tf.math.unsorted_segment_min`);
    the highest number for a segment without elements.
    """
    most = _finite_limits(data.dtype).max
    return _unsorted_segments("amin", data, segment_ids, num_segments, most)


def _segment_sizes(data, segment_ids, num_segments):
    """How many elements each segment has, at least 1, in a shape that divides their sum."""
    ids = raw(segment_ids, torch.int32)
    ones = wrap(torch.ones_like(ids, dtype=data._data.dtype))
    counts = raw(unsorted_segment_sum(ones, wrap(ids), num_segments))
    counts = torch.where(counts == 0, 1, counts)
    return wrap(counts.reshape(-1, *(1,) * (data.ndim - ids.dim())))


@dispatched
def unsorted_segment_mean(data, segment_ids, num_segments, name=None):
    """The mean of the elements of each segment (source: `tf.math.unsorted_segment_mean`);
    0 for a segment without elements.
    """
    data = convert_to_tensor(data)
    total = unsorted_segment_sum(data, segment_ids, num_segments)
    return truediv(total, _segment_sizes(data, segment_ids, num_segments), name)


@dispatched
def unsorted_segment_sqrt_n(data, segment_ids, num_segments, name=None):
    """The sum of each segment over the square root of its size
    (source: `tf.math.unsorted_segment_sqrt_n`).
    """
    data = convert_to_tensor(data)
    total = unsorted_segment_sum(data, segment_ids, num_segments)
    return truediv(total, sqrt(_segment_sizes(data, segment_ids, num_segments)), name)


# -- counting


@op("DenseBincount")
def _bincount(values: Index, weights: Counts | None, size, binary, to) -> Counts:
    """Counts along the last axis of a vector or matrix."""
    if values.dim() == 1 and weights is None and not binary and not is_fake(values):
        return torch.bincount(values, minlength=size)[:size].to(to)
    flat = (values if values.dim() > 1 else values.unsqueeze(0)).to(torch.int64)
    inside = flat < size
    out = torch.zeros((flat.shape[0], size + 1), dtype=to, device=values.device)
    index = torch.where(inside, flat, size)
    if binary:
        out = out.scatter(1, index, torch.ones_like(index, dtype=to))
    else:
        one = torch.ones_like(index, dtype=to) if weights is None else weights.reshape(flat.shape)
        out = out.scatter_add(1, index, one)
    return out[:, :size] if values.dim() > 1 else out[0, :size]


@dispatched
def bincount(
    arr,
    weights=None,
    minlength=None,
    maxlength=None,
    dtype=dtypes.int32,
    name=None,
    axis=None,
    binary_output=False,
):
    """How often each number occurs (source: `tf.math.bincount`).

    Args:
        arr: a tensor, ragged or sparse tensor of non-negative integers.
        weights: what each occurrence counts; its type is then that of the result.
        minlength, maxlength: bounds for the number of bins; larger numbers are left out.
        dtype: the type of the counts where there are no weights.
        axis: None counts all elements; -1 counts in each row of a matrix.
        binary_output: whether to tell only if a number occurs.

    Raises:
        InvalidArgumentError: if a number is negative or the weights have another shape.
        ValueError: for other axes, or weights with `binary_output`.
    """
    if axis not in (None, 0, -1):
        raise ValueError(f"Unsupported value for argument axis={axis}. Only 0 and -1 are currently "
                         "supported.")  # fmt: skip
    if weights is not None and binary_output:
        raise ValueError("Arguments `binary_output` and `weights` are mutually exclusive. Please "
                         "specify only one.")  # fmt: skip
    if hasattr(arr, "dense_shape"):
        from torchtf import sparse

        counts = sparse.bincount(arr, weights, axis or 0, minlength, maxlength, binary_output)
        return cast(sparse.to_dense(counts), dtype if weights is None else weights.dtype)
    values = convert_to_tensor(arr)
    if values.dtype not in (dtypes.int32, dtypes.int64):
        values = cast(values, dtypes.int32)
    weight = None if weights is None else convert_to_tensor(weights)
    data = raw(values)
    if weight is not None and weight.shape != values.shape:
        raise errors.InvalidArgumentError(
            None, None,
            "`weights` must be the same shape as `arr` or a length-0 `Tensor`, in which case it "
            f"acts as all weights equal to 1. Received {brackets(weight.shape)} [Op:DenseBincount]",
        )  # fmt: skip
    if not is_fake(data):
        least, most = (int(v) for v in data.aminmax()) if data.numel() else (0, -1)
        if least < 0:
            raise errors.InvalidArgumentError(
                None, None, "Input arr must be non-negative! [Op:DenseBincount]"
            )
        size = most + 1
    else:
        size = 0 if data.numel() == 0 else (data.max() + 1).item()
    low, high = (None if n is None else to_shape(n)[0] for n in (minlength, maxlength))
    if isinstance(low, int) and low == high:
        size = low  # whatever the values are, so that a graph knows it
    else:
        size = size if low is None else torch.sym_max(size, low)
        size = size if high is None else torch.sym_min(size, high)
    if axis in (None, 0):
        values = wrap(data.reshape(-1))
        weight = None if weight is None else wrap(raw(weight).reshape(-1))
    to = dtypes.as_dtype(dtype) if weight is None else weight.dtype
    return _bincount(values, weight, size, binary_output, to.torch, name)


def confusion_matrix(
    labels, predictions, num_classes=None, weights=None, dtype=dtypes.int32, name=None
):
    """How often each label was predicted as what (source: `tf.math.confusion_matrix`).

    Args:
        labels: the true classes, a vector of integers from 0.
        predictions: the predicted ones.
        num_classes: the number of classes; by default as many as occur.
        weights: what each prediction counts.
        dtype: the type of the counts.

    Returns:
        A matrix [num_classes, num_classes]; its rows are the labels.

    Raises:
        InvalidArgumentError: if a class is negative or too large.
    """
    labels, predictions = convert_to_tensor(labels), convert_to_tensor(predictions)
    rank_gap = predictions.shape.rank - labels.shape.rank
    if rank_gap == 1 and predictions.shape[-1] in (1, None):
        predictions = wrap(raw(predictions).squeeze(-1))
    elif rank_gap == -1 and labels.shape[-1] in (1, None):
        labels = wrap(raw(labels).squeeze(-1))
    labels, predictions = cast(labels, dtypes.int64), cast(predictions, dtypes.int64)
    if not predictions.shape.is_compatible_with(labels.shape):
        raise errors.InvalidArgumentError(
            None, None, f"Shapes of all inputs must match: {labels.shape} != {predictions.shape}"
        )
    a, b = raw(labels), raw(predictions)
    kind = dtypes.as_dtype(dtype)
    if num_classes is None:
        count = torch.maximum(a.max(), b.max()) + 1
        count = count.item() if is_fake(count) else int(count)
    else:
        (count,) = to_shape(num_classes)
    for data, what in ((a, "labels"), (b, "predictions")):
        if is_fake(data) or not data.numel():
            continue
        if int(data.min()) < 0:
            raise errors.InvalidArgumentError(None, None, f"`{what}` contains negative values")
        if int(data.max()) >= count:
            raise errors.InvalidArgumentError(None, None, f"`{what}` out of bound")
    if weights is None:
        weight = torch.ones_like(a, dtype=kind.torch)
    else:
        weight = cast(weights, kind)
        weight.shape.assert_is_compatible_with(predictions.shape)
        weight = raw(weight)
    flat = (a * count + b).reshape(-1)
    out = torch.zeros(count * count, dtype=kind.torch, device=a.device)
    return wrap(out.index_add(0, flat, weight.reshape(-1)).reshape(count, count))


# -- the largest elements

TopKV2 = collections.namedtuple("TopKV2", ["values", "indices"])
ApproxTopK = collections.namedtuple("ApproxTopK", ["values", "indices"])


@op("TopKV2", ordered=True)
def _top_k(input: Real, k, index_type) -> tuple[Real, Index]:
    if input.dim() == 0:
        raise errors.InvalidArgumentError(None, None, "input must have at least 1 dimension")
    n = input.shape[-1]
    if isinstance(n, int) and isinstance(k, int) and n < k:
        raise errors.InvalidArgumentError(
            None, None, f"input must have at least k columns. Had {n}, needed {k}"
        )
    if isinstance(k, int) and (is_fake(input) or n < 256 or k > n // 8 or k == 0):
        values, index = torch.sort(input, dim=-1, descending=True, stable=True)
        return TopKV2(values.narrow(-1, 0, k), index.narrow(-1, 0, k).to(index_type))
    if is_fake(input):
        order = torch.sort(input, dim=-1, descending=True, stable=True).indices
        # unlike a slice, this leaves a symbolic k open
        index = order.index_select(-1, torch.arange(k, device=order.device))
    else:
        index = _few_largest(input, k)
    return TopKV2(torch.gather(input, -1, index), index.to(index_type))


def _few_largest(x, k):
    """The indices of the k largest, the first ones at a tie, without sorting all."""
    largest, index = torch.topk(x, k + 1, -1)
    if (largest[..., :-1] > largest[..., 1:]).all():
        return index[..., :k]
    least = largest[..., k - 1 : k]
    above, level = x > least, x == least
    room = k - above.sum(-1, keepdim=True)
    chosen = above | (level & (level.cumsum(-1) <= room))
    found = chosen.nonzero()[:, -1]
    if found.numel() * x.shape[-1] != x.numel() * k:  # NaNs, which compare with nothing
        return torch.sort(x, dim=-1, descending=True, stable=True).indices[..., :k]
    found = found.reshape(*x.shape[:-1], k)
    order = torch.sort(torch.gather(x, -1, found), dim=-1, descending=True, stable=True).indices
    return torch.gather(found, -1, order)


def top_k(input, k=1, sorted=True, index_type=dtypes.int32, name=None):
    """The k largest elements along the last axis, the first ones at a tie
    (source: `tf.math.top_k`).

    Args:
        input: a tensor of real numbers with k or more columns.
        k: how many.
        sorted: whether they must come in descending order; they always do.
        index_type: int16, int32 or int64.

    Returns:
        A named tuple `values`, `indices`.

    Raises:
        InvalidArgumentError: if there are fewer than k columns.
    """
    (k,) = to_shape(k)
    if isinstance(k, int) and k < 0:
        raise errors.InvalidArgumentError(None, None, f"Need k >= 0, got {k} [Op:TopKV2]")
    return _top_k(input, k, dtypes.as_dtype(index_type).torch, name)


def _approximate_top_k(operand, k, axis, sign, name):
    moved = wrap(raw(operand).movedim(axis, -1))
    found = top_k(moved if sign > 0 else multiply(moved, -1.0), k, name=name)
    values = found.values if sign > 0 else multiply(found.values, -1.0)
    return ApproxTopK(*[wrap(raw(t).movedim(-1, axis)) for t in (values, found.indices)])


def approx_max_k(
    operand,
    k,
    reduction_dimension=-1,
    recall_target=0.95,
    reduction_input_size_override=-1,
    aggregate_to_topk=True,
    name=None,
):
    """The k largest elements along an axis (source: `tf.math.approx_max_k`).

    The result is exact, as TensorFlow's is everywhere but on TPUs: `recall_target` is met,
    `reduction_input_size_override` and `aggregate_to_topk` change nothing then.

    Returns:
        A named tuple `values`, `indices`.
    """
    return _approximate_top_k(operand, k, reduction_dimension, 1, name)


def approx_min_k(
    operand,
    k,
    reduction_dimension=-1,
    recall_target=0.95,
    reduction_input_size_override=-1,
    aggregate_to_topk=True,
    name=None,
):
    """The k smallest elements along an axis (source: `tf.math.approx_min_k`);
    see `approx_max_k`.
    """
    return _approximate_top_k(operand, k, reduction_dimension, -1, name)


def approx_top_k(
    input,
    k,
    reduction_dimension=-1,
    recall_target=0.95,
    is_max_k=True,
    reduction_input_size_override=-1,
    aggregate_to_topk=True,
    name=None,
):
    """The k largest or smallest elements along an axis (source: `tf.approx_top_k`);
    see `approx_max_k`.
    """
    return _approximate_top_k(input, k, reduction_dimension, 1 if is_max_k else -1, name)


@op("InTopKV2")
def _in_top_k(predictions: Float32, targets: Index, k) -> Bool:
    if predictions.dim() != 2:
        raise errors.InvalidArgumentError(None, None, "predictions must be 2-dimensional")
    if targets.dim() != 1:
        raise errors.InvalidArgumentError(None, None, "targets must be 1-dimensional")
    if not is_fake(targets) and predictions.shape[0] != targets.shape[0]:
        raise errors.InvalidArgumentError(
            None, None,
            f"First dimension of predictions {predictions.shape[0]} must match length of targets "
            f"{targets.shape[0]}",
        )  # fmt: skip
    classes = predictions.shape[1]
    index = targets.to(torch.int64)
    valid = (index >= 0) & (index < classes)
    own = torch.gather(predictions, 1, torch.where(valid, index, 0).unsqueeze(1))
    if classes <= _FIRST_CLASSES or not is_large(predictions):
        return valid & _few_are_larger(predictions, own, k)
    # most rows that fail do so within a few classes
    passed = valid & (_larger(predictions[:, :_FIRST_CLASSES], own) < k)
    rows = passed.nonzero().squeeze(1)
    rest = _few_are_larger(predictions.index_select(0, rows), own.index_select(0, rows), k)
    return passed.index_put_((rows,), rest)


_FIRST_CLASSES = 32


def _larger(predictions, own):
    """How many of each row are larger; in floats, as torch is slow at making and at counting
    booleans.
    """
    return (predictions - own).clamp_(min=0).sign_().sum(1)


def _few_are_larger(predictions, own, k):
    finite = (predictions * 0).sum(1) == 0
    return finite & (_larger(predictions, own) < k)


def in_top_k(targets, predictions, k, name=None):
    """Whether each target is among the k best predictions (source: `tf.math.in_top_k`).

    Args:
        targets: a vector of classes.
        predictions: a float32 matrix of scores, a row for each target.
        k: how many of the best count; ties at the border count as well.

    Returns:
        A vector of booleans, False where a target is no class or a score is not finite.
    """
    (k,) = to_shape(k)
    return _in_top_k(predictions, targets, k, name)


@op("InvertPermutation")
def invert_permutation(x: Index):
    """The inverse of a permutation (source: `tf.math.invert_permutation`).

    Raises:
        InvalidArgumentError: if x is no vector, or not a permutation of 0, 1, ..., n - 1.
    """
    if x.dim() != 1:
        raise errors.InvalidArgumentError(None, None, "invert_permutation expects a 1D vector.")
    index = x.to(torch.int64)
    if not is_fake(x):
        n = len(x)
        if n and (int(index.min()) < 0 or int(index.max()) >= n):
            raise errors.InvalidArgumentError(None, None, f"an index is not between 0 and {n}")
        if int(torch.bincount(index, minlength=n).max() if n else 1) > 1:
            raise errors.InvalidArgumentError(None, None, "an index is duplicated in the input.")
    places = torch.arange(x.shape[0], dtype=x.dtype, device=x.device)
    return torch.empty_like(x).scatter(0, index, places)
