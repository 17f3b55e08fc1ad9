"""CSV files: `CsvDataset` and `make_csv_dataset`.

* A record ends with a line, unless that is inside a quoted field; an empty line is a record whose
  only field is empty.
* Records are read and parsed many at once, column by column. Where that fails they are looked at
  one after another: each that does not fit is an error in its place.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
import torch

from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import is_tensor_type
from torchtf.data._chunk import Chunk
from torchtf.data._dataset import AUTOTUNE, Dataset
from torchtf.data._files import path_texts
from torchtf.data._in_graph import Open
from torchtf.data._plan import Failed, Node, Stage
from torchtf.data._records import ByteStream, check_compression
from torchtf.function.trace import init_scope
from torchtf.io import gfile
from torchtf.io._csv import TYPES, UNESCAPED, Column, check_defaults, check_types, invalid

_BUFFER_BYTES = 4 << 20


class CsvDataset(Dataset):
    """The fields of CSV files, a tuple of scalars for each record.

    (source: `tf.data.experimental.CsvDataset`)

    Args:
        filenames: a name, list or tensor of names.
        record_defaults: for each column its dtype (float32, float64, int32, int64 or string) or an
            empty tensor of it, if the field must not be empty, or else the value of an empty
            field.
        compression_type: None or "", "GZIP" or "ZLIB".
        buffer_size: how many bytes to read at once; 4 MB by default.
        header: whether the first record of each file is left out.
        field_delim: what separates fields, one character.
        use_quote_delim: whether double quotes enclose fields.
        na_value: another text that counts as empty.
        select_cols: the ascending positions of the columns to take.
        exclude_cols: the ascending positions of those to leave out.

    Raises:
        InvalidArgumentError: for arguments that do not fit each other, e.g. both `select_cols` and
            `exclude_cols`; while iterating, if a record does not fit the columns. The next
            element is that of the next record.
    """

    def __init__(
        self,
        filenames,
        record_defaults,
        compression_type=None,
        buffer_size=None,
        header=False,
        field_delim=",",
        use_quote_delim=True,
        na_value="",
        select_cols=None,
        exclude_cols=None,
    ):
        filenames = convert_to_tensor(path_texts(filenames), dtypes.string)
        with init_scope():

            def argument(value, dtype, default, name=None):
                value = default if value is None else value
                return convert_to_tensor(value, dtype, name=name).numpy()

            compression = argument(compression_type, dtypes.string, "", "compression_type")
            defaults = [_default(d) for d in record_defaults]
            buffer_size = argument(buffer_size, dtypes.int64, _BUFFER_BYTES, "buffer_size")
            header = argument(header, dtypes.bool_, False)
            delimiter = argument(field_delim, dtypes.string, ",")
            quotes = argument(use_quote_delim, dtypes.bool_, True)
            na_value = argument(na_value, dtypes.string, "")
            select = argument(select_cols, dtypes.int64, [], "select_cols")
            exclude = argument(exclude_cols, dtypes.int64, [], "exclude_cols")
        types = [d.dtype for d in defaults]
        check_types(types, "output_types")

        def fail(message: str) -> errors.OpError:
            return errors.of_kernel("CSVDatasetV2", message, "", f"_output_types_{len(types)}")

        if filenames.shape.rank > 1:
            raise fail("`filenames` must be a scalar or a vector.")
        check_defaults(defaults, fail)
        for name, columns in (("`select_cols`", select), ("`exclude_cols`", exclude)):
            if columns.ndim != 1:
                raise fail(f"{name} must be a vector" + "." * (columns is select))
        if buffer_size <= 0:
            raise fail("buffer_size should be positive")
        if len(delimiter) != 1:
            raise fail("field_delim should be only 1 char")
        compression = _checked(check_compression, compression, fail)
        if select.size not in (0, len(types)):
            raise fail("select_cols should match output size")
        _check_positions(select, "select_cols", fail)
        if select.size and exclude.size:
            raise fail("Either select_cols or exclude_cols should be empty")
        _check_positions(exclude, "exclude_cols", fail)
        if getattr(filenames, "is_symbolic_tensor", False):
            super().__init__(Open(tuple(TensorSpec([], t) for t in types)))
            return
        columns = [
            Column(d.dtype, _only(d) if d.shape.num_elements() else None, na_value)
            for d in defaults
        ]
        names = [n.decode() for n in filenames._data.reshape(-1).tolist()]
        node = _Csv(
            names, columns, compression, int(buffer_size), bool(header), delimiter,
            bool(quotes), select.tolist() or None, set(exclude.tolist()),
        )  # fmt: skip
        super().__init__(node)

    def __repr__(self):
        return f"<CsvDatasetV2 element_spec={self.element_spec}>"


def _only(default):
    value = default.numpy()
    return value.reshape(-1)[0] if default.shape.rank else value


def _default(value):
    """The default of a column as a tensor, empty where a type was given.

    An array of NumPy's stands for its type, as in TensorFlow.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.dtype
    if isinstance(value, (dtypes.DType, torch.dtype, np.dtype, type, str)):
        try:
            dtype = dtypes.as_dtype(value)
        except TypeError:
            return convert_to_tensor(value)
        if dtype in TYPES:
            return convert_to_tensor([], dtype)
    return convert_to_tensor(value)


