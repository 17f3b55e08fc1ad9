"""Datasets and iterators inside a traced function: they run in Python, the function in its graph.

* An iterator made in the function is a stand-in; a node makes the real one when the graph runs, and
  a node takes each element from it. An iterator from outside is taken from as it is.
* A plan may hold stand-ins: sizes, tensors to slice, tensors that the function of a `map` closes
  over. They are inputs of the node that makes the iterator, which puts their values in their
  places.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from torchtf.core import arena, dtypes, errors, nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import Tensor, wrap
from torchtf.data import _structure as structure
from torchtf.data._plan import Node
from torchtf.function import staged
from torchtf.function.autograph import convert
from torchtf.function.object_arguments import Place


class Open(Node):
    """A dataset of which only the spec is known while a function is traced.

    Args:
        stand_ins: what it depends on.
        make: gives the node to run, for the values of the stand-ins. Without it the node is one
            that never runs: what a function of datasets sees while it is traced for its specs.
        reads_files: whether it is a dataset of what files hold.
    """

    def __init__(
        self, spec, stand_ins: Sequence = (), make: Callable | None = None, reads_files=False
    ):
        self.spec, self.reads_files = spec, reads_files
        self.stand_ins, self.make = list(stand_ins), make

    def start(self, run):
        raise NotImplementedError(
            "A dataset that is made inside a tf.function of its tensors cannot leave it; iterate "
            "over it there, or make it outside."
        )


class Given(Open):
    """A dataset that a traced function gets as an argument.

    Args:
        spec: of its elements.
        place: where the graph finds the dataset when it runs.
    """

    def __init__(self, spec, place: Place):
        super().__init__(spec, make=lambda values: place.value._node)
        self.place = place


def raw(tensor):
    """The stand-in for a tensor in the trace under way; None for None."""
    from torchtf.control_flow import raw as stand_in

    return None if tensor is None else stand_in(tensor)


# -- stand-ins in plans


def _stand_ins(node: Node) -> list:
    """What a plan needs the values of, in the order in which `_bound` takes them."""
    found = [x for source in node.inputs for x in _stand_ins(source)]
    for value in vars(node).values():
        if hasattr(value, "stand_in"):
            found.append(value.stand_in)
        elif hasattr(value, "stand_ins"):
            found += value.stand_ins
    return found + getattr(node, "stand_ins", [])


def _given(node: Node) -> list[Given]:
    """The datasets of a plan that are arguments."""
    return [node] if isinstance(node, Given) else [g for n in node.inputs for g in _given(n)]


def _bound(node: Node, supply) -> Node:
    """The plan with the next values in the places of its stand-ins."""
    if not _stand_ins(node) and not _given(node):
        return node
    made = node.with_inputs(tuple(_bound(source, supply) for source in node.inputs))
    made.forget()
    for name, value in vars(node).items():
        if hasattr(value, "stand_in"):
            setattr(made, name, int(next(supply)))
        elif getattr(value, "stand_ins", None):
            setattr(made, name, value.bound([next(supply) for _ in value.stand_ins]))
    if isinstance(made, Open):
        return made.make([next(supply) for _ in made.stand_ins])
    return made


class _DatasetCall(staged.Call):
    """A node that does something with a dataset. Its inputs are the stand-ins of the plan."""

    stateful = True

    def __init__(self, dataset):
        self._dataset = dataset
        # datasets of another kind (distributed ones) are closed over as they are
        node = getattr(dataset, "_node", None)
        self.inputs = [] if node is None else _stand_ins(node)
        self._given = [] if node is None else _given(node)
        self._strings = [arena.is_handles(x) for x in self.inputs]

    def stage(self) -> list:
        return staged.stage(self, [x for x in self.inputs if x is not None])

    def _real(self, values):
        if not self.inputs and not self._given:
            return self._dataset
        given = iter(values)
        supply = [None if x is None else next(given) for x in self.inputs]
        supply = [
            arena.decode(v) if s else v for v, s in zip(supply, self._strings, strict=True)
        ]  # fmt: skip
        made = copy.copy(self._dataset)
        made._node, made._plan = _bound(self._dataset._node, iter(supply)), None
        for argument in self._given:
            made._options = argument.place.value._options.merge(made._options)
        return made


# -- iterators


class _MakeIterator(_DatasetCall):
    op = "MakeIterator"

    def outputs(self, under_way, inputs):
        return [staged.flow(under_way)]

    def run(self, *values):
        return [iter(self._real(values))]


class _IteratorCall(staged.Call):
    """A node that takes from an iterator: its input, or one from outside of the graph."""

    stateful = True

    def __init__(self, iterator, specs: Sequence[TensorSpec] = ()):
        self._iterator, self._specs = iterator, specs

    def outputs(self, under_way, inputs):
        return [_fake(under_way, s) for s in self._specs]

    def run(self, *values):
        iterator = values[0] if values else self._iterator
        return self.take(iterator.value if isinstance(iterator, Place) else iterator)

    def take(self, iterator) -> list:
        raise NotImplementedError


_FLAG = TensorSpec([], dtypes.bool_)
_COUNT = TensorSpec([], dtypes.int64)


class _HasNext(_IteratorCall):
    op = "IteratorHasNext"

    def take(self, iterator):
        return [torch.tensor(iterator._has_next())]


class _GetNext(_IteratorCall):
    op = "IteratorGetNext"

    def take(self, iterator):
        return _flat(iterator.get_next())


class _GetNextAsOptional(_IteratorCall):
    """Whether there is a next element, and it; zeros if not."""

    op = "IteratorGetNextAsOptional"

    def take(self, iterator):
        if iterator._has_next():
            return [torch.tensor(True), *_flat(iterator.get_next())]
        return [torch.tensor(False), *map(_zeros, self._specs[1:])]


class _GetValue(staged.Call):
    op = "OptionalGetValue"
    stateful = True

    def __init__(self, specs):
        self._specs = specs

    def outputs(self, under_way, inputs):
        return [_fake(under_way, s) for s in self._specs]

    def run(self, present, *values):
        if not present:
            raise errors.InvalidArgumentError(
                None, None, "The given optional does not have a value."
            )
        return values


def _fake(under_way, spec):
    return under_way.fake_like(
        spec.shape._dims, spec.dtype.torch or spec.dtype, torch.device("cpu"), rank=0
    )


def _zeros(spec):
    # a handle of 0 is the empty string
    sizes = [size or 0 for size in spec.shape._dims or ()]
    return torch.zeros(sizes, dtype=spec.dtype.torch or torch.int64)


def _flat(element) -> list:
    """The raw tensors that an element is made of."""
    flat = nest.flatten(element, expand_composites=True)
    return [arena.encode(x._data) if type(x._data) is np.ndarray else x._data for x in flat]


class GraphIterator:
    """An iterator as a traced function sees it; has the methods of `tf.data.Iterator`.

    Args:
        element_spec: the structure of specs of its elements.
        iterator: an iterator from outside, or the place of one among the arguments; or
        handle: the stand-in for one that the graph makes.
    """

    def __init__(self, element_spec, iterator=None, handle=None):
        self.element_spec = element_spec
        self._specs = _flat_specs(element_spec)
        self._iterator = iterator
        self._inputs = [] if handle is None else [handle]

    def __iter__(self):
        return self

    def __next__(self):
        return self.get_next()

    def get_next(self):
        """The next element; `OutOfRangeError` when the graph runs, if there is none."""
        return self._pack(self._stage(_GetNext, self._specs))

    def get_next_as_optional(self) -> GraphOptional:
        """The next element as an optional."""
        present, *values = self._stage(_GetNextAsOptional, [_FLAG, *self._specs])
        return GraphOptional(self.element_spec, self._specs, present, values)

    def has_next(self) -> Tensor:
        """Whether there is one more element."""
        return wrap(self._stage(_HasNext, [_FLAG])[0])

    def _stage(self, call, specs):
        return staged.stage(call(self._iterator, specs), self._inputs)

    def _pack(self, results):
        return _pack(self.element_spec, iter(results))


class GraphOptional:
    """An optional as a traced function sees it; has the methods of `tf.experimental.Optional`."""

    def __init__(self, element_spec, specs, present, values):
        self.element_spec = element_spec
        self._specs, self._present, self._values = specs, present, values

    def has_value(self, name=None) -> Tensor:
        """Whether there is a value."""
        return wrap(self._present)

    def get_value(self, name=None):
        """The value; `InvalidArgumentError` when the graph runs, if there is none."""
        results = staged.stage(_GetValue(self._specs), [self._present, *self._values])
        return _pack(self.element_spec, iter(results))


def iterate(dataset) -> GraphIterator:
    """The iterator that the graph under way makes over a dataset."""
    (handle,) = _MakeIterator(dataset).stage()
    return GraphIterator(dataset.element_spec, handle=handle)


class _SingleElement(_DatasetCall):
    op = "DatasetToSingleElement"

    def outputs(self, under_way, inputs):
        return [_fake(under_way, s) for s in _flat_specs(self._dataset.element_spec)]

    def run(self, *values):
        return _flat(self._real(values).get_single_element())


def single_element(dataset):
    """`dataset.get_single_element()` when the graph runs."""
    return _pack(dataset.element_spec, iter(_SingleElement(dataset).stage()))


class _Cardinality(_DatasetCall):
    op = "DatasetCardinality"

    def outputs(self, under_way, inputs):
        return [_fake(under_way, _COUNT)]

    def run(self, *values):
        return [self._real(values).cardinality()._data]


def cardinality(dataset) -> Tensor:
    """`dataset.cardinality()` when the graph runs."""
    return wrap(_Cardinality(dataset).stage()[0])


def _flat_specs(spec) -> list[TensorSpec]:
    """The specs of the tensors that an element is made of.

    Raises:
        NotImplementedError: for a component that cannot be part of a graph.
    """
    flat = []
    for leaf in structure.flatten(spec):
        parts = (
            [leaf]
            if isinstance(leaf, TensorSpec)
            else nest.flatten(getattr(leaf, "_component_specs", None))
        )
        for part in parts:
            if not isinstance(part, TensorSpec):
                raise NotImplementedError(
                    f"Elements with the spec {spec} cannot be part of a graph. Iterate outside the "
                    "tf.function."
                )
            flat.append(part)
    return flat


def _pack(spec, supply):
    """An element of the next stand-ins."""

    def component(leaf):
        if isinstance(leaf, TensorSpec):
            tensor = wrap(next(supply))
            if leaf.dtype is dtypes.string:
                tensor._dtype = dtypes.string
            return tensor
        parts = [wrap(next(supply)) for _ in nest.flatten(leaf._component_specs)]
        return leaf._from_components(nest.pack_sequence_as(leaf._component_specs, parts))

    return structure.map_structure(component, spec)


# -- loops


def loop(iterated, extra_test, body, get_state, set_state, names, opts, staged_loop) -> None:
    """Runs a for statement over a dataset or an iterator; see malt for the arguments.

    Args:
        staged_loop: what makes a while loop of a test and a body.
    """
    from torchtf.function.autograph_operators import and_

    iterator = iter(iterated)
    if not isinstance(iterator, GraphIterator):
        iterator = iterator._in_graph()

    def test():
        # the other test comes first: a loop that was left does not fetch another element
        if extra_test is None:
            return iterator.has_next()
        return and_(extra_test, iterator.has_next)

    staged_loop(test, lambda: body(iterator.get_next()), get_state, set_state, names, opts)


def reduce(dataset, initial_state, reduce_func):
    """`dataset.reduce(...)` as a loop of the graph under way."""
    from torchtf.function.autograph_operators import _relaxing_loop

    func = convert(reduce_func)
    state: list[Any] = nest.flatten(structure.normalize(initial_state), expand_composites=True)
    form = structure.normalize(initial_state)

    def packed():
        return nest.pack_sequence_as(form, state, expand_composites=True)

    def body(element):
        new = structure.normalize(func(packed(), element))
        flat = nest.flatten(new, expand_composites=True)
        types = [x.dtype for x in state], [x.dtype for x in flat]
        if types[0] != types[1]:
            raise TypeError(
                "The element types for the new state must match the initial state. Expected "
                f"{types[0]} but got {types[1]}."
            )
        state[:] = flat

    def set_state(values):
        state[:] = values

    state[:] = [convert_to_tensor(x) for x in state]
    names = [f"state_{i}" for i in range(len(state))]
    loop(dataset, None, body, lambda: tuple(state), set_state, names, {}, _relaxing_loop)
    return packed()


__all__ = ["GraphIterator", "GraphOptional", "Open", "iterate", "loop", "reduce", "single_element"]
