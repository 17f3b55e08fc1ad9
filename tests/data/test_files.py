"""Datasets of files: TFRecord, text, fixed records, CSV, file lists; against TensorFlow's."""

from __future__ import annotations

import gzip
import random
import zlib
from pathlib import Path

import pytest

import torchtf as tf
from tests.data.compare import compare

D = tf.data.Dataset
RECORDS = [b"", b"one", b"two" * 100, bytes(range(256)) * 300]


def write(path, records=RECORDS, compression=""):
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in records:
            writer.write(record)
    return str(path)


def read(path, **kwargs) -> list[bytes]:
    return list(tf.data.TFRecordDataset(str(path), **kwargs).as_numpy_iterator())


# -- TFRecord


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_records_are_read_as_tensorflow_reads_them(tmp_path, compression):
    paths = [write(tmp_path / f"{i}", RECORDS[i:], compression) for i in range(2)]
    compare(lambda tf: tf.data.TFRecordDataset(paths, compression))
    compare(lambda tf: tf.data.TFRecordDataset(paths, compression, num_parallel_reads=2))
    compare(lambda tf: tf.data.TFRecordDataset(tf.data.Dataset.from_tensor_slices(paths),
                                               compression_type=compression))  # fmt: skip
    compare(lambda tf: tf.data.Dataset.from_tensor_slices(paths).interleave(
        lambda p: tf.data.TFRecordDataset(p, compression), cycle_length=2
    ))  # fmt: skip


def test_a_file_of_several_gzip_members(tmp_path):
    whole = Path(write(tmp_path / "plain")).read_bytes()
    half = len(whole) // 2
    path = tmp_path / "members"
    path.write_bytes(gzip.compress(whole[:half]) + gzip.compress(whole[half:]))
    assert read(path, compression_type="GZIP") == RECORDS


def outcome(path, **kwargs):
    """The records before the first error, and whether there was one."""
    got = []
    try:
        for record in tf.data.TFRecordDataset(str(path), **kwargs):
            got.append(record.numpy())
    except tf.errors.DataLossError as e:
        assert str(path) in str(e)
        return got, True
    return got, False


@pytest.mark.parametrize("buffer", [None, 1])
def test_a_file_cut_anywhere_is_reported(tmp_path, buffer):
    records = [b"a", b"bc" * 20, b""]
    blob = Path(write(tmp_path / "whole", records)).read_bytes()
    ends, at = {0: 0}, 0
    for i, record in enumerate(records):
        at += 16 + len(record)
        ends[at] = i + 1
    path = tmp_path / "cut"
    for size in range(len(blob) + 1):
        path.write_bytes(blob[:size])
        got, failed = outcome(path, buffer_size=buffer)
        complete = max(n for end, n in ends.items() if end <= size)
        assert got == records[:complete]
        assert failed == (size not in ends)


def test_a_flipped_bit_anywhere_is_reported(tmp_path):
    records = [b"a", b"bc" * 20, b"", b"last"]
    blob = Path(write(tmp_path / "whole", records)).read_bytes()
    path = tmp_path / "flipped"
    for position in range(len(blob)):
        damaged = bytearray(blob)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(bytes(damaged))
        got, failed = outcome(path)
        assert failed and got == records[: len(got)] and len(got) < len(records)


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
def test_damage_in_compressed_files_is_reported(tmp_path, compression):
    generator = random.Random(0)
    records = [generator.randbytes(50) for _ in range(20)]
    blob = Path(write(tmp_path / "whole", records, compression)).read_bytes()
    path = tmp_path / "damaged"
    for _ in range(200):
        cut = generator.randrange(1, len(blob))
        path.write_bytes(blob[:cut])
        got, failed = outcome(path, compression_type=compression)
        assert failed and got == records[: len(got)]
        damaged = bytearray(blob)
        damaged[generator.randrange(10, len(blob) - 8)] ^= 1 << generator.randrange(8)
        path.write_bytes(bytes(damaged))
        got, failed = outcome(path, compression_type=compression)
        assert failed and got == records[: len(got)]


