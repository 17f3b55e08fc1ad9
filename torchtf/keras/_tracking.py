"""`tf.Variable` and `tf.Module` attributes of layers and metrics are part of their state.

Contract:
- A `tf.Variable` set as an attribute of a layer, also inside lists and dicts, or held by a
  `tf.Module` that is one, is among the layer's `weights` and `variables`, trains, and is saved with
  the layer. That is Keras 2's rule; Keras 3 tracks only its own variables.
- It is so for as long as an attribute holds it: another value in its place, or `del`, ends it.
- A layer that is not trainable has no trainable ones, whatever their own flag says.
- A metric resets them with its other variables.
- They may be created after the layer was built: `if self.v is None: self.v = tf.Variable(...)`.
- What a `call` assigns while Keras only asks for the shapes of its results is undone.
- They are no `torch.nn.Parameter`s: `state_dict` has them among the buffers, `torch.optim` does not
  know them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import torch
from keras.src import tree
from keras.src.backend.common.keras_tensor import KerasTensor
from keras.src.backend.common.stateless_scope import StatelessScope
from keras.src.backend.common.symbolic_scope import SymbolicScope
from keras.src.backend.torch import core
from keras.src.layers.layer import Layer
from keras.src.metrics.metric import Metric
from keras.src.utils.tracking import Tracker

from torchtf.core import errors, graph
from torchtf.core.variable import Variable
from torchtf.keras._core import convert_to_tensor
from torchtf.keras._patch import own_attribute, replaces, use_everywhere
from torchtf.module import Module

# A name among the stores of a tracker, beside "trainable_variables", "layers" and so on.
_STORE = "tf_state"

_init = own_attribute(Tracker, "__init__")
_add_to_store = own_attribute(Tracker, "add_to_store")


def _is_tf_variable(value: Any) -> bool:
    return isinstance(value, Variable)


@replaces(Tracker, "__init__")
def __init__(self: Any, config: Any, exclusions: Any = None) -> None:
    if "trainable_variables" in config:  # a layer's
        config[_STORE] = (lambda x: isinstance(x, (Variable, Module)), [])
    elif "variables" in config:  # a metric's or an optimizer's
        is_own, store = config["variables"]
        config["variables"] = (lambda x: is_own(x) or _is_tf_variable(x), store)
    _init(self, config, exclusions)


@replaces(Tracker, "add_to_store")
def add_to_store(self: Any, store_name: str, value: Any) -> None:
    if store_name != _STORE:
        return _add_to_store(self, store_name, value)
    locked, self.locked = self.locked, False
    try:
        return _add_to_store(self, store_name, value)
    finally:
        self.locked = locked


_set = own_attribute(Layer, "__setattr__")
_delete = own_attribute(Layer, "__delattr__")


def _forget(layer: Any, value: Any) -> None:
    """Ends the tracking of what an attribute held, unless another one holds it."""
    held = vars(layer).values()
    if not any(v is value for v in (*held, *tree.flatten([v for v in held if _is_container(v)]))):
        layer._tracker.untrack(value)


def _is_container(value: Any) -> bool:
    return isinstance(value, (list, tuple, dict))


@replaces(Layer, "__setattr__")
def __setattr__(self: Any, name: str, value: Any) -> None:
    before = vars(self).get(name)
    _set(self, name, value)
    if before is not value and isinstance(before, (Variable, Module)):
        _forget(self, before)


@replaces(Layer, "__delattr__")
def __delattr__(self: Any, name: str) -> None:
    before = vars(self).get(name)
    _delete(self, name)
    if isinstance(before, (Variable, Module)):
        _forget(self, before)


# Modules whose variables are being listed: one may hold the layer that holds it.
_listing: set[int] = set()


def tf_variables(layer: Any) -> list[Any]:
    """The variables of a layer that `tf` made, trainable ones first."""
    found: dict[int, Any] = {}
    for value in layer._tracker.config[_STORE][1]:
        if isinstance(value, Variable):
            found[id(value)] = value
        elif id(value) not in _listing:
            _listing.add(id(value))
            try:
                found.update((id(v), v) for v in value.variables)
            finally:
                _listing.discard(id(value))
    return sorted(found.values(), key=lambda v: not v.trainable)


def _own(layer: Any) -> list[Any]:
    """What a layer saves itself: Keras' variables and those of `tf`."""
    own = layer._trainable_variables + layer._non_trainable_variables
    if layer._tracker.config[_STORE][1]:
        known = {id(v) for v in own}
        own = own + [v for v in tf_variables(layer) if id(v) not in known]
    return own


def _listed(layer: Any, attribute: str) -> Iterator[Any]:
    yield from _own(layer)
    if attribute == "variables":
        yield from (generator.state for generator in layer._seed_generators)
    for below in layer._layers:
        yield from getattr(below, attribute)


