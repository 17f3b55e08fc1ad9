"""The interface of TensorFlow Model Analysis: metrics of models, over slices of the data.

Metrics are those of Keras and a few of TFMA's own, computed batch by batch in this process; there
is no Beam. There are no plots, confidence intervals, cross slices or options of several classes.
"""

from torchtf.tensorflow_model_analysis import view
from torchtf.tensorflow_model_analysis._config import (
    BASELINE_KEY,
    CANDIDATE_KEY,
    has_thresholds,
    update_eval_config_with_defaults,
    verify_eval_config,
)
from torchtf.tensorflow_model_analysis._evaluate import run_model_analysis
from torchtf.tensorflow_model_analysis._models import EvalSharedModel, default_eval_shared_model
from torchtf.tensorflow_model_analysis._results import (
    EvalResult,
    load_eval_result,
    load_validation_result,
)
from torchtf.tensorflow_model_analysis.proto.config_pb2 import (
    AggregationOptions,
    BinarizationOptions,
    ConfidenceIntervalOptions,
    CrossSliceMetricThreshold,
    CrossSliceMetricThresholds,
    CrossSlicingSpec,
    EvalConfig,
    ExampleWeightOptions,
    GenericChangeThreshold,
    GenericValueThreshold,
    MetricConfig,
    MetricDirection,
    MetricsSpec,
    MetricThreshold,
    ModelSpec,
    Options,
    PaddingOptions,
    PerSliceMetricThreshold,
    PerSliceMetricThresholds,
    RepeatedInt32Value,
    RepeatedStringValue,
    SlicingSpec,
)
from torchtf.tensorflow_model_analysis.proto.validation_result_pb2 import ValidationResult

VERSION_STRING = __version__ = "0.46.0"

__all__ = [
    "BASELINE_KEY", "CANDIDATE_KEY", "AggregationOptions", "BinarizationOptions",
    "ConfidenceIntervalOptions", "CrossSliceMetricThreshold", "CrossSliceMetricThresholds",
    "CrossSlicingSpec", "EvalConfig", "EvalResult", "EvalSharedModel", "ExampleWeightOptions",
    "GenericChangeThreshold", "GenericValueThreshold", "MetricConfig", "MetricDirection",
    "MetricThreshold", "MetricsSpec", "ModelSpec", "Options", "PaddingOptions",
    "PerSliceMetricThreshold", "PerSliceMetricThresholds", "RepeatedInt32Value",
    "RepeatedStringValue", "SlicingSpec", "ValidationResult", "default_eval_shared_model",
    "has_thresholds", "load_eval_result", "load_validation_result", "run_model_analysis",
    "update_eval_config_with_defaults", "verify_eval_config", "view",
]  # fmt: skip

_ABSENT = {
    "ExtractEvaluateAndWriteResults": "it is a transform of Apache Beam: use run_model_analysis",
    "analyze_raw_data": "write the data as examples and use run_model_analysis",
    "load_attributions": "there are none",
    "load_eval_results": "call load_eval_result for each folder",
    "load_plots": "there are none; read the metrics with load_eval_result",
}


def __getattr__(name: str):
    if name in _ABSENT:
        raise NotImplementedError(f"tfma.{name} is not supported: {_ABSENT[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
