"""Ops of `gen_nn_ops` that are more than a call."""

from __future__ import annotations

import collections

import torchtf as tf
from torchtf.raw_ops._gradient import at_zero

_CrossEntropy = collections.namedtuple("SoftmaxCrossEntropyWithLogits", ["loss", "backprop"])
_SparseCrossEntropy = collections.namedtuple(
    "SparseSoftmaxCrossEntropyWithLogits", ["loss", "backprop"]
)
_Pooled = collections.namedtuple("MaxPoolWithArgmax", ["output", "argmax"])
_BATCH_NORM = [
    "y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2", "reserve_space_3",
]  # fmt: skip
_BatchNorm = collections.namedtuple("FusedBatchNorm", _BATCH_NORM[:-1])
_BatchNormV2 = collections.namedtuple("FusedBatchNormV2", _BATCH_NORM[:-1])
_BatchNormV3 = collections.namedtuple("FusedBatchNormV3", _BATCH_NORM)
_TopKV2 = collections.namedtuple("TopKV2", ["values", "indices"])


def _padding(padding, explicit):
    """TensorFlow's list of all borders as pairs."""
    if padding != "EXPLICIT":
        return padding
    return [list(pair) for pair in zip(explicit[::2], explicit[1::2], strict=True)]


def Conv2D(
    input, filter, strides, padding, use_cudnn_on_gpu=True, explicit_paddings=[],
    data_format="NHWC", dilations=[1, 1, 1, 1], name=None,
):  # fmt: skip
    """PyTorch chooses the kernel on a GPU."""
    padding = _padding(padding, explicit_paddings)
    return tf.nn.conv2d(input, filter, strides, padding, data_format, dilations, name)


def DepthwiseConv2dNative(
    input, filter, strides, padding, explicit_paddings=[], data_format="NHWC",
    dilations=[1, 1, 1, 1], name=None,
):  # fmt: skip
    padding = _padding(padding, explicit_paddings)
    dilations = dilations[1:3] if data_format == "NHWC" else dilations[2:]
    return tf.nn.depthwise_conv2d(input, filter, strides, padding, data_format, dilations, name)


def MaxPool(
    input, ksize, strides, padding, explicit_paddings=[], data_format="NHWC", name=None
):  # fmt: skip
    padding = _padding(padding, explicit_paddings)
    return tf.nn.max_pool2d(input, ksize, strides, padding, data_format, name)


def MaxPoolWithArgmax(
    input, ksize, strides, padding, Targmax=tf.int64, include_batch_in_index=False, name=None
):
    made = tf.nn.max_pool_with_argmax(
        input, ksize, strides, padding, "NHWC", Targmax, include_batch_in_index, name
    )
    return _Pooled(*made)


def AvgPoolGrad(orig_input_shape, grad, ksize, strides, padding, data_format="NHWC", name=None):
    def pool(x):
        return tf.nn.avg_pool2d(x, ksize, strides, padding, data_format)

    return tf.identity(at_zero(pool, grad, orig_input_shape), name=name)


def BiasAddGrad(out_backprop, data_format="NHWC", name=None):
    out_backprop = tf.convert_to_tensor(out_backprop)
    rank = out_backprop.shape.rank
    channels = 1 if data_format == "NCHW" else rank - 1
    return tf.reduce_sum(out_backprop, [i for i in range(rank) if i != channels], name=name)


def _batch_norm(
    x,
    scale,
    offset,
    mean,
    variance,
    epsilon,
    exponential_avg_factor,
    data_format,
    is_training,
    volumes=False,
) -> list:
    """The normalized tensor, the new averages, and the statistics that it was normalized by.

    Those of a batch are in its own statistics the biased variance, in the averages the unbiased.
    """
    x, scale, offset = map(tf.convert_to_tensor, (x, scale, offset))
    mean, variance = (tf.convert_to_tensor(s, scale.dtype) for s in (mean, variance))
    rank = x.shape.rank
    wanted = len(data_format) if volumes else 4
    if rank != wanted:
        raise tf.errors.InvalidArgumentError(
            None, None, f"input must be {wanted}-dimensional{x.shape.as_list()}"
        )
    channel = data_format.index("C")
    channels = x.shape[channel]
    given = {"scale": scale, "offset": offset}
    if not is_training or exponential_avg_factor != 1:
        given |= {"mean": mean, "variance": variance}
    for name, vector in given.items():
        if channels is not None and vector.shape.is_fully_defined() and vector.shape != [channels]:
            raise tf.errors.InvalidArgumentError(
                None, None,
                f"{name} must have the same number of elements as the channels of x, got "
                f"{vector.shape.num_elements()} and {channels}",
            )  # fmt: skip
    wide = tf.cast(x, scale.dtype)
    used = averages = mean, variance
    if is_training:
        used = tf.nn.moments(wide, [i for i in range(rank) if i != channel])
        count = tf.cast(tf.size(x) / tf.size(scale), scale.dtype)
        new = used[0], used[1] * (count / tf.maximum(count - 1, 1))
        f = exponential_avg_factor
        averages = (
            new if f == 1 else [(1 - f) * a + f * b for a, b in zip(averages, new, strict=True)]
        )
    form = [-1 if i == channel else 1 for i in range(rank)]
    m, v, o, s = (tf.reshape(t, form) for t in (*used, offset, scale))
    y = tf.cast(tf.nn.batch_normalization(wide, m, v, o, s, epsilon), x.dtype)
    return [y, *averages, *used]


