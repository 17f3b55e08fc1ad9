"""What calling, tracing and differentiating cost, beside TensorFlow and native PyTorch.

    python scripts/bench_function.py                      # all cases, two rounds
    python scripts/bench_function.py --cases call tape --rounds 5 --json out.json

Each round runs every engine once, in a process of its own; the engines take turns, so that a busy
machine slows all of them alike. A row shows the best round of each engine in milliseconds, the
ratio torchtf / TensorFlow, and the ratio the project aims at.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

# case -> the ratio torchtf / TensorFlow it aims at
CASES = {
    "call": 0.25,
    "tape": 0.35,
    "mlp_step": 0.8,
    "eager_loop": 0.5,
    "first_resnet_step": 1.0,
    "while_loop": 1.0,
    "scan": 1.0,
    "map_with_branches": 1.0,
    "jacobian": 0.1,
    "batch_jacobian": 0.1,
}
# the cases that native PyTorch runs, too
NATIVE = ("mlp_step",)


def best_of(action: Callable, repeats: int, number: int) -> float:
    """Seconds that one `action` takes: the best of several stretches."""
    action()
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(number):
            action()
        times.append((time.perf_counter() - start) / number)
    return min(times)


def bench_call(tf) -> float:
    """A call of a function that adds one."""
    add = tf.function(lambda x: x + 1.0)
    x = tf.constant(1.0)
    return best_of(lambda: add(x), 7, 2000)


def bench_tape(tf) -> float:
    """The gradient of a square of a variable."""
    v = tf.Variable(3.0)

    def action():
        with tf.GradientTape() as tape:
            y = v**2
        return tape.gradient(y, v)

    return best_of(action, 7, 500)


def _digits(tf):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(128, 784)).astype("float32"))
    return x, tf.constant(rng.integers(0, 10, 128).astype("int32"))


def _mlp(tf):
    keras = tf.keras
    return keras.Sequential([
        keras.Input((784,)), keras.layers.Dense(256, activation="relu"),
        keras.layers.Dense(256, activation="relu"), keras.layers.Dense(10),
    ])  # fmt: skip


def _train_step(tf, model):
    loss_fn = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.Adam()

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_fn(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step


def bench_mlp_step(tf) -> float:
    """A training step of 784-256-256-10 on 128 samples with Adam, in a tf.function."""
    x, y = _digits(tf)
    step = tf.function(_train_step(tf, _mlp(tf)))
    return best_of(lambda: float(step(x, y)), 5, 50)


def bench_eager_loop(tf) -> float:
    """The same step without a tf.function."""
    x, y = _digits(tf)
    step = _train_step(tf, _mlp(tf))
    return best_of(lambda: float(step(x, y)), 5, 20)


def bench_first_resnet_step(tf) -> float:
    """The time to the result of the first training step of a small ResNet."""
    keras = tf.keras
    layers = keras.layers

    def block(x, width, stride):
        y = layers.Conv2D(width, 3, stride, "same", use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.BatchNormalization()(layers.Conv2D(width, 3, padding="same", use_bias=False)(y))
        if stride > 1 or x.shape[-1] != width:
            x = layers.BatchNormalization()(layers.Conv2D(width, 1, stride, use_bias=False)(x))
        return layers.ReLU()(layers.Add()([x, y]))

    inputs = h = keras.Input((32, 32, 3))
    for width, stride in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        h = block(h, width, stride)
    outputs = layers.Dense(10)(layers.GlobalAveragePooling2D()(h))
    step = tf.function(_train_step(tf, keras.Model(inputs, outputs)))
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(32, 32, 32, 3)).astype("float32"))
    y = tf.constant(rng.integers(0, 10, 32).astype("int32"))
    start = time.perf_counter()
    float(step(x, y))
    return time.perf_counter() - start


def bench_while_loop(tf) -> float:
    """A thousand iterations on a vector of eight numbers."""

    @tf.function
    def run(x):
        return tf.while_loop(
            lambda i, x: i < 1000, lambda i, x: (i + 1, x * 0.999 + 0.5), (tf.constant(0), x)
        )

    x = tf.ones([8])
    return best_of(lambda: run(x)[1].numpy(), 5, 5)


def bench_scan(tf) -> float:
    """A running mean over a thousand rows."""
    run = tf.function(lambda x: tf.scan(lambda mean, row: mean * 0.9 + row, x))
    x = tf.ones([1000, 10])
    return best_of(lambda: run(x).numpy(), 5, 5)


def bench_map_with_branches(tf) -> float:
    """A map over a thousand rows that treats them in two ways."""

    def one(row):
        if tf.reduce_sum(row) > 0:
            return row * 2.0
        return row - 1.0

    run = tf.function(lambda x: tf.map_fn(one, x))
    x = tf.constant(np.random.default_rng(0).normal(size=(1000, 10)).astype("float32"))
    return best_of(lambda: run(x).numpy(), 5, 5)


def _small_mlp(tf):
    rng = np.random.default_rng(0)
    weights = [
        tf.Variable(rng.normal(size=s).astype("float32")) for s in ((8, 32), (32, 32), (32, 4))
    ]
    x = tf.constant(rng.normal(size=(16, 8)).astype("float32"))

    def model(h):
        for w in weights[:-1]:
            h = tf.tanh(h @ w)
        return h @ weights[-1]

    return model, x


def bench_jacobian(tf) -> float:
    """The Jacobian of a small MLP's outputs for one sample."""
    model, x = _small_mlp(tf)
    x = x[:1]

    def action():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x)
        return tape.jacobian(y, x)

    return best_of(action, 3, 5)


