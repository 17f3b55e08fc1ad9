"""Serves torchtf under the name `tensorflow`, for programs that import that."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types

_NAMES = (
    "tensorflow", "tflite_runtime", "tflite_support", "tensorflow_serving", "tfx", "tfx_bsl",
    "ml_metadata", "tensorflow_transform", "tensorflow_data_validation",
    "tensorflow_model_analysis",
)  # fmt: skip


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `tensorflow` and all below it in torchtf."""

    def find_spec(self, fullname, path=None, target=None):
        head = fullname.partition(".")[0]
        if head not in _NAMES:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec):
        return None

    def exec_module(self, module: types.ModuleType):
        head, *parts = module.__name__.split(".")
        if head == "tensorflow" and parts[:1] in (["python"], ["core"], ["compiler"]):
            raise ImportError(
                f"{module.__name__}: torchtf serves TensorFlow's public names; private modules "
                "such as tensorflow.python.* do not exist in it.",
                name=module.__name__,
            )
        # the importer takes what is in sys.modules, so this module gives way to the real one
        if head != "tensorflow":
            sys.modules[module.__name__] = importlib.import_module(f"torchtf.{module.__name__}")
            return
        real = importlib.import_module("torchtf")
        for part in parts:
            try:
                real = getattr(real, part)
            except AttributeError:
                raise ModuleNotFoundError(
                    f"No module named {module.__name__!r} (served by torchtf)",
                    name=module.__name__,
                ) from None
        sys.modules[module.__name__] = real


def serve_as_tensorflow() -> None:
    """From now on `import tensorflow` gives torchtf.

    Raises:
        RuntimeError: if TensorFlow itself has been imported already.
    """
    loaded = sys.modules.get("tensorflow")
    if loaded is not None and getattr(loaded, "__name__", "") != "torchtf":
        raise RuntimeError(
            "TensorFlow is already imported in this process; start the program with "
            "`python -m torchtf script.py` instead."
        )
    if not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
