"""The configuration files of the server: text protos, read and checked."""

from __future__ import annotations

import os

from google.protobuf import text_format

from torchtf.core import errors
from torchtf.core.proto_files import define
from torchtf.tensorflow_serving.config import (
    model_server_config_pb2,
    monitoring_config_pb2,
    ssl_config_pb2,
)

PLATFORM = "tensorflow"


def _batching_parameters() -> type:
    from google.protobuf import wrappers_pb2

    scope: dict = {}
    number, truth = ".google.protobuf.Int64Value", ".google.protobuf.BoolValue"
    define(
        f"{__name__}.batching",
        scope,
        "torchtf.tensorflow.serving",
        {
            "BatchingParameters": {
                1: ("max_batch_size", number),
                2: ("batch_timeout_micros", number),
                3: ("max_enqueued_batches", number),
                4: ("num_batch_threads", number),
                5: ("thread_pool_name", ".google.protobuf.StringValue"),
                6: ("allowed_batch_sizes", "*int64"),
                7: ("pad_variable_length_inputs", "bool"),
                8: ("enable_large_batch_splitting", truth),
                9: ("max_execution_batch_size", number),
            },
        },
        uses=[wrappers_pb2],
    )
    return scope["BatchingParameters"]


BatchingParameters = _batching_parameters()


def invalid(message: str) -> errors.OpError:
    """The error of a wrong request or file."""
    return errors.InvalidArgumentError(None, None, message)


def _read(path: str, kind: type):
    """The message in a text file.

    Raises:
        tf.errors.InvalidArgumentError: if it does not parse; the message names place and field.
        tf.errors.NotFoundError: if there is no such file.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return text_format.Parse(file.read(), kind())
    except text_format.ParseError as error:
        name = kind.DESCRIPTOR.name  # type: ignore[attr-defined]
        raise invalid(f"{path} is no {name} text proto: {error}") from error
    except OSError as error:
        raise errors.NotFoundError(None, None, f"{path}: {error.strerror}") from error


def read_models(path: str):
    """The `ModelServerConfig` in a file."""
    return _read(path, model_server_config_pb2.ModelServerConfig)


def read_batching(path: str):
    """The `BatchingParameters` in a file, checked."""
    parameters = _read(path, BatchingParameters)
    check_batching(parameters)
    return parameters


def read_ssl(path: str):
    """The `SSLConfig` in a file."""
    return _read(path, ssl_config_pb2.SSLConfig)


def read_monitoring(path: str):
    """The `MonitoringConfig` in a file."""
    return _read(path, monitoring_config_pb2.MonitoringConfig)


def check_batching(p) -> None:
    """Raises InvalidArgumentError, naming the field, for parameters that make no sense."""
    for name, least in (
        ("max_batch_size", 1),
        ("batch_timeout_micros", 0),
        ("max_enqueued_batches", 1),
        ("num_batch_threads", 1),
        ("max_execution_batch_size", 1),
    ):
        if p.HasField(name) and getattr(p, name).value < least:
            raise invalid(f"{name} must be at least {least}; was {getattr(p, name).value}")
    sizes = list(p.allowed_batch_sizes)
    if sizes != sorted(set(sizes)) or (sizes and sizes[0] < 1):
        raise invalid(f"allowed_batch_sizes must be positive and in increasing order; was {sizes}")
    largest = p.max_batch_size.value if p.HasField("max_batch_size") else 1000
    splits = p.enable_large_batch_splitting.value
    if p.HasField("max_execution_batch_size"):
        if not splits:
            raise invalid("max_execution_batch_size is set without enable_large_batch_splitting")
        if p.max_execution_batch_size.value > largest:
            raise invalid(
                f"max_execution_batch_size must not be greater than max_batch_size; was "
                f"{p.max_execution_batch_size.value} and {largest}"
            )
        largest = p.max_execution_batch_size.value
    if sizes and sizes[-1] != largest:
        raise invalid(
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
            f"{sizes[-1]}; expected {largest}"
        )


def single_model(name: str, base_path: str):
    """The `ModelServerConfig` of one model."""
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=base_path, model_platform=PLATFORM)
    return config


def check_models(config) -> list:
    """The `ModelConfig`s of a `ModelServerConfig`.

    Raises:
        tf.errors.InvalidArgumentError: naming model and field, for what cannot be served.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise invalid(
            "Invalid ServerModelConfig: it has no model_config_list"
            if config.WhichOneof("config") is None
            else "custom_model_config is not supported; use model_config_list"
        )
    models = list(config.model_config_list.config)
    names = [m.name for m in models]
    for model in models:
        if not model.name:
            raise invalid("a model in model_config_list has no name")
        if names.count(model.name) > 1:
            raise invalid(f"Illegal to list model {model.name} multiple times in config list")
        if not os.path.isabs(model.base_path):
            raise invalid(
                f"Expected model {model.name} to have an absolute path or URI; got "
                f"base_path()={model.base_path}"
            )
        _check_platform(model)
        if model.HasField("logging_config"):
            raise invalid(f"model {model.name}: logging_config is not supported; leave it out")
    return models


def _check_platform(model) -> None:
    if model.model_type and model.model_platform:
        raise invalid(
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            f"ModelServerConfig::model_platform, model name is {model.name}"
        )
    if not model.model_type and not model.model_platform:
        raise invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            f"ModelServerConfig::model_platform, model name is {model.name}"
        )
    if model.model_type not in (0, 1) or model.model_platform not in ("", PLATFORM):
        what = model.model_platform or f"model_type {model.model_type}"
        raise invalid(f"Model {model.name} requests unsupported platform {what}")
