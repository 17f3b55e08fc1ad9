"""`tf.lite`: TFLite conversion through `export`, and the interpreter of LiteRT.

The converter takes TensorFlow's settings, has `export` write and convert a SavedModel, and
compares the result with the source. `Interpreter` is that of the package ``ai_edge_litert``.
"""

from __future__ import annotations

import ctypes
import enum
import importlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from torchtf.core import absent, dtypes
from torchtf.core.tensor import Tensor


class Optimize(enum.Enum):
    """What a conversion optimizes for (source: `tf.lite.Optimize`)."""

    DEFAULT = "DEFAULT"
    OPTIMIZE_FOR_SIZE = "OPTIMIZE_FOR_SIZE"
    OPTIMIZE_FOR_LATENCY = "OPTIMIZE_FOR_LATENCY"
    EXPERIMENTAL_SPARSITY = "EXPERIMENTAL_SPARSITY"

    def __str__(self):
        return str(self.value)


class OpsSet(enum.Enum):
    """Sets of operators that a model may use (source: `tf.lite.OpsSet`)."""

    TFLITE_BUILTINS = "TFLITE_BUILTINS"
    SELECT_TF_OPS = "SELECT_TF_OPS"
    TFLITE_BUILTINS_INT8 = "TFLITE_BUILTINS_INT8"
    EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8 = (
        "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
    )
    EXPERIMENTAL_STABLEHLO_OPS = "EXPERIMENTAL_STABLEHLO_OPS"

    def __str__(self):
        return str(self.value)

    @staticmethod
    def get_options() -> list[str]:
        return [str(option) for option in OpsSet]


class TargetSpec:
    """What the target device supports (source: `tf.lite.TargetSpec`).

    Args:
        supported_ops: a set or list of `OpsSet`.
        supported_types: dtypes of weights, such as ``[tf.float16]``.
    """

    def __init__(
        self,
        supported_ops: Iterable[OpsSet] | None = None,
        supported_types: Iterable | None = None,
        experimental_select_user_tf_ops: Iterable[str] | None = None,
        experimental_supported_backends: Iterable[str] | None = None,
    ):
        self.supported_ops = {OpsSet.TFLITE_BUILTINS} if supported_ops is None else supported_ops
        self.supported_types = set() if supported_types is None else supported_types
        self.experimental_select_user_tf_ops = experimental_select_user_tf_ops or set()
        self.experimental_supported_backends = experimental_supported_backends


class RepresentativeDataset:
    """Samples that calibrate an integer quantization (source: `tf.lite.RepresentativeDataset`).

    Args:
        input_gen: a function that returns an iterable of lists or dicts of arrays, or of
            ``(signature key, dict)``.
    """

    def __init__(self, input_gen: Callable[[], Iterable]):
        self.input_gen = input_gen


# Attributes of TensorFlow's converter that `export` passes on when they are set.
_PASSED_ON = {
    "allow_custom_ops": False,
    "experimental_new_quantizer": True,
    "experimental_new_dynamic_range_quantizer": True,
    "experimental_enable_resource_variables": True,
    "exclude_conversion_metadata": False,
    "unfold_batchmatmul": False,
    "_experimental_disable_per_channel": False,
    "_experimental_disable_per_channel_quantization_for_dense_layers": False,
    "_experimental_lower_tensor_list_ops": True,
    "_experimental_default_to_single_batch_in_tensor_list_ops": False,
    "legalize_custom_tensor_list_ops": False,
    "canonicalizing_inf_as_min_max_float": True,
    "_experimental_sparsify_model": False,
    "_experimental_full_integer_quantization_bias_type": None,
    "_experimental_allow_all_select_tf_ops": False,
    "_experimental_calibrate_only": False,
    "_experimental_disable_fuse_mul_and_fc": False,
    "_experimental_enable_composite_direct_lowering": True,
    "_experimental_enable_dynamic_update_slice": False,
    "_experimental_guarantee_all_funcs_one_use": False,
    "_experimental_low_bit_qat": False,
    "_experimental_preserve_assert_op": False,
    "_experimental_qdq_conversion_mode": None,
    "_experimental_reduce_type_precision": False,
    "_experimental_strict_qdq": False,
    "_experimental_unfold_large_splat_constant": False,
    "_experimental_unsafe_fuse_dynamic_shaped_broadcast": False,
    "_experimental_use_buffer_offset": False,
    "_experimental_variable_quantization": False,
    "experimental_lower_to_saved_model": True,
    "serialize_debug_metadata": False,
    # what TensorFlow's compiler writes of its passes; the folder is made absolute
    "ir_dump_dir": None,
    "ir_dump_func_regex": None,
    "ir_dump_pass_regex": None,
    "elide_elementsattrs_if_larger": None,
}


