"""jit_compile=True: Inductor's code gives the graph's results, gradients and effects."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import torchtf as tf
from torchtf.function import background, jit


@pytest.mark.slow
def test_a_compiled_function_computes_the_same():
    v = tf.Variable([1.0, 2.0])

    def f(x):
        v.assign_add(tf.reduce_mean(x, 0))
        return tf.tanh(x * v) + 1.0, tf.reduce_sum(x)

    plain, compiled = tf.function(f), tf.function(f, jit_compile=True)
    x = tf.constant([[0.5, 1.0], [2.0, -1.0]])
    want = [t.numpy() for t in plain(x)]
    after = v.numpy()
    v.assign([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        have = compiled(x)
    for a, b in zip(want, have, strict=True):
        np.testing.assert_allclose(b.numpy(), a, rtol=1e-6)
    np.testing.assert_allclose(v.numpy(), after)
    v.assign([1.0, 2.0])
    with tf.GradientTape() as other:
        other.watch(x)
        again = plain(x)
    np.testing.assert_allclose(
        tape.gradient(have[0], x).numpy(), other.gradient(again[0], x).numpy(), rtol=1e-5
    )


@pytest.mark.slow
def test_open_sizes_neither_retrace_nor_recompile():
    import torch

    f = tf.function(
        lambda x: tf.reduce_sum(x * x, 1), jit_compile=True,
        input_signature=[tf.TensorSpec([None, 3], tf.float32)],
    )  # fmt: skip
    torch._dynamo.utils.counters.clear()
    for n in (2, 3, 7):
        np.testing.assert_allclose(f(tf.ones([n, 3])).numpy(), np.full(n, 3.0))
    assert f.experimental_get_tracing_count() == 1
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_a_graph_that_calls_python_is_refused():
    f = tf.function(lambda x: tf.py_function(lambda v: v, [x], tf.float32), jit_compile=True)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"Detected unsupported operations .* EagerPyFunc"
    ):
        f(tf.constant(1.0))


def test_assertions_and_tensor_arrays_do_not_stop_the_compiler():
    """XLA leaves out the former and compiles the latter, which run as they were traced here."""

    @tf.function(jit_compile=True)
    def checked(x):
        tf.debugging.assert_less(x, 0.0)
        return x * 2

    assert checked(tf.constant(3.0)).numpy() == 6
    running = tf.function(lambda x: tf.scan(lambda a, b: a + b, x), jit_compile=True)
    np.testing.assert_allclose(running(tf.constant([1.0, 2.0, 3.0])).numpy(), [1, 3, 6])


@pytest.mark.slow
def test_a_branch_that_hands_on_what_it_got_is_compiled():
    v = tf.Variable([1.0, 2.0])

    @tf.function(jit_compile=True)
    def f(x):
        if tf.reduce_sum(x) > 0:
            v.assign_add(x)
        return v + 0.0

    for sign, want in ((1.0, [2.0, 3.0]), (-1.0, [2.0, 3.0])):
        np.testing.assert_allclose(f(sign * tf.ones([2])).numpy(), want)


def test_what_cannot_be_compiled_runs_unless_it_must_be(monkeypatch):
    import torch

    def fails(*inputs):
        raise torch._dynamo.exc.TorchDynamoException("no lowering")

    monkeypatch.setattr(torch, "compile", lambda *args, **kwargs: fails)
    monkeypatch.setattr(jit, "compiler_exists", lambda: True)
    monkeypatch.setenv("TORCHTF_JIT", "always")
    assert tf.function(lambda x: x + 1)(tf.constant(1)).numpy() == 2
    with pytest.raises(torch._dynamo.exc.TorchDynamoException):
        tf.function(lambda x: x + 1, jit_compile=True)(tf.constant(1))


def test_modes(monkeypatch):
    monkeypatch.setenv("TORCHTF_JIT", "always")
    assert jit.wanted(None) and jit.wanted(True) and not jit.wanted(False)
    monkeypatch.setenv("TORCHTF_JIT", "sometimes")
    with pytest.raises(ValueError, match="TORCHTF_JIT"):
        jit.mode()


class _Cheap:
    """A compiler for tests: its code is the graph's own module, as fast as asked for."""

    def __init__(self, delay=0.0, fails=False):
        self.delay, self.fails, self.made, self.ran = delay, fails, threading.Event(), 0

    def __call__(self, module, shapes):
        self.made.set()
        if self.fails:
            raise RuntimeError("no compiler today")

        def run(*inputs):
            self.ran += 1
            time.sleep(self.delay)
            return list(module(*inputs))

        return run


