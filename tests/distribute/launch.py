"""Starting programs of several processes on this machine, with time limits and no leftovers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATH = os.pathsep.join([ROOT, *filter(None, [os.environ.get("PYTHONPATH")])])
ENVIRONMENT = os.environ | {"PYTHONPATH": PATH, "OMP_NUM_THREADS": "1"}
ENVIRONMENT.pop("KERAS_BACKEND", None)  # TensorFlow would load torch, and both carry LLVM


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def torchrun(
    replicas: int, script, *arguments, where=None, restarts: int = 0, timeout: float
) -> None:
    """Runs a script under torchrun; all its processes are gone afterwards.

    Args:
        where: the options that say where the agents meet; by default there is one agent.

    Raises:
        AssertionError: if it fails, with the end of its errors.
        TimeoutExpired: if it takes longer than `timeout` seconds.
    """
    where = where or ("--master_addr=127.0.0.1", f"--master_port={free_port()}")
    command = [
        sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={replicas}",
        *where, f"--max-restarts={restarts}",
        "--monitor-interval=0.2", str(script), *map(str, arguments),
    ]  # fmt: skip
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        _, errors = process.communicate(timeout=timeout)
    finally:
        if process.poll() is None:
            process.terminate()  # torchrun ends its workers, which are in sessions of their own
            try:
                process.wait(60)
            finally:
                process.kill()
                process.stderr.close()  # not read to its end, which a leftover worker would hold back
    assert process.returncode == 0, errors[-4000:]
