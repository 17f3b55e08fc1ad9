"""Statistics against NumPy, schemas and anomalies by TFDV's documented rules."""

from __future__ import annotations

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

import torchtf as tf
from torchtf import tensorflow_data_validation as tfdv

INFO = anomalies_pb2.AnomalyInfo


class Frame:
    """What is needed of a pandas data frame."""

    def __init__(self, **columns):
        self.columns = list(columns)
        self._rows = list(zip(*columns.values(), strict=True))

    def itertuples(self, index, name):
        return iter(self._rows)


def write(path, *rows):
    path.write_text("\n".join(rows) + "\n")
    return str(path)


def statistics(**columns):
    return tfdv.generate_statistics_from_dataframe(Frame(**columns))


def feature(stats, name):
    return tfdv.get_feature_stats(stats.datasets[0], name)


def test_numbers_against_numpy():
    values = np.random.default_rng(0).normal(3, 2, 101)
    values[7], values[8] = 0.0, np.nan
    stats = statistics(x=[[v] for v in values]).datasets[0].features[0].num_stats
    kept = values[~np.isnan(values)]
    assert stats.mean == pytest.approx(kept.mean()) and stats.std_dev == pytest.approx(kept.std())
    assert (stats.min, stats.max) == (kept.min(), kept.max())
    assert stats.median == np.median(kept) and stats.num_zeros == 1
    standard, ranks = stats.histograms
    counts, edges = np.histogram(kept, 10)
    assert [b.sample_count for b in standard.buckets] == counts.tolist()
    assert [b.low_value for b in standard.buckets] == pytest.approx(edges[:-1])
    assert standard.num_nan == ranks.num_nan == 1
    assert [b.sample_count for b in ranks.buckets] == pytest.approx([10.0] * 10)


def test_strings_and_missing_values():
    stats = statistics(s=["b", "a", "b", None, "c", "a", "b"], n=[[1, 2], [3]] + [[4]] * 5)
    string = feature(stats, "s").string_stats
    assert string.unique == 3 and string.avg_length == 1
    assert [(t.value, t.frequency) for t in string.top_values] == [("b", 3), ("a", 2), ("c", 1)]
    common = string.common_stats
    assert (common.num_missing, common.num_non_missing) == (1, 6)
    common = feature(stats, "n").num_stats.common_stats
    assert (common.min_num_values, common.max_num_values, common.tot_num_values) == (1, 2, 8)


def test_records_and_csv_agree(tmp_path, penguins):
    from_csv = tfdv.generate_statistics_from_csv(str(penguins / "*.csv"))
    rows = (penguins / "penguins.csv").read_text().splitlines()[1:]
    path = str(tmp_path / "x.tfrecord")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for row in rows:
            species, length, mass = row.split(",")
            example = tf.train.Example()
            example.features.feature["species"].bytes_list.value.append(species.encode())
            example.features.feature["length"].float_list.value.append(float(length))
            example.features.feature["mass"].int64_list.value.append(int(mass))
            writer.write(example.SerializeToString())
    from_records = tfdv.generate_statistics_from_tfrecord(path, tmp_path / "stats.pb")
    assert tfdv.load_stats_binary(tmp_path / "stats.pb") == from_records
    for name in ("species", "mass"):
        assert feature(from_csv, name) == feature(from_records, name)
    assert feature(from_records, "length").num_stats.mean == pytest.approx(
        feature(from_csv, "length").num_stats.mean, rel=1e-6
    )
    tfdv.write_stats_text(from_csv, tmp_path / "stats.pbtxt")
    assert tfdv.load_stats_text(tmp_path / "stats.pbtxt") == from_csv


