"""Small namespaces beside TensorFlow's: modules, assertions, devices, the test case, the alias."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
import tensorflow
from absl.testing import parameterized

import torchtf

BOTH = [torchtf, tensorflow]


def outcome(tf, expression: str):
    """The result's `repr`, or the class and the text of the exception."""
    names = {
        "tf": tf,
        "d": tf.debugging,
        "x": tf.constant([1.0, 0.0]),
        "y": tf.constant([1.0, 2.0]),
        "s": tf.constant(1),
    }
    try:
        return repr(eval(expression, names))
    except Exception as e:
        return type(e).__name__, str(e).replace(" name: ", "")


@pytest.mark.parametrize(
    "expression",
    [
        "d.assert_positive(x)", "d.assert_positive(y)", "d.assert_negative(x, message='hey')",
        "d.assert_non_negative(-y)", "d.assert_equal(x, y)", "d.assert_equal(x, x)",
        "d.assert_equal(x, y, message='m', summarize=1)", "d.assert_none_equal(x, y)",
        "d.assert_less(x, y)", "d.assert_less_equal(y, x)", "d.assert_greater(x, y)",
        "d.assert_near(x, x + 1e-9)", "d.assert_rank(x, 2)", "d.assert_rank(x, 1)",
        "d.assert_rank_at_least(x, 2)", "d.assert_rank_in(x, (0, 2))",
        "d.assert_type(x, tf.int32)", "d.assert_integer(x)", "d.assert_scalar(x)",
        "d.assert_shapes([(x, ('N', 'M'))])", "d.assert_shapes([(x, (3,))])",
        "d.assert_shapes([(x, ('N',)), (tf.zeros([3]), ('N',))])",
        "d.assert_shapes([(x, (None, 784))], message='mm')",
        "d.assert_same_float_dtype([x, y])", "d.assert_proper_iterable(3)",
        "d.check_numerics(tf.constant([1.0, float('nan')]), 'msg')",
        "d.check_numerics(tf.constant([1.0, float('inf')]), 'msg')",
        "d.check_numerics(tf.constant([-float('inf'), float('nan')]), 'msg')",
        "d.is_numeric_tensor(x)", "d.is_numeric_tensor(3)",
        "tf.config.list_physical_devices('CPU')", "tf.config.list_physical_devices('FOO')",
        "tf.config.LogicalDeviceConfiguration(memory_limit=5)",
        "tf.config.get_soft_device_placement()", "tf.test.is_gpu_available()",
        "tf.test.gpu_device_name()", "tf.executing_eagerly()", "tf.version.VERSION",
        "tf.dtypes.as_dtype('half')", "tf.nest.flatten({'b': 1, 'a': [2, (3,)]})",
    ],
)  # fmt: skip
def test_same_as_tensorflow(expression):
    assert outcome(torchtf, expression) == outcome(tensorflow, expression)


@pytest.mark.parametrize("tf", BOTH, ids=["torchtf", "tensorflow"])
def test_a_module_finds_its_variables(tf):
    class Inner(tf.Module):
        def __init__(self, name=None):
            super().__init__(name=name)
            self.w = tf.Variable(1.0, name="w")
            self.listed = [tf.Variable(2.0, trainable=False)]
            self.mapped = {"b": tf.Variable(3.0)}

        @tf.Module.with_name_scope
        def __call__(self, x):
            if not hasattr(self, "k"):
                self.k = tf.Variable(1.0, name="k")
            return x

    class Outer(tf.Module):
        def __init__(self):
            super().__init__("outermost")
            self.first = Inner()
            self.second = Inner("other")

    outer = Outer()
    outer.first(1)
    assert [v.name for v in outer.first.variables] == [
        "inner/k:0",
        "Variable:0",
        "Variable:0",
        "w:0",
    ]
    assert [m.name for m in outer.submodules] == ["inner", "other"]
    assert len(outer.variables) == 7 and len(outer.trainable_variables) == 5
    with pytest.raises(ValueError, match="not a valid module name"):
        tf.Module("1bad")


