"""`python -m torchtf`: a program that imports `tensorflow`, and a library that does, too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LIBRARY = """
import tensorflow as tf
import tensorflow.compat.v2 as tf2
import tensorflow.keras.backend as K
import tensorflow.keras.layers as L
from tensorflow import keras, nn
from tensorflow.compat import v1
from tensorflow.data import Dataset
from tensorflow.data.experimental import AUTOTUNE
from tensorflow.errors import InvalidArgumentError
from tensorflow.experimental import numpy as tnp
from tensorflow.io import gfile
from tensorflow.keras import layers
from tensorflow.keras.callbacks import Callback, EarlyStopping
from tensorflow.keras.layers import Dense, Layer
from tensorflow.keras.models import Model, Sequential
from tensorflow.keras.optimizers import Adam
from tensorflow.keras.utils import to_categorical
from tensorflow.linalg import inv
from tensorflow.math import reduce_sum
from tensorflow.random import set_seed
from tensorflow.train import Checkpoint

assert tf2.constant(1) == 1 and {keras.layers.Dense, L.Dense, layers.Dense} == {Dense}

def total(x):
    return reduce_sum(nn.relu(tf.constant(x)))
"""

PROGRAM = """
import sys
import tensorflow as tf
import library
from tensorflow.keras import layers

print(tf.__version__, sys.argv[1:], __name__)
print(library.total([-1.0, 2.0]), tf.ragged.constant([[1], [2, 3]]), tf.Variable(1.0, name="v"))
print(layers.Dense(2, use_bias=False, kernel_initializer="ones")(tf.ones([1, 3])))
print([int(x) for x in library.Dataset.range(3).map(lambda x: x * 2)])
v1 = tf.compat.v1
v1.logging.set_verbosity(v1.logging.ERROR)
for name in ("nothing", "contrib"):
    try:
        getattr(tf, name)
    except AttributeError:
        print("no", name)
try:
    import tensorflow.nothing
except ImportError as e:
    print(type(e).__name__)
if __name__ == "__main__":
    sys.exit(3)
"""

# what libraries import from where it is no API
PLACES = """
import tempfile
import tensorflow as tf
import tensorflow.python.framework.ops as framework_ops
from tensorflow.core.example import example_pb2
from tensorflow.core.framework import graph_pb2, summary_pb2
from tensorflow.python.client import device_lib
from tensorflow.python.eager import backprop, context, def_function
from tensorflow.python.framework import (
    composite_tensor, constant_op, dtypes, errors, errors_impl, ops, smart_cond, tensor_shape,
    tensor_util, test_util, type_spec, type_spec_registry,
)
from tensorflow.python.ops import (
    array_ops, control_flow_util, math_ops, nn_ops, resource_variable_ops, variables,
)
from tensorflow.python.platform import gfile, test, tf_logging
from tensorflow.python.trackable import autotrackable
from tensorflow.python.util import (
    compat, deprecation, nest, object_identity, tf_decorator, tf_inspect, variable_utils,
)

print(math_ops.reduce_sum([1, 2]), math_ops.add(1, 2), array_ops.zeros([2]), dtypes.float32)
print(nn_ops.relu([-1.0, 2.0]), constant_op.constant(1), compat.as_bytes("a"))
print(framework_ops is ops, dtypes.float32 is tf.float32, def_function.function is tf.function)
print(errors.OpError is tf.errors.OpError, errors_impl.OutOfRangeError is tf.errors.OutOfRangeError)
print(backprop.GradientTape is tf.GradientTape, gfile.GFile is tf.io.gfile.GFile)
print(isinstance(tf.constant(1), ops.EagerTensor), tensor_shape.TensorShape([1]))
print(context.executing_eagerly(), context.context().num_gpus(), tensor_util.is_tensor(1))
print([(d.name, d.device_type, d.memory_limit) for d in device_lib.list_local_devices()])
print(graph_pb2.GraphDef(), summary_pb2.Summary(), example_pb2.Example())
print(ops.convert_to_tensor(1, dtypes.float32), ops.convert_to_tensor(1, preferred_dtype="float64"))
ragged = tf.ragged.constant([[1], []])
print(isinstance(ragged, composite_tensor.CompositeTensor), type_spec.TypeSpec is tf.TypeSpec)
print(len(composite_tensor.replace_composites_with_components([ragged])[0]))
print(ops.convert_to_tensor_or_composite(ragged) is ragged)
v = tf.Variable(2.0)
print(resource_variable_ops.is_resource_variable(v), isinstance(v, variables.Variable))
print(type(variable_utils.convert_variables_to_tensors([v])[0]).__name__ != type(v).__name__)
graph = tf.function(lambda: tf.constant(1)).get_concrete_function().graph
print(control_flow_util.GraphOrParentsInXlaContext(graph))
print(smart_cond.smart_cond(True, lambda: 1, lambda: 2), smart_cond.smart_constant_value(0))
print(tf_inspect.getfullargspec(lambda a, *b: None).args)

@tf.function
def traced(x):
    return math_ops.add(x, array_ops.ones([2]))

print(traced(tf.constant([1.0, 2.0])))


# objects without a name
root = autotrackable.AutoTrackable()
root.v, root.listed, root.below = v, [tf.Variable(1.0)], autotrackable.AutoTrackable()
root.below.w = tf.Variable(3.0)
with tempfile.TemporaryDirectory() as folder:
    path = tf.train.Checkpoint(root=root).write(folder + "/c")
    print([name for name, _ in tf.train.list_variables(path)], gfile.Exists(path + ".index"))
    v.assign(7.0)
    tf.train.Checkpoint(root=root).read(path).assert_consumed()
