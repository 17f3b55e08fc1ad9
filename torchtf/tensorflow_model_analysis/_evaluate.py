"""`run_model_analysis`: metrics of models over slices of examples."""

from __future__ import annotations

import glob
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from torchtf.tensorflow_model_analysis import _results, _slices
from torchtf.tensorflow_model_analysis._config import (
    has_thresholds,
    update_eval_config_with_defaults,
    verify_eval_config,
)
from torchtf.tensorflow_model_analysis._metrics import Metrics
from torchtf.tensorflow_model_analysis._models import Batch, EvalSharedModel, Model
from torchtf.tensorflow_model_analysis._results import EvalResult, load_eval_result
from torchtf.tensorflow_model_analysis._validate import validate
from torchtf.tensorflow_model_analysis.proto.config_pb2 import (
    EvalConfig,
    EvalRun,
    ModelSpec,
    SlicingSpec,
)
from torchtf.tensorflow_model_analysis.proto.validation_result_pb2 import ValidationResult
from torchtf.tfx_bsl._records import records

_BATCH = 1000


def run_model_analysis(
    eval_shared_model: EvalSharedModel | Sequence[EvalSharedModel] | None = None,
    eval_config: EvalConfig | None = None,
    data_location: str = "",
    file_format: str = "tfrecords",
    output_path: str | None = None,
    schema=None,
) -> EvalResult:
    """Computes metrics of models (source: `tfma.run_model_analysis`).

    Args:
        eval_shared_model: one or two of `default_eval_shared_model`; None if a feature holds the
            predictions (`ModelSpec.prediction_key`).
        eval_config: `EvalConfig`.
        data_location: a file or a pattern of TFRecord files of examples, perhaps with GZIP.
        file_format: ``tfrecords``.
        output_path: where to write the result; a folder for temporary files if None.
        schema: ignored: the examples tell what their features are.

    Raises:
        ValueError: for a configuration that is not complete, labels or metrics that are not there.
        OSError: if no file matches.
        NotImplementedError: for what is not supported.
    """
    if file_format not in ("tfrecords", "tfrecord"):
        raise NotImplementedError(
            f"run_model_analysis(file_format={file_format!r}): write the examples as TFRecord files"
        )
    if eval_config is None:
        raise ValueError("run_model_analysis needs an eval_config")
    paths = [data_location] if os.path.isfile(data_location) else sorted(glob.glob(data_location))
    if not paths:
        raise FileNotFoundError(f"No files match {data_location!r}.")
    models: list[EvalSharedModel] = []
    if isinstance(eval_shared_model, EvalSharedModel):
        models = [eval_shared_model]
    elif eval_shared_model is not None:
        models = list(eval_shared_model)
    folder = output_path or tempfile.mkdtemp(prefix="tfma-")
    evaluate(models, eval_config, records(paths), folder, data_location)
    return load_eval_result(folder)


def evaluate(
    models: Sequence[EvalSharedModel],
    eval_config: EvalConfig,
    examples: Iterable[bytes],
    folder: str,
    data_location: str = "",
    rubber_stamp: bool = False,
) -> ValidationResult:
    """Evaluates models on serialized examples and writes the result into a folder."""
    config = update_eval_config_with_defaults(
        eval_config, has_baseline=len(models) > 1, rubber_stamp=rubber_stamp
    )
    verify_eval_config(config)
    specs = {s.name: s for s in config.model_specs}
    paths = {m.model_name if len(models) > 1 else "": m.model_path for m in models}
    unknown = set(paths) - set(specs)
    if unknown:
        raise ValueError(f"There is no ModelSpec for the models {sorted(unknown)}.")
    loaded = {name: Model(path, specs[name]) for name, path in paths.items()}
    if not loaded:
        if not all(s.prediction_key for s in specs.values()):
            raise ValueError("model_spec.prediction_key required if model not provided")
        loaded = dict.fromkeys(specs)
    found = _compute(config, specs, loaded, examples)
    if () not in found and any(_is_overall(s) for s in config.slicing_specs or [SlicingSpec()]):
        raise ValueError("There are no examples to evaluate.")
    candidate = next(n for n, s in specs.items() if not s.is_baseline)
    baseline = next((n for n, s in specs.items() if s.is_baseline), None)
    ours = {key: by_model[candidate] for key, by_model in found.items()}
    theirs = {} if baseline is None else {k: by_model[baseline] for k, by_model in found.items()}
    differences = {
        key: {n: ours[key][n] - v for n, v in metrics.items() if n in ours[key]}
        for key, metrics in theirs.items()
    }
    stamped = rubber_stamp and baseline is None and has_thresholds(eval_config)
    validation = validate(config, ours, theirs, stamped)
    run = EvalRun(
        eval_config=config, version="0.46.0", data_location=data_location, file_format="tfrecords"
    )
    for name, path in paths.items():
        run.model_locations[name] = path
    _results.write(folder, run, found, differences, candidate, validation)
    return validation


def _is_overall(spec: SlicingSpec) -> bool:
    return not spec.feature_keys and not spec.feature_values


def _compute(config: EvalConfig, specs, loaded, examples) -> dict:
    """The metrics by slice and model."""
    slicing = list(config.slicing_specs) or [SlicingSpec()]
    metrics: dict[_slices.Key, dict[str, Metrics]] = {}
    counts: dict[_slices.Key, int] = {}
    for part in _batches(examples):
        inputs = {name: _inputs(specs[name], model, Batch(part)) for name, model in loaded.items()}
        batch = next(iter(inputs.values()))[0]
        members: dict[_slices.Key, list[int]] = {}
        for number in range(len(part)):
            for key in _slices.slices_of(batch, number, slicing):
                members.setdefault(key, []).append(number)
        for key, numbers in members.items():
            counts[key] = counts.get(key, 0) + len(numbers)
            for name, model in loaded.items():
                own = metrics.setdefault(key, {})
                if name not in own:
                    own[name] = Metrics(config, name, getattr(model, "keras", None))
                _, labels, predictions, weights = inputs[name]
                own[name].update(labels[numbers], predictions[numbers], weights[numbers])
    least = config.options.min_slice_size.value
    return {
        key: {name: m.result() for name, m in own.items()}
        for key, own in metrics.items()
        if counts[key] >= least or not key
    }


def _inputs(spec: ModelSpec, model: Model | None, batch: Batch) -> tuple:
    """A batch with its labels, predictions and weights."""
    if model is not None:
        model.preprocess(batch)
        predictions = model.predict(batch)
    else:
        predictions = batch.array(spec.prediction_key, "The prediction_key")
    if not spec.label_key:
        labels = np.zeros((len(batch.records), 1), np.float32)
    else:
        labels = batch.array(spec.label_key, "The label_key")
    weights = np.ones(len(batch.records), np.float32)
    if spec.example_weight_key:
        weights = batch.array(spec.example_weight_key, "The example_weight_key").reshape(-1)
    return batch, labels, predictions, weights


def _batches(examples: Iterable[bytes]) -> Iterator[list[bytes]]:
    source = iter(examples)
    while part := list(itertools.islice(source, _BATCH)):
        yield part
