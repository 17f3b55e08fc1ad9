"""`Trainer`: trains a model with the user's `run_fn`."""

from __future__ import annotations

import json
import os
from typing import Any

from torchtf.tfx.components._user_code import check_module_file
from torchtf.tfx.components.trainer.executor import GenericExecutor
from torchtf.tfx.dsl.components.base.base_component import BaseComponent
from torchtf.tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from torchtf.tfx.proto import trainer_pb2
from torchtf.tfx.types import standard_artifacts
from torchtf.tfx.types.channel import BaseChannel
from torchtf.tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from torchtf.tfx.types.standard_annotations import Train


class TrainerSpec(ComponentSpec):
    """What Trainer takes."""

    PARAMETERS = {
        "train_args": ExecutionParameter(type=trainer_pb2.TrainArgs),
        "eval_args": ExecutionParameter(type=trainer_pb2.EvalArgs),
        "module_file": ExecutionParameter(type=str, optional=True),
        "run_fn": ExecutionParameter(type=str, optional=True),
        "custom_config": ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph, optional=True),
        "schema": ChannelParameter(type=standard_artifacts.Schema, optional=True),
        "base_model": ChannelParameter(type=standard_artifacts.Model, optional=True),
        "hyperparameters": ChannelParameter(type=standard_artifacts.HyperParameters, optional=True),
    }
    OUTPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
    }
    TYPE_ANNOTATION = Train


class Trainer(BaseComponent):
    """Trains a model with the user's ``run_fn(fn_args)`` (source: `tfx.components.Trainer`).

    Args:
        examples: a channel of `Examples`, perhaps transformed ones.
        transformed_examples: the old name of `examples`; with it `transform_graph` is needed.
        transform_graph: a channel of what Transform made.
        schema: a channel of the `Schema`.
        base_model: a channel of a `Model` to begin with.
        hyperparameters: a channel of `HyperParameters`.
        module_file: a Python file with ``run_fn``, which saves a model in
            `FnArgs.serving_model_dir`.
        run_fn: or the path of such a function, ``package.module.function``.
        train_args, eval_args: `tfx.proto.TrainArgs` and `EvalArgs`: the splits, by default
            ``train`` and ``eval``, and the numbers of steps.
        custom_config: a dict that `run_fn` gets.
        custom_executor_spec: another executor.

    Raises:
        ValueError: for both or neither of `module_file` and `run_fn`, or of `examples` and
            `transformed_examples`, or a module file that is not there.

    Raises when it runs:
        AttributeError: if the module has no ``run_fn``.
        ValueError: for a split that the examples do not have.
        RuntimeError: if ``run_fn`` saved no model.
    """

    SPEC_CLASS = TrainerSpec
    EXECUTOR_SPEC = ExecutorClassSpec(GenericExecutor)

    def __init__(
        self,
        examples: BaseChannel | None = None,
        transformed_examples: BaseChannel | None = None,
        transform_graph: BaseChannel | None = None,
        schema: BaseChannel | None = None,
        base_model: BaseChannel | None = None,
        hyperparameters: BaseChannel | None = None,
        module_file: str | None = None,
        run_fn: str | None = None,
        train_args: trainer_pb2.TrainArgs | None = None,
        eval_args: trainer_pb2.EvalArgs | None = None,
        custom_config: dict[str, Any] | None = None,
        custom_executor_spec=None,
    ):
        if bool(module_file) == bool(run_fn):
            raise ValueError("Exactly one of 'module_file', or 'run_fn' must be supplied.")
        if bool(examples) == bool(transformed_examples):
            raise ValueError("Exactly one of 'example' or 'transformed_example' must be supplied.")
        if transformed_examples and not transform_graph:
            raise ValueError(
                "If 'transformed_examples' is supplied, 'transform_graph' must be supplied too."
            )
        spec = TrainerSpec(
            examples=examples or transformed_examples,
            transform_graph=transform_graph,
            schema=schema,
            base_model=base_model,
            hyperparameters=hyperparameters,
            train_args=train_args or trainer_pb2.TrainArgs(),
            eval_args=eval_args or trainer_pb2.EvalArgs(),
            module_file=None if module_file is None else os.fspath(module_file),
            run_fn=run_fn,
            custom_config=json.dumps(custom_config),
        )
        super().__init__(spec=spec, custom_executor_spec=custom_executor_spec)

    def check(self) -> None:
        check_module_file(self, self.exec_properties.get("module_file"))
