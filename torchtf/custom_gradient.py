"""Functions with gradients of their own: `tf.custom_gradient` and its kin."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

import torch

from torchtf.core import graph, nest, tape
from torchtf.core.convert import convert_to_tensor
from torchtf.core.derivative import WithGradient
from torchtf.core.tensor import SymbolicTensor, wrap


def custom_gradient(f=None):
    """A decorator for a function that returns its result and its gradient function.

    (source: `tf.custom_gradient`)

    Args:
        f: takes tensors, returns `(result, grad_fn)`. `grad_fn` takes the gradient of each result
            and returns that of each argument; if `f` reads variables, it takes a keyword argument
            `variables`, too, and returns a pair: those gradients and one for each variable.

    Raises:
        TypeError: if `f` reads variables and `grad_fn` does not take them.
        ValueError: if `grad_fn` returns another number of gradients.
    """
    if f is None:
        return custom_gradient

    @functools.wraps(f, updated=())
    def decorated(*args, **kwargs):
        return _call(f, args, kwargs)

    return decorated


def _call(f, args, kwargs):
    flat_args = [
        convert_to_tensor(a) if not hasattr(type(a), "_tape_read") else a
        for a in nest.flatten(args, expand_composites=True)
    ]
    args = nest.pack_sequence_as(args, flat_args, True)
    tracing = graph.state.trace is not None
    if not tape.recording() and not tracing:
        return f(*args, **kwargs)[0]
    inputs = [a._tape_read() if hasattr(type(a), "_tape_read") else _raw(a) for a in flat_args]
    given = {id(a) for a in flat_args}
    with tape.isolated(), tape.GradientTape() as watcher, torch.no_grad():
        result, grad_fn = f(*args, **kwargs)
        variables = [v for v in watcher.watched_variables() if id(v) not in given]
    if variables and not _takes_variables(grad_fn):
        raise TypeError(
            "@tf.custom_gradient grad_fn must accept keyword argument 'variables', since function "
            f"uses variables: {variables}"
        )
    variables_argument = {"variables": variables} if variables else {}
    results = [convert_to_tensor(r) for r in nest.flatten(result, expand_composites=True)]

    def pull_back(grads):
        found = grad_fn(*[wrap(g) for g in grads], **variables_argument)
        variable_grads = []
        if variables:
            if not isinstance(found, tuple) or len(found) != 2:
                raise TypeError(
                    "a grad_fn that takes 'variables' must return (grads, variable_grads)"
                )
            found, variable_grads = found
        flat = nest.flatten(found)
        if len(flat) != len(flat_args):
            raise ValueError(
                f"custom_gradient function expected to return {len(flat_args)} gradients, but "
                f"returned {len(flat)} instead."
            )
        if len(variable_grads) != len(variables):
            raise ValueError(
                "Must return gradient for each variable from @custom_gradient grad_fn."
            )
        return [None if g is None else _dense(g) for g in (*flat, *variable_grads)]

    inputs += [v._tape_read() for v in variables]
    values = [_raw(r).detach() for r in results]
    if tape.recording():
        found = WithGradient.apply(values, pull_back, *inputs)
    else:  # a tape outside of the graph may ask for it
        from torchtf.function.control import stage_gradient

        found = stage_gradient(values, inputs, pull_back)
    return nest.pack_sequence_as(result, [wrap(r) for r in found], True)


def _takes_variables(grad_fn) -> bool:
    try:
        parameters = inspect.signature(grad_fn).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name == "variables" or p.kind is p.VAR_KEYWORD for p in parameters)


def _raw(tensor):
    if graph.state.trace is not None and type(tensor) is not SymbolicTensor:
        return graph.state.trace.capture(tensor)
    return tensor._data


def _dense(gradient) -> torch.Tensor:
    return _raw(convert_to_tensor(gradient))


def grad_pass_through(f: Callable) -> Callable:
    """`f` with the gradient of the identity (source: `tf.grad_pass_through`)."""

    @custom_gradient
    def passed_through(*args, **kwargs):
        def grad(*upstream, variables=None):
            if variables is not None:
                return upstream, [None] * len(variables)
            return upstream

        return f(*args, **kwargs), grad

    return functools.wraps(f, updated=())(lambda *a, **k: passed_through(*a, **k))


def recompute_grad(f: Callable) -> Callable:
    """`f`, computed again for its gradient instead of kept in memory.

    (source: `tf.recompute_grad`)
    """

    @custom_gradient
    def recomputed(*args, **kwargs):
        result = f(*args, **kwargs)

        def grad(*upstream, variables=None):
            sources = [wrap(_raw(convert_to_tensor(a))) for a in nest.flatten(args)]
            with tape.GradientTape() as again:
                again.watch(sources)
                output = f(*nest.pack_sequence_as(args, sources), **kwargs)
            found = again.gradient(
                output, [sources, list(variables or [])], output_gradients=list(upstream)
            )
            return (found[0], found[1]) if variables is not None else found[0]

        return result, grad

    return functools.wraps(f, updated=())(lambda *a, **k: recomputed(*a, **k))
