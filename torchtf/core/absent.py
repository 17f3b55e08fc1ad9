"""Public names of TensorFlow that torchtf does not have, and why.

`torchtf.__getattr__` raises `AbsentError` for them, which is an AttributeError (so that `hasattr`
and libraries that look around are content) and a NotImplementedError (so that a program can tell
that the name exists in TensorFlow). `docs/api_coverage.md` gives the same reasons.
"""

from __future__ import annotations


class AbsentError(AttributeError, NotImplementedError):
    """A name of TensorFlow that is not supported."""


_SESSIONS = "it belongs to TF 1 graphs and sessions; eager code and tf.function replace them"
_PREEMPTION = "use torchrun --max-restarts with tf.keras.callbacks.BackupAndRestore"
_CPP = "C++ ops of TensorFlow do not run here; register ops with torch.library"

# dotted name below `tf`, or a namespace, -> the reason and a way round
REASONS = {
    "RegisterGradient": "it is for C++ ops; use tf.custom_gradient",
    "app": "it left TensorFlow with version 2; use absl.app",
    "compat.v1": _SESSIONS,
    "config.experimental.disable_mlir_bridge": "there is no MLIR bridge to switch off",
    "config.experimental.enable_mlir_bridge": "there is no MLIR bridge; see jit_compile",
    "contrib": "it left TensorFlow with version 2",
    "data.experimental.from_variant": "datasets have no variant tensors here; pass the dataset",
    "data.experimental.make_saveable_from_iterator": "give the iterator to tf.train.Checkpoint",
    "data.experimental.to_variant": "datasets have no variant tensors here; pass the dataset",
    "distribute.Strategy": "it belongs to TF 1; use scope, run and experimental_local_results",
    "distribute.cluster_resolver.KubernetesExecutableLocation": "no cluster is asked for its tasks",
    "distribute.experimental.PreemptionCheckpointHandler": _PREEMPTION,
    "distribute.experimental.PreemptionWatcher": _PREEMPTION,
    "distribute.experimental.TerminationConfig": _PREEMPTION,
    "distribute.experimental.rpc": "use torch.distributed.rpc",
    "dtensor": "its public part is tf.experimental.dtensor",
    "estimator": "it left TensorFlow with version 2.16; use Keras",
    "experimental.StructuredTensor": "use a dict of ragged tensors",
    "experimental.register_filesystem_plugin": "use fsspec, or Python files",
    "experimental.tensorrt": "use Torch-TensorRT on the exported module",
    "flags": "it left TensorFlow with version 2; use absl.flags",
    "gfile": "it is tf.io.gfile since version 2",
    "global_variables_initializer": _SESSIONS,
    "graph_util": _SESSIONS,
    "import_graph_def": _SESSIONS,
    "lite.TFLiteConverter.experimental_from_jax": "convert by jax2tf; see from_concrete_functions",
    "lite.experimental.QuantizationDebugOptions": "export reports the error of each layer",
    "lite.experimental.QuantizationDebugger": "export reports the error of each layer",
    "lite.experimental.authoring": "export tells which operators have no TFLite form",
    "layers": "it is tf.keras.layers since version 2",
    "load_library": _CPP,
    "load_op_library": _CPP,
    "logging": "use Python's logging, or tf.get_logger()",
    "mlir": "it is TensorFlow's compiler; torch.fx shows the graph of a ConcreteFunction",
    "no_gradient": "it is for C++ ops; use tf.stop_gradient",
    "nondifferentiable_batch_function": "it batches requests in a server; TF Serving does that",
    "check_pinned": "it is a check within TensorFlow's runtime",
    "placeholder": _SESSIONS,
    "quantization.experimental": "export quantizes SavedModels; see tf.lite.TFLiteConverter",
    "raw_ops": "it belongs to TensorFlow's runtime; use tf's public functions",
    "reset_default_graph": _SESSIONS,
    "Tensor.name": "it is undefined for eager tensors; tensors of a graph have it",
    "Session": _SESSIONS,
    "tpu": "TPUs are reached through torch_xla",
    "test.benchmark_config": "it configures a session",
    "types.experimental.distributed.Mirrored": "values of replicas are PerReplica",
    "train.experimental": "checkpoints are written in one piece",
}


def error_for(name: str) -> AttributeError:
    """The error for a dotted name that is not there."""
    reason = reason_for(name)
    if reason is None:
        namespace, _, attribute = f"torchtf.{name}".rpartition(".")
        return AttributeError(f"module {namespace!r} has no attribute {attribute!r}")
    return AbsentError(f"tf.{name} is not supported: {reason}.")


def reason_for(name: str) -> str | None:
    """Why a dotted name, or the nearest namespace above it, is absent; None if nothing is known."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        found = REASONS.get(".".join(parts[:end]))
        if found is not None:
            return found
    return None
