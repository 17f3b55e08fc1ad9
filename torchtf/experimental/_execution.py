"""How eager ops are executed: asynchronously as torch does, strictly if asked for."""

from __future__ import annotations

import contextlib

import torch


def _synchronize():
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


@contextlib.contextmanager
def async_scope():
    """Ops of the block may run asynchronously, and have run at its end
    (source: `tf.experimental.async_scope`).

    On GPUs ops are asynchronous in any case; on CPUs they run at once.
    """
    yield
    _synchronize()


def async_clear_error() -> None:
    """Drops what asynchronous ops have raised so far
    (source: `tf.experimental.async_clear_error`); here such an error stays with its CUDA context.
    """
    _synchronize()


@contextlib.contextmanager
def function_executor_type(executor_type):
    """Chooses the executor of the functions called in the block
    (source: `tf.experimental.function_executor_type`).

    Args:
        executor_type: None or "" for the only one that there is.

    Raises:
        NotImplementedError: for another one.
    """
    if executor_type:
        raise NotImplementedError(
            f"The executor {executor_type!r} is not supported: graphs run as generated Python; "
            "leave function_executor_type out."
        )
    yield


def enable_strict_mode() -> None:
    """Makes deprecated behaviour an error (source: `tf.experimental.enable_strict_mode`).

    Raises:
        NotImplementedError: always: deprecated behaviour that TensorFlow warns of is not there.
    """
    raise NotImplementedError(
        "tf.experimental.enable_strict_mode is not supported; use python -W error to make warnings "
        "errors."
    )
