"""SavedModel -> TFLite with TensorFlow's converter."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from ..errors import ExportError
from .operators.recurrent import COLLECTED


def convert(
    folder: str,
    file: str,
    signatures: list[str],
    optimizations: Sequence[str] = (),
    supported_ops: Sequence[str] = (),
    supported_types: Sequence[str] = (),
    inference_input_type: str = "float32",
    inference_output_type: str = "float32",
    representative: list[dict] | None = None,
    allow_custom_ops: bool = False,
    settings: dict | None = None,
) -> None:
    """Converts signatures of a SavedModel and writes the file.

    `representative` lists files of samples, each ``{"signature", "path", "names"}`` with arrays
    ``<sample>/<input>``. `settings` are further attributes of `tf.lite.TFLiteConverter`.

    Raises:
        ExportError: when TFLite lacks an operator; names it and its layer.
    """
    if (
        representative is not None
        and COLLECTED.encode() in Path(folder, "saved_model.pb").read_bytes()
    ):
        raise ExportError(
            "a recurrent layer over more than 128 or a free number of steps cannot have integer "
            "activations where the batch size is free: declare the batch size"
        )
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=signatures)
    converter.optimizations = [tf.lite.Optimize[name] for name in optimizations]
    if supported_ops:
        converter.target_spec.supported_ops = [tf.lite.OpsSet[name] for name in supported_ops]
    converter.target_spec.supported_types = [tf.as_dtype(name) for name in supported_types]
    converter.inference_input_type = tf.as_dtype(inference_input_type)
    converter.inference_output_type = tf.as_dtype(inference_output_type)
    converter.allow_custom_ops = allow_custom_ops
    for name, value in (settings or {}).items():
        setattr(converter, name, value)
    if representative is not None:
        converter.representative_dataset = lambda: _samples(representative)
    try:
        content = converter.convert()
    except Exception as error:
        raise ExportError(_message(str(error), "SELECT_TF_OPS" in supported_ops)) from error
    with open(file, "wb") as f:
        f.write(content)


def analyze(file: str, by_name: bool, gpu_compatibility: bool, settings: dict) -> str:
    """What TensorFlow's analyzer prints of a file, or of its content alone."""
    given: dict = {"model_path": file}
    if not by_name:
        with open(file, "rb") as f:
            given = {"model_content": f.read()}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        tf.lite.experimental.Analyzer.analyze(
            **given, gpu_compatibility=gpu_compatibility, **settings
        )
    return printed.getvalue()


def _samples(sources: list[dict]) -> Iterator:
    several = len(sources) > 1
    for source in sources:
        with np.load(source["path"], allow_pickle=False) as file:
            for index in range(source["count"]):
                sample = {name: file[f"{index}/{name}"] for name in source["names"]}
                yield (source["signature"], sample) if several else sample


def _message(text: str, selected: bool) -> str:
    """One line from the converter's many: the operator and the layer it belongs to.

    `selected` says that TensorFlow's kernels are allowed.
    """
    missing = re.findall(r"'?(?:tf|tfl)\.(\w+)'? op is neither a custom op nor a flex op", text)
    if missing:
        names = ", ".join(sorted(set(missing)))
        layer = re.search(r'"([^"]+)@__inference', text)
        where = f" (layer {layer.group(1)!r})" if layer else ""
        if selected:
            return (
                f"TFLite has no operator for {names}{where}, and does not take TensorFlow's "
                "kernel either: leave it out, or set allow_custom_ops and bring your own kernel"
            )
        return (
            f"TFLite has no operator for {names}{where}; allow TensorFlow's kernels with "
            "target_spec.supported_ops = [TFLITE_BUILTINS, SELECT_TF_OPS], or leave the operator "
            "out"
        )
    if "TensorListReserve" in text and "element_shape" in text:
        layer = re.search(r"\W(node_[^\"/@]+)", text)
        where = f" (layer {layer.group(1)!r})" if layer else ""
        return (
            f"TFLite cannot collect the results of a loop{where} for a free batch size: declare "
            "the batch size, or at most 128 steps in a sequence"
        )
    lines = [line for line in text.splitlines() if "error:" in line] or text.splitlines()[:1]
    return f"TFLite conversion failed: {lines[0].strip()[:600] if lines else 'unknown error'}"


def layer_errors(folder: str, signature: str, representative: dict) -> list[dict]:
    """What int8 costs in each operator, worst first.

    TensorFlow's debugger runs each quantized operator beside its float form on the same inputs.
    ``error`` is the root of the mean squared difference in steps of the operator's number format:
    rounding alone gives 0.29.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[signature])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _samples([representative])
    interpreter = Interpreter(model_content=converter.convert())
    places = interpreter.get_signature_runner(signature).get_input_details()
    order = {d["index"]: position for position, d in enumerate(interpreter.get_input_details())}
    names = sorted(places, key=lambda name: order[places[name]["index"]])
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter,
        debug_dataset=lambda: ([s[name] for name in names] for s in _samples([representative])),
    )
    debugger.run()
    table = io.StringIO()
    debugger.layer_statistics_dump(table)
    table.seek(0)
    layers = []
    for row in csv.DictReader(table):
        scale = float(row["scale"])
        error = math.sqrt(float(row["mean_squared_error"])) / scale if scale else 0.0
        layers.append({"operator": row["op_name"], "layer": row["tensor_name"], "error": error})
    return sorted(layers, key=lambda layer: -layer["error"])
