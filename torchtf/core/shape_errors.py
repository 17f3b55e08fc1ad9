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
    if not all(isinstance(size, int) and size >= -1 for size in sizes) or sizes.count(-1) > 1:
        raise TypeError("it failed for another reason")
    count = math.prod(size for size in sizes if size >= 0)
    shown = brackets(["?" if size < 0 else size for size in sizes])
    wanted = ("shape", [len(sizes)], f"input[1] = {shown}")
    if -1 in sizes:
        problem = f"Dimension size must be evenly divisible by {count} but is {x.numel()}"
        return problem, "Tshape=DT_INT32", [wanted]
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
    if other.dim() != values[0].dim():
        problem = f"Shapes must be equal rank, but are {values[0].dim()} and {other.dim()}"
    else:
        problem = _unequal(values[0].shape, other.shape)
    problem += f"\n\tFrom merging shape {last - 1} with other shapes."
    return problem, f"axis={axis}", []


def _concat(values, axis, *_):
    rank = values[0].dim()
    computed = f"input[{len(values)}] = <{axis}>"
    other = next((v for v in values if v.dim() != rank), None)
    if other is not None:
        problem, computed = f"Shape must be rank {rank} but is rank {other.dim()}", ""
    elif not -rank <= axis < rank:
        needed = axis + 1 if axis >= 0 else -axis
        problem = f"Shape must be at least rank {needed} but is rank {rank}"
    else:
        axis %= rank
        rests = [[*v.shape[:axis], *v.shape[axis + 1 :]] for v in values]
        problem = _unequal(rests[0], next(r for r in rests if r != rests[0]))
    return problem, "Tidx=DT_INT32", [("axis", [], computed)]


def mismatch(a, b) -> str:
    """How two shapes of known ranks differ; sizes of None go with any other."""
    if len(a) != len(b):
        return f"Shapes must be equal rank, but are {len(a)} and {len(b)}"
    return _unequal(list(a), list(b))


def _unequal(a, b) -> str:
    """How two shapes of one rank differ."""
    i = next(
        i
        for i, (m, n) in enumerate(zip(a, b, strict=True))
        if m is not None and n is not None and m != n
    )
    return (
        f"Dimension {i} in both shapes must be equal, but are {a[i]} and {b[i]}. Shapes are "
        f"{sizes_text(a)} and {sizes_text(b)}."
    )


def _expand_dims(x, axis, *_):
    rank = x.dim()
    if -rank - 1 <= axis <= rank:
        raise TypeError("it failed for another reason")
    problem = f"dim {axis} not in the interval [{-rank - 1}, {rank}]."
    return problem, "Tdim=DT_INT32", [("dim", [], f"input[1] = <{axis}>")]


def _squeeze(x, axis, *_):
    axes, rank = [axis] if isinstance(axis, int) else list(axis), x.dim()
    attributes = f"squeeze_dims={axes}"
    for i, a in enumerate(axes):
        if not -rank <= a < rank:
            return f"squeeze_dims[{i}] not in [{-rank},{rank}).", attributes, []
    wrong = next(a for a in axes if x.shape[a] != 1)
    problem = f"Can not squeeze dim[{wrong}], expected a dimension of 1, got {x.shape[wrong]}"
    return problem, attributes, []


def _transpose(x, perm, *_):
    rank = x.dim()
    if len(perm) != rank:
        problem, computed = f"Dimension must be {rank} but is {len(perm)}", ""
    else:
        wrong = next(p for p in perm if not -rank <= p < rank)
        problem = f"perm dim {wrong} is out of range of input rank {rank}"
        computed = f"input[1] = <{' '.join(map(str, perm))}>"
    return problem, "Tperm=DT_INT32", [("perm", [len(perm)], computed)]


def _split(x, count, axis, *_):
    problem = (
        f"Dimension size must be evenly divisible by {count} but is {x.shape[axis]}\n\t"
        "Number of ways to split should evenly divide the split dimension"
    )
    return problem, f"num_split={count}", []


def _reduction(x, axis, *_):
    axes, rank = [axis] if isinstance(axis, int) else list(axis), x.dim()
    wrong = next(a for a in axes if not -rank <= a < rank)
    problem = f"Invalid reduction dimension {wrong} for input with {rank} dimensions."
    shape = [] if isinstance(axis, int) else [len(axes)]
    computed = f"input[1] = <{' '.join(map(str, axes))}>"
    attributes = "Tidx=DT_INT32, keep_dims=false"
    return problem, attributes, [("reduction_indices", shape, computed)]


