"""`tensorflow_serving.apis.inference_pb2`: several classifications and regressions in one call."""

from torchtf.core.proto_files import define
from torchtf.tensorflow_serving.apis import (
    classification_pb2,
    input_pb2,
    model_pb2,
    regression_pb2,
)

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "InferenceTask": {1: ("model_spec", "ModelSpec"), 2: ("method_name", "string")},
        "InferenceResult": {
            1: ("model_spec", "ModelSpec"),
            2: ("classification_result", "ClassificationResult", "result"),
            3: ("regression_result", "RegressionResult", "result"),
        },
        "MultiInferenceRequest": {1: ("tasks", "*InferenceTask"), 2: ("input", "Input")},
        "MultiInferenceResponse": {1: ("results", "*InferenceResult")},
    },
    uses=[classification_pb2, input_pb2, model_pb2, regression_pb2],
)
