"""The objects of a SavedModel: what `export` needs to know of them, and objects made of that again.

* `Description` walks the attributes of a `tf.Module` or a layer of Keras as TensorFlow's `save`
  does: variables, modules, lists, tuples and dicts of them, and each `tf.function` with the graphs
  that were traced of it (one with an input signature is traced now).
* `restore` makes objects with the same attributes. Their functions run the stored graphs; arguments
  that none of them was traced for raise.
"""

from __future__ import annotations

import functools
import inspect
import os
import pprint
import warnings
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch

from torchtf.core import arena, dtypes, nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import Tensor, is_tensor_type
from torchtf.core.variable import Variable
from torchtf.experimental.extension_type import ExtensionType, ExtensionTypeSpec, _of
from torchtf.framework import register_tensor_conversion_function
from torchtf.function import ranked, shipped_call, staged
from torchtf.function.concrete import _LEAF, ConcreteFunction
from torchtf.function.polymorphic import Function, Verbatim
from torchtf.function.trace import Capture, Traced, order_placeholders
from torchtf.function.trial_texts import trial_texts
from torchtf.module import AutoTrackable, Module
from torchtf.train import _trackable


class Asset:
    """A file to ship in ``assets/`` (source: `tf.saved_model.Asset`).

    Args:
        path: the file. A module that holds the asset is saved with a copy; in the loaded model
            `asset_path` is where the copy lies.
    """

    def __init__(self, path: str | os.PathLike | Tensor):
        if isinstance(path, Tensor):
            path = path.numpy().decode()
        self._path = os.path.abspath(path)
        self._tensor = convert_to_tensor(os.fspath(path))

    @property
    def asset_path(self) -> Tensor:
        """The path of the file, a string tensor."""
        return self._tensor

    def _trackable_children(self) -> dict:
        return {}


register_tensor_conversion_function(Asset, lambda value, **_: value.asset_path)


