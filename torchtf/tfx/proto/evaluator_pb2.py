"""`tfx.proto.evaluator_pb2`: the columns to slice by, as they were given before `EvalConfig`."""

from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tfx.components.evaluator",
    {
        "SingleSlicingSpec": {1: ("column_for_slicing", "*string")},
        "FeatureSlicingSpec": {1: ("specs", "*SingleSlicingSpec")},
    },
)
