"""The flags of the model server, which are those of TensorFlow Serving."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

CPUS = os.cpu_count() or 1


def _flag(default, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass
class Options:
    """What a server is started with; a field for each flag (see ``--help``)."""

    port: int = _flag(8500, "TCP port of gRPC; 0 for none, -1 for any free one")
    grpc_socket_path: str = _flag("", "UNIX socket of gRPC")
    rest_api_port: int = _flag(8501, "TCP port of HTTP/REST; 0 for none, -1 for any free one")
    rest_api_num_threads: int = _flag(
        max(64, 4 * CPUS), "how many REST requests are worked on at once"
    )
    rest_api_timeout_in_ms: int = _flag(30_000, "how long a REST request may take")
    rest_api_enable_cors_support: bool = _flag(False, "send CORS headers")
    grpc_max_threads: int = _flag(max(64, 4 * CPUS), "how many gRPC requests are worked on at once")
    grpc_channel_arguments: str = _flag("", "arguments of the gRPC server: key=value,key=value")
    ssl_config_file: str = _flag("", "an SSLConfig text proto: keys of a secure gRPC port")
    model_name: str = _flag("", "name of the model; $MODEL_NAME by default")
    model_base_path: str = _flag(
        "", "folder of the model's versions; $MODEL_BASE_PATH/$MODEL_NAME by default"
    )
    model_config_file: str = _flag(
        "", "a ModelServerConfig text proto, instead of --model_name and --model_base_path"
    )
    model_config_file_poll_wait_seconds: int = _flag(
        0, "how often that file is read again; 0 for once"
    )
    file_system_poll_wait_seconds: int = _flag(
        1, "how often base paths are searched for versions; 0 for once"
    )
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "let labels name versions that are not available yet"
    )
    max_num_load_retries: int = _flag(5, "how often a version that failed is loaded again")
    load_retry_interval_micros: int = _flag(60_000_000, "the time between two such tries")
    enable_batching: bool = _flag(False, "join requests that come at the same time")
    batching_parameters_file: str = _flag("", "a BatchingParameters text proto")
    monitoring_config_file: str = _flag(
        "", "a MonitoringConfig text proto: whether and where to tell metrics to Prometheus"
    )
    saved_model_tags: str = _flag("serve", "tags of the graph to serve, separated by commas")
    tensorflow_session_parallelism: int = _flag(
        0, "threads of an op, and requests that run at once; 0 for a choice of the server's"
    )
    tensorflow_intra_op_parallelism: int = _flag(0, "threads of an op")
    tensorflow_inter_op_parallelism: int = _flag(0, "requests that run at once")
    enable_signature_method_name_check: bool = _flag(
        False, "let Classify and Regress take only signatures that were made for them"
    )
    enable_serialization_as_tensor_content: bool = _flag(
        False, "put the tensors of Predict responses into tensor_content"
    )


# Flags that change nothing here, and why; the server says so and goes on.
NO_EFFECT = {
    "flush_filesystem_caches": "nothing is read from a model's files after it was loaded",
    "num_load_threads": "versions are loaded one after the other, beside the requests",
    "num_unload_threads": "a version is gone with its last request",
    "remove_unused_fields_from_bundle_metagraph": "a loaded model holds its signatures alone",
    "skip_initialize_tpu": "there is no TPU",
    "enable_profiler": "there is no profiler service; run the server under a profiler of PyTorch",
    "xla_cpu_compilation_enabled": "graphs run in PyTorch; see TORCHTF_JIT",
    "xla_gpu_compilation_enabled": "graphs run in PyTorch; see TORCHTF_JIT",
    "enable_model_warmup": "warm-up requests of a SavedModel are not replayed",
    "num_request_iterations_for_warmup": "warm-up requests of a SavedModel are not replayed",
}
# Flags that a server must not start with.
UNSUPPORTED = {
    "platform_config_file": "use the flags for batching and parallelism",
    "use_alts_credentials": "use --ssl_config_file",
    "tensorflow_session_config_file": "use the flags for parallelism",
    "per_process_gpu_memory_fraction": "use PYTORCH_CUDA_ALLOC_CONF",
    "thread_pool_factory_config_file": "use the flags for parallelism",
    "enable_per_model_batching_parameters": "use --batching_parameters_file",
    "enable_grpc_healthcheck_service": "GetModelStatus tells whether a model is available",
    "prefer_tflite_model": "serve the SavedModel",
    "num_tflite_pools": "serve the SavedModel",
    "num_tflite_interpreters_per_pool": "serve the SavedModel",
    "mixed_precision": "save the model in the precision that it is to have",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def _truth(text: str) -> bool:
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise argparse.ArgumentTypeError(f"must be true or false, not {text!r}")


def parse(
    arguments: Sequence[str], environment: Mapping[str, str] = os.environ
) -> tuple[Options, list[str]]:
    """The options of a command line, and what there is to say about it.

    Raises:
        SystemExit: for flags that do not exist, are not supported, or have a wrong value.
    """
    parser = _Parser(
        prog="python -m torchtf.serving",
        description="Serves SavedModels as TensorFlow Serving does, over gRPC and HTTP/REST.",
        allow_abbrev=False,
    )
    for f in fields(Options):
        if isinstance(f.default, bool):
            kind: dict[str, Any] = {"type": _truth, "nargs": "?", "const": True, "metavar": "BOOL"}
        else:
            kind = {"type": type(f.default), "metavar": "N" if f.type == "int" else "TEXT"}
        text = f.metadata["help"] + (f" (default: {f.default})" if f.default else "")
        parser.add_argument(f"--{f.name}", default=f.default, help=text, **kind)
    parser.add_argument("--version", action="store_true", help="tell the version and end")
    known, rest = parser.parse_known_args(_two_dashes(arguments))
    notes = [_judge(parser, flag) for flag in rest]
    values = vars(known)
    if values.pop("version"):
        import torch

        import torchtf

        parser.exit(
            0, f"torchtf ModelServer: {torchtf.__version__}\nPyTorch: {torch.__version__}\n"
        )
    options = Options(**values)
    if not options.model_config_file:
        _choose_model(options, environment)
    return options, notes


def _two_dashes(arguments: Sequence[str]) -> list[str]:
    """Flags of TensorFlow's programs may have one dash."""
    return [f"-{a}" if a[:1] == "-" and a[1:2].isalpha() and a != "-h" else a for a in arguments]


