"""`Pipeline`: components in the order in which they can run."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable

from torchtf.tfx.dsl.components.base.base_node import BaseNode
from torchtf.tfx.utils.topsort import topsorted

_MAX_NAME_LENGTH = 63


class ExecutionMode(enum.Enum):
    """Whether components run one after the other or all the time."""

    SYNC = 1
    ASYNC = 2


class Pipeline:
    """Components that take each other's outputs (source: `tfx.dsl.Pipeline`).

    Args:
        pipeline_name: its name in the metadata store, at most 63 characters.
        pipeline_root: the folder of its artifacts.
        metadata_connection_config: the store, such as
            `tfx.orchestration.metadata.sqlite_metadata_connection_config` gives; without one what
            happened is forgotten after the run.
        components: its nodes, in any order.
        enable_cache: whether a node whose inputs, parameters and module file are those of an
            earlier run takes that run's outputs.
        beam_pipeline_args: must be empty or mean nothing here: there is no Beam.
        execution_mode: `ExecutionMode.SYNC`.

    Attributes:
        components: the nodes, each after those that it depends on.

    Raises:
        ValueError: for a name that is too long, or a node that takes an output of one that is not
            in the pipeline.
        RuntimeError: for two nodes of one id.
        InvalidDAGError: for nodes that wait for each other.
        NotImplementedError: for an asynchronous pipeline.
    """

    def __init__(
        self,
        pipeline_name: str,
        pipeline_root: str | os.PathLike = "",
        metadata_connection_config=None,
        components: Iterable[BaseNode] = (),
        enable_cache: bool = False,
        beam_pipeline_args: list[str] | None = None,
        platform_config=None,
        execution_mode: ExecutionMode = ExecutionMode.SYNC,
    ):
        if len(pipeline_name) > _MAX_NAME_LENGTH:
            raise ValueError(
                f"pipeline {pipeline_name} exceeds maximum allowed length: {_MAX_NAME_LENGTH}."
            )
        if execution_mode is not ExecutionMode.SYNC:
            raise NotImplementedError(
                "Pipeline(execution_mode=ASYNC) is not supported: components run one after the "
                "other; call the runner again for new data"
            )
        if platform_config is not None:
            raise NotImplementedError("Pipeline(platform_config=...): there is no other platform")
        self.pipeline_name = pipeline_name
        self.pipeline_root = os.fspath(pipeline_root)
        self.metadata_connection_config = metadata_connection_config
        self.enable_cache = enable_cache
        self.beam_pipeline_args = list(beam_pipeline_args or [])
        self.execution_mode = execution_mode
        self.components = components

    @property
    def id(self) -> str:
        return self.pipeline_name

    @property
    def components(self) -> list[BaseNode]:
        return self._components

    @components.setter
    def components(self, components: Iterable[BaseNode]) -> None:
        nodes = list(dict.fromkeys(components))
        seen: set[str] = set()
        for node in nodes:
            if node.id in seen:
                raise RuntimeError(
                    f"Duplicated node_id {node.id} for component type {node.type}. Try setting a "
                    "different node_id using `.with_id()`."
                )
            seen.add(node.id)
        for node in nodes:
            for upstream in node.upstream_nodes:
                if upstream not in nodes:
                    raise ValueError(
                        f"Node {node.id} references upstream node {upstream.id} which is not "
                        f"present in the pipeline {self.pipeline_name}."
                    )
        self._components = topsorted(nodes, lambda n: n.id, lambda n: n.upstream_nodes)
