"""`BaseExecutor`: what does the work of a component."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass
class Context:
    """What an executor may know of its run.

    Attributes:
        tmp_dir: a folder that is removed after the run.
        pipeline_root, pipeline_name, pipeline_run_id, node_id, execution_id: where it runs.
    """

    tmp_dir: str = ""
    pipeline_root: str = ""
    pipeline_name: str = ""
    pipeline_run_id: str = ""
    node_id: str = ""
    execution_id: int = 0


class BaseExecutor:
    """Does the work of a component (source: `tfx.dsl.components.base.base_executor`)."""

    def __init__(self, context: Context | None = None):
        self._context = context or Context()

    def Do(
        self,
        input_dict: dict[str, list],
        output_dict: dict[str, list],
        exec_properties: dict[str, Any],
    ) -> None:
        """Makes the output artifacts of the input artifacts.

        Args:
            input_dict, output_dict: lists of artifacts by name.
            exec_properties: the parameters; a message is JSON.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define Do().")


class EmptyExecutor(BaseExecutor):
    """Does nothing."""

    def Do(self, input_dict, output_dict, exec_properties) -> None:
        pass
