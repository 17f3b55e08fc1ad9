"""`tensorflow.python.framework.type_spec`: `tf.TypeSpec`, and registers of them."""

from __future__ import annotations

from torchtf.core.specs import TypeSpec
from torchtf.python import names_of
from torchtf.python.framework.type_spec_registry import get_name, lookup, register  # noqa: F401

__getattr__ = names_of("framework.type_spec")


class BatchableTypeSpec(TypeSpec):
    """A spec of values that can be batched: subclasses give `_batch` and `_unbatch`."""

    __slots__ = ()

    def _batch(self, batch_size):
        raise NotImplementedError(f"{type(self).__name__}._batch")

    def _unbatch(self):
        raise NotImplementedError(f"{type(self).__name__}._unbatch")
