"""`tf.saved_model`: the TensorFlow-shaped face of the package `export`.

* `save` traces signatures as TensorFlow does, hands their graphs to `export`, which writes and
  verifies the SavedModel, and translates its errors;
* `load` gives back callable signatures: our own SavedModels run in torch, those that TensorFlow
  wrote run in the TensorFlow process of `export`, if TensorFlow is installed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchtf._saved_objects import (
    Asset,
    Description,
    Restored,
    functions_of,
    restore,
    spec_of,
)
from torchtf.core import dtypes, errors, nest
from torchtf.core.convert import convert_to_tensor, kernel_name
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import SymbolicTensor, Tensor, is_tensor_type
from torchtf.core.variable import Variable
from torchtf.core.wire import field
from torchtf.function.signature import call_form, flat_misfit
from torchtf.train import _trackable

ASSETS_DIRECTORY = "assets"
ASSETS_KEY = "saved_model_assets"
CLASSIFY_INPUTS = "inputs"
CLASSIFY_METHOD_NAME = "tensorflow/serving/classify"
CLASSIFY_OUTPUT_CLASSES = "classes"
CLASSIFY_OUTPUT_SCORES = "scores"
DEBUG_DIRECTORY = "debug"
DEBUG_INFO_FILENAME_PB = "saved_model_debug_info.pb"
DEFAULT_SERVING_SIGNATURE_DEF_KEY = "serving_default"
GPU = "gpu"
PREDICT_INPUTS = "inputs"
PREDICT_METHOD_NAME = "tensorflow/serving/predict"
PREDICT_OUTPUTS = "outputs"
REGRESS_INPUTS = "inputs"
REGRESS_METHOD_NAME = "tensorflow/serving/regress"
REGRESS_OUTPUTS = "outputs"
SAVED_MODEL_FILENAME_PB = "saved_model.pb"
SAVED_MODEL_FILENAME_PBTXT = "saved_model.pbtxt"
SAVED_MODEL_SCHEMA_VERSION = 1
SERVING = "serve"
TPU = "tpu"
TRAINING = "train"
VARIABLES_DIRECTORY = "variables"
VARIABLES_FILENAME = "variables"

_KERAS_ARCHIVE = Path("assets.extra", "keras", "model.keras")


class _Options:
    """Options whose values are their defaults, or make no difference to a torch graph."""

    _defaults: dict[str, Any] = {}
    _reasons: dict[str, str] = {}
    _without_effect: frozenset[str] = frozenset()
    _same_as_default = {"experimental_io_device": "/job:localhost"}  # the host that runs this

    def __init__(self, *args, **options):
        kind = type(self).__name__
        if len(args) > len(self._defaults):
            raise TypeError(f"{kind}() takes {len(self._defaults)} arguments, got {len(args)}")
        given = dict(zip(self._defaults, args, strict=False))
        for name in options:
            if name not in self._defaults:
                raise TypeError(f"{kind}() got an unexpected keyword argument {name!r}")
            if name in given:
                raise TypeError(f"{kind}() got multiple values for argument {name!r}")
        for name, value in (self._defaults | given | options).items():
            usual = (self._defaults[name], self._same_as_default.get(name, self._defaults[name]))
            if value not in usual and name not in self._without_effect:
                reason = self._reasons.get(name, "does not apply here; leave it out")
                raise NotImplementedError(f"{kind}({name}={value!r}) {reason}")
            setattr(self, name, value)


class SaveOptions(_Options):
    """Options of `save` (source: `tf.saved_model.SaveOptions`).

    Only the defaults are supported, but for those that change nothing: the ops of a torch graph
    are in no namespace and have no place in the source (`namespace_whitelist`, `save_debug_info`),
    and custom gradients are not saved in any case (`experimental_custom_gradients`). The
    `experimental_io_device` may be this host, "/job:localhost".

    Raises:
        TypeError, ValueError: for a namespace that is no string.
        NotImplementedError: for an option that is not supported.
    """

    _without_effect = frozenset(
        {"namespace_whitelist", "save_debug_info", "experimental_custom_gradients"}
    )
    _reasons = {
        "function_aliases": "is not supported: a saved function has another name in the file; "
        "make it an attribute of the saved object, or a signature",
        "extra_tags": "is not supported: a SavedModel has the tag 'serve' alone",
    }
    _defaults = {
        "namespace_whitelist": None,
        "save_debug_info": False,
        "function_aliases": None,
        "experimental_debug_stripper": False,
        "experimental_io_device": None,
        "experimental_variable_policy": None,
        "experimental_custom_gradients": True,
        "experimental_image_format": False,
        "experimental_skip_saver": False,
        "experimental_sharding_callback": None,
        "extra_tags": None,
    }

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        names = self.namespace_whitelist
        if names is not None and not isinstance(names, list):
            raise TypeError(
                "`namespace_whitelist` must be a list of strings. Got: "
                f"{names} with type {type(names)}."
            )
        for name in names or ():
            if not isinstance(name, str):
                raise ValueError(
                    f"Whitelisted namespace must be a string. Got: {name} of type {type(name)}."
                )


class LoadOptions(_Options):
    """Options of `load` (source: `tf.saved_model.LoadOptions`).

    Only the defaults are supported, and "/job:localhost" as `experimental_io_device`.
    """

    _defaults = {
        "allow_partial_checkpoint": False,
        "experimental_io_device": None,
        "experimental_skip_checkpoint": False,
        "experimental_variable_policy": None,
        "experimental_load_function_aliases": False,
    }


# --- saving ----------------------------------------------------------------
def save(obj, export_dir: str, signatures=None, options: SaveOptions | None = None) -> None:
    """Writes a SavedModel and verifies it against the traced functions (source:
    `tf.saved_model.save`).

    Args:
        obj: a Keras model or a `tf.Module`, with its variables, functions and assets.
        export_dir: the folder to write; replaced when everything went well, else as it was.
        signatures: a `tf.function` with an input signature, a concrete function, a signature of a
            loaded SavedModel, or a dict of them by signature key. Without it, the call of a Keras
            model, or the only such function among the attributes of `obj`. The variables and
            functions of `obj` and of what it holds are saved in any case, with the graphs that were
            traced.
        options: `SaveOptions`.

    Raises:
        ValueError: for an object that is not trackable, what is no function with a signature,
            outputs that are no tensors, or an operator that TensorFlow has no form of (its message
            names operator and layer).
        tf.errors.OpError: if the folder cannot be written.
        ImportError: if the ``export`` extra is not installed.
    """
    if not _is_trackable(obj):
        raise ValueError(
            "Expected an object of type `Trackable`, such as `tf.Module` or a subclass of the "
            f"`Trackable` class, for export. Got {obj} with type {type(obj)}."
        )
    _export(obj, export_dir, signatures)


def exported(signatures, obj=None, description: Description | None = None) -> list:
    """The `export.Signature`s of what `save` takes as `signatures`."""
    functions = _functions(obj, signatures)
    return [signature_of(key, function, description) for key, function in functions.items()]


def _export(obj, export_dir, signatures):
    import export

    has_attributes = _trackable.has_attributes(obj)
    description = Description(obj if has_attributes else None)
    functions = exported(signatures, obj, description)
    if not functions and not has_attributes:
        raise NotImplementedError(
            f"{obj!r} has no function to export: pass signatures=, for instance "
            "signatures=model.call.get_concrete_function(tf.TensorSpec(...))"
        )
    assets = []
    if not has_attributes and hasattr(obj, "__dict__"):
        assets = [v._path for v in vars(obj).values() if isinstance(v, Asset)]
    try:
        return export.export_saved_model(
            functions,
            os.fspath(export_dir),
            assets=assets,
            objects=description.objects,
        )
    except OSError as error:
        raise _file_error(error) from error


def save_keras_model(model, path: str | os.PathLike, signatures=None) -> None:
    """``model.save(folder)`` of Keras 2: a SavedModel that `load_keras_model` makes a model of
    again.

    Beside the SavedModel of the model's call, or of `signatures`, the folder gets
    ``keras_metadata.pb`` with the configuration, and the whole model in Keras' own format in
    ``assets.extra/keras/``.

    Raises:
        As `save`.
    """
    with tempfile.TemporaryDirectory(prefix="keras-") as scratch:
        archive = os.path.join(scratch, _KERAS_ARCHIVE.name)
        model.save(archive)
        _export(model, path, signatures)
        target = Path(path, _KERAS_ARCHIVE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(archive, target)
    # Keras 2 keeps its metadata in one message: SavedMetadata, with one SavedObject
    layer = field(3, "root") + field(4, "_tf_keras_model") + field(5, model.to_json())
    metadata = field(1, layer)
    Path(path, "keras_metadata.pb").write_bytes(metadata)


def load_keras_model(path: str | os.PathLike, **options):
    """The model of a folder that `save_keras_model` wrote; `options` are those of Keras'
    load_model. Its attribute `signatures` has those of the SavedModel.

    Raises:
        OSError: if the folder holds no such model.
    """
    archive = Path(path, _KERAS_ARCHIVE)
    if not archive.exists():
        raise OSError(
            f"{os.fspath(path)!r} holds no Keras model of this package; tf.saved_model.load "
            f"gives the "
            "signatures of any SavedModel"
        )
    import keras

    model = keras.models.load_model(str(archive), **options)
    object.__setattr__(model, "signatures", _SignaturesOf(os.fspath(path)))
    return model


def _file_error(error: OSError) -> errors.OpError:
    kinds = {FileNotFoundError: errors.NotFoundError, PermissionError: errors.PermissionDeniedError}
    kind = kinds.get(type(error), errors.FailedPreconditionError)
    return kind(None, None, error.strerror or str(error))


def _functions(obj, signatures) -> dict[str, Any]:
    """The concrete functions to export, by key."""
    from torchtf.function import concrete

    if signatures is None:
        function = _default_function(obj)
        return {} if function is None else {DEFAULT_SERVING_SIGNATURE_DEF_KEY: function}
    if not isinstance(signatures, Mapping):
        signatures = {DEFAULT_SERVING_SIGNATURE_DEF_KEY: signatures}
    found = {}
    for key, function in signatures.items():
        if not isinstance(key, str):
            raise ValueError(f"A signature key must be a string, got {key!r}.")
        value = function
        if hasattr(value, "input_signature"):  # a tf.function, perhaps a method of a Keras model
            value = _only_concrete(value)
        if not isinstance(value, (concrete.ConcreteFunction, LoadedFunction)):
            raise ValueError(
                "Expected a TensorFlow function for which to generate a signature, but got "
                f"{function}. Only `tf.functions` with an input signature or concrete functions "
                f"can "
                "be used as a signature."
            )
        found[key] = value
    return found


def _is_trackable(obj) -> bool:
    """Whether `save` takes an object: with TensorFlow's, modules of PyTorch."""
    from torchtf.function.concrete import ConcreteFunction
    from torchtf.function.polymorphic import Function

    if isinstance(obj, (Function, ConcreteFunction, torch.nn.Module)):
        return True
    return not isinstance(obj, (list, tuple, dict)) and _trackable.is_trackable(obj)


