"""Parameters of executors that are messages, as the JSON that the store keeps."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


def message(exec_properties: dict[str, Any], name: str, kind: type[M]) -> M:
    """The message of a parameter; an empty one if it is not given."""
    text = exec_properties.get(name)
    return json_format.Parse(text, kind()) if text else kind()


def to_json(value: Message) -> str:
    """A message as a parameter."""
    return json_format.MessageToJson(
        value, sort_keys=True, preserving_proto_field_name=True, indent=0
    )


def names(exec_properties: dict[str, Any], name: str) -> list[str]:
    """The list of a parameter that is JSON."""
    return json.loads(exec_properties.get(name) or "null") or []
