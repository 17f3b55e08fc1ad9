"""`tensorflow_serving.config.ssl_config_pb2`: the keys of a secure gRPC port."""

from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "SSLConfig": {
            1: ("server_key", "string"),
            2: ("server_cert", "string"),
            3: ("custom_ca", "string"),
            4: ("client_verify", "bool"),
        },
    },
)
