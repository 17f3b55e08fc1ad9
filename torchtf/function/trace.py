"""Tracing: runs a Python function once on fake tensors and keeps the ATen ops it called.

* One trace gives one FX graph: of the forward code, of the gradients that tapes inside it take, and
  of the optimizer updates it makes. `make_fx` does the recording.
* A variable becomes a graph input when it is first read; an assignment replaces its value within
  the trace and is written back when the graph has run. In-place ATen ops on a variable's tensor
  (fused optimizers) change it at that point of the graph.
* A size that the signature leaves open is symbolic. Two open sizes are separate symbols with the
  same hint, so an op that needs them equal finds them equal, and one that does not keeps them
  apart.
* An eager tensor that the function closes over becomes an input, too: gradients reach it.
* A trace inside a trace (a branch, a loop body, a dataset function) has an input of its own for
  each variable it reads; the parent's symbolic tensors and sizes that it meets become its inputs,
  too (`outer_inputs`).
* Strings are int64 handles (see `core.arena`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import operator
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental import proxy_tensor
from torch.fx.experimental.symbolic_shapes import statically_known_true
from torch.utils._python_dispatch import _disable_current_modes

from torchtf.core import arena, device, dtypes, errors, graph, name_scope, tape
from torchtf.core.convert import KERNEL_NAMES, to_torch
from torchtf.core.shape import TensorShape
from torchtf.core.shape_errors import sizes_text
from torchtf.core.tensor import (
    SymbolicTensor,
    Tensor,
    hide_rank,
    is_fake,
    of_rank_of,
    rank_is_open,
    wrap,
)
from torchtf.function import staged
from torchtf.function.failures import is_run_time, user_frames
from torchtf.function.sizes import HINT, Sizes, StandIns, conditions, extent

current_trace = graph.current_trace


@dataclasses.dataclass(eq=False)
class Capture:
    """A graph input that the function did not get as an argument.

    Attributes:
        owner: a variable (see `core.graph`) or an eager `Tensor`.
        node: its placeholder.
        fake: its stand-in.
        mutated: whether the graph changes it in place.
        is_variable: whether the owner is a variable.
    """

    owner: Any
    node: torch.fx.Node
    fake: torch.Tensor
    mutated: bool = False
    is_variable: bool = dataclasses.field(init=False)

    def __post_init__(self):
        self.is_variable = hasattr(self.owner, "_trace_get")

    def get(self) -> torch.Tensor:
        """The tensor to run the graph with now."""
        owner = self.owner
        if self.is_variable:
            value = owner._trace_get()
            if type(value) is np.ndarray:
                return arena.encode(value)
            return tape.leaf_of(owner, value) if tape.recording() else value
        return arena.encode(owner._data) if self.holds_strings else owner._data

    @property
    def holds_strings(self) -> bool:
        """Whether the input takes string handles."""
        return arena.is_handles(self.fake)


# TensorFlow's names of operations whose function has another name than their type
_DEFAULT_NAMES = {
    "AddV2": "Add", "ConcatV2": "concat", "FloorDiv": "floordiv", "OneHot": "one_hot",
    "Pack": "stack", "PadV2": "Pad", "Range": "range", "RealDiv": "truediv", "Split": "split",
    "SplitV": "split", "StridedSlice": "strided_slice", "Transpose": "transpose",
    "Unpack": "unstack", "ZerosLike": "zeros_like", "OnesLike": "ones_like", "If": "cond",
    "While": "while",
}  # fmt: skip


def default_name(op: str) -> str:
    """The name that TensorFlow gives an operation of this type."""
    return _DEFAULT_NAMES.get(op, op)


class Trace:
    """A trace under way. `core.graph.current_trace()` is the innermost one of the thread."""

    def __init__(self, parent: Trace | None = None, name: str = "function"):
        self.parent = parent
        self.name = name
        if parent is None:
            self.fake_mode = StandIns(
                allow_non_fake_inputs=True,
                shape_env=Sizes(duck_shape=False, specialize_zero_one=False),
            )
        else:
            self.fake_mode = parent.fake_mode
        self.tracer = None
        self.captures: dict[int, Capture] = {}
        self.written: dict[int, Any] = {}
        self.created_variables: list = []
        self.may_create_variables = True
        self.has_streams = parent is not None and parent.has_streams
        self._random_ops = 0
        self.uses_strings = False
        self._names = name_scope.Names()
        self.at_run_time = is_run_time()
        self.failure: errors.OpError | None = None  # of an op, see `failed`
        self._values: dict[int, torch.Tensor] = {}
        self.examples: dict = {}  # placeholder -> the tensor of the call that traces

    # -- inputs

    def symbol(self):
        """A new symbolic size."""
        return self.fake_mode.shape_env.new_size()

    def fake_like(self, shape: Sequence | None, dtype, place=None, rank: int = 1) -> torch.Tensor:
        """A fake tensor; sizes of None are open. The dtype is torch's, or `tf.string`.

        Without a shape its rank is open, too: `rank` is only the one that it seems to have.
        """
        wanted = [None] * rank if shape is None else shape
        sizes = [self.symbol() if s is None else s for s in wanted]
        strings = dtype is dtypes.string
        if strings:
            self.root.uses_strings = True
            dtype, place = torch.int64, torch.device("cpu")
        with self.fake_mode, _untraced():
            fake = torch.empty(sizes, dtype=dtype, device=place or device.current())
        if shape is None:
            hide_rank(fake)
        return arena.mark(fake) if strings else fake

    def late(self, op, arguments: list):
        """Adds a node that runs an op when the graph does; see `function.late`."""
        from torchtf.function.late import stage_late

        return stage_late(op, arguments)

    def depends_on_data(self, size) -> bool:
        """Whether a size shows only when the graph runs, so that no call can be checked before."""
        return self.fake_mode.shape_env.depends_on_data(size)

    def hides(self, size, start, stop) -> bool:
        """Whether the example of an open size, or of an open bound, says little of a slice: the
        bound is cut to the size of the axis, or nobody knows from which end it counts, or there is
        nothing between the bounds.
        """
        bounds = [b for b in (start, stop) if isinstance(b, torch.SymInt)]
        if isinstance(size, int) and any(not -size <= b.node.hint <= size for b in bounds):
            return True
        if not any(map(self.depends_on_data, (size, *bounds))):
            return False
        if not all(statically_known_true(b >= 0) for b in bounds):
            return True
        _, length = extent(size, start, stop)
        return isinstance(length, torch.SymInt) and length.node.hint == 0

    def open_slice(self, x: torch.Tensor, axis: int, *bounds) -> torch.Tensor:
        """Adds a slice whose open bounds are cut to the size of the axis when the graph runs."""
        from torchtf.function.late import OpenSlice

        return staged.stage(OpenSlice(axis, bounds), [x, *OpenSlice.open(bounds)])[0]

    def open_range(self, bounds: Sequence[torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
        """Adds a range whose length shows when the graph runs."""
        from torchtf.function.late import OpenRange

        return staged.stage(OpenRange(dtype), bounds)[0]

    def _lift(self, owner, value: torch.Tensor, name: str) -> torch.Tensor:
        """Makes `value` a graph input and returns its stand-in."""
        if isinstance(value, np.ndarray):
            fake = self.fake_like(value.shape, dtypes.string)
        elif is_fake(value):
            with self.fake_mode, _untraced():
                fake = torch.empty_strided(
                    value.shape, value.stride(), dtype=value.dtype, device=value.device
                )
            if arena.is_handles(value):
                arena.mark(fake)
        else:
            with _untraced():
                fake = self.fake_mode.from_tensor(value.detach(), static_shapes=True)
                if value.requires_grad:
                    fake.requires_grad_()
        # a placeholder's target is its parameter name in generated code, so it must be unique
        target = self.tracer.graph._graph_namespace.create_name(name, None)
        proxy = self.tracer.create_proxy("placeholder", target, (), {})
        proxy_tensor.track_tensor_tree(fake, proxy, constant=None, tracer=self.tracer)
        self.captures[id(owner)] = Capture(owner, proxy.node, fake)
        return fake

    def capture(self, tensor: Tensor) -> torch.Tensor:
        """The stand-in for an eager tensor that the function closes over."""
        if isinstance(tensor._data, np.ndarray):  # strings never change: they are constants
            return self.constant_strings(tensor._data)
        found = self.captures.get(id(tensor))
        if found is not None:
            return found.fake
        if self.parent is not None:
            return self.parent.capture(tensor)
        return self._lift(tensor, tensor._data, "captured")

    def constant_strings(self, array: np.ndarray) -> torch.Tensor:
        """The stand-in for strings that are part of the graph."""
        (fake,) = self.call(
            StringConstant(array), [], [self.fake_like(array.shape, dtypes.string)], "Const"
        )
        return fake

    @staticmethod
    def untraced():
        """A context whose ops are not recorded."""
        return _untraced()

    def knows_size(self, expr) -> bool:
        """Whether a symbolic size can be computed in this trace."""
        tables = []
        trace = self
        while trace is not None:
            tables.append(trace.tracer.sympy_expr_tracker)
            trace = trace.parent
        return all(any(s in t for t in tables) for s in expr.free_symbols)

    def stack_strings(self, value: Sequence) -> torch.Tensor:
        """The stand-in for a nested list of strings, some of which are symbolic."""
        parts = []
        for item in value:
            if isinstance(item, (list, tuple)):
                parts.append(self.stack_strings(item))
                continue
            data = self.capture(item) if type(item) is Tensor else to_torch(item)
            parts.append(self.constant_strings(data) if isinstance(data, np.ndarray) else data)
        return arena.mark(torch.stack(parts))

    # -- variables (the protocol of core.graph)

    def read(self, owner) -> torch.Tensor:
        """The present symbolic value of a variable."""
        value = self._values.get(id(owner))
        if value is None:
            source = owner._trace_get() if self.parent is None else self.parent.read(owner)
            name = str(getattr(owner, "name", "variable")).split(":")[0]
            value = self._lift(owner, source, name)
            self._values[id(owner)] = value
        return value

    def write(self, owner, value: torch.Tensor) -> None:
        """Replaces a variable's value; stored when the graph has run."""
        owner = getattr(owner, "_wrapped", owner)
        self.read(owner)
        if isinstance(value, np.ndarray):
            value = self.constant_strings(value)
        elif not is_fake(value):
            value = value.clone()  # under the trace: gives a stand-in with a node
        if rank_is_open(value):
            from torchtf.function.late import with_shape

            value = with_shape(value, TensorShape(list(self._values[id(owner)].shape)))
        if arena.is_handles(self._values[id(owner)]):
            arena.mark(value)
        self._values[id(owner)] = value
        self.written[id(owner)] = owner

    def value_of(self, owner) -> torch.Tensor:
        return self._values[id(owner)]

    def before_variable_creation(self, variable) -> None:
        """Called when a `tf.Variable` is made inside the traced function.

        Raises:
            ValueError: unless this is the first trace of the function.
        """
        root = self.root
        if not root.may_create_variables:
            raise ValueError(
                "tf.function only supports singleton tf.Variables created on the first call. Make "
                "sure the tf.Variable is only created once or created outside tf.function. See "
                "https://www.tensorflow.org/guide/function#creating_tfvariables for more "
                "information."
            )
        root.created_variables.append(variable)

    def count_random_op(self) -> int:
        """The number of the next random op among this graph's without a seed of their own."""
        self._random_ops += 1
        return self._random_ops - 1

    @functools.cached_property
    def graph(self):
        """The graph in TensorFlow's terms: the `graph` of symbolic tensors."""
        from torchtf.function.func_graph import FuncGraph

        graph = self.tracer.graph
        return FuncGraph(self.name, graph, self.captures.values(), names=self._names)

    @property
    def root(self) -> Trace:
        return self if self.parent is None else self.parent.root

    def initial_value(self, fake: torch.Tensor) -> torch.Tensor:
        """Computes a symbolic initial value for real, from the part of the graph that makes it.

        Raises:
            ValueError: if it depends on arguments of which only the specs are known.
        """
        from torchtf.function.runner import run_nodes

        node = self.node_of(fake)
        values = {c.node: c for c in self.captures.values()}

        def input_value(placeholder):
            if type(self.examples.get(placeholder)) is Tensor:
                data = self.examples[placeholder]._data
                return arena.encode(data) if isinstance(data, np.ndarray) else data
            if placeholder not in values:
                raise ValueError(
                    "Tensor-typed variable initializers must either be wrapped in an init_scope or "
                    "callable (e.g., `tf.Variable(lambda : tf.truncated_normal([10, 40]))`) when "
                    "building functions."
                )
            return values[placeholder].get()

        with init_scope():
            return run_nodes(self.tracer.root, node, input_value).detach().clone()

    # -- nodes

    def may_use(self, data: torch.Tensor) -> bool:
        """Whether a stand-in is of this function, and not of another one."""
        return getattr(data, "fake_mode", self.fake_mode) is self.fake_mode

    def node_of(self, data: torch.Tensor) -> torch.fx.Node:
        """The node that made a stand-in."""
        slot = proxy_tensor.get_proxy_slot(data, self.tracer)
        return slot.proxy.node

    def note(self, tensor: SymbolicTensor, op: str, name: str | None = None) -> None:
        """Records which TensorFlow op made `tensor`: for graph views, names, and stop_gradient.

        Args:
            tensor: a result of the op.
            op: TensorFlow's type of it.
            name: the name that the user gave it.
        """
        try:
            node = self.node_of(tensor._data)
        except (KeyError, RuntimeError, AssertionError):
            return
        if op == "StopGradient" or "tf_op" not in node.meta:
            node.meta["tf_op"] = op
        owner, index = operation_and_index(node)
        self.name_node(owner, op, name)
        tensor._name = f"{owner.meta['tf_name']}:{index}"

    def name_node(self, node: torch.fx.Node, op: str, name: str | None = None) -> None:
        """Gives a node that has none yet a name, and keeps where the user wrote it."""
        if "tf_name" not in node.meta:
            node.meta["tf_name"] = self.unique_name(name_scope.qualified(name or default_name(op)))
            node.meta["tf_frames"] = user_frames()

    @property
    def last_node(self) -> torch.fx.Node:
        """The newest node of the graph."""
        return self.tracer.graph._root.prev

    def own(self, before: torch.fx.Node, tensor: SymbolicTensor) -> None:
        """Tells that the nodes newer than `before` are parts of the op that made `tensor`."""
        try:
            owner, _ = operation_and_index(self.node_of(tensor._data))
        except (KeyError, RuntimeError, AssertionError):
            return
        node = self.last_node
        while node is not before and node.op != "root":
            if node is not owner:
                node.meta.setdefault("tf_owner", owner)
            node = node.prev

    def describe(
        self, op: str, name: str | None, inputs: Sequence[torch.Tensor], before: str = "",
        after: str = "", constants: Sequence = (),
    ) -> str:  # fmt: skip
        """How TensorFlow's messages show an operation that could not be made.

        Args:
            op: its type.
            name: the name that the user gave it.
            inputs: its tensors.
            before, after: attributes around that of the element type.
            constants: inputs that are no tensors here; see `core.shape_errors`.
        """
        name = self._names.free(name_scope.qualified(name or default_name(op)))
        names = [self._name_of(x) for x in inputs] + [f"{name}/{n}" for n, _, _ in constants]
        shapes = [
            sizes_text(s) for s in (*[x.shape for x in inputs], *[s for _, s, _ in constants])
        ]
        kind = f"{before}T=DT_{KERNEL_NAMES[inputs[0].dtype].upper()}"
        attributes = f"{kind}, {after}" if after else kind
        values = ", ".join(value for _, _, value in constants)
        known = "computed input tensors" if "<" in values else (
            "input tensors computed as partial shapes"
        )  # fmt: skip
        return (
            f"'{{{{node {name}}}}} = {op}[{attributes}]({', '.join(names)})' with input shapes: "
            f"{', '.join(shapes)}" + (f" and with {known}: {values}." if values else ".")
        )

    def _name_of(self, data: torch.Tensor) -> str:
        try:
            node = self.node_of(data)
        except (KeyError, RuntimeError, AssertionError, AttributeError):
            return "Const"
        return node.meta.get("tf_name") or node.name

    def scope_of(self, name: str) -> name_scope.name_scope:
        """The name scope of the branches or the body of the next operation of this name."""
        return name_scope.name_scope(self._names.free(name_scope.qualified(name)) + "/")

    def unique_name(self, wanted: str) -> str:
        """`wanted`, with a number if an operation of the graph has that name."""
        return self._names.take(wanted)

    def operation_of(self, tensor: SymbolicTensor):
        """The graph operation that made `tensor`."""
        return self.graph.operation_of(self.node_of(tensor._data))

    def call(
        self,
        function: Callable,
        inputs: Sequence,
        outputs: Sequence,
        op: str | None = None,
        stateful: bool = False,
        name: str | None = None,
    ):
        """Adds a node that calls a Python function when the graph runs.

        Args:
            function: takes real torch tensors, returns a tuple of them.
            inputs: stand-ins; nested tuples, modules and plain values are passed on.
            outputs: stand-ins for the results, made by `fake_like`.
            op: TensorFlow's name of the op.
            stateful: whether the call has effects, so that it stays even if its results are unused.
            name: the name that the user gave it.

        Returns:
            `outputs`, now tied to the new node.
        """
        tracer = self.tracer
        args = tuple(self._proxy(i) for i in inputs)
        with _untraced():
            proxy = tracer.create_proxy("call_function", function, args, {})
            for i, fake in enumerate(outputs):
                part = proxy[i]
                proxy_tensor.track_tensor_tree(fake, part, constant=None, tracer=tracer)
        proxy.node.meta["has_results"] = len(outputs) > 0
        if isinstance(function, torch._ops.OpOverload):
            proxy.node.meta["val"] = tuple(outputs)  # as where the tracer itself makes the node
        if op:
            proxy.node.meta["tf_op"] = op
            if not outputs:  # else `note` does
                self.name_node(proxy.node, op, name)
        if stateful:
            proxy.node.meta["stateful"] = True
        return list(outputs)

    def no_op(self, name: str | None = None):
        """An operation that does nothing."""
        self.call(_nothing, [], [], "NoOp", name=name)
        return self.graph.operation_of(self.last_node)

    def failed(self, op: str, name: str | None, message: str) -> errors.OpError:
        """The error of an op that cannot take its arguments, in a trace made at run time.

        The graph ends with a node that raises it, so that what comes before the op runs first:
        assertions and prints. (A branch has no such end: who calls the op must raise the error.)
        """
        error = errors.InvalidArgumentError(None, None, message)
        if self.parent is None and self.failure is None:
            self.failure = error
            self.call(_Failure(op, message), [], [], op, stateful=True, name=name)
        return error

    def add_module(self, module: torch.fx.GraphModule, stem: str) -> torch.fx.Proxy:
        """Makes a sub graph part of this graph, so that it can be an input of `call`."""
        root, i = self.tracer.root, 0
        while hasattr(root, f"{stem}_{i}"):
            i += 1
        # not as a sub module: the tracer would take constants for those of sub modules
        object.__setattr__(root, f"{stem}_{i}", module)
        with _untraced():
            return self.tracer.create_proxy("get_attr", f"{stem}_{i}", (), {})

    def _proxy(self, value):
        if isinstance(value, tuple):
            return tuple(self._proxy(v) for v in value)
        if isinstance(value, torch.SymInt):
            return self.tracer.unwrap_proxy(value)
        if not isinstance(value, torch.Tensor):
            return value
        slot = proxy_tensor.get_proxy_slot(value, self.tracer, None)
        if slot is not None:
            return slot.proxy
        # a constant, or a tensor of the parent trace: met through an op it gets a node
        return proxy_tensor.get_proxy_slot(torch.ops.aten.alias(value), self.tracer).proxy


