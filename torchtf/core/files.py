"""Writing files so that a failure leaves nothing half-written.

When several processes are one program (the replicas of a `MirroredStrategy`), one of them writes.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator


def write_atomically(path: str | os.PathLike, data: bytes) -> None:
    """Writes `data` to a temporary file beside `path` and renames it.

    Raises:
        OSError: if the folder cannot be written or the disk is full; `path` is as it was.
    """
    path = os.fspath(path)
    handle, temporary = tempfile.mkstemp(
        prefix=os.path.basename(path) + ".", suffix=".tmp", dir=os.path.dirname(path) or "."
    )
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


class _Writing:
    mine = True  # this process writes the files of the program
    wait: Callable[[], None] | None = None  # for the other processes of the program


def share_writing(mine: bool, wait: Callable[[], None]) -> None:
    """Makes this process one of several that are one program.

    Args:
        mine: whether it is the one that writes.
        wait: returns when all of them have called it.
    """
    _Writing.mine, _Writing.wait = mine, wait


@contextlib.contextmanager
def written_once() -> Iterator[bool]:
    """A context for writing files, entered by all processes of a program; leaves with the others.

    Gives whether this process is to write. What it calls there does not wait again.
    """
    with written_alone():
        yield _Writing.mine
    if _Writing.wait is not None:
        _Writing.wait()


@contextlib.contextmanager
def written_alone() -> Iterator[None]:
    """Within it the writing process does not wait for the others, which do not come."""
    wait, _Writing.wait = _Writing.wait, None
    try:
        yield
    finally:
        _Writing.wait = wait
