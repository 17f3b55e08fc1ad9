"""`StatisticsGen`: statistics of each split of examples."""

from __future__ import annotations

import json
import os

from absl import logging

from torchtf.tensorflow_data_validation import StatsOptions
from torchtf.tensorflow_data_validation._files import load_schema_text, write_stats_binary
from torchtf.tensorflow_data_validation._generate import example_values, statistics_of
from torchtf.tfx.components import _examples
from torchtf.tfx.components._messages import names
from torchtf.tfx.dsl.components.base.base_component import BaseComponent
from torchtf.tfx.dsl.components.base.base_executor import BaseExecutor
from torchtf.tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from torchtf.tfx.types import standard_artifacts
from torchtf.tfx.types.channel import BaseChannel
from torchtf.tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from torchtf.tfx.types.standard_annotations import Process
from torchtf.tfx_bsl._records import records

STATS_FILE = "FeatureStats.pb"
SCHEMA_FILE = "schema.pbtxt"


class StatisticsGenSpec(ComponentSpec):
    """What StatisticsGen takes."""

    PARAMETERS = {
        "stats_options_json": ExecutionParameter(type=str, optional=True),
        "exclude_splits": ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "schema": ChannelParameter(type=standard_artifacts.Schema, optional=True),
    }
    OUTPUTS = {"statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics)}
    TYPE_ANNOTATION = Process


class Executor(BaseExecutor):
    """Makes the statistics."""

    def Do(self, input_dict, output_dict, exec_properties) -> None:
        examples = _examples.only(input_dict["examples"])
        statistics = _examples.only(output_dict["statistics"])
        options = StatsOptions()
        if exec_properties.get("stats_options_json"):
            options = StatsOptions.from_json(exec_properties["stats_options_json"])
        if input_dict.get("schema"):
            if options.schema is not None:
                raise ValueError("A schema was provided as an input and in stats_options.")
            folder = _examples.only(input_dict["schema"]).uri
            options.schema = load_schema_text(os.path.join(folder, SCHEMA_FILE))
        excluded = names(exec_properties, "exclude_splits")
        statistics.splits = [s for s in examples.splits if s not in excluded]
        statistics.span = examples.span
        for split in statistics.splits:
            folder = os.path.join(statistics.uri, f"Split-{split}")
            os.makedirs(folder, exist_ok=True)
            found = records(_examples.files_of(examples, split))
            made = statistics_of(map(example_values, found), options, None)
            write_stats_binary(made, os.path.join(folder, STATS_FILE))
            logging.info("Statistics for split %s written to %s.", split, folder)


class StatisticsGen(BaseComponent):
    """Statistics of each split of examples (source: `tfx.components.StatisticsGen`).

    Args:
        examples: a channel of `Examples`.
        schema: a channel of a `Schema`, which says what the features are.
        stats_options: `tfdv.StatsOptions`.
        exclude_splits: the splits to leave out.

    Raises when it runs:
        TypeError: if a feature has values of several types.
    """

    SPEC_CLASS = StatisticsGenSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel | None = None,
        schema: BaseChannel | None = None,
        stats_options: StatsOptions | None = None,
        exclude_splits: list[str] | None = None,
    ):
        spec = StatisticsGenSpec(
            examples=examples,
            schema=schema,
            stats_options_json=stats_options.to_json() if stats_options else None,
            exclude_splits=json.dumps(exclude_splits or []),
        )
        super().__init__(spec=spec)
