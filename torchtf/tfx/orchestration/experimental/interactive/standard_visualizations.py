"""How the artifacts of TFX's own components are displayed."""

from __future__ import annotations

import os

from torchtf.tfx.orchestration.experimental.interactive import visualizations
from torchtf.tfx.types import standard_artifacts


class _OfSplits(visualizations.ArtifactVisualization):
    """Displays each split."""

    def display(self, artifact) -> None:
        for split in artifact.splits:
            print(f"'{split}' split:")
            self._display(artifact.path(split=split))

    def _display(self, folder: str) -> None:
        raise NotImplementedError


class ExampleStatisticsVisualization(_OfSplits):
    """Tables of statistics."""

    ARTIFACT_TYPE = standard_artifacts.ExampleStatistics

    def _display(self, folder: str) -> None:
        from torchtf import tensorflow_data_validation as tfdv

        stats = tfdv.load_stats_binary(os.path.join(folder, "FeatureStats.pb"))
        tfdv.visualize_statistics(stats)


class ExampleAnomaliesVisualization(_OfSplits):
    """Tables of anomalies."""

    ARTIFACT_TYPE = standard_artifacts.ExampleAnomalies

    def _display(self, folder: str) -> None:
        from torchtf import tensorflow_data_validation as tfdv

        tfdv.display_anomalies(tfdv.load_anomalies_binary(os.path.join(folder, "SchemaDiff.pb")))


class SchemaVisualization(visualizations.ArtifactVisualization):
    """Tables of a schema."""

    ARTIFACT_TYPE = standard_artifacts.Schema

    def display(self, artifact) -> None:
        from torchtf import tensorflow_data_validation as tfdv

        tfdv.display_schema(tfdv.load_schema_text(os.path.join(artifact.uri, "schema.pbtxt")))


class ModelEvaluationVisualization(visualizations.ArtifactVisualization):
    """Tables of metrics."""

    ARTIFACT_TYPE = standard_artifacts.ModelEvaluation

    def display(self, artifact) -> None:
        from torchtf import tensorflow_model_analysis as tfma

        tfma.view.render_slicing_metrics(tfma.load_eval_result(artifact.uri))


def register_standard_visualizations() -> None:
    """Adds them to the registry."""
    for kind in (
        ExampleAnomaliesVisualization,
        ExampleStatisticsVisualization,
        ModelEvaluationVisualization,
        SchemaVisualization,
    ):
        visualizations.register(kind)