def bench_batch_jacobian(tf) -> float:
    """The Jacobians of a small MLP's outputs for 16 samples."""
    model, x = _small_mlp(tf)

    def action():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x)
        return tape.batch_jacobian(y, x)

    return best_of(action, 3, 5)


def bench_native_mlp_step() -> float:
    """The training step by hand in PyTorch, with its fused Adam."""
    import torch
    from torch import nn

    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(128, 784)).astype("float32"))
    y = torch.tensor(rng.integers(0, 10, 128))
    model = nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def step():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return best_of(step, 5, 50)


def run_engine(engine: str, cases: list[str]) -> dict[str, float]:
    """Runs the cases in this process; returns milliseconds."""
    if engine == "torch":
        return {c: 1e3 * bench_native_mlp_step() for c in cases if c in NATIVE}
    import importlib

    tf = importlib.import_module(engine)
    return {c: 1e3 * globals()[f"bench_{c}"](tf) for c in cases}


def compare(cases: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """The best time of each engine for each case, in milliseconds."""
    best: dict[str, dict[str, float]] = {c: {} for c in cases}
    for _ in range(rounds):
        for engine in ("tensorflow", "torchtf", "torch"):
            command = [sys.executable, __file__, "--engine", engine, "--cases", *cases]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{engine} failed:\n{done.stderr[-3000:]}")
            for case, value in json.loads(done.stdout.splitlines()[-1]).items():
                best[case][engine] = min(value, best[case].get(engine, value))
    return best


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", help="write the table to this file, too")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        print(json.dumps(run_engine(options.engine, options.cases)))
        return
    best = compare(options.cases, options.rounds)
    print(f"{'case':<20}{'tensorflow':>12}{'torchtf':>12}{'torch':>12}{'ratio':>8}{'aim':>6}")
    for case, times in best.items():
        native = f"{times['torch']:.3f}" if "torch" in times else "-"
        ratio = times["torchtf"] / times["tensorflow"]
        print(
            f"{case:<20}{times['tensorflow']:>12.3f}{times['torchtf']:>12.3f}{native:>12}"
            f"{ratio:>8.2f}{CASES[case]:>6.2f}"
        )
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(best, file, indent=1)


if __name__ == "__main__":
    main()