def operation_and_index(node: torch.fx.Node) -> tuple[torch.fx.Node, int]:
    """The node of an operation, and which of its results a node is."""
    if node.target is operator.getitem and isinstance(node.args[1], int):
        return node.args
    return node, 0


def _nothing():
    """What a `NoOp` does."""


class _Failure(staged.Call):
    """An op that fails in each run."""

    stateful = True

    def __init__(self, op: str, message: str):
        self.op = op
        self._message = message

    def run(self):
        raise errors.InvalidArgumentError(None, None, self._message)


class StringConstant:
    """A node's target: string constants, encoded when the graph runs."""

    def __init__(self, array: np.ndarray):
        self.array = array
        self.__name__ = "string_constant"

    def __call__(self):
        if graph.state.trace is not None:  # the graph is replayed into another one
            return (graph.state.trace.constant_strings(self.array),)
        return (arena.encode(self.array),)


class _OuterSymbols(dict):
    """The sizes that a trace inside a trace knows: those of its parent become inputs on demand.

    It stands in for the tracer's own table of symbols.
    """

    def __init__(self, under_way: Trace):
        super().__init__()
        self._trace = under_way

    def get(self, expr, default=None):
        found = super().get(expr, default)
        if found is None and expr.is_Symbol:
            found = self[expr] = self._lifted(expr)
        return found

    def _lifted(self, expr):
        tracer = self._trace.tracer
        env = self._trace.fake_mode.shape_env
        size = env.create_symintnode(expr, hint=HINT)
        with _untraced():
            target = tracer.graph._graph_namespace.create_name("size", None)
            proxy = tracer.create_proxy("placeholder", target, (), {})
        proxy.node.meta["val"] = size
        proxy.node.meta["outer_size"] = size
        return proxy_tensor._SympyExprTrackerValue(proxy_tensor.Thunk(lambda: proxy), size)


