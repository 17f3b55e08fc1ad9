"""CSV files: their lines, and what the values of their columns are."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable, Iterator


def header_of(path: str, delimiter: str = ",") -> list[str]:
    """The names of the columns.

    Raises:
        ValueError: if there are none, or one twice.
    """
    with open(path, newline="", encoding="utf-8-sig") as f:
        header = next(csv.reader(f, delimiter=delimiter), None)
    if not header:
        raise ValueError(f"The CSV file {path} has no header.")
    if len(set(header)) != len(header):
        raise ValueError(f"The header of the CSV file {path} names a column twice: {header}")
    return header


def rows_of(
    path: str, width: int, delimiter: str = ",", skip_header: bool = True
) -> Iterator[list[str]]:
    """The lines of a CSV file, without blank ones, and without its header.

    Raises:
        ValueError: for a line with another number of cells.
    """
    with open(path, newline="", encoding="utf-8-sig") as f:
        reader = csv.reader(f, delimiter=delimiter, strict=True)
        try:
            if skip_header:
                next(reader, None)
            for row in reader:
                if not row:
                    continue
                if len(row) != width:
                    raise ValueError(
                        f"Invalid CSV line: {row}. It has {len(row)} cells, the header {width} "
                        f"({path}, line {reader.line_num})."
                    )
                yield row
        except csv.Error as error:
            raise ValueError(
                f"Invalid CSV line: {error} ({path}, line {reader.line_num})."
            ) from error


def column_types(rows: Iterable[list[str]], width: int) -> list[str]:
    """What the values of each of `width` columns are: ``int64``, ``float``, ``bytes``, or an empty
    string where there are none.
    """
    kinds = [""] * width
    for row in rows:
        for place, cell in enumerate(row):
            if cell and kinds[place] != "bytes":
                kinds[place] = _wider(kinds[place], cell)
    return kinds


def _wider(kind: str, cell: str) -> str:
    """The type of a column of type `kind` that holds a cell, too."""
    if kind != "float":
        with contextlib.suppress(ValueError):
            if -(2**63) <= int(cell) < 2**63:
                return "int64"
    try:
        float(cell)
    except ValueError:
        return "bytes"
    return "float"


# how the text of a cell becomes a value
CONVERTERS = {"int64": int, "float": float, "bytes": lambda cell: cell.encode("utf-8")}
