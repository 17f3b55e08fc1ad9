"""Calls in threads on behalf of one stage: bounded, in order, ended with the stage."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext

import torch

from torchtf.core.malloc import keep_freed_memory
from torchtf.data._threads import kernel_threads


class Calls:
    """Calls under way in threads.

    At most two for each thread are under way or wait to be taken, so the results need bounded
    memory.

    Args:
        workers: the number of threads.
        name: what the threads are called.
        ordered: whether results come in the order of the calls; else in that of their ends.
        scope: makes a context to enter for each call.
    """

    def __init__(self, workers: int, name: str, ordered: bool = True, scope=nullcontext):
        self.workers = workers
        self._scope = scope
        self._name, self._ordered = name, ordered
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Future] = deque()

    def __len__(self):
        return len(self._pending)

    @property
    def room(self) -> int:
        return max(0, 2 * self.workers - len(self._pending))

    def add(self, function: Callable, *args) -> None:
        self._pending.append(self.submit(function, *args))

    def submit(self, function: Callable, *args) -> Future:
        """A call whose result the caller takes itself."""
        if self._pool is None:
            keep_freed_memory()  # each thread has a heap of its own, which would shrink and grow
            usual = torch.get_num_threads()
            self._pool = ThreadPoolExecutor(
                self.workers, f"torchtf-data-{self._name}", kernel_threads, (1, usual)
            )  # kernels use no further threads: the pool's keep the cores busy
        return self._pool.submit(self._run, function, *args)

    def _run(self, function, *args):
        with self._scope():
            return function(*args)

    def add_error(self, error: Exception) -> None:
        """An error of the input, in its place among the results."""
        failed: Future = Future()
        failed.set_exception(error)
        self._pending.append(failed)

    def result(self):
        """The next result; raises what the call raised."""
        if not self._ordered:
            wait(self._pending, return_when=FIRST_COMPLETED)
            ended = next(f for f in self._pending if f.done())
            self._pending.remove(ended)
            self._pending.appendleft(ended)
        return self._pending.popleft().result()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
