"""Habits of Keras 2 (TensorFlow 2.15) that Keras 3 dropped and programs still have.

Contract:
- What is here behaves as in TensorFlow 2.15; nothing that Keras 3 accepts changes its meaning.
- Arguments of Keras 2 that have no meaning on PyTorch raise, naming what to do.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

import h5py
import keras
import torch
from keras.src import backend, tree
from keras.src import losses as keras_losses
from keras.src import metrics as keras_metrics
from keras.src.backend.torch.trainer import TorchTrainer
from keras.src.layers.layer import Layer
from keras.src.layers.rnn.rnn import RNN
from keras.src.legacy.saving import legacy_h5_format
from keras.src.losses import loss as keras_loss
from keras.src.metrics.metric import Metric
from keras.src.models.functional import Functional
from keras.src.ops.function import map_graph
from keras.src.optimizers.base_optimizer import BaseOptimizer
from keras.src.optimizers.schedules import InverseTimeDecay
from keras.src.saving import saving_api, saving_lib, serialization_lib
from keras.src.utils import io_utils

from torchtf.core import tape
from torchtf.core.files import written_once
from torchtf.keras import _side
from torchtf.keras._patch import own_attribute, replaces, use_everywhere
from torchtf.keras._side import on_keras_side

# ---- compiled_loss, compiled_metrics ------------------------------------------------------------


class _CompiledLoss:
    """`model.compiled_loss`: the losses given to `compile`, as a function."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any = None,
        regularization_losses: Any = None,
    ) -> Any:
        """The total loss, which `model.metrics` then shows as "loss".

        Args:
            y_true: the targets.
            y_pred: the model's outputs.
            sample_weight: weights of the samples.
            regularization_losses: further losses to add; by default `model.losses`.
        """
        total = _side.outward(
            on_keras_side(self._total, (y_true, y_pred, sample_weight, regularization_losses))
        )
        return total

    def _total(self, y_true: Any, y_pred: Any, sample_weight: Any, regularization: Any) -> Any:
        model = self._model
        if regularization is None or model._compile_loss is None:
            total = model.compute_loss(y=y_true, y_pred=y_pred, sample_weight=sample_weight)
        else:
            total = model._compile_loss(y_true, y_pred, sample_weight)
            for loss in regularization:
                total = total + model._aggregate_additional_loss(loss)
        first = tree.flatten(y_pred)[0]
        size = torch.scalar_tensor(first.shape[0], dtype=torch.float32, device=first.device)
        with torch.no_grad():
            model._loss_tracker.update_state(total.detach(), sample_weight=size)
        return total

    @property
    def metrics(self) -> list[Metric]:
        """The mean of the total loss, and of each output's if there are several."""
        found = self._model._compile_loss
        return [self._model._loss_tracker, *(found.metrics if found is not None else ())]


