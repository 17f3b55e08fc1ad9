"""Control flow on tensors: `tf.cond`, `tf.while_loop`, `tf.map_fn` and their kin.

* Eagerly all of it is plain Python. In a traced function, a condition on a tensor traces all its
  branches into sub graphs; which one runs is decided when the graph runs (see
  `function.control`).
* Program order is execution order, in graphs too; so `control_dependencies` and `group` have
  nothing left to do. In a graph, `group` and `no_op` return an operation that the finished graph
  leaves out.
"""

from __future__ import annotations

import contextlib
import functools
import math
import operator
from collections.abc import Callable, Sequence

import torch

from torchtf.core import arena, dtypes, errors, graph, nest
from torchtf.core.convert import convert_to_tensor, kernel_name
from torchtf.core.derivative import lacks_batched_form
from torchtf.core.log import get_logger
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec, TypeSpec
from torchtf.core.tensor import SymbolicTensor, Tensor, is_tensor_type, rank_is_open, wrap
from torchtf.framework import is_tensor
from torchtf.function.autograph import convert


def is_staged(value) -> bool:
    """Whether a condition on this value must be decided when the graph runs."""
    if type(value) is SymbolicTensor:
        return True
    return graph.state.trace is not None and hasattr(type(value), "_tape_read")


def raw(tensor: Tensor) -> torch.Tensor:
    """The stand-in of a tensor in the trace under way."""
    if type(tensor) is SymbolicTensor:
        return tensor._data
    return graph.state.trace.capture(tensor)


def _as_tensors(structure):
    """The structure with tensors at its leaves; an operation counts as True."""

    def one(x):
        return x if x is None else convert_to_tensor(True if is_operation(x) else x)

    return nest.map_structure(one, structure, expand_composites=True)


def is_operation(value) -> bool:
    """Whether a value is an operation of a graph, such as `tf.group` returns."""
    from torchtf.function.func_graph import Operation

    return isinstance(value, Operation)


def _flat(structure) -> list:
    return [x for x in nest.flatten(structure, expand_composites=True) if x is not None]


def _pack(structure, tensors):
    supply = iter(tensors)
    return nest.pack_sequence_as(
        structure,
        [None if x is None else next(supply) for x in nest.flatten(structure, True)],
        True,
    )


def _predicate(pred) -> torch.Tensor:
    """A condition as a boolean scalar stand-in."""
    tensor = convert_to_tensor(pred)
    data = raw(tensor)
    if tensor.dtype is dtypes.string:
        raise TypeError(f"a condition must be a boolean, got {tensor!r}")
    if data.dim():
        if any(s != 1 for s in data.shape):
            raise ValueError(
                f"The truth value of a tensor with shape {tensor.shape} is ambiguous; a condition "
                "must be a scalar"
            )
        data = data.reshape(())
    return data if data.dtype is torch.bool else torch.ne(data, 0)


# -- conditions


def cond(pred, true_fn: Callable | None = None, false_fn: Callable | None = None, name=None):
    """Calls one of two functions (source: `tf.cond`).

    Args:
        pred: a boolean scalar tensor, or a Python bool.
        true_fn, false_fn: take nothing; in a graph they return the same structure of tensors of the
            same dtypes.
        name: a name for the op.

    Raises:
        TypeError: if a function is missing or not callable, or the results differ in structure or
            dtype.
        ValueError: if `pred` is None, or one function returns None where the other does not.
    """
    if true_fn is None:
        raise TypeError("cond(): 'true_fn' argument required")
    if false_fn is None:
        raise TypeError("cond(): 'false_fn' argument required")
    if not callable(true_fn):
        raise TypeError("'true_fn' must be callable.")
    if not callable(false_fn):
        raise TypeError("'false_fn' must be callable.")
    if pred is None:
        pred = convert_to_tensor(pred)  # raises
    if not is_staged(pred):
        return true_fn() if pred else false_fn()
    return staged_cond(pred, true_fn, false_fn, _check_branches, name or "cond")


def _check_branches(true, false):
    """Raises unless the results of both branches agree."""

    def fail(details):
        return TypeError(
            "true_fn and false_fn arguments to tf.cond must have the same number, type, and "
            f"overall structure of return values.\n\ntrue_fn output: {true}\nfalse_fn output: "
            f"{false}\n\nError details:\n{details}"
        )

    try:
        nest.assert_same_structure(true, false, expand_composites=True)
    except (ValueError, TypeError) as e:
        raise fail(e) from None
    counts = [len(_flat(x)) for x in (true, false)]
    if counts[0] != counts[1]:
        raise ValueError(
            "Lengths of branch outputs of cond must match.\n"
            f"len(graphs[0].outputs): {counts[0]}\nlen(graphs[1].outputs): {counts[1]}\n"
        )
    for a, b in zip(nest.flatten(true, True), nest.flatten(false, True), strict=True):
        if (a is None) != (b is None) or (a is not None and a.dtype is not b.dtype):
            raise fail(f"{a} and {b} have different types")


