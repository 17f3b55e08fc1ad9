"""`ConcreteFunction`: one traced graph with its signature, ready to run."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Collection, Sequence
from typing import NoReturn

import numpy as np
import torch

from torchtf.core import arena, dtypes, errors, graph, nest, tape
from torchtf.core.convert import convert_to_tensor, kernel_name
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import SymbolicTensor, Tensor, is_tensor_type, wrap
from torchtf.core.variable import Variable
from torchtf.function import failures, staged
from torchtf.function.function_type import FunctionType, nameless, pretty
from torchtf.function.runner import compile_graph, compile_unrecorded
from torchtf.function.signature import call_form, flat_misfit
from torchtf.function.trace import Traced
from torchtf.function.variable_arguments import Argument, VariableSpec

# called with each concrete function that runs: `tf.summary.trace_on` listens here
run_hooks: list = []


class _Misfit(Exception):
    """Why arguments do not fit a signature."""


class ConcreteFunction:
    """A graph traced for one signature (source: `tf.types.experimental.ConcreteFunction`).

    Attributes:
        structured_input_signature: `(args, kwargs)` of the function with `TensorSpec`s for tensors.
        structured_outputs: the structure it returns, of tensors of its graph.
        output_signature: the same of `TensorSpec`s.
        graph_module: the FX graph; inputs are the flat arguments, then the captures.
        attributes: what `function_def` says besides.

    Where open sizes of the arguments are not as the trace assumed (see `sizes`), a graph made for
    just these sizes runs.
    """

    def __init__(
        self,
        name: str,
        traced: Traced,
        parameters: list[str],
        structured_input_signature: tuple,
        output_template,
        output_specs: list,
        input_specs: list[TensorSpec],
        for_sizes: BySizes | None = None,
        variables: Sequence[Variable] = (),
        for_variables: Callable[[list], ConcreteFunction] | None = None,
        given_names: Collection[str] = (),
        variadic: bool = False,
    ):
        self._name = name
        self._traced = traced
        self.attributes: dict[str, object] = {}  # of `function_def`
        self.failure = traced.failure  # the error that each run ends with
        self._parameters = parameters
        self.structured_input_signature = structured_input_signature
        self.graph_module = traced.graph_module
        self._output_template = output_template
        self._output_specs = output_specs
        self._captures = traced.captures
        self._written = traced.written
        self._count = len(output_specs)
        self._single = output_template is _LEAF
        self._input_specs = input_specs
        self._run = compile_unrecorded(self.graph_module)
        self._replay = None
        self._fits = traced.fits if for_sizes is not None else None
        self._for_sizes = for_sizes
        self._records = staged.has_records(self.graph_module)
        self._arguments = variables
        self._for_variables = for_variables
        self._given_names = given_names
        self._variadic = variadic
        if variables:
            self._bound: tuple = ((), None)  # the variables of the last call, the graph on them
            self.call_flat = self._call_on_variables
        elif traced.uses_strings:
            self.call_flat = self._call_with_strings

    @functools.cached_property
    def _run_recorded(self) -> Callable:
        """Runs the graph under a tape, whose autograd keeps values that `_run` would overwrite."""
        return compile_graph(self.graph_module)

    # -- what it is

    @property
    def name(self) -> bytes:
        """The name of the graph, which no other one has."""
        return self._inference_name.encode()

    @property
    def structured_outputs(self):
        return self.graph.structured_outputs

    @property
    def output_signature(self):
        return self._structure(self._output_specs)

    def _structure(self, flat: list):
        return fill(self._output_template, iter(flat))

    @property
    def output_dtypes(self):
        return self._structure([s.dtype for s in self._output_specs])

    @property
    def output_shapes(self):
        shapes = self._structure([s.shape for s in self._output_specs])
        return nest.map_structure(lambda s: TensorShape(None) if s is None else s, shapes)

    @property
    def variables(self) -> tuple:
        """The variables that the graph reads or writes."""
        owners = (c.owner for c in self._captured if c.is_variable)
        return tuple(v for v in owners if not graph.is_private(v))

    @property
    def _captured(self) -> list:
        """What the graph takes that is no argument."""
        return [c for c in self._captures if type(c.owner) is not Argument]

    @property
    def trainable_variables(self) -> tuple:
        return tuple(v for v in self.variables if v.trainable)

    @property
    def captured_inputs(self) -> list:
        """The variables and outer tensors that the graph takes besides its arguments."""
        return [c.owner for c in self._captured]

    @property
    def inputs(self) -> list[SymbolicTensor]:
        return self.graph.inputs

    @property
    def outputs(self) -> list[SymbolicTensor]:
        return self.graph.outputs

    @property
    def graph(self):
        """The graph in TensorFlow's terms; see `FuncGraph`."""
        from torchtf.function.func_graph import FuncGraph

        if not hasattr(self, "_graph"):
            self._graph = FuncGraph(
                self._name, self.graph_module.graph, self._traced.captures, self._output_specs,
                self._structure,
            )  # fmt: skip
        return self._graph

    @property
    def function_def(self):
        """The graph as a `FunctionDef` proto."""
        return self.graph.as_function_def(self._inference_name, self.attributes)

    @property
    def replayable(self) -> bool:
        """Whether the graph can become part of another one."""
        return not self._records

    @functools.cached_property
    def function_type(self) -> FunctionType:
        """The types of the arguments and results."""

        def named(spec):  # the names that come from a place are none of the type
            return spec if getattr(spec, "name", None) in self._given_names else nameless(spec)

        args, kwargs = nest.map_structure(named, self.structured_input_signature)
        owners = [c.owner for c in self._captured]
        return FunctionType(
            dict(zip(self._parameters, args, strict=False)), kwargs,
            nest.map_structure(nameless, self.output_signature),
            {id(owner): TensorSpec(owner.shape, owner.dtype) for owner in owners}, self._variadic,
        )  # fmt: skip

    @property
    def inference_fn(self) -> ConcreteFunction:
        """What runs the graph without recording it: here the function itself."""
        return self

    def add_to_graph(self, g=None, overwrite: bool = False) -> None:
        """Does nothing: a graph holds the functions that it calls, and needs no library of them."""

    def add_gradient_functions_to_graph(self, g=None) -> None:
        """Does nothing: a graph is differentiated when it runs."""

    def pretty_printed_signature(self, verbose: bool = True) -> str:
        return repr(self.function_type) if verbose else str(self.function_type)

    def __repr__(self):
        signature = self.pretty_printed_signature(verbose=False)
        return f"<ConcreteFunction {signature} at 0x{id(self):X}>"

    def __str__(self):
        return f"ConcreteFunction {self.pretty_printed_signature(verbose=True)}"

    # -- calling it

    def __call__(self, *args, **kwargs):
        """Runs the graph on arguments that fit its signature, by position or by name, or on its
        flat tensor arguments alone.

        Raises:
            TypeError: if an argument is missing, unknown or does not fit.
        """
        return self.call_flat(self._bind(args, kwargs))

    def _bind(self, args, kwargs) -> list:
        try:
            return self._bind_structured(args, kwargs)
        except _Misfit as e:
            misfit = e
        try:
            return self._bind_flat(args, kwargs)
        except _Misfit as e:
            raise TypeError(
                f"Binding inputs to tf.function failed due to `{misfit}`. Received args: {args} "
                f"and kwargs: {kwargs} for signature: {self.function_type}.\n"
                f"Fallback to flat signature also failed due to: {e}"
            ) from None

    def _bind_structured(self, args, kwargs) -> list:
        want_args, want_kwargs = self.structured_input_signature
        by_name = dict(zip(self._parameters, want_args, strict=False)) | want_kwargs
        given = dict(zip(self._parameters, args, strict=False))
        if len(args) > len(self._parameters):
            raise _Misfit("too many positional arguments")
        missing = [name for name in by_name if name not in given and name not in kwargs]
        if any(_holds_tensors(by_name[name]) for name in missing):
            raise _Misfit(f"missing a required argument: '{missing[0]}'")
        for name, value in kwargs.items():
            if name in given:
                raise _Misfit(f"multiple values for argument '{name}'")
            if name not in by_name:
                raise _Misfit(f"got an unexpected keyword argument '{name}'")
            given[name] = value
        leaves: list = []
        for name, want in by_name.items():
            if name in given:
                self._fit_structure(given[name], want, leaves)
        return leaves

    def _bind_flat(self, args, kwargs) -> list:
        """The flat tensor arguments by position, or by name, as signatures are called."""
        names = [s.name for s in self._input_specs]
        misfit = flat_misfit(call_form(self._name, names), names, args, kwargs, len(names))
        if misfit is not None:
            raise _Misfit(misfit)
        values = dict(zip(names, args, strict=False)) | kwargs
        for i, value in enumerate(values.values()):
            if not (is_tensor_type(value) or type(value) is Variable):
                raise _Misfit(
                    "All inputs to `ConcreteFunction`s must be Tensors; on invocation of "
                    f"{self._inference_name}, the {i}-th input ({value}) was not a Tensor."
                )
        return [self._fit(convert_to_tensor(values[s.name]), s) for s in self._input_specs]

    def _fit_structure(self, value, want, leaves):
        if isinstance(want, TensorSpec):
            leaves.append(self._fit(value, want))
            return
        if isinstance(want, VariableSpec):
            if type(value) is not Variable or not want.is_compatible_with(value):
                raise _Misfit(f"Can not cast {value!r} to {want!r}")
            leaves.append(value)
            return
        if type(want) is tuple and not isinstance(value, tuple):
            raise _Misfit(f"Can not cast {value!r} to tuple type.")
        children = nest.children(want, expand_composites=True)
        if children is None:  # a Python value is part of the graph
            if value is not want and not _equals(value, want):
                raise _Misfit(f"Can not cast {value!r} to {pretty(want)}")
            return
        parts = nest.children(value, expand_composites=True)
        if parts is None or len(parts) != len(children):
            raise _Misfit(f"Can not cast {value!r} to {pretty(want)}")
        for (_, w), (_, v) in zip(children, parts, strict=True):
            self._fit_structure(v, w, leaves)

    def _fit(self, value, spec: TensorSpec):
        tensor = value if is_tensor_type(value) else convert_to_tensor(value, dtype_hint=spec.dtype)
        is_part = spec not in self._input_specs  # of a composite: those have no names
        if tensor.dtype is not spec.dtype and not is_part:
            position = self._input_specs.index(spec)
            raise errors.InvalidArgumentError(
                None, None,
                f"cannot compute {self._inference_name} as input #{position}(zero-based) was "
                f"expected to be a {kernel_name(spec.dtype)} tensor "
                f"but is a {kernel_name(tensor.dtype)} tensor "
                f"[Op:{self._inference_name}]",
            )  # fmt: skip
        if tensor.dtype is not spec.dtype or not spec.shape.is_compatible_with(tensor.shape):
            raise _Misfit(f"Can not cast {TensorSpec(tensor.shape, tensor.dtype)!r} to {spec!r}")
        return tensor

    def call_flat(self, leaves: list):
        """Runs the graph on its flat tensor arguments; returns the structure of results."""
        if graph.state.trace is not None:
            return self._call_in_trace(leaves)
        inputs = [leaf._data for leaf in leaves]
        for capture in self._captures:
            inputs.append(capture.get())
        if self._fits is not None and not self._fits(*inputs):
            return self._for_sizes.call_flat(leaves)
        for hook in run_hooks:
            hook(self)
        if tape.recording():
            try:
                results = self._run_recorded(*inputs)
            except Exception as e:
                self._raise(e)
            self._write(results)
        else:
            enabled = torch.is_grad_enabled()
            torch._C._set_grad_enabled(False)
            try:
                results = self._run(*inputs)
            except Exception as e:
                self._raise(e)
            else:
                self._write(results)
            finally:
                torch._C._set_grad_enabled(enabled)
        if self._single:
            return wrap(results[0])
        return fill(self._output_template, map(wrap, results[: self._count]))

    def _write(self, results: list) -> None:
        """Gives the variables that the graph assigns to their new values."""
        if self._written:
            for owner, value in zip(self._written, results[self._count :], strict=True):
                owner._trace_set(value.detach() if value.requires_grad else value)

    def _raise(self, error: Exception) -> NoReturn:
        """Raises what a run of the graph raised, in TensorFlow's form."""
        found = failures.translated(error, self._inference_name)
        if found is None:
            raise error
        raise found.with_traceback(error.__traceback__) from None

    @functools.cached_property
    def _inference_name(self) -> str:
        return failures.unique_function_name(self._name)

    def _call_on_variables(self, leaves: list):
        """`call_flat` for a graph that takes variables as arguments: they are among the leaves."""
        given = [x for x in leaves if type(x) is Variable]
        before, bound = self._bound
        if len(before) != len(given) or any(a is not b for a, b in zip(before, given, strict=True)):
            bound = self._on(given)
            self._bound = given, bound
        return bound.call_flat([x for x in leaves if type(x) is not Variable])

    def _on(self, variables: list) -> ConcreteFunction:
        """This graph with `variables` in the place of those it was traced with."""
        closed_over = [c.owner for c in self._captured]
        if any(v is owner for v in variables for owner in closed_over):
            # one variable under two names: only a trace that knows it keeps the order of its uses
            return self._for_variables(variables)
        owners = {id(a): v for a, v in zip(self._arguments, variables, strict=True)}
        bound = copy.copy(self)
        bound._captures = [
            dataclasses.replace(c, owner=owners.get(id(c.owner), c.owner)) for c in self._captures
        ]
        bound._written = [owners.get(id(o), o) for o in self._written]
        bound._for_sizes = self._for_sizes and self._for_sizes.on(variables)
        bound._arguments = ()
        del bound.call_flat, bound._bound
        if self._traced.uses_strings:
            bound.call_flat = bound._call_with_strings
        return bound

    def _call_with_strings(self, leaves: list):
        """`call_flat` for a graph in which strings travel as handles."""
        if graph.state.trace is not None:
            return self._call_in_trace(leaves)
        with arena.Arena() as strings:
            inputs = [
                strings.encode(x._data) if type(x._data) is np.ndarray else x._data for x in leaves
            ]
            inputs += [c.get() for c in self._captures]
            if self._fits is not None and not self._fits(*inputs):
                return self._for_sizes.call_flat(leaves)
            for hook in run_hooks:
                hook(self)
            records = tape.recording()
            with torch.set_grad_enabled(records):
                try:
                    results = (self._run_recorded if records else self._run)(*inputs)
                except Exception as e:
                    self._raise(e)
            for owner, value in zip(self._written, results[self._count :], strict=True):
                if type(owner._trace_get()) is np.ndarray:
                    value = strings.decode(value)
                elif value.requires_grad:
                    value = value.detach()
                owner._trace_set(value)
            values = [
                strings.decode(r) if s.dtype is dtypes.string else r
                for r, s in zip(results, self._output_specs, strict=False)
            ]
        return fill(self._output_template, map(wrap, values))

    def _call_in_trace(self, leaves):
        """Replays the graph into the trace under way."""
        if self.failure is not None:
            raise self.failure
        under_way = graph.state.trace
        inputs = [under_way.capture(x) if type(x) is Tensor else x._data for x in leaves]
        # random ops draw from streams of their own in each graph that they become a part of
        own = {id(c.owner): c.owner.fork() for c in self._captures if graph.is_private(c.owner)}
        for capture in self._captures:
            owner = own.get(id(capture.owner), capture.owner)
            if capture.is_variable:
                value = under_way.read(owner)
                if tape.recording():
                    value = tape.leaf_of(owner, value)
            else:
                value = under_way.capture(owner)
            inputs.append(value)
        if (
            self._fits is not None
            and self._for_sizes.knows_more(leaves)
            and not self._fits(*inputs)
        ):
            return self._for_sizes.call_flat(leaves)
        if self._replay is None:
            self._replay = compile_graph(self.graph_module, replay=True)
        results = self._replay(*inputs)
        for owner, value in zip(self._written, results[self._count :], strict=True):
            under_way.write(own.get(id(owner), owner), value)
        for result, spec in zip(results, self._output_specs, strict=False):
            if spec.dtype is dtypes.string:
                arena.mark(result)
        return fill(self._output_template, map(wrap, results[: self._count]))

    # -- shipping it

    def as_module(self) -> tuple[torch.nn.Module, list[torch.Tensor]]:
        """The graph as a module whose variables and outer tensors are its buffers.

        Returns:
            The module, which takes the flat arguments and returns the flat tuple of results and the
            new values of the variables written, and example arguments of the signature's shapes
            (2 for an open size, scalars for an unknown rank).
        """
        from torchtf.function.shipping import shippable

        examples = [
            torch.zeros(
                [2 if s is None else s for s in spec.shape._dims or ()], dtype=spec.dtype.torch
            )
            for spec in self._input_specs
        ]
        first = len(self._input_specs)
        private = [i for i, c in enumerate(self._captures, first) if graph.is_private(c.owner)]
        body = shippable(self.graph_module, private)
        written = [(i, o) for i, o in enumerate(self._written) if not graph.is_private(o)]
        kept = [*range(self._count), *[self._count + i for i, _ in written]]
        return GraphWithState(body, self._captures, kept, [o for _, o in written]), examples


