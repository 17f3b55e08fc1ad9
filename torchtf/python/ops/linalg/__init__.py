"""`tensorflow.python.ops.linalg`: what libraries use of it besides public names."""

from torchtf.python import names_of

__getattr__ = names_of("ops.linalg")
