"""The command line: what it writes, its report and its exit status."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from export import Options, Signature, export_saved_model, pipeline
from export.__main__ import STATUS, main


@pytest.fixture
def program(tmp_path):
    """A saved ExportedProgram, and data for it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)).eval()
    x = torch.randn(40, 6)
    free = ({0: torch.export.Dim.DYNAMIC},)
    torch.export.save(torch.export.export(model, (x,), dynamic_shapes=free), tmp_path / "m.pt2")
    labels = model(x).argmax(1)
    np.savez(tmp_path / "data.npz", input=x.numpy(), labels=labels.numpy())
    return tmp_path / "m.pt2"


def run(*arguments):
    return main([*map(str, arguments), "--quiet"])


def test_int8_with_accuracy_and_layers(program, tmp_path):
    data, report = tmp_path / "data.npz", tmp_path / "report.json"
    target = tmp_path / "m.tflite"
    status = run(
        program, "--to", "tflite", "--quantize", "int8", "--calibration", data, "--data", data,
        "--output", target, "--report", report, "--layers", "2",
    )  # fmt: skip
    assert status == 0 and target.read_bytes()[4:8] == b"TFL3"
    (artifact,) = json.loads(report.read_text())["artifacts"]
    assert artifact["bytes"] == target.stat().st_size
    assert artifact["operators"]["serving_default"]["FULLY_CONNECTED"] == 2
    (check,) = artifact["checks"]
    assert check["source_accuracy"] == 1.0 and check["accuracy"] > 0.9 and check["seconds"] > 0
    assert [layer["operator"] for layer in artifact["layers"]] == ["FULLY_CONNECTED"] * 2


def test_saved_model_then_tflite(program, tmp_path):
    assert run(program, "--to", "savedmodel", "--output", tmp_path / "sm") == 0
    assert run(tmp_path / "sm", "--to", "tflite", "--output", tmp_path / "m.tflite") == 0


def test_exit_status(program, tmp_path, capsys):
    target = tmp_path / "m.tflite"
    assert run("nosuch", "--to", "tflite", "--output", target) == STATUS["usage"]
    assert run("missing.pt2", "--to", "tflite", "--output", target) == STATUS["files"]
    assert run(program, "--to", "tflite", "--output", tmp_path) == STATUS["files"]
    assert run(program, "--to", "tflite", "--quantize", "int8", "--output", target) == 2
    tolerance = ["--tolerance", "1e-30"]
    status = run(program, "--to", "tflite", "--output", target, *tolerance)
    assert status in (0, STATUS["verification"])
    with pytest.raises(SystemExit) as error:
        main([])
    assert error.value.code == 2
    assert "error: " in capsys.readouterr().err


