"""The objects of a SavedModel in TensorFlow: the same attributes, variables and functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph
from tensorflow.python.framework.extension_type import AnonymousExtensionTypeSpec

from .. import objects, structure

AutoTrackable = tf.__internal__.tracking.AutoTrackable


class Tree:
    """The objects that a description (`export.objects.Objects.to_json`) tells of.

    Args:
        description: the nodes, the root first, the variables, assets and tables.
        values: an array for each variable, ``v<i>``, and the contents of the tables.
    """

    def __init__(self, description: dict, values: dict[str, np.ndarray]):
        self._nodes = description["nodes"]
        self.assets = [tf.saved_model.Asset(path) for path in description["assets"]]
        self.variables = [
            tf.Variable(
                values[f"v{i}"].reshape(v["shape"]), trainable=v["trainable"], name=v["name"]
            )
            for i, v in enumerate(description["variables"])
        ]
        self.tables = [
            _table(t, *(values[f"table{i}/{part}"] for part in objects.TABLE_PARTS))
            for i, t in enumerate(description["tables"])
        ]

    def root(self, functions: Callable[[dict], object]):
        """The root object; `functions` makes a function of its node."""
        if not self._nodes:
            return AutoTrackable()

        def leaf(node: dict):
            if node["kind"] == "function":
                return functions(node)
            return getattr(self, f"{node['kind']}s")[node[node["kind"]]]

        return structure.root(self._nodes, lambda node: AutoTrackable(), leaf)

    def files(self, folder: str) -> list[str]:
        """The name that each asset, which the root has as `_export_assets`, got in the folder."""
        with open(f"{folder}/saved_model.pb", "rb") as file:
            (model,) = SavedModel.FromString(file.read()).meta_graphs
        nodes = model.object_graph_def.nodes

        def child(node, name: str):
            return nodes[next(c.node_id for c in node.children if c.local_name == name)]

        if not self.assets:
            return []
        held = child(nodes[0], "_export_assets")
        numbers = [child(held, str(i)).asset.asset_file_def_index for i in range(len(self.assets))]
        return [model.asset_file_def[number].filename for number in numbers]

    def keys(self, folder: str) -> list[str]:
        """The key in the checkpoint of each variable, which the root has as `_export_variables`."""
        reader = tf.train.load_checkpoint(f"{folder}/variables/variables")
        stored = TrackableObjectGraph.FromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))

        def child(node, name: str):
            return stored.nodes[next(c.node_id for c in node.children if c.local_name == name)]

        if not self.variables:
            return []
        held = child(stored.nodes[0], "_export_variables")
        return [
            child(held, str(i)).attributes[0].checkpoint_key for i in range(len(self.variables))
        ]


def _table(description: dict, keys, values, default, reserved):
    """A lookup table of `tf.lookup`."""
    types = description["key_dtype"], description["value_dtype"]
    contents = [tf.constant(a, t) for a, t in zip((keys, values), types, strict=True)]
    default = tf.constant(default, types[1])
    if description["kind"] == "StaticHashTable":
        pairs = tf.lookup.KeyValueTensorInitializer(*contents)
        if description["file"] is not None:  # which becomes an asset
            pairs = tf.lookup.TextFileInitializer(
                key_dtype=types[0], value_dtype=types[1], **description["file"]
            )
        return tf.lookup.StaticHashTable(pairs, default)
    kind = getattr(tf.lookup.experimental, description["kind"])
    made = kind(*map(tf.as_dtype, types), default, *reserved.tolist())
    made.insert(*contents)
    return made


def function(node: dict, implementations: list[Callable], inputs: list[list[dict]]):
    """A `tf.function` with the traces of a saved function.

    Args:
        node: its description.
        implementations: for each trace what takes and returns flat tensors.
        inputs: for each trace the descriptions of its tensors.
    """
    signature = structure.signature(node["parameters"])
    arguments = [
        structure.decode(trace["arguments"], iter(map(spec, infos)), composite)
        for trace, infos in zip(node["traces"], inputs, strict=True)
    ]
    leaves = itertools.repeat(tf.TensorSpec(None))  # the places of the results

    def bound(args, kwargs):
        """The flat arguments, and what tells one trace from another."""
        found = signature.bind(*args, **kwargs)
        found.apply_defaults()
        values = list(found.arguments.values())
        flat = tf.nest.flatten(values, expand_composites=True)
        parts = [(x.dtype.name, str(x.shape)) if _is_tensor(x) else repr(x) for x in flat]
        kinds = [
            (x.value_type if isinstance(x, tf.TypeSpec) else type(x)).__name__
            for x in tf.nest.flatten(values)
            if not _is_tensor(x)
        ]
        return flat, repr([parts, kinds])

    traces = {
        bound(*given)[1]: (structure.decode(trace["results"], leaves, composite), implementation)
        for given, trace, implementation in zip(
            arguments, node["traces"], implementations, strict=True
        )
    }

    def body(*args, **kwargs):
        flat, key = bound(args, kwargs)
        results, implementation = traces[key]
        supply = iter(implementation(list(filter(_is_tensor, flat))))
        filled = [
            next(supply) if _is_tensor(x) else x
            for x in tf.nest.flatten(results, expand_composites=True)
        ]
        return tf.nest.pack_sequence_as(results, filled, expand_composites=True)

    body.__name__ = body.__qualname__ = node["name"]
    if arguments:  # TensorFlow traces a function without parameters that has no graph
        body.__signature__ = signature  # type: ignore[attr-defined]
    specs = None
    if node["input_signature"] is not None and arguments:  # without: all graphs were left out
        form, infos = node["input_signature"]
        specs = structure.decode(form, iter(map(spec, infos)), composite)
    made = tf.function(body, input_signature=specs, autograph=False)
    for args, kwargs in arguments:
        made.get_concrete_function(*(() if specs else args), **({} if specs else kwargs))
    return made


def _is_tensor(value) -> bool:
    return isinstance(value, (tf.Tensor, tf.TensorSpec))


def spec(info: dict) -> tf.TensorSpec:
    """A `tf.TensorSpec` of a description."""
    return tf.TensorSpec(info["shape"], info["dtype"], info["name"])


def composite(name: str, content):
    """A type spec of several tensors; see `structure`."""
    if not isinstance(content, dict):
        return getattr(tf, name)(*content)
    annotations = {
        k: tf.Tensor if _is_tensor(v) else v.value_type if isinstance(v, tf.TypeSpec) else type(v)
        for k, v in content.items()
    }
    simple = {bool, int, float, str}
    plain = [annotations[k] for k, v in content.items() if not isinstance(v, tf.TypeSpec)]
    if name.startswith("<") or not simple.issuperset(plain):
        return AnonymousExtensionTypeSpec(**content)
    if name not in _extension_types:
        body = {"__name__": name, "__annotations__": annotations}
        _extension_types[name] = type("Saved", (tf.experimental.ExtensionType,), body)
    return _extension_types[name].Spec(**content)


# a loading program puts its own type of the name in the place of one of these
_extension_types: dict[str, Any] = {}