class TFLiteConverter:
    """Converts a model to TFLite (source: `tf.lite.TFLiteConverter`).

    Attributes:
        optimizations: list of `Optimize`; ``[Optimize.DEFAULT]`` quantizes.
        representative_dataset: a function whose items calibrate an integer quantization.
        target_spec: a `TargetSpec`.
        inference_input_type, inference_output_type: dtypes of the file's inputs and outputs.
        allow_custom_ops: lets operators pass that TFLite does not know.
    """

    def __init__(self, source: Callable[[str, Any], Any], signature_keys=None):
        self._source = source  # scratch folder, quantization -> `export.pipeline.Draft`
        self._signature_keys = list(signature_keys) if signature_keys else None
        self.optimizations: Iterable[Optimize] = set()
        self.representative_dataset: Any = None
        self.target_spec = TargetSpec()
        self.inference_input_type = dtypes.float32
        self.inference_output_type = dtypes.float32
        self.experimental_new_converter = True
        for name, default in _PASSED_ON.items():
            setattr(self, name, default)

    def __setattr__(self, name, value):
        known = name in _PASSED_ON or name in self.__dict__ or name in _ATTRIBUTES
        if not known:
            raise AttributeError(f"TFLiteConverter has no setting {name!r}")
        if name == "experimental_new_converter" and not value:
            raise NotImplementedError(
                "the old converter is gone: leave experimental_new_converter True"
            )
        super().__setattr__(name, value)

    @classmethod
    def from_saved_model(
        cls, saved_model_dir: str, signature_keys: Sequence[str] | None = None, tags=None
    ) -> TFLiteConverter:
        """A converter for a SavedModel, ours or TensorFlow's.

        Raises:
            OSError: if there is none.
            ValueError: for unknown signature keys or tags.
        """
        from torchtf import saved_model

        folder = os.path.abspath(os.fspath(saved_model_dir))
        if not saved_model.contains_saved_model(folder):
            raise OSError(
                f"SavedModel file does not exist at: {os.fspath(saved_model_dir).rstrip('/')}/"
                "{saved_model.pbtxt|saved_model.pb}"
            )
        if tags is not None and set([tags] if isinstance(tags, str) else tags) != {"serve"}:
            raise ValueError(
                f"Got an incompatible argument to `tags`: {tags}. The SavedModel at "
                f"{os.fspath(saved_model_dir)} has one MetaGraph with tags ['serve']. You may omit "
                "the argument, pass 'None', or pass matching tags."
            )

        def source(scratch: str, quantization):
            from export import pipeline

            return pipeline.Draft(folder, pipeline.describe(folder))

        return cls(source, signature_keys)

    @classmethod
    def from_keras_model(cls, model) -> TFLiteConverter:
        """A converter for a Keras model, in inference mode; its inputs keep their names.

        Raises:
            ValueError: for an object that is no Keras model, or was never built.
        """
        from torchtf import saved_model

        if not saved_model._is_keras_model(model):
            raise ValueError(f"from_keras_model takes a Keras model, got {type(model).__name__}")
        return cls(lambda *to: _saved(saved_model.keras_function(model, named=True), *to))

    @classmethod
    def from_concrete_functions(cls, funcs: Sequence, trackable_obj=None) -> TFLiteConverter:
        """A converter for concrete functions, one signature each.

        Args:
            funcs: concrete functions, or signatures of a loaded SavedModel.
            trackable_obj: the object that owns their variables; the functions hold them already.

        Raises:
            ValueError: for a `tf.function` that is not concrete.
        """
        from torchtf.function.concrete import ConcreteFunction
        from torchtf.saved_model import LoadedFunction

        funcs = list(funcs)
        for function in funcs:
            if not isinstance(function, (ConcreteFunction, LoadedFunction)):
                hint = " To get the ConcreteFunction from a Function, call get_concrete_function."
                raise ValueError(
                    "This function takes in a list of ConcreteFunction."
                    + (hint if hasattr(function, "get_concrete_function") else "")
                )
        if not funcs:
            raise ValueError("No ConcreteFunction is specified.")
        signatures: Any = funcs[0]
        if len(funcs) > 1:
            signatures = {_unique(f.name, funcs[:i]): f for i, f in enumerate(funcs)}
        return cls(lambda *to: _saved(signatures, *to))

    def convert(self) -> bytes:
        """The TFLite file.

        Raises:
            ValueError: for contradictory settings, calibration data that does not fit, or an
                operator that TFLite lacks (the message names it and its layer).
            TypeError: for a representative dataset that is no function.
            ImportError: if the ``export`` extra is not installed.
        """
        import export
        from export import pipeline
        from export.errors import require_extra

        quantization = self._quantization()
        require_extra()
        with tempfile.TemporaryDirectory(prefix="tflite-") as scratch:
            made = self._source(scratch, quantization)
            calibration = None
            if self.representative_dataset is not None:
                calibration = self._calibration(made.description)
            file = Path(scratch, "model.tflite")
            wanted = made.wanted if not calibration else None
            arguments: dict[str, Any] = {
                "calibration": calibration,
                "signatures": self._signature_keys,
                "description": made.description,
            }
            try:
                pipeline.convert_saved_model(
                    made.folder, file, quantization, wanted=wanted, **arguments
                )
            except export.VerificationError as error:
                if not quantization.optimizations:
                    raise
                # TensorFlow leaves it to the user what a quantization may cost
                warnings.warn(str(error), stacklevel=2)
                unverified = pipeline.Options(verify=False)
                pipeline.convert_saved_model(
                    made.folder, file, quantization, options=unverified, **arguments
                )
            return file.read_bytes()

    def _quantization(self):
        from export import Quantization

        ops = [
            _member(OpsSet, op, "target_spec.supported_ops")
            for op in self.target_spec.supported_ops
        ]
        if (
            self.target_spec.experimental_select_user_tf_ops
            or self.target_spec.experimental_supported_backends
        ):
            raise NotImplementedError("experimental settings of target_spec are not supported")
        optimizations = [_member(Optimize, o, "optimizations") for o in self.optimizations or ()]
        types = [dtypes.as_dtype(t) for t in self.target_spec.supported_types]
        unknown = [t.name for t in types if t.name not in ("float32", "float16", "int8", "int16")]
        if unknown:
            raise ValueError(f"target_spec.supported_types: {unknown[0]} is no type of weights")
        input_type = dtypes.as_dtype(self.inference_input_type)
        output_type = dtypes.as_dtype(self.inference_output_type)
        integer = any("INT8" in op for op in ops) or dtypes.int8 in types
        if (
            integer
            and (optimizations or ops != ["TFLITE_BUILTINS"])
            and self.representative_dataset is None
        ) and (set(ops) <= _INTEGER_OPS or dtypes.int8 in types):
            raise ValueError(
                "For full integer quantization, a `representative_dataset` must be specified."
            )
        allowed = ["float32"]
        if optimizations and self.representative_dataset is not None:
            wide = any("INT16" in op for op in ops)
            allowed += ["int16"] if wide else ["int8", "uint8", "int16"]
        if not {input_type.name, output_type.name} <= set(allowed):
            raise ValueError(
                "The inference_input_type and inference_output_type must be "
                + (f"in {['tf.' + t for t in allowed]}." if len(allowed) > 1 else "tf.float32.")
            )
        settings = {
            name: getattr(self, name)
            for name, default in _PASSED_ON.items()
            if name != "allow_custom_ops" and getattr(self, name) != default
        }
        if "ir_dump_dir" in settings:  # TensorFlow's process works in another folder
            settings["ir_dump_dir"] = os.path.abspath(settings["ir_dump_dir"])
        return Quantization(
            tuple(optimizations),
            tuple(ops),
            tuple(t.name for t in types),
            input_type.name,
            output_type.name,
            bool(self.allow_custom_ops),
            settings,
        )

    def _calibration(self, description: dict) -> dict[str, list[dict[str, np.ndarray]]]:
        """The samples of the representative dataset, by signature and input name."""
        generate = getattr(self.representative_dataset, "input_gen", self.representative_dataset)
        if not callable(generate):
            raise TypeError(
                "representative_dataset must be a function that yields samples, or a "
                f"tf.lite.RepresentativeDataset, got {type(generate).__name__}"
            )
        keys = self._signature_keys or [k for k, d in description.items() if d["converted"]]
        samples: dict[str, list[dict[str, np.ndarray]]] = {}
        for item in generate():
            key = keys[0]
            if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
                key, item = item
            elif len(keys) > 1:
                raise ValueError(
                    f"the model has the signatures {keys}: representative_dataset must yield "
                    "(signature key, {input name: array})"
                )
            if key not in description:
                raise ValueError(f"representative_dataset: there is no signature {key!r}")
            names = [info["name"] for info in description[key]["inputs"]]
            if isinstance(item, list):
                if len(item) != len(names):
                    raise ValueError(
                        f"Invalid input shapes: expected {len(names)} items got {len(item)} items."
                    )
                item = dict(zip(names, item, strict=True))
            if not isinstance(item, Mapping):
                raise ValueError(
                    "You need to provide either a dictionary with input names and values, a tuple "
                    "with signature key and a dictionary with input names and values, or an array "
                    "with input values in the order of input tensors of the graph in the "
                    f"representative_dataset function. Unsupported value from dataset: {item}."
                )
            samples.setdefault(key, []).append({k: np.asarray(v) for k, v in item.items()})
        if not samples:
            raise ValueError("representative_dataset yields no samples")
        return samples


