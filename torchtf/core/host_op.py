"""Ops that run on the host, on NumPy arrays: those that read strings, files or protos.

    @host_op("StringLower", out="string", elementwise=True)
    def lower(input: S, encoding=""):
        '''Lower case.'''
        return each(bytes.lower, input)

* An annotation names what a tensor argument holds: `S` strings (the body gets an object array of
  `bytes`), or a type set of `core.op` (the body gets an array of that type). `list[S]` marks a list
  of tensors, `S | None` an optional one. All else is passed as it is.
* The body is one function on arrays; it returns an array, or a tuple or list of them.
* `out` tells the result's dtypes before the op runs: names of dtypes, or of parameters that hold
  them. `elementwise` says that the result has the shape of the arguments. A tracing layer needs
  both to call the body from a graph.
* While tracing, an op whose arguments are all known runs at once (`stateful` ones do not).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from torchtf.core import arena, dtypes, errors, graph
from torchtf.core.convert import KERNEL_NAMES, convert_to_tensor, from_array, to_torch
from torchtf.core.op import _ALLOWED, _ANNOTATION, TYPE_SETS, _Parameter, dispatch_types
from torchtf.core.tensor import Tensor, is_fake, to_numpy, wrap

_STRING_SET = "S"


class HostOp:
    """A host op: its body, its tensor parameters, and how to call it."""

    def __init__(self, body, name, out, elementwise, stateful, shape):
        self.body = body
        self.shape = shape
        self.name = name
        self.out = (out,) if isinstance(out, str) else tuple(out)
        self.elementwise = elementwise
        self.stateful = stateful
        self.signature = inspect.signature(body)
        self.parameters = []
        for i, p in enumerate(self.signature.parameters.values()):
            match = _ANNOTATION.match(p.annotation if isinstance(p.annotation, str) else "")
            if match and (match["set"] == _STRING_SET or match["set"] in TYPE_SETS):
                self.parameters.append(_Parameter(i, p.name, match))
        self.public = None

    def call(self, args: tuple, name=None):
        """Calls the op on arguments of any kind, in the order of the body's parameters."""
        handler = self._dispatch(args)
        if handler is not None:
            return handler(self, args)
        converted = list(args)
        for p in self.parameters:
            value = args[p.position]
            if p.is_list:
                converted[p.position] = [
                    self._array(p, v, i) for i, v in enumerate(self._items(p, value))
                ]
            elif not (value is None and p.optional):
                converted[p.position] = self._array(p, value)
        if graph.state.trace is not None and (self.stateful or any(map(_is_symbolic, converted))):
            return self._stage(converted, name)
        return self.run(converted, args, name)

    def _stage(self, converted, name):
        """Puts the op into the graph under way."""
        from torchtf.function.host_call import stage_host_op

        return stage_host_op(self, converted, name)

    def run(self, converted, args=None, name=None):
        """Runs the body on arrays and wraps what it returns.

        Args:
            converted: the arguments of the body.
            args: those of an eager call, which an error tells apart; see `errors.kernel_message`.
            name: the name of the call.
        """
        try:
            result = self.body(*converted)
        except errors.OpError as e:
            # TensorFlow's eager assertions are Python's, without a kernel to name
            if "[Op:" not in e.message and self.name != "Assert":
                plain = args is not None and self._takes_python_values(args)
                label = None if plain else name or ""
                raise errors.of_kernel(self.name, e.message, label, kind=type(e)) from e
            raise
        if isinstance(result, (tuple, list)):
            return type(result)(from_numpy(r) for r in result)
        return result if result is None else from_numpy(result)

    def _takes_python_values(self, args) -> bool:
        return any(
            isinstance(item, (str, bytes, list, tuple))
            for p in self.parameters
            for item in (self._items(p, args[p.position]) if p.is_list else [args[p.position]])
        )

    def _dispatch(self, args):
        for p in self.parameters:
            value = args[p.position]
            for item in value if p.is_list and isinstance(value, (list, tuple)) else (value,):
                kind = type(item)
                handler = dispatch_types.get(kind) or getattr(kind, "__tf_dispatch__", None)
                if handler is not None:
                    return handler
        return None

    def _items(self, p, value):
        if not isinstance(value, (list, tuple)):
            raise TypeError(
                f"Expected list for '{p.name}' argument to '{self.name}' Op, not {value!r}."
            )
        return value

    def _array(self, p, value, offset: int = 0) -> np.ndarray:
        if p.set == _STRING_SET:
            data = value._data if type(value) is Tensor else convert_string(value)
        else:
            data = to_torch(value)
        if isinstance(data, np.ndarray) or arena.is_handles(data):
            if p.set != _STRING_SET and TYPE_SETS[p.set] is not None:
                self._wrong_type(p, "string")
            return data
        kernel_name = KERNEL_NAMES[data.dtype]
        if p.set == _STRING_SET:
            raise errors.InvalidArgumentError(
                None, None,
                f"cannot compute {self.name} as input #{p.position + offset}(zero-based) was "
                f"expected to be a string tensor but is a {kernel_name} tensor [Op:{self.name}] "
                "name: ",
            )  # fmt: skip
        if data.dtype not in _ALLOWED[p.set]:
            self._wrong_type(p, kernel_name)
        return data if is_fake(data) else to_numpy(data)

    def _wrong_type(self, p, kernel_name):
        allowed = ", ".join(TYPE_SETS[p.set] or ())
        raise errors.InvalidArgumentError(
            None, None,
            f"Value for attr 'T' of {kernel_name} is not in the list of allowed values: {allowed}"
            f"\n\t; NodeDef: {{{{node {self.name}}}}}; [Op:{self.name}] name: ",
        )  # fmt: skip


