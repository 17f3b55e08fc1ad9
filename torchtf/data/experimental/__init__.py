"""`tf.data.experimental`."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping

from torchtf.core import device as device_scope
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import Tensor
from torchtf.data import _structure as structure
from torchtf.data import _traced
from torchtf.data._access import element_at
from torchtf.data._chunk import chunk_of
from torchtf.data._csv import CsvDataset, make_csv_dataset
from torchtf.data._dataset import (
    AUTOTUNE,
    INFINITE_CARDINALITY,
    UNKNOWN_CARDINALITY,
    Dataset,
    integer,
)
from torchtf.data._elementwise import AssertCardinality, GroupByReducer
from torchtf.data._files import TFRecordDataset
from torchtf.data._iterator import Chunks, Iterator, elements
from torchtf.data._optional import Optional
from torchtf.data._options import (
    AutoShardPolicy,
    AutotuneAlgorithm,
    AutotuneOptions,
    DistributeOptions,
    ExternalStatePolicy,
    OptimizationOptions,
    ServiceOptions,
    ThreadingOptions,
)
from torchtf.data._plan import Affine, Run
from torchtf.data._prefetch import ToDevice
from torchtf.data._records import RecordWriter, check_compression
from torchtf.data._selection import SHARD_HINT
from torchtf.data._sources import Elements, Generator
from torchtf.data._traced import Function
from torchtf.lookup._tables import DatasetInitializer

# -- the old names of methods, as transformations for `Dataset.apply`


def _transformation(method: Callable) -> Callable:
    """A function that takes a method's arguments and returns a function of a dataset."""

    @functools.wraps(method, assigned=("__doc__",))
    def make(*args, **kwargs):
        return lambda dataset: method(dataset, *args, **kwargs)

    make.__name__ = method.__name__
    return make


bucket_by_sequence_length = _transformation(Dataset.bucket_by_sequence_length)
dense_to_ragged_batch = _transformation(Dataset.ragged_batch)
dense_to_sparse_batch = _transformation(Dataset.sparse_batch)
enumerate_dataset = _transformation(Dataset.enumerate)
group_by_window = _transformation(Dataset.group_by_window)
ignore_errors = _transformation(Dataset.ignore_errors)
rejection_resample = _transformation(Dataset.rejection_resample)
scan = _transformation(Dataset.scan)
snapshot = _transformation(Dataset.snapshot)
take_while = _transformation(Dataset.take_while)
unbatch = _transformation(Dataset.unbatch)
unique = _transformation(Dataset.unique)


def map_and_batch(
    map_func, batch_size, num_parallel_batches=None, drop_remainder=False, num_parallel_calls=None
):
    """`map`, then `batch`."""
    if num_parallel_batches is not None and num_parallel_calls is not None:
        raise ValueError(
            "`map_and_batch` allows only one of `num_parallel_batches` and `num_parallel_calls` "
            "to be set, but both were set."
        )

    def apply(dataset):
        calls = num_parallel_calls or num_parallel_batches
        return dataset.map(map_func, calls).batch(batch_size, drop_remainder)

    return apply


def shuffle_and_repeat(buffer_size, count=None, seed=None):
    """`shuffle`, then `repeat`."""
    return lambda dataset: dataset.shuffle(buffer_size, seed).repeat(count)


def parallel_interleave(
    map_func, cycle_length, block_length=1, sloppy=False, buffer_output_elements=None,
    prefetch_input_elements=None,
):  # fmt: skip
    """`interleave` that reads ahead.

    Args:
        map_func, cycle_length, block_length: as in `interleave`.
        sloppy: whether a dataset that is ready may overtake one that is not.
        buffer_output_elements: how many elements of each dataset are read ahead.
        prefetch_input_elements: how many elements of the input are read ahead.
    """

    def apply(dataset):
        ahead = dataset.prefetch(prefetch_input_elements) if prefetch_input_elements else dataset
        made = ahead.interleave(
            map_func, cycle_length, block_length, num_parallel_calls=AUTOTUNE,
            deterministic=not sloppy,
        )  # fmt: skip
        if buffer_output_elements is not None:
            made._node.buffered = integer(buffer_output_elements, "buffer_output_elements")
        return made

    return apply


