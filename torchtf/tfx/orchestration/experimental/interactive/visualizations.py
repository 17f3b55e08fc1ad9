"""How artifacts of each type are displayed: the registry."""

from __future__ import annotations

from torchtf.tfx.types.artifact import Artifact


class ArtifactVisualization:
    """How artifacts of a type are displayed; subclasses define `ARTIFACT_TYPE` and `display`."""

    ARTIFACT_TYPE: type[Artifact]

    def display(self, artifact: Artifact) -> None:
        """Displays an artifact."""
        raise NotImplementedError(f"{type(self).__name__} does not define display().")


class ArtifactVisualizationRegistry:
    """The visualizations by the names of types."""

    def __init__(self) -> None:
        self.visualizations: dict[str, ArtifactVisualization] = {}

    def register(self, visualization_class: type[ArtifactVisualization]) -> None:
        """Adds a visualization."""
        name = visualization_class.ARTIFACT_TYPE.TYPE_NAME
        self.visualizations[name] = visualization_class()

    def get_visualization(self, artifact_type_name: str) -> ArtifactVisualization | None:
        """The visualization of a type, or None."""
        return self.visualizations.get(artifact_type_name)


_registry = ArtifactVisualizationRegistry()


def get_registry() -> ArtifactVisualizationRegistry:
    """The registry, with the standard visualizations."""
    from torchtf.tfx.orchestration.experimental.interactive import standard_visualizations

    if not _registry.visualizations:
        standard_visualizations.register_standard_visualizations()
    return _registry


def register(visualization_class: type[ArtifactVisualization]) -> None:
    """Adds a visualization to the registry."""
    _registry.register(visualization_class)