def _checked(check: Callable, value, fail: Callable):
    try:
        return check(value)
    except errors.InvalidArgumentError as e:
        raise fail(e.message) from None


def _check_positions(columns: np.ndarray, name: str, fail: Callable) -> None:
    if any(a >= b for a, b in itertools.pairwise(columns.tolist())):
        raise fail(f"{name} should be strictly increasing indices")
    if columns.size and columns[0] < 0:
        raise fail(f"{name} should be non-negative indices")


class _Csv(Node):
    def __init__(
        self, names, columns, compression, buffer_size, header, delimiter, quotes, select, exclude
    ):
        self.names, self.columns, self.compression = names, columns, compression
        self.buffer_size, self.header, self.delimiter = buffer_size, header, delimiter
        self.quotes, self.select, self.exclude = quotes, select, exclude
        self.spec = tuple(TensorSpec([], c.dtype) for c in columns)

    def start(self, run):
        return _CsvStage(self)

    def label(self):
        return f"Csv({len(self.names)} files, {len(self.columns)} columns)"


class _CsvStage(Stage):
    def __init__(self, node: _Csv):
        self._node = node
        self._names = iter(node.names)
        self._file: _CsvFile | None = None
        # records that could not be parsed together: the fields of each, or its error
        self._single: deque[tuple | errors.OpError] = deque()
        self._failed = Failed()

    def next(self, n):
        self._failed.check()
        while not self._single:
            if self._file is None:
                name = next(self._names, None)
                if name is None:
                    return None
                self._open(name)
            records = self._file.read(n)
            if not records:
                self.close()
                continue
            try:
                return self._together(records)
            except (ValueError, OverflowError):
                self._single.extend(map(self._alone, records))
        return self._next_single(n)

    def _open(self, name: str) -> None:
        node = self._node
        self._file = _CsvFile(
            ByteStream(name, node.compression, node.buffer_size), node.delimiter, node.quotes
        )
        if node.header:
            header = self._file.read(1)
            if not header or type(header[0]) is _Malformed:
                raise invalid("Can't read header of file")

    def _together(self, records: list[list[bytes]]) -> Chunk:
        """The chunk of these records.

        Raises:
            ValueError, OverflowError: if one does not fit.
        """
        if _Malformed in map(type, records):
            raise ValueError
        by_column = list(zip(*records, strict=True))
        node = self._node
        if node.select is not None:
            by_column = [by_column[i] for i in node.select if i < len(by_column)]
        elif node.exclude:
            by_column = [c for i, c in enumerate(by_column) if i not in node.exclude]
        arrays = [
            c.values(fields) for c, fields in zip(node.columns, by_column, strict=True)
        ]  # fmt: skip
        return _chunk(arrays)

    def _alone(self, record) -> tuple | errors.OpError:
        """The values of one record, or its error: that of its first field that has one."""
        node = self._node
        values: list = []
        try:
            for i, field in enumerate(record):
                if type(field) is str:
                    raise invalid(field)
                if i in node.exclude or (node.select is not None and i not in node.select):
                    continue
                if len(values) == len(node.columns):
                    raise invalid(f"Expect {len(node.columns)} fields but have more in record")
                values.append(node.columns[len(values)].value(field, len(values), "record"))
            if len(values) != len(node.columns):
                raise invalid(f"Expect {len(node.columns)} fields but have {len(values)} in record")
        except errors.InvalidArgumentError as e:
            return e
        return tuple(values)

    def _next_single(self, n: int) -> Chunk:
        rows = []
        while self._single and len(rows) < n:
            row = self._single.popleft()
            if isinstance(row, errors.OpError):
                if not rows:
                    raise row
                self._failed.keep(row)
                break
            rows.append(row)
        arrays = []
        for column, values in zip(self._node.columns, zip(*rows, strict=True), strict=True):
            array = np.empty(len(rows), column.dtype.as_numpy_dtype)
            array[:] = values
            arrays.append(array)
        return _chunk(arrays)

    def close(self):
        if self._file is not None:
            self._file.close()
        self._file = None


