"""Open sizes: the symbols that stand for them in a trace, and what a trace assumed about them.

* Each open size is a symbol with one hint, a large prime. An op that needs two sizes equal finds
  them equal, and one that does not keeps them apart.
* A decision that a trace took by looking at hints (two sizes are equal, a size is not zero, a size
  was read as a Python number) is an assumption about the sizes of the inputs. `conditions` makes
  one Python function of all of them; a graph runs only for inputs that fulfil it.
* Layout is no assumption: kernels look at the real strides when they run.
* A size that depends on data cannot be checked before the graph runs, so a trace that fixes one to
  a number is refused.
* So a slice along an axis of such a size assumes nothing: `sliced` writes its own size as it is for
  any size of the axis. (Sympy takes milliseconds for that, a condition on an input none.)
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Sequence

import sympy
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import (
    SYMPY_INTERP,
    DimDynamic,
    ShapeEnv,
    SLoc,
    statically_known_true,
)
from torch.utils._sympy.printers import PythonPrinter

from torchtf.core.tensor import is_fake, rank_is_open

# the size that stands for an open one while tracing: large and prime, so that it equals no other
HINT = 1009

# Functions of torch that ask about sizes only to predict strides or to choose among kernels that
# compute the same.
_LAYOUT = frozenset((
    "_is_non_overlapping_and_dense_or_false", "_reshape_view_helper_core_alg",
    "are_strides_like_channels_last_or_false",
    "check_contiguous_sizes_strides", "conv", "is_channels_last_contiguous_2d",
    "is_channels_last_contiguous_3d", "is_contiguous", "is_contiguous_or_false", "should_swap",
))  # fmt: skip
_TORCH = torch.__file__.rpartition("/")[0] + "/"
# where symbolic numbers are implemented; the first is what Python code asks
_SYMBOLS = ("torch/__init__.py", "symbolic_shapes.py", "sym_node.py", "recording.py", __file__)


class Sizes(ShapeEnv):
    """The symbolic sizes of a trace.

    Sizes that depend on data (the number of true elements, `tf.range(n)`) are like those that the
    signature leaves open: an op may look at their hint.
    """

    def __init__(self, **settings):
        super().__init__(**settings)
        self._count = 0
        self._given: set[sympy.Symbol] = set()
        self.origins: list[str] = []  # for each guard, the line that needed it

    def new_size(self) -> torch.SymInt:
        from torch._dynamo.source import ConstantSource

        source = ConstantSource(f"size_{self._count}")
        self._count += 1
        # not "positive": a size may be zero
        symbol = self.create_symbol(HINT, source, DimDynamic.DYNAMIC, None, positive=None)
        return self.create_symintnode(symbol, hint=HINT, source=source)

    def create_unbacked_symint(self, source=None):
        return self.new_size()

    def note_inputs(self, inputs: Sequence[torch.Tensor]) -> None:
        """Tells which stand-ins are inputs: each call is checked for what is assumed of them."""
        self._given.update(
            s.node._expr for x in inputs for s in x.shape if isinstance(s, torch.SymInt)
        )

    def depends_on_data(self, size) -> bool:
        """Whether a size shows only when the graph runs."""
        return isinstance(size, torch.SymInt) and not size.node.expr.free_symbols <= self._given

    def _get_stack_summary(self, is_debug: bool = False, framework_loc: str | None = None):
        """Nothing: `origins` tells what needed a guard. To find the user's line, torch would import
        its exporter: 400 modules, which take 20 MiB and half of the time of a first trace.
        """
        return SLoc(framework_loc, None), ""

    def _constrain_range_for_size(self, a, min=None, max=None):
        """Checks nothing: the hint stands for any size, also where at most three are possible."""

    def evaluate_expr(self, expr, *args, **kwargs):
        asker, by_torch = _asker()
        code = asker.f_code
        if code.co_name in _LAYOUT or (
            by_torch and "slice" not in code.co_name and _sets_one_apart(expr)
        ):
            with self.suppress_guards():
                return super().evaluate_expr(expr, *args, **kwargs)
        value = super().evaluate_expr(expr, *args, **kwargs)
        for _ in range(len(self.origins), len(self.guards)):
            self.origins.append(f"{code.co_filename}:{asker.f_lineno}, in {code.co_name}")
        return value


class StandIns(FakeTensorMode):
    """Makes the stand-ins of a trace; those of parts of an axis by the rules below."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        rule = _RULES.get(func)
        if rule is not None:
            found = rule(*args, **kwargs or {})
            if found is not None:
                return found
        return super().__torch_dispatch__(func, types, args, kwargs)


def sliced(x: torch.Tensor, dim: int = 0, start=None, end=None, step: int = 1):
    """The stand-in for `x[start:end:step]` along an axis, right for any size of the axis. None
    where no size depends on data.

    Torch's own rule asks whether the bounds lie within the axis, and takes the answer for the hint.
    """
    size = x.shape[dim]
    if not is_fake(x) or not any(map(x.fake_mode.shape_env.depends_on_data, (size, start, end))):
        return None
    first, length = extent(size, start, end)
    sizes, strides = list(x.shape), list(x.stride())
    sizes[dim] = length if step == 1 else (length + step - 1) // step
    strides[dim] *= step
    return x.as_strided(sizes, strides, x.storage_offset() + first * x.stride(dim))