class BySizes:
    """One graph for each choice of the sizes that a signature leaves open.

    Args:
        specs: the flat signature.
        trace: makes the concrete function for a flat signature.
    """

    replayable = True

    def __init__(self, specs: list[TensorSpec], trace: Callable[[list], ConcreteFunction]):
        self._specs = specs
        self._trace = trace
        self._made: dict[tuple, ConcreteFunction] = {}
        self._variables: list[Variable] = []

    def on(self, variables: list) -> BySizes:
        """These graphs for calls that leave out the variables among the arguments."""
        made = copy.copy(self)
        made._variables = variables
        return made

    def call_flat(self, leaves: list):
        return self.concrete_for(leaves).call_flat([*leaves, *self._variables])

    def concrete_for(self, leaves: list) -> ConcreteFunction:
        """The graph for the sizes of these arguments."""
        shapes = tuple(tuple(leaf.shape) for leaf in leaves if type(leaf) is not Variable)
        concrete = self._made.get(shapes)
        if concrete is None:
            specs = [TensorSpec(shape, spec.dtype, spec.name)
                     for shape, spec in zip(shapes, self._specs, strict=True)]  # fmt: skip
            with failures.at_run_time():
                concrete = self._trace(specs)
            concrete._fits = None  # another trace for the same sizes would assume the same
            self._made[shapes] = concrete
        return concrete

    def knows_more(self, leaves: list) -> bool:
        """Whether arguments have sizes that the signature leaves open."""
        return any(
            tuple(x.shape) != tuple(s.shape) for x, s in zip(leaves, self._specs, strict=True)
        )


