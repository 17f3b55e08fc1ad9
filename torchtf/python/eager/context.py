"""`tensorflow.python.eager.context`: the devices, and whether code runs eagerly."""

from __future__ import annotations

import contextlib

import torchtf as tf
from torchtf.python import names_of

__getattr__ = names_of("eager.context")

GRAPH_MODE, EAGER_MODE = 0, 1


class Context:
    """A view of the devices and settings of this process."""

    def executing_eagerly(self) -> bool:
        return tf.executing_eagerly()

    def num_gpus(self) -> int:
        return len(tf.config.list_logical_devices("GPU"))

    def devices(self) -> list[str]:
        return [d.name for d in tf.config.list_logical_devices()]

    def list_physical_devices(self, device_type: str | None = None) -> list:
        return tf.config.list_physical_devices(device_type)

    def list_logical_devices(self, device_type: str | None = None) -> list:
        return tf.config.list_logical_devices(device_type)

    def ensure_initialized(self) -> None:
        """Devices are found when they are asked for; there is nothing to do before."""

    @property
    def run_eagerly(self) -> bool:
        return tf.config.functions_run_eagerly()

    @property
    def device_name(self) -> str:
        return tf.constant(0).device

    @property
    def device_spec(self):
        return tf.DeviceSpec.from_string(self.device_name)


_context = Context()


def context() -> Context:
    """The one `Context`."""
    return _context


def ensure_initialized() -> None:
    """Devices are found when they are asked for; there is nothing to do before."""


def num_gpus() -> int:
    """The number of logical GPUs."""
    return _context.num_gpus()


def in_graph_mode() -> bool:
    """Whether a function is being traced."""
    return not tf.executing_eagerly()


def eager_mode():
    """A context in which code runs eagerly, also while a function is being traced."""
    return tf.init_scope() if in_graph_mode() else contextlib.nullcontext()


def graph_mode():
    """Not supported: only functions have graphs.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("context.graph_mode is not supported: use tf.function")


def device(name):
    """`tf.device`."""
    return tf.device(name)
