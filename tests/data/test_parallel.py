"""Threads and worker processes: what runs beside the reader, in which order, and how it ends."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest
import torch

import torchtf as tf
from tests.data.compare import compare
from torchtf.data import _processes

D = tf.data.Dataset


def values(dataset) -> list:
    return [x.tolist() if hasattr(x, "tolist") else x for x in dataset.as_numpy_iterator()]


# -- interleave


@pytest.mark.parametrize("cycle, block, calls", [(1, 1, -1), (2, 1, 1), (3, 2, 2), (5, 4, -1)])
def test_parallel_interleave_keeps_tensorflows_order(cycle, block, calls):
    compare(
        lambda tf: tf.data.Dataset.range(1, 8).interleave(
            lambda n: tf.data.Dataset.range(n).map(lambda k: 10 * n + k), cycle, block,
            num_parallel_calls=calls,
        )
    )  # fmt: skip


def test_parallel_interleave_reads_its_inputs_at_the_same_time():
    two = threading.Barrier(2)

    def numbers(i):
        two.wait(60)  # raises unless another input is read meanwhile
        yield from (10 * i, 10 * i + 1)

    make = tf.autograph.experimental.do_not_convert(
        lambda i: D.from_generator(numbers, args=(i,), output_signature=tf.TensorSpec([], tf.int64))
    )
    dataset = D.range(6).interleave(make, cycle_length=6, num_parallel_calls=tf.data.AUTOTUNE)
    assert sorted(values(dataset)) == [10 * i + k for i in range(6) for k in range(2)]


def test_an_interleave_that_may_reorder_does_not_wait_for_a_slow_input():
    go = threading.Event()

    def numbers(i):
        if i == 0:
            go.wait(60)
        yield from (i, i)

    make = tf.autograph.experimental.do_not_convert(
        lambda i: D.from_generator(numbers, args=(i,), output_signature=tf.TensorSpec([], tf.int64))
    )
    dataset = D.range(3).interleave(make, 3, num_parallel_calls=3, deterministic=False)
    seen = []
    for x in dataset:
        seen.append(int(x))
        if len(seen) == 4:
            go.set()
    assert sorted(seen[:4]) == [1, 1, 2, 2] and seen[4:] == [0, 0]


def test_errors_of_interleaved_inputs_come_in_their_place():
    def make(tf):
        def inner(n):
            return tf.data.Dataset.range(3).map(lambda k: 6 // (n - k))

        return tf.data.Dataset.range(1, 3).interleave(inner, 2, num_parallel_calls=2)

    compare(make, texts=False)


# -- map and batch


def test_unordered_map_gives_what_is_ready_first():
    first = threading.Event()

    def slow_first(x):
        if x == 0:
            first.wait(60)
        elif x == 3:
            first.set()
        return x

    function = lambda x: tf.py_function(slow_first, [x], tf.int64)  # noqa: E731
    options = tf.data.Options()
    options.deterministic = False
    dataset = D.range(4).map(function, num_parallel_calls=2)
    assert values(dataset.with_options(options))[-1] != 3 or first.is_set()
    first.clear()
    assert sorted(values(D.range(4).map(function, 2, deterministic=False))) == [0, 1, 2, 3]


def test_batches_are_stacked_in_threads_with_their_errors_in_place():
    def make(tf):
        dataset = tf.data.Dataset.range(12).map(lambda x: tf.fill([x // 5 + 1], x))
        return dataset.batch(3, num_parallel_calls=2)

    seen = compare(make, texts=False)
    assert len(seen.errors) == 2


def test_numbers_of_calls_are_checked():
    seen = compare(lambda tf: tf.data.Dataset.range(3).map(lambda x: x, num_parallel_calls=0))
    assert seen.errors
    many = lambda tf: tf.data.Dataset.range(3).interleave(  # noqa: E731
        tf.data.Dataset.range, 1, num_parallel_calls=2
    )
    assert compare(many).errors
    with pytest.raises(tf.errors.InvalidArgumentError):  # TensorFlow waits for ever
        D.range(3).batch(2, num_parallel_calls=0)


# -- worker processes


@pytest.fixture
def outside(monkeypatch):
    """Makes functions that may go to worker processes go there at once."""
    monkeypatch.setattr(
        _processes.Offload, "_goes_out",
        lambda self: self._workers() > 1 and self._can_travel(),
    )  # fmt: skip
    yield _processes.pool
    _processes.pool.close()


def in_python(function, stateful: bool):
    return lambda x: tf.numpy_function(function, [x], tf.int64, stateful=stateful)


def pid(x):
    return np.int64(os.getpid())


def test_functions_declared_stateless_run_in_other_processes(outside):
    found = set(values(D.range(64).map(in_python(pid, False), num_parallel_calls=2)))
    assert found and os.getpid() not in found - {values(D.range(1).map(in_python(pid, True)))[0]}
    assert found & set(outside.pids)


@pytest.mark.parametrize("stateful, calls", [(True, 2), (False, None)])
def test_other_functions_stay_in_this_process(outside, stateful, calls):
    dataset = D.range(64).map(in_python(pid, stateful), num_parallel_calls=calls)
    assert set(values(dataset)) == {os.getpid()}
    assert outside.pids == []


def test_results_keep_their_order_and_errors_their_place(outside):
    def eight_over(x):
        return np.int64(8) // x if x else [][0]

    data = [2, 4, 0, 8, 1, 0, 8]
    dataset = D.from_tensor_slices(np.array(data)).map(in_python(eight_over, False), 2)
    iterator, seen = iter(dataset), []
    for _ in data:
        try:
            seen.append(int(next(iterator)))
        except tf.errors.UnknownError as e:
            assert "IndexError" in str(e) and isinstance(e.__cause__, IndexError)
            seen.append("error")
    assert seen == [4, 2, "error", 1, 8, "error", 1]


def test_a_function_that_works_only_here_stays_here(outside):
    here = os.getpid()

    def only_here(x):
        if os.getpid() != here:
            raise RuntimeError("elsewhere")
        return x + 1

    dataset = D.range(40).map(in_python(only_here, False), num_parallel_calls=2)
    assert values(dataset) == list(range(1, 41))
    lock = threading.Lock()

    def holds_a_lock(x):
        with lock:
            return x + 1

    dataset = D.range(40).map(in_python(holds_a_lock, False), num_parallel_calls=2)
    assert values(dataset) == list(range(1, 41))


def test_results_of_unequal_shapes_come_from_processes_too(outside):
    def count(x):
        return np.arange(x)

    dataset = D.range(6).map(in_python(count, False), num_parallel_calls=2)
    assert values(dataset) == [list(range(i)) for i in range(6)]


def test_a_killed_worker_is_an_error_that_names_it(outside):
    here = os.getpid()

    def die(x):
        if x == 30 and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    with pytest.raises(tf.errors.AbortedError, match=r"Worker process \d+ \(pid \d+\).*SIGKILL"):
        values(D.range(64).map(in_python(die, False), num_parallel_calls=2))
    # the next pipeline gets new workers
    assert values(D.range(64).map(in_python(pid, False), num_parallel_calls=2))


def test_workers_end_with_the_pool(outside):
    values(D.range(64).map(in_python(pid, False), num_parallel_calls=2))
    pids = outside.pids
    assert pids
    outside.close()
    for number in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
import torchtf as tf
from torchtf.data import _processes
_processes.Offload._goes_out = lambda self: self._workers() > 1 and self._can_travel()

def slow(x):
    time.sleep(0.05)
    return x

dataset = tf.data.Dataset.range(10**6).map(
    lambda x: tf.numpy_function(slow, [x], tf.int64, stateful=False), num_parallel_calls=2)
dataset = dataset.prefetch(2)
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    for _ in dataset:
        if timer.ident is None:
            timer.start()
except KeyboardInterrupt:
    print("interrupted", *_processes.pool.pids)
"""


