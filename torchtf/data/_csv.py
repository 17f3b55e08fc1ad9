"""CSV files: `CsvDataset` and `make_csv_dataset`."""

from __future__ import annotations

import csv
import io
import itertools
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import torch

from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.specs import TensorSpec
from torchtf.data._chunk import Chunk, concat
from torchtf.data._dataset import AUTOTUNE, Dataset, integer
from torchtf.data._files import file_names, match_files, objects
from torchtf.data._in_graph import Open
from torchtf.data._plan import Failed, Node, Stage
from torchtf.data._records import ByteStream, check_compression
from torchtf.function.trace import init_scope


class CsvDataset(Dataset):
    """The fields of CSV files, a tuple of scalars for each line.

    (source: `tf.data.experimental.CsvDataset`)

    Args:
        filenames: a name, list or tensor of names.
        record_defaults: for each column its dtype, if the field must not be empty, or the value
            of an empty field.
        compression_type: None or "", "GZIP" or "ZLIB".
        buffer_size: how many bytes to read at once.
        header: whether the first line of each file is left out.
        field_delim: what separates fields.
        use_quote_delim: whether double quotes enclose fields.
        na_value: another text that counts as empty.
        select_cols: the positions of the columns to take.
        exclude_cols: the positions of those to leave out.

    Raises:
        ValueError: if both `select_cols` and `exclude_cols` are given.
        InvalidArgumentError: while iterating, if a line does not fit the columns.
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
        if select_cols is not None and exclude_cols is not None:
            raise ValueError("`select_cols` and `exclude_cols` cannot both be set.")
        if select_cols is not None:
            select_cols = [integer(c, "select_cols") for c in select_cols]
            if any(a >= b for a, b in itertools.pairwise(select_cols)):
                raise errors.InvalidArgumentError(
                    None, None, "select_cols should be strictly increasing indices"
                )
        with init_scope():
            columns = [_CsvColumn(d) for d in record_defaults]
        if getattr(filenames, "is_symbolic_tensor", False):
            super().__init__(Open(tuple(TensorSpec([], c.dtype) for c in columns)))
            return
        node = _Csv(
            file_names(filenames), columns, check_compression(compression_type), buffer_size,
            bool(header), field_delim, bool(use_quote_delim), na_value,
            select_cols,
            None if exclude_cols is None else {integer(c, "exclude_cols") for c in exclude_cols},
        )  # fmt: skip
        super().__init__(node)

    def __repr__(self):
        return f"<CsvDatasetV2 element_spec={self.element_spec}>"


class _CsvColumn:
    """The type of a column and what its empty fields mean."""

    def __init__(self, default):
        self.required = isinstance(default, (dtypes.DType, torch.dtype, type))
        if self.required:
            self.dtype, self.default = dtypes.as_dtype(default), None
        else:
            tensor = convert_to_tensor(default)
            self.dtype = tensor.dtype
            flat = tensor.numpy().reshape(-1) if tensor.shape.rank else [tensor.numpy()]
            self.required = len(flat) == 0
            self.default = None if self.required else flat[0]

    def parse(self, fields: list[str], index: int):
        """The column of these fields.

        Raises:
            InvalidArgumentError: if one is missing or of another type.
        """
        if "" in fields and self.required:
            raise errors.InvalidArgumentError(
                None, None, f"Field {index} is required but missing in record!"
            )
        if self.dtype is dtypes.string:
            return objects(
                [
                    f.encode("utf-8", "surrogateescape") if f else (self.default or b"")
                    for f in fields
                ]
            )
        kind = float if self.dtype.is_floating else int
        numbers = []
        for field in fields:
            try:
                numbers.append(kind(field) if field else self.default)
            except ValueError:
                raise errors.InvalidArgumentError(
                    None, None, f"Field {index} in record is not a valid {self.dtype.name}: {field}"
                ) from None
        return torch.tensor(numbers, dtype=self.dtype.torch)


class _Csv(Node):
    def __init__(
        self, names, columns, compression, buffer_size, header, delimiter, quotes, na, select,
        exclude,
    ):  # fmt: skip
        self.names, self.columns, self.compression = names, columns, compression
        self.buffer_size, self.header, self.delimiter = buffer_size, header, delimiter
        self.quotes, self.na, self.select, self.exclude = quotes, na, select, exclude
        self.spec = tuple(TensorSpec([], c.dtype) for c in columns)

    def start(self, run):
        return _CsvStage(self)

    def label(self):
        return f"Csv({len(self.names)} files, {len(self.columns)} columns)"


class _CsvStage(Stage):
    def __init__(self, node: _Csv):
        self._node = node
        self._names = iter(node.names)
        self._stream: ByteStream | None = None
        self._rows = None
        self._rest: list[list[str]] = []  # lines behind one that failed
        self._failed = Failed()

    def next(self, n):
        self._failed.check()
        while True:
            if self._rows is None and not self._open():
                return None
            lines, self._rest = self._rest[:n], self._rest[n:]
            while len(lines) < n:
                line = next(self._rows, None)
                if line is None:
                    break
                if line:
                    lines.append(line)
            if lines:
                return self._parse_whole(lines)
            self.close()

    def _parse_whole(self, lines) -> Chunk:
        """The chunk of these lines, or of those before one that fails."""
        try:
            return self._parse(lines)
        except errors.InvalidArgumentError:
            if len(lines) == 1:
                raise
        done = []
        for i, line in enumerate(lines):
            try:
                done.append(self._parse([line]))
            except errors.InvalidArgumentError as e:
                self._rest = lines[i + 1 :] + self._rest
                if not done:
                    raise
                self._failed.keep(e)
                break
        return concat(done)

    def _open(self) -> bool:
        name = next(self._names, None)
        if name is None:
            return False
        node = self._node
        self._stream = ByteStream(name, node.compression, node.buffer_size)
        quoting = csv.QUOTE_MINIMAL if node.quotes else csv.QUOTE_NONE
        self._rows = csv.reader(
            _text_lines(self._stream), delimiter=node.delimiter, quoting=quoting, strict=True
        )
        if node.header:
            next(self._rows, None)
        return True

    def _parse(self, lines) -> Chunk:
        node = self._node
        if node.select is not None:
            wanted = node.select
        elif node.exclude is not None:
            wanted = [i for i in range(len(lines[0])) if i not in node.exclude]
        else:
            wanted = None
        rows = []
        for line in lines:
            if wanted is not None:
                line = [line[i] for i in wanted if i < len(line)]
            if len(line) != len(node.columns):
                raise errors.InvalidArgumentError(
                    None, None,
                    f"Expect {len(node.columns)} fields but have {len(line)} in record",
                )  # fmt: skip
            rows.append(["" if f == node.na else f for f in line])
        fields = zip(*rows, strict=True)
        columns = [c.parse(list(f), i) for i, (c, f) in enumerate(
            zip(node.columns, fields, strict=True))]  # fmt: skip
        return Chunk(columns, len(rows))

    def close(self):
        if self._stream is not None:
            self._stream.close()
        self._stream = self._rows = None


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


def _text_lines(stream: ByteStream, encoding: str = "utf-8"):
    return io.TextIOWrapper(
        io.BufferedReader(_RawText(stream)), encoding, errors="surrogateescape", newline=""
    )


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
        batch_size: the number of lines.
        column_names: the names of the columns; from the header by default.
        column_defaults: dtypes or defaults of the columns; inferred from the first lines.
        label_name: the column to split off as the label.
        select_columns: the names or positions of the columns to take.
        field_delim, use_quote_delim, na_value, header, compression_type: as in `CsvDataset`.
        num_epochs: how often to go through the data; for ever if None.
        shuffle, shuffle_buffer_size, shuffle_seed: how to shuffle files and lines.
        prefetch_buffer_size: how many batches to prefetch.
        num_parallel_reads: how many files to read by turns.
        sloppy: allows another order; this engine keeps it.
        num_rows_for_inference: how many lines to infer types from; all if None.
        ignore_errors: whether to leave out lines that do not parse.
        encoding: of the header and the lines that types are inferred from.

    Raises:
        ValueError: if names are missing, repeated or unknown.
    """
    names = [n.decode() for n in match_files(file_pattern)]
    compression = check_compression(compression_type)

    def lines(path) -> Iterator[list[str]]:
        quoting = csv.QUOTE_MINIMAL if use_quote_delim else csv.QUOTE_NONE
        with closing(ByteStream(path, compression)) as stream:
            yield from csv.reader(
                _text_lines(stream, encoding), delimiter=field_delim, quoting=quoting
            )

    columns = _column_names(names, lines, column_names, header)
    chosen = _positions(select_columns, columns)
    if column_defaults is None:
        column_defaults = _infer(
            names, lines, chosen, len(columns), header, na_value, num_rows_for_inference
        )
    if select_columns is not None and len(column_defaults) != len(chosen):
        raise ValueError(
            "If specified, `column_defaults` and `select_columns` must have the same length: "
            f"`column_defaults` has length {len(column_defaults)}, `select_columns` has length "
            f"{len(chosen)}."
        )
    columns = [columns[i] for i in chosen]
    if label_name is not None and label_name not in columns:
        raise ValueError(
            f"`label_name` provided must be one of the columns: {columns}. Received: {label_name}."
        )

    def read(filename):
        dataset = CsvDataset(
            filename, column_defaults, compression_type, None, header, field_delim,
            use_quote_delim, na_value, None if select_columns is None else chosen,
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
        features = OrderedDict(zip(columns, values, strict=True))
        if label_name is None:
            return features
        label = features.pop(label_name)
        return features, label

    dataset = dataset.map(name_columns)
    return dataset.prefetch(AUTOTUNE if prefetch_buffer_size is None else prefetch_buffer_size)


def _column_names(names, lines, given, header) -> list[str]:
    if given is None:
        if not header:
            raise ValueError("Expected `column_names` or `header` arguments. Neither is provided.")
        given = next(lines(names[0]), None)
        for name in names[1:]:
            if next(lines(name), None) != given:
                raise ValueError("All input CSV files should have the same column names.")
        if given is None:
            raise ValueError(f"Received StopIteration when reading the header line of {names[0]}.")
    given = list(given)
    repeated = {n for n in given if given.count(n) > 1}
    if repeated:
        raise ValueError(
            "Either `column_names` argument or CSV header row contains duplicate column names: "
            f"{repeated}."
        )
    return given


def _positions(select, columns) -> list[int]:
    if select is None:
        return list(range(len(columns)))
    positions = sorted(columns.index(s) if isinstance(s, str) else int(s) for s in select)
    if len(set(positions)) != len(positions):
        raise ValueError("`select_columns` contains duplicate columns")
    if not all(0 <= i < len(columns) for i in positions):
        raise ValueError("`select_columns` contains out of range indices")
    return positions


def _infer(names, lines, chosen, width, header, na_value, most) -> list:
    """Defaults of the narrowest types that hold what the first lines have in the columns."""
    ranks = [-1] * len(chosen)
    seen = 0
    for name in names:
        for number, line in enumerate(lines(name)):
            if (header and number == 0) or not line:
                continue
            if most is not None and seen >= most:
                break
            if len(line) != width:
                raise ValueError(
                    f"Problem inferring types: CSV row {line} has {len(line)} number of fields. "
                    f"Expected: {width}."
                )
            seen += 1
            for j, i in enumerate(chosen):
                if line[i] not in ("", na_value):
                    ranks[j] = max(ranks[j], _rank(line[i]))
    return [
        convert_to_tensor([""] if dtype is dtypes.string else [0], dtype)
        for dtype in (_INFERRED[r] for r in ranks)
    ]


def _rank(text: str) -> int:
    """The position in `_INFERRED` of the first type that holds a field."""
    try:
        number = int(text)
        for rank in (0, 1):
            if _INFERRED[rank].min <= number <= _INFERRED[rank].max:
                return rank
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return 4
    largest = float(np.finfo(np.float32).max)
    return 2 if np.isnan(number) or -largest < number < largest else 3
