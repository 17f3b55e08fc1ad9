"""`tensorflow_transform.tf_metadata.dataset_metadata`: a schema as the metadata of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from torchtf.tensorflow_transform.tf_metadata import schema_utils


class DatasetMetadata:
    """What is known of a dataset (source: `tft.DatasetMetadata`).

    Attributes:
        schema: its schema.
    """

    def __init__(self, schema: schema_pb2.Schema):
        self.schema = schema

    @classmethod
    def from_feature_spec(
        cls, feature_spec: Mapping[str, Any], domains: Mapping[str, Any] | None = None
    ) -> DatasetMetadata:
        return cls(schema_utils.schema_from_feature_spec(feature_spec, domains))

    def __eq__(self, other):
        return isinstance(other, DatasetMetadata) and self.schema == other.schema

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self):
        return f"DatasetMetadata({self.schema!r})"
