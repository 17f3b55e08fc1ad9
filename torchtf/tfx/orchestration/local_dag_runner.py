"""`LocalDagRunner`: runs a pipeline in this process."""

from __future__ import annotations

import datetime
import os

from absl import logging

from torchtf.tfx.dsl.components.base.base_component import BaseComponent
from torchtf.tfx.orchestration._launcher import Artifacts, Launcher
from torchtf.tfx.orchestration.metadata import Metadata
from torchtf.tfx.orchestration.pipeline import Pipeline


class LocalDagRunner:
    """Runs the components of a pipeline one after the other, in this process (source:
    `tfx.orchestration.LocalDagRunner`).

    Progress is logged with absl at level INFO.
    """

    def run(self, pipeline: Pipeline, run_options=None) -> None:
        """Runs a pipeline.

        Raises:
            TypeError: for what is no pipeline.
            ValueError: for a pipeline without a root, or a component whose module file is not
                there.
            Exception: what the executor of a component raises. What ran before it stays.
            NotImplementedError: for `run_options`.
        """
        if not isinstance(pipeline, Pipeline):
            raise TypeError(f"run() expects a tfx.dsl.Pipeline, got {pipeline!r}.")
        if run_options is not None:
            raise NotImplementedError(
                "LocalDagRunner.run(run_options=...) is not supported: with enable_cache=True the "
                "components whose inputs did not change do not run again"
            )
        if not pipeline.pipeline_root:
            raise ValueError("A pipeline needs a pipeline_root to run.")
        for node in pipeline.components:
            if isinstance(node, BaseComponent):
                node.check()
        run_id = datetime.datetime.now().isoformat()
        with Metadata(pipeline.metadata_connection_config) as metadata:
            launcher = Launcher(
                metadata,
                pipeline.pipeline_name,
                os.fspath(pipeline.pipeline_root),
                run_id,
                pipeline.enable_cache,
            )
            made: dict[str, Artifacts] = {}
            for node in pipeline.components:
                logging.info("Component %s is running.", node.id)
                made[node.id] = launcher.launch(node, made).outputs
                logging.info("Component %s is finished.", node.id)
