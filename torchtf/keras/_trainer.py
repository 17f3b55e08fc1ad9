"""`fit`, `evaluate` and `predict`: one traced graph for each kind of step.

Contract:
- A step is the model's `train_step`, `test_step` or `predict_step`, traced by the engine of
  `tf.function` once for each signature; with `run_eagerly=True` it runs as Python, line by line.
- `train_step` is that of Keras on TensorFlow: a `GradientTape` around the forward pass, then
  `optimizer.apply_gradients`. Every part of it may be overridden.
- The loop around it is Keras'. Between steps it does what somebody can see and no more: callbacks
  that look at batches get their logs as numbers after each, the progress bar when it redraws.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from keras.src import backend, optimizers, tree
from keras.src.backend import config
from keras.src.backend.torch.core import get_device
from keras.src.backend.torch.trainer import TorchEpochIterator, TorchTrainer
from keras.src.callbacks.callback_list import CallbackList
from keras.src.callbacks.history import History
from keras.src.callbacks.progbar_logger import ProgbarLogger
from keras.src.trainers.data_adapters import array_slicing
from keras.src.trainers.data_adapters.data_adapter_utils import (
    class_weight_to_sample_weights,
    unpack_x_y_sample_weight,
)
from keras.src.trainers.trainer import Trainer
from keras.src.utils import traceback_utils
from keras.src.utils.python_utils import is_default, pythonify_logs

from torchtf.core import tape
from torchtf.core.tensor import is_tensor_type, wrap
from torchtf.keras._backup import remaining
from torchtf.keras._data import DatasetAdapter
from torchtf.keras._distribute import (
    and_wait,
    callbacks_of_replica,
    in_replica,
    server_strategy_of,
    share,
    strategy_of,
    unscale_loss_for_distribution,
    with_all_states,
)
from torchtf.keras._patch import replaces
from torchtf.keras._ragged import is_ragged, together
from torchtf.keras._side import inward, on_keras_side, on_user_side

# ---- steps --------------------------------------------------------------------------------------


def _batch_size(x: Any) -> torch.Tensor:
    """The number of samples as a tensor, so that a size left open stays open in a trace."""
    first = next(i for i in tree.flatten(x) if i is not None)
    if is_ragged(first):
        size = inward(first.row_splits).shape[0] - 1
    else:
        size = (first._data if is_tensor_type(first) else first).shape[0]  # of strings, too
    return torch.scalar_tensor(size, dtype=torch.float32, device=get_device())


def _forward(model: Any, x: Any, training: bool) -> Any:
    return model(x, training=training) if model._call_has_training_arg else model(x)


@replaces(TorchTrainer, "train_step")
def train_step(self: Any, data: Any) -> dict[str, Any]:
    x, y, sample_weight = unpack_x_y_sample_weight(data)
    with tape.GradientTape() as gradients, torch.enable_grad():
        y_pred = _forward(self, x, True)
        loss = self._compute_loss(
            x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True
        )
        scaled = loss if self.optimizer is None else self.optimizer.scale_loss(loss)
        scaled = wrap(scaled)
    with torch.no_grad():
        self._loss_tracker.update_state(
            unscale_loss_for_distribution(loss.detach()), sample_weight=_batch_size(x)
        )
        weights = self.trainable_weights
        if weights:
            found = gradients.gradient(scaled, weights)
            self.optimizer.apply_gradients(zip(found, weights, strict=True))
        else:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        y_pred = tree.map_structure(_detached, y_pred)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)


def _detached(x: Any) -> Any:
    if not isinstance(x, torch.Tensor) or not x.requires_grad:
        return x
    result, mask = x.detach(), backend.get_keras_mask(x)
    if mask is not None:
        backend.set_keras_mask(result, mask)
    logits = getattr(x, "_keras_logits", None)
    if logits is not None:  # metrics that are losses look at them
        result._keras_logits = logits.detach()
    return result


@replaces(TorchTrainer, "test_step")
def test_step(self: Any, data: Any) -> dict[str, Any]:
    x, y, sample_weight = unpack_x_y_sample_weight(data)
    y_pred = _forward(self, x, False)
    loss = self._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=False)
    self._loss_tracker.update_state(
        unscale_loss_for_distribution(loss), sample_weight=_batch_size(x)
    )
    return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)


def _traced(model: Any, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A step as a function of one batch, on the engine of `tf.function`."""
    if model.run_eagerly:
        return step
    from torchtf.function import function

    name = step.__name__

    def one_step(data: Any) -> Any:
        return step(data)

    one_step.__name__ = f"one_{name}"
    return function(one_step, autograph=False, reduce_retracing=True, jit_compile=model.jit_compile)