def _only_concrete(function):
    """The concrete function of a `tf.function` that has an input signature, or one trace."""
    if function.input_signature is not None:
        return function.get_concrete_function()
    traces = function._concrete
    return traces[0] if len(traces) == 1 else None


def _default_function(obj):
    """What is exported when no signature is given."""
    from torchtf.function import concrete, polymorphic

    if _is_keras_model(obj) and obj.built:
        return keras_function(obj)
    found = []
    for name, value in functions_of(obj).items():
        if isinstance(value, polymorphic.Function) and value.input_signature is not None:
            value = value.get_concrete_function()
        if isinstance(value, concrete.ConcreteFunction) and value not in found:
            if not value.outputs:  # no signature by itself, though it can be made one
                continue
            with contextlib.suppress(ValueError):  # what returns no tensors is no signature
                _outputs(name, value)
                found.append(value)
    if len(found) == 1:
        return found[0]
    return keras_function(obj) if _is_keras_model(obj) else None


def _is_keras_model(obj) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(obj, keras.Model)


def keras_function(model, batch_size: int | None = None, named: bool = False):
    """The call of a built Keras model, in inference mode, as a concrete function.

    Its inputs are called after the argument, as TensorFlow saves a model; with `named`, after the
    layers that they enter by, with the batch sizes given there, as TensorFlow converts one.

    Raises:
        ValueError: if the model has never seen an input.
    """
    from torchtf.function import function

    structure = _keras_inputs(model)
    if structure is None:
        raise ValueError(
            f"Model {model!r} cannot be saved because the input shapes have not been set. Usually, "
            "input shapes are automatically determined from calling `.fit()` or `.predict()`. To "
            "manually set the shapes, call `model.build(input_shape)`."
        )
    specs = nest.map_structure(
        lambda x: TensorSpec(
            x.shape if named else [batch_size, *x.shape[1:]],
            x.dtype,
            name=x.name if named else None,
        ),
        structure,
    )
    if not named:

        @function
        def call(inputs):
            return model(inputs, training=False)

        return call.get_concrete_function(specs)

    @function
    def call_flat(*args):
        return model(nest.pack_sequence_as(structure, args), training=False)

    return call_flat.get_concrete_function(*nest.flatten(specs))


