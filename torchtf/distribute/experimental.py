"""`tf.distribute.experimental`: names from before they were stable, and options."""

from __future__ import annotations

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

_ABSENT = {
    "PreemptionCheckpointHandler": "torchrun restarts lost ranks (--max-restarts); let "
    "tf.keras.callbacks.BackupAndRestore or tf.train.CheckpointManager save what they go on from",
    "PreemptionWatcher": "it listens to Google's clusters; see PreemptionCheckpointHandler",
    "TerminationConfig": "it configures PreemptionCheckpointHandler, which is not supported",
    "rpc": "ClusterCoordinator.schedule runs functions on other tasks",
}


def __getattr__(name):
    if name in _ABSENT:
        raise NotImplementedError(
            f"tf.distribute.experimental.{name} is not supported: {_ABSENT[name]}."
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
