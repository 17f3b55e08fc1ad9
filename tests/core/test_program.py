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

PRIVATE = """
try:
    from tensorflow.python.framework import ops
except ImportError as e:
    print(e)
try:
    import tensorflow.core.framework.graph_pb2
except ImportError as e:
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
    for name, text in (("library", LIBRARY), ("program", PROGRAM), ("private", PRIVATE)):
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def test_the_same_text_prints_the_same(folder):
    """Run by TensorFlow, as a script and as a module."""
    want = run(folder, "program.py", "--flag", "1")
    assert want[0] == 3, want[1]
    assert run(folder, "-m", "torchtf", "program.py", "--flag", "1") == want
    assert run(folder, "-m", "torchtf", "-m", "program", "--flag", "1") == want


def test_private_modules_say_that_they_are(folder):
    code, text = run(folder, "-m", "torchtf", "private.py")
    assert code == 0
    assert text.count("private modules such as tensorflow.python.* do not exist") == 2
    code, _ = run(folder, "-m", "torchtf")
    assert code == 2
    code, text = run(folder, "-m", "torchtf", "nowhere.py")
    assert code == 2 and "no such file" in text
