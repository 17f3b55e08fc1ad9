"""`tensorflow.python.ops.parallel_for`: see `torchtf.python`."""

from torchtf.python import names_of

__getattr__ = names_of("ops.parallel_for")
