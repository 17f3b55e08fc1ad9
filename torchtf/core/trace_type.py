"""The tracing protocol: what a value tells `tf.function` about when a trace serves it."""

from __future__ import annotations

import abc


class TraceType(abc.ABC):
    """The type that a value has for tracing (source: `tf.types.experimental.TraceType`).

    A class with a method `__tf_tracing_type__(context)` returns one of it. A call uses a trace that
    was made for a type of which its own is a subtype.
    """

    @abc.abstractmethod
    def is_subtype_of(self, other) -> bool:
        """Whether a trace for `other` serves this type."""

    @abc.abstractmethod
    def most_specific_common_supertype(self, others):
        """The most specific type that this one and all `others` are subtypes of, or None."""

    @abc.abstractmethod
    def placeholder_value(self, placeholder_context):
        """What the function gets while it is traced."""

    def to_tensors(self, value) -> list:
        """The tensors that stand for a value."""
        return []

    def from_tensors(self, tensors):
        """The value that an iterator of tensors stands for."""
        return self.placeholder_value(None)

    def flatten(self) -> list:
        """The specs of the tensors that stand for a value."""
        return []

    def cast(self, value, cast_context):
        """The value as one of this type.

        Raises:
            AssertionError: if it is none.
        """
        assert value == self.placeholder_value(None), f"Can not cast {value!r} to type {self!r}"
        return value

    @abc.abstractmethod
    def __hash__(self):
        """Equal types have equal hashes."""

    @abc.abstractmethod
    def __eq__(self, other):
        """Whether the two are one type."""


class Constant:
    """The methods of the tracing protocol for types that no tensor stands for."""

    __slots__ = ()

    def placeholder_value(self, placeholder_context):
        return None

    def to_tensors(self, value) -> list:
        return []

    def from_tensors(self, tensors):
        return None

    def flatten(self) -> list:
        return []

    def cast(self, value, cast_context):
        """The value, if it is this type.

        Raises:
            AssertionError: if it is not.
        """
        assert value is None, f"Can not cast {value!r} to type {self!r}"
        return value


class Key:
    """A part of a cache key that finds traces of supertypes."""

    __slots__ = ("trace_type",)

    def __init__(self, trace_type):
        self.trace_type = trace_type

    def __hash__(self):
        return hash(type(self.trace_type))

    def __eq__(self, other):
        # a dict asks the key it holds about the one it looks for
        return type(other) is Key and (
            self.trace_type == other.trace_type or other.trace_type.is_subtype_of(self.trace_type)
        )
