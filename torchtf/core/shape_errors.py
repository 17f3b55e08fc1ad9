"""What TensorFlow's shape functions say of shapes that do not fit, which it finds while tracing.

Each function takes the arguments of an op's body and tells the sentence, the attributes of the
operation after its type, and the inputs that are no tensors here: (name, shape, their value).
"""

from __future__ import annotations

import math

import torch

from torchtf.core.shape import brackets


def sizes_text(shape) -> str:
    """Sizes for a message; `?` is an open one."""
    return brackets([s if isinstance(s, int) else "?" for s in shape])


def _matmul(a, b, *_):
    if a.shape[-1] == b.shape[-2]:
        raise TypeError("it failed for another reason")
    attributes = "grad_a=false, grad_b=false, transpose_a=false, transpose_b=false"
    return f"Dimensions must be equal, but are {a.shape[-1]} and {b.shape[-2]}", attributes, []


def _reshape(x, sizes, *_):
    if not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise TypeError("it failed for another reason")
    count = math.prod(sizes)
    wanted = ("shape", [len(sizes)], f"input[1] = {brackets(sizes)}")
    return (
        (
            f"Cannot reshape a tensor with {x.numel()} elements to shape {brackets(sizes)} "
            f"({count} elements)"
        ),
        "Tshape=DT_INT32",
        [wanted],
    )


def _broadcast_to(x, sizes, *_):
    differ = _first_difference(x.shape, sizes)
    if differ is None or len(x.shape) > len(sizes):
        raise TypeError("it failed for another reason")
    wanted = ("shape", [len(sizes)], f"input[1] = {brackets(sizes)}")
    return f"Dimensions must be equal, but are {differ}", "Tidx=DT_INT32", [wanted]


def _pack(values, axis, *_):
    last, other = next(
        (i, v) for i, v in enumerate(values) if tuple(v.shape) != tuple(values[0].shape)
    )
    a, b = sizes_text(values[0].shape), sizes_text(other.shape)
    if other.dim() != values[0].dim():
        problem = f"Shapes must be equal rank, but are {values[0].dim()} and {other.dim()}"
    else:
        d = next(i for i, (m, n) in enumerate(zip(values[0].shape, other.shape, strict=True))
                 if m != n)  # fmt: skip
        problem = (
            f"Dimension {d} in both shapes must be equal, but are {values[0].shape[d]} and "
            f"{other.shape[d]}. Shapes are {a} and {b}."
        )
    problem += f"\n\tFrom merging shape {last - 1} with other shapes."
    return problem, f"axis={axis}", []


_FUNCTIONS = {
    "MatMul": _matmul,
    "Reshape": _reshape,
    "BroadcastTo": _broadcast_to,
    "Pack": _pack,
}


def _first_difference(a, b) -> str | None:
    """The first two sizes that broadcasting matches and that differ."""
    rank = max(len(a), len(b))
    wide = ([1] * (rank - len(shape)) + list(shape) for shape in (a, b))
    return next((f"{m} and {n}" for m, n in zip(*wide, strict=True) if m != n and 1 not in (m, n)),
                None)  # fmt: skip


def explain(op: str, arguments: list, describe, broadcasts: bool) -> str | None:
    """TensorFlow's message for an op that failed on these arguments while tracing.

    Args:
        op: its type.
        arguments: those of its body.
        describe: makes the text for the operation of its inputs, attributes and constants.
        broadcasts: whether it failed because two shapes do not broadcast.

    Returns:
        None if the shapes tell nothing.
    """
    tensors = [x for x in arguments if isinstance(x, torch.Tensor)]
    if op in _FUNCTIONS:
        try:
            problem, attributes, constants = _FUNCTIONS[op](*arguments)
        except (IndexError, StopIteration, TypeError):
            return None
        listed = arguments[0] if isinstance(arguments[0], list) else tensors
        first = f"N={len(listed)}, " if listed is arguments[0] else ""
    else:
        may = broadcasts and len(tensors) == 2
        differ = _first_difference(*[t.shape for t in tensors]) if may else None
        if differ is None:
            return None
        problem = f"Dimensions must be equal, but are {differ}"
        attributes, constants, listed, first = "", [], tensors, ""
    return f"{problem} for {describe(listed, first, attributes, constants)}"
