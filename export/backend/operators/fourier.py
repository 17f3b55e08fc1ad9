"""Fourier transforms: ONNX has complex numbers as pairs of real ones in a last axis."""

from __future__ import annotations

import tensorflow as tf

from ..values import Constant, Value, identity
from .registry import operator


@operator("DFT")
def dft(node, x, length=None, axis=None):
    """A transform along one axis; with `onesided` real numbers are on one side of it."""
    if axis is not None and not isinstance(axis, Constant):
        raise node.unsupported("an axis that is computed")
    rank = x.rank - 1
    place = node.get("axis", -2) if axis is None else int(axis.numpy())
    place %= x.rank
    parts = x.tensor([*(a for a in range(rank) if a != place), place, rank])
    size = None if length is None else tf.cast(tf.reshape(length.tensor(), []), tf.int32)
    kind = ("inverse " if node.get("inverse", 0) else "") + (
        "half" if node.get("onesided", 0) else "whole"
    )
    if kind == "half":
        found = tf.signal.rfft(parts[..., 0], None if size is None else [size])
    else:
        imaginary = parts[..., 1] if x.shape[-1] == 2 else tf.zeros_like(parts[..., 0])
        given = tf.complex(parts[..., 0], imaginary)
        if kind == "inverse half":
            real = tf.signal.irfft(given, None if size is None else [size])
            found = tf.complex(real, tf.zeros_like(real))
        else:
            given = given if size is None else _resized(given, size)
            found = (tf.signal.fft if kind == "whole" else tf.signal.ifft)(given)
    pair = tf.stack([tf.math.real(found), tf.math.imag(found)], -1)
    return Value(pair, [*(a for a in identity(rank) if a != place), place, rank])


def _resized(tensor, size):
    """The last axis cut, or filled with zeros."""
    missing = tf.maximum(size - tf.shape(tensor)[-1], 0)
    padding = [[0, 0]] * (tensor.shape.rank - 1) + [[0, missing]]
    return tf.pad(tensor, padding)[..., :size]
