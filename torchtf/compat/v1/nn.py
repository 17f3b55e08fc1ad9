"""`tf.compat.v1.nn`: the functions of `tf.nn` with TF 1's arguments.

Each has the shapes, dtypes and errors of the function of `tf.nn`; old names of arguments (`dim`,
`filter`, `value`, `keep_dims`) are accepted beside the new.
"""

from __future__ import annotations

import torchtf as tf
from torchtf.compat.v1 import _names_of
from torchtf.compat.v1._arrays import depth_to_space as depth_to_space
from torchtf.compat.v1._arrays import space_to_batch as space_to_batch
from torchtf.compat.v1._arrays import space_to_depth as space_to_depth
from torchtf.compat.v1.math import in_top_k as in_top_k
from torchtf.compat.v1.math import log_softmax as log_softmax
from torchtf.compat.v1.math import softmax as softmax
from torchtf.python.util.deprecation import deprecated_argument_lookup as _one_of

_table = _names_of("nn")


def _dilation(dilations):
    """TF 1's default for dilations is a list of ones, which does nothing."""
    return None if dilations is None or set(_listed(dilations)) == {1} else dilations


def _listed(sizes) -> list:
    return list(sizes) if isinstance(sizes, (list, tuple)) else [sizes]


# -- convolution and pooling


def conv1d(
    value=None,
    filters=None,
    stride=None,
    padding=None,
    use_cudnn_on_gpu=None,
    data_format=None,
    name=None,
    input=None,
    dilations=None,
):
    """`tf.nn.conv1d`, with `value` for `input`, too; PyTorch chooses the kernel."""
    value = _one_of("input", input, "value", value)
    return tf.nn.conv1d(value, filters, stride, padding, data_format or "NWC", dilations, name)


def conv2d(
    input,
    filter=None,
    strides=None,
    padding=None,
    use_cudnn_on_gpu=True,
    data_format="NHWC",
    dilations=(1, 1, 1, 1),
    name=None,
    filters=None,
):
    """`tf.nn.conv2d`, with `filter` for `filters`, too; PyTorch chooses the kernel."""
    filters = _one_of("filters", filters, "filter", filter)
    if padding is None:
        raise ValueError("Argument `padding` must not be None.")
    strides = 1 if strides is None else strides
    return tf.nn.conv2d(input, filters, strides, padding, data_format, _dilation(dilations), name)


def conv3d(
    input,
    filter=None,
    strides=None,
    padding=None,
    data_format="NDHWC",
    dilations=(1, 1, 1, 1, 1),
    name=None,
    filters=None,
):
    """`tf.nn.conv3d`, with `filter` for `filters`, too."""
    filters = _one_of("filters", filters, "filter", filter)
    return tf.nn.conv3d(input, filters, strides, padding, data_format, _dilation(dilations), name)


def conv2d_transpose(
    value=None,
    filter=None,
    output_shape=None,
    strides=None,
    padding="SAME",
    data_format="NHWC",
    name=None,
    input=None,
    filters=None,
    dilations=None,
):
    """`tf.nn.conv2d_transpose`, with `value` and `filter`, too."""
    value = _one_of("input", input, "value", value)
    filters = _one_of("filters", filters, "filter", filter)
    return tf.nn.conv2d_transpose(
        value, filters, output_shape, strides, padding, data_format, dilations, name
    )


def conv3d_transpose(
    value,
    filter=None,
    output_shape=None,
    strides=None,
    padding="SAME",
    data_format="NDHWC",
    name=None,
    input=None,
    filters=None,
    dilations=None,
):
    """`tf.nn.conv3d_transpose`, with `value` and `filter`, too."""
    value = _one_of("input", input, "value", value)
    filters = _one_of("filters", filters, "filter", filter)
    return tf.nn.conv3d_transpose(
        value, filters, output_shape, strides, padding, data_format, dilations, name
    )


def convolution(
    input,
    filter,
    padding,
    strides=None,
    dilation_rate=None,
    name=None,
    data_format=None,
    filters=None,
    dilations=None,
):
    """`tf.nn.convolution`, with `filter` and `dilation_rate`, too."""
    filters = _one_of("filters", filters, "filter", filter)
    dilations = _one_of("dilations", dilations, "dilation_rate", dilation_rate)
    return tf.nn.convolution(input, filters, strides, padding, data_format, dilations, name)


def depthwise_conv2d(
    input, filter, strides, padding, rate=None, name=None, data_format=None, dilations=None
):
    """`tf.nn.depthwise_conv2d`, with `rate` for `dilations`, too."""
    rate = _one_of("dilations", dilations, "rate", rate)
    return tf.nn.depthwise_conv2d(input, filter, strides, padding, data_format, rate, name)


