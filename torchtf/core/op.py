"""The op decorator: turns a torch expression into a TensorFlow op.

    @op("AddV2", scalars=True)
    def add(x: Num, y: Num):
        '''x + y, elementwise.'''
        return torch.add(x, y)

* An annotation that names a type set (`Num`, `Float`, `T`, ... below) marks a tensor argument.
  Arguments with the same annotation share one element type; `T`, `U`, `V` take any type.
  `list[T]` marks a list of tensors, `T | None` an optional tensor. All else is passed as it is.
* The body gets raw torch tensors and returns raw torch tensors (or a tuple or list of them).
* Each op takes a last argument `name`, as in TensorFlow; the decorator adds it.
* The generated function has the body's signature and one fast path: plain tensors of the right type
  go straight to the body. Everything else (Python values, variables, strings, symbolic tensors,
  Keras tensors, ragged tensors, type errors) takes the one general path, `Op.call`.
* `strings="data"` (the default for `T`): the op moves elements without looking at them, so it runs
  on string tensors too, by moving integer handles; `"value"`: it may compare them, and its result
  is no string; `None`: strings are refused.
* Where torch has no kernel for a narrow float or an unsigned integer, the body runs on a wider type
  and its results are cast back; an integer result then wraps around as it should. Results that are
  of another type by nature say so in the body's annotation: `-> tuple[Real, Index]`.
* `ordered`: the op does no more than compare elements, so uint64 may run as int64 in that order.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from torchtf.core import arena, dtypes, errors, graph, shape_errors
from torchtf.core.convert import KERNEL_NAMES, OpenSizes, refuse_index_type, sizes_of, to_torch
from torchtf.core.shape_errors import sizes_text
from torchtf.core.tensor import SymbolicTensor, Tensor, is_fake, is_tensor_type, rank_is_open, wrap

_FLOAT = ("bfloat16", "half", "float", "double")
_SIGNED = ("int8", "int16", "int32", "int64")
_UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
_COMPLEX = ("complex64", "complex128")

# annotation -> the kernel names of the types allowed, in TensorFlow's order of listing
TYPE_SETS: dict[str, tuple[str, ...] | None] = {
    "T": None,
    "U": None,
    "V": None,
    "Num": (*_FLOAT, *_UNSIGNED, *_SIGNED, *_COMPLEX),
    "Real": (*_FLOAT, *_SIGNED, *_UNSIGNED),
    "Signed": (*_FLOAT, *_SIGNED),
    "SignedComplex": (*_FLOAT, *_SIGNED, *_COMPLEX),
    "Float": _FLOAT,
    "Float2": _FLOAT,
    "FloatComplex": (*_FLOAT, *_COMPLEX),
    "Float3": ("half", "float", "double"),
    "Complex": _COMPLEX,
    "Int": (*_SIGNED, *_UNSIGNED),
    "Index": ("int32", "int64"),
    "Index2": ("int32", "int64"),
    "Bool": ("bool",),
    "Int32": ("int32",),
    "UInt8": ("uint8",),
    "UIntPixel": ("uint8", "uint16"),
    "Float32": ("float",),
    "Double": ("float", "double"),
    "RealBool": (*_FLOAT, *_SIGNED, *_UNSIGNED, "bool"),
    "Wide": (*_FLOAT, "int32", "int64", *_COMPLEX),
    "Matrix": ("double", "float", "half", *_COMPLEX),
    "Matrix2": ("double", "float", *_COMPLEX),
    "Counts": ("int32", "int64", "float", "double"),
    "Ids": ("int16", "int32", "int64"),
    "Conv": (*_FLOAT, "int32"),
    "Pooled": (*_FLOAT, "int32", "int64", "uint8", "int16", "int8", "uint16"),
}
_BY_KERNEL_NAME = {name: dtype for dtype, name in KERNEL_NAMES.items()}
_ANY = frozenset(d.torch for d in dtypes.ALL if d.torch is not None)
_ALLOWED = {
    key: _ANY if names is None else frozenset(_BY_KERNEL_NAME[n] for n in names)
    for key, names in TYPE_SETS.items()
}
# the dtypes whose ops may take a Python scalar as it is, without a change of meaning
_WIDE_FLOATS = frozenset((torch.float32, torch.float64))
_SCALAR_DTYPES = {
    float: _WIDE_FLOATS,
    int: _WIDE_FLOATS | {torch.int32, torch.int64},
}

_ANNOTATION = re.compile(r"^(?P<list>list\[)?(?P<set>\w+)\]?(?P<optional>\s*\|\s*None)?$")

# types that take over an op when one of its tensor arguments is theirs: type -> handler(op, args)
dispatch_types: dict[type, object] = {}


class _Parameter:
    """A tensor parameter of an op."""

    __slots__ = ("is_list", "name", "optional", "position", "set")

    def __init__(self, position, name, match):
        self.position = position
        self.name = name
        self.set = match["set"]
        self.is_list = bool(match["list"])
        self.optional = bool(match["optional"])


class Op:
    """An op: its body, its tensor parameters, and the general way to call it."""

    def __init__(self, body, name, strings, scalars, fold, ordered, uint64, half, coerce, label):
        self.body = body
        self.ordered = ordered
        self.uint64 = uint64
        self.coerce = coerce
        self.label = label
        self._without_kernel = {torch.uint16, torch.uint32}
        if uint64:
            self._without_kernel.add(torch.uint64)
        if not half:
            self._without_kernel |= {torch.float16, torch.bfloat16}
        self.name = name
        self.strings = strings
        self.scalars = scalars
        self.fold = fold
        self.signature = inspect.signature(body)
        self.parameters = []
        for i, p in enumerate(self.signature.parameters.values()):
            annotation = p.annotation if isinstance(p.annotation, str) else ""
            match = _ANNOTATION.match(annotation)
            if match and match["set"] in TYPE_SETS:
                self.parameters.append(_Parameter(i, p.name, match))
        # Whether a list is a tensor to TensorFlow: sizes, axes, a permutation.
        self.takes_list = any(p.annotation == "list" for p in self.signature.parameters.values())
        self.public: Any = None
        # the type sets of the results, where they are annotated
        returns = self.signature.return_annotation
        self.results = re.findall(r"\b[A-Z]\w*", returns) if isinstance(returns, str) else None

    # -- the general path

    def call(self, args: tuple, name=None):
        """Calls the op on arguments of any kind, in the order of the body's parameters."""
        trace = graph.state.trace
        if trace is not None:
            for value in args:
                if type(value) is SymbolicTensor and not trace.may_use(value._data):
                    raise errors.InaccessibleTensorError(_out_of_scope(value))
        elif not torch.compiler.is_exporting():
            for value in args:
                if type(value) is SymbolicTensor:
                    raise TypeError(_out_of_scope(value))
        handler = self._dispatch(args)
        if handler is not None:
            return handler(self, args)
        if trace is None and any(hasattr(type(v), "_tape_read") for v in args):
            # variables by their values, which have the fast path
            read = [Tensor(v._tape_read()) if hasattr(type(v), "_tape_read") else v for v in args]
            return self.public(*read, name=name)
        converted = list(args)
        raw = self._convert(args)
        for parameter, value in zip(self.parameters, raw, strict=True):
            converted[parameter.position] = value
        if any(_has_strings(v) for v in raw):
            if graph.state.trace is not None:
                return self._call_on_handles(args, converted, raw, name)
            return self._call_on_strings(args, converted, raw)
        return self._run(args, converted, name)

    def _dispatch(self, args):
        for p in self.parameters:
            value = args[p.position]
            values = value if p.is_list and isinstance(value, (list, tuple)) else (value,)
            for item in values:
                kind = type(item)
                handler = dispatch_types.get(kind) or getattr(kind, "__tf_dispatch__", None)
                if handler is not None:
                    return handler
        return None

    def _convert(self, args):
        hints: dict[str, torch.dtype] = {}
        for p in self.parameters:  # the first typed value decides for its set
            if p.set not in hints and p.set not in _OWN_TYPE:
                value = args[p.position]
                values = value if p.is_list and isinstance(value, (list, tuple)) else (value,)
                for item in values:
                    dtype = _dtype_of(item)
                    if dtype is not None:
                        hints[p.set] = dtype
                        break
        raw: list[Any] = []
        first: dict[str, Any] = {}
        tracing = graph.state.trace
        for p in self.parameters:
            value = args[p.position]
            if value is None and p.optional:
                raw.append(None)
                continue
            hint = hints.get(p.set) or (first[p.set][0] if p.set in first else _OWN_HINT.get(p.set))
            if p.is_list:
                data = []
                for i, v in enumerate(_as_list(value)):
                    captured = tracing is not None and type(v) is Tensor
                    item = tracing.capture(v) if captured else self._raw(v, hint)
                    self._check(p, item, first, i)
                    hint = first[p.set][0]
                    data.append(item)
            elif (
                self.scalars
                and raw
                and type(value) in _SCALAR_DTYPES
                and getattr(raw[0], "dtype", None) in _SCALAR_DTYPES[type(value)]
            ):
                data = value  # stays a Python number, which keeps graphs simple
            else:
                try:
                    data = self._raw(value, hint)
                except TypeError as e:
                    raise (e if tracing is None else _unfit(p, self.name, value, hint, e)) from None
                if tracing is not None and type(value) is Tensor:
                    data = tracing.capture(value)
                self._check(p, data, first)
            raw.append(data)
        return raw

    def _raw(self, value, hint):
        """The data of one argument; Python values must fit the type of what is beside them."""
        if not isinstance(hint, torch.dtype):
            if hint is not None and self.coerce and type(value) in (int, float, bool, complex):
                raise TypeError(f"Cannot convert {value!r} to EagerTensor of dtype string")
            hint = None
        if self.coerce and hint is not None and type(value) in _PYTHON_VALUES:
            typed = type(value) in (list, tuple) and _dtype_of(value) is not None
            return to_torch(value, None if typed else hint, hint)
        return to_torch(value, None, hint)

    def _check(self, p, data, first, offset=0):
        """Raises unless `data` is of an allowed type and agrees with the others of its set."""
        if isinstance(data, np.ndarray) or arena.is_handles(data):
            if self.strings is None or TYPE_SETS[p.set] is not None:
                self._refuse_type(p, "string")
            dtype = dtypes.string
        else:
            dtype = data.dtype
        expected = first.setdefault(p.set, (dtype, p))
        if dtype is not expected[0]:
            self._mismatch(p, p.position + offset, dtype, *expected)
        if dtype is not dtypes.string and dtype not in _ALLOWED[p.set]:
            self._refuse_type(p, KERNEL_NAMES[dtype])

    def _mismatch(self, p, position, dtype, expected, other):
        if graph.state.trace is not None:
            raise TypeError(
                f"Input '{p.name}' of '{self.name}' Op has type {dtypes.as_dtype(dtype).name} that "
                f"does not match type {dtypes.as_dtype(expected).name} of argument '{other.name}'."
            )
        raise errors.InvalidArgumentError(
            None, None,
            f"cannot compute {self.name} as input #{position}(zero-based) was expected to be a "
            f"{KERNEL_NAMES.get(expected, 'string')} tensor but is a "
            f"{KERNEL_NAMES.get(dtype, 'string')} tensor [Op:{self.name}] name: ",
        )  # fmt: skip

    def _refuse_type(self, p, kernel_name):
        allowed = TYPE_SETS[p.set] or tuple(_BY_KERNEL_NAME)
        if len(allowed) == 1:
            found = _BY_KERNEL_NAME.get(kernel_name, dtypes.string)
            self._mismatch(p, p.position, found, _BY_KERNEL_NAME[allowed[0]], p)
        if graph.state.trace is not None:
            found = dtypes.as_dtype(_BY_KERNEL_NAME.get(kernel_name, dtypes.string))
            raise TypeError(
                f"Value passed to parameter '{p.name}' has DataType {found.name} not in list of "
                "allowed values: "
                + ", ".join(dtypes.as_dtype(_BY_KERNEL_NAME[n]).name for n in allowed)
            )
        raise errors.InvalidArgumentError(
            None, None,
            f"Value for attr 'T' of {kernel_name} is not in the list of allowed values: "
            f"{', '.join(allowed)}\n\t; NodeDef: {{{{node {self.name}}}}}; [Op:{self.name}] name: ",
        )  # fmt: skip

    def _run(self, args, converted, name):
        symbolic = graph.state.trace is not None
        before = graph.state.trace.last_node if symbolic else None
        try:
            if symbolic and _is_late(converted):
                result = graph.state.trace.late(self, converted)
            elif symbolic and self._needs_wide(converted):  # fake tensors do not miss a kernel
                result = self._run_wide(converted)
            else:
                result = self.body(*converted)
        except Exception as e:
            open_ = symbolic and (_has_open_sizes(converted) or _has_open_numbers(converted))
            result = self._late(converted) if open_ else None
            if result is None:
                result = self.recover(e, converted, name, args)
        wrapped = _wrap_all(result)
        if symbolic:
            self._annotate(args, wrapped, name, before)
        return wrapped

    def _late(self, converted):
        """The op as a node for open sizes that the body does not take; None if none would do."""
        try:
            return graph.state.trace.late(self, converted)
        except Exception:
            return None

    def _needs_wide(self, converted) -> bool:
        """Whether, as far as one can tell beforehand, torch lacks a kernel for these arguments."""
        for p in self.parameters:
            if TYPE_SETS[p.set] is not None:
                value = converted[p.position]
                x = value[0] if p.is_list and value else value
                if isinstance(x, torch.Tensor) and x.dtype in self._without_kernel:
                    return True
        return False

    def _run_wide(self, converted):
        """Runs the body on wider types than those of the arguments."""
        narrow: dict[torch.dtype, torch.dtype] = {}

        def widen(x):
            wide = _WIDER.get(x.dtype) if isinstance(x, torch.Tensor) else None
            if wide is None or (x.dtype is torch.uint64 and not self.uint64):
                return x
            narrow[wide] = x.dtype
            if self.ordered and x.dtype is torch.uint64:
                return x.view(wide) ^ _SIGN_BIT
            return x.to(wide)

        def narrowed(x, i=0):
            target = narrow.get(x.dtype)
            if target is None or not self._returns_argument_type(i):
                return x
            if self.ordered and target is torch.uint64:
                return (x ^ _SIGN_BIT).view(target)
            return x.to(target)

        result = self.body(
            *[[widen(v) for v in x] if isinstance(x, list) else widen(x) for x in converted]
        )
        if isinstance(result, torch.Tensor):
            return narrowed(result)
        parts = [narrowed(r, i) for i, r in enumerate(result)]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)

    def _returns_argument_type(self, i) -> bool:
        if self.results is None:
            return True
        kind = self.results[min(i, len(self.results) - 1)]
        return any(kind == p.set for p in self.parameters)

    def recover(self, error, converted, name=None, args=()):
        """Runs again after moving tensors to one device, or raises the error as TensorFlow's.

        Args:
            error: what the body raised.
            converted: its arguments.
            name: the name of the call.
            args: the arguments of the call, where they were not all tensors.
        """
        if isinstance(error, RuntimeError) and "on the same device" in str(error):
            return self.body(*_on_one_device(converted))
        if _lacks_kernel(error) and any(
            isinstance(x, torch.Tensor) and x.dtype in _WIDER for x in flat_arguments(converted)
        ):
            try:
                return self._run_wide(converted)
            except Exception as e:
                error = e
        slow = self.takes_list or (args and self._takes_python_values(args))
        if slow and hasattr(error, "refused_type"):
            refuse_index_type(error.refused_type)
        translated = self._translate(error, converted, name, None if slow else self.label)
        raise translated from None if _is_plain(error) else error

    def _translate(self, error, converted, name, label):
        symbolic = graph.state.trace is not None
        if isinstance(error, errors.OpError):
            if symbolic:
                return self._while_tracing(error.message, converted, name)
            if "[Op:" not in error.message:
                return self._error(error.message, converted, label, type(error))
            return error
        if isinstance(error, AssertionError) and "Mixing fake modes" in str(error):
            return errors.InaccessibleTensorError(_out_of_scope("A symbolic tensor"))
        if type(error) not in (RuntimeError, IndexError):
            return error
        message = str(error)
        broadcasts = "size of tensor" in message or "broadcast" in message
        if broadcasts:
            shapes = [t for t in converted if isinstance(t, torch.Tensor)][:2]
            if len(shapes) == 2:
                message = "Incompatible shapes: {} vs. {}".format(
                    *[sizes_text(t.shape) for t in shapes]
                )
        if symbolic:
            return self._while_tracing(message, converted, name, broadcasts)
        return self._error(message, converted, label)

    def _while_tracing(self, message, converted, name, broadcasts=False):
        """The error of a trace: a ValueError, in the words of TensorFlow's shape function."""
        trace = graph.state.trace
        if trace.root.at_run_time:
            return trace.failed(self.name, name, message)
        describe = functools.partial(trace.describe, self.name, name)
        explained = shape_errors.explain(self.name, converted, describe, broadcasts, message)
        return ValueError(explained or message)

    def _error(self, message, converted, label, kind=errors.InvalidArgumentError):
        lists = [converted[p.position] for p in self.parameters if p.is_list]
        return errors.of_kernel(
            self.name, message, label, "".join(f"_N_{len(v)}" for v in lists), kind
        )

    def _takes_python_values(self, args) -> bool:
        """Whether TensorFlow's fast path leaves a call to the slow one: it has a list whose type no
        tensor beside it decides, or a string.
        """
        typed, listed = set(), set()
        for p in self.parameters:
            value = args[p.position]
            if not (p.is_list and isinstance(value, (list, tuple))):
                value = [value]
            for item in value:
                if isinstance(item, (str, bytes)):
                    return True
                if isinstance(item, (list, tuple, np.generic)):
                    listed.add(p.set)
                elif _dtype_of(item) is not None:
                    typed.add(p.set)
        return not listed <= typed

    def _annotate(self, args, wrapped, name, before):
        """Tells the trace which op this was, and keeps sizes symbolic through size arithmetic."""
        if self.fold is not None and type(wrapped) is SymbolicTensor:
            operands = []
            for p in self.parameters:
                sizes = _known_ints(args[p.position], p.is_list)
                if sizes is None:
                    break
                operands.append(sizes)
            else:
                rest = [
                    a for i, a in enumerate(args)
                    if all(i != p.position for p in self.parameters)
                ]  # fmt: skip
                folded = self.fold(*operands, *rest)
                if folded is not None:
                    wrapped._sizes = np.asarray(folded, dtype=object)
        results = wrapped if isinstance(wrapped, (list, tuple)) else (wrapped,)
        for result in results:
            if type(result) is SymbolicTensor:
                graph.state.trace.note(result, self.name, name)
                graph.state.trace.own(before, result)

    # -- strings

    def _call_on_handles(self, args, converted, raw, name):
        """In a trace strings are handles already, except for constants."""
        for p, value in zip(self.parameters, raw, strict=True):
            if isinstance(value, list):
                converted[p.position] = [_handles(v) for v in value]
            else:
                converted[p.position] = _handles(value)
        wrapped = self._run(args, converted, name)
        if self.strings == "data":
            results = wrapped if isinstance(wrapped, (list, tuple)) else (wrapped,)
            for i, result in enumerate(results):
                if result._data.dtype is torch.int64 and self._returns_argument_type(i):
                    arena.mark(result._data)
                    result._dtype = dtypes.string
        return wrapped

    def _call_on_strings(self, args, converted, raw):
        """Runs the body on integer handles of the strings; equal strings have equal handles."""
        table: dict[bytes, int] = {b"": 0}

        def intern(array):
            flat = [table.setdefault(item, len(table)) for item in array.flat]
            return torch.tensor(flat, dtype=torch.int64).reshape(array.shape)

        for p, value in zip(self.parameters, raw, strict=True):
            if isinstance(value, np.ndarray):
                converted[p.position] = intern(value)
            elif isinstance(value, list):
                converted[p.position] = [
                    intern(v) if isinstance(v, np.ndarray) else v for v in value
                ]
        try:
            result = self.body(*converted)
        except Exception as e:
            result = self.recover(e, converted)
        if self.strings == "value":
            return _wrap_all(result)
        names = np.empty(len(table), dtype=object)
        names[:] = list(table)

        def lookup(handles, i=0):
            if not self._returns_argument_type(i):
                return wrap(handles)
            found = names[handles.numpy()]
            return Tensor(found if isinstance(found, np.ndarray) else np.array(found, dtype=object))

        if not isinstance(result, (list, tuple)):
            return lookup(result)
        parts = [lookup(r, i) for i, r in enumerate(result)]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)


