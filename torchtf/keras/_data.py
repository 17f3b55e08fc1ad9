"""Batches for Keras' training loop: from arrays without Python work per sample, and from `tf.data`.

Contract:
- Batches are structures of torch tensors on the device that Keras computes on.
- Arrays are shuffled and batched as Keras does on TensorFlow: after `tf.random.set_seed` in its
  order, which is the same in each epoch, otherwise by torch's default generator. Unshuffled
  batches are views.
- The iterator of a dataset is made when Keras asks for it, as TensorFlow's: that moves the seeds
  of a `shuffle` on.
- A `tf.data.Dataset` gives `element_spec`, so a model is built without running the pipeline.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from keras.src import backend, tree
from keras.src.backend.torch.core import convert_to_tensor
from keras.src.backend.torch.trainer import TorchEpochIterator
from keras.src.trainers import data_adapters
from keras.src.trainers.data_adapters import array_slicing, data_adapter_utils
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.trainers.data_adapters.data_adapter import DataAdapter

from torchtf.keras._patch import own_attribute, replaces
from torchtf.keras._side import inward
from torchtf.random._draw import from_stream
from torchtf.random._philox import from_op_seeds
from torchtf.random._seeds import global_seed
from torchtf.random._stateful import permutation_blocks
from torchtf.sparse import SparseTensorSpec


def _is_dataset(x: Any) -> bool:
    """True for a `tf.data.Dataset` or what a strategy made of one."""
    return hasattr(x, "element_spec") and hasattr(x, "__iter__") and not hasattr(x, "__array__")


class DatasetAdapter(DataAdapter):
    """A `tf.data.Dataset` as a source of batches.

    Args:
        dataset: an iterable of structures of tensors with `element_spec` and `cardinality()`.
        class_weight: a weight for each class index, which becomes the sample weight.

    Raises:
        ValueError: for `class_weight` with data that has sample weights or several targets.
    """

    def __init__(self, dataset: Any, class_weight: dict[int, float] | None = None) -> None:
        self._dataset = dataset
        self._class_weight = class_weight

    def __iter__(self) -> Iterator[Any]:
        batches = map(inward, iter(self._dataset))
        return batches if self._class_weight is None else map(self._weigh, batches)

    def _weigh(self, batch: Any) -> Any:
        x, y, sample_weight = data_adapter_utils.unpack_x_y_sample_weight(batch)
        if sample_weight is not None:
            raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
        if tree.is_nested(y):
            raise ValueError("`class_weight` is only supported for Models with a single output.")
        weights = data_adapter_utils.class_weight_to_sample_weights(y, self._class_weight)
        return x, y, convert_to_tensor(weights)

    def get_torch_dataloader(self) -> Iterator[Any]:
        return iter(self)

    def get_numpy_iterator(self) -> Iterator[Any]:
        return data_adapter_utils.get_numpy_iterator(self)

    def symbolic_batch(self) -> Any:
        """A batch of symbolic Keras tensors."""

        def symbolic(spec: Any) -> Any:
            is_sparse = isinstance(spec, SparseTensorSpec)
            return backend.KerasTensor(tuple(spec.shape), spec.dtype.name, sparse=is_sparse)

        return tree.map_structure(symbolic, self._dataset.element_spec)

    @property
    def num_batches(self) -> int | None:
        cardinality = self._dataset.cardinality
        number = int(cardinality() if callable(cardinality) else cardinality)
        return None if number < 0 else number

    @property
    def batch_size(self) -> int | None:
        return tree.flatten(self._dataset.element_spec)[0].shape[0]

    @property
    def has_partial_batch(self) -> None:
        return None

    @property
    def partial_batch_size(self) -> None:
        return None


_get_data_adapter = own_attribute(data_adapters, "get_data_adapter")


@replaces(data_adapters, "get_data_adapter")
def get_data_adapter(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    shuffle: Any = False,
    class_weight: dict[int, float] | None = None,
) -> DataAdapter:
    if isinstance(x, torch.utils.data.DataLoader):
        shuffle = False  # True is fit's default; a loader, as a dataset, brings its own order
    if not _is_dataset(x):
        return _get_data_adapter(
            inward(x), inward(y), inward(sample_weight), batch_size, steps_per_epoch, shuffle,
            class_weight,
        )  # fmt: skip
    for name, value, what in (
        ("y", y, "the targets"),
        ("sample_weights", sample_weight, "the sample weights"),
    ):
        if value is not None:
            data_adapters.raise_unsupported_arg(name, what, "tf.data.Dataset")
    return DatasetAdapter(x, class_weight)


def _columns(adapter: ArrayDataAdapter) -> Any:
    """The adapter's arrays as functions from a slice or an index tensor to a batch."""

    def column(sliceable: Any) -> Callable[[Any], torch.Tensor]:
        array = sliceable.array
        if isinstance(array, np.ndarray) and array.dtype.kind in "biuf":
            array = convert_to_tensor(array) if array.dtype == np.uint32 else _from_numpy(array)
        if isinstance(array, torch.Tensor):
            return lambda index: convert_to_tensor(
                array[index] if isinstance(index, slice) else array.index_select(0, index)
            )

        def convert(index: Any) -> torch.Tensor:
            rows = sliceable[index if isinstance(index, slice) else index.numpy()]
            return convert_to_tensor(sliceable.convert_to_torch_compatible(rows))

        return convert

    sliceables = array_slicing.convert_to_sliceable(adapter._inputs, target_backend="torch")
    return tree.map_structure(column, sliceables, none_is_leaf=False)


def _from_numpy(array: np.ndarray) -> torch.Tensor:
    """A view of the array where torch can have one."""
    if not array.flags.writeable or any(s < 0 for s in array.strides):
        return convert_to_tensor(array.copy())
    try:
        return torch.from_numpy(array)
    except TypeError:  # a type that torch does not have
        return convert_to_tensor(array)


def _permutations() -> Callable[[int], torch.Tensor]:
    """Draws the permutations of an epoch, as a new `tf.random.shuffle` with op seed 0 does."""
    seed = global_seed()
    if seed is None:
        return torch.randperm
    stream = from_op_seeds(seed, 0)

    def permutation(number: int) -> torch.Tensor:
        nonlocal stream
        drawn = from_stream(stream, "permutation", [number], torch.int64).cpu()
        stream = stream.skip(permutation_blocks(number))
        return drawn

    return permutation


def _array_batches(adapter: ArrayDataAdapter) -> Iterator[Any]:
    columns = _columns(adapter)
    number, size, shuffle = adapter._num_samples, adapter._batch_size, adapter._shuffle
    permutation = _permutations()
    order = permutation(number) if shuffle and shuffle != "batch" else None
    for start in range(0, number, size):
        stop = min(start + size, number)
        index: Any = slice(start, stop)
        if order is not None:
            index = order[start:stop]
        elif shuffle == "batch":
            index = permutation(stop - start) + start
        yield tree.map_structure(
            operator.methodcaller("__call__", index), columns, none_is_leaf=False
        )


@replaces(ArrayDataAdapter, "get_torch_dataloader")
def get_torch_dataloader(self: Any) -> Iterator[Any]:
    return _array_batches(self)


@replaces(TorchEpochIterator, "_get_iterator")
def _get_iterator(self: Any) -> Iterator[Any]:
    batches = iter(self.data_adapter.get_torch_dataloader())
    return batches if isinstance(self.data_adapter, DatasetAdapter) else map(inward, batches)
