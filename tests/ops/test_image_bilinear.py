"""Bilinear resizing by our own kernel: TensorFlow's values to the last bit, and what stands in."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow

import torchtf
from torchtf.core import bilinear

# [height, width, channels], or a batch of such
SHAPES = [
    (1, 1, 3), (5, 7, 3), (48, 64, 3), (37, 53, 1), (11, 9, 4), (9, 4, 2), (13, 8, 7), (1, 300, 3),
    (2, 6, 5, 3), (3, 20, 15, 5), (0, 4, 4, 3),
]  # fmt: skip
SIZES = [(1, 1), (5, 7), (10, 14), (96, 80), (3, 9), (64, 17), (1, 50)]
TYPES = ["uint8", "float32", "float64", "float16", "int32", "int8", "int16", "uint16", "int64"]


@pytest.fixture
def kernel():
    """The kernel, which this machine can compile: else these tests would test ATen's."""
    assert bilinear._kernel() is not None


@pytest.mark.parametrize("dtype", TYPES)
def test_values_are_tensorflows_bit_for_bit(kernel, dtype):
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        images = (rng.random(shape) * 120).astype(dtype)
        for size in SIZES:
            expected = tensorflow.image.resize(images, size).numpy()
            found = torchtf.image.resize(images, size).numpy()
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected, f"{shape} {size}")


def test_a_large_batch_in_threads(kernel):
    images = np.random.default_rng(0).integers(0, 256, (5, 60, 70, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        torchtf.image.resize(images, (301, 280)), tensorflow.image.resize(images, (301, 280))
    )


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_views_and_graphs(kernel, dtype):
    images = (np.random.default_rng(0).random((2, 30, 40, 3)) * 255).astype(dtype)

    def program(tf):
        x = tf.constant(images)
        views = [x[:, 3:20, 5:31], x[..., ::-1], tf.transpose(x, [0, 2, 1, 3]), x[:, ::2]]
        graph = tf.function(
            lambda v: tf.image.resize(v, [21, 33]) + tf.cast(v[0, 0, 0, 0], "float32")
        )
        mapped = tf.data.Dataset.from_tensor_slices(images).map(
            lambda v: tf.image.resize(v, [9, 50])
        )
        return [
            *[tf.image.resize(v, [21, 33]).numpy() for v in views],
            *[graph(v).numpy() for v in views],
            *mapped.batch(2).as_numpy_iterator(),
        ]  # fmt: skip

    for found, expected in zip(program(torchtf), program(tensorflow), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_gradients_take_the_recorded_way():
    image = np.random.default_rng(0).random((6, 5, 3), dtype=np.float32)

    def gradient(tf):
        x = tf.constant(image)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.image.resize(x, [9, 4]) ** 2)
        return tape.gradient(y, x).numpy()

    np.testing.assert_allclose(gradient(torchtf), gradient(tensorflow), rtol=1e-5)


RESIZES = """
    import numpy as np
    import torchtf as tf
    from torchtf.core import bilinear
    image = tf.constant(np.arange(60, dtype=np.float32).reshape(4, 5, 3))
    print(np.abs(tf.image.resize(image, [9, 7]).numpy()).sum().round(1))
    print(bilinear._kernel() is not None)
"""


def test_without_a_compiler_atens_kernel_does_it(run_python, tmp_path):
    image = np.arange(60, dtype=np.float32).reshape(4, 5, 3)
    expected = tensorflow.image.resize(image, [9, 7]).numpy().sum().round(1)
    lacks = {"CC": str(tmp_path / "no_compiler"), "TORCHTF_CACHE": str(tmp_path / "cache")}
    assert run_python(RESIZES, env=lacks).split() == [str(expected), "False"]
    fails = dict(lacks, CC="false")
    assert run_python(RESIZES, env=fails).split() == [str(expected), "False"]
    assert not any((tmp_path / "cache").iterdir())


def test_a_damaged_library_is_compiled_anew(run_python, tmp_path):
    place = {"TORCHTF_CACHE": str(tmp_path / "cache")}
    run_python(RESIZES, env=place)
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(b"no library")
    assert run_python(RESIZES, env=place).split()[-1] == "True"
    assert kept.stat().st_size > 1000


def test_a_folder_that_cannot_be_written(run_python, tmp_path):
    (tmp_path / "file").write_text("")
    assert run_python(RESIZES, env={"TORCHTF_CACHE": str(tmp_path / "file")}).split()[-1] == "True"
