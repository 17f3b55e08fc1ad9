"""`tf.audio`, `tf.feature_column`, `tf.DeviceSpec` and other small names against TensorFlow."""

from __future__ import annotations

import re

import numpy as np
import pytest

import torchtf
from tests.oracle import cases, each, normal

FC = "tf.feature_column."
INPUTS = {
    "wave": np.clip(normal(5, 2), -1, 1),
    "x": normal(2, 4, 4, 3),
    "f": normal(2, 2, 3, 2),
    "g": normal(2, 3, 3, 2),
}


@cases(INPUTS, [
    "tf.audio.encode_wav(wave, 16000)", "tf.audio.encode_wav([[0.5], [-0.5], [1.5], [-2.0]], 8000)",
    "tf.audio.decode_wav(tf.audio.encode_wav(wave, 16000))",
    *each("tf.audio.decode_wav(tf.audio.encode_wav(wave, 16000), {})", [
        "desired_channels=1", "desired_channels=3", "desired_samples=3", "desired_samples=9",
    ]),
    "tf.audio.decode_wav(b'abc')", "tf.audio.decode_wav(b'RIFFxxxxWAVEfmt ')",
    "tf.audio.encode_wav([0.5], 16000)", "tf.audio.decode_wav(b'RIFX0000WAVE0000')",
], grad=False, traced=False)  # fmt: skip
def test_audio(case):
    case.check()


@cases({}, each("tf.DeviceSpec{}", [
    "(job='ps', device_type='cpu', device_index=0)", "(job='ps', task=1).to_string()",
    "(device_type='gpu').to_string()", ".from_string('/job:w/replica:0/task:1/device:GPU:0').task",
    ".from_string('/cpu:0').to_string()", ".from_string('/device:GPU:*').device_index",
    ".from_string('/job:w').make_merged_spec(tf.DeviceSpec(device_type='gpu')).to_string()",
    "(job='ps').replace(task=3).to_string()", "().parse_from_string('/job:ps').job",
    "(job='a') == tf.DeviceSpec(job='a')", ".from_string('bad')", "(replica='x')",
]), traced=False)  # fmt: skip
def test_device_spec(case):
    case.check()


@cases({}, each(f"c = {FC}{{}}\n(repr(c), c.name, c.parse_example_spec, c.parents, c.get_config())", [
    "numeric_column('x')", "numeric_column('x', [2, 3], 1., tf.float64)",
    "numeric_column('x', (2,), [1., 2.])", "bucketized_column(tf.feature_column.numeric_column("
    "'x'), [1, 2])", "categorical_column_with_hash_bucket('k', 10)",
    "categorical_column_with_vocabulary_list('k', ['a', 'b'], num_oov_buckets=2)",
    "categorical_column_with_vocabulary_list('k', [1, 2], dtype=tf.int64)",
    "categorical_column_with_identity('k', 4)", "crossed_column(['b', 'a'], 10)",
    f"crossed_column(['a', {FC}bucketized_column({FC}numeric_column('x'), [1])], 10)",
    f"indicator_column({FC}categorical_column_with_identity('k', 4))",
    f"weighted_categorical_column({FC}categorical_column_with_identity('k', 4), 'w')",
    "sequence_numeric_column('x')", "sequence_categorical_column_with_identity('k', 3)",
    "sequence_categorical_column_with_vocabulary_list('k', ['a'])",
    "sequence_categorical_column_with_hash_bucket('k', 3)",
]), traced=False)  # fmt: skip
def test_feature_columns(case):
    case.check()


