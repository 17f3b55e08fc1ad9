"""The model server over its two interfaces, with SavedModels of this package."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest

import torchtf as tf
from torchtf.serving import ModelServer, Options, __main__
from torchtf.tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from .conftest import KERNEL, Client

ROOT = Path(__file__).resolve().parents[2]
PREDICT = "/v1/models/m:predict"
ROW = [1.0, 2.0, 3.0]
RESULT = (np.array([ROW]) @ KERNEL).tolist()  # of version 1
TWICE = (np.array([ROW]) @ KERNEL * 2).tolist()


@pytest.fixture(scope="module")
def server(models):
    options = Options(
        port=-1, rest_api_port=-1, model_name="m", model_base_path=str(models),
        file_system_poll_wait_seconds=0, rest_api_enable_cors_support=True,
    )  # fmt: skip
    with ModelServer(options) as started:
        yield started


@pytest.fixture(scope="module")
def call(server):
    return Client(server)


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(f"localhost:{server.port}") as opened:
        yield opened


@pytest.fixture(scope="module")
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(values, name: str = "input", signature: str = "", model: str = "m"):
    made = predict_pb2.PredictRequest()
    made.model_spec.name = model
    made.model_spec.signature_name = signature
    made.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return made


# --- REST ------------------------------------------------------------------
def test_status_is_that_of_the_newest_version(call):
    status = {"error_code": "OK", "error_message": ""}
    version = {"version": "2", "state": "AVAILABLE", "status": status}
    assert call("/v1/models/m") == (200, {"model_version_status": [version]})
    assert call("/v1/models/m/versions/2") == call("/v1/models/m")
    assert call("/v1/models/m/versions/1")[0] == 404


def test_metadata_has_the_signatures_of_the_file(call):
    status, reply = call("/v1/models/m/metadata")
    assert status == 200
    assert reply["model_spec"] == {"name": "m", "signature_name": "", "version": "2"}
    signatures = reply["metadata"]["signature_def"]["signature_def"]
    given = signatures["serving_default"]["inputs"]["input"]
    assert given["dtype"] == "DT_FLOAT"
    assert [d["size"] for d in given["tensor_shape"]["dim"]] == ["-1", "3"]
    assert signatures["two"]["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        ({"instances": [ROW]}, {"predictions": TWICE}),
        ({"instances": [{"input": ROW}, {"input": ROW}]}, {"predictions": TWICE * 2}),
        ({"inputs": [ROW]}, {"outputs": TWICE}),
        ({"inputs": {"input": [[1, 2, 3]]}}, {"outputs": TWICE}),
        (
            {"signature_name": "two", "instances": [{"a": 1.5, "b": 2}, {"a": -1, "b": 0}]},
            {"predictions": [{"sum": 3.5, "quotient": 0.75}, {"sum": -1.0, "quotient": -np.inf}]},
        ),
        (
            {"signature_name": "text", "instances": [{"b64": "/wA="}]},
            {"predictions": [{"length": 2, "copy_bytes": {"b64": "/wA="}}]},
        ),
        (
            {"signature_name": "two", "inputs": {"a": [1.0, np.inf], "b": [4.0, 1.0]}},
            {"outputs": {"sum": [5.0, np.inf], "quotient": [0.25, np.inf]}},
        ),
    ],
)
def test_predict(call, body, reply):
    assert call(PREDICT, body) == (200, reply)


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        (PREDICT, {"signature_name": "none", "instances": [ROW]}, 400, '"none" not found'),
        (PREDICT, {"signature_name": 1, "instances": [ROW]}, 400, "must be a string"),
        (PREDICT, {"instances": [ROW[:2]]}, 400, "shape"),
        (PREDICT, {"inputs": {"other": [ROW]}}, 400, "Missing named input: input"),
        ("/v1/models/other:predict", {"instances": [ROW]}, 404, "Servable not found for request: "),
        ("/v1/models/m/versions/1:predict", {"instances": [ROW]}, 404, "Specific(m, 1)"),
        ("/v1/models/m/labels/none:predict", {"instances": [ROW]}, 400, "label: none"),
        ("/v1/models/m:explain", {}, 400, "Malformed request: POST /v1/models/m:explain"),
        ("/v1/models/m:classify", {"examples": [{"x": 1}]}, 400, "'inputs'"),
        ("/v1/models/other", None, 404, "Could not find any versions of model other"),
        ("/v1/models", None, 400, "Missing model name"),
        ("/elsewhere", None, 404, "/elsewhere"),
    ],
)
def test_errors_of_rest(call, path, body, status, text):
    got, reply = call(path, body)
    assert got == status and list(reply) == ["error"] and text in reply["error"]


def test_a_connection_serves_many_requests_of_any_form(server):
    import http.client
    import zlib

    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=120)
    body = b'{"instances": [[1, 2, 3]]}'
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(body) + packer.flush()
    for data, headers in (
        (body, {}),
        (iter([body[:7], body[7:]]), {}),  # in chunks
        (packed, {"Content-Encoding": "gzip"}),
        (b'{"instances": [' + b"[1, 2, 3]," * 100_000 + b"[1, 2, 3]]}", {}),
    ):
        connection.request("POST", PREDICT, data, headers)
        reply = connection.getresponse()
        assert reply.status == 200 and reply.headers["Access-Control-Allow-Origin"] == "*"
        assert b"8.0, 10.0" in reply.read()
        assert connection.sock is not None
    connection.close()


def test_preflight_needs_an_origin(call):
    assert call(PREDICT, method="OPTIONS", headers={"Origin": "http://a"}) == (200, None)
    assert call(PREDICT, method="OPTIONS")[0] == 400


# --- gRPC ------------------------------------------------------------------
def test_predict_over_grpc(stub):
    response = stub.Predict(request(np.array([ROW], np.float32)), timeout=120)
    assert tf.make_ndarray(response.outputs["output"]).tolist() == TWICE
    assert list(response.outputs["output"].float_val) == TWICE[0]  # not packed
    assert response.model_spec.version.value == 2
    assert response.model_spec.signature_name == "serving_default"


def test_strings_over_grpc(stub):
    made = request([b"\xff\x00", b"abc"], "text_bytes", "text")
    outputs = stub.Predict(made, timeout=120).outputs
    assert tf.make_ndarray(outputs["length"]).tolist() == [2, 3]
    assert tf.make_ndarray(outputs["copy_bytes"]).tolist() == [b"\xff\x00", b"abc"]


def test_output_filter(stub):
    made = request(np.float32([1]), "a", "two")
    made.inputs["b"].CopyFrom(tf.make_tensor_proto(np.float32([2])))
    assert sorted(stub.Predict(made, timeout=120).outputs) == ["quotient", "sum"]
    made.output_filter.append("sum")
    assert list(stub.Predict(made, timeout=120).outputs) == ["sum"]


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"model": "other"}, "NOT_FOUND", "Latest(other)"),
        ({"model": ""}, "INVALID_ARGUMENT", "no name"),
        ({"name": "wrong"}, "INVALID_ARGUMENT", "wrong"),
        ({"signature": "none"}, "FAILED_PRECONDITION", '"none" not found'),
        ({"values": np.float32([[1, 2]])}, "INVALID_ARGUMENT", "shape"),
        ({"values": [[1, 2, 3]]}, "INVALID_ARGUMENT", "must be float32, not int32"),
    ],
)
def test_errors_of_grpc(stub, change, code, text):
    with pytest.raises(grpc.RpcError) as raised:
        stub.Predict(request(**({"values": np.float32([ROW])} | change)), timeout=120)
    assert raised.value.code().name == code and text in raised.value.details()


def test_metadata_and_status_over_grpc(stub, channel):
    about = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    about.model_spec.name = "m"
    response = stub.GetModelMetadata(about, timeout=120)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert [d.size for d in signatures.signature_def["batch"].inputs["input"].tensor_shape.dim] == [
        -1, -1,
    ]  # fmt: skip
    service = model_service_pb2_grpc.ModelServiceStub(channel)
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "m"
    (row,) = service.GetModelStatus(status, timeout=120).model_version_status
    assert (row.version, row.status.error_code) == (2, 0)
    assert row.state == get_model_status_pb2.ModelVersionStatus.State.AVAILABLE


CLIENT = """
import sys
import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2, get_model_status_pb2, model_management_pb2, model_service_pb2_grpc,
    predict_pb2, prediction_service_pb2_grpc,
)

