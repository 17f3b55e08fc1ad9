"""`Artifact`: something that a pipeline made, as a message of ML Metadata.

* A class of artifacts names its type and its properties; an artifact is one URI with values.
* A `ValueArtifact` is a file with one value.
"""

from __future__ import annotations

import enum
from typing import Any

from torchtf.core.files import write_atomically
from torchtf.ml_metadata.proto import metadata_store_pb2 as pb

_STATES = {
    "published": pb.Artifact.LIVE,
    "pending": pb.Artifact.PENDING,
    "missing": pb.Artifact.UNKNOWN,
    "deleting": pb.Artifact.MARKED_FOR_DELETION,
    "deleted": pb.Artifact.DELETED,
    "abandoned": pb.Artifact.ABANDONED,
    "reference": pb.Artifact.REFERENCE,
}


class ArtifactState:
    """What an artifact may be."""

    PENDING = "pending"
    PUBLISHED = "published"
    MISSING = "missing"
    DELETING = "deleting"
    DELETED = "deleted"
    ABANDONED = "abandoned"
    REFERENCE = "reference"


class PropertyType(enum.Enum):
    """The types of properties."""

    INT = 1
    STRING = 2
    FLOAT = 3
    PROTO = 4
    JSON_VALUE = 5
    BOOLEAN = 6


# property type -> (field of a value, its type in ML Metadata, Python's type, what it is called)
_KINDS = {
    PropertyType.INT: ("int_value", pb.INT, int, "integer", 0),
    PropertyType.STRING: ("string_value", pb.STRING, (str, bytes), "string", ""),
    PropertyType.FLOAT: ("double_value", pb.DOUBLE, float, "float", 0.0),
    PropertyType.BOOLEAN: ("bool_value", pb.BOOLEAN, bool, "boolean", False),
}
_BY_MLMD = {v[1]: k for k, v in _KINDS.items()}


class Property:
    """A property of a class of artifacts (source: `tfx.types.artifact.Property`).

    Raises:
        NotImplementedError: for properties that are JSON values or protos.
    """

    def __init__(self, type: PropertyType):
        if type not in _KINDS:
            raise NotImplementedError(
                f"A property of type {type} is not supported; keep its text in a STRING property."
            )
        self.type = type

    def mlmd_type(self) -> int:
        return _KINDS[self.type][1]


