"""`tf.function`: a Python function traced once for each signature it is called with."""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
import types
import weakref
from collections.abc import Callable

import numpy as np
import torch

from torchtf.core import graph, nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.errors import InaccessibleTensorError, OpError
from torchtf.core.log import get_logger
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec, TypeSpec
from torchtf.core.tensor import SymbolicTensor, Tensor, is_tensor_type, wrap
from torchtf.function import arguments_kept, signature, variable_arguments
from torchtf.function.autograph import feature_set
from torchtf.function.concrete import BySizes, ConcreteFunction, template_of
from torchtf.function.function_type import pretty
from torchtf.function.object_arguments import Places

_run_eagerly = False


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Runs the bodies of all functions in Python, untraced (source: `tf.config`)."""
    global _run_eagerly
    _run_eagerly = bool(run_eagerly)


def functions_run_eagerly() -> bool:
    """Whether `run_functions_eagerly(True)` is in force (source: `tf.config`)."""
    return _run_eagerly


class Function:
    """A function with a cache of traced graphs.

    (source: `tf.types.experimental.PolymorphicFunction`)

    Made by `function`; see there for the arguments.
    """

    def __init__(
        self,
        python_function: Callable,
        name: str,
        input_signature=None,
        autograph: bool = True,
        jit_compile: bool | None = None,
        reduce_retracing: bool = False,
        features: tuple = (),
        attributes: dict | None = None,
    ):
        self._function = python_function
        self._features = features
        self._attributes = attributes or {}
        self._name = name
        self._autograph = autograph
        self._jit_compile = jit_compile
        self._reduce_retracing = reduce_retracing
        self._lock = threading.RLock()
        self._cache: dict = {}
        self._places = Places()
        self._concrete: list[ConcreteFunction] = []
        self._relaxable: dict = {}  # arguments without shapes -> the flat signatures and graphs
        self._created_variables = False
        self._trace_count = 0
        self._calls = 0
        self._retracing = _detector_of(python_function)
        self._inline = False
        self._bound: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
        functools.update_wrapper(self, python_function, updated=())
        self._signature = inspect.signature(python_function)
        if input_signature is not None:
            _check_specs(input_signature)
            names = list(self._signature.parameters)
            count = len(input_signature) + (names[:1] == ["self"])  # a method that is not bound yet
            self._signature = _without_variadic(self._signature, count)
        self._parameter_names = list(self._signature.parameters)
        kinds = {p.kind for p in self._signature.parameters.values()}
        self._plain = kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD}
        self._defaults = {
            n: p.default
            for n, p in self._signature.parameters.items()
            if p.default is not inspect.Parameter.empty
        }
        self._input_signature = self._check_signature(input_signature)
        self._open_ranks = any(
            isinstance(s, TensorSpec) and s.shape.rank is None
            for s in nest.flatten(list(self._input_signature or ()), True)
        )
        self._by_rank = False

    def __reduce__(self):
        """Travels as the function and its settings; traces are made where it arrives."""
        return Function, (
            self.python_function, self._name, self._input_signature, self._autograph,
            self._jit_compile, self._reduce_retracing, self._features, self._attributes,
        )  # fmt: skip

    # -- what it is

    @property
    def python_function(self) -> Callable:
        """The function that is traced."""
        function = self._function
        return function.method() if type(function) is _WeakMethod else function

    @property
    def name(self) -> str:
        return self._name

    @property
    def input_signature(self):
        return self._input_signature

    @property
    def function_spec(self):
        return self._signature

    def experimental_get_tracing_count(self) -> int:
        """How often the Python function has been traced."""
        return self._trace_count

    def _list_all_concrete_functions(self) -> list[ConcreteFunction]:
        """The traces so far; Keras asks for them under this name."""
        return list(self._concrete)

    def pretty_printed_concrete_signatures(self, verbose: bool = True) -> str:
        return "\n\n".join(c.pretty_printed_signature(verbose) for c in self._concrete)

    def __get__(self, instance, owner=None):
        """Binds the function to an object, with traces of its own for each."""
        if instance is None:
            return self
        try:
            found = self._bound.get(instance)
        except TypeError:
            found = instance.__dict__.get(f"_tf_function_{self._name}")
        if found is None:
            try:
                found = self._clone(_WeakMethod(self._function, instance))
                self._bound[instance] = found
            except TypeError:  # unhashable or without weak references
                found = self._clone(types.MethodType(self._function, instance))
                instance.__dict__[f"_tf_function_{self._name}"] = found
        return found

    def _clone(self, python_function) -> Function:
        return Function(
            python_function, self._name, self._input_signature, self._autograph,
            self._jit_compile, self._reduce_retracing, self._features, self._attributes,
        )  # fmt: skip

    def _decorate(self, decorator: Callable) -> None:
        """Puts a decorator around the Python function; Sonnet's modules do.

        Raises:
            ValueError: if the function has been traced.
        """
        if self._trace_count:
            raise ValueError("Functions cannot be decorated after they have been traced.")
        decorated = self._clone(decorator(self.python_function))
        self.__dict__.clear()
        self.__dict__.update(decorated.__dict__)

    def _check_signature(self, specs):
        if specs is None:
            return None
        names = [
            n for n, p in self._signature.parameters.items()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]  # fmt: skip
        if names[:1] == ["self"]:
            names = names[1:]  # a method in its class: the signature is that of the bound one
        if len(specs) > len(names):
            raise TypeError(
                f"input_signature contains {len(specs) - len(names)} extra type constraints."
            )
        for name in names[len(specs) :]:
            if name not in self._defaults:
                raise TypeError(f"input_signature missing type constraint for {name}")
        return tuple(specs)

    # -- calling it

    def __call__(self, *args, **kwargs):
        if _run_eagerly:
            return self.python_function(*args, **kwargs)
        if graph.state.trace is not None:
            return self._call_in_trace(args, kwargs)
        leaves: list = []
        if self._input_signature is not None:
            args = self._cast_to_signature(args, kwargs, leaves)
            key = self._signature_key(args)
        elif not kwargs and self._plain and len(args) == len(self._parameter_names):
            key = tuple([signature.encode(a, leaves) for a in args])
        else:
            args = self._canonical(args, kwargs)
            key = tuple([signature.encode(a, leaves) for a in args])
        concrete = self._cache.get(key)
        self._calls += 1
        if concrete is None:
            seen, objects = self._places.find(args)
            if objects:
                return self._call_on_objects(seen, objects, leaves)
            concrete = self._graph_for(key, args)
        return concrete.call_flat(leaves)

    def _call_on_objects(self, args, objects, leaves):
        """A call with iterators or datasets, for which `args` has stand-ins."""
        if self._input_signature is not None:
            key = self._signature_key(args)
        else:
            before: list = []
            key = tuple([signature.encode(a, before) for a in args])
        with contextlib.ExitStack() as stack:
            for place, value in objects:
                stack.enter_context(place.holding(value))
            concrete = self._cache.get(key) or self._graph_for(key, args)
            return concrete.call_flat(leaves)

    def _signature_key(self, args):
        """The cache key under an input signature: the ranks, where each has a trace of its own, and
        what is no tensor.
        """
        opaque = tuple([signature.encode(args[i], []) for i in self._opaque])
        if not self._by_rank:
            return opaque or None
        return opaque + tuple(
            None if x is None else len(x._data.shape)
            for a, s in zip(args, self._input_signature, strict=False)
            for x, spec in zip(nest.flatten(a, True), nest.flatten(s, True), strict=True)
            if isinstance(spec, TensorSpec) and spec.shape.rank is None
        )

    @functools.cached_property
    def _opaque(self) -> list[int]:
        """The places of iterators, datasets and optionals in `input_signature`: each of them has
        its trace.
        """
        return [i for i, s in enumerate(self._input_signature) if _is_opaque(s)]

    def _call_in_trace(self, args, kwargs):
        """Within another trace the function's graph becomes part of that trace's.

        Its Python still runs once per signature. A function that uses symbolic tensors of the trace
        around it otherwise than as arguments has no graph of its own: its Python runs here.
        """
        leaves: list = []
        if self._input_signature is not None:
            args = self._cast_to_signature(args, kwargs, leaves)
            key = self._signature_key(args)
        else:
            args = self._canonical(args, kwargs)
            key = tuple([signature.encode(a, leaves) for a in args])
        if not self._inline and not self._closes_over_symbols():
            concrete = self._cache.get(key) or self._trace_apart(key, args)
            if concrete is not None and concrete.replayable:
                return concrete.call_flat(leaves)
        return self._invoke(self._converted(), args)

    def _trace_apart(self, key, args) -> ConcreteFunction | None:
        from torchtf.function.trace import init_scope

        count = self._trace_count
        try:
            with init_scope():
                return self._graph_for(key, args)
        except (InaccessibleTensorError, AssertionError) as e:
            if isinstance(e, AssertionError) and "Mixing fake modes" not in str(e):
                raise
            self._inline, self._trace_count = True, count
            return None

    def _closes_over_symbols(self) -> bool:
        function = getattr(self.python_function, "__func__", self.python_function)
        return any(_is_symbolic_cell(cell) for cell in getattr(function, "__closure__", None) or ())

    def _canonical(self, args, kwargs) -> tuple:
        """All arguments by position, with defaults filled in.

        Raises:
            TypeError: if they do not fit the function's parameters.
        """
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as e:
            raise self._misfit(str(e), args, kwargs) from None
        bound.apply_defaults()
        return tuple(bound.arguments[n] for n in self._parameter_names)

    def _misfit(self, why: str, args, kwargs) -> TypeError:
        """TensorFlow's error for arguments that do not fit."""
        specs = dict(zip(self._parameter_names, self._input_signature or (), strict=False))
        parameters = []
        default = Verbatim("<captured_default_value>")
        for p in self._signature.parameters.values():
            if p.name in specs:
                kept = p.empty if p.default is p.empty else default
                spec = Verbatim(pretty(specs[p.name]))
                parameters.append(p.replace(default=kept, annotation=spec))
            elif p.default is not p.empty:
                fixed = p.empty if not specs else Verbatim(pretty(p.default))
                parameters.append(p.replace(default=default, annotation=fixed))
            else:
                parameters.append(p)
        return TypeError(
            f"Binding inputs to tf.function failed due to `{why}`. Received args: {args} and "
            f"kwargs: {kwargs} for signature: {inspect.Signature(parameters)}."
        )

    def _invoke(self, function, values: tuple):
        if self._plain:
            return function(*values)
        bound = inspect.BoundArguments(
            self._signature, dict(zip(self._parameter_names, values, strict=True))
        )
        return function(*bound.args, **bound.kwargs)

    def _converted(self):
        """The Python function, with its control flow converted if AutoGraph is on."""
        from torchtf.function import autograph

        if not self._autograph:
            return autograph.do_not_convert(self.python_function)
        return autograph.convert(self.python_function, self._features)

    def _cast_to_signature(self, args, kwargs, leaves: list) -> tuple:
        """The canonical arguments, as tensors that fit `input_signature`.

        Raises:
            TypeError: if one does not.
        """
        values = self._canonical(args, kwargs)
        try:
            return self._cast(values, leaves)
        except _Misfit as e:
            raise self._misfit(str(e), args, kwargs) from None

    def _cast(self, values: tuple, leaves: list) -> tuple:
        out = list(values)
        for i, want in enumerate(self._input_signature):
            if _is_opaque(want):
                if not want.is_compatible_with(values[i]):
                    raise _Misfit(f"Can not cast {values[i]!r} to {want!r}")
                continue
            flat_specs = nest.flatten(want, True)
            nested = nest.is_nested(want) or nest.is_composite_spec(want)
            _check_structure(values[i], want)
            _check_composites(values[i], want)
            try:
                flat = nest.flatten(values[i], True) if nested else [values[i]]
            except TypeError:
                flat = [values[i]]
            if len(flat) != len(flat_specs):
                raise _Misfit(
                    "Structure of Python function inputs does not match input_signature: inputs "
                    f"({values[i]!r}), input_signature ({want!r})"
                )
            fitted = [self._fit(v, s) for v, s in zip(flat, flat_specs, strict=True)]
            leaves.extend(fitted)
            out[i] = nest.pack_sequence_as(want, fitted, True) if nested else fitted[0]
        for name, value in zip(self._parameter_names[len(self._input_signature) :],
                               values[len(self._input_signature) :], strict=True):  # fmt: skip
            default = self._defaults[name]  # what the signature leaves out stays as it is
            if value is not default and value != default:
                raise _Misfit(f"Can not cast {value!r} to {pretty(default)}")
        return tuple(out)

    def _fit(self, value, spec):
        if not isinstance(spec, TensorSpec):
            return value
        if hasattr(type(value), "_tape_read"):
            value = wrap(value._tape_read())
        if is_tensor_type(value):
            tensor = value
        else:
            try:
                tensor = convert_to_tensor(value, spec.dtype)
            except (ValueError, TypeError) as e:
                raise _Misfit(str(e)) from None
        if tensor.dtype is not spec.dtype or not spec.shape.is_compatible_with(tensor.shape):
            have = TensorSpec(tensor.shape, tensor.dtype, spec.name)
            raise _Misfit(f"Can not cast {have!r} to {spec!r}")
        return tensor

    # -- tracing

    def _graph_for(self, key, args) -> ConcreteFunction:
        """What runs calls with this key: a second trace, if the first one creates variables."""
        return self._find_or_trace(key, args) or self._find_or_trace(key, args)

    def _find_or_trace(self, key, args) -> ConcreteFunction | None:
        with self._lock:
            concrete = self._cache.get(key)
            if isinstance(concrete, ConcreteFunction):
                return concrete
            wanted = args
            if self._input_signature is not None:
                wanted = self._input_signature_args(args)
            elif self._reduce_retracing and not graph.state.on_trial:
                wanted, concrete = self._relax(key, args)
                if concrete is not None:
                    self._cache[key] = concrete
                    return concrete
            try:
                concrete = self._trace(wanted, args)
            except Exception as error:
                if _SIZE_UNKNOWN in str(error):
                    raise
                if self._open_ranks and not self._by_rank:
                    # an op needs to know a rank: one trace for each
                    self._by_rank = True
                    try:
                        return self._find_or_trace(self._signature_key(args), args)
                    except Exception:
                        raise error from None
                found = self._traced_by_sizes(wanted, args, error)
                if found is None:
                    raise
                if not graph.state.on_trial:
                    self._cache[key] = found
                return found
            if concrete is not None and not graph.state.on_trial:
                self._cache[key] = concrete
                self._concrete.append(concrete)
                if self._reduce_retracing:
                    self._relaxable.setdefault(_shapes_out(key), []).append(concrete)
            return concrete

    def _traced_by_sizes(self, wanted, args, error: Exception) -> BySizes | None:
        """What runs calls if a trace with open sizes failed in an op that must know them.

        Returns:
            None if the sizes of the present call do not help.
        """
        leaves: list[Tensor] = []
        for a in args:
            signature.map_leaves(lambda t, path: leaves.append(t) or t, a)
        if isinstance(error, InaccessibleTensorError) or not _failed_in_op(error):
            return None
        found = by_sizes(self._converted, self._name, self._signature, wanted, self._jit_compile)
        if found is None or any(isinstance(x, TensorSpec) for x in leaves):
            return None
        if not found.knows_more(leaves):
            return None
        try:
            concrete = found.concrete_for(leaves)
        except Exception:
            return None
        return found if concrete.failure is None else None

    def _input_signature_args(self, args):
        specs = self._input_signature
        if self._by_rank:
            specs = [
                nest.map_structure(_with_rank_of, s, a)
                if nest.is_nested(s)
                else s
                if nest.is_composite_spec(s)
                else _with_rank_of(s, a)
                for s, a in zip(specs, args, strict=False)
            ]
        made = [*specs, *args[len(specs) :]]
        for i in self._opaque:
            made[i] = args[i]
        return tuple(made)

    def _relax(self, key, args):
        """With `reduce_retracing`: the arguments in the most general form that calls had so far.

        Returns:
            The arguments and, if there is one, the graph that fits them.
        """
        leaves: list[TensorSpec] = []
        signature.map_arguments(
            lambda t, *place: leaves.append(signature.spec_of(t, None)) or t, self._signature, args
        )
        general = leaves
        for concrete in self._relaxable.get(_shapes_out(key), ()):
            known = concrete._input_specs
            joined = [_joined(k, s) for k, s in zip(known, leaves, strict=True)]
            if all(k.shape._dims == g.shape._dims for k, g in zip(known, joined, strict=True)):
                return args, concrete
            general = [_joined(k, s) for k, s in zip(known, general, strict=True)]
        supply = iter(general)
        return signature.map_arguments(lambda *leaf: next(supply), self._signature, args), None

    def _trace(self, args, examples) -> ConcreteFunction | None:
        """Traces for canonical arguments in which tensors or specs stand for tensors.

        Args:
            args: the arguments.
            examples: those of the call; initial values of variables may depend on them.

        Returns None if the first trace created variables, so that it must be traced again.
        """
        first = not self._created_variables and not self._concrete
        self._trace_count += 1
        warn = not self._created_variables or self._concrete
        concrete, created = trace_concrete(
            self._converted, self._name, self._signature, args, self._jit_compile,
            may_create_variables=first, examples=examples,
        )  # fmt: skip
        if concrete is not None:
            concrete.attributes = self._attributes
        if warn:
            self._retracing.traced(self, self._calls)
        if created:
            self._created_variables = True
            return None
        return concrete

    def get_concrete_function(self, *args, **kwargs) -> ConcreteFunction:
        """The traced graph for a signature; traces if it is new.

        Args:
            *args, **kwargs: arguments, in which `tf.TensorSpec`s may stand for tensors. May be
                left out when the function has an `input_signature`.

        Raises:
            TypeError: if they do not fit the function.
            NotImplementedError: if one is the spec of an iterator, dataset or optional.
        """
        if graph.state.trace is not None:
            from torchtf.function.trace import init_scope

            with init_scope():
                return self.get_concrete_function(*args, **kwargs)
        if self._input_signature is not None:
            if args or kwargs:
                given = self._canonical(args, kwargs)
                for value, spec in zip(given, self._input_signature, strict=False):
                    _check_compatible(value, spec)
            if self._opaque:
                if not (args or kwargs):
                    raise _no_object()
                cast = self._cast_to_signature(args, kwargs, [])
                return self._concrete_for(self._signature_key(cast), cast)
            fixed = [None] * len(self._parameter_names)
            fixed[: len(self._input_signature)] = self._input_signature
            for i, n in enumerate(self._parameter_names):
                if i >= len(self._input_signature):
                    if n not in self._defaults:
                        raise TypeError(f"missing a required argument: '{n}'")
                    fixed[i] = self._defaults[n]
            return self._concrete_for(None, tuple(fixed))
        canonical = self._canonical(args, kwargs)
        if any(_is_opaque(s) for a in canonical for s in nest.flatten(a)):
            raise _no_object()
        return self._concrete_for(tuple([_encode_specs(a) for a in canonical]), canonical)

    def _concrete_for(self, key, args) -> ConcreteFunction:
        """The one graph of a signature; `_graph_for` may have one for each choice of sizes."""
        found = self._cache.get(key)
        return found if isinstance(found, ConcreteFunction) else self._graph_for(key, args)


