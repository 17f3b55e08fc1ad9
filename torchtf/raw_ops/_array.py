"""Ops of `gen_array_ops` that are more than a call."""

from __future__ import annotations

import collections

import torch

import torchtf as tf
from torchtf.core import errors
from torchtf.core.derivative import without_gradient
from torchtf.core.op import op
from torchtf.raw_ops._gradient import at_zero

_GradientArgs = collections.namedtuple("BroadcastGradientArgs", ["r0", "r1"])
_ListDiff = collections.namedtuple("ListDiff", ["out", "idx"])
_Quantized = collections.namedtuple("QuantizeV2", ["output", "output_min", "output_max"])
_Unique = collections.namedtuple("Unique", ["y", "idx"])
_UniqueV2 = collections.namedtuple("UniqueV2", ["y", "idx"])
_Counted = collections.namedtuple("UniqueWithCounts", ["y", "idx", "count"])
_CountedV2 = collections.namedtuple("UniqueWithCountsV2", ["y", "idx", "count"])


def _numbers(value) -> list[int]:
    """The elements of an integer tensor that is known."""
    found = tf.get_static_value(tf.convert_to_tensor(value))
    if found is None:
        raise NotImplementedError("a raw op needs this argument's elements while it is traced")
    return found.reshape(-1).tolist()


def _refuse_policy(bad_indices_policy):
    if bad_indices_policy not in ("", "DEFAULT", "ERROR"):
        raise NotImplementedError(
            f"bad_indices_policy={bad_indices_policy!r} is not supported: bad indices are errors"
        )


def BatchToSpace(input, crops, block_size, name=None):
    return tf.batch_to_space(input, [block_size, block_size], crops, name=name)


def BatchToSpaceND(input, block_shape, crops, name=None):
    return tf.batch_to_space(input, block_shape, crops, name=name)


def BroadcastArgs(s0, s1, name=None):
    return tf.identity(tf.broadcast_dynamic_shape(s0, s1), name=name)


def BroadcastGradientArgs(s0, s1, name=None):
    """The axes along which the gradients of two broadcast tensors are summed."""
    # what is no tensor becomes int32, an array of int64, too
    dtype = next((s.dtype for s in (s0, s1) if isinstance(s, tf.Tensor)), tf.int32)
    first, second = _numbers(s0), _numbers(s1)
    rank = max(len(first), len(second))
    first, second = ([1] * (rank - len(s)) + s for s in (first, second))
    for a, b in zip(first, second, strict=True):
        if a != b and 1 not in (a, b):
            raise errors.InvalidArgumentError(
                None, None,
                f"Incompatible shapes: {first} vs. {second} [Op:BroadcastGradientArgs] name: ",
            )  # fmt: skip
    if first == second:
        axes: tuple = ([], [])
    else:  # an axis of one on both sides is summed on both
        axes = tuple([i for i, size in enumerate(s) if size == 1] for s in (first, second))
    return _GradientArgs(*(tf.constant(a, dtype, shape=[len(a)]) for a in axes))


def Dequantize(
    input, min_range, max_range, mode="MIN_COMBINED", narrow_range=False, axis=-1,
    dtype=tf.float32, name=None,
):  # fmt: skip
    return tf.quantization.dequantize(
        input, min_range, max_range, mode, name, axis, narrow_range, dtype
    )


def EditDistance(
    hypothesis_indices, hypothesis_values, hypothesis_shape, truth_indices, truth_values,
    truth_shape, normalize=True, name=None,
):  # fmt: skip
    return tf.edit_distance(
        tf.SparseTensor(hypothesis_indices, hypothesis_values, hypothesis_shape),
        tf.SparseTensor(truth_indices, truth_values, truth_shape),
        normalize,
        name=name,
    )


def Empty(shape, dtype, init=False, name=None):
    """Zeros, with `init` or without."""
    return tf.zeros(shape, dtype, name=name)


def Gather(params, indices, validate_indices=True, name=None):
    """Indices are always checked, as TensorFlow's kernel does."""
    return tf.gather(params, indices, axis=0, name=name)


def GatherNd(params, indices, bad_indices_policy="", name=None):
    _refuse_policy(bad_indices_policy)
    return tf.gather_nd(params, indices, name=name)


def ScatterNd(indices, updates, shape, bad_indices_policy="", name=None):
    _refuse_policy(bad_indices_policy)
    return tf.scatter_nd(indices, updates, shape, name=name)


def ScatterNdNonAliasingAdd(input, indices, updates, bad_indices_policy="", name=None):
    _refuse_policy(bad_indices_policy)
    return tf.tensor_scatter_nd_add(input, indices, updates, name=name)


