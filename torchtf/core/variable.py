"""`tf.Variable`: a mutable tensor.

* `_value` is a plain torch tensor; under a tape a read gives the session's leaf for it.
* An eager assignment replaces `_value`, so values read before stay as they were.
* While tracing, reads and writes go through the trace: the variable becomes an input of the graph,
  the assignment a write-back when the graph has run.
"""

from __future__ import annotations

import contextlib
import enum
import inspect
import itertools
import sys

import numpy as np
import torch

from torchtf.core import dtypes, errors, graph, name_scope, nest, tape
from torchtf.core.convert import to_torch
from torchtf.core.shape import TensorShape, brackets
from torchtf.core.slice_info import SaveSliceInfo
from torchtf.core.tensor import Reference, SymbolicTensor, Tensor, is_fake, to_numpy, wrap


class VariableSynchronization(enum.Enum):
    """When the copies of a distributed variable are brought together."""

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3

    def __repr__(self):
        return f"<VariableSynchronization.{self.name}: {self.value}>"


class VariableAggregation(enum.Enum):
    """How the copies of a distributed variable are combined."""

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3

    def __repr__(self):
        return f"<VariableAggregation.{self.name}: {self.value}>"


_uids = itertools.count()

# What `_unshared` finds where only the variable holds the value: its attribute, a local name and
# the call's argument; the tensor and the storage object that was asked.
_REFERENCES = 3
_USES = 2
# the number of elements from which on an update in place is worth the question
_LARGE = 4096


class _Creation(type):
    """Lets creators make what `tf.Variable(...)` asks for."""

    def __call__(cls, *args, **kwargs):
        if creators and cls is Variable:
            return creators[-1](*args, **kwargs)
        return super().__call__(*args, **kwargs)


