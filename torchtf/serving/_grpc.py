"""The gRPC interface: PredictionService and ModelService."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import grpc

from torchtf.core import errors
from torchtf.serving import _config
from torchtf.serving._core import Core, Deadline, failure_of
from torchtf.serving._options import Options
from torchtf.tensorflow_serving.apis.model_pb2 import ModelSpec
from torchtf.tensorflow_serving.apis.model_service_pb2_grpc import (
    ModelServiceServicer,
    add_ModelServiceServicer_to_server,
)
from torchtf.tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceServicer,
    add_PredictionServiceServicer_to_server,
)

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_UNLIMITED = -1


def _answering(context, answer, *arguments):
    """What `answer` gives; its error as the status of the call."""
    try:
        return answer(*arguments)
    except Exception as error:
        failure = failure_of(error)
        context.abort(_CODES[failure.error_code], failure.message)


class _Prediction(PredictionServiceServicer):
    def __init__(self, core: Core):
        self._core = core

    def _infer(self, method: str, spec, context, answer, request):
        """The answer to what runs a model, which the metrics count."""
        start, code = time.monotonic(), errors.OK
        try:
            return answer(request, Deadline(context.time_remaining()))
        except Exception as error:
            failure = failure_of(error)
            code = failure.error_code
            context.abort(_CODES[code], failure.message)
        finally:
            seconds = time.monotonic() - start
            self._core.metrics.record(spec.name, method, "GRPC", code, seconds)

    def Predict(self, request, context):
        return self._infer("Predict", request.model_spec, context, self._core.predict, request)

    def Classify(self, request, context):
        return self._infer("Classify", request.model_spec, context, self._core.classify, request)

    def Regress(self, request, context):
        return self._infer("Regress", request.model_spec, context, self._core.regress, request)

    def MultiInference(self, request, context):
        spec = request.tasks[0].model_spec if request.tasks else ModelSpec()
        return self._infer("MultiInference", spec, context, self._core.multi_inference, request)

    def GetModelMetadata(self, request, context):
        return _answering(context, self._core.metadata, request)


class _Models(ModelServiceServicer):
    def __init__(self, core: Core):
        self._core = core

    def GetModelStatus(self, request, context):
        return _answering(context, self._core.status, request)

    def HandleReloadConfigRequest(self, request, context):
        return _answering(context, self._core.reload, request)


class GrpcServer:
    """Serves `core` over gRPC.

    Args:
        core: what answers.
        options: ports, threads, keys.

    Attributes:
        addresses: where it can be reached.

    Raises:
        RuntimeError: if an address is taken.
        tf.errors.OpError: for a file of keys that cannot be read.
    """

    def __init__(self, core: Core, options: Options):
        arguments = [
            ("grpc.max_send_message_length", _UNLIMITED),
            ("grpc.max_receive_message_length", _UNLIMITED),
            ("grpc.so_reuseport", 0),  # a second server at the port would take half of the calls
            *_arguments(options.grpc_channel_arguments),
        ]
        pool = ThreadPoolExecutor(options.grpc_max_threads, "grpc")
        self._server = grpc.server(pool, options=arguments)
        add_PredictionServiceServicer_to_server(_Prediction(core), self._server)
        add_ModelServiceServicer_to_server(_Models(core), self._server)
        self.addresses: list[str] = []
        self.port = 0
        if options.port:
            address = f"0.0.0.0:{max(options.port, 0)}"
            self.port = self._add(address, options.ssl_config_file)
            self.addresses.append(f"0.0.0.0:{self.port}")
        if options.grpc_socket_path:
            address = f"unix:{options.grpc_socket_path}"
            self._add(address, options.ssl_config_file)
            self.addresses.append(address)

    def _add(self, address: str, keys: str) -> int:
        if not keys:
            return self._server.add_insecure_port(address)
        config = _config.read_ssl(keys)
        credentials = grpc.ssl_server_credentials(
            [(config.server_key.encode(), config.server_cert.encode())],
            config.custom_ca.encode() or None,
            config.client_verify,
        )
        return self._server.add_secure_port(address, credentials)

    def start(self) -> None:
        """Answers calls from now on."""
        self._server.start()

    def close(self, seconds: float) -> None:
        """Takes no more calls, and waits until those under way are answered."""
        self._server.stop(seconds).wait()


def _arguments(text: str) -> list[tuple[str, int | str]]:
    found: list[tuple[str, int | str]] = []
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise _config.invalid(f"--grpc_channel_arguments: {part!r} is not key=value")
        try:
            found.append((key, int(value)))
        except ValueError:
            found.append((key, value))
    return found
