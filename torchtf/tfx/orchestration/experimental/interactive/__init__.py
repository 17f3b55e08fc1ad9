"""`tfx.orchestration.experimental.interactive`."""
