"""`tfx.types.experimental`."""
