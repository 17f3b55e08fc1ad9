"""`tensorflow_serving.config.monitoring_config_pb2`: whether and where a server tells metrics."""

from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "PrometheusConfig": {1: ("enable", "bool"), 2: ("path", "string")},
        "MonitoringConfig": {1: ("prometheus_config", "PrometheusConfig")},
    },
)
