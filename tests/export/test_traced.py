"""Graphs of torchtf go to ONNX as they were traced; what needs another trace gets one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import torchtf as tf
from export import traced
from torchtf.saved_model import signature_of

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
