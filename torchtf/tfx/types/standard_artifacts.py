"""`tfx.types.standard_artifacts`: the artifacts of TFX's own components, and those of one value."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from torchtf.tfx.types import standard_annotations as kinds
from torchtf.tfx.types.artifact import Artifact, Property, PropertyType, ValueArtifact

_SPAN = Property(PropertyType.INT)
_VERSION = Property(PropertyType.INT)
_SPLIT_NAMES = Property(PropertyType.STRING)


class _WithSplits(Artifact):
    """Artifacts with a folder ``Split-<name>`` for each split."""

    @property
    def splits(self) -> list[str]:
        """The names of the splits, also in `split_names` as JSON."""
        return json.loads(self.split_names) if self.split_names else []

    @splits.setter
    def splits(self, names: Sequence[str]) -> None:
        if isinstance(names, str) or not all(isinstance(n, str) for n in names):
            raise TypeError(f"splits should be Sequence[str] but got {names}")
        self.split_names = json.dumps(list(names))

    def path(self, *, split: str) -> str:
        """The folder of a split.

        Raises:
            ValueError: if the artifact has none of this name.
        """
        if split not in self.splits:
            raise ValueError(
                f"Split {split} not found in self.splits={self.splits}. Did you forget to update "
                f"{self.type_name}.splits first?"
            )
        return os.path.join(self.uri, f"Split-{split}")


class Examples(_WithSplits):
    """Training data: ``Split-<name>/`` with files of TFRecords."""

    TYPE_NAME = "Examples"
    TYPE_ANNOTATION = kinds.Dataset
    PROPERTIES = {"span": _SPAN, "version": _VERSION, "split_names": _SPLIT_NAMES}


class ExampleAnomalies(_WithSplits):
    """What of the data does not fit a schema: ``Split-<name>/SchemaDiff.pb``."""

    TYPE_NAME = "ExampleAnomalies"
    PROPERTIES = {"span": _SPAN, "split_names": _SPLIT_NAMES}


class ExampleStatistics(_WithSplits):
    """Statistics of examples: ``Split-<name>/FeatureStats.pb``."""

    TYPE_NAME = "ExampleStatistics"
    TYPE_ANNOTATION = kinds.Statistics
    PROPERTIES = {"span": _SPAN, "split_names": _SPLIT_NAMES}


class ExternalArtifact(Artifact):
    """What comes from outside."""

    TYPE_NAME = "ExternalArtifact"


class InferenceResult(Artifact):
    """Predictions for examples."""

    TYPE_NAME = "InferenceResult"


class InfraBlessing(Artifact):
    """Whether a model server could serve a model."""

    TYPE_NAME = "InfraBlessing"


class Model(Artifact):
    """A trained model: ``Format-Serving/``."""

    TYPE_NAME = "Model"
    TYPE_ANNOTATION = kinds.Model


class ModelRun(Artifact):
    """What a training wrote besides, such as summaries."""

    TYPE_NAME = "ModelRun"


class ModelBlessing(Artifact):
    """Whether a model is good enough: a file ``BLESSED`` or ``NOT_BLESSED``."""

    TYPE_NAME = "ModelBlessing"


class ModelEvaluation(Artifact):
    """Metrics of a model."""

    TYPE_NAME = "ModelEvaluation"
    TYPE_ANNOTATION = kinds.Metrics


class PushedModel(Artifact):
    """A model that was pushed."""

    TYPE_NAME = "PushedModel"
    TYPE_ANNOTATION = kinds.Model


class Schema(Artifact):
    """What examples should look like: ``schema.pbtxt``."""

    TYPE_NAME = "Schema"


class TransformCache(Artifact):
    """Results of analyzers of single spans."""

    TYPE_NAME = "TransformCache"


class TransformGraph(Artifact):
    """A transformation: ``transform_fn/``, ``transformed_metadata/``, ``metadata/``."""

    TYPE_NAME = "TransformGraph"


class HyperParameters(Artifact):
    """The best hyperparameters that a tuner found."""

    TYPE_NAME = "HyperParameters"


class TunerResults(Artifact):
    """All trials of a tuner."""

    TYPE_NAME = "TunerResults"


class _Plain(ValueArtifact):
    """A value of one Python type, as text."""

    _type: type

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, self._type):
            raise TypeError(
                f"Expecting {self._type.__name__} but got value {value} of type {type(value)}"
            )
        return self._text(value).encode()

    def _text(self, value) -> str:
        return str(value)

    def decode(self, serialized_value: bytes) -> Any:
        return self._type(serialized_value.decode())


class String(_Plain):
    """A string."""

    TYPE_NAME = "String"
    _type = str


class Integer(_Plain):
    """An integer."""

    TYPE_NAME = "Integer"
    _type = int


class Float(_Plain):
    """A float."""

    TYPE_NAME = "Float"
    _type = float

    def _text(self, value) -> str:
        names = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
        return names.get(str(value), str(value))


class Boolean(_Plain):
    """True or False."""

    TYPE_NAME = "Boolean"
    _type = bool

    def _text(self, value) -> str:
        return "1" if value else "0"

    def decode(self, serialized_value: bytes) -> bool:
        return int(serialized_value) != 0


class Bytes(ValueArtifact):
    """Bytes."""

    TYPE_NAME = "Bytes"

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, bytes):
            raise TypeError(f"Expecting bytes but got value {value} of type {type(value)}")
        return value

    def decode(self, serialized_value: bytes) -> bytes:
        return serialized_value


class JsonValue(ValueArtifact):
    """What JSON can say."""

    TYPE_NAME = "JsonValue"

    def encode(self, value: Any) -> bytes:
        return json.dumps(value, sort_keys=True).encode()

    def decode(self, serialized_value: bytes) -> Any:
        return json.loads(serialized_value)


# Python's type -> the artifact that holds a value of it
VALUE_TYPES = {
    int: Integer, float: Float, str: String, bytes: Bytes, bool: Boolean, dict: JsonValue,
    list: JsonValue,
}  # fmt: skip

__all__ = [
    "Boolean", "Bytes", "ExampleAnomalies", "ExampleStatistics", "Examples", "ExternalArtifact",
    "Float", "HyperParameters", "InferenceResult", "InfraBlessing", "Integer", "JsonValue", "Model",
    "ModelBlessing", "ModelEvaluation", "ModelRun", "PushedModel", "Schema", "String",
    "TransformCache", "TransformGraph", "TunerResults",
]  # fmt: skip
