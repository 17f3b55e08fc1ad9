"""Pipelines over image files of many sizes: decoded, worked on and resized."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow
from PIL import Image

import torchtf


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    paths = []
    for i in range(24):
        pixels = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        paths.append(str(folder / f"{i}.jpg"))
        pixels.resize((70 + 7 * (i % 5), 60 + 9 * (i % 3))).save(paths[-1])
    return paths


def resized(tf, name):
    image = tf.image.decode_jpeg(tf.io.read_file(name), channels=3)
    return tf.image.resize(image, [224, 224]) / 255.0


def of_both(tf, name):
    image = tf.io.decode_image(tf.io.read_file(name), channels=3, expand_animations=False)
    image = tf.image.convert_image_dtype(image, tf.float32)
    return tf.image.resize(image, [16, 12]), tf.shape(image), name


def cropped(tf, name):
    image = tf.image.central_crop(tf.image.decode_jpeg(tf.io.read_file(name)), 0.7)
    mean = tf.reduce_mean(tf.cast(image, tf.float32), axis=[0, 1])
    return tf.image.resize_with_pad(image, 20, 20) - mean, tf.strings.length(name)


def used_twice(tf, name):
    image = tf.image.decode_jpeg(tf.io.read_file(name), channels=3)
    total = tf.reduce_sum(tf.cast(image + 1, tf.int32))
    return tf.image.resize(image, [15, 25]) + tf.cast(total, tf.float32)


@pytest.mark.parametrize("program", [resized, of_both, cropped, used_twice])
@pytest.mark.parametrize("parallel", [None, 3])
def test_elements_are_tensorflows(names, program, parallel):
    def elements(tf):
        dataset = tf.data.Dataset.from_tensor_slices(names)
        dataset = dataset.map(lambda n: program(tf, n), num_parallel_calls=parallel).batch(5)
        return list(dataset.as_numpy_iterator())

    for a, b in zip(elements(torchtf), elements(tensorflow), strict=True):
        for x, y in zip(torchtf.nest.flatten(a), torchtf.nest.flatten(b), strict=True):
            if x.dtype.kind == "f":
                np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5)
            else:
                np.testing.assert_array_equal(x, y)


def test_a_broken_file_is_the_error_of_its_element(names, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff and no more")

    def count(tf):
        dataset = tf.data.Dataset.from_tensor_slices([*names[:9], str(broken), *names[9:]])
        return sum(1 for _ in dataset.map(lambda n: resized(tf, n)).ignore_errors())

    assert count(torchtf) == count(tensorflow) == len(names)
