"""Convolutions and pooling, on channels-last tensors."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from ..values import Constant, Value, channels_last, shape_operand
from .registry import operator


def _spatial(node, rank: int, kernel: list[int]):
    """(strides, dilations, [(before, after)]) of the spatial axes."""
    count = rank - 2
    strides = list(node.get("strides", [1] * count))
    dilations = list(node.get("dilations", [1] * count))
    pads = list(node.get("pads", [0] * 2 * count))
    return strides, dilations, list(zip(pads[:count], pads[count:], strict=True))


def _same_pads(size: int | None, kernel: int, stride: int, dilation: int):
    """TensorFlow's SAME padding of one axis; None if it depends on an unknown size."""
    reach = (kernel - 1) * dilation + 1
    if stride == 1:
        total = reach - 1
    elif size is None:
        return None
    else:
        total = max(0, (-(-size // stride) - 1) * stride + reach - size)
    return total // 2, total - total // 2


def _padding(node, x: Value, kernel, strides, dilations, pads):
    """(value, "SAME" or "VALID", remaining pads): a padding before the operator is drawn into
    it.
    """
    auto = node.get("auto_pad", "NOTSET")
    if auto == "SAME_UPPER":
        return x, "SAME", None
    if auto == "SAME_LOWER":
        raise node.unsupported("auto_pad SAME_LOWER")
    for value, total in _unpadded(x, pads):
        sizes = value.shape[2:]
        same = [_same_pads(*a) for a in zip(sizes, kernel, strides, dilations, strict=True)]
        if any(map(any, total)) and same == [tuple(p) for p in total]:
            return value, "SAME", None
    return x, "VALID", pads if any(map(any, pads)) else None


def _unpadded(x: Value, pads):
    if x.unpadded is not None:
        source, table = x.unpadded
        if not any(table[0]) and not any(table[1]):
            yield source, [(a + c, b + d) for (a, b), (c, d) in zip(table[2:], pads, strict=True)]
    yield x, pads


def _pad(tensor, pads, fill=0):
    paddings = [[0, 0], *map(list, pads), [0, 0]]
    return (
        tf.pad(tensor, paddings, constant_values=tf.cast(fill, tensor.dtype))
        if fill
        else tf.pad(tensor, paddings)
    )


def _is_zero(value: Value) -> bool:
    return isinstance(value, Constant) and not np.any(value.array)


@operator("Conv")
def conv(node, x, w, bias=None):
    rank = x.rank
    if rank == 3:
        return _as_two_dimensional(node, conv, x, w, bias)
    kernel = w.shape[2:]
    group = node.get("group", 1)
    strides, dilations, pads = _spatial(node, rank, kernel)
    x, mode, pads = _padding(node, x, kernel, strides, dilations, pads)
    order = channels_last(rank)
    tensor = x.tensor(order)
    if pads:
        tensor = _pad(tensor, pads)
    channels = x.shape[1]
    if group == channels and rank == 4 and group > 1 and len(set(strides)) == 1:
        # (O, 1, kh, kw) -> (kh, kw, I, O / I)
        filters = tf.reshape(w.tensor((2, 3, 0, 1)), [*kernel, channels, w.shape[0] // channels])
        if w.shape[0] == channels:
            filters = w.tensor((2, 3, 0, 1))
        result = tf.nn.depthwise_conv2d(
            tensor, filters, [1, *strides, 1], mode, dilations=dilations
        )
        group = 1
    else:
        filters = w.tensor((*range(2, rank), 1, 0))
        if group > 1 and rank != 4:
            result = tf.concat(
                [
                    tf.nn.convolution(t, f, strides, mode, dilations=dilations)
                    for t, f in zip(
                        tf.split(tensor, group, -1), tf.split(filters, group, -1), strict=True
                    )
                ],
                -1,
            )
        elif rank == 4:
            result = tf.nn.conv2d(tensor, filters, strides, mode, dilations=dilations)
        else:
            result = tf.nn.convolution(tensor, filters, strides, mode, dilations=dilations)
    if bias is not None and not _is_zero(bias):
        # TensorFlow fuses an addition into a kernel that knows no groups, a subtraction it does not
        result = result - (-bias.tensor()) if group > 1 else tf.nn.bias_add(result, bias.tensor())
    return Value(result, order)


def _as_two_dimensional(node, function, x, w, bias):
    """A one-dimensional convolution is a two-dimensional one of height 1: LiteRT has only those."""
    attributes = dict(node.attributes)
    for name, neutral in (
        ("strides", 1),
        ("dilations", 1),
        ("kernel_shape", 1),
        ("output_padding", 0),
    ):
        if name in attributes:
            attributes[name] = [neutral, *attributes[name]]
    if "pads" in attributes:
        before, after = attributes["pads"]
        attributes["pads"] = [0, before, 0, after]
    if "strides" in attributes:
        attributes["strides"] = [
            attributes["strides"][1]
        ] * 2  # the height is 1: any stride will do
    order = channels_last(3)
    image = Value(tf.expand_dims(x.tensor(order), 1), (0, 2, 3, 1))
    if isinstance(w, Constant):
        kernel: Value = Constant(w.numpy()[:, :, None], w.lift, w.name)
    else:
        kernel = Value(tf.expand_dims(w.tensor(), 2))
    wide = type(node)(node.op, node.name, attributes, node.outputs, node.importer)
    if x.unpadded is not None:
        source, table = x.unpadded
        image.unpadded = (
            Value(tf.expand_dims(source.tensor(order), 1), (0, 2, 3, 1)),
            [*table[:2], [0, 0], table[2]],
        )
    result = function(wide, image, kernel, bias)
    return Value(tf.squeeze(result.tensor(channels_last(4)), 1), order)


@operator("ConvTranspose")
def conv_transpose(node, x, w, bias=None):
    rank = x.rank
    if rank == 3:
        return _as_two_dimensional(node, conv_transpose, x, w, bias)
    kernel, group = w.shape[2:], node.get("group", 1)
    strides, dilations, pads = _spatial(node, rank, kernel)
    extra = list(node.get("output_padding", [0] * (rank - 2)))
    order = channels_last(rank)
    tensor = x.tensor(order)
    filters = w.tensor((*range(2, rank), 1, 0))  # (spatial, O / group, I)
    if any(d > 1 for d in dilations):
        filters = _dilated(filters, kernel, dilations)
        kernel = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    full = [
        (x.size(2 + i) - 1) * s + k + e
        for i, (k, s, e) in enumerate(zip(kernel, strides, extra, strict=True))
    ]
    same = [
        (max(k - s, 0) // 2, max(k - s, 0) - max(k - s, 0) // 2) == p and e == 0 and k >= s
        for k, s, p, e in zip(kernel, strides, pads, extra, strict=True)
    ]
    mode = "SAME" if all(same) and any(map(any, pads)) else "VALID"
    if mode == "SAME":
        full = [x.size(2 + i) * s for i, s in enumerate(strides)]
        pads = [(0, 0)] * (rank - 2)
    transpose = tf.nn.conv2d_transpose if rank == 4 else tf.nn.conv3d_transpose

    def apply(t, f):
        shape = shape_operand([x.size(0), *full, f.shape[-2]])
        return transpose(t, f, shape, strides, mode)

    if group == 1:
        result = apply(tensor, filters)
    else:
        parts = zip(tf.split(tensor, group, -1), tf.split(filters, group, -1), strict=True)
        result = tf.concat([apply(t, f) for t, f in parts], -1)
    if any(map(any, pads)):
        cuts = [slice(b, -e if e else None) for b, e in pads]
        result = result[(slice(None), *cuts)]
    if bias is not None and not _is_zero(bias):
        result = tf.nn.bias_add(result, bias.tensor())
    return Value(result, order)


def _dilated(filters, kernel, dilations):
    """Inserts the zeros of a dilated kernel."""
    for axis, (k, d) in enumerate(zip(kernel, dilations, strict=True)):
        rows = tf.split(filters, k, axis)
        gap = tf.zeros_like(rows[0])
        spread = [p for row in rows for p in (row, *[gap] * (d - 1))]
        filters = tf.concat(spread[: (k - 1) * d + 1], axis)
    return filters


def _ceil_pads(x: Value, kernel, strides, dilations, pads):
    """Padding at the end that makes a floor-mode pool see the last partial window."""
    extended = []
    for size, k, s, d, (before, after) in zip(
        x.shape[2:], kernel, strides, dilations, pads, strict=True
    ):
        if size is None:
            return None
        reach = (k - 1) * d + 1
        outputs = -(-(size + before + after - reach) // s) + 1
        if (outputs - 1) * s >= size + before:
            outputs -= 1  # a window must start inside the image or its left padding
        extended.append((before, max(after, (outputs - 1) * s + reach - size - before)))
    return extended


@operator("MaxPool", "AveragePool", "LpPool")
def pool(node, x):
    rank = x.rank
    if rank == 3:
        order = channels_last(3)
        image = Value(tf.expand_dims(x.tensor(order), 1), (0, 2, 3, 1), nonnegative=x.nonnegative)
        attributes = {**node.attributes}
        for name in ("kernel_shape", "strides", "dilations"):
            if name in attributes:
                attributes[name] = [1, *attributes[name]]
        if "pads" in attributes:
            attributes["pads"] = [0, attributes["pads"][0], 0, attributes["pads"][1]]
        wide = type(node)(node.op, node.name, attributes, node.outputs, node.importer)
        return Value(tf.squeeze(pool(wide, image).tensor((0, 2, 3, 1)), 1), order)
    if len(node.outputs) > 1:
        raise node.unsupported("indices of the maxima")
    kernel = list(node.get("kernel_shape"))
    strides, dilations, pads = _spatial(node, rank, kernel)
    if node.get("ceil_mode", 0):
        extended = _ceil_pads(x, kernel, strides, dilations, pads)
        if extended is None:
            raise node.unsupported("ceil_mode with an unknown image size")
    else:
        extended = pads
    order = channels_last(rank)
    if node.op == "MaxPool":
        return _max_pool(x, kernel, strides, dilations, extended, order)
    if any(d > 1 for d in dilations) or node.op == "LpPool":
        raise node.unsupported("dilations" if node.op != "LpPool" else "")
    return _average_pool(node, x, kernel, strides, pads, extended, order)


def _max_pool(x, kernel, strides, dilations, pads, order):
    tensor, mode = x.tensor(order), "VALID"
    if any(map(any, pads)):
        same = [_same_pads(*a) for a in zip(x.shape[2:], kernel, strides, dilations, strict=True)]
        if same == [tuple(p) for p in pads]:
            mode = "SAME"
        else:
            # the lowest value does not survive quantization: zero will do where nothing is below it
            tensor = _pad(tensor, pads, 0 if x.nonnegative else x.dtype.min)
    if any(d > 1 for d in dilations):
        result = tf.nn.pool(tensor, kernel, "MAX", strides, mode, dilations=dilations)
    else:
        function = tf.nn.max_pool2d if len(kernel) == 2 else tf.nn.max_pool3d
        result = function(tensor, kernel, strides, mode)
    return Value(result, order, nonnegative=x.nonnegative)


def _average_pool(node, x, kernel, strides, pads, extended, order):
    function = tf.nn.avg_pool2d if len(kernel) == 2 else tf.nn.avg_pool3d
    tensor = x.tensor(order)
    include = bool(node.get("count_include_pad", 0))
    if not any(map(any, extended)):
        return Value(function(tensor, kernel, strides, "VALID"), order, nonnegative=x.nonnegative)
    same = [
        _same_pads(*a) for a in zip(x.shape[2:], kernel, strides, [1] * len(kernel), strict=True)
    ]
    if not include and same == [tuple(p) for p in extended]:
        return Value(function(tensor, kernel, strides, "SAME"), order, nonnegative=x.nonnegative)
    result = function(_pad(tensor, extended), kernel, strides, "VALID")
    if not include or extended != pads:
        # windows over the border count fewer elements
        counted = np.ones([1] * len(kernel))
        sizes = x.shape[2:]
        if any(s is None for s in sizes):
            raise node.unsupported("count_include_pad=0 with an unknown image size")
        counted = np.ones(1)
        for size, k, s, (b, e), (eb, ee) in zip(
            sizes, kernel, strides, pads, extended, strict=True
        ):
            line = np.zeros(size + eb + ee)
            line[: size + b + e if include else 0] = 1
            line[eb : eb + size] = 1
            windows = [line[i : i + k].sum() for i in range(0, len(line) - k + 1, s)]
            counted = np.multiply.outer(counted, windows)
        factor = math.prod(kernel) / counted.reshape(1, *counted.shape[1:], 1)
        result = result * tf.constant(factor, result.dtype)
    return Value(result, order, nonnegative=x.nonnegative)
