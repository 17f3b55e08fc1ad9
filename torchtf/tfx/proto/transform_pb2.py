"""`tfx.proto.transform_pb2`: which splits are analyzed and transformed."""

from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tfx.components.transform",
    {"SplitsConfig": {1: ("analyze", "*string"), 2: ("transform", "*string")}},
)