def _all(attribute: str) -> property:
    original = own_attribute(Layer, attribute)

    def variables(self: Any) -> list[Any]:
        return list({id(v): v for v in _listed(self, attribute)}.values())

    return property(variables, doc=original.__doc__)


def _frozen(layer: Any) -> set[int]:
    """Variables of `tf` that belong to layers below that do not train."""
    found: set[int] = set()
    for below in layer._flatten_layers():
        if not below.trainable and below._tracker.config[_STORE][1]:
            found.update(id(v) for v in tf_variables(below))
    return found


def _of_kind(attribute: str, trainable: bool) -> property:
    original = own_attribute(Layer, f"{'' if trainable else 'non_'}trainable_{attribute}")

    def variables(self: Any) -> list[Any]:
        every = getattr(self, attribute)
        if not self.trainable:
            return [] if trainable else every
        frozen = _frozen(self) if any(isinstance(v, Variable) for v in every) else ()
        return [v for v in every if (v.trainable and id(v) not in frozen) is trainable]

    return property(variables, doc=original.__doc__)


for _attribute in ("variables", "weights"):
    setattr(Layer, f"trainable_{_attribute}", _of_kind(_attribute, True))
    setattr(Layer, f"non_trainable_{_attribute}", _of_kind(_attribute, False))
    setattr(Layer, _attribute, _all(_attribute))


# ---- saving -------------------------------------------------------------------------------------

_check_load_own_variables = own_attribute(Layer, "_check_load_own_variables")


@replaces(Layer, "save_own_variables")
def save_own_variables(self: Any, store: Any) -> None:
    for i, v in enumerate(_own(self)):
        store[f"{i}"] = v.numpy() if isinstance(v, Variable) else v


@replaces(Layer, "load_own_variables")
def load_own_variables(self: Any, store: Any) -> None:
    self._check_load_own_variables(store)
    for i, v in enumerate(_own(self)):
        v.assign(store[f"{i}"])


@replaces(Layer, "_check_load_own_variables")
def check_load_own_variables(self: Any, store: Any) -> None:
    own = _own(self)
    if len(own) == len(self._trainable_variables) + len(self._non_trainable_variables):
        _check_load_own_variables(self, store)
    elif len(store.keys()) != len(own):
        raise ValueError(
            f"Layer '{self.name}' expected {len(own)} variables, but received "
            f"{len(store.keys())} variables during loading. Expected: {[v.name for v in own]}"
        )


# ---- assignments --------------------------------------------------------------------------------


@replaces(Metric, "reset_state")
def reset_state(self: Any) -> None:
    for v in self.variables:
        v.assign(torch.zeros_like(convert_to_tensor(v)))


class _Undo(threading.local):
    """The values before the first assignment, while they are to be undone."""

    values: dict[int, tuple[Variable, Any]] | None = None


_undo = _Undo()
_store = own_attribute(Variable, "_store")
_compute_output_spec = own_attribute(core, "compute_output_spec")


def _store_or_remember(self: Variable, data: Any) -> Any:
    if _undo.values is not None:
        _undo.values.setdefault(id(self), (self, self._value))
    return _store(self, data)


Variable._store = _store_or_remember  # type: ignore[method-assign]


def _output_spec_of_values(fn: Any, args: tuple, kwargs: dict) -> Any:
    """The specification from one run where the values are: they cannot be tried without data."""
    with StatelessScope(), SymbolicScope(), torch.no_grad():
        outputs = fn(*args, **kwargs)

    def symbolic(x: Any) -> Any:
        if not core.is_tensor(x):
            return x
        return KerasTensor(x.shape, core.standardize_dtype(x.dtype))

    return tree.map_structure(symbolic, outputs)


@replaces(core, "compute_output_spec")
def compute_output_spec(fn: Any, *args: Any, **kwargs: Any) -> Any:
    outer, _undo.values = _undo.values, {}
    on_trial, graph.state.on_trial = graph.state.on_trial, True
    try:
        if not any(isinstance(x, KerasTensor) for x in tree.flatten((args, kwargs))):
            return _output_spec_of_values(fn, args, kwargs)
        return _compute_output_spec(fn, *args, **kwargs)
    except errors.InvalidArgumentError as e:  # shapes are wrong before anything is computed
        raise ValueError(e.message) from e
    finally:
        for variable, value in _undo.values.values():
            variable._value = value
        _undo.values = outer
        graph.state.on_trial = on_trial


use_everywhere(compute_output_spec)


# ---- what Keras reads of each variable ----------------------------------------------------------

Variable.path = property(  # type: ignore[attr-defined]
    lambda self: self._shared_name,
    doc="The name, without the number of an output: what Keras calls a variable's path.",
)
Variable.regularizer = None  # type: ignore[attr-defined]
