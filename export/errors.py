"""What can go wrong in an export, each as one clear exception."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence

REQUIRED = ("tensorflow", "onnx", "onnxscript", "ai_edge_litert")


class ExportError(ValueError):
    """The model cannot be exported; the message names the operator and the layer."""


class CalibrationError(ValueError, RuntimeError):
    """Calibration data of a wrong shape: a wrong value, which TensorFlow's calibrator meets as a
    RuntimeError.
    """


class VerificationError(ExportError):
    """An artifact does not compute what its source computes."""


class WorkerError(RuntimeError):
    """The TensorFlow process failed or died; `log` is the end of what it wrote.

    `reason` has the class and the message of the exception that was raised there, if one was.
    """

    def __init__(self, message: str, log: str = "", reason: tuple[str, str] | None = None):
        super().__init__(
            message + (f"\n--- log of the TensorFlow process ---\n{log}" if log else "")
        )
        self.log = log
        self.reason = reason


def require_extra() -> None:
    """Raises the one ImportError for missing packages, before any work is done."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"Exporting needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} "
            'not installed: pip install "torchtf[export]"'
        )


def other_ranks(name: str, known: Iterable[Sequence[int]]) -> str:
    """What is said of inputs whose ranks no graph of a function was saved for."""
    return (
        f"The function {name!r} was saved for inputs of the ranks {[list(r) for r in known]} "
        "alone: save it with an input signature that has the ranks it is called with."
    )
