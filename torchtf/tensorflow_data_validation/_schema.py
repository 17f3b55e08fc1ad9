"""A schema from statistics: `infer_schema`, and `update_schema` of one that there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from torchtf.tensorflow_data_validation._paths import check_type, default_dataset, name_of

_KINDS = statistics_pb2.FeatureNameStatistics
FEATURE_TYPES = {
    _KINDS.INT: schema_pb2.INT,
    _KINDS.FLOAT: schema_pb2.FLOAT,
    _KINDS.STRING: schema_pb2.BYTES,
    _KINDS.BYTES: schema_pb2.BYTES,
    _KINDS.STRUCT: schema_pb2.STRUCT,
}
_TRUE, _FALSE = {"TRUE", "true", "True", "1"}, {"FALSE", "false", "False", "0"}

Statistics = statistics_pb2.DatasetFeatureStatisticsList


def infer_schema(
    statistics: Statistics,
    infer_feature_shape: bool = True,
    max_string_domain_size: int = 100,
    schema_transformations: Sequence[Callable] | None = None,
) -> schema_pb2.Schema:
    """The schema that data with these statistics fits (source: `tfdv.infer_schema`).

    Args:
        statistics: statistics of one dataset.
        infer_feature_shape: whether a feature with as many values in each example gets that shape,
            so that it is parsed as a dense tensor.
        max_string_domain_size: how many distinct strings may be a domain.
        schema_transformations: functions of the schema and the statistics that give the schema to
            go on with.

    Raises:
        TypeError: for what are no statistics.
        ValueError: for statistics of several datasets.
    """
    check_type(statistics, Statistics, "statistics")
    dataset = default_dataset(statistics)
    schema = schema_pb2.Schema()
    for stats in dataset.features:
        if common_of(stats) is not None:
            add_feature(schema, stats, infer_feature_shape, max_string_domain_size)
    for transform in schema_transformations or ():
        schema = transform(schema, dataset)
    return schema


def update_schema(
    schema: schema_pb2.Schema,
    statistics: Statistics,
    infer_feature_shape: bool = True,
    max_string_domain_size: int = 100,
) -> schema_pb2.Schema:
    """A schema with the features that data has besides (source: `tfdv.update_schema`).

    Raises:
        TypeError: for what is no schema, or no statistics.
        ValueError: for statistics of several datasets.
    """
    check_type(schema, schema_pb2.Schema, "schema")
    check_type(statistics, Statistics, "statistics")
    made = schema_pb2.Schema()
    made.CopyFrom(schema)
    known = {f.name for f in schema.feature}
    for stats in default_dataset(statistics).features:
        if name_of(stats) not in known and common_of(stats) is not None:
            add_feature(made, stats, infer_feature_shape, max_string_domain_size)
    return made


def common_of(stats: statistics_pb2.FeatureNameStatistics):
    """How many values a feature has, whatever its type; None if that is not known."""
    kind = stats.WhichOneof("stats")
    return None if kind is None else getattr(stats, kind).common_stats


def strings_of(stats: statistics_pb2.FeatureNameStatistics) -> dict[str, float]:
    """The strings that were counted, with their numbers."""
    return {b.label: b.sample_count for b in stats.string_stats.rank_histogram.buckets}


def add_feature(
    schema: schema_pb2.Schema, stats, infer_feature_shape: bool, max_string_domain_size: int
) -> schema_pb2.Feature:
    """Adds the feature that the statistics are of."""
    common = common_of(stats)
    feature = schema.feature.add(name=name_of(stats), type=FEATURE_TYPES[stats.type])
    feature.presence.min_count = 1 if common.num_non_missing >= 1 else 0
    if common.num_non_missing:
        _add_counts(feature, common, infer_feature_shape)
    _add_domain(schema, feature, stats, max_string_domain_size)
    return feature


def _add_counts(feature: schema_pb2.Feature, common, infer_feature_shape: bool) -> None:
    low, high = common.min_num_values, common.max_num_values
    if common.num_missing == 0:
        feature.presence.min_fraction = 1.0
    if infer_feature_shape and common.num_missing == 0 and low == high and low > 0:
        feature.shape.dim.add(size=low)
    elif low > 0:
        feature.value_count.min = low if low == high else 1
        if low == high:
            feature.value_count.max = high


def _add_domain(schema: schema_pb2.Schema, feature, stats, max_size: int) -> None:
    if stats.type == _KINDS.INT and stats.HasField("num_stats"):
        if stats.num_stats.min >= 0 and stats.num_stats.max == 1:
            feature.bool_domain.SetInParent()
        return
    if stats.type != _KINDS.STRING or stats.string_stats.invalid_utf8_count:
        return
    strings = list(strings_of(stats))
    true = [s for s in strings if s in _TRUE]
    false = [s for s in strings if s in _FALSE]
    if strings and len(true) <= 1 and len(false) <= 1 and len(true) + len(false) == len(strings):
        feature.bool_domain.SetInParent()
        if true:
            feature.bool_domain.true_value = true[0]
        if false:
            feature.bool_domain.false_value = false[0]
    elif strings and all(map(_is_int, strings)):
        feature.int_domain.SetInParent()
    elif 0 < stats.string_stats.unique <= max_size:
        schema.string_domain.add(name=feature.name, value=sorted(strings))
        feature.domain = feature.name


def _is_int(text: str) -> bool:
    try:
        return -(2**63) <= int(text) < 2**63
    except ValueError:
        return False
