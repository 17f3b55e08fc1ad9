"""`tensorflow.python.client.device_lib`: the devices as messages."""

from __future__ import annotations

import zlib

import torch

import torchtf as tf
from torchtf.core.proto_files import define

_messages: dict = {}
# The locality of a device is left empty; these are the fields that are told.
DESCRIPTOR = define(
    __name__,
    _messages,
    "torchtf.device",
    {
        "DeviceLocality": {1: ("bus_id", "int32"), 2: ("numa_node", "int32")},
        "DeviceAttributes": {
            1: ("name", "string"),
            2: ("device_type", "string"),
            4: ("memory_limit", "int64"),
            5: ("locality", "DeviceLocality"),
            6: ("incarnation", "fixed64"),
            7: ("physical_device_desc", "string"),
            8: ("xla_global_id", "int64"),
        },
    },
)
DeviceAttributes = _messages["DeviceAttributes"]
_CPU_MEMORY = 256 << 20  # what TensorFlow says of every CPU


def list_local_devices(session_config=None) -> list:
    """The logical devices of this process, a `DeviceAttributes` message for each.

    Args:
        session_config: not supported; devices are configured by `tf.config`.

    Raises:
        NotImplementedError: if `session_config` is given.
    """
    if session_config is not None:
        raise NotImplementedError(
            "list_local_devices with session_config is not supported: use tf.config"
        )
    return [_attributes(device) for device in tf.config.list_logical_devices()]


def _attributes(device):
    kind = device.device_type
    name = f"/device:{device.name.rpartition('/device:')[2]}"
    made = DeviceAttributes(name=name, device_type=kind, xla_global_id=-1)
    made.locality.SetInParent()
    made.incarnation = zlib.crc32(name.encode())
    made.memory_limit = _CPU_MEMORY
    if kind == "GPU":
        index = int(name.rpartition(":")[2])
        properties = torch.cuda.get_device_properties(index % torch.cuda.device_count())
        made.memory_limit = properties.total_memory
        made.physical_device_desc = (
            f"device: {index}, name: {properties.name}, "
            f"compute capability: {properties.major}.{properties.minor}"
        )
    return made