_PYTHON_VALUES = frozenset((bool, int, float, complex, str, bytes, list, tuple))
# the sets of one type: arrays are cast to it, as they are to the type of a tensor beside them
_OWN_TYPE = {
    key: _BY_KERNEL_NAME[names[0]] for key, names in TYPE_SETS.items() if names and len(names) == 1
}
# the types that Python values take where nothing typed is beside them
_OWN_HINT = {"Index": torch.int32, **_OWN_TYPE}
# what to compute in where torch lacks a kernel
_WIDER = {
    torch.uint16: torch.int32,
    torch.uint32: torch.int64,
    torch.uint64: torch.int64,
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
}
_SIGN_BIT = -(2**63)


def flat_arguments(arguments):
    """The arguments of an op one by one, also those of its lists of tensors."""
    for value in arguments:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _is_late(converted) -> bool:
    """Whether a trace knows too little of the arguments to call the body."""
    return any(rank_is_open(x) or type(x) is OpenSizes for x in flat_arguments(converted))


def _has_open_sizes(converted) -> bool:
    return any(
        isinstance(s, torch.SymInt)
        for x in flat_arguments(converted)
        for s in (x.shape if isinstance(x, torch.Tensor) else (x,))
    )


def _has_open_numbers(converted) -> bool:
    """Whether an argument that bodies read as numbers, an axis, is computed by the graph."""
    return any(type(x) is SymbolicTensor for x in converted)