choose_from_datasets = functools.partial(Dataset.choose_from_datasets, stop_on_empty_dataset=False)
sample_from_datasets = Dataset.sample_from_datasets
Counter = Dataset.counter
RandomDataset = Dataset.random
get_single_element = Dataset.get_single_element
load = Dataset.load
save = Dataset.save


def cardinality(dataset: Dataset) -> Tensor:
    """`dataset.cardinality()`."""
    return dataset.cardinality()


def assert_cardinality(expected_cardinality) -> Callable[[Dataset], Dataset]:
    """Gives a dataset a cardinality, which is checked while iterating.

    Raises:
        FailedPreconditionError: while iterating, if there are more or fewer elements.
    """
    expected = integer(expected_cardinality, "expected_cardinality")
    return lambda dataset: dataset._then(AssertCardinality(dataset._node, expected))


def pad_to_cardinality(cardinality, mask_key="valid") -> Callable[[Dataset], Dataset]:
    """Appends elements of zeros up to a cardinality, and an entry that tells them from others.

    Args:
        cardinality: the number of elements wanted.
        mask_key: the key of the entry, True for real elements.

    Raises:
        ValueError: unless the dataset is of dictionaries, of known size, and not too long.
    """
    wanted = integer(cardinality, "cardinality")

    def apply(dataset):
        have = int(dataset.cardinality())
        if have < 0:
            raise ValueError(
                "The dataset passed into `pad_to_cardinality` must have a known cardinalty, but "
                f"has cardinality {have}"
            )
        if have > wanted:
            raise ValueError(
                "The dataset passed into `pad_to_cardinality` must have a cardinalty less than the "
                f"target cardinality ({wanted}), but has cardinality {have}"
            )
        if not isinstance(dataset.element_spec, Mapping):
            raise ValueError("`pad_to_cardinality` requires its input dataset to be a dictionary.")
        import torchtf as tf

        with device_scope.device("/CPU:0"):
            filler = structure.map_structure(
                lambda s: tf.zeros(s.shape, s.dtype), dict(dataset.element_spec)
            )
        filler[mask_key] = False
        padding = Dataset.from_tensors(filler).repeat(wanted - have)
        return dataset.map(lambda x: {**x, mask_key: True}).concatenate(padding)

    return apply


class Reducer:
    """The functions of `group_by_reducer` (source: `tf.data.experimental.Reducer`).

    Args:
        init_func: gives the first state of a group for its key.
        reduce_func: gives the next state for a state and an element.
        finalize_func: gives the output of a group for its last state.
    """

    def __init__(self, init_func, reduce_func, finalize_func):
        self.init_func, self.reduce_func, self.finalize_func = init_func, reduce_func, finalize_func


def group_by_reducer(key_func, reducer: Reducer) -> Callable[[Dataset], Dataset]:
    """Groups all elements by an int64 key and reduces each group to one element."""

    def apply(dataset):
        name = "tf.data.experimental.group_by_reducer()"
        key = Function(key_func, dataset.element_spec, name)
        init = Function(reducer.init_func, TensorSpec([], dtypes.int64), name)
        reduce = Function(reducer.reduce_func, (init.spec, dataset.element_spec), name)
        finalize = Function(reducer.finalize_func, init.spec, name)
        return dataset._then(GroupByReducer(dataset._node, key, init, reduce, finalize))

    return apply


# -- sources


def from_list(elements, name=None) -> Dataset:
    """A dataset of the elements of a list, which may differ in shape.

    Raises:
        ValueError: if it is empty or no list.
        TypeError: if the elements have no common spec.
    """
    if not elements:
        raise ValueError(
            "Invalid `elements`. `elements` should not be empty. If you want an empty dataset, use "
            "`tf.data.Dataset.range(0)`."
        )
    if not isinstance(elements, list):
        raise ValueError("Invalid `elements`. `elements` must be a list.")
    with device_scope.device("/CPU:0"):
        normalized = [structure.normalize(e) for e in elements]
    specs = [structure.spec_of_structure(e) for e in normalized]
    spec = functools.reduce(structure.common_spec, specs)
    rows = [tuple(structure.raw(x) for x in structure.flatten(e)) for e in normalized]
    chunk = chunk_of(rows, len(structure.flatten(spec)))
    return Dataset(Elements(spec, chunk, "ListDataset"))


