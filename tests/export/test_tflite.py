"""TFLite files: sizes, types, operators, and that LiteRT computes what torch does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter

import export
from export.pipeline import Quantization, convert_saved_model
from tests.export.models import resnet


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def files(resnet_folder, images, tmp_path_factory):
    """One file for each quantization, with its report."""
    folder, made = tmp_path_factory.mktemp("tflite"), {}

    def get(name):
        if name not in made:
            quantization = Quantization.preset(name)
            calibration = {"serving_default": [{"image": i[None]} for i in images]}
            made[name] = (
                folder / f"{name}.tflite",
                convert_saved_model(
                    resnet_folder,
                    folder / f"{name}.tflite",
                    quantization,
                    signatures=["serving_default"],
                    calibration=calibration if "int" in name else None,
                    options=export.Options(quiet=True),
                ),
            )
        return made[name]

    return get


def weights_of(signatures):
    return sum(t.numel() for t in signatures[0].module.parameters())


def test_float32(files, resnet_signatures, images):
    path, report = files("float32")
    assert path.read_bytes()[4:8] == b"TFL3"
    runner = Interpreter(str(path)).get_signature_runner("serving_default")
    got = runner(image=images[:3])
    want = resnet_signatures[0].module(torch.from_numpy(images[:3]))[0].detach()
    np.testing.assert_allclose(got["probabilities"], want, rtol=1e-5, atol=1e-6)
    (check,) = report.artifacts[0].checks
    assert check.largest < 1e-5 and check.agreement == 1.0


def test_no_transposition(files):
    operators = files("float32")[1].artifacts[0].operators["serving_default"]
    assert "TRANSPOSE" not in operators and "PAD" not in operators
    assert operators["CONV_2D"] == 15


def test_inputs_and_outputs(files):
    interpreter = Interpreter(str(files("dynamic")[0]))
    (given,) = interpreter.get_input_details()
    assert given["dtype"] == np.uint8
    assert given["shape"].tolist() == [1, 32, 32, 3]
    assert given["shape_signature"].tolist() == [-1, 32, 32, 3]
    assert {d["dtype"] for d in interpreter.get_output_details()} == {np.float32, np.int64}


def test_sizes(files, resnet_signatures):
    float32, dynamic, float16, int8 = (
        files(name)[0].stat().st_size for name in ("float32", "dynamic", "float16", "int8-float")
    )
    weights = weights_of(resnet_signatures)
    assert 4 * weights < float32 < 4 * weights + 30_000
    assert weights < dynamic < 2 * weights
    assert float16 < 0.65 * float32
    assert int8 < 0.6 * float32


@pytest.mark.parametrize("name", ["float32", "dynamic", "float16", "int8-float", "int16x8"])
def test_agreement_with_the_source(name, files, resnet_signatures, images):
    path, _ = files(name)
    got = Interpreter(str(path)).get_signature_runner("serving_default")(image=images)
    want = resnet_signatures[0].module(torch.from_numpy(images))[0].detach().numpy()
    tolerance = {"float32": 1e-5, "float16": 5e-3, "dynamic": 0.05}.get(name, 0.1)
    assert np.abs(got["probabilities"] - want).max() < tolerance
    assert (got["probabilities"].argmax(1) == want.argmax(1)).mean() > 0.9
    assert got["class_ids"].dtype == np.int64


def test_quantized_weights_are_int8(files):
    for name in ("dynamic", "int8-float"):
        interpreter = Interpreter(str(files(name)[0]))
        interpreter.allocate_tensors()
        large = [
            t
            for t in interpreter.get_tensor_details()
            if np.prod(t["shape"]) >= 4096 and "w" in t["name"]
        ]
        kernels = [
            t
            for t in interpreter.get_tensor_details()
            if t["dtype"] == np.int8 and len(t["shape"]) == 4
        ]
        assert kernels, large


def test_two_signatures_in_one_file(resnet_folder, resnet_signatures, tmp_path, quiet, images):
    convert_saved_model(resnet_folder, tmp_path / "m.tflite", options=quiet)
    interpreter = Interpreter(str(tmp_path / "m.tflite"))
    assert set(interpreter.get_signature_list()) == {"serving_default", "features"}
    got = interpreter.get_signature_runner("features")(image=images[:2])["features"]
    want = resnet_signatures[1].module(torch.from_numpy(images[:2])).detach()
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    assert (tmp_path / "m.tflite").stat().st_size < 1.5 * 4 * weights_of(resnet_signatures)


def test_full_integer_inputs_and_outputs(tmp_path, quiet):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4))
    signature = export.Signature("f", model, [("x", "float32", [None, 16])], ["y"])
    samples = [{"x": np.random.default_rng(i).random((1, 16), np.float32)} for i in range(50)]
    for kind, dtype in (("int8", np.int8), ("uint8", np.uint8)):
        path = tmp_path / f"{kind}.tflite"
        export.export_tflite(signature, path, kind, calibration={"f": samples}, options=quiet)
        interpreter = Interpreter(str(path))
        assert interpreter.get_input_details()[0]["dtype"] == dtype
        assert interpreter.get_output_details()[0]["dtype"] == dtype
        assert interpreter.get_input_details()[0]["quantization"][0] == pytest.approx(
            1 / 255, rel=0.1
        )


def test_half_precision_source(tmp_path, quiet):
    signature = export.Signature(
        "serving_default", resnet(half=True), [("image", "uint8", [None, 32, 32, 3])],
        ["probabilities", "class_ids"],
    )  # fmt: skip
    report = export.export_tflite(signature, tmp_path / "m.tflite", "dynamic", options=quiet)
    assert report.artifacts[0].operators["serving_default"]["CONV_2D"] == 15


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (None, "representative_dataset"),
        ([], "representative_dataset"),
        ([{"image": np.zeros((1, 8, 8, 3), np.uint8)}], r"shape \[1, 8, 8, 3\], expected"),
        ([{"image": np.zeros((1, 32, 32, 3), np.float32)}], "float32, expected uint8"),
        ([{"picture": np.zeros((1, 32, 32, 3), np.uint8)}], "'picture'"),
    ],
)
def test_bad_calibration_data(samples, message, resnet_folder, tmp_path, quiet):
    calibration = None if samples is None else {"serving_default": samples}
    with pytest.raises(ValueError, match=message):
        convert_saved_model(
            resnet_folder, tmp_path / "m.tflite", Quantization.preset("int8-float"),
            calibration=calibration, signatures=["serving_default"], options=quiet,
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_unknown_signature(resnet_folder, tmp_path, quiet):
    with pytest.raises(ValueError, match="Invalid signature key"):
        convert_saved_model(
            resnet_folder, tmp_path / "m.tflite", signatures=["other"], options=quiet
        )
