"""Settings that must stand before the first import of torch, Keras or TensorFlow.

The tests compare torchtf with real TensorFlow, in one process where that is possible (as long as
neither module's `tf.keras` is used) and through the fixture `run_python` where it is not.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

# `import tensorflow` imports Keras, and a process has one Keras backend: that of torchtf.
os.environ["KERAS_BACKEND"] = "torch"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow uses oneDNN on some processors only: the oracle has the same kernels on all of them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Threads that wait for work spin: processes that share the cores must not have a thread per core each.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    share = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.setdefault("OMP_NUM_THREADS", str(share))
# torch.fx imports triton where it is installed. Triton and TensorFlow both carry LLVM, and the
# second of them to be loaded ends the process ("registered more than once"). Inductor's C++
# backend, the one for CPUs, does without triton.
sys.modules.setdefault("triton", None)  # type: ignore[arg-type]

# A job in the background of a shell ignores Ctrl-C, and so would the programs that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--with-gpu",
        action="store_true",
        help="leave GPUs visible (by default the tests run on the CPU, as the expectations do)",
    )


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--with-gpu"):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Unseeded draws of a test and of its fixtures are the same in each run: it fails always or never."""
    import numpy as np
    import torch

    seed = zlib.crc32(item.nodeid.encode())
    random.seed(seed)  # Keras takes the seeds of its layers from here
    np.random.seed(seed)
    torch.manual_seed(seed)


@pytest.fixture(autouse=True)
def no_global_seed_stays():
    """A global seed that a test sets, by Keras for instance, ends with the test; one that a fixture
    of a module set does not reach its tests.
    """
    _unseed()
    yield
    _unseed()


def _unseed() -> None:
    from torchtf.random import _seeds

    _seeds.state.seed = _seeds.state.op_seeds = None
    keras = sys.modules.get("keras.src.backend.common.global_state")
    if keras is not None:
        keras.set_global_attribute("global_random_seed", None)
    context = sys.modules.get("tensorflow.python.eager.context")
    if context is not None:
        context.context()._seed = None


def results_of_both(folders: pytest.TempPathFactory, program: str, *args: str) -> dict[str, Any]:
    """What a program finds with TensorFlow and with torchtf, each in a folder of its own.

    Its first argument is the name of the module; it prints ``RESULT`` and JSON in one line. The
    two run at the same time.
    """
    modules = ("tensorflow", "torchtf")
    runners = [python_runner(folders.mktemp(module)) for module in modules]
    with ThreadPoolExecutor(len(modules)) as pool:
        running = [
            pool.submit(run, program, module, *args)
            for run, module in zip(runners, modules, strict=True)
        ]
    found = {}
    for module, printed in zip(modules, running, strict=True):
        lines = [line for line in printed.result().splitlines() if line.startswith("RESULT ")]
        assert lines, printed.result()[-3000:]
        found[module] = json.loads(lines[0].removeprefix("RESULT "))
    return found


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., str]:
    """Runs a piece of Python in a fresh interpreter and returns what it printed.

    `run_python(code, *args, env={...}, check=True)`: the code is dedented, runs in the test's
    temporary folder and sees the repository on its path. With `check=True` a non-zero exit fails
    the test and shows the output.
    """
    return python_runner(tmp_path)


def python_runner(folder: Path) -> Callable[..., str]:
    """What the fixture `run_python` gives, for fixtures of a wider scope."""

    def run(
        code: str,
        *args: str,
        env: dict[str, str] | None = None,
        check: bool = True,
        timeout: float = 600,
    ) -> str:
        variables = dict(os.environ, **(env or {}))
        # The child chooses its own backend: it may be one that runs real TensorFlow.
        if "KERAS_BACKEND" not in (env or {}):
            variables.pop("KERAS_BACKEND")
        variables["PYTHONPATH"] = str(ROOT)
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), *args],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode:
            pytest.fail(f"exit status {done.returncode}\n{done.stdout}", pytrace=False)
        return done.stdout

    return run
