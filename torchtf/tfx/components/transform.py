"""`Transform`: runs a `preprocessing_fn` over examples, analyzers first."""

from __future__ import annotations

import functools
import inspect
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

import torchtf as tf
from torchtf import tensorflow_data_validation as tfdv
from torchtf.core.files import write_atomically
from torchtf.core.proto_types import Example
from torchtf.tensorflow_data_validation._accumulate import Accumulator
from torchtf.tensorflow_data_validation._files import load_schema_text, write_stats_binary
from torchtf.tensorflow_data_validation._generate import example_values
from torchtf.tensorflow_transform import TFTransformOutput
from torchtf.tensorflow_transform._analysis import TransformFunction, analyze
from torchtf.tensorflow_transform.tf_metadata import metadata_io, schema_utils
from torchtf.tensorflow_transform.tf_metadata.dataset_metadata import DatasetMetadata
from torchtf.tfx.components import _examples
from torchtf.tfx.components._messages import message
from torchtf.tfx.components._user_code import (
    check_module_file,
    siblings_importable,
    user_function,
)
from torchtf.tfx.components.example_validator import ANOMALIES_FILE
from torchtf.tfx.components.statistics_gen import SCHEMA_FILE, STATS_FILE
from torchtf.tfx.dsl.components.base.base_component import BaseComponent
from torchtf.tfx.dsl.components.base.base_executor import BaseExecutor
from torchtf.tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from torchtf.tfx.proto import transform_pb2
from torchtf.tfx.types import standard_artifacts
from torchtf.tfx.types.channel import BaseChannel
from torchtf.tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from torchtf.tfx.types.standard_annotations import Transform as TransformExecution
from torchtf.tfx_bsl._records import compression_of, records

_BATCH = 1000
_STATISTICS = {
    "pre_transform_schema": standard_artifacts.Schema,
    "pre_transform_stats": standard_artifacts.ExampleStatistics,
    "post_transform_schema": standard_artifacts.Schema,
    "post_transform_stats": standard_artifacts.ExampleStatistics,
    "post_transform_anomalies": standard_artifacts.ExampleAnomalies,
}
_PARAMETERS = {
    "module_file": ExecutionParameter(type=str, optional=True),
    "preprocessing_fn": ExecutionParameter(type=str, optional=True),
    "splits_config": ExecutionParameter(type=transform_pb2.SplitsConfig, optional=True),
    "custom_config": ExecutionParameter(type=str, optional=True),
}


class TransformSpec(ComponentSpec):
    """What Transform takes; instances have the outputs that are asked for."""

    PARAMETERS = _PARAMETERS
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS = {
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph),
        "transformed_examples": ChannelParameter(type=standard_artifacts.Examples),
        **{name: ChannelParameter(type=kind) for name, kind in _STATISTICS.items()},
    }
    TYPE_ANNOTATION = TransformExecution


