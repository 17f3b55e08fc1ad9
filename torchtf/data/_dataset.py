"""`tf.data.Dataset`: a plan of nodes, and the methods that make new plans of it."""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from torchtf.core import device, dtypes, errors, graph, nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import Dimension, TensorShape, as_shape
from torchtf.core.specs import TensorSpec, TypeSpec
from torchtf.core.tensor import Tensor, is_tensor_type
from torchtf.data import _in_graph
from torchtf.data import _structure as structure
from torchtf.data._batching import Batch, PaddedBatch, Rebatch, Unbatch, unstack_all
from torchtf.data._choosing import DirectedInterleave
from torchtf.data._chunk import Chunk, chunk_of
from torchtf.data._elementwise import (
    Filter,
    IgnoreErrors,
    Map,
    Scan,
    TakeWhile,
    Unique,
    Zip,
)
from torchtf.data._failures import described
from torchtf.data._in_graph import Open
from torchtf.data._in_graph import raw as raw_in_graph
from torchtf.data._iterator import Iterator, NumpyIterator, raw_elements
from torchtf.data._nested import (
    GroupByWindow,
    Interleave,
    Window,
    is_int64_scalar,
)
from torchtf.data._optimize import optimize
from torchtf.data._options import Options
from torchtf.data._plan import INFINITE, UNKNOWN, Node, drain
from torchtf.data._prefetch import Prefetch
from torchtf.data._seeds import SeedGenerator, dataset_seeds
from torchtf.data._selection import (
    SHARD_HINT,
    Concatenate,
    Repeat,
    Shard,
    Shuffle,
    Skip,
    Take,
)
from torchtf.data._sources import Counting, Elements, Generator, RandomWords
from torchtf.data._specs import ElementSpec
from torchtf.data._storage import Cache, Snapshot, load_node, save_elements
from torchtf.data._torch_data import torch_source
from torchtf.data._traced import Function
from torchtf.function.autograph import convert
from torchtf.function.trace import init_scope

AUTOTUNE = -1
INFINITE_CARDINALITY = INFINITE
UNKNOWN_CARDINALITY = UNKNOWN


class DatasetSpec(ElementSpec):
    """The spec of a dataset (source: `tf.data.DatasetSpec`).

    Args:
        element_spec: the structure of specs of its elements.
        dataset_shape: the shape of several datasets that lie together, `()` for a single one.
    """

    def __init__(self, element_spec, dataset_shape=()):
        super().__init__(element_spec)
        self._dataset_shape = as_shape(dataset_shape)

    @property
    def value_type(self):
        return Dataset

    @classmethod
    def from_value(cls, value):
        """The spec of a dataset, or of several that lie together."""
        return value._type_spec

    def is_compatible_with(self, spec_or_value) -> bool:
        shape = getattr(spec_or_value, "_dataset_shape", TensorShape([]))
        return super().is_compatible_with(spec_or_value) and (
            self._dataset_shape.is_compatible_with(shape)
        )

    def is_subtype_of(self, other) -> bool:
        """Whether datasets of this spec are of the other one, too."""
        return (
            type(other) is type(self)
            and structure.same_structure(self._element_spec, other._element_spec)
            and all(
                a.is_subtype_of(b)
                for a, b in zip(
                    structure.flatten(self._element_spec),
                    structure.flatten(other._element_spec),
                    strict=True,
                )
            )
            and self._dataset_shape.is_subtype_of(other._dataset_shape)
        )

    def most_specific_compatible_type(self, other):
        return DatasetSpec(
            structure.common_spec(self._element_spec, other._element_spec),
            self._dataset_shape.most_specific_compatible_shape(other._dataset_shape),
        )

    def __eq__(self, other):
        return super().__eq__(other) and self._dataset_shape == other._dataset_shape

    __hash__ = ElementSpec.__hash__

    def _batch(self, size):
        shape = TensorShape([size]).concatenate(self._dataset_shape)
        return DatasetSpec(self._element_spec, shape)

    def _unbatch(self):
        if self._dataset_shape.rank == 0:
            raise ValueError("Unbatching a dataset is only supported for rank >= 1")
        return DatasetSpec(self._element_spec, self._dataset_shape[1:])

    def _stack(self, items, stack_parts):
        return Datasets(items)

    def _placeholder(self):
        if self._dataset_shape.rank:
            raise NotImplementedError(
                f"A component of type {self!r} cannot enter a function of a dataset; `unbatch` it."
            )
        return Dataset(Open(self._element_spec))

    def __repr__(self):
        return f"DatasetSpec({self._element_spec!r}, {self._dataset_shape!r})"


class Datasets:
    """Several datasets that lie together as one component of an element.

    They are made of lists of datasets and by `batch`; `unbatch` gives them singly.

    Args:
        items: datasets, or such collections of equal shape.

    Raises:
        TypeError: if the specs of their elements have nothing in common.
    """

    def __init__(self, items: Sequence):
        self._items = list(items)
        first = self._items[0]._type_spec
        for item in self._items[1:]:
            first = first.most_specific_compatible_type(item._type_spec)
        self._type_spec = first._batch(len(self._items))

    @property
    def element_spec(self):
        return self._type_spec.element_spec

    @property
    def _dataset_shape(self):
        return self._type_spec._dataset_shape

    def __len__(self):
        return len(self._items)

    def __iter__(self):
        return iter(self._items)


_BATCH_SIZE = "Batch size must be greater than zero."


class OpenInt(int):
    """An integer argument that is a symbolic tensor of the function being traced."""

    stand_in: Any


def integer(value, name: str, default: int | None = None) -> int:
    """An integer argument, given as a number or a scalar int64 tensor.

    Raises:
        TypeError: if it is none.
        ValueError: if it is None, or a tensor of another type.
    """
    if value is None and default is not None:
        return default
    if getattr(value, "is_symbolic_tensor", False):
        number = OpenInt(1)
        number.stand_in = value._data
        return number
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        if hasattr(type(value), "_tape_read"):
            return int(value.numpy())
        if value is None:
            raise ValueError(
                "Attempt to convert a value (None) with an unsupported type (<class 'NoneType'>) "
                "to a Tensor."
            )
        raise TypeError(f"Cannot convert {value!r} to EagerTensor of dtype int64")
    if type(value) is Tensor and value.dtype is not dtypes.int64:
        raise ValueError(
            f"{name}: Tensor conversion requested dtype int64 for Tensor with dtype "
            f"{value.dtype.name}: {value!r}"
        )
    return value.__index__()


