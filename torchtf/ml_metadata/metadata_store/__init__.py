"""`ml_metadata.metadata_store`: the store."""

from torchtf.ml_metadata.metadata_store.metadata_store import MetadataStore

__all__ = ["MetadataStore"]