@contextlib.contextmanager
def _untraced():
    """Ops inside are not recorded."""
    with proxy_tensor.disable_proxy_modes_tracing():
        yield


@contextlib.contextmanager
def init_scope():
    """Leaves every trace of this thread (source: `tf.init_scope`)."""
    saved = graph.state.trace
    graph.state.trace = None
    try:
        with tape.isolated(), _disable_current_modes():
            yield
    finally:
        graph.state.trace = saved


@dataclasses.dataclass(eq=False)
class Traced:
    """What a trace gave.

    Attributes:
        graph_module: the FX graph. Its inputs are the arguments, then the captures; its outputs
            the results, then the new values of the variables written.
        captures: the inputs after the arguments, in order.
        written: the variables whose new values follow the results.
        results: the flat symbolic results, one for each output.
        uses_strings: whether the graph must run inside an `Arena`.
        outer_inputs: for a trace inside a trace, the parent's stand-ins (and sizes) that follow the
            captures.
        created_variables: the variables made while tracing.
        fake_mode: the mode the stand-ins belong to.
        fits: whether sizes of the inputs are ones that the graph is right for (see `sizes`); None
            if all are.
        failure: the error of an op that each run ends with (see `Trace.failed`).
    """

    graph_module: torch.fx.GraphModule
    arguments: list[torch.Tensor]
    captures: list[Capture]
    written: list
    results: list
    outer_inputs: list[torch.Tensor]
    created_variables: list
    fake_mode: FakeTensorMode
    uses_strings: bool = False
    fits: Callable[..., bool] | None = None
    failure: errors.OpError | None = None


