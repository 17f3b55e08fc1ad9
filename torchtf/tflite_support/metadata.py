"""Writes metadata and label files into TFLite models, and shows them (source:
`tflite_support.metadata`).

The metadata is a FlatBuffer (`metadata_schema_py_generated`) in a buffer of the model that an entry
``TFLITE_METADATA`` of its metadata list points to. Associated files are a zip archive behind the
model, so that the file is both.
"""

from __future__ import annotations

import io
import json
import os
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping

import flatbuffers

from torchtf.tflite_support import metadata_schema_py_generated as _schema

_FIELD = "TFLITE_METADATA"


class MetadataPopulator:
    """Packs metadata and associated files into a model file or buffer.

    Raises:
        OSError: if the file is missing.
        ValueError: if it is no TFLite model.
    """

    METADATA_FIELD_NAME = _FIELD
    TFLITE_FILE_IDENTIFIER = b"TFL3"
    METADATA_FILE_IDENTIFIER = b"M001"

    def __init__(self, model_file: str | os.PathLike | None, model_buf: bytes | None = None):
        self._model_file = None if model_file is None else os.fspath(model_file)
        self._model = _read(model_file) if model_buf is None else bytes(model_buf)
        _check_identifier(self._model, _MODEL)
        self._metadata: bytes | None = None
        self._associated_files: dict[str, bytes] = {}

    @classmethod
    def with_model_file(cls, model_file: str | os.PathLike) -> MetadataPopulator:
        """A populator that changes a file."""
        return cls(model_file)

    @classmethod
    def with_model_buffer(cls, model_buf: bytes) -> MetadataPopulator:
        """A populator that changes a copy of a buffer; see `get_model_buffer`.

        Raises:
            ValueError: if it is empty, or no TFLite model.
        """
        if not model_buf:
            raise ValueError("model_buf cannot be empty.")
        return cls(None, model_buf)

    def get_model_buffer(self) -> bytearray:
        """The model with what was populated."""
        return bytearray(self._model)

    def get_packed_associated_file_list(self) -> list[str]:
        """The names of the files in the model."""
        return list(_packed(self._model))

    def get_recorded_associated_file_list(self) -> list[str]:
        """The names of the files that the loaded metadata speaks of."""
        if self._metadata is None:
            return []
        return [_text(f.name) for f in _files(_parse(self._metadata))]

    def load_associated_file_buffers(self, associated_files: Mapping[str, bytes]) -> None:
        """Takes files given as name and content."""
        for name, content in associated_files.items():
            self._associated_files[os.path.basename(name)] = bytes(content)

    def load_associated_files(self, associated_files: Iterable[str | os.PathLike]) -> None:
        """Takes files from the disk, under their base names.

        Raises:
            OSError: if one is missing.
        """
        for name in associated_files:
            self.load_associated_file_buffers({os.fspath(name): _read(name)})

    def load_metadata_buffer(self, metadata_buf: bytes) -> None:
        """Takes metadata; fills in the parser version that it needs.

        Raises:
            ValueError: if it is empty, of another format, or does not fit the model's inputs and
            outputs.
        """
        if not metadata_buf:
            raise ValueError("The metadata to be populated is empty.")
        _check_identifier(metadata_buf, _METADATA)
        metadata = _parse(metadata_buf)
        self._check_tensors(metadata)
        metadata.minParserVersion = _minimum_version(metadata)
        for file in _files(metadata):
            file.name = os.path.basename(_text(file.name))
        builder = flatbuffers.Builder(0)
        builder.Finish(metadata.Pack(builder), self.METADATA_FILE_IDENTIFIER)
        self._metadata = bytes(builder.Output())

    def load_metadata_file(self, metadata_file: str | os.PathLike) -> None:
        """Takes metadata from a file; see `load_metadata_buffer`."""
        self.load_metadata_buffer(_read(metadata_file))

    def load_metadata_and_associated_files(self, src_model_buf: bytes) -> None:
        """Takes metadata and files of another model."""
        buffer = get_metadata_buffer(src_model_buf)
        if buffer:
            self.load_metadata_buffer(buffer)
        self.load_associated_file_buffers(_packed(bytes(src_model_buf)))

    def populate(self) -> None:
        """Writes everything that was loaded into the model.

        Raises:
            ValueError: if the metadata speaks of a file that is neither loaded nor packed, or a
                loaded one is packed already.
        """
        packed, recorded = _packed(self._model), self.get_recorded_associated_file_list()
        for name in recorded:
            if name not in self._associated_files and name not in packed:
                raise ValueError(
                    f"File, '{name}', is recorded in the metadata, but has not been loaded into "
                    f"the "
                    "populator."
                )
        for name in self._associated_files:
            if name in packed:
                raise ValueError(f"File, '{name}', has already been packed.")
            if name not in recorded:
                warnings.warn(
                    f"File, '{name}', does not exist in the metadata. But packing it to tflite "
                    f"model is "
                    "still allowed.",
                    stacklevel=2,
                )
        model = (
            self._model if self._metadata is None else _with_metadata(self._model, self._metadata)
        )
        files = {**packed, **self._associated_files}
        self._model = (
            _with_files(model, files) if self._metadata or self._associated_files else model
        )
        if self._model_file is not None:
            unfinished = f"{self._model_file}.partial-{os.getpid()}"
            try:
                with open(unfinished, "wb") as file:
                    file.write(self._model)
                os.replace(unfinished, self._model_file)
            finally:
                if os.path.exists(unfinished):
                    os.unlink(unfinished)

    def _check_tensors(self, metadata) -> None:
        subgraphs = metadata.subgraphMetadata or []
        if len(subgraphs) != 1:
            raise ValueError(
                f"The number of SubgraphMetadata should be exactly one, but got {len(subgraphs)}."
            )
        subgraph = _model(self._model).Subgraphs(0)
        for kind, count, given in (
            ("input", subgraph.InputsLength(), subgraphs[0].inputTensorMetadata),
            ("output", subgraph.OutputsLength(), subgraphs[0].outputTensorMetadata),
        ):
            if count != len(given or []):
                raise ValueError(
                    f"The number of {kind} tensors ({count}) should match the number of {kind} "
                    f"tensor "
                    f"metadata ({len(given or [])})"
                )


