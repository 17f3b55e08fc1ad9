"""Strategies with one replica in this process, and with several in real processes."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import torchtf as tf
from tests.distribute.launch import ENVIRONMENT, torchrun

TWO_REPLICAS = """
    import json, os
    import numpy as np
    import torchtf as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
"""

TRAIN = """
    import hashlib, json, os, sys
    import numpy as np
    import torchtf as tf
    rng = np.random.default_rng(0)
    x = rng.normal(size=(96, 8)).astype("float32")
    y = np.arange(96) % 3
    x[np.arange(96), y] += 3.0

    def model(optimizer):
        model = tf.keras.Sequential([
            tf.keras.Input((8,)),
            tf.keras.layers.Dense(16, activation="relu", kernel_initializer=init(1)),
            tf.keras.layers.Dense(3, kernel_initializer=init(2)),
        ])
        model.compile(
            optimizer=optimizer, metrics=["accuracy"],
            loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    def init(seed):
        return tf.keras.initializers.GlorotUniform(seed=seed)

    def weights(model):
        return [w.tolist() for w in model.get_weights()]
"""


def last_json(text: str):
    return json.loads(text.strip().splitlines()[-1])


def test_one_replica_leaves_values_as_they_are():
    strategy = tf.distribute.MirroredStrategy()
    assert strategy.num_replicas_in_sync == 1
    assert strategy.run(lambda a: a, args=(3,)) == 3
    assert strategy.experimental_local_results(5) == (5,)
    total = strategy.reduce("SUM", tf.constant([1.0, 2.0, 3.0]), axis=0)
    mean = strategy.reduce(tf.distribute.ReduceOp.MEAN, tf.constant([1, 2, 4]), axis=0)
    assert total.numpy() == 6.0 and mean.numpy() == 7 / 3  # as in TensorFlow


_REDUCED = """
    import json, numpy as np
    seen = []
    values = [1.0, 3, True, "x", None, [1.0, 2.0], (1, 2), {"a": 1.0}, np.float32(2),
              tf.constant([1, 2])]
    strategies = [tf.distribute.get_strategy(), tf.distribute.OneDeviceStrategy("/cpu:0"),
                  tf.distribute.MirroredStrategy(["CPU:0"])]
    for i, strategy in enumerate(strategies):
        for op in ("SUM", "MEAN"):
            for value in values:
                try:
                    result = strategy.reduce(op, value, axis=None)
                    seen.append([i, op, result is value, repr(result)])
                except ValueError:
                    seen.append([i, op, "ValueError"])
        for value in ([1.0, 2.0], [[1.0, 2.0], [3.0, 5.0]], np.array([1.0, 2.0])):
            seen.append([i, repr(strategy.reduce("SUM", value, axis=0))])
    print(json.dumps(seen))
"""


def test_reduce_of_one_replica_returns_what_tensorflow_returns(run_python):
    ours, theirs = (
        last_json(run_python(f"import {module} as tf\n" + textwrap.dedent(_REDUCED)))
        for module in ("torchtf", "tensorflow")
    )
    assert ours == theirs and [0, "SUM", True, "1.0"] in ours


def test_nccl_without_gpus_is_refused_only_for_several_workers(monkeypatch):
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=tf.distribute.experimental.CommunicationImplementation.NCCL
    )
    monkeypatch.setattr("torchtf.distribute.multi_worker._kind", lambda: "CPU")
    strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    assert strategy.num_replicas_in_sync == 1
    workers = ["127.0.0.1:1", "127.0.0.1:2"]
    task = {"type": "worker", "index": 0}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": workers}, "task": task}))
    with pytest.raises(ValueError, match="NCCL needs GPUs"):
        tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)


@pytest.mark.parametrize("op", [None, "MEDIAN", 3])
def test_unknown_reduce_op_is_refused(op):
    with pytest.raises(ValueError, match="reduce_op"):
        tf.distribute.MirroredStrategy().reduce(op, tf.constant(1.0), axis=None)


def test_contexts():
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    assert not tf.distribute.has_strategy() and not tf.distribute.in_cross_replica_context()
    with strategy.scope():
        assert tf.distribute.get_strategy() is strategy
        assert tf.distribute.in_cross_replica_context()
        assert strategy.run(tf.distribute.in_cross_replica_context) is False
        with pytest.raises(RuntimeError, match="Mixing different"):
            tf.distribute.MirroredStrategy().scope().__enter__()
    assert not tf.distribute.has_strategy()


def test_two_logical_devices_are_two_processes(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(
        textwrap.dedent(
            TWO_REPLICAS
            + """
    @tf.function
    def step():
        def fn():
            context = tf.distribute.get_replica_context()
            own = tf.cast(context.replica_id_in_sync_group + 1, tf.float32)
            return own, context.all_reduce("SUM", [own, 10.0 * own])
        return strategy.run(fn)

    own, summed = step()
    dataset = tf.data.Dataset.range(7).batch(5)
    rows = [[t.numpy().tolist() for t in strategy.experimental_local_results(b)]
            for b in strategy.experimental_distribute_dataset(dataset)]
    print(json.dumps([
        strategy.num_replicas_in_sync,
        [float(t) for t in strategy.experimental_local_results(own)],
        float(strategy.reduce("MEAN", own, axis=None)),
        [[float(t) for t in strategy.experimental_local_results(s)] for s in summed],
        strategy.gather(strategy.run(lambda: tf.constant([os.getpid()])), axis=0).shape[0],
        rows,
    ]))
    """
        )
    )
    out = subprocess.run(
        [sys.executable, str(script)], check=True, capture_output=True, text=True, timeout=200,
        env=ENVIRONMENT,
    ).stdout  # fmt: skip
    replicas, own, mean, summed, gathered, rows = last_json(out)
    assert (replicas, own, mean, gathered) == (2, [1.0, 2.0], 1.5, 2)
    assert summed == [[3.0, 3.0], [30.0, 30.0]]
    assert rows == [[[0, 1, 2], [3, 4]], [[5], [6]]]


@pytest.mark.parametrize("optimizer", ["tf.keras.optimizers.SGD(0.1)", "'adamw'"])
def test_replicas_train_like_one_process_on_the_global_batch(run_python, tmp_path, optimizer):
    code = TRAIN.replace("\n    ", "\n") + (
        "\nstrategy = tf.distribute.MirroredStrategy()\n"
        "with strategy.scope():\n"
        f"    net = model({optimizer})\n"
        "history = net.fit(x, y, batch_size=32, epochs=3, shuffle=False, verbose=0).history\n"
        "rank = os.environ.get('RANK', 'alone')\n"
        "json.dump([strategy.num_replicas_in_sync, history, weights(net)],\n"
        "          open(f'{sys.argv[1]}/{rank}.json', 'w'))\n"
    )
    script = tmp_path / "train.py"
    script.write_text(code)
    subprocess.run(
        [sys.executable, str(script), str(tmp_path)], check=True, timeout=200, env=ENVIRONMENT
    )
    torchrun(2, script, tmp_path, timeout=300)
    alone, first, second = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("alone", "0", "1")
    )
    assert (alone[0], first[0], second[0]) == (1, 2, 2)
    assert first[2] == second[2], "the replicas' weights must be equal bit for bit"
    for a, b in zip(alone[2], first[2], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    for name, values in alone[1].items():
        np.testing.assert_allclose(values, first[1][name], rtol=1e-4, err_msg=name)


def test_a_failing_replica_ends_the_program_with_its_log(run_python, tmp_path):
    script = tmp_path / "fails.py"
    script.write_text(
        "import os, time\n"
        "import torchtf as tf\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(\n"
        "    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        "strategy = tf.distribute.MirroredStrategy(['/cpu:0', '/cpu:1'])\n"
        "if os.environ['RANK'] == '1':\n"
        "    raise RuntimeError('the second replica is unwell')\n"
        "time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300,
        env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode != 0
    assert "the second replica is unwell" in done.stderr


def test_several_devices_without_a_script_are_refused(run_python):
    out = run_python(
        """
        import torchtf as tf
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        import sys
        sys.modules["__main__"].__file__ = "<stdin>"
        sys.modules["__main__"].__spec__ = None
        try:
            tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
        except RuntimeError as e:
            print(e)
        """
    )
    assert "torchrun" in out and "script" in out


@pytest.mark.parametrize(
    ("devices", "words"),
    [([], "empty"), (["/gpu:x"], "malformed"), (["/cpu:0", "/cpu:0"], "distinct")],
)
def test_bad_devices_are_refused(devices, words):
    with pytest.raises(ValueError, match=words):
        tf.distribute.MirroredStrategy(devices)
