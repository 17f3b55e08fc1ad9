"""Passes over a dataset: what the analyzers of a `preprocessing_fn` give, then the function itself.

In each pass the function is traced with the values that are known. The graph tells which of the
pending analyzers depend on no unknown value; these are computed over all batches. There are as many
passes as analyzers depend on each other, and one more where a vocabulary's file or size is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from tensorflow_metadata.proto.v0 import schema_pb2

import torchtf as tf
from torchtf.function.polymorphic import _Detector
from torchtf.tensorflow_transform._state import Analysis, Unknown, entered
from torchtf.tensorflow_transform.tf_metadata import schema_utils

Batches = Callable[[], Iterable[Mapping[str, Any]]]


def tensor_specs(feature_spec: Mapping[str, Any]) -> dict[str, Any]:
    """The specs of the tensors that batches of examples are parsed to."""
    specs: dict[str, Any] = {}
    for name, spec in feature_spec.items():
        if isinstance(spec, tf.io.FixedLenFeature):
            specs[name] = tf.TensorSpec([None, *tf.TensorShape(spec.shape)], spec.dtype, name)
        else:
            specs[name] = tf.SparseTensorSpec([None, None], spec.dtype)
    return specs


class TransformFunction:
    """A `preprocessing_fn` with the values of its analyzers.

    Attributes:
        concrete: the function of a dict of tensors.
        schema: what it gives.
    """

    def __init__(self, concrete, schema):
        self.concrete, self.schema = concrete, schema

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return self.concrete(dict(inputs))

    def save(self, path: str) -> None:
        """Writes it as a SavedModel, with the files of vocabularies as assets.

        Raises:
            ImportError: if the ``export`` extra is not installed.
            ValueError: for an op that TensorFlow has no form of.
        """
        module = tf.Module()
        module.transform_fn = self.concrete
        dense = all(isinstance(s, tf.TensorSpec) for s in self.concrete.output_signature.values())
        signatures = {"transform_signature": self.concrete} if dense else None
        tf.saved_model.save(module, path, signatures=signatures)


def analyze(
    preprocessing_fn: Callable, feature_spec: Mapping[str, Any], batches: Batches, folder: str
) -> TransformFunction:
    """Computes the analyzers of a function over a dataset.

    Args:
        preprocessing_fn: a function of a dict of tensors that gives one.
        feature_spec: how examples are parsed.
        batches: gives the parsed batches of the dataset, each time it is called.
        folder: where the files of vocabularies are written.

    Raises:
        ValueError: if the function gives anything but a dict of tensors.
        Exception: what the function raises.
    """
    analysis = Analysis(folder)
    specs = tensor_specs(feature_spec)
    while True:
        concrete, outputs, complete = _trace(analysis, preprocessing_fn, specs)
        if not analysis.pending:
            assert complete
            return TransformFunction(concrete, _schema(analysis, outputs))
        _compute(analysis, preprocessing_fn, specs, _ready(analysis, concrete), batches)


def _trace(analysis: Analysis, preprocessing_fn: Callable, specs, wanted: set[int] | None = None):
    """Traces the function.

    Args:
        wanted: which pending analyzers' inputs the graph is to give; all by default.

    Returns:
        The graph: of the results, or of the inputs of pending analyzers; the results; whether the
        trace came to an end.
    """
    analysis.begin()
    seen: dict[str, Any] = {}

    def traced(inputs):
        with entered(analysis):
            try:
                seen["outputs"] = preprocessing_fn(dict(inputs))
                seen["complete"] = True
            except Unknown:
                seen["complete"] = False
        if analysis.pending:
            return [
                list(p.inputs) for p in analysis.pending if wanted is None or p.number in wanted
            ]
        return _checked(seen["outputs"])

    function = tf.function(traced, input_signature=[specs], autograph=False)
    function._retracing = _Detector()  # each pass traces once: nothing to warn of
    return function.get_concrete_function(), seen.get("outputs"), seen["complete"]


def _checked(outputs):
    """The results of a `preprocessing_fn` as a dict of tensors."""
    kinds = (tf.Tensor, tf.SparseTensor, tf.RaggedTensor)
    if not isinstance(outputs, Mapping):
        raise ValueError(
            "A `preprocessing_fn` must return a Dict[str, Union[tf.Tensor, tf.SparseTensor, "
            f"tf.RaggedTensor]]. Got: {outputs}"
        )
    if not outputs:
        raise ValueError("The preprocessing function returned an empty dict")
    for name, value in outputs.items():
        if not isinstance(name, str) or not isinstance(value, kinds):
            raise ValueError(
                "A `preprocessing_fn` must return a Dict[str, Union[tf.Tensor, tf.SparseTensor, "
                f"tf.RaggedTensor]]. Got: {outputs}"
            )
        if isinstance(value, tf.RaggedTensor):
            raise NotImplementedError(
                f"The preprocessing function returned a ragged tensor for {name!r}: return "
                "x.to_sparse() or x.to_tensor()"
            )
    return dict(outputs)


def _ready(analysis: Analysis, concrete) -> set[int]:
    """The pending analyzers whose inputs depend on no unknown value."""
    unknown = {id(s) for p in analysis.pending for s in p.stand_ins}
    tainted = {c.node for c in concrete._captures if id(c.owner) in unknown}
    flat = iter(concrete.graph_module.graph.output_node().args[0])
    ready = set()
    for pending in analysis.pending:
        nodes = [next(flat) for _ in pending.inputs]
        if not tainted & ancestors(nodes):
            ready.add(pending.number)
    return ready


def ancestors(nodes: Iterable) -> set:
    """The nodes of a graph that these are computed of, and themselves."""
    found: set = set()
    waiting = [n for n in nodes if isinstance(n, torch.fx.Node)]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.all_input_nodes
    return found


def _compute(analysis: Analysis, preprocessing_fn, specs, ready: set[int], batches) -> None:
    """Computes the analyzers that are ready over all batches."""
    concrete, _, _ = _trace(analysis, preprocessing_fn, specs, ready)
    combiners = {p.number: p.combiner for p in analysis.pending if p.number in ready}
    for batch in batches():
        found = concrete(dict(batch))
        for combiner, inputs in zip(combiners.values(), found, strict=True):
            combiner.add(*(x.numpy() for x in inputs))
    for number, combiner in combiners.items():
        analysis.values[number] = combiner.result()


def _schema(analysis: Analysis, outputs: Mapping[str, Any]):
    """The schema of results, with the ranges of those that are categories."""
    specs: dict[str, Any] = {}
    for name, value in outputs.items():
        if isinstance(value, tf.SparseTensor):
            specs[name] = tf.io.VarLenFeature(value.dtype)
            continue
        shape = value.shape
        if shape.rank is None or shape.rank < 1 or not shape[1:].is_fully_defined():
            raise ValueError(
                f"Feature {name!r} ({value}) had invalid shape {shape} for FixedLenFeature: apart "
                "from the batch dimension, all dimensions must have known size"
            )
        specs[name] = tf.io.FixedLenFeature(shape[1:].as_list(), value.dtype)
    schema = schema_utils.schema_from_feature_spec(specs)
    for feature in schema.feature:
        limits = analysis.range_of(outputs[feature.name])
        if limits is not None and feature.type == schema_pb2.INT:
            feature.int_domain.min, feature.int_domain.max = limits
            feature.int_domain.is_categorical = True
    return schema