@pytest.fixture
def hot(monkeypatch):
    """Makes every function hot at its first call; gives a function to run until it settles."""
    monkeypatch.setattr(background, "PATIENCE", 0.0)
    monkeypatch.setenv("TORCHTF_JIT", "auto")

    def settled(compiler, function, *arguments):
        monkeypatch.setattr(background, "compile_in_process", compiler)
        calls = 0
        deadline = time.monotonic() + 900
        while time.monotonic() < deadline:
            function(*arguments)
            calls += 1
            (concrete,) = function._concrete
            if not isinstance(concrete._run, background.Watched):
                return calls, concrete._run
            time.sleep(0.002)
        raise AssertionError("never settled")

    return settled


def _counting():
    """A function with an effect."""
    v = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def count(x):
        v.assign_add(1.0)
        return tf.reduce_sum(x)

    return v, count


def test_a_slower_compiled_version_is_dropped(hot):
    v, count = _counting()
    compiler = _Cheap(delay=0.01)
    calls, run = hot(compiler, count, tf.ones([3]))
    assert type(run) is not background._Guarded
    assert compiler.ran > 0 and v.numpy() == calls  # each call ran once


def test_a_faster_compiled_version_takes_over(hot, monkeypatch):
    v, count = _counting()
    compiler = _Cheap()
    monkeypatch.setattr(background, "_GAIN", 1e9)
    calls, run = hot(compiler, count, tf.ones([3]))
    assert type(run) is background._Guarded
    before = compiler.ran
    np.testing.assert_allclose(count(tf.ones([7])).numpy(), 7.0)
    assert compiler.ran == before + 1 and v.numpy() == calls + 1
    np.testing.assert_allclose(count(tf.ones([1])).numpy(), 1.0)  # one is special to compilers
    x = tf.ones([4])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = count(x)
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), np.ones(4))
    assert compiler.ran == before + 1
    assert count.experimental_get_tracing_count() == 1


def test_a_failing_compiler_goes_unnoticed(hot):
    v, count = _counting()
    calls, run = hot(_Cheap(fails=True), count, tf.ones([3]))
    assert v.numpy() == calls and not isinstance(run, (background.Watched, background._Guarded))


def test_an_error_is_worded_as_without_a_compiler(hot, monkeypatch):
    monkeypatch.setattr(background, "_GAIN", 1e9)
    fails = []

    def compiler(module, shapes):
        def run(*inputs):
            if fails:
                raise RuntimeError("somewhere in machine code")
            return list(module(*inputs))

        return run

    f = tf.function(lambda x, i: tf.gather(x, i) + 1.0)
    good, bad = (tf.ones([3]), tf.constant([1])), (tf.ones([3]), tf.constant([7]))
    _, run = hot(compiler, f, *good)
    assert type(run) is background._Guarded
    fails.append(True)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 7 is not in \[0, 3\)"):
        f(*bad)
    assert f._concrete[0]._run is run  # the program's own error
    assert f(*good).numpy() == [2.0]
    assert type(f._concrete[0]._run) is not background._Guarded


def test_a_compilation_waits_for_sizes_that_stay_open(hot, monkeypatch):
    seen = []

    def compiler(module, shapes):
        seen.extend(shapes)
        raise RuntimeError

    monkeypatch.setattr(background, "compile_in_process", compiler)
    _, count = _counting()
    for _ in range(3):
        count(tf.ones([1]))
    assert isinstance(count._concrete[0]._run, background.Watched)
    hot(compiler, count, tf.ones([3]))
    assert seen[0][0] == (3,)


