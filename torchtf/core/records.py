"""The framing of TFRecord files, and the masked CRC32C it shares with checkpoints.

A record is: its length (8 bytes), the masked CRC of the length, the data, the masked CRC of it.
"""

from __future__ import annotations

import functools
import struct

import google_crc32c

_MASK = 0xA282EAD8
_pack_crc = struct.Struct("<I").pack


def mask(crc: int) -> int:
    """TensorFlow stores CRCs masked, since the CRC of data that holds CRCs is weak."""
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def unmask(masked: int) -> int:
    """The inverse of `mask`."""
    rotated = (masked - _MASK) & 0xFFFFFFFF
    return ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF


def masked_crc(data: bytes) -> int:
    """The masked CRC32C of `data`."""
    return mask(google_crc32c.value(data))


@functools.lru_cache(1024)  # records of a file are often of few lengths
def _header(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + _pack_crc(masked_crc(packed))


def frame(data: bytes) -> bytes:
    """`data` as a record of a TFRecord file."""
    return b"".join((_header(len(data)), data, _pack_crc(masked_crc(data))))
