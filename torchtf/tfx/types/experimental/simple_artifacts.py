"""`tfx.types.experimental.simple_artifacts`: artifacts without properties."""

from torchtf.tfx.types.artifact import Artifact


class Dataset(Artifact):
    """Data of any form."""

    TYPE_NAME = "Dataset"


class File(Artifact):
    """A file."""

    TYPE_NAME = "File"


class Statistics(Artifact):
    """Statistics of data."""

    TYPE_NAME = "Statistics"


class Metrics(Artifact):
    """Metrics of a model."""

    TYPE_NAME = "Metrics"