def SqlDataset(driver_name, data_source_name, query, output_types) -> Dataset:
    """The rows that an SQL query gives (source: `tf.data.experimental.SqlDataset`).

    Args:
        driver_name: "sqlite".
        data_source_name: the path of the database.
        query: the query.
        output_types: a tuple with the dtype of each column.

    Raises:
        InvalidArgumentError: for another driver.
    """
    if driver_name != "sqlite":
        raise errors.InvalidArgumentError(
            None, None, f"The database type, {driver_name}, is not supported by SqlDataset. The "
            "set of supported databases is: {'sqlite'}.",
        )  # fmt: skip
    spec = structure.map_structure(lambda t: TensorSpec([], t), output_types)

    def rows():
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(data_source_name)) as connection:
            yield from connection.execute(query)

    return Dataset(Generator(rows, spec))


def make_batched_features_dataset(
    file_pattern,
    batch_size,
    features,
    reader=None,
    label_key=None,
    reader_args=None,
    num_epochs=None,
    shuffle=True,
    shuffle_buffer_size=10000,
    shuffle_seed=None,
    prefetch_buffer_size=None,
    reader_num_threads=None,
    parser_num_threads=None,
    sloppy_ordering=False,
    drop_final_batch=False,
) -> Dataset:
    """Batches of features, parsed from files of `tf.train.Example` records.

    Args:
        file_pattern: a pattern or list of patterns.
        batch_size: the number of records.
        features: the features to parse, as for `tf.io.parse_example`.
        reader: makes a dataset of records for a file; `TFRecordDataset` by default.
        label_key: the feature to split off as the label.
        reader_args: further arguments for `reader`.
        num_epochs: how often to go through the data; for ever if None.
        shuffle, shuffle_buffer_size, shuffle_seed: how to shuffle files and records.
        prefetch_buffer_size: how many batches to prefetch.
        reader_num_threads, parser_num_threads: how many files and batches to work on at once.
        sloppy_ordering: as in `parallel_interleave`.
        drop_final_batch: whether to leave out a last, smaller batch.
    """
    import torchtf as tf

    files = Dataset.list_files(file_pattern, shuffle=shuffle, seed=shuffle_seed)
    make, further = reader or TFRecordDataset, reader_args or []
    dataset = files.interleave(
        lambda name: make(name, *further), reader_num_threads or 1,
        deterministic=not sloppy_ordering,
    )  # fmt: skip
    if shuffle:
        dataset = dataset.shuffle(shuffle_buffer_size, shuffle_seed)
    if num_epochs != 1:
        dataset = dataset.repeat(num_epochs)
    dataset = dataset.batch(batch_size, drop_final_batch or num_epochs is None)
    dataset = dataset.map(lambda x: tf.io.parse_example(x, features), parser_num_threads)
    if label_key:
        if label_key not in features:
            raise ValueError(
                f"The `label_key` provided ({label_key}) must be one of the `features` keys: "
                f"{features.keys()}."
            )

        def split(parsed):
            label = parsed[label_key]
            return {k: v for k, v in parsed.items() if k != label_key}, label

        dataset = dataset.map(split)
    return dataset.prefetch(AUTOTUNE if prefetch_buffer_size is None else prefetch_buffer_size)


def parse_example_dataset(features, num_parallel_calls=1, deterministic=None):
    """Parses batches of `tf.train.Example` records, as a transformation."""
    if features is None:
        raise ValueError("Argument `features` is required, but not specified.")
    import torchtf as tf

    return lambda dataset: dataset.map(
        lambda x: tf.io.parse_example(x, features), num_parallel_calls, deterministic
    )


# -- access, iteration


