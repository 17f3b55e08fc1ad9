"""`tf.io.gfile`: files of the local file system with TensorFlow's errors."""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import io
import os
import re
import shutil
import stat as _stat
from typing import NamedTuple

from torchtf.core import errors

__all__ = [
    "GFile", "copy", "exists", "get_registered_schemes", "glob", "isdir", "join", "listdir",
    "makedirs", "mkdir", "remove", "rename", "rmtree", "stat", "walk",
]  # fmt: skip

_BY_ERRNO = {
    errno.ENOENT: errors.NotFoundError,
    errno.ENOTDIR: errors.FailedPreconditionError,
    errno.EEXIST: errors.AlreadyExistsError,
    errno.EISDIR: errors.FailedPreconditionError,
    errno.ENOTEMPTY: errors.FailedPreconditionError,
    errno.EACCES: errors.PermissionDeniedError,
    errno.EPERM: errors.PermissionDeniedError,
    errno.ENOSPC: errors.ResourceExhaustedError,
    errno.EDQUOT: errors.ResourceExhaustedError,
}


def local_path(path) -> str:
    """A path as a string of the local file system.

    Raises:
        UnimplementedError: for a scheme such as "gs://".
    """
    if hasattr(path, "numpy"):
        path = path.numpy()
    path = os.fspath(path)
    path = path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else path
    if "://" not in path:
        return path
    if path.startswith("file://"):
        return path[len("file://") :]
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9.+-]*)://", path)
    if scheme:
        raise errors.UnimplementedError(
            None, None,
            f"File system scheme '{scheme[1]}' not implemented (file: '{path}'); copy the file to "
            "the local file system first.",
        )  # fmt: skip
    return path


@contextlib.contextmanager
def translated_errors(path):
    """Turns the OSError of a file operation into TensorFlow's exception."""
    try:
        yield
    except OSError as e:
        raise translated(e, path) from None


def translated(error: OSError, path) -> errors.OpError:
    """TensorFlow's exception for the OSError of an operation on the file `path`."""
    kind = _BY_ERRNO.get(error.errno, errors.UnknownError)
    return kind(None, None, f"{path}; {error.strerror}")


class GFile:
    """A file (source: `tf.io.gfile.GFile`); a context manager, iterable by lines.

    Args:
        name: the path.
        mode: "r", "w" or "a", with "+" and with "b" for bytes.
    """

    def __init__(self, name, mode="r", encoding="utf-8"):
        if mode not in {
            "r", "w", "a", "rb", "wb", "ab", "w+", "a+", "r+", "r+b", "rb+", "w+b", "wb+", "a+b",
            "ab+",
        }:  # fmt: skip
            raise errors.InvalidArgumentError(
                None, None, "mode is not 'r' or 'w' or 'a' or 'b' or '+'"
            )
        self._name, self._mode, self._encoding = name, mode, encoding
        self._binary = "b" in mode
        self._file: io.BufferedIOBase | None = None

    @property
    def name(self):
        return self._name

    @property
    def mode(self) -> str:
        return self._mode

    def _open(self, writing: bool):
        if writing and not set("wa+") & set(self._mode):
            raise errors.PermissionDeniedError(None, None, "File isn't open for writing")
        if not writing and not set("r+") & set(self._mode):
            raise errors.PermissionDeniedError(None, None, "File isn't open for reading")
        if self._file is None:
            path = local_path(self._name)
            with translated_errors(path):
                self._file = open(path, self._mode.replace("b", "") + "b")  # noqa: SIM115
        return self._file

    def _decoded(self, data: bytes):
        return data if self._binary else data.decode(self._encoding)

    def read(self, n=-1):
        """Up to `n` bytes, or all."""
        file = self._open(False)
        with translated_errors(self._name):
            return self._decoded(file.read(n))

    def readline(self):
        return self._decoded(self._open(False).readline())

    def readlines(self) -> list:
        return [self._decoded(line) for line in self._open(False)]

    def write(self, file_content) -> None:
        data = file_content
        if isinstance(data, str):
            data = data.encode(self._encoding)
        file = self._open(True)
        with translated_errors(self._name):
            file.write(data)

    def seek(self, offset=None, whence=0, position=None) -> None:
        """Moves to an offset from the start (0), here (1) or the end (2)."""
        if offset is None and position is None:
            raise TypeError("seek(): offset argument required")
        if position is not None:
            offset = position
        if whence not in (0, 1, 2):
            raise errors.InvalidArgumentError(
                None, None, f"Invalid whence argument: {whence}. Valid values are 0, 1, or 2."
            )
        self._open("r" not in self._mode).seek(offset, whence)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._open("r" not in self._mode).tell()

    def size(self) -> int:
        return stat(self._name).length

    def flush(self) -> None:
        if self._file is not None:
            with translated_errors(self._name):
                self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            with translated_errors(self._name):
                self._file.close()
            self._file = None

    def next(self):
        return self.__next__()

    def __iter__(self):
        return self

    def __next__(self):
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def __enter__(self):
        if set("wa") & set(self._mode):
            self._open(True)
        return self

    def __exit__(self, *exc):
        self.close()

    def __del__(self):
        with contextlib.suppress(Exception):
            self.close()


class FileStatistics(NamedTuple):
    """What `stat` returns."""

    length: int
    mtime_nsec: int
    is_directory: bool


