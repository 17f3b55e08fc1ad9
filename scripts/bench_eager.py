"""What eager ops cost beside TensorFlow and native PyTorch.

    python scripts/bench_eager.py                        # small and large tensors, import, 3 rounds
    python scripts/bench_eager.py --groups large --only top_k rfft --rounds 5 --json out.json

Each round runs every engine once, in a process of its own; the engines take turns, so that a busy
machine slows all of them alike. A row shows the best time of each engine in microseconds and the
ratio torchtf / TensorFlow; `!` marks the ratios above the aim: 0.2 for a call on small tensors
(`*`: one of those that the aim names), 1.2 on a million elements. `import` compares
`import torchtf` with `import torch`, aim 1.15.

Above the aim on a million elements in one round on two quiet cores (AVX2, torch 2.14, TensorFlow
2.21), with the ratio, and in brackets that of the bare torch call to TensorFlow:

* one kernel of torch's that takes about as long alone: `tanh` 4.5 (4.6), `erf` 3.1 (2.2), `selu`
  2.0 (2.1), `fft` 1.6 (1.5), `sin` 1.5 (1.1), `rfft` 1.2 (1.2);
* one kernel in TensorFlow, several passes here: `fake_quant` 3.8, `in_top_k` 2.1, `dropout` 1.6
  (torch's own 2.9), `band_part` 1.7, `gather_nd` 1.25;
* `conv2d stride` 1.3: its uneven padding is a copy of the images first.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

ENGINES = ("tensorflow", "torchtf", "torch")
AIMS = {"small": 0.2, "large": 1.2, "import": 1.15}

# name -> the call on TensorFlow's API, and on torch's where there is one
SMALL = {
    "add*": ("a + b", "a + b"),
    "mul scalar": ("a * 2.0", "a * 2.0"),
    "reduce_sum*": ("tf.reduce_sum(a, 1)", "a.sum(1)"),
    "reduce_mean*": ("tf.reduce_mean(a)", "a.mean()"),
    "reshape*": ("tf.reshape(a, [16, 4])", "a.reshape(16, 4)"),
    "slice*": ("a[1:3]", "a[1:3]"),
    "matmul*": ("tf.matmul(a, b)", "a @ b"),
    "transpose": ("tf.transpose(a)", "a.t()"),
    "concat": ("tf.concat([a, b], 0)", "torch.cat([a, b], 0)"),
    "gather": ("tf.gather(a, i)", "a.index_select(0, i)"),
    "cast": ("tf.cast(i, tf.float32)", "i.float()"),
    "relu": ("tf.nn.relu(a)", "torch.relu(a)"),
    "softmax": ("tf.nn.softmax(a)", "torch.softmax(a, -1)"),
    "constant": ("tf.constant([1.0, 2.0])", "torch.tensor([1.0, 2.0])"),
    "variable read": ("v + a", "v + a"),
    "assign_add": ("v.assign_add(a)", "v.add_(a)"),
}
LARGE = {
    "add": ("x + y", "x + y"),
    "mul": ("x * y", "x * y"),
    "divide": ("x / p", "x / p"),
    "exp": ("tf.exp(x)", "x.exp()"),
    "log": ("tf.math.log(p)", "p.log()"),
    "tanh": ("tf.tanh(x)", "x.tanh()"),
    "sigmoid": ("tf.sigmoid(x)", "x.sigmoid()"),
    "sqrt": ("tf.sqrt(p)", "p.sqrt()"),
    "pow": ("x ** 2", "x ** 2"),
    "sin": ("tf.sin(x)", "x.sin()"),
    "erf": ("tf.math.erf(x)", "x.erf()"),
    "lgamma": ("tf.math.lgamma(p)", "p.lgamma()"),
    "floor": ("tf.floor(x)", "x.floor()"),
    "round": ("tf.round(x)", "x.round()"),
    "floormod": ("x % p", "x % p"),
    "int floordiv": ("k // 7", "torch.floor_divide(k, 7)"),
    "maximum": ("tf.maximum(x, y)", "torch.maximum(x, y)"),
    "where": ("tf.where(x > 0, x, y)", "torch.where(x > 0, x, y)"),
    "boolean_mask": ("tf.boolean_mask(x, m)", "x[m]"),
    "where nonzero": ("tf.where(m)", "m.nonzero()"),
    "cast int": ("tf.cast(x, tf.int32)", "x.int()"),
    "cast half": ("tf.cast(x, tf.float16)", "x.half()"),
    "clip_by_value": ("tf.clip_by_value(x, -1.0, 1.0)", "x.clamp(-1, 1)"),
    "reduce_sum": ("tf.reduce_sum(x)", "x.sum()"),
    "reduce_sum rows": ("tf.reduce_sum(x, 1)", "x.sum(1)"),
    "reduce_sum columns": ("tf.reduce_sum(x, 0)", "x.sum(0)"),
    "reduce_sum axes": ("tf.reduce_sum(image, [1, 2])", "image.sum((1, 2))"),
    "reduce_max axes": ("tf.reduce_max(image, [0, 3])", "image.amax((0, 3))"),
    "reduce_max": ("tf.reduce_max(x, 1)", "x.amax(1)"),
    "reduce_std": ("tf.math.reduce_std(x)", "x.std(correction=0)"),
    "reduce_logsumexp": ("tf.reduce_logsumexp(x, 1)", "x.logsumexp(1)"),
    "argmax": ("tf.argmax(x, 1)", "x.argmax(1)"),
    "cumsum": ("tf.cumsum(x, 1)", "x.cumsum(1)"),
    "norm": ("tf.norm(x)", "x.norm()"),
    "l2_normalize": ("tf.math.l2_normalize(x, 1)", "torch.nn.functional.normalize(x, dim=1)"),
    "sort": ("tf.sort(x)", "x.sort(-1)"),
    "argsort": ("tf.argsort(f)", "f.argsort()"),
    "top_k": ("tf.math.top_k(f, 10)", "f.topk(10)"),
    "top_k rows": ("tf.math.top_k(x, 5)", "x.topk(5)"),
    "in_top_k": ("tf.math.in_top_k(rows, x, 3)", None),
    "unique": ("tf.unique(small)", "torch.unique(small, return_inverse=True)"),
    "bincount": ("tf.math.bincount(small)", "torch.bincount(small)"),
    "one_hot": ("tf.one_hot(rows, 1000)", None),
    "gather": ("tf.gather(x, rows)", "x.index_select(0, rows)"),
    "gather columns": ("tf.gather(x, rows, axis=1)", "x.index_select(1, rows)"),
    "gather_nd": ("tf.gather_nd(x, pairs)", None),
    "scatter_nd": ("tf.scatter_nd(pairs, rowf, [1000, 1000])", None),
    "segment_sum": ("tf.math.unsorted_segment_sum(x, rows, 1000)", None),
    "transpose": ("tf.transpose(x)", "x.t().contiguous()"),
    "transpose 4d": ("tf.transpose(image, [0, 3, 1, 2])", "image.permute(0, 3, 1, 2).contiguous()"),
    "reshape": ("tf.reshape(x, [-1])", "x.reshape(-1)"),
    "slice": ("x[10:-10, ::2]", "x[10:-10, ::2]"),
    "concat": ("tf.concat([x, y], 1)", "torch.cat([x, y], 1)"),
    "stack": ("tf.stack([x, y])", "torch.stack([x, y])"),
    "split": ("tf.split(x, 4, 1)", None),
    "tile": ("tf.tile(x[:500, :500], [2, 2])", "x[:500, :500].tile(2, 2)"),
    "pad": ("tf.pad(x, [[1, 1], [2, 2]])", "torch.nn.functional.pad(x, (2, 2, 1, 1))"),
    "reverse": ("tf.reverse(x, [1])", "x.flip(1)"),
    "roll": ("tf.roll(x, 3, 1)", "x.roll(3, 1)"),
    "broadcast_to": ("tf.broadcast_to(rowf, [1000, 1000]) + x", "rowf + x"),
    "matmul": ("tf.matmul(x, y)", "x @ y"),
    "batch matmul": ("tf.matmul(batch, batch)", "batch @ batch"),
    "matvec": ("tf.linalg.matvec(x, rowf)", "x @ rowf"),
    "einsum": ("tf.einsum('ij,kj->ik', x, y)", "torch.einsum('ij,kj->ik', x, y)"),
    "softmax": ("tf.nn.softmax(x)", "x.softmax(-1)"),
    "log_softmax": ("tf.nn.log_softmax(x)", "x.log_softmax(-1)"),
    "relu": ("tf.nn.relu(x)", "x.relu()"),
    "gelu": ("tf.nn.gelu(x)", "torch.nn.functional.gelu(x)"),
    "silu": ("tf.nn.silu(x)", "torch.nn.functional.silu(x)"),
    "selu": ("tf.nn.selu(x)", "torch.nn.functional.selu(x)"),
    "softplus": ("tf.nn.softplus(x)", "torch.nn.functional.softplus(x)"),
    "dropout": ("tf.nn.dropout(x, 0.5)", "torch.nn.functional.dropout(x, 0.5)"),
    "bias_add": ("tf.nn.bias_add(x, rowf)", "x + rowf"),
    "cross entropy": ("tf.nn.sparse_softmax_cross_entropy_with_logits(rows, x)", None),
    "sigmoid cross entropy": ("tf.nn.sigmoid_cross_entropy_with_logits(p, x)", None),
    "layer norm": (
        "tf.nn.batch_normalization(x, *tf.nn.moments(x, [1], keepdims=True), rowf, rowf, 1e-5)",
        "torch.nn.functional.layer_norm(x, [1000], rowf, rowf)",
    ),
    "moments": ("tf.nn.moments(x, [0])", "torch.var_mean(x, 0)"),
    "conv2d": ("tf.nn.conv2d(image, filters, 1, 'SAME')", None),
    "conv2d stride": ("tf.nn.conv2d(image, filters, 2, 'SAME')", None),
    "depthwise_conv2d": ("tf.nn.depthwise_conv2d(image, depth, [1, 1, 1, 1], 'SAME')", None),
    "max_pool2d": ("tf.nn.max_pool2d(image, 2, 2, 'VALID')", None),
    "avg_pool2d": ("tf.nn.avg_pool2d(image, 2, 2, 'VALID')", None),
    "resize": ("tf.image.resize(image, [48, 48])", None),
    "rfft": ("tf.signal.rfft(x)", "torch.fft.rfft(x)"),
    "fft": ("tf.signal.fft(z)", "torch.fft.fft(z)"),
    "frame": ("tf.signal.frame(f, 256, 128)", "f.unfold(0, 256, 128)"),
    "stft": ("tf.signal.stft(f, 256, 128)", None),
    "fake_quant": ("tf.quantization.fake_quant_with_min_max_args(x)", None),
    "random normal": ("tf.random.normal([1000, 1000])", "torch.randn(1000, 1000)"),
    "random uniform": ("tf.random.uniform([1000, 1000])", "torch.rand(1000, 1000)"),
    "shuffle": ("tf.random.shuffle(x)", None),
    "linalg inv": ("tf.linalg.inv(square)", "torch.linalg.inv(square)"),
    "cholesky": ("tf.linalg.cholesky(spd)", "torch.linalg.cholesky(spd)"),
    "band_part": ("tf.linalg.band_part(x, 5, 5)", None),
    "diag": ("tf.linalg.diag(rowf)", "torch.diag(rowf)"),
    "zeros": ("tf.zeros([1000, 1000])", "torch.zeros(1000, 1000)"),
    "range": ("tf.range(1000000)", "torch.arange(1000000)"),
    "constant": ("tf.constant(array)", "torch.tensor(array)"),
    "numpy": ("x.numpy()", "x.numpy().copy()"),
    "assign": ("w.assign(x)", "w.copy_(x)"),
    "assign_add": ("w.assign_add(x)", "w.add_(x)"),
    "is_finite": ("tf.math.is_finite(x)", "x.isfinite()"),
    "reduce_all": ("tf.reduce_all(m)", "m.all()"),
    "equal": ("x == y", "x == y"),
    "bitcast xor": ("tf.bitwise.bitwise_xor(k, k)", "k ^ k"),
    "searchsorted": ("tf.searchsorted(ordered, f)", "torch.searchsorted(ordered, f)"),
    "as_string": ("tf.strings.as_string(k[0])", None),
}
TABLES: dict[str, dict] = {"small": SMALL, "large": LARGE}


def inputs(engine: str) -> dict:
    """The arguments of the calls, the same for all engines."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.normal(size=shape).astype("float32")

    square = normal(300, 300)
    array = normal(1000, 1000)
    values = {
        "a": normal(8, 8), "b": normal(8, 8), "i": np.array([0, 3, 5], "int32"),
        "x": array, "y": normal(1000, 1000), "p": np.abs(normal(1000, 1000)) + 0.1,
        "f": normal(1_000_000), "m": array > 0.5, "k": rng.integers(1, 999, (1000, 1000), "int32"),
        "rows": rng.integers(0, 1000, 1000, "int32"), "rowf": normal(1000),
        "small": rng.integers(0, 1000, 1_000_000, "int32"),
        "pairs": rng.integers(0, 1000, (1000, 2), "int32"), "image": normal(4, 64, 64, 64),
        "filters": normal(3, 3, 64, 64), "depth": normal(3, 3, 64, 1),
        "z": (normal(1000, 1000) + 1j * normal(1000, 1000)).astype("complex64"),
        "square": square, "spd": square @ square.T + 300 * np.eye(300, dtype="float32"),
        "ordered": np.sort(normal(1000)), "batch": normal(64, 128, 128),
    }  # fmt: skip
    if engine == "torch":
        torch = importlib.import_module("torch")
        found = {k: torch.from_numpy(v) for k, v in values.items()}
        return {
            **found, "torch": torch, "array": array, "v": found["a"].clone(),
            "w": found["x"].clone(),
        }  # fmt: skip
    tf = importlib.import_module(engine)
    found = {k: tf.constant(v) for k, v in values.items()}
    variables = {"v": tf.Variable(found["a"]), "w": tf.Variable(found["x"])}
    return {**found, **variables, "tf": tf, "array": array}


