"""`tf.compat.v1.python_io`: files of records."""

from torchtf.compat.v1 import _names_of
from torchtf.compat.v1.io import TFRecordCompressionType as TFRecordCompressionType
from torchtf.compat.v1.io import tf_record_iterator as tf_record_iterator

__getattr__ = _names_of("python_io")
