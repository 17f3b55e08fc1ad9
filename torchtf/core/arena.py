"""Strings inside traced graphs: int64 handles into an arena that lives for one call of the graph.

* A handle is an index into the arena's list; handle 0 is the empty string, so zeros are empty
  strings. Equal strings have equal handles, so graphs compare and move them as integers.
* A process-wide table would leak, since records and images are strings, too.
* While tracing, a stand-in that holds handles is marked: `is_handles`.
"""

from __future__ import annotations

import threading

import numpy as np
import torch


class _State(threading.local):
    current: Arena | None = None


_state = _State()


class Arena:
    """The strings that the graph under way has met. A context: enter it to run a graph."""

    __slots__ = ("_index", "_items", "_outer")

    def __init__(self):
        self._items = [b""]
        self._index = {b"": 0}

    def __enter__(self):
        self._outer = _state.current
        _state.current = self
        return self

    def __exit__(self, *exc):
        _state.current = self._outer

    def encode(self, array: np.ndarray) -> torch.Tensor:
        """The handles of an object array of bytes."""
        index, items = self._index, self._items
        handles = []
        strings: list[bytes] = array.reshape(-1).tolist() if array.ndim else [array.item()]
        for item in strings:
            handle = index.get(item)
            if handle is None:
                handle = index[item] = len(items)
                items.append(item)
            handles.append(handle)
        if not array.ndim:
            return torch.scalar_tensor(handles[0], dtype=torch.int64)
        return torch.tensor(handles, dtype=torch.int64).reshape(array.shape)

    def decode(self, handles: torch.Tensor) -> np.ndarray:
        """The strings of handles, as an object array."""
        items = self._items
        if not handles.dim():
            scalar = np.empty((), dtype=object)
            scalar[()] = items[int(handles)]
            return scalar
        flat = np.empty(handles.numel(), dtype=object)
        flat[:] = [items[i] for i in handles.reshape(-1).tolist()]
        return flat.reshape(tuple(handles.shape))


def current() -> Arena:
    """The arena of the graph under way in this thread.

    Raises:
        RuntimeError: if no graph that was entered with an arena is under way.
    """
    if _state.current is None:
        raise RuntimeError("a graph with strings must run inside an Arena")
    return _state.current


def active() -> bool:
    """True while a graph with strings runs in this thread."""
    return _state.current is not None


def encode(array: np.ndarray) -> torch.Tensor:
    """The handles of strings in the arena of the graph under way."""
    return current().encode(array)


def decode(handles: torch.Tensor) -> np.ndarray:
    """The strings of handles of the graph under way."""
    return current().decode(handles)


def mark(stand_in: torch.Tensor) -> torch.Tensor:
    """Marks a fake tensor as one of string handles."""
    stand_in.holds_strings = True  # type: ignore[attr-defined]
    return stand_in


def is_handles(data) -> bool:
    """True for a stand-in that holds string handles."""
    return hasattr(data, "holds_strings")
