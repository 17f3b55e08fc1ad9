"""`model.export`: the SavedModel that serves a model.

Contract:
- The artifact has the endpoint `serve`, which is the default signature, too; `tf.saved_model.load`
  and TensorFlow Serving know it. Open sizes of inputs stay open.
- The other formats are Keras' own for PyTorch.
"""

from __future__ import annotations

import os
from typing import Any

from keras.src import backend, tree
from keras.src.export import saved_model, saved_model_export_archive
from keras.src.layers.input_spec import InputSpec
from keras.src.utils import io_utils

from torchtf.keras._patch import replaces, use_everywhere
from torchtf.keras._side import on_user_side


def _tensor_spec(x: Any) -> Any:
    from torchtf import TensorSpec

    if isinstance(x, InputSpec):
        if x.shape is None:
            raise ValueError(f"An InputSpec must have a shape to export a model. Received: {x}")
        return TensorSpec(x.shape, x.dtype or backend.floatx())
    return TensorSpec(x.shape, x.dtype)


@replaces(saved_model, "export_saved_model")
def export_saved_model(
    model: Any, filepath: Any, verbose: Any = None, input_signature: Any = None, **kwargs: Any
) -> None:
    if kwargs:
        raise NotImplementedError(
            f"model.export(format='tf_saved_model') takes no {', '.join(kwargs)}: these belong to "
            "JAX; leave them out."
        )
    on_user_side(_export, (model, os.fspath(filepath), input_signature))
    if verbose or verbose is None:
        io_utils.print_msg(f"Saved artifact at '{filepath}'. Endpoints: serve, serving_default.")


def _export(model: Any, path: str, input_signature: Any) -> None:
    import torchtf as tf
    from torchtf.saved_model import keras_function

    if input_signature is None:
        serve = keras_function(model)
    else:
        if len(input_signature) != 1:
            raise NotImplementedError(
                "model.export(input_signature=...) takes one structure of inputs, in a list of one "
                "element. For a call with several arguments use tf.saved_model.save(module, path, "
                "signatures=...)."
            )

        @tf.function
        def call(inputs: Any) -> Any:
            return model(inputs, training=False)

        specs = tree.map_structure(_tensor_spec, input_signature[0])
        serve = call.get_concrete_function(specs)
    module = tf.Module()
    module.serve = serve
    signatures = {"serve": serve, "serving_default": serve}
    tf.saved_model.save(module, path, signatures=signatures)


use_everywhere(export_saved_model)


@replaces(saved_model_export_archive.SavedModelExportArchive, "__init__")
def __init__(self: Any) -> None:
    raise NotImplementedError(
        "ExportArchive is not supported. Use model.export(path), or tf.saved_model.save(module, "
        "path, signatures={...}) with one tf.function for each endpoint."
    )
