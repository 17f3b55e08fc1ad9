"""Keras training on several replicas, each a process of a `tf.distribute` strategy.

Contract:
- A model belongs to the strategy in whose scope it was made. Its train and test steps run in
  replica context on the replica's share of each batch; `predict` computes every batch on every
  replica, so that each has all results.
- Gradients are summed where an optimizer takes them, before clipping; a loss that averages over its
  batch is divided by the number of replicas. So the update is that of the global batch.
- Statistics that a replica writes to untrained variables (batch normalization's) are averaged at
  the end of its function, metrics are added up when their results are read. All replicas hold
  equal weights at every step.
- Files are written by the chief, rank 0, alone.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from keras.src import callbacks as callbacks_module
from keras.src import tree
from keras.src.losses import loss as loss_module
from keras.src.metrics.metric import Metric
from keras.src.trainers.trainer import Trainer

from torchtf.core.convert import to_torch
from torchtf.core.files import written_alone
from torchtf.core.tensor import Tensor, wrap
from torchtf.keras._patch import own_attribute, replaces
from torchtf.keras._side import into_keras, on_keras_side
from torchtf.keras._trace import tracing
from torchtf.keras._variable import assignment_hooks


class _State(threading.local):
    summed = False  # the metrics read now hold the sums of all replicas already
    updating = False  # an optimizer is at work


_state = _State()


def _strategy_in_force() -> Any:
    """The strategy in force, or None when `tf.distribute` has not been used."""
    package = sys.modules.get("torchtf.distribute")
    return None if package is None else package.get_strategy()


def _replicas() -> int:
    strategy = _strategy_in_force()
    return 1 if strategy is None else strategy.num_replicas_in_sync


@replaces(loss_module, "scale_loss_for_distribution")
def scale_loss_for_distribution(value: Any) -> Any:
    count = _replicas()
    return value if count == 1 else value / count


@replaces(loss_module, "unscale_loss_for_distribution")
def unscale_loss_for_distribution(value: Any) -> Any:
    count = _replicas()
    return value if count == 1 else value * count


def _strategy_of_replica() -> Any:
    """The strategy one of whose several replicas runs this code, or None."""
    strategy = _strategy_in_force()
    if strategy is None or strategy.group is None:
        return None
    from torchtf.distribute import in_cross_replica_context

    return None if in_cross_replica_context() else strategy


def sum_over_replicas(grads: list[torch.Tensor | None]) -> list[torch.Tensor | None]:
    """Gradients added up over the replicas, if this is the code of one of several."""
    strategy = _strategy_of_replica()
    if strategy is None:
        return grads
    dense = [to_torch(g) for g in grads if g is not None]
    reduced = iter(strategy.group.all_reduce_many(dense, packing=strategy.packing))
    return [None if g is None else next(reduced) for g in grads]


def on_all_replicas(condition: torch.Tensor) -> torch.Tensor:
    """Whether a condition holds on every replica, if this is the code of one of several."""
    strategy = _strategy_of_replica()
    if strategy is None:
        return condition
    return strategy.group.all_reduce(condition.to(torch.int32), "min").to(torch.bool)


def synchronized_moments(x: torch.Tensor, axes: Any, keepdims: bool) -> Any:
    """The mean and the variance over the batches of all replicas, in one message."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    wide = x.to(dtype)
    sums = [torch.sum(part, axes, keepdim=True) for part in (wide, wide.square())]
    count = torch.scalar_tensor(x.numel(), dtype=dtype, device=x.device) / sums[0].numel()
    strategy = _strategy_of_replica()
    if strategy is not None:
        *sums, count = strategy.group.all_reduce_many([*sums, count])
    mean = sums[0] / count.clamp_min(1)
    variance = (sums[1] / count.clamp_min(1) - mean.square()).clamp_min(0)
    if not keepdims:
        mean, variance = mean.squeeze(axes), variance.squeeze(axes)
    return mean.to(x.dtype), variance.to(x.dtype)


_init_trainer = own_attribute(Trainer, "__init__")


@replaces(Trainer, "__init__")
def _remember_strategy(self: Any) -> None:
    _init_trainer(self)
    _remember(self)


def _remember(self: Any) -> None:
    strategy = _strategy_in_force()
    if strategy is not None and strategy.group is not None:
        object.__setattr__(self, "_distribute_strategy", strategy)
    elif hasattr(strategy, "create_variable"):  # on parameter servers
        object.__setattr__(self, "_server_strategy", strategy)


def strategy_of(model: Any) -> Any:
    """The strategy with several replicas that a model or metric was made under, or None."""
    return vars(model).get("_distribute_strategy")


def server_strategy_of(model: Any) -> Any:
    """The `ParameterServerStrategy` that a model was made under, or None."""
    return vars(model).get("_server_strategy")


