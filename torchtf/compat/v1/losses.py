"""`tf.compat.v1.losses`: losses of predictions with weights and a reduction.

Eager code and tf.function have no collections: a loss is its value, `loss_collection` is not
filled, and `get_losses` and its kin give nothing.
"""

from __future__ import annotations

import torchtf as tf

__all__ = [
    "Reduction", "absolute_difference", "add_loss", "compute_weighted_loss", "cosine_distance",
    "get_losses", "get_regularization_loss", "get_regularization_losses", "get_total_loss",
    "hinge_loss", "huber_loss", "log_loss", "mean_pairwise_squared_error", "mean_squared_error",
    "sigmoid_cross_entropy", "softmax_cross_entropy", "sparse_softmax_cross_entropy",
]  # fmt: skip

_LOSSES = "losses"


class Reduction:
    """How the losses of the elements become one."""

    NONE = "none"
    SUM = "weighted_sum"
    SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"
    MEAN = "weighted_mean"
    SUM_OVER_NONZERO_WEIGHTS = SUM_BY_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"

    @classmethod
    def all(cls):
        """All of them."""
        return (
            cls.NONE, cls.SUM, cls.MEAN, cls.SUM_OVER_BATCH_SIZE, cls.SUM_OVER_NONZERO_WEIGHTS,
            cls.SUM_BY_NONZERO_WEIGHTS,
        )  # fmt: skip

    @classmethod
    def validate(cls, key):
        """Raises ValueError if a key is none of them."""
        if key not in cls.all():
            raise ValueError(f"Invalid Reduction Key {key}.")


_BY_NONZERO = Reduction.SUM_BY_NONZERO_WEIGHTS


def _check_weights(weights, losses) -> None:
    """Weights are scalar, or have for each dimension the size of the losses or 1."""
    w, v = weights.shape, losses.shape
    if w.rank is None or v.rank is None or w.rank == 0:
        return
    if w.rank != v.rank:
        raise ValueError(f"weights can not be broadcast to values. values.rank={v.rank}. weights.rank={w.rank}. values.shape={v}. weights.shape={w}.")  # fmt: skip  # noqa: E501
    if any(a not in (None, 1) and b is not None and a != b for a, b in zip(w, v, strict=True)):
        raise ValueError(f"weights can not be broadcast to values. Mismatch at dim. values.shape={v}. weights.shape={w}.")  # fmt: skip  # noqa: E501


def _divided(total, count):
    return tf.math.divide_no_nan(total, count)


def compute_weighted_loss(
    losses, weights=1.0, scope=None, loss_collection=_LOSSES, reduction=_BY_NONZERO
):
    """The weighted losses, reduced.

    Args:
        losses: a tensor.
        weights: a scalar, or a tensor that broadcasts to the losses.
        scope: a name for the operation.
        loss_collection: the name of a graph's collection, which there is none of.
        reduction: a member of `Reduction`.

    Returns:
        A tensor of the losses' dtype, scalar unless `reduction` is NONE.

    Raises:
        ValueError: if weights do not fit or the reduction is unknown.
    """
    Reduction.validate(reduction)
    losses = tf.convert_to_tensor(losses)
    dtype = losses.dtype
    losses, weights = tf.cast(losses, tf.float32), tf.cast(weights, tf.float32)
    _check_weights(weights, losses)
    weighted = losses * weights
    if reduction == Reduction.NONE:
        return tf.cast(weighted, dtype)
    loss = tf.reduce_sum(weighted)
    if reduction == Reduction.MEAN:
        loss = _divided(loss, tf.reduce_sum(tf.ones_like(losses) * weights))
    elif reduction == _BY_NONZERO:
        loss = _divided(loss, _present(losses, weights))
    elif reduction == Reduction.SUM_OVER_BATCH_SIZE:
        loss = _divided(loss, tf.cast(tf.size(losses), tf.float32))
    return tf.cast(loss, dtype)


