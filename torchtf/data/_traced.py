"""The functions that users give to `map`, `filter` and the like: traced once, run on chunks.

* A function is traced when the transformation is made. Its graph then runs on a whole chunk of
  elements (`torch.vmap`, with independent random draws), or, where that is not possible, on one
  element after another; the results are the same.
* A function that takes or returns datasets, optionals or other objects that are no bundles of
  tensors is traced for its specs and then called in Python for each element.
* A component of unknown rank is traced for the rank that it turns out to have.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from torchtf.core import arena, device, errors, graph, nest
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import SymbolicTensor, Tensor, wrap
from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk
from torchtf.data._processes import Offload
from torchtf.data._vectorize import offloaded, vectorized
from torchtf.function import failures
from torchtf.function.autograph import convert
from torchtf.function.runner import compile_graph, compile_unrecorded
from torchtf.function.staged import Call
from torchtf.function.trace import default_name, init_scope, symbolic, trace

_CPU = "/CPU:0"

# An op without a batching rule is slower, not wrong. Python's own filters are no way to keep the
# warning quiet, since pipelines run in threads.
torch._C._functorch._set_vmap_fallback_warning_enabled(False)

# the ranks to try when a function is traced for its specs and a component's rank is unknown
_RANKS = (1, 0, 2, 3, 4)

# tf.data.experimental.enable_debug_mode() makes every function run in Python
debug_mode = False


class Function:
    """A user's function of one element.

    Args:
        func: takes the components of an element as arguments if the element is a plain tuple, else
            the element.
        spec: the structure of specs of the element.
        transformation: the name of the dataset method, for messages.

    Attributes:
        spec: the structure of specs of the result.
        pure: whether nobody can notice when, and on how many elements at once, it runs.
        writes: whether it changes variables.
        calls_host: whether it calls Python code when it runs.
        reads_files: whether it gives datasets of what files hold.
        costs: the seconds that an element takes, by the way of running (see `_mapping`).
        workers: how many worker processes its calls of Python code may use.

    Raises:
        TypeError: if the function returns something that is no element.
        ValueError: if it is none.
    """

    def __init__(self, func: Callable, spec, transformation: str):
        if not callable(func):
            raise ValueError(
                f"Argument `func` must be a callable. Received func={func} (of type {type(func)})"
            )
        self._user = func
        self._func = convert(func)
        self._input = spec
        self._transformation = transformation
        self._inputs = structure.flatten(spec)
        self._graphs: dict[tuple, _Graph] = {}
        self.workers = 1
        self._any_rank = any(structure.is_dense(s) and s.shape.rank is None for s in self._inputs)
        first, self.spec = self._first_graph()
        self._python = first.opaque or debug_mode
        self.pure = first.pure and not self._python
        self.writes = first.writes
        self.calls_host = first.calls_host
        self.reads_files = first.reads_files
        # effects must not happen again when a chunk fails, nor in another order
        self._vectorizes = None if self.pure and not self._any_rank else False
        self.costs: dict[str, float] = {}

    def _first_graph(self) -> tuple[_Graph, Any]:
        """A graph, and the structure of specs of what the function gives.

        With arguments of unknown rank, a size is known that does not depend on the rank: it is the
        same for two of them.
        """
        if not self._any_rank:
            first = self._graph_for(self._inputs)
            return first, first.spec
        found: list[_Graph] = []
        failure = None
        for rank in _RANKS:
            try:
                found.append(self._graph_for([_with_rank(s, rank) for s in self._inputs]))
            except Exception as e:
                failure = failure or e
            if len(found) == 2:
                return found[0], structure.map_structure(_in_common, *[g.spec for g in found])
        if not found:
            raise failure
        return found[0], _without_shapes(found[0].spec)

    def _graph_for(self, specs: Sequence) -> _Graph:
        key = tuple(s.shape.rank if structure.is_dense(s) else None for s in specs)
        found = self._graphs.get(key)
        if found is None:
            found = self._graphs[key] = self._traced(specs)
        return found

    def _traced(self, specs: Sequence) -> _Graph:
        """The graph for these specs: of its own, or inside the one under way if it needs that."""

        def make():
            return _Graph(self._call_user, specs, self._transformation, lambda: self.workers)

        if graph.state.trace is not None:
            with contextlib.suppress(Exception), init_scope():
                return make()
        return make()

    def _call_user(self, components):
        """Calls the function on the components as users see them; returns the element it gives."""
        element = structure.pack(self._input, components)
        returned = self._func(*element) if type(element) is tuple else self._func(element)
        if isinstance(returned, list):
            returned = tuple(returned)
        try:
            return structure.normalize(returned)
        except (TypeError, ValueError) as e:
            raise TypeError(
                f"Unsupported return value from function passed to {self._transformation}: "
                f"{returned}."
            ) from e

    # -- travelling: the function is traced again where it arrives

    def __getstate__(self):
        if self.stand_ins:
            raise TypeError("a function of what a tf.function is being traced with")
        return self._user, self._input, self._transformation, self.workers

    def __setstate__(self, state):
        Function.__init__(self, *state[:3])
        self.workers = state[3]

    def __copy__(self):  # a copy in this process keeps its graphs
        made = object.__new__(Function)
        vars(made).update(vars(self))
        return made

    # -- running

    def call(self, row: tuple) -> tuple:
        """The result for one element, given and returned as component values."""
        try:
            if self._python:
                return self._call_in_python(row)
            specs = self._inputs
            if self._any_rank:
                specs = [
                    _with_rank(s, v.ndim) if structure.is_dense(s) else s
                    for s, v in zip(specs, row, strict=True)
                ]
            result = self._graph_for(specs).call(row)
            return self._call_in_python(row) if result is None else result
        except Exception as e:
            raise self._located(e) from e.__cause__ if isinstance(e, errors.OpError) else e

    def _located(self, error: Exception) -> Exception:
        """What a run raised as TensorFlow's error, which names the operation."""
        if isinstance(error, StopIteration):  # of a Python function that is called as it is
            error = errors.OutOfRangeError(None, None, f"StopIteration: {error}")
        kind = failures.kind_of(error)
        if kind is None:
            return error
        found = failures.operation_and_message(error)
        if found is not None:
            _, name, text = found
            text = f"{text}\n\t [[{{{{node {name}}}}}]]"
        else:  # an eager call
            text = "Integer division by zero" if str(error) == "ZeroDivisionError" else str(error)
            called = re.search(r"\[Op:(\w+)\]", text)
            if called is not None:
                node = default_name(called[1])
                text = f"{failures.kernel_text(text)}\n\t [[{{{{node {node}}}}}]]"
            elif kind is not errors.OutOfRangeError:
                return error if isinstance(error, errors.OpError) else kind(None, None, text)
        if kind is errors.OutOfRangeError and self._transformation != "reduce()":
            # as it is, it would end the iteration
            kept = self._transformation in ("Dataset.map()", "Dataset.scan()")
            kind = errors.InvalidArgumentError if kept else errors.InternalError
            text = f"Function invocation produced OutOfRangeError: {text}"
        located = kind(None, None, text)
        located.user_function = self
        return located

    def _call_in_python(self, row: tuple) -> tuple:
        with device.device(_CPU):
            returned = self._call_user([structure.cooked(v) for v in row])
        return tuple(structure.raw(x) for x in structure.flatten(returned))

    def call_chunk(self, chunk: Chunk) -> Chunk | None:
        """The results for a whole chunk, or None if its elements have to go one by one."""
        if self._vectorizes is False or chunk.size == 1:
            return None
        result = self._graph_for(self._inputs).call_chunk(chunk)
        if result is not None:
            self._vectorizes = True
        return result

    def go_one_by_one(self) -> None:
        """Called when a chunk failed although none of its elements does."""
        self._vectorizes = False

    @property
    def vectorizes(self) -> bool | None:
        """Whether chunks run at once; None before the first."""
        return self._vectorizes

    @property
    def offloads(self) -> list[Offload]:
        """Its calls of Python code that may run in worker processes."""
        return [o for g in self._graphs.values() for o in g.offloads]

    @property
    def stand_ins(self) -> list:
        """What it closes over of the function that was being traced when it was made."""
        return [x for g in self._graphs.values() for x in g.stand_ins]

    def bound(self, values: Sequence) -> Function:
        """This function with values for its stand-ins."""
        supply, made = iter(values), copy.copy(self)
        made._graphs = {
            key: g.bound([next(supply) for _ in g.stand_ins]) for key, g in self._graphs.items()
        }
        return made

    @property
    def code(self) -> str:
        """The code of its graphs, which tells functions apart."""
        return "".join(g.code for g in self._graphs.values())

    @property
    def name(self) -> str:
        return getattr(self._user, "__name__", type(self._user).__name__)


