"""Components that are Python functions: the annotations, and what makes a component of them."""

from __future__ import annotations

import functools
import inspect
import typing
from typing import Any

from google.protobuf.message import Message

from torchtf.tfx.dsl.components.base.base_component import BaseComponent
from torchtf.tfx.dsl.components.base.base_executor import BaseExecutor
from torchtf.tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from torchtf.tfx.types.artifact import Artifact
from torchtf.tfx.types.channel import BaseChannel
from torchtf.tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from torchtf.tfx.types.standard_artifacts import VALUE_TYPES


class _Annotation:
    """`X[T]` makes an instance with `type` T."""

    type: Any

    def __init__(self, *_):
        name = type(self).__name__
        raise ValueError(f"{name} should be instantiated via the syntax `{name}[T]`.")

    def __class_getitem__(cls, kind: Any):
        cls._check(kind)
        made = object.__new__(cls)
        made.type = kind
        return made

    def __repr__(self):
        return f"{type(self).__name__}[{self.type}]"

    @classmethod
    def _check(cls, kind: Any) -> None:
        if not (inspect.isclass(kind) and issubclass(kind, Artifact) and kind.TYPE_NAME):
            raise ValueError(
                f"Generic type `{cls.__name__}[T]` expects the single parameter T to be a concrete "
                f"subclass of `tfx.types.Artifact` (got {kind!r} instead)."
            )


class InputArtifact(_Annotation):
    """An argument that is an artifact, ``InputArtifact[Model]``, or a list of them,
    ``InputArtifact[list[Model]]`` (source: `tfx.dsl.components.InputArtifact`).
    """

    @classmethod
    def _check(cls, kind: Any) -> None:
        super()._check(_element(kind) or kind)


class OutputArtifact(_Annotation):
    """An argument that is an artifact to be made (source: `tfx.dsl.components.OutputArtifact`)."""


class Parameter(_Annotation):
    """An argument that the pipeline gives: a number, a string, a bool, a list, a dict or a message
    (source: `tfx.dsl.components.Parameter`).
    """

    @classmethod
    def _check(cls, kind: Any) -> None:
        plain = typing.get_origin(kind) or kind
        known = inspect.isclass(plain) and (
            plain in (int, float, str, bool, list, dict) or issubclass(plain, Message)
        )
        if not known:
            raise ValueError(
                f"Generic type `{cls.__name__}[T]` expects the single parameter T to be `int`, "
                "`float`, `str`, `bool`, JSON-compatible types (Dict[str, T], List[T]) or a proto "
                f"type. (got {kind!r} instead)."
            )


class BeamComponentParameter(_Annotation):
    """There is no Beam."""

    @classmethod
    def _check(cls, kind: Any) -> None:
        raise NotImplementedError(
            "BeamComponentParameter: there is no Apache Beam here; read and write the files of "
            "the artifacts with tf.data instead"
        )


class OutputDict:
    """What a function returns, by name (source: `tfx.dsl.components.OutputDict`)."""

    def __init__(self, **kwargs: Any):
        self.kwargs = kwargs


def _element(kind: Any):
    """T of ``list[T]``, else None."""
    arguments = typing.get_args(kind)
    return arguments[0] if typing.get_origin(kind) is list and len(arguments) == 1 else None


def _without_none(kind: Any) -> tuple[Any, bool]:
    """T of ``Optional[T]``, and whether it was one."""
    arguments = [a for a in typing.get_args(kind) if a is not type(None)]
    if type(None) in typing.get_args(kind) and len(arguments) == 1:
        return arguments[0], True
    return kind, False


_REQUIRED = object()


