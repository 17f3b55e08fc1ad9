"""What ML Metadata knows artifacts and executions as, whatever a pipeline calls them."""

from torchtf.ml_metadata.proto import metadata_store_pb2 as pb


class SystemArtifact:
    """The base class of kinds of artifacts."""

    MLMD_SYSTEM_BASE_TYPE: int | None = None


class Dataset(SystemArtifact):
    """Examples."""

    MLMD_SYSTEM_BASE_TYPE = pb.ArtifactType.DATASET


class Model(SystemArtifact):
    """A model."""

    MLMD_SYSTEM_BASE_TYPE = pb.ArtifactType.MODEL


class Statistics(SystemArtifact):
    """Statistics of examples."""

    MLMD_SYSTEM_BASE_TYPE = pb.ArtifactType.STATISTICS


class Metrics(SystemArtifact):
    """Metrics of a model."""

    MLMD_SYSTEM_BASE_TYPE = pb.ArtifactType.METRICS


class SystemExecution:
    """The base class of kinds of executions."""

    MLMD_SYSTEM_BASE_TYPE: int | None = None


class Train(SystemExecution):
    """Trains a model."""

    MLMD_SYSTEM_BASE_TYPE = pb.ExecutionType.TRAIN


class Transform(SystemExecution):
    """Transforms examples."""

    MLMD_SYSTEM_BASE_TYPE = pb.ExecutionType.TRANSFORM


class Process(SystemExecution):
    """Does anything else."""

    MLMD_SYSTEM_BASE_TYPE = pb.ExecutionType.PROCESS


class Evaluate(SystemExecution):
    """Evaluates a model."""

    MLMD_SYSTEM_BASE_TYPE = pb.ExecutionType.EVALUATE


class Deploy(SystemExecution):
    """Deploys a model."""

    MLMD_SYSTEM_BASE_TYPE = pb.ExecutionType.DEPLOY
