"""Four replicas, and processes that die, in real processes (gloo on 127.0.0.1)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.distribute.launch import ENVIRONMENT, free_port, torchrun

# One launch asks many questions. Each rank writes down what it found.
QUESTIONS = """
import json, os, sys
import numpy as np
import torchtf as tf

folder = sys.argv[1]
strategy = tf.distribute.MirroredStrategy()
rank, count = strategy.group.rank if strategy.group else 0, strategy.num_replicas_in_sync
found = {"replicas": count}
rng = np.random.default_rng(0)
x = rng.normal(size=(96, 8)).astype("float32")
y = np.arange(96) % 3
x[np.arange(96), y] += 3.0


def make(batch_norm=False, dropout=0.0):
    layers = [tf.keras.Input((8,)), tf.keras.layers.Dense(16, activation="relu")]
    if batch_norm:
        layers.append(tf.keras.layers.BatchNormalization(synchronized=True))
    if dropout:
        layers.append(tf.keras.layers.Dropout(dropout))
    return tf.keras.Sequential([*layers, tf.keras.layers.Dense(3)])


def weights(model):
    return [w.tolist() for w in model.get_weights()]


# fit, with an optimizer that has state, clipping, and statistics of all replicas
tf.keras.utils.set_random_seed(1)
with strategy.scope():
    model = make(batch_norm=True)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(0.01, global_clipnorm=1.0), metrics=["accuracy"],
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
found["history"] = model.fit(x, y, batch_size=32, epochs=2, shuffle=False, verbose=0).history
found["fit"] = weights(model)
found["evaluate"] = model.evaluate(x, y, batch_size=32, verbose=0)
found["predict"] = model.predict(x[:6], verbose=0).tolist()
# with dropout the replicas differ in their masks and yet hold equal weights
with strategy.scope():
    model = make(batch_norm=False, dropout=0.5)
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
model.fit(x, y, batch_size=32, epochs=1, verbose=0)
found["dropout"] = weights(model)

# a loop of one's own
tf.keras.utils.set_random_seed(2)
BATCH = 32
with strategy.scope():
    model = make()
    optimizer = tf.keras.optimizers.SGD(0.1, momentum=0.9)
    accuracy = tf.keras.metrics.SparseCategoricalAccuracy()
    steps = tf.Variable(0.0, aggregation=tf.VariableAggregation.MEAN)
loss_fn = tf.keras.losses.SparseCategoricalCrossentropy(
    from_logits=True, reduction=tf.keras.losses.Reduction.NONE)


@tf.function
def train_step(inputs):
    def step_fn(inputs):
        features, labels = inputs
        with tf.GradientTape() as tape:
            logits = model(features, training=True)
            loss = tf.nn.compute_average_loss(
                loss_fn(labels, logits), global_batch_size=BATCH)
        grads = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(grads, model.trainable_variables))
        accuracy.update_state(labels, logits)
        steps.assign_add(1.0)
        return loss
    losses = strategy.run(step_fn, args=(inputs,))
    return strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)


dataset = tf.data.Dataset.from_tensor_slices((x[:80], y[:80])).batch(BATCH)
found["losses"] = [
    float(train_step(inputs))
    for _ in range(2) for inputs in strategy.experimental_distribute_dataset(dataset)]
found["loop"] = weights(model)
found["accuracy"], found["steps"] = float(accuracy.result()), float(steps)
found["a metric is"] = type(accuracy.result()) is tf.Tensor
checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
path = checkpoint.save(f"{folder}/{count}/ckpt")
found["checkpoint"] = sorted(os.listdir(f"{folder}/{count}"))

# what the replicas tell each other
def talk():
    context = tf.distribute.get_replica_context()
    number = tf.cast(context.replica_id_in_sync_group, tf.float32)
    rows = tf.fill([context.replica_id_in_sync_group + 1], number)
    return (context.all_reduce("SUM", {"a": number, "b": [number + 1]}),
            context.all_gather(rows, axis=0), tf.random.uniform([]), number)


