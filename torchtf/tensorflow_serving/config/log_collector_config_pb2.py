"""`tensorflow_serving.config.log_collector_config_pb2`: where a server logs requests."""

from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {"LogCollectorConfig": {1: ("type", "string"), 2: ("filename_prefix", "string")}},
)
