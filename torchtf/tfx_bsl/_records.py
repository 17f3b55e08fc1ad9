"""The records of TFRecord files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_GZIP = b"\x1f\x8b"


def compression_of(path: str) -> str:
    """How a TFRecord file is compressed, as `tf.data.TFRecordDataset` calls it."""
    with open(path, "rb") as f:
        return "GZIP" if f.read(2) == _GZIP else ""


def records(paths: Sequence[str]) -> Iterator[bytes]:
    """The records of TFRecord files, compressed or not.

    Raises:
        tf.errors.DataLossError: for a file that is damaged.
    """
    from torchtf.data import TFRecordDataset

    for path in paths:
        for record in TFRecordDataset(path, compression_type=compression_of(path)):
            yield record.numpy()
