"""`ml_metadata.proto.metadata_store_pb2`: artifacts, executions, contexts, and what links them."""

from google.protobuf import any_pb2, struct_pb2

from torchtf.core.proto_files import define

_PROPERTIES = ("properties", "map Value")
_CUSTOM = ("custom_properties", "map Value")


def _type(base: int, **more: int) -> dict[int, tuple[str, ...]]:
    """The fields of a type, `base` being the number of its system type."""
    return {
        1: ("id", "?int64"),
        2: ("name", "?string"),
        3: ("properties", "map enum PropertyType"),
        more["version"]: ("version", "?string"),
        more["version"] + 1: ("description", "?string"),
        more["external_id"]: ("external_id", "?string"),
        base: ("base_type", "?enum " + ("Artifact", "Execution", "Context")[more["kind"]]
               + "Type.SystemDefinedBaseType"),
    }  # fmt: skip


DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.ml_metadata",
    {
        "Value": {
            1: ("int_value", "int64", "value"),
            2: ("double_value", "double", "value"),
            3: ("string_value", "string", "value"),
            4: ("struct_value", ".google.protobuf.Struct", "value"),
            5: ("proto_value", ".google.protobuf.Any", "value"),
            6: ("bool_value", "bool", "value"),
        },
        "Artifact": {
            1: ("id", "?int64"),
            7: ("name", "?string"),
            2: ("type_id", "?int64"),
            8: ("type", "?string"),
            3: ("uri", "?string"),
            11: ("external_id", "?string"),
            4: _PROPERTIES,
            5: _CUSTOM,
            6: ("state", "?enum Artifact.State"),
            9: ("create_time_since_epoch", "?int64"),
            10: ("last_update_time_since_epoch", "?int64"),
        },
        "ArtifactType": _type(6, version=4, external_id=7, kind=0),
        "Event": {
            1: ("artifact_id", "?int64"),
            2: ("execution_id", "?int64"),
            3: ("path", "Event.Path"),
            4: ("type", "?enum Event.Type"),
            5: ("milliseconds_since_epoch", "?int64"),
        },
        "Event.Path": {1: ("steps", "*Event.Path.Step")},
        "Event.Path.Step": {1: ("index", "int64", "value"), 2: ("key", "string", "value")},
        "Execution": {
            1: ("id", "?int64"),
            6: ("name", "?string"),
            2: ("type_id", "?int64"),
            7: ("type", "?string"),
            10: ("external_id", "?string"),
            3: ("last_known_state", "?enum Execution.State"),
            4: _PROPERTIES,
            5: _CUSTOM,
            8: ("create_time_since_epoch", "?int64"),
            9: ("last_update_time_since_epoch", "?int64"),
        },
        "ExecutionType": _type(8, version=6, external_id=9, kind=1),
        "Context": {
            1: ("id", "?int64"),
            3: ("name", "?string"),
            2: ("type_id", "?int64"),
            6: ("type", "?string"),
            9: ("external_id", "?string"),
            4: _PROPERTIES,
            5: _CUSTOM,
            7: ("create_time_since_epoch", "?int64"),
            8: ("last_update_time_since_epoch", "?int64"),
        },
        "ContextType": _type(6, version=4, external_id=7, kind=2),
        "Attribution": {1: ("artifact_id", "?int64"), 2: ("context_id", "?int64")},
        "Association": {1: ("execution_id", "?int64"), 2: ("context_id", "?int64")},
        "ParentContext": {1: ("child_id", "?int64"), 2: ("parent_id", "?int64")},
        "FakeDatabaseConfig": {},
        "MySQLDatabaseConfig": {
            1: ("host", "?string"),
            2: ("port", "?uint32"),
            3: ("database", "?string"),
            4: ("user", "?string"),
            5: ("password", "?string"),
        },
        "SqliteMetadataSourceConfig": {
            1: ("filename_uri", "?string"),
            2: ("connection_mode", "?enum SqliteMetadataSourceConfig.ConnectionMode"),
        },
        "ConnectionConfig": {
            1: ("fake_database", "FakeDatabaseConfig", "config"),
            2: ("mysql", "MySQLDatabaseConfig", "config"),
            3: ("sqlite", "SqliteMetadataSourceConfig", "config"),
        },
    },
    {
        "PropertyType": {
            "UNKNOWN": 0, "INT": 1, "DOUBLE": 2, "STRING": 3, "STRUCT": 4, "PROTO": 5, "BOOLEAN": 6,
        },
        "Artifact.State": {
            "UNKNOWN": 0, "PENDING": 1, "LIVE": 2, "MARKED_FOR_DELETION": 3, "DELETED": 4,
            "ABANDONED": 5, "REFERENCE": 6,
        },
        "ArtifactType.SystemDefinedBaseType": {
            "UNSET": 0, "DATASET": 1, "MODEL": 2, "METRICS": 3, "STATISTICS": 4,
        },
        "Event.Type": {
            "UNKNOWN": 0, "DECLARED_OUTPUT": 1, "DECLARED_INPUT": 2, "INPUT": 3, "OUTPUT": 4,
            "INTERNAL_INPUT": 5, "INTERNAL_OUTPUT": 6, "PENDING_OUTPUT": 7,
        },
        "Execution.State": {
            "UNKNOWN": 0, "NEW": 1, "RUNNING": 2, "COMPLETE": 3, "FAILED": 4, "CACHED": 5,
            "CANCELED": 6,
        },
        "ExecutionType.SystemDefinedBaseType": {
            "UNSET": 0, "TRAIN": 1, "TRANSFORM": 2, "PROCESS": 3, "EVALUATE": 4, "DEPLOY": 5,
        },
        "ContextType.SystemDefinedBaseType": {"UNSET": 0},
        "SqliteMetadataSourceConfig.ConnectionMode": {
            "UNKNOWN": 0, "READONLY": 1, "READWRITE": 2, "READWRITE_OPENCREATE": 3,
        },
    },
    uses=[any_pb2, struct_pb2],
)  # fmt: skip
