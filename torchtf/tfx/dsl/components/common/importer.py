"""`Importer`: brings what lies outside a pipeline into it."""

from __future__ import annotations

from typing import Any

from torchtf.tfx.dsl.components.base.base_node import BaseNode
from torchtf.tfx.types.artifact import Artifact
from torchtf.tfx.types.channel import BaseChannel, OutputChannel


class Importer(BaseNode):
    """Makes an artifact of what lies at a URI (source: `tfx.dsl.Importer`).

    Args:
        source_uri: where it is.
        artifact_type: the class of the artifact.
        reimport: whether to make a new artifact where an earlier run imported this URI.
        properties, custom_properties: what the artifact gets.
        output_key: the name of the output.

    Raises:
        ValueError: for no URI or no class of artifacts.
    """

    def __init__(
        self,
        source_uri: str,
        artifact_type: type[Artifact],
        reimport: bool = False,
        properties: dict[str, Any] | None = None,
        custom_properties: dict[str, Any] | None = None,
        output_key: str | None = None,
    ):
        super().__init__()
        if not source_uri:
            raise ValueError("source_uri is required")
        self.source_uri, self.reimport = str(source_uri), reimport
        self._outputs = {
            output_key or "result": OutputChannel(
                artifact_type, self, output_key or "result",
                additional_properties=properties,
                additional_custom_properties=custom_properties,
            )
        }  # fmt: skip

    @property
    def inputs(self) -> dict[str, BaseChannel]:
        return {}

    @property
    def outputs(self) -> dict[str, OutputChannel]:
        return self._outputs

    @property
    def exec_properties(self) -> dict[str, Any]:
        return {"source_uri": self.source_uri, "reimport": int(self.reimport)}

    def __repr__(self):
        return f"Importer(id: {self.id!r}, source_uri: {self.source_uri!r})"
