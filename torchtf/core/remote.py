"""Calls between processes over gRPC: what a call carries, who answers, how errors travel.

* A message is a *head*, JSON, and a *body*, bytes. So a message is read without running code of
  the other side; what a body means is up to the method.
* What a method raises arrives at the caller as the same class of `tf.errors`, with its message.
* A server of the same process is called directly.
* A server listens on all interfaces, as TensorFlow's do: keep its port to the cluster.
"""

from __future__ import annotations

import contextlib
import json
import struct
import threading
import time
from collections.abc import Callable, Mapping
from concurrent import futures

import grpc

from torchtf.core import errors

OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # tells a machine that is gone from one that computes
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # two servers at one address would take each other's calls
    ("grpc.so_reuseport", 0),
]
_THREADS = 64
# seconds between two tries to reach a server
_PAUSE = 0.1
_SIZE = struct.Struct("<I")

Method = Callable[[dict, bytes], "tuple[dict, bytes]"]


def encode(head: dict, body: bytes = b"") -> bytes:
    """A message as bytes."""
    text = json.dumps(head).encode()
    return b"".join((_SIZE.pack(len(text)), text, body))


def decode(data: bytes) -> tuple[dict, bytes]:
    """Head and body of a message."""
    (length,) = _SIZE.unpack_from(data)
    return json.loads(data[4 : 4 + length]), data[4 + length :]


_KINDS = {kind._code: kind for kind in errors.OpError.__subclasses__()}


def packed_error(error: BaseException) -> list:
    """An error as JSON."""
    if isinstance(error, errors.OpError):
        return [error.error_code, error.message]
    return [errors.UNKNOWN, f"{type(error).__name__}: {error}"]


def unpacked_error(packed: list) -> errors.OpError:
    """The error that `packed_error` packed."""
    code, message = packed
    return _KINDS.get(code, errors.UnknownError)(None, None, message)


class Server:
    """Answers calls at a port.

    Args:
        service: the first part of the names of the methods.
        methods: gives head and body of the answer for those of the call. They run in threads of a
            pool that Python joins at exit, so they must not wait for long.
        port: 0 takes any that is free.

    Attributes:
        port: the one that it took.

    Raises:
        RuntimeError: if the port is taken.
    """

    def __init__(self, service: str, methods: Mapping[str, Method], port: int = 0):
        pool = futures.ThreadPoolExecutor(_THREADS, f"torchtf-{service}")
        self._server = grpc.server(pool, options=OPTIONS)
        self._server.add_generic_rpc_handlers((_Methods(service, methods),))
        try:
            self.port = self._server.add_insecure_port(f"[::]:{port}")
        except RuntimeError:  # there may be no IPv6
            self.port = self._server.add_insecure_port(f"0.0.0.0:{port}")
        self._server.start()
        self._key = service, self.port
        _here[self._key] = methods

    def stop(self) -> None:
        """Answers no more calls; those under way are cancelled."""
        _here.pop(self._key, None)
        self._server.stop(grace=None).wait()


# the methods of the servers of this process, by service and port
_here: dict[tuple[str, int], Mapping[str, Method]] = {}


class _Methods(grpc.GenericRpcHandler):
    def __init__(self, service: str, methods: Mapping[str, Method]):
        self._handlers = {
            f"/torchtf.{service}/{name}": grpc.unary_unary_rpc_method_handler(_answering(method))
            for name, method in methods.items()
        }

    def service(self, details):
        return self._handlers.get(details.method)


def _answering(method: Method) -> Callable:
    def answer(request: bytes, context) -> bytes:
        try:
            return encode(*method(*decode(request)))
        except Exception as error:
            return encode({"error": packed_error(error)})

    return answer


class Channel:
    """Calls the methods of a server.

    Args:
        address: "host:port".
        service: the server's.
        name: what the server is, for errors.
    """

    def __init__(self, address: str, service: str, name: str):
        self.address, self.name = address, name
        self._service = service
        self._channel = grpc.insecure_channel(address, options=OPTIONS)
        self._calls: dict[str, Callable] = {}
        self._closed = threading.Event()
        host, _, port = address.rpartition(":")
        local = host in ("localhost", "127.0.0.1", "[::1]") and port.isdigit()
        self._key = service, int(port) if local else -1

    def call(
        self, method: str, head: dict, body: bytes = b"", patience: float = 0.0,
        timeout: float | None = None,
    ) -> tuple[dict, bytes]:  # fmt: skip
        """The answer of a method.

        Args:
            patience: for how many seconds to try again while the server cannot be reached.
            timeout: how many seconds an answer may take.

        Raises:
            UnavailableError: if it cannot be reached.
            DeadlineExceededError: if it takes longer than `timeout`.
            CancelledError: if the channel is closed meanwhile.
            OpError: what the method raised.
        """
        here = _here.get(self._key)
        if here is not None and not self._closed.is_set():
            return here[method](head, body)
        if method not in self._calls:
            self._calls[method] = self._channel.unary_unary(f"/torchtf.{self._service}/{method}")
        request = encode(head, body)
        end = time.monotonic() + patience
        while True:
            try:
                answer, rest = decode(self._calls[method](request, timeout=timeout))
                break
            except grpc.RpcError as error:
                if not self._again(error, end):
                    raise self._lost(error, patience) from None
            except ValueError as error:  # a channel that is closed takes no calls
                raise errors.CancelledError(None, None, str(error)) from None
        if "error" in answer:
            raise unpacked_error(answer["error"])
        return answer, rest

    def _again(self, error: grpc.RpcError, end: float) -> bool:
        """Waits a moment and says whether to try again."""
        if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() >= end:
            return False
        return not self._closed.wait(_PAUSE)

    def _lost(self, error: grpc.RpcError, patience: float) -> errors.OpError:
        code = error.code()
        if self._closed.is_set() or code is grpc.StatusCode.CANCELLED:
            return errors.CancelledError(None, None, f"The call of {self.name} was cancelled.")
        where = f"{self.name} at {self.address}"
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return errors.DeadlineExceededError(
                None, None, f"{where} took too long: {error.details()}"
            )
        tried = f" within {patience:g} seconds" if patience else ""
        return errors.UnavailableError(
            None, None, f"{where} did not answer{tried}: {error.details()}"
        )

    def close(self) -> None:
        """Cancels calls under way and takes no others."""
        self._closed.set()
        with contextlib.suppress(Exception):
            self._channel.close()
