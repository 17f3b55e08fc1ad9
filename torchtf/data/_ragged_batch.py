"""Batches of tensors of unequal shapes: as ragged or as sparse tensors."""

from __future__ import annotations

import numpy as np
import torch

from torchtf.core import errors
from torchtf.core.shape import TensorShape
from torchtf.core.tensor import Tensor
from torchtf.data import _structure as structure
from torchtf.data._batching import Batch, _parts, ragged_of_rows


class RaggedBatch(Batch):
    """Batches whose components of open shape are ragged (source: `Dataset.ragged_batch`).

    Args:
        splits: the dtype of the row splits.
    """

    def __init__(self, source, size, drop_remainder, splits):
        self.splits = splits
        super().__init__(source, size, drop_remainder)

    def _batched_spec(self):
        known = self.size if self.drop_remainder else None

        def batched(leaf):
            if not _is_open(leaf):
                return structure.batched(leaf, known)
            import torchtf as tf

            if leaf.shape.rank is None:
                raise ValueError(
                    f"Unable to batch elements of unknown rank into ragged tensors: {leaf!r}"
                )
            # axes of known size at the end stay uniform
            rank = max(i for i, d in enumerate(leaf.shape) if d is None) + 1
            shape = TensorShape([known]).concatenate(leaf.shape)
            return tf.RaggedTensorSpec(shape, leaf.dtype, rank, self.splits)

        return structure.map_structure(batched, self.source.spec)

    def stack_component(self, column, count, leaf, index):
        if not _is_open(leaf):
            return super().stack_component(column, count, leaf, index)
        spec = structure.flatten(self.spec)[index]
        return [ragged_of_rows(part, spec) for part in _parts(column, count)]


def _is_open(leaf) -> bool:
    return structure.is_dense(leaf) and not leaf.shape.is_fully_defined()


class SparseBatch(Batch):
    """Batches of dense elements as sparse tensors (source: `Dataset.sparse_batch`).

    Args:
        row_shape: the dense shape of each row; an unknown size fits the largest of a batch.
    """

    def __init__(self, source, size, row_shape):
        self.row_shape = row_shape
        super().__init__(source, size, False)

    def _batched_spec(self):
        import torchtf as tf

        if not structure.is_dense(self.source.spec):
            raise TypeError("`sparse_batch` needs elements of a single dense tensor.")
        shape = TensorShape([None]).concatenate(self.row_shape)
        return tf.SparseTensorSpec(shape, self.source.spec.dtype)

    def stack_component(self, column, count, leaf, index):
        return [self._sparse(part) for part in _parts(column, count)]

    def _sparse(self, items):
        import torchtf as tf

        rank = self.row_shape.rank
        sizes = []
        for item in items:
            if item.ndim != rank:
                raise errors.InvalidArgumentError(
                    None, None, f"Input element had shape ({_listed(item.shape)}) that is "
                    f"incompatible with the row shape ({_listed(self.row_shape)}).",
                )  # fmt: skip
            if any(
                w is not None and s > w for s, w in zip(item.shape, self.row_shape, strict=True)
            ):
                raise errors.DataLossError(
                    None, None, f"Input element had shape ({_listed(item.shape)}) that is larger "
                    f"than the row shape ({_listed(self.row_shape)}).",
                )  # fmt: skip
        for axis, wanted in enumerate(self.row_shape):
            sizes.append(max(x.shape[axis] for x in items) if wanted is None else wanted)
        indices, flat = [], []
        for i, item in enumerate(items):
            places = torch.cartesian_prod(*[torch.arange(s) for s in item.shape]).reshape(-1, rank)
            row = torch.full((len(places), 1), i)
            indices.append(torch.cat([row, places], 1))
            flat.append(item.reshape(-1))
        joined = np.concatenate(flat) if isinstance(flat[0], np.ndarray) else torch.cat(flat)
        return tf.SparseTensor(
            indices=Tensor(torch.cat(indices).to(torch.int64)),
            values=Tensor(joined),
            dense_shape=Tensor(torch.tensor([len(items), *sizes], dtype=torch.int64)),
        )


def _listed(shape) -> str:
    """A shape as TensorFlow's kernels print it."""
    return "[" + ",".join("?" if size is None else str(size) for size in shape) + "]"