def _keras_inputs(model):
    """The inputs of a model as its call takes them: Keras tensors, or specs of what it was built
    for; None if that is not one argument.
    """
    from keras.src.export.export_utils import _infer_input_signature_from_model

    if hasattr(model, "_inputs_struct"):
        return model._inputs_struct
    inputs = getattr(model, "inputs", None) or _infer_input_signature_from_model(model)
    return inputs[0] if inputs and len(inputs) == 1 else None


def signature_of(key: str, concrete, description: Description | None = None):
    """An `export.Signature` for a concrete function, with TensorFlow's names.

    Raises:
        ValueError: for an output that is no tensor.
    """
    described = description or Description(None)
    if isinstance(concrete, LoadedFunction):
        names = list(concrete.structured_outputs)
        graph = concrete.graph_function()
        return described.signature(key, graph, [name for name, _ in _inputs(graph)], names)
    names = [name for name, _ in _inputs(concrete)]
    return described.signature(key, concrete, names, _outputs(key, concrete))


def _inputs(concrete) -> list[tuple[str, TensorSpec]]:
    """Each tensor argument with its name in a signature: that of its spec, else of its
    parameter.
    """
    args, kwargs = concrete.structured_input_signature
    named = [*zip(concrete._parameters, args, strict=False), *kwargs.items()]
    found: list[tuple[str, TensorSpec]] = []
    for parameter, value in named:
        leaves = [
            s for s in nest.flatten(value, expand_composites=True) if isinstance(s, TensorSpec)
        ]
        plain = len(leaves) == 1 and leaves[0] is value
        for spec in leaves:
            # a tensor inside a structure was named after its path: signatures use the parameter
            given = spec.name if plain or not (spec.name or "").startswith(parameter) else None
            base = name = _clean(given or parameter)
            number = 0
            while name in {n for n, _ in found}:
                number += 1
                name = f"{base}_{number}"
            found.append((name, spec))
    return found


