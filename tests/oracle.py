"""Differential tests: one piece of code, run on TensorFlow and on torchtf, compared.

    INPUTS = {"x": normal(4, 3), "i": integers(0, 4, 5)}

    @cases(INPUTS, ["tf.math.add(x, x)", *each("tf.math.{}(x)", "sin cos"), "tf.gather(x, [9])",
                    case("tf.nn.relu(x)", grad=False)])
    def test_ops(case):
        case.check()

* The code sees `tf`, `np` and the inputs it names: NumPy arrays arrive as tensors, other values as
  they are. It may have several statements; the last one is an expression, the result.
* Compared are the structure of the result, dtypes, shapes, values (tolerances by dtype), the
  gradients of all results with respect to the floating inputs (None included), or, where
  TensorFlow raises, the class of the exception.
* The code then runs inside `tf.function` with an unknown batch size, which is the first size of the
  first input and of those that share it: the values must be the eager ones, and the static shapes
  must say at least what TensorFlow's say. Ragged and sparse constants that the code makes become
  arguments, whose sizes are open.
"""

from __future__ import annotations

import ast
import functools
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

import numpy as np
import pytest

import torchtf

# dtype -> (rtol, atol)
TOLERANCES = {
    "float64": (1e-9, 1e-10),
    "complex128": (1e-9, 1e-10),
    "float32": (2e-5, 2e-6),
    "complex64": (2e-5, 2e-6),
    "float16": (4e-3, 2e-3),
    "bfloat16": (3e-2, 1e-2),
}
_GRADIENT_SLACK = 4  # two roundings more than in a value


# -- inputs


def _random(*key) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def normal(*shape: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """Normal numbers; the same ones for the same arguments."""
    values = _random("normal", shape, seed).standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * _random("imaginary", shape, seed).standard_normal(shape)
    return values.astype(dtype)


def uniform(low: float, high: float, *shape: int, dtype: str = "float32", seed: int = 0):
    """Uniform numbers between low and high."""
    return _random("uniform", shape, seed).uniform(low, high, shape).astype(dtype)


def integers(low: int, high: int, *shape: int, dtype: str = "int32", seed: int = 0) -> np.ndarray:
    """Uniform integers from low below high."""
    return _random("integers", shape, seed).integers(low, high, shape).astype(dtype)


def booleans(*shape: int, seed: int = 0) -> np.ndarray:
    """Random booleans."""
    return _random("booleans", shape, seed).random(shape) < 0.5


def strings(*values: str | bytes) -> np.ndarray:
    """A vector of byte strings."""
    return np.array([v.encode() if isinstance(v, str) else v for v in values], dtype=object)


# -- tables


@dataclass(frozen=True)
class Case:
    """A call to compare: code, inputs, and what to leave out."""

    code: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    grad: bool = True  # compare gradients
    traced: bool = True  # run inside tf.function, too
    values: bool = True  # compare values (False for random ones: structure, dtype, shape only)
    static: tuple[str, ...] = ()  # inputs whose first size is known in tf.function
    rtol: float | None = None
    atol: float | None = None

    def check(self) -> None:
        """Runs the code on both and fails where they differ."""
        import tensorflow

        want = _outcome(tensorflow, self)
        have = _outcome(torchtf, self)
        if isinstance(want, Exception) or isinstance(have, Exception):
            self._compare_errors(want, have)
            return
        self._compare(want.result, have.result, "result")
        if self.grad and want.gradients is not None:
            assert have.gradients is not None, "torchtf has no gradient"
            for name, expected in want.gradients.items():
                self._compare(expected, have.gradients[name], f"gradient of {name}", True)
        if self.traced and "tf.Variable" not in self.code:
            self._check_traced(tensorflow, want.result)

    def _compare_errors(self, want, have):
        if isinstance(want, NameError):
            raise want  # in the code itself
        if not isinstance(want, Exception):
            raise AssertionError(f"torchtf raised, TensorFlow did not: {have!r}") from have
        if not isinstance(have, Exception):
            raise AssertionError(f"no error: {have.result}; TensorFlow raises {want!r}")
        if type(want).__name__ != type(have).__name__:
            raise AssertionError(f"TensorFlow raises {want!r}\ntorchtf {have!r}") from have

    def _compare(self, want, have, where, gradient=False):
        assert _structure(want) == _structure(have), f"structure of {where}"
        for i, (a, b) in enumerate(zip(_leaves(want), _leaves(have), strict=True)):
            self._compare_leaf(a, b, f"{where}[{i}]", gradient)

    def _compare_leaf(self, want, have, where, gradient=False):
        if not isinstance(want, np.ndarray) or not isinstance(have, np.ndarray):
            assert want == have, where
            return
        assert want.dtype.name == have.dtype.name, f"dtype of {where}"
        assert want.shape == have.shape, f"shape of {where}"
        if not self.values:
            return
        name = want.dtype.name
        if name not in TOLERANCES:
            np.testing.assert_array_equal(have, want, err_msg=where)
            return
        rtol, atol = TOLERANCES[name]
        slack = _GRADIENT_SLACK if gradient else 1
        wide = "complex128" if want.dtype.kind == "c" else "float64"
        np.testing.assert_allclose(
            have.astype(wide), want.astype(wide), err_msg=where,
            rtol=(self.rtol or rtol) * slack, atol=(self.atol or atol) * slack,
        )  # fmt: skip

    def _check_traced(self, tensorflow, eager):
        try:
            want, _ = _traced(tensorflow, self)
        except Exception:
            return  # TensorFlow needs the sizes itself
        have, result = _traced(torchtf, self)
        self._compare(eager, result, "result of tf.function")
        for a, b in zip(want, have, strict=True):
            assert _says_as_much(a, b), f"static shape {b}, TensorFlow's is {a}"


def case(code: str, **options: Any) -> Case:
    """A line of a table with options (the fields of `Case`)."""
    return Case(code, **options)


def each(pattern: str, names: str | Iterable[str]) -> list[str]:
    """The pattern with each of the names put for `{}`."""
    return [pattern.format(n) for n in (names.split() if isinstance(names, str) else names)]


def cases(
    inputs: Mapping[str, Any],
    table: Iterable[str | Case],
    eager: Collection[str] = (),
    **options: Any,
):
    """Parametrizes a test by a table of calls; `options` hold for each of them.

    `eager` lists the calls that run eagerly only: their results are Python values, or they need
    values while they are traced.
    """
    made = []
    for entry in table:
        entry = Case(entry, **options) if isinstance(entry, str) else entry
        if entry.code in eager:
            entry = replace(entry, traced=False)
        merged = {**inputs, **entry.inputs}
        made.append(Case(**{**entry.__dict__, "inputs": merged}))
    return pytest.mark.parametrize("case", made, ids=[c.code[:100] for c in made])


# -- running


@dataclass
class _Outcome:
    result: Any
    gradients: dict[str, Any] | None


@functools.cache
def _compiled(code: str) -> tuple[CodeType | None, CodeType, frozenset[str]]:
    tree = ast.parse(code)
    names = frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name))
    *body, last = tree.body
    first = compile(ast.Module(body, []), "<case>", "exec") if body else None
    return first, compile(ast.Expression(last.value), "<case>", "eval"), names