class Executor(BaseExecutor):
    """Analyzes, writes the transformation, transforms."""

    def Do(self, input_dict, output_dict, exec_properties) -> None:
        folder = _examples.only(input_dict["schema"]).uri
        schema = load_schema_text(os.path.join(folder, SCHEMA_FILE))
        feature_spec = schema_utils.schema_as_feature_spec(schema).feature_spec
        analyzed, transformed = self._splits(input_dict["examples"], exec_properties)
        train = self._files(input_dict["examples"], analyzed)
        with siblings_importable(exec_properties):
            function = _preprocessing_fn(exec_properties)
            logging.info("Analyze the %s splits.", analyzed)
            batches = functools.partial(_parsed, train, feature_spec)
            scratch = os.path.join(self._context.tmp_dir, "vocabularies")
            made = analyze(function, feature_spec, batches, scratch)
            self._write_graph(made, schema, _examples.only(output_dict["transform_graph"]).uri)
        writes_statistics = "post_transform_stats" in output_dict
        statistics = Accumulator(tfdv.StatsOptions())
        if "transformed_examples" in output_dict:
            for source, target in self._targets(input_dict, output_dict, transformed):
                for split in target.splits:
                    counted = statistics if split in analyzed and writes_statistics else None
                    paths = _examples.files_of(source, split)
                    with _examples.SplitWriter(target.path(split=split)) as writer:
                        _transform(made, paths, feature_spec, writer, counted)
                    logging.info("Transformed examples of split %s: %d.", split, writer.count)
        elif writes_statistics:
            _transform(made, train, feature_spec, None, statistics)
        if writes_statistics:
            self._write_statistics(output_dict, schema, made, train, statistics, analyzed)

    @staticmethod
    def _splits(examples: Sequence, exec_properties) -> tuple[list[str], list[str]]:
        config = message(exec_properties, "splits_config", transform_pb2.SplitsConfig)
        there = examples[0].splits
        if not config.analyze:
            if config.transform:
                raise ValueError("analyze cannot be empty when splits_config is set.")
            return ["train"], there
        return list(config.analyze), list(config.transform)

    @staticmethod
    def _files(examples: Sequence, splits: Iterable[str]) -> list[str]:
        paths = [p for a in examples for s in splits for p in _examples.files_of(a, s)]
        if not paths:
            raise ValueError(f"There are no examples in the splits {list(splits)} to analyze.")
        return paths

    @staticmethod
    def _targets(input_dict, output_dict, splits: list[str]) -> Iterator[tuple]:
        source = _examples.only(input_dict["examples"])
        target = _examples.only(output_dict["transformed_examples"])
        target.splits, target.span = splits, source.span
        target.set_string_custom_property("file_format", "tfrecords_gzip")
        target.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
        yield source, target

    @staticmethod
    def _write_graph(made: TransformFunction, schema, folder: str) -> None:
        made.save(os.path.join(folder, TFTransformOutput.TRANSFORM_FN_DIR))
        for name, content in (
            (TFTransformOutput.TRANSFORMED_METADATA_DIR, made.schema),
            (TFTransformOutput.RAW_METADATA_DIR, schema),
        ):
            metadata_io.write_metadata(DatasetMetadata(content), os.path.join(folder, name))
        logging.info("Transform graph written to %s.", folder)

    @staticmethod
    def _write_statistics(output_dict, schema, made, train, statistics, analyzed) -> None:
        folders = {name: _examples.only(output_dict[name]).uri for name in _STATISTICS}
        tfdv.write_schema_text(schema, os.path.join(folders["pre_transform_schema"], SCHEMA_FILE))
        post = os.path.join(folders["post_transform_schema"], SCHEMA_FILE)
        tfdv.write_schema_text(made.schema, post)
        before = Accumulator(tfdv.StatsOptions(schema=schema))
        for record in records(train):
            before.add(example_values(record))
        path = os.path.join(folders["pre_transform_stats"], STATS_FILE)
        write_stats_binary(before.result(), path)
        after = statistics.result()
        write_stats_binary(after, os.path.join(folders["post_transform_stats"], STATS_FILE))
        anomalies = tfdv.validate_statistics(after, made.schema)
        write_atomically(
            os.path.join(folders["post_transform_anomalies"], ANOMALIES_FILE),
            anomalies.SerializeToString(deterministic=True),
        )


def _preprocessing_fn(exec_properties: dict[str, Any]):
    """The user's function; it may take `custom_config`."""
    function = user_function(exec_properties, "preprocessing_fn")
    if "custom_config" not in inspect.signature(function).parameters:
        return function
    config = json.loads(exec_properties.get("custom_config") or "null")
    return functools.partial(function, custom_config=config)


