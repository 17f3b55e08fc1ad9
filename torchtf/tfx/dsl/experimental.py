"""`tfx.dsl.experimental`: strategies of resolvers, parameters of runs."""

from torchtf.tfx.dsl.components.common.resolver import (
    LatestArtifactStrategy,
    LatestBlessedModelStrategy,
    ResolverStrategy,
    SpanRangeStrategy,
)
from torchtf.tfx.types.component_spec import RuntimeParameter

__all__ = [
    "LatestArtifactStrategy", "LatestBlessedModelStrategy", "ResolverStrategy", "RuntimeParameter",
    "SpanRangeStrategy", "create_container_component",
]  # fmt: skip


def create_container_component(*args, **kwargs):
    """Raises NotImplementedError: a component is a Python function or class here."""
    raise NotImplementedError(
        "create_container_component: components do not run in containers here; write a Python "
        "function with @tfx.dsl.components.component that starts the program"
    )
