"""`Resolver`: takes artifacts of earlier runs, and the strategies by which it chooses."""

from __future__ import annotations

import inspect
from typing import Any

from torchtf.tfx.dsl.components.base.base_node import BaseNode
from torchtf.tfx.types.artifact import Artifact
from torchtf.tfx.types.channel import BaseChannel, OutputChannel


class ResolverStrategy:
    """How to choose (source: `tfx.dsl.experimental.ResolverStrategy`)."""

    def resolve_artifacts(
        self, store, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]] | None:
        """The artifacts to take of those that there are, or None if there are not enough."""
        raise NotImplementedError(f"{type(self).__name__} does not define resolve_artifacts().")


class LatestArtifactStrategy(ResolverStrategy):
    """The last `desired_num_of_artifacts` of each input, the latest first."""

    def __init__(self, desired_num_of_artifacts: int = 1):
        self._count = desired_num_of_artifacts

    def resolve_artifacts(self, store, input_dict):
        latest = {
            key: sorted(found, key=lambda a: a.id, reverse=True)[: self._count]
            for key, found in input_dict.items()
        }
        return latest if all(len(v) >= self._count for v in latest.values()) else None


class LatestBlessedModelStrategy(ResolverStrategy):
    """The last model that has a blessing, with it; nothing if there is none."""

    def resolve_artifacts(self, store, input_dict):
        models, blessings = (self._key(input_dict, n) for n in ("Model", "ModelBlessing"))
        blessed = {
            b.get_int_custom_property("current_model_id"): b
            for b in input_dict[blessings]
            if b.get_int_custom_property("blessed") == 1
        }
        for model in sorted(input_dict[models], key=lambda a: a.id, reverse=True):
            if model.id in blessed:
                return {models: [model], blessings: [blessed[model.id]]}
        return {models: [], blessings: []}

    @staticmethod
    def _key(input_dict, type_name: str) -> str:
        # an input without artifacts tells no type: its name does
        for key, found in input_dict.items():
            if any(a.type_name == type_name for a in found):
                return key
        name = "model" if type_name == "Model" else "model_blessing"
        return name if name in input_dict else next(
            k for k in input_dict if ("blessing" in k) == (type_name != "Model")
        )  # fmt: skip


class SpanRangeStrategy(ResolverStrategy):
    """The spans of a range: the last ones or given ones (`tfx.proto.RangeConfig`).

    Raises:
        ValueError: for a range that is neither.
    """

    def __init__(self, range_config):
        if range_config.WhichOneof("range") is None:
            raise ValueError("RangeConfig type is not set.")
        self._range = range_config

    def resolve_artifacts(self, store, input_dict):
        return {key: self._in_range(found) for key, found in input_dict.items()}

    def _in_range(self, found: list[Artifact]) -> list[Artifact]:
        latest = {}
        for artifact in sorted(found, key=lambda a: a.id):
            latest[_span(artifact)] = artifact  # of a span, the last one made
        if self._range.HasField("static_range"):
            static = self._range.static_range
            first, last = static.start_span_number, static.end_span_number
        else:
            rolling = self._range.rolling_range
            last = max(latest, default=-1)
            first = max(last - rolling.num_spans + 1, rolling.start_span_number)
        return [latest[s] for s in sorted(latest, reverse=True) if first <= s <= last]


def _span(artifact: Artifact) -> int:
    if "span" in artifact.artifact_type.properties and artifact.span:
        return artifact.span
    return int(artifact.get_custom_property("span") or 0)


class Resolver(BaseNode):
    """Takes artifacts of earlier runs of a pipeline (source: `tfx.dsl.Resolver`).

    Args:
        strategy_class: a `ResolverStrategy`; without one, all artifacts.
        config: the arguments of the strategy.
        **channels: which artifacts there are, by type; its outputs have the same names.

    Raises:
        TypeError: for a class that is no strategy.
        ValueError: for a configuration without strategy, or what is no channel.
    """

    def __init__(
        self,
        strategy_class: type[ResolverStrategy] | None = None,
        config: dict[str, Any] | None = None,
        **channels: BaseChannel,
    ):
        super().__init__()
        is_strategy = inspect.isclass(strategy_class) and issubclass(
            strategy_class, ResolverStrategy
        )
        if strategy_class is not None and not is_strategy:
            raise TypeError(
                f"strategy_class should be ResolverStrategy, but got {strategy_class} instead."
            )
        if strategy_class is None and config is not None:
            raise ValueError("Cannot use config parameter without strategy_class.")
        for name, channel in channels.items():
            if not isinstance(channel, BaseChannel):
                raise ValueError(f"Resolver got non-BaseChannel argument {name}.")
        self.strategy = None if strategy_class is None else strategy_class(**(config or {}))
        self._inputs = channels
        self._outputs = {k: OutputChannel(c.type, self, k) for k, c in channels.items()}

    @property
    def inputs(self) -> dict[str, BaseChannel]:
        return self._inputs

    @property
    def outputs(self) -> dict[str, OutputChannel]:
        return self._outputs

    @property
    def exec_properties(self) -> dict[str, Any]:
        strategy = self.strategy
        return {} if strategy is None else {"resolver_class": type(strategy).__name__}

    def __repr__(self):
        return f"Resolver(id: {self.id!r})"