class _CompiledMetrics:
    """`model.compiled_metrics`: the metrics given to `compile`, updated together."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        found = self._model._compile_metrics
        if found is not None:
            found.update_state(y_true, y_pred, sample_weight)

    def reset_state(self) -> None:
        found = self._model._compile_metrics
        if found is not None:
            found.reset_state()

    reset_states = reset_state

    @property
    def metrics(self) -> list[Metric]:
        found = self._model._compile_metrics
        return [] if found is None else found.metrics


TorchTrainer.compiled_loss = property(_CompiledLoss)
TorchTrainer.compiled_metrics = property(_CompiledMetrics)


# ---- add_loss, add_metric -----------------------------------------------------------------------


def _callable_losses(layer: Any) -> list[Callable[[], Any]]:
    return layer.__dict__.setdefault("_callable_losses", [])


_add_loss = own_attribute(Layer, "add_loss")


def add_loss(self: Any, losses: Any, inputs: Any = None) -> None:
    """Adds losses that come on top of the compiled one.

    Args:
        losses: a scalar tensor or a list of them, each of which belongs to the present call; or a
            function without arguments, which is asked whenever the losses are.
        inputs: what the losses depend on. TensorFlow 2 ignores it, too.
    """
    flat = tree.flatten(losses)
    _callable_losses(self).extend(loss for loss in flat if callable(loss))
    tensors = [loss for loss in flat if not callable(loss)]
    if tensors:
        _add_loss(self, tensors)


Layer.add_loss = add_loss
_losses = own_attribute(Layer, "losses")


@property  # type: ignore[misc]
def _all_losses(self: Any) -> list[Any]:
    found = list(_losses.fget(self))
    for layer in self._flatten_layers():
        for function in layer.__dict__.get("_callable_losses", ()):
            found.append(_side.into_user(function)())
    return found


Layer.losses = _all_losses


def add_metric(self: Any, value: Any, name: str | None = None, aggregation: Any = "mean") -> None:
    """Adds a metric computed in `call`.

    Args:
        value: a tensor, averaged over the steps of an epoch.
        name: the metric's name.
        aggregation: "mean", or None for a value that is a metric's result already.

    Raises:
        ValueError: without a name or with another aggregation.
    """
    if name is None:
        raise ValueError(
            "Please provide a name for your metric like `self.add_metric(tf.reduce_sum(inputs), "
            "name='mean_activation')`"
        )
    if aggregation not in (None, "mean"):
        raise ValueError(
            f"We currently support only `mean` sample-wise metric aggregation. You provided "
            f"aggregation=`{aggregation}`"
        )
    if isinstance(value, Metric):
        metric = value
    else:
        metric = next((m for m in self._metrics if m.name == name), None)
    if metric is None or metric not in self._metrics:
        metric = metric or keras_metrics.Mean(name=name)
        locked = self._tracker.locked
        self._tracker.unlock()
        self._tracker.add_to_store("metrics", metric)
        if locked:
            self._tracker.lock()
    if metric is not value:
        metric.update_state(value)


own_attribute(Layer, "add_metric")
Layer.add_metric = add_metric


class _Collect(Layer):
    """The identity, which hands its input to the loss or metric of a functional model."""

    def __init__(self, kind: str = "loss", metric: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind, self.metric = kind, metric

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.kind == "loss":
            self.add_loss(inputs)
        else:
            self.add_metric(inputs, name=self.metric)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def _collect(model: Any, value: Any, layer: _Collect) -> None:
    """Makes `layer` part of the graph of a functional model, beside its outputs."""
    extra = model.__dict__.setdefault("_collected", [])
    extra.append(layer(value))
    nodes, by_depth, operations, operations_by_depth = map_graph(
        model._inputs, [*model._outputs, *extra]
    )
    model._nodes, model._nodes_by_depth = nodes, by_depth
    model._operations, model._operations_by_depth = operations, operations_by_depth
    model._layers = model.layers


def _functional_add_loss(self: Any, loss: Any, inputs: Any = None) -> None:
    symbolic = [x for x in tree.flatten(loss) if isinstance(x, backend.KerasTensor)]
    for x in symbolic:
        _collect(self, x, _Collect("loss"))
    rest = [x for x in tree.flatten(loss) if not isinstance(x, backend.KerasTensor)]
    if rest:
        Layer.add_loss(self, rest, inputs)


def _functional_add_metric(
    self: Any, value: Any, name: str | None = None, aggregation: Any = "mean"
) -> None:
    if isinstance(value, backend.KerasTensor):
        if name is None:
            raise ValueError("Please provide a name for your metric.")
        _collect(self, value, _Collect("metric", name))
    else:
        Layer.add_metric(self, value, name, aggregation)


own_attribute(Functional, "add_loss")
Functional.add_loss = _functional_add_loss
Functional.add_metric = _functional_add_metric


# ---- layers -------------------------------------------------------------------------------------

_IGNORABLE = {"use_resource": (None, True), "partitioner": (None,), "synchronization": (None,)}


def _named_first(add: Callable[..., Any]) -> Callable[..., Any]:
    """`add_weight(name, shape, ...)` beside Keras 3's `add_weight(shape, ...)`."""

    @functools.wraps(add)
    def add_weight(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], str):
            kwargs["name"], args = args[0], args[1:]
            for key, value in zip(("shape", "dtype", "initializer"), args, strict=False):
                kwargs[key] = value
            args = ()
        if "experimental_autocast" in kwargs:
            kwargs["autocast"] = kwargs.pop("experimental_autocast")
        for key, harmless in _IGNORABLE.items():
            if key in kwargs and kwargs.pop(key) not in harmless:
                raise NotImplementedError(
                    f"add_weight({key}=...) belongs to TF 1 graphs and strategies; leave it out."
                )
        aggregation = kwargs.get("aggregation")
        if aggregation is not None and not isinstance(aggregation, str):
            kwargs["aggregation"] = aggregation.name.lower()
        shape = kwargs.get("shape")
        if hasattr(shape, "as_list"):
            kwargs["shape"] = tuple(shape.as_list())
        return add(self, *args, **kwargs)

    return add_weight


