"""`SchemaGen` and `ImportSchemaGen`: a schema from statistics, or from a file."""

from __future__ import annotations

import functools
import json
import os

from absl import logging

from torchtf import tensorflow_data_validation as tfdv
from torchtf.tfx.components import _examples
from torchtf.tfx.components._messages import names
from torchtf.tfx.components.statistics_gen import SCHEMA_FILE, STATS_FILE
from torchtf.tfx.dsl.components.base.base_component import BaseComponent
from torchtf.tfx.dsl.components.base.base_executor import BaseExecutor
from torchtf.tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from torchtf.tfx.types import standard_artifacts
from torchtf.tfx.types.channel import BaseChannel
from torchtf.tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from torchtf.tfx.types.standard_annotations import Process


class SchemaGenSpec(ComponentSpec):
    """What SchemaGen takes."""

    PARAMETERS = {
        "infer_feature_shape": ExecutionParameter(type=int, optional=True),
        "exclude_splits": ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {"statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics)}
    OUTPUTS = {"schema": ChannelParameter(type=standard_artifacts.Schema)}
    TYPE_ANNOTATION = Process


class Executor(BaseExecutor):
    """Infers the schema."""

    def Do(self, input_dict, output_dict, exec_properties) -> None:
        statistics = _examples.only(input_dict["statistics"])
        excluded = names(exec_properties, "exclude_splits")
        splits = [s for s in statistics.splits if s not in excluded]
        if not splits:
            raise ValueError("There is no split of the statistics to infer a schema from.")
        shape = bool(exec_properties.get("infer_feature_shape", True))
        found = [
            tfdv.load_stats_binary(
                os.path.join(_examples.split_folder(statistics, split), STATS_FILE)
            )
            for split in splits
        ]
        schema = functools.reduce(
            functools.partial(tfdv.update_schema, infer_feature_shape=shape),
            found[1:],
            tfdv.infer_schema(found[0], infer_feature_shape=shape),
        )
        path = os.path.join(_examples.only(output_dict["schema"]).uri, SCHEMA_FILE)
        tfdv.write_schema_text(schema, path)
        logging.info("Schema written to %s.", path)


class SchemaGen(BaseComponent):
    """The schema that examples with these statistics fit (source: `tfx.components.SchemaGen`).

    Args:
        statistics: a channel of `ExampleStatistics`.
        infer_feature_shape: whether features with as many values in each example are dense.
        exclude_splits: the splits to leave out.
    """

    SPEC_CLASS = SchemaGenSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        statistics: BaseChannel,
        infer_feature_shape: bool | None = True,
        exclude_splits: list[str] | None = None,
    ):
        spec = SchemaGenSpec(
            statistics=statistics,
            infer_feature_shape=int(bool(infer_feature_shape)),
            exclude_splits=json.dumps(exclude_splits or []),
        )
        super().__init__(spec=spec)


class ImportSchemaGenSpec(ComponentSpec):
    """What ImportSchemaGen takes."""

    PARAMETERS = {"schema_file": ExecutionParameter(type=str)}
    OUTPUTS = {"schema": ChannelParameter(type=standard_artifacts.Schema)}


class ImportExecutor(BaseExecutor):
    """Copies the schema."""

    def Do(self, input_dict, output_dict, exec_properties) -> None:
        schema = tfdv.load_schema_text(exec_properties["schema_file"])
        path = os.path.join(_examples.only(output_dict["schema"]).uri, SCHEMA_FILE)
        tfdv.write_schema_text(schema, path)


class ImportSchemaGen(BaseComponent):
    """The schema of a file in text form (source: `tfx.components.ImportSchemaGen`).

    Raises when it runs:
        OSError: if the file cannot be read.
        google.protobuf.text_format.ParseError: if it holds no schema.
    """

    SPEC_CLASS = ImportSchemaGenSpec
    EXECUTOR_SPEC = ExecutorClassSpec(ImportExecutor)

    def __init__(self, schema_file: str):
        super().__init__(spec=ImportSchemaGenSpec(schema_file=os.fspath(schema_file)))
