"""The REST interface: `http.server`, with a thread for each connection, which stays open."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import socket
import socketserver
import threading
import time
import urllib.parse
import zlib

from google.protobuf import json_format

from torchtf.core import errors
from torchtf.serving._config import invalid
from torchtf.serving._core import SIGNATURE_DEF, Core, Deadline, failure_of
from torchtf.tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
)

_VERSION = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_RUN = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)", re.IGNORECASE
)
_TELL = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<metadata>metadata))?", re.IGNORECASE
)
_STATUS = {
    errors.OK: 200,
    errors.CANCELLED: 499,
    errors.INVALID_ARGUMENT: 400,
    errors.DEADLINE_EXCEEDED: 504,
    errors.NOT_FOUND: 404,
    errors.ALREADY_EXISTS: 409,
    errors.PERMISSION_DENIED: 403,
    errors.RESOURCE_EXHAUSTED: 429,
    errors.FAILED_PRECONDITION: 400,
    errors.ABORTED: 409,
    errors.OUT_OF_RANGE: 400,
    errors.UNIMPLEMENTED: 501,
    errors.UNAVAILABLE: 503,
    errors.UNAUTHENTICATED: 401,
}
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}


class Rest:
    """Answers requests, whatever brought them.

    Args:
        core: what knows the answers.
        timeout_seconds: how long running a model may take.
        cors: whether to send CORS headers.
        metrics_path: where to tell the metrics; "" for nowhere.
    """

    def __init__(self, core: Core, timeout_seconds: float, cors: bool, metrics_path: str):
        self._core = core
        self._metrics_path = metrics_path
        self._timeout = timeout_seconds
        self._headers = {"Content-Type": "application/json"} | (_CORS if cors else {})

    def answer(
        self, method: str, path: str, body: bytes, origin: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to a request."""
        path = path.partition("?")[0]
        if path == self._metrics_path:
            return 200, {"Content-Type": "text/plain"}, self._core.metrics.page()
        try:
            return 200, self._headers, self._answer(method, path, body, origin)
        except Exception as error:
            failure = failure_of(error)
            text = json.dumps({"error": failure.message}, indent=4, ensure_ascii=False) + "\n"
            status = _STATUS.get(failure.error_code, 500)
            return status, self._headers, text.encode("utf-8", "surrogateescape")

    def _answer(self, method: str, path: str, body: bytes, origin: str) -> bytes:
        if not path.lower().startswith("/v1/"):
            raise errors.NotFoundError(
                None, None, f"Not found: {path}; the interface is below /v1/models"
            )
        if method == "OPTIONS":
            if not re.match("https?://", origin):
                raise errors.FailedPreconditionError(
                    None, None, "Origin header is missing in CORS preflight"
                )
            return b""
        pattern = {"POST": _RUN, "GET": _TELL}.get(method)
        found = pattern.fullmatch(path) if pattern is not None else None
        if found is None:
            raise invalid(f"Malformed request: {method} {path}")
        spec = _spec(found)
        if method == "POST":
            return self._infer(found["method"].lower(), spec, body)
        if not spec.name:
            raise invalid("Missing model name in request.")
        return self._metadata(spec) if found["metadata"] else self._status(spec)

    def _infer(self, method: str, spec, body: bytes) -> bytes:
        """The answer to what runs a model, which the metrics count."""
        answers = {
            "predict": self._core.predict_json,
            "classify": self._core.classify_json,
            "regress": self._core.regress_json,
        }
        start, code = time.monotonic(), errors.OK
        try:
            return answers[method](spec, body, Deadline(self._timeout))
        except Exception as error:
            failure = failure_of(error)
            code = failure.error_code
            raise failure from (None if failure is error else error)
        finally:
            seconds = time.monotonic() - start
            self._core.metrics.record(spec.name, method, "REST", code, seconds)

    def _status(self, spec) -> bytes:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
        return _text(_plain(self._core.status(request)))

    def _metadata(self, spec) -> bytes:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec, metadata_field=[SIGNATURE_DEF]
        )
        response = self._core.metadata(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[SIGNATURE_DEF].Unpack(signatures)
        return _text(
            {
                "model_spec": _plain(response.model_spec),
                "metadata": {SIGNATURE_DEF: _plain(signatures)},
            }
        )


def _spec(found: re.Match):
    spec = model_pb2.ModelSpec(name=urllib.parse.unquote(found["name"] or ""))
    if found["version"]:
        try:
            spec.version.value = int(found["version"])
        except ValueError:
            raise invalid(f"Failed to convert version: {found['version']} to numeric.") from None
    if found["label"]:
        spec.version_label = urllib.parse.unquote(found["label"])
    return spec


def _plain(message) -> dict:
    return json_format.MessageToDict(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )


def _text(value: dict) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


# --- HTTP ------------------------------------------------------------------
class RestServer:
    """Serves `Rest` over HTTP/1.1.

    Args:
        rest: what answers.
        port: where; 0 for any free port.
        threads: how many requests are worked on at once.

    Raises:
        OSError: if the port is taken.
    """

    def __init__(self, rest: Rest, port: int, threads: int):
        self._server = _Server(rest, port, threads)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            name="rest",
            daemon=True,
            kwargs={"poll_interval": 0.1},
        )

    def start(self) -> None:
        """Answers requests from now on."""
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Takes no more connections, and waits until the requests under way are answered."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.drain(seconds)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, rest: Rest, port: int, threads: int):
        self.rest = rest
        self.slots = threading.BoundedSemaphore(threads)
        self._idle = threading.Condition()
        self._busy = 0
        self.draining = False
        if socket.has_dualstack_ipv6():
            self.address_family = socket.AF_INET6
        super().__init__(("", port), _Handler)

    def server_bind(self):
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # not HTTPServer's, which looks its own name up
        socketserver.TCPServer.server_bind(self)

    @contextlib.contextmanager
    def working(self):
        """The time in which a request is worked on."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def drain(self, seconds: float) -> None:
        self.draining = True
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, seconds)

    def handle_error(self, request, client_address):
        """A client that went away is no error of the server's."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "torchtf"
    sys_version = ""
    wbufsize = 1 << 16  # head and body leave together
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format, *args):
        pass

    def handle_expect_100(self):
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def _handle(self):
        with self.server.working():
            try:
                body = self._body()
            except ValueError as error:
                self.close_connection = True
                self._send(400, {}, json.dumps({"error": str(error)}).encode())
                return
            with self.server.slots:
                answer = self.server.rest.answer(
                    self.command, self.path, body, self.headers.get("Origin", "")
                )
            self._send(*answer)
            self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = _handle

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        if self.server.draining:
            self.close_connection = True
        self.send_response(status, None if status != 499 else "Client Closed Request")
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = b"".join(self._chunks())
        else:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length > 0 else b""
        if self.headers.get("Content-Encoding", "").lower() == "gzip":
            try:
                body = zlib.decompress(body, 16 + zlib.MAX_WBITS)
            except zlib.error as error:
                raise ValueError(f"the body is no gzip data: {error}") from error
        return body

    def _chunks(self):
        while True:
            size = int(self.rfile.readline(1 << 10).partition(b";")[0], 16)
            if not size:
                while self.rfile.readline(1 << 16).strip():  # trailers
                    pass
                return
            yield self.rfile.read(size)
            self.rfile.readline(8)
