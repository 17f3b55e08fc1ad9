"""A call of a layer without what a built layer has no use for.

Contract:
- A layer that is built, called on a tensor of its own dtype without a mask (or a list of such),
  computes, records and raises what Keras' own `__call__` does: hooks of PyTorch, the name scope,
  the inherited `training`, losses and masks. Every other call is Keras' own.
- Keras binds the arguments to the signature, looks for tensors among them and asks whether there is
  anything to build, at each call: for one row, that takes longer than to compute.
- What is neither a container nor symbolic is known by its type; trees are walked where it is not.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from keras.src.backend.common import keras_tensor
from keras.src.backend.common.global_state import get_global_attribute
from keras.src.backend.common.keras_tensor import KerasTensor
from keras.src.layers.layer import Layer
from keras.src.models.functional import Functional
from keras.src.ops.symbolic_arguments import SymbolicArguments
from keras.src.tree import torchtree_impl
from keras.src.utils import traceback_utils
from keras.src.utils.python_utils import is_default
from torch._subclasses.fake_tensor import FakeTensor

from torchtf.keras import _side
from torchtf.keras._patch import own_attribute, replaces, use_everywhere

_TENSORS = frozenset((torch.Tensor, FakeTensor))
_FLAGS = frozenset((bool, int, type(None)))
_INHERITED = {"training"}


@functools.cache
def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


# ---- layers -------------------------------------------------------------------------------------

_call = own_attribute(Layer, "__call__")


def _takes_one(layer: Any) -> bool:
    """Whether the first parameter of `call` may be given by position, and is all that it needs."""
    known = vars(layer).get("_takes_one")
    if known is None:
        first, *others = layer._call_signature.parameters.values()
        known = first.kind in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD) and all(
            p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in others
        )
        vars(layer)["_takes_one"] = known
    return known


def _is_plain(layer: Any, args: tuple, kwargs: dict) -> bool:
    """Whether there is nothing to convert, build, cast, distribute or record."""
    state = vars(layer)
    if len(args) != 1 or not (state.get("built") and state.get("_called") and _takes_one(layer)):
        return False
    for name, value in kwargs.items():
        if name == "training":
            if type(value) not in _FLAGS:
                return False
        elif name != "mask" or value is not None or not layer._call_has_mask_arg:
            return False
    x = args[0]
    if type(x) is not list:
        x = args
    elif layer._call_has_mask_arg:
        return False
    dtype = layer.input_dtype
    for i in x:
        if type(i) not in _TENSORS or _name(i.dtype) != dtype or hasattr(i, "_keras_mask"):
            return False
    return (
        layer.compute_dtype == layer.variable_dtype
        and state["activity_regularizer"] is None
        and state["_call_context_args"] == _INHERITED
        and get_global_attribute("autocast_scope") is None
        and get_global_attribute("distribution") is None
    )


def _crosses(function: Any) -> bool:
    """Whether a method is one that the boundary made callable from both sides."""
    known = getattr(function, "__dict__", ())
    return "torchtf_user" in known or "torchtf_raw" in known


@replaces(Layer, "__call__")
def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
    if not _crosses(type(self).call):  # it was assigned when the class was made already
        from torchtf.keras._boundary import adopt_again

        adopt_again(type(self))
    if not _is_plain(self, args, kwargs):
        return _call(self, *args, **kwargs)
    return _call_built(self, args[0], kwargs)


@traceback_utils.filter_traceback
def _call_built(self: Any, x: Any, kwargs: dict) -> Any:
    self._assert_input_compatibility(x)
    context = self._get_call_context()
    try:
        takes_training = self._call_has_training_arg
        if "training" in kwargs:
            training = kwargs["training"]
        else:
            training = context.get_value("training")
            if training is None and takes_training:
                training = self._call_signature.parameters["training"].default
        context.set_value("training", training)
        if not takes_training:
            kwargs.pop("training", None)
        elif training is not None:
            kwargs["training"] = training
        with self._open_name_scope():
            outputs = super(Layer, self).__call__(x, **kwargs)
        if self.supports_masking and not is_default(self.compute_mask):
            self._set_mask_metadata(x, outputs, [None] * len(x) if type(x) is list else None)
        return outputs
    finally:
        self._maybe_reset_call_context()


# ---- functional models --------------------------------------------------------------------------

_standardize_inputs = own_attribute(Functional, "_standardize_inputs")
_fill_in = own_attribute(SymbolicArguments, "fill_in")


@replaces(Functional, "_standardize_inputs")
def standardize_inputs(self: Any, inputs: Any) -> Any:
    if type(inputs) in _TENSORS and len(self._inputs) == 1:
        struct, (spec,) = self._inputs_struct, self._inputs
        if (
            (struct is spec or (type(struct) is list and struct[0] is spec))
            and len(inputs.shape) == len(spec.shape)
            and _name(inputs.dtype) == spec.dtype
        ):
            return [inputs]
    return _standardize_inputs(self, inputs)


def _symbols(structure: Any) -> list[KerasTensor]:
    found: list[KerasTensor] = []

    def look(x: Any) -> Any:
        if isinstance(x, KerasTensor):
            found.append(x)
        return x

    _side._map(structure, look)
    return found


@replaces(SymbolicArguments, "fill_in")
def fill_in(self: Any, tensor_dict: dict) -> tuple[tuple, dict]:
    if self._single_positional_tensor is not None:
        return (tensor_dict[id(self._single_positional_tensor)],), {}
    plain = vars(self).get("_plain")
    if plain is None:  # no containers but lists, tuples and mappings
        found = _symbols((self.args, self.kwargs))
        plain = vars(self)["_plain"] = len(found) == len(self.keras_tensors)
    if not plain:
        return _fill_in(self, tensor_dict)

    def value(x: Any) -> Any:
        return tensor_dict.get(id(x)) if isinstance(x, KerasTensor) else x

    return _side._map(self.args, value), dict(_side._map(self.kwargs, value))


# ---- trees --------------------------------------------------------------------------------------

_is_nested = own_attribute(torchtree_impl, "is_nested")
_any_symbolic_tensors = own_attribute(keras_tensor, "any_symbolic_tensors")


@replaces(torchtree_impl, "is_nested")
def is_nested(structure: Any) -> bool:
    return type(structure) not in _TENSORS and _is_nested(structure)


@replaces(keras_tensor, "any_symbolic_tensors")
def any_symbolic_tensors(args: Any = None, kwargs: Any = None) -> bool:
    for x in (*(args or ()), *(kwargs or {}).values()):
        if type(x) not in _TENSORS and type(x) not in _FLAGS and _any_symbolic_tensors((x,)):
            return True
    return False


use_everywhere(any_symbolic_tensors)
