"""The interface of TensorFlow Data Validation: statistics of data, and schemas that it must fit.

Statistics are exact and computed in this process; there is no Beam. Messages are those of the
package tensorflow-metadata.
"""

from torchtf.tensorflow_data_validation._display import (
    display_anomalies,
    display_schema,
    get_statistics_html,
    visualize_statistics,
)
from torchtf.tensorflow_data_validation._files import (
    load_anomalies_binary,
    load_anomalies_text,
    load_schema_text,
    load_statistics,
    load_stats_binary,
    load_stats_text,
    write_anomalies_text,
    write_schema_text,
    write_stats_text,
)
from torchtf.tensorflow_data_validation._generate import (
    generate_statistics_from_csv,
    generate_statistics_from_dataframe,
    generate_statistics_from_tfrecord,
)
from torchtf.tensorflow_data_validation._options import StatsOptions
from torchtf.tensorflow_data_validation._paths import (
    FeaturePath,
    get_domain,
    get_feature,
    get_feature_stats,
    get_slice_stats,
    set_domain,
)
from torchtf.tensorflow_data_validation._schema import infer_schema, update_schema
from torchtf.tensorflow_data_validation._validation import validate_statistics

__version__ = "1.16.0"

__all__ = [
    "FeaturePath", "StatsOptions", "display_anomalies", "display_schema",
    "generate_statistics_from_csv", "generate_statistics_from_dataframe",
    "generate_statistics_from_tfrecord", "get_domain", "get_feature", "get_feature_stats",
    "get_slice_stats", "get_statistics_html", "infer_schema", "load_anomalies_binary",
    "load_anomalies_text", "load_schema_text", "load_statistics", "load_stats_binary",
    "load_stats_text", "set_domain", "update_schema", "validate_statistics",
    "visualize_statistics", "write_anomalies_text", "write_schema_text", "write_stats_text",
]  # fmt: skip

_BEAM = {
    "GenerateStatistics": "generate_statistics_from_tfrecord, _csv or _dataframe",
    "MergeDatasetFeatureStatisticsList": "one of the generate_statistics functions on all files",
    "WriteStatisticsToBinaryFile": "write_stats_text",
    "WriteStatisticsToTFRecord": "write_stats_text",
    "DetectFeatureSkew": "validate_statistics with serving_statistics",
}


def __getattr__(name: str):
    if name in _BEAM:
        raise NotImplementedError(
            f"tfdv.{name} is a transform of Apache Beam, which is not there: use {_BEAM[name]}"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
