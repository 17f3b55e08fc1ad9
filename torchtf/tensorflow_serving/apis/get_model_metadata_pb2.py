"""`tensorflow_serving.apis.get_model_metadata_pb2`: the signatures of a model."""

from google.protobuf import any_pb2

from torchtf.core.proto_files import define, tensorflow_pool
from torchtf.tensorflow_serving.apis import model_pb2

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "GetModelMetadataRequest": {
            1: ("model_spec", "ModelSpec"),
            2: ("metadata_field", "*string"),
        },
        "GetModelMetadataResponse": {
            1: ("model_spec", "ModelSpec"),
            2: ("metadata", "map .google.protobuf.Any"),
        },
    },
    uses=[any_pb2, model_pb2],
)

# It travels as an `Any`, which names it.
_files = tensorflow_pool()
define(
    f"{__name__}.signature_def_map",
    globals(),
    "tensorflow.serving",
    {"SignatureDefMap": {1: ("signature_def", "map .tensorflow.SignatureDef")}},
    uses=[_files.FindFileContainingSymbol("tensorflow.SignatureDef")],
    pool=_files,
)
