"""`tfx.proto.range_config_pb2`: which spans of the data a run takes."""

from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tfx.configs",
    {
        "StaticRange": {1: ("start_span_number", "int32"), 2: ("end_span_number", "int32")},
        "RollingRange": {1: ("start_span_number", "int32"), 2: ("num_spans", "int32")},
        "RangeConfig": {
            1: ("static_range", "StaticRange", "range"),
            2: ("rolling_range", "RollingRange", "range"),
        },
    },
)
