"""Branches, loops and TensorArrays in exported functions: TensorFlow and LiteRT take every path."""

from __future__ import annotations

import numpy as np
import pytest

import torchtf as tf

SCALAR, COUNT, ROWS = (
    tf.TensorSpec([], tf.float32),
    tf.TensorSpec([], tf.int32),
    tf.TensorSpec([None, 3], tf.float32),
)


def branches(x):
    if tf.reduce_sum(x) > 0:
        y = x * 2
    elif x[0, 0] < -1:
        y = x
    else:
        y = x - 1
    return y


def counted(n, x):
    total = tf.constant(0.0)
    for i in tf.range(n):
        if x > 10.0:
            break
        if i % 2 == 0:
            continue
        x = x * 2
        total += tf.cast(i, tf.float32)
    return total, x


def collected(x):
    rows = tf.TensorArray(tf.float32, size=tf.shape(x)[0])
    for i in tf.range(tf.shape(x)[0]):
        rows = rows.write(i, x[i] * tf.cast(i, tf.float32))
    return rows.stack()


def scanned(x):
    return tf.scan(lambda a, b: a * 0.5 + b, x)


def switched(n, x):
    return tf.switch_case(n, [lambda: x, lambda: x + 1, lambda: -x])


R = np.float32([[1, 2, 3], [4, 5, 6]])
CASES = {
    "branches": (branches, [ROWS], [(R,), (-R,), (-R / 4,)]),
    "counted": (counted, [COUNT, SCALAR], [(0, 1.0), (5, 1.0), (9, 7.0), (3, 11.0)]),
    "collected": (collected, [ROWS], [(R,), (R[:1],)]),
    "scanned": (scanned, [ROWS], [(R,), (np.tile(R, (3, 1)),)]),
    "switched": (switched, [COUNT, SCALAR], [(0, 1.0), (1, 1.0), (2, 1.0), (7, 1.0)]),
}


@pytest.fixture(scope="module")
def functions():
    return {k: tf.function(f, input_signature=specs) for k, (f, specs, _) in CASES.items()}


@pytest.fixture(scope="module")
def folder(functions, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("control") / "1")
    tf.saved_model.save(tf.Module(), path, signatures=functions)
    return path


@pytest.fixture(scope="module")
def interpreter(folder):
    content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    return tf.lite.Interpreter(model_content=content)


@pytest.mark.parametrize("name", CASES)
def test_every_path(name, functions, folder, interpreter, run):
    function, specs, inputs = CASES[name]
    names = function.__code__.co_varnames[: len(specs)]
    runner = interpreter.get_signature_runner(name)
    loaded = tf.saved_model.load(folder).signatures[name]
    for values in inputs:
        arrays = [np.asarray(v, s.dtype.as_numpy_dtype) for v, s in zip(values, specs, strict=True)]
        want = tf.nest.flatten(function(*arrays))  # our eager loop; its paths are Python's
        given = dict(zip(names, arrays, strict=True))
        results = {
            "TensorFlow": run("run_saved_model", given, folder=folder, signature=name),
            "LiteRT": runner(**given),
            "torch": {k: v.numpy() for k, v in loaded(**given).items()},
        }
        for where, got in results.items():
            for i, value in enumerate(want):
                np.testing.assert_allclose(
                    got[f"output_{i}"], np.asarray(value), rtol=1e-6, err_msg=f"{where} {values}"
                )


def test_what_has_no_size_is_refused(tmp_path):
    @tf.function(input_signature=[ROWS])
    def growing(x):
        rows = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
        for row in x:
            rows = rows.write(rows.size(), row)
        return rows.stack()

    with pytest.raises(NotImplementedError, match="grows"):
        tf.saved_model.save(tf.Module(), str(tmp_path / "m"), signatures=growing)
    assert not (tmp_path / "m").exists()
