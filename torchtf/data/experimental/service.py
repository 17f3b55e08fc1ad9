"""`tf.data.experimental.service`: a dataset's elements made by other processes, over gRPC.

A dispatcher knows datasets, jobs and workers; workers run the datasets; consumers read from the
workers. Servers may live in the program's process, or each in one of its own:

```python
dispatcher = tf.data.experimental.service.DispatchServer(
    tf.data.experimental.service.DispatcherConfig(port=5050))
dispatcher.join()
```

Servers listen on all interfaces without asking who calls, as TensorFlow's do, and a worker runs the
functions of the datasets that it is sent: keep their ports to the cluster. A worker needs the
modules that the functions of a dataset import.
"""

from __future__ import annotations

import atexit
import contextlib
import enum
import threading
import weakref
from collections import namedtuple
from collections.abc import Callable
from typing import Any

from torchtf.core import errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.tensor import Tensor, is_tensor_type
from torchtf.data import _storage as storage
from torchtf.data._dataset import Dataset, integer
from torchtf.data._options import AutoShardPolicy, Options
from torchtf.data._service import _plans, client
from torchtf.data._service.dispatcher import Dispatcher
from torchtf.data._service.worker import Worker

__all__ = [
    "CrossTrainerCache", "DispatchServer", "DispatcherConfig", "ShardingPolicy", "WorkerConfig",
    "WorkerServer", "distribute", "from_dataset_id", "register_dataset",
]  # fmt: skip


class ShardingPolicy(enum.IntEnum):
    """How workers share a dataset out (source: `tf.data.experimental.service.ShardingPolicy`).

    * `OFF`: not at all: each worker makes all elements. One that joins late, or is started again,
      begins with the first.
    * `DYNAMIC`: each element once. A worker gets the next piece of a source when it needs one:
      files one by one, also other strings; numbers in memory up to 1 MB, or 4096
      elements, at a time. What a lost
      worker had is missing.
    * `FILE`, `DATA`, `FILE_OR_DATA`: each worker of the dispatcher's `worker_addresses` makes its
      share of the files, of the elements, or of the elements where the files cannot be shared out.
    * `HINT`: a worker's numbers come in place of `shard(SHARD_HINT, SHARD_HINT)`.
    """

    OFF = _plans.OFF
    DYNAMIC = _plans.DYNAMIC
    FILE = _plans.FILE
    DATA = _plans.DATA
    FILE_OR_DATA = _plans.FILE_OR_DATA
    HINT = _plans.HINT


class CrossTrainerCache:
    """Lets trainers read the same elements of one job (source: `CrossTrainerCache`).

    A worker keeps the last elements, up to 1 GiB. A trainer gets them in order; one that is further
    behind goes on with the oldest that are left. It takes an infinite dataset and a `job_name`.

    Args:
        trainer_id: names the trainer; consumers of one trainer share its elements out.

    Raises:
        ValueError: if `trainer_id` is empty.
    """

    def __init__(self, trainer_id):
        if not trainer_id:
            raise ValueError("tf.data service cross-trainer cache requires a non-empty trainer ID.")
        self.trainer_id = trainer_id


# -- servers


def _milliseconds(value):
    """A time of a configuration: 0 stands for a default there, so it is made 1, and None 0."""
    return 1 if value == 0 else value or 0


class DispatcherConfig(
    namedtuple(
        "DispatcherConfig",
        "port protocol work_dir fault_tolerant_mode worker_addresses job_gc_check_interval_ms "
        "job_gc_timeout_ms worker_timeout_ms worker_max_concurrent_snapshots",
    )
):
    """The configuration of a dispatcher (source: `DispatcherConfig`).

    Args:
        port: where it listens; 0 for any free port.
        protocol: "grpc".
        work_dir: a folder for its state.
        fault_tolerant_mode: whether it keeps a journal there, so that one that is started again
            with the same folder and port goes on. What is answered for survives the process; a
            machine that loses power may lose the last moments.
        worker_addresses: the workers that static sharding needs, in order: "host", "host:port" or
            "host:%port%" for any port.
        job_gc_check_interval_ms: how often unused jobs are looked for; 10 minutes.
        job_gc_timeout_ms: for how long a job may have no consumers; 5 minutes, -1 for ever.
        worker_timeout_ms: after what silence a worker is lost; 1 minute.
        worker_max_concurrent_snapshots: how many datasets a worker saves at once; 1.
    """

    __slots__ = ()

    def __new__(
        cls, port=0, protocol=None, work_dir=None, fault_tolerant_mode=False,
        worker_addresses=None, job_gc_check_interval_ms=None, job_gc_timeout_ms=None,
        worker_timeout_ms=None, worker_max_concurrent_snapshots=0,
    ):  # fmt: skip
        return super().__new__(
            cls, port, protocol or "grpc", work_dir, fault_tolerant_mode, worker_addresses,
            _milliseconds(job_gc_check_interval_ms), _milliseconds(job_gc_timeout_ms),
            worker_timeout_ms, worker_max_concurrent_snapshots,
        )  # fmt: skip