def _lacks_kernel(error) -> bool:
    return isinstance(error, RuntimeError) and (
        "not implemented for" in str(error) or "Low precision" in str(error)
    )


def _has_strings(value) -> bool:
    if isinstance(value, list):
        return any(map(_has_strings, value))
    return isinstance(value, np.ndarray) or arena.is_handles(value)


def _handles(value):
    """A string constant as a stand-in in the trace under way."""
    if isinstance(value, np.ndarray):
        return graph.state.trace.constant_strings(value)
    return value


def _dtype_of(value):
    """The raw dtype of a value that has one of its own."""
    if is_tensor_type(value):
        return np.dtype(object) if value.dtype is dtypes.string else value._data.dtype
    if hasattr(type(value), "_tape_read"):
        return _raw_dtype(value._tape_read())
    if isinstance(value, torch.Tensor):
        return value.dtype
    if isinstance(value, (np.ndarray, np.generic)):
        try:
            dtype = dtypes.as_dtype(value.dtype)
        except TypeError:
            return None
        return dtype.torch or np.dtype(object)
    if isinstance(value, (list, tuple)):
        for item in value:
            dtype = _dtype_of(item) if not isinstance(item, (int, float, str, bool)) else None
            if dtype is not None:
                return dtype
    return None


def _out_of_scope(tensor) -> str:
    return (
        f"{tensor!r} is out of scope and cannot be used here. Use return values, explicit Python "
        "locals or TensorFlow collections to access it.\nPlease see https://www.tensorflow.org/guide"
        "/function#all_outputs_of_a_tffunction_must_be_return_values for more information."
    )


