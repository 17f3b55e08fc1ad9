"""Python functions as ops: `tf.py_function`, `tf.numpy_function`.

* Eagerly the function is simply called. In a traced function the call becomes a node: Python runs
  each time the graph does.
* The shape of a node's results is unknown, as in TensorFlow, until `set_shape` tells it.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Sequence

import numpy as np
import torch

from torchtf.core import arena, dtypes, errors, graph, nest, tape
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import to_numpy, wrap
from torchtf.function import staged

# what TensorFlow makes of an exception of the Python function
_ERRORS = (
    (StopIteration, errors.OutOfRangeError),
    (MemoryError, errors.ResourceExhaustedError),
    (NotImplementedError, errors.UnimplementedError),
    ((TypeError, ValueError), errors.InvalidArgumentError),
)


class PythonCall(staged.Call):
    """A call of a Python function in a graph.

    Args:
        function: what the user gave.
        arguments: which inputs are strings.
        specs: the spec of each result.
    """

    def __init__(self, function, op, stateful, strings, specs, convert):
        self.op = op
        self.stateful = stateful
        self._function = function
        self._strings = strings
        self._specs = specs
        self._convert = convert

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
            return self._call(inputs, function or self._function)
        except errors.OpError:
            raise
        except Exception as e:
            kind = next((k for t, k in _ERRORS if isinstance(e, t)), errors.UnknownError)
            text = f"{type(e).__name__}: {e}\n{traceback.format_exc()}"
            raise kind(None, None, text) from e

    def record(self, wanted, values):
        hidden = tape.GradientTape(persistent=True)
        with hidden:
            return super().record(wanted, values)

    def _call(self, inputs: Sequence, function: Callable) -> list:
        """The results of the Python function as raw data of the promised types."""
        found = function(*[self._convert(x) for x in inputs])
        if not self._specs:
            return []
        found = list(found) if isinstance(found, (list, tuple)) else [found]
        if len(found) != len(self._specs):
            raise errors.InvalidArgumentError(
                None, None,
                f"{self.op} returns {len(self._specs)} values, but expects to see {len(found)} "
                "values.",
            )  # fmt: skip
        return [self._fit(x, s) for x, s in zip(found, self._specs, strict=True)]

    def _fit(self, value, spec):
        if value is None:
            value = 0
        if self.op == "PyFunc":
            tensor = convert_to_tensor(np.asarray(value))
            if tensor.dtype is not spec.dtype:
                raise errors.InvalidArgumentError(
                    None, None,
                    f"0-th value returned by {self._function} is {tensor.dtype.name}, but expects "
                    f"{spec.dtype.name}",
                )  # fmt: skip
            return tensor._data
        if hasattr(value, "_data") and value.dtype is not spec.dtype:
            from torchtf.math import cast

            return cast(value, spec.dtype)._data
        try:
            return convert_to_tensor(value, spec.dtype)._data
        except (TypeError, ValueError):
            from torchtf.math import cast

            return cast(convert_to_tensor(value), spec.dtype)._data


def _run(function, inp, Tout, op, stateful, convert, differentiable):
    single = not isinstance(Tout, (list, tuple)) or isinstance(Tout, TensorSpec)
    flat_specs = [
        s if isinstance(s, TensorSpec) else TensorSpec(TensorShape(None), dtypes.as_dtype(s))
        for s in nest.flatten(Tout)
    ]
    inputs = [convert_to_tensor(x) for x in nest.flatten(inp, expand_composites=True)]
    strings = [x.dtype is dtypes.string for x in inputs]
    call = PythonCall(function, op, stateful, strings, flat_specs, convert)
    if graph.state.trace is None:
        data = [x._data if differentiable or s else x._data.detach()
                for x, s in zip(inputs, strings, strict=True)]  # fmt: skip
        results = [wrap(r) for r in call.call_python(data)]
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
    return results[0] if single else nest.pack_sequence_as(Tout, results)


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
        InvalidArgumentError: if `func` returns another number of values.
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
        InvalidArgumentError: if `func` returns other dtypes or another number of values.
    """
    if func is None:
        return lambda f: _decorated(f, lambda inp: numpy_function(f, inp, Tout, stateful, name))
    return _run(func, inp, Tout, "PyFunc", stateful, _as_numpy, False)


def _decorated(function, call):
    @functools.wraps(function)
    def decorated(*args):
        return call(args)

    return decorated


def _as_numpy(data):
    array = to_numpy(data if isinstance(data, np.ndarray) else data.detach())
    return array[()] if array.ndim == 0 else array.copy()
