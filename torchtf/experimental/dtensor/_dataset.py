"""`DTensorDataset`: a dataset whose elements are DTensors."""

from __future__ import annotations

from torchtf.core import nest
from torchtf.data import Dataset
from torchtf.data._iterator import Iterator
from torchtf.experimental.dtensor import _api
from torchtf.experimental.dtensor._layout import Mesh


class DTensorDataset(Dataset):
    """Batches of a dataset, laid out on a mesh.

    Source: `tf.experimental.dtensor.DTensorDataset`. A transformation of it (`take`, `map`) is a
    dataset of regular tensors again.

    Args:
        dataset: the dataset.
        mesh: the mesh.
        layouts: a structure like that of the elements, of the layouts of whole batches.
        global_batch_size: the size of a whole batch.
        dataset_already_batched: whether the elements are the batches of a replica.
        batch_dim: the mesh dimension along which batches are cut; None if they are not.
        prefetch: how many batches to compute ahead.
        tf_data_service_config: not supported.

    Raises:
        ValueError, TypeError: if `layouts` does not fit the elements, or the batch size the mesh.
        NotImplementedError: for a tf.data service.
    """

    def __init__(
        self,
        dataset,
        *,
        mesh: Mesh,
        layouts,
        global_batch_size: int,
        dataset_already_batched: bool = False,
        batch_dim: str | None = None,
        prefetch: int | None = None,
        tf_data_service_config=None,
    ):
        if tf_data_service_config is not None:
            raise NotImplementedError(
                "Multi-client DTensorDataset is currently not supported; a dataset of this "
                "process feeds all devices of the mesh."
            )
        nest.assert_same_structure(dataset.element_spec, layouts)
        flat = nest.flatten(layouts)
        replicas = mesh.dim_size(batch_dim) if batch_dim else 1
        for layout in flat:
            if batch_dim and layout.sharding_specs[0] != batch_dim:
                raise ValueError(
                    f"batch_dim {batch_dim} was specified but at least one layout did not contain "
                    f"it: {layout}"
                )
        specs = nest.flatten(dataset.element_spec)
        _check(specs, flat, dataset_already_batched)
        if dataset_already_batched:
            size, expected = specs[0].shape[0], global_batch_size // replicas
            if size != expected:
                raise ValueError(
                    "per_replica_batch_size does not matched expected size based on the mesh, got "
                    f"{size} but expected {expected}."
                )
            batches = dataset.rebatch(global_batch_size, drop_remainder=True)
        else:
            batches = dataset.batch(global_batch_size, drop_remainder=True)
        if prefetch is not None:
            batches = batches.prefetch(prefetch)
        super().__init__(batches._node, batches._options)
        self._layouts = layouts

    def __iter__(self):
        return _Iterator(self, self._layouts)


class _Iterator(Iterator):
    """An iterator that lays its elements out."""

    def __init__(self, dataset, layouts):
        self._layouts = layouts
        super().__init__(dataset)

    def __next__(self):
        return nest.map_structure(_api.relayout, super().__next__(), self._layouts)


def _check(specs, layouts, batched: bool) -> None:
    """Raises unless each layout has the rank of a batch, and batches have one known size."""
    if not specs:
        raise ValueError("Expected input element spec of at least one element, was empty.")
    for layout, spec in zip(layouts, specs, strict=True):
        if spec.shape.rank is None:
            raise ValueError(f"Dataset element shape must have a valid rank, got spec {spec}.")
        rank = spec.shape.rank + (not batched)
        if layout.rank != rank:
            raise ValueError(
                f"Expected layout with rank {rank} for element spec {spec}, got layout "
                f"{layout.sharding_specs}. Check that the dataset is not batched before passing to "
                "DTensorDataset."
            )
        if batched:
            size = specs[0].shape[0]
            if size is None:
                raise ValueError(
                    f"Size of batch dimension of element spec {spec} is None. Ensure "
                    "drop_remainder=True when batching the dataset."
                )
            if spec.shape[0] != size:
                raise ValueError(
                    f"Size of batch dimension of element spec {spec} does not match expected size "
                    f"{size}."
                )
