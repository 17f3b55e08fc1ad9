"""The command line: what it writes, its report and its exit status."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

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
    capsys.readouterr()
    assert run(*["--to", "tflite", "--output", "m.tflite"], *arguments.split()) == STATUS[kind]
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[-1] and lines[-1].startswith("error: ")
