"""Running a user's function over a stream of elements: on chunks, one by one, or in threads.

* Chunks, if the function can be vectorized. ATen's kernels use several threads by themselves.
* Elements so large that no cache holds a chunk of them go one after another: what an op leaves is
  in the cache when the next one reads it.
* Else one element after another, in threads if the user asked for parallel calls: several elements
  in a row where they are so quick that handing over each of them would count.
* Python functions that are declared to be without side effects may go to worker processes, from
  either of these (see `_processes`).
* A function that calls Python on the host (decoding, parsing) can go both ways; with parallel calls
  both are timed, and the faster one is taken from then on.
"""

from __future__ import annotations

import math
import time
from collections import deque
from contextlib import nullcontext

from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk, Joined, concat
from torchtf.data._parallel import Calls
from torchtf.data._plan import Failed, Order, Stage, UnaryStage, block_size
from torchtf.data._threads import at_most

# memory for the results of one call: enough to hide what a call costs, and near what caches hold;
# elements that no cache holds come in calls as long as most batches, which then are no copies
_CALL_BYTES = 1 << 22
_LARGE = 1 << 17
_CALL_BYTES_OF_LARGE = 1 << 25

# how long a thread may work on the elements that it is given at once, and for results of what size
_TASK_SECONDS = 0.05
_TASK_BYTES = 1 << 25


