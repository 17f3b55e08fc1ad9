"""Running a user's function over a stream of elements: on chunks, one by one, or in threads.

* Chunks, if the function can be vectorized. ATen's kernels use several threads by themselves.
* Else one element after another, in threads if the user asked for parallel calls.
* Python functions that are declared to be without side effects may go to worker processes, from
  either of these (see `_processes`).
* A function that calls Python on the host (decoding, parsing) can go both ways; with parallel calls
  both are timed, and the faster one is taken from then on.
"""

from __future__ import annotations

import time
from contextlib import nullcontext

from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk, chunk_of
from torchtf.data._parallel import Calls
from torchtf.data._plan import Failed, Order, Stage, UnaryStage, block_size

# memory for the results of one vectorized call: enough to hide what a call costs, and near what
# caches hold; elements that no cache holds come in calls as long as most batches, which then are
# no copies
_CALL_BYTES = 1 << 22
_LARGE = 1 << 17
_CALL_BYTES_OF_LARGE = 1 << 25


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
        large = structure.element_bytes(function.spec) > _LARGE
        self._longest = block_size(function.spec, _CALL_BYTES_OF_LARGE if large else _CALL_BYTES)
        self._threaded = False
        self._failed = Failed()
        self._rest: Chunk | None = None  # elements behind one that failed
        self._settings = ordered, scope
        self._calls = Calls(self._workers, "map", ordered, scope)

    def reordered(self, order: Order) -> Stage:
        source = self.source.reordered(order)
        return MapStage(source, self._function, self._workers, *self._settings)

    def next(self, n):
        self._failed.check()
        if self._calls or self._prefers_threads(n):
            return self._next_of_threads(n)
        chunk = self._input(min(n, self._longest))
        if chunk is None:
            return None
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
        rows = []
        for i, row in enumerate(chunk.rows()):
            try:
                rows.append(self._function.call(row))
            except Exception as e:
                if i + 1 < chunk.size:
                    self._rest = chunk.slice(i + 1, chunk.size)
                if not rows:
                    raise
                self._failed.keep(e)
                break
        return self._chunk(rows)

    def _chunk(self, rows) -> Chunk:
        return chunk_of(rows, len(structure.flatten(self._function.spec)))

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
        if n == 1:
            return True
        costs = function.costs
        if len(costs) < 2:
            return "chunks" in costs
        return costs["threads"] < costs["chunks"]

    def _next_of_threads(self, n):
        """Keeps the threads busy with the elements ahead; gives results out in order."""
        rows = []
        self._threaded = True
        self._submit(n)
        while self._calls and len(rows) < n:
            try:
                rows.append(self._calls.result())
            except Exception as e:
                if not rows:
                    raise
                self._failed.keep(e)
                break
            self._submit(n)
        seconds = self._calls.seconds_per_call()
        if seconds is not None:
            self._function.costs["threads"] = seconds
        if not rows:
            return None
        # in a thread of the pool, whose kernels leave the cores to the other calls
        return self._calls.submit(self._chunk, rows).result()

    def _submit(self, n):
        if not self._prefers_threads(n):
            return  # the calls under way are the last
        while room := self._calls.room:
            try:
                chunk = self._input(room)
            except Exception as e:
                self._calls.add_error(e)
                return
            if chunk is None:
                return
            for row in chunk.rows():
                self._calls.add(self._function.call, row)

    def close(self):
        self._calls.close()
        super().close()
