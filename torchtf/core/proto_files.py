"""Protocol buffer messages made of tables: those that no package ships without TensorFlow.

* `define` makes a file of messages and puts its classes into a module, as a generated ``_pb2``
  module does. Its package is one of torchtf's own (``torchtf``, then TensorFlow's name), so that
  TensorFlow, or a package that comes with it, may be loaded in the same process; on the wire a
  message does not tell its name.
* `tensorflow_pool` is for the few messages whose name does travel, in a `google.protobuf.Any`: a
  pool apart, in which they have TensorFlow's names.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.internal import builder  # what every generated module uses

# message -> number -> (name, kind[, oneof])
Messages = Mapping[str, Mapping[int, tuple[str, ...]]]

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bytes": _FIELD.TYPE_BYTES,
    "string": _FIELD.TYPE_STRING,
    "float": _FIELD.TYPE_FLOAT,
    "double": _FIELD.TYPE_DOUBLE,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint32": _FIELD.TYPE_UINT32,
    "uint64": _FIELD.TYPE_UINT64,
    "bool": _FIELD.TYPE_BOOL,
    "fixed32": _FIELD.TYPE_FIXED32,
    "fixed64": _FIELD.TYPE_FIXED64,
}


def define(
    module: str,
    scope: dict[str, Any],
    package: str,
    messages: Messages,
    enums: Mapping[str, Mapping[str, int]] | None = None,
    uses: Sequence[Any] = (),
    pool: descriptor_pool.DescriptorPool | None = None,
):
    """Defines messages and puts their classes into a module.

    Args:
        module, scope: the module's name and its globals.
        package: the package of the file.
        messages: the fields of each message. A kind is a scalar type, a message (of this package,
            unless it begins with a dot), or ``enum NAME``; a ``*`` before it makes it repeated, a
            ``?`` optional, ``map`` a map from strings (``map-int32`` from integers). Names with
            dots are those of inner messages, after the outer one.
        enums: the values of each enum.
        uses: the files, or modules with one, whose messages are fields.
        pool: where to define them; the default pool if None.

    Returns:
        The descriptor of the file.
    """
    pool = pool or descriptor_pool.Default()
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{module.replace('.', '/')}.proto", package=package, syntax="proto3"
    )
    file.dependency.extend(getattr(used, "DESCRIPTOR", used).name for used in uses)
    made: dict[str, descriptor_pb2.DescriptorProto] = {}
    for name, fields in messages.items():
        outer, _, own = name.rpartition(".")
        made[name] = (made[outer].nested_type if outer else file.message_type).add(name=own)
        _add_fields(made[name], f".{package}.{name}", package, fields)
    for name, values in (enums or {}).items():
        outer, _, own = name.rpartition(".")
        enum = (made[outer].enum_type if outer else file.enum_type).add(name=own)
        for label, number in values.items():
            enum.value.add(name=label, number=number)
    descriptor = pool.AddSerializedFile(file.SerializeToString())
    if descriptor is None:  # Python's own implementation of protocol buffers returns none
        descriptor = pool.FindFileByName(file.name)
    if pool is descriptor_pool.Default():
        builder.BuildTopDescriptorsAndMessages(descriptor, module, scope)
    else:
        scope.update(
            (name, message_factory.GetMessageClass(kind))
            for name, kind in descriptor.message_types_by_name.items()
        )
    return descriptor


def _add_fields(message, path: str, package: str, fields: Mapping[int, tuple[str, ...]]) -> None:
    oneofs: list[str] = []
    for number, (name, kind, *oneof) in fields.items():
        field = message.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL)
        if kind.startswith("?"):
            field.proto3_optional, kind, oneof = True, kind[1:], [f"_{name}"]
        if oneof:
            if oneof[0] not in oneofs:
                oneofs += oneof
                message.oneof_decl.add(name=oneof[0])
            field.oneof_index = oneofs.index(oneof[0])
        if kind.startswith("map"):
            key, _, value = kind.partition(" ")
            _add_map(message, path, package, field, key.partition("-")[2] or "string", value)
            continue
        if kind.startswith("*"):
            field.label, kind = _FIELD.LABEL_REPEATED, kind[1:]
        _set_type(field, package, kind)


def _set_type(field, package: str, kind: str) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    head, _, name = kind.rpartition(" ")
    field.type = _FIELD.TYPE_ENUM if head == "enum" else _FIELD.TYPE_MESSAGE
    field.type_name = name if name.startswith(".") else f".{package}.{name}"


def _add_map(message, path: str, package: str, field, key: str, value: str) -> None:
    """A map field is a repeated message of keys and values."""
    entry_name = "".join(p.capitalize() for p in field.name.split("_")) + "Entry"
    entry = message.nested_type.add(name=entry_name)
    entry.options.map_entry = True
    for number, name, kind in ((1, "key", key), (2, "value", value)):
        part = entry.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL)
        _set_type(part, package, kind)
    field.label = _FIELD.LABEL_REPEATED
    field.type = _FIELD.TYPE_MESSAGE
    field.type_name = f"{path}.{entry_name}"


@functools.cache
def tensorflow_pool() -> descriptor_pool.DescriptorPool:
    """A pool with `MetaGraphDef` and all that it holds, under TensorFlow's names."""
    from tensorboard.compat.proto import meta_graph_pb2

    pool = descriptor_pool.DescriptorPool()
    known: set[str] = set()

    def add(file) -> None:
        if file.name in known:
            return
        known.add(file.name)
        for used in file.dependencies:
            add(used)
        copied = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(copied)
        if file.package.startswith("tensorboard"):
            text = text_format.MessageToString(copied).replace("tensorboard", "tensorflow")
            copied = text_format.Parse(text, descriptor_pb2.FileDescriptorProto())
        pool.Add(copied)

    add(meta_graph_pb2.DESCRIPTOR)
    return pool
