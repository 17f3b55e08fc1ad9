"""Runs artifacts on arrays: SavedModels in TensorFlow, TFLite files in LiteRT."""

from __future__ import annotations

import os
import time

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from ..files import read_arrays, write_arrays

_models: dict[tuple, tf.Module] = {}


def _load(folder: str):
    """The loaded model; the last one is kept, as most requests ask for the same again."""
    stamp = os.stat(os.path.join(folder, "saved_model.pb"))
    key = (os.path.abspath(folder), stamp.st_mtime_ns, stamp.st_ino)
    if key not in _models:
        _models.clear()
        _models[key] = tf.saved_model.load(folder)
    return _models[key]


def _array(tensor) -> np.ndarray:
    array = tensor.numpy()
    if isinstance(array, bytes):  # of a string scalar
        scalar = np.empty((), object)
        scalar[()] = array
        return scalar
    return np.asarray(array)


def run_saved_model(
    folder: str, signature: str, inputs: str, outputs: str, repeat: int = 0, fresh: bool = False
) -> dict:
    """Calls a signature; returns the seconds of one call, the best of `repeat`.

    `fresh` loads the model anew: calls change the variables of the loaded one.
    """
    if fresh:
        _models.clear()
    function = _load(folder).signatures[signature]
    arguments = {name: tf.constant(array) for name, array in read_arrays(inputs).items()}
    results = function(**arguments)
    write_arrays(outputs, {name: _array(t) for name, t in results.items()})
    return {"seconds": _best(lambda: function(**arguments), repeat)}


def run_tflite(
    file: str, signature: str | None, inputs: str, outputs: str, repeat: int = 0, threads: int = 1
) -> dict:
    """Runs a TFLite file; integer inputs and outputs that stand for floats are scaled.

    Returns:
        The seconds of one call (the best of `repeat`), operators, and whether tensors are
        quantized.
    """
    interpreter = Interpreter(model_path=file, num_threads=threads)
    runner = interpreter.get_signature_runner(signature)
    details_in, details_out = runner.get_input_details(), runner.get_output_details()
    arrays = read_arrays(inputs)
    arguments = {
        name: _quantized(array, details_in[name])
        for name, array in arrays.items()
        if name in details_in
    }
    results = runner(**arguments)  # allocates; an open size of 1 may be too small for that before
    write_arrays(outputs, {name: _real(results[name], details_out[name]) for name in details_out})
    histogram: dict[str, int] = {}
    for operator in interpreter._get_ops_details():
        if operator["op_name"] != "DELEGATE":
            histogram[operator["op_name"]] = histogram.get(operator["op_name"], 0) + 1
    return {"seconds": _best(lambda: runner(**arguments), repeat), "operators": histogram}


def _best(function, repeat: int) -> float | None:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times) if times else None


def _quantized(array: np.ndarray, detail: dict) -> np.ndarray:
    scale, zero = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    if array.dtype == object:  # of strings
        return array
    if array.dtype == dtype or not scale:
        return array.astype(dtype)
    info = np.iinfo(dtype)
    return np.clip(np.round(array / scale) + zero, info.min, info.max).astype(dtype)


def _real(array: np.ndarray, detail: dict) -> np.ndarray:
    if array.dtype.kind in "SO":
        return array.astype(object)
    scale, zero = detail["quantization"]
    if scale and array.dtype.kind in "iu":
        return ((array.astype(np.float64) - zero) * scale).astype(np.float32)
    return array
