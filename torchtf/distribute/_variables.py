"""Variables of a strategy whose replicas each hold a copy.

* A mirrored variable is brought together when it is written: what the replicas assign is combined
  as its `aggregation` says, and every copy gets the result. Without an aggregation a replica's
  assignment stays its own.
* A variable with `synchronization=ON_READ` is brought together when it is read outside of the
  replicas; each replica reads and writes its own copy.
"""

from __future__ import annotations

import torch

from torchtf.core import variable as variables
from torchtf.core.tensor import Tensor, wrap
from torchtf.core.variable import Variable, VariableAggregation, VariableSynchronization, _sum
from torchtf.distribute import _context
from torchtf.distribute._values import DistributedValues, PerReplica, _braces, local_component


class DistributedVariable(Variable, DistributedValues):
    """A variable with a copy on each replica; made by `tf.Variable` in a strategy's scope."""

    def __new__(cls, *args, **kwargs):
        return object.__new__(cls)

    @property
    def distribute_strategy(self):
        return self._strategy

    @property
    def values(self) -> tuple:
        """The values of the copies, one for each replica of the program."""
        group = self._strategy.group
        own = Tensor(self._value)
        return (own,) if group is None else tuple(group.all_gather_objects(own))

    def _new_value(self, value, method):
        return super()._new_value(local_component(value), method)

    def _in_replica(self) -> bool:
        """Whether a replica of the strategy runs this code, one of several."""
        context = _context.get_replica_context()
        return context is not None and context is self._strategy.replica_context

    def _copies(self) -> list[str]:
        name = self._shared_name
        names = [name, *(f"{name}/replica_{i}" for i in range(1, self._strategy._local_replicas))]
        own = super().__repr__()
        return [own.replace(f"'{name}:0'", f"'{n}:0'") for n in names]

    def __repr__(self):
        return _braces(type(self).__name__, dict(enumerate(self._copies())))

    __str__ = __repr__

    def _combined(self, data: torch.Tensor) -> torch.Tensor:
        """What the replicas hold in `data`, as the aggregation combines it."""
        group = self._strategy.group
        with torch.no_grad():
            if self._aggregation is VariableAggregation.ONLY_FIRST_REPLICA:
                return group.broadcast_many([data])[0]
            mean = self._aggregation is VariableAggregation.MEAN
            return group.all_reduce(data, "avg" if mean else "sum")


class MirroredVariable(DistributedVariable):
    """A variable whose copies are brought together when a replica writes to it."""

    def _new_value(self, value, method):
        data = super()._new_value(value, method)
        alone = self._strategy.group is None or self._aggregation is VariableAggregation.NONE
        if alone or not isinstance(data, torch.Tensor) or not self._in_replica():
            return data
        return self._combined(data)


class SyncOnReadVariable(DistributedVariable):
    """A variable whose copies are brought together when it is read outside of the replicas."""

    def _new_value(self, value, method):
        data = super()._new_value(value, method)
        if self._strategy.group is None or self._in_replica():
            return data
        if self._aggregation is VariableAggregation.SUM:
            if method != "assign":
                raise ValueError(
                    f"SyncOnReadVariable does not support `{method}` in cross-replica context when "
                    "aggregation is set to `tf.VariableAggregation.SUM`."
                )
            # the copies are to add up to the value
            return _divided(data, self._strategy.num_replicas_in_sync)
        return data

    def _add(self, delta, sign):
        with torch.no_grad():  # to the own copy, wherever this is called
            return self._store(_sum(self._own(), delta, sign))

    def _own(self) -> torch.Tensor:
        """The value of the copy here."""
        return Variable._tape_value(self)

    @property
    def per_replica(self) -> PerReplica:
        """The copies, each as it is."""
        return PerReplica(wrap(self._own()))

    def _tape_value(self):
        value = self._own()
        if self._strategy.group is None or self._in_replica():
            return value
        if self._aggregation is VariableAggregation.NONE:
            raise ValueError(
                "Could not convert from `tf.VariableAggregation` VariableAggregationV2.NONE to"
                "`tf.distribute.ReduceOp` type"
            )
        return self._combined(value)

    def numpy(self):
        """The copies brought together, as a NumPy array or scalar."""
        return wrap(self._tape_value()).numpy()

    def _numpy(self):
        return self.numpy()


def _divided(data: torch.Tensor, count: int) -> torch.Tensor:
    if data.is_floating_point() or data.is_complex():
        return data / count
    return torch.div(data, count, rounding_mode="floor")


def mirror(variable: Variable) -> None:
    """Makes a variable with equal copies the kind that its synchronization asks for."""
    if variable._synchronization is VariableSynchronization.NONE:
        raise ValueError(
            "`NONE` variable synchronization mode is not supported with tf.distribute strategy. "
            f"Please change the `synchronization` for variable: {variable.name}"
        )
    if variable._synchronization is VariableSynchronization.ON_READ:
        variable.__class__ = SyncOnReadVariable
    else:
        variable.__class__ = MirroredVariable
        variable._synchronization = VariableSynchronization.ON_WRITE


def _joins_strategy(variable: Variable) -> None:
    """A variable that is made under a strategy becomes one of its variables, of rank 0's value."""
    strategy = _context.get_strategy()
    variable._strategy = strategy
    if strategy.group is not None and isinstance(variable._value, torch.Tensor):
        variable._value = strategy.group.broadcast(variable._value)
    if not strategy.mirrors or type(variable) is not Variable:
        return
    if variable._aggregation is VariableAggregation.MEAN and not (
        variable.dtype.is_floating or variable.dtype.is_complex
    ):
        raise ValueError(
            "creating distributed tf.Variable with aggregation=MEAN and a non-floating dtype is "
            "not supported, please use a different aggregation or dtype"
        )
    strategy.adopt(variable)


variables.creation_hooks.append(_joins_strategy)
