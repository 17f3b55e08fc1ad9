"""`tensorflow_serving.apis.get_model_status_pb2`: the versions of a model and their states."""

from torchtf.core.proto_files import define
from torchtf.tensorflow_serving.apis import model_pb2, status_pb2

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "GetModelStatusRequest": {1: ("model_spec", "ModelSpec")},
        "ModelVersionStatus": {
            1: ("version", "int64"),
            2: ("state", "enum ModelVersionStatus.State"),
            3: ("status", "StatusProto"),
        },
        "GetModelStatusResponse": {1: ("model_version_status", "*ModelVersionStatus")},
    },
    {
        "ModelVersionStatus.State": {
            "UNKNOWN": 0, "START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50,
        },
    },
    uses=[model_pb2, status_pb2],
)  # fmt: skip
