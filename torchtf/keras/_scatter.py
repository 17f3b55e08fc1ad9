"""Keras' gather, scatter and segment reductions as single kernels, which ask for no values.

Contract:
- The results are Keras' own; out-of-range segments are left out. An index out of range is
  TensorFlow's error.
- The gradient of rows taken from a variable is sparse.
- Without `num_segments` the number of segments depends on the values, as in Keras.
"""

from __future__ import annotations

from typing import Any

import torch
from keras.src.backend.torch import core
from keras.src.backend.torch import math as keras_math
from keras.src.backend.torch import numpy as keras_numpy
from keras.src.backend.torch.core import convert_to_tensor

from torchtf.array_ops._indexing import looked_up
from torchtf.core import errors, tape
from torchtf.keras._patch import own_attribute, replaces, use_everywhere


@replaces(core, "scatter")
def scatter(indices: Any, values: Any, shape: Any) -> torch.Tensor:
    indices = convert_to_tensor(indices, "int64")
    values = convert_to_tensor(values)
    depth = indices.shape[-1]
    zeros = torch.zeros(tuple(shape), dtype=values.dtype, device=values.device)
    rows = values.reshape(-1, *zeros.shape[depth:])
    return zeros.index_put(indices.reshape(-1, depth).unbind(-1), rows, accumulate=True)


use_everywhere(scatter)
_take = own_attribute(keras_numpy, "take")


@replaces(keras_numpy, "take")
def take(x: Any, indices: Any, axis: Any = None) -> torch.Tensor:
    x = convert_to_tensor(x)
    indices = convert_to_tensor(indices, "int64")
    length = x.numel() if axis is None else x.shape[axis]
    from_start = torch.where(indices < 0, indices + length, indices)

    def look_up() -> torch.Tensor:
        if axis != 0:
            return _take(x, indices, axis)
        rows = tape.select_rows(x, 0, from_start.reshape(-1))
        return rows.reshape(*indices.shape, *x.shape[1:])

    try:
        return looked_up(from_start, length, look_up)
    except errors.InvalidArgumentError as e:
        raise errors.of_kernel("GatherV2", e.message) from None


use_everywhere(take)
_segment_reduction = own_attribute(keras_math, "_segment_reduction_fn")


@replaces(keras_math, "_segment_reduction_fn")
def segment_reduction(
    data: torch.Tensor, segment_ids: torch.Tensor, reduction_method: str, num_segments: Any
) -> torch.Tensor:
    if num_segments is None or reduction_method != "sum":
        return _segment_reduction(data, segment_ids, reduction_method, num_segments)
    # Segments out of range are added to one more row, which is dropped.
    inside = (segment_ids >= 0) & (segment_ids < num_segments)
    ids = torch.where(inside, segment_ids.long(), num_segments)
    rows = torch.zeros((num_segments + 1, *data.shape[1:]), dtype=data.dtype, device=data.device)
    return rows.index_add(0, ids, data)[:num_segments]
