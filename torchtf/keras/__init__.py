"""`tf.keras`: Keras 3 on its torch backend, with `tf.Tensor` on the user's side.

Source: `tf.keras`. Every name of TensorFlow's `tf.keras` is here, submodules included; they are
Keras' own classes and functions. Importing this package imports Keras.

Raises:
    ImportError: when Keras is already loaded with another backend than torch, or is a version that
        this package does not know.
"""

from __future__ import annotations

import importlib as _importlib
import sys as _sys

from torchtf._keras_import import torch_backend as _torch_backend


def _import_keras() -> None:
    """Imports Keras with torch as its backend.

    The choice is made for this process only: a child may want to run Keras on TensorFlow.
    """
    loaded = _sys.modules.get("keras")
    if loaded is not None:
        backend = loaded.config.backend()
        if backend != "torch":
            raise ImportError(
                f"tf.keras of torchtf is Keras on PyTorch, but Keras was imported before with the "
                f"backend {backend!r}. A process has one Keras backend: import torchtf.keras "
                'before keras, or set the environment variable KERAS_BACKEND to "torch".'
            )
        return
    with _torch_backend():
        _importlib.import_module("keras")


_import_keras()

# The order matters: replacements first, then the boundary, which adopts what is in place.
for _name in (
    "_tensorflow",
    "_backend",
    "_core",
    "_sparse",
    "_strings",
    "_variable",
    "_calls",
    "_module",
    "_tracking",
    "_nn",
    "_recurrent",
    "_losses",
    "_shape_errors",
    "_random",
    "_image",
    "_directories",
    "_preprocessing",
    "_scatter",
    "_ragged",
    "_optimizers",
    "_data",
    "_backup",
    "_trainer",
    "_compat",
    "_weights",
    "_tensorboard",
    "_export",
    "_errors",
    "_boundary",
    "_symbolic",
):
    _importlib.import_module(f"{__name__}.{_name}")

_importlib.import_module(f"{__name__}._namespace").build()
