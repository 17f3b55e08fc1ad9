"""The order of the nodes of a graph without cycles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

N = TypeVar("N")


class InvalidDAGError(Exception):
    """Nodes that wait for each other (source: `tfx.utils.topsort.InvalidDAGError`)."""


def topsorted(
    nodes: Sequence[N], name: Callable[[N], str], parents: Callable[[N], Iterable[N]]
) -> list[N]:
    """The nodes, each after its parents, else as they came.

    Raises:
        InvalidDAGError: if there is a cycle; its message names the nodes that wait.
    """
    done: list[N] = []
    waiting = list(nodes)
    while waiting:
        ready = [n for n in waiting if all(p in done for p in parents(n))]
        if not ready:
            names = ", ".join(name(n) for n in waiting)
            raise InvalidDAGError(f"Cycle detected: these nodes wait for each other: {names}.")
        done += ready
        waiting = [n for n in waiting if n not in ready]
    return done