def test_ctrl_c_ends_the_program_and_its_workers(run_python):
    words = run_python(INTERRUPTED).split()  # it has a time limit
    assert words[0] == "interrupted" and len(words) > 1
    for number in words[1:]:
        with pytest.raises(ProcessLookupError):
            os.kill(int(number), 0)


# -- options


@pytest.mark.parametrize(
    "rule", ["map_fusion", "map_parallelization", "filter_parallelization", "parallel_batch",
             "inject_prefetch"],
)  # fmt: skip
def test_rewrites_on_request_give_the_same_elements(rule):
    def make(tf):
        options = tf.data.Options()
        setattr(options.experimental_optimization, rule, True)
        dataset = tf.data.Dataset.range(50).map(lambda x: x + 1).map(lambda x: x * 2)
        return dataset.filter(lambda x: x % 3 == 0).batch(4).with_options(options)

    seen = compare(make)
    plan = make(tf).explain().split("Plan as run")[1]
    marks = {
        "map_fusion": "<lambda> of <lambda>", "inject_prefetch": "Prefetch(AUTOTUNE)",
        "map_parallelization": "num_parallel_calls", "filter_parallelization": "num_parallel_calls",
        "parallel_batch": "num_parallel_calls",
    }  # fmt: skip
    assert len(seen.elements) == 4
    assert marks[rule] in plan