class WorkerConfig(
    namedtuple(
        "WorkerConfig",
        "dispatcher_address worker_address port protocol heartbeat_interval_ms "
        "dispatcher_timeout_ms data_transfer_protocol data_transfer_address",
    )
):
    """The configuration of a worker (source: `WorkerConfig`).

    Args:
        dispatcher_address: "host:port".
        worker_address: how others reach it; `%port%` stands for its port.
        port: where it listens; 0 for any free port.
        protocol: "grpc".
        heartbeat_interval_ms: how often it reports to the dispatcher; 5 seconds.
        dispatcher_timeout_ms: for how long it tries to reach the dispatcher; an hour.
        data_transfer_protocol: None, "grpc" or "local".
        data_transfer_address: how consumers reach it, if that protocol is "grpc"; `%dts_port%`
            stands for its port.
    """

    __slots__ = ()

    def __new__(
        cls, dispatcher_address, worker_address=None, port=0, protocol=None,
        heartbeat_interval_ms=None, dispatcher_timeout_ms=None, data_transfer_protocol=None,
        data_transfer_address=None,
    ):  # fmt: skip
        if worker_address is None:
            worker_address = "localhost:%port%"
        if data_transfer_address is None:
            data_transfer_address = "localhost:%dts_port%"
        return super().__new__(
            cls, dispatcher_address, worker_address, port, protocol or "grpc",
            _milliseconds(heartbeat_interval_ms), _milliseconds(dispatcher_timeout_ms),
            data_transfer_protocol, data_transfer_address,
        )  # fmt: skip


# Servers end before the interpreter does: its threads stop anywhere.
_running: weakref.WeakSet[_Server] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    for kind in (WorkerServer, DispatchServer):
        for server in list(_running):
            if isinstance(server, kind):
                server.stop()


class _Server:
    """A server that is started, joined and stopped; it also stops when nobody holds it."""

    _made: Any = None

    def __init__(self, config, start: bool):
        self._config = config
        self._ended = threading.Event()
        if config.protocol != "grpc":
            raise RuntimeError(_no_protocol(config.protocol))
        if start:
            self.start()

    def _make(self):
        raise NotImplementedError

    def start(self) -> None:
        """Starts the server; one that runs goes on.

        Raises:
            RuntimeError: if it was stopped before, or its port is taken.
        """
        if self._ended.is_set():
            raise RuntimeError("Server cannot be started after it has been stopped.")
        if self._made is None:
            self._made = self._make()
            _running.add(self)

    def join(self) -> None:
        """Returns when the server has been stopped."""
        self._ended.wait()

    def stop(self) -> None:
        """Stops the server: it answers no more."""
        self._stop()

    def _stop(self) -> None:
        if not self._ended.is_set():
            self._ended.set()
            if self._made is not None:
                self._made.stop()
            _running.discard(self)

    def __del__(self):
        # one that failed to be made has nothing to stop
        with contextlib.suppress(AttributeError):
            self._stop()

    @property
    def _port(self) -> int:
        return 0 if self._made is None else self._made.port

    @property
    def _address(self) -> str:
        return f"localhost:{self._port}"


