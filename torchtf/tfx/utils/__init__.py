"""`tfx.utils`: reading messages."""

from __future__ import annotations

import os
from typing import Any, TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

JsonableType = Any


def parse_pbtxt_file(file_name: str | os.PathLike, message: M) -> M:
    """Reads a message in text form into `message`; returns it (source: `tfx.utils`).

    Raises:
        OSError: if the file cannot be read.
        google.protobuf.text_format.ParseError: if it holds no such message.
    """
    with open(file_name, encoding="utf-8") as f:
        return text_format.Parse(f.read(), message)


__all__ = ["JsonableType", "parse_pbtxt_file"]
