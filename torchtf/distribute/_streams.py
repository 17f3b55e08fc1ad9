"""Random numbers of replicas: outside of them all draw the same, inside each draws its own.

* Entering a replica's code swaps the states of the replica into torch's generators, leaving it
  swaps the common ones back. In a traced function the swaps are part of the graph, if anything
  between them draws.
* The ops that take their numbers from TensorFlow's seeds have the number of the replica in theirs.
* `tf.random.set_seed` starts all of them anew.
"""

from __future__ import annotations

import random

import torch

from torchtf.core import graph
from torchtf.function import staged
from torchtf.random import _seeds


def _generators() -> list[torch.Generator]:
    if torch.cuda.is_available():
        device = torch.cuda.current_device()
        return [torch.default_generator, torch.cuda.default_generators[device]]
    return [torch.default_generator]


class ReplicaStreams:
    """The generators of the replica of rank `rank`; a context in which they are in use."""

    def __init__(self, rank: int):
        self._rank = rank
        self._seeding: object = None  # the seeding that the stored states belong to
        self._states: list[torch.Tensor] = []

    def _enter(self) -> tuple:
        if self._seeding != _seeds.seeding():
            self._begin()
        return self._swap()

    def _swap(self) -> tuple:
        generators = _generators()
        common = [g.get_state() for g in generators]
        for generator, state in zip(generators, self._states, strict=True):
            generator.set_state(state)
        self._states = common
        return ()

    def _begin(self) -> None:
        """States for a new seed: other ones for each rank, the same in each run of the program."""
        self._seeding = _seeds.seeding()
        own = random.Random(f"{torch.initial_seed()}, replica {self._rank}")
        self._states = [
            torch.Generator(g.device).manual_seed(own.getrandbits(63)).get_state()
            for g in _generators()
        ]

    def __enter__(self):
        _seeds.state.replica = self._rank
        under_way = graph.state.trace
        if under_way is None:
            self._enter()
        else:
            under_way.call(self._enter, [], [], stateful=True)

    def __exit__(self, *exc):
        _seeds.state.replica = 0
        under_way = graph.state.trace
        if under_way is None:
            self._swap()
            return
        for node in reversed(under_way.tracer.graph.nodes):
            if _draws(node):
                under_way.call(self._swap, [], [], stateful=True)
                return
            if node.target == self._enter:
                under_way.tracer.graph.erase_node(node)
                return


def _draws(node: torch.fx.Node) -> bool:
    """Whether running a node takes numbers from the process' generators."""
    if isinstance(node.target, torch._ops.OpOverload):
        return torch.Tag.nondeterministic_seeded in node.target.tags
    return any(_draws(inner) for part in staged.sub_modules(node) for inner in part.graph.nodes)
