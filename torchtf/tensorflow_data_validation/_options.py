"""`StatsOptions`: which statistics are made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from google.protobuf import json_format
from tensorflow_metadata.proto.v0 import schema_pb2

from torchtf.tensorflow_data_validation._paths import FeaturePath, steps_of

_DEFAULTS: dict[str, Any] = {
    "generators": None,
    "schema": None,
    "label_feature": None,
    "weight_feature": None,
    "slice_functions": None,
    "sample_rate": None,
    "num_top_values": 20,
    "frequency_threshold": 1,
    "weighted_frequency_threshold": 1.0,
    "num_rank_histogram_buckets": 1000,
    "num_values_histogram_buckets": 10,
    "num_histogram_buckets": 10,
    "num_quantiles_histogram_buckets": 10,
    "epsilon": 0.01,
    "infer_type_from_schema": False,
    "desired_batch_size": None,
    "enable_semantic_domain_stats": False,
    "semantic_domain_stats_sample_rate": None,
    "per_feature_weight_override": None,
    "vocab_paths": None,
    "add_default_generators": True,
    "feature_allowlist": None,
    "experimental_use_sketch_based_topk_uniques": None,
    "use_sketch_based_topk_uniques": None,
    "experimental_slice_functions": None,
    "experimental_result_partitions": 1,
    "experimental_num_feature_partitions": 1,
    "slicing_config": None,
    "experimental_filter_read_paths": False,
    "per_feature_stats_config": None,
}
# what changes how statistics are computed, and not which: they are exact here
_WITHOUT_EFFECT = {
    "epsilon", "desired_batch_size", "experimental_use_sketch_based_topk_uniques",
    "use_sketch_based_topk_uniques", "experimental_result_partitions",
    "experimental_num_feature_partitions", "experimental_filter_read_paths",
    "semantic_domain_stats_sample_rate", "weighted_frequency_threshold",
}  # fmt: skip
_REASONS = {
    "generators": "compute what you need with tf.data",
    "label_feature": "slice the examples by label and compare their statistics",
    "weight_feature": "statistics are those of examples of equal weight",
    "slice_functions": "select the examples of each slice and compute their statistics",
    "experimental_slice_functions": "select the examples of each slice and compute theirs",
    "slicing_config": "select the examples of each slice and compute their statistics",
    "enable_semantic_domain_stats": "set the domains with tfdv.set_domain",
    "per_feature_weight_override": "statistics are those of examples of equal weight",
    "vocab_paths": "strings are counted by their text",
    "add_default_generators": "the default statistics are always made",
    "per_feature_stats_config": "use feature_allowlist",
}


class StatsOptions:
    """Options of statistics (source: `tfdv.StatsOptions`).

    Args:
        schema: says which bytes features are no strings, and which integers are categories.
        sample_rate: the fraction of the examples to look at.
        num_top_values, frequency_threshold: of strings, how many frequent ones are listed and how
            often they must be there.
        num_rank_histogram_buckets: how many strings are counted.
        num_values_histogram_buckets, num_histogram_buckets, num_quantiles_histogram_buckets:
            buckets of the histograms.
        infer_type_from_schema: of CSV files, whether the schema tells the types.
        feature_allowlist: the features to look at; all if None.

    Raises:
        TypeError: for another argument, a schema or a list of features that is none.
        ValueError: for numbers that mean nothing.
        NotImplementedError: for an option that is not supported, with what to do instead.
    """

    def __init__(self, **options):
        for name in options:
            if name not in _DEFAULTS:
                raise TypeError(f"StatsOptions() got an unexpected keyword argument {name!r}")
        for name, value in (_DEFAULTS | options).items():
            if value != _DEFAULTS[name] and name in _REASONS:
                raise NotImplementedError(
                    f"StatsOptions({name}={value!r}) is not supported: {_REASONS[name]}"
                )
            setattr(self, name, value)
        self._check()

    def _check(self) -> None:
        if self.schema is not None and not isinstance(self.schema, schema_pb2.Schema):
            raise TypeError(
                f"schema is of type {type(self.schema).__name__}, should be a Schema proto."
            )
        allowed = self.feature_allowlist
        if allowed is not None and not isinstance(allowed, list):
            raise TypeError(
                f"feature_allowlist is of type {type(allowed).__name__}, should be a list."
            )
        if self.sample_rate is not None and not 0 < self.sample_rate <= 1:
            raise ValueError(f"Invalid sample_rate {self.sample_rate}")
        for name in ("num_values_histogram_buckets", "num_histogram_buckets",
                     "num_quantiles_histogram_buckets"):  # fmt: skip
            if getattr(self, name) < 1:
                raise ValueError(f"Invalid {name} {getattr(self, name)}")

    def allows(self, name: str) -> bool:
        """Whether a feature is looked at."""
        allowed: Sequence[str | FeaturePath] | None = self.feature_allowlist
        return allowed is None or any(steps_of(a) == (name,) for a in allowed)

    def to_json(self) -> str:
        """The options that are not the defaults, as JSON."""
        given = {n: getattr(self, n) for n in _DEFAULTS if getattr(self, n) != _DEFAULTS[n]}
        if self.schema is not None:
            given["schema"] = json_format.MessageToDict(self.schema)
        if self.feature_allowlist is not None:
            given["feature_allowlist"] = [".".join(steps_of(a)) for a in self.feature_allowlist]
        return json.dumps(given, sort_keys=True)

    @classmethod
    def from_json(cls, options_json: str) -> StatsOptions:
        """The options that `to_json` wrote."""
        given = json.loads(options_json)
        if "schema" in given:
            given["schema"] = json_format.ParseDict(given["schema"], schema_pb2.Schema())
        return cls(**given)