def at(dataset: Dataset, index):
    """The element at a position.

    Raises:
        OutOfRangeError: if there is no such element.
        FailedPreconditionError: if the dataset is endless.
        UnimplementedError: if the dataset gives no access at random.
    """
    chunk = element_at(dataset, integer(index, "index"))
    return next(iter(elements(chunk, structure.packer(dataset.element_spec))))


def get_next_as_optional(iterator: Iterator) -> Optional:
    """`iterator.get_next_as_optional()`."""
    return iterator.get_next_as_optional()


def get_structure(dataset_or_iterator):
    """The element spec of a dataset or iterator.

    Raises:
        TypeError: for something else.
    """
    if not isinstance(dataset_or_iterator, (Dataset, Iterator)):
        raise TypeError(
            "Invalid `dataset_or_iterator`. `dataset_or_iterator` must be a "
            f"tf.data.Dataset or tf.data.Iterator object, but got {type(dataset_or_iterator)}."
        )
    return dataset_or_iterator.element_spec


def enable_debug_mode() -> None:
    """Runs the functions of datasets made from now on in Python, element by element."""
    _traced.debug_mode = True


# -- devices


def prefetch_to_device(device, buffer_size=None) -> Callable[[Dataset], Dataset]:
    """Copies elements to a device ahead of demand."""

    def apply(dataset):
        return dataset.apply(copy_to_device(device)).prefetch(
            AUTOTUNE if buffer_size is None else buffer_size
        )

    return apply


def copy_to_device(target_device, source_device="/cpu:0") -> Callable[[Dataset], Dataset]:
    """Copies elements to a device.

    Args:
        target_device: its name.
        source_device: where the elements are; they may be anywhere.
    """
    target = device_scope.parse(str(target_device))
    return lambda dataset: dataset._then(ToDevice(dataset._node, target))


# -- writing, tables


def distributed_save(dataset: Dataset, path, data_service_address, compression="AUTO") -> None:
    """Lets the workers of the tf.data service write a dataset to a folder, for `Dataset.load`.

    Returns at once; `Dataset.load(path, wait=True)` waits for the folder to be complete. Each
    worker writes a file; where one is lost, the others do its part, and no element is written
    twice. What fails in the dataset is raised by that `load`.

    Args:
        dataset: the dataset.
        path: the folder, which must not exist; all workers and the dispatcher see it.
        data_service_address: the dispatcher's address.
        compression: "AUTO", "GZIP" or None.

    Raises:
        ValueError: if the address is no string, or empty.
        AlreadyExistsError: if the folder exists.
        InvalidArgumentError: if the dispatcher does not run in fault-tolerant mode.
    """
    from torchtf.data.experimental import service

    service._distributed_save(dataset, path, data_service_address, compression)


class TFRecordWriter:
    """Writes a dataset of strings to a TFRecord file (source: `tf.data.experimental`).

    Args:
        filename: the file.
        compression_type: None or "", "GZIP" or "ZLIB".
    """

    def __init__(self, filename, compression_type=None):
        self._path = convert_to_tensor(filename, dtypes.string).numpy().decode()
        self._compression = check_compression(compression_type)

    def write(self, dataset: Dataset) -> None:
        """Writes all elements.

        Raises:
            TypeError: if they are no scalar strings.
        """
        if not isinstance(dataset, Dataset):
            raise TypeError(
                f"Invalid `dataset.` Expected a `tf.data.Dataset` object but got {dataset}"
            )
        spec = dataset.element_spec
        if not structure.is_dense(spec) or spec.dtype is not dtypes.string or spec.shape.rank:
            raise TypeError(
                "Invalid `dataset`. `dataset` must produce scalar `DT_STRING` tensors whereas it "
                f"produces {spec}."
            )
        writer = RecordWriter(self._path, self._compression)
        try:
            chunks = Chunks(dataset)
            while (chunk := chunks.next()) is not None:
                writer.write_all(chunk.columns[0].tolist())
        finally:
            writer.close()