def _raw_dtype(data):
    return np.dtype(object) if arena.is_handles(data) else data.dtype


def _as_list(value):
    if isinstance(value, (list, tuple)):
        return value
    if is_tensor_type(value) and value._data.ndim == 0:
        raise TypeError(f"Expected a list of tensors, got {value!r}")
    return list(value)


def _known_ints(value, is_list):
    """`value` as an object array of Python and symbolic ints, or None."""
    if is_list:
        parts = [_known_ints(v, False) for v in value]
        return None if any(p is None for p in parts) else parts
    sizes = sizes_of(value)
    if sizes is not None:
        return sizes
    if type(value) is Tensor and isinstance(value._data, torch.Tensor) and not is_fake(value._data):
        return np.array(value._data.tolist(), dtype=object)
    if type(value) is int or isinstance(value, torch.SymInt):
        return np.array(value, dtype=object)
    if isinstance(value, (list, tuple)):
        parts = [_known_ints(v, False) for v in value]
        if any(p is None or p.ndim for p in parts):
            return None
        out = np.empty(len(parts), dtype=object)
        out[:] = [p[()] for p in parts]
        return out
    return None


def _unfit(p, op: str, value, hint, error: TypeError) -> TypeError:
    """What TensorFlow says while tracing of a Python value of the wrong type."""
    if not isinstance(hint, torch.dtype) or type(value) not in (*_SCALAR_DTYPES, str):
        return error
    wanted, given = dtypes.as_dtype(hint).name, f"{value!r} of type {type(value).__name__!r}"
    return TypeError(
        f"Expected {wanted} passed to parameter {p.name!r} of op {op!r}, got {given} instead. "
        f"Error: Expected {wanted}, but got {given}."
    )


