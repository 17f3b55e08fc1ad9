"""Tensors of an ONNX graph while it is rebuilt in TensorFlow.

ONNX convolutions are channels-first, TensorFlow's (and every kernel of LiteRT) channels-last. No
guess about layouts is ever made: a `Value` is a TensorFlow tensor together with the order in
which its physical axes hold the logical (ONNX) ones. An ONNX ``Transpose`` changes that order and
emits nothing; an operator asks for the order that it needs, and only then a transposition is
written. Elementwise chains, reductions, concatenations and paddings run in whatever order their
operands lie, so a channels-first network becomes a channels-last one with transpositions at its
borders only.

Contract:

* `Value.order[p]` is the logical axis that lies at physical position ``p``;
* a `Reshaped` is not computed before an operator needs it;
* a `Constant` holds a NumPy array, is transposed for nothing, and becomes a variable or a
  ``Const`` node when an operator uses it;
* `Sizes` is a scalar or vector of sizes some of which are known: shape arithmetic stays
  arithmetic, so that reshapes keep their static dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf


def identity(rank: int) -> tuple[int, ...]:
    """The logical order of a tensor of `rank`."""
    return tuple(range(rank))


def channels_last(rank: int) -> tuple[int, ...]:
    """The order (N, spatial..., C) of a logical (N, C, spatial...) tensor."""
    return (0, *range(2, rank), 1) if rank > 1 else identity(rank)


class Value:
    """A TensorFlow tensor whose physical axis ``p`` holds the logical axis ``order[p]``."""

    __slots__ = ("nonnegative", "order", "physical", "unpadded")

    def __init__(self, tensor, order: Sequence[int] | None = None, *, nonnegative: bool = False):
        self.physical = tensor
        self.order = identity(tensor.shape.rank) if order is None else tuple(order)
        self.nonnegative = nonnegative  # then a zero is as good a padding for a maximum as -inf
        self.unpadded: tuple[Value, list] | None = (
            None  # (value, pads) when this is `value` padded with zeros
        )

    @property
    def rank(self) -> int:
        return len(self.order)

    @property
    def dtype(self) -> tf.DType:
        return self.physical.dtype

    @property
    def shape(self) -> list[int | None]:
        """Logical static shape."""
        physical = self.physical.shape.as_list()
        return [physical[self.order.index(axis)] for axis in range(self.rank)]

    def position(self, axis: int) -> int:
        """Physical position of a logical axis (which may count from the end)."""
        return self.order.index(axis % self.rank)

    def size(self, axis: int):
        """A logical size: an int where it is known, else a scalar int32 tensor."""
        known = self.shape[axis]
        if known is not None:
            return known
        return tf.shape(self.physical)[self.position(axis)]

    def tensor(self, order: Sequence[int] | None = None):
        """The tensor with its axes in `order` (default: the logical order)."""
        order = identity(self.rank) if order is None else tuple(order)
        if order == self.order:
            return self.physical
        permutation = [self.order.index(axis) for axis in order]
        shape = self.physical.shape.as_list()
        moved = [p for p in permutation if shape[p] != 1]
        if moved == sorted(moved) and sum(s is None for s in shape) <= 1:
            # only axes of size 1 move: a reshape costs nothing
            return tf.reshape(
                self.physical, [-1 if shape[p] is None else shape[p] for p in permutation]
            )
        return tf.transpose(self.physical, permutation)

    def transposed(self, permutation: Sequence[int]) -> Value:
        """ONNX Transpose: output axis ``i`` is input axis ``permutation[i]``."""
        renamed = [permutation.index(axis) for axis in self.order]
        return Value(self.physical, renamed, nonnegative=self.nonnegative)

    def map(self, function: Callable, **flags) -> Value:
        """An elementwise function of one tensor."""
        return Value(function(self.physical), self.order, **flags)

    @property
    def in_order(self) -> bool:
        """Whether its elements lie as in the logical order: at most axes of size 1 are moved."""
        shape = self.shape
        moved = [axis for axis in self.order if shape[axis] != 1]
        return moved == sorted(moved)

    @property
    def source(self) -> Value:
        """The value whose elements these are, in the same places in memory."""
        return self

    def sizes(self) -> list:
        """The logical sizes: -1 for one that is not known, scalar tensors for several."""
        shape = self.shape
        if sum(s is None for s in shape) == 1:
            return [-1 if s is None else s for s in shape]
        return [self.size(axis) for axis in range(self.rank)]


class Reshaped(Value):
    """A value in another shape, computed where it is needed.

    Until then a further shape is one of its source, and a product over the last axis can do with
    the source.
    """

    __slots__ = ("_graph", "_made", "_sizes", "_source")

    def __init__(self, source: Value, sizes: Sequence, order: Sequence[int] | None = None):
        self._source = source
        self._sizes = list(sizes)  # physical
        unknown = [i for i, s in enumerate(self._sizes) if not is_known(s) or s == -1]
        elements = [s for s in source.shape if s is not None]
        if len(unknown) == 1 and len(elements) == source.rank:
            rest = math.prod(s for i, s in enumerate(self._sizes) if i not in unknown)
            self._sizes[unknown[0]] = math.prod(elements) // rest if rest else -1
        self.order = identity(len(self._sizes)) if order is None else tuple(order)
        self.nonnegative = source.nonnegative
        self.unpadded = None
        self._made = None
        self._graph = tf.compat.v1.get_default_graph()

    @property
    def source(self) -> Value:
        return self._source

    @property
    def physical(self):
        made = self._made
        if made is None:
            made = tf.reshape(self._source.physical, reshape_operand(self._sizes))
            if tf.compat.v1.get_default_graph() is self._graph:  # a branch keeps it to itself
                self._made = made
        return made

    @property
    def dtype(self) -> tf.DType:
        return self._source.dtype

    @property
    def shape(self) -> list[int | None]:
        known = [s if is_known(s) and s != -1 else None for s in self._sizes]
        return [known[self.order.index(axis)] for axis in range(self.rank)]

    def size(self, axis: int):
        given = self._sizes[self.position(axis)]
        return super().size(axis) if is_known(given) else tf.cast(given, tf.int32)

    def sizes(self) -> list:
        return [self._sizes[self.order.index(axis)] for axis in range(self.rank)]

    def transposed(self, permutation: Sequence[int]) -> Value:
        renamed = [permutation.index(axis) for axis in self.order]
        return Reshaped(self._source, self._sizes, renamed)


def reshaped(value: Value, sizes: Sequence) -> Value | None:
    """`value`, whose elements lie in order, in another logical shape; None if they do not.

    `sizes` holds ints, of which one may be -1, and scalar tensors.
    """
    if isinstance(value, (Constant, Sizes)) or not value.in_order:
        return None
    source = value.source
    shape = source.shape
    open_sizes = [s is None for s in shape]
    known = [s if is_known(s) and s != -1 else None for s in sizes]
    if shape == known and sum(open_sizes) <= 1 and source.order == identity(source.rank):
        return source  # the elements are as many, so an unknown size is the same, too
    return Reshaped(source, sizes)


class Constant(Value):
    """A NumPy array; `name` says which parameter of the source model it is, if it is one."""

    __slots__ = ("array", "lift", "name")

    def __init__(self, array: np.ndarray, lift: Callable, name: str | None = None, order=None):
        self.array = array
        self.lift = lift  # (array, name, order) -> tensor
        self.name = name
        self.order = identity(array.ndim) if order is None else tuple(order)
        self.unpadded = None
        self.nonnegative = False

    @property
    def physical(self):
        return self.lift(self.array, self.name, None)

    @property
    def dtype(self) -> tf.DType:
        return tf.as_dtype(self.array.dtype)

    @property
    def shape(self) -> list[int | None]:
        return [self.array.shape[self.order.index(axis)] for axis in range(self.rank)]

    def numpy(self) -> np.ndarray:
        """The array in logical order."""
        return self.array.transpose([self.order.index(axis) for axis in range(self.rank)])

    def tensor(self, order=None):
        order = identity(self.rank) if order is None else tuple(order)
        permutation = tuple(self.order.index(axis) for axis in order)
        return self.lift(self.array.transpose(permutation), self.name, permutation)

    def reshaped(self, sizes: Sequence[int]) -> Constant:
        """The array in another logical shape."""
        name = self.name if self.order == identity(self.rank) else None
        return Constant(self.numpy().reshape(sizes), self.lift, name)

    def transposed(self, permutation) -> Constant:
        renamed = [list(permutation).index(axis) for axis in self.order]
        return Constant(self.array, self.lift, self.name, renamed)

    def map(self, function: Callable, **flags) -> Value:
        return Value(function(self.tensor()), **flags)


class Sizes(Value):
    """A scalar or vector of sizes: ints where they are known, scalar int32 tensors elsewhere.

    ONNX has them as int64; a cast to int32 is remembered for the operators that compute with them.
    """

    __slots__ = ("_dtype", "elements", "is_scalar")

    def __init__(self, elements: Sequence, is_scalar: bool = False, dtype: tf.DType = tf.int64):
        self.elements = list(elements)
        self.is_scalar = is_scalar
        self._dtype = dtype
        self.order = () if is_scalar else (0,)
        self.unpadded = None
        self.nonnegative = False

    def like(self, elements: Sequence, is_scalar: bool = False) -> Sizes:
        """Other sizes of the same dtype."""
        return Sizes(elements, is_scalar, self.dtype)

    @property
    def physical(self):
        parts = [tf.cast(e, self.dtype) for e in self.elements]
        return (
            parts[0] if self.is_scalar else tf.stack(parts) if parts else tf.zeros([0], self.dtype)
        )

    @property
    def dtype(self) -> tf.DType:
        return self._dtype

    @property
    def shape(self):
        return [] if self.is_scalar else [len(self.elements)]

    def tensor(self, order=None):
        return self.physical


def as_strings(value: Value) -> Value:
    """A value that is one of strings: a graph has zeros where strings are empty."""
    if value.dtype == tf.string:
        return value
    return Value(tf.fill(tf.shape(value.physical), ""), value.order)


def as_sizes(value: Value) -> list | None:
    """The elements of a shape operand as ints and scalar tensors; None if it is not known by
    element.
    """
    if isinstance(value, Sizes):
        return value.elements
    if isinstance(value, Constant):
        return [int(e) for e in value.numpy().reshape(-1)]
    if value.rank == 1 and value.shape[0] is not None:
        tensor = tf.cast(value.tensor(), tf.int32)
        return [tensor[i] for i in range(value.shape[0])]
    if value.rank == 0:
        return [tf.cast(value.tensor(), tf.int32)]
    return None


def is_known(element) -> bool:
    """Whether a size is a number already."""
    return isinstance(element, int)


def shape_operand(elements: Sequence):
    """A shape argument for a TensorFlow op: a list of ints when all are known, else a vector."""
    if all(is_known(e) for e in elements):
        return [int(e) for e in elements]
    return tf.stack([tf.cast(e, tf.int32) for e in elements])


def reshape_operand(elements: Sequence):
    """As `shape_operand`; one unknown size is written as -1, which keeps the rest static."""
    unknown = [i for i, e in enumerate(elements) if not is_known(e)]
    known = [e for e in elements if is_known(e)]
    if len(unknown) == 1 and -1 not in known and 0 not in known:
        return [-1 if i in unknown else e for i, e in enumerate(elements)]
    return shape_operand(elements)


def common_order(values: Sequence[Value], rank: int) -> tuple[int, ...]:
    """The order most elements already lie in."""
    votes: dict[tuple[int, ...], float] = {}
    for value in values:
        if isinstance(value, (Constant, Sizes)) or value.rank < rank:
            continue
        weight = math.prod(s or 8 for s in value.shape)
        votes[value.order] = votes.get(value.order, 0) + weight
    return max(votes, key=lambda order: votes[order]) if votes else identity(rank)


def _arranged(value: Value, order: tuple[int, ...]):
    """`value`, broadcast from the left to the rank of `order`, as a tensor in that order."""
    missing = len(order) - value.rank
    own = tuple(axis - missing for axis in order if axis >= missing)
    keeps = [axis >= missing for axis in order]
    while keeps and not keeps[0]:
        keeps.pop(0)  # leading ones are implied by broadcasting
    if isinstance(value, Constant):
        shape = value.shape
        aligned = iter(own)
        full = [shape[next(aligned)] or 0 if keep else 1 for keep in keeps]
        trailing = full
        while len(trailing) > 1 and trailing[0] == 1:
            trailing = trailing[1:]
        array = value.array.transpose([value.order.index(axis) for axis in own]).reshape(trailing)
        permutation = None if value.name is None else tuple(value.order.index(axis) for axis in own)
        return value.lift(array, value.name, permutation)
    tensor = value.tensor(own)
    for position, keep in enumerate(keeps):
        if not keep:
            tensor = tf.expand_dims(tensor, position)
    return tensor


def elementwise(function: Callable, *values: Value, **flags) -> Value:
    """A broadcasting function of several tensors, computed in the order that most of them lie
    in.
    """
    rank = max(value.rank for value in values)
    order = common_order(values, rank)
    return Value(function(*(_arranged(value, order) for value in values)), order, **flags)


def reduction(function: Callable, value: Value, axes: Sequence[int], keepdims: bool) -> Value:
    """A reduction ``function(tensor, physical_axes, keepdims)`` over logical axes."""
    axes = sorted(axis % value.rank for axis in axes)
    tensor = value.tensor(value.order)
    result = function(tensor, [value.position(axis) for axis in axes], keepdims)
    if keepdims:
        return Value(result, value.order)
    kept = [axis for axis in value.order if axis not in axes]
    return Value(result, [axis - sum(a < axis for a in axes) for axis in kept])


def axis_last(value: Value, axis: int) -> tuple[int, ...]:
    """The order of `value` with `axis` moved to the end."""
    axis %= value.rank
    return (*[a for a in value.order if a != axis], axis)


def regrouped(value: Value, target: list) -> Value | None:
    """Reshape that stays close to the physical order: axes move only where merged ones lie apart.

    `target` holds ints and at most one scalar tensor (or -1), which must match the one unknown
    size of `value`. Returns None where the groups of split and merged axes cannot be told.
    """
    source: list[Any] = value.shape
    unknown = [i for i, s in enumerate(source) if s is None]
    dynamic = [i for i, e in enumerate(target) if not is_known(e) or e == -1]
    if len(unknown) > 1 or len(dynamic) > 1 or 0 in source:
        return None
    rest = math.prod(s for s in source if s is not None)
    goal = math.prod(e for i, e in enumerate(target) if i not in dynamic)
    if unknown and dynamic and rest == goal:
        mark = -1  # the unknown size passes through
        sizes_in = [mark if s is None else s for s in source]
        sizes_out = [mark if i in dynamic else e for i, e in enumerate(target)]
    elif not unknown and dynamic and goal:
        sizes_in = list(source)
        sizes_out = [rest // goal if i in dynamic else e for i, e in enumerate(target)]
    elif not unknown:
        sizes_in, sizes_out = list(source), list(target)
    else:
        return None

    groups, i, j = [], 0, 0
    while i < len(sizes_in) or j < len(sizes_out):
        ins, outs = [], []
        if i < len(sizes_in) and j < len(sizes_out) and sizes_in[i] == sizes_out[j]:
            ins, outs, i, j = [i], [j], i + 1, j + 1
        elif j < len(sizes_out) and sizes_out[j] == 1:
            outs, j = [j], j + 1
        elif i < len(sizes_in) and sizes_in[i] == 1:
            ins, i = [i], i + 1  # an axis of size 1 goes
        else:
            if i >= len(sizes_in) or j >= len(sizes_out) or -1 in (sizes_in[i], sizes_out[j]):
                return None
            ins, outs, a, b = [i], [j], sizes_in[i], sizes_out[j]
            i, j = i + 1, j + 1
            while a != b:
                if a < b:
                    if i >= len(sizes_in) or sizes_in[i] == -1:
                        return None
                    ins.append(i)
                    a, i = a * sizes_in[i], i + 1
                else:
                    if j >= len(sizes_out) or sizes_out[j] == -1:
                        return None
                    outs.append(j)
                    b, j = b * sizes_out[j], j + 1
        groups.append((ins, outs))

    gathered: list[int] = []  # the physical order with the axes of each group side by side
    order: list[int] = []  # what lies there afterwards
    group_of = {axis: (ins, outs) for ins, outs in groups for axis in ins}
    for axis in value.order:
        if axis not in gathered:
            ins, outs = group_of[axis]
            gathered += ins
            order += outs
    order = _ones_in_place(order, [axis for ins, outs in groups if not ins for axis in outs])
    shape = [sizes_out[axis] for axis in order]
    return Value(tf.reshape(value.tensor(gathered), shape), order, nonnegative=value.nonnegative)


def _ones_in_place(order: list[int], ones: list[int]) -> list[int]:
    """Puts new axes of size 1 behind their logical predecessor, so that the order stays simple."""
    order = list(order)
    for axis in ones:
        order.insert(order.index(axis - 1) + 1 if axis - 1 in order else 0, axis)
    return order