FACTORIES = """
import torch
number = 3
def linear(): return torch.nn.Linear(6, 3)
def nothing(): return 5
def broken(): raise RuntimeError("no weights here")
class Decides(torch.nn.Module):
    def forward(self, x): return x if x.sum() > 0 else -x
"""


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ("./none/1", "files", "no SavedModel and no model file"),
        ("bad.pt2", "files", "cannot read 'bad.pt2'"),
        ("bad.pt --input x:float32:?,6", "files", "cannot read 'bad.pt'"),
        ("bad.keras", "files", "cannot read 'bad.keras'"),
        ("factories:number --input x:float32:?,6", "usage", "is a int, no factory"),
        ("factories:nothing --input x:float32:?,6", "usage", "returns a int, no module"),
        ("factories:linear --input x:float32:?,5", "conversion", "does not take [[2, 5]]"),
        ("resnet18 --weights NONE", "usage", "has no such weights"),
        ("m.pt2 --output folder", "files", "error: cannot write"),
        ("m.pt2 --data bad.pt2", "files", "is no .npz file"),
        ("m.pt2 --data array.npy", "files", "is no .npz file"),
        ("m.pt2 --data number.npz", "usage", "'input' must be the samples"),
        ("m.pt2 --data empty.npz", "usage", "holds no arrays"),
        ("m.pt2 --data none.npz", "files", "none.npz: No such file"),
        ("m.pt2 --data data.npz --no-verify", "usage", "--data is to verify with"),
        ("m.pt2 --data labels.npz", "usage", "labels of the shape [4, 2] fit no output"),
        ("m.pt2 --data wide.npz", "usage", "expected float32[None, 6], got float64[4, 6]"),
        ("m.pt2 --quantize int8", "usage", "--quantize int8 needs samples"),
        ("m.pt2 --quantize int8 --calibration names.npz", "usage", "has no input 'inputs'"),
        ("m.pt2 --quantize int8 --calibration narrow.npz", "usage", "[1, 5], expected [None, 6]"),
        ("m.pt2 --quantize dynamic --calibration data.npz", "usage", "--calibration is for"),
        ("m.pt2 --layers 3", "usage", "--layers is for"),
        ("m.pt2 --to savedmodel --quantize int8", "usage", "--quantize is for TFLite"),
        ("m.pt2 --weights DEFAULT", "usage", "--weights is not for"),
        ("m.pt2 --channels-last", "usage", "--channels-last is not for an exported program"),
        ("m.pt2 --report folder", "files", "error: cannot write"),
        ("m.pt2 --output m.pt2/x", "files", "m.pt2' is no folder"),
        ("m.pt2 --input :float32:?,6", "usage", "expected name:dtype:sizes"),
        ("m.pt2 --input x:float33:?,6", "usage", "unknown dtype 'float33'"),
        ("m.pt2 --input x:float32:?,,6", "usage", "'' is no size"),
        ("script.pt --input x:float32:?,6", "usage", "no module of Python code"),
        ("factories:broken", "usage", "RuntimeError: no weights here (factories.py, line 6)"),
        ("none.py:linear", "files", "there is no file 'none.py'"),
        ("factories.py:none", "usage", "has no attribute 'none'"),
        ("factories:Decides --input x:float32:?,6", "conversion", "(factories.py, line 8), which"),
        ("resnet81", "usage", "did you mean 'resnet18'?"),
        ("saved --signature none", "usage", "Invalid signature key 'none'"),
        ("saved --outputs y", "usage", "--outputs is not for a SavedModel"),
        ("saved --data data.npz", "usage", "for one signature; choose it with --signature: f, g"),
    ],
)
def test_a_mistake_is_one_line(program, tmp_path, monkeypatch, capsys, arguments, kind, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("bad.pt2", "bad.pt", "bad.keras"):
        (tmp_path / name).write_text("x")
    (tmp_path / "factories.py").write_text(FACTORIES)
    (tmp_path / "folder").mkdir()
    np.save("array.npy", np.ones((4, 6), np.float32))
    np.savez("number.npz", input=np.float32(3))
    np.savez("empty.npz")
    x = np.ones((4, 6), np.float32)
    np.savez("labels.npz", input=x, labels=np.zeros((4, 2)))
    np.savez("wide.npz", input=x.astype(np.float64))
    np.savez("names.npz", inputs=x)
    np.savez("narrow.npz", input=x[:, :5])
    if "script" in arguments:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.save(torch.jit.trace(nn.ReLU(), torch.ones(2, 6)), "script.pt")
    if "saved" in arguments.split():
        module = nn.ReLU()
        both = [Signature(name, module, [("x", "float32", [None, 6])], ["y"]) for name in "fg"]
        export_saved_model(both, "saved", options=Options(quiet=True))
    before = sorted(os.listdir("."))
    capsys.readouterr()
    assert run(*["--to", "tflite", "--output", "m.tflite"], *arguments.split()) == STATUS[kind]
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[-1] and lines[-1].startswith("error: ")
    left = set(os.listdir(".")) - set(before)
    assert left <= {"__pycache__"}


def test_a_file_with_a_factory_and_a_signature_of_several(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some_factories.py").write_text(FACTORIES)
    given = ["some_factories.py:linear", "--input", "x:float32:batch,6", "--signature", "predict"]
    assert run(*given, "--to", "savedmodel", "--output", "saved") == 0
    np.savez("data.npz", x=np.ones((4, 6), np.float32))
    convert = ["saved", "--to", "tflite", "--quantize", "int8", "--calibration", "data.npz"]
    assert run(*convert, "--output", "m.tflite") == 0
    from ai_edge_litert.interpreter import Interpreter

    (detail,) = Interpreter("m.tflite").get_input_details()
    assert detail["dtype"] == np.int8  # the samples are those of the one signature


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_export_leaves_nothing(program, tmp_path, monkeypatch, capsys, number):
    def interrupted(*_):
        os.kill(os.getpid(), number)

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(pipeline, "write_onnx", interrupted)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    target = tmp_path / "out" / "m.tflite"
    try:
        status = run(program, "--to", "tflite", "--output", target)
    except SystemExit as ended:
        status = ended.code
    assert status == 128 + number
    assert not os.listdir(target.parent)
    assert not [name for name in os.listdir(scratch) if not name.startswith("export-worker-")]
