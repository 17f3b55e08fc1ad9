"""`tf.TensorShape`: a shape whose sizes, or rank, may be unknown."""

from __future__ import annotations

import operator

import torch

from torchtf.core import trace_type


class Dimension:
    """One size of a shape, as `TensorShape.dims` lists it; `value` is None when unknown."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = None if value is None else int(value)

    def __repr__(self):
        return f"Dimension({self.value})"

    def __str__(self):
        return "?" if self.value is None else str(self.value)

    def __eq__(self, other):
        other = other.value if isinstance(other, Dimension) else other
        if self.value is None or other is None:
            return None
        return self.value == other

    def __hash__(self):
        return hash(self.value)

    def __int__(self):
        return self.value

    __index__ = __int__

    def is_compatible_with(self, other) -> bool:
        """Whether the two may be one size."""
        other = _size(other)
        return self.value is None or other is None or self.value == other

    def assert_is_compatible_with(self, other) -> None:
        """Raises ValueError if the two cannot be one size."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Dimensions {self} and {Dimension(_size(other))} are not compatible")

    def merge_with(self, other) -> Dimension:
        self.assert_is_compatible_with(other)
        return Dimension(_size(other) if self.value is None else self.value)

    def _combined(self, other, function, swapped=False):
        other = _size(other)
        if self.value is None or other is None:
            return Dimension(None)
        return Dimension(function(other, self.value) if swapped else function(self.value, other))

    def __add__(self, other):
        return self._combined(other, operator.add)

    __radd__ = __add__

    def __sub__(self, other):
        return self._combined(other, operator.sub)

    def __rsub__(self, other):
        return self._combined(other, operator.sub, swapped=True)

    def __mul__(self, other):
        return self._combined(other, operator.mul)

    __rmul__ = __mul__

    def __floordiv__(self, other):
        return self._combined(other, operator.floordiv)

    def __rfloordiv__(self, other):
        return self._combined(other, operator.floordiv, swapped=True)

    def __mod__(self, other):
        return self._combined(other, operator.mod)

    def __rmod__(self, other):
        return self._combined(other, operator.mod, swapped=True)

    def _ordered(self, other, function):
        other = _size(other)
        return None if self.value is None or other is None else function(self.value, other)

    def __lt__(self, other):
        return self._ordered(other, operator.lt)

    def __le__(self, other):
        return self._ordered(other, operator.le)

    def __gt__(self, other):
        return self._ordered(other, operator.gt)

    def __ge__(self, other):
        return self._ordered(other, operator.ge)


def _size(value):
    """One size as an int, or None when it is unknown (None and symbolic sizes are)."""
    if value is None or type(value) is int:
        if value is not None and value < 0:
            raise ValueError(f"Dimension {value} must be >= 0")
        return value
    if isinstance(value, torch.SymInt):
        return None
    if isinstance(value, Dimension):
        return value.value
    try:
        return _size(value.__index__())
    except AttributeError:
        raise TypeError(
            f"Dimension value must be integer or None or have an __index__ method, "
            f"got value '{value!r}' with type '{type(value)!r}'"
        ) from None


