"""Starts the other ranks of a plain `python script.py`: the same script, with rank variables.

* Rank 0 is the process the user started; its output alone is shown.
* The others end with it: when it exits they are stopped, and they stop by themselves if it dies.
  Ctrl-C reaches rank 0 alone.
* The exit code of a failed rank becomes an error here, with the end of its log and the log's name.
  Only that log is kept.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

from torchtf.distribute import _group

_children: list[tuple[subprocess.Popen, str]] = []
_stopping = threading.Event()

# seconds that the other ranks get to end by themselves after rank 0, and if it failed
_GRACE, _GRACE_AFTER_ERROR = 30, 2


def _command() -> list[str]:
    """The command line that runs this program again.

    Raises:
        RuntimeError: in an interactive session or under `python -c`.
    """
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name != "builtins":
        name = spec.name.removesuffix(".__main__")
        return [sys.executable, "-m", name, *sys.argv[1:]]
    path = getattr(main, "__file__", None)
    if path is None or not os.path.exists(path) or hasattr(sys, "ps1"):
        raise RuntimeError(
            "MirroredStrategy with several devices runs a process for each, which needs a script "
            "to start again. Put the program into a file, start it with torchrun "
            "--nproc_per_node=N, or name a single device."
        )
    return [sys.executable, path, *sys.argv[1:]]


def start_other_ranks(size: int) -> _group.Group:
    """Starts ranks 1 to size - 1 and joins them as rank 0."""
    if _group.joined() is not None:
        return _group.joined()
    command = _command()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    shared = {
        "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port), "TORCHTF_PARENT": str(os.getpid()),
    }  # fmt: skip
    for rank in range(1, size):
        log = tempfile.NamedTemporaryFile(  # noqa: SIM115 (the child writes to it)
            prefix=f"torchtf_rank{rank}_", suffix=".log", delete=False
        )
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "TORCHTF_LOG": log.name}
        env = os.environ | shared | own
        child = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        _children.append((child, log.name))
    atexit.register(_stop_children)
    threading.Thread(target=_watch, daemon=True).start()
    os.environ.update(shared | {"RANK": "0", "LOCAL_RANK": "0"})
    return _group.join()


def spawned() -> bool:
    """Whether the ranks of this program were started here, not by a launcher."""
    return "TORCHTF_PARENT" in os.environ


def _watch() -> None:
    """Ends this process when another rank has failed: waiting for it would never end."""
    while not _stopping.is_set():
        for child, log in list(_children):
            code = child.poll()
            if code and not _stopping.is_set():
                _report(child, log)
                _stop_children(reported=log)
                os._exit(code if code > 0 else 1)
        time.sleep(0.2)


_reported: set[str] = set()


def _report(child: subprocess.Popen, log: str) -> bool:
    """Tells of a rank that failed, unless it is by the error that this process failed by."""
    if log in _reported:  # by the thread that watches
        return True
    _reported.add(log)
    with open(log, errors="replace") as f:
        tail = f.read()[-4000:]
    own = getattr(sys, "last_value", None)
    if own is not None and tail.rstrip().endswith(f"{type(own).__name__}: {own}"):
        return False
    sys.stderr.write(
        f"torchtf: a replica (process {child.pid}) ended with code {child.returncode}; "
        f"its output is in {log}:\n{tail}\n"
    )
    sys.stderr.flush()
    return True


def _stop_children(reported: str | None = None) -> None:
    """Gives the other ranks a moment to end by themselves, then stops them.

    After the failure of one of them that was reported, they would only wait.
    """
    _stopping.set()
    grace = _GRACE if getattr(sys, "last_value", None) is None else _GRACE_AFTER_ERROR
    deadline = time.monotonic() + (0 if reported else grace)
    for child, log in _children:
        stopped = reported is not None
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            stopped = True
            child.terminate()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
        kept = log == reported or (child.returncode and not stopped and _report(child, log))
        if not kept:
            os.unlink(log)
    _children.clear()


def end_with_parent() -> None:
    """In a started rank: ends the process when rank 0 is gone, so that no orphan stays."""
    parent = os.environ.get("TORCHTF_PARENT")
    if parent is None or int(parent) == os.getpid():
        return

    def watch():
        while os.getppid() == int(parent):
            time.sleep(0.5)
        with contextlib.suppress(OSError):
            os.unlink(os.environ["TORCHTF_LOG"])  # nobody is left to tell of it
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


end_with_parent()
