"""Metadata of TFLite models: the wire format, the populator and the displayer."""

from __future__ import annotations

import json
import zipfile

import flatbuffers
import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as tflite
from ai_edge_litert.interpreter import Interpreter

import export
from torchtf.tflite_support import metadata as _metadata
from torchtf.tflite_support import metadata_schema_py_generated as fb


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.tflite"
    signature = export.Signature("f", torch.nn.Linear(4, 2), [("x", "float32", [None, 4])], ["y"])
    export.export_tflite(signature, path, options=export.Options(quiet=True))
    return path.read_bytes()


def describe(inputs=1, outputs=1, files=()):
    meta = fb.ModelMetadataT()
    meta.name, meta.version = "Classifier", "v1"
    subgraph = fb.SubGraphMetadataT()
    subgraph.inputTensorMetadata = [fb.TensorMetadataT() for _ in range(inputs)]
    subgraph.outputTensorMetadata = [fb.TensorMetadataT() for _ in range(outputs)]
    meta.subgraphMetadata = [subgraph]
    for name in files:
        file = fb.AssociatedFileT()
        file.name, file.type = name, fb.AssociatedFileType.TENSOR_AXIS_LABELS
        meta.associatedFiles = [*(meta.associatedFiles or []), file]
    return meta


def packed(meta):
    builder = flatbuffers.Builder(0)
    builder.Finish(meta.Pack(builder), b"M001")
    return bytes(builder.Output())


def test_a_full_image_classifier_survives_the_round_trip():
    meta = describe()
    image = meta.subgraphMetadata[0].inputTensorMetadata[0]
    image.name, image.dimensionNames = "image", ["batch", "height", "width", "channels"]
    image.content = fb.ContentT()
    image.content.contentPropertiesType = fb.ContentProperties.ImageProperties
    image.content.contentProperties = fb.ImagePropertiesT()
    image.content.contentProperties.colorSpace = fb.ColorSpaceType.RGB
    image.content.contentProperties.defaultSize = fb.ImageSizeT()
    image.content.contentProperties.defaultSize.width = 224
    unit = fb.ProcessUnitT()
    unit.optionsType = fb.ProcessUnitOptions.NormalizationOptions
    unit.options = fb.NormalizationOptionsT()
    unit.options.mean, unit.options.std = [127.5], [127.5, 1.0, 2.0]
    image.processUnits = [unit]
    image.stats = fb.StatsT()
    image.stats.max, image.stats.min = [1.0], [-1.0]
    meta.subgraphMetadata[0].customMetadata = [fb.CustomMetadataT()]
    meta.subgraphMetadata[0].customMetadata[0].data = [1, 2, 255]

    buffer = packed(meta)
    assert fb.ModelMetadata.ModelMetadataBufferHasIdentifier(buffer, 0)
    reader = fb.ModelMetadata.GetRootAsModelMetadata(buffer, 0)
    assert reader.Name() == b"Classifier" and reader.SubgraphMetadataLength() == 1
    tensor = reader.SubgraphMetadata(0).InputTensorMetadata(0)
    assert [tensor.DimensionNames(i) for i in range(4)] == [
        b"batch",
        b"height",
        b"width",
        b"channels",
    ]
    assert tensor.Content().ContentPropertiesType() == fb.ContentProperties.ImageProperties
    assert tensor.AssociatedFilesIsNone() and not tensor.ProcessUnitsIsNone()

    again = fb.ModelMetadataT.InitFromPackedBuf(buffer, 0)
    tensor = again.subgraphMetadata[0].inputTensorMetadata[0]
    assert tensor.content.contentProperties.defaultSize.width == 224
    assert tensor.processUnits[0].options.std == [127.5, 1.0, 2.0]
    assert again.subgraphMetadata[0].customMetadata[0].data == [1, 2, 255]
    assert packed(again) == buffer


def test_the_wire_format():
    # written out by hand: the slots of the vtable are the order of the fields in the schema
    reader = fb.ModelMetadata.GetRootAs(packed(describe()), 0)
    slots = {"name": 4, "description": 6, "version": 8, "subgraph_metadata": 10, "author": 12}
    for name, slot in slots.items():
        present = name in ("name", "version", "subgraph_metadata")
        assert bool(reader._tab.Offset(slot)) == present
    content = fb.ContentT()
    content.contentProperties, content.contentPropertiesType = fb.FeaturePropertiesT(), 1
    builder = flatbuffers.Builder(0)
    builder.Finish(content.Pack(builder))
    wire = fb.Content.GetRootAs(builder.Output(), 0)._tab
    assert wire.Offset(4) and wire.Offset(6) and not wire.Offset(8)  # type, value, range


def test_populate_a_file(tmp_path, model):
    (tmp_path / "m.tflite").write_bytes(model)
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    populator = _metadata.MetadataPopulator.with_model_file(tmp_path / "m.tflite")
    populator.load_metadata_buffer(packed(describe(files=[str(tmp_path / "labels.txt")])))
    populator.load_associated_files([tmp_path / "labels.txt"])
    assert populator.get_recorded_associated_file_list() == ["labels.txt"]
    populator.populate()

    blob = (tmp_path / "m.tflite").read_bytes()
    entries = tflite.Model.GetRootAs(blob, 0)
    names = [entries.Metadata(i).Name() for i in range(entries.MetadataLength())]
    assert names.count(b"TFLITE_METADATA") == 1 and b"min_runtime_version" in names
    with zipfile.ZipFile(tmp_path / "m.tflite") as archive:
        assert archive.read("labels.txt") == b"cat\ndog\n"
    displayer = _metadata.MetadataDisplayer.with_model_file(tmp_path / "m.tflite")
    shown = json.loads(displayer.get_metadata_json())
    assert shown["associated_files"] == [{"name": "labels.txt", "type": "TENSOR_AXIS_LABELS"}]
    assert shown["min_parser_version"] == "1.0.0"
    assert displayer.get_associated_file_buffer("labels.txt") == b"cat\ndog\n"
    x = np.ones((1, 4), np.float32)
    first, second = (
        Interpreter(model_content=b).get_signature_runner()(x=x)["y"] for b in (model, blob)
    )
    np.testing.assert_array_equal(first, second)


