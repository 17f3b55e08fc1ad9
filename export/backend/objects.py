"""The objects of a SavedModel in TensorFlow: the same attributes, variables and functions."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from .. import structure

AutoTrackable = tf.__internal__.tracking.AutoTrackable


class Tree:
    """The objects that a description (`export.objects.Objects.to_json`) tells of.

    Args:
        description: the nodes, the root first, and the variables.
        values: an array for each variable, ``v<i>``.
    """

    def __init__(self, description: dict, values: dict[str, np.ndarray]):
        self._nodes = description["nodes"]
        self.variables = [
            tf.Variable(
                values[f"v{i}"].reshape(v["shape"]), trainable=v["trainable"], name=v["name"]
            )
            for i, v in enumerate(description["variables"])
        ]

    def root(self, functions: Callable[[dict], object]):
        """The root object; `functions` makes a function of its node."""
        if not self._nodes:
            return AutoTrackable()

        def leaf(node: dict):
            is_variable = node["kind"] == "variable"
            return self.variables[node["variable"]] if is_variable else functions(node)

        return structure.root(self._nodes, lambda node: AutoTrackable(), leaf)

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


def function(node: dict, implementations: list[Callable], inputs: list[list[dict]]):
    """A `tf.function` with the traces of a saved function.

    Args:
        node: its description.
        implementations: for each trace what takes and returns flat tensors.
        inputs: for each trace the descriptions of its tensors.
    """
    signature = structure.signature(node["parameters"])

    def bound(args, kwargs):
        """The arguments by name, the tensors among them, and what tells one trace from another."""
        found = signature.bind(*args, **kwargs)
        found.apply_defaults()
        tensors: list = []

        def is_leaf(value) -> bool:
            if isinstance(value, (tf.Tensor, tf.TensorSpec)):
                tensors.append(value)
                return True
            return False

        forms = [structure.encode(value, is_leaf) for value in found.arguments.values()]
        return tensors, json.dumps([forms, [(t.dtype.name, str(t.shape)) for t in tensors]])

    arguments = [
        structure.decode(trace["arguments"], iter(map(spec, infos)))
        for trace, infos in zip(node["traces"], inputs, strict=True)
    ]
    by_key = {
        bound(*given)[1]: (trace, implementation)
        for given, trace, implementation in zip(
            arguments, node["traces"], implementations, strict=True
        )
    }

    def body(*args, **kwargs):
        tensors, key = bound(args, kwargs)
        trace, implementation = by_key[key]
        return structure.decode(trace["results"], iter(implementation(tensors)))

    body.__name__ = body.__qualname__ = node["name"]
    body.__signature__ = signature  # type: ignore[attr-defined]
    specs = None
    if node["input_signature"] is not None:
        form, infos = node["input_signature"]
        specs = structure.decode(form, iter(map(spec, infos)))
    made = tf.function(body, input_signature=specs, autograph=False)
    for args, kwargs in arguments:
        made.get_concrete_function(*(() if specs else args), **({} if specs else kwargs))
    return made


def spec(info: dict) -> tf.TensorSpec:
    """A `tf.TensorSpec` of a description."""
    return tf.TensorSpec(info["shape"], info["dtype"], info["name"])
