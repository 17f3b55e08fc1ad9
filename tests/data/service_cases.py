"""What a program sees of the tf.data service, with either module; see `test_service.py`.

TensorFlow's servers may wait for ever when they are stopped, so this runs in a process of its own
that just ends.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.data.compare import describe, plain


class Cluster:
    """A dispatcher and workers in this process."""

    def __init__(self, module, workers: int = 2, heartbeat: int = 100, **config):
        self.service = module.data.experimental.service
        self.heartbeat = heartbeat
        self.dispatcher = self.service.DispatchServer(self.service.DispatcherConfig(**config))
        self.address = self.dispatcher.target.split("://")[1]
        self.workers = [self.worker() for _ in range(workers)]

    def worker(self, **config):
        return self.service.WorkerServer(
            self.service.WorkerConfig(self.address, heartbeat_interval_ms=self.heartbeat, **config)
        )

    def distribute(self, mode, **settings):
        return self.service.distribute(mode, self.dispatcher.target, **settings)

    def stop(self):
        for server in [*self.workers, self.dispatcher]:
            server._stop()


def without_numbers(text: str) -> str:
    """A message without what differs from run to run."""
    text = re.sub(r"localhost:\d+", "localhost:PORT", text)
    text = re.sub(r"(Dataset|V2):\d+ transformation", r"\1:N transformation", text)
    return re.sub(r"with id \w+", "with id N", text)


def outcome(module, cluster, make, mode, **settings):
    """What a program sees of a distributed dataset: the elements in some order, or the error."""
    try:
        dataset = make(module).apply(cluster.distribute(mode, **settings))
        elements = sorted((plain(x) for x in dataset), key=repr)
    except Exception as error:
        kind, text = describe(error)
        return kind, without_numbers(text)
    return repr(dataset.element_spec), int(dataset.cardinality()), elements


def files(module, folder):
    return module.data.TextLineDataset([str(folder / f"{i}.txt") for i in range(3)])


PIPELINES = {
    "range": lambda m: m.data.Dataset.range(10),
    "map": lambda m: m.data.Dataset.range(10).map(lambda x: x * x),
    "filter": lambda m: m.data.Dataset.range(10).filter(lambda x: x % 3 == 0),
    "repeat": lambda m: m.data.Dataset.range(4).repeat(3),
    "concatenate": lambda m: m.data.Dataset.range(4).concatenate(m.data.Dataset.range(6)),
    "tensors": lambda m: m.data.Dataset.from_tensors([1, 2]),
    "strings": lambda m: m.data.Dataset.from_tensor_slices({"a": ["x", "y"], "b": [1.0, 2.0]}),
    "flat_map": lambda m: m.data.Dataset.range(4).flat_map(m.data.Dataset.range),
    "generator": lambda m: m.data.Dataset.from_generator(
        lambda: iter(range(3)), output_signature=m.TensorSpec([], m.int64)
    ),
    "cache": lambda m: m.data.Dataset.range(5).cache().repeat(2),
    "empty": lambda m: m.data.Dataset.range(0),
    "division": lambda m: m.data.Dataset.range(10).map(lambda x: 10 // (x - 5)),
}  # fmt: skip


MODES = ["distributed_epoch", "parallel_epochs"]
POLICIES = ["FILE", "DATA", "FILE_OR_DATA", "HINT", "DYNAMIC", "OFF"]


ARGUMENTS = [
    {"mode": "abc"},
    {"compression": "abc"},
    {"job_name": 3},
    {"job_name": ""},
    {"num_consumers": 2},
    {"target_workers": "abc"},
    {"max_outstanding_requests": 0},
    {"max_outstanding_requests": -5},
    {"max_outstanding_requests": 1},
    {"data_transfer_protocol": "abc"},
    {"mode": "parallel_epochs", "job_name": "in step", "consumer_index": 0, "num_consumers": 1},
]


def static(module, cluster, policy, target, folder):
    """The elements by a sharding policy; of errors, the class."""
    hint = module.data.experimental.SHARD_HINT
    numbers = module.data.Dataset.range(10)
    mode = cluster.service.ShardingPolicy[policy]
    found = []
    for dataset in (numbers, numbers.shard(hint, hint), files(module, folder)):
        kind, *rest = outcome(module, cluster, lambda m, d=dataset: d, mode, target_workers=target)
        found.append([kind, *rest] if len(rest) == 2 else kind)
    return found


def servers(module, cluster):
    """What servers, their configurations and ids look like, and how they are refused."""
    s = cluster.service
    data, spec = module.data.Dataset.range(3), module.TensorSpec([], module.int64)
    target = cluster.dispatcher.target
    stopped = s.DispatchServer(start=False)
    before = stopped.target
    stopped.start()
    stopped.start()
    stopped._stop()
    stopped.join()
    known = [plain(s.register_dataset(target, data, dataset_id="mine")) for _ in range(2)]
    save = module.data.experimental.distributed_save
    calls = [
        lambda: s.DispatchServer(s.DispatcherConfig(fault_tolerant_mode=True)),
        lambda: s.WorkerServer(s.WorkerConfig(None)),
        stopped.start,
        lambda: s.CrossTrainerCache(""),
        lambda: s.register_dataset(target, data.batch(2), dataset_id="mine"),
        lambda: s.from_dataset_id("parallel_epochs", target, "none"),
        lambda: s.from_dataset_id("parallel_epochs", target, "none", spec),
        *(lambda x=x: s.register_dataset(x, data) for x in (3, "", "a://b://c", "abc://a:1")),
        lambda: save(data, "/nowhere/x", cluster.address),
        lambda: save(data, "/nowhere/x", ""),
        lambda: save(data, "/nowhere/x", 3),
    ]
    return [
        before, repr(s.DispatcherConfig()), repr(s.WorkerConfig("a:1", port=3)),
        repr(s.DispatcherConfig(job_gc_timeout_ms=0, worker_addresses=["a"])),
        known, [(p.name, int(p)) for p in s.ShardingPolicy],
        repr(data.apply(cluster.distribute("parallel_epochs"))),
        [refused(call) for call in calls],
    ]  # fmt: skip


def refused(call):
    try:
        return repr(call())
    except Exception as error:
        kind, text = describe(error)
        # the two words what differs in their own way
        return kind, without_numbers(text).split(" with different element_spec")[0]


def shared(module, cluster):
    """Two consumers of a job."""
    data = module.data.Dataset.range(200)
    datasets = [data.apply(cluster.distribute("distributed_epoch", job_name="b")) for _ in "ab"]
    first, second = map(iter, datasets)
    got = [[int(next(first)), int(next(second))] for _ in range(5)]
    rest = [*map(int, first), *map(int, second)]
    late = list(data.apply(cluster.distribute("distributed_epoch", job_name="b")))
    again = sorted(map(int, datasets[0]))
    other = outcome(module, cluster, lambda m: data, "parallel_epochs", job_name="b")[0]
    return sorted([x for pair in got for x in pair] + rest), late, again, other


def in_step(module, cluster, consumers=2, steps=6):
    """What each consumer reads, step by step."""
    data = module.data.Dataset.range(1000).repeat()
    iterators = [
        iter(
            data.apply(
                cluster.distribute(
                    "parallel_epochs", job_name="steps", consumer_index=i, num_consumers=consumers
                )
            )
        )
        for i in range(consumers)
    ]
    # a round may begin when all ask for it
    with ThreadPoolExecutor(consumers) as pool:
        read = pool.map(lambda iterator: [int(next(iterator)) for _ in range(steps)], iterators)
        return list(read)


def python_error(module, cluster):
    def failing(x):
        raise KeyError("boo")

    data = module.data.Dataset.range(3).map(
        lambda x: module.py_function(failing, [x], module.int64)
    )
    kind, text = outcome(module, cluster, lambda m: data, "distributed_epoch")
    return kind, "KeyError: 'boo'" in text


def main() -> None:
    module = importlib.import_module(sys.argv[1])
    cluster = Cluster(module)
    for i in range(3):
        Path(f"{i}.txt").write_text(f"a{i}\nb{i}\n")
    listed = Cluster(module, worker_addresses=["localhost:%port%", "localhost"])
    data = cluster.service.ShardingPolicy.DATA
    calls = {
        f"{name}, {mode}": partial(outcome, module, cluster, make, mode)
        for name, make in PIPELINES.items()
        for mode in MODES
    }
    for policy in POLICIES:
        for target in ("AUTO", "LOCAL"):
            calls[f"{policy}, {target}"] = partial(
                static, module, listed, policy, target, Path.cwd()
            )
    for arguments in ARGUMENTS:
        settings = {"mode": "distributed_epoch", **arguments}
        calls[str(arguments)] = partial(outcome, module, cluster, PIPELINES["range"], **settings)
    for function in (servers, shared, in_step, python_error):
        calls[function.__name__] = partial(function, module, cluster)
    calls["no list"] = partial(outcome, module, cluster, PIPELINES["range"], data)
    # each takes TensorFlow a second or more, in which it waits
    with ThreadPoolExecutor(16) as pool:
        found = dict(zip(calls, pool.map(lambda call: call(), calls.values()), strict=True))
    kind, text = found["no list"]
    found["no list"] = kind, "is not in the workers list. Got workers list ." in text
    print("RESULT " + json.dumps(found, default=bytes.decode), flush=True)
    os._exit(0)


NAMES = [
    *(f"{name}, {mode}" for name in PIPELINES for mode in MODES),
    *(f"{policy}, {target}" for policy in POLICIES for target in ("AUTO", "LOCAL")),
    *map(str, ARGUMENTS), "servers", "shared", "in_step", "python_error", "no list",
]  # fmt: skip
