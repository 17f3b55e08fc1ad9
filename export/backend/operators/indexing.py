"""Gather, scatter, one-hot and the like."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ..values import Constant, Value, reshaped, shape_operand
from .registry import operator


def _nonnegative(indices: Value, size):
    """Indices counted from the start; a constant needs no graph for that."""
    if isinstance(indices, Constant) and isinstance(size, int):
        array = indices.numpy().astype(np.int64)
        return tf.constant(np.where(array < 0, array + size, array).astype(np.int32))
    tensor = tf.cast(indices.tensor(), tf.int32) if indices.dtype != tf.int32 else indices.tensor()
    if indices.nonnegative or (isinstance(indices, Constant) and bool(np.all(indices.array >= 0))):
        return tensor
    return tf.where(tensor < 0, tensor + tf.cast(size, tf.int32), tensor)


@operator("Gather")
def gather(node, x, indices):
    axis = node.get("axis", 0) % x.rank
    if isinstance(indices, Constant) and indices.rank == 0:
        index = int(indices.array)
        tensor = x.tensor(x.order)
        cut: list[Any] = [slice(None)] * x.rank
        cut[x.position(axis)] = index
        kept = [a for a in x.order if a != axis]
        return Value(tensor[tuple(cut)], [a - (a > axis) for a in kept], nonnegative=x.nonnegative)
    # a table of embeddings is looked up with indices that count from the start
    if isinstance(x, Constant) and not isinstance(indices, Constant):
        given = indices.source if axis == 0 and indices.in_order else indices
        rows = Value(tf.gather(x.tensor(), tf.cast(given.tensor(), tf.int32), axis=axis))
        found = None
        if given is not indices:
            found = reshaped(rows, [*indices.sizes(), *x.shape[1:]])
        return found or rows
    picked = _nonnegative(indices, x.size(axis))
    return Value(tf.gather(x.tensor(), picked, axis=axis))


@operator("GatherND")
def gather_nd(node, x, indices):
    batch = node.get("batch_dims", 0)
    return Value(tf.gather_nd(x.tensor(), _coordinates_of(x, indices, batch), batch_dims=batch))


def _coordinates_of(x: Value, indices: Value, batch: int = 0):
    """Coordinates counted from the start, of the axes behind `batch`."""
    count = indices.shape[-1] or 0
    sizes = [x.size(axis) for axis in range(batch, batch + count)]
    if isinstance(indices, Constant):
        array = indices.numpy().astype(np.int64)
        if np.all(array >= 0):
            return tf.constant(array.astype(np.int32))
    tensor = tf.cast(indices.tensor(), tf.int32)
    if indices.nonnegative:
        return tensor
    return tf.where(tensor < 0, tensor + shape_operand(sizes), tensor)


@operator("GatherElements")
def gather_elements(node, x, indices):
    axis = node.get("axis", 0) % x.rank
    picked = _nonnegative(indices, x.size(axis))
    if x.rank == 1:
        return Value(tf.gather(x.tensor(), picked))
    return Value(tf.gather_nd(x.tensor(), _coordinates(picked, axis)))


def _coordinates(indices, axis: int):
    """For each element of `indices` its full coordinates, with `indices` on `axis`."""
    shape = tf.shape(indices)
    known = indices.shape.as_list()
    sizes = [shape[i] if s is None else s for i, s in enumerate(known)]
    grids = []
    for i in range(indices.shape.rank):
        if i == axis:
            grids.append(indices)
            continue
        line = tf.reshape(tf.range(sizes[i]), [-1 if j == i else 1 for j in range(len(sizes))])
        grids.append(tf.broadcast_to(line, shape_operand(sizes)))
    return tf.stack(grids, axis=-1)


_SCATTER = {
    "none": tf.tensor_scatter_nd_update,
    "add": tf.tensor_scatter_nd_add,
    "max": tf.tensor_scatter_nd_max,
    "min": tf.tensor_scatter_nd_min,
}


def _scatter(node):
    kind = node.get("reduction", "none")
    if kind not in _SCATTER:
        raise node.unsupported(f"reduction {kind!r}")
    return _SCATTER[kind]


@operator("ScatterND")
def scatter_nd(node, x, indices, updates):
    return Value(_scatter(node)(x.tensor(), _coordinates_of(x, indices), updates.tensor()))


@operator("ScatterElements")
def scatter_elements(node, x, indices, updates):
    axis = node.get("axis", 0) % x.rank
    picked = _nonnegative(indices, x.size(axis))
    coordinates = picked[:, None] if x.rank == 1 else _coordinates(picked, axis)
    return Value(_scatter(node)(x.tensor(), coordinates, updates.tensor()))


@operator("OneHot")
def one_hot(node, indices, depth, values):
    off, on = (values.tensor()[i] for i in (0, 1))
    count = int(depth.numpy().reshape(()))
    picked = _nonnegative(indices, count)
    return Value(tf.one_hot(picked, count, on, off, node.get("axis", -1)))


@operator("NonZero")
def non_zero(node, x):
    tensor = x.tensor()
    mask = tensor if tensor.dtype == tf.bool else tf.not_equal(tensor, tf.zeros([], tensor.dtype))
    return Value(tf.cast(tf.where(mask), tf.int64), [1, 0])


@operator("Compress")
def compress(node, x, condition):
    axis = node.get("axis")
    tensor = tf.reshape(x.tensor(), [-1]) if axis is None else x.tensor()
    picked = tf.reshape(tf.where(condition.tensor()), [-1])
    return Value(tf.gather(tensor, picked, axis=axis or 0))


@operator("ReverseSequence")
def reverse_sequence(node, x, lengths):
    axes = node.get("time_axis", 0), node.get("batch_axis", 1)
    return Value(tf.reverse_sequence(x.tensor(), lengths.tensor(), axes[0], axes[1]))


@operator("Unique")
def unique(node, x):
    """The different values in ascending order, those of strings as they come."""
    if node.get("axis") is not None:
        raise node.unsupported("an axis")
    flat = tf.reshape(x.tensor(), [-1])
    wanted = [bool(name) for name in node.outputs]
    if flat.dtype != tf.string and not any(wanted[1:]):
        return Value(tf.sort(tf.unique(flat)[0]))
    values, index, counts = tf.unique_with_counts(flat, tf.int64)
    count = tf.size(values, tf.int64)
    order = tf.range(count) if flat.dtype == tf.string else tf.argsort(values, stable=True)
    results = [
        lambda: tf.gather(values, order),
        lambda: tf.gather(
            tf.math.unsorted_segment_min(tf.range(tf.size(flat, tf.int64)), index, count), order
        ),
        lambda: tf.gather(tf.math.invert_permutation(order), index),
        lambda: tf.gather(counts, order),
    ]
    made = zip(wanted, results, strict=False)
    return tuple(Value(result()) if is_wanted else None for is_wanted, result in made)


@operator("SearchSorted")
def search_sorted(node, sequence, values):
    """Where values belong in rows that are sorted; one row may be for all of them."""
    rows, wanted = sequence.tensor(), values.tensor()
    shared = sequence.rank == 1
    flat = tf.reshape(wanted, [-1]) if shared else wanted
    side = "right" if node.get("right", 0) else "left"
    found = tf.searchsorted(rows, flat, side, tf.int64)
    return Value(tf.reshape(found, tf.shape(wanted)) if shared else found)
