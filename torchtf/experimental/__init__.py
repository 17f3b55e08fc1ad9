"""`tf.experimental`: extension types, dispatch, NumPy's functions on tensors, DLPack, and more."""

from __future__ import annotations

import importlib

_NAMES = {
    name: module
    for module, names in {
        "torchtf.data._optional": "Optional",
        "torchtf.core.dtypes": "float8_e4m3fn float8_e5m2",
        "torchtf.experimental._dispatch": (
            "dispatch_for_api dispatch_for_binary_elementwise_apis "
            "dispatch_for_binary_elementwise_assert_apis dispatch_for_unary_elementwise_apis "
            "unregister_dispatch_for"
        ),
        "torchtf.experimental.extension_type": (
            "BatchableExtensionType ExtensionType ExtensionTypeBatchEncoder ExtensionTypeSpec"
        ),
    }.items()
    for name in names.split()
}
_MODULES = ("dlpack", "extension_type", "numpy")


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"torchtf.experimental.{name}")
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module 'torchtf.experimental' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(module), name)
    return found


def __dir__():
    return sorted((*_NAMES, *_MODULES))
