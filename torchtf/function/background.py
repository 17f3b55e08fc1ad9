"""Background compilation: hot graphs become machine code while the plain ones go on running.

* A graph is *hot* when it has run for `PATIENCE` times as long as compiling it is expected to take,
  so that a compilation costs at most a few percent of what the program has spent anyway. There is
  one compilation at a time, in a process of its own at the lowest priority; it ends with ours.
* The compiled graph then takes every other call until both have run `_ROUNDS` times on the
  program's own inputs. No call runs twice, so effects happen once. The faster one stays.
* Calls that a tape records, and inputs laid out in another way than those it was compiled for, go
  to the plain graph. A failure anywhere (no compiler, an op that Inductor lacks) leaves it there.
* An error in compiled code is the program's own if the plain graph fails on these inputs, too: that
  words it, as it would have without a compiler. Otherwise the compiled code is given up.
* A size that the signature leaves open stays open in the compiled code.
* The compiler is in a session of its own, so that Ctrl-C ends or interrupts the program alone.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence

import torch

from torchtf.function import jit
from torchtf.function.spelled_out import spelled_out

# how many times as long as its compilation a graph must have run, and what that is expected to take
PATIENCE = 20.0
_SECONDS, _SECONDS_PER_NODE = 10.0, 0.05
_ROUNDS = 8  # calls of each version that are compared
_GAIN = 0.95  # the compiled graph must take less than this share of the plain one's time

_EXIT_WAIT = 5.0  # seconds that the end of the program waits for compiled code that is being loaded

_turn = threading.Lock()  # one compilation at a time
_running: dict[subprocess.Popen, str] = {}  # compiler processes and their folders
_workers: set[threading.Thread] = set()
_ending = False  # of the program


def expected_seconds(module: torch.fx.GraphModule) -> float:
    """How long the compilation of a graph is expected to take."""
    return _SECONDS + _SECONDS_PER_NODE * len(module.graph.nodes)


class Watched:
    """A graph as it runs until it is known whether compiled code is faster.

    Args:
        module: the traced graph.
        plain: the function that runs it.
        settle: takes the function that is to run it from now on.
        compiler: makes compiled code of a graph and the inputs of a call; may take as long as it
            likes and raise anything.
    """

    def __init__(
        self,
        module: torch.fx.GraphModule,
        plain: Callable,
        settle: Callable[[Callable], None],
        compiler: Callable | None = None,
    ):
        self._module = module
        self._plain = plain
        self._settle = settle
        self._compiler = compiler or compile_in_process
        self._patience = PATIENCE * expected_seconds(module)
        self._spent = 0.0
        self._compiled: Callable | None = None
        self._layout: list = []
        self._times: dict[bool, list[float]] = {False: [], True: []}
        self._final: Callable | None = None

    def __call__(self, *inputs):
        if self._final is not None:
            return self._final(*inputs)
        if torch.is_grad_enabled():
            return self._plain(*inputs)
        if self._compiled is not None:
            return self._compare(inputs)
        start = time.perf_counter()
        results = self._plain(*inputs)
        self._spent += time.perf_counter() - start
        if self._spent > self._patience and self._varies(inputs):
            self._patience = float("inf")
            self._begin(inputs)
        return results

    def _varies(self, inputs) -> bool:
        """Whether no open size is one that the compiler takes for fixed: zero or one."""
        axes = _open(self._module)
        return all(
            x.shape[i] > 1 for x, open_axes in zip(inputs, axes, strict=True) for i in open_axes
        )

    def _begin(self, inputs) -> None:
        shapes = [(tuple(x.shape), x.stride(), x.dtype, x.device) for x in inputs]
        worker = threading.Thread(target=self._work, args=(shapes,), daemon=True)
        try:
            worker.start()
        except RuntimeError:  # no more threads, or the interpreter is shutting down
            self._end_with(self._plain)

    def _work(self, shapes: list) -> None:
        worker = threading.current_thread()
        _workers.add(worker)
        try:
            with _turn:
                compiled = self._compiler(self._module, shapes)
            self._layout = [
                _Layout(*s, o) for s, o in zip(shapes, _open(self._module), strict=True)
            ]
            self._compiled = compiled
        except Exception:
            self._end_with(self._plain)
        finally:
            _workers.discard(worker)

    def _end_with(self, run: Callable) -> None:
        self._final = run
        self._settle(run)

    def _compare(self, inputs):
        """Runs one of the two versions; settles when enough is known."""
        fits = all(p.fits(x) for p, x in zip(self._layout, inputs, strict=True))
        turn = fits and len(self._times[True]) < len(self._times[False])
        cuda = any(x.is_cuda for x in inputs)
        if cuda:
            torch.cuda.synchronize()
        start = time.perf_counter()
        if turn:
            try:
                results = self._compiled(*inputs)
            except Exception:
                results = self._plain(*inputs)
                self._end_with(self._plain)
                return results
        else:
            results = self._plain(*inputs)
        if cuda:
            torch.cuda.synchronize()
        self._times[turn].append(time.perf_counter() - start)
        if len(self._times[True]) >= _ROUNDS or len(self._times[False]) >= 10 * _ROUNDS:
            self._decide()
        return results

    def _decide(self) -> None:
        plain, compiled = (sorted(self._times[which]) for which in (False, True))
        faster = compiled and compiled[len(compiled) // 2] < _GAIN * plain[len(plain) // 2]
        guarded = _Guarded(self._compiled, self._plain, self._layout, self._end_with)
        self._end_with(guarded if faster else self._plain)


class _Layout:
    """The memory layout that an input must have for compiled code."""

    def __init__(self, shape, stride, dtype, device, open_axes: Sequence[int]):
        self._stride = stride
        self._open = open_axes
        self._contiguous = not shape or stride == torch.empty(shape, device="meta").stride()

    def fits(self, x: torch.Tensor) -> bool:
        if self._open:  # sizes of zero and one are special to the compiler
            shape = x.shape
            return x.is_contiguous() and all(shape[axis] > 1 for axis in self._open)
        return x.is_contiguous() if self._contiguous else x.stride() == self._stride


class _Guarded:
    """Compiled code with the plain graph for the calls that it is not made for.

    `settle` takes what is to run from now on if the compiled code fails where the graph does not.
    """

    def __init__(self, compiled, plain, layout, settle):
        self._compiled = compiled
        self._plain = plain
        self._layout = layout
        self._settle = settle

    def __call__(self, *inputs):
        if torch.is_grad_enabled():
            return self._plain(*inputs)
        for part, x in zip(self._layout, inputs, strict=True):
            if not part.fits(x):
                return self._plain(*inputs)
        try:
            return self._compiled(*inputs)
        except Exception:
            results = self._plain(*inputs)
            self._settle(self._plain)
            return results


def _open(module: torch.fx.GraphModule) -> list[list[int]]:
    """For each input of a graph, the axes whose size is open."""
    found = []
    for node in module.graph.nodes:
        if node.op == "placeholder":
            sizes = node.meta["val"].shape
            found.append([i for i, s in enumerate(sizes) if not isinstance(s, int)])
    return found


# -- compiling in a process


def compile_in_process(module: torch.fx.GraphModule, shapes: list) -> Callable:
    """Compiles a graph ahead of time with Inductor, in a process of its own.

    Args:
        module: the traced graph.
        shapes: (shape, stride, dtype, device) of each input.

    Raises:
        RuntimeError: if that fails.
    """
    if _ending or not jit.compiler_exists():
        raise RuntimeError("the program ends" if _ending else "there is no C++ compiler")
    folder = tempfile.mkdtemp(prefix="torchtf-jit-")
    try:
        job, package = os.path.join(folder, "job.pt"), os.path.join(folder, "graph.pt2")
        torch.save((_Source(spelled_out(module)), shapes, _open(module)), job)
        command = [sys.executable, "-m", __name__, job, package, str(os.getpid())]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(
            command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        ) as process:
            _running[process] = folder
            try:
                code = process.wait()
            finally:
                _running.pop(process, None)
        if code != 0:
            raise RuntimeError(f"the compiler process ended with {code}")
        loader = torch._inductor.aoti_load_package(package).loader
        return lambda *inputs: loader.run(list(inputs))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@atexit.register
def _stop() -> None:
    """Ends what is under way: a thread in C++ code must not meet the end of the interpreter."""
    global _ending
    _ending = True
    for process, folder in list(_running.items()):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with the C++ compiler that it may have started
        shutil.rmtree(folder, ignore_errors=True)
    deadline = time.monotonic() + _EXIT_WAIT
    for worker in list(_workers):
        worker.join(max(0.0, deadline - time.monotonic()))


def _forget() -> None:
    """In a fork: neither the compiler nor the thread that waits for it is this process'."""
    global _turn
    _turn = threading.Lock()
    _running.clear()
    _workers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class _Source(torch.nn.Module):
    """A graph as the text of its function.

    Unlike a `GraphModule` it is not traced again where it arrives; torch.fx traces no control flow.
    """

    def __init__(self, module: torch.fx.GraphModule):
        super().__init__()
        _, (state, imports) = module.__reduce__()
        self.source = imports + state["_code"]
        for node in module.graph.find_nodes(op="get_attr"):
            value = getattr(module, node.target)
            if isinstance(value, torch.fx.GraphModule):
                value = _Source(value)
            if isinstance(value, torch.Tensor) and not isinstance(value, torch.nn.Parameter):
                self.register_buffer(node.target, value)
            else:
                setattr(self, node.target, value)

    def forward(self, *inputs):
        names: dict = {}
        exec(self.source, names)
        return names["forward"](self, *inputs)


