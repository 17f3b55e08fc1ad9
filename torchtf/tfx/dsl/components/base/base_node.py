"""`BaseNode`: a node of a pipeline."""

from __future__ import annotations

from typing import Any

from torchtf.tfx.types.channel import BaseChannel, Channel, OutputChannel


class BaseNode:
    """A node of a pipeline (source: `tfx.types.BaseNode`)."""

    def __init__(self):
        self._id: str | None = None
        self._upstream: set[BaseNode] = set()
        self._downstream: set[BaseNode] = set()

    @property
    def type(self) -> str:
        """What ML Metadata calls nodes of this class."""
        cls = type(self)
        return f"{cls.__module__.removeprefix('torchtf.')}.{cls.__qualname__}"

    @property
    def id(self) -> str:
        """The name of the node in its pipeline: that of its class, unless `with_id` gave one."""
        return self._id or type(self).__name__

    def with_id(self, id: str):
        """Names the node; returns it."""
        self._id = id
        return self

    @property
    def inputs(self) -> dict[str, BaseChannel]:
        raise NotImplementedError

    @property
    def outputs(self) -> dict[str, Channel]:
        raise NotImplementedError

    @property
    def exec_properties(self) -> dict[str, Any]:
        return {}

    @property
    def upstream_nodes(self) -> set[BaseNode]:
        """The nodes that run before it: those whose outputs it takes, and those it was told of."""
        return self._upstream | {
            channel.producer_component
            for value in self.inputs.values()
            for channel in value.channels()
            if isinstance(channel, OutputChannel)
        }

    @property
    def downstream_nodes(self) -> set[BaseNode]:
        return self._downstream

    def add_upstream_node(self, upstream_node: BaseNode) -> None:
        """Makes it run after another node, without taking an output of that."""
        self._upstream.add(upstream_node)
        upstream_node._downstream.add(self)

    def add_upstream_nodes(self, upstream_nodes) -> None:
        """`add_upstream_node` for each."""
        for node in upstream_nodes:
            self.add_upstream_node(node)

    def add_downstream_node(self, downstream_node: BaseNode) -> None:
        """Makes it run before another node."""
        downstream_node.add_upstream_node(self)

    def add_downstream_nodes(self, downstream_nodes) -> None:
        """`add_downstream_node` for each."""
        for node in downstream_nodes:
            self.add_downstream_node(node)
