"""`tf.compat.v1`: what of TF 1's names a TF 2 program still uses.

* Names whose meaning is the same in both versions are those of `tf`: the table `names.txt`, made
  from the installed TensorFlow by scripts/other_places.py.
* The modules here have what is TF 1's own, under the names of its namespaces; `_OWN` tells which of
  it is at the top level, too.
* Sessions and placeholders are absent; collections are empty, as they are in eager programs.
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
Variable device executing_eagerly keras lite name_scope tuple version
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


# module here -> what of it is at the top level: names, or `name=name there`
_OWN = {
    "_arrays": "SparseTensorValue batch_gather batch_to_space batch_to_space_nd boolean_mask "
    "clip_by_average_norm constant convert_to_tensor convert_to_tensor_or_indexed_slices "
    "convert_to_tensor_or_sparse_tensor depth_to_space dimension_at_index dimension_value "
    "expand_dims gather gather_nd norm ones_like pad py_func quantize_v2 reverse_sequence "
    "setdiff1d shape size space_to_batch space_to_depth squeeze transpose where zeros_like",
    "_casts": "to_bfloat16 to_complex128 to_complex64 to_double to_float to_int32 to_int64",
    "_collections": "GraphKeys add_to_collection add_to_collections all_variables colocate_with "
    "get_collection get_collection_ref get_default_graph get_default_session global_variables "
    "global_variables_initializer initialize_all_tables initialize_all_variables "
    "initialize_local_variables initialize_variables is_variable_initialized local_variables "
    "local_variables_initializer model_variables moving_average_variables "
    "placeholder_with_default reset_default_graph tables_initializer trainable_variables "
    "variables_initializer",
    "_control_flow": "case cond foldl foldr map_fn scan while_loop",
    "_switches": "control_flow_v2_enabled disable_control_flow_v2 disable_eager_execution "
    "disable_resource_variables disable_tensor_equality disable_v2_behavior "
    "disable_v2_tensorshape enable_control_flow_v2 enable_eager_execution "
    "enable_resource_variables enable_tensor_equality enable_v2_behavior enable_v2_tensorshape "
    "executing_eagerly_outside_functions resource_variables_enabled",
    "_variable_scope": "AUTO_REUSE VariableScope get_local_variable get_variable "
    "get_variable_scope make_template variable_op_scope variable_scope",
    "_variables": "assign assign_add assign_sub scatter_add scatter_div scatter_max scatter_min "
    "scatter_mul scatter_nd_add scatter_nd_sub scatter_nd_update scatter_sub scatter_update",
    "debugging": "assert_equal assert_greater assert_greater_equal assert_integer assert_less "
    "assert_less_equal assert_near assert_negative assert_non_negative assert_non_positive "
    "assert_none_equal assert_positive assert_rank assert_rank_at_least assert_rank_in "
    "assert_scalar assert_type verify_tensor_all_finite=assert_all_finite",
    "image": "extract_image_patches",
    "initializers": "constant_initializer=constant glorot_normal_initializer=glorot_normal "
    "glorot_uniform_initializer=glorot_uniform ones_initializer=ones "
    "orthogonal_initializer=orthogonal random_normal_initializer=random_normal "
    "random_uniform_initializer=random_uniform truncated_normal_initializer=truncated_normal "
    "uniform_unit_scaling_initializer=uniform_unit_scaling "
    "variance_scaling_initializer=variance_scaling zeros_initializer=zeros",
    "io": "decode_csv decode_raw parse_example parse_single_example serialize_many_sparse "
    "serialize_sparse",
    "math": "arg_max arg_min argmax argmin bincount confusion_matrix count_nonzero div floor_div "
    "reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod "
    "reduce_sum scalar_mul",
    "random": "get_seed multinomial random_poisson=poisson set_random_seed",
    "sparse": "sparse_add=add sparse_concat=concat sparse_matmul=matmul_of_dense "
    "sparse_reduce_max=reduce_max sparse_reduce_max_sparse=reduce_max_sparse "
    "sparse_reduce_sum=reduce_sum sparse_reduce_sum_sparse=reduce_sum_sparse "
    "sparse_segment_mean=segment_mean sparse_segment_sqrt_n=segment_sqrt_n "
    "sparse_segment_sum=segment_sum sparse_split=split sparse_to_dense=to_dense_of",
    "strings": "reduce_join string_split string_to_hash_bucket=to_hash_bucket "
    "string_to_number=to_number substr",
}


@_functools.cache
def _own() -> dict[str, tuple[str, str]]:
    """Name at the top level -> the module here that has it, and its name there."""
    pairs = ((m, *word.partition("=")[::2]) for m, words in _OWN.items() for word in words.split())
    return {name: (module, there or name) for module, name, there in pairs}


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
    if name in _own():
        module, there = _own()[name]
        return getattr(_importlib.import_module(f"{__name__}.{module}"), there)
    if name in _SAME.split():
        return _resolve(name)
    if name in _PROTOS:
        module = _importlib.import_module(f"tensorboard.compat.proto.{_PROTOS[name]}")
        return getattr(module, name)
    return _same(name)


def __dir__():
    return sorted({*globals(), *_own(), *_SAME.split(), *_PROTOS, *_names()[""]})
