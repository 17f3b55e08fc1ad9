"""`tfx.dsl`: what a pipeline is made of."""

from torchtf.tfx.dsl import components, experimental, io
from torchtf.tfx.dsl.components.common.importer import Importer
from torchtf.tfx.dsl.components.common.resolver import Resolver
from torchtf.tfx.orchestration.pipeline import ExecutionMode, Pipeline
from torchtf.tfx.types.artifact import Artifact
from torchtf.tfx.types.channel import Channel

__all__ = [
    "Artifact", "Channel", "Cond", "ExecutionMode", "Importer", "Pipeline", "Resolver",
    "components", "experimental", "io",
]  # fmt: skip


class Cond:
    """Raises NotImplementedError (source: `tfx.dsl.Cond`)."""

    def __init__(self, predicate):
        raise NotImplementedError(
            "tfx.dsl.Cond is not supported: give `model_blessing` to Pusher, or let a @component "
            "function read the artifact and decide"
        )
