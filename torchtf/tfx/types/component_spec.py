"""`ComponentSpec`: which parameters, inputs and outputs a component has."""

from __future__ import annotations

import inspect
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from torchtf.tfx.types.artifact import Artifact
from torchtf.tfx.types.channel import BaseChannel, Channel


class RuntimeParameter:
    """A parameter whose value a run decides (source: `tfx.dsl.experimental.RuntimeParameter`).

    `LocalDagRunner` takes its default.
    """

    def __init__(self, name: str, ptype: type | None = None, default: Any = None):
        if ptype not in (int, float, str, bool, None):
            raise RuntimeError(f"Only str and scalar runtime parameters are supported, got {ptype}")
        if default is not None and ptype is not None and not isinstance(default, ptype):
            raise TypeError(f"Default value {default!r} of {name} is no {ptype}.")
        self.name, self.ptype, self.default = name, ptype, default

    def __repr__(self):
        return f"RuntimeParameter({self.name!r}, default={self.default!r})"


class ExecutionParameter:
    """A parameter of a component (source: `tfx.types.component_spec.ExecutionParameter`).

    Args:
        type: its Python type, or the class of a message.
        optional: whether it may be left out.
        use_proto: whether an executor gets the message itself instead of its JSON.
    """

    def __init__(self, type: type, optional: bool = False, use_proto: bool = False):
        self.type, self.optional, self.use_proto = type, optional, use_proto

    def check(self, name: str, value: Any) -> None:
        """Raises TypeError for a value of another type."""
        if isinstance(value, RuntimeParameter) or not inspect.isclass(self.type):
            return
        if issubclass(self.type, Message) and isinstance(value, (dict, str)):
            parsed = json_format.ParseDict if isinstance(value, dict) else json_format.Parse
            parsed(value, self.type())
            return
        if self.type is float and isinstance(value, int):
            return
        if not isinstance(value, self.type):
            raise TypeError(
                f"Expected type {self.type} for parameter {name!r} but got {value} instead."
            )


class ChannelParameter:
    """An input or output of a component (source: `tfx.types.component_spec.ChannelParameter`).

    Raises:
        ValueError: for a type that is no class of artifacts.
    """

    def __init__(self, type: type[Artifact], optional: bool = False, allow_empty=None):
        if not (inspect.isclass(type) and issubclass(type, Artifact)):
            raise ValueError(
                'Argument "type" of Channel constructor must be a subclass of tfx.types.Artifact.'
            )
        self.type, self.optional = type, optional
        self.allow_empty = optional if allow_empty is None else allow_empty

    def check(self, name: str, value: Any) -> None:
        """Raises TypeError for what is no channel of the type."""
        if not isinstance(value, BaseChannel):
            raise TypeError(
                f"Argument {name} should be a Channel of type {self.type} (got {value})."
            )
        if value.type_name != self.type.TYPE_NAME:
            raise TypeError(
                f"Argument {name} should be a Channel of type {self.type} (got {value.type})."
            )


class ComponentSpec:
    """The arguments of a component (source: `tfx.types.ComponentSpec`).

    A subclass has the dicts `PARAMETERS` (of `ExecutionParameter`), `INPUTS` and `OUTPUTS` (of
    `ChannelParameter`).

    Raises:
        TypeError, ValueError: for a class with other contents, an argument that is missing, unknown
            or of another type.
    """

    PARAMETERS: dict[str, ExecutionParameter] = {}
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS: dict[str, ChannelParameter] = {}
    TYPE_ANNOTATION: type | None = None

    def __init__(self, **kwargs):
        self._check_class()
        given = {k: v for k, v in kwargs.items() if v is not None}
        for name, argument in (self.PARAMETERS | self.INPUTS | self.OUTPUTS).items():
            if name not in given:
                if not argument.optional and name not in self.OUTPUTS:
                    raise ValueError(f"Missing argument {name!r} to {type(self)}.")
                continue
            argument.check(name, given[name])
        unknown = set(kwargs) - {*self.PARAMETERS, *self.INPUTS, *self.OUTPUTS}
        if unknown:
            raise ValueError(f"Unknown arguments to {type(self)}: {sorted(unknown)}.")
        self.exec_properties = {
            k: self._plain(k, given[k]) for k in self.PARAMETERS if k in given
        }  # what an executor gets
        self.inputs: dict[str, BaseChannel] = {k: given[k] for k in self.INPUTS if k in given}
        self.outputs: dict[str, Channel] = {
            k: given[k] if k in given else Channel(type=v.type) for k, v in self.OUTPUTS.items()
        }

    def _check_class(self) -> None:
        cls = type(self)
        seen: set[str] = set()
        for part, kind in (
            ("PARAMETERS", ExecutionParameter),
            ("INPUTS", ChannelParameter),
            ("OUTPUTS", ChannelParameter),
        ):
            content = getattr(cls, part)
            if not isinstance(content, dict):
                raise TypeError(f"{cls}.{part} should be a dict but got {content} instead.")
            for name, argument in content.items():
                if not isinstance(argument, kind):
                    raise TypeError(
                        f"{part} dict expects values of type {kind.__name__}, got {argument}."
                    )
                if name in seen:
                    raise ValueError(
                        f"The ComponentSpec subclass {cls} has a duplicate argument with name "
                        f"{name}. Argument names should be unique across the PARAMETERS, INPUTS "
                        "and OUTPUTS dicts."
                    )
                seen.add(name)

    def _plain(self, name: str, value: Any) -> Any:
        """A message as JSON: what the store can keep."""
        parameter = self.PARAMETERS[name]
        if parameter.use_proto or isinstance(value, RuntimeParameter):
            return value
        if isinstance(value, Message):
            return json_format.MessageToJson(
                value, sort_keys=True, preserving_proto_field_name=True, indent=0
            )
        if isinstance(value, dict) and issubclass(parameter.type, Message):
            made = json_format.ParseDict(value, parameter.type())
            return json_format.MessageToJson(
                made, sort_keys=True, preserving_proto_field_name=True, indent=0
            )
        return value