@replaces(Trainer, "_resolve_auto_jit_compile")
def _resolve_auto_jit_compile(self: Any) -> None:
    # as for a `tf.function`: `tf.config.optimizer.set_jit` and TORCHTF_JIT decide
    return None


def _make(name: str, step_name: str, over_batches: Callable[[list[Any]], Any]) -> None:
    """Defines `make_<name>_function`, whose result takes a list of batches."""
    attribute = f"{name}_function"

    @replaces(TorchTrainer, f"make_{attribute}")
    def make(self: Any, force: bool = False) -> Callable[[list[Any]], Any]:
        made = getattr(self, attribute)
        if made is not None and not force:
            return made
        from torchtf.keras._boundary import adopt_again

        adopt_again(type(self))
        step = getattr(self, step_name)
        if name == "predict":
            step = _traced(self, step)

            def run(batches: Iterable[Any]) -> Any:
                return over_batches([on_user_side(step, (data,)) for data in batches])

        else:
            step = _traced(self, in_replica(self, step))

            def run(batches: Iterable[Any], shared: bool = True) -> Any:
                if shared:
                    batches = (share(self, data) for data in batches)
                return over_batches([on_user_side(step, (data,)) for data in batches])

        run.traced = None if self.run_eagerly else step  # type: ignore[attr-defined]
        setattr(self, attribute, run)
        return run

    make.__name__ = f"make_{attribute}"


def _last(results: list[Any]) -> Any:
    return inward(results[-1])


def _together(results: list[Any]) -> Any:
    results = inward(results)
    if len(results) == 1:
        return results[0]
    return tree.map_structure(
        lambda *parts: together(parts) if is_ragged(parts[0]) else torch.cat(parts), *results
    )


_make("train", "train_step", _last)
_make("test", "test_step", _last)
_make("predict", "predict_step", _together)


# ---- what callbacks see of a batch --------------------------------------------------------------