class Artifact:
    """An artifact (source: `tfx.dsl.Artifact`). Subclasses set `TYPE_NAME` and `PROPERTIES`.

    Args:
        mlmd_artifact_type: for an `Artifact` of no subclass, its type.

    Raises:
        ValueError: for a class without a name, or properties that are none.
        AttributeError: for a property that its class does not have.
    """

    TYPE_NAME: str | None = None
    PROPERTIES: dict[str, Property] | None = {}
    TYPE_ANNOTATION: type | None = None

    def __init__(self, mlmd_artifact_type: pb.ArtifactType | None = None):
        kind = type(self)
        if kind is Artifact:
            if not isinstance(mlmd_artifact_type, pb.ArtifactType):
                raise ValueError(
                    'The "mlmd_artifact_type" argument must be passed to specify a type for this '
                    "Artifact."
                )
            made = mlmd_artifact_type
        elif mlmd_artifact_type is not None:
            raise ValueError(
                'The "mlmd_artifact_type" argument must not be passed for Artifact subclass '
                f"{kind}."
            )
        else:
            made = kind._get_artifact_type()
        object.__setattr__(self, "_artifact_type", made)
        object.__setattr__(self, "_artifact", pb.Artifact(type_id=made.id))
        object.__setattr__(self, "is_external", False)

    @classmethod
    def _get_artifact_type(cls) -> pb.ArtifactType:
        """The class as a type of ML Metadata."""
        if not (cls.TYPE_NAME and isinstance(cls.TYPE_NAME, str)):
            raise ValueError(
                f"The Artifact subclass {cls} must override the TYPE_NAME attribute with a string "
                f"type name identifier (got {cls.TYPE_NAME!r} instead)."
            )
        if cls.PROPERTIES is not None and not isinstance(cls.PROPERTIES, dict):
            raise ValueError(f"Artifact subclass {cls}.PROPERTIES is not a dictionary.")
        made = pb.ArtifactType(name=cls.TYPE_NAME)
        for name, value in (cls.PROPERTIES or {}).items():
            if not (isinstance(name, str) and isinstance(value, Property)):
                raise ValueError(
                    f"Artifact subclass {cls}.PROPERTIES dictionary must have keys of type string "
                    "and values of type artifact.Property."
                )
            made.properties[name] = value.mlmd_type()
        base = getattr(cls.TYPE_ANNOTATION, "MLMD_SYSTEM_BASE_TYPE", None)
        if base:
            made.base_type = base
        return made

    # -- properties

    def _kind(self, name: str) -> tuple | None:
        number = dict(self._artifact_type.properties).get(name)
        return None if number is None else _KINDS[_BY_MLMD[number]]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_artifact_type" not in self.__dict__:
            raise AttributeError(name)
        kind = self._kind(name)
        if kind is None:
            raise AttributeError(f"Artifact has no property {name!r}.")
        if name not in self._artifact.properties:
            return kind[4]
        return getattr(self._artifact.properties[name], kind[0])

    def __setattr__(self, name: str, value: Any) -> None:
        kind = self._kind(name)
        if kind is None:
            if name not in self.__dict__ and not hasattr(type(self), name):
                raise AttributeError(f"Cannot set unknown property {name!r} on artifact {self!r}.")
            object.__setattr__(self, name, value)
            return
        if not isinstance(value, kind[2]):
            raise ValueError(
                f"Expected {kind[3]} value for property {name!r}; got {value!r} instead."
            )
        setattr(self._artifact.properties[name], kind[0], value)

    def _set_custom(self, name: str, field: str, value) -> None:
        setattr(self._artifact.custom_properties[name], field, value)

    def _get_custom(self, name: str, field: str, default):
        if name not in self._artifact.custom_properties:
            return default
        return getattr(self._artifact.custom_properties[name], field)

    def set_string_custom_property(self, key: str, value: str) -> None:
        self._set_custom(key, "string_value", value)

    def set_int_custom_property(self, key: str, value: int) -> None:
        self._set_custom(key, "int_value", int(value))

    def set_float_custom_property(self, key: str, value: float) -> None:
        self._set_custom(key, "double_value", float(value))

    def set_bool_custom_property(self, key: str, value: bool) -> None:
        self._set_custom(key, "bool_value", value)

    def set_json_value_custom_property(self, key: str, value: Any) -> None:
        # ML Metadata keeps a structure; what is no mapping goes under a key of its own
        content = value if isinstance(value, dict) else {"__value__": value}
        self._artifact.custom_properties[key].struct_value.Clear()
        self._artifact.custom_properties[key].struct_value.update(content)

    def get_string_custom_property(self, key: str) -> str:
        return self._get_custom(key, "string_value", "")

    def get_int_custom_property(self, key: str) -> int:
        return self._get_custom(key, "int_value", 0)

    def get_float_custom_property(self, key: str) -> float:
        return self._get_custom(key, "double_value", 0.0)

    def get_bool_custom_property(self, key: str) -> bool:
        return self._get_custom(key, "bool_value", False)

    def get_json_value_custom_property(self, key: str) -> Any:
        if key not in self._artifact.custom_properties:
            return None
        from google.protobuf import json_format

        content = json_format.MessageToDict(self._artifact.custom_properties[key].struct_value)
        return content.get("__value__", content)

    def get_custom_property(self, key: str) -> Any:
        """The value of a custom property of whatever type, None if there is none."""
        if key not in self._artifact.custom_properties:
            return None
        value = self._artifact.custom_properties[key]
        kind = value.WhichOneof("value")
        return self.get_json_value_custom_property(key) if kind == "struct_value" else (
            kind and getattr(value, kind)
        )  # fmt: skip

    def has_custom_property(self, key: str) -> bool:
        return key in self._artifact.custom_properties

    # -- what it is

    @property
    def type(self) -> type[Artifact]:
        return type(self)

    @property
    def type_name(self) -> str:
        return self._artifact_type.name

    @property
    def mlmd_artifact(self) -> pb.Artifact:
        return self._artifact

    def set_mlmd_artifact(self, artifact: pb.Artifact) -> None:
        """Replaces the message.

        Raises:
            ValueError: for anything but an `Artifact` of ML Metadata.
        """
        if not isinstance(artifact, pb.Artifact):
            raise ValueError(
                f"Expected instance of metadata_store_pb2.Artifact, got {artifact} instead."
            )
        object.__setattr__(self, "_artifact", artifact)

    @property
    def artifact_type(self) -> pb.ArtifactType:
        return self._artifact_type

    def set_mlmd_artifact_type(self, artifact_type: pb.ArtifactType) -> None:
        """Replaces the message of the type."""
        object.__setattr__(self, "_artifact_type", artifact_type)
        self._artifact.type_id = artifact_type.id

    @property
    def id(self) -> int:
        return self._artifact.id

    @id.setter
    def id(self, value: int) -> None:
        self._artifact.id = value

    @property
    def type_id(self) -> int:
        return self._artifact.type_id

    @type_id.setter
    def type_id(self, value: int) -> None:
        self._artifact.type_id = value

    @property
    def uri(self) -> str:
        return self._artifact.uri

    @uri.setter
    def uri(self, value: str) -> None:
        self._artifact.uri = value

    @property
    def name(self) -> str:
        return self.get_string_custom_property("name")

    @name.setter
    def name(self, value: str) -> None:
        self.set_string_custom_property("name", value)
        self._artifact.name = value

    @property
    def state(self) -> str:
        return self.get_string_custom_property("state")

    @state.setter
    def state(self, value: str) -> None:
        self.set_string_custom_property("state", value)
        self._artifact.state = _STATES[value]

    @property
    def mlmd_state(self) -> int:
        return self._artifact.state

    @property
    def pipeline_name(self) -> str:
        return self.get_string_custom_property("pipeline_name")

    @pipeline_name.setter
    def pipeline_name(self, value: str) -> None:
        self.set_string_custom_property("pipeline_name", value)

    @property
    def producer_component(self) -> str:
        return self.get_string_custom_property("producer_component")

    @producer_component.setter
    def producer_component(self, value: str) -> None:
        self.set_string_custom_property("producer_component", value)

    def copy_from(self, other: Artifact) -> None:
        """Takes over all values of another artifact.

        Raises:
            TypeError: if that is of another type.
        """
        if self.type_name != other.type_name:
            raise TypeError(f"Unable to set properties from an artifact of {other.type_name}.")
        self._artifact.CopyFrom(other.mlmd_artifact)

    def __repr__(self):
        return f"Artifact(artifact: {self._artifact}, artifact_type: {self._artifact_type})"


