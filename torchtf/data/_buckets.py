"""`bucket_by_sequence_length`: batches of elements of similar length."""

from __future__ import annotations

import torch

from torchtf.core import errors
from torchtf.core.shape import TensorShape
from torchtf.core.tensor import Tensor
from torchtf.data import _structure as structure
from torchtf.function.autograph import convert


def bucket(
    dataset, length_func, boundaries, batch_sizes, padded_shapes, padding_values, pad_to_boundary,
    no_padding, drop_remainder,
):  # fmt: skip
    boundaries = [int(b) for b in boundaries]
    if len(batch_sizes) != len(boundaries) + 1:
        raise ValueError(
            "`len(bucket_batch_sizes)` must equal `len(bucket_boundaries) + 1` but "
            f"`len(bucket_batch_sizes)={len(batch_sizes)}` and "
            f"`len(bucket_boundaries)={len(boundaries)}`."
        )
    numbers = [int(s) for s in batch_sizes]
    sizes = torch.tensor(numbers, dtype=torch.int64)
    bounds = torch.tensor(boundaries, dtype=torch.int64)

    length_func = convert(length_func)

    def bucket_of(*element):
        import torchtf as tf

        length = tf.cast(length_func(*element), tf.int64)
        return tf.reduce_sum(tf.cast(length >= Tensor(bounds), tf.int64))

    def size_of(key):
        import torchtf as tf

        return tf.gather(Tensor(sizes), key)

    def batch(key, group):
        if getattr(key, "is_symbolic_tensor", False):
            number = None
        else:
            number = int(key)
        # while the function is traced for its specs, the bucket is not known
        size = numbers[number or 0]
        open_size = None
        if no_padding:
            return _as_open(group.batch(size, drop_remainder), number)
        if pad_to_boundary and number is not None:
            if number >= len(boundaries):
                raise errors.InvalidArgumentError(
                    None, None,
                    "When pad_to_bucket_boundary=True, elements must have length < "
                    "max(bucket_boundaries).",
                )  # fmt: skip
            open_size = boundaries[number] - 1
        shapes = padded_shapes
        if shapes is None:
            shapes = structure.map_structure(lambda s: s.shape, group.element_spec)
        shapes = structure.pack(
            group.element_spec,
            [
                TensorShape([open_size if d is None else d for d in TensorShape(s)])
                for s in structure.flatten_up_to(group.element_spec, shapes)
            ],
        )
        return _as_open(group.padded_batch(size, shapes, padding_values, drop_remainder), number)

    return dataset.group_by_window(bucket_of, batch, window_size_func=size_of)


def _as_open(batched, number):
    """While tracing: the same dataset with the batch size left open in its spec."""
    if number is not None:
        return batched
    from torchtf.core.specs import TensorSpec
    from torchtf.data._dataset import Dataset
    from torchtf.data._in_graph import Open

    spec = structure.map_structure(
        lambda s: TensorSpec([None, *s.shape[1:]], s.dtype) if structure.is_dense(s) else s,
        batched.element_spec,
    )
    return Dataset(Open(spec))