class DispatchServer(_Server):
    """A dispatcher in this process (source: `tf.data.experimental.service.DispatchServer`).

    Args:
        config: a `DispatcherConfig`; the default one if left out.
        start: whether to start it.

    Raises:
        ValueError: in fault-tolerant mode without a `work_dir`.
        RuntimeError: for another protocol than "grpc", or if the port is taken.
    """

    def __init__(self, config=None, start=True):
        config = config or DispatcherConfig()
        if config.fault_tolerant_mode and not config.work_dir:
            raise ValueError(
                "Cannot enable fault tolerant mode without configuring a work dir. Make sure to "
                "set `work_dir` in the `config` object passed to `DispatcherServer`."
            )
        super().__init__(config, start)

    def _make(self):
        return Dispatcher(self._config)

    @property
    def target(self) -> str:
        """What `distribute` and its like take as the service, "grpc://localhost:port"."""
        return f"{self._config.protocol}://{self._address}"

    def _num_workers(self) -> int:
        return 0 if self._made is None else self._made.workers


class WorkerServer(_Server):
    """A worker in this process (source: `tf.data.experimental.service.WorkerServer`).

    Args:
        config: a `WorkerConfig`.
        start: whether to start it. It waits for its dispatcher.

    Raises:
        ValueError: without the address of a dispatcher.
        RuntimeError: for another protocol than "grpc", or if the port is taken.
        UnavailableError: if the dispatcher does not answer within `dispatcher_timeout_ms`.
    """

    def __init__(self, config, start=True):
        if config.dispatcher_address is None:
            raise ValueError(
                "Must specify a `dispatcher_address` in the `config` passed to `WorkerServer`."
            )
        super().__init__(config, start)

    def _make(self):
        return Worker(self._config)

    def _num_tasks(self) -> int:
        return 0 if self._made is None else self._made.tasks


# -- datasets


def _policy(processing_mode) -> ShardingPolicy:
    if isinstance(processing_mode, ShardingPolicy):
        return processing_mode
    if processing_mode == "parallel_epochs":
        return ShardingPolicy.OFF
    if processing_mode == "distributed_epoch":
        return ShardingPolicy.DYNAMIC
    raise ValueError(
        "tf.data service processing mode should be a "
        '`tf.data.experimental.service.ShardingPolicy`, `"parallel_epochs"`, or '
        f'`"distributed_epoch"`. Got {processing_mode!r}.'
    )


def _no_protocol(protocol) -> str:
    return (
        f"No credentials factory has been registered for protocol {protocol}. The available types "
        "are: [ grpc ]"
    )


def _address_of(service) -> str:
    """The dispatcher's address, of "[protocol://]address" or (protocol, address)."""
    if isinstance(service, tuple):
        protocol, address = service
    elif not isinstance(service, str):
        raise ValueError(
            f"`service` must be a string, but `service` was of type {type(service)}. "
            f"service={service}"
        )
    elif not service:
        raise ValueError("`service` must not be empty")
    else:
        parts = service.split("://")
        if len(parts) > 2:
            raise ValueError(f"Malformed `service` string has multiple '://': {service}.")
        protocol, address = ("grpc", *parts)[-2:]
    if protocol != "grpc":
        raise errors.NotFoundError(None, None, _no_protocol(protocol))
    return address


def _check_compression(compression) -> None:
    known = ["AUTO", None, "SNAPPY"]
    if compression not in known:
        raise ValueError(f"Invalid `compression` argument: {compression}. Must be one of {known}.")
    if compression == "SNAPPY":
        raise NotImplementedError(
            "compression='SNAPPY' is not supported by the tf.data service: elements travel as they "
            "are. Use 'AUTO' or None."
        )


def _check_job_name(job_name) -> None:
    if job_name is None:
        return
    if not isinstance(job_name, str):
        raise ValueError(
            f"`job_name` must be a string, but `job_name` was of type {type(job_name)}. "
            f"job_name={job_name}"
        )
    if not job_name:
        raise ValueError("`job_name` must not be empty")


def _described(dataset: Dataset) -> dict:
    """What a dispatcher has to know of a dataset."""
    spec = dataset.element_spec
    try:
        packed = storage.pack_spec(spec)
    except NotImplementedError:
        packed = None
    return {
        "spec": packed,
        "structure": repr(spec),
        "cardinality": dataset._node.cardinality(),
        "splits": _plans.splits_of(dataset),
    }


