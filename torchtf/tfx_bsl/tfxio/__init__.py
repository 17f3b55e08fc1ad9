"""`tfx_bsl.tfxio`."""
