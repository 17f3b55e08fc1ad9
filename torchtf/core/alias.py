"""Serves torchtf under the name `tensorflow`, for programs that import that."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types

_NAMES = (
    "tensorflow", "tf_keras", "tflite_runtime", "tflite_support", "tensorflow_serving", "tfx",
    "tfx_bsl", "ml_metadata", "tensorflow_transform", "tensorflow_data_validation",
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
        # the importer takes what is in sys.modules, so this module gives way to the real one
        sys.modules[module.__name__] = _real(*module.__name__.split("."))


def _real(head: str, *parts: str):
    """What torchtf has in the place of a module."""
    name = ".".join((head, *parts))
    if head == "tf_keras":  # Keras 2, whose habits ours has
        if parts[:1] == ("api",):  # `tf_keras.api._v1.keras`, where its names really are
            parts = parts[3:]
        head, parts = "tensorflow", ("keras", *parts)
    if head != "tensorflow":
        return importlib.import_module(f"torchtf.{name}")
    try:
        if parts[:1] == ("core",):
            return _messages(*parts)
        if parts[:1] == ("python",):
            return importlib.import_module(".".join(("torchtf", *parts)))
    except ModuleNotFoundError as e:
        raise ModuleNotFoundError(
            f"No module named {name!r}: torchtf has TensorFlow's public names, those private "
            "modules that have public names in them, and the protocol buffers.",
            name=name,
        ) from e
    real = importlib.import_module("torchtf")
    for part in parts:
        try:
            real = getattr(real, part)
        except AttributeError:
            raise ModuleNotFoundError(
                f"No module named {name!r} (served by torchtf)", name=name
            ) from None
    return real


def _messages(*parts: str) -> types.ModuleType:
    """The module of messages below `tensorflow.core`, or a package of such modules."""
    name = parts[-1]
    if not name.endswith("_pb2"):
        package = types.ModuleType(".".join(("tensorflow", *parts)))
        package.__path__ = []
        return package
    if name in ("example_pb2", "feature_pb2"):
        return importlib.import_module("torchtf.core.proto_types")
    return importlib.import_module(f"tensorboard.compat.proto.{name}")


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
