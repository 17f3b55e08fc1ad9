"""`tensorflow.python.trackable.data_structures`: lists and dicts as attributes.

A tracked object here keeps lists and dicts as they are and looks into them when it is asked for
its variables, so nothing wraps them.
"""

from __future__ import annotations


class NoDependency:
    """Marks the value of an attribute in which no variables are looked for."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


def sticky_attribute_assignment(trackable, name: str, value):
    """What an attribute is set to: the value, without the mark of `NoDependency`."""
    return value.value if isinstance(value, NoDependency) else value


def wrap_or_unwrap(value):
    """The value, without the mark of `NoDependency`."""
    return value.value if isinstance(value, NoDependency) else value
