"""Losses of `tf.nn`, except for the sampled ones and CTC."""

from __future__ import annotations

import math
import sys

import torch
from torch.nn import functional

from torchtf import array_ops
from torchtf import math as tf_math
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor, to_axis
from torchtf.core.op import op
from torchtf.core.shape import brackets
from torchtf.core.tensor import is_fake

_NARROW = (torch.float16, torch.bfloat16)


def _same_shape(labels, logits):
    try:
        labels.shape.assert_is_compatible_with(logits.shape)
    except ValueError:
        raise ValueError(
            f"`logits` and `labels` must have the same shape, received ({logits.shape} vs "
            f"{labels.shape})."
        ) from None


def _needs_both(op_name, labels, logits):
    if labels is None or logits is None:
        raise ValueError(f"Both `labels` and `logits` must be provided for {op_name}")


@op("SoftmaxCrossEntropyWithLogits")
def _softmax_cross_entropy(labels: Float, logits: Float, axis):
    if not -logits.dim() <= axis < logits.dim():
        raise errors.InvalidArgumentError(
            None, None, f"dim must be in the range [{-logits.dim()}, {logits.dim()}), got {axis}"
        )
    try:
        if labels.shape != logits.shape:
            labels = labels.expand_as(logits)
        return softmax_cross_entropy(labels, logits, axis)
    except RuntimeError:
        if is_fake(logits):
            raise
        raise errors.InvalidArgumentError(
            None, None,
            f"logits and labels must be broadcastable: logits_size={brackets(logits.shape)} "
            f"labels_size={brackets(labels.shape)}",
        ) from None  # fmt: skip


def softmax_cross_entropy(labels: torch.Tensor, logits: torch.Tensor, axis: int) -> torch.Tensor:
    """The op on raw tensors of one shape and type."""
    shifted = logits - logits.detach().amax(axis, keepdim=True)
    log_total = torch.logsumexp(shifted, axis)
    # TensorFlow's gradient is softmax - labels even where labels do not add up to one
    excess = (labels.sum(axis) - 1) * log_total.detach()
    return log_total - (labels * shifted).sum(axis) + excess


def softmax_cross_entropy_with_logits(labels, logits, axis=-1, name=None):
    """The cross entropy of class probabilities and logits.

    Source: `tf.nn.softmax_cross_entropy_with_logits`. Gradients flow to both.

    Args:
        labels: probabilities along `axis`; cast to the type of `logits`.
        logits: a float tensor of the shape of `labels`, or one that these broadcast to.
        axis: that of the classes.

    Returns:
        A tensor of the shape of `labels` without that axis.
    """
    _needs_both("softmax_cross_entropy_with_logits", labels, logits)
    logits, labels = convert_to_tensor(logits), convert_to_tensor(labels)
    dtype = logits.dtype
    wide = dtypes.float32 if dtype.torch in _NARROW else dtype
    result = _softmax_cross_entropy(
        tf_math.cast(labels, wide), tf_math.cast(logits, wide), to_axis(axis), name
    )
    return tf_math.cast(result, dtype)


@op("SparseSoftmaxCrossEntropyWithLogits")
def _sparse_cross_entropy(labels: Index, logits: Float):
    classes = logits.shape[-1]
    if not is_fake(labels) and labels.numel():
        outside = (labels < 0) | (labels >= classes)
        if outside.any():
            values = " ".join(str(v) for v in labels.reshape(-1).tolist())
            raise errors.InvalidArgumentError(
                None, None,
                f"Received a label value of {labels[outside][0].item()} which is outside the valid "
                f"range of [0, {classes}).  Label values: {values}",
            )  # fmt: skip
    flat = functional.cross_entropy(
        logits.reshape(-1, classes), labels.reshape(-1).long(), reduction="none"
    )
    return flat.reshape(labels.shape)


