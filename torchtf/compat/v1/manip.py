"""`tf.compat.v1.manip`."""

from torchtf.compat.v1 import _names_of
from torchtf.compat.v1._arrays import batch_to_space_nd as batch_to_space_nd
from torchtf.compat.v1._arrays import gather_nd as gather_nd

__getattr__ = _names_of("manip")