sums, rows, drawn, number = strategy.run(talk)
local = strategy.experimental_local_results
found["sums"] = [[float(v) for v in local(s)] for s in (sums["a"], sums["b"][0])]
found["rows"] = [v.numpy().tolist() for v in local(rows)]
found["drawn"] = [float(v) for v in local(drawn)]
found["mean"] = float(strategy.reduce("MEAN", number, axis=None))
found["text"] = str(number)
json.dump(found, open(f"{folder}/{count}-{rank}.json", "w"))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What each rank of 1, 2 and 4 replicas found."""
    folder = tmp_path_factory.mktemp("questions")
    script = folder / "questions.py"
    script.write_text(QUESTIONS)
    subprocess.run(
        [sys.executable, str(script), str(folder)], check=True, timeout=300, env=ENVIRONMENT
    )
    for replicas in (2, 4):
        torchrun(replicas, script, folder, timeout=400)
    return {
        n: [json.loads((folder / f"{n}-{rank}.json").read_text()) for rank in range(n)]
        for n in (1, 2, 4)
    }


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [2, 4])
def test_replicas_agree_and_train_like_one_process(answers, replicas):
    (alone,), ranks = answers[1], answers[replicas]
    first = ranks[0]
    for key in ("fit", "dropout", "loop", "history", "losses", "predict"):
        for other in ranks[1:]:
            assert other[key] == first[key], f"the replicas' {key} must be equal bit for bit"
    for key in ("fit", "loop"):
        for a, b in zip(alone[key], first[key], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5, err_msg=key)
    for name, values in alone["history"].items():
        np.testing.assert_allclose(values, first["history"][name], atol=1e-5, err_msg=name)
    for key in ("losses", "evaluate", "predict", "accuracy"):
        np.testing.assert_allclose(alone[key], first[key], atol=1e-5, err_msg=key)
    assert first["steps"] == 6.0 and first["replicas"] == replicas
    assert alone["a metric is"] and first["a metric is"], "a tf.Tensor"
    assert first["checkpoint"] == [
        "checkpoint", "ckpt-1.data-00000-of-00001", "ckpt-1.index",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [2, 4])
def test_replicas_exchange_values(answers, replicas):
    for found in answers[replicas]:
        total = sum(range(replicas))
        assert found["sums"] == [[total] * replicas, [total + replicas] * replicas]
        gathered = [float(r) for r in range(replicas) for _ in range(r + 1)]
        assert found["rows"] == [gathered] * replicas
        assert len(set(found["drawn"])) == replicas, "replicas draw different numbers"
        assert found["mean"] == total / replicas
        lines = [f"  {r}: tf.Tensor({r}.0, shape=(), dtype=float32)" for r in range(replicas)]
        assert found["text"] == "PerReplica:{\n" + ",\n".join(lines) + "\n}"


ELASTIC = """
import json, os, signal, sys
import numpy as np
import torchtf as tf

folder, kills = sys.argv[1], json.loads(sys.argv[2])
strategy = tf.distribute.MirroredStrategy()
rank = int(os.environ["RANK"])
attempt = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))


class Killed(tf.keras.callbacks.Callback):
    step = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if attempt < len(kills) and kills[attempt] == [rank, self.epoch, batch]:
            os.kill(os.getpid(), signal.SIGKILL)


