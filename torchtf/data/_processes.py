"""Python functions in worker processes, past the lock of the interpreter.

* Which: those that the program itself declares to be without side effects, by
  `tf.numpy_function(..., stateful=False)`. Any other Python code may look at, or change, this
  process, so it runs here, in threads, as in TensorFlow.
* When: if the map has `num_parallel_calls`, and rows were measured to come faster that way.
* How: a worker is a plain interpreter that gets functions by cloudpickle and rows by a pipe.
  Neither `fork` (this process has threads) nor `spawn` (it runs the user's script again) is safe
  for any program, so `torch.utils.data.DataLoader`, which knows these two, is not used.
* A worker ends when its pipe closes: when this process closes it or is gone, however it went.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Pipe

import cloudpickle

from torchtf.core import errors
from torchtf.data import _worker

# how long to watch a function in this process before workers are tried
_WATCH_SECONDS = 0.1
# how many rows each worker gets before the two ways are compared
_TRIAL_ROWS = 4
# how long a worker may take to end by itself
_PATIENCE_SECONDS = 2.0
_POLL_SECONDS = 0.2

_keys = itertools.count()


class Offload:
    """A function that runs in this process or in workers, whichever is faster.

    Args:
        function: takes NumPy arrays; free of side effects.
        workers: tells how many processes may be used at present.
    """

    def __init__(self, function: Callable, workers: Callable[[], int]):
        self.function = function
        self._workers = workers
        self.key = next(_keys)
        self._pickled: bytes | None = None
        self._portable: bool | None = None
        self._here = _Rate()
        self._there = _Rate()

    @property
    def in_processes(self) -> bool:
        """Whether it was found to be faster in worker processes."""
        return self._there.rows > 0 and self._there.seconds_per_row < self._here.seconds_per_row

    def __call__(self, rows: Sequence[tuple]) -> list[Callable]:
        """For each row a function that returns what `function` returned for it, or raises."""
        if self._goes_out():
            began = time.perf_counter()
            outcomes, warm = pool.run(self, rows, self._workers())
            if warm:
                self._there.add(len(rows), time.perf_counter() - began)
            return outcomes
        began = time.perf_counter()
        outcomes = [_attempt(self.function, row) for row in rows]
        self._here.add(len(rows), time.perf_counter() - began)
        return outcomes

    def _goes_out(self) -> bool:
        workers = self._workers()
        if workers < 2 or self._here.seconds < _WATCH_SECONDS or not self._can_travel():
            return False
        return self._there.rows < _TRIAL_ROWS * workers or self.in_processes

    def _can_travel(self) -> bool:
        if self._portable is None:
            try:
                self._pickled = cloudpickle.dumps(self.function, protocol=5)
            except Exception:  # whatever a closure holds may refuse
                self._portable = False
            else:
                self._portable = True
        return self._portable

    def stay(self) -> None:
        """Makes it run in this process from now on."""
        self._portable = False

    def request(self, worker: _Process, rows: Sequence[tuple]) -> bytes:
        pickled = None if self.key in worker.known else self._pickled
        worker.known.add(self.key)
        return pickle.dumps((self.key, pickled, rows), protocol=5)

    @property
    def name(self) -> str:
        return getattr(self.function, "__qualname__", type(self.function).__name__)


class _Rate:
    """How long a row takes."""

    def __init__(self):
        self.rows = 0
        self.seconds = 0.0

    def add(self, rows: int, seconds: float) -> None:
        self.rows += rows
        self.seconds += seconds

    @property
    def seconds_per_row(self) -> float:
        return self.seconds / self.rows


def _attempt(function, row) -> Callable:
    try:
        return _returned(function(*row))
    except Exception as e:
        return _Raised(e)


def _returned(value) -> Callable:
    return lambda *_: value


class _Raised:
    """Raises the error that a function raised."""

    def __init__(self, error: Exception):
        self._error = error

    def __call__(self, *_):
        raise self._error


def _later(function, row, *_):
    return function(*row)


class _Process:
    """A worker process and the pipe to it."""

    def __init__(self, number: int):
        self.number = number
        self.known: set[int] = set()
        self._link, other = Pipe()
        path = pickle.dumps(sys.path).hex()
        variables = dict(os.environ)
        variables.setdefault("OMP_NUM_THREADS", "1")  # there are as many workers as processors
        self._process = subprocess.Popen(
            [sys.executable, "-P", _worker.__file__, str(other.fileno()), path],
            stdin=subprocess.DEVNULL, pass_fds=[other.fileno()], env=variables,
        )  # fmt: skip
        other.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, request: bytes, doing: str) -> None:
        try:
            self._link.send_bytes(request)
        except OSError:
            raise self._died(doing) from None

    def receive(self, doing: str) -> tuple[list, bool]:
        try:
            return pickle.loads(self._link.recv_bytes())
        except (EOFError, ConnectionError):
            raise self._died(doing) from None

    def _died(self, doing: str) -> errors.AbortedError:
        code = self._process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
        return errors.AbortedError(
            None, None,
            f"Worker process {self.number} (pid {self.pid}) of tf.data ended {how} while it ran "
            f"{doing}",
        )  # fmt: skip

    def close(self) -> None:
        self._link.close()
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:  # busy in a user's function
            self._process.kill()
            self._process.wait()


class Pool:
    """The worker processes of this process, started when they are first needed."""

    def __init__(self):
        self._idle: queue.LifoQueue[_Process] = queue.LifoQueue()
        self._all: list[_Process] = []
        self._lock = threading.Lock()
        self._started = 0

    def prepare(self, count: int) -> None:
        """Sees to it that there are `count` workers."""
        with self._lock:
            while len(self._all) < count:
                worker = _Process(self._started)
                self._started += 1
                self._all.append(worker)
                self._idle.put(worker)

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self._all]

    def run(self, work: Offload, rows: Sequence[tuple], most: int) -> tuple[list[Callable], bool]:
        """The outcomes of the rows, and whether the workers had run the function before.

        Args:
            most: how many workers to use at most; they are started when needed.
        """
        self.prepare(min(most, len(rows)))
        workers = self._take(min(most, len(rows)))
        warm = all(work.key in worker.known for worker in workers)
        size, more = divmod(len(rows), len(workers))
        ends = list(itertools.accumulate(size + (i < more) for i in range(len(workers))))
        parts = [rows[a:b] for a, b in zip([0, *ends], ends, strict=False)]
        try:
            for worker, part in zip(workers, parts, strict=True):
                worker.send(work.request(worker, part), work.name)
            outcomes: list[Callable] = []
            for worker, part in zip(workers, parts, strict=True):
                outcomes += self._outcomes(work, worker, part)
        except BaseException:  # a pipe with half an answer in it is of no more use
            self._discard(workers)
            raise
        for worker in workers:
            self._idle.put(worker)
        return outcomes, warm

    def _outcomes(self, work, worker, part) -> list[Callable]:
        results, failed = worker.receive(work.name)
        outcomes = [_returned(value) for value in results]
        if failed:
            # a function that works here only (it may hold what has no meaning elsewhere) stays here
            rest = part[len(results) :]
            outcomes.append(_attempt(work.function, rest[0]))
            if not isinstance(outcomes[-1], _Raised):
                work.stay()
            outcomes += [functools.partial(_later, work.function, row) for row in rest[1:]]
        return outcomes

    def _take(self, count: int) -> list[_Process]:
        """At least one worker, at most `count`."""
        taken: list[_Process] = []
        while len(taken) < count:
            try:
                taken.append(self._idle.get(block=not taken, timeout=_POLL_SECONDS))
            except queue.Empty:
                if taken:
                    break
                self.prepare(1)  # those there were may have died in other hands
        return taken

    def _discard(self, workers: Sequence[_Process]) -> None:
        with self._lock:
            for worker in workers:
                self._all.remove(worker)
        for worker in workers:
            worker.close()

    def close(self) -> None:
        """Ends all workers."""
        with self._lock:
            workers, self._all = self._all, []
            self._idle = queue.LifoQueue()
        for worker in workers:
            worker.close()


pool = Pool()
atexit.register(pool.close)