def _check_specs(specs) -> None:
    """Raises TypeError unless an input signature is a sequence of (nested) specs."""
    if not isinstance(specs, (list, tuple)):
        raise TypeError(f"input_signature must be either a tuple or a list, got {type(specs)}.")
    wrong = [s for s in nest.flatten(list(specs)) if not isinstance(s, TypeSpec)]
    if wrong:
        raise TypeError(
            "input_signature must be a possibly nested sequence of TensorSpec objects, got invalid "
            f"args {wrong} with types {[type(s) for s in wrong]}."
        )


def _without_variadic(sig: inspect.Signature, count: int) -> inspect.Signature:
    """The signature of a function whose `count` leading arguments are known.

    ``*args`` are as many parameters ``args_<i>`` (TensorFlow's names) as are left for them, and
    there are no ``**kwargs``.
    """
    positional = [p for p in sig.parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
    found = []
    for p in sig.parameters.values():
        if p.kind is p.VAR_POSITIONAL and count > len(positional):
            # nothing after a parameter that is given by position alone is given by name
            found = [q.replace(kind=q.POSITIONAL_ONLY) for q in found]
            found += [
                inspect.Parameter(f"{p.name}_{i}", p.POSITIONAL_ONLY)
                for i in range(count - len(positional))
            ]
        elif p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            found.append(p)
    return sig.replace(parameters=found)


# what TensorFlow, too, refuses without a size: no graph for the sizes of a call helps a program
_SIZE_UNKNOWN = "Cannot infer argument `num`"


class _Misfit(Exception):
    """An argument does not fit the input signature, and why."""


class Verbatim:
    """A part of a printed signature."""

    def __init__(self, value: str):
        self._value = value

    def __repr__(self):
        return self._value


class _WeakMethod:
    """A method that does not keep its object alive."""

    def __init__(self, function, instance):
        self.function = function
        self._instance = weakref.ref(instance)
        functools.update_wrapper(self, function, updated=())
        self.__signature__ = inspect.signature(types.MethodType(function, instance))

    def method(self) -> types.MethodType:
        instance = self._instance()
        if instance is None:
            raise ReferenceError(
                f"the object whose method {self.function.__name__} is called is gone"
            )
        return types.MethodType(self.function, instance)

    def __call__(self, *args, **kwargs):
        return self.method()(*args, **kwargs)


class _Detector:
    """Notices when most of the latest calls traced: TensorFlow's warning and its rules."""

    _TRACINGS, _CALLS, _WARNINGS = 5, 10, 2

    def __init__(self):
        self._per_tracing: list[int] = []
        self._warned = 0
        self._seen: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    def traced(self, function: Function, calls: int) -> None:
        """Called when a function traces, with the number of its calls so far."""
        without = max(calls - self._seen.get(function, 0) - 1, 0)
        self._seen[function] = calls
        if self._per_tracing:
            self._per_tracing[-1] += without
        self._per_tracing.append(1)
        while sum(self._per_tracing) - self._per_tracing[0] > self._CALLS:
            del self._per_tracing[0]
        if self._warned >= self._WARNINGS:
            return
        if len(self._per_tracing) >= self._TRACINGS:
            self._warned += 1
            get_logger().warning(
                "%s out of the last %s calls to %s triggered tf.function retracing. Tracing is "
                "expensive and the excessive number of tracings could be due to (1) creating "
                "@tf.function repeatedly in a loop, (2) passing tensors with different shapes, (3) "
                "passing Python objects instead of tensors. For (1), please define your "
                "@tf.function outside of the loop. For (2), @tf.function has reduce_retracing=True "
                "option that can avoid unnecessary retracing. For (3), please refer to "
                "https://www.tensorflow.org/guide/function#controlling_retracing and "
                "https://www.tensorflow.org/api_docs/python/tf/function for  more details.",
                len(self._per_tracing), sum(self._per_tracing),
                getattr(function._function, "function", function._function),
            )  # fmt: skip


_detectors: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def _detector_of(function) -> _Detector:
    """Functions made again and again of the same code share a detector."""
    inner = getattr(function, "function", function)
    code = getattr(getattr(inner, "__func__", inner), "__code__", None)
    return _Detector() if code is None else _detectors.setdefault(code, _Detector())


def _failed_in_op(error: Exception) -> bool:
    """Whether an exception comes from this package or torch, not from the user's own code."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    name = step.tb_frame.f_globals.get("__name__", "") if step is not None else ""
    return name.partition(".")[0] in ("torchtf", "torch")


def _is_symbolic_cell(cell) -> bool:
    try:
        return type(cell.cell_contents) is SymbolicTensor
    except ValueError:  # still empty
        return False


def _with_rank_of(spec, value):
    if isinstance(spec, TensorSpec) and spec.shape.rank is None:
        if value.shape.rank is None:
            return spec
        return TensorSpec([None] * value.shape.rank, spec.dtype, spec.name)
    return spec


def _check_structure(value, want) -> None:
    """Raises `_Misfit` unless dicts have the keys, and tuples are tuples, of the signature."""
    if isinstance(want, dict):
        if isinstance(value, dict) and value.keys() != want.keys():
            raise _Misfit(f"{value!r} has different keys with the TraceType {pretty(want)}.")
    elif isinstance(want, tuple) and not isinstance(value, tuple):
        raise _Misfit(f"Can not cast {value!r} to tuple type.")


def _check_composites(value, want):
    """Checks the composites in an argument against those of the signature.

    Raises:
        TypeError: if one does not fit.
    """
    if nest.is_composite_spec(want):
        if not want.is_compatible_with(value):
            raise TypeError(
                f"Binding inputs to tf.function failed due to `Can not cast {value!r} to {want!r}`."
            )
    elif nest.is_nested(want):
        parts = nest.children(value) or ()
        for (_, w), (_, v) in zip(nest.children(want), parts, strict=False):
            _check_composites(v, w)


def _is_opaque(spec) -> bool:
    """Whether a spec is one of values that a graph closes over: it has no tensors to feed."""
    if not isinstance(spec, TypeSpec) or isinstance(spec, TensorSpec):
        return False
    return not nest.is_composite_spec(spec) and hasattr(spec, "element_spec")


def _no_object() -> NotImplementedError:
    """The error of a trace for a spec in whose place a graph needs the object itself."""
    return NotImplementedError(
        "A graph is made for one iterator, dataset or optional: give it to "
        "get_concrete_function as an argument, or call the function."
    )


def _check_compatible(value, spec):
    for v, s in zip(nest.flatten(value, True), nest.flatten(spec, True), strict=False):
        if isinstance(s, TensorSpec):
            have = signature.spec_of(v, s.name or "")
            if have.dtype is not s.dtype or not s.shape.is_compatible_with(have.shape):
                raise TypeError(
                    f"Binding inputs to tf.function failed due to `Can not cast {have!r} to {s!r}`."
                )


def _encode_specs(value):
    """Like `signature.encode`, for arguments in which specs stand for tensors."""
    if isinstance(value, TensorSpec):
        sizes = tuple(value.shape) if value.shape.rank is not None else None
        return value.dtype.torch or np.dtype(object), sizes
    if nest.is_composite_spec(value):
        return value.value_type, value, ()
    if type(value) in (tuple, list):
        return type(value), tuple([_encode_specs(v) for v in value])
    if type(value) is dict:
        return dict, tuple([(k, _encode_specs(v)) for k, v in sorted(value.items())])
    return signature.encode(value, [])


def _joined(a: TensorSpec, b: TensorSpec) -> TensorSpec:
    """The least general spec that both fit."""
    return TensorSpec(a.shape.most_specific_compatible_shape(b.shape), b.dtype, b.name)


def _shapes_out(key):
    """A cache key without the shapes."""
    if isinstance(key, tuple):
        if len(key) == 2 and isinstance(key[0], (torch.dtype, np.dtype)):
            return key[0]
        return tuple(_shapes_out(k) for k in key)
    return key


def by_sizes(make_function, name, sig, args, jit_compile) -> BySizes | None:
    """The graphs for given sizes of `args`; see `trace_concrete` for the arguments.

    None where an argument is made of several tensors: its type spec is the key of a trace, which
    says nothing of the sizes of its parts.
    """
    if any(map(signature.has_composites, args)):
        return None
    specs: list[TensorSpec] = []

    def collect(leaf, path, parameter):
        specs.append(signature.spec_of(leaf, path))
        return specs[-1]

    structured = signature.map_arguments(collect, sig, args)

    def trace_for(known):
        supply = iter(known)
        made = signature.map_arguments(lambda *leaf: next(supply), sig, structured)
        return trace_concrete(make_function, name, sig, made, jit_compile, False)[0]

    return BySizes(specs, trace_for)


def trace_concrete(
    make_function,
    name,
    sig,
    args,
    jit_compile=None,
    may_create_variables=True,
    share=True,
    examples=(),
) -> tuple[ConcreteFunction | None, list]:
    """Traces a function for canonical arguments, tensors given as tensors or specs.

    Args:
        make_function: gives the Python function to trace; kept for later traces.
        name, sig, jit_compile: of the `Function`.
        args: the arguments.
        may_create_variables: whether this is the first trace.
        share: whether the graph serves other variables than those among the arguments, too.
        examples: the arguments of a call, from which initial values of variables may be computed.

    Returns:
        The concrete function (None if variables were created, which call for a second trace) and
        the variables created.
    """
    from torchtf.function.trace import symbolic, trace

    specs: list[TensorSpec] = []
    input_names: list[str] = []  # of the parameters, or those that the specs have

    given_names: set[str] = set()

    def collect(leaf, path, parameter):
        if isinstance(leaf, TensorSpec) and leaf.name:
            given_names.add(leaf.name)
            parameter = leaf.name
        input_names.append(parameter)
        specs.append(signature.spec_of(leaf, path))
        return specs[-1]

    seen, variables = variable_arguments.stand_ins(args) if share else (args, [])
    structured = signature.map_arguments(collect, sig, seen)
    known: list = []  # the tensors of a call
    signature.map_arguments(lambda t, *place: known.append(t) or t, sig, examples)
    outputs: dict = {}

    def flat_function(*fakes):
        under_way = graph.state.trace
        nodes = [under_way.node_of(fake) for fake in fakes]
        under_way.examples = dict(zip(nodes, known, strict=False))
        supply = iter([symbolic(f, n.meta["tf_name"]) for f, n in zip(fakes, nodes, strict=True)])
        symbolic_args = signature.map_arguments(lambda *leaf: next(supply), sig, structured)
        bound = inspect.BoundArguments(sig, dict(zip(sig.parameters, symbolic_args, strict=True)))
        function = make_function()
        before = arguments_kept.copied(symbolic_args)
        try:
            result = function(*bound.args, **bound.kwargs)
        except OpError:
            if under_way.failure is None:
                raise
            result = None  # the graph raises the error
        arguments_kept.check(before, symbolic_args, inspect.unwrap(function), sig)
        flat: list[Tensor] = []
        outputs["template"] = template_of(result, flat, inspect.unwrap(function))
        outputs["specs"] = [
            TensorSpec(TensorShape(t.shape), t.dtype, f"output_{i}") for i, t in enumerate(flat)
        ]
        return [under_way.capture(t) if type(t) is Tensor else t._data for t in flat]

    traced = trace(
        flat_function,
        [(s.shape._dims, s.dtype.torch or s.dtype) for s in specs],
        input_names,
        may_create_variables,
        name,
        has_streams=True,
    )
    if traced.created_variables and may_create_variables:
        return None, traced.created_variables
    count_positional = sum(
        p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in sig.parameters.values()
    )
    described = variable_arguments.specs(structured)
    signature_args, signature_kwargs = described[:count_positional], {}
    more_names: list[str] = []
    for p, value in zip(sig.parameters.values(), described, strict=True):
        if p.kind is p.KEYWORD_ONLY:
            signature_kwargs[p.name] = value
        elif p.kind is p.VAR_POSITIONAL:
            signature_args += tuple(value)
            more_names = [f"{p.name}_{i}" for i in range(len(value))]
        elif p.kind is p.VAR_KEYWORD:
            signature_kwargs |= value

    def for_variables(given):
        known = variable_arguments.replaced(args, given)
        return trace_concrete(make_function, name, sig, known, jit_compile, False, share=False)[0]

    concrete = ConcreteFunction(
        name, traced, [*list(sig.parameters)[:count_positional], *more_names],
        (signature_args, signature_kwargs),
        outputs["template"], outputs["specs"], specs,
        by_sizes(make_function, name, sig, args, jit_compile), variables, for_variables,
        given_names, len(more_names) > 0,
    )  # fmt: skip
    if (jit_compile or jit_compile is None) and traced.failure is None:
        from torchtf.function import jit

        if jit.wanted(jit_compile):
            jit.compile_concrete(concrete, required=bool(jit_compile))
        elif jit.mode() == "auto":
            jit.watch(concrete)
    return concrete, []


# the attributes that a function may be given (source: TensorFlow's `attributes.py`)
_ATTRIBUTES = frozenset((
    "api_implements", "api_preferred_device", "_disable_acd", "disable_summaries_at_runtime",
    "go_backwards", "_implements", "experimental_ints_on_device", "_noinline",
    "function_runs_at_most_once", "runtime_constant_optimization", "_tf_data_function",
    "time_major", "_OutputsOnOpDevice",
))  # fmt: skip


def function(
    func=None,
    input_signature=None,
    autograph=True,
    jit_compile=None,
    reduce_retracing=False,
    experimental_implements=None,
    experimental_autograph_options=None,
    experimental_attributes=None,
    experimental_relax_shapes=None,
    experimental_compile=None,
    experimental_follow_type_hints=None,
):
    """Compiles a function into graphs, one for each signature it is called with.

    Python runs once per signature, while tracing; later calls run the graph (source:
    `tf.function`).

    Args:
        func: the function; left out, a decorator is returned.
        input_signature: a list of (nested) `tf.TensorSpec`s: one trace serves every call.
        autograph: whether Python control flow on tensors becomes part of the graph.
        jit_compile: True compiles the graph with torch.compile (Inductor).
        reduce_retracing: True lets sizes that vary between calls become open.
        experimental_implements: the name of a function that this one implements, for converters; it
            becomes the attribute `_implements` of `ConcreteFunction.function_def`.
        experimental_autograph_options: optional `tf.autograph.experimental.Feature`s of the
            conversion: one, or a tuple.
        experimental_attributes: further attributes of `ConcreteFunction.function_def`.
        experimental_relax_shapes: the old name of `reduce_retracing`.
        experimental_compile: the old name of `jit_compile`.
        experimental_follow_type_hints: no effect, as in TensorFlow.

    Raises:
        TypeError: if `input_signature` is no sequence or does not fit the function.
        ValueError: if TensorFlow knows no attribute of this name.
    """
    if experimental_relax_shapes is not None:
        reduce_retracing = experimental_relax_shapes
    if experimental_compile is not None:
        jit_compile = experimental_compile
    features = feature_set(experimental_autograph_options)
    attributes = dict(experimental_attributes or {})
    for name in attributes:
        if name not in _ATTRIBUTES:
            raise ValueError(f"`{name} is not supported by tf.function as an attribute.")
    if experimental_implements is not None:
        attributes["_implements"] = experimental_implements

    def decorate(inner):
        name = getattr(inner, "__name__", type(inner).__name__)
        if isinstance(inner, Function):
            inner = inner.python_function
        if isinstance(inner, functools.partial):
            name = getattr(inner.func, "__name__", "partial")
        return Function(
            inner, name, input_signature, autograph, jit_compile, reduce_retracing, features,
            attributes,
        )  # fmt: skip

    return decorate if func is None else decorate(func)
