"""`tfx.orchestration`: running pipelines, and the record of that."""

from torchtf.tfx.orchestration import experimental, metadata
from torchtf.tfx.orchestration.local_dag_runner import LocalDagRunner

__all__ = ["LocalDagRunner", "experimental", "metadata"]
