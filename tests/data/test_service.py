"""The tf.data service: dispatcher, workers and consumers beside TensorFlow's."""

from __future__ import annotations

import doctest
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import torchtf as tf
from tests.conftest import ROOT, results_of_both
from tests.data.compare import plain
from tests.data.service_cases import NAMES, Cluster
from torchtf.data._service import client, worker

D = tf.data.Dataset
S = tf.data.experimental.service


@pytest.fixture
def cluster(request):
    """Makes clusters that end with the test."""

    def make(workers: int = 2, **config):
        made = Cluster(tf, workers, **config)
        request.addfinalizer(made.stop)
        return made

    return make


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    deadline = time.monotonic() + 10
    while left := [t for t in threading.enumerate() if t.name == "torchtf-data-consumer"]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


# -- beside TensorFlow


def documented():
    import tensorflow

    theirs = tensorflow.data.experimental
    found = [
        getattr(theirs.service, name)
        for name in ("distribute", "register_dataset", "from_dataset_id", "DispatchServer",
                     "WorkerServer")
    ]  # fmt: skip
    found += [theirs.service.DispatchServer.start, theirs.service.DispatchServer.target.fget]
    return [*found, theirs.distributed_save]


def test_the_examples_of_tensorflows_documents_print_the_same(tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    for thing in documented():
        (test,) = doctest.DocTestFinder(recurse=False).find(thing, thing.__name__, globs={"tf": tf})
        assert test.examples
        runner.run(test, clear_globs=True)
    assert runner.failures == 0


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    return results_of_both(tmp_path_factory, "from tests.data.service_cases import main; main()")


@pytest.mark.parametrize("name", NAMES)
def test_a_program_sees_what_it_sees_with_tensorflow(seen, name):
    assert seen["torchtf"][name] == seen["tensorflow"][name]


def test_the_cache_of_trainers_gives_all_the_same(cluster):
    made = cluster(1)

    def read(trainer, count):
        cache = S.CrossTrainerCache(trainer)
        dataset = (
            D.range(10**6)
            .repeat()
            .apply(made.distribute("parallel_epochs", job_name="kept", cross_trainer_cache=cache))
        )
        return [int(x) for x in dataset.take(count)]

    assert read("a", 50) == list(range(50))
    assert read("b", 50) == list(range(50))
    for settings, message in (
        ({}, "named jobs"),
        ({"job_name": "k2"}, "to be infinite"),
    ):
        data = D.range(3) if settings else D.range(3).repeat()
        cache = S.CrossTrainerCache("a")
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            iter(data.apply(made.distribute("parallel_epochs", cross_trainer_cache=cache,
                                            **settings)))  # fmt: skip


def test_a_trainer_far_behind_goes_on_with_the_oldest_kept(cluster, monkeypatch):
    monkeypatch.setattr(worker, "CACHE_BYTES", 8_000)
    made = cluster(1)

    def reader(trainer):
        cache = S.CrossTrainerCache(trainer)
        return iter(
            D.range(10**6).repeat().apply(
                made.distribute("parallel_epochs", job_name="kept", cross_trainer_cache=cache)
            )
        )  # fmt: skip

    ahead = [int(x) for x in itertools.islice(reader("a"), 5000)]
    assert ahead == list(range(5000))
    assert int(next(reader("b"))) > 3000


# -- what travels


ELEMENTS = {
    "ragged": lambda: D.from_tensor_slices(tf.ragged.constant([[1], [2, 3]])),
    "sparse": lambda: D.from_tensor_slices(tf.sparse.from_dense([[1, 0], [0, 2]])),
    "nested": lambda: D.from_tensor_slices((([1, 2], {"x": ["a", "bc"]}), np.ones((2, 3)))),
    "shapes": lambda: D.range(4).map(tf.range),
    "none": lambda: D.range(2).map(lambda x: (x, None)),
    "bfloat16": lambda: D.from_tensor_slices(tf.constant([1.5, 2.5], tf.bfloat16)),
}


@pytest.mark.parametrize("name", ELEMENTS)
def test_elements_travel_over_grpc_as_they_are(cluster, name):
    made, dataset = cluster(1), ELEMENTS[name]()
    expected = [plain(x) for x in dataset]
    for transfer in ("grpc", "local", None):
        there = dataset.apply(made.distribute("parallel_epochs", data_transfer_protocol=transfer))
        assert [plain(x) for x in there] == expected


def test_functions_travel_with_what_they_close_over(cluster):
    made = cluster(1)
    offset = tf.Variable(3, dtype=tf.int64)
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer([0, 1], [7, 8], tf.int64, tf.int64), -1
    )

    def function(x):
        if x % 2 == 0:  # AutoGraph converts it there, too
            x = x + offset
        return x, table.lookup(x)

    dataset = D.range(4).map(function)
    expected = [plain(x) for x in dataset]
    assert [plain(x) for x in dataset.apply(made.distribute("parallel_epochs"))] == expected