def register_dataset(service, dataset, compression="AUTO", dataset_id=None) -> Tensor:
    """Makes a dataset known to the service, for `from_dataset_id` in this program or another.

    Args:
        service: "[grpc://]host:port" of the dispatcher, or ("grpc", "host:port").
        dataset: the dataset. The functions in it travel with what they close over, and workers
            trace them anew.
        compression: "AUTO" or None; elements travel as they are.
        dataset_id: an id to use. If there is such a dataset, it is kept.

    Returns:
        A scalar string tensor, the id; that of an equal dataset if there is one.

    Raises:
        InvalidArgumentError: if the dataset with that id has other elements.
        NotImplementedError: if the dataset cannot be pickled.
        UnavailableError: if no dispatcher answers for 10 minutes.
    """
    _check_compression(compression)
    address = _address_of(service)
    if is_tensor_type(dataset_id):
        dataset_id = _text(dataset_id)
    head = {"meta": _described(dataset), "id": dataset_id}
    answer, _ = _ask(address, "RegisterDatasetV2", "Register", head, _plans.dump(dataset))
    return convert_to_tensor(answer["id"])


def _ask(address: str, op: str, method: str, head: dict, body: bytes = b""):
    """A single call of a dispatcher; what it raises is the error of TensorFlow's op."""
    channel = client.dispatcher_at(address)
    try:
        return channel.call(method, head, body, patience=client.PATIENCE)
    except errors.OpError as error:
        raise errors.of_kernel(op, error.message, None, kind=type(error)) from None
    finally:
        channel.close()


def _text(dataset_id) -> str:
    value = dataset_id.numpy() if is_tensor_type(dataset_id) else dataset_id
    return value.decode() if isinstance(value, bytes) else str(value)


def from_dataset_id(
    processing_mode, service, dataset_id, element_spec=None, job_name=None, consumer_index=None,
    num_consumers=None, max_outstanding_requests=None, data_transfer_protocol=None,
    cross_trainer_cache=None, target_workers="AUTO",
) -> Dataset:  # fmt: skip
    """The elements that the service makes of a registered dataset; see `distribute`.

    Args:
        processing_mode, service: as in `distribute`.
        dataset_id: what `register_dataset` gave.
        element_spec: the spec of the elements; the service is asked if it is left out.
        job_name: names a job of this dataset.
        consumer_index, num_consumers, max_outstanding_requests, data_transfer_protocol,
            cross_trainer_cache, target_workers: as in `distribute`.

    Raises:
        ValueError: if there is no such dataset, and no `element_spec`.
        NotFoundError: if there is no such dataset.
    """
    _check_job_name(job_name)
    if job_name is not None:
        job_name = f"dataset_id={_text(dataset_id)}/{job_name}"
    return _read(
        processing_mode, service, dataset_id, element_spec, job_name, consumer_index,
        num_consumers, max_outstanding_requests, data_transfer_protocol, cross_trainer_cache,
        target_workers,
    )  # fmt: skip


def _read(
    processing_mode, service, dataset_id, element_spec, job_name, consumer_index, num_consumers,
    max_outstanding_requests, data_transfer_protocol, cross_trainer_cache, target_workers,
) -> Dataset:  # fmt: skip
    policy, address, id = _policy(processing_mode), _address_of(service), _text(dataset_id)
    if num_consumers is not None and job_name is None:
        raise ValueError(
            "`job_name` must be set when setting `num_consumers`. num_consumers was set to "
            f"{num_consumers}."
        )
    if (consumer_index is None) != (num_consumers is None):
        raise ValueError(
            "Must either set both `consumer_index` and `num_consumers`, or neither. "
            f"consumer_index={consumer_index}, num_consumers={num_consumers}"
        )
    op = "DataServiceDatasetV4"
    most = integer(max_outstanding_requests, "max_outstanding_requests", -1)
    if most < -1 or most == 0:
        raise errors.of_kernel(op, "max_outstanding_requests must be positive or -1")
    target = str(target_workers).upper()
    if target not in ("AUTO", "ANY", "LOCAL"):
        raise errors.of_kernel(op, f"Unrecognized target workers: {target_workers}")
    if target == "LOCAL" and num_consumers is not None:
        raise errors.of_kernel(
            op, 'Coordinated reads require non-local workers, but `target_workers` is "LOCAL".'
        )
    try:
        meta, _ = _ask(address, op, "Describe", {"dataset": id})
    except errors.NotFoundError:
        if element_spec is not None:
            raise
        meta = {"spec": None}
    if element_spec is None:
        if meta["spec"] is None:
            raise ValueError(
                f"Failed to fetch element spec for dataset id {id} from tf.data service. If the "
                "dataset was registered in graph mode or inside a tf.function, the `element_spec` "
                "must be specified as an argument to `from_dataset_id`."
            )
        element_spec = storage.unpack_spec(meta["spec"])
    settings = {
        "policy": int(policy),
        "num_consumers": None if num_consumers is None else integer(num_consumers, "num_consumers"),
        "target_workers": target,
        "cache": cross_trainer_cache is not None,
    }
    options = Options()
    if job_name is not None:  # consumers of a job share it out
        options.experimental_distribute.auto_shard_policy = AutoShardPolicy.OFF
    node = client.Service(
        element_spec, address, id, meta["cardinality"], job_name, settings,
        consumer=None if consumer_index is None else integer(consumer_index, "consumer_index"),
        most=None if most == -1 else most,
        transfer=data_transfer_protocol,
        trainer=cross_trainer_cache and str(cross_trainer_cache.trainer_id),
    )  # fmt: skip
    dataset = Dataset(node)
    return dataset if job_name is None else dataset.with_options(options)