def _wrap_all(result):
    if type(result) is torch.Tensor or isinstance(result, torch.Tensor):
        return wrap(result)
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return type(result)(*[_wrap_all(r) for r in result])
    if isinstance(result, (list, tuple)):
        return (list if isinstance(result, list) else tuple)(_wrap_all(r) for r in result)
    return wrap(result) if isinstance(result, np.ndarray) else result


def _on_one_device(converted):
    devices = {t.device for t in converted if isinstance(t, torch.Tensor)}
    target = next((d for d in devices if d.type != "cpu"), next(iter(devices)))
    return [t.to(target) if isinstance(t, torch.Tensor) else t for t in converted]


def _is_plain(error) -> bool:
    return type(error) in (RuntimeError, IndexError)


def _source(op: Op) -> str:
    """The Python source of the op's public function: signature, fast path, general path."""
    params = list(op.signature.parameters.values())
    names = [p.name for p in params]
    keyword_only = [p.name for p in params if p.kind is inspect.Parameter.KEYWORD_ONLY]
    if keyword_only:
        raise TypeError(f"op {op.name}: keyword-only parameters are not supported")
    signature = ", ".join(
        p.name if p.default is inspect.Parameter.empty else f"{p.name}=_d_{p.name}" for p in params
    )
    call_args = ", ".join(names)
    lines = [f"def {op.body.__name__}({signature}{', ' if signature else ''}name=None):"]
    tensors = op.parameters
    fast = tensors and not any(p.is_list or p.optional for p in tensors) and len(tensors) <= 3
    if fast:
        body_args = list(names)
        for p in tensors:
            body_args[p.position] = f"_t{p.position}"
        tests: list[str] = []
        seen: dict[str, Any] = {}
        for p in tensors:
            raw = f"_t{p.position}"
            if p.set in seen:
                tests.append(f"{raw}.dtype is {seen[p.set]}.dtype")
            else:
                seen[p.set] = raw
                tests.append(f"{raw}.dtype in _allowed_{p.set}")
        kinds = " and ".join(f"type({p.name}) is _Tensor" for p in tensors)
        # while tracing, an eager tensor is closed over: the general path makes it an input
        lines.append(f"    if {kinds} and _state.trace is None:")
        for p in tensors:
            lines.append(f"        _t{p.position} = {p.name}._data")
        lines.append(f"        if {' and '.join(tests)}:")
        lines += _run_lines(", ".join(body_args), " " * 12)
        if op.scalars and len(tensors) == 2:
            first, second = tensors
            body_args[second.position] = second.name
            lines.append(
                f"    elif type({first.name}) is _Tensor and type({second.name}) in _scalars"
                " and _state.trace is None:"
            )
            lines.append(f"        _t{first.position} = {first.name}._data")
            lines.append(f"        if _t{first.position}.dtype in _scalars[type({second.name})]:")
            lines += _run_lines(", ".join(body_args), " " * 12)
    elif len(tensors) == 1 and tensors[0].is_list and not tensors[0].optional:
        (p,) = tensors
        names[p.position] = "_raw"
        lines.append(f"    if type({p.name}) is list and {p.name} and _state.trace is None:")
        lines.append(f"        _raw = [_x._data for _x in {p.name} if type(_x) is _Tensor]")
        lines.append(f"        if len(_raw) == len({p.name}):")
        lines.append("            _dtype = _raw[0].dtype")
        same = "all([_x.dtype is _dtype for _x in _raw])"
        lines.append(f"            if _dtype in _allowed_{p.set} and {same}:")
        lines += _run_lines(", ".join(names), " " * 16)
    lines.append(f"    return _op.call(({call_args}{',' if names else ''}), name)")
    return "\n".join(lines)