def sparse_softmax_cross_entropy_with_logits(labels, logits, name=None):
    """The cross entropy of class numbers and logits.

    Source: `tf.nn.sparse_softmax_cross_entropy_with_logits`.

    Args:
        labels: class numbers, int32 or int64, of the shape of `logits` without the last axis.
        logits: a float tensor; the last axis is that of the classes.

    Returns:
        A tensor of the shape of `labels`.

    Raises:
        ValueError: if the ranks do not fit.
        InvalidArgumentError: if a label is out of range.
    """
    _needs_both("sparse_softmax_cross_entropy_with_logits", labels, logits)
    labels, logits = convert_to_tensor(labels), convert_to_tensor(logits)
    if logits.shape.rank == 0:
        raise ValueError("`logits` cannot be a scalar. Received logits={logits}`")
    if labels.shape.rank != logits.shape.rank - 1:
        raise ValueError(
            "`labels.shape.rank` must equal `logits.shape.rank - 1`. Received: labels.shape="
            f"{labels.shape} of rank {labels.shape.rank} and logits.shape={logits.shape} of rank "
            f"{logits.shape.rank}"
        )
    if not labels.shape.is_compatible_with(logits.shape[:-1]):
        raise ValueError(
            "`labels.shape` must equal `logits.shape` except for the last dimension. "
            f"Received: labels.shape={labels.shape} and logits.shape={logits.shape}"
        )
    dtype = logits.dtype
    wide = dtypes.float32 if dtype.torch in _NARROW else dtype
    return tf_math.cast(_sparse_cross_entropy(labels, tf_math.cast(logits, wide), name), dtype)


@op("LogisticLoss")
def _logistic_loss(labels: Float, logits: Float):
    return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")


def sigmoid_cross_entropy_with_logits(labels=None, logits=None, name=None):
    """The cross entropy of independent probabilities and logits.

    Source: `tf.nn.sigmoid_cross_entropy_with_logits`.

    Args:
        labels: probabilities, of the type and shape of `logits`.
        logits: a float tensor.

    Raises:
        ValueError: if one is missing or the shapes differ.
    """
    _needs_both("sigmoid_cross_entropy_with_logits", labels, logits)
    logits = convert_to_tensor(logits)
    labels = convert_to_tensor(labels, dtype_hint=logits.dtype)
    _same_shape(labels, logits)
    return _logistic_loss(labels, logits, name)


def weighted_cross_entropy_with_logits(labels, logits, pos_weight, name=None):
    """`sigmoid_cross_entropy_with_logits` with a weight on the positive labels.

    Source: `tf.nn.weighted_cross_entropy_with_logits`.

    Args:
        labels: probabilities, of the type and shape of `logits`.
        logits: a float tensor.
        pos_weight: the weight, broadcast with them.

    Raises:
        ValueError: if the shapes differ.
    """
    logits = convert_to_tensor(logits)
    labels = convert_to_tensor(labels, dtype_hint=logits.dtype)
    _same_shape(labels, logits)
    pos_weight = convert_to_tensor(pos_weight, dtype_hint=logits.dtype)
    return _weighted_logistic_loss(labels, logits, pos_weight, name)


@op("LogisticLoss")
def _weighted_logistic_loss(labels: Float, logits: Float, pos_weight: Float):
    weight = 1 + (pos_weight - 1) * labels
    distance = torch.log1p(torch.exp(-torch.abs(logits))) + torch.relu(-logits)
    return (1 - labels) * logits + weight * distance


@op("LogPoissonLoss")
def _log_poisson_loss(targets: Float, log_input: Float, full):
    loss = torch.exp(log_input) - log_input * targets
    if full:
        stirling = targets * torch.log(targets) - targets + 0.5 * torch.log(2 * math.pi * targets)
        small = (targets >= 0) & (targets <= 1)
        loss = loss + torch.where(small, torch.zeros_like(targets), stirling)
    return loss


