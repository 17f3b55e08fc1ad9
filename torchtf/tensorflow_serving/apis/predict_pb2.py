"""`tensorflow_serving.apis.predict_pb2`: tensors in, tensors out."""

from tensorboard.compat.proto import tensor_pb2

from torchtf.core.proto_files import define
from torchtf.tensorflow_serving.apis import model_pb2

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "PredictRequest": {
            1: ("model_spec", "ModelSpec"),
            2: ("inputs", "map .tensorboard.TensorProto"),
            3: ("output_filter", "*string"),
            5: ("predict_streamed_options", "PredictStreamedOptions"),
            6: ("client_id", "?bytes"),
        },
        "PredictStreamedOptions": {
            1: ("request_state", "enum PredictStreamedOptions.RequestState"),
            2: ("split_dimensions", "map int32"),
            3: ("return_single_response", "bool"),
        },
        "PredictResponse": {
            2: ("model_spec", "ModelSpec"),
            1: ("outputs", "map .tensorboard.TensorProto"),
        },
    },
    {
        "PredictStreamedOptions.RequestState": {"NONE": 0, "SPLIT": 1, "END_SPLIT": 2, "CANCEL": 3},
    },
    uses=[tensor_pb2, model_pb2],
)
