"""What an evaluation found, in files: the metrics, whether they are good enough, what was asked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from google.protobuf import json_format

from torchtf.core.files import write_atomically
from torchtf.core.records import frame
from torchtf.tensorflow_model_analysis import _slices
from torchtf.tensorflow_model_analysis._config import BASELINE_KEY
from torchtf.tensorflow_model_analysis.proto.config_pb2 import EvalConfig, EvalRun
from torchtf.tensorflow_model_analysis.proto.metrics_for_slice_pb2 import MetricsForSlice
from torchtf.tensorflow_model_analysis.proto.validation_result_pb2 import ValidationResult
from torchtf.tfx_bsl._records import records

_CONFIG = "eval_config.json"
_METRICS = "metrics-00000-of-00001.tfrecord"
_VALIDATIONS = "validations.tfrecord"


class EvalResult(NamedTuple):
    """The result of an evaluation (source: `tfma.EvalResult`).

    Attributes:
        slicing_metrics: pairs of a slice (a tuple of features with values, ``()`` for all examples)
            and ``{output: {sub key: {metric: {"doubleValue": value}}}}``; both names are empty.
        plots, attributions: empty.
        config: the `EvalConfig`.
        data_location, file_format, model_location: what was evaluated.
    """

    slicing_metrics: list[tuple]
    plots: list
    attributions: list
    config: EvalConfig
    data_location: str
    file_format: str
    model_location: str

    def get_metrics_for_slice(
        self, slice_name: tuple = (), output_name: str = "", class_id=None, k=None, top_k=None
    ) -> dict[str, dict[str, float]] | None:
        """The metrics of a slice, None if it is not there."""
        for key, metrics in self.slicing_metrics:
            if key == slice_name:
                return metrics[output_name][""]
        return None

    def get_metrics_for_all_slices(
        self, output_name: str = "", class_id=None, k=None, top_k=None
    ) -> dict[tuple, dict[str, dict[str, float]]]:
        """The metrics of each slice."""
        return {key: dict(metrics[output_name][""]) for key, metrics in self.slicing_metrics}

    def get_metric_names(self) -> list[str]:
        """The names of all metrics."""
        return sorted({n for _, metrics in self.slicing_metrics for n in metrics[""][""]})

    def get_slice_names(self) -> list[tuple]:
        """The slices."""
        return [key for key, _ in self.slicing_metrics]


# slice -> model -> metric -> value
Found = Mapping[_slices.Key, Mapping[str, Mapping[str, float]]]


def write(
    folder: str,
    run: EvalRun,
    found: Found,
    differences: Mapping[_slices.Key, Mapping[str, float]],
    candidate: str,
    validation: ValidationResult,
) -> None:
    """Writes an evaluation."""
    os.makedirs(folder, exist_ok=True)
    messages = []
    for key in sorted(found, key=lambda k: (len(k), str(k))):
        message = MetricsForSlice(slice_key=_slices.to_proto(key))
        entries = [(m, n, v, False) for m, d in found[key].items() for n, v in d.items()]
        entries += [(candidate, n, v, True) for n, v in differences.get(key, {}).items()]
        for model, name, value, is_diff in entries:
            entry = message.metric_keys_and_values.add()
            entry.key.name, entry.key.model_name, entry.key.is_diff = name, model, is_diff
            entry.value.double_value.value = value
        messages.append(message)
    _write_records(os.path.join(folder, _METRICS), messages)
    _write_records(os.path.join(folder, _VALIDATIONS), [validation])
    text = json_format.MessageToJson(run, preserving_proto_field_name=False)
    write_atomically(os.path.join(folder, _CONFIG), text.encode())


def _write_records(path: str, messages: Sequence) -> None:
    content = [frame(m.SerializeToString(deterministic=True)) for m in messages]
    write_atomically(path, b"".join(content))


def load_eval_result(
    output_path: str | os.PathLike,
    output_file_format: str = "tfrecord",
    model_name: str | None = None,
) -> EvalResult:
    """The result of an evaluation (source: `tfma.load_eval_result`).

    Args:
        output_path: its folder.
        output_file_format: ``tfrecord``.
        model_name: the model whose metrics are meant; the candidate by default. Its differences
            from the baseline are called ``<metric>_diff``.

    Raises:
        OSError: if there is none.
        ValueError: for a model that was not evaluated.
    """
    if output_file_format not in ("tfrecord", ""):
        raise NotImplementedError(
            f"load_eval_result(output_file_format={output_file_format!r}): use 'tfrecord'"
        )
    folder = os.fspath(output_path)
    with open(os.path.join(folder, _CONFIG), encoding="utf-8") as f:
        run = json_format.Parse(f.read(), EvalRun())
    names = [s.name for s in run.eval_config.model_specs]
    if model_name is None:
        model_name = next((n for n in names if n != BASELINE_KEY), "")
    elif model_name not in names:
        raise ValueError(f"model_name {model_name!r} is none of the models evaluated: {names}.")
    slicing_metrics: list[tuple] = []
    for record in records([os.path.join(folder, _METRICS)]):
        message = MetricsForSlice.FromString(record)
        metrics: dict[str, Any] = {}
        for entry in message.metric_keys_and_values:
            if entry.key.model_name == model_name:
                suffix = "_diff" if entry.key.is_diff else ""
                metrics[entry.key.name + suffix] = {"doubleValue": entry.value.double_value.value}
        slicing_metrics.append((_slices.from_proto(message.slice_key), {"": {"": metrics}}))
    location = run.model_locations.get(model_name, "")
    return EvalResult(
        slicing_metrics, [], [], run.eval_config, run.data_location, run.file_format, location
    )


def load_validation_result(
    output_path: str | os.PathLike, output_file_format: str = ""
) -> ValidationResult:
    """Whether metrics kept to thresholds (source: `tfma.load_validation_result`).

    Raises:
        OSError: if there is no evaluation.
    """
    if output_file_format not in ("tfrecord", ""):
        raise NotImplementedError(
            f"load_validation_result(output_file_format={output_file_format!r}): use 'tfrecord'"
        )
    path = os.path.join(os.fspath(output_path), _VALIDATIONS)
    return ValidationResult.FromString(next(iter(records([path]))))
