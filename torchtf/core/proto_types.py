"""The protos of TensorFlow that no package ships without TensorFlow: `Example` and its parts,
`CheckpointState`, and the headers of checkpoint files.

They live in a descriptor pool of their own, so that TensorFlow may be loaded in the same process.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "bytes": _FIELD.TYPE_BYTES,
    "string": _FIELD.TYPE_STRING,
    "float": _FIELD.TYPE_FLOAT,
    "double": _FIELD.TYPE_DOUBLE,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint64": _FIELD.TYPE_UINT64,
    "bool": _FIELD.TYPE_BOOL,
    "fixed32": _FIELD.TYPE_FIXED32,
}

# message -> its fields: (name, type), a "*" for repeated ones, "map" for maps from strings
_EXAMPLE = {
    "BytesList": {1: ("value", "*bytes")},
    "FloatList": {1: ("value", "*float")},
    "Int64List": {1: ("value", "*int64")},
    "Feature": {
        1: ("bytes_list", "BytesList"),
        2: ("float_list", "FloatList"),
        3: ("int64_list", "Int64List"),
    },
    "Features": {1: ("feature", "map Feature")},
    "FeatureList": {1: ("feature", "*Feature")},
    "FeatureLists": {1: ("feature_list", "map FeatureList")},
    "Example": {1: ("features", "Features")},
    "SequenceExample": {1: ("context", "Features"), 2: ("feature_lists", "FeatureLists")},
}
_ONEOFS = {"Feature": "kind"}
_OTHERS = {
    "SerializedDType": {1: ("datatype", "int32")},
    "FingerprintDef": {
        1: ("saved_model_checksum", "uint64"),
        2: ("graph_def_program_hash", "uint64"),
        3: ("signature_def_hash", "uint64"),
        4: ("saved_object_graph_hash", "uint64"),
        5: ("checkpoint_hash", "uint64"),
        6: ("version", "VersionDef"),
        7: ("uuid", "string"),
    },
    "SaveSliceInfoDef": {
        1: ("full_name", "string"),
        2: ("full_shape", "*int64"),
        3: ("var_offset", "*int64"),
        4: ("var_shape", "*int64"),
    },
}
_CHECKPOINT = {
    "CheckpointState": {
        1: ("model_checkpoint_path", "string"),
        2: ("all_model_checkpoint_paths", "*string"),
        3: ("all_model_checkpoint_timestamps", "*double"),
        4: ("last_preserved_timestamp", "double"),
    },
    "TensorShapeProto": {2: ("dim", "*Dim"), 3: ("unknown_rank", "bool")},
    "Dim": {1: ("size", "int64"), 2: ("name", "string")},
    "VersionDef": {1: ("producer", "int32"), 2: ("min_consumer", "int32")},
    "BundleHeaderProto": {
        1: ("num_shards", "int32"),
        2: ("endianness", "int32"),
        3: ("version", "VersionDef"),
    },
    "Extent": {1: ("start", "int64"), 2: ("length", "int64")},
    "TensorSliceProto": {1: ("extent", "*Extent")},
    "BundleEntryProto": {
        1: ("dtype", "int32"),
        2: ("shape", "TensorShapeProto"),
        3: ("shard_id", "int32"),
        4: ("offset", "int64"),
        5: ("size", "int64"),
        6: ("crc32c", "fixed32"),
        7: ("slices", "*TensorSliceProto"),
    },
}
_CLUSTER = {
    "JobDef": {1: ("name", "string"), 2: ("tasks", "map-int32 string")},
    "ClusterDef": {1: ("job", "*JobDef")},
    "ServerDef": {
        1: ("cluster", "ClusterDef"),
        2: ("job_name", "string"),
        3: ("task_index", "int32"),
        5: ("protocol", "string"),
        6: ("port", "int32"),
    },
}


def _set_type(field, kind: str) -> None:
    if kind in _TYPES:
        field.type = _TYPES[kind]
    else:
        field.type = _FIELD.TYPE_MESSAGE
        field.type_name = f".tensorflow.{kind}"


def _add_message(file, name: str, fields: dict) -> None:
    message = file.message_type.add(name=name)
    if name in _ONEOFS:
        message.oneof_decl.add(name=_ONEOFS[name])
    for number, (field_name, kind) in fields.items():
        field = message.field.add(name=field_name, number=number, label=_FIELD.LABEL_OPTIONAL)
        if name in _ONEOFS:
            field.oneof_index = 0
        if kind.startswith("map"):
            key, _, value = kind.partition(" ")
            _add_map(message, field, key.partition("-")[2] or "string", value)
            continue
        if kind.startswith("*"):
            field.label, kind = _FIELD.LABEL_REPEATED, kind[1:]
        _set_type(field, kind)


def _add_map(message, field, key: str, value: str) -> None:
    """A map field is a repeated message of keys and values."""
    entry_name = "".join(p.capitalize() for p in field.name.split("_")) + "Entry"
    entry = message.nested_type.add(name=entry_name)
    entry.options.map_entry = True
    for number, name, kind in ((1, "key", key), (2, "value", value)):
        part = entry.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL)
        _set_type(part, kind)
    field.label = _FIELD.LABEL_REPEATED
    field.type = _FIELD.TYPE_MESSAGE
    field.type_name = f".tensorflow.{message.name}.{entry_name}"


def _build() -> dict[str, type]:
    pool = descriptor_pool.DescriptorPool()
    messages = _EXAMPLE | _CHECKPOINT | _CLUSTER | _OTHERS
    file = descriptor_pb2.FileDescriptorProto(
        name="torchtf/protos.proto", package="tensorflow", syntax="proto3"
    )
    for name, fields in messages.items():
        _add_message(file, name, fields)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.{name}"))
        for name in messages
    }


_classes = _build()

BytesList = _classes["BytesList"]
FloatList = _classes["FloatList"]
Int64List = _classes["Int64List"]
Feature = _classes["Feature"]
Features = _classes["Features"]
FeatureList = _classes["FeatureList"]
FeatureLists = _classes["FeatureLists"]
Example = _classes["Example"]
SequenceExample = _classes["SequenceExample"]
CheckpointState = _classes["CheckpointState"]
BundleHeaderProto: Any = _classes["BundleHeaderProto"]
BundleEntryProto: Any = _classes["BundleEntryProto"]
ClusterDef = _classes["ClusterDef"]
JobDef = _classes["JobDef"]
ServerDef = _classes["ServerDef"]
SerializedDType = _classes["SerializedDType"]
FingerprintDef: Any = _classes["FingerprintDef"]
SaveSliceInfoDef: Any = _classes["SaveSliceInfoDef"]
