"""`tf.sparse.SparseTensor`: indices, values and a dense shape."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor, register_conversion
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec, TypeSpec
from torchtf.core.tensor import Tensor, is_fake, is_tensor_type


class SparseTensorValue(NamedTuple):
    """The three parts of a sparse tensor, as arrays (source: `tf.compat.v1.SparseTensorValue`)."""

    indices: Any
    values: Any
    dense_shape: Any


class SparseTensor:
    """A tensor that stores only some of its elements (source: `tf.sparse.SparseTensor`).

    Args:
        indices: int64 of shape [n, rank]: where the elements are.
        values: n elements.
        dense_shape: int64 of shape [rank].

    Raises:
        ValueError: if the three do not fit.
        TypeError: if indices or shape are no integers.
    """

    __slots__ = ("__weakref__", "_dense_shape", "_indices", "_static", "_values")

    def __init__(self, indices, values, dense_shape):
        indices = _int64(indices)
        values = convert_to_tensor(values)
        static = None
        if isinstance(dense_shape, TensorShape):
            dense_shape = dense_shape.as_list()
        if isinstance(dense_shape, (list, tuple)) and all(isinstance(s, int) for s in dense_shape):
            static = TensorShape(dense_shape)
        dense_shape = _int64(dense_shape)
        for tensor, rank in ((indices, 2), (values, 1), (dense_shape, 1)):
            if tensor.shape.rank != rank:
                raise ValueError(f"Shape {tensor.shape} must have rank {rank}")
        for a, b in (
            (indices.shape[0], values.shape[0]), (indices.shape[1], dense_shape.shape[0]),
        ):  # fmt: skip
            if None not in (a, b) and a != b:
                raise ValueError(f"Dimensions {a} and {b} are not compatible")
        self._indices, self._values, self._dense_shape = indices, values, dense_shape
        self._static = static or _static_shape(dense_shape)

    @classmethod
    def from_value(cls, sparse_tensor_value) -> SparseTensor:
        """Of another sparse tensor, or a (indices, values, dense_shape) named tuple."""
        value = sparse_tensor_value
        if not all(hasattr(value, n) for n in ("indices", "values", "dense_shape")):
            raise TypeError(
                f"Argument sparse_tensor_value={value} is neither a SparseTensor nor "
                "SparseTensorValue."
            )
        return cls(value.indices, value.values, value.dense_shape)

    @property
    def indices(self) -> Tensor:
        return self._indices

    @property
    def values(self) -> Tensor:
        return self._values

    @property
    def dense_shape(self) -> Tensor:
        return self._dense_shape

    @property
    def dtype(self) -> dtypes.DType:
        return self._values.dtype

    @property
    def shape(self) -> TensorShape:
        return self._static

    def get_shape(self) -> TensorShape:
        return self._static

    def set_shape(self, shape) -> None:
        """Adds what `shape` knows to the static shape.

        Raises:
            ValueError: if the two are not compatible.
        """
        self._static = self._static.merge_with(shape)

    def with_values(self, new_values) -> SparseTensor:
        """The same places with other values."""
        return SparseTensor(self._indices, new_values, self._dense_shape)

    @property
    def graph(self):
        return self._values.graph

    @property
    def op(self):
        return self._values.op

    def consumers(self):
        raise NotImplementedError(
            "SparseTensor.consumers belongs to TF 1 graphs; there is no list of consumers."
        )

    def eval(self, feed_dict=None, session=None):
        raise NotImplementedError(
            "SparseTensor.eval belongs to TF 1 sessions; use tf.sparse.to_dense(x).numpy()."
        )

    # -- as a composite tensor

    @property
    def _type_spec(self) -> SparseTensorSpec:
        return SparseTensorSpec(self.shape, self.dtype)

    @staticmethod
    def __tf_dispatch__(op, args):
        from torchtf.sparse._dispatch import call

        return call(op, args)

    def __mul__(self, y):
        from torchtf.sparse._ops import times_dense

        return times_dense(self, y)

    def __truediv__(self, y):
        from torchtf.sparse._ops import over_dense

        return over_dense(self, y)

    def __repr__(self):
        return (
            f"SparseTensor(indices={self._indices!s}, values={self._values!s}, "
            f"dense_shape={self._dense_shape!s})"
        )


def _int64(value) -> Tensor:
    if is_tensor_type(value) or hasattr(type(value), "_tape_read"):
        return convert_to_tensor(value, dtype=dtypes.int64)
    if isinstance(value, (list, tuple)):
        return convert_to_tensor(value, dtype=dtypes.int64)
    tensor = convert_to_tensor(value)
    if tensor.dtype is dtypes.int64:
        return tensor
    if not tensor.dtype.is_integer:
        raise TypeError(f"Cannot convert {value} to EagerTensor of dtype int64")
    return Tensor(tensor._data.to(torch.int64))


def _static_shape(dense_shape: Tensor) -> TensorShape:
    data = dense_shape._data
    if is_fake(data):
        rank = data.shape[0]
        sizes = getattr(dense_shape, "_sizes", None)
        if sizes is not None:
            return TensorShape(list(sizes))
        return TensorShape([None] * rank if isinstance(rank, int) else None)
    return TensorShape(data.tolist())


class SparseTensorSpec(TypeSpec):
    """The type of a sparse tensor (source: `tf.SparseTensorSpec`).

    Args:
        shape: a partial shape.
        dtype: the type of the values.
    """

    __slots__ = ("_dtype", "_shape")

    def __init__(self, shape=None, dtype=dtypes.float32):
        self._shape = TensorShape(shape)
        self._dtype = dtypes.as_dtype(dtype)

    @property
    def shape(self) -> TensorShape:
        return self._shape

    @property
    def dtype(self) -> dtypes.DType:
        return self._dtype

    @property
    def value_type(self):
        return SparseTensor

    @property
    def _component_specs(self) -> list:
        rank = self._shape.rank
        return [
            TensorSpec([None, rank], dtypes.int64),
            TensorSpec([None], self._dtype),
            TensorSpec([rank], dtypes.int64),
        ]

    def _to_components(self, value) -> list:
        value = SparseTensor.from_value(value)
        return [value.indices, value.values, value.dense_shape]

    def _from_components(self, components) -> SparseTensor:
        result = SparseTensor(*components)
        if self._shape.rank == result.shape.rank:
            result._static = self._shape.merge_with(result._static)
        return result

    def _serialize(self) -> tuple:
        return (self._shape, self._dtype)

    def _batch(self, batch_size) -> SparseTensorSpec:
        return SparseTensorSpec(TensorShape([batch_size]).concatenate(self._shape), self._dtype)

    def _unbatch(self) -> SparseTensorSpec:
        if self._shape.rank == 0:
            raise ValueError("Unbatching a tensor is only supported for rank >= 1")
        return SparseTensorSpec(self._shape[1:], self._dtype)

    @classmethod
    def from_value(cls, value) -> SparseTensorSpec:
        return cls(value.shape, value.dtype)

    def is_compatible_with(self, spec_or_value) -> bool:
        other = spec_or_value
        if isinstance(other, SparseTensor):
            other = other._type_spec
        return (
            isinstance(other, SparseTensorSpec)
            and self._dtype is other._dtype
            and self._shape.is_compatible_with(other._shape)
        )

    def is_subtype_of(self, other) -> bool:
        return self.is_compatible_with(other) and self._shape.is_subtype_of(other._shape)

    def most_specific_compatible_type(self, other) -> SparseTensorSpec:
        if not isinstance(other, SparseTensorSpec) or self._dtype is not other._dtype:
            raise ValueError(f"Types are not compatible: {self!r} vs {other!r}")
        return SparseTensorSpec(
            self._shape.most_specific_compatible_shape(other._shape), self._dtype
        )

    def __eq__(self, other):
        return type(other) is type(self) and self._serialize() == other._serialize()

    def __hash__(self):
        return hash(self._serialize())

    def __repr__(self):
        return f"SparseTensorSpec({self._shape!r}, {self._dtype!r})"

    def __reduce__(self):
        return SparseTensorSpec, (self._shape, self._dtype)


def _refuse_conversion(value, dtype=None, name=None, as_ref=False):
    raise ValueError(
        f"Attempt to convert a value ({value!r}) with an unsupported type ({type(value)!r}) to a "
        "Tensor."
    )


register_conversion(SparseTensor, _refuse_conversion)
