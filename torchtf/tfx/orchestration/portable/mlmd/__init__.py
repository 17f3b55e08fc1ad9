"""`tfx.orchestration.portable.mlmd`: reading the metadata store."""
