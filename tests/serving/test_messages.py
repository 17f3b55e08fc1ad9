"""The messages of the model server against those of TensorFlow and tensorflow-serving-api, which are
loaded in the same process.
"""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import torchtf as tf
from torchtf.core import proto_types
from torchtf.serving import _config

_MODULES = [
    *(f"apis.{name}" for name in (
        "classification_pb2", "get_model_metadata_pb2", "get_model_status_pb2", "inference_pb2",
        "input_pb2", "model_management_pb2", "model_pb2", "predict_pb2", "regression_pb2",
        "status_pb2",
    )),
    *(f"config.{name}" for name in (
        "file_system_storage_path_source_pb2", "log_collector_config_pb2", "logging_config_pb2",
        "model_server_config_pb2",
    )),
]  # fmt: skip


def described(message) -> dict:
    """The fields of a message by number, with those of inner messages; what a wire tells, and JSON."""

    def name(descriptor):
        full = descriptor.full_name.removeprefix("torchtf.")
        # the codes are an enum of TensorFlow's own
        return full.rpartition(".")[2] if full.endswith("Code") else full.replace(
            "tensorboard.", "tensorflow."
        )  # fmt: skip

    found = {}
    for field in message.fields:
        kind = field.message_type or field.enum_type
        found[field.number] = (
            field.name, field.type, field.is_repeated,
            name(kind) if kind is not None else None,
            field.containing_oneof.name if field.containing_oneof else None,
        )  # fmt: skip
        if field.enum_type is not None and not name(kind).endswith("Code"):
            found[field.name] = sorted(field.enum_type.values_by_name)
    return found | {inner.name: described(inner) for inner in message.nested_types}


@pytest.mark.parametrize("name", _MODULES)
def test_messages_are_those_of_tensorflow_serving(name):
    ours = importlib.import_module(f"torchtf.tensorflow_serving.{name}")
    theirs = importlib.import_module(f"tensorflow_serving.{name}")
    for key, message in theirs.DESCRIPTOR.message_types_by_name.items():
        want, got = described(message), described(getattr(ours, key).DESCRIPTOR)
        if key == "PredictRequest":  # options for servers that are one model together
            del want[7], want["RequestOptions"]
        assert got == want, key


def test_examples_are_those_of_tensorflow():
    from tensorflow.core.example import example_pb2, feature_pb2

    for key in ("Example", "SequenceExample", "Feature", "Features", "FeatureLists"):
        theirs = getattr(example_pb2, key, None) or getattr(feature_pb2, key)
        assert described(getattr(proto_types, key).DESCRIPTOR) == described(theirs.DESCRIPTOR)


def test_requests_travel_between_the_two():
    from tensorflow_serving.apis import predict_pb2 as theirs

    from torchtf.tensorflow_serving.apis import predict_pb2 as ours

    request = ours.PredictRequest()
    request.model_spec.version.value = 3
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32([[1, 2]])))
    request.inputs["s"].CopyFrom(tf.make_tensor_proto([b"\xff"]))
    there = theirs.PredictRequest.FromString(request.SerializeToString())
    assert there.model_spec.version.value == 3 and there.inputs["s"].string_val == [b"\xff"]
    assert ours.PredictRequest.FromString(there.SerializeToString()) == request


def test_batching_parameters_are_those_of_the_documentation():
    assert {f.number: f.name for f in _config.BatchingParameters.DESCRIPTOR.fields} == {
        1: "max_batch_size", 2: "batch_timeout_micros", 3: "max_enqueued_batches",
        4: "num_batch_threads", 5: "thread_pool_name", 6: "allowed_batch_sizes",
        7: "pad_variable_length_inputs", 8: "enable_large_batch_splitting",
        9: "max_execution_batch_size",
    }  # fmt: skip
