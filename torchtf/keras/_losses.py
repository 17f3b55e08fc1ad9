"""Keras' losses and metrics as they are on TensorFlow.

Contract:
- They ask for no sizes, so they trace with open ones.
- What a softmax or sigmoid activation returned is taken at its logits, so that a loss neither stops
  at -log(epsilon) nor loses its gradient there.
- The gradient of a softmax cross entropy is softmax - labels, also where labels do not add up to 1.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from keras.src import ops
from keras.src.backend.torch import math as keras_math
from keras.src.backend.torch import nn as keras_nn
from keras.src.backend.torch.core import convert_to_tensor
from keras.src.losses import loss as keras_loss

from torchtf.keras._distribute import scale_loss_for_distribution
from torchtf.keras._patch import own_attribute, replaces, use_everywhere
from torchtf.nn._losses import softmax_cross_entropy


@replaces(keras_loss, "reduce_values")
def reduce_values(
    values: Any, sample_weight: Any = None, reduction: Any = "sum_over_batch_size"
) -> Any:
    if reduction in (None, "none") or values.ndim == 0 or tuple(values.shape) == (0,):
        return values
    if reduction == "sum":
        return torch.sum(values)
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        divisor = torch.sum(sample_weight).to(values.dtype)
        loss = ops.divide_no_nan(torch.sum(values), divisor)
    else:
        loss = torch.mean(values)
    return scale_loss_for_distribution(loss)


@replaces(keras_math, "in_top_k")
def in_top_k(targets: Any, predictions: Any, k: int) -> torch.Tensor:
    # `torch.take_along_dim`, which Keras uses, takes the sizes of its operands as numbers.
    target_values = torch.gather(predictions, -1, targets.to(torch.int64).unsqueeze(-1))
    return target_values.squeeze(-1) >= torch.topk(predictions, k).values[..., -1]


def _logits(output: Any, from_logits: bool, activation: str, loss: str) -> tuple[Any, bool]:
    """What a loss computes on, and whether these are logits."""
    logits = getattr(output, "_keras_logits", None)
    if logits is None:
        return output, from_logits
    if from_logits:
        warnings.warn(
            f'"`{loss}` received `from_logits=True`, but the `output` argument was produced by a '
            f"{activation} activation and thus does not represent logits. Was this intended?",
            stacklevel=3,
        )
    return logits, True


_categorical_crossentropy = own_attribute(keras_nn, "categorical_crossentropy")
_sparse_categorical_crossentropy = own_attribute(keras_nn, "sparse_categorical_crossentropy")
_binary_crossentropy = own_attribute(keras_nn, "binary_crossentropy")


@replaces(keras_nn, "categorical_crossentropy")
def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> torch.Tensor:
    output, from_logits = _logits(output, from_logits, "Softmax", "categorical_crossentropy")
    target, output = convert_to_tensor(target), convert_to_tensor(output)
    if not from_logits or not target.dim() or target.shape != output.shape:
        return _categorical_crossentropy(target, output, from_logits, axis)
    return softmax_cross_entropy(target.to(output.dtype), output, axis)


@replaces(keras_nn, "sparse_categorical_crossentropy")
def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> torch.Tensor:
    output, from_logits = _logits(output, from_logits, "Softmax", "sparse_categorical_crossentropy")
    return _sparse_categorical_crossentropy(target, output, from_logits, axis)


@replaces(keras_nn, "binary_crossentropy")
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> torch.Tensor:
    output, from_logits = _logits(output, from_logits, "Sigmoid", "binary_crossentropy")
    return _binary_crossentropy(target, output, from_logits)


for _function in (categorical_crossentropy, sparse_categorical_crossentropy, binary_crossentropy):
    use_everywhere(_function)
