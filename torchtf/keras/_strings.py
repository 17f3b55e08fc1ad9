"""What Keras' torch backend does to tensors of strings, which torch has not.

Contract:
- Functions of `keras.ops` that move or compare elements take strings; they are the `tf` ops.
- A symbolic Keras tensor may be one of strings: shapes and types of what is computed from it are
  inferred with empty strings.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from keras.src import tree
from keras.src.backend.common.keras_tensor import KerasTensor
from keras.src.backend.torch import core
from keras.src.backend.torch import numpy as keras_numpy

import torchtf as tf
from torchtf.core.tensor import is_tensor_type, wrap
from torchtf.keras import _side
from torchtf.keras._patch import own_attribute, replaces, use_everywhere


def _is_string(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return any(map(_is_string, x))
    return is_tensor_type(x) and x.dtype is tf.string


def _expand_dims(x: Any, axis: Any) -> Any:
    axes = axis if isinstance(axis, (list, tuple)) else (axis,)
    rank = x.ndim + len(axes)
    return functools.reduce(tf.expand_dims, sorted(a % rank for a in axes), x)


_ON_STRINGS: dict[str, Callable[..., Any]] = {
    "broadcast_to": tf.broadcast_to,
    "concatenate": tf.concat,
    "copy": tf.identity,
    "equal": tf.equal,
    "expand_dims": _expand_dims,
    "not_equal": tf.not_equal,
    "ravel": lambda x: tf.reshape(x, [-1]),
    "reshape": tf.reshape,
    "squeeze": tf.squeeze,
    "stack": tf.stack,
    "take": lambda x, indices, axis=None: tf.gather(
        tf.reshape(x, [-1]) if axis is None else x, indices, axis=axis or 0
    ),
    "tile": tf.tile,
    "transpose": tf.transpose,
    "where": tf.where,
}


def _takes_strings(name: str, on_strings: Callable[..., Any]) -> None:
    original = own_attribute(keras_numpy, name)

    @functools.wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        if any(map(_is_string, args)) or any(map(_is_string, kwargs.values())):
            return _side.inward(on_strings(*_side.outward(args), **_side.outward(kwargs)))
        return original(*args, **kwargs)

    setattr(keras_numpy, name, function)


for _name, _function in _ON_STRINGS.items():
    _takes_strings(_name, _function)

_compute_output_spec = own_attribute(core, "compute_output_spec")


@replaces(core, "compute_output_spec")
def compute_output_spec(fn: Any, *args: Any, **kwargs: Any) -> Any:
    def is_symbolic_string(x: Any) -> bool:
        return isinstance(x, KerasTensor) and x.dtype == "string"

    strings = tree.map_structure(is_symbolic_string, (args, kwargs))
    if not any(tree.flatten(strings)):
        return _compute_output_spec(fn, *args, **kwargs)

    def with_strings(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = tree.map_structure(
            lambda is_string, x: wrap(np.full(tuple(x.shape), b"", object)) if is_string else x,
            strings,
            (args, kwargs),
        )
        return fn(*args, **kwargs)

    # Keras makes tensors of given sizes of these; their values do not matter.
    args, kwargs = tree.map_structure(
        lambda is_string, x: KerasTensor(x.shape, "uint8") if is_string else x,
        strings,
        (args, kwargs),
    )
    return _compute_output_spec(with_strings, *args, **kwargs)


use_everywhere(compute_output_spec)