def _chunk(arrays: list[np.ndarray]) -> Chunk:
    return Chunk([a if a.dtype == object else torch.from_numpy(a) for a in arrays], len(arrays[0]))


class _Malformed(list):
    """The fields of a record, one of them a `str`: the text of its error."""


class _CsvFile:
    """The records of a file, in order.

    Args:
        stream: its bytes.
        delimiter: what separates fields, one byte.
        quotes: whether double quotes enclose fields.
    """

    def __init__(self, stream: ByteStream, delimiter: bytes, quotes: bool):
        self._stream, self._delimiter, self._quotes = stream, delimiter, quotes
        self._ends = (delimiter, b"\n", b"\r", b"")
        self._lines: deque[bytes] = deque()  # whole ones, with what ends them
        self._rest = b""  # the begin of a line

    def read(self, n: int) -> list[list[bytes]]:
        """Up to n records, each a list of its fields; an empty list at the end."""
        records: list[list[bytes]] = []
        lines, delimiter, quotes = self._lines, self._delimiter, self._quotes
        while len(records) < n and (lines or self._fill()):
            line = lines.popleft()
            if quotes and b'"' in line:
                records.append(self._quoted_record(line))
            else:
                records.append(line.rstrip(b"\r\n").split(delimiter))
        return records

    def _fill(self) -> bool:
        """Reads at least one further line; False at the end."""
        parts = [self._rest]
        while True:
            data = self._stream.read()
            parts.append(data)
            if b"\n" in data or b"\r" in data or not data:
                break
        lines = b"".join(parts).splitlines(True)
        # "\r" may be the first half of what ends a line
        whole = not data or (lines[-1].endswith(b"\n"))
        self._rest = b"" if whole or not lines else lines.pop()
        self._lines.extend(lines)
        return bool(lines) or (bool(data) and self._fill())

    def _quoted_record(self, line: bytes) -> list[bytes]:
        """The fields of a record that begins with this line and has quotes in it."""
        fields: list = []
        at = 0
        while True:
            if line.startswith(b'"', at):
                field, line, at = self._quoted_field(line, at + 1)
                ended = not line.startswith(self._delimiter, at)
            else:
                end = line.find(self._delimiter, at)
                ended = end < 0
                field = line[at:].rstrip(b"\r\n") if ended else line[at:end]
                if b'"' in field:
                    field = "Unquoted fields cannot have quotes inside"
                at = end
            fields.append(field)
            if ended:
                return _Malformed(fields) if str in map(type, fields) else fields
            at += 1

    def _quoted_field(self, line: bytes, at: int) -> tuple[bytes | str, bytes, int]:
        """The field whose text begins there, or its error; the line and place where it ends."""
        parts: list[bytes] = []
        error = None
        while True:
            end = line.find(b'"', at)
            if end < 0:
                parts.append(line[at:])
                if not self._lines and not self._fill():
                    return "Reached end of file without closing quoted field in record", b"", 0
                line, at = self._lines.popleft(), 0
                continue
            parts.append(line[at:end])
            behind = line[end + 1 : end + 2]
            if behind in self._ends:
                return error or b"".join(parts), line, end + 1
            if behind == b'"':
                parts.append(b'"')
            else:  # the field goes on to its last quote
                error = UNESCAPED
            at = end + 2

    def close(self) -> None:
        self._stream.close()


