"""The executor of Trainer: calls the user's `run_fn`."""

from __future__ import annotations

import json
import os

from absl import logging

from torchtf.tfx.components import _examples
from torchtf.tfx.components._messages import message
from torchtf.tfx.components._user_code import siblings_importable, user_function
from torchtf.tfx.components.statistics_gen import SCHEMA_FILE
from torchtf.tfx.components.trainer.fn_args_utils import ACCESSOR, FnArgs
from torchtf.tfx.dsl.components.base.base_executor import BaseExecutor
from torchtf.tfx.proto import trainer_pb2

SERVING_MODEL_DIR = "Format-Serving"
EVAL_MODEL_DIR = "Format-TFMA"

TrainerFnArgs = FnArgs


class GenericExecutor(BaseExecutor):
    """Calls `run_fn` (source: TFX's GenericExecutor)."""

    def Do(self, input_dict, output_dict, exec_properties) -> None:
        arguments = self._arguments(input_dict, output_dict, exec_properties)
        with siblings_importable(exec_properties):
            run_fn = user_function(exec_properties, "run_fn")
            logging.info("Training model.")
            run_fn(arguments)
        if not os.path.exists(arguments.serving_model_dir):
            raise RuntimeError("run_fn failed to generate model.")
        logging.info(
            "Training complete. Model written to %s. ModelRun written to %s",
            arguments.serving_model_dir, arguments.model_run_dir,
        )  # fmt: skip

    @staticmethod
    def _arguments(input_dict, output_dict, exec_properties) -> FnArgs:
        def folder(name: str) -> str | None:
            found = input_dict.get(name)
            return _examples.only(found).uri if found else None

        def files(splits: list[str]) -> list[str]:
            return [
                os.path.join(_examples.split_folder(artifact, split), "*")
                for split in splits
                for artifact in input_dict["examples"]
            ]

        train = message(exec_properties, "train_args", trainer_pb2.TrainArgs)
        evaluation = message(exec_properties, "eval_args", trainer_pb2.EvalArgs)
        config = json.loads(exec_properties.get("custom_config") or "null")
        if config is not None and not isinstance(config, dict):
            raise ValueError("custom_config in execution properties needs to be a dict. Got "
                             f"{type(config)} instead.")  # fmt: skip
        schema, base = folder("schema"), folder("base_model")
        schema_path = None if schema is None else os.path.join(schema, SCHEMA_FILE)
        hyperparameters = None
        if folder("hyperparameters"):
            (name,) = os.listdir(folder("hyperparameters"))
            with open(os.path.join(folder("hyperparameters"), name), encoding="utf-8") as f:
                hyperparameters = json.load(f)
        model = _examples.only(output_dict["model"]).uri
        return FnArgs(
            train_files=files(list(train.splits) or ["train"]),
            eval_files=files(list(evaluation.splits) or ["eval"]),
            train_steps=train.num_steps or None,
            eval_steps=evaluation.num_steps or None,
            schema_path=schema_path,
            schema_file=schema_path,
            transform_graph_path=folder("transform_graph"),
            transform_output=folder("transform_graph"),
            data_accessor=ACCESSOR,
            serving_model_dir=os.path.join(model, SERVING_MODEL_DIR),
            eval_model_dir=os.path.join(model, EVAL_MODEL_DIR),
            model_run_dir=_examples.only(output_dict["model_run"]).uri,
            base_model=None if base is None else os.path.join(base, SERVING_MODEL_DIR),
            hyperparameters=hyperparameters,
            custom_config=config,
        )
