"""Choices of how replicas combine their values.

With replicas in processes the backend (NCCL or gloo) picks its algorithm itself; `num_packs` says
how many messages the gradients make.
"""

from __future__ import annotations

from torchtf.distribute._buckets import Packing


class CrossDeviceOps:
    """Combines values over replicas (source: `tf.distribute.CrossDeviceOps`)."""

    packing = Packing()

    def reduce(self, reduce_op, per_replica_value, destinations, options=None):
        """The combined value, on every process."""
        from torchtf.distribute import get_strategy

        return get_strategy().reduce(reduce_op, per_replica_value, axis=None)

    def batch_reduce(self, reduce_op, value_destination_pairs, options=None) -> list:
        return [self.reduce(reduce_op, v, d, options) for v, d in value_destination_pairs]

    def broadcast(self, tensor, destinations):
        return tensor


class _Packed(CrossDeviceOps):
    """An all-reduce of gradients in packs.

    Args:
        num_packs: the number of messages; 0 sends each gradient by itself.

    Raises:
        ValueError: for a negative number.
    """

    _name = ""

    def __init__(self, num_packs: int = 1):
        if num_packs < 0:
            raise ValueError(f"{self._name} requires num_packs >= 0, but {num_packs} is specified")
        self.num_packs = num_packs
        self.packing = Packing(packs=num_packs)


class NcclAllReduce(_Packed):
    """NCCL's all-reduce: the backend on GPUs (source: same name in TF)."""

    _name = "NCCL all-reduce"


class HierarchicalCopyAllReduce(_Packed):
    """An all-reduce for machines whose GPUs form two groups; NCCL finds such paths itself."""

    _name = "HierarchicalCopy"


class ReductionToOneDevice(CrossDeviceOps):
    """Sums on one device; every rank then has the result.

    Args:
        reduce_to_device: only None.
        accumulation_fn: only None (addition).
    """

    def __init__(self, reduce_to_device=None, accumulation_fn=None):
        if reduce_to_device is not None or accumulation_fn is not None:
            raise NotImplementedError(
                "ReductionToOneDevice(reduce_to_device=..., accumulation_fn=...) is not supported: "
                "the backend adds up; leave the arguments out."
            )
