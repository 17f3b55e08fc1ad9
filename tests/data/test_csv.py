"""CSV files as datasets: fields, records that do not fit, arguments."""

import gzip
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import torchtf as tf
from tests.data.compare import compare
from torchtf.data import _records

FILE = b'x,y,z\n1,2.5,a\n,3,"b,""c"\n4,,\n'
S3, I2 = [[""]] * 3, [[0], [0]]


def check(tmp_path, content: bytes, defaults, **arguments):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    compare(
        lambda tf: tf.data.experimental.CsvDataset(str(path), defaults, **arguments),
        limit=20, errors=20,
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        {"record_defaults": [0, 0.5, "none"], "header": True},
        {"record_defaults": [[0], [0.5], [""]], "header": True},
        {"record_defaults": [np.int32, np.float32, np.str_], "header": True},
        {"record_defaults": [0, ""], "header": True, "select_cols": [0, 2]},
        {"record_defaults": [0.0], "header": True, "exclude_cols": [0, 2]},
        {"record_defaults": ["", "", ""]},
        {"record_defaults": [0, 0.5], "header": True},
        {"record_defaults": [0, 0, ""], "header": True},
        {"record_defaults": ["int32", "float", [""]], "header": True},
        {"record_defaults": [np.zeros(0, np.int64), np.ones(1), "z"], "header": True},
    ],
)
def test_columns(tmp_path, arguments):
    defaults = arguments.pop("record_defaults")
    check(tmp_path, FILE, defaults, **arguments)


@pytest.mark.parametrize(
    ("content", "defaults", "arguments"),
    [
        # quotes
        (b'1,2"3",4\n5,6,7', S3, {}),
        (b'1,"2"3",4\n5,6,7\n', S3, {}),
        (b'1,"2"x,3\n4,5,6\n', S3, {}),
        (b'1, "2",3\n', S3, {}),
        (b'1,"a""b","c"""\n"",,""\n"""",a,b\n', S3, {}),
        (b'1,"2\r\n3",4\r\n5,6,"7"', S3, {}),
        (b'1,"2"\n3,"4""5"\n', S3[:2], {"use_quote_delim": False}),
        (b'1,1"2\n3,4\n', [[0]], {"select_cols": [0]}),
        (b'x,1"2\n3,4\n', I2, {}),
        (b'1,"\n2', S3[:2], {}),
        # records
        (b"0\n\n2\n", ["x"], {}),
        (b"\r\n1\r\n\r\n2\n\r3\r\r4", [[9]], {}),
        (b"1,2,3,4\n5\n5,6", S3[:2], {}),
        (b"1,2,3\n4,5\n", I2, {"select_cols": [0, 2]}),
        (b"1,2,3\n4,5\n", [[0]], {"exclude_cols": [1]}),
        # headers
        (b'a,"b\nc"\n1,2\n', I2, {"header": True}),
        (b'a,b"c\n1,2\n', I2, {"header": True}),
        (b"", I2, {"header": True}),
        # numbers
        (b"1,3000000000\n-2147483648,2147483647\n", I2, {}),
        (b"9223372036854775807\n9223372036854775808\n+5\n--5\n1.0\n1_0\n", ["int64"], {}),
        (b" 3 \n1_0\n1e400\n0x10\n-.5\n.\ne5\nx", ["float"], {}),
        (b"-INF\n+infinity\n1e39\n-1e300\n", ["double"], {}),
        (b"1,NA\nNA,\n", [[7], "float"], {"na_value": "NA"}),
        (b"\xff,1\n\xfe,x\n", ["", [0]], {}),
    ],
)
def test_records_that_fit_and_that_do_not(tmp_path, content, defaults, arguments):
    check(tmp_path, content, defaults, **arguments)


@pytest.mark.parametrize(
    ("defaults", "arguments"),
    [
        (I2, {"select_cols": [0], "exclude_cols": [1]}),
        (I2, {"select_cols": [0, 1], "exclude_cols": [1]}),
        (I2, {"select_cols": [], "exclude_cols": []}),
        (I2, {"select_cols": [1, 0]}),
        (I2, {"select_cols": [-1, 1]}),
        (I2, {"select_cols": [0]}),
        (I2, {"select_cols": [[0, 1]]}),
        (I2, {"exclude_cols": [1, 0]}),
        (I2, {"exclude_cols": [-1]}),
        (I2, {"exclude_cols": 0}),
        (I2, {"buffer_size": 0}),
        (I2, {"buffer_size": "x"}),
        (I2, {"buffer_size": 1}),
        (I2, {"field_delim": ",,"}),
        (I2, {"field_delim": ""}),
        (I2, {"compression_type": "BZ2"}),
        (I2, {"header": 1}),
        (I2, {"na_value": 1}),
        ([[0, 1], [0]], {}),
        ([[[0]], [0]], {}),
        ([[True], [0]], {}),
        ([], {}),
    ],
)
def test_arguments(tmp_path, defaults, arguments):
    check(tmp_path, b"1,2\n3,4\n", defaults, **arguments)


