"""What Python's builtin functions mean in converted code: on tensors, `TensorArray`s and datasets.

All others, and these on other values, do what Python does.
"""

from __future__ import annotations

from collections.abc import Callable

from malt.operators import py_builtins

from torchtf.control_flow import cond, is_staged
from torchtf.core import dtypes, nest
from torchtf.core.tensor import is_tensor_type

_CONTEXTUAL: dict[Callable, Callable] = {
    eval: lambda args, scope: py_builtins.eval_in_original_context(eval, args, scope),
    super: lambda args, scope: py_builtins.super_in_original_context(super, args, scope),
    globals: lambda args, scope: py_builtins.globals_in_original_context(scope),
    locals: lambda args, scope: py_builtins.locals_in_original_context(scope),
}


def call_builtin(f: Callable, args: tuple, kwargs: dict | None, scope):
    """Calls a builtin of Python.

    Args:
        f: the builtin.
        args, kwargs: its arguments.
        scope: the function scope of the caller, for builtins that look at it.
    """
    try:
        contextual = _CONTEXTUAL.get(f)
    except TypeError:  # a method of something unhashable
        return f(*args, **(kwargs or {}))
    if contextual is not None:
        return contextual(args, scope)
    if f in _ON_TENSORS and any(map(is_staged, args)):
        return _ON_TENSORS[f](*args, **(kwargs or {}))
    if f in _ON_DATASETS:
        among = args[1:] if f in (map, filter) else args if f is zip else args[:1]
        if among and all(map(_is_dataset, among)):
            return _ON_DATASETS[f](*args, **(kwargs or {}))
    if f is len and _is_array(args):
        return args[0].size()
    if f is next and len(args) == 2 and hasattr(args[0], "get_next_as_optional"):
        return _next(*args)
    return f(*args, **(kwargs or {}))


def _is_dataset(value) -> bool:
    return hasattr(value, "element_spec") and hasattr(value, "reduce")


def _is_array(args) -> bool:
    from torchtf.tensor_array import TensorArray

    return len(args) == 1 and isinstance(args[0], TensorArray)


# -- on tensors


def _abs(x):
    from torchtf import math

    return math.abs(x)


def _number(dtype) -> Callable:
    def convert(x, base=10):
        if base != 10:
            raise NotImplementedError(f"base {base} not supported for int")
        if x.dtype is dtypes.string:
            from torchtf import strings

            return strings.to_number(x, out_type=dtype)
        from torchtf import math

        return math.cast(x, dtype)

    return convert


def _len(x):
    from torchtf import array_ops

    if x.shape.rank == 0:
        raise ValueError(f"len requires a non-scalar tensor, got one of shape {array_ops.shape(x)}")
    if x.shape.rank is not None and x.shape[0] is not None:
        return x.shape[0]
    return array_ops.shape(x)[0]


def _range(start_or_stop, stop=None, step=None):
    from torchtf import array_ops, math

    if step is not None:
        return array_ops.range(start_or_stop, stop, step)
    if stop is not None:  # an empty range, where tf.range raises
        return array_ops.range(start_or_stop, math.maximum(start_or_stop, stop))
    return array_ops.range(math.maximum(start_or_stop, 0))


def _sorted(x, key=None, reverse=None):
    from torchtf import array_ops

    if key is not None:
        raise ValueError("sorting with a key is not supported for a tensor")
    return array_ops.sort(x, axis=-1, direction="DESCENDING" if reverse else "ASCENDING")


def _print(*values, **kwargs):
    from torchtf.logging_ops import print as print_op

    print_op(*values, sep=kwargs.get("sep", " "), end=kwargs.get("end", "\n"))


_ON_TENSORS: dict[Callable, Callable] = {
    abs: _abs, float: _number(dtypes.float32), int: _number(dtypes.int32), len: _len,
    print: _print, range: _range, sorted: _sorted,
}  # fmt: skip


# -- on datasets


def _zip(*datasets, strict: bool = False):
    if strict:
        raise ValueError("strict zip not supported by Dataset")
    return type(datasets[0]).zip(datasets)


def _booleans(dataset, name: str):
    specs = nest.flatten(dataset.element_spec)
    if len(specs) != 1 or specs[0].dtype is not dtypes.bool_:
        raise ValueError(
            f'in graph mode, the "{name}" builtin only supports datasets that return bool scalars; '
            f"got: {dataset.element_spec}"
        )


def _any(dataset):
    _booleans(dataset, "any")
    return dataset.filter(lambda x: x).take(1).reduce(False, lambda _, x: x)


def _all(dataset):
    from torchtf import math

    _booleans(dataset, "all")
    return dataset.filter(math.logical_not).take(1).reduce(True, lambda _, x: x)


_ON_DATASETS: dict[Callable, Callable] = {
    abs: lambda dataset: dataset.map(_abs),
    all: _all,
    any: _any,
    enumerate: lambda dataset, start=0: dataset.enumerate(start),
    filter: lambda function, dataset: dataset.filter(function),
    len: lambda dataset: dataset.cardinality(),
    map: lambda function, *datasets: _zip(*datasets).map(function),
    zip: _zip,
}


def _next(iterator, default):
    """`next(iterator, default)` when the graph runs."""
    specs = iterator.element_spec
    try:
        nest.assert_same_structure(default, specs, expand_composites=True)
    except (ValueError, TypeError) as e:
        raise TypeError(
            f"the default argument must have the same element structure as the iterate.\n\n{e}"
        ) from None
    for value, spec in zip(nest.flatten(default), nest.flatten(specs), strict=True):
        if is_tensor_type(value) and value.dtype is not spec.dtype:
            raise TypeError(
                "the default argument must have the same dtype as the iterate. Expected "
                f"{spec.dtype}, got {value.dtype}"
            )
    found = iterator.get_next_as_optional()
    return cond(found.has_value(), found.get_value, lambda: default)