def _clean(name: str) -> str:
    return name.removesuffix(":0").replace("/", "_").replace(":", "_")


def _outputs(key: str, concrete) -> list[str]:
    """The names of the outputs: keys of a dict, else ``output_<i>``."""
    structure = concrete.output_signature
    if isinstance(structure, Mapping):
        items = {k: structure[k] for k in sorted(structure, key=str)}  # the order of tf.nest
    elif isinstance(structure, (list, tuple)):
        items = {f"output_{i}": v for i, v in enumerate(structure)}
    else:
        items = {"output_0": structure}
    for name, value in items.items():
        if not isinstance(name, str) or not isinstance(value, TensorSpec):
            raise ValueError(
                f"Got a non-Tensor value {value!r} for key {name!r} in the output of the function "
                f"{concrete.graph.name} used to generate the SavedModel signature {key!r}. Outputs "
                "for functions used as signatures must be a single Tensor, a sequence of Tensors, "
                "or a dictionary from string to Tensor."
            )
    return list(items)


# --- loading ---------------------------------------------------------------
def contains_saved_model(export_dir: str) -> bool:
    """Whether a folder holds a SavedModel (source: `tf.saved_model.contains_saved_model`)."""
    folder = os.fspath(export_dir)
    return any(
        os.path.exists(os.path.join(folder, name))
        for name in (SAVED_MODEL_FILENAME_PB, SAVED_MODEL_FILENAME_PBTXT)
    )


def load(export_dir: str, tags=None, options: LoadOptions | None = None):
    """Loads a SavedModel (source: `tf.saved_model.load`).

    Returns:
        An object with the variables, modules and functions of the saved one (a SavedModel that
        TensorFlow wrote has its signatures alone), whose `signatures` maps each key to a callable
        with `structured_input_signature` and `structured_outputs`; it takes tensors by name (a
        single one also by position) and returns a dict of tensors.

    Raises:
        OSError: if there is no SavedModel.
        ValueError: for tags that it does not have.
        ImportError: for a SavedModel that TensorFlow wrote, if TensorFlow is not installed.
    """
    folder = os.fspath(export_dir)
    if not contains_saved_model(folder):
        raise OSError(
            f"SavedModel file does not exist at: {folder.rstrip('/')}/"
            f"{{{SAVED_MODEL_FILENAME_PBTXT}|{SAVED_MODEL_FILENAME_PB}}}"
        )
    given = [tags] if isinstance(tags, str) else list(tags or [SERVING])
    if given != [SERVING]:
        raise ValueError(
            f"Got an incompatible argument to `tags`: {given}. The SavedModel at {folder} has one "
            f"MetaGraph with tags ['{SERVING}']. You may omit the argument, pass 'None', or pass "
            "matching tags."
        )
    from export import store

    if store.is_own(folder):
        loaded = store.read(folder)
        root, graphs = restore(loaded)
        signatures = {k: _own(loaded.signatures[k], graph) for k, graph in graphs.items()}
    else:
        from export import pipeline

        description = pipeline.describe(folder)
        root = Restored()
        signatures = {key: _foreign(folder, key, entry) for key, entry in description.items()}
    root.signatures = _SignatureMap(signatures)
    return root