class _RawText(io.RawIOBase):
    """A byte stream as a file of Python's io module."""

    def __init__(self, stream: ByteStream):
        self._stream, self._left = stream, b""

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self._left:
            self._left = self._stream.read()
        n = min(len(buffer), len(self._left))
        buffer[:n] = self._left[:n]
        self._left = self._left[n:]
        return n


# -- dictionaries of columns

_INFERRED = (dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64, dtypes.string)


def make_csv_dataset(
    file_pattern,
    batch_size,
    column_names=None,
    column_defaults=None,
    label_name=None,
    select_columns=None,
    field_delim=",",
    use_quote_delim=True,
    na_value="",
    header=True,
    num_epochs=None,
    shuffle=True,
    shuffle_buffer_size=10000,
    shuffle_seed=None,
    prefetch_buffer_size=None,
    num_parallel_reads=None,
    sloppy=False,
    num_rows_for_inference=100,
    compression_type=None,
    ignore_errors=False,
    encoding="utf-8",
) -> Dataset:
    """Batches of the columns of CSV files, as dictionaries.

    (source: `tf.data.experimental.make_csv_dataset`)

    Args:
        file_pattern: a pattern or list of patterns.
        batch_size: the number of records.
        column_names: the names of the columns; from the header by default.
        column_defaults: dtypes or defaults of the columns; inferred from the first records.
        label_name: the column to split off as the label.
        select_columns: the names or positions of the columns to take.
        field_delim, use_quote_delim, na_value, header, compression_type: as in `CsvDataset`.
        num_epochs: how often to go through the data; for ever if None.
        shuffle, shuffle_buffer_size, shuffle_seed: how to shuffle files and records.
        prefetch_buffer_size: how many batches to prefetch.
        num_parallel_reads: how many files to read by turns.
        sloppy: allows another order; this engine keeps it.
        num_rows_for_inference: how many records to infer types from; all if None.
        ignore_errors: whether to leave out records that do not parse.
        encoding: of the header and the records that types are inferred from.

    Raises:
        ValueError: if no file matches; if names are missing, repeated or unknown; if the records
            that types are inferred from do not fit, or are compressed by ZLIB.
    """
    names = _matching(file_pattern)
    kind = compression_type.numpy() if is_tensor_type(compression_type) else compression_type
    kind = kind.decode() if isinstance(kind, bytes) else kind
    if column_names is None or column_defaults is None:
        if kind == "ZLIB":
            raise ValueError("`compression_type` ZLIB is not supported for probing columns.")
        if kind not in (None, "", "GZIP"):
            raise ValueError(
                f"Received unknown `compression_type` {kind}. Expected: GZIP, ZLIB or  (empty "
                "string)."
            )

    def rows(path) -> Iterator[list[str]]:
        quoting = csv.QUOTE_MINIMAL if use_quote_delim else csv.QUOTE_NONE
        with closing(ByteStream(path, kind or "")) as stream:
            text = io.TextIOWrapper(
                io.BufferedReader(_RawText(stream)), encoding, errors="surrogateescape", newline=""
            )
            yield from csv.reader(text, delimiter=field_delim, quoting=quoting)

    if column_names is None:
        if not header:
            raise ValueError("Expected `column_names` or `header` arguments. Neither is provided.")
        columns = _header(names, rows)
    else:
        columns = list(column_names)
    repeated = {n for n in columns if columns.count(n) > 1}
    if repeated:
        raise ValueError(
            "Either `column_names` argument or CSV header row contains duplicate column names: "
            f"{repeated}."
        )
    selected = None if select_columns is None else _positions(select_columns, columns)
    chosen = range(len(columns)) if selected is None else selected
    if column_defaults is None:
        column_defaults = _infer(
            names, rows, chosen, len(columns), header, na_value, num_rows_for_inference
        )
    if selected is not None and len(column_defaults) != len(selected):
        raise ValueError(
            "If specified, `column_defaults` and `select_columns` must have the same length: "
            f"`column_defaults` has length {len(column_defaults)}, `select_columns` has length "
            f"{len(selected)}."
        )
    columns = [columns[i] for i in chosen]
    if label_name is not None and label_name not in columns:
        raise ValueError(
            f"`label_name` provided must be one of the columns: {columns}. Received: {label_name}."
        )

    def read(filename):
        dataset = CsvDataset(
            filename, column_defaults, compression_type, None, header, field_delim,
            use_quote_delim, na_value, selected,
        )  # fmt: skip
        return dataset.ignore_errors() if ignore_errors else dataset

    dataset = Dataset.from_tensor_slices(names)
    if shuffle:
        dataset = dataset.shuffle(len(names), shuffle_seed)
    cycle = 1 if num_parallel_reads is None else num_parallel_reads
    dataset = dataset.interleave(
        read, None if cycle == AUTOTUNE else cycle, num_parallel_calls=num_parallel_reads,
        deterministic=not sloppy,
    )  # fmt: skip
    if shuffle:
        dataset = dataset.shuffle(shuffle_buffer_size, shuffle_seed)
    if num_epochs != 1:
        dataset = dataset.repeat(num_epochs)
    dataset = dataset.batch(batch_size, drop_remainder=num_epochs is None)

    def name_columns(*values):
        features = OrderedDict(zip(columns, values, strict=False))
        if label_name is None:
            return features
        label = features.pop(label_name)
        return features, label

    dataset = dataset.map(name_columns)
    return dataset.prefetch(AUTOTUNE if prefetch_buffer_size is None else prefetch_buffer_size)


