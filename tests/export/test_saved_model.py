"""SavedModels: what is in them, and that TensorFlow computes the same."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import export
from tests.export.models import TwoInputs, resnet
from torchtf.core.tensor_bundle import BundleReader


def test_layout(resnet_folder):
    names = {str(p.relative_to(resnet_folder)) for p in resnet_folder.rglob("*")}
    assert {
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets",
        "assets.extra/torch/0.pt2",
    } <= names


def test_tensorflow_agrees_for_any_batch(resnet_folder, resnet_signatures, run):
    for batch in (1, 5):
        image = torch.randint(0, 256, (batch, 32, 32, 3), dtype=torch.uint8)
        got = run(
            "run_saved_model", {"image": image}, folder=resnet_folder, signature="serving_default"
        )
        probabilities, class_ids = resnet_signatures[0].module(image)
        np.testing.assert_allclose(
            got["probabilities"], probabilities.detach(), rtol=1e-5, atol=1e-6
        )
        assert got["class_ids"].dtype == np.int64
        np.testing.assert_array_equal(got["class_ids"], class_ids)


def test_each_weight_is_stored_once(resnet_folder, resnet_signatures):
    data = (resnet_folder / "variables" / "variables.data-00000-of-00001").stat().st_size
    network = resnet_signatures[0].module
    weights = sum(4 * t.numel() for t in [*network.parameters(), *network.buffers()])
    assert 0.8 * weights < data < weights + 20_000  # and yet two signatures use them


def test_variables_keep_the_names_and_layout_of_the_source(resnet_folder, resnet_signatures):
    checkpoint = BundleReader(str(resnet_folder / "variables" / "variables"))
    kernel = resnet_signatures[0].module.first.kernel.detach().numpy()
    shapes = checkpoint.get_variable_to_shape_map()
    same = [key for key, shape in shapes.items() if tuple(shape) == kernel.shape]
    found = [key for key in same if np.array_equal(checkpoint.get_tensor(key), kernel)]
    assert len(found) == 1 and "first.Skernel" in found[0]


def test_no_transposition_is_left(resnet_folder):
    report = json.loads(resnet_folder.with_suffix(".json").read_text())
    operators = report["artifacts"][0]["operators"]["serving_default"]
    assert "Transpose" not in operators and operators["Conv2D"] == 15


def test_own_signatures_load_without_tensorflow(resnet_folder, resnet_signatures, tmp_path):
    image = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    torch.save(image, tmp_path / "image.pt")
    code = f"""
import sys, torch, export
loaded = export.load({str(resnet_folder)!r})
out = loaded["serving_default"](torch.load({str(tmp_path / "image.pt")!r}))
torch.save([list(loaded), out], {str(tmp_path / "out.pt")!r})
assert not {{"tensorflow", "onnx", "keras"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    names, out = torch.load(tmp_path / "out.pt")
    assert names == ["serving_default", "features"]
    torch.testing.assert_close(out["probabilities"], resnet_signatures[0].module(image)[0])


def test_two_inputs_of_different_types_and_free_sizes(tmp_path, quiet, run):
    model = TwoInputs().eval()
    signature = export.Signature(
        "read",
        model,
        [("image", "uint8", [None, 8, 8, 3]), ("tokens", "int64", [None, None])],
        ["joined", "product"],
    )
    export.export_saved_model(signature, tmp_path / "m", options=quiet)
    image = torch.randint(0, 256, (3, 8, 8, 3), dtype=torch.uint8)
    tokens = torch.randint(0, 10, (3, 7))
    got = run(
        "run_saved_model",
        {"image": image, "tokens": tokens},
        folder=tmp_path / "m",
        signature="read",
    )
    for name, want in model(image, tokens).items():
        np.testing.assert_allclose(got[name], want.detach(), rtol=1e-5, atol=1e-5)


def test_half_precision_graphs_become_float32(tmp_path, quiet, run):
    model = resnet(half=True)
    signature = export.Signature(
        "serving_default",
        model,
        [("image", "uint8", [None, 32, 32, 3])],
        ["probabilities", "class_ids"],
    )
    report = export.export_saved_model(signature, tmp_path / "m", options=quiet)
    assert report.artifacts[0].operators["serving_default"]["Conv2D"] == 15
    image = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)
    got = run(
        "run_saved_model", {"image": image}, folder=tmp_path / "m", signature="serving_default"
    )
    assert got["probabilities"].dtype == np.float32
    float32 = resnet()(image)[0].detach()  # the same weights, computed in float32
    np.testing.assert_allclose(got["probabilities"], float32, rtol=1e-4, atol=1e-5)


class Odd(nn.Module):
    """Outputs that are inputs, constants, or the same tensor twice; an input that nothing reads."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.arange(6.0))

    def forward(self, x, unused):
        y = x * 2
        return x, y, y, self.table, self.table + 1


def test_odd_outputs(tmp_path, quiet, run):
    signature = export.Signature(
        "f", Odd(), [("x", "float32", [None, 3]), ("unused", "int32", [None])], list("abcde")
    )
    export.export_saved_model(signature, tmp_path / "m", options=quiet)
    x = np.ones((4, 3), np.float32)
    got = run(
        "run_saved_model",
        {"x": x, "unused": np.zeros(4, np.int32)},
        folder=tmp_path / "m",
        signature="f",
    )
    np.testing.assert_array_equal(got["a"], x)
    np.testing.assert_array_equal(got["b"], 2 * x)
    np.testing.assert_array_equal(got["c"], 2 * x)
    np.testing.assert_array_equal(got["e"], np.arange(1.0, 7.0))


def test_names_that_are_no_identifiers(tmp_path, quiet, run):
    signature = export.Signature("f", nn.ReLU(), [("Input-1", "float32", [2])], ["out.0"])
    export.export_saved_model(signature, tmp_path / "m", options=quiet)
    got = run(
        "run_saved_model", {"Input-1": np.float32([-1, 1])}, folder=tmp_path / "m", signature="f"
    )
    np.testing.assert_array_equal(got["out.0"], [0, 1])


def test_a_training_module_is_exported_in_evaluation_mode_and_left_as_it_was(tmp_path, quiet):
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.9))
    model[0].eval()
    signature = export.Signature("f", model, [("x", "float32", [None, 3])], ["y"])
    export.export_saved_model(signature, tmp_path / "m", options=quiet)
    assert model.training and not model[0].training and model[1].training


def test_assets_are_shipped(tmp_path, quiet):
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    signature = export.Signature("f", nn.ReLU(), [("x", "float32", [2])], ["y"])
    export.export_saved_model(
        signature, tmp_path / "m", assets=[tmp_path / "labels.txt"], options=quiet
    )
    assert (tmp_path / "m" / "assets" / "labels.txt").read_text() == "cat\ndog\n"


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ([("x", "float32", [2]), ("x", "float32", [2])], ["y"], "two inputs are named 'x'"),
        ([("x", "float32", [2])], ["y", "y"], "two outputs are named 'y'"),
        ([("x", "float32", [2])], [], "no outputs"),
        ([("x", "float99", [2])], ["y"], "float99"),
    ],
)
def test_bad_signatures(inputs, outputs, message):
    with pytest.raises((ValueError, TypeError), match=message):
        export.Signature("f", nn.ReLU(), inputs, outputs)


def test_a_model_with_dropout_is_verified(tmp_path, quiet):
    network = nn.Sequential(nn.Linear(3, 2), nn.Dropout())
    signature = export.Signature("f", network, [("x", "float32", [None, 3])], ["y"])
    report = export.export_saved_model(signature, tmp_path / "m", options=quiet)
    assert report.artifacts[0].checks