_UNREAD = object()


class ValueArtifact(Artifact):
    """An artifact that is one value in a file (source: `tfx.types.value_artifact.ValueArtifact`).

    `read` gives the value and `value` what was read; setting `value` and `write` write the file.
    Subclasses define `encode` and `decode`.
    """

    VALUE_FILE = "value"

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "_value", _UNREAD)

    def read(self) -> Any:
        """Reads the file.

        Raises:
            OSError: if it cannot be read.
        """
        with open(self.uri, "rb") as f:
            content = f.read()
        object.__setattr__(self, "_value", self.decode(content))
        return self._value

    def write(self, value: Any) -> None:
        """Writes the file, whole or not at all."""
        content = self.encode(value)
        write_atomically(self.uri, content.encode() if isinstance(content, str) else content)

    @property
    def value(self) -> Any:
        """What was read or set.

        Raises:
            ValueError: if it is neither.
        """
        if self._value is _UNREAD:
            raise ValueError("The artifact value has not yet been read from storage.")
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        self.write(value)
        object.__setattr__(self, "_value", value)

    def encode(self, value: Any) -> bytes:
        """The bytes of a value."""
        raise NotImplementedError(f"{type(self).__name__} does not define encode().")

    def decode(self, serialized_value: bytes) -> Any:
        """The value of bytes."""
        raise NotImplementedError(f"{type(self).__name__} does not define decode().")


def from_messages(artifact_type: pb.ArtifactType, artifact: pb.Artifact | None = None) -> Artifact:
    """The artifact of two messages: of the class with the name of its type, if there is one."""
    kind = _class_named(Artifact, artifact_type.name)
    made = Artifact(artifact_type) if kind is None else kind()
    made.set_mlmd_artifact_type(artifact_type)
    if artifact is not None:
        made.set_mlmd_artifact(artifact)
    return made


def _class_named(root: type[Artifact], name: str) -> type[Artifact] | None:
    # the last one defined: a function component in a module that was loaded again
    for kind in reversed(root.__subclasses__()):
        found = kind if name == kind.TYPE_NAME else _class_named(kind, name)
        if found is not None:
            return found
    return None
