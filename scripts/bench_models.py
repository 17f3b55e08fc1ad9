"""The models that the benchmarks of Keras run, on each side, and the processes they run in.

Sides: `torchtf`, `tensorflow`, `keras` (Keras on its torch backend, as it comes), `pytorch`
(written by hand, eager) and `compiled` (the same under `torch.compile`). Each is a process of its
own that stays alive and answers one request at a time, so that sides can be measured in turns.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SIDES = ("torchtf", "tensorflow", "keras", "pytorch", "compiled")
CLASSES = 10
L2 = 1e-4
# A sequence of 28 steps of 28 numbers for the LSTM, of 64 tokens of 64 numbers for the transformer.
SHAPES: dict[str, tuple[int, ...]] = {"mlp": (784,), "lstm": (28, 28), "transformer": (64, 64)}
UNITS, HEADS, BLOCKS = 128, 4, 2


def model_name(text: str) -> str:
    """An argparse type: a model of `SHAPES`, or `resnetN`, N being its width."""
    width = text.removeprefix("resnet")
    if text in SHAPES or (width != text and width.isdecimal() and int(width) > 0):
        return text
    names = ", ".join(map(repr, SHAPES))
    raise argparse.ArgumentTypeError(f"{text!r} is neither {names} nor 'resnet' and a width")


def examples(model: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Random float32 inputs and int32 labels (N, 1), the same for each side."""
    random = np.random.default_rng(0)
    x = random.standard_normal((number, *SHAPES.get(model, (32, 32, 3))), dtype=np.float32)
    return x, random.integers(0, CLASSES, (number, 1), dtype=np.int32)


# === Keras, whatever it runs on ===


def import_tf(side: str) -> Any:
    """TensorFlow, torchtf, or plain Keras as the attribute `keras` of a stand-in."""
    if side == "torchtf":
        import torchtf

        return torchtf
    if side == "tensorflow":
        import tensorflow as module
    else:
        os.environ["KERAS_BACKEND"] = "torch"
        import keras

        module = types.ModuleType("torchtf")
        vars(module).update(keras=keras, data=types.SimpleNamespace(AUTOTUNE=-1))
    sys.modules["torchtf"] = module  # what train_cifar10 imports, to build its network
    return module


def keras_model(tf: Any, name: str) -> Any:
    """The model, not compiled; its outputs are logits."""
    keras: Any = tf.keras
    layers = keras.layers
    if name not in SHAPES:
        from train_cifar10 import create_model

        return create_model(int(name.removeprefix("resnet")))
    inputs = x = keras.Input(SHAPES[name])
    if name == "mlp":
        x = layers.Dense(256, activation="relu")(x)
        x = layers.Dense(256, activation="relu")(x)
    elif name == "lstm":
        x = layers.LSTM(UNITS)(x)
    else:
        x = layers.Dense(UNITS)(x)
        for _ in range(BLOCKS):
            y = layers.MultiHeadAttention(HEADS, UNITS // HEADS, dropout=0.1)(x, x)
            x = layers.LayerNormalization(epsilon=1e-5)(x + layers.Dropout(0.1)(y))
            y = layers.Dense(4 * UNITS, activation="gelu")(x)
            y = layers.Dense(UNITS)(y)
            x = layers.LayerNormalization(epsilon=1e-5)(x + layers.Dropout(0.1)(y))
        x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


# === hand-written PyTorch ===


def pytorch_model(name: str) -> tuple[Any, list[Any]]:
    """The same model as a module, and its weights under an L2 penalty. Images are NCHW."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self, channels: int, filters: int, stride: int) -> None:
            super().__init__()
            self.first = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
            self.first_norm = nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)
            self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
            self.second_norm = nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)
            self.shortcut = nn.Sequential()
            if stride != 1 or channels != filters:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(channels, filters, 1, stride, bias=False),
                    nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01),
                )

        def forward(self, x):
            y = functional.relu_(self.first_norm(self.first(x)))
            y = self.second_norm(self.second(y))
            return functional.relu_(y + self.shortcut(x))

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(SHAPES["lstm"][-1], UNITS, batch_first=True)
            self.head = nn.Linear(UNITS, CLASSES)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(SHAPES["transformer"][-1], UNITS)
            layer = nn.TransformerEncoderLayer(
                UNITS, HEADS, 4 * UNITS, 0.1, functional.gelu, batch_first=True
            )
            self.encoder = nn.TransformerEncoder(layer, BLOCKS)
            self.head = nn.Linear(UNITS, CLASSES)

        def forward(self, x):
            return self.head(self.encoder(self.embed(x)).mean(1))

    if name == "mlp":
        sizes = itertools.pairwise((784, 256, 256))
        hidden = [m for a, b in sizes for m in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(*hidden, nn.Linear(256, CLASSES)), []
    if name in SHAPES:
        return Recurrent() if name == "lstm" else Encoder(), []
    width = int(name.removeprefix("resnet"))
    stages = ((1, 1, 1), (1, 1, 1), (1, 2, 2), (2, 2, 1), (2, 4, 2), (4, 4, 1))
    stem, head = nn.Conv2d(3, width, 3, padding=1), nn.Linear(4 * width, CLASSES)
    network = nn.Sequential(
        stem,
        nn.BatchNorm2d(width, eps=1e-3, momentum=0.01),
        nn.ReLU(inplace=True),
        *(Block(before * width, after * width, stride) for before, after, stride in stages),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.3),
        head,
    )
    return network.to(memory_format=torch.channels_last), [stem.weight, head.weight]


# === processes ===


class PeakMemory:
    """The most memory that this process had, and how far it rose since this was made (Linux)."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak becomes the present size
        self._before = self._peak()

    @staticmethod
    def _peak() -> float:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def figures(self) -> dict[str, float]:
        """The peak with all that was imported, and the growth up to it, in MiB."""
        peak = self._peak()
        return {"peak": peak, "memory": peak - self._before}


class Side:
    """A child process that runs `script --serve SIDE arguments...` and answers requests."""

    def __init__(self, script: str, name: str, *arguments: str) -> None:
        self.name = name
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            [sys.executable, script, "--serve", name, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, request: Any) -> Any:
        """Sends a request and waits for its answer."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
        raise RuntimeError(f"{self.name} ended with status {self.process.wait()}")

    def close(self) -> None:
        """Ends the child."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def serve(answer: Callable[[Any], Any]) -> None:
    """The child's side: answers requests until there are no more."""
    for line in sys.stdin:
        print("answer " + json.dumps(answer(json.loads(line))), flush=True)


def seconds_since_start() -> float:
    """The age of this process (Linux), imports included."""
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
    return uptime - ticks / os.sysconf("SC_CLK_TCK")