def distribute(
    processing_mode, service, job_name=None, consumer_index=None, num_consumers=None,
    max_outstanding_requests=None, data_transfer_protocol=None, compression="AUTO",
    cross_trainer_cache=None, target_workers="AUTO",
) -> Callable[[Dataset], Dataset]:  # fmt: skip
    """Moves the steps before it to the workers of a service (source: `distribute`).

    ```python
    dataset = dataset.apply(tf.data.experimental.service.distribute(
        processing_mode="distributed_epoch", service="grpc://localhost:5050"))
    ```

    Each iteration is one of a job: without a `job_name`, of its own. Elements come from all
    workers as they are ready, those of one worker in order; the others are read from when one dies.
    An error of the dataset is raised with its class and message, and names the worker.

    Args:
        processing_mode: a `ShardingPolicy`, "parallel_epochs" (OFF) or "distributed_epoch"
            (DYNAMIC).
        service: "[grpc://]host:port" of the dispatcher, or ("grpc", "host:port").
        job_name: consumers with the same name, in whatever program, share the elements out, first
            come, first served: those of their first iteration, of their second, and so on.
        consumer_index, num_consumers: for consumers in step: each reads one element of each round
            of `num_consumers` successive elements of a worker. It takes a `job_name` and an
            infinite dataset.
        max_outstanding_requests: how many elements may be asked for or wait here at once.
        data_transfer_protocol: how elements come: "grpc"; "local", from workers in this process;
            the quicker one that is possible if left out.
        compression: "AUTO" or None; elements travel as they are.
        cross_trainer_cache: a `CrossTrainerCache`, to share elements with other trainers.
        target_workers: "LOCAL" to read from the workers in this process alone; "AUTO", "ANY".

    Raises:
        ValueError: for arguments that make no sense.
        NotImplementedError: if the dataset cannot be pickled.
        UnavailableError: if no dispatcher answers for 10 minutes, or, while iterating, if it has
            no workers for that long.
    """
    _check_job_name(job_name)
    policy = _policy(processing_mode)
    _check_compression(compression)

    def apply(dataset: Dataset) -> Dataset:
        return _read(
            policy, service, register_dataset(service, dataset, compression),
            dataset.element_spec, job_name, consumer_index, num_consumers,
            max_outstanding_requests, data_transfer_protocol, cross_trainer_cache, target_workers,
        )  # fmt: skip

    return apply


def _distributed_save(dataset, path, data_service_address, compression) -> None:
    if not isinstance(data_service_address, str):
        raise ValueError(
            f"`data_service_address` must be a string, but is a {type(data_service_address)} "
            f"({data_service_address}"
        )
    if not data_service_address:
        raise ValueError("`data_service_address` must not be empty")
    meta = _described(dataset)
    meta["spec"] = storage.pack_spec(dataset.element_spec)
    head = {
        "path": _text(convert_to_tensor(path)), "meta": meta,
        "compression": storage._compression(compression),
    }  # fmt: skip
    address = _address_of(data_service_address)
    _ask(address, "DistributedSave", "Save", head, _plans.dump(dataset))
