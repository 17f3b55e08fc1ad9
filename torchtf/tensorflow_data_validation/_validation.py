"""`validate_statistics`: what of data does not fit a schema, and how data drifts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from torchtf.tensorflow_data_validation._paths import check_type, default_dataset, name_of
from torchtf.tensorflow_data_validation._schema import FEATURE_TYPES, common_of, strings_of

Statistics = statistics_pb2.DatasetFeatureStatisticsList
_INFO = anomalies_pb2.AnomalyInfo
_KINDS = statistics_pb2.FeatureNameStatistics
Reason = tuple[int, str, str]  # type, short description, description

_LATER_STAGES = (
    schema_pb2.DEPRECATED, schema_pb2.PLANNED, schema_pb2.ALPHA, schema_pb2.DEBUG_ONLY,
    schema_pb2.DISABLED,
)  # fmt: skip


def validate_statistics(
    statistics: Statistics,
    schema: schema_pb2.Schema,
    environment: str | None = None,
    previous_statistics: Statistics | None = None,
    serving_statistics: Statistics | None = None,
) -> anomalies_pb2.Anomalies:
    """What of data with these statistics does not fit a schema (source:
    `tfdv.validate_statistics`).

    Args:
        statistics: statistics of one dataset.
        schema: the schema.
        environment: where the data is from, such as ``SERVING``; features that are not there
            (`not_in_environment`) are not expected. One of the schema's environments.
        previous_statistics: of an earlier dataset, for the drift comparators of the schema.
        serving_statistics: of the data that is served, for the skew comparators.

    Returns:
        `Anomalies`: `anomaly_info` by feature.

    Raises:
        TypeError: for arguments that are no statistics, or no schema.
        ValueError: for an environment that the schema does not have, or several datasets.
    """
    check_type(statistics, Statistics, "statistics")
    check_type(schema, schema_pb2.Schema, "schema")
    others = {"previous": previous_statistics, "serving": serving_statistics}
    for value in others.values():
        if value is not None:
            check_type(value, Statistics, "statistics")
    if environment is not None and environment not in schema.default_environment:
        known = {e for f in schema.feature for e in f.in_environment}
        if environment not in known:
            raise ValueError(f"Environment {environment} not found in the schema.")
    dataset = default_dataset(statistics)
    anomalies = anomalies_pb2.Anomalies()
    anomalies.baseline.CopyFrom(schema)
    anomalies.anomaly_name_format = anomalies_pb2.Anomalies.SERIALIZED_PATH
    if not dataset.num_examples:
        _add(anomalies.dataset_anomaly_info, [
            (_INFO.DATA_MISSING, "No examples in the dataset", "There are no examples."),
        ])  # fmt: skip
        anomalies.data_missing = True
        return anomalies
    compared = {
        key: None if value is None else default_dataset(value) for key, value in others.items()
    }
    _check_dataset(anomalies, dataset, schema, compared["previous"])
    seen = {name_of(s): s for s in dataset.features if common_of(s) is not None}
    for feature in schema.feature:
        if not _expected(feature, schema, environment):
            continue
        stats = seen.get(feature.name)
        if stats is None or not common_of(stats).num_non_missing:
            reasons = _absent(feature, stats)
        else:
            reasons = list(_reasons(feature, stats, schema))
            for which in compared:
                reasons += _compare(anomalies, feature, stats, which, compared[which])
        _report(anomalies, feature.name, reasons)
    known = {f.name for f in schema.feature}
    known |= {f.name for f in (*schema.sparse_feature, *schema.weighted_feature)}
    for name in seen.keys() - known:
        short = "New column"
        text = "New column (column in data but not in schema)"
        _report(anomalies, name, [(_INFO.SCHEMA_NEW_COLUMN, short, text)])
    return anomalies


def _report(anomalies, name: str, reasons: list[Reason]) -> None:
    if reasons:
        info = anomalies.anomaly_info[name]
        info.path.step.append(name)
        _add(info, reasons)


def _add(info, reasons: list[Reason]) -> None:
    for kind, short, text in reasons:
        info.reason.add(type=kind, short_description=short, description=text)
    info.severity = _INFO.ERROR
    one = len(reasons) == 1
    info.short_description = reasons[0][1] if one else "Multiple errors"
    info.description = " ".join(text for _, _, text in reasons)


def _expected(feature: schema_pb2.Feature, schema, environment: str | None) -> bool:
    """Whether data of an environment should have the feature."""
    if feature.lifecycle_stage in _LATER_STAGES or feature.deprecated:
        return False
    if environment is None or environment in feature.in_environment:
        return True
    if environment in feature.not_in_environment:
        return False
    return environment in schema.default_environment


def _absent(feature: schema_pb2.Feature, stats) -> list[Reason]:
    required = feature.presence.min_count > 0 or feature.presence.min_fraction > 0
    if not required:
        return []
    if stats is None:
        text = "Column is completely missing"
        return [(_INFO.SCHEMA_MISSING_COLUMN, "Column dropped", text)]
    text = "The feature was not present in any examples."
    return [(_INFO.FEATURE_TYPE_NOT_PRESENT, "Column dropped", text)]


def _reasons(feature: schema_pb2.Feature, stats, schema) -> Iterator[Reason]:
    """What does not fit."""
    if FEATURE_TYPES[stats.type] != feature.type and not _same_bytes(feature, stats):
        got = _KINDS.Type.Name(stats.type)
        wanted = schema_pb2.FeatureType.Name(feature.type)
        text = f"Expected data of type: {wanted} but got {got}"
        yield _INFO.UNEXPECTED_DATA_TYPE, "Unexpected data type", text
        return
    common = common_of(stats)
    yield from _check_presence(feature, common)
    yield from _check_counts(feature, common)
    yield from _check_uniques(feature, stats)
    kind = feature.WhichOneof("domain_info")
    if kind in ("domain", "string_domain"):
        domain = feature.string_domain
        if kind == "domain":
            found = [d for d in schema.string_domain if d.name == feature.domain]
            if not found:
                text = f"missing domain: {feature.domain}"
                yield _INFO.INVALID_DOMAIN_SPECIFICATION, "Invalid domain", text
                return
            domain = found[0]
        yield from _check_strings(feature, stats, domain)
    elif kind == "int_domain":
        yield from _check_ints(feature.int_domain, stats)
    elif kind == "float_domain":
        yield from _check_floats(feature.float_domain, stats)
    elif kind == "bool_domain":
        yield from _check_bools(feature.bool_domain, stats)


def _same_bytes(feature, stats) -> bool:
    """Whether integers are counted as categories, which have statistics of strings."""
    return feature.type == schema_pb2.INT and stats.type == _KINDS.STRING and (
        feature.int_domain.is_categorical
    )  # fmt: skip


def _check_presence(feature, common) -> Iterator[Reason]:
    presence, present = feature.presence, common.num_non_missing
    total = present + common.num_missing
    if present < presence.min_count:
        text = ("The feature was present in fewer examples than expected: minimum count = "
                f"{presence.min_count}, actual = {present}")  # fmt: skip
        yield _INFO.FEATURE_TYPE_LOW_NUMBER_PRESENT, "Column dropped", text
    if present / total < presence.min_fraction:
        text = ("The feature was present in fewer examples than expected: minimum fraction = "
                f"{presence.min_fraction:f}, actual = {present / total:f}")  # fmt: skip
        yield _INFO.FEATURE_TYPE_LOW_FRACTION_PRESENT, "Column dropped", text


def _check_counts(feature, common) -> Iterator[Reason]:
    low, high = common.min_num_values, common.max_num_values
    if feature.HasField("shape"):
        size = 1
        for dim in feature.shape.dim:
            size *= dim.size
        if common.num_missing or low != high:
            text = ("The feature has a shape, but it's not always present (if the feature is "
                    "nested, then it should always be present at each nested level) or its value "
                    "lengths vary.")  # fmt: skip
            yield _INFO.INVALID_FEATURE_SHAPE, "Feature shape dropped", text
        elif low != size:
            text = (f"The feature has fixed value length {low} but it's not compatible with the "
                    "specified shape.")  # fmt: skip
            yield _INFO.INVALID_FEATURE_SHAPE, "Feature shape dropped", text
        return
    count = feature.value_count
    if low < count.min:
        text = "Some examples have fewer values than expected."
        yield _INFO.FEATURE_TYPE_LOW_NUMBER_VALUES, "Missing values", text
    if count.HasField("max") and high > count.max:
        text = "Some examples have more values than expected."
        yield _INFO.FEATURE_TYPE_HIGH_NUMBER_VALUES, "Superfluous values", text


def _check_uniques(feature, stats) -> Iterator[Reason]:
    if not feature.HasField("unique_constraints"):
        return
    limits = feature.unique_constraints
    if stats.type != _KINDS.STRING:
        text = ("UniqueConstraints specified for the feature, but unique values were not counted "
                "(i.e., feature is not string or categorical).")  # fmt: skip
        yield _INFO.FEATURE_TYPE_NO_UNIQUE, "No unique values", text
        return
    found = stats.string_stats.unique
    if found < limits.min:
        text = f"Expected at least {limits.min} unique values but found only {found}."
        yield _INFO.FEATURE_TYPE_LOW_UNIQUE, "Low number of unique values", text
    if limits.HasField("max") and found > limits.max:
        text = f"Expected no more than {limits.max} unique values but found {found}."
        yield _INFO.FEATURE_TYPE_HIGH_UNIQUE, "High number of unique values", text


def _check_strings(feature, stats, domain) -> Iterator[Reason]:
    if stats.string_stats.invalid_utf8_count:
        text = "Found strings that were not valid UTF8 strings."
        yield _INFO.ENUM_TYPE_INVALID_UTF8, "Invalid UTF8 strings", text
        return
    total = common_of(stats).tot_num_values
    values = set(domain.value)
    unknown = {s: n for s, n in sorted(strings_of(stats).items()) if s not in values}
    allowed = 0.0
    if feature.HasField("distribution_constraints"):
        allowed = 1.0 - feature.distribution_constraints.min_domain_mass
    if unknown and sum(unknown.values()) / total > allowed:
        named = ", ".join(f"{s} ({_percent(n / total)})" for s, n in unknown.items())
        text = f"Examples contain values missing from the schema: {named}. "
        yield _INFO.ENUM_TYPE_UNEXPECTED_STRING_VALUES, "Unexpected string values", text


def _percent(fraction: float) -> str:
    return "<1%" if fraction < 0.01 else f"~{round(100 * fraction)}%"


def _check_ints(domain, stats) -> Iterator[Reason]:
    if stats.type == _KINDS.STRING:
        found = []
        for text in strings_of(stats):
            try:
                found.append(int(text))
            except ValueError:
                message = f'String values that were not ints were found, such as "{text}".'
                yield _INFO.INT_TYPE_NOT_INT_STRING, "Invalid values", message
                return
        low, high = min(found), max(found)
    else:
        low, high = int(stats.num_stats.min), int(stats.num_stats.max)
    if domain.HasField("min") and low < domain.min:
        text = f"Unexpectedly small value: {low}."
        yield _INFO.INT_TYPE_SMALL_INT, "Out-of-range values", text
    if domain.HasField("max") and high > domain.max:
        text = f"Unexpectedly large value: {high}."
        yield _INFO.INT_TYPE_BIG_INT, "Out-of-range values", text


def _check_floats(domain, stats) -> Iterator[Reason]:
    if domain.disallow_nan and any(h.num_nan for h in stats.num_stats.histograms):
        yield _INFO.FLOAT_TYPE_HAS_NAN, "Invalid values", "Float feature has NaN values."
    if stats.type == _KINDS.STRING:
        found = []
        for text in strings_of(stats):
            try:
                found.append(float(text))
            except ValueError:
                message = f'String values that were not floats were found, such as "{text}".'
                yield _INFO.FLOAT_TYPE_STRING_NOT_FLOAT, "Invalid values", message
                return
        low, high = min(found), max(found)
    else:
        low, high = stats.num_stats.min, stats.num_stats.max
    if domain.HasField("min") and low < domain.min:
        text = (f"Unexpectedly low values: {low:.6g}<{domain.min:.6g}(upto six significant "
                "digits)")  # fmt: skip
        yield _INFO.FLOAT_TYPE_SMALL_FLOAT, "Out-of-range values", text
    if domain.HasField("max") and high > domain.max:
        text = (f"Unexpectedly high value: {high:.6g}>{domain.max:.6g}(upto six significant "
                "digits)")  # fmt: skip
        yield _INFO.FLOAT_TYPE_BIG_FLOAT, "Out-of-range values", text
    if domain.disallow_inf and (np.isinf(low) or np.isinf(high)):
        yield _INFO.FLOAT_TYPE_HAS_INF, "Invalid values", "Float feature has Inf values."


def _check_bools(domain, stats) -> Iterator[Reason]:
    if stats.type == _KINDS.INT:
        low, high = int(stats.num_stats.min), int(stats.num_stats.max)
        if low < 0:
            text = f"Integers expected to be in {{0,1}} but was {low}."
            yield _INFO.BOOL_TYPE_SMALL_INT, "Non-boolean values", text
        if high > 1:
            text = f"Integers expected to be in {{0,1}} but was {high}."
            yield _INFO.BOOL_TYPE_BIG_INT, "Non-boolean values", text
        return
    known = {domain.true_value, domain.false_value}
    unknown = sorted(s for s in strings_of(stats) if s not in known)
    if unknown:
        text = f"Saw unexpected value {unknown[0]} instead of a value of the bool domain."
        yield _INFO.BOOL_TYPE_UNEXPECTED_STRING, "Non-boolean values", text


# --- other datasets -----------------------------------------------------------
def _check_dataset(anomalies, dataset, schema, previous) -> None:
    limits = schema.dataset_constraints
    reasons: list[Reason] = []
    if limits.min_examples_count and dataset.num_examples < limits.min_examples_count:
        reasons.append((
            _INFO.DATASET_LOW_NUM_EXAMPLES, "Low num examples in dataset.",
            f"The dataset has {dataset.num_examples} examples, which is fewer than expected.",
        ))  # fmt: skip
    if limits.HasField("max_examples_count") and dataset.num_examples > limits.max_examples_count:
        reasons.append((
            _INFO.DATASET_HIGH_NUM_EXAMPLES, "High num examples in dataset.",
            f"The dataset has {dataset.num_examples} examples, which is more than expected.",
        ))  # fmt: skip
    comparator = limits.num_examples_drift_comparator
    if previous is not None and previous.num_examples:
        ratio = dataset.num_examples / previous.num_examples
        for name, wrong in (("max", ratio > comparator.max_fraction_threshold),
                            ("min", ratio < comparator.min_fraction_threshold)):  # fmt: skip
            if comparator.HasField(f"{name}_fraction_threshold") and wrong:
                high = name == "max"
                threshold = getattr(comparator, f"{name}_fraction_threshold")
                reasons.append((
                    _INFO.COMPARATOR_HIGH_NUM_EXAMPLES if high
                    else _INFO.COMPARATOR_LOW_NUM_EXAMPLES,
                    f"{'High' if high else 'Low'} num examples in current dataset versus the "
                    "previous span.",
                    "The ratio of num examples in the current dataset versus the previous span is "
                    f"{ratio:.6g} (up to six significant digits), which is "
                    f"{'above' if high else 'below'} the threshold {threshold:.6g}.",
                ))  # fmt: skip
    if reasons:
        _add(anomalies.dataset_anomaly_info, reasons)


_COMPARISONS = {
    "previous": ("drift_comparator", "drift_measurements", "current", "previous"),
    "serving": ("skew_comparator", "skew_measurements", "training", "serving"),
}


def _compare(anomalies, feature, stats, which: str, other) -> list[Reason]:
    """How far the values of a feature are from those of another dataset."""
    field, measured, treatment, control = _COMPARISONS[which]
    if other is None or not feature.HasField(field):
        return []
    comparator = getattr(feature, field)
    found = [s for s in other.features if name_of(s) == feature.name]
    if not found or common_of(found[0]) is None:
        text = f"{control} data is missing."
        return [(_INFO.COMPARATOR_CONTROL_DATA_MISSING, f"{control} data missing", text)]
    reasons, measurements = [], []
    kinds = anomalies_pb2.DriftSkewInfo.Measurement
    here, there = strings_of(stats), strings_of(found[0])
    if comparator.HasField("infinity_norm"):
        values = {*here, *there}
        ours, theirs = (_mass(d, values) for d in (here, there))
        farthest = max(values, key=lambda v: abs(ours[v] - theirs[v]), default="")
        distance = abs(ours[farthest] - theirs[farthest]) if values else 0.0
        threshold = comparator.infinity_norm.threshold
        measurements.append((kinds.L_INFTY, distance, threshold))
        if distance > threshold:
            text = (f"The Linfty distance between {treatment} and {control} is {distance:.6g} (up "
                    f"to six significant digits), above the threshold {threshold:.6g}. The feature "
                    f"value with maximum difference is: {farthest}")  # fmt: skip
            short = f"High Linfty distance between {treatment} and {control}"
            reasons.append((_INFO.COMPARATOR_L_INFTY_HIGH, short, text))
    if comparator.HasField("jensen_shannon_divergence"):
        distance = _jensen_shannon(stats, found[0])
        threshold = comparator.jensen_shannon_divergence.threshold
        measurements.append((kinds.JENSEN_SHANNON_DIVERGENCE, distance, threshold))
        if distance > threshold:
            text = (f"The approximate Jensen-Shannon divergence between {treatment} and {control} "
                    f"is {distance:.6g} (up to six significant digits), above the threshold "
                    f"{threshold:.6g}.")  # fmt: skip
            short = f"High approximate Jensen-Shannon divergence between {treatment} and {control}"
            reasons.append((_INFO.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH, short, text))
    if measurements:
        info = next((d for d in anomalies.drift_skew_info if d.path.step[0] == feature.name), None)
        if info is None:
            info = anomalies.drift_skew_info.add()
            info.path.step.append(feature.name)
        for kind, value, threshold in measurements:
            getattr(info, measured).add(type=kind, value=value, threshold=threshold)
    return reasons


def _mass(counts: dict[str, float], values) -> dict[str, float]:
    total = sum(counts.values()) or 1.0
    return {v: counts.get(v, 0.0) / total for v in values}


def _jensen_shannon(ours, theirs) -> float:
    """The divergence of two distributions, in bits; numbers by their histograms."""
    if ours.type == _KINDS.STRING:
        here, there = strings_of(ours), strings_of(theirs)
        values = sorted({*here, *there})
        p, q = (np.array([_mass(d, values)[v] for v in values]) for d in (here, there))
    else:
        histograms = [
            next(h for h in s.num_stats.histograms if h.type == statistics_pb2.Histogram.STANDARD)
            for s in (ours, theirs)
        ]
        edges = sorted({e for h in histograms for b in h.buckets
                        for e in (b.low_value, b.high_value)})  # fmt: skip
        p, q = (_rebinned(h, np.array(edges)) for h in histograms)
    middle = (p + q) / 2
    return float((_entropy(p, middle) + _entropy(q, middle)) / 2)


def _entropy(p: np.ndarray, q: np.ndarray) -> float:
    kept = p > 0
    return float((p[kept] * np.log2(p[kept] / q[kept])).sum())


def _rebinned(histogram, edges: np.ndarray) -> np.ndarray:
    """The mass of a histogram between edges, as if it were even within its buckets."""
    mass = np.zeros(max(len(edges) - 1, 1))
    for bucket in histogram.buckets:
        first = np.searchsorted(edges, bucket.low_value)
        last = np.searchsorted(edges, bucket.high_value)
        if last <= first:
            mass[min(first, len(mass) - 1)] += bucket.sample_count
            continue
        widths = np.diff(edges[first : last + 1])
        mass[first:last] += bucket.sample_count * widths / widths.sum()
    return mass / (mass.sum() or 1.0)
