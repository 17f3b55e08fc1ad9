"""What Python's statements and operators mean in converted code.

Each stages its work if it meets a symbolic tensor, and does what Python does otherwise. The
messages are TensorFlow's.
"""

from __future__ import annotations

import functools

from malt.operators.variables import Undefined, UndefinedReturnValue

from torchtf.control_flow import is_staged, row_at, staged_cond, staged_while
from torchtf.core import dtypes, graph, nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import TensorShape
from torchtf.core.tensor import SymbolicTensor, is_tensor_type
from torchtf.logging_ops import Assert

__all__ = [
    "and_", "assert_stmt", "eq", "for_stmt", "if_exp", "if_stmt", "list_append", "not_", "not_eq",
    "or_", "while_stmt",
]  # fmt: skip

_LIMITATIONS = (
    "https://github.com/tensorflow/tensorflow/blob/master/tensorflow/python/autograph/g3doc/"
    "reference/limitations.md#consistency-of-control-flow-types"
)
_UNDEFINED = (Undefined, UndefinedReturnValue)


# -- if


def if_stmt(cond, body, orelse, get_state, set_state, symbol_names, nouts):
    """An if statement; see malt for the arguments."""
    if not is_staged(cond):
        body() if cond else orelse()
        return
    _check_condition(cond, "if statement")
    initial = get_state()

    def branch(function, others):
        def run():
            set_state(initial)
            function()
            values = get_state()[:nouts]
            for name, value in zip(symbol_names, values, strict=False):
                if isinstance(value, _UNDEFINED):
                    raise _undefined(name, value, others)
            return values

        return run

    try:
        results = staged_cond(
            cond, branch(body, "main"), branch(orelse, "else"),
            functools.partial(_check_branches, symbol_names),
        )  # fmt: skip
    except Exception:
        set_state(initial)
        raise
    set_state((*results, *initial[nouts:]))


def _check_condition(cond, where: str) -> None:
    """Raises unless a tensor can decide a statement."""
    if cond.dtype is not dtypes.bool_:
        raise ValueError(
            f"condition of {where} expected to be `tf.bool` scalar, got {cond}; to use as boolean "
            "Tensor, use `tf.cast`; to check for None, use `is not None`"
        )
    if cond.shape.rank and any(s not in (1, None) for s in cond.shape):
        raise ValueError(
            f"condition of {where} expected to be `tf.bool` scalar, got {cond}; to use as boolean "
            "Tensor, use `tf.reduce_all` or `tf.reduce_any`"
        )


_NO_RETURN = " branch must also have a return statement."


def _undefined(name, value, where):
    if name in ("retval_", "do_return") or isinstance(value, UndefinedReturnValue):
        return ValueError(f"the {where}{_NO_RETURN}")
    return ValueError(f"'{name}' must also be initialized in the {where} branch")


def _check_branches(symbol_names, true, false):
    for name, a, b in zip(symbol_names, true, false, strict=False):
        try:
            nest.assert_same_structure(a, b, expand_composites=True)
        except (ValueError, TypeError) as e:
            raise TypeError(
                f"'{name}' must have the same nested structure in the main and else branches:"
                f"\n\n{e}"
            ) from None
        for x, y in zip(nest.flatten(a, True), nest.flatten(b, True), strict=True):
            if x is None or y is None:
                where = "main" if x is None else "else"
                raise ValueError(f"'{name}' is None at the end of the {where} branch.")
            if x.dtype is not y.dtype:
                raise TypeError(
                    f"'{name}' has dtype {x.dtype.name} in the main branch, but dtype "
                    f"{y.dtype.name} in the else branch"
                )


def if_exp(cond, if_true, if_false, expr_repr):
    """A conditional expression."""
    if not is_staged(cond):
        return if_true() if cond else if_false()
    return staged_cond(
        cond, lambda: (if_true(),), lambda: (if_false(),),
        functools.partial(_check_branches, (expr_repr,)),
    )[0]  # fmt: skip


# -- loops


