"""Checkpoints: `tf.train.Checkpoint`, managers, and the files, shared with TensorFlow."""

from __future__ import annotations

import threading

import ml_dtypes
import numpy as np
import pytest
import tensorflow

import torchtf
from torchtf.core import tensor_bundle


def make(tf, scale=1.0):
    """A module with variables in all kinds of places."""

    class Model(tf.Module):
        def __init__(self):
            super().__init__()
            self.b = tf.Variable(scale)
            self.rows = [tf.Variable([scale, 2.0]), tf.Variable([1, 2])]
            self.named = {"x": tf.Variable(3.0 * scale), "y/z.w": tf.Variable("text")}
            self.pair = (tf.Variable(5.0 * scale),)
            self.shared = self.b
            self.inner = tf.Module()
            self.inner.c = tf.Variable(1 + 2j)

    return Model()


def state(model):
    found = [model.b, *model.rows, *model.named.values(), *model.pair, model.inner.c]
    return [v.numpy() for v in found]


@pytest.mark.parametrize("writer, reader", [
    (torchtf, torchtf), (torchtf, tensorflow), (tensorflow, torchtf),
])  # fmt: skip
def test_either_restores_what_the_other_saved(tmp_path, writer, reader):
    source, target = make(writer), make(reader, 9.0)
    path = writer.train.Checkpoint(model=source, step=writer.Variable(7)).save(str(tmp_path / "c"))
    step = reader.Variable(0)
    restored = reader.train.Checkpoint(model=target, step=step)
    restored.restore(path).assert_consumed()
    for have, want in zip(state(target), state(source), strict=True):
        np.testing.assert_array_equal(have, want)
    assert int(step) == 7 and int(restored.save_counter) == 1


def test_names_and_state_are_tensorflows(tmp_path):
    paths = []
    for tf in (tensorflow, torchtf):
        folder = tmp_path / tf.__name__
        checkpoint = tf.train.Checkpoint(model=make(tf), root=None)
        paths.append(checkpoint.save(str(folder / "c")))
        checkpoint.save(str(folder / "c"))
    want, have = map(torchtf.train.list_variables, paths)
    assert have == want
    assert tensorflow.train.list_variables(paths[1]) == want
    for tf in (tensorflow, torchtf):
        for other in (tensorflow, torchtf):
            found = tf.train.latest_checkpoint(str(tmp_path / other.__name__))
            assert found == str(tmp_path / other.__name__ / "c-2")


def test_root_object(tmp_path):
    path = torchtf.train.Checkpoint(make(torchtf, 2.0)).write(str(tmp_path / "c"))
    theirs = make(tensorflow)
    tensorflow.train.Checkpoint(theirs).read(path).assert_consumed()
    assert theirs.b.numpy() == 2.0


def test_objects_made_after_the_restore(tmp_path):
    path = torchtf.train.Checkpoint(model=make(torchtf, 4.0)).save(str(tmp_path / "c"))
    model = torchtf.Module()
    status = torchtf.train.Checkpoint(model=model).restore(path)
    assert type(model) is not torchtf.Module and type(model).__name__ == "Module"
    model.b = torchtf.Variable(0.0)
    model.rows = [torchtf.Variable([0.0, 0.0])]
    assert model.b.numpy() == 4.0 and model.rows[0].numpy().tolist() == [4.0, 2.0]
    with pytest.raises(AssertionError, match="Unresolved"):
        status.assert_consumed()
    status.assert_nontrivial_match().expect_partial()


def test_mismatches_are_errors(tmp_path):
    saved = torchtf.train.Checkpoint(v=torchtf.Variable([1.0, 2.0]))
    path = saved.save(str(tmp_path / "c"))
    with pytest.raises(ValueError, match="incompatible tensor with shape"):
        torchtf.train.Checkpoint(v=torchtf.Variable(1.0)).restore(path)
    with pytest.raises(torchtf.errors.NotFoundError, match="missing the checkpoint suffix"):
        saved.restore(str(tmp_path / "c"))
    with pytest.raises(ValueError, match="trackable"):
        torchtf.train.Checkpoint(v=5)
    with pytest.raises(AssertionError):
        saved.restore(None).assert_consumed()
    extra = torchtf.train.Checkpoint(v=torchtf.Variable([0.0, 0.0]), w=torchtf.Variable(0.0))
    with pytest.raises(AssertionError, match="not assigned a value"):
        extra.restore(path).assert_consumed()


