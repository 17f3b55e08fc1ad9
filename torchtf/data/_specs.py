"""Specs of objects that give, or hold, elements: datasets, iterators, optionals."""

from __future__ import annotations

from torchtf.core.specs import TypeSpec
from torchtf.data import _structure as structure


class ElementSpec(TypeSpec):
    """The spec of an object that is described by the spec of its elements.

    Args:
        element_spec: a structure of `tf.TypeSpec`s.
    """

    def __init__(self, element_spec):
        self._element_spec = element_spec

    @property
    def element_spec(self):
        """The structure of specs of the elements."""
        return self._element_spec

    @classmethod
    def from_value(cls, value):
        """The spec of an object of this type."""
        return cls(value.element_spec)

    def is_compatible_with(self, spec_or_value) -> bool:
        other = spec_or_value
        return isinstance(other, (self.value_type, type(self))) and structure.compatible(
            other.element_spec, self._element_spec
        )

    def most_specific_compatible_type(self, other):
        return type(self)(structure.common_spec(self._element_spec, other._element_spec))

    def __eq__(self, other):
        return type(other) is type(self) and self._element_spec == other._element_spec

    def __hash__(self):
        return hash(type(self))
