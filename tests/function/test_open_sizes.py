"""Graphs with open sizes: right for every size, the hint's own value included.

Each line is traced once with the first size of `x`, `y`, `v`, `i` open and then run at several
sizes, beside the same line run eagerly. Eager values are TensorFlow's (see tests/ops).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

import torchtf as tf
from torchtf.function.sizes import HINT

SIZES = (1, 2, 3, 0, 7, HINT)


def _inputs(n: int) -> dict:
    rng = np.random.default_rng(n)
    return {
        "x": tf.constant(rng.normal(size=(n, 3)).astype("float32")),
        "y": tf.constant(rng.normal(size=(n, 3)).astype("float32")),
        "v": tf.constant(rng.normal(size=n).astype("float32")),
        "i": tf.constant(rng.integers(0, 3, n).astype("int32")),
    }


SPECS = {
    "x": tf.TensorSpec([None, 3]),
    "y": tf.TensorSpec([None, 3]),
    "v": tf.TensorSpec([None]),
    "i": tf.TensorSpec([None], tf.int32),
}

PROGRAMS = [
    "tf.eye(5)[:tf.shape(x)[0]] + 0.0", "tf.eye(5)[tf.shape(x)[0]:]", "tf.eye(5)[-tf.shape(x)[0]:]",
    "x + y", "x * v[:, None]", "x + tf.ones([1, 3])", "v + v[:1]", "x[:2] + 0.0", "x[-2:], x[::2]",
    "tf.shape(x[:5])", "tf.reshape(x, [tf.shape(x)[0] * 3])", "tf.reshape(x, [-1])",
    "tf.reshape(x, [3, -1])", "tf.reshape(x, [-1, 3, 1])", "tf.transpose(x) @ y",
    "tf.einsum('bi,bj->bij', x, y)", "tf.einsum('bi,bi->b', x, y)", "x @ tf.transpose(y)",
    "tf.concat([x, y], 0)", "tf.stack([x, y])", "tf.stack([x, y], axis=1)", "tf.tile(x, [2, 1])",
    "tf.tile(x, [tf.shape(x)[0], 1])", "tf.repeat(x, 2, axis=0)", "tf.reduce_max(x)",
    "tf.reduce_min(x, 0)", "tf.reduce_mean(x, 1)", "tf.reduce_sum(x, [0, 1], keepdims=True)",
    "tf.reduce_logsumexp(x, 1)", "tf.math.reduce_std(x, 1)", "tf.nn.softmax(x)",
    "tf.nn.softmax(x, 0)", "tf.nn.l2_normalize(x, 0)", "tf.cumsum(v)", "tf.cumsum(x, 0)",
    "tf.sort(v)", "tf.argsort(x, 0)", "tf.argmax(x, 1)", "tf.math.top_k(x, 2).values",
    "tf.gather(x, i[:0])", "tf.gather(tf.eye(3), i)", "tf.gather(x, i[:, None], batch_dims=1)",
    "tf.one_hot(i, 3)", "tf.boolean_mask(x, v > 0)", "tf.where(x > 0)", "tf.where(x > 0, x, y)",
    "tf.unique(i).y", "tf.math.segment_sum(x, tf.sort(i))", "tf.math.unsorted_segment_sum(x, i, 3)",
    "tf.math.bincount(i)", "tf.sequence_mask(i)", "tf.sequence_mask(i, 4)", "tf.range(tf.shape(x)[0])",
    "tf.zeros_like(x), tf.zeros([tf.shape(x)[0], 2])", "tf.fill([tf.size(v)], 2.0)", "tf.reverse(x, [0])",
    "tf.roll(x, 1, 0)", "tf.pad(x, [[1, 1], [0, 0]])", "tf.split(x, 3, 1)", "tf.unstack(x, axis=1)",
    "tf.squeeze(x[:, :1])", "tf.squeeze(x[:, :1], 1)", "tf.expand_dims(x, 0)", "tf.norm(x, axis=1)",
    "tf.linalg.diag(v[:3])", "tf.linalg.matvec(x, tf.ones([3]))", "tf.tensordot(x, y, [[0], [0]])",
    "tf.linalg.norm(x)", "tf.broadcast_to(v[:, None], [tf.shape(v)[0], 4])", "x / tf.cast(tf.shape(x)[0], tf.float32)",
    "tf.nn.sparse_softmax_cross_entropy_with_logits(i, x)", "tf.nn.moments(x, [0])[0][:0]",
    "tf.math.confusion_matrix(i, i, 3)", "tf.tensor_scatter_nd_add(tf.zeros([3]), i[:, None], v)",
    "tf.scatter_nd(i[:, None], x, [3, 3])", "tf.map_fn(lambda r: r * 2.0, x)",
    "tf.foldl(lambda a, r: a + r, x, tf.zeros([3]))",
    "tf.vectorized_map(lambda r: r * 2.0, x)", "tf.cond(tf.size(v) > 2, lambda: x * 2.0, lambda: y)",
    "tf.strings.as_string(i)", "tf.strings.join([tf.strings.as_string(i), tf.strings.as_string(i)])",
    "tf.nn.conv1d(x[None], tf.ones([2, 3, 1]), 1, 'SAME')",
    "tf.signal.frame(v, 2, 1)", "tf.image.resize(tf.reshape(x, [-1, 3, 1, 1]), [2, 2])",
    "torch.take_along_dim(tf.stop_gradient(x), torch.zeros((1, 3), dtype=torch.int64), 0)",
    "x * float(x.torch().shape[0])",
]  # fmt: skip


@pytest.mark.parametrize("code", PROGRAMS)
def test_one_trace_is_right_for_every_size(code):
    program = _with_gradient(eval(f"lambda x, y, v, i: ({code})", {"tf": tf, "torch": torch}))
    traced = tf.function(program, input_signature=list(SPECS.values()), autograph=False)
    # x @ x.T of the largest size is too large; a graph that pads an axis of open size does not see
    # that it has no elements, where eager gives an empty result: that limit is place_windows' own;
    # and an eager map over no rows does not know the shape of one, in TensorFlow neither
    left_out = {HINT} if "@ tf.transpose" in code else set()
    if "conv1d" in code or "map_fn" in code:
        left_out = {0}
    for n in (n for n in SIZES if n not in left_out):
        _compare(program, traced, _inputs(n), n)


def _with_gradient(program):
    """The results and their gradients."""

    def run(x, y, v, i):
        with tf.GradientTape() as tape:
            tape.watch([x, y, v])
            results = program(x, y, v, i)
            terms = [
                tf.reduce_sum(tf.sin(tf.cast(r, tf.float32)))
                for r in tf.nest.flatten(results)
                if r.dtype != tf.string
            ]
            total = tf.add_n([*terms, tf.constant(0.0)])
        return results, tape.gradient(total, [x, y, v], unconnected_gradients="zero")

    return run


def _compare(eager, traced, inputs, n):
    try:
        want = eager(**inputs)
    except Exception:
        with pytest.raises(Exception):  # noqa: B017
            traced(**inputs)
        return
    for a, b in zip(tf.nest.flatten(want), tf.nest.flatten(traced(**inputs)), strict=True):
        assert a.shape == b.shape, n
        a, b = tf.convert_to_tensor(a).numpy(), tf.convert_to_tensor(b).numpy()
        if a.dtype == object:
            assert a.tolist() == b.tolist()
        else:
            np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5, err_msg=str(n))


def test_sizes_taken_as_equal_may_broadcast():
    @tf.function(input_signature=[tf.TensorSpec([None]), tf.TensorSpec([None])])
    def column(a, b):
        total = a + b
        return tf.reshape(total, [tf.shape(total)[0], 1])

    assert column(tf.ones([3]), tf.ones([3])).shape == [3, 1]
    assert column(tf.ones([1]), tf.ones([5])).shape == [5, 1]
    assert column.experimental_get_tracing_count() == 1


def test_a_trace_that_needs_a_size_is_made_for_each():
    traced_with = []

    @tf.function(input_signature=[tf.TensorSpec([None, 3])])
    def flat(x):
        traced_with.append(x.shape[0])
        return tf.reshape(x + tf.ones([2, 3]), [6])

    for n in (2, 1, 2, 1):
        np.testing.assert_array_equal(flat(tf.ones([n, 3])), 2 * np.ones(6))
    # 2 is the size that the first trace found to be another than the open one
    assert traced_with == [None, 2]
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        flat(tf.ones([5, 3]))


def test_a_size_that_depends_on_data_is_never_a_number():
    @tf.function
    def rows(x):
        return x * float(tf.boolean_mask(x, x > 0).torch().shape[0])

    with pytest.raises(NotImplementedError, match="depends on data"):
        rows(tf.ones([3]))


def test_layout_and_usual_steps_assume_nothing():
    w = tf.Variable(tf.ones([3, 4]))

    @tf.function(input_signature=[tf.TensorSpec([None, 3])])
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.softmax(tf.nn.relu(x @ w)))
        w.assign_sub(tape.gradient(loss, w))
        return loss

    assert step.get_concrete_function()._fits is None


def test_a_reshape_between_separate_open_sizes():
    """Which sizes fit, only a run can tell; the result's known sizes are known before."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([None])])
    def split(x, rows):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reshape(x, [tf.shape(rows)[0], 2, 3])
            total = tf.reduce_sum(y * y)
        return y, tape.gradient(total, x)

    assert split.get_concrete_function().output_shapes[0].as_list() == [None, 2, 3]
    for n in (0, 1, 2, 5):
        x = tf.reshape(tf.range(6.0 * n), [3 * n, 2])
        y, gradient = split(x, tf.zeros([n]))
        np.testing.assert_array_equal(y.numpy(), x.numpy().reshape(n, 2, 3))
        np.testing.assert_array_equal(gradient.numpy(), 2 * x.numpy())
    with pytest.raises(tf.errors.InvalidArgumentError, match="12 values"):
        split(tf.zeros([6, 2]), tf.zeros([3]))
    assert split.experimental_get_tracing_count() == 1