tf.keras.utils.set_random_seed(1)
x = np.random.default_rng(0).normal(size=(48, 4)).astype("float32")
with strategy.scope():
    model = tf.keras.Sequential([
        tf.keras.Input((4,)), tf.keras.layers.Dropout(0.3), tf.keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
model.fit(
    tf.data.Dataset.from_tensor_slices((x, x.sum(1))).shuffle(48).batch(16), epochs=4, verbose=0,
    callbacks=[tf.keras.callbacks.BackupAndRestore(f"{folder}/backup"), Killed()])
json.dump([attempt, [w.tolist() for w in model.get_weights()]],
          open(f"{folder}/done-{rank}.json", "w"))
"""


@pytest.mark.slow
def test_training_survives_the_kill_of_ranks(tmp_path):
    script = tmp_path / "elastic.py"
    script.write_text(ELASTIC)
    results = {}
    for name, kills in (("calm", []), ("killed", [[1, 1, 1], [0, 2, 0]])):
        folder = tmp_path / name
        folder.mkdir()
        torchrun(2, script, folder, json.dumps(kills), restarts=3, timeout=400)
        results[name] = [json.loads((folder / f"done-{r}.json").read_text()) for r in range(2)]
    assert [attempt for attempt, _ in results["calm"]] == [0, 0]
    assert [attempt for attempt, _ in results["killed"]] == [2, 2]
    weights = [w for rank in (0, 1) for _, w in [results["calm"][rank], results["killed"][rank]]]
    assert all(w == weights[0] for w in weights), "equal bit for bit to a run without a kill"


NODES = """
import os, sys
import torchtf as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()


def step():
    context = tf.distribute.get_replica_context()
    number = tf.cast(context.replica_id_in_sync_group, tf.float32)
    return context.all_reduce("SUM", number)


found = strategy.num_replicas_in_sync, float(strategy.run(tf.function(step)))
open(f"{sys.argv[1]}/{os.environ['GROUP_RANK']}-{os.environ['LOCAL_RANK']}", "w").write(str(found))
"""


@pytest.mark.slow
def test_two_nodes_are_one_group(tmp_path):
    script, port = tmp_path / "nodes.py", free_port()
    script.write_text(NODES)
    where = "--rdzv_backend=c10d", f"--rdzv_endpoint=127.0.0.1:{port}", "--rdzv_id=nodes"
    with ThreadPoolExecutor(2) as machines:
        for node in [
            machines.submit(
                torchrun, 2, script, tmp_path, where=("--nnodes=2", *where), timeout=200
            )
            for _ in range(2)
        ]:
            node.result()
    found = {p.name: p.read_text() for p in tmp_path.glob("?-?")}
    assert found == dict.fromkeys(("0-0", "0-1", "1-0", "1-1"), "(4, 6.0)")


ENDINGS = """
import os, signal, sys, time
import torchtf as tf
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
pids = strategy.experimental_local_results(strategy.run(os.getpid))
print("pids", *[int(p) for p in pids], flush=True)
how = sys.argv[1]
if how == "exit":
    sys.exit(7)
time.sleep(100)
"""


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("how", "sent", "code"),
    [("exit", None, 7), ("wait", signal.SIGINT, -signal.SIGINT), ("wait", signal.SIGKILL, -9)],
)
def test_no_process_outlives_the_program(tmp_path, how, sent, code):
    script = tmp_path / "ends.py"
    script.write_text(ENDINGS)
    process = subprocess.Popen(
        [sys.executable, str(script), how], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=ENVIRONMENT, start_new_session=True,
    )  # fmt: skip
    try:
        pids = [int(p) for p in process.stdout.readline().split()[1:]]
        assert len(pids) == 2 and pids[0] == process.pid
        if sent is not None:
            process.send_signal(sent)
        assert process.wait(200) == code
        deadline = time.monotonic() + 30
        while _alive(pids[1]) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _alive(pids[1])
    finally:
        process.kill()
        process.communicate()


def test_strategies_of_other_sizes_in_one_program(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import torchtf as tf\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(\n"
        "    cpu, [tf.config.LogicalDeviceConfiguration()] * 4)\n"
        "for n in (2, 1, 3, 2):\n"
        "    try:\n"
        "        strategy = tf.distribute.MirroredStrategy([f'CPU:{i}' for i in range(n)])\n"
        "        ones = strategy.run(lambda: tf.constant(1.0))\n"
        "        print(n, float(strategy.reduce('SUM', ones, axis=None)))\n"
        "    except NotImplementedError as e:\n"
        "        print(n, 'Name 2 devices or one' in str(e))\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=300, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["2 2.0", "1 1.0", "3 True", "2 2.0"]


def test_spawning_can_be_turned_off(tmp_path):
    script = tmp_path / "off.py"
    script.write_text(
        "import torchtf as tf\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(\n"
        "    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        "print(tf.distribute.MirroredStrategy(['/cpu:0', '/cpu:1']).num_replicas_in_sync)\n"
    )
    out = subprocess.run(
        [sys.executable, str(script)], check=True, capture_output=True, text=True, timeout=300,
        env=ENVIRONMENT | {"TORCHTF_SPAWN": "0"},
    ).stdout  # fmt: skip
    assert out.split() == ["1"]


def test_the_log_of_a_rank_that_failed_is_named_and_no_other_stays(tmp_path):
    script = tmp_path / "fails.py"
    script.write_text(
        "import os, sys\n"
        "import torchtf as tf\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(\n"
        "    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        "strategy = tf.distribute.MirroredStrategy(['/cpu:0', '/cpu:1'])\n"
        "if os.environ['RANK'] in sys.argv:\n"
        "    raise ValueError('deliberate')\n"
        "strategy.run(lambda: tf.distribute.get_replica_context().all_reduce('SUM', tf.ones(2)))\n"
    )
    for failing, left in (("neither", 0), ("1", 1)):
        done = subprocess.run(
            [sys.executable, str(script), failing], capture_output=True, text=True, timeout=300,
            env=ENVIRONMENT | {"TMPDIR": str(tmp_path)},
        )  # fmt: skip
        assert (done.returncode == 0) is (left == 0), done.stderr
        logs = list(tmp_path.glob("torchtf_rank*.log"))
        assert len(logs) == left
        assert all(f"its output is in {log}" in done.stderr for log in logs)
    assert "ValueError: deliberate" in done.stderr and "deliberate" in logs[0].read_text()
