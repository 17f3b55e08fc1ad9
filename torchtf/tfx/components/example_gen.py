"""`CsvExampleGen` and `ImportExampleGen`: files become examples, divided into splits.

A record goes to a split by the SHA-256 of its bytes, or of one of its features, as in TFX: so it is
always the same one, and the same as there.
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import glob
import hashlib
import os
from collections.abc import Iterator
from typing import Any

from absl import logging

from torchtf.core.proto_types import Example, Feature, Features
from torchtf.tfx.components import _examples
from torchtf.tfx.components._messages import message, to_json
from torchtf.tfx.components._spans import resolve_inputs
from torchtf.tfx.dsl.components.base.base_component import BaseComponent
from torchtf.tfx.dsl.components.base.base_executor import BaseExecutor
from torchtf.tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from torchtf.tfx.proto import example_gen_pb2, range_config_pb2
from torchtf.tfx.types import standard_artifacts
from torchtf.tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from torchtf.tfx.types.standard_annotations import Process
from torchtf.tfx_bsl._csv import CONVERTERS, column_types, header_of, rows_of
from torchtf.tfx_bsl._records import records

_FORMATS = (
    example_gen_pb2.FORMAT_TF_EXAMPLE,
    example_gen_pb2.FORMAT_TF_SEQUENCE_EXAMPLE,
    example_gen_pb2.FORMAT_PROTO,
)


class FileBasedExampleGenSpec(ComponentSpec):
    """What an ExampleGen that reads files takes."""

    PARAMETERS = {
        "input_base": ExecutionParameter(type=str),
        "input_config": ExecutionParameter(type=example_gen_pb2.Input),
        "output_config": ExecutionParameter(type=example_gen_pb2.Output),
        "output_data_format": ExecutionParameter(type=int),
        "range_config": ExecutionParameter(type=range_config_pb2.RangeConfig, optional=True),
    }
    OUTPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}
    TYPE_ANNOTATION = Process


class _Executor(BaseExecutor):
    """Reads each input split and writes the output splits."""

    def read(self, base: str, pattern: str) -> Iterator[bytes]:
        """The records of the files that a pattern names."""
        raise NotImplementedError

    def Do(self, input_dict, output_dict, exec_properties) -> None:
        base = exec_properties["input_base"]
        inputs = message(exec_properties, "input_config", example_gen_pb2.Input)
        outputs = message(exec_properties, "output_config", example_gen_pb2.Output)
        names = output_split_names(inputs, outputs)
        config = outputs.split_config
        examples = _examples.only(output_dict["examples"])
        data_format = exec_properties["output_data_format"]
        with contextlib.ExitStack() as files:
            writers = [
                files.enter_context(
                    _examples.SplitWriter(os.path.join(examples.uri, f"Split-{name}"))
                )
                for name in names
            ]
            limits: list[int] = []
            for split in config.splits:
                limits.append(split.hash_buckets + (limits[-1] if limits else 0))
            for number, split in enumerate(inputs.splits):
                for record in self.read(base, split.pattern):
                    place = number
                    if limits:
                        key = _partition_key(record, config.partition_feature_name, data_format)
                        bucket = int(hashlib.sha256(key).hexdigest(), 16) % limits[-1]
                        place = bisect.bisect(limits, bucket)
                    writers[place].write(record)
        counts = {name: writer.count for name, writer in zip(names, writers, strict=True)}
        logging.info("Examples generated: %s", counts)
        examples.splits = names
        examples.span = exec_properties.get("span", 0)
        examples.set_string_custom_property("span", str(exec_properties.get("span", 0)))
        if exec_properties.get("version") is not None:
            examples.version = exec_properties["version"]
            examples.set_string_custom_property("version", str(exec_properties["version"]))
        examples.set_string_custom_property(
            "input_fingerprint", exec_properties.get("input_fingerprint", "")
        )
        examples.set_string_custom_property("file_format", "tfrecords_gzip")
        examples.set_string_custom_property(
            "payload_format", example_gen_pb2.PayloadFormat.Name(data_format)
        )


class CsvExecutor(_Executor):
    """Makes an example of each line of CSV files."""

    def read(self, base: str, pattern: str) -> Iterator[bytes]:
        files = _matching(base, pattern)
        header = header_of(files[0])
        for path in files[1:]:
            if header_of(path) != header:
                raise RuntimeError(
                    f"Files in same split {os.path.join(base, pattern)} have different header."
                )
        rows = functools.partial(self._rows, files, len(header))
        kinds = column_types(rows(), len(header))
        for row in rows():
            yield _example(row, header, kinds).SerializeToString(deterministic=True)

    @staticmethod
    def _rows(files: list[str], width: int) -> Iterator[list[str]]:
        for path in files:
            yield from rows_of(path, width)


class ImportExecutor(_Executor):
    """Takes the records of TFRecord files."""

    def read(self, base: str, pattern: str) -> Iterator[bytes]:
        return records(_matching(base, pattern))


class FileBasedExampleGen(BaseComponent):
    """An ExampleGen that reads files (source: TFX's FileBasedExampleGen).

    Args:
        input_base: the folder of the files.
        input_config: `tfx.proto.Input`: the splits that there are, each with a pattern of file
            names, perhaps with ``{SPAN}``, ``{VERSION}``, or ``{YYYY}``, ``{MM}`` and ``{DD}``;
            all files by default.
        output_config: `tfx.proto.Output`: the splits to divide one input split into, by hash
            buckets; by default two buckets of three are ``train`` and one is ``eval``.
        range_config: which span of the data to take; by default the last one.
        output_data_format: what the records are, a `tfx.proto.PayloadFormat`.
        custom_executor_spec: another executor.

    Raises:
        RuntimeError: for splits that are not complete, or output splits of several input splits.
    """

    SPEC_CLASS = FileBasedExampleGenSpec
    EXECUTOR_SPEC = ExecutorClassSpec(_Executor)

    def __init__(
        self,
        input_base: str | None = None,
        input_config: example_gen_pb2.Input | None = None,
        output_config: example_gen_pb2.Output | None = None,
        range_config: range_config_pb2.RangeConfig | None = None,
        output_data_format: int = example_gen_pb2.FORMAT_TF_EXAMPLE,
        custom_executor_spec=None,
    ):
        if output_data_format not in _FORMATS:
            raise NotImplementedError(
                f"The payload format {output_data_format} is not supported: write the data as "
                "TFRecord files of tf.train.Example"
            )
        inputs = input_config or example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name="single_split", pattern="*")]
        )
        outputs = output_config or _default_output(inputs)
        output_split_names(inputs, outputs)
        spec = FileBasedExampleGenSpec(
            input_base=None if input_base is None else os.fspath(input_base),
            input_config=inputs,
            output_config=outputs,
            output_data_format=int(output_data_format),
            range_config=range_config,
        )
        super().__init__(spec=spec, custom_executor_spec=custom_executor_spec)

    def prepare(self, store, exec_properties: dict[str, Any]) -> dict[str, Any]:
        inputs = message(exec_properties, "input_config", example_gen_pb2.Input)
        chosen = None
        if exec_properties.get("range_config"):
            chosen = message(exec_properties, "range_config", range_config_pb2.RangeConfig)
        resolved = resolve_inputs(exec_properties["input_base"], inputs, chosen)
        return exec_properties | {
            "input_config": to_json(resolved.inputs),
            "input_fingerprint": resolved.fingerprint,
            "span": resolved.span,
            "version": resolved.version,
        }


class CsvExampleGen(FileBasedExampleGen):
    """Makes examples of CSV files with a header (source: `tfx.components.CsvExampleGen`).

    A column is int64 if all its values are integers, float if all are numbers, else bytes; an empty
    cell is a feature without value. The arguments are those of `FileBasedExampleGen`.

    Raises when it runs:
        RuntimeError: if no file matches, or files have different headers.
        ValueError: for a line with another number of cells; its message names file and line.
    """

    EXECUTOR_SPEC = ExecutorClassSpec(CsvExecutor)

    def __init__(self, input_base=None, input_config=None, output_config=None, range_config=None):
        super().__init__(input_base, input_config, output_config, range_config)


class ImportExampleGen(FileBasedExampleGen):
    """Takes examples from TFRecord files (source: `tfx.components.ImportExampleGen`).

    The files may be compressed with GZIP. `payload_format` says what the records are.

    Raises when it runs:
        RuntimeError: if no file matches.
    """

    EXECUTOR_SPEC = ExecutorClassSpec(ImportExecutor)

    def __init__(
        self,
        input_base=None,
        input_config=None,
        output_config=None,
        range_config=None,
        payload_format: int = example_gen_pb2.FORMAT_TF_EXAMPLE,
    ):
        super().__init__(input_base, input_config, output_config, range_config, payload_format)


# --- splits -----------------------------------------------------------------
def _default_output(inputs) -> example_gen_pb2.Output:
    if len(inputs.splits) > 1:
        return example_gen_pb2.Output()
    split = example_gen_pb2.SplitConfig.Split
    config = example_gen_pb2.SplitConfig(
        splits=[split(name="train", hash_buckets=2), split(name="eval", hash_buckets=1)]
    )
    return example_gen_pb2.Output(split_config=config)


def output_split_names(inputs, outputs) -> list[str]:
    """The names of the splits that are written.

    Raises:
        RuntimeError: for configurations that do not go together.
    """
    config = outputs.split_config
    if config.splits:
        if not inputs.splits:
            raise RuntimeError(
                "ExampleGen instance specified output splits but no input split is specified."
            )
        if len(inputs.splits) > 1:
            raise RuntimeError(
                "ExampleGen instance specified output splits but at the same time input has more "
                "than one split."
            )
        if any(not s.name or not s.hash_buckets for s in config.splits):
            raise RuntimeError("Str-typed output split name and int-typed hash buckets are "
                               "required.")  # fmt: skip
        names = [s.name for s in config.splits]
    else:
        if any(not s.name or not s.pattern for s in inputs.splits):
            raise RuntimeError("Str-typed input split name and pattern are required.")
        names = [s.name for s in inputs.splits]
    if not names:
        raise RuntimeError("ExampleGen splits are missing.")
    if len(names) != len(set(names)):
        raise RuntimeError(f"Duplicated split name {names}.")
    return names


def _partition_key(record: bytes, feature_name: str, data_format: int) -> bytes:
    """The bytes whose hash tells the split of a record."""
    if not feature_name:
        return record
    if data_format != example_gen_pb2.FORMAT_TF_EXAMPLE:
        raise RuntimeError(
            "Split by `partition_feature_name` is only supported for FORMAT_TF_EXAMPLE payload "
            "format."
        )
    features = Example.FromString(record).features.feature
    if feature_name not in features:
        raise RuntimeError(f"Feature name `{feature_name}` does not exist.")
    feature = features[feature_name]
    kind = feature.WhichOneof("kind")
    if kind is None:
        raise RuntimeError("Partition feature does not contain any value.")
    if kind == "float_list":
        raise RuntimeError(
            "Only `bytes_list` and `int64_list` features are supported for partition."
        )
    return feature.SerializeToString(deterministic=True)


# --- CSV --------------------------------------------------------------------
def _matching(base: str, pattern: str) -> list[str]:
    found = sorted(p for p in glob.glob(os.path.join(base, pattern)) if os.path.isfile(p))
    if not found:
        raise RuntimeError(f"Split pattern {os.path.join(base, pattern)} does not match any files.")
    return found


def _example(row: list[str], header: list[str], kinds: list[str]) -> Example:
    features = Features()
    for name, kind, cell in zip(header, kinds, row, strict=True):
        feature: Feature = features.feature[name]
        if kind:
            target = getattr(feature, f"{kind}_list")
            target.SetInParent()
            if cell:
                target.value.append(CONVERTERS[kind](cell))
    return Example(features=features)
