"""Open sizes: the symbols that stand for them in a trace, and what a trace assumed about them.

* Each open size is a symbol with one hint, a large prime. An op that needs two sizes equal finds
  them equal, and one that does not keeps them apart.
* A decision that a trace took by looking at hints (two sizes are equal, a size is not zero, a size
  was read as a Python number) is an assumption about the sizes of the inputs. `conditions` makes
  one Python function of all of them; a graph runs only for inputs that fulfil it.
* Layout is no assumption: kernels look at the real strides when they run.
* A size that depends on data cannot be checked before the graph runs, so a trace that fixes one to
  a number is refused.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Sequence

import sympy
import torch
from torch.fx.experimental.symbolic_shapes import SYMPY_INTERP, DimDynamic, ShapeEnv, SLoc
from torch.utils._sympy.printers import PythonPrinter

from torchtf.core.tensor import rank_is_open

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
