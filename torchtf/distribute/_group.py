"""The processes that train together: a thin face of `torch.distributed`.

* `join()` enters the group that torchrun (or our own launcher, or a TF_CONFIG cluster) describes.
* Collectives are the functional ones of torch, so they trace into graphs like any op.
* At the start the ranks take rank 0's random state: initial weights and shuffles agree.
"""

from __future__ import annotations

import atexit
import datetime
import os
import random
import sys
import time
from collections.abc import Sequence

import numpy as np
import torch
import torch.distributed as dist
import torch.distributed._functional_collectives

from torchtf.distribute._buckets import Packing


class Group:
    """A set of processes with ranks 0 to size - 1, one replica each."""

    def __init__(self, rank: int, size: int):
        self.rank = rank
        self.size = size

    def all_reduce(self, tensor: torch.Tensor, op: str = "sum") -> torch.Tensor:
        """The elementwise sum (or "avg", "max", "min") over the ranks, on every rank."""
        return self.all_reduce_many([tensor], op)[0]

    def all_reduce_many(
        self, tensors: Sequence[torch.Tensor], op: str = "sum", packing: Packing | None = None
    ) -> list[torch.Tensor]:
        """`all_reduce` of several tensors in few messages; the gradient is reduced likewise.

        Args:
            tensors: one for each value; on all ranks of the same shapes.
            op: "sum", "avg", "max" or "min".
            packing: how the tensors are put together.
        """
        if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
            return list(_AllReduce.apply(self, op, packing, *tensors))
        return self._all_reduce_many(tensors, op, packing or Packing())

    def _all_reduce_many(self, tensors, op, packing) -> list[torch.Tensor]:
        out: list = list(tensors)
        under_way = []
        for bucket in packing.buckets(tensors):
            parts = [tensors[i] for i in bucket]
            under_way.append((bucket, _start([p.detach() for p in parts], _OPS.get(op, op))))
        for bucket, message in under_way:
            reduced = _wait(message)
            pieces = torch.split(reduced, [tensors[i].numel() for i in bucket])
            for i, piece in zip(bucket, pieces, strict=True):
                piece = piece.view(tensors[i].shape)
                out[i] = mean_of(piece, self.size) if op == "avg" else piece
        return out

    def broadcast_many(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Rank 0's tensors; may be traced."""
        name = _group_name()
        started = [_c10d.broadcast(t.detach().contiguous(), 0, name) for t in tensors]
        return [_wait(t) for t in started]

    def all_gather(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """Every rank's tensor, all of one shape, in the order of the ranks.

        The gradient is this rank's part of the sum of the ranks' gradients.
        """
        if torch.is_grad_enabled() and tensor.requires_grad:
            return list(_AllGather.apply(self, tensor).unbind(0))
        return list(self._all_gather(tensor).unbind(0))

    def _all_gather(self, tensor: torch.Tensor) -> torch.Tensor:
        rows = tensor.detach().contiguous().unsqueeze(0)
        return _wait(_c10d.all_gather_into_tensor(rows, self.size, _group_name()))

    def all_gather_objects(self, value) -> list:
        """Every rank's Python value, in the order of the ranks."""
        out = [None] * self.size
        dist.all_gather_object(out, value)
        return out

    def broadcast_object(self, value):
        """Rank 0's value."""
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def broadcast(self, tensor: torch.Tensor) -> torch.Tensor:
        """Rank 0's tensor."""
        copied = tensor.detach().clone().contiguous()
        dist.broadcast(copied, src=0)
        return copied

    def barrier(self) -> None:
        dist.barrier()


def mean_of(total: torch.Tensor, count) -> torch.Tensor:
    """The mean of `count` (an integer or a tensor) values that add up to `total`."""
    if not (total.is_floating_point() or total.is_complex()):
        total = total.to(torch.float64)
    return total / count


class _AllReduce(torch.autograd.Function):
    """The gradient of an all-reduce is the all-reduce of the gradients."""

    @staticmethod
    def forward(ctx, group, op, packing, *tensors):
        ctx.arguments = group, op, packing
        return tuple(group.all_reduce_many([t.detach() for t in tensors], op, packing))

    @staticmethod
    def backward(ctx, *grads):
        group, op, packing = ctx.arguments
        if op not in ("sum", "avg"):
            raise NotImplementedError(f"The gradient of an all-reduce by {op!r} is not supported.")
        return None, None, None, *group.all_reduce_many(grads, op, packing)


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, group, tensor):
        ctx.group = group
        return group._all_gather(tensor)

    @staticmethod
    def backward(ctx, grad):
        return None, ctx.group.all_reduce(grad)[ctx.group.rank]


_c10d = torch.ops._c10d_functional
_OPS = {"avg": "sum"}  # gloo lacks it


def _start(parts: list[torch.Tensor], op: str) -> torch.Tensor:
    """Sends off a bucket. Its memory is written to while it travels."""
    if len(parts) == 1:
        flat = parts[0].reshape(-1).clone()
    else:
        flat = torch.cat([p.reshape(-1) for p in parts])
    return _c10d.all_reduce_(flat, op, _group_name())


def _wait(message: torch.Tensor) -> torch.Tensor:
    return _c10d.wait_tensor(message)


def _group_name() -> str:
    return dist.group.WORLD.group_name


_group: Group | None = None

_SECONDS_TO_FREE = 0.2


def launched() -> bool:
    """Whether a launcher (torchrun or ours) started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def joined() -> Group | None:
    """The group this process is in, or None."""
    return _group


def join(
    rank: int | None = None,
    size: int | None = None,
    init_method: str | None = None,
    backend: str | None = None,
    timeout: float | None = None,
) -> Group:
    """Enters the group of the environment (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT).

    Args:
        rank, size, init_method: given for a group that is described elsewhere.
        backend: "nccl", "gloo" or None for the one that fits the devices.
        timeout: the seconds that a collective may take; half an hour by default.

    Raises:
        RuntimeError: if the other processes do not come.
    """
    global _group
    if _group is not None:
        return _group
    if not dist.is_initialized():
        if backend is None:
            backend = "nccl" if torch.cuda.is_available() else "gloo"
        kwargs: dict = {"timeout": datetime.timedelta(seconds=timeout or 1800)}
        if init_method is not None:
            kwargs |= {"init_method": init_method, "rank": rank, "world_size": size}
        else:
            kwargs |= _meeting_place(kwargs["timeout"])
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
        dist.init_process_group(backend, **kwargs)
    _group = Group(dist.get_rank(), dist.get_world_size())
    _share_random_state(_group)
    return _group


@atexit.register
def _leave() -> None:
    """Leaves the group before the interpreter ends: a thread that frees a tensor later aborts.

    The threads outlive the group where something of torch's still holds it, so they are given time
    to free what the last collectives left. After an error the group may be in the middle of a
    collective, which would never end.
    """
    if _group is not None and dist.is_initialized() and not hasattr(sys, "last_value"):
        dist.destroy_process_group()
        time.sleep(_SECONDS_TO_FREE)


def _meeting_place(timeout: datetime.timedelta) -> dict:
    """The store of the environment, apart for each restart by torchrun.

    With a fixed address (`--master_port`) torchrun's store outlives a restart, and the ranks would
    look for each other where the ones before them listened.
    """
    store, rank, size = next(dist.rendezvous("env://", timeout=timeout))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return {
        "store": dist.PrefixStore(f"torchtf/{attempt}", store),
        "rank": rank,
        "world_size": size,
    }


def _share_random_state(group: Group) -> None:
    state = group.broadcast_object(
        (random.getstate(), np.random.get_state(), torch.get_rng_state())
    )
    random.setstate(state[0])
    np.random.set_state(state[1])
    torch.set_rng_state(state[2])
    if torch.cuda.is_available():
        torch.cuda.manual_seed(torch.initial_seed())
