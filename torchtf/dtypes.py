"""`tf.dtypes`: the element types, and casting between them."""

import types as _types

from torchtf.core import dtypes as _dtypes
from torchtf.core.dtypes import (
    DType,
    as_dtype,
    bfloat16,
    complex64,
    complex128,
    double,
    float16,
    float32,
    float64,
    half,
    int8,
    int16,
    int32,
    int64,
    qint8,
    qint16,
    qint32,
    quint8,
    quint16,
    resource,
    string,
    uint8,
    uint16,
    uint32,
    uint64,
    variant,
)
from torchtf.core.dtypes import bool_ as bool
from torchtf.math import cast, complex, saturate_cast

experimental = _types.SimpleNamespace(**{
    name: getattr(_dtypes, name)
    for name in (
        "float4_e2m1fn", "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2",
        "float8_e5m2fnuz", "int2", "int4", "uint2", "uint4",
    )
})  # fmt: skip
QUANTIZED_DTYPES = frozenset({qint8, quint8, qint16, quint16, qint32})

__all__ = [
    "QUANTIZED_DTYPES", "DType", "as_dtype", "bfloat16", "bool", "cast", "complex", "complex64",
    "complex128", "double", "experimental", "float16", "float32", "float64", "half", "int8",
    "int16", "int32", "int64", "qint8", "qint16", "qint32", "quint8", "quint16", "resource",
    "saturate_cast", "string", "uint8", "uint16", "uint32", "uint64", "variant",
]  # fmt: skip
