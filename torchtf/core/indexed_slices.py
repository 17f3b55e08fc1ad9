"""`tf.IndexedSlices`: some rows of a tensor."""

from __future__ import annotations

import torch

from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor, register_conversion, sizes_of, to_shape
from torchtf.core.op import op
from torchtf.core.shape import TensorShape, as_shape
from torchtf.core.specs import TensorSpec, TypeSpec
from torchtf.core.tensor import SymbolicTensor


class IndexedSlices:
    """Rows of a tensor and their indices (source: `tf.IndexedSlices`).

    It stands for a tensor of shape `dense_shape` that is zero but for `tensor[indices] += values`.

    Args:
        values: a tensor [n, ...].
        indices: an integer vector [n].
        dense_shape: the shape of the whole tensor, or None.
    """

    def __init__(self, values, indices, dense_shape=None):
        self._values = values
        self._indices = indices
        self._dense_shape = dense_shape

    @property
    def values(self):
        """The rows."""
        return self._values

    @property
    def indices(self):
        """Their indices."""
        return self._indices

    @property
    def dense_shape(self):
        """The shape of the whole tensor as a vector, or None."""
        if type(self._dense_shape) is torch.Size:  # as the tape gives it: seldom asked for
            return convert_to_tensor(list(self._dense_shape), dtypes.int32)
        return self._dense_shape

    @property
    def shape(self) -> TensorShape:
        sizes = self._dense_shape
        if sizes is None:
            return TensorShape(None)
        if isinstance(sizes, TensorSpec) or (
            type(sizes) is SymbolicTensor and sizes_of(sizes) is None
        ):
            return TensorShape([None] * (sizes.shape[0] or 0))  # only their number is known
        return TensorShape([d if isinstance(d, int) else None for d in to_shape(sizes)])

    @property
    def name(self) -> str:
        return self._values.name

    @property
    def device(self) -> str:
        return self._values.device

    @property
    def op(self):
        return self._values.op

    @property
    def graph(self):
        return self._values.graph

    @property
    def dtype(self) -> dtypes.DType:
        return self._values.dtype

    @property
    def _type_spec(self) -> IndexedSlicesSpec:
        return IndexedSlicesSpec(
            self.shape, self.dtype, self.indices.dtype,
            None if self._dense_shape is None else self.dense_shape.dtype, self.indices.shape,
        )  # fmt: skip

    def _with_values(self, values) -> IndexedSlices:
        """The same rows with other values."""
        return IndexedSlices(values, self._indices, self._dense_shape)

    def consumers(self) -> list:
        raise NotImplementedError(
            "IndexedSlices.consumers belongs to TF 1 graphs and is not supported."
        )

    def __neg__(self):
        return self._with_values(-self._values)

    def __str__(self):  # its repr is Python's, as in TensorFlow
        shape = "" if self._dense_shape is None else ", dense_shape=" + str(self.dense_shape)
        return "IndexedSlices(indices=%s, values=%s%s)" % (self._indices, self._values, shape)  # noqa: UP031


class IndexedSlicesSpec(TypeSpec):
    """The type of an `IndexedSlices` (source: `tf.IndexedSlicesSpec`).

    Args:
        shape: the partial shape of the whole tensor.
        dtype: the type of its elements.
        indices_dtype: the type of the indices.
        dense_shape_dtype: the type of `dense_shape`; None if there is none.
        indices_shape: the partial shape of the indices.
    """

    __slots__ = ("_dense_shape_dtype", "_dtype", "_indices_dtype", "_indices_shape", "_shape")

    def __init__(
        self,
        shape=None,
        dtype=dtypes.float32,
        indices_dtype=dtypes.int64,
        dense_shape_dtype=None,
        indices_shape=None,
    ):
        self._shape = as_shape(shape)
        self._dtype = dtypes.as_dtype(dtype)
        self._indices_dtype = dtypes.as_dtype(indices_dtype)
        self._dense_shape_dtype = (
            None if dense_shape_dtype is None else dtypes.as_dtype(dense_shape_dtype)
        )
        self._indices_shape = as_shape(indices_shape).with_rank(1)

    @property
    def value_type(self):
        return IndexedSlices

    def most_specific_compatible_type(self, other) -> IndexedSlicesSpec:
        """The type that both are instances of.

        Raises:
            ValueError: if there is none.
        """
        if type(other) is not type(self):
            raise ValueError(f"No TypeSpec is compatible with both {self!r} and {other!r}")
        merged = []
        for mine, theirs in zip(self._serialize(), other._serialize(), strict=True):
            if isinstance(mine, TensorShape):
                mine = mine.most_specific_compatible_shape(theirs)
            elif mine is not theirs:
                raise ValueError(f"No TypeSpec is compatible with both {self!r} and {other!r}")
            merged.append(mine)
        return IndexedSlicesSpec(*merged)

    def _serialize(self):
        return (
            self._shape, self._dtype, self._indices_dtype, self._dense_shape_dtype,
            self._indices_shape,
        )  # fmt: skip

    def _to_components(self, value):
        parts = [value.values, value.indices]
        return parts if value.dense_shape is None else [*parts, value.dense_shape]

    def _from_components(self, components):
        return IndexedSlices(*components)

    @property
    def _component_specs(self):
        rows = self._indices_shape
        specs = [
            TensorSpec(rows.concatenate(self._shape[1:]), self._dtype),
            TensorSpec(rows, self._indices_dtype),
        ]
        if self._dense_shape_dtype is not None:
            specs.append(TensorSpec([self._shape.rank], self._dense_shape_dtype))
        return specs

    def __eq__(self, other):
        return type(other) is type(self) and self._serialize() == other._serialize()

    def __hash__(self):
        return hash(self._serialize())

    def __repr__(self):
        return f"IndexedSlicesSpec{self._serialize()!r}"


@op("UnsortedSegmentSum")
def _densify(values: Num, indices: Ids, rows):  # type: ignore[name-defined]
    out = torch.zeros((rows, *values.shape[1:]), dtype=values.dtype, device=values.device)
    return out.index_add(0, indices, values)


def _to_tensor(value, dtype=None, name=None, as_ref=False):
    """The whole tensor."""
    if dtype is not None and dtypes.as_dtype(dtype) is not value.dtype:
        raise ValueError(
            f"Tensor conversion requested dtype {dtypes.as_dtype(dtype).name} for IndexedSlices "
            f"with dtype {value.dtype.name}"
        )
    if value._dense_shape is None:
        raise ValueError(
            "Tensor conversion requested for IndexedSlices for which dense_shape is None: "
            f"{value!r}"
        )
    rows = to_shape(value._dense_shape)[0]
    return _densify(convert_to_tensor(value.values), value.indices, rows)


register_conversion(IndexedSlices, _to_tensor)

__all__ = ["IndexedSlices", "IndexedSlicesSpec"]
