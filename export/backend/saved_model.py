"""Writes a SavedModel from ONNX models, one signature each, with shared variables."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from ..errors import ExportError, other_ranks
from ..files import read_arrays
from .importer import ConversionError, Importer
from .objects import Tree, function, spec
from .operators import UnsupportedOperator
from .weights import Weights

_FREE_DRAWS = {"RandomStandardNormal", "RandomUniform", "RandomUniformInt", "TruncatedNormal"}
_PLUMBING = {"Const", "Identity", "Placeholder", "NoOp", "ReadVariableOp"}


def save(
    signatures: list[dict],
    folder: str,
    assets: Sequence[str] = (),
    traces: list[dict] | None = None,
    objects: dict | None = None,
    values: str | None = None,
) -> dict:
    """Writes the SavedModel of `signatures` to `folder`.

    Args:
        signatures: each with name, graphs, inputs, outputs, weight_names, state, updates, tables.
        folder: where to.
        assets: files to copy.
        traces: the graphs of the functions among `objects`, described as signatures are.
        objects: `export.objects.Objects.to_json`.
        values: the file with the values of the variables and tables of `objects`.

    Returns:
        For each of `signatures` and `traces` the variables that hold its parameters (their names
        are its own), the histogram of operators by signature, the keys in the checkpoint of the
        variables of `objects`, and the names that its files have in ``assets/``.

    Raises:
        ExportError: naming the operator and layer that TensorFlow has no form of.
    """
    weights, traces = Weights(), traces or []
    arrays = read_arrays(values) if values else {}
    tree = Tree(objects or {"nodes": [], "variables": [], "assets": [], "tables": []}, arrays)
    changing = {i for s in (*signatures, *traces) for i in s["updates"]}
    origins: list[dict] = [{} for _ in (*signatures, *traces)]
    functions = {
        s["name"]: _signature_function(
            s, *_implementation(s, weights, origin, tree, lambda i: i in changing)
        )
        for s, origin in zip(signatures, origins, strict=False)
    }

    def restored(node):
        numbers = [t["number"] for t in node["traces"]]
        mine = [traces[n] for n in numbers]
        made = [
            _implementation(traces[n], weights, origins[len(signatures) + n], tree, lambda i: True)
            for n in numbers
        ]
        with _named_errors(node["name"]):
            return function(node, [call for call, _ in made], [t["inputs"] for t in mine])

    root = tree.root(restored)
    root._export_weights = weights.weights
    root._export_variables = tree.variables
    root._export_tables = tree.tables
    root._export_functions = list(functions.values())
    root._export_assets = [*tree.assets, *map(tf.saved_model.Asset, assets)]
    options = tf.saved_model.SaveOptions(save_debug_info=False)
    tf.saved_model.save(root, folder, signatures=functions, options=options)
    return {
        "weights": origins,
        "variables": tree.keys(folder),
        "assets": tree.files(folder),
        "operators": {name: dict(_histogram(f).most_common()) for name, f in functions.items()},
    }


def _implementation(signature: dict, weights: Weights, origin: dict, tree: Tree, is_live: Callable):
    """A Python function of flat tensors that builds an imported graph, and its specs.

    Building it fills `origin`.
    """
    state = {name: tree.variables[i] for name, i in signature["state"].items()}
    live = {n: state[n] for n, i in signature["state"].items() if is_live(i)}
    tables = {int(number): tree.tables[i] for number, i in signature["tables"].items()}
    importers = [Importer(g["onnx"], weights, live, tables) for g in signature["graphs"]]
    updated = [tree.variables[i] for i in signature["updates"]]

    def implementation(tensors):
        weights.names, weights.shared = signature["weight_names"], state
        weights.origin = origin
        if all(info["shape"] is not None for info in signature["inputs"]):
            results = importers[0](list(tensors))
        else:
            results = _by_ranks(signature, importers, list(tensors))
        count = len(results) - len(updated)
        results = [tf.identity(t) for t in results[:count]] + results[count:]
        for variable, value in zip(updated, results[count:], strict=True):
            variable.assign(value)
        return results[:count]

    return implementation, [spec({**i, "name": _argument(i["name"])}) for i in signature["inputs"]]


def _by_ranks(signature: dict, importers: Sequence[Importer], tensors: list) -> list:
    """What the graph returns that was made for the ranks of `tensors`."""
    shapes = [g["shapes"] for g in signature["graphs"]]
    ranks = [list(map(len, s)) for s in shapes]
    given = tf.stack([tf.rank(t) for t in tensors])
    fits = tf.reduce_all(tf.equal(given, tf.constant(ranks)), 1)
    known = tf.debugging.Assert(
        tf.reduce_any(fits), [other_ranks(signature["name"], ranks), "Ranks given:", given]
    )
    with tf.control_dependencies([known]):
        number = tf.argmax(tf.cast(fits, tf.int32), output_type=tf.int32)

    def run(number: int):
        # a reshape: TensorFlow's optimizer takes `ensure_shape` for true outside of its branch
        arguments = [
            tf.reshape(t, tf.ensure_shape(tf.shape(t), [len(s)])) if t.shape.rank is None else t
            for t, s in zip(tensors, shapes[number], strict=True)
        ]
        return importers[number](arguments)

    return tf.switch_case(number, [functools.partial(run, i) for i in range(len(importers))])


def _signature_function(signature: dict, implementation: Callable, specs: list):
    def call(*tensors):
        results = implementation(tensors)
        return {
            name: tf.identity(t, name=_argument(name))
            for name, t in zip(signature["outputs"], results, strict=True)
        }

    with _named_errors(signature["name"]):
        traced = tf.function(call, input_signature=specs, autograph=False)
        return traced.get_concrete_function()


@contextlib.contextmanager
def _named_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (UnsupportedOperator, ConversionError) as error:
        reason = (
            getattr(error, "reason", "")
            or getattr(error, "detail", "")
            or "TensorFlow has no form of it"
        )
        raise ExportError(
            f"signature {name!r}: the ONNX operator {error.op} of layer {error.name!r} "
            f"cannot be converted: {reason.splitlines()[0][:500]}"
        ) from error


def _argument(name: str) -> str:
    """A name that TensorFlow accepts for a node."""
    return "".join(c if c.isalnum() or c in "_.-" else "_" for c in name).lstrip("_-") or "value"


def _histogram(function) -> Counter:
    operations = list(function.graph.get_operations())
    for definition in function.graph.as_graph_def().library.function:
        operations += definition.node_def
    names = (getattr(o, "type", None) or o.op for o in operations)
    return Counter(name for name in names if name not in _PLUMBING)


def describe(folder: str) -> dict:
    """The signatures of any SavedModel; see `pipeline.describe`."""
    model = tf.saved_model.load(folder)
    endpoints = hasattr(model, "serve") and not hasattr(model, "_default_save_signature")
    only = "serving_default" if endpoints and len(model.signatures) > 1 else None
    return {
        name: {
            "inputs": [_spec(k, s) for k, s in function.structured_input_signature[1].items()],
            "outputs": [_spec(k, s) for k, s in function.structured_outputs.items()],
            "random": not _FREE_DRAWS.isdisjoint(_histogram(function)),
            "converted": only in (None, name),
        }
        for name, function in model.signatures.items()
    }


def _spec(name: str, spec) -> dict:
    shape = None if spec.shape.rank is None else spec.shape.as_list()
    return {"name": name, "dtype": spec.dtype.name, "shape": shape}