def log_poisson_loss(targets, log_input, compute_full_loss=False, name=None):
    """The loss of a Poisson regression: exp(log_input) - log_input * targets.

    Source: `tf.nn.log_poisson_loss`.

    Args:
        targets: the counts.
        log_input: the logarithm of the predicted rates, of their type and shape.
        compute_full_loss: whether Stirling's approximation of log(targets!) is added where
            targets > 1.

    Raises:
        ValueError: if the shapes differ.
    """
    log_input, targets = convert_to_tensor(log_input), convert_to_tensor(targets)
    try:
        targets.shape.assert_is_compatible_with(log_input.shape)
    except ValueError:
        raise ValueError(
            "`log_input` and `targets` must have the same shape, received "
            f"({log_input.shape} vs {targets.shape})."
        ) from None
    return _log_poisson_loss(targets, log_input, compute_full_loss, name)


@op("L2Loss")
def l2_loss(t: Float):
    """Returns half the sum of the squares (source: `tf.nn.l2_loss`)."""
    return torch.sum(t * t) / 2


# -- averages over replicas


def _replicas(caller: str) -> int:
    """
    Raises:
        RuntimeError: in cross-replica context.
    """
    distribute = sys.modules.get("torchtf.distribute")
    if distribute is None:  # nobody has made a strategy
        return 1
    if distribute.has_strategy() and distribute.in_cross_replica_context():
        raise RuntimeError(
            f"You are calling `{caller}` in cross replica context, while it was expected to be "
            "called in replica context."
        )
    return distribute.get_strategy().num_replicas_in_sync


def compute_average_loss(per_example_loss, sample_weight=None, global_batch_size=None):
    """The sum of losses divided by the global batch size (source: `tf.nn.compute_average_loss`).

    Args:
        per_example_loss: the losses of this replica's examples.
        sample_weight: weights, broadcast with them.
        global_batch_size: by default the number of examples times the number of replicas.

    Raises:
        ValueError: if the weights do not fit or the batch size is no scalar.
        TypeError: if the batch size is no integer.
        RuntimeError: in cross-replica context.
    """
    replicas = _replicas("compute_average_loss")
    loss = convert_to_tensor(per_example_loss)
    dtype = loss.dtype
    if sample_weight is not None:
        weight = tf_math.cast(convert_to_tensor(sample_weight), dtype)
        if weight.shape.rank and weight.shape.rank > loss.shape.rank:
            raise ValueError(
                f"weights can not be broadcast to values. values.rank={loss.shape.rank}. "
                f"weights.rank={weight.shape.rank}."
            )
        while 0 < weight.shape.rank < loss.shape.rank:
            weight = array_ops.expand_dims(weight, -1)
        loss = tf_math.multiply(loss, weight)
    if global_batch_size is None:
        if loss.shape.rank == 0:
            raise ValueError(
                "Please specify `global_batch_size` when `per_example_loss` is a scalar."
            )
        first = array_ops.shape(loss)[0]
        size = tf_math.multiply(first, replicas)
    else:
        size = convert_to_tensor(global_batch_size)
        if size.shape.rank != 0:
            raise ValueError(
                f"`global_batch_size` must be scalar, got tensor of rank {size.shape.rank}."
            )
        if not size.dtype.is_integer:
            raise TypeError(f"global_batch_size must be an integer, found {size.dtype!r}.")
        if type(global_batch_size) is int and global_batch_size < 0:
            raise errors.InvalidArgumentError(None, None, "global_batch_size must be non-negative.")
    return _average(loss, size)


def _average(loss, size):
    total = tf_math.reduce_sum(loss)
    return _divide_or_zero(total, tf_math.cast(size, total.dtype))


@op("DivNoNan")
def _divide_or_zero(x: Float, y: Float):
    safe = torch.where(y == 0, torch.ones_like(y), y)
    return torch.where(y == 0, torch.zeros_like(x), x / safe)


def scale_regularization_loss(regularization_loss):
    """A regularization loss divided by the number of replicas.

    Source: `tf.nn.scale_regularization_loss`.
    """
    replicas = _replicas("scale_regularization_loss")
    if isinstance(regularization_loss, (list, tuple)):
        regularization_loss = array_ops.stack(list(regularization_loss))
    total = tf_math.reduce_sum(regularization_loss)
    return tf_math.multiply(total, 1.0 / replicas)