class _SignatureMap(Mapping):
    """The signatures of a loaded SavedModel, by key."""

    def __init__(self, signatures: dict[str, LoadedFunction]):
        self._signatures = signatures

    def __getitem__(self, key):
        return self._signatures[key]

    def __iter__(self):
        return iter(self._signatures)

    def __len__(self):
        return len(self._signatures)

    def __repr__(self):
        return f"_SignatureMap({self._signatures})"


class _SignaturesOf(Mapping):
    """The signatures of a folder, which are loaded when one is asked for."""

    def __init__(self, folder: str):
        self._folder = folder

    @functools.cached_property
    def _loaded(self) -> Mapping:
        return load(self._folder).signatures

    def __getitem__(self, key):
        return self._loaded[key]

    def __iter__(self):
        return iter(self._loaded)

    def __len__(self):
        return len(self._loaded)

    def __repr__(self):
        return repr(self._loaded)


class LoadedFunction:
    """A signature of a loaded SavedModel.

    Attributes:
        structured_input_signature: ``((), {name: TensorSpec})``.
        structured_outputs: ``{name: TensorSpec}``.
        variables, trainable_variables: those that it uses; none where TensorFlow runs it.
    """

    def __init__(
        self, key: str, inputs: list[TensorSpec], outputs: list[TensorSpec], run, graph=None
    ):
        self.name = key
        self._graph = graph  # a ConcreteFunction of flat arguments; none where TensorFlow runs it
        variables = () if graph is None else graph.variables
        self.variables = tuple(variables)
        self.trainable_variables = tuple(v for v in self.variables if v.trainable)
        self._run = run  # {name: Tensor} -> {name: Tensor}
        self.structured_input_signature = ((), {spec.name: spec for spec in inputs})
        self.structured_outputs = {spec.name: spec for spec in outputs}

    def __call__(self, *args, **kwargs) -> dict[str, Tensor]:
        """Runs the signature on tensors, by name, or a single one by position.

        By name it takes what converts to a tensor, too, of a shape that fits.

        Raises:
            TypeError: for missing or unknown arguments, or values that do not fit.
            tf.errors.InvalidArgumentError: for a tensor of another dtype.
        """
        specs = self.structured_input_signature[1]
        misfit = self._misfit(args, kwargs)
        if misfit is not None:
            flat_misfit = self._flat_misfit(args, kwargs)
            if flat_misfit is not None:
                raise TypeError(
                    f"Binding inputs to tf.function failed due to `{misfit}`. Received args: "
                    f"{args} and kwargs: {kwargs} for signature: {self._signature()}.\n"
                    f"Fallback to flat signature also failed due to: {flat_misfit}"
                )
        given = dict(zip(specs, args, strict=False)) | kwargs
        tensors = {
            name: self._checked(i, given[name], spec)
            for i, (name, spec) in enumerate(specs.items())
        }
        return self._run(tensors)

    def graph_function(self):
        """The graph of the signature, to be saved or converted again.

        Raises:
            NotImplementedError: for a signature that TensorFlow wrote.
        """
        if self._graph is None:
            raise NotImplementedError(
                f"the signature {self.name!r} was written by TensorFlow and runs there: it cannot "
                "be saved again. tf.lite.TFLiteConverter.from_saved_model(folder, "
                f"signature_keys=[{self.name!r}]) converts it."
            )
        return self._graph

    def _misfit(self, args, kwargs) -> str | None:
        """Why the arguments are not those of the signature."""
        specs = self.structured_input_signature[1]
        if args:
            return "too many positional arguments"
        for name in specs:
            if name not in kwargs:
                return f"missing a required argument: '{name}'"
        for name, value in kwargs.items():
            if name not in specs:
                return f"got an unexpected keyword argument '{name}'"
            if not _is_tensor(value):  # the shape of a tensor is left to the graph
                have = TensorSpec(_tensor(value, specs[name]).shape, specs[name].dtype, name)
                if not specs[name].shape.is_compatible_with(have.shape):
                    return f"Can not cast {have!r} to {specs[name]!r}"
        return None

    def _flat_misfit(self, args, kwargs) -> str | None:
        """Why the arguments are not the flat tensors of the graph."""
        specs = self.structured_input_signature[1]
        called = call_form(f"signature_wrapper_{self.name}", specs)
        misfit = flat_misfit(called, list(specs), args, kwargs, allowed=int(len(specs) == 1))
        if misfit is not None:
            return misfit
        given = dict(zip(specs, args, strict=False))
        for i, value in enumerate((given | kwargs).values()):
            if not _is_tensor(value):
                return (
                    f"{called}: expected argument #{i}(zero-based) to be a Tensor; got "
                    f"{type(value).__name__} ({value})."
                )
        return None

    def _checked(self, number: int, value, spec: TensorSpec) -> Tensor:
        tensor = _tensor(value, spec)
        if tensor.dtype != spec.dtype:
            raise errors.InvalidArgumentError(
                None,
                None,
                f"cannot compute {self.name} as input #{number}(zero-based) was expected to be a "
                f"{kernel_name(spec.dtype)} tensor but is a {kernel_name(tensor.dtype)} tensor",
            )
        return tensor

    def _signature(self) -> str:
        inputs = ", ".join(f"{n}: {s!r}" for n, s in self.structured_input_signature[1].items())
        outputs = ", ".join(f"['{n}', {s!r}]" for n, s in self.structured_outputs.items())
        return f"(*, {inputs}) -> Dict[{outputs}]"

    def __repr__(self):
        return f"<ConcreteFunction {self._signature()} at 0x{id(self):X}>"


