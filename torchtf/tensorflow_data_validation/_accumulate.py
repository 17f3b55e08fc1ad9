"""Statistics of features, value by value: `Accumulator` sees examples and gives the message.

Numbers are kept as they come, in 8 bytes each, and strings are counted: so means, medians,
quantiles and numbers of distinct values are exact.
"""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from torchtf.tensorflow_data_validation._options import StatsOptions

_KINDS = statistics_pb2.FeatureNameStatistics
_HISTOGRAM = statistics_pb2.Histogram
# the types of features of examples
INT, FLOAT, BYTES = "int64", "float", "bytes"
_MAX_LENGTH = 1024  # of a string that is listed


class _Feature:
    """What was seen of a feature."""

    def __init__(self) -> None:
        self.kind: str | None = None
        self.lengths: Counter[int] = Counter()  # numbers of values -> examples
        self.numbers: array | None = None
        self.strings: Counter[bytes] = Counter()

    def add(self, name: str, kind: str, values: Sequence) -> None:
        """Adds the values of an example."""
        if self.kind is None:
            self.kind = kind
            self.numbers = None if kind == BYTES else array("q" if kind == INT else "d")
        elif kind != self.kind:
            raise TypeError(
                f"Feature {name!r} has values of type {kind} where earlier examples have "
                f"{self.kind}."
            )
        self.lengths[len(values)] += 1
        if self.numbers is None:
            self.strings.update(values)
        else:
            self.numbers.extend(values)


class Accumulator:
    """Statistics of examples.

    Raises:
        TypeError: if a feature has values of one type here and of another there.
    """

    def __init__(self, options: StatsOptions):
        self._options = options
        self._features: dict[str, _Feature] = {}
        self._examples = 0
        schema = options.schema or schema_pb2.Schema()
        self._schema = {f.name: f for f in schema.feature}

    def add(self, example: Iterable[tuple[str, str | None, Sequence]]) -> None:
        """Adds an example: the name, type and values of each feature; no type where there is
        none.
        """
        self._examples += 1
        for name, kind, values in example:
            if not self._options.allows(name):
                continue
            feature = self._features.get(name)
            if feature is None:
                feature = self._features[name] = _Feature()
            if kind is not None:
                feature.add(name, kind, values)

    def result(self) -> statistics_pb2.DatasetFeatureStatisticsList:
        """The statistics of all examples so far."""
        result = statistics_pb2.DatasetFeatureStatisticsList()
        dataset = result.datasets.add(num_examples=self._examples)
        for name, feature in self._features.items():
            made = dataset.features.add()
            made.path.step.append(name)
            self._describe(name, feature, made)
        return result

    def _describe(self, name: str, feature: _Feature, made) -> None:
        known = self._schema.get(name)
        if feature.kind in (INT, FLOAT):
            made.type = _KINDS.INT if feature.kind == INT else _KINDS.FLOAT
            if made.type == _KINDS.INT and known is not None and known.int_domain.is_categorical:
                strings = Counter(str(v).encode() for v in feature.numbers)
                self._describe_strings(strings, feature.lengths, made.string_stats)
                return
            self._describe_numbers(feature, made.num_stats)
        elif known is not None and known.HasField("image_domain"):
            made.type = _KINDS.BYTES
            self._common(feature.lengths, made.bytes_stats.common_stats)
            sizes = Counter(len(s) for s in feature.strings.elements())
            if sizes:
                stats = made.bytes_stats
                stats.avg_num_bytes = sum(k * v for k, v in sizes.items()) / sizes.total()
                stats.min_num_bytes, stats.max_num_bytes = min(sizes), max(sizes)
                stats.max_num_bytes_int = max(sizes)
        else:
            made.type = _KINDS.STRING
            self._describe_strings(feature.strings, feature.lengths, made.string_stats)

    def _common(self, lengths: Counter[int], made) -> None:
        """How many values there are."""
        made.num_non_missing = lengths.total()
        made.num_missing = self._examples - made.num_non_missing
        if not lengths:
            return
        made.min_num_values, made.max_num_values = min(lengths), max(lengths)
        made.tot_num_values = sum(length * count for length, count in lengths.items())
        made.avg_num_values = made.tot_num_values / made.num_non_missing
        counts = np.repeat(*(np.array(a) for a in zip(*sorted(lengths.items()), strict=True)))
        buckets = self._options.num_values_histogram_buckets
        _quantiles(counts.astype(np.float64), buckets, made.num_values_histogram)

    def _describe_numbers(self, feature: _Feature, made) -> None:
        self._common(feature.lengths, made.common_stats)
        values = np.array(feature.numbers, np.float64)
        missing = int(np.isnan(values).sum())
        values = values[~np.isnan(values)]
        standard = made.histograms.add(type=_HISTOGRAM.STANDARD, num_nan=missing)
        ranks = made.histograms.add(type=_HISTOGRAM.QUANTILES, num_nan=missing)
        if not values.size:
            return
        with np.errstate(invalid="ignore"):
            made.mean, made.std_dev = float(values.mean()), float(values.std())
        made.num_zeros = int((values == 0).sum())
        made.min, made.max = float(values.min()), float(values.max())
        made.median = float(np.median(values))
        finite = values[np.isfinite(values)]
        if finite.size:
            counts, edges = np.histogram(finite, self._options.num_histogram_buckets)
            for (low, high), count in zip(itertools.pairwise(edges), counts, strict=True):
                standard.buckets.add(low_value=low, high_value=high, sample_count=count)
        if finite.size < values.size:  # infinite values go to buckets of their own at the ends
            for value in (-np.inf, np.inf):
                count = int((values == value).sum())
                if count:
                    standard.buckets.add(low_value=value, high_value=value, sample_count=count)
        _quantiles(values, self._options.num_quantiles_histogram_buckets, ranks)

    def _describe_strings(self, strings: Counter[bytes], lengths: Counter[int], made) -> None:
        self._common(lengths, made.common_stats)
        options = self._options
        made.unique = len(strings)
        total = strings.total()
        if not total:
            return
        made.avg_length = sum(len(s) * n for s, n in strings.items()) / total
        ranked = sorted(strings.items(), key=lambda item: (-item[1], item[0]))
        listed = []
        for value, count in ranked:
            try:
                text = value.decode()
            except UnicodeDecodeError:
                made.invalid_utf8_count += count
                text = "__BYTES_VALUE__"
            listed.append(("__LARGE_BYTES__" if len(value) > _MAX_LENGTH else text, count))
        for text, count in listed[: options.num_top_values]:
            if count >= options.frequency_threshold:
                made.top_values.add(value=text, frequency=count)
        for rank, (text, count) in enumerate(listed[: options.num_rank_histogram_buckets]):
            made.rank_histogram.buckets.add(
                low_rank=rank, high_rank=rank, label=text, sample_count=count
            )


def _quantiles(values: np.ndarray, count: int, made) -> None:
    """A histogram of buckets of equal weight."""
    made.type = _HISTOGRAM.QUANTILES
    with np.errstate(invalid="ignore"):
        edges = np.quantile(values, np.linspace(0, 1, count + 1), method="lower")
    for low, high in itertools.pairwise(edges):
        made.buckets.add(low_value=low, high_value=high, sample_count=values.size / count)
