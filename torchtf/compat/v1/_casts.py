"""The casts of `tf.compat.v1` that name their dtype."""

from __future__ import annotations

import torchtf as tf


def _cast_to(dtype: str):
    def to_type(x, name=None):
        return tf.cast(x, dtype, name)

    to_type.__doc__ = f"Casts to {dtype}; sparse tensors and `IndexedSlices`, too."
    return to_type


to_bfloat16, to_double, to_float = map(_cast_to, ("bfloat16", "float64", "float32"))
to_complex64, to_complex128 = map(_cast_to, ("complex64", "complex128"))
to_int32, to_int64 = map(_cast_to, ("int32", "int64"))