class _LoopErrors:
    """TensorFlow's messages for a loop's variables, by name."""

    def __init__(self, names, state, relaxed=frozenset()):
        self.names = names
        self.relaxed = relaxed  # the places of those whose invariants the user did not give
        self._state = state

    def place(self, index):
        """Which of the loop's variables holds the flat value `index`."""
        flat = [i for i, v in enumerate(self._state) for _ in nest.flatten(v, True)]
        return flat[index]

    def _name(self, index):
        return self.names[self.place(index)]

    def structure(self, before, after):
        for name, a, b in zip(self.names, before, after, strict=True):
            try:
                nest.assert_same_structure(a, b, expand_composites=True)
            except (ValueError, TypeError) as e:
                raise TypeError(
                    f"'{name}' does not have the same nested structure after one iteration.\n\n{e}"
                ) from None

    def dtype(self, index, before, after):
        return TypeError(
            f"'{self._name(index)}' has dtype {before.dtype.name} before the loop, but dtype "
            f"{after.dtype.name} after one iteration"
        )

    def shape(self, index, tensor, before, after):
        error = ValueError(
            f"'{self._name(index)}' has shape {TensorShape(before)} before the loop, but shape "
            f"{TensorShape(after)} after one iteration. Use "
            "tf.autograph.experimental.set_loop_options to set shape invariants."
        )
        # which variable, and the shape that all its values have
        shape = TensorShape(before).most_specific_compatible_shape(after)
        error.shape_change = self.place(index), shape
        return error

    def enters(self, index, tensor, invariant):
        return ValueError(
            f"'{self._name(index)}' has shape {tensor.shape} before the loop, which does not "
            f"conform with the shape invariant {invariant}."
        )

    def leaves(self, index, after, invariant):
        if self.place(index) in self.relaxed:  # by ourselves
            return None
        return ValueError(
            f"'{self._name(index)}' has shape {after} after one iteration, which does not conform "
            f"with the shape invariant {invariant}."
        )


def while_stmt(test, body, get_state, set_state, symbol_names, opts):
    """A while statement; see malt for the arguments."""
    initial = get_state()
    if graph.state.trace is None:
        first = test()
    else:
        first = test()
        if is_staged(first):
            _check_condition(first, "while loop")
            set_state(initial)
            _staged_loop(test, body, get_state, set_state, symbol_names, opts)
            return
    while first:
        body()
        first = test()
        if is_staged(first):
            raise NotImplementedError(
                "The condition of while loop started as non-Tensor, then changed to Tensor. This "
                "may happen either because variables changed type, or when a break or return "
                "statement inside the loop depends on a Tensor condition. In both cases, changing "
                f"to a TF loop should remove the error.\nSee {_LIMITATIONS} for more info."
            )


def _relaxing_loop(test, body, get_state, set_state, symbol_names, opts):
    """A loop in the graph whose variables take the shape that they have in all iterations, as in
    TensorFlow's loops over datasets. It defines none.
    """
    initial = get_state()
    for name, value in zip(symbol_names, initial, strict=True):
        if isinstance(value, _UNDEFINED):
            raise _must_be_defined(name)
    relaxed: dict = {}
    while True:
        invariants = [*opts.get("shape_invariants", ()), *relaxed.values()]
        try:
            _staged_loop(
                test, body, get_state, set_state, symbol_names,
                {**opts, "shape_invariants": invariants}, frozenset(relaxed),
            )  # fmt: skip
            return
        except ValueError as e:
            place, shape = getattr(e, "shape_change", (None, None))
            if place is None or place in relaxed or not is_tensor_type(initial[place]):
                raise
            relaxed[place] = (initial[place], shape)
            set_state(initial)


def _staged_loop(test, body, get_state, set_state, symbol_names, opts, relaxed=frozenset()):
    """A loop in the graph. Variables that only an iteration defines make one obligatory.

    Args:
        relaxed: the places of the variables whose shape invariants the user did not give.
    """
    initial = get_state()
    known = _with_definitions(initial, body, get_state, set_state, symbol_names)
    defined = ", ".join(
        "the function return value" if isinstance(v, UndefinedReturnValue) else n
        for n, v, after in zip(symbol_names, initial, known, strict=True)
        if after is not v
    )
    if defined:
        set_state(known)
        Assert(test(), [f"loop must iterate at least once to initialize {defined}"])
        set_state(initial)
    limit = opts.get("maximum_iterations")
    state = list(known)
    names = list(symbol_names)
    fail = _LoopErrors(names, state, relaxed)
    invariants = _invariants(opts, symbol_names, get_state, initial, known)

    def test_state(*values):
        set_state(tuple(values))
        return test()

    def step(*values):
        set_state(tuple(values))
        body()
        return list(get_state())

    # (a structure of tensors keeps the shapes of its first turn)
    open_places = {
        i for i, v in enumerate(initial) if known[i] is not v and is_tensor_type(known[i])
    }
    try:
        if limit is None:
            results = _with_open_definitions(
                lambda shapes: staged_while(test_state, step, state, shapes, fail),
                invariants, open_places, len(state),
            )  # fmt: skip
        else:
            from torchtf import math

            fail = _LoopErrors(["iteration", *names], [0, *state])
            results = staged_while(
                lambda i, *v: math.logical_and(i < limit, test_state(*v)),
                lambda i, *v: [i + 1, *step(*v)],
                [convert_to_tensor(0, dtype=getattr(limit, "dtype", dtypes.int32)), *state],
                None if invariants is None else [TensorShape([]), *invariants], fail,
            )[1:]  # fmt: skip
    except Exception:
        set_state(initial)
        raise
    set_state(tuple(results))


