"""Metrics over slices against NumPy, thresholds, and errors; predictions are a feature."""

from __future__ import annotations

import os

import numpy as np
import pytest

import torchtf as tf
from torchtf import tensorflow_model_analysis as tfma

_rng = np.random.default_rng(2)
ROWS = 40
LABELS = _rng.integers(0, 2, ROWS)
SCORES = np.clip(LABELS * 0.4 + _rng.random(ROWS) * 0.6, 0, 1).astype(np.float32)
GROUPS = _rng.choice(["a", "b", "c"], ROWS)
HOURS = _rng.integers(0, 3, ROWS)
WEIGHTS = _rng.integers(1, 4, ROWS).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("tfma") / "examples.tfrecord.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for row in range(ROWS):
            example = tf.train.Example()
            features = example.features.feature
            features["label"].int64_list.value.append(int(LABELS[row]))
            features["score"].float_list.value.append(float(SCORES[row]))
            features["group"].bytes_list.value.append(GROUPS[row].encode())
            features["hour"].int64_list.value.append(int(HOURS[row]))
            features["weight"].float_list.value.append(float(WEIGHTS[row]))
            writer.write(example.SerializeToString())
    return path


def run(data, tmp_path, metrics=(), slices=(), weight="", **spec):
    config = tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(label_key="label", prediction_key="score", example_weight_key=weight)
        ],
        slicing_specs=list(slices),
        metrics_specs=[tfma.MetricsSpec(metrics=list(metrics), **spec)],
    )
    return tfma.run_model_analysis(
        eval_config=config, data_location=data, output_path=str(tmp_path)
    )


def metric(class_name, **options):
    return tfma.MetricConfig(class_name=class_name, **options)


def at_least(value):
    return tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": value})
    )


def test_metrics_over_slices(data, tmp_path):
    slices = [
        tfma.SlicingSpec(),
        tfma.SlicingSpec(feature_keys=["group"]),
        tfma.SlicingSpec(feature_keys=["group"], feature_values={"hour": "1"}),
    ]
    names = [
        "BinaryAccuracy",
        "ExampleCount",
        "MeanLabel",
        "MeanPrediction",
        "Calibration",
        "BinaryCrossentropy",
    ]
    result = run(data, tmp_path, map(metric, names), slices)
    keys = {()} | {(("group", g),) for g in GROUPS}
    keys |= {(("group", g), ("hour", 1)) for g, h in zip(GROUPS, HOURS, strict=True) if h == 1}
    assert set(result.get_slice_names()) == keys
    for key, metrics in result.get_metrics_for_all_slices().items():
        kept = np.ones(ROWS, bool)
        for name, value in key:
            kept &= (GROUPS if name == "group" else HOURS) == value
        y, p = LABELS[kept], SCORES[kept].astype(np.float64)
        want = {
            "binary_accuracy": ((p > 0.5) == y).mean(), "example_count": kept.sum(),
            "mean_label": y.mean(), "mean_prediction": p.mean(),
            "binary_crossentropy": -(np.log(np.where(y == 1, p, 1 - p) + 1e-7)).mean(),
        }  # fmt: skip
        got = {n: v["doubleValue"] for n, v in metrics.items()}
        calibration = got.pop("calibration")
        if y.any():
            assert calibration == pytest.approx(p.mean() / y.mean(), rel=1e-5)
        assert got == pytest.approx(want, rel=1e-4)
    assert result.slicing_metrics[0][1][""][""]["example_count"] == {"doubleValue": ROWS}
    assert result.get_metrics_for_slice((("group", "z"),)) is None


def test_weights_and_configured_metrics(data, tmp_path):
    metrics = [metric("WeightedExampleCount"), metric("AUC", config='{"name": "area", "num_thresholds": 500}'),
               metric("MeanLabel")]  # fmt: skip
    found = run(data, tmp_path, metrics, weight="weight").get_metrics_for_slice()
    assert found["weighted_example_count"]["doubleValue"] == WEIGHTS.sum()
    assert found["mean_label"]["doubleValue"] == pytest.approx(
        (LABELS * WEIGHTS).sum() / WEIGHTS.sum()
    )
    pairs = SCORES[LABELS == 1][:, None] - SCORES[LABELS == 0]
    both = WEIGHTS[LABELS == 1][:, None] * WEIGHTS[LABELS == 0]
    assert found["area"]["doubleValue"] == pytest.approx(
        ((pairs > 0) * both).sum() / both.sum(), abs=0.01
    )


