"""`import keras` beside torchtf is `tf.keras`: Keras on torch, with the boundary in place.

Contract:
- A program that imports torchtf and then `keras` gets the classes and functions of `tf.keras`.
- Keras is left alone where TensorFlow is loaded or KERAS_BACKEND names another backend.
- The environment of the process, which children inherit, does not change.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

_VARIABLE = "KERAS_BACKEND"


@contextlib.contextmanager
def torch_backend() -> Iterator[None]:
    """Within it Keras is imported with torch as its backend."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = "torch"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        with torch_backend():
            super().exec_module(module)
        importlib.import_module("torchtf.keras")


class _Finder:
    """Finds `keras` only, for the import system."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "keras" or os.environ.get(_VARIABLE, "torch") != "torch":
            return None
        # programs may know torchtf itself by TensorFlow's name
        if getattr(sys.modules.get("tensorflow"), "__name__", None) == "tensorflow":
            return None
        spec = PathFinder.find_spec(name)
        if spec is None or spec.origin is None:
            return spec
        spec.loader = _Loader(name, spec.origin)
        return spec


def install() -> None:
    sys.meta_path.insert(0, _Finder)  # type: ignore[arg-type]