def in_replica(model: Any, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A step as a replica runs it: in its context."""
    strategy = strategy_of(model)
    if strategy is None:
        return step

    @functools.wraps(step)
    def run(data: Any) -> Any:
        from torchtf.distribute._context import InReplica

        with InReplica(strategy):
            return step(data)

    return run


# statistics that the replica under way has written, by identity
_written: dict[int, Any] = {}


def note_statistics(*variables: Any) -> None:
    """Tells that untrained variables were written by what may be one of several replicas."""
    if _strategy_of_replica() is None:
        return
    from torchtf.distribute._context import at_end_of_replica

    if _average not in at_end_of_replica:
        at_end_of_replica.append(_average)
    _written.update((id(v), v) for v in variables)


def _note_assignment(variable: Any) -> None:
    statistic = variable.aggregation in ("none", "mean") and not variable.trainable
    if statistic and not _state.updating and variable._value.is_floating_point():
        note_statistics(variable)


assignment_hooks.append(_note_assignment)


@contextlib.contextmanager
def updating() -> Iterator[None]:
    """Within it an optimizer writes its own variables, which are the same on all replicas."""
    _state.updating = True
    try:
        yield
    finally:
        _state.updating = False


@torch.no_grad()
def _average(strategy: Any) -> None:
    """Brings the statistics together that a replica's function has written."""
    variables = list(_written.values())
    _written.clear()
    if not variables:
        return

    def average() -> None:
        means = strategy.group.all_reduce_many([v.value for v in variables], "avg")
        for v, mean in zip(variables, means, strict=True):
            v.assign(mean)

    on_keras_side(average)


def share(model: Any, batch: Any) -> Any:
    """The replica's part of a batch; a batch of fewer rows than replicas is everybody's."""
    strategy = strategy_of(model)
    if strategy is None:
        return batch
    from torchtf.distribute._input import share_of

    group = strategy.group

    def part(x: Any) -> Any:
        if x is None or x.shape[0] < group.size:
            return x
        return share_of(x, group.rank, group.size)

    return tree.map_structure(part, batch)


def with_all_states(owner: Any, variables: list[Any], read: Callable[[], Any]) -> Any:
    """Calls `read` while the variables of metrics hold the sums of all replicas' states.

    Within a replica's step they keep its own.
    """
    strategy = strategy_of(owner)
    if strategy is None or _state.summed:
        return read()
    from torchtf.distribute import get_replica_context

    if get_replica_context() is strategy.replica_context:
        return read()
    _state.summed = True
    try:
        return _read_sums(strategy.group, variables, read)
    finally:
        _state.summed = False


@into_keras
@torch.no_grad()
def _read_sums(group: Any, variables: list[Any], read: Callable[[], Any]) -> Any:
    kept = [v.value.detach().clone() for v in variables]
    for v, total in zip(variables, group.all_reduce_many(kept), strict=True):
        v.assign(total)
    try:
        return read()
    finally:
        for v, value in zip(variables, kept, strict=True):
            v.assign(value)


def aggregated(result: Callable[..., Any]) -> Callable[..., Any]:
    """A metric's `result` over all replicas, unless a replica asks within its step.

    A tensor in it stays as it is when the metric is updated.
    """

    @functools.wraps(result)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        variables = list(self.variables)

        def read() -> Any:
            return _apart(result(self, *args, **kwargs), variables)

        return read() if strategy_of(self) is None else with_all_states(self, variables, read)

    return method


def _apart(found: Any, variables: list[Any]) -> Any:
    """`found` with copies of the tensors that share the memory of variables."""
    if tracing():  # a graph copies them
        return found
    memory = {
        v._value.untyped_storage()._cdata
        for v in variables
        if isinstance(getattr(v, "_value", None), torch.Tensor)
    }

    def copied(x: Any) -> Any:
        data = x._data if type(x) is Tensor else x
        if not isinstance(data, torch.Tensor) or data.untyped_storage()._cdata not in memory:
            return x
        return wrap(data.clone()) if type(x) is Tensor else data.clone()

    return tree.map_structure(copied, found)


_init_metric = own_attribute(Metric, "__init__")


@replaces(Metric, "__init__")
def _remember_strategy_of_metric(self: Any, dtype: Any = None, name: Any = None) -> None:
    _init_metric(self, dtype=dtype, name=name)
    _remember(self)


class _Reader(callbacks_module.BackupAndRestore):
    """`BackupAndRestore` of a replica that is not the chief: reads, never writes."""

    def __init__(self, callback: Any) -> None:
        self.__dict__.update(vars(callback))

    def _save_model(self) -> None:
        pass

    def on_train_end(self, logs: Any = None) -> None:
        pass


_WRITERS = (callbacks_module.TensorBoard, callbacks_module.CSVLogger)
_SAVERS = (callbacks_module.BackupAndRestore, callbacks_module.ModelCheckpoint)


def _saves_alone(callback: Any) -> None:
    """Lets a callback of the chief save without waiting for the others, which do not."""
    save = callback._save_model

    @functools.wraps(save)
    def save_alone(*args: Any, **kwargs: Any) -> None:
        with written_alone():
            save(*args, **kwargs)

    if not hasattr(save, "__wrapped__"):
        callback._save_model = save_alone


def callbacks_of_replica(model: Any, callbacks: Any) -> Any:
    """The callbacks without what only the chief does."""
    strategy = strategy_of(model)
    if strategy is None or callbacks is None:
        return callbacks
    kept: list[Any] = []
    for callback in tree.flatten(callbacks):
        if strategy.is_chief:
            if isinstance(callback, _SAVERS):
                _saves_alone(callback)
            kept.append(callback)
        elif isinstance(callback, callbacks_module.BackupAndRestore):
            kept.append(_Reader(callback))
        elif isinstance(callback, callbacks_module.ModelCheckpoint):
            callback._save_model = lambda *args, **kwargs: None
            kept.append(callback)
        elif not isinstance(callback, _WRITERS):
            kept.append(callback)
    return kept


def and_wait(model: Any, notify: Callable[[], None]) -> None:
    """Calls the callbacks, which may read and write files, and waits for the other replicas' ones.

    So every replica has read what an earlier run left before the chief writes anew, and what the
    chief writes is there when `fit` returns.
    """
    notify()
    strategy = strategy_of(model)
    if strategy is not None:
        strategy.group.barrier()
