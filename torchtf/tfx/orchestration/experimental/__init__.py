"""`tfx.orchestration.experimental`: running single components in a notebook."""
