"""`tensorflow_serving.apis.model_service_pb2_grpc`: the state of a server, and changing it."""

from torchtf.tensorflow_serving._services import define_service
from torchtf.tensorflow_serving.apis import get_model_status_pb2, model_management_pb2

define_service(
    globals(),
    "ModelService",
    {
        "GetModelStatus": (
            get_model_status_pb2.GetModelStatusRequest,
            get_model_status_pb2.GetModelStatusResponse,
        ),
        "HandleReloadConfigRequest": (
            model_management_pb2.ReloadConfigRequest,
            model_management_pb2.ReloadConfigResponse,
        ),
    },
)