class Composed:
    """A function of what another one gives, with the methods of a `Function`."""

    def __init__(self, inner, outer):
        self._inner, self._outer = inner, outer
        self.spec = outer.spec
        self.pure = inner.pure and outer.pure
        self.writes = inner.writes or outer.writes
        self.calls_host = inner.calls_host or outer.calls_host
        self.costs: dict[str, float] = {}
        self.workers = 1
        self.offloads: list[Offload] = []
        self.name = f"{outer.name} of {inner.name}"

    def call(self, row: tuple) -> tuple:
        return self._outer.call(self._inner.call(row))

    def call_chunk(self, chunk: Chunk) -> Chunk | None:
        between = self._inner.call_chunk(chunk)
        return between and self._outer.call_chunk(between)

    def go_one_by_one(self) -> None:
        self._outer.go_one_by_one()

    @property
    def vectorizes(self) -> bool | None:
        both = self._inner.vectorizes, self._outer.vectorizes
        return False if False in both else None if None in both else True

    @property
    def code(self) -> str:
        return self._inner.code + self._outer.code


class _Graph:
    """A function traced for specs of known rank."""

    def __init__(self, call_user: Callable, specs: Sequence, name: str, workers: Callable):
        self._inputs = [_Component(s) for s in specs]
        self._outputs: list[_Component] = []
        self.spec = None

        def body(*fakes):
            supply = (symbolic(x, f"args_{i}") for i, x in enumerate(fakes))
            element = call_user([c.symbolic(supply) for c in self._inputs])
            self.spec = structure.spec_of_structure(element)
            leaves = structure.flatten(element)
            self.reads_files = any(reads_files(x._node) for x in leaves if hasattr(x, "_node"))
            self._outputs = [_Component(s) for s in structure.flatten(self.spec)]
            return [
                _stand_in(tensor)
                for component, leaf in zip(self._outputs, leaves, strict=True)
                for tensor in component.take_apart(leaf)
            ]

        arguments = [
            (tuple(s.shape), s.dtype.torch or s.dtype) for c in self._inputs for s in c.flat
        ]
        with device.device(_CPU):
            traced = trace(body, arguments, name=name)
        components = (*self._inputs, *self._outputs)
        self.opaque = any(c.opaque for c in components)
        self.code = traced.graph_module.code
        self.writes = bool(traced.written) or any(c.mutated for c in traced.captures)
        self.pure = not (self.writes or _has_effects(traced.graph_module))
        self.calls_host = any(isinstance(n.target, Call) for n in traced.graph_module.graph.nodes)
        self.offloads: list[Offload] = []
        self.stand_ins = traced.outer_inputs
        self._outer: Sequence = ()
        if self.opaque:
            return
        self._dense = all(structure.is_dense(c.spec) for c in components)
        self._strings = traced.uses_strings
        self._captures = traced.captures
        self._written = traced.written
        self._module, self.offloads = offloaded(traced.graph_module, workers)
        self._run = compile_unrecorded(self._module)
        self._run_rows: Callable | None = None
        self._fits = traced.fits

    def bound(self, values: Sequence) -> _Graph:
        """This graph with values for its stand-ins."""
        made = copy.copy(self)
        made.stand_ins, made._outer = [], values
        return made

    def _captured(self) -> list:
        return [*[c.get() for c in self._captures], *map(_encoded, self._outer)]

    def call(self, row: tuple) -> tuple | None:
        """The result for one element; None if its sizes are not as the trace assumed."""
        flat = row if self._dense else self._taken_apart(row)
        with self._scope(), torch.no_grad():
            inputs = [*map(_encoded, flat), *self._captured()]
            if self._fits is not None and not self._fits(*inputs):
                return None
            results = self._run(*inputs)
            count = len(results) - len(self._written)
            for owner, value in zip(self._written, results[count:], strict=True):
                owner._trace_set(value)
            if self._dense:
                return tuple(c.decoded(r) for c, r in zip(self._outputs, results, strict=False))
            supply = iter(results)
            return tuple(structure.raw(c.put_together(supply)) for c in self._outputs)

    def _taken_apart(self, row: tuple) -> list:
        return [
            tensor._data
            for component, value in zip(self._inputs, row, strict=True)
            for tensor in component.take_apart(structure.cooked(value))
        ]

    def call_chunk(self, chunk: Chunk) -> Chunk | None:
        if not self._dense or not chunk.columns or any(type(c) is list for c in chunk.columns):
            return None
        if self._run_rows is None:
            self._run_rows = compile_graph(vectorized(self._module, len(chunk.columns)))
        with self._scope(), torch.no_grad():
            columns = [_encoded(c) for c in chunk.columns]
            captured = self._captured()
            if self._fits is not None and not self._fits(*[c[0] for c in columns], *captured):
                return None
            in_dims = (0,) * len(columns) + (None,) * len(captured)
            results = torch.vmap(self._run_rows, in_dims, randomness="different")(
                *columns, *captured
            )
            return Chunk(
                [c.decoded(r) for c, r in zip(self._outputs, results, strict=True)], chunk.size
            )

    def _scope(self):
        return arena.Arena() if self._strings else contextlib.nullcontext()