def _read_scalar(x: torch.Tensor):
    """Gives a tensor of the parent trace, which make_fx takes for a constant, a node."""
    tracer = graph.state.trace.tracer
    if not is_fake(x) or proxy_tensor.get_proxy_slot(x, tracer, None) is not None:
        return NotImplemented
    return torch.ops.aten._local_scalar_dense(torch.ops.aten.alias(x))


_DECOMPOSITIONS = {
    torch.ops.aten._local_scalar_dense.default: _read_scalar,
    # make_fx's default: the cuts that torch makes by itself are none for the graph's own gradients
    torch.ops.aten.detach.default: torch.ops.aten.alias,
}

# make_fx patches classes of torch while it runs, so threads (of pipelines, say) take turns
_one_at_a_time = threading.RLock()


def trace(
    function: Callable[..., Sequence[torch.Tensor]],
    arguments: Sequence,
    names: Sequence[str] = (),
    may_create_variables: bool = True,
    name: str = "function",
    has_streams: bool | None = None,
    scopes: Sequence[contextlib.AbstractContextManager] = (),
) -> Traced:
    """Traces a function of flat tensors.

    Args:
        function: takes a stand-in for each argument and returns a flat list of raw results.
        arguments: for each argument a (shape with None for open sizes, torch dtype) pair, or a
            stand-in made before.
        names: names for the arguments.
        may_create_variables: whether `tf.Variable` may be called inside.
        name: the name of the function, for the graph.
        has_streams: whether seeded random ops keep a place in a stream from run to run, which a
            graph that runs on many elements at once cannot; as the trace outside by default.
        scopes: contexts to enter while the function runs (the Keras boundary's scope, say).
    """
    parent = graph.state.trace
    under_way = Trace(parent, name)
    names = [under_way.unique_name(wanted) for wanted in names]
    under_way.may_create_variables = may_create_variables
    if has_streams is not None:
        under_way.has_streams = has_streams
    fakes = [
        a if isinstance(a, torch.Tensor) else under_way.fake_like(*a) for a in arguments
    ]  # fmt: skip
    if parent is None:
        under_way.fake_mode.shape_env.note_inputs(fakes)
    results: list = []

    def body(*inputs):
        mode = proxy_tensor.get_proxy_mode()
        under_way.tracer = mode.tracer
        if parent is not None:
            known = _OuterSymbols(under_way)
            known.update(under_way.tracer.sympy_expr_tracker)
            under_way.tracer.sympy_expr_tracker = known
        graph.state.trace = under_way
        for fake, wanted in zip(inputs, names, strict=False):
            under_way.node_of(fake).meta["tf_name"] = wanted
        try:
            with contextlib.ExitStack() as stack:
                for scope in (*default_scopes(under_way), *scopes):
                    stack.enter_context(scope)
                flat = list(function(*inputs))
        finally:
            graph.state.trace = parent
        flat = [_with_node(under_way, x) for x in flat]
        results.extend(flat)
        values = [_with_node(under_way, under_way.value_of(o)) for o in under_way.written.values()]
        return [*flat, *values]

    # Composite kernels in C++ would fix open sizes to `HINT`; their Python versions do not.
    dispatcher = enable_python_dispatcher()
    with (
        _one_at_a_time, tape.isolated(), _parent_modes_off(), under_way.fake_mode,
        torch.enable_grad(), dispatcher,
    ):  # fmt: skip
        module = proxy_tensor.make_fx(
            body, tracing_mode="real", _allow_non_fake_inputs=True, _allow_fake_constant=True,
            _disable_torch_fn_metadata_mode=True, decomposition_table=_DECOMPOSITIONS,
        )(*fakes)  # fmt: skip
    outer = _finish(module, under_way, len(fakes))
    fits = None
    if parent is None:
        captured = [c.fake for c in under_way.captures.values()]
        fits = conditions(under_way.fake_mode.shape_env, [*fakes, *captured])
    return Traced(
        graph_module=module,
        arguments=fakes,
        captures=list(under_way.captures.values()),
        written=list(under_way.written.values()),
        results=results,
        outer_inputs=outer,
        created_variables=under_way.created_variables,
        fake_mode=under_way.fake_mode,
        uses_strings=under_way.root.uses_strings,
        fits=fits,
        failure=under_way.failure,
    )


