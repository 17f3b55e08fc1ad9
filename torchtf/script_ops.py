"""Python functions as ops: `tf.py_function`, `tf.numpy_function`.

* Eagerly the function is simply called. In a traced function the call becomes a node: Python runs
  each time the graph does. The tensors that a ragged tensor is made of are put together again.
* The shape of a node's results is unknown, as in TensorFlow, until `set_shape` tells it.
"""

from __future__ import annotations

import functools
import itertools
import traceback
from collections.abc import Callable, Sequence

import numpy as np
import torch

from torchtf.core import arena, dtypes, errors, graph, nest, tape
from torchtf.core.convert import convert_to_tensor, kernel_name
from torchtf.core.derivative import WithGradient
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec, TypeSpec
from torchtf.core.tensor import Tensor, to_numpy, wrap
from torchtf.function import staged

# what TensorFlow makes of an exception of the Python function
_ERRORS = (
    (StopIteration, errors.OutOfRangeError),
    (MemoryError, errors.ResourceExhaustedError),
    (NotImplementedError, errors.UnimplementedError),
    ((TypeError, ValueError), errors.InvalidArgumentError),
)


_numbers = itertools.count()


class PythonCall(staged.Call):
    """A call of a Python function in a graph.

    Args:
        function: what the user gave.
        strings: which inputs are strings.
        specs: the spec of each result.
        convert: makes an argument of the function of raw data.
    """

    def __init__(self, function, op, stateful, strings, specs, convert):
        self.op = op
        self.stateful = stateful
        self._function = function
        self._strings = strings
        self._specs = specs
        self._convert = convert
        self._token = f"pyfunc_{next(_numbers)}"

    def outputs(self, under_way, inputs):
        rank = inputs[0].dim() if inputs else 0
        place = torch.device("cpu")
        return [
            under_way.fake_like(s.shape._dims, s.dtype.torch or s.dtype, place, rank)
            for s in self._specs
        ]

    def run(self, *values):
        return self._encoded(self.call_python(self._decoded(values)))

    def run_rows(self, rows: Sequence[tuple], many: Callable) -> list:
        """`run` for several rows of inputs.

        Args:
            many: of the rows as the function takes them, gives for each a function that stands in
                for it there.
        """
        inputs = [self._decoded(values) for values in rows]
        functions = many([tuple(map(self._convert, values)) for values in inputs])
        return [
            self._encoded(self.call_python(values, function))
            for values, function in zip(inputs, functions, strict=True)
        ]

    def _decoded(self, values) -> list:
        return [arena.decode(v) if s else v for v, s in zip(values, self._strings, strict=True)]

    def _encoded(self, results) -> list:
        return [arena.encode(r) if isinstance(r, np.ndarray) else r for r in results]

    @property
    def count(self) -> int:
        """How many results it has."""
        return len(self._specs)

    @property
    def function(self) -> Callable:
        """What the user gave."""
        return self._function

    def call_python(self, inputs: Sequence, function: Callable | None = None) -> list:
        """The raw results; an exception of the function becomes TensorFlow's error for it.

        Args:
            inputs: the arguments.
            function: what to call in place of the user's function.
        """
        try:
            fitted = self._apply(function or self._function, inputs)
        except Exception as e:
            kind = next((k for t, k in _ERRORS if isinstance(e, t)), errors.UnknownError)
            trace = "\n".join(traceback.format_exception(e))
            text = f"{type(e).__name__}: {e}\n{trace}\n"
            raise kind(None, None, text) from e
        if len(fitted) != len(self._specs):
            raise errors.InvalidArgumentError(
                None, None,
                f"{self._token} returns {len(fitted)} values, but expects to see "
                f"{len(self._specs)} values.",
            )  # fmt: skip
        if self.op == "PyFunc":
            self._check(fitted)
        return [t._data for t in fitted]

    def _apply(self, function: Callable, inputs: Sequence) -> list:
        """What the function gives, as tensors with gradients to the inputs alone.

        What else it reads, variables and tensors that it closes over, is constant to the tapes
        around the call.
        """
        if not torch.is_grad_enabled():
            return self._fitted(function(*map(self._convert, inputs)))
        sources = [x for x in inputs if isinstance(x, torch.Tensor) and x.requires_grad]
        with tape.isolated(), tape.GradientTape(watch_accessed_variables=False):
            leaves = [x.view_as(x) for x in sources]
            supply = iter(leaves)
            given = [next(supply) if any(x is s for s in sources) else x for x in inputs]
            fitted = self._fitted(function(*map(self._convert, given)))
            found = [t._data for t in fitted]
        places = [i for i, x in enumerate(found) if isinstance(x, torch.Tensor) and x.requires_grad]
        if not places:
            return fitted

        def pull_back(grads):
            return torch.autograd.grad(
                [found[i] for i in places], leaves, list(grads),
                retain_graph=True, create_graph=torch.is_grad_enabled(), allow_unused=True,
            )  # fmt: skip

        if not sources:  # it depends on what the function closes over only
            linked = [found[i].detach() for i in places]
        else:
            linked = WithGradient.apply([found[i].detach() for i in places], pull_back, *sources)
        for i, data in zip(places, linked, strict=True):
            fitted[i] = Tensor(data)
        return fitted

    def _fitted(self, found) -> list:
        """The results of the Python function as tensors."""
        if not self._specs or found is None:
            return []
        found = list(found) if isinstance(found, (list, tuple)) else [found]
        found = nest.flatten(found, expand_composites=True)
        if self.op == "PyFunc":
            return [convert_to_tensor(np.asarray(x, order="C")) for x in found]
        return [  # more than expected are left out, as TensorFlow does
            convert_to_tensor(x, s.dtype) for x, s in zip(found, self._specs, strict=False)
        ]

    def _check(self, found: list) -> None:
        for i, (tensor, spec) in enumerate(zip(found, self._specs, strict=True)):
            if tensor.dtype is not spec.dtype:
                have, want = map(kernel_name, (tensor.dtype, spec.dtype))
                raise errors.InvalidArgumentError(
                    None, None,
                    f"{i}-th value returned by {self._token} is {have}, but expects {want}",
                )  # fmt: skip


