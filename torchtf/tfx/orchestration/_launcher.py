"""Runs one node of a pipeline: finds its inputs, asks the cache, runs it, keeps the record.

What a node makes lies in ``<root>/<node>/<output>/<execution>/``. A node that fails leaves nothing
there; its execution is in the store as FAILED.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any

from absl import logging

from torchtf.ml_metadata.proto import metadata_store_pb2 as pb
from torchtf.tfx.dsl.components.base.base_component import BaseComponent
from torchtf.tfx.dsl.components.base.base_executor import Context
from torchtf.tfx.dsl.components.base.base_node import BaseNode
from torchtf.tfx.dsl.components.common.importer import Importer
from torchtf.tfx.dsl.components.common.resolver import Resolver
from torchtf.tfx.orchestration.metadata import Metadata
from torchtf.tfx.types.artifact import Artifact, ArtifactState, ValueArtifact
from torchtf.tfx.types.channel import BaseChannel, Channel, OutputChannel
from torchtf.tfx.types.component_spec import RuntimeParameter
from torchtf.tfx.version import __version__

Artifacts = dict[str, list[Artifact]]


@dataclasses.dataclass
class Launched:
    """What running a node gave.

    Attributes:
        execution_id: of the store.
        inputs, outputs: the artifacts.
        exec_properties: the parameters.
        cached: whether the outputs are those of an earlier run.
    """

    execution_id: int
    inputs: Artifacts
    outputs: Artifacts
    exec_properties: dict[str, Any]
    cached: bool = False


class Launcher:
    """Runs the nodes of one run of a pipeline.

    Args:
        metadata: an open store.
        pipeline_name, pipeline_root, run_id: which run of which pipeline.
        enable_cache: whether outputs of an earlier run will do.
    """

    def __init__(
        self,
        metadata: Metadata,
        pipeline_name: str,
        pipeline_root: str,
        run_id: str,
        enable_cache: bool,
    ):
        self._metadata, self._store = metadata, metadata.store
        self._name, self._root, self._run_id = pipeline_name, pipeline_root, run_id
        self.enable_cache = enable_cache
        self._pipeline = self._context("pipeline", pipeline_name)

    def launch(self, node: BaseNode, made: dict[str, Artifacts]) -> Launched:
        """Runs a node.

        Args:
            node: the node.
            made: the outputs of the nodes that ran, by id.

        Raises:
            RuntimeError: if an input that the node needs has no artifact.
            Exception: what its executor raises.
        """
        inputs = {key: self._resolve(value, made) for key, value in node.inputs.items()}
        parameters = {k: _concrete(k, v) for k, v in node.exec_properties.items()}
        if isinstance(node, Resolver):
            return self._launch_resolver(node, inputs, parameters)
        if isinstance(node, Importer):
            return self._launch_importer(node, parameters)
        assert isinstance(node, BaseComponent)
        return self._launch_component(node, inputs, parameters)

    # -- inputs

    def _resolve(self, value: BaseChannel, made: dict[str, Artifacts]) -> list[Artifact]:
        found: list[Artifact] = []
        for channel in value.channels():
            if isinstance(channel, OutputChannel):
                found += made[channel.producer_component.id][channel.output_key]
            else:
                found += channel.get() or self._of_earlier_runs(channel)
        return found

    def _of_earlier_runs(self, channel: Channel) -> list[Artifact]:
        """The artifacts of this pipeline that a channel may mean."""
        found = []
        for artifact in self._store.get_artifacts_by_context(self._pipeline.id):
            if artifact.type != channel.type_name or artifact.state != pb.Artifact.LIVE:
                continue
            producer = artifact.custom_properties["producer_component"].string_value
            if channel.producer_component_id not in (None, producer):
                continue
            if channel.output_key is not None and channel.output_key not in {
                e.path.steps[0].key
                for e in self._store.get_events_by_artifact_ids([artifact.id])
                if e.type == pb.Event.OUTPUT
            }:
                continue
            found.append(artifact)
        return self._metadata.artifacts(found)

    # -- nodes

    def _launch_resolver(self, node: Resolver, inputs: Artifacts, parameters) -> Launched:
        chosen: Artifacts | None = inputs
        if node.strategy is not None:
            chosen = node.strategy.resolve_artifacts(self._store, inputs)
        outputs = {key: (chosen or {}).get(key, []) for key in node.outputs}
        number = self._record(node, {}, outputs, parameters, pb.Execution.CACHED)
        return Launched(number, {}, outputs, parameters)

    def _launch_importer(self, node: Importer, parameters) -> Launched:
        ((key, channel),) = node.outputs.items()
        artifact = self._new_artifact(channel)
        artifact.uri = node.source_uri
        if not node.reimport:
            wanted = artifact.mlmd_artifact
            for old in self._store.get_artifacts_by_uri(node.source_uri):
                custom = dict(old.custom_properties)
                same = all(custom.get(k) == v for k, v in wanted.custom_properties.items())
                if old.type == artifact.type_name and same and (
                    dict(old.properties) == dict(wanted.properties)
                ):  # fmt: skip
                    (artifact,) = self._metadata.artifacts([old])
        outputs = {key: [artifact]}
        number = self._record(node, {}, outputs, parameters, pb.Execution.COMPLETE)
        return Launched(number, {}, outputs, parameters)

    def _launch_component(self, node: BaseComponent, inputs: Artifacts, parameters) -> Launched:
        for key, parameter in node.spec.INPUTS.items():
            if not parameter.optional and not inputs.get(key):
                raise RuntimeError(f"Component {node.id} has no artifact for its input {key!r}.")
        inputs = {k: v for k, v in inputs.items() if v}
        parameters = node.prepare(self._store, parameters)
        cache = self._context("execution_cache", self._digest(node, inputs, parameters))
        if self.enable_cache:
            outputs = self._cached(cache)
            if outputs is not None:
                state = pb.Execution.CACHED
                number = self._record(node, inputs, outputs, parameters, state)
                logging.info("Component %s takes the outputs of an earlier run.", node.id)
                return Launched(number, inputs, outputs, parameters, cached=True)
        number = self._record(node, inputs, {}, parameters, pb.Execution.RUNNING)
        outputs = self._new_outputs(node, number)
        try:
            self._run(node, number, inputs, outputs, parameters)
        except BaseException:
            for path in _folders(outputs):
                shutil.rmtree(path, ignore_errors=True)
            self._finish(number, pb.Execution.FAILED)
            raise
        self._publish(node, number, outputs, cache)
        return Launched(number, inputs, outputs, parameters)

    def _run(self, node: BaseComponent, number: int, inputs, outputs, parameters) -> None:
        for path in _folders(outputs):
            os.makedirs(path, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{node.id}-") as scratch:
            context = Context(scratch, self._root, self._name, self._run_id, node.id, number)
            node.executor(context).Do(inputs, outputs, dict(parameters))

    # -- the record

    def _context(self, type_name: str, name: str) -> pb.Context:
        found = self._store.get_context_by_type_and_name(type_name, name)
        if found is None:
            kind = self._store.put_context_type(pb.ContextType(name=type_name))
            self._store.put_contexts([pb.Context(type_id=kind, name=name)])
            found = self._store.get_context_by_type_and_name(type_name, name)
        return found

    def _contexts(self, node: BaseNode) -> list[pb.Context]:
        return [
            self._pipeline,
            self._context("pipeline_run", self._run_id),
            self._context("node", f"{self._name}.{node.id}"),
        ]

    def _record(
        self, node: BaseNode, inputs: Artifacts, outputs: Artifacts, parameters, state: int
    ) -> int:
        """Writes an execution; gives the artifacts that are new their ids."""
        kind = pb.ExecutionType(name=node.type)
        annotation = getattr(getattr(node, "spec", None), "TYPE_ANNOTATION", None)
        if annotation is not None:
            kind.base_type = annotation.MLMD_SYSTEM_BASE_TYPE
        execution = pb.Execution(
            type_id=self._store.put_execution_type(kind), last_known_state=state
        )
        for name, value in parameters.items():
            _set_value(execution.custom_properties[name], value)
        for artifacts in outputs.values():
            for artifact in artifacts:
                self._describe(artifact, node)
        events = _events(inputs, pb.Event.INPUT) + _events(outputs, pb.Event.OUTPUT)
        number, ids, _ = self._store.put_execution(execution, events, self._contexts(node))
        everything = [a for d in (inputs, outputs) for found in d.values() for a in found]
        for artifact, one in zip(everything, ids, strict=True):
            artifact.id = one
        return number

    def _describe(self, artifact: Artifact, node: BaseNode) -> None:
        """Completes an artifact that is new."""
        if artifact.mlmd_artifact.HasField("id"):
            return
        artifact.set_mlmd_artifact_type(self._registered(artifact))
        artifact.state = ArtifactState.PUBLISHED
        artifact.pipeline_name = self._name
        artifact.producer_component = node.id
        artifact.set_string_custom_property("tfx_version", __version__)

    def _registered(self, artifact: Artifact) -> pb.ArtifactType:
        made = pb.ArtifactType()
        made.CopyFrom(artifact.artifact_type)
        made.ClearField("id")
        made.id = self._store.put_artifact_type(made, can_add_fields=True, can_omit_fields=True)
        return made

    def _publish(self, node, number: int, outputs: Artifacts, cache: pb.Context) -> None:
        for key, artifacts in outputs.items():
            for index, artifact in enumerate(artifacts):
                self._describe(artifact, node)
                artifact.name = f"{self._name}:{self._run_id}:{node.id}:{key}:{index}"
        execution = self._store.get_executions_by_id([number])[0]
        execution.last_known_state = pb.Execution.COMPLETE
        contexts = [*self._contexts(node), cache]
        events = _events(outputs, pb.Event.OUTPUT)
        _, ids, _ = self._store.put_execution(execution, events, contexts)
        everything = [a for found in outputs.values() for a in found]
        for artifact, one in zip(everything, ids, strict=True):
            artifact.id = one

    def _finish(self, number: int, state: int) -> None:
        execution = self._store.get_executions_by_id([number])[0]
        execution.last_known_state = state
        self._store.put_executions([execution])

    # -- outputs

    @staticmethod
    def _new_artifact(channel: Channel) -> Artifact:
        artifact = channel.type()
        for name, value in channel.additional_properties.items():
            setattr(artifact, name, value)
        for name, value in channel.additional_custom_properties.items():
            _set_value(artifact.mlmd_artifact.custom_properties[name], value)
        return artifact

    def _new_outputs(self, node: BaseComponent, number: int) -> Artifacts:
        outputs: Artifacts = {}
        for key, channel in node.outputs.items():
            artifact = self._new_artifact(channel)
            artifact.uri = os.path.join(self._root, node.id, key, str(number))
            if isinstance(artifact, ValueArtifact):
                artifact.uri = os.path.join(artifact.uri, artifact.VALUE_FILE)
            outputs[key] = [artifact]
        return outputs

    def _digest(self, node: BaseComponent, inputs: Artifacts, parameters) -> str:
        """What tells whether an earlier run did the same."""
        content = {
            "pipeline": [self._name, self._root],
            "node": [node.id, node.type, node.executor_spec.executor_class.__qualname__],
            "inputs": {key: [a.id for a in found] for key, found in inputs.items()},
            "outputs": {key: c.type_name for key, c in node.outputs.items()},
            "parameters": {key: str(value) for key, value in parameters.items()},
        }
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
        path = parameters.get("module_file")
        if path:
            with contextlib.suppress(OSError), open(path, "rb") as f:
                digest.update(f.read())
        return digest.hexdigest()

    def _cached(self, cache: pb.Context) -> Artifacts | None:
        """The outputs of the last run that did the same, if they are all there."""
        for execution in reversed(self._store.get_executions_by_context(cache.id)):
            outputs = self._metadata.output_artifacts(execution.id)
            made = [a for found in outputs.values() for a in found]
            if all(a.mlmd_state == pb.Artifact.LIVE and os.path.exists(a.uri) for a in made):
                return outputs
        return None


def _concrete(name: str, value: Any) -> Any:
    """The value of a parameter that a run decides: its default."""
    if not isinstance(value, RuntimeParameter):
        return value
    if value.default is None:
        raise ValueError(f"RuntimeParameter {value.name!r} for {name!r} has no default value.")
    return value.default


def _folders(outputs: Artifacts) -> list[str]:
    return [
        os.path.dirname(a.uri) if isinstance(a, ValueArtifact) else a.uri
        for found in outputs.values()
        for a in found
    ]


def _events(artifacts: Artifacts, kind: int) -> list[tuple[pb.Artifact, pb.Event]]:
    events = []
    for key, found in artifacts.items():
        for index, artifact in enumerate(found):
            event = pb.Event(type=kind)
            event.path.steps.add(key=key)
            event.path.steps.add(index=index)
            events.append((artifact.mlmd_artifact, event))
    return events


def _set_value(target: pb.Value, value: Any) -> None:
    """Puts a Python value into a message."""
    if isinstance(value, (bool, int)):
        target.int_value = int(value)
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif value is not None:
        target.string_value = value if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, (dict, list, Sequence)):
        return json.dumps(value, sort_keys=True, default=str)
    return str(value)
