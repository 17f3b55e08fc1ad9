"""`tensorflow.python.framework.composite_tensor`: values that are made of several tensors."""

from __future__ import annotations

import abc

from torchtf.core import nest


class CompositeTensor(abc.ABC):
    """The base of a class whose objects are made of tensors, as its `_type_spec` says.

    Ragged and sparse tensors, extension types and all else with a spec of components count as
    instances.
    """

    @classmethod
    def __subclasshook__(cls, other):
        return (cls is CompositeTensor and hasattr(other, "_type_spec")) or NotImplemented

    @property
    @abc.abstractmethod
    def _type_spec(self):
        """The `tf.TypeSpec` of the value."""

    def _shape_invariant_to_type_spec(self, shape):
        raise NotImplementedError(
            f"{type(self).__name__} has no shape invariants: give a tf.TypeSpec instead"
        )

    def _consumers(self) -> list:
        """The operations of a graph that read it: always empty, as eager tensors have none."""
        return []

    def __tf_tracing_type__(self, context):
        return self._type_spec


def is_composite_tensor(value) -> bool:
    """Whether a value is made of several tensors."""
    return nest.is_composite(value)


def replace_composites_with_components(structure):
    """The structure with a list of its component tensors for each composite tensor."""
    if nest.is_composite(structure):
        return replace_composites_with_components(nest.flatten(structure, expand_composites=True))
    children = nest.children(structure)
    if children is None:
        return structure
    return nest.rebuild(structure, [replace_composites_with_components(c) for _, c in children])
