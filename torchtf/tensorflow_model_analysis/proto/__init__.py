"""`tensorflow_model_analysis.proto`: what to evaluate, and what came of it."""

from torchtf.tensorflow_model_analysis.proto import (
    config_pb2,
    metrics_for_slice_pb2,
    validation_result_pb2,
)

__all__ = ["config_pb2", "metrics_for_slice_pb2", "validation_result_pb2"]