Layer.add_weight = _named_first(own_attribute(Layer, "add_weight"))
Metric.add_weight = _named_first(own_attribute(Metric, "add_weight"))


def _shapes(name: str) -> property:
    """`layer.input_shape` or `layer.output_shape`: of the layer's first call, or what it set."""
    own = f"_own_{name}_shape"

    def shape(self: Any) -> Any:
        if own in vars(self):
            return vars(self)[own]
        return tree.map_structure(lambda x: x.shape, getattr(self, name))

    def set_shape(self: Any, value: Any) -> None:
        vars(self)[own] = value

    return property(shape, set_shape)


Layer.input_shape = _shapes("input")
Layer.output_shape = _shapes("output")


def _reset_states(self: Any) -> None:
    """Keras 2's name of `reset_state`; of a model, for all its layers that have one."""
    if hasattr(type(self), "reset_state"):
        self.reset_state()
        return
    for layer in self._flatten_layers(include_self=False, recursive=True):
        if hasattr(type(layer), "reset_state"):
            layer.reset_state()


for _cls in (Metric, RNN, keras.Model):
    _cls.reset_states = _reset_states


# ---- losses -------------------------------------------------------------------------------------

_standardize_reduction = own_attribute(keras_loss, "standardize_reduction")


@replaces(keras_loss, "standardize_reduction")
def standardize_reduction(reduction: Any) -> Any:
    return _standardize_reduction("sum_over_batch_size" if reduction == "auto" else reduction)


# ---- optimizers ---------------------------------------------------------------------------------

BaseOptimizer.lr = property(
    lambda self: self.learning_rate, lambda self, value: setattr(self, "learning_rate", value)
)
BaseOptimizer.weights = property(lambda self: self.variables)


def _get_weights(self: Any) -> list[Any]:
    """The values of the optimizer's variables as NumPy arrays."""
    return [v.numpy() for v in self.variables]


def minimize(self: Any, loss: Any, var_list: Any, tape: Any = None) -> Any:
    """One step: the gradients of `loss`, applied to `var_list`.

    Args:
        loss: a function without arguments, or a tensor that `tape` recorded.
        var_list: the variables, or a function that returns them.
        tape: the tape that recorded `loss`, if it is a tensor.

    Raises:
        ValueError: for a tensor without a tape.
    """
    if not callable(loss) and tape is None:
        raise ValueError("`tape` is required when a `Tensor` loss is passed.")
    if tape is None:
        with GradientTape() as tape:
            loss = loss()
    variables = list(var_list() if callable(var_list) else var_list)
    return self.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


GradientTape = tape.GradientTape
BaseOptimizer.minimize = minimize
BaseOptimizer.get_weights = _get_weights


def _old_arguments(init: Callable[..., None]) -> Callable[..., None]:
    """A constructor of an optimizer that also takes `lr` and `decay`."""

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if "lr" in kwargs:
            kwargs["learning_rate"] = kwargs.pop("lr")
        decay = kwargs.pop("decay", None)
        if decay:
            rate = args[0] if args else kwargs.get("learning_rate", 0.001)
            schedule = InverseTimeDecay(rate, decay_steps=1, decay_rate=decay)
            if args:
                args = (schedule, *args[1:])
            else:
                kwargs["learning_rate"] = schedule
        init(self, *args, **kwargs)

    return __init__


for _name in ("Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Nadam", "RMSprop", "SGD"):
    _optimizer = getattr(keras.optimizers, _name)
    _optimizer.__init__ = _old_arguments(own_attribute(_optimizer, "__init__"))


# ---- legacy .h5 files ---------------------------------------------------------------------------

_load_model_from_hdf5 = own_attribute(legacy_h5_format, "load_model_from_hdf5")


@replaces(legacy_h5_format, "load_model_from_hdf5")
def load_model_from_hdf5(
    filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: Any = True
) -> Any:
    """Keras' own, with the whole state of the optimizer.

    Keras builds the optimizer for the variables that the model owns itself, not its layers; a
    loaded model could not go on training.
    """
    model = _load_model_from_hdf5(filepath, custom_objects, compile, safe_mode)
    optimizer = getattr(model, "optimizer", None)
    if not compile or not isinstance(optimizer, BaseOptimizer) or not model.trainable_variables:
        return model
    with h5py.File(filepath, "r") as file:
        if "optimizer_weights" in file:
            values = legacy_h5_format.load_optimizer_weights_from_hdf5_group(file)
            fresh = type(optimizer).from_config(optimizer.get_config())
            fresh.build(model.trainable_variables)
            if len(values) == len(fresh.variables):
                fresh.set_weights(values)
            model.optimizer = fresh
    return model