def _present(losses, weights, per_batch: bool = False):
    """How many losses have a weight that is not 0.

    Eagerly the number for each sample is that of all samples where all have one weight.
    """
    eager = tf.executing_eagerly()
    if per_batch and eager and weights.shape.rank == 0 and weights != 0.0:
        return tf.cast(tf.size(losses), tf.float32)
    counted = tf.ones_like(losses) * tf.cast(tf.not_equal(weights, 0.0), tf.float32)
    if not per_batch:
        return tf.reduce_sum(counted)
    return tf.reduce_sum(counted, _of_samples(losses), keepdims=True)


def _of_samples(losses):
    """All axes but the first."""
    rank = losses.shape.rank
    return tf.range(1, tf.rank(losses)) if rank is None else list(range(1, rank))


def _pair(labels, predictions, names=("labels", "predictions")):
    for name, value in zip(names, (labels, predictions), strict=True):
        if value is None:
            raise ValueError(f"Argument `{name}` must not be None.")
    labels, predictions = tf.cast(labels, tf.float32), tf.cast(predictions, tf.float32)
    predictions.shape.assert_is_compatible_with(labels.shape)
    return labels, predictions


def absolute_difference(
    labels, predictions, weights=1.0, scope=None, loss_collection=_LOSSES, reduction=_BY_NONZERO
):
    """|predictions - labels|; see `compute_weighted_loss`."""
    labels, predictions = _pair(labels, predictions)
    losses = tf.abs(predictions - labels)
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction)


def cosine_distance(
    labels,
    predictions,
    axis=None,
    weights=1.0,
    scope=None,
    loss_collection=_LOSSES,
    reduction=_BY_NONZERO,
    dim=None,
):
    """1 - the product of unit vectors along an axis; see `compute_weighted_loss`."""
    from torchtf.python.util.deprecation import deprecated_argument_lookup

    axis = deprecated_argument_lookup("axis", axis, "dim", dim)
    if axis is None:
        raise ValueError("You must specify argument `axis`.")
    labels, predictions = _pair(labels, predictions)
    losses = 1 - tf.reduce_sum(predictions * labels, [axis], keepdims=True)
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction)


def hinge_loss(
    labels, logits, weights=1.0, scope=None, loss_collection=_LOSSES, reduction=_BY_NONZERO
):
    """max(0, 1 - (2 labels - 1) logits) of labels 0 and 1; see `compute_weighted_loss`."""
    labels, logits = _pair(labels, logits, ("labels", "logits"))
    losses = tf.nn.relu(1 - (2 * labels - 1) * logits)
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction)


def huber_loss(
    labels,
    predictions,
    weights=1.0,
    delta=1.0,
    scope=None,
    loss_collection=_LOSSES,
    reduction=_BY_NONZERO,
):
    """Squared below `delta`, linear above; see `compute_weighted_loss`."""
    labels, predictions = _pair(labels, predictions)
    error = tf.abs(predictions - labels)
    quadratic = tf.minimum(error, delta)
    losses = 0.5 * quadratic * quadratic + delta * (error - quadratic)
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction)


def log_loss(
    labels,
    predictions,
    weights=1.0,
    epsilon=1e-7,
    scope=None,
    loss_collection=_LOSSES,
    reduction=_BY_NONZERO,
):
    """The cross-entropy of probabilities, plus `epsilon`; see `compute_weighted_loss`."""
    labels, predictions = _pair(labels, predictions)
    losses = -labels * tf.math.log(predictions + epsilon) - (1 - labels) * tf.math.log(
        1 - predictions + epsilon
    )
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction)


def mean_squared_error(
    labels, predictions, weights=1.0, scope=None, loss_collection=_LOSSES, reduction=_BY_NONZERO
):
    """(predictions - labels) ** 2; see `compute_weighted_loss`."""
    labels, predictions = _pair(labels, predictions)
    losses = tf.math.squared_difference(predictions, labels)
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction)


