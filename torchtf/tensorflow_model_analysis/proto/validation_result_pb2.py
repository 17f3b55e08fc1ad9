"""`tensorflow_model_analysis.proto.validation_result_pb2`: whether metrics keep to thresholds."""

from torchtf.core.proto_files import define
from torchtf.tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow_model_analysis",
    {
        "ValidationFailure": {
            1: ("metric_key", "MetricKey"),
            2: ("metric_threshold", "MetricThreshold"),
            3: ("metric_value", "MetricValue"),
            4: ("message", "string"),
        },
        "SlicingDetails": {
            1: ("slicing_spec", "SlicingSpec", "slicing_spec_oneof"),
            3: ("cross_slicing_spec", "CrossSlicingSpec", "slicing_spec_oneof"),
            2: ("num_matching_slices", "int32"),
        },
        "ValidationDetails": {1: ("slicing_details", "*SlicingDetails")},
        "MetricsValidationForSlice": {
            2: ("slice_key", "SliceKey", "slice_key_oneof"),
            4: ("cross_slice_key", "CrossSliceKey", "slice_key_oneof"),
            3: ("failures", "*ValidationFailure"),
        },
        "ValidationResult": {
            1: ("validation_ok", "bool"),
            6: ("missing_thresholds", "bool"),
            2: ("metric_validations_per_slice", "*MetricsValidationForSlice"),
            3: ("missing_slices", "*SlicingSpec"),
            5: ("missing_cross_slices", "*CrossSlicingSpec"),
            4: ("validation_details", "ValidationDetails"),
            7: ("rubber_stamp", "bool"),
        },
    },
    uses=[config_pb2, metrics_for_slice_pb2],
)