def TensorScatterAdd(tensor, indices, updates, bad_indices_policy="", name=None):
    _refuse_policy(bad_indices_policy)
    return tf.tensor_scatter_nd_add(tensor, indices, updates, name=name)


def TensorScatterMax(tensor, indices, updates, bad_indices_policy="", name=None):
    _refuse_policy(bad_indices_policy)
    return tf.tensor_scatter_nd_max(tensor, indices, updates, name=name)


def TensorScatterMin(tensor, indices, updates, bad_indices_policy="", name=None):
    _refuse_policy(bad_indices_policy)
    return tf.tensor_scatter_nd_min(tensor, indices, updates, name=name)


def TensorScatterSub(tensor, indices, updates, bad_indices_policy="", name=None):
    _refuse_policy(bad_indices_policy)
    return tf.tensor_scatter_nd_sub(tensor, indices, updates, name=name)


def TensorScatterUpdate(tensor, indices, updates, bad_indices_policy="", name=None):
    _refuse_policy(bad_indices_policy)
    return tf.tensor_scatter_nd_update(tensor, indices, updates, name=name)


def InplaceAdd(x, i, v, name=None):
    """The rows `i` of a copy of `x`, each with a row of `v` added."""
    return tf.tensor_scatter_nd_add(x, tf.expand_dims(i, -1), v, name=name)


def InplaceSub(x, i, v, name=None):
    """The rows `i` of a copy of `x`, less a row of `v` each."""
    return tf.tensor_scatter_nd_sub(x, tf.expand_dims(i, -1), v, name=name)


def InplaceUpdate(x, i, v, name=None):
    """A copy of `x` with the rows `v` at `i`."""
    return tf.tensor_scatter_nd_update(x, tf.expand_dims(i, -1), v, name=name)


def ListDiff(x, y, out_idx=tf.int32, name=None):
    """The elements of `x` that are not in `y`, and where they are."""
    x = tf.convert_to_tensor(x)
    y = tf.convert_to_tensor(y, x.dtype)
    missing = tf.reduce_all(tf.not_equal(x[:, None], y[None, :]), axis=1)
    places = tf.where(missing)[:, 0]
    return _ListDiff(tf.gather(x, places), tf.cast(places, out_idx, name=name))


def LowerBound(sorted_inputs, values, out_type=tf.int32, name=None):
    return tf.searchsorted(sorted_inputs, values, "left", out_type, name=name)


def UpperBound(sorted_inputs, values, out_type=tf.int32, name=None):
    return tf.searchsorted(sorted_inputs, values, "right", out_type, name=name)


# the second version puts short diagonals to the left


def MatrixDiagV2(diagonal, k, num_rows, num_cols, padding_value, name=None):
    return tf.linalg.diag(diagonal, name, k, num_rows, num_cols, padding_value, align="LEFT_LEFT")


def MatrixDiagPartV2(input, k, padding_value, name=None):
    return tf.linalg.diag_part(input, name, k, padding_value, align="LEFT_LEFT")


def MatrixSetDiagV2(input, diagonal, k, name=None):
    return tf.linalg.set_diag(input, diagonal, name, k, align="LEFT_LEFT")


def MirrorPadGrad(input, paddings, mode, name=None):
    input, paddings = tf.convert_to_tensor(input), tf.convert_to_tensor(paddings)
    shape = tf.shape(input) - tf.cast(tf.reduce_sum(paddings, 1), tf.int32)
    return tf.identity(at_zero(lambda x: tf.pad(x, paddings, mode), input, shape), name=name)


def ParallelConcat(values, shape, name=None):
    return tf.ensure_shape(tf.concat(values, 0), shape, name=name)


def PlaceholderWithDefault(input, shape, name=None):
    """`input`; nothing is fed to eager code and functions."""
    return tf.ensure_shape(input, shape, name=name)


def PreventGradient(input, message="", name=None):
    """`input`; its gradient is an error."""

    @tf.custom_gradient
    def guarded(x):
        def gradient(dy):
            raise LookupError(f"Gradient explicitly disabled. Reason: {message.encode()!r}")

        return tf.identity(x, name=name), gradient

    return guarded(tf.convert_to_tensor(input))


def QuantizeAndDequantizeV2(
    input, input_min, input_max, signed_input=True, num_bits=8, range_given=False,
    round_mode="HALF_TO_EVEN", narrow_range=False, axis=-1, name=None,
):  # fmt: skip
    return tf.quantization.quantize_and_dequantize_v2(
        input, input_min, input_max, signed_input, num_bits, range_given, round_mode, name,
        narrow_range, axis,
    )  # fmt: skip


QuantizeAndDequantizeV4 = QuantizeAndDequantizeV2