_BATCH_HOOKS = {
    "train": ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class _Logs(dict):  # type: ignore[type-arg]
    """The logs of a batch, which become numbers when somebody looks at one."""

    def __init__(self, tensors: Any) -> None:
        super().__init__()
        self._tensors = tensors

    def _read(self) -> dict[str, Any]:
        if self._tensors is not None:
            numbers, self._tensors = pythonify_logs(self._tensors), None
            super().update(numbers)
        return super()  # type: ignore[return-value]

    def _reading(name: str) -> Any:  # type: ignore[misc]
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return getattr(self._read(), name)(*args, **kwargs)

        return method

    for _name in (
        "__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__", "__len__",
        "__eq__", "__or__", "__ror__", "__repr__", "get", "items", "keys", "values", "copy",
        "pop", "update", "setdefault",
    ):  # fmt: skip
        locals()[_name] = _reading(_name)


class _Batches:
    """Calls the batch hooks of callbacks that have any, and the progress bar when it is due."""

    # The interval at which Keras' progress bar redraws itself.
    _INTERVAL = 0.05

    def __init__(self, callbacks: CallbackList, kind: str) -> None:
        known = type(callbacks) is CallbackList
        all_of_them = callbacks.callbacks if known else [callbacks]
        self._bars = [c for c in all_of_them if type(c) is ProgbarLogger]
        heard = [c for c in all_of_them if not known or self._listens(c, _BATCH_HOOKS[kind])]
        # Not through CallbackList's thread: callbacks see batches one at a time, in order.
        self._begins = [getattr(c, f"on_{kind}_batch_begin") for c in heard]
        self._ends = [getattr(c, f"on_{kind}_batch_end") for c in heard]
        self._kind = kind
        self._due = 0.0

    @staticmethod
    def _listens(callback: Any, hooks: tuple[str, ...]) -> bool:
        if type(callback) in (History, ProgbarLogger):
            return False
        return any(not is_default(getattr(callback, hook)) for hook in hooks)

    def begin(self, step: int) -> None:
        for hook in self._begins:
            hook(step, logs={})

    def end(self, step: int, logs: dict[str, Any]) -> None:
        if self._ends:
            if self._kind == "predict":
                logs = tree.map_structure(backend.convert_to_numpy, logs)
            else:
                logs = _Logs(logs)
            for hook in self._ends:
                hook(step, logs=logs)
        if self._bars:
            now = time.time()
            if now >= self._due:
                self._due = now + self._INTERVAL
                logs = pythonify_logs(logs) if self._kind != "predict" else {}
                for bar in self._bars:
                    getattr(bar, f"on_{self._kind}_batch_end")(step, logs)
            else:
                for bar in self._bars:
                    bar.seen = step + 1


def _callback_list(model: Any, callbacks: Any, **kwargs: Any) -> CallbackList:
    if isinstance(callbacks, CallbackList):
        return callbacks
    verbose = kwargs["verbose"]
    callbacks = callbacks_of_replica(model, callbacks)
    return CallbackList(callbacks, add_progbar=verbose != 0, model=model, **kwargs)


def _build(model: Any, iterator: TorchEpochIterator) -> None:
    """Creates the variables of a model on several replicas before its first step.

    Any other model creates them as its step is traced, from a real batch: what `train_step` makes
    of a batch is its own affair, and `call` need not exist.
    """
    if strategy_of(model) is None:
        return
    adapter = iterator.data_adapter
    if isinstance(adapter, DatasetAdapter):
        on_keras_side(model._symbolic_build, (), {"data_batch": adapter.symbolic_batch()})
    else:
        on_keras_side(model._symbolic_build, (), {"iterator": iterator})


def _metrics_or_logs(model: Any, logs: Any) -> dict[str, Any]:
    """The metrics as numbers: tensors might show what the metrics are updated to later.

    Without a batch there are none.
    """
    if isinstance(logs, dict) and not logs:
        return {}
    return with_all_states(
        model,
        model.metrics_variables,
        lambda: pythonify_logs(on_keras_side(model._get_metrics_result_or_logs, (logs,))),
    )


# ---- the loops ----------------------------------------------------------------------------------


@replaces(TorchTrainer, "fit")
@traceback_utils.filter_traceback
def fit(
    self: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: Any = True,
    class_weight: Any = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: Any = 1,
) -> History:
    self._assert_compile_called("fit")
    limit = config.max_epochs()
    if limit and limit < epochs:
        warnings.warn(f"Limiting epochs to {limit}", stacklevel=2)
        epochs = limit
    self._eval_epoch_iterator = None
    if server_strategy_of(self) is not None:
        from torchtf.keras._parameter_server import fit_on_servers

        self.stop_training = False
        callbacks = _callback_list(
            self, callbacks, add_history=True, verbose=verbose, epochs=epochs, steps=steps_per_epoch
        )
        return fit_on_servers(self, x, epochs, initial_epoch, steps_per_epoch, callbacks)
    if validation_split and validation_data is None:
        (x, y, sample_weight), validation_data = array_slicing.train_validation_split(
            inward((x, y, sample_weight)), validation_split=validation_split
        )
    iterator = TorchEpochIterator(
        x=x,
        y=y,
        sample_weight=sample_weight,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        shuffle=shuffle,
        class_weight=class_weight,
        steps_per_execution=self.steps_per_execution,
    )
    _build(self, iterator)
    iterator.reset()
    callbacks = _callback_list(
        self, callbacks, add_history=True, verbose=verbose, epochs=epochs,
        steps=iterator.num_batches,
    )  # fmt: skip
    self.stop_training = False
    training_logs: dict[str, Any] = {}
    self.make_train_function()
    and_wait(self, callbacks.on_train_begin)
    for epoch in range(self._initial_epoch or initial_epoch, epochs):
        self.reset_metrics()
        callbacks.on_epoch_begin(epoch)
        logs: Any = {}
        batches = _Batches(callbacks, "train")
        for begin, end, data in remaining(self, iterator):
            batches.begin(begin)
            logs = self.train_function(data)
            batches.end(end, logs)
            if self.stop_training:
                break
        epoch_logs = _metrics_or_logs(self, logs)
        if validation_data is not None and self._should_eval(epoch, validation_freq):
            if self._eval_epoch_iterator is None:
                val_x, val_y, val_weight = unpack_x_y_sample_weight(validation_data)
                self._eval_epoch_iterator = TorchEpochIterator(
                    x=val_x,
                    y=val_y,
                    sample_weight=val_weight,
                    batch_size=validation_batch_size or batch_size,
                    steps_per_execution=self.steps_per_execution,
                    steps_per_epoch=validation_steps,
                    shuffle=False,
                )
            val_logs = self.evaluate(
                x=validation_data,
                callbacks=callbacks,
                return_dict=True,
                _use_cached_eval_dataset=True,
            )
            epoch_logs.update({f"val_{name}": value for name, value in val_logs.items()})
        callbacks.on_epoch_end(epoch, epoch_logs)
        training_logs = epoch_logs
        if self.stop_training:
            break
    if isinstance(self.optimizer, optimizers.Optimizer) and epochs > 0:
        self.optimizer.finalize_variable_values(self.trainable_weights)
    self._eval_epoch_iterator = None
    and_wait(self, functools.partial(callbacks.on_train_end, logs=training_logs))
    return self.history


@replaces(TorchTrainer, "evaluate")
@traceback_utils.filter_traceback
def evaluate(
    self: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    verbose: Any = "auto",
    sample_weight: Any = None,
    steps: int | None = None,
    callbacks: Any = None,
    return_dict: bool = False,
    **kwargs: Any,
) -> Any:
    self._assert_compile_called("evaluate")
    cached = kwargs.pop("_use_cached_eval_dataset", False)
    if kwargs:
        raise ValueError(f"Arguments not recognized: {kwargs}")
    iterator = (
        self._eval_epoch_iterator
        if cached
        else TorchEpochIterator(
            x=x,
            y=y,
            sample_weight=sample_weight,
            batch_size=batch_size,
            steps_per_epoch=steps,
            shuffle=False,
            steps_per_execution=self.steps_per_execution,
        )
    )
    _build(self, iterator)
    iterator.reset()
    callbacks = _callback_list(
        self, callbacks, verbose=verbose, epochs=1, steps=iterator.num_batches
    )
    self.make_test_function()
    self.stop_evaluating = False
    callbacks.on_test_begin()
    self.reset_metrics()
    logs: Any = {}
    batches = _Batches(callbacks, "test")
    for begin, end, data in iterator:
        batches.begin(begin)
        logs = self.test_function(data)
        batches.end(end, logs)
        if self.stop_evaluating:
            break
    logs = _metrics_or_logs(self, logs)
    callbacks.on_test_end(logs)
    return logs if return_dict else self._flatten_metrics_in_order(logs)


@replaces(TorchTrainer, "predict")
@traceback_utils.filter_traceback
def predict(
    self: Any,
    x: Any,
    batch_size: int | None = None,
    verbose: Any = "auto",
    steps: int | None = None,
    callbacks: Any = None,
) -> Any:
    iterator = TorchEpochIterator(
        x=x,
        batch_size=batch_size,
        steps_per_epoch=steps,
        shuffle=False,
        steps_per_execution=self.steps_per_execution,
    )
    callbacks = _callback_list(
        self, callbacks, verbose=verbose, epochs=1, steps=iterator.num_batches
    )
    self.make_predict_function()
    self.stop_predicting = False
    callbacks.on_predict_begin()
    outputs: list[Any] = []
    batches = _Batches(callbacks, "predict")
    for begin, end, data in iterator:
        batches.begin(begin)
        result = self.predict_function(data)
        outputs.append(result)
        batches.end(end, {"outputs": result})
        if self.stop_predicting:
            break
    callbacks.on_predict_end()
    if not outputs:
        raise ValueError("predict() got no batch of data: the input is empty.")
    arrays = [tree.map_structure(_to_array, o) for o in outputs]
    if len(arrays) == 1:
        return arrays[0]
    return tree.map_structure(
        lambda *parts: together(parts) if is_ragged(parts[0]) else np.concatenate(parts), *arrays
    )


def _to_array(x: Any) -> Any:
    return x if is_ragged(x) else backend.convert_to_numpy(x)


# ---- one batch at a time ------------------------------------------------------------------------


def _as_batch(data: Any) -> Any:
    return tree.map_structure(
        lambda a: None if a is None else backend.convert_to_tensor(a), inward(data)
    )


def _on_batch(model: Any, kind: str, data: Any, return_dict: bool) -> Any:
    data = _as_batch(data)
    if strategy_of(model) is not None:
        on_keras_side(model._symbolic_build, (), {"data_batch": data})
    getattr(model, f"make_{kind}_function")()
    model.reset_metrics()
    # every replica computes the whole batch, as in TensorFlow
    logs = pythonify_logs(getattr(model, f"{kind}_function")([data], shared=False))
    return logs if return_dict else model._flatten_metrics_in_order(logs)


@replaces(TorchTrainer, "train_on_batch")
def train_on_batch(
    self: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    return_dict: bool = False,
) -> Any:
    self._assert_compile_called("train_on_batch")
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError(
                "Arguments `sample_weight` and `class_weight` cannot be specified at the same "
                f"time. Received: sample_weight={sample_weight}, class_weight={class_weight}"
            )
        sample_weight = class_weight_to_sample_weights(inward(y), class_weight)
    return _on_batch(self, "train", (x, y, sample_weight), return_dict)


@replaces(TorchTrainer, "test_on_batch")
def test_on_batch(
    self: Any, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
) -> Any:
    self._assert_compile_called("test_on_batch")
    return _on_batch(self, "test", (x, y, sample_weight), return_dict)


@replaces(TorchTrainer, "predict_on_batch")
def predict_on_batch(self: Any, x: Any) -> Any:
    self.make_predict_function()
    outputs = self.predict_function([(_as_batch(x),)])
    return tree.map_structure(_to_array, outputs)
