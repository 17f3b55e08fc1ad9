"""`tensorflow_serving.apis.classification_pb2`: examples in, labels and scores out."""

from torchtf.core.proto_files import define
from torchtf.tensorflow_serving.apis import input_pb2, model_pb2

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "Class": {1: ("label", "string"), 2: ("score", "float")},
        "Classifications": {1: ("classes", "*Class")},
        "ClassificationResult": {1: ("classifications", "*Classifications")},
        "ClassificationRequest": {1: ("model_spec", "ModelSpec"), 2: ("input", "Input")},
        "ClassificationResponse": {
            2: ("model_spec", "ModelSpec"),
            1: ("result", "ClassificationResult"),
        },
    },
    uses=[input_pb2, model_pb2],
)
