"""Datasets that `tf.keras.utils` makes of folders and arrays, beside TensorFlow's."""

from __future__ import annotations

import json

import pytest

from tests.conftest import results_of_both

PROGRAM = """
import importlib, json, os, struct, sys, wave
import numpy as np
tf = importlib.import_module(sys.argv[1])
rng = np.random.default_rng(0)
for name in ("cats", "dogs", "eels"):
    os.makedirs(f"images/{name}/more", exist_ok=True)
    os.makedirs(f"texts/{name}", exist_ok=True)
    os.makedirs(f"sounds/{name}", exist_ok=True)
    for i in range(4):
        pixels = rng.integers(0, 255, (12 + i, 10 + 2 * i, 3)).astype("uint8")
        folder = f"images/{name}/more" if i == 3 else f"images/{name}"
        tf.io.write_file(f"{folder}/{i}.png", tf.io.encode_png(pixels))
        open(f"texts/{name}/{i}.txt", "w").write(f"{name} say {i} " * (i + 1))
        with wave.open(f"sounds/{name}/{i}.wav", "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(rng.integers(-30000, 30000, 10 + i).astype("<i2").tobytes())
    open(f"images/{name}/notes.md", "w").write("no image")


def plain(value):
    value = value.numpy() if hasattr(value, "numpy") else value
    if hasattr(value, "to_list"):
        value = value.to_list()
    value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.decode() if isinstance(value, bytes) else value


def described(dataset):
    if isinstance(dataset, (list, tuple)):
        return [described(d) for d in dataset]
    assert isinstance(dataset, tf.data.Dataset)
    return [repr(dataset.element_spec), int(dataset.cardinality()),
            getattr(dataset, "class_names", None), getattr(dataset, "file_paths", None),
            [plain(element) for element in dataset]]


def asked(question):
    try:
        return described(question())
    except Exception as e:
        return [type(e).__name__, str(e)]


def images(**options):
    return lambda: utils.image_dataset_from_directory(
        "images", **{"image_size": (4, 4), "batch_size": 5, "seed": 1, **options})


def texts(**options):
    return lambda: utils.text_dataset_from_directory(
        "texts", **{"batch_size": 5, "seed": 2, **options})


def sounds(**options):
    return lambda: utils.audio_dataset_from_directory(
        "sounds", **{"batch_size": 5, "seed": 3, **options})


def series(*arrays, **options):
    return lambda: utils.timeseries_dataset_from_array(*arrays, **options)


utils = tf.keras.utils
x = np.arange(20)
found = {name: asked(eval(name)) for name in json.loads(sys.argv[2])}
print("RESULT", json.dumps(found))
"""

QUESTIONS = [
    "images()",
    "images(shuffle=False, label_mode='categorical')",
    "images(label_mode='binary', class_names=['eels', 'cats'])",
    "images(label_mode='binary')",
    "images(label_mode=None, shuffle=False, interpolation='nearest')",
    "images(labels=None, label_mode=None)",
    "images(labels=[2, 1] * 6, shuffle=False)",
    "images(labels=[2, 1])",
    "images(class_names=['cats'])",
    "images(color_mode='rgba', interpolation='area', shuffle=False)",
    "images(color_mode='cmyk')",
    "images(validation_split=0.25, subset='training')",
    "images(validation_split=0.25, subset='validation')",
    "images(validation_split=0.3, subset='both')",
    "images(validation_split=0.25)",
    "images(validation_split=0.25, subset='training', seed=None)",
    "images(batch_size=None, shuffle=False)",
    "images(crop_to_aspect_ratio=True, image_size=(4, 7), shuffle=False)",
    "images(pad_to_aspect_ratio=True, shuffle=False, data_format='channels_first')",
    "images(pad_to_aspect_ratio=True, crop_to_aspect_ratio=True)",
    "texts()",
    "texts(max_length=9, shuffle=False, label_mode='categorical')",
    "texts(validation_split=0.3, subset='both', batch_size=None)",
    "sounds(output_sequence_length=8)",
    "sounds(ragged=True, shuffle=False)",
    "sounds(sampling_rate=4000)",
    "series(x, x * 10, sequence_length=4)",
    "series(x, x * 10, sequence_length=4, sequence_stride=2, sampling_rate=2, batch_size=3)",
    "series(x, None, sequence_length=5, batch_size=None, start_index=3, end_index=15)",
    "series(x, x * 10, sequence_length=4, shuffle=True, seed=7, batch_size=4)",
    "series(x.reshape(10, 2), x, sequence_length=3, batch_size=4)",
    "series(x, x, sequence_length=3, start_index=5, end_index=2)",
    "series(x, x, sequence_length=3, sampling_rate=30)",
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What TensorFlow and torchtf say to each question."""
    return results_of_both(tmp_path_factory, PROGRAM, json.dumps(QUESTIONS))


def assert_alike(found, expected):
    if isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_alike(a, b)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-3)
    else:
        assert found == expected


@pytest.mark.parametrize("question", QUESTIONS)
def test_folders_and_arrays_become_tensorflows_datasets(answers, question):
    assert_alike(answers["torchtf"][question], answers["tensorflow"][question])