# --- describing ------------------------------------------------------------
class Description:
    """The `export.objects.Objects` of a module, and the signatures that share its variables.

    A graph that has no form in a file is left out, with a warning.

    Args:
        root: a `tf.Module` or an object of Keras; None for a model that is its signatures alone.
    """

    def __init__(self, root: object | None):
        from export import objects

        self._kinds = objects
        self.objects = objects.Objects()
        self._numbers: dict[int, int] = {}
        self._variables: dict[int, int] = {}
        self._tables: dict = {}
        self._kept: list = []  # what is known by its identity must live
        self._functions: list[tuple] = []
        self._modules: dict[int, torch.nn.Module] = {}
        if root is not None:
            self._visit(root)
        # all variables are known before the graphs that use them are described
        for node, function in self._functions:
            node.traces = [t for c in _traces(function) if (t := self._trace(c)) is not None]

    def _visit(self, value) -> int | None:
        number = self._numbers.get(id(value))
        if number is not None:
            return number
        node = self._node(value)
        if node is None:
            return None
        number = self._numbers[id(value)] = len(self.objects.nodes)
        self._kept.append(value)
        self.objects.nodes.append(node)
        for name, child in _children(value).items():
            found = self._visit(child)
            if found is not None:
                node.children[name] = found
        return number

    def _node(self, value):
        kinds = self._kinds
        if _trackable.is_variable(value):
            return kinds.Node("variable", variable=self._variable(value))
        if isinstance(value, Asset):
            self.objects.assets.append(value._path)
            return kinds.Node("asset", asset=len(self.objects.assets) - 1)
        if shipped_call.is_table(value):
            described = self._table(shipped_call.number_of(value))
            return kinds.Node("table", table=self.objects.place(described))
        if isinstance(value, (Function, ConcreteFunction)):
            name = value.name  # bytes, of a concrete function
            node = kinds.Node("function", name=name if isinstance(name, str) else name.decode())
            self._functions.append((node, value))
            if isinstance(value, Function):
                node.parameters = _parameters(value)
                node.input_signature = _input_signature(value)
            else:
                node.parameters = [
                    kinds.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD)
                    for n in value._parameters
                ]
            return node
        if isinstance(value, (list, tuple, dict)):
            kind = next(k for k in (list, tuple, dict) if isinstance(value, k))
            return kinds.Node(kind.__name__)
        return kinds.Node("module") if _children(value) else None

    def _variable(self, owner) -> int:
        """The position of a variable among those of the model."""
        number = self._variables.get(id(owner))
        if number is None:
            number = self._variables[id(owner)] = len(self.objects.variables)
            self._kept.append(owner)
            value = owner._trace_get()
            if not isinstance(value, torch.Tensor):
                raise NotImplementedError(
                    f"the variable {owner.name!r} holds strings, which cannot be exported"
                )
            self.objects.variables.append(
                self._kinds.StateVariable(
                    _name(owner) or "variable", value.detach(), owner.trainable
                )
            )
        return number

    def _table(self, number: int):
        """What is told of the table of a number."""
        if number not in self._tables:
            table = shipped_call.table(number)
            self._kept.append(table)
            self._tables[number] = self._kinds.Table(**table._description())
        return self._tables[number]

    def _trace(self, concrete: ConcreteFunction):
        from export import structure

        try:
            return self._kinds.Trace(
                self.signature(concrete.graph.name, concrete),
                structure.encode(concrete.structured_input_signature, _is_spec, _composite),
                structure.encode(concrete.output_signature, _is_spec, _composite),
            )
        except NotImplementedError as error:
            self.objects.leave_out(concrete.graph.name, error)
            return None

    def signature(self, name: str, concrete: ConcreteFunction, inputs=None, outputs=None):
        """The `export.Signature` of a graph.

        Args:
            name: its key.
            concrete: the graph.
            inputs, outputs: the names of both; those of its arguments, and numbers, by default.
        """
        import export

        module = self._modules.get(id(concrete))
        if module is None:
            module, _ = concrete.as_module()
            if staged.has_own_gradients(concrete.graph_module):
                warnings.warn(
                    f"The custom gradients of the function {concrete.graph.name!r} are not saved: "
                    "a loaded model has those of its ops. Call the function that has the custom "
                    "gradient outside of the saved one.",
                    stacklevel=2,
                )
            self._modules[id(concrete)] = module
            self._kept.append(concrete)
        updates = [self._variable(owner) for owner in module.written]
        state = {
            f"state_{i}": self._variables[id(owner)]
            for i, owner in enumerate(module.owners)
            if id(owner) in self._variables
        }
        names = {f"state_{i}": _name(owner) for i, owner in enumerate(module.owners)}
        specs = concrete._input_specs
        results = outputs or [f"output_{i}" for i in range(len(concrete._output_specs))]
        if not results and not updates:
            raise NotImplementedError(
                f"the function {concrete.graph.name!r} neither returns tensors nor assigns to "
                "variables: it has no form in a SavedModel. Return a tensor, a constant for one."
            )
        given = nest.flatten(concrete.structured_input_signature)
        return export.Signature(
            name,
            module,
            [
                (key, spec.dtype.name, _sizes(spec.shape))
                for key, spec in zip(inputs or _distinct(s.name for s in specs), specs, strict=True)
            ],
            results,
            weight_names={k: v for k, v in names.items() if v},
            state=state,
            updates=updates,
            sampled=not any(map(nest.is_composite_spec, given)),
            strings=[n for n, s in zip(results, concrete._output_specs, strict=True)
                     if s.dtype is dtypes.string],
            texts=trial_texts(module),
            tables={number: self._table(number) for number in shipped_call.tables_of(module)},
        )  # fmt: skip


def _distinct(names: Iterable[str]) -> list[str]:
    """The names, numbered where one comes again."""
    found: list[str] = []
    for name in names:
        number, given = 0, name
        while given in found:
            number += 1
            given = f"{name}_{number}"
        found.append(given)
    return found


def _sizes(shape: TensorShape) -> list[int | None] | None:
    return None if shape.rank is None else shape.as_list()


def _name(owner) -> str:
    """The name of a variable without TensorFlow's output number; "" if it has none."""
    name = getattr(owner, "path", None) or getattr(owner, "name", None)
    return name.removesuffix(":0") if isinstance(name, str) else ""


