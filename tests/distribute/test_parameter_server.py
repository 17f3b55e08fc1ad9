"""Parameter servers, workers and a chief, in real processes on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import threading

import grpc
import numpy as np
import pytest

import torchtf
from torchtf.distribute import _rpc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

CLUSTER = """
    import json, os, sys, time
    import numpy as np
    import torchtf as tf
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if resolver.task_type in ("worker", "ps"):
        tf.distribute.Server(
            resolver.cluster_spec(), job_name=resolver.task_type, task_index=resolver.task_id,
        ).join()
    strategy = tf.distribute.ParameterServerStrategy(
        resolver, tf.distribute.experimental.partitioners.FixedShardsPartitioner(2))
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
"""

PROGRAM = (
    CLUSTER
    + """
    with strategy.scope():
        w = tf.Variable(tf.zeros([4, 1]))
        steps = tf.Variable(0)
    true_w = np.array([[1.0], [-2.0], [3.0], [0.5]], np.float32)

    def dataset_fn():
        x = np.random.default_rng(0).normal(size=(256, 4)).astype(np.float32)
        return tf.data.Dataset.from_tensor_slices((x, x @ true_w)).batch(32).repeat()

    @tf.function
    def step(iterator):
        x, y = next(iterator)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((tf.matmul(x, w) - y) ** 2)
        w.assign_sub(0.1 * tape.gradient(loss, w))
        steps.assign_add(1)
        return loss

    iterator = iter(coordinator.create_per_worker_dataset(dataset_fn))
    results = [coordinator.schedule(step, args=(iterator,)) for _ in range(60)]
    coordinator.join()
    losses = [float(r.fetch()) for r in results]

    def fails():
        raise ValueError("a scheduled function is unwell")

    coordinator.schedule(fails)
    try:
        coordinator.join()
        failure = ""
    except Exception as e:
        failure = str(e)
    first = int(steps)

    def who():
        time.sleep(0.05)
        return tf.distribute.coordinator.experimental_get_current_worker_index(), os.getpid()

    pids = set()
    while len(pids) < 2:
        pids |= set(coordinator.fetch([coordinator.schedule(who) for _ in range(4)]))
    # the test kills worker 0 when it reads this, and starts it again
    print("KILL", flush=True)

    def run_step(iterator):
        time.sleep(0.02)
        return step(iterator)

    deadline = time.time() + 120
    rounds = 0
    while time.time() < deadline and len(pids) < 3:  # until the new worker has done something
        for _ in range(10):
            coordinator.schedule(run_step, args=(iterator,))
        found = [coordinator.schedule(who) for _ in range(4)]
        coordinator.join()
        pids |= set(coordinator.fetch(found))
        rounds += 1

    def fit_data(context):
        x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
        return tf.data.Dataset.from_tensor_slices((x, x @ true_w)).repeat().batch(16)

    with strategy.scope():
        model = tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(1)])
        model.compile(optimizer=tf.keras.optimizers.SGD(0.1), loss="mse")

    class Marker(tf.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                print("KILL", flush=True)

    history = model.fit(
        tf.keras.utils.experimental.DatasetCreator(fit_data), epochs=4, steps_per_epoch=20,
        verbose=0, callbacks=[Marker()]).history["loss"]
    print(json.dumps([
        first, max(losses), losses[-1], w.numpy().tolist(),
        [v.device for v in w.variables], type(w).__name__, failure,
        sorted({i for i, _ in pids}), len(pids), int(steps) - first - 10 * rounds, history,
        int(model.optimizer.iterations),
    ]), flush=True)
    os._exit(0)
"""
)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@pytest.mark.slow
def test_workers_train_variables_that_live_on_servers_and_may_die(tmp_path):
    script = tmp_path / "cluster.py"
    script.write_text(textwrap.dedent(PROGRAM))
    tasks = [("ps", 0), ("ps", 1), ("worker", 0), ("worker", 1), ("chief", 0)]
    ports = iter(free_ports(len(tasks)))
    cluster: dict = {}
    for job, _ in tasks:
        cluster.setdefault(job, []).append(f"127.0.0.1:{next(ports)}")

    def start(job, index):
        config = json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})
        return subprocess.Popen(
            [sys.executable, str(script)],
            env=os.environ | {"TF_CONFIG": config, "PYTHONPATH": ROOT, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE if job == "chief" else subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    processes = {task: start(*task) for task in tasks}
    limit = threading.Timer(300, processes["chief", 0].kill)
    limit.start()
    last_line, kills = "", 0
    try:
        for line in processes["chief", 0].stdout:
            if line == "KILL\n":
                kills += 1
                processes["worker", 0].kill()
                processes["worker", 0].wait()
                processes["worker", 0] = start("worker", 0)
            last_line = line
    finally:
        limit.cancel()
        for process in processes.values():
            process.kill()
            process.wait()
    (
        steps, first, last, w, devices, kind, failure, workers, seen, repeated, history, iterations
    ) = json.loads(last_line)  # fmt: skip
    assert steps == 60 and last < 0.1 * first
    np.testing.assert_allclose(w, [[1.0], [-2.0], [3.0], [0.5]], atol=0.2)
    assert kind == "ShardedVariable"
    assert [d.split("/device")[0] for d in devices] == [
        "/job:ps/replica:0/task:0",
        "/job:ps/replica:0/task:1",
    ]
    assert "a scheduled function is unwell" in failure
    assert kills == 2 and workers == [0, 1] and seen == 3, "the new worker must rejoin"
    # a function may run twice when its worker dies after the update
    assert 0 <= repeated <= 1
    assert history[-1] < 0.1 * history[0] and 80 <= iterations <= 81


@pytest.fixture
def reluctant_task(monkeypatch, request):
    """A task that breaks off its first calls, as a connection to a dead task does."""
    calls = []

    class Handler(_rpc._Handler):
        def service(self, details):
            return grpc.unary_unary_rpc_method_handler(self.answer)

        def answer(self, call, context):
            calls.append(call)
            if len(calls) <= request.param:
                context.abort(grpc.StatusCode.UNAVAILABLE, "Stream removed")
            return _rpc._answer(call, context)

    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    monkeypatch.setattr(_rpc._Cluster, "addresses", {"worker0": address})
    monkeypatch.setattr(_rpc._Cluster, "channels", {})
    for name, value in (("_Handler", Handler), ("_servers", []), ("_seen", set())):
        monkeypatch.setattr(_rpc, name, value)
    _rpc._serve(address)
    yield calls
    _rpc._servers[0].stop(None)


@pytest.mark.parametrize("reluctant_task", [2], indirect=True)
def test_a_broken_connection_does_not_end_the_wait_for_a_task(reluctant_task):
    _rpc.wait_for("worker0", 60.0)
    assert len(reluctant_task) == 3


@pytest.mark.parametrize("reluctant_task", [float("inf")], indirect=True)
def test_the_wait_for_a_task_ends_in_time(reluctant_task):
    with pytest.raises(_rpc.TaskLostError, match="worker0 is lost"):
        _rpc.wait_for("worker0", 0.5)


@pytest.mark.parametrize(
    ("partitioner", "shape", "parts"),
    [
        ("FixedShardsPartitioner(3)", [10, 2], [3, 1]),
        ("FixedShardsPartitioner(20)", [10, 2], [10, 1]),
        ("MinSizePartitioner(min_shard_bytes=40, max_shards=4)", [10, 4], [4, 1]),
        ("MinSizePartitioner(min_shard_bytes=80, max_shards=4)", [10, 4], [2, 1]),
        ("MaxSizePartitioner(max_shard_bytes=32)", [10, 4], [5, 1]),
        ("MaxSizePartitioner(max_shard_bytes=32, max_shards=2)", [10, 4], [2, 1]),
    ],
)
def test_partitioners_agree_with_tensorflow(partitioner, shape, parts):
    import tensorflow

    for tf in (torchtf, tensorflow):
        made = eval(f"p.{partitioner}", {"p": tf.distribute.experimental.partitioners})
        assert list(made(tf.TensorShape(shape), tf.float32)) == parts


def test_a_cluster_without_servers_is_refused(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["a:1"]}}))
    resolver = torchtf.distribute.cluster_resolver.TFConfigClusterResolver()
    with pytest.raises(ValueError, match="at least one ps"):
        torchtf.distribute.ParameterServerStrategy(resolver)