@nest.atom
class Variable(metaclass=_Creation):
    """A tensor that can be assigned to (source: `tf.Variable`).

    Args:
        initial_value: a value convertible to a tensor, or a callable that returns one.
        trainable: whether tapes watch it by default; True unless `synchronization` is ON_READ.
        validate_shape: if False, the shape may change with each assignment.
        caching_device: accepted for TF 1 programs; only None is supported.
        name: its name; `":0"` is appended.
        variable_def: not supported.
        dtype: the type of its elements; the initial value's own by default.
        import_scope: not supported.
        constraint: a function that optimizers apply to the new value.
        synchronization: when copies under a distribution strategy are synchronized.
        aggregation: how they are combined.
        shape: the static shape, which may be partial.

    Raises:
        ValueError: if there is no initial value, or it does not fit `shape`.
    """

    def __init__(
        self,
        initial_value=None,
        trainable=None,
        validate_shape=True,
        caching_device=None,
        name=None,
        variable_def=None,
        dtype=None,
        import_scope=None,
        constraint=None,
        synchronization=VariableSynchronization.AUTO,
        aggregation=VariableAggregation.NONE,
        shape=None,
        experimental_enable_variable_lifting=True,
    ):
        for argument, given in (
            ("caching_device", caching_device), ("variable_def", variable_def),
            ("import_scope", import_scope),
        ):  # fmt: skip
            if given is not None:
                raise NotImplementedError(
                    f"tf.Variable({argument}=...) belongs to TF 1 graphs and is not supported; "
                    "leave it out."
                )
        if initial_value is None:
            raise ValueError(
                "The `initial_value` arg to `tf.Variable` must be specified except when you are "
                "not providing a `variable_def`. You provided neither."
            )
        if not isinstance(synchronization, VariableSynchronization):
            raise ValueError(f"Invalid variable synchronization mode: {synchronization}")
        if not isinstance(aggregation, VariableAggregation):
            raise ValueError(f"Invalid variable aggregation mode: {aggregation}")
        if trainable is None:
            trainable = synchronization is not VariableSynchronization.ON_READ
        trace = graph.state.trace
        if trace is not None:
            trace.before_variable_creation(self)
        if callable(initial_value):
            initial_value = initial_value()
        wanted = None if dtype is None else dtypes.as_dtype(dtype)
        data = _initial(initial_value, wanted)
        if is_fake(data):
            data = trace.initial_value(data)
        elif isinstance(data, torch.Tensor):
            data = data.detach().clone()  # a variable never shares memory with another value
        else:
            data = data.copy()
        if shape is not None:
            self._shape = TensorShape(shape)
        else:
            self._shape = TensorShape(tuple(data.shape)) if validate_shape else TensorShape(None)
        if not self._shape.is_compatible_with(tuple(data.shape)):
            raise ValueError(
                f"In this `tf.Variable` creation, the initial value's shape "
                f"({TensorShape(tuple(data.shape))}) is not compatible with the explicitly "
                f"supplied `shape` argument ({self._shape})."
            )
        self._value = data
        self._trainable = bool(trainable)
        self._handle_name = name_scope.qualified(name or "Variable") + ":0"
        self._constraint = constraint
        self._synchronization = synchronization
        self._aggregation = aggregation
        self._uid = next(_uids)
        self._unique_id = f"{name or 'Variable'}_{self._uid}"
        for created in creation_hooks:
            created(self)

    # -- how ops, tapes and traces see it (the owner protocol of core.graph)

    def _trace_get(self):
        return self._value

    def _trace_set(self, value) -> None:
        self._value = value

    def _checkpoint_value(self):
        return self._value

    def _tape_value(self):
        trace = graph.state.trace
        return self._value if trace is None else trace.read(self)

    def _tape_read(self):
        value = self._tape_value()
        return tape.leaf_of(self, value) if tape.recording() else value

    # -- what it is

    @property
    def dtype(self) -> dtypes.DType:
        return dtypes.FROM_TORCH.get(self._value.dtype, dtypes.string)

    @property
    def shape(self) -> TensorShape:
        return self._shape

    @property
    def name(self) -> str:
        return self._handle_name

    @property
    def _shared_name(self) -> str:
        return self._handle_name.removesuffix(":0")

    @property
    def device(self) -> str:
        return Tensor(self._value).device

    @property
    def trainable(self) -> bool:
        return self._trainable

    @property
    def constraint(self):
        return self._constraint

    @property
    def synchronization(self) -> VariableSynchronization:
        return self._synchronization

    @property
    def aggregation(self) -> VariableAggregation:
        return self._aggregation

    @property
    def handle(self):
        """The variable itself, which stands for TensorFlow's resource handle."""
        return self

    @property
    def initial_value(self):
        raise RuntimeError("This property is not supported when eager execution is enabled.")

    @property
    def op(self):
        raise AttributeError("Variable.op is undefined when eager execution is enabled.")

    @property
    def graph(self):
        raise AttributeError("Variable.graph is undefined when eager execution is enabled.")

    def get_shape(self) -> TensorShape:
        return self._shape

    def set_shape(self, shape) -> None:
        self._shape = self._shape.merge_with(shape)

    def ref(self) -> Reference:
        """A hashable reference to this variable."""
        return Reference(self)

    experimental_ref = ref

    # -- reading

    def value(self) -> Tensor:
        """A snapshot of the value, as a tensor."""
        return wrap(self._tape_read())

    def read_value(self) -> Tensor:
        """A snapshot of the value, as a tensor."""
        return wrap(self._tape_read())

    SaveSliceInfo = SaveSliceInfo

    @property
    def initializer(self) -> None:
        """None: a variable has its value at once (source: `tf.Variable.initializer`)."""
        return None

    def load(self, value, session=None) -> None:
        """Assigns a value (source: `tf.Variable.load`); `session` is from TF 1."""
        self.assign(value)

    def to_proto(self, export_scope=None):
        """From TF 1 graphs.

        Raises:
            RuntimeError: always, as in TensorFlow.
        """
        raise RuntimeError("This operation is not supported when eager execution is enabled.")

    @staticmethod
    def from_proto(variable_def, import_scope=None):
        """From TF 1 graphs.

        Raises:
            RuntimeError: always; read a checkpoint instead.
        """
        raise RuntimeError("tf.Variable.from_proto belongs to TF 1 graphs; read a checkpoint")

    def initialized_value(self) -> Tensor:
        return self.value()

    def is_initialized(self, name=None) -> Tensor:
        return wrap(torch.tensor(True))

    def numpy(self):
        """A copy of the value as a NumPy array or scalar.

        Raises:
            NotImplementedError: while a function is traced.
        """
        if graph.state.trace is not None:
            raise NotImplementedError("numpy() is only available when eager execution is enabled.")
        return Tensor(self._value).numpy()

    def _numpy(self):
        return to_numpy(self._value)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.numpy(), dtype=dtype)

    def eval(self, session=None):
        raise NotImplementedError(
            "Variable.eval belongs to TF 1 sessions; use Variable.numpy() instead."
        )

    def torch(self) -> torch.Tensor:
        """The stored torch tensor; it is replaced, not changed, by an assignment."""
        return self._value

    def __int__(self):
        return int(self.value())

    def __float__(self):
        return float(self.value())

    def __complex__(self):
        return complex(self.value())

    def __index__(self):
        return self.value().__index__()

    def __bool__(self):
        return bool(self.value())

    def __iter__(self):
        return iter(self.value())

    # -- writing

    def _new_value(self, value, method: str):
        """`value` converted for an assignment; its shape is checked."""
        stored = self._value.dtype
        if isinstance(stored, torch.dtype):
            data = to_torch(value, stored)
        else:
            data = to_torch(value)
        if not self._shape.is_compatible_with(TensorShape(tuple(data.shape))):
            if method == "assign":
                raise ValueError(
                    f"Cannot assign value to variable ' {self.name}': Shape mismatch."
                    f"The variable shape {self._shape}, and the assigned value shape "
                    f"{TensorShape(tuple(data.shape))} are incompatible."
                )
            op = "AssignAddVariableOp" if method == "assign_add" else "AssignSubVariableOp"
            if graph.state.trace is not None:
                raise ValueError(
                    f"Shapes {brackets(self._shape)} and {brackets(data.shape)} must be equal for "
                    f"'{{{{node {op}}}}}'"
                )
            raise errors.of_kernel(
                op,
                f"Cannot update variable with shape {brackets(self._shape)} using a Tensor with "
                f"shape {brackets(data.shape)}, shapes must be equal.",
            )
        return data

    def _unshared(self):
        """The value, if it may be changed in place: nothing else holds it or its memory."""
        value = self.__dict__.get("_value")  # None for the result of an assignment
        if graph.state.trace is not None or type(value) is not torch.Tensor:
            return None
        if sys.getrefcount(value) > _REFERENCES:
            return None
        uses = torch._C._storage_Use_Count(value.untyped_storage()._cdata)
        return value if uses == _USES else None

    def _store(self, data):
        """Makes `data`, which nothing else may hold, the value; returns what assign returns."""
        trace = graph.state.trace
        if trace is not None:
            trace.write(self, data)
            return UnreadVariable(self)
        if isinstance(data, torch.Tensor) and data.requires_grad:
            data = data.detach()
        self._value = data
        return UnreadVariable(self)

    def assign(self, value, use_locking=False, name=None, read_value=True):
        """Replaces the value.

        Args:
            value: the new value; its shape must be compatible with the variable's.
            use_locking: accepted; an assignment is always atomic.
            name: a name for the op.
            read_value: if False, returns None.

        Raises:
            ValueError: if the shape or the dtype does not fit.
        """
        data = self._new_value(value, "assign")
        data = data.clone() if isinstance(data, torch.Tensor) else data.copy()
        result = self._store(data)
        return result if read_value else None

    def assign_add(self, delta, use_locking=False, name=None, read_value=True):
        """Adds `delta`; see `assign`.

        Raises:
            InvalidArgumentError: if it has another shape; in a function a ValueError.
        """
        result = self._add(self._new_value(delta, "assign_add"), 1)
        return result if read_value else None

    def assign_sub(self, delta, use_locking=False, name=None, read_value=True):
        """Subtracts `delta`; see `assign`."""
        result = self._add(self._new_value(delta, "assign_sub"), -1)
        return result if read_value else None

    def _add(self, delta, sign):
        with torch.no_grad():
            if delta.numel() >= _LARGE:
                value = self._unshared()
                if value is not None and value.dtype not in _NO_SUMS:
                    value.add_(delta, alpha=sign)
                    return UnreadVariable(self)
            return self._store(_sum(self._tape_value(), delta, sign))

    # -- the rest

    def __hash__(self):
        raise TypeError(
            f"Variable is unhashable. Instead, use variable.ref() as the key. (Variable: {self!r})"
        )

    def __repr__(self):
        head = f"<tf.Variable '{self.name}' shape={self.shape} dtype={self.dtype.name}"
        if graph.state.trace is not None:
            return head + ">"
        return f"{head}, {Tensor(self._value)._assigned()}>"

    __str__ = __repr__

    def __format__(self, spec):
        return self.numpy().__format__(spec) if spec else str(self)

    def __deepcopy__(self, memo):
        copied = Variable(
            Tensor(self._value), trainable=self._trainable, name=self._shared_name,
            constraint=self._constraint, synchronization=self._synchronization,
            aggregation=self._aggregation, shape=self._shape,
        )  # fmt: skip
        memo[id(self)] = copied
        return copied

    def __reduce__(self):
        return _restore, (
            Tensor(self._value), self._trainable, self._shared_name, self._synchronization,
            self._aggregation, self._shape,
        )  # fmt: skip


