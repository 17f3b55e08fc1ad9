"""Ops that a trace cannot write out in ATen calls, because it knows too little of the shapes.

* A value of unknown rank comes from branches that differ in rank, from a loop with a
  `TensorShape(None)`, from a Python function, from a signature. Its stand-in is marked
  (`core.tensor.hide_rank`); the rank that it seems to have means nothing.
* An op that meets one becomes a node that runs the op's body when the graph runs. What is known of
  the results is what they have in common for arguments of all ranks, as far as these are possible.
* In the same way an op runs that meets an open size where it needs one that it can compute with:
  an open batch beside a constant of three rows. There the sizes are tried that the others have.
* So does one whose axes the graph computes: all axes are tried.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch

from torchtf.core import arena, errors
from torchtf.core.convert import OpenSizes
from torchtf.core.shape import TensorShape, brackets
from torchtf.core.tensor import SymbolicTensor, is_fake, rank_is_open
from torchtf.function import staged

_RANKS = range(6)  # those that are tried
_MOST_TRIALS = 64
_LARGE = 4096
_PROBES = ((0, 5), (1, 7))  # what arguments are filled with, and what stands for an open size


class _Slot:
    """The place of a computed argument."""

    def __init__(self, read: Callable):
        self.read = read


_VALUE = _Slot(lambda value: value)
_SIZES = _Slot(lambda vector: vector.reshape(-1).tolist())
_AXES = _Slot(lambda vector: vector.tolist())


class LateOp(staged.Call):
    """An op as a node.

    Args:
        op: the op.
        template: its arguments, with a `_Slot` for each that the graph computes.
        specs: (sizes, dtype, example of a rank) of each result; no sizes if the rank is unknown.
        device: where the results are.
    """

    def __init__(self, op, template: list, specs: list, device):
        self.op = op.name
        self._op = op
        self._template = template
        self._specs = specs
        self._device = device

    def outputs(self, under_way, inputs):
        return [under_way.fake_like(s, d, self._device, r) for s, d, r in self._specs]

    def run(self, *values):
        arguments = _filled(self._template, iter(values))
        try:
            result = self._op.body(*arguments)
        except Exception as e:
            result = self._op.recover(e, arguments)
        return list(result) if isinstance(result, (list, tuple)) else [result]


class _ShapeCheck(staged.Call):
    """Hands a tensor on whose shape the graph is told (`set_shape`, `ensure_shape`)."""

    op = "EnsureShape"

    def __init__(self, shape: TensorShape, name: str):
        self._shape = shape
        self._name = name

    def outputs(self, under_way, inputs):
        (x,) = inputs
        dtype = x.dtype
        made = under_way.fake_like(self._shape._dims, dtype, x.device, x.dim())
        return [arena.mark(made) if arena.is_handles(x) else made]

    def run(self, x):
        if not self._shape.is_compatible_with(tuple(x.shape)):
            raise errors.InvalidArgumentError(
                None, None,
                f"Shape of tensor {self._name} {brackets(x.shape)} is not compatible with expected "
                f"shape {brackets('?' if s is None else s for s in self._shape._dims)}.",
            )  # fmt: skip
        return [x.view_as(x)]


def with_shape(data: torch.Tensor, shape: TensorShape, name: str = "") -> torch.Tensor:
    """A stand-in for the same tensor, of which this shape is now known; checked at execution."""
    return staged.stage(_ShapeCheck(shape, name.partition(":")[0]), [data])[0]


class OpenSlice(staged.Call):
    """A slice along one axis; how many elements there are, the run tells.

    A trace knows one example of an open bound, which may be cut to the size of the axis where
    other values are not.
    """

    op = "StridedSlice"

    def __init__(self, axis: int, bounds: Sequence):
        self._axis = axis
        self._bounds = [_VALUE if isinstance(b, torch.SymInt) else b for b in bounds]

    @staticmethod
    def open(bounds: Sequence) -> list:
        return [b for b in bounds if isinstance(b, torch.SymInt)]

    def outputs(self, under_way, inputs):
        x = inputs[0]
        sizes = [None if i == self._axis else n for i, n in enumerate(x.shape)]
        return [under_way.fake_like(sizes, x.dtype, x.device)]

    def run(self, x, *values):
        bounds = _filled(self._bounds, iter(values))
        return [torch.ops.aten.slice.Tensor(x, self._axis, *bounds).contiguous()]


class OpenRange(staged.Call):
    """`tf.range` of floats, or from an open start; how many numbers there are, the run tells."""

    op = "Range"

    def __init__(self, dtype: torch.dtype):
        self._dtype = dtype

    def outputs(self, under_way, inputs):
        return [under_way.fake_like([None], self._dtype, inputs[0].device)]

    def run(self, *bounds):
        from torchtf.array_ops._making import check_range, count_up

        numbers = [b.item() for b in bounds]
        check_range(*numbers)
        return [count_up(numbers, self._dtype, bounds[0].device)]


def _is_plain(item) -> bool:
    return isinstance(item, (list, tuple)) and not hasattr(item, "_fields")


def _template(arguments: Iterable, inputs: list) -> list:
    """The arguments with slots; appends what belongs there to `inputs`."""
    made: list = []
    for item in arguments:
        if _is_plain(item):
            made.append(type(item)(_template(item, inputs)))
        elif type(item) is OpenSizes:
            inputs.append(item.data)
            made.append(_SIZES)
        elif type(item) is SymbolicTensor:
            inputs.append(item._data)
            made.append(_AXES)
        elif is_fake(item) or isinstance(item, torch.SymInt):
            inputs.append(item)
            made.append(_VALUE)
        else:
            made.append(item)
    return made


def _slots(template: Iterable) -> Iterable[_Slot]:
    for item in template:
        if _is_plain(item):
            yield from _slots(item)
        elif type(item) is _Slot:
            yield item


def _filled(template: Iterable, values) -> list:
    return [
        type(x)(_filled(x, values))
        if _is_plain(x)
        else x.read(next(values))
        if type(x) is _Slot
        else x
        for x in template
    ]


def stage_late(op, arguments: list):
    """Puts an op on arguments of partly unknown shape into the trace under way.

    Args:
        op: a `core.op.Op`.
        arguments: those of its body, raw.

    Returns:
        Raw stand-ins of the results, in the container that the body returns.

    Raises:
        Exception: that of the body, if it takes arguments of no shape that is possible.
    """
    inputs: list = []
    template = _template(arguments, inputs)
    if _SIZES in template:
        # of the kind of reshape: the first tensor among the arguments, in the shape given
        like = next(x for a, x in zip(_slots(template), inputs, strict=True) if a is _VALUE)
        container, specs = None, [(None, like.dtype, 1)]
    else:
        container, specs = _common_results(op, template, inputs)
    device = next(x.device for x in inputs if is_fake(x))
    results = staged.stage(LateOp(op, template, specs, device), inputs)
    if container is None:
        return results[0]
    return container(*results) if hasattr(container, "_fields") else container(results)


def _common_results(op, template, inputs):
    """The container of the results and (sizes, dtype, example of a rank) of each."""
    from torchtf.function.trace import init_scope

    hints = _known_numbers(template, inputs)
    found: list = []
    container = error = None
    for shapes, axes in itertools.product(_possible(inputs), _possible_axes(template, inputs)):
        try:
            with init_scope(), torch.no_grad(), torch.random.fork_rng(devices=[]):
                container, results = _try(op, template, inputs, shapes, hints, axes)
        except Exception as e:
            error = error or e
            continue
        if found and len(results) != len(found):
            raise ValueError(f"The number of results of {op.name} depends on an unknown shape")
        found = results if not found else list(map(_in_common, found, results))
        if found and all(sizes is None for sizes, _, _ in found):
            break
    if not found and error is not None:
        raise error
    return container, found


def _in_common(a, b):
    (one, dtype, rank), (other, _, _) = a, b
    if one is None or other is None or len(one) != len(other):
        return None, dtype, rank
    return [x if x == y else None for x, y in zip(one, other, strict=True)], dtype, rank


def _possible(inputs: Sequence) -> Iterable[list]:
    """Shapes that the inputs may have: None for an open size, None in place of a scalar."""
    unranked = [i for i, x in enumerate(inputs) if rank_is_open(x)]
    known = [_sizes(x) for x in inputs]
    if unranked:
        several = len(unranked) > 1
        choices: Iterable = (
            sorted(itertools.product(range(4), repeat=2), key=lambda pair: pair[0] != pair[1])
            if len(unranked) == 2
            else [(r,) * len(unranked) for r in _RANKS]
        )
        example = tuple(inputs[i].dim() for i in unranked)
        for ranks in itertools.chain([example], choices) if several else _from(example[0]):
            shapes = list(known)
            for i, rank in zip(unranked, ranks, strict=True):
                shapes[i] = [None] * rank
            yield shapes
        return
    sizes = {s for shape in known for s in shape or () if isinstance(s, int)} | {1}
    places = [(i, axis) for i, shape in enumerate(known)
              for axis, s in enumerate(shape or ()) if s is None]  # fmt: skip
    choices = itertools.product(sorted(sizes, reverse=True) + [None], repeat=len(places))
    for chosen in itertools.islice(choices, _MOST_TRIALS):
        shapes = [None if shape is None else list(shape) for shape in known]
        for (i, axis), size in zip(places, chosen, strict=True):
            shapes[i][axis] = size
        yield shapes


def _possible_axes(template, inputs: Sequence) -> list[dict[int, np.ndarray]]:
    """The axes that computed arguments may name, by the place of the argument."""
    places = [i for i, slot in enumerate(_slots(template)) if slot is _AXES]
    rank = max((x.dim() for x in inputs if isinstance(x, torch.Tensor)), default=0)
    return [
        dict(zip(places, chosen, strict=True))
        for chosen in itertools.product(*(_axes(inputs[i], rank) for i in places))
    ]


def _axes(vector: torch.Tensor, rank: int) -> list[np.ndarray]:
    """What a vector of axes, or a scalar that is one, may hold for a tensor of this rank."""
    if vector.dim() == 0:
        return list(np.arange(rank))
    counts = vector.shape if isinstance(vector.shape[0], int) else range(rank + 1)
    # all axes are tried at each place of an order of them
    orders = (list(range(i, rank)) + list(range(i)) for i in range(1, rank) if rank in counts)
    some = (c for n in counts for c in itertools.combinations(range(rank), n))
    chosen = itertools.chain(orders, some)
    return [np.array(c, int) for c in itertools.islice(chosen, _MOST_TRIALS)]


def _from(example: int) -> Iterable[tuple[int]]:
    return [(r,) for r in sorted(_RANKS, key=lambda r: r != example)]


def _sizes(x) -> list | None:
    if not isinstance(x, torch.Tensor):
        return None
    return [s if isinstance(s, int) else None for s in x.shape]


def _try(op, template, inputs, shapes, hints, axes):
    """What the body returns for arguments of given shapes, found by running it on small ones.

    An open size may have to fit one that is known (`hints`). Some arguments are given (`axes`).
    """
    found: list = []
    error = None
    for content, size in (*_PROBES, *((0, n) for n in hints)):
        if len(found) == len(_PROBES):
            break
        values = [
            axes[i]
            if i in axes
            else torch.full([size if n is None else n for n in s], content, dtype=x.dtype)
            if is_fake(x) and s is not None
            else size
            for i, (s, x) in enumerate(zip(shapes, inputs, strict=True))
        ]
        try:
            result = op.body(*_filled(template, iter(values)))
        except Exception as e:
            error = error or e
            continue
        container = type(result) if isinstance(result, (list, tuple)) else None
        results = result if container else [result]
        found.append([(list(r.shape), r.dtype, r.dim()) for r in results])
        fitting = size
    if not found:
        raise error
    if len(found) == len(_PROBES):
        return container, list(map(_in_common, *found))
    return container, [
        ([None if n == fitting else n for n in sizes], *rest) for sizes, *rest in found[0]
    ]


def _known_numbers(template, inputs) -> list[int]:
    """The sizes that are known among the arguments and the numbers that may stand for one."""
    found = {n for x in inputs if is_fake(x) for n in x.shape if isinstance(n, int)} | {1}
    for item in template:
        if isinstance(item, list) and all(type(n) is int for n in item):
            found |= {*item, math.prod(item)}
        elif type(item) is int:
            found.add(item)
    return sorted(n for n in found if 0 < n < _LARGE)