def staged_cond(pred, true_fn: Callable, false_fn: Callable, check: Callable, name: str = "cond"):
    """A condition inside a trace; `check` compares the two results, structures of tensors."""
    from torchtf.function.control import join_branches, trace_branch

    results = []

    def branch(function):
        def run():
            results.append(_as_tensors(function()))
            return [raw(x) for x in _flat(results[-1])]

        return run

    with graph.state.trace.scope_of(name):
        subs = [
            trace_branch(branch(f), n)
            for f, n in ((true_fn, "true_graph"), (false_fn, "false_graph"))
        ]
    check(*results)
    kind = convert_to_tensor(pred).dtype
    if kind is not dtypes.bool_ and _flat(results[0]):  # TensorFlow's Switch for the results
        raise errors.InvalidArgumentError(
            None, None,
            f"Input 'pred' passed {kernel_name(kind)} expected bool while "
            "building NodeDef 'cond/switch_pred/_2' using Op<name=Switch; signature=data:T, "
            "pred:bool -> output_false:T, output_true:T; attr=T:type>",
        )  # fmt: skip
    found = join_branches(graph.state.trace, _predicate(pred), subs)
    return _pack(results[0], _wrapped(found, _flat(results[0]), "If", name))


def _wrapped(
    data: Sequence[torch.Tensor], like: Sequence[Tensor], op: str, name: str | None = None
) -> list[Tensor]:
    """Raw results as tensors of the dtypes of others."""
    made = []
    for x, model in zip(data, like, strict=True):
        tensor = wrap(x)
        tensor._dtype = model._dtype if type(model) is SymbolicTensor else None
        if model.dtype is dtypes.string:
            tensor._dtype = dtypes.string
        graph.state.trace.note(tensor, op, name)
        made.append(tensor)
    return made


def case(pred_fn_pairs, default=None, exclusive: bool = False, strict: bool = False, name="case"):
    """Calls the function of the first condition that holds (source: `tf.case`).

    Args:
        pred_fn_pairs: a list of (boolean scalar tensor, function) pairs.
        default: the function to call when none holds.
        exclusive: whether it is an error if more than one holds. (The last does not count where
            there is no default.)
        strict: whether eagerly a single result stays in its list.
        name: a name for the op.

    Raises:
        InvalidArgumentError: if none holds and there is no default, or, with `exclusive`, if
            several hold.
        TypeError: if an entry is no such pair.
        ValueError: if there are no pairs, or they are in a dict, which has no order.
    """
    if not isinstance(pred_fn_pairs, (list, tuple, dict)):
        raise TypeError(
            f"'pred_fn_pairs' must be a list, tuple, or dict. Received: {type(pred_fn_pairs)}"
        )
    eager = graph.state.trace is None
    if isinstance(pred_fn_pairs, dict) and eager and not exclusive:
        raise ValueError(
            "Unordered dictionaries are not supported for the 'pred_fn_pairs' argument when "
            "`exclusive=False` and eager mode is enabled."
        )
    pairs = list(pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs)
    if not pairs:
        raise ValueError("'pred_fn_pairs' must have at least one (pred, fn) pair.")
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"Each entry in 'pred_fn_pairs' must be a 2-tuple. Received {pair}.")
        pred, function = pair
        if not is_tensor_type(pred):
            raise TypeError(f"pred must be a Tensor, got: {pred}")
        if pred.dtype is not dtypes.bool_:
            raise TypeError(f"pred must be Tensor of type bool: {pred}")
        if not callable(function):
            raise TypeError(f"fn for pred {pred} must be callable.")

    def choose(pred, function, otherwise):
        result = cond(pred, function, otherwise)
        single = eager and not strict and isinstance(result, (list, tuple)) and len(result) == 1
        return result[0] if single else result

    return first_that_holds(choose, pairs, default, exclusive)


def first_that_holds(cond_fn, pred_fn_pairs, default, exclusive: bool):
    """Calls the function of the first condition that holds, by a `cond` for each.

    Args:
        cond_fn: `tf.cond` or another function of a condition and two functions.
        pred_fn_pairs: a list of (condition, function) pairs.
        default: as of `case`.
        exclusive: as of `case`.
    """
    if default is None:
        tried = [p for p, _ in pred_fn_pairs]
        *pred_fn_pairs, (_, last) = pred_fn_pairs

        def default():
            from torchtf.logging_ops import Assert

            Assert(tried[-1], ["Input error: None of conditions evaluated as True:", *tried])
            return last()

    preds = [p for p, _ in pred_fn_pairs]
    if exclusive and len(preds) > 1:
        from torchtf import math
        from torchtf.logging_ops import Assert

        count = math.add_n([math.cast(p, dtypes.int32) for p in preds])
        Assert(
            math.less_equal(count, 1),
            ["Input error: exclusive=True: more than 1 conditions evaluated as True:", *preds],
        )
    for pred, function in reversed(pred_fn_pairs):
        default = functools.partial(cond_fn, pred, function, default)
    return default()


