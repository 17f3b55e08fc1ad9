"""`tf.distribute.coordinator`: schedules functions onto the workers of a parameter server cluster.

* A thread per worker takes functions from one queue, so a slow worker holds up nobody.
* A function whose worker is lost goes back to the queue and may so run twice; the thread waits for
  the worker to be started again. A function that raises cancels the rest.
"""

from __future__ import annotations

import itertools
import queue
import threading

import cloudpickle
import torch

from torchtf.core import errors, nest
from torchtf.core.tensor import Tensor, is_tensor_type
from torchtf.distribute import _rpc

# -- on a worker

_functions: dict[int, object] = {}
_iterators: dict[int, object] = {}


class _Unknown:
    """The answer of a worker that has not got the code of a function."""


def run_scheduled(function_id: int, function: bytes | None, arguments: bytes):
    """Runs a scheduled function; its code comes along with the first call only."""
    if function is not None:
        _functions[function_id] = cloudpickle.loads(function)
    if function_id not in _functions:  # the worker was started again
        return _Unknown()
    args, kwargs = cloudpickle.loads(arguments)
    result = _functions[function_id](*args, **kwargs)
    return nest.map_structure(lambda v: v.torch() if is_tensor_type(v) else v, result)


def _local_iterator(key: int, make):
    if key not in _iterators:
        _iterators[key] = iter(make())
    return _iterators[key]


# -- on the chief

_ids = itertools.count()


class RemoteValue:
    """The result of a scheduled function, which may still be running."""

    def __init__(self):
        self._done = threading.Event()
        self._value = None
        self._error: BaseException | None = None

    def _set(self, value=None, error=None):
        self._value, self._error = value, error
        self._done.set()

    def get(self):
        """The result as tensors, once it is there."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return nest.map_structure(
            lambda v: Tensor(v) if isinstance(v, torch.Tensor) else v, self._value
        )

    def fetch(self):
        """The result as NumPy values, once it is there.

        Raises:
            CancelledError: if the function was cancelled.
        """
        return nest.map_structure(lambda v: v.numpy() if is_tensor_type(v) else v, self.get())


class PerWorkerValues:
    """A value of which each worker has its own; scheduled functions get their worker's."""


class _PerWorkerIterator(PerWorkerValues):
    def __init__(self, make):
        self._key = next(_ids)
        self._make = make

    def __iter__(self):
        return self

    def __next__(self):
        raise NotImplementedError(
            "A per-worker iterator gives its elements to scheduled functions only."
        )

    def __reduce__(self):
        return _local_iterator, (self._key, self._make)


class _PerWorkerDataset(PerWorkerValues):
    def __init__(self, make):
        self._make = make

    def __iter__(self):
        return _PerWorkerIterator(self._make)

    @property
    def element_spec(self):
        return self._make().element_spec


PerWorkerValue = PerWorkerValues


class _Scheduled:
    def __init__(self, function_id, function, arguments, result):
        self.function_id = function_id
        self.function = function
        self.arguments = arguments
        self.result = result


class ClusterCoordinator:
    """Runs functions on the workers (source: `tf.distribute.coordinator.ClusterCoordinator`).

    Waits until all workers are there: those that come first would take all the work.

    Args:
        strategy: a `ParameterServerStrategy`.

    Raises:
        ValueError: for another strategy.
        UnavailableError: if a worker does not come within ten minutes.
    """

    def __init__(self, strategy):
        from torchtf.distribute.parameter_server import ParameterServerStrategy

        if not isinstance(strategy, ParameterServerStrategy):
            raise ValueError(
                "Only `tf.distribute.experimental.ParameterServerStrategy` is supported to work "
                "with `tf.distribute.experimental.coordinator.ClusterCoordinator` currently."
            )
        self._strategy = strategy
        self._queue: queue.Queue[_Scheduled] = queue.Queue()
        self._pending = 0
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._ids: dict[int, tuple[int, object]] = {}
        for worker in strategy._workers:
            _rpc.wait_for(worker, _rpc.PATIENCE)
        for worker in strategy._workers:
            threading.Thread(target=self._serve, args=(worker,), daemon=True).start()

    @property
    def strategy(self):
        return self._strategy

    def schedule(self, fn, args=None, kwargs=None) -> RemoteValue:
        """Queues a function for some worker and returns at once.

        Args:
            fn: a function; it travels to the workers with what it closes over.
            args, kwargs: its arguments; a per-worker value becomes the worker's own.

        Raises:
            Exception: that of an earlier function that failed.
        """
        if not callable(fn):
            raise TypeError(f"`fn` passed to `schedule` must be callable, got {fn!r}")
        self._raise_failure()
        function_id, _ = self._ids.setdefault(id(fn), (next(_ids), fn))
        scheduled = _Scheduled(
            function_id, fn, cloudpickle.dumps((tuple(args or ()), dict(kwargs or {}))),
            RemoteValue(),
        )  # fmt: skip
        with self._changed:
            self._pending += 1
        self._queue.put(scheduled)
        return scheduled.result

    def join(self) -> None:
        """Waits until all scheduled functions have run.

        Raises:
            Exception: that of the first function that failed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._pending == 0)
        self._raise_failure()

    def done(self) -> bool:
        """Whether all scheduled functions have run."""
        self._raise_failure()
        with self._changed:
            return self._pending == 0

    def fetch(self, val):
        """The values of `RemoteValue`s in a structure."""
        return nest.map_structure(lambda v: v.fetch() if isinstance(v, RemoteValue) else v, val)

    def create_per_worker_dataset(self, dataset_fn) -> _PerWorkerDataset:
        """A dataset that each worker makes for itself.

        Args:
            dataset_fn: returns a dataset; or a dataset.
        """
        if callable(dataset_fn):
            return _PerWorkerDataset(dataset_fn)
        return _PerWorkerDataset(lambda: dataset_fn)

    def _raise_failure(self):
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _serve(self, worker: str) -> None:
        """Gives one worker its work."""
        known: set[int] = set()
        while True:
            job = self._queue.get()
            try:
                value = self._run(worker, job, known)
            except _rpc.TaskLostError:
                self._queue.put(job)
                _rpc.wait_for(worker)
                continue
            except Exception as e:
                self._fail(job, e)
                continue
            known.add(job.function_id)
            job.result._set(value)
            self._finish()

    def _run(self, worker: str, job: _Scheduled, known: set[int]):
        def attempt(code):
            return _rpc.call(worker, run_scheduled, job.function_id, code, job.arguments)

        if job.function_id in known:
            value = attempt(None)
            if not isinstance(value, _Unknown):
                return value
        return attempt(cloudpickle.dumps(job.function))

    def _finish(self):
        with self._changed:
            self._pending -= 1
            self._changed.notify_all()

    def _fail(self, job, error):
        """Records the error and cancels what has not started."""
        job.result._set(error=error)
        if self._failure is None:
            self._failure = error
        self._finish()
        while True:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return
            waiting.result._set(
                error=errors.CancelledError(None, None, "An earlier function failed.")
            )
            self._finish()


def experimental_get_current_worker_index() -> int:
    """The index of the worker that runs this function.

    Raises:
        RuntimeError: outside of a scheduled function.
    """
    name = _rpc.own_name()
    if name is None or not name.startswith("worker"):
        raise RuntimeError("This is not a worker of a parameter server cluster.")
    return int(name.removeprefix("worker"))