def table_from_dataset(
    dataset=None, num_oov_buckets=0, vocab_size=None, default_value=None, hasher_spec=None,
    key_dtype=dtypes.string, name=None,
):  # fmt: skip
    """A lookup table of the (key, value) pairs of a dataset.

    Args:
        dataset: gives the pairs.
        num_oov_buckets: how many values unknown keys are spread over.
        vocab_size: how many pairs to take; all if None.
        default_value: the value of unknown keys where there are no buckets.
        hasher_spec: not supported: keys are hashed as TensorFlow does by default.
        key_dtype: the dtype of the keys.

    Raises:
        ValueError: without a dataset, or if `vocab_size` or `num_oov_buckets` is out of range.
        TypeError: if the keys have another dtype.
    """
    import torchtf as tf

    if hasher_spec is not None:
        raise NotImplementedError(
            "table_from_dataset(hasher_spec=...) is not supported; leave it out for the default."
        )
    if not isinstance(dataset, Dataset):
        raise ValueError("`dataset` must be a `tf.data.Dataset` of (key, value) pairs.")
    if num_oov_buckets < 0:
        raise ValueError(f"`num_oov_buckets` must be >= 0, got {num_oov_buckets}.")
    if vocab_size is not None and vocab_size < 1:
        raise ValueError(f"`vocab_size` must be greater than 0, got {vocab_size}.")
    key_spec, _ = dataset.element_spec
    if key_spec.dtype is not dtypes.as_dtype(key_dtype):
        raise TypeError(f"Keys of {key_spec.dtype!r} where `key_dtype` is {key_dtype!r}.")
    pairs = list(dataset if vocab_size is None else dataset.take(vocab_size))
    keys = tf.stack([k for k, _ in pairs])
    values = tf.stack([v for _, v in pairs])
    initializer = tf.lookup.KeyValueTensorInitializer(keys, values)
    if num_oov_buckets:
        return tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets, name=name)
    return tf.lookup.StaticHashTable(initializer, default_value, name=name)


def index_table_from_dataset(
    dataset=None, num_oov_buckets=0, vocab_size=None, default_value=-1, hasher_spec=None,
    key_dtype=dtypes.string, name=None,
):  # fmt: skip
    """A lookup table from the elements of a dataset to their positions."""
    return table_from_dataset(
        dataset.enumerate().map(lambda i, key: (key, i)), num_oov_buckets, vocab_size,
        default_value, hasher_spec, key_dtype, name,
    )  # fmt: skip


# -- what has no counterpart


def get_model_proto(iterator):
    """Not supported: the model of TensorFlow's autotuner; `Dataset.explain` shows the times."""
    raise NotImplementedError(
        "tf.data.experimental.get_model_proto is not supported; Dataset.explain() shows where the "
        "time goes."
    )


def __getattr__(name):
    if name == "service":  # loads gRPC
        return importlib.import_module("torchtf.data.experimental.service")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AUTOTUNE", "AutoShardPolicy", "AutotuneAlgorithm", "AutotuneOptions", "Counter", "CsvDataset",
    "DatasetInitializer", "DistributeOptions", "ExternalStatePolicy", "INFINITE_CARDINALITY",
    "OptimizationOptions", "Optional", "RandomDataset", "Reducer", "SHARD_HINT", "ServiceOptions",
    "SqlDataset",
    "TFRecordWriter", "ThreadingOptions", "UNKNOWN_CARDINALITY", "assert_cardinality", "at",
    "bucket_by_sequence_length", "cardinality", "choose_from_datasets", "copy_to_device",
    "dense_to_ragged_batch", "dense_to_sparse_batch", "distributed_save", "enable_debug_mode",
    "enumerate_dataset", "from_list", "get_model_proto", "get_next_as_optional",
    "get_single_element", "get_structure", "group_by_reducer", "group_by_window", "ignore_errors",
    "index_table_from_dataset", "load", "make_batched_features_dataset", "make_csv_dataset",
    "map_and_batch", "pad_to_cardinality", "parallel_interleave", "parse_example_dataset",
    "prefetch_to_device", "rejection_resample", "sample_from_datasets", "save", "scan", "service",
    "shuffle_and_repeat", "snapshot", "table_from_dataset", "take_while", "unbatch", "unique",
]  # fmt: skip