def _run_lines(body_args: str, indent: str) -> list[str]:
    text = f"""try:
    _r = _body({body_args})
except Exception as _e:
    _r = _op.recover(_e, [{body_args}], name)
if type(_r) is _TorchTensor and not _r.requires_grad:
    _w = _new(_Tensor)
    _w._data = _r
    return _w
return _wrap_all(_r)"""
    return [indent + line for line in text.splitlines()]


def op(
    name: str,
    *,
    strings: str | None = "data",
    scalars: bool = False,
    fold=None,
    ordered: bool = False,
    uint64: bool = True,
    half: bool = True,
    coerce: bool = True,
    label: str = "",
):
    """Makes a TensorFlow op of a function on raw torch tensors (see the module's docstring).

    Args:
        name: TensorFlow's name of the op, e.g. `"AddV2"`; it appears in messages and graphs.
        strings: how the op treats string tensors: "data", "value" or None.
        scalars: whether the second operand may reach the body as a Python scalar.
        fold: the op on NumPy object arrays of ints, if size arithmetic should stay symbolic.
        ordered: whether the op only compares elements.
        uint64: whether on uint64 the op may run as int64, because only the low bits matter.
        half: whether torch has kernels for float16 and bfloat16.
        coerce: whether a Python value that does not fit the tensors beside it is a TypeError, as
            in most ops; if False, it keeps its own type, which is an InvalidArgumentError then.
        label: what TensorFlow's errors say behind `name:`, whatever the name of the call.
    """

    def decorate(body):
        made = Op(body, name, strings, scalars, fold, ordered, uint64, half, coerce, label)
        scope = {
            "_op": made,
            "_body": body,
            "_Tensor": Tensor,
            "_TorchTensor": torch.Tensor,
            "_new": object.__new__,
            "_wrap_all": _wrap_all,
            "_scalars": _SCALAR_DTYPES,
            "_state": graph.state,
        }
        scope |= {f"_allowed_{key}": value for key, value in _ALLOWED.items()}
        scope |= {f"_d_{p.name}": p.default for p in made.signature.parameters.values()}
        exec(_source(made), scope)
        public: Any = functools.update_wrapper(scope[body.__name__], body)
        del public.__wrapped__  # the signature is the public one, with `name`
        public.__annotations__ = {}
        public.op = made
        made.public = public
        _made.append(made)
        if _observer is not None:
            scope["_body"] = _observer(made)
        return public

    return decorate


_made: list[Op] = []
_observer: Callable | None = None


def observe_bodies(observer: Callable[[Op], Callable] | None) -> None:
    """Has the fast path of each op call `observer(op)` in place of its body; None ends that."""
    global _observer
    _observer = observer
    for made in _made:
        made.public.__globals__["_body"] = made.body if observer is None else observer(made)
