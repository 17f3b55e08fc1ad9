"""`tfx.types`: artifacts, channels, and what a component is described by."""

from torchtf.tfx.types import artifact, channel, component_spec, standard_artifacts
from torchtf.tfx.types.artifact import Artifact, Property, PropertyType, ValueArtifact
from torchtf.tfx.types.channel import BaseChannel, Channel
from torchtf.tfx.types.component_spec import ComponentSpec

__all__ = [
    "Artifact", "BaseChannel", "BaseComponent", "BaseNode", "Channel", "ComponentSpec", "Property",
    "PropertyType", "ValueArtifact", "artifact", "channel", "component_spec", "standard_artifacts",
]  # fmt: skip


def __getattr__(name: str):
    # these are made of types
    if name == "BaseComponent":
        from torchtf.tfx.dsl.components.base.base_component import BaseComponent

        return BaseComponent
    if name == "BaseNode":
        from torchtf.tfx.dsl.components.base.base_node import BaseNode

        return BaseNode
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
