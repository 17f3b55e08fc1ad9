"""TFX pipelines in one process: `from torchtf import tfx`, and `from torchtf.tfx import v1 as tfx`.

* `dsl`, `types`: what a pipeline is made of; `proto`: what configures it.
* `components`: those of TFX. They stream over `tf.data`; there is no Beam.
* `orchestration`: what runs it, and the record of that in a metadata store.

Both names have the public interface of TFX 1.x (`tfx.v1`).
"""

from __future__ import annotations

import importlib

from torchtf.tfx.version import __version__

_PUBLIC = ("components", "dsl", "orchestration", "proto", "types", "utils", "v1")

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str):
    if name in _PUBLIC:
        return importlib.import_module(f"torchtf.tfx.{name}")
    if name == "extensions":
        raise NotImplementedError(
            "tfx.extensions (Vertex AI, BigQuery) is not supported: train with the Trainer "
            "component, read files with CsvExampleGen or ImportExampleGen"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
