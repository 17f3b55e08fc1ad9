"""Statistics, schemas and anomalies for people: tables in a notebook, text elsewhere.

There is no Facets overview: `visualize_statistics` shows a table of the features instead.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from torchtf.tensorflow_data_validation._paths import (
    FeaturePath,
    check_type,
    default_dataset,
    name_of,
    steps_of,
)
from torchtf.tensorflow_data_validation._schema import common_of

Statistics = statistics_pb2.DatasetFeatureStatisticsList


class _Table:
    """A table that notebooks show as HTML."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str = ""):
        self._columns, self._empty = columns, empty
        self._rows = [[str(cell) for cell in row] for row in rows]

    def __str__(self):
        if not self._rows:
            return self._empty
        lines = [list(self._columns), *self._rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self._columns))]
        return "\n".join(
            "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if not self._rows:
            return f"<h4>{html.escape(self._empty)}</h4>"
        head = "".join(f"<th>{html.escape(c)}</th>" for c in self._columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _show(table: _Table) -> None:
    if "IPython" in sys.modules:
        from IPython.display import display

        display(table)
    else:
        print(table)


def display_schema(schema: schema_pb2.Schema) -> None:
    """Shows the features and the domains of a schema (source: `tfdv.display_schema`).

    Raises:
        TypeError: for what is no schema.
    """
    check_type(schema, schema_pb2.Schema, "schema")
    columns = ("Feature name", "Type", "Presence", "Valency", "Domain")
    _show(_Table(columns, [_feature_row(f) for f in schema.feature]))
    domains = [(repr(d.name), ", ".join(map(repr, d.value))) for d in schema.string_domain]
    domains += [
        (_domain_name(f), ", ".join(map(repr, f.string_domain.value)))
        for f in schema.feature
        if f.HasField("string_domain")
    ]
    if domains:
        _show(_Table(("Domain", "Values"), domains))


def _feature_row(feature: schema_pb2.Feature) -> tuple[str, ...]:
    kind = schema_pb2.FeatureType.Name(feature.type)
    domain = feature.WhichOneof("domain_info")
    if kind == "BYTES" and domain in ("domain", "string_domain"):
        kind = "STRING"
    presence = ""
    if feature.HasField("presence"):
        presence = "required" if feature.presence.min_fraction == 1.0 else "optional"
    valency, count = "", feature.value_count
    if feature.HasField("value_count"):
        if count.min == count.max == 1:
            valency = "single"
        else:
            high = f"{count.max}]" if count.HasField("max") else "inf)"
            valency = f"[{count.min},{high}"
    return repr(feature.name), kind, presence, valency, _domain_text(feature, domain)


def _domain_name(feature: schema_pb2.Feature) -> str:
    return repr(feature.string_domain.name or f"{feature.name}_domain")


def _domain_text(feature: schema_pb2.Feature, kind: str | None) -> str:
    if kind == "domain":
        return repr(feature.domain)
    if kind == "string_domain":
        return _domain_name(feature)
    if kind == "int_domain":
        form, limits = "{}: {:d}", feature.int_domain
    elif kind == "float_domain":
        form, limits = "{}: {:f}", feature.float_domain
    else:
        return "-"
    ends = [form.format(n, getattr(limits, n)) for n in ("min", "max") if limits.HasField(n)]
    return "; ".join(ends) or "-"


def display_anomalies(anomalies: anomalies_pb2.Anomalies) -> None:
    """Shows anomalies (source: `tfdv.display_anomalies`).

    Raises:
        TypeError: for what are none.
    """
    check_type(anomalies, anomalies_pb2.Anomalies, "anomalies")
    rows = [
        (repr(name), info.short_description, info.description)
        for name, info in sorted(anomalies.anomaly_info.items())
    ]
    if anomalies.HasField("dataset_anomaly_info"):
        info = anomalies.dataset_anomaly_info
        rows.append(("[dataset anomaly]", info.short_description, info.description))
    columns = ("Feature name", "Anomaly short description", "Anomaly long description")
    _show(_Table(columns, rows, "No anomalies found."))


def _statistics_table(
    datasets: Sequence[tuple[str, statistics_pb2.DatasetFeatureStatistics]],
    allowed: Sequence | None,
    denied: Sequence | None,
) -> _Table:
    columns = ("Feature name", "Dataset", "Type", "Count", "Missing", "Mean", "Std dev", "Zeros",
               "Min", "Median", "Max", "Unique", "Top", "Freq top")  # fmt: skip
    names = list(dict.fromkeys(name_of(f) for _, d in datasets for f in d.features))
    if allowed is not None:
        kept = {".".join(steps_of(a)) for a in allowed}
        names = [n for n in names if n in kept]
    if denied is not None:
        dropped = {".".join(steps_of(a)) for a in denied}
        names = [n for n in names if n not in dropped]
    rows = []
    for name in names:
        for title, dataset in datasets:
            for feature in dataset.features:
                if name_of(feature) == name and common_of(feature) is not None:
                    rows.append((name, title, *_statistics_row(feature)))
    return _Table(columns, rows, "No features.")


def _statistics_row(feature) -> tuple[object, ...]:
    common = common_of(feature)
    total = common.num_non_missing + common.num_missing
    missing = f"{100 * common.num_missing / total:.2f}%" if total else "-"
    kind = statistics_pb2.FeatureNameStatistics.Type.Name(feature.type)
    start = (kind, common.num_non_missing, missing)
    if feature.HasField("num_stats"):
        s = feature.num_stats
        zeros = f"{100 * s.num_zeros / (common.tot_num_values or 1):.2f}%"
        numbers = (f"{v:.4g}" for v in (s.mean, s.std_dev))
        ends = (f"{v:.4g}" for v in (s.min, s.median, s.max))
        return (*start, *numbers, zeros, *ends, "", "", "")
    s = feature.string_stats
    top = s.top_values[0] if s.top_values else None
    most = (top.value, int(top.frequency)) if top is not None else ("", "")
    return (*start, *([""] * 6), s.unique, *most)


def _comparison(named, allowlist, denylist):
    """The table of statistics that have names, those that are None left out."""
    if allowlist and denylist:
        raise ValueError("Only specify one of allowlist_features and denylist_features.")
    datasets = []
    for statistics, name in named:
        if statistics is not None:
            check_type(statistics, Statistics, f"{name} statistics")
            datasets.append((name, default_dataset(statistics)))
    return _statistics_table(datasets, allowlist, denylist)


def get_statistics_html(
    lhs_statistics: Statistics,
    rhs_statistics: Statistics | None = None,
    lhs_name: str = "lhs_statistics",
    rhs_name: str = "rhs_statistics",
    allowlist_features: list[FeaturePath] | None = None,
    denylist_features: list[FeaturePath] | None = None,
) -> str:
    """A table of statistics as HTML, where TFDV has a Facets overview (source:
    `tfdv.get_statistics_html`).

    Raises:
        TypeError: for what are no statistics.
        ValueError: for an allowlist beside a denylist.
    """
    named = ((lhs_statistics, lhs_name), (rhs_statistics, rhs_name))
    return _comparison(named, allowlist_features, denylist_features)._repr_html_()


def visualize_statistics(
    lhs_statistics: Statistics,
    rhs_statistics: Statistics | None = None,
    lhs_name: str = "lhs_statistics",
    rhs_name: str = "rhs_statistics",
    allowlist_features: list[FeaturePath] | None = None,
    denylist_features: list[FeaturePath] | None = None,
) -> None:
    """Shows a table of statistics, where TFDV has a Facets overview (source:
    `tfdv.visualize_statistics`).

    Raises:
        TypeError: for what are no statistics.
        ValueError: for an allowlist beside a denylist.
    """
    named = ((lhs_statistics, lhs_name), (rhs_statistics, rhs_name))
    _show(_comparison(named, allowlist_features, denylist_features))