class GraphWithState(torch.nn.Module):
    """A traced graph with what it captured as buffers.

    Args:
        body: the graph.
        captures: its inputs after the arguments.
        kept: which of its results to return.
        written: the variables that the last of these are new values of.

    Attributes:
        written: these, and those that the graph changes in place; their new values come last.
    """

    def __init__(self, body, captures, kept: Sequence[int], written: Sequence = ()):
        super().__init__()
        self.body = body
        self.kept = list(kept)
        self.owners = [c.owner for c in captures]
        self.state_names = []
        self.changed = [i for i, c in enumerate(captures) if c.mutated]
        self.written = [*written, *[self.owners[i] for i in self.changed]]
        for i, capture in enumerate(captures):
            name = f"state_{i}"
            self.register_buffer(name, capture.get().detach())
            self.state_names.append(name)

    def forward(self, *inputs):
        state = [getattr(self, name) for name in self.state_names]
        for i in self.changed:  # the buffer is the memory of the variable, which stays as it is
            state[i] = state[i].clone()
        results = self.body(*inputs, *state)
        return (*[results[i] for i in self.kept], *[state[i] for i in self.changed])


class _Leaf:
    """The place of a tensor in an output template."""

    def __repr__(self):
        return "*"


_LEAF = _Leaf()


