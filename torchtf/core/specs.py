"""`tf.TensorSpec` and `tf.TypeSpec`: descriptions of what flows between functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torchtf.core import dtypes
from torchtf.core.shape import TensorShape, as_shape


class TypeSpec:
    """A description of a type of values (source: `tf.TypeSpec`).

    Subclasses give `value_type`, `_serialize`, `_component_specs`, `_to_components` and
    `_from_components`.
    """

    __slots__ = ("__weakref__",)

    most_specific_compatible_type: Callable[[Any], Any]

    def is_compatible_with(self, spec_or_value) -> bool:
        other = spec_or_value
        if not isinstance(other, TypeSpec):
            other = type_spec_from_value(other)
        return type(self) is type(other) and self.most_specific_compatible_type(other) == self

    def is_subtype_of(self, other) -> bool:
        return type(self) is type(other) and other.is_compatible_with(self)

    def most_specific_common_supertype(self, others):
        result = self
        for other in others:
            if type(result) is not type(other):
                return None
            try:
                result = result.most_specific_compatible_type(other)
            except ValueError:
                return None
        return result

    def __ne__(self, other):
        return not self == other


class TensorSpec(TypeSpec):
    """The dtype and partial shape of a tensor (source: `tf.TensorSpec`).

    Args:
        shape: a shape, sizes may be None; None for an unknown rank.
        dtype: the element type.
        name: an optional name, used for the arguments of traced functions.
    """

    __slots__ = ("_dtype", "_name", "_shape")

    def __init__(self, shape, dtype=dtypes.float32, name: str | None = None):
        self._shape = as_shape(shape)
        self._dtype = dtypes.as_dtype(dtype)
        self._name = name

    @property
    def value_type(self):
        from torchtf.core.tensor import Tensor

        return Tensor

    @property
    def shape(self) -> TensorShape:
        return self._shape

    @property
    def dtype(self) -> dtypes.DType:
        return self._dtype

    @property
    def name(self) -> str | None:
        return self._name

    @classmethod
    def from_spec(cls, spec, name: str | None = None) -> TensorSpec:
        return cls(spec.shape, spec.dtype, name or spec.name)

    @classmethod
    def from_tensor(cls, tensor, name: str | None = None) -> TensorSpec:
        if getattr(tensor, "is_symbolic_tensor", False):
            return cls(tensor.shape, tensor.dtype, name or tensor.name.split(":")[0])
        return cls(tensor.shape, tensor.dtype, name)

    # -- the tracing protocol

    def placeholder_value(self, placeholder_context):
        """A symbolic tensor of this type, an input of the trace under way.

        Raises:
            RuntimeError: outside of a trace.
        """
        from torchtf.core import graph
        from torchtf.core.tensor import wrap

        trace = graph.state.trace
        if trace is None:
            raise RuntimeError("TensorSpec.placeholder_value needs a tf.function being traced")
        return wrap(trace.fake_like(list(self._shape), self._dtype.torch or self._dtype))

    def flatten(self) -> list:
        return [self]

    def to_tensors(self, value) -> list:
        """The tensor of this type that a value makes.

        Raises:
            TypeError, ValueError: if it makes none.
        """
        return [self.cast(value, None)]

    def from_tensors(self, tensors):
        return next(tensors)

    def cast(self, value, casting_context):
        """A value as a tensor of this type.

        Raises:
            TypeError: if it does not fit.
        """
        from torchtf.core.convert import convert_to_tensor

        tensor = convert_to_tensor(value, dtype=self._dtype)
        if not self.is_compatible_with(tensor):
            have = TensorSpec(tensor.shape, tensor.dtype)
            raise TypeError(f"Can not cast {have!r} to {self!r}")
        return tensor

    def experimental_as_proto(self):
        """This spec as a `TensorSpecProto`."""
        return self.experimental_type_proto()(
            name=self._name or "", shape=self._shape.as_proto(), dtype=self._dtype._enum
        )

    @classmethod
    def experimental_from_proto(cls, proto) -> TensorSpec:
        return cls(TensorShape(proto.shape), dtypes.DType(proto.dtype), proto.name or None)

    @classmethod
    def experimental_type_proto(cls) -> type:
        """The class of `experimental_as_proto`'s result."""
        from tensorboard.compat.proto.struct_pb2 import TensorSpecProto

        return TensorSpecProto

    def is_compatible_with(self, spec_or_tensor) -> bool:
        other = spec_or_tensor
        return (
            getattr(other, "dtype", None) == self._dtype
            and hasattr(other, "shape")
            and self._shape.is_compatible_with(other.shape)
        )

    def is_subtype_of(self, other) -> bool:
        return (
            isinstance(other, TensorSpec)
            and self._dtype is other._dtype
            and self._shape.is_subtype_of(other._shape)
        )

    def most_specific_compatible_type(self, other) -> TensorSpec:
        if not isinstance(other, TensorSpec) or self._dtype is not other._dtype:
            raise ValueError(f"Types are not compatible: {self!r} vs {other!r}")
        return TensorSpec(
            self._shape.most_specific_compatible_shape(other._shape),
            self._dtype,
            self._name if self._name == other._name else None,
        )

    def most_specific_common_supertype(self, others) -> TensorSpec | None:
        result = self
        for other in others:
            try:
                result = result.most_specific_compatible_type(other)
            except ValueError:
                return None
        return result

    def __eq__(self, other):
        return (
            type(other) is type(self)
            and self._shape == other._shape
            and self._dtype is other._dtype
            and self._name == other._name
        )

    def __hash__(self):
        return hash((self._shape, self._dtype))

    def __repr__(self):
        return f"TensorSpec(shape={self._shape}, dtype={self._dtype!r}, name={self._name!r})"

    def __reduce__(self):
        return TensorSpec, (self._shape, self._dtype, self._name)


def type_spec_from_value(value):
    """The spec that describes a value (source: `tf.type_spec_from_value`).

    Raises:
        TypeError: if it has none.
    """
    from torchtf.core.convert import convert_to_tensor
    from torchtf.core.tensor import is_tensor_type

    if is_tensor_type(value):
        return TensorSpec(value.shape, value.dtype)
    spec = getattr(value, "_type_spec", None)
    if spec is not None:
        return spec
    try:
        tensor = convert_to_tensor(value)
    except (ValueError, TypeError):
        raise TypeError(
            f"Could not build a TypeSpec for {value!r} with type {type(value).__name__}"
        ) from None
    return TensorSpec(tensor.shape, tensor.dtype)