def switch_case(branch_index, branch_fns, default: Callable | None = None, name="switch_case"):
    """Calls the function of a number (source: `tf.switch_case`).

    Args:
        branch_index: an int32 scalar.
        branch_fns: a dict or list of pairs from int to function, or a list of functions.
        default: the function for any other number; the last one by default.
        name: a name for the op.

    Raises:
        TypeError: if a function is not callable or the index is no integer.
        ValueError: if there is no function, or the numbers are not 0, 1, ...
    """
    if isinstance(branch_fns, dict):
        pairs = list(branch_fns.items())
    elif branch_fns and all(isinstance(f, tuple) for f in branch_fns):
        pairs = list(branch_fns)
    else:
        pairs = list(enumerate(branch_fns))
    if not pairs:
        raise ValueError("Must provide at least one item in 'branch_fns'")
    for number, function in pairs:
        if not isinstance(number, int):
            raise TypeError(f"key must be a Python `int`, got {type(number)}")
        if not callable(function):
            raise TypeError(f"fn for branch {number} must be callable.")
    functions = dict(sorted(pairs))
    if min(functions) < 0 or max(functions) >= len(pairs):
        found = ",".join(str(n) for n, _ in pairs)
        raise ValueError(
            f"branch indices (keys) must form contiguous range of [0 to {len(pairs)}) but found "
            f"{{{found}}}"
        )
    index = convert_to_tensor(branch_index)
    if index.dtype is not dtypes.int32:
        raise TypeError(f"'branch_index' must be an integer Tensor, got {index.dtype}")
    last = default or functions[max(functions)]
    if not is_staged(index):
        return functions.get(int(index), last)()
    for number in sorted(functions, reverse=True):
        last = functools.partial(cond, index == number, functions[number], last)
    return last()


# -- loops


def while_loop(
    cond,
    body,
    loop_vars,
    shape_invariants=None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    maximum_iterations=None,
    name=None,
):
    """Repeats `loop_vars = body(*loop_vars)` while `cond(*loop_vars)` (source: `tf.while_loop`).

    Args:
        cond: returns a boolean scalar.
        body: returns the next values, in the structure of `loop_vars`.
        loop_vars: a list or tuple of (nested) tensors.
        shape_invariants: the shapes (or specs) that hold in every iteration, in that structure;
            the shapes of `loop_vars` by default.
        parallel_iterations: how many iterations TensorFlow may run at once. They run one after
            another here; must be positive.
        back_prop: if False, no gradient flows through the loop; eagerly without effect, as in
            TensorFlow.
        swap_memory: a hint for TensorFlow's memory; has no effect on results.
        maximum_iterations: the most iterations to do.
        name: a name for the op.

    Returns:
        The last values, in the structure of `loop_vars`.

    Raises:
        TypeError: if `cond` or `body` is not callable.
        ValueError: if the structure changes, or a shape that is not open.
    """
    if not callable(cond):
        raise TypeError("'cond' must be callable.")
    if not callable(body):
        raise TypeError("'body' must be callable.")
    if parallel_iterations < 1:
        raise TypeError("'parallel_iterations' must be a positive integer.")
    if not isinstance(loop_vars, (list, tuple)):
        loop_vars = [loop_vars]
        if shape_invariants is not None:
            shape_invariants = [shape_invariants]
    if not loop_vars:
        raise ValueError("'loop_vars' must be provided.")
    if graph.state.trace is None:
        return _python_while(cond, body, loop_vars, maximum_iterations)
    result = _graph_while(
        cond, body, loop_vars, shape_invariants, maximum_iterations, name or "while"
    )
    return result if back_prop else _without_gradient(result)


def _python_while(cond, body, loop_vars, maximum_iterations):
    count = 0
    limit = None if maximum_iterations is None else int(maximum_iterations)
    structure = [_spec_or_value(x) for x in loop_vars]
    while (limit is None or count < limit) and cond(*loop_vars):
        loop_vars = body(*loop_vars)
        if len(structure) == 1 and not isinstance(loop_vars, (list, tuple)):
            loop_vars = (loop_vars,)
        nest.assert_same_structure(structure, list(loop_vars), expand_composites=False)
        count += 1
    return nest.map_structure(
        lambda x: x if hasattr(x, "_type_spec") else convert_to_tensor(x), loop_vars
    )


def _spec_or_value(structure):
    """What a loop variable was at the start, without keeping its tensors alive."""
    return nest.map_structure(
        lambda x: TensorSpec(x.shape, x.dtype) if is_tensor_type(x) else x, structure
    )


def _graph_while(cond, body, loop_vars, shape_invariants, maximum_iterations, name):
    opened = None
    if shape_invariants is not None:
        _same_nesting(loop_vars, shape_invariants)
        opened = nest.flatten_up_to(loop_vars, shape_invariants)
    if maximum_iterations is not None:
        limit = convert_to_tensor(maximum_iterations, dtype_hint=dtypes.int32)
        if limit.shape.rank:
            raise ValueError(f"'maximum_iterations' must be a scalar, but has shape {limit.shape}")
        user_cond, user_body = cond, body
        structure = loop_vars

        def cond(count, *state):
            from torchtf import math

            return math.logical_and(count < limit, user_cond(*state))

        def body(count, *state):
            return [count + 1, *_listed(user_body(*state))]

        if opened is not None:
            opened = [TensorShape([])] + opened
        zero = convert_to_tensor(0, dtype=limit.dtype)
        result = staged_while(
            cond, body, [zero, *loop_vars], opened, _loop_errors(loop_vars, 1), name
        )
        return _retyped(structure, result[1:])
    result = staged_while(cond, body, list(loop_vars), opened, _loop_errors(loop_vars), name)
    return _retyped(loop_vars, result)


def _same_nesting(loop_vars, shape_invariants):
    if len(loop_vars) != len(shape_invariants):
        raise ValueError(
            "The two structures don't have the same nested structure: loop_vars "
            f"{loop_vars} and shape_invariants {shape_invariants}"
        )