class _Positional(torch.nn.Module):
    """A graph that returns a tuple, as `torch.export` wants it."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, *inputs):
        return tuple(self.body(*inputs))


def _end_with_parent(parent: int, folder: str) -> None:
    """Ends this process when the one that started it is gone, however that ended."""
    while os.getppid() == parent:
        time.sleep(1.0)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _main(job: str, package: str, parent: str) -> None:
    """What the compiler's process does."""
    watch = (int(parent), os.path.dirname(job))
    threading.Thread(target=_end_with_parent, args=watch, daemon=True).start()
    import torch._higher_order_ops.triton_kernel_wrap  # graphs cannot be loaded without it

    os.nice(19)
    module, shapes, open_axes = torch.load(job, weights_only=False)
    inputs = tuple(
        torch.empty_strided(shape, stride, dtype=dtype, device=device).zero_()
        for shape, stride, dtype, device in shapes
    )
    dynamic = tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) or None for axes in open_axes)
    with torch.no_grad():
        program = torch.export.export(
            _Positional(module), inputs, dynamic_shapes=(dynamic,), strict=False
        )
        options = {"fallback_random": True, "compile_threads": 1}
        torch._inductor.aoti_compile_and_package(
            program, package_path=package, inductor_configs=options
        )


if __name__ == "__main__":
    _main(*sys.argv[1:])
