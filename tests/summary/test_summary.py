"""tf.summary: the events are TensorFlow's, and TensorBoard's callback writes the same ones."""

from __future__ import annotations

import glob
import json
import struct

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event

import torchtf as tf

PROGRAM = """
import importlib, json, sys
import numpy as np
tf = importlib.import_module(sys.argv[1])
rng = np.random.default_rng(0)
writer = tf.summary.create_file_writer("events")
with writer.as_default(step=3):
    tf.summary.scalar("scalar", 0.5, description="a number")
    tf.summary.histogram("spread", rng.normal(size=(20, 3)))
    tf.summary.histogram("single", np.ones(5), buckets=4)
    tf.summary.histogram("empty", np.zeros(0), step=4)
    tf.summary.image("image", rng.random((4, 3, 2, 1)).astype("float32"), max_outputs=2)
    tf.summary.image("bytes", (rng.random((1, 3, 2, 3)) * 255).astype("uint8"))
    tf.summary.text("text", ["a", "b"], step=5)
    tf.summary.audio("sound", rng.uniform(-1, 1, (1, 10, 2)).astype("float32"), 8000)
    with tf.summary.record_if(False):
        tf.summary.scalar("never", 1.0)
    tf.summary.write("raw", tf.constant([1, 2]), step=6)
writer.close()
"""


def read_events(folder):
    """The events of all files, read by the framing's definition."""
    for path in sorted(glob.glob(f"{folder}/**/events.out.tfevents.*", recursive=True)):
        with open(path, "rb") as file:
            data = file.read()
        at = 0
        while at < len(data):
            (size,) = struct.unpack("<Q", data[at : at + 8])
            yield Event.FromString(data[at + 12 : at + 12 + size])
            at += 12 + size + 4


def comparable(event):
    event = Event.FromString(event.SerializeToString())
    event.wall_time = 0
    event.ClearField("source_metadata")
    for value in event.summary.value:
        if value.metadata.plugin_data.plugin_name == "images":
            for i, image in enumerate(value.tensor.string_val):
                value.tensor.string_val[i] = pixels(image)
    return str(event)


def pixels(data: bytes) -> bytes:
    """A PNG's pixels: encoders may compress as they like."""
    import io

    from PIL import Image

    if not data.startswith(b"\x89PNG"):
        return data
    return np.asarray(Image.open(io.BytesIO(data))).tobytes()


def test_the_events_are_tensorflows(run_python, tmp_path):
    found = []
    for module in ("tensorflow", "torchtf"):
        run_python(PROGRAM.replace('"events"', f'"{module}"'), module)
        found.append([comparable(e) for e in read_events(tmp_path / module)])
    want, got = found
    assert len(got) == len(want) == 10
    for a, b in zip(got, want, strict=True):
        assert a == b


def test_a_step_is_needed_and_a_closed_writer_refuses(tmp_path):
    writer = tf.summary.create_file_writer(str(tmp_path))
    assert not tf.summary.scalar("x", 1.0, step=0)
    with writer.as_default():
        with pytest.raises(ValueError, match="No step set"):
            tf.summary.scalar("x", 1.0)
        tf.summary.experimental.set_step(7)
        assert tf.summary.scalar("x", 1.0)
        tf.summary.experimental.set_step(None)
    writer.close()
    with pytest.raises(RuntimeError, match="is already closed"), writer.as_default():
        pass
    assert [e.step for e in read_events(tmp_path) if e.summary.value] == [7]


def test_a_default_writer_stays_one(tmp_path):
    before = tf.summary.create_noop_writer()
    writer = tf.summary.create_file_writer(str(tmp_path))
    writer.set_as_default(step=2)
    try:
        assert tf.summary.scalar("x", 1.0)
        with before.as_default():
            tf.summary.scalar("nowhere", 1.0)
        assert tf.summary.scalar("y", 1.0)
    finally:
        before.set_as_default()
        tf.summary.experimental.set_step(None)
    writer.flush()
    events = [e for e in read_events(tmp_path) if e.summary.value]
    assert [(e.step, e.summary.value[0].tag) for e in events] == [(2, "x"), (2, "y")]


def test_a_traced_function_writes_at_each_run(tmp_path):
    writer = tf.summary.create_file_writer(str(tmp_path))

    @tf.function
    def step(k):
        with writer.as_default():
            tf.summary.scalar("square", tf.cast(k * k, tf.float32), step=k)

    for k in range(3):
        step(tf.constant(k, tf.int64))
    writer.close()
    events = [e for e in read_events(tmp_path) if e.summary.value]
    values = [np.frombuffer(e.summary.value[0].tensor.tensor_content, "<f4")[0] for e in events]
    assert [e.step for e in events] == [0, 1, 2] and values == [0.0, 1.0, 4.0]


CALLBACK = """
import importlib, sys
import numpy as np
tf = importlib.import_module(sys.argv[1])
keras = tf.keras
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="dense")], name="net")
model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mae"])
model.layers[0].kernel.assign(np.arange(8.0).reshape(4, 2))
x = np.arange(24, dtype="float32").reshape(6, 4)
model.fit(x, x[:, :2], batch_size=2, epochs=2, shuffle=False, validation_data=(x, x[:, :2]),
          verbose=0, callbacks=[
    keras.callbacks.TensorBoard(FOLDER, histogram_freq=1, write_images=True, update_freq=2,
                                write_graph=False)])
"""


def test_the_callback_writes_what_it_writes_on_tensorflow(run_python, tmp_path):
    found = []
    for module in ("tensorflow", "torchtf"):
        run_python(CALLBACK.replace("FOLDER", repr(module)), module)
        rows = []
        for part in ("train", "validation"):
            for event in read_events(tmp_path / module / part):
                for value in event.summary.value:
                    plugin = value.metadata.plugin_data.plugin_name
                    number = None
                    if plugin == "scalars":
                        number = float(np.frombuffer(value.tensor.tensor_content, "<f4")[0])
                    rows.append([part, value.tag, event.step, plugin, number])
        found.append(sorted(rows, key=json.dumps))
    want, got = found
    assert [r[:4] for r in got] == [r[:4] for r in want]
    for a, b in zip(got, want, strict=True):
        assert a[4] == (None if b[4] is None else pytest.approx(b[4], rel=1e-4)), a


def test_the_callback_profiles_and_writes_the_graph(tmp_path):
    keras = tf.keras
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    x = np.ones((8, 4), np.float32)
    callback = keras.callbacks.TensorBoard(tmp_path, profile_batch=(1, 2))
    model.fit(x, x[:, :2], batch_size=2, verbose=0, callbacks=[callback])
    (profile,) = tmp_path.glob("**/plugins/profile/*/*.xplane.pb")
    assert b"/host:CPU" in profile.read_bytes() and b"aten::" in profile.read_bytes()
    graphs = [e for e in read_events(tmp_path) if e.graph_def]
    assert len(graphs) == 1
