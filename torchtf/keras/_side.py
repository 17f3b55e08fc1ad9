"""Which side of the boundary a thread is on, and what crossing it does to values.

Contract:
- On the user's side tensors are `torchtf.Tensor`; on Keras' side they are torch tensors. Variables,
  symbolic Keras tensors, strings and all that is no tensor are the same on both sides.
- `into_keras(f)` makes a function of Keras callable from the user's side, `into_user(f)` a function
  of the user callable from Keras' side. Called from its own side, either adds one test.
- On Keras' side gradients are recorded exactly while a `GradientTape` records.
- Whoever passes torch tensors and no `torchtf.Tensor` works in PyTorch: results are torch tensors,
  and autograd records as it would for any `torch.nn.Module`.
- A `TensorShape` is a tuple on Keras' side, as shapes are there.
- A structure that holds no tensor crosses as the object that it is.
- A function of Keras that the user gets is the one of the public namespace (`public`), a function
  of the user the one that was given: `layer.activation is tf.keras.activations.relu`.
- `x._keras_mask`, which Keras sets, is there on both sides.
"""

from __future__ import annotations

import functools
import threading
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from torchtf.core import arena, tape
from torchtf.core.convert import sizes_of
from torchtf.core.shape import TensorShape
from torchtf.core.tensor import SymbolicTensor, Tensor, wrap


class _State(threading.local):
    inside = False


state = _State()

_ATOMS = frozenset((int, float, bool, str, bytes, type(None), np.ndarray))


def _map(structure: Any, leaf: Callable[[Any], Any]) -> Any:
    """Maps the leaves of lists, tuples and mappings; an unchanged structure is returned itself."""
    kind = type(structure)
    if kind in _ATOMS:
        return structure
    if isinstance(structure, (list, tuple)):
        items = [_map(x, leaf) for x in structure]
        if all(new is old for new, old in zip(items, structure, strict=True)):
            return structure
        if kind is list or kind is tuple:
            return items if kind is list else tuple(items)
        if hasattr(structure, "_fields"):
            return kind(*items)
        return items if isinstance(structure, list) else tuple(items)
    if isinstance(structure, Mapping):
        mapped = {k: _map(v, leaf) for k, v in structure.items()}
        if all(mapped[k] is v for k, v in structure.items()):
            return structure
        return mapped if kind is dict or not isinstance(structure, dict) else kind(mapped)
    return leaf(structure)


def _raw(x: Any) -> Any:
    kind = type(x)
    if kind is Tensor or kind is SymbolicTensor:
        data = x._data
        if kind is SymbolicTensor and x._sizes is not None:
            data._sizes = x._sizes  # what makes a shape of it finds them there
        return x if type(data) is np.ndarray or arena.is_handles(data) else data
    if kind is TensorShape and x.rank is not None:
        return tuple(x)
    return x


def _wrapped(x: Any) -> Any:
    if not isinstance(x, torch.Tensor):
        return public(x) if type(x) is types.FunctionType else x
    tensor, sizes = wrap(x), sizes_of(x)
    if sizes is not None and type(tensor) is SymbolicTensor:
        tensor._sizes = sizes
    return tensor


def _mask(self: Tensor) -> Any:
    """The mask that a layer of Keras gave the tensor; an `AttributeError` if there is none."""
    return outward(self._data._keras_mask)


def _set_mask(self: Tensor, mask: Any) -> None:
    self._data._keras_mask = inward(mask)


Tensor._keras_mask = property(_mask, _set_mask)


def inward(structure: Any) -> Any:
    """A structure as Keras' side sees it: torch tensors for `torchtf.Tensor`."""
    return _map(structure, _raw)


def outward(structure: Any) -> Any:
    """A structure as the user's side sees it: `torchtf.Tensor` for torch tensors."""
    return _map(structure, _wrapped)


def _works_in_torch(args: tuple, kwargs: dict) -> bool:
    """True if torch tensors and no `torchtf.Tensor` are among the arguments."""
    found = False

    def look(x: Any) -> Any:
        nonlocal found
        kind = type(x)
        if kind is Tensor or kind is SymbolicTensor:
            raise StopIteration
        if isinstance(x, torch.Tensor):
            found = True
        return x

    try:
        _map(args, look)
        if kwargs:
            _map(kwargs, look)
    except StopIteration:
        return False
    return found


def on_keras_side(
    function: Callable[..., Any], args: tuple = (), kwargs: dict | None = None
) -> Any:
    """Calls `function` on Keras' side with arguments of either side, and returns its raw result."""
    kwargs = kwargs or {}
    was_inside, had_grad = state.inside, torch.is_grad_enabled()
    records = tape.recording()
    state.inside = True
    if records is not had_grad:
        torch.set_grad_enabled(records)
    try:
        return function(*inward(args), **inward(kwargs))
    finally:
        state.inside = was_inside
        if records is not had_grad:
            torch.set_grad_enabled(had_grad)


def on_user_side(function: Callable[..., Any], args: tuple = (), kwargs: dict | None = None) -> Any:
    """Calls `function` on the user's side with arguments of either side; the result is as it is."""
    was_inside = state.inside
    state.inside = False
    try:
        return function(*outward(args), **outward(kwargs or {}))
    finally:
        state.inside = was_inside


def into_keras(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of Keras for the user's side: takes and returns `torchtf.Tensor`."""

    @functools.wraps(function)
    def enter(*args: Any, **kwargs: Any) -> Any:
        if state.inside:
            return function(*args, **kwargs)
        if _works_in_torch(args, kwargs):
            return _in_torch(function, args, kwargs)
        return outward(on_keras_side(function, args, kwargs))

    enter.torchtf_raw = function  # type: ignore[attr-defined]
    return enter


# The bodies of its functions are `tf` ops, which belong to the user's side.
_LEGACY_BACKEND = "keras.src.legacy.backend"
_public: dict[types.FunctionType, Callable[..., Any]] = {}


def public(x: Any) -> Any:
    """A value as the user gets it: for a function of Keras one that crosses, always the same."""
    if not isinstance(x, types.FunctionType):
        return x
    known = vars(x)
    if "torchtf_user" in known:
        return known["torchtf_user"]
    module = x.__module__ or ""
    if "torchtf_raw" in known or not module.startswith("keras.") or module == _LEGACY_BACKEND:
        return x
    entering = _public.get(x)
    if entering is None:
        entering = _public[x] = into_keras(x)
    return entering


def _in_torch(function: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
    prepare = getattr(function, "torchtf_in_torch", None)
    if prepare is not None:
        kwargs = prepare(args[0], args[1:], kwargs)
    if not torch.is_grad_enabled() or tape.recording():
        return on_keras_side(function, args, kwargs)
    # A tape that watches nothing keeps what is recorded alive for torch's own backward().
    with tape.GradientTape(watch_accessed_variables=False):
        return on_keras_side(function, args, kwargs)


def into_user(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the user for Keras' side: it gets and may return `torchtf.Tensor`."""

    @functools.wraps(function)
    def leave(*args: Any, **kwargs: Any) -> Any:
        if not state.inside:
            return function(*args, **kwargs)
        return inward(on_user_side(function, args, kwargs))

    leave.torchtf_user = function  # type: ignore[attr-defined]
    return leave