_ATTRIBUTES = {
    "_source", "_signature_keys", "optimizations", "representative_dataset", "target_spec",
    "inference_input_type", "inference_output_type", "experimental_new_converter",
}  # fmt: skip
_INTEGER_OPS = {
    "TFLITE_BUILTINS_INT8",
    "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
}


def _saved(signatures, scratch: str, quantization):
    """The `export.pipeline.Draft` of signatures."""
    from export import pipeline
    from torchtf import saved_model

    folder = os.path.join(scratch, "saved_model")
    return pipeline.draft(saved_model.exported(signatures), folder, quantization)


def _unique(name: str, before: Sequence) -> str:
    count = sum(f.name == name for f in before)
    return f"{name}_{count}" if count else name


def _member(kind, value, setting: str) -> str:
    """The name of an enum member, given as such or by its value; TensorFlow's own do as well."""
    try:
        return kind(getattr(value, "value", value)).value
    except ValueError:
        raise ValueError(f"{setting}: {value!r} is none of {[str(m) for m in kind]}") from None


# --- running ---------------------------------------------------------------
def _litert():
    try:
        return importlib.import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise ImportError(
            'tf.lite.Interpreter needs ai-edge-litert: pip install "torchtf[export]"'
        ) from error


def _plain(value):
    """Tensors as arrays; everything else as it is."""
    return value.numpy() if isinstance(value, Tensor) else value


