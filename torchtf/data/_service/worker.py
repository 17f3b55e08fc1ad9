"""A worker: runs the plan of a dataset for each of its tasks and gives the elements to consumers.

* The plan of a task runs in a thread, a little ahead of its consumers.
* A call for elements waits for a moment at most and is made again, so that nothing waits for a
  worker that stops.
* A consumer in the same process takes the chunks as they are.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections import deque

import torch

from torchtf.core import errors
from torchtf.core.remote import Channel, Server, packed_error, unpacked_error
from torchtf.data import _storage as storage
from torchtf.data._chunk import Chunk, concat
from torchtf.data._dataset import Dataset
from torchtf.data._failures import described
from torchtf.data._plan import Run, block_size
from torchtf.data._service import _plans
from torchtf.data._threads import kernel_threads

_log = logging.getLogger("torchtf")

# where the configuration leaves them open
_HEARTBEAT = 5.0
_DISPATCHER_TIMEOUT = 3600.0
# how long a call for elements waits for them
_WAIT_SECONDS = 0.2
# how long to wait for a thread that is in a user's function
_PATIENCE_SECONDS = 5.0
# how many bytes of elements a task keeps for trainers that come later
CACHE_BYTES = 1 << 30

# the workers of this process by address
local: dict[str, Worker] = {}

NOT_YET, END = "not yet", "end"


class Worker:
    """See the module's docstring.

    Args:
        config: a `WorkerConfig`.

    Raises:
        UnavailableError: if the dispatcher does not answer within its time limit.
    """

    def __init__(self, config):
        self._lock = threading.Lock()
        self._tasks: dict[str, _Task] = {}
        self._plans: dict[str, bytes] = {}
        self._uid = uuid.uuid4().hex
        self._stopped = threading.Event()
        self._interval = (config.heartbeat_interval_ms or _HEARTBEAT * 1000) / 1000
        self._patience = (config.dispatcher_timeout_ms or _DISPATCHER_TIMEOUT * 1000) / 1000
        if config.data_transfer_protocol not in (None, "grpc", "local"):
            raise errors.NotFoundError(
                None, None,
                "No data transfer server factory has been registered for protocol "
                f"{config.data_transfer_protocol}. The available types are: [ grpc, local ]",
            )  # fmt: skip
        self.dispatcher = Channel(
            config.dispatcher_address, "DataDispatcher", "The tf.data service dispatcher"
        )
        methods = {"Process": self._process, "Element": self._element}
        self._server = Server("DataWorker", methods, config.port)
        self.port = self._server.port
        self.address = config.worker_address.replace("%port%", str(self.port))
        # where consumers get elements, if it is another name for this worker
        self._transfer = self.address
        if config.data_transfer_protocol == "grpc":
            self._transfer = config.data_transfer_address.replace("%dts_port%", str(self.port))
        self._thread = threading.Thread(
            target=self._report_on, name="torchtf-data-worker", daemon=True
        )
        local[self.address] = self
        try:
            self._report(self._patience)
        except BaseException:
            self._close()
            raise
        self._thread.start()

    @property
    def tasks(self) -> int:
        with self._lock:
            return sum(not t.ended for t in self._tasks.values())

    def saves(self) -> list[_Task]:
        with self._lock:
            return [t for t in self._tasks.values() if t.definition["save"] is not None]

    def stop(self) -> None:
        self._stopped.set()
        self._close()
        if self._thread.is_alive():
            self._thread.join()
        for task in list(self._tasks.values()):
            task.stop()

    def _close(self) -> None:
        local.pop(self.address, None)
        self._server.stop()
        self.dispatcher.close()

    # -- the dispatcher

    def _report_on(self) -> None:
        failing_since = None
        while not self._stopped.wait(self._interval):
            try:
                self._report(0)
                failing_since = None
            except errors.CancelledError:
                return
            except errors.UnavailableError as error:
                if failing_since is None:
                    failing_since = time.monotonic()
                    _log.warning("%s", error)
                elif time.monotonic() - failing_since > self._patience:
                    _log.error("A tf.data service worker gives up: %s", error)
                    return
            except Exception as error:
                _log.warning("%s", error)

    def _report(self, patience: float) -> None:
        with self._lock:
            running = list(self._tasks)
        head = {
            "worker": self.address, "uid": self._uid, "transfer": self._transfer, "tasks": running,
        }  # fmt: skip
        answer, _ = self.dispatcher.call("Report", head, patience=patience)
        for definition in answer["tasks"]:
            self._take_up(definition)
        for id in answer["drop"]:
            with self._lock:
                task = self._tasks.pop(id, None)
            if task is not None:
                task.stop()

    def _process(self, head: dict, body: bytes):
        self._take_up(head)
        return {}, b""

    def _take_up(self, definition: dict) -> None:
        with self._lock:
            if definition["id"] not in self._tasks and not self._stopped.is_set():
                self._tasks[definition["id"]] = _kind(definition)(definition, self)

    def ask(self, method: str, head: dict) -> tuple[dict, bytes]:
        """A call of the dispatcher, which may be away for a while."""
        return self.dispatcher.call(method, head, patience=self._patience)

    def plan(self, id: str) -> bytes:
        """That of a dataset."""
        if id not in self._plans:
            self._plans[id] = self.ask("Plan", {"dataset": id})[1]
        return self._plans[id]

    # -- consumers

    def _element(self, head: dict, body: bytes):
        found = self.take(head)
        if not isinstance(found, Chunk):
            return {"state": found}, b""
        return {"state": ""}, storage.pack_chunk(found)

    def take(self, head: dict) -> Chunk | str:
        """The next elements of a task: a chunk, `NOT_YET` or `END`.

        Raises:
            OpError: what running the plan raised.
            NotFoundError: if there is no such task (any more).
        """
        with self._lock:
            task = self._tasks.get(head["task"])
        if task is None:
            raise errors.NotFoundError(None, None, f"The worker has no task {head['task']}.")
        try:
            return task.take(head)
        except errors.OpError as error:
            raise type(error)(
                None, None,
                f"Failed to get element from worker {self.address}: Failed to get an element, with "
                f"a nonretryable error: {error.message}",
            ) from error  # fmt: skip


class _Splits(_plans.Splits):
    def __init__(self, task: _Task):
        self._task = task

    def next(self, unit, repetition):
        task = self._task
        head = {"task": task.definition["id"], "unit": unit, "repetition": repetition}
        split = task.worker.ask("Split", head)[0]["split"]
        return split and tuple(split)


class _Task:
    """Runs a plan in a thread; consumers take its elements as they come.

    Attributes:
        ended: whether all elements have been made.
    """

    def __init__(self, definition: dict, worker: Worker):
        self.definition = definition
        self.worker = worker
        self._change = threading.Condition()
        self._items: deque[Chunk | Exception] = deque()
        self._length = 0
        self._room = 0
        self.ended = False
        self._stopped = False
        self._thread = threading.Thread(
            target=self._run, name=f"torchtf-data-task-{definition['id']}", daemon=True
        )
        self._thread.start()

    def _report_end(self, shard: list | None = None, error: list | None = None) -> None:
        self.worker.ask("Ended", {"task": self.definition["id"], "shard": shard, "error": error})

    # -- making elements

    def _dataset(self) -> Dataset:
        """The dataset of which this task makes the elements."""
        dataset = _plans.load(self.worker.plan(self.definition["dataset"]))
        policy = self.definition["policy"]
        if policy == _plans.DYNAMIC:
            return _plans.over_splits(dataset, _Splits(self))
        if policy == _plans.OFF:
            return dataset
        return _plans.sharded(dataset, policy, self.definition["index"], self.definition["workers"])

    def _run(self) -> None:
        usual = torch.get_num_threads()
        kernel_threads(max(1, usual // max(1, self.worker.tasks)), usual)
        stage = None
        try:
            dataset = self._dataset()
            node = dataset._optimized()
            run = Run(dataset._options)
            stage = run.start(node)
            self._make(dataset, stage, run, block_size(node.spec) if stage.pure else 16)
        except errors.CancelledError:
            pass
        except Exception as error:
            self._failed(error)
        finally:
            if stage is not None:
                stage.close()

    def _make(self, dataset: Dataset, stage, run: Run, block: int) -> None:
        ask = 1
        self._room = 2 * block
        while True:
            with self._change:
                self._change.wait_for(lambda: self._stopped or self._length < self._room)
                if self._stopped:
                    return
            try:
                with run.limited():
                    item = stage.next(ask)
            except errors.CancelledError:
                return
            except errors.OpError as error:
                text = described(error, dataset._node)
                item = type(error)(None, None, f"Failed to get element: {text}")
            ask = min(4 * ask, block)
            if item is None:
                self._report_end()
            self._put(item)
            if item is None:
                return

    def _failed(self, error: Exception) -> None:
        self._put(unpacked_error(packed_error(error)))
        self._put(None)

    def _put(self, item: Chunk | Exception | None) -> None:
        with self._change:
            if item is None:
                self.ended = True
            else:
                self._items.append(item)
                self._length += item.size if isinstance(item, Chunk) else 1
            self._change.notify_all()

    # -- giving them away

    def take(self, head: dict) -> Chunk | str:
        with self._change:
            self._change.wait_for(lambda: self._items or self.ended or self._stopped, _WAIT_SECONDS)
            return self._next(head["most"])

    def _next(self, most: int) -> Chunk | str:
        """Up to some elements of those at hand; called with the lock."""
        if not self._items:
            return END if self.ended else NOT_YET
        item = self._items.popleft()
        if isinstance(item, Chunk):
            if item.size > most:
                self._items.appendleft(item.slice(most, item.size))
                item = item.slice(0, most)
            self._length -= item.size
        else:
            self._length -= 1
        self._change.notify_all()
        if not isinstance(item, Chunk):
            raise item
        return item

    def stop(self) -> None:
        with self._change:
            self._stopped = self.ended = True
            self._change.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE_SECONDS)


class _Rounds(_Task):
    """Consumers in step: each round has one element for each of them.

    A round is made when the first of them asks for it, and gone when the last has its element.
    """

    def __init__(self, *args):
        self._rounds: dict[int, dict[int, Chunk | Exception]] = {}
        self._part: list[Chunk] = []
        super().__init__(*args)

    def take(self, head: dict) -> Chunk | str:
        number, consumer, known = (
            head["round"], head["consumer"], self.definition["num_consumers"]
        )  # fmt: skip
        cardinality = self.definition["cardinality"]
        if cardinality >= 0:
            raise errors.FailedPreconditionError(
                None, None,
                "Failed to get element: Round robin reads require that the input dataset has "
                f"infinite cardinality, but the dataset has cardinality {cardinality}. Consider "
                "adding a `.repeat()` transformation to the dataset.",
            )  # fmt: skip
        if not 0 <= consumer < known:
            raise errors.FailedPreconditionError(
                None, None,
                f"Failed to get element: Requesting data for consumer index {consumer}, but the "
                f"task is configured for only {known} consumers",
            )  # fmt: skip
        with self._change:
            end = time.monotonic() + _WAIT_SECONDS
            while number not in self._rounds:
                made = self._round(known)
                if made is not None:
                    self._rounds[number] = made
                elif self.ended and not self._items:
                    raise errors.OutOfRangeError(
                        None, None, "Failed to get element: The dataset of a coordinated read ended"
                    )
                elif not self._change.wait(end - time.monotonic()):
                    return NOT_YET
            round = self._rounds[number]
            item = round.pop(consumer, None)
            if not round:
                del self._rounds[number]
        if item is None:
            raise errors.FailedPreconditionError(
                None, None, f"Consumer {consumer} asked twice for round {number}"
            )
        if isinstance(item, Exception):
            raise item
        return item

    def _round(self, size: int) -> dict[int, Chunk | Exception] | None:
        """The elements of the next round by consumer, if they are all there."""
        while (have := sum(c.size for c in self._part)) < size:
            try:
                item = self._next(size - have)
            except errors.OpError as error:  # for all, so that they stay in step
                return dict.fromkeys(range(size), error)
            if not isinstance(item, Chunk):
                return None
            self._part.append(item)
        chunk, self._part = concat(self._part), []
        return {i: chunk.slice(i, i + 1) for i in range(size)}


class _Kept(_Task):
    """Elements kept for several trainers, each of which gets them in order.

    A trainer that is far behind goes on with the oldest that are left.
    """

    def __init__(self, *args):
        self._kept: deque[Chunk] = deque()
        self._first = 0  # the number of the oldest element kept
        self._last = 0  # that of the next one to come
        self._bytes = 0
        self._places: dict[str, int] = {}
        super().__init__(*args)

    def take(self, head: dict) -> Chunk | str:
        trainer = head["trainer"]
        with self._change:
            place = max(self._places.get(trainer, 0), self._first)
            if place >= self._last:
                self._change.wait_for(
                    lambda: self._items or self.ended or self._stopped, _WAIT_SECONDS
                )
                if place >= self._last:
                    item = self._next(head["most"])
                    if not isinstance(item, Chunk):
                        return item
                    self._keep(item)
            at = self._first
            for chunk in self._kept:
                if place < at + chunk.size:
                    found = chunk.slice(place - at, place - at + head["most"])
                    self._places[trainer] = place + found.size
                    return found
                at += chunk.size
        return NOT_YET

    def _keep(self, chunk: Chunk) -> None:
        self._kept.append(chunk)
        self._last += chunk.size
        self._bytes += _size(chunk)
        while self._bytes > CACHE_BYTES and len(self._kept) > 1:
            oldest = self._kept.popleft()
            self._first += oldest.size
            self._bytes -= _size(oldest)


def _size(chunk: Chunk) -> int:
    """About how many bytes a chunk takes."""
    return sum(
        c.numel() * c.element_size() if isinstance(c, torch.Tensor) else 64 * len(c)
        for c in chunk.columns
    )


class _Save(_Task):
    """Writes its share of a dataset to a file of the folder."""

    def _make(self, dataset, stage, run, block):
        save = self.definition["save"]
        name = f"{self.definition['id']}.shard"
        writer = None
        try:
            while (chunk := stage.next(block)) is not None:
                if self._stopped:
                    raise errors.CancelledError(None, None, "The worker stops.")
                if writer is None:
                    path = os.path.join(save["path"], name)
                    writer = storage.ChunkWriter(path, save["compression"])
                writer.write(chunk)
            if writer is not None:
                writer.finish()
        except BaseException:
            if writer is not None:
                writer.abandon()
            raise
        shard = None if writer is None else [name, writer.chunks, writer.elements]
        self._report_end(shard)
        self._put(None)

    def _failed(self, error):
        self._report_end(error=packed_error(error))
        super()._failed(error)


def _kind(definition: dict) -> type[_Task]:
    if definition["save"] is not None:
        return _Save
    if definition["num_consumers"]:
        return _Rounds
    return _Kept if definition["cache"] else _Task
