"""`MultiWorkerMirroredStrategy`: several machines, a process for each replica."""

from __future__ import annotations

import enum

from torchtf.distribute import _group
from torchtf.distribute._buckets import Packing
from torchtf.distribute._strategy import Strategy
from torchtf.distribute.cluster_resolver import TFConfigClusterResolver
from torchtf.distribute.mirrored import _kind


class CommunicationImplementation(enum.Enum):
    """Which library carries the collectives."""

    AUTO = "AUTO"
    RING = "RING"
    NCCL = "NCCL"


class CommunicationOptions:
    """Options of collectives (source: `tf.distribute.experimental.CommunicationOptions`).

    Args:
        bytes_per_pack: the size of a bucket of gradients; 0 leaves it to us.
        timeout_seconds: how long a collective may take.
        implementation: AUTO, RING (gloo) or NCCL.

    Raises:
        ValueError: for a negative size or an unknown implementation.
    """

    def __init__(
        self,
        bytes_per_pack: int = 0,
        timeout_seconds=None,
        implementation=CommunicationImplementation.AUTO,
    ):
        if bytes_per_pack < 0:
            raise ValueError(f"Argument `bytes_per_pack` must be >=0, Received {bytes_per_pack}.")
        if isinstance(implementation, str):
            implementation = CommunicationImplementation(implementation.upper())
        if not isinstance(implementation, CommunicationImplementation):
            raise ValueError(
                "Argument `implementation` must be instance of "
                "`tf.distribute.experimental.CommunicationImplementation`."
            )
        self.bytes_per_pack = bytes_per_pack
        self.timeout_seconds = timeout_seconds
        self.implementation = implementation

    @property
    def packing(self) -> Packing:
        return (
            Packing(self.bytes_per_pack, self.bytes_per_pack) if self.bytes_per_pack else Packing()
        )


_BACKENDS = {
    CommunicationImplementation.AUTO: None,
    CommunicationImplementation.RING: "gloo",
    CommunicationImplementation.NCCL: "nccl",
}


class MultiWorkerMirroredStrategy(Strategy):
    """Synchronous training on several machines (source: same name in TF).

    The cluster comes from torchrun's environment, or else from TF_CONFIG: one process for each
    worker, the chief (or worker 0) being rank 0. Without either there is one worker.

    Args:
        cluster_resolver: where the cluster is described; TF_CONFIG by default.
        communication_options: which library carries the collectives.

    Raises:
        ValueError: if several workers are to use NCCL and there is no GPU, or if the task is not
            one of the cluster's.
    """

    mirrors = True

    def __init__(self, cluster_resolver=None, communication_options=None):
        self._resolver = cluster_resolver or TFConfigClusterResolver()
        self._options = communication_options or CommunicationOptions()
        backend = _BACKENDS[self._options.implementation]
        launched = _group.launched()
        addresses, rank = ([], 0) if launched else self._cluster()
        several = launched or len(addresses) > 1
        if several and backend == "nccl" and _kind() == "CPU":
            raise ValueError(
                "CommunicationImplementation.NCCL needs GPUs, and there are none; use AUTO or RING."
            )
        group = None
        if launched:
            group = _group.join(backend=backend, timeout=self._options.timeout_seconds)
        elif several:
            group = _group.join(
                rank, len(addresses), f"tcp://{addresses[0]}", backend,
                self._options.timeout_seconds,
            )  # fmt: skip
        size = group.size if group is not None else 1
        job = "worker" if group is not None else "localhost"
        devices = tuple(f"/job:{job}/replica:0/task:{i}/device:{_kind()}:0" for i in range(size))
        super().__init__(devices, group, self._options.packing)

    def _cluster(self) -> tuple[list[str], int]:
        """The addresses of the training tasks, rank 0 first, and the rank of this one."""
        spec = self._resolver.cluster_spec()
        tasks = [
            (job, i, spec.task_address(job, i))
            for job in ("chief", "worker")
            if job in spec.jobs
            for i in spec.task_indices(job)
        ]
        own = self._resolver.task_type or "worker", self._resolver.task_id or 0
        if not tasks:
            return [], 0
        ranks = [(job, i) for job, i, _ in tasks]
        if own not in ranks:
            raise ValueError(f"The task {own} is not one of the cluster's training tasks {ranks}")
        return [address for _, _, address in tasks], ranks.index(own)

    @property
    def cluster_resolver(self):
        return self._resolver
