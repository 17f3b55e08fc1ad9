"""Features by name or path: in a schema, and in statistics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensorflow_metadata.proto.v0 import path_pb2, schema_pb2, statistics_pb2

DEFAULT_SLICE = "All Examples"


class FeaturePath:
    """The names that lead to a feature (source: `tfdv.FeaturePath`)."""

    def __init__(self, steps: Iterable[str]):
        self._steps = tuple(steps)

    @staticmethod
    def from_proto(path: path_pb2.Path) -> FeaturePath:
        return FeaturePath(path.step)

    @staticmethod
    def from_string(text: str) -> FeaturePath:
        return FeaturePath(text.split("."))

    def to_proto(self) -> path_pb2.Path:
        return path_pb2.Path(step=self._steps)

    def steps(self) -> tuple[str, ...]:
        return self._steps

    def parent(self) -> FeaturePath:
        """Raises ValueError for a path without steps."""
        if not self._steps:
            raise ValueError("Root does not have parent.")
        return FeaturePath(self._steps[:-1])

    def child(self, step: str) -> FeaturePath:
        return FeaturePath((*self._steps, step))

    def __eq__(self, other):
        return isinstance(other, FeaturePath) and self._steps == other._steps

    def __hash__(self):
        return hash(self._steps)

    def __lt__(self, other):
        return self._steps < other._steps

    def __len__(self):
        return len(self._steps)

    def __bool__(self):
        return bool(self._steps)

    def __str__(self):
        return ".".join(self._steps)

    __repr__ = __str__


def steps_of(name: str | FeaturePath) -> tuple[str, ...]:
    """The steps of a name or path."""
    return name.steps() if isinstance(name, FeaturePath) else (name,)


def check_type(value: Any, kind: type, what: str) -> None:
    """Raises TypeError for a value of another type."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise TypeError(
            f"{what} is of type {type(value).__name__}, should be {article} {kind.__name__} proto."
        )


def get_feature(schema: schema_pb2.Schema, feature_path: str | FeaturePath) -> schema_pb2.Feature:
    """A feature of a schema (source: `tfdv.get_feature`).

    Raises:
        TypeError: for what is no schema.
        ValueError: if the schema has no such feature, or a step of its path is no structure.
    """
    check_type(schema, schema_pb2.Schema, "schema")
    *outer, last = steps_of(feature_path)
    container = schema.feature
    for step in outer:
        found = _named(container, step)
        if found is None or not found.HasField("struct_domain"):
            raise ValueError(f"Feature {step} in {feature_path} is not a struct.")
        container = found.struct_domain.feature
    found = _named(container, last)
    if found is None:
        raise ValueError(f"Feature {feature_path} not found in the schema.")
    return found


def _named(features, name: str) -> schema_pb2.Feature | None:
    return next((f for f in features if f.name == name), None)


def get_domain(schema: schema_pb2.Schema, feature_path: str | FeaturePath) -> Any:
    """The domain of a feature (source: `tfdv.get_domain`).

    Raises:
        TypeError: for what is no schema.
        ValueError: if there is no such feature, or it has no domain.
    """
    feature = get_feature(schema, feature_path)
    kind = feature.WhichOneof("domain_info")
    if kind is None:
        raise ValueError(f"Feature {feature_path} has no domain associated with it.")
    if kind != "domain":
        return getattr(feature, kind)
    for domain in schema.string_domain:
        if domain.name == feature.domain:
            return domain
    raise ValueError(f"Feature {feature_path} has an unsupported domain {feature.domain}.")


_DOMAINS = {
    schema_pb2.IntDomain: "int_domain",
    schema_pb2.FloatDomain: "float_domain",
    schema_pb2.StringDomain: "string_domain",
    schema_pb2.BoolDomain: "bool_domain",
    schema_pb2.StructDomain: "struct_domain",
    schema_pb2.NaturalLanguageDomain: "natural_language_domain",
    schema_pb2.ImageDomain: "image_domain",
    schema_pb2.MIDDomain: "mid_domain",
    schema_pb2.URLDomain: "url_domain",
    schema_pb2.TimeDomain: "time_domain",
    schema_pb2.TimeOfDayDomain: "time_of_day_domain",
}


def set_domain(schema: schema_pb2.Schema, feature_path: str | FeaturePath, domain: Any) -> None:
    """Sets the domain of a feature: a message, or the name of a string domain of the schema
    (source: `tfdv.set_domain`).

    Raises:
        TypeError: for what is no schema or no domain.
        ValueError: if there is no such feature, or no such string domain.
    """
    feature = get_feature(schema, feature_path)
    if isinstance(domain, str):
        if all(d.name != domain for d in schema.string_domain):
            raise ValueError(f"Invalid global string domain: {domain}")
        feature.domain = domain
        return
    if type(domain) not in _DOMAINS:
        raise TypeError(f"domain is of type {type(domain).__name__}, which is not supported.")
    getattr(feature, _DOMAINS[type(domain)]).CopyFrom(domain)


def default_dataset(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
) -> statistics_pb2.DatasetFeatureStatistics:
    """The statistics of all examples.

    Raises:
        ValueError: if there are several datasets and none of all examples.
    """
    if len(statistics.datasets) == 1:
        return statistics.datasets[0]
    for dataset in statistics.datasets:
        if dataset.name == DEFAULT_SLICE:
            return dataset
    raise ValueError(
        "Only statistics proto with one dataset or the default slice (i.e., "
        f'"{DEFAULT_SLICE}" slice) is currently supported.'
    )


def name_of(stats: statistics_pb2.FeatureNameStatistics) -> str:
    """The name of a feature in statistics, with dots between the steps of its path."""
    return ".".join(stats.path.step) if stats.HasField("path") else stats.name


def get_feature_stats(
    stats: statistics_pb2.DatasetFeatureStatistics, feature_path: str | FeaturePath
) -> statistics_pb2.FeatureNameStatistics:
    """The statistics of a feature (source: `tfdv.get_feature_stats`).

    Raises:
        TypeError: for what are no statistics of a dataset.
        ValueError: if the feature is not there.
    """
    check_type(stats, statistics_pb2.DatasetFeatureStatistics, "statistics")
    wanted = ".".join(steps_of(feature_path))
    for feature in stats.features:
        if name_of(feature) == wanted:
            return feature
    raise ValueError(f"Feature {feature_path} not found in the dataset statistics.")


def get_slice_stats(
    stats: statistics_pb2.DatasetFeatureStatisticsList, slice_key: str
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """The statistics of a slice (source: `tfdv.get_slice_stats`).

    Raises:
        ValueError: if the slice is not there.
    """
    for dataset in stats.datasets:
        if dataset.name == slice_key:
            return statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset])
    raise ValueError(f"Invalid slice key: {slice_key}.")
