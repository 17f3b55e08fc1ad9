"""`BaseComponent`: a node that an executor runs."""

from __future__ import annotations

import inspect
from typing import Any

from torchtf.tfx.dsl.components.base.base_node import BaseNode
from torchtf.tfx.dsl.components.base.executor_spec import ExecutorClassSpec, ExecutorSpec
from torchtf.tfx.types.channel import BaseChannel, OutputChannel
from torchtf.tfx.types.component_spec import ComponentSpec


class BaseComponent(BaseNode):
    """A component (source: `tfx.types.BaseComponent`).

    A subclass has a `SPEC_CLASS` (a `ComponentSpec`) and an `EXECUTOR_SPEC`.

    Args:
        spec: an instance of `SPEC_CLASS`.
        custom_executor_spec: another executor.

    Raises:
        TypeError, ValueError: for a class without these, or a `spec` of another class.
    """

    SPEC_CLASS: type[ComponentSpec] = ComponentSpec
    EXECUTOR_SPEC: ExecutorSpec | None = None

    def __init__(self, spec: ComponentSpec, custom_executor_spec: ExecutorSpec | None = None):
        super().__init__()
        cls = type(self)
        if not (inspect.isclass(cls.SPEC_CLASS) and issubclass(cls.SPEC_CLASS, ComponentSpec)):
            raise TypeError(
                f"Component class {cls} expects SPEC_CLASS property to be a subclass of "
                f"types.ComponentSpec; got {cls.SPEC_CLASS} instead."
            )
        if not isinstance(cls.EXECUTOR_SPEC, ExecutorSpec):
            raise TypeError(
                f"Component class {cls} expects EXECUTOR_SPEC property to be an instance of "
                f"ExecutorSpec; got {type(cls.EXECUTOR_SPEC)} instead."
            )
        if not isinstance(spec, cls.SPEC_CLASS):
            raise ValueError(
                f'{cls} expects the "spec" argument to be an instance of {cls.SPEC_CLASS}; got '
                f"{spec} instead."
            )
        if custom_executor_spec is not None and not isinstance(custom_executor_spec, ExecutorSpec):
            raise TypeError(
                f"Custom executor spec override {custom_executor_spec} for {cls} should be an "
                "instance of ExecutorSpec"
            )
        self.spec = spec
        self.executor_spec = custom_executor_spec or cls.EXECUTOR_SPEC
        spec.outputs = {
            key: OutputChannel(
                channel.type, self, key,
                additional_properties=channel.additional_properties,
                additional_custom_properties=channel.additional_custom_properties,
            )
            for key, channel in spec.outputs.items()
        }  # fmt: skip

    @property
    def inputs(self) -> dict[str, BaseChannel]:
        return self.spec.inputs

    @property
    def outputs(self) -> dict[str, OutputChannel]:
        return self.spec.outputs

    @property
    def exec_properties(self) -> dict[str, Any]:
        return self.spec.exec_properties

    def executor(self, context):
        """A new executor of the component."""
        assert isinstance(self.executor_spec, ExecutorClassSpec)
        return self.executor_spec.executor_class(context)

    def prepare(self, store, exec_properties: dict[str, Any]) -> dict[str, Any]:
        """The parameters for a run, of those that the pipeline has.

        It runs before it is known whether the results of an earlier run will do, so that what is
        read from outside (the fingerprints of files) can tell.
        """
        return exec_properties

    def check(self) -> None:
        """Raises what can be known to be wrong before any component of a pipeline runs."""

    def with_platform_config(self, config):
        raise NotImplementedError(
            "with_platform_config: a pipeline runs in this process; there is no other platform"
        )

    def __repr__(self):
        return f"{type(self).__name__}(id: {self.id!r})"