def test_tables_generators_and_python_state(tmp_path):
    class State(torchtf.train.experimental.PythonState):
        text = "old"

        def serialize(self):
            return self.text

        def deserialize(self, string_value):
            self.text = string_value

    def objects(tf):
        table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
        return {"table": table, "generator": tf.random.Generator.from_seed(5)}

    ours = objects(torchtf)
    ours["table"].insert(torchtf.constant(["a"]), torchtf.constant([1], torchtf.int64))
    python = State()
    checkpoint = torchtf.train.Checkpoint(python=python, **ours)
    path = checkpoint.save(str(tmp_path / "c"))
    python.text = "new"
    ours["table"].remove(torchtf.constant(["a"]))
    first = ours["generator"].normal([3]).numpy()
    checkpoint.restore(path).assert_consumed()
    assert python.text == b"old" and int(ours["table"].size()) == 1
    np.testing.assert_array_equal(ours["generator"].normal([3]).numpy(), first)
    theirs = objects(tensorflow)
    tensorflow.train.Checkpoint(**theirs).restore(path).expect_partial()
    assert theirs["table"].size().numpy() == 1


def test_manager_keeps_the_last(tmp_path):
    kept = []
    for tf in (tensorflow, torchtf):
        folder = str(tmp_path / tf.__name__)
        step = tf.Variable(0)
        manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(step=step), folder, 2, step_counter=step, checkpoint_interval=2
        )
        saved = []
        for _ in range(6):
            step.assign_add(1)
            saved.append(manager.save() is not None)
        again = tf.train.CheckpointManager(tf.train.Checkpoint(step=step), folder, 2)
        assert again.restore_or_initialize() == manager.latest_checkpoint
        names = [p[len(folder) :] for p in manager.checkpoints]
        kept.append((saved, names, sorted(p.name for p in (tmp_path / tf.__name__).iterdir())))
    assert kept[0] == kept[1]
    with pytest.raises(ValueError):
        torchtf.train.CheckpointManager(torchtf.train.Checkpoint(), str(tmp_path), 0)


def test_keras_models_travel_both_ways(tmp_path, run_python):
    program = """
import sys, numpy as np
tf = __import__(NAME)
keras = tf.keras
keras.utils.set_random_seed(SEED)
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
model.compile(keras.optimizers.Adam(0.1), "mse")
x = np.arange(12, dtype="float32").reshape(4, 3)
model.optimizer.build(model.trainable_variables)
checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
if SAVE:
    model.fit(x, x @ np.ones((3, 4), "float32"), epochs=2, verbose=0)
    checkpoint.save(PATH)
else:
    checkpoint.restore(PATH + "-1").expect_partial()
print([np.asarray(v).round(4).tolist() for v in model.weights + model.optimizer.variables])
"""
    names = ["tensorflow", "torchtf"]
    for writer, reader in (names, names[::-1]):
        path = str(tmp_path / writer)
        printed = [
            run_python(f"NAME = {name!r}\nSEED = {i}\nSAVE = {not i}\nPATH = {path!r}\n" + program)
            for i, name in enumerate((writer, reader))
        ]
        assert printed[0].strip().splitlines()[-1] == printed[1].strip().splitlines()[-1]


# -- the files


def test_bundles_of_every_type(tmp_path):
    rng = np.random.default_rng(0)
    texts = np.empty((2, 2), dtype=object)
    texts[:] = [[b"a", b""], [b"x" * 300, b"\xff"]]
    arrays = {f"layer{i}/w": rng.normal(size=(i % 5, 3)) for i in range(300)} | {"text": texts}
    kinds = "float16 float32 int8 int16 int32 int64 uint8 uint16 uint32 uint64 complex64"
    for name in kinds.split():
        arrays[name] = np.arange(6).astype(name)
    arrays |= {"bool": np.array([True, False]), "scalar": np.int64(5),
               "bfloat16": np.ones(3, ml_dtypes.bfloat16)}  # fmt: skip
    prefix = str(tmp_path / "bundle")
    tensor_bundle.write_bundle(prefix, arrays)
    theirs = tensorflow.train.load_checkpoint(prefix)
    ours = torchtf.train.load_checkpoint(prefix)
    for name, array in arrays.items():
        for reader in (theirs, ours):
            got = np.asarray(reader.get_tensor(name))
            assert got.shape == array.shape, name
            assert got.tolist() == array.tolist(), name
    assert ours.get_variable_to_shape_map() == theirs.get_variable_to_shape_map()
    assert sorted(ours.debug_string().splitlines()) == sorted(theirs.debug_string().splitlines())
    with pytest.raises(torchtf.errors.NotFoundError):
        ours.get_tensor("nope")
    assert torchtf.train.load_variable(prefix, "scalar") == 5