def _eager(call: PythonCall, inputs: list) -> list:
    """The flat results of a call outside any graph."""
    try:
        return [wrap(r) for r in call.call_python([x._data for x in inputs])]
    except errors.OpError as e:
        attributes = f"_Tin_{len(inputs)}_Tout_{call.count}"
        raise errors.of_kernel(call.op, e.message, "", attributes, type(e)) from e.__cause__


def _run(function, inp, Tout, op, stateful, convert, differentiable):
    if not callable(function):
        raise ValueError(
            f"Expected func to be callable. Received func={function} of type {type(function)}."
        )
    several = isinstance(Tout, (list, tuple))
    promised = [
        s if isinstance(s, TypeSpec) else TensorSpec(TensorShape(None), dtypes.as_dtype(s))
        for s in (Tout if several else [Tout])
    ]
    flat_specs = nest.flatten(promised, expand_composites=True)
    arguments = list(inp)
    flat = nest.flatten(arguments, expand_composites=True)
    if len(flat) > len(arguments):
        function = _of_composites(function, arguments)
    inputs = [convert_to_tensor(x) for x in flat]
    strings = [x.dtype is dtypes.string for x in inputs]
    call = PythonCall(function, op, stateful, strings, flat_specs, convert)
    if graph.state.trace is None:
        results = _eager(call, inputs)
    else:
        from torchtf.control_flow import raw

        data = [raw(x) for x in inputs]
        if differentiable:
            found = staged.stage(call, data)
        else:
            found = call.emit(graph.state.trace, data)
        results = [wrap(r) for r in found]
        for result in results:
            graph.state.trace.note(result, op)
        if not flat_specs:
            return None
    results = nest.pack_sequence_as(promised, results, expand_composites=True)
    return results if several else results[0]


def _of_composites(function: Callable, arguments: list) -> Callable:
    """`function` of the tensors that its arguments are made of."""

    def of_parts(*parts):
        return function(*nest.pack_sequence_as(arguments, parts, expand_composites=True))

    return of_parts


def py_function(func=None, inp=None, Tout=None, name=None):
    """Runs Python code on eager tensors, inside a graph, too (source: `tf.py_function`).

    Args:
        func: takes eager tensors, returns what converts to tensors of `Tout`; left out, the call
            makes a decorator.
        inp: a list of tensors.
        Tout: the dtypes (or specs) of the results: one, or a list; [] for none.
        name: a name for the op.

    Gradients flow through what `func` computes with tensors.

    Raises:
        ValueError: if `func` is not callable.
        InvalidArgumentError: if `func` raises a TypeError or ValueError, returns too few values, or
            values of another dtype.
    """
    if func is None:
        return lambda f: _decorated(f, lambda inp: py_function(f, inp, Tout, name))
    return _run(func, inp, Tout, "EagerPyFunc", True, wrap, True)


def numpy_function(func=None, inp=None, Tout=None, stateful: bool = True, name=None):
    """Runs Python code on NumPy arrays, inside a graph, too (source: `tf.numpy_function`).

    Args:
        func: takes arrays, returns arrays of the dtypes `Tout`; left out, the call makes a
            decorator.
        inp: a list of tensors.
        Tout: the dtypes of the results: one, or a list.
        stateful: whether each run counts; if not, an unused call is left out of the graph.
        name: a name for the op.

    There is no gradient.

    Raises:
        InvalidArgumentError: in a graph, if `func` raises, or returns other dtypes or another
            number of values; eagerly it is simply called.
    """
    if func is None:
        return lambda f: _decorated(f, lambda inp: numpy_function(f, inp, Tout, stateful, name))
    if graph.state.trace is None:  # nothing but a call
        found = func(*[np.array(x) for x in inp])
        flat = [x if x is None else convert_to_tensor(x) for x in nest.flatten(found)]
        return flat[0] if len(flat) == 1 else flat
    return _run(func, inp, Tout, "PyFunc", stateful, _as_numpy, False)


def _decorated(function, call):
    @functools.wraps(function)
    def decorated(*args):
        return call(args)

    return decorated


def _as_numpy(data):
    array = to_numpy(data if isinstance(data, np.ndarray) else data.detach())
    return array[()] if array.ndim == 0 else array.copy()
