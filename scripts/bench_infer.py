"""Time inference: `model.predict` at two batch sizes and `model(x)` of one row, in turns.

Sides as in bench_train.py, each a process of its own. For PyTorch `predict` is the module called on
a NumPy array, with a NumPy array as the result. Printed are the medians in milliseconds, with
torchtf's as a multiple of each other side's, and the seconds of the first `predict`.

    python scripts/bench_infer.py --models mlp lstm --rounds 7 --json inference.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench_models import (
    SIDES,
    Side,
    examples,
    import_tf,
    keras_model,
    model_name,
    pytorch_model,
    serve,
)

LARGE = 256
CASES = ("predict 1", f"predict {LARGE}", "call 1")


def keras_cases(tf, model: str) -> dict[str, Callable]:
    """What is timed, for any module that is TensorFlow's."""
    network = keras_model(tf, model)
    rows, _ = examples(model, LARGE)
    row = rows[:1]
    tensor = (getattr(tf, "constant", None) or tf.keras.ops.convert_to_tensor)(row)
    return {
        CASES[0]: lambda: network.predict(row, verbose=0),
        CASES[1]: lambda: network.predict(rows, batch_size=LARGE, verbose=0),
        CASES[2]: lambda: network(tensor),
    }


def pytorch_cases(model: str, compiled: bool) -> dict[str, Callable]:
    """The same as one writes it by hand."""
    import torch

    network = pytorch_model(model)[0].eval()
    run = torch.compile(network) if compiled else network
    rows, _ = examples(model, LARGE)
    tensor = torch.from_numpy(rows[:1])
    image = rows.ndim == 4

    @torch.inference_mode()
    def call(x):
        return run(x.permute(0, 3, 1, 2) if image else x)

    return {
        CASES[0]: lambda: call(torch.from_numpy(rows[:1])).numpy(),
        CASES[1]: lambda: call(torch.from_numpy(rows)).numpy(),
        CASES[2]: lambda: call(tensor),
    }


def serve_inference(side: str, model: str) -> None:
    """The child: a request is a case and a number of seconds, the answer those of each run."""
    if side in ("pytorch", "compiled"):
        cases = pytorch_cases(model, side == "compiled")
    else:
        cases = keras_cases(import_tf(side), model)

    def answer(request: list) -> list[float]:
        case, seconds = request
        end = time.perf_counter() + seconds
        durations: list[float] = []
        while len(durations) < 3 or time.perf_counter() < end:
            start = time.perf_counter()
            cases[case]()
            durations.append(time.perf_counter() - start)
        return durations

    serve(answer)


def compare(model: str, sides: list[str], seconds: float, rounds: int) -> dict[str, dict]:
    """The figures of each side for one model; a turn lasts `seconds`."""
    running: list[Side] = []
    found: dict[str, dict] = {}
    try:
        for name in sides:
            side = Side(__file__, name, model)
            running.append(side)
            found[name] = {"first": side.ask((CASES[0], 0))[0]}
        for case in CASES:
            durations: dict[str, list[float]] = {name: [] for name in sides}
            for turn in range(rounds + 1):
                for side in running:
                    measured = side.ask((case, seconds))
                    if turn:  # the first turn warms up
                        durations[side.name] += measured
            for name in sides:
                found[name][case] = statistics.median(durations[name])
    finally:
        for side in running:
            side.close()
    return found


def print_figures(model: str, figures: dict[str, dict]) -> None:
    """One line per side; the ratios are torchtf's median over the others'."""
    print(f"\n{model}")
    print(" " * 12 + "".join(case.rjust(20) for case in CASES) + "first".rjust(10))
    for name, row in figures.items():
        cells = []
        for case in CASES:
            ratio = ""
            if name != "torchtf" and "torchtf" in figures:
                ratio = f" {figures['torchtf'][case] / row[case]:.3f}x"
            cells.append(f"{row[case] * 1000:.2f} ms{ratio}".rjust(20))
        print(name.ljust(12) + "".join(cells) + f"{row['first']:.2f} s".rjust(10), flush=True)


def main() -> None:
    """Runs the program of the command line."""
    if sys.argv[1:2] == ["--serve"]:
        serve_inference(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--models",
        nargs="+",
        type=model_name,
        default=["mlp", "resnet16", "lstm", "transformer"],
        metavar="MODEL",
        help="mlp (784-256-256-10), lstm, transformer, or resnet and a width (default: all)",
    )
    parser.add_argument(
        "--sides",
        nargs="+",
        choices=SIDES,
        default=["torchtf", "tensorflow", "keras", "pytorch"],
        help="default: torchtf tensorflow keras pytorch",
    )
    parser.add_argument(
        "--seconds", type=float, default=0.5, metavar="S", help="length of a turn (default: 0.5)"
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="turns of each side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds must be at least 1, --seconds positive")
    figures = {}
    for model in options.models:
        figures[model] = compare(model, options.sides, options.seconds, options.rounds)
        print_figures(model, figures[model])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