def exists(path) -> bool:
    """Whether there is a file or folder (source: `tf.io.gfile.exists`)."""
    return os.path.exists(local_path(path))


def isdir(path) -> bool:
    """Whether the path is a folder (source: `tf.io.gfile.isdir`)."""
    return os.path.isdir(local_path(path))


def stat(path) -> FileStatistics:
    """Length, time of change and kind of a file (source: `tf.io.gfile.stat`).

    Raises:
        NotFoundError: if there is none.
    """
    path = local_path(path)
    with translated_errors(path):
        found = os.stat(path)
    return FileStatistics(found.st_size, found.st_mtime_ns, _stat.S_ISDIR(found.st_mode))


def listdir(path) -> list[str]:
    """The names in a folder (source: `tf.io.gfile.listdir`).

    Raises:
        NotFoundError: if it is no folder.
    """
    path = local_path(path)
    if not os.path.isdir(path):
        raise errors.NotFoundError(None, None, f"Could not find directory {path}")
    return os.listdir(path)


def mkdir(path) -> None:
    """Makes a folder in an existing one, unless it is there (source: `tf.io.gfile.mkdir`)."""
    path = local_path(path)
    if os.path.isdir(path):
        return
    with translated_errors(path):
        os.mkdir(path)


def makedirs(path) -> None:
    """Makes a folder and those above it (source: `tf.io.gfile.makedirs`)."""
    path = local_path(path)
    with translated_errors(path):
        os.makedirs(path, exist_ok=True)


def remove(path) -> None:
    """Deletes a file (source: `tf.io.gfile.remove`).

    Raises:
        NotFoundError: if there is none.
    """
    path = local_path(path)
    with translated_errors(path):
        os.remove(path)


def rmtree(path) -> None:
    """Deletes a folder and all in it (source: `tf.io.gfile.rmtree`).

    Raises:
        NotFoundError: if there is none.
    """
    path = local_path(path)
    with translated_errors(path):
        if os.path.isdir(path):
            shutil.rmtree(path)
        else:
            os.remove(path)


def copy(src, dst, overwrite=False) -> None:
    """Copies a file (source: `tf.io.gfile.copy`).

    Raises:
        AlreadyExistsError: if `dst` exists and `overwrite` is False.
        NotFoundError: if there is no `src`.
    """
    source, target = local_path(src), local_path(dst)
    if not overwrite and os.path.exists(target):
        raise errors.AlreadyExistsError(None, None, f"file already exists at: {target}")
    with translated_errors(source):
        temporary = f"{target}.{os.getpid()}.tmp"
        try:
            shutil.copyfile(source, temporary)
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def rename(src, dst, overwrite=False) -> None:
    """Renames a file or folder (source: `tf.io.gfile.rename`).

    Raises:
        AlreadyExistsError: if `dst` exists and `overwrite` is False.
        NotFoundError: if there is no `src`.
    """
    source, target = local_path(src), local_path(dst)
    if not overwrite and os.path.exists(target):
        raise errors.AlreadyExistsError(
            None, None, f"Failed to rename: {source} to: {target}; file already exists"
        )
    with translated_errors(source):
        os.replace(source, target)


def join(path, *paths):
    """Joins parts of a path (source: `tf.io.gfile.join`)."""
    return os.path.join(path, *paths)


def glob(pattern) -> list[str]:
    """The paths that match a pattern or any number of them, sorted for each of them.

    Source: `tf.io.gfile.glob`.
    """
    patterns = [pattern] if isinstance(pattern, (str, bytes, os.PathLike)) else pattern
    return [path for p in patterns for path in matching(local_path(p))]


def matching(pattern: str) -> list[str]:
    """The sorted paths that match a pattern with *, ?, [...]; "*" matches no "/"."""
    fixed = re.split(r"[*?\[\\]", pattern, maxsplit=1)[0]
    if fixed == pattern:
        return [pattern] if os.path.exists(pattern) else []
    if "/" not in pattern:  # the present folder, which TensorFlow names in the paths
        pattern, fixed = f"./{pattern}", "./"
    found = [os.path.dirname(fixed)]
    rest = pattern[len(found[0]) :].lstrip("/")
    if fixed.startswith("/") and not found[0]:
        found = ["/"]
    for part in rest.split("/"):
        test = re.compile(fnmatch.translate(part)).match
        step = []
        for folder in found:
            with contextlib.suppress(OSError):
                names = sorted(os.listdir(folder or "."))
                step += [os.path.join(folder, n) for n in names if test(n)]
        found = step
    return sorted(found)


def walk(top, topdown=True, onerror=None):
    """Yields (folder, folders in it, files in it) of a tree (source: `tf.io.gfile.walk`)."""
    top = local_path(top)
    try:
        names = sorted(listdir(top))
    except errors.NotFoundError as e:
        if onerror:
            onerror(e)
        return
    folders = [n for n in names if os.path.isdir(os.path.join(top, n))]
    files = [n for n in names if n not in folders]
    if topdown:
        yield top, folders, files
    for folder in folders:
        yield from walk(os.path.join(top, folder), topdown, onerror)
    if not topdown:
        yield top, folders, files


def get_registered_schemes() -> list[str]:
    """The schemes of paths that can be opened (source: `tf.io.gfile.get_registered_schemes`)."""
    return ["", "file"]
