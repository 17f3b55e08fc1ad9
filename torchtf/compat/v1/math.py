"""`tf.compat.v1.math`: reductions and their kin with TF 1's arguments.

Each is the function of `tf.math` of the same name, which has the shapes, dtypes and errors; the
old names of arguments (`keep_dims`, `reduction_indices`, `dimension`, `dim`) are accepted beside
the new.
"""

from __future__ import annotations

import functools

import torchtf as tf
from torchtf.compat.v1 import _names_of
from torchtf.python.util.deprecation import deprecated_argument_lookup as _one_of

_table = _names_of("math")
# TF 1 has these with the same meaning
_SAME = {
    "mod": "floormod", "reduce_euclidean_norm": "reduce_euclidean_norm",
    "reduce_std": "reduce_std", "reduce_variance": "reduce_variance",
}  # fmt: skip


def _reduction(name: str):
    function = getattr(tf, name)

    @functools.wraps(function)
    def reduce(
        input_tensor,
        axis=None,
        keepdims=None,
        name=None,
        reduction_indices=None,
        keep_dims=None,
    ):
        axis = _one_of("axis", axis, "reduction_indices", reduction_indices)
        keepdims = _one_of("keepdims", keepdims, "keep_dims", keep_dims)
        return function(input_tensor, axis, bool(keepdims), name=name)

    del reduce.__wrapped__
    reduce.__doc__ = f"`tf.{function.__name__}`, with `reduction_indices` for `axis`, too."
    return reduce


reduce_all, reduce_any, reduce_logsumexp, reduce_max = map(
    _reduction, ("reduce_all", "reduce_any", "reduce_logsumexp", "reduce_max")
)
reduce_mean, reduce_min, reduce_prod, reduce_sum = map(
    _reduction, ("reduce_mean", "reduce_min", "reduce_prod", "reduce_sum")
)


def argmax(input, axis=None, name=None, dimension=None, output_type=tf.int64):
    """`tf.argmax`, with `dimension` for `axis`, too."""
    axis = _one_of("axis", axis, "dimension", dimension)
    return tf.argmax(input, axis, output_type=output_type, name=name)


def argmin(input, axis=None, name=None, dimension=None, output_type=tf.int64):
    """`tf.argmin`, with `dimension` for `axis`, too."""
    axis = _one_of("axis", axis, "dimension", dimension)
    return tf.argmin(input, axis, output_type=output_type, name=name)


def arg_max(input, dimension, output_type=tf.int64, name=None):
    """`tf.argmax` along a dimension that must be given."""
    return tf.argmax(input, dimension, output_type=output_type, name=name)


def arg_min(input, dimension, output_type=tf.int64, name=None):
    """`tf.argmin` along a dimension that must be given."""
    return tf.argmin(input, dimension, output_type=output_type, name=name)


def bincount(arr, weights=None, minlength=None, maxlength=None, dtype=tf.int32):
    """`tf.math.bincount` of all elements."""
    return tf.math.bincount(arr, weights, minlength, maxlength, dtype)


def confusion_matrix(
    labels, predictions, num_classes=None, dtype=tf.int32, name=None, weights=None
):
    """`tf.math.confusion_matrix`."""
    return tf.math.confusion_matrix(labels, predictions, num_classes, weights, dtype, name)


def count_nonzero(
    input_tensor=None,
    axis=None,
    keepdims=None,
    dtype=tf.int64,
    name=None,
    reduction_indices=None,
    keep_dims=None,
    input=None,
):
    """`tf.math.count_nonzero`, with `input` for `input_tensor`, too."""
    keepdims = _one_of("keepdims", keepdims, "keep_dims", keep_dims)
    input_tensor = _one_of("input", input, "input_tensor", input_tensor)
    axis = _one_of("axis", axis, "reduction_indices", reduction_indices)
    return tf.math.count_nonzero(input_tensor, axis, keepdims, dtype, name)


def in_top_k(predictions, targets, k, name=None):
    """`tf.math.in_top_k` with the predictions first."""
    return tf.math.in_top_k(targets, predictions, k, name)


def softmax(logits, axis=None, name=None, dim=None):
    """`tf.nn.softmax`, with `dim` for `axis`, too."""
    axis = _one_of("axis", axis, "dim", dim)
    return tf.nn.softmax(logits, -1 if axis is None else axis, name)


def log_softmax(logits, axis=None, name=None, dim=None):
    """`tf.nn.log_softmax`, with `dim` for `axis`, too."""
    axis = _one_of("axis", axis, "dim", dim)
    return tf.nn.log_softmax(logits, -1 if axis is None else axis, name)


def scalar_mul(scalar, x, name=None):
    """`tf.math.scalar_mul`."""
    return tf.math.scalar_mul(scalar, x, name)


def div(x, y, name=None):
    """Division as in Python 2: true for floats and complex numbers, floored for integers.

    Raises:
        TypeError: if the dtypes differ.
    """
    x = tf.convert_to_tensor(x, name="x")
    y = tf.convert_to_tensor(y, name="y", dtype=x.dtype.base_dtype)
    if x.dtype.is_floating or x.dtype.is_complex:
        return tf.math.divide(x, y, name)
    return tf.math.floordiv(x, y, name)


def floor_div(x, y, name=None):
    """`tf.math.floordiv`."""
    return tf.math.floordiv(x, y, name)


def __getattr__(name: str):
    if name in _SAME:
        return getattr(tf.math, _SAME[name])
    try:
        return _table(name)
    except NotImplementedError:
        # TF 1 has the ufuncs that TF 2 has: those objects differ by how dtypes are chosen only
        if not hasattr(tf.math, name):
            raise
        return getattr(tf.math, name)