def _matching(file_pattern) -> list[str]:
    """The names of the files that match, in order; one that matches two patterns is there twice."""
    if isinstance(file_pattern, list) and not file_pattern:
        raise ValueError("Argument `file_pattern` should not be empty.")
    patterns = file_pattern if isinstance(file_pattern, list) else [file_pattern]
    names = sorted(name for pattern in patterns for name in gfile.glob(pattern))
    if not names:
        raise ValueError(f"No files match `file_pattern` {file_pattern}.")
    return names


def _header(names, rows) -> list[str]:
    """The first record of the files, which is the same in all of them."""
    first: list[str] = []
    for name in names:
        header = next(rows(name), None)
        if header is None:
            raise ValueError(f"Failed when reading the header line of {name}. Is it an empty file?")
        first = first or header
        if header != first:
            raise ValueError(
                "All input CSV files should have the same column names in the header row. File "
                f"{name} has different column names."
            )
    return first


def _positions(select, columns) -> list[int]:
    """The ascending positions of columns given by names or positions."""
    found = set()
    for column in select:
        if isinstance(column, int):
            if not 0 <= column < len(columns):
                raise ValueError(
                    f"Column index {column} specified in `select_columns` should be > 0  and <= "
                    f"{len(columns)}, which is the number of columns."
                )
            found.add(column)
        elif column in columns:
            found.add(columns.index(column))
        else:
            raise ValueError(
                f"Column {column} specified in `select_columns` must be of one of the columns: "
                f"{dict.fromkeys(columns).keys()}."
            )
    if len(found) != len(select):
        raise ValueError("The `select_columns` argument contains duplicate columns: set().")
    return sorted(found)


def _infer(names, rows, chosen, width, header, na_value, most) -> list:
    """Defaults of the narrowest types that hold what the first records have in the columns."""

    def records():
        for name in names:
            for number, row in enumerate(rows(name), 1):
                if header and number == 1:
                    continue
                if len(row) != width:
                    raise ValueError(
                        f"Problem inferring types: CSV row {number} has {len(row)} number of "
                        f"fields. Expected: {width}."
                    )
                yield row

    ranks = [-1] * len(chosen)
    for seen, row in enumerate(records()):
        if most is not None and seen >= most:
            break
        for j, i in enumerate(chosen):
            if row[i] not in ("", na_value):
                ranks[j] = max(ranks[j], _rank(row[i]))
    return [
        convert_to_tensor([""] if dtype is dtypes.string else [0], dtype)
        for dtype in (_INFERRED[r] for r in ranks)
    ]


def _rank(text: str) -> int:
    """The position in `_INFERRED` of the first type that holds a field.

    As in TensorFlow a number must be less than infinity, which leaves NaN to the strings.
    """
    try:
        number = int(text)
        for rank in (0, 1):
            if _INFERRED[rank].min <= number <= _INFERRED[rank].max:
                return rank
    except ValueError:
        pass
    try:
        wide = float(text)
    except ValueError:
        return 4
    with np.errstate(over="ignore"):
        return 2 if np.float32(wide) < np.inf else 3 if wide < np.inf else 4
