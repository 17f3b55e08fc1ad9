"""`tensorflow_serving.apis.model_pb2`: which model, version and signature a request means."""

from google.protobuf import wrappers_pb2

from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "ModelSpec": {
            1: ("name", "string"),
            2: ("version", ".google.protobuf.Int64Value", "version_choice"),
            4: ("version_label", "string", "version_choice"),
            3: ("signature_name", "string"),
        },
    },
    uses=[wrappers_pb2],
)
