"""`import keras` beside torchtf is `tf.keras`: Keras on torch, with the boundary in place.

Contract:
- A program that imports torchtf and then `keras` gets the classes and functions of `tf.keras`.
- Keras is left alone where TensorFlow is loaded or KERAS_BACKEND names another backend.
- The environment of the process, which children inherit, does not change.
- What draws pictures (with matplotlib) and what wraps models for scikit-learn is loaded when a
  program first asks for it: those two libraries take a second and 90 MiB to import.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

_VARIABLE = "KERAS_BACKEND"
_DEFERRED = {
    f"{parent}.{name}"
    for parent in ("keras", "keras.src", "keras._tf_keras.keras")
    for name in ("visualization", "wrappers")
}


class Deferred(ModuleType):
    """A module that is filled when an attribute of it is first asked for.

    Args:
        name: its full name.
        fill: called once, with the module.
    """

    _lock = threading.RLock()  # of all of them: one fills others

    def __init__(self, name: str, fill: Callable[[ModuleType], None]) -> None:
        super().__init__(name)
        self._steps = [fill]

    def then(self, step: Callable[[ModuleType], None]) -> None:
        """Calls `step` with the module after it has been filled, or now if it is."""
        with self._lock:
            if self._steps:
                self._steps.append(step)
            else:
                step(self)

    def load(self) -> None:
        """Fills the module, if nobody has."""
        with self._lock:
            steps, self._steps = self._steps, []
            for step in steps:
                step(self)

    def __getattr__(self, name: str) -> Any:
        # The import system asks for dunder names; `from module import *` starts with `__all__`.
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.load()
        return ModuleType.__getattribute__(self, name)

    def __dir__(self) -> list[str]:
        self.load()
        return sorted(vars(self))


class _DeferringLoader(SourceFileLoader):
    def create_module(self, spec: ModuleSpec) -> Deferred:
        return Deferred(spec.name, super().exec_module)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing yet: `Deferred` does it."""


class _DeferringFinder:
    """Finds the modules of `_DEFERRED`, for the import system."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name in _DEFERRED else None
        if spec is not None and spec.origin is not None:
            spec.loader = _DeferringLoader(name, spec.origin)
        return spec


@contextlib.contextmanager
def torch_backend() -> Iterator[None]:
    """Within it Keras is imported with torch as its backend."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = "torch"
    sys.meta_path.insert(0, _DeferringFinder)  # type: ignore[arg-type]
    try:
        yield
    finally:
        sys.meta_path.remove(_DeferringFinder)  # type: ignore[arg-type]
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
