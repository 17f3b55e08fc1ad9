"""`tensorflow_serving.config.logging_config_pb2`: which requests a server logs."""

from google.protobuf import any_pb2

from torchtf.core.proto_files import define
from torchtf.tensorflow_serving.config import log_collector_config_pb2

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "PerTaskSamplingConfig": {
            1: ("dc", "string"),
            2: ("task_index", "?int32"),
            3: ("sampling_rate", "double"),
        },
        "SamplingConfig": {
            1: ("sampling_rate", "double"),
            3: ("per_task_sampling_configs", "*PerTaskSamplingConfig"),
            2: ("attributes", "int32"),
        },
        "LoggingConfig": {
            1: ("log_collector_config", "LogCollectorConfig"),
            2: ("sampling_config", "SamplingConfig"),
            3: ("custom_logging_config", ".google.protobuf.Any"),
        },
    },
    uses=[any_pb2, log_collector_config_pb2],
)
