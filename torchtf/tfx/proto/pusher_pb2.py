"""`tfx.proto.pusher_pb2`: where a model is pushed to."""

from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tfx.components.pusher",
    {
        "PushDestination": {3: ("filesystem", "PushDestination.Filesystem", "destination")},
        "PushDestination.Filesystem": {
            1: ("base_directory", "string"),
            6: ("versioning", "enum Versioning"),
        },
    },
    {"Versioning": {"AUTO": 0, "UNIX_TIMESTAMP": 1}},
)
