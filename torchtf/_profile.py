"""A profile of what runs, as TensorBoard's profile plugin reads it.

Contract:
- `start(logdir)` starts PyTorch's profiler; `stop(save=True)` of what it returns ends it and writes
  `<logdir>/plugins/profile/<time>/<host>.xplane.pb`, the protocol buffer of TensorFlow's profiler
  (an XSpace), beside PyTorch's own trace.
- One profile at a time.
"""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Iterator
from typing import Any

import torch

from torchtf.core.files import write_atomically
from torchtf.core.wire import field

_active: Profile | None = None


class Profile:
    """A profile under way."""

    def __init__(self, logdir: str, with_stack: bool = False) -> None:
        self._logdir = logdir
        activities = [torch.profiler.ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        self._profiler = torch.profiler.profile(activities=activities, with_stack=with_stack)
        self._profiler.start()

    def stop(self, save: bool = True) -> None:
        """Ends the profile, and writes it if `save`."""
        global _active
        _active = None
        self._profiler.stop()
        if not save:
            return
        now = datetime.datetime.now().strftime("%Y_%m_%d_%H_%M_%S")
        folder = os.path.join(self._logdir, "plugins", "profile", now)
        os.makedirs(folder, exist_ok=True)
        stem = os.path.join(folder, socket.gethostname())
        write_atomically(f"{stem}.xplane.pb", _xspace(self._profiler.events()))
        self._profiler.export_chrome_trace(f"{stem}.pt.trace.json")


def start(logdir: str, with_stack: bool = False) -> Profile:
    """Starts a profile; `with_stack` records Python's calls, too.

    Raises:
        RuntimeError: if one is under way.
    """
    global _active
    if _active is not None:
        raise RuntimeError("Another profiler is running.")
    _active = Profile(logdir, with_stack)
    return _active


def _xspace(events: Any) -> bytes:
    """An XSpace with a plane for the host and one for each device, a line for each thread."""
    planes: dict[tuple[str, int], dict[int, list[Any]]] = {}
    for event in events:
        kind = "CPU" if event.device_type == torch.autograd.DeviceType.CPU else "GPU"
        key = (kind, event.device_index if kind == "GPU" else 0)
        planes.setdefault(key, {}).setdefault(event.thread, []).append(event)
    return b"".join(
        field(1, _plane(number, kind, index, lines))
        for number, ((kind, index), lines) in enumerate(sorted(planes.items(), key=lambda x: x[0]))
    )


def _plane(number: int, kind: str, index: int, lines: dict[int, list[Any]]) -> bytes:
    name = "/host:CPU" if kind == "CPU" else f"/device:GPU:{index}"
    ids: dict[str, int] = {}
    body = b"".join(field(3, _line(thread, found, ids)) for thread, found in lines.items())
    metadata = b"".join(
        field(4, field(1, i) + field(2, field(1, i) + field(2, label))) for label, i in ids.items()
    )
    return field(1, number) + field(2, name) + body + metadata


def _line(thread: int, events: list[Any], ids: dict[str, int]) -> bytes:
    start = min(e.time_range.start for e in events)

    def encoded() -> Iterator[bytes]:
        for e in events:
            identity = ids.setdefault(e.name, len(ids) + 1)
            offset = int((e.time_range.start - start) * 1_000_000)  # picoseconds
            duration = int((e.time_range.end - e.time_range.start) * 1_000_000)
            yield field(4, field(1, identity) + field(2, offset) + field(3, max(duration, 0)))

    head = field(1, thread) + field(2, f"thread {thread}") + field(3, int(start * 1000))
    return head + b"".join(encoded())


__all__ = ["Profile", "start"]
