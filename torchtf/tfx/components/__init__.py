"""`tfx.components`: the components of TFX.

They run in this process and stream over `tf.data`. Each is in the module of its name.
"""

from __future__ import annotations

import importlib

_MODULES = {
    "CsvExampleGen": "example_gen",
    "DataAccessor": "trainer.fn_args_utils",
    "Evaluator": "evaluator",
    "ExampleValidator": "example_validator",
    "FnArgs": "trainer.fn_args_utils",
    "ImportExampleGen": "example_gen",
    "ImportSchemaGen": "schema_gen",
    "Pusher": "pusher",
    "SchemaGen": "schema_gen",
    "StatisticsGen": "statistics_gen",
    "Trainer": "trainer.component",
    "Transform": "transform",
}  # fmt: skip
_ABSENT = {
    "BulkInferrer": "load the pushed model with tf.saved_model.load in a @component function",
    "ExampleDiff": "compare statistics with ExampleValidator or tfdv.validate_statistics",
    "InfraValidator": "start `python -m torchtf.serving` on the model to see whether it is served",
    "Tuner": "search in run_fn, and pass what was found as custom_config of Trainer",
    "TunerFnResult": "search in run_fn, and pass what was found as custom_config of Trainer",
}

__all__ = [*_MODULES]


def __getattr__(name: str):
    if name in _MODULES:
        module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
        value = getattr(module, name)
        globals()[name] = value
        return value
    if name in _ABSENT:
        raise NotImplementedError(f"tfx.components.{name} is not supported: {_ABSENT[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES})