class _Function:
    """A function as a component: what each argument is."""

    def __init__(self, function):
        self.function = function
        name = f"@component function {function.__name__}"
        signature = inspect.signature(function)
        hints = typing.get_type_hints(function)
        self.inputs: dict[str, ChannelParameter] = {}
        self.outputs: dict[str, ChannelParameter] = {}
        self.parameters: dict[str, ExecutionParameter] = {}
        self.values: set[str] = set()  # the inputs that the function wants the values of
        self.lists: set[str] = set()
        self.messages: dict[str, type[Message]] = {}
        self.defaults: dict[str, Any] = {}
        for argument, described in signature.parameters.items():
            if described.kind in (described.VAR_POSITIONAL, described.VAR_KEYWORD):
                raise ValueError(f"{name} does not support *args or **kwargs arguments.")
            if argument not in hints:
                raise ValueError(f"{name} must have all arguments annotated with typehints.")
            default = _REQUIRED if described.default is described.empty else described.default
            hint = described.annotation
            self._add(argument, hints[argument] if isinstance(hint, str) else hint, default)
        self.returned = self._returned(hints.get("return"))

    def _add(self, name: str, hint: Any, default: Any) -> None:
        function, optional = self.function, default is not _REQUIRED
        hint, may_be_none = _without_none(hint)
        if optional:
            self.defaults[name] = default
        if isinstance(hint, InputArtifact):
            if optional and default is not None:
                raise ValueError(
                    "If an input artifact is declared as an optional argument, its default value "
                    f"must be `None` (got default value {default!r} for input argument {name!r} "
                    f"of {function!r} instead)."
                )
            if _element(hint.type):
                self.lists.add(name)
            self.inputs[name] = ChannelParameter(_element(hint.type) or hint.type, optional)
        elif isinstance(hint, OutputArtifact):
            if optional:
                raise ValueError(
                    "Output artifact of component function cannot be declared as optional (error "
                    f"for argument {name!r} of {function!r})."
                )
            self.outputs[name] = ChannelParameter(hint.type)
        elif isinstance(hint, Parameter):
            kind = typing.get_origin(hint.type) or hint.type
            self._check_default(name, kind, default)
            if issubclass(kind, Message):
                self.messages[name] = kind
            self.parameters[name] = ExecutionParameter(kind, optional or may_be_none)
        elif hint in VALUE_TYPES or typing.get_origin(hint) in VALUE_TYPES:
            kind = typing.get_origin(hint) or hint
            self._check_default(name, kind, default)
            self.values.add(name)
            self.inputs[name] = ChannelParameter(VALUE_TYPES[kind], optional)
        elif inspect.isclass(hint) and issubclass(hint, Artifact):
            raise ValueError(
                f"Invalid type hint annotation for argument {name!r} on function {function!r}. "
                "Argument with an artifact class typehint annotation should indicate whether it "
                "is used as an input or output artifact by using the `InputArtifact[ArtifactType]` "
                "or `OutputArtifact[ArtifactType]` typehint annotations."
            )
        else:
            raise ValueError(
                f"Unknown type hint annotation for argument {name!r} on function {function!r}"
            )

    def _check_default(self, name: str, kind: type, default: Any) -> None:
        if default is _REQUIRED or default is None or isinstance(default, kind):
            return
        if kind is float and isinstance(default, int):
            return
        raise ValueError(
            f"The default value for optional parameter {name} on function must be an instance of "
            f"its declared type {kind} or `None`, got {default}"
        )

    def _returned(self, hint: Any) -> dict[str, bool]:
        """The values that the function returns, and whether each may be None."""
        if hint is None or hint is type(None):
            return {}
        if isinstance(hint, OutputDict):
            hints = hint.kwargs
        elif typing.is_typeddict(hint):
            hints = typing.get_type_hints(hint)
        else:
            raise ValueError(
                f"Return type annotation of @component {self.function.__name__} should be "
                "TypedDict or None."
            )
        found = {}
        for name, kind in hints.items():
            kind, optional = _without_none(kind)
            plain = typing.get_origin(kind) or kind
            if isinstance(kind, OutputArtifact):
                raise ValueError(
                    f"@component {self.function.__name__} output artifact {name!r} should be "
                    f"declared as a function parameter `{name}: "
                    "tfx.v1.dsl.components.OutputArtifact[T]` where T is a subclass of "
                    "`tfx.types.Artifact`."
                )
            if plain not in VALUE_TYPES:
                raise ValueError(
                    f"Unknown type hint annotation {kind!r} for returned output {name!r} on "
                    f"function {self.function!r}"
                )
            found[name] = optional
            self.outputs[name] = ChannelParameter(VALUE_TYPES[plain])
        return found

    def spec(self) -> type[ComponentSpec]:
        return type(
            f"{self.function.__name__}_Spec",
            (ComponentSpec,),
            {"INPUTS": self.inputs, "OUTPUTS": self.outputs, "PARAMETERS": self.parameters},
        )

    def run(self, inputs: dict, outputs: dict, exec_properties: dict[str, Any]) -> None:
        """Calls the function with artifacts and values; writes what it returns."""
        arguments = {name: self._parameter(name, exec_properties) for name in self.parameters}
        for name in self.inputs:
            arguments[name] = self._input(name, inputs.get(name))
        for name in self.outputs.keys() - self.returned.keys():
            (arguments[name],) = outputs[name]
        result = self.function(**arguments)
        if not self.returned:
            return
        if not isinstance(result, dict):
            raise ValueError(
                f"Expected component executor function {self.function} to return a dict of "
                f"outputs (got {result!r} instead)."
            )
        for name, optional in self.returned.items():
            if name not in result:
                raise ValueError(
                    f"Did not receive expected output {name!r} as return value from component "
                    f"executor function {self.function}."
                )
            (artifact,) = outputs[name]
            if result[name] is None:
                if not optional:
                    raise ValueError(
                        f"Non-nullable output {name!r} received None return value from component "
                        f"executor function {self.function}."
                    )
                artifact.set_int_custom_property("__is_null__", 1)
                continue
            try:
                artifact.value = result[name]
            except TypeError as error:
                raise TypeError(f"Return value {result[name]!r} for output {name!r} is "
                                f"incompatible with its type: {error}") from error  # fmt: skip

    def _parameter(self, name: str, exec_properties: dict[str, Any]) -> Any:
        value = exec_properties.get(name)
        if value is None:
            value = self.defaults.get(name)
        if name in self.messages and isinstance(value, str):
            from google.protobuf import json_format

            return json_format.Parse(value, self.messages[name]())
        return value

    def _input(self, name: str, artifacts: list[Artifact] | None) -> Any:
        if name in self.lists:
            return artifacts or []
        if not artifacts:
            return self.defaults.get(name)
        if len(artifacts) > 1:
            raise ValueError(
                f"Expected input {name!r} to {self.function} to be a singleton channel (got "
                f"{artifacts} instead)."
            )
        (artifact,) = artifacts
        if name not in self.values:
            return artifact
        if artifact.get_int_custom_property("__is_null__"):
            return None
        return artifact.read()