def _retyped(structure, values: list):
    if isinstance(structure, list):
        return list(values)
    if hasattr(structure, "_fields"):
        return type(structure)(*values)
    return tuple(values)


def _listed(values) -> list:
    return list(values) if isinstance(values, (list, tuple)) else [values]


def _loop_errors(loop_vars, skipped: int = 0):
    """What to raise when a loop's state changes its form: TensorFlow's messages."""

    class Errors:
        @staticmethod
        def structure(before, after):
            nest.assert_same_structure(after, before, expand_composites=True)

        @staticmethod
        def dtype(index, before, after):
            name = _name_in_loop(index - skipped, before)
            return TypeError(
                f"Loop var {name} enters the loop with type {before.dtype} but has type "
                f"{after.dtype} after 1 iteration. {name} type should remain constant."
            )

        @staticmethod
        def shape(index, tensor, before, after):
            return ValueError(
                f"Input tensor `{_name_in_loop(index, tensor)}` enters the loop with shape "
                f"{TensorShape(before)}, but has shape {TensorShape(after)} after one iteration. "
                "To allow the shape to vary across iterations, use the `shape_invariants` argument "
                "of tf.while_loop to specify a less-specific shape."
            )

        @staticmethod
        def enters(index, tensor, invariant):
            return ValueError(
                f"The shape invariant specified for {getattr(tensor, 'name', tensor)} is not "
                f"compatible with the initial shape of the loop variable. It enters the loop with "
                f"shape {tensor.shape}, but the specified shape invariant is {invariant}."
            )

        @staticmethod
        def leaves(index, after, invariant):
            return None  # `shape` says it

    return Errors


def _name_in_loop(index: int, tensor: Tensor) -> str:
    return tensor.name if type(tensor) is SymbolicTensor else f"Const_{index}:0"


def staged_while(
    cond: Callable, body: Callable, state: list, invariants, fail, name: str = "while"
) -> list:
    """A loop inside a trace.

    Args:
        cond: takes the parts of the state, returns a boolean scalar.
        body: takes them, returns the next state.
        state: structures of tensors.
        invariants: a shape or spec for each tensor of the state, or None.
        fail: makes the errors, see `_loop_errors`.
        name: a name for the op.
    """
    from torchtf.function.control import ShapeChange, stage_while

    state = [_as_tensors(x) for x in state]
    kinds = state if invariants is None else _with_specs(state, invariants)
    flat = _flat(state)
    initial = [raw(x) for x in flat]
    open_sizes = specs = None
    if invariants is not None:
        specs = _flat_specs(invariants, kinds)
        open_sizes = [
            _open(s, x, fail, i) for i, (s, x) in enumerate(zip(specs, flat, strict=True))
        ]

    def packed(data):
        return _pack(kinds, _wrapped(data, flat, "Placeholder"))

    def test(*data):
        return _predicate(cond(*packed(data)))

    def step(*data):
        after = [_as_tensors(x) for x in _listed(body(*packed(data)))]
        fail.structure(kinds, after if kinds is state else _with_specs(after, invariants, True))
        tensors = _flat(after)
        for i, (old, new) in enumerate(zip(flat, tensors, strict=True)):
            if old.dtype is not new.dtype:
                raise fail.dtype(i, old, new)
        return [raw(x) for x in tensors]

    try:
        with graph.state.trace.scope_of(name):
            found = stage_while(test, step, initial, open_sizes)
    except ShapeChange as e:
        if specs is not None and specs[e.index] is not None:
            found = fail.leaves(e.index, TensorShape(e.after), _shape_of(specs[e.index]))
            if found is not None:
                raise found from None
        raise fail.shape(e.index, flat[e.index], e.before, e.after) from None
    return _pack(kinds, _wrapped(found, flat, "While", name))


def _with_specs(state: list, invariants, changed: bool = False) -> list:
    """The state with the specs that invariants give in place of ragged and sparse tensors.

    Raises:
        TypeError: if a spec does not fit what it is for.
        ValueError: if its shape does not, after a turn of the loop (`changed`).
    """
    parts = nest.flatten(state)
    for i, (spec, part) in enumerate(zip(invariants, parts, strict=False)):
        if hasattr(part, "_type_spec"):
            parts[i] = _composite_spec(spec, part, changed)
    return nest.pack_sequence_as(state, parts)


def _composite_spec(spec, part, changed: bool):
    """The spec of a ragged or sparse loop variable; the variable itself if `spec` is none of one.

    The rank that a sparse tensor enters with stays: its ops ask for it.
    """
    from torchtf.ragged._tensor import RaggedTensor, RaggedTensorSpec
    from torchtf.sparse._tensor import SparseTensorSpec

    if isinstance(spec, (TensorShape, list, tuple)) and isinstance(part, RaggedTensor):
        spec = RaggedTensorSpec(spec, part.dtype, part.ragged_rank, part.row_splits.dtype)
    if not isinstance(spec, TypeSpec):
        return part
    if not spec.is_compatible_with(part):
        if changed and isinstance(spec, type(part._type_spec)):
            raise ValueError(f"Shapes {part.shape} and {spec.shape} are not compatible")
        raise TypeError(f"TypeSpec {spec!r} is not compatible with {part!r}")
    if isinstance(spec, SparseTensorSpec) and spec.shape.rank is None:
        return SparseTensorSpec([None] * part.shape.rank, spec.dtype)
    return spec