class MetadataDisplayer:
    """Shows the metadata and the associated files of a model.

    Raises:
        ValueError: if a buffer is of another format.
    """

    def __init__(
        self, model_buffer: bytes, metadata_buffer: bytes, associated_file_list: Iterable[str]
    ):
        _check_identifier(model_buffer, _MODEL)
        _check_identifier(metadata_buffer, _METADATA)
        self._model, self._metadata = model_buffer, metadata_buffer
        self._files = list(associated_file_list)

    @classmethod
    def with_model_file(cls, model_file: str | os.PathLike) -> MetadataDisplayer:
        """A displayer for a file.

        Raises:
            OSError: if the file is missing.
            ValueError: if it is no TFLite model, or has no metadata.
        """
        return cls.with_model_buffer(_read(model_file))

    @classmethod
    def with_model_buffer(cls, model_buffer: bytes) -> MetadataDisplayer:
        """A displayer for a buffer.

        Raises:
            ValueError: if it is empty, no TFLite model, or has no metadata.
        """
        if not model_buffer:
            raise ValueError("model_buffer cannot be empty.")
        model = bytes(model_buffer)
        metadata = get_metadata_buffer(model)
        if not metadata:
            raise ValueError("The model does not have metadata.")
        return cls(model, metadata, _packed(model))

    def get_metadata_buffer(self) -> bytearray:
        """The FlatBuffer of the metadata."""
        return bytearray(self._metadata)

    def get_metadata_json(self) -> str:
        """The metadata as JSON."""
        return convert_to_json(self._metadata)

    def get_packed_associated_file_list(self) -> list[str]:
        """The names of the files in the model."""
        return list(self._files)

    def get_associated_file_buffer(self, filename: str) -> bytes:
        """The content of a file in the model.

        Raises:
            ValueError: if it is not there.
        """
        if filename not in self._files:
            raise ValueError(f"The file, {filename}, does not exist in the model.")
        return _packed(self._model)[filename]


def convert_to_json(metadata_buffer: bytes) -> str:
    """A metadata FlatBuffer as JSON, with the names of the schema, laid out as flatc does."""
    metadata = _parse(metadata_buffer)
    text = json.dumps(_schema.SCHEMA.to_json("ModelMetadata", metadata), indent=2)
    return re.sub(r"^( *)(.*)\{\}(,?)$", r"\1\2{\n\1}\3", text, flags=re.MULTILINE) + "\n"


def get_metadata_buffer(model_buf: bytes) -> bytes | None:
    """The metadata FlatBuffer of a model; None if there is none."""
    model = _model(bytes(model_buf))
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        if entry.Name() == _FIELD.encode():
            return bytes(bytearray(model.Buffers(entry.Buffer()).DataAsNumpy()))
    return None


def _parse(buffer: bytes):
    return _schema.ModelMetadataT.InitFromPackedBuf(bytearray(buffer), 0)  # type: ignore[attr-defined]


def _tflite():
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise ImportError(
            'metadata of TFLite models needs ai-edge-litert: pip install "torchtf[export]"'
        ) from error
    return schema_py_generated


def _model(buffer: bytes):
    return _tflite().Model.GetRootAs(buffer, 0)


_MODEL = (MetadataPopulator.TFLITE_FILE_IDENTIFIER, "model provided", "TFLite model")
_METADATA = (MetadataPopulator.METADATA_FILE_IDENTIFIER, "metadata buffer", "TFLite Metadata")


