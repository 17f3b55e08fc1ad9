"""The tables of ML Metadata in SQLite, and how a message becomes rows of them and back."""

from __future__ import annotations

import base64
import dataclasses
import time
from typing import Any

from torchtf.ml_metadata.proto import metadata_store_pb2 as pb

SCHEMA_VERSION = 10
_STRUCT = "mlmd-struct::"  # what begins the text of a value that is a structure

_PROPERTY_COLUMNS = (
    "name VARCHAR(255) NOT NULL, is_custom_property TINYINT(1) NOT NULL, int_value INT, "
    "double_value DOUBLE, string_value TEXT, byte_value BLOB, proto_value BLOB, bool_value BOOLEAN"
)
_TIMES = (
    "create_time_since_epoch INT NOT NULL DEFAULT 0, "
    "last_update_time_since_epoch INT NOT NULL DEFAULT 0"
)
_ID = "id INTEGER PRIMARY KEY AUTOINCREMENT"

_TABLES = {
    "MLMDEnv": "schema_version INTEGER PRIMARY KEY",
    "Type": f"{_ID}, name VARCHAR(255) NOT NULL, version VARCHAR(255), "
    "type_kind TINYINT(1) NOT NULL, description TEXT, input_type TEXT, output_type TEXT, "
    "external_id VARCHAR(255) UNIQUE",
    "ParentType": "type_id INT NOT NULL, parent_type_id INT NOT NULL, "
    "PRIMARY KEY (type_id, parent_type_id)",
    "TypeProperty": "type_id INT NOT NULL, name VARCHAR(255) NOT NULL, data_type INT NULL, "
    "PRIMARY KEY (type_id, name)",
    "Artifact": f"{_ID}, type_id INT NOT NULL, uri TEXT, state INT, name VARCHAR(255), "
    f"external_id VARCHAR(255) UNIQUE, {_TIMES}, UNIQUE(type_id, name)",
    "Execution": f"{_ID}, type_id INT NOT NULL, last_known_state INT, name VARCHAR(255), "
    f"external_id VARCHAR(255) UNIQUE, {_TIMES}, UNIQUE(type_id, name)",
    "Context": f"{_ID}, type_id INT NOT NULL, name VARCHAR(255) NOT NULL, "
    f"external_id VARCHAR(255) UNIQUE, {_TIMES}, UNIQUE(type_id, name)",
    **{
        f"{kind}Property": f"{kind.lower()}_id INT NOT NULL, {_PROPERTY_COLUMNS}, "
        f"PRIMARY KEY ({kind.lower()}_id, name, is_custom_property)"
        for kind in ("Artifact", "Execution", "Context")
    },
    "ParentContext": "context_id INT NOT NULL, parent_context_id INT NOT NULL, "
    "PRIMARY KEY (context_id, parent_context_id)",
    "Event": f"{_ID}, artifact_id INT NOT NULL, execution_id INT NOT NULL, type INT NOT NULL, "
    "milliseconds_since_epoch INT, UNIQUE(artifact_id, execution_id, type)",
    "EventPath": "event_id INT NOT NULL, is_index_step TINYINT(1) NOT NULL, step_index INT, "
    "step_key TEXT",
    "Association": f"{_ID}, context_id INT NOT NULL, execution_id INT NOT NULL, "
    "UNIQUE(context_id, execution_id)",
    "Attribution": f"{_ID}, context_id INT NOT NULL, artifact_id INT NOT NULL, "
    "UNIQUE(context_id, artifact_id)",
}
CREATE = "".join(f"CREATE TABLE IF NOT EXISTS {k} ({v});" for k, v in _TABLES.items()) + (
    "CREATE INDEX IF NOT EXISTS idx_artifact_uri ON Artifact(uri);"
    "CREATE INDEX IF NOT EXISTS idx_event_execution_id ON Event(execution_id);"
    "CREATE INDEX IF NOT EXISTS idx_type_name ON Type(name);"
    "CREATE INDEX IF NOT EXISTS idx_eventpath_event_id ON EventPath(event_id);"
)


@dataclasses.dataclass(frozen=True)
class Kind:
    """One of the three things that a store holds.

    Attributes:
        name: its table; with ``Property`` behind it, that of its properties.
        message, type_message: the classes of its messages.
        number: what the table of types calls it.
        columns: the fields that are columns, besides its id, its type and its times.
    """

    name: str
    message: Any
    type_message: Any
    number: int
    columns: tuple[str, ...]

    @property
    def key(self) -> str:
        """The column that refers to it in other tables."""
        return f"{self.name.lower()}_id"


ARTIFACT = Kind(
    "Artifact", pb.Artifact, pb.ArtifactType, 1, ("uri", "state", "name", "external_id")
)
EXECUTION = Kind(
    "Execution", pb.Execution, pb.ExecutionType, 0, ("last_known_state", "name", "external_id")
)
CONTEXT = Kind("Context", pb.Context, pb.ContextType, 2, ("name", "external_id"))


def now() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def property_row(value: pb.Value) -> dict[str, Any]:
    """The column that holds a value, with what it holds."""
    kind = value.WhichOneof("value")
    if kind is None:
        return {}
    if kind == "proto_value":
        return {kind: value.proto_value.SerializeToString()}
    if kind == "struct_value":
        text = base64.b64encode(value.struct_value.SerializeToString()).decode()
        return {"string_value": _STRUCT + text}
    return {kind: getattr(value, kind)}


def property_value(row) -> pb.Value:
    """The value of a row of properties."""
    value = pb.Value()
    text = row["string_value"]
    if isinstance(text, str) and text.startswith(_STRUCT):
        value.struct_value.ParseFromString(base64.b64decode(text[len(_STRUCT) :]))
    elif row["proto_value"] is not None:
        value.proto_value.ParseFromString(row["proto_value"])
    else:
        for name in ("int_value", "double_value", "string_value", "bool_value"):
            if row[name] is not None:
                setattr(value, name, bool(row[name]) if name == "bool_value" else row[name])
    return value
