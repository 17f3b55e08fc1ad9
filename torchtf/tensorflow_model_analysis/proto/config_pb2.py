"""`tensorflow_model_analysis.proto.config_pb2`: `EvalConfig` and what it is made of."""

from google.protobuf import wrappers_pb2

from torchtf.core.proto_files import define

_DOUBLE = ".google.protobuf.DoubleValue"
_BOOL = ".google.protobuf.BoolValue"

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow_model_analysis",
    {
        "ModelSpec": {
            2: ("name", "string"),
            12: ("model_type", "string"),
            3: ("signature_name", "string"),
            13: ("preprocessing_function_names", "*string"),
            5: ("label_key", "string"),
            6: ("label_keys", "map string"),
            7: ("prediction_key", "string"),
            8: ("prediction_keys", "map string"),
            9: ("example_weight_key", "string"),
            10: ("example_weight_keys", "map string"),
            11: ("is_baseline", "bool"),
            14: ("padding_options", "PaddingOptions"),
            15: ("inference_batch_size", "int32"),
        },
        "SlicingSpec": {
            1: ("feature_keys", "*string"),
            2: ("feature_values", "map string"),
            3: ("slice_keys_sql", "string"),
        },
        "CrossSlicingSpec": {
            1: ("baseline_spec", "SlicingSpec"),
            2: ("slicing_specs", "*SlicingSpec"),
        },
        "AggregationOptions": {
            1: ("micro_average", "bool", "type"),
            2: ("macro_average", "bool", "type"),
            3: ("weighted_macro_average", "bool", "type"),
            4: ("class_weights", "map-int32 float"),
            5: ("top_k_list", "RepeatedInt32Value"),
        },
        "BinarizationOptions": {
            4: ("class_ids", "RepeatedInt32Value"),
            5: ("k_list", "RepeatedInt32Value"),
            6: ("top_k_list", "RepeatedInt32Value"),
        },
        "ExampleWeightOptions": {1: ("weighted", "bool"), 2: ("unweighted", "bool")},
        "PaddingOptions": {
            1: ("label_int_padding", "int64", "label_padding"),
            2: ("label_float_padding", "float", "label_padding"),
            3: ("prediction_int_padding", "int64", "prediction_padding"),
            4: ("prediction_float_padding", "float", "prediction_padding"),
        },
        "GenericChangeThreshold": {
            1: ("absolute", _DOUBLE),
            2: ("relative", _DOUBLE),
            3: ("direction", "enum MetricDirection"),
        },
        "GenericValueThreshold": {1: ("lower_bound", _DOUBLE), 2: ("upper_bound", _DOUBLE)},
        "MetricThreshold": {
            1: ("value_threshold", "GenericValueThreshold", "validate_absolute"),
            2: ("change_threshold", "GenericChangeThreshold", "validate_relative"),
        },
        "PerSliceMetricThreshold": {
            1: ("slicing_specs", "*SlicingSpec"),
            2: ("threshold", "MetricThreshold"),
        },
        "PerSliceMetricThresholds": {1: ("thresholds", "*PerSliceMetricThreshold")},
        "CrossSliceMetricThreshold": {
            1: ("cross_slicing_specs", "*CrossSlicingSpec"),
            2: ("threshold", "MetricThreshold"),
        },
        "CrossSliceMetricThresholds": {1: ("thresholds", "*CrossSliceMetricThreshold")},
        "MetricConfig": {
            1: ("class_name", "string"),
            2: ("module", "string"),
            3: ("config", "string"),
            4: ("threshold", "MetricThreshold"),
            5: ("per_slice_thresholds", "*PerSliceMetricThreshold"),
            6: ("cross_slice_thresholds", "*CrossSliceMetricThreshold"),
        },
        "MetricsSpec": {
            1: ("metrics", "*MetricConfig"),
            2: ("model_names", "*string"),
            3: ("output_names", "*string"),
            10: ("output_weights", "map float"),
            4: ("binarize", "BinarizationOptions"),
            6: ("aggregate", "AggregationOptions"),
            11: ("example_weights", "ExampleWeightOptions"),
            5: ("query_key", "string"),
            7: ("thresholds", "map MetricThreshold"),
            8: ("per_slice_thresholds", "map PerSliceMetricThresholds"),
            9: ("cross_slice_thresholds", "map CrossSliceMetricThresholds"),
        },
        "Options": {
            1: ("include_default_metrics", _BOOL),
            2: ("compute_confidence_intervals", _BOOL),
            9: ("confidence_intervals", "ConfidenceIntervalOptions"),
            3: ("min_slice_size", ".google.protobuf.Int32Value"),
            7: ("disabled_outputs", "RepeatedStringValue"),
        },
        "ConfidenceIntervalOptions": {
            1: ("method", "enum ConfidenceIntervalOptions.ConfidenceIntervalMethod"),
        },
        "EvalConfig": {
            2: ("model_specs", "*ModelSpec"),
            4: ("slicing_specs", "*SlicingSpec"),
            8: ("cross_slicing_specs", "*CrossSlicingSpec"),
            5: ("metrics_specs", "*MetricsSpec"),
            6: ("options", "Options"),
        },
        "RepeatedStringValue": {1: ("values", "*string")},
        "RepeatedInt32Value": {1: ("values", "*int32")},
        "EvalRun": {
            1: ("eval_config", "EvalConfig"),
            2: ("version", "string"),
            3: ("data_location", "string"),
            4: ("file_format", "string"),
            5: ("model_locations", "map string"),
        },
    },
    {
        "MetricDirection": {"UNKNOWN": 0, "LOWER_IS_BETTER": 1, "HIGHER_IS_BETTER": 2},
        "ConfidenceIntervalOptions.ConfidenceIntervalMethod": {
            "UNKNOWN_CONFIDENCE_INTERVAL_METHOD": 0,
            "POISSON_BOOTSTRAP": 1,
            "JACKKNIFE": 2,
        },
    },
    uses=[wrappers_pb2],
)