channel = grpc.insecure_channel("localhost:" + sys.argv[1])
stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
request = predict_pb2.PredictRequest()
request.model_spec.name = "m"
request.inputs["input"].CopyFrom(tf.make_tensor_proto(np.array([[1, 2, 3]], np.float32)))
response = stub.Predict(request, timeout=120)
print(tf.make_ndarray(response.outputs["output"]).tolist(), response.model_spec.version.value)
about = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
about.model_spec.name = "m"
signatures = get_model_metadata_pb2.SignatureDefMap()
stub.GetModelMetadata(about).metadata["signature_def"].Unpack(signatures)
print(sorted(signatures.signature_def["two"].inputs))
models = model_service_pb2_grpc.ModelServiceStub(channel)
status = get_model_status_pb2.GetModelStatusRequest()
status.model_spec.name = "m"
(row,) = models.GetModelStatus(status).model_version_status
print(row.version, get_model_status_pb2.ModelVersionStatus.State.Name(row.state))
reload = model_management_pb2.ReloadConfigRequest()
reload.config.model_config_list.config.add(name="m", base_path="relative")
print(models.HandleReloadConfigRequest(reload).status.error_code)
print(tf.__name__)
"""


def test_the_client_of_tensorflow_serving_understands_the_server(server, tmp_path):
    """The same program with the messages of tensorflow-serving-api and with ours."""
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    del environment["KERAS_BACKEND"]  # each has its own
    outputs = []
    for command in ([], ["-m", "torchtf"]):
        done = subprocess.run(
            [sys.executable, *command, str(script), str(server.port)],
            env=environment,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout.splitlines())
    assert outputs[0][:-1] == outputs[1][:-1]
    assert outputs[0][:1] == [f"{TWICE} 2"] and outputs[0][3] == "3"
    assert (outputs[0][-1], outputs[1][-1]) == ("tensorflow", "torchtf")


# --- versions and configurations -------------------------------------------
CONFIG = """
model_config_list {
  config {
    name: 'm'
    base_path: '%s'
    model_platform: 'tensorflow'
    model_version_policy { %s }
    version_labels { key: 'stable' value: 1 }
  }
}
"""


def test_a_configuration_chooses_versions_and_labels(start, models, tmp_path):
    file = tmp_path / "models.config"
    file.write_text(CONFIG % (models, "specific { versions: [1, 2] }"))
    call = start(
        model_config_file=str(file), allow_version_labels_for_unavailable_models=True, port=-1
    )
    assert call.states() == {1: "AVAILABLE", 2: "AVAILABLE"}
    for path, want in (("", TWICE), ("/versions/1", RESULT), ("/labels/stable", RESULT)):
        body = {"instances": [ROW]}
        assert call(f"/v1/models/m{path}:predict", body) == (200, {"predictions": want})
    assert [
        v["version"] for v in call("/v1/models/m/labels/stable")[1]["model_version_status"]
    ] == ["1"]
    with grpc.insecure_channel(f"localhost:{call.server.port}") as channel:
        reload = model_management_pb2.ReloadConfigRequest()
        model = reload.config.model_config_list.config.add()
        model.name, model.base_path, model.model_platform = "m", str(models), "tensorflow"
        model.model_version_policy.specific.versions.append(1)
        model.version_labels["stable"] = 3
        change = model_service_pb2_grpc.ModelServiceStub(channel).HandleReloadConfigRequest
        assert change(reload, timeout=120).status.error_code == 9  # no label moves to a version
        assert call.states() == {1: "AVAILABLE", 2: "AVAILABLE"}  # that is not there
        model.version_labels["stable"] = 1
        assert change(reload, timeout=120).status.error_code == 0
    assert call.states() == {1: "AVAILABLE", 2: "END"}
    assert call(PREDICT, {"instances": [ROW]}) == (200, {"predictions": RESULT})


def test_batching_joins_concurrent_requests(start, models, tmp_path):
    file = tmp_path / "batching.config"
    file.write_text(
        "max_batch_size { value: 4 } batch_timeout_micros { value: 60000000 } "
        "num_batch_threads { value: 1 } allowed_batch_sizes: [4]"
    )
    call = start(
        model_base_path=str(models), enable_batching=True, batching_parameters_file=str(file)
    )

    def one(k: int):
        body = {"signature_name": "batch", "instances": [[k]] if k < 2 else [[k], [k]]}
        return call(PREDICT, body)

    with ThreadPoolExecutor(3) as pool:  # 1 + 1 + 2 rows fill the batch
        assert list(pool.map(one, range(3))) == [
            (200, {"predictions": [4]}), (200, {"predictions": [4]}), (200, {"predictions": [4, 4]}),
        ]  # fmt: skip


def test_a_request_that_takes_too_long_is_given_up(start, models, tmp_path):
    file = tmp_path / "batching.config"
    file.write_text("batch_timeout_micros { value: 60000000 }")
    call = start(
        model_base_path=str(models), enable_batching=True, batching_parameters_file=str(file),
        rest_api_timeout_in_ms=10,
    )  # fmt: skip
    status, reply = call(PREDICT, {"instances": [ROW]})
    assert status == 504 and "Timed out" in reply["error"]


def test_metrics_count_the_requests(start, models, tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text("prometheus_config { enable: true path: '/metrics' }")
    call = start(model_base_path=str(models), monitoring_config_file=str(file), port=-1)
    call(PREDICT, {"instances": [ROW]})
    call(PREDICT, {"instances": []})
    with grpc.insecure_channel(f"localhost:{call.server.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        stub.Predict(request(np.float32([ROW])), timeout=120)
        with pytest.raises(grpc.RpcError):
            stub.Predict(request(np.float32([ROW]), model='"'), timeout=120)
        while b'status="NOT_FOUND"' not in call.server.core.metrics.page():
            threading.Event().wait(0.01)  # a call is counted when its answer is on its way
    with urllib.request.urlopen(f"http://localhost:{call.server.rest_port}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    for line in (
        '_count{model_name="m",status="OK"} 2',
        '_count{model_name="m",status="INVALID_ARGUMENT"} 1',
        '_count{model_name="\\"",status="NOT_FOUND"} 1',
        '_latency_count{model_name="m",API="predict",entrypoint="REST"} 1',
        '_latency_bucket{model_name="m",API="Predict",entrypoint="GRPC",le="+Inf"} 1',
    ):
        assert f":tensorflow:serving:request{line}" in lines


def test_a_changed_configuration_file_is_followed(start, models, tmp_path):
    file = tmp_path / "models.config"
    text = (
        "model_config_list { config { name: '%s' base_path: '%s' model_platform: 'tensorflow' } }"
    )
    file.write_text(text % ("m", models))
    call = start(model_config_file=str(file), model_config_file_poll_wait_seconds=0.01)
    assert call("/v1/models/other")[0] == 404
    file.write_text("model_config_list { nonsense }")  # changes nothing
    new = tmp_path / "new.config"
    new.write_text(text % ("other", models))
    new.rename(file)
    while call("/v1/models/other")[0] != 200 or call.states("other") != {2: "AVAILABLE"}:
        threading.Event().wait(0.01)
    while call.states()[2] != "END":
        threading.Event().wait(0.01)
    assert call("/v1/models/other:predict", {"instances": [ROW]}) == (200, {"predictions": TWICE})


@pytest.mark.parametrize(
    ("flags", "files", "named"),
    [
        (["--model_config_file={}/f"], "model_config_list { config { nonsense: 1 } }", "nonsense"),
        (["--model_config_file={}/f"], "model_config_list { config { name: 'm' base_path: '/x' } }",
         "model_platform"),
        (["--model_config_file={}/f"], CONFIG % ("relative", "all {}"), "absolute path"),
        (["--model_config_file={}/none"], "", "none"),
        (["--model_base_path={}", "--enable_batching", "--batching_parameters_file={}/f"],
         "max_batch_size { value: 0 }", "max_batch_size"),
        (["--model_base_path={}", "--enable_batching", "--batching_parameters_file={}/f"],
         "max_batch_size: 5", "max_batch_size"),
        (["--model_base_path={}", "--batching_parameters_file={}/f"], "", "--enable_batching"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_ends_the_server(flags, files, named, tmp_path, capsys):
    (tmp_path / "f").write_text(files)
    handlers = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert __main__.main([flag.format(tmp_path) for flag in flags]) == 1
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert named in capsys.readouterr().err


def test_an_address_that_is_taken_is_an_error(models):
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = {"model_name": "m", "model_base_path": str(models)}
        for ports in ({"port": port, "rest_api_port": 0}, {"port": 0, "rest_api_port": port}):
            with pytest.raises((OSError, RuntimeError), match=r"in use|address|bind"):
                ModelServer(Options(**options, **ports))


def test_the_command_serves_until_it_is_told_to_end(models):
    process = subprocess.Popen(
        [sys.executable, "-m", "torchtf.serving", "--port=-1", "--rest_api_port=-1",
         "--num_load_threads=2"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "MODEL_NAME": models.name,
             "MODEL_BASE_PATH": str(models.parent)},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    watchdog = threading.Timer(300, process.kill)
    watchdog.start()
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "Serving gRPC at" in line:
                break
        else:
            raise AssertionError("".join(lines))
        assert any("--num_load_threads has no effect" in line for line in lines)
        rest_port = int(line.partition("http://localhost:")[2].partition("/")[0])
        call = Client(type("Server", (), {"rest_port": rest_port}))
        path = f"/v1/models/{models.name}:predict"
        assert call(path, {"instances": [ROW]}) == (200, {"predictions": TWICE})
        process.terminate()
        assert "Ended" in process.stderr.read()
        assert process.wait() == 0
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stderr.close()
