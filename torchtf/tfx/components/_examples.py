"""The files of artifacts with splits: where they are, and reading and writing their records."""

from __future__ import annotations

import glob
import gzip
import os
from collections.abc import Sequence
from types import TracebackType

from torchtf.core.records import frame
from torchtf.tfx.types.standard_artifacts import Examples


def only(artifacts: Sequence):
    """The one artifact of a list.

    Raises:
        ValueError: for none, or several.
    """
    if len(artifacts) != 1:
        raise ValueError(
            f"expected list length of one but got {len(artifacts)} artifacts: {list(artifacts)}"
        )
    return artifacts[0]


def split_folder(artifact, split: str) -> str:
    """The folder of a split of an artifact.

    Raises:
        ValueError: if it has none of this name.
    """
    if split not in artifact.splits:
        raise ValueError(
            f"Split {split!r} is not in the artifact {artifact.uri}, which has "
            f"{', '.join(map(repr, artifact.splits)) or 'no splits'}."
        )
    return os.path.join(artifact.uri, f"Split-{split}")


def files_of(artifact: Examples, split: str) -> list[str]:
    """The files of a split, in order."""
    return sorted(glob.glob(os.path.join(glob.escape(split_folder(artifact, split)), "*")))


class SplitWriter:
    """Writes the records of a split to its file, compressed."""

    def __init__(self, folder: str):
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "data_tfrecord-00000-of-00001.gz")
        self._file = gzip.GzipFile(path, "wb", compresslevel=6, mtime=0)
        self.count = 0

    def write(self, record: bytes) -> None:
        """Appends a record."""
        self._file.write(frame(record))
        self.count += 1

    def __enter__(self) -> SplitWriter:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
