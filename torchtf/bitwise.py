"""`tf.bitwise`: operations on the bits of integers."""

from __future__ import annotations

import torch

from torchtf.core.op import op


@op("BitwiseAnd")
def bitwise_and(x: Int, y: Int):
    """Returns x & y, elementwise (source: `tf.bitwise.bitwise_and`)."""
    return torch.bitwise_and(x, y)


@op("BitwiseOr")
def bitwise_or(x: Int, y: Int):
    """Returns x | y, elementwise (source: `tf.bitwise.bitwise_or`)."""
    return torch.bitwise_or(x, y)


@op("BitwiseXor")
def bitwise_xor(x: Int, y: Int):
    """Returns x ^ y, elementwise (source: `tf.bitwise.bitwise_xor`)."""
    return torch.bitwise_xor(x, y)


@op("Invert")
def invert(x: Int):
    """Returns ~x, elementwise (source: `tf.bitwise.invert`)."""
    return torch.bitwise_not(x)


@op("LeftShift")
def left_shift(x: Int, y: Int):
    """Shifts the bits of x left by y places (source: `tf.bitwise.left_shift`).

    A shift by less than 0 or by all the bits or more is clipped to that range.
    """
    return torch.bitwise_left_shift(x, _places(x, y))


@op("RightShift", uint64=False)
def right_shift(x: Int, y: Int):
    """Shifts the bits of x right by y places (source: `tf.bitwise.right_shift`).

    Zeros are shifted into unsigned numbers, copies of the sign into signed ones.

    A shift by less than 0 or by all the bits or more is clipped to that range.
    """
    places = _places(x, y)
    if x.dtype is torch.uint64:
        signed, places = x.view(torch.int64), places.to(torch.int64)
        kept = (1 << (64 - places)) - 1  # the bits that remain; all for a shift by 0
        kept = torch.where(places == 0, -1, kept)
        return torch.bitwise_and(torch.bitwise_right_shift(signed, places), kept).view(x.dtype)
    return torch.bitwise_right_shift(x, places)


def _places(x, y):
    most = torch.iinfo(x.dtype).bits - 1
    if y.dtype is torch.uint64:  # older torch has no kernel to clamp it
        signed = y.view(torch.int64)
        return torch.where(signed < 0, most, signed.clamp(0, most)).view(torch.uint64)
    return y.clamp(0, most)