def QuantizeV2(
    input, min_range, max_range, T, mode="MIN_COMBINED", round_mode="HALF_AWAY_FROM_ZERO",
    narrow_range=False, axis=-1, ensure_minimum_range=0.01, name=None,
):  # fmt: skip
    made = tf.quantization.quantize(
        input, min_range, max_range, T, mode, round_mode, name, narrow_range, axis,
        ensure_minimum_range,
    )  # fmt: skip
    return _Quantized(*made)


def Reverse(tensor, dims, name=None):
    """`dims` tells for each axis whether to reverse it."""
    return tf.reverse(tensor, [i for i, chosen in enumerate(_numbers(dims)) if chosen], name=name)


def SpaceToBatch(input, paddings, block_size, name=None):
    return tf.space_to_batch(input, [block_size, block_size], paddings, name=name)


def SplitV(value, size_splits, axis, num_split, name=None):
    return tf.split(value, size_splits, axis, num_split, name=name)


def Squeeze(input, axis=[], name=None):
    return tf.squeeze(input, axis or None, name=name)


def StridedSlice(
    input, begin, end, strides, begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0,
    shrink_axis_mask=0, name=None,
):  # fmt: skip
    return tf.strided_slice(
        input, begin, end, strides, begin_mask, end_mask, ellipsis_mask, new_axis_mask,
        shrink_axis_mask, name=name,
    )  # fmt: skip


def _positions(shape, *where):
    """The position of each element of a tensor, cut like it."""
    count = tf.reduce_prod(shape)
    return tf.strided_slice(tf.reshape(tf.range(count), shape), *where)


def StridedSliceGrad(
    shape, begin, end, strides, dy, begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0,
    shrink_axis_mask=0, name=None,
):  # fmt: skip
    masks = begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask
    picked = _positions(shape, begin, end, strides, *masks)
    size = tf.cast(tf.reduce_prod(shape), tf.int32)
    flat = tf.scatter_nd(tf.reshape(picked, [-1, 1]), tf.reshape(dy, [-1]), [size])
    return tf.reshape(flat, shape, name=name)


def TensorStridedSliceUpdate(
    input, begin, end, strides, value, begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0,
    shrink_axis_mask=0, name=None,
):  # fmt: skip
    """A copy of `input` with `value`, broadcast, at a slice."""
    input = tf.convert_to_tensor(input)
    masks = begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask
    picked = _positions(tf.shape(input), begin, end, strides, *masks)
    value = tf.broadcast_to(tf.convert_to_tensor(value, input.dtype), tf.shape(picked))
    flat = tf.tensor_scatter_nd_update(
        tf.reshape(input, [-1]), tf.reshape(picked, [-1, 1]), tf.reshape(value, [-1])
    )
    return tf.reshape(flat, tf.shape(input), name=name)


# -- unique


def Unique(x, out_idx=tf.int32, name=None):
    return _Unique(*tf.unique(x, out_idx, name=name))


def UniqueWithCounts(x, out_idx=tf.int32, name=None):
    return _Counted(*tf.unique_with_counts(x, out_idx, name=name))


_of_unique_rows = without_gradient("UniqueV2")


@op("UniqueV2")
def _unique_rows(x: T, axis, to) -> tuple[T, U, V]:
    """Slices along an axis in the order in which they come first."""
    _, inverse, counts = torch.unique(x, dim=axis, return_inverse=True, return_counts=True)
    places = torch.arange(inverse.numel())
    first = torch.full_like(counts, inverse.numel()).scatter_reduce(0, inverse, places, "amin")
    order = torch.argsort(first)
    return (
        _of_unique_rows(x.index_select(axis, first[order])),
        torch.argsort(order)[inverse].to(to),
        counts[order].to(to),
    )


def _unique_along(x, axis, out_idx, name):
    x, axes = tf.convert_to_tensor(x), _numbers(axis)
    if not axes and x.shape.rank != 1:
        raise errors.InvalidArgumentError(None, None, "unique expects a 1D vector. [Op:UniqueV2]")
    if not axes or x.shape.rank == 1:
        return tf.unique_with_counts(x, out_idx, name=name)
    return _unique_rows(x, axes[0], tf.as_dtype(out_idx).torch, name)


def UniqueV2(x, axis, out_idx=tf.int32, name=None):
    """The distinct slices along an axis, and where each slice is among them."""
    return _UniqueV2(*_unique_along(x, axis, out_idx, name)[:2])


def UniqueWithCountsV2(x, axis, out_idx=tf.int32, name=None):
    """`UniqueV2` and how often each slice occurs."""
    return _CountedV2(*_unique_along(x, axis, out_idx, name))
