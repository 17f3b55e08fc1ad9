"""What Python values become, and what bad arguments raise: TensorFlow's classes, in its words."""

from __future__ import annotations

import re

import numpy as np
import pytest

import torchtf
from tests.oracle import cases, each

# -- values


@cases({}, each("tf.constant({})", [
    "[1, True]", "[1.0, True]", "[True, False]", "[1, 1.5]", "[1.5, 1]", "[1j, 1]",
    "[np.int64(1), np.int64(2)]", "[1, np.int64(2)]", "[np.int8(1), 300]", "[np.int64(1), 2.5]",
    "[np.float64(1), 2]", "[1., np.float64(2)]", "[np.float32(1), np.float64(2)]",
    "[np.float16(1), 2]", "[1, np.float32(2.5)]", "[np.array([1, 2]), [3, 4]]",
    "[np.array([1., 2.]), [1, 2]]", "[[1., 2.], np.array([1, 2])]", "[np.array([1, 2], np.int8)]",
    "[np.array([1, 2]), np.array([3.5, 4])]", "[np.array(['a'])]", "[2**40, 1]",
    "[True, 1], tf.int32", "[2**64], tf.float32", "np.array(['1.5']), tf.float32",
]), traced=False)  # fmt: skip
def test_lists(case):
    case.check()


@cases({}, [
    "tf.constant([1, 2]) == tf.constant([1, 2, 3])", "tf.constant([1, 2]) != [1, 2, 3]",
    "tf.constant([[1, 2]]) == tf.constant([1, 2])", "tf.constant([1, 2]) == tf.constant([1., 2.])",
    "tf.concat([[1.0], [2]], 0)", "np.asarray(tf.constant([1, 2])).flags.writeable", "tf.string.size", "tf.float16.limits",
    "tf.bool.limits", "tf.as_dtype(int)", "tf.as_dtype('int')", "tf.TensorShape([-1])",
], traced=False)  # fmt: skip
def test_rules(case):
    case.check()


def test_arrays_that_share_memory_cannot_change_constants():
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(torchtf.constant(1))[...] = 7
    assert int(torchtf.constant(1)) == 1


# -- errors

BAD_CALLS = [
    *each("tf.constant({})", [
        "[[1.5]], tf.int32", "['a'], tf.float32", "1j, tf.float32", "[1], tf.bool", "[1, 1j]",
        "[1, 'a']", "[1, None]", "[None, 1]", "[True, 1]", "[1, [2]]", "[[1], 2]", "[[1], [2, 3]]",
        "[[1], [[2]]]", "2**70", "[2**70]", "2**63", "[1, object]",
    ]),
    "tf.convert_to_tensor([tf.constant(1), 2.5])", "tf.zeros([2.0])", "tf.zeros('a')",
    "tf.reshape([1, 2], [2.0])", "tf.reshape([1, 2], 'a')", "tf.reshape([1, 2], [1, 'a'])",
    "tf.reshape([1, 2], [1, -2])", "tf.reshape([1, 2], [-1, -3])", "tf.tile([1, 2], [1, 'a'])", "tf.fill([2], [1, 2])",
    "tf.tile([1, 2], [2.0])", "tf.tile([[1], [2]], [1, -1])", "tf.tile([1], 2)",
    "tf.broadcast_to([1, 2], [2.0, 2])", "tf.broadcast_to([1, 2], [-1, 2])",
    "tf.broadcast_to([[1]], [4])", "tf.random.normal([2.5])", "tf.expand_dims([1], None)",
    "tf.reduce_sum([[1]], axis=1.0)", "tf.reduce_sum([[1]], axis='a')",
    "tf.transpose([[1, 2]], [0, 1, 2])", "tf.transpose([[1, 2]], [0, 0])",
    "tf.transpose([[1, 2]], [5, 0])", "tf.pad([[1]], [[1, 1], [1, 1]], 'FOO')",
    "tf.pad([[1, 2]], [[1, 1]])", "tf.pad([[1, 2]], [[1, 1], [2, 2]], 'REFLECT')",
    "tf.concat([[1], ['a']], 0)", "tf.concat([[1], [2.5]], 0)", "tf.concat([[1], [2]], 1.0)",
    "tf.stack([1, 'a'])", "tf.split([1, 2], 0)", "tf.unstack([1, 2], num=3)",
    "tf.where([True, False], [1, 2, 3], [1, 2, 3])", "tf.where([1], 1, 2)",
    "tf.gather([[1]], [0], axis=3)", "tf.gather([1], [0], axis='a')",
    "tf.Variable([1., 2.]).assign_add([1.])", "tf.Variable([[1, 2]]).assign_sub([1])",
    "tf.Variable([1.]).scatter_update(tf.IndexedSlices([2.], [3]))",
    "tf.Variable([1.]).scatter_nd_add([[3]], [2.])", "tf.Variable([1.]).sparse_read([3])",
    "tf.Variable([1.]).gather_nd([[3]])", "tf.Variable([1.]).scatter_sub(3.)",
    "tf.gather_nd([[1]], [[5, 0]])", "tf.scatter_nd([[10]], [1], [5])",
    "tf.tensor_scatter_nd_update([1, 2], [[20]], [1])", "tf.scatter_nd([[1]], [1, 2], [5])",
    "tf.slice([1, 2], 1, 2)", "tf.slice([1, 2], [0], [2.])",
    *each("tf.constant([[1, 2], [3, 4]])[{}]", ["-5", "0, 9", "..., ...", "::0", "True"]),
    "tf.strided_slice([1, 2], [0], [2, 2])", "tf.one_hot([0.5], 3)", "tf.one_hot([1], [3])",
    "tf.math.logical_not(1)", "tf.reduce_any([1])", "tf.constant('a') + 1",
    "tf.math.segment_sum([1, 2, 3], [0, 1, 0])", "tf.math.segment_sum([1, 2, 3], [0, 0, -1])",
    "tf.math.segment_sum([1, 2], [0])", "tf.math.unsorted_segment_sum([1, 2], [0, 5], 2)",
    "tf.linalg.inv([[0., 0.], [0., 0.]])", "tf.linalg.inv([[1., 2.]])", "tf.linalg.svd([1.])",
    "tf.linalg.solve([[1., 0.], [0., 1.]], [[1.]])", "tf.nn.dropout([1.], 'a')",
    "tf.RaggedTensor.from_value_rowids([1, 2, 3], [0, 1])",
]  # fmt: skip


