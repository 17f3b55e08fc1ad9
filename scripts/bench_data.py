"""Input pipelines per second: torchtf, TensorFlow and a plain torch DataLoader, in turns.

Each measurement runs in a process of its own; the engines take turns, so that a busy machine slows
all of them. Shown is the best of the rounds, in elements per second, and torchtf's ratio to
TensorFlow.

    python scripts/bench_data.py [--cases range,images] [--engines torchtf,tensorflow] [--rounds 3]

With `--fit` it measures instead whether training waits for its data: seconds per step of a ResNet's
`fit` on the pipeline of `augment`, and on the same batches held ready in memory, in turns.
"""

from __future__ import annotations

import argparse
import atexit
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
ENGINES = ("torchtf", "tensorflow", "torch")

# name -> function of (tf, size, folder) that gives a dataset and its number of elements
CASES: dict[str, Callable] = {}
# the same pipelines by hand with torch's DataLoader, where that makes sense
LOADERS: dict[str, Callable] = {}


def case(function: Callable) -> Callable:
    CASES[function.__name__.removeprefix("case_")] = function
    return function


def loader(function: Callable) -> Callable:
    LOADERS[function.__name__.removeprefix("loader_")] = function
    return function


# -- pipelines


@case
def case_range(tf, scale, folder):
    n = int(1_000_000 * scale)
    dataset = tf.data.Dataset.range(n).map(lambda x: x * 2).filter(lambda x: x % 3 == 0)
    return dataset.batch(32), n


@case
def case_slices(tf, scale, folder):
    n = int(200_000 * scale)
    features = np.random.default_rng(0).random((n, 32), dtype=np.float32)
    labels = np.arange(n)
    return tf.data.Dataset.from_tensor_slices((features, labels)).batch(64), n


@loader
def loader_slices(torch, scale, folder):
    n = int(200_000 * scale)
    features = torch.rand(n, 32)
    data = torch.utils.data.TensorDataset(features, torch.arange(n))
    return torch.utils.data.DataLoader(data, batch_size=64), n


def _images(scale):
    n = int(50_000 * scale)
    images = np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    return images, np.arange(n) % 10, n


@case
def case_images(tf, scale, folder):
    images, labels, n = _images(scale)
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(n)
    dataset = dataset.map(
        lambda x, y: (tf.cast(x, tf.float32) / 255.0, y), num_parallel_calls=tf.data.AUTOTUNE
    )
    return dataset.batch(128).prefetch(tf.data.AUTOTUNE), n


@loader
def loader_images(torch, scale, folder):
    images, labels, n = _images(scale)
    images, labels = torch.from_numpy(images), torch.from_numpy(labels)

    class Images(torch.utils.data.Dataset):  # type: ignore[name-defined]
        def __len__(self):
            return n

        def __getitem__(self, i):
            return images[i].float() / 255.0, labels[i]

    return torch.utils.data.DataLoader(Images(), batch_size=128, shuffle=True), n


@case
def case_augment(tf, scale, folder):
    return _augmented(tf, *_images(scale))


def _augmented(tf, images, labels, n):
    def augment(image, label):
        image = tf.cast(image, tf.float32) / 255.0
        image = tf.image.random_flip_left_right(image)
        image = tf.image.random_brightness(image, max_delta=0.2)
        image = tf.image.random_contrast(image, lower=0.8, upper=1.2)
        return tf.clip_by_value(image, 0.0, 1.0), label

    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(n)
    dataset = dataset.map(augment, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(128).prefetch(tf.data.AUTOTUNE), n


@case
def case_generator(tf, scale, folder):
    n = int(30_000 * scale)
    spec = (tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.int32))
    dataset = tf.data.Dataset.from_generator(
        lambda: ((i, 2 * i) for i in range(n)), output_signature=spec
    )
    return dataset.batch(32), n


@case
def case_text(tf, scale, folder):
    n = int(200_000 * scale)
    path = folder / "text.txt"
    path.write_text("".join(f"line number {i} of a text file\n" for i in range(n)))
    return tf.data.TextLineDataset(str(path)), n


