"""`TFTransformOutput`: a transformation on disk, with its schemas, and how it is applied."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import Any

import torchtf as tf
from torchtf.tensorflow_transform._analysis import ancestors
from torchtf.tensorflow_transform.tf_metadata import metadata_io, schema_utils
from torchtf.tensorflow_transform.tf_metadata.dataset_metadata import DatasetMetadata


class TFTransformOutput:
    """What `tfx.components.Transform` wrote (source: `tft.TFTransformOutput`).

    Args:
        transform_output_dir: the folder, with ``transform_fn``, ``transformed_metadata`` and
            ``metadata`` in it.

    Raises when something is read:
        OSError: if it is not there.
    """

    TRANSFORMED_METADATA_DIR = "transformed_metadata"
    TRANSFORM_FN_DIR = "transform_fn"
    RAW_METADATA_DIR = "metadata"
    ASSET_MAP = "asset_map"
    PRE_TRANSFORM_FEATURE_STATS_PATH = os.path.join(
        "pre_transform_feature_stats", "FeatureStats.pb"
    )
    POST_TRANSFORM_FEATURE_STATS_PATH = os.path.join(
        "post_transform_feature_stats", "FeatureStats.pb"
    )

    def __init__(self, transform_output_dir: str | os.PathLike):
        self._folder = os.fspath(transform_output_dir)

    # -- what was transformed

    @functools.cached_property
    def raw_metadata(self) -> DatasetMetadata:
        """The metadata of the data that is transformed."""
        return metadata_io.read_metadata(os.path.join(self._folder, self.RAW_METADATA_DIR))

    def raw_feature_spec(self) -> dict[str, Any]:
        """How the data that is transformed is parsed; a new dict."""
        return schema_utils.schema_as_feature_spec(self.raw_metadata.schema).feature_spec

    def raw_domains(self) -> dict[str, Any]:
        """The domains of the features of the data."""
        return schema_utils.schema_as_feature_spec(self.raw_metadata.schema).domains

    @functools.cached_property
    def transformed_metadata(self) -> DatasetMetadata:
        """The metadata of the transformed data."""
        return metadata_io.read_metadata(os.path.join(self._folder, self.TRANSFORMED_METADATA_DIR))

    def transformed_feature_spec(self) -> dict[str, Any]:
        """How transformed data is parsed; a new dict."""
        return schema_utils.schema_as_feature_spec(self.transformed_metadata.schema).feature_spec

    def transformed_domains(self) -> dict[str, Any]:
        """The domains of the transformed features."""
        return schema_utils.schema_as_feature_spec(self.transformed_metadata.schema).domains

    def num_buckets_for_transformed_feature(self, name: str) -> int:
        """The number of categories of a transformed feature.

        Raises:
            ValueError: if it has no range of integers that begins with 0.
        """
        domain = self.transformed_domains().get(name)
        if domain is None or not hasattr(domain, "is_categorical"):
            raise ValueError(f"Column {name} did not have an integer domain")
        if domain.min != 0:
            raise ValueError(f"Column {name} has non-zero min value {domain.min}")
        return domain.max + 1

    @property
    def pre_transform_statistics_path(self) -> str:
        return os.path.join(self._folder, self.PRE_TRANSFORM_FEATURE_STATS_PATH)

    @property
    def post_transform_statistics_path(self) -> str:
        return os.path.join(self._folder, self.POST_TRANSFORM_FEATURE_STATS_PATH)

    # -- vocabularies

    def vocabulary_file_by_name(self, vocab_filename: str) -> str | None:
        """The file of a vocabulary; None if there is none."""
        path = os.path.join(self.transform_savedmodel_dir, "assets", vocab_filename)
        return path if os.path.isfile(path) else None

    def vocabulary_by_name(self, vocab_filename: str) -> list[bytes]:
        """The lines of a vocabulary.

        Raises:
            ValueError: if there is none of this name.
        """
        path = self.vocabulary_file_by_name(vocab_filename)
        if path is None:
            raise ValueError(f"Could not read vocabulary: {vocab_filename}, does not exist")
        with open(path, "rb") as f:
            return f.read().splitlines()

    def vocabulary_size_by_name(self, vocab_filename: str) -> int:
        """The number of entries of a vocabulary.

        Raises:
            ValueError: if there is none of this name.
        """
        return len(self.vocabulary_by_name(vocab_filename))

    # -- applying it

    @property
    def transform_savedmodel_dir(self) -> str:
        """The folder of the SavedModel."""
        return os.path.join(self._folder, self.TRANSFORM_FN_DIR)

    def load_transform_graph(self) -> None:
        """Raises NotImplementedError: it is for graphs of TensorFlow 1."""
        raise NotImplementedError(
            "load_transform_graph is for graphs of TensorFlow 1; use transform_features_layer()"
        )

    def transform_features_layer(self) -> TransformFeaturesLayer:
        """What transforms raw features; the same object each time."""
        return self._layer

    @functools.cached_property
    def _layer(self) -> TransformFeaturesLayer:
        return TransformFeaturesLayer(self)

    def transform_raw_features(
        self, raw_features: Mapping[str, Any], drop_unused_features: bool = True
    ) -> dict[str, Any]:
        """Transforms a batch.

        Args:
            raw_features: tensors as `raw_feature_spec` parses them. Results that need a feature
                that is missing are left out.
            drop_unused_features: False is refused.

        Raises:
            NotImplementedError: for `drop_unused_features=False`.
        """
        if not drop_unused_features:
            raise NotImplementedError(
                "transform_raw_features(drop_unused_features=False) is not supported: give all "
                "features of raw_feature_spec(), then nothing is left out"
            )
        return self._layer(raw_features)


class TransformFeaturesLayer(tf.Module):
    """Transforms batches of raw features as `preprocessing_fn` did (source:
    `tft.TransformFeaturesLayer`).

    It is for functions of tensors: in `Dataset.map`, in a serving function, eagerly. An attribute
    of a Keras model may hold it.
    """

    def __init__(self, tft_output: TFTransformOutput, exported_as_v1: bool | None = None):
        super().__init__()
        if exported_as_v1:
            raise NotImplementedError(
                "TransformFeaturesLayer(exported_as_v1=True): the SavedModel is one of TensorFlow 2"
            )
        loaded = tf.saved_model.load(tft_output.transform_savedmodel_dir)
        self._function = loaded.transform_fn
        concrete = self._function.concrete_functions[0]
        (specs,), _ = concrete.structured_input_signature
        self._specs = specs
        self._needs = _needed_inputs(concrete, specs)

    def __call__(self, inputs: Mapping[str, Any], training=None) -> dict[str, Any]:
        """Transforms a batch; see `TFTransformOutput.transform_raw_features`.

        Raises:
            ValueError: if no feature of the raw data is there.
            NotImplementedError: for inputs of a Keras model that is being made.
        """
        given = {name: value for name, value in inputs.items() if name in self._specs}
        if not given:
            raise ValueError(
                f"None of the features {sorted(self._specs)} is among {sorted(inputs)}."
            )
        if any(type(v).__name__ == "KerasTensor" for v in given.values()):
            raise NotImplementedError(
                "TransformFeaturesLayer takes tensors, no inputs of a Keras model: apply it in "
                "Dataset.map, or in a tf.function before the model"
            )
        missing = self._specs.keys() - given.keys()
        if missing:
            rows = _rows(next(iter(given.values())))
            for name in missing:
                given[name] = _nothing(self._specs[name], rows)
        made = self._function({name: given[name] for name in self._specs})
        return {name: v for name, v in made.items() if not missing & self._needs[name]}


def _needed_inputs(concrete, specs: Mapping[str, Any]) -> dict[str, set[str]]:
    """The inputs that each result is computed of."""
    graph = concrete.graph_module.graph
    places = iter(n for n in graph.nodes if n.op == "placeholder")
    names = {}
    for name in sorted(specs):  # as dicts are flattened
        for _ in range(1 if isinstance(specs[name], tf.TensorSpec) else 3):
            names[next(places)] = name
    flat = iter(graph.output_node().args[0])
    needs = {}
    for name, spec in sorted(concrete.output_signature.items()):
        parts = [next(flat) for _ in range(1 if isinstance(spec, tf.TensorSpec) else 3)]
        needs[name] = {names[n] for n in ancestors(parts) if n in names}
    return needs


def _rows(value):
    """The size of a batch."""
    if isinstance(value, tf.SparseTensor):
        return value.dense_shape[0]
    return tf.shape(value, tf.int64)[0]


def _nothing(spec, rows):
    """A batch for a feature that is missing, of which nothing is used."""
    empty: Any = "" if spec.dtype is tf.string else 0
    if isinstance(spec, tf.TensorSpec):
        sizes = tf.stack([rows, *(tf.constant(s, tf.int64) for s in spec.shape[1:])])
        return tf.fill(sizes, tf.constant(empty, spec.dtype))
    return tf.SparseTensor(
        tf.zeros([0, 2], tf.int64),
        tf.constant([], spec.dtype),
        tf.stack([rows, tf.constant(0, tf.int64)]),
    )