def _flat_specs(invariants, kinds) -> list:
    """One shape for each tensor of the state."""
    flat = []
    for spec, part in zip(invariants, nest.flatten(kinds), strict=False):
        components = nest.flatten(part, expand_composites=True)
        if isinstance(part, TypeSpec):
            flat += components
        else:
            flat += [spec] if len(components) == 1 else [None] * len(components)
    return flat


def _shape_of(spec) -> TensorShape:
    return spec.shape if isinstance(spec, TypeSpec) else TensorShape(spec)


def _open(spec, tensor: Tensor, fail, index: int) -> list[bool] | str | None:
    """Which sizes of a loop variable its invariant leaves open, see `control.stage_while`.

    Args:
        spec: the invariant.
        tensor: the variable, at place `index` of the flat state.
        fail: makes the errors.

    Raises:
        ValueError: if the tensor does not fit its invariant.
        TypeError: if that is none, or a spec of something else.
    """
    from torchtf.function.control import ANY_RANK

    if spec is None:
        return None
    if isinstance(spec, TypeSpec):
        typed = isinstance(spec, TensorSpec) and spec.dtype is tensor.dtype
        if not typed:
            raise TypeError(f"TypeSpec {spec!r} is not compatible with {tensor!r}")
        shape = spec.shape
    elif isinstance(spec, (TensorShape, list, tuple)):
        shape = TensorShape(spec)
    else:
        raise TypeError(
            f"'shape' must be one of TypeSpec, TensorShape or None. Received: {type(spec)}"
        )
    if not shape.is_compatible_with(tensor.shape):
        raise fail.enters(index, tensor, shape)
    return ANY_RANK if shape.rank is None else [s is None for s in shape]


# -- maps and folds


def _length(elems) -> object:
    """The common first size of the tensors: an int, or a symbolic scalar."""
    from torchtf.array_ops import shape

    flat = nest.flatten(elems, expand_composites=True)
    if not flat:
        raise ValueError("elems must be a Tensor or (possibly nested) sequence of Tensors.")
    for x in flat:
        if not x.shape.rank:
            raise ValueError("Elements in elems must be 1+ dimensional Tensors, not scalars")
        if not x.shape[:1].is_compatible_with(flat[0].shape[:1]):
            raise ValueError(f"Dimensions {flat[0].shape[0]} and {x.shape[0]} are not compatible")
    static = flat[0].shape[0]
    return static if static is not None else shape(flat[0])[0]


def _tensors(elems):
    return nest.map_structure(convert_to_tensor, elems)


def row_at(tensor: Tensor, i) -> Tensor:
    """`tensor[i]` for an index that is known to be in range."""
    if not is_staged(i):
        from torchtf.array_ops import getitem

        return getitem(tensor, i)
    data, index = raw(tensor), raw(i)
    is_empty = (
        isinstance(data.shape[0], int) and data.shape[0] == 0
    )  # nothing to take, even if unrun
    if data.dim() == 1 and not is_empty:
        picked = torch.take(data, index.to(torch.int64))
    else:
        picked = torch.index_select(data, 0, index.reshape(1)).squeeze(0)
    row = wrap(arena.mark(picked) if tensor.dtype is dtypes.string else picked)
    if tensor.dtype is dtypes.string:
        row._dtype = dtypes.string
    return row


def _row(elems, i):
    return nest.map_structure(lambda x: x[i] if _is_composite(x) else row_at(x, i), elems)


def _arrays(specs, n):
    from torchtf.tensor_array import TensorArray

    return nest.map_structure(lambda s: TensorArray(s.dtype, size=n, element_shape=s.shape), specs)


def _spec_of(function, *elements):
    """The specs of what a function returns, found without running it for real."""
    from torchtf.function.trace import trace

    found = []

    def body():
        found.append(nest.map_structure(lambda x: TensorSpec.from_tensor(x),
                                        _as_tensors(function(*elements))))  # fmt: skip
        return []

    trace(body, [])
    return found[0]


def map_fn(
    fn: Callable,
    elems,
    dtype=None,
    parallel_iterations=None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name=None,
    fn_output_signature=None,
):
    """Applies `fn` to each row of `elems` and stacks the results (source: `tf.map_fn`).

    Args:
        fn: takes one row (a structure like `elems`).
        elems: a tensor or structure of tensors with the same first size.
        dtype: the older name of `fn_output_signature`.
        parallel_iterations: rows run one after another here; must be positive.
        back_prop: if False, no gradient flows through; eagerly without effect, as in TensorFlow.
        swap_memory: a hint for TensorFlow's memory; has no effect on results.
        infer_shape: whether all results must have one shape; they must, to be stacked.
        name: a name for the op.
        fn_output_signature: the dtypes or specs of what `fn` returns, if they differ from `elems`.

    Raises:
        TypeError: if `fn` is not callable.
        ValueError: if `elems` has no first axis, or the results do not fit the signature.
    """
    if not callable(fn):
        raise TypeError(f"The provided function {fn.__name__} is not callable.")
    fn = convert(fn)
    signature = fn_output_signature if fn_output_signature is not None else dtype
    if not nest.flatten(elems):
        raise ValueError(
            "elems must be a Tensor or (possibly nested) sequence of Tensors. Got "
            f"{elems}, which does not contain any Tensors."
        )
    if any(map(nest.is_composite_spec, nest.flatten(signature))) or any(
        map(_is_composite, nest.flatten(elems))
    ):
        return _map_composites(fn, elems, signature)
    elems = _tensors(elems)
    n = _length(elems)
    model = elems if signature is None else signature

    def row(*place):
        values = _as_tensors(fn(*place))
        _check_row(values, model)
        return values

    result = None
    if graph.state.trace is not None:
        result = _mapped_at_once(row, elems, n)
    if result is None:
        result = _mapped_by_loop(row, elems, n, model)
    return result if back_prop else _without_gradient(result)


