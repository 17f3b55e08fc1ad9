"""`ml_metadata.proto`: the messages of a metadata store."""

from torchtf.ml_metadata.proto import metadata_store_pb2
from torchtf.ml_metadata.proto.metadata_store_pb2 import (
    Artifact,
    ArtifactType,
    Association,
    Attribution,
    ConnectionConfig,
    Context,
    ContextType,
    Event,
    Execution,
    ExecutionType,
    ParentContext,
    Value,
)

__all__ = [
    "Artifact", "ArtifactType", "Association", "Attribution", "ConnectionConfig", "Context",
    "ContextType", "Event", "Execution", "ExecutionType", "ParentContext", "Value",
    "metadata_store_pb2",
]  # fmt: skip
