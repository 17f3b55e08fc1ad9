"""The record of what a pipeline made of what, in the form of the package ml-metadata.

`MetadataStore` keeps artifacts, executions, contexts and events in SQLite, in the tables of ML
Metadata (version 10 of its schema), so that its tools read them.
"""

from torchtf.ml_metadata import errors, proto
from torchtf.ml_metadata.metadata_store import MetadataStore

__all__ = ["MetadataStore", "errors", "proto"]
