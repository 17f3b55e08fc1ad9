"""`tf.compat`: helpers for programs that run with several versions of Python and TensorFlow."""

from __future__ import annotations

import numbers as _numbers
import os as _os

import numpy as _np

import torchtf as v2
from torchtf.compat import v1
from torchtf.core.shape import Dimension as _Dimension

__all__ = [
    "as_bytes", "as_str", "as_str_any", "as_text", "bytes_or_text_types", "complex_types",
    "dimension_at_index", "dimension_value", "forward_compatibility_horizon",
    "forward_compatible", "integral_types", "path_to_bytes", "path_to_str", "real_types", "v1",
    "v2",
]  # fmt: skip

bytes_or_text_types = (bytes, str)
integral_types = (_numbers.Integral, _np.integer)
real_types = (_numbers.Real, _np.integer, _np.floating)
complex_types = (_numbers.Complex, _np.number)


def as_bytes(bytes_or_text, encoding="utf-8") -> bytes:
    """Text as bytes (source: `tf.compat.as_bytes`).

    Raises:
        TypeError: for what is neither bytes nor text.
    """
    if isinstance(bytes_or_text, bytearray):
        return bytes(bytes_or_text)
    if isinstance(bytes_or_text, str):
        return bytes_or_text.encode(encoding)
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


def as_text(bytes_or_text, encoding="utf-8") -> str:
    """Bytes as text (source: `tf.compat.as_text`).

    Raises:
        TypeError: for what is neither bytes nor text.
    """
    if isinstance(bytes_or_text, str):
        return bytes_or_text
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text.decode(encoding)
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


as_str = as_text


def as_str_any(value, encoding="utf-8") -> str:
    """Bytes as text, all else as `str(value)` (source: `tf.compat.as_str_any`)."""
    return as_str(value, encoding) if isinstance(value, bytes) else str(value)


def path_to_str(path):
    """A path object as a string, all else as it is (source: `tf.compat.path_to_str`)."""
    return as_str_any(path.__fspath__()) if hasattr(path, "__fspath__") else path


def path_to_bytes(path) -> bytes:
    """A path as bytes (source: `tf.compat.path_to_bytes`)."""
    return as_bytes(_os.fspath(path))


def dimension_value(dimension):
    """The size that a `Dimension`, an int or None stands for
    (source: `tf.compat.dimension_value`).
    """
    return dimension.value if isinstance(dimension, _Dimension) else dimension


def dimension_at_index(shape, index) -> _Dimension:
    """One size of a shape as a `Dimension` (source: `tf.compat.dimension_at_index`)."""
    return _Dimension(None) if shape.rank is None else shape.dims[index]


def forward_compatible(year, month, day) -> bool:
    """True: a program may use what is there (source: `tf.compat.forward_compatible`)."""
    return True


class forward_compatibility_horizon:
    """A context that changes nothing (source: `tf.compat.forward_compatibility_horizon`): graphs
    are not kept for older versions.
    """

    def __init__(self, year, month, day):
        self.date = (year, month, day)

    def __enter__(self):
        return None

    def __exit__(self, *exc):
        return None
