"""The interface of TensorFlow Transform: features from statistics of a whole dataset.

* A `preprocessing_fn` calls analyzers (`mean`, `vocabulary`...), and mappers
  (`scale_to_z_score`...), which are functions of analyzers.
* `_analysis` finds what the analyzers give by passes over the data (there is no Beam), and makes a
  SavedModel of the function with these values in it: the transform function.
* `TFTransformOutput` is that with the schemas, as `tfx.components.Transform` writes it.
"""

from torchtf.tensorflow_transform import experimental
from torchtf.tensorflow_transform._analyzers import (
    max,
    mean,
    min,
    quantiles,
    size,
    sum,
    var,
    vocabulary,
)
from torchtf.tensorflow_transform._mappers import (
    apply_buckets,
    apply_vocabulary,
    bucketize,
    compute_and_apply_vocabulary,
    hash_strings,
    scale_by_min_max,
    scale_to_0_1,
    scale_to_z_score,
    sparse_tensor_to_dense_with_shape,
    word_count,
)
from torchtf.tensorflow_transform._output import TFTransformOutput, TransformFeaturesLayer
from torchtf.tensorflow_transform.tf_metadata.dataset_metadata import DatasetMetadata

__version__ = "1.16.0"

__all__ = [
    "DatasetMetadata", "TFTransformOutput", "TransformFeaturesLayer", "apply_buckets",
    "apply_vocabulary", "bucketize", "compute_and_apply_vocabulary", "experimental",
    "hash_strings", "max", "mean", "min", "quantiles", "scale_by_min_max", "scale_to_0_1",
    "scale_to_z_score", "size", "sparse_tensor_to_dense_with_shape", "sum", "var", "vocabulary",
    "word_count",
]  # fmt: skip

_ABSENT = {
    "apply_buckets_with_interpolation": "use bucketize, or scale_to_0_1",
    "apply_pyfunc": "a Python function cannot be saved: write it with ops of tf",
    "bag_of_words": "use tf.strings.ngrams and tf.unique",
    "bucketize_per_key": "select the values of each key with tf.where and bucketize them",
    "count_per_key": "use vocabulary with store_frequency=True",
    "covariance": "compute it with means of products of the columns",
    "histogram": "use quantiles, or tf.histogram_fixed_width on the transformed data",
    "ngrams": "use tf.strings.ngrams",
    "pca": "fit it on the transformed data and make it a layer of the model",
    "ptransform_analyzer": "there is no Apache Beam here; use the analyzers that there are",
    "scale_by_min_max_per_key": "select the values of each key with tf.where and scale them",
    "scale_to_0_1_per_key": "select the values of each key with tf.where and scale them",
    "scale_to_gaussian": "use scale_to_z_score",
    "scale_to_z_score_per_key": "select the values of each key with tf.where and scale them",
    "tfidf": "use tf.keras.layers.TextVectorization(output_mode='tf_idf') in the model",
}


def __getattr__(name: str):
    if name in _ABSENT:
        raise NotImplementedError(f"tft.{name} is not supported: {_ABSENT[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
