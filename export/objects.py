"""What a SavedModel holds besides its signatures: objects with variables and functions.

An `Objects` is a graph whose root is what the user saved. TensorFlow gets it as objects with the
same attributes, so that a program that loads the model finds its variables and functions where they
were.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

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
    """An object: ``module``, ``list``, ``tuple``, ``dict``, ``variable``, ``asset`` or
    ``function``.
    """

    kind: str
    children: dict[str, int] = field(default_factory=dict)
    variable: int | None = None
    asset: int | None = None
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


@dataclass
class Objects:
    """The saved objects, the root first, the variables that they and the signatures share, and the
    files that they name.

    `Signature.state` maps parameters of a module to positions in `variables`.
    """

    nodes: list[Node] = field(default_factory=list)
    variables: list[StateVariable] = field(default_factory=list)
    assets: list[str] = field(default_factory=list)
    left_out: list[Exception] = field(default_factory=list)

    def leave_out(self, name: str, error: Exception) -> None:
        """Warns that a graph of a function is not saved."""
        self.left_out.append(error)
        warnings.warn(
            f"A graph of the function {name!r} is left out of the SavedModel: {error}",
            stacklevel=2,
        )

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
        return {"nodes": nodes, "variables": variables, "assets": self.assets}
