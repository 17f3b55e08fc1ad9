"""`tfx_bsl.tfxio.dataset_options`: how a dataset is made of examples."""

from __future__ import annotations

from typing import NamedTuple


class TensorFlowDatasetOptions(NamedTuple):
    """How `DataAccessor.tf_dataset_factory` makes a dataset (source: `tfx_bsl.public.tfxio`).

    Attributes:
        batch_size: examples in a batch.
        drop_final_batch: whether a batch with fewer is left out.
        num_epochs: how often the data is repeated; None means without end.
        shuffle, shuffle_buffer_size, shuffle_seed: whether and how the order is random.
        label_key: the feature that is the label: elements are then pairs of features and it.
    """

    batch_size: int
    drop_final_batch: bool = False
    num_epochs: int | None = None
    shuffle: bool = True
    shuffle_buffer_size: int = 10000
    shuffle_seed: int | None = None
    label_key: str | None = None


class RecordBatchesOptions(NamedTuple):
    """How batches of Arrow would be made; there are none here."""

    batch_size: int
    drop_final_batch: bool = False
    num_epochs: int | None = None