def depthwise_conv2d_native(
    input, filter, strides, padding, data_format="NHWC", dilations=(1, 1, 1, 1), name=None
):
    """`tf.nn.depthwise_conv2d` with four dilations."""
    if data_format == "NHWC":
        rate = list(dilations)[1:3]
    else:
        rate = list(dilations)[2:4]
    return tf.nn.depthwise_conv2d(input, filter, strides, padding, data_format, rate, name)


def separable_conv2d(
    input,
    depthwise_filter,
    pointwise_filter,
    strides,
    padding,
    rate=None,
    name=None,
    data_format=None,
    dilations=None,
):
    """`tf.nn.separable_conv2d`, with `rate` for `dilations`, too."""
    rate = _one_of("dilations", dilations, "rate", rate)
    return tf.nn.separable_conv2d(
        input, depthwise_filter, pointwise_filter, strides, padding, data_format, rate, name
    )


def avg_pool(value, ksize, strides, padding, data_format="NHWC", name=None, input=None):
    """`tf.nn.avg_pool2d`, with `value` for `input`, too."""
    value = _one_of("input", input, "value", value)
    return tf.nn.avg_pool2d(value, ksize, strides, padding, data_format, name)


avg_pool2d = avg_pool


def max_pool(value, ksize, strides, padding, data_format="NHWC", name=None, input=None):
    """`tf.nn.max_pool2d`, with `value` for `input`, too."""
    value = _one_of("input", input, "value", value)
    return tf.nn.max_pool2d(value, ksize, strides, padding, data_format, name)


def pool(
    input,
    window_shape,
    pooling_type,
    padding,
    dilation_rate=None,
    strides=None,
    name=None,
    data_format=None,
    dilations=None,
):
    """`tf.nn.pool`, with `dilation_rate` for `dilations`, too."""
    dilations = _one_of("dilations", dilations, "dilation_rate", dilation_rate)
    return tf.nn.pool(
        input, window_shape, pooling_type, strides, padding, data_format, dilations, name
    )


# -- activations and normalization


def crelu(features, name=None, axis=-1):
    """`tf.nn.crelu`."""
    return tf.nn.crelu(features, axis, name)


def dropout(x, keep_prob=None, noise_shape=None, seed=None, name=None, rate=None):
    """`tf.nn.dropout`, with `keep_prob` for 1 - `rate`, too.

    Raises:
        ValueError: if neither is given, or `keep_prob` is no number between 0 and 1.
    """
    if not (keep_prob is None or tf.is_tensor(keep_prob) or 0 < keep_prob <= 1):
        raise ValueError("`rate` must be a scalar in the range [0, 1). Received: rate=" + str(1.0 - keep_prob))  # fmt: skip  # noqa: E501
    from_keep = None if keep_prob is None else 1.0 - keep_prob
    rate = _one_of("rate", rate, "keep_prob", from_keep)
    if rate is None:
        raise ValueError("`rate` must be provided for `tf.nn.dropout`")
    return tf.nn.dropout(x, rate, noise_shape, seed, name)


def moments(x, axes, shift=None, name=None, keep_dims=None, keepdims=None):
    """`tf.nn.moments`, with `keep_dims` for `keepdims`, too."""
    keepdims = _one_of("keepdims", keepdims, "keep_dims", keep_dims)
    return tf.nn.moments(x, axes, shift, bool(keepdims), name)


def weighted_moments(x, axes, frequency_weights, name=None, keep_dims=None, keepdims=None):
    """`tf.nn.weighted_moments`, with `keep_dims` for `keepdims`, too."""
    keepdims = _one_of("keepdims", keepdims, "keep_dims", keep_dims)
    return tf.nn.weighted_moments(x, axes, frequency_weights, bool(keepdims), name)


def sufficient_statistics(x, axes, shift=None, keep_dims=None, name=None, keepdims=None):
    """`tf.nn.sufficient_statistics`, with `keep_dims` for `keepdims`, too."""
    keepdims = _one_of("keepdims", keepdims, "keep_dims", keep_dims)
    return tf.nn.sufficient_statistics(x, axes, shift, bool(keepdims), name)


