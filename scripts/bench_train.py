"""Time training steps: torchtf, TensorFlow and Keras (`fit`) and hand-written PyTorch, in turns.

Each side is a process of its own that stays alive. In every round each side trains a few steps
while the others wait, so that what else the machine does meets all of them alike. Printed are the
median seconds per step, the ratio of torchtf's to it, the time to the first finished step (from the
call of `fit` or of the training loop, and from the start of the process, imports included), how far
the memory rose from before the model was made to its peak, and that peak, imports included.

    python scripts/bench_train.py --models resnet16 mlp --rounds 7 --json steps.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench_models import (
    L2,
    SIDES,
    PeakMemory,
    Side,
    examples,
    import_tf,
    keras_model,
    model_name,
    pytorch_model,
    seconds_since_start,
    serve,
)

LEARNING_RATE, WEIGHT_DECAY = 0.001, 1e-4
BATCHES = 4

# === the sides: trainers that return the times at which steps ended ===

Trainer = Callable[[int], list[float]]


def keras_trainer(tf, model_name: str, batch_size: int) -> Trainer:
    """`fit` on a dataset in memory, for any module that is TensorFlow's; Keras gets a generator."""
    keras = tf.keras
    model = keras_model(tf, model_name)
    model.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    x, y = examples(model_name, BATCHES * batch_size)
    if hasattr(tf, "constant"):
        source = tf.data.Dataset.from_tensor_slices((x, y))
        source = source.batch(batch_size, drop_remainder=True).repeat().prefetch(tf.data.AUTOTUNE)
    else:

        def batches() -> Iterator:
            while True:
                for start in range(0, len(x), batch_size):
                    yield x[start : start + batch_size], y[start : start + batch_size]

        source = batches()

    class Clock(keras.callbacks.Callback):  # type: ignore[name-defined]
        def on_train_begin(self, logs=None):
            self.ends = []

        def on_train_batch_end(self, batch, logs=None):
            self.ends.append(time.perf_counter())

    clock = Clock()

    def train(steps: int) -> list[float]:
        model.fit(source, steps_per_epoch=steps, epochs=1, verbose=0, callbacks=[clock])
        return clock.ends

    return train


def pytorch_trainer(model_name: str, batch_size: int, compiled: bool = False) -> Trainer:
    """The same training as one writes it by hand: channels last, fused AdamW."""
    import torch
    from torch.nn import functional

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, penalized = pytorch_model(model_name)
    model.to(device).train()
    run = torch.compile(model) if compiled else model
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, eps=1e-7, fused=True
    )
    x, y = (torch.from_numpy(array) for array in examples(model_name, BATCHES * batch_size))
    if x.dim() == 4:
        x = x.permute(0, 3, 1, 2)  # a view: the memory is channels last already
    y = y[:, 0].long()

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            for start in range(0, len(x), batch_size):
                part = slice(start, start + batch_size)
                yield x[part].to(device, non_blocking=True), y[part].to(device, non_blocking=True)

    source = batches()

    def train(steps: int) -> list[float]:
        ends = []
        total = correct = torch.zeros((), device=device)
        for inputs, labels in (next(source) for _ in range(steps)):
            logits = run(inputs)
            loss = functional.cross_entropy(logits, labels)
            for weight in penalized:
                loss = loss + L2 * weight.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                total = total + loss
                correct = correct + (logits.argmax(1) == labels).sum()
            if device.type == "cuda":
                torch.cuda.synchronize()
            ends.append(time.perf_counter())
        assert torch.isfinite(total) and correct >= 0
        return ends

    return train


def serve_training(side: str, model: str, batch_size: int) -> None:
    """The child: a request is a number of steps, the answer the seconds of each."""
    if side in ("pytorch", "compiled"):
        import torch._dynamo  # noqa: F401

        memory = PeakMemory()
        train = pytorch_trainer(model, batch_size, side == "compiled")
    else:
        tf = import_tf(side)
        tf.keras.layers, tf.data  # noqa: B018 (loads them)
        memory = PeakMemory()
        train = keras_trainer(tf, model, batch_size)

    def answer(steps: int) -> dict:
        begin = time.perf_counter()
        ends = train(steps)
        durations = [end - start for start, end in zip([begin, *ends], ends, strict=False)]
        return {"durations": durations, "age": seconds_since_start(), **memory.figures()}

    serve(answer)


