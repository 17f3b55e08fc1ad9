"""The TensorFlow process, seen from here.

Keras' backend and TensorFlow's runtime belong to a whole process, so TensorFlow runs in a child
(``python -m export.worker``), which answers requests one after the other: a line of JSON in, a
line of JSON out, arrays in files. It starts on first use, stays for the next step, and ends with
this process, or by itself when it has had nothing to do for some minutes.
"""

from __future__ import annotations

import atexit
import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from .errors import ExportError, VerificationError, WorkerError, require_extra

_ERRORS = {
    "ExportError": ExportError,
    "VerificationError": VerificationError,
    "ValueError": ValueError,
}
_LOG_TAIL = 4000


class Worker:
    """A child process that has TensorFlow loaded."""

    def __init__(self):
        self._log = tempfile.NamedTemporaryFile(  # noqa: SIM115  (open as long as the process)
            prefix="export-worker-", suffix=".log", delete=False
        )
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                [
                    str(Path(__file__).resolve().parents[1]),
                    *filter(None, [os.environ.get("PYTHONPATH")]),
                ]
            ),
            "KERAS_BACKEND": "tensorflow",
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "CUDA_VISIBLE_DEVICES": "-1",
            "PYTHONUNBUFFERED": "1",
        }
        for name in ("TF_USE_LEGACY_KERAS", "TF_CONFIG", "TF_XLA_FLAGS"):
            environment.pop(name, None)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", "export.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            text=True,
            encoding="utf-8",
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self, command: str, **arguments):
        """Sends a request and waits for the answer.

        Raises:
            WorkerError: if the process dies, with the end of its log.
            OSError: if the disk is full.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        except BaseException:
            self.close()  # an interrupted answer would be taken for the next one's
            raise
        if not line:
            code = self._process.wait()
            raise WorkerError(
                f"the TensorFlow process ended with status {code} in {command!r}", self.log()
            )
        answer = json.loads(line)
        if "error" in answer:
            kind, message = answer["error"], answer["message"]
            if kind in _ERRORS:
                raise _ERRORS[kind](message)
            if "No space left on device" in message:
                raise OSError(
                    errno.ENOSPC, f"cannot write an artifact: {os.strerror(errno.ENOSPC)}"
                )
            text = f"{kind} in the TensorFlow process: {message}"
            raise WorkerError(text, self.log(), (kind, message))
        return answer["result"]

    def log(self) -> str:
        """The end of what the process wrote."""
        with open(self._log.name, encoding="utf-8", errors="replace") as file:
            return file.read()[-_LOG_TAIL:]

    def close(self) -> None:
        if self.alive:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except OSError:
                pass
        self._log.close()
        Path(self._log.name).unlink(missing_ok=True)


_lock = threading.RLock()
_worker: Worker | None = None


def start() -> None:
    """Starts the process in the background, so that TensorFlow loads while the model is traced.

    Raises:
        ImportError: if packages of the ``export`` extra are missing.
    """
    global _worker
    require_extra()
    with _lock:
        if _worker is None or not _worker.alive:
            if _worker is not None:
                _worker.close()
            _worker = Worker()


def call(command: str, **arguments):
    """A request to the process, which is started when there is none."""
    with _lock:
        start()
        assert _worker is not None
        return _worker.call(command, **arguments)


def stop() -> None:
    """Ends the process; the next request starts a new one."""
    global _worker
    with _lock:
        if _worker is not None:
            _worker.close()
            _worker = None


def _after_fork() -> None:
    global _worker, _lock
    _worker, _lock = None, threading.RLock()  # the pipes belong to the parent


atexit.register(stop)
os.register_at_fork(after_in_child=_after_fork)
