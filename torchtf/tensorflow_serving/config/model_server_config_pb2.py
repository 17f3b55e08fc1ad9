"""`tensorflow_serving.config.model_server_config_pb2`: the models that a server serves."""

from google.protobuf import any_pb2

from torchtf.core.proto_files import define
from torchtf.tensorflow_serving.config import (
    file_system_storage_path_source_pb2,
    logging_config_pb2,
)

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "ModelConfig": {
            1: ("name", "string"),
            2: ("base_path", "string"),
            3: ("model_type", "enum ModelType"),
            4: ("model_platform", "string"),
            7: (
                "model_version_policy",
                "FileSystemStoragePathSourceConfig.ServableVersionPolicy",
            ),
            8: ("version_labels", "map int64"),
            6: ("logging_config", "LoggingConfig"),
        },
        "ModelConfigList": {1: ("config", "*ModelConfig")},
        "ModelServerConfig": {
            1: ("model_config_list", "ModelConfigList", "config"),
            2: ("custom_model_config", ".google.protobuf.Any", "config"),
        },
    },
    {"ModelType": {"MODEL_TYPE_UNSPECIFIED": 0, "TENSORFLOW": 1, "OTHER": 2}},
    uses=[any_pb2, file_system_storage_path_source_pb2, logging_config_pb2],
)