def test_what_cannot_travel_says_so(cluster):
    made = cluster(0)
    lock = threading.Lock()

    def function(x):
        with lock:
            return x

    with pytest.raises(NotImplementedError, match="cannot be pickled"):
        S.register_dataset(made.dispatcher.target, D.range(3).map(function))
    with pytest.raises(NotImplementedError, match="map them to tensors"):
        S.register_dataset(made.dispatcher.target, D.range(3).window(2))
    with pytest.raises(NotImplementedError, match="SNAPPY"):
        made.distribute("parallel_epochs", compression="SNAPPY")
    with pytest.raises(ValueError, match="Must either set both"):
        D.range(3).apply(made.distribute("parallel_epochs", job_name="a", consumer_index=1))


def test_an_error_ends_with_its_element(cluster):
    dataset = (
        D.range(6).map(lambda x: 10 // (x - 2)).apply(cluster(1).distribute("parallel_epochs"))
    )
    iterator = iter(dataset)
    assert [int(next(iterator)) for _ in range(2)] == [-5, -10]
    with pytest.raises(tf.errors.InvalidArgumentError, match="division by zero"):
        next(iterator)
    assert [int(x) for x in iterator] == [10, 5, 3]
    assert [int(x) for x in dataset.ignore_errors()] == [-5, -10, 10, 5, 3]


def test_steps_behind_run_here_and_iterations_are_new_ones(cluster):
    here = []

    def noted(x):
        here.append(int(x))
        return x

    dataset = D.range(4).apply(cluster(1).distribute("distributed_epoch"))
    dataset = dataset.map(lambda x: tf.py_function(noted, [x], tf.int64)).repeat(2).batch(8)
    assert [x.numpy().tolist() for x in dataset] == [[0, 1, 2, 3, 0, 1, 2, 3]]
    assert here == [0, 1, 2, 3] * 2


def test_a_dataset_of_the_service_inside_a_function(cluster):
    dataset = D.range(5).apply(cluster(1).distribute("parallel_epochs"))

    @tf.function
    def total():
        found = tf.constant(0, tf.int64)
        for x in dataset:
            found += x
        return found

    assert int(total()) == int(total()) == 10


# -- who comes and goes


def slow(x):
    time.sleep(0.01)
    return x


def slowly(dataset):
    return dataset.map(lambda x: tf.py_function(slow, [x], tf.int64))


def names(count):
    """A source that is split element by element."""
    return D.from_tensor_slices([str(i) for i in range(count)]).map(
        lambda s: tf.strings.to_number(s, tf.int64)
    )


def test_a_worker_that_joins_late_takes_part(cluster):
    made = cluster(0)
    iterator = iter(slowly(names(60)).apply(made.distribute("distributed_epoch")))
    made.workers.append(made.worker())
    got = [int(next(iterator)) for _ in range(5)]
    made.workers.append(made.worker())
    late = made.workers[1]
    while not late._num_tasks():
        got.append(int(next(iterator)))
    got += [int(x) for x in iterator]
    assert sorted(got) == list(range(60))


def test_a_worker_that_dies_leaves_the_rest_to_the_others(cluster):
    made = cluster(2, worker_timeout_ms=400)
    iterator = iter(
        slowly(names(80)).apply(made.distribute("distributed_epoch", data_transfer_protocol="grpc"))
    )
    got = [int(next(iterator)) for _ in range(5)]
    made.workers[0]._stop()
    got += [int(x) for x in iterator]
    # at most once: what the worker had is missing
    assert len(set(got)) == len(got) and set(got) <= set(range(80))
    assert 80 - len(got) <= 80 // 2 and len(got) > 20
    assert made.dispatcher._num_workers() == 1


def test_a_worker_at_its_old_address_begins_again(cluster):
    made = cluster(1, worker_timeout_ms=60_000)
    iterator = iter(slowly(D.range(30)).apply(made.distribute("parallel_epochs")))
    first = [int(next(iterator)) for _ in range(3)]
    port = int(made.workers[0]._address.split(":")[1])
    made.workers[0]._stop()
    made.workers.append(made.worker(port=port))
    rest = [int(x) for x in iterator]
    assert first == [0, 1, 2]
    assert rest[-30:] == list(range(30))


def test_consumers_in_step_take_up_a_late_worker_together(cluster):
    made = cluster(1)
    data = D.range(10**6).repeat()
    iterators = [
        iter(data.apply(made.distribute("parallel_epochs", job_name="s", consumer_index=i,
                                        num_consumers=2, max_outstanding_requests=1)))
        for i in range(2)
    ]  # fmt: skip
    rounds = [[int(next(i)) for i in iterators] for _ in range(3)]
    made.workers.append(made.worker())
    end = time.monotonic() + 20
    while [0, 1] not in rounds[1:]:
        assert time.monotonic() < end
        rounds.append([int(next(i)) for i in iterators])
        time.sleep(0.01)
    assert all(b == a + 1 for a, b in rounds)
    rounds += [[int(next(i)) for i in iterators] for _ in range(6)]
    assert all(b == a + 1 and a % 2 == 0 for a, b in rounds)


def test_consumers_in_step_leave_out_a_lost_worker(cluster):
    made = cluster(2, worker_timeout_ms=300)
    data = D.range(10**6).repeat()
    iterators = [
        iter(data.apply(made.distribute("parallel_epochs", job_name="s", consumer_index=i,
                                        num_consumers=2, max_outstanding_requests=1)))
        for i in range(2)
    ]  # fmt: skip
    rounds = [[int(next(i)) for i in iterators] for _ in range(4)]
    assert rounds == [[0, 1], [0, 1], [2, 3], [2, 3]]
    made.workers[1]._stop()
    got = [[int(next(i)) for _ in range(20)] for i in iterators]
    assert len(set(got[0][-8:]) | set(got[1][-8:])) >= 16 - 2
    assert all(x % 2 == i for i in range(2) for x in got[i])


def test_a_fault_tolerant_dispatcher_goes_on_where_it_was(cluster, tmp_path):
    config = {"work_dir": str(tmp_path / "state"), "fault_tolerant_mode": True}
    made = cluster(2, **config)
    data = slowly(names(60))
    known = S.register_dataset(made.dispatcher.target, data)
    iterator = iter(data.apply(made.distribute("distributed_epoch")))
    got = [int(next(iterator)) for _ in range(5)]
    port = int(made.address.split(":")[1])
    made.dispatcher._stop()
    got.append(int(next(iterator)))
    made.dispatcher = S.DispatchServer(S.DispatcherConfig(port=port, **config))
    got += [int(x) for x in iterator]
    # a split that was given out as it stopped may not have arrived
    assert len(got) == len(set(got)) and len(got) >= 58
    assert plain(S.register_dataset(made.dispatcher.target, data)) == plain(known)
    assert sorted(
        int(x) for x in S.from_dataset_id("distributed_epoch", made.dispatcher.target, known)
    ) == list(range(60))


def test_a_worker_that_dies_while_the_dispatcher_is_away_is_given_up(cluster, tmp_path):
    config = {
        "work_dir": str(tmp_path / "state"), "fault_tolerant_mode": True, "worker_timeout_ms": 400,
    }  # fmt: skip
    made = cluster(2, **config)
    iterator = iter(slowly(names(60)).apply(made.distribute("distributed_epoch")))
    got = [int(next(iterator)) for _ in range(5)]
    port = int(made.address.split(":")[1])
    made.dispatcher._stop()
    made.workers[0]._stop()
    made.dispatcher = S.DispatchServer(S.DispatcherConfig(port=port, **config))
    got += [int(x) for x in iterator]
    assert len(got) == len(set(got)) > 30


def test_a_dispatcher_without_a_journal_forgets(cluster):
    made = cluster(1)
    iterator = iter(slowly(names(200)).apply(made.distribute("distributed_epoch")))
    next(iterator)
    port = int(made.address.split(":")[1])
    made.dispatcher._stop()
    made.dispatcher = S.DispatchServer(S.DispatcherConfig(port=port))
    with pytest.raises(tf.errors.NotFoundError, match="fault_tolerant_mode"):
        for _ in iterator:
            pass


def test_half_a_record_of_a_journal_is_left_out(tmp_path):
    config = S.DispatcherConfig(work_dir=str(tmp_path), fault_tolerant_mode=True)
    dispatcher = S.DispatchServer(config)
    S.register_dataset(dispatcher.target, D.range(3), dataset_id="mine")
    dispatcher._stop()
    with open(tmp_path / "journal", "ab") as journal:
        journal.write(b'["job", {"na')
    again = S.DispatchServer(config)
    S.register_dataset(again.target, D.range(4), dataset_id="other")
    again._stop()
    last = S.DispatchServer(config)
    specs = [S.from_dataset_id("parallel_epochs", last.target, i).element_spec
             for i in ("mine", "other")]  # fmt: skip
    last._stop()
    assert specs == [tf.TensorSpec([], tf.int64)] * 2


def test_jobs_without_consumers_end(cluster):
    made = cluster(1, job_gc_check_interval_ms=50, job_gc_timeout_ms=100)
    dataset = D.range(10**9).apply(made.distribute("parallel_epochs", job_name="a"))
    iterator = iter(dataset)
    next(iterator)
    del iterator
    end = time.monotonic() + 20
    while made.workers[0]._num_tasks():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_nobody_at_the_address_is_an_error_that_names_it(cluster, monkeypatch):
    monkeypatch.setattr(client, "PATIENCE", 0.3)
    with pytest.raises(tf.errors.UnavailableError, match="dispatcher at localhost:1 did not"):
        S.register_dataset("grpc://localhost:1", D.range(3))
    with pytest.raises(tf.errors.UnavailableError, match="dispatcher at localhost:1 did not"):
        S.WorkerServer(S.WorkerConfig("localhost:1", dispatcher_timeout_ms=300))
    made = cluster(0)
    dataset = D.range(3).apply(made.distribute("parallel_epochs"))
    with pytest.raises(tf.errors.UnavailableError, match=f"{made.address} has no workers"):
        next(iter(dataset))


def test_a_port_that_is_taken_is_an_error(cluster):
    port = int(cluster(0).address.split(":")[1])
    with pytest.raises(RuntimeError, match=str(port)):
        S.DispatchServer(S.DispatcherConfig(port=port))


# -- saving


@pytest.fixture
def saving(cluster, tmp_path):
    def make(workers=2, **config):
        return cluster(
            workers, work_dir=str(tmp_path / "state"), fault_tolerant_mode=True, **config
        )

    return make


def test_workers_save_a_dataset_together(saving, tmp_path):
    made, path = saving(), str(tmp_path / "saved")
    data = D.range(1000).map(lambda x: (x, tf.strings.as_string(x)))
    for compression in ("AUTO", "GZIP"):
        folder = f"{path}-{compression}"
        save = tf.data.experimental.distributed_save
        assert save(data, folder, made.address, compression) is None
        loaded = D.load(folder, wait=True)
        assert loaded.element_spec == data.element_spec
        assert sorted(plain(x) for x in loaded) == sorted(plain(x) for x in data)
        with pytest.raises(tf.errors.AlreadyExistsError, match="already started or completed"):
            save(data, folder, made.address)


def test_a_save_that_fails_tells_who_waits(saving, tmp_path):
    path = str(tmp_path / "saved")
    data = D.range(10).map(lambda x: 10 // (x - 5))
    tf.data.experimental.distributed_save(data, path, saving().address)
    with pytest.raises(tf.errors.InvalidArgumentError, match="division by zero"):
        D.load(path, wait=True)


def test_a_save_outlives_a_worker(saving, tmp_path):
    made, path = saving(2, worker_timeout_ms=300), str(tmp_path / "saved")
    tf.data.experimental.distributed_save(slowly(names(60)), path, made.address)
    while not made.workers[0]._num_tasks():
        time.sleep(0.01)
    time.sleep(0.1)
    made.workers[0]._stop()
    assert sorted(int(x) for x in D.load(path, wait=True)) == list(range(60))


# -- separate programs

DISPATCHER = """
import sys
import torchtf as tf
service = tf.data.experimental.service
port = int(sys.argv[1])
server = service.DispatchServer(service.DispatcherConfig(port=port, worker_timeout_ms=500))
worker = service.WorkerServer(service.WorkerConfig(f"localhost:{port}", heartbeat_interval_ms=100))
print("started", flush=True)
server.join()
"""

WORKER = """
import sys
import torchtf as tf
service = tf.data.experimental.service
server = service.WorkerServer(
    service.WorkerConfig(f"localhost:{sys.argv[1]}", heartbeat_interval_ms=100)
)
print("started", flush=True)
server.join()
"""


def test_separate_programs_one_of_which_is_killed():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])

    def start(code):
        return subprocess.Popen(
            [sys.executable, "-c", code, port], stdout=subprocess.PIPE, text=True, cwd="/",
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def function(s):
        x = tf.strings.to_number(s, tf.int64)
        if x % 2 == 0:  # needs AutoGraph, and this text, in the worker
            x = -x
        tf.py_function(lambda: time.sleep(0.01), [], [])
        return x

    programs = [start(DISPATCHER), start(WORKER)]
    try:
        for program in programs:
            assert program.stdout.readline() == "started\n"
        dataset = D.from_tensor_slices([str(i) for i in range(100)]).map(function)
        iterator = iter(
            dataset.apply(S.distribute("distributed_epoch", f"grpc://localhost:{port}"))
        )
        got = [int(next(iterator)) for _ in range(5)]
        programs[1].send_signal(signal.SIGKILL)
        got += [int(x) for x in iterator]
        assert all((x <= 0) == (x % 2 == 0) for x in got)
        assert 40 < len(got) == len(set(got)) and set(map(abs, got)) <= set(range(100))
        programs[0].send_signal(signal.SIGINT)  # it ends at once
        assert programs[0].wait(20) != 0
    finally:
        for program in programs:
            program.kill()
            program.wait()
            program.stdout.close()