def test_populate_again_replaces_metadata_and_keeps_files(model):
    first = _metadata.MetadataPopulator.with_model_buffer(model)
    first.load_metadata_buffer(packed(describe(files=["a.txt"])))
    first.load_associated_file_buffers({"a.txt": b"a"})
    first.populate()
    second = _metadata.MetadataPopulator.with_model_buffer(first.get_model_buffer())
    meta = describe(files=["a.txt", "b.txt"])
    meta.name = "Second"
    second.load_metadata_buffer(packed(meta))
    second.load_associated_file_buffers({"b.txt": b"b"})
    second.populate()
    assert second.get_packed_associated_file_list() == ["a.txt", "b.txt"]
    shown = _metadata.MetadataDisplayer.with_model_buffer(second.get_model_buffer())
    assert json.loads(shown.get_metadata_json())["name"] == "Second"
    third = _metadata.MetadataPopulator.with_model_buffer(model)
    third.load_metadata_and_associated_files(second.get_model_buffer())
    third.populate()
    assert third.get_packed_associated_file_list() == ["a.txt", "b.txt"]


def test_minimum_parser_version(model):
    def version(change):
        meta = describe()
        change(meta.subgraphMetadata[0])
        populator = _metadata.MetadataPopulator.with_model_buffer(model)
        populator.load_metadata_buffer(packed(meta))
        populator.populate()
        shown = _metadata.MetadataDisplayer.with_model_buffer(populator.get_model_buffer())
        return json.loads(shown.get_metadata_json())["min_parser_version"]

    def audio(subgraph):
        content = subgraph.inputTensorMetadata[0].content = fb.ContentT()
        content.contentProperties, content.contentPropertiesType = fb.AudioPropertiesT(), 4

    def group(subgraph):
        subgraph.outputTensorGroups = [fb.TensorGroupT()]

    assert version(lambda subgraph: None) == "1.0.0"
    assert version(group) == "1.2.0"
    assert version(audio) == "1.3.0"


def test_errors(tmp_path, model):
    populate = _metadata.MetadataPopulator
    with pytest.raises(OSError):
        populate.with_model_file(tmp_path / "missing.tflite")
    with pytest.raises(ValueError, match="identifier"):
        populate.with_model_buffer(b"\0" * 100)
    populator = populate.with_model_buffer(model)
    with pytest.raises(ValueError, match="empty"):
        populator.load_metadata_buffer(b"")
    with pytest.raises(ValueError, match="identifier"):
        populator.load_metadata_buffer(b"\0" * 100)
    with pytest.raises(ValueError, match=r"input tensors \(1\).*\(2\)"):
        populator.load_metadata_buffer(packed(describe(inputs=2)))
    with pytest.raises(ValueError, match=r"output tensors"):
        populator.load_metadata_buffer(packed(describe(outputs=0)))
    with pytest.raises(OSError):
        populator.load_associated_files([tmp_path / "missing.txt"])
    populator.load_metadata_buffer(packed(describe(files=["labels.txt"])))
    with pytest.raises(ValueError, match=r"'labels\.txt', is recorded"):
        populator.populate()
    with pytest.raises(ValueError, match="does not have metadata"):
        _metadata.MetadataDisplayer.with_model_buffer(model)
    populator.load_associated_file_buffers({"labels.txt": b"", "other.txt": b""})
    with pytest.warns(UserWarning, match=r"other\.txt"):
        populator.populate()


def test_json_is_laid_out_as_by_flatc():
    meta = describe()
    image = meta.subgraphMetadata[0].inputTensorMetadata[0]
    unit = fb.ProcessUnitT()
    unit.optionsType = fb.ProcessUnitOptions.ScoreCalibrationOptions
    unit.options = fb.ScoreCalibrationOptionsT()
    unit.options.defaultScore = np.float32(0.2)
    image.processUnits = [unit]
    image.description = "{}"
    text = _metadata.convert_to_json(packed(meta))
    assert '\n          "description": "{}",\n' in text and '"default_score": 0.2\n' in text
    assert '"output_tensor_metadata": [\n        {\n        }\n      ]\n' in text
    assert text.endswith("\n}\n")


def test_empty_and_missing_files_are_named(model):
    for call, text in (
        (lambda: _metadata.MetadataPopulator.with_model_buffer(b""), "model_buf cannot be empty."),
        (
            lambda: _metadata.MetadataDisplayer.with_model_buffer(b""),
            "model_buffer cannot be empty.",
        ),
        (
            lambda: _metadata.MetadataDisplayer(model, b"0000widn", []),
            "The metadata buffer does not have the expected identifier, and may not be a valid "
            "TFLite Metadata.",
        ),
    ):
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value) == text
    populator = _metadata.MetadataPopulator.with_model_buffer(model)
    for call in (
        _metadata.MetadataPopulator.with_model_file,
        _metadata.MetadataDisplayer.with_model_file,
        populator.load_metadata_file,
        lambda name: populator.load_associated_files([name]),
    ):
        with pytest.raises(OSError) as error:
            call("nowhere")
        assert str(error.value) == "File, 'nowhere', does not exist."
