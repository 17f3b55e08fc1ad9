"""Graphs of torchtf go to ONNX as they were traced; what needs another trace gets one."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

import export
import torchtf as tf
from export import traced
from export.trace import trace, write_onnx
from torchtf.saved_model import keras_function, signature_of

SPEC = [tf.TensorSpec([None, 4], tf.float32)]


def signature(function, specs=SPEC):
    concrete = tf.function(function, input_signature=specs).get_concrete_function()
    return signature_of("f", concrete)


@pytest.mark.parametrize(
    ("function", "specs"),
    [
        (lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: -x), SPEC),
        (lambda x: tf.while_loop(lambda y: tf.reduce_sum(y) < 9, lambda y: [y + 1], [x])[0], SPEC),
        (lambda x: tf.cast(tf.cast(x, tf.float16) * 2, tf.float32), SPEC),
        (lambda x: tf.strings.as_string(x), SPEC),
        (lambda x: x + 1, [tf.TensorSpec(None, tf.float32)]),
        (lambda x: tf.convert_to_tensor((x * 2).torch().div_(3)), SPEC),
    ],
    ids=["condition", "loop", "half", "strings", "any rank", "in place"],
)
def test_a_graph_of_other_operators_is_not(function, specs):
    described = signature(function, specs)
    examples = [torch.ones(2, 4)]
    assert traced.program_of(described, examples) is None


def test_other_sizes_than_those_of_the_trace_need_one():
    described = signature(lambda x: x + 1)
    assert traced.program_of(described, [torch.ones(2, 4)]) is not None
    fixed = described.with_shapes([(3, 4)])
    assert traced.program_of(fixed, [torch.ones(3, 4)]) is None
    assert traced.program_of(signature(lambda x: x + 1).with_shapes([(None,)]), []) is None


def test_samples_may_be_read_only():
    """torch warns of such memory; a warning that the package causes is an error in these tests."""
    (x,) = signature(lambda x: x + 1).inputs
    sample = np.ones((2, 4), np.float32)
    sample.setflags(write=False)
    assert x.tensor(sample).tolist() == sample.tolist()


def recurrent(kind):
    """A Keras model whose recurrent layer is one node of its trace, for a free batch size."""
    inputs = tf.keras.Input((7, 3))
    outputs = tf.keras.layers.Dense(2)(kind(4, return_sequences=True)(inputs))
    return signature_of("f", keras_function(tf.keras.Model(inputs, outputs)))


@pytest.mark.parametrize(
    ("described", "operator"),
    [
        (lambda: signature(lambda x: tf.nn.relu(tf.matmul(x, tf.ones([4, 3])))), "MatMul"),
        (lambda: recurrent(tf.keras.layers.LSTM), "LSTM"),
        (lambda: recurrent(tf.keras.layers.GRU), "GRU"),
    ],
    ids=["product", "LSTM", "GRU"],
)
def test_a_graph_is_not_traced_again(described, operator, monkeypatch, tmp_path):
    def refuse(*args, **kwargs):
        raise AssertionError("traced once more")

    described = described()
    monkeypatch.setattr(torch.export, "export", refuse)
    monkeypatch.setattr(torch.export.ExportedProgram, "run_decompositions", refuse)
    program, _ = trace(described)
    write_onnx(program, tmp_path / "f.onnx", described)
    nodes = onnx.load(tmp_path / "f.onnx", load_external_data=False).graph.node
    assert operator in {node.op_type for node in nodes}


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_recurrent_layer_that_was_not_traced_again_computes_the_same(kind, tmp_path, quiet):
    described = recurrent(getattr(tf.keras.layers, kind))
    report = export.export_tflite(described, tmp_path / "f.tflite", options=quiet)
    (check,) = report.artifacts[0].checks
    assert max(d.largest for d in check.differences) < 1e-5


def test_indices_stay_narrow(tmp_path, quiet):
    """Indices of 32 bits are not widened, also where negative ones count from the end."""
    table = tf.constant(np.arange(12, dtype=np.float32).reshape(4, 3))
    specs = [tf.TensorSpec([None, 2], tf.int32)]

    def rows(ids):
        return tf.gather(table, ids)

    described = signature(rows, specs)
    program, _ = trace(described)
    write_onnx(program, tmp_path / "f.onnx", described)
    nodes = onnx.load(tmp_path / "f.onnx", load_external_data=False).graph.node
    assert "Gather" in {node.op_type for node in nodes}
    assert "Cast" not in {node.op_type for node in nodes}
    sample = {"ids": np.array([[0, 3], [2, 1], [3, 3]], np.int32)}
    options = export.Options(quiet=True, samples=[sample])
    export.export_saved_model(signature(rows, specs), tmp_path / "model", options=options)


def test_a_shape_that_nobody_reads_is_not_computed(tmp_path, quiet):
    """Of reshapes after another one is left; a product over the last axis needs none before it."""

    def reshapes(x):
        return tf.reshape(tf.reshape(x, [-1, 2]), [-1, 2, 2]) * 2.0

    def product(x):
        rows = tf.reshape(x, [-1, 4])
        return tf.reshape(tf.matmul(rows, tf.ones([4, 5])), [-1, 3, 5])

    found = {}
    for function, specs in (
        (reshapes, SPEC), (product, [tf.TensorSpec([None, 3, 4], tf.float32)]),
    ):  # fmt: skip
        file = tmp_path / f"{function.__name__}.tflite"
        report = export.export_tflite(signature(function, specs), file, options=quiet)
        (found[function.__name__],) = report.artifacts[0].operators.values()
    assert found["reshapes"]["RESHAPE"] == 1
    assert found["product"].get("RESHAPE", 0) == 0
