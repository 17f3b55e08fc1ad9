"""Host ops (`core.host_op`) in a trace: calls of their NumPy bodies, with strings as handles."""

from __future__ import annotations

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
        template: the op's arguments, with a `_Slot` for each that the graph computes.
        specs: (sizes, dtype) of each result; None for an open size.
    """

    def __init__(self, host, template: list, specs: list):
        self.op = host.name
        self.stateful = host.stateful
        self._host = host
        self._template = template
        self._specs = specs

    def outputs(self, under_way, inputs):
        return [under_way.fake_like(sizes, dtype, torch.device("cpu"))
                for sizes, dtype in self._specs]  # fmt: skip

    def run(self, *values):
        supply = iter(values)

        def fill(item):
            if isinstance(item, list):
                return [fill(x) for x in item]
            return item.read(next(supply)) if isinstance(item, _Slot) else item

        result = self._host.run([fill(x) for x in self._template])
        if result is None:
            return []
        results = result if isinstance(result, (list, tuple)) else (result,)
        return [arena.encode(r._data) if type(r._data) is np.ndarray else r._data for r in results]


class _Slot:
    """The place of a computed argument."""

    def __init__(self, fake):
        self._strings = arena.is_handles(fake)

    def read(self, value: torch.Tensor) -> np.ndarray:
        return arena.decode(value) if self._strings else to_numpy(value)


def stage_host_op(host, arguments: list, name: str | None = None):
    """Puts a host op into the trace under way; returns its symbolic results."""
    inputs: list = []

    def replace(item):
        if isinstance(item, list):
            return [replace(x) for x in item]
        if is_fake(item):
            inputs.append(item)
            return _Slot(item)
        return item

    template = [replace(x) for x in arguments]
    multiple, specs = _results(host, arguments)
    results = staged.stage(HostCall(host, template, specs), inputs)
    tensors = [wrap(r) for r in results]
    for tensor in tensors:
        graph.state.trace.note(tensor, host.name, name)
    return multiple(tensors) if multiple is not None else tensors[0]


def _results(host, arguments):
    """The container and the (sizes, dtype) of the results, as far as they are known."""
    container, specs = _results_by_rank(host, arguments)
    if any(map(rank_is_open, flat_arguments(arguments))):
        specs = [(None, dtype) for _, dtype in specs]
    return container, specs


def _results_by_rank(host, arguments):
    """`_results`, as if the ranks of the arguments were those of their stand-ins."""
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