# === the referee ===


class Trainee(Side):
    """A child process that trains on demand."""

    def __init__(self, name: str, model: str, batch_size: int) -> None:
        super().__init__(__file__, name, model, str(batch_size))
        self.durations: list[float] = []
        first = self.ask(1)
        self.first_step: float = first["durations"][0]
        self.first_step_with_imports: float = first["age"]
        self.memory = self.peak = 0.0

    def measure(self, steps: int) -> None:
        """A turn. What precedes its first step (the start of an epoch) is left out."""
        done = self.ask(steps + 1)
        self.durations += done["durations"][1:]
        self.memory, self.peak = done["memory"], done["peak"]


def compare(model: str, sides: list[str], batch_size: int, seconds: float, rounds: int) -> dict:
    """The figures of each side for one model; a turn is as many steps as fit into `seconds`."""
    running: list[Trainee] = []
    try:
        for name in sides:
            running.append(Trainee(name, model, batch_size))
        for side in running:
            side.measure(3)
        slowest = max(min(side.durations) for side in running)
        steps = max(3, round(seconds / slowest))
        for side in running:
            side.durations.clear()
        for _ in range(rounds):
            for side in running:
                side.measure(steps)
    finally:
        for side in running:
            side.close()
    return {
        side.name: {
            "step": statistics.median(side.durations),
            "fastest_step": min(side.durations),
            "first_step": side.first_step,
            "first_step_with_imports": side.first_step_with_imports,
            "memory": side.memory,
            "peak": side.peak,
            "steps": len(side.durations),
        }
        for side in running
    }


def print_figures(model: str, figures: dict[str, dict]) -> None:
    """One line per side; the ratios are torchtf's median over the others'."""
    print(f"\n{model}")
    titles = ("step", "fastest", "torchtf is", "first step", "imports +", "memory", "peak")
    print(" " * 12 + "".join(title.rjust(12) for title in titles))
    for name, row in figures.items():
        ratio = ""
        if name != "torchtf" and "torchtf" in figures:
            ratio = f"{figures['torchtf']['step'] / row['step']:.2f}x"
        cells = (
            f"{row['step'] * 1000:.2f} ms",
            f"{row['fastest_step'] * 1000:.2f} ms",
            ratio,
            f"{row['first_step']:.2f} s",
            f"{row['first_step_with_imports']:.1f} s",
            f"{row['memory']:.0f} MiB",
            f"{row['peak']:.0f} MiB",
        )
        print(name.ljust(12) + "".join(cell.rjust(12) for cell in cells), flush=True)


def main() -> None:
    """Runs the program of the command line."""
    if sys.argv[1:2] == ["--serve"]:
        side, model, batch_size = sys.argv[2:]
        serve_training(side, model, int(batch_size))
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--models",
        nargs="+",
        type=model_name,
        default=["resnet16", "resnet64", "mlp", "lstm", "transformer"],
        metavar="MODEL",
        help="mlp (784-256-256-10), lstm, transformer, or resnet and a width (default: all)",
    )
    parser.add_argument(
        "--sides",
        nargs="+",
        choices=SIDES,
        default=["torchtf", "tensorflow", "pytorch"],
        help="default: torchtf tensorflow pytorch",
    )
    parser.add_argument("--batch-size", type=int, default=128, metavar="N")
    parser.add_argument(
        "--seconds", type=float, default=1.5, metavar="S", help="length of a turn (default: 1.5)"
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    if min(options.batch_size, options.rounds) < 1 or options.seconds <= 0:
        parser.error("--batch-size and --rounds must be at least 1, --seconds positive")

    figures = {}
    for model in options.models:
        figures[model] = compare(
            model, options.sides, options.batch_size, options.seconds, options.rounds
        )
        print_figures(model, figures[model])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
