"""A layer or model as the `torch.nn.Module` that it is.

Contract:
- Parameters and buffers are named by their place, as in PyTorch: by the attribute that holds a
  layer or a weight (`encoder.dense.kernel`), in functional and sequential models by the layer's
  number (`0.kernel`). So a `state_dict` fits any model of the same structure.
- Weights that were made trainable are parameters, all else (moving averages, random states,
  `tf.Variable`s) is a buffer.
- What PyTorch puts in their place (`functional_call`, `torch.export`, `to`) is what the layer
  computes with.
- Called with torch tensors and without `training`, a model is in the mode that `train()` or
  `eval()` set; a new one is in inference, as in Keras. Other calls follow Keras' rules alone.
- A `torch.nn.Module` as a layer (`TorchModuleWrapper`) computes with the values of its Keras
  variables, which tapes watch and traces lift; its buffers are assigned when it has run.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from keras.src import backend
from keras.src.backend.torch.core import Variable
from keras.src.backend.torch.layer import TorchLayer
from keras.src.dtype_policies import DTypePolicy
from keras.src.layers.layer import Layer
from keras.src.models.functional import Functional
from keras.src.models.sequential import Sequential
from keras.src.ops.operation import Operation
from keras.src.utils.torch_utils import TorchModuleWrapper

from torchtf.core.variable import Variable as TFVariable
from torchtf.keras._patch import own_attribute, replaces
from torchtf.keras._tracking import tf_variables
from torchtf.module import Module

# ---- parameters, buffers and children, as PyTorch asks for them ---------------------------------


class _Tensors(dict):  # type: ignore[type-arg]
    """The tensors of a layer by name; to put another one in is to give it to the variable."""

    def __init__(self) -> None:
        super().__init__()
        self._variables: dict[str, Any] = {}

    def follow(self, variables: dict[str, Any]) -> None:
        """Makes the tensors those of `variables`, beside what PyTorch registered itself."""
        for name in self._variables.keys() - variables.keys():
            super().pop(name, None)
        self._variables = variables
        for name, variable in variables.items():
            super().__setitem__(name, variable._value)

    def __setitem__(self, name: str, tensor: Any) -> None:
        super().__setitem__(name, tensor)
        variable = self._variables.get(name)
        if variable is not None:
            object.__setattr__(variable, "_value", tensor)


def _names(owner: Any, values: list[Any]) -> dict[str, Any]:
    """`values` (variables or layers) by the public attribute that holds them, or by their name."""
    missing = {id(v) for v in values}
    found: dict[int, str] = {}
    seen: set[int] = set()

    def look(name: str, value: Any) -> None:
        if id(value) in missing:
            missing.discard(id(value))
            found[id(value)] = name
        elif missing and isinstance(value, (list, tuple, dict, Module)) and id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, Module):
                value = vars(value)
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in items:
                look(f"{name}_{key}", item)

    attributes = {**vars(owner), **vars(owner)["_modules"]} if missing else {}
    for name, value in attributes.items():
        if not name.startswith("_"):
            look(name, value)
    named: dict[str, Any] = {}
    for value in values:
        base = name = re.sub(r"[./:]", "_", found.get(id(value), value.name))
        count = 1
        while name in named:
            name = f"{base}_{count}"
            count += 1
        named[name] = value
    return named


def _tensors(kind: str, variables: Callable[[Any], list[Any]]) -> property:
    def tensors(self: Any) -> _Tensors:
        held: _Tensors = vars(self)[kind]
        if not isinstance(self, TorchModuleWrapper):  # its module has them
            kinds = (Variable, TFVariable)
            own = [v for v in variables(self) if isinstance(v, kinds)]
            held.follow(_names(self, [v for v in own if isinstance(v._value, torch.Tensor)]))
        return held

    def start(self: Any, value: dict[str, Any]) -> None:
        vars(self)[kind] = _Tensors()

    return property(tensors, start)


def _parameter_variables(layer: Any) -> list[Any]:
    held = [v for v in tf_variables(layer) if isinstance(v, Variable)]  # those of a `tf.Module`
    return layer._trainable_variables + [v for v in held if v.trainable]


def _buffer_variables(layer: Any) -> list[Any]:
    generators = [g.state for g in layer._seed_generators]
    held = tf_variables(layer)
    held = [v for v in held if not (isinstance(v, Variable) and v.trainable)]
    return layer._non_trainable_variables + generators + held


def _children(self: Any) -> dict[str, Any]:
    if isinstance(self, TorchModuleWrapper):
        return {"module": vars(self)["_modules"].get("module")}
    if isinstance(self, (Functional, Sequential)):
        return {str(i): layer for i, layer in enumerate(self.layers)}
    return _names(self, self._layers)


def _set_children(self: Any, value: dict[str, Any]) -> None:
    vars(self)["_modules"] = value


TorchLayer._parameters = _tensors("_parameters", _parameter_variables)
TorchLayer._buffers = _tensors("_buffers", _buffer_variables)
TorchLayer._modules = property(_children, _set_children)


def _module_attribute(self: Any, name: str) -> Any:
    """A child by the name that PyTorch knows it by, `model.get_submodule("0")`."""
    known = getattr(type(self), name, None)
    if isinstance(known, property) and known.fget is not None:
        return known.fget(self)  # it has raised an AttributeError, which says more than ours would
    children = self._modules if vars(self).get("_layers") and not name.startswith("_") else {}
    if name in children:
        return children[name]
    return torch.nn.Module.__getattr__(self, name)


TorchLayer.__getattr__ = _module_attribute


def _set_attribute(self: Any, name: str, value: Any) -> None:
    """A layer is an attribute as any other, which may be replaced by a function or a list."""
    layer = isinstance(value, TorchLayer) and not isinstance(self, TorchModuleWrapper)
    (object if layer else torch.nn.Module).__setattr__(self, name, value)


def _delete_attribute(self: Any, name: str) -> None:
    (object if name in vars(self) else torch.nn.Module).__delattr__(self, name)


TorchLayer.__setattr__ = _set_attribute
TorchLayer.__delattr__ = _delete_attribute


def _attribute_names(self: Any) -> list[str]:
    """The attributes; Keras' files name a layer by the one that holds it, a private one, too."""
    held = vars(self)
    return sorted({*dir(type(self)), *held, *held.get("_modules", ())})