module = tf.Module()
module.root, module.own = root, tf.Variable(1.0)
print(v.numpy(), len(module.variables), len(module.submodules), hasattr(root, "variables"))
print(isinstance(module, autotrackable.AutoTrackable), isinstance(root, tf.Module))
print(test.TestCase is tf.test.TestCase, test.mock.patch.__name__, test.is_built_with_xla())

# structures
deep, shallow = {"b": [1, (2, 3)], "a": 4}, {"b": [0, 0], "a": 0}
print(nest.map_structure_up_to(shallow, lambda *x: x, deep, deep))
print(nest.flatten_up_to(shallow, deep), nest.flatten_with_joined_string_paths(deep))
print(nest.flatten_with_tuple_paths(deep), list(nest.yield_flat_paths(deep)))
print(nest.map_structure_with_paths(lambda p, x: (p, x), deep))
print(nest.get_traverse_shallow_structure(lambda s: not isinstance(s, tuple), deep))
for wrong in ([0], {"b": 0}, {"b": [0, 0], "c": 0}, {"b": (0, 0), "a": 0}, {"b": [0], "a": 0}):
    try:
        nest.assert_shallow_structure(wrong, deep)
        print("fits")
    except (TypeError, ValueError) as e:
        print(type(e).__name__)

# decorators
@deprecation.deprecated("2030-01-01", "Use g.")
def f(x):
    return x + 1

@deprecation.deprecated_args(None, "Use b.", "a")
def g(a=None, b=None):
    return a, b

print(f(1), g(a=1), g(b=2), f.__name__)
print(deprecation.deprecated_argument_lookup("b", None, "a", 3))
for wrong in (("tomorrow", "Use g."), ("2030-01-01", "")):
    try:
        deprecation.deprecated(*wrong)
    except ValueError as e:
        print(str(e)[:20])

print(tf_decorator.unwrap(tf_decorator.make_decorator(len, lambda x: 0))[1] is len)

class Spec(type_spec.BatchableTypeSpec):
    value_type = property(lambda self: int)
    _component_specs = property(lambda self: ())
    _serialize = _to_components = _from_components = None
    _batch = _unbatch = None

for name in ("project.Spec", "spec", "project.Spec", 3):
    try:
        print(type_spec_registry.register(name)(Spec).__name__)
    except (TypeError, ValueError) as e:
        print(type(e).__name__)
print(type_spec_registry.lookup("project.Spec") is Spec, type_spec_registry.get_name(Spec))

a, b = [1], [1]
identities = object_identity.ObjectIdentitySet([a, b, a])
print(len(identities), a in identities, [1] in identities)
table = object_identity.ObjectIdentityDictionary()
table[a], table[b] = 1, 2
print(table[a], len(table), object_identity.Reference(a) == object_identity.Reference(b))
print(isinstance(v.ref(), object_identity.Reference), v.ref().deref() is v)

class Thing:
    pass

thing, kept = Thing(), Thing()
weak = object_identity.ObjectIdentityWeakSet([thing, kept])
weak_table = object_identity.ObjectIdentityWeakKeyDictionary()
weak_table[thing], weak_table[kept] = 1, 2
print(len(weak), kept in weak, weak_table[thing])
del thing
print(len(weak), kept in weak, list(weak) == [kept])

class Case(test_util.TensorFlowTestCase):
    @test_util.run_in_graph_and_eager_modes
    def test_it(self):
        self.assertAllEqual(self.evaluate(math_ops.add(1, 2)), 3)

import unittest
done = unittest.TextTestRunner(stream=open("/dev/null", "w")).run(Case("test_it"))
print(done.testsRun, len(done.failures) + len(done.errors))
"""

PRIVATE = """
import importlib
for name in ("tensorflow.python.framework.nothing", "tensorflow.core.framework.nothing_pb2"):
    try:
        importlib.import_module(name)
    except ImportError as e:
        print(e)
from tensorflow.python.ops import math_ops
try:
    math_ops.nothing
except AttributeError as e:
    print(e)
"""


def run(folder: Path, *command: str) -> tuple[int, str]:
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONWARNINGS="ignore")
    environment.pop("KERAS_BACKEND", None)
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout or done.stderr


@pytest.fixture
def folder(tmp_path):
    texts = {"library": LIBRARY, "program": PROGRAM, "private": PRIVATE, "places": PLACES}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def test_the_same_text_prints_the_same(folder):
    """Run by TensorFlow, as a script and as a module."""
    want = run(folder, "program.py", "--flag", "1")
    assert want[0] == 3, want[1]
    assert run(folder, "-m", "torchtf", "program.py", "--flag", "1") == want
    assert run(folder, "-m", "torchtf", "-m", "program", "--flag", "1") == want


def test_private_modules_have_the_public_names(folder):
    want = run(folder, "places.py")
    assert want[0] == 0, want[1]
    assert run(folder, "-m", "torchtf", "places.py") == want


def test_what_private_modules_lack(folder):
    code, text = run(folder, "-m", "torchtf", "private.py")
    assert code == 0
    assert text.count("torchtf has TensorFlow's public names") == 2
    assert "it is private to TensorFlow; use a public name of tf.*" in text
    code, _ = run(folder, "-m", "torchtf")
    assert code == 2
    code, text = run(folder, "-m", "torchtf", "nowhere.py")
    assert code == 2 and "no such file" in text