def test_a_graph_travels_as_its_text():
    """With control flow and the update of an optimizer, which torch.fx cannot trace again."""
    import pickle

    import torch

    from torchtf.function.spelled_out import spelled_out

    w, adam = tf.Variable([1.0, 2.0]), tf.keras.optimizers.Adam(0.5)
    adam.build([w])

    @tf.function
    def step(x):
        i = 0
        while i < 3:
            if tf.reduce_sum(x) > 2.0:
                x = x * 0.5
            i += 1
        adam.apply_gradients([(x, w)])
        return x

    x = tf.constant([4.0, 8.0])
    concrete = step.get_concrete_function(x)
    sent = background._Source(spelled_out(concrete.graph_module))
    inputs = [x._data, *[c.get().clone() for c in concrete._captures]]
    with torch.no_grad():
        results = pickle.loads(pickle.dumps(sent))(*inputs)
    np.testing.assert_allclose(results[0], step(x).numpy())
    (place,) = [i for i, owner in enumerate(concrete._written, 1) if owner is w]
    np.testing.assert_allclose(results[place], w.numpy(), rtol=1e-6)


def test_an_index_below_zero_is_out_of_range_in_compiled_code():
    from torchtf.function.spelled_out import spelled_out

    for f in (
        lambda i: tf.gather([1.0, 2.0], i),
        lambda i: tf.gather([[1.0, 2.0]], i, batch_dims=1),
    ):
        concrete = tf.function(f).get_concrete_function(tf.TensorSpec([1, 1], tf.int32))
        inputs = [tf.constant([[-1]])._data, *[c.get() for c in concrete._captures]]
        shown = spelled_out(concrete.graph_module)
        with pytest.raises((IndexError, RuntimeError), match=r"index (\d{10,} is )?out of"):
            shown(*inputs)


def test_a_fork_leaves_the_compiler_to_its_parent(monkeypatch):
    import os

    monkeypatch.setattr(background, "_running", {object(): "folder"})
    pid = os.fork()
    if pid == 0:
        os._exit(len(background._running))
    assert os.waitpid(pid, 0)[1] == 0 and len(background._running) == 1


@pytest.mark.slow
def test_the_real_compiler_keeps_results(hot, monkeypatch):
    monkeypatch.setattr(background, "_GAIN", 1e9)
    w = tf.Variable(tf.ones([3, 4]))

    @tf.function(input_signature=[tf.TensorSpec([None, 3])])
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.tanh(x @ w))
        w.assign_sub(0.01 * tape.gradient(loss, w))
        i = 0
        while i < 3:
            i += 1
            if loss < 0:
                loss -= 1.0
            else:
                loss += 1.0
        return loss - 3.0 * tf.sign(loss)

    real = background.compile_in_process
    _, run = hot(real, step, tf.ones([2, 3]))
    assert type(run) is background._Guarded
    for n in (2, 5, 1):
        x = tf.random.normal([n, 3])
        before = tf.identity(w)
        with tf.GradientTape() as tape:
            tape.watch(before)
            want = tf.reduce_mean(tf.tanh(x @ before))
        np.testing.assert_allclose(step(x).numpy(), want.numpy(), rtol=1e-5)
        after = before - 0.01 * tape.gradient(want, before)
        np.testing.assert_allclose(w.numpy(), after.numpy(), rtol=1e-5)


def test_a_compilation_does_not_outlive_the_program(run_python):
    run_python(
        """
        import sys
        sys.modules.setdefault("triton", None)
        import torchtf as tf
        from torchtf.function import background
        background.PATIENCE = 0.0
        f = tf.function(lambda x: x * 2.0 + 1.0)
        for _ in range(50):
            f(tf.ones([3]))
        """,
        env={"TORCHTF_JIT": "auto"}, timeout=300,
    )  # fmt: skip