@pytest.mark.parametrize("file", ["index", "data-00000-of-00001"])
def test_damage_is_reported(tmp_path, file):
    prefix = str(tmp_path / "bundle")
    texts = np.array([b"some", b"text"], dtype=object)
    tensor_bundle.write_bundle(prefix, {"a": np.arange(10.0), "b": texts})
    path = tmp_path / f"bundle.{file}"
    data = path.read_bytes()
    silent = []
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        try:
            reader = torchtf.train.load_checkpoint(prefix)
            values = [reader.get_tensor(n).tolist() for n in ("a", "b")]
        except (torchtf.errors.OpError, NotImplementedError, IndexError, ValueError):
            continue
        if values != [np.arange(10.0).tolist(), [b"some", b"text"]]:
            silent.append(position)
    assert not silent


def test_views(tmp_path):
    path = torchtf.train.Checkpoint(model=make(torchtf)).save(str(tmp_path / "c"))
    ours, theirs = torchtf.train.CheckpointView(path), tensorflow.train.CheckpointView(path)
    assert ours.children(0) == theirs.children(0)
    assert ours.descendants() == theirs.descendants()
    for name in ("model", "other"):
        same, missing, extra = ours.diff(torchtf.train.Checkpoint(**{name: make(torchtf)}))
        wanted = theirs.diff(tensorflow.train.Checkpoint(**{name: make(tensorflow)}))
        assert list(same) == list(wanted[0]) and missing == wanted[1]
        assert len(extra) == len(wanted[2])
    assert "b" in torchtf.train.TrackableView.children(make(torchtf))


# -- the rest of tf.train


def test_moving_averages():
    results = []
    for tf in (tensorflow, torchtf):
        average = tf.train.ExponentialMovingAverage(0.5)
        variable = tf.Variable([1.0, 2.0])
        average.apply([variable])
        variable.assign([3.0, -2.0])
        average.apply([variable])
        results.append(average.average(variable).numpy().tolist())
    assert results[0] == results[1]


def test_coordinator_stops_threads_and_passes_errors_on():
    coordinator = torchtf.train.Coordinator()

    def work():
        with coordinator.stop_on_exception():
            while not coordinator.should_stop():
                raise KeyError("broken")

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    with pytest.raises(KeyError):
        coordinator.join(threads)
    coordinator.clear_stop()
    coordinator.request_stop(torchtf.errors.OutOfRangeError(None, None, "end"))
    coordinator.join(threads)
    assert coordinator.joined


def test_iterator_of_checkpoints(tmp_path):
    checkpoint = torchtf.train.Checkpoint(v=torchtf.Variable(1.0))
    checkpoint.save(str(tmp_path / "c"))
    found = torchtf.train.checkpoints_iterator(str(tmp_path), timeout=0)
    assert next(found) == str(tmp_path / "c-1")
    assert next(found, None) is None


def test_items_of_containers_that_come_late(tmp_path):
    def run(tf):
        saved = tf.train.Checkpoint(listed=[tf.Variable(1.0), tf.Variable(2.0)])
        saved.mapped = {"one": saved.listed[0], "two": saved.listed[1]}
        path = saved.save(str(tmp_path / tf.__name__))
        late, early, other = [[tf.Variable(0.0), tf.Variable(0.0)] for _ in range(3)]
        restored = tf.train.Checkpoint()
        restored.restore(path)
        restored.listed = []
        seen = [repr(restored.listed)]
        restored.listed.append(late[0])
        restored.listed += late[1:]
        first = tf.train.Checkpoint()
        first.restore(path)
        first.listed = early[:1]
        first.listed.extend(early[1:])
        by_name = tf.train.Checkpoint()
        by_name.restore(path)
        by_name.mapped = {}
        by_name.mapped["two"] = other[1]
        by_name.mapped.update(one=other[0])
        seen += [v.numpy() for v in (*late, *early, *other)]
        return [*seen, restored.listed == late, len(restored.listed)]

    assert run(torchtf) == run(tensorflow)