class _Component:
    """How one component of an element travels through a flat graph of tensors.

    Attributes:
        spec: its spec.
        flat: the specs of the tensors it is made of.
        opaque: whether it is not made of tensors.
    """

    def __init__(self, spec):
        self.spec = spec
        self.opaque = False
        if structure.is_dense(spec):
            self.flat = [spec]
        elif isinstance(spec, structure.NoneTensorSpec):
            self.flat = []
        else:
            made_of = getattr(spec, "_component_specs", None)
            self.flat = [] if made_of is None else nest.flatten(made_of, True)
            self.opaque = made_of is None

    def symbolic(self, supply):
        """The component as a traced function sees it, of the next symbolic tensors."""
        if self.opaque:
            return structure.placeholder(self.spec)
        if structure.is_dense(self.spec):
            return next(supply)
        return self._composite([next(supply) for _ in self.flat])

    def take_apart(self, value) -> list[Tensor]:
        if not self.flat:
            return []
        return [value] if structure.is_dense(self.spec) else nest.flatten(value, True)

    def put_together(self, supply):
        """The component, of the next results of a graph."""
        if structure.is_dense(self.spec):
            return self.decoded(next(supply))
        return self._composite([wrap(_decoded(next(supply), s)) for s in self.flat])

    def decoded(self, result):
        return _decoded(result, self.spec)

    def _composite(self, tensors):
        if not self.flat:
            return None
        components = nest.pack_sequence_as(self.spec._component_specs, tensors, True)
        return self.spec._from_components(components)