_retrieve_class_or_fn = own_attribute(serialization_lib, "_retrieve_class_or_fn")


@replaces(serialization_lib, "_retrieve_class_or_fn")
def retrieve_class_or_fn(
    name: Any,
    registered_name: Any,
    module: Any,
    obj_type: Any,
    full_config: Any,
    custom_objects: Any = None,
) -> Any:
    """Keras' own, and losses and metrics by their short names ("mse"), as .h5 files have them."""
    if module in ("keras.losses", "keras.metrics"):
        found = keras_losses.ALL_OBJECTS_DICT.get(name)
        if inspect.isfunction(found):
            return found
    return _retrieve_class_or_fn(
        name, registered_name, module, obj_type, full_config, custom_objects
    )


# ---- model.save(save_format=...) ----------------------------------------------------------------

_save_model = own_attribute(saving_api, "save_model")
_load_model = own_attribute(saving_api, "load_model")


@replaces(saving_api, "save_model")
def save_model(
    model: Any, filepath: Any, overwrite: bool = True, zipped: Any = None, **kwargs: Any
) -> Any:
    """Keras' own, and `save_format="tf"`, "h5" and "keras" whatever the path ends in.

    A path without an extension is a folder for a SavedModel, as in Keras 2.
    """
    with written_once() as mine:
        return _save(model, filepath, overwrite, zipped, **kwargs) if mine else None


_save_weights = own_attribute(saving_api, "save_weights")


@replaces(saving_api, "save_weights")
def save_weights(
    model: Any, filepath: Any, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any
) -> None:
    with written_once() as mine:
        if mine:
            _save_weights(model, filepath, overwrite, max_shard_size, **kwargs)


def _save(model: Any, filepath: Any, overwrite: bool, zipped: Any, **kwargs: Any) -> Any:
    save_format = kwargs.pop("save_format", None)
    if save_format in (None, False):
        is_path = isinstance(filepath, (str, os.PathLike))
        has_extension = is_path and os.path.splitext(os.fspath(filepath).rstrip("/"))[1]
        if not is_path or has_extension or zipped is not None:
            return _save_model(model, filepath, overwrite, zipped, **kwargs)
        save_format = "tf"
    if save_format not in ("tf", "h5", "keras"):
        raise ValueError(f"Unknown `save_format`: {save_format!r}. Use 'tf', 'h5' or 'keras'.")
    if (
        os.path.exists(filepath)
        and not overwrite
        and not io_utils.ask_to_proceed_with_overwrite(filepath)
    ):
        return None
    include_optimizer = kwargs.pop("include_optimizer", True)
    signatures = kwargs.pop("signatures", None) if save_format == "tf" else None
    if kwargs:
        raise ValueError(f"The following argument(s) are not supported: {list(kwargs)}")
    if save_format == "h5":
        return legacy_h5_format.save_model_to_hdf5(model, filepath, True, include_optimizer)
    if save_format == "keras":
        return saving_lib.save_model(model, filepath)
    from torchtf import saved_model

    arguments = (model, os.fspath(filepath), signatures)
    return _side.on_user_side(saved_model.save_keras_model, arguments)


@replaces(saving_api, "load_model")
def load_model(
    filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: Any = True
) -> Any:
    """Keras' own, and SavedModel folders that `save_format="tf"` made."""
    path = os.fspath(filepath) if isinstance(filepath, (str, os.PathLike)) else filepath
    if isinstance(path, str) and os.path.isdir(path):
        from torchtf import saved_model

        if saved_model.contains_saved_model(path):
            return saved_model.load_keras_model(
                path, custom_objects=custom_objects, compile=compile, safe_mode=safe_mode
            )
    elif isinstance(path, str) and os.path.isfile(path) and h5py.is_hdf5(path):
        # whatever its name ends in
        return legacy_h5_format.load_model_from_hdf5(path, custom_objects, compile, safe_mode)
    return _load_model(filepath, custom_objects, compile, safe_mode)


use_everywhere(save_model)
use_everywhere(load_model)
