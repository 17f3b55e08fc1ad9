"""`Pusher`: puts a model where a model server looks for it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time

from absl import logging

from torchtf.tfx.components import _examples
from torchtf.tfx.components._messages import message
from torchtf.tfx.components.trainer.executor import SERVING_MODEL_DIR
from torchtf.tfx.dsl.components.base.base_component import BaseComponent
from torchtf.tfx.dsl.components.base.base_executor import BaseExecutor
from torchtf.tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from torchtf.tfx.proto import pusher_pb2
from torchtf.tfx.types import standard_artifacts
from torchtf.tfx.types.channel import BaseChannel
from torchtf.tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from torchtf.tfx.types.standard_annotations import Deploy


class PusherSpec(ComponentSpec):
    """What Pusher takes."""

    PARAMETERS = {
        "push_destination": ExecutionParameter(type=pusher_pb2.PushDestination, optional=True),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
    }
    OUTPUTS = {"pushed_model": ChannelParameter(type=standard_artifacts.PushedModel)}
    TYPE_ANNOTATION = Deploy


class Executor(BaseExecutor):
    """Copies the model, if it is blessed."""

    def Do(self, input_dict, output_dict, exec_properties) -> None:
        pushed = _examples.only(output_dict["pushed_model"])
        blessing = input_dict.get("model_blessing")
        if blessing and not _examples.only(blessing).get_int_custom_property("blessed"):
            logging.info("Model on %s was not blessed by model validation", blessing[0].uri)
            pushed.set_int_custom_property("pushed", 0)
            return
        if not blessing:
            logging.warning("Pusher is going to push the model without validation. Consider using "
                            "Evaluator in your pipeline.")  # fmt: skip
        source = os.path.join(_examples.only(input_dict["model"]).uri, SERVING_MODEL_DIR)
        destination = message(exec_properties, "push_destination", pusher_pb2.PushDestination)
        version, target = _copy_as_version(source, destination.filesystem.base_directory)
        shutil.copytree(source, pushed.uri, dirs_exist_ok=True)
        pushed.set_int_custom_property("pushed", 1)
        pushed.set_string_custom_property("pushed_destination", target)
        pushed.set_string_custom_property("pushed_version", version)
        logging.info("Model pushed to %s.", target)


def _copy_as_version(source: str, base: str) -> tuple[str, str]:
    """Copies a model into a folder named after the time, which a server sees whole or not at all.

    Returns:
        The version and its folder.
    """
    os.makedirs(base, exist_ok=True)
    version = str(int(time.time()))
    target = os.path.join(base, version)
    if os.path.exists(target):
        logging.info("Destination directory %s already exists, skipping current push.", target)
        return version, target
    scratch = tempfile.mkdtemp(prefix=".pushing-", dir=base)  # no version: no server looks at it
    try:
        copy = os.path.join(scratch, version)
        shutil.copytree(source, copy)
        os.rename(copy, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return version, target


class Pusher(BaseComponent):
    """Copies a model into a folder whose name is a number, where a model server looks for it
    (source: `tfx.components.Pusher`).

    Args:
        model: a channel of a `Model`.
        model_blessing: a channel of a `ModelBlessing`; a model that is not blessed stays.
        infra_blessing: None: there is no InfraValidator.
        push_destination: `tfx.proto.PushDestination` with a file system.
        custom_config: None.
        custom_executor_spec: another executor, which may push elsewhere.

    Raises:
        ValueError: without a model, or without a destination.
        NotImplementedError: for `infra_blessing` and `custom_config`.
    """

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: BaseChannel | None = None,
        model_blessing: BaseChannel | None = None,
        infra_blessing: BaseChannel | None = None,
        push_destination: pusher_pb2.PushDestination | None = None,
        custom_config: dict | None = None,
        custom_executor_spec=None,
    ):
        if infra_blessing is not None:
            raise NotImplementedError(
                "Pusher(infra_blessing=...): there is no InfraValidator; give model_blessing"
            )
        if custom_config is not None:
            raise NotImplementedError(
                "Pusher(custom_config=...) configures pushers to clouds; use push_destination"
            )
        if model is None:
            raise ValueError("Pusher needs a model.")
        has_place = push_destination is not None and (
            push_destination.filesystem.base_directory != ""
        )
        if not has_place and custom_executor_spec is None:
            raise ValueError(
                "push_destination is required unless a custom_executor_spec is supplied that does "
                "not require it."
            )
        spec = PusherSpec(
            model=model, model_blessing=model_blessing, push_destination=push_destination
        )
        super().__init__(spec=spec, custom_executor_spec=custom_executor_spec)
