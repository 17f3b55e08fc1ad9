"""Datasets of what files hold: lines, TFRecords, records of fixed length, CSV fields."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import is_tensor_type
from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk
from torchtf.data._dataset import AUTOTUNE, Dataset, integer
from torchtf.data._in_graph import Open
from torchtf.data._plan import Node, Stage
from torchtf.data._records import ByteStream, RecordReader, check_compression
from torchtf.io.gfile import matching

_STRING = TensorSpec([], dtypes.string)


def match_files(file_pattern) -> np.ndarray:
    """The sorted names of the files that match.

    Raises:
        InvalidArgumentError: if there are none.
    """
    patterns = file_names(file_pattern)
    found = {name for pattern in patterns for name in matching(pattern)}
    if not found:
        raise errors.InvalidArgumentError(
            None, None,
            "Expected 'tf.Tensor(False, shape=(), dtype=bool)' to be true. Summarized data: "
            f"{('No files matched pattern: ' + ', '.join(patterns)).encode()}",
        )  # fmt: skip
    return objects([name.encode() for name in sorted(found)])


def file_names(names) -> list[str]:
    """The names in an argument: a string, path, list, array or tensor of strings.

    Raises:
        TypeError: if it holds something else.
    """
    names = path_texts(names)
    if isinstance(names, (list, tuple)) and not names:
        return []
    tensor = names if is_tensor_type(names) else convert_to_tensor(names)
    if tensor.dtype is not dtypes.string:
        raise TypeError(
            "The `filenames` argument must contain `tf.string` elements. Got `"
            f"{tensor.dtype!r}` elements."
        )
    if tensor.shape.rank not in (0, 1):
        raise TypeError(
            "The `filenames` argument must contain `tf.string` elements of shape [] (i.e. scalars)."
        )
    return [n.decode() for n in tensor._data.reshape(-1).tolist()]


def path_texts(names):
    """An argument of names with the texts of its paths (`os.PathLike`); all else stays."""
    if hasattr(names, "__fspath__"):
        return names.__fspath__()
    if isinstance(names, (list, tuple)):
        return [n.__fspath__() if hasattr(n, "__fspath__") else n for n in names]
    return names


def objects(items: Sequence[bytes]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


class FileSource(Node):
    """The byte strings that a reader finds in files, one file after another.

    Args:
        names: the files.
        reader: opens a file; its `read(n)` gives up to n byte strings, none at the end.
        name: TensorFlow's name of the dataset.
    """

    reads_files = True

    def __init__(self, names: list[str], reader: Callable, name: str):
        self.names, self.reader, self.name = names, reader, name
        self.spec = _STRING

    @property
    def tf_name(self):
        return self.name

    def with_names(self, names: list[str]) -> FileSource:
        """This reader of other files."""
        return FileSource(names, self.reader, self.name)

    def start(self, run):
        return _FileStage(self)

    def label(self):
        return f"{self.name.removesuffix('V2')}({len(self.names)} files)"


class _FileStage(Stage):
    def __init__(self, node: FileSource):
        self._names = iter(node.names)
        self._open = node.reader
        self._reader = None

    def next(self, n):
        while True:
            if self._reader is None:
                name = next(self._names, None)
                if name is None:
                    return None
                self._reader = self._open(name)
            try:
                items = self._reader.read(n)
            except Exception:
                self.close()  # what follows in a damaged file cannot be told apart
                raise
            if items:
                return Chunk([objects(items)], len(items))
            self.close()

    def close(self):
        if self._reader is not None:
            self._reader.close()
            self._reader = None


class _FileDataset(Dataset):
    """A dataset that reads files by name."""

    _name: str

    def __init__(self, filenames, reader: Callable, num_parallel_reads, options_of=None):
        name = self._name
        if isinstance(filenames, Dataset):
            names = filenames
            types = structure.map_structure(lambda s: getattr(s, "dtype", s), names.element_spec)
            if types is not dtypes.string:
                raise TypeError(
                    "The `filenames` argument must contain `tf.string` elements. Got a dataset of "
                    f"`{types!r}` elements."
                )
            shape = names.element_spec.shape
            if not shape.is_compatible_with([]):
                raise TypeError(
                    "The `filenames` argument must contain `tf.string` elements of shape [] (i.e. "
                    f"scalars). Got a dataset of element shape {shape!r}."
                )
        elif getattr(filenames, "is_symbolic_tensor", False):
            super().__init__(Open(_STRING, reads_files=True))
            return
        else:
            listed = file_names(filenames)
            if num_parallel_reads is None:
                super().__init__(FileSource(listed, reader, name))
                return
            names = Dataset.from_tensor_slices(
                convert_to_tensor(objects([n.encode() for n in listed]))
            )

        def read_one(filename):
            if getattr(filename, "is_symbolic_tensor", False):
                return Dataset(Open(_STRING, reads_files=True))
            return Dataset(FileSource(file_names(filename), reader, name))

        if num_parallel_reads is None:
            made = names.flat_map(read_one)
        else:
            number = integer(num_parallel_reads, "num_parallel_reads")
            made = names.interleave(
                read_one, AUTOTUNE if number == AUTOTUNE else number, 1, num_parallel_calls=number
            )
        super().__init__(made._node, made._options)

    def __repr__(self):
        return f"<{self._name} element_spec={self.element_spec}>"


class TFRecordDataset(_FileDataset):
    """The records of TFRecord files (source: `tf.data.TFRecordDataset`).

    Args:
        filenames: a name, list or tensor of names, or a dataset of them.
        compression_type: None or "", "GZIP" or "ZLIB".
        buffer_size: how many bytes to read at once.
        num_parallel_reads: how many files to read by turns; one after another if left out.

    Raises:
        TypeError: if `filenames` are no strings.
        NotFoundError: while iterating, if a file does not exist.
        DataLossError: while iterating, if a record is damaged; `ignore_errors` goes on with the
            next file.
    """

    _name = "TFRecordDatasetV2"

    def __init__(
        self, filenames, compression_type=None, buffer_size=None, num_parallel_reads=None,
        name=None,
    ):  # fmt: skip
        compression = check_compression(compression_type)

        def reader(path):
            return RecordReader(path, compression, buffer_size)

        super().__init__(filenames, reader, num_parallel_reads)


class TextLineDataset(_FileDataset):
    """The lines of text files, without their ends (source: `tf.data.TextLineDataset`).

    Args: as `TFRecordDataset`.
    """

    _name = "TextLineDatasetV2"

    def __init__(
        self, filenames, compression_type=None, buffer_size=None, num_parallel_reads=None,
        name=None,
    ):  # fmt: skip
        compression = check_compression(compression_type)

        def reader(path):
            return _LineReader(path, compression, buffer_size)

        super().__init__(filenames, reader, num_parallel_reads)


class _LineReader:
    def __init__(self, path, compression, buffer_size):
        self._stream = ByteStream(path, compression, buffer_size)
        self._lines: list[bytes] = []  # in reverse
        self._tail: bytes | None = b""

    def read(self, n):
        while not self._lines and self._tail is not None:
            data = self._stream.read()
            if not data:
                tail, self._tail = self._tail, None
                if tail:
                    self._lines = [tail]
                break
            lines = (self._tail + data).split(b"\n")
            self._tail = lines.pop()
            lines.reverse()
            self._lines = lines
        taken = self._lines[-n:]
        del self._lines[-n:]
        # TensorFlow leaves out every carriage return, wherever it stands
        return [line.replace(b"\r", b"") for line in reversed(taken)]

    def close(self):
        self._stream.close()


class FixedLengthRecordDataset(_FileDataset):
    """Records of a fixed number of bytes (source: `tf.data.FixedLengthRecordDataset`).

    Args:
        filenames, buffer_size, compression_type, num_parallel_reads: as `TFRecordDataset`.
        record_bytes: the size of a record.
        header_bytes, footer_bytes: how many bytes to leave out at the start and end of a file.

    Raises:
        InvalidArgumentError: while iterating, if a file is no multiple of records.
    """

    _name = "FixedLengthRecordDatasetV2"

    def __init__(
        self, filenames, record_bytes, header_bytes=None, footer_bytes=None, buffer_size=None,
        compression_type=None, num_parallel_reads=None, name=None,
    ):  # fmt: skip
        size = integer(record_bytes, "record_bytes")
        if size <= 0:
            raise errors.InvalidArgumentError(None, None, "`record_bytes` must be > 0")
        header = integer(header_bytes, "header_bytes", 0)
        footer = integer(footer_bytes, "footer_bytes", 0)
        compression = check_compression(compression_type)

        def reader(path):
            return _FixedReader(path, compression, buffer_size, size, header, footer)

        super().__init__(filenames, reader, num_parallel_reads)


class _FixedReader:
    def __init__(self, path, compression, buffer_size, size, header, footer):
        self._stream = ByteStream(path, compression, buffer_size)
        self._size, self._header, self._footer = size, header, footer
        self._buffer = b""
        self._total = 0
        self._ended = False
        self._started = False
        if not compression:
            self._check(os.path.getsize(path))

    def read(self, n):
        size, footer = self._size, self._footer
        while not self._ended and len(self._buffer) < n * size + footer + self._skipping():
            data = self._stream.read()
            self._total += len(data)
            self._ended = not data
            self._buffer += data
            if self._ended:
                self._check(self._total)
        if not self._started:
            self._buffer = self._buffer[self._header :]
            self._started = True
        count = min(n, max(0, len(self._buffer) - footer) // size)
        records = [self._buffer[i * size : (i + 1) * size] for i in range(count)]
        self._buffer = self._buffer[count * size :]
        return records

    def _skipping(self):
        return 0 if self._started else self._header

    def _check(self, total):
        body = total - self._header - self._footer
        if body < 0 or body % self._size:
            body %= 1 << 64  # as TensorFlow counts
            raise errors.InvalidArgumentError(
                None, None,
                f"Excluding the header ({self._header} bytes) and footer ({self._footer} bytes), "
                f'input file "{self._stream.path}" has body length {body} bytes, which is not an '
                f"exact multiple of the record length ({self._size} bytes).",
            )  # fmt: skip

    def close(self):
        self._stream.close()
