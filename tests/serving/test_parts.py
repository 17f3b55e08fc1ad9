"""The parts of the model server, without models: JSON, batches, versions, flags, messages."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
from google.protobuf import text_format

import torchtf as tf
from torchtf.core import errors
from torchtf.serving import _batching, _config, _core, _json, _manager, _options
from torchtf.tensorflow_serving.apis import input_pb2, model_pb2


# --- JSON ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "dtype", "want"),
    [
        (1.5, tf.float32, np.float32(1.5)),
        ([[1, 2], [3, 4]], tf.int32, np.int32([[1, 2], [3, 4]])),
        ([[], []], tf.float64, np.zeros((2, 0))),
        ([True, False], tf.bool, np.array([True, False])),
        ([255], tf.uint8, np.uint8([255])),
        (2**64 - 1, tf.uint64, np.uint64(2**64 - 1)),
        ([1], tf.float16, np.float16([1])),
        ("é", tf.string, np.array("é".encode(), object)),
        ([{"b64": "/wA="}, {"b64": "/wA"}, "a"], tf.string,
         np.array([b"\xff\x00", b"\xff\x00", b"a"], object)),
    ],
)  # fmt: skip
def test_values_become_tensors(value, dtype, want):
    got = _json.read_tensor(value, dtype)
    assert got.dtype == want.dtype and got.shape == want.shape and (got == want).all()


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        ([[1.0], [1.0, 2.0]], tf.float32, "unexpected size: 2"),
        ([1.0, [1.0]], tf.float32, "unexpected level"),
        ([[1.0], 1.0], tf.float32, "incorrect level"),
        ([True], tf.float32, "Type: True is not of expected type: float"),
        ([1.5], tf.int32, "Type: Number is not of expected type: int32"),
        ([2**31], tf.int32, "2147483648"),
        ([-1], tf.uint8, "-1"),
        ([None], tf.string, "Type: Null"),
        ([1], tf.bool, "bool"),
        ([{"b64": "!"}], tf.string, "base64"),
        ([{"b": "a"}], tf.string, "base64"),
        ([{"b64": "aa=="}], tf.float32, "Object"),
    ],
)
def test_values_of_another_form_are_refused(value, dtype, text):
    with pytest.raises(tf.errors.InvalidArgumentError, match=text):
        _json.read_tensor(value, dtype)


def test_floats_are_written_so_that_they_read_as_the_same():
    floats = np.float32([0.1, 1 / 3, 1e30, 1e-7, 3, np.pi, 16777217])
    (texts,) = (_json.write_outputs({"x": floats}, True),)
    assert (np.float32(json.loads(texts)["predictions"]) == floats).all()
    assert b" 0.1" not in texts[:1] and b"[0.1, " in texts  # not 0.10000000149011612
    special = _json.write_outputs({"x": np.array([np.nan, np.inf, -np.inf])}, False)
    assert b"[NaN, Infinity, -Infinity]" in special


def test_outputs_by_row_and_column():
    outputs = {
        "copy_bytes": np.array([b"\xff", b"a"], object),
        "text": np.array([b'"', b"\xff"], object),
        "x": np.arange(4, dtype=np.int8).reshape(2, 1, 2),
    }
    rows = json.loads(_json.write_outputs(outputs, True).decode("utf-8", "surrogateescape"))
    assert rows["predictions"][0] == {"copy_bytes": {"b64": "/w=="}, "text": '"', "x": [[0, 1]]}
    assert b'"text": ["\\"", "\xff"]' in _json.write_outputs(outputs, False)
    for wrong in ({"x": np.float32(1)}, {"x": np.zeros(2), "y": np.zeros(3)}, {}):
        with pytest.raises(tf.errors.InvalidArgumentError):
            _json.write_outputs(wrong, True)
    assert json.loads(_json.write_outputs({"x": np.float32(1)}, False)) == {"outputs": 1.0}
    assert json.loads(_json.write_outputs({"x": np.zeros((2, 0))}, True)) == {
        "predictions": [[], []]
    }


def test_examples_of_json_are_examples():
    target = input_pb2.Input()
    request = {
        "context": {"c": "text"},
        "examples": [{"a": 1, "b": [1.5, 2.5], "s": {"b64": "/w=="}, "t": True}, {"a": [2, 3]}],
    }
    _json.read_examples(request, "classify", target)
    first, second = (tf.train.Example.FromString(e) for e in _core._serialized(target))
    assert first.features.feature["b"].float_list.value == [1.5, 2.5]
    assert first.features.feature["s"].bytes_list.value == [b"\xff"]
    assert first.features.feature["t"].int64_list.value == [1]
    assert second.features.feature["c"].bytes_list.value == [b"text"]
    for wrong in ({}, {"examples": []}, {"examples": [1]}, {"examples": [{"a": [1, "b"]}]}):
        with pytest.raises(tf.errors.InvalidArgumentError):
            _json.read_examples(wrong, "classify", input_pb2.Input())


# --- batching --------------------------------------------------------------
class Doubles:
    """A servable that doubles, records the sizes it ran with, and fails for negative numbers."""

    def __init__(self):
        self.shapes = []
        self.gate = threading.Event()
        self.gate.set()

    def run(self, signature, inputs):
        assert self.gate.wait(120)
        self.shapes.append(inputs["x"].shape)
        if (inputs["x"] < 0).any():
            raise errors.InvalidArgumentError(None, None, f"negative: {inputs['x'].min()}")
        return {"y": inputs["x"] * 2, **({"z": np.float32(0)} if signature == "scalar" else {})}


@pytest.fixture
def batcher():
    made = []

    def make(text: str):
        parameters = text_format.Parse(text, _config.BatchingParameters())
        _config.check_batching(parameters)
        made.append(_batching.Batcher(parameters))
        return made[-1]

    yield make
    for one in made:
        one.close()


LONG = "batch_timeout_micros { value: 60000000 } num_batch_threads { value: 1 } "


def submit(batches, servable, *values, signature="s"):
    return batches.submit(servable, signature, {"x": np.array(values)})


def test_each_request_gets_its_own_rows(batcher):
    batches, servable = batcher(LONG + "max_batch_size { value: 5 }"), Doubles()
    futures = [submit(batches, servable, *range(n)) for n in (2, 3)]
    assert [f.result(120)["y"].tolist() for f in futures] == [[0, 2], [0, 2, 4]]
    assert servable.shapes == [(5,)]


def test_each_request_gets_its_own_error(batcher):
    batches, servable = batcher(LONG + "max_batch_size { value: 3 }"), Doubles()
    futures = [submit(batches, servable, v) for v in (1, -1, 3)]
    assert futures[0].result(120)["y"].tolist() == [2]
    assert futures[2].result(120)["y"].tolist() == [6]
    with pytest.raises(tf.errors.InvalidArgumentError, match="negative: -1"):
        futures[1].result(120)


def test_a_batch_is_padded_to_an_allowed_size(batcher):
    text = "max_batch_size { value: 8 } allowed_batch_sizes: [4, 8]"
    batches, servable = batcher(text), Doubles()
    assert submit(batches, servable, 1, 2, 3).result(120)["y"].tolist() == [2, 4, 6]
    assert submit(batches, servable, *range(5)).result(120)["y"].tolist() == [0, 2, 4, 6, 8]
    assert servable.shapes == [(4,), (8,)]


def test_inputs_of_other_sizes_run_apart_or_are_padded(batcher):
    rows = np.arange(2).reshape(1, 2) + 1, np.arange(3).reshape(1, 3) + 5
    for pads, shapes in ((False, [(1, 2), (1, 3)]), (True, [(2, 3)])):
        text = LONG + "max_batch_size { value: 2 }"
        batches = batcher(text + (" pad_variable_length_inputs: true" if pads else ""))
        servable = Doubles()
        futures = [batches.submit(servable, "s", {"x": row}) for row in rows]
        batches.close()
        got = [f.result(120)["y"].tolist() for f in futures]
        assert sorted(servable.shapes) == shapes
        assert got == [[[2, 4, 2]] if pads else [[2, 4]], [[10, 12, 14]]]


def test_strings_are_padded(batcher):
    arrays = [np.array([[b"a"]], object), np.array([[b"b", b"c"]], object)]
    assert [a.tolist() for a in _batching._padded(arrays)] == [[[b"a", b"a"]], [[b"b", b"c"]]]


def test_a_request_that_is_too_large_is_refused_or_split(batcher):
    servable = Doubles()
    with pytest.raises(tf.errors.InvalidArgumentError, match="larger than maximum"):
        submit(batcher("max_batch_size { value: 2 }"), servable, 1, 2, 3)
    splits = batcher(
        "max_batch_size { value: 7 } enable_large_batch_splitting { value: true } "
        "max_execution_batch_size { value: 3 } num_batch_threads { value: 1 }"
    )
    assert submit(splits, servable, *range(7)).result(120)["y"].tolist() == list(range(0, 14, 2))
    assert servable.shapes == [(3,), (3,), (1,)]


def test_a_full_queue_refuses(batcher):
    batches = batcher(
        "max_batch_size { value: 1 } max_enqueued_batches { value: 2 } num_batch_threads { value: 1 }"
    )
    servable = Doubles()
    servable.gate.clear()
    futures = [submit(batches, servable, 0)]
    while batches._queues:  # until the thread has taken the first
        time.sleep(0.001)
    futures += [submit(batches, servable, v) for v in (1, 2)]
    with pytest.raises(tf.errors.UnavailableError, match="full"):
        submit(batches, servable, 3)
    servable.gate.set()
    assert [f.result(120)["y"].tolist() for f in futures] == [[0], [2], [4]]


def test_what_has_no_batch_dimension_is_refused(batcher):
    batches, servable = batcher(""), Doubles()
    for inputs in ({"x": np.float32(1)}, {"x": np.zeros(2), "y": np.zeros(3)}):
        with pytest.raises(tf.errors.InvalidArgumentError, match="dimension"):
            batches.submit(servable, "s", inputs)
    with pytest.raises(tf.errors.FailedPreconditionError, match="0 dimensions"):
        submit(batches, servable, 1, signature="scalar").result(120)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("num_batch_threads { value: 0 }", "num_batch_threads"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros"),
        ("allowed_batch_sizes: [4, 2]", "allowed_batch_sizes"),
        ("allowed_batch_sizes: [2, 4] max_batch_size { value: 8 }", "allowed_batch_sizes"),
        ("max_execution_batch_size { value: 3 }", "max_execution_batch_size"),
    ],
)
def test_wrong_batching_parameters_are_named(text, named):
    with pytest.raises(tf.errors.InvalidArgumentError, match=named):
        _config.check_batching(text_format.Parse(text, _config.BatchingParameters()))


def test_a_request_has_a_deadline():
    pool, servable = _batching.Single(1), Doubles()
    servable.gate.clear()
    future = pool.submit(servable, "s", {"x": np.zeros(1)})
    with pytest.raises(tf.errors.DeadlineExceededError):
        _core.Deadline(0.01).result(future)
    servable.gate.set()
    pool.close()


# --- versions --------------------------------------------------------------
class Loaded:
    """Stands for a SavedModel: a folder with a file that says what happens."""

    def __init__(self, name, version, folder, tags):
        with open(f"{folder}/model") as file:
            text = file.read()
        if "bad" in text:
            raise ValueError(text)
        self.name, self.version = name, version


@pytest.fixture
def manage(monkeypatch, tmp_path):
    """Makes managers of the model m, whose base path is `tmp_path`."""
    monkeypatch.setattr(_manager, "Servable", Loaded)
    monkeypatch.setattr(_manager, "_SETTLING", 0)
    for version in ("1", "2", "3"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "model").write_text(version)
    (tmp_path / "notes").mkdir()

    def make(policy: str = "", early_labels: bool = False, labels: str = "", retries: int = 0):
        made = _manager.Manager(0, retries, 0, early_labels, ["serve"])
        made.reload(models(tmp_path, policy, labels))
        return made

    return make


def models(path, policy="", labels=""):
    config = _config.single_model("m", str(path))
    text_format.Merge(
        f"model_version_policy {{ {policy} }} {labels}", config.model_config_list.config[0]
    )
    return config


def spec(**fields):
    made = model_pb2.ModelSpec(name="m")
    if "version" in fields:
        made.version.value = fields["version"]
    if "label" in fields:
        made.version_label = fields["label"]
    return made


def states(manager):
    return {number: state.name for number, state, _ in manager.status(spec())}


def served(manager, **which):
    with manager.use(spec(**which)) as servable:
        return servable.version


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("", [3]),
        ("latest { num_versions: 2 }", [2, 3]),
        ("all {}", [1, 2, 3]),
        ("specific { versions: [1, 7] }", [1]),
    ],
)
def test_a_policy_chooses_versions(manage, policy, versions):
    manager = manage(policy)
    assert states(manager) == dict.fromkeys(versions, "AVAILABLE")
    assert served(manager) == versions[-1] and served(manager, version=versions[0]) == versions[0]


def test_a_new_version_takes_over_while_requests_end_on_the_old_one(manage, tmp_path):
    manager = manage()
    with manager.use(spec()) as old:
        (tmp_path / "10").mkdir()
        (tmp_path / "10" / "model").write_text("10")
        manager.poll()
        assert states(manager) == {3: "UNLOADING", 10: "AVAILABLE"}
        assert served(manager) == 10 and old.version == 3
        with pytest.raises(tf.errors.NotFoundError, match=r"Specific\(m, 3\)"):
            served(manager, version=3)
    assert states(manager) == {3: "END", 10: "AVAILABLE"}
    (tmp_path / "10" / "model").unlink()
    (tmp_path / "10").rmdir()
    manager.poll()  # back to the one before
    assert states(manager) == {3: "AVAILABLE", 10: "END"}


def test_a_broken_version_leaves_the_good_one_and_is_tried_when_it_changes(manage, tmp_path):
    manager = manage()
    (tmp_path / "4").mkdir()
    (tmp_path / "4" / "model").write_text("bad model")
    manager.poll()
    assert states(manager) == {3: "AVAILABLE", 4: "END"} and served(manager) == 3
    ((_, _, error),) = manager.status(spec(version=4))
    assert error.error_code == errors.UNKNOWN and "bad model" in error.message
    (tmp_path / "4" / "model").write_text("it is good now")
    manager.poll()
    assert states(manager) == {3: "END", 4: "AVAILABLE"}


def test_a_version_that_fails_is_tried_as_often_as_it_is_to_be(manage, tmp_path, monkeypatch):
    tries = []

    class Fails(Loaded):
        def __init__(self, name, version, folder, tags):
            tries.append(version)
            super().__init__(name, version, folder, tags)

    manager = manage(retries=2)
    monkeypatch.setattr(_manager, "Servable", Fails)
    (tmp_path / "4").mkdir()
    (tmp_path / "4" / "model").write_text("bad")
    for _ in range(5):
        manager.poll()
    assert tries == [4, 4, 4]


def test_a_model_of_which_nothing_loads_is_an_error(manage, tmp_path):
    (tmp_path / "3" / "model").write_text("bad model")
    with pytest.raises(tf.errors.UnknownError, match=r"name: m version: 3.*bad model"):
        manage()
    assert served(manage("all {}")) == 2


def test_a_base_path_that_is_gone_changes_nothing(manage, tmp_path):
    manager = manage()
    tmp_path.rename(tmp_path.with_name("elsewhere"))
    try:
        manager.poll()
        assert states(manager) == {3: "AVAILABLE"}
    finally:
        tmp_path.with_name("elsewhere").rename(tmp_path)


def test_labels_name_available_versions(manage, tmp_path):
    label = "version_labels { key: 'stable' value: %d }"
    with pytest.raises(tf.errors.FailedPreconditionError, match="not currently available"):
        manage("all {}", labels=label % 1)  # as nothing is when a server starts
    manager = manage("all {}", early_labels=True, labels=label % 1)
    assert served(manager, label="stable") == 1
    manager.reload(models(tmp_path, "all {}", label % 2))
    assert served(manager, label="stable") == 2
    with pytest.raises(tf.errors.FailedPreconditionError):
        manager.reload(models(tmp_path, "all {}", label % 9))
    assert served(manager, label="stable") == 2
    with pytest.raises(tf.errors.InvalidArgumentError, match="label: other"):
        served(manager, label="other")


def test_a_model_that_is_not_configured_any_more_is_unloaded(manage, tmp_path):
    manager = manage()
    other = _config.single_model("other", str(tmp_path))
    manager.reload(other)
    assert states(manager) == {3: "END"}
    with pytest.raises(tf.errors.NotFoundError, match=r"Latest\(m\)"):
        served(manager)


# --- flags -----------------------------------------------------------------
def test_flags_are_those_of_tensorflow_serving():
    options, notes = _options.parse(
        ["--port=1", "-rest_api_port=2", "--enable_batching", "--model_base_path", "/x",
         "--allow_version_labels_for_unavailable_models=true", "--flush_filesystem_caches=false"],
        {},
    )  # fmt: skip
    assert (options.port, options.rest_api_port, options.model_base_path) == (1, 2, "/x")
    assert options.enable_batching and options.allow_version_labels_for_unavailable_models
    assert options.model_name == "default" and "flush_filesystem_caches" in notes[0]


def test_the_environment_is_that_of_the_docker_image():
    def model(*flags, **environment):
        options, _ = _options.parse(flags, environment)
        return options.model_name, options.model_base_path

    assert model() == ("model", "/models/model")
    assert model(MODEL_NAME="a") == ("a", "/models/a")
    assert model(MODEL_NAME="a", MODEL_BASE_PATH="/b") == ("a", "/b/a")
    assert model("--model_name=c", "--model_base_path=/d", MODEL_NAME="a") == ("c", "/d")


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("--rest_port=1", "did you mean --rest_api_port"),
        ("--enable_batching=perhaps", "true or false"),
        ("--port=x", "--port"),
        ("--prefer_tflite_model", "not supported"),
        ("model", "unexpected argument"),
    ],
)
def test_a_wrong_flag_ends_the_server(flag, text, capsys):
    with pytest.raises(SystemExit) as ended:
        _options.parse([flag], {})
    assert ended.value.code == 2 and text in capsys.readouterr().err


# --- examples --------------------------------------------------------------
class Example:
    """A servable whose signatures take examples, and count their bytes."""

    name, version = "m", 1

    def __init__(self):
        from torchtf.serving._servable import Signature, _saved_model_class

        graph = _saved_model_class()().meta_graphs.add()
        for key, outputs in (
            ("classify", {"classes": 7, "scores": 1}),
            ("scores", {"scores": 1}),
            ("regress", {"outputs": 1}),
        ):
            made = graph.signature_def[key]
            made.inputs["inputs"].dtype = 7
            made.inputs["inputs"].tensor_shape.unknown_rank = True
            for name, dtype in outputs.items():
                made.outputs[name].dtype = dtype
        self.signatures = {k: Signature(k, graph.signature_def[k]) for k in graph.signature_def}

    def run(self, key, inputs):
        sizes = np.float32([[len(e)] for e in inputs["inputs"]])
        labels = np.array([[b"size"] for _ in sizes], object)
        outputs = {"classes": labels, "scores": sizes, "outputs": sizes}
        return {name: outputs[name] for name in self.signatures[key].outputs}


@pytest.fixture
def examples():
    """A core that serves `Example`."""
    import contextlib

    servable, runner = Example(), _batching.Single(1)

    class Manager:
        @contextlib.contextmanager
        def use(self, spec):
            yield servable

    yield _core.Core(Manager(), runner, _options.Options())
    runner.close()


def ask(core, method: str, signature: str, **request):
    body = {"signature_name": signature, "examples": [{"a": 1}, {"a": [1, 2]}]} | request
    answer = getattr(core, f"{method}_json")
    return json.loads(answer(spec(), json.dumps(body).encode(), _core.Deadline(120)))


def test_classify_and_regress(examples):
    sizes = [
        tf.train.Example(
            features=tf.train.Features(
                feature={"a": tf.train.Feature(int64_list=tf.train.Int64List(value=value))}
            )
        ).ByteSize()
        for value in ([1], [1, 2])
    ]
    assert ask(examples, "classify", "classify") == {"results": [[["size", s]] for s in sizes]}
    assert ask(examples, "classify", "scores") == {"results": [[["", s]] for s in sizes]}
    assert ask(examples, "regress", "regress") == {"results": sizes}
    (first, _) = ask(examples, "regress", "regress", context={"c": "text"})["results"]
    assert first > sizes[0]
    for method, signature, text in (
        ("classify", "regress", "at least one of"),
        ("regress", "classify", "Expected one output"),
        ("regress", "none", "none"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=text):
            ask(examples, method, signature)


def test_several_tasks_on_one_input(examples):
    from torchtf.tensorflow_serving.apis import inference_pb2

    request = inference_pb2.MultiInferenceRequest()
    _json.read_examples({"examples": [{"a": 1}]}, "", request.input)
    for method in ("classify", "regress"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "m", method
    first, second = examples.multi_inference(request, _core.Deadline(120)).results
    (label,) = first.classification_result.classifications[0].classes
    assert label.score == second.regression_result.regressions[0].value > 0
    assert second.model_spec.signature_name == "regress"
    request.tasks[1].method_name = "tensorflow/serving/predict"
    with pytest.raises(tf.errors.UnimplementedError):
        examples.multi_inference(request, _core.Deadline(120))


# --- HTTP ------------------------------------------------------------------
def test_the_requests_under_way_are_answered_before_the_server_ends():
    import http.client

    from torchtf.serving import _rest

    arrived, go_on = threading.Event(), threading.Event()

    class Slow:
        def answer(self, *request):
            arrived.set()
            assert go_on.wait(120)
            return 200, {}, b"done"

    server = _rest.RestServer(Slow(), 0, 4)
    server.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET", "/")
    assert arrived.wait(120)
    closing = threading.Thread(target=server.close, args=(120,))
    closing.start()
    while not server._server.draining:
        time.sleep(0.001)
    with pytest.raises(ConnectionError):
        http.client.HTTPConnection("127.0.0.1", server.port, timeout=120).connect()
    go_on.set()
    reply = connection.getresponse()
    assert (reply.read(), reply.headers["Connection"]) == (b"done", "close")
    closing.join()
    connection.close()
