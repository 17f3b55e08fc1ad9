"""`InteractiveContext`: runs the components of a pipeline one by one, as they are written."""

from __future__ import annotations

import dataclasses
import datetime
import os
import tempfile

from absl import logging

from torchtf.tfx.dsl.components.base.base_component import BaseComponent
from torchtf.tfx.dsl.components.base.base_node import BaseNode
from torchtf.tfx.orchestration._launcher import Launched, Launcher
from torchtf.tfx.orchestration.metadata import Metadata, sqlite_metadata_connection_config
from torchtf.tfx.types.channel import Channel, OutputChannel


@dataclasses.dataclass
class ExecutionResult:
    """What running a component gave.

    Attributes:
        component: the node.
        execution_id: of the store.
    """

    component: BaseNode
    execution_id: int


class InteractiveContext:
    """Runs components one by one (source: TFX's InteractiveContext).

    After `run` the channels of the component's outputs have artifacts: ``outputs[...].get()``.

    Args:
        pipeline_name, pipeline_root, metadata_connection_config: as a `Pipeline` has them; a
            folder for temporary files if there is no root, a file in it if there is no store.
    """

    def __init__(
        self,
        pipeline_name: str | None = None,
        pipeline_root: str | None = None,
        metadata_connection_config=None,
        beam_pipeline_args: list[str] | None = None,
    ):
        now = datetime.datetime.now().isoformat().replace(":", "_")
        self.pipeline_name = pipeline_name or f"interactive-{now}"
        if not pipeline_root:
            pipeline_root = tempfile.mkdtemp(prefix=f"tfx-{self.pipeline_name}-")
            logging.warning(
                "InteractiveContext pipeline_root argument not provided: using temporary directory "
                "%s as root for pipeline outputs.",
                pipeline_root,
            )
        self.pipeline_root = os.fspath(pipeline_root)
        self.metadata_connection_config = (
            metadata_connection_config
            or sqlite_metadata_connection_config(
                os.path.join(self.pipeline_root, "metadata.sqlite")
            )
        )

    def run(
        self, component: BaseNode, enable_cache: bool = True, beam_pipeline_args=None
    ) -> ExecutionResult:
        """Runs a component, whose inputs must have been made by earlier calls.

        Raises:
            ValueError: if they have not.
            Exception: what its executor raises.
        """
        made: dict[str, dict[str, list]] = {}
        for key, value in component.inputs.items():
            for channel in value.channels():
                if not isinstance(channel, OutputChannel):
                    continue
                producer = channel.producer_component
                if not getattr(producer, "_ran", False):
                    raise ValueError(
                        f"Input {key!r} of {component.id} comes from {producer.id}, which has not "
                        "run: call context.run() on it first."
                    )
                made[producer.id] = {k: c.get() for k, c in producer.outputs.items()}
        if isinstance(component, BaseComponent):
            component.check()
        run_id = datetime.datetime.now().isoformat()
        with Metadata(self.metadata_connection_config) as metadata:
            launcher = Launcher(
                metadata, self.pipeline_name, self.pipeline_root, run_id, enable_cache
            )
            launched: Launched = launcher.launch(component, made)
        for key, channel in component.outputs.items():
            channel.set_artifacts(launched.outputs.get(key, []))
        component._ran = True  # type: ignore[attr-defined]
        return ExecutionResult(component, launched.execution_id)

    def show(self, item) -> None:
        """Displays the artifacts of a channel."""
        from torchtf.tfx.orchestration.experimental.interactive import visualizations

        artifacts = item.get() if isinstance(item, Channel) else list(item)
        for artifact in artifacts:
            shown = visualizations.get_registry().get_visualization(artifact.type_name)
            if shown is None:
                print(artifact)
            else:
                shown.display(artifact)
