"""`ParameterServerStrategy`: asynchronous training, the variables on servers of their own.

Built on gRPC (see `_rpc`). The chief runs the program; workers and servers run `Server` and wait
for calls. A worker that dies may be started again at its address; the values on a server
that dies are lost.
"""

from __future__ import annotations

import contextlib
import itertools

from torchtf.core import variable as variables
from torchtf.core.convert import to_torch
from torchtf.distribute import _context, _rpc
from torchtf.distribute._remote_variable import RemoteVariable, place
from torchtf.distribute._strategy import Strategy
from torchtf.distribute.cluster_resolver import ClusterSpec


class Server:
    """A task of a cluster that waits for calls (source: `tf.distribute.Server`).

    Args:
        server_or_cluster_def: the cluster.
        job_name: the job of this task.
        task_index: its index.
        protocol: only "grpc".
        config: not supported.
        start: whether to answer calls at once.

    Raises:
        ValueError: if the cluster has no such task.
        RuntimeError: if its address is taken.
    """

    def __init__(
        self, server_or_cluster_def, job_name=None, task_index=None, protocol=None, config=None,
        start=True,
    ):  # fmt: skip
        if config is not None:
            raise NotImplementedError("tf.distribute.Server(config=...) is not supported")
        if protocol not in (None, "grpc"):
            raise ValueError(f"protocol must be 'grpc', got {protocol!r}")
        self._spec = ClusterSpec(server_or_cluster_def)
        jobs = self._spec.jobs
        if job_name is None and len(jobs) != 1:
            raise ValueError("Must specify an explicit `job_name`: the cluster has several jobs")
        self._job = job_name or jobs[0]
        self._index = 0 if task_index is None else task_index
        self._spec.task_address(self._job, self._index)  # raises for a task that is not there
        if start:
            self.start()

    @property
    def target(self) -> str:
        return f"grpc://{self._spec.task_address(self._job, self._index)}"

    def start(self) -> None:
        """Answers calls from now on."""
        _rpc.join(self._spec, self._job, self._index)

    def join(self) -> None:
        """Answers calls until the process is stopped."""
        self.start()
        _rpc.serve_until_stopped()


class ParameterServerStrategy(Strategy):
    """Training by workers that do not wait for each other (source: same name in TF).

    Args:
        cluster_resolver: describes a cluster with jobs `chief`, `worker` and `ps`.
        variable_partitioner: divides variables among the servers; by default each lives on one.

    Raises:
        ValueError: if the cluster lacks workers or servers.
    """

    def __init__(self, cluster_resolver, variable_partitioner=None):
        self._resolver = cluster_resolver
        spec = cluster_resolver.cluster_spec()
        for job in ("worker", "ps"):
            if job not in spec.jobs:
                raise ValueError(f"Cluster must have at least one {job}: {spec.as_dict()}")
        self._partitioner = variable_partitioner
        self._servers = spec.task_indices("ps")
        self._workers = [_rpc.name_of("worker", i) for i in spec.task_indices("worker")]
        self._next_server = itertools.count()
        job = cluster_resolver.task_type or "chief"
        _rpc.join(spec, job, cluster_resolver.task_id or 0)
        super().__init__(("/job:chief/replica:0/task:0/device:CPU:0",))

    @property
    def cluster_resolver(self):
        return self._resolver

    def scope(self):
        return _ServerScope(self, super().scope())

    def create_variable(self, initial_value=None, trainable=None, **kwargs) -> RemoteVariable:
        """A variable on the servers; takes the arguments of `tf.Variable`."""
        with _plain_variables():
            local = variables.Variable(initial_value, trainable=trainable, **kwargs)
        value = to_torch(local)
        shards = 1
        if self._partitioner is not None and value.dim():
            shards = self._partitioner(tuple(value.shape), local.dtype)[0]
        count = len(self._servers)
        start = next(self._next_server) % count if shards == 1 else 0
        servers = [self._servers[(start + i) % count] for i in range(count)]
        return RemoteVariable.make(
            place(value, servers, shards), value.dtype, tuple(value.shape), local.name,
            local.trainable, local.constraint,
        )  # fmt: skip

    def __reduce__(self):
        return worker_strategy, ()


class _ServerScope:
    """A scope in which `tf.Variable` makes variables on the servers."""

    def __init__(self, strategy, scope):
        self._strategy = strategy
        self._scope = scope

    def __enter__(self):
        variables.creators.append(self._strategy.create_variable)
        return self._scope.__enter__()

    def __exit__(self, *exc):
        self._scope.__exit__(*exc)
        variables.creators.pop()


@contextlib.contextmanager
def _plain_variables():
    """Within it `tf.Variable` makes ordinary variables."""
    saved = list(variables.creators)
    variables.creators.clear()
    try:
        yield
    finally:
        variables.creators.extend(saved)


def worker_strategy():
    """What the strategy is on a worker: one replica."""
    return _context.get_strategy()
