"""`tf.name_scope`: prefixes for the names of variables and ops."""

from __future__ import annotations

import threading

from torchtf.core import graph


class _State(threading.local):
    def __init__(self):
        self.stack: list[str] = [""]


_state = _State()


def get_current_name_scope() -> str:
    """The prefix in force, without the last slash (source: `tf.get_current_name_scope`)."""
    return _state.stack[-1].rstrip("/")


def qualified(name: str) -> str:
    """`name` with the prefix in force."""
    return _state.stack[-1] + name


class Names:
    """The names taken in a graph, by TensorFlow's rule: `a`, `a_1`, `a_2`, in any case."""

    def __init__(self):
        self._counts: dict[str, int] = {}

    def free(self, wanted: str) -> str:
        """`wanted`, with a number if that name is taken."""
        count = self._counts.get(wanted.lower(), 0)
        name = f"{wanted}_{count}" if count else wanted
        while name.lower() in self._counts:
            count += 1
            name = f"{wanted}_{count}"
        return name

    def take(self, wanted: str) -> str:
        """`free(wanted)`, which is taken now."""
        name = self.free(wanted)
        self._counts[wanted.lower()] = self._counts.get(wanted.lower(), 0) + 1
        self._counts.setdefault(name.lower(), 1)
        return name


class name_scope:
    """A context in which names get a prefix (source: `tf.name_scope`).

    Args:
        name: the prefix; with a slash at the end it replaces the prefixes around it.

    Raises:
        ValueError: if it is no string.
    """

    def __init__(self, name: str):
        if not isinstance(name, str):
            raise ValueError("name for name_scope must be a string.")
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def __enter__(self) -> str:
        if not self._name:
            scope = ""
        elif self._name.endswith("/"):
            scope = self._name
        else:
            scope = _state.stack[-1] + self._name
            if graph.state.trace is not None:  # in a graph each scope is entered once
                scope = graph.state.trace.unique_name(scope)
            scope += "/"
        _state.stack.append(scope)
        return scope

    def __exit__(self, *exc):
        _state.stack.pop()
