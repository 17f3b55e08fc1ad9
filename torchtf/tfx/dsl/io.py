"""`tfx.dsl.io`: files."""

from torchtf.io import gfile as fileio

__all__ = ["fileio"]
