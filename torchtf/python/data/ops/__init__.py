"""`tensorflow.python.data.ops`: see `torchtf.python`."""

from torchtf.python import names_of

__getattr__ = names_of("data.ops")
