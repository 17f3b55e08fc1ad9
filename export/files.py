"""Artifacts appear whole or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

_BYTES, _ENDS = "|bytes", "|ends"  # what the name of an array of strings gets


@contextlib.contextmanager
def new_directory(target: str | os.PathLike) -> Iterator[Path]:
    """Yields an empty folder beside `target`, whose contents replace those of `target` at the end.

    Files in an existing `target` that the new artifact does not have stay. When the body raises, or
    the process dies, `target` is as it was.

    Raises:
        OSError: if the folder cannot be written; raised before the body runs.
    """
    target = Path(os.path.abspath(target))
    try:
        if target.exists() and not target.is_dir():
            raise FileExistsError("a file of that name exists")
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
        if target.exists() and not os.access(target, os.W_OK):
            os.rmdir(work)
            raise PermissionError("permission denied")
    except OSError as error:
        raise _cannot_write(target, error) from None
    try:
        yield work
        os.chmod(work, 0o777 & ~_umask())
        _install(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def new_file(target: str | os.PathLike) -> Iterator[Path]:
    """Yields a path beside `target` to write, which replaces `target` at the end."""
    target = Path(os.path.abspath(target))
    try:
        if target.is_dir():
            raise IsADirectoryError("it is a folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.partial-", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise _cannot_write(target, error) from None
    work = Path(name)
    try:
        yield work
        os.chmod(work, 0o666 & ~_umask())
        os.replace(work, target)
    finally:
        work.unlink(missing_ok=True)


def write_arrays(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an .npz file; an array of `bytes` objects as all their bytes and where each ends."""
    plain: dict[str, Any] = {}
    for name, array in arrays.items():
        if array.dtype == object:
            items = array.reshape(-1).tolist()
            ends = np.cumsum([len(item) for item in items], dtype=np.int64)
            plain[f"{name}{_BYTES}"] = np.frombuffer(b"".join(items), np.uint8)
            plain[f"{name}{_ENDS}"] = ends.reshape(array.shape)
        else:
            plain[name] = array
    np.savez(path, **cast(Any, plain))


def read_arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays of a file of `write_arrays`."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    for name in [n.removesuffix(_ENDS) for n in arrays if n.endswith(_ENDS)]:
        content, ends = arrays.pop(f"{name}{_BYTES}").tobytes(), arrays.pop(f"{name}{_ENDS}")
        array = np.empty(ends.size, object)
        flat = [0, *ends.reshape(-1).tolist()]
        array[:] = [content[a:b] for a, b in itertools.pairwise(flat)]
        arrays[name] = array.reshape(ends.shape)
    return arrays


def _install(work: Path, target: Path) -> None:
    """Moves the entries of `work` to `target`; puts the old ones back if that fails half-way."""
    if not target.exists():
        os.rename(work, target)
        return
    backup = Path(tempfile.mkdtemp(prefix=f".{target.name}.previous-", dir=target.parent))
    moved: list[str] = []
    try:
        for entry in sorted(os.listdir(work)):
            if (target / entry).exists():
                os.rename(target / entry, backup / entry)
            moved.append(entry)
            os.rename(work / entry, target / entry)
    except BaseException:
        for entry in moved:
            if (target / entry).exists() and not (work / entry).exists():
                os.rename(target / entry, work / entry)
            if (backup / entry).exists():
                os.rename(backup / entry, target / entry)
        raise
    finally:
        shutil.rmtree(backup, ignore_errors=True)


def _cannot_write(target: Path, error: OSError) -> OSError:
    reason = error.strerror or str(error)
    if isinstance(error, FileExistsError) and error.filename:  # a parent is a file
        reason = f"{str(error.filename)!r} is no folder"
    return type(error)(error.errno or 0, f"cannot write {str(target)!r}: {reason}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