def parted(x: torch.Tensor, sizes: Sequence, dim: int = 0):
    """The stand-ins for parts of given sizes of an open axis; the kernel tells whether they fit.
    None for another axis.
    """
    if not is_fake(x) or not isinstance(x.shape[dim], torch.SymInt):
        return None
    parts, place = [], x.storage_offset()
    for size in sizes:
        shape = list(x.shape)
        shape[dim] = size
        parts.append(x.as_strided(shape, x.stride(), place))
        place = place + size * x.stride(dim)
    return parts


_RULES = {
    torch.ops.aten.slice.Tensor: sliced,
    torch.ops.aten.split_with_sizes.default: parted,
}


def extent(size, start, end) -> tuple:
    """Where a slice with a positive step begins, and how far it goes."""
    first = 0 if start is None else _within(start, size)
    if end is None or (isinstance(end, int) and end == sys.maxsize):
        return first, size - first
    last = _within(end, size)
    if statically_known_true(first <= last):
        return first, last - first
    if _in_order(end, 0 if start is None else start):
        return first, 0
    return first, torch.sym_max(last - first, 0)


def _within(bound, size):
    """A bound of a slice as a place from 0 to the size."""
    if bound < 0:
        return torch.sym_max(size + bound, 0)
    return bound if statically_known_true(bound <= size) else torch.sym_min(bound, size)


def _in_order(one, other) -> bool:
    """Whether a bound is at or before another one for every size."""
    known = isinstance(one, int) and isinstance(other, int)
    return known and (one < 0) == (other < 0) and one <= other


def _asker() -> tuple[types.FrameType, bool]:
    """The code that needs to know about a size, and whether it is torch's."""
    frame, from_python = sys._getframe(2), False
    while frame.f_code.co_filename.endswith(_SYMBOLS) and frame.f_back is not None:
        from_python = from_python or frame.f_code.co_filename.endswith(_SYMBOLS[0])
        frame = frame.f_back
    return frame, not from_python or frame.f_code.co_filename.startswith(_TORCH)


@functools.lru_cache(4096)
def _sets_one_apart(expr) -> bool:
    """Whether a question only sets sizes of zero and one apart from all others.

    Torch does that to broadcast and to save work; where sizes that were taken as equal are equal,
    both ways compute the same. (A slice, though, has another size then.)
    """
    symbols = sorted(expr.free_symbols, key=str)
    answers = {
        expr.xreplace({s: sympy.Integer(n) for s, n in zip(symbols, numbers, strict=False)})
        for numbers in (range(2, 99), range(99, 1, -1), [HINT] * len(symbols))
    }
    return len(answers) == 1 and isinstance(expr, sympy.logic.boolalg.Boolean)


def conditions(env: Sizes, inputs: Sequence[torch.Tensor]) -> Callable[..., bool] | None:
    """What a trace assumed about the sizes of its inputs.

    Args:
        env: the symbolic sizes of the trace.
        inputs: the stand-ins of the graph's inputs.

    Returns:
        A function that takes the inputs and tells whether their sizes fulfil every assumption;
        None where there are none.

    Raises:
        NotImplementedError: if the trace fixed a size that depends on data.
    """
    places: dict[sympy.Symbol, str] = {}
    for i, fake in enumerate(inputs):
        if rank_is_open(fake):
            continue
        for axis, size in enumerate(fake.shape):
            if isinstance(size, torch.SymInt) and size.node._expr.is_Symbol:
                places.setdefault(size.node._expr, f"x{i}.shape[{axis}]")
    printer = PythonPrinter()
    tests, used = [], set()
    for guard, origin in zip(env.guards, env.origins, strict=True):
        symbols = guard.expr.free_symbols
        if symbols <= places.keys():
            tests.append(printer.doprint(guard.expr))
            used |= symbols
        else:
            _refuse_fixed(guard.expr.free_symbols - places.keys(), env, origin)
    if not tests:
        return None
    lines = [f"    {s} = {places[s]}" for s in sorted(used, key=str)]
    test = " and ".join(f"({t})" for t in dict.fromkeys(tests))
    arguments = ", ".join(f"x{i}" for i in range(len(inputs)))
    lines += ["    try:", f"        return {test}", "    except ZeroDivisionError:"]
    source = "\n".join([f"def fits({arguments}):", *lines, "        return False"])
    scope = dict(SYMPY_INTERP)
    exec(compile(source, "<torchtf sizes>", "exec"), scope)
    return scope["fits"]


def _refuse_fixed(symbols, env: Sizes, origin: str) -> None:
    if any(env.replacements.get(s, s).is_number for s in symbols):
        raise NotImplementedError(
            f"A size that depends on data is needed as a Python number while tracing ({origin}). "
            "Read it from tf.shape, or run this part outside of tf.function."
        )
