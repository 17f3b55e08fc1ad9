"""`tf.io.TFRecordWriter` and `TFRecordOptions`."""

from __future__ import annotations

import zlib

from torchtf.core import errors
from torchtf.core.records import frame
from torchtf.io.gfile import local_path, translated, translated_errors

_COMPRESSION_TYPES = ("", "ZLIB", "GZIP")


class TFRecordOptions:
    """How a file of records is compressed (source: `tf.io.TFRecordOptions`).

    Args:
        compression_type: "", "ZLIB", "GZIP" or None.
        flush_mode: zlib's flush constant for `flush`.
        input_buffer_size: the size of the buffer of data to compress.
        output_buffer_size: the size of the buffer of compressed data.
        window_bits: log2 of the size of zlib's window.
        compression_level: 0 to 9, or -1 for zlib's default.
        compression_method: only zlib's DEFLATED, 8.
        mem_level: 1 to 9, how much memory zlib may use.
        compression_strategy: zlib's constant.

    Raises:
        ValueError: for an unknown compression type.
    """

    compression_type_map = {0: "", 1: "ZLIB", 2: "GZIP"}

    def __init__(
        self, compression_type=None, flush_mode=None, input_buffer_size=None,
        output_buffer_size=None, window_bits=None, compression_level=None, compression_method=None,
        mem_level=None, compression_strategy=None,
    ):  # fmt: skip
        self.get_compression_type_string(compression_type)
        self.compression_type = compression_type
        self.flush_mode = flush_mode
        self.input_buffer_size = input_buffer_size
        self.output_buffer_size = output_buffer_size
        self.window_bits = window_bits
        self.compression_level = compression_level
        self.compression_method = compression_method
        self.mem_level = mem_level
        self.compression_strategy = compression_strategy

    @classmethod
    def get_compression_type_string(cls, options) -> str:
        """The compression type of options, a string, a number or None, as a string."""
        if not options:
            return ""
        if isinstance(options, TFRecordOptions):
            return cls.get_compression_type_string(options.compression_type)
        if options in cls.compression_type_map:
            return cls.compression_type_map[options]
        if options in _COMPRESSION_TYPES:
            return options
        raise ValueError(
            f'Not a valid compression_type: "{options}". Allowed values are: '
            f"{list(_COMPRESSION_TYPES)}"
        )

    def _compressor(self):
        """The zlib object of these options, or None."""
        kind = self.get_compression_type_string(self)
        if not kind:
            return None

        def given(value, default):
            return default if value is None else value

        window = given(self.window_bits, zlib.MAX_WBITS)
        return zlib.compressobj(
            given(self.compression_level, zlib.Z_DEFAULT_COMPRESSION),
            given(self.compression_method, zlib.DEFLATED),
            window + 16 if kind == "GZIP" and window <= zlib.MAX_WBITS else window,
            given(self.mem_level, 9),
            given(self.compression_strategy, zlib.Z_DEFAULT_STRATEGY),
        )


class TFRecordWriter:
    """Writes records to a TFRecord file (source: `tf.io.TFRecordWriter`); a context manager.

    Args:
        path: the file.
        options: a `TFRecordOptions`, or a compression type.

    Raises:
        NotFoundError: if the folder does not exist.
    """

    def __init__(self, path, options=None):
        if not isinstance(options, TFRecordOptions):
            options = TFRecordOptions(TFRecordOptions.get_compression_type_string(options))
        self._compressor = options._compressor()
        self._flush_mode = options.flush_mode or zlib.Z_SYNC_FLUSH
        self._path = local_path(path)
        with translated_errors(self._path):
            self._file = open(  # noqa: SIM115
                self._path, "wb", options.output_buffer_size or 1 << 18
            )

    def write(self, record) -> None:
        """Appends a record.

        Raises:
            FailedPreconditionError: after `close`.
        """
        if type(record) is not bytes:
            record = _as_bytes(record)
        file = self._file
        if file.closed:
            raise _closed()
        data = frame(record)
        if self._compressor is not None:
            data = self._compressor.compress(data)
        try:  # `translated_errors` costs as much as all of the above
            file.write(data)
        except OSError as e:
            raise translated(e, self._path) from None

    def flush(self) -> None:
        """Hands all records to the operating system."""
        if self._file.closed:
            raise _closed()
        with translated_errors(self._path):
            if self._compressor is not None:
                self._file.write(self._compressor.flush(self._flush_mode))
            self._file.flush()

    def close(self) -> None:
        """Completes the file."""
        if self._file.closed:
            return
        with translated_errors(self._path):
            try:
                if self._compressor is not None:
                    self._file.write(self._compressor.flush(zlib.Z_FINISH))
            finally:
                self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def _as_bytes(record) -> bytes:
    if isinstance(record, str):
        return record.encode()
    if isinstance(record, (bytes, bytearray, memoryview)):
        return bytes(record)
    raise TypeError(f"A record must be bytes, got {type(record).__name__}")


def _closed() -> errors.FailedPreconditionError:
    return errors.FailedPreconditionError(None, None, "Writer is closed.")