def fused_batch_norm(
    x, scale, offset, mean=None, variance=None, epsilon=0.001, data_format="NHWC",
    is_training=True, name=None, exponential_avg_factor=1.0,
):  # fmt: skip
    """Batch normalization of images.

    Args:
        x: images, [batch, rows, columns, channels] or as `data_format` says; or volumes.
        scale, offset: one number for each channel.
        mean, variance: those to normalize by if not `is_training`, else the averages so far; may be
            None if the averages are those of this batch.
        epsilon: is added to the variance.
        data_format: `"NHWC"`, `"NCHW"`, or `"NDHWC"`, `"NCDHW"` for volumes.
        is_training: whether the batch is normalized by its own mean and variance.
        name: a name for the op.
        exponential_avg_factor: the weight of this batch in the averages.

    Returns:
        The result, and the new averages of mean and (unbiased) variance; where not `is_training`,
        those given.

    Raises:
        ValueError: if `mean` or `variance` is None where it is needed.
        InvalidArgumentError: if sizes do not fit.
    """
    needed = not is_training or exponential_avg_factor != 1.0
    if needed and (mean is None or variance is None):
        raise ValueError(
            "Both `mean` and `variance` must be a 1D tensor when `is_training` is False or "
            f"`exponential_avg_factor` != 1.0. Received: `mean` {mean!r} and `variance` "
            f"{variance!r}"
        )
    made = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=scale, offset=offset, mean=[] if mean is None else mean,
        variance=[] if variance is None else variance, epsilon=epsilon,
        exponential_avg_factor=exponential_avg_factor, data_format=data_format,
        is_training=is_training, name=name,
    )  # fmt: skip
    return tuple(made[:3])


def batch_norm_with_global_normalization(
    t=None,
    m=None,
    v=None,
    beta=None,
    gamma=None,
    variance_epsilon=None,
    scale_after_normalization=None,
    name=None,
    input=None,
    mean=None,
    variance=None,
):
    """`tf.nn.batch_norm_with_global_normalization`, with `t`, `m` and `v`, too."""
    return tf.nn.batch_norm_with_global_normalization(
        _one_of("input", input, "t", t), _one_of("mean", mean, "m", m),
        _one_of("variance", variance, "v", v), beta, gamma, variance_epsilon,
        scale_after_normalization, name,
    )  # fmt: skip


def xw_plus_b(x, weights, biases, name=None):
    """The matrix product of x and weights, plus biases."""
    return tf.nn.bias_add(tf.matmul(x, weights), biases, name=name)


def relu_layer(x, weights, biases, name=None):
    """`tf.nn.relu` of x @ weights + biases."""
    return tf.nn.relu(tf.nn.bias_add(tf.matmul(x, weights), biases), name)


# -- losses


def sigmoid_cross_entropy_with_logits(labels=None, logits=None, name=None):
    """`tf.nn.sigmoid_cross_entropy_with_logits`."""
    return tf.nn.sigmoid_cross_entropy_with_logits(labels, logits, name)


def weighted_cross_entropy_with_logits(
    labels=None, logits=None, pos_weight=None, name=None, targets=None
):
    """`tf.nn.weighted_cross_entropy_with_logits`, with `targets` for `labels`, too."""
    labels = _one_of("labels", labels, "targets", targets)
    return tf.nn.weighted_cross_entropy_with_logits(labels, logits, pos_weight, name)


def softmax_cross_entropy_with_logits(labels=None, logits=None, dim=-1, name=None, axis=None):
    """`tf.nn.softmax_cross_entropy_with_logits` without a gradient for the labels."""
    if labels is None or logits is None:
        raise ValueError("Both `labels` and `logits` must be provided.")
    axis = dim if axis is None else axis
    return tf.nn.softmax_cross_entropy_with_logits(tf.stop_gradient(labels), logits, axis, name)


def softmax_cross_entropy_with_logits_v2(labels, logits, axis=None, name=None, dim=None):
    """`tf.nn.softmax_cross_entropy_with_logits`, with `dim` for `axis`, too."""
    axis = _one_of("axis", axis, "dim", dim)
    return tf.nn.softmax_cross_entropy_with_logits(
        labels, logits, -1 if axis is None else axis, name
    )