def test_check_numerics_can_watch_every_op():
    torchtf.debugging.enable_check_numerics()
    try:
        with pytest.raises(torchtf.errors.InvalidArgumentError, match="Detected Infinity or NaN"):
            torchtf.math.log(torchtf.constant([0.0]))
    finally:
        torchtf.debugging.disable_check_numerics()
    assert np.isneginf(torchtf.math.log(torchtf.constant([0.0])).numpy())


def test_assertions_fire_when_a_graph_runs():
    @torchtf.function
    def f(x):
        torchtf.debugging.assert_less(x, 3.0, message="too much")
        return x + 1

    assert f(torchtf.constant(1.0)).numpy() == 2.0
    with pytest.raises(torchtf.errors.InvalidArgumentError, match="too much"):
        f(torchtf.constant(5.0))
    assert f.experimental_get_tracing_count() == 1


def test_a_program_that_imports_tensorflow_runs(run_python, tmp_path):
    (tmp_path / "library.py").write_text("from tensorflow.keras import layers\n")
    (tmp_path / "program.py").write_text(
        "import sys\n"
        "import tensorflow as tf\n"
        "import library\n"
        "print(tf.__name__, tf.add(1, 2).numpy(), sys.argv[1:], library.layers.Dense.__name__)\n"
        "try:\n"
        "    import tensorflow.python.nothing\n"
        "except ImportError as e:\n"
        "    print(e)\n"
    )
    out = run_python(
        f"""
        import runpy, sys
        sys.argv = ["torchtf", {str(tmp_path / "program.py")!r}, "a", "b"]
        runpy.run_module("torchtf", run_name="__main__", alter_sys=True)
        """,
        check=False,
    )
    lines = out.splitlines()
    assert lines[0] == "torchtf 3 ['a', 'b'] Dense"
    assert "private modules that have public names" in lines[1]


def test_importing_torchtf_loads_no_heavy_package(run_python):
    out = run_python(
        """
        import sys
        import torchtf
        heavy = ("tensorflow", "onnx", "keras", "sympy", "grpc", "torchtf.serving")
        print([m for m in heavy if m in sys.modules])
        """
    )
    assert out.strip() == "[]"


class TestMixedWithParameters(parameterized.TestCase, torchtf.test.TestCase):
    @parameterized.parameters(1, 2)
    def test_parameters(self, x):
        self.assertAllEqual(torchtf.constant(x) * 2, 2 * x)


class TestOurTestCase(torchtf.test.TestCase):
    def test_streams_and_threads(self):
        with self.captureWritesToStream(sys.__stderr__) as captured:
            os.write(sys.__stderr__.fileno(), b"below Python")
            self.assertEqual(captured.contents(), "below Python")
        self.assertEqual(captured.contents(), "below Python")
        thread = self.checkedThread(lambda: 1 / 0)
        thread.start()
        with self.assertRaisesRegex(AssertionError, "division by zero"):
            thread.join()
        with self.assertRaisesIncompatibleShapesError():
            torchtf.ones([2]) + torchtf.ones([3])
        graph_def = torchtf.compat.v1.GraphDef()
        graph_def.versions.producer = torchtf.version.GRAPH_DEF_VERSION
        graph_def.versions.min_consumer = torchtf.version.GRAPH_DEF_VERSION_MIN_CONSUMER
        self.assertProtoEqualsVersion("", graph_def)
        self.assertEqual(self.evaluate_if_both_tensors(1, 2), (1, 2))
        with self.test_session() as session:
            self.assertIsNone(session)

    def test_assertions(self):
        self.assertAllClose(torchtf.constant([1.0, 2.0]), [1.0, 2.0 + 1e-8])
        self.assertAllEqual(torchtf.constant([1, 2]), np.array([1, 2]))
        self.assertNotAllClose([1.0], [2.0])
        with self.assertRaises(AssertionError):
            self.assertAllEqual([1, 2], [1, 3])
        with self.assertRaisesOpError("Incompatible shapes"):
            torchtf.ones([2]) + torchtf.ones([3])
