"""A model that is served: version v of it multiplies by v."""

from __future__ import annotations

import http.client
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import torchtf as tf
from torchtf.serving import ModelServer, Options

KERNEL = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], np.float32)


class Served(tf.Module):
    def __init__(self, scale: float):
        super().__init__()
        self.kernel = tf.Variable(KERNEL * scale)

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="input")])
    def predict(self, input):
        return {"output": tf.matmul(input, self.kernel)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, name="a"),
            tf.TensorSpec([None], tf.float32, name="b"),
        ]
    )
    def two(self, a, b):
        return {"sum": a + b, "quotient": a / b}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text_bytes")])
    def text(self, text_bytes):
        return {"length": tf.strings.length(text_bytes), "copy_bytes": text_bytes}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int64, name="input")])
    def batch(self, input):
        return {"size": tf.fill([tf.shape(input)[0]], tf.shape(input)[0])}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the versions 1 and 2."""
    base = tmp_path_factory.mktemp("models")
    for version in (1, 2):
        served = Served(float(version))
        signatures = {
            "serving_default": served.predict,
            "two": served.two,
            "text": served.text,
            "batch": served.batch,
        }
        tf.saved_model.save(served, str(base / str(version)), signatures=signatures)
    return base


@pytest.fixture
def base(models: Path, tmp_path: Path) -> Path:
    """A folder of a model with version 1, for a test of its own."""
    folder = tmp_path / "base"
    shutil.copytree(models / "1", folder / "1")
    return folder


class Client:
    """A client of a server in this process."""

    def __init__(self, server: ModelServer):
        self.server = server

    def __call__(self, path: str, body=None, raw: bytes | None = None, method=None, headers=None):
        """(HTTP status, JSON reply)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.rest_port, timeout=120)
        try:
            data = raw if raw is not None else None if body is None else json.dumps(body).encode()
            method = method or ("GET" if data is None else "POST")
            connection.request(method, path, data, headers or {})
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read() or b"null")
        finally:
            connection.close()

    def states(self, name: str = "m") -> dict[int, str]:
        status, reply = self(f"/v1/models/{name}")
        assert status == 200, reply
        return {int(v["version"]): v["state"] for v in reply["model_version_status"]}


@pytest.fixture
def start():
    """Starts servers in this process, at free ports; they end with the test."""
    servers: list[ModelServer] = []

    def started(**options) -> Client:
        defaults = {"port": 0, "rest_api_port": -1, "file_system_poll_wait_seconds": 0}
        if "model_config_file" not in options:
            defaults["model_name"] = "m"
        servers.append(ModelServer(Options(**(defaults | options))))
        return Client(servers[-1])

    yield started
    for server in servers:
        server.close()
