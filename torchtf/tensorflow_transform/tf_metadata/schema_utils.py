"""`tensorflow_transform.tf_metadata.schema_utils`: schemas and feature specs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tensorflow_metadata.proto.v0 import schema_pb2

import torchtf as tf

_DTYPES = {schema_pb2.INT: tf.int64, schema_pb2.FLOAT: tf.float32, schema_pb2.BYTES: tf.string}
_HIDDEN = (
    schema_pb2.DEPRECATED, schema_pb2.DISABLED, schema_pb2.PLANNED, schema_pb2.ALPHA,
    schema_pb2.DEBUG_ONLY,
)  # fmt: skip


class SchemaAsFeatureSpecResult(NamedTuple):
    """What a schema says of parsing.

    Attributes:
        feature_spec: what `tf.io.parse_example` takes.
        domains: the domain of each feature that has one.
    """

    feature_spec: dict[str, Any]
    domains: dict[str, Any]


def schema_from_feature_spec(
    feature_spec: Mapping[str, Any], domains: Mapping[str, Any] | None = None
) -> schema_pb2.Schema:
    """The schema of a feature spec (source: `schema_utils.schema_from_feature_spec`).

    Args:
        feature_spec: `FixedLenFeature`s without default and `VarLenFeature`s by name.
        domains: `IntDomain`s, `FloatDomain`s and `StringDomain`s by name.

    Raises:
        ValueError: for a feature of another dtype, or an open shape.
        NotImplementedError: for other features, and defaults.
    """
    schema = schema_pb2.Schema()
    for name, spec in sorted(feature_spec.items()):
        feature = schema.feature.add(name=name)
        dtype = tf.as_dtype(spec.dtype)
        if dtype is tf.string:
            feature.type = schema_pb2.BYTES
        elif dtype.is_integer:
            feature.type = schema_pb2.INT
        elif dtype.is_floating:
            feature.type = schema_pb2.FLOAT
        else:
            raise ValueError(f'Feature "{name}" has invalid dtype {dtype.name}')
        if isinstance(spec, tf.io.FixedLenFeature):
            if spec.default_value is not None:
                raise NotImplementedError(
                    f"Feature {name!r} has a default value, which a schema cannot say: use a "
                    "VarLenFeature and fill it in preprocessing_fn"
                )
            feature.presence.min_fraction = 1.0
            feature.shape.SetInParent()
            for size in tf.TensorShape(spec.shape).as_list():
                if size is None:
                    raise ValueError(f'Feature "{name}" had invalid shape {spec.shape}')
                feature.shape.dim.add(size=size)
        elif not isinstance(spec, tf.io.VarLenFeature):
            raise NotImplementedError(
                f"Feature {name!r} is a {type(spec).__name__}: use a FixedLenFeature or a "
                "VarLenFeature"
            )
        domain = (domains or {}).get(name)
        if isinstance(domain, schema_pb2.IntDomain):
            feature.int_domain.CopyFrom(domain)
        elif isinstance(domain, schema_pb2.FloatDomain):
            feature.float_domain.CopyFrom(domain)
        elif isinstance(domain, schema_pb2.StringDomain):
            feature.string_domain.CopyFrom(domain)
    return schema


def schema_as_feature_spec(schema: schema_pb2.Schema) -> SchemaAsFeatureSpecResult:
    """How examples of a schema are parsed (source: `schema_utils.schema_as_feature_spec`).

    A feature with a shape is dense, any other sparse.

    Raises:
        ValueError: for a feature that is dense but may be missing, or of another type.
    """
    strings = {d.name: d for d in schema.string_domain}
    specs, domains = {}, {}
    for feature in schema.feature:
        if feature.lifecycle_stage in _HIDDEN or feature.deprecated:
            continue
        if feature.type not in _DTYPES:
            kind = schema_pb2.FeatureType.Name(feature.type)
            raise ValueError(f'Feature "{feature.name}" had invalid type {kind}')
        dtype = _DTYPES[feature.type]
        if feature.HasField("shape"):
            if feature.presence.min_fraction != 1:
                raise ValueError(
                    f'Feature "{feature.name}" had shape but min_fraction of its presence is '
                    f"{feature.presence.min_fraction} where 1 is needed"
                )
            shape = [dim.size for dim in feature.shape.dim]
            specs[feature.name] = tf.io.FixedLenFeature(shape, dtype)
        else:
            specs[feature.name] = tf.io.VarLenFeature(dtype)
        kind = feature.WhichOneof("domain_info")
        if kind == "domain" and feature.domain in strings:
            domains[feature.name] = strings[feature.domain]
        elif kind in ("int_domain", "float_domain", "string_domain"):
            domains[feature.name] = getattr(feature, kind)
    return SchemaAsFeatureSpecResult(specs, domains)
