"""`tfx.proto`: the messages that configure components."""

from torchtf.tfx.proto.bulk_inferrer_pb2 import (
    ClassifyOutput,
    DataSpec,
    ModelSpec,
    OutputColumnsSpec,
    OutputExampleSpec,
    PredictOutput,
    PredictOutputCol,
    RegressOutput,
)
from torchtf.tfx.proto.evaluator_pb2 import FeatureSlicingSpec, SingleSlicingSpec
from torchtf.tfx.proto.example_gen_pb2 import (
    CustomConfig,
    Input,
    Output,
    PayloadFormat,
    SplitConfig,
)
from torchtf.tfx.proto.infra_validator_pb2 import (
    EnvVar,
    EnvVarSource,
    KubernetesConfig,
    LocalDockerConfig,
    PodOverrides,
    RequestSpec,
    SecretKeySelector,
    ServingSpec,
    TensorFlowServing,
    TensorFlowServingRequestSpec,
    ValidationSpec,
)
from torchtf.tfx.proto.pusher_pb2 import PushDestination, Versioning
from torchtf.tfx.proto.range_config_pb2 import RangeConfig, RollingRange, StaticRange
from torchtf.tfx.proto.trainer_pb2 import EvalArgs, TrainArgs
from torchtf.tfx.proto.transform_pb2 import SplitsConfig
from torchtf.tfx.proto.tuner_pb2 import TuneArgs

__all__ = [
    "ClassifyOutput", "CustomConfig", "DataSpec", "EnvVar", "EnvVarSource", "EvalArgs",
    "FeatureSlicingSpec", "Input", "KubernetesConfig", "LocalDockerConfig", "ModelSpec", "Output",
    "OutputColumnsSpec", "OutputExampleSpec", "PayloadFormat", "PodOverrides", "PredictOutput",
    "PredictOutputCol", "PushDestination", "RangeConfig", "RegressOutput", "RequestSpec",
    "RollingRange", "SecretKeySelector", "ServingSpec", "SingleSlicingSpec", "SplitConfig",
    "SplitsConfig", "StaticRange", "TensorFlowServing", "TensorFlowServingRequestSpec",
    "TrainArgs", "TuneArgs", "ValidationSpec", "Versioning",
]  # fmt: skip
