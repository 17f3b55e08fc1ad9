"""Whether metrics are good enough: thresholds of values, and of changes from a baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torchtf.tensorflow_model_analysis import _metrics, _slices
from torchtf.tensorflow_model_analysis._config import Threshold, thresholds_of
from torchtf.tensorflow_model_analysis.proto import config_pb2
from torchtf.tensorflow_model_analysis.proto.config_pb2 import EvalConfig, MetricThreshold
from torchtf.tensorflow_model_analysis.proto.validation_result_pb2 import ValidationResult

Metrics = Mapping[str, float]


def validate(
    eval_config: EvalConfig,
    candidate: Mapping[_slices.Key, Metrics],
    baseline: Mapping[_slices.Key, Metrics],
    rubber_stamp: bool,
) -> ValidationResult:
    """Judges the metrics of a model.

    Args:
        eval_config: the thresholds.
        candidate, baseline: the metrics by slice; no baseline if it is empty.
        rubber_stamp: whether thresholds of changes were left out for want of a baseline.

    Raises:
        ValueError: for a threshold of a metric that there is not, or of a change without direction.
    """
    result = ValidationResult(validation_ok=True, rubber_stamp=rubber_stamp)
    thresholds: list[Threshold] = [
        t for spec in eval_config.metrics_specs for t in thresholds_of(spec, _metrics.name_of)
    ]
    if not thresholds:
        result.missing_thresholds = True
        result.validation_ok = False
    failures: dict[_slices.Key, list] = {}
    for name, specs, threshold in thresholds:
        for spec in specs:
            keys = [k for k in candidate if _slices.matches(k, spec)]
            details = result.validation_details.slicing_details.add(num_matching_slices=len(keys))
            details.slicing_spec.CopyFrom(spec)
            if not keys:
                result.missing_slices.append(spec)
                result.validation_ok = False
            for key in keys:
                if name not in candidate[key]:
                    raise ValueError(
                        f"There is a threshold for the metric {name!r}, which was not computed; "
                        f"there are {sorted(candidate[key])}."
                    )
                before = baseline.get(key, {}).get(name)
                message = _problem(candidate[key][name], before, threshold)
                if message:
                    failures.setdefault(key, []).append((name, threshold, message))
    for key, found in failures.items():
        result.validation_ok = False
        entry = result.metric_validations_per_slice.add(slice_key=_slices.to_proto(key))
        for name, threshold, message in found:
            failure = entry.failures.add(message=message)
            failure.metric_key.name = name
            failure.metric_threshold.CopyFrom(threshold)
            failure.metric_value.double_value.value = candidate[key][name]
    return result


def _problem(value: float, before: float | None, threshold: MetricThreshold) -> str:
    """Why a value is not good enough; empty if it is."""
    if math.isnan(value):
        return "The value is not a number."
    limits = threshold.value_threshold
    if limits.HasField("lower_bound") and value < limits.lower_bound.value:
        return f"{value} is below the lower bound {limits.lower_bound.value}."
    if limits.HasField("upper_bound") and value > limits.upper_bound.value:
        return f"{value} is above the upper bound {limits.upper_bound.value}."
    if not threshold.HasField("change_threshold") or before is None:
        return ""
    change = threshold.change_threshold
    if change.direction == config_pb2.UNKNOWN:
        raise ValueError('"UNKNOWN" direction for change threshold.')
    sign = 1 if change.direction == config_pb2.HIGHER_IS_BETTER else -1
    difference = value - before
    ratio = difference / before if before else math.copysign(math.inf, difference or 1.0)
    for name, found in (("absolute", difference), ("relative", ratio)):
        if change.HasField(name) and sign * found < sign * getattr(change, name).value:
            limit = getattr(change, name).value
            return f"The {name} change {found} from {before} is worse than {limit}."
    return ""
