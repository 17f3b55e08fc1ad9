"""`tfx.proto.trainer_pb2`: what a training takes and how long it lasts."""

from torchtf.core.proto_files import define

_ARGS = {1: ("splits", "*string"), 2: ("num_steps", "int32")}

DESCRIPTOR = define(
    __name__, globals(), "torchtf.tfx.components.trainer", {"TrainArgs": _ARGS, "EvalArgs": _ARGS}
)
