"""Statistics of TFRecord files, CSV files and data frames."""

from __future__ import annotations

import glob
import math
import os
import random
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from torchtf.core.proto_types import Example
from torchtf.tensorflow_data_validation._accumulate import BYTES, FLOAT, INT, Accumulator
from torchtf.tensorflow_data_validation._files import write_stats_binary
from torchtf.tensorflow_data_validation._options import StatsOptions
from torchtf.tfx_bsl._csv import CONVERTERS, column_types, header_of, rows_of
from torchtf.tfx_bsl._records import records

Values = Iterable[tuple[str, str | None, Sequence]]
_TYPES = {schema_pb2.INT: INT, schema_pb2.FLOAT: FLOAT, schema_pb2.BYTES: BYTES}


def generate_statistics_from_tfrecord(
    data_location: str | os.PathLike,
    output_path: str | os.PathLike | None = None,
    stats_options: StatsOptions | None = None,
    pipeline_options=None,
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of the `tf.train.Example`s of TFRecord files (source: the function of TFDV).

    Args:
        data_location: a file or a pattern of files, perhaps compressed with GZIP.
        output_path: where to write them, as a message in binary form.
        stats_options: `StatsOptions`.
        pipeline_options: None: there is no Beam.

    Raises:
        OSError: if no file matches.
        TypeError: if a feature has values of several types.
        tf.errors.DataLossError: for a file that is damaged.
    """
    _no_pipeline(pipeline_options)
    return statistics_of(
        map(example_values, records(_matching(data_location))), stats_options, output_path
    )


def generate_statistics_from_csv(
    data_location: str | os.PathLike,
    column_names: list[str] | None = None,
    delimiter: str = ",",
    output_path: str | os.PathLike | None = None,
    stats_options: StatsOptions | None = None,
    pipeline_options=None,
    compression_type: str = "auto",
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of CSV files (source: the function of TFDV).

    Args:
        data_location: a file or a pattern of files.
        column_names: the columns; without them the first line of each file is a header.
        delimiter: what is between cells.
        output_path, stats_options: as for TFRecord files; with `infer_type_from_schema` the schema
            tells the types of columns.
        pipeline_options: None: there is no Beam.
        compression_type: ``auto``: a file that is not compressed.

    Raises:
        OSError: if no file matches.
        ValueError: for files with different headers, or a line with another number of cells.
        NotImplementedError: for a compression.
    """
    _no_pipeline(pipeline_options)
    if compression_type not in ("auto", None):
        raise NotImplementedError(
            "generate_statistics_from_csv(compression_type=...) is not supported: unpack the files"
        )
    options = stats_options or StatsOptions()
    paths = _matching(data_location)
    header = column_names or header_of(paths[0], delimiter)
    for path in paths:
        if column_names is None and header_of(path, delimiter) != header:
            raise ValueError(f"Files have different headers: {paths[0]} and {path}.")

    def rows() -> Iterator[list[str]]:
        for path in paths:
            yield from rows_of(path, len(header), delimiter, column_names is None)

    if options.infer_type_from_schema and options.schema is not None:
        known = {f.name: _TYPES.get(f.type, "") for f in options.schema.feature}
        kinds = [known.get(name, "") for name in header]
    else:
        kinds = column_types(rows(), len(header))

    def values(row: list[str]) -> Values:
        for name, kind, cell in zip(header, kinds, row, strict=True):
            missing = not cell or not kind
            yield (name, None, ()) if missing else (name, kind, (CONVERTERS[kind](cell),))

    return statistics_of(map(values, rows()), options, output_path)


def generate_statistics_from_dataframe(
    dataframe, stats_options: StatsOptions | None = None, n_jobs: int = 1
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of a pandas data frame (source: the function of TFDV).

    Args:
        dataframe: the data frame. A value that is missing, None or (in a column of objects) NaN,
            is none; a list is several values.
        stats_options: `StatsOptions`.
        n_jobs: ignored but for its sign: one process is enough.

    Raises:
        TypeError: for what is no data frame, or a column of other values.
        ValueError: for less than one job.
    """
    if not hasattr(dataframe, "columns") or not hasattr(dataframe, "itertuples"):
        raise TypeError(f"dataframe argument is of type {type(dataframe).__name__}. Must be a "
                        "pandas DataFrame.")  # fmt: skip
    if n_jobs < 1:
        raise ValueError(f"Invalid n_jobs parameter {n_jobs}. Should be either 1 or greater.")
    names = [str(c) for c in dataframe.columns]

    def values(row: tuple) -> Values:
        for name, value in zip(names, row, strict=True):
            yield name, *_python_values(name, value)

    rows = dataframe.itertuples(index=False, name=None)
    return statistics_of(map(values, rows), stats_options, None)


def statistics_of(
    examples: Iterable[Values], options: StatsOptions | None, output_path
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of examples."""
    options = options or StatsOptions()
    accumulator = Accumulator(options)
    choose = random.Random(0).random
    for example in examples:
        if options.sample_rate is None or choose() < options.sample_rate:
            accumulator.add(example)
    result = accumulator.result()
    if output_path is not None:
        write_stats_binary(result, output_path)
    return result


def example_values(record: bytes) -> Values:
    """The features of a serialized example."""
    for name, feature in sorted(Example.FromString(record).features.feature.items()):
        kind = feature.WhichOneof("kind")
        if kind is None:
            yield name, None, ()
        else:
            yield name, kind.removesuffix("_list"), getattr(feature, kind).value


def _python_values(name: str, value) -> tuple[str | None, Sequence]:
    """The type and the values of an entry of a data frame."""
    many = isinstance(value, (list, tuple, np.ndarray))
    found = list(value) if many else [value]
    if not many and (value is None or _is_missing(value)):
        return None, ()
    if not found:
        return None, ()
    first = found[0]
    if isinstance(first, (bool, np.bool_, int, np.integer)):
        return INT, [int(v) for v in found]
    if isinstance(first, (float, np.floating)):
        return FLOAT, [float(v) for v in found]
    if isinstance(first, (str, bytes)):
        return BYTES, [v.encode() if isinstance(v, str) else v for v in found]
    raise TypeError(f"Column {name!r} has values of type {type(first).__name__}, which is not "
                    "supported.")  # fmt: skip


def _is_missing(value) -> bool:
    if isinstance(value, (float, np.floating)):
        return math.isnan(value)
    return type(value).__name__ in ("NAType", "NaTType")


def _no_pipeline(options) -> None:
    if options is not None:
        raise NotImplementedError(
            "pipeline_options are those of Apache Beam, which is not there; leave them out"
        )


def _matching(location: str | os.PathLike) -> list[str]:
    pattern = os.fspath(location)
    found = [pattern] if os.path.isfile(pattern) else sorted(glob.glob(pattern))
    if not found:
        raise FileNotFoundError(f"No files found based on the file pattern {pattern}")
    return found