def test_inferred_schema(penguins):
    stats = tfdv.generate_statistics_from_csv(str(penguins / "*.csv"))
    schema = tfdv.infer_schema(stats)
    kinds = {f.name: f.type for f in schema.feature}
    assert kinds == {
        "species": schema_pb2.BYTES,
        "length": schema_pb2.FLOAT,
        "mass": schema_pb2.INT,
    }
    assert tfdv.get_domain(schema, "species").value == ["Adelie", "Chinstrap", "Gentoo"]
    for f in schema.feature:
        assert f.presence.min_fraction == 1 and f.presence.min_count == 1
        assert [d.size for d in f.shape.dim] == [1]
    loose = tfdv.infer_schema(stats, infer_feature_shape=False, max_string_domain_size=2)
    species = tfdv.get_feature(loose, "species")
    assert (species.value_count.min, species.value_count.max) == (1, 1)
    assert not species.HasField("shape") and not loose.string_domain
    wide = tfdv.infer_schema(statistics(flag=[0, 1, 1], text=["1", "2", "3"], yes=["true"] * 3))
    assert [f.WhichOneof("domain_info") for f in wide.feature] == [
        "bool_domain",
        "int_domain",
        "bool_domain",
    ]


def anomalies(schema, **columns):
    found = tfdv.validate_statistics(statistics(**columns), schema).anomaly_info
    return {name: [r.type for r in info.reason] for name, info in found.items()}


def test_anomalies():
    schema = tfdv.infer_schema(statistics(a=["x", "y"], n=[1.0, 2.0], i=[5, 6]))
    assert anomalies(schema, a=["x", "x"], n=[9.0, -1.0], i=[1, 2]) == {}
    assert anomalies(schema, a=["z", "x"], n=[1, 2], q=[1, 2]) == {
        "a": [INFO.ENUM_TYPE_UNEXPECTED_STRING_VALUES],
        "n": [INFO.UNEXPECTED_DATA_TYPE],
        "i": [INFO.SCHEMA_MISSING_COLUMN],
        "q": [INFO.SCHEMA_NEW_COLUMN],
    }
    missing = anomalies(schema, a=["x", None], n=[1.0, 2.0], i=[[5, 6], [7]])
    assert missing == {
        "a": [INFO.FEATURE_TYPE_LOW_FRACTION_PRESENT, INFO.INVALID_FEATURE_SHAPE],
        "i": [INFO.INVALID_FEATURE_SHAPE],
    }
    tfdv.get_feature(schema, "a").distribution_constraints.min_domain_mass = 0.5
    tfdv.set_domain(schema, "n", schema_pb2.FloatDomain(min=0.0, max=1.5))
    tfdv.set_domain(schema, "i", schema_pb2.IntDomain(min=0))
    assert anomalies(schema, a=["x", "z"], n=[-1.0, 2.0], i=[-1, 7]) == {
        "n": [INFO.FLOAT_TYPE_SMALL_FLOAT, INFO.FLOAT_TYPE_BIG_FLOAT],
        "i": [INFO.INT_TYPE_SMALL_INT],
    }
    text = tfdv.validate_statistics(statistics(a=["z"] * 3, n=[1.0] * 3, i=[1] * 3), schema)
    assert text.anomaly_info["a"].description == (
        "Examples contain values missing from the schema: z (~100%). "
    )


def test_environments():
    schema = tfdv.infer_schema(statistics(x=[1, 2], label=["a", "b"]))
    schema.default_environment.extend(["TRAINING", "SERVING"])
    tfdv.get_feature(schema, "label").not_in_environment.append("SERVING")
    serving = statistics(x=[1, 2])
    assert not tfdv.validate_statistics(serving, schema, environment="SERVING").anomaly_info
    assert "label" in tfdv.validate_statistics(serving, schema, environment="TRAINING").anomaly_info
    with pytest.raises(ValueError, match="Environment OTHER not found"):
        tfdv.validate_statistics(serving, schema, environment="OTHER")