def test_autotune_keeps_to_the_budget():
    from torchtf.data._plan import Run

    options = tf.data.Options()
    options.autotune.cpu_budget = 1
    assert Run(options).parallel(tf.data.AUTOTUNE) == 1
    options.autotune.min_parallelism = 3
    assert Run(options).parallel(tf.data.AUTOTUNE) == 3
    options = tf.data.Options()
    options.threading.private_threadpool_size = 2
    assert Run(options).parallel(8) == 2
    assert Run(options).parallel(8, unbounded=True) == 8
    options.autotune.enabled = False
    options.autotune.initial_parallelism = 5
    assert Run(options).parallel(tf.data.AUTOTUNE) == 5


def test_threads_of_a_stage_do_not_start_further_threads():
    found = []

    @tf.autograph.experimental.do_not_convert
    def look(i):
        tf.py_function(lambda: found.append(torch.get_num_threads()), [], [])
        return i

    usual = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert len(values(D.range(8).map(look, num_parallel_calls=2))) == 8
        beside = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        beside.start()
        beside.join()
        assert found == 8 * [1] + [3]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(usual)


def test_kernels_use_no_more_threads_than_the_options_allow():
    seen = []
    usual = torch.get_num_threads()
    options = tf.data.Options()
    options.threading.max_intra_op_parallelism = 1

    def look(x):
        seen.append(torch.get_num_threads())
        return x

    torch.set_num_threads(2)
    try:
        dataset = D.range(3).map(lambda x: tf.py_function(look, [x], tf.int64))
        for made in (dataset, dataset.prefetch(1), dataset.map(lambda x: x, 2)):
            values(made.with_options(options))
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(usual)


# -- several elements in one task


@pytest.mark.parametrize("alike", [True, False], ids=["one shape", "many shapes"])
def test_errors_in_quick_parallel_calls_keep_their_places(alike):
    """Host calls are quick enough here to share a task; some of their elements fail."""

    def make(tf):
        numbers = tf.data.Dataset.range(400)

        def decode(i):
            text = tf.strings.as_string(i)
            text = tf.where(i % 97 == 50, tf.constant("no number"), text)
            number = tf.io.decode_raw(text, tf.uint8) if not alike else tf.strings.to_number(text)
            return tf.debugging.check_numerics(
                tf.cast(number, tf.float32) / tf.where(i % 61 == 7, 0.0, 1.0), "bad"
            )

        return numbers.map(decode, num_parallel_calls=2).ignore_errors()

    compare(make)
