"""The protos of TensorFlow that no package ships without TensorFlow: `Example` and its parts,
`CheckpointState`, and the headers of checkpoint files.
"""

from __future__ import annotations

from typing import Any

from torchtf.core.proto_files import Messages, define

_EXAMPLE: Messages = {
    "BytesList": {1: ("value", "*bytes")},
    "FloatList": {1: ("value", "*float")},
    "Int64List": {1: ("value", "*int64")},
    "Feature": {
        1: ("bytes_list", "BytesList", "kind"),
        2: ("float_list", "FloatList", "kind"),
        3: ("int64_list", "Int64List", "kind"),
    },
    "Features": {1: ("feature", "map Feature")},
    "FeatureList": {1: ("feature", "*Feature")},
    "FeatureLists": {1: ("feature_list", "map FeatureList")},
    "Example": {1: ("features", "Features")},
    "SequenceExample": {1: ("context", "Features"), 2: ("feature_lists", "FeatureLists")},
}
_OTHERS: Messages = {
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
_CHECKPOINT: Messages = {
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
_CLUSTER: Messages = {
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

_DTENSOR: Messages = {
    "ShardingSpec": {2: ("sharding_spec", "string")},
    "MeshDimensionProto": {1: ("name", "string"), 2: ("size", "int64")},
    "MeshProto": {
        1: ("mesh_dimensions", "*MeshDimensionProto"),
        2: ("global_device_ids", "*int64"),
        3: ("name", "string"),
        4: ("local_device_ids", "*int64"),
        5: ("local_devices", "*string"),
        6: ("global_devices", "*string"),
        7: ("use_xla_spmd", "bool"),
        8: ("single_device", "string"),
    },
    "LayoutProto": {
        1: ("sharding_specs", "*ShardingSpec"),
        2: ("mesh_config", "MeshProto"),
        3: ("type", "int32"),
    },
}

_classes: dict[str, Any] = {}
DESCRIPTOR = define(
    __name__,
    _classes,
    "torchtf.tensorflow",
    {**_EXAMPLE, **_CHECKPOINT, **_CLUSTER, **_DTENSOR, **_OTHERS},
)

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
LayoutProto: Any = _classes["LayoutProto"]
MeshProto: Any = _classes["MeshProto"]