TorchLayer.__dir__ = _attribute_names


own_attribute(TorchLayer, "torch_params")
TorchLayer.torch_params = property(
    lambda self: {v.path: v._value for v in self.variables if isinstance(v, Variable)}
)


@replaces(TorchLayer, "_track_variables")
def _track_variables(self: Any) -> None:
    pass  # PyTorch finds them where they are


@replaces(TorchLayer, "_post_track_variable")
def _post_track_variable(self: Any, variable: Any) -> None:
    pass


@replaces(TorchLayer, "_post_untrack_variable")
def _post_untrack_variable(self: Any, variable: Any) -> None:
    pass


@replaces(TorchLayer, "named_parameters")
def named_parameters(
    self: Any, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
) -> Iterator[tuple[str, Any]]:
    return torch.nn.Module.named_parameters(self, prefix, recurse, remove_duplicate)


_init = own_attribute(torch.nn.Module, "__init__")
_apply = own_attribute(torch.nn.Module, "_apply")


def _start_in_inference(self: Any, *args: Any, **kwargs: Any) -> None:
    _init(self, *args, **kwargs)
    self.training = False


def _apply_and_note_dtype(self: Any, fn: Any, recurse: bool = True) -> Any:
    """What `to`, `double`, `half` and the like call; the layer computes in the new type."""
    _apply(self, fn, recurse)
    if isinstance(self, TorchModuleWrapper):
        return self
    for held in (self._parameters, self._buffers):
        for variable in held._variables.values():
            name = str(variable._value.dtype).removeprefix("torch.")
            if isinstance(variable, Variable) and variable._dtype != name:
                variable._dtype = name
                self.dtype_policy = DTypePolicy(name)
    return self


