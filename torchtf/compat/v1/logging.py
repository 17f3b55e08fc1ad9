"""`tf.compat.v1.logging`: the logger of TensorFlow (source: `tf.compat.v1.logging`)."""

from __future__ import annotations

import itertools as _itertools
import logging as _logging
import sys as _sys
from collections import defaultdict as _defaultdict

from torchtf.core.log import get_logger as _get_logger

DEBUG, INFO, WARN = _logging.DEBUG, _logging.INFO, _logging.WARNING
ERROR, FATAL = _logging.ERROR, _logging.FATAL

_counts: dict = _defaultdict(_itertools.count)


def log(level: int, msg, *args, **kwargs) -> None:
    """Logs `msg % args` at a level."""
    _get_logger().log(level, msg, *args, **kwargs)


def debug(msg, *args, **kwargs) -> None:
    """Logs at the level DEBUG."""
    log(DEBUG, msg, *args, **kwargs)


def info(msg, *args, **kwargs) -> None:
    """Logs at the level INFO."""
    log(INFO, msg, *args, **kwargs)


def warning(msg, *args, **kwargs) -> None:
    """Logs at the level WARN."""
    log(WARN, msg, *args, **kwargs)


warn = warning


def error(msg, *args, **kwargs) -> None:
    """Logs at the level ERROR."""
    log(ERROR, msg, *args, **kwargs)


def fatal(msg, *args, **kwargs) -> None:
    """Logs at the level FATAL; the program goes on."""
    log(FATAL, msg, *args, **kwargs)


def _count() -> int:
    """How often this has been called from a place in a program before."""
    frame = _sys._getframe(2)
    return next(_counts[frame.f_code.co_filename, frame.f_lineno])


def log_every_n(level: int, msg, n: int, *args) -> None:
    """Logs the first of each `n` calls from a place in the program."""
    log_if(level, msg, not _count() % n, *args)


def log_first_n(level: int, msg, n: int, *args) -> None:
    """Logs the first `n` calls from a place in the program."""
    log_if(level, msg, _count() < n, *args)


def log_if(level: int, msg, condition, *args) -> None:
    """Logs where `condition` is true."""
    if condition:
        log(level, msg, *args)


def vlog(level: int, msg, *args, **kwargs) -> None:
    """Logs at a level, as `log`."""
    log(level, msg, *args, **kwargs)


def flush() -> None:
    """Does nothing (deprecated in TensorFlow, too)."""
    raise NotImplementedError("tf.compat.v1.logging.flush: log handlers write at once")


def TaskLevelStatusMessage(msg) -> None:
    """Logs at the level ERROR."""
    error(msg)


def get_verbosity() -> int:
    """The level below which nothing is logged."""
    return _get_logger().getEffectiveLevel()


def set_verbosity(v: int) -> None:
    """Sets the level below which nothing is logged."""
    _get_logger().setLevel(v)