def _check_identifier(buffer: bytes, kind: tuple[bytes, str, str]) -> None:
    identifier, given, wanted = kind
    if bytes(buffer[4:8]) != identifier:
        raise ValueError(
            f"The {given} does not have the expected identifier, and may not be a valid {wanted}."
        )


def _with_metadata(buffer: bytes, metadata: bytes) -> bytes:
    """The model (without its archive) with a metadata buffer, which replaces an earlier one."""
    schema = _tflite()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(buffer, 0))
    content = schema.BufferT()
    content.data = list(metadata)
    model.metadata = model.metadata or []
    found = [entry for entry in model.metadata if _text(entry.name) == _FIELD]
    if found:
        model.buffers[found[0].buffer] = content
    else:
        model.buffers = [*(model.buffers or []), content]
        entry = schema.MetadataT()
        entry.name, entry.buffer = _FIELD, len(model.buffers) - 1
        model.metadata.append(entry)
    builder = flatbuffers.Builder(len(buffer) + len(metadata) + 1024)
    builder.Finish(model.Pack(builder), MetadataPopulator.TFLITE_FILE_IDENTIFIER)
    return bytes(builder.Output())


def _packed(buffer: bytes) -> dict[str, bytes]:
    """The files in the archive behind a model."""
    if not zipfile.is_zipfile(io.BytesIO(buffer)):
        return {}
    with zipfile.ZipFile(io.BytesIO(buffer)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _with_files(buffer: bytes, files: Mapping[str, bytes]) -> bytes:
    """The model with an archive of `files` behind it, in place of an earlier one."""
    file = io.BytesIO(_without_archive(buffer))
    if files:
        with zipfile.ZipFile(file, "a") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    return file.getvalue()


def _without_archive(buffer: bytes) -> bytes:
    if not zipfile.is_zipfile(io.BytesIO(buffer)):
        return buffer
    with zipfile.ZipFile(io.BytesIO(buffer)) as archive:
        starts = [info.header_offset for info in archive.infolist()]
        return buffer[: min(starts, default=archive.start_dir)]


def _files(metadata) -> Iterator:
    """All associated files that metadata speaks of."""
    yield from metadata.associatedFiles or []
    for subgraph in metadata.subgraphMetadata or []:
        yield from subgraph.associatedFiles or []
        tensors = [*(subgraph.inputTensorMetadata or []), *(subgraph.outputTensorMetadata or [])]
        units = [*(subgraph.inputProcessUnits or []), *(subgraph.outputProcessUnits or [])]
        for tensor in tensors:
            yield from tensor.associatedFiles or []
            units += tensor.processUnits or []
        for unit in units:
            yield from getattr(unit.options, "vocabFile", None) or []
            yield from getattr(unit.options, "sentencePieceModel", None) or []


def _minimum_version(metadata) -> str:
    """The version of the schema that brought the newest thing used."""
    needed = {(1, 0, 0)}
    kinds = _schema.AssociatedFileType, _schema.ContentProperties, _schema.ProcessUnitOptions  # type: ignore[attr-defined]
    file_type, content_type, option_type = kinds
    for file in _files(metadata):
        needed.add(
            {file_type.VOCABULARY: (1, 0, 1), file_type.SCANN_INDEX_FILE: (1, 4, 0)}.get(
                file.type, (1, 0, 0)
            )
        )
        if file.version:
            needed.add((1, 4, 1))
    for subgraph in metadata.subgraphMetadata or []:
        tensors = [*(subgraph.inputTensorMetadata or []), *(subgraph.outputTensorMetadata or [])]
        own = [*(subgraph.inputProcessUnits or []), *(subgraph.outputProcessUnits or [])]
        needed |= {(1, 1, 0)} if own else set()
        needed |= (
            {(1, 2, 0)} if subgraph.inputTensorGroups or subgraph.outputTensorGroups else set()
        )
        needed |= {(1, 5, 0)} if subgraph.customMetadata else set()
        for unit in [*own, *(u for t in tensors for u in t.processUnits or [])]:
            versions = {
                option_type.BertTokenizerOptions: (1, 1, 0),
                option_type.SentencePieceTokenizerOptions: (1, 1, 0),
                option_type.RegexTokenizerOptions: (1, 2, 1),
            }
            needed.add(versions.get(unit.optionsType, (1, 0, 0)))
        contents = (t.content for t in tensors if t.content is not None)
        if any(c.contentPropertiesType == content_type.AudioProperties for c in contents):
            needed.add((1, 3, 0))
    return ".".join(map(str, max(needed)))


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def _read(path) -> bytes:
    if not os.path.exists(path):
        raise FileNotFoundError(f"File, '{os.fspath(path)}', does not exist.")
    with open(path, "rb") as file:
        return file.read()
