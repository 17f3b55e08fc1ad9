"""`ExecutorClassSpec`: which executor a component has."""

from torchtf.tfx.dsl.components.base.base_executor import BaseExecutor


class ExecutorSpec:
    """The base class of what names an executor."""


class ExecutorClassSpec(ExecutorSpec):
    """An executor that is a Python class (source: `executor_spec.ExecutorClassSpec`).

    Raises:
        ValueError: without a class.
    """

    def __init__(self, executor_class: type[BaseExecutor]):
        if not executor_class:
            raise ValueError("executor_class is required")
        self.executor_class = executor_class


# executors of Beam run here like any other: there is no Beam
BeamExecutorSpec = ExecutorClassSpec