def _load_from_state_dict(self: Any, *args: Any) -> None:
    """What `load_state_dict` calls for each module; it copies into the tensors."""
    for variable in self._buffers._variables.values():
        if isinstance(variable, TFVariable):  # values that were read stay as they were
            variable._value = variable._value.clone()
    _load_own(self, *args)


_load_own = own_attribute(torch.nn.Module, "_load_from_state_dict")
TorchLayer._load_from_state_dict = _load_from_state_dict
TorchLayer.__init__ = _start_in_inference
TorchLayer._apply = _apply_and_note_dtype


def forward_of(call: Callable[..., Any]) -> Callable[..., Any]:
    """`forward` of a class that defines `call`: with its signature, which `torch.export` reads."""

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        return Operation.__call__(self, *args, **kwargs)

    return functools.update_wrapper(forward, call, updated=())


# ---- the mode of a model that is called with torch tensors --------------------------------------


def with_mode(layer: Any, args: tuple, kwargs: dict) -> dict:
    """The keyword arguments of a call from PyTorch, with the mode of the module."""
    if "training" in kwargs:
        return kwargs
    signature = layer._call_signature
    parameter = signature.parameters.get("training")
    if parameter is not None:
        given = "training" in signature.bind_partial(*args).arguments
        if given or parameter.default is not None:
            return kwargs
    return {**kwargs, "training": layer.training}


own_attribute(Layer, "__call__").torchtf_in_torch = with_mode


# ---- a module of PyTorch as a layer -------------------------------------------------------------


def _variable(tensor: torch.Tensor, name: str, trainable: bool) -> Any:
    """A Keras variable in the memory of a module's tensor."""
    if not isinstance(tensor, torch.nn.Parameter):
        tensor = torch.nn.Parameter(tensor, requires_grad=False)
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Variable(tensor, trainable=trainable, name=name.replace(".", "_"), dtype=dtype)


def _tensors_of(module: torch.nn.Module) -> tuple[dict[str, Any], dict[str, Any]]:
    return (
        dict(module.named_parameters(remove_duplicate=False)),
        dict(module.named_buffers(remove_duplicate=False)),
    )


@replaces(TorchModuleWrapper, "_track_module_parameters")
def _track_module_parameters(self: Any) -> None:
    parameters, buffers = _tensors_of(self.module)
    made: dict[int, Any] = {}  # tied weights are one variable
    for name, p in parameters.items():
        if id(p) not in made:
            made[id(p)] = _variable(p, name, p.requires_grad)
            self._track_variable(made[id(p)])
    # Buffers are not among the weights, as in Keras; they are saved with the module's state.
    made.update((id(b), _variable(b, name, False)) for name, b in buffers.items())
    vars(self)["_module_state"] = {
        name: (tensor, made[id(tensor)]) for name, tensor in {**parameters, **buffers}.items()
    }
    self.built = True


@replaces(TorchModuleWrapper, "call")
def call(self: Any, *args: Any, training: Any = None, **kwargs: Any) -> Any:
    trains = training is not False
    self.module.train(trains)
    parameters, buffers = _tensors_of(self.module)
    values, changed = {}, {}
    for name, tensor in {**parameters, **buffers}.items():
        known, variable = self._module_state.get(name, (None, None))
        # PyTorch may have put another tensor in its place
        values[name] = variable.value if tensor is known else tensor
        if trains and name in buffers and tensor is known:
            values[name] = values[name].detach().clone()
            changed[name] = variable
    result = torch.func.functional_call(self.module, values, args, kwargs)
    for name, variable in changed.items():
        variable.assign(values[name])
    return result


def compute_output_spec(self: Any, *args: Any, **kwargs: Any) -> Any:
    """The symbolic result: of the given `output_shape`, else of a run of the module on zeros."""
    if self.output_shape is not None:
        return Layer.compute_output_spec(self, *args, **kwargs)
    return backend.compute_output_spec(functools.partial(self.call, training=False), *args)


TorchModuleWrapper.compute_output_spec = compute_output_spec
