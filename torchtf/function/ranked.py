"""A graph for each rank that a function's arguments may have, as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from torchtf.core import errors, graph
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import is_fake, rank_is_open
from torchtf.function import staged
from torchtf.function.runner import compile_graph
from torchtf.function.trace import Traced, trace


class _ByRanks(staged.Call):
    """Runs the graph that was made for the ranks of its arguments.

    Args:
        name: of the function.
        graphs: concrete functions by the ranks of their arguments.
        owners: what they capture; its values follow the arguments.
        results: what is known of each value that they return.
    """

    op = "Case"

    def __init__(
        self, name: str, graphs: Mapping[tuple, object], owners: list, results: list[TensorSpec]
    ):
        self._name = name
        self._graphs = graphs
        self._places = {id(owner): i for i, owner in enumerate(owners)}
        self._results = [(s.shape._dims, s.dtype.torch) for s in results]
        self._replays: dict = {}

    def outputs(self, under_way, inputs):
        return [under_way.fake_like(sizes, dtype) for sizes, dtype in self._results]

    def _chosen(self, values) -> tuple:
        """The graph and what it takes."""
        count = len(values) - len(self._places)
        ranks = tuple(x.dim() for x in values[:count])
        found = self._graphs.get(ranks)
        if found is None:
            from export.errors import other_ranks

            raise errors.InvalidArgumentError(None, None, other_ranks(self._name, self._graphs))
        captured = [values[count + self._places[id(c.owner)]] for c in found._captures]
        return found, [*values[:count], *captured]

    def run(self, *values):
        found, arguments = self._chosen(values)
        return found._run_recorded(*arguments)

    def __call__(self, *values):
        symbolic = graph.state.trace is not None and any(map(is_fake, values))
        if not symbolic or any(map(rank_is_open, values)):
            return super().__call__(*values)
        found, arguments = self._chosen(values)
        if found not in self._replays:
            self._replays[found] = compile_graph(found.graph_module, replay=True)
        return self._replays[found](*arguments)


def joined(
    name: str, graphs: Mapping[tuple, object], specs: Sequence[TensorSpec], results: list
) -> Traced:
    """One graph of graphs that differ in the ranks of their arguments alone.

    Args:
        name: of the function.
        graphs: concrete functions by these ranks; they write to the same variables.
        specs: the arguments of all of them.
        results: the `TensorSpec`s of their results.
    """
    made = list(graphs.values())
    captures = {id(c.owner): c for g in made for c in g._captures}
    written = made[0]._written
    values = [*results, *[TensorSpec(o.shape, o.dtype) for o in written]]
    call = _ByRanks(name, graphs, [c.owner for c in captures.values()], values)

    def body(*inputs: torch.Tensor) -> list[torch.Tensor]:
        under_way = graph.state.trace
        captured = [
            under_way.read(c.owner) if c.is_variable else under_way.capture(c.owner)
            for c in captures.values()
        ]
        found = staged.stage(call, [*inputs, *captured])
        for owner, value in zip(written, found[len(results) :], strict=True):
            under_way.write(owner, value)
        return found[: len(results)]

    shapes = [(s.shape._dims, s.dtype.torch) for s in specs]
    return trace(body, shapes, [s.name for s in specs], False, name)