def _run(tf, code: str, values: dict[str, Any]):
    first, last, _ = _compiled(code)
    scope = {"tf": tf, "np": np, **values}
    if first is not None:
        exec(first, scope)
    return eval(last, scope)


# calls that make composite tensors of literals
_LITERALS = frozenset(
    ("tf.ragged.constant", "tf.SparseTensor", "tf.sparse.SparseTensor", "tf.sparse.from_dense")
)


class _Hoist(ast.NodeTransformer):
    """Puts a name in place of each composite that the code makes."""

    def __init__(self):
        self.found: dict[str, str] = {}

    def visit_Call(self, node):
        if ast.unparse(node.func) not in _LITERALS:
            return self.generic_visit(node)
        name = f"composite_{len(self.found)}"
        self.found[name] = ast.unparse(node)
        return ast.Name(name, ast.Load())


def _hoisted(tf, case: Case, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The code with names for its composites, and these."""
    hoist = _Hoist()
    code = ast.unparse(hoist.visit(ast.parse(case.code)))
    made = {name: _run(tf, text, values) for name, text in hoist.found.items()}
    if any(type(v).__name__ not in _COMPOSITES for v in made.values()):
        return case.code, {}  # a ragged constant without rows is a tensor
    return code, made


def _open_spec(tf, value):
    """The spec of a composite with all sizes open that may be."""
    shape = value.shape.as_list()
    if isinstance(value, tf.RaggedTensor):
        spec = tf.RaggedTensorSpec.from_value(value)
        return tf.RaggedTensorSpec(
            [None, *shape[1:]], value.dtype, value.ragged_rank, spec.row_splits_dtype
        )
    return tf.SparseTensorSpec([None] * len(shape), value.dtype)


def _used(case: Case) -> dict[str, Any]:
    names = _compiled(case.code)[2]
    return {k: v for k, v in case.inputs.items() if k in names}


def _outcome(tf, case: Case):
    """The result and gradients of the code, or the exception it raises."""
    used = _used(case)
    values = {k: tf.constant(v) if isinstance(v, np.ndarray) else v for k, v in used.items()}
    sources = {
        k: v for k, v in values.items()
        if isinstance(used[k], np.ndarray) and (v.dtype.is_floating or v.dtype.is_complex)
    }  # fmt: skip
    if not (case.grad and sources):
        try:
            return _Outcome(_run(tf, case.code, values), None)
        except Exception as e:
            return e
    with tf.GradientTape() as tape:
        for source in sources.values():
            tape.watch(source)
        try:
            result = _run(tf, case.code, values)
        except Exception as e:
            return e
    flat = tf.nest.flatten(result, expand_composites=True)
    targets = [t for t in flat if _is_tensor(t) and (t.dtype.is_floating or t.dtype.is_complex)]
    if not targets:
        return _Outcome(result, None)
    weights = [_weights(tf, t) for t in targets]
    try:
        found = tape.gradient(targets, list(sources.values()), output_gradients=weights)
    except (LookupError, NotImplementedError, tf.errors.UnimplementedError):
        return _Outcome(result, None)  # an op without a gradient
    dense = [None if g is None else tf.convert_to_tensor(g) for g in found]
    return _Outcome(result, dict(zip(sources, dense, strict=True)))


def _weights(tf, target):
    """Incoming gradients that are not all alike."""
    size = int(np.prod(target.shape.as_list()))
    values = np.cos(np.arange(size) + 1.0).reshape(target.shape.as_list())
    return tf.cast(tf.constant(values), target.dtype)


def _traced(tf, case: Case):
    """The static shapes that `tf.function` infers, and its result."""
    used = _used(case)
    arrays = {k: tf.constant(v) for k, v in used.items() if isinstance(v, np.ndarray)}
    others = {k: v for k, v in used.items() if k not in arrays}
    code, composites = _hoisted(tf, case, {**others, **arrays})
    specs = [_open_spec(tf, value) for value in composites.values()]
    batch = next((v.shape[0] for v in arrays.values() if v.shape.rank), None)
    for name, value in arrays.items():
        shape = value.shape.as_list()
        if shape and shape[0] == batch and name not in case.static:
            shape[0] = None
        specs.append(tf.TensorSpec(shape, value.dtype))
    shapes: list[Any] = []

    def body(*args):
        result = _run(tf, code, {**others, **dict(zip(every, args, strict=True))})
        flat = tf.nest.flatten(result, expand_composites=True)
        if not shapes:  # sizes that the first trace does not fit call for another one
            shapes.extend(t.shape if hasattr(t, "shape") else None for t in flat)
        return result

    every = {**composites, **arrays}
    names = ", ".join(every)
    named = eval(f"lambda {names}: body({names})", {"body": body})
    function = tf.function(named, input_signature=specs, autograph=False)
    result = function(*every.values())
    # of a function without arguments TensorFlow knows all values, and so all shapes
    return shapes if every else [None] * len(shapes), result


def _says_as_much(want, have) -> bool:
    """Whether a static shape is compatible with TensorFlow's, and no less precise."""
    if want is None or have is None:
        return True
    if want.rank is None:
        return True
    if have.rank is None or have.rank != want.rank:
        return False
    return all(a is None or a == b for a, b in zip(want.as_list(), have.as_list(), strict=True))


# -- comparing


_COMPOSITES = {
    "RaggedTensor": lambda t: (t.flat_values, *t.nested_row_splits),
    "SparseTensor": lambda t: (t.indices, t.values, t.dense_shape),
    "IndexedSlices": lambda t: (t.indices, t.values),
}


def _is_tensor(value) -> bool:
    if type(value).__name__ in _COMPOSITES or isinstance(value, np.generic):
        return False
    return hasattr(value, "numpy") and hasattr(value, "dtype")


def _structure(value):
    """Nested names of the containers and leaves of a result."""
    if _is_tensor(value):
        return "tensor"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return (value._fields, *map(_structure, value))
    if isinstance(value, (list, tuple)):
        return (list if isinstance(value, list) else tuple, *map(_structure, value))
    if isinstance(value, dict):
        return {k: _structure(v) for k, v in value.items()}
    kind = type(value).__name__
    return kind if kind in _COMPOSITES else "value"


def _leaves(value) -> list[Any]:
    """The leaves in order: tensors as arrays, all else as text or Python values."""
    if _is_tensor(value):
        return [np.asarray(value.numpy())]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in _leaves(item)]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    components = _COMPOSITES.get(type(value).__name__)
    if components is not None:
        return [leaf for part in components(value) for leaf in _leaves(part)]
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return [value]
    if isinstance(value, (np.ndarray, np.generic)):
        return [np.asarray(value)]
    return [repr(value)]
