"""The array functions of `tf.compat.v1` whose arguments are not those of `tf`.

Each is the function of `tf` of the same name, which has the shapes, dtypes and errors.
"""

from __future__ import annotations

import collections as _collections

import numpy as _np
import torch as _torch

import torchtf as tf
from torchtf.core.op import op as _op
from torchtf.python.util.deprecation import deprecated_argument_lookup as _one_of
from torchtf.sparse._tensor import SparseTensorValue


def where(condition, x=None, y=None, name=None):
    """The places where a condition holds, or a choice that does not broadcast.

    Args:
        condition: a boolean tensor of the shape of `x`; a scalar; or a vector that chooses rows.
        x, y: two tensors of one shape and dtype, or None both.
        name: a name for the operation.

    Returns:
        (n, rank) int64 indices without `x` and `y`, else a tensor like `x`.

    Raises:
        ValueError: if only one of `x` and `y` is given.
        tf.errors.InvalidArgumentError: if the shapes do not fit.
    """
    if x is None and y is None:
        return tf.where(condition, name=name)
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    condition, x = tf.convert_to_tensor(condition, tf.bool), tf.convert_to_tensor(x)
    y = tf.convert_to_tensor(y, x.dtype)
    if not x.shape.is_compatible_with(y.shape):
        raise tf.errors.InvalidArgumentError(
            None, None,
            "'then' and 'else' must have the same size.  but received: "
            f"{tuple(x.shape)} vs. {tuple(y.shape)} [Op:Select]",
        )  # fmt: skip
    if condition.shape.rank == 1 and x.shape.rank != 1:
        ones = tf.ones([tf.rank(x) - 1], tf.int32)
        condition = tf.reshape(condition, tf.concat([tf.shape(condition), ones], 0))
    elif condition.shape.rank != 0 and not condition.shape.is_compatible_with(x.shape):
        raise tf.errors.InvalidArgumentError(
            None, None,
            f"'then' and 'condition' must have the same size.  but received: {tuple(x.shape)} vs. "
            f"{tuple(condition.shape)} [Op:Select]",
        )  # fmt: skip
    return tf.where(condition, x, y, name)


def squeeze(input, axis=None, name=None, squeeze_dims=None):
    """`tf.squeeze`, with `squeeze_dims` for `axis`, too."""
    return tf.squeeze(input, _one_of("axis", axis, "squeeze_dims", squeeze_dims), name)


def expand_dims(input, axis=None, name=None, dim=None):
    """`tf.expand_dims`, with `dim` for `axis`, too."""
    axis = _one_of("axis", axis, "dim", dim)
    if axis is None:
        raise ValueError("Must specify an axis argument to tf.expand_dims()")
    return tf.expand_dims(input, axis, name)


def constant(value, dtype=None, shape=None, name="Const", verify_shape=False):
    """`tf.constant`.

    Raises:
        TypeError: if `verify_shape` and the value's shape is not `shape`.
    """
    if verify_shape and shape is not None:
        found, shape = tf.convert_to_tensor(value, dtype), tf.TensorShape(shape)
        if found.shape != shape:
            raise TypeError(
                f"Expected Tensor {value} (converted to {found}) with shape {tuple(shape)}, but "
                f"got shape {tuple(found.shape)}."
            )
    return tf.constant(value, dtype, shape, name)


def convert_to_tensor(value, dtype=None, name=None, preferred_dtype=None, dtype_hint=None):
    """`tf.convert_to_tensor`, with `preferred_dtype` for `dtype_hint`, too."""
    hint = _one_of("dtype_hint", dtype_hint, "preferred_dtype", preferred_dtype)
    return tf.convert_to_tensor(value, dtype, hint, name)


def convert_to_tensor_or_indexed_slices(value, dtype=None, name=None):
    """The value itself if it is an `IndexedSlices`, else a tensor.

    Raises:
        ValueError: if slices have another dtype.
    """
    if not isinstance(value, tf.IndexedSlices):
        return tf.convert_to_tensor(value, dtype, name=name)
    if dtype is not None and tf.as_dtype(dtype) != value.dtype:
        raise ValueError(
            f"Incompatible tensor conversion requested to `dtype` {tf.as_dtype(dtype).name} for "
            f"`value` ({value}) with dtype {value.dtype.name}"
        )
    return value


def convert_to_tensor_or_sparse_tensor(value, dtype=None, name=None):
    """The value itself if it is sparse, else a tensor.

    Raises:
        RuntimeError: if a sparse tensor has another dtype.
    """
    if dtype is not None:
        dtype = tf.as_dtype(dtype)
    if isinstance(value, SparseTensorValue):
        value = tf.SparseTensor(*value)
    if isinstance(value, tf.SparseTensor):
        if dtype is not None and dtype != value.dtype:
            raise RuntimeError(f"Sparse dtype mismatch. Requested: {dtype.name},  Actual: {value.dtype.name}")  # fmt: skip  # noqa: E501
        return value
    return tf.convert_to_tensor(value, dtype, name=name)


def shape(input, name=None, out_type=None):
    """`tf.shape`."""
    return tf.shape(input, tf.int32 if out_type is None else out_type, name)


def size(input, name=None, out_type=None):
    """`tf.size`."""
    return tf.size(input, tf.int32 if out_type is None else out_type, name)


def zeros_like(tensor, dtype=None, name=None, optimize=True):
    """`tf.zeros_like`; a shape that is known is a constant with either `optimize`."""
    return tf.zeros_like(tensor, dtype, name)


def ones_like(tensor, dtype=None, name=None, optimize=True):
    """`tf.ones_like`; a shape that is known is a constant with either `optimize`."""
    return tf.ones_like(tensor, dtype, name)