def _is_spec(value) -> bool:
    return isinstance(value, TensorSpec)


def _composite(value) -> tuple | None:
    """A type spec of several tensors as `export.structure` tells of it."""
    if not nest.is_composite_spec(value):
        return None
    if isinstance(value, ExtensionTypeSpec):
        names = [f.name for f in value._tf_extension_type_fields()]
        fields = dict(zip(names, value._fields(), strict=True))
        return _extension_name(value.value_type), fields, 0
    content = [
        _sizes(x) if isinstance(x, TensorShape) else x.name if isinstance(x, dtypes.DType) else x
        for x in value._serialize()
    ]
    return type(value).__name__, content, len(nest.flatten(value, True))


def _extension_name(kind: type) -> str:
    """The name under which TensorFlow's programs know a type; one in brackets they do not know."""
    return vars(kind).get("__name__") or f"<{kind.__module__}.{kind.__qualname__}>"


def _spec(name: str, content):
    """The type spec that `_composite` described.

    Raises:
        NotImplementedError: for an extension type that the program does not define.
    """
    if not isinstance(content, dict):
        import torchtf as tf

        return getattr(tf, name)(*content)
    known = [k for k in _subclasses(ExtensionType) if _extension_name(k) == name]
    if not known:
        raise NotImplementedError(
            f"the SavedModel has a function of the extension type {name!r}: import the module that "
            "defines it before tf.saved_model.load"
        )
    return _of(known[-1].Spec, content)


def _subclasses(kind: type) -> Iterator[type]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _subclasses(sub)


def functions_of(value) -> dict[str, Function | ConcreteFunction]:
    """The functions among the attributes of an object, methods included."""
    methods = {n for kind in type(value).__mro__ for n, a in vars(kind).items() if _function(a)}
    found = {n: _function(getattr(value, n, None)) for n in methods}
    found |= {n: _function(a) for n, a in getattr(value, "__dict__", {}).items()}
    return {n: found[n] for n in sorted(found) if found[n] is not None}


def _function(attribute) -> Function | ConcreteFunction | None:
    """The function that an attribute is, or that the class of a layer made a crossing of."""
    attribute = getattr(attribute, "torchtf_user", attribute)
    return attribute if isinstance(attribute, (Function, ConcreteFunction)) else None


def _children(value) -> dict:
    if isinstance(value, (Function, ConcreteFunction)):
        return {}
    found = _trackable.children(value)
    if isinstance(value, (list, tuple)):
        return {str(i): v for i, v in enumerate(value) if str(i) in found}
    if isinstance(value, AutoTrackable):
        found |= {k: v for k, v in vars(value).items() if isinstance(v, (list, dict)) and not v}
    return found | functions_of(value) if _trackable.has_attributes(value) else found


def _traces(function) -> list[ConcreteFunction]:
    """The graphs of a function."""
    if isinstance(function, ConcreteFunction):
        return [function]
    if function.input_signature is not None:
        return [function.get_concrete_function()]
    return function._list_all_concrete_functions()


def _parameters(function: Function) -> list:
    from export import structure
    from export.objects import Parameter

    found = []
    for p in function._signature.parameters.values():
        default = None
        if p.default is not p.empty:
            try:
                default = structure.encode(p.default, lambda v: False)
            except NotImplementedError:
                default = {"value": None}
        found.append(Parameter(p.name, int(p.kind), default))
    return found


def _input_signature(function: Function):
    from export import structure

    if function.input_signature is None:
        return None
    specs = nest.flatten(list(function.input_signature), True)
    infos = [{"name": s.name, "dtype": s.dtype.name, "shape": _sizes(s.shape)} for s in specs]
    return structure.encode(list(function.input_signature), _is_spec, _composite), infos


# --- restoring -------------------------------------------------------------
class Restored(Module):
    """An object of a loaded SavedModel; callable where the saved one was."""

    def __init__(self):
        super().__init__("restored")


