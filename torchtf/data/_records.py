"""Reading and writing files of records, plain or compressed as a whole (GZIP, ZLIB).

How a record is framed is in `core.records`.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from typing import BinaryIO

import google_crc32c

from torchtf.core import errors
from torchtf.core.records import frame, mask
from torchtf.io.gfile import local_path, translated_errors

_HEADER = struct.Struct("<QI")
_CRC = struct.Struct("<I")
_READ_BYTES = 1 << 18

# how zlib names the containers
_WINDOW_BITS = {"GZIP": 31, "ZLIB": 15}


def check_compression(compression_type) -> str:
    """The compression that an argument `compression_type` means: "", "GZIP" or "ZLIB".

    Raises:
        InvalidArgumentError: for another one.
    """
    kind = "" if compression_type is None else compression_type
    if isinstance(kind, bytes):
        kind = kind.decode()
    if kind not in ("", "GZIP", "ZLIB"):
        raise errors.InvalidArgumentError(None, None, f"Unsupported compression_type: {kind}.")
    return kind


class ByteStream:
    """The content of a file, decompressed, in order.

    Raises:
        NotFoundError, PermissionDeniedError: if the file cannot be opened.
        DataLossError: while reading, if its compressed data is damaged.
    """

    def __init__(self, path: str, compression: str = "", buffer_size: int | None = None):
        self.path = path
        self._size = max(buffer_size or 0, _READ_BYTES)
        with translated_errors(path):
            self._file: BinaryIO = open(local_path(path), "rb", buffering=0)  # noqa: SIM115
        self._bits = _WINDOW_BITS.get(compression)
        self._inflate = zlib.decompressobj(self._bits) if self._bits else None
        self._fed = False

    def read(self) -> bytes:
        """The next bytes, b"" at the end."""
        while True:
            with translated_errors(self.path):
                data = self._file.read(self._size)
            if self._inflate is None:
                return data
            if not data:
                if self._fed and not self._inflate.eof:
                    raise self._damaged("the compressed data ends early")
                return b""
            out = self._inflated(data)
            if out:
                return out

    def _inflated(self, data: bytes) -> bytes:
        parts = []
        while data:
            if self._inflate.eof:  # a further member of a GZIP file
                self._inflate = zlib.decompressobj(self._bits)
            self._fed = True
            try:
                parts.append(self._inflate.decompress(data))
            except zlib.error as e:
                raise self._damaged(str(e)) from e
            data = self._inflate.unused_data
        return b"".join(parts)

    def _damaged(self, text: str) -> errors.DataLossError:
        return errors.DataLossError(None, None, f"inflate() failed in {self.path}: {text}")

    def close(self) -> None:
        self._file.close()


class RecordReader:
    """The records of one file, in order; `read` as in `Reader`.

    Every byte of a record is covered by a checksum, so a damaged file raises `DataLossError` with
    the offset of the bad record. The records before it are given out first.
    """

    def __init__(self, path: str, compression: str = "", buffer_size: int | None = None):
        self._stream = ByteStream(path, compression, buffer_size)
        self._buffer = b""
        self._at = 0  # in the buffer
        self._offset = 0  # of the buffer in the (decompressed) file
        self._error: errors.OpError | None = None

    def read(self, n: int) -> list[bytes]:
        """Up to n records; an empty list at the end."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        records: list[bytes] = []
        try:
            self._read_into(records, n)
        except errors.OpError as e:
            if not records:
                raise
            self._error = e
        return records

    def _read_into(self, records: list[bytes], n: int) -> None:
        # written out, since pipelines of small records spend their time here
        header, footer, crc_of = _HEADER.unpack_from, _CRC.unpack_from, google_crc32c.value
        buffer, at = self._buffer, self._at
        while len(records) < n:
            if len(buffer) - at < _HEADER.size:
                if not self._have(_HEADER.size):
                    if self._at == len(self._buffer):
                        return
                    raise self._damaged("truncated")
                buffer, at = self._buffer, self._at
            length, crc = header(buffer, at)
            if mask(crc_of(buffer[at : at + 8])) != crc:
                raise self._damaged("corrupted")
            start = at + _HEADER.size
            if len(buffer) - start < length + _CRC.size:
                if not self._have(_HEADER.size + length + _CRC.size):
                    raise self._damaged("truncated")
                buffer, start = self._buffer, self._at + _HEADER.size
            end = start + length
            record = buffer[start:end]
            if footer(buffer, end)[0] != mask(crc_of(record)):
                raise self._damaged("corrupted", _HEADER.size)
            records.append(record)
            self._at = at = end + _CRC.size

    def _have(self, size: int) -> bool:
        """Fills the buffer; False if fewer than `size` bytes are left."""
        left = len(self._buffer) - self._at
        if left >= size:
            return True
        parts = [self._buffer[self._at :]]
        while left < size:
            data = self._stream.read()
            if not data:
                break
            parts.append(data)
            left += len(data)
        self._offset += self._at
        self._buffer, self._at = b"".join(parts), 0
        return left >= size

    def _damaged(self, what: str, further: int = 0) -> errors.DataLossError:
        """The error for the record at hand, `further` bytes behind its begin."""
        offset = self._offset + self._at + further
        hint = " (Is this even a TFRecord file?)" if offset == 0 and what == "corrupted" else ""
        return errors.DataLossError(
            None, None, f"{what} record at {offset}{hint} in {self._stream.path}"
        )

    def close(self) -> None:
        self._stream.close()


class RecordWriter:
    """Writes records to a file.

    Args:
        path: the file.
        compression: "", "GZIP" or "ZLIB".
        level: zlib's compression level, -1 for its default.
    """

    def __init__(self, path: str, compression: str = "", level: int = -1):
        self._path = path
        with translated_errors(path):
            self._file: BinaryIO = open(local_path(path), "wb")  # noqa: SIM115
        bits = _WINDOW_BITS.get(compression)
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, bits) if bits else None

    def write(self, record: bytes) -> None:
        self._put(frame(record))

    def write_all(self, records: Iterable[bytes]) -> None:
        self._put(b"".join(map(frame, records)))

    def _put(self, data: bytes):
        with translated_errors(self._path):
            self._file.write(data if self._deflate is None else self._deflate.compress(data))

    def close(self) -> None:
        """Writes what is left to the disk."""
        if self._file.closed:
            return
        with self._file, translated_errors(self._path):
            if self._deflate is not None:
                self._file.write(self._deflate.flush())
            self._file.flush()
            os.fsync(self._file.fileno())
