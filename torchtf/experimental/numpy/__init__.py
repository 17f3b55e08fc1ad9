"""`tf.experimental.numpy`: NumPy's functions on tensors, with NumPy's types."""

from __future__ import annotations

import numpy as _np

from torchtf.core import dtypes as _dtypes
from torchtf.core.tensor import Tensor as ndarray
from torchtf.experimental.numpy import _core, random
from torchtf.experimental.numpy._arrays import *  # noqa: F403
from torchtf.experimental.numpy._behavior import experimental_enable_numpy_behavior
from torchtf.experimental.numpy._elementwise import *  # noqa: F403
from torchtf.experimental.numpy._reductions import *  # noqa: F403

e, pi, inf, newaxis = _np.e, _np.pi, _np.inf, None
bool_, object_ = _np.bool_, _np.object_
complex64, complex128 = _np.complex64, _np.complex128
complex_ = _np.complex128
float16, float32, float64 = _np.float16, _np.float32, _np.float64
float_ = _np.float64
int8, int16, int32, int64 = _np.int8, _np.int16, _np.int32, _np.int64
int_ = _np.int64
uint8, uint16, uint32, uint64 = _np.uint8, _np.uint16, _np.uint32, _np.uint64
string_, unicode_ = _np.bytes_, _np.str_
iinfo, inexact, issubdtype = _np.iinfo, _np.inexact, _np.issubdtype

for _name, _value in list(globals().items()):
    if getattr(_value, "__module__", "").startswith(f"{__name__}._") and callable(_value):
        globals()[_name] = _core.with_numbers(_value)


def finfo(dtype):
    """`numpy.finfo` of a TensorFlow or NumPy type."""
    return _np.finfo(_dtypes.as_dtype(dtype).as_numpy_dtype)


def result_type(*arrays_and_dtypes):
    """The type of a result of arrays, Python values and types, as a `tf.DType`."""
    return _dtypes.as_dtype(_core.result_type(*arrays_and_dtypes))


def promote_types(type1, type2):
    """`numpy.promote_types`."""
    types = (_np.dtype(_dtypes.as_dtype(t).as_numpy_dtype) for t in (type1, type2))
    return _np.promote_types(*types)


__all__ = ["experimental_enable_numpy_behavior", "ndarray", "random"]
