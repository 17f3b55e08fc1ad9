"""`tensorflow.python.data`: see `torchtf.python`."""

from torchtf.python import names_of

__getattr__ = names_of("data")
