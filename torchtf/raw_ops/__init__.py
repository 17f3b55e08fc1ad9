"""`tf.raw_ops`: the ops of TensorFlow's runtime under their own names and arguments.

TensorFlow generates a function from each registered op. Here

* an op whose generated function is public elsewhere is that public function: the table
  `names.txt`, made from the installed TensorFlow by scripts/other_places.py, which names all ops;
* an op that is a call of a public function with other arguments is a line of `calls.txt`;
* another op is a function of its name in the module here that is called like TensorFlow's
  (`gen_math_ops` is `_math`);
* a name that is only in the table is an op that is not supported.

The functions here take keyword arguments only; those of `tensorflow.python.ops.gen_*_ops` are the
same functions under names in snake case, and take them in order, too.
"""

from __future__ import annotations

import functools
import importlib
import importlib.resources
import importlib.util
import inspect
import re
import types

from torchtf.core import absent
from torchtf.core.places import resolve, table

# ops whose Python name would hide another one
_UNDERSCORED = {
    "Abs", "All", "Any", "Assert", "BatchNormWithGlobalNormalization", "ClipByValue", "Complex",
    "Exit", "For", "FusedBatchNorm", "HistogramFixedWidth", "If", "Max", "Min", "Pow", "Print",
    "Range", "Slice", "Stack", "Sum", "While",
}  # fmt: skip
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])")


def _ops() -> dict[str, dict[str, str]]:
    """Generated module -> op -> its public name, or its own name."""
    return table(__name__, "names.txt")


@functools.cache
def _modules() -> dict[str, str]:
    """Op -> generated module."""
    return {name: place for place, names in _ops().items() for name in names}


def snake_case(name: str) -> str:
    """The name of an op's Python function."""
    return "_" * (name in _UNDERSCORED) + _WORD.sub("_", name).lower()


@functools.cache
def _calls() -> dict[str, tuple[str, str]]:
    """Op -> its arguments and the call that it is, as text."""
    text = importlib.resources.files(__name__).joinpath("calls.txt").read_text()
    lines = (line.split(" = ", 1) for line in text.splitlines() if line and line[0] != "#")
    return {op.partition("(")[0]: (op.partition("(")[2][:-1], call) for op, call in lines}


def _compiled(name: str):
    """The function of a line of `calls.txt`."""
    arguments, call = _calls()[name]
    space = {"tf": importlib.import_module("torchtf")}
    call = f"tf.{call[:-1]}, name=name)"
    exec(f"def op({arguments}, name=None):\n    return {call}", space)  # text of our own
    public = call.partition("(")[0]
    space["op"].__doc__ = f"It is `{call}`.\n\n{resolve(public.removeprefix('tf.')).__doc__ or ''}"
    return space["op"]


def _definitions(place: str) -> types.ModuleType | None:
    """The module with the ops of a generated one that are written by hand."""
    module = f"{__name__}.{re.sub('^.*gen|_ops', '', place)}"
    return importlib.import_module(module) if importlib.util.find_spec(module) else None


def _find(name: str):
    """What carries out an op; None if nothing does."""
    place = _modules()[name]
    path = _ops()[place][name]
    if path != name:
        return resolve(path)
    return _compiled(name) if name in _calls() else getattr(_definitions(place), name, None)


@functools.cache
def function(name: str):
    """An op as its generated module has it, with arguments in order; None if it is absent."""
    found = _find(name)
    if found is None:
        return None
    if not isinstance(found, types.FunctionType):
        raise TypeError(f"{name} is a {type(found).__name__} and cannot be renamed")
    copy = types.FunctionType(
        found.__code__, found.__globals__, snake_case(name), found.__defaults__, found.__closure__
    )
    copy.__kwdefaults__ = found.__kwdefaults__
    copy.__dict__.update(found.__dict__)
    copy.__qualname__ = copy.__name__
    copy.__module__ = f"tensorflow.python.ops.{_modules()[name]}"
    copy.__doc__ = (
        f"The op `{name}` (source: `tf.raw_ops.{name}`).\n\n{found.__doc__ or ''}".strip()
    )
    return copy


def _keyword_only(op):
    """The raw form of an op."""
    keys = list(inspect.signature(op).parameters)

    @functools.wraps(op)
    def raw(*args, **kwargs):
        if args:
            raise TypeError(
                f"{op.__name__} only takes keyword args (possible keys: {keys}). "
                "Please pass these args as kwargs instead."
            )
        return op(**kwargs)

    return raw


def __getattr__(name: str):
    if name not in _modules():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    op = function(name)
    if op is None:
        raise absent.error_for(f"raw_ops.{name}")
    raw = globals()[name] = _keyword_only(op)
    return raw


def modules() -> tuple[str, ...]:
    """The names of the generated modules."""
    return tuple(_ops())


@functools.cache
def _by_snake_case(place: str) -> dict[str, str]:
    """The ops of a generated module by the names of its functions."""
    return {snake_case(name): name for name in _ops()[place]}


def positional(place: str):
    """The `__getattr__` of a generated module, whose functions take arguments in order."""
    names = _by_snake_case(place)

    def get(name: str):
        op = names.get(name, name)
        if op not in _ops()[place]:
            raise AttributeError(f"module 'tensorflow.python.ops.{place}' has no {name!r}")
        return (function(op) if op != name else None) or __getattr__(op)

    return get


def is_supported(place: str, name: str) -> bool:
    """Whether a generated module has a function of this name that works."""
    op = _by_snake_case(place).get(name)
    return op is not None and _find(op) is not None


@functools.cache
def supported() -> tuple[str, ...]:
    """The names of the ops that are here."""
    return tuple(sorted(name for name in _modules() if _find(name) is not None))


def __dir__():
    return list(supported())