def _mapped_by_loop(fn, elems, n, model):
    specs = nest.map_structure(_element_spec, model)
    if graph.state.trace is not None:  # what reads the results wants to know their shapes
        specs = _spec_of(fn, _row(elems, 0 if isinstance(n, int) and n else _zero()))

    def body(i, arrays):
        values = fn(_row(elems, i))
        return i + 1, nest.map_structure(lambda a, v: a.write(i, v), arrays, values)

    _, arrays = while_loop(lambda i, _: i < n, body, (_zero(), _arrays(specs, n)))
    return nest.map_structure(functools.partial(_stacked, n=n), arrays)


def _stacked(array, n) -> Tensor:
    """The elements of a `TensorArray` of `n` of them."""
    result = array.stack()
    if graph.state.trace is not None and isinstance(n, int) and result.shape.rank is not None:
        result.set_shape([n, *result.shape[1:]])
    return result


# The most elements of a value of all rows together, and of one row where their number is open, for
# which all rows are computed at once: beyond it a row's own work outweighs the loop's, and memory
# is why the program maps over rows.
_MOST_AT_ONCE, _MOST_IN_ROW = 1 << 24, 1 << 12


def _mapped_at_once(fn, elems, n):
    """The results of all rows in one go, as vectorized ops.

    None where that would be noticed, by effects, random draws or memory, or is not possible.
    """
    from torchtf.function.control import stand_in
    from torchtf.function.trace import trace

    under_way = graph.state.trace
    flat = nest.flatten(elems)
    empty = isinstance(n, int) and n == 0
    if empty or any(x.dtype is dtypes.string or x.shape.rank is None for x in flat):
        return None
    rows = [raw(x) for x in flat]
    structure = []

    def body(*row):
        structure.append(fn(nest.pack_sequence_as(elems, list(map(wrap, row)))))
        return [raw(x) for x in nest.flatten(structure[0])]

    traced = trace(body, [stand_in(under_way, list(x.shape[1:]), x) for x in rows], name="map_body")
    most = _MOST_AT_ONCE // n if isinstance(n, int) else _MOST_IN_ROW
    if traced.written or not all(_is_plain(node, most) for node in traced.graph_module.graph.nodes):
        return None
    try:
        found = _vectorized(traced, rows)
    except RuntimeError as e:
        if not lacks_batched_form(e):
            raise
        return None
    return nest.pack_sequence_as(structure[0], [wrap(x) for x in found])


def _is_plain(node: torch.fx.Node, most: int) -> bool:
    """Whether nobody can tell on how many rows at once a node of the graph of one row runs.

    Args:
        node: the node.
        most: how many elements its value may have.
    """
    value = node.meta.get("val")
    if isinstance(value, torch.Tensor):
        sizes = [s for s in value.shape if isinstance(s, int)]
        if arena.is_handles(value) or rank_is_open(value) or math.prod(sizes) > most:
            return False
    if node.op != "call_function" or node.target is operator.getitem:
        return True
    kind = getattr(node.target, "namespace", None)
    if kind is None:  # arithmetic of sizes
        return getattr(node.target, "__module__", None) in ("_operator", "math")
    return (
        kind == "aten"
        and not node.target._schema.is_mutable
        and torch.Tag.nondeterministic_seeded not in node.target.tags
    )


def _vectorized(traced, rows: list[torch.Tensor]) -> list[torch.Tensor]:
    """Runs the graph of one row on all rows at once, in the trace under way if there is one.

    Raises:
        RuntimeError: if it has an op that cannot.
    """
    from torchtf.function.runner import compile_graph

    if graph.state.trace is None:
        outside = [c.get() for c in traced.captures]
    else:
        outside = [
            c.owner._tape_read() if c.is_variable else raw(c.owner) for c in traced.captures
        ] + list(traced.outer_inputs)
    run = compile_graph(traced.graph_module)
    dims = (0,) * len(rows) + (None,) * len(outside)
    return torch.vmap(run, in_dims=dims, randomness="different")(*rows, *outside)


def _map_composites(fn, elems, signature):
    """`map_fn` for ragged and sparse elements or results: row by row."""
    from torchtf import ragged

    if graph.state.trace is not None:
        return _map_ragged_in_graph(fn, elems, signature)
    parts = [_rows(x) for x in nest.flatten(elems)]
    rows = [fn(nest.pack_sequence_as(elems, list(row))) for row in zip(*parts, strict=True)]
    # without a signature the results are of the type of the elements
    model = nest.flatten(elems if signature is None else signature)
    join = ragged.stack if any(map(_is_ragged, model)) else _join_rows
    return nest.map_structure(lambda *values: join(list(values)), *rows)


