"""`tf.compat.v1`: what of TF 1's names a TF 2 program still uses.

* Names whose meaning is the same in both versions are those of `tf`: the table `names.txt`, made
  from the installed TensorFlow by scripts/other_places.py.
* The modules here have what is TF 1's own, under the names of its namespaces.
* Sessions, placeholders and collections are absent.
"""

from __future__ import annotations

import functools as _functools
import importlib as _importlib
import types as _types

from absl import app as _app
from absl import flags

from torchtf.core.absent import AbsentError as _AbsentError
from torchtf.core.places import resolve as _resolve
from torchtf.core.places import table as _table
from torchtf.core.shape import Dimension

__all__ = ["Dimension", "app", "flags", "gfile"]

app = _types.SimpleNamespace(run=_app.run, flags=flags)

# what differs in arguments that nobody here has needed yet, or is a module of another package
_SAME = """
Variable constant convert_to_tensor device executing_eagerly expand_dims gather_nd keras lite
name_scope ones_like pad shape transpose tuple version while_loop zeros_like
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


def _names() -> dict[str, dict[str, str]]:
    return _table(__name__, "names.txt")


def _names_of(place: str):
    """The `__getattr__` of a namespace: the names there that mean what a name of `tf` means."""

    def get(name: str):
        path = f"{place}.{name}".lstrip(".")
        found = _names().get(place, {}).get(name)
        if found:
            return _resolve(found)
        if name.startswith("__"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return _importlib.import_module(f"{__name__}.{path}")
        except ModuleNotFoundError as e:
            if not f"{__name__}.{path}".startswith(e.name or "?"):
                raise
        if any(p == path or p.startswith(f"{path}.") for p in _names()):
            return _namespace(path)
        raise _AbsentError(
            f"tf.compat.v1.{path} is not supported: it belongs to TF 1 graphs and sessions; use "
            "TF 2's names (tf.function, tf.GradientTape, tf.config for devices and memory)."
        )

    return get


@_functools.cache
def _namespace(place: str) -> _types.ModuleType:
    """A namespace of which all is in the table."""
    module = _types.ModuleType(f"{__name__}.{place}", f"`tf.compat.v1.{place}`")
    module.__getattr__ = _names_of(place)  # type: ignore[method-assign]
    module.__dir__ = lambda: sorted(_names().get(place, {}))  # type: ignore[method-assign]
    return module


_same = _names_of("")


def __getattr__(name: str):
    if name in _SAME.split():
        return _resolve(name)
    if name in _PROTOS:
        module = _importlib.import_module(f"tensorboard.compat.proto.{_PROTOS[name]}")
        return getattr(module, name)
    return _same(name)


def __dir__():
    return sorted({*globals(), *_SAME.split(), *_PROTOS, *_names()[""]})