def _error(tf, code: str) -> Exception:
    with pytest.raises(Exception) as info:
        eval(code, {"tf": tf, "np": np})
    return info.value


def _essence(error: Exception) -> str:
    """The message without the names of kernels and the lists of types."""
    text = re.sub(r"{{function_node [^}]*}}\s?", "", str(error))
    text = re.sub(
        r"Value for attr '\w+' of (\w+) is not .*", r"\1 is not allowed", text, flags=re.S
    )
    text = text.partition("\n\t; NodeDef")[0]
    return re.sub(r"\s*(\[Op:\w*\])?( name: .*)?$", "", text).strip()


@pytest.mark.parametrize("code", BAD_CALLS)
def test_bad_calls(code):
    import tensorflow

    want, have = _error(tensorflow, code), _error(torchtf, code)
    assert type(have).__name__ == type(want).__name__, f"{want!r}\n{have!r}"
    assert _essence(have) == _essence(want)


# Which calls name a kernel's attributes and a node behind it is TensorFlow's, too.
WHOLE_TEXTS = [
    "tf.reshape(y, [4, -1])",
    "tf.reshape(y, (4, 4), name='r')",
    "tf.transpose(y, [0, 1, 2])",
    "tf.gather(y, [5])",
    "tf.gather(y, tf.constant([5]))",
    "tf.gather(y, np.array([5]))",
    "tf.gather(y, 5)",
    "tf.concat([y, tf.ones([3, 3])], 1)",
    "tf.concat([[1.], [[2.]]], 0)",
    "tf.stack([y, tf.ones([4])])",
    "tf.stack([[1.], [2., 3.]])",
    "tf.slice(y, [0, 0], [5, 5])",
    "tf.tile(y, [1])",
    "tf.reduce_sum(y, axis=5)",
    "tf.reduce_sum([1, 2], 4)",
    "tf.argmax([1, 2], 4)",
    "tf.squeeze(y, [0])",
    "tf.pad(y, [[1]])",
    "tf.pad(y, [[1, 1]], constant_values=2)",
    "y + tf.ones([4])",
    "y + [1., 2.]",
    "tf.scatter_nd([[9]], [1], [3])",
    "tf.one_hot([1], -3)",
    "tf.linalg.inv([[1., 2.]])",
    "tf.linalg.inv(y)",
    "tf.matmul(y, y, name='m')",
    "tf.matmul(y, [[1., 2.]])",
    "tf.unstack(y, 5)",
    "tf.split(tf.range(3), [2, 2], name='s')",
    "tf.split([1, 2, 3], [2, 2])",
    "tf.range(1, 5, 0)",
    "tf.linspace(0., 1., -1)",
    "tf.fill([-1], 2)",
    "tf.zeros([-1])",
    "tf.eye(-2)",
    "tf.random.uniform([-1])",
    "tf.add_n([y, tf.ones([4])])",
    "tf.nn.bias_add(y, tf.ones([9]))",
    "tf.nn.max_pool2d(tf.ones([1, 2, 2, 3]), 5, 1, 'VALID')",
    "tf.nn.softmax_cross_entropy_with_logits(y, tf.ones([2, 5]))",
    "tf.strings.to_number('a')",
    "tf.strings.to_number(tf.constant('a'))",
    "tf.strings.substr('abc', 5, 1)",
    "tf.io.decode_raw('abc', tf.int32)",
    "y[5]",
    "y[..., 0, 0, 0]",
    "tf.Variable(y)[5]",
    "tf.ragged.constant([[1, 2], [3]]) + tf.ragged.constant([[1], [3]])",
    "tf.ragged.constant([[1, 2], [3]]) + [[1, 2, 3], [4, 5, 6]]",
    "tf.ragged.constant([[1, 2], [3]]) + tf.ragged.constant([[1, 2], [3], [4]])",
    "tf.ragged.constant([[1, 2], [3]]) * [1, 2]",
]


@pytest.mark.parametrize("code", WHOLE_TEXTS)
def test_whole_texts(code):
    import tensorflow

    y = "tf.ones([2, 3])"
    code = re.sub(r"\by\b", y, code)
    assert str(_error(torchtf, code)) == str(_error(tensorflow, code))