def _not_while_tracing(record: logging.LogRecord) -> bool:
    return graph.state.trace is None


# torch logs why a stand-in's shape cannot be computed before it raises the same as an error
logging.getLogger("torch._subclasses.fake_tensor").addFilter(_not_while_tracing)

# functions (trace -> context managers) that every trace enters, such as the Keras boundary's
scope_factories: list[Callable[[Trace], contextlib.AbstractContextManager]] = []


# functions of an FX graph that bring each finished one into a better order
graph_passes: list[Callable[[torch.fx.Graph], None]] = []


def default_scopes(under_way: Trace) -> list:
    """The contexts that every trace enters."""
    return [make(under_way) for make in scope_factories]


def _parent_modes_off():
    """A trace inside a trace must not record into its parent."""
    return _disable_current_modes() if graph.state.trace is not None else contextlib.nullcontext()


def _with_node(under_way: Trace, value):
    """A result as a detached stand-in that has a node of its own in this graph."""
    if not isinstance(value, torch.Tensor):
        return value
    if not is_fake(value):
        return value.clone()
    if not value.requires_grad:
        return value
    return of_rank_of(value.detach(), value)


def _finish(module: torch.fx.GraphModule, under_way: Trace, count: int) -> list:
    """Brings the graph to its final form; returns the parent's stand-ins found in it."""
    fx_graph = module.graph
    placeholders = [n for n in fx_graph.nodes if n.op == "placeholder"]
    outer: dict[Any, tuple[Any, torch.fx.Node]] = {}
    own = []
    for node in placeholders:
        if "outer_size" in node.meta:
            outer[node] = (node.meta["outer_size"], node)
        else:
            own.append(node)
    for node in list(fx_graph.nodes):
        value = getattr(module, node.target, None) if node.op == "get_attr" else None
        if isinstance(value, FakeTensor):
            if under_way.parent is None:
                raise errors.InaccessibleTensorError(
                    "A symbolic tensor is out of scope and cannot be used here: it belongs to a "
                    "branch, a loop body or another function. Use return values, explicit Python "
                    "locals or TensorFlow collections to access it.\nPlease see "
                    "https://www.tensorflow.org/guide/function"
                    "#all_outputs_of_a_tffunction_must_be_return_values for more information."
                )
            if id(value) not in outer:
                with fx_graph.inserting_before(node):
                    placeholder = fx_graph.placeholder(f"outer_{len(outer)}")
                placeholder.meta["val"] = value
                outer[id(value)] = (value, placeholder)
            node.replace_all_uses_with(outer[id(value)][1])
            fx_graph.erase_node(node)
    order_placeholders(fx_graph, [*own, *[node for _, node in outer.values()]])
    staged.forget_unused_records(fx_graph)
    _protect_mutated(fx_graph, under_way)
    _copy_escaping_variables(fx_graph, under_way)
    staged.drop_unused(fx_graph)
    for improve in graph_passes:
        improve(fx_graph)
    module.recompile()
    return [value for value, _ in outer.values()]


