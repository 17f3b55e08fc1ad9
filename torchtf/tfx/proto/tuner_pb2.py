"""`tfx.proto.tuner_pb2`: how a tuner searches."""

from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tfx.components.tuner",
    {"TuneArgs": {1: ("num_parallel_trials", "int32")}},
)
