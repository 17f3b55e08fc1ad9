"""`tf.DType`: TensorFlow's element types on top of torch's.

* One `DType` object exists for each type, so identity and equality agree.
* A `DType` equals, and hashes like, its torch dtype; it also equals whatever `as_dtype` accepts.
* `DType.torch` is None for the types that torch has no storage for (string, resource, variant).
* Types of less than a byte are names: their `torch` raises, so a tensor of them does.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import torch

from torchtf.core import trace_type

_TorchDtype = torch.dtype  # inside the class, `torch` is an attribute


class DType(trace_type.Constant):
    """The element type of a `Tensor` (source: `tf.dtypes.DType`).

    `DType(n)` looks a type up by its number in TensorFlow's `types.proto`.
    """

    __slots__ = ("_enum", "_hash", "_kind", "_numpy", "name", "torch")

    _enum: int
    _hash: int
    _kind: str  # "f" floating, "c" complex, "i" and "u" integers, "q" quantized, "b", "O"
    _numpy: Any
    name: str
    torch: _TorchDtype | None

    _by_enum: dict[int, DType] = {}

    def __new__(cls, type_enum: int) -> DType:
        try:
            return cls._by_enum[int(type_enum)]
        except (KeyError, ValueError, TypeError):
            raise TypeError(f"type_enum is not a valid types_pb2.DataType: {type_enum!r}") from None

    def __getattr__(self, attribute: str):
        if attribute == "torch":
            raise NotImplementedError(
                f"tensors of {self.name} are not supported: torch has no storage for it; use int8, "
                "uint8 or float8_e4m3fn"
            )
        raise AttributeError(f"'DType' object has no attribute {attribute!r}")

    def experimental_as_proto(self):
        """This type as a `SerializedDType` proto."""
        return self.experimental_type_proto()(datatype=self._enum)

    @classmethod
    def experimental_from_proto(cls, proto) -> DType:
        return cls(proto.datatype)

    @classmethod
    def experimental_type_proto(cls) -> type:
        """The class of `experimental_as_proto`'s result."""
        from torchtf.core.proto_types import SerializedDType

        return SerializedDType

    @property
    def as_datatype_enum(self) -> int:
        """The number of this type in `types.proto`."""
        return self._enum

    @property
    def as_numpy_dtype(self) -> type:
        """The NumPy scalar type; `object` for strings."""
        return self._numpy

    @property
    def base_dtype(self) -> DType:
        """This type without TF 1's reference mark."""
        return self

    @property
    def real_dtype(self) -> DType:
        """The type of the real part: float32 for complex64, float64 for complex128."""
        return {complex64: float32, complex128: float64}.get(self, self)

    @property
    def is_floating(self) -> bool:
        return self._kind == "f"

    @property
    def is_complex(self) -> bool:
        return self._kind == "c"

    @property
    def is_bool(self) -> bool:
        return self is bool_

    @property
    def is_quantized(self) -> bool:
        return self._kind == "q"

    @property
    def is_integer(self) -> bool:
        return self._kind in "iu"

    @property
    def is_unsigned(self) -> bool:
        return self._kind == "u"

    @property
    def is_numeric(self) -> bool:
        return self.is_integer or self.is_floating or self.is_complex or self.is_quantized

    @property
    def is_numpy_compatible(self) -> bool:
        return self not in (resource, variant)

    @property
    def size(self) -> int:
        """Bytes of one element; 0 where there is no fixed size."""
        if self in (string, variant, resource):
            return 0
        return np.dtype(self._numpy).itemsize

    @property
    def min(self):
        """The lowest finite value.

        Raises:
            TypeError: for bool, string and the complex types.
        """
        return self._limit("min", "minimum")

    @property
    def max(self):
        """The highest finite value.

        Raises:
            TypeError: for bool, string and the complex types.
        """
        return self._limit("max", "maximum")

    def _limit(self, which: str, word: str):
        if self.is_floating:
            info = ml_dtypes.finfo if self._numpy.__module__ == "ml_dtypes" else np.finfo
            return getattr(info(self._numpy), which)
        if self.is_integer or self.is_quantized:
            return int(getattr(ml_dtypes.iinfo(self._numpy), which))
        raise TypeError(f"Cannot find {word} value of {self} with type {self}.")

    @property
    def limits(self, clip_negative: bool = True) -> tuple:
        """The range that images of this type use: (0, max) for integers, (0, 1) for floats.

        Raises:
            ValueError: for the other types.
        """
        if self is bool_:
            return (0, True)
        if self in (float32, float64):
            return (0, 1)
        if self.is_integer and not any(self is d for d in NARROW):
            return (0, self.max)
        raise ValueError(f"{self} does not have defined limits.")

    def is_compatible_with(self, other) -> bool:
        return self is as_dtype(other)

    def is_subtype_of(self, other) -> bool:
        return type(other) is DType and self is other

    def most_specific_common_supertype(self, types) -> DType | None:
        return self if all(self is other for other in types) else None

    def __eq__(self, other):
        if type(other) is DType:
            return self is other
        if other is None:
            return False
        try:
            return self is as_dtype(other)
        except TypeError:
            return NotImplemented

    def __hash__(self):
        return self._hash

    def __repr__(self):
        return "tf." + self.name

    def __str__(self):
        return f"<dtype: {self.name!r}>"

    def __int__(self):
        return self._enum

    def __reduce__(self):
        return as_dtype, (self.name,)


_NO_STORAGE = object()


