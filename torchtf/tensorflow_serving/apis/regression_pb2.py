"""`tensorflow_serving.apis.regression_pb2`: examples in, a number for each out."""

from torchtf.core.proto_files import define
from torchtf.tensorflow_serving.apis import input_pb2, model_pb2

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "Regression": {1: ("value", "float")},
        "RegressionResult": {1: ("regressions", "*Regression")},
        "RegressionRequest": {1: ("model_spec", "ModelSpec"), 2: ("input", "Input")},
        "RegressionResponse": {2: ("model_spec", "ModelSpec"), 1: ("result", "RegressionResult")},
    },
    uses=[input_pb2, model_pb2],
)
