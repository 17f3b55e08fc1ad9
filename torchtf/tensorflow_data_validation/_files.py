"""Statistics, schemas and anomalies in files: written whole or not at all."""

from __future__ import annotations

import os

from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from torchtf.core.files import write_atomically
from torchtf.tensorflow_data_validation._paths import check_type

Path = str | os.PathLike


def _read(path: Path) -> bytes:
    with open(path, "rb") as f:
        return f.read()


def _write_text(message: Message, path: Path) -> None:
    write_atomically(path, text_format.MessageToString(message).encode())


def load_stats_binary(input_path: Path) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of a file in binary form (source: `tfdv.load_stats_binary`).

    Raises:
        OSError: if it cannot be read.
        google.protobuf.message.DecodeError: if it holds none.
    """
    return statistics_pb2.DatasetFeatureStatisticsList.FromString(_read(input_path))


def write_stats_binary(
    stats: statistics_pb2.DatasetFeatureStatisticsList, output_path: Path
) -> None:
    """Writes statistics in binary form."""
    write_atomically(output_path, stats.SerializeToString(deterministic=True))


def load_stats_text(input_path: Path) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of a file in text form (source: `tfdv.load_stats_text`).

    Raises:
        OSError: if it cannot be read.
        google.protobuf.text_format.ParseError: if it holds none.
    """
    return text_format.Parse(_read(input_path), statistics_pb2.DatasetFeatureStatisticsList())


def write_stats_text(stats: statistics_pb2.DatasetFeatureStatisticsList, output_path: Path) -> None:
    """Writes statistics in text form (source: `tfdv.write_stats_text`).

    Raises:
        TypeError: for what are no statistics.
        OSError: if the file cannot be written.
    """
    check_type(stats, statistics_pb2.DatasetFeatureStatisticsList, "stats")
    _write_text(stats, output_path)


def load_statistics(input_path: Path) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of a TFRecord file with one message, or of a file in binary or text form
    (source: `tfdv.load_statistics`).

    Raises:
        OSError: if it cannot be read.
        google.protobuf.text_format.ParseError: if it holds none.
    """
    from google.protobuf.message import DecodeError

    from torchtf.core import errors
    from torchtf.tfx_bsl._records import records

    try:
        found = list(records([os.fspath(input_path)]))
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(found[0])
    except (errors.OpError, DecodeError, IndexError):
        pass
    try:
        return load_stats_binary(input_path)
    except DecodeError:
        return load_stats_text(input_path)


def load_schema_text(input_path: Path) -> schema_pb2.Schema:
    """The schema of a file in text form (source: `tfdv.load_schema_text`).

    Raises:
        OSError: if it cannot be read.
        google.protobuf.text_format.ParseError: if it holds none.
    """
    return text_format.Parse(_read(input_path), schema_pb2.Schema())


def write_schema_text(schema: schema_pb2.Schema, output_path: Path) -> None:
    """Writes a schema in text form (source: `tfdv.write_schema_text`).

    Raises:
        TypeError: for what is no schema.
        OSError: if the file cannot be written.
    """
    check_type(schema, schema_pb2.Schema, "schema")
    _write_text(schema, output_path)


def load_anomalies_text(input_path: Path) -> anomalies_pb2.Anomalies:
    """The anomalies of a file in text form (source: `tfdv.load_anomalies_text`).

    Raises:
        OSError: if it cannot be read.
        google.protobuf.text_format.ParseError: if it holds none.
    """
    return text_format.Parse(_read(input_path), anomalies_pb2.Anomalies())


def load_anomalies_binary(input_path: Path) -> anomalies_pb2.Anomalies:
    """The anomalies of a file in binary form, as ExampleValidator writes it.

    Raises:
        OSError: if it cannot be read.
        google.protobuf.message.DecodeError: if it holds none.
    """
    return anomalies_pb2.Anomalies.FromString(_read(input_path))


def write_anomalies_text(anomalies: anomalies_pb2.Anomalies, output_path: Path) -> None:
    """Writes anomalies in text form (source: `tfdv.write_anomalies_text`).

    Raises:
        TypeError: for what are none.
        OSError: if the file cannot be written.
    """
    check_type(anomalies, anomalies_pb2.Anomalies, "anomalies")
    _write_text(anomalies, output_path)
