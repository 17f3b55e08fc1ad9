"""`tf.distribute.experimental`: names from before they were stable, and options."""

from __future__ import annotations

from torchtf.core import absent
from torchtf.distribute import coordinator, partitioners
from torchtf.distribute._strategy import ValueContext
from torchtf.distribute.central_storage import CentralStorageStrategy
from torchtf.distribute.multi_worker import (
    CommunicationImplementation,
    CommunicationOptions,
    MultiWorkerMirroredStrategy,
)
from torchtf.distribute.parameter_server import ParameterServerStrategy
from torchtf.distribute.tpu import TPUStrategy

CollectiveCommunication = CommunicationImplementation
CollectiveHints = CommunicationOptions

__all__ = [
    "CentralStorageStrategy",
    "CollectiveCommunication",
    "CollectiveHints",
    "CommunicationImplementation",
    "CommunicationOptions",
    "MultiWorkerMirroredStrategy",
    "ParameterServerStrategy",
    "TPUStrategy",
    "ValueContext",
    "coordinator",
    "partitioners",
]


def __getattr__(name):
    raise absent.error_for(f"distribute.experimental.{name}")