@cases({}, each(FC + "{}", [
    "numeric_column('x', 0)", "numeric_column(3)", "numeric_column('x', dtype=tf.string)",
    "numeric_column('x', default_value='a')", "numeric_column('x', normalizer_fn=3)",
    "numeric_column('x', (2,), [1., 2., 3.])", "numeric_column('x', dtype=tf.int32, "
    "default_value=1.5)", "bucketized_column('x', [1])",
    f"bucketized_column({FC}numeric_column('x', [2, 2]), [1])",
    f"bucketized_column({FC}numeric_column('x'), [3, 2])",
    "categorical_column_with_hash_bucket('k', 0)",
    "categorical_column_with_hash_bucket('k', 3, tf.float32)",
    "categorical_column_with_vocabulary_list('k', ['a', 'a'])",
    "categorical_column_with_vocabulary_list('k', [])",
    "categorical_column_with_vocabulary_list('k', ['a'], default_value=1, num_oov_buckets=1)",
    "categorical_column_with_vocabulary_list('k', ['a'], dtype=tf.int32)",
    "categorical_column_with_identity('k', 0)", "categorical_column_with_identity('k', 4, 9)",
    "crossed_column(['a'], 10)", f"crossed_column(['a', {FC}numeric_column('x')], 10)",
    f"crossed_column(['a', {FC}categorical_column_with_hash_bucket('k', 3)], 10)",
    f"embedding_column({FC}categorical_column_with_identity('k', 4), 0)",
    f"embedding_column({FC}categorical_column_with_identity('k', 4), 8, initializer=3)",
    f"embedding_column({FC}categorical_column_with_identity('k', 4), 8).variable_shape.as_list()",
    f"embedding_column({FC}categorical_column_with_identity('k', 4), 8).name",
    f"indicator_column({FC}numeric_column('x'))",
    f"shared_embeddings([{FC}categorical_column_with_identity('k', 4)], 8)",
    f"make_parse_example_spec([{FC}numeric_column('x'), {FC}crossed_column(['a', 'b'], 3)])",
    f"make_parse_example_spec([{FC}numeric_column('x'), {FC}numeric_column('x', [2])])",
    "make_parse_example_spec([3])",
]), traced=False)  # fmt: skip
def test_feature_column_arguments(case):
    case.check()


@cases(INPUTS, [
    "tf.ragged_fill_empty_rows(value_rowids=[0, 0, 2], values=[1, 2, 3], nrows=4, default_value=9)",
    "tf.ragged_fill_empty_rows([2, 0], ['a', 'b'], 3, 'z')",
    "tf.ragged_fill_empty_rows([5], [1], 3, 0)",
    "tf.ragged_fill_empty_rows_grad([0, 1], [1., 2., 3.])",
    "tf.conv(x, f, [1, 1, 1, 1], 'VALID')", "tf.conv(x, f, [1, 2, 2, 1], 'SAME')",
    "tf.conv(x, f, [1, 1, 1, 1], 'EXPLICIT', [0, 0, 1, 0, 0, 1, 0, 0])",
    "tf.random_index_shuffle(tf.range(5), tf.constant([1, 2, 3], tf.uint32), 5)",
    "(tf.get_logger().name, tf.get_logger().level)",
    "(tf.compat.as_bytes('é'), tf.compat.as_text(b'a'), tf.compat.as_str_any(3))",
    "(tf.compat.as_bytes(3))", "tf.compat.path_to_str(__import__('pathlib').Path('/a'))",
    "tf.compat.dimension_value(tf.TensorShape([3]).dims[0])",
    "tf.compat.v1.to_float([1])", "tf.compat.v1.logging.ERROR", "tf.compat.v1.Dimension(3) + 1",
    "str(tf.compat.v1.ConfigProto(log_device_placement=True))",
    "tf.compat.v1.data.get_output_types(tf.data.Dataset.range(3))",
    "tf.compat.v1.data.make_one_shot_iterator(tf.data.Dataset.range(3)).get_next()",
    "tf.compat.v1.gfile.Exists('/nowhere')", "tf.compat.v1.executing_eagerly_outside_functions()",
    "tf.compat.dimension_at_index(tf.TensorShape([3, None]), 1)", "tf.compat.v2.constant(1)",
    "(tf.assert_equal(1, 1), tf.assert_less(1, 2), tf.assert_rank([1], 1))",
    "tf.config.experimental.get_device_policy()", "tf.config.experimental.set_device_policy('x')",
    "sorted(tf.Tensor.OVERLOADABLE_OPERATORS)", "tf.NoneTensorSpec()",
    "v = tf.Variable([1., 2.])\n(v.initializer, v.load([3., 4.]), v)",
    "tf.Variable.SaveSliceInfo('a', [4, 2], [0, 0], [2, 2]).spec",
    "t = tf.lookup.StaticHashTable(tf.data.experimental.DatasetInitializer("
    "tf.data.Dataset.from_tensor_slices((['a', 'b'], [1, 2]))), -1)\nt.lookup(tf.constant(['b', 'z']))",
    "isinstance(tf.function(lambda: 1), tf.types.experimental.GenericFunction)",
    "isinstance(tf.function(lambda: tf.constant(1)).get_concrete_function(), "
    "tf.types.experimental.ConcreteFunction)",
    "(isinstance(tf.constant(1), tf.types.experimental.TensorLike), "
    "isinstance({}, tf.types.experimental.TensorLike))",
    "[m.name for m in tf.saved_model.experimental.VariablePolicy]",
], grad=False, traced=False, rtol=1e-4, atol=1e-5)  # fmt: skip
def test_names_of_the_top_level(case):
    case.check()


