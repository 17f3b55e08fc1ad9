"""How requests run: each by itself, or joined into batches.

A runner takes a signature of a servable and its inputs, and gives a future of the outputs.

* `Single` runs each request by itself, on a pool of threads.
* `Batcher` joins requests that came for the same signature into one run over the concatenation of
  their inputs. A batch is closed when it is full, and runs when a thread is free and it is closed
  or its first request has waited for long enough. A run that fails is repeated request by request,
  so that each gets its own result or error.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor

import numpy as np

from torchtf.core import errors
from torchtf.serving._config import invalid
from torchtf.serving._options import CPUS
from torchtf.serving._servable import Servable

Arrays = Mapping[str, np.ndarray]


class Single:
    """Runs each request by itself.

    Args:
        threads: how many run at once.
    """

    def __init__(self, threads: int):
        self._pool = ThreadPoolExecutor(threads, "run")

    def submit(self, servable: Servable, signature: str, inputs: Arrays) -> Future:
        """A future of the outputs."""
        return self._pool.submit(servable.run, signature, inputs)

    def close(self) -> None:
        """Ends the threads when all that was submitted has run."""
        self._pool.shutdown()


class _Task:
    def __init__(self, inputs: Arrays, size: int):
        self.inputs = inputs
        self.size = size
        self.future: Future = Future()

    def settle(self, outputs: Arrays | None, error: Exception | None = None) -> None:
        with contextlib.suppress(InvalidStateError):  # whoever asked has given up
            if error is not None:
                self.future.set_exception(error)
            else:
                self.future.set_result(outputs)


class _Batch:
    def __init__(self):
        self.tasks: list[_Task] = []
        self.size = 0
        self.since = time.monotonic()
        self.closed = False


class Batcher:
    """Joins requests into batches (source: TensorFlow Serving's `BatchingParameters`).

    Requests whose inputs differ in other sizes than the first run in different batches, unless
    `pad_variable_length_inputs` makes them equal.

    Args:
        parameters: a `BatchingParameters` message that `_config.check_batching` let pass.
    """

    def __init__(self, parameters):
        def given(name, default):
            return getattr(parameters, name).value if parameters.HasField(name) else default

        self._largest_task = given("max_batch_size", 1000)
        self._splits = given("enable_large_batch_splitting", False)
        self._largest_batch = given("max_execution_batch_size", self._largest_task)
        self._patience = given("batch_timeout_micros", 0) / 1e6
        self._length = given("max_enqueued_batches", 10)
        self._allowed = list(parameters.allowed_batch_sizes)
        self._pads = parameters.pad_variable_length_inputs
        self._queues: dict[tuple, deque[_Batch]] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{i}", daemon=True)
            for i in range(given("num_batch_threads", CPUS))
        ]
        for thread in self._threads:
            thread.start()

    # -- putting in

    def submit(self, servable: Servable, signature: str, inputs: Arrays) -> Future:
        """A future of the outputs.

        Raises:
            tf.errors.InvalidArgumentError: for inputs that have no common first size, or too
                large a one.
            tf.errors.UnavailableError: if too many batches wait already.
        """
        size = _size(inputs)
        if size > self._largest_task:
            raise invalid(
                f"Task size {size} is larger than maximum input batch size {self._largest_task}"
            )
        shapes = () if self._pads else tuple((n, a.shape[1:]) for n, a in sorted(inputs.items()))
        key = (servable, signature, shapes)
        with self._changed:
            queue = self._queues.get(key) or deque()
            parts = self._parts(queue, size)
            joins = bool(queue) and not queue[-1].closed and parts[0] <= self._room(queue)
            if len(queue) + len(parts) - joins > self._length:
                raise errors.UnavailableError(
                    None, None,
                    "The batch scheduling queue to which this task was submitted is full; task "
                    f"size is {size}, max_enqueued_batches is {self._length}",
                )  # fmt: skip
            self._queues[key] = queue
            tasks, start = [], 0
            for part in parts:
                chosen = {n: a[start : start + part] for n, a in inputs.items()}
                tasks.append(_Task(chosen if part < size else inputs, part))
                self._enqueue(queue, tasks[-1])
                start += part
            self._changed.notify_all()
        return tasks[0].future if len(tasks) == 1 else _joined([t.future for t in tasks])

    def _room(self, queue: deque[_Batch]) -> int:
        return self._largest_batch - queue[-1].size

    def _parts(self, queue: deque[_Batch], size: int) -> list[int]:
        """The sizes of the pieces that a request is split into."""
        if not self._splits:
            return [size]
        parts = []
        if queue and not queue[-1].closed and size:
            parts.append(min(size, self._room(queue)))
            size -= parts[0]
        while size > 0 or not parts:
            parts.append(min(size, self._largest_batch))
            size -= parts[-1]
        return parts

    def _enqueue(self, queue: deque[_Batch], task: _Task) -> None:
        if not queue or queue[-1].closed or task.size > self._room(queue):
            if queue:
                queue[-1].closed = True
            queue.append(_Batch())
        batch = queue[-1]
        batch.tasks.append(task)
        batch.size += task.size
        batch.closed = batch.size >= self._largest_batch

    # -- running

    def _work(self) -> None:
        while True:
            with self._changed:
                found = self._take()
                while found is None:
                    if self._closing and not self._queues:
                        return
                    self._changed.wait(self._next())
                    found = self._take()
            (servable, signature, _), batch = found
            self._run(servable, signature, batch)
            del found, servable, batch  # else a thread that waits keeps the model

    def _take(self) -> tuple[tuple, _Batch] | None:
        """The oldest batch that is ready."""
        ready = [
            (queue[0].since, key)
            for key, queue in self._queues.items()
            if queue[0].closed or self._closing or self._due(queue[0]) <= time.monotonic()
        ]
        if not ready:
            return None
        key = min(ready, key=lambda pair: pair[0])[1]
        batch = self._queues[key].popleft()
        if not self._queues[key]:
            del self._queues[key]
        return key, batch

    def _due(self, batch: _Batch) -> float:
        return batch.since + self._patience

    def _next(self) -> float | None:
        """The seconds until a batch is due."""
        due = min((self._due(q[0]) for q in self._queues.values()), default=None)
        return None if due is None else max(0.0, due - time.monotonic())

    def _run(self, servable: Servable, signature: str, batch: _Batch) -> None:
        tasks = [t for t in batch.tasks if t.future.set_running_or_notify_cancel()]
        if not tasks:
            return
        try:
            for task, outputs in zip(
                tasks, self._together(servable, signature, tasks), strict=True
            ):
                task.settle(outputs)
        except Exception as error:
            if len(tasks) == 1:
                tasks[0].settle(None, error)
                return
            for task in tasks:
                try:
                    task.settle(self._together(servable, signature, [task])[0])
                except Exception as own:
                    task.settle(None, own)

    def _together(self, servable: Servable, signature: str, tasks: list[_Task]) -> list[Arrays]:
        """The outputs of each of several tasks that run as one."""
        size = sum(t.size for t in tasks)
        padding = next((s for s in self._allowed if s >= size), size) - size
        inputs = {}
        for name in tasks[0].inputs:
            arrays = [t.inputs[name] for t in tasks]
            if self._pads:
                arrays = _padded(arrays)
            if padding:
                row = next((a for a in reversed(arrays) if len(a)), arrays[-1])[:1]
                arrays.append(np.repeat(row, padding, axis=0))
            inputs[name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        outputs = servable.run(signature, inputs)
        for array in outputs.values():
            if array.ndim == 0:
                raise errors.FailedPreconditionError(
                    None, None, "Batched output tensor has 0 dimensions"
                )
            if len(array) != size + padding:
                raise errors.FailedPreconditionError(
                    None, None,
                    "Batched output tensor's 0th dimension does not equal the sum of the 0th "
                    "dimension sizes of the input tensors",
                )  # fmt: skip
        ends = np.cumsum([t.size for t in tasks])
        return [
            {name: array[end - t.size : end] for name, array in outputs.items()}
            for t, end in zip(tasks, ends, strict=True)
        ]

    def close(self) -> None:
        """Runs what waits, and ends the threads."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()


def _size(inputs: Arrays) -> int:
    """The common first size of the inputs."""
    if any(a.ndim == 0 for a in inputs.values()):
        raise invalid("Batching session Run() input tensors must have at least one dimension")
    sizes = {len(a) for a in inputs.values()}
    if len(sizes) != 1:
        raise invalid("Batching session Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def _padded(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The arrays, grown at their ends to the same sizes but the first, with their first value."""
    if len({a.ndim for a in arrays}) > 1:
        raise invalid("inputs of different ranks cannot be padded")
    largest = [max(sizes) for sizes in zip(*(a.shape for a in arrays), strict=True)]
    found = []
    for array in arrays:
        missing = [(0, 0), *((0, m - s) for m, s in zip(largest[1:], array.shape[1:], strict=True))]
        if any(after for _, after in missing):
            if not array.size:
                raise invalid("Got empty tensor in batch of non-empty tensors.")
            array = np.pad(array, missing, constant_values=array.flat[0])
        found.append(array)
    return found


def _joined(futures: Sequence[Future]) -> Future:
    """A future of the outputs of the pieces of a request, put together."""
    whole: Future = Future()
    left = [len(futures)]
    lock = threading.Lock()

    def done(_):
        with lock:
            left[0] -= 1
            if left[0]:
                return
        with contextlib.suppress(InvalidStateError):  # whoever asked has given up
            error = next((e for f in futures if (e := f.exception()) is not None), None)
            if error is not None:
                whole.set_exception(error)
            else:
                parts = [f.result() for f in futures]
                whole.set_result({n: np.concatenate([p[n] for p in parts]) for n in parts[0]})

    for future in futures:
        future.add_done_callback(done)
    return whole
