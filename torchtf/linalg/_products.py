"""Products and sums over indices."""

from __future__ import annotations

import torch

from torchtf.array_ops import expand_dims, squeeze
from torchtf.core import errors
from torchtf.core.convert import KERNEL_NAMES, convert_to_tensor, to_axis
from torchtf.core.op import op
from torchtf.core.shape import brackets
from torchtf.core.tensor import is_fake
from torchtf.math import matmul


def matvec(
    a, b, transpose_a=False, adjoint_a=False, a_is_sparse=False, b_is_sparse=False, name=None
):
    """Multiplies matrices by vectors (source: `tf.linalg.matvec`).

    Args:
        a: matrices [..., m, n].
        b: vectors [..., n].
        transpose_a, adjoint_a: whether `a` is transposed, or transposed and conjugated, first.
        a_is_sparse, b_is_sparse: hints that many elements are zero; the result is the same.
    """
    b = expand_dims(convert_to_tensor(b, dtype_hint=getattr(a, "dtype", None)), -1)
    return squeeze(matmul(a, b, transpose_a=transpose_a, adjoint_a=adjoint_a, name=name), -1)


@op("Cross")
def cross(a: Real, b: Real):
    """The cross product of vectors along the last axis (source: `tf.linalg.cross`).

    Raises:
        FailedPreconditionError: if the last size is not 3.
        InvalidArgumentError: if the shapes differ.
    """
    if a.dim() == 0 or a.shape[-1] != 3:
        raise errors.FailedPreconditionError(
            None, None, "Cross-products are only defined for 3-element vectors."
        )
    if not is_fake(a) and a.shape != b.shape:
        raise errors.InvalidArgumentError(
            None,
            None,
            f"Both inputs must be of same shape: {brackets(a.shape)} vs. {brackets(b.shape)}",
        )
    return torch.linalg.cross(a, b)


def einsum(equation, *inputs, **kwargs):
    """Einstein's summation (source: `tf.einsum`).

    Args:
        equation: labels of the axes, e.g. `"ij,jk->ik"`; `...` stands for axes that broadcast.
        *inputs: tensors of one type.
        optimize: how the order of contraction is chosen, as in `opt_einsum`; the result is the
            same.
        name: a name for the op.

    Raises:
        TypeError: for an unknown keyword.
        ValueError: if the equation is malformed.
        InvalidArgumentError: if the tensors do not fit it.
    """
    name = kwargs.pop("name", None)
    kwargs.pop("optimize", None)
    if kwargs:
        raise TypeError(
            f"Invalid keyword arguments for this function: {', '.join(sorted(kwargs))}. "
            "Expected: name, optimize."
        )
    if not isinstance(equation, str):
        raise TypeError(f"Expected a string as equation, got {equation!r}")
    operands = [convert_to_tensor(x) for x in inputs]
    equation = equation.replace(" ", "")
    left = equation.split("->")[0].split(",")
    if len(left) != len(operands):
        raise ValueError(
            f'Got {len(operands)} arguments for equation "{equation}", expecting {len(left)}.'
        )
    if any(c not in ",.->" and not c.isalpha() for c in equation) or equation.count("->") > 1:
        raise ValueError(f"Invalid einsum equation {equation!r}")
    if "->" in equation:
        unknown = set(equation.split("->")[1]) - set("".join(left)) - {"."}
        if unknown:
            raise ValueError(
                f"Output subscripts contain the label {min(unknown)} not present in the input "
                "subscripts."
            )
    return _einsum(operands, equation, name)


# the types for which TensorFlow has no kernel
_WITHOUT_EINSUM = {
    torch.bool, torch.int8, torch.int16, torch.uint8, torch.uint16, torch.uint32, torch.uint64,
}  # fmt: skip


@op("Einsum", strings=None)
def _einsum(inputs: list[T], equation):
    if inputs[0].dtype in _WITHOUT_EINSUM:
        kind = KERNEL_NAMES[inputs[0].dtype].upper()
        raise errors.NotFoundError(
            None, None,
            f"Could not find device for node: {{{{node Einsum}}}} = Einsum[N={len(inputs)}, "
            f'T=DT_{kind}, equation="{equation}"] [Op:Einsum]',
        )  # fmt: skip
    with torch.backends.opt_einsum.flags(enabled=not is_fake(inputs[0])):  # it reads the sizes
        return torch.einsum(equation, *inputs).to(inputs[0].dtype)  # sums of ints are wider


def tensordot(a, b, axes, name=None):
    """Contracts axes of two tensors (source: `tf.tensordot`).

    Args:
        a, b: tensors of one type.
        axes: n, for the last n axes of `a` and the first n of `b`; or a pair of axes or of lists
            of axes.

    Raises:
        ValueError: if `axes` is malformed.
        InvalidArgumentError: if the sizes of contracted axes differ.
    """
    a = convert_to_tensor(a)
    b = convert_to_tensor(b, dtype_hint=a.dtype)
    axes = to_axis(axes)
    if isinstance(axes, int):
        if axes < 0:
            raise ValueError(f"`axes` must be at least 0. Received: {axes}.")
        if a.ndim is not None and axes > a.ndim:
            raise ValueError(
                f"`axes` must not be larger than the number of dimensions of tensor {a}. "
                f"Received {axes}, vs tensor dimensions {a.ndim}."
            )
        pair = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        if len(axes) != 2:
            raise ValueError(f"`axes` must be an integer or have length 2. Received {axes}.")
        pair = tuple([x] if isinstance(x, int) else list(x) for x in axes)
        if len(pair[0]) != len(pair[1]):
            raise ValueError(
                "Different number of contraction axes `a` and `b`, "
                f"{len(pair[0])} != {len(pair[1])}."
            )
    return _tensordot(a, b, pair, name)


@op("MatMul", strings=None)
def _tensordot(a: Num, b: Num, axes):
    for i, j in zip(*axes, strict=True):
        m, n = a.shape[i], b.shape[j]
        if isinstance(m, int) and isinstance(n, int) and m != n:
            raise errors.InvalidArgumentError(
                None, None,
                f"Matrix size-incompatible: In[0]: {brackets(a.shape)}, In[1]: {brackets(b.shape)}",
            )  # fmt: skip
    return torch.tensordot(a, b, axes)