class InterpreterOptions:
    """Options of an `Interpreter`: whether it uses the XNNPACK delegate (which it does by
    default).
    """

    def __init__(self):
        self.xnnpack_enabled = True

    def set_xnnpack_enabled(self, enabled: bool) -> None:
        self.xnnpack_enabled = bool(enabled)


def _interpreter_class():
    """`Interpreter`, made on first use: LiteRT is loaded with it."""
    litert = _litert()

    class Interpreter(litert.Interpreter):
        """Runs a TFLite model (source: `tf.lite.Interpreter`, LiteRT's own class).

        Takes tensors where LiteRT takes arrays, and `options` (`InterpreterOptions`).

        Args:
            model_path: a file.
            model_content: the content of one, instead.
            experimental_delegates: delegates, as `load_delegate` gives them.
            num_threads: threads for kernels that can use several.
            experimental_op_resolver_type: an `OpResolverType`: which kernels there are.
            experimental_preserve_all_tensors: keep the results of all operators.
            experimental_disable_delegate_clustering: give delegates operators in the file's order.
            experimental_default_delegate_latest_features: let XNNPACK use what is new in it.
            options: `InterpreterOptions`.
            **further: arguments that LiteRT's class has and TensorFlow's has not.

        Raises:
            ValueError: for a file that is no model, or operators without kernels.
        """

        def __init__(
            self,
            model_path=None,
            model_content=None,
            experimental_delegates=None,
            num_threads=None,
            experimental_op_resolver_type=litert.OpResolverType.AUTO,
            experimental_preserve_all_tensors=False,
            experimental_disable_delegate_clustering=False,
            experimental_default_delegate_latest_features=False,
            *,
            options: InterpreterOptions | None = None,
            **further,
        ):
            kinds = litert.OpResolverType
            if (
                options is not None
                and not options.xnnpack_enabled
                and experimental_op_resolver_type == kinds.AUTO
            ):
                experimental_op_resolver_type = kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            super().__init__(
                model_path,
                model_content,
                experimental_delegates,
                num_threads,
                experimental_op_resolver_type,
                experimental_preserve_all_tensors,
                experimental_disable_delegate_clustering,
                experimental_default_delegate_latest_features,
                **further,
            )

        def set_tensor(self, tensor_index, value):
            super().set_tensor(tensor_index, _plain(value))

        def resize_tensor_input(self, input_index, tensor_size, strict=False):
            sizes = [int(s) for s in _plain(tensor_size)]
            super().resize_tensor_input(input_index, sizes, strict=strict)

        def get_signature_runner(self, signature_key=None):
            runner = super().get_signature_runner(signature_key)

            class Runner(type(runner)):
                def __call__(self, **kwargs):
                    return super().__call__(**{k: _plain(v) for k, v in kwargs.items()})

            runner.__class__ = Runner
            return runner

    Interpreter.__module__ = "torchtf.lite"
    Interpreter.__qualname__ = "Interpreter"
    return Interpreter