def best_of(call: Callable, seconds: float) -> float:
    """Microseconds that one call takes: the best of the stretches that fit into the time given."""
    call()
    start = time.perf_counter()
    call()
    number = max(1, int(0.02 / max(time.perf_counter() - start, 1e-7)))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(number):
            call()
        best = min(best, (time.perf_counter() - start) / number)
    return 1e6 * best


def run_engine(engine: str, group: str, names: list[str], seconds: float) -> dict[str, float]:
    """Times the calls of one engine in this process."""
    if group == "import":
        module = "torchtf" if engine == "torchtf" else "torch"
        start = time.perf_counter()
        importlib.import_module(module)
        return {"import": 1e6 * (time.perf_counter() - start)}
    scope, found = inputs(engine), {}
    for name in names:
        code = TABLES[group][name][engine == "torch"]
        if code is not None:
            found[name] = best_of(eval(f"lambda: {code}", scope), seconds)
    return found


def compare(group: str, names: list[str], rounds: int, seconds: float) -> dict:
    """The best time of each engine for each call, in microseconds."""
    best: dict[str, dict[str, float]] = {name: {} for name in names}
    for _ in range(rounds):
        for engine in ENGINES[1:] if group == "import" else ENGINES:
            command = [sys.executable, __file__, "--engine", engine, "--groups", group]
            command += ["--seconds", str(seconds), "--only", *names]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{engine} failed:\n{done.stderr[-3000:]}")
            for name, value in json.loads(done.stdout.splitlines()[-1]).items():
                best[name][engine] = min(value, best[name].get(engine, value))
    return best


def show(group: str, best: dict) -> None:
    """Prints the table of one group."""
    print(f"{group:<24}" + "".join(f"{e:>12}" for e in ENGINES) + f"{'ratio':>8}")
    for name, times in best.items():
        columns = "".join(f"{times[e]:>12.1f}" if e in times else f"{'-':>12}" for e in ENGINES)
        ratio = times["torchtf"] / times["torch" if group == "import" else "tensorflow"]
        print(f"{name:<24}{columns}{ratio:>8.2f}{' !' if ratio > AIMS[group] else ''}")


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", nargs="+", choices=AIMS, default=list(AIMS))
    parser.add_argument("--only", nargs="+", help="the calls to time; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.1, help="for each call and round")
    parser.add_argument("--json", help="write the tables to this file, too")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    options = parser.parse_args()
    tables = {}
    for group in options.groups:
        table = TABLES.get(group, {"import": None})
        names = [n for n in table if not options.only or n in options.only]
        if options.engine:
            print(json.dumps(run_engine(options.engine, group, names, options.seconds)))
            return
        if names:
            tables[group] = compare(group, names, options.rounds, options.seconds)
            show(group, tables[group])
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(tables, file, indent=1)


if __name__ == "__main__":
    main()
