"""Host ops (`core.host_op`) in a trace: calls of their NumPy bodies, with strings as handles."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch

from torchtf.core import arena, dtypes, graph
from torchtf.core.convert import to_torch
from torchtf.core.op import flat_arguments
from torchtf.core.tensor import is_fake, rank_is_open, to_numpy, wrap
from torchtf.function import staged


class HostCall(staged.Call):
    """A host op in a graph.

    Attributes:
        host: the op.
        template: its arguments, with a `Slot` for each that the graph computes.
        specs: (sizes, dtype) of each result, None for an open size; None if the arguments of the
            trace that the call becomes a part of are to tell.
        text: that which the call was read from, if it was; see `shipped_call`.
    """

    text: str | None = None

    def __init__(self, host, template: list, specs: list | None):
        self.op = host.name
        self.stateful = host.stateful
        self.host = host
        self.template = template
        self.specs = specs
        # where the slots are, if none lies within a list: each run fills them
        self._places = None
        if not any(isinstance(x, list) for x in template):
            self._places = [(i, x) for i, x in enumerate(template) if isinstance(x, Slot)]

    @property
    def slots(self) -> list[Slot]:
        """The places of the inputs, in their order."""
        return [x for x in flat_arguments(self.template) if isinstance(x, Slot)]

    def filled(self, values: Iterable, read: Callable = lambda slot, value: value) -> list:
        """The arguments of the op with ``read(slot, value)`` in the place of each slot."""
        if self._places is not None:
            arguments = self.template.copy()
            for (i, slot), value in zip(self._places, values, strict=True):
                arguments[i] = read(slot, value)
            return arguments
        supply = iter(values)

        def fill(item):
            if isinstance(item, list):
                return [fill(x) for x in item]
            return read(item, next(supply)) if isinstance(item, Slot) else item

        return [fill(x) for x in self.template]

    def outputs(self, under_way, inputs):
        specs = self.specs
        if specs is None:
            _, specs = results_of(self.host, self.filled(inputs))
        return [under_way.fake_like(sizes, dtype, torch.device("cpu")) for sizes, dtype in specs]

    def run(self, *values):
        result = self.host.run(self.filled(values, Slot.read))
        if result is None:
            return []
        results = result if isinstance(result, (list, tuple)) else (result,)
        return [arena.encode(r._data) if type(r._data) is np.ndarray else r._data for r in results]


class Slot:
    """The place of a computed argument, and whether it holds strings."""

    def __init__(self, strings: bool):
        self.strings = strings

    def read(self, value: torch.Tensor) -> np.ndarray:
        return arena.decode(value) if self.strings else to_numpy(value)


def stage_host_op(host, arguments: list, name: str | None = None):
    """Puts a host op into the trace under way; returns its symbolic results."""
    inputs: list = []

    def replace(item):
        if isinstance(item, list):
            return [replace(x) for x in item]
        if is_fake(item):
            inputs.append(item)
            return Slot(arena.is_handles(item))
        return item

    template = [replace(x) for x in arguments]
    multiple, specs = results_of(host, arguments)
    results = staged.stage(HostCall(host, template, specs), inputs)
    tensors = [wrap(r) for r in results]
    for tensor in tensors:
        graph.state.trace.note(tensor, host.name, name)
    return multiple(tensors) if multiple is not None else tensors[0]


def results_of(host, arguments):
    """The container and the (sizes, dtype) of the results, as far as they are known."""
    container, specs = _results_by_rank(host, arguments)
    if any(map(rank_is_open, flat_arguments(arguments))):
        specs = [(None, dtype) for _, dtype in specs]
    return container, specs


def _results_by_rank(host, arguments):
    """`results_of`, as if the ranks of the arguments were those of their stand-ins."""
    names = [p.name for p in host.signature.parameters.values()]
    by_name = dict(zip(names, arguments, strict=True))

    def dtype_of(out):
        value = by_name.get(out, out)
        if is_fake(value):
            return dtypes.string if arena.is_handles(value) else value.dtype
        dtype = dtypes.as_dtype(getattr(value, "dtype", value))
        return dtypes.string if dtype is dtypes.string else dtype.torch

    if not host.out:  # it checks, or has an effect
        return tuple, []
    kinds: list = []
    several = False
    for out in host.out:
        value = by_name.get(out)
        if isinstance(value, list):  # one dtype for each of several results
            kinds += [dtype_of(v) for v in value]
            several = True
        else:
            kinds.append(dtype_of(out))
    if host.shape is not None:
        found = host.shape(*arguments)
        if not several and len(kinds) == 1:
            return None, [(found if found is None else list(found), kinds[0])]
        return list if several else tuple, list(zip(found, kinds, strict=True))
    if host.elementwise:
        flat = flat_arguments(arguments)
        shapes = [x.shape for x in flat if is_fake(x) or isinstance(x, np.ndarray)]
        return None, [(list(torch.broadcast_shapes(*shapes)), k) for k in kinds]
    probes = [_probe(host, arguments, content, size) for content, size in ((b"", 2), (b"a b", 3))]
    if any(p is None for p in probes):
        ranks = (len(x.shape) for x in flat_arguments(arguments) if hasattr(x, "shape"))
        rank = next(ranks, 0)
        return (tuple if len(kinds) > 1 else None), [([None] * rank, k) for k in kinds]
    first, second = probes
    multiple = type(first) if isinstance(first, (list, tuple)) else None
    pairs = zip(first, second, strict=True) if multiple else [(first, second)]
    sizes = [
        [x if x == y else None for x, y in zip(a.shape, b.shape, strict=True)] for a, b in pairs
    ]
    kinds = kinds if len(kinds) == len(sizes) else kinds * len(sizes)
    return multiple, list(zip(sizes, kinds, strict=True))


def _probe(host, arguments, content: bytes, size: int):
    """What the body returns for made-up arguments, or None if it does not take them."""

    def made_up(item):
        if isinstance(item, list):
            return [made_up(x) for x in item]
        if not is_fake(item):
            return item
        shape = [s if isinstance(s, int) else size for s in item.shape]
        if arena.is_handles(item):
            array = np.empty(shape, dtype=object)
            array[...] = content
            return array
        return to_numpy(torch.zeros(shape, dtype=item.dtype, device="cpu"))

    graph_state, graph.state.trace = graph.state.trace, None
    try:
        with staged.real_tensors():
            result = host.body(*map(made_up, arguments))
            if isinstance(result, (list, tuple)):
                return type(result)(np.asarray(to_numpy(to_torch(r))) for r in result)
            return np.asarray(result)
    except Exception:
        return None
    finally:
        graph.state.trace = graph_state