def test_ignore_errors_goes_on_with_the_next_file(tmp_path):
    paths = [write(tmp_path / str(i), [b"a%d" % i, b"b%d" % i, b"c%d" % i]) for i in range(3)]
    blob = bytearray(Path(paths[1]).read_bytes())
    blob[-20] ^= 1  # in the second record's checksum or the third's header
    Path(paths[1]).write_bytes(bytes(blob))
    compare(lambda tf: tf.data.TFRecordDataset(paths).ignore_errors())


def test_parsing_records_one_by_one_and_in_batches(tmp_path):
    def example(tf, i):
        feature = {
            "x": tf.train.Feature(float_list=tf.train.FloatList(value=[i, i / 2])),
            "s": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"v%d" % i] * (i % 3))),
        }
        return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()

    path = write(tmp_path / "examples", [example(tf, i) for i in range(20)])

    def features(tf):
        return {"x": tf.io.FixedLenFeature([2], tf.float32)}

    def both(tf):
        return features(tf) | {"s": tf.io.VarLenFeature(tf.string)}

    def with_defaults(tf):
        feature = tf.io.FixedLenFeature
        return features(tf) | {
            "n": feature([], tf.int64, default_value=7),
            "t": feature([], tf.string, default_value="none"),
        }

    for make in (features, both, with_defaults):
        compare(lambda tf, f=make: tf.data.TFRecordDataset(path).map(
            lambda r: tf.io.parse_single_example(r, f(tf))
        ))  # fmt: skip
        compare(lambda tf, f=make: tf.data.TFRecordDataset(path).batch(6).map(
            lambda r: tf.io.parse_example(r, f(tf))
        ))  # fmt: skip
    compare(lambda tf: tf.data.TFRecordDataset(path).map(
        lambda r: tf.io.parse_single_example(r, {"y": tf.io.FixedLenFeature([], tf.int64)})
    ), texts=False, limit=1)  # fmt: skip


# -- text and fixed records


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"a\nb", b"a\r\nb\r\n", b"\n\nx\n\n", b"a\rb\n" * 5000, "ü\n".encode()]
)
def test_lines_are_tensorflows(tmp_path, content):
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    compare(lambda tf: tf.data.TextLineDataset([str(plain), str(plain)]))
    compare(lambda tf: tf.data.TextLineDataset(str(packed), "GZIP"))
    compare(lambda tf: tf.data.TextLineDataset([str(plain)] * 3, num_parallel_reads=2))


@pytest.mark.parametrize(
    "size, header, footer", [(3, None, None), (4, 2, 3), (5, 1, 0), (100, 0, 0)]
)
def test_fixed_records_are_tensorflows(tmp_path, size, header, footer):
    for n in (5, 12, 13, 21):
        path = tmp_path / f"{n}"
        path.write_bytes(bytes(range(n)))
        compare(lambda tf, p=path: tf.data.FixedLengthRecordDataset(
            str(p), size, header, footer
        ), errors=1)  # fmt: skip
    packed = tmp_path / "packed"
    packed.write_bytes(zlib.compress(bytes(size * 3 + (header or 0) + (footer or 0))))
    compare(lambda tf: tf.data.FixedLengthRecordDataset(
        str(packed), size, header, footer, compression_type="ZLIB"
    ))  # fmt: skip


def test_list_files_is_sorted_or_shuffled(tmp_path):
    for name in ("b.txt", "a.txt", "c.csv"):
        (tmp_path / name).touch()
    pattern = str(tmp_path / "*.txt")
    compare(lambda tf: tf.data.Dataset.list_files(pattern, shuffle=False))
    compare(lambda tf: tf.data.Dataset.list_files(pattern, seed=3))
    compare(lambda tf: tf.data.Dataset.list_files([pattern, str(tmp_path / "*.csv")], False))


# -- databases


def test_rows_of_a_database(tmp_path):
    import sqlite3

    path = str(tmp_path / "x.db")
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (name text, age integer)")
        connection.executemany("insert into t values (?, ?)", [("ann", 3), ("bob", 4)])
    rows = tf.data.experimental.SqlDataset(
        "sqlite", path, "select name, age from t order by age", (tf.string, tf.int32)
    )
    assert list(rows.as_numpy_iterator()) == [(b"ann", 3), (b"bob", 4)]