def template_of(structure, flat: list, function=None):
    """`structure` with `_LEAF` for each tensor; appends the tensors to `flat`.

    Python numbers, strings and arrays in the structure become tensors, as TensorFlow returns them.

    Raises:
        TypeError: for an object that has no tensor form.
    """
    if structure is None or structure is _LEAF:
        return structure
    children = nest.children(structure, expand_composites=True)
    if children is not None:
        return nest.Template(structure, [template_of(v, flat, function) for _, v in children])
    try:
        flat.append(convert_to_tensor(structure))
    except (TypeError, ValueError):
        raise TypeError(
            "To be compatible with tf.function, Python functions must return zero or more Tensors "
            f"or ExtensionTypes or None values; in compilation of {function!r}, found return value "
            f"of type {type(structure).__name__}, which is not a Tensor or ExtensionType."
        ) from None
    return _LEAF


def fill(template, values):
    """The structure of `template` with the next of `values` at each leaf."""
    if template is _LEAF:
        return next(values)
    if isinstance(template, nest.Template):
        return template.build([fill(t, values) for t in template.children])
    return template


def _holds_tensors(want) -> bool:
    """Whether a part of a signature has a place for a tensor."""
    return any(isinstance(x, TensorSpec) for x in nest.flatten(want, expand_composites=True))


def _equals(value, constant) -> bool:
    """Whether an argument is the Python value that a graph was made for."""
    if type(value) is Tensor:
        value = value.numpy()
    try:
        return bool(value == constant)
    except Exception:
        return False