def mean_pairwise_squared_error(
    labels, predictions, weights=1.0, scope=None, loss_collection=_LOSSES
):
    """The mean square of the differences of all pairs of errors within a sample.

    Args:
        labels, predictions: (batch, ...).
        weights: a scalar or (batch,) with ones behind.
        scope: a name for the operation.
        loss_collection: the name of a graph's collection, which there is none of.
    """
    labels, predictions = _pair(labels, predictions)
    weights = tf.cast(weights, tf.float32)
    _check_weights(weights, labels)
    errors = predictions - labels
    axes = _of_samples(errors)
    count = _present(errors, weights, per_batch=True)
    squares = tf.reduce_sum(tf.square(errors), axes, keepdims=True)
    total = tf.reduce_sum(errors, axes, keepdims=True)
    first = 2.0 * _divided(squares, tf.maximum(count - 1, 0))
    second = 2.0 * _divided(tf.square(total), tf.maximum(count * (count - 1), 0))
    loss = tf.reduce_sum((first - second) * weights)
    return tf.where(tf.reduce_sum(count) > 0, loss, tf.zeros_like(loss))


def sigmoid_cross_entropy(
    multi_class_labels,
    logits,
    weights=1.0,
    label_smoothing=0,
    scope=None,
    loss_collection=_LOSSES,
    reduction=_BY_NONZERO,
):
    """`tf.nn.sigmoid_cross_entropy_with_logits`, labels moved by `label_smoothing` to 1/2."""
    if multi_class_labels is None or logits is None:
        what = "multi_class_labels" if multi_class_labels is None else "logits"
        raise ValueError(f"Argument `{what}` must not be None.")
    logits = tf.convert_to_tensor(logits)
    labels = tf.cast(multi_class_labels, logits.dtype)
    logits.shape.assert_is_compatible_with(labels.shape)
    if label_smoothing > 0:
        labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction)


def softmax_cross_entropy(
    onehot_labels,
    logits,
    weights=1.0,
    label_smoothing=0,
    scope=None,
    loss_collection=_LOSSES,
    reduction=_BY_NONZERO,
):
    """`tf.nn.softmax_cross_entropy_with_logits`, labels moved by `label_smoothing` to a mean."""
    if onehot_labels is None or logits is None:
        what = "onehot_labels" if onehot_labels is None else "logits"
        raise ValueError(f"Argument `{what}` must not be None.")
    logits = tf.convert_to_tensor(logits)
    labels = tf.cast(onehot_labels, logits.dtype)
    logits.shape.assert_is_compatible_with(labels.shape)
    if label_smoothing > 0:
        classes = tf.cast(tf.shape(labels)[1], logits.dtype)
        labels = labels * (1.0 - label_smoothing) + label_smoothing / classes
    losses = tf.nn.softmax_cross_entropy_with_logits(tf.stop_gradient(labels), logits)
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction)


def sparse_softmax_cross_entropy(
    labels, logits, weights=1.0, scope=None, loss_collection=_LOSSES, reduction=_BY_NONZERO
):
    """`tf.nn.sparse_softmax_cross_entropy_with_logits`; labels may have a last axis of size 1."""
    if labels is None or logits is None:
        raise ValueError(f"Argument `{'labels' if labels is None else 'logits'}` must not be None.")
    labels, logits = tf.convert_to_tensor(labels), tf.convert_to_tensor(logits)
    weights = tf.convert_to_tensor(weights)
    if labels.shape.rank == logits.shape.rank and labels.shape[-1] == 1:
        labels = tf.squeeze(labels, [-1])
    if weights.shape.rank and weights.shape.rank == logits.shape.rank and weights.shape[-1] == 1:
        weights = tf.squeeze(weights, [-1])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction)


def add_loss(loss, loss_collection=_LOSSES) -> None:
    """Nothing: there are no collections."""


def get_losses(scope=None, loss_collection=_LOSSES) -> list:
    """The losses of a collection: none."""
    return []


def get_regularization_losses(scope=None) -> list:
    """The regularization losses: none."""
    return []


def get_regularization_loss(scope=None, name="total_regularization_loss"):
    """The sum of the regularization losses, 0."""
    return tf.constant(0.0)


def get_total_loss(add_regularization_losses=True, name="total_loss", scope=None):
    """The sum of the losses of the collections.

    Raises:
        ValueError: as there is nothing to add.
    """
    raise ValueError("inputs must be an iterable of at least one Tensor/IndexedSlices with the same dtype and shape.")  # fmt: skip  # noqa: E501
