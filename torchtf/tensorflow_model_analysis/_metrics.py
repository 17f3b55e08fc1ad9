"""The metrics of a configuration: each sees labels and predictions, and gives a number."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

import torchtf as tf
from torchtf.tensorflow_model_analysis.proto.config_pb2 import EvalConfig, MetricConfig, MetricsSpec


class _Sum:
    """A quotient of sums, one of TFMA's own metrics."""

    def __init__(self, name: str, parts):
        self.name, self._parts = name, parts
        self._over = self._under = 0.0

    def update_state(self, labels, predictions, weights) -> None:
        over, under = self._parts(labels, predictions, weights)
        self._over += over
        self._under += under

    def result(self) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.float64(self._over) / np.float64(self._under))


def _mean(x: np.ndarray, weights: np.ndarray) -> float:
    return float((x.reshape(len(x), -1).mean(1) * weights).sum())


# TFMA's metric -> its name, and over which sum another is divided
_OWN = {
    "ExampleCount": ("example_count", lambda y, p, w: (len(w), 0)),
    "WeightedExampleCount": ("weighted_example_count", lambda y, p, w: (w.sum(), 0)),
    "MeanLabel": ("mean_label", lambda y, p, w: (_mean(y, w), w.sum())),
    "MeanPrediction": ("mean_prediction", lambda y, p, w: (_mean(p, w), w.sum())),
    "Calibration": ("calibration", lambda y, p, w: (_mean(p, w), _mean(y, w))),
}
_COUNTS = {"ExampleCount", "WeightedExampleCount"}


class _Count(_Sum):
    """A sum."""

    def result(self) -> float:
        return float(self._over)


class _Keras:
    """A metric or loss of Keras."""

    def __init__(self, metric):
        self._metric = metric
        self.name = metric.name

    def update_state(self, labels, predictions, weights) -> None:
        weighted = None if (weights == 1).all() else weights
        self._metric.update_state(labels, predictions, sample_weight=weighted)

    def result(self) -> float:
        value = np.asarray(self._metric.result())
        if value.ndim:
            raise NotImplementedError(
                f"The metric {self.name!r} gives an array of shape {value.shape}: use one that "
                "gives a number, such as one with an average or a class_id"
            )
        return float(value)


def make(config: MetricConfig):
    """The metric of a configuration.

    Raises:
        ValueError: for a class that neither Keras nor TFMA has, or a `config` that is no JSON.
        NotImplementedError: for another module than those.
    """
    try:
        options = json.loads(config.config) if config.config else {}
    except ValueError as error:
        raise ValueError(
            f"The config of metric {config.class_name} is no JSON: {config.config!r} ({error})"
        ) from None
    if config.class_name in _OWN and not config.module:
        name, parts = _OWN[config.class_name]
        kind = _Count if config.class_name in _COUNTS else _Sum
        return kind(options.get("name", name), parts)
    if config.module and not config.module.startswith(("tensorflow", "tf.keras", "keras")):
        import importlib

        made = getattr(importlib.import_module(config.module), config.class_name)(**options)
        return _Keras(made)
    kind = getattr(tf.keras.metrics, config.class_name, None)
    if isinstance(kind, type):
        return _Keras(kind(**options))
    kind = getattr(tf.keras.losses, config.class_name, None)
    if isinstance(kind, type):
        loss = kind(**options)
        return _Keras(tf.keras.metrics.MeanMetricWrapper(loss, name=loss.name))
    raise ValueError(
        f"No metric {config.class_name!r} is known: it is neither in tf.keras.metrics, nor in "
        f"tf.keras.losses, nor one of {sorted(_OWN)}."
    )


def name_of(config: MetricConfig) -> str:
    """The name of the metric of a configuration."""
    return make(config).name


def compiled(model: Any) -> list:
    """The loss and the metrics that a Keras model was compiled with, without their state."""
    config = None if model is None else model.get_compile_config()
    if not config:
        return []
    made: list = []
    loss = config.get("loss")
    if isinstance(loss, (str, dict)):
        function = tf.keras.losses.get(loss)
        made.append(_Keras(tf.keras.metrics.MeanMetricWrapper(function, name="loss")))
    for metric in config.get("metrics") or ():
        if isinstance(metric, dict):
            made.append(_Keras(tf.keras.metrics.deserialize(metric)))
        elif isinstance(metric, str) and metric not in ("accuracy", "acc", "crossentropy", "ce"):
            made.append(_Keras(tf.keras.metrics.get(metric)))
    return made


class Metrics:
    """The metrics of one model on one slice.

    Args:
        eval_config: the configuration.
        model_name: the name of the model in it.
        keras: the Keras model whose metrics count, too; or None.
    """

    def __init__(self, eval_config: EvalConfig, model_name: str, keras: Any):
        self._all: dict[str, Any] = {}
        default = eval_config.options.include_default_metrics
        if not eval_config.options.HasField("include_default_metrics") or default.value:
            self._all.update((m.name, m) for m in compiled(keras))
        for spec in eval_config.metrics_specs:
            if model_name in spec.model_names or not spec.model_names:
                self._add(spec)

    def _add(self, spec: MetricsSpec) -> None:
        for config in spec.metrics:
            metric = make(config)
            self._all[metric.name] = metric

    def update(self, labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray) -> None:
        """Adds examples."""
        for metric in self._all.values():
            metric.update_state(labels, predictions, weights)

    def result(self) -> dict[str, float]:
        """The metrics by name."""
        return {name: metric.result() for name, metric in self._all.items()}
