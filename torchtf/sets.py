"""`tf.sets`: operations on sets, which are the rows (along the last axis) of tensors.

Results are `SparseTensor`s: the rows have different lengths. Elements come in ascending order.
"""

from __future__ import annotations

import numpy as np

from torchtf import array_ops, math
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.host_op import host_op
from torchtf.sparse import SparseTensor

_TYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "string")


def _operand(x):
    """A dense or sparse tensor as the sparse one whose rows are the sets."""
    if isinstance(x, SparseTensor):
        return x
    x = convert_to_tensor(x)
    if x.ndim < 2:
        raise errors.InvalidArgumentError(
            None, None, f"Input tensors must have rank >= 2, got {x.ndim}"
        )
    shape = array_ops.shape(x, out_type=dtypes.int64)
    places = array_ops.where(math.equal(x, x))  # all of them, in order
    return SparseTensor(places, array_ops.reshape(x, [-1]), shape)


def _check_type(kind):
    if kind.name not in _TYPES:
        raise TypeError(f"Invalid dtype `{kind}` not in supported dtypes: `{_TYPES}`.")


def _grouped(indices, values) -> dict[tuple, set]:
    """The elements of each set, by the coordinates of its row."""
    rows: dict[tuple, set] = {}
    for place, value in zip(indices[:, :-1].tolist(), values.tolist(), strict=True):
        rows.setdefault(tuple(place), set()).add(value)
    return rows


def _combined(a, values_a, shape_a, b, values_b, shape_b, choose):
    if shape_a[:-1].tolist() != shape_b[:-1].tolist():
        raise errors.InvalidArgumentError(
            None, None, f"Mismatched group shapes: {shape_a[:-1]} and {shape_b[:-1]}"
        )
    first, second = _grouped(a, values_a), _grouped(b, values_b)
    indices, values, width = [], [], 0
    for place in sorted(first.keys() | second.keys()):
        found = sorted(_CHOICES[choose](first.get(place, set()), second.get(place, set())))
        width = max(width, len(found))
        indices += [(*place, k) for k in range(len(found))]
        values += found
    where = np.array(indices, np.int64).reshape(-1, a.shape[1])
    made = np.empty(len(values), values_a.dtype)
    made[:] = values
    return where, made, np.array([*shape_a[:-1], width], np.int64)


_CHOICES = {
    "intersection": lambda s, t: s & t,
    "union": lambda s, t: s | t,
    "a-b": lambda s, t: s - t,
    "b-a": lambda s, t: t - s,
}


def _shapes(a, *rest):
    return [None, a.shape[1]], [None], [a.shape[1]]


@host_op("SparseToSparseSetOperation", out=("int64", "kind", "int64"), shape=_shapes)
def _combine_numbers(
    a: Index, values_a: Int, shape_a: Index, b: Index, values_b: Int, shape_b: Index, choose, kind
):
    return _combined(a, values_a, shape_a, b, values_b, shape_b, choose)


@host_op("SparseToSparseSetOperation", out=("int64", "string", "int64"), shape=_shapes)
def _combine_strings(
    a: Index, values_a: S, shape_a: Index, b: Index, values_b: S, shape_b: Index, choose
):
    return _combined(a, values_a, shape_a, b, values_b, shape_b, choose)


def _combine(a, b, choose):
    a, b = _operand(a), _operand(b)
    if a.dtype is not b.dtype:
        raise TypeError(f"Types don't match, {a.dtype} vs {b.dtype}.")
    _check_type(a.dtype)
    parts = (a.indices, a.values, a.dense_shape, b.indices, b.values, b.dense_shape, choose)
    if a.dtype is dtypes.string:
        return SparseTensor(*_combine_strings(*parts))
    return SparseTensor(*_combine_numbers(*parts, a.dtype))


def _check_validate(validate_indices):
    if not validate_indices:
        raise NotImplementedError(
            "validate_indices=False is not supported: indices of sparse sets may be in any order "
            "here, so leave it out"
        )


def intersection(a, b, validate_indices=True):
    """What is in both of two sets (source: `tf.sets.intersection`).

    Args:
        a, b: tensors or sparse tensors of integers or strings, alike but for the last axis.
        validate_indices: only True; the order of sparse indices does not matter here.

    Raises:
        TypeError: if the types differ or are not supported.
        InvalidArgumentError: if the leading axes differ.
    """
    _check_validate(validate_indices)
    return _combine(a, b, "intersection")


def union(a, b, validate_indices=True):
    """What is in one of two sets at least (source: `tf.sets.union`); see `intersection`."""
    _check_validate(validate_indices)
    return _combine(a, b, "union")


def difference(a, b, aminusb=True, validate_indices=True):
    """What is in the first of two sets only (source: `tf.sets.difference`).

    Args:
        a, b: as for `intersection`.
        aminusb: whether `a` is the first; else it is `b`.
        validate_indices: as for `intersection`.
    """
    _check_validate(validate_indices)
    return _combine(a, b, "a-b" if aminusb else "b-a")


def size(a, validate_indices=True):
    """The number of different elements of each set (source: `tf.sets.size`).

    Args:
        a: a sparse tensor of integers or strings.
        validate_indices: as for `intersection`.

    Returns:
        int32 numbers of the leading shape.

    Raises:
        TypeError: if `a` is not sparse.
    """
    _check_validate(validate_indices)
    if not isinstance(a, SparseTensor):
        raise TypeError(f"Expected `SparseTensor`, got {a}.")
    _check_type(a.dtype)
    count = _size_of_strings if a.dtype is dtypes.string else _size_of_numbers
    return count(a.indices, a.values, a.dense_shape)


def _set_sizes(indices, values, shape):
    counts = np.zeros(shape[:-1], np.int32)
    for place, found in _grouped(indices, values).items():
        counts[place] = len(found)
    return counts


def _size_shape(indices, values, shape):
    return [None] * (indices.shape[1] - 1)


@host_op("SetSize", out="int32", shape=_size_shape)
def _size_of_numbers(indices: Index, values: Int, shape: Index):
    return _set_sizes(indices, values, shape)


@host_op("SetSize", out="int32", shape=_size_shape)
def _size_of_strings(indices: Index, values: S, shape: Index):
    return _set_sizes(indices, values, shape)