def reads_files(node) -> bool:
    """Whether a plan reads files."""
    if getattr(node, "reads_files", False):
        return True
    function = getattr(node, "function", None)
    return getattr(function, "reads_files", False) or any(map(reads_files, node.inputs))


def _encoded(data):
    return arena.encode(data) if isinstance(data, np.ndarray) else data


def _decoded(result, spec):
    return arena.decode(result) if spec.dtype.torch is None else result


def _stand_in(tensor: Tensor):
    """A result of the function as a stand-in; an eager tensor becomes an input of the graph."""
    if type(tensor) is SymbolicTensor:
        return tensor._data
    return graph.state.trace.capture(tensor)


def _has_effects(module: torch.fx.GraphModule) -> bool:
    """True if a node calls Python code whose effects could be noticed."""
    return any(
        node.meta.get("stateful", False) and getattr(node.target, "op", None) not in _READS
        for node in module.graph.nodes
    )


# host ops that count as stateful because they look at files
_READS = ("ReadFile", "MatchingFiles")


def _with_rank(spec, rank: int):
    if not structure.is_dense(spec) or spec.shape.rank is not None:
        return spec
    return TensorSpec([None] * rank, spec.dtype)


def _in_common(a, b):
    """The spec that says what two specs of a component agree on."""
    if not structure.is_dense(a):
        return a
    return TensorSpec(a.shape.most_specific_compatible_shape(b.shape), a.dtype)


def _without_shapes(spec):
    """The spec with unknown shapes: what is known when the rank of the input is not."""
    return structure.map_structure(
        lambda s: TensorSpec(TensorShape(None), s.dtype) if structure.is_dense(s) else s, spec
    )
