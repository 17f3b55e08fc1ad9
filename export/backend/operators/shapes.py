"""Shapes and arrangement: reshape, transpose, slice, concatenate, pad, expand."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from ..values import (
    Constant,
    Sizes,
    Value,
    as_sizes,
    common_order,
    is_known,
    regrouped,
    reshape_operand,
    reshaped,
    shape_operand,
)
from .registry import operator, size_rule


def scalar_int(value: Constant) -> int:
    return int(value.numpy().reshape(()))


def axes_of(node, value: Value | None, attribute: str = "axes") -> list[int] | None:
    """Axes given as an operand (newer operator sets) or as an attribute."""
    if value is None:
        given = node.get(attribute)
        return None if given is None else list(given)
    if not isinstance(value, Constant):
        raise node.unsupported(f"{attribute} must be constant")
    return [int(a) for a in value.numpy().reshape(-1)]


@operator("Shape")
def shape(node, x):
    start, end = node.get("start", 0), node.get("end", x.rank)
    return Sizes([x.size(axis) for axis in range(x.rank)][slice(start, end)])


@operator("Size")
def size(node, x):
    elements = [x.size(axis) for axis in range(x.rank)]
    if all(is_known(e) for e in elements):
        return Sizes([math.prod(elements)], is_scalar=True)
    return Sizes([tf.size(x.physical)], is_scalar=True)


@operator("Transpose")
def transpose(node, x):
    return x.transposed(list(node.get("perm", range(x.rank)[::-1])))


@operator("Reshape")
def reshape(node, x, target):
    sizes = as_sizes(target)
    if sizes is None:
        return Value(tf.reshape(x.tensor(), target.tensor()))
    if not node.get("allowzero", 0):
        sizes = [x.size(i) if is_known(e) and e == 0 else e for i, e in enumerate(sizes)]
    return _reshape(x, sizes)


def _reshape(x: Value, sizes: list) -> Value:
    if isinstance(x, Constant) and all(is_known(e) for e in sizes):
        return x.reshaped(sizes)
    found = reshaped(x, sizes)
    if found is None and not isinstance(x, (Constant, Sizes)):
        found = regrouped(x, sizes)
    if found is not None:
        return found
    return Value(tf.reshape(x.tensor(), reshape_operand(sizes)), nonnegative=x.nonnegative)


@operator("Flatten")
def flatten(node, x):
    axis = node.get("axis", 1) % (x.rank + 1)
    known = x.shape
    head, tail = known[:axis], known[axis:]
    if all(s is not None for s in tail):
        return _reshape(x, [-1, math.prod(tail)])
    if all(s is not None for s in head):
        return _reshape(x, [math.prod(head), -1])
    return Value(tf.reshape(x.tensor(), [tf.reduce_prod(tf.shape(x.tensor())[:axis]), -1]))


@operator("Squeeze")
def squeeze(node, x, axes=None):
    axes = axes_of(node, axes)
    if axes is None:
        axes = [i for i, s in enumerate(x.shape) if s == 1]
    axes = {axis % x.rank for axis in axes}
    if x.shape.count(None) <= 1:
        found = reshaped(x, [s for axis, s in enumerate(x.sizes()) if axis not in axes])
        if found is not None:
            return found
    kept = [axis for axis in x.order if axis not in axes]
    tensor = tf.squeeze(x.tensor(x.order), [x.position(axis) for axis in axes])
    return Value(
        tensor, [axis - sum(a < axis for a in axes) for axis in kept], nonnegative=x.nonnegative
    )


@operator("Unsqueeze")
def unsqueeze(node, x, axes=None):
    axes = axes_of(node, axes)
    rank = x.rank + len(axes)
    axes = {axis % rank for axis in axes}
    if x.shape.count(None) <= 1:
        supply = iter(x.sizes())
        found = reshaped(x, [1 if axis in axes else next(supply) for axis in range(rank)])
        if found is not None:
            return found
    old = [
        axis for axis in range(rank) if axis not in axes
    ]  # logical output axis of each input axis
    order = [old[axis] for axis in x.order]
    tensor = x.tensor(x.order)
    for axis in sorted(axes):
        # behind the logical predecessor: an identity order stays one
        position = order.index(axis - 1) + 1 if axis - 1 in order else 0
        tensor = tf.expand_dims(tensor, position)
        order.insert(position, axis)
    return Value(tensor, order, nonnegative=x.nonnegative)


@operator("Concat")
def concat(node, *values):
    return concatenated(values, node.get("axis"))


def concatenated(values, axis: int) -> Value:
    order = common_order(values, values[0].rank)
    tensor = tf.concat([v.tensor(order) for v in values], order.index(axis % len(order)))
    return Value(tensor, order, nonnegative=all(v.nonnegative for v in values))


@operator("Split")
def split(node, x, sizes=None):
    axis = node.get("axis", 0) % x.rank
    if sizes is not None:
        parts = [int(s) for s in sizes.numpy()]
    elif node.get("split"):
        parts = list(node.get("split"))
    else:
        count, total = len(node.outputs), x.shape[axis]
        if total is None:
            raise node.unsupported("the split axis has no known size")
        each = -(-total // count)
        parts = [min(each, total - i * each) for i in range(count)]
    return pieces(x, parts, axis)


def pieces(x: Value, sizes: list[int], axis: int) -> tuple[Value, ...]:
    """`x` cut along a logical axis."""
    equal = len(set(sizes)) == 1
    parts = tf.split(x.tensor(x.order), len(sizes) if equal else sizes, x.position(axis))
    return tuple(Value(p, x.order, nonnegative=x.nonnegative) for p in parts)


_END = np.iinfo(np.int32).max


@operator("Slice")
def slice_(node, x, starts=None, ends=None, axes=None, steps=None):
    starts = as_sizes(starts) if starts is not None else list(node.get("starts"))
    ends = as_sizes(ends) if ends is not None else list(node.get("ends"))
    axes = axes_of(node, axes) or list(range(len(starts)))
    steps = as_sizes(steps) if steps is not None else [1] * len(starts)
    cuts: dict[int, slice] = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        start, end = _bounded(start, step), _bounded(end, step)
        if is_known(step) and step < 0 and end is not None and is_known(end) and end <= -_END:
            end = None
        length = x.shape[axis]
        whole = end is None or (is_known(end) and end in (length, _END))
        if whole and is_known(start) and start == 0 and is_known(step) and step == 1:
            continue
        cuts[x.position(axis)] = slice(start, None if is_known(end) and end == _END else end, step)
    if not cuts:
        return x
    places = tuple(cuts.get(position, slice(None)) for position in range(x.rank))
    return Value(x.tensor(x.order)[places], x.order, nonnegative=x.nonnegative)


def _bounded(element, step):
    return max(-_END, min(_END, element)) if is_known(element) else element


@operator("Expand")
def expand(node, x, target):
    sizes = as_sizes(target)
    if sizes is None:
        return Value(tf.broadcast_to(x.tensor(), tf.cast(target.tensor(), tf.int32)))
    missing = max(0, len(sizes) - x.rank)
    have = [1] * missing + [x.size(axis) for axis in range(x.rank)]
    want = [1] * (len(have) - len(sizes)) + sizes
    # a requested size equals that of the source, or one of the two is 1
    final = [
        h if (is_known(w) and w in (1, -1)) or (is_known(h) and h != 1) else w
        for h, w in zip(have, want, strict=True)
    ]
    if all(
        h is f or (is_known(h) and is_known(f) and h == f) for h, f in zip(have, final, strict=True)
    ):
        return _reshape(x, final) if missing else x
    if missing == 0:
        return Value(
            tf.broadcast_to(x.tensor(x.order), shape_operand([final[a] for a in x.order])), x.order
        )
    return Value(tf.broadcast_to(x.tensor(), shape_operand(final)))


@operator("Tile")
def tile(node, x, repeats):
    sizes = as_sizes(repeats)
    if sizes is None:
        return Value(tf.tile(x.tensor(), repeats.tensor()))
    return Value(tf.tile(x.tensor(x.order), shape_operand([sizes[a] for a in x.order])), x.order)


@operator("Pad")
def pad(node, x, pads=None, value=None, axes=None):
    amounts = (as_sizes(pads) if pads is not None else list(node.get("pads"))) or []
    axes = axes_of(node, axes)
    axes = list(range(x.rank)) if axes is None else [a % x.rank for a in axes]
    before = dict(zip(axes, amounts[: len(axes)], strict=True))
    after = dict(zip(axes, amounts[len(axes) :], strict=True))
    table = [[before.get(a, 0), after.get(a, 0)] for a in range(x.rank)]
    known = all(is_known(e) for row in table for e in row)
    if known and not any(map(any, table)):
        return x
    tensor, order = x.tensor(x.order), x.order
    if known and any(e < 0 for row in table for e in row):
        cuts = [slice(max(0, -b), -max(0, -e) or None) for b, e in (table[a] for a in order)]
        tensor = tensor[tuple(cuts)]
        table = [[max(0, b), max(0, e)] for b, e in table]
    paddings = [table[axis] for axis in order]
    if not known:
        paddings = tf.stack([shape_operand(row) for row in paddings])
    mode = node.get("mode", "constant")
    if mode == "constant":
        fill = (
            0
            if value is None
            else value.numpy().reshape(()).item()
            if isinstance(value, Constant)
            else None
        )
        if fill is None:
            result = Value(tf.pad(tensor, paddings, constant_values=value.tensor()), order)
        else:
            result = Value(
                tf.pad(tensor, paddings, constant_values=tf.cast(fill, x.dtype))
                if fill
                else tf.pad(tensor, paddings),
                order,
                nonnegative=x.nonnegative and fill >= 0,
            )
        if known and fill == 0:
            result.unpadded = (x, table)
        return result
    if mode == "reflect":
        return Value(tf.pad(tensor, paddings, "REFLECT"), order, nonnegative=x.nonnegative)
    if not known:
        raise node.unsupported(f"mode {mode!r} with sizes that are not constant")
    for axis in order:
        b, e = table[axis]
        if b or e:
            tensor = _pad_axis(tensor, order.index(axis), b, e, mode)
    return Value(tensor, order, nonnegative=x.nonnegative)


def _pad_axis(tensor, position: int, before: int, after: int, mode: str):
    def cut(start, stop):
        return tensor[(slice(None),) * position + (slice(start, stop),)]

    if mode == "wrap":
        parts = [cut(-before, None)] if before else []
        parts += [tensor] + ([cut(0, after)] if after else [])
        return tf.concat(parts, position)
    parts = [tf.repeat(cut(0, 1), before, position)] if before else []
    parts += [tensor] + ([tf.repeat(cut(-1, None), after, position)] if after else [])
    return tf.concat(parts, position)


@operator("ConstantOfShape")
def constant_of_shape(node, target):
    value = node.get("value")
    value = np.zeros(1, np.float32) if value is None else value
    sizes = as_sizes(target)
    dims = target.tensor() if sizes is None else shape_operand(sizes)
    return Value(tf.fill(dims, tf.constant(value.reshape(()))))


@operator("Range")
def range_(node, start, limit, delta):
    values = [as_scalar(v) for v in (start, limit, delta)]
    return Value(tf.range(*[tf.cast(v, start.dtype) for v in values]))


def as_scalar(value: Value):
    if isinstance(value, Sizes):
        return value.elements[0]
    return tf.reshape(value.tensor(), [])


@operator("Trilu")
def trilu(node, x, k=None):
    offset = 0 if k is None else scalar_int(k)
    upper = node.get("upper", 1)
    rows, columns = x.size(-2), x.size(-1)
    i = tf.range(rows)[:, None]
    j = tf.range(columns)[None, :]
    keep = (j - i >= offset) if upper else (j - i <= offset)
    tensor = x.tensor()
    return Value(tf.where(keep, tensor, tf.zeros([], tensor.dtype)))


@operator("EyeLike")
def eye_like(node, x):
    dtype = node.importer.dtype(node.get("dtype")) if node.get("dtype") else x.dtype
    i, j = tf.range(x.size(0))[:, None], tf.range(x.size(1))[None, :]
    return Value(tf.cast(tf.equal(j - i, node.get("k", 0)), dtype))


@operator("DepthToSpace")
def depth_to_space(node, x):
    block, tensor = node.get("blocksize"), x.tensor((0, 2, 3, 1))
    if node.get("mode", "DCR") == "CRD":
        # channels (c, b, b) become (b, b, c), the order of TensorFlow's kernel
        order = np.arange(x.shape[1]).reshape(-1, block, block).transpose(1, 2, 0).reshape(-1)
        tensor = tf.gather(tensor, order, axis=-1)
    return Value(tf.nn.depth_to_space(tensor, block), (0, 2, 3, 1))


@operator("SpaceToDepth")
def space_to_depth(node, x):
    return Value(tf.nn.space_to_depth(x.tensor((0, 2, 3, 1)), node.get("blocksize")), (0, 2, 3, 1))


# --- arithmetic on sizes ---------------------------------------------------
def _elements(*values):
    if any(not isinstance(v, (Sizes, Constant)) for v in values if v is not None):
        return None
    return [as_sizes(v) if v is not None else None for v in values]


@size_rule("Identity")
def size_identity(node, x):
    return x


@size_rule("Cast")
def size_cast(node, x):
    dtype = node.importer.dtype(node.get("to"))
    return Sizes(x.elements, x.is_scalar, dtype) if dtype in (tf.int64, tf.int32) else None


@size_rule("Gather")
def size_gather(node, x, indices):
    if not isinstance(indices, Constant) or x.is_scalar:
        return None
    picked = [x.elements[int(i)] for i in indices.numpy().reshape(-1)]
    return x.like(picked, indices.rank == 0) if indices.rank <= 1 else None


@size_rule("Slice")
def size_slice(node, x, starts=None, ends=None, axes=None, steps=None):
    if starts is None or not all(
        v is None or isinstance(v, Constant) for v in (starts, ends, axes, steps)
    ):
        return None
    start, end = scalar_int(starts), scalar_int(ends)
    return x.like(x.elements[slice(start, end, 1 if steps is None else scalar_int(steps))])


@size_rule("Concat")
def size_concat(node, *values):
    parts = _elements(*values)
    if parts is None:
        return None
    return Sizes([e for part in parts for e in part], dtype=values[0].dtype)


@size_rule("Unsqueeze")
def size_unsqueeze(node, x, axes=None):
    return x.like(x.elements) if x.is_scalar else None


@size_rule("Squeeze")
def size_squeeze(node, x, axes=None):
    return x.like(x.elements, True) if len(x.elements) == 1 else None


@size_rule("Reshape")
def size_reshape(node, x, target):
    if len(x.elements) != 1 or not isinstance(target, Constant) or target.array.size > 1:
        return None
    return x.like(x.elements, target.array.size == 0)


@size_rule("Add", "Sub", "Mul", "Div", "Mod", "Max", "Min")
def size_arithmetic(node, x, y):
    parts = _elements(x, y)
    if parts is None or (x.dtype != y.dtype and not (x.dtype.is_integer and y.dtype.is_integer)):
        return None
    a, b = parts
    if x.rank > 1 or y.rank > 1:
        return None
    if len(a) != len(b):
        a, b = (a * len(b), b) if len(a) == 1 else (a, b * len(a))
    combine = {
        "Add": lambda p, q: p + q,
        "Sub": lambda p, q: p - q,
        "Mul": lambda p, q: p * q,
        "Div": lambda p, q: p // q,
        "Mod": lambda p, q: p % q,
        "Max": lambda p, q: max(p, q) if is_known(p) and is_known(q) else tf.maximum(p, q),
        "Min": lambda p, q: min(p, q) if is_known(p) and is_known(q) else tf.minimum(p, q),
    }[node.op]
    scalar = x.rank == 0 and y.rank == 0
    return Sizes([combine(p, q) for p, q in zip(a, b, strict=True)], scalar, x.dtype)


@size_rule("ReduceProd")
def size_product(node, x, axes=None):
    total = 1
    for element in x.elements:
        total = total * element
    return x.like([total], not node.get("keepdims", 1))


@operator("RepeatInterleave")
def repeat_interleave(node, repeats):
    """Each index as often as `repeats` says."""
    counts = repeats.tensor()
    return Value(tf.repeat(tf.range(tf.size(counts, counts.dtype)), counts))
