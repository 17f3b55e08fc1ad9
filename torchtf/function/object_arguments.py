"""Iterators and datasets as arguments: one trace serves all objects of a kind and spec.

* A class takes part by a method `_as_argument(place)`, which makes what a traced function sees in
  the place of its instances. Nodes of the graph ask the place for the object of the call.
* The places are kept, so that they, and not the objects, are part of the cache key.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from torchtf.function import signature, variable_arguments


class Place:
    """The place of an object among the arguments of a traced function."""

    def __init__(self):
        self._own = threading.local()
        self._calls: list = []

    @contextlib.contextmanager
    def holding(self, value):
        """For the time of a call, `value` is the object here."""
        outer = getattr(self._own, "value", None)
        self._own.value = value
        self._calls.append(value)
        try:
            yield
        finally:
            self._own.value = outer
            self._calls.remove(value)

    @property
    def value(self):
        """The object of the call under way; a graph may run nodes in threads of its own."""
        own = getattr(self._own, "value", None)
        return own if own is not None else self._calls[-1]


class Places:
    """The places of the objects that a function is called with."""

    def __init__(self):
        self._known: dict[tuple, tuple[Place, Any]] = {}

    def find(self, args: tuple) -> tuple[tuple, list[tuple[Place, Any]]]:
        """Arguments with a stand-in for each object, and the places with their objects."""
        found: list[tuple[Place, Any]] = []

        def replace(value):
            if not hasattr(type(value), "_as_argument"):
                return value
            spec = signature.encode(value.element_spec, [])
            key = len(found), type(value), spec
            if key not in self._known:
                place = Place()
                self._known[key] = place, value._as_argument(place)
            place, stand_in = self._known[key]
            found.append((place, value))
            return stand_in

        return tuple(variable_arguments.mapped(replace, a) for a in args), found
