"""The node that reads from the tf.data service.

* Iterating joins an iteration of the job. A thread asks the dispatcher for the tasks of it, and for
  each task a thread gets elements from its worker; they are given out as they come.
* A worker that does not answer is asked again until the dispatcher has given it up; meanwhile the
  others are read from.
* Consumers in step read round by round: round r from the r-th task, in turns, one element each.
  The rounds of a worker that is lost are left out.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import uuid
from collections import deque
from collections.abc import Sequence

from torchtf.core import errors
from torchtf.core.remote import Channel, packed_error, unpacked_error
from torchtf.data import _storage as storage
from torchtf.data._chunk import Chunk
from torchtf.data._plan import INFINITE, UNKNOWN, Node, Stage, block_size
from torchtf.data._service import worker as workers

# how many seconds a consumer waits for a dispatcher, or for the first worker, to come up
PATIENCE = 600.0
# between two looks for new tasks
_REFRESH = 0.5
# between two tries to get elements from a worker that does not answer
_PAUSE = 0.1
# how many elements a consumer of a shared job takes at once: the others want some, too
_SHARED_BLOCK = 16
_JOIN_SECONDS = 5.0


def dispatcher_at(address: str) -> Channel:
    return Channel(address, "DataDispatcher", "The tf.data service dispatcher")


class Service(Node):
    """The elements that workers make (source: `tf.data.experimental.service.from_dataset_id`).

    Args:
        spec: of the elements.
        address: the dispatcher's.
        dataset: the id of the dataset there.
        cardinality: the dataset's.
        job: the name of the job; None for one of its own.
        settings: what the consumers of a job must agree on.
        consumer: the number of this one, where they read in step.
        most: how many elements may be asked for or wait at once; None leaves it open.
        transfer: how elements come: None, "grpc" or "local".
        trainer: who reads, where elements are kept for several trainers.
    """

    tf_name = "_DataServiceDatasetV2"

    def __init__(
        self, spec, address: str, dataset: str, cardinality: int, job: str | None, settings: dict,
        consumer: int | None, most: int | None, transfer: str | None, trainer: str | None,
    ):  # fmt: skip
        self.spec, self.address, self.dataset, self.known = spec, address, dataset, cardinality
        self.job, self.settings, self.consumer = job, settings, consumer
        self.most, self.transfer, self.trainer = most, transfer, trainer
        self.iterations = itertools.count()

    def cardinality(self):
        return self.known if self.known in (INFINITE, 0) else UNKNOWN

    def start(self, run):
        kind = _Consumer if self.consumer is None else _InStep
        return kind(self, next(self.iterations))

    def label(self):
        return f"Service({self.address})"


class _Source:
    """A task as its consumer sees it."""

    def __init__(self, described: dict):
        self.id, self.worker = described["id"], described["worker"]
        self.round, self.lost = described["round"], described["lost"]
        self.transfer = described["transfer"] or self.worker
        self.done = False
        self.channel: Channel | None = None

    @property
    def local(self) -> bool:
        return self.worker in workers.local


class _Consumer(Stage):
    where = "in the tf.data service"

    def __init__(self, node: Service, number: int):
        self._node = node
        self._client = uuid.uuid4().hex
        self._change = threading.Condition()
        self._items: deque[Chunk | Exception] = deque()
        self._waiting = 0  # elements that are asked for or wait
        self._sources: dict[str, _Source] = {}
        self._finished = False  # the iteration, as the dispatcher says
        self._over = self._stopped = self._wake = False
        self._threads: list[threading.Thread] = []
        self._only_local = node.settings["target_workers"] == "LOCAL"
        self.pure = node.job is None
        self._block = block_size(node.spec) if self.pure else _SHARED_BLOCK
        self._round, self._limit = 0, None
        self._dispatcher = dispatcher_at(node.address)
        head = {
            "dataset": node.dataset, "job": node.job, "settings": node.settings,
            "iteration": number, "client": self._client,
        }  # fmt: skip
        try:
            answer, _ = self._dispatcher.call("Join", head, patience=PATIENCE)
        except BaseException:
            self._dispatcher.close()
            raise
        self._iteration = answer["iteration"]

    def _begin(self) -> None:
        self._start(self._watch)

    def _start(self, target, *args) -> None:
        thread = threading.Thread(
            target=self._guarded, args=(target, *args), name="torchtf-data-consumer", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _guarded(self, target, *args) -> None:
        try:
            target(*args)
        except errors.CancelledError:
            pass
        except Exception as error:
            with self._change:
                self._items.append(error)
                self._over = True
                self._change.notify_all()

    # -- what there is to read

    def _watch(self) -> None:
        """Looks after the tasks until the iteration is over."""
        since = time.monotonic()
        while not self._stopped:
            head = {
                "iteration": self._iteration, "client": self._client,
                "consumer": self._node.consumer, "round": self._round,
                "blocked": self._limit if self._limit == self._round else None,
            }  # fmt: skip
            answer, _ = self._dispatcher.call("Refresh", head, patience=PATIENCE)
            if answer["workers"]:
                since = time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                raise errors.UnavailableError(
                    None, None,
                    f"The tf.data service at {self._node.address} has no workers, for "
                    f"{PATIENCE:g} seconds",
                )  # fmt: skip
            with self._change:
                self._update(answer)
                if self._over:
                    return
                self._change.wait_for(lambda: self._wake or self._stopped, self._pace())
                self._wake = False

    def _pace(self) -> float:
        return _REFRESH

    def _update(self, answer: dict) -> None:
        """Takes up what the dispatcher says; called with the lock."""
        described = {t["id"]: t for t in answer["tasks"]}
        for id in [id for id in self._sources if id not in described]:
            self._sources.pop(id).done = True
        for id, task in described.items():
            if id not in self._sources:
                source = _Source(task)
                if self._only_local and not source.local:
                    continue
                self._sources[id] = source
                self._start(self._fetch, source)
        self._check_local(described)
        self._finished = answer["finished"]
        if self._finished and all(s.done for s in self._sources.values()):
            self._over = True
        self._change.notify_all()

    def _check_local(self, described: dict) -> None:
        if self._only_local and described and not self._sources and not workers.local:
            raise errors.InvalidArgumentError(
                None, None,
                "Local reads require local tf.data workers, but no local worker is found. You need "
                "to run local tf.data service workers in your training workers.",
            )  # fmt: skip
        if self._only_local and self._sources and all(s.done for s in self._sources.values()):
            self._over = True

    # -- reading

    def _fetch(self, source: _Source) -> None:
        """Gets the elements of a task."""
        size = 1
        while True:
            with self._change:
                self._change.wait_for(lambda: self._room() > 0 or self._stopped or source.done)
                if self._stopped or source.done:
                    return
                most = max(1, min(size, self._room()))
                self._waiting += most
            item = workers.NOT_YET
            try:
                item = self._get(source, {"task": source.id, "most": most, **self._who()})
            except errors.CancelledError:
                return
            except errors.OpError as error:
                item = error
            with self._change:
                got = item.size if isinstance(item, Chunk) else 0
                self._waiting += got - most
                if item == workers.END:
                    source.done = self._wake = True
                elif item != workers.NOT_YET:
                    self._items.append(item)
                self._change.notify_all()
                if source.done:
                    return
            if got == most:
                size = min(4 * size, self._block)

    def _room(self) -> int:
        most = self._node.most
        return (2 * self._block if most is None else most) - self._waiting

    def _who(self) -> dict:
        return {"trainer": self._node.trainer}

    def _get(self, source: _Source, head: dict) -> Chunk | str:
        """Elements from a worker; one that cannot be reached has none yet."""
        transfer = self._node.transfer
        local = workers.local.get(source.worker)
        if transfer not in (None, "grpc") and (transfer != "local" or local is None):
            source.done = True
            raise errors.NotFoundError(
                None, None, f"Protocol '{transfer}' is not available for worker '{source.worker}'."
            )
        try:
            if local is not None and transfer != "grpc":
                return local.take(head)
            if source.channel is None:
                source.channel = Channel(source.transfer, "DataWorker", "The tf.data worker")
            answer, body = source.channel.call("Element", head)
        except errors.UnavailableError:
            pass
        except errors.NotFoundError as error:
            if "has no task" not in error.message:
                raise
            if self._finished:
                return workers.END
        else:
            return answer["state"] or storage.unpack_chunk(body, self._node.spec)
        with self._change:
            self._wake = True
            self._change.notify_all()
            self._change.wait_for(lambda: self._stopped, _PAUSE)
        return workers.NOT_YET

    def next(self, n: int) -> Chunk | None:
        if not self._threads:
            self._begin()
        with self._change:
            self._change.wait_for(lambda: self._items or self._over or self._stopped)
            if not self._items:
                return None
            item = self._items.popleft()
            if isinstance(item, Chunk):
                if item.size > n:
                    self._items.appendleft(item.slice(n, item.size))
                    item = item.slice(0, n)
                self._waiting -= item.size
                self._change.notify_all()
        if not isinstance(item, Chunk):
            # a new one: its traceback holds the iteration, which this frame must not do
            raise unpacked_error(packed_error(item))
        return item

    def close(self) -> None:
        with self._change:
            self._stopped = True
            self._change.notify_all()
        for source in self._sources.values():
            if source.channel is not None:
                source.channel.close()
        with contextlib.suppress(errors.OpError):  # it forgets one that it does not hear of
            self._dispatcher.call(
                "Leave", {"iteration": self._iteration, "client": self._client}, timeout=1.0
            )
        self._dispatcher.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_JOIN_SECONDS)


class _InStep(_Consumer):
    """A consumer that reads in step with others."""

    def __init__(self, node, number):
        super().__init__(node, number)
        self.pure = False
        self._news = 0  # how many times the tasks were looked at

    def _begin(self):
        super()._begin()
        self._start(self._rounds)

    def _pace(self):
        # the others wait
        return _REFRESH if self._limit is None else _PAUSE

    def _update(self, answer):
        for task in answer["tasks"]:
            source = self._sources.setdefault(task["id"], _Source(task))
            source.lost = task["lost"]
        self._limit = answer["block"]
        self._news += 1
        self._over = answer["finished"] and all(s.lost for s in self._sources.values())
        self._change.notify_all()

    def _rounds(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(self._may_read)
                if self._stopped or self._over:
                    return
                source = self._turn()
            head = {"task": source.id, "round": self._round, "consumer": self._node.consumer}
            item: Chunk | str | Exception = workers.NOT_YET
            if not source.lost:
                try:
                    item = self._get(source, head)
                except errors.CancelledError:
                    return
                except errors.OpError as error:
                    item = error
                if item == workers.NOT_YET:
                    continue
            with self._change:
                if item != workers.NOT_YET:
                    self._items.append(item)
                    self._waiting += item.size if isinstance(item, Chunk) else 0
                self._round += 1
                self._wake = self._limit is not None
                self._change.notify_all()

    def _may_read(self) -> bool:
        if self._stopped or self._over:
            return True
        held = self._limit is not None and self._round >= self._limit
        ready = any(not s.lost for s in self._taking_part())
        return ready and not held and self._room() > 0

    def _taking_part(self) -> Sequence[_Source]:
        return [s for s in self._sources.values() if s.round <= self._round]

    def _turn(self) -> _Source:
        sources = self._taking_part()
        return sources[self._round % len(sources)]

    def _room(self):
        most = self._node.most
        return (2 * len(self._sources) if most is None else most) - self._waiting
