"""`FnArgs`: what a `run_fn` gets, and `DataAccessor`, which reads its examples."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torchtf as tf
from torchtf.tensorflow_transform.tf_metadata import schema_utils
from torchtf.tfx_bsl._records import compression_of
from torchtf.tfx_bsl.tfxio.dataset_options import TensorFlowDatasetOptions


class DataAccessor(NamedTuple):
    """How examples are read (source: `tfx.components.DataAccessor`).

    Attributes:
        tf_dataset_factory: a function of file patterns, `TensorFlowDatasetOptions` and the schema
            that gives a `tf.data.Dataset` of batches of parsed features.
        record_batch_factory: raises NotImplementedError: there is no Arrow.
        data_view_decode_fn: None: there are no data views.
    """

    tf_dataset_factory: Callable[..., Any]
    record_batch_factory: Callable[..., Any]
    data_view_decode_fn: Callable | None


@dataclasses.dataclass
class FnArgs:
    """The arguments of a `run_fn` (source: `tfx.components.FnArgs`).

    Attributes:
        working_dir: a folder for a tuner.
        train_files, eval_files: patterns of files.
        train_steps, eval_steps: `num_steps` of `TrainArgs` and `EvalArgs`; None if it is 0.
        schema_path, schema_file: the file of the schema, or None.
        transform_graph_path, transform_output: the folder that Transform wrote, or None.
        data_accessor: reads the files.
        serving_model_dir: where to save the model.
        eval_model_dir: where to save a model for evaluation alone.
        model_run_dir: where to write summaries and the like.
        base_model: the folder of a model to begin with, or None.
        hyperparameters: what a tuner found, or None.
        custom_config: what the pipeline gave.
    """

    working_dir: str | None = None
    train_files: list[str] | None = None
    eval_files: list[str] | None = None
    train_steps: int | None = None
    eval_steps: int | None = None
    schema_path: str | None = None
    schema_file: str | None = None
    transform_graph_path: str | None = None
    transform_output: str | None = None
    data_accessor: DataAccessor | None = None
    serving_model_dir: str | None = None
    eval_model_dir: str | None = None
    model_run_dir: str | None = None
    base_model: str | None = None
    hyperparameters: dict[str, Any] | None = None
    custom_config: dict[str, Any] | None = None


def dataset_of(
    file_pattern: str | Sequence[str], options: TensorFlowDatasetOptions, schema=None
) -> Any:
    """Batches of the parsed examples of files.

    Args:
        file_pattern: patterns of TFRecord files, perhaps compressed with GZIP.
        options: how batches are made; with a `label_key`, elements are pairs.
        schema: the schema, which tells how examples are parsed; without one, elements are batches
            of serialized examples.

    Raises:
        ValueError: if no file matches, or the label is no feature of the schema.
    """
    patterns = [file_pattern] if isinstance(file_pattern, str) else list(file_pattern)
    paths = sorted(p for pattern in patterns for p in glob.glob(pattern))
    if not paths:
        raise ValueError(f"Found no files matching {patterns}.")
    dataset = tf.data.TFRecordDataset(paths, compression_type=compression_of(paths[0]))
    if options.shuffle:
        dataset = dataset.shuffle(
            options.shuffle_buffer_size, options.shuffle_seed, reshuffle_each_iteration=True
        )
    dataset = dataset.repeat(options.num_epochs)
    dataset = dataset.batch(options.batch_size, drop_remainder=options.drop_final_batch)
    if schema is None:
        return dataset
    spec = schema_utils.schema_as_feature_spec(schema).feature_spec
    label = options.label_key
    if label is not None and label not in spec:
        raise ValueError(f"The `label_key` provided ({label}) must be one of the following tensor "
                         f"names: {sorted(spec)}.")  # fmt: skip

    def parse(batch):
        features = tf.io.parse_example(batch, spec)
        return features if label is None else (features, features.pop(label))

    return dataset.map(parse).prefetch(tf.data.AUTOTUNE)


def _no_record_batches(*args, **kwargs):
    raise NotImplementedError(
        "DataAccessor.record_batch_factory: there is no Arrow here; use tf_dataset_factory"
    )


ACCESSOR = DataAccessor(dataset_of, _no_record_batches, None)