def _rows(x) -> list:
    """What `x` holds along its first axis: tensors, or composites of a rank less."""
    from torchtf.data._batching import unstack
    from torchtf.data._structure import cooked

    return list(map(cooked, unstack(x))) if _is_composite(x) else list(convert_to_tensor(x))


def _join_rows(rows: list):
    from torchtf.data._batching import stack_composites

    if _is_composite(rows[0]):
        return stack_composites(rows, rows[0]._type_spec)
    return _stack(rows)


def _map_ragged_in_graph(fn, elems, signature):
    """`_map_composites` as a loop: the rows of a ragged result are collected end to end."""
    from torchtf import array_ops
    from torchtf.ragged import RaggedTensor
    from torchtf.tensor_array import TensorArray

    flat = nest.flatten(elems)
    model = nest.flatten(elems if signature is None else signature)
    if any(_is_composite(x) and not hasattr(x, "row_splits") for x in flat) or any(
        getattr(s, "_ragged_rank", getattr(s, "ragged_rank", 0)) > (signature is None)
        for s in model
    ):
        raise NotImplementedError(
            "tf.map_fn over sparse tensors, or with rows that are themselves ragged, inside "
            "tf.function is not supported; call it outside the function."
        )
    elems = nest.map_structure(lambda x: x if _is_composite(x) else convert_to_tensor(x), elems)
    first = nest.flatten(elems)[0]
    n = first.nrows(dtypes.int32) if _is_composite(first) else array_ops.shape(first)[0]
    specs = _spec_of(fn, _row(elems, _zero()))
    joined = list(map(_is_ragged, model))

    def flat_rows(i):
        return nest.flatten(_as_tensors(fn(_row(elems, i))))

    def body(i, arrays, lengths):
        values = flat_rows(i)
        sizes = [array_ops.shape(v, dtypes.int64)[0] if j else _zero()
                 for v, j in zip(values, joined, strict=True)]  # fmt: skip
        return (
            i + 1,
            [a.write(i, v) for a, v in zip(arrays, values, strict=True)],
            [a.write(i, s) if j else a for a, s, j in zip(lengths, sizes, joined, strict=True)],
        )

    _, arrays, lengths = while_loop(lambda i, *_: i < n, body, (
        _zero(), nest.flatten(_arrays(specs, n)),
        [TensorArray(dtypes.int64, size=n, element_shape=[]) for _ in joined],
    ))  # fmt: skip
    results = [
        RaggedTensor.from_row_lengths(a.concat(), k.stack(), validate=False) if j else a.stack()
        for a, k, j in zip(arrays, lengths, joined, strict=True)
    ]
    return nest.pack_sequence_as(specs, results)


def _is_composite(x) -> bool:
    return hasattr(x, "_type_spec")


def _is_ragged(value_or_spec) -> bool:
    return hasattr(value_or_spec, "row_splits") or hasattr(value_or_spec, "_ragged_rank")


def _zero():
    return _count(0)


def _count(number: int):
    """A number that counts rows: a tensor in a graph, where a loop carries it."""
    return number if graph.state.trace is None else convert_to_tensor(number)


def _without_gradient(structure):
    """What a loop in a graph gives with `back_prop=False`."""
    from torchtf.array_ops import stop_gradient

    if graph.state.trace is None:
        return structure
    return nest.map_structure(lambda x: stop_gradient(x) if is_tensor_type(x) else x, structure)


def _stack(parts):
    from torchtf.array_ops import stack

    return stack(list(parts))


def _element_spec(model):
    """What is known of a result before the function has run: its type; its shape from a spec."""
    if isinstance(model, TensorSpec):
        return model
    return TensorSpec(None, dtypes.as_dtype(getattr(model, "dtype", model)))


def _check_row(values, model) -> None:
    """Raises unless what `fn` returned has the structure, types and shapes that were promised."""
    nest.assert_same_structure(model, values)
    for spec, value in zip(
        map(_element_spec, nest.flatten(model)), nest.flatten(values), strict=True
    ):
        if spec.dtype is not value.dtype:
            raise errors.InvalidArgumentError(
                None, None,
                f"TensorArray dtype is {spec.dtype.name} but Op is trying to write dtype "
                f"{value.dtype.name} ",
            )  # fmt: skip
        if not spec.shape.is_compatible_with(value.shape):
            raise ValueError(
                f"Incompatible shape for value ({value.shape}), expected ({spec.shape})"
            )


def vectorized_map(fn: Callable, elems, fallback_to_while_loop: bool = True, warn: bool = True):
    """Applies `fn` to all rows of `elems` at once (source: `tf.vectorized_map`).

    Args:
        fn: takes one row (a structure like `elems`).
        elems: a tensor or structure of tensors with the same first size.
        fallback_to_while_loop: whether to go row by row when `fn` cannot be vectorized.
        warn: whether to log when it does.

    Raises:
        ValueError: if `fn` cannot be vectorized and `fallback_to_while_loop` is False.
    """
    from torchtf.function.trace import trace

    fn = convert(fn)
    elems = _tensors(elems)
    flat = nest.flatten(elems)
    _length(elems)
    structure = []

    def body(*rows):
        result = _as_tensors(fn(nest.pack_sequence_as(elems, list(map(wrap, rows)))))
        structure.append(result)
        return [raw(x) for x in nest.flatten(result)]

    arguments = [(tuple(x.shape)[1:], x._data.dtype) for x in flat]
    traced = trace(body, arguments, name="loop_body", has_streams=False)
    if traced.written:
        raise NotImplementedError("tf.vectorized_map: fn must not assign to variables")
    try:
        found = _vectorized(
            traced, [x._data if graph.state.trace is None else raw(x) for x in flat]
        )
    except RuntimeError as e:
        if not lacks_batched_form(e):
            raise
        if not fallback_to_while_loop:
            raise ValueError(f"fn cannot be vectorized: {e}") from e
        if warn:
            get_logger().warning(
                "Using a while_loop for converting the function: %s", str(e).splitlines()[0]
            )
        return map_fn(fn, elems, fn_output_signature=nest.map_structure(
            lambda x: x.dtype, structure[0]))  # fmt: skip
    return nest.pack_sequence_as(structure[0], [wrap(x) for x in found])