class MapStage(UnaryStage):
    """`function` of the elements of a stage, in their order.

    Args:
        function: a `Function`, or what has its methods.
        workers: how many calls may be under way at once.
        ordered: whether results of parallel calls keep the order of the elements.
        scope: makes a context to enter for each call in a thread.
    """

    def __init__(
        self, source: Stage, function, workers: int, ordered: bool = True, scope=nullcontext
    ):
        super().__init__(source)
        self.pure = source.pure and function.pure
        self.count = source.count if self.pure else None
        self._function = function
        # calls that change variables must come one after another
        self._workers = 1 if function.writes else workers
        self._large = structure.element_bytes(function.spec) > _LARGE and not function.offloads
        budget = _CALL_BYTES_OF_LARGE if self._large else _CALL_BYTES
        self._longest = block_size(function.spec, budget)
        self._threaded = False
        self._seconds: float | None = None  # that an element takes in a thread
        self._timed = 0  # how many tasks that was measured on
        self._asked = 1  # the most elements that the reader asked for
        self._results: deque[Chunk | Exception] = deque()  # of threads, to be given out
        self._failed = Failed()
        self._rest: Chunk | None = None  # elements behind one that failed
        self._settings = ordered, scope
        self._calls = Calls(self._workers, "map", ordered, scope)

    def reordered(self, order: Order) -> Stage:
        source = self.source.reordered(order)
        return MapStage(source, self._function, self._workers, *self._settings)

    def next(self, n):
        self._failed.check()
        if self._results or self._calls or self._prefers_threads(n):
            return self._next_of_threads(n)
        chunk = self._input(min(n, self._longest))
        if chunk is None:
            return None
        if self._large:
            return self._one_by_one(chunk)
        failure = None
        try:
            began = time.perf_counter()
            known = self._function.vectorizes
            result = self._function.call_chunk(chunk)
            if result is not None:
                if known:  # the first call compiles
                    seconds = time.perf_counter() - began
                    self._function.costs["chunks"] = seconds / chunk.size
                return result
        except Exception as e:
            failure = e
        result = self._one_by_one(chunk)
        if failure is not None and result.size == chunk.size:
            self._function.go_one_by_one()
        return result

    def _input(self, n) -> Chunk | None:
        chunk, self._rest = self._rest, None
        return chunk if chunk is not None else self.source.next(n)

    def _one_by_one(self, chunk: Chunk) -> Chunk:
        done = self._joined(chunk.size)
        for i, row in enumerate(chunk.rows()):
            try:
                done.add(self._function.call(row))
            except Exception as e:
                if i + 1 < chunk.size:
                    self._rest = chunk.slice(i + 1, chunk.size)
                if not done.size:
                    raise
                self._failed.keep(e)
                break
        return done.chunk()

    def _joined(self, room: int) -> Joined:
        return Joined(room, len(structure.flatten(self._function.spec)))

    @property
    def where(self) -> str:
        if any(o.in_processes for o in self._function.offloads):
            return f"in {self._workers} processes"
        return f"in {self._workers} threads" if self._threaded else ""

    # -- threads

    def _prefers_threads(self, n) -> bool:
        function = self._function
        if self._workers == 1:
            return False
        if function.vectorizes is False:
            return True
        if not function.calls_host or function.offloads:
            return False
        if n == 1 or self._large:
            return True
        costs = function.costs
        if len(costs) < 2:
            return "chunks" in costs
        return costs["threads"] < costs["chunks"]

    def _next_of_threads(self, n):
        """Keeps the threads busy with the elements ahead; gives results out in order."""
        self._threaded = True
        self._asked = max(self._asked, n)
        found, room = [], n
        self._submit(n)
        while room and (self._results or self._calls):
            if not self._results:
                self._collect()
                self._submit(n)
                continue
            result = self._results.popleft()
            if isinstance(result, Exception):
                if not found:
                    raise result
                self._results.appendleft(result)
                break
            if result.size > room:
                self._results.appendleft(result.slice(room, result.size))
                result = result.slice(0, room)
            found.append(result)
            room -= result.size
        with at_most(1):  # the cores are busy, and a second team would wait for them
            return concat(found) if found else None

    def _submit(self, n):
        if not self._prefers_threads(n):
            return  # the calls under way are the last
        while self._calls.room:
            size = self._elements_per_task()
            try:
                chunk = self._input(self._calls.room if size == 1 else size)
            except Exception as e:
                self._calls.add_error(e)
                return
            if chunk is None:
                return
            for i in range(0, chunk.size, size):
                self._calls.add(self._run, chunk.slice(i, i + size))

    def _elements_per_task(self) -> int:
        """How many elements a thread is given at once.

        A part of what the reader asks for at a time, so that few results have to be joined.
        """
        if self._seconds is None or not self.pure:
            return 1
        most = min(
            self._asked, _TASK_SECONDS / self._seconds,
            _TASK_BYTES / structure.element_bytes(self._function.spec),
        )  # fmt: skip
        parts = math.ceil(self._asked / max(most, 1))
        return math.ceil(self._asked / parts)

    def _run(self, chunk: Chunk) -> tuple[list[Chunk | Exception], float]:
        """The results for some elements, with errors between them, and the seconds for each."""
        began = time.perf_counter()
        results = self._results_for(chunk)
        return results, (time.perf_counter() - began) / chunk.size

    def _results_for(self, chunk: Chunk) -> list[Chunk | Exception]:
        failed = False
        if self._function.vectorizes and not self._large:
            try:
                result = self._function.call_chunk(chunk)
                if result is not None:
                    return [result]
            except Exception:
                failed = True  # the element to blame shows below, if there is one
        results: list[Chunk | Exception] = []
        done = self._joined(chunk.size)
        for i, row in enumerate(chunk.rows(), 1):
            try:
                done.add(self._function.call(row))
            except Exception as e:
                if done.size:
                    results.append(done.chunk())
                    done = self._joined(chunk.size - i)
                results.append(e)
        if done.size:
            results.append(done.chunk())
        if failed and not any(isinstance(r, Exception) for r in results):
            self._function.go_one_by_one()
        return results

    def _collect(self):
        """Takes the results of the next task."""
        try:
            results, seconds = self._calls.result()
        except Exception as e:  # the input's
            self._results.append(e)
            return
        self._results.extend(results)
        known = self._seconds
        self._seconds = seconds if known is None else known + (seconds - known) / 8
        self._timed += 1
        if self._timed >= 8 * self._workers:
            self._function.costs["threads"] = self._seconds / self._workers

    def close(self):
        self._calls.close()
        super().close()
