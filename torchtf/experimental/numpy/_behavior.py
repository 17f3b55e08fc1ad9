"""NumPy's methods and promotion on `tf.Tensor` itself."""

from __future__ import annotations

import torch

from torchtf.array_ops import getitem
from torchtf.core.convert import to_torch
from torchtf.core.op import op
from torchtf.core.tensor import Tensor
from torchtf.experimental.numpy import _arrays, _core, _elementwise, _reductions


def experimental_enable_numpy_behavior(prefer_float32=False, dtype_conversion_mode="legacy"):
    """Gives tensors NumPy's methods, and NumPy's promotion to their operators.

    Args:
        prefer_float32: whether Python floats become float32 and ints int32.
        dtype_conversion_mode: only "legacy", NumPy's own rules.

    Raises:
        NotImplementedError: for another mode.
    """
    if dtype_conversion_mode != "legacy":
        raise NotImplementedError(
            f"dtype_conversion_mode={dtype_conversion_mode!r} is not supported; use 'legacy'."
        )
    _core.prefer_float32 = bool(prefer_float32)
    for name, method in _METHODS.items():
        setattr(Tensor, name, method)


def _astype(self, dtype):
    return _core.tensor(self, dtype)


def _reshape(self, *newshape, order="C"):
    if len(newshape) == 1:
        newshape = newshape[0]
    return _arrays.reshape(self, newshape, order)


def _transpose(self, *axes):
    if len(axes) == 1 and not isinstance(axes[0], int):
        axes = axes[0]
    return _arrays.transpose(self, axes or None)


@op("GatherV2")
def _advanced(x: T, index):
    return x[index]


def _getitem(self, key):
    """`x[key]` with NumPy's rules, for arrays of positions and several masks, too."""
    items = key if type(key) is tuple else (key,)
    if all(map(_is_basic, items)):
        return getitem(self, key)
    if any(isinstance(i, slice) and i.step is not None and i.step < 0 for i in items):
        raise NotImplementedError(
            "A slice with a negative step beside an array index is not supported: use tf.reverse."
        )
    return _advanced(self, tuple(i if _is_basic(i) else _positions(i) for i in items))


def _is_basic(item) -> bool:
    return item is None or item is Ellipsis or isinstance(item, (int, slice))


def _positions(item) -> torch.Tensor:
    data = to_torch(item)
    return data if data.dtype is torch.bool else data.to(torch.int64)


_OPERATORS = {
    "add": _elementwise.add,
    "sub": _elementwise.subtract,
    "mul": _elementwise.multiply,
    "truediv": _elementwise.true_divide,
    "floordiv": _elementwise.floor_divide,
    "mod": _elementwise.mod,
    "pow": _elementwise.power,
    "matmul": _reductions.matmul,
}
_METHODS: dict = {
    "__getitem__": _getitem,
    "T": property(_arrays.transpose),
    "astype": _astype,
    "clip": lambda self, a_min, a_max: _elementwise.clip(self, a_min, a_max),
    "data": property(lambda self: self),
    "max": _reductions.max,
    "mean": _reductions.mean,
    "min": _reductions.min,
    "ravel": _arrays.ravel,
    "reshape": _reshape,
    "size": property(lambda self: _arrays.size(self)),
    "tolist": lambda self: self.numpy().tolist(),
    "transpose": _transpose,
}
for _name, _function in _OPERATORS.items():
    _METHODS[f"__{_name}__"] = _function
    _METHODS[f"__r{_name}__"] = lambda self, other, f=_function: f(other, self)
for _name, _function in {
    "lt": _elementwise.less, "le": _elementwise.less_equal, "gt": _elementwise.greater,
    "ge": _elementwise.greater_equal,
}.items():  # fmt: skip
    _METHODS[f"__{_name}__"] = _function
