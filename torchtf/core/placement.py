"""The log of where eager ops run (`tf.debugging.set_log_device_placement`).

While it is on, functions that write a line first stand in the place of those that each call of an
op passes through; while it is off, nothing is there that could cost.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch

from torchtf.core import device, graph
from torchtf.core.host_op import HostOp
from torchtf.core.op import Op, flat_arguments, observe_bodies
from torchtf.core.tensor import Tensor

_convert, _run = Op._convert, HostOp.run
enabled = False


def set_enabled(on: bool) -> None:
    """Turns the log of ops on or off."""
    global enabled
    enabled = on
    observe_bodies(_logged_body if on else None)
    Op._convert = _logged_convert if on else _convert  # type: ignore[method-assign]
    HostOp.run = _logged_run if on else _run  # type: ignore[method-assign]


def log(name: str, inputs: Iterable = ()) -> None:
    """Writes where an op with these inputs runs: on a GPU, if one of them is there."""
    places = [Tensor(x).device for x in inputs if isinstance(x, torch.Tensor)]
    if not places:
        places = [Tensor(torch.empty(0, device=device.current())).device]
    place = next((p for p in places if "GPU" in p), places[0])
    print(f"Executing op {name} in device {place}", file=sys.stderr)


def _logged_body(op: Op) -> Callable:
    """The body of an op for its fast path, where all is eager."""

    def body(*args: Any) -> Any:
        log(op.name, args)
        return op.body(*args)

    return body


def _logged_convert(op: Op, args: tuple) -> list:
    """`Op._convert`, the first step of the general path."""
    raw = _convert(op, args)
    if graph.state.trace is None:
        log(op.name, flat_arguments(raw))
    return raw


def _logged_run(op: HostOp, converted: Any, args: Any = None, name: str | None = None) -> Any:
    """`HostOp.run`; a call without `args` comes from a graph, whose function has its line."""
    if args is not None and graph.state.trace is None:
        log(op.name, [torch.empty(0, device="cpu")])
    return _run(op, converted, args, name)
