"""`tensorflow_serving.apis.model_management_pb2`: another configuration for a running server."""

from torchtf.core.proto_files import define
from torchtf.tensorflow_serving.apis import status_pb2
from torchtf.tensorflow_serving.config import model_server_config_pb2

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "ReloadConfigRequest": {
            1: ("config", "ModelServerConfig"),
            2: ("metric_names", "*string"),
        },
        "ReloadConfigResponse": {1: ("status", "StatusProto"), 2: ("metric", "*Metric")},
        "Metric": {
            1: ("name", "string"),
            2: ("int64_value_increase", "int64", "value_increase"),
        },
    },
    uses=[status_pb2, model_server_config_pb2],
)
