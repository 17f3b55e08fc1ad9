"""The public namespace: Keras' `tf.keras` tree, with functions that cross the boundary.

Contract:
- Every module of `keras._tf_keras.keras` has a counterpart below `torchtf.keras`, importable under
  that name; attributes set on one (`tf.keras.datasets.cifar10.load_data = fake`) stay there.
- Classes are Keras' own. Functions cross (`_side.public`).
- A module that Keras loads on first use (`_keras_import.py`) has a counterpart that is filled then.
- The functions of the public modules of `keras` (`keras.ops`) are those of `tf.keras`.
- Names of TensorFlow 2.15 that Keras 3 dropped or moved are added (`ALIASES`).
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import types
from typing import Any

import keras._tf_keras.keras as _root

from torchtf._keras_import import Deferred
from torchtf.keras import _side

_OPTIMIZERS = [
    "Adadelta",
    "Adagrad",
    "Adam",
    "Adamax",
    "AdamW",
    "Ftrl",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "SGD",
]
_PREPROCESSING = [
    "CategoryEncoding",
    "CenterCrop",
    "Discretization",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "Normalization",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomHeight",
    "RandomRotation",
    "RandomTranslation",
    "RandomWidth",
    "RandomZoom",
    "Rescaling",
    "Resizing",
    "StringLookup",
    "TextVectorization",
]

_LAYERS_OF_TF_1 = ["BatchNormalization", "Conv1D", "Conv2D", "Conv3D", "Dense", "Layer"]

_LONG_NAMES = {
    "kl_divergence": "kld",
    "log_cosh": "logcosh",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "mean_squared_error": "mse",
    "mean_squared_logarithmic_error": "msle",
}

# module -> name -> where it is today, all below torchtf.keras
ALIASES: dict[str, dict[str, str]] = {
    "layers.experimental": {"RandomFourierFeatures": "layers.RandomFourierFeatures"},
    "layers.experimental.preprocessing": {n: f"layers.{n}" for n in _PREPROCESSING},
    "optimizers.legacy": {n: f"optimizers.{n}" for n in _OPTIMIZERS},
    "optimizers.experimental": {n: f"optimizers.{n}" for n in _OPTIMIZERS},
    "losses": {long: f"losses.{short}" for long, short in _LONG_NAMES.items()},
    "metrics": {long: f"losses.{short}" for long, short in _LONG_NAMES.items()},
    "mixed_precision.experimental": {"Policy": "mixed_precision.Policy"},
    "__internal__.legacy.layers": {n: f"layers.{n}" for n in _LAYERS_OF_TF_1},
}


def _module(path: str, source: types.ModuleType | None = None) -> types.ModuleType:
    """The module `torchtf.keras.<path>`; made, and set in its parent, if it is not there.

    Where `source` is a module to be filled later, so is this one.
    """
    name = f"torchtf.keras.{path}" if path else "torchtf.keras"
    module = sys.modules.get(name)
    if module is None:
        if isinstance(source, Deferred):
            module = Deferred(name, lambda _: _fill(source, path))
        else:
            module = types.ModuleType(name)
        module.__path__ = []  # type: ignore[attr-defined]
        sys.modules[name] = module
        parent, _, leaf = path.rpartition(".")
        setattr(_module(parent), leaf, module)
    return module


def _is_public_module(value: Any) -> bool:
    return (
        isinstance(value, types.ModuleType)
        and value.__name__.startswith("keras.")
        and not value.__name__.startswith("keras.src")
    )


def _mirror(source: types.ModuleType, path: str) -> None:
    if not isinstance(_module(path, source), Deferred):
        _fill(source, path)


def _fill(source: Any, path: str) -> None:
    target = _module(path)
    if isinstance(source, Deferred):
        source.load()
    if path:
        target.__doc__ = source.__doc__
    for name, value in vars(source).items():
        if name.startswith("_") and name != "__version__":
            continue
        if _is_public_module(value):
            _mirror(value, f"{path}.{name}" if path else name)
        elif not isinstance(value, types.ModuleType):
            setattr(target, name, _side.public(value))


def _share_with_keras() -> None:
    """Puts the functions that cross into the modules that `import keras` gives to users.

    Keras itself uses `keras.src` alone.
    """
    for name, module in list(sys.modules.items()):
        if name == "keras" or _is_public_module(module):
            module.then(_share) if isinstance(module, Deferred) else _share(module)


def _share(module: types.ModuleType) -> None:
    for attribute, value in list(vars(module).items()):
        crossing = _side.public(value)
        if crossing is not value:
            setattr(module, attribute, crossing)


def build() -> None:
    """Fills `torchtf.keras` and registers its submodules."""
    _share_with_keras()
    _mirror(_root, "")
    for info in pkgutil.iter_modules(_root.__path__):  # those that it does not import itself
        if info.name not in vars(_root):
            _mirror(importlib.import_module(f"{_root.__name__}.{info.name}"), info.name)
    for path, aliases in ALIASES.items():
        target = _module(path)
        for alias, place in aliases.items():
            owner, _, attribute = place.rpartition(".")
            found = getattr(_module(owner), attribute, None)
            if found is not None:
                setattr(target, alias, found)
    from torchtf.keras._parameter_server import DatasetCreator
    from torchtf.keras._symbolic import register_symbolic_tensor_type as register

    _module("utils.experimental").DatasetCreator = DatasetCreator  # type: ignore[attr-defined]
    _module("__internal__.utils").register_symbolic_tensor_type = register  # type: ignore[attr-defined]
