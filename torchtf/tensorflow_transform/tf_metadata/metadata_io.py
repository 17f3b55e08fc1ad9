"""`tensorflow_transform.tf_metadata.metadata_io`: the metadata of a dataset in a folder."""

from __future__ import annotations

import os

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from torchtf.core.files import write_atomically
from torchtf.tensorflow_transform.tf_metadata.dataset_metadata import DatasetMetadata

_FILE = "schema.pbtxt"


def read_metadata(path: str | os.PathLike) -> DatasetMetadata:
    """The metadata of a folder.

    Raises:
        OSError: if it cannot be read.
    """
    with open(os.path.join(path, _FILE), encoding="utf-8") as f:
        return DatasetMetadata(text_format.Parse(f.read(), schema_pb2.Schema()))


def write_metadata(metadata: DatasetMetadata, path: str | os.PathLike) -> None:
    """Writes the metadata into a folder, which is made.

    Raises:
        OSError: if it cannot be written.
    """
    os.makedirs(path, exist_ok=True)
    text = text_format.MessageToString(metadata.schema)
    write_atomically(os.path.join(path, _FILE), text.encode())
