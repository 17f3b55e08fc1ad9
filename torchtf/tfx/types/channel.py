"""`Channel`: the artifacts that pass from one node of a pipeline to others."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from torchtf.tfx.types.artifact import Artifact


class BaseChannel:
    """What an input of a component may be (source: `tfx.types.BaseChannel`).

    Raises:
        ValueError: for a type that is no class of artifacts.
    """

    def __init__(self, type: type[Artifact]):
        if not (inspect.isclass(type) and issubclass(type, Artifact)):
            raise ValueError(
                'Argument "type" of BaseChannel constructor must be a subclass of tfx.Artifact '
                f"(got {type})."
            )
        self.type = type

    @property
    def type_name(self) -> str:
        return self.type.TYPE_NAME

    def channels(self) -> list[Channel]:
        """The single channels of it."""
        raise NotImplementedError

    def future(self):
        raise NotImplementedError(
            "Channel.future() is not supported: give the channel itself to a component, or let a "
            "@component function read the artifact."
        )


class Channel(BaseChannel):
    """Artifacts of one type (source: `tfx.dsl.Channel`).

    Args:
        type: the class of the artifacts.
        additional_properties, additional_custom_properties: what each of them gets.
        producer_component_id, output_key: for a `Resolver`, which node's output is meant.
    """

    def __init__(
        self,
        type: type[Artifact],
        additional_properties: dict[str, Any] | None = None,
        additional_custom_properties: dict[str, Any] | None = None,
        producer_component_id: str | None = None,
        output_key: str | None = None,
    ):
        super().__init__(type)
        self.additional_properties = additional_properties or {}
        self.additional_custom_properties = additional_custom_properties or {}
        self.producer_component_id = producer_component_id
        self.output_key = output_key
        self._artifacts: list[Artifact] = []

    def get(self) -> list[Artifact]:
        """The artifacts, after a run in an `InteractiveContext`; else none."""
        return self._artifacts

    def set_artifacts(self, artifacts: Iterable[Artifact]) -> Channel:
        """Sets what `get` gives.

        Raises:
            ValueError: for artifacts of another type.
        """
        artifacts = list(artifacts)
        for artifact in artifacts:
            if artifact.type_name != self.type_name:
                raise ValueError(
                    f"Artifacts provided do not match Channel's artifact type {self.type_name}"
                )
        self._artifacts = artifacts
        return self

    def channels(self) -> list[Channel]:
        return [self]

    def __repr__(self):
        kind = type(self).__name__
        return f"{kind}(\n    type_name: {self.type_name}\n    artifacts: {self._artifacts}\n)"


class OutputChannel(Channel):
    """An output of a node."""

    def __init__(self, type: type[Artifact], producer_component, output_key: str, **properties):
        super().__init__(type, output_key=output_key, **properties)
        self.producer_component = producer_component

    @property
    def producer_component_id(self) -> str | None:
        return self.producer_component.id

    @producer_component_id.setter
    def producer_component_id(self, value: str | None) -> None:
        if value is not None:
            raise ValueError("The producer of an output is its node.")


class UnionChannel(BaseChannel):
    """Several channels of one type, as one input.

    Raises:
        ValueError: for no channels.
        TypeError: for channels of different types.
    """

    def __init__(self, channels: Sequence[BaseChannel]):
        channels = list(channels)
        if not channels:
            raise ValueError("At least one input channel expected.")
        kinds = {c.type_name for c in channels}
        if len(kinds) > 1:
            raise TypeError(f"Unioned channels must have the same type. Got {sorted(kinds)}.")
        super().__init__(channels[0].type)
        self._channels = [single for c in channels for single in c.channels()]

    def channels(self) -> list[Channel]:
        return self._channels


def union(input_channels: Iterable[BaseChannel]) -> UnionChannel:
    """Several channels as one (source: `tfx.types.channel.union`)."""
    return UnionChannel(list(input_channels))