def transpose(a, perm=None, name="transpose", conjugate=False):
    """`tf.transpose`."""
    return tf.transpose(a, perm, conjugate, name)


def pad(tensor, paddings, mode="CONSTANT", name=None, constant_values=0):
    """`tf.pad`."""
    return tf.pad(tensor, paddings, mode, constant_values, name)


def gather(params, indices, validate_indices=None, name=None, axis=None, batch_dims=0):
    """`tf.gather`."""
    return tf.gather(params, indices, validate_indices, axis, batch_dims, name)


def gather_nd(params, indices, name=None, batch_dims=0, bad_indices_policy=""):
    """`tf.gather_nd`."""
    return tf.gather_nd(params, indices, batch_dims, name, bad_indices_policy)


def batch_gather(params, indices, name=None):
    """`tf.gather` in which all dimensions of `indices` but the last are batch dimensions.

    Raises:
        ValueError: if the rank of `indices` is unknown.
    """
    indices = tf.convert_to_tensor(indices, name="indices")
    if indices.shape.rank is None:
        raise ValueError("batch_gather does not allow indices with unknown shape.")
    return tf.gather(params, indices, axis=-1, batch_dims=indices.shape.rank - 1, name=name)


def boolean_mask(tensor, mask, name="boolean_mask", axis=None):
    """`tf.boolean_mask`."""
    return tf.boolean_mask(tensor, mask, axis, name)


def setdiff1d(x, y, index_dtype=tf.int32, name=None):
    """The elements of a vector that another has not.

    Returns:
        `(out, idx)`: what is left, in order, and where in `x` it was.
    """
    return _list_diff(x, y, tf.as_dtype(index_dtype).torch, name)


_ListDiff = _collections.namedtuple("ListDiff", ["out", "idx"])


@_op("ListDiff")
def _list_diff(x: T, y: T, to) -> tuple[T, Index]:
    left = (~_torch.isin(x, y)).nonzero().squeeze(1)
    return _ListDiff(x[left], left.to(to))


def space_to_batch(input, paddings, block_size=None, name=None, block_shape=None):
    """`tf.space_to_batch` with square blocks of (batch, height, width, channels)."""
    block = _one_of("block_shape", block_shape, "block_size", block_size)
    return tf.space_to_batch(input, _np.array([block, block]), paddings, name)


def batch_to_space(input, crops, block_size, name=None, block_shape=None):
    """`tf.batch_to_space` with square blocks of (batch, height, width, channels)."""
    block = _one_of("block_shape", block_shape, "block_size", block_size)
    return tf.batch_to_space(input, _np.array([block, block]), crops, name)


def batch_to_space_nd(input, block_shape, crops, name=None):
    """`tf.batch_to_space`."""
    return tf.batch_to_space(input, block_shape, crops, name)


def space_to_depth(input, block_size, name=None, data_format="NHWC"):
    """`tf.nn.space_to_depth`."""
    return tf.nn.space_to_depth(input, block_size, data_format, name)


def depth_to_space(input, block_size, name=None, data_format="NHWC"):
    """`tf.nn.depth_to_space`."""
    return tf.nn.depth_to_space(input, block_size, data_format, name)


def reverse_sequence(
    input,
    seq_lengths,
    seq_axis=None,
    batch_axis=None,
    name=None,
    seq_dim=None,
    batch_dim=None,
):
    """`tf.reverse_sequence`, with `seq_dim` and `batch_dim` for the axes, too."""
    seq_axis = _one_of("seq_axis", seq_axis, "seq_dim", seq_dim)
    batch_axis = _one_of("batch_axis", batch_axis, "batch_dim", batch_dim)
    return tf.reverse_sequence(input, seq_lengths, seq_axis, batch_axis or 0, name)


def clip_by_average_norm(t, clip_norm, name=None):
    """A tensor scaled so that its L2 norm per element is at most `clip_norm`.

    Args:
        t: a tensor of floats.
        clip_norm: a positive scalar.
        name: a name for the operation.

    Returns:
        A tensor like `t`.
    """
    t = tf.convert_to_tensor(t, name="t")
    elements = tf.cast(tf.size(t), tf.float32)
    inverse = tf.math.rsqrt(tf.reduce_sum(t * t))
    scale = tf.minimum(inverse * elements, tf.constant(1.0) / clip_norm)
    return tf.identity(t * clip_norm * scale, name)


def norm(tensor, ord="euclidean", axis=None, keepdims=None, name=None, keep_dims=None):
    """`tf.norm`, with `keep_dims` for `keepdims`, too."""
    keepdims = _one_of("keepdims", keepdims, "keep_dims", keep_dims)
    return tf.norm(tensor, ord, axis, bool(keepdims), name)


def py_func(func, inp, Tout, stateful=True, name=None):
    """`tf.numpy_function`."""
    return tf.numpy_function(func, inp, Tout, stateful, name)


def quantize_v2(
    input,
    min_range,
    max_range,
    T,
    mode="MIN_COMBINED",
    name=None,
    round_mode="HALF_AWAY_FROM_ZERO",
    narrow_range=False,
    axis=None,
    ensure_minimum_range=0.01,
):
    """`tf.quantization.quantize`."""
    return tf.quantization.quantize(
        input, min_range, max_range, T, mode, round_mode, name, narrow_range, axis,
        ensure_minimum_range,
    )  # fmt: skip


def dimension_value(dimension):
    """The int of a `Dimension`, an int as it is, or None (source: `tf.compat.dimension_value`)."""
    return tf.compat.dimension_value(dimension)


def dimension_at_index(shape, index):
    """A `Dimension` of a shape (source: `tf.compat.dimension_at_index`)."""
    return tf.compat.dimension_at_index(shape, index)
