"""Models that are evaluated: loaded, and called on examples."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import torchtf as tf
from torchtf.core.proto_types import Example
from torchtf.tensorflow_model_analysis.proto.config_pb2 import EvalConfig, ModelSpec

# which of several outputs is meant, if none is named
_PREDICTIONS = (
    "predictions",
    "logistic",
    "probabilities",
    "logits",
    "outputs",
    "output_0",
    "scores",
)


class EvalSharedModel(NamedTuple):
    """A model to evaluate (source: `tfma.types.EvalSharedModel`).

    Attributes:
        model_path: its folder.
        model_name: which `ModelSpec` is its.
        include_default_metrics: whether the metrics that a Keras model was compiled with count.
    """

    model_path: str
    model_name: str = ""
    include_default_metrics: bool = True


def default_eval_shared_model(
    eval_saved_model_path: str | os.PathLike,
    include_default_metrics: bool = True,
    tags: Sequence[str] | None = None,
    model_name: str = "",
    eval_config: EvalConfig | None = None,
) -> EvalSharedModel:
    """Names a model to evaluate (source: `tfma.default_eval_shared_model`).

    Raises:
        NotImplementedError: for tags of a SavedModel but ``serve``.
        ValueError: if the configuration has several models and no name is given.
    """
    if tags not in (None, ["serve"], ("serve",)):
        raise NotImplementedError(f"tags={tags!r}: a SavedModel has the tag 'serve' alone")
    if eval_config is not None and len(eval_config.model_specs) > 1 and not model_name:
        raise ValueError("model_name is required when the eval_config has several model_specs")
    return EvalSharedModel(os.fspath(eval_saved_model_path), model_name, include_default_metrics)


class Batch:
    """Examples.

    Attributes:
        records: their serialized forms.
        features: the values of each feature of each example, by name; what a model transformed
            comes first.
    """

    def __init__(self, records: Sequence[bytes]):
        self.records = records
        self.features: dict[str, list[list]] = {}
        for number, record in enumerate(records):
            for name, feature in Example.FromString(record).features.feature.items():
                kind = feature.WhichOneof("kind")
                if name not in self.features:
                    self.features[name] = [[] for _ in records]
                if kind is not None:
                    self.features[name][number] = list(getattr(feature, kind).value)

    def array(self, name: str, what: str) -> np.ndarray:
        """The values of a feature, of shape ``[examples, values]``.

        Raises:
            ValueError: if the feature is not there, or examples have different numbers of values.
        """
        if name not in self.features:
            raise ValueError(
                f"{what} {name!r} is no feature of the examples, which have "
                f"{', '.join(sorted(self.features))}."
            )
        values = self.features[name]
        if len({len(v) for v in values}) > 1:
            raise ValueError(f"{what} {name!r} has different numbers of values in examples.")
        array = np.array(values)
        return array.astype(np.float32) if array.dtype.kind == "f" else array


class Model:
    """A loaded model.

    Args:
        path: its folder.
        spec: how it is called.

    Raises:
        ValueError: if it has no such signature.
        OSError: if there is none.
    """

    def __init__(self, path: str, spec: ModelSpec):
        self._spec = spec
        self._keras = None
        if os.path.exists(os.path.join(path, "assets.extra", "keras", "model.keras")):
            self._keras = tf.keras.models.load_model(path)
        self._loaded: Any = tf.saved_model.load(path)
        name = spec.signature_name
        if name and name not in self._loaded.signatures:
            raise ValueError(
                f"The model {path} has no signature {name!r}; it has "
                f"{sorted(self._loaded.signatures)}."
            )
        self._name = name or ("" if self._keras is not None else "serving_default")

    @property
    def keras(self):
        """The Keras model, if it was saved as one."""
        return self._keras

    def preprocess(self, batch: Batch) -> None:
        """Adds the features that the preprocessing functions of the model make."""
        for name in self._spec.preprocessing_function_names:
            function = self._function(name)
            for key, value in self._call(function, batch).items():
                if isinstance(value, tf.SparseTensor):
                    value = tf.sparse.to_dense(value, "" if value.dtype is tf.string else 0)
                rows = value.numpy()
                batch.features[key] = rows.reshape(len(rows), -1).tolist()

    def predict(self, batch: Batch) -> np.ndarray:
        """What the model makes of examples.

        Raises:
            ValueError: if it has several outputs and `prediction_key` names none of them.
        """
        if not self._name:
            outputs = self._keras(self._keras_inputs(batch), training=False)
        else:
            outputs = self._call(self._function(self._name), batch)
        if not isinstance(outputs, Mapping):
            return outputs.numpy()
        key = self._spec.prediction_key
        if not key:
            named = [k for k in _PREDICTIONS if k in outputs]
            key = next(iter(outputs)) if len(outputs) == 1 else (named or [""])[0]
        if key not in outputs:
            raise ValueError(
                f"prediction_key {key!r} is none of the outputs of the model: {sorted(outputs)}."
            )
        return outputs[key].numpy()

    def _function(self, name: str):
        if name in self._loaded.signatures:
            return self._loaded.signatures[name]
        for holder in (self._loaded, self._keras):
            if holder is not None and callable(getattr(holder, name, None)):
                return getattr(holder, name)
        raise ValueError(
            f"The model has no function {name!r}; its signatures are "
            f"{sorted(self._loaded.signatures)}."
        )

    @staticmethod
    def _call(function, batch: Batch):
        """Calls a signature on serialized examples, or on the features that it names."""
        signature = getattr(function, "structured_input_signature", None)
        specs = signature[1] if signature else {}
        if len(specs) == 1:
            ((name, spec),) = specs.items()
            if spec.dtype is tf.string and name not in batch.features:
                return function(**{name: tf.constant(list(batch.records))})
        if not specs:
            return function(tf.constant(list(batch.records)))
        return function(**{name: _tensor(batch, name, spec) for name, spec in specs.items()})

    def _keras_inputs(self, batch: Batch):
        inputs = self._keras.inputs
        made = {x.name: _tensor(batch, x.name, x) for x in inputs}
        structure = self._keras._inputs_struct
        if isinstance(structure, Mapping):
            return {key: made[x.name] for key, x in structure.items()}
        ordered = [made[x.name] for x in inputs]
        return ordered if isinstance(structure, (list, tuple)) else ordered[0]


def _tensor(batch: Batch, name: str, spec):
    """A feature as a tensor that a model takes."""
    array = batch.array(name, "The input of the model")
    tensor = tf.constant(array.tolist() if array.dtype.kind in "SO" else array)
    rank = len(spec.shape)
    if rank == 1:
        tensor = tf.reshape(tensor, [-1])
    return tensor if tensor.dtype == spec.dtype else tf.cast(tensor, spec.dtype)
