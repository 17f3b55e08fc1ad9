"""CSV: what the fields of a column mean (`Column`), and `tf.io.decode_csv`.

How a text falls into fields is another question in each place: a record of `decode_csv` is one
string, those of a file (`data/_csv.py`) end with lines.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from torchtf.array_ops._indexing import where
from torchtf.array_ops._shaping import reshape
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.host_op import host_op, object_array
from torchtf.framework import is_symbolic_tensor
from torchtf.function.trace import init_scope
from torchtf.math._arithmetic import equal, logical_or, not_equal

# the types that columns may have, by the names that TensorFlow's errors have for them
TYPES = {
    dtypes.float32: "float", dtypes.float64: "double", dtypes.int32: "int32",
    dtypes.int64: "int64", dtypes.string: "string",
}  # fmt: skip

UNESCAPED = "Quote inside a string has to be escaped by another quote"


def invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


class Column:
    """The type of a column and what its empty fields mean.

    Args:
        dtype: one of `TYPES`.
        default: the value of an empty field; None if fields must not be empty.
        na_value: another text that counts as empty.
    """

    def __init__(self, dtype: dtypes.DType, default: Any, na_value: bytes):
        self.dtype, self.default = dtype, default
        self._empty = {b"", na_value}
        self._read = {"f": _float, "i": int}.get(dtype._kind)

    def values(self, fields: Sequence[bytes]) -> np.ndarray:
        """The values of fields, all at once.

        Raises:
            ValueError, OverflowError: if one of them is not valid or missing; `value` tells more.
        """
        empty = self._empty
        if any(mark in fields for mark in empty):
            if self.default is None:
                raise ValueError
            if self._read is None:
                fields = [self.default if f in empty else f for f in fields]
            else:
                default, read = self.default, self._read
                self._check_digits(fields)
                return self._array([default if f in empty else read(f) for f in fields])
        if self._read is None:
            return object_array(fields, (len(fields),))
        self._check_digits(fields)
        return self._array(list(map(self._read, fields)))

    def _check_digits(self, fields: Iterable[bytes]) -> None:
        if b"_" in b"".join(fields):  # in numbers Python allows it between digits
            raise ValueError

    def _array(self, numbers: list) -> np.ndarray:
        if self.dtype is dtypes.int32:
            wide = np.array(numbers, np.int64)
            array = wide.astype(np.int32)
            if not np.array_equal(array, wide):
                raise OverflowError
            return array
        with np.errstate(over="ignore"):  # what is too large for a float32 is infinite
            return np.array(numbers, self.dtype.as_numpy_dtype)

    def value(self, field: bytes, position: int, record: str):
        """The value of one field; an error names its position, and the record.

        Raises:
            InvalidArgumentError: if it is not valid or missing.
        """
        with contextlib.suppress(ValueError, OverflowError):
            return self.values([field])[0]
        if field in self._empty:
            raise invalid(f"Field {position} is required but missing in {record}!")
        raise invalid(
            f"Field {position} in {record} is not a valid {TYPES[self.dtype]}: "
            f"{field.decode('utf-8', 'replace')}"
        )


def _float(field: bytes) -> float:
    """A number; TensorFlow reads some that Python does not: hexadecimal ones, a NaN with a text."""
    try:
        return float(field)
    except ValueError:
        field = field.strip()
        if re.fullmatch(rb"[+-]?nan\(\w*\)", field, re.IGNORECASE):
            return float("nan")
        if re.fullmatch(rb"[+-]?0x[0-9a-f.]+(p[+-]?\d+)?", field, re.IGNORECASE):
            return float.fromhex(field.decode())
        raise


def check_defaults(tensors: Sequence, fail) -> None:
    """Checks the defaults of columns.

    Raises:
        InvalidArgumentError: made by `fail` of a text, if one has more than one value.
    """
    for i, tensor in enumerate(tensors):
        if tensor.shape.rank > 1:
            raise fail("Each record default should be at most rank 1")
        if tensor.shape.num_elements() > 1:
            raise fail(
                "There should only be 1 default per field but field "
                f"{i} has {tensor.shape.num_elements()}"
            )


def check_types(types: Sequence[dtypes.DType], attribute: str) -> None:
    """Checks the types of columns, as those of an op's `attribute`.

    Raises:
        InvalidArgumentError: if there are none, or one is not among `TYPES`.
    """
    if not types:
        raise invalid(f"Length for attr '{attribute}' of 0 must be at least minimum 1")
    for dtype in types:
        if dtype not in TYPES:
            raise invalid(
                f"Value for attr '{attribute}' of {dtype.name} is not in the list of allowed "
                "values: float, double, int32, int64, string"
            )


@host_op("DecodeCSV", out="output_types")
def _decode_csv(records: S, defaults, output_types, delimiter, quoting, na_value, columns):
    shape, width = records.shape, len(defaults)
    parsers = [
        Column(dtype, default, na_value)
        for dtype, default in zip(output_types, defaults, strict=True)
    ]
    lines = records.reshape(-1).tolist()

    def rows():
        for i, record in enumerate(lines):
            fields = _fields(record, delimiter, quoting, columns)
            if len(fields) != width:
                raise invalid(f"Expect {width} fields but have {len(fields)} in record {i}")
            yield fields

    try:
        by_column = list(zip(*rows(), strict=True)) if lines else [()] * width
        return [p.values(f).reshape(shape) for p, f in zip(parsers, by_column, strict=True)]
    except (ValueError, OverflowError, errors.InvalidArgumentError):
        for i, row in enumerate(rows()):  # the first error in the order of the records
            for position, (parser, field) in enumerate(zip(parsers, row, strict=True)):
                parser.value(field, position, f"record {i}")
        raise


def _fields(record: bytes, delimiter: bytes, quoting: bool, columns) -> list[bytes]:
    """The fields of a record, those of `columns` if given; what is behind them is not looked at."""
    if not ((quoting and b'"' in record) or b"\n" in record or b"\r" in record):
        found = record.split(delimiter) if record else []
        return found if columns is None else [found[c] for c in columns if c < len(found)]
    wanted = None if columns is None else iter(columns)
    column = None if wanted is None else next(wanted)
    found = []
    i, number, size = 0, 0, len(record)
    while i < size:
        if record[i] in b"\r\n":
            i += 1
            continue
        if quoting and record[i] == 34:
            field, i = _quoted(record, i + 1, delimiter)
        else:
            end = record.find(delimiter, i)
            end = size if end < 0 else end
            field, i = record[i:end], end + 1
            if b"\n" in field or b"\r" in field or (quoting and b'"' in field):
                raise invalid("Unquoted fields cannot have quotes/CRLFs inside")
        if wanted is None or number == column:
            found.append(field)
            if wanted is not None:
                column = next(wanted, None)
                if column is None:
                    return found
        number += 1
    if record.endswith(delimiter) and (wanted is None or number == column):
        found.append(b"")
    return found


def _quoted(record: bytes, i: int, delimiter: bytes) -> tuple[bytes, int]:
    """The quoted field whose text begins at i, and where the next field begins."""
    last, parts = len(record) - 1, []
    while True:
        end = record.find(b'"', i)
        if end < 0:
            raise invalid("Quoted field has to end with quote followed by delim or end")
        parts.append(record[i:end])
        if end == last or record.startswith(delimiter, end + 1):
            return b"".join(parts), end + 2
        if record[end + 1] != 34:
            raise invalid(UNESCAPED)
        parts.append(b'"')
        i = end + 2


def decode_csv(
    records, record_defaults, field_delim=",", use_quote_delim=True, na_value="",
    select_cols=None, name=None,
):  # fmt: skip
    """The columns of CSV records (source: `tf.io.decode_csv`).

    Args:
        records: strings, each a record.
        record_defaults: for each column a value, whose type is the column's (float32, float64,
            int32, int64 or string); an empty tensor for a column whose fields must not be empty.
        field_delim: what separates fields, one character.
        use_quote_delim: whether fields may be quoted.
        na_value: a further mark of an empty field.
        select_cols: the ascending columns to read. What is behind the last one is not checked.

    Returns:
        A list of tensors of the shape of `records`.

    Raises:
        ValueError: if `select_cols` are not ascending positions, one for each default.
        InvalidArgumentError: if a record or a default does not fit.
    """
    if select_cols is not None:
        if any(select_cols[i] >= select_cols[i + 1] for i in range(len(select_cols) - 1)):
            raise ValueError("select_cols is not strictly increasing.")
        if select_cols[0] < 0:
            raise ValueError("select_cols contains negative values.")
        if len(select_cols) != len(record_defaults):
            raise ValueError("Length of select_cols and record_defaults do not match.")
    with init_scope():  # a number even where a function is being traced
        tensors = [convert_to_tensor(value) for value in record_defaults]
    types = [t.dtype for t in tensors]
    check_types(types, "OUT_TYPE")

    def fail(message: str):
        return errors.of_kernel("DecodeCSV", message, None, f"_OUT_TYPE_{len(types)}")

    if len(field_delim.encode()) != 1:
        raise fail("field_delim should be only 1 char")
    check_defaults(tensors, fail)
    defaults, computed = [], {}
    for i, tensor in enumerate(tensors):
        if tensor.shape.num_elements() == 0:
            defaults.append(None)
        elif is_symbolic_tensor(tensor):
            computed[i] = tensor
            defaults.append(None)
        else:
            defaults.append(tensor.numpy().reshape(-1)[0] if tensor.shape.rank else tensor.numpy())
    columns = None if select_cols is None else list(select_cols)

    def decode(*stand_ins):
        known = list(defaults)
        for i in computed:
            known[i] = stand_ins[types[i] is not dtypes.string]
        return _decode_csv(
            records, known, types, field_delim.encode(), use_quote_delim, na_value.encode(),
            columns, name,
        )  # fmt: skip

    fields = list(decode(b"0", 0))
    if computed:  # a field that is empty is one that another stand-in changes
        others = decode(b"1", 1)
        for i, default in computed.items():
            field = fields[i]  # NaN if that was given
            given = logical_or(equal(field, others[i]), not_equal(field, field))
            fields[i] = where(given, field, reshape(default, []))
    return fields