def _judge(parser, argument: str) -> str:
    """What there is to say about an argument that is no flag of ours; ends the program if bad."""
    name = argument.partition("=")[0].removeprefix("--")
    if not argument.startswith("--"):
        parser.error(f"unexpected argument {argument!r}; flags are given as --name=value")
    if name in UNSUPPORTED:
        parser.error(f"--{name} is not supported: {UNSUPPORTED[name]}")
    if name in NO_EFFECT:
        return f"--{name} has no effect: {NO_EFFECT[name]}"
    names = [f.name for f in fields(Options)]
    near = difflib.get_close_matches(name, names, 1)
    parser.error(
        f"unknown flag --{name}" + (f"; did you mean --{near[0]}?" if near else "; see --help")
    )
    raise AssertionError  # error() has ended the program


def _choose_model(options: Options, environment: Mapping[str, str]) -> None:
    """The model that the Docker image of TensorFlow Serving would serve, where no flag tells."""
    name = environment.get("MODEL_NAME", "")
    if not options.model_base_path:
        root = environment.get("MODEL_BASE_PATH", "/models")
        options.model_base_path = os.path.join(root, name or "model")
        options.model_name = options.model_name or name or "model"
    options.model_name = options.model_name or name or "default"
    options.model_base_path = os.path.abspath(options.model_base_path)