def _make(enum: int, name: str, torch_dtype, numpy_type: type) -> DType:
    dtype = object.__new__(DType)
    kind = "q" if name.startswith(("q", "Q")) else np.dtype(numpy_type).kind
    if kind == "V" or numpy_type.__module__ == "ml_dtypes":
        kind = "f" if "float" in name else "u" if name.startswith("u") else "i"
    for field, value in (
        ("_enum", enum), ("name", name), ("_kind", kind), ("_numpy", numpy_type),
    ):  # fmt: skip
        setattr(dtype, field, value)
    dtype._hash = enum if torch_dtype in (None, _NO_STORAGE) or kind == "q" else hash(torch_dtype)
    if torch_dtype is not _NO_STORAGE:
        dtype.torch = torch_dtype
    DType._by_enum[enum] = dtype
    return dtype


float32 = _make(1, "float32", torch.float32, np.float32)
float64 = _make(2, "float64", torch.float64, np.float64)
int32 = _make(3, "int32", torch.int32, np.int32)
uint8 = _make(4, "uint8", torch.uint8, np.uint8)
int16 = _make(5, "int16", torch.int16, np.int16)
int8 = _make(6, "int8", torch.int8, np.int8)
string = _make(7, "string", None, np.object_)
complex64 = _make(8, "complex64", torch.complex64, np.complex64)
int64 = _make(9, "int64", torch.int64, np.int64)
bool_ = _make(10, "bool", torch.bool, np.bool_)
qint8 = _make(11, "qint8", torch.int8, np.int8)
quint8 = _make(12, "quint8", torch.uint8, np.uint8)
qint32 = _make(13, "qint32", torch.int32, np.int32)
bfloat16 = _make(14, "bfloat16", torch.bfloat16, ml_dtypes.bfloat16)
qint16 = _make(15, "qint16", torch.int16, np.int16)
quint16 = _make(16, "quint16", torch.uint16, np.uint16)
uint16 = _make(17, "uint16", torch.uint16, np.uint16)
complex128 = _make(18, "complex128", torch.complex128, np.complex128)
float16 = half = _make(19, "float16", torch.float16, np.float16)
resource = _make(20, "resource", None, np.object_)
variant = _make(21, "variant", None, np.object_)
uint32 = _make(22, "uint32", torch.uint32, np.uint32)
uint64 = _make(23, "uint64", torch.uint64, np.uint64)
float8_e5m2 = _make(24, "float8_e5m2", torch.float8_e5m2, ml_dtypes.float8_e5m2)
float8_e4m3fn = _make(25, "float8_e4m3fn", torch.float8_e4m3fn, ml_dtypes.float8_e4m3fn)
float8_e4m3fnuz = _make(26, "float8_e4m3fnuz", torch.float8_e4m3fnuz, ml_dtypes.float8_e4m3fnuz)
float8_e5m2fnuz = _make(28, "float8_e5m2fnuz", torch.float8_e5m2fnuz, ml_dtypes.float8_e5m2fnuz)
double = float64

ALL = tuple(DType._by_enum.values())

float8_e4m3b11fnuz = _make(27, "float8_e4m3b11fnuz", _NO_STORAGE, ml_dtypes.float8_e4m3b11fnuz)
int4 = _make(29, "int4", _NO_STORAGE, ml_dtypes.int4)
uint4 = _make(30, "uint4", _NO_STORAGE, ml_dtypes.uint4)
int2 = _make(31, "int2", _NO_STORAGE, ml_dtypes.int2)
uint2 = _make(32, "uint2", _NO_STORAGE, ml_dtypes.uint2)
float4_e2m1fn = _make(33, "float4_e2m1fn", _NO_STORAGE, ml_dtypes.float4_e2m1fn)

# the types without storage
NARROW = (float8_e4m3b11fnuz, int4, uint4, int2, uint2, float4_e2m1fn)

FROM_TORCH: dict[torch.dtype, DType] = {
    d.torch: d for d in ALL if d.torch is not None and not d.is_quantized
}

_LOOKUP: dict = {d.name: d for d in ALL}
_LOOKUP |= {d._numpy: d for d in ALL if not d.is_quantized and d not in (resource, variant)}
_LOOKUP |= FROM_TORCH
_LOOKUP |= {d.name: d for d in NARROW} | {d._numpy: d for d in NARROW}
_LOOKUP |= {
    "float": float32,
    "half": float16,
    "double": float64,
    float: float32,
    bool: bool_,
    object: string,
    np.str_: string,
    np.bytes_: string,
}


def as_dtype(type_value) -> DType:
    """Converts a name, a NumPy or torch type, float, bool or object, or a `types.proto` number to
    a `DType`; Python's int and str have none, as in TensorFlow.

    Raises:
        TypeError: if there is no such type.
    """
    if type(type_value) is DType:
        return type_value
    try:
        found = _LOOKUP.get(type_value)
    except TypeError:
        found = None
    if found is not None:
        return found
    if isinstance(type_value, int) and type_value in DType._by_enum:
        return DType._by_enum[type_value]
    if isinstance(type_value, np.dtype) or (
        isinstance(type_value, type) and issubclass(type_value, np.generic)
    ):
        kind = np.dtype(type_value)
        if kind.kind in "SUT":
            return string
        if kind.type in _LOOKUP:
            return _LOOKUP[kind.type]
    # an object that carries a type, e.g. an array or a Keras dtype policy's result
    inner = getattr(type_value, "dtype", None)
    if inner is not None and inner is not type_value and not isinstance(type_value, type):
        return as_dtype(inner)
    raise TypeError(
        f"Cannot convert the argument `type_value`: {type_value!r} to a TensorFlow DType."
    )
