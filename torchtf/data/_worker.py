"""What a worker process of `_processes` runs: functions on rows of NumPy arrays.

It is started by its path, so it loads neither torchtf nor torch, nor the user's script.
"""

from __future__ import annotations

import pickle
import signal
import sys
from multiprocessing.connection import Connection


def serve(link: Connection) -> None:
    """Answers requests until the other end closes.

    A request is (key, pickled function or None if it was sent before, rows); the answer is the
    results of the rows up to the first that failed, and whether one did. The other end calls the
    function on that one itself, which shows the error in its place.
    """
    functions: dict = {}
    while True:
        try:
            key, pickled, rows = pickle.loads(link.recv_bytes())
        except EOFError:
            return
        results: list = []
        try:
            if pickled is not None:
                functions[key] = pickle.loads(pickled)
            results.extend(functions[key](*row) for row in rows)
            answer = pickle.dumps((results, False), protocol=5)
        except Exception:
            answer = pickle.dumps((_portable(results), True), protocol=5)
        link.send_bytes(answer)


def _portable(results: list) -> list:
    """The results, or none of them if they cannot be sent."""
    try:
        pickle.dumps(results)
    except Exception:
        return []
    return results


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    sys.path[:] = pickle.loads(bytes.fromhex(sys.argv[2]))
    serve(Connection(int(sys.argv[1])))
