"""`keras.Variable` as an owner of the core's protocol: tapes watch it, traces lift it.

Contract:
- An op of `tf` reads it as it reads a `tf.Variable`: as the present tapes and trace see it.
- On Keras' side `value` is a torch tensor; the user's side gets a `torchtf.Tensor`, a snapshot.
- In Keras' own functional scopes (`StatelessScope`) Keras' original rules hold.
- `assign` is in place: the parameter stays the one that `torch.nn.Module` and optimizers know.
- `shape` is a `TensorShape` for the user, as in TensorFlow, and a tuple for Keras.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from keras.src.backend.common import global_state
from keras.src.backend.common.variables import Variable as KerasVariable
from keras.src.backend.common.variables import shape_equal
from keras.src.backend.torch.core import Variable, convert_to_numpy

from torchtf.core import graph, tape
from torchtf.core.convert import to_torch
from torchtf.core.shape import TensorShape
from torchtf.core.tensor import Tensor, is_fake, wrap
from torchtf.core.variable import Variable as TFVariable
from torchtf.keras import _side
from torchtf.keras._patch import own_attribute, replaces

_functional_value = own_attribute(Variable, "value").fget


def _scope() -> Any:
    return global_state.get_global_attribute("stateless_scope")


def _stored(variable: Any) -> torch.Tensor:
    """The variable's tensor as the present trace sees it."""
    trace = graph.state.trace
    if trace is not None:
        return trace.read(variable)
    return variable._value


def _read(variable: Any) -> torch.Tensor:
    """What Keras' `value` is: for tapes a leaf, in mixed precision cast."""
    if variable._value is None or _scope() is not None:
        return _functional_value(variable)
    value = _stored(variable)
    if tape.recording():
        value = tape.leaf_of(variable, value)
    return variable._maybe_autocast(value)


def _value(self: Any) -> Any:
    """The current value: a torch tensor for Keras, a `torchtf.Tensor` for the user."""
    value = _read(self)
    if _side.state.inside:
        return value
    if value is self._value and value.grad is not None:
        return Tensor(value)  # torch's own backward() is in use, and `value.grad` is asked for
    return wrap(self._copy_on_read(value))


Variable.value = property(_value)


def _tape_read(self: Any) -> torch.Tensor:
    return _read(self)


def _tape_value(self: Any) -> torch.Tensor:
    return _stored(self)


def _trace_get(self: Any) -> torch.Tensor:
    return self._value


def _trace_set(self: Any, value: torch.Tensor) -> None:
    self._value.detach().copy_(value)


def _copy_on_read(self: Any, data: torch.Tensor) -> torch.Tensor:
    """`data`, or a copy where a later assignment, being in place, would change it."""
    if tape.recording() or graph.state.trace is not None or data is not self._value:
        return data
    return data.detach().clone()


for _method in (_tape_read, _tape_value, _trace_get, _trace_set, _copy_on_read):
    setattr(Variable, _method.__name__, _method)


@replaces(Variable, "_initialize")
def _initialize(self: Any, value: Any) -> None:
    if isinstance(value, torch.nn.Parameter) and type(value) is not torch.Tensor:
        self._value = value
        return
    data = self._convert_to_tensor(value, dtype=self._dtype)
    trace = graph.state.trace
    if trace is not None:
        trace.before_variable_creation(self)
        if is_fake(data):
            data = trace.initial_value(data)
    if data is value or isinstance(data, torch.nn.Parameter):
        data = data.detach().clone()  # a variable never shares memory with another value
    floating = data.is_floating_point() or data.is_complex()
    self._value = torch.nn.Parameter(data, requires_grad=self.trainable and floating)


@replaces(KerasVariable, "assign")
def assign(self: Any, value: Any) -> Any:
    value = self._convert_to_tensor(value, dtype=self._dtype)
    if not shape_equal(value.shape, self._shape):
        raise ValueError(
            "The shape of the target variable and the shape of the target value in "
            f"`variable.assign(value)` must match. variable.shape={self._shape}, "
            f"Received: value.shape={tuple(value.shape)}. Target variable: {self}"
        )
    scope = _scope()
    if scope is None:
        self._direct_assign(value)
    else:
        scope.add_update((self, value))
    return value


# called with each variable that is assigned to: strategies keep account of them
assignment_hooks: list[Callable[[Any], None]] = []


@replaces(Variable, "_direct_assign")
def _direct_assign(self: Any, value: torch.Tensor) -> None:
    for note in assignment_hooks:
        note(self)
    trace = graph.state.trace
    if trace is not None:
        trace.write(self, _unshared(value, trace))
        return
    with torch.no_grad():
        self._value.copy_(value)


def _unshared(value: torch.Tensor, trace: Any) -> torch.Tensor:
    """`value`, or a copy if it is a variable's, which an op may change in place later on."""
    memory = value.untyped_storage()._cdata
    for capture in trace.root.captures.values():
        if capture.is_variable and capture.fake.untyped_storage()._cdata == memory:
            return value.detach().clone()
    return value.detach() if value.requires_grad else value


def __array__(self: Any, dtype: Any = None, copy: Any = None) -> np.ndarray:
    array = convert_to_numpy(_read(self))
    if dtype is not None and array.dtype != dtype:
        return array.astype(dtype)
    return array.copy() if copy else array


own_attribute(Variable, "__array__")
Variable.__array__ = __array__


def _shape(self: Any) -> Any:
    """The shape: a `TensorShape` for the user, a tuple for Keras."""
    return self._shape if _side.state.inside or self._shape is None else TensorShape(self._shape)


own_attribute(KerasVariable, "shape")
Variable.shape = property(_shape)


class TrainedVariable:
    """A `tf.Variable` as an optimizer of Keras sees a variable.

    Optimizers update tensors in place, while the tensor of a `tf.Variable` may be shared with
    values read from it: the update is made on a copy, and `store` assigns it.
    """

    regularizer = None
    overwrite_with_gradient = False
    _layout = None

    def __init__(self, variable: TFVariable) -> None:
        self.variable = variable
        self._updated: torch.Tensor | None = None
        self.name = self.path = variable.name.removesuffix(":0").replace("/", "_")
        self.constraint = variable.constraint
        self.dtype = variable.dtype.name
        self.shape = tuple(variable.shape)
        self.trainable = variable.trainable

    @property
    def value(self) -> torch.Tensor:
        if self._updated is None:
            self._updated = self.variable._tape_value().detach().clone()
        return self._updated

    def assign(self, value: Any) -> None:
        self._updated = to_torch(getattr(value, "value", value)).to(self.value.dtype)

    def store(self) -> None:
        """Assigns what the optimizer made of the value."""
        if self._updated is not None:
            self.variable._store(self._updated)
            self._updated = None


def for_optimizer(variable: Any) -> Any:
    """A variable of `tf` or of Keras as optimizers take it; the same one at each call."""
    if not isinstance(variable, TFVariable):
        return variable
    # an argument of a traced function stands for a variable, which is what the optimizer knows
    known = getattr(variable, "_variable", variable)
    adapter = known.__dict__.get("_keras_view")
    if adapter is None:
        adapter = known.__dict__["_keras_view"] = TrainedVariable(known)
    adapter.variable = variable
    return adapter