def test_thresholds(data, tmp_path):
    accuracy = ((SCORES > 0.5) == LABELS).mean()
    run(data, tmp_path, [metric("BinaryAccuracy", threshold=at_least(accuracy - 0.01))])
    assert tfma.load_validation_result(str(tmp_path)).validation_ok
    run(data, tmp_path, [metric("BinaryAccuracy", threshold=at_least(accuracy + 0.01))])
    result = tfma.load_validation_result(str(tmp_path))
    (failed,) = result.metric_validations_per_slice
    assert not result.validation_ok and not failed.slice_key.single_slice_keys
    assert failed.failures[0].metric_key.name == "binary_accuracy"
    run(data, tmp_path, [metric("BinaryAccuracy")])
    result = tfma.load_validation_result(str(tmp_path))
    assert result.missing_thresholds and not result.validation_ok


def test_thresholds_of_slices(data, tmp_path):
    def judged(feature, bound):
        one = tfma.PerSliceMetricThreshold(
            slicing_specs=[tfma.SlicingSpec(feature_keys=[feature])], threshold=at_least(bound)
        )
        slices = [tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=["group"])]
        run(data, tmp_path, [metric("ExampleCount")], slices,
            per_slice_thresholds={"example_count": tfma.PerSliceMetricThresholds(thresholds=[one])})  # fmt: skip
        return tfma.load_validation_result(str(tmp_path))

    sizes = {g: (g == GROUPS).sum() for g in "abc"}
    assert judged("group", min(sizes.values())).validation_ok
    bad = judged("group", max(sizes.values()))
    found = {s.slice_key.single_slice_keys[0].bytes_value for s in bad.metric_validations_per_slice}
    assert found == {g.encode() for g, n in sizes.items() if n < max(sizes.values())}
    absent = judged("hour", 1)
    assert not absent.validation_ok and absent.missing_slices[0].feature_keys == ["hour"]


@pytest.mark.parametrize(
    "direction, limit, before, after, good",
    [
        ("HIGHER_IS_BETTER", {"absolute": {"value": 0.1}}, 0.5, 0.65, True),
        ("HIGHER_IS_BETTER", {"absolute": {"value": 0.1}}, 0.5, 0.55, False),
        ("LOWER_IS_BETTER", {"absolute": {"value": 0.0}}, 0.5, 0.6, False),
        ("LOWER_IS_BETTER", {"relative": {"value": -0.1}}, 0.5, 0.4, True),
        ("HIGHER_IS_BETTER", {"relative": {"value": 0.3}}, 0.5, 0.6, False),
    ],
)
def test_thresholds_of_changes(direction, limit, before, after, good):
    from torchtf.tensorflow_model_analysis._validate import validate

    change = tfma.GenericChangeThreshold(direction=direction, **limit)
    threshold = tfma.MetricThreshold(change_threshold=change)
    config = tfma.EvalConfig(
        model_specs=[tfma.ModelSpec()],
        metrics_specs=[tfma.MetricsSpec(thresholds={"m": threshold})],
    )
    assert validate(config, {(): {"m": after}}, {(): {"m": before}}, False).validation_ok is good
    assert validate(config, {(): {"m": after}}, {}, True).validation_ok  # nothing to compare with


def test_defaults_of_configurations():
    change = tfma.MetricThreshold(
        change_threshold=tfma.GenericChangeThreshold(direction="HIGHER_IS_BETTER")
    )
    config = tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(label_key="y")],
        metrics_specs=[tfma.MetricsSpec(metrics=[metric("AUC", threshold=change)])],
    )
    both = tfma.update_eval_config_with_defaults(config, has_baseline=True)
    assert [(s.name, s.is_baseline) for s in both.model_specs] == [
        ("candidate", False),
        ("baseline", True),
    ]
    assert list(both.metrics_specs[0].model_names) == ["candidate", "baseline"]
    with pytest.raises(RuntimeError, match="baseline is missing"):
        tfma.update_eval_config_with_defaults(config)
    one = tfma.update_eval_config_with_defaults(config, rubber_stamp=True)
    assert not one.metrics_specs[0].metrics[0].threshold.HasField("change_threshold")
    assert tfma.has_thresholds(config)


@pytest.mark.parametrize(
    "metrics, options, kind, message",
    [
        ([metric("Spam")], {}, ValueError, "No metric 'Spam' is known"),
        ([metric("AUC", config="{")], {}, ValueError, "no JSON"),
        ([], {"thresholds": {"auc": at_least(1)}}, ValueError, "'auc', which was not computed"),
        ([], {"binarize": tfma.BinarizationOptions()}, NotImplementedError, "binarize"),
        ([metric("ExampleCount")], {"weight": "spam"}, ValueError, "'spam' is no feature"),
    ],
)
def test_errors(data, tmp_path, metrics, options, kind, message):
    with pytest.raises(kind, match=message):
        run(data, tmp_path, metrics, **options)
    assert not os.listdir(tmp_path)


def test_view(data, tmp_path, capsys):
    slices = [tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=["group"])]
    result = run(data, tmp_path, [metric("ExampleCount")], slices)
    tfma.view.render_slicing_metrics(result, slicing_column="group")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Slice", "example_count"] and len(lines) == 4
    assert lines[1].split() == ["group:a", str((GROUPS == "a").sum())]
