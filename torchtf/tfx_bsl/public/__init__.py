"""`tfx_bsl.public`."""

from torchtf.tfx_bsl.public import tfxio

__all__ = ["tfxio"]