def _with_open_definitions(loop, invariants, places, count: int):
    """Runs `loop` with invariants that let variables which only an iteration defines (at `places`)
    have the shape that they have in all iterations.
    """
    left = set(places)
    while True:
        try:
            return loop(invariants)
        except ValueError as e:
            place, shape = getattr(e, "shape_change", (None, None))
            if place not in left:
                raise
            left.discard(place)
            invariants = list(invariants or [None] * count)
            invariants[place] = shape


def _invariants(opts, symbol_names, get_state, initial, known):
    """The shape invariants of `set_loop_options`, one for each loop variable."""
    given = opts.get("shape_invariants")
    if not given:
        return None
    found = [None] * len(symbol_names)
    for tensor, spec in given:
        for i, value in enumerate(initial):
            if value is tensor:
                found[i] = spec
    return found


def _with_definitions(initial, body, get_state, set_state, symbol_names):
    """The loop's state with zeros for variables that only an iteration defines."""
    missing = [i for i, v in enumerate(initial) if isinstance(v, _UNDEFINED) or v is None]
    if not missing:
        return initial
    try:
        specs = _specs_after_one_iteration(initial, body, get_state, set_state)
    except ValueError as e:
        if not str(e).endswith(_NO_RETURN):
            raise
        specs = [None] * len(initial)
    state = list(initial)
    for i in missing:
        if specs[i] is None and isinstance(initial[i], _UNDEFINED):
            raise _must_be_defined(symbol_names[i])
        state[i] = _zeros(specs[i])
    return tuple(state)


def _must_be_defined(name: str) -> Exception:
    """The error for a variable that a loop cannot define."""
    if _is_return(name):
        return NotImplementedError(
            "a return statement cannot be placed inside this TensorFlow loop; this may happen if a "
            "return statement depends on a static Python condition such as a hyperparameter"
        )
    return ValueError(f"'{name}' must be defined before the loop")


def _is_return(name: str) -> bool:
    return name == "retval_" or name.startswith("retval_")


def _specs_after_one_iteration(initial, body, get_state, set_state):
    """What an iteration makes of the state: traces one and throws the graph away."""
    from torchtf.function.trace import trace

    found = []

    def run():
        set_state(initial)
        body()
        for value in get_state():
            if isinstance(value, _UNDEFINED) or value is None:
                found.append(None)
            else:
                found.append(nest.map_structure(_shape_of, value, expand_composites=True))
        return []

    try:
        trace(run, [], name="loop_body")
    finally:
        set_state(initial)
    return found


def _shape_of(value):
    tensor = convert_to_tensor(value)
    return _Spec([s if isinstance(s, int) else None for s in tensor._data.shape], tensor.dtype)


class _Spec:
    def __init__(self, sizes, dtype):
        self.sizes = sizes
        self.dtype = dtype


def _zeros(spec):
    from torchtf.array_ops import zeros

    if spec is None:
        return None

    def make(s):
        sizes = [size or 0 for size in s.sizes]
        if s.dtype is dtypes.string:
            return convert_to_tensor("") if not sizes else zeros(sizes, s.dtype)
        return zeros(sizes, s.dtype)

    return nest.map_structure(make, spec)