class TensorShape(trace_type.Constant):
    """A possibly partial shape (source: `tf.TensorShape`).

    Args:
        dims: a sequence of sizes (None for an unknown one), an int for a vector, another
            `TensorShape`, or None for an unknown rank.

    Raises:
        ValueError: for a negative size.
        TypeError: for something that is no size.
    """

    __slots__ = ("_dims",)

    def __init__(self, dims):
        if dims is None:
            self._dims = None
        elif type(dims) is TensorShape:
            self._dims = dims._dims
        elif isinstance(dims, (list, tuple)):
            self._dims = tuple([_size(d) for d in dims])
        elif hasattr(dims, "dim") and not hasattr(dims, "shape"):  # a TensorShapeProto
            self._dims = (
                None
                if dims.unknown_rank
                else tuple(None if d.size == -1 else _size(int(d.size)) for d in dims.dim)
            )
        else:
            try:
                sizes = [_size(d) for d in dims]
            except TypeError:
                sizes = [_size(dims)]
            self._dims = tuple(sizes)

    @property
    def dims(self) -> list[Dimension] | None:
        return None if self._dims is None else [Dimension(d) for d in self._dims]

    @property
    def rank(self) -> int | None:
        return None if self._dims is None else len(self._dims)

    ndims = rank

    def as_list(self) -> list[int | None]:
        """The sizes.

        Raises:
            ValueError: if the rank is unknown.
        """
        if self._dims is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return list(self._dims)

    def num_elements(self) -> int | None:
        """The product of the sizes, or None unless all are known."""
        if not self.is_fully_defined():
            return None
        product = 1
        for d in self._dims:
            product *= d
        return product

    def is_fully_defined(self) -> bool:
        return self._dims is not None and None not in self._dims

    def assert_is_fully_defined(self) -> None:
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def is_compatible_with(self, other) -> bool:
        """True if some full shape is an instance of both."""
        other = as_shape(other)
        if self._dims is None or other._dims is None:
            return True
        return len(self._dims) == len(other._dims) and all(
            a is None or b is None or a == b for a, b in zip(self._dims, other._dims, strict=True)
        )

    def assert_is_compatible_with(self, other) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {as_shape(other)} are incompatible")

    def merge_with(self, other) -> TensorShape:
        """The shape with what is known of either.

        Raises:
            ValueError: if the two are not compatible.
        """
        other = as_shape(other)
        if self._dims is None:
            return other
        if other._dims is None:
            return self
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {other} are not compatible")
        return TensorShape(
            [a if a is not None else b for a, b in zip(self._dims, other._dims, strict=True)]
        )

    def concatenate(self, other) -> TensorShape:
        other = as_shape(other)
        if self._dims is None or other._dims is None:
            return unknown_shape()
        return TensorShape(self._dims + other._dims)

    def with_rank(self, rank: int) -> TensorShape:
        try:
            return self.merge_with(unknown_shape(rank=rank))
        except ValueError:
            raise ValueError(f"Shape {self} must have rank {rank}") from None

    def with_rank_at_least(self, rank: int) -> TensorShape:
        if self.rank is not None and self.rank < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        if self.rank is not None and self.rank > rank:
            raise ValueError(f"Shape {self} must have rank at most {rank}")
        return self

    def assert_has_rank(self, rank: int) -> None:
        if self.rank not in (None, rank):
            raise ValueError(f"Shape {self} must have rank {rank}")

    def assert_same_rank(self, other) -> None:
        other = as_shape(other)
        if None not in (self.rank, other.rank) and self.rank != other.rank:
            raise ValueError(f"Shapes {self} and {other} must have the same rank")

    def most_specific_compatible_shape(self, other) -> TensorShape:
        """The most specific shape that both are instances of."""
        other = as_shape(other)
        if self._dims is None or other._dims is None or self.rank != other.rank:
            return unknown_shape()
        return TensorShape(
            [a if a == b else None for a, b in zip(self._dims, other._dims, strict=True)]
        )

    def most_specific_common_supertype(self, others) -> TensorShape | None:
        shape = self
        for other in others:
            if not isinstance(other, TensorShape):
                return None
            shape = shape.most_specific_compatible_shape(other)
        return shape

    def is_subtype_of(self, other) -> bool:
        """True if every shape that is an instance of this one is an instance of `other`."""
        if not isinstance(other, TensorShape):
            return False
        if other._dims is None:
            return True
        return self.rank == other.rank and all(
            b is None or a == b for a, b in zip(self._dims, other._dims, strict=True)
        )

    def as_proto(self):
        """This shape as a `TensorShapeProto`."""
        from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

        if self._dims is None:
            return TensorShapeProto(unknown_rank=True)
        return TensorShapeProto(
            dim=[TensorShapeProto.Dim(size=-1 if d is None else d) for d in self._dims]
        )

    experimental_as_proto = as_proto

    @classmethod
    def experimental_from_proto(cls, proto) -> TensorShape:
        return cls(proto)

    @classmethod
    def experimental_type_proto(cls) -> type:
        """The class of `experimental_as_proto`'s result."""
        from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

        return TensorShapeProto

    def __len__(self):
        if self._dims is None:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return len(self._dims)

    def __bool__(self):
        return self._dims is not None

    def __iter__(self):
        if self._dims is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return iter(self._dims)

    def __getitem__(self, key):
        if self._dims is None:
            if isinstance(key, slice):
                start, stop = key.start or 0, key.stop
                if key.step is not None:
                    raise ValueError("Steps are not yet handled")
                if stop is None or start < 0 or stop < 0:
                    return unknown_shape()
                return unknown_shape(rank=max(stop - start, 0))
            return None
        if isinstance(key, slice):
            return TensorShape(self._dims[key])
        return self._dims[key]

    def __add__(self, other):
        return self.concatenate(other)

    def __radd__(self, other):
        return as_shape(other).concatenate(self)

    def __eq__(self, other):
        if type(other) is not TensorShape:
            if not isinstance(other, (list, tuple, int, torch.Size)) and other is not None:
                return NotImplemented
            try:
                other = TensorShape(other)
            except (TypeError, ValueError):
                return NotImplemented
        return self._dims == other._dims

    def __hash__(self):
        return hash(self._dims)

    def __repr__(self):
        return f"TensorShape({None if self._dims is None else list(self._dims)})"

    def __str__(self):
        return "<unknown>" if self._dims is None else str(self._dims)

    def __reduce__(self):
        return TensorShape, (self._dims,)


def brackets(sizes) -> str:
    """Sizes as the kernels of TensorFlow write them in messages: `[2,3]`."""
    return "[" + ",".join(map(str, sizes)) + "]"


def as_shape(shape) -> TensorShape:
    """A `TensorShape` of anything that is one or makes one."""
    return shape if type(shape) is TensorShape else TensorShape(shape)


def unknown_shape(rank: int | None = None) -> TensorShape:
    """A shape of unknown sizes, or of unknown rank."""
    return TensorShape(None if rank is None else [None] * rank)
