"""`tfx.orchestration.portable.mlmd.execution_lib`: the artifacts of an execution."""

from torchtf.tfx.orchestration.metadata import Metadata
from torchtf.tfx.types.artifact import Artifact


def get_output_artifacts(metadata_handle: Metadata, execution_id: int) -> dict[str, list[Artifact]]:
    """What an execution made, by output."""
    return metadata_handle.output_artifacts(execution_id)


def get_input_artifacts(metadata_handle: Metadata, execution_id: int) -> dict[str, list[Artifact]]:
    """What an execution took, by input."""
    return metadata_handle.input_artifacts(execution_id)
