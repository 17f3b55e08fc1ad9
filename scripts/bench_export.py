"""Compare exports of torchtf with TensorFlow's own flow, on the same Keras model and weights.

TensorFlow builds and saves each model; both sides load it, each in a process of its own, and
convert it in turns: the first conversion counts the start of the export, the fastest of the others
is the conversion time. Printed for each format are the file size, the operators, the TRANSPOSE
operators and the milliseconds of one call of batch size 1 in LiteRT (one thread, in turns), as
torchtf / TensorFlow and their ratio.

    python scripts/bench_export.py --models cnn mobilenetv2 --rounds 3 --json export.json
"""

from __future__ import annotations

import argparse
import collections
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIDES = ("torchtf", "tensorflow")
FORMATS = ("float32", "dynamic")


def build(tf, model: str):
    """A Keras model with TensorFlow's initial weights."""
    keras = tf.keras
    if model == "mobilenetv2":
        return keras.applications.MobileNetV2((96, 96, 3), weights=None, classes=10)
    if model == "resnet50v2":
        return keras.applications.ResNet50V2(weights=None, input_shape=(96, 96, 3), classes=10)
    layers = keras.layers
    if model == "mlp":
        sizes = [layers.Dense(256, "relu"), layers.Dense(256, "relu"), layers.Dense(10)]
        return keras.Sequential([keras.Input((784,)), *sizes])
    if model == "cnn":
        inputs = x = keras.Input((32, 32, 3))
        for filters in (32, 64, 128):
            x = layers.Conv2D(filters, 3, padding="same")(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
            x = layers.MaxPooling2D()(x)
        x = layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, layers.Dense(10, "softmax")(x))
    if model in ("lstm", "gru"):  # TensorFlow converts them for a known batch size only
        inputs = keras.Input((32,), batch_size=1, dtype="int32")
        layer = layers.LSTM if model == "lstm" else layers.GRU
        x = layer(64, return_sequences=True)(layers.Embedding(100, 32)(inputs))
        return keras.Model(inputs, layers.Dense(10)(layer(64)(x)))
    if model == "transformer":
        inputs = x = keras.Input((32, 64))
        for _ in range(2):
            attended = layers.MultiHeadAttention(4, 16)(x, x)
            x = layers.LayerNormalization()(x + attended)
            hidden = layers.Dense(64)(layers.Dense(128, "gelu")(x))
            x = layers.LayerNormalization()(x + hidden)
        return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))
    raise ValueError(f"there is no model {model!r}")


MODELS = ("mlp", "cnn", "mobilenetv2", "resnet50v2", "lstm", "gru", "transformer")


def serve(side: str, model: str, folder: Path, rounds: int) -> dict:
    """The child: converts the saved model; the seconds of each conversion by format."""
    tf = importlib.import_module(side)
    network = tf.keras.models.load_model(folder / f"{model}.keras", compile=False)
    seconds: dict[str, list[float]] = {}
    for kind in FORMATS:
        for _ in range(rounds + (kind == FORMATS[0])):
            start = time.perf_counter()
            converter = tf.lite.TFLiteConverter.from_keras_model(network)
            if kind == "dynamic":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            content = converter.convert()
            seconds.setdefault(kind, []).append(time.perf_counter() - start)
        (folder / f"{model}-{side}-{kind}.tflite").write_bytes(content)
    return {"first": seconds["float32"].pop(0), **{k: min(v) for k, v in seconds.items()}}


def child(side: str, model: str, folder: Path, rounds: int) -> dict:
    """Runs `serve` in a process of its own."""
    command = [sys.executable, __file__, "--child", side, model, str(folder), str(rounds)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("KERAS_BACKEND", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{side} failed on {model}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def latencies(files: list[Path], seconds: float = 1.0) -> list[float]:
    """Milliseconds of one call of each file, the medians of calls in turns."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    runs = []
    for file in files:
        interpreter = Interpreter(model_path=str(file), num_threads=1)
        interpreter.allocate_tensors()
        (detail,) = interpreter.get_input_details()
        interpreter.set_tensor(detail["index"], np.ones(detail["shape"], detail["dtype"]))
        runs.append(interpreter.invoke)
    times: list[list[float]] = [[] for _ in runs]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 20:
        for run, found in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            found.append((time.perf_counter() - start) * 1e3)
    return [statistics.median(found) for found in times]


def operators(file: Path) -> dict[str, int]:
    """The histogram of a file's operators."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_path=str(file),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    return collections.Counter(o["op_name"] for o in interpreter._get_ops_details())


def compare(model: str, rounds: int) -> dict:
    """Figures of both sides for one model."""
    with tempfile.TemporaryDirectory(prefix="bench-export-") as scratch:
        folder = Path(scratch)
        child("build", model, folder, 0)
        seconds = {side: child(side, model, folder, rounds) for side in SIDES}
        result: dict = {"conversion, first": [seconds[s]["first"] for s in SIDES]}
        for kind in FORMATS:
            files = [folder / f"{model}-{side}-{kind}.tflite" for side in SIDES]
            found = [operators(f) for f in files]
            result |= {
                f"{kind}: conversion, s": [seconds[s][kind] for s in SIDES],
                f"{kind}: size, KB": [f.stat().st_size / 1024 for f in files],
                f"{kind}: operators": [sum(h.values()) for h in found],
                f"{kind}: TRANSPOSE": [h.get("TRANSPOSE", 0) for h in found],
                f"{kind}: latency, ms": latencies(files),
            }
        large, small = (result[f"{k}: size, KB"] for k in FORMATS)
        result["dynamic / float32 size"] = [b / a for a, b in zip(large, small, strict=True)]
    return result


def main() -> None:
    """Runs the program of the command line."""
    if sys.argv[1:2] == ["--child"]:
        side, model, folder, rounds = sys.argv[2:]
        if side == "build":
            import tensorflow as tf

            build(tf, model).save(Path(folder, f"{model}.keras"))
            print("{}")
        else:
            print(json.dumps(serve(side, model, Path(folder), int(rounds))))
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=2, help="conversions timed of each")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    results = {}
    for model in options.models:
        results[model] = compare(model, options.rounds)
        print(model, flush=True)
        for name, values in results[model].items():
            shown = "   ".join(f"{v:10.3f}" for v in values)
            ratio = f"   {values[0] / values[1]:6.2f}x" if len(values) > 1 and values[1] else ""
            print(f"  {name:28s} {shown}{ratio}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
