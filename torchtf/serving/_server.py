"""`ModelServer`: all parts of a server, from its options."""

from __future__ import annotations

import logging
import threading

import torch

from torchtf.core import errors
from torchtf.serving import _config
from torchtf.serving._batching import Batcher, Single
from torchtf.serving._core import Core, run_threads
from torchtf.serving._grpc import GrpcServer
from torchtf.serving._manager import Manager
from torchtf.serving._metrics import DEFAULT_PATH
from torchtf.serving._options import Options
from torchtf.serving._rest import Rest, RestServer

_log = logging.getLogger("torchtf.serving")
# seconds for which requests under way may go on when the server ends
_GRACE = 30.0


class ModelServer:
    """A model server, as ``python -m torchtf.serving`` starts it. A context: it ends with it.

    Args:
        options: its flags.

    Attributes:
        port, rest_port: where it listens for gRPC and for HTTP/REST; 0 if it does not.
        addresses: the same, to read.

    Raises:
        tf.errors.OpError: for a configuration that makes no sense, or a model of which no version
            loads.
        OSError, RuntimeError: for an address that is taken.
    """

    def __init__(self, options: Options):
        parameters = _batching_parameters(options)
        self._metrics_path = _metrics_path(options)
        config = _models(options)
        _config.check_models(config)
        if not (options.port or options.grpc_socket_path or options.rest_api_port):
            raise _config.invalid("neither --port, --grpc_socket_path nor --rest_api_port is set")
        if options.rest_api_port > 0 and options.rest_api_port == options.port:
            raise _config.invalid("--rest_api_port must be different from --port")
        threads = options.tensorflow_intra_op_parallelism or options.tensorflow_session_parallelism
        if threads:
            torch.set_num_threads(threads)
        self._options = options
        self._manager = Manager(
            options.file_system_poll_wait_seconds,
            options.max_num_load_retries,
            options.load_retry_interval_micros / 1e6,
            options.allow_version_labels_for_unavailable_models,
            options.saved_model_tags.split(","),
        )
        self._config = config
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._manager.reload(config)
        batches = parameters is not None
        self._runner = Batcher(parameters) if batches else Single(run_threads(options))
        self.core = Core(self._manager, self._runner, options)
        self._servers: list[GrpcServer | RestServer] = []
        self.port = self.rest_port = 0
        self.addresses: list[str] = []
        try:
            self._listen(options)
        except BaseException:
            self.close(0)
            raise
        self._manager.start()
        if options.model_config_file and options.model_config_file_poll_wait_seconds > 0:
            self._threads.append(
                threading.Thread(target=self._watch_config, name="config", daemon=True)
            )
            self._threads[-1].start()

    def _listen(self, options: Options) -> None:
        if options.port or options.grpc_socket_path:
            over_grpc = GrpcServer(self.core, options)
            self._servers.append(over_grpc)
            over_grpc.start()
            self.port = over_grpc.port
            self.addresses += [f"gRPC at {a}" for a in over_grpc.addresses]
        if options.rest_api_port:
            cors = options.rest_api_enable_cors_support
            rest = Rest(self.core, options.rest_api_timeout_in_ms / 1e3, cors, self._metrics_path)
            port = max(options.rest_api_port, 0)
            over_http = RestServer(rest, port, options.rest_api_num_threads)
            over_http.start()
            self._servers.append(over_http)
            self.rest_port = over_http.port
            self.addresses.append(f"HTTP/REST at http://localhost:{self.rest_port}/v1/models")

    def _watch_config(self) -> None:
        while not self._closing.wait(self._options.model_config_file_poll_wait_seconds):
            try:
                config = _config.read_models(self._options.model_config_file)
                if config != self._config:
                    self._manager.reload(config)
                    self._config = config
                    _log.info(
                        "Serving the models of the changed %s", self._options.model_config_file
                    )
            except errors.OpError as error:
                _log.error("The models stay as they are: %s", error)

    def close(self, grace_seconds: float = _GRACE) -> None:
        """Takes no more requests, answers those under way, and ends."""
        self._closing.set()
        for server in self._servers:
            server.close(grace_seconds)
        self._manager.close()
        for thread in self._threads:
            thread.join()
        self._runner.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def _models(options: Options):
    if options.model_config_file:
        return _config.read_models(options.model_config_file)
    if not options.model_base_path:
        raise _config.invalid("Both model_base_path and model_config_file are empty!")
    return _config.single_model(options.model_name or "default", options.model_base_path)


def _metrics_path(options: Options) -> str:
    """Where the metrics are told; "" for nowhere."""
    if not options.monitoring_config_file:
        return ""
    config = _config.read_monitoring(options.monitoring_config_file).prometheus_config
    return (config.path or DEFAULT_PATH) if config.enable else ""


def _batching_parameters(options: Options):
    """The parameters of batching; None if requests are not joined."""
    if not options.enable_batching:
        if options.batching_parameters_file:
            raise _config.invalid("--batching_parameters_file is set without --enable_batching")
        return None
    if options.batching_parameters_file:
        return _config.read_batching(options.batching_parameters_file)
    return _config.BatchingParameters()
