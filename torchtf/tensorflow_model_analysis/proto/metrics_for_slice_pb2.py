"""`tensorflow_model_analysis.proto.metrics_for_slice_pb2`: the metrics of a slice."""

from google.protobuf import wrappers_pb2

from torchtf.core.proto_files import define

_INT32 = ".google.protobuf.Int32Value"

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow_model_analysis",
    {
        "SubKey": {1: ("class_id", _INT32), 2: ("k", _INT32), 3: ("top_k", _INT32)},
        "MetricKey": {
            1: ("name", "string"),
            4: ("model_name", "string"),
            2: ("output_name", "string"),
            3: ("sub_key", "SubKey"),
            7: ("example_weighted", ".google.protobuf.BoolValue"),
            5: ("is_diff", "bool"),
        },
        "MetricValue": {
            1: ("double_value", ".google.protobuf.DoubleValue", "type"),
            6: ("bytes_value", "bytes", "type"),
            10: ("debug_message", "string", "type"),
        },
        "SingleSliceKey": {
            1: ("column", "string"),
            2: ("bytes_value", "bytes", "kind"),
            3: ("float_value", "float", "kind"),
            4: ("int64_value", "int64", "kind"),
        },
        "SliceKey": {1: ("single_slice_keys", "*SingleSliceKey")},
        "CrossSliceKey": {
            1: ("baseline_slice_key", "SliceKey"),
            2: ("comparison_slice_key", "SliceKey"),
        },
        "MetricsForSlice": {
            1: ("slice_key", "SliceKey", "slicing_spec_oneof"),
            3: ("cross_slice_key", "CrossSliceKey", "slicing_spec_oneof"),
            51: ("metric_keys_and_values", "*MetricsForSlice.MetricKeyAndValue"),
        },
        "MetricsForSlice.MetricKeyAndValue": {1: ("key", "MetricKey"), 2: ("value", "MetricValue")},
    },
    uses=[wrappers_pb2],
)