def for_stmt(iter_, extra_test, body, get_state, set_state, symbol_names, opts):
    """A for statement; see malt for the arguments."""
    if graph.state.trace is not None:
        if is_tensor_type(iter_) and type(iter_) is SymbolicTensor:
            _for_tensor(iter_, extra_test, body, get_state, set_state, symbol_names, opts)
            return
        if hasattr(iter_, "_type_spec") and hasattr(iter_, "row_splits"):
            rows = iter_.nrows()
            _for_index(rows, lambda i: iter_[i], extra_test, body, get_state, set_state,
                       symbol_names, opts)  # fmt: skip
            return
        if hasattr(iter_, "element_spec") and (
            hasattr(iter_, "reduce") or hasattr(iter_, "get_next_as_optional")
        ):
            _for_dataset(iter_, extra_test, body, get_state, set_state, symbol_names, opts)
            return
    if extra_test is None:
        for item in iter_:
            body(item)
        return
    if _python_test(extra_test):
        for item in iter_:
            body(item)
            if not _python_test(extra_test):
                break


def _python_test(extra_test) -> bool:
    value = extra_test()
    if is_staged(value):
        raise NotImplementedError(
            "break and return statements which depend on a TF condition are not supported in "
            "Python for loops. Did you intend to make it a TF loop?\n"
            f"See {_LIMITATIONS} for more info."
        )
    return bool(value)


def _for_tensor(iter_, extra_test, body, get_state, set_state, symbol_names, opts):
    if iter_.shape.rank == 0:
        raise ValueError(
            "iterating over a scalar tensor is not possible; did you mean tf.range(...)?"
        )
    from torchtf import array_ops, math

    if hasattr(iter_, "_first"):  # a range: its variable is the counter of the loop
        values = list(get_state())
        for place, name in enumerate(symbol_names):
            if name == opts.get("iterate_names") and isinstance(values[place], _UNDEFINED):
                values[place] = math.cast(iter_._first, iter_.dtype)
        set_state(tuple(values))
    n = iter_.shape[0]
    if n is None:
        n = array_ops.shape(iter_)[0]
    _for_index(n, lambda i: row_at(iter_, i), extra_test, body, get_state, set_state,
               symbol_names, opts)  # fmt: skip


def _for_index(n, element, extra_test, body, get_state, set_state, symbol_names, opts):
    """A loop over the indices below `n`."""
    count = [convert_to_tensor(0, dtype=n.dtype if is_tensor_type(n) else dtypes.int32)]
    _counted(count, lambda i: i < n, lambda i: i + 1, element, extra_test, body, get_state,
             set_state, symbol_names, opts)  # fmt: skip


def _counted(count, test, advance, element, extra_test, body, get_state, set_state, names, opts):
    """A loop with a counter before the loop variables."""

    def state():
        return (count[0], *get_state())

    def put(values):
        count[0] = values[0]
        set_state(tuple(values[1:]))

    def loop_test():
        more = test(count[0])
        if extra_test is None:
            return more
        return and_(lambda: more, extra_test)

    def loop_body():
        i = count[0]
        body(element(i))
        count[0] = advance(i)

    options = dict(opts)
    _staged_loop(loop_test, loop_body, state, put, ("iteration index", *names), options)


def _for_dataset(iter_, extra_test, body, get_state, set_state, symbol_names, opts):
    from torchtf.data._in_graph import loop

    loop(iter_, extra_test, body, get_state, set_state, symbol_names, opts, _relaxing_loop)


# -- expressions


def and_(a, b):
    """`a and b`; `b` is only evaluated if needed."""
    first = a()
    if not is_staged(first):
        return first and b()
    return staged_cond(first, b, lambda: first, _same_logical)


def or_(a, b):
    """`a or b`; `b` is only evaluated if needed."""
    first = a()
    if not is_staged(first):
        return first or b()
    return staged_cond(first, lambda: first, b, _same_logical)


def _same_logical(true, false):
    from torchtf.control_flow import _check_branches as check

    check(true, false)


def not_(a):
    """`not a`."""
    if is_staged(a):
        from torchtf import math

        return math.logical_not(a)
    return not a


def eq(a, b):
    """`a == b`."""
    if is_staged(a) or is_staged(b):
        return a == b
    return a == b


def not_eq(a, b):
    """`a != b`."""
    return not_(eq(a, b))


def assert_stmt(expression1, expression2):
    """An assert statement; one about a tensor fires when the graph runs."""
    if is_staged(expression1):
        from torchtf.logging_ops import Assert

        message = expression2()
        Assert(expression1, [message if message is not None else ""])
        return
    assert expression1, expression2()


def list_append(list_, x):
    """`list_.append(x)`; a `TensorArray` grows in a functional way."""
    from torchtf.tensor_array import TensorArray

    if isinstance(list_, TensorArray):
        return list_.write(list_.size(), x)
    list_.append(x)
    return list_
