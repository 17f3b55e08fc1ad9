"""Time data parallel training steps: torchtf's `fit` and hand-written DDP, in turns.

Each side is a group of processes (gloo on 127.0.0.1, one thread each) that stays alive. In every
round each side trains a few steps while the other waits. Printed are the median seconds per step,
their ratio, and the bytes per step that crossed the loopback interface in the meantime (of all
processes of the machine, so run it on a quiet one).

    python scripts/bench_distribute.py --models mlp cnn --replicas 2 --rounds 7
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SIDES = ("torchtf", "ddp")
MODELS = ("mlp", "cnn")
CLASSES = 10
LEARNING_RATE = 0.001

# trains a number of steps and returns the times at which they ended
Trainer = Callable[[int], list[float]]


def examples(model: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Random float32 inputs and int32 labels, the same for each side."""
    random = np.random.default_rng(0)
    shape = (784,) if model == "mlp" else (32, 32, 3)
    x = random.standard_normal((rows, *shape), dtype=np.float32)
    return x, random.integers(0, CLASSES, rows, dtype=np.int32)


# === the sides ===


def torchtf_trainer(model_name: str, global_batch: int) -> Trainer:
    import torchtf as tf

    layers = tf.keras.layers
    strategy = tf.distribute.MirroredStrategy()
    with strategy.scope():
        if model_name == "mlp":
            body = [
                tf.keras.Input((784,)),
                layers.Dense(1024, activation="relu"),
                layers.Dense(1024, activation="relu"),
                layers.Dense(1024, activation="relu"),
            ]
        else:
            body = [
                tf.keras.Input((32, 32, 3)),
                layers.Conv2D(32, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(256, activation="relu"),
            ]
        model = tf.keras.Sequential([*body, layers.Dense(CLASSES)])
        model.compile(
            optimizer=tf.keras.optimizers.Adam(LEARNING_RATE),
            loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
    x, y = examples(model_name, 4 * global_batch)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(global_batch).repeat()

    class Clock(tf.keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.ends = []

        def on_train_batch_end(self, batch, logs=None):
            self.ends.append(time.perf_counter())

    clock = Clock()

    def train(steps: int) -> list[float]:
        model.fit(dataset, steps_per_epoch=steps, epochs=1, verbose=0, callbacks=[clock])
        return clock.ends

    return train


def ddp_trainer(model_name: str, global_batch: int) -> Trainer:
    import torch
    import torch.distributed as dist
    from torch import nn
    from torch.nn import functional
    from torch.nn.parallel import DistributedDataParallel

    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    if model_name == "mlp":
        body = [nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(),
                nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, CLASSES)]  # fmt: skip
    else:
        body = [nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Flatten(), nn.Linear(64 * 8 * 8, 256), nn.ReLU(),
                nn.Linear(256, CLASSES)]  # fmt: skip
    module = nn.Sequential(*body)
    if model_name == "cnn":
        module = module.to(memory_format=torch.channels_last)
    model = DistributedDataParallel(module)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, eps=1e-7, fused=True)
    x, y = (torch.from_numpy(array) for array in examples(model_name, 4 * global_batch))
    y = y.long()
    if x.dim() == 4:
        x = x.permute(0, 3, 1, 2)
    share = global_batch // size
    batch = 0

    def train(steps: int) -> list[float]:
        nonlocal batch
        ends, total = [], torch.zeros(())
        for _ in range(steps):
            start = batch % 4 * global_batch + rank * share
            batch += 1
            loss = functional.cross_entropy(model(x[start : start + share]), y[start:][:share])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
            ends.append(time.perf_counter())
        assert torch.isfinite(total)
        return ends

    return train


def serve(side: str, model: str, global_batch: int) -> None:
    """A process of a side: trains as many steps as rank 0 reads from stdin, which prints times."""
    train = (torchtf_trainer if side == "torchtf" else ddp_trainer)(model, global_batch)
    import torch
    import torch.distributed as dist

    while True:
        steps = torch.zeros((), dtype=torch.int64)
        if dist.get_rank() == 0:
            steps.fill_(int(sys.stdin.readline() or 0))
        dist.broadcast(steps, src=0)
        if not steps:
            return
        begin = time.perf_counter()
        ends = train(int(steps))
        if dist.get_rank() == 0:
            durations = [b - a for a, b in zip([begin, *ends], ends, strict=False)]
            print(json.dumps({"durations": durations}), flush=True)


# === the referee ===


def loopback_bytes() -> int:
    """The bytes sent over the loopback interface so far."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, fields = line.partition(":")
        if name.strip() == "lo":
            return int(fields.split()[8])
    raise RuntimeError("there is no loopback interface")


class Side:
    """A group of processes that train on demand."""

    def __init__(self, name: str, model: str, global_batch: int, replicas: int) -> None:
        self.name = name
        self.durations: list[float] = []
        self.bytes_per_step: list[float] = []
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.processes = []
        for rank in range(replicas):
            environment = os.environ | {
                "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(replicas),
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
            }  # fmt: skip
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, __file__, "--serve", name, model, str(global_batch)],
                    stdin=subprocess.PIPE if rank == 0 else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL,
                    text=True,
                    env=environment,
                )
            )
        self.train(3)

    def train(self, steps: int) -> list[float]:
        """Lets the group train and waits for its answer."""
        first = self.processes[0]
        assert first.stdin and first.stdout
        first.stdin.write(f"{steps}\n")
        first.stdin.flush()
        for line in first.stdout:
            if line.startswith('{"durations"'):
                return json.loads(line)["durations"]
        raise RuntimeError(f"{self.name} ended with status {first.wait()}")

    def measure(self, steps: int) -> None:
        """A turn. What precedes its first step (the start of an epoch) is left out."""
        before = loopback_bytes()
        self.durations += self.train(steps + 1)[1:]
        self.bytes_per_step.append((loopback_bytes() - before) / (steps + 1))

    def close(self) -> None:
        """Ends the group."""
        assert self.processes[0].stdin
        self.processes[0].stdin.close()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def compare(model: str, global_batch: int, replicas: int, seconds: float, rounds: int) -> dict:
    """The figures of each side for one model; a turn is as many steps as fit into `seconds`."""
    running: list[Side] = []
    try:
        for name in SIDES:
            running.append(Side(name, model, global_batch, replicas))
        steps = max(3, round(seconds / max(min(side.train(5)) for side in running)))
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
            "bytes_per_step": min(side.bytes_per_step),
            "steps": len(side.durations),
        }
        for side in running
    }


def print_figures(model: str, figures: dict[str, dict]) -> None:
    """One line per side; the ratios are torchtf's figures over DDP's."""
    print(f"\n{model}")
    print(" " * 12 + "".join(t.rjust(14) for t in ("step", "fastest", "bytes/step")))
    for name, row in figures.items():
        cells = (
            f"{row['step'] * 1000:.2f} ms",
            f"{row['fastest_step'] * 1000:.2f} ms",
            f"{row['bytes_per_step']:,.0f}",
        )
        print(name.ljust(12) + "".join(cell.rjust(14) for cell in cells))
    ours, theirs = figures["torchtf"], figures["ddp"]
    ratios = [ours[k] / theirs[k] for k in ("step", "fastest_step", "bytes_per_step")]
    print("torchtf is".ljust(12) + "".join(f"{r:.3f}x".rjust(14) for r in ratios))


def main() -> None:
    """Runs the program of the command line."""
    if sys.argv[1:2] == ["--serve"]:
        side, model, global_batch = sys.argv[2:]
        serve(side, model, int(global_batch))
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--replicas", type=int, default=2, metavar="N")
    parser.add_argument("--global-batch", type=int, default=256, metavar="N")
    parser.add_argument(
        "--seconds", type=float, default=1.5, metavar="S", help="length of a turn (default: 1.5)"
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    if min(options.replicas, options.rounds) < 1 or options.seconds <= 0:
        parser.error("--replicas and --rounds must be at least 1, --seconds positive")
    if options.global_batch % options.replicas:
        parser.error("--global-batch must be a multiple of --replicas")

    figures = {}
    for model in options.models:
        figures[model] = compare(
            model, options.global_batch, options.replicas, options.seconds, options.rounds
        )
        print_figures(model, figures[model])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
