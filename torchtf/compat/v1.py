"""`tf.compat.v1`: what of TF 1's names a TF 2 program still uses.

Sessions, placeholders and collections are absent; names whose meaning is the same in both versions
are those of `tf`.
"""

from __future__ import annotations

import importlib as _importlib
import logging as _logging
import types as _types

from absl import app as _app
from absl import flags

from torchtf.core.absent import AbsentError as _AbsentError
from torchtf.core.log import get_logger as _get_logger
from torchtf.core.shape import Dimension

__all__ = ["Dimension", "app", "flags", "gfile", "logging"]

app = _types.SimpleNamespace(run=_app.run, flags=flags)

# names that mean in TF 2 what they meant in TF 1
_SAME = """
DType GradientTape IndexedSlices Module RaggedTensor SparseTensor Tensor TensorArray TensorShape
TensorSpec Variable as_dtype autograph bfloat16 bitwise bool broadcast_to cast clip_by_value
complex64 complex128 concat config constant control_dependencies convert_to_tensor custom_gradient
device distribute double errors executing_eagerly expand_dims experimental eye fill float16
float32 float64 function gather_nd group half identity init_scope int16 int32 int64 int8 io keras
linspace lite matmul meshgrid name_scope nest no_op numpy_function one_hot ones ones_like pad
py_function range rank reshape reverse saved_model sets shape sort sparse split stack
stop_gradient string strings sysconfig tensordot test tile transpose tuple uint16 uint32 uint64
uint8 unstack version while_loop zeros zeros_like
"""
# protos that TensorBoard ships
_PROTOS = {
    "AttrValue": "attr_value_pb2",
    "ConfigProto": "config_pb2",
    "Event": "event_pb2",
    "GPUOptions": "config_pb2",
    "GraphDef": "graph_pb2",
    "MetaGraphDef": "meta_graph_pb2",
    "NodeDef": "node_def_pb2",
    "RunMetadata": "config_pb2",
    "RunOptions": "config_pb2",
    "Summary": "summary_pb2",
    "SummaryMetadata": "summary_pb2",
}


def _already() -> None:
    """Nothing to do: TF 2's behaviour is the only one."""


# what turns TF 2's behaviour on
enable_control_flow_v2 = enable_eager_execution = enable_resource_variables = _already
enable_tensor_equality = enable_v2_behavior = enable_v2_tensorshape = _already


def executing_eagerly_outside_functions() -> bool:
    """True: there is no other mode (source: `tf.compat.v1.executing_eagerly_outside_functions`)."""
    return True


def set_random_seed(seed) -> None:
    """`tf.random.set_seed` (source: `tf.compat.v1.set_random_seed`)."""
    import torchtf

    torchtf.random.set_seed(seed)


def _cast_to(name):
    def to_type(x, name=None):
        import torchtf

        return torchtf.cast(x, dtype)

    dtype = name
    to_type.__doc__ = f"Casts to {name}."
    return to_type


to_bfloat16, to_double, to_float = map(_cast_to, ("bfloat16", "float64", "float32"))
to_int32, to_int64 = map(_cast_to, ("int32", "int64"))


# -- logging


def _log_at(level):
    def log(msg, *args, **kwargs):
        _get_logger().log(level, msg, *args, **kwargs)

    return log


_warn = _log_at(_logging.WARNING)
logging = _types.SimpleNamespace(
    DEBUG=_logging.DEBUG,
    ERROR=_logging.ERROR,
    FATAL=_logging.FATAL,
    INFO=_logging.INFO,
    WARN=_logging.WARNING,
    debug=_log_at(_logging.DEBUG),
    error=_log_at(_logging.ERROR),
    fatal=_log_at(_logging.FATAL),
    get_verbosity=lambda: _get_logger().getEffectiveLevel(),
    info=_log_at(_logging.INFO),
    log=lambda level, msg, *args, **kwargs: _get_logger().log(level, msg, *args, **kwargs),
    set_verbosity=lambda v: _get_logger().setLevel(v),
    warn=_warn,
    warning=_warn,
)


# -- files


class _Gfile(_types.ModuleType):
    """The functions of `tf.io.gfile` under their old names."""

    _names = {
        "Copy": "copy", "DeleteRecursively": "rmtree", "Exists": "exists", "FastGFile": "GFile",
        "GFile": "GFile", "Glob": "glob", "IsDirectory": "isdir", "ListDirectory": "listdir",
        "MakeDirs": "makedirs", "MkDir": "mkdir", "Open": "GFile", "Remove": "remove",
        "Rename": "rename", "Stat": "stat", "Walk": "walk",
    }  # fmt: skip

    def __getattr__(self, name):
        from torchtf.io import gfile

        if name not in self._names:
            raise AttributeError(f"module 'tensorflow.compat.v1.gfile' has no attribute {name!r}")
        return getattr(gfile, self._names[name])

    def __dir__(self):
        return sorted(self._names)


gfile = _Gfile("tensorflow.compat.v1.gfile")


# -- datasets


class _Data(_types.ModuleType):
    """`tf.data` with TF 1's functions."""

    @staticmethod
    def make_one_shot_iterator(dataset):
        """An iterator with `get_next()`."""
        return iter(dataset)

    @staticmethod
    def get_output_shapes(dataset_or_iterator):
        return _map_specs(dataset_or_iterator, lambda spec: spec.shape)

    @staticmethod
    def get_output_types(dataset_or_iterator):
        return _map_specs(dataset_or_iterator, lambda spec: spec.dtype)

    @staticmethod
    def get_output_classes(dataset_or_iterator):
        return _map_specs(dataset_or_iterator, lambda spec: spec.value_type)

    def __getattr__(self, name):
        import torchtf

        return getattr(torchtf.data, name)


def _map_specs(dataset, function):
    from torchtf.data import _structure

    return _structure.map_structure(function, dataset.element_spec)


data = _Data("tensorflow.compat.v1.data")


def __getattr__(name: str):
    if name in _SAME.split():
        import torchtf

        return getattr(torchtf, name)
    if name in _PROTOS:
        module = _importlib.import_module(f"tensorboard.compat.proto.{_PROTOS[name]}")
        return getattr(module, name)
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    raise _AbsentError(
        f"tf.compat.v1.{name} is not supported: it belongs to TF 1 graphs and sessions; use TF 2's "
        "names (tf.function, tf.GradientTape, tf.config for devices and memory)."
    )


def __dir__():
    return sorted({*globals(), *_SAME.split(), *_PROTOS})
