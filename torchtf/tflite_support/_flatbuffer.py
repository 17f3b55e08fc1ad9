"""FlatBuffer tables declared as data: readers and the object API, as flatc would generate them.

A `Table` declares its fields in wire order (``snake_case``, as in a schema). `define` makes of it

* a reader class (``ImageProperties``) with one method for each field: ``ColorSpace()``; vectors
  have ``Names(j)``, ``NamesLength()`` and ``NamesIsNone()``;
* an object class (``ImagePropertiesT``) with attributes in ``camelCase``, ``Pack``,
  ``InitFromObj``, ``InitFromBuf`` and ``InitFromPackedBuf``.

Strings read from a buffer are bytes. A union takes two fields on the wire: its type, then its
value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flatbuffers
from flatbuffers import encode, number_types, packer
from flatbuffers.table import Table as Wire

_SCALARS = {
    "byte": (number_types.Int8Flags, "PrependInt8", 1),
    "ubyte": (number_types.Uint8Flags, "PrependUint8", 1),
    "int": (number_types.Int32Flags, "PrependInt32", 4),
    "uint": (number_types.Uint32Flags, "PrependUint32", 4),
    "float": (number_types.Float32Flags, "PrependFloat32", 4),
}


@dataclass(frozen=True)
class Field:
    """A field: ``kind`` is a scalar, "string", the name of an enum, table or union; `vector`
    of them.
    """

    name: str
    kind: str
    vector: bool = False

    @property
    def camel(self) -> str:
        return "".join(part[:1].upper() + part[1:] for part in self.name.split("_"))

    @property
    def attribute(self) -> str:
        return self.camel[0].lower() + self.camel[1:]


class Schema:
    """Enums, unions and tables by name, and the classes made of them.

    Args:
        enums: name -> {member: value}; all are bytes on the wire.
        unions: name -> the tables it may hold, whose types count from 1 (0 is NONE).
        tables: name -> {field: kind}; a kind in brackets is a vector.
        identifier: the file identifier.
    """

    def __init__(
        self,
        enums: dict[str, dict[str, int]],
        unions: dict[str, list[str]],
        tables: dict[str, dict[str, str]],
        identifier: bytes,
    ):
        self.enums, self.unions, self.identifier = enums, unions, identifier
        self.tables = {
            name: [Field(f, k.strip("[]"), k.startswith("[")) for f, k in fields.items()]
            for name, fields in tables.items()
        }
        self.classes: dict[str, type] = {}
        for name, members in enums.items():
            self.classes[name] = type(name, (), dict(members))
        for name, members in unions.items():
            values = {"NONE": 0, **{m: i for i, m in enumerate(members, 1)}}
            self.classes[name] = type(name, (), values)
        for name in tables:
            self.classes[name] = self._reader(name)
            self.classes[f"{name}T"] = self._object(name)

    def slots(self, table: str) -> dict[str, int]:
        """The number of each field; a union's type has its own, the one before."""
        numbers, number = {}, 0
        for field in self.tables[table]:
            if field.kind in self.unions:
                numbers[f"{field.name}_type"] = number
                number += 1
            numbers[field.name] = number
            number += 1
        return numbers

    # -- readers

    def _reader(self, name: str) -> type:
        schema, slots = self, self.slots(name)

        class Reader:
            __slots__ = ("_tab",)

            def Init(self, buf, pos):
                self._tab = Wire(buf, pos)

            @classmethod
            def GetRootAs(cls, buf, offset=0):
                found = cls()
                found.Init(buf, encode.Get(packer.uoffset, buf, offset) + offset)
                return found

        Reader.__name__ = Reader.__qualname__ = name
        setattr(Reader, f"GetRootAs{name}", Reader.GetRootAs)

        def has_identifier(buf, offset, size_prefixed=False):
            return flatbuffers.util.BufferHasIdentifier(
                buf, offset, schema.identifier, size_prefixed=size_prefixed
            )

        setattr(Reader, f"{name}BufferHasIdentifier", staticmethod(has_identifier))
        for field in self.tables[name]:
            self._add_methods(Reader, field, 4 + 2 * slots[field.name])
        return Reader

    def _add_methods(self, reader: type, field: Field, slot: int) -> None:
        schema, kind = self, field.kind

        def offset(self):
            return self._tab.Offset(slot)

        def item(self, at):
            if kind == "string":
                return self._tab.String(at)
            if kind in schema.tables:
                found = schema.classes[kind]()
                found.Init(self._tab.Bytes, self._tab.Indirect(at))
                return found
            flags, _, _ = _SCALARS["byte" if kind in schema.enums else kind]
            return self._tab.Get(flags, at)

        def length(self):
            at = offset(self)
            return self._tab.VectorLen(at) if at else 0

        def element(self, j):
            at = offset(self)
            width = _SCALARS[kind][2] if kind in _SCALARS else 4
            return item(self, self._tab.Vector(at) + j * width) if at else None

        def value(self):
            at = offset(self)
            if not at:
                return None if kind == "string" or kind in schema.tables else 0
            return item(self, at + self._tab.Pos)

        def union(self):
            at = offset(self)
            if not at:
                return None
            found = Wire(bytearray(), 0)
            self._tab.Union(found, at)
            return found

        def union_type(self):
            at = self._tab.Offset(slot - 2)
            return self._tab.Get(number_types.Uint8Flags, at + self._tab.Pos) if at else 0

        if field.vector:
            setattr(reader, field.camel, element)
            setattr(reader, f"{field.camel}Length", length)
            setattr(reader, f"{field.camel}IsNone", lambda self: offset(self) == 0)
        elif kind in self.unions:
            setattr(reader, field.camel, union)
            setattr(reader, f"{field.camel}Type", union_type)
        else:
            setattr(reader, field.camel, value)

    # -- the object API

    def _object(self, name: str) -> type:
        schema, fields = self, self.tables[name]

        class Object:
            def __init__(self):
                for field in fields:
                    scalar = not field.vector and (
                        field.kind in _SCALARS or field.kind in schema.enums
                    )
                    setattr(self, field.attribute, 0 if scalar else None)
                    if field.kind in schema.unions:
                        setattr(self, f"{field.attribute}Type", 0)

            @classmethod
            def InitFromObj(cls, reader):
                found = cls()
                for field in fields:
                    schema._read(found, reader, field)
                return found

            @classmethod
            def InitFromBuf(cls, buf, pos):
                reader = schema.classes[name]()
                reader.Init(buf, pos)
                return cls.InitFromObj(reader)

            @classmethod
            def InitFromPackedBuf(cls, buf, pos=0):
                return cls.InitFromObj(schema.classes[name].GetRootAs(buf, pos))

            def Pack(self, builder):
                return schema.pack(name, self, builder)

        Object.__name__ = Object.__qualname__ = f"{name}T"
        return Object

    def _read(self, target, reader, field: Field) -> None:
        def as_object(value):
            is_table = field.kind in self.tables and value is not None
            return self.classes[f"{field.kind}T"].InitFromObj(value) if is_table else value

        method = getattr(reader, field.camel)
        if field.vector:
            if not getattr(reader, f"{field.camel}IsNone")():
                count = getattr(reader, f"{field.camel}Length")()
                setattr(target, field.attribute, [as_object(method(j)) for j in range(count)])
        elif field.kind in self.unions:
            kind, wire = getattr(reader, f"{field.camel}Type")(), method()
            setattr(target, f"{field.attribute}Type", kind)
            members = self.unions[field.kind]
            if wire is not None and 0 < kind <= len(members):
                made = self.classes[f"{members[kind - 1]}T"].InitFromBuf(wire.Bytes, wire.Pos)
                setattr(target, field.attribute, made)
        else:
            setattr(target, field.attribute, as_object(method()))

    def pack(self, name: str, value, builder: flatbuffers.Builder) -> int:
        """Writes an object: first what it points to, then the table."""
        offsets: dict[str, int] = {}
        for field in self.tables[name]:
            child = getattr(value, field.attribute)
            if child is None or (not field.vector and self._is_scalar(field)):
                continue
            if field.vector:
                offsets[field.name] = self._pack_vector(field, child, builder)
            elif field.kind == "string":
                offsets[field.name] = builder.CreateString(child)
            else:
                offsets[field.name] = child.Pack(builder)
        slots = self.slots(name)
        builder.StartObject(len(slots))
        for field in self.tables[name]:
            slot = slots[field.name]
            if field.name in offsets:
                builder.PrependUOffsetTRelativeSlot(slot, offsets[field.name], 0)
                if field.kind in self.unions:
                    kind = getattr(value, f"{field.attribute}Type")
                    builder.PrependUint8Slot(slot - 1, kind, 0)
            elif not field.vector and self._is_scalar(field):
                prepend = _SCALARS["byte" if field.kind in self.enums else field.kind][1]
                getattr(builder, f"{prepend}Slot")(slot, getattr(value, field.attribute) or 0, 0)
        return builder.EndObject()

    def _is_scalar(self, field: Field) -> bool:
        return field.kind in _SCALARS or field.kind in self.enums

    def _pack_vector(self, field: Field, items: list, builder: flatbuffers.Builder) -> int:
        if field.kind in _SCALARS:
            _, prepend, width = _SCALARS[field.kind]
            builder.StartVector(width, len(items), width)
            for item in reversed(items):
                getattr(builder, prepend)(item)
            return builder.EndVector()
        if field.kind == "string":
            offsets = [builder.CreateString(item) for item in items]
        else:
            offsets = [item.Pack(builder) for item in items]
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()

    # -- as JSON

    def to_json(self, name: str, value) -> dict[str, Any]:
        """An object as plain data, as ``flatc --json`` shows it: fields with default values
        are left out.
        """
        result: dict[str, Any] = {}
        for field in self.tables[name]:
            child = getattr(value, field.attribute)
            if field.kind in self.unions:
                kind = getattr(value, f"{field.attribute}Type")
                if child is not None:
                    member = self.unions[field.kind][kind - 1]
                    result[f"{field.name}_type"] = member
                    result[field.name] = self.to_json(member, child)
            elif field.vector:
                if child is not None:
                    result[field.name] = [self._plain(field, item) for item in child]
            elif child is not None and not (self._is_scalar(field) and not child):
                result[field.name] = self._plain(field, child)
        return result

    def _plain(self, field: Field, value):
        if field.kind == "string":
            return value.decode() if isinstance(value, bytes) else value
        if field.kind == "float":
            return round(value, 6)  # the digits of a float32
        if field.kind in self.enums:
            names = {number: member for member, number in self.enums[field.kind].items()}
            return names.get(value, value)
        return self.to_json(field.kind, value) if field.kind in self.tables else value