def order_placeholders(fx_graph: torch.fx.Graph, wanted: Sequence[torch.fx.Node]) -> None:
    """Moves the placeholders to the top of the graph, in this order."""
    last = None
    for node in wanted:
        if last is None:
            first = next(iter(fx_graph.nodes))
            if first is not node:
                first.prepend(node)
        else:
            last.append(node)
        last = node


def mutated_arguments(node: torch.fx.Node) -> list[torch.fx.Node]:
    """The nodes that a call changes in place."""
    changed: list[torch.fx.Node] = []
    for module in staged.sub_modules(node):
        inputs = [n for n in module.graph.nodes if n.op == "placeholder"]
        operands = staged.operands(node)
        for inner in module.graph.nodes:
            changed += [operands[inputs.index(n)] for n in mutated_arguments(inner) if n in inputs]
    schema = getattr(node.target, "_schema", None)
    if schema is None or not schema.is_mutable:
        return changed
    for i, argument in enumerate(schema.arguments):
        if argument.alias_info is None or not argument.alias_info.is_write:
            continue
        value = node.args[i] if i < len(node.args) else node.kwargs.get(argument.name)
        torch.fx.node.map_arg(value, changed.append)
    return changed


def _is_view(node: torch.fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and any(
        r.alias_info is not None and not r.alias_info.is_write for r in schema.returns
    )


def views(node: torch.fx.Node) -> list[torch.fx.Node]:
    """The nodes that share memory with `node`, itself included."""
    found = [node]
    for item in found:
        found += [u for u in item.users if _is_view(u) and u.args and u.args[0] is item]
    return found


def memory_of(node: torch.fx.Node) -> torch.fx.Node:
    """The node whose memory `node` is a view of; itself if it is none."""
    while _is_view(node) and node.args and isinstance(node.args[0], torch.fx.Node):
        node = node.args[0]
    return node


def _protect_mutated(fx_graph: torch.fx.Graph, under_way: Trace) -> None:
    """Copies what an in-place update would change under a later reader."""
    order = {node: i for i, node in enumerate(fx_graph.nodes)}
    captures = {c.node: c for c in under_way.captures.values()}
    for node in list(fx_graph.nodes):
        for target in mutated_arguments(node):
            capture = captures.get(target)
            if capture is not None:
                capture.mutated = True
            for view in views(target)[1:]:
                late = [u for u in view.users if order[u] > order[node]]
                if order[view] < order[node] and late:
                    with fx_graph.inserting_after(view):
                        copied = fx_graph.call_function(torch.ops.aten.clone.default, (view,))
                    order[copied] = order[view]
                    for user in late:
                        user.replace_input_with(view, copied)


def _copy_escaping_variables(fx_graph: torch.fx.Graph, under_way: Trace) -> None:
    """Results must not share memory with a variable, which may change in place later."""
    aliases = set()
    for capture in under_way.captures.values():
        if capture.is_variable:
            aliases.update(views(capture.node))
    for node in fx_graph.nodes:  # what comes out of a branch may be what went in
        if staged.sub_modules(node) and any(n in aliases for n in staged.operands(node)):
            aliases.update(views(node))
            for part in node.users:
                aliases.update(views(part))
    output = next(iter(reversed(fx_graph.nodes)))
    seen: set = set()
    results = []
    for value in output.args[0]:
        if isinstance(value, torch.fx.Node) and (value in aliases or value in seen):
            with fx_graph.inserting_before(output):
                value = fx_graph.call_function(torch.ops.aten.clone.default, (value,))
        elif isinstance(value, torch.fx.Node):
            seen.add(value)
        results.append(value)
    output.args = (results,)


def symbolic(fake: torch.Tensor, name: str | None = None) -> SymbolicTensor:
    """A symbolic `Tensor` of a stand-in."""
    tensor = wrap(fake)
    if type(tensor) is SymbolicTensor and name:
        tensor._name = f"{name}:0"
    return tensor