def _examples(tf, folder, n):
    path = folder / "examples.tfrecord"
    rng = np.random.default_rng(0)
    values = rng.random((n, 64), dtype=np.float32)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for i in range(n):
            feature = {
                "x": tf.train.Feature(float_list=tf.train.FloatList(value=values[i])),
                "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[i])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    return str(path)


def _features(tf):
    return {"x": tf.io.FixedLenFeature([64], tf.float32), "y": tf.io.FixedLenFeature([], tf.int64)}


@case
def case_records(tf, scale, folder):
    n = int(50_000 * scale)
    path = str(folder / "plain.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for i in range(n):
            writer.write(b"%08d" % i * 40)
    return tf.data.TFRecordDataset(path), n


class _Each:
    """An iterable that starts a generator anew each time."""

    def __init__(self, function: Callable) -> None:
        self._function = function

    def __iter__(self):
        return self._function()


@case
def case_write(tf, scale, folder):
    n = int(50_000 * scale)

    def written():
        with tf.io.TFRecordWriter(str(folder / "written.tfrecord")) as writer:
            for i in range(n):
                yield writer.write(b"%08d" % i * 40)

    return _Each(written), n


@case
def case_parse_single(tf, scale, folder):
    n = int(10_000 * scale)
    dataset = tf.data.TFRecordDataset(_examples(tf, folder, n))
    features = _features(tf)
    return dataset.map(lambda r: tf.io.parse_single_example(r, features)).batch(64), n


@case
def case_parse_batch(tf, scale, folder):
    n = int(20_000 * scale)
    dataset = tf.data.TFRecordDataset(_examples(tf, folder, n)).batch(64)
    features = _features(tf)
    return dataset.map(lambda r: tf.io.parse_example(r, features)), n


@case
def case_jpeg(tf, scale, folder):
    from PIL import Image

    n = int(400 * scale)
    rng = np.random.default_rng(0)
    for i in range(16):
        pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((320, 240)).save(folder / f"{i}.jpg")
    names = [str(folder / f"{i % 16}.jpg") for i in range(n)]

    def read(name):
        image = tf.image.decode_jpeg(tf.io.read_file(name), channels=3)
        return tf.image.resize(image, [224, 224]) / 255.0

    dataset = tf.data.Dataset.from_tensor_slices(names)
    return dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(32), n


_servers: list = []  # they stop when nobody holds them


@case
def case_service(tf, scale, folder):
    """Batches of images from two workers of the tf.data service in this process."""
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer()
    address = dispatcher.target.split("://")[1]
    workers = [service.WorkerServer(service.WorkerConfig(address)) for _ in range(2)]
    _servers.extend([dispatcher, *workers])
    # TensorFlow's workers wait for ever when the process ends in the middle of a job
    atexit.register(lambda: (sys.stdout.flush(), os._exit(0)))
    n = int(20_000 * scale)
    images = np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    dataset = tf.data.Dataset.from_tensor_slices(images)
    dataset = dataset.map(lambda x: tf.cast(x, tf.float32) / 255.0).batch(32)
    return dataset.apply(service.distribute("distributed_epoch", dispatcher.target)), n


# -- measuring


def run_one(engine: str, name: str, scale: float) -> float:
    """Elements per second of one pipeline, after a short warm-up, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        if engine == "torch":
            import torch

            dataset, n = LOADERS[name](torch, scale, Path(folder))
        else:
            if engine == "torchtf":
                import torchtf as tf
            else:
                import tensorflow as tf  # type: ignore[no-redef]
            dataset, n = CASES[name](tf, scale, Path(folder))
        for _ in itertools.islice(dataset, 2):
            pass
        began = time.perf_counter()
        for _ in dataset:
            pass
        return n / (time.perf_counter() - began)


def fit_one(engine: str, scale: float, rounds: int) -> dict[str, float]:
    """Median seconds per step of `fit` with batches that are "ready", and "fed" by a pipeline."""
    from bench_models import import_tf, keras_model

    tf = import_tf(engine)
    model = keras_model(tf, "resnet16")
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fed, _ = _augmented(tf, *_images(scale))
    ready = fed.take(4).cache()
    sources = {"ready": ready.repeat(), "fed": fed.repeat()}
    ends: list[float] = []
    clock = tf.keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter())
    )
    durations: dict[str, list[float]] = {name: [] for name in sources}
    for turn in range(rounds + 1):
        for name, source in sources.items():
            ends.clear()
            model.fit(source, steps_per_epoch=12, verbose=0, callbacks=[clock])
            if turn:  # the first one traces
                durations[name] += np.diff(ends[1:]).tolist()
    return {name: float(np.median(values)) for name, values in durations.items()}


def fit_table(engines: list[str], rounds: int, scale: float) -> None:
    print(f"{'engine':16}{'ready':>14}{'fed':>14}{'ratio':>9}")
    for engine in engines:
        if engine != "torch":
            found = in_process("--run-fit", engine, "--rounds", str(rounds), "--scale", str(scale))
            if found is not None:
                cells = "".join(f"{found[k] * 1000:>11.1f} ms" for k in ("ready", "fed"))
                print(f"{engine:16}{cells}{found['fed'] / found['ready']:>8.2f}x", flush=True)


def measure(engine: str, name: str, scale: float) -> float | None:
    return in_process("--run", engine, name, "--scale", str(scale))


def in_process(*arguments: str):
    """What this script prints last with these arguments; None if it fails."""
    variables = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    done = subprocess.run(
        [sys.executable, __file__, *arguments], env=variables, capture_output=True, text=True
    )
    if done.returncode:
        print(f"{arguments}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def table(names: Iterable[str], engines: list[str], rounds: int, scale: float) -> None:
    print(f"{'pipeline':16}" + "".join(f"{e:>14}" for e in engines) + f"{'ratio':>9}")
    for name in names:
        best: dict[str, float] = {}
        for _ in range(rounds):
            for engine in engines:
                if engine == "torch" and name not in LOADERS:
                    continue
                rate = measure(engine, name, scale)
                if rate is not None:
                    best[engine] = max(rate, best.get(engine, 0.0))
        cells = [f"{best[e]:>14,.0f}" if e in best else f"{'-':>14}" for e in engines]
        both = "torchtf" in best and "tensorflow" in best
        ratio = f"{best['torchtf'] / best['tensorflow']:>8.1f}x" if both else ""
        print(f"{name:16}" + "".join(cells) + ratio, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default=",".join(CASES), help="names, separated by commas")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of elements")
    parser.add_argument("--fit", action="store_true", help="whether `fit` waits for its data")
    parser.add_argument("--run-fit", metavar="ENGINE", help=argparse.SUPPRESS)
    parser.add_argument("--run", nargs=2, metavar=("ENGINE", "CASE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        engine, case = options.run
        print(json.dumps(run_one(engine, case, options.scale)))
        return
    if options.run_fit:
        print(json.dumps(fit_one(options.run_fit, options.scale, options.rounds)))
        return
    if options.fit:
        fit_table(options.engines.split(","), options.rounds, options.scale)
        return
    unknown = set(options.cases.split(",")) - set(CASES)
    if unknown:
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}; known: {', '.join(CASES)}")
    table(options.cases.split(","), options.engines.split(","), options.rounds, options.scale)


if __name__ == "__main__":
    main()
