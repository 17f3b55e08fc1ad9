"""`tf.experimental`: extension types, dispatch, NumPy's functions on tensors, DLPack, and more."""

from __future__ import annotations

import importlib

from torchtf.core import absent

_NAMES = {
    name: module
    for module, names in {
        "torchtf.data._optional": "Optional",
        "torchtf.core.dtypes": (
            "float4_e2m1fn float8_e4m3b11fnuz float8_e4m3fn float8_e4m3fnuz float8_e5m2 "
            "float8_e5m2fnuz int2 int4 uint2 uint4"
        ),
        "torchtf.experimental._execution": (
            "async_clear_error async_scope enable_strict_mode function_executor_type"
        ),
        "torchtf.experimental._dispatch": (
            "dispatch_for_api dispatch_for_binary_elementwise_apis "
            "dispatch_for_binary_elementwise_assert_apis dispatch_for_unary_elementwise_apis "
            "unregister_dispatch_for"
        ),
        "torchtf.experimental.dynamic_ragged_shape": "DynamicRaggedShape",
        "torchtf.experimental.row_partition": "RowPartition",
        "torchtf.experimental.extension_type": (
            "BatchableExtensionType ExtensionType ExtensionTypeBatchEncoder ExtensionTypeSpec"
        ),
    }.items()
    for name in names.split()
}
_MODULES = ("dlpack", "dtensor", "extension_type", "numpy")


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"torchtf.experimental.{name}")
    module = _NAMES.get(name)
    if module is None:
        raise absent.error_for(f"experimental.{name}")
    found = globals()[name] = getattr(importlib.import_module(module), name)
    return found


def __dir__():
    return sorted((*_NAMES, *_MODULES))