def _is_tensor(value) -> bool:
    # within a layer of Keras tensors are torch's
    return is_tensor_type(value) or isinstance(value, (Variable, torch.Tensor))


def _tensor(value, spec: TensorSpec) -> Tensor:
    """A tensor as it is, another value with the dtype of a spec."""
    return convert_to_tensor(value, None if _is_tensor(value) else spec.dtype)


def _own(entry, graph) -> LoadedFunction:
    """A signature of our own: its graph, which shares its variables with the loaded objects."""
    inputs, outputs = [spec_of(i) for i in entry.inputs], [spec_of(o) for o in entry.outputs]

    def run(tensors):
        results = graph.call_flat([tensors[spec.name] for spec in inputs])
        return dict(zip([spec.name for spec in outputs], results, strict=True))

    return LoadedFunction(entry.name, inputs, outputs, run, graph)


def _foreign(folder: str, key: str, entry: dict) -> LoadedFunction:
    """A signature that runs in TensorFlow, in the process of `export`."""
    from export.errors import WorkerError
    from export.pipeline import run_artifact

    def specs(part):
        return [
            TensorSpec(e["shape"], dtypes.as_dtype(e["dtype"]), name=e["name"]) for e in entry[part]
        ]

    def run(tensors):
        if any(isinstance(t, SymbolicTensor) for t in tensors.values()):
            raise NotImplementedError(
                f"the signature {key!r} of {folder!r}, which TensorFlow wrote, cannot be part of a "
                "graph: it runs in TensorFlow. Call it eagerly (a Keras model: run_eagerly=True)."
            )
        arrays = {
            name: t._data if t.dtype is dtypes.string else np.asarray(t.numpy())
            for name, t in tensors.items()
        }
        with tempfile.TemporaryDirectory(prefix="saved-model-") as scratch:
            try:
                results, _ = run_artifact(
                    "run_saved_model", scratch, arrays, folder=os.path.abspath(folder),
                    signature=key,
                )  # fmt: skip
            except WorkerError as error:
                kind, message = error.reason or ("", "")
                if kind.endswith("Error") and hasattr(errors, kind):  # one of tf.errors
                    raise getattr(errors, kind)(None, None, message) from error
                raise
        return {name: convert_to_tensor(a) for name, a in results.items()}

    return LoadedFunction(key, specs("inputs"), specs("outputs"), run)


__all__ = [
    "Asset",
    "LoadOptions",
    "SaveOptions",
    "contains_saved_model",
    "load",
    "load_keras_model",
    "save",
    "save_keras_model",
    *(name for name in list(globals()) if name.isupper()),
]


def __getattr__(name: str):
    if name == "experimental":
        from torchtf import _saved_model_experimental

        return _saved_model_experimental
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
