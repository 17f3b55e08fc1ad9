"""`tensorflow.python.data.ops.iterator_ops`: what libraries use of it besides public names."""

from torchtf.data import Iterator as OwnedIterator
from torchtf.python import names_of

__all__ = ["OwnedIterator"]

__getattr__ = names_of("data.ops.iterator_ops")
