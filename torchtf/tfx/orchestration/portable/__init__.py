"""`tfx.orchestration.portable`."""
