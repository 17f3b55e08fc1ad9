"""What a SavedModel holds besides its signatures: objects with variables and functions.

An `Objects` is a graph whose root is what the user saved. TensorFlow gets it as objects with the
same attributes, so that a program that loads the model finds its variables and functions where they
were.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from .signature import Signature


@dataclass
class Parameter:
    """A parameter of a saved function; a default is a value in the form of `structure`."""

    name: str
    kind: int  # as in `inspect.Parameter`
    default: Any = None


@dataclass
class Trace:
    """A traced graph of a function.

    `arguments` is the structure of ``(args, kwargs)``, `results` that of what it returns, both in
    the form of `structure`.
    """

    signature: Signature
    arguments: Any
    results: Any


@dataclass
class Node:
    """An object: ``module``, ``list``, ``tuple``, ``dict``, ``variable``, ``asset``, ``table`` or
    ``function``.
    """

    kind: str
    children: dict[str, int] = field(default_factory=dict)
    variable: int | None = None
    asset: int | None = None
    table: int | None = None
    name: str = ""
    parameters: list[Parameter] = field(default_factory=list)
    input_signature: Any = None  # (structure, infos of its tensors)
    traces: list[Trace] = field(default_factory=list)


@dataclass
class StateVariable:
    """A variable: its name, value and whether it is trained."""

    name: str
    value: torch.Tensor
    trainable: bool = True


TABLE_PARTS = ("keys", "values", "default", "reserved")


@dataclass
class Table:
    """A lookup table: the class of `tf.lookup` that it is one of, its types and contents.

    `reserved` are the keys that a `DenseHashTable` keeps for itself; `file` the arguments of the
    `tf.lookup.TextFileInitializer` that the contents come from, if they do.
    """

    kind: str
    key_dtype: str
    value_dtype: str
    keys: np.ndarray
    values: np.ndarray
    default: np.ndarray
    reserved: np.ndarray
    file: dict[str, Any] | None = None

    def to_json(self) -> dict:
        """All but the contents."""
        return {
            "kind": self.kind,
            "key_dtype": self.key_dtype,
            "value_dtype": self.value_dtype,
            "file": self.file,
        }

    def arrays(self, number: int) -> dict[str, np.ndarray]:
        """The contents, under names with the number of the table."""
        return {f"table{number}/{part}": getattr(self, part) for part in TABLE_PARTS}


@dataclass
class Objects:
    """The saved objects, the root first, the variables that they and the signatures share, the
    files that they name, and the lookup tables.

    `Signature.state` maps parameters of a module to positions in `variables`.
    """

    nodes: list[Node] = field(default_factory=list)
    variables: list[StateVariable] = field(default_factory=list)
    assets: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    left_out: list[Exception] = field(default_factory=list)

    def leave_out(self, name: str, error: Exception) -> None:
        """Warns that a graph of a function is not saved."""
        self.left_out.append(error)
        warnings.warn(
            f"A graph of the function {name!r} is left out of the SavedModel: {error}",
            stacklevel=2,
        )

    def place(self, table: Table) -> int:
        """The position of a table, which joins the others if it is new."""
        for i, known in enumerate(self.tables):
            if known is table:
                return i
        self.tables.append(table)
        return len(self.tables) - 1

    def traces(self) -> list[Trace]:
        """The graphs of all functions."""
        return [trace for node in self.nodes for trace in node.traces]

    def to_json(self) -> dict:
        """The nodes and variables, traces by their number."""
        count = 0
        nodes = []
        for node in self.nodes:
            entry: dict[str, Any] = {"kind": node.kind, "children": node.children}
            if node.variable is not None:
                entry["variable"] = node.variable
            if node.asset is not None:
                entry["asset"] = node.asset
            if node.table is not None:
                entry["table"] = node.table
            if node.kind == "function":
                entry["name"] = node.name
                entry["parameters"] = [vars(p) for p in node.parameters]
                entry["input_signature"] = node.input_signature
                entry["traces"] = [
                    {"number": count + i, "arguments": t.arguments, "results": t.results}
                    for i, t in enumerate(node.traces)
                ]
                count += len(node.traces)
            nodes.append(entry)
        variables = [
            {"name": v.name, "trainable": v.trainable, "shape": list(v.value.shape)}
            for v in self.variables
        ]
        return {
            "nodes": nodes,
            "variables": variables,
            "assets": self.assets,
            "tables": [table.to_json() for table in self.tables],
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """The contents of the tables."""
        return {k: v for i, t in enumerate(self.tables) for k, v in t.arrays(i).items()}