@cases({}, [
    *each("tf.{}.placeholder_value(None)", ["float32", "TensorShape([1])"]),
    *each("tf.{}.flatten()", ["float32", "TensorShape([1])", "TensorSpec([2])"]),
    "tf.TensorSpec([2]).to_tensors([1., 2.])", "tf.TensorSpec([1]).from_tensors(iter([1, 2]))",
    *each("type({0}).experimental_from_proto({0}.experimental_as_proto())", [
        "tf.float32", "tf.TensorShape([1, None])", "tf.TensorSpec([1, None], tf.int8, 'a')",
    ]),
    *each("d = tf.dtypes.experimental.{}\n(d.name, d.as_datatype_enum, d.size, d.is_integer, "
          "d.is_floating, d.is_unsigned, float(d.min), float(d.max), d.as_numpy_dtype.__name__, "
          "tf.as_dtype(d.name) is d)", [
        "int4", "uint4", "int2", "uint2", "float8_e4m3fnuz", "float8_e5m2fnuz",
        "float8_e4m3b11fnuz", "float4_e2m1fn", "float8_e5m2",
    ]),
    "tf.dtypes.experimental.int4.limits",
], traced=False)  # fmt: skip
def test_types(case):
    case.check()


@cases({"x": normal(3), "y": normal(3, seed=1)}, [
    *each("tf.function(lambda x, y: {})(x, y)", [
        "tf.gradients(x * x * y, x)", "tf.gradients([x * y, x], [x, y])",
        "tf.gradients(x * x, [x, y])", "tf.gradients(x * x, [x, y], unconnected_gradients='zero')",
        "tf.gradients(tf.exp(x), x, grad_ys=y)", "tf.gradients(x * x * y, x, stop_gradients=[y])",
        "tf.gradients(tf.stop_gradient(x) * x, x)", "tf.hessians(tf.reduce_sum(x ** 3 * y), x)",
        "tf.gradients(tf.gradients(x ** 3, x)[0], x)",
        "tf.gradients(tf.split(x * y, 3)[1], [x])", "tf.gradients(x * x, [x, x])",
    ]),
    *each("def f(x):\n    y = x * 2 + 1\n    z = 3 * y + 2 * x\n    return tf.gradients({})\n"
          "(tf.function(f)(x), tf.function(lambda: f(tf.constant(3.)))())", [
        "z, [x, y]", "[z, y], [y, x, z]", "z, [x, y], stop_gradients=[y]",
        "z, [x, y], stop_gradients=[x, y]", "y, [z]", "z + tf.stop_gradient(y), [x, y]",
        "tf.stop_gradient(y) * x, [x, y]",
    ]),
    "tf.gradients(x * x, x)",
    "w = tf.Variable(2.)\ntf.function(lambda: tf.gradients(w * w, w))()",
], grad=False, traced=False)  # fmt: skip
def test_gradients_in_functions(case):
    case.check()