def _arg_reduction(x, axis, *_):
    rank = x.dim()
    if -rank <= axis < rank:
        raise TypeError("it failed for another reason")
    problem = (
        f"Dimension ({axis}) must be in the range [{-rank}, {rank}), where {rank} is the number of "
        "dimensions in the input."
    )
    attributes = "Tidx=DT_INT32, output_type=DT_INT64"
    return problem, attributes, [("dimension", [], f"input[1] = <{axis}>")]


def _square(x, *_):
    if x.dim() < 2:
        return f"Shape must be at least rank 2 but is rank {x.dim()}", "", []
    if x.shape[-1] == x.shape[-2]:
        raise TypeError("it failed for another reason")
    return f"Dimensions must be equal, but are {x.shape[-2]} and {x.shape[-1]}", "", []


def _bias_add(x, bias, *_):
    if bias.dim() != 1 or x.shape[-1] == bias.shape[0]:
        raise TypeError("it failed for another reason")
    problem = f"Dimensions must be equal, but are {x.shape[-1]} and {bias.shape[0]}"
    return problem, 'data_format="NHWC"', []


def _top_k(x, k, *_):
    problem = f"input must have last dimension >= k = {k} but is {x.shape[-1]}"
    attributes = "Tk=DT_INT32, index_type=DT_INT32, sorted=true"
    return problem, attributes, [("k", [], f"input[1] = <{k}>")]


def _gather_nd(params, indices, *_):
    if indices.shape[-1] <= params.dim():
        raise TypeError("it failed for another reason")
    problem = (
        "indices.shape[-1] must be <= params.rank, but saw indices shape: "
        f"{sizes_text(indices.shape)} and params shape: {sizes_text(params.shape)}"
    )
    return problem, 'bad_indices_policy=""', []


_FUNCTIONS = {
    "MatMul": _matmul,
    "Reshape": _reshape,
    "BroadcastTo": _broadcast_to,
    "Pack": _pack,
    "ConcatV2": _concat,
    "ExpandDims": _expand_dims,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Split": _split,
    "BiasAdd": _bias_add,
    "TopKV2": _top_k,
    "GatherNd": _gather_nd,
} | dict.fromkeys(("Sum", "Mean", "Prod", "Max", "Min", "All", "Any"), _reduction)
_FUNCTIONS |= dict.fromkeys(("ArgMax", "ArgMin"), _arg_reduction)
_FUNCTIONS |= dict.fromkeys(("MatrixInverse", "Cholesky", "MatrixDeterminant"), _square)
# ops of which the kernel's own sentence is the shape function's, too
_SAME_WORDS = ("StridedSlice", "GatherV2", "ReverseV2")


def _first_difference(a, b) -> str | None:
    """The first two sizes that broadcasting matches and that differ."""
    rank = max(len(a), len(b))
    wide = ([1] * (rank - len(shape)) + list(shape) for shape in (a, b))
    return next((f"{m} and {n}" for m, n in zip(*wide, strict=True) if m != n and 1 not in (m, n)),
                None)  # fmt: skip


def explain(op: str, arguments: list, describe, broadcasts: bool, message: str) -> str | None:
    """TensorFlow's message for an op that failed on these arguments while tracing.

    Args:
        op: its type.
        arguments: those of its body.
        describe: makes the text for the operation of its inputs, attributes and constants.
        broadcasts: whether it failed because two shapes do not broadcast.
        message: what the kernel says.

    Returns:
        None if the shapes tell nothing.
    """
    tensors = [x for x in arguments if isinstance(x, torch.Tensor)]
    if op in _FUNCTIONS:
        try:
            problem, attributes, constants = _FUNCTIONS[op](*arguments)
        except (IndexError, StopIteration, TypeError, AttributeError):
            return None
        listed = arguments[0] if isinstance(arguments[0], list) else tensors
        first = f"N={len(listed)}, " if listed is arguments[0] else ""
    elif op in _SAME_WORDS:
        problem, attributes, constants, listed, first = message, "", [], tensors, ""
    else:
        may = broadcasts and len(tensors) == 2
        differ = _first_difference(*[t.shape for t in tensors]) if may else None
        if differ is None:
            return None
        problem = f"Dimensions must be equal, but are {differ}"
        attributes, constants, listed, first = "", [], tensors, ""
    return f"{problem} for {describe(listed, first, attributes, constants)}"
