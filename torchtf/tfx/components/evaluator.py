"""`Evaluator`: metrics of a model, and whether it is good enough to be pushed."""

from __future__ import annotations

import json
import os

from absl import logging

from torchtf import tensorflow_model_analysis as tfma
from torchtf.core.files import write_atomically
from torchtf.tensorflow_model_analysis._evaluate import evaluate
from torchtf.tfx.components import _examples
from torchtf.tfx.components._messages import message, names
from torchtf.tfx.components.trainer.executor import SERVING_MODEL_DIR
from torchtf.tfx.dsl.components.base.base_component import BaseComponent
from torchtf.tfx.dsl.components.base.base_executor import BaseExecutor
from torchtf.tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from torchtf.tfx.types import standard_artifacts
from torchtf.tfx.types.channel import BaseChannel
from torchtf.tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from torchtf.tfx.types.standard_annotations import Evaluate
from torchtf.tfx_bsl._records import records


class EvaluatorSpec(ComponentSpec):
    """What Evaluator takes."""

    PARAMETERS = {
        "eval_config": ExecutionParameter(type=tfma.EvalConfig),
        "example_splits": ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model, optional=True),
        "baseline_model": ChannelParameter(type=standard_artifacts.Model, optional=True),
        "schema": ChannelParameter(type=standard_artifacts.Schema, optional=True),
    }
    OUTPUTS = {
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    TYPE_ANNOTATION = Evaluate


class Executor(BaseExecutor):
    """Evaluates, and blesses the model or not."""

    def Do(self, input_dict, output_dict, exec_properties) -> None:
        config = message(exec_properties, "eval_config", tfma.EvalConfig)
        if len(config.model_specs) > 2:
            raise ValueError(
                f"Cannot support more than two models. There are {len(config.model_specs)} models "
                "in this eval_config."
            )
        models = self._models(input_dict, config)
        splits = names(exec_properties, "example_splits") or ["eval"]
        files = [
            path
            for artifact in input_dict["examples"]
            for split in splits
            for path in _examples.files_of(artifact, split)
        ]
        folder = _examples.only(output_dict["evaluation"]).uri
        logging.info("Evaluating model.")
        result = evaluate(models, config, records(files), folder, rubber_stamp=True)
        logging.info("Evaluation complete. Results written to %s.", folder)
        if not tfma.has_thresholds(config):
            logging.info("No threshold configured, will not validate model.")
            return
        self._bless(input_dict, _examples.only(output_dict["blessing"]), result.validation_ok)

    @staticmethod
    def _models(input_dict, config: tfma.EvalConfig) -> list[tfma.EvalSharedModel]:
        def shared(artifacts, name: str) -> tfma.EvalSharedModel:
            path = os.path.join(_examples.only(artifacts).uri, SERVING_MODEL_DIR)
            return tfma.EvalSharedModel(path, name)

        if not input_dict.get("model"):
            return []
        named = {s.is_baseline: s.name for s in config.model_specs if s.name}
        both = bool(input_dict.get("baseline_model"))
        models = [shared(input_dict["model"], named.get(False, tfma.CANDIDATE_KEY))]
        if both:
            name = named.get(True, tfma.BASELINE_KEY)
            models.append(shared(input_dict["baseline_model"], name))
        return models

    def _bless(self, input_dict, blessing, good: bool) -> None:
        for which, key in (("current", "model"), ("baseline", "baseline_model")):
            if input_dict.get(key):
                model = _examples.only(input_dict[key])
                blessing.set_string_custom_property(f"{which}_model", model.uri)
                blessing.set_int_custom_property(f"{which}_model_id", model.id)
        blessing.set_string_custom_property("component_id", self._context.node_id)
        name = "BLESSED" if good else "NOT_BLESSED"
        write_atomically(os.path.join(blessing.uri, name), b"")
        blessing.set_int_custom_property("blessed", int(good))
        logging.info("Blessing result %s written to %s.", good, blessing.uri)


class Evaluator(BaseComponent):
    """Metrics of a model over slices of examples, and whether they keep to thresholds (source:
    `tfx.components.Evaluator`).

    The output `blessing` has a file ``BLESSED`` or ``NOT_BLESSED``; neither without thresholds.

    Args:
        examples: a channel of `Examples`.
        model: a channel of a `Model`.
        baseline_model: a channel of a model to compare with. Where it has none (the first time),
            thresholds of changes do not count.
        eval_config: `tfma.EvalConfig`.
        example_splits: the splits to evaluate; by default ``eval``.
        schema: a channel of the `Schema`; ignored, since the examples tell what they hold.

    Raises:
        ValueError: without `eval_config`, or, when it runs, for labels, splits, signatures or
            metrics that are not there.
        NotImplementedError: for module files, and slicing without `eval_config`.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel,
        model: BaseChannel | None = None,
        baseline_model: BaseChannel | None = None,
        feature_slicing_spec=None,
        fairness_indicator_thresholds=None,
        example_splits: list[str] | None = None,
        eval_config: tfma.EvalConfig | None = None,
        schema: BaseChannel | None = None,
        module_file: str | None = None,
        module_path: str | None = None,
    ):
        if eval_config is not None and feature_slicing_spec is not None:
            raise ValueError("Exactly one of eval_config or feature_slicing_spec must be supplied.")
        if feature_slicing_spec is not None:
            raise NotImplementedError(
                "Evaluator(feature_slicing_spec=...) is for estimators: use eval_config with "
                "slicing_specs"
            )
        if eval_config is None:
            raise ValueError("Evaluator needs an eval_config.")
        if fairness_indicator_thresholds is not None:
            raise NotImplementedError(
                "Evaluator(fairness_indicator_thresholds=...): put the metrics into eval_config"
            )
        if module_file or module_path:
            raise NotImplementedError(
                "Evaluator(module_file=...) is not supported: name a metric of your own in "
                "eval_config, MetricConfig(module='my_module', class_name='MyMetric')"
            )
        spec = EvaluatorSpec(
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            schema=schema,
            eval_config=eval_config,
            example_splits=json.dumps(example_splits),
        )
        super().__init__(spec=spec)