def test_gradients_of_convolutions():
    """TensorFlow has kernels for GPUs only; its tape is the judge."""
    import tensorflow

    x, f, g = (INPUTS[k] for k in "xfg")
    with tensorflow.GradientTape() as tape:
        source = tensorflow.constant(x), tensorflow.constant(f)
        tape.watch(source)
        result = tensorflow.nn.conv2d(*source, [1, 1, 1, 1], "VALID")
    want = tape.gradient(result, source, output_gradients=tensorflow.constant(g))
    arguments = (x, f, g, [1, 1, 1, 1], "VALID")
    have = (
        torchtf.conv2d_backprop_input_v2(*arguments),
        torchtf.conv2d_backprop_filter_v2(*arguments),
    )
    for a, b in zip(have, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_fourier_transforms_along_axes():
    """TensorFlow has these for GPUs only; NumPy is the judge."""
    tf = torchtf
    z = normal(2, 3, 4, dtype="complex64")
    np.testing.assert_allclose(
        tf.fftnd(z, [2, 4], [0, 2]), np.fft.fftn(z, [2, 4], [0, 2]), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        tf.ifftnd(z, [3, 2], [1, 2]), np.fft.ifftn(z, [3, 2], [1, 2]), rtol=1e-4, atol=1e-5
    )
    x = normal(2, 3, 4)
    half = tf.rfftnd(x, [3, 4], [1, 2])
    np.testing.assert_allclose(half, np.fft.rfftn(x, [3, 4], [1, 2]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(tf.irfftnd(half, [3, 4], [1, 2]), x, rtol=1e-4, atol=1e-5)


def test_variable_creators():
    """Scopes nest, and each sees the arguments that the inner one passes on."""
    tf = torchtf
    seen = []

    def outer(next_creator, **kwargs):
        seen.append(("outer", kwargs["name"], kwargs["trainable"]))
        return next_creator(**kwargs)

    def inner(next_creator, **kwargs):
        kwargs["trainable"] = False
        kwargs["name"] += "_inner"
        return next_creator(**kwargs)

    with tf.variable_creator_scope(outer):
        with tf.variable_creator_scope(inner):
            v = tf.Variable(1.0, name="v")
        w = tf.Variable(2.0, name="w")
    assert (v.name, v.trainable, w.trainable) == ("v_inner:0", False, True)
    assert seen == [("outer", "v_inner", False), ("outer", "w", None)]
    assert tf.Variable(3.0).trainable and len(seen) == 2


@pytest.mark.parametrize(
    "name",
    ["mlir", "experimental.tensorrt", "compat.v1.Session", "Session"],
)
def test_absent_names_say_why(name):
    """The error is both an AttributeError, for `hasattr`, and a NotImplementedError."""
    value = torchtf
    with pytest.raises(NotImplementedError, match="is not supported: ") as caught:
        for part in name.split("."):
            value = getattr(value, part)
    assert isinstance(caught.value, AttributeError)
    with pytest.raises(AttributeError) as unknown:
        _ = torchtf.nothing_of_that_name
    assert not isinstance(unknown.value, NotImplementedError)


def test_critical_sections():
    tf = torchtf
    v = tf.Variable(0.0)
    section = tf.CriticalSection(name="count")

    @tf.function
    def add():
        return section.execute(lambda: v.assign_add(1.0))

    assert float(add()) == 1.0
    assert float(section.execute(lambda: v.assign_add(1.0))) == 2.0
    assert section.name == "count"


PLACED = """
import os, sys
os.dup2(1, 2)
import {module} as tf
tf.debugging.set_log_device_placement(True)
a = tf.constant([[1., 2.], [3., 4.]])
assert tf.debugging.get_log_device_placement()
with tf.device("CPU:0"):
    tf.matmul(a, a), a * 2. + [[1., 1.]], a[0], tf.reshape(a, [-1]), tf.concat([a, a], 0)
    tf.stack([a, a]), tf.cast(a, tf.int32), tf.strings.lower("A"), tf.reduce_sum(tf.Variable(a) * a)
    @tf.function
    def f(x):
        return tf.matmul(x, x) + 1.
    f(a), f(a)
    try:
        tf.matmul(a, tf.zeros([3, 3]))
    except tf.errors.InvalidArgumentError:
        pass
"""


def test_the_log_of_devices_names_the_ops_of_tensorflow(run_python):
    def lines(module):
        text = run_python(PLACED.format(module=module), env={"TF_CPP_MIN_LOG_LEVEL": "0"})
        found = re.findall(r"Executing op (\S+) in device (\S+)", text)
        unlogged = r"_EagerConst|VarHandleOp|.*VariableOp|Fill"
        return [
            (re.sub(r"_\d+$", "", op), device)
            for op, device in found if not re.fullmatch(unlogged, op)
        ]  # fmt: skip

    want = lines("tensorflow")
    assert ("MatMul", "/job:localhost/replica:0/task:0/device:CPU:0") in want
    assert lines("torchtf") == want


def test_the_log_of_devices_ends(capsys):
    x = torchtf.ones([2, 2])
    torchtf.debugging.set_log_device_placement(True)
    torchtf.matmul(x, x)
    torchtf.debugging.set_log_device_placement(False)
    torchtf.function(torchtf.matmul)(torchtf.add(x, x), x)
    assert capsys.readouterr().err.count("Executing op") == 1
    assert not torchtf.debugging.get_log_device_placement()
