"""`tensorflow.python.platform.test`: `tf.test`, and the library with which its programs mock."""

from unittest import mock

from torchtf.python import names_of

__all__ = ["mock"]

__getattr__ = names_of("platform.test")