class RestoredFunction(Function):
    """A function whose graphs come from a SavedModel."""

    def __init__(self, name: str, sig: inspect.Signature, input_signature, graphs):
        def call(*args, **kwargs):
            raise NotImplementedError(
                "the Python code of a function is not part of a SavedModel: it cannot run eagerly"
            )

        call.__name__ = call.__qualname__ = name
        call.__signature__ = sig  # type: ignore[attr-defined]
        super().__init__(call, name, input_signature, autograph=False)
        self._concrete = list(graphs)

    @property
    def concrete_functions(self) -> list[ConcreteFunction]:
        """The graphs that were saved."""
        return self._list_all_concrete_functions()

    def __call__(self, *args, **kwargs):
        try:
            return super().__call__(*args, **kwargs)
        except _NoGraph as error:
            # only where no graph takes the arguments as they are, they may be converted
            args, kwargs = error.args
        for concrete in self._concrete:
            try:
                fitted, named = _fitted((args, kwargs), concrete.structured_input_signature, True)
            except _Unlike:
                continue
            return super().__call__(*fitted, **named)
        raise self._unknown(args, kwargs)

    def get_concrete_function(self, *args, **kwargs) -> ConcreteFunction:
        try:
            return super().get_concrete_function(*args, **kwargs)
        except _NoGraph as error:
            raise self._unknown(*error.args) from None

    def _find_or_trace(self, key, args) -> ConcreteFunction:
        found = self._cache.get(key)
        if found is None:
            values = dict(zip(self._parameter_names, args, strict=True))
            bound = inspect.BoundArguments(self._signature, values)
            given = bound.args, bound.kwargs
            found = next((c for c in self._concrete if _takes(c, given)), None)
            if found is None:
                raise _NoGraph(*given)
            self._cache[key] = found
        return found

    def _unknown(self, args, kwargs) -> ValueError:
        if not self._concrete:
            return ValueError("Found zero restored functions for caller function.")
        options = "\n\n".join(
            f"Option {i}:\n  {_arguments_text(*c.structured_input_signature)}"
            for i, c in enumerate(self._concrete, 1)
        )
        names = _positional_names(self._signature, len(args))
        return ValueError(
            "Could not find matching concrete function to call loaded from the SavedModel. Got:\n"
            f"  {_arguments_text(*_as_placeholders(names, args, kwargs))}"
            f"\n\n Expected these arguments to match one of the following {len(self._concrete)} "
            f"option(s):\n\n{options}"
        )


class _NoGraph(Exception):
    """No graph takes the arguments, which are its positional and keyword ones, as they are."""


class _Unlike(Exception):
    """An argument is not what a graph was traced for."""


def _takes(concrete: ConcreteFunction, given: tuple) -> bool:
    """Whether a graph was traced for such arguments, positional and by keyword."""
    try:
        _fitted(given, concrete.structured_input_signature, False)
    except _Unlike:
        return False
    return True


def _fitted(value, want, converts: bool):
    """An argument as a graph takes it.

    Args:
        value: an argument, or a structure of them.
        want: what the graph was traced for.
        converts: whether what is no tensor becomes one where a tensor is wanted.

    Raises:
        _Unlike: if it does not fit.
    """
    if isinstance(want, TensorSpec):
        if converts and not isinstance(value, TensorSpec):
            hint = None if _is_tensor(value) else want.dtype
            try:
                value = convert_to_tensor(value, dtype_hint=hint)
            except (TypeError, ValueError):
                raise _Unlike from None
        if not hasattr(value, "dtype") or dtypes.as_dtype(value.dtype) is not want.dtype:
            raise _Unlike
        if not want.shape.is_compatible_with(value.shape):
            raise _Unlike
        return value
    if nest.is_composite_spec(want):
        if not want.is_compatible_with(value):
            raise _Unlike
        return value
    children = nest.children(want)
    if children is None:
        if nest.is_nested(value) or _is_tensor(value) or value != want:
            raise _Unlike
        return value
    parts = nest.children(value)
    if parts is None or not _same_kind(value, want) or len(parts) != len(children):
        raise _Unlike
    if any(key != name for (key, _), (name, _) in zip(parts, children, strict=True)):
        raise _Unlike
    fitted = [_fitted(v, w, converts) for (_, v), (_, w) in zip(parts, children, strict=True)]
    return nest.rebuild(value, fitted)


