"""Protocol buffers' wire format, for the few messages that are written without a schema."""

from __future__ import annotations

from torchtf.core.table import write_varint


def field(number: int, value: int | str | bytes) -> bytes:
    """A field of a message: an int as a varint, text and bytes (inner messages, too) by length."""
    if isinstance(value, int):
        return write_varint(number << 3) + write_varint(value)
    data = value.encode() if isinstance(value, str) else value
    return write_varint(number << 3 | 2) + write_varint(len(data)) + data
