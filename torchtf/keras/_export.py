"""`model.export` and `ExportArchive`: the SavedModel and the TFLite file that serve a model.

Contract:
- Keras' own archive runs here on `torchtf`, as on its TensorFlow backend: the artifact has an
  attribute and a signature for each endpoint, the first of them is `serving_default`, too, and the
  lists of variables are those of what was tracked. Open sizes of inputs stay open.
- `format="litert"` takes what Keras' TensorFlow backend takes: attributes of
  `tf.lite.TFLiteConverter`. The formats "onnx", "torch" and "openvino" are Keras' own for PyTorch.
- `TFSMLayer` calls an endpoint of a SavedModel. The variables that it uses are weights of the
  layer; one that TensorFlow wrote runs in TensorFlow and has none here.
"""

from __future__ import annotations

from typing import Any

from keras.src import layers
from keras.src.backend.torch.export import TorchExportArchive
from keras.src.export import export_utils, litert, saved_model
from keras.src.export.saved_model_export_archive import (
    SavedModelExportArchive,
    _list_variables_used_by_fns,
)
from keras.src.export.tfsm_layer import TFSMLayer
from keras.src.layers.layer import Layer
from keras.src.utils import io_utils

from torchtf.keras._patch import replaces, use_everywhere
from torchtf.keras._side import inward, on_user_side
from torchtf.module import Module
from torchtf.train import _trackable


@replaces(saved_model, "export_saved_model")
def export_saved_model(
    model: Any, filepath: Any, verbose: Any = None, input_signature: Any = None, **kwargs: Any
) -> None:
    on_user_side(
        export_saved_model.original,  # type: ignore[attr-defined]
        (model, filepath, verbose, input_signature),
        kwargs,
    )


@replaces(litert, "export_litert_via_torch")
def export_litert_via_torch(
    model: Any, filepath: Any, input_signature: Any = None, verbose: Any = None, **kwargs: Any
) -> None:
    exporter = litert.LiteRTExporter(model, input_signature, **kwargs)
    on_user_side(exporter.export, (filepath,))
    if verbose is not False:
        io_utils.print_msg(f"Saved artifact at '{filepath}'.")


@replaces(export_utils, "make_input_spec")
def make_input_spec(x: Any) -> Any:
    return make_input_spec.original(inward(x))  # type: ignore[attr-defined]


for _replacement in (export_saved_model, export_litert_via_torch, make_input_spec):
    use_everywhere(_replacement)


class _Artifact(Module):
    """The object that is saved; its lists of variables hold what was tracked."""

    variables: Any = ()
    trainable_variables: Any = ()
    non_trainable_variables: Any = ()

    def __init__(self) -> None:
        super().__init__("artifact")
        self.variables = []
        self.trainable_variables = []
        self.non_trainable_variables = []


@replaces(SavedModelExportArchive, "__init__")
def __init__(self: Any) -> None:
    from torchtf import __version__

    self._endpoint_names = []
    self._endpoint_signatures = {}
    self.tensorflow_version = __version__
    self._tf_trackable = _Artifact()
    self._backend_init()


@replaces(SavedModelExportArchive, "track")
def track(self: Any, resource: Any) -> None:
    if isinstance(resource, Layer):
        if not resource.built:
            raise ValueError(
                "The layer provided has not yet been built. It must be built before export."
            )
        self._backend_track_layer(resource)
    elif not _trackable.is_trackable(resource):  # of others, endpoints save what they use
        raise ValueError(
            "Invalid resource type. Expected a Keras `Layer` or `Model` or a TensorFlow "
            f"`Trackable` object. Received object {resource} of type '{type(resource)}'. "
        )


@replaces(SavedModelExportArchive, "_get_concrete_fn")
def _get_concrete_fn(self: Any, endpoint: Any) -> Any:
    function = getattr(self._tf_trackable, endpoint)
    if endpoint in self._endpoint_signatures:
        return function
    return function._list_all_concrete_functions()[0]


@replaces(SavedModelExportArchive, "_filter_and_track_resources")
def _filter_and_track_resources(self: Any) -> None:
    """Nothing to do: the variables of endpoints are saved with them."""


@replaces(TorchExportArchive, "_backend_track_layer")
def _backend_track_layer(self: Any, layer: Any) -> None:
    for name in ("variables", "trainable_variables", "non_trainable_variables"):
        getattr(self._tf_trackable, name).extend(getattr(layer, name))


@replaces(TorchExportArchive, "_backend_add_endpoint")
def _backend_add_endpoint(
    self: Any, name: Any, fn: Any, input_signature: Any, **kwargs: Any
) -> Any:
    from torchtf.function import function

    # Keras hands other keywords to its backend: TensorFlow's has a use for none of them
    made = function(fn, input_signature=input_signature, autograph=False)
    made.get_concrete_function()
    return made


@replaces(TorchExportArchive, "track_and_add_endpoint")
def track_and_add_endpoint(
    self: Any, name: Any, resource: Any, input_signature: Any, **kwargs: Any
) -> Any:
    return SavedModelExportArchive.track_and_add_endpoint(
        self, name, resource, input_signature, **kwargs
    )


@replaces(TFSMLayer, "__init__")
def _tfsm_init(
    self: Any,
    filepath: Any,
    call_endpoint: Any = "serve",
    call_training_endpoint: Any = None,
    trainable: Any = True,
    name: Any = None,
    dtype: Any = None,
) -> None:
    from torchtf.saved_model import load

    layers.Layer.__init__(self, trainable=trainable, name=name, dtype=dtype)
    loaded = load(str(filepath))
    vars(self)["_reloaded_obj"] = loaded  # what its endpoints do not use is none of the weights
    self.filepath = filepath
    self.call_endpoint = call_endpoint
    self.call_training_endpoint = call_training_endpoint
    self.call_endpoint_fn = _endpoint(loaded, call_endpoint)
    endpoints = [self.call_endpoint_fn]
    if call_training_endpoint:
        self.call_training_endpoint_fn = _endpoint(loaded, call_training_endpoint)
        endpoints.append(self.call_training_endpoint_fn)
    trained, others = _list_variables_used_by_fns(endpoints)
    self._endpoint_variables = [*trained, *others]
    self._build_at_init()


def _endpoint(loaded: Any, name: str) -> Any:
    """An attribute of a loaded SavedModel, or one of its signatures."""
    if hasattr(loaded, name):
        return getattr(loaded, name)
    if name in loaded.signatures:
        return loaded.signatures[name]
    raise ValueError(
        f"The endpoint '{name}' is neither an attribute of the reloaded SavedModel, nor an entry "
        "in the `signatures` field of the reloaded SavedModel. Select another endpoint via the "
        "`call_endpoint` argument. Available endpoints for this SavedModel: "
        f"{list(loaded.signatures)}"
    )
