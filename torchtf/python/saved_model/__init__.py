"""`tensorflow.python.saved_model`: see `torchtf.python`."""

from torchtf.python import names_of

__getattr__ = names_of("saved_model")
