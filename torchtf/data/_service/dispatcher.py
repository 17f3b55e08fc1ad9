"""The dispatcher: which datasets, jobs and workers there are, and who does what.

* Its state changes by *records* alone, each a method `_on_...`. In fault-tolerant mode a record is
  in the journal before it is answered for, so a dispatcher that is started again with the same
  folder goes on where the old one was.
* It runs no plan. A dataset is bytes to it, with the numbers of splits that its sources have.
* A worker is told of a task at once, and of those it missed when it next reports. One that has not
  reported for the time limit is lost, and the others go on: splits that it had are lost (at most
  once), but those of a `distributed_save`, whose files appear only when they are whole, are given
  to others. By a static policy nobody else can do its part, which waits for it to come back.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from torchtf.core import errors
from torchtf.core.remote import Channel, Server
from torchtf.data import _storage as storage
from torchtf.data._service._plans import DATA, DYNAMIC, FILE, FILE_OR_DATA, HINT
from torchtf.io.gfile import translated_errors

_log = logging.getLogger("torchtf")

STATIC = (FILE, DATA, FILE_OR_DATA, HINT)
_POLICIES = ("OFF", "DYNAMIC", "FILE", "DATA", "FILE_OR_DATA", "HINT")

# where the configuration leaves them open
_WORKER_TIMEOUT = 60.0
_GC_INTERVAL = 600.0
_GC_TIMEOUT = 300.0
_SAVES_PER_WORKER = 1
# how long a worker may take to answer that it got a task; if not, it hears of it when it reports
_PUSH_SECONDS = 5.0
_TICK = 0.1
_ANONYMOUS = "anonymous_job_"
# how long a consumer of a dispatcher that was started again has to say that it is there
_GRACE = 10.0


class _Dataset:
    def __init__(self, meta: dict, plan: bytes):
        self.meta, self.plan = meta, plan


class _Job:
    """A dataset shared out in one way.

    Attributes:
        settings: what consumers of the job must agree on.
        iterations: by number.
    """

    def __init__(self, name: str, dataset: str, settings: dict):
        self.name, self.dataset, self.settings = name, dataset, settings
        self.iterations: dict[int, _Iteration] = {}


class _Unit:
    """The splits of one source, given out in order, and again for each repetition.

    Attributes:
        given: by task, (repetition, start, stop) of those that may come back.
        back: those that did, since their task was lost.
    """

    def __init__(self, count: int, longest: int):
        self.count, self.longest = count, longest
        self.repetition = self.position = 0
        self.given: dict[str, list[tuple[int, int, int]]] = {}
        self.back: list[tuple[int, int, int]] = []


class _Iteration:
    """One run of a job.

    Attributes:
        tasks: by id.
        clients: the ids of its consumers.
        released: since when it has had none.
        joining: with consumers in step, the tasks that wait to be taken up by all.
    """

    def __init__(self, id: str, job: _Job, units: list[_Unit], save: dict | None):
        self.id, self.job, self.units, self.save = id, job, units, save
        self.tasks: dict[str, _Task] = {}
        self.clients: dict[str, _Client] = {}
        self.released = time.monotonic()
        self.finished = False
        self.joining: list[_Joining] = []

    @property
    def consumers(self) -> int:
        return self.job.settings["num_consumers"] or 0


class _Client:
    def __init__(self):
        self.seen = time.monotonic()


class _Task:
    """What one worker does of an iteration.

    Attributes:
        uid: of the worker, which tells it from one that is started again at its address.
        round: with consumers in step, the first one; None until they take it up.
        lost: with consumers in step, whether its rounds are left out.
        shard: the file that it wrote.
    """

    def __init__(self, id: str, iteration: _Iteration, worker: str, uid: str, round: int | None):
        self.id, self.iteration, self.worker, self.uid = id, iteration, worker, uid
        self.round = round
        self.finished = self.lost = False
        self.shard: list | None = None


class _Joining:
    """A task that consumers in step are to take up in the same round."""

    def __init__(self, task: _Task):
        self.task = task
        self.round = 0
        self.ready: set[int] = set()


class _Worker:
    def __init__(self, uid: str, transfer: str):
        self.uid, self.transfer = uid, transfer
        self.seen = time.monotonic()
        self.channel: Channel | None = None


class Dispatcher:
    """See the module's docstring.

    Args:
        config: a `DispatcherConfig`.
    """

    def __init__(self, config):
        self._config = config
        self._lock = threading.RLock()
        self._datasets: dict[str, _Dataset] = {}
        self._jobs: dict[str, _Job] = {}
        self._iterations: dict[str, _Iteration] = {}
        self._tasks: dict[str, _Task] = {}
        self._workers: dict[str, _Worker] = {}
        self._saves: dict[str, str] = {}  # path -> iteration
        self._numbers = 1000
        self._listed = list(config.worker_addresses or ())
        self._places: dict[str, int] = {}  # of workers in that list
        self._journal: Any = None
        self._stopped = threading.Event()
        self._began, self._resumed = time.monotonic(), False
        if config.fault_tolerant_mode:
            with translated_errors(config.work_dir):
                os.makedirs(os.path.join(config.work_dir, "datasets"), exist_ok=True)
                self._replay(os.path.join(config.work_dir, "journal"))
        self._server = Server("DataDispatcher", self._methods(), config.port)
        self.port = self._server.port
        self._keeper = threading.Thread(
            target=self._keep, name="torchtf-data-dispatcher", daemon=True
        )
        self._keeper.start()

    def _methods(self) -> dict[str, Callable]:
        return {
            "Register": self._register,
            "Describe": self._describe,
            "Plan": self._plan,
            "Join": self._join,
            "Refresh": self._refresh,
            "Leave": self._leave,
            "Report": self._report,
            "Split": self._split,
            "Ended": self._ended,
            "Save": self._save,
        }

    def stop(self) -> None:
        self._stopped.set()
        self._server.stop()
        self._keeper.join()
        with self._lock:
            if self._journal is not None:
                self._journal.close()
            for worker in self._workers.values():
                if worker.channel is not None:
                    worker.channel.close()

    @property
    def workers(self) -> int:
        with self._lock:
            return len(self._workers)

    # -- records

    def _replay(self, path: str) -> None:
        """Takes up the state in a journal, and writes to it from now on."""
        whole = 0
        if os.path.exists(path):
            with open(path, "rb") as journal:
                for line in journal:
                    if not line.endswith(b"\n"):
                        break  # a record that was not written to its end was not answered for
                    kind, fields = json.loads(line)
                    getattr(self, f"_on_{kind}")(**fields)
                    self._resumed = True
                    whole += len(line)
        self._journal = open(path, "ab")  # noqa: SIM115
        self._journal.truncate(whole)
        for task in self._tasks.values():
            if not task.finished:  # its worker is lost if it does not report in time
                self._workers[task.worker] = _Worker(task.uid, task.worker)
        for id in self._saves.values():
            iteration = self._iterations[id]
            if iteration.finished and not storage.is_settled(iteration.save["path"]):
                self._completed(iteration)

    def _record(self, kind: str, **fields) -> Any:
        if self._journal is not None:
            self._journal.write(json.dumps([kind, fields]).encode() + b"\n")
            self._journal.flush()
        return getattr(self, f"_on_{kind}")(**fields)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _on_dataset(self, id: str, meta: dict, plan: str) -> None:
        if id not in self._datasets:  # in a journal that is read
            with open(plan, "rb") as f:
                self._datasets[id] = _Dataset(meta, f.read())
        self._numbers += 1

    def _on_job(self, name: str, dataset: str, settings: dict) -> None:
        self._jobs[name] = _Job(name, dataset, settings)
        self._numbers += 1

    def _on_iteration(self, job: str, number: int, id: str, save: dict | None) -> _Iteration:
        found = self._jobs[job]
        splits = self._datasets[found.dataset].meta["splits"]
        units = [_Unit(*s) for s in splits] if found.settings["policy"] == DYNAMIC else []
        made = _Iteration(id, found, units, save)
        found.iterations[number] = self._iterations[id] = made
        if save is not None:
            self._saves[save["path"]] = id
        self._numbers += 1
        return made

    def _on_task(self, id: str, iteration: str, worker: str, uid: str, round: int | None) -> _Task:
        owner = self._iterations[iteration]
        task = owner.tasks[id] = self._tasks[id] = _Task(id, owner, worker, uid, round)
        self._numbers += 1
        return task

    def _on_split(self, task: str, unit: int, repetition: int, position: int) -> None:
        iteration = self._tasks[task].iteration
        found = iteration.units[unit]
        if iteration.save is not None and position > 0:
            given = (repetition, found.position, position)
            found.given.setdefault(task, []).append(given)
        found.repetition, found.position = repetition, position

    def _on_again(self, task: str, unit: int, split: list) -> None:
        """A task gets a split that came back."""
        found = self._tasks[task].iteration.units[unit]
        found.back.remove(tuple(split))
        found.given.setdefault(task, []).append(tuple(split))

    def _on_ended(self, task: str, shard: list | None) -> None:
        found = self._tasks[task]
        found.finished, found.shard = True, shard
        iteration = found.iteration
        iteration.finished |= _complete(iteration)

    def _on_lost(self, task: str) -> None:
        found = self._tasks[task]
        iteration = found.iteration
        found.finished = found.lost = True
        if iteration.consumers:
            return
        del iteration.tasks[task]
        for unit in iteration.units:
            unit.back += unit.given.pop(task, [])
        iteration.finished |= _complete(iteration)

    def _on_finished(self, iteration: str) -> None:
        found = self._iterations[iteration]
        found.finished = True
        for task in found.tasks.values():
            task.finished = True

    def _on_round(self, task: str, round: int) -> None:
        self._tasks[task].round = round

    def _on_place(self, worker: str, place: int) -> None:
        self._places[worker] = place

    def _on_vacant(self, worker: str) -> None:
        self._places.pop(worker, None)

    # -- datasets

    def _register(self, head: dict, plan: bytes):
        """Keeps a dataset; the id is that of an equal one, if there is one."""
        with self._lock:
            return {"id": self._registered(head["meta"], plan, head["id"])}, b""

    def _registered(self, meta: dict, plan: bytes, wanted: str | None) -> str:
        digest = hashlib.sha256(plan).hexdigest()
        if wanted is not None:
            found = self._datasets.get(wanted)
            if found is not None and found.meta["structure"] != meta["structure"]:
                raise errors.InvalidArgumentError(
                    None, None,
                    "Failed to register dataset: Datasets with the same ID should have the same "
                    f"structure, got diff for dataset ID {wanted} with different element_spec: "
                    f"{found.meta['structure']} and {meta['structure']}. To fix this error, make "
                    "sure you're registering the same dataset with the same ID.",
                )  # fmt: skip
            if found is not None:
                return wanted
        else:
            for id, dataset in self._datasets.items():
                if dataset.meta["digest"] == digest:
                    return id
        id = wanted if wanted is not None else str(self._number())
        meta = {**meta, "digest": digest}
        path = ""
        if self._config.fault_tolerant_mode:
            path = os.path.join(self._config.work_dir, "datasets", f"{digest}.plan")
            with translated_errors(path), open(path + ".tmp", "wb") as f:
                f.write(plan)
            os.replace(path + ".tmp", path)
        self._datasets[id] = _Dataset(meta, plan)
        self._record("dataset", id=id, meta=meta, plan=path)
        return id

    def _dataset(self, id: str) -> _Dataset:
        if id not in self._datasets:
            raise errors.NotFoundError(
                None, None,
                f"Dataset id {id} not found. It must be registered with `register_dataset` before "
                "calling `from_dataset_id`.",
            )  # fmt: skip
        return self._datasets[id]

    def _describe(self, head: dict, body: bytes):
        with self._lock:
            return self._dataset(head["dataset"]).meta, b""

    def _plan(self, head: dict, body: bytes):
        with self._lock:
            return {}, self._dataset(head["dataset"]).plan

    # -- consumers

    def _join(self, head: dict, body: bytes):
        """A consumer takes part in an iteration of a job, which begins if it is the first."""
        with self._lock:
            dataset = self._dataset(head["dataset"])
            settings = head["settings"]
            _check_cache(settings, head["job"], dataset.meta["cardinality"])
            name = head["job"] or f"{_ANONYMOUS}{self._number()}"
            job = self._jobs.get(name)
            if job is None:
                self._check_places(settings["policy"], name)
                self._record("job", name=name, dataset=head["dataset"], settings=settings)
                job = self._jobs[name]
            elif job.settings != settings:
                raise errors.InvalidArgumentError(
                    None, None,
                    f"Failed to get or create job for dataset with id {head['dataset']}: Tried to "
                    f"create job with name {name}, but found an existing job with different "
                    f"parameters: {_differences(job.settings, settings)}",
                )  # fmt: skip
            iteration = job.iterations.get(head["iteration"])
            made = []
            if iteration is None:
                iteration = self._record(
                    "iteration", job=name, number=head["iteration"], id=str(self._number()),
                    save=None,
                )  # fmt: skip
                made = [self._definition(self._made(iteration, w)) for w in self._workers]
            client = head["client"]
            iteration.clients[client] = _Client()
        self._push(made)
        return {"iteration": iteration.id}, b""

    def _check_places(self, policy: int, job: str) -> None:
        if policy in STATIC and not self._listed:
            raise errors.NotFoundError(
                None, None,
                f"Failed to get or create iteration for job with id {job}: Failed to shard dataset "
                f"in tf.data service: Worker {next(iter(self._workers), '')} is not in the workers "
                "list. Got workers list .",
            )  # fmt: skip

    def _refresh(self, head: dict, body: bytes):
        """What a consumer has to know: the tasks of its iteration, and whether it is over."""
        with self._lock:
            iteration = self._iteration(head["iteration"])
            client = iteration.clients.setdefault(head["client"], _Client())
            client.seen = time.monotonic()
            block = self._agree(iteration, head) if iteration.joining else None
            tasks = [
                {"id": t.id, "worker": t.worker, "round": t.round, "lost": t.lost,
                 "transfer": w.transfer if (w := self._workers.get(t.worker)) else None}
                for t in iteration.tasks.values()
                if t.round is not None
            ]  # fmt: skip
            return {
                "tasks": tasks, "finished": iteration.finished, "block": block,
                "workers": len(self._workers),
            }, b""  # fmt: skip

    def _agree(self, iteration: _Iteration, head: dict) -> int | None:
        """Lets consumers in step take up a task; gives a round not to begin until then.

        A round ahead is proposed. When all have come to it, the task takes part from there on; if
        one was further already, a later round is proposed.
        """
        change = iteration.joining[0]
        if head["round"] > change.round or not change.round:
            change.round = head["round"] + 2
            change.ready.clear()
        elif head["blocked"] == change.round:
            change.ready.add(head["consumer"])
        if len(change.ready) < iteration.consumers:
            return change.round
        iteration.joining.pop(0)
        self._record("round", task=change.task.id, round=change.round)
        return None

    def _iteration(self, id: str) -> _Iteration:
        if id not in self._iterations:
            raise errors.NotFoundError(
                None, None, f"The tf.data service knows no iteration {id}: its dispatcher was "
                "started again without fault_tolerant_mode, or nobody read from it for too long.",
            )  # fmt: skip
        return self._iterations[id]

    def _leave(self, head: dict, body: bytes):
        with self._lock:
            iteration = self._iterations.get(head["iteration"])
            if iteration is not None:
                iteration.clients.pop(head["client"], None)
                iteration.released = time.monotonic()
                anonymous = iteration.job.name.startswith(_ANONYMOUS)
                if anonymous and not iteration.clients and not iteration.finished:
                    self._record("finished", iteration=iteration.id)
        return {}, b""

    # -- workers

    def _report(self, head: dict, body: bytes):
        """A worker says that it is there and what it works on; the answer says what it should."""
        address, uid = head["worker"], head["uid"]
        with self._lock:
            worker = self._workers.get(address)
            if worker is None or worker.uid != uid:
                if worker is not None:
                    self._forget(address)
                self._abandon(address, uid)
                self._place(address)
                worker = self._workers[address] = _Worker(uid, head["transfer"])
                for iteration in list(self._iterations.values()):
                    here = any(t.worker == address for t in iteration.tasks.values() if not t.lost)
                    if not (iteration.finished or here or iteration.save):  # see _assign_saves
                        self._joined(iteration, address)
            worker.seen, worker.transfer = time.monotonic(), head["transfer"]
            self._assign_saves()
            wanted = {
                t.id: t
                for i in self._iterations.values()
                if not i.finished
                for t in i.tasks.values()
                if t.worker == address and not t.finished
            }
            fresh = [self._definition(t) for t in wanted.values() if t.id not in head["tasks"]]
            return {"tasks": fresh, "drop": [t for t in head["tasks"] if not self._needed(t)]}, b""

    def _needed(self, id: str) -> bool:
        """Whether consumers may still want elements of a task."""
        task = self._tasks.get(id)
        if task is None or task.lost:
            return False
        iteration = task.iteration
        if not iteration.finished or iteration.clients:
            return True
        return self._resumed and time.monotonic() - self._began < _GRACE

    def _place(self, address: str) -> int | None:
        """The number of a worker in the list of the configuration; None if there is no list.

        Raises:
            NotFoundError: if it is not in it.
        """
        if not self._listed:
            return None
        if address not in self._places:
            host, _, port = address.rpartition(":")
            taken = set(self._places.values())
            for i, pattern in enumerate(self._listed):
                if i not in taken and _matches(pattern, host, port):
                    self._record("place", worker=address, place=i)
                    break
            else:
                raise errors.NotFoundError(
                    None, None,
                    f"Failed to shard dataset in tf.data service: Worker {address} is not in the "
                    f"workers list. Got workers list {','.join(self._listed)}.",
                )  # fmt: skip
        return self._places[address]

    def _joined(self, iteration: _Iteration, address: str) -> None:
        """Gives a worker that comes later its task of an iteration."""
        later = iteration.consumers > 0 and bool(iteration.tasks)
        task = self._made(iteration, address, None if later else 0)
        if later:
            iteration.joining.append(_Joining(task))

    def _made(self, iteration: _Iteration, address: str, round: int | None = 0) -> _Task:
        return self._record(
            "task", id=str(self._number()), iteration=iteration.id, worker=address,
            uid=self._workers[address].uid, round=round,
        )  # fmt: skip

    def _definition(self, task: _Task) -> dict:
        job = task.iteration.job
        policy = job.settings["policy"]
        place, size = 0, 1
        if policy in STATIC:
            place, size = self._place(task.worker), len(self._listed)
        return {
            "id": task.id, "worker": task.worker, "dataset": job.dataset, "policy": policy,
            "index": place, "workers": size, "num_consumers": task.iteration.consumers,
            "cardinality": self._datasets[job.dataset].meta["cardinality"],
            "cache": job.settings["cache"], "save": task.iteration.save,
        }  # fmt: skip

    def _push(self, definitions: list) -> None:
        """Tells workers of new tasks. A worker that does not answer hears of them in time."""
        for definition in filter(None, definitions):
            with self._lock:
                worker = self._workers.get(definition["worker"])
                if worker is None:
                    continue
                if worker.channel is None:
                    worker.channel = Channel(definition["worker"], "DataWorker", "The worker")
                channel = worker.channel
            with contextlib.suppress(errors.OpError):
                channel.call("Process", definition, timeout=_PUSH_SECONDS)

    def _forget(self, address: str) -> None:
        worker = self._workers.pop(address)
        if address in self._places:
            self._record("vacant", worker=address)
        if worker.channel is not None:
            worker.channel.close()

    # -- tasks

    def _split(self, head: dict, body: bytes):
        """The next range of splits for a task, or its end."""
        with self._lock:
            task = self._tasks.get(head["task"])
            if task is None or task.finished:
                return {"split": None}, b""
            unit = task.iteration.units[head["unit"]]
            repetition = head["repetition"]
            for split in unit.back:
                if split[0] == repetition:
                    self._record("again", task=task.id, unit=head["unit"], split=split)
                    return {"split": split[1:]}, b""
            if repetition < unit.repetition:
                return {"split": None}, b""
            left = unit.count - unit.position
            if left <= 0:
                # for the first who finds it over; the others see that it is
                self._record(
                    "split", task=task.id, unit=head["unit"], repetition=repetition + 1, position=0
                )
                return {"split": None}, b""
            share = left // (4 * max(1, len(self._workers)))
            start, size = unit.position, max(1, min(unit.longest, share))
            self._record(
                "split", task=task.id, unit=head["unit"], repetition=repetition,
                position=start + size,
            )  # fmt: skip
            return {"split": [start, start + size]}, b""

    def _ended(self, head: dict, body: bytes):
        """A task is done: it gave all its elements, or wrote its file, or failed to."""
        with self._lock:
            task = self._tasks.get(head["task"])
            if task is None or task.finished:
                return {}, b""
            iteration = task.iteration
            if head["error"] is not None:
                storage.write_failure(iteration.save["path"], head["error"])
                self._record("finished", iteration=iteration.id)
                return {}, b""
            self._record("ended", task=task.id, shard=head["shard"])
            if iteration.finished and iteration.save is not None:
                self._completed(iteration)
        return {}, b""

    # -- distributed_save

    def _save(self, head: dict, plan: bytes):
        """Begins to write a dataset to a folder."""
        path = head["path"]
        if not self._config.fault_tolerant_mode:
            raise errors.InvalidArgumentError(
                None, None,
                "Failed to snapshot: tf.data distributed snapshot requires running tf.data service "
                "in the fault tolerant mode. To enable the fault tolerant mode, set "
                "`DispatcherConfig.fault_tolerant_mode` to true and provide a valid "
                "`DispatcherConfig.work_dir`.",
            )  # fmt: skip
        with self._lock:
            if path in self._saves or os.path.exists(path):
                raise errors.AlreadyExistsError(
                    None, None,
                    f"Failed to snapshot: tf.data snapshot at {path} is already started or "
                    "completed",
                )  # fmt: skip
            with translated_errors(path):
                os.makedirs(path)
            dataset = self._registered(head["meta"], plan, None)
            name = f"distributed_save_{self._number()}"
            settings = {
                "policy": DYNAMIC, "num_consumers": None, "target_workers": "AUTO", "cache": False,
            }  # fmt: skip
            self._record("job", name=name, dataset=dataset, settings=settings)
            save = {"path": path, "compression": head["compression"]}
            self._record("iteration", job=name, number=0, id=str(self._number()), save=save)
            made = self._assign_saves()
        self._push(made)
        return {}, b""

    def _assign_saves(self) -> list:
        """Gives workers that have room a part in what is being saved."""
        most = self._config.worker_max_concurrent_snapshots or _SAVES_PER_WORKER
        made = []
        for id in self._saves.values():
            iteration = self._iterations[id]
            if iteration.finished:
                continue
            came_back = any(unit.back for unit in iteration.units)
            for address in self._workers:
                running = [
                    t for t in self._tasks.values()
                    if t.worker == address and t.iteration.save and not t.finished
                ]  # fmt: skip
                took_part = any(t.worker == address for t in iteration.tasks.values())
                busy = any(t.iteration is iteration for t in running)
                if len(running) < most and not busy and (came_back or not took_part):
                    made.append(self._definition(self._made(iteration, address)))
        return made

    def _completed(self, iteration: _Iteration) -> None:
        """Makes a folder a saved dataset."""
        save = iteration.save
        shards = [t.shard for t in iteration.tasks.values() if t.shard is not None]
        spec = self._datasets[iteration.job.dataset].meta["spec"]
        storage.write_index(save["path"], spec, shards, save["compression"], named=False)

    # -- keeping house

    def _keep(self) -> None:
        config = self._config
        limit = (config.worker_timeout_ms or _WORKER_TIMEOUT * 1000) / 1000
        interval = (config.job_gc_check_interval_ms or _GC_INTERVAL * 1000) / 1000
        unused = (config.job_gc_timeout_ms or _GC_TIMEOUT * 1000) / 1000
        checked = time.monotonic()
        while not self._stopped.wait(_TICK):
            now = time.monotonic()
            with self._lock:
                for address, worker in list(self._workers.items()):
                    if now - worker.seen > limit:
                        self._drop(address)
                self._clear(now - _GRACE)
                if unused >= 0 and now - checked >= interval:
                    checked = now
                    self._collect(now - unused)

    def _drop(self, address: str) -> None:
        _log.warning("The tf.data service lost its worker %s, which no longer reports.", address)
        self._forget(address)
        self._abandon(address, None)
        self._assign_saves()

    def _abandon(self, address: str, uid: str | None) -> None:
        """Goes on without the tasks of a worker that is gone.

        Args:
            uid: of the one that is now at its address, if there is one.
        """
        for iteration in self._iterations.values():
            if iteration.finished and not iteration.clients:
                continue
            static = iteration.job.settings["policy"] in STATIC
            for task in list(iteration.tasks.values()):
                if task.worker != address or task.uid == uid or task.lost:
                    continue
                if task.finished and iteration.save is not None:
                    continue  # its file is there
                if static and not task.finished and uid is None:
                    continue  # it may come back
                self._record("lost", task=task.id)
            if iteration.save is not None and iteration.finished:
                self._completed(iteration)

    def _clear(self, before: float) -> None:
        """Forgets what nobody can ask for any more."""
        for iteration in list(self._iterations.values()):
            own = iteration.job.name.startswith(_ANONYMOUS)
            over = iteration.finished and not iteration.clients and iteration.released < before
            if own and over:
                del self._iterations[iteration.id], self._jobs[iteration.job.name]
                for id in iteration.tasks:
                    self._tasks.pop(id, None)

    def _collect(self, before: float) -> None:
        """Ends iterations that nobody has read from for too long."""
        for iteration in self._iterations.values():
            for id, client in list(iteration.clients.items()):
                if client.seen < before:
                    del iteration.clients[id]
                    iteration.released = client.seen
            idle = not iteration.clients and iteration.released < before
            if idle and not iteration.finished and iteration.save is None:
                self._record("finished", iteration=iteration.id)


def _complete(iteration: _Iteration) -> bool:
    tasks = iteration.tasks.values()
    return (
        bool(tasks) and all(t.finished for t in tasks) and not any(u.back for u in iteration.units)
    )


def _matches(pattern: str, host: str, port: str) -> bool:
    """Whether an address is one that an entry of `worker_addresses` stands for."""
    wanted, _, number = pattern.partition(":")
    if wanted != host:
        return False
    return number in ("", port) or re.fullmatch("%[a-z_]*port[a-z_]*%", number) is not None


def _check_cache(settings: dict, job: str | None, cardinality: int) -> None:
    """Raises InvalidArgumentError if a job cannot be kept for several trainers."""
    if not settings["cache"]:
        return
    problem = None
    if not job:
        problem = "Cross-trainer caching requires named jobs. Got empty `job_name`."
    elif cardinality >= 0:
        problem = (
            "Cross-trainer caching requires the input dataset to be infinite. Got input with "
            f"cardinality {cardinality}"
        )
    elif settings["num_consumers"]:
        problem = (
            "Cross-trainer caching does not support coordinated reads. Got number of coordinated "
            f"consumers: {settings['num_consumers']}"
        )
    if problem is not None:
        raise errors.InvalidArgumentError(None, None, problem)


_SETTINGS = {
    "policy": "processing mode",
    "num_consumers": "number of consumers",
    "target_workers": "target workers",
    "cache": "cross-trainer cache",
}


def _differences(have: dict, got: dict) -> str:
    def shown(name, value):
        return _POLICIES[value] if name == "policy" else value

    return " ".join(
        f"Existing {text}: <{shown(name, have[name])}>; got <{shown(name, got[name])}>."
        for name, text in _SETTINGS.items()
        if have[name] != got[name]
    )
