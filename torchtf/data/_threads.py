"""How many threads the kernels use that a thread of a pipeline calls."""

from __future__ import annotations

import contextlib
from threading import Thread

import torch


@contextlib.contextmanager
def at_most(count: int):
    """Kernels that this thread calls inside use no more than `count` threads."""
    usual = torch.get_num_threads()
    if count >= usual:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def kernel_threads(count: int, others: int) -> None:
    """Kernels that this thread calls use `count` threads from now on, those of others `others`.

    Torch takes the number for the calling thread and for threads to come, each of which looks at it
    once; the latter get theirs back from a thread that ends.
    """
    torch.get_num_threads()  # this thread's look
    torch.set_num_threads(count)
    thread = Thread(target=torch.set_num_threads, args=(others,))
    thread.start()
    thread.join()