def _is_symbolic(value) -> bool:
    if isinstance(value, list):
        return any(map(_is_symbolic, value))
    return is_fake(value)


def convert_string(value):
    """The raw data of a value that must hold strings; a tensor of another type comes as it is."""
    if hasattr(value, "_data") or hasattr(type(value), "_tape_read"):
        return to_torch(value)
    return convert_to_tensor(value, dtype=dtypes.string)._data


def from_numpy(array) -> Tensor:
    """A tensor of an array: an object array of `bytes` becomes a string tensor.

    An array that owns its memory becomes that of the tensor: nobody else may keep it.
    """
    if isinstance(array, np.ndarray):
        if array.dtype == object:
            return wrap(array)
        return wrap(from_array(array, None, ours=array.flags.owndata and array.flags.writeable))
    if isinstance(array, bytes):
        return wrap(object_array([array], ()))
    return wrap(to_torch(array))


def object_array(items: Iterable[bytes], shape=None) -> np.ndarray:
    """An object array of byte strings; a vector unless a shape is given."""
    items = items if isinstance(items, list) else list(items)
    out = np.empty(len(items), dtype=object)
    out[:] = items
    return out if shape is None else out.reshape(shape)


def each(function: Callable, array: np.ndarray, dtype=object) -> np.ndarray:
    """Applies a Python function to the elements of an array; the shape stays."""
    out = np.empty(array.size, dtype=dtype)
    out[:] = [function(x) for x in array.reshape(-1).tolist()]
    return out.reshape(array.shape)


def choose(name: str, value, allowed: tuple, op: str):
    """Raises InvalidArgumentError unless an attribute has one of the allowed values."""
    if value not in allowed:
        text = ", ".join(f'"{a}"' for a in allowed)
        raise errors.InvalidArgumentError(
            None, None,
            f"Value for attr '{name}' of \"{value}\" is not in the list of allowed values: {text}"
            f"\n\t; NodeDef: {{{{node {op}}}}} [Op:{op}]",
        )  # fmt: skip


def host_op(
    name: str,
    *,
    out: str | tuple[str, ...],
    elementwise: bool = False,
    stateful: bool = False,
    shape: Callable | None = None,
):
    """Makes a host op of a function on arrays (see the module's docstring).

    Args:
        name: TensorFlow's name of the op.
        out: the dtypes of the results, or the parameters that hold them.
        elementwise: whether the result has the shape of the (broadcast) arguments, perhaps with
            axes more, which `shape` tells.
        stateful: whether the op reads or changes something outside, so that each run counts.
        shape: a function of the op's arguments that tells the sizes of its one result, None for an
            open one, or None if the rank is open; for ops whose result has a shape of its own.
            Where there are several results, it gives the sizes of each.
    """

    def decorate(body):
        made = HostOp(body, name, out, elementwise, stateful, shape)
        parameters = made.signature.parameters.values()
        empty = inspect.Parameter.empty
        signature = "".join(
            f"{p.name}, " if p.default is empty else f"{p.name}=_d_{p.name}, " for p in parameters
        )
        names = "".join(f"{p.name}, " for p in parameters)
        scope = {"_op": made} | {f"_d_{p.name}": p.default for p in parameters}
        exec(
            f"def {body.__name__}({signature}name=None):\n    return _op.call(({names}), name)",
            scope,
        )
        public: Any = functools.update_wrapper(scope[body.__name__], body)
        del public.__wrapped__  # the signature is the public one, with `name`
        public.__annotations__ = {}
        public.op = made
        made.public = public
        return public

    return decorate