def component(func=None, /, *, component_annotation: type | None = None, use_beam: bool = False):
    """Makes a component of a Python function (source: `tfx.dsl.components.component`).

    Its arguments are annotated as `InputArtifact[T]`, `OutputArtifact[T]`, `Parameter[T]`, or with
    a plain type: the value of an artifact that another component made. What it returns, annotated
    as a `TypedDict` or `OutputDict(name=type)`, becomes value artifacts.

    Returns:
        A class of components that takes these arguments by keyword.

    Raises:
        ValueError: for arguments that are not annotated, or not in these ways.
        NotImplementedError: for `use_beam`.
    """
    if use_beam:
        raise NotImplementedError("component(use_beam=True): there is no Apache Beam here")
    if func is None:
        return functools.partial(component, component_annotation=component_annotation)
    described = _Function(func)
    spec_class = described.spec()
    spec_class.TYPE_ANNOTATION = component_annotation

    class _Executor(BaseExecutor):
        def Do(self, input_dict, output_dict, exec_properties):
            described.run(input_dict, output_dict, exec_properties)

    def init(self, *args, **kwargs):
        name = func.__name__
        if args:
            raise ValueError(f"{name} expects arguments to be passed as keyword arguments")
        for key, channel in spec_class.INPUTS.items():
            given = kwargs.get(key)
            wrong = given is not None and not (
                isinstance(given, BaseChannel) and given.type_name == channel.type.TYPE_NAME
            )
            if wrong or (key not in kwargs and not channel.optional):
                raise ValueError(f"{name} expects input {key!r} to be a Channel of type "
                                 f"{channel.type}.")  # fmt: skip
        for key, parameter in spec_class.PARAMETERS.items():
            if key not in kwargs and not parameter.optional:
                raise ValueError(f"{name} expects parameter {key!r} of type {parameter.type}.")
        unknown = kwargs.keys() - spec_class.INPUTS.keys() - spec_class.PARAMETERS.keys()
        if unknown:
            raise ValueError(f"Unknown arguments to {name!r}: {', '.join(sorted(unknown))}.")
        BaseComponent.__init__(self, spec=spec_class(**kwargs))

    return type(
        func.__name__,
        (BaseComponent,),
        {
            "SPEC_CLASS": spec_class,
            "EXECUTOR_SPEC": ExecutorClassSpec(_Executor),
            "__init__": init,
            "__module__": func.__module__,
            "__doc__": func.__doc__,
            "function": staticmethod(func),
        },
    )
