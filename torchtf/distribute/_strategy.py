"""`tf.distribute.Strategy`: one program, run by several replicas.

* A replica is a process. A strategy either has a `Group` of processes or is alone.
* Every process runs the whole program; `run` calls the replica's function once in each, and what it
  returns differs between them until `reduce` or `gather` brings it together.
* In TensorFlow a `MirroredStrategy` is one program with several replicas. There a value that
  differs is a `PerReplica`, which shows the components of all. A worker of a
  `MultiWorkerMirroredStrategy` is a program of its own, which sees its own values as they are.
* With one replica there are no wrappers: values pass as they are.
"""

from __future__ import annotations

import enum
import functools

import numpy as np
import torch

from torchtf.core import errors, graph, nest
from torchtf.core import variable as variables
from torchtf.core.convert import convert_to_tensor, to_torch
from torchtf.core.tensor import is_tensor_type, wrap
from torchtf.distribute import _context
from torchtf.distribute._buckets import Packing
from torchtf.distribute._group import Group, mean_of
from torchtf.distribute._streams import ReplicaStreams
from torchtf.distribute._values import PerReplica, components_of, local_component
from torchtf.distribute._variables import (
    DistributedVariable,
    SyncOnReadVariable,
    mirror,
)


class ReduceOp(enum.Enum):
    """How the values of the replicas are combined (source: `tf.distribute.ReduceOp`)."""

    SUM = "SUM"
    MEAN = "MEAN"

    @staticmethod
    def from_variable_aggregation(aggregation):
        mapping = {
            variables.VariableAggregation.SUM: ReduceOp.SUM,
            variables.VariableAggregation.MEAN: ReduceOp.MEAN,
        }
        found = mapping.get(aggregation)
        if not found:
            raise ValueError(f"Could not convert from `tf.VariableAggregation` {aggregation} to"
                             "`tf.distribute.ReduceOp` type")  # fmt: skip
        return found


