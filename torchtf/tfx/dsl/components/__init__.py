"""`tfx.dsl.components`: components that are Python functions."""

from torchtf.tfx.dsl.components._function_component import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
    OutputDict,
    Parameter,
    component,
)

__all__ = [
    "BeamComponentParameter", "InputArtifact", "OutputArtifact", "OutputDict", "Parameter",
    "component",
]  # fmt: skip
