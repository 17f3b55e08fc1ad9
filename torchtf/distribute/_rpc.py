"""Tasks of a cluster that call each other, over gRPC as TensorFlow's do.

* Each task is named after its job and index ("ps0") and answers calls at its address. gRPC, not
  `torch.distributed.rpc`: a group of the latter is fixed when it is made, while here a task that
  died and was started again is simply back at its address.
* A call carries a function and its arguments, with cloudpickle, so that both may be defined in the
  program itself. Whoever can reach a task's port can run code there, as in TensorFlow: keep the
  ports of a cluster to itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

import cloudpickle
import grpc
from torch.utils._python_dispatch import _disable_current_modes

from torchtf.core import errors
from torchtf.core.remote import OPTIONS
from torchtf.distribute.cluster_resolver import ClusterSpec

_METHOD = "/torchtf.Task/Call"
_THREADS = 32
# seconds that a call waits for a task that has not come up yet
PATIENCE = 600.0
# seconds between two tries to reach a task
_PAUSE = 0.05

_ORDER = ("chief", "master", "worker", "ps")


class TaskLostError(errors.UnavailableError):
    """The task of a call died or cannot be reached."""


class _Cluster:
    own: str | None = None
    addresses: dict[str, str] = {}
    channels: dict[str, Callable] = {}
    lock = threading.Lock()


def name_of(job: str, index: int) -> str:
    return f"{job}{index}"


def join(spec: ClusterSpec, job: str, index: int) -> None:
    """Takes part in the cluster as one of its tasks; workers and servers answer calls from now on.

    Raises:
        ValueError: if the cluster has no such task.
        RuntimeError: if its address is taken.
    """
    if _Cluster.own is not None:
        return
    jobs = [j for j in _ORDER if j in spec.jobs]
    _Cluster.addresses = {
        name_of(j, i): spec.task_address(j, i) for j in jobs for i in spec.task_indices(j)
    }
    name = name_of(job, index)
    if name not in _Cluster.addresses:
        raise ValueError(f"The cluster {spec.as_dict()} has no task {index} of job {job!r}")
    if job in ("worker", "ps"):
        _serve(_Cluster.addresses[name])
    _Cluster.own = name


def _serve(address: str) -> None:
    host, _, port = address.rpartition(":")
    local = host in ("localhost", "127.0.0.1", "::1", "[::1]")
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=OPTIONS)
    server.add_generic_rpc_handlers((_Handler(),))
    server.add_insecure_port(address if local else f"[::]:{port}")
    server.start()
    _servers.append(server)


_servers: list = []  # gRPC stops a server that nobody holds


class _Handler(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method != _METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(_answer)


def _answer(request: bytes, context) -> bytes:
    """Runs the function of a call; what it raises is part of the answer."""
    try:
        function, args = cloudpickle.loads(request)
        return cloudpickle.dumps((True, function(*args)))
    except Exception as error:
        if isinstance(error, TaskLostError):  # another task than this one
            error = errors.UnavailableError(None, None, error.message)
        try:
            return cloudpickle.dumps((False, error))
        except Exception:
            return cloudpickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


def own_name() -> str | None:
    """The name of this task, once it has joined."""
    return _Cluster.own


def serve_until_stopped() -> None:
    """Keeps the process answering calls; it ends when it is stopped."""
    threading.Event().wait()


def call(task: str, function: Callable, *args) -> Any:
    """Runs a function on a task and returns its result. A task that has not come up is waited for.

    Raises:
        TaskLostError: if the task died or does not come up.
        Exception: what the function raised.
    """
    if task == _Cluster.own:
        return function(*args)
    if task not in _seen:
        wait_for(task, PATIENCE)
    return _invoke(task, (function, args))


_seen: set[str] = set()


def wait_for(task: str, seconds: float | None = None) -> None:
    """Returns when a task answers.

    Raises:
        TaskLostError: if it does not within some seconds; None waits for ever.
    """
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        left = None if end is None else max(0.0, end - time.monotonic())
        try:
            _invoke(task, (own_name, ()), wait_for_ready=True, timeout=left)
        except TaskLostError as error:
            # gRPC waits for a connection, but gives up a call whose connection breaks: the one to a
            # task that just died looks whole until it is used
            if error.__cause__.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            time.sleep(_PAUSE)
        else:
            _seen.add(task)
            return


def _invoke(task: str, request: tuple, **options) -> Any:
    try:
        with _disable_current_modes():  # a trace may be under way: what travels is real
            answer = _channel(task)(cloudpickle.dumps(request), **options)
            fine, result = cloudpickle.loads(answer)
    except grpc.RpcError as error:
        raise TaskLostError(None, None, f"{task} is lost: {error.details()}") from error
    if fine:
        return result
    raise result


def _channel(task: str) -> Callable:
    with _Cluster.lock:
        if task not in _Cluster.channels:
            channel = grpc.insecure_channel(_Cluster.addresses[task], options=OPTIONS)
            _Cluster.channels[task] = channel.unary_unary(_METHOD)
        return _Cluster.channels[task]