def test_names_of_files():
    for names in (1, [["x"]], []):
        compare(lambda tf, n=names: tf.data.experimental.CsvDataset(n, [0]))


_COLUMNS = st.sampled_from([[0], [""], "int32", "string", ["d"]])


@settings(max_examples=60, deadline=None)
@given(
    text=st.lists(
        st.sampled_from(["1", "a", ",", '"', "\n", "\r", '""', '",', ',"', '","', "\r\n"])
    ),
    defaults=st.lists(_COLUMNS, min_size=1, max_size=4),
    arguments=st.fixed_dictionaries(
        {"buffer_size": st.integers(1, 9)},
        optional={
            "header": st.just(True),
            "use_quote_delim": st.just(False),
            "na_value": st.just("a"),
            "exclude_cols": st.just([1, 3]),
        },
    ),
    block=st.integers(1, 9),
)
def test_any_text_is_read_as_by_tensorflow(text, defaults, arguments, block):
    before, _records._READ_BYTES = _records._READ_BYTES, block  # fields end in other blocks
    try:
        with tempfile.TemporaryDirectory() as folder:
            check(Path(folder), "".join(text).encode(), defaults, **arguments)
    finally:
        _records._READ_BYTES = before


# -- dictionaries of columns

ROWS = b"a,b,c\n1,2.5,x\n3,1e300,y\n5,3,z\n99999999999,,w\n"


def check_dictionaries(folder, *contents: bytes, **arguments):
    for i, content in enumerate(contents):
        (folder / f"{i}.csv").write_bytes(content)
    arguments = {"batch_size": 3, "num_epochs": 1, "shuffle": False, **arguments}
    compare(
        lambda tf: tf.data.experimental.make_csv_dataset(str(folder / "*.csv"), **arguments),
        limit=10,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {}, {"label_name": "c"}, {"select_columns": ["c", "a"]}, {"select_columns": [1]},
        {"column_defaults": [np.int64, 0.0, ""]},
        {"column_defaults": ["int64", tf.constant([], tf.float64).numpy(), ["q"]]},
        {"column_defaults": [0]},
        {"num_epochs": None, "shuffle": True, "shuffle_seed": 1, "shuffle_buffer_size": 4},
        {"column_names": ["x", "y", "z"]}, {"column_names": ["x"]}, {"na_value": "x"},
        {"column_defaults": [0, 0.0, ""], "ignore_errors": True},
        {"header": False}, {"header": False, "column_names": ["x", "y", "z"]},
        {"num_rows_for_inference": 1}, {"num_rows_for_inference": None},
        # refused
        {"label_name": "z"}, {"select_columns": ["d"]}, {"select_columns": [3]},
        {"select_columns": [0, "a"]}, {"select_columns": ["b"], "column_defaults": [0, 0]},
        {"compression_type": "ZLIB"}, {"compression_type": "BZ"}, {"compression_type": ""},
    ],
)  # fmt: skip
def test_dictionaries(tmp_path, arguments):
    check_dictionaries(tmp_path, ROWS, **arguments)


@pytest.mark.parametrize(
    "contents",
    [
        (b"a,a\n1,2\n",), (b"a,b\n1,2\n", b"a,c\n1,2\n"), (b"a,b\n1,2\n", b""), (b"",),
        (b"a,b\n",), (b"a,b\n1,2\n3\n",), (b"a,b\n1,2\n\n4,5\n",), (b'a,b\n"1\n2",3\n',),
        (b"a\n1\n2\n3\n", b"a\n4\n5\n"),
        (b"a,b,c,d,e,f,g\n1,9999999999,1.5,1e300,x,,nan\n2, 5 ,inf,-inf,0x5,,4\n",),
    ],
)  # fmt: skip
def test_headers_and_types_of_files(tmp_path, contents):
    check_dictionaries(tmp_path, *contents)


def test_compressed_files_as_dictionaries(tmp_path):
    check_dictionaries(tmp_path, gzip.compress(ROWS), compression_type="GZIP")
    known = {"column_names": ["a", "b", "c"], "column_defaults": ["", 0.0, ""]}
    check_dictionaries(tmp_path, zlib.compress(ROWS), compression_type="ZLIB", **known)


def test_files_read_by_turns_and_none(tmp_path):
    files = (b"a\n1\n2\n3\n", b"a\n4\n5\n", b"a\n6\n7\n8\n9\n")
    for calls in (2, tf.data.AUTOTUNE):
        check_dictionaries(tmp_path, *files, num_parallel_reads=calls)
    for pattern in ("/nowhere/*.csv", []):
        compare(lambda tf, p=pattern: tf.data.experimental.make_csv_dataset(p, 1))
