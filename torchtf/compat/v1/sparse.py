"""`tf.compat.v1.sparse`: functions on sparse tensors with TF 1's arguments."""

from __future__ import annotations

import torchtf as tf
from torchtf.compat.v1 import _names_of
from torchtf.python.util.deprecation import deprecated_argument_lookup as _one_of

__getattr__ = _names_of("sparse")


def add(a, b, threshold=None, thresh=None):
    """`tf.sparse.add`, with `thresh` for `threshold`, too."""
    threshold = _one_of("threshold", threshold, "thresh", thresh)
    return tf.sparse.add(a, b, 0 if threshold is None else threshold)


def concat(
    axis,
    sp_inputs,
    name=None,
    expand_nonconcat_dim=False,
    concat_dim=None,
    expand_nonconcat_dims=None,
):
    """`tf.sparse.concat`, with `concat_dim` and `expand_nonconcat_dim`, too."""
    expand = _one_of(
        "expand_nonconcat_dims", expand_nonconcat_dims,
        "expand_nonconcat_dim", expand_nonconcat_dim or None,
    )  # fmt: skip
    axis = _one_of("axis", axis, "concat_dim", concat_dim)
    return tf.sparse.concat(axis, sp_inputs, bool(expand), name)


def _reduction(name: str, output_is_sparse: bool):
    function = getattr(tf.sparse, name)

    def reduce(sp_input, axis=None, keepdims=None, reduction_axes=None, keep_dims=None):
        keepdims = _one_of("keepdims", keepdims, "keep_dims", keep_dims)
        axis = _one_of("axis", axis, "reduction_axes", reduction_axes)
        return function(sp_input, axis, keepdims, output_is_sparse)

    what = "whose result is sparse" if output_is_sparse else "whose result is dense"
    reduce.__doc__ = f"`tf.sparse.{name}`, {what}; `reduction_axes` is an old name of `axis`."
    return reduce


reduce_max, reduce_max_sparse = _reduction("reduce_max", False), _reduction("reduce_max", True)
reduce_sum, reduce_sum_sparse = _reduction("reduce_sum", False), _reduction("reduce_sum", True)


_KEYWORDS = object()


def split(
    keyword_required=_KEYWORDS, sp_input=None, num_split=None, axis=None, name=None, split_dim=None
):
    """`tf.sparse.split`, by keywords only.

    Raises:
        ValueError: if a value is positional or missing; or for `split_dim`, an old name of `axis`,
            which is required.
    """
    if keyword_required is not _KEYWORDS:
        raise ValueError("Keyword arguments are required for this function.")
    for what, value in (("sp_input", sp_input), ("num_split", num_split), ("axis", axis)):
        if value is None:
            raise ValueError(f"{what} is required")
    axis = _one_of("axis", axis, "split_dim", split_dim)
    return tf.sparse.split(sp_input, num_split, axis, name)


def _segments(name: str):
    function = getattr(tf.sparse, name)

    def segment(data, indices, segment_ids, name=None, num_segments=None, sparse_gradient=False):
        return function(data, indices, segment_ids, num_segments, name, sparse_gradient)

    segment.__doc__ = f"`tf.sparse.{name}`."
    return segment


segment_mean, segment_sqrt_n, segment_sum = map(
    _segments, ("segment_mean", "segment_sqrt_n", "segment_sum")
)


def to_dense_of(
    sparse_indices,
    output_shape,
    sparse_values,
    default_value=0,
    validate_indices=True,
    name=None,
):
    """A dense tensor from values at places (source: `tf.compat.v1.sparse_to_dense`).

    Args:
        sparse_indices: a scalar, (n,) or (n, rank) integers.
        output_shape: the shape of the result.
        sparse_values: a scalar for all places, or (n,).
        default_value: what the other elements are.
        validate_indices: whether indices must ascend without repetition.
        name: a name for the operation.
    """
    indices = tf.cast(sparse_indices, tf.int64)
    if indices.shape.rank == 0:
        indices = tf.reshape(indices, [1, 1])
    elif indices.shape.rank == 1:
        indices = tf.expand_dims(indices, 1)
    values = tf.convert_to_tensor(sparse_values)
    if values.shape.rank == 0:
        values = tf.fill([tf.shape(indices)[0]], values)
    sparse = tf.SparseTensor(indices, values, tf.cast(output_shape, tf.int64))
    return tf.sparse.to_dense(sparse, default_value, validate_indices, name)


def matmul_of_dense(
    a,
    b,
    transpose_a=False,
    transpose_b=False,
    a_is_sparse=False,
    b_is_sparse=False,
    name=None,
):
    """The product of matrices with many zeros (source: `tf.compat.v1.sparse_matmul`)."""
    return tf.matmul(
        a, b, transpose_a, transpose_b, a_is_sparse=a_is_sparse, b_is_sparse=b_is_sparse, name=name
    )
