"""`ExampleValidator`: what of the data does not fit its schema."""

from __future__ import annotations

import json
import os

from absl import logging

from torchtf import tensorflow_data_validation as tfdv
from torchtf.core.files import write_atomically
from torchtf.tfx.components import _examples
from torchtf.tfx.components._messages import names
from torchtf.tfx.components.statistics_gen import SCHEMA_FILE, STATS_FILE
from torchtf.tfx.dsl.components.base.base_component import BaseComponent
from torchtf.tfx.dsl.components.base.base_executor import BaseExecutor
from torchtf.tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from torchtf.tfx.types import standard_artifacts
from torchtf.tfx.types.channel import BaseChannel
from torchtf.tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

ANOMALIES_FILE = "SchemaDiff.pb"


class ExampleValidatorSpec(ComponentSpec):
    """What ExampleValidator takes."""

    PARAMETERS = {"exclude_splits": ExecutionParameter(type=str, optional=True)}
    INPUTS = {
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS = {"anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies)}


class Executor(BaseExecutor):
    """Validates each split."""

    def Do(self, input_dict, output_dict, exec_properties) -> None:
        statistics = _examples.only(input_dict["statistics"])
        anomalies = _examples.only(output_dict["anomalies"])
        folder = _examples.only(input_dict["schema"]).uri
        schema = tfdv.load_schema_text(os.path.join(folder, SCHEMA_FILE))
        excluded = names(exec_properties, "exclude_splits")
        anomalies.splits = [s for s in statistics.splits if s not in excluded]
        anomalies.span = statistics.span
        for split in anomalies.splits:
            source = os.path.join(_examples.split_folder(statistics, split), STATS_FILE)
            found = tfdv.validate_statistics(tfdv.load_stats_binary(source), schema)
            target = os.path.join(anomalies.uri, f"Split-{split}")
            os.makedirs(target, exist_ok=True)
            write_atomically(
                os.path.join(target, ANOMALIES_FILE), found.SerializeToString(deterministic=True)
            )
            for name, info in found.anomaly_info.items():
                logging.warning("Split %s: feature %s: %s", split, name, info.description)


class ExampleValidator(BaseComponent):
    """What of the data does not fit its schema (source: `tfx.components.ExampleValidator`).

    Anomalies are reported, and the pipeline goes on.

    Args:
        statistics: a channel of `ExampleStatistics`.
        schema: a channel of a `Schema`.
        exclude_splits: the splits to leave out.
    """

    SPEC_CLASS = ExampleValidatorSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        statistics: BaseChannel,
        schema: BaseChannel,
        exclude_splits: list[str] | None = None,
    ):
        spec = ExampleValidatorSpec(
            statistics=statistics, schema=schema, exclude_splits=json.dumps(exclude_splits or [])
        )
        super().__init__(spec=spec)