def as_reduce_op(op) -> ReduceOp:
    """A `ReduceOp` from one or its name.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(op, ReduceOp):
        return op
    if isinstance(op, str) and op.upper() in ReduceOp.__members__:
        return ReduceOp[op.upper()]
    raise ValueError(f"{op!r} is not a valid ReduceOp: `reduce_op` must be SUM or MEAN")


class RunOptions:
    """Options of `Strategy.run`; only the defaults apply outside TPUs."""

    def __init__(
        self,
        experimental_enable_dynamic_batch_size=True,
        experimental_bucketizing_dynamic_shape=False,
        experimental_xla_options=None,
    ):
        self.experimental_enable_dynamic_batch_size = experimental_enable_dynamic_batch_size
        self.experimental_bucketizing_dynamic_shape = experimental_bucketizing_dynamic_shape
        self.experimental_xla_options = experimental_xla_options


class ValueContext:
    """What `experimental_distribute_values_from_function` tells its function."""

    def __init__(self, replica_id_in_sync_group: int = 0, num_replicas_in_sync: int = 1):
        self.replica_id_in_sync_group = replica_id_in_sync_group
        self.num_replicas_in_sync = num_replicas_in_sync

    def __repr__(self):
        return (
            f"tf.distribute.ValueContext(replica id {self.replica_id_in_sync_group}, total "
            f"replicas in sync: {self.num_replicas_in_sync})"
        )


class InputContext:
    """What `distribute_datasets_from_function` tells its function (source: same name in TF)."""

    def __init__(
        self,
        num_input_pipelines: int = 1,
        input_pipeline_id: int = 0,
        num_replicas_in_sync: int = 1,
    ):
        self.num_input_pipelines = num_input_pipelines
        self.input_pipeline_id = input_pipeline_id
        self.num_replicas_in_sync = num_replicas_in_sync

    def get_per_replica_batch_size(self, global_batch_size: int) -> int:
        """The share of a replica.

        Raises:
            ValueError: if the global batch does not divide evenly.
        """
        if global_batch_size % self.num_replicas_in_sync:
            raise ValueError(
                f"The `global_batch_size` {global_batch_size} is not divisible by "
                f"`num_replicas_in_sync` {self.num_replicas_in_sync}"
            )
        return global_batch_size // self.num_replicas_in_sync

    def __repr__(self):
        return (
            f"tf.distribute.InputContext(input pipeline id {self.input_pipeline_id}, total: "
            f"{self.num_input_pipelines})"
        )


class ReplicaContext:
    """The view of one replica while `Strategy.run` calls its function."""

    def __init__(self, strategy: Strategy, replica_id_in_sync_group: int):
        self._strategy = strategy
        self._rank = replica_id_in_sync_group

    @property
    def strategy(self) -> Strategy:
        return self._strategy

    @property
    def num_replicas_in_sync(self) -> int:
        return self._strategy.num_replicas_in_sync

    @property
    def replica_id_in_sync_group(self):
        """The number of this replica: an int32 tensor; 0 without a strategy."""
        if self._strategy is default_strategy():
            return 0
        return convert_to_tensor(self._rank, "int32")

    @property
    def devices(self) -> tuple:
        return (self._strategy.extended.worker_devices[self._rank],)

    def _require(self) -> None:
        if _context.get_replica_context() is not self:
            raise RuntimeError(
                "Method requires being in this replica's context: call it in a function that "
                "Strategy.run runs."
            )

    def all_reduce(self, reduce_op, value, options=None):
        """Combines a value, or a structure of values, over the replicas.

        Its gradient is the same reduction of the replicas' gradients.

        Args:
            reduce_op: SUM or MEAN.
            value: a tensor or nested structure of tensors.
            options: `CommunicationOptions`, of which the size of messages is used.

        Raises:
            ValueError: if the op is unknown.
        """
        self._require()
        op = as_reduce_op(reduce_op)
        group = self._strategy.group
        flat = [to_torch(v) for v in nest.flatten(value)]
        if group is not None:
            packing = self._strategy.packing if options is None else options.packing
            flat = group.all_reduce_many(flat, "avg" if op is ReduceOp.MEAN else "sum", packing)
        return nest.pack_sequence_as(value, [wrap(t) for t in flat])

    def all_gather(self, value, axis: int, options=None):
        """The values of the replicas, joined along `axis`, along which sizes may differ.

        Args:
            value: a tensor or nested structure of tensors.
            axis: the axis to join along.
            options: `CommunicationOptions`; a gathered value is one message.
        """
        self._require()
        return nest.map_structure(
            lambda v: wrap(self._strategy._gather_raw(to_torch(v), axis)), value
        )

    def merge_call(self, merge_fn, args=(), kwargs=None):
        """Calls `merge_fn(strategy, *args, **kwargs)` in cross-replica context."""
        self._require()
        distributed = self._strategy._distributed
        args = nest.map_structure(distributed, tuple(args))
        kwargs = nest.map_structure(distributed, kwargs or {})
        with _context.CrossReplica():
            return nest.map_structure(local_component, merge_fn(self._strategy, *args, **kwargs))

    def __repr__(self):
        return f"<{type(self).__name__} replica {self._rank}>"


class StrategyExtended:
    """Further methods of a strategy, for libraries (source: `tf.distribute.StrategyExtended`)."""

    def __init__(self, strategy: Strategy):
        self._strategy = strategy

    @property
    def worker_devices(self) -> tuple[str, ...]:
        return self._strategy._devices

    @property
    def parameter_devices(self) -> tuple[str, ...]:
        return self._strategy.parameter_devices

    @property
    def experimental_require_static_shapes(self) -> bool:
        return False

    @property
    def worker_devices_by_replica(self) -> list[list[str]]:
        return [[d] for d in self.worker_devices]

    # every process has its own copy of everything, and rank 0 writes
    @property
    def experimental_between_graph(self) -> bool:
        return not self._strategy.one_program

    @property
    def experimental_should_init(self) -> bool:
        return True

    @property
    def should_checkpoint(self) -> bool:
        return self._strategy.is_chief

    @property
    def should_save_summary(self) -> bool:
        return self._strategy.is_chief

    def call_for_each_replica(self, fn, args=(), kwargs=None):
        """Calls `fn` on each replica, as `Strategy.run` does."""
        return self._strategy.run(fn, args, kwargs)

    def broadcast_to(self, tensor, destinations):
        """The value of the first replica, on every process."""
        group = self._strategy.group
        data = to_torch(local_component(tensor))
        return wrap(data if group is None else group.broadcast_many([data])[0])

    def non_slot_devices(self, var_list):
        return self.worker_devices

    def read_var(self, v):
        """The value of a variable."""
        return v.value()

    def update_non_slot(self, colocate_with, fn, args=(), kwargs=None, group=True):
        """Calls `fn(*args, **kwargs)` where the state lives: here."""
        args, kwargs = nest.map_structure(local_component, (tuple(args), kwargs or {}))
        return fn(*args, **kwargs)

    def reduce_to(self, reduce_op, value, destinations, options=None):
        """Combines a value over the replicas; every process gets the result."""
        return self._strategy.reduce(reduce_op, value, axis=None)

    def batch_reduce_to(self, reduce_op, value_destination_pairs, options=None) -> list:
        """`reduce_to` for several (value, destinations) pairs."""
        return [self.reduce_to(reduce_op, v, d, options) for v, d in value_destination_pairs]

    def update(self, var, fn, args=(), kwargs=None, group=True):
        """Calls `fn(var, *args, **kwargs)` for the copy of the variable here."""
        _context.require_cross_replica()
        args, kwargs = nest.map_structure(local_component, (tuple(args), kwargs or {}))
        return fn(var, *args, **kwargs)

    def value_container(self, value):
        return value

    def variable_created_in_scope(self, v) -> bool:
        return getattr(v, "_strategy", None) is self._strategy

    def colocate_vars_with(self, colocate_with_variable):
        return _context.Scope(self._strategy)


class Strategy:
    """A way to spread a program over replicas (source: `tf.distribute.Strategy`).

    Attributes:
        group: the processes that hold the replicas, or None for a single one.
        mirrors: whether each replica has a copy of the variables made in the scope.
        one_program: whether the replicas are those of one program, which sees the values of all.
        always_one: whether the strategy never has several replicas: there is nothing to combine.
        packing: how gradients are put together into messages.
    """

    mirrors = False
    one_program = False
    always_one = False

    def __init__(
        self,
        devices: tuple[str, ...],
        group: Group | None = None,
        packing: Packing = Packing(),  # noqa: B008 (it is immutable)
    ):
        self.group = group
        self.packing = packing
        self._devices = devices
        self.extended = StrategyExtended(self)
        rank = group.rank if group is not None else 0
        self.replica_context = ReplicaContext(self, rank)
        self.streams = ReplicaStreams(rank)

    @property
    def num_replicas_in_sync(self) -> int:
        return self.group.size if self.group is not None else 1

    @property
    def parameter_devices(self) -> tuple[str, ...]:
        """Where variables are."""
        return self._devices

    @property
    def _local_replicas(self) -> int:
        """The number of replicas that the program sees."""
        return self.num_replicas_in_sync if self.one_program else 1

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the files of the program."""
        return self.group is None or self.group.rank == 0

    @property
    def cluster_resolver(self):
        return None

    def adopt(self, variable: variables.Variable) -> None:
        """Makes a new variable one of which each replica of this strategy has a copy."""
        mirror(variable)

    def scope(self) -> _context.Scope:
        """The context in which variables and models of this strategy are made."""
        return _context.Scope(self)

    def _distributed(self, value):
        """A value of this replica as the program sees it.

        Text, truth values and variables are the same on all replicas.
        """
        if self.group is None or not self.one_program:
            return value
        same = value is None or isinstance(value, (str, bytes, bool, variables.Variable))
        return value if same or isinstance(value, PerReplica) else PerReplica(value)

    def run(self, fn, args=(), kwargs=None, options=None):
        """Calls `fn` on each replica.

        Args:
            fn: the function of a replica.
            args, kwargs: its arguments; of a per-replica value each gets its own component.
            options: `RunOptions`.

        Returns:
            What `fn` returns; with several replicas, values that may differ between them become
            per-replica values.

        Raises:
            ValueError: if `args` is no sequence.
            RuntimeError: in the code of a replica.
        """
        _context.require_cross_replica()
        if not isinstance(args, (list, tuple)):
            raise ValueError(f"positional args must be a list or tuple, got {type(args)}")
        given = [v for v in nest.flatten((tuple(args), kwargs or {})) if is_tensor_type(v)]
        args, kwargs = nest.map_structure(local_component, (tuple(args), kwargs or {}))
        with _context.InReplica(self):
            result = fn(*args, **kwargs)
            if self.group is None:
                return result
            result = nest.map_structure(_read_assigned, result)

        def distributed(value):  # what all share stays what it is
            if any(value is v for v in given) or self._is_everywhere(value):
                return value
            return self._distributed(value)

        return nest.map_structure(distributed, result)

    def _is_everywhere(self, value) -> bool:
        """Whether a value is a Python number, and that of all replicas."""
        if not self.one_program or type(value) not in (int, float):
            return False
        if graph.state.trace is not None:
            return False
        return all(v == value for v in self.group.all_gather_objects(value))

    def reduce(self, reduce_op, value, axis):
        """Combines a value over the replicas, and over an axis of each if one is given.

        Args:
            reduce_op: SUM or MEAN (of all elements along the axis on all replicas).
            value: a per-replica value or a tensor; structures are combined part by part, but
                with an axis a list is one value.
            axis: the axis (or axes) to reduce within each replica, or None.

        Returns:
            A tensor, the same on every process. Without an axis the value itself, if the strategy
            never has several replicas, and the mean of a value that does not differ.

        Raises:
            ValueError: if the op is unknown, an axis is out of range, or a value that does not
                differ between several replicas is to be summed without an axis.
            RuntimeError: in the code of a replica.
        """
        _context.require_cross_replica()
        op = as_reduce_op(reduce_op)
        if axis is not None:
            own = nest.map_structure(lambda v: local_component(_copies_as_they_are(v)), value)
            return self._reduce_one(op, own, axis)
        if self.always_one:
            return value
        return nest.map_structure(lambda v: self._reduce_equal(op, v), value)

    def _reduce_equal(self, op, value):
        """Combines a value of which it may be known that all replicas have the same."""
        value = _copies_as_they_are(value)
        if self.group is None:
            equal = not isinstance(value, (PerReplica, DistributedVariable))
        else:
            equal = self.one_program and not isinstance(value, PerReplica)
        if equal and op is ReduceOp.MEAN:
            return value
        if equal and self.group is not None:
            if not is_tensor_type(value) and np.all(value == 0):
                return value
            raise ValueError(
                f"A non-DistributedValues value {value} cannot be reduced with the given reduce op "
                f"{op}."
            )
        return self._reduce_one(op, local_component(value), None)

    def _reduce_one(self, op, value, axis):
        mean = op is ReduceOp.MEAN
        data = to_torch(value)
        count = 1
        if axis is not None:
            axes = [axis] if isinstance(axis, int) else list(axis)
            for a in axes:
                if not -data.dim() <= a < data.dim():
                    raise ValueError(
                        f"Invalid reduction dimension {a} for input with {data.dim()} dimensions."
                    )
                count = count * data.shape[a]
            data = torch.sum(data, tuple(axes), dtype=data.dtype)
        if self.group is not None:
            sums = [data]
            if mean:
                sums.append(torch.scalar_tensor(count, dtype=torch.int64))
            data, *counts = self.group.all_reduce_many(sums)
            count = counts[0] if mean else count
        if mean:
            data = mean_of(data, count)
        return wrap(data)

    def gather(self, value, axis: int):
        """The values of all replicas, joined along `axis`, on every process.

        Raises:
            RuntimeError: in the code of a replica.
            InvalidArgumentError: if a value has no such axis.
        """
        _context.require_cross_replica()

        def one(v):
            v = _copies_as_they_are(v)
            data = to_torch(local_component(v))
            if isinstance(v, PerReplica) or not self.one_program:
                data = self._gather_raw(data, axis)
            return wrap(data)

        return nest.map_structure(one, value)

    def _gather_raw(self, data: torch.Tensor, axis: int) -> torch.Tensor:
        """Joins the replicas' raw tensors, whose sizes along `axis` may differ."""
        rank = data.dim()
        if not rank:
            raise errors.InvalidArgumentError(
                None, None, "ConcatOp : Can't concatenate scalars (use tf.stack instead)"
            )
        if not -rank <= axis < rank:
            raise errors.InvalidArgumentError(
                None, None,
                f"ConcatOp : Expected concatenating dimensions in the range [-{rank}, {rank}), but "
                f"got {axis}",
            )  # fmt: skip
        if self.group is None:
            return data
        axis %= rank
        sizes = self._sizes_of_all(data, axis)
        most = functools.reduce(torch.sym_max, sizes)  # a comparison would be decided by a trace
        padding = list(data.shape)
        padding[axis] = most - data.shape[axis]
        data = torch.cat([data, data.new_zeros(padding)], axis)
        parts = self.group.all_gather(data)
        return torch.cat([p.narrow(axis, 0, s) for p, s in zip(parts, sizes, strict=True)], axis)

    def _sizes_of_all(self, data: torch.Tensor, axis: int) -> list[int]:
        """The sizes of the replicas' tensors along `axis`, once their other sizes agree."""
        if graph.state.trace is not None:
            size = torch.scalar_tensor(data.shape[axis], dtype=torch.int64)
            return [s.item() for s in self.group.all_gather(size)]
        shapes = self.group.all_gather_objects(tuple(data.shape))
        others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
        if len(others) > 1:
            raise errors.InvalidArgumentError(
                None, None,
                "ConcatOp : Dimension mismatch: the replicas' values may differ along axis "
                f"{axis} only, but have the shapes {', '.join(str(list(s)) for s in shapes)}",
            )  # fmt: skip
        return [shape[axis] for shape in shapes]

    def experimental_local_results(self, value) -> tuple:
        """The components of a per-replica value, one for each replica of this program."""
        if isinstance(value, DistributedVariable) and self.one_program:
            return value.values
        if any(isinstance(v, PerReplica) for v in nest.flatten(value)):
            return components_of(value)
        return (value,)

    def experimental_distribute_dataset(self, dataset, options=None):
        """A dataset that gives each replica its share of the batches of `dataset`.

        Args:
            dataset: a batched `tf.data.Dataset`; its batches are global batches.
            options: `tf.distribute.InputOptions`.
        """
        from torchtf.distribute._input import distribute_dataset

        return distribute_dataset(dataset, self, options)

    def distribute_datasets_from_function(self, dataset_fn, options=None):
        """A dataset from `dataset_fn(InputContext)`, which batches by the replica's size.

        The replicas of one program take the elements of one dataset in turns; each worker of
        several has a dataset of its own.

        Args:
            dataset_fn: called once in each process.
            options: `tf.distribute.InputOptions`.
        """
        from torchtf.distribute._input import DistributedDataset, Together, Turns

        count = self.num_replicas_in_sync
        if self.one_program or self.group is None:
            context = InputContext(num_replicas_in_sync=count)
        else:
            context = InputContext(count, self.group.rank, count)
        dataset = dataset_fn(context)
        if self.group is not None:
            dataset = (Turns if self.one_program else Together)(dataset, self.group)
        return DistributedDataset(dataset, self)

    experimental_distribute_datasets_from_function = distribute_datasets_from_function

    def experimental_distribute_values_from_function(self, value_fn):
        """A per-replica value from `value_fn(ValueContext)`."""
        rank = self.group.rank if self.group is not None else 0
        return self._distributed(value_fn(ValueContext(rank, self.num_replicas_in_sync)))


def _read_assigned(value):
    """The value of a variable that a replica returns from assigning to it."""
    return value.value() if isinstance(value, variables.UnreadVariable) else value


def _copies_as_they_are(value):
    return value.per_replica if isinstance(value, SyncOnReadVariable) else value


class _DefaultStrategy(Strategy):
    """The strategy in force when no other is: one replica on the default device."""

    always_one = True

    def __init__(self):
        super().__init__(("/job:localhost/replica:0/task:0/device:CPU:0",))


@functools.cache
def default_strategy() -> Strategy:
    return _DefaultStrategy()
