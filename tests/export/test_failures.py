"""What goes wrong ends in one clear error, and leaves earlier artifacts as they were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import export
from export import client, errors, files, pipeline


def signature(module=None, shape=(None, 3)):
    return export.Signature("f", module or nn.ReLU(), [("x", "float32", list(shape))], ["y"])


@pytest.fixture
def previous(tmp_path):
    """A folder with an artifact of before."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"previous")
    (folder / "notes.txt").write_text("mine")
    return folder


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class NoOnnxForm(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = _Eigenvalues()

    def forward(self, x):
        return self.inner(x)


class _Eigenvalues(nn.Module):
    def forward(self, x):
        return torch.linalg.eigvalsh(x)


def test_an_operator_without_onnx_form_is_named_with_its_layer(previous, quiet):
    before = contents(previous)
    with pytest.raises(export.ExportError, match=r"eig.*inner"):
        export.export_saved_model(signature(NoOnnxForm(), (3, 3)), previous, options=quiet)
    assert contents(previous) == before
    assert os.listdir(previous.parent) == ["model"]


def test_a_size_that_the_model_fixes(tmp_path, quiet):
    class Fixed(nn.Module):
        def forward(self, x):
            return x + torch.ones(2, 3)

    with pytest.raises(export.ExportError, match="declared None"):
        export.export_saved_model(signature(Fixed()), tmp_path / "m", options=quiet)
    assert not list(tmp_path.iterdir())


def test_wrong_number_of_outputs(tmp_path, quiet):
    with pytest.raises(ValueError, match="names 1 outputs, but the model returns 2"):
        export.export_saved_model(signature(_Twice()), tmp_path / "m", options=quiet)


class _Twice(nn.Module):
    def forward(self, x):
        return x + 1, x + 2


def test_a_folder_that_cannot_be_written(tmp_path, quiet):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot write"):
        export.export_saved_model(signature(), tmp_path / "file" / "m", options=quiet)
    with pytest.raises(OSError, match="cannot write"):
        export.export_saved_model(signature(), tmp_path / "file", options=quiet)
    with pytest.raises(OSError, match="cannot write"):
        export.export_tflite(signature(), tmp_path, options=quiet)
    assert os.listdir(tmp_path) == ["file"]


def test_a_wrong_artifact_is_refused(previous, quiet, monkeypatch):
    before = contents(previous)
    real = pipeline.references

    def shifted(*args, **kwargs):
        found = real(*args, **kwargs)
        for reference in found:
            reference.outputs["y"] = reference.outputs["y"] + np.float32(0.01)
        return found

    monkeypatch.setattr(pipeline, "references", shifted)
    with pytest.raises(export.VerificationError, match="'y' is off by"):
        export.export_saved_model(signature(), previous, options=quiet)
    assert contents(previous) == before


def test_the_previous_artifact_is_replaced_and_other_files_stay(previous, quiet):
    export.export_saved_model(signature(), previous, options=quiet)
    after = contents(previous)
    assert after["notes.txt"] == b"mine" and after["saved_model.pb"] != b"previous"
    assert os.listdir(previous.parent) == ["model"]


def test_a_killed_worker_is_an_exception_and_the_next_export_works(previous, quiet, monkeypatch):
    before = contents(previous)
    client.call("ready")
    real = client.call

    def killed(command, **arguments):
        os.kill(client._worker.pid, signal.SIGKILL)
        return client._worker.call(command, **arguments)

    monkeypatch.setattr(client, "call", killed)
    with pytest.raises(export.WorkerError, match="TensorFlow process ended"):
        export.export_saved_model(signature(), previous, options=quiet)
    monkeypatch.setattr(client, "call", real)
    assert contents(previous) == before
    export.export_saved_model(signature(), previous, options=quiet)
    assert contents(previous) != before


def test_a_full_disk_is_an_os_error_and_leaves_the_previous_artifact(previous, tmp_path, quiet):
    before = contents(previous)
    with pytest.raises(OSError, match="No space left"), files.new_directory(previous) as work:
        (work / "saved_model.pb").write_bytes(b"new")
        with open("/dev/full", "w") as file:
            file.write("x")
    assert contents(previous) == before

    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        return  # only root may
    try:
        export.export_saved_model(signature(), disk / "model", options=quiet)
        export.export_tflite(signature(), disk / "model.tflite", options=quiet)
        before = contents(disk)
        large = signature(nn.Linear(800, 800), (None, 800))
        with pytest.raises(OSError, match="No space left"):
            export.export_saved_model(large, disk / "model", options=quiet)
        with pytest.raises(OSError, match="No space left"):
            export.export_tflite(large, disk / "model.tflite", options=quiet)
        assert contents(disk) == before
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_failed_installation_puts_everything_back(previous, monkeypatch):
    before, real = contents(previous), os.rename

    def failing(source, target):
        if os.path.basename(target) == "variables" and ".previous-" not in str(target):
            raise OSError(28, "No space left on device")
        real(source, target)

    with pytest.raises(OSError, match="No space left"), files.new_directory(previous) as work:
        (work / "saved_model.pb").write_bytes(b"new")
        (work / "variables").mkdir()
        monkeypatch.setattr(os, "rename", failing)
    assert contents(previous) == before


def test_a_missing_extra_is_one_clear_error(tmp_path):
    code = f"""
import sys, importlib.util
real = importlib.util.find_spec
gone = ("tensorflow", "onnx")
importlib.util.find_spec = lambda name, *a: None if name in gone else real(name, *a)
import torch, export
s = export.Signature("f", torch.nn.ReLU(), [("x", "float32", [2])], ["y"])
try:
    export.export_saved_model(s, {str(tmp_path / "m")!r})
except ImportError as error:
    print(error)
"""
    out = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert out.strip().endswith('pip install "torchtf[export]"') and "tensorflow, onnx" in out
    assert not list(tmp_path.iterdir())


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, export; assert not {'torch', 'tensorflow', 'onnx', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_environment_of_the_caller_does_not_reach_the_worker(monkeypatch, tmp_path, quiet):
    client.stop()
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("TF_CONFIG", "nonsense")
    export.export_saved_model(signature(), tmp_path / "m", options=quiet)


def test_error_of_an_unknown_quantization(tmp_path):
    with pytest.raises(ValueError, match="int4"):
        export.export_tflite(signature(), tmp_path / "m.tflite", "int4")
    assert errors.ExportError.__mro__[1] is ValueError


class _Image(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 2, 21, stride=2)

    def forward(self, image):
        batch = image[None] if image.dim() == 3 else image
        return self.convolution(batch.permute(0, 3, 1, 2)).mean((2, 3))


@pytest.mark.parametrize("shape", [[None, None, None, 3], [None, None, 3]])
def test_models_that_need_more_than_a_small_image_are_compared_with_one(shape, tmp_path, quiet):
    signature = export.Signature("f", _Image().eval(), [("image", "float32", shape)], ["y"])
    export.export_saved_model(signature, tmp_path / "m", options=quiet)
    for options in (quiet, export.Options(quiet=True, verify=False)):
        report = export.convert_saved_model(tmp_path / "m", tmp_path / "m.tflite", options=options)
        assert len(report.artifacts[0].checks) == options.verify


def test_an_index_beyond_a_small_vector(tmp_path, quiet):
    class Shifted(torch.nn.Module):
        def forward(self, x):
            return x[None] + x[3]

    signature = export.Signature("f", Shifted(), [("x", "float32", [None])], ["y"])
    report = export.export_tflite(signature, tmp_path / "m.tflite", options=quiet)
    assert report.artifacts[0].checks
