"""`tfx.orchestration.metadata`: where the record of runs is kept, and a handle to it."""

from __future__ import annotations

import os

from torchtf.ml_metadata import MetadataStore
from torchtf.ml_metadata.proto import metadata_store_pb2 as pb
from torchtf.tfx.types.artifact import Artifact, from_messages

ConnectionConfigType = pb.ConnectionConfig


def sqlite_metadata_connection_config(metadata_db_uri: str | os.PathLike) -> pb.ConnectionConfig:
    """A store in a SQLite file; makes its folder (source: `tfx.orchestration.metadata`).

    Raises:
        OSError: if the folder cannot be made.
    """
    path = os.fspath(metadata_db_uri)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = path
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return config


def mysql_metadata_connection_config(
    host: str, port: int, database: str, username: str, password: str
) -> pb.ConnectionConfig:
    """Names a store in MySQL; opening it raises NotImplementedError."""
    mysql = pb.MySQLDatabaseConfig(
        host=host, port=port, database=database, user=username, password=password
    )
    return pb.ConnectionConfig(mysql=mysql)


class Metadata:
    """A store, opened for as long as one is within it (source: `tfx.orchestration.metadata`).

    Args:
        connection_config: which store; None means one in memory.

    Attributes:
        store: the `MetadataStore`.
    """

    def __init__(self, connection_config: pb.ConnectionConfig | None):
        self._config = connection_config or pb.ConnectionConfig(
            fake_database=pb.FakeDatabaseConfig()
        )
        self._store: MetadataStore | None = None

    def __enter__(self) -> Metadata:
        self._store = MetadataStore(self._config)
        return self

    def __exit__(self, *_) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None

    @property
    def store(self) -> MetadataStore:
        """Raises RuntimeError outside of a `with` block."""
        if self._store is None:
            raise RuntimeError("Metadata object is not in enter state")
        return self._store

    def artifacts(self, found: list) -> list[Artifact]:
        """Messages of the store as artifacts."""
        return [
            from_messages(self.store.get_artifact_types_by_id([a.type_id])[0], a) for a in found
        ]

    def output_artifacts(self, execution_id: int) -> dict[str, list[Artifact]]:
        """What an execution made, by output."""
        return self._of_execution(execution_id, pb.Event.OUTPUT)

    def input_artifacts(self, execution_id: int) -> dict[str, list[Artifact]]:
        """What an execution took, by input."""
        return self._of_execution(execution_id, pb.Event.INPUT)

    def _of_execution(self, execution_id: int, kind: int) -> dict[str, list[Artifact]]:
        found: dict[str, list[Artifact]] = {}
        for event in self.store.get_events_by_execution_ids([execution_id]):
            if event.type == kind:
                messages = self.store.get_artifacts_by_id([event.artifact_id])
                found.setdefault(event.path.steps[0].key, []).extend(self.artifacts(messages))
        return found
