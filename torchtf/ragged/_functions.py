"""Functions of ragged tensors that are made of other ops: split, segments, scans, moments."""

from __future__ import annotations

from torchtf import array_ops, debugging, math
from torchtf.core import dtypes
from torchtf.core.convert import to_axis, to_shape, to_torch
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import wrap
from torchtf.ragged import _partition as part
from torchtf.ragged._getitem import gather
from torchtf.ragged._tensor import RaggedTensor, array_ops_axis, convert, size_of


def split(rt, num_or_size_splits, axis=0, num=None, name=None) -> list:
    """`tf.split` along an axis whose slices are of one length.

    Raises:
        ValueError: for a ragged axis.
        InvalidArgumentError: if the parts do not fit the axis.
    """
    axis = array_ops_axis(to_axis(axis), rt.shape.rank)
    length = size_of(rt) if axis == 0 else rt.shape[axis]
    if length is None:
        raise ValueError(f"Cannot split a ragged dimension. Got `value` with shape {rt.shape}")
    if isinstance(num_or_size_splits, int):
        count, rest = num_or_size_splits, length % num_or_size_splits
        sizes = [length // count] * count
    else:
        sizes = to_shape(num_or_size_splits, cast=False)
        rest = length - sum(sizes)
    if isinstance(rest, int) and rest:
        raise part.invalid(
            "Cannot exactly split the `axis` dimension of `value` with the given "
            "`num_or_size_split`."
        )
    parts, start = [], 0
    for size in sizes:
        parts.append(rt[(slice(None),) * axis + (slice(start, start + size),)])
        start = start + size
    return parts


def dynamic_partition(data, partitions, num_partitions, name=None) -> list:
    """`tf.dynamic_partition` of rows, or of what ragged partitions name."""
    data, ids = _values_of_each(convert(data), partitions)
    flat = to_torch(ids)
    return [gather(data, (flat == i).nonzero()[:, 0]) for i in range(num_partitions)]


def _values_of_each(data, ids):
    """Data and ids without the ragged axes of the ids.

    Raises:
        ValueError: if the data do not have these axes.
    """
    while isinstance(ids, RaggedTensor):
        if not isinstance(data, RaggedTensor):
            raise ValueError(
                "segment_ids.shape must be a prefix of data.shape, but segment_ids is ragged and "
                "data is not."
            )
        debugging.assert_equal(
            math.cast(ids.row_splits, dtypes.int64), math.cast(data.row_splits, dtypes.int64),
            "segment_ids.shape must be a prefix of data.shape",
        )  # fmt: skip
        data, ids = data.values, ids.values
    return data, array_ops.reshape(convert(ids), [-1])


def segment_mean(data, segment_ids, num_segments, name=None):
    """`tf.math.unsorted_segment_mean`."""
    total, count = _sum_and_count(data, segment_ids, num_segments)
    return total / count


def segment_sqrt_n(data, segment_ids, num_segments, name=None):
    """`tf.math.unsorted_segment_sqrt_n`."""
    total, count = _sum_and_count(data, segment_ids, num_segments)
    return total / math.sqrt(count)


def _sum_and_count(data, segment_ids, num_segments):
    """The sums of segments, and how many elements each has, at least 1."""
    data = convert(data)
    ones = array_ops.ones_like(data)
    total, count = (math.unsorted_segment_sum(x, segment_ids, num_segments) for x in (data, ones))
    return total, math.maximum(count, array_ops.ones_like(count))


def cumulative(op, rt, axis=0, exclusive=False, reverse=False):
    """`tf.cumsum`: of the rows padded with zeros, which change no sum."""
    scanned = op.public(rt.to_tensor(), axis, exclusive, reverse)
    lengths = [wrap(part.lengths_of(splits)) for splits in rt._partitions]
    return RaggedTensor.from_tensor(
        scanned, lengths, ragged_rank=rt.ragged_rank, row_splits_dtype=rt.row_splits.dtype
    )


def variance(input_tensor, axis=None, keepdims=False, name=None):
    """`tf.math.reduce_variance`."""
    mean = math.reduce_mean(input_tensor, axis, keepdims)
    return math.reduce_mean(math.square(input_tensor), axis, keepdims) - math.square(mean)


def logsumexp(input_tensor, axis=None, keepdims=False):
    """`tf.math.reduce_logsumexp`."""
    most = [math.reduce_max(input_tensor, axis, keep) for keep in (True, keepdims)]
    wide, result = (array_ops.where(math.is_finite(m), m, array_ops.zeros_like(m)) for m in most)
    total = math.reduce_sum(math.exp(input_tensor - wide), axis, keepdims)
    return math.log(total) + result


def resize(op, images, size, method, *options):
    """`tf.image.resize` of images of several sizes, one by one: a tensor."""
    from torchtf.control_flow import map_fn

    kind = images.dtype if method == "nearest" else dtypes.float32

    def resized(image):
        image = image.to_tensor() if isinstance(image, RaggedTensor) else image
        return op.public(image, size, method, *options)

    return map_fn(resized, images, fn_output_signature=TensorSpec(None, kind))
