"""`EvalConfig`: what it must hold, and its defaults."""

from __future__ import annotations

from collections.abc import Iterator

from torchtf.tensorflow_model_analysis.proto.config_pb2 import (
    EvalConfig,
    MetricsSpec,
    MetricThreshold,
    SlicingSpec,
)

CANDIDATE_KEY = "candidate"
BASELINE_KEY = "baseline"

# the name of a metric, the slices it is judged on, the threshold
Threshold = tuple[str, list[SlicingSpec], MetricThreshold]


def update_eval_config_with_defaults(
    eval_config: EvalConfig,
    has_baseline: bool = False,
    rubber_stamp: bool = False,
) -> EvalConfig:
    """A configuration with a model for each that there is (source: the function of TFMA).

    With a baseline, a single model without name becomes ``candidate``, beside ``baseline``; without
    one, thresholds of changes are left out.

    Raises:
        RuntimeError: if there are thresholds of changes without a baseline, unless it is a
            `rubber_stamp`.
    """
    made = EvalConfig()
    made.CopyFrom(eval_config)
    thresholds = list(_all_thresholds(made))
    changes = any(t.HasField("change_threshold") for t in thresholds)
    if changes and not has_baseline and not rubber_stamp:
        raise RuntimeError(
            "There are change thresholds, but the baseline is missing. This is allowed only when "
            "rubber stamping (first run)."
        )
    specs = made.model_specs
    if has_baseline and len(specs) == 1 and not specs[0].name:
        baseline = specs.add()
        baseline.CopyFrom(specs[0])
        baseline.name, baseline.is_baseline = BASELINE_KEY, True
        specs[0].name = CANDIDATE_KEY
    if not has_baseline:
        kept = [s for s in specs if not s.is_baseline]
        del specs[:]
        specs.extend(kept)
        for threshold in thresholds:
            threshold.ClearField("change_threshold")
    if not specs:
        specs.add()
    if len(specs) == 1:
        specs[0].name = ""
    for spec in made.metrics_specs:
        if len(specs) == 1 or not spec.model_names:
            del spec.model_names[:]
            spec.model_names.extend(s.name for s in specs)
    return made


def verify_eval_config(eval_config: EvalConfig, baseline_required: bool | None = None) -> None:
    """Raises what is wrong with a configuration (source: the function of TFMA).

    Raises:
        ValueError: for no model, models without names or with the same, several baselines, or none
            where one is needed.
        NotImplementedError: for what is not supported.
    """
    specs = eval_config.model_specs
    if not specs:
        raise ValueError("At least one model_spec is required: eval_config=\n" + str(eval_config))
    names = [s.name for s in specs]
    if len(specs) > 1:
        if not all(names):
            raise ValueError("A name is required for all ModelSpecs when multiple are used.")
        if len(set(names)) != len(names):
            raise ValueError(f"More than one ModelSpec has the same name: {names}.")
        if sum(s.is_baseline for s in specs) > 1:
            raise ValueError("Only one ModelSpec may be a baseline, found more than one.")
    if baseline_required and not any(s.is_baseline for s in specs):
        raise ValueError("A baseline ModelSpec is required.")
    for spec in specs:
        for field in ("label_keys", "prediction_keys", "example_weight_keys"):
            if getattr(spec, field):
                raise NotImplementedError(
                    f"ModelSpec({field}=...) is for models with several outputs: evaluate one "
                    "output at a time, with prediction_key"
                )
        if spec.HasField("padding_options"):
            raise NotImplementedError("ModelSpec(padding_options=...) is not supported: pad in the "
                                      "model's signature")  # fmt: skip
        if spec.model_type not in ("", "tf_keras", "tf_generic"):
            raise NotImplementedError(
                f"ModelSpec(model_type={spec.model_type!r}): use a Keras model or a SavedModel"
            )
    if eval_config.cross_slicing_specs:
        raise NotImplementedError("EvalConfig(cross_slicing_specs=...) is not supported: compare "
                                  "the metrics of two slices")  # fmt: skip
    if eval_config.options.compute_confidence_intervals.value:
        raise NotImplementedError("Options(compute_confidence_intervals=True) is not supported: "
                                  "evaluate several samples of the data")  # fmt: skip
    for spec in eval_config.slicing_specs:
        if spec.slice_keys_sql:
            raise NotImplementedError(
                "SlicingSpec(slice_keys_sql=...) is not supported: use feature_keys"
            )
    for spec in eval_config.metrics_specs:
        _verify_metrics(spec)


def _verify_metrics(spec: MetricsSpec) -> None:
    for field in ("binarize", "aggregate"):
        if spec.HasField(field):
            raise NotImplementedError(
                f"MetricsSpec({field}=...) is not supported: give each Keras metric a class_id or "
                "top_k in its config"
            )
    for field in ("output_names", "output_weights", "query_key", "cross_slice_thresholds"):
        if getattr(spec, field):
            raise NotImplementedError(f"MetricsSpec({field}=...) is not supported: evaluate one "
                                      "output, and slices by their features")  # fmt: skip
    for metric in spec.metrics:
        if metric.cross_slice_thresholds:
            raise NotImplementedError(
                "MetricConfig(cross_slice_thresholds=...): use per_slice_thresholds"
            )


def _all_thresholds(eval_config: EvalConfig) -> Iterator[MetricThreshold]:
    for spec in eval_config.metrics_specs:
        yield from (t for _, _, t in thresholds_of(spec, lambda m: m.class_name))


def thresholds_of(spec: MetricsSpec, name_of) -> Iterator[Threshold]:
    """The thresholds of a specification; those without slices are for all examples.

    Args:
        spec: the specification.
        name_of: gives the name of the metric of a `MetricConfig`.
    """
    overall = [SlicingSpec()]
    for metric in spec.metrics:
        if metric.HasField("threshold"):
            yield name_of(metric), overall, metric.threshold
        for one in metric.per_slice_thresholds:
            yield name_of(metric), list(one.slicing_specs) or overall, one.threshold
    for name in spec.thresholds:
        yield name, overall, spec.thresholds[name]
    for name in spec.per_slice_thresholds:
        for one in spec.per_slice_thresholds[name].thresholds:
            yield name, list(one.slicing_specs) or overall, one.threshold


def has_thresholds(eval_config: EvalConfig) -> bool:
    """Whether a configuration says what is good enough."""
    return any(True for _ in _all_thresholds(eval_config))
