"""`MirroredStrategy`: one machine, a replica for each device, a process for each replica."""

from __future__ import annotations

import os

from torchtf.core import device, files
from torchtf.distribute import _group, _spawn
from torchtf.distribute._buckets import Packing
from torchtf.distribute._strategy import Strategy

_PREFIX = "/job:localhost/replica:0/task:0/device:"


def _device_names(devices) -> tuple[str, ...]:
    """Full names of the devices asked for, or of all GPUs, or of the CPU.

    Raises:
        ValueError: for a malformed or repeated name.
    """
    if devices is None:
        from torchtf.config import logical_device_names

        gpus = logical_device_names("GPU")
        names = gpus or logical_device_names("CPU")[:1]
        return tuple(_PREFIX + n.rsplit("device:", 1)[-1] for n in names)
    if not devices:
        raise ValueError("Got an empty `devices` list for MirroredStrategy.")
    full = []
    for name in devices:
        device.parse(name)  # raises for a malformed name
        kind, _, index = name.rpartition("device:")[-1].strip("/").partition(":")
        full.append(f"{_PREFIX}{kind.upper()}:{index or 0}")
    if len(set(full)) != len(full):
        raise ValueError(f"`devices` must be distinct, got {devices}")
    return tuple(full)


class MirroredStrategy(Strategy):
    """Synchronous training on the devices of one machine (source: same name in TF).

    Under torchrun each process is a replica and joins the group. In a plain `python script.py` on
    several devices, the strategy starts the other ranks itself: it runs the same script once for
    each, with rank variables; their output is kept quiet. `TORCHTF_SPAWN=0` turns that off.

    Args:
        devices: names such as `["/gpu:0", "/gpu:1"]`; all GPUs by default, else the CPU.
        cross_device_ops: how replicas combine values. The backend picks the algorithm; the
            `num_packs` of an all-reduce says how many messages the gradients make.

    Raises:
        ValueError: for malformed device names.
        NotImplementedError: for several devices whose number is not that of the processes.
        RuntimeError: if several devices are asked for where no script can be started again.
    """

    mirrors = one_program = True

    def __init__(self, devices=None, cross_device_ops=None):
        from torchtf.distribute.cross_device_ops import CrossDeviceOps

        if cross_device_ops is not None and not isinstance(cross_device_ops, CrossDeviceOps):
            raise ValueError(
                f"cross_device_ops must be a tf.distribute.CrossDeviceOps, got {cross_device_ops!r}"
            )
        self._cross_device_ops = cross_device_ops
        names, group = _join(devices)
        packing = Packing() if cross_device_ops is None else cross_device_ops.packing
        super().__init__(names, group, packing)
        if group is not None:
            files.share_writing(self.is_chief, group.barrier)


def _join(devices) -> tuple[tuple[str, ...], _group.Group | None]:
    """The devices of a strategy, and the processes that hold its replicas if it has several."""
    under_launcher = _group.launched() and not _spawn.spawned()
    if under_launcher and devices is None:
        group = _group.join()
        return tuple(f"{_PREFIX}{_kind()}:{i}" for i in range(group.size)), group
    names = _device_names(devices)
    if len(names) == 1:
        return names, None
    if not _group.launched():
        if os.environ.get("TORCHTF_SPAWN") == "0":
            return names[:1], None
        return names, _spawn.start_other_ranks(len(names))
    group = _group.join()
    if group.size != len(names):
        raise NotImplementedError(
            f"MirroredStrategy on {len(names)} devices needs as many processes, but the launcher "
            f"(or an earlier strategy) made {group.size}, and their number is fixed. Name "
            f"{group.size} devices or one, or run the other strategy in a program of its own."
        )
    return names, group


def _kind() -> str:
    return "GPU" if device.gpu_count() else "CPU"
