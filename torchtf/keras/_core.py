"""The core of Keras' torch backend, made quick for tensors and fit for traces.

Contract:
- Values, dtypes and errors are those of Keras' own.
- `cond`, `switch` and `while_loop` on a value that a trace does not know become part of its graph.
- A size that is open in a trace becomes a tensor in the graph. (Keras' way asks for its value,
  which would fix it for all later calls.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from keras.src import tree
from keras.src.backend.common import dtypes
from keras.src.backend.torch import core
from keras.src.backend.torch import math as keras_math
from keras.src.backend.torch import numpy as keras_numpy
from keras.src.backend.torch.core import Variable, get_device, to_torch_dtype
from keras.src.ops import operation_utils

from torchtf.core.convert import convert_to_tensor as convert
from torchtf.core.convert import to_shape, to_torch
from torchtf.core.dtypes import as_dtype
from torchtf.core.tensor import Tensor, is_fake, is_tensor_type, to_numpy, wrap
from torchtf.core.variable import Variable as TFVariable
from torchtf.keras import _side
from torchtf.keras._patch import own_attribute, replaces, use_everywhere
from torchtf.keras._trace import tracing
from torchtf.math._segments import TopKV2

_convert_to_tensor = own_attribute(core, "convert_to_tensor")
_device = functools.cache(torch.device)


def _sizes(x: list | tuple, dtype: torch.dtype) -> torch.Tensor | None:
    """A list of sizes, some of them open, as a tensor."""
    if not any(isinstance(i, torch.SymInt) for i in x):
        return None
    device = get_device()
    return torch.stack([torch.scalar_tensor(i, dtype=dtype, device=device) for i in x])


@replaces(core, "convert_to_tensor")
def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    if sparse or ragged:
        return _convert_to_tensor(x, dtype, sparse, ragged)
    if isinstance(x, Variable):
        x = _side.inward(x.value)
    elif isinstance(x, TFVariable):
        x = to_torch(x)
    if isinstance(x, torch.Tensor):
        x = _side.inward(x)
        if is_tensor_type(x):  # strings
            return x
        place = _device(get_device())
        if x.device != place and (x.device.type != place.type or place.index is not None):
            return _convert_to_tensor(x, dtype)
        if dtype is None:
            return x
        wanted = to_torch_dtype(dtype)
        return x if x.dtype is wanted else x.to(wanted)
    if isinstance(x, torch.SymInt):
        wanted = torch.int32 if dtype is None else to_torch_dtype(dtype)
        return torch.scalar_tensor(x, dtype=wanted, device=get_device())
    if isinstance(x, (list, tuple)):
        sizes = _sizes(x, torch.int32 if dtype is None else to_torch_dtype(dtype))
        if sizes is not None:
            return sizes
        x = _side.inward(x)
    elif hasattr(x, "__array__") and not isinstance(x, (np.ndarray, np.generic)):
        x = np.asarray(x)  # a column of pandas, say
    if _is_text(x):
        return _side.inward(convert(x, None if dtype is None else as_dtype(dtype)))
    return _convert_to_tensor(x, dtype)


def _is_text(x: Any) -> bool:
    """Whether a value that is no tensor holds strings, as far as its first element tells."""
    while isinstance(x, (list, tuple)) and x:
        x = x[0]
    kind = getattr(getattr(x, "dtype", None), "kind", None)  # of NumPy's dtypes and of pandas'
    return isinstance(x, (str, bytes)) or kind in ("O", "S", "U")


_convert_to_numpy = own_attribute(core, "convert_to_numpy")


@replaces(core, "convert_to_numpy")
def convert_to_numpy(x: Any) -> Any:
    x = _side.inward(x.value if isinstance(x, Variable) else x)
    if type(x) is Tensor:  # strings, which no torch tensor holds
        return x.numpy()
    if isinstance(x, torch.Tensor):
        return to_numpy(x).copy()
    return _convert_to_numpy(x)


use_everywhere(convert_to_tensor)
use_everywhere(convert_to_numpy)

# ---- integers -----------------------------------------------------------------------------------

for _python_type in (int, "int"):  # TensorFlow's; elsewhere Keras takes int32
    own_attribute(dtypes, "PYTHON_DTYPES_MAP")[_python_type] = "int64"

_top_k = own_attribute(keras_math, "top_k")


@replaces(keras_math, "top_k")
def top_k(x: Any, k: Any, sorted: bool = True) -> TopKV2:
    values, indices = _top_k(x, k, sorted)
    return TopKV2(values, indices.to(torch.int32))


# ---- shapes -------------------------------------------------------------------------------------


def _of_any_shape(make: Callable[..., Any], position: int) -> Callable[..., Any]:
    """A function of Keras that takes a shape: a `TensorShape`, too, or sizes that a trace knows."""

    @functools.wraps(make)
    def function(*args: Any, **kwargs: Any) -> Any:
        if len(args) > position:
            shape = _side.inward(args[position])
            if tracing() and isinstance(shape, (list, tuple)):
                shape = to_shape(shape)
            args = (*args[:position], shape, *args[position + 1 :])
        return make(*args, **kwargs)

    return function


for _name in ("empty", "full", "ones", "zeros"):
    setattr(keras_numpy, _name, _of_any_shape(own_attribute(keras_numpy, _name), 0))
for _name in ("broadcast_to", "reshape"):
    setattr(keras_numpy, _name, _of_any_shape(own_attribute(keras_numpy, _name), 1))

# Whether an open size can be divided is told when the graph runs.

_reshape = own_attribute(keras_numpy, "reshape")
_reshape_output_shape = own_attribute(operation_utils, "compute_reshape_output_shape")


def _is_open(size: Any) -> bool:
    return isinstance(size, torch.SymInt)


@replaces(keras_numpy, "reshape")
def reshape(x: Any, newshape: Any) -> Any:
    if not (isinstance(x, torch.Tensor) and any(map(_is_open, x.shape))):
        return _reshape(x, newshape)
    from torchtf.array_ops import reshape

    return _side.inward(_side.on_user_side(reshape, (x, newshape)))


@replaces(operation_utils, "compute_reshape_output_shape")
def compute_reshape_output_shape(input_shape: Any, newshape: Any, newshape_arg_name: str) -> Any:
    known = tuple(None if _is_open(size) else size for size in input_shape)
    return _reshape_output_shape(known, newshape, newshape_arg_name)


use_everywhere(compute_reshape_output_shape)


# ---- control flow on values that a trace does not know ------------------------------------------

_cond = own_attribute(core, "cond")
_while_loop = own_attribute(core, "while_loop")
_switch = own_attribute(core, "switch")


def _is_unknown(x: Any) -> bool:
    return tracing() and isinstance(x, torch.Tensor) and is_fake(x)


@replaces(core, "cond")
def cond(pred: Any, true_fn: Any, false_fn: Any) -> Any:
    pred = _side.inward(pred.value if isinstance(pred, Variable) else pred)
    if not _is_unknown(pred):
        return _cond(pred, true_fn, false_fn)
    from torchtf import control_flow

    branches = (lambda: _side.outward(true_fn()), lambda: _side.outward(false_fn()))
    return _side.inward(control_flow.cond(wrap(pred.to(torch.bool)), *branches))


@replaces(core, "switch")
def switch(index: Any, branches: Any, *operands: Any) -> Any:
    index = convert_to_tensor(index, "int32")
    if not _is_unknown(index):
        return _switch(index, branches, *operands)
    from torchtf import control_flow

    functions = [lambda f=f: _side.outward(f(*operands)) for f in branches]
    index = torch.clamp(index, 0, len(branches) - 1)
    return _side.inward(control_flow.switch_case(wrap(index), functions))


@replaces(core, "while_loop")
def while_loop(cond: Any, body: Any, loop_vars: Any, maximum_iterations: Any = None) -> Any:
    is_tuple = isinstance(loop_vars, (tuple, list))
    values = tree.map_structure(convert_to_tensor, tuple(loop_vars) if is_tuple else (loop_vars,))
    if not any(_is_unknown(v) for v in tree.flatten(values)):
        return _while_loop(cond, body, loop_vars, maximum_iterations)
    from torchtf import control_flow

    def wrapped_body(*args: Any) -> Any:
        result = body(*_side.inward(args))
        return _side.outward(tuple(result) if isinstance(result, (list, tuple)) else (result,))

    found = control_flow.while_loop(
        lambda *args: wrap(cond(*_side.inward(args))),
        wrapped_body,
        _side.outward(values),
        maximum_iterations=maximum_iterations,
    )
    found = _side.inward(tuple(found))
    return found if is_tuple else found[0]