def sparse_softmax_cross_entropy_with_logits(labels=None, logits=None, name=None):
    """`tf.nn.sparse_softmax_cross_entropy_with_logits`."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits, name)


def ctc_loss_v2(
    labels,
    logits,
    label_length,
    logit_length,
    logits_time_major=True,
    unique=None,
    blank_index=None,
    name=None,
):
    """`tf.nn.ctc_loss`."""
    return tf.nn.ctc_loss(
        labels, logits, label_length, logit_length, logits_time_major, unique, blank_index, name
    )


# -- embeddings


def embedding_lookup(
    params, ids, partition_strategy="mod", name=None, validate_indices=True, max_norm=None
):
    """`tf.nn.embedding_lookup` of a table, or of the parts of one.

    Args:
        params: a table, or a list of its parts along the first axis.
        ids: integers of any shape.
        partition_strategy: "mod": row i is in part i % n; "div": parts are consecutive.
        name: a name for the operation.
        validate_indices: nothing; indices are always checked.
        max_norm: the greatest norm of a row of the result, or None.

    Raises:
        ValueError: for an unknown strategy.
    """
    return tf.nn.embedding_lookup(_whole(params, partition_strategy), ids, max_norm, name)


def _whole(params, strategy: str):
    """One table of the parts of one."""
    if strategy not in ("mod", "div"):
        raise ValueError(f"Unrecognized partition strategy: {strategy}.Must be one of either `mod` or `div`.")  # fmt: skip  # noqa: E501
    if not isinstance(params, (list, tuple)):
        return params
    if len(params) == 1:
        return params[0]
    parts = [tf.convert_to_tensor(part) for part in params]
    table = tf.concat(parts, 0)
    if strategy == "div":
        return table
    sizes = [tf.shape(part)[0] for part in parts]
    ids = [k + len(parts) * tf.range(size) for k, size in enumerate(sizes)]
    return tf.gather(table, tf.argsort(tf.concat(ids, 0), stable=True))


def embedding_lookup_sparse(
    params,
    sp_ids,
    sp_weights,
    partition_strategy="mod",
    name=None,
    combiner=None,
    max_norm=None,
    allow_fast_lookup=False,
):
    """`tf.nn.embedding_lookup_sparse` of a table or of the parts of one ("mean" by default)."""
    table = _whole(params, partition_strategy)
    return tf.nn.embedding_lookup_sparse(
        table, sp_ids, sp_weights, combiner or "mean", max_norm, name, allow_fast_lookup
    )


def safe_embedding_lookup_sparse(
    embedding_weights,
    sparse_ids,
    sparse_weights=None,
    combiner="mean",
    default_id=None,
    name=None,
    partition_strategy="div",
    max_norm=None,
    allow_fast_lookup=False,
):
    """`tf.nn.safe_embedding_lookup_sparse` of a table or of the parts of one."""
    return tf.nn.safe_embedding_lookup_sparse(
        _whole(embedding_weights, partition_strategy), sparse_ids, sparse_weights, combiner,
        default_id, max_norm, name, allow_fast_lookup,
    )  # fmt: skip


def nce_loss(
    weights,
    biases,
    labels,
    inputs,
    num_sampled,
    num_classes,
    num_true=1,
    sampled_values=None,
    remove_accidental_hits=False,
    partition_strategy="mod",
    name="nce_loss",
):
    """`tf.nn.nce_loss` of weights that may be the parts of a table."""
    return tf.nn.nce_loss(
        _whole(weights, partition_strategy), biases, labels, inputs, num_sampled, num_classes,
        num_true, sampled_values, remove_accidental_hits, name,
    )  # fmt: skip


def sampled_softmax_loss(
    weights,
    biases,
    labels,
    inputs,
    num_sampled,
    num_classes,
    num_true=1,
    sampled_values=None,
    remove_accidental_hits=True,
    partition_strategy="mod",
    name="sampled_softmax_loss",
    seed=None,
):
    """`tf.nn.sampled_softmax_loss` of weights that may be the parts of a table."""
    return tf.nn.sampled_softmax_loss(
        _whole(weights, partition_strategy), biases, labels, inputs, num_sampled, num_classes,
        num_true, sampled_values, remove_accidental_hits, seed, name,
    )  # fmt: skip


# -- windows


def max_pool_with_argmax(
    input,
    ksize,
    strides,
    padding,
    data_format="NHWC",
    Targmax=None,
    name=None,
    output_dtype=None,
    include_batch_in_index=False,
):
    """`tf.nn.max_pool_with_argmax`, with `Targmax` for `output_dtype`, too."""
    dtype = _one_of("output_dtype", output_dtype, "Targmax", Targmax)
    return tf.nn.max_pool_with_argmax(
        input, ksize, strides, padding, data_format, tf.int64 if dtype is None else dtype,
        include_batch_in_index, name,
    )  # fmt: skip


def dilation2d(
    input,
    filter=None,
    strides=None,
    rates=None,
    padding=None,
    name=None,
    filters=None,
    dilations=None,
):
    """`tf.nn.dilation2d`, with `filter` and `rates`, too."""
    filters = _one_of("filters", filters, "filter", filter)
    dilations = _one_of("dilations", dilations, "rates", rates)
    return tf.nn.dilation2d(input, filters, strides, padding, "NHWC", dilations, name)


def erosion2d(value, kernel, strides, rates, padding, name=None):
    """`tf.nn.erosion2d`."""
    return tf.nn.erosion2d(value, kernel, strides, padding, "NHWC", rates, name)


# names under which TF 1 has functions of TF 2
_SAME = {"swish": "silu"}


def __getattr__(name: str):
    if name in ("leaky_relu", "relu6", "sigmoid", "silu", "softplus", "tanh"):
        return getattr(tf.nn, name)
    if name in _SAME:
        return getattr(tf.nn, _SAME[name])
    return _table(name)
