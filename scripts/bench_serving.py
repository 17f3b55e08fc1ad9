"""Time the model server: requests a second and their latency, over REST and gRPC.

The server is a process of its own, with and without batching; clients are threads of this one,
which share its cores. A request is one row of an MLP (784-256-256-10). The floor is the same
network called in PyTorch, row by row, in one thread. Printed are requests a second, and the median
and 99th percentile of the latency in milliseconds; the turns of the cases alternate.

    python scripts/bench_serving.py --concurrency 1 8 --seconds 2 --rounds 3
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

BATCHING = (
    "max_batch_size { value: 32 } batch_timeout_micros { value: 1000 } "
    "num_batch_threads { value: 2 }"
)
SIZES = (784, 256, 256, 10)
PATH = "/v1/models/mlp:predict"


def network() -> torch.nn.Sequential:
    """The model, as one writes it in PyTorch."""
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    for size_in, size_out in itertools.pairwise(SIZES):
        layers += [torch.nn.Linear(size_in, size_out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).eval()


def save(folder: Path) -> None:
    """Writes the SavedModel of the network."""
    import export

    signature = export.Signature(
        "serving_default", network(), [("x", "float32", [None, SIZES[0]])], ["y"]
    )
    export.export_saved_model(signature, folder, options=export.Options(quiet=True))


class Server:
    """The server, until it is closed."""

    def __init__(self, folder: Path, *flags: str):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "torchtf.serving", "--port=-1", "--rest_api_port=-1",
             "--model_name=mlp", f"--model_base_path={folder}", *flags],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stderr is not None
        lines = []
        for line in self._process.stderr:
            lines.append(line)
            if "Serving gRPC at" in line:
                self.grpc_port = int(line.partition("0.0.0.0:")[2].partition(",")[0])
                self.rest_port = int(line.partition("localhost:")[2].partition("/")[0])
                return
        raise RuntimeError("the server did not start:\n" + "".join(lines))

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate()


def rest_client(server: Server) -> Callable[[], object]:
    """A function that makes one request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port)
    row = np.random.default_rng(0).random(SIZES[0], dtype=np.float32).round(4)
    body = json.dumps({"instances": [row.tolist()]})

    def call():
        connection.request("POST", PATH, body)
        reply = connection.getresponse()
        content = reply.read()
        if reply.status != 200:
            raise RuntimeError(content)

    return call


def grpc_client(server: Server) -> Callable[[], object]:
    """The same over gRPC."""
    import grpc

    import torchtf as tf
    from torchtf.tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    channel = grpc.insecure_channel(
        f"127.0.0.1:{server.grpc_port}", [("grpc.use_local_subchannel_pool", 1)]
    )
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)  # type: ignore[attr-defined]
    request = predict_pb2.PredictRequest()  # type: ignore[attr-defined]
    request.model_spec.name = "mlp"
    row = np.random.default_rng(0).random((1, SIZES[0]), dtype=np.float32)
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(row))
    return lambda: stub.Predict(request)


def floor_client() -> Callable[[], object]:
    """The network itself."""
    model, row = network(), torch.rand(1, SIZES[0])

    @torch.inference_mode()
    def call():
        return model(row).numpy()

    return call


def load(clients: list[Callable[[], object]], seconds: float) -> tuple[float, list[float]]:
    """Requests a second, and the latency of each, of clients that ask all the time."""
    latencies: list[list[float]] = [[] for _ in clients]
    begin = threading.Barrier(len(clients) + 1)

    def ask(client: Callable[[], object], mine: list[float]) -> None:
        client()
        begin.wait()
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end:
            client()
            mine.append(time.perf_counter() - start)

    threads = [
        threading.Thread(target=ask, args=pair) for pair in zip(clients, latencies, strict=True)
    ]
    for thread in threads:
        thread.start()
    begin.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    found = [x for mine in latencies for x in mine]
    return len(found) / (time.perf_counter() - start), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as scratch:
        base, batching = Path(scratch, "mlp"), Path(scratch, "batching.config")
        save(base / "1")
        batching.write_text(BATCHING)
        servers = {
            "": Server(base),
            "batching": Server(base, "--enable_batching", f"--batching_parameters_file={batching}"),
        }
        try:
            cases: dict[str, list[Callable[[], object]]] = {"torch, 1 thread": [floor_client()]}
            for count, (name, make), (flag, server) in itertools.product(
                arguments.concurrency,
                (("REST", rest_client), ("gRPC", grpc_client)),
                servers.items(),
            ):
                label = f"{name}, {count} client{'s' if count > 1 else ''} {flag}".strip()
                cases[label] = [make(server) for _ in range(count)]
            rates: dict[str, list[float]] = {label: [] for label in cases}
            latencies: dict[str, list[float]] = {label: [] for label in cases}
            for _ in range(arguments.rounds):
                for label, clients in cases.items():
                    rate, found = load(clients, arguments.seconds)
                    rates[label].append(rate)
                    latencies[label] += found
        finally:
            for server in servers.values():
                server.close()
    print(f"{'':28}{'requests/s':>12}{'median ms':>12}{'99 % ms':>12}")
    for label in cases:
        ordered = sorted(latencies[label])
        late = ordered[int(len(ordered) * 0.99)]
        print(
            f"{label:28}{statistics.median(rates[label]):12.0f}"
            f"{statistics.median(ordered) * 1e3:12.2f}{late * 1e3:12.2f}"
        )


if __name__ == "__main__":
    main()