def _usual_cycle(num_parallel_calls) -> int:
    """TensorFlow's cycle length of an interleave that was given none."""
    cores = len(os.sched_getaffinity(0))
    if num_parallel_calls is None:
        return cores
    if num_parallel_calls == AUTOTUNE:
        return -(-cores // 3)  # it has three threads for each dataset that takes turns
    return min(num_parallel_calls, cores)


def _parallel_calls(value, op: str, attributes: str = "") -> int | None:
    """An argument `num_parallel_calls`.

    Raises:
        InvalidArgumentError: unless it is positive or `AUTOTUNE`.
    """
    calls = None if value is None else integer(value, "num_parallel_calls")
    if calls == 0 or (calls is not None and calls < AUTOTUNE):
        raise errors.of_kernel(op, "num_parallel_calls must be greater than zero.", "", attributes)
    return calls


def _positive(value, name: str, op: str, message: str, attributes: str = "") -> int:
    size = integer(value, name)
    if size <= 0:
        raise errors.of_kernel(op, message, "", attributes)
    return size


class Dataset:
    """A sequence of elements, made when it is iterated over (source: `tf.data.Dataset`).

    Elements are structures of tensors: single tensors, tuples, named tuples, dictionaries, attrs
    classes, nested as one likes. Transformations give new datasets; a dataset never changes.
    Iterating optimizes its plan and runs it; each iteration starts anew.
    """

    def __init__(self, node: Node, options: Options | None = None):
        self._node = node
        self._options = options or Options()
        self._times: dict | None = None
        self._plan: Node | None = None

    # -- what it is

    @property
    def element_spec(self) -> Any:
        """The structure of `tf.TypeSpec`s of the elements."""
        return self._node.spec

    @property
    def _type_spec(self) -> DatasetSpec:
        return DatasetSpec(self.element_spec)

    def _as_argument(self, place) -> Dataset:
        """What a traced function sees of a dataset that it gets as an argument."""
        return Dataset(_in_graph.Given(self.element_spec, place))

    def cardinality(self) -> Tensor:
        """The number of elements as an int64 scalar, or `tf.data.INFINITE_CARDINALITY`, or
        `tf.data.UNKNOWN_CARDINALITY`.
        """
        if graph.state.trace is not None:
            return _in_graph.cardinality(self)
        return Tensor(torch.tensor(self._node.cardinality(), dtype=torch.int64))

    def __len__(self) -> int:
        if graph.state.trace is not None:
            raise TypeError(
                "`tf.data.Dataset` only supports `len` in eager mode. Use "
                "`tf.data.Dataset.cardinality()` instead."
            )
        count = self._node.cardinality()
        if count == INFINITE:
            raise TypeError("The dataset is infinite.")
        if count == UNKNOWN:
            raise TypeError("The dataset length is unknown.")
        return count

    def __bool__(self):
        return True

    def __repr__(self):
        return f"<{self._node.tf_name} element_spec={self.element_spec}>"

    def __iter__(self) -> Iterator:
        if graph.state.trace is not None:
            return _in_graph.iterate(self)
        return Iterator(self)

    def as_numpy_iterator(self) -> NumpyIterator:
        """An iterator over the elements with NumPy arrays in place of tensors.

        Raises:
            TypeError: if a component is no tensor, ragged or sparse tensor.
        """
        for spec in structure.flatten(self.element_spec):
            if isinstance(spec, DatasetSpec) or type(spec).__name__ == "OptionalSpec":
                raise TypeError(
                    "`tf.data.Dataset.as_numpy_iterator()` is not supported for datasets that "
                    f"produce values of type {spec.value_type}"
                )
        return NumpyIterator(self)

    def _iterate_raw(self):
        """Iterates over structures of raw torch tensors: what training loops want, at less cost."""
        return raw_elements(self)

    def options(self) -> Options:
        """The options of this dataset and its inputs, read-only."""
        return self._options.frozen()

    def with_options(self, options: Options, name=None) -> Dataset:
        """This dataset with further options; see `tf.data.Options`.

        Raises:
            ValueError: if `options` are no `tf.data.Options`.
        """
        if not isinstance(options, Options):
            raise ValueError(f"`options` must be of type tf.data.Options, got {type(options)}")
        return Dataset(self._node, self._options.merge(options))

    def _optimized(self) -> Node:
        if self._plan is None:
            self._plan = optimize(self._node, self._options)
        return self._plan

    def _then(self, node: Node, *others: Dataset) -> Dataset:
        """The dataset of a node over this one and others, with all their options."""
        options = self._options
        for other in others:
            options = options.merge(other._options)
        return Dataset(node, options)

    def _measured(self, node: Node, clocks: dict) -> Dataset:
        """This dataset with a given plan, whose stages are timed."""
        measured = Dataset(self._node, self._options)
        measured._plan, measured._times = node, clocks
        return measured

    def explain(self, seconds: float = 3.0) -> str:
        """Runs the pipeline for a while and describes it, with the time spent in each stage.

        Args:
            seconds: how long to run at most.

        Returns:
            A text: the plan as written, the plan that runs, and for each stage its time, share,
            elements per second and whether its function is vectorized.
        """
        from torchtf.data._explain import explain

        return explain(self, seconds)

    # -- sources

    @staticmethod
    def from_tensors(tensors, name=None) -> Dataset:
        """A dataset of one element: the given (structure of) tensors."""
        with device.device("/CPU:0"):
            element = structure.normalize(tensors)
        spec = structure.spec_of_structure(element)
        _require_components(spec)
        if graph.state.trace is not None:
            return Dataset(_made_when_run(spec, element, Dataset.from_tensors))
        row = tuple(_on_cpu(structure.raw(x)) for x in structure.flatten(element))
        return Dataset(Elements(spec, chunk_of([row], len(row)), "TensorDataset"))

    @staticmethod
    def from_tensor_slices(tensors, name=None) -> Dataset:
        """A dataset of the slices of the given (structure of) tensors along their first axis.

        Args:
            tensors: a structure of tensors, arrays, lists, ragged or sparse tensors of equal
                first size.

        Raises:
            ValueError: if there are none, one is a scalar, or the first sizes differ.
        """
        with device.device("/CPU:0"):
            element = structure.normalize(tensors)
        leaves = structure.flatten(element)
        if all(leaf is None for leaf in leaves):
            raise ValueError("Invalid `element`. `element` should not be empty.")
        specs = []
        for leaf in leaves:
            spec = structure.spec_of(leaf)
            if structure.is_dense(spec) and spec.shape.rank == 0:
                raise ValueError("Unbatching a tensor is only supported for rank >= 1")
            specs.append(structure.unbatched(spec))
        spec = structure.pack(element, specs)
        if graph.state.trace is not None:
            return Dataset(_made_when_run(spec, element, Dataset.from_tensor_slices))
        columns = [_on_cpu(c) for c in unstack_all([structure.raw(x) for x in leaves])]
        size = len(columns[0])
        for column in columns[1:]:
            if len(column) != size:
                raise ValueError(f"Dimensions {size} and {len(column)} are not compatible")
        return Dataset(Elements(spec, Chunk(columns, size), "TensorSliceDataset"))

    @staticmethod
    def from_generator(
        generator: Callable,
        output_types=None,
        output_shapes=None,
        args=None,
        output_signature=None,
        name=None,
    ) -> Dataset:
        """A dataset of what a Python generator yields.

        Args:
            generator: a callable that returns an iterable; called for each iteration. Beyond
                TensorFlow's, also a `torch.utils.data.Dataset` or `DataLoader`; its signature is
                read off a first element if it is left out.
            output_types: (deprecated) a structure of dtypes.
            output_shapes: (deprecated) a structure of shapes; unknown if left out.
            args: tensors to call `generator` with, as NumPy arrays.
            output_signature: a structure of `tf.TypeSpec`s that the elements fit.

        Raises:
            TypeError: if `generator` is no callable, or the signature is missing or of no specs.
            InvalidArgumentError: while iterating, if an element does not fit the signature.
        """
        if isinstance(generator, (torch.utils.data.Dataset, torch.utils.data.DataLoader)):
            if args is not None:
                raise TypeError("`args` are for a generator that is called, not for torch's data.")
            spec = None
            if (output_types, output_shapes, output_signature) != (None, None, None):
                spec = _generator_spec(output_types, output_shapes, output_signature)
            return Dataset(torch_source(generator, spec))
        if not callable(generator):
            raise TypeError("`generator` must be a Python callable.")
        spec = _generator_spec(output_types, output_shapes, output_signature)
        if any(getattr(a, "is_symbolic_tensor", False) for a in args or ()):
            return Dataset(Open(spec))
        with init_scope():
            values = [convert_to_tensor(a).numpy() for a in args or ()]

        def make():
            return iter(generator(*values))

        return Dataset(Generator(make, spec))

    @staticmethod
    def range(*args, **kwargs) -> Dataset:
        """A dataset of evenly spaced integers, with the arguments of Python's `range`.

        Args:
            *args: stop; start, stop; or start, stop, step.
            **kwargs: `output_type`, the dtype (int64), and `name`.

        Raises:
            ValueError: for another number of arguments.
            InvalidArgumentError: for a step of 0.
        """
        if not 1 <= len(args) <= 3:
            raise ValueError(
                f"Invalid `args`. The length of `args` should be between 1 and 3 but was "
                f"{len(args)}."
            )
        unknown = set(kwargs) - {"output_type", "name"}
        if unknown:
            raise TypeError(f"range() got an unexpected keyword argument '{unknown.pop()}'")
        names = ("stop",) if len(args) == 1 else ("start", "stop", "step")
        values = [integer(a, n) for a, n in zip(args, names, strict=False)]
        dtype = dtypes.as_dtype(kwargs.get("output_type", dtypes.int64))
        if any(isinstance(v, OpenInt) for v in values):
            stand_ins = [v.stand_in for v in values if isinstance(v, OpenInt)]

            def make(found):
                supply = iter(found)
                real = [int(next(supply)) if isinstance(v, OpenInt) else v for v in values]
                return Dataset.range(*real, output_type=dtype)._node

            return Dataset(Open(TensorSpec([], dtype), stand_ins, make))
        start, stop, step = {1: [0, *values, 1], 2: [*values, 1], 3: values}[len(values)]
        if step == 0:
            raise errors.of_kernel("RangeDataset", "step must be a non-zero integer.")
        return Dataset(Counting(start, stop, step, dtype))

    @staticmethod
    def counter(start=0, step=1, dtype=dtypes.int64, name=None) -> Dataset:
        """An endless dataset of `start`, `start + step`, ... of a type of numbers, `dtype`."""
        dtype = dtypes.as_dtype(dtype)
        first, by = (
            convert_to_tensor(v, dtype).numpy().item() if dtype.is_floating else integer(v, name)
            for v, name in ((start, "start"), (step, "step"))
        )
        return Dataset(Counting(first, None, by, dtype))

    @staticmethod
    def random(seed=None, rerandomize_each_iteration=None, name=None) -> Dataset:
        """An endless dataset of random integers from 0 to 2**32 - 1, TensorFlow's for a seed.

        Args:
            seed: an op seed, see `tf.random.set_seed`.
            rerandomize_each_iteration: whether each iteration draws other numbers.
        """
        reshuffle = bool(rerandomize_each_iteration)
        return Dataset(RandomWords(SeedGenerator(dataset_seeds(seed), reshuffle)))

    @staticmethod
    def list_files(file_pattern, shuffle=None, seed=None, name=None) -> Dataset:
        """A dataset of the names of the files that match a pattern.

        Args:
            file_pattern: a glob pattern, or a list or tensor of them.
            shuffle: whether to give them in random order (anew in each iteration); the default.
            seed: a seed for the order.

        Raises:
            InvalidArgumentError: if nothing matches.
        """
        from torchtf.data._files import match_files

        names = match_files(file_pattern)
        dataset = Dataset(Elements(
            TensorSpec([], dtypes.string), Chunk([names], len(names)), "ListFiles"
        ))  # fmt: skip
        if shuffle is None or shuffle:
            dataset = dataset.shuffle(max(len(names), 1), seed=seed)
        return dataset

    # -- combinations

    @staticmethod
    def zip(*args, datasets=None, name=None) -> Dataset:
        """A dataset of the elements of several, side by side; as long as the shortest.

        Args:
            *args: datasets or structures of them.
            datasets: the structure of datasets, given by its name.

        Raises:
            TypeError: if there are none, or something is no dataset.
        """
        if not args and datasets is None:
            raise TypeError("Must pass at least one dataset to `zip`.")
        if args and datasets is not None:
            raise TypeError("Both `*args` and `datasets` cannot be set.")
        if len(args) == 1:
            datasets = args[0]
        elif len(args) > 1:
            datasets = args
        flat = structure.flatten(datasets)
        for item in flat:
            if isinstance(item, Dataset):
                continue
            if isinstance(item, list):
                raise TypeError(
                    "Invalid input to `zip`. Inputs are expected to be (nested) structures of "
                    "`tf.data.Dataset` objects. Python `list` is not supported and you should use "
                    "`tuple` instead."
                )
            raise TypeError(
                "Invalid input to `zip`. Inputs are expected to be (nested) structures of "
                f"`tf.data.Dataset` objects but encountered object of type {type(item)}."
            )
        return flat[0]._then(Zip(tuple(d._node for d in flat), datasets), *flat[1:])

    def concatenate(self, dataset: Dataset, name=None) -> Dataset:
        """The elements of this dataset, then those of another.

        Raises:
            TypeError: if their elements have no common spec.
        """
        return self._then(Concatenate(self._node, dataset._node), dataset)

    @staticmethod
    def choose_from_datasets(
        datasets: Sequence[Dataset], choice_dataset: Dataset, stop_on_empty_dataset=True
    ) -> Dataset:
        """Elements of several datasets, each chosen by the next number of another.

        Args:
            datasets: the datasets to choose from.
            choice_dataset: a dataset of scalar int64 positions in `datasets`.
            stop_on_empty_dataset: whether to end when an empty dataset is chosen, rather than
                to skip it.

        Raises:
            TypeError: if `choice_dataset` is no such dataset or the specs differ.
            ValueError: if `datasets` is empty.
        """
        if not datasets:
            raise ValueError("Invalid `datasets`. `datasets` should not be empty.")
        if not isinstance(choice_dataset, Dataset):
            raise TypeError(
                "Invalid `choice_dataset`. `choice_dataset` should be a `tf.data.Dataset` but is "
                f"{type(choice_dataset)}."
            )
        if not is_int64_scalar(choice_dataset.element_spec):
            raise TypeError(
                "Invalid `choice_dataset`. Elements of `choice_dataset` must be scalar `tf.int64` "
                f"tensors but are {choice_dataset.element_spec}."
            )
        nodes = [d._node for d in datasets]
        node = DirectedInterleave(choice_dataset._node, nodes, stop_on_empty_dataset)
        return choice_dataset._then(node, *datasets)

    @staticmethod
    def sample_from_datasets(
        datasets: Sequence[Dataset],
        weights=None,
        seed=None,
        stop_on_empty_dataset=False,
        rerandomize_each_iteration=None,
    ) -> Dataset:
        """Elements of several datasets, chosen at random.

        Args:
            datasets: the datasets to sample from.
            weights: their probabilities: a list or tensor, or a dataset of such tensors; equal if
                left out.
            seed: an op seed.
            stop_on_empty_dataset: whether to end when a dataset that is chosen is used up.
            rerandomize_each_iteration: whether each iteration chooses anew.

        Raises:
            TypeError, ValueError: if the arguments do not fit each other.
        """
        from torchtf.data._sampling import sample

        return sample(datasets, weights, seed, stop_on_empty_dataset, rerandomize_each_iteration)

    def rejection_resample(
        self, class_func, target_dist, initial_dist=None, seed=None, name=None
    ) -> Dataset:
        """Elements as (class, element) pairs, resampled so that the classes have given shares.

        Args:
            class_func: gives the class of an element, an int32 scalar from 0.
            target_dist: the wanted shares of the classes.
            initial_dist: the shares in this dataset; estimated on the way if left out.
            seed: an op seed.
        """
        from torchtf.data._sampling import resample

        return resample(self, class_func, target_dist, initial_dist, seed)

    # -- one element after another

    def map(
        self,
        map_func: Callable,
        num_parallel_calls=None,
        deterministic=None,
        synchronous=None,
        use_unbounded_threadpool=False,
        name=None,
    ) -> Dataset:
        """A dataset of what `map_func` gives for the elements.

        The function is traced once. It runs on many elements at a time where it can be
        vectorized; random ops still draw for each element.

        Args:
            map_func: takes the components of an element that is a plain tuple as its arguments,
                any other element as its one argument.
            num_parallel_calls: how many elements to compute at the same time if the function
                cannot be vectorized; `tf.data.AUTOTUNE` lets the machine decide.
            deterministic: False allows parallel calls to give elements in another order; by
                default `Options.deterministic` decides.
            synchronous: True forbids parallel calls, whatever the options say.
            use_unbounded_threadpool: True lets `num_parallel_calls` exceed
                `Options.threading.private_threadpool_size`.

        Raises:
            TypeError: if the function returns something that is no element.
            ValueError: if `synchronous` is given with `num_parallel_calls`.
        """
        if synchronous and num_parallel_calls is not None:
            raise ValueError(
                "`synchronous` is not supported with `num_parallel_calls`, but "
                f"`num_parallel_calls` was set to {num_parallel_calls}."
            )
        calls = _parallel_calls(num_parallel_calls, "ParallelMapDatasetV2", "_Targuments_0")
        function = Function(map_func, self.element_spec, "Dataset.map()")
        _require_components(function.spec)
        node = Map(
            self._node, function, calls, deterministic, bool(use_unbounded_threadpool),
            bool(synchronous),
        )  # fmt: skip
        return self._then(node)

    def filter(self, predicate: Callable, name=None) -> Dataset:
        """The elements for which `predicate` gives True.

        Raises:
            ValueError: unless it gives a scalar bool tensor.
        """
        return self._then(
            Filter(self._node, Function(predicate, self.element_spec, "Dataset.filter()"))
        )

    def take_while(self, predicate: Callable, name=None) -> Dataset:
        """The elements up to the first for which `predicate` gives False.

        Raises:
            ValueError: unless it gives a scalar bool tensor.
        """
        return self._then(
            TakeWhile(self._node, Function(predicate, self.element_spec, "Dataset.take_while()"))
        )

    def scan(self, initial_state, scan_func: Callable, name=None) -> Dataset:
        """Like `map`, with a state: `scan_func(state, element)` gives (new state, output).

        Raises:
            TypeError: if it does not give a pair, or the state changes its type.
        """
        state, _, function = _stateful(
            initial_state, scan_func, self.element_spec, "Dataset.scan()", _check_scan
        )
        return self._then(Scan(self._node, state, function))

    def reduce(self, initial_state, reduce_func: Callable, name=None):
        """The last of the states `state = reduce_func(state, element)`.

        Args:
            initial_state: a structure of tensors.
            reduce_func: gives the new state for the old one and an element.

        Raises:
            TypeError: if the state changes its type.
        """
        if graph.state.trace is not None:
            return _in_graph.reduce(self, initial_state, reduce_func)
        state, spec, function = _stateful(
            initial_state, reduce_func, self.element_spec, "reduce()", _check_reduce
        )
        stage = None
        from torchtf.data._plan import Run, block_size

        stage = Run(self._options).start(self._optimized())
        try:
            for chunk in drain(stage, block_size(self.element_spec) if stage.pure else 1):
                for row in chunk.rows():
                    state = function.call((*state, *row))
        except errors.OpError as e:
            if "[Op:" not in e.message:
                attributes = f"_Targuments_0_Tstate_{len(state)}_output_types_{len(state)}"
                text = described(e, self._node)
                e._message = errors.kernel_message("ReduceDataset", text, "", attributes)
            raise
        finally:
            stage.close()
        return structure.pack(spec, [structure.cooked(v) for v in state])

    def enumerate(self, start=0, name=None) -> Dataset:
        """Pairs of a running int64 number and the element."""
        numbers_ = Dataset.range(integer(start, "start"), np.iinfo(np.int64).max)
        return Dataset.zip((numbers_, self))._with_options_of(self)

    def _with_options_of(self, other: Dataset) -> Dataset:
        return Dataset(self._node, other._options)

    def unique(self, name=None) -> Dataset:
        """The elements without repetitions, each at its first place.

        Raises:
            TypeError: unless the elements are int32, int64 or string tensors.
        """
        return self._then(Unique(self._node))

    def ignore_errors(self, log_warning=False, name=None) -> Dataset:
        """The elements without those that raise an error.

        Args:
            log_warning: whether to log the errors.
        """
        return self._then(IgnoreErrors(self._node, log_warning))

    # -- a choice of elements

    def take(self, count, name=None) -> Dataset:
        """The first `count` elements; all for -1."""
        return self._then(Take(self._node, integer(count, "count")))

    def skip(self, count, name=None) -> Dataset:
        """The elements behind the first `count`; none for -1."""
        return self._then(Skip(self._node, integer(count, "count")))

    def shard(self, num_shards, index, name=None) -> Dataset:
        """Each `num_shards`-th element, from `index` on.

        With `tf.data.experimental.SHARD_HINT` as the number, `tf.distribute` or the tf.data service
        puts in the number and index of a worker.

        Raises:
            InvalidArgumentError: unless 0 <= `index` < `num_shards`.
        """
        number, index = integer(num_shards, "num_shards"), integer(index, "index")
        if number == SHARD_HINT:
            return self._then(Shard(self._node, number, index))
        if number < 1:
            problem = (
                f"Number of shards must be greater than zero (currently num_shards = {number})."
            )
            raise errors.of_kernel("ShardDataset", problem)
        if not 0 <= index < number:
            problem = f"Index must be between 0 and {number - 1} (currently index = {index})."
            raise errors.of_kernel("ShardDataset", problem)
        return self._then(Shard(self._node, number, index))

    def repeat(self, count=None, name=None) -> Dataset:
        """The elements `count` times over; for ever for None or -1."""
        return self._then(Repeat(self._node, integer(count, "count", INFINITE)))

    def shuffle(self, buffer_size, seed=None, reshuffle_each_iteration=True, name=None) -> Dataset:
        """The elements in random order, drawn from a buffer of `buffer_size` elements.

        The order for a seed is TensorFlow's.

        Args:
            buffer_size: the size of the buffer; `tf.data.UNKNOWN_CARDINALITY` for all elements.
            seed: an op seed, see `tf.random.set_seed`.
            reshuffle_each_iteration: whether each iteration has another order.

        Raises:
            InvalidArgumentError: if `buffer_size` is 0 or less.
        """
        size = integer(buffer_size, "buffer_size")
        if size <= 0 and size != UNKNOWN:
            problem = "buffer_size must be greater than zero or UNKNOWN_CARDINALITY"
            raise errors.of_kernel("ShuffleDatasetV3", problem)
        reshuffle = reshuffle_each_iteration is None or bool(reshuffle_each_iteration)
        return self._then(Shuffle(self._node, size, SeedGenerator(dataset_seeds(seed), reshuffle)))

    # -- batches

    def batch(
        self, batch_size, drop_remainder=False, num_parallel_calls=None, deterministic=None,
        name=None,
    ) -> Dataset:  # fmt: skip
        """Each `batch_size` elements stacked into one.

        Args:
            batch_size: the number of elements.
            drop_remainder: whether to leave out a last, smaller batch; then the size is part of
                the spec.
            num_parallel_calls: how many batches to make at once, in threads, where elements have to
                be copied: those of one known shape lie in chunks, of which a batch is a slice.
            deterministic: as in `map`.

        Raises:
            InvalidArgumentError: if `batch_size` is 0 or less; while iterating, if the shapes of
                the elements differ.
        """
        size = _positive(batch_size, "batch_size", "BatchDatasetV2", _BATCH_SIZE)
        calls = _parallel_calls(num_parallel_calls, "ParallelBatchDataset")
        return self._then(Batch(self._node, size, bool(drop_remainder), calls, deterministic))

    def padded_batch(
        self, batch_size, padded_shapes=None, padding_values=None, drop_remainder=False, name=None
    ) -> Dataset:
        """Batches of elements that are padded to one shape.

        Args:
            batch_size: the number of elements.
            padded_shapes: a structure of shapes; an unknown size pads to the largest of a batch.
                By default the shapes of the element spec.
            padding_values: a structure of scalars, or one for all; zero or the empty string by
                default.
            drop_remainder: whether to leave out a last, smaller batch.

        Raises:
            ValueError: if a shape does not fit its component, or a rank is unknown.
            TypeError: if a component is no tensor or a padding value has another type.
            DataLossError: while iterating, if an element is larger than its padded shape.
        """
        width = len(structure.flatten(self.element_spec))
        size = _positive(
            batch_size, "batch_size", "PaddedBatchDatasetV2", _BATCH_SIZE,
            f"_N_{width}_Toutput_types_{width}",
        )  # fmt: skip
        shapes, fills = _padding(self.element_spec, padded_shapes, padding_values)
        return self._then(PaddedBatch(self._node, size, shapes, fills, bool(drop_remainder)))

    def ragged_batch(
        self, batch_size, drop_remainder=False, row_splits_dtype=dtypes.int64, name=None
    ) -> Dataset:
        """Batches whose components of open shape are ragged tensors.

        Args:
            batch_size: the number of elements.
            drop_remainder: whether to leave out a last, smaller batch.
            row_splits_dtype: the dtype of the row splits of the ragged tensors.
        """
        from torchtf.data._ragged_batch import RaggedBatch

        size = _positive(batch_size, "batch_size", "BatchDatasetV2", _BATCH_SIZE)
        dtype = dtypes.as_dtype(row_splits_dtype)
        return self._then(RaggedBatch(self._node, size, bool(drop_remainder), dtype))

    def sparse_batch(self, batch_size, row_shape, name=None) -> Dataset:
        """Batches of dense elements as sparse tensors of shape [batch_size, *row_shape]."""
        from torchtf.data._ragged_batch import SparseBatch

        size = _positive(batch_size, "batch_size", "BatchDatasetV2", _BATCH_SIZE)
        return self._then(SparseBatch(self._node, size, as_shape(row_shape)))

    def unbatch(self, name=None) -> Dataset:
        """The rows of the elements."""
        return self._then(Unbatch(self._node))

    def rebatch(self, batch_size, drop_remainder=False, name=None) -> Dataset:
        """Batches of another size: `unbatch` and `batch` in one.

        Args:
            batch_size: the size, or a list of sizes to use in turn.
            drop_remainder: whether to leave out a last, smaller batch.
        """
        sizes = np.atleast_1d(np.asarray(batch_size))
        if sizes.ndim > 1:
            raise ValueError(
                "Invalid `batch_sizes`. Expected `batch_sizes` to be a scalar or a vector. "
                f"Received `batch_sizes` of rank {sizes.ndim}."
            )
        for leaf in structure.flatten(self.element_spec):
            if structure.is_dense(leaf) and leaf.shape.rank == 0:
                raise ValueError(
                    "Invalid `batch_sizes`. Expected dataset with rank of >= 1 but found a dataset "
                    "with scalar elements. Fix the issue by adding the `batch` transformation to "
                    "the dataset."
                )
        return self._then(Rebatch(self._node, sizes.tolist(), bool(drop_remainder)))

    # -- datasets in datasets

    def flat_map(self, map_func: Callable, name=None) -> Dataset:
        """The elements of the datasets that `map_func` gives, one dataset after another.

        Raises:
            TypeError: if it does not give a dataset.
        """
        function = Function(map_func, self.element_spec, "Dataset.flat_map()")
        return self._then(Interleave(self._node, function, 1, 2**62, "FlatMap"))

    def interleave(
        self,
        map_func: Callable,
        cycle_length=None,
        block_length=None,
        num_parallel_calls=None,
        deterministic=None,
        name=None,
    ) -> Dataset:
        """The elements of the datasets that `map_func` gives, several of them read by turns.

        Args:
            map_func: gives a dataset for an element.
            cycle_length: how many datasets to read by turns; by default as many as there are
                processors.
            block_length: how many elements to take from each before the next has its turn.
            num_parallel_calls: how many datasets to read ahead at once, in threads; with
                `tf.data.AUTOTUNE` all that take turns.
            deterministic: False lets a dataset that is ready overtake one that is not.

        Raises:
            TypeError: if `map_func` does not give a dataset.
            InvalidArgumentError: if a length is 0 or less.
        """
        parallel = num_parallel_calls is not None
        op = "ParallelInterleaveDatasetV4" if parallel else "InterleaveDataset"
        given = integer(cycle_length, "cycle_length", AUTOTUNE)
        cycle = _usual_cycle(num_parallel_calls) if given == AUTOTUNE else given
        block = integer(block_length, "block_length", 1)
        if cycle <= 0:
            problem = "cycle_length must be greater than zero."
            raise errors.of_kernel(op, problem, "", "_Targuments_0")
        if block <= 0:
            problem = "block_length must be greater than zero."
            raise errors.of_kernel(op, problem, "", "_Targuments_0")
        calls = _parallel_calls(num_parallel_calls, op, "_Targuments_0")
        if calls is not None and calls > cycle and given != AUTOTUNE:
            raise errors.of_kernel(
                op,
                "If `cycle_length` is set to a fixed value, `num_parallel_calls` must be either "
                "`tf.data.AUTOTUNE` or a value less than or equal to `cycle_length`. However, "
                f"`num_parallel_calls` is {calls} and `cycle_length` is {cycle}",
                "", "_Targuments_0",
            )  # fmt: skip
        function = Function(map_func, self.element_spec, "Dataset.interleave()")
        node = Interleave(self._node, function, cycle, block, "Interleave", calls, deterministic)
        return self._then(node)

    def window(self, size, shift=None, stride=1, drop_remainder=False, name=None) -> Dataset:
        """Datasets of `size` elements each; a component of the element becomes a dataset.

        Args:
            size: the number of elements of a window.
            shift: how far windows are apart; `size` by default.
            stride: how far the elements of a window are apart.
            drop_remainder: whether to leave out last, smaller windows.

        Raises:
            InvalidArgumentError: if a number is 0 or less.
        """
        size = _positive(size, "size", "WindowDataset", "Window size must be greater than zero.")
        shift = size if shift is None else integer(shift, "shift")
        if shift <= 0:
            raise errors.of_kernel("WindowDataset", "Window shift must be greater than zero.")
        stride = _positive(
            stride, "stride", "WindowDataset", "Window stride must be greater than zero."
        )
        return self._then(Window(self._node, size, shift, stride, bool(drop_remainder)))

    def group_by_window(
        self, key_func: Callable, reduce_func: Callable, window_size=None, window_size_func=None,
        name=None,
    ) -> Dataset:  # fmt: skip
        """Groups elements by a key and turns each full group into a dataset, whose elements follow.

        Args:
            key_func: gives the int64 key of an element.
            reduce_func: gives a dataset for a key and a dataset of elements.
            window_size: the number of elements of a full group.
            window_size_func: gives that number for a key.

        Raises:
            ValueError: unless exactly one of `window_size` and `window_size_func` is given.
        """
        if (window_size is None) == (window_size_func is None):
            raise ValueError(
                "Either the `window_size` argument or the `window_size_func` argument must be "
                "specified."
            )
        if window_size is not None:
            window_size = integer(window_size, "window_size")

            def window_size_func(key):
                return convert_to_tensor(window_size, dtype=dtypes.int64)

        return self._then(
            GroupByWindow(
                self._node, *_group_functions(self, key_func, reduce_func, window_size_func)
            )
        )

    def bucket_by_sequence_length(
        self,
        element_length_func: Callable,
        bucket_boundaries: Sequence[int],
        bucket_batch_sizes: Sequence[int],
        padded_shapes=None,
        padding_values=None,
        pad_to_bucket_boundary=False,
        no_padding=False,
        drop_remainder=False,
        name=None,
    ) -> Dataset:
        """Batches of elements of similar length, padded.

        Args:
            element_length_func: gives the int32 length of an element.
            bucket_boundaries: the upper bounds of the buckets.
            bucket_batch_sizes: their batch sizes, one more than there are boundaries.
            padded_shapes, padding_values, drop_remainder: as in `padded_batch`.
            pad_to_bucket_boundary: whether to pad to the bound less one, not to the longest.
            no_padding: whether to batch without padding.

        Raises:
            ValueError: if the numbers of sizes and boundaries do not fit.
        """
        from torchtf.data._buckets import bucket

        return bucket(
            self, element_length_func, bucket_boundaries, bucket_batch_sizes, padded_shapes,
            padding_values, pad_to_bucket_boundary, no_padding, drop_remainder,
        )  # fmt: skip

    # -- running ahead, keeping results

    def prefetch(self, buffer_size, name=None) -> Dataset:
        """The same elements, made in a thread ahead of demand.

        Args:
            buffer_size: how many elements to hold; `tf.data.AUTOTUNE` decides while running.

        Raises:
            InvalidArgumentError: if it is less than -1.
        """
        size = AUTOTUNE if buffer_size is None else integer(buffer_size, "buffer_size")
        if size < AUTOTUNE:
            problem = "buffer_size must be >= 0 or set buffer_size to be -1 for auto-tuning"
            raise errors.of_kernel("PrefetchDataset", problem)
        return self._then(Prefetch(self._node, size))

    def cache(self, filename="", name=None) -> Dataset:
        """The same elements, kept by the first complete iteration for those after it.

        Args:
            filename: where to keep them on disk; in memory if left out.
        """
        return self._then(Cache(self._node, _text(filename)))

    def snapshot(
        self, path, compression="AUTO", reader_func=None, shard_func=None, name=None
    ) -> Dataset:
        """The same elements, kept in a folder by the first complete iteration.

        Args:
            path: the folder.
            compression: "AUTO", "GZIP", "SNAPPY" (not supported here) or None.
            reader_func: makes a dataset of the elements from a dataset of shards.
            shard_func: gives the int64 number of the shard of an element.
        """
        return self._then(Snapshot(self, _text(path), compression, reader_func, shard_func))

    def save(self, path, compression=None, shard_func=None, checkpoint_args=None) -> None:
        """Writes the elements to a folder, for `load`.

        Args:
            path: the folder.
            compression: None or "GZIP".
            shard_func: gives the int64 number of the shard of an element.
            checkpoint_args: not supported.
        """
        if checkpoint_args is not None:
            raise NotImplementedError(
                "Dataset.save(checkpoint_args=...) is not supported: save the dataset in one go."
            )
        save_elements(self, _text(path), compression, shard_func)

    @staticmethod
    def load(path, element_spec=None, compression=None, reader_func=None, wait=False) -> Dataset:
        """The elements that `save` wrote.

        Args:
            path: the folder.
            element_spec: the spec of the elements; read from the folder if left out.
            compression: as given to `save`.
            reader_func: makes a dataset of the elements from a dataset of shards.
            wait: whether to wait until the folder is complete.

        Raises:
            NotFoundError: if there is no saved dataset.
        """
        return load_node(_text(path), element_spec, compression, reader_func, wait)

    # -- the rest

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """What a function of this dataset gives.

        Raises:
            TypeError: if it is no dataset.
        """
        dataset = transformation_func(self)
        if not isinstance(dataset, Dataset):
            raise TypeError(
                "`transformation_func` must return a `tf.data.Dataset` object. Got "
                f"{type(dataset)}."
            )
        return dataset

    def get_single_element(self, name=None):
        """The only element.

        Raises:
            InvalidArgumentError: if there are none or several.
        """
        if graph.state.trace is not None:
            return _in_graph.single_element(self)
        found = list(Iterator(self.take(2)))
        if len(found) != 1:
            problem = "Dataset was empty." if not found else "Dataset had more than one element."
            attributes = f"_output_types_{len(structure.flatten(self.element_spec))}"
            raise errors.of_kernel("DatasetToSingleElement", problem, "", attributes)
        return found[0]

    def fingerprint(self):
        """Not supported: plans hold Python functions, whose identity no number can tell."""
        raise NotImplementedError(
            "Dataset.fingerprint() is not supported; keep a version number of the pipeline instead."
        )


def _require_components(spec) -> None:
    if all(isinstance(s, structure.NoneTensorSpec) for s in structure.flatten(spec)):
        raise errors.InvalidArgumentError(
            None, None, "Length for attr 'output_shapes' of 0 must be at least minimum 1"
        )


def _made_when_run(spec, element, make) -> Open:
    """The node of a dataset of symbolic tensors: what `make` gives for their values."""
    flat = nest.flatten(element, expand_composites=True)

    def made(values):
        parts = [None if x is None else Tensor(v) for x, v in zip(flat, values, strict=True)]
        return make(nest.pack_sequence_as(element, parts, expand_composites=True))._node

    return Open(spec, [raw_in_graph(x) for x in flat], made)


def _on_cpu(data):
    return data.cpu() if isinstance(data, torch.Tensor) and data.device.type != "cpu" else data


def _text(value) -> str:
    if is_tensor_type(value):
        value = value.numpy()
    if isinstance(value, bytes):
        return value.decode()
    return os.fspath(value)


def _generator_spec(output_types, output_shapes, output_signature):
    if output_signature is not None:
        for given, name in ((output_types, "output_types"), (output_shapes, "output_shapes")):
            if given is not None:
                raise TypeError(
                    f"The `{name}` argument can not be used together with the `output_signature` "
                    "argument."
                )
        for spec in structure.flatten(output_signature):
            if not isinstance(spec, TypeSpec):
                raise TypeError(
                    "`output_signature` must contain objects that are subclass of `tf.TypeSpec` "
                    f"but found {type(spec)} which is not."
                )
        return output_signature
    if output_types is None:
        raise TypeError(
            "To specify the output signature you need to provide either the `output_signature` "
            "argument or the `output_types` argument."
        )
    types = structure.flatten(output_types)
    if output_shapes is None:
        shapes = [TensorShape(None)] * len(types)
    else:
        shapes = structure.flatten_up_to(output_types, output_shapes)
    return structure.pack(
        output_types, [TensorSpec(s, t) for s, t in zip(shapes, types, strict=True)]
    )


def _padding(spec, padded_shapes, padding_values) -> tuple[list[TensorShape], list]:
    """The padded shapes and padding values of the components."""
    leaves = structure.flatten(spec)
    for leaf in leaves:
        if isinstance(leaf, DatasetSpec):
            raise TypeError("`padded_batch` is not supported for datasets of datasets")
        if not structure.is_dense(leaf):
            raise TypeError(
                "`padded_batch` is only supported for datasets that produce tensor elements but "
                "type spec of elements in the input dataset is not a subclass of TensorSpec: "
                f"`{leaf}`."
            )
    if padded_shapes is None:
        for i, leaf in enumerate(leaves):
            if leaf.shape.rank is None:
                raise ValueError(
                    "You must provide `padded_shapes` argument because component "
                    f"{i} has unknown rank."
                )
        shapes = [leaf.shape for leaf in leaves]
    else:
        given = structure.flatten_up_to(spec, padded_shapes)
        shapes = [_padded_shape(g, s) for g, s in zip(given, leaves, strict=True)]
    if padding_values is None:
        fills = [None] * len(leaves)
    elif _is_scalar(padding_values):
        fills = [padding_values] * len(leaves)
    else:
        fills = structure.flatten_up_to(spec, padding_values)
    return shapes, [_fill(f, s.dtype) for f, s in zip(fills, leaves, strict=True)]


def _value(x):
    return x.numpy() if hasattr(x, "numpy") else x


def _is_scalar(value) -> bool:
    return isinstance(value, (numbers.Number, str, bytes)) or is_tensor_type(value)


def _padded_shape(given, leaf: TensorSpec) -> TensorShape:
    odd = isinstance(given, (list, tuple)) and any(
        isinstance(d, (list, tuple, float)) for d in given
    )
    if odd or isinstance(given, np.ndarray) or is_tensor_type(given):
        shown, given = given, convert_to_tensor(given)
        if given.dtype not in (dtypes.int32, dtypes.int64):
            raise TypeError(
                f"Padded shape {_value(shown)} must be a `tf.int64` vector tensor, but its element "
                f"type was {given.dtype.name}."
            )
        if given.shape.rank != 1:
            raise ValueError(
                f"Padded shape {_value(shown)} must be a `tf.int64` vector tensor, but its shape "
                f"was {given.shape}."
            )
        symbolic = getattr(given, "is_symbolic_tensor", False)
        given = [None] * given.shape[0] if symbolic else given.numpy().tolist()
    if isinstance(given, (list, tuple)):
        given = [
            None if d is None or (isinstance(d, Dimension) and d.value is None)
            or getattr(d, "is_symbolic_tensor", False) or int(d) == -1 else int(d)
            for d in given
        ]  # fmt: skip
    shape = as_shape(given)
    fits = leaf.shape.rank is None or (
        shape.rank == leaf.shape.rank
        and all(p is None or s is None or p >= s for p, s in zip(shape, leaf.shape, strict=True))
    )
    if not fits:
        raise ValueError(
            f"The padded shape {shape} is not compatible with the shape {leaf.shape} of the "
            "corresponding input component."
        )
    return shape


def _fill(value, dtype):
    if value is None:
        return b"" if dtype is dtypes.string else 0
    with init_scope():  # a number even where a function is being traced
        tensor = convert_to_tensor(value)
    if tensor.shape.rank:
        raise ValueError(
            f"Invalid `padding_values`. `padding_values` values should be scalars, but got "
            f"{tensor.shape}."
        )
    if tensor.dtype is not dtype:
        raise TypeError(
            f"Invalid `padding_values`. `padding_values` values type {tensor.dtype} does not "
            f"match type {dtype} of the corresponding input component."
        )
    value = tensor.numpy()
    return value if dtype is dtypes.string else value.item()


def _stateful(initial_state, func, element_spec, name, check):
    """The state, its spec and the traced function of `scan` and `reduce`.

    The spec of the state is widened until the function's new state fits it.
    """
    with device.device("/CPU:0"):
        state = structure.normalize(initial_state)
    spec = structure.spec_of_structure(state)
    while True:
        function = Function(func, (spec, element_spec), name)
        new = check(function.spec, spec)
        wider = structure.map_structure(_weakened, spec, new)
        if wider == spec:
            break
        spec = wider
    return tuple(structure.raw(x) for x in structure.flatten(state)), spec, function


def _weakened(old, new):
    if structure.is_dense(old):
        return TensorSpec(old.shape.most_specific_compatible_shape(new.shape), old.dtype)
    return old


def _check_scan(result, spec):
    if type(result) is not tuple or len(result) != 2:
        raise TypeError(
            "Invalid `scan_func`. `scan_func` should return a pair consisting of new state and the "
            f"output value but its return type is {result}."
        )
    return _check_state(
        result[0], spec, "Invalid `scan_func`. The element types for the new state must match the "
        "initial state. Expected {}, got {}.",
    )  # fmt: skip


def _check_reduce(result, spec):
    widths = [len(structure.flatten(s)) for s in (spec, result)]
    if widths[0] != widths[1]:
        raise errors.of_kernel(
            "ReduceDataset",
            "The number of components of the initial state and the reduce function output does not "
            f"match. (initial_state={widths[0]}, output={widths[1]}).",
            "",
            f"_Targuments_0_Tstate_{widths[0]}_output_types_{widths[0]}",
        )
    return _check_state(
        result, spec,
        "The element types for the new state must match the initial state. Expected {} but got {}.",
    )  # fmt: skip


def _check_state(new, spec, message):
    def types(s):
        return structure.map_structure(lambda x: getattr(x, "dtype", x), s)

    if not structure.same_structure(new, spec) or structure.flatten(types(new)) != (
        structure.flatten(types(spec))
    ):
        raise TypeError(message.format(types(spec), types(new)))
    return new


def _group_functions(dataset, key_func, reduce_func, window_size_func):
    name = "Dataset.group_by_window()"
    key_spec = TensorSpec([], dtypes.int64)

    def as_int64(func):
        func = convert(func)
        return lambda *args: convert_to_tensor(func(*args), dtype=dtypes.int64)

    key = Function(as_int64(key_func), dataset.element_spec, name)
    size = Function(as_int64(window_size_func), key_spec, name)
    for function, parameter in ((key, "key_func"), (size, "window_size_func")):
        if not is_int64_scalar(function.spec):
            raise ValueError(
                f"Invalid `{parameter}`. `{parameter}` must return a single `tf.int64` scalar "
                f"tensor but its return type is {function.spec}."
            )
    reduce = Function(reduce_func, (key_spec, DatasetSpec(dataset.element_spec)), name)
    if not isinstance(reduce.spec, DatasetSpec):
        raise TypeError(
            "Invalid `reduce_func`. `reduce_func` must return a single `tf.data.Dataset` object "
            f"but its return type is {reduce.spec}."
        )
    return key, reduce, size