def _fold(fn, elems, initializer, back_prop, reverse, keep):
    """The common body of foldl, foldr and scan; `keep` collects each step's value."""
    if not callable(fn):
        raise TypeError(f"{fn.__name__} is not callable.")
    fn = convert(fn)
    elems = _tensors(elems)
    n = _length(elems)

    def place(i):
        return n - 1 - i if reverse else i

    if initializer is None:
        if graph.state.trace is None and n == 0:
            raise errors.OutOfRangeError(
                None, None, "Tried to read from index 0 but array size is: 0 "
            )
        state, start = _row(elems, place(_zero())), 1
    else:
        state, start = nest.map_structure(convert_to_tensor, initializer), 0
    arrays = ()
    if keep:
        specs = nest.map_structure(lambda x: TensorSpec(x.shape, x.dtype), state)
        arrays = _arrays(specs, n)
        if initializer is None:
            arrays = nest.map_structure(lambda a, v: a.write(place(_zero()), v), arrays, state)

    def body(i, state, arrays):
        after = _as_tensors(fn(state, _row(elems, place(i))))
        if keep:
            nest.assert_same_structure(elems if initializer is None else initializer, after)
            arrays = nest.map_structure(lambda a, v: a.write(place(i), v), arrays, after)
        return i + 1, after, arrays

    _, state, arrays = while_loop(
        lambda i, state, arrays: i < n, body, (_count(start), state, arrays)
    )
    result = nest.map_structure(functools.partial(_stacked, n=n), arrays) if keep else state
    return result if back_prop else _without_gradient(result)


def foldl(
    fn,
    elems,
    initializer=None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name=None,
):
    """Folds the rows of `elems` from the first to the last (source: `tf.foldl`).

    Args:
        fn: takes the value so far and a row, returns the next value.
        elems: a tensor or structure of tensors.
        initializer: the value to begin with; the first row by default.
        parallel_iterations, swap_memory: hints for TensorFlow's runtime; no effect on results.
        back_prop: if False, no gradient flows through; eagerly without effect, as in TensorFlow.
        name: a name for the op.
    """
    return _fold(fn, elems, initializer, back_prop, False, False)


def foldr(
    fn,
    elems,
    initializer=None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name=None,
):
    """Folds the rows of `elems` from the last to the first (source: `tf.foldr`); see `foldl`."""
    return _fold(fn, elems, initializer, back_prop, True, False)


def scan(
    fn,
    elems,
    initializer=None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name=None,
):
    """Like `foldl` (`foldr` if `reverse`), but returns the value after each row, stacked.

    (source: `tf.scan`); `infer_shape`: the values must have one shape, to be stacked.
    """
    return _fold(fn, elems, initializer, back_prop, reverse, True)


# -- order


def no_op(name=None):
    """Does nothing; in a graph, an operation that does (source: `tf.no_op`)."""
    trace = graph.state.trace
    return None if trace is None else trace.no_op(name)


def group(*inputs, **kwargs):
    """Groups ops that have run already (source: `tf.group`).

    Args:
        inputs: tensors and operations, and structures of them.
        name: a name for the op.

    Returns:
        None; in a graph, an operation.

    Raises:
        ValueError: in a graph, for another keyword.
        TypeError: in a graph, for an input that is neither.
    """
    trace = graph.state.trace
    if trace is None:
        return None
    name = kwargs.pop("name", None)
    if kwargs:
        raise ValueError(f"Unknown keyword arguments: {', '.join(kwargs)}")
    for item in nest.flatten(inputs, expand_composites=True):
        if item is not None and not (is_operation(item) or is_tensor(item)):
            raise TypeError(
                f"'inputs' should be zero or more (nested) Tensors. Received '{item}' with type "
                f"'{type(item)}'."
            )
    return trace.no_op(name or "group_deps")


def tuple_(tensors, control_inputs=None, name=None):
    """The tensors, all of them computed (source: `tf.tuple`).

    Raises:
        ValueError: in a graph, if there are none.
    """
    from torchtf.array_ops import identity

    if graph.state.trace is not None and all(x is None for x in tensors):
        raise ValueError(f"'tensors' must have at least one Tensor. Received: {tensors}.")
    return [None if x is None else identity(x) for x in tensors]


@contextlib.contextmanager
def control_dependencies(control_inputs):
    """Program order is execution order, so nothing is left to do (source: same name).

    Raises:
        TypeError: if `control_inputs` is not None and cannot be iterated over.
    """
    for item in () if control_inputs is None else control_inputs:
        if callable(item) and graph.state.trace is None:
            item()
    yield
