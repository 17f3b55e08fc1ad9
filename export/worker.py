"""``python -m export.worker``: the process that has TensorFlow.

Reads one JSON request a line from standard input and answers each with one line on what was
standard output; everything that TensorFlow prints goes to standard error. It ends when its input
does, or when `IDLE` seconds pass without a request.
"""

from __future__ import annotations

import gc
import json
import os
import select
import sys
import traceback
from collections.abc import Callable

IDLE = float(os.environ.get("EXPORT_WORKER_IDLE", "600"))


def handle(request: dict):
    """Runs one request."""
    from .backend import execute, lite, saved_model

    commands: dict[str, Callable] = {
        "ready": lambda: "ready",
        "save": saved_model.save,
        "describe": saved_model.describe,
        "run_saved_model": execute.run_saved_model,
        "tflite": lite.convert,
        "analyze": lite.analyze,
        "run_tflite": execute.run_tflite,
        "layers": lite.layer_errors,
    }
    command = request.pop("command")
    return commands[command](**request)


def main() -> None:
    """Answers requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from .backend import lite, saved_model  # noqa: F401  load TensorFlow before the first request

    gc.freeze()  # TensorFlow's converter collects garbage: not among the objects of all modules
    while select.select([sys.stdin], [], [], IDLE)[0]:
        line = sys.stdin.readline()
        if not line:
            return
        try:
            answer = {"result": handle(json.loads(line))}
        except BaseException as error:
            traceback.print_exc()
            if not isinstance(error, Exception):
                raise
            answer = {"error": type(error).__name__, "message": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
