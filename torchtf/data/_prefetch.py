"""Working ahead of the reader: prefetch, and moving elements to a device."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections import deque

import torch

from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk
from torchtf.data._plan import AUTOTUNE, Node, Run, Stage, Unary, UnaryStage, block_size
from torchtf.data._threads import kernel_threads

# what a prefetch(AUTOTUNE) may hold when no ram_budget is set
_BUDGET = 1 << 28
# with `experimental_slack`: the share of the reader's time for which the producer lets it alone
_SLACK = 0.2
# how long to wait for a producer that is busy in a user's function when the reader leaves
_PATIENCE_SECONDS = 5.0

# Kernels in this thread use one core until the reader waits more often in a row than this. A second
# team of OpenMP threads slows down the reader's for good: with more threads than cores, those that
# wait for each other go to sleep.
_PATIENT = 2

_running: weakref.WeakSet[_PrefetchStage] = weakref.WeakSet()


@atexit.register
def _stop_all():
    """Threads must not be inside a kernel when the interpreter goes."""
    for stage in list(_running):
        stage.close()


class Prefetch(Unary):
    """Elements produced in a thread ahead of demand (source: `tf.data.Dataset.prefetch`).

    Args:
        size: how many elements to hold; `AUTOTUNE` starts with few and takes more whenever the
            reader had to wait although the buffer had been full.
        slack: whether the producer leaves the processors to the reader for a moment after each
            element that it takes.
    """

    def __init__(self, source: Node, size: int, slack: bool = False):
        super().__init__(source)
        self.size = size
        self.slack = slack

    def start(self, run: Run) -> Stage:
        return _PrefetchStage(run, self)

    def label(self):
        return f"Prefetch({'AUTOTUNE' if self.size == AUTOTUNE else self.size})"


class _PrefetchStage(UnaryStage):
    where = "its input in a thread"

    def __init__(self, run: Run, node: Prefetch):
        super().__init__(run.start(node.source))
        self._run = run
        block = block_size(node.spec)
        # a pure input may work further ahead than the buffer is long, since nobody can tell
        self._block = block if self.pure else 1
        self._tuned = node.size == AUTOTUNE and run.options.autotune.enabled is not False
        self._limit = 2 if node.size == AUTOTUNE else node.size
        budget = run.options.autotune.ram_budget or _BUDGET
        self._most = max(2, budget // structure.element_bytes(node.spec))
        self._was_full = False
        self._starved = 0  # how many times in a row the reader found nothing
        self._slack = _Slack() if node.slack else None
        self._items: deque[Chunk | Exception | None] = deque()
        self._length = 0
        self._ended = False
        self._stopped = False
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        if run.options.experimental_warm_start:
            self._begin()

    def _begin(self):
        self._thread = threading.Thread(
            target=self._produce, name="torchtf-data-prefetch", daemon=True
        )
        _running.add(self)
        self._thread.start()

    def _produce(self):
        ask = 1
        usual = threads = torch.get_num_threads()
        while True:
            with self._change:
                self._change.wait_for(
                    lambda: self._stopped or self._length < max(self._limit, self._block)
                )
                if self._stopped:
                    return
            wanted = usual if self._starved > _PATIENT else 1
            if wanted != threads:
                kernel_threads(wanted, usual)
                threads = wanted
            if self._slack is not None:
                self._slack.sleep()
            try:
                with self._run.limited():
                    item = self.source.next(ask)
            except Exception as e:
                item = e
            ask = min(4 * ask, self._block)
            with self._change:
                self._items.append(item)
                self._length += item.size if isinstance(item, Chunk) else 1
                self._was_full |= self._length >= self._limit
                self._change.notify_all()
                if item is None:
                    return

    def next(self, n):
        if self._ended:
            return None
        if self._thread is None:
            self._begin()
        if self._slack is not None:
            self._slack.taken()
        with self._change:
            self._starved = 0 if self._items else self._starved + 1
            if self._starved and self._tuned and self._was_full:
                self._limit = min(2 * self._limit, self._most)
                self._was_full = False
                self._change.notify_all()
            self._change.wait_for(lambda: self._items or self._stopped)
            if not self._items:
                return None
            item = self._items.popleft()
            if isinstance(item, Chunk):
                if item.size > n:
                    self._items.appendleft(item.slice(n, item.size))
                    item = item.slice(0, n)
                self._length -= item.size
            elif item is not None:
                self._length -= 1
            self._change.notify_all()
        if item is None:
            self._ended = True
        elif not isinstance(item, Chunk):
            raise item
        return item

    def close(self):
        with self._change:
            self._stopped = True
            self._change.notify_all()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_PATIENCE_SECONDS)
            if thread.is_alive():
                return  # it is inside a user's function; the daemon thread ends with it
        _running.discard(self)
        self.source.close()


class _Slack:
    """How long a producer waits, so that the reader has the processors as its step begins."""

    def __init__(self):
        self._last: float | None = None
        self._mean = 0.0

    def taken(self) -> None:
        """Called when the reader comes for an element."""
        now = time.perf_counter()
        if self._last is not None:
            self._mean += 0.1 * (now - self._last - self._mean)
        self._last = now

    def sleep(self) -> None:
        time.sleep(_SLACK * self._mean)


class ToDevice(Unary):
    """Elements on another device (source: `tf.data.experimental.copy_to_device`)."""

    def __init__(self, source: Node, device: torch.device):
        super().__init__(source)
        self.device = device

    def start(self, run):
        return _ToDeviceStage(run.start(self.source), self.device)

    def label(self):
        return f"ToDevice({self.device})"


class _ToDeviceStage(UnaryStage):
    def __init__(self, source, device):
        super().__init__(source)
        self._device = device

    def next(self, n):
        chunk = self.source.next(n)
        if chunk is None:
            return None
        return Chunk([self._moved(c) for c in chunk.columns], chunk.size)

    def _moved(self, column):
        if not isinstance(column, torch.Tensor):
            return column
        if self._device.type == "cuda" and not column.is_cuda:
            column = column.pin_memory()  # lets the copy run beside the computation
        return column.to(self._device, non_blocking=True)
