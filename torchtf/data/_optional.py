"""`tf.experimental.Optional`: a value or the lack of one, as iterators give it."""

from __future__ import annotations

import torch

from torchtf.core import errors
from torchtf.core.tensor import Tensor
from torchtf.data import _structure as structure
from torchtf.data._specs import ElementSpec

_EMPTY = object()


class Optional:
    """A value that may be missing (source: `tf.experimental.Optional`).

    Made by `from_value`, `empty`, or `Iterator.get_next_as_optional`.
    """

    def __init__(self, element, element_spec):
        self._element = element
        self._element_spec = element_spec

    @staticmethod
    def from_value(value) -> Optional:
        """An optional that holds a (nested structure of) tensors."""
        element = structure.normalize(value)
        return Optional(element, structure.spec_of_structure(element))

    @staticmethod
    def empty(element_spec) -> Optional:
        """An optional without a value; `element_spec` tells what the value would be like."""
        return Optional(_EMPTY, element_spec)

    @property
    def element_spec(self):
        return self._element_spec

    def has_value(self, name=None) -> Tensor:
        """A scalar bool tensor: whether there is a value."""
        return Tensor(torch.tensor(self._element is not _EMPTY))

    def get_value(self, name=None):
        """The value.

        Raises:
            InvalidArgumentError: if there is none.
        """
        if self._element is _EMPTY:
            problem = "The given optional does not have a value."
            raise errors.of_kernel("OptionalGetValue", problem, name or "", "_output_types_1")
        return self._element

    @property
    def _type_spec(self) -> OptionalSpec:
        return OptionalSpec(self._element_spec)


class OptionalSpec(ElementSpec):
    """The spec of an `Optional` (source: `tf.OptionalSpec`).

    Args:
        element_spec: the structure of specs of the value.
    """

    @property
    def value_type(self):
        return Optional

    def _placeholder(self):
        return Optional(
            structure.map_structure(structure.placeholder, self._element_spec), self._element_spec
        )

    def __repr__(self):
        return f"OptionalSpec({self._element_spec!r}, None)"