class UnreadVariable(Variable):
    """What an assignment returns: the variable again, to be read or assigned further."""

    def __init__(self, variable):
        self._wrapped = getattr(variable, "_wrapped", variable)

    def __getattr__(self, name):
        return getattr(self.__dict__["_wrapped"], name)

    def _trace_get(self):
        return self._wrapped._trace_get()

    def _trace_set(self, value):
        self._wrapped._trace_set(value)

    def _tape_value(self):
        return self._wrapped._tape_value()

    def _tape_read(self):
        return self._wrapped._tape_read()

    def _store(self, data):
        return self._wrapped._store(data)

    @property
    def name(self):
        return "UnreadVariable"

    def ref(self):
        return Reference(self._wrapped)


# called with each new variable: strategies and modules keep account of them
creation_hooks: list = []

# functions with the arguments of `Variable` that make variables in its place, innermost last
creators: list = []


@contextlib.contextmanager
def variable_creator_scope(variable_creator):
    """Lets a function make the variables of a `with` block (source: `tf.variable_creator_scope`).

    Args:
        variable_creator: called as `variable_creator(next_creator, **kwargs)` with the arguments
            of `tf.Variable`; it returns a variable, of its own or from `next_creator(**kwargs)`.
    """
    outer = list(creators)

    def next_creator(**kwargs):
        inner, creators[:] = list(creators), outer
        try:
            return Variable(**kwargs)
        finally:
            creators[:] = inner

    def make(*args, **kwargs):
        bound = _SIGNATURE.bind(None, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        del arguments["self"]
        return variable_creator(next_creator, **arguments)

    creators.append(make)
    try:
        yield
    finally:
        creators[:] = outer


_SIGNATURE = inspect.signature(Variable.__init__)


_NO_SUMS = frozenset((torch.uint16, torch.uint32, torch.uint64))


def _sum(x, y, sign):
    if x.dtype in _NO_SUMS:  # torch has no kernels; the low bits are those of signed sums
        return torch.add(x.to(torch.int64), y.to(torch.int64), alpha=sign).to(x.dtype)
    return torch.add(x, y, alpha=sign)


def _initial(value, wanted):
    if wanted is None:
        return to_torch(value)
    if wanted is dtypes.string:
        return to_torch(value)
    if isinstance(value, (Tensor, SymbolicTensor)) and value.dtype is not wanted:
        raise ValueError(
            f"Tensor conversion requested dtype {wanted.name} for Tensor with dtype "
            f"{value.dtype.name}: {value!r}"
        )
    return to_torch(value, wanted.torch)


def _restore(value, trainable, name, synchronization, aggregation, shape):
    return Variable(
        value, trainable=trainable, name=name, synchronization=synchronization,
        aggregation=aggregation, shape=shape,
    )  # fmt: skip
