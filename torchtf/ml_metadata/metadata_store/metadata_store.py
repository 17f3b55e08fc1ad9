"""`MetadataStore`: artifacts, executions and contexts, and what links them, in SQLite."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from torchtf.ml_metadata import errors
from torchtf.ml_metadata.metadata_store._tables import (
    ARTIFACT,
    CONTEXT,
    CREATE,
    EXECUTION,
    SCHEMA_VERSION,
    Kind,
    now,
    property_row,
    property_value,
)
from torchtf.ml_metadata.proto import metadata_store_pb2 as pb


class MetadataStore:
    """A metadata store in SQLite (source: `ml_metadata.MetadataStore`).

    Args:
        config: a `ConnectionConfig` with ``sqlite`` or ``fake_database`` (in memory).

    Raises:
        NotImplementedError: for a MySQL database.
        errors.FailedPreconditionError: if the file holds another version of the schema.
    """

    def __init__(self, config: pb.ConnectionConfig):
        kind = config.WhichOneof("config")
        if kind == "mysql":
            raise NotImplementedError(
                "MySQL is not supported; use a sqlite ConnectionConfig, such as "
                "tfx.orchestration.metadata.sqlite_metadata_connection_config(path)"
            )
        if kind is None:
            raise errors.InvalidArgumentError("The connection config names no database.")
        path = ":memory:" if kind == "fake_database" else config.sqlite.filename_uri
        try:
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        except sqlite3.OperationalError as error:
            raise errors.FailedPreconditionError(f"Cannot open {path}: {error}") from error
        self._db.row_factory = sqlite3.Row
        self._inside = False
        self._db.executescript(CREATE)
        found = self._all("SELECT schema_version FROM MLMDEnv")
        if not found:
            self._db.execute("INSERT INTO MLMDEnv VALUES (?)", (SCHEMA_VERSION,))
        elif found[0][0] != SCHEMA_VERSION:
            raise errors.FailedPreconditionError(
                f"{path} has version {found[0][0]} of the schema of ML Metadata, not "
                f"{SCHEMA_VERSION}."
            )

    def close(self) -> None:
        """Closes the database."""
        self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing of what is written within."""
        if self._inside:
            yield
            return
        self._inside = True
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        finally:
            self._inside = False

    def _all(self, query: str, values: Sequence = ()) -> list:
        return self._db.execute(query, tuple(values)).fetchall()

    def _insert(self, table: str, row: dict[str, Any], conflict: str = "") -> int:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        query = f"INSERT {conflict} INTO {table} ({names}) VALUES ({marks})"
        try:
            return self._db.execute(query, tuple(row.values())).lastrowid
        except sqlite3.IntegrityError as error:
            raise errors.AlreadyExistsError(
                f"Given node already exists in {table}: {row} ({error})"
            ) from error

    # -- types

    def _put_type(self, kind: Kind, wanted, can_add_fields: bool, can_omit_fields: bool) -> int:
        if not wanted.name:
            raise errors.InvalidArgumentError("No type name is specified.")
        with self._transaction():
            found = self._types(kind, "name = ?", [wanted.name])
            if not found:
                row = {"name": wanted.name, "type_kind": kind.number}
                for name in ("version", "description", "external_id"):
                    if wanted.HasField(name):
                        row[name] = getattr(wanted, name)
                number = self._insert("Type", row)
                stored = {}
            else:
                number, stored = found[0].id, dict(found[0].properties)
                given = dict(wanted.properties)
                added = given.keys() - stored.keys()
                omitted = stored.keys() - given.keys()
                changed = {n for n in given.keys() & stored.keys() if given[n] != stored[n]}
                if changed or (added and not can_add_fields) or (omitted and not can_omit_fields):
                    raise errors.AlreadyExistsError(
                        f"Type {wanted.name!r} already exists with different properties."
                    )
            for name, data_type in wanted.properties.items():
                if name not in stored:
                    row = {"type_id": number, "name": name, "data_type": data_type}
                    self._insert("TypeProperty", row)
        return number

    def _types(self, kind: Kind, where: str = "1", values: Sequence = ()) -> list:
        query = f"SELECT * FROM Type WHERE type_kind = {kind.number} AND {where} ORDER BY id"
        found = []
        for row in self._all(query, values):
            made = kind.type_message(id=row["id"], name=row["name"])
            for name in ("version", "description", "external_id"):
                if row[name] is not None:
                    setattr(made, name, row[name])
            for p in self._all("SELECT * FROM TypeProperty WHERE type_id = ?", [row["id"]]):
                made.properties[p["name"]] = p["data_type"]
            found.append(made)
        return found

    def _type(self, kind: Kind, name: str):
        found = self._types(kind, "name = ?", [name])
        if not found:
            raise errors.NotFoundError(f"No type found for query, name: `{name}`.")
        return found[0]

    # -- artifacts, executions and contexts

    def _put(self, kind: Kind, items: Sequence) -> list[int]:
        with self._transaction():
            return [self._put_one(kind, item) for item in items]

    def _put_one(self, kind: Kind, item) -> int:
        types = self._types(kind, "id = ?", [item.type_id])
        if not types:
            raise errors.NotFoundError(f"No type found for type_id: {item.type_id}")
        known = types[0].properties
        for name in item.properties:
            if name not in known:
                raise errors.InvalidArgumentError(
                    f"Found unknown property: {name} of type {types[0].name}"
                )
        row = {n: getattr(item, n) for n in kind.columns if item.HasField(n)}
        row |= {"type_id": item.type_id, "last_update_time_since_epoch": now()}
        if item.HasField("id"):
            if not self._all(f"SELECT 1 FROM {kind.name} WHERE id = ?", [item.id]):
                raise errors.InvalidArgumentError(
                    f"Node with given id is not found in the store: {item.id}"
                )
            assigned = ", ".join(f"{n} = ?" for n in row)
            self._db.execute(
                f"UPDATE {kind.name} SET {assigned} WHERE id = ?", (*row.values(), item.id)
            )
            self._db.execute(f"DELETE FROM {kind.name}Property WHERE {kind.key} = ?", (item.id,))
            number = item.id
        else:
            row["create_time_since_epoch"] = row["last_update_time_since_epoch"]
            number = self._insert(kind.name, row)
        for custom, properties in enumerate((item.properties, item.custom_properties)):
            for name, value in properties.items():
                entry = {kind.key: number, "name": name, "is_custom_property": custom}
                self._insert(f"{kind.name}Property", entry | property_row(value))
        return number

    def _get(self, kind: Kind, where: str = "1", values: Sequence = (), join: str = "") -> list:
        query = (
            f"SELECT DISTINCT {kind.name}.*, Type.name AS type_name FROM {kind.name} "
            f"JOIN Type ON Type.id = {kind.name}.type_id {join} WHERE {where} "
            f"ORDER BY {kind.name}.id"
        )
        found = []
        for row in self._all(query, values):
            item = kind.message(id=row["id"], type_id=row["type_id"], type=row["type_name"])
            times = ("create_time_since_epoch", "last_update_time_since_epoch")
            for name in (*kind.columns, *times):
                if row[name] is not None:
                    setattr(item, name, row[name])
            properties = f"SELECT * FROM {kind.name}Property WHERE {kind.key} = ?"
            for entry in self._all(properties, [row["id"]]):
                target = item.custom_properties if entry["is_custom_property"] else item.properties
                target[entry["name"]].CopyFrom(property_value(entry))
            found.append(item)
        return found

    def _by_ids(self, kind: Kind, ids: Sequence[int]) -> list:
        return self._get(kind, f"{kind.name}.id IN ({_marks(ids)})", ids)

    def _by_type(self, kind: Kind, type_name: str) -> list:
        return self._get(kind, "Type.name = ?", [type_name])

    def _by_name(self, kind: Kind, type_name: str, name: str):
        found = self._get(kind, f"Type.name = ? AND {kind.name}.name = ?", [type_name, name])
        return found[0] if found else None

    def _linked(self, kind: Kind, table: str, key: str, number: int) -> list:
        join = f"JOIN {table} ON {table}.{kind.key} = {kind.name}.id"
        return self._get(kind, f"{table}.{key} = ?", [number], join)

    # -- the interface: artifacts

    def put_artifact_type(self, artifact_type, can_add_fields=False, can_omit_fields=False) -> int:
        return self._put_type(ARTIFACT, artifact_type, can_add_fields, can_omit_fields)

    def get_artifact_type(self, type_name: str):
        return self._type(ARTIFACT, type_name)

    def get_artifact_types(self) -> list:
        return self._types(ARTIFACT)

    def get_artifact_types_by_id(self, type_ids: Sequence[int]) -> list:
        return self._types(ARTIFACT, f"id IN ({_marks(type_ids)})", type_ids)

    def put_artifacts(self, artifacts: Sequence) -> list[int]:
        return self._put(ARTIFACT, artifacts)

    def get_artifacts(self) -> list:
        return self._get(ARTIFACT)

    def get_artifacts_by_id(self, artifact_ids: Sequence[int]) -> list:
        return self._by_ids(ARTIFACT, artifact_ids)

    def get_artifacts_by_type(self, type_name: str) -> list:
        return self._by_type(ARTIFACT, type_name)

    def get_artifact_by_type_and_name(self, type_name: str, artifact_name: str):
        return self._by_name(ARTIFACT, type_name, artifact_name)

    def get_artifacts_by_uri(self, uri: str) -> list:
        return self._get(ARTIFACT, "Artifact.uri = ?", [uri])

    def get_artifacts_by_context(self, context_id: int) -> list:
        return self._linked(ARTIFACT, "Attribution", "context_id", context_id)

    # -- executions

    def put_execution_type(
        self, execution_type, can_add_fields=False, can_omit_fields=False
    ) -> int:
        return self._put_type(EXECUTION, execution_type, can_add_fields, can_omit_fields)

    def get_execution_type(self, type_name: str):
        return self._type(EXECUTION, type_name)

    def get_execution_types(self) -> list:
        return self._types(EXECUTION)

    def put_executions(self, executions: Sequence) -> list[int]:
        return self._put(EXECUTION, executions)

    def get_executions(self) -> list:
        return self._get(EXECUTION)

    def get_executions_by_id(self, execution_ids: Sequence[int]) -> list:
        return self._by_ids(EXECUTION, execution_ids)

    def get_executions_by_type(self, type_name: str) -> list:
        return self._by_type(EXECUTION, type_name)

    def get_executions_by_context(self, context_id: int) -> list:
        return self._linked(EXECUTION, "Association", "context_id", context_id)

    def put_execution(self, execution, artifact_and_events, contexts=None) -> tuple:
        """Writes an execution, its artifacts with their events, and its contexts, all or nothing.

        Args:
            execution: an `Execution`.
            artifact_and_events: pairs of an `Artifact` and an `Event`, or None; the ids in an
                event are filled in.
            contexts: `Context`s that the execution and the artifacts belong to.

        Returns:
            The ids of the execution, of the artifacts, of the contexts.
        """
        with self._transaction():
            (number,) = self.put_executions([execution])
            artifacts = []
            for artifact, event in artifact_and_events:
                (one,) = self.put_artifacts([artifact])
                artifacts.append(one)
                if event is not None:
                    made = pb.Event()
                    made.CopyFrom(event)
                    made.artifact_id, made.execution_id = one, number
                    self.put_events([made])
            named = [c.id if c.HasField("id") else self._context_id(c) for c in contexts or ()]
            self.put_attributions_and_associations(
                [pb.Attribution(artifact_id=a, context_id=c) for a in artifacts for c in named],
                [pb.Association(execution_id=number, context_id=c) for c in named],
            )
        return number, artifacts, named

    def _context_id(self, context) -> int:
        where = "Context.type_id = ? AND Context.name = ?"
        found = self._get(CONTEXT, where, [context.type_id, context.name])
        return found[0].id if found else self.put_contexts([context])[0]

    # -- contexts

    def put_context_type(self, context_type, can_add_fields=False, can_omit_fields=False) -> int:
        return self._put_type(CONTEXT, context_type, can_add_fields, can_omit_fields)

    def get_context_type(self, type_name: str):
        return self._type(CONTEXT, type_name)

    def get_context_types(self) -> list:
        return self._types(CONTEXT)

    def put_contexts(self, contexts: Sequence) -> list[int]:
        return self._put(CONTEXT, contexts)

    def get_contexts(self) -> list:
        return self._get(CONTEXT)

    def get_contexts_by_id(self, context_ids: Sequence[int]) -> list:
        return self._by_ids(CONTEXT, context_ids)

    def get_contexts_by_type(self, type_name: str) -> list:
        return self._by_type(CONTEXT, type_name)

    def get_context_by_type_and_name(self, type_name: str, context_name: str):
        return self._by_name(CONTEXT, type_name, context_name)

    def get_contexts_by_artifact(self, artifact_id: int) -> list:
        return self._linked(CONTEXT, "Attribution", "artifact_id", artifact_id)

    def get_contexts_by_execution(self, execution_id: int) -> list:
        return self._linked(CONTEXT, "Association", "execution_id", execution_id)

    def put_parent_contexts(self, parent_contexts: Sequence) -> None:
        with self._transaction():
            for link in parent_contexts:
                row = {"context_id": link.child_id, "parent_context_id": link.parent_id}
                self._insert("ParentContext", row)

    def get_parent_contexts_by_context(self, context_id: int) -> list:
        join = "JOIN ParentContext ON ParentContext.parent_context_id = Context.id"
        return self._get(CONTEXT, "ParentContext.context_id = ?", [context_id], join)

    # -- links

    def put_attributions_and_associations(self, attributions, associations) -> None:
        with self._transaction():
            for link in attributions:
                row = {"context_id": link.context_id, "artifact_id": link.artifact_id}
                self._insert("Attribution", row, "OR IGNORE")
            for link in associations:
                row = {"context_id": link.context_id, "execution_id": link.execution_id}
                self._insert("Association", row, "OR IGNORE")

    def put_events(self, events: Sequence) -> None:
        """Writes events; an artifact that is twice an input of an execution is one event."""
        with self._transaction():
            for event in events:
                same = "artifact_id = ? AND execution_id = ? AND type = ?"
                ids = (event.artifact_id, event.execution_id, event.type)
                if self._all(f"SELECT 1 FROM Event WHERE {same}", ids):
                    continue
                row = {
                    "artifact_id": event.artifact_id,
                    "execution_id": event.execution_id,
                    "type": event.type,
                    "milliseconds_since_epoch": event.milliseconds_since_epoch or now(),
                }
                number = self._insert("Event", row)
                for step in event.path.steps:
                    indexed = step.WhichOneof("value") == "index"
                    path = {"event_id": number, "is_index_step": int(indexed)}
                    path |= {"step_index": step.index} if indexed else {"step_key": step.key}
                    self._insert("EventPath", path)

    def _events(self, column: str, ids: Sequence[int]) -> list:
        found = []
        query = f"SELECT * FROM Event WHERE {column} IN ({_marks(ids)}) ORDER BY id"
        for row in self._all(query, ids):
            event = pb.Event(
                artifact_id=row["artifact_id"],
                execution_id=row["execution_id"],
                type=row["type"],
                milliseconds_since_epoch=row["milliseconds_since_epoch"],
            )
            steps = "SELECT * FROM EventPath WHERE event_id = ? ORDER BY rowid"
            for step in self._all(steps, [row["id"]]):
                if step["is_index_step"]:
                    event.path.steps.add(index=step["step_index"])
                else:
                    event.path.steps.add(key=step["step_key"])
            found.append(event)
        return found

    def get_events_by_execution_ids(self, execution_ids: Sequence[int]) -> list:
        return self._events("execution_id", execution_ids)

    def get_events_by_artifact_ids(self, artifact_ids: Sequence[int]) -> list:
        return self._events("artifact_id", artifact_ids)


def _marks(values: Sequence) -> str:
    return ", ".join("?" * len(values))
