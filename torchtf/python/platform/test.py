"""`tensorflow.python.platform.test`: `tf.test`, what its programs mock with, and their folders."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from unittest import mock

from torchtf.python import names_of

__all__ = ["get_temp_dir", "mock", "test_src_dir_path"]

__getattr__ = names_of("platform.test")


@functools.cache
def get_temp_dir() -> str:
    """A new folder for the files of tests, the same in each call; it goes when the process ends.

    Its name begins with the environment variable TEST_TMPDIR where that is set.
    """
    folder = tempfile.mkdtemp(prefix=os.environ.get("TEST_TMPDIR") or None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def test_src_dir_path(relative_path: str) -> str:
    """The path of a file that belongs to TensorFlow's tests, where Bazel runs them.

    Raises:
        KeyError: unless the environment variables TEST_SRCDIR and TEST_WORKSPACE are set.
    """
    root = (os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])
    return os.path.join(*root, "tensorflow", relative_path)
