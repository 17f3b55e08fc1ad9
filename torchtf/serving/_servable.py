"""A loaded version of a model: its signatures as TensorFlow describes them, and how to run one."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence

import numpy as np

from torchtf import saved_model
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.host_op import object_array
from torchtf.core.proto_files import define, tensorflow_pool
from torchtf.core.shape import TensorShape
from torchtf.serving._config import invalid

DEFAULT_SIGNATURE = saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY


@functools.cache
def _saved_model_class() -> type:
    pool, scope = tensorflow_pool(), {}
    define(
        f"{__name__}.saved_model",
        scope,
        "tensorflow",
        {
            "SavedModel": {
                1: ("saved_model_schema_version", "int64"),
                2: ("meta_graphs", "*MetaGraphDef"),
            },
        },
        uses=[pool.FindFileContainingSymbol("tensorflow.MetaGraphDef")],
        pool=pool,
    )
    return scope["SavedModel"]


def _signature_defs(folder: str) -> dict:
    """The `SignatureDef` messages of a SavedModel by key."""
    path = os.path.join(folder, saved_model.SAVED_MODEL_FILENAME_PB)
    if not os.path.exists(path):
        raise errors.NotFoundError(
            None, None,
            "Could not find SavedModel .pb or .pbtxt at supplied export directory path: "
            f"{folder}. Check that the directory exists and that you have the right permissions "
            "for accessing it.",
        )  # fmt: skip
    with open(path, "rb") as file:
        content = _saved_model_class().FromString(file.read())  # type: ignore[attr-defined]
    if not content.meta_graphs:
        raise errors.DataLossError(None, None, f"{path} holds no graph")
    found = content.meta_graphs[0].signature_def
    return {key: found[key] for key in sorted(found)}


class Signature:
    """A signature: what goes in and comes out.

    Attributes:
        inputs, outputs: the dtype and the shape of each tensor by name.
    """

    def __init__(self, key: str, definition):
        self.key = key
        self.definition = definition
        self.inputs = {n: _kind(definition.inputs[n]) for n in sorted(definition.inputs)}
        self.outputs = {n: _kind(definition.outputs[n]) for n in sorted(definition.outputs)}

    def check(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Raises InvalidArgumentError for inputs that do not fit."""
        if len(arrays) != len(self.inputs):
            given, wanted = sorted(arrays), list(self.inputs)
            raise invalid(
                f"input size does not match signature: {len(given)}!={len(wanted)} "
                f"len({{{','.join(given)}}}) != len({{{','.join(wanted)}}}). Sent extra: "
                f"{{{','.join(n for n in given if n not in self.inputs)}}}. Missing but required: "
                f"{{{','.join(n for n in wanted if n not in arrays)}}}."
            )
        for name, array in arrays.items():
            if name not in self.inputs:
                raise invalid(
                    f"input tensor alias not found in signature: {name}. Inputs expected to be in "
                    f"the set {{{','.join(self.inputs)}}}."
                )
            dtype, shape = self.inputs[name]
            given_dtype = dtypes.string if array.dtype == object else dtypes.as_dtype(array.dtype)
            if given_dtype != dtype:
                raise invalid(
                    f"input {name!r} of signature {self.key!r} must be {dtype.name}, not "
                    f"{given_dtype.name}"
                )
            if not shape.is_compatible_with(array.shape):
                raise invalid(
                    f"input {name!r} of signature {self.key!r} must have the shape {shape}, not "
                    f"{TensorShape(array.shape)}"
                )

    def chosen(self, names: Sequence[str]) -> list[str]:
        """The outputs that a filter names; all if it names none.

        Raises:
            tf.errors.InvalidArgumentError: for unknown names, and names that come twice.
        """
        for i, name in enumerate(names):
            if name not in self.outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {name} Outputs expected to be "
                    f"in the set {{{','.join(self.outputs)}}}."
                )
            if name in names[:i]:
                raise invalid(f"duplicate output tensor alias: {name}")
        return list(names or self.outputs)


def _kind(info) -> tuple[dtypes.DType, TensorShape]:
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else [d.size if d.size >= 0 else None for d in shape.dim]
    return dtypes.as_dtype(info.dtype), TensorShape(sizes)


class Servable:
    """A version of a model that can be run.

    Args:
        name, version: which one it is.
        folder: its SavedModel.
        tags: those of the graph to load.

    Raises:
        tf.errors.OpError, OSError, ImportError, ValueError: if it cannot be loaded.
    """

    def __init__(self, name: str, version: int, folder: str, tags: Sequence[str]):
        self.name = name
        self.version = version
        self.signature_defs = _signature_defs(folder)
        self._functions = saved_model.load(folder, tags=list(tags)).signatures
        self.signatures = {
            key: Signature(key, definition)
            for key, definition in self.signature_defs.items()
            if key in self._functions
        }

    def run(self, key: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs a signature on arrays that fit it; strings are object arrays of `bytes`."""
        tensors = {name: convert_to_tensor(array) for name, array in arrays.items()}
        results = self._functions[key](**tensors)
        return {name: _array(tensor) for name, tensor in results.items()}


def _array(tensor) -> np.ndarray:
    value = tensor.numpy()
    if isinstance(value, bytes):  # of a string scalar
        return object_array([value], ())
    return np.asarray(value)