def FusedBatchNorm(
    x, scale, offset, mean, variance, epsilon=0.0001, exponential_avg_factor=1,
    data_format="NHWC", is_training=True, name=None,
):  # fmt: skip
    """Batch normalization of float32 images; see `tf.compat.v1.nn.fused_batch_norm`."""
    x = tf.convert_to_tensor(x)
    if x.dtype != tf.float32:
        raise tf.errors.InvalidArgumentError(
            None, None,
            f"Value for attr 'T' of {x.dtype.name} is not in the list of allowed values: float",
        )  # fmt: skip
    made = FusedBatchNormV2(
        x, scale, offset, mean, variance, epsilon, exponential_avg_factor, data_format, is_training
    )
    return _BatchNorm(*made)


def FusedBatchNormV2(
    x, scale, offset, mean, variance, epsilon=0.0001, exponential_avg_factor=1,
    data_format="NHWC", is_training=True, name=None,
):  # fmt: skip
    """Batch normalization of images; see `tf.compat.v1.nn.fused_batch_norm`."""
    return _BatchNormV2(*_batch_norm(
        x, scale, offset, mean, variance, epsilon, exponential_avg_factor, data_format, is_training
    ))  # fmt: skip


def FusedBatchNormV3(
    x, scale, offset, mean, variance, epsilon=0.0001, exponential_avg_factor=1,
    data_format="NHWC", is_training=True, name=None,
):  # fmt: skip
    """Batch normalization of images or volumes; see `tf.compat.v1.nn.fused_batch_norm`.

    `reserve_space_3` is what a kernel on a GPU would keep: nothing.
    """
    made = _batch_norm(
        x, scale, offset, mean, variance, epsilon, exponential_avg_factor, data_format, is_training,
        volumes=True,
    )  # fmt: skip
    return _BatchNormV3(*made, tf.zeros([0], made[1].dtype))


def SoftmaxCrossEntropyWithLogits(features, labels, name=None):
    """The loss of each row, and its gradient for `features`."""
    features = tf.convert_to_tensor(features)
    labels = tf.convert_to_tensor(labels, features.dtype)
    shape = tf.broadcast_dynamic_shape(tf.shape(features), tf.shape(labels))
    features, labels = tf.broadcast_to(features, shape), tf.broadcast_to(labels, shape)
    loss = tf.nn.softmax_cross_entropy_with_logits(labels, features, name=name)
    return _CrossEntropy(loss, tf.nn.softmax(features) - labels)


def SparseSoftmaxCrossEntropyWithLogits(features, labels, name=None):
    """The loss of each row, and its gradient for `features`."""
    features, labels = tf.convert_to_tensor(features), tf.convert_to_tensor(labels)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, features, name=name)
    wanted = tf.one_hot(labels, tf.shape(features)[-1], dtype=features.dtype)
    return _SparseCrossEntropy(loss, tf.nn.softmax(features) - wanted)


def TopKV2(input, k, sorted=True, index_type=tf.int32, name=None):
    return _TopKV2(*tf.math.top_k(input, k, sorted, index_type, name))


# -- gradients of activations


def EluGrad(gradients, outputs, name=None):
    outputs = tf.convert_to_tensor(outputs)
    slope = tf.where(outputs < 0, outputs + 1, tf.ones_like(outputs))
    return tf.multiply(gradients, slope, name=name)


def LeakyReluGrad(gradients, features, alpha=0.2, name=None):
    gradients = tf.convert_to_tensor(gradients)
    return tf.where(tf.greater(features, 0), gradients, gradients * alpha, name=name)


def ReluGrad(gradients, features, name=None):
    gradients = tf.convert_to_tensor(gradients)
    return tf.where(tf.greater(features, 0), gradients, tf.zeros_like(gradients), name=name)


def Relu6Grad(gradients, features, name=None):
    gradients = tf.convert_to_tensor(gradients)
    within = tf.logical_and(tf.greater(features, 0), tf.less(features, 6))
    return tf.where(within, gradients, tf.zeros_like(gradients), name=name)


def SeluGrad(gradients, outputs, name=None):
    outputs = tf.convert_to_tensor(outputs)
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    slope = tf.where(outputs < 0, outputs + scale * alpha, scale * tf.ones_like(outputs))
    return tf.multiply(gradients, slope, name=name)


def SoftplusGrad(gradients, features, name=None):
    return tf.multiply(gradients, tf.sigmoid(features), name=name)


def SoftsignGrad(gradients, features, name=None):
    return tf.divide(gradients, tf.square(1 + tf.abs(features)), name=name)