def _parsed(paths: Sequence[str], feature_spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The examples of files, in batches of tensors."""
    for path in paths:
        dataset = tf.data.TFRecordDataset(path, compression_type=compression_of(path))
        for batch in dataset.batch(_BATCH):
            yield tf.io.parse_example(batch, dict(feature_spec))


def _transform(
    made: TransformFunction, paths, feature_spec, writer, statistics: Accumulator | None
) -> None:
    """Transforms the examples of files, writes them, and adds them to statistics."""
    for batch in _parsed(paths, feature_spec):
        for row in _rows(made(batch)):
            if statistics is not None:
                statistics.add(row)
            if writer is not None:
                writer.write(_example(row).SerializeToString(deterministic=True))


def _rows(batch: Mapping[str, Any]) -> Iterator[list[tuple[str, str, Sequence]]]:
    """The name, type and values of each feature, row by row."""
    columns = [(name, _kind(value), _per_row(value)) for name, value in batch.items()]
    sizes = {len(rows) for _, _, rows in columns}
    if len(sizes) > 1:
        raise ValueError(
            "Results of preprocessing_fn have different numbers of rows: "
            f"{ {name: len(rows) for name, _, rows in columns} }"
        )
    for row in range(sizes.pop()):
        yield [(name, kind, rows[row]) for name, kind, rows in columns]


def _kind(value) -> str:
    if value.dtype is tf.string:
        return "bytes"
    return "float" if value.dtype.is_floating else "int64"


def _per_row(value) -> list[list]:
    """The values of each row of a tensor."""
    if isinstance(value, tf.SparseTensor):
        numbers = value.indices.numpy()[:, 0]
        ends = np.searchsorted(numbers, np.arange(int(value.dense_shape[0]) + 1))
        values = value.values.numpy().tolist()
        return [values[a:b] for a, b in itertools.pairwise(ends)]
    array = value.numpy()
    return array.reshape(len(array), -1).tolist()


def _example(row: list[tuple[str, str, Sequence]]) -> Example:
    example = Example()
    for name, kind, values in row:
        target = getattr(example.features.feature[name], f"{kind}_list")
        target.SetInParent()
        target.value.extend(values)
    return example


class Transform(BaseComponent):
    """Runs a `preprocessing_fn` over examples (source: `tfx.components.Transform`).

    The splits to analyze are read in as many passes as analyzers depend on each other; then the
    function is saved with the values in it, and all splits are transformed.

    Args:
        examples: a channel of `Examples`.
        schema: a channel of their `Schema`.
        module_file: a Python file with ``preprocessing_fn(inputs)``, or one that takes
            ``custom_config`` besides.
        preprocessing_fn: or the path of such a function, ``package.module.function``.
        splits_config: `tfx.proto.SplitsConfig`; by default ``train`` is analyzed and all splits are
            transformed.
        materialize: whether transformed examples are written.
        custom_config: what the function gets.
        disable_statistics: whether statistics and schemas before and after are left out.

    Raises:
        ValueError: for both or neither of `module_file` and `preprocessing_fn`, or a module file
            that is not there.
        NotImplementedError: for a cache of analyzers, TensorFlow 1, and updated options of
            statistics.

    Raises when it runs:
        AttributeError: if the module has no such function.
        ValueError: if the function gives anything but a dict of tensors, or there is no such split.
    """

    SPEC_CLASS = TransformSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel,
        schema: BaseChannel,
        module_file: str | None = None,
        preprocessing_fn: str | None = None,
        splits_config: transform_pb2.SplitsConfig | None = None,
        analyzer_cache: BaseChannel | None = None,
        materialize: bool = True,
        disable_analyzer_cache: bool = False,
        force_tf_compat_v1: bool = False,
        custom_config: dict[str, Any] | None = None,
        disable_statistics: bool = False,
        stats_options_updater_fn: str | None = None,
    ):
        if bool(module_file) == bool(preprocessing_fn):
            raise ValueError("Exactly one of 'module_file' or 'preprocessing_fn' must be supplied.")
        if analyzer_cache is not None:
            raise NotImplementedError(
                "Transform(analyzer_cache=...) is not supported: the data is analyzed anew; with "
                "enable_cache=True a run on the same examples takes the earlier outputs"
            )
        if force_tf_compat_v1:
            raise NotImplementedError("Transform(force_tf_compat_v1=True): there is only TF 2 here")
        if stats_options_updater_fn:
            raise NotImplementedError(
                "Transform(stats_options_updater_fn=...) is not supported: run StatisticsGen with "
                "stats_options on the transformed examples"
            )
        if splits_config is not None and not splits_config.analyze:
            raise ValueError("analyze cannot be empty when splits_config is set.")
        spec = TransformSpec(
            examples=examples,
            schema=schema,
            module_file=None if module_file is None else os.fspath(module_file),
            preprocessing_fn=preprocessing_fn,
            splits_config=splits_config,
            custom_config=json.dumps(custom_config),
        )
        unwanted = set(_STATISTICS) if disable_statistics else set()
        if not materialize:
            unwanted.add("transformed_examples")
        spec.outputs = {k: c for k, c in spec.outputs.items() if k not in unwanted}
        super().__init__(spec=spec)

    def check(self) -> None:
        check_module_file(self, self.exec_properties.get("module_file"))