def _is_tensor(value) -> bool:
    return is_tensor_type(value) or isinstance(value, (Variable, np.ndarray, np.generic))


def _same_kind(value, want) -> bool:
    return any(isinstance(value, k) and isinstance(want, k) for k in (Mapping, list, tuple))


def _arguments_text(args: tuple, kwargs: dict) -> str:
    shown = "\n    * ".join(map(pprint.pformat, args))
    return (
        f"Positional arguments ({len(args)} total):\n    * {shown}\n  Keyword arguments: {kwargs}"
    )


def _as_placeholders(names: Iterable[str], args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """Arguments as TensorFlow shows them: it looks for the graph while it traces, where tensors
    are placeholders named after their parameters.
    """
    seen: dict[str, int] = {}

    def shown(parameter, value):
        if not _is_tensor(value):
            return value
        tensor = convert_to_tensor(value)
        number = seen[parameter] = seen.get(parameter, -1) + 1
        name = f"{parameter}_{number}" if number else parameter
        return Verbatim(f"<tf.Tensor '{name}:0' shape={tensor.shape} dtype={tensor.dtype.name}>")

    def shown_in(parameter, value):
        return nest.map_structure(functools.partial(shown, parameter), value)

    placed = tuple(shown_in(n, a) for n, a in zip(names, args, strict=True))
    return placed, {n: shown_in(n, a) for n, a in kwargs.items()}


def _positional_names(sig: inspect.Signature, count: int) -> list[str]:
    """The names of the first arguments by position; those of ``*args`` are numbered."""
    parameters = sig.parameters.values()
    names = [p.name for p in parameters if p.kind <= p.POSITIONAL_OR_KEYWORD]
    variadic = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
    return [*names, *(f"{n}_{i}" for n in variadic for i in range(count - len(names)))][:count]


def restore(loaded):
    """The root object of an `export.store.Loaded`, and its graphs as concrete functions by key.

    Returns:
        The root, and for each signature its graph.
    """
    made = _Restoration(loaded)
    return made.root(), {
        k: made.concrete(entry, *_flat(entry)) for k, entry in loaded.signatures.items()
    }


def _flat(entry):
    """A graph of flat arguments: its parameters, arguments and results."""
    specs = [spec_of(info) for info in entry.inputs]
    return [s.name for s in specs], (tuple(specs), {}), [spec_of(info) for info in entry.outputs]


def spec_of(info) -> TensorSpec:
    """The spec of an `export.TensorInfo`."""
    return TensorSpec(info.shape, dtypes.as_dtype(info.dtype), name=info.name)


class _Restoration:
    def __init__(self, loaded):
        self._loaded = loaded
        self._nodes = loaded.objects["nodes"]
        self._constants: dict[tuple, Tensor] = {}
        self._variables = [
            Variable(Tensor(value), trainable=v["trainable"], name=v["name"])
            for value, v in zip(loaded.values, loaded.objects["variables"], strict=True)
        ]

    def root(self):
        """The root object."""
        from export import structure

        return structure.root(self._nodes, self._module, self._leaf) if self._nodes else Restored()

    def _module(self, node) -> Restored:
        # attributes that a module has of its own give way to the saved ones
        members = {name: None for name in node["children"] if hasattr(Restored, name)}
        if "__call__" in node["children"]:
            members |= _CALL
        return type("Restored", (Restored,), members)()

    def _leaf(self, node):
        if node["kind"] == "variable":
            return self._variables[node["variable"]]
        if node["kind"] == "asset":
            return Asset(self._loaded.objects["assets"][node["asset"]])
        if node["kind"] == "table":
            return self._loaded.tables[node["table"]]
        return self._function(node)

    def _function(self, node) -> RestoredFunction:
        from export import structure

        sig = structure.signature(node["parameters"])
        input_signature = None
        if node["input_signature"] is not None:
            form, infos = node["input_signature"]
            specs = [TensorSpec(i["shape"], dtypes.as_dtype(i["dtype"]), i["name"]) for i in infos]
            input_signature = structure.decode(form, iter(specs), _spec)
        graphs = []
        for trace in node["traces"]:
            entry = self._loaded.traces[trace["number"]]
            inputs = structure.decode(trace["arguments"], map(spec_of, entry.inputs), _spec)
            outputs = structure.decode(trace["results"], map(spec_of, entry.outputs), _spec)
            names = _positional_names(sig, len(inputs[0]))
            graphs.append(self.concrete(entry, names, inputs, outputs))
        return RestoredFunction(node["name"], sig, input_signature, graphs)

    def concrete(self, entry, parameters, inputs, outputs) -> ConcreteFunction:
        """A function that runs on the variables of the restored objects."""
        by_ranks = {
            g.ranks: self._graph(entry, g, parameters, inputs, outputs) for g in entry.graphs
        }
        if all(info.shape is not None for info in entry.inputs):
            return next(iter(by_ranks.values()))
        specs = [spec_of(info) for info in entry.inputs]
        results = [spec_of(info) for info in entry.outputs]
        traced = ranked.joined(entry.name, by_ranks, specs, results)
        return ConcreteFunction(
            entry.name, traced, parameters, inputs, _template(outputs), results, specs
        )

    def _graph(self, entry, loaded, parameters, inputs, outputs) -> ConcreteFunction:
        program = loaded.program
        module = torch.fx.GraphModule(program.graph_module, _copied(program.graph))
        nodes = {n.name: n for n in module.graph.nodes if n.op == "placeholder"}
        signature = program.graph_signature
        names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        values = program.state_dict
        captures = []
        for name, target in names.items():
            if target in loaded.state:
                owner = self._variables[loaded.state[target]]
            else:
                owner = self._constant(values[target].detach())
            captures.append(Capture(owner, nodes[name], nodes[name].meta["val"]))
        for name, target in signature.inputs_to_lifted_tensor_constants.items():
            owner = self._constant(program.constants[target])
            captures.append(Capture(owner, nodes[name], nodes[name].meta["val"]))
        arguments = [nodes[n] for n in signature.user_inputs]
        results = next(iter(reversed(module.graph.nodes))).args[0]
        strings = [n for n, i in zip(arguments, entry.inputs, strict=True) if i.dtype == "string"]
        strings += [n for n, o in zip(results, entry.outputs, strict=False) if o.dtype == "string"]
        for node in strings:
            arena.mark(node.meta["val"])
        calls = list(shipped_call.calls_in(module))
        for node in calls:
            node.args, node.target = tuple(node.args[0]), shipped_call.call_of(node.args[1])
        order_placeholders(module.graph, [*arguments, *[c.node for c in captures]])
        module.recompile()
        traced = Traced(
            module,
            arguments=[n.meta["val"] for n in arguments],
            captures=captures,
            written=[self._variables[i] for i in entry.updates],
            results=[r.meta["val"] for r in results],
            outer_inputs=[],
            created_variables=[],
            fake_mode=None,
            uses_strings=bool(strings or calls),
        )
        specs = [spec_of(info) for info in entry.outputs]
        return ConcreteFunction(
            entry.name, traced, parameters, inputs, _template(outputs), specs,
            [spec_of(info) for info in entry.inputs],
        )  # fmt: skip

    def _constant(self, data: torch.Tensor) -> Tensor:
        """A tensor of a graph, which others share."""
        key = data.data_ptr(), data.shape, data.stride(), data.dtype
        return self._constants.setdefault(key, Tensor(data))


_CALL = {"__call__": lambda self, *args, **kwargs: vars(self)["__call__"](*args, **kwargs)}


def _copied(source: torch.fx.Graph) -> torch.fx.Graph:
    copied = torch.fx.Graph()
    copied.output(copied.graph_copy(source, {}))
    return copied


def _template(structure):
    """An output template (see `concrete.template_of`) of a structure of specs."""
    if isinstance(structure, TensorSpec):
        return _LEAF
    children = nest.children(structure, expand_composites=True)
    if children is None:
        return structure
    return nest.Template(structure, [_template(v) for _, v in children])