class GPUDelegateOptions:
    """Options for a GPU delegate, as mobile apps have them; LiteRT for Python ships no such
    delegate.
    """

    def __init__(
        self, precision_loss_allowed: bool = True, inference_preference: str = "fast_single_answer"
    ):
        self.precision_loss_allowed = precision_loss_allowed
        self.inference_preference = inference_preference


def load_delegate(library, options: Mapping | None = None):
    """Loads a delegate library (source: `tf.lite.experimental.load_delegate`).

    Args:
        library: the name of a shared library.
        options: options of the delegate, by name.

    Raises:
        OSError: if the library cannot be loaded.
        ValueError: if the delegate refuses, or for `GPUDelegateOptions` without a delegate library.
    """
    if isinstance(library, GPUDelegateOptions):
        raise ValueError(
            "there is no GPU delegate for this machine: give the name of its library, for instance "
            "load_delegate('libtensorflowlite_gpu_delegate.so')"
        )
    litert = _litert()
    ctypes.pydll.LoadLibrary(library)  # the plain OSError, before LiteRT makes half a delegate
    return litert.load_delegate(library, dict(options or {}))


class Analyzer:
    """Tells what a TFLite file holds (source: `tf.lite.experimental.Analyzer`)."""

    @staticmethod
    def analyze(
        model_path: str | None = None,
        model_content: bytes | None = None,
        gpu_compatibility: bool = False,
        **kwargs: Any,
    ) -> None:
        """Prints the operators, tensors, signatures and sizes of a file, as TensorFlow does.

        Args:
            model_path: the file.
            model_content: its content, instead.
            gpu_compatibility: tell whether a GPU delegate can run it, too.
            **kwargs: ``experimental_use_mlir`` prints the MLIR form instead.

        Raises:
            ValueError: without a file.
            ImportError: if the ``export`` extra is not installed.
        """
        from export import client

        if not model_path and not model_content:
            raise ValueError("neither `model_path` nor `model_content` is provided")
        with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
            if not model_path:
                file.write(model_content or b"")
                file.flush()
            text = client.call(
                "analyze",
                file=os.path.abspath(model_path or file.name),
                by_name=bool(model_path),
                gpu_compatibility=bool(gpu_compatibility),
                settings=kwargs,
            )
        print(text, end="")


class _Experimental(SimpleNamespace):
    """`tf.lite.experimental`."""

    def __getattr__(self, name: str):
        raise absent.error_for(f"lite.experimental.{name}")

    @property
    def OpResolverType(self):
        return _litert().OpResolverType


experimental = _Experimental(
    Analyzer=Analyzer, load_delegate=load_delegate, GPUDelegateOptions=GPUDelegateOptions
)

__all__ = [
    "Interpreter",  # noqa: F822  (made on first use)
    "InterpreterOptions",
    "OpsSet",
    "Optimize",
    "RepresentativeDataset",
    "TFLiteConverter",
    "TargetSpec",
    "experimental",
]


def __getattr__(name: str):
    if name == "Interpreter":
        globals()[name] = _interpreter_class()
        return globals()[name]
    raise absent.error_for(f"lite.{name}")


def __dir__() -> list[str]:
    return __all__