def test_drift_and_skew():
    schema = tfdv.infer_schema(statistics(s=["a", "b"], x=[1.0, 2.0]))
    tfdv.get_feature(schema, "s").drift_comparator.infinity_norm.threshold = 0.1
    tfdv.get_feature(schema, "x").skew_comparator.jensen_shannon_divergence.threshold = 0.1
    now = statistics(s=["a", "a", "a", "b"], x=[1.0, 2.0, 3.0, 4.0])
    then = statistics(s=["a", "b", "b", "b"], x=[11.0, 12.0, 13.0, 14.0])
    found = tfdv.validate_statistics(now, schema, previous_statistics=then, serving_statistics=then)
    assert [r.type for r in found.anomaly_info["s"].reason] == [INFO.COMPARATOR_L_INFTY_HIGH]
    assert found.drift_skew_info[0].drift_measurements[0].value == pytest.approx(0.5)
    # distributions that do not overlap are one bit apart
    assert found.drift_skew_info[1].skew_measurements[0].value == pytest.approx(1.0)
    same = tfdv.validate_statistics(now, schema, previous_statistics=now, serving_statistics=now)
    assert not same.anomaly_info and same.drift_skew_info[1].skew_measurements[0].value == 0


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda s: tfdv.infer_schema(1), TypeError, "should be a DatasetFeatureStatisticsList"),
        (lambda s: tfdv.get_feature(s, "q"), ValueError, "Feature q not found in the schema"),
        (lambda s: tfdv.get_domain(s, "x"), ValueError, "no domain"),
        (lambda s: tfdv.set_domain(s, "x", "other"), ValueError, "Invalid global string domain"),
        (lambda s: tfdv.StatsOptions(weight_feature="w"), NotImplementedError, "weight_feature"),
        (lambda s: tfdv.StatsOptions(spam=1), TypeError, "spam"),
        (lambda s: tfdv.generate_statistics_from_csv("/none/*.csv"), OSError, "No files found"),
        (lambda s: tfdv.GenerateStatistics, NotImplementedError, "Apache Beam"),
        (lambda s: statistics(x=[1, "a"]), TypeError, "'x' has values of type bytes where earlier"),
    ],
)
def test_errors(call, kind, message):
    schema = schema_pb2.Schema(feature=[schema_pb2.Feature(name="x", type=schema_pb2.INT)])
    with pytest.raises(kind, match=message):
        call(schema)


def test_displays(capsys, tmp_path):
    stats = statistics(s=["<b>", "c", "c"], x=[1.5, 2.5, 2.0])
    schema = tfdv.infer_schema(stats)
    tfdv.display_schema(schema)
    assert "'s'           STRING  required           's'" in capsys.readouterr().out
    tfdv.display_anomalies(tfdv.validate_statistics(stats, schema))
    assert capsys.readouterr().out == "No anomalies found.\n"
    shown = tfdv.get_statistics_html(stats, stats, "here", "there")
    assert shown.count("<tr>") == 5 and "there" in shown and "<b>" not in shown
    tfdv.write_schema_text(schema, tmp_path / "s.pbtxt")
    assert tfdv.load_schema_text(tmp_path / "s.pbtxt") == schema


def test_csv_without_header_and_with_a_schema(tmp_path):
    path = write(tmp_path / "a.csv", "1;x", "2;")
    stats = tfdv.generate_statistics_from_csv(path, column_names=["n", "s"], delimiter=";")
    assert feature(stats, "n").num_stats.mean == 1.5
    assert feature(stats, "s").string_stats.common_stats.num_missing == 1
    schema = schema_pb2.Schema(feature=[schema_pb2.Feature(name="n", type=schema_pb2.BYTES)])
    options = tfdv.StatsOptions(schema=schema, infer_type_from_schema=True, feature_allowlist=["n"])
    stats = tfdv.generate_statistics_from_csv(path, ["n", "s"], ";", stats_options=options)
    assert [f.string_stats.unique for f in stats.datasets[0].features] == [2]
    again = tfdv.StatsOptions.from_json(options.to_json())
    assert again.schema == schema and again.feature_allowlist == ["n"]
