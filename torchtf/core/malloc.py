"""What the C library's allocator does with freed memory.

glibc gives large blocks back to the system when they are freed, and the next one comes as new
pages, each of which costs a fault. For the pixels of an image that may be as long as decoding it.
"""

from __future__ import annotations

import ctypes
import functools

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGEST = 32 << 20  # the most that glibc allows for a block outside its own mappings
_KEPT = 512 << 20


@functools.cache
def keep_freed_memory() -> None:
    """From now on up to 512 MiB that were freed are kept for what is allocated next.

    Without effect where the C library is not glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGEST)
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
