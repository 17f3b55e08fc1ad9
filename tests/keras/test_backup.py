"""`BackupAndRestore` in processes that are killed in the middle of an epoch."""

from __future__ import annotations

import json
import os

import pytest

PROGRAM = """
import json, os, signal, sys
import numpy as np
import torchtf as tf

keras, layers = tf.keras, tf.keras.layers
X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


class Kill(keras.callbacks.Callback):
    def __init__(self, epoch, batch):
        super().__init__()
        self.at = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


class Untouched(keras.callbacks.Callback):  # another replica may read the backup meanwhile
    def __init__(self, folder):
        super().__init__()
        self.folder, self.before = folder, self.files(folder)

    @staticmethod
    def files(folder):
        return {f.name: f.stat().st_mtime_ns for f in os.scandir(folder)}

    def on_train_begin(self, logs=None):
        assert self.files(self.folder) == self.before


def train(kind, save_freq, kill=None):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(8, "relu"), layers.Dropout(0.3),
                              layers.BatchNormalization(), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    callbacks = [keras.callbacks.BackupAndRestore(f"backup_{kind}", save_freq=save_freq)]
    if kill:
        callbacks.append(Kill(*kill))
    if os.path.exists(f"backup_{kind}"):
        callbacks.append(Untouched(f"backup_{kind}"))
    if kind == "dataset":
        data = (tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(40).batch(8),)
    else:
        data = (X, Y, 8)
    model.fit(*data, epochs=4, verbose=0, callbacks=callbacks)
    return [float(np.float64(w).sum()) for w in model.get_weights() + model.optimizer.get_weights()]


what, kind, save_freq = sys.argv[1:]
save_freq = save_freq if save_freq == "epoch" else int(save_freq)
result = train(kind, save_freq, kill=(2, 3) if what == "killed" else None)
print("RESULT", json.dumps(result))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "save_freq"), [("arrays", "2"), ("dataset", "epoch")])
def test_a_killed_training_ends_as_an_undisturbed_one(run_python, tmp_path, kind, save_freq):
    def result(what):
        lines = run_python(PROGRAM, what, kind, save_freq, check=what != "killed").splitlines()
        found = [line for line in lines if line.startswith("RESULT ")]
        return json.loads(found[0].removeprefix("RESULT ")) if found else None

    undisturbed = result("undisturbed")
    assert not os.path.exists(tmp_path / f"backup_{kind}")  # deleted at the end
    assert result("killed") is None
    metadata = tmp_path / f"backup_{kind}" / "training_metadata.json"
    assert json.loads(metadata.read_text())["epoch"] == 2
    metadata.write_text('{"epoch": 1, "batch": 0}')  # as after a kill between the two files
    assert result("resumed") == undisturbed
